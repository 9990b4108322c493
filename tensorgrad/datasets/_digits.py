"""The handwritten digits that come with the package; ``data/digits.md`` says where from."""

from __future__ import annotations

import numpy as np

from .._graph import Tensor, wrap

_SPLITS = (None, "train", "test")


def digits(
    *, split: str | None = None, seed: int = 0, flat: bool = False, as_tensor: bool = True
) -> tuple[Tensor, Tensor] | tuple[np.ndarray, np.ndarray]:
    """Return the 1,797 handwritten digits of the UCI repository: images of 8 x 8 pixels and labels.

    They are embedded in the package: no download, a few milliseconds. Alpaydin and Kaynak,
    "Optical Recognition of Handwritten Digits" (1998), test part; licence CC BY 4.0. About 180
    images of each digit, written by 13 people. The file does not say who wrote which, so the same
    hands are in both parts of the split: it measures new digits, not new writers.

    Args:
        split: None for all in the order of the file; ``"test"`` for the held-out fifth (360
            images), ``"train"`` for the other 1,437, both in random order.
        seed: which images are held out, at least 0. The same seed gives the same two parts on
            every machine and with every version of NumPy.
        flat: rows of 64 pixels instead of images.
        as_tensor: False for ndarrays.

    Returns:
        ``(images, labels)``: float32 in [0, 1], 0 is paper, a multiple of 1/16, of shape
        (N, 1, 8, 8) or (N, 64); int64 in 0..9 of shape (N,). New memory at every call.

    Raises:
        ValueError: an unknown split, or a negative seed.
        TypeError: the seed is not an integer.

    >>> from tensorgrad.datasets import digits
    >>> x, y = digits(split="train", flat=True)
    >>> x_test, y_test = digits(split="test", flat=True)
    >>> x.shape, x_test.shape
    (torch.Size([1437, 64]), torch.Size([360, 64]))
    """
    if split not in _SPLITS:
        raise ValueError(f"split should be one of {', '.join(map(repr, _SPLITS))}, got {split!r}")
    images, labels = _load()
    if split is not None:
        chosen = _split(len(labels), seed)[split]
        images, labels = images[chosen], labels[chosen]
    x = images.astype(np.float32) / np.float32(16)
    x = x.reshape(len(x), 64) if flat else x[:, None]
    y = labels.astype(np.int64)
    return (wrap(x), wrap(y)) if as_tensor else (x, y)


def _load():
    from importlib import resources

    path = resources.files(__package__) / "data" / "digits.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"]


def _split(count, seed):
    """Return the indices of both parts.

    Raw words of the bit generator, because NumPy promises that those never change; the methods of
    its Generator may.
    """
    if seed < 0:
        raise ValueError(f"seed should be at least 0, got {seed}")
    order = np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable")
    held_out = -(-count // 5)
    return {"test": order[:held_out], "train": order[held_out:]}
