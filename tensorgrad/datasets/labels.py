"""Labels in the form that a loss wants: one-hot, 0 and 1, -1 and +1; and weights of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._graph import wrap
from ..dtypes import to_numpy
from ..ops.index import one_hot as _one_hot
from ._arrays import Data, check_finite, check_lengths, same_kind, to_array

_KNOWN = ((0, 1), (-1, 1))  # pairs of labels that are known even where only one occurs


def one_hot(labels: Data, num_classes: int = -1, dtype: Any = None) -> Data:
    """A 1 at the place of each class number, 0 elsewhere, along a new last dimension.

    :func:`tensorgrad.one_hot` for arrays and tensors of any integers, and as floating-point
    numbers, which losses take as probabilities. ``argmax(-1)`` is the way back.

    Args:
        labels: class numbers from 0.
        num_classes: one more than the greatest number by default.
        dtype: of the result, the default dtype if None.

    Raises:
        RuntimeError: no integers, or a number below 0 or not below ``num_classes``.

    >>> import numpy as np
    >>> one_hot(np.array([0, 2]))
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    array = to_array(labels)
    if array.dtype.kind in "iu":
        array = array.astype(np.int64)
    hot = _one_hot(wrap(array), num_classes)._array
    return same_kind(labels, hot.astype(to_numpy(dtype)))


def zero_one(labels: Data, positive: Any = None, dtype: Any = None) -> Data:
    """Labels of two classes as 0 and 1, for the losses of a logistic output.

    Args:
        labels: numbers, booleans or (in an array) texts; of one class or two.
        positive: the label that becomes 1. By default the greater of the two; where only one
            occurs it must be 0, 1 or -1 to be understood.
        dtype: of the result, the default dtype if None.

    Raises:
        ValueError: more than two classes, nan, or one class that says not which it is.

    >>> import numpy as np
    >>> zero_one(np.array([-1, 1, 1])), zero_one(np.array(["no", "yes"]))
    (array([0., 1., 1.], dtype=float32), array([0., 1.], dtype=float32))
    """
    return same_kind(labels, _positive("zero_one", labels, positive).astype(to_numpy(dtype)))


def plus_minus_one(labels: Data, positive: Any = None, dtype: Any = None) -> Data:
    """Labels of two classes as -1 and +1, for hinge losses and tanh outputs.

    Arguments and errors as in :func:`zero_one`, which is the way back.

    >>> import numpy as np
    >>> plus_minus_one(np.array([0, 1, 1]))
    array([-1.,  1.,  1.], dtype=float32)
    """
    signs = np.where(_positive("plus_minus_one", labels, positive), 1, -1)
    return same_kind(labels, signs.astype(to_numpy(dtype)))


def class_weights(labels: Data, num_classes: int | None = None, dtype: Any = None) -> Data:
    """A weight for each class, so that all weigh the same in a loss.

    ``N / (K * count)``, the ``"balanced"`` weights of scikit-learn (King and Zeng, "Logistic
    Regression in Rare Events Data", 2001). Class k has its weight at place k, where
    ``cross_entropy(weight=...)`` looks for it. The mean weight of a sample is 1.

    Args:
        labels: class numbers from 0, of shape (N,).
        num_classes: K, by default one more than the greatest number.
        dtype: of the result, the default dtype if None.

    Returns:
        K weights, of the kind of ``labels``.

    Raises:
        ValueError: a class without a sample, whose weight would be infinite; labels that are no
            class numbers below ``num_classes``; or none at all.

    >>> import numpy as np
    >>> class_weights(np.array([0, 0, 0, 1]))
    array([0.6666667, 2.       ], dtype=float32)
    """
    check_lengths("class_weights", labels)
    array = to_array(labels)
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.min() < 0:
        raise ValueError(
            "class_weights expects class numbers from 0 in one dimension, got "
            f"{array.dtype} of shape {array.shape}"
            + (f" with {array.min()}" if array.dtype.kind in "iu" else "")
        )
    counts = np.bincount(array, minlength=num_classes or 0)
    if num_classes is not None and len(counts) > num_classes:
        raise ValueError(f"class_weights: label {array.max()} is not below {num_classes} classes")
    if not counts.all():
        raise ValueError(
            f"class {int(np.argmin(counts))} has no samples, so that its weight would be "
            "infinite; number the classes without gaps"
        )
    weights = len(array) / (len(counts) * counts)
    return same_kind(labels, weights.astype(to_numpy(dtype)))


def _positive(name, labels, positive):
    """Where the label is the positive one."""
    array = to_array(labels)
    check_finite(array, name)
    found = np.unique(array).tolist()
    if len(found) > 2:
        raise ValueError(f"{name} expects two classes, got {len(found)}: {_some(found)}")
    if positive is None:
        positive = _greater(name, found)
    elif len(found) == 2 and positive not in found:
        raise ValueError(f"{name}: the positive label {positive!r} is not among {found}")
    return array == positive


def _greater(name, found):
    if len(found) == 2:
        return found[1]
    for pair in _KNOWN:
        if set(found) <= set(pair):
            return pair[1]
    raise ValueError(f"{name}: {found[0]!r} is the only label; pass positive=")


def _some(values):
    return ", ".join(map(repr, values[:5])) + (", ..." if len(values) > 5 else "")
