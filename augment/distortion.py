"""Transforms that move pixels by fields: elastic, grids, thin plates, pieces."""

from __future__ import annotations

import functools

import numpy as np

from ._checks import check_count
from ._layout import shape_of
from ._pixels import by_block, parts_of
from ._random import KeyedRng
from ._resample import fill_of, resample
from .geometry import Resampled, finite, numbers

__all__ = ["Elastic", "GridDistortion", "PiecewiseAffine", "ThinPlate", "thin_plate"]

# Steps by which a point is followed through a field, each 0.7 of what is missing: that
# converges where the field stretches pictures by up to 2.8 and folds them nowhere.
_STEPS, _DAMPING = 60, 0.7
# Elements of the basis of a spline that are kept, 32 MB: 724x724 pixels with 16 nodes. A larger
# one is made again for each image, some lines at a time, which takes 5 times as long.
_BASIS = 1 << 23


class _Distortion(Resampled):
    """A transform that reads each pixel elsewhere; subclasses write :meth:`offsets`."""

    affine = False

    def offsets(self, params: dict, shape: tuple) -> np.ndarray:
        """(n, h, w, 2) float32: how far to the right and down each pixel is read."""
        raise NotImplementedError

    def _warped(self, batch, params, interpolation, fill):
        """A few images at a time: the positions of pixels are larger than the pixels."""
        h, w = batch.shape[1:3]

        def read(images, *own):
            grid = self.offsets(dict(zip(params, own, strict=True)), batch.shape[1:])
            grid[..., 0] += np.arange(w, dtype=np.float32) + np.float32(0.5)
            grid[..., 1] += (np.arange(h, dtype=np.float32) + np.float32(0.5))[:, None]
            return resample(images, grid, (h, w), interpolation, self.mode, fill)

        return by_block(read, batch, *params.values())

    def apply(self, batch, params):
        return self._warped(batch, params, self.interpolation, fill_of(self.fill, batch))

    def apply_masks(self, masks, params, fill=0):
        return self._warped(masks, params, "nearest", fill)

    def apply_points(self, points, owner, params, shape):
        """A few images at a time, as the pixels: fields are as large."""
        out = points.copy()
        n = len(next(iter(params.values())))
        for images, _ in parts_of((n, *shape), pointwise=False):
            mine = (images.start <= owner) & (owner < images.stop)
            if mine.any():
                field = self.offsets({k: v[images] for k, v in params.items()}, shape)
                out[mine] = _followed(field, owner[mine] - images.start, points[mine])
        return out


def _followed(field, owner, points):
    """Where the points (p, 2) come to: what is read there by a field (n, h, w, 2)."""
    at = points.copy()
    for _ in range(_STEPS):
        at += _DAMPING * (points - at - _looked_up(field, owner, at))
    return at


def _looked_up(field, owner, points):
    """A field (n, h, w, 2) at points (p, 2), between pixels by lerps."""
    h, w = field.shape[1:3]
    x = np.clip(points[:, 0] - 0.5, 0, w - 1)
    y = np.clip(points[:, 1] - 0.5, 0, h - 1)
    left, top = x.astype(int), y.astype(int)
    right, bottom = np.minimum(left + 1, w - 1), np.minimum(top + 1, h - 1)
    fx, fy = (x - left)[:, None], (y - top)[:, None]
    above = field[owner, top, left] * (1 - fx) + field[owner, top, right] * fx
    below = field[owner, bottom, left] * (1 - fx) + field[owner, bottom, right] * fx
    return above * (1 - fy) + below * fy


class Elastic(_Distortion):
    """Random displacements, smoothed (Simard, Steinkraus and Platt, ICDAR 2003).

    Each pixel gets a displacement uniform in (-1, 1) along x and along y; these are smoothed by
    a Gaussian and multiplied by ``alpha``. The paper's figures for MNIST are alpha = 34 and
    sigma = 4. (torchvision's ``alpha`` is twice this one.)

    Args:
        alpha: the factor, in pixels.
        sigma: standard deviation of the Gaussian, in pixels.
        interpolation, fill, mode: as of :class:`~tensorgrad.augment.Rotate`.

    Raises:
        ValueError: a negative ``alpha``, or ``sigma`` that is not positive.

    >>> Elastic()(np.ones((2, 1, 8, 8))).shape
    (2, 1, 8, 8)
    """

    def __init__(
        self, alpha: float = 34.0, sigma: float = 4.0, interpolation: str = "bilinear", fill=0,
        mode: str = "constant",
    ):  # fmt: skip
        self.alpha, self.sigma = finite(alpha, "alpha"), finite(sigma, "sigma")
        if self.alpha < 0 or self.sigma <= 0:
            raise ValueError(f"alpha must be from 0 on and sigma positive, got {alpha}, {sigma}")
        self._keep(interpolation, fill, mode)

    def sample(self, n, shape, rng):
        return {"key": rng.key()}

    def offsets(self, params, shape):
        h, w = shape[:2]
        noise = KeyedRng.restore(params["key"]).random((2, h, w), np.float32)
        noise *= 2
        noise -= 1
        smooth = _gaussian(h, self.sigma) @ noise @ _gaussian(w, self.sigma).T
        return np.moveaxis(smooth * np.float32(self.alpha), 1, -1)


@functools.lru_cache(maxsize=8)
def _gaussian(n, sigma):
    """The matrix (n, n) that smooths; at the ends the weights that are left sum up to 1."""
    distance = np.subtract.outer(np.arange(n), np.arange(n))
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


class GridDistortion(_Distortion):
    """Columns and rows of a grid made wider and narrower.

    Args:
        num_steps: how many columns, and rows.
        distort_limit: each is wider or narrower by a factor 1 + u before they are fitted into
            the picture again, u from (-limit, limit); in [0, 1).
        interpolation, fill, mode: as of :class:`~tensorgrad.augment.Rotate`.

    Raises:
        ValueError: no steps, or a limit out of range.

    >>> GridDistortion()(np.ones((2, 1, 8, 8))).shape
    (2, 1, 8, 8)
    """

    def __init__(
        self, num_steps: int = 5, distort_limit: float = 0.3, interpolation: str = "bilinear",
        fill=0, mode: str = "constant",
    ):  # fmt: skip
        self.num_steps = check_count(num_steps, "num_steps", 1)
        self.distort_limit = finite(distort_limit, "distort_limit")
        if not 0 <= self.distort_limit < 1:
            raise ValueError(f"distort_limit must be in [0, 1), got {distort_limit}")
        self._keep(interpolation, fill, mode)

    def sample(self, n, shape, rng):
        limit = self.distort_limit
        x, y = (rng.uniform(1 - limit, 1 + limit, self.num_steps) for _ in range(2))
        return {"x": x, "y": y}

    def offsets(self, params, shape):
        h, w = shape[:2]
        out = np.empty((len(params["x"]), h, w, 2), np.float32)
        out[..., 0] = self._along(params["x"], w)[:, None, :]
        out[..., 1] = self._along(params["y"], h)[:, :, None]
        return out

    def _along(self, factors, n):
        """Displacements (images, n) of the pixels along one axis."""
        k = self.num_steps
        share = factors / factors.sum(axis=1, keepdims=True)
        begin = np.cumsum(share, axis=1) - share
        position = (np.arange(n) + 0.5) / max(n, 1) * k
        cell = np.minimum(position.astype(int), k - 1)
        return n * (begin[:, cell] + (position - cell) * share[:, cell] - position / k)


class _Lattice(_Distortion):
    """Nodes of a lattice over the picture, each moved by an amount drawn for it."""

    def _keep_lattice(self, points, scale):
        self.points, self.scale = check_count(points, "points", 2), finite(scale, "scale")
        if self.scale < 0:
            raise ValueError(f"scale must be from 0 on, got {scale}")

    def sample(self, n, shape, rng):
        sides = np.array([shape[1], shape[0]])
        return {"moves": rng.uniform(-self.scale, self.scale, (self.points**2, 2)) * sides}

    def nodes(self, shape):
        """Positions (points ** 2, 2) of the nodes, line by line."""
        x, y = (np.linspace(0, side, self.points) for side in (shape[1], shape[0]))
        return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


class ThinPlate(_Lattice):
    """A lattice of points moved, and a thin plate spline between them (Bookstein, 1989).

    Args:
        points: nodes of the lattice along each side, at least 2.
        scale: each moves by up to this share of the sides.
        interpolation, fill, mode: as of :class:`~tensorgrad.augment.Rotate`.

    >>> ThinPlate()(np.ones((2, 1, 8, 8))).shape
    (2, 1, 8, 8)
    """

    def __init__(
        self, points: int = 4, scale: float = 0.05, interpolation: str = "bilinear", fill=0,
        mode: str = "constant",
    ):  # fmt: skip
        self._keep_lattice(points, scale)
        self._keep(interpolation, fill, mode)

    def offsets(self, params, shape):
        return _spline(self.nodes(shape), params["moves"], shape)


def _spline(nodes, values, shape):
    """Thin plate splines through ``values`` (n, m, 2) at nodes (m, 2), at every pixel."""
    h, w = shape[:2]
    side = max(h, w, 1)
    scaled, values = (nodes / side).tobytes(), values.astype(np.float32)
    line = max(1, w * len(nodes))
    lines = h if h * line <= _BASIS else max(1, _BASIS // 16 // line)
    out = np.empty((len(values), h, w, 2), np.float32)
    for i in range(0, h, max(1, lines)):
        part = out[:, i : i + lines]
        basis = _basis(scaled, i, part.shape[1], w, side)
        part[...] = (basis @ values).reshape(part.shape)
    return out


@functools.lru_cache(maxsize=1)
def _basis(nodes, top, lines, w, side):
    """What the values at m nodes count for at each pixel of some lines, (lines * w, m) float32.

    The last one is kept for the blocks of a batch: with 16 nodes it takes 9 ms for 224x224.
    """
    nodes = np.frombuffer(nodes).reshape(-1, 2)
    m = len(nodes)
    affine = np.concatenate([np.ones((m, 1)), nodes], axis=1)
    matrix = np.zeros((m + 3, m + 3))
    matrix[:m, :m] = _radial(*(nodes[:, None] - nodes).T)
    matrix[:m, m:], matrix[m:, :m] = affine, affine.T
    bent, (constant, along_x, along_y) = np.split(np.linalg.inv(matrix)[:, :m], [m])
    out = np.empty((lines, w, m), np.float32)
    x = (np.arange(w)[:, None] + 0.5) / side
    flat = x * along_x + constant
    for line, y in zip(out, (np.arange(top, top + lines) + 0.5) / side, strict=True):
        line[...] = _radial(x - nodes[:, 0], y - nodes[:, 1]) @ bent + flat + y * along_y
    return out.reshape(-1, m)


def _radial(x, y):
    """r^2 log r^2 of distances along x and along y."""
    square = x * x + y * y
    return square * np.log(np.where(square > 0, square, 1))


class PiecewiseAffine(_Lattice):
    """A lattice of points moved; each half of its cells is a triangle that moves affinely.

    Args:
        points: nodes of the lattice along each side, at least 2.
        scale: each moves by up to this share of the sides. From half of a cell on, which is
            0.5 / (points - 1), pictures may fold.
        interpolation, fill, mode: as of :class:`~tensorgrad.augment.Rotate`.

    >>> PiecewiseAffine()(np.ones((2, 1, 8, 8))).shape
    (2, 1, 8, 8)
    """

    def __init__(
        self, points: int = 4, scale: float = 0.05, interpolation: str = "bilinear", fill=0,
        mode: str = "constant",
    ):  # fmt: skip
        self._keep_lattice(points, scale)
        self._keep(interpolation, fill, mode)

    def offsets(self, params, shape):
        k = self.points
        moves = params["moves"].astype(np.float32).reshape(-1, k, k, 2)
        (i, v), (j, u) = (_cells(side, k) for side in shape[:2])
        a, b, c, d = moves[:, :-1, :-1], moves[:, :-1, 1:], moves[:, 1:, :-1], moves[:, 1:, 1:]
        # Upper and lower triangle of each cell: what is moved at its corner, and along x and y.
        triangles = np.stack([[a, b + c - d], [b - a, d - c], [c - a, d - b]])
        triangles = np.moveaxis(triangles, 2, 1).reshape(3, len(moves), -1, 2)
        v, u = v[:, None], u[None, :]
        which = (u + v > 1) * (k - 1) ** 2 + i[:, None] * (k - 1) + j
        out, along_x, along_y = triangles.take(which, axis=2)
        along_x *= u[..., None]
        along_y *= v[..., None]
        out += along_x
        out += along_y
        return out


def _cells(n, k):
    """For each of n pixels, the cell that it lies in, and where in it, in [0, 1]."""
    position = (np.arange(n) + 0.5) / max(n, 1) * (k - 1)
    cell = np.minimum(position.astype(int), k - 2)
    return cell, (position - cell).astype(np.float32)


class _Landmarks(_Distortion):
    """Points moved to given places."""

    def __init__(self, source, target, interpolation, fill, mode):
        self.source, self.target = source, target
        self._keep(interpolation, fill, mode)

    def offsets(self, params, shape):
        n = len(params["index"])
        one = _spline(self.target, (self.source - self.target)[None], shape)
        return np.repeat(one, n, axis=0)


def thin_plate(
    images, source, target, interpolation="bilinear", fill=0, mode="constant", *, layout=None,
    value_range=(0.0, 1.0),
):  # fmt: skip
    """Images bent by a thin plate spline so that points come to other places.

    Args:
        images: as for a transform.
        source: (m, 2) of x, y in pixels.
        target: (m, 2), where they come to: different places, three at least not on a line.
        interpolation: as of :class:`~tensorgrad.augment.Rotate`; ``fill`` and ``mode`` too.
        fill: as of :class:`~tensorgrad.augment.Rotate`.
        mode: as of :class:`~tensorgrad.augment.Rotate`.
        layout: of the images, by their rank if None.
        value_range: of floating point images.

    Raises:
        ValueError: points of another shape, that are not finite, or come to one place or a line.

    >>> corners = np.array([(0, 0), (4, 0), (0, 1), (4, 1)])
    >>> thin_plate(np.array([[0.0, 0.25, 0.5, 1.0]]), corners, corners + [1, 0]).round(3).tolist()
    [[0.0, 0.0, 0.25, 0.5]]
    """
    source, target = numbers(source, "source"), numbers(target, "target")
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2:
        raise ValueError(
            f"source and target must both be (m, 2), got {source.shape} and {target.shape}"
        )
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError(f"source and target must be finite, got {source} and {target}")
    if len(np.unique(target, axis=0)) < len(target):
        raise ValueError(f"target must not hold a point twice, got {target}")
    if np.linalg.matrix_rank(np.concatenate([np.ones((len(target), 1)), target], axis=1)) < 3:
        raise ValueError("target must hold at least three points that are not on a line")
    transform = _Landmarks(source, target, interpolation, fill, mode)
    params = {"index": np.arange(shape_of(images, layout)[0])}
    return transform.replay(images, params, layout=layout, value_range=value_range)
