"""Dropout of elements and of whole channels."""

from __future__ import annotations

from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.module import Module


class _Dropout(Module):
    """Keeps the probability ``p`` and whether the input is overwritten.

    Raises:
        ValueError: ``p`` lies outside [0, 1].
    """

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def extra_repr(self):
        """The probability."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
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

    def forward(self, input):
        """Drop elements of ``input`` in training mode."""
        return F.dropout(input, self.p, self.training, self.inplace)


class ClassicDropout(_Dropout):
    """In training, zero each element with probability ``p``; in evaluation, scale by 1-p.

    The form of Srivastava et al., JMLR 2014, as printed. :class:`Dropout` scales in training
    instead, so that evaluation costs nothing; in both the expectation in training is what
    evaluation computes. Layers after this one see inputs smaller by 1-p. Not in PyTorch.

    Args:
        p: probability of zeroing, in [0, 1].
        inplace: overwrite the input.

    Raises:
        ValueError: ``p`` lies outside [0, 1].

    >>> import tensorgrad as torch
    >>> layer = torch.nn.ClassicDropout(0.25).eval()
    >>> layer(torch.ones(3))
    tensor([0.7500, 0.7500, 0.7500])
    """

    def forward(self, input):
        """Drop elements of ``input`` in training mode, scale them otherwise."""
        return F.classic_dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """Zeroes whole channels of (N, C, L) or (C, L); see :class:`Dropout`."""

    def forward(self, input):
        """Drop channels of ``input`` in training mode."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """Zeroes whole channels of (N, C, H, W): Tompson et al., arXiv:1411.4280.

    >>> import tensorgrad as torch
    >>> out = torch.nn.Dropout2d(0.5)(torch.ones(2, 3, 4, 4))
    >>> bool((out == out[:, :, :1, :1]).all())
    True
    """

    def forward(self, input):
        """Drop channels of ``input`` in training mode."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """Zeroes whole channels of (N, C, D, H, W) or (C, D, H, W); see :class:`Dropout2d`."""

    def forward(self, input):
        """Drop channels of ``input`` in training mode."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout that keeps mean 0 and variance 1 after SELU: Klambauer et al., arXiv:1706.02515."""

    def forward(self, input):
        """Drop elements of ``input`` in training mode."""
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_Dropout):
    """:class:`AlphaDropout` of whole channels."""

    def forward(self, input):
        """Drop channels of ``input`` in training mode."""
        return F.feature_alpha_dropout(input, self.p, self.training)
