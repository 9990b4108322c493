"""What a Trainer does with the other processes of a job; nothing where there are none."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .._graph import wrap
from .meters import Recorded

__all__ = ["Team", "job", "team_of"]

STOP, NOT_FINITE, SAVE = range(3)  # what travels with the gradients
ANOTHER = "another process asked to stop"


def job():
    """The module ``tensorgrad.distributed``, if there are other processes; else None.

    They are those of its ``init_process_group``.
    """
    distributed = sys.modules.get("tensorgrad.distributed")
    if distributed is None or not distributed.is_initialized():
        return None
    return distributed if distributed.get_world_size() > 1 else None


def team_of(model) -> Team | None:
    """The processes that train ``model`` together with this one; None for a process alone."""
    distributed = job()
    return None if distributed is None else Team(model, distributed)


class Team:
    """The processes of a fit. All of them call the same methods in the same order.

    Args:
        model: what is to be equal in all of them.
        distributed: the module.
    """

    def __init__(self, model, distributed):
        from ..nn.parallel import DistributedDataParallel

        self._distributed = distributed
        self.group = distributed.group_of(None)
        self.replica = DistributedDataParallel(model)
        self._reducer = self.replica._reducer
        self.reason: str | None = None  # why this process wants to stop

    def begin(self) -> None:
        """Forget what an earlier fit has asked for."""
        self.reason = None
        self._reducer.say_nothing()

    def gone(self) -> bool:
        """Whether the processes have parted."""
        if not self._distributed.is_initialized():
            return True
        return self._distributed.group_of(None) is not self.group

    @property
    def leads(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.group.rank() == 0

    def name(self) -> str:
        """This process, for messages."""
        return f"in process {self.group.rank()}"

    # --- numbers and metrics of all ---------------------------------------------------------

    def add(self, *numbers: float) -> list[float]:
        """The sums of each number over all processes."""
        total = wrap(np.array(numbers, dtype=np.float64))
        self._distributed.all_reduce(total)
        return total.tolist()

    def everyone(self, value: Any) -> list:
        """The plain value of each process, by rank."""
        values: list = [None] * self.group.size()
        self._distributed.all_gather_object(values, value)
        return values

    def leaders(self, value: Any) -> Any:
        """The plain value that the leader has."""
        values = [value]
        self._distributed.broadcast_object_list(values)
        return values[0]

    def wait(self) -> None:
        """Until all have come here."""
        self._distributed.barrier()

    def update(self, meters: dict, recorded: Recorded) -> None:
        """Give all metrics the outputs and targets of all processes, by rank: alike everywhere."""
        if not meters:
            return
        for outputs, targets in self.everyone(recorded.parts()):
            if outputs is not None:
                for meter in meters.values():
                    meter.update(outputs, targets)

    def share_buffers(self) -> None:
        """Give all processes the running statistics of the leader."""
        self.replica.share_buffers()

    # --- one decision for all ------------------------------------------------------------------

    def sends(self, last: bool) -> None:
        """Whether the next backward pass ends a step, so that gradients are averaged."""
        self.replica.require_backward_grad_sync = last

    def ask_to_stop(self, reason: str) -> None:
        """Stop all, at the end of the step under way."""
        if self.reason is None:
            self.reason = reason
        self._reducer.say(STOP)

    def say_not_finite(self) -> None:
        """Tell all that this step must not be made."""
        self._reducer.say(NOT_FINITE)

    def ask_to_save(self) -> None:
        """Have all save after the step under way."""
        self._reducer.say(SAVE)

    def hears(self, signal: int) -> bool:
        """Whether a process said so with the last gradients."""
        return self._reducer.heard(signal)

    def average(self) -> None:
        """Average the gradients of batches that are fewer than a step wants."""
        self._reducer.average_now()

    def common_reason(self, reason: str | None) -> str | None:
        """Why to stop, the same for all: that of the first process that has one of its own."""
        mine = self.reason or (None if reason == ANOTHER else reason)
        return next((r for r in self.everyone(mine) if r is not None), None)
