"""Exchange of memory with other array libraries, under PyTorch's names."""

from __future__ import annotations

from .._graph import Tensor
from ..creation import from_dlpack

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Tensor):
    """The memory of ``tensor`` as a DLPack capsule.

    Raises:
        BufferError: the tensor requires grad.
    """
    return tensor.__dlpack__()
