"""Datasets: things with samples to index, or to iterate over."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any, Generic, Iterable, TypeVar  # noqa: UP035  Generic next to abc's has no MRO

from ..._graph import Tensor
from ...kernels import sampling
from ...random import resolve

__all__ = [
    "ChainDataset", "ConcatDataset", "Dataset", "IterableDataset", "StackDataset", "Subset",
    "TensorDataset", "random_split",
]  # fmt: skip

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples that are found by index; subclasses write ``__getitem__`` and ``__len__``.

    They may also write ``__getitems__(indices)``, which returns the samples of a batch as a
    list and is then used instead. ``a + b`` is their concatenation.

    >>> from tensorgrad.utils.data import DataLoader, Dataset
    >>> class Squares(Dataset):
    ...     def __getitem__(self, i):
    ...         return i, i * i
    ...
    ...     def __len__(self):
    ...         return 5
    >>> for x, y in DataLoader(Squares(), batch_size=3):
    ...     print(x, y)
    tensor([0, 1, 2]) tensor([0, 1, 4])
    tensor([3, 4]) tensor([ 9, 16])
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other):
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """Samples that come one after another; subclasses write ``__iter__``.

    Each worker of a :class:`DataLoader` goes through a copy of its own, so that with n workers
    all samples come n times, unless ``__iter__`` asks :func:`get_worker_info` for its share.

    ``a + b`` runs through one and then the other.
    """

    def __iter__(self):
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")

    def __add__(self, other):
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample i is the tuple of the rows i of some tensors.

    A :class:`DataLoader` with the default ``collate_fn`` takes all rows of a batch at once.

    Args:
        tensors: tensors with first dimensions of one size.

    Raises:
        TypeError: one of them is no tensor.
        AssertionError: their first sizes differ.

    >>> import tensorgrad
    >>> data = tensorgrad.utils.data.TensorDataset(tensorgrad.arange(3), tensorgrad.ones(3))
    >>> len(data), data[1]
    (3, (tensor(1), tensor(1.)))
    """

    def __init__(self, *tensors):
        for t in tensors:
            if not isinstance(t, Tensor):
                raise TypeError(
                    f"TensorDataset holds Tensors, got {type(t).__name__}; "
                    "use tensorgrad.from_numpy or tensorgrad.tensor"
                )
        sizes = [t._array.shape[0] for t in tensors]
        if len(set(sizes)) > 1:
            raise AssertionError(f"Size mismatch between tensors: their first sizes are {sizes}")
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple(t[index] for t in self.tensors)

    def __len__(self):
        return self.tensors[0]._array.shape[0]


class StackDataset(Dataset[T_co]):
    """Datasets side by side: sample i is the tuple (or the dict) of their samples i.

    Args:
        args: datasets of one length, for tuples.
        kwargs: or named ones, for dicts.

    Raises:
        ValueError: both kinds are given, or none, or their lengths differ.

    >>> from tensorgrad.utils.data import StackDataset
    >>> StackDataset(x=range(3), y="abc")[1]
    {'x': 1, 'y': 'b'}
    """

    def __init__(self, *args, **kwargs):
        if bool(args) == bool(kwargs):
            raise ValueError(
                "StackDataset takes datasets either by position or by name, got "
                f"{len(args)} and {len(kwargs)}"
            )
        self.datasets = args or kwargs
        sizes = [len(d) for d in self._columns()]
        if len(set(sizes)) > 1:
            raise ValueError(f"Size mismatch between datasets: their lengths are {sizes}")

    def _columns(self):
        return self.datasets.values() if isinstance(self.datasets, dict) else self.datasets

    def __getitem__(self, index):
        sample = [d[index] for d in self._columns()]
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, sample, strict=True))
        return tuple(sample)

    def __getitems__(self, indices):
        columns = [_samples_of(d, indices) for d in self._columns()]
        samples = zip(*columns, strict=True)
        if isinstance(self.datasets, dict):
            return [dict(zip(self.datasets, sample, strict=True)) for sample in samples]
        return list(samples)

    def __len__(self):
        return len(next(iter(self._columns())))


def _samples_of(dataset, indices):
    """The samples at ``indices``, taken together where the dataset can do that."""
    if not callable(getattr(dataset, "__getitems__", None)):
        return [dataset[i] for i in indices]
    samples = dataset.__getitems__(indices)
    if len(samples) != len(indices):
        raise ValueError(
            f"Nested dataset's output size mismatch: its __getitems__ was asked for "
            f"{len(indices)} samples and returned {len(samples)}"
        )
    return samples


class ConcatDataset(Dataset[T_co]):
    """Datasets one after another.

    Args:
        datasets: at least one, each with a length.

    Attributes:
        datasets: them, as a list.
        cumulative_sizes: where each of them ends.

    Raises:
        AssertionError: there is none, or one is an :class:`IterableDataset`.

    >>> from tensorgrad.utils.data import ConcatDataset
    >>> both = ConcatDataset(["ab", "cde"])
    >>> len(both), both[2], both[-1]
    (5, 'c', 'e')
    """

    @staticmethod
    def cumsum(sequence):
        """The running sums of the lengths of some datasets."""
        return list(itertools.accumulate(len(d) for d in sequence))

    def __init__(self, datasets):
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise AssertionError(
                "ConcatDataset does not support IterableDataset; use ChainDataset"
            )
        self.cumulative_sizes = self.cumsum(self.datasets)

    def __len__(self):
        return self.cumulative_sizes[-1]

    @property
    def cummulative_sizes(self):
        """An old misspelling."""
        warnings.warn(
            "`cummulative_sizes` attribute is renamed to `cumulative_sizes`",
            FutureWarning,
            stacklevel=2,
        )
        return self.cumulative_sizes

    def __getitem__(self, idx):
        if idx < 0:
            if -idx > len(self):
                raise ValueError(
                    f"absolute value of index should not exceed dataset length, got {idx} of "
                    f"{len(self)}"
                )
            idx += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, idx)
        if which == len(self.datasets):
            raise IndexError(f"index {idx} is out of range for {len(self)} samples")
        return self.datasets[which][idx - (self.cumulative_sizes[which - 1] if which else 0)]


class ChainDataset(IterableDataset[T_co]):
    """Iterable datasets one after another.

    Args:
        datasets: any number of :class:`IterableDataset`.

    Raises:
        AssertionError: on use, that one of them is something else.
    """

    def __init__(self, datasets):
        self.datasets = datasets

    def _checked(self):
        for d in self.datasets:
            if not isinstance(d, IterableDataset):
                raise AssertionError(
                    f"ChainDataset only supports IterableDataset, got {type(d).__name__}"
                )
            yield d

    def __iter__(self):
        for d in self._checked():
            yield from d

    def __len__(self):
        return sum(len(d) for d in self._checked())


class Subset(Dataset[T_co]):
    """The samples of a dataset at some indices.

    Args:
        dataset: the whole.
        indices: a sequence of indices into it.

    Raises:
        NotImplementedError: a subclass overrides ``__getitem__`` and not ``__getitems__``,
            by which a :class:`DataLoader` would pass its samples by.

    >>> from tensorgrad.utils.data import Subset
    >>> part = Subset("abcdef", [5, 0])
    >>> len(part), part[0]
    (2, 'f')
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices
        own = type(self)
        if (
            own.__getitem__ is not Subset.__getitem__
            and own.__getitems__ is Subset.__getitems__
        ):
            raise NotImplementedError(
                f"{own.__name__} overrides __getitem__ but not __getitems__, which a DataLoader "
                "calls; write it too, for instance as [self[i] for i in indices]"
            )

    def __getitem__(self, idx):
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices):
        whole = [self.indices[i] for i in indices]
        if callable(getattr(self.dataset, "__getitems__", None)):
            return self.dataset.__getitems__(whole)
        return [self.dataset[i] for i in whole]

    def __len__(self):
        return len(self.indices)


def random_split(dataset, lengths, generator=None):
    """Cut a dataset into subsets of random samples that do not overlap.

    The same generator state gives the split that it gives in PyTorch.

    Args:
        dataset: anything with a length and indices.
        lengths: of the subsets; they sum up to the length of the dataset. Or fractions that
            sum up to 1: each is rounded down, and what is left goes to the first subsets.
        generator: source of randomness, the default generator if None.

    Raises:
        ValueError: the lengths have another sum, or a fraction is not in [0, 1].

    >>> import tensorgrad
    >>> g = tensorgrad.Generator().manual_seed(0)
    >>> train, test = tensorgrad.utils.data.random_split(range(10), [0.8, 0.2], generator=g)
    >>> len(train), list(test)
    (8, [6, 2])
    """
    n = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _shares(lengths, n)
    if sum(lengths) != n:
        raise ValueError(
            "Sum of input lengths does not equal the length of the input dataset! "
            f"Got {list(lengths)}, expected a sum of {n}, or fractions that sum up to 1"
        )
    order = sampling.randperm(resolve(generator), n).tolist()
    ends = itertools.accumulate(lengths)
    return [
        Subset(dataset, order[end - length : end])
        for end, length in zip(ends, lengths, strict=True)
    ]


def _shares(fractions, n):
    for i, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1, got {fraction}")
    lengths = [math.floor(n * fraction) for fraction in fractions]
    for i in range(n - sum(lengths)):
        lengths[i % len(lengths)] += 1
    for i, length in enumerate(lengths):
        if not length:
            warnings.warn(
                f"Length of split at index {i} is 0. This might result in an empty dataset.",
                stacklevel=3,
            )
    return lengths
