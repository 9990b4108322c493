"""From outputs and targets of any accepted shape to predicted and true labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from .metric import Metric, array_of

__all__ = ["ClassMetric", "check_range", "kept", "largest", "scores_of", "without_column"]

# Without num_classes, a label above this is taken for a mistake: the counts would fill the memory.
MOST_CLASSES = 10_000


def _whole(target: np.ndarray) -> np.ndarray:
    """Class labels as int64; floating ones must be whole numbers."""
    labels = target.astype(np.int64)
    if target.dtype.kind == "f" and not np.array_equal(labels, target):
        bad = target[labels != target].flat[0]
        raise ValueError(f"target must hold class labels (whole numbers), got {bad}")
    return labels


def _from_one_hot(target: np.ndarray) -> np.ndarray:
    """The label of each one-hot (or soft) target, from dimension 1."""
    if target.min(initial=0) < 0 or not np.allclose(target.sum(axis=1), 1, atol=1e-4):
        raise ValueError(
            f"a target of the output's shape {target.shape} must be one-hot along dimension 1: "
            "not negative, each sum 1 (several labels at once are not supported)"
        )
    return target.argmax(axis=1)


def without_column(array: np.ndarray) -> np.ndarray:
    """Without dimension 1 where that has size 1: (N, 1) is (N,)."""
    return array[:, 0] if array.ndim > 1 and array.shape[1] == 1 else array


def scores_of(output: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scores (samples, C) or (samples,), or integer labels (samples,); and true labels (samples,).

    Everything after dimension 1 counts as further samples.
    """
    given, target = array_of(output, "output"), without_column(array_of(target, "target"))
    output = without_column(given)
    if output.shape == target.shape:
        if output.dtype.kind != "f" or output.ndim == 1 or output.ndim < given.ndim:
            return output.reshape(-1), _whole(target).reshape(-1)
        target = _from_one_hot(target)
    elif output.dtype.kind != "f" or target.shape != output.shape[:1] + output.shape[2:]:
        raise ValueError(
            f"output of shape {output.shape} and dtype {output.dtype} does not go with a target "
            f"of shape {target.shape}; expected scores (N, C, ...) with labels (N, ...), "
            "or labels or one score per sample, both of the same shape"
        )
    scores = np.moveaxis(output, 1, -1).reshape(-1, output.shape[1])
    return scores, _whole(target).reshape(-1)


def kept(
    scores: np.ndarray, target: np.ndarray, ignore_index: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Both without the samples whose true label is ``ignore_index``."""
    if ignore_index is None:
        return scores, target
    keep = target != ignore_index
    return scores[keep], target[keep]


def check_range(labels: np.ndarray, classes: int, what: str, hint: str = "") -> None:
    """Raise where a label is not one of ``classes``."""
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        bad = labels.min() if labels.min() < 0 else labels.max()
        raise ValueError(f"{what} holds class {bad}, expected 0 to {classes - 1}{hint}")


def _predicted(scores: np.ndarray, from_logits: bool) -> np.ndarray:
    """The label of each sample: the largest score, the first of equals; or which side it is on."""
    if scores.ndim == 2:
        return scores.argmax(axis=1)
    if scores.dtype.kind != "f":
        return scores.astype(np.int64)
    if from_logits:
        return (scores > 0).astype(np.int64)
    if scores.size and (scores.min() < 0 or scores.max() > 1):
        raise ValueError(
            f"one score per sample must be a probability, got values from {scores.min():.4g} to "
            f"{scores.max():.4g}; for logits give from_logits=True, for labels an integer dtype"
        )
    return (scores >= 0.5).astype(np.int64)


class ClassMetric(Metric):
    """A metric of predicted against true labels."""

    num_classes: int | None = None
    range_hint = ""

    def __init__(
        self,
        num_classes: int | None = None,
        *,
        from_logits: bool = False,
        ignore_index: int | None = None,
    ) -> None:
        if num_classes is not None and num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        self.num_classes = num_classes
        self.from_logits = from_logits
        self.ignore_index = ignore_index
        self.reset()

    def update(self, output: Any, target: Any) -> None:
        """Add a batch; the module says which shapes are accepted.

        Raises:
            ValueError: the shapes do not fit, a label is out of range, a value is NaN.
            TypeError: complex values or objects.
        """
        scores, target = kept(*scores_of(output, target), self.ignore_index)
        predicted = _predicted(scores, self.from_logits)
        classes = self._classes(scores)
        check_range(target, classes, "target", self.range_hint)
        check_range(predicted, classes, "output", self.range_hint)
        self._add(predicted, target, scores.shape[1] if scores.ndim == 2 else 0)

    def _classes(self, scores: np.ndarray) -> int:
        """How many classes there may be, as far as this batch and the arguments say."""
        columns = scores.shape[1] if scores.ndim == 2 else None
        if columns and self.num_classes and columns > self.num_classes:
            raise ValueError(
                f"output has scores for {columns} classes, expected {self.num_classes}"
                f"{self.range_hint}"
            )
        if scores.ndim == 1 and scores.dtype.kind == "f":
            columns = 2
        return columns or self.num_classes or MOST_CLASSES

    def _add(self, predicted: np.ndarray, target: np.ndarray, columns: int) -> None:
        raise NotImplementedError


def largest(*labels: np.ndarray) -> int:
    """The largest label, -1 without any."""
    return max(int(array.max(initial=-1)) for array in labels)
