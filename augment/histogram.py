"""From the histogram: auto-contrast, equalisation, CLAHE. Images are (N, H, W, C)."""

from __future__ import annotations

import numpy as np

from ._chance import Chance, drawn
from ._checks import check_probability, check_strength, is_integer
from ._pixels import (
    by_block,
    check_channels,
    from_bytes,
    grey,
    look_up,
    per_image,
    rounded,
    to_bytes,
    top,
    work_dtype,
)
from ._transform import Transform

__all__ = ["CLAHE", "RandomAutocontrast", "RandomEqualize"]


def histograms(batch):
    """Counts of the 256 grey levels of each channel of each image: (N, C, 256).

    Floats in 0..1 are counted at the nearest of 256 levels.
    """
    count, channels = len(batch), batch.shape[3]
    out = np.zeros((count, channels, 256), np.int64)
    for image, counts in zip(batch, out, strict=True):
        levels = to_bytes(image)
        for channel in range(channels):
            counts[channel] = np.bincount(levels[..., channel].ravel(), minlength=256)
    return out


def autocontrast(batch):
    """Stretch each channel so that its darkest value is black and its lightest white.

    A channel of one value stays. Equals Pillow's ``ImageOps.autocontrast`` (uint8, truncated).

    Args:
        batch: (N, H, W, C), uint8 or float in 0..1.

    >>> autocontrast(np.array([0.25, 0.5, 0.75]).reshape(1, 1, 3, 1)).ravel().tolist()
    [0.0, 0.5, 1.0]
    """
    return by_block(_autocontrast, batch)


def _autocontrast(batch):
    lines = batch.reshape(*batch.shape[:2], -1)  # columns first: long runs for the processor
    low = lines.min(1).reshape(len(batch), -1, batch.shape[3]).min(1)
    high = lines.max(1).reshape(len(batch), -1, batch.shape[3]).max(1)
    if batch.dtype == np.uint8:
        return look_up(batch, _stretch_tables(low.astype(float), high.astype(float)))
    span = np.where(high > low, high - low, 1).astype(work_dtype(batch))
    low = np.where(high > low, low, 0)
    stretched = (batch - low[:, None, None]) / span[:, None, None]
    return np.clip(stretched, 0, 1).astype(batch.dtype, copy=False)


def _stretch_tables(low, high):
    """One table per image and channel: ``int(scale * x + offset)``, in the order of Pillow."""
    levels = np.arange(256)
    scale = 255.0 / np.where(high > low, high - low, 255)
    offset = np.where(high > low, -low * scale, 0)
    tables = levels * scale[..., None] + offset[..., None]
    return np.clip(tables, 0, 255).astype(np.uint8)


def equalize(batch):
    """Map each channel so that its grey levels are used about equally often.

    Equals Pillow's ``ImageOps.equalize``: with ``step = (pixels - count of the lightest) // 255``,
    a level becomes ``(pixels below it + step // 2) // step``; where ``step`` is 0 (few pixels, or
    one value) the channel stays.

    Args:
        batch: (N, H, W, C), uint8 or float in 0..1. Floats are mapped at 256 grey levels.
    """
    return by_block(_equalize, batch)  # the tables of a small image are larger than it


def _equalize(batch):
    counts = histograms(batch)
    tables = _equal_tables(counts)
    equal = from_bytes(look_up(to_bytes(batch), tables), batch.dtype)
    if batch.dtype != np.uint8:  # a channel that stays is not rounded to 256 levels
        stays = (tables == np.arange(256)).all(-1)
        equal = np.where(stays[:, None, None], batch, equal)
    return equal


def _equal_tables(counts):
    lightest = 255 - (counts[..., ::-1] > 0).argmax(-1)
    last = np.take_along_axis(counts, lightest[..., None], -1)[..., 0]
    step = ((counts.sum(-1) - last) // 255)[..., None]
    below = np.cumsum(counts, axis=-1) - counts
    tables = (below + step // 2) // np.maximum(step, 1)
    return np.where(step > 0, np.minimum(tables, 255), np.arange(256)).astype(np.uint8)


def clahe(batch, clip_limit=4.0, tile_grid_size=(8, 8)):
    """Contrast limited adaptive histogram equalisation, by OpenCV's algorithm.

    The image is cut into a grid of tiles. Where they would not be whole, it is mirrored at its
    right and lower edge until they are; as in OpenCV, a side that is a multiple of the grid's
    then grows too, by one pixel a tile. Each tile's histogram is clipped at ``clip_limit`` times
    its mean count, what was cut off is spread over all levels, and the pixels are mapped by the
    cumulative counts of the four nearest tiles, bilinearly. A colour image is mapped by its luma
    and keeps its colour differences: the change of the luma is added to the three channels.

    Args:
        batch: (N, H, W, C) with C of 1 or 3. Floats in 0..1 are counted at 256 grey levels.
        clip_limit: one number, or one for each image; 0 does not clip.
        tile_grid_size: rows and columns of the grid.

    Source: Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.
    """
    check_channels(batch, "clahe")
    limits, grid = per_image(batch, clip_limit, "clip_limit"), _grid_of(tile_grid_size)
    if batch.size == 0:
        return batch.copy()
    luma = to_bytes(grey(batch))[..., 0]
    out = np.empty_like(batch)
    for image, levels, limit, result in zip(batch, luma, limits, out, strict=True):
        change = _clahe_plane(levels, limit, grid).astype(np.float64) - levels
        result[...] = rounded(image + change[..., None] * (top(batch) / 255), batch.dtype)
    return out


def _grid_of(tile_grid_size):
    """``tile_grid_size`` as (rows, columns), or an error that names it."""
    fits = np.ndim(tile_grid_size) == 1 and len(tile_grid_size) == 2
    if fits and all(is_integer(k) and k > 0 for k in tile_grid_size):
        return tuple(map(int, tile_grid_size))
    raise ValueError(f"tile_grid_size must be two positive integers, got {tile_grid_size!r}")


def _clahe_plane(levels, limit, grid):
    """The levels of one (H, W) uint8 plane, mapped."""
    height, width = levels.shape
    padded = levels
    if height % grid[0] or width % grid[1]:
        more = (0, grid[0] - height % grid[0]), (0, grid[1] - width % grid[1])
        padded = np.pad(levels, more, mode="reflect")
    tile = padded.shape[0] // grid[0], padded.shape[1] // grid[1]
    tables = _tile_tables(padded, tile, grid, limit)
    (top_row, row, down) = _neighbours(height, tile[0], grid[0])
    (left, col, across) = _neighbours(width, tile[1], grid[1])
    down, across = down[:, None], across[None]
    upper = _read(tables, top_row, left, levels) * (1 - across) + (
        _read(tables, top_row, col, levels) * across
    )
    lower = _read(tables, row, left, levels) * (1 - across) + (
        _read(tables, row, col, levels) * across
    )
    return np.rint(upper * (1 - down) + lower * down).astype(np.uint8)


def _read(tables, rows, cols, levels):
    return tables[rows[:, None], cols[None], levels]


def _neighbours(size, tile, count):
    """For each pixel the tile before it, the tile after it, and the share of the latter."""
    position = np.arange(size, dtype=np.float32) * (1 / np.float32(tile)) - np.float32(0.5)
    floor = np.floor(position)
    before, share = floor.astype(int), position - floor
    return np.maximum(before, 0), np.minimum(before + 1, count - 1), share


def _tile_tables(padded, tile, grid, limit):
    """(rows, columns, 256) tables of the clipped, cumulated counts of each tile, in 0..255."""
    area = tile[0] * tile[1]
    tiles = padded.reshape(grid[0], tile[0], grid[1], tile[1]).swapaxes(1, 2).reshape(-1, area)
    offsets = np.arange(len(tiles))[:, None] * 256
    counts = np.bincount((tiles + offsets).ravel(), minlength=256 * len(tiles)).reshape(-1, 256)
    if limit > 0:
        counts = _clipped(counts, max(1, int(min(limit * area / 256, area))))
    tables = np.rint(np.cumsum(counts, axis=1, dtype=np.float32) * (255 / np.float32(area)))
    return np.minimum(tables, 255).reshape(*grid, 256)


def _clipped(counts, limit):
    """``counts`` cut at ``limit``, the excess spread evenly, its remainder at equal distances."""
    excess = np.maximum(counts - limit, 0).sum(1)[:, None]
    share, rest = excess // 256, excess % 256
    step = np.maximum(256 // np.maximum(rest, 1), 1)
    levels = np.arange(256)
    extra = (levels % step == 0) & (levels // step < rest)
    return np.minimum(counts, limit) + share + extra


# --- transforms -----------------------------------------------------------------------------


class RandomAutocontrast(Chance):
    """Stretch each channel to the whole range, with probability ``p``.

    >>> RandomAutocontrast(1.0)(np.array([[0.25, 0.5, 0.75]])).tolist()
    [[0.0, 0.5, 1.0]]
    """

    def __init__(self, p: float = 0.5):
        self.p = check_probability(p, "p")

    def change(self, batch, params):
        """See :func:`autocontrast`."""
        return autocontrast(batch)


class RandomEqualize(Chance):
    """Equalise the histogram of each channel, with probability ``p``.

    >>> dark = np.arange(64, dtype=np.uint8).reshape(1, 8, 8).repeat(16, 1).repeat(4, 2)
    >>> int(dark.max()), int(RandomEqualize(1.0)(dark).max())
    (63, 255)
    """

    def __init__(self, p: float = 0.5):
        self.p = check_probability(p, "p")

    def change(self, batch, params):
        """See :func:`equalize`."""
        return equalize(batch)


class CLAHE(Transform):
    """Contrast limited adaptive histogram equalisation, see :func:`clahe`.

    Args:
        clip_limit: of a tile's counts, in multiples of their mean; 0 does not clip. A number,
            or (least, most) to draw one for each image.
        tile_grid_size: rows and columns of tiles.

    Raises:
        ValueError: a negative limit, or a grid that is not two positive integers.

    >>> CLAHE(2.0)(np.zeros((3, 16, 16), np.uint8)).shape
    (3, 16, 16)
    """

    def __init__(self, clip_limit: float | tuple = (1.0, 4.0), tile_grid_size: tuple = (8, 8)):
        self.clip_limit = check_strength(clip_limit, "clip_limit")
        _grid_of(tile_grid_size)
        self.tile_grid_size = tile_grid_size

    def sample(self, n, shape, rng):
        """A limit for each image."""
        return {"clip_limit": drawn(rng, self.clip_limit)}

    def apply(self, batch, params):
        """See :func:`clahe`."""
        return clahe(batch, params["clip_limit"], self.tile_grid_size)
