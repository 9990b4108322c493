"""Learning-rate schedules.

A scheduler sets ``lr`` in the groups of an optimizer when it is made, and anew at each
``step()``, which is called after the optimizer's. Most compute the new rate from the present
one, as PyTorch's do, so that several schedulers may act on one optimizer, and a rate that the
user changed stays changed.

>>> import tensorgrad
>>> from tensorgrad.optim.lr_scheduler import StepLR
>>> w = tensorgrad.ones(1, requires_grad=True)
>>> sgd = tensorgrad.optim.SGD([w], lr=0.5)
>>> scheduler = StepLR(sgd, step_size=2, gamma=0.5)
>>> for epoch in range(4):
...     sgd.step()
...     print(scheduler.get_last_lr())
...     scheduler.step()
[0.5]
[0.5]
[0.25]
[0.25]

Warm-up is a schedule of its own, followed by any other: here three steps up to 1, then the
rate of lr / (1 + decay t), another schedule that needs no class.

>>> from tensorgrad.optim.lr_scheduler import LambdaLR, LinearLR, SequentialLR
>>> sgd = tensorgrad.optim.SGD([w], lr=1.0)
>>> warm_up = LinearLR(sgd, start_factor=0.25, total_iters=3)
>>> decay = LambdaLR(sgd, lambda t: 1 / (1 + 0.5 * t))
>>> scheduler = SequentialLR(sgd, [warm_up, decay], milestones=[3])
>>> for step in range(6):
...     print(round(sgd.param_groups[0]["lr"], 3))
...     sgd.step()
...     scheduler.step()
0.25
0.5
0.75
1.0
0.667
0.5
"""

from __future__ import annotations

import math
import types
import warnings
from bisect import bisect_right
from collections import Counter
from functools import partial

from tensorgrad._graph import Tensor

from .optimizer import Optimizer

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

inf = math.inf

EPOCH_DEPRECATION_WARNING = (
    "scheduler.step(epoch) is deprecated, call scheduler.step(). With an epoch, the closed form "
    "of the schedule is used where there is one, which forgets what others did to the rate"
)


# --- values in groups --------------------------------------------------------------------


def _copied(value):
    return value.detach().clone() if isinstance(value, Tensor) else value


def _values(optimizer, key):
    """An option of each group; tensors as copies."""
    return [_copied(group[key]) for group in optimizer.param_groups]


def _set(group, key, value):
    """Set an option; a tensor is filled, so that whoever holds it sees the value."""
    if isinstance(group[key], Tensor):
        group[key].fill_(float(value))
    else:
        group[key] = value


def _per_group(name, optimizer, value):
    """A list with one value for each group.

    Raises:
        ValueError: ``value`` is a list of another length.
    """
    groups = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        value = [value] * groups
    if len(value) != groups:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups: it has {len(value)} "
            f"values, param_groups has {groups}"
        )
    return [_copied(v) for v in value]


def _check_optimizer(optimizer):
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def _check_positive_int(name, value):
    if value <= 0 or not isinstance(value, int):
        raise ValueError(f"Expected positive integer {name}, but got {value}")


def _saved_function(fn):
    """What is saved of a callable: the attributes of an object, nothing of a function."""
    if fn is None or isinstance(fn, types.FunctionType):
        return None
    return dict(getattr(fn, "__dict__", {}))


# --- base --------------------------------------------------------------------------------


class LRScheduler:
    """Base class of schedulers.

    A subclass writes :meth:`get_lr`, which computes a rate for each group for epoch
    ``self.last_epoch``. If it has a closed form, ``_get_closed_form_lr`` gives that to
    ``step(epoch)``.

    Args:
        optimizer: whose rates are set.
        last_epoch: the last epoch of an interrupted run to go on with; its groups must have
            their ``initial_lr``, which they get from the optimizer's ``load_state_dict``.

    Attributes:
        base_lrs: the rate that each group began with.
        last_epoch: how many steps were made.

    Raises:
        TypeError: ``optimizer`` is none.
        KeyError: ``last_epoch`` is given, but a group has no ``initial_lr``.

    >>> import tensorgrad
    >>> class Halving(tensorgrad.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [lr / 2**self.last_epoch for lr in self.base_lrs]
    >>> w = tensorgrad.ones(1, requires_grad=True)
    >>> sgd = tensorgrad.optim.SGD([w], lr=0.5)
    >>> halving = Halving(sgd)
    >>> sgd.step()
    >>> halving.step()
    >>> halving.get_last_lr()
    [0.25]
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer, last_epoch=-1):
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming "
                    f"with last_epoch={last_epoch}; load the state_dict of the optimizer first, "
                    "or leave out last_epoch to begin anew"
                )
        self.base_lrs = _values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self):
        """Set the rate of the first epoch, and begin to count steps."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict:
        """Every attribute but the optimizer, whose state_dict is to be saved as well."""
        return {k: v for k, v in self.__dict__.items() if k != "optimizer"}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what :meth:`state_dict` returned, here or in PyTorch."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list:
        """The rate of each group that was set last."""
        return self._last_lr

    def get_lr(self) -> list:
        """The next rate of each group; users call :meth:`get_last_lr`."""
        raise NotImplementedError(f"{type(self).__name__} must write get_lr()")

    def step(self, epoch=None) -> None:
        """Go on by one epoch; call this after the optimizer's ``step``.

        Args:
            epoch: deprecated: go to this epoch.
        """
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(
                "lr_scheduler.step() was called before optimizer.step(), so that the first "
                "value of the schedule is skipped; call optimizer.step() first",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch=None):
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed_form = getattr(self, "_get_closed_form_lr", None)
        if epoch is None or closed_form is None:
            self._apply(self.get_lr)
        else:
            self._apply(closed_form)

    def _apply(self, compute):
        """Set the rates that ``compute`` returns."""
        self._get_lr_called_within_step = True
        try:
            values = compute()
        finally:
            self._get_lr_called_within_step = False
        for group, lr in zip(self.optimizer.param_groups, values, strict=True):
            _set(group, "lr", lr)
        self._last_lr = self._present()

    # What the formulas of subclasses are made of.

    def _present(self):
        return _values(self.optimizer, "lr")

    def _times(self, factor):
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _base_times(self, factor):
        return [lr * factor for lr in self.base_lrs]

    def _warn_if_called_by_user(self):
        if not self._get_lr_called_within_step:
            warnings.warn(
                "get_lr() computes the next rate; get_last_lr() returns the present one",
                UserWarning,
                stacklevel=3,
            )


class _LRScheduler(LRScheduler):
    """The former name of :class:`LRScheduler`, for subclasses and ``isinstance``."""


# --- factors -----------------------------------------------------------------------------


class _WithLambdas(LRScheduler):
    """What the two schedulers with a function for each group have in common."""

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        groups = len(optimizer.param_groups)
        if not isinstance(lr_lambda, list | tuple):
            lr_lambda = [lr_lambda] * groups
        if len(lr_lambda) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(lr_lambda)}")
        self.lr_lambdas = list(lr_lambda)
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict:
        """As :class:`LRScheduler`; of functions nothing is saved, of objects their attributes."""
        saved = super().state_dict()
        saved["lr_lambdas"] = [_saved_function(fn) for fn in self.lr_lambdas]
        return saved

    def load_state_dict(self, state_dict: dict) -> None:
        """As :class:`LRScheduler`; functions stay those given to the constructor."""
        rest = dict(state_dict)
        lambdas = rest.pop("lr_lambdas")
        super().load_state_dict(rest)
        for fn, saved in zip(self.lr_lambdas, lambdas, strict=False):
            if saved is not None:
                fn.__dict__.update(saved)


class LambdaLR(_WithLambdas):
    """The first rate times a function of the epoch.

    Args:
        optimizer: whose rates are set.
        lr_lambda: function from the epoch, counted from 0, to a factor, or a list of one for
            each group.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: the list has another length than the groups.

    >>> import tensorgrad
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tensorgrad.optim.lr_scheduler.LambdaLR(sgd, lambda epoch: 0.5**epoch)
    >>> sgd.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def get_lr(self) -> list:
        """The next rate of each group."""
        self._warn_if_called_by_user()
        pairs = zip(self.lr_lambdas, self.base_lrs, strict=True)
        return [lr * fn(self.last_epoch) for fn, lr in pairs]


class MultiplicativeLR(_WithLambdas):
    """The present rate times a function of the epoch.

    Args:
        optimizer: whose rates are set.
        lr_lambda: function from the epoch, from 1, to a factor, or a list of one for each
            group.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: the list has another length than the groups.
        TypeError: something in it cannot be called.

    >>> import tensorgrad
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tensorgrad.optim.lr_scheduler.MultiplicativeLR(sgd, lambda epoch: 0.5)
    >>> for _ in range(3):
    ...     sgd.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.125]
    """

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        for fn in lr_lambda if isinstance(lr_lambda, list | tuple) else [lr_lambda]:
            if not callable(fn):
                raise TypeError(f"lr_lambda should be a function, but got {type(fn).__name__}")
        super().__init__(optimizer, lr_lambda, last_epoch)

    def get_lr(self) -> list:
        """The next rate of each group."""
        self._warn_if_called_by_user()
        if self._is_initial:
            return self._present()
        pairs = zip(self.lr_lambdas, self.optimizer.param_groups, strict=True)
        return [group["lr"] * fn(self.last_epoch) for fn, group in pairs]


class StepLR(LRScheduler):
    """Multiplies the rate by ``gamma`` every ``step_size`` epochs.

    Args:
        optimizer: whose rates are set.
        step_size: how many epochs a rate lasts.
        gamma: the factor.
        last_epoch: see :class:`LRScheduler`.

    >>> import tensorgrad
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tensorgrad.optim.lr_scheduler.StepLR(sgd, step_size=2, gamma=0.5)
    >>> for _ in range(5):
    ...     sgd.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The next rate of each group."""
        self._warn_if_called_by_user()
        if self.last_epoch == 0 or self.last_epoch % self.step_size != 0:
            return self._present()
        return self._times(self.gamma)

    def _get_closed_form_lr(self):
        return self._base_times(self.gamma ** (self.last_epoch // self.step_size))


class MultiStepLR(LRScheduler):
    """Multiplies the rate by ``gamma`` at given epochs.

    Args:
        optimizer: whose rates are set.
        milestones: the epochs; one that occurs twice counts twice.
        gamma: the factor.
        last_epoch: see :class:`LRScheduler`.

    >>> import tensorgrad
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tensorgrad.optim.lr_scheduler.MultiStepLR(sgd, [2, 3], gamma=0.5)
    >>> for _ in range(5):
    ...     sgd.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The next rate of each group."""
        self._warn_if_called_by_user()
        if self.last_epoch not in self.milestones:
            return self._present()
        return self._times(self.gamma ** self.milestones[self.last_epoch])

    def _get_closed_form_lr(self):
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return self._base_times(self.gamma**passed)


class ConstantLR(LRScheduler):
    """A smaller rate for the first epochs.

    Args:
        optimizer: whose rates are set.
        factor: what the rate is multiplied by at first, from 0 to 1.
        total_iters: for how many epochs.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: ``factor`` is out of range.

    >>> import tensorgrad
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tensorgrad.optim.lr_scheduler.ConstantLR(sgd, factor=0.5, total_iters=1)
    >>> scheduler.get_last_lr()
    [0.5]
    >>> sgd.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [1.0]
    """

    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5, last_epoch=-1):
        if factor > 1.0 or factor < 0:
            raise ValueError(f"factor must be between 0 and 1, got {factor}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The next rate of each group."""
        self._warn_if_called_by_user()
        if self.last_epoch == 0:
            return self._times(self.factor)
        if self.last_epoch != self.total_iters:
            return self._present()
        return self._times(1.0 / self.factor)

    def _get_closed_form_lr(self):
        return self._base_times(1.0 if self.last_epoch >= self.total_iters else self.factor)


class LinearLR(LRScheduler):
    """A rate that goes along a line for the first epochs, to warm up.

    Args:
        optimizer: whose rates are set.
        start_factor: what the rate is multiplied by at first, more than 0, at most 1.
        end_factor: what it is multiplied by at last, from 0 to 1.
        total_iters: after how many epochs.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: a factor is out of range.

    >>> import tensorgrad
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tensorgrad.optim.lr_scheduler.LinearLR(sgd, start_factor=0.5, total_iters=2)
    >>> sgd.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.75]
    """

    def __init__(
        self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5, last_epoch=-1
    ):
        if start_factor > 1.0 or start_factor <= 0:
            raise ValueError(f"start_factor must be more than 0, at most 1, got {start_factor}")
        if end_factor > 1.0 or end_factor < 0:
            raise ValueError(f"end_factor must be between 0 and 1, got {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The next rate of each group."""
        self._warn_if_called_by_user()
        if self.last_epoch == 0:
            return self._times(self.start_factor)
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._present()
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return self._times(1.0 + rise / before)

    def _get_closed_form_lr(self):
        done = min(self.total_iters, self.last_epoch) / self.total_iters
        return self._base_times(self.start_factor + (self.end_factor - self.start_factor) * done)


class ExponentialLR(LRScheduler):
    """Multiplies the rate by ``gamma`` every epoch.

    Args:
        optimizer: whose rates are set.
        gamma: the factor.
        last_epoch: see :class:`LRScheduler`.

    >>> import tensorgrad
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tensorgrad.optim.lr_scheduler.ExponentialLR(sgd, gamma=0.5)
    >>> for _ in range(2):
    ...     sgd.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer, gamma, last_epoch=-1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The next rate of each group."""
        self._warn_if_called_by_user()
        return self._present() if self._is_initial else self._times(self.gamma)

    def _get_closed_form_lr(self):
        return self._base_times(self.gamma**self.last_epoch)


class PolynomialLR(LRScheduler):
    """The first rate times ``(1 - epoch / total_iters) ** power``, until it is 0.

    Args:
        optimizer: whose rates are set.
        total_iters: after how many epochs the rate is 0.
        power: of the polynomial.
        last_epoch: see :class:`LRScheduler`.

    >>> import tensorgrad
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tensorgrad.optim.lr_scheduler.PolynomialLR(sgd, total_iters=2, power=2.0)
    >>> sgd.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer, total_iters=5, power=1.0, last_epoch=-1):
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The next rate of each group."""
        self._warn_if_called_by_user()
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._present()
        now = 1.0 - self.last_epoch / self.total_iters
        before = 1.0 - (self.last_epoch - 1) / self.total_iters
        return self._times((now / before) ** self.power)

    def _get_closed_form_lr(self):
        done = min(self.total_iters, self.last_epoch) / self.total_iters
        return self._base_times((1.0 - done) ** self.power)


# --- cosines -----------------------------------------------------------------------------


def _cosine(low, high, done):
    """From ``high`` down to ``low`` along half a cosine, for ``done`` from 0 to 1."""
    return low + (high - low) * (1 + math.cos(math.pi * done)) / 2


class CosineAnnealingLR(LRScheduler):
    """Down from the first rate along half a cosine in ``T_max`` epochs, then up again.

    Without the restarts of Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm
    restarts" (arXiv:1608.03983).

    Args:
        optimizer: whose rates are set.
        T_max: how many epochs it takes from one end to the other.
        eta_min: the least rate.
        last_epoch: see :class:`LRScheduler`.

    >>> import tensorgrad
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tensorgrad.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=4)
    >>> for _ in range(4):
    ...     sgd.step()
    ...     scheduler.step()
    ...     print(round(scheduler.get_last_lr()[0], 3))
    0.854
    0.5
    0.146
    0.0
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The next rate of each group."""
        self._warn_if_called_by_user()
        epoch, T_max, eta_min = self.last_epoch, self.T_max, self.eta_min
        if self._is_initial:
            return self._present()
        if self._step_count == 1 and epoch > 0:
            return self._get_closed_form_lr()
        if (epoch - 1 - T_max) % (2 * T_max) == 0:
            # The epoch after a minimum, where the ratio below is 0 / 0.
            rise = (1 - math.cos(math.pi / T_max)) / 2
            pairs = zip(self._present(), self.base_lrs, strict=True)
            return [lr + (base - eta_min) * rise for lr, base in pairs]
        ratio = (1 + math.cos(math.pi * epoch / T_max)) / (
            1 + math.cos(math.pi * (epoch - 1) / T_max)
        )
        return [ratio * (lr - eta_min) + eta_min for lr in self._present()]

    def _get_closed_form_lr(self):
        return [_cosine(self.eta_min, lr, self.last_epoch / self.T_max) for lr in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Down along half a cosine, then back to the first rate, in cycles that grow.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts"
    (arXiv:1608.03983).

    Args:
        optimizer: whose rates are set.
        T_0: epochs of the first cycle.
        T_mult: what the number of epochs is multiplied by after each cycle, at least 1.
        eta_min: the least rate.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: a number is out of range.

    >>> import tensorgrad
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tensorgrad.optim.lr_scheduler.CosineAnnealingWarmRestarts(sgd, T_0=2)
    >>> for _ in range(3):
    ...     sgd.step()
    ...     scheduler.step()
    ...     print(round(scheduler.get_last_lr()[0], 3))
    0.5
    1.0
    0.5
    """

    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1):
        _check_positive_int("T_0", T_0)
        _check_positive_int("T_mult", T_mult)
        if not isinstance(eta_min, float | int):
            raise ValueError(f"Expected float or int eta_min, but got {type(eta_min).__name__}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The next rate of each group."""
        self._warn_if_called_by_user()
        return [_cosine(self.eta_min, lr, self.T_cur / self.T_i) for lr in self.base_lrs]

    def step(self, epoch=None) -> None:
        """Go on by one epoch, or to any point of the schedule.

        Args:
            epoch: where to go; a fraction between two epochs lets the rate follow the batches.

        Raises:
            ValueError: ``epoch`` is negative.
        """
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        elif epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        else:
            self._go_to(epoch)
        self.last_epoch = math.floor(epoch)
        self._apply(self.get_lr)

    def _go_to(self, epoch):
        """Find the cycle, and the place in it."""
        T_0, T_mult = self.T_0, self.T_mult
        if epoch < T_0:
            self.T_i, self.T_cur = T_0, epoch
        elif T_mult == 1:
            self.T_cur = epoch % T_0
        else:
            n = int(math.log(epoch / T_0 * (T_mult - 1) + 1, T_mult))
            self.T_cur = epoch - T_0 * (T_mult**n - 1) / (T_mult - 1)
            self.T_i = T_0 * T_mult**n


# --- cycles of rate and momentum ---------------------------------------------------------


class _WithMomentum(LRScheduler):
    """What the two schedulers that also move the momentum, or β1, have in common."""

    def _begin_momentum(self, base_momentum, max_momentum, fresh):
        """Set the momentum of each group to its maximum; returns the minima and maxima."""
        defaults = self.optimizer.defaults
        if "momentum" not in defaults and "betas" not in defaults:
            raise ValueError(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled; "
                f"pass cycle_momentum=False for {type(self.optimizer).__name__}"
            )
        self.use_beta1 = "betas" in defaults
        largest = _per_group("max_momentum", self.optimizer, max_momentum)
        least = _per_group("base_momentum", self.optimizer, base_momentum)
        if fresh:
            for group, low, high in zip(
                self.optimizer.param_groups, least, largest, strict=True
            ):
                self._set_momentum(group, high)
                group["max_momentum"] = high
                group["base_momentum"] = low
        return least, largest

    def _set_momentum(self, group, value):
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value


class CyclicLR(_WithMomentum):
    """Up and down between two rates, batch by batch; the momentum goes the other way.

    Smith, "Cyclical learning rates for training neural networks" (arXiv:1506.01186). With
    mode "triangular" all cycles are alike, with "triangular2" each is half as high, with
    "exp_range" the height is multiplied by ``gamma`` at every step.

    Args:
        optimizer: whose rates are set.
        base_lr: the least rate, or a list of one for each group.
        max_lr: the largest, likewise.
        step_size_up: steps on the way up.
        step_size_down: steps on the way down, None for as many.
        mode: "triangular", "triangular2" or "exp_range"; without effect if ``scale_fn`` is
            given.
        gamma: for "exp_range".
        scale_fn: the height of a cycle as a function of its number, from 1, or of the step.
        scale_mode: "cycle" or "iterations": what ``scale_fn`` is a function of.
        cycle_momentum: also move the momentum, or β1 where the optimizer has betas.
        base_momentum: the least momentum, or a list; it is reached at the largest rate.
        max_momentum: the largest, likewise.
        last_epoch: the last step of an interrupted run.

    Raises:
        TypeError: ``optimizer`` is none.
        ValueError: a list has another length than the groups, the mode is unknown, or the
            optimizer has no momentum to be cycled.

    >>> import tensorgrad
    >>> w = tensorgrad.ones(1, requires_grad=True)
    >>> sgd = tensorgrad.optim.SGD([w], lr=1.0, momentum=0.9)
    >>> CyclicLR = tensorgrad.optim.lr_scheduler.CyclicLR
    >>> scheduler = CyclicLR(sgd, base_lr=1.0, max_lr=3.0, step_size_up=2)
    >>> for _ in range(3):
    ...     sgd.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr(), round(sgd.param_groups[0]["momentum"], 3))
    [2.0] 0.85
    [3.0] 0.8
    [2.0] 0.85
    """

    def __init__(
        self, optimizer, base_lr, max_lr, step_size_up=2000, step_size_down=None,
        mode="triangular", gamma=1.0, scale_fn=None, scale_mode="cycle", cycle_momentum=True,
        base_momentum=0.8, max_momentum=0.9, last_epoch=-1,
    ):  # fmt: skip
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = _per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                _set(group, "lr", lr)
        self.max_lrs = _per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        down = up if step_size_down is None else float(step_size_down)
        self.total_size = up + down
        self.step_ratio = up / self.total_size
        if scale_fn is None:
            _check_choice("mode", mode, ("triangular", "triangular2", "exp_range"))
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        self._init_scale_fn()
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = self._begin_momentum(
                base_momentum, max_momentum, fresh=last_epoch == -1
            )
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _init_scale_fn(self):
        if self._scale_fn_custom is not None:
            return
        scales = {
            "triangular": _full_height,
            "triangular2": _halved_height,
            "exp_range": partial(pow, self.gamma),
        }
        self._scale_fn_ref = scales[self.mode]
        self.scale_mode = "iterations" if self.mode == "exp_range" else "cycle"

    def scale_fn(self, x) -> float:
        """The height of cycle or step ``x``, as a share of the full one."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return self._scale_fn_ref(x)

    def get_lr(self) -> list:
        """The next rate of each group; also sets its momentum."""
        self._warn_if_called_by_user()
        cycles = self.last_epoch / self.total_size
        cycle = math.floor(1 + cycles)
        x = 1.0 + cycles - cycle
        ratio = self.step_ratio
        height = x / ratio if x <= ratio else (x - 1) / (ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(
                self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
            ):
                self._set_momentum(group, high - (high - low) * height * scale)
        pairs = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * height * scale for low, high in pairs]

    def state_dict(self) -> dict:
        """As :class:`LRScheduler`; of ``scale_fn`` only the attributes of an object are saved."""
        saved = super().state_dict()
        saved.pop("_scale_fn_ref", None)
        saved["_scale_fn_custom"] = _saved_function(self._scale_fn_custom)
        return saved

    def load_state_dict(self, state_dict: dict) -> None:
        """As :class:`LRScheduler`; ``scale_fn`` stays that given to the constructor."""
        rest = dict(state_dict)
        saved = rest.pop("_scale_fn_custom")
        super().load_state_dict(rest)
        if saved is not None:
            self._scale_fn_custom.__dict__.update(saved)
        self._init_scale_fn()


def _full_height(cycle):
    return 1.0


def _halved_height(cycle):
    return 1 / 2.0 ** (cycle - 1)


class OneCycleLR(_WithMomentum):
    """Up to a high rate and down to almost none in one run, batch by batch.

    Smith and Topin, "Super-convergence: very fast training of neural networks using large
    learning rates" (arXiv:1708.07120). The rate goes from ``max_lr / div_factor`` to
    ``max_lr`` and to ``max_lr / div_factor / final_div_factor``; the momentum goes from
    ``max_momentum`` to ``base_momentum`` and back.

    Args:
        optimizer: whose rates are set.
        max_lr: the highest rate, or a list of one for each group.
        total_steps: how many steps in all; or
        epochs: how many epochs, of
        steps_per_epoch: steps each.
        pct_start: the share of the steps on the way up, a float from 0 to 1.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: also move the momentum, or β1 where the optimizer has betas.
        base_momentum: the least momentum, or a list.
        max_momentum: the largest, likewise.
        div_factor: see above.
        final_div_factor: see above.
        three_phase: go down to the first rate as slowly as up, and then to the last.
        last_epoch: the last step of an interrupted run.

    Raises:
        TypeError: ``optimizer`` is none.
        ValueError: a number is out of range, the number of steps is not given, a list has
            another length than the groups, the optimizer has no momentum to be cycled, or
            more steps are made than were announced.

    >>> import tensorgrad
    >>> w = tensorgrad.ones(1, requires_grad=True)
    >>> sgd = tensorgrad.optim.SGD([w], lr=1.0, momentum=0.9)
    >>> OneCycleLR = tensorgrad.optim.lr_scheduler.OneCycleLR
    >>> scheduler = OneCycleLR(sgd, max_lr=1.0, total_steps=5, pct_start=0.4, div_factor=4.0)
    >>> for _ in range(5):
    ...     print(round(scheduler.get_last_lr()[0], 3))
    ...     sgd.step()
    ...     scheduler.step()
    0.25
    1.0
    0.75
    0.25
    0.0
    """

    def __init__(
        self, optimizer, max_lr, total_steps=None, epochs=None, steps_per_epoch=None,
        pct_start=0.3, anneal_strategy="cos", cycle_momentum=True, base_momentum=0.85,
        max_momentum=0.95, div_factor=25.0, final_div_factor=1e4, three_phase=False,
        last_epoch=-1,
    ):  # fmt: skip
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        if total_steps is not None:
            _check_positive_int("total_steps", total_steps)
        elif epochs is None or steps_per_epoch is None:
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        else:
            _check_positive_int("epochs", epochs)
            _check_positive_int("steps_per_epoch", steps_per_epoch)
            total_steps = epochs * steps_per_epoch
        if pct_start < 0 or pct_start > 1 or not isinstance(pct_start, float):
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        _check_choice("anneal_strategy", anneal_strategy, ("cos", "linear"))
        self.total_steps = total_steps
        self._schedule_phases = _phases(float(pct_start * total_steps), total_steps, three_phase)
        self._anneal_func_type = anneal_strategy
        max_lrs = _per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = lr / div_factor
                group["max_lr"] = lr
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, fresh=last_epoch == -1)
        super().__init__(optimizer, last_epoch)

    def _anneal_func(self, start, end, done):
        if self._anneal_func_type == "linear":
            return (end - start) * done + start
        return _cosine(end, start, done)

    def get_lr(self) -> list:
        """The next rate of each group; also sets its momentum."""
        self._warn_if_called_by_user()
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"Tried to step {step} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        start = 0.0
        for phase in self._schedule_phases[:-1]:
            if step <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        done = (step - start) / (phase["end_step"] - start)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, self._anneal_func(*ends, done))
        return [
            self._anneal_func(group[phase["start_lr"]], group[phase["end_lr"]], done)
            for group in self.optimizer.param_groups
        ]


def _phases(up, total_steps, three_phase):
    """When each phase ends, and which options of a group it goes between."""
    rows = [(up - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
    last = total_steps - 1
    if three_phase:
        rows.append((2 * up - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"))
        rows.append((last, "initial_lr", "min_lr", "max_momentum", "max_momentum"))
    else:
        rows.append((last, "max_lr", "min_lr", "base_momentum", "max_momentum"))
    names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
    return [dict(zip(names, row, strict=True)) for row in rows]


# --- schedulers of schedulers ------------------------------------------------------------


class _Composed(LRScheduler):
    """What the two schedulers that consist of others have in common."""

    def _check_schedulers(self, optimizer, schedulers):
        name = type(self).__name__
        if len(schedulers) < 1:
            raise ValueError(f"{name} expects at least one scheduler, but got no scheduler")
        optimizer = optimizer or schedulers[0].optimizer
        for i, scheduler in enumerate(schedulers):
            kind = type(scheduler).__name__
            if not hasattr(scheduler, "optimizer"):
                raise TypeError(f"{name}: {kind} at index {i} has no attribute `optimizer`")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"{name} does not support the ReduceLROnPlateau at index {i}, whose step() "
                    "must be given a value; call that one's step() yourself"
                )
            if scheduler.optimizer is not optimizer:
                raise ValueError(
                    f"{name} expects all schedulers to belong to the same optimizer, but that "
                    f"of {kind} at index {i} is another"
                )
        return optimizer

    def state_dict(self) -> dict:
        """As :class:`LRScheduler`, with a list of those of the schedulers."""
        saved = super().state_dict()
        saved["_schedulers"] = [scheduler.state_dict() for scheduler in self._schedulers]
        return saved

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what :meth:`state_dict` returned, here or in PyTorch."""
        rest = dict(state_dict)
        each = rest.pop("_schedulers")
        super().load_state_dict(rest)
        for scheduler, saved in zip(self._schedulers, each, strict=False):
            scheduler.load_state_dict(saved)


class SequentialLR(_Composed):
    """One scheduler after the other, each from its milestone on.

    Args:
        optimizer: whose rates are set.
        schedulers: made for this optimizer, in order.
        milestones: the epochs at which the second and those after it take over.
        last_epoch: the last epoch of an interrupted run.

    Raises:
        ValueError: the numbers of schedulers and milestones do not match, one belongs to
            another optimizer or is a :class:`ReduceLROnPlateau`.
        TypeError: one is no scheduler.

    >>> import tensorgrad
    >>> from tensorgrad.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> warm = ConstantLR(sgd, factor=0.5, total_iters=9)
    >>> scheduler = SequentialLR(sgd, [warm, ExponentialLR(sgd, 0.5)], milestones=[2])
    >>> for _ in range(4):
    ...     print(scheduler.get_last_lr())
    ...     sgd.step()
    ...     scheduler.step()
    [0.5]
    [0.5]
    [1.0]
    [0.5]
    """

    def __init__(self, optimizer, schedulers, milestones, last_epoch=-1):
        self._check_schedulers(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR expects one scheduler more than milestones, but got "
                f"{len(schedulers)} schedulers and {len(milestones)} milestones"
            )
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        # Each scheduler made its first step when it was made; only one of them should have.
        for group in optimizer.param_groups:
            _set(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched=None) -> None:
        """Take back one epoch of every scheduler.

        Args:
            sched: of which scheduler, None of this one.
        """
        sched = self if sched is None else sched
        if hasattr(sched, "_schedulers"):
            for inner in sched._schedulers:
                self.recursive_undo(inner)
        elif hasattr(sched, "last_epoch"):
            sched.last_epoch -= 1

    def step(self) -> None:
        """Go on by one epoch."""
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Composed):
    """Several schedulers at once, each acting on what the one before made.

    Args:
        schedulers: made for one optimizer, in order.
        optimizer: theirs.

    Raises:
        ValueError: there are none, one belongs to another optimizer, or is a
            :class:`ReduceLROnPlateau`.
        TypeError: one is no scheduler.

    >>> import tensorgrad
    >>> from tensorgrad.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> warm = ConstantLR(sgd, factor=0.5, total_iters=2)
    >>> scheduler = ChainedScheduler([warm, ExponentialLR(sgd, 0.5)])
    >>> for _ in range(3):
    ...     print(scheduler.get_last_lr())
    ...     sgd.step()
    ...     scheduler.step()
    [0.5]
    [0.25]
    [0.25]
    """

    def __init__(self, schedulers, optimizer=None):
        optimizer = self._check_schedulers(optimizer, schedulers)
        self._schedulers = schedulers
        self.optimizer = optimizer
        self._last_lr = self._present()

    def step(self) -> None:
        """Let every scheduler go on by one epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._present()


# --- plateaus ----------------------------------------------------------------------------


class ReduceLROnPlateau(LRScheduler):
    """Reduces the rate when a value, such as the loss on held-out data, stops improving.

    NaN is no improvement. Unlike PyTorch 2.13, which has removed it, this still takes
    ``verbose`` by keyword, for the scripts that pass it: with a warning; True prints a line at
    each reduction.

    Args:
        optimizer: whose rates are set.
        mode: "min" for values that should fall, "max" for those that should rise.
        factor: what a rate is multiplied by, less than 1.
        patience: how many epochs without improvement are allowed.
        threshold: how much better counts as an improvement,
        threshold_mode: "rel" for a share of the best value, "abs" for a difference.
        cooldown: for how many epochs after a reduction nothing is counted.
        min_lr: below which no rate goes, or a list of one for each group.
        eps: reductions by less are not made.

    Attributes:
        best: the best value so far.
        num_bad_epochs: epochs without improvement.

    Raises:
        ValueError: ``factor`` is 1 or more, a mode is unknown, or ``min_lr`` has another
            length than the groups.
        TypeError: ``optimizer`` is none.

    >>> import tensorgrad
    >>> sgd = tensorgrad.optim.SGD([tensorgrad.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tensorgrad.optim.lr_scheduler.ReduceLROnPlateau(sgd, patience=1)
    >>> for loss in [3.0, 2.0, 2.5, 2.5, 2.5]:
    ...     scheduler.step(loss)
    ...     print(scheduler.get_last_lr())
    [1.0]
    [1.0]
    [1.0]
    [0.1]
    [0.1]
    """

    verbose = False

    def __init__(
        self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4,
        threshold_mode="rel", cooldown=0, min_lr=0, eps=1e-8, *, verbose=None,
    ):  # fmt: skip
        if factor >= 1.0:
            raise ValueError(f"Factor should be < 1.0, got {factor}")
        self.factor = factor
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        several = isinstance(min_lr, list | tuple)
        self.default_min_lr = None if several else min_lr
        self.min_lrs = _per_group("min_lr", optimizer, min_lr)
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = self._present()
        self._init_is_better(mode=mode, threshold=threshold, threshold_mode=threshold_mode)
        self._reset()
        if verbose is not None:
            warnings.warn(
                "verbose is deprecated and gone from PyTorch; print get_last_lr() instead",
                UserWarning,
                stacklevel=2,
            )
            if verbose:
                self.verbose = True

    def _reset(self):
        """Forget what was seen."""
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    def step(self, metrics, epoch=None) -> None:
        """Take in the value of an epoch, and reduce the rate if it is time to.

        Args:
            metrics: the value, a number or a tensor with one element.
            epoch: deprecated: the number of the epoch.
        """
        current = float(metrics)
        if epoch is None:
            epoch = self.last_epoch + 1
        else:
            warnings.warn(EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=2)
        self.last_epoch = epoch
        if self._is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr(epoch)
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._present()

    def _reduce_lr(self, epoch):
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"the optimizer has {len(groups)} param groups, but min_lr was given for "
                    f"{len(self.min_lrs)}; add the others to `min_lrs`"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for i, (group, least) in enumerate(zip(groups, self.min_lrs, strict=True)):
            old = float(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                _set(group, "lr", new)
                if self.verbose:
                    print(f"Epoch {epoch}: reducing learning rate of group {i} to {new:.4e}.")

    @property
    def in_cooldown(self) -> bool:
        """Whether a reduction was made a short time ago."""
        return self.cooldown_counter > 0

    def _is_better(self, a, best):
        if self.threshold_mode == "rel":
            shares = {"min": 1.0 - self.threshold, "max": self.threshold + 1.0}
            limit = best * shares[self.mode]
        else:
            limit = best - self.threshold if self.mode == "min" else best + self.threshold
        return a < limit if self.mode == "min" else a > limit

    def _init_is_better(self, mode, threshold, threshold_mode):
        _check_choice("mode", mode, ("min", "max"))
        _check_choice("threshold mode", threshold_mode, ("rel", "abs"))
        self.mode_worse = inf if mode == "min" else -inf
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what :meth:`state_dict` returned, here or in PyTorch."""
        super().load_state_dict(state_dict)
        self._init_is_better(self.mode, self.threshold, self.threshold_mode)
