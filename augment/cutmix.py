"""A part of an image replaced by that of another: boxes (CutMix), shapes (FMix)."""

from __future__ import annotations

from numbers import Real

import numpy as np

from tensorgrad.errors import ArgumentError

from ._threads import blocks_of
from .mixers import (
    Mixer,
    batch_of,
    blend,
    demand_alpha,
    demand_layout,
    floating,
    mix_targets,
    partners_of,
)
from .soft_targets import like, weights_of

__all__ = [
    "CutMix",
    "FMix",
    "cutmix",
    "fmix",
]


def image_size(shape, layout) -> tuple[int, int]:
    """(height, width) of a batch."""
    return shape[layout.index("H")], shape[layout.index("W")]


def random_boxes(lam, center, height, width) -> np.ndarray:
    """CutMix's boxes (K, 4): top, left, bottom, right.

    Sides are ``floor(size sqrt(1 - lam))``; the box reaches half a side, rounded down, from the
    centre each way, and is cut off at the edge of the image. So odd sides lose a pixel.

    Args:
        lam: (K,) in [0, 1].
        center: (K, 2), row and column.
        height: of the image.
        width: of the image.
    """
    half = np.floor(np.sqrt(1 - lam)[:, None] * (height, width)).astype(int) // 2
    low = np.clip(center - half, 0, (height, width))
    high = np.clip(center + half, 0, (height, width))
    return np.concatenate([low, high], 1)


def draw_boxes(lam, height, width, rng) -> np.ndarray:
    """Boxes (K, 4) for shares ``lam`` (K,), the centres uniform on the pixels."""
    center = (rng.random((len(lam), 2))[0] * (height, width)).astype(int)
    return random_boxes(lam, center, height, width)


def boxes_of(box, n, height, width) -> np.ndarray:
    """``box`` as (n, 4), checked to lie within the image."""
    found = np.asarray(box)
    good = found.shape in ((4,), (n, 4)) and (found.dtype.kind in "iu" or not found.size)
    if good:
        top, left, bottom, right = np.moveaxis(found.reshape(-1, 4), 1, 0)
        good = ((top >= 0) & (top <= bottom) & (bottom <= height)
                & (left >= 0) & (left <= right) & (right <= width)).all()  # fmt: skip
    if not good:
        raise ArgumentError(
            f"box should be (top, left, bottom, right) within {height} x {width} pixels, one or "
            f"{n} of them, got {box!r}"
        )
    return np.broadcast_to(found, (n, 4))


def box_masks(boxes, height, width) -> np.ndarray:
    """True inside each box, (N, H, W)."""
    top, left, bottom, right = boxes.T[:, :, None]
    row, column = np.arange(height), np.arange(width)
    return (((row >= top) & (row < bottom))[:, :, None]
            & ((column >= left) & (column < right))[:, None, :])  # fmt: skip


def _mask_like(mask, layout):
    """A mask (N, H, W) with a dimension of channels where the layout has one."""
    if layout == "NHW":
        return mask
    return mask[:, None] if layout == "NCHW" else mask[..., None]


def cutmix(images, targets, box, partner, num_classes: int | None = None, layout: str = "NCHW"):
    """Paste a box of ``images[partner]``; the share of pixels that stay weighs the targets.

    Args:
        images: a batch, array or Tensor.
        targets: labels (N,) or weights (N, C).
        box: (top, left, bottom, right), bottom and right not included; one or (N, 4).
        partner: indices (N,).
        num_classes: C, needed for labels.
        layout: ``"NCHW"``, ``"NHWC"`` or ``"NHW"``.

    Returns:
        ``(images, targets)``: weights ``lam y + (1 - lam) y[partner]``, ``lam`` one minus the area
        of the box over that of the image.

    Raises:
        ValueError: a box that is not within the image; shapes that do not fit.

    >>> import numpy as np
    >>> images = np.stack([np.zeros((1, 2, 2)), np.ones((1, 2, 2))])
    >>> x, y = cutmix(images, [0, 1], (0, 0, 1, 1), [1, 0], num_classes=2)
    >>> x[0, 0].tolist(), y[0].tolist()
    ([[1.0, 0.0], [0.0, 0.0]], [0.75, 0.25])
    """
    demand_layout(layout)
    x = batch_of(images, "cutmix", layout)
    height, width = image_size(x.shape, layout)
    boxes = boxes_of(box, len(x), height, width)
    return _paste(images, targets, box_masks(boxes, height, width), partner, num_classes, layout)


def _paste(images, targets, mask, partner, num_classes, layout):
    """``images[partner]`` where the mask (N, H, W) is one; its mean is their weight."""
    x = batch_of(images, "", layout)
    y = weights_of(targets, num_classes, len(x), floating(x))
    partner = partners_of(partner, len(x))
    place = _mask_like(mask, layout)
    mixed = np.where(place, x[partner], x) if mask.dtype == bool else blend(x, x[partner], place)
    pixels = max(mask.shape[1] * mask.shape[2], 1)
    give = mask.sum((1, 2), dtype=np.float64) / pixels
    return like(mixed, images), like(mix_targets(y, partner, 1 - give, give), images, targets)


class CutMix(Mixer):
    """CutMix: a box of another image, and the share of its pixels as the weight of its target.

    Yun, Han, Oh, Chun, Choe and Yoo, "CutMix: Regularization Strategy to Train Strong Classifiers
    with Localizable Features" (arXiv:1905.04899). ``lam ~ Beta(alpha, alpha)`` gives the size of
    the box, see :func:`random_boxes`; the weight is the exact share after cutting off at the edge.

    Args:
        alpha: at least 0; 1 as in the paper; 0 mixes nothing.
        num_classes: C, needed where targets are labels.
        p: probability that a batch (pair, sample) is mixed; the authors take 1 for ImageNet, 0.5
            for CIFAR.
        mode: ``"batch"`` (the authors' code: one box), ``"pair"`` or ``"elem"``, see
            :class:`Mixer`.
        layout: ``"NCHW"``, ``"NHWC"`` or ``"NHW"``.
        seed: None takes one from the default generator.

    Raises:
        ValueError: an argument out of range.

    >>> import numpy as np
    >>> images = np.arange(3.0).reshape(3, 1, 1, 1) * np.ones((3, 1, 8, 8))
    >>> x, y = CutMix(num_classes=3, seed=0)(images, [0, 1, 2])
    >>> bool(np.allclose(x.mean((1, 2, 3)), y @ [0, 1, 2]))
    True
    """

    def __init__(
        self, alpha: float = 1.0, num_classes: int | None = None, *, p: float = 1.0,
        mode: str = "batch", layout: str = "NCHW", seed: int | None = None,
    ):  # fmt: skip
        demand_alpha(alpha)
        demand_layout(layout)
        self.alpha, self.layout = alpha, layout
        super().__init__(num_classes, p, mode, seed)

    def sample(self, n, shape, rng):
        """``partner`` (n,) and ``box`` (n, 4)."""
        demand_rank(shape, self)
        size = image_size(shape, self.layout)
        partner = self._partners(n, rng)
        lam = self._shares(self.alpha, partner, rng)
        center = self._per_sample(partner, lambda k: rng.random((k, 2))[0])
        return {"partner": partner, "box": random_boxes(lam, (center * size).astype(int), *size)}

    def apply(self, images, targets, params):
        """:func:`cutmix` with ``params``."""
        return cutmix(images, targets, num_classes=self.num_classes, layout=self.layout, **params)


def demand_rank(shape, mixer):
    """Raise unless a batch of ``shape`` has the rank of the mixer's layout."""
    if len(shape) != len(mixer.layout):
        raise ArgumentError(
            f"{type(mixer).__name__}: images should be a batch ({', '.join(mixer.layout)}), got "
            f"shape {tuple(shape)}"
        )


# --- FMix -------------------------------------------------------------------------------


def low_frequency_images(noise, height, width, decay_power) -> np.ndarray:
    """Grey images (K, H, W) whose amplitudes fall as frequency to the power ``-decay_power``.

    Args:
        noise: normal numbers (K, 2, H, W // 2 + 1), real and imaginary parts of the spectrum.
        height: of the images.
        width: of the images.
        decay_power: at least 0; the larger, the smoother.
    """
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    scale = np.maximum(frequency, 1 / max(height, width)) ** -decay_power
    return np.fft.irfft2((noise[:, 0] + 1j * noise[:, 1]) * scale, s=(height, width))


def binary_masks(grey, share, max_soft=0.0) -> np.ndarray:
    """Masks (K, H, W) that are one on the ``share`` of pixels where each image is largest.

    Args:
        grey: images (K, H, W).
        share: (K,) in [0, 1]; the number of pixels is rounded to the nearest.
        max_soft: in [0, 0.5]: the share of pixels on each side of the edge that form a ramp.
    """
    k, height, width = grey.shape
    pixels = height * width
    rank = np.empty((k, pixels), int)
    order = np.argsort(-grey.reshape(k, pixels), axis=1, kind="stable")
    np.put_along_axis(rank, order, np.arange(pixels)[None], 1)
    edge = np.rint(share * pixels)[:, None]
    if not max_soft:
        return (rank < edge).reshape(grey.shape)
    soft = np.floor(np.minimum(max_soft * pixels, np.minimum(edge, pixels - edge)))
    ramp = (edge + soft - rank - 0.5) / np.maximum(2 * soft, 1)
    mask = np.where(soft > 0, np.clip(ramp, 0, 1), rank < edge)
    return mask.reshape(grey.shape)


def fmix(images, targets, mask, partner, num_classes: int | None = None, layout: str = "NCHW"):
    """``images[partner]`` where the mask is one; its mean is the weight of their targets.

    Args:
        images: a batch, array or Tensor.
        targets: labels (N,) or weights (N, C).
        mask: bools, or numbers in [0, 1], (H, W) or (N, H, W).
        partner: indices (N,).
        num_classes: C, needed for labels.
        layout: ``"NCHW"``, ``"NHWC"`` or ``"NHW"``.

    Raises:
        ValueError: a mask outside [0, 1]; shapes that do not fit.

    >>> import numpy as np
    >>> images = np.stack([np.zeros((1, 1, 2)), np.ones((1, 1, 2))])
    >>> fmix(images, [0, 1], np.array([[True, False]]), [1, 0], num_classes=2)[1]
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    demand_layout(layout)
    x = batch_of(images, "fmix", layout)
    size = (len(x), *image_size(x.shape, layout))
    m = np.asarray(mask)
    if m.shape not in (size, size[1:]) or (m.dtype != bool and not ((m >= 0) & (m <= 1)).all()):
        raise ArgumentError(
            f"mask should be bools or numbers in [0, 1] of shape {size[1:]} or {size}, got "
            f"{m.dtype} of shape {m.shape}"
        )
    return _paste(images, targets, np.broadcast_to(m, size), partner, num_classes, layout)


class FMix(Mixer):
    """FMix: shapes of another image, cut out by a mask of low frequencies.

    Harris, Marcu, Painter, Niranjan, Prügel-Bennett and Hare, "FMix: Enhancing Mixed Sample Data
    Augmentation" (arXiv:2002.12047): a grey image with amplitudes that fall as
    ``frequency ** -decay_power`` becomes a mask that is one on a share ``1 - lam`` of the pixels,
    ``lam ~ Beta(alpha, alpha)``. The authors round the number of pixels up or down by chance and
    weigh the targets by ``lam``; here it is rounded to the nearest and the weight is the exact
    share.

    Args:
        alpha: at least 0; 1 as in the paper; 0 mixes nothing.
        num_classes: C, needed where targets are labels.
        decay_power: how smooth the shapes are; 3.
        max_soft: in [0, 0.5]: share of pixels on each side of the edge where both images blend; 0.
        p: probability that a batch (pair, sample) is mixed.
        mode: ``"batch"`` (the authors' code: one mask), ``"pair"`` or ``"elem"``, see
            :class:`Mixer`.
        layout: ``"NCHW"``, ``"NHWC"`` or ``"NHW"``.
        seed: None takes one from the default generator.

    Raises:
        ValueError: an argument out of range.

    >>> import numpy as np
    >>> images = np.arange(3.0).reshape(3, 1, 1, 1) * np.ones((3, 1, 8, 8))
    >>> x, y = FMix(num_classes=3, seed=0)(images, [0, 1, 2])
    >>> bool(np.allclose(x.mean((1, 2, 3)), y @ [0, 1, 2]))
    True
    """

    def __init__(
        self, alpha: float = 1.0, num_classes: int | None = None, *, decay_power: float = 3.0,
        max_soft: float = 0.0, p: float = 1.0, mode: str = "batch", layout: str = "NCHW",
        seed: int | None = None,
    ):  # fmt: skip
        demand_alpha(alpha)
        demand_layout(layout)
        if not isinstance(decay_power, Real) or not 0 <= decay_power < np.inf:
            raise ArgumentError(f"decay_power should be at least 0, got {decay_power!r}")
        if not isinstance(max_soft, Real) or not 0 <= max_soft <= 0.5:
            raise ArgumentError(f"max_soft should be in [0, 0.5], got {max_soft!r}")
        self.alpha, self.decay_power, self.max_soft = alpha, decay_power, max_soft
        self.layout = layout
        super().__init__(num_classes, p, mode, seed)

    def sample(self, n, shape, rng):
        """``partner`` (n,) and ``mask`` (n, H, W)."""
        demand_rank(shape, self)
        height, width = image_size(shape, self.layout)
        partner = self._partners(n, rng)
        lam = self._shares(self.alpha, partner, rng)
        size = (2, height, width // 2 + 1)
        if not n * height * width:
            return {"partner": partner, "mask": np.zeros((n, height, width), bool)}

        def masks(k):
            noise = rng.normal(size=(k, *size))[0]
            return np.concatenate([
                binary_masks(
                    low_frequency_images(noise[rows], height, width, self.decay_power),
                    1 - lam[rows], self.max_soft,
                )
                for rows in blocks_of(k, height * width)
            ])  # fmt: skip

        return {"partner": partner, "mask": self._per_sample(partner, masks)}

    def apply(self, images, targets, params):
        """:func:`fmix` with ``params``."""
        return fmix(images, targets, num_classes=self.num_classes, layout=self.layout, **params)
