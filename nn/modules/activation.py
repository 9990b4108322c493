"""Activations as modules: each is the function of the same name with its settings kept."""

from __future__ import annotations

import warnings

import tensorgrad as tg
from tensorgrad import relu
from tensorgrad.nn import functional as F
from tensorgrad.nn.init import constant_
from tensorgrad.nn.modules.module import Module
from tensorgrad.nn.parameter import Parameter


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


class Softmin(Softmax):
    """The softmax of ``-x`` along ``dim``; see :class:`Softmax`."""

    def forward(self, input):
        """Normalise along ``dim``."""
        return F.softmin(input, self.dim, _stacklevel=5)


class Softmax2d(Module):
    """Softmax over the channels of an image: dimension 1 of (N, C, H, W), 0 of (C, H, W).

    Raises:
        ValueError: the input has neither 3 nor 4 dimensions.
    """

    def forward(self, input):
        """Normalise over the channels."""
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D (got {input.ndim}D input)")
        return F.softmax(input, -3, _stacklevel=5)


class CELU(ELU):
    """``max(0, x) + min(0, alpha (exp(x / alpha) - 1))`` (Barron, arXiv:1704.07483)."""

    def forward(self, input):
        """Apply elementwise."""
        return F.celu(input, self.alpha, self.inplace)


class SELU(_InPlace):
    """The self-normalising unit of Klambauer et al., arXiv:1706.02515."""

    def forward(self, input):
        """Apply elementwise."""
        return F.selu(input, self.inplace)


class Mish(_InPlace):
    """``x tanh(softplus(x))`` (Misra, arXiv:1908.08681)."""

    def forward(self, input):
        """Apply elementwise."""
        return F.mish(input, self.inplace)


class _Silent(_InPlace):
    """One that does not mention ``inplace``, as in PyTorch."""

    def extra_repr(self):
        """Nothing."""
        return ""


class Hardswish(_Silent):
    """``x relu6(x + 3) / 6`` (Howard et al., arXiv:1905.02244)."""

    def forward(self, input):
        """Apply elementwise."""
        return F.hardswish(input, self.inplace)


class Hardsigmoid(_Silent):
    """``relu6(x + 3) / 6``."""

    def forward(self, input):
        """Apply elementwise."""
        return F.hardsigmoid(input, self.inplace)


class Hardtanh(_InPlace):
    """``x`` clipped to [min_val, max_val]; the gradient at the bounds is 0.

    Args:
        min_val: the lower bound, -1.
        max_val: the upper bound, 1.
        inplace: overwrite the input.
        min_value: the deprecated name of ``min_val``; warns.
        max_value: the deprecated name of ``max_val``; warns.

    Raises:
        AssertionError: ``max_val`` is not above ``min_val``.
    """

    def __init__(
        self, min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None
    ):
        super().__init__(inplace)
        if min_value is not None:
            min_val = _renamed("min_value", "min_val", min_value)
        if max_value is not None:
            max_val = _renamed("max_value", "max_val", max_value)
        if max_val <= min_val:
            raise AssertionError(f"max_val {max_val} must be greater than min_val {min_val}")
        self.min_val, self.max_val = min_val, max_val

    def forward(self, input):
        """Apply elementwise."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self):
        """The bounds."""
        inplace = ", inplace=True" if self.inplace else ""
        return f"min_val={self.min_val}, max_val={self.max_val}{inplace}"


def _renamed(old, new, value):
    """``value``, given under a name that is no more."""
    warnings.warn(
        f"keyword argument `{old}` is deprecated and rename to `{new}`", FutureWarning, stacklevel=3
    )
    return value


class ReLU6(Hardtanh):
    """``min(max(x, 0), 6)``."""

    def __init__(self, inplace=False):
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self):
        """Mentions ``inplace`` where it is set."""
        return "inplace=True" if self.inplace else ""


class Threshold(_InPlace):
    """``x`` where above ``threshold``, ``value`` elsewhere.

    Args:
        threshold: the bound.
        value: what replaces elements at it and below.
        inplace: overwrite the input.
    """

    def __init__(self, threshold, value, inplace=False):
        super().__init__(inplace)
        self.threshold, self.value = threshold, value

    def forward(self, input):
        """Apply elementwise."""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self):
        """The bound and the value."""
        inplace = ", inplace=True" if self.inplace else ""
        return f"threshold={self.threshold}, value={self.value}{inplace}"


class RReLU(_InPlace):
    """A leaky ReLU whose slopes are drawn in training; see F.rrelu.

    Args:
        lower: the least slope, 1/8.
        upper: the largest slope, 1/3.
        inplace: overwrite the input.
    """

    def __init__(self, lower=1 / 8, upper=1 / 3, inplace=False):
        super().__init__(inplace)
        self.lower, self.upper = lower, upper

    def forward(self, input):
        """Apply elementwise."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self):
        """The range of slopes."""
        inplace = ", inplace=True" if self.inplace else ""
        return f"lower={self.lower}, upper={self.upper}{inplace}"


class PReLU(Module):
    """A leaky ReLU whose slopes are learned (He et al., arXiv:1502.01852).

    Args:
        num_parameters: one slope for all, or one for each channel (dimension 1).
        init: the slopes at first, 0.25.
        device: the CPU.
        dtype: of the slopes.

    >>> import tensorgrad as torch
    >>> torch.nn.PReLU()(torch.tensor([-2.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(tg.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self):
        """Set every slope to ``init``."""
        constant_(self.weight, self.init)

    def forward(self, input):
        """Apply elementwise."""
        return F.prelu(input, self.weight)

    def extra_repr(self):
        """The number of slopes."""
        return f"num_parameters={self.num_parameters}"


class GLU(Module):
    """``a sigmoid(b)`` of the halves of the input along ``dim``; see :func:`tensorgrad.glu`."""

    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        """Gate one half by the other."""
        return F.glu(input, self.dim)

    def extra_repr(self):
        """The dimension."""
        return f"dim={self.dim}"


class Hardshrink(Module):
    """``x`` where ``|x| > lambd``, 0 elsewhere."""

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input):
        """Apply elementwise."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self):
        """The bound."""
        return f"{self.lambd}"


class Softshrink(Hardshrink):
    """``x`` moved towards 0 by ``lambd``, and 0 where that would cross it."""

    def forward(self, input):
        """Apply elementwise."""
        return F.softshrink(input, self.lambd)


class LogSigmoid(Module):
    """``log(sigmoid(x))``, stable for any x."""

    def forward(self, input):
        """Apply elementwise."""
        return F.logsigmoid(input)


class Softsign(Module):
    """``x / (1 + |x|)``."""

    def forward(self, input):
        """Apply elementwise."""
        return F.softsign(input)


class Tanhshrink(Module):
    """``x - tanh(x)``."""

    def forward(self, input):
        """Apply elementwise."""
        return F.tanhshrink(input)


def __getattr__(name):
    if name == "MultiheadAttention":  # where PyTorch keeps it
        from tensorgrad.nn.modules.attention import MultiheadAttention

        return MultiheadAttention
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
