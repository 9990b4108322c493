"""New samples between a sample and one of its nearest neighbours of the same class."""

from __future__ import annotations

import warnings

import numpy as np

from tensorgrad.errors import ArgumentError

from .._checks import check_count
from ._base import Sampler, demand_finite, random_state_of
from ._neighbours import demand_enough, nearest, nearest_mixed


class SMOTE(Sampler):
    """Synthetic minority over-sampling: ``x + u (x_nn - x)``, u uniform in [0, 1).

    Chawla, Bowyer, Hall and Kegelmeyer, "SMOTE: Synthetic Minority Over-sampling Technique", JAIR
    16 (2002). ``x`` is drawn uniformly from the class, ``x_nn`` from its ``k_neighbors`` nearest
    within the class. There is one ``u`` for each new sample, as in imbalanced-learn; the paper's
    listing draws one for each feature.

    Args:
        sampling_strategy: which classes, and how many samples they have in the end, as in
            :class:`RandomOverSampler`.
        random_state: None (a seed drawn from the default generator), an integer or a
            ``numpy.random.RandomState``. An integer starts the same draws for each class, as in
            imbalanced-learn; a RandomState goes on.
        k_neighbors: how many neighbours; 5.

    With the same ``random_state`` the samples are those of imbalanced-learn 0.14, unless several
    neighbours are at exactly the same distance. Of integer data it makes integers by cutting off
    decimals; here the result is float64.

    Raises:
        ValueError: a class has ``k_neighbors`` samples or fewer; shapes that do not fit.

    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [2.0], [10.0], [11.0]])
    >>> X_new, y_new = SMOTE(k_neighbors=1, random_state=0).fit_resample(X, [0, 0, 0, 1, 1])
    >>> y_new
    array([0, 0, 0, 1, 1, 1])
    >>> bool(10 <= X_new[-1, 0] <= 11)
    True
    """

    _interpolates = True

    def __init__(self, *, sampling_strategy="auto", random_state=None, k_neighbors: int = 5):
        self.sampling_strategy = sampling_strategy
        self.random_state = random_state
        self.k_neighbors = k_neighbors

    def _resample(self, X, y):
        name = type(self).__name__
        check_count(self.k_neighbors, f"{name}: k_neighbors", 1)
        jobs = [(c, n, np.flatnonzero(y == c)) for c, n in self.sampling_strategy_.items() if n]
        for label, _, members in jobs:
            self._demand_neighbors(X, members, label)
        seed = self.random_state
        if seed is None:
            seed = random_state_of(None)  # one for all classes
        samples, labels = [X], [y]
        for label, count, members in jobs:
            new = self._new(X, y, members, label, count, lambda: random_state_of(seed))
            samples.append(new)
            labels.append(np.full(len(new), label, y.dtype))
        return np.concatenate(samples), np.concatenate(labels)

    def _demand_neighbors(self, X, members, label):
        """Raise where a sample of a class cannot have ``k_neighbors`` neighbours."""
        name = type(self).__name__
        demand_enough(self.k_neighbors, len(members), name, "k_neighbors", label)

    def _new(self, X, y, members, label, count, generator):
        """``count`` new samples of a class. Each call of ``generator`` starts draws."""
        points = X[members]
        near = nearest(points, self.k_neighbors)
        rows, columns, u = _draw(near, count, generator())
        return _between(points[rows], points[near[rows, columns]], u)


def _draw(near, count, rng):
    """Which sample, which of its neighbours, and how far: imbalanced-learn's order of draws."""
    places = rng.randint(0, near.size, size=count)
    u = rng.uniform(size=count)[:, None]
    return places // near.shape[1], places % near.shape[1], u


def _between(x, neighbour, u):
    return (x + u * (neighbour - x)).astype(x.dtype)


class BorderlineSMOTE(SMOTE):
    """SMOTE from those samples only that lie near the border of their class.

    Han, Wang and Mao, "Borderline-SMOTE: A New Over-Sampling Method in Imbalanced Data Sets
    Learning" (2005). A sample is *in danger* if at least half, but not all, of its ``m_neighbors``
    nearest among all samples are of other classes. New samples start from those. ``borderline-1``
    goes towards neighbours of the same class; ``borderline-2`` towards neighbours of any class, and
    at most half as far where the neighbour is of another one.

    Args:
        sampling_strategy: as in :class:`RandomOverSampler`.
        random_state: as in :class:`SMOTE`.
        k_neighbors: how many neighbours new samples are made towards; 5.
        m_neighbors: how many neighbours decide about danger; 10.
        kind: ``"borderline-1"`` or ``"borderline-2"``.

    Attributes:
        in_danger_indices: class -> rows of ``X`` in danger.

    As imbalanced-learn 0.14 with the same ``random_state``, under the conditions of :class:`SMOTE`.
    A class without a sample in danger gets none, with a warning.

    Raises:
        ValueError: as :class:`SMOTE`; another ``kind``.

    >>> import numpy as np
    >>> X = np.array([[0.0], [1], [2], [3], [3.6], [4.2], [5], [6]])
    >>> y = np.array([0, 0, 0, 0, 1, 0, 1, 1])
    >>> sampler = BorderlineSMOTE(k_neighbors=1, m_neighbors=3, random_state=0)
    >>> X_new, y_new = sampler.fit_resample(X, y)
    >>> sampler.in_danger_indices
    {1: array([4])}
    """

    def __init__(
        self, *, sampling_strategy="auto", random_state=None, k_neighbors: int = 5,
        m_neighbors: int = 10, kind: str = "borderline-1",
    ):  # fmt: skip
        super().__init__(
            sampling_strategy=sampling_strategy, random_state=random_state, k_neighbors=k_neighbors
        )
        self.m_neighbors = m_neighbors
        self.kind = kind

    def _resample(self, X, y):
        name = type(self).__name__
        if self.kind not in ("borderline-1", "borderline-2"):
            raise ArgumentError(
                f"{name}: kind should be 'borderline-1' or 'borderline-2', got {self.kind!r}"
            )
        check_count(self.m_neighbors, f"{name}: m_neighbors", 1)
        demand_enough(self.m_neighbors, len(X), name, "m_neighbors")
        self.in_danger_indices = {}
        return super()._resample(X, y)

    def _demand_neighbors(self, X, members, label):
        if self.kind == "borderline-1":
            super()._demand_neighbors(X, members, label)
        else:  # neighbours may be of any class
            demand_enough(self.k_neighbors, len(X), type(self).__name__, "k_neighbors")

    def _new(self, X, y, members, label, count, generator):
        strangers = (y[nearest(X, self.m_neighbors, members)] != label).sum(1)
        danger = members[(strangers >= self.m_neighbors / 2) & (strangers < self.m_neighbors)]
        if not len(danger):
            warnings.warn(
                f"BorderlineSMOTE: no sample of class {label!r} is in danger, so none is made; "
                "use SMOTE, or another m_neighbors",
                stacklevel=5,
            )
            return X[:0]
        self.in_danger_indices[label] = danger
        if self.kind == "borderline-1":
            near = members[nearest(X[members], self.k_neighbors, np.searchsorted(members, danger))]
        else:
            near = nearest(X, self.k_neighbors, danger)
        rows, columns, u = _draw(near, count, generator())
        start, end = danger[rows], near[rows, columns]
        way = X[end] - X[start]
        if self.kind == "borderline-2":
            foreign = y[end] != label
            way[foreign] *= generator().uniform(0.0, 0.5, size=(foreign.sum(), 1))
        return (X[start] + u * way).astype(X.dtype)


class SMOTENC(SMOTE):
    """SMOTE for columns of numbers and columns of categories.

    Chawla et al. (2002), section 6.1. A category that differs adds the square of m to the squared
    distance, m the median of the class's standard deviations of the numbers. Numbers are made as
    in :class:`SMOTE`; each category is the most frequent one among the neighbours, one of them at
    random where several are.

    Args:
        categorical_features: a list of the columns of categories: indices, a mask (D,) of bools, or
            names of columns of a data frame. An integer is an index, whatever the names are.
        sampling_strategy: as in :class:`RandomOverSampler`.
        random_state: as in :class:`SMOTE`.
        k_neighbors: how many neighbours; 5.

    ``X`` may hold strings: an object array, or a data frame. In columns of categories None and nan
    are categories too. Distances are computed in blocks, not
    by a tree, and no one-hot table is made: memory grows with the samples of a class, not with the
    number of categories. As imbalanced-learn 0.14 with the same ``random_state``, under the
    conditions of :class:`SMOTE`.

    Raises:
        ValueError: no column of categories, or no column of numbers; otherwise as :class:`SMOTE`.

    >>> import numpy as np
    >>> X = np.array([[0.0, "a"], [1.0, "a"], [2.0, "b"], [9.0, "c"], [8.0, "c"]], dtype=object)
    >>> sampler = SMOTENC([1], k_neighbors=1, random_state=0)
    >>> sampler.fit_resample(X, [0, 0, 0, 1, 1])[0][-1, 1]
    'c'
    """

    def __init__(
        self, categorical_features, *, sampling_strategy="auto", random_state=None,
        k_neighbors: int = 5,
    ):  # fmt: skip
        super().__init__(
            sampling_strategy=sampling_strategy, random_state=random_state, k_neighbors=k_neighbors
        )
        self.categorical_features = categorical_features

    def fit_resample(self, X, y):
        """As :meth:`Sampler.fit_resample`; ``X`` (N, D), and its categories may be strings."""
        self._names = list(X.columns) if hasattr(X, "columns") else None
        return super().fit_resample(X, y)

    def _numbers(self, X):
        """``X`` as it is: its columns are of two kinds. Integers become floats."""
        if X.ndim != 2:
            raise ArgumentError(f"SMOTENC: X should be (N, features), got shape {X.shape}")
        return X.astype(np.float64) if X.dtype.kind in "iub" else X

    def _resample(self, X, y):
        columns = np.arange(X.shape[1])
        self.categorical_features_ = self._columns(X.shape[1])
        self.continuous_features_ = np.setdiff1d(columns, self.categorical_features_)
        for kind, have in (
            ("categories", self.categorical_features_), ("numbers", self.continuous_features_),
        ):  # fmt: skip
            if not len(have):
                raise ArgumentError(f"SMOTENC: X has no column of {kind} left; use another sampler")
        self._floats = self._continuous(X)
        found = [_coded(X[:, c], c) for c in self.categorical_features_]
        self._categories = [values for values, _ in found]
        self._codes = np.stack([codes for _, codes in found], 1)
        return super()._resample(X, y)

    def _columns(self, count):
        """The columns of categories as indices, in the order given: that of the draws."""
        if isinstance(self.categorical_features, str) or not np.iterable(self.categorical_features):
            raise ArgumentError(
                "SMOTENC: categorical_features should be a list of columns of X, got "
                f"{self.categorical_features!r}"
            )
        given = list(self.categorical_features)
        if given and all(isinstance(c, bool | np.bool_) for c in given):
            if len(given) != count:
                raise ArgumentError(
                    f"SMOTENC: categorical_features as a mask should have {count} entries, one "
                    f"for each column of X, got {len(given)}"
                )
            return np.flatnonzero(given)
        if self._names is not None:
            given = [c if isinstance(c, int | np.integer) or c not in self._names
                     else self._names.index(c) for c in given]  # fmt: skip
        known = [c for c in given if isinstance(c, int | np.integer) and -count <= c < count]
        if len(known) < len(given):
            raise ArgumentError(
                f"SMOTENC: categorical_features should be columns of X, which has {count}, got "
                f"{self.categorical_features!r}"
            )
        return np.array(list(dict.fromkeys(int(c) % count for c in known)), int)

    def _continuous(self, X):
        if X.dtype.kind in "US":  # new numbers would be cut off to the length of the longest string
            raise ArgumentError(
                f"SMOTENC: columns {self.continuous_features_.tolist()} should be numbers, got an "
                f"array of strings ({X.dtype}); pass an array of dtype object, or a data frame"
            )
        numbers = X[:, self.continuous_features_]
        if numbers.dtype.kind != "f":
            try:
                numbers = numbers.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise ArgumentError(
                    f"SMOTENC: columns {self.continuous_features_.tolist()} should be numbers: "
                    f"{error}; name columns of categories in categorical_features"
                ) from None
        demand_finite(numbers, "SMOTENC")
        return numbers

    def _new(self, X, y, members, label, count, generator):
        numbers, codes = self._floats[members], self._codes[members]
        m = np.median(numbers.std(axis=0))
        near = nearest_mixed(numbers, codes, m * m, self.k_neighbors)
        rows, columns, u = _draw(near, count, generator())
        new = np.empty((count, X.shape[1]), X.dtype)
        new[:, self.continuous_features_] = _between(numbers[rows], numbers[near[rows, columns]], u)
        rng = generator()
        for column, values, code in zip(
            self.categorical_features_, self._categories, codes.T, strict=True
        ):
            new[:, column] = values[_most_frequent(code[near[rows]], rng)]
        return new

    def _new_columns(self, count):
        return np.isin(np.arange(count), self.continuous_features_)


def _coded(values, column):
    """Sorted categories of a column, then None, then nan; and the number of each one's."""
    if values.dtype.kind != "O":
        return np.unique(values, return_inverse=True)
    none = np.array([v is None for v in values])
    nan = ~none & np.array([_is_nan(v) for v in values])
    known = ~(none | nan)
    try:
        categories, found = np.unique(values[known], return_inverse=True)
    except TypeError as error:
        raise ArgumentError(
            f"SMOTENC: column {column} holds categories of several types: {error}; make them "
            "all strings, or all numbers"
        ) from None
    codes = np.empty(len(values), np.intp)
    codes[known] = found
    for missing in (none, nan):
        if missing.any():
            codes[missing] = len(categories)
            categories = np.append(categories, values[missing][:1])
    return categories, codes


def _is_nan(value):
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA
        return True


def _most_frequent(codes, rng):
    """The most frequent code of each row (N, k), ties decided by chance."""
    codes = np.sort(codes, axis=1)
    counts = (codes[:, :, None] == codes[:, None, :]).sum(2)
    first = np.ones(codes.shape, bool)
    first[:, 1:] = codes[:, 1:] != codes[:, :-1]
    # imbalanced-learn's way to draw: shuffle all candidates, take the first of each row.
    candidates = np.argwhere(first & (counts == counts.max(axis=1, keepdims=True)))
    candidates = rng.permutation(candidates)
    _, taken = np.unique(candidates[:, 0], return_index=True)
    return codes[np.arange(len(codes)), candidates[taken, 1]]
