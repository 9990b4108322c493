"""Images in folders that are named for their classes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._graph import Tensor, wrap
from ..errors import missing
from ._images import Transformed

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


class ImageFolder(Transformed):
    """Images at ``root/class/name.png``, also in folders further down; torchvision's class.

    Args:
        root: the folder of the class folders.
        transform: called on each image; its result is what an item holds.
        target_transform: called on each target.
        loader: makes an image of a path. By default :func:`tensor_loader`; :func:`pil_loader`
            makes the Pillow image that torchvision's items hold.
        is_valid_file: called on each path; takes only those for which it is true, instead of
            those with one of the ``extensions``.
        allow_empty: whether a class folder may hold no images.
        extensions: of the files to take, in any case.

    Item ``i`` is ``(image, target)``: by default a uint8 tensor of shape (3, height, width), and
    an int. Images are read when asked for, with Pillow (``pip install "tensorgrad[image]"``).

    Attributes:
        classes: the names of the class folders, sorted.
        class_to_idx: the target of each class name.
        samples: pairs ``(path, target)``, sorted by class and path; ``imgs`` is the same list.
        targets: the targets alone.

    Raises:
        FileNotFoundError: no folder, no class folder, or a class without images.
        RuntimeError: (of an item) a file that is cut off or no image; the message names it.
        ValueError: both ``extensions`` and ``is_valid_file`` are given.

    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("cat/1.png", "cat/2.PNG", "dog/1.png", "dog/notes.txt"):
    ...         os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
    ...         open(f"{root}/{name}", "wb").close()
    ...     data = ImageFolder(root)
    >>> len(data), data.class_to_idx, data.targets
    (3, {'cat': 0, 'dog': 1}, [0, 0, 1])
    """

    def __init__(
        self,
        root: str | os.PathLike,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        loader: Callable[[str], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
        extensions: str | Sequence[str] | None = None,
    ) -> None:
        super().__init__(root, transform, target_transform)
        self.loader = tensor_loader if loader is None else loader
        self.classes, self.class_to_idx = find_classes(self.root)
        takes = _filter(extensions, is_valid_file)
        self.samples = [
            (path, target)
            for name, target in self.class_to_idx.items()
            for path in _files(os.path.join(self.root, name))
            if takes(path)
        ]
        self.targets = [target for _, target in self.samples]
        empty = [] if allow_empty else sorted(set(range(len(self.classes))) - set(self.targets))
        if empty:
            looked = f"files ending in {', '.join(_endings(extensions))}"
            raise FileNotFoundError(
                f"{self.root}: found no images for the classes "
                f"{', '.join(self.classes[i] for i in empty)}; looked for "
                f"{looked if is_valid_file is None else 'what is_valid_file takes'}; pass "
                "allow_empty=True to go on without"
            )

    @property
    def imgs(self) -> list[tuple[str, int]]:
        """The same as ``samples``, torchvision's older name."""
        return self.samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple:
        path, target = self.samples[index]
        return self._transformed(self.loader(path), target)


def find_classes(directory: str | os.PathLike) -> tuple[list[str], dict[str, int]]:
    """The names of the folders in a folder, sorted, and the number of each.

    Raises:
        FileNotFoundError: no such folder, or no folder in it.
    """
    with os.scandir(directory) as entries:
        classes = sorted(entry.name for entry in entries if entry.is_dir())
    if not classes:
        raise FileNotFoundError(
            f"{os.fspath(directory)} holds no class folders; images are expected in "
            "folders named for their classes"
        )
    return classes, {name: i for i, name in enumerate(classes)}


def pil_loader(path: str | os.PathLike) -> Any:
    """Read an image as a Pillow image of mode RGB.

    Raises:
        ImportError: Pillow is not installed.
        FileNotFoundError: no such file.
        RuntimeError: it is cut off, no image, or has more than eight bits a channel, which RGB
            would clip.
    """
    try:
        from PIL import Image
    except ImportError:
        raise missing("Pillow", "image", "reading images") from None
    path = os.fspath(path)
    with open(path, "rb") as file:
        try:
            image = Image.open(file)
            if image.mode[0] not in "IF":
                return image.convert("RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise RuntimeError(f"{path} cannot be read as an image: {error}") from error
    raise RuntimeError(
        f"{path} has more than eight bits a channel, which RGB would clip; pass a loader= of "
        "your own"
    )


def tensor_loader(path: str | os.PathLike) -> Tensor:
    """Read an image as a uint8 tensor of shape (3, height, width): red, green and blue.

    Errors as in :func:`pil_loader`.
    """
    return wrap(np.ascontiguousarray(np.moveaxis(np.asarray(pil_loader(path)), -1, 0)))


def _endings(extensions):
    endings = IMG_EXTENSIONS if extensions is None else extensions
    return (endings,) if isinstance(endings, str) else tuple(endings)


def _filter(extensions, is_valid_file):
    if is_valid_file is None:
        endings = tuple(e.lower() for e in _endings(extensions))
        return lambda path: path.lower().endswith(endings)
    if extensions is not None:
        raise ValueError("pass extensions or is_valid_file, not both")
    return is_valid_file


def _files(folder):
    for root, _, names in sorted(os.walk(folder, followlinks=True)):
        yield from (os.path.join(root, name) for name in sorted(names))
