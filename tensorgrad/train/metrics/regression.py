"""Metrics of real outputs: squared and absolute errors, and R2."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..._graph import Tensor, wrap
from .labels import without_column
from .metric import Metric, array_of, check_option, no_samples, of_whole

__all__ = ["MAE", "MSE", "R2", "mae", "mse", "r2"]


def _values(output: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 of shape (samples, outputs)."""
    output, target = array_of(output, "output"), array_of(target, "target")
    shapes = output.shape, target.shape
    output, target = without_column(output), without_column(target)
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
        check_option("multioutput", multioutput, self.OUTPUTS)
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
            raise no_samples(self.name)
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


def mse(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`MSE` of whole arrays; ``options`` are its arguments.

    >>> mse([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    return of_whole(MSE(**options), output, target)


def mae(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`MAE` of whole arrays; ``options`` are its arguments.

    >>> mae([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    return of_whole(MAE(**options), output, target)


def r2(output: Any, target: Any, **options: Any) -> float | Tensor:
    """:class:`R2` of whole arrays; ``options`` are its arguments.

    >>> r2([1.0, 2.0], [1.0, 2.0])
    1.0
    """
    return of_whole(R2(**options), output, target)
