"""The categorical distribution."""

from __future__ import annotations

import math

import tensorgrad as tg

from .._tensor import Size
from . import constraints
from .distribution import Distribution
from .utils import Chances, either, same_as, shares

__all__ = ["Categorical"]


class Categorical(Chances, Distribution):
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

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        """The integers from 0 to K - 1."""
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def mean(self):
        """nan, as the categories are names."""
        return tg.full(self._extended_shape(), math.nan, dtype=self.probs.dtype)

    variance = same_as("mean")

    @property
    def mode(self):
        return self.probs.argmax(-1)

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
