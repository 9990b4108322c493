"""The memory behind tensors, as one row of elements (or bytes).

>>> import tensorgrad as torch
>>> x = torch.tensor([[1, 2], [3, 4]])
>>> x.T.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
True
>>> x[1].storage().tolist()
[1, 2, 3, 4]
"""

from __future__ import annotations

import numpy as np

from . import _device, dtypes
from ._graph import mark_mutated, owner_of, wrap


def _flat(array):
    """All elements of the memory that ``array`` lies in, in their order there."""
    owner = owner_of(array)
    if owner.dtype != array.dtype:
        owner = owner.reshape(-1).view(array.dtype)
    return owner.ravel(order="K")


class UntypedStorage:
    """The bytes of the memory of a tensor, shared with it.

    Args:
        size: how many bytes to make, or a sequence of them.
    """

    def __init__(self, size=0, *, device=None):
        _device.check(device)
        if isinstance(size, int):
            self._bytes = np.empty(size, np.uint8)
        else:
            self._bytes = np.array(list(size), np.uint8)
        self._owner = self._bytes

    @classmethod
    def _of(cls, array):
        self = cls.__new__(cls)
        self._owner = owner_of(array)
        self._bytes = _flat(array).view(np.uint8)
        return self

    device = property(lambda self: _device.CPU, doc="Always the CPU.")
    is_cuda = property(lambda self: False, doc="Always False.")

    def size(self):
        """The number of bytes."""
        return self._bytes.size

    nbytes = size
    __len__ = size

    def element_size(self):
        """1."""
        return 1

    def data_ptr(self):
        """Address of the first byte."""
        return self._bytes.ctypes.data

    def tolist(self):
        """The bytes as a list of ints."""
        return self._bytes.tolist()

    def __getitem__(self, index):
        got = self._bytes[index]
        return int(got) if np.ndim(got) == 0 else got.tolist()

    def __setitem__(self, index, value):
        self._bytes[index] = value
        mark_mutated(self._owner)

    def __iter__(self):
        return iter(self.tolist())

    def clone(self):
        """A copy."""
        return UntypedStorage(self._bytes.tolist())

    def is_shared(self):
        """False: no memory here is shared between processes."""
        return False

    def cpu(self):
        """This storage."""
        return self

    def __repr__(self):
        lines = "".join(f" {x}\n" for x in self.tolist())
        return f"{lines}[torch.storage.UntypedStorage(device=cpu) of size {self.size()}]"


class TypedStorage:
    """The elements of the memory of a tensor, shared with it.

    Args:
        size: how many elements to make, or a sequence of them.
        dtype: their type.
    """

    dtype = None

    def __init__(self, size=0, *, dtype=None, device=None):
        _device.check(device)
        self.dtype = self.dtype or dtype or dtypes.get_default_dtype()
        own = self.dtype.numpy
        self._elements = np.empty(size, own) if isinstance(size, int) else np.array(size, own)

    @classmethod
    def _of(cls, array):
        self = cls.__new__(cls)
        self.dtype, self._elements = dtypes.of(array.dtype), _flat(array)
        return self

    device = property(lambda self: _device.CPU, doc="Always the CPU.")
    is_cuda = property(lambda self: False, doc="Always False.")

    def size(self):
        """The number of elements."""
        return self._elements.size

    __len__ = size

    def nbytes(self):
        """The number of bytes."""
        return self._elements.nbytes

    def element_size(self):
        """Bytes of one element."""
        return self._elements.itemsize

    def data_ptr(self):
        """Address of the first element."""
        return self._elements.ctypes.data

    def tolist(self):
        """The elements as a list of numbers."""
        return self._elements.tolist()

    def __getitem__(self, index):
        if isinstance(index, slice):
            raise NotImplementedError("slices are only supported by UntypedStorage")
        return self._elements[index].item()

    def __setitem__(self, index, value):
        self._elements[index] = value
        mark_mutated(self._elements)

    def __iter__(self):
        return iter(self.tolist())

    def fill_(self, value):
        """Write ``value`` to all elements."""
        self[:] = value
        return self

    def copy_(self, source):
        """Write the elements of another storage."""
        self[:] = source._elements
        return self

    def clone(self):
        """A copy."""
        return type(self)._of(self._elements.copy())

    def untyped(self):
        """The same memory as bytes."""
        return UntypedStorage._of(self._elements)

    def is_shared(self):
        """False: no memory here is shared between processes."""
        return False

    def cpu(self):
        """This storage."""
        return self

    def type(self, dtype=None):
        """The name of the storage's type."""
        return f"torch.{_PREFIX[self.dtype]}Storage"

    def __repr__(self):
        lines = "".join(f" {x}\n" for x in self.tolist())
        return (
            f"{lines}[torch.storage.TypedStorage(dtype={self.dtype}, device=cpu) of size "
            f"{self.size()}]"
        )


_PREFIX = {
    dtypes.float16: "Half", dtypes.float32: "Float", dtypes.float64: "Double",
    dtypes.int8: "Char", dtypes.int16: "Short", dtypes.int32: "Int", dtypes.int64: "Long",
    dtypes.uint8: "Byte", dtypes.bool_: "Bool", dtypes.complex64: "ComplexFloat",
    dtypes.complex128: "ComplexDouble",
}  # fmt: skip


class _Legacy(type):
    """The type of FloatStorage and its kin: a storage belongs to one of them by its dtype."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, TypedStorage) and instance.dtype is cls.dtype

    def __call__(cls, size=0, *, device=None):
        return TypedStorage(size, dtype=cls.dtype, device=device)

    def __repr__(cls):
        return f"<class 'torch.{cls.__name__}'>"


OF_DTYPE = {
    d: _Legacy(f"{name}Storage", (), {"dtype": d, "__doc__": f"Storage of {d}."})
    for d, name in _PREFIX.items()
}
globals().update({kind.__name__: kind for kind in OF_DTYPE.values()})


def is_storage(obj, /):
    """Whether ``obj`` is a storage."""
    return isinstance(obj, UntypedStorage | TypedStorage)


def empty_strided(
    size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    """An uninitialised tensor of shape ``size`` whose elements lie ``stride`` apart.

    >>> import tensorgrad as torch
    >>> torch.empty_strided((2, 3), (1, 2)).stride()
    (1, 2)
    """
    from .creation import finish

    n = 1 + sum((k - 1) * s for k, s in zip(size, stride, strict=True)) if 0 not in size else 0
    own = dtypes.to_numpy(dtype)
    memory = np.empty(n, own)
    steps = [s * own.itemsize for s in stride]
    return finish(np.lib.stride_tricks.as_strided(memory, size, steps), requires_grad, device)


def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False):
    """A 1-d tensor on the memory of an object with Python's buffer protocol.

    Raises:
        ValueError: the buffer is empty, or ``offset`` and ``count`` do not fit.
    """
    try:
        array = np.frombuffer(buffer, dtypes.to_numpy(dtype), count, offset)
    except ValueError as error:
        raise ValueError(f"frombuffer: {error}") from None
    if not array.size:
        raise ValueError("frombuffer: the buffer and count must not be empty")
    return wrap(array).requires_grad_(requires_grad)


__all__ = [
    "TypedStorage", "UntypedStorage", "empty_strided", "frombuffer", "is_storage",
    *[kind.__name__ for kind in OF_DTYPE.values()],
]  # fmt: skip
