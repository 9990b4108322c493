"""DataLoader: a dataset in batches."""

from __future__ import annotations

import itertools
import math
import types

import numpy as np

from ..._graph import wrap
from .collate import default_collate, default_convert
from .dataset import IterableDataset, Subset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]


def get_worker_info():
    """None, as in PyTorch's main process: samples are loaded where the loader is iterated."""
    return None


class DataLoader:
    """A dataset in batches, in order or shuffled.

    With the same seed, the batches are those of PyTorch: each iteration draws one number
    that PyTorch would seed workers with, and then the order.

    Args:
        dataset: with ``__getitem__`` and ``__len__``, or an :class:`IterableDataset`.
        batch_size: samples per batch; None gives the samples one by one, not collated.
        shuffle: whether to visit the samples in a new random order each time.
        sampler: an iterable of indices, instead of ``shuffle``.
        batch_sampler: an iterable of lists of indices, instead of ``batch_size``,
            ``shuffle``, ``sampler`` and ``drop_last``.
        num_workers: accepted. Samples are loaded in the calling process whatever the number
            is, in the same order; an IterableDataset is gone through once.
        collate_fn: makes a batch from a list of samples, by default :func:`default_collate`;
            without batches, turns a sample into what is given out, by default
            :func:`default_convert`.
        pin_memory: accepted, without effect.
        drop_last: whether to drop a last batch that is smaller.
        timeout: accepted, without effect.
        worker_init_fn: accepted and not called, as there are no workers.
        multiprocessing_context: accepted with ``num_workers`` > 0, without effect.
        generator: source of the random order, the default generator if None.
        prefetch_factor: accepted with ``num_workers`` > 0, without effect.
        persistent_workers: accepted with ``num_workers`` > 0.
        pin_memory_device: accepted, without effect.
        in_order: accepted; batches always come in order.

    ``len(loader)`` is the number of batches. ``dataset``, ``batch_size``, ``sampler``,
    ``batch_sampler`` and ``drop_last`` are attributes that cannot be set again.

    Raises:
        ValueError: arguments that exclude each other, or are out of range.
        TypeError: on ``len(loader)``, that the sampler or dataset has no length.

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

    def __class_getitem__(cls, item):
        return types.GenericAlias(cls, item)

    def __init__(
        self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None,
        num_workers=0, collate_fn=None, pin_memory=False, drop_last=False, timeout=0,
        worker_init_fn=None, multiprocessing_context=None, generator=None, *,
        prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True,
    ):  # fmt: skip
        if num_workers < 0:
            raise ValueError(f"num_workers option should be non-negative, got {num_workers}")
        if timeout < 0:
            raise ValueError(f"timeout option should be non-negative, got {timeout}")
        _check_worker_options(
            num_workers, prefetch_factor, persistent_workers, multiprocessing_context
        )
        _check_exclusive(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last)
        self._iterable = isinstance(dataset, IterableDataset)
        if sampler is None:
            if self._iterable:
                sampler = itertools.repeat(None)  # stands for "the next one"
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
        self._seeded = False
        self._fixed = True

    def __setattr__(self, name, value):
        if self._fixed and name in _FIXED:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized; "
                "make a new one"
            )
        super().__setattr__(name, value)

    def __iter__(self):
        return _Iterator(self)

    def __len__(self):
        if not self._iterable:
            return len(self._index_sampler)
        n = len(self.dataset)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else math.ceil(n / self.batch_size)

    @property
    def _index_sampler(self):
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _seed_workers(self):
        # The seed goes unused, but the draw moves the generator on as PyTorch's does. Workers
        # that stay are seeded once.
        if not (self._seeded and self.persistent_workers):
            draw_seed(self.generator)
        self._seeded = True


_FIXED = frozenset(
    ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")
)


def _check_worker_options(num_workers, prefetch_factor, persistent_workers, context):
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
    if num_workers == 0 and context is not None:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading "
            f"(num_workers > 0), but got num_workers={num_workers}"
        )


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


class _Iterator:
    """One pass over a loader."""

    def __init__(self, loader):
        self._loader, self._sampler = loader, loader._index_sampler
        self._indices = iter(self._sampler)
        loader._seed_workers()
        batched = loader.batch_sampler is not None
        if loader._iterable:
            self._samples = iter(loader.dataset)
            self._load = _Iterator._next_samples if batched else _Iterator._next_sample
        else:
            self._load = _Iterator._batch_at if batched else _Iterator._sample_at

    def __iter__(self):
        return self

    def __len__(self):
        return len(self._sampler)

    def __next__(self):
        return self._load(self, next(self._indices))

    def _sample_at(self, index):
        return self._loader.collate_fn(self._loader.dataset[index])

    def _batch_at(self, indices):
        dataset, collate = self._loader.dataset, self._loader.collate_fn
        if collate is default_collate:
            rows = _rows_at(dataset, indices)
            if rows is not None:
                return rows
        if callable(getattr(dataset, "__getitems__", None)):
            return collate(dataset.__getitems__(indices))
        return collate([dataset[i] for i in indices])

    def _next_sample(self, _):
        return self._loader.collate_fn(next(self._samples))

    def _next_samples(self, wanted):
        samples = list(itertools.islice(self._samples, len(wanted)))
        if not samples or (self._loader.drop_last and len(samples) < len(wanted)):
            raise StopIteration
        return self._loader.collate_fn(samples)


def _rows_at(dataset, indices):
    """The batch of a TensorDataset, or a subset of one, by one indexing per tensor.

    None for other datasets, and for indices that are not plain integers. On 64 rows of 784
    floats, a seventh of the time of taking and stacking the samples.
    """
    while type(dataset) is Subset:
        indices = [dataset.indices[i] for i in indices]
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset:
        return None
    index = np.array(indices)
    if index.ndim != 1 or index.dtype.kind != "i":
        return None
    return [
        wrap(t._array[index]) if t._edge is None else t[wrap(index)] for t in dataset.tensors
    ]
