"""Trigonometry, rounding, special functions and complex numbers, element by element.

SciPy is imported by the functions that need it, when they first run: erf, erfc, erfinv,
lgamma, digamma and polygamma.
"""

from __future__ import annotations

import math

import numpy as np

from .. import _graph, errors
from .._graph import Tensor, ndarray
from .._inplace import write_out
from .._registry import METHODS, alias, coerce, function, op
from .comparison import clamp
from .elementwise import (
    cast,
    clone,
    div,
    exp,
    keep,
    log,
    mul,
    pow,
    sigmoid,
    sign,
    sqrt,
    square,
    zeros_of,
)
from .elementwise import where_ as choose
from .shape import contiguous

# --- trigonometric and hyperbolic functions ---------------------------------------------


@op(types="float", inplace=True, ufunc=np.sin, direct=True)
def sin(x):
    """The sine of an angle in radians.

    >>> import tensorgrad
    >>> tensorgrad.sin(tensorgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8415])
    """
    return np.sin(x)


@op(types="float", inplace=True, ufunc=np.cos, direct=True)
def cos(x):
    """The cosine of an angle in radians.

    >>> import tensorgrad
    >>> tensorgrad.cos(tensorgrad.tensor([0.0, 1.0]))
    tensor([1.0000, 0.5403])
    """
    return np.cos(x)


@op(types="float", inplace=True, ufunc=np.tan, domain=(-1.25, 1.25))
def tan(x):
    """The tangent of an angle in radians.

    >>> import tensorgrad
    >>> tensorgrad.tan(tensorgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5574])
    """
    return np.tan(x)


@op(types="float", inplace=True, ufunc=np.arcsin, domain=(-0.875, 0.875))
def asin(x):
    """The angle in [-pi/2, pi/2] with sine ``x``; nan outside [-1, 1]. Also ``arcsin``.

    >>> import tensorgrad
    >>> tensorgrad.asin(tensorgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5708])
    """
    return np.arcsin(x)


@op(types="float", inplace=True, ufunc=np.arccos, domain=(-0.875, 0.875))
def acos(x):
    """The angle in [0, pi] with cosine ``x``; nan outside [-1, 1]. Also ``arccos``.

    >>> import tensorgrad
    >>> tensorgrad.acos(tensorgrad.tensor([0.0, 1.0]))
    tensor([1.5708, 0.0000])
    """
    return np.arccos(x)


@op(types="float", inplace=True, ufunc=np.arctan)
def atan(x):
    """The angle in (-pi/2, pi/2) with tangent ``x``. Also ``arctan``.

    >>> import tensorgrad
    >>> tensorgrad.atan(tensorgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7854])
    """
    return np.arctan(x)


@op(types="float", inplace=True, ufunc=np.sinh)
def sinh(x):
    """The hyperbolic sine.

    >>> import tensorgrad
    >>> tensorgrad.sinh(tensorgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 1.1752])
    """
    return np.sinh(x)


@op(types="float", inplace=True, ufunc=np.cosh)
def cosh(x):
    """The hyperbolic cosine.

    >>> import tensorgrad
    >>> tensorgrad.cosh(tensorgrad.tensor([0.0, 1.0]))
    tensor([1.0000, 1.5431])
    """
    return np.cosh(x)


@op(types="float", inplace=True, ufunc=np.arcsinh)
def asinh(x):
    """The inverse of :func:`sinh`. Also ``arcsinh``.

    >>> import tensorgrad
    >>> tensorgrad.asinh(tensorgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8814])
    """
    return np.arcsinh(x)


@op(types="float", inplace=True, ufunc=np.arccosh, domain=(1.25, 4.0))
def acosh(x):
    """The inverse of :func:`cosh`, not negative; nan below 1. Also ``arccosh``.

    >>> import tensorgrad
    >>> tensorgrad.acosh(tensorgrad.tensor([1.0, 2.0]))
    tensor([0.0000, 1.3170])
    """
    return np.arccosh(x)


@op(types="float", inplace=True, ufunc=np.arctanh, domain=(-0.875, 0.875))
def atanh(x):
    """The inverse of :func:`tanh`; inf at 1, nan outside [-1, 1]. Also ``arctanh``.

    >>> import tensorgrad
    >>> tensorgrad.atanh(tensorgrad.tensor([0.0, 0.5]))
    tensor([0.0000, 0.5493])
    """
    return np.arctanh(x)


def _is_complex(x):
    return (x._array if isinstance(x, Tensor) else x).dtype.kind == "c"


sin.vjp(x=lambda g, x: g * cos(x))
cos.vjp(x=lambda g, x: g * -sin(x))
tan.vjp(x=lambda g, out: g * (out * out + 1.0))
asin.vjp(x=lambda g, x: g / sqrt(1.0 - x * x))
acos.vjp(x=lambda g, x: -g / sqrt(1.0 - x * x))
atan.vjp(x=lambda g, x: g / (x * x + 1.0))
sinh.vjp(x=lambda g, x: g * cosh(x))
cosh.vjp(x=lambda g, x: g * sinh(x))
asinh.vjp(x=lambda g, x: g / sqrt(x * x + 1.0))
# Of complex numbers, the product of the roots is not the root of the product.
acosh.vjp(
    x=lambda g, x: (
        g / (sqrt(x - 1.0) * sqrt(x + 1.0)) if _is_complex(x) else g / sqrt(x * x - 1.0)
    )
)
atanh.vjp(x=lambda g, x: g / (1.0 - x * x))


def _no_zero(q):
    """``q`` with its zeros replaced by one: a divisor where 0 / 0 is meant to be 0."""
    return q + (q == 0)


@op(types="float", inplace=True, ufunc=np.arctan2, grad_name="Atan2Backward0")
def atan2(x, y):
    """The angle in [-pi, pi] of the point with ordinate ``x`` and abscissa ``y``. Also ``arctan2``.

    Both gradients are 0 at the origin.

    >>> import tensorgrad
    >>> tensorgrad.atan2(tensorgrad.tensor([1.0, 0.0]), tensorgrad.tensor([1.0, -1.0]))
    tensor([0.7854, 3.1416])
    """
    return np.arctan2(x, y)


atan2.vjp(
    x=lambda g, x, y: g * (y / _no_zero(x * x + y * y)),
    y=lambda g, x, y: g * (-x / _no_zero(x * x + y * y)),
)


@op(types="float", inplace=True, ufunc=np.hypot)
def hypot(x, y):
    """``sqrt(x**2 + y**2)`` without overflow. Both gradients are 0 at the origin.

    >>> import tensorgrad
    >>> tensorgrad.hypot(tensorgrad.tensor([3.0, 0.0]), tensorgrad.tensor([4.0, 2.0]))
    tensor([5., 2.])
    """
    return np.hypot(x, y)


hypot.vjp(
    x=lambda g, x, out: g * (x / _no_zero(out)),
    y=lambda g, y, out: g * (y / _no_zero(out)),
)


@op(types="float", inplace=True, ufunc=np.deg2rad, grad_name="Deg2RadBackward0")
def deg2rad(x):
    """Degrees as radians.

    >>> import tensorgrad
    >>> tensorgrad.deg2rad(tensorgrad.tensor([180.0, 90.0]))
    tensor([3.1416, 1.5708])
    """
    return x * (math.pi / 180.0)


@op(types="float", inplace=True, ufunc=np.rad2deg, grad_name="Rad2DegBackward0")
def rad2deg(x):
    """Radians as degrees.

    >>> import tensorgrad
    >>> tensorgrad.rad2deg(tensorgrad.tensor([0.0, 1.0]))
    tensor([ 0.0000, 57.2958])
    """
    return x * (180.0 / math.pi)


deg2rad.vjp(x=lambda g: g * (math.pi / 180.0))
rad2deg.vjp(x=lambda g: g * (180.0 / math.pi))


@op(types="float", inplace=True)
def sinc(x):
    """``sin(pi x) / (pi x)``, 1 at 0. Derivatives of every order are exact at and near 0.

    >>> import tensorgrad
    >>> tensorgrad.sinc(tensorgrad.tensor([0.0, 0.5]))
    tensor([1.0000, 0.6366])
    """
    u = x * math.pi
    return np.where(x == 0, 1, np.sin(u) / u)


@op(types="float", public=False, method=False)
def sinc_derivative(x, *, order):
    """The derivative of :func:`sinc` of the given order.

    With u = pi x and S_n the n-th derivative of sin(u) / u, differentiating u S_0 = sin(u)
    n times gives u S_n + n S_(n-1) = sin(u + n pi / 2). That loses digits for u below n; there
    the power series, S_n = sum_k (-1)**k u**(2k-n) / ((2k+1) (2k-n)!), takes over.
    """
    u = x * math.pi
    turned = (np.sin(u), np.cos(u), -np.sin(u), -np.cos(u))
    far = turned[0] / u
    for n in range(1, order + 1):
        far = (turned[n % 4] - n * far) / u
    series = _sinc_series(u, order)
    return np.where(np.absolute(u) < order + 1, series, far) * math.pi**order


def _sinc_series(u, order):
    first = (order + 1) // 2
    square, total = u * u, u * 0.0
    for k in range(first + 12 + order, first - 1, -1):
        total = total * square + (-1) ** k / ((2 * k + 1) * math.factorial(2 * k - order))
    return total if order % 2 == 0 else total * u


sinc.vjp(x=lambda g, x: g * sinc_derivative(x, order=1))
sinc_derivative.vjp(x=lambda g, x, *, order: g * sinc_derivative(x, order=order + 1))


# --- logarithms of two, products with logarithms ----------------------------------------


@op(types="float", ufunc=np.logaddexp)
def logaddexp(x, y):
    """``log(exp(x) + exp(y))`` without overflow.

    >>> import tensorgrad
    >>> tensorgrad.logaddexp(tensorgrad.tensor([0.0, 20.0]), tensorgrad.tensor([0.0, 20.0]))
    tensor([ 0.6931, 20.6931])
    """
    return np.logaddexp(x, y)


@op(types="float", ufunc=np.logaddexp2)
def logaddexp2(x, y):
    """``log2(2**x + 2**y)`` without overflow.

    >>> import tensorgrad
    >>> tensorgrad.logaddexp2(tensorgrad.tensor([0.0, 1.0]), tensorgrad.tensor([0.0, 1.0]))
    tensor([1., 2.])
    """
    return np.logaddexp2(x, y)


logaddexp.vjp(
    x=lambda g, x, y: g * sigmoid(x - y),
    y=lambda g, x, y: g * sigmoid(y - x),
)
logaddexp2.vjp(
    x=lambda g, x, y: g * sigmoid((x - y) * math.log(2.0)),
    y=lambda g, x, y: g * sigmoid((y - x) * math.log(2.0)),
)


@op(types="float", inplace=True, domain=(0.25, 4.0))
def xlogy(x, y):
    """``x * log(y)``, 0 where ``x`` is 0 (unless ``y`` is nan).

    Gradients are 0 where ``x`` is 0 and ``y`` is not positive; there PyTorch gives nan for y.

    >>> import tensorgrad
    >>> tensorgrad.xlogy(tensorgrad.tensor([0.0, 2.0]), tensorgrad.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """
    logarithm = np.log(y) if isinstance(y, ndarray) else _log_of(y)
    return np.where((x == 0) & (y == y), 0, x * logarithm)


def _log_of(number):
    """The logarithm of a Python number, which keeps the dtype of an array next to it."""
    return math.log(number) if number > 0 else -math.inf if number == 0 else math.nan


def _xlogy_x(g, x, y):
    if isinstance(y, int | float):
        return g * _log_of(y) if y > 0 else keep(g * _log_of(y), x != 0)
    return g * log(choose((x == 0) & (y <= 0), 1.0, y))


xlogy.vjp(x=_xlogy_x, y=lambda g, x, y: g * (x / choose((x == 0) & (y == 0), 1.0, y)))


@op(types="float", inplace=True, domain=(0.125, 0.875))
def logit(x, *, eps=None):
    """``log(x / (1 - x))``, the inverse of :func:`sigmoid`.

    Args:
        x: probabilities; outside [0, 1] the result is nan.
        eps: limits ``x`` to [eps, 1 - eps] first; beyond, the gradient is 0. Default None.

    >>> import tensorgrad
    >>> tensorgrad.logit(tensorgrad.tensor([0.5, 0.75, 1.0]))
    tensor([0.0000, 1.0986,    inf])
    >>> tensorgrad.logit(tensorgrad.tensor([0.0, 1.0]), eps=0.25)
    tensor([-1.0986,  1.0986])
    """
    if eps is not None:
        x = np.minimum(np.maximum(x, eps), 1.0 - eps)
    return np.log(x / (1.0 - x))


def _logit_x(g, x, *, eps):
    if eps is None:
        return g / choose((x < 0) | (x > 1), math.nan, x * (1.0 - x))
    inside = clamp(x, eps, 1.0 - eps)
    return keep(g / (inside * (1.0 - inside)), (x >= eps) & (x <= 1.0 - eps))


logit.vjp(x=_logit_x)


# --- error function and gamma function --------------------------------------------------


def _scipy(name, x, *before):
    """A function of scipy.special, in the dtype of ``x``."""
    from scipy import special

    return getattr(special, name)(*before, x).astype(x.dtype, copy=False)


@op(types="float", inplace=True)
def erf(x):
    """The error function, ``2 / sqrt(pi)`` times the integral of exp(-t**2) from 0 to x.

    >>> import tensorgrad
    >>> tensorgrad.erf(tensorgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8427])
    """
    return _scipy("erf", x)


@op(types="float", inplace=True)
def erfc(x):
    """``1 - erf(x)``, accurate for large ``x``.

    >>> import tensorgrad
    >>> tensorgrad.erfc(tensorgrad.tensor([0.0, 1.0]))
    tensor([1.0000, 0.1573])
    """
    return _scipy("erfc", x)


@op(types="float", inplace=True, domain=(-0.875, 0.875))
def erfinv(x):
    """The inverse of :func:`erf`: infinite at -1 and 1, nan outside.

    >>> import tensorgrad
    >>> tensorgrad.erfinv(tensorgrad.tensor([0.0, 0.5]))
    tensor([0.0000, 0.4769])
    """
    return _scipy("erfinv", x)


erf.vjp(x=lambda g, x: g * (exp(-(x * x)) * (2.0 / math.sqrt(math.pi))))
erfc.vjp(x=lambda g, x: g * (exp(-(x * x)) * (-2.0 / math.sqrt(math.pi))))
erfinv.vjp(x=lambda g, out: g * (exp(out * out) * (math.sqrt(math.pi) / 2.0)))


@op(types="float", inplace=True, domain=(0.25, 4.0))
def lgamma(x):
    """The logarithm of the absolute value of the gamma function; inf at 0, -1, -2, ...

    >>> import tensorgrad
    >>> tensorgrad.lgamma(tensorgrad.tensor([1.0, 4.0]))
    tensor([0.0000, 1.7918])
    """
    return np.where(x == -math.inf, math.inf, _scipy("gammaln", x))


@op(types="float", inplace=True, domain=(0.25, 4.0))
def digamma(x):
    """The derivative of :func:`lgamma`.

    >>> import tensorgrad
    >>> tensorgrad.digamma(tensorgrad.tensor([1.0, 2.0]))
    tensor([-0.5772,  0.4228])
    """
    return _scipy("digamma", x)


@op(types="float", domain=(0.25, 4.0), method=False, order="n x")
def polygamma(x, *, n):
    """The ``n``-th derivative of :func:`digamma`; as a method, ``x.polygamma(n)``.

    Raises:
        RuntimeError: ``n`` is negative.

    >>> import tensorgrad
    >>> tensorgrad.polygamma(1, tensorgrad.tensor([1.0, 2.0]))
    tensor([1.6449, 0.6449])
    """
    if n < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, got {n}")
    return _scipy("polygamma", x, n)


METHODS["polygamma"] = lambda self, n: polygamma(n, self)
METHODS["polygamma"].__doc__ = "The ``n``-th derivative of :func:`tensorgrad.digamma`."

lgamma.vjp(x=lambda g, x: g * digamma(x))
digamma.vjp(x=lambda g, x: g * polygamma(1, x))
polygamma.vjp(x=lambda g, x, *, n: g * polygamma(n + 1, x))


# --- rounding; all of it has gradient zero, except frac ---------------------------------


def _rounded(name, rounding, x):
    if x.dtype.kind in "bc":
        raise errors.UnsupportedDtypeError(f"{name}: not implemented for {errors.describe(x)}")
    return rounding(x) if x.dtype.kind == "f" else np.array(x)


@op(inplace=True, ufunc=np.floor)
def floor(x):
    """The largest integer not above each element, in the dtype of ``x``. Its gradient is zero.

    >>> import tensorgrad
    >>> tensorgrad.floor(tensorgrad.tensor([1.5, -1.5]))
    tensor([ 1., -2.])
    """
    return _rounded("floor", np.floor, x)


@op(inplace=True, ufunc=np.ceil)
def ceil(x):
    """The smallest integer not below each element, in the dtype of ``x``. Its gradient is zero.

    >>> import tensorgrad
    >>> tensorgrad.ceil(tensorgrad.tensor([1.5, -1.5]))
    tensor([ 2., -1.])
    """
    return _rounded("ceil", np.ceil, x)


@op(inplace=True, ufunc=np.trunc)
def trunc(x):
    """Each element without its fraction, in the dtype of ``x``; also ``fix``. Gradient zero.

    >>> import tensorgrad
    >>> tensorgrad.trunc(tensorgrad.tensor([1.5, -1.5]))
    tensor([ 1., -1.])
    """
    return _rounded("trunc", np.trunc, x)


@op(inplace=True, ufunc=np.rint)
def round_(x, *, decimals=0):
    """The nearest integer, halves to the even one. Its gradient is zero.

    Args:
        x: any real tensor; the result has its dtype.
        decimals: digits to keep after the decimal point; negative: before it. Floats only.

    Raises:
        RuntimeError: ``decimals`` given for integers.

    >>> import tensorgrad
    >>> tensorgrad.round(tensorgrad.tensor([0.5, 1.5, 2.6]))
    tensor([0., 2., 3.])
    >>> tensorgrad.round(tensorgrad.tensor([1.256]), decimals=2)
    tensor([1.2600])
    """
    if decimals and x.dtype.kind != "f":
        raise errors.UnsupportedDtypeError(
            f"round: decimals={decimals} needs a floating-point tensor, got {errors.describe(x)}"
        )
    return _rounded("round", lambda x: np.round(x, decimals), x)


floor.vjp(x=lambda g: zeros_of(g))
ceil.vjp(x=lambda g: zeros_of(g))
trunc.vjp(x=lambda g: zeros_of(g))
round_.vjp(x=lambda g: zeros_of(g))


@op(inplace=True)
def frac(x):
    """The fraction of each element, with its sign: ``x - trunc(x)``. Its gradient is one.

    Raises:
        RuntimeError: ``x`` is not floating point.

    >>> import tensorgrad
    >>> tensorgrad.frac(tensorgrad.tensor([1.5, -1.25]))
    tensor([ 0.5000, -0.2500])
    """
    if x.dtype.kind != "f":
        raise errors.UnsupportedDtypeError(f"frac: not implemented for {errors.describe(x)}")
    return x - np.trunc(x)


frac.vjp(x=lambda g: g)


@op(inplace=True)
def nan_to_num(x, *, nan=0.0, posinf=None, neginf=None):
    """``x`` with nan and infinities replaced by numbers; their gradient is zero.

    Args:
        x: any tensor.
        nan: stands for nan; default 0.
        posinf: stands for inf; default the largest number of the dtype.
        neginf: stands for -inf; default the lowest number of the dtype.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([float("nan"), float("inf"), 1.0])
    >>> tensorgrad.nan_to_num(x, posinf=9.0)
    tensor([0., 9., 1.])
    """
    return np.nan_to_num(x, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)


nan_to_num.vjp(x=lambda g, x: keep(g, (x - x) == 0))  # false for inf and nan


# --- signs and steps --------------------------------------------------------------------


@op(differentiable=False, ufunc=np.signbit)
def signbit(x):
    """Whether each element is negative; true of -0.0.

    >>> import tensorgrad
    >>> tensorgrad.signbit(tensorgrad.tensor([-1.0, -0.0, 0.0]))
    tensor([ True,  True, False])
    """
    return np.signbit(x) if x.dtype.kind == "f" else np.less(x, 0)


@op(types="float", inplace=True, ufunc=np.copysign)
def copysign(x, y):
    """The magnitude of ``x`` with the sign of ``y``, that of zeros included.

    >>> import tensorgrad
    >>> tensorgrad.copysign(tensorgrad.tensor([1.0, -2.0]), tensorgrad.tensor([-0.0, 3.0]))
    tensor([-1.,  2.])
    """
    return np.copysign(x, y)


copysign.vjp(x=lambda g, x, out: g * (sign(x) * sign(out)), y=lambda g: zeros_of(g))


@op(types="same", inplace=True)
def heaviside(x, values):
    """0 where ``x`` is negative, 1 where it is positive, ``values`` where it is 0.

    Raises:
        RuntimeError: the dtypes differ.

    >>> import tensorgrad
    >>> half = tensorgrad.tensor(0.5)
    >>> tensorgrad.heaviside(tensorgrad.tensor([-2.0, 0.0, 2.0]), half)
    tensor([0.0000, 0.5000, 1.0000])
    """
    return np.where(x == 0, values, np.greater(x, 0).astype(x.dtype))


heaviside.vjp(x=lambda g: zeros_of(g), values=lambda g, x: keep(g, x == 0))


@function(method=True)
def ldexp(input, other, *, out=None):
    """``input * 2**other``; integers become the default float.

    >>> import tensorgrad
    >>> tensorgrad.ldexp(tensorgrad.tensor([1.0, 3.0]), tensorgrad.tensor([2, -1]))
    tensor([4.0000, 1.5000])
    """
    x, y = coerce(div.op, (input, other))
    result = mul(x, pow(2.0, y))
    return result if out is None else write_out(out, result)


# --- complex numbers --------------------------------------------------------------------


def _as_complex(g):
    """The real ``g`` in the complex dtype of its precision."""
    kind = (g._array if isinstance(g, Tensor) else g).dtype
    return cast(g, dtype=np.result_type(kind, np.complex64))


@op(view=True, method=False, complex="as is")
def real(x):
    """The real part, a view of ``x``; also the attribute ``x.real``. A real ``x`` is returned.

    >>> import tensorgrad
    >>> tensorgrad.real(tensorgrad.tensor([1 + 2j]))
    tensor([1.])
    """
    return x.real


real.vjp(x=lambda g, x_dtype: _as_complex(g) if x_dtype.kind == "c" else g)


@op(view=True, method=False, complex="as is")
def imag(x):
    """The imaginary part, a view of ``x``; also the attribute ``x.imag``.

    Raises:
        RuntimeError: ``x`` is not complex.

    >>> import tensorgrad
    >>> tensorgrad.imag(tensorgrad.tensor([1 + 2j]))
    tensor([2.])
    """
    if x.dtype.kind != "c":
        raise errors.DtypeError(
            f"imag is not implemented for tensors with non-complex dtypes, got {errors.describe(x)}"
        )
    return x.imag


imag.vjp(x=lambda g: _as_complex(g) * 1j)


@op(ufunc=np.conjugate, complex="as is")
def conj(x):
    """The complex conjugate, in memory of its own; a copy of a real tensor. Also ``conj_physical``.

    >>> import tensorgrad
    >>> tensorgrad.conj(tensorgrad.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    return np.conjugate(x) if x.dtype.kind == "c" else np.array(x)


conj.vjp(x=lambda g: conj(g))
_graph.conj = conj


@function(method=True)
def is_conj(input):
    """False: :func:`conj` computes its result, where PyTorch may only mark the tensor."""
    return False


@function(method=True)
def is_neg(input):
    """False: no tensor is only marked to be negated."""
    return False


@function(method=True)
def resolve_conj(input):
    """``input`` itself: no tensor is only marked to be conjugated."""
    return input


@function(method=True)
def resolve_neg(input):
    """``input`` itself: no tensor is only marked to be negated."""
    return input


@op(types="float", complex="as is")
def angle(x):
    """The argument of a complex number; of a real one 0, or pi if it is negative.

    The gradient of a real number's is 0, and so is that at 0.

    >>> import tensorgrad
    >>> tensorgrad.angle(tensorgrad.tensor([1j, -1 + 0j]))
    tensor([1.5708, 3.1416])
    """
    if x.dtype.kind == "c":
        return np.angle(x)
    return np.where(np.isnan(x), x, np.multiply(x < 0, math.pi, dtype=x.dtype))


def _angle_x(g, x):
    """A turn by ``d`` moves ``x`` by ``i x d``."""
    if not _is_complex(x):
        return zeros_of(g)
    return g * (x * 1j / _no_zero(square(x.real) + square(x.imag)))


angle.vjp(x=_angle_x)


def _check_parts(name, *parts):
    for x in parts:
        if x.dtype.char not in "fd" or x.dtype != parts[0].dtype:
            raise errors.DtypeError(
                f"{name}: expected both inputs to be float32 or float64 tensors of one dtype, got "
                f"{' and '.join(map(errors.describe, parts))}; convert with .to(dtype)"
            )


@op(method=False, complex="as is")
def complex_(real, imag):
    """The complex tensor with the given parts, of float32 or float64 each; they broadcast.

    Raises:
        RuntimeError: the dtypes differ or are not float32 or float64.

    >>> import tensorgrad
    >>> tensorgrad.complex(tensorgrad.tensor([1.0]), tensorgrad.tensor([2.0]))
    tensor([1.+2.j])
    """
    _check_parts("complex", real, imag)
    out = np.empty(
        np.broadcast_shapes(real.shape, imag.shape), np.result_type(real.dtype, np.complex64)
    )
    out.real, out.imag = real, imag
    return out


def _real_part(g):
    """The real part of a gradient as an array of its own: the walk may hand it to a leaf."""
    return clone(real(g))


complex_.vjp(real=lambda g: _real_part(g), imag=lambda g: clone(imag(g)))


@function
def polar(abs, angle, *, out=None):
    """The complex tensor with the given magnitudes and angles; see :func:`complex`.

    Raises:
        RuntimeError: the dtypes differ or are not float32 or float64.

    >>> import tensorgrad
    >>> tensorgrad.polar(tensorgrad.tensor([2.0]), tensorgrad.tensor([0.0]))
    tensor([2.+0.j])
    """
    _check_parts("polar", *[x._array if isinstance(x, Tensor) else x for x in (abs, angle)])
    result = complex_(abs * cos(angle), abs * sin(angle))
    return result if out is None else write_out(out, result)


@function
def view_as_real(input):
    """The real and imaginary parts of a complex tensor as a last dimension of two; a view.

    Raises:
        RuntimeError: the tensor is not complex.

    >>> import tensorgrad
    >>> tensorgrad.view_as_real(tensorgrad.tensor([1 + 2j]))
    tensor([[1., 2.]])
    """
    return _as_pairs(input)


@op(name="view_as_real", view=True, public=False, method=False, complex="as is")
def _as_pairs(x):
    """The two parts of each number as a last dimension."""
    if x.dtype.kind != "c":
        raise errors.DtypeError(
            f"view_as_real is only supported for complex tensors, got {x.dtype}"
        )
    return x[..., None].view(x.real.dtype)


@function
def view_as_complex(input):
    """The complex tensor whose parts are the last dimension, of two; a view.

    Raises:
        RuntimeError: the last dimension is not two adjacent floating-point numbers.

    >>> import tensorgrad
    >>> tensorgrad.view_as_complex(tensorgrad.tensor([[1.0, 2.0]]))
    tensor([1.+2.j])
    """
    return _as_numbers(input)


@op(name="view_as_complex", view=True, public=False, method=False, complex="as is")
def _as_numbers(x):
    """The pairs in the last dimension as numbers."""
    whole = {"f": "F", "d": "D"}.get(x.dtype.char)
    if whole is None:
        raise errors.DtypeError(
            f"view_as_complex is only supported for float32 and float64 tensors, got {x.dtype}"
        )
    if not x.ndim or x.shape[-1] != 2 or x.strides[-1] != x.itemsize:
        raise errors.ShapeError(
            f"Tensor must have a last dimension of size 2 and stride 1, got {list(x.shape)}"
        )
    if any(stride % (2 * x.itemsize) for stride in x.strides[:-1]):
        raise errors.ShapeError(
            "Tensor must have a stride divisible by 2 for all but the last dimension"
        )
    return x.view(whole)[..., 0]


# A gradient may lie in memory in any way: its pairs are made adjacent first.
_as_pairs.vjp(x=lambda g: _as_numbers(contiguous(g)))
_as_numbers.vjp(x=lambda g: _as_pairs(g))


# --- PyTorch's other names --------------------------------------------------------------

alias(asin, "arcsin")
alias(acos, "arccos")
alias(atan, "arctan")
alias(asinh, "arcsinh")
alias(acosh, "arccosh")
alias(atanh, "arctanh")
alias(atan2, "arctan2")
alias(trunc, "fix")
alias(conj, "conj_physical")
