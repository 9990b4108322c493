"""Averages of the weights of a model along its training.

>>> import tensorgrad
>>> from tensorgrad.optim.swa_utils import SWALR, AveragedModel
>>> _ = tensorgrad.manual_seed(0)
>>> model = tensorgrad.nn.Linear(1, 1, bias=False)
>>> averaged = AveragedModel(model)
>>> for value in (1.0, 2.0, 6.0):
...     _ = model.weight.data.fill_(value)
...     averaged.update_parameters(model)
>>> averaged.module.weight.item()
3.0
"""

from __future__ import annotations

import math
from copy import deepcopy

import tensorgrad

from .lr_scheduler import LRScheduler, _check_choice, _per_group

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


# --- what is averaged how ----------------------------------------------------------------


def get_ema_avg_fn(decay=0.999):
    """The exponential moving average, for ``avg_fn`` of :class:`AveragedModel`.

    Args:
        decay: the share of the old average that stays, from 0 to 1.

    Raises:
        ValueError: ``decay`` is out of range.

    >>> get_ema_avg_fn(0.75)(4.0, 8.0, 1)
    5.0
    """
    _check_decay(decay)

    @tensorgrad.no_grad()
    def ema_update(ema_param, current_param, num_averaged):
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_ema_multi_avg_fn(decay=0.999):
    """As :func:`get_ema_avg_fn`, for ``multi_avg_fn``: writes to a list of tensors.

    Args:
        decay: the share of the old average that stays, from 0 to 1.

    Raises:
        ValueError: ``decay`` is out of range.
    """
    _check_decay(decay)

    @tensorgrad.no_grad()
    def ema_update(ema_param_list, current_param_list, num_averaged):
        for average, value in zip(ema_param_list, current_param_list, strict=True):
            _move_towards(average, value, 1 - decay)

    return ema_update


def get_swa_avg_fn():
    """The mean of all values so far, for ``avg_fn`` of :class:`AveragedModel`.

    >>> get_swa_avg_fn()(4.0, 8.0, 3)
    5.0
    """

    @tensorgrad.no_grad()
    def swa_update(averaged_param, current_param, num_averaged):
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def get_swa_multi_avg_fn():
    """As :func:`get_swa_avg_fn`, for ``multi_avg_fn``: writes to a list of tensors."""

    @tensorgrad.no_grad()
    def swa_update(averaged_param_list, current_param_list, num_averaged):
        share = float(1 / (num_averaged + 1))
        for average, value in zip(averaged_param_list, current_param_list, strict=True):
            _move_towards(average, value, share)

    return swa_update


def _check_decay(decay):
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay}; it must be in [0, 1]")


def _move_towards(average, value, share):
    """Move ``average`` by ``share`` of the way; integers are rounded towards 0."""
    average.copy_(average + (value - average) * share)


# --- the averaged model ------------------------------------------------------------------


class AveragedModel(tensorgrad.nn.Module):
    """A copy of a model whose parameters are averages of those of the model.

    By default their plain mean: stochastic weight averaging, Izmailov et al., "Averaging
    weights leads to wider optima and better generalization" (arXiv:1803.05407).

    Args:
        model: what is copied, as ``module``.
        device: where the copy goes; there is only the CPU.
        avg_fn: function ``(average, value, n_averaged) -> new average`` of one tensor.
        multi_avg_fn: function ``(averages, values, n_averaged)`` that writes to the averages,
            called once for each dtype.
        use_buffers: average the buffers too; otherwise those of the model are copied.

    Attributes:
        module: the copy.
        n_averaged: how many values were averaged.

    Raises:
        AssertionError: both functions are given.

    >>> import tensorgrad
    >>> model = tensorgrad.nn.Linear(1, 1, bias=False)
    >>> averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.75))
    >>> for value in (4.0, 8.0):
    ...     _ = model.weight.data.fill_(value)
    ...     averaged.update_parameters(model)
    >>> averaged(tensorgrad.ones(1))
    tensor([5.], grad_fn=<...>)
    """

    def __init__(
        self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False
    ):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensorgrad.tensor(0, dtype=tensorgrad.int64))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args, **kwargs):
        """What the averaged model returns."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model) -> None:
        """Take the present values of ``model`` into the averages.

        Args:
            model: of the same structure as the one that was copied.
        """
        averages = _tensors(self.module, self.use_buffers)
        values = _tensors(model, self.use_buffers)
        if self.n_averaged.item() == 0:
            _copy_each(averages, values)
        elif self.multi_avg_fn is not None:
            for some in _by_dtype(averages, values):
                self.multi_avg_fn(*some, self.n_averaged)
        else:
            avg_fn = self.avg_fn or get_swa_avg_fn()
            for average, value in zip(averages, values, strict=True):
                average.copy_(avg_fn(average, value, self.n_averaged))
        if not self.use_buffers:
            _copy_each(_buffers(self.module), _buffers(model))
        self.n_averaged += 1


def _tensors(module, use_buffers):
    parameters = [p.detach() for p in module.parameters()]
    return parameters + _buffers(module) if use_buffers else parameters


def _buffers(module):
    return [b.detach() for b in module.buffers()]


def _copy_each(targets, sources):
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)


def _by_dtype(averages, values):
    """Pairs of lists whose averages have one dtype."""
    groups: dict = {}
    for average, value in zip(averages, values, strict=True):
        some = groups.setdefault(average.dtype, ([], []))
        some[0].append(average)
        some[1].append(value)
    return groups.values()


@tensorgrad.no_grad()
def update_bn(loader, model, device=None) -> None:
    """Compute the running statistics of all batch normalization layers anew.

    Averaged weights make other activations than those that were seen in training.

    Args:
        loader: batches; of a list or tuple the first entry is the input.
        model: whose layers they are; it is called on each batch.
        device: where inputs go; there is only the CPU.

    >>> import tensorgrad
    >>> model = tensorgrad.nn.BatchNorm1d(1)
    >>> update_bn([tensorgrad.tensor([[1.0], [5.0]])], model)
    >>> model.running_mean, model.running_var
    (tensor([3.]), tensor([8.]))
    """
    kind = tensorgrad.nn.modules.batchnorm._BatchNorm
    layers = [m for m in model.modules() if isinstance(m, kind)]
    if not layers:
        return
    momenta, was_training = [layer.momentum for layer in layers], model.training
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over the batches
    model.train()
    for batch in loader:
        inputs = batch[0] if isinstance(batch, list | tuple) else batch
        model(inputs if device is None else inputs.to(device))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(was_training)


# --- its schedule ------------------------------------------------------------------------


class SWALR(LRScheduler):
    """Goes to a constant rate, at which weights are averaged, in a few epochs.

    Args:
        optimizer: whose rates are set.
        swa_lr: the rate to go to, or a list of one for each group.
        anneal_epochs: how many epochs it takes.
        anneal_strategy: "cos" or "linear".
        last_epoch: the last epoch of an interrupted run.

    Raises:
        ValueError: the list has another length than the groups, the strategy is unknown, or
            ``anneal_epochs`` is no int or negative.

    >>> import tensorgrad
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = SWALR(sgd, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> for _ in range(3):
    ...     sgd.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.75]
    [0.5]
    [0.5]
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        for group, lr in zip(
            optimizer.param_groups, _per_group("swa_lr", optimizer, swa_lr), strict=True
        ):
            group["swa_lr"] = lr
        _check_choice("anneal_strategy", anneal_strategy, ("cos", "linear"))
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be an int of at least 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step):
        """How much of the way is done after ``step`` steps."""
        done = max(0, min(1, step / max(1, self.anneal_epochs)))
        return done if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * done)) / 2

    def get_lr(self) -> list:
        """The next rate of each group."""
        self._warn_if_called_by_user()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            lr, goal = group["lr"], group["swa_lr"]
            # Where the rate would have begun, had it gone to the goal all the time.
            start = goal if before == 1 else (lr - before * goal) / (1 - before)
            rates.append(goal * now + start * (1 - now))
        return rates
