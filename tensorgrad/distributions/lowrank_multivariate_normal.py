"""The multivariate normal distribution with a covariance of low rank plus a diagonal."""

from __future__ import annotations

import tensorgrad as tg

from . import constraints
from .multivariate_normal import (
    Gaussian,
    half_log_det,
    mahalanobis,
    matrix_times_vector,
    need_matrix,
)
from .utils import lazy_property, standard_normal

__all__ = ["LowRankMultivariateNormal"]


def _plus_identity(matrix):
    return matrix + tg.eye(matrix.shape[-1], dtype=matrix.dtype)


class LowRankMultivariateNormal(Gaussian):
    """Covariance ``cov_factor @ cov_factor.mT + diag(cov_diag)``, never formed for densities.

    With R the roots of ``cov_diag`` and ``W = cov_factor / R`` the covariance is R (I + W W') R,
    and all that densities need of it is the Cholesky factor of the small I + W' W: by
    Sylvester's identity it has the determinant of I + W W', and by Woodbury's
    ``(I + W W')^-1 = I - W (I + W' W)^-1 W'`` (Hager, "Updating the inverse of a matrix", 1989).

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
    _tensors = {"loc": 1, "cov_factor": 2, "cov_diag": 1}
    _kept = ("_root", "_scaled", "_small_tril")  # R, W, that factor: not expanded

    def __init__(self, loc, cov_factor, cov_diag, validate_args=None):
        if loc.dim() < 1:
            raise ValueError("loc is zero-dimensional; its last dimension holds one vector")
        need_matrix("cov_factor", cov_factor)
        event = loc.shape[-1:]
        if cov_factor.shape[-2:-1] != event or cov_diag.shape[-1:] != event:
            raise ValueError(
                f"loc has vectors of {event[0]} elements, so give cov_factor (..., {event[0]}, m) "
                f"and cov_diag (..., {event[0]}), got {tuple(cov_factor.shape)} and "
                f"{tuple(cov_diag.shape)}"
            )
        shapes = loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1]
        try:
            batch = tg.broadcast_shapes(*shapes)
        except RuntimeError:
            shown = ", ".join(str(tuple(shape)) for shape in shapes)
            raise ValueError(
                f"the batch shapes of loc, cov_factor and cov_diag do not broadcast: {shown}"
            ) from None
        self.loc, self.cov_diag = loc.expand(batch + (-1,)), cov_diag.expand(batch + (-1,))
        self.cov_factor = cov_factor.expand(batch + (-1, -1))
        super().__init__(batch, event, validate_args=validate_args)
        self._root = cov_diag.sqrt()
        self._scaled = cov_factor / self._root.unsqueeze(-1)
        self._small_tril = tg.linalg.cholesky(_plus_identity(self._scaled.mT @ self._scaled))

    @lazy_property
    def variance(self):
        """The variance, element by element."""
        return self.cov_factor.pow(2).sum(-1) + self.cov_diag

    @lazy_property
    def covariance_matrix(self):
        """The covariance."""
        return self.cov_factor @ self.cov_factor.mT + self.cov_diag.diag_embed()

    def _whole(self, matrix):
        return matrix.expand(self._batch_shape + matrix.shape[-2:])

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of the covariance."""
        whitened = tg.linalg.cholesky(_plus_identity(self._scaled @ self._scaled.mT))
        return self._whole(self._root.unsqueeze(-1) * whitened)

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance."""
        over = self._scaled / self._root.unsqueeze(-1)
        taken = tg.linalg.solve_triangular(self._small_tril, over.mT, upper=False)
        return self._whole(self._root.pow(-2).diag_embed() - taken.mT @ taken)

    def _log_det(self):
        return 2 * (half_log_det(self._small_tril) + self._root.log().sum(-1))

    def _distance(self, x):
        x = x / self._root
        taken = mahalanobis(self._small_tril, matrix_times_vector(self._scaled.mT, x))
        return x.pow(2).sum(-1) - taken

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        shared = standard_normal(shape[:-1] + self.cov_factor.shape[-1:], self.loc.dtype)
        own = standard_normal(shape, self.loc.dtype)
        return self.loc + self._root * (own + matrix_times_vector(self._scaled, shared))
