"""Progress of a fit: a bar in a terminal or a notebook, else a plain line for each epoch."""

from __future__ import annotations

import contextlib
import sys

from .callbacks import Callback

__all__ = ["progress_of"]


def progress_of(choice, epochs: int, batches: int | None) -> list[Callback]:
    """The callback that ``fit(progress=)`` asks for, in a list; none for False.

    Raises:
        ValueError: ``choice`` is none of None, bool, "bar", "lines".
    """
    if choice not in (None, False, True, "bar", "lines"):
        raise ValueError(
            f"fit: progress must be None, True, False, 'bar' or 'lines', got {choice!r}"
        )
    if choice is False:
        return []
    if choice == "lines":
        return [Lines(epochs)]
    make = _tqdm(forced=choice == "bar")
    return [Lines(epochs) if make is None else Bar(make, epochs, batches)]


def _tqdm(forced):
    """The tqdm that fits what the output goes to; None where lines do, or it is not installed.

    A notebook without ipywidgets shows the bar of text.
    """
    notebook = _in_notebook()
    if not (forced or notebook or _is_terminal(sys.stderr)):
        return None
    with contextlib.suppress(ImportError):
        if notebook:
            import ipywidgets  # noqa: F401  without it tqdm.notebook fails at the first bar
            from tqdm.notebook import tqdm

            return tqdm
    with contextlib.suppress(ImportError):
        from tqdm import tqdm

        return tqdm
    return None


def _is_terminal(stream):
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # none at all, or closed
        return False


def _in_notebook():
    """Whether this runs in a Jupyter kernel; IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def text_of(row, epochs) -> str:
    """An epoch in a line."""
    width = len(str(epochs))
    parts = [f"epoch {row['epoch']:{width}}/{epochs}"]
    for name, value in row.items():
        if name not in ("epoch", "iteration", "seconds") and isinstance(value, int | float):
            parts.append(f"{name} {value:.4g}")
    return "  ".join([*parts, f"{row['seconds']:.1f} s"])


class Lines(Callback):
    """Prints a line for each epoch, and why a fit ended early."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, trainer):
        """Print the epoch's row."""
        print(text_of(trainer.history.epochs[-1], self.epochs), flush=True)

    def on_fit_end(self, trainer):
        """Print why the fit ended early."""
        if trainer.history.stopped is not None:
            print(f"stopped: {trainer.history.stopped}", flush=True)


class Bar(Callback):
    """A bar of tqdm for each epoch, which its values take the place of."""

    def __init__(self, make, epochs, batches):
        self.make, self.epochs, self.batches, self.bar = make, epochs, batches, None

    def _open(self, trainer):
        self.bar = self.make(
            total=self.batches, initial=trainer.batch, leave=True, unit="batch",
            desc=f"epoch {trainer.epoch}/{self.epochs}",
        )  # fmt: skip

    def on_epoch_start(self, trainer):
        """Begin a bar."""
        self._open(trainer)

    def on_batch_end(self, trainer):
        """One batch more."""
        if self.bar is None:  # a checkpoint was in the midst of this epoch
            self._open(trainer)
        self.bar.update()

    def on_epoch_end(self, trainer):
        """Show the epoch's row."""
        row = trainer.history.epochs[-1]
        numbers = {k: v for k, v in row.items() if isinstance(v, int | float)}
        for name in ("epoch", "iteration", "seconds"):
            numbers.pop(name)
        if self.bar is not None:
            self.bar.set_postfix({k: f"{v:.4g}" for k, v in numbers.items()})
            self._close()

    def _close(self):
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def on_fit_end(self, trainer):
        """Leave no bar open, and print why the fit ended early."""
        self._close()
        if trainer.history.stopped is not None:
            print(f"stopped: {trainer.history.stopped}", file=sys.stderr, flush=True)
