"""``torch.accelerator``: there is none.

>>> import tensorgrad as torch
>>> torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
'cpu'
"""

from ._absent import NO_GPU, refusing
from .errors import NoDeviceError


def is_available() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """None."""


def synchronize(device=None) -> None:
    """Nothing: every operation is finished when its call returns."""


current_device_index = refusing("torch.accelerator.current_device_index", NO_GPU, NoDeviceError)
set_device_index = refusing("torch.accelerator.set_device_index", NO_GPU, NoDeviceError)
