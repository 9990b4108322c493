"""Arithmetic, selection, powers, exponentials and logarithms, element by element.

Two tensors broadcast against each other. Their dtypes are promoted as in PyTorch: a Python
number is weak (``float32 * 2.5`` stays float32), integers meeting a float take the float's
dtype, and what only makes sense on floats (division, ``exp``) turns integers into the default
float. :mod:`.comparison`, :mod:`.special` and :mod:`.activation` hold the other functions.
"""

from __future__ import annotations

import math

import numpy as np

from .. import _registry, dtypes, errors
from .._graph import Tensor, ndarray
from .._registry import FUNCTIONS, METHODS, UFUNCS, alias, binary, coerce, function, op, reflected

# --- copies and constants ---------------------------------------------------------------


@op(public=False, method=False, grad_name="ToCopyBackward0")
def cast(x, *, dtype):
    """``x`` with elements of the NumPy dtype ``dtype``, always a copy."""
    return (x.real if x.dtype.kind == "c" and dtype.kind not in "cb" else x).astype(dtype)


cast.vjp(x=lambda g, x_dtype: cast(g, dtype=x_dtype))
_registry.cast = cast


def cast_like(g, dtype):
    """``g`` in the NumPy dtype ``dtype``: itself if it has that already."""
    same = (g._array if isinstance(g, Tensor) else g).dtype == dtype
    return g if same else cast(g, dtype=dtype)


def raw_dtype(x):
    """The NumPy dtype of a Tensor or an array."""
    return (x._array if isinstance(x, Tensor) else x).dtype


@op
def clone(x):
    """A copy of ``x`` in memory of its own; the gradient passes through.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0])
    >>> x.clone().zero_(), x
    (tensor([0., 0.]), tensor([1., 2.]))
    """
    return np.array(x)


clone.vjp(x=lambda g: g)
clone.op.variants["memory_format"] = lambda input, *, memory_format: clone(input)


@op(public=False, method=False, differentiable=False)
def zeros_of(x):
    """Untracked zeros like ``x``: the gradient of whatever is constant in steps."""
    return np.zeros(x.shape, x.dtype)


@op(public=False, method=False, inplace=True)
def zero(x):
    """Zeros like ``x``; in place, ``x.zero_()``."""
    return np.zeros(x.shape, x.dtype)


zero.vjp(x=lambda g: zeros_of(g))


@op(method=False, inplace=True, grad_name="FillBackward0")
def fill(x, value):
    """A tensor like ``x`` with every element set to ``value``, a number or a 0-d tensor.

    The gradient of ``x`` is zero, that of ``value`` the sum of the gradients of the result.

    Raises:
        RuntimeError: ``value`` has dimensions.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2]).fill_(7)
    tensor([7, 7])
    """
    _demand_scalar("fill", value)
    return np.full(x.shape, value, x.dtype)


fill.vjp(x=lambda g: zeros_of(g), value=lambda g, value_dtype: cast_like(g, value_dtype))


def _demand_scalar(name, value):
    if getattr(value, "ndim", 0):
        raise errors.ShapeError(
            f"{name} only supports a 0-dimensional value tensor, got shape {value.shape}; "
            "use where() to choose between two tensors"
        )


@op(public=False, method=False, inplace=True, grad_name="CopyBackwards")
def copy(x, y, *, non_blocking=False):
    """The values of ``y`` in the shape and dtype of ``x``; in place, ``x.copy_(y)``."""
    y = y.real if y.dtype.kind == "c" and x.dtype.kind not in "cb" else y
    return np.broadcast_to(y, x.shape).astype(x.dtype)


copy.vjp(x=lambda g: zeros_of(g), y=lambda g, y_dtype: cast_like(g, y_dtype))


# --- masks ------------------------------------------------------------------------------

_BITS = {2: np.int16, 4: np.int32, 8: np.int64}  # integers of the width of each float
LARGE = 1024  # elements, from where on a few more passes beat a slow ufunc


class _Zeros(dict):
    """A 0-d zero of each real dtype. A ufunc takes it 0.4 us faster than a Python 0."""

    def __missing__(self, dtype):
        raise errors.UnsupportedDtypeError(f"relu: not implemented for tensors of {dtype}")


ZERO = _Zeros()
for _dtype in dtypes.ALL.values():
    if _dtype.numpy.kind in "fiu":
        ZERO[_dtype.numpy] = np.zeros((), _dtype.numpy)
        ZERO[_dtype.numpy].flags.writeable = False


@op(public=False, method=False)
def keep(x, mask):
    """``x`` where ``mask`` is true and 0 elsewhere, whatever ``x`` holds there (inf, nan).

    This is the gradient of everything that selects. Its own gradient is itself.
    """
    # np.where takes 4.2 ms for a million floats under a random mask (it branches), the product
    # of the bits with the mask 0.3 ms; below a thousand np.where is the faster.
    if x.size < LARGE or x.dtype.kind != "f":
        return np.where(mask, x, ZERO.get(x.dtype, 0))
    bits = x.view(_BITS[x.dtype.itemsize])
    return np.multiply(bits, mask).view(x.dtype)


keep.vjp(x=lambda g, mask: keep(g, mask))


@op(public=False, method=False)
def where_(cond, x, y):
    """``x`` where ``cond``, else ``y``; :func:`where` after promotion."""
    if cond.dtype.kind != "b":
        if cond.dtype != np.uint8:
            raise errors.DtypeError(
                f"where: expected condition to be a boolean tensor, got {errors.describe(cond)}; "
                "compare it with something, or convert it with .bool()"
            )
        cond = cond.astype(bool)
    return np.where(cond, x, y)


where_.vjp(x=lambda g, cond: keep(g, cond), y=lambda g, cond: keep(g, ~cond))


@function
def where(condition, input=None, other=None, *, out=None):
    """``input`` where ``condition`` is true, ``other`` elsewhere; all three broadcast.

    With ``condition`` alone: the indices of its true elements, ``nonzero(as_tuple=True)``.

    Args:
        condition: a bool tensor.
        input: tensor or number, promoted with ``other``.
        other: tensor or number.
        out: a tensor to write the result into.

    The gradient of the branch that was not taken is exactly 0, also where the incoming
    gradient is inf or nan.

    Raises:
        RuntimeError: ``condition`` is not boolean.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([-1.0, 2.0])
    >>> tensorgrad.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    if input is None and other is None:
        return FUNCTIONS["nonzero"](condition, as_tuple=True)
    if not isinstance(condition, Tensor | ndarray):
        raise TypeError(
            f"where(): argument 'condition' must be Tensor, not {type(condition).__name__}"
        )
    x, y = coerce(add.op, (input, other))
    if not isinstance(x, Tensor | ndarray) and not isinstance(y, Tensor | ndarray):
        x = np.asarray(x, dtypes.result_type(x, y))  # np.where alone would choose float64
    return _written(out, where_(condition, x, y))


def _written(out, result):
    if out is None:
        return result
    from .._inplace import write_out

    return write_out(out, result)


METHODS["where"] = lambda self, condition, other: where(condition, self, other)
METHODS["where"].__doc__ = "This tensor where ``condition`` is true, ``other`` elsewhere."


@op(inplace=True)
def masked_fill(x, mask, value):
    """``x`` with ``value`` where ``mask`` is true. ``x`` and ``mask`` broadcast.

    Args:
        x: any tensor; the result has its dtype.
        mask: a bool tensor.
        value: a number or 0-d tensor. Its gradient is the sum over the masked elements.

    Raises:
        RuntimeError: ``mask`` is not boolean, or ``value`` has dimensions.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0, 3.0])
    >>> x.masked_fill(x > 1.5, -1.0)
    tensor([ 1., -1., -1.])
    """
    if mask.dtype.kind != "b":
        raise errors.DtypeError(
            f"masked_fill only supports boolean masks, got {errors.describe(mask)}; "
            "convert it with .bool()"
        )
    _demand_scalar("masked_fill", value)
    out = np.array(np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape)))
    np.copyto(out, value, where=mask, casting="unsafe")
    return out


masked_fill.vjp(
    x=lambda g, mask: keep(g, ~mask),
    value=lambda g, mask, value_dtype: cast_like(keep(g, mask), value_dtype),
)


# --- sums, differences, products --------------------------------------------------------


@op(types="promote", inplace=True, ufunc=np.add, direct=True)
def add(x, y):
    """``x + alpha * y``.

    Args:
        x: tensor or number.
        y: tensor or number, broadcast and promoted with ``x``.
        alpha: keyword, default 1: a factor for ``y``.

    Raises:
        RuntimeError: the shapes do not broadcast, or ``alpha`` is a float and the result integer.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0])
    >>> tensorgrad.add(x, 10), tensorgrad.add(x, x, alpha=0.5)
    (tensor([11., 12.]), tensor([1.5000, 3.0000]))
    """
    return x + y


add.vjp(x=lambda g: g, y=lambda g: g)


def _no_bool(*operands):
    if any(isinstance(x, bool) or getattr(x, "dtype", None) in _BOOLS for x in operands):
        raise errors.DtypeError(
            "sub: subtraction, the `-` operator, with a bool tensor is not supported; use `^` or "
            "logical_xor(), or `~` or logical_not() to invert a mask"
        )


_BOOLS = (np.dtype(bool), dtypes.bool_)


@op(types="promote", inplace=True, ufunc=np.subtract, direct=True, check=_no_bool)
def sub(x, y):
    """``x - alpha * y``; arguments as for :func:`add`.

    Raises:
        RuntimeError: one of them is boolean; use ``^`` or ``~``.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0, 2.0]) - 3
    tensor([-2., -1.])
    """
    return x - y


sub.vjp(x=lambda g: g, y=lambda g: -g)


@op(types="promote", method=False, grad_name="RsubBackward1", check=_no_bool)
def rsub(x, y):
    """``y - alpha * x``: the difference with its operands swapped.

    >>> import tensorgrad
    >>> tensorgrad.rsub(tensorgrad.tensor([1.0, 2.0]), 3)
    tensor([2., 1.])
    """
    return y - x


rsub.vjp(x=lambda g: -g, y=lambda g: g)
METHODS["__rsub__"] = binary(rsub.op, NotImplemented)


def _terms(input, other, alpha):
    """``input`` and ``alpha * other`` in their common dtype, which must have room for ``alpha``."""
    kind = dtypes.result_type(*[getattr(x, "_array", x) for x in (input, other)]).kind
    if isinstance(alpha, bool) and kind != "b":
        raise errors.DtypeError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, float) and kind in "biu":
        raise errors.DtypeError(
            "For integral input tensors, argument alpha must not be a floating point number; "
            f"got {alpha!r}"
        )
    x, y = coerce(add.op, (input, other))
    return x, y if alpha == 1 else y * (bool(alpha) if kind == "b" else alpha)


add.op.variants["alpha"] = lambda input, other, *, alpha: add(*_terms(input, other, alpha))
sub.op.variants["alpha"] = lambda input, other, *, alpha: sub(*_terms(input, other, alpha))
rsub.op.variants["alpha"] = lambda input, other, *, alpha: rsub(*_terms(other, input, alpha)[::-1])


@op(types="promote", inplace=True, ufunc=np.multiply, direct=True)
def mul(x, y):
    """``x * y``; arguments as for :func:`add`, without ``alpha``.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0, 2.0]) * tensorgrad.tensor([[3.0], [4.0]])
    tensor([[3., 6.],
            [4., 8.]])
    """
    return x * y


mul.vjp(x=lambda g, y: g * y, y=lambda g, x: g * x)


@op(types="promote", inplace=True)
def addcmul(x, tensor1, tensor2, *, value=1):
    """``x + value * tensor1 * tensor2``, all three broadcast.

    Raises:
        RuntimeError: the tensors are integer and ``value`` is not.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0])
    >>> x.addcmul(x, x, value=0.5)
    tensor([1.5000, 4.0000])
    """
    if isinstance(value, float) and np.result_type(x, tensor1, tensor2).kind in "iu":
        raise errors.DtypeError(
            f"addcmul: value must be an integer for integer tensors, got {value!r}"
        )
    product = tensor1 * tensor2
    return x + (product if value == 1 else product * value)


addcmul.vjp(
    x=lambda g: g,
    tensor1=lambda g, tensor2, *, value: g * (tensor2 * value),
    tensor2=lambda g, tensor1, *, value: g * (tensor1 * value),
)


@op(types="promote", inplace=True)
def addcdiv(x, tensor1, tensor2, *, value=1):
    """``x + value * tensor1 / tensor2``, all three broadcast.

    Raises:
        RuntimeError: all tensors are integer.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0])
    >>> x.addcdiv(x, x + x, value=3)
    tensor([2.5000, 3.5000])
    """
    if np.result_type(x, tensor1, tensor2).kind in "biu":
        raise errors.DtypeError(
            "addcdiv: integer division is not supported; convert the tensors with .float()"
        )
    quotient = tensor1 / tensor2
    return x + (quotient if value == 1 else quotient * value)


addcdiv.vjp(
    x=lambda g: g,
    tensor1=lambda g, tensor2, *, value: g / tensor2 * value,
    tensor2=lambda g, tensor1, tensor2, *, value: g * (tensor1 / (tensor2 * tensor2) * -value),
)


def _one_float_dtype(start, end, weight):
    floating("lerp", start)
    if getattr(end, "dtype", None) != start.dtype:
        raise errors.DtypeError(
            "lerp: start and end must be tensors of one dtype, got "
            f"{errors.describe(start)} and {errors.describe(end)}; convert with .to(dtype)"
        )


@op(types="promote", inplace=True, check=_one_float_dtype)
def lerp(start, end, weight):
    """``start + weight * (end - start)``; exactly ``end`` at weight 1.

    Args:
        start: floating-point tensor.
        end: tensor of the same dtype.
        weight: number or tensor; may lie outside [0, 1].

    Raises:
        RuntimeError: the dtypes differ, or are not floating point.

    >>> import tensorgrad
    >>> a, b = tensorgrad.tensor([0.0, 10.0]), tensorgrad.tensor([1.0, 20.0])
    >>> tensorgrad.lerp(a, b, 0.25)
    tensor([ 0.2500, 12.5000])
    """
    step = end - start
    if not isinstance(weight, ndarray):
        return start + step * weight if weight.__abs__() < 0.5 else end - step * (1.0 - weight)
    near = start + step * weight
    return np.where(np.abs(weight) < 0.5, near, end - step * (1.0 - weight))


lerp.vjp(
    start=lambda g, weight: g * (1.0 - weight),
    end=lambda g, weight: g * weight,
    weight=lambda g, start, end: g * (end - start),
)


def floating(name, x):
    """Refuse integer and boolean tensors, for functions that PyTorch defines on floats alone."""
    if getattr(x, "_array", x).dtype.kind in "biu":
        raise errors.UnsupportedDtypeError(
            f"{name}: not implemented for {errors.describe(x)}; convert it with .float()"
        )


# --- quotients --------------------------------------------------------------------------


@op(types="float", inplace=True, ufunc=np.true_divide, direct=True)
def div(x, y):
    """``x / y``. Integers become the default float; division by zero gives inf or nan.

    Args:
        x: tensor or number.
        y: tensor or number, broadcast and promoted with ``x``.
        rounding_mode: keyword, default None. ``"floor"`` and ``"trunc"`` round the quotient
            down and towards zero and keep integers; their gradient is zero.

    Raises:
        RuntimeError: another ``rounding_mode``, or integers divided by zero with rounding.

    >>> import tensorgrad
    >>> tensorgrad.tensor([7, -7]) / 2
    tensor([ 3.5000, -3.5000])
    >>> tensorgrad.div(tensorgrad.tensor([7, -7]), 2, rounding_mode="floor")
    tensor([ 3, -4])
    """
    return x / y


# By x and not by the quotient, which code like ``x = x / n; x += b`` overwrites.
div.vjp(x=lambda g, y: g / y, y=lambda g, x, y: g * (x / y / -y))


def _div_rounded(input, other, *, rounding_mode):
    if rounding_mode is None:
        return div(input, other)
    if rounding_mode not in _ROUNDED:
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
            f"{rounding_mode!r}"
        )
    return _ROUNDED[rounding_mode](input, other)


div.op.variants["rounding_mode"] = _div_rounded


def _demand_divisor(name, x, y):
    kind = np.result_type(x, y).kind
    if kind == "b":
        raise errors.UnsupportedDtypeError(f"{name}: not implemented for two bool tensors")
    if kind in "iu" and not np.all(y):
        raise RuntimeError(f"{name}: ZeroDivisionError: an integer was divided by zero")


@op(types="promote", inplace=True, ufunc=np.floor_divide, grad_name="DivBackward2")
def floor_divide(x, y):
    """``x // y``: the quotient rounded down; integers stay integers.

    Its gradient is zero; PyTorch gives a zero gradient to ``div(rounding_mode="floor")`` and
    refuses to differentiate ``//``.

    Raises:
        RuntimeError: an integer is divided by zero.

    >>> import tensorgrad
    >>> tensorgrad.tensor([7, -7]) // 2
    tensor([ 3, -4])
    """
    _demand_divisor("floor_divide", x, y)
    return np.floor_divide(x, y)


floor_divide.vjp(x=lambda g: zeros_of(g), y=lambda g: zeros_of(g))


@op(types="promote", public=False, method=False, grad_name="DivBackward2")
def trunc_divide(x, y):
    """The quotient rounded towards zero; integers stay integers."""
    _demand_divisor("div", x, y)
    if np.result_type(x, y).kind in "iu":
        return (x - np.fmod(x, y)) // y
    return np.trunc(x / y)


trunc_divide.vjp(x=lambda g: zeros_of(g), y=lambda g: zeros_of(g))
_ROUNDED = {"floor": floor_divide, "trunc": trunc_divide}


@op(types="promote", inplace=True, ufunc=np.remainder)
def remainder(x, y):
    """``x % y``, with the sign of ``y``: ``x - y * floor(x / y)``.

    Raises:
        RuntimeError: an integer is divided by zero.

    >>> import tensorgrad
    >>> tensorgrad.tensor([5.0, -5.0]) % 3
    tensor([2., 1.])
    """
    _demand_divisor("remainder", x, y)
    return np.remainder(x, y)


remainder.vjp(x=lambda g: g, y=lambda g, x, y: -g * floor_divide(x, y))


@op(types="promote", inplace=True, ufunc=np.fmod)
def fmod(x, y):
    """The remainder with the sign of ``x``: ``x - y * trunc(x / y)``.

    Raises:
        RuntimeError: an integer is divided by zero.

    >>> import tensorgrad
    >>> tensorgrad.fmod(tensorgrad.tensor([5.0, -5.0]), 3)
    tensor([ 2., -2.])
    """
    _demand_divisor("fmod", x, y)
    return np.fmod(x, y)


fmod.vjp(x=lambda g: g, y=lambda g, x, y: -g * trunc_divide(x, y))


@op(types="float", inplace=True, ufunc=np.reciprocal)
def reciprocal(x):
    """``1 / x``.

    >>> import tensorgrad
    >>> tensorgrad.reciprocal(tensorgrad.tensor([2.0, 0.0]))
    tensor([0.5000,    inf])
    """
    return np.reciprocal(x)


reciprocal.vjp(x=lambda g, out: g * (out * -out))


# --- signs ------------------------------------------------------------------------------


@op(inplace=True, ufunc=np.negative)
def neg(x):
    """``-x``.

    Raises:
        RuntimeError: ``x`` is boolean; use ``~x``.

    >>> import tensorgrad
    >>> -tensorgrad.tensor([1.0, -2.0])
    tensor([-1.,  2.])
    """
    return -x


neg.vjp(x=lambda g: -g)


@function(method=True)
def positive(input):
    """``+input``: the tensor itself.

    Raises:
        RuntimeError: ``input`` is boolean.

    >>> import tensorgrad
    >>> +tensorgrad.tensor([1.0, -2.0])
    tensor([ 1., -2.])
    """
    if getattr(input, "dtype", None) in _BOOLS:
        raise errors.DtypeError("the `+` operator, on a bool tensor is not supported")
    return input


@op(inplace=True, ufunc=np.absolute, direct=True)
def abs(x):
    """The absolute value; of a complex tensor, its real magnitude.

    The gradient at 0 is 0.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0, -2.0]).abs()
    tensor([1., 2.])
    """
    return np.absolute(x)


abs.vjp(x=lambda g, x: g * sgn(x))


@op(inplace=True)
def sign(x):
    """-1, 0 or 1 after the sign of each element; 0 for nan. The gradient is zero.

    Raises:
        RuntimeError: ``x`` is complex; use :func:`sgn`.

    >>> import tensorgrad
    >>> tensorgrad.sign(tensorgrad.tensor([-2.0, 0.0, 3.0]))
    tensor([-1.,  0.,  1.])
    """
    if x.dtype.kind == "c":
        raise errors.UnsupportedDtypeError("sign: not defined on complex tensors; use sgn()")
    return _signs(x)


def _signs(x):
    if x.dtype.kind == "b":
        return np.array(x)
    signs = np.sign(x)
    if x.dtype.kind == "f":
        flat = signs.ravel()
        total = flat.dot(flat)
        if total != total:  # there is a nan, and PyTorch's sign of it is 0
            return np.subtract(x > 0, x < 0, dtype=x.dtype)
    return signs


sign.vjp(x=lambda g: zeros_of(g))
UFUNCS[np.sign] = sign  # not as its ufunc, which an in-place write would run


@op(inplace=True, complex="as is")
def sgn(x):
    """As :func:`sign`; of a complex number, the one of magnitude 1 in its direction.

    The gradient of a real number's is 0, and so is that at 0.

    >>> import tensorgrad
    >>> tensorgrad.sgn(tensorgrad.tensor([3 + 4j, 0j]))
    tensor([0.6000+0.8000j, 0.0000+0.0000j])
    """
    return np.sign(x) if x.dtype.kind == "c" else _signs(x)


def _sgn_x(g, x):
    """What of ``g`` is at right angles to ``x``, over the magnitude of ``x``."""
    if (x._array if isinstance(x, Tensor) else x).dtype.kind != "c":
        return zeros_of(g)
    size = abs(x)
    there = size != 0
    size = size + ~there
    along = g.real * x.real + g.imag * x.imag
    return keep(g / size - x * (along / (size * size * size)), there)


sgn.vjp(x=_sgn_x)


# --- powers and roots -------------------------------------------------------------------

_NUMBER = frozenset((int, float))  # weak operands; bool and NumPy numbers take the general way

# np.power takes 9 ms for a million floats where two products take 0.3 ms. NumPy itself
# shortens the exponents 2, 1, 0.5, 0 and -1 of the operator.
_SHORT_POWERS = {
    3: lambda x: x * x * x,
    4: lambda x: (x * x) ** 2,
    -2: lambda x: 1.0 / (x * x),
    -0.5: lambda x: 1.0 / np.sqrt(x),
}


def _power(x, y):
    if type(y) in _NUMBER and x.dtype.kind == "f":
        short = _SHORT_POWERS.get(y)
        return x**y if short is None else short(x)
    return _integer_power(x, y) if np.result_type(x, y).kind in "biu" else x**y


def _raised(x, y):
    """``x ** y`` in a vjp: on arrays too by the short way."""
    return _power(x, y) if type(x) is ndarray else x**y


def _integer_power(x, y):
    """Powers of integers: 0 for a negative tensor exponent, unless the base is 1 or -1."""
    if np.result_type(x, y).kind == "b":
        raise errors.UnsupportedDtypeError("pow: not implemented for two bool tensors")
    if not np.any(np.less(y, 0)):
        return np.power(x, y)
    unit = np.where(x == 1, 1, np.where(x == -1, 1 - 2 * (y % 2), 0))
    return np.where(y < 0, unit, np.power(x, np.maximum(y, 0))).astype(np.result_type(x, y))


def _no_negative_number(x, y):
    if type(y) is int and y < 0 and getattr(x, "_array", x).dtype.kind in "biu":
        raise RuntimeError(
            f"pow: Integers to negative integer powers are not allowed, got {y}; convert the "
            "tensor with .float()"
        )


def _power_x(g, x, y):
    """``y x**(y-1)``; 0 for ``y == 0``, also at ``x == 0``."""
    if type(y) in _NUMBER:
        return zeros_of(g) if y == 0 else g * (_raised(x, y - 1) * y)
    # At 0**0 and nan**0 the exponent is raised by one, so that neither this product nor its
    # derivatives contain 0 * inf.
    # (A bool next to a zero-dimensional y would take the default dtype.)
    flat = cast_like((y == 0) & ((x == 0) | (x != x)), raw_dtype(x))
    return g * (y * x ** (y - 1.0 + flat))


def _power_y(g, x, y, out):
    """``x**y log(x)``; 0 where ``x == 0`` and ``y >= 0``."""
    if type(x) in _NUMBER:
        if x == 0:
            return keep(g * -out, y.real < 0)
        if x < 0 and raw_dtype(y).kind == "c":
            return g * (out * complex(math.log(-x), math.pi))
        return g * (out * (math.log(x) if x > 0 else math.nan))
    return g * (out * log(x + ((x == 0) & (y.real >= 0))))


# PyTorch tells by the name of the node which side was a number; so three ops.
_tensor_power = op(
    _power, name="pow", grad_name="PowBackward1", types="promote", inplace=True, domain=(0.25, 3.0),
    public=False, method=False, check=_no_negative_number,
)  # fmt: skip
_power_of_number = op(
    _power, name="pow_of_number", grad_name="PowBackward2", types="promote", domain=(0.25, 3.0),
    public=False, method=False,
)  # fmt: skip
_power_by_number = op(
    _power, name="pow_by_number", grad_name="PowBackward0", types="promote", domain=(0.25, 3.0),
    public=False, method=False, check=_no_negative_number,
)  # fmt: skip
for _declared in (_tensor_power, _power_of_number, _power_by_number):
    _declared.vjp(x=_power_x, y=_power_y)


@function(method=True)
def pow(input, exponent, *, out=None):
    """``input ** exponent``: tensors or numbers on either side, broadcast and promoted.

    Gradients at zero follow PyTorch: that of ``x ** 0`` is 0 for every x, that of ``0 ** y``
    with respect to y is 0 for y >= 0.

    Raises:
        RuntimeError: an integer tensor to a negative integer number.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0, 2.0, 3.0]) ** 2
    tensor([1., 4., 9.])
    >>> tensorgrad.pow(2, tensorgrad.tensor([1.0, -1.0]))
    tensor([2.0000, 0.5000])
    """
    if type(exponent) in _NUMBER:
        power = _power_by_number
    else:
        power = _power_of_number if type(input) in _NUMBER else _tensor_power
    return power(input, exponent) if out is None else power(input, exponent, out=out)


UFUNCS[np.power] = pow
_by_number = binary(_power_by_number.op, NotImplemented)
_by_tensor = binary(_tensor_power.op, NotImplemented)
METHODS["__pow__"] = lambda self, other: (_by_number if type(other) in _NUMBER else _by_tensor)(
    self, other
)
METHODS["__rpow__"] = reflected(_power_of_number.op)


@function(method=True)
def float_power(input, exponent, *, out=None):
    """``input ** exponent`` computed in float64, which is also the dtype of the result.

    >>> import tensorgrad
    >>> tensorgrad.float_power(tensorgrad.tensor([4, 9]), -0.5)
    tensor([0.5000, 0.3333], dtype=torch.float64)
    """
    return _written(out, pow(_doubled(input), _doubled(exponent)))


def _doubled(x):
    if isinstance(x, Tensor):
        wide = np.complex128 if x._array.dtype.kind == "c" else np.float64
        return cast_like(x, np.dtype(wide))
    return float(x) if isinstance(x, int) else x


@op(inplace=True, ufunc=np.square, grad_name="PowBackward0")
def square(x):
    """``x * x``.

    >>> import tensorgrad
    >>> tensorgrad.square(tensorgrad.tensor([1.0, -2.0]))
    tensor([1., 4.])
    """
    return x * x if x.dtype.kind != "b" else x.astype(np.int64)


square.vjp(x=lambda g, x: g * x * 2.0)


@op(types="float", inplace=True, ufunc=np.sqrt, domain=(0.25, 4.0))
def sqrt(x):
    """The square root; nan for negative elements. The gradient at 0 is inf.

    >>> import tensorgrad
    >>> tensorgrad.tensor([4.0, 2.0]).sqrt()
    tensor([2.0000, 1.4142])
    """
    return np.sqrt(x)


sqrt.vjp(x=lambda g, out: g * 0.5 / out)


@op(types="float", inplace=True, domain=(0.25, 4.0))
def rsqrt(x):
    """``1 / sqrt(x)``: inf at 0, nan for negative elements.

    >>> import tensorgrad
    >>> tensorgrad.rsqrt(tensorgrad.tensor([4.0, 0.25]))
    tensor([0.5000, 2.0000])
    """
    return np.reciprocal(np.sqrt(x))


rsqrt.vjp(x=lambda g, out: g * (out * out * out * -0.5))


# --- exponentials and logarithms --------------------------------------------------------


@op(types="float", inplace=True, ufunc=np.exp, direct=True)
def exp(x):
    """Powers of e, the base of natural logarithms.

    >>> import tensorgrad
    >>> tensorgrad.tensor([0.0, 1.0]).exp()
    tensor([1.0000, 2.7183])
    """
    return np.exp(x)


exp.vjp(x=lambda g, out: g * out)


@op(types="float", inplace=True, ufunc=np.exp2)
def exp2(x):
    """Powers of 2.

    >>> import tensorgrad
    >>> tensorgrad.exp2(tensorgrad.tensor([3.0, -1.0]))
    tensor([8.0000, 0.5000])
    """
    return np.exp2(x)


exp2.vjp(x=lambda g, out: g * (out * math.log(2.0)))


@op(types="float", inplace=True, ufunc=np.expm1)
def expm1(x):
    """``exp(x) - 1``, accurate near 0.

    >>> import tensorgrad
    >>> tensorgrad.expm1(tensorgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.7183])
    """
    return np.expm1(x)


expm1.vjp(x=lambda g, out: g * (out + 1.0))


@op(types="float", inplace=True, ufunc=np.log, domain=(0.25, 4.0))
def log(x):
    """The natural logarithm: -inf at 0, nan for negative elements.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0, 10.0]).log()
    tensor([0.0000, 2.3026])
    """
    return np.log(x)


log.vjp(x=lambda g, x: g / x)


@op(types="float", inplace=True, ufunc=np.log2, domain=(0.25, 4.0))
def log2(x):
    """The logarithm to base 2.

    >>> import tensorgrad
    >>> tensorgrad.log2(tensorgrad.tensor([8.0, 0.5]))
    tensor([ 3., -1.])
    """
    return np.log2(x)


log2.vjp(x=lambda g, x: g / (x * math.log(2.0)))


@op(types="float", inplace=True, ufunc=np.log10, domain=(0.25, 4.0))
def log10(x):
    """The logarithm to base 10.

    >>> import tensorgrad
    >>> tensorgrad.log10(tensorgrad.tensor([100.0, 0.1]))
    tensor([ 2., -1.])
    """
    if x.dtype == np.float32:  # in float32, NumPy's log10(100) is 2.0000002 on some processors
        return np.log10(x, dtype=np.float64).astype(np.float32)
    return np.log10(x)


log10.vjp(x=lambda g, x: g / (x * math.log(10.0)))


@op(types="float", inplace=True, ufunc=np.log1p, domain=(-0.5, 4.0), grad_name="Log1PBackward0")
def log1p(x):
    """``log(1 + x)``, accurate near 0.

    >>> import tensorgrad
    >>> tensorgrad.log1p(tensorgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.6931])
    """
    return np.log1p(x)


log1p.vjp(x=lambda g, x: g / (x + 1.0))


@op(types="float", inplace=True, ufunc=np.tanh, direct=True)
def tanh(x):
    """The hyperbolic tangent.

    >>> import tensorgrad
    >>> tensorgrad.tensor([0.0, 1.0]).tanh()
    tensor([0.0000, 0.7616])
    """
    return np.tanh(x)


tanh.vjp(x=lambda g, out: g * (1.0 - out * out))


@op(types="float", inplace=True)
def sigmoid(x):
    """The logistic function ``1 / (1 + exp(-x))``; also published as ``expit``.

    >>> import tensorgrad
    >>> tensorgrad.tensor([0.0, 2.0, -200.0]).sigmoid()
    tensor([0.5000, 0.8808, 0.0000])
    """
    # exp overflows to inf far below zero, where 1 / inf is the right 0. An errstate to say so
    # would cost 1.3 us of the 3 that a small tensor takes.
    return np.reciprocal(np.exp(-x) + 1.0)


sigmoid.vjp(x=lambda g, out: g * (out * (1.0 - out)))


# --- PyTorch's other names --------------------------------------------------------------

alias(mul, "multiply")
alias(sub, "subtract")
alias(div, "divide", "true_divide")
alias(neg, "negative")
alias(abs, "absolute")
alias(sigmoid, "expit", method=False)
