"""Logs of a fit for other programs: CSV files and TensorBoard's."""

from __future__ import annotations

import os
import warnings
from typing import Any

from ..serialization.files import open_to_write, write_all
from .arguments import whole_number
from .callbacks import Callback
from .history import csv_of

__all__ = ["CSVLogger", "TensorBoardLogger"]


class CSVLogger(Callback):
    """Writes a line for each epoch to a file, as soon as there is one.

    The file is begun anew with each fit, with the epochs that the history already has. So after a
    resume it is what it would have been without the break. A failed write warns once, leaves what
    was written, and training goes on; once a write succeeds, all lines are there.

    Args:
        path: the file.

    Raises:
        OSError: at the start of a fit, that the file cannot be written.
        RuntimeError: at the start of a fit, that its folder does not exist.

    >>> import os, tempfile
    >>> from pathlib import Path
    >>> import tensorgrad as torch
    >>> from tensorgrad.train import CSVLogger, Trainer
    >>> model = torch.nn.Linear(1, 1)
    >>> sgd = torch.optim.SGD(model.parameters())
    >>> x = torch.ones(4, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = CSVLogger(os.path.join(folder, "log.csv"))
    ...     trainer = Trainer(model, torch.nn.MSELoss(), sgd, callbacks=[log])
    ...     _ = trainer.fit((x, x), epochs=2, progress=False)
    ...     print(Path(log.path).read_text().splitlines()[0])
    epoch,iteration,train_loss,lr,seconds
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        self.names: list[str] = []
        self.failed = False
        self.writes = True  # of several processes one does

    def on_fit_start(self, trainer) -> None:
        """Begin the file."""
        self.failed, self.writes = False, trainer._leads()
        if self.writes:
            self._write_all(trainer.history)

    def on_epoch_end(self, trainer) -> None:
        """Write the line of the epoch."""
        if not self.writes:
            return
        history = trainer.history
        try:
            if self.failed or list(history.epochs[-1]) != self.names:
                self._write_all(history)
            else:
                with open(self.path, "a", encoding="utf-8") as file:
                    file.write(csv_of(history.epochs[-1:], self.names))
            self.failed = False
        except (OSError, RuntimeError) as error:
            if not self.failed:
                warnings.warn(
                    f"{self.path} could not be written: {error}; training goes on",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self.failed = True

    def _write_all(self, history):
        """Write all lines, or on a full disk none: the file is replaced in one step."""
        self.names = history.names()
        text = csv_of(history.epochs, self.names, header=True) if self.names else ""
        with open_to_write(self.path) as file:
            write_all(file, text.encode())


class TensorBoardLogger(Callback):
    """Writes what the history records for TensorBoard, through tensorboardX.

    What an epoch records is called ``loss/train``, ``loss/valid``, ``accuracy/valid``, ..., ``lr``;
    the loss of an iteration ``loss/iteration``. Steps are iterations throughout. After a resume,
    TensorBoard is told to leave out what was written after the checkpoint.

    Args:
        log_dir: the folder; one of its own for each run.
        every: after how many iterations to write their loss; None for never.

    Raises:
        ImportError: at the start of a fit, that tensorboardX is not installed.
        ValueError: ``every`` is not a positive integer.

    >>> TensorBoardLogger("runs/first", every=100).every
    100
    """

    def __init__(self, log_dir: str | os.PathLike, every: int | None = None) -> None:
        if every is not None:
            every = whole_number("TensorBoardLogger: every", every)
        self.log_dir, self.every = os.fspath(log_dir), every
        self.writer: Any = None

    def on_fit_start(self, trainer) -> None:
        """Open the files."""
        if not trainer._leads():
            return
        from ..utils.tensorboard import SummaryWriter

        purge = trainer.iteration + 1 if trainer.resumed else None
        self.writer = SummaryWriter(self.log_dir, purge_step=purge)

    def on_batch_end(self, trainer) -> None:
        """Write the loss of the iteration, where it is time."""
        if self.writer is None or self.every is None:
            return
        if trainer.iteration % self.every == 0:
            self.writer.add_scalar("loss/iteration", trainer.history.losses[-1], trainer.iteration)

    def on_epoch_end(self, trainer) -> None:
        """Write the numbers of the epoch."""
        if self.writer is None:
            return
        row = trainer.history.epochs[-1]
        for name, value in row.items():
            if name == "iteration" or not isinstance(value, int | float):
                continue
            part, _, kind = name.partition("_")
            self.writer.add_scalar(f"{kind}/{part}" if kind else name, value, row["iteration"])
        self.writer.flush()

    def on_fit_end(self, trainer) -> None:
        """Close the files."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None
