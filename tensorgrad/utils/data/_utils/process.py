"""Workers as the process sees them that waits for their batches."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from multiprocessing.connection import wait

import numpy.random  # noqa: F401  workers seed it; loaded here, they need not load it each

from . import worker
from .transport import shared_files, unpack


def start_context(asked):
    """The multiprocessing context that was asked for, or the default one.

    That is what ``multiprocessing.set_start_method`` says, and else fork on Linux, by which
    a dataset need not be pickled, and Python's default elsewhere.

    Raises:
        ValueError: no start method of that name.
        TypeError: neither a name nor a context.
    """
    if asked is None:
        method = multiprocessing.get_start_method(allow_none=True)
        if method is None and sys.platform == "linux":
            method = "fork"
        return multiprocessing.get_context(method)
    if isinstance(asked, str):
        methods = multiprocessing.get_all_start_methods()
        if asked not in methods:
            raise ValueError(
                "multiprocessing_context option should specify a valid start method in "
                f"{methods!r}, but got multiprocessing_context={asked!r}"
            )
        return multiprocessing.get_context(asked)
    if not isinstance(asked, multiprocessing.context.BaseContext):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string "
            f"specifying the start method, but got multiprocessing_context={asked}"
        )
    return asked


class Worker:
    """One process, the pipes to and from it, and the shared memory for its large arrays."""

    def __init__(self, job, worker_id, context, slots, unneeded):
        forks = context.get_start_method() == "fork"
        theirs, self.tasks = context.Pipe(duplex=False)
        self.results, answers = context.Pipe(duplex=False)
        self.memory = shared_files(slots) if forks else []
        self.free = list(range(len(self.memory)))
        unneeded += [self.tasks, self.results]
        args = (job, worker_id, theirs, answers, self.memory, unneeded if forks else [])
        self.process = context.Process(target=worker.run, args=args, daemon=True)
        try:
            _start(self.process)
        except BaseException:
            self.close()
            raise
        finally:
            theirs.close()
            answers.close()

    def send(self, epoch, *index):
        """Ask for the batch of ``index``, or for a new beginning."""
        task = (epoch, self.free.pop() if self.free else None, *index) if index else (epoch,)
        try:
            self.tasks.send(task)
        except OSError:
            raise self._died() from None

    def receive(self, epoch, seconds):
        """The kind and value of the next answer in this epoch, None if it takes too long."""
        while True:
            limit = time.monotonic() + seconds
            while not self.results.poll(min(seconds, worker.STATUS_CHECK_INTERVAL)):
                if not self.process.is_alive() and not self.results.poll(0):
                    raise self._died()
                if time.monotonic() >= limit:
                    return None
            try:
                message = self.results.recv_bytes()
            except (EOFError, OSError):
                raise self._died() from None
            answer_epoch, slot, kind, value = unpack(message, self.memory)
            if answer_epoch == epoch:
                if slot is not None:
                    self.free.append(slot)
                return kind, value

    def restart(self, epoch):
        """Forget what was asked for, and begin anew."""
        self.free = list(range(len(self.memory)))
        self.send(epoch)

    def stop(self):
        """Tell it to end after the batch that it works on."""
        with contextlib.suppress(OSError):
            self.tasks.send(None)

    def close(self):
        """Close this side of the pipes and the memory."""
        self.tasks.close()
        self.results.close()
        for file in self.memory:
            os.close(file)
        self.memory = []

    def _died(self):
        self.process.join(1.0)
        code = self.process.exitcode
        how = ""
        if code is not None:
            how = f", killed by {signal.Signals(-code).name}" if code < 0 else (
                f" with exit code {code}"
            )  # fmt: skip
        return RuntimeError(
            f"DataLoader worker (pid {self.process.pid}) exited unexpectedly{how}; "
            "num_workers=0 may show why"
        )


def first_to_answer(workers, seconds):
    """One of these workers with something to receive, or None if it takes too long."""
    limit = time.monotonic() + seconds
    while True:
        ready = wait(
            [w.results for w in workers], min(seconds, worker.STATUS_CHECK_INTERVAL)
        )
        for w in workers:
            if w.results in ready or not w.process.is_alive():
                return w
        if time.monotonic() >= limit:
            return None


def shut_down(workers, owner, grace=worker.STATUS_CHECK_INTERVAL):
    """End the workers: those that do not within ``grace`` seconds by a signal.

    Args:
        workers: a list of :class:`Worker`; it is emptied.
        owner: the process that they work for. One forked from it must leave them alone.
        grace: how long to wait for all of them.
    """
    if os.getpid() != owner:
        return
    gone, workers[:] = list(workers), []
    for w in gone:
        w.stop()
    limit = time.monotonic() + grace
    for w in gone:
        w.process.join(max(0.0, limit - time.monotonic()))
    for end in ("terminate", "kill"):
        for w in gone:
            if w.process.is_alive():
                getattr(w.process, end)()
        for w in gone:
            w.process.join(worker.STATUS_CHECK_INTERVAL)
    for w in gone:
        w.close()


def _start(process):
    """Start a process, with SIGINT blocked until it has a handler of its own."""
    if not hasattr(signal, "pthread_sigmask"):
        process.start()
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        with _blas_threads_are_ready_for_forks():
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _blas_threads_are_ready_for_forks():
    """No warning of a fork beside threads, if none of them is Python's.

    Since Python 3.12 a fork warns of all threads, and NumPy's BLAS has some from its import.
    Threads of Python may hold locks that the worker would wait for: that warning stays.
    """
    if threading.active_count() > 1:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)
        yield
