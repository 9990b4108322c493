"""Images read at other positions: one engine for matrices and for maps of coordinates.

Positions are in pixels, pixel i covers [i, i + 1]: as in Pillow and OpenGL, and as PyTorch's
``align_corners=False``. Inside they are 32 bit integers with 16 bits after the point, so that a
position of an affine map is one addition, its floor a shift, and its fraction a mask; positions
are right to 1/65536 of a pixel.
"""

from __future__ import annotations

import numpy as np

from ._threads import tile

__all__ = ["INTERPOLATIONS", "MODES", "copy_exactly", "fill_of", "fold", "resample", "whole_steps"]

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
MODES = ("constant", "edge", "reflect", "wrap")
_BITS = 16
_ONE = 1 << _BITS
_HALF = _ONE >> 1
# Positions further out than this would overflow; so do images of this size.
_FAR = (1 << (31 - _BITS)) - 8
# Elements of a tile for each pixel of the result: some ten arrays of 4 bytes, or 8 of positions,
# and five more of weights; one more where positions are floats.
_PER_PIXEL = {"nearest": 3, "bilinear": 3, "bicubic": 4}
# Pictures of at most this many pixels are gathered, not copied by slices.
_SMALL = 1 << 12
# Pixels read below the floor of a position, and above it.
_REACH = {"nearest": (0, 1), "bilinear": (0, 1), "bicubic": (2, 3)}
# Lines of fill that a position outside reads instead.
_FILL_LINES = {"nearest": 1, "bilinear": 2, "bicubic": 4}


def resample(images, grid, size, interpolation="bilinear", mode="constant", fill=0):
    """Images (n, H, W, C) read at the positions of a grid.

    Measured per image of 32x32x3, uint8, bilinear, on a machine where Pillow's ``rotate`` takes
    40 us: each channel gathered alone from a float32 plane 23, the three packed into one
    64 bit integer 28, a sparse matrix (``csr_matvecs``, channels together) 42.

    Args:
        images: of any dtype; integers and bools other than uint8 need "nearest".
        grid: (n, 3, 3) matrices from positions x, y, 1 of the result to those of the images,
            or the positions (n, h, w, 2) themselves.
        size: (h, w) of the result.
        interpolation: one of :data:`INTERPOLATIONS`; bicubic with a = -1, as Pillow's
            ``transform`` (its ``resize`` has -0.5, PyTorch's ``grid_sample`` -0.75).
        mode: what lies outside: "constant" (``fill``), "edge" (the nearest pixel), "reflect"
            (mirrored about the centres of the outer pixels) or "wrap". With "constant" a
            position outside the image gives ``fill``, one inside is interpolated from pixels
            of the image only, as in Pillow: there is no seam of both.
        fill: a number, or one for each channel, in the values of ``images``.

    Returns:
        (n, h, w, C) of the dtype of ``images``, rounded and clipped where that is uint8.
    """
    n, height, width, channels = images.shape
    if max(height, width) >= _FAR:
        raise ValueError(f"images must be smaller than {_FAR} pixels, got shape {images.shape}")
    h, w = size
    out = np.empty((n, h, w, channels), images.dtype)
    if not (height and width):
        out[...] = fill
        return out
    if not out.size:
        return out
    fill = np.broadcast_to(np.asarray(fill, images.dtype), (channels,))
    positions = _positions(grid, (h, w))
    whole = grid.ndim == 3 and (grid[:, 2] == (0.0, 0.0, 1.0)).all()
    pixels = tile(out.size) // (_PER_PIXEL[interpolation] + (not whole))
    count = max(1, pixels // (h * w))
    lines = -(-h // -(-h * w // pixels))
    for i in range(0, n, count):
        part = images[i : i + count]
        planes = _Planes(part, interpolation, mode, fill)
        for j in range(0, h, lines):
            rows = slice(i, i + len(part)), slice(j, min(j + lines, h))
            x, y = positions(*rows, (width, height), mode)
            fractions, start = planes.start(x, y)
            del x, y  # the memory of two channels
            _read(planes, start, fractions, out[rows])
    return out


def fill_of(fill, images):
    """``fill`` for images of one dtype and number of channels.

    Raises:
        ValueError: it is out of their range, or has another number of channels.
    """
    values, channels = np.asarray(fill, np.float64), images.shape[-1]
    most = 255 if images.dtype == np.uint8 else 1
    whole = images.dtype != np.uint8 or (values == np.floor(values)).all()
    fits = values.shape in ((), (channels,))
    if not (fits and whole and ((values >= 0) & (values <= most)).all()):
        kind = "an integer from 0 to 255" if most == 255 else "a number from 0 to 1"
        raise ValueError(
            f"fill must be {kind} for {images.dtype} images, or one for each of {channels} "
            f"channels; got {fill!r}"
        )
    return values


def _positions(grid, size):
    """A function from slices of images and lines to positions x and y as integers."""
    if grid.ndim == 4:
        return lambda images, lines, within, mode: _fixed(
            grid[images, lines, :, 0], grid[images, lines, :, 1], within, mode
        )
    if (grid[:, 2] != (0.0, 0.0, 1.0)).any():
        return lambda images, lines, within, mode: _fixed(
            *_projected(grid[images], lines, size), within, mode
        )
    # Entries of the tables stay within half of what 32 bits hold, so their sums fit.
    reach = np.abs(grid[:, :2]) @ np.array([size[1], size[0], 1.0])
    if reach.size and not reach.max() < _FAR / 2:
        return lambda images, lines, within, mode: _fixed(
            *_projected(grid[images], lines, size), within, mode
        )
    x = (np.arange(size[1]) + 0.5) * _ONE
    y = (np.arange(size[0]) + 0.5) * _ONE
    across = np.rint(grid[:, :2, 0, None] * x).astype(np.int32)
    down = np.rint(grid[:, :2, 1, None] * y + grid[:, :2, 2, None] * _ONE).astype(np.int32)
    return lambda images, lines, within, mode: tuple(
        across[images, axis, None, :] + down[images, axis, lines, None] for axis in (0, 1)
    )


def _projected(matrices, lines, size):
    """Positions x and y of a projective map, float64."""
    x = np.arange(size[1]) + 0.5
    y = (np.arange(size[0]) + 0.5)[lines, None]
    u, v, depth = (
        matrices[:, k, 0, None, None] * x
        + (matrices[:, k, 1, None, None] * y + matrices[:, k, 2, None, None])
        for k in range(3)
    )
    behind = ~(depth > 0)
    depth[behind] = 1.0
    u[behind] = v[behind] = -4.0  # outside
    return u / depth, v / depth


def _fixed(x, y, within, mode):
    """Positions as integers; far ones are brought near, without a change of what is read."""
    return tuple(_fixed_axis(p, n, mode) for p, n in zip((x, y), within, strict=True))


def _fixed_axis(position, n, mode):
    if mode in ("constant", "edge"):
        position = np.clip(position, -4, n + 4)
    elif position.size and not np.abs(position).max() < _FAR:
        period = n if mode == "wrap" else max(2 * n - 2, 1)
        position = np.mod(position, period)
    return np.rint(position * _ONE).astype(np.int32)


class _Planes:
    """The channels of a block of images, with what their outside reads, as flat planes.

    Attributes:
        flat: (C, pixels).
        stride: pixels from a line to the next.
    """

    def __init__(self, images, interpolation, mode, fill):
        n, self.height, self.width, channels = images.shape
        self.interpolation, self.mode = interpolation, mode
        low, high = _REACH[interpolation]
        self.stride = low + self.width + high
        # What a position (0, 0) reads first: one up and one left of it, in what is padded by two.
        self.origin = max(low - 1, 0) * (self.stride + 1)
        fill_line = low + self.height + high
        self.outside = fill_line - max(low - 1, 0)
        lines = fill_line + _FILL_LINES[interpolation] * (mode == "constant")
        self.per_image = lines * self.stride
        kind = images.dtype
        if interpolation != "nearest" and kind != np.float64:
            kind = np.dtype(np.float32)
        self.kind = kind
        # What is beyond the border has weight 0, unless it is wrapped or the kernel is wide.
        if low or mode == "wrap":
            folded = "edge" if mode == "constant" else mode
            down = fold(np.arange(-low, self.height + high), self.height, folded)
            across = fold(np.arange(-low, self.width + high), self.width, folded)
            images = images.take(down, axis=1).take(across, axis=2)
        memory = np.zeros((channels, n, lines, self.stride), kind)
        h, w = images.shape[1:3]
        for channel in range(channels):
            memory[channel, :, :h, :w] = images[..., channel]
            memory[channel, :, fill_line:] = fill[channel]
        self.flat = memory.reshape(channels, -1)

    def start(self, x, y):
        """Bring positions within reach: their fractions, and where reading begins."""
        if self.mode == "constant":
            outside = x.view(np.uint32) >= np.uint32(self.width << _BITS)
            outside |= y.view(np.uint32) >= np.uint32(self.height << _BITS)
        self._within(x, self.width)
        self._within(y, self.height)
        if self.mode == "constant":
            np.copyto(y, self.outside << _BITS, where=outside)
        nearest = self.interpolation == "nearest"
        fractions = None if nearest else (self._fraction(x), self._fraction(y))
        x >>= _BITS
        y >>= _BITS
        y *= self.stride
        y += x
        first = np.arange(len(y), dtype=np.int32) * self.per_image + self.origin
        y += first[:, None, None]
        return fractions, y.astype(np.intp)

    def _within(self, p, n):
        """Positions from the centre of pixel 0 on, or for "nearest" from its border."""
        p -= _HALF
        if self.mode == "wrap":
            np.remainder(p, n << _BITS, out=p)
        elif self.mode == "reflect":
            period = max(2 * n - 2, 1) << _BITS
            np.remainder(p, period, out=p)
            np.minimum(p, period - p, out=p)
            if n == 1:
                p[...] = 0
        elif self.interpolation == "bicubic":
            np.clip(p, -_ONE, n << _BITS, out=p)
        elif self.interpolation == "bilinear":
            np.clip(p, 0, (n - 1) << _BITS, out=p)
        else:
            np.clip(p, -_HALF, (n << _BITS) - _HALF - 1, out=p)
        if self.interpolation == "nearest":
            p += _HALF

    def _fraction(self, p):
        return np.multiply(p & (_ONE - 1), 1 / _ONE, dtype=self.kind)


def _read(planes, start, fractions, out):
    """Interpolate every channel as :meth:`_Planes.start` says, into ``out`` (n, h, w, C)."""
    read = _READERS[planes.interpolation]
    for channel, plane in enumerate(planes.flat):
        values = read(plane, start, planes.stride, fractions)
        if planes.interpolation == "bicubic":
            np.clip(values, 0, 255 if out.dtype == np.uint8 else 1, out=values)
        if out.dtype == np.uint8 and planes.kind != np.uint8:
            values += 0.5
        np.copyto(out[..., channel], values, casting="unsafe")
        del values


def _taken(plane, start, offset):
    return plane[offset:].take(start, mode="clip")


def _nearest(plane, start, stride, fractions):
    return _taken(plane, start, 0)


def _bilinear(plane, start, stride, fractions):
    """Lerps, not weights: equal pixels give exactly their value."""
    x, y = fractions
    upper, lower = _lerp(plane, start, 0, x), _lerp(plane, start, stride, x)
    lower -= upper
    lower *= y
    upper += lower
    return upper


def _lerp(plane, start, offset, fraction):
    left, right = _taken(plane, start, offset), _taken(plane, start, offset + 1)
    right -= left
    right *= fraction
    left += right
    return left


def _bicubic(plane, start, stride, fractions):
    x, y = fractions
    across, total = [weight(x) for weight in _CUBIC], None
    for j, weight in enumerate(_CUBIC):
        line = _taken(plane, start, j * stride)
        line *= across[0]
        for i in (1, 2, 3):
            tap = _taken(plane, start, j * stride + i)
            tap *= across[i]
            line += tap
        line *= weight(y)
        total = line if total is None else np.add(total, line, out=total)
    return total


# Weights of four neighbours at distance t from the second, by Keys' kernel with a = -1. Made
# again for each channel: that takes 4 % more time, and keeping them 0.2 times the memory of 256
# images of 32x32.
_CUBIC = (
    lambda t: ((2 - t) * t - 1) * t,
    lambda t: (t - 2) * t * t + 1,
    lambda t: ((1 - t) * t + 1) * t,
    lambda t: (t - 1) * t * t,
)


_READERS = {"nearest": _nearest, "bilinear": _bilinear, "bicubic": _bicubic}


def fold(index, n, mode):
    """Indices of any size as those of n pixels, as ``numpy.pad`` reads them; -1 for "constant"."""
    if mode == "wrap":
        return index % n
    if mode == "reflect":
        period = max(2 * n - 2, 1)
        index = index % period
        return np.minimum(index, period - index) if n > 1 else np.zeros_like(index)
    if mode == "edge":
        return np.clip(index, 0, n - 1)
    return np.where((index >= 0) & (index < n), index, -1)


def whole_steps(matrices) -> bool:
    """Whether affine matrices (n, 3, 3) map pixels onto pixels: turns, mirrors, whole shifts."""
    linear, shift = np.abs(matrices[:, :2, :2]), matrices[:, :2, 2]
    one = (linear == 0.0) | (linear == 1.0)
    return bool(
        one.all()
        and (linear.sum(axis=1) == 1).all()
        and (linear.sum(axis=2) == 1).all()
        and (shift == np.floor(shift)).all()
        and (np.abs(shift) < _FAR).all()
    )


def copy_exactly(images, matrices, size, mode="constant", fill=0):
    """What :func:`resample` gives for :func:`whole_steps`, by copies.

    Slices of each image are copied fastest, 40 us for 224x224x3 where a gather of pixels takes
    130; but of small images they cost 12 us each, and a gather of 32x32x3 takes 6.
    """
    n, *_, channels = images.shape
    out = np.empty((n, *size, channels), images.dtype)
    if not out.size:
        return out
    if not images.size:
        out[...] = fill
        return out
    if (matrices == matrices[:1]).all():
        _copy(images, matrices[0], mode, fill, out)
    elif size[0] * size[1] <= _SMALL:
        _gather(images, matrices, mode, fill, out)
    else:
        for i in range(n):
            _copy(images[i : i + 1], matrices[i], mode, fill, out[i : i + 1])
    return out


def _gather(images, matrices, mode, fill, out):
    """Pixels by their index, the sum of one for the line and one for the column."""
    n, height, width, channels = images.shape
    h, w = out.shape[1:3]
    turned = matrices[:, 0, 0] == 0
    down, across = np.zeros((n, h), np.intp), np.zeros((n, w), np.intp)
    for axis, (size, stride) in enumerate(((width, 1), (height, width))):
        for table, column, rows in ((across, 0, turned == axis), (down, 1, turned != axis)):
            steps, first = matrices[rows, axis, column, None], matrices[rows, axis, 2, None]
            at = steps * (np.arange(table.shape[1]) + 0.5) + first - 0.5
            at = fold(at.astype(np.intp), size, mode)
            table[rows] = np.where(at < 0, images.size, at * stride)
    count = max(1, tile(out.size) // (_PER_PIXEL["nearest"] * h * w))
    for i in range(0, n, count):
        part = images[i : i + count]
        pixels = part.reshape(-1, channels)
        if mode == "constant":  # an index beyond the last pixel is clipped to this one
            pixels = np.concatenate([pixels, np.full((1, channels), fill, images.dtype)])
        first = np.arange(len(part))[:, None] * (height * width)
        index = (down[i : i + count] + first)[:, :, None] + across[i : i + count, None, :]
        pixels.take(index, axis=0, out=out[i : i + count], mode="clip")


def _copy(images, matrix, mode, fill, out):
    """Images (n, H, W, C) copied to ``out`` by one matrix from positions of it to theirs."""
    across, down = matrix[:2].tolist()
    if across[0] == 0:
        images, across, down = images.swapaxes(1, 2), down, across
    read_y, (top, bottom) = _steps(down[1], down[2], images.shape[1], out.shape[1], mode)
    read_x, (left, right) = _steps(across[0], across[2], images.shape[2], out.shape[2], mode)
    inner = out[:, top:bottom, left:right]
    if inner.size < out.size:
        for border in (out[:, :top], out[:, bottom:], out[:, top:bottom, :left],
                       out[:, top:bottom, right:]):  # fmt: skip
            border[...] = fill
    images = images[:, read_y][:, :, read_x]
    if images.strides[2] == images.itemsize * images.shape[3] or images.shape[3] > 4:
        inner[...] = images
        return
    # Channel by channel, or the innermost loop is over three bytes: 56 us instead of 350 for a
    # mirrored image of 224x224x3.
    for channel in range(images.shape[3]):
        inner[..., channel] = images[..., channel]


def _steps(step, shift, n, m, mode):
    """What of n pixels an axis of m reads at ``step * x + shift``: an index of them, and where."""
    first, step = int(shift + 0.5 * step - 0.5), int(step)
    if mode != "constant":
        return fold(first + step * np.arange(m), n, mode), (0, m)
    low, high = (-first, n - first) if step > 0 else (first - n + 1, first + 1)
    low = min(max(low, 0), m)
    high = max(low, min(high, m))
    if low == high:
        return slice(0, 0), (low, high)
    begin, end = first + step * low, first + step * high
    return slice(begin, end if end >= 0 else None, step), (low, high)
