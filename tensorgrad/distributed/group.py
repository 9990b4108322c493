"""Groups of processes: who takes part, how long to wait, and who is left when one dies."""

from __future__ import annotations

import atexit
import os
import sys
import time
import weakref
from datetime import timedelta

from .. import errors
from .environment import end_all, launched, tolerates_faults

DEFAULT_TIMEOUT = 1800.0  # seconds; PyTorch's
SPIN = 5e-3  # seconds of testing a request before the process sleeps between the tests: a sleep
NAP = 5e-5  # of 50 us takes 130, as long as the sum of 60,000 numbers
_yield = getattr(os, "sched_yield", lambda: None)  # to others on this core, if it has too many
GRACE = 2.0  # seconds in which those who wait in vain tell each other so


class DistributedError(RuntimeError):
    """Processes that communicate have failed, or do not answer."""


def library():
    """``mpi4py.MPI``, imported on first use, which also starts MPI."""
    try:
        import mpi4py
    except ImportError as error:
        raise errors.missing("mpi4py", "mpi", "communication between processes") from error
    first = "mpi4py.MPI" not in sys.modules
    if first and tolerates_faults():
        mpi4py.rc.finalize = False
        atexit.register(_finalize)
    from mpi4py import MPI

    return MPI


_bereaved = False  # whether another process has died


def _finalize() -> None:
    """End MPI, unless processes have died: Open MPI 5.0.11 then waits for them, often for ever."""
    if not _bereaved:
        library().Finalize()


class ProcessGroup:
    """The processes that take part in an exchange.

    Attributes:
        comm: the communicator of mpi4py; None for a process alone.
        members: for each rank of the group its rank at the start of the job.
        lost: the ranks, as at the start, of those that died.
        generation: how often the group has shrunk.
        watchers: objects (kept weakly) told of finished steps (``on_step(group)``) and of deaths
            (``on_shrink(group)``).
    """

    def __init__(self, comm=None, members=(0,), timeout=DEFAULT_TIMEOUT, parent=None):
        self.comm, self.members = comm, list(members)
        self.timeout = timeout
        self.lost: list[int] = []
        self.generation = 0
        self._parent = parent
        self._duplicates: weakref.WeakSet = weakref.WeakSet()
        self._control = None if comm is None else comm.Dup()
        self.fault_tolerant = comm is not None and tolerates_faults()
        self.watchers: weakref.WeakSet = weakref.WeakSet()

    def rank(self) -> int:
        """This process's number in the group."""
        return 0 if self.comm is None else self.comm.rank

    def size(self) -> int:
        """How many processes the group has now."""
        return 1 if self.comm is None else self.comm.size

    def duplicate(self) -> ProcessGroup:
        """The same processes with an order of messages of their own."""
        if self.comm is None:
            return ProcessGroup()
        made = ProcessGroup(self.comm.Dup(), self.members, self.timeout, parent=self)
        self._duplicates.add(made)
        return made

    def renew(self) -> None:
        """Follow the group that this one is a duplicate of, when that one has shrunk."""
        parent = self._parent
        if parent is not None and parent.generation != self.generation:
            self.comm, self._control = parent.comm.Dup(), parent.comm.Dup()
            self.members, self.lost = list(parent.members), list(parent.lost)
            self.generation = parent.generation

    def agree(self, fine: bool) -> bool:
        """Whether all that live are fine, as all of them will see it."""
        MPI = library()
        while True:
            try:
                return bool(self.comm.Agree(int(fine)))
            except MPI.Exception as error:
                if error.Get_error_class() != MPI.ERR_PROC_FAILED:
                    raise
                self.comm.Ack_failed()
                fine = False

    def revoke(self) -> None:
        """Wake everyone who waits in this group, in its duplicates, or where it came from."""
        first = self._parent or self
        for group in (first, *first._duplicates):
            group.comm.Revoke()

    def shrink(self) -> None:
        """Go on with those that live. All of them must call it."""
        if self._parent is not None:
            if self._parent.generation == self.generation:
                self._parent.shrink()
            self.renew()
            return
        old, before = self.comm, self.members
        self.comm = old.Shrink()
        self._control = self.comm.Dup()
        self.members = [before[rank] for rank in self.comm.allgather(old.rank)]
        self.lost += [m for m in before if m not in self.members]
        self.generation += 1
        global _bereaved
        _bereaved = True
        for watcher in list(self.watchers):
            watcher.on_shrink(self)

    def step_done(self) -> None:
        """Tell who watches that all processes have used what they had drawn."""
        for watcher in list((self._parent or self).watchers):
            watcher.on_step(self)

    def wait(self, request, what: str) -> None:
        """Wait until ``request`` is done.

        Raises:
            DistributedError: it was not within the group's timeout; names who did not come.
        """
        start = time.monotonic()
        while time.monotonic() < start + SPIN:
            for _ in range(20):
                if request.Test():
                    return
            _yield()
        end = start + self.timeout
        while not request.Test():
            if time.monotonic() > end:
                raise DistributedError(self._complaint(what))
            time.sleep(NAP)

    def _complaint(self, what: str) -> str:
        """Tell the others that this process waits in vain, and hear which of them do too."""
        import numpy as np

        MPI = library()
        control, size = self._control, self.size()
        nothing = np.zeros(1, np.uint8)
        sent = [control.Isend(nothing, dest) for dest in range(size) if dest != control.rank]
        here, end = {control.rank}, time.monotonic() + GRACE
        status = MPI.Status()
        while time.monotonic() < end and len(here) < size:
            if control.Iprobe(status=status):
                control.Recv(nothing.copy(), source=status.source)
                here.add(status.source)
            else:
                time.sleep(1e-3)
        for request in sent:
            request.Test()
        missing = [self.members[r] for r in range(size) if r not in here]
        names = ", ".join(map(str, missing)) or "none (all came, but too late)"
        return (
            f"{what}: rank {self.members[control.rank]} of {size} waited {self.timeout:g} s; "
            f"missing ranks: {names}. See what they last printed; a longer timeout= of "
            "init_process_group waits longer"
        )


_world: ProcessGroup | None = None


def world() -> ProcessGroup:
    """The group of all processes.

    Raises:
        ValueError: ``init_process_group`` was not called; PyTorch's type.
    """
    if _world is None:
        raise ValueError(
            "Default process group has not been initialized, please make sure to call "
            "init_process_group() first"
        )
    return _world


def group_of(group) -> ProcessGroup:
    """``group``, or that of all processes for None."""
    return world() if group is None else group


def is_initialized() -> bool:
    """Whether :func:`init_process_group` has been called."""
    return _world is not None


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | float | None = None,
    world_size: int = -1,
    rank: int = -1,
    store=None,
    group_name: str = "",
    pg_options=None,
    device_id=None,
) -> None:
    """Join the other processes of this job; alone where there are none.

    The engine is MPI (``pip install "tensorgrad[mpi]"``), and ``mpiexec`` or ``srun`` says how many
    processes there are; a script that was started without them runs as one process and never
    imports mpi4py.

    Args:
        backend: PyTorch's names are accepted (``"gloo"``, ``"nccl"``, ``"mpi"``); it is always MPI.
        init_method: no effect: MPI finds the other processes.
        timeout: how long to wait for other processes; seconds or a timedelta. Default: 30 minutes.
        world_size: checked against the launcher's, if given.
        rank: checked likewise.
        store: no effect, as all that follow.
        group_name: no effect.
        pg_options: no effect.
        device_id: no effect.

    Raises:
        ValueError: called twice, an unknown ``backend``, a timeout that is not positive, or
            ``world_size`` or ``rank`` differ from what the launcher says.
        ImportError: there are other processes, and mpi4py is missing.

    >>> import tensorgrad.distributed as dist
    >>> dist.init_process_group("gloo")
    >>> dist.get_rank(), dist.get_world_size(), dist.get_backend()
    (0, 1, 'mpi')
    >>> dist.destroy_process_group()
    """
    global _world
    if _world is not None:
        raise ValueError("trying to initialize the default process group twice!")
    known = ("gloo", "mpi", "nccl", "ucc", "xccl")
    if backend is not None and backend.split(",")[0].split(":")[-1].lower() not in known:
        raise ValueError(f"backend must be one of {', '.join(known)}, got {backend!r}")
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if seconds is not None and not seconds > 0:
        raise ValueError(f"timeout must be positive, got {timeout!r}")
    size, place, _, _ = launched()
    for name, asked, found in (("world_size", world_size, size), ("rank", rank, place)):
        if asked not in (-1, found):
            raise ValueError(
                f"{name}={asked}, but this process was launched as rank {place} of {size}; start "
                f"it with mpiexec -n {max(world_size, 1)}, or leave {name} out"
            )
    seconds = DEFAULT_TIMEOUT if seconds is None else float(seconds)
    if size == 1:
        _world = ProcessGroup(timeout=seconds)
        return
    comm = library().COMM_WORLD.Dup()
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = end_all  # an exception in one process must not leave the others waiting
    _world = ProcessGroup(comm, range(comm.size), seconds)


def destroy_process_group(group: ProcessGroup | None = None) -> None:
    """Leave ``group``; None leaves that of all processes. Nothing may be under way."""
    global _world
    if group is None or group is _world:
        _world = None


def get_rank(group: ProcessGroup | None = None) -> int:
    """This process's number in ``group``, from 0; all processes for None."""
    return group_of(group).rank()


def get_world_size(group: ProcessGroup | None = None) -> int:
    """How many processes ``group`` has, those that died not counted; all processes for None."""
    return group_of(group).size()


def get_backend(group: ProcessGroup | None = None) -> str:
    """``"mpi"``."""
    group_of(group)
    return "mpi"


def new_group(ranks=None, timeout=None, backend=None) -> ProcessGroup | None:
    """A group of some of the processes. All processes must call it.

    Args:
        ranks: those that take part; None for all.
        timeout: as in :func:`init_process_group`; None for that of all processes.
        backend: no effect.

    Returns:
        The group; None for a process that is not in it.

    Raises:
        ValueError: a rank that does not exist or is named twice.
    """
    group = world()
    ranks = list(range(group.size())) if ranks is None else list(ranks)
    if sorted(set(ranks)) != sorted(ranks) or not all(0 <= r < group.size() for r in ranks):
        raise ValueError(f"ranks must be different and in [0, {group.size()}), got {ranks}")
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    seconds = group.timeout if seconds is None else float(seconds)
    if group.comm is None:
        return ProcessGroup(timeout=seconds)
    comm = group.comm.Create(group.comm.Get_group().Incl(ranks))
    if comm == library().COMM_NULL:
        return None
    made = ProcessGroup(comm, [group.members[r] for r in ranks], seconds)
    made.fault_tolerant = False  # only the group of all processes can shrink in step
    return made
