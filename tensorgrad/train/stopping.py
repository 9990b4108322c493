"""Conditions that end a fit, and early stopping, which keeps the best weights."""

from __future__ import annotations

import copy
import math
from typing import Any

from .arguments import whole_number
from .callbacks import Callback
from .history import mode_of

__all__ = ["EarlyStopping", "StopCondition", "StopDifference", "StopLoss", "weights_of"]


class StopCondition(Callback):
    """Base class of conditions on a value that each epoch records.

    A subclass writes :meth:`update`, which notes the new value, and :meth:`reason`, which says
    from what was noted whether to stop. What it notes must be in its ``state_dict``: a resumed fit
    that had come to its end asks again.

    Args:
        monitor: the name of the value in the history's rows.

    >>> from tensorgrad.train import StopCondition
    >>> class StopLater(StopCondition):
    ...     epochs = 0
    ...     def update(self, value, trainer):
    ...         self.epochs += 1
    ...     def reason(self):
    ...         return "that was enough" if self.epochs >= 3 else None
    ...     def state_dict(self):
    ...         return {"epochs": self.epochs}
    ...     def load_state_dict(self, state_dict):
    ...         self.epochs = state_dict["epochs"]
    """

    def __init__(self, monitor: str = "train_loss") -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor must be the name of a value, got {monitor!r}")
        self.monitor = monitor

    def update(self, value: float, trainer) -> None:
        """Note the value of an epoch."""
        raise NotImplementedError(f"{type(self).__name__} must write update()")

    def reason(self) -> str | None:
        """Why to stop, or None to go on."""
        raise NotImplementedError(f"{type(self).__name__} must write reason()")

    def on_epoch_end(self, trainer) -> None:
        """Note the value of the epoch, and stop the fit if it is time."""
        row = trainer.history.epochs[-1]
        if self.monitor not in row:
            raise KeyError(
                f"{type(self).__name__} monitors {self.monitor!r}, which epochs do not record; "
                f"there are: {', '.join(row)}"
            )
        self.update(row[self.monitor], trainer)
        reason = self.reason()
        if reason is not None:
            trainer.stop(reason)


class _OfLoss(StopCondition):
    """A condition with a bound, which keeps the last values."""

    def __init__(self, value: float, monitor: str = "train_loss") -> None:
        super().__init__(monitor)
        if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
            raise TypeError(f"{type(self).__name__}: value must be a number, got {value!r}")
        self.value = float(value)
        self.last: list[float] = []

    def on_fit_start(self, trainer) -> None:
        """Forget the values of an earlier fit."""
        if not trainer.resumed:
            self.last = []

    def update(self, value: float, trainer) -> None:
        """Note the value of an epoch."""
        self.last = [*self.last[-1:], value]

    def state_dict(self) -> dict[str, Any]:
        """The last two values."""
        return {"last": self.last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self.last = list(state_dict["last"])


class StopLoss(_OfLoss):
    """Stop when a loss is below a value.

    Args:
        value: the bound.
        monitor: which loss.

    Raises:
        TypeError: ``value`` is no number.

    >>> StopLoss(0.02, monitor="valid_loss").value
    0.02
    """

    def reason(self) -> str | None:
        """Why to stop, or None to go on."""
        if not self.last or not self.last[-1] < self.value:
            return None
        return f"{self.monitor} {self.last[-1]:.6g} is below {self.value:g}"


class StopDifference(_OfLoss):
    """Stop when a loss of two successive epochs differs by less than a value.

    Args:
        value: the bound of the absolute difference, above 0.
        monitor: which loss.

    Raises:
        TypeError: ``value`` is no number.
        ValueError: ``value`` is not positive: no difference is below it.

    >>> StopDifference(1e-7).monitor
    'train_loss'
    """

    def __init__(self, value: float, monitor: str = "train_loss") -> None:
        super().__init__(value, monitor)
        if not self.value > 0:
            raise ValueError(f"StopDifference: value must be above 0, got {value}")

    def reason(self) -> str | None:
        """Why to stop, or None to go on."""
        if len(self.last) < 2 or not abs(self.last[1] - self.last[0]) < self.value:
            return None
        difference = abs(self.last[1] - self.last[0])
        return f"{self.monitor} changed by {difference:.3g}, less than {self.value:g}"


class EarlyStopping(StopCondition):
    """Stop after some epochs without improvement; restore the best weights however a fit ends.

    "No improvement in N": an epoch whose value is not better than the best so far by more than
    ``min_delta`` counts, and ``patience`` of them in a row end the fit. The weights of the best
    epoch, buffers included, are copied, and put back into the model when the fit ends: by
    patience, after the last epoch, by Ctrl-C or by an error. The optimizer's state is left as it
    is.

    Used again by the same trainer, it goes on from the best so far; by another, it begins anew.

    Args:
        monitor: the name of the value in the history's rows.
        patience: how many epochs; None never stops, and keeps the best weights all the same.
        mode: which values are better, ``"min"`` or ``"max"``; ``"auto"`` takes ``"max"`` for names
            with acc, auc, f1, precision, r2, recall, score, specificity or top in them.
        min_delta: by more than how much a value must be better, at least 0.
        restore_best: False leaves the last weights.

    Attributes:
        best: the best value so far.
        best_epoch: its epoch, None before the first.
        wait: how many epochs passed since.

    Raises:
        ValueError: an argument is out of range.

    >>> EarlyStopping("valid_accuracy", patience=3).mode
    'max'
    """

    def __init__(
        self, monitor: str = "valid_loss", patience: int | None = 10, mode: str = "auto",
        min_delta: float = 0.0, restore_best: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(monitor)
        if patience is not None:
            patience = whole_number("EarlyStopping: patience", patience)
        if not 0 <= min_delta < math.inf:
            raise ValueError(f"EarlyStopping: min_delta must be at least 0, got {min_delta!r}")
        self.patience, self.mode = patience, mode_of(monitor, mode)
        self.min_delta, self.restore_best = min_delta, restore_best
        self._history: Any = None
        self._reset()

    def _reset(self):
        self.best = math.inf if self.mode == "min" else -math.inf
        self.best_epoch: int | None = None
        self.best_weights: dict | None = None
        self.wait = 0

    def on_fit_start(self, trainer) -> None:
        """Begin anew with another trainer; wait anew with the same."""
        if not trainer.resumed:
            if trainer.history is not self._history:
                self._reset()
            self.wait = 0
        self._history = trainer.history
        trainer.history.monitor, trainer.history.mode = self.monitor, self.mode

    def update(self, value: float, trainer) -> None:
        """Compare the value of an epoch to the best; copy the weights if it is better."""
        gain = self.best - value if self.mode == "min" else value - self.best
        if not gain > self.min_delta:
            self.wait += 1
            return
        self.best, self.best_epoch, self.wait = value, trainer.epoch, 0
        if self.restore_best:
            self.best_weights = weights_of(trainer.model)

    def begin_with(self, trainer, value: float) -> None:
        """Take the weights that the model has for the best so far, with this value."""
        self._history = trainer.history
        self.best, self.best_epoch = value, trainer.epoch
        self.best_weights = weights_of(trainer.model)

    def reason(self) -> str | None:
        """Why to stop, or None to go on."""
        if self.patience is None or self.wait < self.patience:
            return None
        return (
            f"{self.monitor} did not improve in {self.wait} epochs; the best was {self.best:.6g} "
            f"in epoch {self.best_epoch}"
        )

    def on_fit_end(self, trainer) -> None:
        """Put the best weights back."""
        if self.best_weights is not None:
            trainer.model.load_state_dict(self.best_weights)

    def state_dict(self) -> dict[str, Any]:
        """The best value, its epoch and weights, and how long ago it was."""
        return {name: getattr(self, name) for name in _KEPT}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        for name in _KEPT:
            setattr(self, name, state_dict[name])


_KEPT = ("best", "best_epoch", "best_weights", "wait")


def weights_of(model) -> dict:
    """A copy of a model's state dict."""
    return {name: copy.deepcopy(value) for name, value in model.state_dict().items()}
