"""The geometric distribution."""

from __future__ import annotations

import tensorgrad as tg

from ..ops.fused import bce_with_logits
from . import constraints
from .distribution import Distribution
from .utils import Odds, broadcast_all

__all__ = ["Geometric"]


class Geometric(Odds, Distribution):
    """Failures before the first success, of probability ``probs`` (or ``logits``) each.

    >>> import tensorgrad as torch
    >>> torch.distributions.Geometric(0.25).mean
    tensor(3.)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer
    _tensors = {"probs": 0, "logits": 0}

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._take(probs, logits)
        probs = self.__dict__.get("probs")
        super().__init__(self.param_shape, validate_args=validate_args)
        if self._validate_args and logits is None and not bool((probs > 0).all()):
            raise ValueError(
                f"probs of {self!r} must be above 0, or success never comes; some are not:\n"
                f"{probs.detach()}"
            )

    @property
    def mean(self):
        return 1.0 / self.probs - 1.0

    @property
    def mode(self):
        return tg.zeros_like(self.probs)

    @property
    def variance(self):
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape=()):
        dtype = self.probs.dtype
        with tg.no_grad():
            u = tg.empty(self._extended_shape(sample_shape), dtype=dtype)
            u = u.uniform_(tg.finfo(dtype).tiny, 1)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value):
        self._check_value(value)
        value, probs = broadcast_all(value, self.probs)
        certain = (probs == 1) & (value == 0)  # 0 * log(0) is meant to be 0
        return value * (-tg.where(certain, 0.0, probs)).log1p() + self.probs.log()

    def entropy(self):
        return bce_with_logits(self.logits, self.probs) / self.probs
