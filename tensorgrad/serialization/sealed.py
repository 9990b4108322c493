"""Files that prove to be whole: what ``save`` writes, with a checksum over all of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import Any

from . import checkpoint
from .files import name_of, open_to_read
from .safetensors import read_stream, write_safetensors

__all__ = ["load_sealed", "save_sealed"]

SEAL = "sha256"  # our entry in the metadata


def save_sealed(obj: Any, path: str | os.PathLike) -> None:
    """Save ``obj`` as ``tensorgrad.save`` does, with its SHA-256; the file survives a power cut.

    The path is replaced in one step, and the folder's entry is flushed to the disk too.

    Raises:
        TypeError, ValueError: something in ``obj`` cannot be saved.
        OSError: the system could not write; the path is as it was.
    """
    structure, arrays = checkpoint.describe(obj)
    text = json.dumps(structure, separators=(",", ":"))
    metadata = {checkpoint.STRUCTURE: text, SEAL: _digest(text, arrays)}
    write_safetensors(path, arrays, metadata)
    _sync_folder(os.path.dirname(os.path.abspath(path)))


def load_sealed(path: str | os.PathLike) -> Any:
    """Load what :func:`save_sealed` wrote.

    Raises:
        RuntimeError: the file is cut short or altered, or was not written by it; the message names
            the file.
        OSError: the system could not read.
    """
    with open_to_read(path) as stream:
        arrays, metadata = read_stream(stream, name_of(path))
    text, seal = metadata.get(checkpoint.STRUCTURE), metadata.get(SEAL)
    if text is None or seal is None:
        raise RuntimeError(f"{name_of(path)}: it has no checksum; it is no checkpoint")
    if seal != _digest(text, arrays):
        raise RuntimeError(f"{name_of(path)}: the checksum does not fit; the file was altered")
    return checkpoint.rebuild(json.loads(text), arrays)


def _digest(text, arrays):
    """The SHA-256 of the description and of each array: its name, dtype, shape and values."""
    sha = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name].astype(arrays[name].dtype.newbyteorder("<"), order="C", copy=False)
        sha.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        sha.update(array.reshape(-1).view("u1"))
    return sha.hexdigest()


def _sync_folder(folder):
    """Flush the names in a folder to the disk; where the system cannot, the rename must do."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
