"""Parameter: a leaf tensor that a Module registers and optimizers update."""

from __future__ import annotations

import numpy as np

from tensorgrad import Tensor, dtypes
from tensorgrad._device import check as check_device
from tensorgrad._graph import LEAF


class Parameter(Tensor):
    """A tensor that, assigned to an attribute of a Module, becomes one of its parameters.

    Args:
        data: the tensor whose memory it takes; None for an empty one.
        requires_grad: whether it trains (True).

    >>> import tensorgrad as torch
    >>> torch.nn.Parameter(torch.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data=None, requires_grad=True):
        if data is None:
            array = np.empty(0, np.float32)
        elif isinstance(data, Tensor):
            array = data._array
        else:
            raise TypeError(f"Parameter data must be a Tensor, got {type(data).__name__}")
        self._array, self._grad, self._edge = array, None, None
        if requires_grad and array.dtype.kind in "fc":
            self._edge = LEAF
        elif requires_grad:
            self.requires_grad = True  # raises, with the reason

    def __repr__(self):
        return "Parameter containing:\n" + Tensor.__repr__(self)


class Buffer(Tensor):
    """A tensor that, assigned to an attribute of a Module, becomes one of its buffers.

    Args:
        data: the tensor whose memory it takes.
        persistent: whether ``state_dict`` holds it (True).
    """

    __slots__ = ()

    def __init__(self, data, *, persistent=True):
        self._array, self._grad, self._edge = data._array, None, None
        self.persistent = persistent


def is_lazy(param):
    """Whether ``param`` is a parameter or buffer that has no shape yet."""
    return isinstance(param, _Uninitialized)


class _Uninitialized:
    """A tensor that knows its dtype and not its shape; ``_array``, which all else reads, raises."""

    __slots__ = ()
    cls_to_become = Tensor

    @property
    def _array(self):
        raise ValueError(
            f"Attempted to use an {type(self).__name__}, which has no values yet: call the module "
            "with a dummy batch first"
        )

    @_array.setter
    def _array(self, array):
        _MEMORY.__set__(self, array)

    def _convert(self, fn):
        """Replace the empty array that stands for the dtype by ``fn`` of it."""
        _MEMORY.__set__(self, fn(_MEMORY.__get__(self)))

    def materialize(self, shape, device=None, dtype=None):
        """Take memory of ``shape``, whose values are arbitrary, and become an ordinary tensor.

        Args:
            shape: the sizes.
            device: the CPU.
            dtype: of the values; the one it was made with.
        """
        own = _MEMORY.__get__(self).dtype if dtype is None else dtypes.to_numpy(dtype)
        check_device(device)
        self._array = np.empty(tuple(shape), own)
        self.__class__ = self.cls_to_become

    @property
    def shape(self):
        """Raises RuntimeError: there is none yet."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer: call the module's "
            "forward with a dummy batch first. In load_state_dict this means that an uninitialized "
            "one was to be loaded into an initialized one"
        )

    @property
    def dtype(self):
        """The dtype that it will have."""
        return dtypes.of(_MEMORY.__get__(self).dtype)

    def is_floating_point(self):
        """Whether the dtype is one of floating-point numbers."""
        return self.dtype.is_floating_point

    def is_complex(self):
        """Whether the dtype is one of complex numbers."""
        return self.dtype.is_complex

    def __repr__(self):
        return f"<{type(self).__name__}>"

    def __hash__(self):
        return id(self)

    def __deepcopy__(self, memo):
        new = memo[id(self)] = type(self)(requires_grad=self.requires_grad, dtype=self.dtype)
        return new

    def __reduce_ex__(self, protocol):
        return type(self), (self.requires_grad, None, self.dtype)


_MEMORY = Tensor.__dict__["_array"]  # the slot behind the property


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter whose shape is not known yet; see :class:`tensorgrad.nn.LazyLinear`.

    It has a dtype, and can be converted and materialised. All else raises.

    Args:
        requires_grad: whether it trains (True).
        device: the CPU.
        dtype: of the values; the default float.

    Raises:
        ValueError: it is used in a computation.
        RuntimeError: its shape is asked for.

    >>> from tensorgrad import nn
    >>> weight = nn.UninitializedParameter()
    >>> weight
    <UninitializedParameter>
    >>> weight.materialize((2, 3))
    >>> weight.shape
    torch.Size([2, 3])
    """

    __slots__ = ()
    cls_to_become = Parameter

    def __init__(self, requires_grad=True, device=None, dtype=None):
        check_device(device)
        self._array, self._grad = np.empty(0, _numpy_dtype(dtype)), None
        self._edge = LEAF if requires_grad else None


class UninitializedBuffer(_Uninitialized, Buffer):
    """A buffer whose shape is not known yet; see :class:`UninitializedParameter`.

    Args:
        requires_grad: False.
        device: the CPU.
        dtype: of the values; the default float.
        persistent: whether ``state_dict`` holds it (True).
    """

    __slots__ = ()

    def __init__(self, requires_grad=False, device=None, dtype=None, persistent=True):
        check_device(device)
        self._array, self._grad = np.empty(0, _numpy_dtype(dtype)), None
        self._edge, self.persistent = LEAF if requires_grad else None, persistent


def _numpy_dtype(dtype):
    return dtypes.default_float() if dtype is None else dtypes.to_numpy(dtype)
