"""The generalized Pareto distribution."""

from __future__ import annotations

import math

import tensorgrad as tg

from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, same_as

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """What lies above a high threshold: the tails of other distributions.

    The probability of more than x is ``(1 + c * z) ** (-1 / c)`` for ``z = (x - loc) / scale``
    and the concentration c, and its limit ``exp(-z)`` for c = 0. All else follows from that
    (Pickands, "Statistical inference using extreme order statistics", 1975).

    Args:
        loc: the smallest value.
        scale: positive.
        concentration: c; below 0 the values end at ``loc - scale / c``.
        validate_args: as in :class:`Distribution`.

    >>> import tensorgrad as torch
    >>> torch.distributions.GeneralizedPareto(0.0, 1.0, 0.5).mean
    tensor(2.)
    """

    arg_constraints = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True
    _tensors = {"loc": 0, "scale": 0, "concentration": 0}
    mode = same_as("loc")

    def __init__(self, loc, scale, concentration, validate_args=None):
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        """From ``loc`` to the end, if there is one."""
        end = self.loc - self.scale / self.concentration
        return constraints.interval(self.loc, tg.where(self.concentration < 0, end, math.inf))

    def _nonzero(self):
        """(where the concentration is 0 to 1e-8, it, with 1 in those places)."""
        zero = self.concentration.abs() <= 1e-8
        return zero, tg.where(zero, 1.0, self.concentration)

    @property
    def mean(self):
        finite = self.concentration < 1
        c = tg.where(finite, self.concentration, 0.0)
        return tg.where(finite, self.loc + self.scale / (1 - c), math.nan)

    @property
    def variance(self):
        finite = self.concentration < 0.5
        c = tg.where(finite, self.concentration, 0.0)
        return tg.where(finite, (self.scale / (1 - c)).pow(2) / (1 - 2 * c), math.nan)

    def rsample(self, sample_shape=()):
        return self.icdf(tg.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def log_survival_function(self, value):
        """The logarithm of the probability of more than ``value``."""
        self._check_value(value)
        (zero, c), z = self._nonzero(), (value - self.loc) / self.scale
        return -tg.where(zero, z, (c * z).log1p() / c)

    def log_prob(self, value):
        self._check_value(value)
        (zero, c), z = self._nonzero(), (value - self.loc) / self.scale
        # xlog1py: for c = -1, the uniform distribution, the power is 0 even at the end.
        return -tg.where(zero, z, tg.special.xlog1py(1 + 1 / c, c * z)) - self.scale.log()

    def log_cdf(self, value):
        """The logarithm of :meth:`cdf`."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value):
        return -self.log_survival_function(value).expm1()

    def icdf(self, value):
        (zero, c), z = self._nonzero(), -(-value).log1p()
        return self.loc + self.scale * tg.where(zero, z, (c * z).expm1() / c)

    def entropy(self):
        return self.scale.log() + self.concentration + 1
