"""Data sets for examples, tests and first experiments; readers, and the preparation of data.

- Data sets: :func:`digits` is embedded in the package. :class:`MNIST`, :class:`FashionMNIST` and
  :class:`CIFAR10` read the published files from a folder, and download them when asked to;
  :func:`as_images` and :func:`as_vectors` give their images as one tensor.
- Readers: :func:`read_csv`, :func:`read_npz`, :func:`read_idx`, :class:`ImageFolder`. What is
  wrong in a file is an error that names the file, and the row and the column.
- Preparation, of arrays or tensors: :func:`split`, :func:`shuffle`, :func:`normalize_x`,
  :func:`normalize_y`, :func:`one_hot`, :func:`zero_one`, :func:`plus_minus_one`,
  :func:`class_weights`.
- Small problems from a seed: :func:`curve`, :func:`arcs`, :func:`xor`, :func:`spirals`,
  :func:`two_rings`, :func:`three_classes`, :func:`blobs`.

>>> from tensorgrad import datasets
>>> images, labels = datasets.digits()
>>> images.shape, labels.shape
(torch.Size([1797, 1, 8, 8]), torch.Size([1797]))
>>> parts = datasets.split(images, labels, (0.8, 0.1, 0.1), seed=0)
>>> [len(y) for x, y in parts]
[1438, 180, 179]
"""

from ._digits import digits
from ._images import as_images, as_vectors
from .cifar import CIFAR10
from .folder import ImageFolder
from .labels import class_weights, one_hot, plus_minus_one, zero_one
from .mnist import MNIST, FashionMNIST, read_idx
from .normalize import (
    MinMaxNormalizer,
    Normalizer,
    StandardNormalizer,
    normalize_x,
    normalize_y,
)
from .npz import read_npz
from .splits import shuffle, split, split_indices
from .synthetic import arcs, blobs, curve, spirals, three_classes, two_rings, xor
from .table import Table, read_csv

__all__ = [
    "CIFAR10", "MNIST", "FashionMNIST", "ImageFolder", "MinMaxNormalizer", "Normalizer",
    "StandardNormalizer", "Table", "arcs", "as_images", "as_vectors", "blobs", "class_weights",
    "curve", "digits", "normalize_x", "normalize_y", "one_hot", "plus_minus_one", "read_csv",
    "read_idx", "read_npz", "shuffle", "spirals", "split", "split_indices", "three_classes",
    "two_rings", "xor", "zero_one",
]  # fmt: skip
