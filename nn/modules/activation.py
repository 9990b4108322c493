"""Activations as modules: each is the function of the same name with its settings kept."""

from __future__ import annotations

from tensorgrad import relu
from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.module import Module


class _InPlace(Module):
    """An activation whose only setting is whether it overwrites its input."""

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def extra_repr(self):
        """Mentions ``inplace`` where it is set."""
        return "inplace=True" if self.inplace else ""


class ReLU(_InPlace):
    """``max(x, 0)``; its derivative at 0 is 0.

    >>> import tensorgrad as torch
    >>> torch.nn.ReLU()(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input):
        """Apply elementwise."""
        return input.relu_() if self.inplace else relu(input)


class Sigmoid(Module):
    """``1 / (1 + exp(-x))``."""

    def forward(self, input):
        """Apply elementwise."""
        return F.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, input):
        """Apply elementwise."""
        return F.tanh(input)


class GELU(Module):
    """``x Φ(x)`` with the normal distribution function Φ (Hendrycks & Gimpel, arXiv:1606.08415).

    Args:
        approximate: ``"none"`` for Φ itself, ``"tanh"`` for the paper's tanh approximation.
    """

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input):
        """Apply elementwise."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self):
        """The form used."""
        return f"approximate={self.approximate!r}"


class Softmax(Module):
    """``exp(x) / sum(exp(x))`` along ``dim``.

    Args:
        dim: the dimension that sums to one; left out, chosen as PyTorch does, with a warning.
    """

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        """Normalise along ``dim``."""
        return F.softmax(input, self.dim, _stacklevel=5)

    def extra_repr(self):
        """The dimension."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """``x - log(sum(exp(x)))`` along ``dim``; see :class:`Softmax`."""

    def forward(self, input):
        """Normalise along ``dim``."""
        return F.log_softmax(input, self.dim, _stacklevel=5)


class LeakyReLU(_InPlace):
    """``x`` above zero and ``negative_slope * x`` below.

    Args:
        negative_slope: 0.01.
        inplace: overwrite the input.
    """

    def __init__(self, negative_slope=0.01, inplace=False):
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input):
        """Apply elementwise."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self):
        """The slope."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class ELU(_InPlace):
    """``x`` above zero and ``alpha (exp(x) - 1)`` below (Clevert et al., arXiv:1511.07289)."""

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input):
        """Apply elementwise."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self):
        """The scale below zero."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class SiLU(_InPlace):
    """``x sigmoid(x)``, also called swish."""

    def forward(self, input):
        """Apply elementwise."""
        return F.silu(input, self.inplace)


class Softplus(Module):
    """``log(1 + exp(beta x)) / beta``, linear above ``threshold / beta``."""

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input):
        """Apply elementwise."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self):
        """The settings."""
        return f"beta={self.beta}, threshold={self.threshold}"
