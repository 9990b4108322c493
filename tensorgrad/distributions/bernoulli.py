"""The Bernoulli distribution."""

from __future__ import annotations

import math

import tensorgrad as tg

from ..ops.fused import bce_with_logits
from . import constraints
from .exp_family import ExponentialFamily
from .utils import Odds, broadcast_all, same_as

__all__ = ["Bernoulli"]


class Bernoulli(Odds, ExponentialFamily):
    """1 with probability ``probs`` (or the sigmoid of ``logits``), else 0.

    >>> import tensorgrad as torch
    >>> torch.distributions.Bernoulli(torch.tensor([0.0, 1.0])).sample()
    tensor([0., 1.])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0
    _tensors = {"probs": 0, "logits": 0}

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._take(probs, logits)
        super().__init__(self.param_shape, validate_args=validate_args)

    mean = same_as("probs")

    @property
    def mode(self):
        likely = (self.probs >= 0.5).to(self.probs.dtype)
        return tg.where(self.probs == 0.5, math.nan, likely)

    @property
    def variance(self):
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        with tg.no_grad():
            return tg.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        self._check_value(value)
        logits, value = broadcast_all(self.logits, value)
        return -bce_with_logits(logits, value)

    def entropy(self):
        return bce_with_logits(self.logits, self.probs)

    def enumerate_support(self, expand=True):
        return self._enumerated(tg.arange(2, dtype=self._param.dtype), expand)

    @property
    def _natural_params(self):
        return (tg.logit(self.probs),)

    def _log_normalizer(self, x):
        return x.exp().log1p()
