"""Singular vectors of large matrices of low rank, by random projections.

Halko, Martinsson & Tropp, "Finding structure with randomness", arXiv:0909.4061, algorithm 5.1.
"""

from __future__ import annotations

from . import linalg
from .ops.random import randn

__all__ = ["pca_lowrank", "svd_lowrank"]


def _basis(A, q, niter):
    """Orthonormal columns that span nearly what the columns of ``A`` do."""
    Q = linalg.qr(A @ randn(A.shape[-1], q, dtype=A.dtype)).Q
    for _ in range(niter):
        Q = linalg.qr(A.mH @ Q).Q
        Q = linalg.qr(A @ Q).Q
    return Q


def svd_lowrank(A, q=6, niter=2, M=None):
    """U, S, V with ``A - M`` nearly ``U @ diag(S) @ V.mH``, of at most ``q`` singular values.

    Args:
        A: (..., m, n).
        q: a little more than the rank.
        niter: how often the random vectors are multiplied by the matrix and its transpose.
        M: subtracted from ``A``; nothing by default.

    >>> import tensorgrad as torch
    >>> A = torch.arange(4.0)[:, None] * torch.ones(3)
    >>> U, S, V = torch.svd_lowrank(A, q=1)
    >>> torch.allclose(U * S @ V.mT, A, atol=1e-5)
    True
    """
    A = A if M is None else A - M
    wide = A.shape[-2] < A.shape[-1]
    A = A.mH if wide else A
    Q = _basis(A, 6 if q is None else q, niter)
    U, S, Vh = linalg.svd(Q.mH @ A, full_matrices=False)
    U, V = Q @ U, Vh.mH
    return (V, S, U) if wide else (U, S, V)


def pca_lowrank(A, q=None, center=True, niter=2):
    """The principal components of the rows of ``A``: :func:`svd_lowrank` of it without its mean.

    Args:
        A: (..., m, n), m samples of n features.
        q: how many; ``min(6, m, n)`` by default.
        center: whether to subtract the mean.
        niter: see :func:`svd_lowrank`.

    Raises:
        ValueError: ``q`` or ``niter`` is negative, or ``q`` exceeds a size.
    """
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    if not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(dim=-2, keepdim=True) if center else A, q, niter)
