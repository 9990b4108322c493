"""The Kumaraswamy distribution."""

from __future__ import annotations

import math

import tensorgrad as tg

from . import constraints
from .transformed_distribution import TransformedDistribution
from .transforms import AffineTransform, PowerTransform
from .uniform import Uniform
from .utils import broadcast_all, euler_constant, log_beta

__all__ = ["Kumaraswamy"]


class Kumaraswamy(TransformedDistribution):
    """Distribution function ``1 - (1 - x**concentration1) ** concentration0`` on [0, 1].

    >>> import tensorgrad as torch
    >>> torch.distributions.Kumaraswamy(1.0, 1.0).mean
    tensor(0.5000)
    """

    arg_constraints = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    has_rsample = True
    _tensors = {"concentration1": 0, "concentration0": 0}

    def __init__(self, concentration1, concentration0, validate_args=None):
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        low, high = (tg.full_like(self.concentration0, v) for v in (0, 1))
        parts = [
            PowerTransform(exponent=self.concentration0.reciprocal()),
            AffineTransform(loc=1.0, scale=-1.0),
            PowerTransform(exponent=self.concentration1.reciprocal()),
        ]
        base = Uniform(low, high, validate_args=validate_args)
        super().__init__(base, parts, validate_args=validate_args)

    def _moment(self, n):
        """E[x**n] = b B(1 + n / a, b) (Jones, "Kumaraswamy's distribution", 2009)."""
        b = self.concentration0
        return b * log_beta(1 + n / self.concentration1, b).exp()

    @property
    def mean(self):
        return self._moment(1)

    @property
    def mode(self):
        """``((a - 1) / (a b - 1)) ** (1 / a)`` if a and b are at least 1, and not both; else nan.

        PyTorch's is always nan.
        """
        a, b = self.concentration1, self.concentration0
        peaked = (a >= 1) & (b >= 1) & (a * b > 1)
        ratio = tg.where(peaked, (a - 1) / (a * b - 1), math.nan)
        return ratio.pow(a.reciprocal())

    @property
    def variance(self):
        return self._moment(2) - self.mean.pow(2)

    def entropy(self):
        a, b = self.concentration1, self.concentration0
        harmonic = (b + 1).digamma() + euler_constant
        return (1 - b.reciprocal()) + (1 - a.reciprocal()) * harmonic - a.log() - b.log()
