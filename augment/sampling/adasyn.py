"""More new samples where a class is hard to learn."""

from __future__ import annotations

import numpy as np

from tensorgrad.errors import ArgumentError

from .._checks import check_count
from ._base import Sampler, random_state_of
from ._neighbours import demand_enough, nearest
from .smote import _between


class ADASYN(Sampler):
    """Adaptive synthetic sampling: samples among many strangers start more new ones.

    He, Bai, Garcia and Li, "ADASYN: Adaptive Synthetic Sampling Approach for Imbalanced Learning"
    (2008). Sample i starts ``round(r_i / sum(r) G)`` of the G new samples, ``r_i`` the share of
    other classes among its ``n_neighbors`` nearest of all samples. Each is made as in
    :class:`SMOTE`, between it and a neighbour of its class. Because of the rounding the class may
    end with a few samples more or fewer than asked for.

    Args:
        sampling_strategy: as in :class:`RandomOverSampler`.
        random_state: None (a seed drawn from the default generator), an integer or a
            ``numpy.random.RandomState``.
        n_neighbors: how many neighbours; 5.

    As imbalanced-learn 0.14 with the same ``random_state``, under the conditions of :class:`SMOTE`.

    Raises:
        RuntimeError: no sample of a class has a neighbour of another one: there is nothing to
            adapt to.
        ValueError: a class has ``n_neighbors`` samples or fewer; shapes that do not fit.

    >>> import numpy as np
    >>> X = np.array([[0.0], [1], [2], [3], [3.6], [4.2], [5], [6]])
    >>> y = np.array([0, 0, 0, 0, 1, 0, 1, 1])
    >>> X_new, y_new = ADASYN(n_neighbors=2, random_state=0).fit_resample(X, y)
    >>> np.bincount(y_new)
    array([5, 4])
    """

    _interpolates = True

    def __init__(self, *, sampling_strategy="auto", random_state=None, n_neighbors: int = 5):
        self.sampling_strategy = sampling_strategy
        self.random_state = random_state
        self.n_neighbors = n_neighbors

    def _resample(self, X, y):
        check_count(self.n_neighbors, "ADASYN: n_neighbors", 1)
        rng = random_state_of(self.random_state)
        wanted = [(c, n, np.flatnonzero(y == c)) for c, n in self.sampling_strategy_.items() if n]
        for label, _, members in wanted:
            demand_enough(self.n_neighbors, len(members), "ADASYN", "n_neighbors", label)
        jobs = [(c, X[members], self._starts(X, y, members, c, n)) for c, n, members in wanted]
        samples, labels = [X], [y]
        for label, points, starts in jobs:
            new = self._new(points, starts, rng)
            samples.append(new)
            labels.append(np.full(len(new), label, y.dtype))
        return np.concatenate(samples), np.concatenate(labels)

    def _starts(self, X, y, members, label, count):
        """How many of ``count`` new samples each sample of the class starts."""
        strangers = (y[nearest(X, self.n_neighbors, members)] != label).mean(1)
        if not strangers.any():
            raise RuntimeError(
                f"ADASYN: no sample of class {label!r} has a neighbour of another class, so there "
                "is nothing to adapt to; use SMOTE, or a larger n_neighbors"
            )
        starts = np.rint(strangers / strangers.sum() * count).astype(int)
        if not starts.any():
            raise ArgumentError(
                f"ADASYN: {count} new samples shared among {len(members)} round to none; ask for "
                "more with sampling_strategy"
            )
        return starts

    def _new(self, points, starts, rng):
        near = nearest(points, self.n_neighbors)
        rows = np.repeat(np.arange(len(points)), starts)
        columns = rng.choice(self.n_neighbors, size=len(rows))
        u = rng.uniform(size=(len(rows), 1))
        return _between(points[rows], points[near[rows, columns]], u)
