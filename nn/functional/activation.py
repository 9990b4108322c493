"""Activations, with PyTorch's ``inplace`` argument."""

from __future__ import annotations

import warnings

import numpy as np

import tensorgrad as tg
from tensorgrad._graph import wrap

__all__ = [
    "celu",
    "celu_",
    "elu",
    "elu_",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rrelu",
    "rrelu_",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
]

sigmoid, tanh, logsigmoid = tg.sigmoid, tg.tanh, tg.logsigmoid


def _activation(name, doc, **settings):
    """An elementwise op as ``f(input, *settings, inplace=False)``, all positional too."""
    op, in_place = getattr(tg, name), name + "_"
    names = (*settings, "inplace")

    def activation(input, *args, **kwargs):
        if len(args) > len(names):
            raise TypeError(f"{name}() takes at most {len(names) + 1} arguments")
        given = {**settings, **dict(zip(names, args, strict=False)), **kwargs}
        if given.pop("inplace", False):
            return getattr(input, in_place)(**given)
        return op(input, **given)

    activation.__name__, activation.__doc__ = name, doc
    return activation


def relu(input, inplace=False):
    """``max(x, 0)``; its derivative at 0 is 0."""
    return input.relu_() if inplace else _relu(input)


_relu = tg.relu


leaky_relu = _activation(
    "leaky_relu", "``x`` above zero, ``negative_slope * x`` below.", negative_slope=0.01
)
elu = _activation("elu", "``x`` above zero, ``alpha (exp(x) - 1)`` below.", alpha=1.0)
silu = _activation("silu", "``x sigmoid(x)``.")
relu6 = _activation("relu6", "``min(max(x, 0), 6)``.")
hardtanh = _activation(
    "hardtanh", "``x`` clipped to [min_val, max_val].", min_val=-1.0, max_val=1.0
)
selu = _activation("selu", "The self-normalising unit of Klambauer et al., arXiv:1706.02515.")
mish = _activation("mish", "``x tanh(softplus(x))`` (Misra, arXiv:1908.08681).")
gelu = tg.gelu
softplus = tg.softplus
celu = _activation("celu", "``max(0, x) + min(0, alpha (exp(x / alpha) - 1))``.", alpha=1.0)
hardswish = _activation("hardswish", "``x relu6(x + 3) / 6`` (Howard et al., arXiv:1905.02244).")
hardsigmoid = _activation("hardsigmoid", "``relu6(x + 3) / 6``.")
glu, prelu = tg.glu, tg.prelu
hardshrink, softshrink = tg.hardshrink, tg.softshrink
softsign, tanhshrink = tg.softsign, tg.tanhshrink


def threshold(input, threshold, value, inplace=False):
    """``x`` where above ``threshold``, ``value`` elsewhere."""
    return input.threshold_(threshold, value) if inplace else tg.threshold(input, threshold, value)


def rrelu(input, lower=1 / 8, upper=1 / 3, training=False, inplace=False):
    """The randomised leaky ReLU of Xu et al., arXiv:1505.00853.

    In training each ``x <= 0`` gets a slope of its own, uniform on [lower, upper), drawn as
    PyTorch draws; otherwise the slope is ``(lower + upper) / 2``.
    """
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    low = input._array <= 0
    drawn = tg.empty(int(low.sum()), dtype=tg.float64).uniform_(lower, upper)
    slopes = np.ones(low.shape, input._array.dtype)
    slopes[low] = drawn._array
    return input.mul_(wrap(slopes)) if inplace else input * wrap(slopes)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """A draw from the Gumbel-softmax distribution (Jang et al., arXiv:1611.01144).

    Args:
        logits: unnormalised log-probabilities along ``dim``.
        tau: the temperature.
        hard: return a one-hot tensor whose gradient is the soft sample's.
        eps: deprecated and not used, as in PyTorch.
        dim: the dimension that sums to one.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.gumbel_softmax(torch.zeros(2, 3), hard=True).sum(-1)
    tensor([1., 1.])
    """
    gumbels = -tg.empty_like(logits).exponential_().log()
    soft = ((logits + gumbels) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    one_hot = tg.zeros_like(logits).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft


def relu_(input):
    """:func:`relu` in place."""
    return input.relu_()


def elu_(input, alpha=1.0):
    """:func:`elu` in place."""
    return elu(input, alpha, inplace=True)


def selu_(input):
    """:func:`selu` in place."""
    return selu(input, inplace=True)


def celu_(input, alpha=1.0):
    """:func:`celu` in place."""
    return celu(input, alpha, inplace=True)


def hardtanh_(input, min_val=-1.0, max_val=1.0):
    """:func:`hardtanh` in place."""
    return hardtanh(input, min_val, max_val, inplace=True)


def leaky_relu_(input, negative_slope=0.01):
    """:func:`leaky_relu` in place."""
    return leaky_relu(input, negative_slope, inplace=True)


def rrelu_(input, lower=1 / 8, upper=1 / 3, training=False):
    """:func:`rrelu` in place."""
    return rrelu(input, lower, upper, training, inplace=True)


def threshold_(input, threshold, value):
    """``x`` where above ``threshold``, ``value`` elsewhere, in place."""
    return input.threshold_(threshold, value)


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """``exp(x) / sum(exp(x))`` along ``dim``.

    Left out, ``dim`` is 0 for tensors of 0, 1 and 3 dimensions and 1 otherwise, with a
    warning, as in PyTorch.
    """
    if dim is None:
        dim = _implicit_dim("softmax", input.ndim, _stacklevel)
    return tg.softmax(input, dim, dtype=dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """``x - log(sum(exp(x)))`` along ``dim``; see :func:`softmax` for ``dim`` left out."""
    if dim is None:
        dim = _implicit_dim("log_softmax", input.ndim, _stacklevel)
    return tg.log_softmax(input, dim, dtype=dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """The softmax of ``-x``."""
    if dim is None:
        dim = _implicit_dim("softmin", input.ndim, _stacklevel)
    return tg.softmax(-input, dim, dtype=dtype)


def _implicit_dim(name, ndim, stacklevel):
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        "Change the call to include dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if ndim in (0, 1, 3) else 1
