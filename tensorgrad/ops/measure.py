"""Distances, integrals, covariances, histograms, and reductions at indices.

All but ``euclidean`` and the extremes and products at indices are composed of other ops, so their
derivatives are too.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from .. import _graph, dtypes, errors, return_types
from .._graph import Tensor, edge_of, ndarray, wrap
from .._inplace import adopt, check_memory, check_writable, fit, keep_saved
from .._registry import METHODS, function, op
from .comparison import clamp
from .elementwise import clone, float_power, keep, lerp, where
from .index import _gather, gather, scatter, scatter_add, sort
from .linalg import addbmm, addmm, addmv, addr, baddbmm, matmul, times
from .reduce import cumprod, cumsum, inverse, mean, norm, published, raw, sum
from .shape import (
    cat,
    chunk,
    flip,
    movedim,
    narrow,
    reshape,
    split,
    stack,
    unsqueeze,
    wrap_dim,
)
from .special import conj, ldexp, lgamma

# --- products of vectors ----------------------------------------------------------------


def cross_along(name, input, other, dim):
    """The vector product along ``dim`` of two tensors that broadcast."""
    x, y = raw(input), raw(other)
    if x.ndim != y.ndim:
        raise errors.ShapeError(
            f"{name}: inputs must have the same number of dimensions, got {x.shape} and {y.shape}"
        )
    if not -x.ndim <= dim < x.ndim:
        raise errors.DimError(f"{name}: dimension out of range: {dim} of a {x.ndim}-d tensor")
    if x.shape[dim] != 3 or y.shape[dim] != 3:
        raise errors.ShapeError(
            f"{name}: inputs dimension {dim} must have length 3. Got {x.shape[dim]} and "
            f"{y.shape[dim]}"
        )
    a, b = ([t.select(dim, i) for i in range(3)] for t in (input, other))
    parts = [a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]
    return stack(parts, dim)


@published
def cross(input, other, dim=None):
    """The vector products along ``dim``; None is the first dimension of size 3 (deprecated).

    >>> import tensorgrad
    >>> x, y = tensorgrad.tensor([1, 0, 0]), tensorgrad.tensor([0, 1, 0])
    >>> tensorgrad.cross(x, y, dim=0)
    tensor([0, 0, 1])
    """
    if dim is None:
        warnings.warn(
            "Using torch.cross without specifying the dim arg is deprecated: pass dim, or use "
            "torch.linalg.cross, whose dim is -1", UserWarning, stacklevel=3,
        )  # fmt: skip
        shape = raw(input).shape
        if raw(other).ndim == len(shape):
            shape = np.broadcast_shapes(shape, raw(other).shape)
        if 3 not in shape:
            raise errors.ShapeError(f"no dimension of size 3 in input, got shape {shape}")
        dim = shape.index(3)
    return cross_along("linalg.cross", input, other, dim)


@published(method=False)
def vander(x, N=None, increasing=False):
    """The matrix of powers of the elements of a vector, N columns; descending by default.

    >>> import tensorgrad
    >>> tensorgrad.vander(tensorgrad.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [4, 2, 1],
            [9, 3, 1]])
    """
    if raw(x).ndim != 1:
        raise errors.ShapeError(f"x must be a one-dimensional tensor, got shape {raw(x).shape}")
    n = raw(x).shape[0] if N is None else N
    if n < 0:
        raise errors.ShapeError(f"N must be non-negative, got {n}")
    ones = wrap(np.ones((raw(x).shape[0], min(n, 1)), raw(x).dtype))
    powers = unsqueeze(x, 1).expand(-1, max(n - 1, 0)).cumprod(1)
    columns = cat((ones, powers), 1)
    return columns if increasing else flip(columns, (1,))


# --- distances --------------------------------------------------------------------------


@op(public=False, method=False, types="same", grad_name="CdistBackward0")
def euclidean(x, y):
    """The distances between the rows of ``x`` and those of ``y``; gradient 0 where they meet."""
    if max(x.shape[-2], y.shape[-2]) <= 25:
        gaps = x[..., :, None, :] - y[..., None, :, :]
        return np.sqrt(np.einsum("...i,...i", gaps, gaps))
    squares = [np.einsum("...i,...i", t, t) for t in (x, y)]
    product = np.matmul(x, y.mT)
    product *= -2
    product += squares[0][..., :, None]
    product += squares[1][..., None, :]
    return np.sqrt(np.maximum(product, 0, out=product), out=product)


def _euclidean_x(g, x, y, out):
    weight = g * inverse(out)
    return x * sum(weight, -1, True) - times(weight, y)


euclidean.vjp(
    x=_euclidean_x,
    y=lambda g, x, y, out: _euclidean_x(g.mT, y, x, out.mT),
)


@function
def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norm distance between each row of ``x1`` (..., n, m) and each of ``x2`` (..., k, m).

    Args:
        x1: floats; leading dimensions are batches, and broadcast.
        x2: floats.
        p: not negative; inf is the largest difference.
        compute_mode: accepted without effect: from 26 rows on distances with p = 2 are computed
            by a matrix product, as by PyTorch's default.

    Raises:
        RuntimeError: sizes, dtypes or ``p`` do not fit.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([[0.0, 0.0], [3.0, 4.0]])
    >>> tensorgrad.cdist(x, x)
    tensor([[0., 5.],
            [5., 0.]])
    """
    a, b = raw(x1), raw(x2)
    for name, x in (("X1", a), ("X2", b)):
        if x.dtype.kind != "f":
            raise errors.DtypeError(
                f"cdist only supports floating-point dtypes, {name} got: {dtypes.of(x.dtype)}"
            )
        if x.ndim < 2:
            raise errors.ShapeError(
                f"cdist only supports at least 2D tensors, {name} got: {x.ndim}D"
            )
    if a.shape[-1] != b.shape[-1]:
        raise errors.ShapeError(
            f"X1 and X2 must have the same number of columns. X1: {a.shape[-1]} X2: {b.shape[-1]}"
        )
    if p < 0:
        raise errors.ShapeError(f"cdist only supports non-negative p values, got {p}")
    if p == 2:
        return euclidean(x1, x2)
    return norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p, -1)


@published
def renorm(input, p, dim, maxnorm):
    """Each slice along ``dim`` scaled down to p-norm ``maxnorm`` where it is longer.

    >>> import tensorgrad
    >>> tensorgrad.renorm(tensorgrad.tensor([[3.0, 4.0], [0.5, 0.0]]), 2, 0, 1.0)
    tensor([[0.6000, 0.8000],
            [0.5000, 0.0000]])
    """
    x = raw(input)
    if x.ndim < 2:
        raise errors.ShapeError(f"renorm: input needs at least 2 dimensions, got {x.ndim}")
    if p <= 0 or maxnorm < 0:
        raise errors.ShapeError(f"renorm: needs p > 0 and maxnorm >= 0, got {p} and {maxnorm}")
    dim = dim + x.ndim if dim < 0 else dim
    if not 0 <= dim < x.ndim:
        raise errors.DimError(f"renorm: dimension out of range: {dim} of a {x.ndim}-d tensor")
    length = norm(input, p, tuple(i for i in range(x.ndim) if i != dim), True)
    long = raw(length) > maxnorm
    return input * where(wrap(long), maxnorm / (length + 1e-7), 1.0).to(input.dtype)


# --- integrals and derivatives of samples -----------------------------------------------


def _panels(name, y, x, dx, dim):
    """The areas of the trapezoids between neighbours."""
    n = raw(y).shape[dim]
    if x is not None and dx is not None:
        raise TypeError(f"{name}() takes x or dx, not both")
    heights = y.narrow(dim, 1, max(n - 1, 0)) if n else y
    lows = y.narrow(dim, 0, max(n - 1, 0)) if n else y
    if x is None:
        return (heights + lows) * ((1.0 if dx is None else dx) / 2.0)
    if raw(x).ndim == 1:
        if raw(x).shape[0] != n:
            raise errors.ShapeError(
                f"{name}(): There must be one `x` value for each sample point, got {x.shape} for "
                f"{y.shape} along {dim}"
            )
        x = x.reshape([n if i == dim % raw(y).ndim else 1 for i in range(raw(y).ndim)])
    m = raw(x).shape[dim]
    widths = x.narrow(dim, 1, max(m - 1, 0)) - x.narrow(dim, 0, max(m - 1, 0)) if m else x
    return (heights + lows) * widths / 2.0


@function
def trapezoid(y, x=None, *, dx=None, dim=-1):
    """The integral of samples by the trapezoidal rule, at points ``x`` or ``dx`` (1) apart.

    >>> import tensorgrad
    >>> tensorgrad.trapezoid(tensorgrad.tensor([1.0, 5.0, 10.0]))
    tensor(10.5000)
    """
    return sum(_panels("trapezoid", y, x, dx, dim), dim)


@function
def trapz(y, x=None, *, dx=None, dim=-1):
    """The same as :func:`trapezoid`."""
    return trapezoid(y, x, dx=dx, dim=dim)


@function
def cumulative_trapezoid(y, x=None, *, dx=None, dim=-1):
    """The running integral by the trapezoidal rule, from the second sample on."""
    return _panels("cumulative_trapezoid", y, x, dx, dim).cumsum(dim)


def _spacings(spacing, dims):
    """For each dimension a step, or an array of coordinates."""
    if spacing is None:
        return [1] * len(dims)
    if isinstance(spacing, int | float):
        return [spacing] * len(dims)
    if isinstance(spacing, Tensor) and spacing.ndim == 0:
        return [spacing.item()] * len(dims)
    spacing = [spacing] if isinstance(spacing, Tensor) else list(spacing)
    if len(spacing) != len(dims):
        raise errors.ShapeError(
            "torch.gradient expected spacing to be unspecified, a scalar or a list of length "
            f"{len(dims)}, but got a list of length {len(spacing)}"
        )
    return [s._array if isinstance(s, Tensor) and s.ndim else s for s in spacing]


def _slope(x, step, dim, edge_order):
    """Second-order differences inside, of order ``edge_order`` at the ends."""
    n = raw(x).shape[dim]
    if n < edge_order + 1:
        raise errors.ShapeError(
            "torch.gradient expected each dimension size to be at least edge_order+1, got "
            f"{raw(x).shape}"
        )

    def at(start, count):
        return x.narrow(dim, start, count)

    shape = [-1 if i == dim else 1 for i in range(raw(x).ndim)]
    if isinstance(step, ndarray):
        gaps = np.diff(step).astype(raw(x).dtype)
    else:
        gaps = np.full(n - 1, step, raw(x).dtype)
    h = [wrap(part.reshape(shape)) for part in (gaps[:-1], gaps[1:])]
    inner = (
        at(0, n - 2) * (-h[1] / (h[0] * (h[0] + h[1])))
        + at(1, n - 2) * ((h[1] - h[0]) / (h[0] * h[1]))
        + at(2, n - 2) * (h[0] / (h[1] * (h[0] + h[1])))
        if n > 2
        else at(0, 0)
    )
    ends = []
    for first in (True, False):
        a, b, c = (0, 1, 2) if first else (n - 1, n - 2, n - 3)
        near = float(gaps[0 if first else -1]) * (1 if first else -1)
        if edge_order == 1:
            ends.append((at(b, 1) - at(a, 1)) / near)
            continue
        far = float(gaps[1 if first else -2]) * (1 if first else -1)
        ends.append(
            at(a, 1) * (-(2 * near + far) / (near * (near + far)))
            + at(b, 1) * ((near + far) / (near * far))
            + at(c, 1) * (-near / (far * (near + far)))
        )
    return cat((ends[0], inner, ends[1]), dim)


@function
def gradient(input, *, spacing=1, dim=None, edge_order=1):
    """The derivative of samples along each dimension, by central differences; a tuple.

    Args:
        input: the samples.
        spacing: their distance, or for each dimension a distance or a tensor of coordinates.
        dim: int or sequence; None for all dimensions.
        edge_order: 1 or 2, the order of the differences at the ends.

    >>> import tensorgrad
    >>> tensorgrad.gradient(tensorgrad.tensor([1.0, 4.0, 9.0]))
    (tensor([3., 4., 5.]),)
    """
    ndim = raw(input).ndim
    dims = range(ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    dims = [wrap_dim(d, ndim) for d in dims]
    for d in dims:
        if dims.count(d) > 1:
            raise errors.ShapeError(f"dim {d} appears multiple times in the list of dims")
    if edge_order not in (1, 2):
        raise errors.ShapeError(f"gradient: edge_order must be 1 or 2, got {edge_order}")
    if raw(input).dtype.kind not in "fc":
        input = input.to(dtypes.get_default_dtype())
    steps = _spacings(spacing, dims)
    return tuple(_slope(input, s, d, edge_order) for s, d in zip(steps, dims, strict=True))


# --- covariance -------------------------------------------------------------------------


@function(method=True)
def cov(input, *, correction=1, fweights=None, aweights=None):
    """The covariance matrix of variables, which are the rows of ``input``; of one, its variance.

    Args:
        input: a matrix (variables, observations), or a vector of observations.
        correction: what is subtracted from the number of observations in the divisor.
        fweights: integers: how often each observation was made.
        aweights: the weight of each observation.

    >>> import tensorgrad
    >>> tensorgrad.cov(tensorgrad.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    shape = raw(input).shape
    if len(shape) > 2:
        raise errors.ShapeError(
            f"cov(): expected input to have two or fewer dimensions but got {len(shape)}"
        )
    if raw(input).dtype.kind == "b":
        raise errors.DtypeError("cov(): bool dtype is not supported for input")
    x = input.reshape(1, -1) if len(shape) < 2 else input
    if raw(x).dtype.kind not in "fc":
        x = x.to(dtypes.get_default_dtype())
    weight = None
    for w, kinds, name in ((fweights, "iu", "fweights"), (aweights, "f", "aweights")):
        if w is None:
            continue
        if raw(w).ndim > 1 or raw(w).size != raw(x).shape[1] or raw(w).dtype.kind not in kinds:
            raise errors.ShapeError(
                f"cov(): {name} must be a vector of {raw(x).shape[1]} weights of "
                f"{'integers' if kinds == 'iu' else 'floats'}, got {errors.describe(raw(w))}"
            )
        if (raw(w) < 0).any():
            raise errors.ShapeError(f"cov(): {name} cannot be negative")
        weight = w if weight is None else weight * w
    if weight is None:
        x = x - mean(x, 1, True)
        total = float(raw(x).shape[1])
        scaled = x
    else:
        total = sum(weight)
        x = x - sum(x * weight, 1, True) / total
        scaled = x * weight
    if weight is not None and aweights is not None and correction:
        total = total - correction * sum(weight * aweights) / total
    else:
        total = total - correction
    total = clamp(total, min=0) if isinstance(total, Tensor) else max(total, 0.0)
    flipped = conj(x).T if raw(x).dtype.kind == "c" else x.T
    if not isinstance(total, Tensor):
        total = wrap(np.asarray(total, raw(x).real.dtype))
    result = matmul(scaled, flipped) / total
    return result.squeeze()


@function(method=True)
def corrcoef(input):
    """The correlation coefficients of variables, which are the rows of ``input``.

    >>> import tensorgrad
    >>> tensorgrad.corrcoef(tensorgrad.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    c = cov(input)
    if c.ndim == 0:
        return c / c
    spread = c.diagonal()
    if raw(c).dtype.kind == "c":
        spread = spread.real
    spread = spread.sqrt()
    c = c / unsqueeze(spread, 1) / spread
    return c if raw(c).dtype.kind == "c" else clamp(c, -1, 1)


# --- histograms -------------------------------------------------------------------------


def _samples(name, input, weight):
    x = raw(input)
    if x.dtype.kind != "f":
        raise NotImplementedError(f"{name} is not implemented for {dtypes.of(x.dtype)}")
    if isinstance(input, Tensor) and input._edge is not None:
        raise NotImplementedError(f"{name} has no derivative; detach() its input")
    if weight is not None and raw(weight).dtype != x.dtype:
        raise errors.DtypeError(
            f"torch.{name}: if weight tensor is provided, input tensor and weight tensor should "
            f"have the same dtype, got {input.dtype} and {weight.dtype}"
        )
    return x


def _edges(x, bins, range):
    if isinstance(bins, Tensor):
        return raw(bins)
    low, high = (x.min(), x.max()) if range is None and x.size else range or (0.0, 1.0)
    if low > high or not np.isfinite([low, high]).all():
        raise errors.ShapeError(f"histogram: the range [{low}, {high}] is not finite and ascending")
    if low == high:
        low, high = low - 0.5, high + 0.5
    if bins < 1:
        raise errors.ShapeError(f"torch.histogram(): bins must be > 0, but got {bins}")
    return np.linspace(low, high, bins + 1).astype(x.dtype)


@function(method=True)
def histogram(input, bins, *, range=None, weight=None, density=False, out=None):
    """How many elements fall between the edges of bins; the last bin holds its upper edge too.

    Args:
        input: floats.
        bins: the number of bins of equal width, or a tensor of edges.
        range: (low, high) of the bins; default: the extremes of ``input``.
        weight: what each element counts; default 1.
        density: scale so that the histogram's integral is 1.
        out: two tensors to write to.

    Returns:
        (hist, bin_edges).

    >>> import tensorgrad
    >>> tensorgrad.histogram(tensorgrad.tensor([1.0, 2.0, 1.0]), bins=4, range=(0.0, 3.0)).hist
    tensor([0., 2., 1., 0.])
    """
    x = _samples("histogram", input, weight)
    edges = _edges(x, bins, range)
    w = None if weight is None else raw(weight).reshape(-1)
    hist, _ = np.histogram(x.reshape(-1), edges, weights=w, density=density)
    result = return_types.histogram(wrap(hist.astype(x.dtype)), wrap(np.array(edges)))
    if out is None:
        return result
    from .._inplace import write_out

    return return_types.histogram(*map(write_out, out, result))


@function
def histogramdd(input, bins, *, range=None, weight=None, density=False):
    """The histogram of points, the rows of ``input``, over boxes; see :func:`histogram`.

    Args:
        input: (..., d) floats.
        bins: a number for each dimension, or one for all, or a list of d tensors of edges.
        range: (low, high) for each dimension, one after another.
        weight: what each point counts.
        density: scale so that the integral is 1.

    Returns:
        (hist, bin_edges), the latter a tuple of d tensors.
    """
    x = _samples("histogramdd", input, weight)
    d = x.shape[-1]
    points = x.reshape(-1, d)
    bins = [bins] * d if isinstance(bins, int) else list(bins)
    if len(bins) != d:
        raise errors.ShapeError(f"histogramdd: expected bins for {d} dimensions, got {len(bins)}")
    pairs = [None] * d if range is None else list(zip(range[::2], range[1::2], strict=True))
    edges = [_edges(points[:, i], b, pairs[i]) for i, b in enumerate(bins)]
    w = None if weight is None else raw(weight).reshape(-1)
    hist, _ = np.histogramdd(points, edges, weights=w, density=density)
    return return_types.histogramdd(
        wrap(hist.astype(x.dtype)), tuple(wrap(np.array(e)) for e in edges)
    )


# --- parts of numbers, integers ---------------------------------------------------------


def _whole(name, x):
    if x.dtype.kind not in "iu":
        raise NotImplementedError(f"{name} is not implemented for {dtypes.of(x.dtype)}")
    return x


@op(types="promote", differentiable=False, inplace=True, ufunc=np.gcd)
def gcd(x, y):
    """The greatest common divisor of integers.

    >>> import tensorgrad
    >>> tensorgrad.gcd(tensorgrad.tensor([12, 7]), tensorgrad.tensor([18, 3]))
    tensor([6, 1])
    """
    return np.gcd(_whole("gcd", x), y)


@op(types="promote", differentiable=False, inplace=True, ufunc=np.lcm)
def lcm(x, y):
    """The least common multiple of integers.

    >>> import tensorgrad
    >>> tensorgrad.lcm(tensorgrad.tensor([4, 7]), tensorgrad.tensor([6, 3]))
    tensor([12, 21])
    """
    return np.lcm(_whole("lcm", x), y)


@op(types="same", differentiable=False, inplace=True, ufunc=np.nextafter)
def nextafter(x, y):
    """The number of the dtype that follows ``x`` in the direction of ``y``.

    >>> import tensorgrad
    >>> tensorgrad.nextafter(tensorgrad.tensor(1.0), tensorgrad.tensor(2.0)).item() - 1 == 2**-23
    True
    """
    if x.dtype.kind != "f":
        raise NotImplementedError(f"nextafter is not implemented for {dtypes.of(x.dtype)}")
    return np.nextafter(x, y)


@op(public=False, method=False)
def mantissa(x):
    """The fraction in [0.5, 1) of each float."""
    return np.frexp(x)[0]


mantissa.vjp(x=lambda g, x: g * np.ldexp(np.ones_like(raw(x)), -np.frexp(raw(x))[1]))


@published
def frexp(input):
    """(mantissa, exponent) with ``mantissa * 2**exponent = input``, the mantissa in [0.5, 1).

    >>> import tensorgrad
    >>> tensorgrad.frexp(tensorgrad.tensor([1.0, 12.0])).mantissa
    tensor([0.5000, 0.7500])
    """
    if raw(input).dtype.kind != "f":
        raise errors.DtypeError(
            f"torch.frexp() only supports floating-point dtypes, got {input.dtype}"
        )
    exponent = np.asarray(np.frexp(raw(input))[1], np.int32)
    return return_types.frexp(mantissa(input), wrap(exponent))


@published
def mvlgamma(input, p):
    """The logarithm of the multivariate gamma function of dimension ``p``.

    Raises:
        RuntimeError: ``p`` < 1, or an element is not above (p - 1) / 2.
    """
    if p < 1:
        raise errors.ShapeError(f"p has to be greater than or equal to 1, got {p}")
    if raw(input).dtype.kind not in "f":
        input = input.to(dtypes.get_default_dtype())
    halves = wrap(np.arange(p, dtype=raw(input).dtype) / 2)
    constant = p * (p - 1) / 4 * math.log(math.pi)
    return sum(lgamma(unsqueeze(input, -1) - halves), -1) + constant


# --- reductions at indices --------------------------------------------------------------


@op(public=False, method=False, grad_name="ScatterReduceBackward0")
def scatter_extreme(x, src, *, dim, index, largest, include_self):
    """The largest (or smallest) of what goes to each place; ties share the gradient."""
    out = np.array(x)
    places = _places(x.shape, index, dim)
    values = src[tuple(slice(n) for n in index.shape)]
    if not include_self:
        low, high = _limits(x.dtype)
        out[places] = low if largest else high
    (np.maximum if largest else np.minimum).at(out, places, values)
    return out


def _limits(dtype):
    """The numbers that lose to every other as largest and as smallest."""
    if dtype.kind == "f":
        return -math.inf, math.inf
    return (False, True) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


def _places(shape, index, dim):
    """The places that ``index`` names, for NumPy."""
    grid = list(np.indices(index.shape, sparse=True))
    if grid:
        grid[dim] = index
    return tuple(grid)


@scatter_extreme.vjp
def _scatter_extreme_vjp(g, x, src, out, *, dim, index, include_self):
    i = index
    corner = tuple(slice(n) for n in i.shape)
    best = raw(out)
    places = _places(best.shape, i, dim)
    hit = np.asarray(raw(src)[corner] == best[places]).astype(best.dtype)
    mine = np.asarray(raw(x) == best).astype(best.dtype)
    touched = np.zeros(best.shape, bool)
    touched[places] = True
    if not include_self:
        mine = np.where(touched, 0, 1).astype(best.dtype)
    ties = np.array(mine)
    np.add.at(ties, places, hit)
    share = g / np.maximum(ties, 1)
    back = _gather.op.apply((share, i), {"dim": dim}) * hit
    return share * mine, _grown(back, raw(src).shape)


def _reduction(name, reduce, allowed):
    if reduce not in allowed:
        raise errors.ShapeError(f"{name}: reduce argument must be one of {allowed}, got {reduce!r}")


_REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


@op(public=False, method=False, grad_name="ScatterReduceBackward0")
def scatter_product(x, src, *, dim, index, include_self):
    """The product of what goes to each place."""
    out = np.array(x)
    places = _places(x.shape, index, dim)
    if not include_self:
        out[places] = 1
    np.multiply.at(out, places, src[tuple(slice(n) for n in index.shape)])
    return out


@scatter_product.vjp
def _scatter_product_vjp(g, x, src, out, *, dim, index, include_self):
    """Each factor's gradient is the product of the others: by division, or without the one zero."""
    corner = tuple(slice(n) for n in index.shape)
    places = _places(raw(x).shape, index, dim)
    mine = np.ones(raw(x).shape, bool)
    touched = np.zeros(raw(x).shape, bool)
    touched[places] = True
    if not include_self:
        mine &= ~touched
    sx, ss = raw(x) == 0, raw(src)[corner] == 0
    zeros = np.where(mine, sx, False).astype(int)
    np.add.at(zeros, places, ss)
    one = np.where(mine, np.where(sx, 1, raw(x)), 1).astype(raw(x).dtype)
    np.multiply.at(one, places, np.where(ss, 1, raw(src)[corner]))
    if not zeros.any():
        gx = g * out / x if mine.all() else g * _kept_quotient(out, x, mine)
        back = _gather.op.apply((g * out, index), {"dim": dim}) / _corner(src, index.shape)
    else:
        alone = np.where((zeros == 1) & sx, one, 0)
        others = np.where(zeros == 0, one / np.where(sx, 1, raw(x)), alone)
        gx = g * np.where(mine, others, 0).astype(raw(x).dtype)
        count, full = zeros[places], one[places]
        rest = np.where(count == 0, full / np.where(ss, 1, raw(src)[corner]),
                        np.where((count == 1) & ss, full, 0)).astype(raw(x).dtype)  # fmt: skip
        back = _gather.op.apply((g, index), {"dim": dim}) * rest
    return gx, _grown(back, raw(src).shape)


def _kept_quotient(out, x, mine):
    return keep(out / (x + (raw(x) == 0) * ~mine), mine)


def _corner(src, shape):
    return src if src.shape == shape else src[tuple(slice(n) for n in shape)]


def _grown(back, shape):
    """``back`` with zeros behind it, in the ``shape`` of what it was cut from."""
    if tuple(back.shape) == tuple(shape):
        return back
    from .shape import pad

    pairs = zip(reversed(shape), reversed(back.shape), strict=True)
    widths = [w for n, m in pairs for w in (0, n - m)]
    return raw(pad(wrap(back), widths)) if isinstance(back, ndarray) else pad(back, widths)


def _reduced_at(name, x, dim, index, src, reduce, include_self):
    i = raw(index).astype(np.int64)
    array = raw(x)
    dim = dim + array.ndim if dim < 0 else dim
    if array.dtype != raw(src).dtype:
        raise errors.DtypeError(
            f"{name}(): Expected self.dtype to be equal to src.dtype, got {x.dtype} and {src.dtype}"
        )
    if reduce in ("sum", "mean"):
        start = x if include_self else scatter(x, dim, wrap(i), 0)
        result = scatter_add(start, dim, wrap(i), src)
        if reduce == "sum":
            return result
        one = np.ones(array.shape, array.dtype)
        start = wrap(one if include_self else raw(scatter(wrap(one), dim, wrap(i), 0)))
        counts = raw(scatter_add(start, dim, wrap(i), wrap(np.ones(i.shape, array.dtype))))
        counts = wrap(np.maximum(counts, 1))
        return result / counts if array.dtype.kind in "fc" else result // counts
    scatter_add(x.detach(), dim, wrap(i), src.detach())  # checks shapes and bounds
    attrs = {"dim": dim, "index": i, "include_self": include_self}
    if not array.ndim or not raw(src).ndim:  # a number is a vector of one
        flat, one = x.reshape(array.shape or (1,)), src.reshape(raw(src).shape or (1,))
        i = wrap(i.reshape(i.shape or (1,)))
        return _reduced_at(name, flat, dim, i, one, reduce, include_self).reshape(array.shape)
    if reduce == "prod":
        return scatter_product.op.apply((x, src), attrs)
    return scatter_extreme.op.apply((x, src), {**attrs, "largest": reduce == "amax"})


@published
def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """``input`` with the elements of ``src`` reduced into the places that ``index`` names.

    Args:
        input: any tensor.
        dim: the dimension that ``index`` counts along; the others correspond.
        index: integers, no larger than ``src``, and than ``input`` except along ``dim``.
        src: of the same dtype.
        reduce: ``"sum"``, ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``; ties share the
            gradient.
        include_self: whether the old elements of those places take part.

    >>> import tensorgrad
    >>> src, index = tensorgrad.tensor([1.0, 2.0, 3.0]), tensorgrad.tensor([0, 0, 1])
    >>> tensorgrad.ones(2).scatter_reduce(0, index, src, "amax")
    tensor([2., 3.])
    """
    _reduction("scatter_reduce", reduce, _REDUCTIONS)
    return _reduced_at("scatter_reduce", input, dim, index, src, reduce, include_self)


@published
def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """``input`` with the slices of ``source`` reduced into those that ``index`` names.

    ``reduce`` is ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``; see :func:`scatter_reduce`.
    """
    _reduction("index_reduce", reduce, ("prod", "mean", "amax", "amin"))
    if not raw(input).ndim and raw(source).size == 1:  # a number is a vector of one
        one = index_reduce(
            input.reshape(1), dim, index.reshape(-1), source.reshape(1), reduce,
            include_self=include_self,
        )  # fmt: skip
        return one.reshape(())
    n = raw(source).ndim
    at = wrap_dim(dim, n)
    if not n or raw(index).ndim > 1 or raw(index).size != raw(source).shape[at]:
        raise errors.DimError(
            f"index_reduce(): index must be a vector of {raw(source).shape[at]} elements, got "
            f"shape {raw(index).shape}"
        )
    shape = [-1 if i == at else 1 for i in range(n)]
    wide = wrap(np.broadcast_to(raw(index).reshape(shape), raw(source).shape))
    return _reduced_at("index_reduce", input, at, wide, source, reduce, include_self)


def _written(function, name=None):
    """The in-place method of a function composed from ops."""
    name = name or function.__name__

    def write(self, *args, **kwargs):
        tracked = any(isinstance(a, Tensor) and a._edge is not None for a in args)
        check_writable(self, tracked)
        check_memory(name + "_", self._array)
        since = _graph._next()
        result = function(self, *args, **kwargs)
        if function is float_power and result.dtype != self.dtype:
            raise errors.DtypeError(
                f"the base given to float_power_ has dtype {self.dtype} but the operation's result "
                f"requires dtype {result.dtype}; use the out-of-place form"
            )
        result = fit(name, self, result)
        keep_saved(edge_of(result), self._array, since)
        return adopt(self, result)

    write.__name__ = name + "_"
    write.__doc__ = f"In-place :func:`tensorgrad.{name}`."
    return write


for _function in (
    scatter_reduce, index_reduce, renorm, mvlgamma, addbmm, addmm, addmv, addr, baddbmm, cumprod,
    cumsum, float_power, ldexp,
):  # fmt: skip
    METHODS[_function.__name__ + "_"] = _written(_function)
METHODS["conj_physical_"] = _written(conj, "conj_physical")
METHODS["polygamma_"] = _written(METHODS["polygamma"], "polygamma")


# --- quantiles --------------------------------------------------------------------------

_BETWEEN = ("linear", "lower", "higher", "midpoint", "nearest")


def _probabilities(name, q, like):
    """``q`` as a tensor in the dtype of ``like``, all of it within [0, 1]."""
    if isinstance(q, Tensor):
        if q.dtype != like.dtype:
            raise errors.DtypeError(
                f"{name}() q tensor must be same dtype as the input tensor, got {q.dtype} and "
                f"{like.dtype}"
            )
        if q._array.ndim > 1:
            raise errors.ShapeError(
                f"{name}() q must be a scalar or 1D tensor, got shape {q._array.shape}"
            )
    elif isinstance(q, int | float | np.number):
        q = wrap(np.asarray(q, raw(like).dtype))
    else:
        raise TypeError(f"{name}(): argument 'q' must be Tensor or float, not {type(q).__name__}")
    if not ((raw(q) >= 0) & (raw(q) <= 1)).all():
        raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {raw(q).tolist()}")
    return q


def _quantile(name, input, q, dim, keepdim, interpolation, skips_nan):
    """Sort, and read the rows at the ranks that ``q`` stands for."""
    x = raw(input)
    if not x.size:
        raise errors.ShapeError(f"{name}() input tensor must be non-empty, got shape {x.shape}")
    if x.dtype.char not in "fd":
        raise errors.DtypeError(
            f"{name}() input tensor must be either float or double dtype, got {dtypes.of(x.dtype)}"
        )
    if interpolation not in _BETWEEN:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )
    q = _probabilities(name, q, input)
    if dim is not None:
        dim = wrap_dim(dim, x.ndim)
    whole = dim is None or not x.ndim
    rows = reshape(input, (-1,)) if whole else movedim(input, dim, -1)
    out = _at_ranks(sort(rows).values, reshape(q, (-1,)), interpolation, skips_nan)
    out = movedim(out, -1, 0) if raw(q).ndim else reshape(out, out.shape[:-1])
    if not keepdim or not x.ndim:
        return out
    shape = (1,) * x.ndim if whole else (*x.shape[:dim], 1, *x.shape[dim + 1 :])
    return reshape(out, (*raw(q).shape, *shape))


def _at_ranks(rows, q, interpolation, skips_nan):
    """Between the neighbours of each rank; a row with a nan gives its last element, a nan."""
    x = raw(rows)
    missing = np.isnan(x).sum(-1, keepdims=True)
    if skips_nan:
        ranks = clamp(q * wrap((x.shape[-1] - 1 - missing).astype(x.dtype)), min=0)
    else:
        last = x.dtype.type(x.shape[-1] - 1)
        ranks = where(wrap(missing > 0), wrap(np.full((), last)), q * float(last))
    at = raw(ranks)
    below, above = np.floor(at), np.ceil(at)
    if interpolation in ("lower", "higher", "nearest"):
        chosen = {"lower": below, "higher": above, "nearest": np.rint(at)}[interpolation]
        return gather(rows, -1, wrap(chosen.astype(np.int64)))
    weight = wrap(np.full_like(at, 0.5)) if interpolation == "midpoint" else ranks - wrap(below)
    below, above = (gather(rows, -1, wrap(i.astype(np.int64))) for i in (below, above))
    return lerp(below, above, weight)


@published
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The values below which the fractions ``q`` of the elements lie.

    Args:
        input: float32 or float64.
        q: a number, or a tensor of at most one dimension in the dtype of ``input``, within [0, 1].
        dim: where to look; all elements by default.
        keepdim: keep ``dim`` as 1.
        interpolation: between two elements: "linear", "lower", "higher", "midpoint", "nearest".

    Returns:
        The shape of the reduction, after a first dimension for ``q`` where that is 1-d. A row with
        a nan gives nan.

    Raises:
        RuntimeError: ``input`` is empty or of another dtype, ``q`` is outside [0, 1] or of another
            dtype or shape, or ``interpolation`` is unknown.
        IndexError: ``dim`` is out of range.

    >>> import tensorgrad
    >>> tensorgrad.tensor([3.0, 1.0, 2.0]).quantile(0.75)
    tensor(2.5000)
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, skips_nan=False)


@published
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """:func:`quantile` of the elements that are not nan; nan where there are none.

    Raises:
        RuntimeError: as for :func:`quantile`.
        IndexError: ``dim`` is out of range.

    >>> import tensorgrad
    >>> tensorgrad.tensor([3.0, float("nan"), 2.0]).nanquantile(0.5)
    tensor(2.5000)
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, skips_nan=True)


# --- other names for what is there ------------------------------------------------------


@function(method=True)
def is_same_size(input, other):
    """Whether the two tensors have the same shape."""
    return raw(input).shape == raw(other).shape


@function(method=True)
def is_signed(input):
    """Whether the dtype has negative numbers."""
    return raw(input).dtype.kind in "ifc"


@function(method=True)
def split_with_sizes(input, split_sizes, dim=0):
    """Views of consecutive parts of the given sizes: ``split`` with a list."""
    return split(input, list(split_sizes), dim)


@function(method=True)
def unsafe_split(input, split_size, dim=0):
    """The same as ``split``, whose parts may be written to here in any case."""
    return split(input, split_size, dim)


@function(method=True)
def unsafe_chunk(input, chunks, dim=0):
    """The same as ``chunk``, whose parts may be written to here in any case."""
    return chunk(input, chunks, dim)


@function(method=True)
def unsafe_split_with_sizes(input, split_sizes, dim=0):
    """The same as ``split_with_sizes``, whose parts may be written to here in any case."""
    return split(input, list(split_sizes), dim)


@published
def narrow_copy(input, dim, start, length):
    """``narrow`` with memory of its own."""
    return clone(narrow(input, dim, start, length))


@function
def norm_except_dim(v, pow=2, dim=0):
    """The norm of order ``pow`` over all dimensions but ``dim``, kept as 1; -1 keeps none.

    Weight normalisation divides by it, arXiv:1602.07868.
    """
    n = raw(v).ndim
    if dim == -1:
        return norm(v, pow)
    dim = wrap_dim(dim, n)
    return norm(v, pow, [d for d in range(n) if d != dim], True) if n > 1 else norm(v, pow, 1)


@function(method=True)
def nonzero_static(input, *, size, fill_value=-1):
    """The first ``size`` indices of elements that are not zero, filled up with ``fill_value``."""
    x = raw(input)
    if size < 0:
        raise errors.ShapeError(f"nonzero_static: size must be non-negative, got {size}")
    found = np.stack(np.nonzero(x), 1)[:size] if x.ndim else np.zeros((0, 0), np.int64)
    out = np.full((size, raw(input).ndim), fill_value, np.int64)
    out[: len(found)] = found
    return wrap(out)


@function
def nuclear_norm(input, dim=(-2, -1), keepdim=False):
    """The sum of the singular values of matrices; see ``linalg.matrix_norm``."""
    return norm(input, "nuc", dim, keepdim)


@function
def frobenius_norm(input, dim=None, keepdim=False):
    """The root of the sum of squares over ``dim``."""
    return norm(input, 2, dim, keepdim)
