"""Metrics of predicted labels: how many are right, and which classes are taken for which."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._graph import Tensor, wrap
from .labels import ClassMetric, check_range, kept, largest, scores_of
from .metric import check_option, no_samples, of_whole

__all__ = [
    "Accuracy", "ConfusionMatrix", "TopKAccuracy", "accuracy", "confusion_matrix",
    "top_k_accuracy",
]  # fmt: skip


class Accuracy(ClassMetric):
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
            raise no_samples(self.name)
        return self.correct / self.total


class TopKAccuracy(ClassMetric):
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
        scores, target = kept(*scores_of(output, target), self.ignore_index)
        if scores.ndim != 2:
            raise ValueError(
                f"{self.name} needs a score for each class, shape (N, C), got {np.shape(output)}"
            )
        if self.k > scores.shape[1]:
            raise ValueError(f"k={self.k} is more than the {scores.shape[1]} classes")
        check_range(target, scores.shape[1], "target")
        own = np.take_along_axis(scores, target[:, None], axis=1)
        earlier = np.arange(scores.shape[1]) < target[:, None]
        rank = (scores > own).sum(axis=1) + ((scores == own) & earlier).sum(axis=1)
        self.correct += int((rank < self.k).sum())
        self.total += target.size

    compute = Accuracy.compute

    def __repr__(self) -> str:
        return f"TopKAccuracy(k={self.k})"


class ConfusionMatrix(ClassMetric):
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
        check_option("normalize", normalize, ("true", "pred", "all", None))
        self.normalize = normalize
        super().__init__(num_classes, from_logits=from_logits, ignore_index=ignore_index)

    def reset(self) -> None:
        """Forget all batches."""
        size = self.num_classes or 0
        self.counts = np.zeros((size, size), np.int64)

    def _add(self, predicted: np.ndarray, target: np.ndarray, columns: int) -> None:
        size = max(len(self.counts), columns, largest(predicted, target) + 1)
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
            raise no_samples(self.name)
        if self.normalize is None:
            return wrap(self.counts.copy())
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        total = self.counts.sum(axis=axis, keepdims=True)
        return wrap(self.counts / np.maximum(total, 1))


def accuracy(output: Any, target: Any, **options: Any) -> float:
    """:class:`Accuracy` of whole arrays; ``options`` are its arguments.

    >>> accuracy([0, 1, 1], [0, 1, 0]) == 2 / 3
    True
    """
    return of_whole(Accuracy(**options), output, target)


def top_k_accuracy(output: Any, target: Any, k: int = 5, **options: Any) -> float:
    """:class:`TopKAccuracy` of whole arrays; ``options`` are its arguments.

    >>> top_k_accuracy([[0.1, 0.2, 0.7]], [1], k=2)
    1.0
    """
    return of_whole(TopKAccuracy(k, **options), output, target)


def confusion_matrix(output: Any, target: Any, **options: Any) -> Tensor:
    """:class:`ConfusionMatrix` of whole arrays; ``options`` are its arguments.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1], normalize="true")
    tensor([[0.5000, 0.5000],
            [0.0000, 1.0000]], dtype=torch.float64)
    """
    return of_whole(ConfusionMatrix(**options), output, target)
