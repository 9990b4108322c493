"""Reductions: sums and moments, products, extrema, norms, running forms and softmax.

The public functions take ``(input, dim, keepdim)`` as PyTorch's do, also under NumPy's names
``axis`` and ``keepdims``. A dimension counts from 0, or back from the end where negative; a 0-d
tensor has the one dimension 0 (or -1), of size one. float16 is computed in float32 and rounded.
"""

from __future__ import annotations

import itertools
import math
import warnings
from functools import wraps

import numpy as np

from .. import dtypes, errors, return_types
from .._graph import Tensor, asarray, ndarray, wrap
from .._inplace import write_out
from .._registry import SYNONYMS, op, publish
from ..kernels import softmax as softmax_kernel
from ..kernels.sums import total
from .comparison import maximum, minimum
from .elementwise import abs, cast, exp, keep, log, sgn, sqrt, where
from .shape import broadcast_to, flip, reshape, strided, unsqueeze, wrap_dim, wrap_dims

# --- arguments --------------------------------------------------------------------------


def axes_of(dim, ndim):
    """``dim`` as NumPy's ``axis``: None for all, an int, or a sorted tuple; () of a 0-d tensor.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: one is named twice.
        TypeError: one is not an integer.
    """
    if dim is None:
        return None
    try:
        if type(dim) is not tuple and type(dim) is not list:
            axis = wrap_dim(dim, ndim)
            return axis if ndim else ()
        axes = wrap_dims("reduction", dim, ndim)
    except TypeError:
        raise TypeError(f"dim must be an int or a tuple of ints, got {dim!r}") from None
    if not axes:
        return None  # in PyTorch no dimension named means all of them
    return tuple(sorted(axes)) if ndim else ()


def one_axis(dim, ndim):
    """``dim``, which must be an int, counted from 0; of a 0-d tensor, 0."""
    if type(dim) is int and 0 <= dim < ndim:
        return dim
    try:
        return wrap_dim(dim, ndim)
    except TypeError:
        raise TypeError(f"dim must be an int here, got {dim!r}") from None


def kept_shape(shape, axis):
    """``shape`` with the reduced axes at size one."""
    if axis is None:
        return (1,) * len(shape)
    axes = (axis,) if type(axis) is int else axis
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


def dropped_shape(shape, axis):
    """``shape`` without the reduced axes."""
    if axis is None:
        return ()
    axes = (axis,) if type(axis) is int else axis
    return tuple([n for i, n in enumerate(shape) if i not in axes])


def count(shape, axis):
    """How many elements each result of a reduction is made of."""
    if axis is None:
        return math.prod(shape)
    return shape[axis] if type(axis) is int else math.prod([shape[i] for i in axis])


def restore(g, shape, dim, keepdim):
    """``g``, shaped like a reduction's result, with its reduced axes back at size one."""
    if keepdim or dim is None:
        return g
    if type(dim) is int:
        return unsqueeze(g, dim) if shape else g
    axis = axes_of(dim, len(shape))
    return g if axis is None or axis == () else reshape(g, kept_shape(shape, axis))


def spread(g, shape, dim=None, keepdim=False):
    """``g``, shaped like a reduction's result, repeated to the ``shape`` that was reduced."""
    g = restore(g, shape, dim, keepdim)
    return broadcast_to(g if isinstance(g, Tensor | ndarray) else asarray(g), shape)


def spread_one(g, shape):
    """A 0-d ``g`` repeated to ``shape``; 2 us less than :func:`spread`."""
    if isinstance(g, Tensor):
        return broadcast_to(g, shape)
    return strided(asarray(g), shape, (0,) * len(shape))


def raw(x):
    """The array of a Tensor, for what is piecewise constant; anything else as it is."""
    return x._array if isinstance(x, Tensor) else x


def _checked(name, input, keepdim=False):
    """The array of ``input``, once both are known to be of the right type."""
    if keepdim is not False and keepdim is not True:
        raise TypeError(
            f"{name}(): argument 'keepdim' must be bool, got {keepdim!r}; "
            "several dimensions go into a tuple"
        )
    x = raw(input)
    if not isinstance(x, ndarray | np.generic):
        raise TypeError(f"{name}(): argument 'input' must be Tensor, not {type(input).__name__}")
    return x


def _need_order(name, x):
    """Refuse to compare complex numbers."""
    if x.dtype.kind == "c":
        raise NotImplementedError(f"{name} is not implemented for {dtypes.of(x.dtype)}: no order")


def _need_elements(name, x, axis, error=errors.ShapeError):
    """Refuse to take an extremum over nothing, or of what has no order."""
    _need_order(name, x)
    shape = x.shape
    if axis is None:
        if 0 in shape:
            raise error(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0: the "
                f"input has shape {shape}; specify a 'dim' of non-zero size"
            )
        return
    for i in (axis,) if type(axis) is int else axis:
        if shape[i] == 0:
            raise errors.DimError(
                f"{name}(): Expected reduction dim {i} to have non-zero size, got shape {shape}"
            )


def _need_floats(name, x):
    """Refuse integers, bools and complex numbers as PyTorch's kernels do."""
    if x.dtype.kind != "f":
        raise NotImplementedError(
            f"{name} is not implemented for {dtypes.of(x.dtype)}; convert the input with .float() "
            "or pass dtype="
        )


def _converted(x, dtype):
    """``x`` in ``dtype``, recorded."""
    d = dtypes.to_numpy(dtype)
    if raw(x).dtype == d:
        return x
    if d.kind != "f" and isinstance(x, Tensor):
        if x._edge is not None:
            raise errors.DtypeError(
                f"a tensor that requires grad cannot be reduced in {dtypes.of(d)}: only floating "
                "point types carry gradients; detach() it first"
            )
    return cast(x, dtype=d)


def _in_dtype(fn, input, dtype, *args):
    """``fn(input, *args)`` computed in ``dtype`` and given in it."""
    return _converted(fn(_converted(input, dtype), *args), dtype)


def published(fn=None, *, whole=None, method=True):
    """Publish ``fn`` as function and method; NumPy's argument names and ``out=`` work too.

    A call with a tensor alone goes to ``whole``, the quick op that reduces all of it.
    """
    if fn is None:
        return lambda fn: published(fn, whole=whole, method=method)
    code = fn.__code__  # inspect.signature would take 5 ms for all of them
    own = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])

    def call(*args, **kwargs):
        if not kwargs:
            if whole is not None and len(args) == 1 and isinstance(args[0], Tensor):
                return whole(args[0])
            return fn(*args)
        out = kwargs.pop("out", None)
        named = {k if k in own else SYNONYMS.get(k, k): v for k, v in kwargs.items()}
        result = fn(*args, **named)
        if out is None:
            return result
        if isinstance(result, tuple):
            return type(result)(*map(write_out, out, result))
        return write_out(out, result)

    publish(call, fn.__name__, fn, method=method)
    return call


def in_single(forward):
    """Let ``forward`` compute float16 in float32."""

    @wraps(forward)
    def run(x, **attrs):
        if x.dtype.char != "e":
            return forward(x, **attrs)
        return forward(x.astype(np.float32), **attrs).astype(np.float16)

    return run


# --- sums and means ---------------------------------------------------------------------


@op(public=False, method=False, grad_name="SumBackward0")
def sum_all(x):
    """The sum of all elements."""
    return total(x)


sum_all.vjp(x=lambda g, x_shape: spread_one(g, x_shape))


@op(name="sum", public=False, method=False, grad_name="SumBackward1")
def sum_over(x, *, dim=None, keepdim=False):
    """The sum over ``dim``."""
    return total(x, axes_of(dim, x.ndim), keepdim)


sum_over.vjp(x=lambda g, x_shape, *, dim, keepdim: spread(g, x_shape, dim, keepdim))


@published(whole=sum_all)
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over the dimensions ``dim``: an int, a tuple, or None for all.

    Integers and bools give int64, whatever their width; ``dtype`` converts the input first. Sums
    of float32 are accurate to about 1e-7 along every dimension. The sum of nothing is 0.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: a dimension is named twice.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x.sum(), x.sum(0), x.sum(1, keepdim=True)
    (tensor(10.), tensor([4., 6.]), tensor([[3.],
            [7.]]))
    """
    if dtype is not None:
        return _in_dtype(sum, input, dtype, dim, keepdim)
    _checked("sum", input, keepdim)
    if dim is None and not keepdim:
        return sum_all(input)
    return sum_over.op.apply((input,), {"dim": dim, "keepdim": keepdim})


def _mean(x, axis, keepdim):
    if x.dtype.kind not in "fc":
        raise errors.DtypeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or "
            f"complex dtype. Got: {dtypes.of(x.dtype)}; convert with .float() or pass dtype="
        )
    if x.dtype.char == "e":
        return _mean(x.astype(np.float32), axis, keepdim).astype(np.float16)
    n = count(x.shape, axis)
    out = total(x, axis, keepdim)
    return out / n if n else out * math.nan


@op(public=False, method=False, grad_name="MeanBackward0")
def mean_all(x):
    """The mean of all elements."""
    n = x.size
    return total(x) / n if n and x.dtype.char in "fd" else _mean(x, None, False)


mean_all.vjp(x=lambda g, x_shape: spread_one(g / (math.prod(x_shape) or 1), x_shape))


@op(name="mean", public=False, method=False, grad_name="MeanBackward1")
def mean_over(x, *, dim=None, keepdim=False):
    """The mean over ``dim``."""
    return _mean(x, axes_of(dim, x.ndim), keepdim)


mean_over.vjp(
    x=lambda g, x_shape, *, dim, keepdim: spread(
        g / (count(x_shape, axes_of(dim, len(x_shape))) or 1), x_shape, dim, keepdim
    )
)


@published(whole=mean_all)
def mean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over the dimensions ``dim``: an int, a tuple, or None for all.

    The mean of nothing is nan.

    Raises:
        RuntimeError: the input holds integers or bools, and no ``dtype`` says what to take
            their mean in; or a dimension is named twice.
        IndexError: a dimension is out of range.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1.0, 2.0], [3.0, 4.0]]).mean(0)
    tensor([2., 3.])
    """
    if dtype is not None:
        return _in_dtype(mean, input, dtype, dim, keepdim)
    _checked("mean", input, keepdim)
    if dim is None and not keepdim:
        return mean_all(input)
    return mean_over.op.apply((input,), {"dim": dim, "keepdim": keepdim})


@published
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over ``dim`` with nan counted as 0, and given gradient 0.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0, float("nan"), 2.0]).nansum()
    tensor(3.)
    """
    if dtype is not None:
        return _in_dtype(nansum, input, dtype, dim, keepdim)
    x = _checked("nansum", input, keepdim)
    return sum(keep(input, ~np.isnan(x)) if x.dtype.kind == "f" else input, dim, keepdim)


@published
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over ``dim`` of the elements that are not nan; nan where there are none.

    Raises:
        RuntimeError: the input holds integers or bools.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0, float("nan"), 2.0]).nanmean()
    tensor(1.5000)
    """
    if dtype is not None:
        return _in_dtype(nanmean, input, dtype, dim, keepdim)
    x = _checked("nanmean", input, keepdim)
    if x.dtype.kind != "f":
        raise errors.DtypeError(
            f"nanmean(): expected input to have floating point dtype but got {dtypes.of(x.dtype)}; "
            "convert with .float()"
        )
    valid = asarray(total(~np.isnan(x), axes_of(dim, x.ndim), keepdim), x.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        return nansum(input, dim, keepdim) / valid


# --- variance ---------------------------------------------------------------------------


def _spare(x_shape, dim, correction):
    """Degrees of freedom: the number of elements less the correction, no less than 0."""
    spare = count(x_shape, axes_of(dim, len(x_shape))) - correction
    return spare if spare > 0 else 0


def _var_definition(x, *, dim=None, correction=1, keepdim=False):
    centred = x - mean(x, dim, True)
    return sum(centred * centred, dim, keepdim) / _spare(x.shape, dim, correction)


@in_single
def _variance(x, *, dim, correction, keepdim):
    axis = axes_of(dim, x.ndim)
    centred = x - _mean(x, axis, True)
    squares = centred * (centred.conj() if x.dtype.kind == "c" else centred)
    squares = total(squares.real, axis, keepdim)
    spare = _spare(x.shape, dim, correction)
    if spare:
        return squares / spare
    with np.errstate(divide="ignore", invalid="ignore"):
        return squares / 0.0


@op(name="var", public=False, method=False, definition=_var_definition)
def var_over(x, *, dim=None, correction=1, keepdim=False):
    """The variance over ``dim``."""
    return _variance(x, dim=dim, correction=correction, keepdim=keepdim)


def _var_vjp(g, x, *, dim, correction, keepdim):
    spare = _spare(x.shape, dim, correction)
    slope = restore(g, x.shape, dim, keepdim) * (2.0 / spare if spare else math.inf)
    return (x - mean(x, dim, dim is not None)) * slope


var_over.vjp(x=_var_vjp)


@op(name="std", public=False, method=False,
    definition=lambda x, **attrs: sqrt(_var_definition(x, **attrs)))  # fmt: skip
def std_over(x, *, dim=None, correction=1, keepdim=False):
    """The standard deviation over ``dim``."""
    return np.sqrt(_variance(x, dim=dim, correction=correction, keepdim=keepdim))


def inverse(out):
    """``1 / out``, and 0 with all its derivatives where ``out`` is 0."""
    zero = raw(out) == 0
    return ~zero / (out + zero)


std_over.vjp(
    x=lambda g, x, out, *, dim, correction, keepdim: _var_vjp(
        g * inverse(out) * 0.5, x, dim=dim, correction=correction, keepdim=keepdim
    )
)


def _spread_arguments(name, input, dim, unbiased, keepdim, correction):
    """Sort out PyTorch's call forms of ``var`` and ``std``; warns where they give nan or inf."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        if not isinstance(unbiased, bool) or correction is not None:
            raise TypeError(
                f"{name}() takes (dim, unbiased, keepdim) with a bool unbiased={unbiased!r}, or "
                f"(dim, keepdim=, correction=), got correction={correction!r} with it"
            )
        correction = int(unbiased)
    elif correction is None:
        correction = 1
    x = _checked(name, input, keepdim)
    if x.dtype.kind not in "fc":
        raise errors.DtypeError(
            f"{name}(): std and var only support floating point and complex dtypes, got "
            f"{dtypes.of(x.dtype)}; convert with .float()"
        )
    n = count(x.shape, axes_of(dim, x.ndim))
    if n <= correction:
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the "
            f"reduction factor (input numel divided by output numel): {n} values, correction "
            f"{correction}",
            UserWarning,
            stacklevel=4,
        )
    return {"dim": dim, "correction": correction, "keepdim": keepdim}


@published
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance over ``dim``: mean squared distance from the mean, over ``n - correction``.

    Called as ``var()``, ``var(dim)``, ``var(unbiased)``, ``var(dim, unbiased, keepdim)`` or with
    ``correction=`` (default 1; ``unbiased=False`` is correction 0). With no degree of freedom
    left it warns, and gives nan or inf.

    Raises:
        RuntimeError: the input holds integers or bools.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0, 6.0])
    >>> x.var(), x.var(unbiased=False)
    (tensor(7.), tensor(4.6667))
    """
    attrs = _spread_arguments("var", input, dim, unbiased, keepdim, correction)
    return var_over.op.apply((input,), attrs)


@published
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The standard deviation over ``dim``, the root of :func:`var`, with its arguments.

    Where it is 0 its gradient is 0.

    Raises:
        RuntimeError: the input holds integers or bools.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1.0, 3.0], [2.0, 2.0]]).std(1)
    tensor([1.4142, 0.0000])
    """
    attrs = _spread_arguments("std", input, dim, unbiased, keepdim, correction)
    return std_over.op.apply((input,), attrs)


@published(method=False)
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The pair (variance, mean) over ``dim``; arguments as :func:`var`.

    >>> import tensorgrad
    >>> tensorgrad.var_mean(tensorgrad.tensor([1.0, 2.0, 6.0]))
    (tensor(7.), tensor(3.))
    """
    attrs = _spread_arguments("var_mean", input, dim, unbiased, keepdim, correction)
    return var_over.op.apply((input,), attrs), mean(input, attrs["dim"], keepdim)


@published(method=False)
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The pair (standard deviation, mean) over ``dim``; arguments as :func:`std`.

    >>> import tensorgrad
    >>> tensorgrad.std_mean(tensorgrad.tensor([1.0, 3.0]), 0, False)
    (tensor(1.), tensor(2.))
    """
    attrs = _spread_arguments("std_mean", input, dim, unbiased, keepdim, correction)
    return std_over.op.apply((input,), attrs), mean(input, attrs["dim"], keepdim)


# --- products and running forms ---------------------------------------------------------
#
# The gradient of a product of all but one factor must not divide by that factor: it may be 0.
# The ops below are a closed family. With delay(x)_i = x_(i-1), the products of what comes before
# and after a factor are delayed running products; and the sums that the gradient of a running
# product needs, t_i = g_i + x_(i+1) t_(i+1), are a linear recurrence run backwards, whose own
# gradient is again one. Where no product is 0, nor has over- or underflowed, dividing is exact
# enough, and ten times as fast.


def _along(run, input, dim):
    """An op that works along one dimension, of a 0-d tensor too."""
    x = raw(input)
    axis = one_axis(dim, x.ndim)
    if x.ndim == 0:
        return reshape(run.op.apply((reshape(input, (1,)),), {"dim": 0}), ())
    return run.op.apply((input,), {"dim": axis})


def _accumulate(ufunc, x, dim, dtype):
    """The running form of ``ufunc`` along ``dim``, computed in ``dtype``."""
    out = x.astype(dtype)
    n = x.shape[dim]
    if x.size < 256 * n:
        return ufunc.accumulate(out, dim, out=out)
    rows = np.moveaxis(out, dim, 0)
    for before, row in itertools.pairwise(rows):  # 2 ms where accumulate takes 26
        ufunc(before, row, out=row)
    return out


def _running(ufunc, x, dim):
    """As PyTorch does it: float16 and float32 computed in float64, integers in int64."""
    if x.dtype.kind in "biu":
        return _accumulate(ufunc, x, dim, np.int64)
    single = x.dtype.char in "ef"
    return _accumulate(ufunc, x, dim, np.float64 if single else x.dtype).astype(x.dtype, copy=False)


def _reversed(run, x, dim):
    return flip(run(flip(x, (dim,)), dim=dim), (dim,))


def _divisible(products):
    """Whether all ``products`` are normal numbers: none 0, subnormal, infinite or nan."""
    size = np.abs(raw(products))
    if size.size == 0:
        return False
    return bool(np.finfo(size.dtype).tiny <= size.min() and size.max() < math.inf)


@op(public=False, method=False)
def delay(x, *, dim, first=0.0):
    """``x`` moved on by one along ``dim``: the first is ``first``, the last falls off."""
    out = np.empty_like(x)
    before, after = [slice(None)] * x.ndim, [slice(None)] * x.ndim
    before[dim], after[dim] = slice(None, 1), slice(1, None)
    out[tuple(before)] = first
    before[dim] = slice(None, -1)
    out[tuple(after)] = x[tuple(before)]
    return out


delay.vjp(x=lambda g, *, dim: _reversed(delay, g, dim))


@op(public=False, method=False)
def recurrence(a, b, *, dim):
    """The running values ``s_i = b_i + a_i s_(i-1)`` along ``dim``, from ``s_(-1) = 0``."""
    out = np.empty_like(b)
    a, b, rows = np.moveaxis(a, dim, 0), np.moveaxis(b, dim, 0), np.moveaxis(out, dim, 0)
    if rows.ndim == 1:  # Python's numbers take 0.1 us per step, NumPy's rows 1.2
        a, b, s = a.tolist(), b.tolist(), 0.0
        for i, (p, q) in enumerate(zip(a, b, strict=True)):
            s = q + p * s
            b[i] = s
        rows[...] = b
        return out
    if len(rows):
        rows[0] = b[0]
    for i in range(1, len(rows)):
        np.multiply(a[i], rows[i - 1], out=rows[i])
        rows[i] += b[i]
    return out


def _adjoint(a, g, dim):
    """The running values ``t_i = g_i + a_(i+1) t_(i+1)``, from the end of ``dim``."""
    backwards = recurrence(delay(flip(a, (dim,)), dim=dim), flip(g, (dim,)), dim=dim)
    return flip(backwards, (dim,))


@recurrence.vjp
def _recurrence_vjp(g, a, out, *, dim):
    gb = _adjoint(a, g, dim)
    return gb * delay(out, dim=dim), gb


@op(name="cumsum", public=False, method=False)
def cumsum_along(x, *, dim):
    """The running sum along ``dim``."""
    return _running(np.add, x, dim)


cumsum_along.vjp(x=lambda g, *, dim: _reversed(cumsum_along, g, dim))


@op(name="cumprod", public=False, method=False)
def cumprod_along(x, *, dim):
    """The running product along ``dim``."""
    return _running(np.multiply, x, dim)


@cumprod_along.vjp
def _cumprod_vjp(g, x, out, *, dim):
    if _divisible(out):
        return (_reversed(cumsum_along, g * out, dim) / x,)
    return (delay(out, dim=dim, first=1.0) * _adjoint(x, g, dim),)


def _logcumsumexp_definition(x, *, dim):
    return log(cumsum_along(exp(x), dim=dim))


@op(name="logcumsumexp", public=False, method=False, definition=_logcumsumexp_definition)
@in_single
def logcumsumexp_along(x, *, dim):
    """The logarithm of the running sum of exponentials along ``dim``."""
    return _accumulate(np.logaddexp, x, dim, x.dtype)


@logcumsumexp_along.vjp
def _logcumsumexp_vjp(g, x, out, *, dim):
    # d(out_k)/d(x_i) = exp(x_i - out_i) exp(out_i - out_k), and no exponent is positive.
    ends = _finite(out)
    steps = exp(delay(out, dim=dim, first=-math.inf) - ends)
    return (exp(x - ends) * _adjoint(steps, g, dim),)


def _finite(out):
    """``out`` with 0 in place of -inf, where nothing was summed."""
    nothing = raw(out) == -math.inf
    return where(nothing, 0.0, out) if nothing.any() else out


@published
def cumsum(input, dim, *, dtype=None):
    """The running sum along ``dim``, in the input's shape; integers and bools give int64.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0, 2.0, 3.0]).cumsum(0)
    tensor([1., 3., 6.])
    """
    if dtype is not None:
        return _in_dtype(cumsum, input, dtype, dim)
    _checked("cumsum", input)
    return _along(cumsum_along, input, dim)


@published
def cumprod(input, dim, *, dtype=None):
    """The running product along ``dim``; its gradients are exact where factors are 0.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0, 2.0, 3.0]).cumprod(0)
    tensor([1., 2., 6.])
    """
    if dtype is not None:
        return _in_dtype(cumprod, input, dtype, dim)
    _checked("cumprod", input)
    return _along(cumprod_along, input, dim)


@published
def logcumsumexp(input, dim):
    """``log(cumsum(exp(input), dim))`` without overflow; where all is -inf, the gradient is 0.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1000.0, 1000.0]).logcumsumexp(0)
    tensor([1000.0000, 1000.6932])
    """
    _need_floats("logcumsumexp", _checked("logcumsumexp", input))
    return _along(logcumsumexp_along, input, dim)


@op(name="prod", public=False, method=False,
    grad_name=lambda node: f"ProdBackward{int(node.attrs['dim'] is not None)}")  # fmt: skip
def prod_over(x, *, dim=None, keepdim=False):
    """The product along ``dim``, or of all elements."""
    dtype = np.int64 if x.dtype.kind in "biu" else None
    return np.multiply.reduce(x, axes_of(dim, x.ndim), dtype, None, keepdim)


def _others(x, dim):
    """For each element, the product of all others along ``dim``."""
    before = delay(cumprod_along(x, dim=dim), dim=dim, first=1.0)
    after = flip(cumprod_along(flip(x, (dim,)), dim=dim), (dim,))
    after = flip(delay(flip(after, (dim,)), dim=dim, first=1.0), (dim,))
    return before * after


@prod_over.vjp
def _prod_vjp(g, x, out, *, dim, keepdim):
    shape = x.shape
    if _divisible(out):
        return (restore(g * out, shape, dim, keepdim) / x,)
    if dim is None or not shape:
        flat = reshape(x, (-1,))
        return (reshape(reshape(g, (1,)) * _others(flat, 0), shape),)
    return (restore(g, shape, dim, keepdim) * _others(x, one_axis(dim, len(shape))),)


@published
def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product along the dimension ``dim``, or of all elements.

    Integers and bools give int64. Gradients of every order are exact where factors are 0. The
    product of nothing is 1.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> x.prod().backward()
    >>> x.grad
    tensor([0., 6., 0.])
    """
    if dtype is not None:
        return _in_dtype(prod, input, dtype, dim, keepdim)
    x = _checked("prod", input, keepdim)
    if dim is None:
        if keepdim:
            raise TypeError("prod() takes keepdim only together with dim")
    else:
        dim = one_axis(dim, x.ndim)
    return prod_over.op.apply((input,), {"dim": dim, "keepdim": keepdim})


# --- extrema ----------------------------------------------------------------------------


def _ties(x, out, dim, keepdim):
    """Weights that share a gradient evenly among the elements that equal the extremum."""
    x = raw(x)
    out = restore(raw(out), x.shape, dim, keepdim)
    hit = x == out
    if np.isnan(out).any():
        hit |= np.isnan(x) & np.isnan(out)
    weights = hit.astype(x.dtype)
    weights /= total(weights, axes_of(dim, x.ndim), True)
    return weights


def _shared(g, x, out, *, dim, keepdim):
    return restore(g, x.shape, dim, keepdim) * _ties(x, out, dim, keepdim)


@op(public=False, method=False, grad_name="MaxBackward1")
def max_all(x):
    """The largest element."""
    return np.maximum.reduce(x, None)


@op(public=False, method=False, grad_name="MinBackward1")
def min_all(x):
    """The smallest element."""
    return np.minimum.reduce(x, None)


max_all.vjp(x=lambda g, x, out: g * _ties(x, out, None, False))
min_all.vjp(x=lambda g, x, out: g * _ties(x, out, None, False))


@op(name="amax", public=False, method=False)
def amax_over(x, *, dim=None, keepdim=False):
    """The largest element over ``dim``."""
    return np.maximum.reduce(x, axes_of(dim, x.ndim), None, None, keepdim)


@op(name="amin", public=False, method=False)
def amin_over(x, *, dim=None, keepdim=False):
    """The smallest element over ``dim``."""
    return np.minimum.reduce(x, axes_of(dim, x.ndim), None, None, keepdim)


amax_over.vjp(x=_shared)
amin_over.vjp(x=_shared)


def _extremum(run, input, dim, keepdim):
    name = run.op.name
    x = _checked(name, input, keepdim)
    _need_elements(name, x, axes_of(dim, x.ndim))
    return run.op.apply((input,), {"dim": dim, "keepdim": keepdim})


@published
def amax(input, dim=None, keepdim=False):
    """The largest element over ``dim``: an int, a tuple, or None for all.

    Equal largest elements share the gradient evenly. nan is larger than any number.

    Raises:
        RuntimeError, IndexError: there is no element to choose from.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1.0, 5.0], [3.0, 2.0]]).amax(1)
    tensor([5., 3.])
    """
    return _extremum(amax_over, input, dim, keepdim)


@published
def amin(input, dim=None, keepdim=False):
    """The smallest element over ``dim``: an int, a tuple, or None for all.

    Equal smallest elements share the gradient evenly. nan is smaller than any number.

    Raises:
        RuntimeError, IndexError: there is no element to choose from.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1.0, 5.0], [3.0, 2.0]]).amin(1)
    tensor([1., 2.])
    """
    return _extremum(amin_over, input, dim, keepdim)


@published
def aminmax(input, *, dim=None, keepdim=False):
    """The smallest and the largest element over ``dim``, as a pair with parts min and max.

    >>> import tensorgrad
    >>> smallest, largest = tensorgrad.tensor([1.0, 5.0, 3.0]).aminmax()
    >>> smallest, largest
    (tensor(1.), tensor(5.))
    """
    return return_types.aminmax(amin(input, dim, keepdim), amax(input, dim, keepdim))


def _grid(index, dim):
    """Index arrays that, with ``index`` along ``dim``, address one element each."""
    grid = []
    for i, n in enumerate(index.shape):
        along = [1] * index.ndim
        along[i] = n
        grid.append(index if i == dim else np.arange(n).reshape(along))
    return tuple(grid)


_PICKED = {"median": "MedianBackward1", "nanmedian": "NanmedianBackward1", None: "IndexBackward0"}


def _pick_name(node):
    name = node.attrs.get("of")
    return _PICKED.get(name) or f"{name.capitalize()}Backward0"


@op(public=False, method=False, grad_name=_pick_name)
def pick(x, *, index, dim, keepdim=True, of=None):
    """The elements of ``x`` at ``index`` along ``dim``, which is dropped unless ``keepdim``.

    ``of`` is what chose the index, for the name of the node.
    """
    if x.ndim == 0:
        return x.copy()
    out = x[_grid(index, dim)]
    return out if keepdim else out.reshape(dropped_shape(out.shape, one_axis(dim, x.ndim)))


@op(public=False, method=False)
def place(x, *, index, dim, shape, keepdim=True):
    """The transpose of :func:`pick`: zeros of ``shape``, with ``x`` added at ``index``."""
    out = np.zeros(shape, x.dtype)
    if not shape:
        out[...] = x
        return out
    x = x.reshape(index.shape)
    if index.shape[dim] == 1:
        out[_grid(index, dim)] = x
    else:
        np.add.at(out, _grid(index, dim), x)
    return out


pick.vjp(
    x=lambda g, x_shape, *, index, dim, keepdim: place(
        g, index=index, dim=dim, shape=x_shape, keepdim=keepdim
    )
)
place.vjp(x=lambda g, *, index, dim, keepdim: pick(g, index=index, dim=dim, keepdim=keepdim))


def _named(kind, input, index, axis, keepdim=True):
    """The result with parts values and indices; ``index`` has its axis ``axis`` kept."""
    attrs = {"index": index, "dim": axis, "keepdim": keepdim, "of": kind.__name__}
    values = pick.op.apply((input,), attrs)
    if not keepdim and index.ndim:
        index = index.reshape(dropped_shape(index.shape, axis))
    return kind(values, wrap(asarray(index)))


def _choose(kind, find, input, dim, keepdim):
    """``find`` (argmax or argmin) along ``dim``, and the elements there."""
    name = kind.__name__
    x = _checked(name, input, keepdim)
    axis = one_axis(dim, x.ndim)
    if x.ndim == 0:
        return _named(kind, input, np.zeros((), np.int64), axis)
    _need_elements(name, x, axis)
    return _named(kind, input, find(x, axis, keepdims=True), axis, keepdim)


def _extreme(input, dim, keepdim, other, all_of, pairwise, kind, find):
    """The three forms of ``max`` and ``min``."""
    if isinstance(dim, Tensor) and other is None:
        other, dim = dim, None
    if other is not None:
        if dim is not None or keepdim:
            raise TypeError(f"{kind.__name__}() takes either another tensor, or dim and keepdim")
        return pairwise(input, other)
    if dim is not None:
        return _choose(kind, find, input, dim, keepdim)
    if keepdim:
        raise TypeError(f"{kind.__name__}() takes keepdim only together with dim")
    _need_elements(kind.__name__, _checked(kind.__name__, input), None)
    return all_of(input)


@published
def max(input, dim=None, keepdim=False, *, other=None):
    """The largest element: of all, along a dimension, or of two tensors.

    ``max(x)`` is a 0-d tensor; equal largest elements share its gradient evenly.
    ``max(x, dim, keepdim=False)`` is a pair with parts ``values`` and ``indices``, the position
    along ``dim`` of the first largest element, which gets all of the gradient.
    ``max(x, y)`` is :func:`maximum`. nan is larger than any number.

    Raises:
        RuntimeError, IndexError: there is no element to choose from.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([[1.0, 5.0], [3.0, 2.0]])
    >>> x.max()
    tensor(5.)
    >>> x.max(1)
    torch.return_types.max(
    values=tensor([5., 3.]),
    indices=tensor([1, 0]))
    """
    return _extreme(input, dim, keepdim, other, max_all, maximum, return_types.max, ndarray.argmax)


@published
def min(input, dim=None, keepdim=False, *, other=None):
    """The smallest element: of all, along a dimension, or of two tensors; see :func:`max`.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1.0, 5.0], [3.0, 2.0]]).min(0)
    torch.return_types.min(
    values=tensor([1., 2.]),
    indices=tensor([0, 1]))
    """
    return _extreme(input, dim, keepdim, other, min_all, minimum, return_types.min, ndarray.argmin)


def _position(name, find, input, dim, keepdim):
    x = _checked(name, input, keepdim)
    if x.dtype.kind == "b":
        raise errors.DtypeError(f"{name}(): does not support bool input; convert with .int()")
    axis = None if dim is None else one_axis(dim, x.ndim)
    if x.ndim == 0:
        return wrap(np.zeros((), np.int64))
    _need_elements(name, x, axis, errors.DimError)
    return wrap(asarray(find(x, axis, keepdims=keepdim)))


@published
def argmax(input, dim=None, keepdim=False):
    """Where the largest element is along ``dim``, or in the flattened input; int64.

    The first of equal ones. nan is larger than any number.

    Raises:
        IndexError: there is no element to choose from.
        RuntimeError: the input is bool.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1.0, 5.0], [3.0, 2.0]]).argmax(1)
    tensor([1, 0])
    """
    return _position("argmax", ndarray.argmax, input, dim, keepdim)


@published
def argmin(input, dim=None, keepdim=False):
    """Where the smallest element is along ``dim``, or in the flattened input; see :func:`argmax`.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1.0, 5.0], [3.0, 2.0]]).argmin()
    tensor(0)
    """
    return _position("argmin", ndarray.argmin, input, dim, keepdim)


def _running_extreme(kind, ufunc, input, dim):
    x = _checked(kind.__name__, input)
    axis = one_axis(dim, x.ndim)
    _need_order(kind.__name__, x)
    if x.ndim == 0:
        return _named(kind, input, np.zeros((), np.int64), axis)
    best = _accumulate(ufunc, x, axis, x.dtype)
    new = (x == best) | np.isnan(x) if x.dtype.kind == "f" else x == best
    shape = [1] * x.ndim
    shape[axis] = -1
    steps = np.arange(x.shape[axis]).reshape(shape)
    return _named(kind, input, np.maximum.accumulate(np.where(new, steps, 0), axis), axis)


@published
def cummax(input, dim):
    """The largest element so far along ``dim``, and where it is: the last of equal ones.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0, 3.0, 2.0]).cummax(0)
    torch.return_types.cummax(
    values=tensor([1., 3., 3.]),
    indices=tensor([0, 1, 1]))
    """
    return _running_extreme(return_types.cummax, np.maximum, input, dim)


@published
def cummin(input, dim):
    """The smallest element so far along ``dim``, and where it is: the last of equal ones.

    >>> import tensorgrad
    >>> tensorgrad.tensor([3.0, 1.0, 2.0]).cummin(0).indices
    tensor([0, 1, 1])
    """
    return _running_extreme(return_types.cummin, np.minimum, input, dim)


# --- order statistics -------------------------------------------------------------------


def _median_index(x, axis, skip):
    """Where the lower median is along ``axis`` (kept, of size one): of all, or all but nan."""
    n = x.shape[axis]
    if x.dtype.kind != "f" or not np.isnan(x).any():
        return np.take(np.argpartition(x, (n - 1) // 2, axis), [(n - 1) // 2], axis)
    order = np.argsort(x, axis, kind="stable")  # nan comes last
    valid = np.add.reduce(~np.isnan(x), axis, keepdims=True)
    middle = np.maximum((valid - 1) // 2, 0)
    if not skip:
        middle = np.where(valid < n, valid, middle)  # the first nan
    return np.take_along_axis(order, middle, axis)


@op(public=False, method=False, grad_name="MedianBackward0")
def median_all(x, *, skip=False):
    """The lower median of all elements, leaving nan out where ``skip``."""
    if x.size == 0:
        return np.full((), math.nan, x.dtype)
    flat = x.reshape(-1)
    return flat[_median_index(flat, 0, skip)[0]]


median_all.vjp(x=lambda g, x, out: g * _ties(x, out, None, False))


def _middle(kind, input, dim, keepdim, skip):
    name = kind.__name__
    x = _checked(name, input, keepdim)
    if x.dtype.kind in "bc":
        raise NotImplementedError(f"{name} is not implemented for {dtypes.of(x.dtype)}")
    if dim is None:
        if keepdim:
            raise TypeError(f"{name}() takes keepdim only together with dim")
        if x.size == 0 and x.dtype.kind != "f":
            _need_elements(name, x, None)
        return median_all.op.apply((input,), {"skip": skip})
    axis = one_axis(dim, x.ndim)
    if x.ndim == 0:
        return _named(kind, input, np.zeros((), np.int64), axis)
    _need_elements(name, x, axis)
    return _named(kind, input, _median_index(x, axis, skip), axis, keepdim)


@published
def median(input, dim=None, keepdim=False):
    """The median: of all elements, or along ``dim`` with the position where it is.

    Of an even number of elements it is the lower of the two in the middle. One nan makes it nan.

    Raises:
        IndexError: there is no element along ``dim``.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([[1.0, 5.0, 2.0], [3.0, 2.0, 4.0]])
    >>> x.median()
    tensor(2.)
    >>> x.median(1).values
    tensor([2., 3.])
    """
    return _middle(return_types.median, input, dim, keepdim, False)


@published
def nanmedian(input, dim=None, keepdim=False):
    """The median of what is not nan; otherwise as :func:`median`.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0, float("nan"), 3.0]).nanmedian()
    tensor(1.)
    """
    return _middle(return_types.nanmedian, input, dim, keepdim, True)


@published
def mode(input, dim=-1, keepdim=False):
    """The most frequent element along ``dim``, and where it is last.

    Of equally frequent ones, the smallest.

    >>> import tensorgrad
    >>> tensorgrad.tensor([2, 1, 2, 1, 3]).mode()
    torch.return_types.mode(
    values=tensor(1),
    indices=tensor(3))
    """
    x = _checked("mode", input, keepdim)
    axis = one_axis(dim, x.ndim)
    if x.ndim == 0:
        return _named(return_types.mode, input, np.zeros((), np.int64), axis)
    _need_elements("mode", x, axis)
    order = np.moveaxis(np.argsort(x, axis, kind="stable"), axis, -1)
    ranked = np.take_along_axis(np.moveaxis(x, axis, -1), order, -1)
    steps = np.arange(x.shape[axis])
    starts = np.ones(ranked.shape, bool)
    starts[..., 1:] = ranked[..., 1:] != ranked[..., :-1]
    length = steps - np.maximum.accumulate(np.where(starts, steps, 0), -1)
    end = np.argmax(length, -1, keepdims=True)  # the last element of the longest run
    index = np.moveaxis(np.take_along_axis(order, end, -1), -1, axis)
    return _named(return_types.mode, input, index, axis, keepdim)


# --- logic ------------------------------------------------------------------------------


def _logic(name, ufunc, input, dim, keepdim):
    x = _checked(name, input, keepdim)
    out = ufunc.reduce(x, axes_of(dim, x.ndim), bool, None, keepdim)
    return wrap(asarray(out, np.uint8 if x.dtype.char == "B" else bool))


@published
def any(input, dim=None, keepdim=False):
    """Whether some element over ``dim`` (an int, a tuple, None for all) is true.

    Bool, except that uint8 gives uint8. Of nothing, False.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[True, False], [False, False]]).any(1)
    tensor([ True, False])
    """
    return _logic("any", np.logical_or, input, dim, keepdim)


@published
def all(input, dim=None, keepdim=False):
    """Whether every element over ``dim`` (an int, a tuple, None for all) is true.

    Bool, except that uint8 gives uint8. Of nothing, True.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[True, True], [False, True]]).all(1)
    tensor([ True, False])
    """
    return _logic("all", np.logical_and, input, dim, keepdim)


@published
def count_nonzero(input, dim=None):
    """The number of elements over ``dim`` that are not 0; int64.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[0.0, 1.0], [2.0, 3.0]]).count_nonzero(0)
    tensor([1, 2])
    """
    x = _checked("count_nonzero", input)
    return wrap(asarray(total(x != 0, axes_of(dim, x.ndim))))


# --- norms ------------------------------------------------------------------------------


@in_single
def _norm(x, *, p, dim, keepdim):
    axis = axes_of(dim, x.ndim)
    if p == 2:
        if axis is None and not keepdim and x.dtype.kind == "f":
            flat = x.ravel("K")
            return np.sqrt(flat.dot(flat))
        squares = np.square(np.abs(x)) if x.dtype.kind == "c" else np.square(x)
        return np.sqrt(total(squares, axis, keepdim))
    if p == 0:
        return total(x != 0, axis, keepdim).astype(x.real.dtype)
    size = np.abs(x)
    if p == 1:
        return total(size, axis, keepdim)
    if p in (math.inf, -math.inf):
        reduce = np.maximum.reduce if p > 0 else np.minimum.reduce
        return reduce(size, axis, None, None, keepdim)
    with np.errstate(divide="ignore"):
        return total(size**p, axis, keepdim) ** (1.0 / p)


def _norm_definition(x, *, p=2.0, dim=None, keepdim=False):
    if p == 0:
        return sum(x * 0.0 + wrap(asarray(raw(x) != 0, raw(x).dtype)), dim, keepdim)
    if p == 1:
        return sum(abs(x), dim, keepdim)
    if p in (math.inf, -math.inf):
        return (amax if p > 0 else amin)(abs(x), dim, keepdim)
    return sum(abs(x) ** p, dim, keepdim) ** (1.0 / p)


@op(name="norm", public=False, method=False, grad_name="LinalgVectorNormBackward0",
    domain=(0.5, 3.0), definition=_norm_definition)  # fmt: skip
def norm_over(x, *, p=2.0, dim=None, keepdim=False):
    """The p-norm over ``dim``."""
    return _norm(x, p=p, dim=dim, keepdim=keepdim)


@norm_over.vjp
def _norm_vjp(g, x, out, *, p, dim, keepdim):
    shape = x.shape
    g, kept = restore(g, shape, dim, keepdim), restore(out, shape, dim, keepdim)
    if p == 2:
        return (x * (g * inverse(kept)),)
    array = raw(x)
    if p == 0:
        return (g * np.zeros_like(array),)
    if p == 1:
        return (g * sgn(x),)
    if p in (math.inf, -math.inf):
        return (g * (sgn(x) * _ties(np.abs(array), raw(kept), dim, True)),)
    # |x|**(p-1) is taken of 1 where x is 0: the sign makes it 0 there, with all its derivatives.
    return (g * inverse(kept) ** (p - 1.0) * (sgn(x) * (abs(x) + (array == 0)) ** (p - 1.0)),)


@published
def norm(input, p="fro", dim=None, keepdim=False, *, dtype=None):
    """The p-norm ``sum(|x|**p) ** (1/p)`` over ``dim``: an int, a tuple, or None for all.

    ``p`` may be any number; ``"fro"`` and None are 2, inf and -inf the largest and the smallest
    magnitude, 0 the number of elements that are not 0. Matrices are taken as vectors: p other
    than 2 is not the operator norm; "nuc" alone is the nuclear norm of matrices, over two
    dimensions. The gradient at 0 is 0, and so are its derivatives.

    Raises:
        RuntimeError: the input holds integers or bools; ``p`` is another string; the norm over
            nothing with p inf or negative.

    >>> import tensorgrad
    >>> tensorgrad.tensor([3.0, -4.0]).norm(), tensorgrad.tensor([3.0, -4.0]).norm(1)
    (tensor(5.), tensor(7.))
    """
    if dtype is not None:
        input = _converted(input, dtype)
    x = _checked("norm", input, keepdim)
    if x.dtype.kind not in "fc":
        raise errors.DtypeError(
            "norm(): Expected a floating point or complex tensor as input. Got "
            f"{dtypes.of(x.dtype)}; convert with .float() or pass dtype="
        )
    if p == "nuc":
        from ..linalg import matrix_norm

        return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim)
    if isinstance(p, str) and p != "fro":
        raise errors.ShapeError(f"norm(): Order {p} not supported; use 'fro' or a number")
    p = 2.0 if p is None or p == "fro" else float(p)
    if (p < 0 or p == math.inf) and count(x.shape, axes_of(dim, x.ndim)) == 0:
        raise errors.ShapeError(
            f"norm(): cannot compute the {p} norm of no elements (shape {x.shape}, dim={dim}) "
            "because the operation does not have an identity"
        )
    return norm_over.op.apply((input,), {"p": p, "dim": dim, "keepdim": keepdim})


@published
def dist(input, other, p=2):
    """The p-norm of ``input - other``; see :func:`norm`.

    >>> import tensorgrad
    >>> tensorgrad.dist(tensorgrad.tensor([1.0, 2.0]), tensorgrad.tensor([4.0, 6.0]))
    tensor(5.)
    """
    return norm(input - other, p)


# --- exponentials -----------------------------------------------------------------------


def _shift(x, axis):
    """The largest element over ``axis`` (kept): what to subtract so that exp cannot overflow."""
    return np.maximum.reduce(x, axis, None, None, True, -math.inf)


def _logsumexp_definition(x, *, dim, keepdim=False):
    return log(sum(exp(x), dim, keepdim))


@op(name="logsumexp", public=False, method=False, definition=_logsumexp_definition)
@in_single
def logsumexp_over(x, *, dim, keepdim=False):
    """``log(sum(exp(x)))`` over ``dim``."""
    axis = axes_of(dim, x.ndim)
    top = _shift(x.real if x.dtype.kind == "c" else x, axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        out = np.log(total(np.exp(x - top), axis, True)) + top
        check = total(out)
    if check != check:  # inf - inf: the result is the infinity itself
        out = np.where(np.isinf(top), top, out)
    return out if keepdim else out.reshape(dropped_shape(x.shape, axis))


logsumexp_over.vjp(
    x=lambda g, x, out, *, dim, keepdim: (
        restore(g, x.shape, dim, keepdim)
        * exp(x - _finite(restore(out, x.shape, dim, keepdim)))
    )
)


@published
def logsumexp(input, dim, keepdim=False):
    """``log(sum(exp(input)))`` over ``dim`` (an int or a tuple) without overflow.

    Integers are converted to the default float. Where all is -inf the result is -inf and its
    gradient 0 (PyTorch's is nan).

    >>> import tensorgrad
    >>> tensorgrad.tensor([1000.0, 1000.0]).logsumexp(0)
    tensor(1000.6932)
    """
    x = _checked("logsumexp", input, keepdim)
    if dim is None:
        raise TypeError("logsumexp(): argument 'dim' must be an int or a tuple of ints, not None")
    if x.dtype.kind in "biu":
        input = cast(input, dtype=dtypes.default_float())
    return logsumexp_over.op.apply((input,), {"dim": dim, "keepdim": keepdim})


def _softmax_definition(x, *, dim):
    e = exp(x)
    return e / sum(e, dim, True)


@op(name="softmax", public=False, method=False, definition=_softmax_definition)
@in_single
def softmax_along(x, *, dim):
    """Exponentials along ``dim`` over their sum."""
    with np.errstate(invalid="ignore"):  # -inf alone gives nan, as in PyTorch
        return softmax_kernel.softmax(x, one_axis(dim, x.ndim))


def _softmax_vjp(g, out, *, dim):
    if isinstance(g, ndarray):
        return softmax_kernel.softmax_gradient(g, out, one_axis(dim, out.ndim))
    return (g - sum(g * out, dim, True)) * out


softmax_along.vjp(x=_softmax_vjp)


def _log_softmax_definition(x, *, dim):
    return x - log(sum(exp(x), dim, True))


@op(name="log_softmax", public=False, method=False, definition=_log_softmax_definition)
@in_single
def log_softmax_along(x, *, dim):
    """The logarithm of :func:`softmax`."""
    with np.errstate(invalid="ignore"):
        return softmax_kernel.log_softmax(x, one_axis(dim, x.ndim))


def _log_softmax_vjp(g, out, *, dim):
    if isinstance(g, ndarray):
        return softmax_kernel.log_softmax_gradient(g, out, one_axis(dim, out.ndim))
    return g - exp(out) * sum(g, dim, True)


log_softmax_along.vjp(x=_log_softmax_vjp)


def _exponentials(run, input, dim, dtype):
    name = run.op.name
    if dtype is not None:
        input = _converted(input, dtype)
    _need_floats(name, _checked(name, input))
    if dim is None:
        raise TypeError(
            f"{name}(): argument 'dim' must be int, not NoneType: say along which dimension the "
            "result sums to one"
        )
    return _along(run, input, dim)


@published
def softmax(input, dim, dtype=None):
    """``exp(x) / sum(exp(x))`` along ``dim``, without overflow.

    ``dtype`` converts the input first. Where all is -inf, or one is inf, the result is nan.

    Raises:
        TypeError: ``dim`` is None.
        NotImplementedError: the input holds integers and no ``dtype`` is given.

    >>> import tensorgrad
    >>> tensorgrad.tensor([0.0, 0.0, 1000.0]).softmax(0)
    tensor([0., 0., 1.])
    """
    return _exponentials(softmax_along, input, dim, dtype)


@published
def log_softmax(input, dim, dtype=None):
    """``x - log(sum(exp(x)))`` along ``dim``, without overflow; see :func:`softmax`.

    >>> import tensorgrad
    >>> tensorgrad.tensor([0.0, 1000.0]).log_softmax(0)
    tensor([-1000.,     0.])
    """
    return _exponentials(log_softmax_along, input, dim, dtype)
