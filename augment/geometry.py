"""Transforms that move pixels."""

from __future__ import annotations

import numpy as np

from ._transform import Transform
from .compose import check_probability

__all__ = ["HorizontalFlip", "VerticalFlip"]


class _Flip(Transform):
    geometric = True
    axis: int

    def __init__(self, p: float = 0.5):
        self.p = check_probability(p, "p")

    def sample(self, n, shape, rng):
        return {"on": rng.bernoulli(self.p)}

    def apply(self, batch, params):
        out = batch.copy()
        out[params["on"]] = np.flip(batch, self.axis)[params["on"]]
        return out

    def apply_masks(self, masks, params, fill=0):
        return self.apply(masks, params)

    def apply_points(self, points, owner, params, shape):
        size, column = shape[self.axis - 1], 2 - self.axis
        out, on = points.copy(), params["on"][owner]
        out[on, column] = size - out[on, column]
        return out


class HorizontalFlip(_Flip):
    """Mirror left and right with probability p."""

    axis = 2


class VerticalFlip(_Flip):
    """Mirror top and bottom with probability p."""

    axis = 1
