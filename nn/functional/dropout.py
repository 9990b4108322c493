"""Dropout."""

from __future__ import annotations

import numpy as np

from tensorgrad._graph import wrap
from tensorgrad.kernels import sampling
from tensorgrad.random import default_generator

__all__ = [
    "dropout",
]


def dropout(input, p=0.5, training=True, inplace=False, generator=None):
    """Zero each element with probability ``p`` and scale the rest by 1/(1-p), in training.

    Raises:
        ValueError: ``p`` lies outside [0, 1].

    >>> import tensorgrad as torch
    >>> torch.nn.functional.dropout(torch.ones(3), p=1.0)
    tensor([0., 0., 0.])
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0.0:
        return input
    array = input._array
    keep = sampling.keep_mask(generator or default_generator, array.shape, p)
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    mask = wrap(np.multiply(keep, scale, dtype=array.dtype))
    return input.mul_(mask) if inplace else input * mask
