"""Checkpoints of a fit: the whole state of training, in files that are whole or refused."""

from __future__ import annotations

import contextlib
import os
import random
import re
import time
import warnings
from typing import Any

import numpy as np

from ..random import default_generator
from ..serialization.checkpoint import describe
from ..serialization.sealed import load_sealed, save_sealed
from .arguments import whole_number
from .callbacks import Callback
from .finite import bad_parameter
from .processes import SAVE

__all__ = ["CheckpointFolder", "Saver", "capture", "restore"]

VERSION = 1
_NAME = re.compile(r"checkpoint-(\d{10})\.safetensors")
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")  # what a killed write leaves, see open_to_write


class CheckpointFolder:
    """The checkpoints in a folder, named by their iteration, of which the newest are kept.

    Args:
        path: the folder; made where there is none.
        keep: how many.
        writes: whether this process writes here: of several, one does.

    Raises:
        ValueError: ``keep`` is not a positive integer.
        OSError: the folder cannot be made or written to.
    """

    def __init__(self, path: str | os.PathLike, keep: int = 2, writes: bool = True) -> None:
        self.path, self.keep = os.path.abspath(os.fspath(path)), whole_number("fit: keep", keep)
        if writes:
            self._make()

    def _make(self):
        """Make the folder, clear away what a killed write left, and try to write."""
        try:
            os.makedirs(self.path, exist_ok=True)
            for name in os.listdir(self.path):
                if _TEMPORARY.fullmatch(name):
                    os.unlink(os.path.join(self.path, name))
            probe = os.path.join(self.path, f".{os.urandom(8).hex()}.tmp")
            os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.unlink(probe)
        except OSError as error:
            text = f"checkpoint_dir cannot be written to: {error.strerror}"
            raise OSError(error.errno, text, self.path) from error

    def files(self) -> list[str]:
        """The paths of the checkpoints, the newest first."""
        names = sorted(filter(_NAME.fullmatch, os.listdir(self.path)), reverse=True)
        return [os.path.join(self.path, name) for name in names]

    def save(self, state: dict, iteration: int) -> str:
        """Write a checkpoint, then remove all but the newest ones; returns its path.

        Raises:
            OSError: the system could not write; the earlier checkpoints are all there.
        """
        path = os.path.join(self.path, f"checkpoint-{iteration:010d}.safetensors")
        save_sealed(state, path)
        for old in self.files()[self.keep :]:
            with contextlib.suppress(OSError):
                os.unlink(old)
        return path

    def load(self) -> dict | None:
        """The newest checkpoint that is whole, None where there is none at all.

        Each one that is not is set aside under another name, with a warning that names it.

        Raises:
            RuntimeError: there are checkpoints, and all are damaged.
            OSError: the system could not read.
        """
        refused = []
        for path in self.files():
            try:
                return load_sealed(path)
            except RuntimeError as error:
                refused.append(path)
                with contextlib.suppress(OSError):
                    os.replace(path, path + ".damaged")
                warnings.warn(
                    f"a checkpoint is damaged and was set aside as {path}.damaged: {error}",
                    RuntimeWarning,
                    stacklevel=5,  # of fit's caller
                )
        if refused:
            raise RuntimeError(
                f"all checkpoints in {self.path} are damaged: "
                f"{', '.join(map(os.path.basename, refused))}; to begin anew, use another folder"
            )
        return None


class Saver(Callback):
    """Writes the checkpoints of a fit; a failed write warns, and training goes on.

    Args:
        folder: where to.
        every: after how many epochs.
        minutes: after how many minutes, also in the midst of an epoch; None never.
        steps: after how many batches; None never.
    """

    def __init__(self, folder, every=1, minutes=None, steps=None):
        for name, value in (("checkpoint_every", every), ("checkpoint_steps", steps)):
            if value is not None:
                whole_number(f"fit: {name}", value)
        if minutes is not None and not minutes > 0:
            raise ValueError(f"fit: checkpoint_minutes must be above 0, got {minutes!r}")
        self.folder, self.every, self.minutes, self.steps = folder, every, minutes, steps
        self.written = None  # what the last checkpoint was of
        self.due = False

    def on_fit_start(self, trainer):
        """Refuse what cannot be saved before it is trained; begin to count the minutes."""
        describe(capture(trainer))
        self.next_time = self._next_time()

    def _next_time(self):
        return None if self.minutes is None else time.monotonic() + 60 * self.minutes

    def on_batch_end(self, trainer):
        """Save if it is time, and no gradient waits for more batches."""
        if self.steps is not None and trainer.iteration % self.steps == 0:
            self.due = True
        if self.next_time is not None and time.monotonic() >= self.next_time:
            self._is_time(trainer)
        if trainer._team is not None and not trainer._pending and trainer._team.hears(SAVE):
            self.due = True
        if self.due and not trainer._pending:
            self.save(trainer)

    def _is_time(self, trainer):
        """Save; of several processes the leader's clock counts, and the others hear of it."""
        if trainer._team is None:
            self.due = True
        elif trainer._team.leads:
            trainer._team.ask_to_save()

    def on_epoch_end(self, trainer):
        """Save after every so many epochs."""
        if self.due or (self.every is not None and trainer.epoch % self.every == 0):
            self.save(trainer)

    def save(self, trainer) -> None:
        """Write a checkpoint of the present state, unless that was done."""
        self.due, self.next_time = False, self._next_time()
        now = (trainer.iteration, trainer._done)
        if now == self.written or trainer._broken:
            return
        if trainer.check_finite and (name := bad_parameter(trainer.model)):
            trainer._stop_as_not_finite(f"parameter {name!r} is not finite")
            return
        state = capture(trainer)
        try:
            if trainer._leads():
                self.folder.save(state, trainer.iteration)
        except OSError as error:
            last = next(iter(self.folder.files()), "none")
            warnings.warn(
                f"the checkpoint of iteration {trainer.iteration} could not be written: {error}; "
                f"the last good one is {last}, and training goes on",
                RuntimeWarning,
                stacklevel=2,
            )
        else:
            self.written = now
        if trainer._team is not None:
            trainer._team.wait()


# --- the state of training --------------------------------------------------------------


def capture(trainer) -> dict[str, Any]:
    """The whole state of training between two batches; of all processes, where there are more."""
    own = _own(trainer)
    if trainer._team is not None:
        own = {"processes": trainer._team.everyone(own)}
    return {
        "version": VERSION,
        "run": trainer._run,
        "model": trainer.model.state_dict(),
        "loss": _state_of(trainer.loss),
        "optimizer": trainer.optimizer.state_dict(),
        "scheduler": _state_of(trainer.scheduler),
        "normalizers": {k: n.state_dict() for k, n in trainer._normalizers().items()},
        "callbacks": {k: c.state_dict() for k, c in _named(trainer._present)},
        **own,
    }


def _own(trainer):
    """What each process has of its own: sums over its batches, losses, generators."""
    return {
        "position": _position(trainer),
        "meters": {k: _state_of_meter(m) for k, m in _meters(trainer).items()},
        "history": trainer.history.state_dict(),
        "generators": {"now": generator_states(trainer._sources), "start": trainer._start},
    }


def _meters(trainer):
    """The metrics of the present epoch, or what was recorded for them."""
    return trainer._meters if trainer._team is None else {"recorded": trainer._recorded}


def _position(trainer):
    complete = trainer._done == trainer.epoch
    return {
        "done": trainer._done, "epoch": trainer.epoch, "batch": 0 if complete else trainer.batch,
        "iteration": trainer.iteration, "total": trainer._total, "samples": trainer._samples,
        "first": trainer._first, "elapsed": time.perf_counter() - trainer._began,
    }  # fmt: skip


def restore(trainer, state: dict[str, Any]) -> None:
    """Continue from what :func:`capture` returned.

    Raises:
        ValueError: it is of another version, or of a fit with other settings.
        RuntimeError: it does not fit the model.
    """
    if state.get("version") != VERSION:
        raise ValueError(
            f"the checkpoint has version {state.get('version')!r}, this tensorgrad reads {VERSION}"
        )
    for name, value in trainer._run.items():
        if state["run"].get(name) != value:
            raise ValueError(
                f"the checkpoint was made with {name}={state['run'].get(name)!r}, this fit has "
                f"{value!r}; make them equal, or begin anew in another folder"
            )
    if trainer._team is not None:
        state = {**state, **state["processes"][trainer._team.group.rank()]}
    trainer.model.load_state_dict(state["model"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    if state["position"]["iteration"]:
        trainer.optimizer._opt_called = True  # in another process: a schedule asks for it
    for part, name in ((trainer.loss, "loss"), (trainer.scheduler, "scheduler")):
        if state[name] is not None and hasattr(part, "load_state_dict"):
            part.load_state_dict(state[name])
    for name, normalizer in trainer._normalizers().items():
        if name in state["normalizers"]:
            normalizer.load_state_dict(state["normalizers"][name])
    for name, meter in _meters(trainer).items():
        if name in state["meters"]:
            _load_meter(meter, state["meters"][name])
    for name, callback in _named(trainer._present):
        if name in state["callbacks"]:
            callback.load_state_dict(state["callbacks"][name])
    trainer.history.load_state_dict(state["history"])
    position = state["position"]
    trainer._done, trainer.epoch = position["done"], position["epoch"]
    trainer.batch, trainer.iteration = position["batch"], position["iteration"]
    trainer._total, trainer._samples = position["total"], position["samples"]
    trainer._first, trainer._began = position["first"], time.perf_counter() - position["elapsed"]
    generators = state["generators"]
    trainer._start, trainer._resumed_generators = generators["start"], generators["now"]


def _named(callbacks):
    """Callbacks by the names of their classes, numbered where there are several of one."""
    count: dict[str, int] = {}
    for callback in callbacks:
        name = type(callback).__name__
        count[name] = count.get(name, 0) + 1
        yield (name if count[name] == 1 else f"{name} {count[name]}"), callback


def _state_of(part):
    return part.state_dict() if hasattr(part, "state_dict") else None


def _state_of_meter(meter):
    """What a metric has gathered: its state_dict, or else its attributes."""
    return meter.state_dict() if hasattr(meter, "state_dict") else dict(vars(meter))


def _load_meter(meter, state):
    if hasattr(meter, "load_state_dict"):
        meter.load_state_dict(state)
    else:
        vars(meter).update(state)


# --- generators -------------------------------------------------------------------------


def generator_states(sources) -> dict[str, Any]:
    """The states of the default generators, NumPy's and Python's too, and those of the loaders."""
    version, words, gauss = random.getstate()
    states: dict[str, Any] = {
        "default": default_generator.get_state(),
        "numpy": np.random.get_state(legacy=False),  # noqa: NPY002  what users' datasets draw from
        "python": [version, np.array(words, np.uint32), gauss],
    }
    for i, source in enumerate(sources):
        for name, generator in source.generators().items():
            states[f"{name} {i}"] = generator.get_state()
    return states


def set_generators(states: dict[str, Any], sources) -> None:
    """Take over what :func:`generator_states` returned."""
    for i, source in enumerate(sources):
        for name, generator in source.generators().items():
            if f"{name} {i}" in states:
                generator.set_state(states[f"{name} {i}"])
    default_generator.set_state(states["default"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
