"""The multivariate normal distribution."""

from __future__ import annotations

import math

import tensorgrad as tg

from . import constraints
from .distribution import Distribution
from .utils import lazy_property, same_as, standard_normal

__all__ = ["MultivariateNormal"]


def matrix_times_vector(matrix, vector):
    """Products of batches of matrices and vectors."""
    return tg.matmul(matrix, vector.unsqueeze(-1)).squeeze(-1)


def mahalanobis(factor, x):
    """``|factor^-1 x|**2`` for lower triangular factors; one factor serves all of ``x`` at once."""
    if factor.dim() == 2:
        flat = x.reshape(-1, x.shape[-1]).mT
        solved = tg.linalg.solve_triangular(factor, flat, upper=False)
        return solved.pow(2).sum(-2).reshape(x.shape[:-1])
    batch = tg.broadcast_shapes(factor.shape[:-2], x.shape[:-1])
    x, factor = x.expand(batch + x.shape[-1:]), factor.expand(batch + factor.shape[-2:])
    solved = tg.linalg.solve_triangular(factor, x.unsqueeze(-1), upper=False)
    return solved.squeeze(-1).pow(2).sum(-1)


def half_log_det(factor):
    """The logarithm of the determinant of a triangular matrix."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def precision_to_scale_tril(precision):
    """The Cholesky factor of the inverse, without the inverse.

    With J the exchange matrix and J P J = F F', the inverse of P is L L' for L the inverse of
    (J F J)', which is lower triangular.
    """
    turned = tg.linalg.cholesky(precision.flip((-2, -1))).flip((-2, -1)).mT
    identity = tg.eye(precision.shape[-1], dtype=precision.dtype)
    return tg.linalg.solve_triangular(turned, identity, upper=False)


def given_matrix(covariance_matrix, precision_matrix, scale_tril, error=ValueError):
    """(name, matrix) of the one that is not None.

    Raises:
        ValueError: it has fewer than two dimensions, or (as ``error``) not exactly one is given.
    """
    matrices = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix,
                "scale_tril": scale_tril}  # fmt: skip
    given = [(name, m) for name, m in matrices.items() if m is not None]
    if len(given) != 1:
        got = " and ".join(name for name, _ in given) or "none"
        raise error(f"got {got} of {', '.join(matrices)}; give exactly one")
    need_matrix(*given[0])
    return given[0]


def need_matrix(name, matrix):
    """Raises: ValueError: ``matrix`` has fewer than two dimensions."""
    if matrix.dim() < 2:
        raise ValueError(f"{name}, of shape {tuple(matrix.shape)}, is no matrix; give (..., n, m)")


FACTORS = {  # of the covariance that the matrix describes
    "scale_tril": lambda matrix: matrix,
    "covariance_matrix": tg.linalg.cholesky,
    "precision_matrix": precision_to_scale_tril,
}


class OfFactor:
    """The matrices of a covariance that is kept as its Cholesky factor, without batch expansion."""

    def _whole(self, matrix):
        return matrix.expand(self._batch_shape + matrix.shape[-2:])

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor of the covariance."""
        return self._whole(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self):
        """The covariance."""
        factor = self._unbroadcasted_scale_tril
        return self._whole(factor @ factor.mT)

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance."""
        return self._whole(tg.cholesky_inverse(self._unbroadcasted_scale_tril))


class Gaussian(Distribution):
    """What normal vectors share, given ``_log_det()`` of the covariance and ``_distance(x)``.

    The latter is the squared Mahalanobis distance of x from 0.
    """

    support = constraints.real_vector
    has_rsample = True
    mean = mode = same_as("loc")

    def log_prob(self, value):
        self._check_value(value)
        constant = self._event_shape[0] * math.log(2 * math.pi)
        return -0.5 * (constant + self._log_det() + self._distance(value - self.loc))

    def entropy(self):
        constant = self._event_shape[0] * math.log(2 * math.pi * math.e)
        return (0.5 * (constant + self._log_det())).expand(self._batch_shape)


class MultivariateNormal(OfFactor, Gaussian):
    """Normal vectors with mean ``loc`` and a covariance given by one of three matrices.

    Args:
        loc: the mean, (..., n).
        covariance_matrix: (..., n, n), positive definite.
        precision_matrix: its inverse.
        scale_tril: its Cholesky factor.
        validate_args: as in :class:`Distribution`.

    Raises:
        ValueError: not exactly one matrix is given, or a parameter has too few dimensions.

    >>> import tensorgrad as torch
    >>> m = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
    >>> m.log_prob(torch.zeros(2))
    tensor(-1.8379)
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    _tensors = {"loc": 1, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2}
    _kept = ("_unbroadcasted_scale_tril",)

    def __init__(
        self, loc, covariance_matrix=None, precision_matrix=None, scale_tril=None,
        validate_args=None,
    ):  # fmt: skip
        if loc.dim() < 1:
            raise ValueError("loc is zero-dimensional; its last dimension holds one vector")
        name, matrix = given_matrix(covariance_matrix, precision_matrix, scale_tril)
        batch = tg.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand(batch + (-1, -1)))
        self.loc = loc.expand(batch + (-1,))
        super().__init__(batch, loc.shape[-1:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = FACTORS[name](matrix)

    @property
    def variance(self):
        squares = self._unbroadcasted_scale_tril.pow(2).sum(-1)
        return squares.expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape=()):
        noise = standard_normal(self._extended_shape(sample_shape), self.loc.dtype)
        return self.loc + matrix_times_vector(self._unbroadcasted_scale_tril, noise)

    def _log_det(self):
        return 2 * half_log_det(self._unbroadcasted_scale_tril)

    def _distance(self, x):
        return mahalanobis(self._unbroadcasted_scale_tril, x)
