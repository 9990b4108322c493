"""The negative binomial distribution."""

from __future__ import annotations

import tensorgrad as tg

from . import constraints
from .distribution import Distribution
from .gamma import Gamma
from .utils import Odds, log_factorial

__all__ = ["NegativeBinomial"]


class NegativeBinomial(Odds, Distribution):
    """Successes, of probability ``probs`` (or ``logits``), before ``total_count`` failures.

    >>> import tensorgrad as torch
    >>> torch.distributions.NegativeBinomial(4, torch.tensor(0.5)).mean
    tensor(4.)
    """

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer
    _tensors = {"total_count": 0, "probs": 0, "logits": 0}

    def __init__(self, total_count, probs=None, logits=None, validate_args=None):
        (count,) = self._take(probs, logits, total_count)
        self.total_count = count.to(self._param.dtype)
        super().__init__(self.param_shape, validate_args=validate_args)

    @property
    def mean(self):
        return self.total_count * self.logits.exp()

    @property
    def mode(self):
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self):
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape=()):
        with tg.no_grad():
            rates = Gamma(self.total_count, (-self.logits).exp(), validate_args=False)
            return tg.poisson(rates.sample(sample_shape))

    def log_prob(self, value):
        self._check_value(value)
        n, logits = self.total_count, self.logits
        powers = n * tg.logsigmoid(-logits) + value * tg.logsigmoid(logits)
        choices = (n + value).lgamma() - log_factorial(value) - n.lgamma()
        return powers + choices.masked_fill(n + value == 0.0, 0.0)
