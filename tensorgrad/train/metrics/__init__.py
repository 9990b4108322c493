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

from .averages import F1, Precision, Recall, f1, precision, recall
from .classification import (
    Accuracy,
    ConfusionMatrix,
    TopKAccuracy,
    accuracy,
    confusion_matrix,
    top_k_accuracy,
)
from .metric import Metric
from .names import get
from .ranking import ROCAUC, roc_auc
from .regression import MAE, MSE, R2, mae, mse, r2

__all__ = [
    "F1", "MAE", "MSE", "R2", "ROCAUC", "Accuracy", "ConfusionMatrix", "Metric", "Precision",
    "Recall", "TopKAccuracy", "accuracy", "confusion_matrix", "f1", "get", "mae", "mse",
    "precision", "r2", "recall", "roc_auc", "top_k_accuracy",
]  # fmt: skip
