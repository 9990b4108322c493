"""Run a script as one process of several: ``mpiexec -n 8 python -m tensorgrad.distributed s.py``.

What it adds to running the script itself:

- the cores of the node are shared out to its processes, and each uses as many threads for
  matrix products as it has cores (PyTorch's ``OMP_NUM_THREADS``, if set, is left as it is);
- ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK`` and ``LOCAL_WORLD_SIZE`` are set, which scripts read;
- an exception that nobody catches ends all processes, this one's traceback first.
"""

from __future__ import annotations

import os
import runpy
import sys

from .environment import end_all, launched

_READY = "TENSORGRAD_DISTRIBUTED_READY"  # set once the environment is as it should be
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def share_of(cores: list, size: int, rank: int) -> list:
    """The cores of process ``rank`` of ``size``: neighbours, and all used; shared if too few.

    >>> share_of([0, 1, 2, 3, 4], 2, 0), share_of([0, 1, 2, 3, 4], 2, 1), share_of([0], 2, 1)
    ([0, 1], [2, 3, 4], [0])
    """
    if len(cores) < size:
        return [cores[rank % len(cores)]]
    return cores[rank * len(cores) // size : (rank + 1) * len(cores) // size]


def pin(local_size: int, local_rank: int) -> int:
    """Keep this process on its share of the node's cores; returns how many those are."""
    if not hasattr(os, "sched_getaffinity"):  # macOS, Windows
        return max(1, (os.cpu_count() or 1) // local_size)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < (os.cpu_count() or 1):
        return len(cores)  # mpiexec or the batch system has bound it already
    mine = share_of(cores, local_size, local_rank)
    os.sched_setaffinity(0, mine)
    return len(mine)


def prepare() -> None:
    """Set what scripts and libraries read, and start Python again: they read it only then."""
    size, rank, local_size, local_rank = launched()
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(local_rank),
        LOCAL_WORLD_SIZE=str(local_size),
    )  # fmt: skip
    os.environ[_READY] = "1"
    if size == 1:
        return
    threads = str(pin(local_size, local_rank))
    for name in _THREADS:
        os.environ.setdefault(name, threads)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def run(argv: list) -> None:
    """Run the script ``argv[0]``, or with ``-m`` a module, as ``__main__``."""
    if not argv or argv[0] in ("-h", "--help"):
        print(__doc__.strip())
        raise SystemExit(0 if argv else 2)
    module = argv[0] == "-m"
    if module and len(argv) < 2:
        raise SystemExit("error: -m needs the name of a module")
    if not module and not os.path.isfile(argv[0]):
        raise SystemExit(f"error: there is no script {argv[0]}")
    sys.argv = argv[1:] if module else argv
    if module:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(argv[0]))
        runpy.run_path(argv[0], run_name="__main__")


def main() -> None:
    """Prepare, run, and on an uncaught exception end all processes."""
    if os.environ.get(_READY) is None:
        prepare()
    try:
        run(sys.argv[1:])
    except SystemExit as error:
        if launched()[0] > 1 and error.code not in (None, 0):
            if not isinstance(error.code, int):
                print(error.code, file=sys.stderr)
            end_all(type(error), error, error.__traceback__)
        raise
    except BaseException as error:
        if launched()[0] == 1:
            raise
        end_all(type(error), error, error.__traceback__)


if __name__ == "__main__":
    main()
