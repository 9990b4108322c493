"""Bias or variance, in words: what the errors on training and validation set say."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..nn import Module
from . import metrics
from .batches import batches_of
from .checks import evaluating
from .history import History, mode_of
from .trainer import Trainer

__all__ = ["Diagnosis", "diagnose"]

VERDICTS = {
    1: "a good fit: both errors are low",
    2: "underfitting: both errors are high, and alike",
    3: "overfitting: the training error is low, the validation error is not",
    4: "underfitting, and the validation error is higher still",
}
ADVICE = {
    1: ("Nothing is wrong. Longer training or a lower learning rate may improve it further.",),
    2: (
        "Train longer, and watch whether the training error still falls.",
        "Try another learning rate or optimizer.",
        "Make the network larger, or choose one that suits the data better.",
        "Reduce regularization: weight decay, dropout.",
        "Look at the data: wrong labels, missing features, inputs that are not normalised.",
    ),
    3: (
        "Get more data, or make more of it: tensorgrad.augment.",
        "Stop earlier: EarlyStopping keeps the best epoch.",
        "Regularize: weight_decay of the optimizer (L2), an L1 penalty, nn.Dropout.",
        "Make the network smaller, or average several.",
        "Check that both sets come from the same source: what is special about the training "
        "samples may be absent from the validation set.",
    ),
    4: (
        "Train longer first: as long as the training error is high, the gap says little.",
        "Then treat the bias (a larger network, another learning rate), and the variance after it.",
        "Check that both sets come from the same source and are prepared in the same way.",
    ),
}


class Diagnosis(NamedTuple):
    """What :func:`diagnose` found. ``print`` it to read it.

    Attributes:
        train_error: error A on the training set.
        valid_error: error B on the validation set.
        ratio: B / A; infinite if only A is zero, 1 if both are.
        bias: ``"low"`` or ``"high"``.
        variance: ``"low"`` or ``"high"``.
        case: 1 to 4, the row of the table.
        verdict: the case in words.
        measure: what the errors are, for example ``"1 - accuracy"``.
        bias_threshold: the bounds that decided.
        variance_threshold: of the ratio.
        min_gap: of the difference.
        notes: what the history adds.
        advice: what to try, the first thing first.
    """

    train_error: float
    valid_error: float
    ratio: float
    bias: str
    variance: str
    case: int
    verdict: str
    measure: str
    bias_threshold: float
    variance_threshold: float
    min_gap: float
    notes: tuple[str, ...]
    advice: tuple[str, ...]

    def __str__(self) -> str:
        low, high = ("at most", "above")
        bound = low if self.bias == "low" else high
        show = self._show
        if self.variance == "low" and self.ratio > self.variance_threshold:
            why = f"the errors differ by less than {show(self.min_gap)}"
        else:
            side = low if self.variance == "low" else high
            why = f"the ratio is {side} {self.variance_threshold:g}"
        lines = [
            f"Training error:   {show(self.train_error)} ({self.measure})",
            f"Validation error: {show(self.valid_error)}, {self.ratio:.3g} times that",
            f"Bias:     {self.bias} (the training error is {bound} {show(self.bias_threshold)})",
            f"Variance: {self.variance} ({why})",
            f"Case {self.case}: {self.verdict}.",
        ]
        for title, points in (("Seen in the history:", self.notes), ("To try:", self.advice)):
            if points:
                lines += [title, *(f"  - {point}" for point in points)]
        return "\n".join(lines)

    def _show(self, error: float) -> str:
        return f"{100 * error:.4g} %" if self.measure.startswith("1 - ") else f"{error:.4g}"


def diagnose(
    source: Any,
    train: Any = None,
    valid: Any = None,
    *,
    measure: Any = None,
    bias_threshold: float | None = None,
    variance_threshold: float = 1.5,
    min_gap: float | None = None,
    epoch: int | None = None,
    batch_size: int = 256,
) -> Diagnosis:
    """Bias and variance of a model in words, from its errors on training and validation set.

    The course notes measure the bias by the training error A, the variance by the ratio B / A of
    the validation error to it, and know four cases (table 16-2):

    ====  ======  ======  ====  ========  ============================
    case  A       B       bias  variance  meaning
    ====  ======  ======  ====  ========  ============================
    1     1.5 %   1.7 %   low   low       a good fit
    2     12.3 %  11.4 %  high  low       underfitting
    3     1.2 %   13.1 %  low   high      overfitting
    4     12.3 %  21.5 %  high  high      underfitting, and worse on B
    ====  ======  ======  ====  ========  ============================

    Their bounds are not given there. The defaults lie in the gaps between the cases: 5 % for A
    (between 1.5 and 12.3 %), 1.5 for B / A (between 1.13 and 1.75). Differences of less than
    ``min_gap`` never count as variance, since 0.3 % against 0.1 % is no overfitting; 0 gives the
    notes' rule.

    Args:
        source: a :class:`History` or a :class:`Trainer` with one, whose recorded values are judged;
            or, with ``train`` and ``valid``, a Module, a Trainer or an object with ``score(x, y)``
            such as a scikit-learn estimator, which is measured on them.
        train: the training set: a pair (x, y), a Dataset or batches.
        valid: the validation set.
        measure: what to judge by. For a history the name of a recorded value (``"accuracy"``); None
            takes accuracy, r2 or another score, whichever comes first, and else the loss. For a
            model a metric or its name; None is accuracy for whole-number targets and r2 for others.
            The error is 1 less a score, and an error such as ``"mse"`` or ``"loss"`` itself.
        bias_threshold: the training error above which bias is high. None is 0.05 for 1 less a
            score; other errors have no scale of their own, and need it given.
        variance_threshold: the ratio above which variance is high.
        min_gap: the difference B - A up to which variance is low. None is 0.01 for 1 less a score
            and 0 for other errors.
        epoch: which epoch of the history, from 1; None is the last.
        batch_size: samples at a time, for a model.

    Raises:
        TypeError: ``source`` is none of the above.
        ValueError: ``bias_threshold`` is needed; the history has no validation values; only one of
            the two sets is given; a value is not finite.

    >>> from tensorgrad.train import History, diagnose
    >>> history = History()
    >>> history.epochs = [{"epoch": 1, "train_accuracy": 0.988, "valid_accuracy": 0.869}]
    >>> print(diagnose(history))
    Training error:   1.2 % (1 - accuracy)
    Validation error: 13.1 %, 10.9 times that
    Bias:     low (the training error is at most 5 %)
    Variance: high (the ratio is above 1.5)
    Case 3: overfitting: the training error is low, the validation error is not.
    To try:
      - Get more data, or make more of it: tensorgrad.augment.
      - Stop earlier: EarlyStopping keeps the best epoch.
      - Regularize: weight_decay of the optimizer (L2), an L1 penalty, nn.Dropout.
      - Make the network smaller, or average several.
      - Check that both sets come from the same source: ...
    """
    if (train is None) != (valid is None):
        raise ValueError("diagnose needs both train and valid, or a history alone")
    notes: tuple[str, ...] = ()
    if train is None:
        history = source.history if isinstance(source, Trainer) else source
        if not isinstance(history, History):
            raise TypeError(
                "diagnose needs a History or a Trainer, or a model with train and valid, "
                f"got {type(source).__name__} alone"
            )
        name, values = _recorded(history, measure, epoch)
        notes = _trend(history, epoch)
    else:
        name, values = _measured(source, train, valid, measure, batch_size)
    score = mode_of(name) == "max"
    a, b = (1 - value if score else value for value in values)
    if bias_threshold is None and not score:
        raise ValueError(
            f"{name} has no scale of its own: give bias_threshold, the value above which it is too "
            "high, or measure accuracy or r2"
        )
    return _judge(
        a, b, "1 - " * score + name, 0.05 if bias_threshold is None else bias_threshold,
        variance_threshold, (0.01 if score else 0.0) if min_gap is None else min_gap, notes,
    )  # fmt: skip


def _judge(
    a: float, b: float, measure: str, bias_at: float, variance_at: float, gap: float, notes: tuple
) -> Diagnosis:
    """The case of errors ``a`` and ``b``."""
    for what, value in (("training", a), ("validation", b)):
        if not math.isfinite(value):
            raise ValueError(f"the {what} error is {value}; training has diverged, begin there")
    if a < 0 or b < 0:
        raise ValueError(f"{measure} gives negative errors ({a:.4g}, {b:.4g}), which have no ratio")
    ratio = b / a if a else (math.inf if b else 1.0)
    biased, varied = a > bias_at, ratio > variance_at and b - a > gap
    case = 1 + biased + 2 * varied
    words = ("low", "high")
    return Diagnosis(
        a, b, ratio, words[biased], words[varied], case, VERDICTS[case], measure, bias_at,
        variance_at, gap, notes, ADVICE[case],
    )  # fmt: skip


def _recorded(history: History, measure: Any, epoch: int | None) -> tuple[str, list[float]]:
    """The name of a value, and what it was in training and in validation."""
    names = history.names()
    both = [n.removeprefix("train_") for n in names if n.startswith("train_")]
    both = [n for n in both if f"valid_{n}" in names]
    if not both:
        raise ValueError(
            f"the history has no value of both sets, it has {', '.join(names) or 'no epoch'}; "
            "fit with valid=, or give the model with train and valid"
        )
    if measure is None:
        scores = [n for n in both if mode_of(n) == "max"]
        measure = next((n for n in ("accuracy", "r2", *scores) if n in both), "loss")
    if measure not in both:
        raise ValueError(f"the history has no {measure!r} of both sets; it has {', '.join(both)}")
    rows = [row for row in history.epochs if epoch is None or row["epoch"] == epoch]
    if not rows:
        raise ValueError(f"the history has no epoch {epoch}, it has {len(history)}")
    return measure, [float(rows[-1][f"{part}_{measure}"]) for part in ("train", "valid")]


def _trend(history: History, epoch: int | None) -> tuple[str, ...]:
    """What the course of the losses adds: whether it goes on, and whether it has turned."""
    rows = [row for row in history.epochs if epoch is None or row["epoch"] <= epoch]
    notes = []
    losses = [row["train_loss"] for row in rows if "train_loss" in row]
    width = max(1, len(losses) // 10)
    if len(losses) >= 4:
        before, now = np.mean(losses[-2 * width : -width]), np.mean(losses[-width:])
        if now < 0.99 * before:
            notes.append(
                f"the training loss still falls, by {100 * (1 - now / before):.2g} % over the "
                f"last {width} of {len(losses)} epochs: it may not be done"
            )
    checks = [(row["valid_loss"], row["epoch"]) for row in rows if "valid_loss" in row]
    if len(checks) >= 4:
        (best, at), last = min(checks), checks[-1][0]
        if last > 1.02 * best:
            notes.append(
                f"the validation loss was lowest in epoch {at} ({best:.4g}) and is {last:.4g} now: "
                "the epochs since then made it worse"
            )
    return tuple(notes)


def _measured(
    source: Any, train: Any, valid: Any, measure: Any, batch_size: int
) -> tuple[str, list[float]]:
    """The name of a metric, and its values on the two sets."""
    model = source.model if isinstance(source, Trainer) else source
    if isinstance(model, Module):
        loss = source.loss if isinstance(source, Trainer) else None
        metric = None if measure is None else metrics.get(measure, loss=loss)
        metric, a = _value(model, batches_of(train, batch_size, name="train"), metric, loss)
        _, b = _value(model, batches_of(valid, batch_size, name="valid"), metric, loss)
        return metric.name, [a, b]
    if not callable(getattr(source, "score", None)):
        raise TypeError(
            "diagnose needs a History, a Module, a Trainer or an object with score(x, y), "
            f"got {type(source).__name__}"
        )
    if measure is not None:
        raise ValueError("an estimator is judged by its own score; leave measure away")
    name = "accuracy" if hasattr(source, "classes_") else "r2"
    return name, [float(source.score(*data)) for data in (train, valid)]


def _value(model: Module, batches: Any, metric: Any, loss: Any) -> tuple[metrics.Metric, float]:
    """The metric of one set; where there is none yet, one that suits the first target."""
    if metric is not None:
        metric.reset()
    with evaluating(model):
        for x, y in batches.epoch(0):
            if metric is None:
                whole = np.asarray(y).dtype.kind in "biu"
                metric = metrics.get("accuracy" if whole else "r2", loss=loss)
            metric.update(model(x), y)
    if metric is None:
        raise ValueError("diagnose: there is no batch to measure")
    return metric, float(metric.compute())
