"""The error of a learner as squared bias, variance and noise, by bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .arguments import whole_number
from .batches import key
from .learners import check_learner, predictor, sets_of
from .plotting import axes_for

__all__ = ["BiasVariance", "bias_variance", "plot_tradeoff"]


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
        ax = axes_for(ax, "BiasVariance.plot")
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
    check_learner(learner)
    rounds = whole_number("rounds", rounds, least=2)
    x_test, y_test = sets_of(test, "test")
    draw = train if callable(train) else _bootstrap(*sets_of(train, "train"))
    y = np.asarray(y_test, np.float64)
    runs = []
    for number in range(rounds):
        x_train, y_train = draw(np.random.default_rng([seed, number]))
        predict = predictor(learner, x_train, y_train, key(seed, number))
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
    ax = axes_for(ax, "plot_tradeoff")
    styles = {"bias2": ("bias²", ":"), "variance": ("variance", "--"), "error": ("error", "-")}
    for field, (name, style) in styles.items():
        values = [getattr(one, field) for one in parts.values()]
        ax.plot(list(parts), values, style, marker=".", label=name)
    ax.set(xlabel=label, ylabel="mean squared error")
    ax.legend()
    return ax
