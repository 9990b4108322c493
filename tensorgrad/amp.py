"""Mixed precision, passed through: everything is computed in the dtype that it has.

float16 is slower than float32 on a CPU under NumPy, so autocast changes nothing and
GradScaler scales by 1: a script written for both gives float32's results.

>>> import tensorgrad as torch
>>> with torch.autocast("cpu", dtype=torch.float16):
...     (torch.ones(2) @ torch.ones(2)).dtype
torch.float32
"""

from __future__ import annotations

from . import dtypes
from ._absent import Passing

__all__ = [
    "GradScaler", "autocast", "autocast_decrement_nesting", "autocast_increment_nesting",
    "clear_autocast_cache", "custom_bwd", "custom_fwd", "get_autocast_cpu_dtype",
    "get_autocast_dtype", "get_autocast_gpu_dtype", "is_autocast_available",
    "is_autocast_cache_enabled", "is_autocast_cpu_enabled", "is_autocast_enabled",
    "set_autocast_cache_enabled", "set_autocast_cpu_dtype", "set_autocast_cpu_enabled",
    "set_autocast_dtype", "set_autocast_enabled", "set_autocast_gpu_dtype",
]  # fmt: skip

# Kind of device -> the dtype that a script set for it, or PyTorch's first one.
_dtypes = {"cpu": dtypes.bfloat16, "cuda": dtypes.float16}
_cache, _nesting = True, 0


class autocast(Passing):
    """A context manager and decorator without effect.

    Args:
        device_type: as in PyTorch.
        dtype: not used.
        enabled: not used.
        cache_enabled: not used.
    """

    def __init__(self, device_type="cpu", dtype=None, enabled=True, cache_enabled=None):
        super().__init__()


def is_autocast_available(device_type: str) -> bool:
    """False: nothing is cast."""
    return False


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """False, within ``autocast`` too: nothing is cast."""
    return False


def is_autocast_cpu_enabled() -> bool:
    """False."""
    return False


def set_autocast_enabled(*args) -> None:
    """Nothing; takes ``(device_type, enabled)`` or ``(enabled)``."""
    if not 1 <= len(args) <= 2 or not isinstance(args[-1], bool):
        raise TypeError(f"set_autocast_enabled() takes (device_type, enabled), got {args!r}")


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """Nothing."""


def get_autocast_dtype(device_type: str):
    """The dtype last set for the kind of device; nothing is cast to it.

    Raises:
        RuntimeError: an unknown kind of device.
    """
    if device_type not in _dtypes:
        raise RuntimeError(f"unsupported scalarType for autocast on {device_type!r}")
    return _dtypes[device_type]


def set_autocast_dtype(device_type: str, dtype) -> None:
    """Remember ``dtype`` for the kind of device; nothing is cast to it."""
    get_autocast_dtype(device_type)
    _dtypes[device_type] = dtype


def get_autocast_cpu_dtype():
    """``get_autocast_dtype("cpu")``."""
    return _dtypes["cpu"]


def get_autocast_gpu_dtype():
    """``get_autocast_dtype("cuda")``."""
    return _dtypes["cuda"]


def set_autocast_cpu_dtype(dtype) -> None:
    """``set_autocast_dtype("cpu", dtype)``."""
    _dtypes["cpu"] = dtype


def set_autocast_gpu_dtype(dtype) -> None:
    """``set_autocast_dtype("cuda", dtype)``."""
    _dtypes["cuda"] = dtype


def is_autocast_cache_enabled() -> bool:
    """What :func:`set_autocast_cache_enabled` was given; True at first. There is no cache."""
    return _cache


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Remember ``enabled``; there is no cache."""
    global _cache
    _cache = bool(enabled)


def clear_autocast_cache() -> None:
    """Nothing: there is no cache."""


def autocast_increment_nesting() -> int:
    """Count one more and return the count; no effect."""
    global _nesting
    _nesting += 1
    return _nesting


def autocast_decrement_nesting() -> int:
    """Count one less and return the count; no effect."""
    global _nesting
    _nesting -= 1
    return _nesting


def custom_fwd(fwd=None, *, device_type="cpu", cast_inputs=None):
    """Decorator of a Function's forward; returns it unchanged."""
    return fwd if fwd is not None else lambda fwd: fwd


def custom_bwd(bwd=None, *, device_type="cpu"):
    """Decorator of a Function's backward; returns it unchanged."""
    return bwd if bwd is not None else lambda bwd: bwd


class GradScaler:
    """Scales a loss by 1: the calls of a mixed-precision loop, doing the plain thing.

    Args:
        device: as in PyTorch.
        init_scale: not used, as the other arguments.
        growth_factor: not used.
        backoff_factor: not used.
        growth_interval: not used.
        enabled: not used.

    >>> import tensorgrad as torch
    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> sgd, scaler = torch.optim.SGD([w], lr=0.5), torch.amp.GradScaler()
    >>> scaler.scale((w * w).sum()).backward()
    >>> scaler.step(sgd)
    >>> scaler.update()
    >>> w.tolist()
    [0.0]
    """

    def __init__(
        self, device="cuda", init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5,
        growth_interval=2000, enabled=True,
    ):  # fmt: skip
        pass

    def scale(self, outputs):
        """``outputs`` itself."""
        return outputs

    def unscale_(self, optimizer) -> None:
        """Nothing: gradients are not scaled."""

    def step(self, optimizer, *args, **kwargs):
        """``optimizer.step(...)``."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale=None) -> None:
        """Nothing."""

    def get_scale(self) -> float:
        """1.0."""
        return 1.0

    def is_enabled(self) -> bool:
        """False."""
        return False

    def state_dict(self) -> dict:
        """Empty, as a disabled scaler's in PyTorch."""
        return {}

    def load_state_dict(self, state_dict) -> None:
        """Nothing."""
