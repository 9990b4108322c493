"""Looking up rows of a table."""

from __future__ import annotations

import tensorgrad as tg

__all__ = ["embedding"]


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
