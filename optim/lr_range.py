"""The learning-rate range test: which rates a model learns with, in one short run."""

from __future__ import annotations

import contextlib
import math
from copy import deepcopy

import numpy as np

from tensorgrad import random
from tensorgrad._graph import Tensor, mark_mutated

from .optimizer import Optimizer

__all__ = ["LRRange", "lr_range_test"]


class LRRange:
    """The outcome of :func:`lr_range_test`; prints as a table of a few rows.

    Attributes:
        rates: the learning rates tried, rising.
        losses: the loss before the step with each.
        smoothed: their running mean.
        suggestion: the rate at which ``smoothed`` falls fastest, None where it never falls.
        diverged: whether the test ended early, as the loss grew too large.
    """

    def __init__(self, rates, losses, smoothed, diverged):
        self.rates, self.losses, self.smoothed = rates, losses, smoothed
        self.diverged = diverged
        self.suggestion = _steepest(rates, smoothed)

    def __repr__(self):
        chosen = "none" if self.suggestion is None else f"{self.suggestion:.3g}"
        lines = [f"{'rate':>10}  {'loss':>10}  {'smoothed':>10}"]
        every = max(1, math.ceil(len(self.rates) / 12))
        for row in list(zip(self.rates, self.losses, self.smoothed, strict=True))[::every]:
            lines.append("  ".join(f"{value:10.3g}" for value in row))
        ended = ", ended as the loss diverged" if self.diverged else ""
        return "\n".join([*lines, f"suggestion: {chosen}{ended}"])


def _steepest(rates, smoothed):
    """The rate where the curve falls fastest over the logarithm of the rate."""
    curve = np.array(smoothed)
    curve = curve[np.isfinite(curve)]
    curve = curve[: int(curve.argmin()) + 1] if len(curve) else curve
    if len(curve) < 2:
        return None
    slope = np.gradient(curve, np.log(rates[: len(curve)]))
    return rates[int(slope.argmin())] if slope.min() < 0 else None


def lr_range_test(
    model, loss, data, optimizer, *, start=1e-7, end=10.0, steps=100, smoothing=0.9,
    stop_factor=4.0,
):  # fmt: skip
    """Train for a few steps while the learning rate rises from ``start`` to ``end``.

    Smith, "Cyclical learning rates for training neural networks" (arXiv:1506.01186), with rates
    in geometric sequence. Every group of the optimizer gets the same rate. Afterwards all is as
    it was, also after an error: parameters and buffers of the model and of ``loss``, gradients,
    the optimizer's state and options, the default generator and that of a DataLoader. The model
    is run in the mode, training or evaluation, that it is in.

    Args:
        model: a module, called with the input of a batch.
        loss: a function or module of output and target.
        data: pairs of input and target, such as a DataLoader or a list; gone through again
            when it ends.
        optimizer: of the model's parameters.
        start: the first rate, above 0.
        end: the last rate, above ``start``.
        steps: how many rates, at least 2.
        smoothing: how much of the running mean is kept at each step, in [0, 1).
        stop_factor: end once the smoothed loss is this many times the best.

    Returns:
        An :class:`LRRange` with the curve and a suggested rate.

    Raises:
        TypeError: ``optimizer`` is none.
        ValueError: an option is out of range, or ``data`` holds no batch.

    >>> import tensorgrad as torch
    >>> model = torch.nn.Linear(3, 1)
    >>> x = torch.randn(8, 3)
    >>> data = [(x, x.sum(1, keepdim=True))]
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.5)
    >>> found = torch.optim.lr_range_test(model, torch.nn.MSELoss(), data, sgd)
    >>> 1e-3 < found.suggestion < 1.0
    True
    >>> sgd.param_groups[0]["lr"]
    0.5
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"lr_range_test: expected an Optimizer, got {type(optimizer).__name__}")
    if not 0.0 < start < end < math.inf:
        raise ValueError(f"lr_range_test: expected 0 < start < end, got {start} and {end}")
    if not isinstance(steps, int) or steps < 2:
        raise ValueError(f"lr_range_test: steps must be a whole number from 2, got {steps!r}")
    if not 0.0 <= smoothing < 1.0:
        raise ValueError(f"lr_range_test: smoothing must be in [0, 1), got {smoothing}")
    if not stop_factor > 1.0:
        raise ValueError(f"lr_range_test: stop_factor must be above 1, got {stop_factor}")
    rates = np.geomspace(start, end, steps).tolist()
    losses, smoothed, mean, diverged = [], [], 0.0, False
    with _restored(model, loss, optimizer, data):
        batches = _endless(data)
        for i, rate in enumerate(rates, 1):
            value = _step(model, loss, next(batches), optimizer, rate)
            losses.append(value)
            mean = smoothing * mean + (1.0 - smoothing) * value
            smoothed.append(mean / (1.0 - smoothing**i))  # without the pull of the zero before
            best = min(smoothed)
            if not smoothed[-1] <= best + (stop_factor - 1.0) * abs(best):  # also NaN
                diverged = True
                break
    return LRRange(rates[: len(losses)], losses, smoothed, diverged)


def _endless(data):
    """The batches, over and over."""
    while True:
        empty = True
        for batch in data:
            empty = False
            yield batch
        if empty:
            raise ValueError(
                "lr_range_test: data holds no batch, or can be gone through only once; give it "
                "as a list or a DataLoader"
            )


def _step(model, loss, batch, optimizer, rate):
    """One step; the loss before it."""
    input, target = batch
    values = []

    def closure():
        optimizer.zero_grad()
        value = loss(model(input), target)
        value.backward()
        values.append(value.item())
        return value

    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step(closure)
    return values[0]


@contextlib.contextmanager
def _restored(model, loss, optimizer, data):
    """Put back, at the end, all that a training step changes."""
    tensors = [p for group in optimizer.param_groups for p in group["params"]]
    tables = []
    for module in (model, loss):
        if hasattr(module, "parameters"):
            tensors += [*module.parameters(), *module.buffers()]
            tables += [(m._buffers, dict(m._buffers)) for m in module.modules()]
    tensors = list({id(t): t for t in tensors}.values())
    arrays = [(t, t._array.copy(), t._grad) for t in tensors]
    state = {key: _kept(entries) for key, entries in optimizer.state.items()}
    options = [dict(group) for group in optimizer.param_groups]
    called, generator = optimizer._opt_called, getattr(data, "generator", None)
    drawn = generator.get_state() if generator is not None else None
    try:
        with random.fork_rng():
            yield
    finally:
        for table, entries in tables:
            for name in [n for n in table if n not in entries]:
                del table[name]
            for name in [n for n, own in entries.items() if table.get(n) is not own]:
                table[name] = entries[name]
        for t, array, grad in arrays:
            _write(t, array)
            t._grad = grad
        optimizer.state.clear()
        for key, entries in state.items():
            optimizer.state[key] = {name: _back(*kept) for name, kept in entries.items()}
        for group, own in zip(optimizer.param_groups, options, strict=True):
            group.clear()
            group.update(own)
        optimizer._opt_called = called
        if drawn is not None:
            generator.set_state(drawn)


def _kept(entries):
    """The state of a parameter: its tensors with a copy of their values, all else copied."""
    return {
        name: (value, value._array.copy()) if isinstance(value, Tensor) else (deepcopy(value), None)
        for name, value in entries.items()
    }


def _back(value, array):
    if array is not None:
        _write(value, array)
    return value


def _write(tensor, array):
    tensor._array[...] = array
    mark_mutated(tensor._array)
