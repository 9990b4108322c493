"""One-hot vectors relaxed to the simplex."""

from __future__ import annotations

import math

import tensorgrad as tg

from . import constraints
from .categorical import Categorical
from .distribution import Distribution
from .transformed_distribution import TransformedDistribution
from .transforms import ExpTransform
from .utils import OfCategorical, broadcast_all, clamp_probs, same_as

__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]


class ExpRelaxedCategorical(OfCategorical, Distribution):
    """Logarithms of :class:`RelaxedOneHotCategorical` draws."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector
    has_rsample = True
    _tensors = {}
    _kept = ("temperature",)

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        super().__init__(*self._shapes, validate_args=validate_args)

    def rsample(self, sample_shape=()):
        u = clamp_probs(tg.rand(self._extended_shape(sample_shape), dtype=self.logits.dtype))
        scores = (self.logits - (-u.log()).log()) / self.temperature
        return scores - scores.logsumexp(-1, True)

    def log_prob(self, value):
        self._check_value(value)
        k = self._categorical._num_events
        logits, value = broadcast_all(self.logits, value)
        score = logits - value * self.temperature
        front = math.lgamma(k) + (k - 1) * self.temperature.log()
        return (score - score.logsumexp(-1, True)).sum(-1) + front


class RelaxedOneHotCategorical(TransformedDistribution):
    """Points of the simplex near its corners for a low ``temperature`` (Gumbel softmax).

    Args:
        temperature: a tensor.
        probs: as in :class:`Categorical`.
        logits: as in :class:`Categorical`.
        validate_args: as in :class:`Distribution`.

    >>> import tensorgrad as torch
    >>> d = torch.distributions
    >>> d.RelaxedOneHotCategorical(torch.tensor(1.0), torch.ones(3)).sample().shape
    torch.Size([3])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    has_rsample = True
    _tensors = {}

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    temperature = same_as("base_dist.temperature", "As given.")

    logits = same_as("base_dist.logits", "The logarithms of the probabilities.")

    probs = same_as("base_dist.probs", "The probabilities.")
