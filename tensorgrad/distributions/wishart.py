"""The Wishart distribution."""

from __future__ import annotations

import math
import warnings

import tensorgrad as tg

from .._tensor import Size
from . import constraints
from .chi2 import Chi2
from .exp_family import ExponentialFamily
from .multivariate_normal import FACTORS, OfFactor, given_matrix, half_log_det
from .utils import vec_to_tril_matrix

__all__ = ["Wishart"]


def _halves_below(x, n):
    """x, x - 1 / 2, ..., of which the multivariate gamma function multiplies the gammas."""
    return x.unsqueeze(-1) - tg.arange(n, dtype=x.dtype) / 2


def _each(value):
    """One number for each matrix of a batch."""
    return value.unsqueeze(-1).unsqueeze(-1)


def _log_gamma(x, n):
    """The logarithm of the multivariate gamma function."""
    return _halves_below(x, n).lgamma().sum(-1) + 0.25 * n * (n - 1) * math.log(math.pi)


class Wishart(OfFactor, ExponentialFamily):
    """Sums of ``df`` outer products of normal vectors with the given covariance.

    Densities and entropy are as in Bishop, "Pattern Recognition and Machine Learning" (2006),
    appendix B; draws by Bartlett's decomposition (Anderson, "An Introduction to Multivariate
    Statistical Analysis", 2003, section 7.2).

    Args:
        df: degrees of freedom, above n - 1.
        covariance_matrix: (..., n, n), positive definite.
        precision_matrix: its inverse.
        scale_tril: its Cholesky factor.
        validate_args: as in :class:`Distribution`.

    Raises:
        AssertionError: not exactly one matrix is given.
        ValueError: ``df`` is too small, or the matrix has fewer than two dimensions.

    >>> import tensorgrad as torch
    >>> torch.distributions.Wishart(3.0, torch.eye(2)).mean
    tensor([[3., 0.],
            [0., 3.]])
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0
    _tensors = {"df": 0, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2,
                "_unbroadcasted_scale_tril": 2}  # fmt: skip

    def __init__(
        self, df, covariance_matrix=None, precision_matrix=None, scale_tril=None,
        validate_args=None,
    ):  # fmt: skip
        given = covariance_matrix, precision_matrix, scale_tril
        name, matrix = given_matrix(*given, error=AssertionError)
        df = tg.as_tensor(df, dtype=matrix.dtype)
        batch = tg.broadcast_shapes(matrix.shape[:-2], df.shape)
        self.df, n = df.expand(batch), matrix.shape[-1]
        if bool((self.df <= n - 1).any()):
            raise ValueError(f"df must be above {n - 1} for matrices of {n} rows, got {df}")
        if bool((self.df < n).any()):
            warnings.warn(
                f"df below {n}, the number of rows, makes draws that are singular to rounding",
                stacklevel=2,
            )
        setattr(self, name, matrix.expand(batch + (-1, -1)))
        super().__init__(batch, matrix.shape[-2:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = FACTORS[name](matrix)

    @property
    def arg_constraints(self):
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    @property
    def mean(self):
        return _each(self.df) * self.covariance_matrix

    @property
    def mode(self):
        times = self.df - self._event_shape[-1] - 1
        return _each(tg.where(times > 0, times, math.nan)) * self.covariance_matrix

    @property
    def variance(self):
        matrix = self.covariance_matrix
        diagonal = matrix.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
        return _each(self.df) * (matrix.pow(2) + diagonal * diagonal.mT)

    def rsample(self, sample_shape=(), max_try_correction=None):
        """Draws by Bartlett's decomposition; those that are singular are replaced by new ones.

        Args:
            sample_shape: as in :meth:`Distribution.rsample`.
            max_try_correction: how often; default 10.
        """
        drawn = self._drawn(Size(sample_shape))
        for _ in range(10 if max_try_correction is None else max_try_correction):
            regular = self.support.check(drawn.detach())
            if bool(regular.all()):
                break
            warnings.warn("a draw is singular to rounding; drawing it anew", stacklevel=2)
            again = self._drawn(Size(sample_shape))
            drawn = tg.where(_each(regular), drawn, again)
        return drawn

    def _drawn(self, sample_shape):
        factor, n = self._unbroadcasted_scale_tril, self._event_shape[-1]
        chi2 = Chi2(self.df.unsqueeze(-1) - tg.arange(n, dtype=factor.dtype))
        root = chi2.rsample(sample_shape).sqrt().clamp(min=tg.finfo(factor.dtype).eps)
        below = n * (n - 1) // 2
        noise = tg.randn(sample_shape + self._batch_shape + (below,), dtype=factor.dtype)
        noise = vec_to_tril_matrix(noise, -1) if below else 0.0
        product = factor @ (root.diag_embed() + noise)
        return product @ product.mT

    def _log_scale(self):
        """The log-determinant of twice the covariance."""
        n = self._event_shape[-1]
        return n * math.log(2) + 2 * half_log_det(self._unbroadcasted_scale_tril)

    def _log_total(self):
        """What normalizes the density: 1 / B of Bishop, as a logarithm."""
        return self.df / 2 * self._log_scale() + _log_gamma(self.df / 2, self._event_shape[-1])

    def _power(self):
        return (self.df - self._event_shape[-1] - 1) / 2

    def log_prob(self, value):
        self._check_value(value)
        whitened = tg.cholesky_solve(value, self._unbroadcasted_scale_tril)
        trace = whitened.diagonal(dim1=-2, dim2=-1).sum(-1)
        return self._power() * tg.linalg.slogdet(value)[1] - trace / 2 - self._log_total()

    def entropy(self):
        n = self._event_shape[-1]
        mean_log_det = _halves_below(self.df / 2, n).digamma().sum(-1) + self._log_scale()
        return self._log_total() - self._power() * mean_log_det + self.df * n / 2

    @property
    def _natural_params(self):
        return -self.precision_matrix / 2, self._power()

    def _log_normalizer(self, x, y):
        n = x.shape[-1]
        half_df = y + (n + 1) / 2
        return _log_gamma(half_df, n) - half_df * tg.linalg.slogdet(-x)[1]
