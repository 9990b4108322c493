"""Contact sheets: images before and after a transform."""

from __future__ import annotations

import numpy as np

from tensorgrad.errors import ArgumentError, missing

from ._checks import check_count
from ._layout import Images
from ._random import KeyedRng
from ._transform import Transform, part_of_key
from .geometry import FiveCrop
from .mixers import Mixer
from .soft_targets import array_of, weights_of

# Inches of one picture on the sheet.
_CELL = 1.3
_RESULT = "what transform returned"


def show(
    transform, images, targets=None, *, n: int = 4, titles=None, seed: int = 0,
    layout: str | None = None, value_range: tuple[float, float] = (0.0, 1.0), class_names=None,
):  # fmt: skip
    """Draw a sheet: each row an image as it is and ``n`` times transformed.

    Args:
        transform: a :class:`Transform`, a :class:`Mixer`, or any function of the images that
            returns images of the same number. Of a :class:`FiveCrop` or :class:`TenCrop`, time k
            is its crop k.
        images: one image or a batch, array or Tensor, of one, three or four channels.
        targets: labels or weights of the images, which a mixer needs; the largest two weights are
            written under each mixed image.
        n: how many times, at least 1. Time k draws as epoch k does.
        titles: of the n + 1 columns; "before" and the numbers of the times by default.
        seed: of the draws.
        layout: as for :class:`Transform`; a mixer's own by default.
        value_range: of floating-point images, that for black and that for white.
        class_names: what is written for each class, a list or dict; its number by default.

    Returns:
        A matplotlib ``Figure``. It belongs to no window: a notebook draws it where it is the last
        value of a cell, ``fig.savefig("sheet.png")`` writes it.

    Raises:
        ValueError: a wrong number of titles or class names, no images, channels that cannot be
            drawn, a mixer without targets, more times than there are crops.
        TypeError: ``transform`` is none of the above, or gives images of another dtype.
        ImportError: matplotlib is not installed.

    >>> from tensorgrad import augment, datasets
    >>> digits, _ = datasets.digits()
    >>> fig = augment.show(augment.HorizontalFlip(), digits[:3], n=2)
    >>> len(fig.axes)
    9
    """
    check_count(n, "n", 1)
    seed = part_of_key(seed, "seed")
    if not callable(transform) or isinstance(transform, type):
        raise TypeError(
            "transform must be a Transform, a Mixer or a function of images, got "
            f"{transform if isinstance(transform, type) else type(transform).__name__}"
        )
    titles = ["before", *map(str, range(1, n + 1))] if titles is None else list(titles)
    if len(titles) != n + 1:
        raise ArgumentError(f"titles should name {n + 1} columns, got {len(titles)}")
    if isinstance(transform, Mixer):
        layout = layout or getattr(transform, "layout", None)
    before = Images(images, layout, value_range)
    if not before.view.size:
        raise ArgumentError(f"images should hold at least one, got shape {np.shape(images)}")
    columns, notes = [_pictures(before)], [[""] * len(before)]
    for time in range(n):
        result, weights = _applied(transform, images, targets, seed, time, layout, value_range)
        columns.append(_pictures(_loose(result, before.layout, value_range), _RESULT))
        if len(columns[-1]) != len(before):
            raise ArgumentError(
                f"transform should return as many images as it takes, {len(before)}, got "
                f"{len(columns[-1])}"
            )
        notes.append([""] * len(before) if weights is None else _notes(weights, class_names))
    if isinstance(transform, Mixer):
        whole = weights_of(targets, _classes(transform, targets))
        notes[0] = _notes(whole, class_names)
    return _sheet(columns, notes, titles)


def _applied(transform, images, targets, seed, time, layout, value_range):
    """The images of one column, and the weights of their classes or None."""
    if isinstance(transform, Mixer):
        x = array_of(images, "images")
        rng = KeyedRng(seed, time, [0])
        return transform.apply(images, targets, transform.sample(len(x), x.shape, rng))
    if isinstance(transform, Transform):
        options = {"layout": layout, "value_range": value_range}
        if isinstance(transform, FiveCrop):
            return _crop(transform(images, **options), time), None
        return transform(images, seed=seed, epoch=time, **options), None
    return transform(images), None


def _crop(crops, time):
    if time < len(crops):
        return crops[time]
    raise ArgumentError(f"n must be at most {len(crops)}, the number of crops")


def _classes(mixer, targets):
    """How many there are: what the mixer was told, or the largest label."""
    if mixer.num_classes is not None or targets is None:
        return mixer.num_classes
    y = array_of(targets, "targets")
    return int(y.max()) + 1 if y.ndim == 1 else None


def _loose(images, layout, value_range):
    """Results for drawing: what lies outside the range is drawn as its end."""
    array = array_of(images, _RESULT)
    if array.dtype.kind == "f":
        array = np.clip(array, *value_range)
    return Images(array, layout if len(layout) == array.ndim else None, value_range, _RESULT)


def _pictures(images, name="images"):
    """(N, H, W, C) as matplotlib draws it, floats in [0, 1]."""
    block = images.block(slice(None))
    if block.shape[-1] not in (1, 3, 4):
        raise ArgumentError(
            f"{name} should have 1, 3 or 4 channels to be drawn, got {block.shape[-1]} with "
            f"layout {images.layout}"
        )
    return block


def _notes(weights, class_names):
    """The largest weights of each row as text."""
    lines = []
    for row in weights_of(weights, None):
        best = [c for c in np.argsort(-row, kind="stable")[:2] if row[c] > 0]
        lines.append("  ".join(f"{_name_of(c, class_names)}: {row[c]:.2f}" for c in best))
    return lines


def _name_of(label, class_names):
    if class_names is None:
        return label
    try:
        return class_names[label]
    except LookupError:
        raise ArgumentError(
            f"class_names should name each class, got {len(class_names)} without one for {label}"
        ) from None


def _sheet(columns, notes, titles):
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise missing("matplotlib", "plot", "augment.show") from None
    rows = len(columns[0])
    height = rows * _CELL * (1.15 if any(map(any, notes)) else 1) + 0.3
    fig = Figure(figsize=(len(columns) * _CELL, height), layout="constrained")
    axes = fig.subplots(rows, len(columns), squeeze=False)
    for column, (pictures, texts) in enumerate(zip(columns, notes, strict=True)):
        axes[0, column].set_title(titles[column], fontsize=8)
        for row, picture in enumerate(pictures):
            ax = axes[row, column]
            grey = picture.shape[-1] == 1
            white = 255 if picture.dtype == np.uint8 else 1
            picture = picture[..., 0] if grey else picture
            ax.imshow(picture, cmap="gray" if grey else None, vmin=0, vmax=white)
            ax.set(xticks=[], yticks=[])
            ax.set_xlabel(texts[row], fontsize=7)
    return fig
