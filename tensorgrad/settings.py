"""PyTorch's process-wide switches: threads, determinism, precision.

>>> import tensorgrad as torch
>>> torch.use_deterministic_algorithms(True)  # it always is
>>> torch.are_deterministic_algorithms_enabled()
True
"""

from __future__ import annotations

import os
import warnings

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "get_num_threads",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_num_threads",
    "use_deterministic_algorithms",
]

_PRECISIONS = ("highest", "high", "medium")


def _blas():
    """The controller of the BLAS under NumPy, or None where threadpoolctl is not installed."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController().select(user_api="blas")


def get_num_threads() -> int:
    """Threads of a matrix product: what the BLAS says, or the processors of this process."""
    blas = _blas()
    threads = [pool["num_threads"] for pool in blas.info()] if blas else []
    if threads:
        return max(threads)
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def set_num_threads(threads: int) -> None:
    """Set the threads of matrix products, where the package threadpoolctl is installed.

    Without it the setting has no effect: set OMP_NUM_THREADS before Python starts.

    Raises:
        RuntimeError: not a positive integer.
    """
    if isinstance(threads, bool) or not isinstance(threads, int):
        raise RuntimeError(f"set_num_threads expects an int, but got {type(threads).__name__}")
    if threads < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer, got {threads}")
    blas = _blas()
    if blas:
        blas.limit(limits=threads)


def get_num_interop_threads() -> int:
    """1: operations run one after another."""
    return 1


def set_num_interop_threads(threads: int) -> None:
    """Nothing: operations run one after another."""


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Nothing: the same program and seed give the same numbers, always."""


def are_deterministic_algorithms_enabled() -> bool:
    """True."""
    return True


def set_float32_matmul_precision(precision: str) -> None:
    """Nothing: float32 products are computed in float32.

    Warns, as PyTorch does, of anything but "highest", "high" and "medium".
    """
    if precision not in _PRECISIONS:
        message = f"precision {precision!r} is not one of {_PRECISIONS}; the call has no effect"
        warnings.warn(message, stacklevel=2)


def get_float32_matmul_precision() -> str:
    """Always "highest"."""
    return "highest"


def set_flush_denormal(mode: bool) -> bool:
    """False: not supported; small numbers are kept."""
    return False
