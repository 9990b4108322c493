"""Blocks of images on as many threads as PyTorch's setting says."""

from __future__ import annotations

import functools
import itertools
import threading

# Elements of a block, which goes through a whole pipeline before the next one does: 52 images of
# 32x32x3. Pad-crop, flip, jitter and cutout of 256 of them then take three times the memory of the
# batch, with it; of blocks of 1 << 19 they took 4.2 times, and 5 % less time. A block costs 0.2 ms
# of Python, as much as two crops of 224x224x3: so of images that are not huge there are four in
# one at least.
_BLOCK, _HUGE = 5 << 15, 1 << 21
# Elements from which on threads are worth their start, and the least number of blocks then.
_LARGE, _LEAST = 1 << 20, 4


_here = threading.local()


def blocks_of(n, size):
    """Slices of n images of ``size`` elements, as equal as can be."""
    size = max(size, 1)
    most = max(1, min(4, _HUGE // size), _BLOCK // size)
    count = -(-n // most)
    if n * size >= _LARGE:
        count = max(count, min(n, _LEAST))
    ends = [n * i // count for i in range(count + 1)] if count else []
    return [slice(*pair) for pair in itertools.pairwise(ends)]


@functools.cache
def _blas():
    """What knows the number of threads; to find it takes 0.8 ms, to ask it 7 us."""
    from tensorgrad import settings

    return settings._blas()


def _threads():
    """What ``torch.get_num_threads`` says."""
    from tensorgrad import settings

    return settings._threads_of(_blas())


def run(work, blocks, elements):
    """Call ``work`` on every block; on threads, where there is much to do.

    Threads end with the call: a DataLoader forks, and a fork beside living threads warns.
    """
    threads = min(_threads(), len(blocks)) if elements >= _LARGE and len(blocks) > 1 else 1
    if threads == 1:
        for block in blocks:
            work(block)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads, initializer=_enter) as pool:
        list(pool.map(work, blocks))


def _enter():
    _here.in_pool = True


def in_pool() -> bool:
    """Whether this thread is one of several that :func:`run` has started."""
    return getattr(_here, "in_pool", False)
