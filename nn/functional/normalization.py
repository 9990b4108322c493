"""Normalisation over the batch, over features and by a norm."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad._graph import mark_mutated, wrap
from tensorgrad.ops import fused

__all__ = [
    "batch_norm",
    "layer_norm",
    "normalize",
]


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Normalise over the last dimensions, which have ``normalized_shape``; scale and shift.

    Args:
        input: floating-point tensor (..., *normalized_shape).
        normalized_shape: a tuple of the last sizes of the input.
        weight: factors of that shape; None for 1.
        bias: shifts of that shape; None for 0.
        eps: added to the variance, inside the root.

    Raises:
        RuntimeError: the input does not end with ``normalized_shape``, a parameter has another
            shape, or the dtypes differ.
        TypeError: ``normalized_shape`` is an int.
    """
    return tg.layer_norm(input, normalized_shape, weight, bias, eps)


def batch_norm(
    input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1,
    eps=1e-5,
):  # fmt: skip
    """Normalise each channel of ``input`` (N, C, ...); Ioffe & Szegedy, arXiv:1502.03167.

    In training by the batch's own mean and biased variance, and the running statistics are
    moved by ``momentum`` towards the batch's mean and unbiased variance; otherwise by the
    running statistics.

    Raises:
        ValueError: training on a single value per channel.
        RuntimeError: the number of channels differs from the parameters'.
    """
    array = input._array
    channels = array.shape[1] if array.ndim > 1 else 0
    for name, t in (("weight", weight), ("bias", bias), ("running_mean", running_mean),
                    ("running_var", running_var)):  # fmt: skip
        if t is not None and t._array.size != channels:
            raise RuntimeError(
                f"{name} should contain {channels} elements not {t._array.size}: the input "
                f"{array.shape} has {channels} channels"
            )
    shape = (1, channels) + (1,) * (array.ndim - 2)
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "Expected running_mean and running_var to be defined when training=False"
            )
        scale = (running_var + eps) ** -0.5
        scale = scale if weight is None else scale * weight
        out = (input - running_mean.reshape(shape)) * scale.reshape(shape)
        return out if bias is None else out + bias.reshape(shape)
    count = array.size // channels if channels else 0
    if count == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {input.shape}"
        )
    statistics = fused.batch_statistics(array)
    if running_mean is not None:
        _move(running_mean, statistics[0].reshape(-1), momentum)
        _move(running_var, statistics[1].reshape(-1) * (count / (count - 1)), momentum)
    if weight is None:
        weight = wrap(np.ones(channels, array.dtype))
    if bias is None:
        bias = wrap(np.zeros(channels, array.dtype))
    attrs = {"eps": eps, "statistics": statistics}
    return fused.batch_norm.op.apply((input, weight, bias), attrs)


def _move(running, value, momentum):
    """Move a running statistic towards ``value`` by the share ``momentum``."""
    running._array *= 1.0 - momentum
    running._array += momentum * value
    mark_mutated(running._array)


def normalize(input, p=2.0, dim=1, eps=1e-12):
    """``input`` divided by its p-norm along ``dim``, or by ``eps`` where that is larger."""
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps)
