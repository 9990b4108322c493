"""Where children run: in this process, in a process pool, on a Dask cluster.

An executor has two methods. ``submit(function, *args)`` returns a future, whose ``result()`` is
what the function returned or an exception; ``as_completed(futures)`` yields them as they end.
"""

from __future__ import annotations

import os
from concurrent import futures as std
from contextlib import AbstractContextManager

from tensorgrad.errors import missing

from .._checks import check_count


class ChildDied(RuntimeError):
    """The process that trained a child ended."""


class InProcess:
    """Children one after another in this process, each when it is waited for.

    >>> executor = InProcess()
    >>> [future.result() for future in executor.as_completed([executor.submit(max, 1, 2)])]
    [2]
    """

    def submit(self, function, *args):
        """What will be called."""
        return _Task(function, args)

    def as_completed(self, futures):
        """The calls in their order."""
        yield from futures


class _Task:
    """A call, and where it is being made: the future of a pool, or None."""

    def __init__(self, function, args, future=None):
        self.function, self.args, self.future = function, args, future

    def result(self):
        return self.function(*self.args) if self.future is None else self.future.result()


class Futures:
    """An executor of the standard library's kind: mpi4py's ``MPIPoolExecutor``, a thread pool.

    Args:
        executor: a ``concurrent.futures.Executor``. It stays the caller's to shut down.
    """

    def __init__(self, executor: std.Executor):
        self.executor = executor

    def submit(self, function, *args):
        """The executor's future."""
        return self.executor.submit(function, *args)

    def as_completed(self, futures):
        """Futures as they end."""
        return std.as_completed(futures)


class ProcessPool(AbstractContextManager):
    """The standard library's process pool, which outlives the death of its workers.

    When a worker dies, the pool ends with all it had to do. It is then started anew, and those
    children are trained once more, each alone: if one dies again, it is that child's fault, and
    its ``result()`` raises :class:`ChildDied`. Workers have one thread for matrix products, and
    end with the process that started them.

    Args:
        workers: processes; as many as there are cores by default.

    Raises:
        ValueError: ``workers`` is no integer of at least 1.

    Processes are spawned: a script that uses them needs ``if __name__ == "__main__":``.
    """

    def __init__(self, workers: int | None = None):
        self.workers = check_count(_cores() if workers is None else workers, "workers", 1)
        self._pool, self._broken = None, False

    def __exit__(self, *_):
        self._stop()

    def _stop(self):
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool, self._broken = None, False

    def _start(self, function, args):
        """The future of a call; None if the pool is broken."""
        import multiprocessing

        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            self._pool = std.ProcessPoolExecutor(self.workers, spawn, _prepare)
        try:
            return self._pool.submit(function, *args)
        except std.BrokenExecutor:
            self._broken = True
            return None

    def submit(self, function, *args):
        """A future; function and arguments must be importable, or made of what is."""
        return _Pooled(function, args, self._start(function, args))

    def as_completed(self, futures):
        """Futures as they end, those that the death of a worker ended last."""
        waiting = {task.future: task for task in futures if task.future is not None}
        for future in std.as_completed(waiting):
            if waiting[future].broken:
                self._broken = True
            else:
                yield waiting[future]
        for task in [task for task in futures if task.broken]:
            self._again(task)
            yield task
        if self._broken:
            self._stop()

    def _again(self, task):
        """Make the call once more, with nothing beside it."""
        if not self._broken:
            task.future = self._start(task.function, task.args)
        if self._broken:  # before this call: a pool whose idle worker was killed refuses it
            self._stop()
            task.future = self._start(task.function, task.args)
        self._broken = task.broken


class _Pooled(_Task):
    """A call in a pool."""

    @property
    def broken(self):
        """Whether the pool broke before the call ended, for which this waits."""
        return self.future is None or isinstance(self.future.exception(), std.BrokenExecutor)

    def result(self):
        if self.broken:
            raise ChildDied(
                "the worker process died, once among others and once alone: killed, out of "
                "memory, or ended by the child itself"
            )
        return self.future.result()


def _prepare():
    """What a worker does first."""
    import multiprocessing
    import threading

    from tensorgrad import settings

    settings.set_num_threads(1)
    parent = multiprocessing.parent_process()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent):
    """A pool's workers would wait for ever for work from a process that was killed."""
    parent.join()
    os._exit(1)


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


class Dask:
    """A Dask cluster: scheduling, retries of lost children and networking are Dask's.

    Args:
        client: a ``distributed.Client``. It stays the caller's to close.

    Raises:
        ImportError: ``distributed`` is not installed.
        TypeError: an asynchronous client.

    A child whose worker dies is trained anew on another; after
    ``distributed.scheduler.allowed-failures`` deaths (3) Dask gives it up.
    """

    def __init__(self, client):
        try:
            import distributed
        except ImportError:
            raise missing("dask[distributed]", "search", "a search on a Dask cluster") from None
        if client.asynchronous:
            raise TypeError("executor must be a Dask client with asynchronous=False")
        self.client, self._as_completed = client, distributed.as_completed

    def submit(self, function, *args):
        """Dask's future."""
        return self.client.submit(function, *args, pure=False)

    def as_completed(self, futures):
        """Futures as they end."""
        return self._as_completed(futures)


def executor_of(executor, workers):
    """The executor that ``search`` was asked for."""
    if executor is not None and workers is not None:
        raise TypeError("give either executor or workers, not both")
    if executor is None:
        return InProcess() if workers == 0 else ProcessPool(workers)
    if type(executor).__module__.partition(".")[0] == "distributed":
        return Dask(executor)
    if isinstance(executor, std.Executor):
        return Futures(executor)
    if hasattr(executor, "submit") and hasattr(executor, "as_completed"):
        return executor
    raise TypeError(
        "executor must be a Dask client, a concurrent.futures.Executor, or have submit() and "
        f"as_completed(); got {type(executor).__name__}"
    )
