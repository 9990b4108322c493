"""The gamma distribution."""

from __future__ import annotations

import tensorgrad as tg

from . import constraints
from .exp_family import ExponentialFamily
from .utils import broadcast_all

__all__ = ["Gamma"]


class Gamma(ExponentialFamily):
    """Gamma with shape parameter ``concentration`` and ``rate``.

    Draws are differentiable in both, to first order.

    >>> import tensorgrad as torch
    >>> torch.distributions.Gamma(2.0, 4.0).mean
    tensor(0.5000)
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0
    _tensors = {"concentration": 0, "rate": 0}

    def __init__(self, concentration, rate, validate_args=None):
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self):
        return self.concentration / self.rate

    @property
    def mode(self):
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self):
        return self.concentration / self.rate.pow(2)

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        drawn = tg._standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
        # Not zero, whose logarithm is infinite; the derivative is left alone, as in PyTorch.
        tiny = tg.finfo(drawn.dtype).tiny
        lift = (tiny - drawn.detach()).clamp(min=0)
        return drawn + lift if bool((lift > 0).any()) else drawn

    def log_prob(self, value):
        value = tg.as_tensor(value, dtype=self.rate.dtype)
        self._check_value(value)
        powers = tg.xlogy(self.concentration, self.rate) + tg.xlogy(self.concentration - 1, value)
        return powers - self.rate * value - self.concentration.lgamma()

    def entropy(self):
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1.0 - a) * a.digamma()

    @property
    def _natural_params(self):
        return self.concentration - 1, -self.rate

    def _log_normalizer(self, x, y):
        return (x + 1).lgamma() + (x + 1) * (-1 / y).log()

    def cdf(self, value):
        self._check_value(value)
        return tg.special.gammainc(self.concentration, self.rate * value)
