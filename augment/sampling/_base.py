"""What the samplers share: arguments, checks of ``X`` and ``y``, and types kept."""

from __future__ import annotations

import copy
import inspect

import numpy as np

from tensorgrad._graph import Tensor, wrap
from tensorgrad.errors import ArgumentError
from tensorgrad.utils.data.sampler import draw_seed

from ._strategy import targets


class Sampler:
    """Base of the samplers: ``fit_resample(X, y)`` in scikit-learn's way.

    A subclass has its arguments as attributes and a method ``_resample(X, y)``.

    Attributes:
        sampling_strategy_: after ``fit_resample``, each class that was resampled and how many
            samples were to be added, or kept.

    >>> class Doubled(Sampler):
    ...     def __init__(self, sampling_strategy="all"):
    ...         self.sampling_strategy = sampling_strategy
    ...     def _resample(self, X, y):
    ...         return np.concatenate([X, X]), np.concatenate([y, y])
    >>> Doubled().fit_resample(np.eye(2), [0, 1])[1]
    array([0, 1, 0, 1])
    """

    _over = True
    _interpolates = False

    def get_params(self, deep: bool = True) -> dict:
        """The arguments by name, as scikit-learn's ``clone`` asks for them."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params) -> Sampler:
        """Change arguments.

        Raises:
            ValueError: no such argument.
        """
        known = self.get_params()
        for name in params:
            if name not in known:
                raise ArgumentError(
                    f"{type(self).__name__} has no argument {name!r}; it has {', '.join(known)}"
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self):
        given = ", ".join(f"{k}={v!r}" for k, v in self.get_params().items())
        return f"{type(self).__name__}({given})"

    def fit_resample(self, X, y):
        """Resample the data.

        Args:
            X: samples, (N, D), or (N, ...) as images are; array, Tensor or data frame.
            y: labels, (N,), numbers or strings.

        Returns:
            ``(X, y)`` of the types given. The given samples come first, in their order, then the
            new ones by class; where classes shrink, what is kept stands by class. Samplers that
            interpolate return integer data as float64: new samples lie between whole numbers.
            Columns of a data frame that are only copied keep their dtypes.

        Raises:
            ValueError: shapes that do not fit, values that are not finite, or a class with too
                few samples; the message says what it has.
        """
        samples, labels = self._checked(X, y)
        flat = samples.reshape(len(samples), -1)
        work = copy.copy(self)  # so that a failed call leaves no trace, and a good one no tables
        work.sampling_strategy_, work._shape = self._wanted(labels), samples.shape[1:]
        new_samples, new_labels = work._resample(flat, labels)
        vars(self).update({k: v for k, v in vars(work).items() if not k.startswith("_")})
        new_samples = new_samples.reshape(-1, *samples.shape[1:])
        return _like(new_samples, X, work._new_columns(flat.shape[1])), _like(new_labels, y)

    def _checked(self, X, y):
        """Samples and labels as arrays."""
        name = type(self).__name__
        samples, labels = _plain(X, "X"), _labels(y, name)
        if samples.ndim < 2 or len(samples) != len(labels):
            raise ArgumentError(
                f"{name}: X should be (N, features) with one row for each of {len(labels)} "
                f"labels, got {samples.shape}"
            )
        if not samples.size:
            raise ArgumentError(
                f"{name}: X should hold a sample and a feature at least, got shape {samples.shape}"
            )
        return (self._numbers(samples) if self._interpolates else samples), labels

    def _new_columns(self, count):
        """Which of ``count`` columns hold new values, not only copies."""
        return np.full(count, self._interpolates)

    def _wanted(self, labels):
        """How many samples of each class to add, or to keep."""
        return targets(self.sampling_strategy, labels, self._over)

    def _numbers(self, X):
        """``X`` as finite floating-point numbers."""
        if X.dtype.kind not in "fiub":
            raise ArgumentError(
                f"{type(self).__name__}: X should be numbers, got {X.dtype}; for columns of "
                "categories use SMOTENC"
            )
        demand_finite(X, type(self).__name__)
        return X if X.dtype.kind == "f" else X.astype(np.float64)


def demand_finite(X, name):
    """Raise for the first value that is nan or infinite."""
    bad = ~np.isfinite(X)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ArgumentError(f"{name}: X should be finite, got {X[place]} at {place}")


def random_state_of(seed) -> np.random.RandomState:
    """A RandomState: imbalanced-learn draws from it, and so the draws can be the same.

    An integer gives a new one at every call, a RandomState is returned as it is, None stands for a
    new one with a seed from the default generator.

    Raises:
        TypeError: neither None, an integer nor a RandomState.
    """
    if isinstance(seed, np.random.RandomState):
        return seed
    if seed is None:
        seed = draw_seed(None) % 2**32
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(
            f"random_state should be None, an integer or a RandomState, got {type(seed).__name__}"
        )
    if not 0 <= seed < 2**32:
        raise ArgumentError(f"random_state should be in 0..2**32 - 1, got {seed}")
    return np.random.RandomState(seed)


def _plain(X, name):
    if isinstance(X, Tensor):
        return X.detach().numpy()
    if hasattr(X, "tocsr"):
        raise TypeError(f"{name} should be dense, got a sparse matrix; use {name}.toarray()")
    return np.asarray(X)


def _labels(y, name):
    if y is None:
        raise ArgumentError(f"{name}: y is missing; fit_resample takes samples and their labels")
    y = _plain(y, "y")
    if y.ndim != 1:
        column = y.ndim == 2 and y.shape[1] == 1
        hint = "; turn one-hot rows into labels by y.argmax(1)" if y.ndim == 2 else ""
        hint = "; take the column by y[:, 0]" if column else hint
        raise ArgumentError(f"{name}: y should be labels of shape (N,), got shape {y.shape}{hint}")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ArgumentError(f"{name}: y should be finite")
    return y


def _like(array, given, made=()):
    """``array`` in the type of what the user gave; ``made`` says which columns are new values."""
    if isinstance(given, Tensor):
        return wrap(np.ascontiguousarray(array))
    if hasattr(given, "columns"):
        frame = type(given)(array, columns=given.columns)
        kept = {c: t for (c, t), new in zip(given.dtypes.items(), made, strict=True)
                if not new or getattr(t, "kind", "O") not in "iub"}  # fmt: skip
        return frame.astype(kept).infer_objects()
    if hasattr(given, "to_numpy"):
        return type(given)(array, name=given.name, dtype=given.dtype)
    return array
