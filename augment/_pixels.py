"""What the pixel transforms share: arrays (N, H, W, C), uint8 or float in 0..1."""

from __future__ import annotations

import numpy as np

from ._random import KeyedRng
from ._threads import tile

# ITU-R 601-2 luma, in 65536ths: Pillow's integers for mode "L".
LUMA = (19595, 38470, 7471)


def top(batch) -> int:
    """White: 255 for uint8, 1 for floats."""
    return 255 if batch.dtype == np.uint8 else 1


def work_dtype(batch):
    """What uint8 is computed in, and float16: float32; other floats stay."""
    return np.result_type(batch.dtype, np.float32) if batch.dtype != np.uint8 else np.float32


def column(values, batch):
    """One number per image as (N, 1, 1, 1), in the dtype that ``batch`` is computed in.

    Those too large for it are made smaller than the results' clipping can show: an infinity
    times a black pixel would be NaN.
    """
    dtype = work_dtype(batch)
    most = np.finfo(dtype).max / 2**16
    return np.clip(values, -most, most).astype(dtype).reshape(-1, 1, 1, 1)


def by_block(function, batch, *params, channels=None, pointwise=False):
    """``function(images, *their params)`` over tiles of images, written to one new array.

    A function that is ``pointwise`` gets parts of large images. It may return floats for uint8,
    within its range: they are truncated.
    """
    shape = batch.shape if channels is None else (*batch.shape[:3], channels)
    out = np.empty(shape, batch.dtype)
    for images, lines in parts_of(batch.shape, pointwise):
        part, own = batch[images, lines], [p[images] for p in params]
        np.copyto(out[images, lines], function(part, *own), casting="unsafe")
    return out


def parts_of(shape, pointwise=True):
    """Slices of images and of their lines, of a tile each."""
    if 0 in shape:
        return
    count, height, width, channels = shape
    line = width * channels
    most = tile(count * height * line)
    together = max(1, most // (height * line))
    lines = max(1, most // line) if pointwise and together == 1 else height
    for i in range(0, count, together):
        for j in range(0, height, lines):
            yield slice(i, i + together), slice(j, j + lines)


def rounded(values, dtype):
    """``values`` clipped to the range of ``dtype``; for uint8 the nearest integer (half up)."""
    if dtype == np.uint8:
        return np.clip(values + 0.5, 0, 255.5).astype(np.uint8)
    return np.clip(values, 0, 1).astype(dtype, copy=False)


def blend(degenerate, images, factor):
    """Between ``degenerate`` (factor 0) and ``images`` (factor 1), beyond them, and clipped.

    The result is floats in the range of ``images``. For uint8 they are computed in the order of
    ``PIL.Image.blend``, which truncates them; for floats the order gives exactly ``images`` at
    factor 1.
    """
    if images.dtype != np.uint8:
        mixed = images * factor
        mixed += degenerate * (1 - factor)
        return np.clip(mixed, 0, 1, out=mixed)
    base = np.asarray(degenerate, np.float32)
    mixed = images - base
    mixed *= factor
    mixed += base
    return np.clip(mixed, 0, 255, out=mixed)


def normal_like(images, key):
    """A standard normal for each value of ``images``, from their keys (N, 2)."""
    return KeyedRng.restore(key).normal(size=images.shape[1:], dtype=random_dtype(images))


def random_dtype(images):
    """What random numbers for ``images`` are made in: float32, but for float64."""
    return np.float64 if images.dtype == np.float64 else np.float32


def look_up(batch, tables):
    """uint8 ``batch`` through one table per image (N, 256), or per image and channel (N, C, 256).

    ``bytes.translate`` reads 8-bit indices as they are; ``np.take`` would widen each to 64 bits.
    """
    out = np.empty(batch.shape, np.uint8)
    if tables.ndim == 2:
        given, result = (memoryview(a.reshape(-1)) for a in (np.ascontiguousarray(batch), out))
        pixels, table = out[:1].size, tables.tobytes()
        for i in range(len(out)):
            image = slice(i * pixels, (i + 1) * pixels)
            result[image] = given[image].tobytes().translate(table[256 * i : 256 * (i + 1)])
        return out
    for index in np.ndindex(tables.shape[:2]):
        image, channel = index
        values = batch[image, ..., channel]
        data = values.tobytes().translate(tables[index].tobytes())
        out[image, ..., channel] = np.frombuffer(data, np.uint8).reshape(values.shape)
    return out


def grey(batch):
    """Luma of (N, H, W, 3) as (N, H, W, 1), in the dtype of ``batch``; one channel is itself.

    uint8: ``(19595 R + 38470 G + 7471 B + 0x8000) >> 16``, as Pillow. These integers stay under
    2^24, so float32 holds them exactly.
    """
    check_channels(batch, "grey")
    if batch.shape[3] == 1:
        return batch.copy()
    return by_block(_luma, batch, channels=1, pointwise=True)


def _luma(images):
    if images.dtype != np.uint8:
        return luma_of(*np.moveaxis(images, 3, 0).astype(work_dtype(images), copy=False))[..., None]
    # As rows of pixels: a product of 4 dimensions would be one call of BLAS for each line.
    luma = images.reshape(-1, 3).astype(np.float32) @ np.array(LUMA, np.float32)
    luma += 32768
    luma *= np.float32(2.0**-16)
    return luma.reshape(*images.shape[:3], 1)


def luma_of(red, green, blue):
    """Luma of floats. Not as a product of matrices: BLAS rounds a row by how many there are."""
    return red * 0.299 + green * 0.587 + blue * 0.114


def check_channels(batch, name):
    """Raise ValueError unless ``batch`` has one channel or three."""
    if batch.shape[3] not in (1, 3):
        raise ValueError(
            f"{name} expects 1 (grey) or 3 (RGB) channels, got {batch.shape[3]} in images of "
            f"shape {batch.shape[1:]} (H, W, C)"
        )


def to_bytes(batch):
    """``batch`` as uint8 grey levels: floats by the nearest of 256."""
    return batch if batch.dtype == np.uint8 else np.rint(batch * 255).astype(np.uint8)


def from_bytes(levels, dtype):
    """uint8 grey levels as ``dtype``: floats in 0..1."""
    if dtype == np.uint8:
        return levels
    return (levels / 255.0).astype(dtype)


def per_image(batch, values, name, low=0.0, high=np.inf):
    """``values`` as one number per image, in float64.

    Raises:
        ValueError: not one number or one per image, or out of range.
    """
    values = np.asarray(values, np.float64)
    if values.shape not in ((), (len(batch),)):
        raise ValueError(
            f"{name} must be one number or one per image: got shape {values.shape} for a batch "
            f"of shape {batch.shape}"
        )
    if values.size and not (values.min() >= low and values.max() <= high):
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {values}")
    return values if values.ndim else np.full(len(batch), values)
