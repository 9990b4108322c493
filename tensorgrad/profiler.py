"""``torch.profiler``: the calls of a profiled loop, which record nothing.

For profiles use Python's own: ``python -m cProfile -s cumulative script.py``.
"""

from __future__ import annotations

import enum

from ._absent import Passing, refusing

_USE_CPROFILE = "nothing was recorded; run the script under python -m cProfile instead"


class ProfilerActivity(enum.Enum):
    """What PyTorch would record."""

    CPU = 0
    CUDA = 2


class profile(Passing):
    """A context manager that records nothing; asking it for figures raises RuntimeError."""

    def start(self) -> None:
        """Nothing."""

    stop = step = start

    key_averages = refusing("torch.profiler.profile.key_averages", _USE_CPROFILE)
    export_chrome_trace = refusing("torch.profiler.profile.export_chrome_trace", _USE_CPROFILE)
    export_stacks = refusing("torch.profiler.profile.export_stacks", _USE_CPROFILE)


class record_function(Passing):
    """A context manager and decorator that does nothing."""


def schedule(*, wait, warmup, active, repeat=0, skip_first=0, skip_first_wait=0):
    """A function of the step that says nothing is recorded."""
    return lambda step: None


def tensorboard_trace_handler(dir_name, worker_name=None, use_gzip=False):
    """A handler that writes nothing."""
    return lambda profiler: None
