"""Nearest neighbours, without the sample itself."""

from __future__ import annotations

import numpy as np

from tensorgrad.errors import ArgumentError


def demand_enough(k, count, name, argument, label=None):
    """Raise where ``count`` samples cannot have ``k`` neighbours each.

    The number is never lowered in silence: that would be another method.
    """
    if count > k:
        return
    which = "X" if label is None else f"class {label!r}"
    remedy = f"pass {argument}={count - 1} or fewer" if count > 1 else "it has no neighbours"
    also = "" if label is None else ", or leave the class out with sampling_strategy"
    raise ArgumentError(
        f"{name}: {argument}={k} needs at least {k + 1} samples, but {which} has {count}; "
        f"{remedy}{also}"
    )


def nearest(points, k, of=None) -> np.ndarray:
    """Indices (M, k) of the points nearest to each of ``points[of]``, itself left out.

    Args:
        points: (N, D), N > k.
        k: how many.
        of: indices (M,) of the points asked about; all by default.
    """
    from scipy.spatial import cKDTree

    of = np.arange(len(points)) if of is None else of
    _, found = cKDTree(points).query(points[of], k + 1)
    return _without(found, of)


def nearest_mixed(numbers, codes, weight, k, block=256) -> np.ndarray:
    """As :func:`nearest` by squared distance of numbers plus ``weight`` for each code that differs.

    In blocks of rows, so that memory is block x N and no one-hot table is ever made.
    """
    from scipy.spatial.distance import cdist

    found = np.empty((len(numbers), k + 1), np.intp)
    for start in range(0, len(numbers), block):
        rows = slice(start, start + block)
        distance = cdist(numbers[rows], numbers, "sqeuclidean")
        distance += cdist(codes[rows], codes, "hamming") * (weight * codes.shape[1])
        part = np.argpartition(distance, k, axis=1)[:, : k + 1]
        order = np.argsort(np.take_along_axis(distance, part, 1), axis=1, kind="stable")
        found[rows] = np.take_along_axis(part, order, 1)
    return _without(found, np.arange(len(numbers)))


def _without(found, of):
    """Drop each row's own index; the last one where more than k twins of it were found."""
    others = found != of[:, None]
    others[others.all(1), -1] = False
    return found[others].reshape(len(of), found.shape[1] - 1)
