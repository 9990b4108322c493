"""Metrics that add up over batches: classes, rankings and regression.

Each metric is an object with ``reset()``, ``update(output, target)`` and ``compute()``. What it
keeps between batches is counts, sums or scores, never the value of a batch, so the value of the
whole does not depend on how the data was cut into batches. A function of the same name does both
steps for whole arrays.

>>> import tensorgrad as torch
>>> from tensorgrad.train import metrics
>>> metric = metrics.Accuracy()
>>> metric.update(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 1]))
>>> metric.update(torch.tensor([[2.0, 1.0]]), torch.tensor([1]))
>>> round(metric.compute(), 4)
0.6667
>>> metrics.accuracy(torch.tensor([0, 1, 0]), torch.tensor([0, 1, 1])) == metric.compute()
True

What a classification metric accepts as ``output``, with N samples and C classes:

========================  =================  =======================================
output                    target             meaning
========================  =================  =======================================
floating (N, C, ...)      (N, ...)           a score for each class, dimension 1
floating (N, C, ...)      (N, C, ...)        the same; the target is one-hot
floating (N,), (N, 1...)  the same, or (N,)  one score, that of class 1 of two
integer or bool, any      the same shape     labels
========================  =================  =======================================

Scores for each class may be logits or probabilities: only their order counts. One score for two
classes is a probability, which must lie in [0, 1] and means class 1 from 0.5 on; with
``from_logits=True`` it is any real number and means class 1 above 0.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .._graph import Tensor, wrap

__all__ = [
    "F1", "MAE", "MSE", "R2", "ROCAUC", "Accuracy", "ConfusionMatrix", "Metric", "Precision",
    "Recall", "TopKAccuracy", "accuracy", "confusion_matrix", "f1", "get", "mae", "mse",
    "precision", "r2", "recall", "roc_auc", "top_k_accuracy",
]  # fmt: skip

AVERAGES = ("binary", "micro", "macro", "weighted", None)
# Without num_classes, a label above this is taken for a mistake: the counts would fill the memory.
MOST_CLASSES = 10_000


class Metric:
    """What all metrics share. A new one defines the three methods.

    Attributes:
        name: the metric's column in a table of results.
    """

    name = "metric"

    def reset(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__} must define reset()")

    def update(self, output: Any, target: Any) -> None:
        """Add a batch. A call that raises leaves the metric as it was."""
        raise NotImplementedError(f"{type(self).__name__} must define update()")

    def compute(self) -> Any:
        """The value over all batches since the last reset.

        Raises:
            RuntimeError: there was no sample.
        """
        raise NotImplementedError(f"{type(self).__name__} must define compute()")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _array(value: Any, what: str) -> np.ndarray:
    """The values as a real array without NaN."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{what} must hold real numbers, got dtype {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"{what} must have a batch dimension, got a single number")
    if array.dtype.kind == "f" and np.isnan(array).any():
        count = int(np.isnan(array).sum())
        raise ValueError(
            f"{what} holds {count} NaN among {array.size} values; "
            "has training diverged, or is data missing?"
        )
    return array


def _no_samples(name: str) -> RuntimeError:
    return RuntimeError(f"{name} has seen no sample: call update(output, target) first")


def _option(name: str, value: Any, allowed: tuple) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}, got {value!r}")


# --- labels -----------------------------------------------------------------------------------


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


def _single(array: np.ndarray) -> np.ndarray:
    """Without dimension 1 where that has size 1: (N, 1) is (N,)."""
    return array[:, 0] if array.ndim > 1 and array.shape[1] == 1 else array


def _scores(output: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scores (samples, C) or (samples,), or integer labels (samples,); and true labels (samples,).

    Everything after dimension 1 counts as further samples.
    """
    given, target = _array(output, "output"), _single(_array(target, "target"))
    output = _single(given)
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


def _kept(
    scores: np.ndarray, target: np.ndarray, ignore_index: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Both without the samples whose true label is ``ignore_index``."""
    if ignore_index is None:
        return scores, target
    keep = target != ignore_index
    return scores[keep], target[keep]


def _check_range(labels: np.ndarray, classes: int, what: str, hint: str = "") -> None:
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


class _ClassMetric(Metric):
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
        scores, target = _kept(*_scores(output, target), self.ignore_index)
        predicted = _predicted(scores, self.from_logits)
        classes = self._classes(scores)
        _check_range(target, classes, "target", self.range_hint)
        _check_range(predicted, classes, "output", self.range_hint)
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


class Accuracy(_ClassMetric):
    """Share of the samples whose predicted label is the true one.

    Args:
        num_classes: labels from here on are an error; None takes this from the scores.
        from_logits: one score per sample is a logit, not a probability (see the module).
        ignore_index: true label of samples to leave out, as in ``F.cross_entropy``.

    As ``sklearn.metrics.accuracy_score``. Of equal scores the first counts, as in ``argmax``.

    >>> metric = Accuracy(from_logits=True)
    >>> metric.update([0.3, -2.0, 1.5], [1, 0, 0])
    >>> round(metric.compute(), 4)
    0.6667
    """

    name = "accuracy"

    def reset(self) -> None:
        """Forget all batches."""
        self.correct, self.total = 0, 0

    def _add(self, predicted: np.ndarray, target: np.ndarray, columns: int) -> None:
        self.correct += int((predicted == target).sum())
        self.total += target.size

    def compute(self) -> float:
        """The share, 0 to 1.

        Raises:
            RuntimeError: there was no sample.
        """
        if not self.total:
            raise _no_samples(self.name)
        return self.correct / self.total


class TopKAccuracy(_ClassMetric):
    """Share of the samples whose true class is among the ``k`` highest scores.

    Args:
        k: how many guesses each sample has, 1 to the number of classes.
        ignore_index: true label of samples to leave out.

    Of equal scores the lower class comes first, so that ``k=1`` is :class:`Accuracy`;
    ``sklearn.metrics.top_k_accuracy_score`` lets the higher one come first.

    >>> top_k_accuracy([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], [1, 2], k=2)
    0.5
    """

    name = "top_k_accuracy"

    def __init__(self, k: int = 5, *, ignore_index: int | None = None) -> None:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        self.k = k
        super().__init__(ignore_index=ignore_index)

    def reset(self) -> None:
        """Forget all batches."""
        self.correct, self.total = 0, 0

    def update(self, output: Any, target: Any) -> None:
        """Add a batch of scores (N, C, ...).

        Raises:
            ValueError: as :meth:`Accuracy.update`; or there are no scores for each class, or
                fewer classes than ``k``.
        """
        scores, target = _kept(*_scores(output, target), self.ignore_index)
        if scores.ndim != 2:
            raise ValueError(
                f"{self.name} needs a score for each class, shape (N, C), got {np.shape(output)}"
            )
        if self.k > scores.shape[1]:
            raise ValueError(f"k={self.k} is more than the {scores.shape[1]} classes")
        _check_range(target, scores.shape[1], "target")
        own = np.take_along_axis(scores, target[:, None], axis=1)
        earlier = np.arange(scores.shape[1]) < target[:, None]
        rank = (scores > own).sum(axis=1) + ((scores == own) & earlier).sum(axis=1)
        self.correct += int((rank < self.k).sum())
        self.total += target.size

    compute = Accuracy.compute

    def __repr__(self) -> str:
        return f"TopKAccuracy(k={self.k})"


class ConfusionMatrix(_ClassMetric):
    """How often each true class (row) was predicted as each class (column).

    Args:
        num_classes: C. None takes the number of scores per sample, or the largest label seen.
        normalize: ``"true"`` (rows sum to 1), ``"pred"`` (columns), ``"all"`` or None (counts).
            A row or column without a sample is zero.
        from_logits: one score per sample is a logit, not a probability.
        ignore_index: true label of samples to leave out.

    As ``sklearn.metrics.confusion_matrix``, except that row i is class i also where some class
    never occurs.

    >>> confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2])
    tensor([[1, 0, 0],
            [0, 1, 0],
            [0, 1, 1]])
    """

    name = "confusion_matrix"

    def __init__(
        self,
        num_classes: int | None = None,
        *,
        normalize: str | None = None,
        from_logits: bool = False,
        ignore_index: int | None = None,
    ) -> None:
        _option("normalize", normalize, ("true", "pred", "all", None))
        self.normalize = normalize
        super().__init__(num_classes, from_logits=from_logits, ignore_index=ignore_index)

    def reset(self) -> None:
        """Forget all batches."""
        size = self.num_classes or 0
        self.counts = np.zeros((size, size), np.int64)

    def _add(self, predicted: np.ndarray, target: np.ndarray, columns: int) -> None:
        size = max(len(self.counts), columns, _largest(predicted, target) + 1)
        new = np.bincount(target * size + predicted, minlength=size * size).reshape(size, size)
        old = len(self.counts)
        new[:old, :old] += self.counts
        self.counts = new

    def compute(self) -> Tensor:
        """The matrix, shape (C, C): int64 counts, or float64 shares with ``normalize``.

        Raises:
            RuntimeError: there was no sample.
        """
        if not self.counts.any():
            raise _no_samples(self.name)
        if self.normalize is None:
            return wrap(self.counts.copy())
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        total = self.counts.sum(axis=axis, keepdims=True)
        return wrap(self.counts / np.maximum(total, 1))


def _largest(*labels: np.ndarray) -> int:
    """The largest label, -1 without any."""
    return max(int(array.max(initial=-1)) for array in labels)


# --- precision, recall, F1 --------------------------------------------------------------------


class _Averaged(_ClassMetric):
    """A ratio for each class, averaged."""

    def __init__(
        self,
        num_classes: int | None = None,
        *,
        average: str | None = "binary",
        pos_label: int = 1,
        zero_division: str | float = "warn",
        from_logits: bool = False,
        ignore_index: int | None = None,
    ) -> None:
        _option("average", average, AVERAGES)
        _option("pos_label", pos_label, (0, 1))
        if zero_division not in ("warn", 0, 1) and not _is_nan(zero_division):
            raise ValueError(f'zero_division must be "warn", 0, 1 or nan, got {zero_division!r}')
        if average == "binary":
            if num_classes not in (None, 2):
                raise ValueError(f"average='binary' is for two classes, got {num_classes}")
            self.range_hint = (
                " with average='binary'; for more classes choose 'micro', 'macro', 'weighted' "
                "or None"
            )
        self.average, self.pos_label, self.zero_division = average, pos_label, zero_division
        # Classes that never occur count only where the caller named their number.
        self._every = num_classes is not None
        classes = 2 if average == "binary" else num_classes
        super().__init__(classes, from_logits=from_logits, ignore_index=ignore_index)

    def reset(self) -> None:
        """Forget all batches."""
        # Rows: true positives, predicted, actual.
        self.counts = np.zeros((3, self.num_classes or 0), np.int64)

    def _add(self, predicted: np.ndarray, target: np.ndarray, columns: int) -> None:
        size = max(self.counts.shape[1], columns, _largest(predicted, target) + 1)
        hits = target[predicted == target]
        new = np.stack([np.bincount(a, minlength=size) for a in (hits, predicted, target)])
        new[:, : self.counts.shape[1]] += self.counts
        self.counts = new

    def compute(self) -> float | Tensor:
        """The average, or with ``average=None`` the value of each class, float64 of shape (C,).

        Raises:
            RuntimeError: there was no sample.
        """
        if not self.counts.any():
            raise _no_samples(self.name)
        if self.average is None:
            return wrap(self._divide(self.counts))
        if self.average == "binary":
            return float(self._divide(self.counts[:, [self.pos_label]])[0])
        present = self._every | (self.counts[1:].sum(axis=0) > 0)
        counts = self.counts[:, present]
        if self.average == "micro":
            return float(self._divide(counts.sum(axis=1, keepdims=True))[0])
        weights = counts[2] if self.average == "weighted" else np.ones(counts.shape[1])
        return _nan_average(self._divide(counts), weights)

    def _divide(self, counts: np.ndarray) -> np.ndarray:
        """The ratio of each column of counts, with what stands for 0 / 0."""
        numerator, denominator = self._ratio(*counts)
        empty = denominator == 0
        if empty.any() and self.zero_division == "warn":
            warnings.warn(
                f"{self.name} is undefined for {int(empty.sum())} of {empty.size} classes and set "
                "to 0 there; zero_division= chooses another value, and 0 without this warning",
                stacklevel=3,
            )
        instead = 0.0 if self.zero_division == "warn" else float(self.zero_division)
        return np.where(empty, instead, numerator / np.maximum(denominator, 1))

    def _ratio(self, hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> tuple:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}(average={self.average!r})"


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _nan_average(values: np.ndarray, weights: np.ndarray) -> float:
    """The weighted mean of those that are numbers; the plain one where these have no weight."""
    known = ~np.isnan(values)
    if not known.any():
        return math.nan
    values, weights = values[known], weights[known]
    return float(values @ weights / weights.sum() if weights.any() else values.mean())


class Precision(_Averaged):
    """Share of the samples predicted as a class that are of that class.

    Args:
        num_classes: C. None takes it from the data, and leaves classes that neither occur nor
            are predicted out of the averages, as scikit-learn does without ``labels``.
        average: over the classes: ``"binary"`` (of ``pos_label`` alone; two classes),
            ``"micro"`` (of the summed counts), ``"macro"`` (plain mean), ``"weighted"`` (by how
            often each class is true) or None (each class; one that is absent is 0 / 0).
        pos_label: the class that ``"binary"`` reports, 0 or 1.
        zero_division: what stands for 0 / 0: 0, 1, nan (left out of averages) or ``"warn"``,
            which is 0 and a warning.
        from_logits: one score per sample is a logit, not a probability.
        ignore_index: true label of samples to leave out.

    As ``sklearn.metrics.precision_score``.

    >>> precision([1, 1, 0, 1], [1, 0, 0, 1]) == 2 / 3
    True
    >>> precision([0, 2, 1], [0, 2, 2], average=None, zero_division=0)
    tensor([1., 0., 1.], dtype=torch.float64)
    """

    name = "precision"

    def _ratio(self, hits, predicted, actual):
        return hits, predicted


class Recall(_Averaged):
    """Share of the samples of a class that were predicted as it.

    The arguments are those of :class:`Precision`. As ``sklearn.metrics.recall_score``.

    >>> recall([1, 1, 0, 0], [1, 0, 0, 1])
    0.5
    """

    name = "recall"

    def _ratio(self, hits, predicted, actual):
        return hits, actual


class F1(_Averaged):
    """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).

    The arguments are those of :class:`Precision`. As ``sklearn.metrics.f1_score``: 0 / 0 is only
    where a class neither occurs nor is predicted.

    >>> f1([1, 1, 0, 1], [1, 0, 0, 1])
    0.8
    """

    name = "f1"

    def _ratio(self, hits, predicted, actual):
        return 2 * hits, predicted + actual


# --- ranking ----------------------------------------------------------------------------------


class ROCAUC(Metric):
    """Area under the ROC curve: the chance that a positive sample scores above a negative one.

    Exact, ties count one half (the Mann-Whitney statistic), which needs every score: the memory
    grows with the number of samples, by the size of one batch's output each.

    Args:
        average: over the classes, each against the rest, where there are more than two:
            ``"macro"``, ``"weighted"`` (by how often each class is true), ``"micro"`` (all
            pairs of sample and class as one problem) or None (each class).
        from_logits: scores (N, C) are logits, and softmax is taken first: across samples, a
            logit alone does not rank. With one score per sample it makes no difference.
        ignore_index: true label of samples to leave out.

    ``output`` has one score per sample, (N,) or (N, 1), or one per class, (N, C, ...); with two
    classes, class 1 is the positive one. As ``sklearn.metrics.roc_auc_score`` with
    ``multi_class="ovr"``; but a class that is absent, or alone, gives nan and a warning, there
    partly an error.

    >>> roc_auc([0.1, 0.4, 0.4, 0.8], [0, 0, 1, 1])
    0.875
    """

    name = "roc_auc"

    def __init__(
        self,
        average: str | None = "macro",
        *,
        from_logits: bool = False,
        ignore_index: int | None = None,
    ) -> None:
        _option("average", average, ("macro", "weighted", "micro", None))
        self.average, self.from_logits, self.ignore_index = average, from_logits, ignore_index
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.scores: list[np.ndarray] = []
        self.targets: list[np.ndarray] = []

    def update(self, output: Any, target: Any) -> None:
        """Add a batch.

        Raises:
            ValueError: the shapes do not fit each other or the batches before, a label is out of
                range, a value is NaN, or scores (N, C) do not sum to 1 without ``from_logits``.
            TypeError: complex values or objects.
        """
        scores, target = _kept(*_scores(output, target), self.ignore_index)
        _check_range(target, scores.shape[1] if scores.ndim == 2 else 2, "target")
        scores = self._ranking(scores)
        if self.scores and self.scores[0].shape[1:] != scores.shape[1:]:
            raise ValueError(
                f"output gives scores of shape {scores.shape[1:]} for each sample, "
                f"earlier batches {self.scores[0].shape[1:]}"
            )
        self.scores.append(scores.copy())
        self.targets.append(target)  # a copy already: see _whole

    def _ranking(self, scores: np.ndarray) -> np.ndarray:
        """Scores that can be compared across samples; of two classes, those of class 1."""
        if scores.ndim == 1:
            return scores
        if not self.from_logits:
            if not np.allclose(scores.sum(axis=1), 1, atol=1e-4):
                raise ValueError(
                    "scores for each class must be probabilities that sum to 1; "
                    "for logits give from_logits=True"
                )
            return scores[:, 1] if scores.shape[1] == 2 else scores
        if scores.shape[1] == 2:
            return scores[:, 1].astype(np.float64) - scores[:, 0]
        shifted = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)

    def compute(self) -> float | Tensor:
        """The area, 0 to 1; with ``average=None`` that of each class, float64 of shape (C,).

        Raises:
            RuntimeError: there was no sample.
        """
        if not sum(target.size for target in self.targets):
            raise _no_samples(self.name)
        scores, target = np.concatenate(self.scores), np.concatenate(self.targets)
        if scores.ndim == 1:
            return _area(scores, target == 1)
        one_hot = target[:, None] == np.arange(scores.shape[1])
        if self.average == "micro":
            return _area(scores.ravel(), one_hot.ravel())
        areas = np.array([_area(*pair) for pair in zip(scores.T, one_hot.T, strict=True)])
        if self.average is None:
            return wrap(areas)
        if self.average == "macro":
            return float(areas.mean())
        weights = one_hot.mean(axis=0)
        return float(areas[weights > 0] @ weights[weights > 0])

    def __repr__(self) -> str:
        return f"ROCAUC(average={self.average!r})"


def _area(scores: np.ndarray, positive: np.ndarray) -> float:
    """The Mann-Whitney statistic over its largest value, in whole numbers up to the division."""
    wins, losses = int(positive.sum()), int(positive.size - positive.sum())
    if not wins or not losses:
        warnings.warn(
            "roc_auc is undefined (nan) where only one of two classes occurs", stacklevel=3
        )
        return math.nan
    values, place = np.unique(scores, return_inverse=True)
    above = np.bincount(place[positive], minlength=values.size)
    below = np.bincount(place[~positive], minlength=values.size)
    # Twice the pairs won: 2 for each negative below, 1 for each equal.
    twice = int((above * (2 * np.cumsum(below) - below)).sum())
    return twice / (2 * wins * losses)


# --- regression -------------------------------------------------------------------------------


def _values(output: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 of shape (samples, outputs)."""
    output, target = _array(output, "output"), _array(target, "target")
    shapes = output.shape, target.shape
    output, target = _single(output), _single(target)
    if output.shape != target.shape:
        raise ValueError(
            f"output has shape {shapes[0]}, target {shapes[1]}; expected the same shape "
            "((N,) and (N, 1) count as the same)"
        )
    for what, array in (("output", output), ("target", target)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{what} holds an infinite value; has training diverged?")
    columns = math.prod(output.shape[1:])
    return (
        output.reshape(-1, columns).astype(np.float64),
        target.reshape(-1, columns).astype(np.float64),
    )


class _Regression(Metric):
    """A metric of real outputs (N,) or (N, ...), each place after dimension 0 an output."""

    OUTPUTS: tuple[str, ...] = ("uniform_average", "raw_values")
    width: int  # outputs for each sample

    def __init__(self, multioutput: str = "uniform_average") -> None:
        _option("multioutput", multioutput, self.OUTPUTS)
        self.multioutput = multioutput
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.count = 0

    def update(self, output: Any, target: Any) -> None:
        """Add a batch: two arrays of real numbers of the same shape, (N,) or (N, ...).

        Raises:
            ValueError: the shapes differ from each other or from the batches before; NaN or
                infinity.
            TypeError: complex values or objects.
        """
        output, target = _values(output, target)
        if not len(output):
            return
        if self.count and output.shape[1] != self.width:
            raise ValueError(
                f"{output.shape[1]} outputs per sample, earlier batches had {self.width}"
            )
        self._add(output, target)
        self.count += len(output)
        self.width = output.shape[1]

    def _add(self, output: np.ndarray, target: np.ndarray) -> None:
        raise NotImplementedError

    def compute(self) -> float | Tensor:
        """The value; with ``multioutput="raw_values"`` that of each output, float64.

        Raises:
            RuntimeError: there was no sample.
        """
        if not self.count:
            raise _no_samples(self.name)
        values = self._each()
        return wrap(values) if self.multioutput == "raw_values" else float(values.mean())

    def _each(self) -> np.ndarray:
        raise NotImplementedError


class _MeanError(_Regression):
    """The mean of a function of the differences."""

    mean: np.ndarray

    def _add(self, output: np.ndarray, target: np.ndarray) -> None:
        # A running mean: a sum of squares could overflow where the mean does not.
        new = self._error(output - target).mean(axis=0)
        share = len(output) / (self.count + len(output))
        self.mean = self.mean + (new - self.mean) * share if self.count else new

    def _error(self, difference: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _each(self) -> np.ndarray:
        return self.mean


class MSE(_MeanError):
    """Mean squared error, in float64.

    Args:
        multioutput: ``"uniform_average"`` (one number) or ``"raw_values"`` (each output's).

    As ``sklearn.metrics.mean_squared_error``. Shapes (N,) and (N, 1) are the same; others must be
    equal, since broadcasting (N, 1) against (N,) is how such a number goes wrong unseen.

    >>> mse([1.0, 2.0, 4.0], [1.0, 1.0, 1.0]) == 10 / 3
    True
    """

    name = "mse"

    def _error(self, difference):
        return np.square(difference)


class MAE(_MeanError):
    """Mean absolute error, in float64.

    The argument is that of :class:`MSE`. As ``sklearn.metrics.mean_absolute_error``.

    >>> mae([1.0, 2.0, 4.0], [1.0, 1.0, 2.0])
    1.0
    """

    name = "mae"

    def _error(self, difference):
        return np.abs(difference)


class R2(_Regression):
    """Coefficient of determination: 1 less the squared error over the variance of the target.

    1 is perfect, 0 as good as the mean of the target, and there is no lower bound. Variances are
    merged batch by batch (Chan, Golub and LeVeque 1979), so a target far from zero loses no digits.

    Args:
        multioutput: ``"uniform_average"``, ``"raw_values"`` or ``"variance_weighted"``.

    As ``sklearn.metrics.r2_score``: a constant target gives 1 if met exactly and else 0; fewer
    than two samples give nan and a warning.

    >>> round(r2([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]), 4)
    0.7857
    """

    name = "r2"
    OUTPUTS = ("uniform_average", "raw_values", "variance_weighted")

    def _add(self, output: np.ndarray, target: np.ndarray) -> None:
        if not self.count:
            # Relative to the first sample: a constant target has exactly no variance.
            self.origin = target[0].copy()
            self.mean = self.spread = self.residual = np.zeros(target.shape[1])
        moved = target - self.origin
        mean = moved.mean(axis=0)
        apart = mean - self.mean
        old, new = self.count, len(target)
        spread = np.square(moved - mean).sum(axis=0) + apart**2 * (old * new / (old + new))
        self.residual = self.residual + np.square(output - target).sum(axis=0)
        self.spread = self.spread + spread
        self.mean = self.mean + apart * (new / (old + new))

    def _each(self) -> np.ndarray:
        if self.count < 2:
            warnings.warn("r2 is undefined (nan) for fewer than two samples", stacklevel=3)
            return np.full(self.width, math.nan)
        constant = self.spread == 0
        ratio = self.residual / np.where(constant, 1.0, self.spread)
        return np.where(constant, np.where(self.residual == 0, 1.0, 0.0), 1.0 - ratio)

    def compute(self) -> float | Tensor:
        """The value; with ``multioutput="raw_values"`` that of each output, float64.

        Raises:
            RuntimeError: there was no sample.
        """
        if self.multioutput != "variance_weighted" or self.count < 2 or not self.spread.any():
            return super().compute()
        return float(self._each() @ self.spread / self.spread.sum())


# --- functions and names ----------------------------------------------------------------------


def _of_whole(metric: Metric, output: Any, target: Any) -> Any:
    metric.update(output, target)
    return metric.compute()


def accuracy(output: Any, target: Any, **options: Any) -> float:
    """:class:`Accuracy` of whole arrays; ``options`` are its arguments.

    >>> accuracy([0, 1, 1], [0, 1, 0]) == 2 / 3
    True
    """
    return _of_whole(Accuracy(**options), output, target)


def top_k_accuracy(output: Any, target: Any, k: int = 5, **options: Any) -> float:
    """:class:`TopKAccuracy` of whole arrays; ``options`` are its arguments.

    >>> top_k_accuracy([[0.1, 0.2, 0.7]], [1], k=2)
    1.0
    """
    return _of_whole(TopKAccuracy(k, **options), output, target)


def precision(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`Precision` of whole arrays; ``options`` are its arguments.

    >>> precision([1, 1], [1, 0])
    0.5
    """
    return _of_whole(Precision(**options), output, target)


def recall(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`Recall` of whole arrays; ``options`` are its arguments.

    >>> recall([1, 1], [1, 0])
    1.0
    """
    return _of_whole(Recall(**options), output, target)


def f1(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`F1` of whole arrays; ``options`` are its arguments.

    >>> f1([0, 1, 2], [0, 1, 1], average="micro") == 2 / 3
    True
    """
    return _of_whole(F1(**options), output, target)


def roc_auc(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`ROCAUC` of whole arrays; ``options`` are its arguments.

    >>> roc_auc([-1.0, 0.0, 2.0], [0, 1, 1])
    1.0
    """
    return _of_whole(ROCAUC(**options), output, target)


def confusion_matrix(output: Any, target: Any, **options: Any) -> Tensor:
    """:class:`ConfusionMatrix` of whole arrays; ``options`` are its arguments.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1], normalize="true")
    tensor([[0.5000, 0.5000],
            [0.0000, 1.0000]], dtype=torch.float64)
    """
    return _of_whole(ConfusionMatrix(**options), output, target)


def r2(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`R2` of whole arrays; ``options`` are its arguments.

    >>> r2([1.0, 2.0], [1.0, 2.0])
    1.0
    """
    return _of_whole(R2(**options), output, target)


def mse(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`MSE` of whole arrays; ``options`` are its arguments.

    >>> mse([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    return _of_whole(MSE(**options), output, target)


def mae(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`MAE` of whole arrays; ``options`` are its arguments.

    >>> mae([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    return _of_whole(MAE(**options), output, target)


METRICS: dict[str, Callable[..., Metric]] = {
    metric.name: metric
    for metric in (
        Accuracy, TopKAccuracy, Precision, Recall, F1, ROCAUC, ConfusionMatrix, R2, MSE, MAE,
    )
}  # fmt: skip
# Losses, as classes or functions, whose inputs are logits (or log-probabilities, which serve).
LOGIT_LOSSES = frozenset("""
    BCEWithLogitsLoss CrossEntropyLoss NLLLoss SoftMarginLoss binary_cross_entropy_with_logits
    cross_entropy nll_loss soft_margin_loss
""".split())


def get(name: str | Metric, *, loss: Any = None, **options: Any) -> Metric:
    """A metric by its name.

    Args:
        name: ``"accuracy"``, ``"top_k_accuracy"``, ``"precision"``, ``"recall"``, ``"f1"``,
            ``"roc_auc"``, ``"confusion_matrix"``, ``"r2"``, ``"mse"`` or ``"mae"``. An average
            may follow the three of one class: ``"f1_macro"``, ``"recall_weighted"``. A metric is
            returned as it is.
        loss: the loss that the outputs are trained with, module or function. One that takes
            logits sets ``from_logits`` where the metric has it.
        **options: further arguments of the metric.

    Raises:
        ValueError: there is no such metric; or options for a metric that is already made.

    >>> get("f1_macro")
    F1(average='macro')
    >>> from tensorgrad import nn
    >>> get("accuracy", loss=nn.BCEWithLogitsLoss()).from_logits
    True
    """
    if isinstance(name, Metric):
        if options:
            raise ValueError(f"{name!r} is already made; {sorted(options)} come too late")
        return name
    base, _, average = str(name).rpartition("_")
    if base in ("precision", "recall", "f1") and average in AVERAGES:
        name, options = base, {"average": average, **options}
    if name not in METRICS:
        raise ValueError(f"there is no metric {name!r}; there are {', '.join(METRICS)}")
    if takes_logits(loss) and name in WITH_LOGITS:
        options.setdefault("from_logits", True)
    return METRICS[name](**options)


WITH_LOGITS = ("accuracy", "precision", "recall", "f1", "roc_auc", "confusion_matrix")


def takes_logits(loss: Any) -> bool:
    """Whether the loss, a module or function, is known to take logits.

    >>> from tensorgrad import nn
    >>> takes_logits(nn.CrossEntropyLoss()), takes_logits(nn.BCELoss())
    (True, False)
    """
    names = {getattr(loss, "__name__", "")} | {kind.__name__ for kind in type(loss).__mro__}
    return bool(names & LOGIT_LOSSES)
