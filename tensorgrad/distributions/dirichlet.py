"""The Dirichlet distribution."""

from __future__ import annotations

import tensorgrad as tg

from . import constraints
from .exp_family import ExponentialFamily
from .utils import shares

__all__ = ["Dirichlet"]


class Dirichlet(ExponentialFamily):
    """Points of the simplex with density proportional to ``x ** (concentration - 1)``.

    >>> import tensorgrad as torch
    >>> torch.distributions.Dirichlet(torch.tensor([1.0, 3.0])).mean
    tensor([0.2500, 0.7500])
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True
    _tensors = {"concentration": 1}

    def __init__(self, concentration, validate_args=None):
        if concentration.dim() < 1:
            raise ValueError(
                "concentration is zero-dimensional; its last dimension holds the categories"
            )
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        return tg._sample_dirichlet(self.concentration.expand(shape))

    def log_prob(self, value):
        self._check_value(value)
        powers = tg.xlogy(self.concentration - 1.0, value).sum(-1)
        return powers - self._log_normalizer(self.concentration)

    @property
    def mean(self):
        return shares(self.concentration)

    @property
    def mode(self):
        above = (self.concentration - 1).clamp(min=0.0)
        inside = shares(above)
        # All below one: a corner, the first as PyTorch's argmax of nans has it.
        corner = tg.zeros_like(above)
        corner[..., 0] = 1
        return tg.where((self.concentration < 1).all(-1, True), corner, inside)

    @property
    def variance(self):
        total, mean = self.concentration.sum(-1, True), self.mean
        return mean * (1 - mean) / (total + 1)

    def _mean_log(self):
        """E[log x]."""
        return self.concentration.digamma() - self.concentration.sum(-1, True).digamma()

    def entropy(self):
        a = self.concentration
        return self._log_normalizer(a) - ((a - 1) * self._mean_log()).sum(-1)

    @property
    def _natural_params(self):
        return (self.concentration,)

    def _log_normalizer(self, x):
        return x.lgamma().sum(-1) - x.sum(-1).lgamma()
