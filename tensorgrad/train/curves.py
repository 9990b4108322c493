"""The errors of a learner over the size of its training set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import metrics
from .arguments import whole_number
from .batches import key
from .learners import check_learner, predictor, sets_of
from .plotting import axes_for

__all__ = ["LearningCurve", "learning_curve"]


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
        ax = axes_for(ax, "LearningCurve.plot")
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
    check_learner(learner)
    x, y = sets_of(train, "train")
    x_valid, y_valid = sets_of(valid, "valid")
    repeats = whole_number("repeats", repeats)
    counts = np.array([_count(size, len(x)) for size in sizes])
    measure = error or _default_error(y)
    errors = np.empty((2, len(counts), repeats))
    for repeat in range(repeats):
        order = np.random.default_rng([seed, repeat]).permutation(len(x))
        for row, count in enumerate(counts):
            some = order[:count]
            predict = predictor(learner, x[some], y[some], key(seed, repeat))
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
