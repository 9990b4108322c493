"""Bernoulli variables relaxed to the unit interval."""

from __future__ import annotations

import tensorgrad as tg

from . import constraints
from .distribution import Distribution
from .transformed_distribution import TransformedDistribution
from .transforms import SigmoidTransform
from .utils import Odds, broadcast_all, probs_to_logits, same_as

__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]


class LogitRelaxedBernoulli(Odds, Distribution):
    """Logits of :class:`RelaxedBernoulli` draws: a logistic variable over the temperature.

    Maddison, Mnih and Teh, "The Concrete distribution" (2017).
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real
    _tensors = {"probs": 0, "logits": 0}
    _kept = ("temperature",)

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self.temperature = temperature
        self._take(probs, logits)
        super().__init__(self.param_shape, validate_args=validate_args)

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        noise = probs_to_logits(tg.rand(shape, dtype=self._param.dtype), is_binary=True)
        return (probs_to_logits(self.probs, is_binary=True) + noise) / self.temperature

    def log_prob(self, value):
        self._check_value(value)
        logits, value = broadcast_all(self.logits, value)
        gap = logits - value * self.temperature
        return self.temperature.log() + tg.logsigmoid(gap) + tg.logsigmoid(-gap)


class RelaxedBernoulli(TransformedDistribution):
    """Numbers of (0, 1) near 0 and 1 for a low ``temperature``, differentiable in ``probs``.

    Args:
        temperature: a tensor.
        probs: the probability of one, or
        logits: the logarithm of its odds.
        validate_args: as in :class:`Distribution`.

    >>> import tensorgrad as torch
    >>> r = torch.distributions.RelaxedBernoulli(torch.tensor(1.0), torch.tensor(0.5))
    >>> r.log_prob(torch.tensor(0.5))
    tensor(0.)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _tensors = {}

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)

    temperature = same_as("base_dist.temperature", "As given.")

    logits = same_as("base_dist.logits", "The logarithm of the odds.")

    probs = same_as("base_dist.probs", "The probability of one.")
