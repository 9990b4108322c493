"""Rows in random order, and parts of them that do not overlap: training, validation, test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..random import Generator
from ._arrays import Data, check_finite, check_lengths, order_of, source, take, to_array

_TINY = 1e-9  # below it a share is whole: 0.29 * 100 is 28.999999999999996


def shuffle(*arrays: Data, seed: int | None = None, generator: Generator | None = None) -> Any:
    """Put the rows of all arrays into one random order.

    Args:
        arrays: arrays or tensors with equally many rows.
        seed: an integer: the order depends on it alone.
        generator: source of randomness if there is no seed, by default the default generator.

    Returns:
        As many copies, each of its argument's kind; for one argument the copy itself.

    Raises:
        ValueError: different numbers of rows, no rows, or both ``seed`` and ``generator``.

    >>> import numpy as np
    >>> x, y = shuffle(np.arange(4) * 10, np.arange(4), seed=0)
    >>> sorted(y.tolist()), (x == 10 * y).all().item()
    ([0, 1, 2, 3], True)
    """
    count = check_lengths("shuffle", *arrays)
    order = order_of(count, source(seed, generator))
    shuffled = tuple(take(x, order) for x in arrays)
    return shuffled if len(arrays) > 1 else shuffled[0]


def split(
    x: Data,
    y: Data,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    *,
    stratify: Any = True,
    shuffle: bool = True,
    seed: int | None = None,
    generator: Generator | None = None,
) -> list[tuple[Data, Data]]:
    """Cut samples into parts, by default for training, validation and test.

    Every sample is in exactly one part. With ``stratify`` each class has its fraction in each
    part: rounded up or down, but at least one sample, so that a rare class is missing nowhere.

    Args:
        x: samples, an array or a tensor of (N, ...).
        y: labels or targets of (N, ...).
        fractions: of the parts, each above 0, with sum 1.
        stratify: True for the classes in ``y``, an array of N classes for others, False for
            parts of plain random samples (regression).
        shuffle: False keeps the order of the samples within each part, and gives the first
            samples to the first part.
        seed: an integer: the split depends on it alone.
        generator: source of randomness if there is no seed, by default the default generator.

    Returns:
        One pair ``(x, y)`` for each fraction: copies of the kinds of the arguments.

    Raises:
        ValueError: different numbers of rows, fractions that are no parts of a whole, a class
            with fewer samples than there are parts, or too few samples for a part.

    >>> import numpy as np
    >>> x, y = np.arange(20.0).reshape(10, 2), np.array([0, 1] * 5)
    >>> (x_train, y_train), (x_test, y_test) = split(x, y, (0.6, 0.4), seed=0)
    >>> x_train.shape, np.bincount(y_train), np.bincount(y_test)
    ((6, 2), array([3, 3]), array([2, 2]))
    """
    classes = y if isinstance(stratify, bool) else stratify
    check_lengths("split", x, y, classes)
    parts = split_indices(
        classes,
        fractions,
        stratify=stratify is not False,
        shuffle=shuffle,
        seed=seed,
        generator=generator,
    )
    return [(take(x, part), take(y, part)) for part in parts]


def split_indices(
    y: Any,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    *,
    stratify: bool = True,
    shuffle: bool = True,
    seed: int | None = None,
    generator: Generator | None = None,
) -> list[np.ndarray]:
    """Where the samples of each part are, for :class:`~tensorgrad.utils.data.Subset`.

    Arguments and errors as in :func:`split`; ``y`` are the labels, such as the ``targets`` of a
    data set. Each class is shared out by largest remainder: what the classes before it left
    owing to a part counts, so that the sizes of the parts come out right as well.

    >>> train, test = split_indices(["a", "b", "a", "b"], (0.5, 0.5), shuffle=False)
    >>> train, test
    (array([0, 1]), array([2, 3]))
    """
    count = check_lengths("split", y)
    fractions = checked_fractions(fractions, "fractions")
    generator = source(seed, generator)
    if stratify:
        classes, codes = _classes(y)
        shares = _stratified(classes, np.bincount(codes), fractions)
    else:
        codes = np.zeros(count, np.int64)
        shares = largest_remainder(count, fractions)[None]
        if not shares.all():
            parts = ", ".join(f"{fraction:g}" for fraction in fractions)
            raise ValueError(f"{count} samples are too few for parts of {parts}")
    order = order_of(count, generator) if shuffle else np.arange(count)
    by_class = np.argsort(codes[order], kind="stable")
    part_of = np.empty(count, np.int64)
    part_of[by_class] = np.repeat(np.tile(np.arange(len(fractions)), len(shares)), shares.ravel())
    return [order[part_of == part] for part in range(len(fractions))]


def checked_fractions(fractions: Sequence[float], name: str) -> np.ndarray:
    """The parts of a whole as float64: above 0, with sum 1 (up to 3e-6: 0.333333 is a third)."""
    values = np.asarray(fractions, np.float64)
    if values.ndim != 1 or not values.size or not (values > 0).all():
        raise ValueError(f"{name} should be numbers above 0, got {fractions!r}")
    if not math.isclose(values.sum(), 1, abs_tol=3e-6):
        raise ValueError(f"{name} should have the sum 1, got {fractions!r}: {values.sum():g}")
    return values / values.sum()


def largest_remainder(total: int, fractions: np.ndarray) -> np.ndarray:
    """Whole numbers with the sum ``total``, each its share rounded up or down."""
    quota = total * np.asarray(fractions, np.float64)
    return _fill_up(total, quota, np.floor(quota + _TINY).astype(np.int64), quota)


def _classes(y):
    array = to_array(y)
    if array.ndim != 1 and array.size != len(array):
        raise ValueError(
            f"stratify expects one class for each sample, got labels of shape {array.shape}; pass "
            "stratify=False, or their classes as stratify="
        )
    check_finite(array, "split")
    classes, codes = np.unique(array.reshape(-1), return_inverse=True)
    return classes, codes


def _stratified(classes, counts, fractions):
    """Samples of each class (rows) in each part (columns)."""
    rare = np.flatnonzero(counts < len(fractions))
    if rare.size:
        first = rare[0]
        raise ValueError(
            f"class {classes[first].item()!r} has {counts[first]} samples, fewer than the "
            f"{len(fractions)} parts ({len(rare)} of {len(classes)} classes have too few); join "
            "or drop rare classes, or pass stratify=False (as for continuous targets)"
        )
    owed = np.zeros(len(fractions))
    shares = np.empty((len(counts), len(fractions)), np.int64)
    for share, count in zip(shares, counts.tolist(), strict=True):
        quota = count * fractions
        share[:] = _one_class(count, quota, quota + owed)
        owed += quota - share
    return shares


def _one_class(count, quota, due):
    given = np.maximum(np.floor(quota + _TINY), 1).astype(np.int64)
    while given.sum() > count:  # a small part got its one sample: a greater part pays for it
        given[np.argmax(np.where(given > 1, given - quota, -np.inf))] -= 1
    return _fill_up(count, quota, given, due)


def _fill_up(count, quota, given, due):
    """Hand out what is left, one to a part: where the most is due of those not served in full."""
    rest = count - given.sum()
    claim = np.where(quota - given > _TINY, np.round(due - given, 9), -np.inf)
    given[np.argsort(-claim, kind="stable")[:rest]] += 1
    return given
