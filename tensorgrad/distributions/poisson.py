"""The Poisson distribution."""

from __future__ import annotations

import tensorgrad as tg

from . import constraints
from .exp_family import ExponentialFamily
from .utils import broadcast_all, log_factorial, same_as

__all__ = ["Poisson"]


class Poisson(ExponentialFamily):
    """Counts with mean ``rate``.

    >>> import tensorgrad as torch
    >>> torch.distributions.Poisson(4.0).variance
    tensor(4.)
    """

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer
    _tensors = {"rate": 0}

    def __init__(self, rate, validate_args=None):
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    mean = variance = same_as("rate")

    @property
    def mode(self):
        return self.rate.floor()

    def sample(self, sample_shape=()):
        with tg.no_grad():
            return tg.poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        self._check_value(value)
        rate, value = broadcast_all(self.rate, value)
        return tg.xlogy(value, rate) - rate - log_factorial(value)

    @property
    def _natural_params(self):
        return (self.rate.log(),)

    def _log_normalizer(self, x):
        return x.exp()
