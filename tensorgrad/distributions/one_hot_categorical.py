"""Categorical draws as one-hot vectors."""

from __future__ import annotations

import tensorgrad as tg

from ..ops.index import one_hot
from . import constraints
from .categorical import Categorical
from .distribution import Distribution
from .utils import OfCategorical, same_as

__all__ = ["OneHotCategorical", "OneHotCategoricalStraightThrough"]


class OneHotCategorical(OfCategorical, Distribution):
    """One-hot vectors of length K; the arguments are those of :class:`Categorical`.

    >>> import tensorgrad as torch
    >>> torch.distributions.OneHotCategorical(torch.tensor([0.0, 1.0])).sample()
    tensor([0., 1.])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot
    has_enumerate_support = True
    _tensors = {}

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits)
        super().__init__(*self._shapes, validate_args=validate_args)

    mean = same_as("probs")

    @property
    def mode(self):
        return one_hot(self.probs.argmax(-1), self.probs.shape[-1]).to(self.probs.dtype)

    @property
    def variance(self):
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        indices = self._categorical.sample(sample_shape)
        return one_hot(indices, self._categorical._num_events).to(self.probs.dtype)

    def log_prob(self, value):
        self._check_value(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self):
        return self._categorical.entropy()

    def enumerate_support(self, expand=True):
        n, batch = self.event_shape[0], tuple(self._batch_shape)
        values = tg.eye(n, dtype=self.probs.dtype).reshape((n,) + (1,) * len(batch) + (n,))
        return values.expand((n, *batch, n)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """The same, with draws whose gradient is that of the probabilities.

    Bengio, Leonard and Courville, "Estimating or propagating gradients through stochastic
    neurons" (2013).
    """

    has_rsample = True
    _tensors = {}

    def rsample(self, sample_shape=()):
        return self.sample(sample_shape) + (self.probs - self.probs.detach())
