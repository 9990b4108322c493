"""Blocks of images, and tiles of them, on as many threads as PyTorch's setting says.

A block goes through a whole pipeline before the next one does; a tile is what one array operation
works on. On one thread both are small, for memory: what they take beside the batch and the result.
On several both are large, for the interpreter's lock: to hand it over takes 20 us, so operations
of 10 us are slower on two threads than on one. Of 64 images of 224x224x3, uint8, two threads
took this share of one's time, by the elements of a tile and the images of a block:

    tile, block               1 << 17, 4   1 << 18, 4   1 << 19, 4   1 << 19, 8   1 << 20, 8
    rotate                          0.79         0.64         0.64         0.61         0.71
    resize to half                  1.12         1.14         0.89         0.70         0.67
    crop, flip, jitter, cutout      1.03         0.96         0.84         0.68         0.63
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
from collections import deque

# Elements of a block: 52 images of 32x32x3. Pad-crop, flip, jitter and cutout of 256 of them then
# take three times the memory of the batch, with it; of blocks of 1 << 19 they took 4.2 times, and
# 5 % less time. A block costs 0.2 ms of Python, as much as two crops of 224x224x3: so of images
# that are not huge there are three in one at least.
_BLOCK, _HUGE = 5 << 15, 1 << 21
# Elements of a tile: a share of the batch, but never less or more than so many. Colour jitter of
# four images of 224x224x3 takes 0.8 of the time with the most as with the least.
_SHARE, _LEAST_TILE, _MOST_TILE = 28, 7 << 12, 1 << 18
# On threads: elements of a batch from which on they are worth their start, of a block, of a tile.
_LARGE, _BLOCK_ON_THREADS, _TILE_ON_THREADS = 1 << 20, 5 << 18, 1 << 19

_here = threading.local()


def blocks_of(n, size, threads=1):
    """Slices of n images of ``size`` elements, as equal as can be."""
    size = max(size, 1)
    if threads == 1:
        count = -(-n // max(1, min(3, _HUGE // size), _BLOCK // size))
    else:  # as many for each thread
        count = -(-n // max(1, _BLOCK_ON_THREADS // size))
        count = min(n, -(-count // threads) * threads)
    ends = [n * i // count for i in range(count + 1)] if count else []
    return [slice(*pair) for pair in itertools.pairwise(ends)]


def threads_for(elements) -> int:
    """Threads that are worth their start for a batch of so many elements."""
    return _threads() if elements >= _LARGE else 1


@functools.cache
def _blas():
    """What knows the number of threads; to find it takes 0.8 ms, to ask it 7 us."""
    from tensorgrad import settings

    return settings._blas()


def _threads():
    """What ``torch.get_num_threads`` says."""
    from tensorgrad import settings

    return settings._threads_of(_blas())


_limiting = threading.Lock()


@contextlib.contextmanager
def _blas_on_one_thread():
    """Threads of the BLAS would take the processors of ours: colour jitter took 1.7 times as long.

    Of calls that overlap the first one sets it and sets it back: another would set it back to
    what the first one had set.
    """
    if _blas() is None or not _limiting.acquire(blocking=False):
        yield
        return
    try:
        with _blas().limit(limits=1):
            yield
    finally:
        _limiting.release()


def tile(elements) -> int:
    """Elements to be worked on at a time: of ``elements``, or of what :func:`run` was given."""
    return getattr(_here, "tile", None) or _tile_of(elements)


def _tile_of(elements):
    return min(max(elements // _SHARE, _LEAST_TILE), _MOST_TILE)


def run(work, blocks, elements, threads=1):
    """Call ``work`` on every block, on so many threads.

    Threads end with the call, also with one that fails or is interrupted: a DataLoader forks, and
    a fork beside living threads warns. One takes 85 us to start and to join; a pool of two takes
    380.
    """
    todo, errors = deque(blocks), []
    size = _tile_of(elements) if threads == 1 else _TILE_ON_THREADS

    def take():
        before, _here.tile = getattr(_here, "tile", None), size
        try:
            while (rows := _next(todo)) is not None:
                work(rows)
        finally:
            _here.tile = before

    def help_out(ended):
        try:
            take()
        except BaseException as error:
            errors.append(error)
            todo.clear()
        finally:
            ended.set()

    ends = [threading.Event() for _ in range(min(threads, len(blocks)) - 1)]
    if not ends:
        return take()
    helpers = [threading.Thread(target=help_out, args=(ended,)) for ended in ends]
    with _blas_on_one_thread():
        try:
            _start(helpers)
            take()
            _join(helpers, ends)
        except BaseException:
            todo.clear()  # the others end after the block that they are at
            _join(helpers, ends)
            raise
    if errors:
        raise errors.pop()  # a list that holds it would keep the images alive by its traceback


def _start(helpers):
    """Start threads. Where the system allows no more, those that there are do all."""
    with contextlib.suppress(RuntimeError):
        for helper in helpers:
            helper.start()


def _join(helpers, ends):
    """Wait for the end of those that were started.

    After an interrupt within ``Thread.join``, Python 3.11 takes the thread for one that has ended.
    """
    for helper, ended in zip(helpers, ends, strict=True):
        if helper.ident is not None:
            ended.wait()
            helper.join()


def _next(todo):
    """What is to do next, None at the end; two threads may ask at once."""
    try:
        return todo.popleft()
    except IndexError:
        return None
