"""The categorical distribution."""

from __future__ import annotations

import math

import tensorgrad as tg

from .._tensor import Size
from . import constraints
from .distribution import Distribution
from .utils import either, lazy_property, logits_to_probs, probs_to_logits, shares

__all__ = ["Categorical"]


class Categorical(Distribution):
    """Integers 0 to K - 1 with the given probabilities.

    Args:
        probs: weights, non-negative, (..., K); they are divided by their sum.
        logits: or their logarithms, up to a constant.
        validate_args: as in :class:`Distribution`.

    Raises:
        ValueError: not exactly one of the two is given, or it has no dimension.

    >>> import tensorgrad as torch
    >>> torch.distributions.Categorical(torch.tensor([1.0, 3.0])).probs
    tensor([0.2500, 0.7500])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    _tensors = {"probs": 1, "logits": 1}
    _kept = ("_num_events",)

    def __init__(self, probs=None, logits=None, validate_args=None):
        name, value = either(probs, logits)
        if value.dim() < 1:
            raise ValueError(f"{name} is zero-dimensional; its last dimension holds the categories")
        if name == "probs":
            self.probs = shares(value)
        else:
            self.logits = value - value.logsumexp(-1, True)
        self._num_events = value.shape[-1]
        super().__init__(value.shape[:-1], validate_args=validate_args)

    @property
    def _param(self):
        return self.__dict__.get("probs", self.__dict__.get("logits"))

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        """The integers from 0 to K - 1."""
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self):
        """The logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self):
        """The probabilities."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self):
        """The shape of ``probs`` and ``logits``."""
        return self._param.shape

    @property
    def mean(self):
        return tg.full(self._extended_shape(), math.nan, dtype=self.probs.dtype)

    @property
    def mode(self):
        return self.probs.argmax(-1)

    @property
    def variance(self):
        return tg.full(self._extended_shape(), math.nan, dtype=self.probs.dtype)

    def sample(self, sample_shape=()):
        sample_shape = Size(sample_shape)
        rows = self.probs.detach().reshape(-1, self._num_events)
        drawn = tg.multinomial(rows, sample_shape.numel(), True).T
        return drawn.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value):
        self._check_value(value)
        value, logits = tg.broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, value[..., :1]).squeeze(-1)

    def entropy(self):
        logits = self.logits.clamp(min=tg.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        return self._enumerated(tg.arange(self._num_events), expand)
