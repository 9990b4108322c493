"""The device object. There is one device, the CPU; scripts name it, so it has PyTorch's form."""

from __future__ import annotations

from ._absent import NO_GPU
from .errors import NoDeviceError

KINDS = ("cpu", "cuda", "mps", "xpu", "xla", "mtia", "hpu", "ipu", "vulkan", "meta")


class device:
    """Where a tensor lives: ``device("cpu")``.

    Other devices that PyTorch knows can be named, as in ``device("cuda", 0)``; whatever is asked
    to put a tensor there raises.

    Raises:
        RuntimeError: no such kind of device.

    >>> import tensorgrad
    >>> tensorgrad.device("cpu")
    device(type='cpu')
    >>> tensorgrad.device("cuda:1").index
    1
    """

    __slots__ = ("index", "type")

    def __init__(self, type="cpu", index=None):
        if isinstance(type, device):
            self.type, self.index = type.type, type.index
            return
        if isinstance(type, int):
            raise NoDeviceError(f"device({type!r}) is an accelerator by its number: {NO_GPU}")
        kind, colon, number = str(type).partition(":")
        if kind not in KINDS or (colon and not number.isdigit()):
            raise RuntimeError(f"expected one of {', '.join(KINDS)} as a device, got {str(type)!r}")
        if colon and index is not None:
            raise RuntimeError(f"the device {type!r} has an index already; got index={index} too")
        self.type = kind
        self.index = int(number) if number else index

    def __enter__(self):
        """Make the tensors of the block here, which is where they are made anyway."""
        return self

    def __exit__(self, *error):
        return None

    def __eq__(self, other):
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self):
        return hash((self.type, self.index))

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self):
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"


CPU = device("cpu")


def check(where) -> None:
    """Accept None and every name of the CPU.

    Raises:
        NoDeviceError: another device.
        RuntimeError: no device at all.
    """
    if where is not None and where is not CPU and where != "cpu":
        if device(where).type != "cpu":
            raise NoDeviceError(f"{NO_GPU}; got device {str(where)!r}")
