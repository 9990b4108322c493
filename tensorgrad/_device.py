"""The device object. There is one device, the CPU; scripts name it, so it has PyTorch's form."""

from __future__ import annotations


class device:
    """Where a tensor lives: ``device("cpu")``, the only one.

    Raises:
        RuntimeError: another kind of device is named.

    >>> import tensorgrad
    >>> tensorgrad.device("cpu")
    device(type='cpu')
    """

    __slots__ = ("index", "type")

    def __init__(self, type="cpu", index=None):
        if isinstance(type, device):
            self.type, self.index = type.type, type.index
            return
        kind, _, number = str(type).partition(":")
        if kind != "cpu" or number not in ("", "0"):
            raise RuntimeError(
                f"tensorgrad computes on the CPU only, got device {str(type)!r}; "
                'use torch.device("cpu"), or choose by torch.cuda.is_available()'
            )
        self.type = "cpu"
        self.index = int(number) if number else index

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
    """Accept None and every name of the CPU; refuse the rest, see :class:`device`."""
    if where is not None and where is not CPU and where != "cpu":
        device(where)
