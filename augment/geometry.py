"""Transforms that move pixels by a matrix: flips, turns, shifts, shears, perspective, crops.

Positions are in pixels: x to the right and y downwards from the top left corner of the picture,
pixel i covers [i, i + 1]. Angles are in degrees, counter-clockwise as seen, as in Pillow.
"""

from __future__ import annotations

import math

import numpy as np

from ._checks import check_numbers, check_probability, is_integer
from ._layout import shape_of
from ._resample import INTERPOLATIONS, MODES, copy_exactly, fill_of, resample, whole_steps
from ._transform import Transform, in_pipeline

__all__ = [
    "Affine",
    "CenterCrop",
    "Crop",
    "FiveCrop",
    "HorizontalFlip",
    "Pad",
    "Perspective",
    "RandomCrop",
    "Rotate",
    "Scale",
    "Shear",
    "Shift",
    "TenCrop",
    "VerticalFlip",
    "affine",
    "crop",
    "five_crop",
    "flip",
    "pad",
    "perspective",
    "rotate",
    "scale",
    "shear",
    "shift",
    "ten_crop",
    "warp",
]


# Third coordinate of points at the horizon of a perspective, and beyond it: those are far out.
_HORIZON = 1e-9

# --- matrices (n, 3, 3) from positions of the image to those of the result -----------------------


def identity(n):
    """As many identity matrices."""
    out = np.zeros((n, 3, 3))
    out.reshape(n, 9)[:, ::4] = 1.0
    return out


def translation(x, y):
    """Matrices that move by (n,) pixels."""
    out = identity(len(x))
    out[:, 0, 2], out[:, 1, 2] = x, y
    return out


def cos_sin(degrees):
    """Cosine and sine, exact at whole quarter turns."""
    degrees = np.asarray(degrees, np.float64)
    quarter = np.rint(degrees / 90)
    rest = np.deg2rad(degrees - 90 * quarter)
    c, s = np.cos(rest), np.sin(rest)
    k = quarter.astype(np.int64) % 4
    return np.choose(k, [c, -s, -c, s]), np.choose(k, [s, c, -s, -c])


def rotation(degrees):
    """Matrices that turn by (n,) degrees counter-clockwise, as seen, about the corner."""
    c, s = cos_sin(degrees)
    out = identity(len(c))
    out[:, 0, 0], out[:, 0, 1], out[:, 1, 0], out[:, 1, 1] = c, s, -s, c
    return out


def scaling(x, y):
    """Matrices that stretch by (n,) factors from the corner."""
    out = identity(len(x))
    out[:, 0, 0], out[:, 1, 1] = x, y
    return out


def shearing(x, y):
    """Matrices that shear along x and then along y, by (n,) tangents, from the corner."""
    out = identity(len(x))
    out[:, 0, 1], out[:, 1, 0] = x, y
    out[:, 1, 1] += x * y
    return out


def about(matrices, center, shape):
    """Matrices applied about ``center`` (x, y), by default the middle of (h, w, ...)."""
    x, y = (shape[1] / 2, shape[0] / 2) if center is None else center
    out = matrices.copy()
    out[:, :2, 2] += np.array([x, y]) - matrices[:, :2, :2] @ np.array([x, y])
    return out


def inverse(matrices):
    """Inverses; of affine matrices exact where that is possible."""
    if (matrices[:, 2] != (0.0, 0.0, 1.0)).any():
        return np.linalg.inv(matrices)
    (a, b, x), (c, d, y) = matrices[:, 0].T, matrices[:, 1].T
    determinant = a * d - b * c
    if not determinant.all():
        raise np.linalg.LinAlgError("matrices must have inverses: a determinant is 0")
    out = identity(len(matrices))
    out[:, 0, 0], out[:, 0, 1] = d / determinant, -b / determinant
    out[:, 1, 0], out[:, 1, 1] = -c / determinant, a / determinant
    out[:, 0, 2] = -(out[:, 0, 0] * x + out[:, 0, 1] * y)
    out[:, 1, 2] = -(out[:, 1, 0] * x + out[:, 1, 1] * y)
    return out


def homography(source, target):
    """Matrices that map four points to four points, each (n, 4, 2).

    They are found with the first point as the origin, whose third coordinate is made 1: another
    origin may come to infinity, or lie on the other side of the horizon.
    """
    origin = source[:, 0]
    x, y = np.moveaxis(source - origin[:, None], -1, 0)
    zero, one = np.zeros_like(x), np.ones_like(x)
    u, v = target[..., 0], target[..., 1]
    rows = np.concatenate([
        np.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=-1),
        np.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=-1),
    ], axis=1)  # fmt: skip
    entries = np.linalg.solve(rows, np.concatenate([u, v], axis=1)[..., None])[..., 0]
    entries = np.concatenate([entries, np.ones((len(entries), 1))], axis=1)
    return entries.reshape(-1, 3, 3) @ translation(*-origin.T)


def map_points(matrices, owner, points):
    """Points (p, 2), each mapped by the matrix of its image; none comes back from infinity."""
    ahead = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    moved = np.einsum("pij,pj->pi", matrices[owner], ahead)
    return moved[:, :2] / np.maximum(moved[:, 2:], _HORIZON)


def warp(batch, matrices, size=None, interpolation="bilinear", mode="constant", fill=0):
    """Images (n, H, W, C) moved by matrices from their positions to those of the result.

    Args:
        batch: uint8 or floats, of which "bicubic" gives values in [0, 1]; of any other dtype for
            "nearest".
        matrices: (n, 3, 3), which map x, y, 1. What a perspective brings behind the viewer,
            where the third coordinate is negative, is not seen.
        size: (h, w) of the result, that of the images if None.
        interpolation: "nearest", "bilinear" or "bicubic".
        mode: what lies outside: "constant", "edge", "reflect" or "wrap".
        fill: for "constant", a number or one for each channel.

    Returns:
        (n, h, w, C) of the same dtype. Whole turns, mirrors and shifts by whole pixels are
        copies; where nothing is moved, it is ``batch`` itself.

    Raises:
        TypeError: integers or bools that are to be interpolated.
        ValueError: matrices of another shape, or an unknown name.
        numpy.linalg.LinAlgError: a matrix without an inverse.

    >>> warp(np.arange(4.0).reshape(1, 1, 4, 1), translation(np.ones(1), np.zeros(1))).ravel()
    array([0., 0., 1., 2.])
    """
    _check_warp(batch, matrices, interpolation, mode)
    size = batch.shape[1:3] if size is None else tuple(size)
    if size == batch.shape[1:3] and (matrices == np.eye(3)).all():
        return batch
    back = inverse(matrices)
    if whole_steps(back):
        return copy_exactly(batch, back, size, mode, fill)
    return resample(batch, back, size, interpolation, mode, fill)


def _check_warp(batch, matrices, interpolation, mode):
    choice_of(interpolation, INTERPOLATIONS, "interpolation")
    choice_of(mode, MODES, "mode")
    if interpolation != "nearest" and batch.dtype != np.uint8 and batch.dtype.kind != "f":
        raise TypeError(f'{batch.dtype} needs interpolation="nearest", got {interpolation!r}')
    if matrices.shape != (len(batch), 3, 3):
        raise ValueError(
            f"matrices must be (n, 3, 3) for {len(batch)} images, got shape {matrices.shape}"
        )


# --- checks of arguments -------------------------------------------------------------------------


def pair(value, name, symmetric=True):
    """A range (low, high): of a number, from its negative on, or that number alone."""
    if np.ndim(value) == 0:
        value = finite(value, name)
        if symmetric and value < 0:
            raise ValueError(f"{name} must not be negative as a single number, got {value}")
        return (-value if symmetric else value, value)
    if len(value) != 2:
        raise ValueError(f"{name} must be a number or a pair (low, high), got {value!r}")
    low, high = (finite(v, name) for v in value)
    if low > high:
        raise ValueError(f"{name} must be (low, high) with low <= high, got {value!r}")
    return (low, high)


def finite(value, name):
    """``value`` as an integer if it is one, else as a finite float."""
    if isinstance(value, bool | np.bool_ | str) or np.ndim(value):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if is_integer(value):
        return int(value)
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    return value


def size_of(value, name="size"):
    """(height, width) from a number or a pair."""
    sides = (value, value) if np.ndim(value) == 0 else tuple(value)
    if len(sides) != 2 or not all(_whole(v) for v in sides) or min(sides) < 1:
        raise ValueError(f"{name} must be a positive integer or (height, width), got {value!r}")
    return tuple(int(v) for v in sides)


def _whole(value):
    return hasattr(value, "__index__") and not isinstance(value, bool)


def margins(padding, name="padding"):
    """(left, top, right, bottom) from one, two (left and right, top and bottom) or four."""
    sides = (padding,) if np.ndim(padding) == 0 else tuple(padding)
    if len(sides) not in (1, 2, 4) or not all(_whole(v) for v in sides) or min(sides) < 0:
        raise ValueError(f"{name} must be one, two or four integers from 0 on, got {padding!r}")
    sides = tuple(int(v) for v in sides)
    return sides * (4 // len(sides))


def choice_of(value, allowed, name):
    """``value``, which must be one of those allowed."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return value


def numbers(value, name):
    """``value`` as an array of float64."""
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be made of numbers, got {value!r}") from None


def filling(fill):
    """A number, or a list of one for each channel."""
    if fill is None or isinstance(fill, str):
        raise TypeError(f"fill must be a number, or one for each channel, got {fill!r}")
    fill = fill[()] if isinstance(fill, np.ndarray) else fill  # a number of no dimension
    check_numbers(fill, "fill")
    return fill if np.ndim(fill) == 0 else list(fill)


def point_of(center):
    """None, or (x, y)."""
    if center is None:
        return None
    if np.shape(center) != (2,):
        raise ValueError(f"center must be (x, y) in pixels or None, got {center!r}")
    return [finite(v, "center") for v in center]


# --- transforms ----------------------------------------------------------------------------------


class MatrixTransform(Transform):
    """A transform that moves pixels by a matrix for each image; subclasses write :meth:`matrices`.

    Attributes:
        affine: whether the matrices are affine, so that it can be fused with neighbours.
        resizes: whether positions beyond the result are lost, as by a crop.
    """

    geometric = True
    affine = True
    resizes = False
    interpolation = "bilinear"
    mode = "constant"
    fill: object = 0

    def matrices(self, params: dict, shape: tuple) -> np.ndarray:
        """(n, 3, 3) from positions of images of ``shape`` (H, W, C) to those of the result."""
        return params["matrix"]

    def settings(self) -> dict:
        """What a fused neighbour must have in common: nothing, for one that only copies."""
        return {"interpolation": self.interpolation, "mode": self.mode, "fill": self.fill}

    def apply(self, batch, params):
        shape, fill = batch.shape[1:], fill_of(self.fill, batch)
        size = tuple(self.output_shape(shape)[:2])
        return warp(batch, self.matrices(params, shape), size, self.interpolation, self.mode, fill)

    def apply_masks(self, masks, params, fill=0):
        shape = masks.shape[1:]
        size = tuple(self.output_shape(shape)[:2])
        return warp(masks, self.matrices(params, shape), size, "nearest", self.mode, fill)

    def apply_points(self, points, owner, params, shape):
        return map_points(self.matrices(params, shape), owner, points)


class _Flip(MatrixTransform):
    column: int

    def __init__(self, p: float = 0.5):
        self.p = check_probability(p, "p")

    def sample(self, n, shape, rng):
        return {"on": rng.bernoulli(self.p)}

    def matrices(self, params, shape):
        out, on = identity(len(params["on"])), params["on"]
        out[on, self.column, self.column] = -1
        out[on, self.column, 2] = shape[1 - self.column]
        return out

    def settings(self):
        return {}


class HorizontalFlip(_Flip):
    """Mirror left and right.

    Args:
        p: probability, for each image.

    >>> HorizontalFlip(1.0)(np.array([[0.0, 0.5, 1.0]]))
    array([[1. , 0.5, 0. ]])
    """

    column = 0


class VerticalFlip(_Flip):
    """Mirror top and bottom.

    Args:
        p: probability, for each image.

    >>> VerticalFlip(1.0)(np.array([[0.0], [1.0]])).tolist()
    [[1.0], [0.0]]
    """

    column = 1


class Resampled(MatrixTransform):
    """What all transforms that interpolate take."""

    def _keep(self, interpolation, fill, mode):
        self.interpolation = choice_of(interpolation, INTERPOLATIONS, "interpolation")
        self.mode = choice_of(mode, MODES, "mode")
        self.fill = filling(fill)


class Rotate(Resampled):
    """Turn by an angle drawn for each image.

    Args:
        degrees: the angle is drawn from (-degrees, degrees), or from a pair (low, high);
            counter-clockwise.
        center: (x, y) in pixels, the middle of the picture if None.
        expand: whether the picture is made as large as any angle of the range needs, about its
            middle. With a single angle that is the size that Pillow gives.
        interpolation: "nearest", "bilinear" or "bicubic".
        fill: for "constant": a number, or one for each channel; 0 to 255 for uint8, and a share
            of the range for floats.
        mode: what lies outside: "constant", "edge", "reflect" (about the centres of the outer
            pixels) or "wrap".

    Raises:
        ValueError: a range, centre or name that does not fit.

    >>> turned = Rotate((90, 90))(np.array([[0.0, 0.5], [1.0, 0.0]]))
    >>> turned.tolist()
    [[0.5, 0.0], [0.0, 1.0]]
    """

    def __init__(
        self, degrees, center=None, expand: bool = False, interpolation: str = "bilinear", fill=0,
        mode: str = "constant",
    ):  # fmt: skip
        self.degrees, self.center, self.expand = pair(degrees, "degrees"), point_of(center), expand
        if expand and center is not None:
            raise ValueError(f"expand turns about the middle: center must be None, got {center}")
        self.resizes = bool(expand)
        self._keep(interpolation, fill, mode)

    def sample(self, n, shape, rng):
        return {"angle": rng.uniform(*self.degrees)}

    def matrices(self, params, shape):
        out = about(rotation(params["angle"]), self.center, shape)
        if self.expand:
            h, w, _ = self.output_shape(shape)
            out[:, 0, 2] += (w - shape[1]) / 2
            out[:, 1, 2] += (h - shape[0]) / 2
        return out

    def output_shape(self, shape):
        if not self.expand:
            return shape
        low, high = self.degrees
        if low == high and low % 90 == 0:
            return (shape[1], shape[0], shape[2]) if low % 180 else shape
        # The extent h |sin| + w |cos| is largest at an end of the range, at an angle of
        # the diagonal, or at a quarter turn away from these. It is the same half a turn on.
        h, w, c = shape
        first = math.floor(low / 180) * 180
        low, high = low - first, min(high, low + 180) - first
        turn = math.degrees(math.atan2(h, w))
        special = [a + 90 * k for a in (turn, -turn) for k in range(6)]
        angles = np.array([low, high, *(a for a in special if low < a < high)])
        cos, sin = np.abs(cos_sin(angles))
        high_side, wide = h * cos + w * sin, h * sin + w * cos
        # Rounded outwards from the middle, as Pillow does: the parity of the sides is kept.
        return (*(_outward(s, n) for s, n in ((high_side.max(), h), (wide.max(), w))), c)


def _outward(extent, n):
    """The size of a picture about the middle of n pixels that holds ``extent``."""
    half, middle = extent / 2, n / 2
    return math.ceil(middle + half - 1e-9) - math.floor(middle - half + 1e-9)


class Scale(Resampled):
    """Stretch about a point, by factors drawn for each image; the picture keeps its size.

    Args:
        scale: the range (low, high) of factors, or one factor; above 1 enlarges.
        scale_y: the range of factors along y, drawn by itself; None takes that along x.
        center: (x, y) in pixels, the middle if None.
        interpolation, fill, mode: as of :class:`Rotate`.

    >>> Scale(2.0)(np.array([[0.0, 0.25, 0.75, 1.0]]), seed=0).tolist()
    [[0.1875, 0.375, 0.625, 0.8125]]
    """

    def __init__(
        self, scale, scale_y=None, center=None, interpolation: str = "bilinear", fill=0,
        mode: str = "constant",
    ):  # fmt: skip
        self.scale = _factors(scale, "scale")
        self.scale_y = None if scale_y is None else _factors(scale_y, "scale_y")
        self.center = point_of(center)
        self._keep(interpolation, fill, mode)

    def sample(self, n, shape, rng):
        x = rng.uniform(*self.scale)
        return {"x": x, "y": x if self.scale_y is None else rng.uniform(*self.scale_y)}

    def matrices(self, params, shape):
        return about(scaling(params["x"], params["y"]), self.center, shape)


def _factors(value, name):
    low, high = pair(value, name, symmetric=False)
    if low <= 0:
        raise ValueError(f"{name} must be positive, got {value!r}")
    return (low, high)


class Shift(Resampled):
    """Move by an amount drawn for each image.

    Args:
        x: to the right: from (-x, x), or from a pair (low, high).
        y: downwards, likewise.
        unit: "fraction" of the width and height, or "pixels". Pixels given as integers are
            drawn as integers, both ends included: images are copied, not interpolated.
        interpolation, fill, mode: as of :class:`Rotate`.

    >>> Shift((1, 1), 0, unit="pixels")(np.array([[0.25, 0.5, 1.0]]))
    array([[0.  , 0.25, 0.5 ]])
    """

    def __init__(
        self, x=0.1, y=0.1, unit: str = "fraction", interpolation: str = "bilinear", fill=0,
        mode: str = "constant",
    ):  # fmt: skip
        self.x, self.y = pair(x, "x"), pair(y, "y")
        self.unit = choice_of(unit, ("fraction", "pixels"), "unit")
        self._keep(interpolation, fill, mode)

    def sample(self, n, shape, rng):
        return {"x": self._drawn(self.x, shape[1], rng), "y": self._drawn(self.y, shape[0], rng)}

    def _drawn(self, limits, size, rng):
        low, high = limits
        if self.unit == "fraction":
            return rng.uniform(low * size, high * size)
        if all(isinstance(v, int) for v in limits):
            return rng.integers(low, high + 1).astype(np.float64)
        return rng.uniform(low, high)

    def matrices(self, params, shape):
        return translation(params["x"], params["y"])


class Shear(Resampled):
    """Shear about the middle, by angles drawn for each image.

    Args:
        x: degrees along x: from (-x, x), or from a pair (low, high). Positive moves the bottom
            to the right. That is done first.
        y: degrees along y, likewise; positive moves the right side down.
        interpolation, fill, mode: as of :class:`Rotate`.

    >>> Shear((45, 45), interpolation="nearest")(np.eye(3)).tolist()
    [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def __init__(
        self, x=0.0, y=0.0, interpolation: str = "bilinear", fill=0, mode: str = "constant"
    ):
        self.x, self.y = _shears(x, "x"), _shears(y, "y")
        self._keep(interpolation, fill, mode)

    def sample(self, n, shape, rng):
        return {"x": rng.uniform(*self.x), "y": rng.uniform(*self.y)}

    def matrices(self, params, shape):
        x, y = (np.tan(np.deg2rad(params[k])) for k in ("x", "y"))
        return about(shearing(x, y), None, shape)


def _shears(value, name):
    low, high = pair(value, name)
    if max(abs(low), abs(high)) >= 90:
        raise ValueError(f"{name} must be within (-90, 90) degrees, got {value!r}")
    return (low, high)


class Affine(Resampled):
    """Stretch, shear, turn and shift in one resampling, by amounts drawn for each image.

    The product of matrices is that of torchvision's ``RandomAffine``, where the angles of turns
    and shears have the other sign: here turns count counter-clockwise, as in :class:`Rotate`.

    :class:`~tensorgrad.augment.Compose` does neighbours of this kind (this class, :class:`Rotate`,
    :class:`Scale`, :class:`Shift`, :class:`Shear`, :class:`Pad`, crops and flips) in one
    resampling, if they have the same ``interpolation``, ``mode`` and ``fill``; crops and ``Pad``
    have no interpolation, and flips go with any. After one that cuts the picture or makes it
    larger only flips are joined, so that nothing appears that was cut away.

    Args:
        degrees: of the turn: a number or a pair, as of :class:`Rotate`.
        translate: (x, y), largest shifts as a fraction of the width and height, in [0, 1].
        scale: the range (low, high) of the factor, the same for both axes.
        shear: degrees along x: a number or a pair; or four, the ranges along x and along y.
        center: (x, y) in pixels, the middle if None.
        interpolation, fill, mode: as of :class:`Rotate`.

    >>> Affine((180, 180))(np.array([[0.0, 0.5, 1.0]])).tolist()
    [[1.0, 0.5, 0.0]]
    """

    def __init__(
        self, degrees=0.0, translate=None, scale=None, shear=None, center=None,
        interpolation: str = "bilinear", fill=0, mode: str = "constant",
    ):  # fmt: skip
        self.degrees, self.center = pair(degrees, "degrees"), point_of(center)
        self.translate = _shares(translate, "translate")
        self.scale = None if scale is None else _factors(scale, "scale")
        self.shear = shear
        self._ranges()
        self._keep(interpolation, fill, mode)

    def _ranges(self):
        """The ranges of shear along x and along y."""
        if self.shear is None:
            return (0.0, 0.0), (0.0, 0.0)
        if np.ndim(self.shear) and len(self.shear) == 4:
            return _shears(self.shear[:2], "shear"), _shears(self.shear[2:], "shear")
        return _shears(self.shear, "shear"), (0.0, 0.0)

    def sample(self, n, shape, rng):
        across, down = self.translate or (0.0, 0.0)
        x, y = self._ranges()
        return {
            "angle": rng.uniform(*self.degrees),
            "x": np.rint(rng.uniform(-across * shape[1], across * shape[1])),
            "y": np.rint(rng.uniform(-down * shape[0], down * shape[0])),
            "scale": rng.uniform(*(self.scale or (1.0, 1.0))),
            "shear": np.stack([rng.uniform(*x), rng.uniform(*y)], axis=1),
        }

    def matrices(self, params, shape):
        tangents = np.tan(np.deg2rad(params["shear"]))
        inner = rotation(params["angle"]) @ shearing(tangents[:, 0], tangents[:, 1])
        inner = inner @ scaling(params["scale"], params["scale"])
        return translation(params["x"], params["y"]) @ about(inner, self.center, shape)


def _shares(value, name):
    """None, or shares (x, y) of the sides."""
    if value is None:
        return None
    if np.shape(value) != (2,):
        raise ValueError(f"{name} must be (x, y), shares of the sides, or None; got {value!r}")
    return [check_probability(v, name) for v in value]


class Perspective(Resampled):
    """Move the corners inwards by amounts drawn for each, as torchvision's RandomPerspective.

    Args:
        distortion_scale: largest move of a corner, as a share of half of the side, in [0, 1].
            Above 2/3 a corner can come behind the line between its neighbours: part of the
            picture is beyond the horizon then, and not seen.
        p: probability, for each image.
        interpolation, fill, mode: as of :class:`Rotate`.

    >>> tilted = Perspective(0.5, p=1.0)(np.ones((1, 16, 16)), seed=0)
    >>> bool(0.5 < tilted.mean() < 1)
    True
    """

    affine = False

    def __init__(
        self, distortion_scale: float = 0.5, p: float = 0.5, interpolation: str = "bilinear",
        fill=0, mode: str = "constant",
    ):  # fmt: skip
        self.distortion_scale = check_probability(distortion_scale, "distortion_scale")
        self.p = check_probability(p, "p")
        self._keep(interpolation, fill, mode)

    def sample(self, n, shape, rng):
        inwards = rng.uniform(0.0, self.distortion_scale / 2, (4, 2))
        on = rng.bernoulli(self.p)
        signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
        return {"moves": inwards * signs * on[:, None, None] * np.array([shape[1], shape[0]])}

    def matrices(self, params, shape):
        h, w = shape[:2]
        corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float64)
        moves = params["moves"]
        out = identity(len(moves))
        on = moves.any(axis=(1, 2)) & (h * w > 0)
        out[on] = homography(np.broadcast_to(corners, moves[on].shape), corners + moves[on])
        return out


class _Crop(MatrixTransform):
    """A part of the picture, or more than it."""

    interpolation = "nearest"
    resizes = True

    def _take_padding(self, padding, fill, padding_mode):
        self.padding = margins(padding) if padding is not None else None
        self.fill = filling(fill)
        self.padding_mode = self.mode = choice_of(padding_mode, MODES, "padding_mode")

    def settings(self):
        return {"mode": self.mode, "fill": self.fill}

    def matrices(self, params, shape):
        return translation(-params["left"].astype(np.float64), -params["top"].astype(np.float64))

    def sample(self, n, shape, rng):
        left, top = self.corner(shape)
        return {"left": np.full(n, left), "top": np.full(n, top)}

    def corner(self, shape):
        """Where the part begins, (left, top)."""
        raise NotImplementedError


class Crop(_Crop):
    """The part of every picture that begins at (top, left).

    Args:
        top, left: of the part, in pixels; they may be negative.
        height, width: of the part.
        fill: what lies outside of the picture, as of :class:`Rotate`.
        padding_mode: "constant", "edge", "reflect" or "wrap".

    >>> Crop(0, 1, 1, 2)(np.array([[0.0, 0.5, 1.0]])).tolist()
    [[0.5, 1.0]]
    """

    def __init__(
        self, top: int, left: int, height: int, width: int, fill=0, padding_mode: str = "constant"
    ):
        if not (_whole(top) and _whole(left)):
            raise ValueError(f"top and left must be integers, got {top!r} and {left!r}")
        self.top, self.left = int(top), int(left)
        self.height, self.width = size_of((height, width), "height and width")
        self._take_padding(None, fill, padding_mode)

    def corner(self, shape):
        return self.left, self.top

    def output_shape(self, shape):
        return (self.height, self.width, shape[2])


class CenterCrop(_Crop):
    """The middle of the picture; what it lacks is filled.

    Args:
        size: (height, width), or one number for both.
        fill: as of :class:`Rotate`, where the picture is smaller.

    >>> CenterCrop((1, 1))(np.array([[0.0, 0.5, 1.0]])).tolist()
    [[0.5]]
    """

    def __init__(self, size, fill=0):
        self.size = size_of(size)
        self._take_padding(None, fill, "constant")

    def corner(self, shape):
        return _middle(shape[1], self.size[1]), _middle(shape[0], self.size[0])

    def output_shape(self, shape):
        return (*self.size, shape[2])


def _middle(n, m):
    """Where the middle m of n pixels begin; rounded as in torchvision, also where m is larger."""
    return round((n - m) / 2) if m <= n else -((m - n) // 2)


class RandomCrop(_Crop):
    """A part of the picture at a place drawn for each image, in one copy with the padding.

    Args:
        size: (height, width) of the part, or one number for both.
        padding: pixels around the picture: one number, (left and right, top and bottom), or
            (left, top, right, bottom).
        pad_if_needed: whether pictures that are smaller than ``size`` are padded, by as much as
            they lack on either side; otherwise they are an error.
        fill: as of :class:`Rotate`.
        padding_mode: "constant", "edge", "reflect" or "wrap".

    Raises:
        ValueError: a size or padding that does not fit; on a call, a picture that is too small.

    >>> RandomCrop(32, padding=4)(np.zeros((8, 3, 32, 32), np.uint8)).shape
    (8, 3, 32, 32)
    """

    def __init__(
        self, size, padding=None, pad_if_needed: bool = False, fill=0,
        padding_mode: str = "constant",
    ):  # fmt: skip
        self.size, self.pad_if_needed = size_of(size), bool(pad_if_needed)
        self._take_padding(padding, fill, padding_mode)

    def sample(self, n, shape, rng):
        left, top, right, bottom = self.padding or (0, 0, 0, 0)
        return {
            "left": self._begin(left, right, shape[1], self.size[1], shape, rng),
            "top": self._begin(top, bottom, shape[0], self.size[0], shape, rng),
        }

    def _begin(self, before, after, n, m, shape, rng):
        lack = m - (before + n + after)
        if lack > 0:
            if not self.pad_if_needed:
                raise ValueError(
                    f"RandomCrop of size {self.size} needs larger images than {shape[:2]} with "
                    f"padding={self.padding}; pass pad_if_needed=True or pad more"
                )
            before, after = before + lack, after + lack
        return rng.integers(-before, n + after - m + 1)

    def output_shape(self, shape):
        return (*self.size, shape[2])


class Pad(_Crop):
    """Pixels around the picture.

    Args:
        padding: how many: one number, (left and right, top and bottom), or (left, top, right,
            bottom).
        fill: as of :class:`Rotate`.
        padding_mode: "constant", "edge", "reflect" or "wrap".

    >>> Pad((1, 0), padding_mode="edge")(np.array([[0.25, 0.5]])).tolist()
    [[0.25, 0.25, 0.5, 0.5]]
    """

    def __init__(self, padding, fill=0, padding_mode: str = "constant"):
        self._take_padding(margins(padding), fill, padding_mode)

    def corner(self, shape):
        return -self.padding[0], -self.padding[1]

    def output_shape(self, shape):
        left, top, right, bottom = self.padding
        return (shape[0] + top + bottom, shape[1] + left + right, shape[2])


# --- plain functions: a fixed amount, or one for each image --------------------------------------


class _Given(MatrixTransform):
    """Matrices that are given as parameters."""

    affine = False

    def __init__(self, interpolation, fill, mode):
        self.interpolation = choice_of(interpolation, INTERPOLATIONS, "interpolation")
        self.fill, self.mode = filling(fill), choice_of(mode, MODES, "mode")


def _each(value, n, name):
    """(n,) numbers from one or n."""
    out = numbers(value, name)
    if out.shape not in ((), (n,)) or not np.isfinite(out).all():
        raise ValueError(
            f"{name} must be a finite number, or one for each of {n} images; got {value!r}"
        )
    return np.broadcast_to(out, (n,))


def flip(images, horizontal=True, vertical=False, *, layout=None, value_range=(0.0, 1.0)):
    """Images mirrored left and right, or top and bottom, or both.

    Args:
        images: as for a transform.
        horizontal: whether left and right are exchanged.
        vertical: whether top and bottom are.
        layout: of the images, by their rank if None.
        value_range: of floating point images.

    >>> flip(np.array([[0.0, 0.5, 1.0]]))
    array([[1. , 0.5, 0. ]])
    """
    n, shape = shape_of(images, layout)
    out = identity(n)
    if horizontal:
        out[:, 0, 0], out[:, 0, 2] = -1, shape[1]
    if vertical:
        out[:, 1, 1], out[:, 1, 2] = -1, shape[0]
    return _given(images, out, layout, value_range)


def _given(images, matrices, layout, value_range, how=("nearest", 0, "constant")):
    return _Given(*how).replay(images, {"matrix": matrices}, layout=layout, value_range=value_range)


def rotate(
    images, angle, center=None, expand=False, interpolation="bilinear", fill=0, mode="constant", *,
    layout=None, value_range=(0.0, 1.0),
):  # fmt: skip
    """Images turned counter-clockwise by ``angle`` degrees, one or one for each image.

    Other arguments as of :class:`Rotate` and of a call of a transform.

    >>> rotate(np.array([[0.0, 0.5], [1.0, 0.0]]), 90).tolist()
    [[0.5, 0.0], [0.0, 1.0]]
    """
    angles = _each(angle, shape_of(images, layout)[0], "angle")
    limits = (np.min(angle), np.max(angle)) if np.size(angle) else (0.0, 0.0)
    transform = Rotate(limits, center, expand, interpolation, fill, mode)
    return transform.replay(images, {"angle": angles}, layout=layout, value_range=value_range)


def shift(
    images, x=0, y=0, interpolation="bilinear", fill=0, mode="constant", *, layout=None,
    value_range=(0.0, 1.0),
):  # fmt: skip
    """Images moved by ``x`` pixels to the right and ``y`` down, each one or one for each image.

    Other arguments as of :class:`Shift` and of a call of a transform.

    >>> shift(np.array([[0.25, 0.5, 1.0]]), 1, mode="edge")
    array([[0.25, 0.25, 0.5 ]])
    """
    n = shape_of(images, layout)[0]
    params = {"x": _each(x, n, "x"), "y": _each(y, n, "y")}
    transform = Shift(0, 0, "pixels", interpolation, fill, mode)
    return transform.replay(images, params, layout=layout, value_range=value_range)


def scale(
    images, x, y=None, center=None, interpolation="bilinear", fill=0, mode="constant", *,
    layout=None, value_range=(0.0, 1.0),
):  # fmt: skip
    """Images stretched by a factor ``x``, and ``y`` if that is another, about ``center``.

    Each is one number, or one for each image. Other arguments as of :class:`Scale` and of a call
    of a transform; the size of the pictures stays, see :class:`Resize`.

    >>> scale(np.array([[0.0, 0.25, 0.75, 1.0]]), 2).tolist()
    [[0.1875, 0.375, 0.625, 0.8125]]
    """
    n = shape_of(images, layout)[0]
    x = _each(x, n, "x")
    params = {"x": x, "y": x if y is None else _each(y, n, "y")}
    for name, factors in params.items():
        if len(factors) and factors.min() <= 0:
            raise ValueError(f"{name} must be positive, got {factors.min()}")
    transform = Scale(1.0, None, center, interpolation, fill, mode)
    return transform.replay(images, params, layout=layout, value_range=value_range)


def shear(
    images, x=0.0, y=0.0, interpolation="bilinear", fill=0, mode="constant", *, layout=None,
    value_range=(0.0, 1.0),
):  # fmt: skip
    """Images sheared by ``x`` and ``y`` degrees about their middle, one or one for each image.

    Other arguments as of :class:`Shear` and of a call of a transform.

    >>> shear(np.eye(3), 45, interpolation="nearest").tolist()
    [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    n = shape_of(images, layout)[0]
    params = {"x": _each(x, n, "x"), "y": _each(y, n, "y")}
    for name, angles in params.items():
        if len(angles) and np.abs(angles).max() >= 90:
            raise ValueError(f"{name} must be within (-90, 90) degrees, got {angles}")
    transform = Shear(0, 0, interpolation, fill, mode)
    return transform.replay(images, params, layout=layout, value_range=value_range)


def affine(
    images, matrix, interpolation="bilinear", fill=0, mode="constant", *, layout=None,
    value_range=(0.0, 1.0),
):  # fmt: skip
    """Images moved by matrices from their positions to those of the result.

    Args:
        images: as for a transform.
        matrix: (2, 3) or (3, 3), or one for each image: x, y, 1 of an image to those of the
            result, in pixels. The last row of (3, 3) may make it a perspective one; its factor
            is free, and the middle of an image is taken to be in front of the viewer.
        interpolation: as of :class:`Rotate`; ``fill`` and ``mode`` too.
        fill: as of :class:`Rotate`.
        mode: as of :class:`Rotate`.
        layout: of the images, by their rank if None.
        value_range: of floating point images.

    Raises:
        ValueError: a matrix of another shape, or one that has no inverse.

    >>> affine(np.array([[0.25, 0.5, 1.0]]), [[1, 0, 1], [0, 1, 0]]).tolist()
    [[0.0, 0.25, 0.5]]
    """
    n, (h, w, _) = shape_of(images, layout)
    given = numbers(matrix, "matrix")
    if given.shape not in ((2, 3), (3, 3), (n, 2, 3), (n, 3, 3)):
        raise ValueError(
            f"matrix must be (2, 3), (3, 3) or one of these for each of {n} images; got shape "
            f"{given.shape}"
        )
    matrices = identity(n)
    matrices[:, : given.shape[-2]] = given
    if not (np.isfinite(given).all() and np.linalg.slogdet(matrices)[0].all()):
        raise ValueError(f"matrix must be finite and have an inverse, got {matrix!r}")
    matrices[matrices[:, 2] @ (w / 2, h / 2, 1) < 0] *= -1
    return _given(images, matrices, layout, value_range, (interpolation, fill, mode))


def perspective(
    images, startpoints, endpoints, interpolation="bilinear", fill=0, mode="constant", *,
    layout=None, value_range=(0.0, 1.0),
):  # fmt: skip
    """Images moved so that four points come to four others, each (4, 2) of x, y in pixels.

    Other arguments as of :func:`affine`.

    Raises:
        ValueError: points of another shape, or three of them on a line.

    >>> corners = [(0, 0), (2, 0), (2, 1), (0, 1)]
    >>> perspective(np.array([[0.25, 0.5]]), corners, [(2, 0), (0, 0), (0, 1), (2, 1)]).tolist()
    [[0.5, 0.25]]
    """
    source, target = _four(startpoints, "startpoints"), _four(endpoints, "endpoints")
    matrices = np.repeat(homography(source, target), shape_of(images, layout)[0], axis=0)
    return _given(images, matrices, layout, value_range, (interpolation, fill, mode))


def _four(value, name):
    """Four points (1, 4, 2)."""
    points = numbers(value, name)
    if points.shape != (4, 2) or not np.isfinite(points).all():
        raise ValueError(f"{name} must be four finite points (4, 2), got {value!r}")
    corners = points[[[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]]
    areas = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1]))
    if areas.min() <= 1e-12 * (np.ptp(points, axis=0) ** 2).sum():  # but for rounding
        raise ValueError(f"{name} must have no three points on a line, got {value!r}")
    return points[None]


def crop(
    images, top, left, height, width, fill=0, padding_mode="constant", *, layout=None,
    value_range=(0.0, 1.0),
):  # fmt: skip
    """The part of each image that begins at (top, left); arguments as of :class:`Crop`.

    >>> crop(np.array([[0.0, 0.5, 1.0]]), 0, 1, 1, 2).tolist()
    [[0.5, 1.0]]
    """
    transform = Crop(top, left, height, width, fill, padding_mode)
    return transform(images, seed=0, layout=layout, value_range=value_range)


def pad(images, padding, fill=0, padding_mode="constant", *, layout=None, value_range=(0.0, 1.0)):
    """Images with pixels around them; arguments as of :class:`Pad`.

    >>> pad(np.array([[0.25, 0.5]]), (1, 0)).tolist()
    [[0.0, 0.25, 0.5, 0.0]]
    """
    transform = Pad(padding, fill, padding_mode)
    return transform(images, seed=0, layout=layout, value_range=value_range)


def five_crop(images, size, *, layout=None, value_range=(0.0, 1.0)):
    """The corners and the middle of each image, a tuple of five.

    Args:
        images: as for a transform.
        size: (height, width), or one number for both.
        layout: of the images, by their rank if None.
        value_range: of floating point images.

    Returns:
        Top left, top right, bottom left, bottom right and middle.

    Raises:
        ValueError: images that are smaller than ``size``.

    >>> [part.tolist() for part in five_crop(np.eye(3), 1)]
    [[[1.0]], [[0.0]], [[0.0]], [[1.0]], [[1.0]]]
    """
    (h, w), shape = size_of(size), shape_of(images, layout)[1]
    down, across = shape[0] - h, shape[1] - w
    if min(down, across) < 0:
        raise ValueError(f"five_crop of size {(h, w)} needs larger images than {shape[:2]}")
    corners = [(0, 0), (0, across), (down, 0), (down, across)]
    corners.append((round(down / 2), round(across / 2)))
    how = {"layout": layout, "value_range": value_range}
    return tuple(crop(images, top, left, h, w, **how) for top, left in corners)


def ten_crop(images, size, vertical_flip=False, *, layout=None, value_range=(0.0, 1.0)):
    """:func:`five_crop` of each image, and of its mirror image.

    Args:
        images: as for a transform.
        size: (height, width), or one number for both.
        vertical_flip: whether to mirror top and bottom, not left and right.
        layout: of the images, by their rank if None.
        value_range: of floating point images.

    >>> len(ten_crop(np.eye(3), 1))
    10
    """
    how = {"layout": layout, "value_range": value_range}
    mirrored = flip(images, not vertical_flip, vertical_flip, **how)
    return five_crop(images, size, **how) + five_crop(mirrored, size, **how)


class FiveCrop(Transform):
    """:func:`five_crop` as a transform: it gives a tuple of five, so it stands alone.

    Args:
        size: (height, width), or one number for both.

    >>> [part.tolist() for part in FiveCrop(1)(np.eye(2))]
    [[[1.0]], [[0.0]], [[0.0]], [[1.0]], [[1.0]]]
    """

    several = True

    def __init__(self, size):
        self.size = size_of(size)

    def __call__(self, images, *, layout=None, value_range=(0.0, 1.0)):
        return five_crop(images, self.size, layout=layout, value_range=value_range)

    def apply(self, batch, params):
        return in_pipeline(self)


class TenCrop(FiveCrop):
    """:func:`ten_crop` as a transform.

    Args:
        size: (height, width), or one number for both.
        vertical_flip: whether to mirror top and bottom, not left and right.

    >>> len(TenCrop(1)(np.eye(3)))
    10
    """

    def __init__(self, size, vertical_flip: bool = False):
        super().__init__(size)
        self.vertical_flip = bool(vertical_flip)

    def __call__(self, images, *, layout=None, value_range=(0.0, 1.0)):
        return ten_crop(
            images, self.size, self.vertical_flip, layout=layout, value_range=value_range
        )
