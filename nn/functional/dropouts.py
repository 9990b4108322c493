"""Dropout."""

from __future__ import annotations

import warnings

import numpy as np

from tensorgrad._graph import wrap
from tensorgrad.kernels import sampling
from tensorgrad.random import default_generator

__all__ = [
    "alpha_dropout",
    "classic_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
]


def dropout(input, p=0.5, training=True, inplace=False, generator=None):
    """Zero each element with probability ``p`` and scale the rest by 1/(1-p), in training.

    Raises:
        ValueError: ``p`` lies outside [0, 1].

    >>> import tensorgrad as torch
    >>> torch.nn.functional.dropout(torch.ones(3), p=1.0)
    tensor([0., 0., 0.])
    """
    _check_probability(p)
    if not training or p == 0.0:
        return input
    return _masked(input, input._array.shape, p, inplace, generator)


def classic_dropout(input, p=0.5, training=True, inplace=False, generator=None):
    """Zero each element with probability ``p`` in training; otherwise scale by 1-p.

    The form of Srivastava et al. (JMLR 2014) as printed: its outputs, in training and
    otherwise, are those of :func:`dropout` times 1-p. Not in PyTorch.

    Args:
        input: a floating tensor.
        p: probability of zeroing, in [0, 1].
        training: whether to drop, or to scale.
        inplace: overwrite the input.
        generator: the source of the mask; None for the default one.

    Raises:
        ValueError: ``p`` lies outside [0, 1].

    >>> import tensorgrad as torch
    >>> torch.nn.functional.classic_dropout(torch.ones(3), p=0.25, training=False)
    tensor([0.7500, 0.7500, 0.7500])
    """
    _check_probability(p)
    if p == 0.0:
        return input
    factor = 1.0 - p
    if training:
        keep = sampling.keep_mask(generator or default_generator, input._array.shape, p)
        factor = wrap(np.asarray(keep, input._array.dtype))
    return input.mul_(factor) if inplace else input * factor


def _check_probability(p):
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _masked(input, shape, p, inplace, generator=None):
    """``input`` times a mask of ``shape`` that broadcasts, scaled by 1/(1-p)."""
    keep = sampling.keep_mask(generator or default_generator, shape, p)
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    mask = wrap(np.multiply(keep, scale, dtype=input._array.dtype))
    return input.mul_(mask) if inplace else input * mask


def _drop_channels(input, p, training, inplace, unbatched):
    """Dropout with one draw for each sample and channel; the caller has checked ``p``."""
    if not training or p == 0.0:
        return input
    return _masked(input, _channels(input, unbatched), p, inplace)


def _channels(input, unbatched=False):
    """The shape of one number per channel, over one sample or a batch."""
    shape = input._array.shape
    kept = 1 if unbatched else 2
    if len(shape) < kept:
        raise RuntimeError(
            f"Feature dropout requires at least 2 dimensions in the input, got shape {shape}"
        )
    return shape[:kept] + (1,) * (len(shape) - kept)


def dropout1d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of (N, C, L) or (C, L) with probability ``p``.

    Raises:
        ValueError: ``p`` lies outside [0, 1].
        RuntimeError: the input has neither 2 nor 3 dimensions.
    """
    _check_probability(p)
    ndim = input._array.ndim
    if ndim not in (2, 3):
        raise RuntimeError(f"dropout1d: Expected 2D or 3D input, but received a {ndim}D input")
    return _drop_channels(input, p, training, inplace, unbatched=ndim == 2)


def dropout2d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of (N, C, H, W) with probability ``p``.

    A 3-d input is read as (N, C, L), with a warning, as in PyTorch; other ranks warn too.

    Raises:
        ValueError: ``p`` lies outside [0, 1].
    """
    _check_probability(p)
    ndim = input._array.ndim
    if ndim not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {ndim}-D input to dropout2d, which is deprecated; use dropout "
            "for what has no channels",
            stacklevel=2,
        )
    if ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and read it as (N, C, L); use dropout1d "
            "for that, or unsqueeze(0) a single image",
            stacklevel=2,
        )
    return _drop_channels(input, p, training, inplace, unbatched=False)


def dropout3d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of (N, C, D, H, W) or (C, D, H, W) with probability ``p``.

    Other ranks warn, as in PyTorch.

    Raises:
        ValueError: ``p`` lies outside [0, 1].
    """
    _check_probability(p)
    ndim = input._array.ndim
    if ndim not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {ndim}-D input to dropout3d, which is deprecated; use dropout "
            "for what has no channels",
            stacklevel=2,
        )
    return _drop_channels(input, p, training, inplace, unbatched=ndim == 4)


_SATURATION = -1.7580993408473766  # of SELU: -scale * alpha


def _alpha_dropout(input, shape, p, training, inplace):
    """Set elements to SELU's saturation, then shift and scale to keep mean and variance."""
    _check_probability(p)
    if not training or p == 0.0:
        return input
    if p == 1.0:
        return input.mul_(0.0) if inplace else input * 0.0
    dtype = input._array.dtype
    keep = sampling.keep_mask(default_generator, shape, p)
    scale = ((1 - p) * (1 + p * _SATURATION**2)) ** -0.5
    shift = np.where(keep, 0.0, _SATURATION * scale) - scale * p * _SATURATION
    mask, shift = wrap((keep * scale).astype(dtype)), wrap(shift.astype(dtype))
    return input.mul_(mask).add_(shift) if inplace else input * mask + shift


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout that keeps mean 0 and variance 1 after SELU: Klambauer et al., arXiv:1706.02515.

    Raises:
        ValueError: ``p`` lies outside [0, 1].
    """
    return _alpha_dropout(input, input._array.shape, p, training, inplace)


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """:func:`alpha_dropout` of whole channels of (N, C, ...).

    Raises:
        ValueError: ``p`` lies outside [0, 1].
    """
    drops = training and p != 0.0  # a vector that keeps all of itself needs no channels
    shape = _channels(input) if drops else None
    return _alpha_dropout(input, shape, p, training, inplace)
