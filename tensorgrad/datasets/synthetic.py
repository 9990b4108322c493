"""Small problems to try models on, made from a seed: a curve, and classes in the plane.

Each generator has a random stream of its own: the same ``n``, ``noise`` and ``seed`` give the
same samples, and the default generator is left alone. Samples come in random order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .._graph import Tensor, wrap
from ..kernels import sampling
from ..random import Generator
from ._arrays import order_of
from .splits import checked_fractions, largest_remainder

_COIN_SIDE = math.sqrt(1 / 3)  # half a side of the square hole
_COIN_RADIUS = math.sqrt(8 / (3 * math.pi))


def curve(n: int = 200, noise: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The compound sine ``y = 4 sin(t) / pi + 4 sin(5 t) / (5 pi)`` with noise.

    Two terms of the Fourier series of a square wave. With few samples and some noise a large
    network overfits it visibly.

    Args:
        n: number of samples, at least 1.
        noise: standard deviation of what is added to ``y``, at least 0.
        seed: an integer.

    Returns:
        ``t`` uniform in [0, 2 pi), and ``y``: float32 of shape (n, 1).

    Raises:
        ValueError: ``n`` or ``noise`` below their least values.
        TypeError: ``n`` is no integer.

    >>> t, y = curve(5, noise=0.0)
    >>> t.shape, y.shape
    (torch.Size([5, 1]), torch.Size([5, 1]))
    """
    generator = _start("curve", n, noise, seed)
    t = sampling.uniform(generator, (n, 1), 0.0, 2 * math.pi)
    y = 4 * np.sin(t, dtype=np.float64) / math.pi
    y += 4 * np.sin(5 * t.astype(np.float64)) / (5 * math.pi)
    return wrap(t), wrap((y + _noise(generator, y.shape, noise)).astype(np.float32))


def arcs(n: int = 200, noise: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two half circles that reach into one another, scikit-learn's ``make_moons``.

    Class 0 is ``(cos t, sin t)``, class 1 ``(1 - cos t, 1/2 - sin t)``, with t uniform in
    [0, pi]. Half of the samples each; class 0 has one more if ``n`` is odd.

    Args:
        n: number of samples, at least 2.
        noise: standard deviation of what is added to both coordinates, at least 0.
        seed: an integer.

    Returns:
        float32 points of shape (n, 2), and int64 classes of shape (n,).

    Raises:
        ValueError: ``n`` or ``noise`` below their least values.
        TypeError: ``n`` is no integer.

    >>> x, y = arcs(100)
    >>> x.shape, y.bincount()
    (torch.Size([100, 2]), tensor([50, 50]))
    """
    generator = _start("arcs", n, noise, seed, least=2)
    y = np.arange(n) % 2
    t = sampling.uniform(generator, (n,), 0.0, math.pi, np.float64)
    upper = np.stack([np.cos(t), np.sin(t)], 1)
    return _points(generator, np.where(y[:, None] == 0, upper, [1.0, 0.5] - upper), y, noise)


def xor(n: int = 200, noise: float = 0.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Exclusive or: class 1 where the two coordinates have different signs.

    Uniform in [-1, 1] x [-1, 1], a quarter of the samples in each quadrant; class 0 first if
    ``n`` is no multiple of four. Noise moves points after they got their class.

    Arguments, results and errors as in :func:`arcs`.

    >>> x, y = xor(100)
    >>> ((x[:, 0] * x[:, 1] < 0) == (y == 1)).all()
    tensor(True)
    """
    generator = _start("xor", n, noise, seed, least=2)
    y = np.arange(n) % 2
    first = np.where(np.arange(n) % 4 < 2, 1.0, -1.0)
    signs = np.stack([first, np.where(y == 0, first, -first)], 1)
    size = 1.0 - sampling.uniform(generator, (n, 2), 0.0, 1.0)  # in (0, 1]: no point on an axis
    return _points(generator, signs * size, y, noise)


def spirals(
    n: int = 200, noise: float = 0.02, seed: int = 0, *, classes: int = 2, turns: float = 1.5
) -> tuple[Tensor, Tensor]:
    """Spirals around the origin, one for each class, that none of a few lines can part.

    A point of class k is at radius r, uniform in [0.1, 1], and angle
    ``2 pi (turns r + k / classes)``.

    Args:
        n: number of samples, at least one for each class; the first classes have one more if
            ``n`` is no multiple of their number.
        noise: standard deviation of what is added to both coordinates, at least 0.
        seed: an integer.
        classes: number of spirals, at least 2.
        turns: how often each goes around.

    Results and errors as in :func:`arcs`.

    >>> x, y = spirals(90, classes=3)
    >>> y.bincount()
    tensor([30, 30, 30])
    """
    if classes < 2:
        raise ValueError(f"spirals: classes should be at least 2, got {classes}")
    generator = _start("spirals", n, noise, seed, least=classes)
    y = np.arange(n) % classes
    r = sampling.uniform(generator, (n,), 0.1, 1.0, np.float64)
    return _points(generator, _polar(r, turns * r + y / classes), y, noise)


def two_rings(
    n: int = 200, noise: float = 0.05, seed: int = 0, *, factor: float = 0.5
) -> tuple[Tensor, Tensor]:
    """A circle inside another, scikit-learn's ``make_circles``: class 0 outside, 1 inside.

    Radius 1 and ``factor``, which lies between 0 and 1; angles are uniform. Other arguments,
    results and errors as in :func:`arcs`.

    >>> x, y = two_rings(10, noise=0.0)
    >>> x.norm(dim=1)[y == 1]
    tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000])
    """
    if not 0 < factor < 1:
        raise ValueError(f"two_rings: factor should be between 0 and 1, got {factor}")
    generator = _start("two_rings", n, noise, seed, least=2)
    y = np.arange(n) % 2
    angle = sampling.uniform(generator, (n,), 0.0, 1.0, np.float64)
    return _points(generator, _polar(np.where(y == 0, 1.0, factor), angle), y, noise)


def three_classes(n: int = 300, noise: float = 0.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A coin with a square hole: three regions of the plane, of which no line parts two.

    Uniform in [-1, 1] x [-1, 1]: class 0 in the hole, whose side is 2 sqrt(1/3); class 1 on the
    coin, a circle of radius sqrt(8 / (3 pi)); class 2 around it. The three areas are equal, so
    that each class has about a third of the samples. Noise moves points after they got their
    class.

    Arguments, results and errors as in :func:`arcs`, with ``n`` at least 1.

    >>> x, y = three_classes(3000)
    >>> y.bincount()
    tensor([1044,  971,  985])
    """
    generator = _start("three_classes", n, noise, seed)
    x = sampling.uniform(generator, (n, 2), -1.0, 1.0)
    in_hole = (np.abs(x) < _COIN_SIDE).all(1)
    on_coin = np.hypot(x[:, 0], x[:, 1]) < _COIN_RADIUS
    return _points(generator, x, np.where(in_hole, 0, np.where(on_coin, 1, 2)), noise)


def blobs(
    n: int = 300,
    noise: float = 0.4,
    seed: int = 0,
    *,
    weights: Sequence[float] = (0.8, 0.15, 0.05),
) -> tuple[Tensor, Tensor]:
    """Clouds of points of unequal size: classes that are imbalanced.

    Class k has the share ``weights[k]`` of the samples, rounded by largest remainder, normally
    distributed around ``(cos a, sin a)`` with ``a = 2 pi k / len(weights)``.

    Args:
        n: number of samples, enough for at least one in each class.
        noise: standard deviation of each cloud in both directions, at least 0.
        seed: an integer.
        weights: the share of each class, above 0 and with sum 1.

    Results and errors as in :func:`arcs`.

    >>> x, y = blobs(100, weights=(0.9, 0.1))
    >>> y.bincount()
    tensor([90, 10])
    """
    shares = checked_fractions(weights, "weights")
    generator = _start("blobs", n, noise, seed, least=len(shares))
    counts = largest_remainder(n, shares)
    if not counts.all():
        raise ValueError(f"blobs: {n} samples are too few for classes of {tuple(weights)}")
    y = np.repeat(np.arange(len(shares)), counts)
    return _points(generator, _polar(1.0, y / len(shares)), y, noise)


def _start(name, n, noise, seed, least=1):
    if isinstance(n, bool) or not isinstance(n, int | np.integer):
        raise TypeError(f"{name}: n should be an integer, got {type(n).__name__}")
    if n < least:
        raise ValueError(f"{name}: n should be at least {least}, got {n}")
    if not 0 <= noise < math.inf:
        raise ValueError(f"{name}: noise should be at least 0, got {noise}")
    return Generator().manual_seed(seed)


def _polar(radius, turns):
    angle = 2 * np.pi * turns
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _noise(generator, shape, noise):
    return sampling.normal(generator, shape, 0.0, float(noise), np.float64)


def _points(generator, x, y, noise):
    """Points and classes in random order."""
    order = order_of(len(y), generator)
    x = (x + _noise(generator, x.shape, noise)).astype(np.float32)
    return wrap(x[order]), wrap(y.astype(np.int64)[order])
