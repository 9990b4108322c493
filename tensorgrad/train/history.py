"""What a fit records: a row for each epoch, the loss of each iteration."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from ..serialization.files import open_to_write, write_all

__all__ = ["History", "csv_of", "mode_of"]

# A monitored value is better when it is higher if one of these is in its name.
_HIGHER = ("acc", "auc", "f1", "precision", "r2", "recall", "score", "specificity", "top")


def mode_of(monitor: str, mode: str = "auto") -> str:
    """``"min"`` or ``"max"``: which values of ``monitor`` are better.

    Raises:
        ValueError: ``mode`` is none of auto, min, max.
    """
    if mode not in ("auto", "min", "max"):
        raise ValueError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")
    if mode != "auto":
        return mode
    return "max" if any(part in monitor.lower() for part in _HIGHER) else "min"


class History:
    """The course of training, by epoch and by iteration.

    Attributes:
        epochs: a dict for each epoch: ``epoch`` (from 1), ``iteration`` (how many there were at
            its end), ``train_loss``, ``train_<metric>``, ``valid_loss``, ``valid_<metric>``,
            ``lr``, ``seconds``.
        losses: the loss of each iteration, as it was before the step.
        stopped: why the last fit ended before its last epoch, None if it did not.
        monitor: the value that says which epoch was best; ``"valid_loss"``, or ``"train_loss"``
            where there is none, if None.
        mode: ``"min"`` or ``"max"``: which values of ``monitor`` are better; None goes by name.

    ``history["valid_loss"]`` is that value of each epoch as a list, ``len(history)`` the number of
    epochs.

    >>> history = History()
    >>> history.epochs = [{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.25}]
    >>> history["train_loss"], history.best_epoch
    ([0.5, 0.25], 2)
    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, Any]] = []
        self.losses: list[float] = []
        self.stopped: str | None = None
        self.monitor: str | None = None
        self.mode: str | None = None

    def __len__(self) -> int:
        return len(self.epochs)

    def __repr__(self) -> str:
        text = f"History of {len(self.epochs)} epochs, {len(self.losses)} iterations"
        return text if self.stopped is None else f"{text}, stopped: {self.stopped}"

    def __getitem__(self, name: str) -> list:
        if not any(name in row for row in self.epochs):
            raise KeyError(f"no epoch has {name!r}; there are: {', '.join(self.names())}")
        return [row.get(name, math.nan) for row in self.epochs]

    def names(self) -> list[str]:
        """The names of all values, in the order in which they first came."""
        return list(dict.fromkeys(name for row in self.epochs for name in row))

    @property
    def iterations(self) -> list[tuple[int, float]]:
        """The pairs (iteration, loss); iterations count from 1."""
        return list(enumerate(self.losses, 1))

    @property
    def best_epoch(self) -> int | None:
        """The number of the epoch with the best monitored value, None if there is none.

        The first one of several that are equal; nan is never best.
        """
        names = self.names()
        monitor = self.monitor or ("valid_loss" if "valid_loss" in names else "train_loss")
        if monitor not in names:
            return None
        sign = 1.0 if mode_of(monitor, self.mode or "auto") == "min" else -1.0
        values = sign * np.array(self[monitor], dtype=float)
        if np.isnan(values).all():
            return None
        return self.epochs[int(np.nanargmin(values))]["epoch"]

    def to_csv(self, path: str | os.PathLike) -> None:
        """Write a line for each epoch, under a line of names.

        Args:
            path: the file, replaced in one step.

        Raises:
            ValueError: there is no epoch.
            OSError: the system could not write; the file is as it was.
        """
        if not self.epochs:
            raise ValueError("to_csv: the history has no epoch")
        with open_to_write(path) as file:
            write_all(file, csv_of(self.epochs, self.names(), header=True).encode())

    def plot(self, *, by: str = "epoch", figure: Any = None) -> Any:
        """Draw the loss and every metric, of train and valid, with the best epoch marked.

        Args:
            by: ``"epoch"`` or ``"iteration"``, which also shows the loss of each iteration.
            figure: a Matplotlib figure to draw in, such as ``pyplot.figure()``; a new one, of no
                window, if None.

        Returns:
            The figure; ``savefig(path)`` saves it.

        Raises:
            ImportError: Matplotlib is not installed.
            ValueError: there is no epoch, or ``by`` is something else.
        """
        if by not in ("epoch", "iteration"):
            raise ValueError(f"plot: by must be 'epoch' or 'iteration', got {by!r}")
        if not self.epochs:
            raise ValueError("plot: the history has no epoch")
        from .plotting import draw

        return draw(self, by, figure)

    def state_dict(self) -> dict[str, Any]:
        """All of it as plain values, for a checkpoint."""
        rows = [dict(row) for row in self.epochs]
        return {**vars(self), "epochs": rows, "losses": np.array(self.losses)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        vars(self).update(state_dict)
        self.epochs = [dict(row) for row in state_dict["epochs"]]
        self.losses = np.asarray(state_dict["losses"]).tolist()


def csv_of(rows, names, header=False) -> str:
    """Rows as lines of comma-separated values, in full precision."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
