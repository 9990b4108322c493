"""PyTorch's older tensor types: ``torch.FloatTensor`` and its kin, and what goes with them.

A legacy type is a name for a dtype: calling it makes a plain tensor of that dtype, and
``isinstance`` asks for the dtype. ``torch.tensor(data, dtype=...)`` says the same plainly.

>>> import tensorgrad as torch
>>> torch.FloatTensor([1, 2])
tensor([1., 2.])
>>> isinstance(torch.tensor([1, 2]), torch.LongTensor)
True
"""

from __future__ import annotations

import warnings

import numpy as np

from . import _device, creation, dtypes
from ._graph import Tensor, wrap

_NAMES = {
    "HalfTensor": dtypes.float16, "FloatTensor": dtypes.float32, "DoubleTensor": dtypes.float64,
    "CharTensor": dtypes.int8, "ShortTensor": dtypes.int16, "IntTensor": dtypes.int32,
    "LongTensor": dtypes.int64, "ByteTensor": dtypes.uint8, "BoolTensor": dtypes.bool_,
}  # fmt: skip


class tensortype(type):
    """The type of the legacy tensor types."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __call__(cls, *args, size=None, device=None):
        _device.check(device)
        args = args if size is None else (creation.size_type(size),)
        return make(args, cls.dtype, f"torch.{cls.__name__}")

    def __repr__(cls):
        return f"<class 'torch.{cls.__name__}'>"


def make(args, dtype, name):
    """A tensor of ``dtype`` from the arguments of a legacy constructor.

    Raises:
        TypeError: a tensor of another dtype, a number that is no size, or no numbers at all.
    """
    array = creation.legacy_array(args, dtype, name)
    return wrap(array)


def _type(name, dtype):
    members = {
        "dtype": dtype, "is_cuda": False, "is_sparse": False, "layout": "torch.strided",
        "__doc__": f"Makes tensors of {dtype}: from sizes (uninitialised), data, or nothing.",
    }  # fmt: skip
    return tensortype(name, (), members)


globals().update({name: _type(name, d) for name, d in _NAMES.items()})
OF_DTYPE = {d: globals()[name] for name, d in _NAMES.items()}


def set_default_tensor_type(t):
    """Set the default dtype by a legacy type or its name; deprecated in PyTorch too.

    Raises:
        TypeError: ``t`` is no floating-point legacy type.

    >>> import tensorgrad as torch
    >>> torch.set_default_tensor_type(torch.DoubleTensor)
    >>> torch.zeros(1).dtype
    torch.float64
    >>> torch.set_default_tensor_type("torch.FloatTensor")
    """
    if isinstance(t, str):
        found = _NAMES.get(t.removeprefix("torch."))
        if found is None or not t.startswith("torch."):
            raise TypeError(f"invalid type object: {t!r}; expected such as 'torch.FloatTensor'")
    elif isinstance(t, tensortype):
        found = t.dtype
    else:
        raise TypeError(f"invalid type object: {t!r}; expected such as torch.FloatTensor")
    dtypes.set_default_dtype(found)


def range(
    start=0, end=None, step=1, *, out=None, dtype=None, layout=None, device=None,
    requires_grad=False,
):  # fmt: skip
    """Numbers from ``start`` to ``end``, which is included, as floats. Deprecated: see ``arange``.

    Raises:
        RuntimeError: the step is zero or leads away from ``end``.
    """
    warnings.warn(
        "torch.range is deprecated: unlike Python's range it includes the end; use torch.arange",
        UserWarning, stacklevel=2,
    )  # fmt: skip
    if end is None:
        raise TypeError("range() missing required argument 'end'")
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError(
            f"upper bound and lower bound inconsistent with step sign: {start}, {end}, {step}"
        )
    n = int((end - start) / step) + 1
    array = (start + step * np.arange(n)).astype(dtypes.to_numpy(dtype))
    return creation.finish(array, requires_grad, device, out)


def typename(obj, /):
    """The name of the type of ``obj``: ``"torch.FloatTensor"`` for a tensor.

    >>> import tensorgrad as torch
    >>> torch.typename(torch.zeros(1))
    'torch.FloatTensor'
    """
    if isinstance(obj, Tensor):
        return obj.type()
    if isinstance(obj, tensortype):
        return f"torch.{obj.__name__}"
    if hasattr(obj, "__qualname__"):
        module, name = getattr(obj, "__module__", None), obj.__qualname__
    else:
        module, name = obj.__class__.__module__, obj.__class__.__qualname__
    return name if module in (None, "", "builtins") else f"{module}.{name}"


def _assert(condition, message):
    """Raise AssertionError with ``message`` unless ``condition`` holds."""
    assert condition, message


def set_default_device(device):
    """Set where new tensors are made: the CPU, the only place there is; None is the default.

    Raises:
        RuntimeError: another kind of device.
    """
    _device.check(device)


def get_default_device():
    """Where new tensors are made: ``device("cpu")``."""
    return _device.CPU


def is_nonzero(input):
    """Whether the only element of ``input`` is not zero.

    Raises:
        RuntimeError: there is not one element.
    """
    if input.numel() != 1:
        what = "no values" if input.numel() == 0 else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {what} is ambiguous")
    return bool(input)


__all__ = [
    *_NAMES, "get_default_device", "is_nonzero", "range", "set_default_device",
    "set_default_tensor_type", "typename",
]  # fmt: skip
