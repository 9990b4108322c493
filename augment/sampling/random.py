"""Draw samples again, or fewer of them."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np

from tensorgrad.errors import ArgumentError

from ._base import Sampler, demand_finite, random_state_of


class RandomOverSampler(Sampler):
    """Draw samples of the small classes again, with replacement.

    Args:
        sampling_strategy: which classes, and how many samples they have in the end. A number in
            (0, 1] (two classes): size of the small class over that of the large one. A name:
            ``"minority"``, ``"not minority"``, ``"not majority"``, ``"all"``, ``"auto"`` ("not
            majority"); each grows to the size of the largest. A dict from class to size, or a
            function of ``y`` that returns one.
        random_state: None (a seed drawn from the default generator), an integer or a
            ``numpy.random.RandomState``.
        shrinkage: None, or the factor of a smoothed bootstrap, at least 0: normal noise is added
            to the new samples, of the class's standard deviation in each feature times
            ``shrinkage`` times ``(4 / ((D + 2) N)) ** (1 / (D + 4))`` (Menardi and Torelli,
            "Training and assessing classification rules with imbalanced data", 2014). A dict gives
            each class its own. Integers become float64; imbalanced-learn makes that of float32 too.

    Attributes:
        sample_indices_: which row of ``X`` each result was drawn from.

    The draws are those of imbalanced-learn 0.14 with the same ``random_state``.

    Raises:
        ValueError: an argument out of range.

    >>> import numpy as np
    >>> X, y = np.arange(5.0)[:, None], np.array(["a", "a", "a", "b", "a"])
    >>> RandomOverSampler(random_state=0).fit_resample(X, y)[0].ravel()
    array([0., 1., 2., 3., 4., 3., 3., 3.])
    """

    def __init__(self, *, sampling_strategy="auto", random_state=None, shrinkage=None):
        self.sampling_strategy = sampling_strategy
        self.random_state = random_state
        self.shrinkage = shrinkage

    def _resample(self, X, y):
        rng = random_state_of(self.random_state)
        factors = self._factors(X)
        chosen, new = [np.arange(len(X))], [X]
        for label, count in self.sampling_strategy_.items():
            members = np.flatnonzero(y == label)
            drawn = rng.choice(members, size=count, replace=True)
            chosen.append(drawn)
            new.append(X[drawn])
            if factors is not None:
                moved = _smoothed(X, members, drawn, factors[label], rng)
                new[-1] = moved.astype(X.dtype if X.dtype.kind == "f" else np.float64)
        self.sample_indices_ = np.concatenate(chosen)
        return np.concatenate(new), y[self.sample_indices_]

    def _factors(self, X):
        """The factor of each class, or None."""
        if self.shrinkage is None:
            return None
        factors = self.shrinkage
        if isinstance(factors, Real):
            factors = dict.fromkeys(self.sampling_strategy_, factors)
        if not isinstance(factors, Mapping):
            raise TypeError(
                "shrinkage should be None, a number or a dict of class and number, got "
                f"{type(factors).__name__}"
            )
        for label in self.sampling_strategy_:
            if not 0 <= factors.get(label, -1) < np.inf:
                raise ArgumentError(
                    "shrinkage should be finite and at least 0 for each class that is resampled, "
                    f"got {factors.get(label)!r} for class {label!r}"
                )
        if X.dtype.kind not in "fiub":
            raise ArgumentError(f"shrinkage needs an X of numbers, got {X.dtype}")
        demand_finite(X, "RandomOverSampler with shrinkage")
        return factors

    def _new_columns(self, count):
        return np.full(count, self.shrinkage is not None)


def _smoothed(X, members, drawn, factor, rng):
    """Samples drawn again, each moved by normal noise."""
    n, features = X.shape
    width = (4 / ((features + 2) * n)) ** (1 / (features + 4))
    scale = factor * width * X[members].std(axis=0)
    return rng.randn(len(drawn), features) * scale + X[drawn]


class RandomUnderSampler(Sampler):
    """Keep a random part of the large classes.

    Args:
        sampling_strategy: which classes, and how many samples they keep. A number in (0, 1] (two
            classes): size of the small class over that of the large one. A name: ``"majority"``,
            ``"not minority"``, ``"not majority"``, ``"all"``, ``"auto"`` ("not minority"); each
            shrinks to the size of the smallest. A dict from class to size, or a function of ``y``
            that returns one.
        random_state: None (a seed drawn from the default generator), an integer or a
            ``numpy.random.RandomState``.
        replacement: whether a sample may be drawn twice.

    Attributes:
        sample_indices_: which row of ``X`` each result is.

    The draws are those of imbalanced-learn 0.14 with the same ``random_state``.

    >>> import numpy as np
    >>> X, y = np.arange(5.0)[:, None], np.array([0, 0, 0, 1, 0])
    >>> RandomUnderSampler(random_state=0).fit_resample(X, y)
    (array([[2.],
           [3.]]), array([0, 1]))
    """

    _over = False

    def __init__(self, *, sampling_strategy="auto", random_state=None, replacement: bool = False):
        self.sampling_strategy = sampling_strategy
        self.random_state = random_state
        self.replacement = replacement

    def _resample(self, X, y):
        rng, kept = random_state_of(self.random_state), []
        for label in np.unique(y).tolist():
            members = np.flatnonzero(y == label)
            count = self.sampling_strategy_.get(label)
            if count is not None:
                members = members[rng.choice(len(members), size=count, replace=self.replacement)]
            kept.append(members)
        self.sample_indices_ = np.concatenate(kept)
        return X[self.sample_indices_], y[self.sample_indices_]
