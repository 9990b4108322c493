"""The multivariate normal distribution with a covariance of low rank plus a diagonal."""

from __future__ import annotations

import math

import tensorgrad as tg

from . import constraints
from .distribution import Distribution
from .multivariate_normal import half_log_det, mahalanobis, matrix_times_vector
from .utils import lazy_property, same_as, standard_normal

__all__ = ["LowRankMultivariateNormal"]


def _plus_identity(matrix):
    return matrix + tg.eye(matrix.shape[-1], dtype=matrix.dtype)


class LowRankMultivariateNormal(Distribution):
    """Covariance ``cov_factor @ cov_factor.mT + diag(cov_diag)``, never formed for densities.

    Args:
        loc: the mean, (..., n).
        cov_factor: (..., n, m), m small.
        cov_diag: (..., n), positive.
        validate_args: as in :class:`Distribution`.

    Raises:
        ValueError: shapes that do not fit.

    >>> import tensorgrad as torch
    >>> m = torch.distributions.LowRankMultivariateNormal(
    ...     torch.zeros(2), torch.tensor([[1.0], [0.0]]), torch.ones(2))
    >>> m.variance
    tensor([2., 1.])
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    _tensors = {"loc": 1, "cov_factor": 2, "cov_diag": 1}
    _kept = ("_unbroadcasted_cov_factor", "_unbroadcasted_cov_diag", "_capacitance_tril")

    def __init__(self, loc, cov_factor, cov_diag, validate_args=None):
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError(
                "cov_factor must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        if cov_factor.shape[-2:-1] != event:
            raise ValueError(
                f"cov_factor must be a batch of matrices with shape {event[0]} x m, "
                f"got {cov_factor.shape}"
            )
        if cov_diag.shape[-1:] != event:
            raise ValueError(
                f"cov_diag must be a batch of vectors with shape {event}, got {cov_diag.shape}"
            )
        shapes = loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1]
        try:
            batch = tg.broadcast_shapes(*shapes)
        except RuntimeError:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, "
                f"cov_diag {cov_diag.shape}"
            ) from None
        self.loc, self.cov_diag = loc.expand(batch + (-1,)), cov_diag.expand(batch + (-1,))
        self.cov_factor = cov_factor.expand(batch + (-1, -1))
        self._unbroadcasted_cov_factor = cov_factor
        self._unbroadcasted_cov_diag = cov_diag
        weighted = cov_factor.mT / cov_diag.unsqueeze(-2)
        self._capacitance_tril = tg.linalg.cholesky(_plus_identity(weighted @ cov_factor))
        super().__init__(batch, event, validate_args=validate_args)

    def _whole(self, matrix):
        return matrix.expand(self._batch_shape + self._event_shape + self._event_shape)

    mean = mode = same_as("loc")

    @lazy_property
    def variance(self):
        """The variance, element by element."""
        total = self._unbroadcasted_cov_factor.pow(2).sum(-1) + self._unbroadcasted_cov_diag
        return total.expand(self._batch_shape + self._event_shape)

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of the covariance."""
        root = self._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)
        scaled = self._unbroadcasted_cov_factor / root
        return self._whole(root * tg.linalg.cholesky(_plus_identity(scaled @ scaled.mT)))

    @lazy_property
    def covariance_matrix(self):
        """The covariance."""
        factor = self._unbroadcasted_cov_factor
        return self._whole(factor @ factor.mT + self._unbroadcasted_cov_diag.diag_embed())

    def _whitened(self):
        """A with precision = 1 / diag - A' A (Woodbury)."""
        weighted = self._unbroadcasted_cov_factor.mT / self._unbroadcasted_cov_diag.unsqueeze(-2)
        return tg.linalg.solve_triangular(self._capacitance_tril, weighted, upper=False)

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance."""
        a = self._whitened()
        return self._whole(self._unbroadcasted_cov_diag.reciprocal().diag_embed() - a.mT @ a)

    def _log_det(self):
        return 2 * half_log_det(self._capacitance_tril) + self._unbroadcasted_cov_diag.log().sum(-1)

    def _distance(self, x):
        diagonal, factor = self._unbroadcasted_cov_diag, self._unbroadcasted_cov_factor
        inner = matrix_times_vector(factor.mT / diagonal.unsqueeze(-2), x)
        return (x.pow(2) / diagonal).sum(-1) - mahalanobis(self._capacitance_tril, inner)

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        low = standard_normal(shape[:-1] + self.cov_factor.shape[-1:], self.loc.dtype)
        own = standard_normal(shape, self.loc.dtype)
        moved = matrix_times_vector(self._unbroadcasted_cov_factor, low)
        return self.loc + moved + self._unbroadcasted_cov_diag.sqrt() * own

    def log_prob(self, value):
        self._check_value(value)
        constant = self._event_shape[0] * math.log(2 * math.pi)
        return -0.5 * (constant + self._log_det() + self._distance(value - self.loc))

    def entropy(self):
        entropy = 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._log_det())
        return entropy.expand(self._batch_shape)
