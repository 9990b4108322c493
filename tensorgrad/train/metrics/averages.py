"""Precision, recall and F1: a ratio for each class, averaged over the classes."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..._graph import Tensor, wrap
from .labels import ClassMetric, largest
from .metric import check_option, no_samples, of_whole

__all__ = ["F1", "Precision", "Recall", "f1", "precision", "recall"]

AVERAGES = ("binary", "micro", "macro", "weighted", None)


class _Averaged(ClassMetric):
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
        check_option("average", average, AVERAGES)
        check_option("pos_label", pos_label, (0, 1))
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
        size = max(self.counts.shape[1], columns, largest(predicted, target) + 1)
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
            raise no_samples(self.name)
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


def precision(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`Precision` of whole arrays; ``options`` are its arguments.

    >>> precision([1, 1], [1, 0])
    0.5
    """
    return of_whole(Precision(**options), output, target)


def recall(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`Recall` of whole arrays; ``options`` are its arguments.

    >>> recall([1, 1], [1, 0])
    1.0
    """
    return of_whole(Recall(**options), output, target)


def f1(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`F1` of whole arrays; ``options`` are its arguments.

    >>> f1([0, 1, 2], [0, 1, 1], average="micro") == 2 / 3
    True
    """
    return of_whole(F1(**options), output, target)
