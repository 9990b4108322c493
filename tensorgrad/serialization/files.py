"""Paths and file objects: reading either, and replacing a path in one step."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from typing import BinaryIO

PathOrFile = str | bytes | os.PathLike | BinaryIO


def write_all(out, data):
    """Write all of ``data``; an unbuffered file may take it in several pieces."""
    rest = memoryview(data)
    while rest.nbytes:
        written = out.write(rest)
        rest = rest[written:] if written is not None else rest[:0]


@contextlib.contextmanager
def open_to_write(f):
    """Yield a binary file for ``f``; a path changes only when the block ends without an error."""
    if not is_path(f):
        if not hasattr(f, "write"):
            raise TypeError(f"expected a path or a binary file with write(), got {f!r}")
        yield f
        return
    path = os.path.realpath(os.fsdecode(f))
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise RuntimeError(f"parent directory {folder} does not exist; create it first")
    old = os.stat(path) if os.path.exists(path) else None
    if old is not None and not stat.S_ISREG(old.st_mode):  # a device or pipe: it must stay one
        with open(path, "wb") as out:
            yield out
        return
    temporary = os.path.join(folder, f".{os.urandom(8).hex()}.tmp")
    try:
        with open(temporary, "xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        if old is not None:
            os.chmod(temporary, stat.S_IMODE(old.st_mode))
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def is_path(f):
    """Whether ``f`` names a file."""
    return isinstance(f, str | bytes | os.PathLike)


@contextlib.contextmanager
def open_to_read(f):
    """Yield a seekable binary file for ``f``."""
    if is_path(f):
        with open(f, "rb") as stream:
            yield seekable(stream)
    elif isinstance(f, io.TextIOBase) or not hasattr(f, "read"):
        raise TypeError(f"expected a path or a file opened in binary mode, got {f!r}")
    else:
        yield seekable(f)


def seekable(stream):
    """``stream``, or all of it in memory where it cannot seek."""
    if hasattr(stream, "readinto") and hasattr(stream, "seekable") and stream.seekable():
        return stream
    return io.BytesIO(stream.read())


def name_of(f):
    """What messages call the file ``f``."""
    name = f if is_path(f) else getattr(f, "name", None)
    return os.fsdecode(name) if is_path(name) else f"<{type(f).__name__}>"
