"""Comparison, logic, and the larger or smaller of two, element by element."""

from __future__ import annotations

import math

import numpy as np

from .. import errors
from .._graph import Tensor
from .._registry import METHODS, alias, function, op
from .elementwise import keep

# --- comparisons ------------------------------------------------------------------------
#
# Their results are boolean and not tracked. A Python number is compared in the dtype of the
# tensor, so float32 tensors holding 0.1 equal the number 0.1.


@op(types="promote", differentiable=False, inplace=True, ufunc=np.equal)
def eq(x, y):
    """``x == y``, a bool tensor. nan equals nothing.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2]) == 2
    tensor([False,  True])
    """
    return np.equal(x, y)


@op(types="promote", differentiable=False, inplace=True, ufunc=np.not_equal)
def ne(x, y):
    """``x != y``, a bool tensor.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2]) != 2
    tensor([ True, False])
    """
    return np.not_equal(x, y)


def _ordered(name, x, y):
    """Refuse complex numbers; the fast path promotes none, so one of the two shows the kind."""
    own = (x if isinstance(x, np.ndarray) else np.asarray(y)).dtype
    if own.kind == "c":
        raise errors.UnsupportedDtypeError(f"{name}: complex tensors are not ordered, got {own}")


@op(types="promote", differentiable=False, inplace=True, ufunc=np.less)
def lt(x, y):
    """``x < y``, a bool tensor.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2, 3]) < 2
    tensor([ True, False, False])
    """
    _ordered("lt", x, y)
    return np.less(x, y)


@op(types="promote", differentiable=False, inplace=True, ufunc=np.less_equal)
def le(x, y):
    """``x <= y``, a bool tensor.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2, 3]) <= 2
    tensor([ True,  True, False])
    """
    _ordered("le", x, y)
    return np.less_equal(x, y)


@op(types="promote", differentiable=False, inplace=True, ufunc=np.greater)
def gt(x, y):
    """``x > y``, a bool tensor.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2, 3]) > 2
    tensor([False, False,  True])
    """
    _ordered("gt", x, y)
    return np.greater(x, y)


@op(types="promote", differentiable=False, inplace=True, ufunc=np.greater_equal)
def ge(x, y):
    """``x >= y``, a bool tensor.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2, 3]) >= 2
    tensor([False,  True,  True])
    """
    _ordered("ge", x, y)
    return np.greater_equal(x, y)


@op(differentiable=False, ufunc=np.isnan)
def isnan(x):
    """Whether each element is nan.

    >>> import tensorgrad
    >>> tensorgrad.isnan(tensorgrad.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """
    return np.isnan(x)


@op(differentiable=False, ufunc=np.isinf)
def isinf(x):
    """Whether each element is inf or -inf.

    >>> import tensorgrad
    >>> tensorgrad.isinf(tensorgrad.tensor([1.0, float("-inf")]))
    tensor([False,  True])
    """
    return np.isinf(x)


@op(differentiable=False, ufunc=np.isfinite)
def isfinite(x):
    """Whether each element is neither inf, -inf nor nan.

    >>> import tensorgrad
    >>> tensorgrad.isfinite(tensorgrad.tensor([1.0, float("nan")]))
    tensor([ True, False])
    """
    return np.isfinite(x)


@op(differentiable=False)
def isposinf(x):
    """Whether each element is inf.

    Raises:
        RuntimeError: ``x`` is complex.

    >>> import tensorgrad
    >>> tensorgrad.isposinf(tensorgrad.tensor([float("inf"), float("-inf")]))
    tensor([ True, False])
    """
    _demand_real("isposinf", x)
    return np.equal(x, math.inf)


@op(differentiable=False)
def isneginf(x):
    """Whether each element is -inf.

    Raises:
        RuntimeError: ``x`` is complex.

    >>> import tensorgrad
    >>> tensorgrad.isneginf(tensorgrad.tensor([float("inf"), float("-inf")]))
    tensor([False,  True])
    """
    _demand_real("isneginf", x)
    return np.equal(x, -math.inf)


@op(differentiable=False)
def isreal(x):
    """Whether each element has no imaginary part.

    >>> import tensorgrad
    >>> tensorgrad.isreal(tensorgrad.tensor([1j, 2 + 0j]))
    tensor([False,  True])
    """
    return np.equal(x.imag, 0)


def _demand_real(name, x):
    if x.dtype.kind == "c":
        raise errors.DtypeError(f"{name}: complex tensors are not ordered, got {x.dtype}")


@op(types="same", differentiable=False)
def isclose(x, y, *, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether ``|x - y| <= atol + rtol * |y|``, element by element; infinities when equal.

    Args:
        x: any tensor.
        y: tensor of the same dtype.
        rtol: relative tolerance, not negative.
        atol: absolute tolerance, not negative.
        equal_nan: whether two nan are close.

    Raises:
        RuntimeError: the dtypes differ, or a tolerance is negative.

    >>> import tensorgrad
    >>> a = tensorgrad.tensor([1.0, 2.0])
    >>> tensorgrad.isclose(a, a + tensorgrad.tensor([1e-6, 0.1]))
    tensor([ True, False])
    """
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if tolerance < 0:
            raise RuntimeError(
                f"isclose: {name} must be greater than or equal to zero, got {tolerance}"
            )
    close = np.equal(x, y)
    if equal_nan:
        close = close | (np.isnan(x) & np.isnan(y))
    if x.dtype.kind == "b":
        x, y = x.astype(np.uint8), y.astype(np.uint8)
    gap = np.maximum(x, y) - np.minimum(x, y) if x.dtype.kind == "u" else np.absolute(x - y)
    return close | (np.isfinite(gap) & (gap <= atol + rtol * np.absolute(y)))


@function(method=True)
def allclose(input, other, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether every element :func:`isclose`: a Python bool.

    >>> import tensorgrad
    >>> a = tensorgrad.tensor([1.0, 2.0])
    >>> tensorgrad.allclose(a, a + 1e-6), tensorgrad.allclose(a, a + 0.1)
    (True, False)
    """
    close = isclose(input, other, rtol=rtol, atol=atol, equal_nan=equal_nan)
    return bool(np.all(close._array))


@function(method=True)
def equal(input, other):
    """Whether both tensors have the same shape and elements: a Python bool.

    Raises:
        TypeError: an argument is not a tensor.

    >>> import tensorgrad
    >>> a = tensorgrad.tensor([1, 2])
    >>> tensorgrad.equal(a, a.clone()), tensorgrad.equal(a, a[:1])
    (True, False)
    """
    for name, x in (("input", input), ("other", other)):
        if not isinstance(x, Tensor):
            raise TypeError(f"equal(): argument {name!r} must be Tensor, not {type(x).__name__}")
    return np.array_equal(input._array, other._array)


# --- logic ------------------------------------------------------------------------------


@op(differentiable=False, inplace=True, ufunc=np.logical_and)
def logical_and(x, y):
    """Whether both are nonzero.

    >>> import tensorgrad
    >>> tensorgrad.logical_and(tensorgrad.tensor([0, 1, 2]), tensorgrad.tensor([1, 1, 0]))
    tensor([False,  True, False])
    """
    return np.logical_and(x, y)


@op(differentiable=False, inplace=True, ufunc=np.logical_or)
def logical_or(x, y):
    """Whether one of both is nonzero.

    >>> import tensorgrad
    >>> tensorgrad.logical_or(tensorgrad.tensor([0, 1, 0]), tensorgrad.tensor([1, 1, 0]))
    tensor([ True,  True, False])
    """
    return np.logical_or(x, y)


@op(differentiable=False, inplace=True, ufunc=np.logical_xor)
def logical_xor(x, y):
    """Whether exactly one of both is nonzero.

    >>> import tensorgrad
    >>> tensorgrad.logical_xor(tensorgrad.tensor([0, 1, 0]), tensorgrad.tensor([1, 1, 0]))
    tensor([ True, False, False])
    """
    return np.logical_xor(x, y)


@op(differentiable=False, inplace=True, ufunc=np.logical_not)
def logical_not(x):
    """Whether each element is zero.

    >>> import tensorgrad
    >>> tensorgrad.logical_not(tensorgrad.tensor([0, 1, 2]))
    tensor([ True, False, False])
    """
    return np.logical_not(x)


@op(types="promote", differentiable=False, inplace=True, ufunc=np.bitwise_and)
def bitwise_and(x, y):
    """``x & y`` of integers, bit by bit, or of booleans.

    Raises:
        RuntimeError: a floating-point tensor; so for all bitwise operations.

    >>> import tensorgrad
    >>> tensorgrad.tensor([5, 6]) & 3
    tensor([1, 2])
    """
    return np.bitwise_and(x, y)


@op(types="promote", differentiable=False, inplace=True, ufunc=np.bitwise_or)
def bitwise_or(x, y):
    """``x | y`` of integers, bit by bit, or of booleans.

    >>> import tensorgrad
    >>> tensorgrad.tensor([True, False]) | tensorgrad.tensor([False, False])
    tensor([ True, False])
    """
    return np.bitwise_or(x, y)


@op(types="promote", differentiable=False, inplace=True, ufunc=np.bitwise_xor)
def bitwise_xor(x, y):
    """``x ^ y`` of integers, bit by bit, or of booleans.

    >>> import tensorgrad
    >>> tensorgrad.tensor([5, 6]) ^ 3
    tensor([6, 5])
    """
    return np.bitwise_xor(x, y)


@op(differentiable=False, inplace=True, ufunc=np.invert)
def bitwise_not(x):
    """``~x`` of integers, bit by bit, or of booleans.

    >>> import tensorgrad
    >>> ~tensorgrad.tensor([True, False]), ~tensorgrad.tensor([0, 5])
    (tensor([False,  True]), tensor([-1, -6]))
    """
    return np.invert(x)


def _invert(self):
    """``~x``; of floats PyTorch raises another error from the operator than from the function."""
    if self._array.dtype.kind in "fc":
        raise TypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors, got "
            f"{errors.describe(self)}"
        )
    return bitwise_not(self)


METHODS["__invert__"] = _invert


@op(types="promote", differentiable=False, inplace=True, ufunc=np.left_shift)
def bitwise_left_shift(x, y):
    """``x << y`` of integers; 0 where ``y`` is negative or as large as the width of the dtype.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 3]) << 2
    tensor([ 4, 12])
    """
    _no_two_bools("bitwise_left_shift", x, y)
    return np.left_shift(x, y)


@op(types="promote", differentiable=False, inplace=True, ufunc=np.right_shift)
def bitwise_right_shift(x, y):
    """``x >> y`` of integers, which keeps the sign.

    >>> import tensorgrad
    >>> tensorgrad.tensor([8, -8]) >> 2
    tensor([ 2, -2])
    """
    _no_two_bools("bitwise_right_shift", x, y)
    return np.right_shift(x, y)


def _no_two_bools(name, x, y):
    if np.result_type(x, y).kind == "b":
        raise errors.UnsupportedDtypeError(f"{name}: not implemented for two bool tensors")


# --- larger, smaller, between -----------------------------------------------------------


@op(types="promote", ufunc=np.maximum)
def maximum(x, y):
    """The larger of both; nan where either is nan.

    Where both are equal each gets half of the gradient.

    >>> import tensorgrad
    >>> tensorgrad.maximum(tensorgrad.tensor([1.0, 5.0]), tensorgrad.tensor([3.0, 2.0]))
    tensor([3., 5.])
    """
    return np.maximum(x, y)


@op(types="promote", ufunc=np.minimum)
def minimum(x, y):
    """The smaller of both; nan where either is nan. Ties as for :func:`maximum`.

    >>> import tensorgrad
    >>> tensorgrad.minimum(tensorgrad.tensor([1.0, 5.0]), tensorgrad.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return np.minimum(x, y)


def _half_on_ties(g, behind, not_ahead):
    """``g``, half of it where ``not_ahead`` but not ``behind``, 0 where ``behind``."""
    half = g * 0.5
    return keep(half, ~behind) + keep(half, ~not_ahead)


maximum.vjp(
    x=lambda g, x, y: _half_on_ties(g, x < y, x <= y),
    y=lambda g, x, y: _half_on_ties(g, y < x, y <= x),
)
minimum.vjp(
    x=lambda g, x, y: _half_on_ties(g, x > y, x >= y),
    y=lambda g, x, y: _half_on_ties(g, y > x, y >= x),
)


@op(types="promote", ufunc=np.fmax)
def fmax(x, y):
    """The larger of both; the other one where one is nan. On ties ``x`` gets the gradient.

    >>> import tensorgrad
    >>> tensorgrad.fmax(tensorgrad.tensor([1.0, float("nan")]), tensorgrad.tensor([3.0, 2.0]))
    tensor([3., 2.])
    """
    return np.fmax(x, y)


@op(types="promote", ufunc=np.fmin)
def fmin(x, y):
    """The smaller of both; the other one where one is nan. On ties ``x`` gets the gradient.

    >>> import tensorgrad
    >>> tensorgrad.fmin(tensorgrad.tensor([1.0, float("nan")]), tensorgrad.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return np.fmin(x, y)


fmax.vjp(
    x=lambda g, x, y: keep(g, (x >= y) | (y != y)),
    y=lambda g, x, y: keep(g, ~((x >= y) | (y != y))),
)
fmin.vjp(
    x=lambda g, x, y: keep(g, (x <= y) | (y != y)),
    y=lambda g, x, y: keep(g, ~((x <= y) | (y != y))),
)


@op(types="promote", inplace=True, grad_name="ClampBackward1")
def clamp(x, min=None, max=None):
    """``x`` limited to [min, max]; ``max`` wins where it is below ``min``. Also ``clip``.

    Args:
        x: any real tensor.
        min: number or tensor, or None for no bound.
        max: number or tensor, or None for no bound.

    The gradient passes to ``x`` inside and at the bounds, beyond them to the bound.

    Raises:
        RuntimeError: both bounds are None.

    >>> import tensorgrad
    >>> tensorgrad.tensor([-1.0, 0.5, 3.0]).clamp(0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("clamp: at least one of 'min' or 'max' must not be None")
    if min is None:
        return np.minimum(x, max)
    # np.clip spends 4 us on its arguments; these take 1 us for a small array.
    low = np.maximum(x, min)
    return low if max is None else np.minimum(low, max)


def _inside(x, min, max):
    if max is None:
        return x >= min
    return x <= max if min is None else (x >= min) & (x <= max)


clamp.vjp(
    x=lambda g, x, min, max: keep(g, _inside(x, min, max)),
    min=lambda g, x, min, max: keep(g, x < min if max is None else (x < min) & (min < max)),
    max=lambda g, x, min, max: keep(g, x > max if min is None else (x > max) | (max < min)),
)


@op(types="promote", inplace=True)
def clamp_min(x, min):
    """The larger of ``x`` and the bound ``min``; at a tie ``x`` gets the gradient.

    >>> import tensorgrad
    >>> tensorgrad.tensor([-1.0, 2.0]).clamp_min(0)
    tensor([0., 2.])
    """
    return np.maximum(x, min)


@op(types="promote", inplace=True)
def clamp_max(x, max):
    """The smaller of ``x`` and the bound ``max``; at a tie ``x`` gets the gradient.

    >>> import tensorgrad
    >>> tensorgrad.tensor([-1.0, 2.0]).clamp_max(0)
    tensor([-1.,  0.])
    """
    return np.minimum(x, max)


clamp_min.vjp(
    x=lambda g, x, min: keep(g, x >= min),
    min=lambda g, x, min: keep(g, x < min),
)
clamp_max.vjp(
    x=lambda g, x, max: keep(g, x <= max),
    max=lambda g, x, max: keep(g, x > max),
)


# --- PyTorch's other names --------------------------------------------------------------

alias(clamp, "clip")
alias(ne, "not_equal")
alias(lt, "less")
alias(le, "less_equal")
alias(gt, "greater")
alias(ge, "greater_equal")
