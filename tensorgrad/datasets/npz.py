"""NumPy's ``.npz`` archives, read without pickle and checked against what is asked for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..dtypes import dtype as Dtype
from ._arrays import check_finite

_MAGIC = b"PK\x03\x04"
_EMPTY = b"PK\x05\x06"  # an archive without members


def read_npz(
    path: str | os.PathLike,
    names: Iterable[str] | None = None,
    *,
    shapes: Mapping[str, Sequence[int | None]] | None = None,
    dtypes: Mapping[str, Any] | None = None,
    allow_nan: bool = False,
) -> dict[str, np.ndarray]:
    """Read arrays of an ``.npz`` file; no pickle is loaded.

    Args:
        path: the file.
        names: of the arrays to read, by default all of them.
        shapes: what some of them must be, None for a size that is free: ``(None, 14)``.
        dtypes: likewise: a dtype, or a kind such as ``np.floating`` or ``np.integer``.
        allow_nan: False refuses nan and infinities in what is read.

    Returns:
        The arrays by name, in the order of ``names`` or of the file, in native byte order.

    Raises:
        FileNotFoundError: no such file.
        RuntimeError: it is cut off, damaged or something else than an ``.npz`` file.
        ValueError: an array that is missing, of another shape or dtype, of Python objects, or
            with nan, whose row and column the message names (from 0).

    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/a.npz", x=np.ones((2, 3)), y=np.array([0, 1]))
    ...     arrays = read_npz(f"{folder}/a.npz", shapes={"x": (None, 3)}, dtypes={"y": np.integer})
    >>> {name: array.shape for name, array in arrays.items()}
    {'x': (2, 3), 'y': (2,)}
    """
    path = os.fspath(path)
    shapes, dtypes = dict(shapes or {}), dict(dtypes or {})
    with open(path, "rb") as file:
        _check_archive(path, file)
        with _told(path):
            archive = np.load(file, allow_pickle=False)
        with archive:
            wanted = _wanted(path, archive.files, names, {*shapes, *dtypes})
            arrays = {name: _member(path, archive, name) for name in wanted}
    for name, array in arrays.items():
        _check(f"{path}, array {name!r}", array, shapes.get(name), dtypes.get(name))
        if not allow_nan:
            check_finite(array, f"{path}, array {name!r}")
    return arrays


@contextlib.contextmanager
def _told(place):
    """Say where, when a block comes upon a damage: all that zipfile and NumPy raise for one."""
    import struct
    import zipfile
    import zlib

    try:
        yield
    except (
        zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError,
    ) as error:  # fmt: skip
        raise RuntimeError(f"{place} is damaged: {error}; fetch or write it again") from error


def _check_archive(path, file):
    import zipfile

    whole = zipfile.is_zipfile(file)
    file.seek(0)
    start = file.read(8)
    file.seek(0)
    if not start.startswith((_MAGIC, _EMPTY)):
        hint = " (one array: read it with numpy.load)" if start[1:6] == b"NUMPY" else ""
        raise RuntimeError(
            f"{path} is not an .npz file: it should begin with {_MAGIC.hex(' ')}, found "
            f"{start[:4].hex(' ') or 'nothing'}{hint}"
        )
    if not whole:
        raise RuntimeError(f"{path} is cut off: it has no directory; fetch or write it again")


def _wanted(path, held, names, asked):
    wanted = held if names is None else [names] if isinstance(names, str) else list(names)
    missing = sorted({*wanted, *asked} - set(held))
    if missing:
        raise ValueError(f"{path} holds no array {missing[0]!r}; it holds {', '.join(held)}")
    if unread := sorted(asked - set(wanted)):
        raise ValueError(f"shapes or dtypes name {unread[0]!r}, which names leaves out")
    return wanted


def _member(path, archive, name):
    place = f"{path}, array {name!r}"
    with _told(place):
        try:
            array = archive[name]
        except ValueError as error:
            array = None
            if "Object arrays" not in str(error):
                raise
    if array is None:
        raise ValueError(
            f"{place} holds Python objects, which would have to be unpickled; write it with a "
            "numeric or text dtype"
        )
    if not isinstance(array, np.ndarray):
        raise RuntimeError(f"{place} is no array (.npy)")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _check(place, array, shape, dtype):
    if shape is not None:
        shape = tuple(shape)
        fits = len(shape) == array.ndim and all(
            size in (None, own) for size, own in zip(shape, array.shape, strict=True)
        )
        if not fits:
            raise ValueError(f"{place}: expected shape {shape}, got {array.shape}")
    if dtype is not None:
        dtype = dtype.numpy if isinstance(dtype, Dtype) else dtype
        if not np.issubdtype(array.dtype, dtype):
            expected = getattr(dtype, "__name__", dtype)
            raise ValueError(f"{place}: expected {expected}, got {array.dtype}")
