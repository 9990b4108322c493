"""Colour: brightness, contrast, saturation, hue, gamma, channels, and what is done to each value.

The functions take (N, H, W, C) batches and one parameter for all images or one for each.
"""

from __future__ import annotations

import io

import numpy as np

from tensorgrad.errors import missing

from ._chance import Chance, drawn, drawn_integers
from ._checks import check_numbers, check_probability, check_strength, is_integer
from ._pixels import (
    LUMA,
    blend,
    by_block,
    check_channels,
    column,
    from_bytes,
    grey,
    look_up,
    luma_of,
    per_image,
    rounded,
    to_bytes,
    top,
    work_dtype,
)
from ._transform import Transform

__all__ = [
    "JPEG",
    "ColorJitter",
    "Grayscale",
    "Normalize",
    "RandomChannelPermutation",
    "RandomGamma",
    "RandomGrayscale",
    "RandomInvert",
    "RandomPosterize",
    "RandomSolarize",
]


def adjust_brightness(batch, factor):
    """Blend with black: ``factor * x``. 1 is the image, 0 black. Equals Pillow's enhancer.

    Args:
        batch: (N, H, W, C), uint8 or float in 0..1.
        factor: one number, or one for each image; not negative.

    >>> int(adjust_brightness(np.full((1, 1, 1, 3), 100, np.uint8), 1.5)[0, 0, 0, 0])
    150
    """
    factor = per_image(batch, factor, "brightness factor")
    return _blend_with_level(batch, np.zeros(len(batch)), factor)


def adjust_contrast(batch, factor):
    """Blend with the mean of the grey image (rounded for uint8). Equals Pillow's enhancer.

    Args:
        batch: (N, H, W, C) with C of 1 or 3, uint8 or float in 0..1.
        factor: one number, or one for each image; not negative.
    """
    factor = per_image(batch, factor, "contrast factor")
    if batch.size == 0:
        return batch.copy()
    check_channels(batch, "contrast")
    if batch.dtype == np.uint8:
        level = np.floor(_means(grey(batch))[:, 0] + 0.5)
    else:
        means = _means(batch)
        level = means[:, 0] if batch.shape[3] == 1 else luma_of(*means.T)
    return _blend_with_level(batch, level, factor)


def _means(batch):
    """Mean of each channel of each image, (N, C).

    Lines are added up as they lie; sums along the channels are 10 times as slow. Floats one image
    at a time: sums over several round by where their buffers end.
    """
    count, height, width, channels = batch.shape
    lines = batch.reshape(count, height, width * channels)
    if batch.dtype == np.uint8:
        sums = lines.sum(1, dtype=np.uint32)
    else:
        sums = np.array([image.sum(0, dtype=work_dtype(batch)) for image in lines])
    return sums.reshape(count, width, channels).sum(1, dtype=np.float64) / (height * width)


def adjust_saturation(batch, factor):
    """Blend with the grey image. 0 is grey, 1 the image. Equals Pillow's enhancer ``Color``.

    Args:
        batch: (N, H, W, C) with C of 1 (returned as it is) or 3, uint8 or float in 0..1.
        factor: one number, or one for each image; not negative.
    """
    check_channels(batch, "saturation")
    factor = per_image(batch, factor, "saturation factor")
    if batch.shape[3] == 1:
        return batch.copy()
    return by_block(_saturate, batch, column(factor, batch), pointwise=True)


def _saturate(images, factor):
    if images.dtype == np.uint8:
        return _saturate_bytes(images, factor)
    # Channel by channel: NumPy's loops are along the last axis, which would be 3 long.
    channels = np.ascontiguousarray(np.moveaxis(images, 3, 0), work_dtype(images))
    factor, out = factor[..., 0], np.empty_like(images)
    level = luma_of(*channels)
    level *= 1 - factor
    for place, channel in enumerate(channels):
        channel *= factor
        channel += level
        out[..., place] = np.clip(channel, 0, 1, out=channel)
    return out


def _saturate_bytes(images, factor):
    """The same with luma made three times by one product, 1.8 times as fast."""
    mixed = images.astype(np.float32)
    level = (mixed.reshape(-1, 3) @ _LUMA_TO_RGB).reshape(images.shape)
    level += 32768
    level *= np.float32(2.0**-16)
    np.floor(level, out=level)
    mixed -= level
    mixed *= factor
    mixed += level
    return np.clip(mixed, 0, 255, out=mixed)


_LUMA_TO_RGB = np.repeat(np.array(LUMA, np.float32)[:, None], 3, axis=1)


def adjust_hue(batch, factor):
    """Turn the hue in HSV by ``factor`` of the circle, keeping value and saturation.

    As torchvision's ``adjust_hue`` of tensors, computed in floats; Pillow's mode "HSV" holds hue
    in 256 steps and saturation in 255, and so differs by some grey levels.

    Args:
        batch: (N, H, W, C) with C of 1 (returned as it is) or 3, uint8 or float in 0..1.
        factor: one number, or one for each image, from -0.5 to 0.5.
    """
    check_channels(batch, "hue")
    factor = per_image(batch, factor, "hue factor", low=-0.5, high=0.5)
    if batch.shape[3] == 1:
        return batch.copy()
    out = by_block(_turn_hue, batch, column(factor, batch), pointwise=True)
    out[factor == 0] = batch[factor == 0]
    return out


def _turn_hue(images, factor):
    channels = [images[..., k].astype(work_dtype(images)) for k in range(3)]
    hue, value, chroma = _hue(*channels)
    hue += 6 * factor[..., 0]
    out = np.empty_like(images)
    for channel, shift in enumerate((5, 3, 1)):
        out[..., channel] = rounded(_channel(hue, value, chroma, shift), images.dtype)
    return out


def _hue(r, g, b):
    """Hue in sixths of the circle, value (the maximum) and chroma (maximum less minimum)."""
    value = np.maximum(np.maximum(r, g), b)
    chroma = value - np.minimum(np.minimum(r, g), b)
    scale = 1 / np.where(chroma == 0, 1, chroma)
    from_blue = (r - g) * scale + 4
    from_green = (b - r) * scale + 2
    hue = np.where(value == g, from_green, from_blue)
    return np.where(value == r, (g - b) * scale, hue), value, chroma


def _channel(hue, value, chroma, shift):
    """One channel of HSV -> RGB: value - chroma * clip(min(k, 4 - k), 0, 1), k = shift + hue."""
    k = hue + shift
    k -= 6 * np.floor(k * (1 / 6))
    np.minimum(k, 4 - k, out=k)
    np.clip(k, 0, 1, out=k)
    k *= chroma
    return np.subtract(value, k, out=k)


def rgb_to_hsv(batch):
    """RGB floats in 0..1, of shape (..., 3), to hue, saturation and value in 0..1.

    Hue is a share of the circle (red 0, green 1/3, blue 2/3); it and the saturation are 0 where
    they are undefined.

    >>> rgb_to_hsv(np.array([[[[0.0, 0.5, 0.0]]]])).round(3).tolist()
    [[[[0.333, 1.0, 0.5]]]]
    """
    _check_float_rgb(batch, "rgb_to_hsv")
    hue, value, chroma = _hue(*np.moveaxis(batch, -1, 0))
    saturation = chroma / np.where(value == 0, 1, value)
    return np.stack([hue / 6 % 1, saturation, value], axis=-1).astype(batch.dtype, copy=False)


def hsv_to_rgb(batch):
    """The inverse of :func:`rgb_to_hsv`.

    >>> hsv_to_rgb(np.array([[[[0.5, 1.0, 1.0]]]])).tolist()
    [[[[0.0, 1.0, 1.0]]]]
    """
    _check_float_rgb(batch, "hsv_to_rgb")
    hue, saturation, value = np.moveaxis(np.atleast_2d(batch), -1, 0)
    chroma = saturation * value
    rgb = [_channel(hue * 6, value, chroma, shift) for shift in (5, 3, 1)]
    return np.stack(rgb, axis=-1).astype(batch.dtype, copy=False).reshape(batch.shape)


def _check_float_rgb(batch, name):
    if batch.dtype.kind != "f" or batch.shape[-1:] != (3,):
        raise ValueError(
            f"{name} expects floats in 0..1 of shape (..., 3), got {batch.dtype} of shape "
            f"{batch.shape}"
        )


def adjust_gamma(batch, gamma, gain=1.0):
    """``gain * x ** gamma`` on 0..1, clipped. Above 1 darkens, below 1 lightens.

    uint8 is truncated as torchvision does with Pillow images: ``int(255.999 * gain * x ** gamma)``.

    Args:
        batch: (N, H, W, C), uint8 or float in 0..1.
        gamma: one number, or one for each image; not negative.
        gain: a factor, not negative.
    """
    gamma = per_image(batch, gamma, "gamma")
    gain = per_image(batch, gain, "gain")
    if batch.dtype != np.uint8:
        powers = np.power(batch, column(gamma, batch)) * column(gain, batch)
        return np.clip(powers, 0, 1).astype(batch.dtype, copy=False)
    powers = (np.arange(256) / 255) ** gamma[:, None] * gain[:, None]
    return look_up(batch, np.clip(255.999 * powers, 0, 255).astype(np.uint8))


def invert(batch):
    """White less the image: ``255 - x`` or ``1 - x``."""
    return top(batch) - batch


def solarize(batch, threshold):
    """Invert what is at or above ``threshold``. Equals Pillow's ``ImageOps.solarize``.

    Args:
        batch: (N, H, W, C), uint8 or float in 0..1.
        threshold: one number, or one for each image, in the range of the images: 0..256 for uint8
            (256 keeps them), 0..1 for floats (above 1 keeps them).
    """
    threshold = per_image(batch, threshold, "threshold")
    return np.where(batch < threshold.reshape(-1, 1, 1, 1), batch, invert(batch))


def posterize(batch, bits):
    """Keep the highest ``bits`` bits. Equals Pillow's ``ImageOps.posterize`` for 1 to 8 bits.

    Floats are floored to ``2 ** bits`` steps, as torchvision v2 does; 8 bits keeps them as they
    are, 0 bits makes black.

    Args:
        batch: (N, H, W, C), uint8 or float in 0..1.
        bits: one integer, or one for each image, from 0 to 8.
    """
    bits = per_image(batch, bits, "bits", high=8).astype(int)
    if batch.dtype == np.uint8:
        mask = (0xFF00 >> bits & 0xFF).astype(np.uint8)
        return batch & mask.reshape(-1, 1, 1, 1)
    levels = column(2.0**bits, batch)
    steps = np.minimum(np.floor(batch * levels), levels - 1) / levels
    return np.where(bits.reshape(-1, 1, 1, 1) == 8, batch, steps).astype(batch.dtype, copy=False)


def permute_channels(batch, permutation):
    """Channel ``permutation[i, c]`` of image i becomes its channel c; ``permutation`` is (N, C)."""
    order = np.asarray(permutation).reshape(len(batch), 1, 1, batch.shape[3])
    return np.take_along_axis(batch, order, axis=3)


def to_grayscale(batch, num_output_channels=1):
    """The luma of ITU-R 601-2, once or repeated over ``num_output_channels``.

    Args:
        batch: (N, H, W, C) with C of 1 or 3. uint8 uses Pillow's integers, floats
            ``0.299 R + 0.587 G + 0.114 B``.
        num_output_channels: 1 or 3.
    """
    return np.repeat(grey(batch), num_output_channels, axis=3)


def jpeg(batch, quality):
    """Write each image as JPEG of ``quality`` and read it again. Needs Pillow.

    Args:
        batch: (N, H, W, C) with C of 1 or 3; floats in 0..1 are taken as 256 grey levels.
        quality: one integer, or one for each image, from 1 to 100.

    Raises:
        ImportError: Pillow is not installed.
    """
    check_channels(batch, "jpeg")
    quality = per_image(batch, quality, "quality", low=1, high=100)
    if batch.size == 0:
        return batch.copy()
    images = to_bytes(batch)
    coded = [_code(image, int(q)) for image, q in zip(images, quality, strict=True)]
    return from_bytes(np.stack(coded), batch.dtype)


def _code(image, quality):
    try:
        from PIL import Image
    except ImportError:
        raise missing("Pillow", "image", "JPEG") from None
    file = io.BytesIO()
    Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).save(
        file, "JPEG", quality=quality
    )
    return np.asarray(Image.open(file)).reshape(image.shape)


def normalize(batch, mean, std):
    """``(x - mean) / std`` for each channel."""
    return ((batch - mean) / std).astype(batch.dtype, copy=False)


def _blend_with_level(batch, level, factor):
    """Blend with one grey level per image."""
    return by_block(_mix, batch, column(level, batch), column(factor, batch), pointwise=True)


def _mix(images, level, factor):
    return blend(level, images, factor)


# --- transforms -----------------------------------------------------------------------------


class ColorJitter(Transform):
    """Change brightness, contrast, saturation and hue, in an order drawn for each image.

    Images have 1 or 3 channels; for brightness alone any number.

    Args:
        brightness: draw a factor from [max(0, 1 - b), 1 + b], or from (least, most); see
            :func:`adjust_brightness`.
        contrast: likewise; see :func:`adjust_contrast`.
        saturation: likewise; see :func:`adjust_saturation`.
        hue: draw a turn from [-h, h] with h up to 0.5, or from (least, most); see
            :func:`adjust_hue`.

    Raises:
        ValueError: a number that is negative, or a range that is out of bounds.

    Arguments as torchvision's; 0 leaves that part out.

    >>> ColorJitter(brightness=(2.0, 2.0))(np.full((3, 1, 1), 100, np.uint8), seed=0).ravel()
    array([200, 200, 200], dtype=uint8)
    """

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0):
        self.brightness, self.contrast = brightness, contrast
        self.saturation, self.hue = saturation, hue
        self._ranges()

    def _ranges(self):
        """Least and most of each part that changes anything."""
        given = {name: getattr(self, name) for name in _ADJUST}
        ranges = {name: _jitter_range(value, name) for name, value in given.items()}
        return {name: ab for name, ab in ranges.items() if ab != (_neutral(name),) * 2}

    def sample(self, n, shape, rng):
        """A strength of each part that changes anything, and the order of these."""
        ranges = self._ranges()
        order = rng.permutation(len(ranges))
        return {"order": order, **{k: rng.uniform(*ab) for k, ab in ranges.items()}}

    def apply(self, batch, params):
        """One part after another, each on the images whose turn it is."""
        names = [name for name in _ADJUST if name in params]
        out = batch if len(names) == 1 else batch.copy()
        for place in params["order"].T:
            for number, name in enumerate(names):
                rows = np.flatnonzero(place == number)
                if len(rows) == len(out):
                    out = _ADJUST[name](out, params[name])
                elif len(rows):
                    out[rows] = _ADJUST[name](out[rows], params[name][rows])
        return out


_ADJUST = {
    "brightness": adjust_brightness,
    "contrast": adjust_contrast,
    "saturation": adjust_saturation,
    "hue": adjust_hue,
}


def _neutral(name):
    """The strength that changes nothing."""
    return 0.0 if name == "hue" else 1.0


def _jitter_range(value, name):
    """(least, most) of one argument of ColorJitter."""
    low, high = (-0.5, 0.5) if name == "hue" else (0.0, np.inf)
    if np.ndim(value):
        least, most = check_strength(value, name, low, high)
        return float(least), float(most)
    check_strength(value, name, 0.0, high)
    return max(low, _neutral(name) - float(value)), _neutral(name) + float(value)


class Grayscale(Transform):
    """The grey image, once or in three equal channels.

    Args:
        num_output_channels: 1 or 3.

    Raises:
        ValueError: another number.

    >>> Grayscale()(np.ones((3, 2, 2))).shape
    (1, 2, 2)
    """

    def __init__(self, num_output_channels: int = 1):
        if not is_integer(num_output_channels) or num_output_channels not in (1, 3):
            raise ValueError(f"num_output_channels must be 1 or 3, got {num_output_channels!r}")
        self.num_output_channels = num_output_channels

    def apply(self, batch, params):
        """See :func:`to_grayscale`."""
        return to_grayscale(batch, self.num_output_channels)

    def output_shape(self, shape):
        """With the channels that were asked for."""
        return (*shape[:2], self.num_output_channels)


class RandomGrayscale(Chance):
    """The grey image in as many channels, with probability ``p``.

    >>> image = np.array([1.0, 0.0, 0.0]).reshape(3, 1, 1)
    >>> RandomGrayscale(1.0)(image).ravel().tolist()
    [0.299, 0.299, 0.299]
    """

    def __init__(self, p: float = 0.1):
        self.p = check_probability(p, "p")

    def strengths(self, n, shape, rng):
        """None. Channels are checked here: by chance, none of the images may change."""
        check_channels(np.empty((0, *shape)), "grey")
        return {}

    def change(self, batch, params):
        """See :func:`to_grayscale`."""
        return to_grayscale(batch, batch.shape[3])


class RandomChannelPermutation(Transform):
    """The channels in an order drawn for each image.

    >>> RandomChannelPermutation()(np.arange(3.0).reshape(3, 1, 1) / 2, seed=1).ravel().sum()
    np.float64(1.5)
    """

    def sample(self, n, shape, rng):
        """An order for each image."""
        return {"permutation": rng.permutation(shape[2])}

    def apply(self, batch, params):
        """See :func:`permute_channels`."""
        return permute_channels(batch, params["permutation"])


class RandomGamma(Chance):
    """Raise to a power, with probability ``p``.

    Args:
        gamma: the power, a number, or (least, most) to draw one for each image.
        p: the probability.

    Raises:
        ValueError: ``gamma`` is negative, ``p`` no probability.

    >>> RandomGamma(2.0, p=1.0)(np.array([[0.5]])).item()
    0.25
    """

    def __init__(self, gamma: float | tuple = (0.8, 1.25), p: float = 0.5):
        self.gamma, self.p = check_strength(gamma, "gamma"), check_probability(p, "p")

    def strengths(self, n, shape, rng):
        """A power for each image."""
        return {"gamma": drawn(rng, self.gamma)}

    def change(self, batch, params):
        """See :func:`adjust_gamma`."""
        return adjust_gamma(batch, params["gamma"])


class RandomInvert(Chance):
    """White less the image, with probability ``p``.

    >>> RandomInvert(1.0)(np.array([[0, 255, 100]], np.uint8)).tolist()
    [[255, 0, 155]]
    """

    def __init__(self, p: float = 0.5):
        self.p = check_probability(p, "p")

    def change(self, batch, params):
        """See :func:`invert`."""
        return invert(batch)


class RandomSolarize(Chance):
    """Invert what is at or above a threshold, with probability ``p``.

    Args:
        threshold: for uint8 on the scale 0..256, for floats in 0..1; a number, or (least, most)
            to draw one for each image.
        p: the probability.

    Raises:
        ValueError: ``threshold`` is negative, ``p`` no probability.

    >>> RandomSolarize(128, p=1.0)(np.array([[100, 128, 200]], np.uint8)).tolist()
    [[100, 127, 55]]
    """

    def __init__(self, threshold: float | tuple, p: float = 0.5):
        self.threshold = check_strength(threshold, "threshold")
        self.p = check_probability(p, "p")

    def strengths(self, n, shape, rng):
        """A threshold for each image."""
        return {"threshold": drawn(rng, self.threshold)}

    def change(self, batch, params):
        """See :func:`solarize`."""
        return solarize(batch, params["threshold"])


class RandomPosterize(Chance):
    """Keep the highest bits, with probability ``p``.

    Args:
        bits: how many, from 0 to 8; an integer, or (least, most) to draw one for each image.
        p: the probability.

    Raises:
        ValueError: ``bits`` out of range, ``p`` no probability.

    >>> RandomPosterize(1, p=1.0)(np.array([[127, 128]], np.uint8)).tolist()
    [[0, 128]]
    """

    def __init__(self, bits: int | tuple, p: float = 0.5):
        self.bits = check_strength(bits, "bits", high=8, integer=True)
        self.p = check_probability(p, "p")

    def strengths(self, n, shape, rng):
        """Bits for each image."""
        return {"bits": drawn_integers(rng, self.bits)}

    def change(self, batch, params):
        """See :func:`posterize`."""
        return posterize(batch, params["bits"])


class JPEG(Transform):
    """The artefacts of JPEG. Needs Pillow: ``pip install "tensorgrad[image]"``.

    Args:
        quality: from 1 to 100, an integer, or (least, most) to draw one for each image.

    Raises:
        ValueError: ``quality`` out of range.

    >>> JPEG((10, 30))
    JPEG(quality=(10, 30))
    """

    def __init__(self, quality: int | tuple):
        self.quality = check_strength(quality, "quality", 1, 100, integer=True)

    def sample(self, n, shape, rng):
        """A quality for each image."""
        return {"quality": drawn_integers(rng, self.quality)}

    def apply(self, batch, params):
        """See :func:`jpeg`."""
        return jpeg(batch, params["quality"])


class Normalize(Transform):
    """Subtract ``mean`` and divide by ``std``, channel by channel.

    What comes out is in no declared range. So it stands last in a pipeline; what may follow are
    transforms that clip nothing: geometry, blur, ``Cutout``, ``RandomErasing`` and
    ``GaussianNoise(clip=False)``. Images must be floats of ``value_range`` (0, 1).

    Args:
        mean: a number, or one for each channel.
        std: likewise, none 0.

    Raises:
        ValueError: they are not finite numbers, ``std`` holds one that is not above 0, the
            lengths do not fit the channels, or the images have another range.
        TypeError: the images are uint8.

    >>> Normalize(0.5, 0.25)(np.array([[0.0, 0.5, 1.0]])).tolist()
    [[-2.0, 0.0, 2.0]]
    """

    leaves_range = True

    def __init__(self, mean, std):
        check_numbers(mean, "mean")
        if not np.all(np.asarray(check_numbers(std, "std")) > 0):
            raise ValueError(f"std must hold numbers above 0, got {std!r}")
        self.mean, self.std = mean, std

    def apply(self, batch, params):
        """See :func:`normalize`."""
        if batch.dtype == np.uint8:
            raise TypeError(
                "Normalize expects floats in 0..1, got uint8: the result is no integer; "
                "divide the images by 255 first"
            )
        for name in ("mean", "std"):
            shape = np.shape(getattr(self, name))
            if shape not in ((), (1,), batch.shape[3:]):
                raise ValueError(
                    f"{name} must be a number or have one for each of {batch.shape[3]} channels, "
                    f"got shape {shape}"
                )
        return normalize(batch, np.asarray(self.mean), np.asarray(self.std))
