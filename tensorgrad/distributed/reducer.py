"""Gradients averaged over processes while the backward pass is still at work."""

from __future__ import annotations

from functools import partial

import numpy as np

from .._graph import is_recording, mark_mutated, queue_callback, wrap
from ..errors import GraphError
from .collectives import Work, finish_all
from .group import ProcessGroup, library

SIGNALS = 3  # marks that travel with the gradients; see Reducer.say
FIRST_BUCKET = 1 << 20  # bytes: the first is small, so that communication begins early


class Bucket:
    """Gradients of one dtype in one flat array, with a mark for each that was used, and signals."""

    def __init__(self, parameters):
        self.parameters = parameters
        self.slices, end = [], 0
        for p in parameters:
            self.slices.append(slice(end, end + p._array.size))
            end += p._array.size
        dtype = parameters[0]._array.dtype
        wide = np.float32 if dtype == np.float16 else dtype  # MPI has no half precision
        self.sent = np.zeros(end + len(parameters) + SIGNALS, wide)
        self.received = np.zeros_like(self.sent)
        self.used = self.sent[end:-SIGNALS]
        self.reset()

    def reset(self) -> None:
        """Forget the gradients of the pass before."""
        self.used[:] = 0
        self.work = None

    def take(self, slot: int) -> bool:
        """Copy the gradient of one parameter; True when all are here."""
        p = self.parameters[slot]
        self.sent[self.slices[slot]] = p._grad._array.ravel()
        self.used[slot] = 1
        return self.used.all()

    def launch(self, group: ProcessGroup) -> None:
        """Begin the sum over all processes."""
        for slot in np.flatnonzero(self.used == 0):
            self.sent[self.slices[slot]] = 0

        def begin(comm):
            if self.work is not None:  # begun again: the first may still write where it did
                self.received = np.empty_like(self.sent)
            return comm.Iallreduce(self.sent, self.received, library().SUM)

        self.work = Work(group, begin, lambda: None, "DistributedDataParallel")

    def store(self, size: int) -> None:
        """Put the means where gradients belong; what no process used is left alone."""
        for p, where, used in zip(
            self.parameters, self.slices, self.received[self.slices[-1].stop : -SIGNALS],
            strict=True,
        ):  # fmt: skip
            if not used:
                continue
            total = self.received[where].reshape(p._array.shape)
            if p._grad is None:
                p._grad = wrap(np.empty_like(p._array))
            array = p._grad._array
            np.divide(total, size, out=array, casting="same_kind")  # float32 into half precision
            mark_mutated(array)


def assign(parameters, capacity: int) -> list:
    """Lists of parameters for buckets: from the last to the first, as backward comes by.

    The same in every process: it depends on the order and sizes of the parameters alone.
    """
    open_buckets: dict = {}
    buckets: list = []
    for p in reversed(parameters):
        kind = p._array.dtype
        here = open_buckets.get(kind)
        limit = FIRST_BUCKET if buckets and here is buckets[0] else capacity
        if here is None or sum(q._array.nbytes for q in here) + p._array.nbytes > limit:
            here = open_buckets[kind] = []
            buckets.append(here)
        here.append(p)
    return buckets


class Reducer:
    """Averages the gradients of ``parameters`` over the processes of ``group``.

    Buckets are reduced in a fixed order, each as soon as it and those before it are complete.

    Args:
        parameters: the tensors, in the same order in every process.
        group: the processes; messages must not be mixed with others', so a duplicate.
        capacity: the size of a bucket in bytes.
    """

    def __init__(self, parameters, group: ProcessGroup, capacity: int):
        self.group = group
        self.buckets = [Bucket(some) for some in assign(list(parameters), capacity)]
        self._launched = 0
        self._running = False
        self._complete: set = set()
        self._signals = np.zeros(SIGNALS)
        for i, bucket in enumerate(self.buckets):
            for slot, p in enumerate(bucket.parameters):
                p.register_post_accumulate_grad_hook(partial(self._arrived, i, slot))

    def watch(self, output) -> None:
        """Average at the end of the backward pass that comes through ``output``."""
        if is_recording() and output.requires_grad:
            output.register_hook(self._start)

    def _start(self, gradient) -> None:
        if not self._running:
            self._begin()
            queue_callback(self._finish)

    def _begin(self) -> None:
        self._running = True
        self._launched = 0
        self._complete.clear()
        for bucket in self.buckets:
            bucket.reset()

    def _arrived(self, i: int, slot: int, parameter) -> None:
        if not self._running:
            return
        if parameter._grad.requires_grad:
            raise GraphError(
                "DistributedDataParallel does not average gradients that are themselves recorded "
                "(create_graph=True); call backward of the module itself"
            )
        if self.buckets[i].take(slot):
            self._complete.add(i)
            self._launch_ready()
        elif self._launched:
            self.buckets[self._launched - 1].work.is_completed()  # MPI moves on when it is called

    def _launch_ready(self) -> None:
        while self._launched in self._complete:
            self._launch_next()

    def _launch_next(self) -> None:
        bucket = self.buckets[self._launched]
        self._launched += 1
        if bucket is self.buckets[-1]:
            bucket.sent[-SIGNALS:] = self._signals
            self._signals[:] = 0
        bucket.launch(self.group)

    def _finish(self) -> None:
        self._running = False
        while self._launched < len(self.buckets):
            self._launch_next()
        finish_all(self.group, [bucket.work for bucket in self.buckets])
        for bucket in self.buckets:
            bucket.store(self.group.size())
        self.group.step_done()

    def say(self, signal: int) -> None:
        """Mark ``signal``, a number below ``SIGNALS``, with the next gradients that are sent."""
        self._signals[signal] = 1

    def say_nothing(self) -> None:
        """Take back what no gradients have carried yet."""
        self._signals[:] = 0

    def heard(self, signal: int) -> bool:
        """Whether any process had marked ``signal`` with the last gradients."""
        return bool(self.buckets[-1].received[signal - SIGNALS])

    def average_now(self) -> None:
        """Average the gradients that are there, which no backward pass has sent."""
        self._begin()
        for i, bucket in enumerate(self.buckets):
            for slot, p in enumerate(bucket.parameters):
                if p._grad is not None:
                    self._arrived(i, slot, p)
        self._finish()
