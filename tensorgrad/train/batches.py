"""The data of a fit as batches: in an order keyed by seed and epoch, from any batch on."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import cat
from .._graph import Tensor
from ..creation import as_tensor
from ..dtypes import get_default_dtype
from ..kernels import sampling
from ..random import Generator
from ..utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Sampler,
    TensorDataset,
)
from ..utils.data._utils.epoch import announce, announce_to_loader
from ..utils.data.dataloader import _SingleProcessDataLoaderIter
from ..utils.data.distributed import Dealing
from .arguments import whole_number

__all__ = ["Batches", "batches_of", "tensor_of", "together"]


def batches_of(
    data, batch_size, *, shuffle=False, seed=0, num_workers=0, name="data", team=None, even=True
):
    """``data`` as :class:`Batches`: pairs, a Dataset, a DataLoader or any iterable of batches.

    With a ``team``, pairs and Datasets are shared out to its processes; ``even`` repeats samples so
    that all have equally many.

    Raises:
        TypeError: ``data`` is none of these.
        ValueError: it is empty, or ``batch_size`` is not a positive integer.
    """
    if isinstance(data, Batches):
        return data
    if isinstance(data, tuple):
        data = _rows(data, name)
    if isinstance(data, DataLoader):
        return Given(data)
    if isinstance(data, IterableDataset):
        return Given(DataLoader(data, batch_size=batch_size, num_workers=num_workers))
    if not isinstance(data, Tensor | np.ndarray | str | bytes | dict):
        if all(hasattr(data, m) for m in ("__getitem__", "__len__")) and not isinstance(data, list):
            if not len(data):
                raise ValueError(f"{name} is empty")
            return Keyed(data, batch_size, shuffle, seed, num_workers, team, even)
        if isinstance(data, Iterable):
            return Given(data)
    raise TypeError(
        f"{name} must be a DataLoader, a Dataset, or a pair (x, y) of tensors or arrays, got "
        f"{type(data).__name__}"
    )


def _rows(parts, name):
    """Tensors or arrays with as many rows each, as a dataset."""
    tensors = [tensor_of(part, name) for part in parts]
    if any(t.ndim == 0 for t in tensors) or len({len(t) for t in tensors}) > 1:
        raise ValueError(
            f"{name}: expected as many rows in each, got shapes "
            f"{', '.join(str(tuple(t.shape)) for t in tensors)}"
        )
    return TensorDataset(*tensors)


def together(first, second):
    """Two sets of data as one: pairs of tensors or arrays, or Datasets.

    Raises:
        TypeError: they are something else.
    """
    sets = []
    for data, name in ((first, "train"), (second, "valid")):
        if isinstance(data, tuple):
            data = _rows(data, name)
        if not isinstance(data, Dataset) or isinstance(data, IterableDataset):
            raise TypeError(
                f"{name}: expected a pair (x, y) of tensors or arrays, or a Dataset, to be put "
                f"together with the other, got {type(data).__name__}"
            )
        sets.append(data)
    if all(type(data) is TensorDataset for data in sets):
        return TensorDataset(*(cat(pair) for pair in zip(*(d.tensors for d in sets), strict=True)))
    return ConcatDataset(sets)


def tensor_of(part, name):
    """A tensor as it is; an array as a tensor, floating ones in the default dtype."""
    if isinstance(part, Tensor):
        return part
    array = np.asarray(part)
    if array.dtype.kind not in "fiubc":
        raise TypeError(
            f"{name}: expected tensors or arrays of numbers, got {type(part).__name__} of dtype "
            f"{array.dtype}"
        )
    return as_tensor(array, dtype=get_default_dtype() if array.dtype.kind == "f" else None)


def key(seed: int, epoch: int) -> int:
    """The seed of what is random in an epoch: 32 bits, of which different epochs share none."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


class Batches:
    """What an epoch goes through.

    Attributes:
        length: how many batches an epoch has, None where that is not known.
        settings: what must be equal for a fit to go on in the midst of an epoch.
    """

    length: int | None = None
    settings: dict[str, Any] = {}  # noqa: RUF012  never written to

    def epoch(self, number: int, start: int = 0):
        """An iterator over the batches of an epoch, numbered from 0, without the first ones."""
        raise NotImplementedError

    def announce(self, number: int) -> None:
        """Tell what asks for it, datasets and samplers, the number of the epoch."""

    def generators(self) -> dict[str, Generator]:
        """The generators that the order comes from, by name; none where it is keyed."""
        return {}


class _Order(Sampler):
    """Batches of indices, permuted by a generator that (seed, epoch) alone sets."""

    def __init__(self, size, batch_size, shuffle, seed, team=None, even=True):
        self.size, self.batch_size, self.shuffle, self.seed = size, batch_size, shuffle, seed
        self.group, self.even = None if team is None else team.group, even
        self.epoch = self.start = 0

    def __len__(self):
        processes = 1 if self.group is None else self.group.size()
        return -(-self.size // (self.batch_size * processes))

    def __iter__(self):
        order = np.arange(self.size)
        if self.shuffle:
            generator = Generator().manual_seed(key(self.seed, self.epoch))
            order = sampling.randperm(generator, self.size)
        if self.group is not None:
            yield from self._share(order)
            return
        for low in range(self.start * self.batch_size, self.size, self.batch_size):
            yield order[low : low + self.batch_size].tolist()

    def _share(self, order):
        """The batches of this process."""
        size, rank = self.group.size(), self.group.rank()
        if self.even:
            share = Dealing(order.tolist(), size, rank, group=self.group)
            share.skip(self.start * self.batch_size)
        else:
            share = iter(order[rank::size].tolist())
        while batch := list(itertools.islice(share, self.batch_size)):
            yield batch


class Keyed(Batches):
    """A dataset in an order that (seed, epoch) alone decides: any batch is found without a draw."""

    def __init__(self, dataset, batch_size, shuffle, seed, num_workers, team=None, even=True):
        batch_size, shuffle = whole_number("batch_size", batch_size), bool(shuffle)
        self.dataset, self.seed = dataset, seed
        self.order = _Order(len(dataset), batch_size, shuffle, seed, team, even)
        self.generator = Generator()
        self.loader: DataLoader = DataLoader(
            dataset, batch_sampler=self.order, num_workers=num_workers, generator=self.generator
        )
        self.length = len(self.order)
        self.settings = {"samples": len(dataset), "batch_size": batch_size, "shuffle": shuffle,
                         "seed": seed}  # fmt: skip

    def epoch(self, number: int, start: int = 0):
        self.order.epoch, self.order.start = number, start
        if self.loader.num_workers:
            self.generator.manual_seed(key(self.seed, number))  # which seeds them
        self.announce(number)
        return iter(self.loader)

    def announce(self, number: int) -> None:
        announce(number, self.dataset)


class Given(Batches):
    """A DataLoader, or another iterable of batches, whose order is its own."""

    def __init__(self, loader):
        self.loader = loader
        with contextlib.suppress(TypeError):  # it has no length
            self.length = len(loader)
        self.settings = {"batches": self.length}

    def generators(self) -> dict[str, Generator]:
        found = {}
        sampler = getattr(self.loader, "sampler", None)
        batch_sampler = getattr(self.loader, "batch_sampler", None)
        places = {"loader": self.loader, "sampler": sampler, "batch_sampler": batch_sampler,
                  "inner": getattr(batch_sampler, "sampler", None)}  # fmt: skip
        for name, place in places.items():
            generator = getattr(place, "generator", None)
            if isinstance(generator, Generator):
                found[name] = generator
        return found

    def epoch(self, number: int, start: int = 0):
        self.announce(number)
        batches = iter(self.loader)
        for _ in range(start):
            _skip(batches)
        return batches

    def announce(self, number: int) -> None:
        announce_to_loader(number, self.loader)


def _skip(batches):
    """Go past a batch; where nothing is read ahead, past its indices alone."""
    if type(batches) is _SingleProcessDataLoaderIter and not batches._iterable:
        next(batches._indices, None)
    else:
        next(batches, None)
