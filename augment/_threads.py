"""Blocks of images on as many threads as PyTorch's setting says."""

from __future__ import annotations

import functools

# Elements of a block, which goes through a whole pipeline before the next one does: memory does
# not grow with the batch. A block costs 0.2 ms of Python, which is as much as two crops of
# 224x224x3: so of images that are not huge there are four in one at least.
_BLOCK, _HUGE = 1 << 19, 1 << 21
# Elements from which on threads are worth their start, and the least number of blocks then.
_LARGE, _LEAST = 1 << 20, 4


def blocks_of(n, size):
    """Slices of n images of ``size`` elements."""
    size = max(size, 1)
    step = max(1, min(4, _HUGE // size), _BLOCK // size)
    if n * size >= _LARGE:
        step = min(step, -(-n // _LEAST))
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]


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

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, blocks))
