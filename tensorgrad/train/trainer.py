"""The Trainer: the loop around a model, a loss and an optimizer."""

from __future__ import annotations

import contextlib
import copy
import math
import time
import warnings
from typing import Any

import numpy as np

from .. import cat
from .._graph import Tensor, wrap
from ..autograd import no_grad
from ..nn import Module
from ..nn.utils import clip_grad_norm_, clip_grad_value_
from ..optim import LBFGS, Optimizer
from ..optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from .batches import batches_of, tensor_of
from .callbacks import Callback
from .history import History
from .meters import meters_of, values_of

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
        callbacks: a :class:`Callback` or several, of every fit.
        clip_norm: bound of the norm of all gradients together.
        clip_value: bound of each element of the gradients.
        accumulate: how many batches make a step. The gradient is the mean over all their samples;
            at the end of an epoch fewer may make one.
        seed: of the order of the data, which depends on it and the epoch alone. Weights, dropout
            and so on come from the default generator: ``tensorgrad.manual_seed``.
        normalizers: an object with ``state_dict`` and ``load_state_dict``, or a dict of them by
            name, to be kept in checkpoints with the model.
        scheduler_step: ``"epoch"`` or ``"batch"`` (after each step of the optimizer).
        check_finite: stop when a loss or a clipped gradient is nan or infinite, with a warning
            that names the first layer or parameter that is.

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
        self, model, loss, optimizer, *, metrics=None, scheduler=None, callbacks=(),
        clip_norm: float | None = None, clip_value: float | None = None, accumulate: int = 1,
        seed: int = 0, normalizers=None, scheduler_step: str = "epoch", check_finite: bool = True,
    ) -> None:  # fmt: skip
        _check_parts(model, loss, optimizer, scheduler)
        _check_options(clip_norm, clip_value, accumulate, seed, scheduler_step)
        if accumulate > 1 and isinstance(optimizer, LBFGS):
            raise ValueError("Trainer: accumulate is not possible with LBFGS; use larger batches")
        self.model, self.loss, self.optimizer, self.scheduler = model, loss, optimizer, scheduler
        self.metrics = meters_of(metrics)
        self.callbacks = _list_of(callbacks, "callbacks")
        self.clip_norm, self.clip_value, self.accumulate = clip_norm, clip_value, accumulate
        self.seed, self.scheduler_step, self.check_finite = seed, scheduler_step, check_finite
        self.normalizers = normalizers
        self._meters = copy.deepcopy(self.metrics)  # of training; evaluate may run in its midst
        self._begin_anew()

    def _begin_anew(self):
        self.history = History()
        self.epoch = self.batch = self.iteration = self._done = 0
        self.resumed = False
        self._reason: str | None = None
        self._total, self._samples = 0.0, 0

    def stop(self, reason: str) -> None:
        """Ask the present fit to end after the batch or the epoch under way.

        Args:
            reason: what ``history.stopped`` will say; that of the first call counts.
        """
        if self._reason is None:
            self._reason = str(reason)

    # --- fit ----------------------------------------------------------------------------

    def fit(
        self, train, valid=None, epochs: int = 10, *, batch_size: int = 64, shuffle: bool = True,
        stop=(), progress=None, num_workers: int = 0,
    ) -> History:  # fmt: skip
        """Train for some epochs, or until something asks to stop.

        Args:
            train: a pair (x, y) of tensors or arrays (floating arrays become the default dtype), a
                Dataset of such pairs, or batches of pairs: a DataLoader or a list.
            valid: the same, to measure on after each epoch.
            epochs: how many, after those of earlier fits.
            batch_size: samples in a batch, where ``train`` or ``valid`` is no DataLoader.
            shuffle: whether to go through ``train`` in an order that depends on ``seed`` and the
                epoch, and on nothing else. A DataLoader's order is its own.
            stop: a stop condition or several, or any callbacks of this fit alone.
            progress: False prints nothing.
            num_workers: processes that make the batches, where ``train`` is a Dataset.

        Returns:
            The history, of earlier fits too.

        Raises:
            TypeError: data is none of the above.
            ValueError: an option is out of range, or there is nothing to train on.
        """
        if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 0:
            raise ValueError(f"fit: epochs must be a whole number from 0, got {epochs!r}")
        source = batches_of(train, batch_size, shuffle=shuffle, seed=self.seed,
                            num_workers=num_workers, name="train")  # fmt: skip
        checks = None if valid is None else batches_of(valid, batch_size, name="valid")
        callbacks = [*self.callbacks, *_list_of(stop, "stop")]
        self._reason, self.history.stopped = None, None
        last = self._done + epochs
        with self._ending(callbacks):
            for callback in callbacks:
                callback.on_fit_start(self)
            while self._done < last and self._reason is None:
                self._run_epoch(source, checks, callbacks)
            self.history.stopped = self._reason
        return self.history

    @contextlib.contextmanager
    def _ending(self, callbacks):
        """Whatever happens, tell every callback of the end, and leave the mode as it was."""
        modes = _modes(self.model)
        with contextlib.ExitStack() as stack:
            stack.callback(_restore_modes, modes)
            for callback in reversed(callbacks):
                stack.callback(callback.on_fit_end, self)
            try:
                yield
            except BaseException as error:
                interrupted = isinstance(error, KeyboardInterrupt)
                self.history.stopped = "interrupted" if interrupted else repr(error)
                raise

    def _run_epoch(self, source, checks, callbacks):
        """One epoch, or what is left of it; no row where it was cut short."""
        start = time.perf_counter()
        self.epoch = self._done + 1
        self._total, self._samples = 0.0, 0
        for meter in self._meters.values():
            meter.reset()
        for callback in callbacks:
            callback.on_epoch_start(self)
        self.model.train()
        self._train(source.epoch(self._done, self.batch), _batch_hooks(callbacks))
        if self._reason is not None:
            return
        row = self._row(checks)
        row["seconds"] = time.perf_counter() - start
        self.history.epochs.append(row)
        if self.scheduler is not None and self.scheduler_step == "epoch":
            self._step_scheduler(row)
        for callback in callbacks:
            callback.on_epoch_end(self)
        self._done, self.batch = self.epoch, 0

    def _row(self, checks):
        if not self.batch:
            raise ValueError("fit: train gave no batch; it is empty, or can be gone through once")
        row = {"epoch": self.epoch, "iteration": self.iteration,
               "train_loss": self._total / self._samples}  # fmt: skip
        row |= {f"train_{name}": value for name, value in values_of(self._meters).items()}
        if checks is not None:
            row |= {f"valid_{k}": v for k, v in self._measure(checks, self.metrics).items()}
        row["lr"] = float(self.optimizer.param_groups[0]["lr"])
        return row

    def _step_scheduler(self, row):
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(row.get("valid_loss", row["train_loss"]))
        else:
            self.scheduler.step()

    def _train(self, batches, hooks):
        """The batches of an epoch. What is done here at every step is kept to a few microseconds.

        The gradients of a batch are left unscaled by ``accumulate``: see :meth:`_update`.
        """
        model, loss, optimizer, losses = self.model, self.loss, self.optimizer, self.history.losses
        meters, accumulate = list(self._meters.values()), self.accumulate
        closure_needed = isinstance(optimizer, LBFGS)
        by_batch = self.scheduler is not None and self.scheduler_step == "batch"
        pending = gathered = 0
        for batch in batches:
            input, target = _pair(batch)
            size = _size(target)
            if closure_needed:
                output, value = self._step_with_closure(input, target)
            else:
                if not pending:
                    optimizer.zero_grad()
                output = model(input)
                value = loss(output, target)
            number = value.item()
            losses.append(number)
            self.iteration += 1
            if self.check_finite and not math.isfinite(number):
                self._stop_as_not_finite(f"the loss is {number}")
                return
            self.batch += 1
            self._total += number * size
            self._samples += size
            if not closure_needed:
                pending, gathered = pending + 1, gathered + size
                value.backward(None if accumulate == 1 else wrap(value._array.dtype.type(size)))
                if pending == accumulate:
                    self._update(gathered)
                    pending = gathered = 0
            if by_batch and not pending:
                self.scheduler.step()
            if meters:
                output = output.detach()
                for meter in meters:
                    meter.update(output, target)
            for hook in hooks:
                hook(self)
            if self._reason is not None and not pending:
                return
        if pending:
            self._update(gathered)
            if by_batch:
                self.scheduler.step()

    def _update(self, samples):
        """Clip the gradients, and step."""
        if self.accumulate > 1:
            for p in self._parameters():
                if p.grad is not None:
                    p.grad.div_(samples)
        if self.clip_norm is not None or self.clip_value is not None:
            if not self._clip():
                return
        self.optimizer.step()

    def _clip(self):
        """Whether the gradients are finite, once clipped."""
        parameters = self._parameters()
        if self.clip_norm is not None:
            norm = clip_grad_norm_(parameters, self.clip_norm).item()
            if self.check_finite and not math.isfinite(norm):
                self._stop_as_not_finite(f"the norm of the gradients is {norm}")
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
            if self.clip_norm is not None or self.clip_value is not None:
                self._clip()
            if not first:
                first.extend((output.detach(), value.detach()))
            return value

        self.optimizer.step(closure)
        return first

    def _stop_as_not_finite(self, problem):
        reason = f"{problem} at iteration {self.iteration}"
        warnings.warn(f"fit stopped: {reason}", RuntimeWarning, stacklevel=5)
        self.stop(reason)

    # --- evaluate, predict --------------------------------------------------------------

    def evaluate(self, data, *, batch_size: int = 64) -> dict[str, float]:
        """The loss and the metrics on some data, in evaluation mode and without gradients.

        Args:
            data: as ``train`` of :meth:`fit`.
            batch_size: samples in a batch, where ``data`` is no DataLoader.

        Returns:
            ``"loss"`` and each metric by its name. All modules are in their former mode again.

        Raises:
            TypeError, ValueError: as for :meth:`fit`.
        """
        return self._measure(batches_of(data, batch_size), self.metrics)

    def _measure(self, source, meters):
        total, samples = 0.0, 0
        for meter in meters.values():
            meter.reset()
        with evaluating(self.model):
            for batch in source.epoch(0):
                input, target = _pair(batch)
                output = self.model(input)
                size = _size(target)
                total += self.loss(output, target).item() * size
                samples += size
                for meter in meters.values():
                    meter.update(output, target)
            if not samples:
                raise ValueError("there is nothing to measure on: the data gave no batch")
            return {"loss": total / samples, **values_of(meters)}

    def predict(self, x, *, batch_size: int = 64) -> Tensor:
        """The model's outputs, in evaluation mode and without gradients.

        Args:
            x: a tensor or an array of inputs; or a Dataset, a DataLoader or a list of batches, of
                inputs or of pairs, whose targets are left aside.
            batch_size: samples in a batch, where ``x`` is no DataLoader.

        Returns:
            All outputs along the first dimension. All modules are in their former mode again.

        Raises:
            TypeError: ``x`` is none of the above, or the model returns no tensor.
            ValueError: there is no input.
        """
        if isinstance(x, Tensor | np.ndarray):
            x = (tensor_of(x, "x"),)
        outputs = []
        with evaluating(self.model):
            for batch in batches_of(x, batch_size, name="x").epoch(0):
                input = batch[0] if isinstance(batch, tuple | list) else batch
                output = self.model(input)
                if not isinstance(output, Tensor):
                    raise TypeError(
                        f"predict: the model returned a {type(output).__name__}, expected a tensor;"
                        " call the model itself"
                    )
                outputs.append(output)
        if not outputs:
            raise ValueError("predict: there is no input")
        return cat(outputs)


# --- helpers ----------------------------------------------------------------------------


def _pair(batch):
    """The input and the target of a batch."""
    try:
        input, target = batch
    except (TypeError, ValueError):
        kind = type(batch).__name__
        many = f" of {len(batch)}" if isinstance(batch, tuple | list) else ""
        raise TypeError(
            f"a batch must be a pair (input, target), got a {kind}{many}; a collate_fn or a "
            "Dataset can make it one"
        ) from None
    return input, target


def _size(target):
    """The number of samples; 1 where there is no first dimension to count."""
    shape = getattr(target, "shape", None)
    return shape[0] if shape else 1


def _batch_hooks(callbacks):
    return [c.on_batch_end for c in callbacks if type(c).on_batch_end is not Callback.on_batch_end]


def _modes(model):
    return [(module, module.training) for module in model.modules()]


def _restore_modes(modes):
    for module, training in modes:
        module.training = training


@contextlib.contextmanager
def evaluating(model):
    """Evaluation mode without gradients; every module is in its former mode again afterwards."""
    modes = _modes(model)
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        _restore_modes(modes)


def _list_of(callbacks, name):
    """One or several callbacks as a list."""
    callbacks = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
    for callback in callbacks:
        if not isinstance(callback, Callback):
            hint = "; make an instance of it" if isinstance(callback, type) else ""
            raise TypeError(
                f"{name}: expected callbacks (tensorgrad.train.Callback), got {callback!r}{hint}"
            )
    return callbacks


def _check_parts(model, loss, optimizer, scheduler):
    if not isinstance(model, Module):
        raise TypeError(f"Trainer: model must be a Module, got {type(model).__name__}")
    if not callable(loss) or isinstance(loss, type):
        hint = "; call it" if isinstance(loss, type) else ""
        raise TypeError(f"Trainer: loss must be a module or a function, got {loss!r}{hint}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"Trainer: optimizer must be an Optimizer, got {type(optimizer).__name__}")
    own = {id(p) for p in model.parameters()}
    if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError(
            "Trainer: the optimizer has no parameter of the model; make it from "
            "model.parameters()"
        )
    if scheduler is None:
        return
    if not isinstance(scheduler, LRScheduler):
        raise TypeError(f"Trainer: expected an LRScheduler, got {type(scheduler).__name__}")
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError("Trainer: the scheduler belongs to another optimizer")


def _check_options(clip_norm, clip_value, accumulate, seed, scheduler_step):
    for name, bound in (("clip_norm", clip_norm), ("clip_value", clip_value)):
        if bound is not None and not bound > 0:
            raise ValueError(f"Trainer: {name} must be above 0, or None, got {bound!r}")
    whole = isinstance(accumulate, int) and not isinstance(accumulate, bool)
    if not (whole and accumulate >= 1):
        raise ValueError(
            f"Trainer: accumulate must be a whole number from 1, got {accumulate!r}"
        )
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"Trainer: seed must be a whole number from 0, got {seed!r}")
    if scheduler_step not in ("epoch", "batch"):
        raise ValueError(
            f"Trainer: scheduler_step must be 'epoch' or 'batch', got {scheduler_step!r}"
        )
