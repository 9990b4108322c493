"""Student's t distribution."""

from __future__ import annotations

import math

import tensorgrad as tg

from . import constraints
from .chi2 import Chi2
from .distribution import Distribution
from .utils import broadcast_all, log_beta, same_as, standard_normal

__all__ = ["StudentT"]


class StudentT(Distribution):
    """Student's t with ``df`` degrees of freedom, moved by ``loc`` and scaled by ``scale``.

    >>> import tensorgrad as torch
    >>> torch.distributions.StudentT(4.0).variance
    tensor(2.)
    """

    arg_constraints = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True
    _tensors = {"df": 0, "loc": 0, "scale": 0}
    _parts = ("_chi2",)

    def __init__(self, df, loc=0.0, scale=1.0, validate_args=None):
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def mean(self):
        return tg.where(self.df <= 1, math.nan, self.loc)

    mode = same_as("loc")

    @property
    def variance(self):
        finite = self.scale.pow(2) * self.df / (self.df - 2)
        return tg.where(self.df > 2, finite, tg.where(self.df > 1, math.inf, math.nan))

    def rsample(self, sample_shape=()):
        noise = standard_normal(self._extended_shape(sample_shape), self.df.dtype)
        chi2 = self._chi2.rsample(sample_shape)
        return self.loc + self.scale * (noise * (chi2 / self.df).rsqrt())

    def _log_width(self):
        """The logarithm of ``scale * sqrt(df) * B(df / 2, 1 / 2)``, over which the density is 1."""
        half = tg.full_like(self.df, 0.5)
        return self.scale.log() + 0.5 * self.df.log() + log_beta(self.df / 2, half)

    def log_prob(self, value):
        self._check_value(value)
        y = (value - self.loc) / self.scale
        return -0.5 * (self.df + 1) * (y * y / self.df).log1p() - self._log_width()

    def entropy(self):
        half = 0.5 * (self.df + 1)
        gap = half.digamma() - (0.5 * self.df).digamma()
        return half * gap + self._log_width()
