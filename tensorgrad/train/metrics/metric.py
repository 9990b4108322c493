"""What all metrics share."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Metric", "array_of", "check_option", "no_samples", "of_whole"]


class Metric:
    """What all metrics share. A new one defines the three methods.

    Attributes:
        name: the metric's column in a table of results.
    """

    name = "metric"

    def reset(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__} must define reset()")

    def update(self, output: Any, target: Any) -> None:
        """Add a batch. A call that raises leaves the metric as it was."""
        raise NotImplementedError(f"{type(self).__name__} must define update()")

    def compute(self) -> Any:
        """The value over all batches since the last reset.

        Raises:
            RuntimeError: there was no sample.
        """
        raise NotImplementedError(f"{type(self).__name__} must define compute()")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def array_of(value: Any, what: str) -> np.ndarray:
    """The values as a real array without NaN."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{what} must hold real numbers, got dtype {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"{what} must have a batch dimension, got a single number")
    if array.dtype.kind == "f" and np.isnan(array).any():
        count = int(np.isnan(array).sum())
        raise ValueError(
            f"{what} holds {count} NaN among {array.size} values; "
            "has training diverged, or is data missing?"
        )
    return array


def no_samples(name: str) -> RuntimeError:
    """The error of a metric that was given nothing."""
    return RuntimeError(f"{name} has seen no sample: call update(output, target) first")


def check_option(name: str, value: Any, allowed: tuple) -> None:
    """Refuse a value that is none of those allowed."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}, got {value!r}")


def of_whole(metric: Metric, output: Any, target: Any) -> Any:
    """The value of a new metric for whole arrays."""
    metric.update(output, target)
    return metric.compute()
