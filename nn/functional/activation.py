"""Activations, with PyTorch's ``inplace`` argument."""

from __future__ import annotations

import warnings

import tensorgrad as tg

__all__ = [
    "elu",
    "gelu",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "tanh",
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
