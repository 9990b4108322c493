"""The multinomial distribution."""

from __future__ import annotations

import math

import tensorgrad as tg

from .._tensor import Size
from . import constraints
from .binomial import Binomial
from .categorical import Categorical
from .distribution import Distribution
from .utils import OfCategorical, broadcast_all, log_factorial

__all__ = ["Multinomial"]


class Multinomial(OfCategorical, Distribution):
    """How often each of K categories came up in ``total_count`` draws.

    Args:
        total_count: an int.
        probs: as in :class:`Categorical`.
        logits: as in :class:`Categorical`.
        validate_args: as in :class:`Distribution`.

    Raises:
        NotImplementedError: ``total_count`` is not an int.

    >>> import tensorgrad as torch
    >>> torch.distributions.Multinomial(4, torch.tensor([1.0, 3.0])).mean
    tensor([1., 3.])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    _tensors = {}
    _kept = ("total_count",)

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        if not isinstance(total_count, int):
            raise NotImplementedError(
                f"total_count is a {type(total_count).__name__}; one int serves the whole batch"
            )
        self.total_count = total_count
        self._categorical = Categorical(probs=probs, logits=logits)
        super().__init__(*self._shapes, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self):
        """Counts whose sum is at most ``total_count``."""
        return constraints.multinomial(self.total_count)

    @property
    def mean(self):
        return self.probs * self.total_count

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        sample_shape = Size(sample_shape)
        drawn = self._categorical.sample(Size((self.total_count,)) + sample_shape)
        drawn = drawn.movedim(0, -1)
        counts = tg.zeros(self._extended_shape(sample_shape), dtype=tg.int64)
        return counts.scatter_add(-1, drawn, tg.ones_like(drawn)).to(self.probs.dtype)

    def entropy(self):
        n = self.total_count
        each = Binomial(n, probs=self.probs)
        counts = each.enumerate_support(expand=False)[1:]
        expected = (each.log_prob(counts).exp() * log_factorial(counts)).sum([0, -1])
        return n * self._categorical.entropy() - math.lgamma(n + 1) + expected

    def log_prob(self, value):
        self._check_value(value)
        logits, value = broadcast_all(self.logits, value)
        never = (value == 0) & (logits == -math.inf)
        powers = (tg.where(never, 0.0, logits) * value).sum(-1)
        return log_factorial(value.sum(-1)) - log_factorial(value).sum(-1) + powers
