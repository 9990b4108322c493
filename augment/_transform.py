"""What a transform is: parameters drawn for each image, and a pure function of them."""

from __future__ import annotations

import inspect
import math
import sys

import numpy as np

from tensorgrad.utils.data.sampler import draw_seed

from ._layout import Images
from ._random import KeyedRng, check_key
from ._threads import blocks_of, run, threads_for
from .boxes import Bundle, Targets

__all__ = ["Transform", "from_dict", "from_json", "load", "save"]

REGISTRY: dict[str, type[Transform]] = {}


class Transform:
    """The base of all transforms.

    A subclass writes :meth:`sample`, where all randomness is, and :meth:`apply`, which has
    none. Its ``__init__`` keeps each argument under its own name, and nothing else: that is what
    is printed, and written to JSON, with the name of the class, which must be none of those here.
    A transform that moves pixels says ``geometric = True`` and writes :meth:`apply_masks`,
    :meth:`apply_points` and :meth:`output_shape` too.

    >>> import numpy as np
    >>> class Darker(Transform):
    ...     def __init__(self, least=0.5):
    ...         self.least = least
    ...     def sample(self, n, shape, rng):
    ...         return {"factor": rng.uniform(self.least, 1.0)}
    ...     def apply(self, batch, params):
    ...         factor = params["factor"].astype(np.float32)[:, None, None, None]
    ...         return (batch * factor).astype(batch.dtype)
    >>> darker = Darker()
    >>> images = np.ones((3, 1, 2, 2), np.float32)
    >>> one = darker(images, seed=0, epoch=0, index=[4, 5, 6])
    >>> other = darker(images[:1], seed=0, epoch=0, index=[5])
    >>> bool((one[1] == other[0]).all())
    True
    >>> from_json(darker.to_json())
    Darker(least=0.5)
    """

    geometric = False
    # Whether the result leaves the range, as that of Normalize: it cannot be scaled back then.
    leaves_range = False
    # Whether it makes several pictures of each, and so cannot stand in a pipeline.
    several = False
    # Whether images of a batch get into each other's results: it is not cut into blocks then.
    mixes = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if _is_ours(REGISTRY.get(cls.__name__)) and not _is_here(cls):
            raise TypeError(
                f"tensorgrad.augment has a transform called {cls.__name__}, and JSON finds them by "
                "name: choose another"
            )
        REGISTRY[cls.__name__] = cls

    def sample(self, n: int, shape: tuple, rng: KeyedRng) -> dict:
        """Draw parameters for n images of ``shape`` (H, W, C).

        Returns:
            A dict of arrays with n rows each; dicts and lists of such may stand in it. Row i
            must be made of row i of what ``rng`` gives alone.
        """
        return {}

    def apply(self, batch: np.ndarray, params: dict) -> np.ndarray:
        """The images (n, H, W, C) transformed: uint8, or float in [0, 1], and the same returned.

        Row i depends on image i and row i of the parameters alone, unless the class says
        ``mixes = True``. ``batch`` is not written; it may be returned where nothing changes.
        """
        raise NotImplementedError(f"{type(self).__name__} must write apply(batch, params)")

    def apply_masks(self, masks: np.ndarray, params: dict, fill=0) -> np.ndarray:
        """Masks (n, H, W, K) of any dtype moved along; by default they stay as they are."""
        return masks

    def apply_points(self, points, owner, params: dict, shape: tuple) -> np.ndarray:
        """Points (p, 2) of x, y moved along; by default they stay where they are.

        Args:
            points: in pixels; pixel i covers [i, i + 1].
            owner: (p,), the image that each belongs to.
            params: of the images.
            shape: (H, W, C) of the images before the transform.
        """
        return points

    def output_shape(self, shape: tuple) -> tuple:
        """The shape (H, W, C) of the result for images of ``shape``."""
        return shape

    def move(self, bundle: Bundle, params: dict) -> Bundle:
        """A bundle transformed. What holds other transforms writes this instead of the above."""
        shape, masks = bundle.images.shape[1:], bundle.masks
        images = self.apply(bundle.images, params)
        if not self.geometric:
            return bundle.moved(images, masks, None)
        if masks is not None:
            masks = self.apply_masks(masks, params, bundle.mask_fill)
        return bundle.moved(
            images, masks, lambda xy, owner: self.apply_points(xy, owner, params, shape)
        )

    def draw(self, images, *, seed=None, epoch=None, index=None, layout=None) -> dict:
        """Draw parameters for ``images``, for :meth:`replay`; arguments as for a call."""
        return self._draw(Images(images, layout, None), seed, epoch, index)

    def _draw(self, images, seed, epoch, index):
        n, shape = len(images), images.view.shape[1:]
        seed, epoch = _key(seed, epoch, index)
        params = self.sample(n, shape, KeyedRng(seed, epoch, _indices(index, n)))
        shape = _misfit(params, n)
        if shape is None:
            return params
        raise ValueError(
            f"{type(self).__name__}.sample must give a row for each of {n} images in all "
            f"parameters, got one of shape {shape}"
        )

    def __call__(
        self, images, *, seed=None, epoch=None, index=None, boxes=None, masks=None,
        keypoints=None, labels=None, layout=None, value_range=(0.0, 1.0), min_visibility=0.0,
        tolerance=1.0, mask_fill=0,
    ):  # fmt: skip
        """Transform images, and what moves along with them.

        The random numbers of an image depend on ``seed``, ``epoch``, its ``index`` and the
        position of the transform in its pipeline, on nothing else. Without ``index`` the images
        are numbered from 0; without any of the three, the seed is drawn from the default
        generator of tensorgrad, so that calls differ and :func:`tensorgrad.manual_seed` repeats
        them.

        Args:
            images: an array or Tensor: (N, C, H, W), (C, H, W) or (H, W), or as ``layout`` says;
                uint8, or floating point in ``value_range``. Not written.
            seed: of the run, 0 if only the others are given.
            epoch: its number, 0 if only the others are given.
            index: the number of each image in its dataset, (N,), or an integer for one image.
            boxes: (k, 4) arrays of x1, y1, x2, y2 in pixels, a list of one for each image of a
                batch. Pixel i covers [i, i + 1].
            masks: (H, W) or (K, H, W) for one image, (N, H, W) or (N, K, H, W) for a batch, K
                last where the images' channels are; any dtype. Moved to the nearest pixel.
            keypoints: (k, 2) arrays of x, y, or (k, 3) with a visibility, which becomes 0 for
                points that leave the picture; a list of one for each image of a batch.
            labels: those of the boxes, dropped with them; a list for a batch.
            layout: "NCHW", "NHWC", "NHW", "CHW", "HWC" or "HW"; by the rank if None.
            value_range: lowest and highest value of floating point images. Another range than
                (0, 1) is scaled to it and back, which rounds: also what is only moved.
            min_visibility: boxes of which a smaller share of the area is left are dropped, and
                those of which nothing is.
            tolerance: pixels by which a box may stand out of its picture. It is clipped; one
                that stands out further is an error.
            mask_fill: what masks hold where there was no picture.

        Returns:
            The images, in the layout, type, dtype and range that came; or, with any of
            ``boxes``, ``masks`` and ``keypoints``, a dict of "images" and what was given.

        Raises:
            TypeError: images of another dtype.
            ValueError: a shape, range or value that does not fit; the message names it.
        """
        opened = Images(images, layout, value_range)
        targets = Targets(
            opened, boxes, masks, keypoints, labels, min_visibility, tolerance, mask_fill
        )
        return self._replay(opened, targets, self._draw(opened, seed, epoch, index))

    def replay(
        self, images, params, *, boxes=None, masks=None, keypoints=None, labels=None, layout=None,
        value_range=(0.0, 1.0), min_visibility=0.0, tolerance=1.0, mask_fill=0,
    ):  # fmt: skip
        """Transform images by parameters that :meth:`draw` gave; other arguments as for a call.

        Raises:
            ValueError: parameters of another transform or of another number of images.

        >>> import numpy as np
        >>> from tensorgrad import augment
        >>> images = np.arange(6.0).reshape(1, 1, 2, 3) / 6
        >>> flip = augment.HorizontalFlip()
        >>> params = flip.draw(images, seed=1)
        >>> bool((flip.replay(images, params) == flip(images, seed=1)).all())
        True
        """
        opened = Images(images, layout, value_range)
        targets = Targets(
            opened, boxes, masks, keypoints, labels, min_visibility, tolerance, mask_fill
        )
        shape = _misfit(params, len(opened))
        if shape is not None:
            whose = f"those of {shape[0]} images" if shape else "not those of a batch"
            raise ValueError(f"params are {whose}, but got {len(opened)} images")
        if not _holds(params, self.sample(1, opened.view.shape[1:], KeyedRng(0, 0, [0]))):
            raise ValueError(
                f"params are not those of {type(self).__name__}: pass what its draw gave, for "
                f"images of {opened.view.shape[1:]} (H, W, C)"
            )
        return self._replay(opened, targets, params)

    def _replay(self, images, targets, params):
        n = len(images)
        if self.leaves_range and not images.plain:
            raise ValueError(
                f"{type(self).__name__} leaves the range of the images, so value_range must be "
                f"(0, 1), got ({images.low:g}, {images.high:g}); scale them first"
            )
        shape = self.output_shape(images.view.shape[1:])
        out, view = images.empty(shape)
        size = max(math.prod(images.view.shape[1:]), math.prod(shape))
        if targets:
            size += targets.open(shape)
        threads = threads_for(n * size)
        blocks = [slice(0, n)] if self.mixes else blocks_of(n, size, threads)

        def work(rows):
            part = params if len(blocks) == 1 else rows_of(params, rows)
            block = images.block(rows)
            done = self.move(targets.bundle(block, rows) if targets else Bundle(block), part)
            images.store(view, rows, done.images)
            if targets:
                targets.store(rows, done)

        run(work, blocks, n * size, threads)
        result = images.finish(out)
        return {"images": result, **targets.results()} if targets else result

    def arguments(self) -> dict:
        """The arguments that the transform was made with, by name."""
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    def __repr__(self):
        positional, named = _call(type(self), self.arguments())
        inside = [*map(repr, positional), *(f"{k}={v!r}" for k, v in named.items())]
        return f"{type(self).__name__}({', '.join(inside)})"

    def to_dict(self) -> dict:
        """The transform as a dict of its class's name and arguments: plain values only."""
        return {"transform": type(self).__name__, **{
            name: _plain(value, f"{type(self).__name__}.{name}")
            for name, value in self.arguments().items()
        }}  # fmt: skip

    def to_json(self, indent=None) -> str:
        """The transform as JSON text, from which :func:`from_json` makes it again."""
        import json

        return json.dumps(self.to_dict(), indent=indent)


def in_pipeline(transform):
    """``transform``, or an error where it cannot stand in one."""
    if transform.several:
        raise ValueError(
            f"{type(transform).__name__} makes several pictures of each and cannot stand in a "
            "pipeline: call it on what the pipeline gives"
        )
    return transform


def rows_of(params, rows):
    """The parameters of some of the images."""
    if isinstance(params, dict):
        return {name: rows_of(value, rows) for name, value in params.items()}
    if isinstance(params, list):
        return [rows_of(value, rows) for value in params]
    return params[rows]


def _misfit(params, n):
    """The shape of one of the parameters that has not n rows; None if all have."""
    if isinstance(params, dict):
        params = params.values()
    elif not isinstance(params, list):
        shape = getattr(params, "shape", ())
        return shape if shape[:1] != (n,) else None
    for value in params:
        shape = _misfit(value, n)
        if shape is not None:
            return shape
    return None


def _holds(params, needed):
    """Whether parameters have all names of others, lists as long and arrays of as many axes."""
    if isinstance(needed, dict):
        return isinstance(params, dict) and all(
            name in params and _holds(params[name], value) for name, value in needed.items()
        )
    if isinstance(needed, list):
        alike = isinstance(params, list) and len(params) == len(needed)
        return alike and all(map(_holds, params, needed))
    return isinstance(params, np.ndarray) and params.ndim == needed.ndim


def _is_here(cls):
    return cls.__module__.startswith(f"{__package__}.")


def _is_ours(cls):
    """Whether a class, or None, is one of the package: not one of an example in a docstring."""
    found = cls is not None and _is_here(cls)
    return found and getattr(sys.modules[cls.__module__], cls.__name__, None) is cls


def _key(seed, epoch, index):
    """Seed and epoch, one that is missing as 0."""
    if seed is None and epoch is None and index is None:
        return draw_seed(None), 0
    return 0 if seed is None else seed, 0 if epoch is None else epoch


def part_of_key(value, name):
    """``value``, 0 for None, as a number that a key can hold."""
    return check_key(0 if value is None else value, name)


def _indices(index, n):
    if index is None:
        return np.arange(n)
    array = np.atleast_1d(np.asarray(index))
    if array.shape != (n,):
        raise ValueError(
            f"index must hold {n} integers from 0 on, one for each image; got {index!r}"
        )
    return array


def _plain(value, name):
    """``value`` of what JSON can hold."""
    if isinstance(value, Transform):
        return value.to_dict()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [_plain(v, name) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v, name) for k, v in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"{name} is a {type(value).__name__}, which JSON cannot hold; use numbers, strings, "
        "lists, dicts and transforms"
    )


def _lived(value):
    """``value`` with dicts of transforms made transforms."""
    if isinstance(value, dict):
        return from_dict(value) if "transform" in value else {
            k: _lived(v) for k, v in value.items()
        }  # fmt: skip
    return [_lived(v) for v in value] if isinstance(value, list) else value


def from_dict(state: dict) -> Transform:
    """The transform that :meth:`Transform.to_dict` wrote.

    Raises:
        ValueError: no such transform is known. Those of your own must be defined first.
        TypeError: arguments that it does not take.

    >>> from tensorgrad import augment
    >>> from_dict(augment.VerticalFlip(0.25).to_dict())
    VerticalFlip(p=0.25)
    """
    if not isinstance(state, dict):
        raise TypeError(f"a transform is a dict of its name and arguments, got {state!r}")
    state = dict(state)
    name = state.pop("transform", None)
    if name not in REGISTRY:
        known = ", ".join(sorted(n for n in REGISTRY if not n.startswith("_")))
        raise ValueError(f"no transform is called {name!r}; known are {known}")
    positional, named = _call(REGISTRY[name], {k: _lived(v) for k, v in state.items()})
    return REGISTRY[name](*positional, **named)


def _call(cls, arguments):
    """The arguments of a class by name, as positional and named ones."""
    arguments = dict(arguments)
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return arguments.pop(parameter.name, ()), arguments
    return (), arguments


def from_json(text: str) -> Transform:
    """The transform that :meth:`Transform.to_json` wrote; see :func:`from_dict`.

    >>> from tensorgrad import augment
    >>> from_json(augment.Sequential(augment.VerticalFlip(0.25)).to_json())
    Sequential(VerticalFlip(p=0.25), fuse=True)
    """
    import json

    return from_dict(json.loads(text))


def save(transform: Transform, f) -> None:
    """Write a transform to a file, as JSON.

    Args:
        transform: any, with what it holds.
        f: a path. The file is replaced only once all of it is written.

    >>> import os, tempfile
    >>> from tensorgrad import augment
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "flip.json")
    ...     augment.save(augment.VerticalFlip(0.25), path)
    ...     augment.load(path)
    VerticalFlip(p=0.25)
    """
    from tensorgrad.serialization.files import open_to_write

    text = transform.to_json(indent=2)
    with open_to_write(f) as out:
        out.write(text.encode())


def load(f) -> Transform:
    """The transform that :func:`save` wrote to the file ``f``.

    The example is at :func:`save`.
    """
    with open(f, encoding="utf-8") as file:
        return from_json(file.read())
