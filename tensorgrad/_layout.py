"""Names for how elements lie in memory. Each is its own text, which is also what it prints."""

from __future__ import annotations


class _Name(str):
    __slots__ = ()

    __repr__ = str.__str__

    def __reduce__(self):
        return type(self), (str(self),)


class layout(_Name):
    """How a tensor keeps its elements: ``torch.strided``, or sparse."""

    __slots__ = ()


class memory_format(_Name):
    """The order of the elements in memory, for scripts that ask for one.

    Tensors here are made in row-major order, whatever is asked for; see
    ``Tensor.is_contiguous(memory_format=...)`` for the order that one has.
    """

    __slots__ = ()


strided, sparse_coo = layout("torch.strided"), layout("torch.sparse_coo")
contiguous_format = memory_format("torch.contiguous_format")
preserve_format = memory_format("torch.preserve_format")
channels_last = memory_format("torch.channels_last")
channels_last_3d = memory_format("torch.channels_last_3d")
