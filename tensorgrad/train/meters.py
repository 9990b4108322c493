"""Metrics as a Trainer uses them: by name, each with reset, update and compute."""

from __future__ import annotations

from typing import Any

from .. import cat

__all__ = ["Recorded", "meters_of", "values_of"]


def meters_of(metrics, loss=None) -> dict[str, Any]:
    """Metrics by name, from what ``Trainer(metrics=)`` takes; named ones are told the loss.

    Raises:
        TypeError: something is no metric, nor the name of one.
        ValueError: two have the same name, or one is called loss.
    """
    if metrics is None:
        return {}
    if isinstance(metrics, dict):
        pairs = [(name, _meter(metric, loss)) for name, metric in metrics.items()]
    else:
        listed = metrics if isinstance(metrics, list | tuple) else [metrics]
        pairs = [(_name(metric), _meter(metric, loss)) for metric in listed]
    names = [name for name, _ in pairs]
    for name in names:
        if not isinstance(name, str) or name == "loss" or names.count(name) > 1:
            raise ValueError(
                f"metrics: the name {name!r} is not possible, or there are two; name them in a dict"
            )
    return dict(pairs)


def _meter(metric, loss):
    if isinstance(metric, str):
        from .metrics import get

        return get(metric, loss=loss)
    if all(callable(getattr(metric, name, None)) for name in ("reset", "update", "compute")):
        if not isinstance(metric, type):
            return metric
    if callable(metric) and not isinstance(metric, type):
        return _Whole(metric)
    raise TypeError(
        f"metrics: expected a name, a function of output and target, or an object with reset(), "
        f"update() and compute(), got {metric!r}"
    )


def _name(metric):
    """What a metric is called: by its name, that of the function, or that of its class."""
    if isinstance(metric, str):
        return metric
    for name in ("name", "__name__"):
        if isinstance(getattr(metric, name, None), str):
            return getattr(metric, name)
    return type(metric).__name__.lower()


class Recorded:
    """Keeps the outputs and targets of all batches, to be used at the end of the epoch."""

    def __init__(self):
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.outputs: list[Any] = []
        self.targets: list[Any] = []

    def update(self, output, target) -> None:
        """Keep a batch."""
        self.outputs.append(output)
        self.targets.append(target)

    def parts(self) -> list:
        """Outputs and targets, each in one; None where there was no batch."""
        if not self.outputs:
            return [None, None]
        return [cat(self.outputs), cat(self.targets)]

    def state_dict(self) -> dict[str, Any]:
        """What was kept."""
        return {"outputs": self.outputs, "targets": self.targets}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self.outputs, self.targets = list(state_dict["outputs"]), list(state_dict["targets"])


class _Whole(Recorded):
    """A plain function, of the outputs and targets of an epoch put together."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def compute(self):
        return self.function(cat(self.outputs), cat(self.targets))


def values_of(meters) -> dict[str, Any]:
    """What the metrics come to: numbers, or lists where a metric has several."""
    return {name: _plain(meter.compute()) for name, meter in meters.items()}


def _plain(value):
    if getattr(value, "ndim", 0):
        return value.tolist()
    return float(value)
