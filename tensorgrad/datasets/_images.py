"""What the image data sets have in common."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from ..utils.data import Dataset


class ImageDataset(Dataset):
    """Images and targets in memory, each item passed through the transforms."""

    classes: ClassVar[list[str]] = []
    data: Any
    targets: Any

    def __init__(self, root, train, transform, target_transform):
        self.root = os.path.expanduser(os.fspath(root))
        self.train = train
        self.transform = transform
        self.target_transform = target_transform

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The target of each class name."""
        return {name: i for i, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

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
            f"    Split: {'Train' if self.train else 'Test'}",
        ]
        return "\n".join(lines)
