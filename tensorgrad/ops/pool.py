"""Pooling: a maximum or a mean over sliding windows, or over bins that fill an image.

The windows of :func:`max_pool` and :func:`avg_pool` are those of convolution. The composed
definitions, windows and a reduction, are what the tests hold the fast forms to. The gradient of
a maximum goes to the first largest element of its window; ``place_max`` and ``pick_max`` close
under derivatives, and so do ``avg_pool`` and ``avg_spread``, ``bin_means`` and ``bin_spread``.
"""

from __future__ import annotations

import math

import numpy as np

from .. import errors
from .._graph import Tensor, wrap
from .._registry import function, op
from ..kernels import pool as kernels
from .conv import batched, unbatched, windows
from .conv import spread as _spread
from .elementwise import where_
from .index import gather
from .reduce import amax, sum
from .shape import flatten, reshape

# --- maxima -----------------------------------------------------------------------------


def _windows(shape, kernel, size, stride, padding, dilation=None):
    start = tuple(-p for p in padding)
    return kernels.Windows(
        tuple(shape), kernel, size, stride, start, dilation or (1,) * len(kernel)
    )


def _planes(x, n):
    """``x`` (N, C, size...) as (planes, size...)."""
    return np.ascontiguousarray(x).reshape(-1, *x.shape[x.ndim - n :])


def _codes(x, *, kernel, size, stride, padding, dilation):
    array = x._array if isinstance(x, Tensor) else x
    where = _windows(array.shape[2:], kernel, size, stride, padding, dilation)
    codes = kernels.maxima_and_codes(_planes(array, len(size)), where)[1]
    return codes.reshape(*array.shape[:2], *size)


def _max_pool_definition(x, *, kernel, size, stride, padding, dilation):
    options = {"kernel": kernel, "size": size, "stride": stride, "padding": padding}
    n = len(kernel)
    columns = windows(x, dilation=dilation, **options)
    inside = windows(np.ones((1, 1, *x.shape[2:])), dilation=dilation, **options)
    columns = where_(np.asarray(inside > 0), columns, -math.inf)
    columns = reshape(columns, (*x.shape[:2], math.prod(kernel), *size))
    return amax(columns, 2) if n else columns


def _name(kind):
    """The name of a node by its number of dimensions; one is computed as two in PyTorch."""

    def name(node):
        n = len(node.attrs["size"])
        return "SqueezeBackward1" if n == 1 else kind.format(f"Pool{n}D")

    return name


@op(public=False, method=False, grad_name=_name("Max{}WithIndicesBackward0"),
    residuals={"codes": _codes}, definition=_max_pool_definition)  # fmt: skip
def max_windows(x, *, kernel, size, stride, padding, dilation):
    """The largest element of each window of x (N, C, ...)."""
    where = _windows(x.shape[2:], kernel, size, stride, padding, dilation)
    out, codes = kernels.maxima_and_codes(_planes(x, len(size)), where)
    shape = (*x.shape[:2], *size)
    return out.reshape(shape), (codes.reshape(shape),)


@op(public=False, method=False, grad_name="MaxPoolWithIndicesBackwardBackward0")
def place_max(y, *, codes, shape, kernel, size, stride, padding, dilation):
    """Zeros (N, C, *shape) with y (N, C, *size) added at the elements that the codes name."""
    n = len(size)
    where = _windows(shape, kernel, size, stride, padding, dilation)
    out = kernels.place(_planes(y, n), _planes(codes, n), where)
    return out.reshape(*y.shape[:2], *shape)


@op(public=False, method=False, grad_name="MaxPoolDoubleBackwardBackward0")
def pick_max(x, *, codes, kernel, size, stride, padding, dilation):
    """The elements of x (N, C, ...) that the codes name: (N, C, *size)."""
    n = len(size)
    where = _windows(x.shape[2:], kernel, size, stride, padding, dilation)
    out = kernels.pick(_planes(x, n), _planes(codes, n), where)
    return out.reshape(*x.shape[:2], *size)


def _max_vjp(g, codes, x_shape, *, kernel, size, stride, padding, dilation):
    attrs = {"kernel": kernel, "size": size, "stride": stride, "padding": padding}
    attrs |= {"dilation": dilation, "codes": codes, "shape": tuple(x_shape[2:])}
    return place_max.op.apply((g,), attrs)


max_windows.vjp(x=_max_vjp)
place_max.vjp(
    y=lambda g, *, codes, kernel, size, stride, padding, dilation: pick_max.op.apply(
        (g,),
        {"codes": codes, "kernel": kernel, "size": size, "stride": stride, "padding": padding,
         "dilation": dilation},
    )
)  # fmt: skip
pick_max.vjp(
    x=lambda g, x_shape, *, codes, kernel, size, stride, padding, dilation: _max_vjp(
        g, codes, x_shape, kernel=kernel, size=size, stride=stride, padding=padding,
        dilation=dilation,
    )
)  # fmt: skip


# --- means ------------------------------------------------------------------------------


def _avg_pool_definition(x, *, kernel, size, stride, padding, divisor):
    columns = windows(
        x, kernel=kernel, size=size, stride=stride, padding=padding, dilation=(1,) * len(kernel)
    )
    return sum(columns, tuple(range(2, 2 + len(kernel)))) / divisor


@op(name="avg_windows", public=False, method=False, grad_name=_name("Avg{}Backward0"),
    definition=_avg_pool_definition)  # fmt: skip
def avg_windows(x, *, kernel, size, stride, padding, divisor):
    """The sum of each window of x (N, C, ...), zero outside, divided by ``divisor``."""
    where = _windows(x.shape[2:], kernel, size, stride, padding)
    out = kernels.sums(_planes(x, len(size)), where, divisor)
    return out.reshape(*x.shape[:2], *size)


@op(public=False, method=False, grad_name="AvgPoolBackwardBackward0")
def avg_spread(y, *, shape, kernel, size, stride, padding, divisor):
    """The adjoint of :func:`avg_windows`: y (N, C, *size) spread over (N, C, *shape)."""
    where = _windows(shape, kernel, size, stride, padding)
    out = kernels.spread(_planes(y, len(size)), where, divisor)
    return out.reshape(*y.shape[:2], *shape)


avg_windows.vjp(
    x=lambda g, x_shape, *, kernel, size, stride, padding, divisor: avg_spread.op.apply(
        (g,),
        {"shape": tuple(x_shape[2:]), "kernel": kernel, "size": size, "stride": stride,
         "padding": padding, "divisor": divisor},
    )
)  # fmt: skip
avg_spread.vjp(
    y=lambda g, *, kernel, size, stride, padding, divisor: avg_windows.op.apply(
        (g,),
        {"kernel": kernel, "size": size, "stride": stride, "padding": padding,
         "divisor": divisor},
    )
)  # fmt: skip


@op(public=False, method=False, grad_name=_name("AdaptiveAvg{}Backward0"))
def bin_means(x, *, size):
    """The mean of each of ``size`` bins that fill x (N, C, ...)."""
    return kernels.bin_means(_planes(x, len(size)), size).reshape(*x.shape[:2], *size)


@op(public=False, method=False, grad_name="AdaptiveAvgPoolBackwardBackward0")
def bin_spread(y, *, shape):
    """The adjoint of :func:`bin_means`."""
    return kernels.bin_spread(_planes(y, len(shape)), shape).reshape(*y.shape[:2], *shape)


bin_means.vjp(x=lambda g, x_shape: bin_spread.op.apply((g,), {"shape": tuple(x_shape[2:])}))
bin_spread.vjp(y=lambda g, y_shape: bin_means.op.apply((g,), {"size": tuple(y_shape[2:])}))


# --- arguments --------------------------------------------------------------------------


def _image(name, input, n):
    """``input`` with a batch dimension, and whether it had one; none but the batch is empty."""
    x, had_batch = batched(name, input, n)
    if 0 in tuple(x.shape)[1:]:
        raise errors.ShapeError(
            f"{name}: Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch "
            f"size for input, but got: {list(input.shape)}; every other size must be non-zero"
        )
    return x, had_batch


def _geometry(name, n, shape, kernel_size, stride, padding, dilation, ceil_mode):
    """Kernel, stride, padding, dilation and the number of windows of each dimension."""
    kernel = _spread(name, "kernel_size", kernel_size, n, 1, "greater than zero")
    if stride is None or (isinstance(stride, tuple | list) and not stride):
        stride = kernel
    stride = _spread(name, "stride", stride, n, 1, "greater than zero")
    padding = _spread(name, "padding", padding, n, 0, "non-negative")
    dilation = _spread(name, "dilation", dilation, n, 1, "greater than zero")
    for p, k in zip(padding, kernel, strict=True):
        if p > k // 2:
            raise errors.ShapeError(
                f"{name}: pad should be at most half of kernel size, but got padding={p} and "
                f"kernel_size={k}"
            )
    size = []
    for length, k, s, p, d in zip(shape, kernel, stride, padding, dilation, strict=True):
        spare = length + 2 * p - d * (k - 1) - 1
        count = (spare + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (count - 1) * s >= length + p:  # the last window begins inside
            count -= 1
        size.append(count)
    if min(size) < 1:
        raise errors.ShapeError(
            f"{name}: Given input size: ({_by(shape)}), kernel_size={kernel}, padding={padding}. "
            f"Calculated output size: ({_by(size)}). Output size is too small; use a smaller "
            "kernel_size or add padding"
        )
    return kernel, stride, padding, dilation, tuple(size)


def _by(sizes):
    return "x".join(map(str, sizes))


def _demand_inside(name, where):
    """Refuse windows of which no element lies inside the image (dilation larger than it)."""
    for axis, length in enumerate(where.shape):
        at = where.start[axis] + where.step[axis] * np.arange(where.size[axis])
        at = at + where.dilation[axis] * where.first_taps(axis)
        last = where.start[axis] + where.step[axis] * np.arange(where.size[axis])
        last = last + where.dilation[axis] * (where.kernel[axis] - 1)
        if (at >= length).any() or (at > last).any():
            raise errors.ShapeError(
                f"{name}: a window of kernel_size={where.kernel}, dilation={where.dilation} "
                f"holds no element of an image of size ({_by(where.shape)}); reduce the dilation"
            )


def _pick_at(x, index):
    """The elements of x (N, C, ...) at flat positions ``index`` (N, C, size...) of each plane."""
    shape = tuple(x.shape)
    flat = reshape(x, (*shape[:2], math.prod(shape[2:])))
    out = gather(flat, 2, wrap(index.reshape(*shape[:2], math.prod(index.shape[2:]))))
    return reshape(out, index.shape)


def max_pool(name, n, input, kernel_size, stride, padding, dilation, ceil_mode, indices=False):
    """Maximum pooling over ``n`` dimensions; with ``indices``, (maxima, their flat positions)."""
    x, had_batch = _image(name, input, n)
    array = x._array if isinstance(x, Tensor) else x
    if array.dtype.kind in "bc":
        raise errors.UnsupportedDtypeError(f"{name}: not implemented for {array.dtype}")
    kernel, stride, padding, dilation, size = _geometry(
        name, n, array.shape[2:], kernel_size, stride, padding, dilation, ceil_mode
    )
    where = _windows(array.shape[2:], kernel, size, stride, padding, dilation)
    if not all(where.whole):
        _demand_inside(name, where)
    attrs = {"kernel": kernel, "size": size, "stride": stride, "padding": padding}
    attrs["dilation"] = dilation
    if indices:
        codes = kernels.maxima_and_codes(_planes(array, n), where)[1]
        index = kernels.positions(codes, where).reshape(*array.shape[:2], *size)
        out = unbatched(_pick_at(x, index), had_batch)
        return out, unbatched(wrap(index.astype(np.int64, copy=False)), had_batch)
    if isinstance(x, Tensor) and x._edge is None:  # no gradient: no need to know where
        out = kernels.maxima(_planes(array, n), where)
        return unbatched(wrap(out.reshape(*array.shape[:2], *size)), had_batch)
    return unbatched(max_windows.op.apply((x,), attrs), had_batch)


def avg_pool(
    name, n, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
):
    """Mean pooling over ``n`` dimensions."""
    x, had_batch = _image(name, input, n)
    _demand_floats(name, x)
    shape = tuple(x.shape)[2:]
    kernel, stride, padding, _, size = _geometry(
        name, n, shape, kernel_size, stride, padding, 1, ceil_mode
    )
    if n == 3 and any(k > length for k, length in zip(kernel, shape, strict=True)):
        raise errors.ShapeError(
            f"{name}: input image of size ({_by(shape)}) smaller than kernel size ({_by(kernel)})"
        )
    if divisor_override is not None:
        if divisor_override == 0:
            raise errors.ShapeError(f"{name}: divisor must be not zero")
        divisor = float(divisor_override)
    else:
        divisor = _divisor(shape, kernel, stride, padding, size, count_include_pad)
    attrs = {"kernel": kernel, "size": size, "stride": stride, "padding": padding}
    out = avg_windows.op.apply((x,), {**attrs, "divisor": divisor})
    return unbatched(out, had_batch)


def _divisor(shape, kernel, stride, padding, size, count_include_pad):
    """The elements counted in each window: one number where all agree, else one for each."""
    counts = []
    for length, k, s, p, n in zip(shape, kernel, stride, padding, size, strict=True):
        begin = s * np.arange(n) - p
        end = np.minimum(begin + k, length + p)
        if not count_include_pad:
            begin, end = np.maximum(begin, 0), np.minimum(end, length)
        counts.append(end - begin)
    if all((c == k).all() for c, k in zip(counts, kernel, strict=True)):
        return float(math.prod(kernel))
    out = np.ones((), np.intp)
    for count in counts:
        out = out[..., None] * count
    return out.astype(np.float64)


def _demand_floats(name, x):
    dtype = getattr(x, "_array", x).dtype
    if dtype.kind != "f":
        raise errors.UnsupportedDtypeError(
            f"{name}: not implemented for {dtype}; convert with .float()"
        )


def _adaptive_size(name, n, output_size, shape):
    """``output_size`` for each dimension, None standing for the size of the input."""
    given = output_size if isinstance(output_size, tuple | list) else (output_size,) * n
    if len(given) == 1:
        given = tuple(given) * n
    if len(given) != n:
        raise errors.ShapeError(
            f"{name}: output_size must be {n} numbers, got output_size={output_size}"
        )
    given = tuple(length if k is None else k for k, length in zip(given, shape, strict=True))
    return _spread(name, "output_size", given, n, 0, "greater than or equal to 0")


def adaptive_avg_pool(name, n, input, output_size):
    """The means of ``output_size`` bins that fill ``input``."""
    x, had_batch = _image(name, input, n)
    _demand_floats(name, x)
    shape = tuple(x.shape)[2:]
    size = _adaptive_size(name, n, output_size, shape)
    if 0 in size:
        return unbatched(_nothing(x, size), had_batch)
    if any(length % k for length, k in zip(shape, size, strict=True)):
        return unbatched(bin_means.op.apply((x,), {"size": size}), had_batch)
    kernel = tuple(length // k for length, k in zip(shape, size, strict=True))
    attrs = {"kernel": kernel, "size": size, "stride": kernel, "padding": (0,) * n}
    out = avg_windows.op.apply((x,), {**attrs, "divisor": float(math.prod(kernel))})
    return unbatched(out, had_batch)


def _nothing(x, size):
    """An empty result (N, C, *size) on the graph of x."""
    return reshape(flatten(x)[:0], (*x.shape[:2], *size))


def adaptive_max_pool(name, n, input, output_size, indices=False):
    """The maxima of ``output_size`` bins that fill ``input``; with ``indices``, where they are."""
    x, had_batch = _image(name, input, n)
    _demand_floats(name, x)
    shape = tuple(x.shape)[2:]
    size = _adaptive_size(name, n, output_size, shape)
    if 0 in size:
        out = unbatched(_nothing(x, size), had_batch)
        return (out, wrap(np.zeros(out.shape, np.int64))) if indices else out
    if all(length % k == 0 for length, k in zip(shape, size, strict=True)):
        kernel = tuple(length // k for length, k in zip(shape, size, strict=True))
        return max_pool(name, n, input, kernel, kernel, 0, 1, False, indices)
    array = x._array if isinstance(x, Tensor) else x
    ranges = [kernels.bins(length, k) for length, k in zip(shape, size, strict=True)]
    index = kernels.greatest(_planes(array, n), ranges).reshape(*array.shape[:2], *size)
    out = unbatched(_pick_at(x, index), had_batch)
    return (out, unbatched(wrap(index), had_batch)) if indices else out


def _intervals(samples, length, count, kernel, dtype):
    """Where pseudo-random windows begin (planes, count), from a uniform sample for each plane."""
    begins = np.empty((len(samples), count), np.int64)
    if count > 1:
        kind = dtype.type
        alpha = kind(length - kernel) / kind(count - 1)
        sample = samples.astype(dtype)[:, None]
        steps = np.arange(count - 1).astype(dtype)
        begins[:, :-1] = ((steps + sample) * alpha).astype(np.int64)
        begins[:, :-1] -= (sample * alpha).astype(np.int64)
    begins[:, -1:] = length - kernel
    return begins


def fractional_max_pool(name, n, input, kernel_size, size, samples):
    """(maxima, flat positions) of windows at pseudo-random distances, from uniform samples."""
    x, had_batch = _image(name, input, n)
    _demand_floats(name, x)
    array = x._array if isinstance(x, Tensor) else x
    shape = array.shape[2:]
    kernel = _spread(name, "kernel_size", kernel_size, n, 1, "greater than zero")
    size = _spread(name, "output_size", size, n, 1, "greater than zero")
    for k, count, length in zip(kernel, size, shape, strict=True):
        if count + k - 1 > length:
            raise errors.ShapeError(
                f"{name}: pool size {kernel} too large relative to input size {tuple(shape)} for "
                f"output_size {size}: output_size + kernel_size - 1 must not exceed the input size"
            )
    drawn = samples._array
    if drawn.ndim != 3 or drawn.shape[:2] != array.shape[:2] or drawn.shape[2] != n:
        raise errors.ShapeError(
            f"{name}: Expect _random_samples of shape {(*array.shape[:2], n)}, "
            f"got {drawn.shape}"
        )
    drawn = drawn.reshape(-1, n)
    columns = (0, 1, 2) if n == 3 else tuple(reversed(range(n)))  # 2-d draws the width first
    ranges = [
        (_intervals(drawn[:, c], length, count, k, array.dtype), k)
        for c, length, count, k in zip(columns, shape, size, kernel, strict=True)
    ]
    index = kernels.greatest(_planes(array, n), ranges).reshape(*array.shape[:2], *size)
    return unbatched(_pick_at(x, index), had_batch), unbatched(wrap(index), had_batch)


# --- public functions -------------------------------------------------------------------


@function
def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The largest value in each window along one dimension; see :func:`max_pool2d`.

    >>> import tensorgrad
    >>> tensorgrad.max_pool1d(tensorgrad.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[3., 2.]])
    """
    return max_pool(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode
    )


@function
def max_pool1d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False
):
    """:func:`max_pool1d`, and the position of each maximum.

    >>> import tensorgrad
    >>> tensorgrad.max_pool1d_with_indices(tensorgrad.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    (tensor([[3., 2.]]), tensor([[1, 2]]))
    """
    return max_pool(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, True
    )


@function
def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The largest value in each window of an image.

    Args:
        input: (N, C, H, W), or (C, H, W) without a batch.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window; the kernel size if not given.
        padding: of minus infinity, on both sides, at most half of the window.
        dilation: distance of the elements of a window.
        ceil_mode: also windows that reach over the end, if they begin inside.

    nan wins over every number. The gradient goes to the first largest element of each window.

    Raises:
        RuntimeError: another number of dimensions, arguments out of range, an empty result.

    >>> import tensorgrad
    >>> tensorgrad.max_pool2d(tensorgrad.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    return max_pool(
        "max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode
    )


@function
def max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The largest value in each window of a volume; see :func:`max_pool2d`.

    >>> import tensorgrad
    >>> tensorgrad.max_pool3d(tensorgrad.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[7.]]]])
    """
    return max_pool(
        "max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode
    )


@function
def avg_pool1d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True
):
    """The mean of each window along one dimension.

    Args:
        input: (N, C, L), or (C, L) without a batch.
        kernel_size: of the window.
        stride: step of the window; the kernel size if not given.
        padding: zeros on both sides, at most half of the window.
        ceil_mode: also windows that reach over the end, if they begin inside.
        count_include_pad: whether the zeros count in the mean.

    Raises:
        RuntimeError: another number of dimensions, arguments out of range, an empty result.

    >>> import tensorgrad
    >>> tensorgrad.avg_pool1d(tensorgrad.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[2., 1.]])
    """
    return avg_pool(
        "avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None
    )


@function
def adaptive_avg_pool1d(input, output_size):
    """The means of ``output_size`` bins [floor(i a/n), ceil((i+1) a/n)) that fill the input.

    >>> import tensorgrad
    >>> tensorgrad.adaptive_avg_pool1d(tensorgrad.tensor([[1.0, 3.0, 2.0]]), 2)
    tensor([[2.0000, 2.5000]])
    """
    return adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


@function
def adaptive_max_pool1d(input, output_size):
    """(Maxima, positions) of ``output_size`` bins that fill the input.

    >>> import tensorgrad
    >>> tensorgrad.adaptive_max_pool1d(tensorgrad.tensor([[1.0, 3.0, 2.0]]), 2)
    (tensor([[3., 3.]]), tensor([[1, 1]]))
    """
    return adaptive_max_pool("adaptive_max_pool1d", 1, input, output_size, True)
