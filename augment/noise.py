"""Noise: Gaussian, speckle, Poisson, salt and pepper. Images are (N, H, W, C).

A noise field is as large as the batch, so it is not kept among the drawn parameters: each image
draws a key (``KeyedRng.key``), and its field is made anew from the key, some images at a time.

Strengths are those of floats in 0..1, whatever the images are: a sigma of 0.1 is 25.5 grey levels
of uint8. Results are clipped to the range, and for uint8 rounded to nearest.
"""

from __future__ import annotations

import numpy as np

import tensorgrad

from ._chance import drawn
from ._checks import check_probability, check_strength, is_real
from ._layout import _SLACK
from ._pixels import by_block, column, normal_like, per_image, rounded, top
from ._random import KeyedRng
from ._transform import Transform

__all__ = ["GaussianNoise", "PoissonNoise", "SaltAndPepperNoise", "SpeckleNoise", "noise"]


def noise(image, var=0.1, generator=None):
    """``image`` plus Gaussian noise of variance ``var``, clipped to [0, 1].

    Args:
        image: an array or Tensor of floats in 0..1, of any shape.
        var: the variance, not negative.
        generator: a :class:`tensorgrad.Generator`; by default the default one.

    Returns:
        A new array or Tensor of the shape and dtype of ``image``.

    Raises:
        TypeError: ``image`` does not hold floats.
        ValueError: ``var`` is no number from 0 on, or ``image`` holds values outside of 0..1.

    >>> import tensorgrad
    >>> _ = tensorgrad.manual_seed(0)
    >>> float(noise(np.full(10_000, 0.5), var=0.01).std().round(2))
    0.1
    """
    given = image
    image = given.detach().numpy() if isinstance(given, tensorgrad.Tensor) else np.asarray(given)
    if not np.issubdtype(image.dtype, np.floating):
        raise TypeError(f"noise expects floats in 0..1, got {image.dtype}: divide by 255 first")
    if not is_real(var) or not 0 <= var < np.inf:
        raise ValueError(f"var must be a number from 0 on, got {var!r}")
    if image.size and not (image.min() >= -_SLACK and image.max() <= 1 + _SLACK):
        raise ValueError(
            f"image of shape {image.shape} holds values from {image.min():g} to {image.max():g}, "
            "outside of 0..1: scale it first"
        )
    field = tensorgrad.randn(image.shape, dtype=tensorgrad.float64, generator=generator)
    noisy = np.clip(image + float(var) ** 0.5 * field.numpy(), 0, 1).astype(image.dtype)
    return tensorgrad.from_numpy(noisy) if isinstance(given, tensorgrad.Tensor) else noisy


def gaussian_noise(batch, key, mean=0.0, sigma=0.1, clip=True):
    """``x + mean + sigma * n`` with n standard normal for each value.

    Args:
        batch: (N, H, W, C), uint8 or float in 0..1.
        key: (N, 2), from ``KeyedRng.key``.
        mean: one number, or one for each image.
        sigma: the standard deviation, likewise; not negative.
        clip: whether floats are clipped to 0..1.
    """
    white = top(batch)
    mean = per_image(batch, mean, "mean", low=-np.inf)
    sigma = per_image(batch, sigma, "sigma")

    def noisy(images, key, mean, sigma):
        values = images + white * (mean + sigma * normal_like(images, key))
        return rounded(values, images.dtype) if clip or white == 255 else values

    return by_block(noisy, batch, key, column(mean, batch), column(sigma, batch))


def speckle_noise(batch, key, sigma=0.1):
    """``x + x * sigma * n`` with n standard normal for each value: noise that grows with light.

    Args:
        batch: (N, H, W, C), uint8 or float in 0..1.
        key: (N, 2), from ``KeyedRng.key``.
        sigma: one number, or one for each image; not negative.
    """
    sigma = per_image(batch, sigma, "sigma")

    def noisy(images, key, sigma):
        return rounded(images + images * (sigma * normal_like(images, key)), images.dtype)

    return by_block(noisy, batch, key, column(sigma, batch))


def poisson_noise(batch, key, peak=255.0):
    """Counts of photons, ``Poisson(peak * x) / peak`` with x in 0..1: shot noise.

    Args:
        batch: (N, H, W, C), uint8 or float in 0..1.
        key: (N, 2), from ``KeyedRng.key``. It seeds NumPy's own generator, whose Poisson numbers
            may change with NumPy's version.
        peak: the mean count at white, one number or one for each image; above 0, up to 1e18.
            Fewer is noisier.
    """
    peak = per_image(batch, peak, "peak", *_PEAKS)
    white = top(batch)
    out = np.empty_like(batch)
    for image, words, count, result in zip(batch, key, peak, out, strict=True):
        photons = np.random.Generator(np.random.Philox(key=int(words[0]) << 32 | int(words[1])))
        counts = photons.poisson((image * (count / white)).astype(np.float64, copy=False))
        result[...] = rounded(counts / count * white, batch.dtype)
    return out


_PEAKS = np.finfo(float).tiny, 1e18  # NumPy draws Poisson numbers up to 9.2e18


def salt_and_pepper_noise(batch, key, amount=0.05, salt_vs_pepper=0.5):
    """Make a share of the pixels white or black, in all channels.

    Args:
        batch: (N, H, W, C), uint8 or float in 0..1.
        key: (N, 2), from ``KeyedRng.key``.
        amount: the share of pixels, in [0, 1], one number or one for each image.
        salt_vs_pepper: the share of white ones among them, in [0, 1].
    """
    amount = per_image(batch, amount, "amount", high=1.0)
    salt = amount * per_image(batch, salt_vs_pepper, "salt_vs_pepper", high=1.0)
    black, white = batch.dtype.type(0), batch.dtype.type(top(batch))

    def noisy(images, key, amount, salt):
        u = KeyedRng.restore(key).random((*images.shape[1:3], 1), np.float32)
        return np.where(u < salt, white, np.where(u < amount, black, images))

    return by_block(noisy, batch, key, amount.reshape(-1, 1, 1, 1), salt.reshape(-1, 1, 1, 1))


# --- transforms -----------------------------------------------------------------------------


class GaussianNoise(Transform):
    """Add Gaussian noise.

    Args:
        mean: of the noise, on the scale of floats in 0..1.
        sigma: its standard deviation, a number, or (least, most) to draw one for each image.
        clip: whether floats are clipped to their range; uint8 always is. Off, for images that
            ``Normalize`` has left.

    Raises:
        ValueError: ``sigma`` is negative; or ``clip`` is off, and the images have another range
            than (0, 1).

    As torchvision's, which has no ranges. For a variance, ``sigma`` is its square root.

    >>> noisy = GaussianNoise(sigma=0.1)(np.full((1, 8, 8), 128, np.uint8), seed=0)
    >>> bool(15 < noisy.std() < 35)
    True
    """

    def __init__(self, mean: float = 0.0, sigma: float | tuple = 0.1, clip: bool = True):
        if np.ndim(mean):
            raise ValueError(f"mean must be one number, got {mean!r}")
        self.mean = check_strength(mean, "mean", low=-np.inf)
        self.sigma, self.clip = check_strength(sigma, "sigma"), bool(clip)

    @property
    def leaves_range(self):
        """Whether nothing clips."""
        return not self.clip

    def sample(self, n, shape, rng):
        """A sigma and a key for each image."""
        return {"sigma": drawn(rng, self.sigma), "key": rng.key()}

    def apply(self, batch, params):
        """Add the noise."""
        return gaussian_noise(batch, params["key"], self.mean, params["sigma"], self.clip)


class SpeckleNoise(Transform):
    """Add the image times Gaussian noise.

    Args:
        sigma: the standard deviation of the factor, a number, or (least, most) to draw one for
            each image.

    Raises:
        ValueError: ``sigma`` is negative.

    >>> SpeckleNoise()(np.zeros((1, 2, 2)), seed=0).any()
    np.False_
    """

    def __init__(self, sigma: float | tuple = 0.1):
        self.sigma = check_strength(sigma, "sigma")

    def sample(self, n, shape, rng):
        """A sigma and a key for each image."""
        return {"sigma": drawn(rng, self.sigma), "key": rng.key()}

    def apply(self, batch, params):
        """Add the noise."""
        return speckle_noise(batch, params["key"], params["sigma"])


class PoissonNoise(Transform):
    """Shot noise: each value is a count of photons.

    Args:
        peak: the mean count at white, a number, or (least, most) to draw one for each image;
            above 0, up to 1e18. Fewer is noisier.

    Raises:
        ValueError: ``peak`` is not above 0, or above 1e18.

    >>> noisy = PoissonNoise(peak=30)(np.full((1, 64, 64), 0.5), seed=0)
    >>> bool(abs(noisy.mean() - 0.5) < 0.01)
    True
    """

    def __init__(self, peak: float | tuple = 255.0):
        self.peak = check_strength(peak, "peak", *_PEAKS)

    def sample(self, n, shape, rng):
        """A peak and a key for each image."""
        return {"peak": drawn(rng, self.peak), "key": rng.key()}

    def apply(self, batch, params):
        """Count."""
        return poisson_noise(batch, params["key"], params["peak"])


class SaltAndPepperNoise(Transform):
    """Make a share of the pixels white or black.

    Args:
        amount: the share, in [0, 1], a number, or (least, most) to draw one for each image.
        salt_vs_pepper: the share of white ones among them, in [0, 1].

    Raises:
        ValueError: a share that is not in [0, 1].

    >>> noisy = SaltAndPepperNoise(1.0, salt_vs_pepper=1.0)(np.zeros((1, 2, 2)), seed=0)
    >>> noisy.tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """

    def __init__(self, amount: float | tuple = 0.05, salt_vs_pepper: float = 0.5):
        self.amount = check_strength(amount, "amount", high=1.0)
        self.salt_vs_pepper = check_probability(salt_vs_pepper, "salt_vs_pepper")

    def sample(self, n, shape, rng):
        """A share and a key for each image."""
        return {"amount": drawn(rng, self.amount), "key": rng.key()}

    def apply(self, batch, params):
        """Set the pixels."""
        return salt_and_pepper_noise(batch, params["key"], params["amount"], self.salt_vs_pepper)
