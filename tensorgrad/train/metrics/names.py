"""Metrics by their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .averages import AVERAGES, F1, Precision, Recall
from .classification import Accuracy, ConfusionMatrix, TopKAccuracy
from .metric import Metric
from .ranking import ROCAUC
from .regression import MAE, MSE, R2

__all__ = ["get", "takes_logits"]

METRICS: dict[str, Callable[..., Metric]] = {
    metric.name: metric
    for metric in (
        Accuracy, TopKAccuracy, Precision, Recall, F1, ROCAUC, ConfusionMatrix, R2, MSE, MAE,
    )
}  # fmt: skip
# Losses, as classes or functions, whose inputs are logits (or log-probabilities, which serve).
LOGIT_LOSSES = frozenset({
    "BCEWithLogitsLoss", "CrossEntropyLoss", "NLLLoss", "SoftMarginLoss",
    "binary_cross_entropy_with_logits", "cross_entropy", "nll_loss", "soft_margin_loss",
})  # fmt: skip
WITH_LOGITS = ("accuracy", "precision", "recall", "f1", "roc_auc", "confusion_matrix")


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


def takes_logits(loss: Any) -> bool:
    """Whether the loss, a module or function, is known to take logits.

    >>> from tensorgrad import nn
    >>> takes_logits(nn.CrossEntropyLoss()), takes_logits(nn.BCELoss())
    (True, False)
    """
    names = {getattr(loss, "__name__", "")} | {kind.__name__ for kind in type(loss).__mro__}
    return bool(names & LOGIT_LOSSES)
