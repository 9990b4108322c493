"""Fused ops: one node where several would be slower or less stable.

Each names its composition from other ops in ``definition``, and the generated tests hold value,
first and second derivative of both equal. Those published by ``tensorgrad.nn.functional`` keep
its argument names there; here they take what the fused form needs.
"""

from __future__ import annotations

from math import prod

import numpy as np

from .. import errors
from .._registry import FUNCTIONS, op
from ..kernels.sums import total
from .elementwise import log
from .reduce import mean, softmax, sum

# --- losses -----------------------------------------------------------------------------


def _squared_error_definition(x, y, *, scale):
    difference = x - y
    return (difference * difference).sum() * scale


@op(types="promote", public=False, method=False, grad_name="MseLossBackward0",
    definition=_squared_error_definition)  # fmt: skip
def squared_error(x, y, *, scale):
    """``scale * sum((x - y)**2)``, a 0-d result."""
    difference = (x - y).ravel()
    if difference.size < 4096:  # 0.5 us against 1.5; above it the pairwise sum is more accurate
        return difference.dot(difference) * scale
    difference *= difference
    return np.add.reduce(difference) * scale


squared_error.vjp(
    x=lambda g, x, y, *, scale: (x - y) * (g * (2.0 * scale)),
    y=lambda g, x, y, *, scale: (y - x) * (g * (2.0 * scale)),
)


_STARTS: dict = {}  # positions of the first element of each row, by (rows, columns)


def _positions(target, columns):
    """Where element ``target[i]`` of row i stands among all, row after row."""
    rows = len(target)
    starts = _STARTS.get((rows, columns))
    if starts is None:
        starts = np.arange(0, rows * columns, columns)
        if len(_STARTS) < 64:
            _STARTS[rows, columns] = starts
    return starts + target


@op(public=False, method=False)
def subtract_one_hot(x, target):
    """``x`` (N, C) minus one at column ``target[i]`` of each row i."""
    out = np.array(x, order="C")
    flat = out.reshape(-1)
    flat[_positions(target, x.shape[1])] -= 1  # one index: 3 us less than a pair
    return out


subtract_one_hot.vjp(x=lambda g: g)


def _cross_entropy_definition(x, target, *, scale):
    gather, log_softmax = FUNCTIONS["gather"], FUNCTIONS["log_softmax"]
    column = np.asarray(target).reshape(-1, 1)
    return gather(log_softmax(x, 1), 1, column).sum() * -scale


def _softmax_of_rows(x):
    return softmax(x, 1)


@op(public=False, method=False, grad_name="NllLossBackward0",
    residuals={"probabilities": _softmax_of_rows},
    definition=_cross_entropy_definition)  # fmt: skip
def softmax_cross_entropy(x, target, *, scale):
    """``-scale * sum_i log softmax(x_i)[target_i]`` for logits x (N, C) and class indices.

    The largest logit of each row is subtracted first, so logits of ±1e4 and more are exact.
    The caller has checked that every target is a class.
    """
    shifted = x - np.maximum.reduce(x, 1, keepdims=True)
    probabilities = np.exp(shifted)
    total = np.add.reduce(probabilities, 1, keepdims=True)
    picked = shifted.reshape(-1).take(_positions(target, x.shape[1]))
    loss = (np.add.reduce(np.log(total), None) - np.add.reduce(picked)) * scale
    probabilities /= total
    return loss, (probabilities,)


softmax_cross_entropy.vjp(
    x=lambda g, probabilities, target, *, scale: (
        subtract_one_hot(probabilities, target) * (g * scale)
    )
)


def out_of_bounds(target, classes):
    """The error for the first element of ``target`` that is not in 0..classes-1."""
    row = int(np.flatnonzero((target < 0) | (target >= classes))[0])
    return errors.DimError(
        f"Target {int(target.flat[row])} is out of bounds: row {row} of the target, and the "
        f"input has {classes} classes, 0 to {classes - 1}"
    )


def _bce_with_logits_definition(x, y):
    softplus = FUNCTIONS["softplus"]
    return softplus(x) - x * y


@op(types="promote", public=False, method=False,
    grad_name="BinaryCrossEntropyWithLogitsBackward0", domain=(-4.0, 4.0),
    definition=_bce_with_logits_definition)  # fmt: skip
def bce_with_logits(x, y):
    """``-y log s(x) - (1-y) log(1 - s(x))`` elementwise, s the sigmoid; stable for any x."""
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0.0) - x * y


bce_with_logits.vjp(
    x=lambda g, x, y: g * (FUNCTIONS["sigmoid"](x) - y),
    y=lambda g, x: -(g * x),
)


@op(types="promote", public=False, method=False, grad_name="BinaryCrossEntropyBackward0",
    domain=(0.125, 0.875))  # fmt: skip
def binary_cross_entropy(x, y):
    """``-y log x - (1-y) log(1-x)`` elementwise, each logarithm no lower than -100."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (y - 1.0) * np.maximum(np.log1p(-x), -100.0) - y * np.maximum(np.log(x), -100.0)


# PyTorch's denominators: 1e-12 in place of x(1-x) where that is smaller.
binary_cross_entropy.vjp(
    x=lambda g, x, y: g * (x - y) / FUNCTIONS["clamp_min"]((1.0 - x) * x, 1e-12),
    y=lambda g, x: g * (FUNCTIONS["log1p"](-x) - log(x)),
)


# --- batch normalisation ----------------------------------------------------------------


def channel_axes(ndim):
    """The axes of (N, C, ...) that a channel is averaged over."""
    return (0, *range(2, ndim))


# Planes with fewer elements are multiplied and added up: each dot product takes 50 ns to begin.
_PLANE = 64


def _channel_dots(x, y, scratch):
    """The sum of ``x * y`` (N, C, ...) over each channel; may write the product to ``scratch``.

    Dot products store nothing: 0.1 ms in place of 0.5 for (32, 64, 32, 32) in float32.
    """
    n, channels, *size = x.shape
    plane = prod(size)
    if plane < _PLANE:
        return total(np.multiply(x, y, out=scratch), channel_axes(x.ndim), True)
    planes = np.vecdot(x.reshape(n, channels, plane), y.reshape(n, channels, plane))
    return total(planes, 0).reshape(1, channels, *(1 for _ in size))


def batch_statistics(x):
    """Mean and biased variance of each channel of the array ``x``, shaped to broadcast."""
    axes = channel_axes(x.ndim)
    count = x.size // x.shape[1]
    mean = total(x, axes, True) / count
    centred = x - mean
    return mean, _channel_dots(centred, centred, centred) / count


def _channel_mean(x):
    return mean(x, dim=channel_axes(x.ndim), keepdim=True)


def _inverse_deviation(x, *, eps):
    centred = x - _channel_mean(x)
    return (_channel_mean(centred * centred) + eps) ** -0.5


def _batch_norm_definition(x, weight, bias, *, eps, statistics=None):
    shape = (1, -1) + (1,) * (x.ndim - 2)
    normal = (x - _channel_mean(x)) * _inverse_deviation(x, eps=eps)
    return normal * weight.reshape(shape) + bias.reshape(shape)


@op(types="same", public=False, method=False, grad_name="NativeBatchNormBackward0",
    residuals={"centre": _channel_mean, "inverse": _inverse_deviation},
    definition=_batch_norm_definition)  # fmt: skip
def batch_norm(x, weight, bias, *, eps, statistics=None):
    """Normalise each channel of x (N, C, ...) by its own mean and variance; scale and shift.

    ``statistics`` may carry :func:`batch_statistics` of the same x, where the caller has them.
    """
    centre, variance = batch_statistics(x) if statistics is None else statistics
    inverse = (variance + eps) ** -0.5
    shape = centre.shape
    scale = inverse * weight.reshape(shape)
    out = x - centre
    out *= scale
    out += bias.reshape(shape)
    return out, (centre, inverse)


@batch_norm.vjp
def _batch_norm_vjp(g, x, weight, centre, inverse, *, needs):
    axes = channel_axes(g.ndim)
    shape = (1, g.shape[1]) + (1,) * (g.ndim - 2)
    count = prod(g.shape) // g.shape[1]
    scale = inverse * weight.reshape(shape)
    if isinstance(g, np.ndarray):
        return _batch_norm_gradients(g, x, centre, inverse, scale, axes, count)
    normal = (x - centre) * inverse
    whole = sum(g, dim=axes, keepdim=True)
    along = sum(g * normal, dim=axes, keepdim=True)
    gx = None
    if 0 in needs:
        gx = (g - (whole + normal * along) * (1.0 / count)) * scale
    return gx, along.reshape(-1), whole.reshape(-1)


def _batch_norm_gradients(g, x, centre, inverse, scale, axes, count):
    """The gradients on arrays: the formula above, in the memory of two temporaries.

    Fresh memory costs more than arithmetic: 190 us by operators for (128, 256), 80 so.
    """
    centred = x - centre
    whole = total(g, axes, True)
    scratch = np.empty_like(centred)
    along = _channel_dots(g, centred, scratch) * inverse
    np.multiply(g, scale, out=scratch)
    centred *= along * inverse * scale * (-1.0 / count)
    centred += whole * scale * (-1.0 / count)
    centred += scratch
    return centred, along.reshape(-1), whole.reshape(-1)
