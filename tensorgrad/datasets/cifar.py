"""CIFAR-10, from the files of its binary version: no pickle is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from .._graph import wrap
from . import _mirrors
from ._download import download, gunzipped, replacing
from ._images import ImageDataset

_RECORD = 1 + 3 * 32 * 32  # a label, then the red, the green and the blue plane


class CIFAR10(ImageDataset):
    """60,000 colour photographs of 32 x 32 pixels: 50,000 to train on and 10,000 held out.

    Args:
        root: the folder of data sets. The files of the binary version (``data_batch_1.bin`` to
            ``data_batch_5.bin`` and ``test_batch.bin``) are looked for in
            ``root/cifar-10-batches-bin`` and in ``root`` itself. The Python version, which
            torchvision reads, holds pickles and is not read.
        train: the 50,000, or with False the 10,000.
        transform: called on each image; its result is what an item holds.
        target_transform: called on each target.
        download: fetch missing files to ``root/cifar-10-batches-bin`` (162 MB).

    Item ``i`` is ``(image, target)``: a uint8 tensor of shape (3, 32, 32), red, green and blue,
    in memory of its own; and an int. (torchvision's image is a Pillow image; here nothing needs
    Pillow.) As in torchvision ``data`` is a uint8 ndarray of shape (N, 32, 32, 3) and ``targets``
    a list of ints.

    The archive is checked by its checksum when it is downloaded. Files found in place are checked
    by their size, which is that of 10,000 records, and by their labels.

    Raises:
        RuntimeError: a file is missing (the message says which, and where to put it) or damaged.

    Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009).

    >>> from tensorgrad.datasets import CIFAR10
    >>> CIFAR10("/nowhere")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    RuntimeError: CIFAR10: data_batch_1.bin is neither in /nowhere/cifar-10-batches-bin nor in ...
    """

    base_folder = "cifar-10-batches-bin"
    mirrors = _mirrors.CIFAR10_MIRRORS
    archive = _mirrors.CIFAR10_ARCHIVE
    train_list = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
    test_list = ("test_batch.bin",)
    records = 10_000  # in each file
    classes: ClassVar[list[str]] = [
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ]  # fmt: skip

    def __init__(
        self,
        root: str | os.PathLike,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, train, transform, target_transform)
        if download:
            self.download()
        parts = [self._read(name) for name in (self.train_list if train else self.test_list)]
        planes, labels = (np.concatenate(kind) for kind in zip(*parts, strict=True))
        self.data = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
        self.targets = labels.tolist()

    def download(self) -> None:
        """Fetch and unpack the archive, unless all files are there."""
        names = (*self.train_list, *self.test_list)
        if all(map(self._find, names)):
            return
        name, checksum = self.archive
        archive = os.path.join(self.root, name)
        download([m + name for m in self.mirrors], archive, **checksum)
        _unpack(archive, self.base_folder, names, os.path.join(self.root, self.base_folder))
        os.unlink(archive)

    def _find(self, name):
        for folder in (os.path.join(self.root, self.base_folder), self.root):
            if os.path.isfile(path := os.path.join(folder, name)):
                return path
        return None

    def _read(self, name):
        path = self._find(name)
        if path is None:
            folder = os.path.join(self.root, self.base_folder)
            raise RuntimeError(
                f"{type(self).__name__}: {name} is neither in {folder} nor in {self.root}. Pass "
                f"download=True, or fetch {self.mirrors[0]}{self.archive[0]} and unpack it in "
                f"{self.root} (the binary version: files of the Python version hold pickles, "
                "which are not read)"
            )
        expected, found = self.records * _RECORD, os.path.getsize(path)
        if found != expected:
            raise RuntimeError(
                f"{path} should hold {self.records} records of {_RECORD} bytes, {expected} in "
                f"all, found {found} bytes; fetch it again"
            )
        records = np.fromfile(path, np.uint8).reshape(-1, _RECORD)
        labels = records[:, 0]
        if len(labels) and labels.max() >= len(self.classes):
            first = int(np.argmax(labels >= len(self.classes)))
            raise RuntimeError(
                f"{path} is not a file of CIFAR-10: record {first} should begin with a label "
                f"below 10, found {labels[first]}"
            )
        return records[:, 1:].reshape(-1, 3, 32, 32), labels

    def __getitem__(self, index: int) -> tuple:
        image = wrap(np.moveaxis(self.data[index], -1, 0).copy())
        return self._transformed(image, int(self.targets[index]))


def _unpack(archive, folder, names, target):
    """Write the named members of ``folder`` in the archive, and nothing else, into ``target``."""
    import shutil
    import tarfile

    os.makedirs(target, exist_ok=True)
    wanted = {f"{folder}/{name}": name for name in names}
    with gunzipped(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as members:
        for member in members:
            name = wanted.pop(member.name, None)
            if name is not None and member.isfile():
                with replacing(os.path.join(target, name)) as out:
                    shutil.copyfileobj(members.extractfile(member), out)
    if wanted:
        raise RuntimeError(f"{archive} lacks {', '.join(wanted)}; it holds another data set")
