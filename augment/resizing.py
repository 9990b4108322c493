"""Resizing, and crops that are resized."""

from __future__ import annotations

import numpy as np

from ._checks import check_count
from ._resize import FILTERS, resize_boxes
from ._transform import Transform
from .geometry import choice_of, pair, size_of

__all__ = ["RandomResizedCrop", "Resize", "resize"]


class _Resized(Transform):
    """A part of each picture, resized; subclasses write :meth:`boxes`."""

    geometric = True
    interpolation: str
    antialias: bool

    def boxes(self, params, n, shape):
        """The parts (n, 4): top, left, height, width."""
        return params["box"]

    def apply(self, batch, params):
        return self._resized(batch, params, self.interpolation)

    def apply_masks(self, masks, params, fill=0):
        return self._resized(masks, params, "nearest")

    def _resized(self, batch, params, interpolation):
        n, shape = len(batch), batch.shape[1:]
        size = tuple(self.output_shape(shape)[:2])
        return resize_boxes(
            batch, self.boxes(params, n, shape), size, interpolation, self.antialias
        )

    def apply_points(self, points, owner, params, shape):
        count = int(owner.max(initial=-1)) + 1
        top, left, height, width = self.boxes(params, count, shape)[owner].T
        h, w, _ = self.output_shape(shape)
        x, y = points.T
        return np.stack([(x - left) * (w / width), (y - top) * (h / height)], axis=1)


class Resize(_Resized):
    """Pictures of another size.

    Args:
        size: (height, width); or one number for the shorter side, the other in proportion.
        interpolation: "nearest", "box", "bilinear", "bicubic" or "lanczos" as in Pillow, or
            "area", where each pixel counts by how much of it is covered, as in OpenCV (PyTorch's
            "area" takes whole pixels: it is the same where the sides are divided).
        max_size: the most that the longer side may become; the shorter one then gets smaller in
            proportion. For a ``size`` that is one number, and larger than that.
        antialias: whether filters get wider when shrinking, as always in Pillow; without it
            they skip pixels. (PyTorch's bicubic without it has a = -0.75, here it is -0.5.)

    Raises:
        ValueError: a size or name that does not fit; on a call, images without any pixels.

    >>> Resize((1, 2))(np.array([[0.0, 1.0, 0.5, 0.5]])).round(3).tolist()
    [[0.5, 0.571]]
    >>> Resize((1, 2), "area")(np.array([[0.0, 1.0, 0.5, 0.5]])).tolist()
    [[0.5, 0.5]]
    """

    def __init__(
        self, size, interpolation: str = "bilinear", max_size: int | None = None,
        antialias: bool = True,
    ):  # fmt: skip
        self.size = size_of(size)[0] if np.ndim(size) == 0 else size_of(size)
        self.max_size = None if max_size is None else check_count(max_size, "max_size", 1)
        if max_size is not None and (isinstance(self.size, tuple) or max_size <= self.size):
            raise ValueError(
                f"max_size is for a size that is one number, below it; got max_size={max_size} "
                f"and size={size!r}"
            )
        self.interpolation = choice_of(interpolation, FILTERS, "interpolation")
        self.antialias = bool(antialias)

    def boxes(self, params, n, shape):
        return np.tile([0.0, 0.0, shape[0], shape[1]], (n, 1))

    def output_shape(self, shape):
        if isinstance(self.size, tuple):
            return (*self.size, shape[2])
        h, w, c = shape
        if not (h and w):
            raise ValueError(f"Resize to {self.size} along the shorter side: images are {h}x{w}")
        short, long = self.size, int(self.size * max(h, w) / min(h, w))
        if self.max_size is not None and long > self.max_size:
            short, long = max(1, int(self.max_size * short / long)), self.max_size
        return (short, long, c) if h <= w else (long, short, c)


class RandomResizedCrop(_Resized):
    """A part of random area and shape, resized: the crop of Inception and of ImageNet recipes.

    As torchvision's: ten tries of an area and a shape, and where none fits in the picture, its
    middle with the nearest shape allowed.

    Args:
        size: (height, width) of the result, or one number for both.
        scale: the range (low, high) of the area, as a share of the picture's.
        ratio: the range of width / height.
        interpolation: as of :class:`Resize`; ``antialias`` too.
        antialias: as of :class:`Resize`.

    Raises:
        ValueError: a size, range or name that does not fit; on a call, images without any pixels.

    >>> RandomResizedCrop(24)(np.zeros((2, 3, 32, 40), np.uint8)).shape
    (2, 3, 24, 24)
    """

    _TRIES = 10

    def __init__(
        self, size, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3), interpolation: str = "bilinear",
        antialias: bool = True,
    ):  # fmt: skip
        self.size = size_of(size)
        self.scale = pair(scale, "scale", symmetric=False)
        self.ratio = pair(ratio, "ratio", symmetric=False)
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError(f"scale must be a range in (0, 1], got {scale!r}")
        if self.ratio[0] <= 0:
            raise ValueError(f"ratio must be a range of positive numbers, got {ratio!r}")
        self.interpolation = choice_of(interpolation, FILTERS, "interpolation")
        self.antialias = bool(antialias)

    def sample(self, n, shape, rng):
        h, w = shape[:2]
        if not (h and w):
            raise ValueError(f"RandomResizedCrop to {self.size}: images are {h}x{w}")
        area = h * w * rng.uniform(*self.scale, self._TRIES)
        ratio = np.exp(rng.uniform(*np.log(self.ratio), self._TRIES))
        width, height = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
        fits = (width > 0) & (width <= w) & (height > 0) & (height <= h)
        first = np.argmax(fits, axis=1)[:, None]
        width, height = (np.take_along_axis(side, first, 1)[:, 0] for side in (width, height))
        none = ~fits.any(axis=1)
        wide, high = self._nearest_shape(h, w)
        width[none], height[none] = wide, high
        left = np.floor(rng.random() * (w - width + 1))
        top = np.floor(rng.random() * (h - height + 1))
        left[none], top[none] = (w - wide) // 2, (h - high) // 2
        return {"box": np.stack([top, left, height, width], axis=1)}

    def _nearest_shape(self, h, w):
        """(width, height) of the largest part of an allowed shape."""
        low, high = self.ratio
        if w < low * h:
            return w, max(1, min(h, round(w / low)))
        if w > high * h:
            return max(1, min(w, round(h * high))), h
        return w, h

    def output_shape(self, shape):
        return (*self.size, shape[2])


def resize(
    images, size, interpolation="bilinear", max_size=None, antialias=True, *, layout=None,
    value_range=(0.0, 1.0),
):  # fmt: skip
    """Images of another size; arguments as of :class:`Resize` and of a call of a transform.

    >>> resize(np.array([[0.0, 1.0]]), (1, 4)).tolist()
    [[0.0, 0.25, 0.75, 1.0]]
    """
    transform = Resize(size, interpolation, max_size, antialias)
    return transform(images, seed=0, layout=layout, value_range=value_range)
