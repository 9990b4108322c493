"""Take content away: cutout, random erasing, grid mask, coarse dropout. Images are (N, H, W, C)."""

from __future__ import annotations

import numpy as np

from ._chance import Chance, drawn, drawn_integers
from ._checks import check_count, check_numbers, check_probability, check_strength
from ._pixels import by_block, normal_like, random_dtype
from ._random import KeyedRng
from ._transform import Transform

__all__ = ["CoarseDropout", "Cutout", "Erase", "GridMask", "RandomErasing"]


def erase_boxes(batch, boxes, fill=0.0, name="fill"):
    """A copy of ``batch`` with rectangles filled.

    Args:
        batch: (N, H, W, C).
        boxes: (N, K, 4) integers: top, left, bottom, right of K boxes for each image, the ends
            not included. Parts outside the image are cut off; a box without area fills nothing.
        fill: one value, one for each channel, or an array like ``batch`` to take them from.
        name: what errors call ``fill``.

    >>> erase_boxes(np.ones((1, 2, 3, 1)), np.array([[[0, 1, 9, 9]]]))[0, ..., 0].tolist()
    [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    out = batch.copy()
    fill = np.broadcast_to(_fill_for(batch, fill, name), batch.shape)
    corners = np.maximum(boxes, 0).tolist()
    for image, values, holes in zip(out, fill, corners, strict=True):
        for top, left, bottom, right in holes:
            image[top:bottom, left:right] = values[top:bottom, left:right]
    return out


def cutout_boxes(centers, length):
    """(N, K, 4) boxes of squares of side ``length`` around (N, K, 2) pixels (row, column).

    An even square reaches from ``center - length // 2`` to ``center + length // 2``, the end not
    included; an odd one has the pixel in its middle. A square may hang over the edge.
    """
    start = np.asarray(centers) - np.asarray(length)[..., None] // 2
    return np.concatenate([start, start + np.asarray(length)[..., None]], axis=-1)


def grid_mask(batch, unit, ratio, offset, fill=0.0):
    """Fill squares on a grid: side ``unit - round(ratio * unit)`` in each square of ``unit``.

    Args:
        batch: (N, H, W, C).
        unit: (N,) integers, the grid's period in pixels.
        ratio: of each period, the share that stays in rows and columns; in [0, 1].
        offset: (N, 2) integers, where the grid begins, rows and columns.
        fill: one value, or one for each channel.

    Source: Chen et al., "GridMask Data Augmentation", arXiv 2001.04086, without its rotation.
    """
    hole = unit - np.rint(ratio * unit)
    rows, cols = (
        (np.arange(size) + offset[:, axis, None]) % unit[:, None] < hole[:, None]
        for axis, size in enumerate(batch.shape[1:3])
    )
    holes = rows[:, :, None, None] & cols[:, None, :, None]
    return np.where(holes, _fill_for(batch, fill), batch)


def _fill_for(batch, fill, name="fill"):
    """``fill`` in the dtype of ``batch``.

    Raises:
        ValueError: it has not one value, one for each channel, or the batch's shape; or uint8
            cannot hold it.
    """
    values = np.asarray(fill)
    if values.shape not in ((), (1,), batch.shape[3:], batch.shape):
        raise ValueError(
            f"{name} must be one number or one for each of {batch.shape[3]} channels, got shape "
            f"{values.shape}"
        )
    stored = (values >= 0) & (values <= 255) & (values == np.floor(values))
    if batch.dtype == np.uint8 and not stored.all():
        raise ValueError(f"{name} must hold integers in [0, 255] for uint8 images, got {fill!r}")
    return values.astype(batch.dtype)


def _corners(rng, heights, widths, shape):
    """Boxes of (n, k) heights and widths at places drawn inside images of ``shape``."""
    room = np.stack([shape[0] - heights, shape[1] - widths], axis=-1)
    start = np.floor(rng.random(room.shape[1:]) * (room + 1)).astype(int)
    return np.concatenate([start, start + np.stack([heights, widths], axis=-1)], axis=-1)


# --- transforms -----------------------------------------------------------------------------
#
# What is filled in is on the scale of the images that a transform gets: 0..255 for uint8, a share
# of the declared range for floats. After Normalize in a pipeline, 0 is its zero.


class Erase(Transform):
    """Fill one rectangle, the same in every image; arguments as torchvision's ``erase``.

    Args:
        i: its top row.
        j: its left column.
        h: its height.
        w: its width.
        v: what it is filled with, a number or one for each channel; 0..255 for uint8, 0..1 for
            floats.

    Raises:
        ValueError: a negative size or place, or a fill that does not fit the images.

    >>> Erase(0, 1, 1, 1, v=0.0)(np.ones((2, 2))).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """

    def __init__(self, i: int, j: int, h: int, w: int, v: float | tuple = 0.0):
        for name, value in (("i", i), ("j", j), ("h", h), ("w", w)):
            check_count(value, name)
        self.i, self.j, self.h, self.w, self.v = i, j, h, w, check_numbers(v, "v")

    def apply(self, batch, params):
        """Fill it."""
        box = [self.i, self.j, self.i + self.h, self.j + self.w]
        return erase_boxes(batch, np.tile(box, (len(batch), 1, 1)), self.v, "v")


class Cutout(Transform):
    """Fill a square at a uniform place, cut off where it hangs over the edge.

    It was published for normalised images, where 0 is the mean of the data: put it after
    :class:`~tensorgrad.augment.Normalize`, or say the mean as ``fill``. Labels stay.

    Args:
        length: the side in pixels; 16 for CIFAR-10, 8 for CIFAR-100, 20 for SVHN in the paper.
        n_holes: how many squares.
        fill: a number, or one for each channel; 0..255 for uint8, 0..1 for floats.

    Raises:
        ValueError: a size that is negative, or a fill that does not fit the images.

    Source: DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with
    Cutout", arXiv 1708.04552.

    >>> int((Cutout(4)(np.ones((1, 64, 64)), seed=0) == 0).sum())
    16
    """

    def __init__(self, length: int, n_holes: int = 1, fill: float | tuple = 0.0):
        self.length, self.n_holes = check_count(length, "length"), check_count(n_holes, "n_holes")
        self.fill = check_numbers(fill, "fill")

    def sample(self, n, shape, rng):
        """The middle pixel of each square."""
        return {"centers": drawn_pixels(rng, shape, self.n_holes)}

    def apply(self, batch, params):
        """Fill them."""
        return erase_boxes(batch, cutout_boxes(params["centers"], self.length), self.fill)


def drawn_pixels(rng, shape, count):
    """(n, count, 2) pixels (row, column), uniform in images of ``shape``."""
    return np.floor(rng.random((count, 2)) * shape[:2]).astype(int)


class RandomErasing(Chance):
    """Fill a rectangle of random area and aspect, with probability ``p``.

    Args:
        p: the probability.
        scale: least and most of its area, as a share of the image's.
        ratio: least and most of height by width.
        value: a number, or one for each channel (0..255 for uint8, 0..1 for floats); "random"
            for uniform noise over the range; "normal" for standard normal noise, for images
            that ``Normalize`` made. torchvision's "random" is this "normal".

    Raises:
        ValueError: ``p``, ``scale`` or ``ratio`` out of range, another word, a value that does
            not fit the images, or "normal" and images of another range than (0, 1).
        TypeError: "normal", and the images are uint8.

    As torchvision, ten areas and aspects are tried; where none fits inside, the image stays.
    Source: Zhong et al., "Random Erasing Data Augmentation", arXiv 1708.04896.

    >>> erased = RandomErasing(1.0)(np.ones((1, 32, 32)), seed=0)
    >>> bool(0.01 < (erased == 0).mean() < 0.35)
    True
    """

    def __init__(
        self, p: float = 0.5, scale: tuple = (0.02, 0.33), ratio: tuple = (0.3, 3.3),
        value: float | tuple | str = 0.0,
    ):  # fmt: skip
        self.p, self.value = check_probability(p, "p"), value
        self.scale = check_strength(scale, "scale", high=1.0)
        self.ratio = check_strength(ratio, "ratio", low=np.finfo(float).tiny)
        for name, pair in (("scale", scale), ("ratio", ratio)):
            if np.ndim(pair) != 1:
                raise ValueError(f"{name} must be two numbers (least, most), got {pair!r}")
        if not isinstance(value, str):
            check_numbers(value, "value")
        elif value not in ("random", "normal"):
            raise ValueError(f'value must be numbers, "random" or "normal", got {value!r}')

    @property
    def leaves_range(self):
        """Whether normal noise is filled in."""
        return isinstance(self.value, str) and self.value == "normal"

    def strengths(self, n, shape, rng):
        """A box for each image, and a key for its noise."""
        params = {"boxes": self._boxes(n, shape, rng)}
        return {**params, "key": rng.key()} if isinstance(self.value, str) else params

    def _boxes(self, n, shape, rng):
        area = shape[0] * shape[1] * rng.uniform(*self.scale, size=_TRIES)
        aspect = np.exp(rng.uniform(*np.log(self.ratio), size=_TRIES))
        sizes = np.rint(np.sqrt([area * aspect, area / aspect]))
        fits = (sizes[0] < shape[0]) & (sizes[1] < shape[1])
        first = np.arange(n), fits.argmax(1)
        heights, widths = np.where(fits, sizes, 0).astype(int)[:, first[0], first[1]]
        return _corners(rng, heights[:, None], widths[:, None], shape)

    def change(self, batch, params):
        """Fill them."""
        fill = _noise_like(batch, self.value, params["key"]) if "key" in params else self.value
        return erase_boxes(batch, params["boxes"], fill, "value")


_TRIES = 10


def _noise_like(batch, kind, key):
    """An array like ``batch`` of noise."""
    if kind == "normal":
        if batch.dtype == np.uint8:
            raise TypeError(
                'value="normal" expects floats that Normalize made, got uint8; use value="random"'
            )
        return by_block(normal_like, batch, key)
    return by_block(_uniform_like, batch, key)


def _uniform_like(images, key):
    values = KeyedRng.restore(key).random(images.shape[1:], random_dtype(images))
    return values * 256 if images.dtype == np.uint8 else values


class CoarseDropout(Transform):
    """Fill some rectangles inside the image; arguments as Albumentations'.

    Args:
        num_holes_range: least and most of their number.
        hole_height_range: least and most of a height: integers are pixels, floats shares of the
            image's height.
        hole_width_range: likewise of a width.
        fill: a number, or one for each channel; 0..255 for uint8, 0..1 for floats.

    Raises:
        ValueError: a range that is negative or not in order, a share above 1, or a fill that does
            not fit the images.

    >>> dropped = CoarseDropout((1, 1), (2, 2), (3, 3))(np.ones((1, 8, 8)), seed=0)
    >>> int((dropped == 0).sum())
    6
    """

    def __init__(
        self, num_holes_range: tuple = (1, 2), hole_height_range: tuple = (0.1, 0.2),
        hole_width_range: tuple = (0.1, 0.2), fill: float | tuple = 0.0,
    ):  # fmt: skip
        self.num_holes_range = check_strength(num_holes_range, "num_holes_range", integer=True)
        self.hole_height_range = _check_side(hole_height_range, "hole_height_range")
        self.hole_width_range = _check_side(hole_width_range, "hole_width_range")
        self.fill = check_numbers(fill, "fill")

    def sample(self, n, shape, rng):
        """The holes of each image; those that it has not are empty."""
        most = int(np.max(self.num_holes_range))
        number = drawn_integers(rng, self.num_holes_range)
        used = np.arange(most) < number[:, None]
        heights = _drawn_sides(rng, self.hole_height_range, shape[0], most) * used
        widths = _drawn_sides(rng, self.hole_width_range, shape[1], most) * used
        return {"boxes": _corners(rng, heights, widths, shape)}

    def apply(self, batch, params):
        """Fill them."""
        return erase_boxes(batch, params["boxes"], self.fill)


def _check_side(value, name):
    whole = all(isinstance(v, int | np.integer) for v in np.atleast_1d(value).tolist())
    return check_strength(value, name, high=np.inf if whole else 1.0, integer=whole)


def _drawn_sides(rng, sides, size, count):
    """(n, count) sides in pixels, at least 1 and at most ``size``."""
    least, most = np.broadcast_to(sides, 2).tolist()
    if isinstance(most, float):
        return np.maximum((rng.uniform(least, most, size=count) * size).astype(int), 1)
    return np.minimum(rng.integers(least, most + 1, size=count), size)


class GridMask(Transform):
    """Fill squares on a grid, see :func:`grid_mask`.

    Args:
        unit: the period in pixels, an integer, or (least, most) to draw one for each image; None
            is from 3/7 of the shorter side to all of it, the paper's 96 to 224 of 224.
        ratio: of each period, the share that stays in rows and columns, in [0, 1]; a number, or
            (least, most). ``1 - (1 - ratio) ** 2`` of the pixels stay.
        fill: a number, or one for each channel; 0..255 for uint8, 0..1 for floats.

    Raises:
        ValueError: ``unit`` under 1, ``ratio`` out of range, or a fill that does not fit the
            images.

    >>> float(GridMask(8, ratio=0.5)(np.ones((1, 64, 64)), seed=0).mean())
    0.75
    """

    def __init__(
        self, unit: int | tuple | None = None, ratio: float | tuple = 0.6,
        fill: float | tuple = 0.0,
    ):  # fmt: skip
        self.unit = unit if unit is None else check_strength(unit, "unit", 1, integer=True)
        self.ratio = check_strength(ratio, "ratio", high=1.0)
        self.fill = check_numbers(fill, "fill")

    def sample(self, n, shape, rng):
        """A period, a ratio and a place of the grid for each image."""
        side = min(shape[:2])
        unit = drawn_integers(rng, (max(1, side * 3 // 7), max(1, side)) if self.unit is None
                              else self.unit)  # fmt: skip
        offset = np.floor(rng.random(2) * unit[:, None]).astype(int)
        return {"unit": unit, "ratio": drawn(rng, self.ratio), "offset": offset}

    def apply(self, batch, params):
        """Fill them."""
        return grid_mask(batch, params["unit"], params["ratio"], params["offset"], self.fill)
