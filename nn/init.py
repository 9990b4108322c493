"""Initialisers: fill a tensor in place, drawn as PyTorch draws, outside any graph.

Each takes the tensor first, returns it, and draws from ``generator`` or the default generator.
"""

from __future__ import annotations

import math

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
