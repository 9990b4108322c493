"""What runs in a worker of a DataLoader, and what it tells datasets."""

from __future__ import annotations

import os

from .fetch import fetcher

__all__ = ["WorkerInfo", "get_worker_info"]

STATUS_CHECK_INTERVAL = 5.0  # seconds between looks whether the other side still lives
BATCH, ERROR, END = "batch", "error", "end"  # what a worker answers

_worker_info: WorkerInfo | None = None


class WorkerInfo:
    """What :func:`get_worker_info` returns in a worker.

    Attributes:
        id: the number of this worker, from 0.
        num_workers: how many there are.
        seed: what its default generators were seeded with.
        dataset: its copy of the dataset.
        rng: None.
        worker_method: "multiprocessing".
    """

    __slots__ = ("dataset", "id", "num_workers", "rng", "seed", "worker_method")

    def __init__(
        self, id, num_workers, seed, dataset, rng=None, worker_method="multiprocessing"
    ):
        values = (id, num_workers, seed, dataset, rng, worker_method)
        names = ("id", "num_workers", "seed", "dataset", "rng", "worker_method")
        for name, value in zip(names, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name, value):
        raise AttributeError(f"cannot assign to field {name!r}")

    def __repr__(self):
        return (
            f"WorkerInfo(id={self.id!r}, num_workers={self.num_workers!r}, seed={self.seed!r}, "
            f"dataset={self.dataset!r}, rng={self.rng!r}, worker_method={self.worker_method!r})"
        )


def get_worker_info() -> WorkerInfo | None:
    """What a dataset can know about the worker it is used in; None outside of workers.

    An :class:`IterableDataset` needs it to give each worker samples of its own, as each has
    a copy of the dataset.

    >>> from tensorgrad.utils.data import DataLoader, IterableDataset, get_worker_info
    >>> class Numbers(IterableDataset):
    ...     def __iter__(self):
    ...         info = get_worker_info()
    ...         first, step = (0, 1) if info is None else (info.id, info.num_workers)
    ...         return iter(range(first, 6, step))
    >>> [int(x) for x in DataLoader(Numbers(), batch_size=None, num_workers=2)]
    [0, 1, 2, 3, 4, 5]
    """
    return _worker_info


class ExceptionWrapper:
    """An exception on its way to the process that waits for the batch."""

    def __init__(self, error, where):
        import traceback

        lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        name = type(error).__name__
        self.exc_type = type(error)
        self.exc_msg = f"Caught {name} {where}.\nOriginal {lines}"

    def reraise(self):
        """Raise one of its type, or a RuntimeError if that takes other arguments."""
        if self.exc_type is KeyError:
            raise KeyError(_Verbatim(self.exc_msg))
        try:
            error = self.exc_type(self.exc_msg)
        except Exception:
            error = RuntimeError(self.exc_msg)
        raise error


class _Verbatim(str):
    """A KeyError shows the repr of its message; this one's has its line breaks."""

    def __repr__(self):
        return str(self)


class Job:
    """What all workers of a loader are told at their start."""

    def __init__(self, loader, base_seed):
        self.dataset, self.collate_fn = loader.dataset, loader.collate_fn
        self.batched, self.drop_last = loader.batch_sampler is not None, loader.drop_last
        self.iterable, self.init_fn = loader._iterable, loader.worker_init_fn
        self.num_workers, self.base_seed = loader.num_workers, base_seed


def run(job, worker_id, tasks, results, memory, unneeded):
    """Answer tasks until told to stop.

    A task is None (stop), ``(epoch,)`` (begin anew) or ``(epoch, slot, index)``; an answer is
    ``(epoch, slot, BATCH | ERROR | END, value)``.

    Args:
        job: :class:`Job`.
        worker_id: the number of this worker.
        tasks: the end of a pipe to receive them from.
        results: the end of a pipe for the answers.
        memory: files for large arrays, by slot.
        unneeded: ends of pipes that a fork left open here. As long as they are, nobody
            would see the program's end by them.
    """
    for connection in unneeded:
        connection.close()
    _set_signals()
    _seed(job, worker_id)
    outbox = _start_sender(results)
    where = f"in DataLoader worker process {worker_id}"
    fetch, failure, ended = None, None, False

    def begin():
        return fetcher(job.dataset, job.batched, job.collate_fn, job.drop_last)

    try:
        if job.init_fn is not None:
            job.init_fn(worker_id)
        fetch = begin()
    except Exception as error:
        failure = ExceptionWrapper(error, where)
    for epoch, *task in _received(tasks):
        if not task:
            ended = False
            try:
                fetch = fetch and begin()
            except Exception as error:
                failure = ExceptionWrapper(error, where)
            continue
        if ended:
            continue
        slot, index = task
        try:
            kind, value = (BATCH, fetch(index)) if failure is None else (ERROR, failure)
        except Exception as error:
            ended = job.iterable and isinstance(error, StopIteration)
            kind, value = (END, None) if ended else (ERROR, ExceptionWrapper(error, where))
        outbox.put(_packed((epoch, slot, kind, value), memory, where))
        del value  # the next batch is made without this one in memory


def _packed(answer, memory, where):
    """The bytes of an answer, or of the error that it could not be pickled."""
    from .transport import pack

    epoch, slot, kind, value = answer
    try:
        return pack(answer, slot, None if slot is None else memory[slot])
    except Exception as error:
        if kind == ERROR:
            value.exc_type = RuntimeError  # its own class is local: not to be found from there
        else:
            value = ExceptionWrapper(error, where)
        return _packed((epoch, slot, ERROR, value), memory, where)


def _received(tasks):
    """Tasks in order, until None, which goes ahead of tasks that wait."""
    from collections import deque

    parent, waiting = os.getppid(), deque()
    try:
        while True:
            while not waiting or tasks.poll(0):
                while not tasks.poll(STATUS_CHECK_INTERVAL):
                    if os.getppid() != parent:
                        return
                task = tasks.recv()
                if task is None:
                    return
                if len(task) == 1:
                    waiting.clear()  # of an epoch that nobody waits for
                waiting.append(task)
            yield waiting.popleft()
    except (EOFError, OSError):
        return  # the program is gone


def _start_sender(results):
    """A queue whose messages a thread sends, so that loading never waits for the receiver."""
    import queue
    import threading

    outbox = queue.SimpleQueue()

    def send():
        try:
            while True:
                results.send_bytes(outbox.get())
        except OSError:
            os._exit(1)  # nobody receives any more

    threading.Thread(target=send, daemon=True).start()
    return outbox


def _set_signals():
    """Ctrl-C goes to all processes of a terminal: the main one decides what it means.

    It was blocked while this one started. A handler of the program for SIGTERM is not for
    its workers, which must end by it.
    """
    import signal

    signal.signal(signal.SIGINT, lambda number, frame: None)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def _seed(job, worker_id):
    """Seed all generators as PyTorch does, and say who we are."""
    global _worker_info
    import random

    import numpy as np

    from ....random import manual_seed
    from ....settings import set_num_threads

    set_num_threads(1)
    base, seed = job.base_seed, job.base_seed + worker_id
    random.seed(seed)
    manual_seed(seed)
    words = np.random.SeedSequence([worker_id, base & 0xFFFFFFFF, base >> 32, 0])
    np.random.seed(words.generate_state(4))  # noqa: NPY002  for datasets that use it
    _worker_info = WorkerInfo(worker_id, job.num_workers, seed, job.dataset)
