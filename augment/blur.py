"""Blur and sharpen. Images are (N, H, W, C); edges are mirrored without repeating the edge."""

from __future__ import annotations

import numpy as np

from ._chance import Chance, drawn
from ._checks import check_probability, check_strength, is_integer
from ._pixels import blend, by_block, column, per_image, work_dtype
from ._transform import Transform

__all__ = ["GaussianBlur", "MeanBlur", "MedianBlur", "MotionBlur", "RandomAdjustSharpness"]


def gaussian_blur(batch, sigma, kernel_size=None):
    """Convolve with a Gaussian, rows and columns apart; mirrored at the edges.

    ``kernel_size`` None takes ``int(4 * sigma + 0.5)`` pixels on each side: then it equals
    ``scipy.ndimage.gaussian_filter(image, sigma, mode="mirror")`` on each channel. With a kernel
    size it equals torchvision's ``gaussian_blur``.

    Args:
        batch: (N, H, W, C), uint8 (computed in float32, rounded to nearest) or float.
        sigma: standard deviation in pixels, one number or one for each image; 0 keeps the image.
        kernel_size: None, an odd integer, or (height, width).
    """
    sigma = per_image(batch, sigma, "sigma")
    if batch.size == 0:
        return batch.copy()
    radii = _gaussian_radii(sigma, kernel_size)
    kernels = [_gaussian_taps(sigma, *radius) for radius in radii]
    return _separable(batch, *kernels)


def _gaussian_radii(sigma, kernel_size):
    """For each axis: the largest radius, and the radius of each image."""
    if kernel_size is None:
        own = (4 * sigma + 0.5).astype(int)
        return [(int(own.max()), own)] * 2
    return [(size // 2, np.full(len(sigma), size // 2)) for size in odd_pair(kernel_size)]


def _gaussian_taps(sigma, radius, own):
    """(N, radius + 1) weights of the distances 0, 1, ..., of sum 1 over both sides."""
    distance = np.arange(radius + 1)
    scaled = distance / np.where(sigma > 0, sigma, 1)[:, None]
    taps = np.exp(-0.5 * scaled**2)
    taps[(distance > own[:, None]) | ((sigma <= 0)[:, None] & (distance > 0))] = 0
    # Added in turn: a sum in pairs rounds by the length, which is that of the widest kernel.
    return taps / (2 * taps.cumsum(1)[:, -1:] - taps[:, :1])


def mean_blur(batch, kernel_size):
    """The mean of a window around each pixel; mirrored at the edges.

    Equals ``scipy.ndimage.uniform_filter(image, kernel_size, mode="mirror")`` on each channel.

    Args:
        batch: (N, H, W, C), uint8 (rounded to nearest) or float.
        kernel_size: an odd integer, or (height, width).
    """
    kernels = [np.full((len(batch), k // 2 + 1), 1 / k) for k in odd_pair(kernel_size)]
    return _separable(batch, *kernels)


def _separable(batch, down, across):
    """Symmetric kernels along rows and columns, one per image, of the taps at 0, 1, ..."""
    dtype = work_dtype(batch)
    return by_block(_convolve_both, batch, down.astype(dtype), across.astype(dtype))


def _convolve_both(images, down, across):
    values = images.astype(down.dtype)
    values = _convolve(values, down, axis=1)
    return _settled(_convolve(values, across, axis=2), images)


def _settled(values, images):
    """uint8 to the nearest; floats within those of their image, which sums leave by a bit."""
    if images.dtype == np.uint8:
        return np.floor(values + 0.5)
    axes = (1, 2, 3)
    return np.clip(values, images.min(axes, keepdims=True), images.max(axes, keepdims=True))


def _convolve(images, taps, axis):
    radius = taps.shape[1] - 1
    if radius == 0:
        return images
    size = images.shape[axis]
    padded = _mirror(images, *((radius, 0) if axis == 1 else (0, radius)))
    taps = taps.T[..., None, None, None]
    out = images * taps[0]
    for distance in range(1, radius + 1):
        before = _slice(padded, axis, radius - distance, size)
        after = _slice(padded, axis, radius + distance, size)
        out += (before + after) * taps[distance]
    return out


def _slice(values, axis, start, size):
    return values[:, start : start + size] if axis == 1 else values[:, :, start : start + size]


def _mirror(images, rows, cols):
    return np.pad(images, ((0, 0), (rows, rows), (cols, cols), (0, 0)), mode="reflect")


def median_blur(batch, kernel_size):
    """The median of a window around each pixel; mirrored at the edges.

    Equals ``scipy.ndimage.median_filter(image, kernel_size, mode="mirror")`` on each channel.

    Args:
        batch: (N, H, W, C), uint8 or float.
        kernel_size: an odd integer, or (height, width).
    """
    size = odd_pair(kernel_size)
    if size == (1, 1):
        return batch.copy()
    return by_block(lambda images: _medians(images, size), batch)


def _medians(images, size):
    padded = _mirror(images, size[0] // 2, size[1] // 2)
    height, width = images.shape[1:3]
    return _median([
        padded[:, row : row + height, col : col + width] for row, col in np.ndindex(*size)
    ])  # fmt: skip


def _median(values):
    """The median of an odd number of arrays, element by element.

    Of more than half of the values, neither the least nor the greatest can be the median: both
    are dropped and the next value joins. Minima and maxima of whole arrays are 20 times as fast
    as ``np.partition`` along a short axis.
    """
    half = len(values) // 2
    held, rest = values[: half + 2], values[half + 2 :]
    while len(held) > 1:
        for i in range(1, len(held)):
            held[0], held[i] = np.minimum(held[0], held[i]), np.maximum(held[0], held[i])
        for i in range(1, len(held) - 1):
            held[i], held[-1] = np.minimum(held[i], held[-1]), np.maximum(held[i], held[-1])
        held = held[1:-1] + rest[:1]
        rest = rest[1:]
    return held[0]


def motion_blur(batch, kernel_size, angle):
    """The mean of ``kernel_size`` points on a line through each pixel; mirrored at the edges.

    The points are one pixel apart, the middle one on the pixel; one between pixels is read
    bilinearly.

    Args:
        batch: (N, H, W, C), uint8 (rounded to nearest) or float.
        kernel_size: an odd integer; 1 keeps the image.
        angle: degrees from the row, counter-clockwise, one number or one for each image.
    """
    size = odd_size(kernel_size)
    angle = per_image(batch, angle, "angle", low=-np.inf)
    if size == 1 or batch.size == 0:
        return batch.copy()
    return by_block(_filter, batch, motion_kernels(size, angle).astype(work_dtype(batch)))


def motion_kernels(size, angle):
    """(N, size, size) kernels of sum 1: ``size`` points on the line at ``angle`` degrees.

    >>> motion_kernels(3, np.array([0.0]))[0].round(3).tolist()
    [[0.0, 0.0, 0.0], [0.333, 0.333, 0.333], [0.0, 0.0, 0.0]]
    """
    radius = size // 2
    along = np.arange(size) - radius
    radians = np.deg2rad(angle)[:, None]
    # Rounded, so that an axis is met exactly; the last row and column are only ever touched by 0.
    rows = radius - np.round(np.sin(radians) * along, 9)
    cols = radius + np.round(np.cos(radians) * along, 9)
    kernels = np.zeros((len(angle), size + 1, size + 1))
    image = np.arange(len(angle))[:, None]
    row, col = np.floor(rows).astype(int), np.floor(cols).astype(int)
    for down, right in np.ndindex(2, 2):
        weight = _share(rows - row, down) * _share(cols - col, right)
        np.add.at(kernels, (image, row + down, col + right), weight)
    return kernels[:, :size, :size] / size


def _share(fraction, end):
    return fraction if end else 1 - fraction


def _filter(images, kernels):
    """Correlate each image with its own (k, k) kernel."""
    size = kernels.shape[1]
    height, width = images.shape[1:3]
    padded = _mirror(images.astype(kernels.dtype), size // 2, size // 2)
    out = np.zeros(images.shape, kernels.dtype)
    for row, col in np.argwhere(kernels.any(0)):
        weight = kernels[:, row, col].reshape(-1, 1, 1, 1)
        out += padded[:, row : row + height, col : col + width] * weight
    return _settled(out, images)


def adjust_sharpness(batch, factor):
    """Blend with a smoothed image. 0 is smooth, 1 the image, 2 sharpened. Equals Pillow's enhancer.

    The smoothed image is Pillow's filter ``SMOOTH``, 3x3 weights 1 with 5 in the middle over 13;
    the outermost pixels stay as they are. An image with a side under 3 stays.

    Args:
        batch: (N, H, W, C), uint8 or float in 0..1.
        factor: one number, or one for each image; not negative.
    """
    factor = per_image(batch, factor, "sharpness factor")
    if min(batch.shape[1:3]) < 3:
        return batch.copy()
    return by_block(_sharpen, batch, column(factor, batch))


def _sharpen(images, factor):
    return blend(_smooth(images), images, factor)


def _smooth(images):
    wide = images.astype(np.uint16 if images.dtype == np.uint8 else work_dtype(images))
    lines = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    total = lines[:, :, :-2] + lines[:, :, 1:-1] + lines[:, :, 2:] + 4 * wide[:, 1:-1, 1:-1]
    mean = (2 * total + 13) // 26 if images.dtype == np.uint8 else total / 13
    smooth = images.copy()
    smooth[:, 1:-1, 1:-1] = mean
    return smooth


def odd_pair(kernel_size):
    """``kernel_size`` as (height, width).

    Raises:
        ValueError: not one or two positive odd integers.
    """
    pair = (kernel_size,) * 2 if np.ndim(kernel_size) == 0 else tuple(kernel_size)
    if len(pair) == 2 and all(is_integer(k) and k > 0 and k % 2 for k in pair):
        return int(pair[0]), int(pair[1])
    raise ValueError(
        f"kernel_size must be a positive odd integer or two of them (height, width), "
        f"got {kernel_size!r}"
    )


def odd_size(kernel_size):
    """``kernel_size`` as one integer.

    Raises:
        ValueError: not a positive odd integer.
    """
    if np.ndim(kernel_size):
        raise ValueError(f"kernel_size must be one odd integer, got {kernel_size!r}")
    return odd_pair(kernel_size)[0]


# --- transforms -----------------------------------------------------------------------------


class GaussianBlur(Transform):
    """Blur by a Gaussian, see :func:`gaussian_blur`.

    Args:
        kernel_size: an odd integer, or (height, width); None takes 4 sigma on each side.
        sigma: in pixels, a number, or (least, most) to draw one for each image. Unlike
            torchvision's it may be 0, which keeps the image.

    Raises:
        ValueError: ``kernel_size`` is not odd, ``sigma`` is negative.

    >>> GaussianBlur(3, sigma=1.0)(np.array([[0.0, 1.0, 0.0]])).round(3).tolist()
    [[0.548, 0.452, 0.548]]
    """

    def __init__(self, kernel_size, sigma: float | tuple = (0.1, 2.0)):
        if kernel_size is not None:
            odd_pair(kernel_size)
        self.kernel_size, self.sigma = kernel_size, check_strength(sigma, "sigma")

    def sample(self, n, shape, rng):
        """A sigma for each image."""
        return {"sigma": drawn(rng, self.sigma)}

    def apply(self, batch, params):
        """Blur."""
        return gaussian_blur(batch, params["sigma"], self.kernel_size)


class MeanBlur(Transform):
    """The mean of a window around each pixel, see :func:`mean_blur`.

    Args:
        kernel_size: an odd integer, or (height, width).

    Raises:
        ValueError: it is not odd.

    >>> MeanBlur((1, 3))(np.array([[0.0, 0.0, 0.75, 0.0]])).tolist()
    [[0.0, 0.25, 0.25, 0.5]]
    """

    def __init__(self, kernel_size):
        odd_pair(kernel_size)
        self.kernel_size = kernel_size

    def apply(self, batch, params):
        """Blur."""
        return mean_blur(batch, self.kernel_size)


class MedianBlur(Transform):
    """The median of a window around each pixel, see :func:`median_blur`.

    Args:
        kernel_size: an odd integer, or (height, width).

    Raises:
        ValueError: it is not odd.

    >>> MedianBlur((1, 3))(np.array([[0.0, 0.0, 0.75, 0.0]])).tolist()
    [[0.0, 0.0, 0.0, 0.75]]
    """

    def __init__(self, kernel_size):
        odd_pair(kernel_size)
        self.kernel_size = kernel_size

    def apply(self, batch, params):
        """Blur."""
        return median_blur(batch, self.kernel_size)


class MotionBlur(Transform):
    """The mean along a line, see :func:`motion_blur`.

    Args:
        kernel_size: the length of the line in pixels, an odd integer.
        angle: degrees from the row, counter-clockwise; a number, or (least, most) to draw one
            for each image.

    Raises:
        ValueError: ``kernel_size`` is not odd.

    >>> MotionBlur(3, angle=0.0)(np.array([[0.0, 0.0, 0.75, 0.0]])).tolist()
    [[0.0, 0.25, 0.25, 0.5]]
    """

    def __init__(self, kernel_size: int, angle: float | tuple = (0.0, 180.0)):
        odd_size(kernel_size)
        self.kernel_size = kernel_size
        self.angle = check_strength(angle, "angle", low=-np.inf)

    def sample(self, n, shape, rng):
        """An angle for each image."""
        return {"angle": drawn(rng, self.angle)}

    def apply(self, batch, params):
        """Blur."""
        return motion_blur(batch, self.kernel_size, params["angle"])


class RandomAdjustSharpness(Chance):
    """Sharpen or smooth with probability ``p``, see :func:`adjust_sharpness`.

    Args:
        sharpness_factor: 0 is smooth, 1 the image, 2 sharpened; a number, or (least, most) to
            draw one for each image.
        p: the probability.

    Raises:
        ValueError: a negative factor, or ``p`` no probability.

    >>> RandomAdjustSharpness(2.0, p=1.0)(np.ones((3, 4, 4))).min()
    np.float64(1.0)
    """

    def __init__(self, sharpness_factor: float | tuple, p: float = 0.5):
        self.sharpness_factor = check_strength(sharpness_factor, "sharpness_factor")
        self.p = check_probability(p, "p")

    def strengths(self, n, shape, rng):
        """A factor for each image."""
        return {"factor": drawn(rng, self.sharpness_factor)}

    def change(self, batch, params):
        """Sharpen."""
        return adjust_sharpness(batch, params["factor"])
