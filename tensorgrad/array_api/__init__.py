"""The Python array API standard, version 2024.12, on tensors.

Libraries that are written for any array library ask a tensor for this module by
``x.__array_namespace__()``. It has the functions of the standard (https://data-apis.org/array-api)
under its names and with its arguments, where these are not PyTorch's; gradients flow through them
all. What stays PyTorch's is the tensor: ``x.size()`` is a method, and a float meeting integers
keeps its width.

>>> import tensorgrad as torch
>>> xp = torch.ones(2).__array_namespace__()
>>> xp.permute_dims(xp.asarray([[1.0, 2.0]]), (1, 0))
tensor([[1.],
        [2.]])
"""

from __future__ import annotations

import builtins
from typing import NamedTuple

import numpy as np

import tensorgrad as _torch

from .. import _device, dtypes
from .._graph import Tensor, wrap

__array_api_version__ = "2024.12"

_SAME = (
    "e", "inf", "nan", "newaxis", "pi",
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
    "complex64", "complex128", "bool",
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and",
    "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "conj",
    "copysign", "cos", "cosh", "divide", "exp", "expm1", "floor", "floor_divide", "greater",
    "greater_equal", "hypot", "imag", "isfinite", "isinf", "isnan", "less", "less_equal", "log",
    "log1p", "log2", "log10", "logaddexp", "logical_and", "logical_not", "logical_or",
    "logical_xor", "matmul", "maximum", "minimum", "moveaxis", "multiply", "negative", "nextafter",
    "not_equal", "positive", "pow", "real", "reciprocal", "remainder", "signbit", "sin", "sinh",
    "sqrt", "square", "subtract", "tan", "tanh", "trunc", "where", "broadcast_to",
)  # fmt: skip
globals().update({name: getattr(_torch, name) for name in _SAME})
bitwise_invert, equal = _torch.bitwise_not, _torch.eq

# --- dtypes -------------------------------------------------------------------------------

_KINDS = {
    "bool": "b", "signed integer": "i", "unsigned integer": "u", "integral": "iu",
    "real floating": "f", "complex floating": "c", "numeric": "iufc",
}  # fmt: skip


def _dtype_of(x):
    return x.dtype if isinstance(x, Tensor) else x


def astype(x, dtype, /, *, copy=True, device=None):
    """``x`` in another dtype; a copy even of the same one, unless ``copy=False``."""
    _device.check(device)
    return x.to(dtype, copy=copy)


def can_cast(from_, to, /):
    """Whether every value of a tensor or dtype can be stored as ``to``."""
    return np.can_cast(_dtype_of(from_).numpy, to.numpy, "safe")


def finfo(type, /):
    """Limits of a floating-point dtype, or of that of a tensor."""
    return dtypes.finfo(_dtype_of(type))


def iinfo(type, /):
    """Limits of an integer dtype, or of that of a tensor."""
    return dtypes.iinfo(_dtype_of(type))


def isdtype(dtype, kind):
    """Whether ``dtype`` is of a kind: a dtype, the name of a group, or a tuple of these.

    Raises:
        ValueError: no such group.

    >>> import tensorgrad
    >>> isdtype(tensorgrad.int8, ("integral", tensorgrad.float32))
    True
    """
    if isinstance(kind, tuple):
        return builtins.any(isdtype(dtype, k) for k in kind)
    if not isinstance(kind, str):
        return dtype == kind
    if kind not in _KINDS:
        raise ValueError(f"no kind of dtype {kind!r}; there are {', '.join(_KINDS)}")
    return dtype.numpy.kind in _KINDS[kind]


def result_type(*arrays_and_dtypes):
    """The dtype that these tensors, dtypes and numbers give together, whatever their shapes."""
    operands = [
        np.empty(1, _dtype_of(x).numpy) if isinstance(x, Tensor | dtypes.dtype) else x
        for x in arrays_and_dtypes
    ]
    return dtypes.of(dtypes.result_type(*operands))


# --- new tensors --------------------------------------------------------------------------


def arange(start, /, stop=None, step=1, *, dtype=None, device=None):
    """Numbers from ``start`` (or 0) up to, not including, ``stop``; none if it lies behind."""
    start, stop = (0, start) if stop is None else (start, stop)
    if (stop - start) * step <= 0:
        number = type(start + stop + step)
        return _torch.empty(0, dtype=dtype or (_torch.int64 if number is int else None))
    return _torch.arange(start, stop, step, dtype=dtype, device=device)


def asarray(obj, /, *, dtype=None, device=None, copy=None):
    """A tensor of numbers, nested sequences, or anything with a buffer or DLPack."""
    return _torch.asarray(obj, dtype=dtype, device=device, copy=copy)


def _shaped(name):
    make = getattr(_torch, name)

    def create(shape, *, dtype=None, device=None):
        return make(shape, dtype=dtype, device=device)

    def like(x, /, *, dtype=None, device=None):
        return getattr(_torch, f"{name}_like")(x.detach(), dtype=dtype, device=device)

    create.__name__, create.__doc__ = name, f"As :func:`tensorgrad.{name}`."
    like.__name__, like.__doc__ = f"{name}_like", f"As :func:`tensorgrad.{name}_like`."
    return create, like


empty, empty_like = _shaped("empty")
ones, ones_like = _shaped("ones")
zeros, zeros_like = _shaped("zeros")


def eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None):
    """A matrix with ones on its ``k``-th diagonal."""
    _device.check(device)
    return wrap(np.eye(n_rows, n_cols, k, dtypes.to_numpy(dtype)))


def from_dlpack(x, /, *, device=None, copy=None):
    """A tensor on the memory of an object with ``__dlpack__``."""
    _device.check(device)
    t = _torch.from_dlpack(x)
    return t.clone() if copy else t


def full(shape, fill_value, *, dtype=None, device=None):
    """A tensor of one value."""
    return _torch.full(_sizes(shape), fill_value, dtype=dtype, device=device)


def full_like(x, /, fill_value, *, dtype=None, device=None):
    """A tensor of one value, in the shape and dtype of another."""
    return _torch.full_like(x.detach(), fill_value, dtype=dtype, device=device)


def linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True):
    """``num`` numbers at equal distances; the last is ``stop``, or the one before it."""
    complex_ends = isinstance(start, complex) or isinstance(stop, complex)
    own = dtypes.to_numpy(dtype or (complex if complex_ends else None))
    _device.check(device)
    return wrap(np.linspace(start, stop, num, endpoint=endpoint).astype(own))


def meshgrid(*arrays, indexing="xy"):
    """Coordinates of a grid; the first two axes are swapped unless ``indexing="ij"``."""
    return list(_torch.meshgrid(*arrays, indexing=indexing))


def tril(x, /, *, k=0):
    """The elements on and below the ``k``-th diagonal; zero elsewhere."""
    return _torch.tril(x, k)


def triu(x, /, *, k=0):
    """The elements on and above the ``k``-th diagonal; zero elsewhere."""
    return _torch.triu(x, k)


# --- element by element -------------------------------------------------------------------


def clip(x, /, min=None, max=None):
    """``x`` between ``min`` and ``max``, in the dtype of ``x``."""
    if min is None and max is None:
        return x.clone()
    return _torch.clamp(x, min, max).to(x.dtype)


def round(x, /):
    """The nearest integers, ties to even; the parts of complex numbers each."""
    if x.is_complex():
        return _torch.complex(_torch.round(x.real), _torch.round(x.imag))
    return _torch.round(x)


def sign(x, /):
    """-1, 0 or 1; ``x / abs(x)`` of complex numbers."""
    return _torch.sgn(x)


# --- shapes -------------------------------------------------------------------------------


def _sizes(shape):
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _all_axes(x, axis):
    """``axis`` as a tuple: None is all of them."""
    if axis is None:
        return tuple(range(x.ndim))
    return (axis,) if isinstance(axis, int) else tuple(axis)


def broadcast_arrays(*arrays):
    """The tensors in their common shape."""
    return list(_torch.broadcast_tensors(*arrays))


def concat(arrays, /, *, axis=0):
    """The tensors one after the other along ``axis``; flattened first if it is None."""
    if axis is None:
        return _torch.cat([x.reshape(-1) for x in arrays])
    return _torch.cat(tuple(arrays), axis)


def expand_dims(x, /, *, axis=0):
    """With another axis of size 1, at ``axis`` of the result."""
    return _torch.unsqueeze(x, axis)


def flip(x, /, *, axis=None):
    """In reversed order along ``axis`` (all of them)."""
    return _torch.flip(x, _all_axes(x, axis))


def permute_dims(x, /, axes):
    """With the axes in another order."""
    return _torch.permute(x, tuple(axes))


def repeat(x, repeats, /, *, axis=None):
    """Each element ``repeats`` times, along ``axis`` or of the flattened tensor."""
    return _torch.repeat_interleave(x, repeats, axis)


def reshape(x, /, shape, *, copy=None):
    """In another shape.

    Raises:
        ValueError: ``copy=False`` and a copy is needed.
    """
    if copy:
        return x.clone().reshape(_sizes(shape))
    result = x.reshape(_sizes(shape))
    if copy is False and x._array.size and not np.shares_memory(result._array, x._array):
        raise ValueError("reshape: a copy is needed for this shape, but copy=False")
    return result


def roll(x, /, shift, *, axis=None):
    """Shifted along ``axis``, around the end; of the flattened tensor if it is None."""
    return _torch.roll(x, shift, axis)


def squeeze(x, /, axis):
    """Without axes of size 1.

    Raises:
        ValueError: an axis has another size.
    """
    axes = _all_axes(x, axis)
    if builtins.any(x.shape[i] != 1 for i in axes):
        raise ValueError(f"squeeze: axes {axes} of shape {tuple(x.shape)} are not all of size 1")
    return _torch.squeeze(x, axes)


def stack(arrays, /, *, axis=0):
    """The tensors side by side, along a new axis."""
    return _torch.stack(tuple(arrays), axis)


def tile(x, repetitions, /):
    """Repeated along each axis."""
    return _torch.tile(x, tuple(repetitions))


def unstack(x, /, *, axis=0):
    """The slices along ``axis``, as a tuple."""
    return _torch.unbind(x, axis)


# --- indexing, searching, sorting ---------------------------------------------------------


def take(x, indices, /, *, axis=None):
    """The slices at ``indices`` along ``axis``, which only a 1-d tensor may leave out.

    Raises:
        ValueError: no ``axis`` of a tensor with several.
    """
    if axis is None and x.ndim != 1:
        raise ValueError(f"take: axis must be given for a tensor of {x.ndim} dimensions")
    return x[(slice(None),) * ((axis or 0) % x.ndim) + (indices,)]


def take_along_axis(x, indices, /, *, axis=-1):
    """The elements that ``indices`` name along ``axis``, one for each of them."""
    return _torch.take_along_dim(x, indices, axis)


def _arg(name):
    find = getattr(_torch, name)

    def search(x, /, *, axis=None, keepdims=False):
        if axis is None:
            found = find(x.reshape(-1), 0)
            return found.reshape((1,) * x.ndim) if keepdims else found
        return find(x, axis, keepdims)

    search.__name__, search.__doc__ = name, f"As :func:`tensorgrad.{name}`."
    return search


argmax, argmin = _arg("argmax"), _arg("argmin")


def count_nonzero(x, /, *, axis=None, keepdims=False):
    """How many elements are not zero."""
    return sum(x != 0, axis=axis, dtype=_torch.int64, keepdims=keepdims)


def nonzero(x, /):
    """The indices of the elements that are not zero, a tensor for each axis.

    Raises:
        ValueError: ``x`` has no axis.
    """
    if x.ndim == 0:
        raise ValueError("nonzero: a 0-d tensor has no indices")
    return _torch.nonzero(x, as_tuple=True)


def searchsorted(x1, x2, /, *, side="left", sorter=None):
    """Where each of ``x2`` belongs in the sorted 1-d ``x1``."""
    return _torch.searchsorted(x1, x2, side=side, sorter=sorter)


def argsort(x, /, *, axis=-1, descending=False, stable=True):
    """The indices that sort along ``axis``."""
    return _torch.argsort(x, dim=axis, descending=descending, stable=True)


def sort(x, /, *, axis=-1, descending=False, stable=True):
    """Sorted along ``axis``."""
    return _torch.sort(x, dim=axis, descending=descending, stable=True).values


class UniqueAll(NamedTuple):
    """What :func:`unique_all` returns."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """What :func:`unique_counts` returns."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """What :func:`unique_inverse` returns."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x, /):
    """The distinct values, where each occurs first, which one each element is, and how often.

    Each nan is a value of its own, as the standard has it.
    """
    found = np.unique(x._array, True, True, True, equal_nan=False)
    values, indices, inverse, counts = map(wrap, found)
    return UniqueAll(values, indices, inverse.reshape(x.shape), counts)


def unique_counts(x, /):
    """The distinct values and how often each occurs."""
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x, /):
    """The distinct values and which one each element is."""
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x, /):
    """The distinct values."""
    return unique_all(x).values


# --- reductions ---------------------------------------------------------------------------


def _sum_dtype(x, dtype):
    """Small integers are added as int64 or uint64."""
    if dtype is None and x._array.dtype.kind in "biu":
        return _torch.uint64 if x._array.dtype.kind == "u" else _torch.int64
    return dtype


def sum(x, /, *, axis=None, dtype=None, keepdims=False):
    """The sum along ``axis``: one, several, or all (None)."""
    dtype, axes = _sum_dtype(x, dtype), _all_axes(x, axis)
    if not axes:
        return x.clone() if dtype is None else x.to(dtype, copy=True)
    return _torch.sum(x, axes, keepdims, dtype=dtype)


def prod(x, /, *, axis=None, dtype=None, keepdims=False):
    """The product along ``axis``: one, several, or all (None)."""
    dtype = _sum_dtype(x, dtype)
    x = x if dtype is None else x.to(dtype)
    for i in sorted((i % x.ndim for i in _all_axes(x, axis)), reverse=True):
        x = _torch.prod(x, i, keepdims, dtype=x.dtype)
    return x


def _extreme(name, doc):
    def reduce(x, /, *, axis=None, keepdims=False):
        axes = _all_axes(x, axis)
        return getattr(_torch, f"a{name}")(x, axes, keepdims) if axes else x.clone()

    reduce.__name__, reduce.__doc__ = name, doc
    return reduce


max = _extreme("max", "The largest along ``axis``: one, several, or all (None).")
min = _extreme("min", "The smallest along ``axis``: one, several, or all (None).")


def mean(x, /, *, axis=None, keepdims=False):
    """The mean along ``axis``: one, several, or all (None)."""
    axes = _all_axes(x, axis)
    return _torch.mean(x, axes, keepdims) if axes else x.clone()


def var(x, /, *, axis=None, correction=0.0, keepdims=False):
    """The variance along ``axis``; its sum of squares is divided by ``n - correction``."""
    return _spread("var", x, axis, correction, keepdims)


def std(x, /, *, axis=None, correction=0.0, keepdims=False):
    """The square root of :func:`var`."""
    return _spread("std", x, axis, correction, keepdims)


def _spread(name, x, axis, correction, keepdims):
    axes = _all_axes(x, axis)
    if not axes:  # each element for itself
        x, axes, keepdims = x.unsqueeze(-1), (-1,), False
    return getattr(_torch, name)(x, axes, correction=correction, keepdim=keepdims)


def _decision(name, doc):
    def reduce(x, /, *, axis=None, keepdims=False):
        axes, x = _all_axes(x, axis), x != 0
        return getattr(_torch, name)(x, axes, keepdims) if axes else x

    reduce.__name__, reduce.__doc__ = name, doc
    return reduce


all = _decision("all", "Whether no element along ``axis`` is zero.")
any = _decision("any", "Whether an element along ``axis`` is not zero.")


def _line(x, axis):
    if axis is None and x.ndim != 1:
        raise ValueError(f"axis must be given for a tensor of {x.ndim} dimensions")
    return 0 if axis is None else axis


def _with_initial(x, axis, value):
    shape = [1 if i == axis % x.ndim else n for i, n in enumerate(x.shape)]
    return _torch.cat([_torch.full(shape, value, dtype=x.dtype), x], axis)


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """The sums up to each element along ``axis``, after a 0 if ``include_initial``."""
    axis = _line(x, axis)
    x = _torch.cumsum(x, axis, dtype=_sum_dtype(x, dtype))
    return _with_initial(x, axis, 0) if include_initial else x


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """The products up to each element along ``axis``, after a 1 if ``include_initial``."""
    axis = _line(x, axis)
    x = _torch.cumprod(x, axis, dtype=_sum_dtype(x, dtype))
    return _with_initial(x, axis, 1) if include_initial else x


def diff(x, /, *, axis=-1, n=1, prepend=None, append=None):
    """The ``n``-th differences between neighbours along ``axis``."""
    return _torch.diff(x, n, axis, prepend, append)


# --- matrices -----------------------------------------------------------------------------


def matrix_transpose(x, /):
    """With the last two axes swapped."""
    return x.mT


def tensordot(x1, x2, /, *, axes=2):
    """The sum of products over ``axes`` of both: a number of them, or two lists."""
    return _torch.tensordot(x1, x2, axes)


def vecdot(x1, x2, /, *, axis=-1):
    """The dot products along ``axis``, of the conjugate of ``x1``."""
    return _torch.linalg.vecdot(x1, x2, dim=axis)


# --- what there is ------------------------------------------------------------------------


class _Info:
    """What the namespace offers, in the words of the standard."""

    def capabilities(self):
        """Shapes may depend on values, and boolean masks are possible."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self):
        """The CPU."""
        return _device.CPU

    def devices(self):
        """The CPU."""
        return [_device.CPU]

    def default_dtypes(self, *, device=None):
        """The dtypes of numbers without one."""
        real = _torch.get_default_dtype()
        return {
            "real floating": real,
            "complex floating": dtypes.of(dtypes.to_numpy(complex)),
            "integral": _torch.int64,
            "indexing": _torch.int64,
        }

    def dtypes(self, *, device=None, kind=None):
        """The dtypes of a kind, by name."""
        found = {n: d for n, d in dtypes.ALL.items() if n != "float16"}
        return {n: d for n, d in found.items() if kind is None or isdtype(d, kind)}


def __array_namespace_info__():
    """What the namespace offers: devices and dtypes."""
    return _Info()


from . import fft, linalg  # noqa: E402  (they use what stands above)

__all__ = sorted(
    name for name in globals()
    if not name.startswith("_") and name not in (
        "annotations", "builtins", "NamedTuple", "np", "dtypes", "Tensor", "wrap", "UniqueAll",
        "UniqueCounts", "UniqueInverse",
    )
)  # fmt: skip
