"""Rows of a table looked up by index, one by one or in bags.

A gradient of the table is dense, also where ``sparse=True`` is asked for.
"""

from __future__ import annotations

import numpy as np

from .. import dtypes, errors
from .._graph import Tensor, asarray, mark_mutated
from .._registry import function, op
from .index import _sum_rows


def checked_indices(name, indices, rows):
    """The array of ``indices``, once they are known to be integers in [0, rows)."""
    if not isinstance(indices, Tensor):
        raise TypeError(
            f"{name}(): argument 'indices' must be Tensor, not {type(indices).__name__}"
        )
    index = indices._array
    if index.dtype not in (np.int64, np.int32):
        raise errors.DtypeError(
            f"{name}: Expected tensor for argument #1 'indices' to have one of the following "
            f"scalar types: Long, Int; but got {dtypes.of(index.dtype)}; convert with .long()"
        )
    if index.size:
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= rows:
            raise errors.DimError(
                f"{name}: index out of range in self: got {high if high >= rows else low}, and "
                f"the table has rows 0 to {rows - 1}"
            )
    return index


def _shares(index, rows, padding_idx, scale_grad_by_freq):
    """What each lookup's gradient is multiplied by: None for 1."""
    share = None
    if scale_grad_by_freq:
        share = 1.0 / np.bincount(index.ravel(), minlength=rows)[index]
    if padding_idx >= 0:
        counts = index != padding_idx
        share = counts if share is None else share * counts
    return share


def _shared(g, index, rows, padding_idx, scale_grad_by_freq):
    share = _shares(index, rows, padding_idx, scale_grad_by_freq)
    if share is None:
        return g
    share = share[..., None]
    return np.where(share, g, g.dtype.type(0)) if share.dtype == bool else (
        np.where(share, g, g.dtype.type(0)) * share.astype(g.dtype)
    )


@op(name="embedding", public=False, method=False, grad_name="EmbeddingBackward0")
def lookup(weight, index, *, padding_idx=-1, scale_grad_by_freq=False):
    """The rows of ``weight`` at ``index``, known to be in range."""
    return weight.take(index, 0)


@op(name="embedding_add", public=False, method=False, grad_name="EmbeddingDenseBackwardBackward0")
def embedding_add(g, index, *, shape, padding_idx, scale_grad_by_freq):
    """The gradient of :func:`lookup`: zeros to whose rows at ``index`` those of g are added."""
    rows, columns = shape
    g = _shared(asarray(g), index, rows, padding_idx, scale_grad_by_freq)
    return _sum_rows(rows, index.reshape(-1), g.reshape(index.size, columns))


@op(name="embedding_take", public=False, method=False, grad_name="EmbeddingBackward0")
def embedding_take(weight, index, *, padding_idx, scale_grad_by_freq):
    """The gradient of :func:`embedding_add`: the rows at ``index``, each times its share."""
    rows = weight.take(index, 0)
    return _shared(rows, index, len(weight), padding_idx, scale_grad_by_freq)


def _attrs(padding_idx, scale_grad_by_freq):
    return {"padding_idx": padding_idx, "scale_grad_by_freq": scale_grad_by_freq}


def _scatter(g, index, weight_shape, *, padding_idx, scale_grad_by_freq):
    attrs = _attrs(padding_idx, scale_grad_by_freq)
    return embedding_add.op.apply((g, index), {"shape": weight_shape, **attrs})


lookup.vjp(weight=_scatter)
embedding_take.vjp(weight=_scatter)
embedding_add.vjp(
    g=lambda g, index, *, padding_idx, scale_grad_by_freq: embedding_take.op.apply(
        (g, index), _attrs(padding_idx, scale_grad_by_freq)
    )
)


def _need_table(name, weight):
    if not isinstance(weight, Tensor):
        raise TypeError(f"{name}(): argument 'weight' must be Tensor, not {type(weight).__name__}")
    if weight._array.ndim != 2:
        raise errors.ShapeError(
            f"{name}: 'weight' must be 2-D, (rows, features), got shape {weight._array.shape}"
        )


@function
def embedding(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    """The rows of ``weight`` at ``indices``; ``nn.functional.embedding`` has another order.

    Args:
        weight: the table (rows, features).
        indices: int64 or int32, of any shape.
        padding_idx: the row that gets no gradient; -1 for none.
        scale_grad_by_freq: divide a row's gradient by how often it was looked up.
        sparse: has no effect: the gradient is dense.

    Raises:
        IndexError: an index is out of range; negative ones are.
        RuntimeError: ``indices`` are not integers, or ``weight`` is not a matrix.

    >>> import tensorgrad
    >>> table = tensorgrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tensorgrad.embedding(table, tensorgrad.tensor([1, 0, 1]))
    tensor([[3., 4.],
            [1., 2.],
            [3., 4.]])
    """
    _need_table("embedding", weight)
    index = checked_indices("embedding", indices, len(weight._array))
    return lookup.op.apply((weight, index), _attrs(padding_idx, bool(scale_grad_by_freq)))


@function
def embedding_renorm_(input, indices, max_norm, norm_type=2.0):
    """Scale the rows of ``input`` at ``indices`` down to the norm ``max_norm``, in place.

    Rows of a smaller norm are left as they are.

    >>> import tensorgrad
    >>> table = tensorgrad.tensor([[3.0, 4.0], [30.0, 40.0]])
    >>> tensorgrad.embedding_renorm_(table, tensorgrad.tensor([0]), 1.0)
    tensor([[ 0.6000,  0.8000],
            [30.0000, 40.0000]])
    """
    _need_table("embedding_renorm_", input)
    table = input._array
    rows = np.unique(checked_indices("embedding_renorm_", indices, len(table)))
    norms = np.linalg.norm(table[rows], norm_type, 1)
    large = norms > max_norm
    if large.any():
        scale = (max_norm / (norms[large] + 1e-7)).astype(table.dtype)
        table[rows[large]] *= scale[:, None]
        mark_mutated(table)
    return input
