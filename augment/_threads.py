"""Blocks of work on as many threads as PyTorch's setting says."""

from __future__ import annotations

# Elements from which on threads are asked for: what says how many there are takes 0.4 ms.
_LARGE = 1 << 20


def run(work, blocks, elements):
    """Call ``work`` on every block; on threads, where there is much to do.

    Threads end with the call: a DataLoader forks, and a fork beside living threads warns.
    """
    if elements >= _LARGE and len(blocks) > 1:
        from tensorgrad.settings import get_num_threads

        threads = min(get_num_threads(), len(blocks))
        if threads > 1:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(work, blocks))
            return
    for block in blocks:
        work(block)
