"""Data sets for examples, tests and first experiments.

>>> from tensorgrad import datasets
>>> images, labels = datasets.digits()
>>> images.shape, labels.shape
(torch.Size([1797, 1, 8, 8]), torch.Size([1797]))
"""

from ._digits import digits

__all__ = ["digits"]
