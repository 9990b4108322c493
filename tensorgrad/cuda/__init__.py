"""What scripts ask about CUDA, answered: there is none.

Questions are answered with no, 0 or nothing; seeding, waiting and emptying caches do nothing;
what would need a device raises ``errors.NoDeviceError`` with the reason.

>>> import tensorgrad as torch
>>> torch.device("cuda" if torch.cuda.is_available() else "cpu")
device(type='cpu')
"""

from __future__ import annotations

from .._absent import NO_GPU, Passing, refusing
from ..errors import NoDeviceError
from . import amp as amp


def is_available() -> bool:
    """False: tensorgrad computes on the CPU."""
    return False


def device_count() -> int:
    """0."""
    return 0


def is_initialized() -> bool:
    """False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False."""
    return False


def manual_seed_all(seed) -> None:
    """Nothing: there is no generator but the CPU's, see :func:`tensorgrad.manual_seed`."""


def synchronize(device=None) -> None:
    """Nothing: every operation is finished when its call returns."""


def empty_cache() -> None:
    """Nothing: arrays are freed with the tensors that hold them."""


manual_seed = manual_seed_all

_ASKS_FOR_A_DEVICE = (
    "current_device", "current_stream", "default_stream", "get_device_capability",
    "get_device_name", "get_device_properties", "get_rng_state", "init", "ipc_collect",
    "max_memory_allocated", "max_memory_reserved", "mem_get_info", "memory_allocated",
    "memory_reserved", "memory_summary", "reset_peak_memory_stats", "set_device",
    "set_rng_state", "Event", "Stream", "FloatTensor", "DoubleTensor", "HalfTensor",
    "LongTensor", "IntTensor", "ShortTensor", "CharTensor", "ByteTensor", "BoolTensor",
)  # fmt: skip
for _name in _ASKS_FOR_A_DEVICE:
    globals()[_name] = refusing(f"torch.cuda.{_name}", NO_GPU, NoDeviceError)


class device(Passing):
    """``with torch.cuda.device(i):`` does nothing."""


class stream(Passing):
    """``with torch.cuda.stream(s):`` does nothing."""


class OutOfMemoryError(RuntimeError):
    """Never raised; scripts name it in ``except``."""
