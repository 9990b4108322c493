"""DataLoader: a dataset in batches."""

from __future__ import annotations

import itertools
import math
import os
import warnings
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any, Generic

from ._utils.collate import default_collate, default_convert
from ._utils.fetch import fetcher
from ._utils.worker import END, ERROR, Job, get_worker_info
from .dataset import Dataset, IterableDataset, T_co
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, draw_seed

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]


class _DatasetKind:
    Map = 0
    Iterable = 1


class _InfiniteConstantSampler(Sampler):
    """Of an IterableDataset: each None stands for "the next one"."""

    def __iter__(self):
        return itertools.repeat(None)


class DataLoader(Generic[T_co]):
    """A dataset in batches, in order or shuffled, made here or ahead of time in workers.

    With the same seed, the batches are those of PyTorch: each iteration draws a seed for
    workers, used or not, and then the order. The order is the same for any number of workers,
    and so are the batches, as long as the dataset draws no random numbers of its own. If it
    does, each worker has its own: like PyTorch's, worker i seeds ``torch``, ``random`` and
    ``numpy.random`` from the drawn seed plus i, and another number of workers gives other
    samples.

    Workers are processes. With the fork that is the default on Linux, datasets and functions
    may be anything; otherwise they are pickled, and the program must guard its main part by
    ``if __name__ == "__main__":``. What a batch holds is pickled, arrays from 64 KB on travel
    in shared memory. An exception in a worker is raised here, with the worker's traceback in
    its message. Workers end with the iteration, when the iterator is dropped, and with the
    program. A worker costs a few milliseconds to start and each batch a tenth of one, so they
    pay where a batch takes longer than that to make.

    Args:
        dataset: with ``__getitem__`` and ``__len__``, or an :class:`IterableDataset`.
        batch_size: samples per batch; None gives the samples one by one, not collated.
        shuffle: whether to visit the samples in a new random order each time.
        sampler: an iterable of indices, instead of ``shuffle``.
        batch_sampler: an iterable of lists of indices, instead of ``batch_size``,
            ``shuffle``, ``sampler`` and ``drop_last``.
        num_workers: how many processes make batches; 0 makes them in this one. More than there
            are processors warn. Each goes through an :class:`IterableDataset` by itself; see
            :func:`get_worker_info`.
        collate_fn: makes a batch from a list of samples, by default :func:`default_collate`;
            without batches, turns a sample into what is given out, by default
            :func:`default_convert`.
        pin_memory: accepted, without effect.
        drop_last: whether to drop a last batch that is smaller.
        timeout: seconds to wait for a batch of a worker, 0 for as long as it takes.
        worker_init_fn: called in each worker with its number, after seeding it.
        multiprocessing_context: how to start workers: ``"fork"``, ``"spawn"``,
            ``"forkserver"`` or a context of :mod:`multiprocessing`. If None, what
            ``multiprocessing.set_start_method`` was given, and else fork on Linux and
            Python's default elsewhere.
        generator: source of the random order and the workers' seed, the default generator if
            None.
        prefetch_factor: how many batches each worker makes ahead, 2 if None.
        persistent_workers: whether workers stay for the next iteration. They are seeded once.
        pin_memory_device: accepted, without effect.
        in_order: whether batches come in the order of the sampler. Otherwise they come as
            they are ready, and a slow one holds up none.

    ``len(loader)`` is the number of batches. ``dataset``, ``batch_size``, ``sampler``,
    ``batch_sampler`` and ``drop_last`` are attributes that cannot be set again.

    Raises:
        ValueError: arguments that exclude each other, or are out of range.
        TypeError: on ``len(loader)``, that the sampler or dataset has no length.
        RuntimeError: on iteration, that a worker died, or that ``timeout`` passed.

    >>> import tensorgrad
    >>> from tensorgrad.utils.data import DataLoader, TensorDataset
    >>> data = TensorDataset(tensorgrad.arange(5), tensorgrad.arange(5) * 10)
    >>> loader = DataLoader(data, batch_size=2)
    >>> len(loader)
    3
    >>> for x, y in loader:
    ...     print(x, y)
    tensor([0, 1]) tensor([ 0, 10])
    tensor([2, 3]) tensor([20, 30])
    tensor([4]) tensor([40])
    """

    _fixed = False

    def __init__(
        self, dataset: Dataset[T_co], batch_size=1, shuffle=None, sampler=None, batch_sampler=None,
        num_workers=0, collate_fn=None, pin_memory=False, drop_last=False, timeout=0,
        worker_init_fn=None, multiprocessing_context=None, generator=None, *,
        prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True,
    ):  # fmt: skip
        if num_workers < 0:
            raise ValueError(f"num_workers option should be non-negative, got {num_workers}")
        if timeout < 0:
            raise ValueError(f"timeout option should be non-negative, got {timeout}")
        _check_worker_options(num_workers, prefetch_factor, persistent_workers)
        _check_exclusive(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last)
        self._iterable = isinstance(dataset, IterableDataset)
        self._dataset_kind = _DatasetKind.Iterable if self._iterable else _DatasetKind.Map
        if sampler is None:
            if self._iterable:
                sampler = _InfiniteConstantSampler()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler, self.generator = sampler, batch_sampler, generator
        self.collate_fn, self.num_workers, self.pin_memory = collate_fn, num_workers, pin_memory
        self.timeout, self.worker_init_fn, self.in_order = timeout, worker_init_fn, in_order
        self.multiprocessing_context = multiprocessing_context
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers, self.pin_memory_device = persistent_workers, pin_memory_device
        self._iterator: Any = None
        self._IterableDataset_len_called: int | None = None
        self._fixed = True
        self.check_worker_number_rationality()

    def __setattr__(self, name, value):
        if self._fixed and name in _FIXED:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized; "
                "make a new one"
            )
        if name == "multiprocessing_context" and value is not None:
            value = _context(value, self.num_workers)
        super().__setattr__(name, value)

    def __iter__(self) -> Iterator[Any]:
        if not self.num_workers:
            return _SingleProcessDataLoaderIter(self)
        if self._iterator is not None and self._iterator._workers:
            self._iterator._reset(self)
            return self._iterator
        self.check_worker_number_rationality()
        iterator = _MultiProcessingDataLoaderIter(self)
        if self.persistent_workers:
            self._iterator = iterator
        return iterator

    def __len__(self) -> int:
        if not self._iterable:
            return len(self._index_sampler)
        n = self._IterableDataset_len_called = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else math.ceil(n / self.batch_size)

    @property
    def _index_sampler(self):
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    @property
    def _auto_collation(self):
        return self.batch_sampler is not None

    def check_worker_number_rationality(self) -> None:
        """Warn of more workers than this process may use processors."""
        if not self.num_workers:
            return
        if hasattr(os, "sched_getaffinity"):
            processors = len(os.sched_getaffinity(0))
        else:
            processors = os.cpu_count() or 1
        if self.num_workers > processors:
            warnings.warn(
                f"This DataLoader will create {self.num_workers} worker processes in total. Our "
                f"suggested max number of worker in current system is {processors}; more of them "
                "get in each other's way",
                stacklevel=3,
            )


_FIXED = frozenset(
    ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")
)


def _check_worker_options(num_workers, prefetch_factor, persistent_workers):
    if prefetch_factor is not None:
        if num_workers == 0:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing: let "
                "num_workers > 0, or leave prefetch_factor at None"
            )
        if prefetch_factor < 0:
            raise ValueError(
                f"prefetch_factor option should be non-negative, got {prefetch_factor}"
            )
    if num_workers == 0 and persistent_workers:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _context(asked, num_workers):
    if not num_workers:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading "
            f"(num_workers > 0), but got num_workers={num_workers}"
        )
    from ._utils.process import start_context

    return start_context(asked)


def _check_exclusive(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last):
    if isinstance(dataset, IterableDataset):
        given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
        for name, value in given.items():
            if value is not None:
                raise ValueError(
                    f"DataLoader with IterableDataset: expected unspecified {name} option, but got "
                    f"{name}={value}; the dataset decides its order"
                )
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, "
                "and drop_last"
            )
    elif batch_size is None and drop_last:
        raise ValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with "
            "drop_last"
        )


class _BaseDataLoaderIter:
    """One pass over a loader."""

    def __init__(self, loader):
        self._dataset, self._iterable = loader.dataset, loader._iterable
        self._index_sampler, self._timeout = loader._index_sampler, loader.timeout
        self._num_workers = loader.num_workers
        self._begin(loader)
        self._base_seed = draw_seed(loader.generator)

    def _begin(self, loader):
        self._indices = iter(self._index_sampler)
        self._num_yielded = 0
        self._length = loader._IterableDataset_len_called

    def __iter__(self):
        return self

    def __len__(self):
        return len(self._index_sampler)

    def __next__(self):
        data = self._next_data()
        self._num_yielded += 1
        if self._length is not None and self._num_yielded > self._length:
            self._warn_of_length()
        return data

    def _warn_of_length(self):
        hint = "" if not self._num_workers else (
            "Each worker goes through a copy of the dataset: ask get_worker_info() which samples "
            "are for this one."
        )  # fmt: skip
        warnings.warn(
            f"Length of IterableDataset {self._dataset} was reported to be {self._length} (when "
            f"accessing len(dataloader)), but {self._num_yielded} samples have been fetched. "
            f"{hint}",
            stacklevel=3,
        )

    def __getstate__(self):
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled")


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    def __init__(self, loader):
        super().__init__(loader)
        if self._timeout:
            raise AssertionError(f"timeout={self._timeout} needs num_workers > 0")
        batched = loader._auto_collation
        self._fetch = fetcher(loader.dataset, batched, loader.collate_fn, loader.drop_last)

    def _next_data(self):
        return self._fetch(next(self._indices))


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """One pass, or with workers that stay one after another.

    Tasks go to the workers in turn, ``prefetch_factor`` to each at first and then one for each
    answer. In order, the next batch is always the next answer of a worker that is known, so
    that nothing needs to be put in order here.
    """

    def __init__(self, loader):
        super().__init__(loader)
        if loader.prefetch_factor <= 0:
            raise AssertionError(
                f"prefetch_factor must be greater than 0, got {loader.prefetch_factor}"
            )
        from ._utils.process import Worker, shut_down, start_context

        self._in_order, self._persistent = loader.in_order, loader.persistent_workers
        self._max_tasks = loader.prefetch_factor * loader.num_workers
        self._epoch = -1
        self._workers = []
        self._shut_down = weakref.finalize(self, shut_down, self._workers, os.getpid())
        self._shut_down.atexit = False  # multiprocessing ends the workers of a program that ends
        job, pipes = Job(loader, self._base_seed), []
        context = start_context(loader.multiprocessing_context)
        for i in range(loader.num_workers):
            self._workers.append(Worker(job, i, context, loader.prefetch_factor, pipes))
        self._reset(loader)

    def _reset(self, loader):
        self._begin(loader)  # for the first time anew: PyTorch asks the sampler twice
        self._epoch += 1
        self._active = dict.fromkeys(self._workers, 0)  # to the number of tasks each has
        self._turns = itertools.cycle(self._workers)
        self._tasks = deque()  # the workers of the batches to come, in order
        try:
            if self._epoch:
                for worker in self._workers:
                    worker.restart(self._epoch)
            for _ in range(self._max_tasks):
                self._assign()
        except BaseException as error:
            self._give_up(error)
            raise

    def _assign(self):
        """Give the next batch to the worker whose turn it is."""
        worker = next((w for w in self._a_round() if self._has_room(w)), None)
        if worker is None:
            return
        try:
            index = next(self._indices)
        except StopIteration:
            return
        worker.send(self._epoch, index)
        self._active[worker] += 1
        self._tasks.append(worker)

    def _a_round(self):
        return itertools.islice(self._turns, self._num_workers)

    def _has_room(self, worker):
        if worker not in self._active:
            return False
        return self._in_order or self._active[worker] < self._max_tasks // len(self._active)

    def _next_data(self):
        while self._tasks:
            try:
                answer = self._next_answer()
            except BaseException as error:
                self._give_up(error)
                raise
            if answer is None:
                raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
            kind, value = answer
            if kind == ERROR:
                value.reraise()
            if kind != END:
                return value
        if not self._persistent:
            self._shut_down()
        raise StopIteration

    def _next_answer(self):
        """The next answer, None if it takes too long. The worker gets another task for it."""
        seconds = self._timeout or math.inf
        worker = self._tasks[0]
        if not self._in_order:
            from ._utils.process import first_to_answer

            worker = first_to_answer([w for w in self._active if w in self._tasks], seconds)
        elif worker not in self._active:  # it came to the end of its samples
            self._tasks.popleft()
            return END, None
        answer = worker and worker.receive(self._epoch, seconds)
        if answer is None:
            return None
        self._tasks.remove(worker)
        self._active[worker] -= 1
        if answer[0] == END:
            del self._active[worker]
            if not self._in_order:
                self._tasks = deque(w for w in self._tasks if w is not worker)
        self._assign()
        return answer

    def _give_up(self, error):
        """End the workers: one is dead, or an interrupt has left half of an answer in a pipe."""
        from ._utils.process import shut_down

        self._tasks.clear()
        options = {} if isinstance(error, Exception) else {"grace": 0.0}
        shut_down(self._workers, os.getpid(), **options)
