"""Functions that make tensors from data, from a shape, or from a range.

All take PyTorch's keyword arguments: ``dtype`` (default: from the data, or the default float),
``device`` (the CPU), ``requires_grad`` (False) and, accepted and without effect, ``layout``,
``pin_memory`` and ``memory_format``.
"""

from __future__ import annotations

import math
import operator
import warnings

import numpy as np

from . import _device, dtypes
from ._graph import LEAF, Tensor, ndarray, wrap
from ._registry import function


def finish(array, requires_grad=False, device=None, out=None):
    """Wrap ``array``, or write it into ``out``; checks what all creation functions share."""
    _device.check(device)
    t = wrap(array)
    if requires_grad:
        if array.dtype.kind in "fc":
            t._edge = LEAF
        else:
            t.requires_grad = True  # raises, with the reason
    if out is None:
        return t
    from ._inplace import write_out

    return write_out(out, t)


def size_of(size) -> tuple:
    """The shape meant by ``*size``: integers, one sequence of them, or 0-d tensors.

    Raises:
        TypeError: a size is not an integer.
        RuntimeError: a size is negative.
    """
    if len(size) == 1 and not hasattr(size[0], "__index__"):
        size = size[0]
    elif len(size) == 1 and isinstance(size[0], Tensor) and size[0].ndim:
        size = size[0].tolist()
    try:
        shape = tuple(map(operator.index, size))
    except TypeError:
        raise TypeError(f"sizes must be integers, got {size!r}") from None
    if any(n < 0 for n in shape):
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}"
        )
    return shape


# --- from data --------------------------------------------------------------------------


def _first_leaf(data):
    while isinstance(data, list | tuple) and len(data):
        data = data[0]
    return data


def _unwrap_nested(data):
    """Tensors inside lists as arrays, so that NumPy can stack them."""
    if isinstance(data, Tensor):
        return data._array
    if isinstance(data, list | tuple):
        return [_unwrap_nested(x) for x in data]
    return data


def to_array(data, dtype=None) -> ndarray:
    """A new array with the elements of ``data``, in PyTorch's dtype for them.

    Python floats become the default float, integers int64, booleans bool; arrays, NumPy
    scalars and tensors keep their dtype.

    Raises:
        TypeError: the elements are not numbers.
        ValueError: nested sequences differ in length.
        RuntimeError: no dtype can be inferred, or an integer does not fit.
    """
    wanted = None if dtype is None else dtypes.to_numpy(dtype)
    if isinstance(data, Tensor):
        return np.array(data._array, dtype=wanted, order="C")
    if isinstance(data, ndarray | np.generic):
        return np.array(data, dtype=wanted or dtypes.of(data.dtype).numpy, order="C", subok=False)
    leaf = _first_leaf(data)
    if leaf is None:
        raise RuntimeError("Could not infer dtype of NoneType; expected numbers")
    if isinstance(leaf, str | bytes):
        raise TypeError(f"new(): invalid data type {type(leaf).__name__!r}; expected numbers")
    if isinstance(leaf, Tensor | ndarray):
        data = _unwrap_nested(data)
    try:
        array = np.array(data)
    except ValueError as error:
        raise ValueError(
            f"expected nested sequences of equal lengths to make a tensor: {error}"
        ) from None
    except OverflowError:
        raise RuntimeError("Overflow when unpacking long: an integer exceeds 64 bits") from None
    if array.dtype == object or array.dtype.kind not in "biufc":
        if array.dtype == object and all(isinstance(x, int) for x in array.ravel()):
            raise RuntimeError("Overflow when unpacking long: an integer exceeds 64 bits")
        raise TypeError(f"can't make a tensor from elements of type {type(leaf).__name__}")
    if wanted is None:
        own = isinstance(leaf, ndarray | np.generic | Tensor)
        wanted = array.dtype if own else _default_for(array)
    return array.astype(wanted, copy=False)


def _default_for(array):
    if array.size == 0 or array.dtype.kind == "f":
        return dtypes.default_float()
    if array.dtype.kind == "c":
        return dtypes.of_scalar(1j)
    return array.dtype


@function
def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A new leaf tensor with a copy of ``data``: a number, nested sequence, array or tensor.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    >>> tensorgrad.tensor([1, 2]).dtype
    torch.int64
    """
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, use t.detach().clone() rather than tensor(t)",
            UserWarning, stacklevel=2,
        )  # fmt: skip
    return finish(to_array(data, dtype), requires_grad, device)


@function
def as_tensor(data, dtype=None, device=None):
    """``data`` as a tensor, without a copy where it is an array or tensor of that dtype already.

    >>> import numpy, tensorgrad
    >>> a = numpy.zeros(2)
    >>> t = tensorgrad.as_tensor(a)
    >>> a[0] = 7
    >>> t
    tensor([7., 0.], dtype=torch.float64)
    """
    _device.check(device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, ndarray) and (dtype is None or dtypes.to_numpy(dtype) == data.dtype):
        return from_numpy(data)
    return wrap(to_array(data, dtype))


@function
def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """Like :func:`as_tensor`; ``copy=True`` always copies, ``copy=False`` never does.

    Raises:
        ValueError: ``copy=False`` and a copy is needed.
    """
    if copy:
        return finish(to_array(obj, dtype), requires_grad, device)
    t = as_tensor(obj, dtype, device)
    if copy is False and not (t is obj or (isinstance(obj, ndarray) and t._array is obj)):
        raise ValueError("asarray: a copy is needed to make this tensor, but copy=False")
    return t.detach().requires_grad_() if requires_grad else t


@function
def from_numpy(ndarray):
    """A tensor on the memory of a NumPy array: writes to either are seen by both.

    Raises:
        TypeError: not an array, or of a dtype tensorgrad does not have.

    >>> import numpy, tensorgrad
    >>> tensorgrad.from_numpy(numpy.arange(3))
    tensor([0, 1, 2])
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    array = np.asarray(ndarray)  # drops subclasses such as np.matrix
    own = dtypes.of(array.dtype).numpy
    if array.dtype != own or not array.dtype.isnative:
        raise TypeError(f"from_numpy cannot share memory in byte order {array.dtype.byteorder!r}")
    return wrap(array)


@function
def from_dlpack(ext_tensor):
    """A tensor on the memory of any object with ``__dlpack__`` (PyTorch, JAX, NumPy)."""
    return wrap(np.from_dlpack(ext_tensor))


@function
def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False):
    """A 0-d tensor of the default float (or ``dtype``) holding ``s``."""
    return finish(np.array(s, dtypes.to_numpy(dtype)), requires_grad, device)


# --- from a shape -----------------------------------------------------------------------


def _shaped(name, make, doc):
    def create(
        *size, out=None, dtype=None, layout=None, device=None, requires_grad=False,
        pin_memory=False, memory_format=None, **named,
    ):  # fmt: skip
        if "size" in named:
            size = (named.pop("size"),)
        if named:
            raise TypeError(f"{name}() got an unexpected keyword argument {next(iter(named))!r}")
        array = make(size_of(size), dtypes.to_numpy(dtype))
        return finish(array, requires_grad, device, out)

    create.__name__ = create.__qualname__ = name
    create.__doc__ = doc
    return function(create)


zeros = _shaped(
    "zeros",
    np.zeros,
    """A tensor of zeros of shape ``size`` (integers, or one sequence of them).

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """,
)
ones = _shaped(
    "ones",
    np.ones,
    """A tensor of ones of shape ``size`` (integers, or one sequence of them).

    >>> import tensorgrad
    >>> tensorgrad.ones((2,), dtype=tensorgrad.int64)
    tensor([1, 1])
    """,
)
empty = _shaped(
    "empty",
    np.empty,
    """A tensor of shape ``size`` whose elements are whatever the memory held.

    >>> import tensorgrad
    >>> tensorgrad.empty(2, 0).shape
    torch.Size([2, 0])
    """,
)


@function
def full(size, fill_value, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """A tensor of shape ``size`` filled with one number, which also decides the dtype.

    >>> import tensorgrad
    >>> tensorgrad.full((2,), 7)
    tensor([7, 7])
    """
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    own = dtypes.of_scalar(fill_value) if dtype is None else dtypes.to_numpy(dtype)
    size = size if isinstance(size, list | tuple) else (size,)
    return finish(np.full(size_of((size,)), fill_value, own), requires_grad, device, out)


def _like(input, dtype):
    if not isinstance(input, Tensor):
        raise TypeError(f"argument 'input' must be Tensor, not {type(input).__name__}")
    return input._array.dtype if dtype is None else dtypes.to_numpy(dtype)


@function
def zeros_like(
    input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None
):
    """Zeros in the shape and dtype of ``input``.

    >>> import tensorgrad
    >>> tensorgrad.zeros_like(tensorgrad.tensor([1, 2]))
    tensor([0, 0])
    """
    return finish(np.zeros_like(input._array, _like(input, dtype)), requires_grad, device)


@function
def ones_like(
    input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None
):
    """Ones in the shape and dtype of ``input``."""
    return finish(np.ones_like(input._array, _like(input, dtype)), requires_grad, device)


@function
def empty_like(
    input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None
):
    """An uninitialised tensor in the shape and dtype of ``input``."""
    return finish(np.empty_like(input._array, _like(input, dtype)), requires_grad, device)


@function
def full_like(
    input, fill_value, *, dtype=None, layout=None, device=None, requires_grad=False,
    memory_format=None,
):  # fmt: skip
    """A tensor filled with one number in the shape and dtype of ``input``."""
    return finish(
        np.full_like(input._array, _number(fill_value), _like(input, dtype)), requires_grad, device
    )


# --- ranges and patterns ----------------------------------------------------------------


def _number(x):
    return x.item() if isinstance(x, Tensor | np.generic) else x


@function
def arange(
    *bounds, start=0, end=None, step=1, out=None, dtype=None, layout=None, device=None,
    requires_grad=False, pin_memory=False,
):  # fmt: skip
    """Numbers from ``start`` (0) up to, not including, ``end`` in steps of ``step`` (1).

    ``arange(end)``, ``arange(start, end)`` or ``arange(start, end, step)``. All integers
    give int64, otherwise the default float.

    Raises:
        RuntimeError: the step is zero, or leads away from ``end``.

    >>> import tensorgrad
    >>> tensorgrad.arange(1, 4)
    tensor([1, 2, 3])
    """
    if len(bounds) > 3:
        raise TypeError(f"arange() takes at most 3 positional arguments, got {len(bounds)}")
    if len(bounds) == 1 and end is None:
        end = bounds[0]
    elif bounds:
        bounds = (*bounds, end) if len(bounds) == 1 else bounds
        start, end, step = (*bounds, step)[:3]
    if end is None:
        raise TypeError("arange() missing required argument 'end'")
    start, end, step = _number(start), _number(end), _number(step)
    if not step > 0 and not step < 0:
        raise RuntimeError(f"step must be nonzero, got {step}")
    if not math.isfinite(start) or not math.isfinite(end):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError(
            f"upper bound and lower bound inconsistent with step sign: {start}, {end}, {step}"
        )
    whole = all(isinstance(v, int) for v in (start, end, step))
    if dtype is None and out is not None:
        dtype = out.dtype
    own = np.dtype("int64") if dtype is None and whole else dtypes.to_numpy(dtype)
    if own == np.int64 and not whole:  # PyTorch rounds these to zero, and then counts
        start, end, step, whole = int(start), int(end), int(step), True
        if step == 0:
            raise ValueError("step must be nonzero: a step below 1 is 0 for int64")
    if whole:
        array = np.arange(start, end, step).astype(own, copy=False)
    else:
        n = int(np.ceil((end - start) / step))
        if own.kind in "iu":
            start, step = int(start), int(step)
        array = (start + step * np.arange(n)).astype(own)
    return finish(array, requires_grad, device, out)


@function
def linspace(
    start, end, steps, *, out=None, dtype=None, layout=None, device=None, requires_grad=False
):
    """``steps`` evenly spaced numbers from ``start`` to ``end``, both included.

    >>> import tensorgrad
    >>> tensorgrad.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    start, end, steps = _number(start), _number(end), operator.index(steps)
    if steps < 0:
        raise RuntimeError(f"number of steps must be non-negative, got {steps}")
    own = dtypes.to_numpy(dtype if dtype is not None or out is None else out.dtype)
    if own.kind in "iu":
        return finish(_whole_steps(start, end, steps, own).astype(own), requires_grad, device, out)
    if own.kind != "f":
        return finish(np.linspace(start, end, steps).astype(own), requires_grad, device, out)
    # PyTorch's order of operations, from both ends to the middle, in the dtype itself.
    array = np.empty(steps, own)
    half, cast = steps // 2, own.type
    step = cast((cast(end) - cast(start)) / cast(steps - 1)) if steps > 1 else cast(0)
    i = np.arange(steps).astype(own)
    array[:half] = cast(start) + step * i[:half]
    array[half:] = cast(end) - step * (cast(steps - 1) - i[half:])
    if steps == 1:
        array[:] = start
    return finish(array, requires_grad, device, out)


def _whole_steps(start, end, steps, own):
    """What linspace rounds to an integer dtype: float64 between ends rounded before."""
    start, end = (int(np.asarray(int(v)).astype(own)) for v in (start, end))
    step = (end - start) / (steps - 1) if steps > 1 else 0.0
    i = np.arange(steps)
    return np.where(i < max(steps // 2, steps == 1), start + step * i, end - step * (steps - 1 - i))


@function
def logspace(
    start, end, steps, base=10.0, *, out=None, dtype=None, layout=None, device=None,
    requires_grad=False,
):  # fmt: skip
    """``steps`` numbers from ``base**start`` to ``base**end``, evenly spaced in the exponent."""
    own = dtypes.to_numpy(dtype if dtype is not None or out is None else out.dtype)
    if own.kind in "iu" and steps != 1:
        exponents = _whole_steps(_number(start), _number(end), operator.index(steps), own)
    else:
        exponents = linspace(start, end, steps, dtype=dtypes.float64)._array
    array = np.power(float(base), exponents).astype(own)
    return finish(array, requires_grad, device, out)


@function
def eye(n, m=None, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """The n by m matrix (m defaults to n) with ones on the diagonal.

    >>> import tensorgrad
    >>> tensorgrad.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(f"eye: sizes must be greater or equal to 0, got {n} and {m}")
    return finish(np.eye(n, m, dtype=dtypes.to_numpy(dtype)), requires_grad, device, out)


def size_type(size):
    """``size`` marked as sizes, not data: what a Size is to a legacy constructor."""
    from ._tensor import Size

    return Size(size_of((size,)))


def legacy_array(args, dtype, name):
    """The array that a legacy constructor makes: sizes give uninitialised memory, data a copy.

    A tensor gives its own memory, as in PyTorch.

    Raises:
        TypeError: a tensor of another dtype, or neither sizes nor a sequence.
    """
    own = dtypes.to_numpy(dtype)
    if len(args) != 1 or isinstance(args[0], int | np.integer):
        if not all(isinstance(a, int | np.integer) for a in args):
            raise TypeError(f"{name}() takes sizes or one sequence of data, got {args!r}")
        return np.empty(size_of(args) if args else 0, own)
    (data,) = args
    if isinstance(data, Tensor):
        if data._array.dtype != own and name != "Tensor":
            raise TypeError(
                f"{name}(): expected a tensor of {dtypes.of(own)}, got {data.dtype}; convert it "
                "with .to(dtype)"
            )
        return data._array
    if type(data).__name__ == "Size":
        return np.empty(tuple(data), own)
    if not isinstance(data, list | tuple | ndarray) and not hasattr(data, "__len__"):
        raise TypeError(
            f"new(): data must be a sequence (got {type(data).__name__}); a number alone is a size "
            "and must be an int"
        )
    array = to_array(data)
    if own.kind in "iu" and array.dtype.kind in "iu" and array.size:
        if not (dtypes.holds(own, int(array.min())) and dtypes.holds(own, int(array.max()))):
            raise RuntimeError(f"value cannot be converted to type {own} without overflow")
    return array.astype(own, copy=False)


def construct(self, *args, dtype=None, device=None):
    """PyTorch's legacy ``Tensor(...)``: sizes give uninitialised memory, data a float copy."""
    _device.check(device)
    array = legacy_array(args, dtypes.get_default_dtype(), "Tensor")
    self._array, self._edge, self._grad = array, None, None


__all__ = [
    "arange", "as_tensor", "asarray", "empty", "empty_like", "eye", "from_dlpack", "from_numpy",
    "full", "full_like", "linspace", "logspace", "ones", "ones_like", "scalar_tensor", "tensor",
    "zeros", "zeros_like",
]  # fmt: skip
