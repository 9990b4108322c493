"""The operations that augmentation policies are made of, and the magnitudes of their levels.

A level is an index into evenly spaced magnitudes. What they reach depends on the ``levels``:

========== =================== ================= =================== ==============
operation  "paper"             "torchvision"     "wide"              "augmix"
========== =================== ================= =================== ==============
Shear      0 to 0.3, sign      the same          0 to 0.99, sign     as torchvision
Translate  0 to 150/331, sign  the same          0 to 32 px, sign    0 to 1/3, sign
Rotate     0 to 30, sign       the same          0 to 135, sign      as torchvision
Enhance    factor 0.1 to 1.9   1 + 0 to 0.9,     1 + 0 to 0.99,      as torchvision
                               sign              sign
Posterize  8 to 4 bits         the same          8 to 2 bits         4 to 0 bits
Solarize   256 down to 0       255 down to 0     255 down to 0       255 down to 0
Cutout     0 to 60/331         the paper's       -                   -
Pairing    0 to 0.4            the paper's       -                   -
========== =================== ================= =================== ==============

"Enhance" stands for Contrast, Color, Brightness and Sharpness. "Sign" is drawn for each image.
Translate and Cutout are shares of the side: the paper's 150 and 60 pixels are those of images of
331. AutoContrast, Invert and Equalize have no magnitude. Cutout fills a square with grey, 128 of
255; the magnitude of SamplePairing ("Pairing") is the weight of the other image.
tensorflow/models posterizes to 0 to 4 bits, which is not the paper's range of 4 to 8.

Sources: Cubuk et al., "AutoAugment", arXiv 1805.09501, table 6; torchvision's ``AutoAugment``,
``TrivialAugmentWide`` ("wide") and ``AugMix`` ("augmix").
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._pixels import by_block, column, rounded, top
from .blur import adjust_sharpness
from .colour import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    invert,
    posterize,
    solarize,
)
from .erase import cutout_boxes, erase_boxes
from .geometry import about, rotation, shearing, translation, warp
from .histogram import autocontrast, equalize

# The sixteen of AutoAugment, in the order of the paper.
AUTOAUGMENT_OPERATIONS = (
    "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate",
    "AutoContrast", "Invert", "Equalize", "Solarize", "Posterize",
    "Contrast", "Color", "Brightness", "Sharpness", "Cutout", "SamplePairing",
)  # fmt: skip
# An operation's number in drawn parameters; Identity is 0.
OPERATIONS = ("Identity", *AUTOAUGMENT_OPERATIONS)
WITHOUT_MAGNITUDE = ("Identity", "AutoContrast", "Invert", "Equalize")


class Range(NamedTuple):
    """Magnitudes of the first and the last level, and whether each image draws a sign.

    ``pixels``: a translation in pixels, not as a share of the side.
    """

    first: float
    last: float
    signed: bool = False
    pixels: bool = False


def _space(shear, translate, rotate, enhance, bits, solarize, **others):
    names = {
        **dict.fromkeys(("ShearX", "ShearY"), shear),
        **dict.fromkeys(("TranslateX", "TranslateY"), translate),
        "Rotate": rotate,
        **dict.fromkeys(("Contrast", "Color", "Brightness", "Sharpness"), enhance),
        "Posterize": bits,
        "Solarize": solarize,
    }
    return {**names, **others}


# Enhancers hold the factor less 1, Solarize the threshold of 255 grey levels.
_ONLY_IN_PAPER = {"Cutout": Range(0, 60 / 331), "SamplePairing": Range(0, 0.4)}
SPACES = {
    "paper": _space(
        Range(0, 0.3, True), Range(0, 150 / 331, True), Range(0, 30, True),
        Range(-0.9, 0.9), Range(8, 4), Range(256, 0), **_ONLY_IN_PAPER,
    ),
    "torchvision": _space(
        Range(0, 0.3, True), Range(0, 150 / 331, True), Range(0, 30, True),
        Range(0, 0.9, True), Range(8, 4), Range(255, 0), **_ONLY_IN_PAPER,
    ),
    "wide": _space(
        Range(0, 0.99, True), Range(0, 32, True, pixels=True), Range(0, 135, True),
        Range(0, 0.99, True), Range(8, 2), Range(255, 0),
    ),
    "augmix": _space(
        Range(0, 0.3, True), Range(0, 1 / 3, True), Range(0, 30, True),
        Range(0, 0.9, True), Range(4, 0), Range(255, 0),
    ),
}  # fmt: skip


def magnitudes(name, bins, size, levels="torchvision"):
    """The magnitudes of an operation's levels, and whether they take a sign.

    Args:
        name: of the operation, as in ``OPERATIONS``.
        bins: the number of levels.
        size: (height, width) of the images, for Translate and Cutout.
        levels: "paper", "torchvision", "wide" or "augmix", see the module.

    Returns:
        An array of ``bins`` numbers, and a bool. Shears are tangents, translations and Cutout
        pixels, Rotate degrees, enhancers the factor less 1, Posterize bits, Solarize the
        threshold in grey levels, of which white is 255, SamplePairing the weight of the other
        image. Zeros where the operation has no magnitude.

    >>> magnitudes("Posterize", 10, (32, 32))[0].astype(int).tolist()
    [8, 8, 7, 7, 6, 6, 5, 5, 4, 4]
    """
    if name in WITHOUT_MAGNITUDE:
        return np.zeros(bins), False
    first, last, signed, pixels = SPACES[levels][name]
    if name == "Posterize":  # torchvision's expression, so that ties round as there
        return first - np.round(np.arange(bins) / max(bins - 1, 1) * (first - last)), signed
    if name == "Cutout":
        last = last * min(size)
    elif name.startswith("Translate") and not pixels:
        last = last * size[name == "TranslateX"]
    # In this order whole numbers are met exactly. Solarize compares with them, Translate truncates.
    return first + np.arange(bins) * (last - first) / max(bins - 1, 1), signed


class Extras(NamedTuple):
    """What some operations need beyond their magnitude, for each image.

    ``centers`` (N, 2) of Cutout; ``partners`` (N, H, W, C) of SamplePairing; ``fill`` and
    ``interpolation`` of the geometric operations.
    """

    centers: np.ndarray | None = None
    partners: np.ndarray | None = None
    fill: float | tuple = 0.0
    interpolation: str = "nearest"


PLAIN = Extras()


def run_operation(name, batch, magnitude, extras=PLAIN):
    """One operation on every image of ``batch``, (N, H, W, C), uint8 or float in 0..1.

    Args:
        name: as in ``OPERATIONS``.
        batch: the images; not written.
        magnitude: (N,), in the units of :func:`magnitudes`, with its sign.
        extras: see :class:`Extras`.

    >>> grey = np.full((1, 2, 2, 3), 100, np.uint8)
    >>> int(run_operation("Brightness", grey, np.array([0.5]))[0, 0, 0, 0])
    150
    """
    if name in _MATRICES:
        matrices = _MATRICES[name](magnitude, batch.shape[1:])
        return warp(batch, matrices, interpolation=extras.interpolation, fill=extras.fill)
    if name == "Cutout":
        return _cutout(batch, magnitude, extras.centers)
    if name == "SamplePairing":
        return _pair(batch, extras.partners, magnitude)
    return _POINTWISE[name](batch, magnitude)


_POINTWISE = {
    "Identity": lambda batch, _: batch.copy(),
    "AutoContrast": lambda batch, _: autocontrast(batch),
    "Invert": lambda batch, _: invert(batch),
    "Equalize": lambda batch, _: equalize(batch),
    "Solarize": lambda batch, level: solarize(batch, level * top(batch) / 255),
    "Posterize": posterize,
    "Contrast": lambda batch, change: adjust_contrast(batch, 1 + change),
    "Color": lambda batch, change: adjust_saturation(batch, 1 + change),
    "Brightness": lambda batch, change: adjust_brightness(batch, 1 + change),
    "Sharpness": lambda batch, change: adjust_sharpness(batch, 1 + change),
}


# As torchvision: shears keep the upper left corner, translations are cut to whole pixels and go
# right and down, rotations are counter-clockwise about the middle.
_MATRICES = {
    "ShearX": lambda m, shape: shearing(-m, np.zeros(len(m))),
    "ShearY": lambda m, shape: shearing(np.zeros(len(m)), -m),
    "TranslateX": lambda m, shape: translation(np.trunc(m), np.zeros(len(m))),
    "TranslateY": lambda m, shape: translation(np.zeros(len(m)), np.trunc(m)),
    "Rotate": lambda m, shape: about(rotation(m), None, shape),
}


def _cutout(batch, length, centers):
    """A square of grey, as the paper has it: 128 of 255."""
    boxes = cutout_boxes(centers, length.astype(int))[:, None]
    return erase_boxes(batch, boxes, 128 if batch.dtype == np.uint8 else 128 / 255)


def _pair(batch, partners, weight):
    """``(1 - weight) * x + weight * partner``, for uint8 the nearest integer."""
    return by_block(_mixed, batch, partners, column(weight, batch))


def _mixed(images, partners, weight):
    return rounded(images * (1 - weight) + partners * weight, images.dtype)
