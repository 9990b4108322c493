"""Transforms made of transforms: in turn, one of several, or with a probability."""

from __future__ import annotations

import numpy as np

from ._checks import check_probability
from ._transform import Transform, in_pipeline, rows_of

__all__ = ["Compose", "OneOf", "RandomApply", "RandomOrder", "Sequential"]


class _Several(Transform):
    """Transforms, each with a position of its own in the pipeline."""

    transforms: list

    @property
    def leaves_range(self):
        """Whether one of the transforms does."""
        return any(t.leaves_range for t in self.transforms)

    @property
    def mixes(self):
        """Whether one of the transforms does."""
        return any(t.mixes for t in self.transforms)

    def apply(self, batch, params):
        from .boxes import Bundle

        return self.move(Bundle(batch), params).images

    def _inner(self, n, shape, rng):
        """Parameters of each of the transforms, all for images of ``shape``."""
        return [t.sample(n, shape, rng.child(i)) for i, t in enumerate(self.transforms)]

    def _same_shape(self, shape):
        """``shape``, or an error if one of the transforms changes it."""
        for t in self.transforms:
            if tuple(t.output_shape(shape)) != tuple(shape):
                raise ValueError(
                    f"{type(self).__name__} gives some images to {t!r}, which makes images of "
                    f"{tuple(shape)} ones of {tuple(t.output_shape(shape))}: a batch holds one size"
                )
        return shape

    def output_shape(self, shape):
        return self._same_shape(shape)

    def __len__(self):
        return len(self.transforms)

    def __getitem__(self, i):
        return self.transforms[i]


class Compose(_Several):
    """Transforms one after another.

    Args:
        transforms: them.
        fuse: whether neighbours that move pixels by a matrix are done in one resampling, by the
            product of their matrices. It is sharper and faster than one after another, and what
            leaves the picture in between is not lost. See :class:`~tensorgrad.augment.Affine`
            for which transforms and settings can be fused.

    >>> import numpy as np
    >>> from tensorgrad import augment
    >>> t = augment.Compose([augment.RandomCrop(32, padding=4), augment.HorizontalFlip()])
    >>> t(np.zeros((8, 3, 32, 32), np.uint8)).shape
    (8, 3, 32, 32)
    """

    def __init__(self, transforms, fuse: bool = True):
        self.transforms, self.fuse = _transforms(transforms), fuse

    def sample(self, n, shape, rng):
        params = []
        for i, t in enumerate(self.transforms):
            params.append(t.sample(n, shape, rng.child(i)))
            shape = t.output_shape(shape)
        return {"inner": params}

    def move(self, bundle, params):
        for part, inner in self._runs(params["inner"]):
            bundle = _fused(bundle, part, inner) if len(part) > 1 else part[0].move(bundle, *inner)
        return bundle

    def _runs(self, params):
        """Neighbours that are done in one resampling, with their parameters."""
        runs: list = []
        settings: dict = {}
        for t, inner in zip(self.transforms, params, strict=True):
            own = t.settings() if getattr(t, "affine", False) else None
            if self.fuse and own is not None and runs and _joins(runs[-1][0], settings, t, own):
                runs[-1][0].append(t)
                runs[-1][1].append(inner)
                settings = {**settings, **own}
            else:
                runs.append(([t], [inner]))
                settings = own or {}
        return runs

    def output_shape(self, shape):
        for t in self.transforms:
            shape = t.output_shape(shape)
        return shape


def _joins(run, settings, t, own):
    """Whether a matrix transform can be fused with a run of transforms before it."""
    if not getattr(run[-1], "affine", False):
        return False
    if any(u.resizes for u in run) and own:
        return False
    return all(settings.get(k, v) == v for k, v in own.items())


def _fused(bundle, run, params):
    """A run of matrix transforms by the product of their matrices."""
    from ._resample import fill_of
    from .geometry import map_points, warp

    shape = bundle.images.shape[1:]
    matrices, settings = None, {"interpolation": "nearest", "mode": "constant", "fill": 0}
    for t, inner in zip(run, params, strict=True):
        ahead = t.matrices(inner, shape)
        matrices = ahead if matrices is None else ahead @ matrices
        settings.update(t.settings())
        shape = t.output_shape(shape)
    size, how = tuple(shape[:2]), (settings["interpolation"], settings["mode"])
    images = warp(bundle.images, matrices, size, *how, fill_of(settings["fill"], bundle.images))
    masks = bundle.masks
    if masks is not None:
        masks = warp(masks, matrices, size, "nearest", settings["mode"], bundle.mask_fill)
    return bundle.moved(images, masks, lambda xy, owner: map_points(matrices, owner, xy))


class Sequential(Compose):
    """:class:`Compose` spelled as :class:`tensorgrad.nn.Sequential` is.

    Args:
        *transforms: them.
        fuse: as of :class:`Compose`.

    >>> from tensorgrad import augment
    >>> len(augment.Sequential(augment.HorizontalFlip(), augment.VerticalFlip()))
    2
    """

    def __init__(self, *transforms, fuse: bool = True):
        super().__init__(transforms, fuse)


class OneOf(_Several):
    """One of several transforms for each image.

    Args:
        transforms: them; they keep the size of images.
        p: how likely each is, positive numbers in any scale; equally if None.

    Raises:
        ValueError: no transforms, or weights that do not fit.

    >>> from tensorgrad import augment
    >>> t = augment.OneOf([augment.HorizontalFlip(1.0), augment.VerticalFlip(1.0)], p=[3, 1])
    """

    def __init__(self, transforms, p=None):
        self.transforms = _transforms(transforms)
        if not self.transforms:
            raise ValueError("OneOf needs at least one transform, got none")
        self.p = None if p is None else _weights(p, len(self.transforms))

    def sample(self, n, shape, rng):
        chosen = rng.choice(len(self.transforms), self.p)
        return {"chosen": chosen, "inner": self._inner(n, self._same_shape(shape), rng)}

    def move(self, bundle, params):
        parts = [
            (params["chosen"] == i, t, inner)
            for i, (t, inner) in enumerate(zip(self.transforms, params["inner"], strict=True))
        ]
        return _by_rows(bundle, parts)


def _weights(p, count):
    """As many weights, as floats."""
    weights = np.asarray(p, np.float64) if np.ndim(p) == 1 else np.zeros(0)
    if len(weights) == count and weights.min() >= 0 and 0 < weights.sum() < np.inf:
        return weights.tolist()
    raise ValueError(
        f"p must hold {count} weights from 0 on with a positive sum, one for each transform, got "
        f"{p!r}; for a chance of none of them, put OneOf into RandomApply"
    )


class RandomApply(_Several):
    """Transforms one after another, as by :class:`Compose`, or none of them, for each image.

    Args:
        transforms: one, or a list; they keep the size of images.
        p: probability of applying them.
        fuse: as of :class:`Compose`.

    Raises:
        ValueError: ``p`` is not in [0, 1].

    >>> from tensorgrad import augment
    >>> t = augment.RandomApply(augment.Rotate(10), p=0.3)
    """

    def __init__(self, transforms, p: float = 0.5, fuse: bool = True):
        alone = isinstance(transforms, Transform)
        self.transforms = _transforms([transforms] if alone else transforms)
        self.p, self.fuse = check_probability(p, "p"), fuse

    def sample(self, n, shape, rng):
        on = rng.bernoulli(self.p)
        return {"on": on, "inner": self._inner(n, self._same_shape(shape), rng)}

    def move(self, bundle, params):
        together = Compose(self.transforms, self.fuse)
        return _by_rows(bundle, [(params["on"], together, {"inner": params["inner"]})])


class RandomOrder(_Several):
    """Transforms one after another, in an order drawn for each image.

    Args:
        transforms: them; they keep the size of images.

    >>> from tensorgrad import augment
    >>> t = augment.RandomOrder([augment.Rotate(10), augment.Shear(10)])
    """

    def __init__(self, transforms):
        self.transforms = _transforms(transforms)

    def sample(self, n, shape, rng):
        order = rng.permutation(len(self.transforms))
        return {"order": order, "inner": self._inner(n, self._same_shape(shape), rng)}

    def move(self, bundle, params):
        for place in params["order"].T:
            parts = [
                (place == i, t, inner)
                for i, (t, inner) in enumerate(zip(self.transforms, params["inner"], strict=True))
            ]
            bundle = _by_rows(bundle, parts)
        return bundle


def _by_rows(bundle, parts):
    """A bundle with transforms applied to some of the images each.

    Args:
        bundle: of n images.
        parts: (which images as a mask (n,), the transform, its parameters for all n).
    """
    whole = [(t, params) for rows, t, params in parts if rows.all()]
    if len(bundle.images) and whole:
        return whole[0][0].move(bundle, whole[0][1])
    result = None
    for mask, t, params in parts:
        rows = np.flatnonzero(mask)
        if not len(rows):
            continue
        part, token = bundle.take(rows)
        part = t.move(part, rows_of(params, rows))
        result = bundle.copy() if result is None else result
        result.put(rows, token, part)
    return bundle if result is None else result


def _transforms(transforms):
    if isinstance(transforms, Transform):
        raise TypeError(
            f"transforms must be a list of transforms, got {transforms!r}; put it into brackets"
        )
    transforms = list(transforms)
    for i, t in enumerate(transforms):
        if not isinstance(t, Transform):
            raise TypeError(
                f"transforms[{i}] must be a Transform, got {type(t).__name__}; write a subclass "
                "with sample and apply"
            )
        in_pipeline(t)
    return transforms
