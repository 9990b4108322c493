"""Samplers: the order in which samples are visited.

With the same seed, the orders are those of PyTorch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Generic, TypeVar

import numpy as np

from ...creation import as_tensor
from ...dtypes import float64
from ...kernels import sampling
from ...random import Generator, resolve

__all__ = [
    "BatchSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler",
    "WeightedRandomSampler",
]  # fmt: skip

T_co = TypeVar("T_co", covariant=True)


def draw_seed(generator) -> int:
    """A random seed in [0, 2**63), drawn as PyTorch draws it."""
    return int(sampling.random(resolve(generator), ()))


class Sampler(Generic[T_co]):
    """An iterable of indices, or of lists of them; subclasses write ``__iter__``.

    They also write ``__len__``, where the number of indices is known.
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError("Subclasses of Sampler should implement __iter__.")


class SequentialSampler(Sampler[int]):
    """The indices 0, 1, ... of a dataset.

    Args:
        data_source: anything with a length.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """The indices of a dataset in a new random order each time, or drawn with replacement.

    Draws with replacement are made as they are needed, 32 at a time, so ``num_samples`` may
    be astronomical.

    Args:
        data_source: anything with a length.
        replacement: whether an index may come again before all others came.
        num_samples: how many indices, the length of the dataset if None. Without
            replacement, more than that run through several permutations.
        generator: source of randomness. If None, each iteration draws the seed of a
            generator of its own from the default one.

    Raises:
        TypeError: ``replacement`` is no bool.
        ValueError: ``num_samples`` is not a positive integer; so is that of an empty dataset.

    >>> import tensorgrad
    >>> _ = tensorgrad.manual_seed(0)
    >>> sorted(RandomSampler("abcde"))
    [0, 1, 2, 3, 4]
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        self.data_source, self.replacement = data_source, replacement
        self._num_samples, self.generator = num_samples, generator
        if not isinstance(replacement, bool):
            raise TypeError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            hint = "; the dataset is empty" if num_samples is None else ""
            raise ValueError(
                "num_samples should be a positive integer value, but got "
                f"num_samples={self.num_samples}{hint}"
            )

    @property
    def num_samples(self) -> int:
        """How many indices an iteration gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self):
        n, count = len(self.data_source), self.num_samples
        generator = self.generator
        if generator is None:
            generator = Generator().manual_seed(draw_seed(None))
        if self.replacement:
            for start in range(0, count, 32):
                size = min(32, count - start)
                yield from sampling.randint(generator, (size,), 0, n).tolist()
        else:
            for start in range(0, count, n):
                yield from sampling.randperm(generator, n)[: count - start].tolist()
            # PyTorch ends with a permutation of which it takes what is missing, if only nothing.
            if count % n == 0 and self.generator is not None:
                sampling.randperm(generator, n)

    def __len__(self):
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Some indices in a new random order each time.

    Args:
        indices: a sequence of them.
        generator: source of randomness, the default generator if None.

    >>> sorted(SubsetRandomSampler([3, 1, 4]))
    [1, 3, 4]
    """

    def __init__(self, indices, generator=None):
        self.indices, self.generator = indices, generator

    def __iter__(self):
        for i in sampling.randperm(resolve(self.generator), len(self.indices)).tolist():
            yield self.indices[i]

    def __len__(self):
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with given probabilities.

    Args:
        weights: of the indices 0, 1, ..., non-negative; a sequence or tensor. They need not
            sum up to 1.
        num_samples: how many indices to draw.
        replacement: whether an index may be drawn again.
        generator: source of randomness, the default generator if None.

    Raises:
        ValueError: ``num_samples`` is not a positive integer, ``replacement`` is no bool, or
            the weights have not one dimension.
        RuntimeError: on use, that weights are negative, not finite or all zero, or that there
            are fewer of them than draws without replacement.

    >>> list(WeightedRandomSampler([0.0, 1.0, 0.0], 3))
    [1, 1, 1]
    """

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        _check_positive("num_samples", num_samples)
        _check_bool("replacement", replacement)
        self.weights = as_tensor(weights, dtype=float64)
        if self.weights._array.ndim != 1:
            raise ValueError(
                "weights should be a 1d sequence but given weights have shape "
                f"{self.weights._array.shape}"
            )
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self):
        yield from sampling.multinomial(
            resolve(self.generator), self.weights._array, self.num_samples, self.replacement
        ).tolist()

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The indices of another sampler, in lists of ``batch_size``.

    Args:
        sampler: an iterable of indices.
        batch_size: how many make a batch.
        drop_last: whether to drop a last batch that is smaller.

    Raises:
        ValueError: ``batch_size`` is not a positive integer, or ``drop_last`` is no bool.

    >>> list(BatchSampler(range(7), batch_size=3, drop_last=False))
    [[0, 1, 2], [3, 4, 5], [6]]
    """

    def __init__(self, sampler, batch_size, drop_last):
        _check_positive("batch_size", batch_size)
        _check_bool("drop_last", drop_last)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self):
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self):
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)


def _check_positive(name, value):
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        hint = "; use int()" if isinstance(value, float | np.integer) else ""
        raise ValueError(
            f"{name} should be a positive integer value, but got {name}={value!r}{hint}"
        )


def _check_bool(name, value):
    if not isinstance(value, bool):
        raise ValueError(f"{name} should be a boolean value, but got {name}={value!r}")
