"""Losses."""

from __future__ import annotations

import warnings

import numpy as np

import tensorgrad as tg
from tensorgrad._graph import wrap
from tensorgrad.ops import fused

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "gaussian_nll_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "legacy_reduction",
    "mse_loss",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
]

_REDUCTIONS = ("none", "mean", "sum")


def legacy_reduction(size_average, reduce, reduction):
    """``reduction``, or what PyTorch's deprecated ``size_average`` and ``reduce`` meant by it.

    Raises:
        ValueError: not one of "none", "mean", "sum".
    """
    if size_average is not None or reduce is not None:
        average = size_average is not False
        reduction = "none" if reduce is False else "mean" if average else "sum"
        warnings.warn(
            "size_average and reduce args will be deprecated, please use "
            f"reduction='{reduction}' instead.",
            stacklevel=4,
        )
    if reduction not in _REDUCTIONS:
        raise ValueError(
            f"{reduction} is not a valid value for reduction; use one of {_REDUCTIONS}"
        )
    return reduction


def reduced(loss, reduction):
    """``loss`` averaged, summed or as it is."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def _check_sizes(input, target, stacklevel=4):
    """Warn, as PyTorch does, where two sizes differ and would broadcast."""
    if input._array.shape != target._array.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=stacklevel,
        )


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """Squared error ``(x - y)**2``, averaged (default), summed or as it is.

    Warns where the sizes differ; they broadcast.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.mse_loss(torch.tensor([3.0]), torch.tensor([1.0]))
    tensor(4.)
    """
    x, y = input._array, target._array
    if x.shape != y.shape:
        _check_sizes(input, target)
    if size_average is not None or reduce is not None or reduction not in _REDUCTIONS:
        reduction = legacy_reduction(size_average, reduce, reduction)
    if reduction == "none" or weight is not None:
        loss = tg.square(input - target)
        if weight is None:
            return loss
        loss = loss * weight
        return loss.sum() / weight.sum() if reduction == "mean" else reduced(loss, reduction)
    size = x.size if x.shape == y.shape else np.broadcast(x, y).size
    scale = 1.0 if reduction == "sum" else 1.0 / size if size else float("nan")
    return fused.squared_error.op.apply((input, target), {"scale": scale})


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """Absolute error ``|x - y|``, averaged (default), summed or as it is.

    With a ``weight`` the mean is that of the weighted errors, divided by the sum of weights.
    """
    _check_sizes(input, target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    loss = (input - target).abs()
    if weight is None:
        return reduced(loss, reduction)
    loss = loss * weight
    return loss.sum() / weight.sum() if reduction == "mean" else reduced(loss, reduction)


def smooth_l1_loss(
    input, target, size_average=None, reduce=None, reduction="mean", beta=1.0
):
    """``d²/(2 beta)`` for ``|d| < beta``, ``|d| - beta/2`` beyond (Girshick, arXiv:1504.08083)."""
    if beta < 0:
        raise ValueError(f"smooth_l1_loss does not support negative values for beta, got {beta}")
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    _check_sizes(input, target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    size = (input - target).abs()
    return reduced(tg.where(size < beta, size * size * (0.5 / beta), size - 0.5 * beta), reduction)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """``d²/2`` for ``|d| <= delta``, ``delta (|d| - delta/2)`` beyond (Huber 1964)."""
    if delta <= 0:
        raise ValueError(f"huber_loss does not support non-positive values for delta, got {delta}")
    _check_sizes(input, target)
    reduction = legacy_reduction(None, None, reduction)
    size = (input - target).abs()
    loss = tg.where(size <= delta, size * size * 0.5, (size - 0.5 * delta) * delta)
    return reduced(loss if weight is None else loss * weight, reduction)


def _same_shape(name, input, target):
    if input._array.shape != target._array.shape:
        raise ValueError(
            f"{name}: target size ({target.shape}) must be the same as input size "
            f"({input.shape}); unsqueeze or squeeze one of them"
        )


def binary_cross_entropy(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """``-y log p - (1-y) log(1-p)`` of probabilities p; each logarithm no lower than -100.

    Raises:
        ValueError: the shapes differ.
        RuntimeError: a probability lies outside [0, 1].
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _same_shape("binary_cross_entropy", input, target)
    p = input._array
    if p.size and not (p.min() >= 0 and p.max() <= 1):
        raise RuntimeError(
            f"all elements of input should be between 0 and 1, got {p.min()} to {p.max()}; "
            "for logits use binary_cross_entropy_with_logits"
        )
    loss = fused.binary_cross_entropy(input, target)
    return reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """The cross-entropy of ``sigmoid(input)`` against ``target``, stable for any logit.

    Args:
        input: logits.
        target: probabilities of the positive class, of the same shape.
        weight: factor on each element's loss.
        size_average: deprecated, as in PyTorch.
        reduce: deprecated, as in PyTorch.
        reduction: "mean", "sum" or "none".
        pos_weight: factor on the positive part.

    Raises:
        ValueError: the shapes differ.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _same_shape("binary_cross_entropy_with_logits", input, target)
    if pos_weight is None:
        loss = fused.bce_with_logits(input, target)
    else:
        scale = 1 + (pos_weight - 1) * target
        loss = (1 - target) * input + scale * tg.softplus(-input, threshold=float("inf"))
    return reduced(loss if weight is None else loss * weight, reduction)


def nll_loss(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
    reduction="mean",
):  # fmt: skip
    """``-x[target]`` for log-probabilities x (N, C, ...) or (C,) and class indices.

    Args:
        input: log-probabilities, classes along dimension 1 (0 for a single sample).
        target: class indices (N, ...), int64.
        weight: a weight for each class; "mean" divides by the sum of the weights used.
        size_average: deprecated, as in PyTorch.
        ignore_index: a target value that does not count.
        reduce: deprecated, as in PyTorch.
        reduction: "mean", "sum" or "none".

    Raises:
        IndexError: a target is no class (the message names it and where it stands).
        ValueError: batch sizes differ.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    x, t = input._array, target._array
    dim = 1 if x.ndim > 1 else 0
    if t.dtype.kind not in "iu":
        raise RuntimeError(f"expected scalar type Long for the target but got {target.dtype}")
    if x.ndim > 1 and (t.ndim == 0 or x.shape[0] != t.shape[0]):
        raise ValueError(
            f"Expected input batch_size ({x.shape[0]}) to match target batch_size "
            f"({t.shape[0] if t.ndim else 'none'})."
        )
    if t.shape != x.shape[:dim] + x.shape[dim + 1 :]:
        raise RuntimeError(
            f"nll_loss: input {x.shape} needs a target of shape "
            f"{x.shape[:dim] + x.shape[dim + 1 :]}, got {t.shape}"
        )
    classes = x.shape[dim]
    counts = t != ignore_index
    bad = counts & ((t < 0) | (t >= classes))
    if bad.any():
        raise fused.out_of_bounds(np.where(bad, t, 0), classes)
    safe = np.where(counts, t, 0).astype(np.int64)
    picked = -input.gather(dim, wrap(np.expand_dims(safe, dim))).squeeze(dim)
    per_class = np.ones(classes, x.dtype) if weight is None else weight._array
    w = wrap(np.where(counts, per_class[safe], 0).astype(x.dtype))
    # A masked element may be infinite: select it away rather than multiply it by zero.
    loss = tg.where(wrap(counts), picked * w, 0.0)
    if reduction == "mean":
        return loss.sum() / w.sum()
    return reduced(loss, reduction)


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
    reduction="mean", label_smoothing=0.0,
):  # fmt: skip
    """The cross-entropy between ``softmax(input)`` along the classes and ``target``.

    Args:
        input: logits (N, C, ...) or (C,).
        target: class indices (N, ...) of dtype int64, or probabilities of the input's shape.
        weight: a weight for each class (C,).
        size_average: deprecated, as in PyTorch.
        ignore_index: a class index that does not count.
        reduce: deprecated, as in PyTorch.
        reduction: "mean", "sum" or "none".
        label_smoothing: ε in [0, 1]: the target becomes (1-ε) target + ε/C.

    Raises:
        IndexError: a target is no class; the message names it and its row.
        ValueError: batch sizes differ.
        RuntimeError: ``label_smoothing`` lies outside [0, 1], or the target is neither.

    >>> import tensorgrad as torch
    >>> logits = torch.tensor([[2.0, 0.0]], requires_grad=True)
    >>> loss = torch.nn.functional.cross_entropy(logits, torch.tensor([0]))
    >>> loss.backward()
    >>> logits.grad
    tensor([[-0.1192,  0.1192]])
    """
    if size_average is not None or reduce is not None or reduction not in _REDUCTIONS:
        reduction = legacy_reduction(size_average, reduce, reduction)
    x, t = input._array, target._array
    if (
        x.ndim == 2 and t.ndim == 1 and weight is None and not label_smoothing
        and t.dtype == np.int64 and 0 < len(t) == len(x) and reduction != "none"
        and ignore_index < 0 and np.maximum.reduce(t.view(np.uint64)) < x.shape[1]
    ):  # fmt: skip
        # The everyday case is one fused node. Targets that are no class, the negative ones
        # among them (they are large when read as unsigned), are left to the rules below.
        scale = 1.0 / len(t) if reduction == "mean" else 1.0
        return fused.softmax_cross_entropy.op.apply((input, target), {"scale": scale})
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    dim = 1 if x.ndim > 1 else 0
    log_probabilities = tg.log_softmax(input, dim)
    if t.shape == x.shape and t.dtype.kind == "f":
        return _soft_cross_entropy(log_probabilities, target, weight, reduction, label_smoothing)
    plain = nll_loss(
        log_probabilities, target, weight, ignore_index=ignore_index, reduction=reduction
    )
    if not label_smoothing:
        return plain
    smooth = _smoothing_term(log_probabilities, t, weight, ignore_index, reduction)
    return plain * (1.0 - label_smoothing) + smooth * (label_smoothing / x.shape[dim])


def _along_classes(weight, ndim):
    return weight.reshape((1, -1) + (1,) * (ndim - 2)) if ndim > 1 else weight


def _soft_cross_entropy(log_probabilities, target, weight, reduction, label_smoothing):
    """Cross-entropy against probabilities; "mean" divides by the number of samples."""
    ndim = log_probabilities.ndim
    dim = 1 if ndim > 1 else 0
    classes = log_probabilities.shape[dim]
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + label_smoothing / classes
    terms = log_probabilities * target
    if weight is not None:
        terms = terms * _along_classes(weight, ndim)
    loss = -terms.sum(dim)
    if reduction == "mean":
        return loss.sum() / max(loss.numel(), 1)
    return reduced(loss, reduction)


def _smoothing_term(log_probabilities, t, weight, ignore_index, reduction):
    """``-sum_c w_c log p_c`` of the samples that count, reduced as the plain part is."""
    ndim = log_probabilities.ndim
    dim = 1 if ndim > 1 else 0
    weighted = log_probabilities
    if weight is not None:
        weighted = weighted * _along_classes(weight, ndim)
    counts = t != ignore_index
    loss = tg.where(wrap(np.asarray(counts)), -weighted.sum(dim), 0.0)
    if reduction != "mean":
        return reduced(loss, reduction)
    if weight is None:
        return loss.sum() / float(counts.sum())
    total = float(weight._array[np.where(counts, t, 0)][counts].sum())
    return loss.sum() / total


# --- between distributions --------------------------------------------------------------


def kl_div(
    input, target, size_average=None, reduce=None, reduction="mean", log_target=False
):
    """The Kullback-Leibler divergence ``y (log y - x)`` of log-probabilities x from y.

    Args:
        input: log-probabilities x.
        target: probabilities y, or their logarithms with ``log_target``.
        size_average: deprecated, as in PyTorch.
        reduce: deprecated, as in PyTorch.
        reduction: "batchmean" divides the sum by the first size, which is the definition; "mean"
            (default, with PyTorch's warning) by the number of elements; "sum"; "none".
        log_target: whether ``target`` holds logarithms.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce, reduction)
    elif reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support "
            "size; 'batchmean' divides only by the batch size, which is the definition of KL div",
            stacklevel=2,
        )
    if reduction != "batchmean":
        legacy_reduction(None, None, reduction)
    if log_target:
        loss = tg.exp(target) * (target - input)
    else:
        loss = tg.xlogy(target, target) - target * input
    if reduction != "batchmean":
        return reduced(loss, reduction)
    return loss.sum() / input.shape[0] if input.ndim else loss.sum()


def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None,
    reduction="mean",
):  # fmt: skip
    """``exp(x) - y x``, the Poisson likelihood of counts y under log-rates x.

    Args:
        input: log-rates, or rates with ``log_input=False``: then ``x - y log(x + eps)``.
        target: counts.
        log_input: whether ``input`` holds logarithms.
        full: add Stirling's approximation of ``log y!`` for counts above 1.
        size_average: deprecated, as in PyTorch.
        eps: against the logarithm of zero.
        reduce: deprecated, as in PyTorch.
        reduction: "mean", "sum" or "none".
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if log_input:
        loss = tg.exp(input) - target * input
    else:
        loss = input - target * tg.log(input + eps)
    if full:
        stirling = target * tg.log(target) - target + 0.5 * tg.log(2 * np.pi * target)
        loss = loss + tg.where(target > 1, stirling, 0.0)
    return reduced(loss, reduction)


def _unlike(shape, other):
    """The sizes in ``other`` that differ from those in ``shape``."""
    return [b for a, b in zip(shape, other, strict=True) if a != b]


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """``(log v + (x - y)² / v) / 2``, the Gaussian likelihood (Nix & Weigend 1994).

    Args:
        input: means x.
        target: values y.
        var: variances v of the same shape, or with one dimension of size 1, or without the last
            one, or one number; those below ``eps`` count as ``eps``, with the gradient passed on.
        full: add ``log(2π) / 2``.
        eps: the least variance.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: a negative variance, variances of another shape, or an unknown reduction.
    """
    if not isinstance(var, tg.Tensor):
        var = var * tg.ones_like(input)
    shape = input.shape
    if var.shape != shape:
        if shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif len(shape) != len(var.shape) or _unlike(shape, var.shape) != [1]:
            raise ValueError(f"var is of incorrect size: {var.shape} for an input of size {shape}")
    legacy_reduction(None, None, reduction)
    if (var._array < 0).any():
        raise ValueError("var has negative entry/entries")
    var = var + (var.clamp_min(eps) - var).detach()
    loss = 0.5 * (tg.log(var) + (input - target) ** 2 / var)
    return reduced(loss + 0.5 * float(np.log(2 * np.pi)) if full else loss, reduction)
