"""The Gumbel distribution."""

from __future__ import annotations

import math

import tensorgrad as tg

from . import constraints
from .transformed_distribution import TransformedDistribution
from .transforms import AffineTransform, ExpTransform
from .uniform import Uniform
from .utils import broadcast_all, euler_constant, same_as

__all__ = ["Gumbel"]


class Gumbel(TransformedDistribution):
    """Distribution function ``exp(-exp(-(x - loc) / scale))``.

    >>> import tensorgrad as torch
    >>> torch.distributions.Gumbel(1.0, 2.0).mode
    tensor(1.)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    _tensors = {"loc": 0, "scale": 0}

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = broadcast_all(loc, scale)
        info = tg.finfo(self.loc.dtype)
        low, high = (tg.full_like(self.loc, v) for v in (info.tiny, 1 - info.eps))
        parts = [
            ExpTransform().inv,
            AffineTransform(loc=0, scale=-tg.ones_like(self.scale)),
            ExpTransform().inv,
            AffineTransform(loc=loc, scale=-self.scale),
        ]
        base = Uniform(low, high, validate_args=validate_args)
        super().__init__(base, parts, validate_args=validate_args)

    def log_prob(self, value):
        self._check_value(value)
        y = (self.loc - value) / self.scale
        return y - y.exp() - self.scale.log()

    @property
    def mean(self):
        return self.loc + self.scale * euler_constant

    mode = same_as("loc")

    @property
    def stddev(self):
        return (math.pi / math.sqrt(6)) * self.scale

    @property
    def variance(self):
        return self.stddev.pow(2)

    def entropy(self):
        return self.scale.log() + (1 + euler_constant)
