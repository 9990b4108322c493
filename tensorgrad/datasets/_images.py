"""What the image data sets have in common, and their arrays as a whole."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np

from .._graph import Tensor, wrap
from ..utils.data import Dataset
from ._arrays import to_array


class Transformed(Dataset):
    """Items of a folder, image and target each passed through its transform."""

    def __init__(self, root, transform, target_transform):
        self.root = os.path.expanduser(os.fspath(root))
        self.transform = transform
        self.target_transform = target_transform

    def _transformed(self, image, target):
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __repr__(self) -> str:
        lines = [
            f"Dataset {type(self).__name__}",
            f"    Number of datapoints: {len(self)}",
            f"    Root location: {self.root}",
        ]
        return "\n".join(lines)


class ImageDataset(Transformed):
    """Images and targets in memory, of a training and a test part."""

    classes: ClassVar[list[str]] = []
    data: Any
    targets: Any

    def __init__(self, root, train, transform, target_transform):
        super().__init__(root, transform, target_transform)
        self.train = train

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The target of each class name."""
        return {name: i for i, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n    Split: {'Train' if self.train else 'Test'}"


def as_images(dataset: ImageDataset) -> tuple[Tensor, Tensor]:
    """All images and labels of MNIST, Fashion-MNIST or CIFAR-10, for a convolutional network.

    Args:
        dataset: one of these, without transforms, which work on items.

    Returns:
        Images, float32 of shape (N, channels, height, width) in [0, 1]: pixels divided by 255.
        Labels, int64 of shape (N,). New memory.

    Raises:
        TypeError: another dataset.
        ValueError: it has a transform.

    >>> x, y = as_images(MNIST("data"))  # doctest: +SKIP
    >>> x.shape, y.shape  # doctest: +SKIP
    (torch.Size([60000, 1, 28, 28]), torch.Size([60000]))
    """
    if not isinstance(dataset, ImageDataset):
        raise TypeError(f"expected MNIST, FashionMNIST or CIFAR10, got {type(dataset).__name__}")
    if dataset.transform is not None or dataset.target_transform is not None:
        raise ValueError(
            f"{type(dataset).__name__} has a transform, which works on items, one at a time; "
            "make the data set without, or use a DataLoader"
        )
    pixels = to_array(dataset.data)
    planes = pixels[:, None] if pixels.ndim == 3 else np.moveaxis(pixels, -1, 1)
    x = np.divide(planes, np.float32(255), dtype=np.float32, order="C")
    return wrap(x), wrap(np.array(to_array(dataset.targets), np.int64))


def as_vectors(dataset: ImageDataset) -> tuple[Tensor, Tensor]:
    """As :func:`as_images`, each image as one row of numbers, for a network of linear layers.

    A row of MNIST has 784 numbers; one of CIFAR-10 has 3,072: the red, the green and the blue
    plane.

    >>> x, y = as_vectors(MNIST("data"))  # doctest: +SKIP
    >>> x.shape  # doctest: +SKIP
    torch.Size([60000, 784])
    """
    x, y = as_images(dataset)
    return x.flatten(1), y
