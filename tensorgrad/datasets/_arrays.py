"""Arrays or Tensors in, the same kind out; and the words for where a bad value stands."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from .._graph import Tensor, wrap
from ..kernels import sampling
from ..random import Generator, resolve

Data = TypeVar("Data", np.ndarray, Tensor)


def to_array(x: Any) -> np.ndarray:
    """What ``x`` holds, without a copy where it is a Tensor or an array."""
    return x._array if isinstance(x, Tensor) else np.asarray(x)


def same_kind(x: Any, array: np.ndarray) -> Any:
    """``array``, as a Tensor where ``x`` is one."""
    return wrap(array) if isinstance(x, Tensor) else array


def take(x: Any, rows: np.ndarray) -> Any:
    """The rows of ``x`` at some indices, a copy of the kind of ``x``."""
    return (x if isinstance(x, Tensor) else np.asarray(x))[rows]


def check_numbers(array: np.ndarray, name: str) -> None:
    """Refuse texts, objects and complex numbers."""
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} expects real numbers, got an array of {array.dtype}")


def check_finite(array: np.ndarray, name: str) -> None:
    """Refuse nan and infinities, naming the first one's place; rows and columns count from 0."""
    if array.dtype.kind not in "fc":
        return
    finite = np.isfinite(array)
    if not finite.all():
        place = tuple(map(int, np.unravel_index(np.argmin(finite), array.shape)))
        raise ValueError(
            f"{name}: {_words(place)} is {array[place]}; fill or drop missing values first"
        )


def _words(place):
    if len(place) > 2:
        return f"index {place}"
    return ", ".join(f"{of} {i}" for of, i in zip(("row", "column"), place, strict=False))


def check_lengths(name: str, *arrays: Any) -> int:
    """The common number of rows, which is at least 1."""
    shapes = [np.shape(to_array(x)) for x in arrays]
    lengths = {shape[0] if shape else None for shape in shapes}
    if len(lengths) != 1 or None in lengths:
        raise ValueError(f"{name} expects equally many rows in each array, got shapes {shapes}")
    (length,) = lengths
    if not length:
        raise ValueError(f"{name} expects at least one row, got shapes {shapes}")
    return length


def source(seed: int | None, generator: Generator | None) -> Generator:
    """The generator that ``seed=`` or ``generator=`` names; the default one if neither does."""
    if seed is None:
        return resolve(generator)
    if generator is not None:
        raise ValueError("pass seed or generator, not both")
    return Generator().manual_seed(seed)


def order_of(count: int, generator: Generator) -> np.ndarray:
    """A random order of ``count`` rows, int64."""
    return sampling.randperm(generator, count)
