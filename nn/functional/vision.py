"""Images resampled and their channels rearranged."""

from __future__ import annotations

import math
import warnings

import numpy as np

import tensorgrad as tg
from tensorgrad._graph import wrap

__all__ = [
    "affine_grid",
    "channel_shuffle",
    "grid_sample",
    "interpolate",
    "pixel_shuffle",
    "pixel_unshuffle",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

# --- channels and space -----------------------------------------------------------------


def pixel_shuffle(input, upscale_factor):
    """(..., C r², H, W) to (..., C, H r, W r): Shi et al., arXiv:1609.05158.

    Raises:
        RuntimeError: fewer than 3 dimensions, or channels that r² does not divide.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.pixel_shuffle(torch.arange(4).view(1, 4, 1, 1), 2)
    tensor([[[[0, 1],
              [2, 3]]]])
    """
    r, shape = upscale_factor, input.shape
    _demand_image("pixel_shuffle", shape)
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *batch, channels, height, width = shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor {r}, but got {channels} channels in shape {tuple(shape)}"
        )
    n = len(batch)
    blocks = input.reshape(*batch, channels // (r * r), r, r, height, width)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return blocks.permute(order).reshape(*batch, channels // (r * r), height * r, width * r)


def pixel_unshuffle(input, downscale_factor):
    """(..., C, H r, W r) to (..., C r², H, W): the inverse of :func:`pixel_shuffle`.

    Raises:
        RuntimeError: fewer than 3 dimensions, or sides that r does not divide.
    """
    r, shape = downscale_factor, input.shape
    _demand_image("pixel_unshuffle", shape)
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *batch, channels, height, width = shape
    if height % r or width % r:
        raise RuntimeError(
            f"pixel_unshuffle expects height and width to be divisible by downscale_factor {r}, "
            f"but got shape {tuple(shape)}"
        )
    n = len(batch)
    blocks = input.reshape(*batch, channels, height // r, r, width // r, r)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return blocks.permute(order).reshape(*batch, channels * r * r, height // r, width // r)


def _demand_image(name, shape):
    if len(shape) < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got shape {tuple(shape)}"
        )


def channel_shuffle(input, groups):
    """Interleave the channels (dimension 1) of ``groups`` groups: Zhang et al., arXiv:1707.01083.

    Raises:
        RuntimeError: fewer than 3 dimensions, or channels that ``groups`` does not divide.
    """
    shape = input.shape
    if len(shape) < 3:
        raise RuntimeError(
            "channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(shape)}"
        )
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive, got {groups}")
    batch, channels, *space = shape
    if channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and "
            f"{groups} groups."
        )
    parts = input.reshape(batch, groups, channels // groups, *space)
    return parts.transpose(1, 2).reshape(shape)


# --- resizing ---------------------------------------------------------------------------
#
# Every mode is linear in the image and separable, so a dimension is resized by one matrix
# (out, in), or, for the nearest pixel, by one index. Positions are computed in float32 for
# float32 images, as PyTorch does, because which pixel is the nearest may hang on it.

_MODE_OF = {1: "linear", 2: "bilinear", 3: "trilinear"}
_DIMS_OF = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2, "lanczos": 2}
_ANY_RANK = ("nearest", "nearest-exact", "area")


def interpolate(
    input, size=None, scale_factor=None, mode="nearest", align_corners=None,
    recompute_scale_factor=None, antialias=False,
):  # fmt: skip
    """Resize the spatial dimensions of (N, C, L), (N, C, H, W) or (N, C, D, H, W).

    Args:
        input: the images.
        size: the spatial size of the result, one number or one for each dimension.
        scale_factor: or what to multiply the size by; the result is rounded down.
        mode: ``"nearest"``, ``"nearest-exact"``, ``"linear"`` (3-d), ``"bilinear"`` or
            ``"bicubic"`` (4-d), ``"trilinear"`` (5-d), ``"area"``; ``"lanczos"`` (4-d) with
            ``antialias``.
        align_corners: whether the centres of the corner pixels stay in place (linear and cubic
            modes; False).
        recompute_scale_factor: take the scale from the rounded size.
        antialias: widen the filter when shrinking (bilinear, bicubic, lanczos).

    Raises:
        ValueError: both or neither of ``size`` and ``scale_factor``; wrong number of sizes; an
            option that the mode does not have.
        NotImplementedError: a mode that the rank does not have.
        RuntimeError: an empty result.

    >>> import tensorgrad as torch
    >>> x = torch.tensor([[[0.0, 1.0]]])
    >>> torch.nn.functional.interpolate(x, scale_factor=2, mode="linear")
    tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])
    """
    space = input.shape[2:]
    _check_mode(input, mode, align_corners, antialias)
    sizes, scales = _output_sizes(space, size, scale_factor)
    if recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if recompute_scale_factor or mode == "area":
        scales = [None] * len(space)
    if 0 in space or min(sizes, default=1) < 1:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input {tuple(space)} and "
            f"output {tuple(sizes)}"
        )
    if mode == "area":
        return getattr(tg.nn.functional, f"adaptive_avg_pool{len(space)}d")(input, sizes)
    if input._array.dtype == np.float16 and not mode.startswith("nearest"):
        return interpolate(
            input.float(), size, scale_factor, mode, align_corners, recompute_scale_factor,
            antialias,
        ).half()  # fmt: skip
    work = np.float64 if input._array.dtype == np.float64 else np.float32
    for dim, (n, m, scale) in enumerate(zip(space, sizes, scales, strict=True), start=2):
        if mode.startswith("nearest"):
            input = input.index_select(dim, wrap(_nearest(n, m, scale, mode == "nearest-exact")))
        else:
            matrix = _filter(n, m, scale, mode, bool(align_corners), antialias, work)
            input = _apply(input, dim, matrix)
    return input


def _check_mode(input, mode, align_corners, antialias):
    ndim = input.ndim
    if mode in _ANY_RANK:
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: "
                "linear | bilinear | bicubic | trilinear"
            )
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires "
            f"a 4-D tensor as input, got mode {mode!r} and {ndim} dimensions"
        )
    known = 3 <= ndim <= 5 and (mode in _ANY_RANK or mode in _DIMS_OF)
    if not known or (mode in _DIMS_OF and _DIMS_OF[mode] != ndim - 2):
        raise NotImplementedError(
            f"interpolate: got a {ndim}D input and mode {mode!r}; 3D inputs take linear, 4D ones "
            f"bilinear and bicubic, 5D ones trilinear, and all of them {', '.join(_ANY_RANK)}"
        )
    if mode == "lanczos" and (align_corners or not antialias):
        raise ValueError("Lanczos mode requires antialias=True and align_corners=False")


def _output_sizes(space, size, scale_factor):
    """(sizes of the result, scale factors or None for each dimension)."""
    if (size is None) == (scale_factor is None):
        both = "only one of size or" if size is not None else "either size or"
        raise ValueError(f"{both} scale_factor should be defined")
    given = size if scale_factor is None else scale_factor
    given = list(given) if isinstance(given, tuple | list) else [given] * len(space)
    if len(given) != len(space):
        raise ValueError(
            "Input and output must have the same number of spatial dimensions, but got input with "
            f"spatial dimensions of {list(space)} and {given}"
        )
    if scale_factor is None:
        return [int(s) for s in given], [None] * len(space)
    return [math.floor(n * s) for n, s in zip(space, given, strict=True)], given


def _nearest(n, m, scale, exact):
    """For each of m results, which of n inputs it copies."""
    step = np.float32(n / m if scale is None else 1.0 / scale)
    position = np.arange(m, dtype=np.float32) + np.float32(0.5 * exact)
    return np.minimum((position * step).astype(np.int64), n - 1)


def _filter(n, m, scale, mode, align_corners, antialias, dtype):
    """The matrix (m, n) that resizes n samples to m."""
    if align_corners:
        step = dtype((n - 1) / (m - 1)) if m > 1 else dtype(0)
    else:
        step = dtype(n / m if scale is None else 1.0 / scale)
    if antialias:
        return _antialiased(n, m, step, mode, align_corners).astype(dtype)
    position = np.arange(m, dtype=dtype)
    source = position * step if align_corners else (position + dtype(0.5)) * step - dtype(0.5)
    if mode == "bicubic":
        first, weights, reach = np.floor(source), _cubic_weights, (-1, 0, 1, 2)
    else:
        source = np.maximum(source, 0)
        first, weights, reach = np.minimum(np.floor(source), n - 1), _linear_weights, (0, 1)
    fraction = source - first
    if mode != "bicubic":
        fraction = np.clip(fraction, 0, 1)
    matrix = np.zeros((m, n), dtype)
    for offset, weight in zip(reach, weights(fraction), strict=True):
        column = np.clip(first.astype(np.int64) + offset, 0, n - 1)
        np.add.at(matrix, (np.arange(m), column), weight)
    return matrix


def _linear_weights(t):
    return 1 - t, t


def _cubic_weights(t):
    """Weights of the four neighbours at distance t from the second (Keys 1981, a = -0.75)."""
    return [_cubic(np.abs(t - k), -0.75) for k in (-1, 0, 1, 2)]


def _cubic(d, a):
    return np.where(d <= 1, _cubic_near(d, a), np.where(d < 2, _cubic_far(d, a), 0))


def _cubic_near(d, a):
    """The cubic kernel at distances up to 1, of arrays or tensors."""
    return ((a + 2) * d - (a + 3)) * d * d + 1


def _cubic_far(d, a):
    """The cubic kernel at distances from 1 to 2."""
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a


def _lanczos(d):
    return np.where(d < 3, np.sinc(d) * np.sinc(d / 3), 0)


# Filters of the antialiased modes, with their reach; the cubic one is Pillow's (a = -0.5).
_KERNELS = {
    "bilinear": (lambda d: np.maximum(1 - d, 0), 1),
    "bicubic": (lambda d: _cubic(d, -0.5), 2),
    "lanczos": (_lanczos, 3),
}


def _antialiased(n, m, step, mode, align_corners):
    """The matrix (m, n) of a filter that is widened by ``step`` when shrinking."""
    kernel, reach = _KERNELS[mode]
    step = float(step)
    support, sharpness = (reach * step, 1 / step) if step >= 1 else (reach, 1.0)
    matrix = np.zeros((m, n))
    for i in range(m):
        centre = step * (i + 0.5)
        low = max(int(centre - support + 0.5), 0)
        high = min(int(centre + support + 0.5), n)
        weights = kernel(np.abs((np.arange(low, high) - centre + 0.5) * sharpness))
        matrix[i, low:high] = weights / weights.sum()
    return matrix


def _apply(x, dim, matrix):
    """``x`` with dimension ``dim`` mapped by ``matrix`` (out, in)."""
    matrix = wrap(matrix if x.is_floating_point() else matrix.astype(np.float32))
    if dim == x.ndim - 1:
        return x @ matrix.t()
    if dim == x.ndim - 2:
        return matrix @ x
    return (x.transpose(dim, -1) @ matrix.t()).transpose(dim, -1)


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """The deprecated name of :func:`interpolate`."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """The deprecated name of :func:`interpolate` with ``mode="nearest"``."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input, size=None, scale_factor=None):
    """The deprecated name of :func:`interpolate`, bilinear with aligned corners."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


# --- sampling at given places -----------------------------------------------------------


def affine_grid(theta, size, align_corners=None):
    """The places that affine maps send the pixels of a result to, for :func:`grid_sample`.

    Args:
        theta: (N, 2, 3) for images, (N, 3, 4) for volumes.
        size: of the result, (N, C, H, W) or (N, C, D, H, W).
        align_corners: whether -1 and 1 are the centres of the corner pixels, or their edges
            (False, with a warning where it is left out, as in PyTorch).

    Returns:
        (N, H, W, 2) or (N, D, H, W, 3), x first.

    Raises:
        ValueError: ``theta`` and ``size`` do not fit each other, or are not positive.
        NotImplementedError: ``size`` has neither 4 nor 5 numbers.
    """
    align_corners = _aligned("affine_grid", align_corners)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    space = list(size[2:])
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {tuple(size)}."
        )
    wanted = (size[0], len(space), len(space) + 1)
    if tuple(theta.shape) != wanted:
        raise ValueError(f"Expected a batch of affine matrices of shape {wanted} for size "
                         f"{tuple(size)}. Got {tuple(theta.shape)}.")  # fmt: skip
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {tuple(size)}")
    axes = [_unit_positions(n, align_corners, theta._array.dtype) for n in space]
    planes = np.meshgrid(*axes, indexing="ij")[::-1]
    base = np.stack([*planes, np.ones(space, theta._array.dtype)], -1).reshape(-1, len(space) + 1)
    grid = wrap(base) @ theta.transpose(1, 2)
    return grid.reshape(size[0], *space, len(space))


def _unit_positions(n, align_corners, dtype):
    """Centres of n pixels on [-1, 1]."""
    if n <= 1:
        return np.zeros(n, dtype)
    ends = np.linspace(-1, 1, n, dtype=dtype)
    return ends if align_corners else ends * ((n - 1) / n)


def _aligned(name, align_corners):
    if align_corners is None:
        warnings.warn(
            f"Default {name} behavior has changed to align_corners=False since 1.3.0; specify "
            "align_corners=True if the old behavior is desired.",
            stacklevel=3,
        )
    return bool(align_corners)


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """Images read at the places of ``grid``, between their pixels.

    Args:
        input: (N, C, H, W), or volumes (N, C, D, H, W).
        grid: (N, H', W', 2) or (N, D', H', W', 3): x, y(, z) of each result, with -1 and 1 the
            ends of the image.
        mode: ``"bilinear"``, ``"nearest"`` or ``"bicubic"`` (images only).
        padding_mode: what lies outside: ``"zeros"``, ``"border"`` or ``"reflection"``.
        align_corners: see :func:`affine_grid`.

    Returns:
        (N, C, H', W') or (N, C, D', H', W').

    Raises:
        ValueError: an unknown mode or padding mode.
        RuntimeError: shapes or dtypes that do not fit, or bicubic volumes.
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"mode must be 'bilinear', 'nearest' or 'bicubic', but got: {mode!r}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            f"padding_mode must be 'zeros', 'border' or 'reflection', but got: {padding_mode!r}"
        )
    align_corners = _aligned("grid_sample", align_corners)
    space = _check_grid(input, grid, mode)
    batch, channels = input.shape[:2]
    flat = input.reshape(batch, channels, math.prod(space))
    outputs = grid.shape[1:-1]
    places = []  # of the last dimension first, as in the grid
    for k, n in enumerate(reversed(space)):
        x = grid[..., k].reshape(batch, 1, -1)
        x = (x + 1) * (0.5 * (n - 1)) if align_corners else ((x + 1) * n - 1) * 0.5
        if mode != "bicubic":
            x = _inside(x, n, padding_mode, align_corners)
        places.append(_TAPS[mode](x))
    strides = [math.prod(space[len(space) - k :]) for k in range(len(space))]
    out = _gather(flat, places, list(reversed(space)), strides, padding_mode, align_corners)
    return out.reshape(batch, channels, *outputs)


def _check_grid(input, grid, mode):
    if input.ndim not in (4, 5) or grid.ndim != input.ndim:
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but "
            f"got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    space = list(input.shape[2:])
    if input.shape[0] != grid.shape[0] or grid.shape[-1] != len(space):
        raise RuntimeError(
            f"grid_sampler(): expected grid with batch size {input.shape[0]} and size "
            f"{len(space)} in its last dimension, but got sizes {list(grid.shape)}"
        )
    if input.dtype != grid.dtype:
        raise RuntimeError(
            f"grid_sampler(): expected input and grid to have same dtype, but got {input.dtype} "
            f"and {grid.dtype}"
        )
    if mode == "bicubic" and len(space) == 3:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if 0 in space:
        raise RuntimeError(f"grid_sampler(): expected a non-empty image, got {list(input.shape)}")
    return space


def _inside(x, n, padding_mode, align_corners):
    """Positions moved into the image, by the padding mode."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        low, high = (0.0, n - 1.0) if align_corners else (-0.5, n - 0.5)
        x = _reflected(x, low, high)
    array = x._array  # at the edges themselves the gradient is zero, as in PyTorch
    return tg.where(wrap((array > 0) & (array < n - 1)), x, wrap(np.clip(array, 0, n - 1)))


def _reflected(x, low, high):
    """Positions mirrored at ``low`` and ``high`` until they lie between."""
    if high == low:
        return x * 0.0
    span = high - low
    distance = tg.where(wrap(x._array >= low), x - low, low - x)
    turns = wrap(np.floor(distance._array / span))
    rest = distance - turns * span
    return tg.where(wrap(turns._array % 2 == 0), rest + low, high - rest)


def _nearest_tap(x):
    """The nearest pixel, halves to the even one."""
    return [(np.rint(x._array).astype(np.int64), None)]


def _linear_taps(x):
    first = np.floor(x._array)
    t = x - wrap(first)
    first = first.astype(np.int64)
    return [(first, 1 - t), (first + 1, t)]


def _cubic_taps(x):
    first = np.floor(x._array)
    t = x - wrap(first)
    first = first.astype(np.int64)
    a = -0.75
    weights = (
        _cubic_far(t + 1, a), _cubic_near(t, a), _cubic_near(1 - t, a), _cubic_far(2 - t, a)
    )  # fmt: skip
    return [(first + k, w) for k, w in zip((-1, 0, 1, 2), weights, strict=True)]


_TAPS = {"nearest": _nearest_tap, "bilinear": _linear_taps, "bicubic": _cubic_taps}


def _gather(flat, places, sizes, strides, padding_mode, align_corners):
    """The weighted sum over all combinations of taps of the pixels (N, C, pixels) they name."""
    total = None
    channels = flat.shape[1]
    for taps in _combinations(places):
        index, weight, valid = 0, None, None
        for (place, w), n, stride in zip(taps, sizes, strides, strict=True):
            inside = (place >= 0) & (place < n)
            if padding_mode == "zeros":
                valid = inside if valid is None else valid & inside
            elif not inside.all():  # a bicubic neighbour
                place = _inside_index(place, n, padding_mode, align_corners)
            index = index + np.clip(place, 0, n - 1) * stride
            if w is not None:
                weight = w if weight is None else weight * w
        shape = (index.shape[0], channels, index.shape[2])
        value = flat.gather(2, wrap(np.ascontiguousarray(np.broadcast_to(index, shape))))
        if valid is not None:
            value = tg.where(wrap(valid), value, 0.0)
        value = value if weight is None else value * weight
        total = value if total is None else total + value
    return total


def _inside_index(place, n, padding_mode, align_corners):
    moved = _inside(wrap(place.astype(np.float64)), n, padding_mode, align_corners)
    return np.rint(moved._array).astype(np.int64)


def _combinations(places):
    """One tap for each dimension, in all ways."""
    if not places:
        return [()]
    return [(tap, *rest) for tap in places[0] for rest in _combinations(places[1:])]
