"""Bessel functions, incomplete gamma functions and the normal distribution, element by element.

Their names are in ``torch.special``; a few are also functions and methods of their own. All are
SciPy's, imported when one first runs.
"""

from __future__ import annotations

import math

import numpy as np

from .. import dtypes
from .._registry import op
from .elementwise import exp, log
from .elementwise import where_ as choose
from .reduce import raw
from .special import lgamma


def _scipy(name, *args):
    """A function of scipy.special, in the dtype of its last argument that is an array."""
    from scipy import special

    dtype = next(a.dtype for a in reversed(args) if isinstance(a, np.ndarray | np.generic))
    return np.asarray(getattr(special, name)(*args)).astype(dtype, copy=False)


# --- Bessel functions -------------------------------------------------------------------


@op(types="float", inplace=True)
def i0(x):
    """The modified Bessel function of the first kind of order 0.

    >>> import tensorgrad
    >>> tensorgrad.i0(tensorgrad.tensor([0.0, 1.0]))
    tensor([1.0000, 1.2661])
    """
    return _scipy("i0", x)


@op(types="float", public=False, method=False)
def i1(x):
    """The modified Bessel function of the first kind of order 1."""
    return _scipy("i1", x)


@op(types="float", public=False, method=False)
def i0e(x):
    """``exp(-|x|) * i0(x)``."""
    return _scipy("i0e", x)


@op(types="float", public=False, method=False)
def i1e(x):
    """``exp(-|x|) * i1(x)``."""
    return _scipy("i1e", x)


def _over(value, x):
    """``value(x) / x``, and its limit one half at 0."""
    zero = raw(x) == 0
    return choose(zero, 0.5, value / choose(zero, 1.0, x))


def _sign(x):
    return np.sign(raw(x))


i0.vjp(x=lambda g, x: g * i1(x))
i1.vjp(x=lambda g, x, out: g * (i0(x) - _over(out, x)))
i0e.vjp(x=lambda g, x, out: g * (i1e(x) - out * _sign(x)))
i1e.vjp(x=lambda g, x, out: g * (i0e(x) - out * _sign(x) - _over(out, x)))


# --- gamma functions --------------------------------------------------------------------


def _need_floats(name, *xs):
    for x in xs:
        if x.dtype.kind != "f":
            raise NotImplementedError(f"{name} is not implemented for {dtypes.of(x.dtype)}")


@op(types="promote", inplace=True, domain=(0.5, 4.0))
def igamma(a, x):
    """The regularised lower incomplete gamma function; not differentiable in ``a``.

    >>> import tensorgrad
    >>> tensorgrad.igamma(tensorgrad.tensor([1.0]), tensorgrad.tensor([1.0]))
    tensor([0.6321])
    """
    _need_floats("igamma", a, x)
    return _scipy("gammainc", a, x)


@op(types="promote", inplace=True, domain=(0.5, 4.0))
def igammac(a, x):
    """The regularised upper incomplete gamma function, ``1 - igamma(a, x)``.

    >>> import tensorgrad
    >>> tensorgrad.igammac(tensorgrad.tensor([1.0]), tensorgrad.tensor([1.0]))
    tensor([0.3679])
    """
    _need_floats("igammac", a, x)
    return _scipy("gammaincc", a, x)


def _density(a, x):
    """The derivative of igamma in ``x``: the density of the gamma distribution."""
    return exp((a - 1.0) * log(x) - x - lgamma(a))


def _not_by_a(g):
    raise NotImplementedError("the derivative for 'input' of igamma is not implemented")


igamma.vjp(a=_not_by_a, x=lambda g, a, x: g * _density(a, x))
igammac.vjp(a=_not_by_a, x=lambda g, a, x: -g * _density(a, x))


@op(types="float", public=False, method=False)
def zeta(x, y):
    """The Hurwitz zeta function, the sum of (k + y)**-x; differentiable in ``y``."""
    return _scipy("zeta", x, y).astype(np.result_type(raw(x), raw(y)), copy=False)


def _not_by_x(g):
    raise NotImplementedError("the derivative for 'self' of zeta is not implemented")


zeta.vjp(x=_not_by_x, y=lambda g, x, y: g * (-x * zeta(x + 1.0, y)))


# --- the normal distribution ------------------------------------------------------------


@op(types="float", public=False, method=False)
def erfcx(x):
    """``exp(x**2) * erfc(x)``, without overflow for large ``x``."""
    return _scipy("erfcx", x)


@op(types="float", public=False, method=False)
def ndtr(x):
    """The distribution function of the standard normal distribution."""
    return _scipy("ndtr", x)


@op(types="float", public=False, method=False)
def log_ndtr(x):
    """The logarithm of :func:`ndtr`, without underflow."""
    return _scipy("log_ndtr", x)


@op(types="float", public=False, method=False, domain=(0.125, 0.875))
def ndtri(x):
    """The inverse of :func:`ndtr`."""
    return _scipy("ndtri", x)


_ROOT = math.sqrt(2.0 * math.pi)

erfcx.vjp(x=lambda g, x, out: g * (2.0 * x * out - 2.0 / math.sqrt(math.pi)))
ndtr.vjp(x=lambda g, x: g * (exp(x * x * -0.5) / _ROOT))
log_ndtr.vjp(x=lambda g, x: g / erfcx(x * -math.sqrt(0.5)) * math.sqrt(2.0 / math.pi))
ndtri.vjp(x=lambda g, out: g * (exp(out * out * 0.5) * _ROOT))


@op(types="float", public=False, method=False, domain=(0.25, 4.0))
def entr(x):
    """``-x * log(x)``: 0 at 0, -inf below."""
    return _scipy("entr", x)


@op(types="float", public=False, method=False, domain=(0.25, 4.0))
def xlog1py(x, y):
    """``x * log1p(y)``, 0 where ``x`` is 0 (unless ``y`` is nan)."""
    return _scipy("xlog1py", x, y).astype(np.result_type(raw(x), raw(y)), copy=False)


entr.vjp(x=lambda g, x: g * (-log(x) - 1.0))
xlog1py.vjp(x=lambda g, y: g * log(y + 1.0), y=lambda g, x, y: g * (x / (y + 1.0)))
