"""The binomial distribution."""

from __future__ import annotations

import tensorgrad as tg

from ..ops.fused import bce_with_logits
from . import constraints
from .distribution import Distribution
from .utils import Odds, log_factorial

__all__ = ["Binomial"]


class Binomial(Odds, Distribution):
    """Successes in ``total_count`` trials of probability ``probs`` (or ``logits``) each.

    >>> import tensorgrad as torch
    >>> torch.distributions.Binomial(4, torch.tensor(0.25)).mean
    tensor(1.)
    """

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True
    _tensors = {"total_count": 0, "probs": 0, "logits": 0}

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        (count,) = self._take(probs, logits, total_count)
        self.total_count = count.to(self._param.dtype)
        super().__init__(self.param_shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        """The integers from 0 to ``total_count``."""
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self):
        return self.total_count * self.probs

    @property
    def mode(self):
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        with tg.no_grad():
            return tg.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value):
        self._check_value(value)
        n, logits = self.total_count, self.logits
        choices = log_factorial(n) - log_factorial(value) - log_factorial(n - value)
        # log(1 + exp(logits)) without overflow, its derivative right at 0 too.
        return choices + value * logits - n * bce_with_logits(logits, tg.zeros_like(logits))

    def _one_count(self, method):
        count = int(self.total_count.max())
        if not bool((self.total_count == count).all()):
            raise NotImplementedError(
                f"{method} needs one total_count for the whole batch, got {self.total_count}"
            )
        return count

    def entropy(self):
        self._one_count("entropy")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(log_prob.exp() * log_prob).sum(0)

    def enumerate_support(self, expand=True):
        values = tg.arange(1 + self._one_count("enumerate_support"), dtype=self._param.dtype)
        return self._enumerated(values, expand)
