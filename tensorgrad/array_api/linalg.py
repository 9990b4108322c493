"""The extension for linear algebra of the array API standard."""

from __future__ import annotations

import tensorgrad as _torch

from . import matmul, matrix_transpose, tensordot, vecdot

det, eigh, eigvalsh = _torch.linalg.det, _torch.linalg.eigh, _torch.linalg.eigvalsh
inv, slogdet, svdvals = _torch.linalg.inv, _torch.linalg.slogdet, _torch.linalg.svdvals
eig, eigvals, outer = _torch.linalg.eig, _torch.linalg.eigvals, _torch.outer
matrix_power = _torch.linalg.matrix_power

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "matmul",
    "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv", "qr",
    "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip


def cholesky(x, /, *, upper=False):
    """The lower (or upper) triangular factor of positive-definite matrices."""
    return _torch.linalg.cholesky(x, upper=upper)


def cross(x1, x2, /, *, axis=-1):
    """The cross products of vectors of three elements along ``axis``."""
    return _torch.linalg.cross(x1, x2, dim=axis)


def diagonal(x, /, *, offset=0):
    """The diagonals of matrices in the last two axes."""
    return _torch.diagonal(x, offset, -2, -1)


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """The norms of matrices in the last two axes."""
    return _torch.linalg.matrix_norm(x, ord, keepdim=keepdims)


def matrix_rank(x, /, *, rtol=None):
    """How many singular values are over ``rtol`` times the largest."""
    return _torch.linalg.matrix_rank(x, rtol=rtol)


def pinv(x, /, *, rtol=None):
    """The pseudoinverses of matrices."""
    return _torch.linalg.pinv(x, rtol=rtol)


def qr(x, /, *, mode="reduced"):
    """The factors ``Q`` and ``R`` of matrices."""
    return _torch.linalg.qr(x, mode)


def solve(x1, x2, /):
    """The solution of ``x1 @ x = x2``; ``x2`` is a vector only if it has one axis."""
    if x2.ndim == 1:
        return _torch.linalg.solve(x1, x2.unsqueeze(-1)).squeeze(-1)
    return _torch.linalg.solve(x1, x2.reshape((1,) * (x1.ndim - x2.ndim) + tuple(x2.shape)))


def svd(x, /, *, full_matrices=True):
    """The factors ``U``, ``S`` and ``Vh`` of the singular value decomposition."""
    return _torch.linalg.svd(x, full_matrices)


def trace(x, /, *, offset=0, dtype=None):
    """The sums of the diagonals of matrices in the last two axes."""
    from . import sum

    return sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """The norm of the elements along ``axis``: one, several, or all (None)."""
    return _torch.linalg.vector_norm(x, ord, axis, keepdims)
