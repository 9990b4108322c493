"""Batches on their way from a worker: a pickle through a pipe, large arrays in shared memory.

Both ends are processes of one program; nothing here reads what came from elsewhere.
"""

from __future__ import annotations

import os
import pickle
import struct

import numpy as np

# Arrays from this size on go through shared memory. Measured at the receiver, in us: 64 KB take
# 15 (25 through the pipe), 256 KB 30 (97), 2 MB 300 (1100), 10 MB 1700 (9300); 16 KB the same.
LARGE = 1 << 16

_HEAD = struct.Struct("<iI")  # which file, and how many arrays are in it


def pack(value, slot=None, file=None):
    """``value`` as bytes, less its large arrays, which are written to a file.

    Args:
        value: anything that can be pickled.
        slot: the number of the file among those that the receiver has, None to use none.
        file: its descriptor.
    """
    if slot is None:
        return _HEAD.pack(0, 0) + pickle.dumps(value, 5)
    large = []

    def stays(buffer):
        return buffer.raw().nbytes < LARGE or large.append(buffer.raw())

    data = pickle.dumps(value, 5, buffer_callback=stays)
    sizes = struct.pack(f"<{len(large)}Q", *(b.nbytes for b in large))
    position = 0
    for rest in large:
        while rest:
            written = os.pwrite(file, rest, position)
            position, rest = position + written, rest[written:]
    return _HEAD.pack(slot, len(large)) + sizes + data


def unpack(message, files):
    """What :func:`pack` was given; arrays own their memory."""
    slot, count = _HEAD.unpack_from(message)
    large, position = [], 0
    for size in struct.unpack_from(f"<{count}Q", message, _HEAD.size):
        rest = memoryview(np.empty(size, np.uint8))
        large.append(rest)
        while rest:
            read = os.preadv(files[slot], [rest], position)
            if not read:
                raise EOFError("the shared memory of a worker holds less than it said")
            position, rest = position + read, rest[read:]
    return pickle.loads(memoryview(message)[_HEAD.size + 8 * count :], buffers=large)


def shared_files(count):
    """Descriptors of files in memory for processes forked from here; none where there are none."""
    if not (hasattr(os, "memfd_create") and hasattr(os, "preadv")):
        return []
    return [os.memfd_create("tensorgrad_batch") for _ in range(count)]
