"""The area under the ROC curve, from the scores of all samples."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..._graph import Tensor, wrap
from .labels import check_range, kept, scores_of
from .metric import Metric, check_option, no_samples, of_whole

__all__ = ["ROCAUC", "roc_auc"]


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
        check_option("average", average, ("macro", "weighted", "micro", None))
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
        scores, target = kept(*scores_of(output, target), self.ignore_index)
        check_range(target, scores.shape[1] if scores.ndim == 2 else 2, "target")
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
            raise no_samples(self.name)
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


def roc_auc(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`ROCAUC` of whole arrays; ``options`` are its arguments.

    >>> roc_auc([-1.0, 0.0, 2.0], [0, 1, 1])
    1.0
    """
    return of_whole(ROCAUC(**options), output, target)
