"""How far vectors are from each other, composed of norms."""

from __future__ import annotations

import numpy as np

from .. import dtypes, errors
from .._graph import Tensor, wrap
from .._registry import function
from .reduce import norm, sum
from .shape import broadcast_tensors


@function
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """The cosine of the angle between vectors along ``dim``: ``x1 · x2 / (|x1| |x2|)``.

    Args:
        x1: vectors.
        x2: vectors that broadcast with them.
        dim: the dimension that goes, 1.
        eps: lengths below it count as it; the gradient sees them as they are.

    Raises:
        RuntimeError: integers, or shapes that do not broadcast.

    >>> import tensorgrad
    >>> a, b = tensorgrad.tensor([[3.0, 4.0]]), tensorgrad.tensor([[4.0, 3.0]])
    >>> tensorgrad.cosine_similarity(a, b)
    tensor([0.9600])
    """
    for x in (x1, x2):
        if not isinstance(x, Tensor):
            raise TypeError(f"cosine_similarity(): expected Tensor, got {type(x).__name__}")
    if x1._array.dtype.kind not in "fc" and x2._array.dtype.kind not in "fc":
        raise errors.DtypeError(
            f"expected common dtype to be floating point, yet common dtype is {x1.dtype}"
        )
    dtype = dtypes.of(dtypes.result_type(x1._array, x2._array))
    x1, x2 = broadcast_tensors(x1.to(dtype), x2.to(dtype))  # ``dim`` is one of the common shape
    return sum(_unit(x1, dim, eps) * _unit(x2, dim, eps), dim)


def _unit(x, dim, eps):
    """``x`` divided by its length along ``dim``, or by ``eps`` where that is larger."""
    length = norm(x, 2, dim, keepdim=True)
    short = wrap(np.maximum(eps - length._array, 0))
    return x / (length + short)


@function
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The p-norm of ``x1 - x2 + eps`` along the last dimension.

    Args:
        x1: vectors (N, D) or (D,).
        x2: vectors that broadcast with them.
        p: the norm, 2.
        eps: keeps the gradient finite where both are equal.
        keepdim: keep the last dimension, of size 1.

    >>> import tensorgrad
    >>> tensorgrad.pairwise_distance(tensorgrad.tensor([[3.0, 4.0]]), tensorgrad.zeros(1, 2))
    tensor([5.0000])
    """
    return norm(x1 - x2 + eps, p, -1, keepdim)


@function
def pdist(input, p=2.0):
    """The p-norm distances of all pairs of rows of (N, D), i < j, row after row.

    Raises:
        RuntimeError: ``input`` is no matrix, or ``p`` is negative.

    >>> import tensorgrad
    >>> tensorgrad.pdist(tensorgrad.tensor([[0.0], [1.0], [4.0]]))
    tensor([1., 4., 3.])
    """
    if input.ndim != 2:
        raise errors.ShapeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    if p < 0:
        raise errors.ShapeError(f"pdist only supports non-negative p values, got {p}")
    i, j = np.triu_indices(input.shape[0], 1)
    return norm(input[wrap(i)] - input[wrap(j)], p, -1)
