"""Labels as weights of classes: label smoothing, and losses of weighted labels."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad._graph import Tensor, wrap
from tensorgrad.errors import ArgumentError, DimError, DtypeError
from tensorgrad.ops.index import one_hot

from ._checks import check_count, check_probability

__all__ = [
    "LabelSmoothing",
    "mixed_loss",
    "smooth_labels",
]


def array_of(value, name: str) -> np.ndarray:
    """The array of a Tensor or of what NumPy takes; nothing is copied where it can be shared."""
    if value is None:
        raise ArgumentError(f"{name} is missing: got None")
    return value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)


def like(array: np.ndarray, *given):
    """``array`` as a Tensor if one of ``given`` is: targets of Tensors go to a loss."""
    return wrap(array) if any(isinstance(g, Tensor) for g in given) else array


def weights_of(targets, num_classes, count=None, dtype=np.float32) -> np.ndarray:
    """Targets as an array (N, C) of weights: labels become rows with a 1 for the class.

    Args:
        targets: labels (N,) or weights (N, C).
        num_classes: C, or None where the targets are weights.
        count: N, where it is known.
        dtype: of weights made from labels.

    Raises:
        ValueError: another shape; ``num_classes`` missing, or not that of the weights; negative
            weights.
        IndexError: a label that is no class.
        RuntimeError: labels that are no integers.
    """
    y = array_of(targets, "targets")
    if y.ndim not in (1, 2) or (count is not None and len(y) != count):
        n = "N" if count is None else count
        raise ArgumentError(
            f"targets should be labels of shape ({n},) or weights of shape ({n}, classes), got "
            f"shape {y.shape}"
        )
    if y.ndim == 1:
        return _from_labels(y, num_classes, dtype)
    if num_classes is not None and y.shape[1] != num_classes:
        raise ArgumentError(
            f"targets of shape {y.shape} have {y.shape[1]} classes, but num_classes={num_classes}"
        )
    if y.dtype.kind != "f":
        raise DtypeError(f"targets of shape {y.shape} should be floating-point, got {y.dtype}")
    if not (np.isfinite(y).all() and (y >= 0).all()):
        raise ArgumentError("targets as weights of classes should be finite and at least 0")
    return y


def _from_labels(y, num_classes, dtype):
    if num_classes is None:
        raise ArgumentError(
            f"targets of shape {y.shape} are labels, and num_classes is missing: pass the number "
            "of classes"
        )
    if y.dtype.kind not in "iu" and y.size:
        raise DtypeError(
            f"targets of shape {y.shape} should be labels of an integer dtype, got {y.dtype}; "
            f"weights have shape (N, {num_classes})"
        )
    y = y.astype(np.int64)
    bad = np.flatnonzero((y < 0) | (y >= num_classes))
    if len(bad):
        raise DimError(
            f"targets should be labels in 0..{num_classes - 1} (num_classes={num_classes}), got "
            f"{y[bad[0]]} at {bad[0]}"
        )
    return one_hot(wrap(y), num_classes).numpy().astype(dtype)


def demand_classes(num_classes):
    """Raise unless ``num_classes`` is None or a positive integer."""
    if num_classes is not None:
        check_count(num_classes, "num_classes", 1)


def smooth_labels(targets, epsilon: float = 0.1, num_classes: int | None = None):
    """``(1 - epsilon) q + epsilon / C``: a little of each label spread over all C classes.

    Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception Architecture for
    Computer Vision" (arXiv:1512.00567), section 7; what ``F.cross_entropy(label_smoothing=)`` does
    within the loss, for every loss that takes weights of classes. The bi-tempered loss has another
    convention: the label itself keeps ``1 - epsilon`` there.

    Args:
        targets: labels (N,), or weights (N, C) such as a mixer returns.
        epsilon: in [0, 1]; 0.1.
        num_classes: C, needed for labels.

    Raises:
        ValueError: ``epsilon`` outside [0, 1]; another shape; ``num_classes`` missing, or not that
            of the weights; negative weights.
        IndexError: a label that is no class.
        RuntimeError: labels that are no integers.

    >>> smooth_labels([1], 0.25, num_classes=2)
    array([[0.125, 0.875]], dtype=float32)
    """
    check_probability(epsilon, "epsilon")
    demand_classes(num_classes)
    y = weights_of(targets, num_classes)
    classes = max(y.shape[1], 1)
    return like(y * y.dtype.type(1 - epsilon) + y.dtype.type(epsilon / classes), targets)


class LabelSmoothing:
    """:func:`smooth_labels` called as the mixers are: ``(images, targets)`` to the same pair.

    Mixers take what it returns, and it takes what they return; the result is the same, unless the
    weights do not sum to one (:class:`SnapMix`).

    >>> import tensorgrad as torch
    >>> smooth = LabelSmoothing(0.1, num_classes=2)
    >>> smooth(torch.zeros(1, 3, 4, 4), torch.tensor([0]))[1]
    tensor([[0.9500, 0.0500]])
    """

    def __init__(self, epsilon: float = 0.1, num_classes: int | None = None):
        check_probability(epsilon, "epsilon")
        demand_classes(num_classes)
        self.epsilon, self.num_classes = epsilon, num_classes

    def __call__(self, images, targets):
        """The images as they are, and smoothed targets."""
        smoothed = smooth_labels(targets, self.epsilon, self.num_classes)
        return images, like(array_of(smoothed, "targets"), images, targets)

    def __repr__(self):
        return f"LabelSmoothing({self.epsilon:g}, num_classes={self.num_classes})"


def mixed_loss(
    loss_fn, outputs: Tensor, targets: Tensor, reduction: str = "mean", **options
) -> Tensor:
    """``sum_c w_c loss_fn(outputs, c)``: the loss of each label, weighted; the way papers write it.

    For losses that take labels only, for losses that are not linear in their target, and for
    weights that do not sum to one (:class:`SnapMix`): none of these is asked of ``loss_fn``. With
    ``F.cross_entropy``, which is linear, it is ``F.cross_entropy(outputs, targets)``. The loss is
    computed as many times as a row has labels: twice for what a mixer made of labels.

    Args:
        loss_fn: called as ``loss_fn(outputs, labels, reduction="none", **options)``.
        outputs: (N, C).
        targets: weights (N, C), at least 0.
        reduction: "mean" over the N samples, "sum" or "none".
        options: passed on to ``loss_fn``.

    Raises:
        ValueError: shapes that do not fit, or another reduction.

    >>> import tensorgrad as torch
    >>> F = torch.nn.functional
    >>> outputs, targets = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.6, 0.9]])
    >>> mixed_loss(F.cross_entropy, outputs, targets)
    tensor(1.9904)
    >>> F.cross_entropy(outputs, targets)
    tensor(1.9904)
    """
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError(f"reduction should be 'mean', 'sum' or 'none', got {reduction!r}")
    if targets.ndim != 2 or tuple(targets.shape) != tuple(outputs.shape):
        raise ArgumentError(
            f"targets should be weights of the shape of outputs, (N, C), got targets "
            f"{tuple(targets.shape)} and outputs {tuple(outputs.shape)}"
        )
    w = weights_of(targets, None)
    order = np.argsort(-w, axis=1, kind="stable")
    most = int((w > 0).sum(1).max(initial=1))
    total = 0.0
    for labels in order.T[:most]:
        share = np.take_along_axis(w, labels[:, None], 1)[:, 0]
        labels = np.where(share > 0, labels, order[:, 0])  # 0 times an infinite loss is no number
        loss = loss_fn(outputs, wrap(labels), reduction="none", **options)
        total = total + wrap(share) * tg.where(wrap(share > 0), loss, 0.0)
    if reduction == "none":
        return total
    return total.sum() if reduction == "sum" else total.sum() / max(len(w), 1)
