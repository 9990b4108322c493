"""Initialisers: fill a tensor in place, drawn as PyTorch draws, outside any graph.

Each takes the tensor first, returns it, and draws from ``generator`` or the default generator.
"""

from __future__ import annotations

import functools
import math
import warnings

import tensorgrad as tg

_GAINS = {
    "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0, "conv_transpose3d": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0), "selu": 0.75,
}  # fmt: skip


def calculate_gain(nonlinearity, param=None):
    """The factor by which a weight's deviation makes up for its nonlinearity.

    Args:
        nonlinearity: ``"linear"``, ``"sigmoid"``, ``"tanh"``, ``"relu"``, ``"leaky_relu"``,
            ``"selu"`` or a convolution's name.
        param: the negative slope of a leaky ReLU (0.01).

    Raises:
        ValueError: an unknown nonlinearity, or a slope that is not a number.

    >>> from tensorgrad import nn
    >>> nn.init.calculate_gain("tanh")
    1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return _GAINS[nonlinearity]


def _fans(tensor):
    """Inputs and outputs that one unit of the weight connects to."""
    shape = tensor.shape
    if len(shape) < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, got "
            f"shape {tuple(shape)}"
        )
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _fan(tensor, mode):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return _fans(tensor)[mode == "fan_out"]


@tg.no_grad()
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Fill with draws uniform on [a, b)."""
    return tensor.uniform_(a, b, generator=generator)


@tg.no_grad()
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Fill with draws from the normal distribution."""
    return tensor.normal_(mean, std, generator=generator)


@tg.no_grad()
def constant_(tensor, val):
    """Fill with ``val``."""
    return tensor.fill_(val)


@tg.no_grad()
def ones_(tensor):
    """Fill with ones."""
    return tensor.fill_(1.0)


@tg.no_grad()
def zeros_(tensor):
    """Fill with zeros."""
    return tensor.zero_()


@tg.no_grad()
def eye_(tensor):
    """Fill a matrix with the identity.

    Raises:
        ValueError: the tensor has not two dimensions.
    """
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got {tensor.ndim}")
    return tensor.copy_(tg.eye(*tensor.shape))


@tg.no_grad()
def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Uniform on ±gain sqrt(6 / (fan_in + fan_out)): Glorot & Bengio, AISTATS 2010."""
    fan_in, fan_out = _fans(tensor)
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / (fan_in + fan_out))
    return tensor.uniform_(-bound, bound, generator=generator)


@tg.no_grad()
def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal with deviation gain sqrt(2 / (fan_in + fan_out)): Glorot & Bengio, AISTATS 2010."""
    fan_in, fan_out = _fans(tensor)
    return tensor.normal_(0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator=generator)


@tg.no_grad()
def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Uniform on ±gain sqrt(3 / fan): He et al., arXiv:1502.01852.

    Args:
        tensor: the weight to fill.
        a: negative slope of the leaky ReLU that follows.
        mode: ``"fan_in"`` keeps the variance of activations, ``"fan_out"`` of gradients.
        nonlinearity: decides the gain, see :func:`calculate_gain`.
        generator: the source of randomness; None for the default one.
    """
    if 0 in tensor.shape:
        return tensor
    deviation = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    bound = math.sqrt(3.0) * deviation
    return tensor.uniform_(-bound, bound, generator=generator)


@tg.no_grad()
def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal with deviation gain / sqrt(fan): He et al., arXiv:1502.01852. See kaiming_uniform_."""
    if 0 in tensor.shape:
        return tensor
    deviation = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return tensor.normal_(0.0, deviation, generator=generator)


@tg.no_grad()
def lecun_uniform_(tensor, generator=None):
    """Uniform on ±sqrt(3 / fan_in): LeCun et al., "Efficient BackProp" (1998). Not in PyTorch.

    The variance 1 / fan_in keeps that of the activations through linear layers, and is what SELU
    wants. The same as :func:`kaiming_uniform_` with ``nonlinearity="linear"``.

    Raises:
        ValueError: the tensor has fewer than two dimensions.

    >>> import tensorgrad as torch
    >>> w = torch.nn.init.lecun_uniform_(torch.empty(100, 12))
    >>> bool((w.abs() <= 0.5).all() and w.abs().max() > 0.49)
    True
    """
    return kaiming_uniform_(tensor, nonlinearity="linear", generator=generator)


@tg.no_grad()
def lecun_normal_(tensor, generator=None):
    """Normal with deviation sqrt(1 / fan_in), not cut off; see :func:`lecun_uniform_`."""
    return kaiming_normal_(tensor, nonlinearity="linear", generator=generator)


@tg.no_grad()
def orthogonal_(tensor, gain=1, generator=None):
    """Fill with a (semi-)orthogonal matrix times ``gain``: Saxe et al., arXiv:1312.6120.

    Trailing dimensions count as columns. Normal draws, of which the Q of QR is taken, each column
    with the sign of R's diagonal.

    Raises:
        ValueError: the tensor has fewer than two dimensions.
    """
    if tensor.ndim < 2:
        raise ValueError(
            f"Only tensors with 2 or more dimensions are supported, got {tensor.ndim}"
        )
    if 0 in tensor.shape:
        return tensor
    rows = tensor.shape[0]
    drawn = tensor.new_empty(rows, tensor.numel() // rows).normal_(0, 1, generator=generator)
    wide = rows < drawn.shape[1]
    q, r = tg.linalg.qr(drawn.T if wide else drawn)
    q = q * r.diagonal().sign()
    tensor.copy_((q.T if wide else q).reshape(tensor.shape))
    return tensor.mul_(gain)


def _share_below(x):
    """The distribution function of the normal distribution."""
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


@tg.no_grad()
def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Fill with draws from the normal distribution cut off outside [a, b].

    Where [a, b] holds more than 0.3 of the distribution, draws outside are drawn anew; elsewhere
    uniform draws are accepted in proportion to the density.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_: the distribution of "
            "values may be incorrect", UserWarning, stacklevel=3,
        )  # fmt: skip
    if _share_below((b - mean) / std) - _share_below((a - mean) / std) > 0.3:
        return _redrawn(tensor, mean, std, a, b, generator)
    return _accepted(tensor, mean, std, a, b, generator)


def _redrawn(tensor, mean, std, a, b, generator):
    low, high = tensor.new_tensor(a), tensor.new_tensor(b)
    result = tensor.normal_(mean, std, generator=generator)
    while (outside := (result < low) | (result > high)).any():
        again = tg.empty_like(result).normal_(mean, std, generator=generator)
        result = tg.where(outside, again, result)
    return tensor if result is tensor else tensor.copy_(result)


def _accepted(tensor, mean, std, a, b, generator):
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    result = tensor.uniform_(a, b, generator=generator)
    candidates, accept = result.clone(), tg.empty_like(tensor)

    def refused():
        height = candidates.sub_(mean).div_(std).pow_(2).mul_(-0.5).sub_(peak)
        return accept.uniform_(generator=generator).log_() > height

    pending = refused()
    while pending.any():
        candidates.uniform_(a, b, generator=generator)
        result = tg.where(pending, candidates, result)
        pending = pending & refused()
    return tensor if result is tensor else tensor.copy_(result)


@tg.no_grad()
def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Fill a matrix with normal draws, of which the share ``sparsity`` of each column is zero.

    Which elements are zero is drawn from the default generator, as in PyTorch (Martens, ICML
    2010).

    Raises:
        ValueError: the tensor has not two dimensions.
    """
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got {tensor.ndim}")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    tensor.normal_(0, std, generator=generator)
    for column in range(columns):
        tensor[tg.randperm(rows)[:zeros], column] = 0
    return tensor


@tg.no_grad()
def dirac_(tensor, groups=1):
    """Fill the weight of a convolution so that it passes its input channels on unchanged.

    Args:
        tensor: of 3, 4 or 5 dimensions.
        groups: the groups of the convolution.

    Raises:
        ValueError: another number of dimensions, or of channels.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(
            f"Only tensors with 3, 4, or 5 dimensions are supported, got {tensor.ndim}"
        )
    if tensor.shape[0] % groups:
        raise ValueError(f"dim 0 must be divisible by groups, got {tensor.shape[0]} and {groups}")
    per_group = tensor.shape[0] // groups
    middle = tuple(n // 2 for n in tensor.shape[2:])
    tensor.zero_()
    for group in range(groups):
        for d in range(min(per_group, tensor.shape[1])):
            tensor[(group * per_group + d, d, *middle)] = 1
    return tensor


def _deprecated(new):
    """``new`` under its old name, without the underscore, which warns."""
    name = new.__name__.removesuffix("_")

    @functools.wraps(new)
    def old(*args, **kwargs):
        warnings.warn(
            f"`nn.init.{name}` is now deprecated in favor of `nn.init.{new.__name__}`.",
            FutureWarning, stacklevel=2,
        )  # fmt: skip
        return new(*args, **kwargs)

    old.__name__ = old.__qualname__ = name
    old.__doc__ = f"Deprecated: use :func:`{new.__name__}`."
    return old


uniform, normal, constant = map(_deprecated, (uniform_, normal_, constant_))
eye, dirac, orthogonal, sparse = map(_deprecated, (eye_, dirac_, orthogonal_, sparse_))
xavier_uniform, xavier_normal = _deprecated(xavier_uniform_), _deprecated(xavier_normal_)
kaiming_uniform, kaiming_normal = _deprecated(kaiming_uniform_), _deprecated(kaiming_normal_)
