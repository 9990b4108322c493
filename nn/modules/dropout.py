"""Dropout."""

from __future__ import annotations

from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.module import Module


class Dropout(Module):
    """In training, zero each element with probability ``p`` and scale the rest by 1/(1-p).

    Srivastava et al., JMLR 2014, in the inverted form: evaluation does nothing. The masks are
    drawn from the default generator and repeat with :func:`tensorgrad.manual_seed`; they are
    not PyTorch's, whose masks depend on its math library.

    Args:
        p: probability of zeroing, in [0, 1].
        inplace: overwrite the input.

    Raises:
        ValueError: ``p`` lies outside [0, 1].

    >>> import tensorgrad as torch
    >>> layer = torch.nn.Dropout(0.5).eval()
    >>> layer(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input):
        """Drop elements of ``input`` in training mode."""
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self):
        """The probability."""
        return f"p={self.p}, inplace={self.inplace}"
