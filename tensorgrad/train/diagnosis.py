"""Bias or variance: from a model's errors, by bootstrap, by learning curves."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._graph import Tensor
from ..errors import missing
from ..nn import Module
from ..random import fork_rng, manual_seed
from . import metrics
from .batches import batches_of, key
from .history import History, mode_of
from .trainer import Trainer, evaluating

__all__ = [
    "BiasVariance", "Diagnosis", "LearningCurve", "bias_variance", "diagnose", "learning_curve",
    "plot_tradeoff",
]  # fmt: skip

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


# --- learners ---------------------------------------------------------------------------------


def _predictor(learner: Any, x: Any, y: Any, seed: int) -> Callable[[Any], Any]:
    """What ``learner`` learns from a training set, as a function of inputs."""
    with fork_rng():
        manual_seed(seed)
        if callable(getattr(learner, "fit", None)) and callable(getattr(learner, "predict", None)):
            own = copy.deepcopy(learner)
            own.fit(x, y)
            return own.predict
        predict = learner(x, y)
    if not callable(predict):
        raise TypeError(
            f"a learner must return a function that predicts, got {type(predict).__name__}"
        )
    return predict


def _check_learner(learner: Any) -> None:
    methods = [callable(getattr(learner, name, None)) for name in ("fit", "predict")]
    if not all(methods) and (not callable(learner) or isinstance(learner, type | Module | Trainer)):
        raise TypeError(
            "learner must be an object with fit(x, y) and predict(x), or a function learn(x, y) "
            f"that trains a model and returns a function that predicts, got {learner!r}"
        )


def _sets(data: Any, what: str) -> tuple[Any, Any]:
    """Inputs and targets of equal, positive length."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TypeError(f"{what} must be a pair (x, y), got {type(data).__name__}")
    x, y = (part if isinstance(part, Tensor) else np.asarray(part) for part in data)
    if not len(x) or len(x) != len(y):
        raise ValueError(f"{what} has {len(x)} inputs and {len(y)} targets")
    return x, y


# --- decomposition ----------------------------------------------------------------------------


class BiasVariance(NamedTuple):
    """Where the error of a learner comes from; see :func:`bias_variance`.

    Attributes:
        bias2: squared bias, (mean prediction - truth)^2, mean over the test set.
        variance: mean squared distance of the predictions from their mean.
        noise: mean squared distance of the test targets from the truth.
        error: mean squared error of the predictions.
        cross: ``error`` less the three others: 2 (mean prediction - truth) (truth - target),
            zero on average over the noise, and exactly without ``truth``.
        predictions: shape (rounds, n_test).
        x, y, truth: the test set; ``truth`` is None if it is not known.
    """

    bias2: float
    variance: float
    noise: float
    error: float
    cross: float
    predictions: np.ndarray
    x: np.ndarray
    y: np.ndarray
    truth: np.ndarray | None

    def __str__(self) -> str:
        return (
            f"error {self.error:.4g} = bias² {self.bias2:.4g} + variance {self.variance:.4g} "
            f"+ noise {self.noise:.4g} + cross term {self.cross:.2g}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the predictions over a single input, or else the shares of the error as bars.

        Args:
            ax: the Matplotlib axes to draw on; None makes a figure.

        Returns:
            The axes; ``ax.figure.savefig(path)`` saves the picture.

        Raises:
            ImportError: Matplotlib is not installed.
        """
        ax = _axes(ax, "BiasVariance.plot")
        if self.x.size != len(self.x):
            parts = {"bias²": self.bias2, "variance": self.variance, "noise": self.noise,
                     "error": self.error}  # fmt: skip
            ax.bar(list(parts), list(parts.values()))
            ax.set(ylabel="mean squared error")
            return ax
        x = self.x.reshape(-1)
        order = np.argsort(x)
        for row in self.predictions:
            ax.plot(x[order], row[order], color="tab:blue", alpha=0.15, linewidth=0.8)
        ax.plot(x, self.y, ".", color="gray", markersize=3, label="test data")
        ax.plot(x[order], self.predictions.mean(axis=0)[order], color="tab:red", label="mean")
        if self.truth is not None:
            ax.plot(x[order], self.truth[order], "--", color="black", label="truth")
        ax.set(xlabel="x", ylabel="prediction", title=_title(self))
        ax.legend()
        return ax


def _title(parts: BiasVariance) -> str:
    return f"bias² {parts.bias2:.3g}, variance {parts.variance:.3g}, noise {parts.noise:.3g}"


def _axes(ax: Any, purpose: str) -> Any:
    """The axes to draw on."""
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise missing("matplotlib", "plot", purpose) from None
    return Figure(figsize=(6, 4), layout="constrained").subplots()


def bias_variance(
    learner: Any,
    train: Any,
    test: tuple[Any, Any],
    *,
    truth: Any = None,
    noise: float | None = None,
    rounds: int = 50,
    seed: int = 0,
) -> BiasVariance:
    """The error of a regression learner as squared bias, variance and noise.

    Trains ``rounds`` models on as many training sets. With f the mean prediction, y the target and
    t the truth, the mean squared error is ``(f - t)^2 + E (prediction - f)^2 + (y - t)^2`` and a
    cross term that noise averages out (course notes, section 16.1.3; Geman, Bienenstock and
    Doursat 1992). Two properties of the estimate: a mean of R predictions makes ``bias2`` too high
    by variance / R, and bootstrap samples hold about 63 % of the distinct samples, which makes the
    variance that of somewhat smaller sets.

    Args:
        learner: an object with ``fit(x, y)`` and ``predict(x)``, which is copied for each round
            (:class:`Regressor`, or any regressor of scikit-learn); or a function ``learn(x, y)``
            that trains a model and returns a function that predicts.
        train: the training set (x, y), of which each round gets a bootstrap sample: as many,
            drawn with replacement. Or, for a known problem, a function of a NumPy generator that
            draws a new set.
        test: the test set (x, y).
        truth: targets of the test set without noise. Without it, bias and noise cannot be told
            apart, and ``bias2`` includes the noise unless ``noise`` says how much that is.
        noise: variance of the noise, where it is known; None measures it from ``truth``, or is 0.
        rounds: number of models, at least 2.
        seed: of the training sets, and of the default generator in each round; that is put back.

    Raises:
        TypeError: ``learner`` or ``train`` is none of the above.
        ValueError: sizes do not fit, or ``rounds`` is below 2.

    >>> import numpy as np
    >>> from tensorgrad.train import bias_variance
    >>> x = np.linspace(-1, 1, 50)
    >>> def mean(x, y):  # learns nothing but the mean
    ...     return lambda new: np.full(len(new), y.mean())
    >>> parts = bias_variance(mean, (x, x), (x, x), truth=x)
    >>> parts.noise, round(parts.bias2, 1), parts.variance < 0.02
    (0.0, 0.3, True)
    """
    _check_learner(learner)
    if not isinstance(rounds, int) or rounds < 2:
        raise ValueError(f"rounds must be a whole number from 2, got {rounds!r}")
    x_test, y_test = _sets(test, "test")
    draw = train if callable(train) else _bootstrap(*_sets(train, "train"))
    y = np.asarray(y_test, np.float64)
    runs = []
    for number in range(rounds):
        x_train, y_train = draw(np.random.default_rng([seed, number]))
        predict = _predictor(learner, x_train, y_train, key(seed, number))
        runs.append(_like(predict(x_test), y))
    target = None if truth is None else _like(truth, y)
    return _decompose(np.stack(runs), np.asarray(x_test), y.reshape(-1), target, noise)


def _bootstrap(x: Any, y: Any) -> Callable[[np.random.Generator], tuple[Any, Any]]:
    def draw(generator: np.random.Generator) -> tuple[Any, Any]:
        rows = generator.integers(0, len(x), len(x))
        return x[rows], y[rows]

    return draw


def _like(values: Any, y: np.ndarray) -> np.ndarray:
    """The values as a flat array of float64, as many as in ``y``; (N, 1) may stand for (N,)."""
    array = np.asarray(values, np.float64)
    if array.shape != y.shape and {array.shape, y.shape} != {(len(y),), (len(y), 1)}:
        raise ValueError(f"got values of shape {array.shape} for targets of shape {y.shape}")
    return array.reshape(-1)


def _decompose(
    runs: np.ndarray, x: np.ndarray, y: np.ndarray, truth: np.ndarray | None, noise: float | None
) -> BiasVariance:
    mean = runs.mean(axis=0)
    error = float(np.square(runs - y).mean())
    variance = float(np.square(runs - mean).mean())
    if truth is None:
        noise = 0.0 if noise is None else noise
        bias2 = float(np.square(mean - y).mean()) - noise
    else:
        noise = float(np.square(y - truth).mean()) if noise is None else noise
        bias2 = float(np.square(mean - truth).mean())
    cross = error - bias2 - variance - noise
    return BiasVariance(bias2, variance, noise, error, cross, runs, x, y, truth)


def plot_tradeoff(
    parts: Mapping[Any, BiasVariance], ax: Any = None, *, label: str = "complexity"
) -> Any:
    """Draw squared bias, variance and error over what was varied: figure 16-10 of the course notes.

    Args:
        parts: a decomposition for each value: epochs of training, hidden units, a degree.
        ax: the Matplotlib axes to draw on; None makes a figure.
        label: what was varied.

    Returns:
        The axes.

    Raises:
        ImportError: Matplotlib is not installed.
        ValueError: ``parts`` is empty.

    >>> import numpy as np
    >>> from tensorgrad.train import bias_variance, plot_tradeoff
    >>> x = np.linspace(-1, 1, 30)
    >>> def line(degree):
    ...     return lambda x, y: np.poly1d(np.polyfit(x, y, degree))
    >>> test = (x, x**2)
    >>> parts = {d: bias_variance(line(d), test, test, rounds=5) for d in (0, 1, 2)}
    >>> parts[0].bias2 > 0.08, parts[2].bias2 < 1e-9
    (True, True)
    >>> ax = plot_tradeoff(parts, label="degree")  # doctest: +SKIP
    """
    if not parts:
        raise ValueError("plot_tradeoff needs at least one decomposition")
    ax = _axes(ax, "plot_tradeoff")
    styles = {"bias2": ("bias²", ":"), "variance": ("variance", "--"), "error": ("error", "-")}
    for field, (name, style) in styles.items():
        values = [getattr(one, field) for one in parts.values()]
        ax.plot(list(parts), values, style, marker=".", label=name)
    ax.set(xlabel=label, ylabel="mean squared error")
    ax.legend()
    return ax


# --- learning curve ---------------------------------------------------------------------------


class LearningCurve(NamedTuple):
    """Errors over the size of the training set; see :func:`learning_curve`.

    Attributes:
        sizes: numbers of training samples, shape (S,).
        train_errors: errors on the samples trained on, shape (S, repeats).
        valid_errors: errors on the validation set, shape (S, repeats).
    """

    sizes: np.ndarray
    train_errors: np.ndarray
    valid_errors: np.ndarray

    def plot(self, ax: Any = None) -> Any:
        """Draw the means of both errors, with a band of one standard deviation.

        Args:
            ax: the Matplotlib axes to draw on; None makes a figure.

        Returns:
            The axes.

        Raises:
            ImportError: Matplotlib is not installed.
        """
        ax = _axes(ax, "LearningCurve.plot")
        for name, errors in (("training", self.train_errors), ("validation", self.valid_errors)):
            mean, spread = errors.mean(axis=1), errors.std(axis=1)
            (line,) = ax.plot(self.sizes, mean, "o-", label=name)
            ax.fill_between(
                self.sizes, mean - spread, mean + spread, color=line.get_color(), alpha=0.2
            )
        ax.set(xlabel="training samples", ylabel="error")
        ax.legend()
        return ax


def learning_curve(
    learner: Any,
    train: tuple[Any, Any],
    valid: tuple[Any, Any],
    *,
    sizes: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 1.0),
    repeats: int = 3,
    error: Callable[[Any, Any], float] | None = None,
    seed: int = 0,
) -> LearningCurve:
    """The errors of a learner as its training set grows.

    Both curves high and close together: bias, and more data will not help. A gap between them that
    narrows: variance, and it will.

    Args:
        learner: as in :func:`bias_variance`.
        train: the training set (x, y). Each repeat shuffles it and takes its first samples, so its
            smaller sets are parts of its larger ones.
        valid: the validation set (x, y).
        sizes: shares of the training set (floats up to 1) or numbers of samples (ints).
        repeats: number of shuffles.
        error: function of predictions and targets. None is the share of wrong labels where targets
            are whole numbers or texts, and else the mean squared error.
        seed: of the shuffles, and of the default generator in each fit; that is put back.

    Raises:
        TypeError: ``learner`` is neither such an object nor a function.
        ValueError: a size is out of range, or ``repeats`` is below 1.

    >>> import numpy as np
    >>> from tensorgrad.train import learning_curve
    >>> x = np.linspace(-1, 1, 40)
    >>> def line(x, y):
    ...     return np.poly1d(np.polyfit(x, y, 1))
    >>> curve = learning_curve(line, (x, 2 * x), (x, 2 * x), sizes=(5, 0.5))
    >>> curve.sizes, bool(curve.valid_errors.max() < 1e-9)
    (array([ 5, 20]), True)
    """
    _check_learner(learner)
    x, y = _sets(train, "train")
    x_valid, y_valid = _sets(valid, "valid")
    if not isinstance(repeats, int) or repeats < 1:
        raise ValueError(f"repeats must be a whole number from 1, got {repeats!r}")
    counts = np.array([_count(size, len(x)) for size in sizes])
    measure = error or _default_error(y)
    errors = np.empty((2, len(counts), repeats))
    for repeat in range(repeats):
        order = np.random.default_rng([seed, repeat]).permutation(len(x))
        for row, count in enumerate(counts):
            some = order[:count]
            predict = _predictor(learner, x[some], y[some], key(seed, repeat))
            errors[0, row, repeat] = measure(predict(x[some]), y[some])
            errors[1, row, repeat] = measure(predict(x_valid), y_valid)
    return LearningCurve(counts, *errors)


def _count(size: float, total: int) -> int:
    """A number of samples, from a share or as it is."""
    count = max(1, round(size * total)) if isinstance(size, float) and size > 0 else size
    if not isinstance(count, int | np.integer) or not 1 <= count <= total:
        raise ValueError(
            f"a size must be a share above 0 and up to 1.0, or a number of samples up to {total}, "
            f"got {size!r}"
        )
    return int(count)


def _default_error(y: Any) -> Callable[[Any, Any], float]:
    if np.asarray(y).dtype.kind == "f":
        return lambda output, target: float(metrics.mse(output, target))
    return lambda output, target: float(np.mean(np.asarray(output) != np.asarray(target)))
