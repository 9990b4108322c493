"""The continuous Bernoulli distribution."""

from __future__ import annotations

import math

import tensorgrad as tg

from ..ops.fused import bce_with_logits
from . import constraints
from .exp_family import ExponentialFamily
from .utils import Odds, broadcast_all, clamp_probs, either, lazy_property, logits_to_probs

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(Odds, ExponentialFamily):
    """Density proportional to ``probs**x * (1 - probs)**(1 - x)`` on [0, 1].

    Loaiza-Ganem and Cunningham, "The continuous Bernoulli" (2019).

    Args:
        probs: the parameter, or
        logits: the logarithm of its odds.
        lims: between these probabilities a Taylor series stands for formulas that divide by zero.
        validate_args: as in :class:`Distribution`.

    >>> import tensorgrad as torch
    >>> torch.distributions.ContinuousBernoulli(torch.tensor(0.5)).mean
    tensor(0.5000)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0
    _tensors = {"probs": 0, "logits": 0}
    _kept = ("_lims",)

    def __init__(self, probs=None, logits=None, lims=(0.499, 0.501), validate_args=None):
        name, value = either(probs, logits)
        (value,) = broadcast_all(value)
        if name == "probs":
            if validate_args is not None and not bool(constraints.unit_interval.check(value).all()):
                raise ValueError(f"probs must be between 0 and 1, got\n{value.detach()}")
            value = clamp_probs(value)
        setattr(self, name, value)
        self._lims = lims
        super().__init__(value.shape, validate_args=validate_args)

    @lazy_property
    def probs(self):
        """The parameter."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _outside(self):
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _safe(self):
        """``probs``, those between the limits replaced."""
        return tg.where(self._outside(), self.probs, self._lims[0])

    def _either(self, formula, taylor):
        return tg.where(self._outside(), formula, taylor)

    def _cont_bern_log_norm(self):
        p, x = self._safe(), (self.probs - 0.5).pow(2)
        exact = ((-p).log1p() - p.log()).abs().log() - (1 - 2 * p).abs().log()
        return self._either(exact, math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x)

    @property
    def mean(self):
        p, x = self._safe(), self.probs - 0.5
        exact = p / (2 * p - 1) + 1 / ((-p).log1p() - p.log())
        return self._either(exact, 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x * x) * x)

    @property
    def variance(self):
        p, x = self._safe(), (self.probs - 0.5).pow(2)
        exact = p * (p - 1) / (1 - 2 * p).pow(2) + 1 / ((-p).log1p() - p.log()).pow(2)
        return self._either(exact, 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x)

    def sample(self, sample_shape=()):
        with tg.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=()):
        return self.icdf(tg.rand(self._extended_shape(sample_shape), dtype=self.probs.dtype))

    def log_prob(self, value):
        self._check_value(value)
        logits, value = broadcast_all(self.logits, value)
        return self._cont_bern_log_norm() - bce_with_logits(logits, value)

    def cdf(self, value):
        self._check_value(value)
        p = self._safe()
        exact = (p.pow(value) * (1 - p).pow(1 - value) + p - 1) / (2 * p - 1)
        inside = self._either(exact, value)
        return tg.where(value <= 0, 0.0, tg.where(value >= 1, 1.0, inside))

    def icdf(self, value):
        p = self._safe()
        low = (-p).log1p()
        exact = ((value * (2 * p - 1) - p).log1p() - low) / (p.log() - low)
        return self._either(exact, value)

    def entropy(self):
        log0, log1 = (-self.probs).log1p(), self.probs.log()
        return self.mean * (log0 - log1) - self._cont_bern_log_norm() - log0

    @property
    def _natural_params(self):
        return (self.logits,)

    def _log_normalizer(self, x):
        outside = (x <= self._lims[0] - 0.5) | (x > self._lims[1] - 0.5)
        safe = tg.where(outside, x, self._lims[0] - 0.5)
        exact = safe.expm1().abs().log() - safe.abs().log()
        return tg.where(outside, exact, 0.5 * x + x.pow(2) / 24.0 - x.pow(4) / 2880.0)
