"""Transforms in a DataLoader: by the dataset, or in the collate step."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from tensorgrad import Tensor, from_numpy
from tensorgrad.utils.data import Dataset, default_collate
from tensorgrad.utils.data._utils.collate import _like as like
from tensorgrad.utils.data._utils.epoch import announce

from ._layout import check_layout, range_of
from ._transform import Transform, in_pipeline, part_of_key
from .boxes import check_limits

__all__ = ["AugmentedDataset", "Indexed", "IndexedSample", "collate"]

# What of a sample that is a dict moves along, and under which name a transform takes it.
_MOVES = {"boxes": "boxes", "masks": "masks", "mask": "masks", "keypoints": "keypoints",
          "labels": "labels"}  # fmt: skip


class _Epoch:
    """A number in memory that workers share, so that they see it change.

    Those made by a fork have the memory already. For those that are spawned there is another
    piece, made when the first of them is: to import what makes it takes 20 ms.
    """

    def __init__(self, value=0, spawned=None):
        self._memory, self._spawned = mmap.mmap(-1, 8), spawned
        if spawned is None:
            self.set(value)

    def get(self):
        """The number."""
        if self._spawned is not None:
            return self._spawned.value
        return int.from_bytes(self._memory[:8], "little")

    def set(self, value):
        """Change it, for everybody."""
        value = part_of_key(value, "epoch")
        self._memory[:8] = value.to_bytes(8, "little")
        if self._spawned is not None:
            self._spawned.value = value

    def __reduce__(self):
        from multiprocessing.context import get_spawning_popen

        if get_spawning_popen() is None:
            return _Epoch, (self.get(),)
        from multiprocessing.reduction import ForkingPickler
        from multiprocessing.sharedctypes import RawValue

        if self._spawned is None:
            self._spawned = RawValue("Q", self.get())
        # By a pickler of its own: the one at work was made before sharedctypes told how.
        return _spawned_epoch, (bytes(ForkingPickler.dumps(self._spawned)),)


def _spawned_epoch(memory):
    from multiprocessing.reduction import ForkingPickler

    return _Epoch(spawned=ForkingPickler.loads(memory))


class IndexedSample(NamedTuple):
    """A sample with what its random numbers depend on.

    >>> IndexedSample(2, 0, "image").sample
    'image'
    """

    index: int  # type: ignore[assignment]  # tuple.index is not needed here
    epoch: int
    sample: object


class Indexed(Dataset):
    """A dataset whose samples know their index, for :func:`collate`.

    Args:
        dataset: with ``__getitem__`` and ``__len__``.

    >>> data = Indexed(["a", "b"])
    >>> data.set_epoch(3)
    >>> data[1]
    IndexedSample(index=1, epoch=3, sample='b')
    """

    def __init__(self, dataset):
        self.dataset, self._epoch = dataset, _Epoch()

    @property
    def epoch(self) -> int:
        """What :meth:`set_epoch` was given; 0 at first."""
        return self._epoch.get()

    def set_epoch(self, epoch: int) -> None:
        """Set what the random numbers depend on; call it before each epoch.

        Workers that stay from one epoch to the next see it, and ``dataset`` is told too if it
        has a ``set_epoch``.
        """
        self._epoch.set(epoch)
        announce(epoch, self.dataset)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return IndexedSample(_at(index, len(self)), self.epoch, self.dataset[index])

    def __getitems__(self, indices):
        return [
            IndexedSample(_at(i, len(self)), self.epoch, sample)
            for i, sample in zip(indices, _samples(self.dataset, indices), strict=True)
        ]


def _at(index, n):
    """A number from 0 on of an index that may count from the end."""
    index = int(index)
    return index + n if index < 0 else index


def _samples(dataset, indices):
    if callable(getattr(dataset, "__getitems__", None)):
        return dataset.__getitems__(indices)
    return [dataset[i] for i in indices]


class AugmentedDataset(Indexed):
    """A dataset with a transform of its images.

    The result depends on ``seed``, the epoch and the index of a sample alone: not on the size of
    batches, their order, or the number of workers. A DataLoader asks for whole batches, which
    are transformed together.

    Args:
        dataset: its samples are an image; or a tuple or list that begins with one; or a dict
            with "image" or "images", where "boxes", "masks" or "mask", "keypoints" and "labels"
            move along. ("labels" only beside "boxes".)
        transform: what is done to the images.
        seed: of the run.
        layout: of the images, by their rank if None.
        value_range: of floating point images.
        min_visibility, tolerance, mask_fill: as of a call of a transform.

    >>> from tensorgrad import augment
    >>> images = np.arange(12.0).reshape(2, 1, 2, 3) / 12
    >>> data = AugmentedDataset(list(zip(images, [7, 8])), augment.HorizontalFlip(1.0))
    >>> image, target = data[1]
    >>> bool((image == images[1, ..., ::-1]).all()), target
    (True, 8)
    """

    def __init__(
        self, dataset, transform: Transform, seed: int = 0, layout=None, value_range=(0.0, 1.0),
        min_visibility=0.0, tolerance=1.0, mask_fill=0,
    ):  # fmt: skip
        super().__init__(dataset)
        self.transform, self.seed = _transform(transform), part_of_key(seed, "seed")
        self._how = _how(layout, value_range, min_visibility, tolerance, mask_fill)

    def __getitem__(self, index):
        return self.__getitems__([index])[0]

    def __getitems__(self, indices):
        return _augmented(super().__getitems__(indices), self.transform, self.seed, self._how)


def collate(
    transform: Transform, seed: int = 0, layout=None, value_range=(0.0, 1.0), min_visibility=0.0,
    tolerance=1.0, mask_fill=0, collate_fn: Callable = default_collate,
) -> Callable:  # fmt: skip
    """A ``collate_fn`` that transforms the images of a batch, and puts its samples together.

    The dataset must be wrapped in :class:`Indexed`, so that samples know their index. The images
    are those that :class:`AugmentedDataset` gives.

    Args:
        transform: as of :class:`AugmentedDataset`, with the other arguments.
        seed: of the run.
        layout: of the images, by their rank if None.
        value_range: of floating point images.
        min_visibility: as of a call of a transform; ``tolerance`` and ``mask_fill`` too.
        tolerance: as of a call of a transform.
        mask_fill: as of a call of a transform.
        collate_fn: what puts the transformed samples together. Boxes, of which images have
            different numbers, need another than the default.

    Raises:
        TypeError: on a batch, samples without an index.

    >>> from tensorgrad import augment
    >>> from tensorgrad.utils.data import DataLoader
    >>> data = augment.Indexed([(np.zeros((1, 2, 2)), 7), (np.ones((1, 2, 2)), 8)])
    >>> step = augment.collate(augment.HorizontalFlip())
    >>> for images, targets in DataLoader(data, batch_size=2, collate_fn=step):
    ...     print(images.shape, targets)
    torch.Size([2, 1, 2, 2]) tensor([7, 8])
    """
    how = _how(layout, value_range, min_visibility, tolerance, mask_fill)
    return _Collate(_transform(transform), part_of_key(seed, "seed"), how, collate_fn)


class _Collate:
    def __init__(self, transform, seed, how, collate_fn):
        self.transform, self.seed, self.how, self.collate_fn = transform, seed, how, collate_fn

    def __call__(self, batch):
        for sample in batch:
            if not isinstance(sample, IndexedSample):
                raise TypeError(
                    "augment.collate needs samples that know their index, got a "
                    f"{type(sample).__name__}: give the DataLoader augment.Indexed(dataset)"
                )
        return self.collate_fn(_augmented(batch, self.transform, self.seed, self.how))


def _transform(given):
    if isinstance(given, Transform):
        return in_pipeline(given)
    hint = ""
    if hasattr(given, "collate"):
        hint = "; a mixer is a collate_fn of its own, mixer.collate"
    raise TypeError(f"transform must be a Transform, got {given!r}{hint}")


def _how(layout, value_range, min_visibility, tolerance, mask_fill):
    check_limits(min_visibility, tolerance)
    return {"layout": check_layout(layout), "value_range": range_of(value_range),
            "min_visibility": min_visibility,
            "tolerance": tolerance, "mask_fill": mask_fill}  # fmt: skip


def _augmented(samples, transform, seed, how):
    """The samples with their images transformed; those of one shape and type together."""
    parts = [_taken_apart(s.sample) for s in samples]
    groups: dict = {}
    for place, (image, moves, _) in enumerate(parts):
        kinds = [_kind(moves[name]) if name == "masks" else name for name in moves]
        key = (samples[place].epoch, _kind(image), *kinds)
        groups.setdefault(key, []).append(place)
    out: list = [None] * len(samples)
    for places in groups.values():
        images = _stacked([parts[p][0] for p in places])
        names = parts[places[0]][1]
        moves = {name: [parts[p][1][name] for p in places] for name in names}
        if "masks" in moves:
            moves["masks"] = _stacked(moves["masks"])
        done = transform(
            images, seed=seed, epoch=samples[places[0]].epoch,
            index=[samples[p].index for p in places], **moves,
            **{**how, "layout": _batched(how["layout"], parts[places[0]][0].ndim)},
        )  # fmt: skip
        done = done if moves else {"images": done}
        for row, place in enumerate(places):
            put = parts[place][2]
            out[place] = put({name: values[row] for name, values in done.items()})
    return out


def _kind(images):
    """What images have in common that are put together."""
    return type(images), images.shape, str(images.dtype)


def _batched(layout, rank):
    """The layout of a batch of images of a layout."""
    if layout is None:
        return "NHW" if rank == 2 else None
    return "N" + layout.replace("N", "")


def _stacked(images):
    if isinstance(images[0], Tensor):
        return from_numpy(np.stack([image.detach().numpy() for image in images]))
    return np.stack(images)


def _taken_apart(sample):
    """The image of a sample, what moves along, and how the sample is put together again."""
    if isinstance(sample, Mapping):
        return _of_mapping(sample)
    if isinstance(sample, tuple | list):
        kind = type(sample)
        make = kind._make if hasattr(kind, "_make") else kind
        image, *rest = sample
        return _array(image), {}, lambda done: make([done["images"], *rest])
    return _array(sample), {}, lambda done: done["images"]


def _of_mapping(sample):
    if "mask" in sample and "masks" in sample:
        raise ValueError(
            f"a sample must have 'mask' or 'masks', got both among {sorted(sample)}; put them into "
            "one array"
        )
    name = "image" if "image" in sample else "images"
    if name not in sample:
        raise TypeError(f"a sample that is a dict needs 'image', got {sorted(sample)}")
    moved = {key: at for key, at in _MOVES.items() if key in sample}
    if "boxes" not in moved:
        moved.pop("labels", None)
    moves = {at: sample[key] for key, at in moved.items()}
    if "masks" in moves:
        moves["masks"] = _array(moves["masks"])

    def put(done):
        parts = {**sample, **{key: done[at] for key, at in moved.items()}}
        return like(sample, {**parts, name: done["images"]})

    return _array(sample[name]), moves, put


def _array(image):
    """A Tensor or an array; what is neither, as a picture of Pillow, becomes one."""
    return image if isinstance(image, Tensor | np.ndarray) else np.asarray(image)
