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
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "get_num_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_num_threads",
    "set_warn_always",
    "use_deterministic_algorithms",
]

_warns_always = False
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
    return _threads_of(_blas())


def _threads_of(blas):
    threads = [pool["num_threads"] for pool in blas.info()] if blas else []
    if threads:
        return max(threads)
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def set_num_threads(threads: int) -> None:
    """Set the threads of matrix products, where the package threadpoolctl is installed.

    It comes with the extra ``tensorgrad[threads]``. Without it the setting has no effect: set
    OMP_NUM_THREADS before Python starts.

    Raises:
        RuntimeError: not a positive integer.
    """
    if isinstance(threads, bool) or not isinstance(threads, int):
        raise RuntimeError(f"set_num_threads expects an int, but got {type(threads).__name__}")
    if threads < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer, got {threads}")
    blas = _blas()
    for library in blas.lib_controllers if blas else ():
        # From 3.8 on threadpoolctl lets no other thread than the one that has set it set it again.
        release = getattr(library, "clear_controlling_thread", lambda force: None)
        release(force=True)
        library.set_num_threads(threads)
        release(force=True)


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


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """False: there is nothing to warn of."""
    return False


def set_deterministic_debug_mode(debug_mode) -> None:
    """Nothing: see :func:`use_deterministic_algorithms`.

    Args:
        debug_mode: "default", "warn" or "error", or 0, 1 or 2.

    Raises:
        RuntimeError: another mode.
        TypeError: neither a string nor an integer.
    """
    if not isinstance(debug_mode, str | int):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode).__name__}")
    if debug_mode not in ("default", "warn", "error", 0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected 'default', 'warn', 'error', 0, 1 or 2, but "
            f"got {debug_mode!r}"
        )


def get_deterministic_debug_mode() -> int:
    """2, the strictest: all algorithms are deterministic."""
    return 2


def set_warn_always(b: bool, /) -> None:
    """Remember ``b``; no effect: Python's warning filters decide how often a warning is shown.

    Raises:
        RuntimeError: no bool.
    """
    global _warns_always
    if not isinstance(b, bool):
        raise RuntimeError(f"set_warn_always expects a bool, but got {type(b).__name__}")
    _warns_always = b


def is_warn_always_enabled() -> bool:
    """What :func:`set_warn_always` was given; False at first."""
    return _warns_always


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
