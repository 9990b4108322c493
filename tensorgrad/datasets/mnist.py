"""MNIST and Fashion-MNIST, from the standard IDX files."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from .._graph import wrap
from . import _mirrors
from ._download import download, gunzipped, replacing
from ._images import ImageDataset

# The third byte of an IDX file.
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class MNIST(ImageDataset):
    """70,000 handwritten digits of 28 x 28 pixels: 60,000 to train on and 10,000 held out.

    Args:
        root: the folder of data sets. The files (``train-images-idx3-ubyte`` and the other
            three, as they are or as ``.gz``) are looked for in ``root/MNIST/raw``, where
            torchvision keeps them, and in ``root`` itself.
        train: the 60,000, or with False the 10,000.
        transform: called on each image; its result is what an item holds.
        target_transform: called on each target.
        download: fetch missing files to ``root/MNIST/raw``.

    Item ``i`` is ``(image, target)``: a uint8 tensor of shape (1, 28, 28), 0 is paper and 255 is
    ink, in memory of its own; and an int. (torchvision's image is a Pillow image; here nothing
    needs Pillow.) ``data`` is the uint8 tensor of all images, (N, 28, 28), and ``targets`` the
    int64 tensor of all labels.

    A download is checked by its checksum. Files found in place are checked by what their headers
    say, so that a part of MNIST in the same format can be used too.

    Raises:
        RuntimeError: a file is missing (the message says which, and where to put it), damaged,
            or not what its name says.

    LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition"
    (1998).

    >>> from tensorgrad.datasets import MNIST
    >>> MNIST("/nowhere")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    RuntimeError: MNIST: train-images-idx3-ubyte is neither in /nowhere/MNIST/raw nor in /nowhere...
    """

    mirrors = _mirrors.MNIST_MIRRORS
    files = _mirrors.MNIST_FILES
    classes: ClassVar[list[str]] = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
        "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine",
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
        self.data, self.targets = self._read("train" if train else "t10k")

    @property
    def raw_folder(self) -> str:
        """Where downloaded files are put."""
        return os.path.join(self.root, type(self).__name__, "raw")

    def download(self) -> None:
        """Fetch and unpack the files that are missing."""
        for name, checksum in self.files.items():
            if self._find(name) is None:
                archive = os.path.join(self.raw_folder, f"{name}.gz")
                download([f"{m}{name}.gz" for m in self.mirrors], archive, **checksum)
                _gunzip(archive, os.path.join(self.raw_folder, name))
                os.unlink(archive)

    def _find(self, name):
        for folder in (self.raw_folder, self.root):
            for file in (name, f"{name}.gz"):
                if os.path.isfile(path := os.path.join(folder, file)):
                    return path
        return None

    def _read(self, part):
        paths = [self._path(f"{part}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1")]
        images, labels = (read_idx(path) for path in paths)
        if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
            raise RuntimeError(
                f"{paths[0]} should hold uint8 images of 28 x 28 pixels, "
                f"got {images.dtype} of shape {images.shape}"
            )
        if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
            raise RuntimeError(
                f"{paths[1]} should hold {len(images)} uint8 labels, one for each image of "
                f"{paths[0]}, got {labels.dtype} of shape {labels.shape}"
            )
        if len(labels) and labels.max() >= len(self.classes):
            raise RuntimeError(f"{paths[1]} should hold labels below 10, found {labels.max()}")
        return wrap(images), wrap(labels.astype(np.int64))

    def _path(self, name):
        if (path := self._find(name)) is not None:
            return path
        raise RuntimeError(
            f"{type(self).__name__}: {name} is neither in {self.raw_folder} nor in {self.root} "
            f"(nor {name}.gz). Pass download=True, or fetch {self.mirrors[0]}{name}.gz and put it "
            "into one of these folders"
        )

    def __getitem__(self, index: int) -> tuple:
        image = wrap(self.data.numpy()[index][None].copy())
        return self._transformed(image, int(self.targets[index]))


class FashionMNIST(MNIST):
    """70,000 pictures of clothes in MNIST's format: 60,000 to train on and 10,000 held out.

    Arguments, items and files as :class:`MNIST`, under ``root/FashionMNIST/raw`` or ``root``.

    Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
    Learning Algorithms" (2017).
    """

    mirrors = _mirrors.FASHION_MNIST_MIRRORS
    files = _mirrors.FASHION_MNIST_FILES
    classes: ClassVar[list[str]] = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """Read an IDX file, or a ``.gz`` of one, as an array of its type and shape.

    The format: two zero bytes, a type, the number of dimensions, the sizes as big-endian 32-bit
    integers, the values.

    Raises:
        RuntimeError: not an IDX file, or shorter or longer than its header says.
    """
    path = os.fspath(path)
    content = _content(path)
    dtype = _TYPES.get(content[2]) if len(content) >= 4 and content[:2] == b"\0\0" else None
    if dtype is None:
        raise RuntimeError(
            f"{path} is not an IDX file: it should begin with 00 00, a type and the number of "
            f"dimensions, found {content[:4].hex(' ') or 'nothing'}"
        )
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise RuntimeError(
            f"{path} should begin with a header of {header} bytes ({content[3]} dimensions), "
            f"found {len(content)} bytes; fetch it again"
        )
    shape = tuple(np.frombuffer(content[4:header], ">u4").tolist())
    expected = header + math.prod(shape) * np.dtype(dtype).itemsize
    if len(content) != expected:
        raise RuntimeError(
            f"{path} should be {expected} bytes long by its header (shape {shape}), found "
            f"{len(content)}; fetch it again"
        )
    values = np.frombuffer(content, dtype, offset=header).reshape(shape)
    return values.astype(values.dtype.newbyteorder("="))  # memory of its own, to be written to


def _content(path):
    if path.endswith(".gz"):
        with gunzipped(path) as file:
            return file.read()
    with open(path, "rb") as file:
        return file.read()


def _gunzip(archive, path):
    import shutil

    with gunzipped(archive) as file, replacing(path) as out:
        shutil.copyfileobj(file, out)
