"""Batch norm in evaluation mode folded into the layer before it."""

from __future__ import annotations

import copy

import tensorgrad as tg
from tensorgrad.nn.parameter import Parameter

__all__ = [
    "fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights",
]  # fmt: skip


def fuse_conv_bn_eval(conv, bn, transpose=False):
    """A convolution that computes what ``conv`` and ``bn`` do one after the other.

    Args:
        conv: a convolution in evaluation mode.
        bn: a batch norm in evaluation mode, with running statistics.
        transpose: whether ``conv`` is a transposed convolution.

    Raises:
        AssertionError: a module is in training mode, or there are no running statistics.

    >>> import tensorgrad as torch
    >>> conv, bn = torch.nn.Conv2d(1, 2, 3).eval(), torch.nn.BatchNorm2d(2).eval()
    >>> x = torch.ones(1, 1, 4, 4)
    >>> fused = torch.nn.utils.fuse_conv_bn_eval(conv, bn)
    >>> torch.allclose(fused(x), bn(conv(x)), atol=1e-6)
    True
    """
    return _fused(conv, bn, fuse_conv_bn_weights, transpose)


def fuse_linear_bn_eval(linear, bn):
    """A linear layer that computes what ``linear`` and ``bn`` do one after the other.

    Args:
        linear: a linear layer in evaluation mode.
        bn: a batch norm in evaluation mode, with running statistics.

    Raises:
        AssertionError: a module is in training mode, there are no running statistics, or their
            number does not fit.
    """
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    return _fused(linear, bn, fuse_linear_bn_weights)


def _fused(layer, bn, fuse, *more):
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    fused = copy.deepcopy(layer)
    fused.weight, fused.bias = fuse(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, *more
    )
    return fused


def fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose=False):
    """Weight and bias of the convolution that includes a batch norm.

    Args:
        conv_w: weight of the convolution.
        conv_b: its bias, or None.
        bn_rm: running mean.
        bn_rv: running variance.
        bn_eps: what is added to it.
        bn_w: weight of the batch norm, or None.
        bn_b: its bias, or None.
        transpose: whether the convolution is transposed.
    """
    shape = [-1] + [1] * (conv_w.ndim - 1)
    if transpose:
        shape[:2] = [1, -1]
    return _folded(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, shape)


def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """Weight and bias of the linear layer that includes a batch norm.

    Args:
        linear_w: weight of the layer.
        linear_b: its bias, or None.
        bn_rm: running mean.
        bn_rv: running variance.
        bn_eps: what is added to it.
        bn_w: weight of the batch norm, or None.
        bn_b: its bias, or None.
    """
    return _folded(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, (-1, 1))


def _folded(weight, bias, mean, variance, eps, scale, shift, shape):
    factor = tg.rsqrt(variance + eps)
    if scale is not None:
        factor = factor * scale
    trains = bias is not None and bias.requires_grad
    b = (tg.zeros_like(mean) if bias is None else bias) - mean
    b = b * factor if shift is None else b * factor + shift
    w = (weight * factor.reshape(shape)).to(weight.dtype)
    b = b.to(weight.dtype if bias is None else bias.dtype)
    return Parameter(w.detach(), weight.requires_grad), Parameter(b.detach(), trains)
