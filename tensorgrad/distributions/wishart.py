"""The Wishart distribution."""

from __future__ import annotations

import math
import warnings

import tensorgrad as tg

from .._tensor import Size
from . import constraints
from .chi2 import Chi2
from .exp_family import ExponentialFamily
from .multivariate_normal import factor_of, half_log_det
from .utils import lazy_property, vec_to_tril_matrix

__all__ = ["Wishart"]


def _mvdigamma(x, p):
    return (x.unsqueeze(-1) - tg.arange(p, dtype=x.dtype) / 2).digamma().sum(-1)


def _mvlgamma(x, p):
    terms = (x.unsqueeze(-1) - tg.arange(p, dtype=x.dtype) / 2).lgamma().sum(-1)
    return terms + 0.25 * p * (p - 1) * math.log(math.pi)


class Wishart(ExponentialFamily):
    """Sums of ``df`` outer products of normal vectors with the given covariance.

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
        matrices = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix,
                    "scale_tril": scale_tril}  # fmt: skip
        given = [(name, m) for name, m in matrices.items() if m is not None]
        assert len(given) == 1, (
            "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."
        )
        name, matrix = given[0]
        if matrix.dim() < 2:
            raise ValueError(
                f"{name} must be at least two-dimensional, with optional leading batch dimensions"
            )
        df = tg.as_tensor(df, dtype=matrix.dtype)
        batch = tg.broadcast_shapes(matrix.shape[:-2], df.shape)
        self.df, n = df.expand(batch), matrix.shape[-1]
        if bool((self.df <= n - 1).any()):
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {n - 1}.")
        if bool((self.df < n).any()):
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for "
                "ndim - 1 < df < ndim.",
                stacklevel=2,
            )
        setattr(self, name, matrix.expand(batch + (-1, -1)))
        super().__init__(batch, matrix.shape[-2:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = factor_of(name, matrix)

    @property
    def arg_constraints(self):
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    def _whole(self, matrix):
        return matrix.expand(self._batch_shape + self._event_shape)

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of the covariance."""
        return self._whole(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self):
        """The covariance of the normal vectors."""
        factor = self._unbroadcasted_scale_tril
        return self._whole(factor @ factor.mT)

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance."""
        return self._whole(tg.cholesky_inverse(self._unbroadcasted_scale_tril))

    def _over_matrices(self, value):
        return value.unsqueeze(-1).unsqueeze(-1)

    @property
    def mean(self):
        return self._over_matrices(self.df) * self.covariance_matrix

    @property
    def mode(self):
        factor = self.df - self._event_shape[-1] - 1
        factor = tg.where(factor <= 0, math.nan, factor)
        return self._over_matrices(factor) * self.covariance_matrix

    @property
    def variance(self):
        matrix = self.covariance_matrix
        diagonal = matrix.diagonal(dim1=-2, dim2=-1)
        outer = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self._over_matrices(self.df) * (matrix.pow(2) + outer)

    def rsample(self, sample_shape=(), max_try_correction=None):
        """Draws by Bartlett's decomposition; singular ones are drawn anew, one by one.

        Args:
            sample_shape: as in :meth:`Distribution.rsample`.
            max_try_correction: how often; default 10.
        """
        drawn = self._drawn(Size(sample_shape))
        for _ in range(10 if max_try_correction is None else max_try_correction):
            regular = self.support.check(drawn.detach())
            if bool(regular.all()):
                break
            warnings.warn("Singular sample detected.", stacklevel=2)
            again = self._drawn(Size(sample_shape))
            drawn = tg.where(self._over_matrices(regular), drawn, again)
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

    def log_prob(self, value):
        self._check_value(value)
        n, factor = self._event_shape[-1], self._unbroadcasted_scale_tril
        spread = self.df * (n * math.log(2) / 2 + half_log_det(factor)) + _mvlgamma(self.df / 2, n)
        powers = (self.df - n - 1) / 2 * tg.linalg.slogdet(value)[1]
        trace = tg.cholesky_solve(value, factor).diagonal(dim1=-2, dim2=-1).sum(-1)
        return powers - spread - trace / 2

    def entropy(self):
        n, df = self._event_shape[-1], self.df
        scale = (n + 1) * (n * math.log(2) / 2 + half_log_det(self._unbroadcasted_scale_tril))
        gammas = _mvlgamma(df / 2, n) - (df - n - 1) / 2 * _mvdigamma(df / 2, n)
        return scale + gammas + df * n / 2

    @property
    def _natural_params(self):
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x, y):
        n = self._event_shape[-1]
        a = y + (n + 1) / 2
        return a * (n * math.log(2) - tg.linalg.slogdet(-2 * x)[1]) + _mvlgamma(a, n)
