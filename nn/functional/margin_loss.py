"""Losses that ask for a margin: between scores, between distances, between labels."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad._graph import wrap
from tensorgrad.nn.functional.loss import legacy_reduction, reduced

__all__ = [
    "cosine_embedding_loss",
    "cosine_similarity",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "pairwise_distance",
    "pdist",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]

cosine_similarity, pairwise_distance, pdist = tg.cosine_similarity, tg.pairwise_distance, tg.pdist

# --- two scores, or one -----------------------------------------------------------------


def margin_ranking_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """``max(0, -y (x1 - x2) + margin)``: x1 should rank above x2 where y is 1, below where -1.

    Raises:
        RuntimeError: tensors of different ranks, or that do not broadcast.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss: All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape}"
        )
    return reduced((-target * (input1 - input2) + margin).clamp_min(0), reduction)


def hinge_embedding_loss(
    input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"
):
    """The distance ``x`` itself where y is 1, ``max(0, margin - x)`` where y is -1."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    apart = tg.where(target != 1, (margin - input).clamp_min(0), 0.0)
    return reduced(apart + tg.where(target != -1, input, 0.0), reduction)


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """``log(1 + exp(-y x))`` for targets y of 1 and -1, stable for any score."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return reduced(tg.nn.functional.softplus(-target * input, threshold=float("inf")), reduction)


# --- scores of classes ------------------------------------------------------------------


def multi_margin_loss(
    input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """``sum_{j != y} w[y] max(0, margin - x[y] + x[j])^p / C``: the multi-class hinge loss.

    Args:
        input: scores (N, C) or (C,).
        target: classes (N,) or (), int64.
        p: 1 or 2.
        margin: 1.
        weight: a weight for each class (C,).
        size_average: deprecated, as in PyTorch.
        reduce: deprecated, as in PyTorch.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: p is neither 1 nor 2.
        RuntimeError: shapes that do not fit, or a target that is no class.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError(f"only p == 1 and p == 2 supported, got {p}")
    if input.ndim == 0:
        input, target = input.reshape(1), target.reshape(1)
    if input.ndim not in (1, 2) or 0 in input.shape[-1:]:
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(input.shape)}"
        )
    if weight is not None and weight.ndim != 1:
        raise ValueError(f"weight must be one-dimensional, got shape {list(weight.shape)}")
    if weight is not None and weight.numel() != input.shape[-1]:
        raise RuntimeError(
            f"inconsistent weight size, expected {input.shape[-1]} but got {list(weight.shape)}"
        )
    classes = input.shape[-1]
    rows = input.reshape(-1, classes)
    _demand_long("multi_margin_loss", target)
    y = target._array.reshape(-1)
    if len(y) != len(rows):
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of "
            f"input samples {len(rows)}, but got {list(target.shape)}"
        )
    if ((y < 0) | (y >= classes)).any():
        raise RuntimeError(f"target out of range: {y.min()} to {y.max()} for {classes} classes")
    column = wrap(y[:, None])
    terms = (margin - rows.gather(1, column) + rows).clamp_min(0)
    if p == 2:
        terms = terms * terms
    if weight is not None:
        terms = terms * weight.reshape(-1)[wrap(y)].unsqueeze(1)
    others = wrap(np.arange(classes) != y[:, None])
    loss = tg.where(others, terms, 0.0).sum(1) / classes
    return reduced(loss if input.ndim > 1 else loss.squeeze(0), reduction)


def _demand_long(name, target):
    if target._array.dtype != np.int64:
        raise RuntimeError(f"{name}: expected scalar type Long but found {target.dtype}")


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """``sum max(0, 1 - (x[y] - x[i])) / C`` over labels y of a sample and classes i that are not.

    Args:
        input: scores (N, C) or (C,).
        target: int64 of the same shape: the labels of each sample, ended by -1.
        size_average: deprecated, as in PyTorch.
        reduce: deprecated, as in PyTorch.
        reduction: "mean", "sum" or "none".

    Raises:
        RuntimeError: shapes that do not fit, or a target that is no class.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if input.ndim > 2 or tuple(target.shape) != tuple(input.shape):
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: "
            f"{list(input.shape)}"
        )
    _demand_long("multilabel_margin_loss", target)
    classes = input.shape[-1] if input.ndim else 1
    rows, labels = input.reshape(-1, classes), target._array.reshape(-1, classes)
    if ((labels < -1) | (labels >= classes)).any():
        raise RuntimeError(
            f"argument #2 'target' is out of range: {labels.min()} to {labels.max()} for {classes} "
            "classes"
        )
    counts = np.logical_and.accumulate(labels >= 0, 1)  # labels before the first -1
    safe = np.where(counts, labels, 0)
    of_sample = np.zeros(labels.shape, bool)
    np.logical_or.at(of_sample, (np.arange(len(labels))[:, None], safe), counts)
    wanted = rows.gather(1, wrap(safe)).unsqueeze(2)
    pairs = wrap(counts[:, :, None] & ~of_sample[:, None, :])
    terms = (1 - wanted + rows.unsqueeze(1)).clamp_min(0)
    loss = tg.where(pairs, terms, 0.0).sum((1, 2)) / classes
    return reduced(loss if input.ndim > 1 else loss.squeeze(0), reduction)


def multilabel_soft_margin_loss(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """The mean over classes of ``-y log s(x) - (1 - y) log s(-x)``, with s the sigmoid."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    log_of = tg.nn.functional.logsigmoid
    loss = -(target * log_of(input) + (1 - target) * log_of(-input))
    if weight is not None:
        loss = loss * weight
    return reduced(loss.mean(-1), reduction)


# --- distances --------------------------------------------------------------------------

_TINY = 1e-12  # PyTorch's, under the root


def cosine_embedding_loss(
    input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"
):
    """``1 - cos(x1, x2)`` where y is 1, ``max(0, cos(x1, x2) - margin)`` where y is -1.

    Args:
        input1: (N, D) or (D,).
        input2: the same shape.
        target: (N,) or (), 1 or -1.
        margin: -1 to 1; 0 to 0.5 is suggested.
        size_average: deprecated, as in PyTorch.
        reduce: deprecated, as in PyTorch.
        reduction: "mean", "sum" or "none".

    Raises:
        RuntimeError: ranks that do not fit.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if target.ndim > 1 or not input1.ndim == input2.ndim == target.ndim + 1:
        raise RuntimeError(
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found "
            f"inputs with sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    squares = ((input1 * input1).sum(-1) + _TINY) * ((input2 * input2).sum(-1) + _TINY)
    cosine = (input1 * input2).sum(-1) / squares.sqrt()
    apart = tg.where(target == -1, (cosine - margin).clamp_min(0), 0.0)
    return reduced(tg.where(target == 1, 1 - cosine, 0.0) + apart, reduction)


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, size_average=None,
    reduce=None, reduction="mean",
):  # fmt: skip
    """``max(0, d(a, p) - d(a, n) + margin)`` with the p-norm distance d.

    Balntas et al., BMVC 2016; with ``swap``, the negative counts by the nearer of anchor and
    positive.

    Raises:
        ValueError: ``margin`` is not positive.
        RuntimeError: tensors of different ranks.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _triplet(
        anchor, positive, negative, lambda a, b: pairwise_distance(a, b, p, eps), margin, swap,
        reduction,
    )  # fmt: skip


def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False,
    reduction="mean",
):  # fmt: skip
    """:func:`triplet_margin_loss` with any distance; the Euclidean one by default.

    Raises:
        ValueError: ``margin`` is not positive, or an unknown reduction.
        RuntimeError: tensors of different ranks.
    """
    reduction = legacy_reduction(None, None, reduction)
    distance = distance_function or pairwise_distance
    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def _triplet(anchor, positive, negative, distance, margin, swap, reduction):
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative "
            f"{negative.ndim}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = tg.minimum(far, distance(positive, negative))
    return reduced((margin + near - far).clamp_min(0), reduction)
