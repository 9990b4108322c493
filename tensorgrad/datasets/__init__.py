"""Data sets for examples, tests and first experiments.

:func:`digits` is embedded in the package. :class:`MNIST`, :class:`FashionMNIST` and
:class:`CIFAR10` read the published files from a folder, and download them when asked to.

>>> from tensorgrad import datasets
>>> images, labels = datasets.digits()
>>> images.shape, labels.shape
(torch.Size([1797, 1, 8, 8]), torch.Size([1797]))
"""

from ._digits import digits
from .cifar import CIFAR10
from .mnist import MNIST, FashionMNIST, read_idx

__all__ = ["CIFAR10", "MNIST", "FashionMNIST", "digits", "read_idx"]
