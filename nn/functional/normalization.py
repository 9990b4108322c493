"""Normalisation over the batch, over features and by a norm."""

from __future__ import annotations

import math

import tensorgrad as tg

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "rms_norm",
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
        ValueError: training on a single value per channel, or ``eps`` is too small.
        RuntimeError: the number of channels differs from the parameters'.
    """
    if input.ndim < 2:
        raise IndexError(f"batch_norm: expected (N, C, ...), got shape {tuple(input.shape)}")
    if training:
        _need_several("value per channel", input, input.size(0) * math.prod(input.shape[2:]))
    if eps < 0.0 or (training and eps <= 0.0):
        raise ValueError(
            f"batch_norm eps must be {'positive' if training else 'non-negative'}, but got {eps}"
        )
    return tg.batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps, False
    )


def _need_several(what, input, count):
    """Refuse statistics of a single value, whose variance is 0."""
    if count == 1:
        raise ValueError(
            f"Expected more than 1 {what} when training, got input size {list(input.shape)}"
        )


def instance_norm(
    input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
    momentum=0.1, eps=1e-5,
):  # fmt: skip
    """Normalise each channel of each sample of ``input`` (N, C, ...).

    Ulyanov, Vedaldi and Lempitsky, arXiv:1607.08022. Running statistics that are given move by
    ``momentum``; with ``use_input_stats`` False they are what it normalises by.

    Raises:
        ValueError: a single value per channel and sample.
        RuntimeError: the number of channels differs from the parameters'.
    """
    if use_input_stats:
        _need_several("spatial element", input, math.prod(input.shape[2:]))
    return tg.instance_norm(
        input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, False
    )


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Normalise over ``num_groups`` groups of channels of ``input`` (N, C, ...).

    Wu & He, arXiv:1803.08494; each sample by itself, then scaled and shifted channel by channel.

    Raises:
        RuntimeError: the channels cannot be divided so, or a parameter has another size.
        ValueError: a single value per group.

    >>> import tensorgrad as torch
    >>> x = torch.tensor([[1.0, 3.0, 10.0, 30.0]])
    >>> torch.nn.functional.group_norm(x, 2).round(decimals=3)
    tensor([[-1.,  1., -1.,  1.]])
    """
    if input.ndim < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.ndim}"
        )
    per_group = input.size(0) * input.size(1) // num_groups
    _need_several("value per channel", input, per_group * math.prod(input.shape[2:]))
    return tg.group_norm(input, num_groups, weight, bias, eps)


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Divide by the root of the mean square over the last dimensions, arXiv:1910.07467; scale.

    Args:
        input: floating-point tensor (..., *normalized_shape).
        normalized_shape: a tuple of the last sizes of the input.
        weight: factors of that shape; None for 1.
        eps: added to the mean square; None for the machine epsilon.
    """
    return tg.rms_norm(input, normalized_shape, weight, eps)


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """Divide by ``(k + alpha * s) ** beta``, s the mean square over ``size`` nearby channels.

    Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural
    networks". Channels outside count as 0.

    Args:
        input: (N, C, ...), of 3 dimensions or more.
        size: how many channels.
        alpha: factor of the mean square.
        beta: the power.
        k: added before it.

    Raises:
        ValueError: the input has fewer dimensions.
        RuntimeError: ``size`` is not positive.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.local_response_norm(torch.ones(1, 2, 1), 2, alpha=6.0, beta=0.5)
    tensor([[[0.5000],
             [0.3780]]])
    """
    if input.ndim < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)"
        )
    if size <= 0:
        raise RuntimeError(f"local_response_norm: size should be greater than zero, but got {size}")
    if input.numel() == 0:
        return input
    n, channels = input.shape[:2]
    squares = (input * input).reshape(n, channels, -1)
    ends = [squares.new_zeros(n, m, squares.size(2)) for m in (size // 2, (size - 1) // 2)]
    near = tg.cat([ends[0], squares, ends[1]], 1).unfold(1, size, 1).mean(-1)
    return input / (near.reshape(input.shape) * alpha + k) ** beta


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """``input`` divided by its p-norm along ``dim``, or by ``eps`` where that is larger.

    ``out`` takes the result, where nothing is tracked.
    """
    length = input.norm(p, dim, keepdim=True).clamp_min(eps)
    return input / length if out is None else tg.div(input, length, out=out)
