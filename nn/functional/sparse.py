"""Looking up rows of a table, one by one and in bags."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad._graph import wrap
from tensorgrad.errors import DtypeError, ShapeError
from tensorgrad.ops.index import select_add

__all__ = ["embedding", "embedding_bag"]


def _row(padding_idx, rows):
    """``padding_idx`` counted from 0; -1 for None."""
    if padding_idx is None:
        return -1
    if not -rows <= padding_idx < rows:
        raise AssertionError(
            f"Padding_idx must be within num_embeddings: got {padding_idx}, and there are {rows}"
        )
    return padding_idx + rows if padding_idx < 0 else padding_idx


def embedding(
    input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
    sparse=False,
):  # fmt: skip
    """The rows of ``weight`` at the indices ``input``.

    Args:
        input: int64 or int32 indices of any shape.
        weight: the table (rows, features).
        padding_idx: the row whose gradient is 0; negative ones count from the end.
        max_norm: rows looked up that are longer are first scaled down to it, in place.
        norm_type: the p of that norm.
        scale_grad_by_freq: divide a row's gradient by how often it is looked up.
        sparse: has no effect: the gradient is dense.

    Raises:
        IndexError: an index is out of range.
        RuntimeError: ``input`` does not hold integers, or ``weight`` is not a matrix.
        AssertionError: ``padding_idx`` is out of range.

    >>> import tensorgrad as torch
    >>> table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> torch.nn.functional.embedding(torch.tensor([[1, 0]]), table)
    tensor([[[3., 4.],
             [1., 2.]]])
    """
    if padding_idx is not None:
        padding_idx = _row(padding_idx, weight.size(0))
    if max_norm is not None:
        tg.embedding_renorm_(weight, input, max_norm, norm_type)
    padding_idx = -1 if padding_idx is None else padding_idx
    return tg.embedding(weight, input, padding_idx, scale_grad_by_freq, sparse)


def embedding_bag(
    input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False,
    mode="mean", sparse=False, per_sample_weights=None, include_last_offset=False,
    padding_idx=None,
):  # fmt: skip
    """Sum, mean or maximum of the rows of ``weight`` in each bag of indices.

    Args:
        input: int64 or int32 indices: (bags, n), or (n,) with ``offsets``.
        weight: the table (rows, features).
        offsets: where each bag begins in a flat ``input``; the first is 0.
        max_norm: rows looked up that are longer are first scaled down to it, in place.
        norm_type: the p of that norm.
        scale_grad_by_freq: divide a row's gradient by how often it is looked up.
        mode: ``"sum"``, ``"mean"`` or ``"max"``; of an empty bag 0.
        sparse: has no effect: the gradient is dense.
        per_sample_weights: factors of the looked-up rows, shaped like ``input``; for sums.
        include_last_offset: the last of ``offsets`` is where the last bag ends.
        padding_idx: indices equal to it count for nothing; negative ones count from the end.

    Raises:
        ValueError: the shapes do not fit together, or ``mode`` is unknown.
        NotImplementedError: ``per_sample_weights`` in another mode than ``"sum"``.
        RuntimeError: an index is out of range or no integer; ``offsets`` do not begin at 0, fall,
            or pass the end; the dtypes of ``weight`` and ``per_sample_weights`` differ.

    >>> import tensorgrad as torch
    >>> table = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]])
    >>> index, offsets = torch.tensor([0, 1, 2]), torch.tensor([0, 2])
    >>> torch.nn.functional.embedding_bag(index, table, offsets)
    tensor([[2., 3.],
            [5., 9.]])
    """
    index, starts, factors = _bags(input, weight, offsets, per_sample_weights)
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"mode has to be one of sum, mean or max, got {mode!r}")
    if mode == "max" and (scale_grad_by_freq or sparse):
        raise ValueError(
            "max mode does not support scaling the gradient by the frequency, nor sparse weights"
        )
    if factors is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}')"
        )
    _check_bag_types(index, weight, factors)
    ends = include_last_offset and offsets is not None
    bag, count = _bag_numbers(starts, len(index), ends)
    index = index[: len(bag)]
    factors = factors if factors is None else factors[: len(bag)]
    if padding_idx is not None:
        if not -len(weight) <= padding_idx < len(weight):
            raise RuntimeError(
                f"padding_idx must be within the number of embeddings, {-len(weight)} through "
                f"{len(weight) - 1}, but got {padding_idx}"
            )
        kept = np.flatnonzero(index != padding_idx % len(weight))
        index, bag = index[kept], bag[kept]
        factors = factors if factors is None else factors[wrap(kept)]
    if max_norm is not None:
        tg.embedding_renorm_(weight, wrap(index), max_norm, norm_type)
    rows = tg.embedding(weight, wrap(index), -1, scale_grad_by_freq)
    if mode == "max":
        return _largest(rows, bag, count)
    if factors is not None:
        rows = rows * factors.unsqueeze(1)
    out = select_add.op.apply((rows, bag), {"shape": (count, weight.size(1)), "dim": 0})
    if mode == "sum":
        return out
    sizes = np.maximum(np.bincount(bag, minlength=count), 1).astype(out._array.dtype)
    return out / wrap(sizes[:, None])


def _bags(input, weight, offsets, factors):
    """The flat array of indices, the array of starts, and the flat factors or None."""
    if factors is not None and tuple(input.shape) != tuple(factors.shape):
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({factors.shape}) is not None, then it must "
            f"have the same shape as the input ({input.shape})"
        )
    if weight.dim() != 2:
        raise ValueError(
            f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.dim()}"
        )
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as each row is a bag; got offsets "
                f"of type {type(offsets).__name__}"
            )
        bags, n = input.shape
        starts = np.arange(bags) * n
        return input._array.reshape(-1), starts, factors if factors is None else factors.reshape(-1)
    if input.dim() != 1:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}"
        )
    if offsets is None or offsets.dim() != 1:
        raise ValueError(
            f"offsets has to be a 1D Tensor but got {None if offsets is None else offsets.shape}"
        )
    return input._array, offsets._array, factors


def _check_bag_types(index, weight, factors):
    if index.dtype not in (np.int64, np.int32):
        raise DtypeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got {index.dtype}; convert with .long()"
        )
    if not weight.is_floating_point():
        raise DtypeError(f"embedding_bag: weight must be floating-point, got {weight.dtype}")
    if factors is not None and factors.dtype != weight.dtype:
        raise DtypeError(
            "embedding_bag: weight and per_sample_weights must have the same type, got "
            f"{weight.dtype} and {factors.dtype}"
        )
    wrong = np.flatnonzero((index < 0) | (index >= len(weight)))
    if wrong.size:
        raise ShapeError(
            f"embedding_bag: Index {wrong[0]} of input takes value {index[wrong[0]]} which is not "
            f"in the valid range [0, {len(weight)})"
        )


def _bag_numbers(starts, n, ends):
    """The number of the bag of each index, and how many bags there are."""
    if ends and not len(starts):
        raise ShapeError("include_last_offset: number of offset should be at least 1")
    if len(starts) and starts[0] != 0:
        raise ShapeError(f"offsets[0] has to be 0, where the first bag starts, but got {starts[0]}")
    if len(starts) and starts[-1] > n:
        raise ShapeError(
            f"offsets[-1] can not be greater than input's length {n} but got {starts[-1]}"
        )
    bounds = starts if ends else np.append(starts, n)
    sizes = np.diff(bounds)
    if (sizes < 0).any():
        raise ShapeError(f"offsets must not fall, got {starts.tolist()}")
    return np.repeat(np.arange(len(sizes)), sizes), len(sizes)


def _largest(rows, bag, count):
    """The largest of each feature in each bag, the first of equal ones; 0 of an empty bag."""
    array = rows._array
    full, starts = np.unique(bag, return_index=True)
    shape = (count, array.shape[1])
    if not full.size:
        return select_add.op.apply((rows, bag), {"shape": shape, "dim": 0})
    tops = np.maximum.reduceat(array, starts, 0)
    sizes = np.diff(np.append(starts, len(bag)))
    places = np.where(array < np.repeat(tops, sizes, 0), len(bag), np.arange(len(bag))[:, None])
    picked = rows.gather(0, wrap(np.minimum.reduceat(places, starts, 0)))
    return select_add.op.apply((picked, full), {"shape": shape, "dim": 0})
