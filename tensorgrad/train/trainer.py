"""The Trainer: the loop around a model, a loss and an optimizer."""

from __future__ import annotations

import contextlib
import copy
import math
import os
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import cat, full_like
from .._graph import Tensor
from ..nn import Module
from ..nn.utils import clip_grad_norm_, clip_grad_value_
from ..optim import LBFGS, Optimizer
from ..optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from .arguments import whole_number
from .batches import Batches, batches_of, tensor_of, together
from .callbacks import Callback
from .checkpoints import CheckpointFolder, Saver, generator_states, restore, set_generators
from .checks import (
    batch_hooks,
    check_loss,
    check_monitors,
    check_normalizers,
    check_options,
    check_parts,
    evaluating,
    is_summed,
    list_of,
    modes_of,
    pair_of,
    restore_modes,
    size_of,
)
from .finite import bad_gradient, bad_parameter, first_bad
from .history import History
from .interrupt import INTERRUPTED, ending_softly
from .meters import Recorded, meters_of, values_of
from .processes import ANOTHER, NOT_FINITE, STOP, Team, team_of
from .progress import progress_of
from .stopping import EarlyStopping, StopCondition, weights_of

__all__ = ["Trainer"]


class Trainer:
    """Trains a model: the loop over epochs and batches, and what belongs around it.

    A batch is a pair (input, target), and its loss ``loss(model(input), target)``, the mean over
    its samples. Each epoch's ``train_loss`` and ``train_<metric>`` are those of its batches as they
    were trained on; ``valid_loss`` and ``valid_<metric>`` are taken after it, in evaluation mode.
    Losses of batches are averaged by their numbers of samples.

    Args:
        model: a module.
        loss: a module or function of output and target that returns a scalar.
        optimizer: of the model's parameters. LBFGS gets the closure it needs.
        metrics: what else to measure: a metric or its name, a list of them, or a dict by name. A
            metric has ``reset()``, ``update(output, target)`` and ``compute()``; a plain function
            of output and target is given those of the whole epoch at once.
        scheduler: a learning-rate schedule; :class:`ReduceLROnPlateau` is given ``valid_loss``, or
            ``train_loss`` where there is none.
        callbacks: a :class:`Callback` or several, of every fit; or what has ``set_epoch``, such as
            a mixer with a schedule of epochs, which is called with 0, 1, ...
        clip_norm: bound of the norm of all gradients together.
        clip_value: bound of each element of the gradients.
        accumulate: how many batches make a step. The gradient is the mean over all their samples;
            at the end of an epoch fewer may make one.
        seed: of the order of the data, which depends on it and the epoch alone. Weights, dropout
            and so on come from the default generator: ``tensorgrad.manual_seed``.
        normalizers: an object with ``state_dict`` and ``load_state_dict``, or a dict of them by
            name, to be kept in checkpoints with the model. Data for :meth:`fit` and
            :meth:`evaluate` is normalised before; with ``{"x": ..., "y": ...}``,
            :meth:`predict` can do it, and undo it for outputs.
        scheduler_step: ``"epoch"`` or ``"batch"`` (after each step of the optimizer).
        check_finite: stop when a loss, the norm of gradients under ``clip_norm``, or after an epoch
            a parameter is nan or infinite, with a warning that names the first layer or parameter
            that is.

    Attributes:
        history: the :class:`History`, one for all fits.
        epoch: the number of the present epoch, from 1; 0 before the first.
        batch: how many batches of it are done.
        iteration: how many batches are done in all.
        resumed: whether the present fit began from a checkpoint.

    Raises:
        TypeError: an argument is of another type.
        ValueError: an argument is out of range, or the optimizer has no parameter of the model.

    >>> import tensorgrad as torch
    >>> from tensorgrad.train import Trainer
    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(64, 2)
    >>> y = (x[:, 0] > x[:, 1]).long()
    >>> model = torch.nn.Linear(2, 2)
    >>> adam = torch.optim.Adam(model.parameters(), lr=0.1)
    >>> trainer = Trainer(model, torch.nn.CrossEntropyLoss(), adam)
    >>> history = trainer.fit((x, y), epochs=20, batch_size=16, progress=False)
    >>> len(history), history["train_loss"][-1] < 0.2
    (20, True)
    >>> trainer.evaluate((x, y))["loss"] < 0.2
    True
    >>> trainer.predict(x).shape
    torch.Size([64, 2])
    """

    def __init__(
        self, model: Module, loss: Callable[..., Any], optimizer: Optimizer, *, metrics: Any = None,
        scheduler: LRScheduler | None = None, callbacks: Any = (),
        clip_norm: float | None = None, clip_value: float | None = None, accumulate: int = 1,
        seed: int = 0, normalizers: Any = None, scheduler_step: str = "epoch",
        check_finite: bool = True,
    ) -> None:  # fmt: skip
        check_parts(model, loss, optimizer, scheduler, scheduler_step)
        check_options(clip_norm, clip_value, scheduler_step)
        accumulate = whole_number("Trainer: accumulate", accumulate)
        seed = whole_number("Trainer: seed", seed, least=0)
        if accumulate > 1 and isinstance(optimizer, LBFGS):
            raise ValueError("Trainer: accumulate is not possible with LBFGS; use larger batches")
        self.model, self.loss, self.optimizer, self.scheduler = model, loss, optimizer, scheduler
        self.metrics = meters_of(metrics, loss)
        self.callbacks = list_of(callbacks, "callbacks")
        self.clip_norm, self.clip_value, self.accumulate = clip_norm, clip_value, accumulate
        self.seed, self.scheduler_step, self.check_finite = seed, scheduler_step, check_finite
        self.normalizers = normalizers
        check_normalizers(self._normalizers())
        self._meters = copy.deepcopy(self.metrics)  # of training; evaluate may run in its midst
        self._initial: dict | None = None  # the weights before the first fit
        scheduled = None if scheduler is None else scheduler.state_dict()
        self._fresh = copy.deepcopy((optimizer.state_dict(), scheduled))
        self._begin_anew()

    def _begin_anew(self):
        self.history = History()
        self.epoch = self.batch = self.iteration = self._done = 0
        self.resumed = self._broken = False
        self._reason: str | None = None
        self._total, self._samples, self._pending = 0.0, 0, 0
        self._folder: str | None = None  # of the checkpoints that are ours
        self._first, self._began, self._saving = 0, 0.0, False
        self._start: dict | None = None  # the generators at the start of the epoch
        self._resumed_generators: dict | None = None
        self._run: dict[str, Any] = {}
        self._sources: list[Batches] = []
        self._present: list[Callback] = []
        self._team: Team | None = None  # the other processes that train with this one
        self._recorded: Recorded | None = None
        self._stepping = False  # whether batches are being trained on, in step with the others

    def stop(self, reason: str) -> None:
        """Ask the present fit to end after the batch or the epoch under way.

        Args:
            reason: what ``history.stopped`` will say; that of the first call counts.
        """
        if self._team is not None and self._stepping:
            self._team.ask_to_stop(str(reason))
        elif self._reason is None:
            self._reason = str(reason)

    # --- fit ----------------------------------------------------------------------------

    def fit(
        self, train: Any, valid: Any = None, epochs: int = 10, *, batch_size: int = 64,
        shuffle: bool = True, stop: Callback | Iterable[Callback] = (),
        checkpoint_dir: str | os.PathLike | None = None, resume: bool | str = False,
        checkpoint_every: int | None = 1, checkpoint_minutes: float | None = None,
        checkpoint_steps: int | None = None, keep: int = 2, progress: bool | str | None = None,
        num_workers: int = 0,
    ) -> History:  # fmt: skip
        """Train for some epochs, or until something asks to stop.

        **However it ends**, the callbacks are told, so that an :class:`EarlyStopping` puts the best
        weights back. The first Ctrl-C ends it after the step under way: ``fit`` returns, and
        ``history.stopped`` is ``"interrupted"``. A second one raises KeyboardInterrupt at once. An
        error is raised again.

        **Checkpoints** hold all that training depends on: model, optimizer, schedule, the default
        generators (tensorgrad's, NumPy's, Python's), normalizers, the place in the epoch, metrics,
        history, and what callbacks keep, such as the best weights. A fit that was killed at any
        moment and resumed gives bit for bit the parameters and the history (``seconds`` aside) of
        one that was not. A file is written beside its place, flushed and renamed, and carries a
        checksum; a damaged one is set aside with a warning, and the one before it is used. When a
        write fails, a warning says so, and training goes on. The last state is saved as well,
        however the fit ends, unless by an error: those are the last weights, not the best ones.

        In the midst of an epoch, data given as arrays or as a Dataset goes on at the next batch
        without a draw. A DataLoader begins the epoch again from the generators' states at its
        start, and leaves out what was done; so it must give the same batches again. What a
        worker's dataset draws from the worker's own generators does not come back.

        Args:
            train: a pair (x, y) of tensors or arrays (floating arrays become the default dtype), a
                Dataset of such pairs, or batches of pairs: a DataLoader or a list. Where it, its
                dataset or its sampler has ``set_epoch``, that is called with 0, 1, ...
            valid: the same, to measure on after each epoch.
            epochs: how many, after those of earlier fits; a resumed fit has those that it lacks.
            batch_size: samples in a batch, where ``train`` or ``valid`` is no DataLoader.
            shuffle: whether to go through ``train`` in an order that depends on ``seed`` and the
                epoch, and on nothing else. A DataLoader's order is its own.
            stop: a stop condition or several, or any callbacks of this fit alone.
            checkpoint_dir: folder for the checkpoints of this run and no other; None for none.
            resume: True goes on from the newest checkpoint, and ``"auto"`` does if there is one.
                False begins anew (or goes on from this trainer's earlier fit), and refuses a folder
                with the checkpoints of another run.
            checkpoint_every: after how many epochs to save; None: only at the end.
            checkpoint_minutes: after how many minutes to save, in the midst of an epoch too.
            checkpoint_steps: after how many batches to save.
            keep: how many checkpoints to keep.
            progress: None or True shows a bar (tqdm) in a terminal and in a notebook, and elsewhere
                prints a line for each epoch; ``"bar"`` or ``"lines"`` chooses; False prints
                nothing.
            num_workers: processes that make the batches, where ``train`` is a Dataset.

        Returns:
            The history, of earlier fits too.

        Raises:
            TypeError: data is none of the above, or a callback or metric keeps what a checkpoint
                cannot hold.
            ValueError: an option is out of range, there is nothing to train on, or the checkpoint
                is from a fit with other settings.
            FileExistsError: ``resume`` is False, and the folder has checkpoints of another run.
            FileNotFoundError: ``resume`` is True, and it has none.
            RuntimeError: all checkpoints are damaged, or do not fit the model.
            OSError: the folder cannot be written to.
        """
        epochs = whole_number("fit: epochs", epochs, least=0)
        team = self._join()
        if team is not None:
            self._begin_together(team)
        source = batches_of(train, batch_size, shuffle=shuffle, seed=self.seed, team=team,
                            num_workers=num_workers, name="train")  # fmt: skip
        checks = None
        if valid is not None:
            checks = batches_of(valid, batch_size, name="valid", team=team, even=False)
        callbacks = [*self.callbacks, *list_of(stop, "stop")]
        check_monitors(callbacks, valid, self.metrics)
        self._run = self._settings(source)
        self._sources = [source] if checks is None else [source, checks]
        self._present, saver = callbacks, None
        if checkpoint_dir is not None:
            folder = CheckpointFolder(checkpoint_dir, keep, writes=self._leads())
            saver = Saver(folder, checkpoint_every, checkpoint_minutes, checkpoint_steps)
        self._saving = saver is not None
        self._prepare(saver, resume)
        self._reason, self._broken, self.history.stopped = None, False, None
        last = self._first + epochs
        shown = progress_of(progress, last, source.length) if self._leads() else []
        callbacks = [*callbacks, *shown, *([saver] if saver else [])]
        with ending_softly(self), self._ending(callbacks):
            for callback in callbacks:
                callback.on_fit_start(self)
            if self._resumed_generators is not None:
                set_generators(self._resumed_generators, self._sources)
                self._ask_again()
            while self._done < last and self._reason is None:
                self._run_epoch(source, checks, callbacks)
            self.history.stopped = self._reason
            if saver is not None:
                saver.save(self)
        if self._broken:
            warnings.warn(f"fit stopped: {self._reason}", RuntimeWarning, stacklevel=2)
        return self.history

    def _settings(self, source) -> dict[str, Any]:
        """What a checkpoint must have been made with for this fit to go on from it."""
        settings = {
            "optimizer": type(self.optimizer).__name__, "scheduler": type(self.scheduler).__name__,
            "accumulate": self.accumulate, **source.settings,
        }  # fmt: skip
        if self._team is not None:
            settings["processes"] = self._team.group.size()
        return settings

    def _join(self) -> Team | None:
        """Find the other processes of the job, if it has several."""
        if self._team is None or self._team.gone():
            self._team = team_of(self.model)
        return self._team

    def _begin_together(self, team):
        """Forget what an earlier fit asked the others for, and what it recorded for them."""
        if isinstance(self.optimizer, LBFGS):
            raise ValueError(
                "Trainer: LBFGS searches along lines of its own; use another optimizer for "
                "training in several processes"
            )
        team.begin()
        self._recorded = Recorded()

    def _leads(self) -> bool:
        """Whether this process, of those of the job, writes files and shows progress."""
        return self._team is None or self._team.leads

    def _prepare(self, saver, resume):
        """Go on from a checkpoint, or from where this trainer is."""
        if resume not in (False, True, "auto"):
            raise ValueError(f"fit: resume must be False, True or 'auto', got {resume!r}")
        if saver is None and resume:
            raise ValueError(f"fit: resume={resume!r} needs a checkpoint_dir to resume from")
        state = None
        if saver is not None:
            state = self._checkpoint(saver.folder, resume) if self._leads() else None
            state = state if self._team is None else self._team.leaders(state)
        if self._initial is None:
            self._initial = weights_of(self.model)
        if state is None:
            self._first, self._resumed_generators = self._done, None
            self.epoch = self._done  # what a stop left of an epoch is not gone on with
        else:
            restore(self, state)
        self.resumed = state is not None
        if saver is not None:
            self._folder = saver.folder.path

    def _checkpoint(self, folder, resume):
        """The state to go on from, None to begin."""
        if resume:
            state = folder.load()
            if state is None and resume is True:
                raise FileNotFoundError(
                    f"fit: resume=True, but there is no checkpoint in {folder.path}; "
                    "resume='auto' begins where there is none"
                )
            return state
        if folder.files() and folder.path != self._folder:
            raise FileExistsError(
                f"fit: {folder.path} holds checkpoints of another run; resume='auto' goes on with "
                "it, another checkpoint_dir begins anew"
            )
        return None

    def _ask_again(self):
        """A checkpoint may be of a fit that a condition had ended: ask it, before another epoch."""
        for callback in self._present:
            if isinstance(callback, StopCondition) and (reason := callback.reason()):
                self.stop(reason)

    @contextlib.contextmanager
    def _ending(self, callbacks):
        """Whatever happens, tell every callback of the end, and leave the mode as it was."""
        modes = modes_of(self.model)
        with contextlib.ExitStack() as stack:
            stack.callback(restore_modes, modes)
            for callback in reversed(callbacks):
                stack.callback(callback.on_fit_end, self)
            try:
                yield
            except BaseException as error:
                interrupted = isinstance(error, KeyboardInterrupt)
                self.history.stopped = INTERRUPTED if interrupted else repr(error)
                raise

    def _run_epoch(self, source, checks, callbacks):
        """One epoch, or what a checkpoint left of it; no row where it is cut short."""
        if self._done == self.epoch:
            self._begin_epoch(callbacks)
        batches = self._open(source)
        self.model.train()
        self._stepping = True
        try:
            self._train(batches, batch_hooks(callbacks))
        finally:
            self._stepping = False
        self._agree_to_stop()
        if self._reason is not None or not self._parameters_are_finite():
            return
        row = self._row(checks)
        if row is None:
            return
        row["seconds"] = time.perf_counter() - self._began
        self.history.epochs.append(row)
        self._done = self.epoch
        if self.check_finite and not math.isfinite(row.get("valid_loss", 0.0)):
            self._stop_as_not_finite(f"the validation loss is {row['valid_loss']}")
        if self.scheduler is not None and self.scheduler_step == "epoch":
            self._step_scheduler(row)
        for callback in callbacks:
            callback.on_epoch_end(self)
        self._agree_to_stop()

    def _agree_to_stop(self):
        """One decision for all processes."""
        if self._team is not None:
            self._reason = self._team.common_reason(self._reason)

    def _begin_epoch(self, callbacks):
        self._began = time.perf_counter()
        self.epoch, self.batch = self._done + 1, 0
        self._total, self._samples = 0.0, 0
        for meter in self._meters.values():
            meter.reset()
        if self._recorded is not None:
            self._recorded.reset()
        for callback in callbacks:
            callback.on_epoch_start(self)

    def _open(self, source):
        """The batches of the epoch, from where a checkpoint was on."""
        if not self.batch:
            self._start = generator_states(self._sources) if self._saving else None
            return source.epoch(self.epoch - 1)
        now = generator_states(self._sources)
        set_generators(self._start, self._sources)
        batches = source.epoch(self.epoch - 1, self.batch)
        set_generators(now, self._sources)
        return batches

    def _row(self, checks):
        """What the history has of the epoch; None where its validation was interrupted."""
        if not self.batch:
            raise ValueError("fit: train gave no batch; it is empty, or can be gone through once")
        total, samples = self._total, self._samples
        if self._team is not None:
            total, samples = self._team.add(total, samples)
            self._team.update(self._meters, self._recorded)
            self._team.share_buffers()
        row = {"epoch": self.epoch, "iteration": self.iteration, "train_loss": total / samples}
        row |= {f"train_{name}": value for name, value in values_of(self._meters).items()}
        if checks is not None:
            before = generator_states(self._sources) if self._saving else None
            measured = self._measure(checks, within_fit=True)
            if measured is None:
                if before is not None:
                    set_generators(before, self._sources)
                return None
            row |= {f"valid_{name}": value for name, value in measured.items()}
        row["lr"] = float(self.optimizer.param_groups[0]["lr"])
        return row

    def _step_scheduler(self, row):
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(row.get("valid_loss", row["train_loss"]))
        else:
            self.scheduler.step()

    def _train(self, batches, hooks):
        """The batches of an epoch. What is done here at every step is kept to a few microseconds.

        With ``accumulate``, each batch's gradient is weighted by its samples: see :meth:`_update`.
        """
        model, loss, optimizer, losses = self.model, self.loss, self.optimizer, self.history.losses
        meters, accumulate, team = list(self._meters.values()), self.accumulate, self._team
        if team is not None:
            model, meters = team.replica, [self._recorded] if meters else []
        closure_needed, summed = isinstance(optimizer, LBFGS), is_summed(loss)
        by_batch = self.scheduler is not None and self.scheduler_step == "batch"
        gathered = self._pending = 0
        for batch in batches:
            input, target = pair_of(batch)
            weight = 1 if summed else size_of(target)
            if closure_needed:
                output, value = self._step_with_closure(input, target)
            else:
                if not self._pending:
                    optimizer.zero_grad()
                if team is not None:
                    team.sends(self._pending + 1 == accumulate)
                output = model(input)
                value = loss(output, target)
            if not self._samples:
                check_loss(value)
            number = value.item()
            losses.append(number)
            self.iteration += 1
            if self.check_finite and not math.isfinite(number):
                # In step with others, the batch cannot be run again by one alone.
                cause = first_bad(model, loss, input, target) if team is None else team.name()
                self._stop_as_not_finite(f"the loss is {number}", cause)
                if team is None:
                    return
                team.say_not_finite()  # all must take part in the backward pass
            self.batch += 1
            self._total += number * weight
            self._samples += size_of(target) if summed else weight
            if not closure_needed:
                self._pending, gathered = self._pending + 1, gathered + weight
                value.backward(None if accumulate == 1 else full_like(value, weight))
                if self._pending == accumulate:
                    if team is not None and self._is_refused():
                        return
                    self._update(gathered)
                    gathered = self._pending = 0
            if by_batch and not self._pending:
                self.scheduler.step()
            if meters:
                output = output.detach()
                for meter in meters:
                    meter.update(output, target)
            for hook in hooks:
                hook(self)
            if self._reason is not None and not self._pending:
                return
        if self._pending:
            if team is not None:
                team.average()
                if self._is_refused():
                    return
            self._update(gathered)
            self._pending = 0
            if by_batch:
                self.scheduler.step()

    def _is_refused(self):
        """Whether any process had a loss that is not finite; notes too whether one would stop."""
        refused = self._team.hears(NOT_FINITE)
        if refused:
            self._broken, self._pending = True, 0
        if refused or self._team.hears(STOP):
            self._reason = self._team.reason or ANOTHER
        return refused

    def _update(self, weight):
        """Clip the gradients, and step."""
        if self.accumulate > 1 and not is_summed(self.loss):
            for p in self._parameters():
                if p.grad is not None:
                    p.grad.div_(weight)
        if self._clips() and not self._clip():
            return
        self.optimizer.step()

    def _clips(self):
        return self.clip_norm is not None or self.clip_value is not None

    def _clip(self):
        """Clip the gradients; False where they are not finite."""
        parameters = self._parameters()
        if self.clip_norm is not None:
            norm = clip_grad_norm_(parameters, self.clip_norm).item()
            if self.check_finite and not math.isfinite(norm):
                first = f"the first bad one behind the loss is of {bad_gradient(self.model)!r}"
                self._stop_as_not_finite(f"the norm of the gradients is {norm}", first)
                return False
        if self.clip_value is not None:
            clip_grad_value_(parameters, self.clip_value)
        return True

    def _parameters(self):
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def _step_with_closure(self, input, target):
        """A step of an optimizer that computes the loss as often as it likes; the first counts."""
        first: list[Any] = []

        def closure():
            self.optimizer.zero_grad()
            output = self.model(input)
            value = self.loss(output, target)
            value.backward()
            if self._clips():
                self._clip()
            if not first:
                first.extend((output.detach(), value.detach()))
            return value

        self.optimizer.step(closure)
        return first

    def _parameters_are_finite(self):
        """Whether the last step spoilt none; no later batch would show it."""
        name = bad_parameter(self.model) if self.check_finite else None
        if name is not None:
            first = f"the first bad gradient behind the loss is of {bad_gradient(self.model)!r}"
            self._stop_as_not_finite(f"parameter {name!r} is not finite", first)
        return name is None

    def _stop_as_not_finite(self, problem, cause=None):
        """Stop, and write no checkpoint any more; fit warns in the end."""
        self._broken = True
        where = f"{problem} at iteration {self.iteration} (epoch {self.epoch})"
        self.stop(where if cause is None else f"{where}: {cause}")

    def _normalizers(self):
        """The normalizers by name."""
        if self.normalizers is None:
            return {}
        if isinstance(self.normalizers, dict):
            return self.normalizers
        return {"normalizer": self.normalizers}

    # --- after an early stop ------------------------------------------------------------

    def retrain(
        self, train: Any, valid: Any, epochs: int | None = None, *,
        init: Callable[[Module], Any] | None = None, **options: Any,
    ) -> History:  # fmt: skip
        """Train again from the start, on ``train`` and ``valid`` together, without watching.

        What to do after an early stop, with the data that was held out to find it: as many epochs
        as were best, with new weights (Goodfellow et al., "Deep Learning", algorithm 7.2). The
        optimizer and the schedule begin as they were when the trainer was made; the trainer's
        stop conditions rest.

        Args:
            train: a pair (x, y) or a Dataset.
            valid: the same.
            epochs: how many, ``history.best_epoch`` if None.
            init: a function of the model that sets its weights; None takes those that it had
                before its first fit, of which the trainer keeps a copy.
            **options: of :meth:`fit`.

        Returns:
            A new history, which is also the trainer's.

        Raises:
            ValueError: there was no fit to tell the best number of epochs.
            TypeError: the data cannot be put together, such as DataLoaders.

        >>> import tensorgrad as torch
        >>> from tensorgrad.train import EarlyStopping, Trainer
        >>> x = torch.linspace(-1, 1, 32).reshape(32, 1)
        >>> train, valid = (x[::2], x[::2]), (x[1::2], x[1::2])
        >>> model = torch.nn.Linear(1, 1)
        >>> sgd = torch.optim.SGD(model.parameters(), lr=0.5)
        >>> trainer = Trainer(model, torch.nn.MSELoss(), sgd)
        >>> first = trainer.fit(train, valid, epochs=50, stop=EarlyStopping(patience=3),
        ...                     progress=False)
        >>> again = trainer.retrain(train, valid, progress=False)
        >>> len(again) == first.best_epoch
        True
        """
        data = together(train, valid)
        if epochs is None:
            epochs = self.history.best_epoch
        if epochs is None:
            raise ValueError("retrain: there was no fit with a best epoch; give epochs=")
        if init is not None:
            init(self.model)
        elif self._initial is not None:
            self.model.load_state_dict(self._initial)
        self.optimizer.load_state_dict(self._fresh[0])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(copy.deepcopy(self._fresh[1]))
        self._begin_anew()
        with self._unwatched():
            return self.fit(data, epochs=epochs, **options)

    def refine(
        self, train: Any, valid: Any, epochs: int = 10, *, patience: int | None = None,
        stop: Callback | Iterable[Callback] = (), batch_size: int = 64, **options: Any,
    ) -> History:  # fmt: skip
        """Go on from the weights at hand, on ``train`` and ``valid`` together, watching ``valid``.

        What else to do after an early stop (algorithm 7.3): the best weights are trained further
        with all data, and the loss on ``valid`` shows whether that helps. It is no longer that of
        data never seen: an honest measure needs other data. At the end the model has the weights
        with the lowest of these losses, those from before if none was lower. The trainer's own stop
        conditions rest.

        Args:
            train: a pair (x, y) or a Dataset.
            valid: the same.
            epochs: how many at most.
            patience: end after so many epochs without a lower loss; None never.
            stop: further conditions, such as ``StopLoss(goal, "valid_loss")``.
            batch_size: samples in a batch.
            **options: of :meth:`fit`.

        Returns:
            The trainer's history, in which the new epochs follow the old ones.

        Raises:
            TypeError: the data cannot be put together, such as DataLoaders.

        >>> import tensorgrad as torch
        >>> from tensorgrad.train import Trainer
        >>> x = torch.linspace(-1, 1, 32).reshape(32, 1)
        >>> train, valid = (x[::2], x[::2]), (x[1::2], x[1::2])
        >>> model = torch.nn.Linear(1, 1)
        >>> sgd = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> trainer = Trainer(model, torch.nn.MSELoss(), sgd)
        >>> _ = trainer.fit(train, valid, epochs=5, progress=False)
        >>> before = trainer.evaluate(valid)["loss"]
        >>> _ = trainer.refine(train, valid, epochs=5, progress=False)
        >>> trainer.evaluate(valid)["loss"] < before
        True
        """
        data = together(train, valid)
        watch = EarlyStopping("valid_loss", patience)
        watch.begin_with(self, self.evaluate(valid, batch_size=batch_size)["loss"])
        conditions = [watch, *list_of(stop, "stop")]
        with self._unwatched():
            return self.fit(data, valid, epochs, stop=conditions, batch_size=batch_size, **options)

    @contextlib.contextmanager
    def _unwatched(self):
        """The trainer without its stop conditions."""
        own = self.callbacks
        self.callbacks = [c for c in own if not isinstance(c, StopCondition)]
        try:
            yield
        finally:
            self.callbacks = own

    # --- evaluate, predict --------------------------------------------------------------

    def evaluate(self, data: Any, *, batch_size: int = 64) -> dict[str, float]:
        """The loss and the metrics on some data, in evaluation mode and without gradients.

        Args:
            data: as ``train`` of :meth:`fit`.
            batch_size: samples in a batch, where ``data`` is no DataLoader.

        Returns:
            ``"loss"`` and each metric by its name, which are nan where the loss is not finite. All
            modules are in their former mode again.

        Raises:
            TypeError, ValueError: as for :meth:`fit`.
        """
        return self._measure(batches_of(data, batch_size, team=self._join(), even=False))

    def _measure(self, source, within_fit=False):
        """The loss and the metrics; None where the fit was interrupted in the meantime."""
        total, samples, summed, team = 0.0, 0, is_summed(self.loss), self._team
        for meter in self.metrics.values():
            meter.reset()
        meters = list(self.metrics.values()) if team is None else [Recorded()]
        with evaluating(self.model):
            for batch in self._once(source):
                if within_fit and self._reason is not None and self._team is None:
                    return None
                input, target = pair_of(batch)
                output = self.model(input)
                size = size_of(target)
                number = self.loss(output, target).item()
                total += number if summed else number * size
                samples += size
                if not math.isfinite(total):  # metrics refuse outputs that are nan
                    break
                for meter in meters:
                    meter.update(output, target)
        if team is not None:
            total, samples = team.add(total, samples)
        if not samples:
            raise ValueError("there is nothing to measure on: the data gave no batch")
        if not math.isfinite(total):
            return {"loss": total, **dict.fromkeys(self.metrics, math.nan)}
        if team is not None:
            team.update(self.metrics, *meters)
        return {"loss": total / samples, **values_of(self.metrics)}

    def _once(self, source):
        """The batches of some data. What it shares with the training data keeps its epoch."""
        try:
            yield from source.epoch(0)
        finally:
            for training in self._sources[:1]:
                training.announce(max(self.epoch - 1, 0))

    def predict(self, x: Any, *, batch_size: int = 64, raw: bool = False) -> Tensor:
        """The model's outputs, in evaluation mode and without gradients.

        Args:
            x: a tensor or an array of inputs; or a Dataset, a DataLoader or a list of batches, of
                inputs or of pairs, whose targets are left aside.
            batch_size: samples in a batch, where ``x`` is no DataLoader.
            raw: True takes inputs as they were before ``normalizers["x"]``, and gives outputs as
                targets were before ``normalizers["y"]``; one of the two may be absent.

        Returns:
            All outputs along the first dimension. All modules are in their former mode again.

        Raises:
            TypeError: ``x`` is none of the above, or the model returns no tensor.
            ValueError: there is no input; or ``raw``, and the trainer has neither normalizer.

        >>> import tensorgrad as torch
        >>> from tensorgrad.datasets import normalize_x, normalize_y
        >>> from tensorgrad.train import Trainer
        >>> x = torch.linspace(50, 250, 40).reshape(40, 1)
        >>> (x_train, x_norm), (y_train, y_norm) = normalize_x(x), normalize_y(3000 * x)
        >>> model = torch.nn.Linear(1, 1)
        >>> adam = torch.optim.Adam(model.parameters(), lr=0.1)
        >>> trainer = Trainer(model, torch.nn.MSELoss(), adam,
        ...                   normalizers={"x": x_norm, "y": y_norm})
        >>> _ = trainer.fit((x_train, y_train), epochs=200, progress=False)
        >>> trainer.predict(torch.tensor([[100.0]]), raw=True).round(decimals=-3)
        tensor([[300000.]])
        """
        before, after = self._units() if raw else (_same, _same)
        if isinstance(x, Tensor | np.ndarray):
            x, before = (tensor_of(before(x), "x"),), _same
        outputs = []
        with evaluating(self.model):
            for batch in self._once(batches_of(x, batch_size, name="x")):
                input = before(batch[0] if isinstance(batch, tuple | list) else batch)
                output = self.model(input)
                if not isinstance(output, Tensor):
                    raise TypeError(
                        f"predict: the model returned a {type(output).__name__}, expected a tensor;"
                        " call the model itself"
                    )
                outputs.append(output)
        if not outputs:
            raise ValueError("predict: there is no input")
        return after(cat(outputs))

    def _units(self):
        """The ways from inputs and back to targets as they were before they were normalised."""
        named = self._normalizers()
        if not {"x", "y"} & set(named):
            raise ValueError(
                'predict: raw=True needs a trainer with normalizers={"x": ..., "y": ...}, or one '
                f"of the two; it has {', '.join(map(repr, named)) or 'none'}"
            )
        before = named["x"].transform if "x" in named else _same
        return before, named["y"].inverse if "y" in named else _same


def _same(value):
    return value
