"""The continuous Bernoulli distribution."""

from __future__ import annotations

import math

import tensorgrad as tg

from ..ops.fused import bce_with_logits
from . import constraints
from .exp_family import ExponentialFamily
from .utils import (
    Odds,
    broadcast_all,
    clamp_probs,
    either,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
)

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(Odds, ExponentialFamily):
    """Density proportional to ``probs**x * (1 - probs)**(1 - x)`` on [0, 1].

    That is ``exp(t * x) * t / (exp(t) - 1)`` with the logit t: an exponential variable, cut off
    at 1, by which everything below is written; near t = 0 by its series, as t divides
    (Loaiza-Ganem and Cunningham, "The continuous Bernoulli", 2019).

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

    def _near_zero(self):
        """Where the logit is too small to divide by."""
        return (self.probs > self._lims[0]) & (self.probs <= self._lims[1])

    def _logits(self):
        """(that of ``probs``, the same with another where it is near zero)."""
        t, (low, _) = probs_to_logits(self.probs, is_binary=True), self._lims
        return t, tg.where(self._near_zero(), math.log(low / (1 - low)), t)

    def _cont_bern_log_norm(self):
        """Log C, with ``log_prob(x) = log C + x log(probs) + (1 - x) log(1 - probs)``."""
        return _log_norm(*self._logits(), self._near_zero())

    @property
    def mean(self):
        near, t = self._logits()
        series = 0.5 + near / 12 - near.pow(3) / 720
        return tg.where(self._near_zero(), series, (1 + 1 / (t / 2).tanh()) / 2 - 1 / t)

    @property
    def variance(self):
        near, t = self._logits()
        series = 1 / 12 - near.pow(2) / 240 + near.pow(4) / 6048
        return tg.where(self._near_zero(), series, 1 / t.pow(2) - ((t / 2).tanh().pow(-2) - 1) / 4)

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
        (_, t), inside = self._logits(), value.clamp(min=0, max=1)
        return tg.where(self._near_zero(), inside, (t * inside).expm1() / t.expm1())

    def icdf(self, value):
        _, t = self._logits()
        return tg.where(self._near_zero(), value, (value * t.expm1()).log1p() / t)

    def entropy(self):
        return bce_with_logits(self.logits, self.mean) - self._cont_bern_log_norm()

    @property
    def _natural_params(self):
        return (self.logits,)

    def _log_normalizer(self, x):
        near_zero = x.abs() < 1e-3
        return tg.softplus(x) - _log_norm(x, tg.where(near_zero, 1e-3, x), near_zero)


def _log_norm(t, away, near_zero):
    """``log(t / tanh(t / 2))``: of t by its series where ``near_zero``, elsewhere of ``away``."""
    exact = away.abs().log() - (away / 2).tanh().abs().log()
    return tg.where(near_zero, math.log(2.0) + t.pow(2) / 12 - 7 * t.pow(4) / 1440, exact)
