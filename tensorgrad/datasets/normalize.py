"""Values brought to a common range: fitted on the training part, stored, and inverted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._graph import Tensor, wrap
from ..dtypes import to_numpy
from ._arrays import check_finite, check_lengths, check_numbers, same_kind, to_array

# Numbers at a time. All 47 million of MNIST at once take 1.5 to 20 times as long: the memory of
# their temporaries is new to the process, or not.
_BLOCK = 1 << 16


class Normalizer:
    """What :class:`MinMaxNormalizer` and :class:`StandardNormalizer` have in common.

    ``fit`` learns ``center`` and ``scale``; ``transform`` gives ``(x - center) / scale`` and
    ``inverse`` the way back. Both take arrays or tensors and return the same kind and, where it
    is a floating-point one, the same dtype (else the default dtype); they compute in float64, and
    record what they do to a tensor that is tracked.

    Args:
        per_feature: False has one ``center`` and one ``scale`` for all values, as for pixels;
            by default each place behind the first dimension has its own.

    Attributes:
        center: float64 array of the shape of one sample, None before ``fit``.
        scale: likewise; 1 where all values are the same, so that these become 0 (or the lower
            end of the range) and come back.
    """

    def __init__(self, *, per_feature: bool = True) -> None:
        self.per_feature = per_feature
        self.center: np.ndarray | None = None
        self.scale: np.ndarray | None = None

    def fit(self, x: Any) -> Normalizer:
        """Learn from the training part, (N, ...); returns the normalizer.

        Raises:
            ValueError: no rows, or nan or an infinite value: row and column are named.
            TypeError: no real numbers.
        """
        name = f"{type(self).__name__}.fit"
        array = to_array(x)
        check_lengths(name, array)
        check_numbers(array, name)
        check_finite(array, name)
        axis = 0 if self.per_feature else None
        low = array.min(axis).astype(np.float64)
        with np.errstate(over="ignore"):
            center, scale = self._learn(array, axis, low)
        if not np.isfinite(scale).all():
            raise ValueError(f"{name}: values too far apart for float64, from {low.min():g} up")
        same = (array.max(axis) == low) | (scale == 0)
        self.center, self.scale = np.where(same, low, center), np.where(same, 1.0, scale)
        return self

    def transform(self, x: Any) -> Any:
        """``x`` normalised; (M, ...) with samples of the shape that ``fit`` saw.

        Raises:
            RuntimeError: not fitted.
            ValueError: samples of another shape, nan or an infinite value.
            TypeError: no real numbers.
        """
        name = f"{type(self).__name__}.transform"
        check_finite(to_array(x), name)
        return self._apply(name, x, lambda t, c, s: self._stretched((t - c) / s))

    def inverse(self, x: Any) -> Any:
        """Back from normalised values, such as the outputs of a model, to the original ones.

        Errors as in :meth:`transform`; nan is let through, so that it can be seen.
        """
        name = f"{type(self).__name__}.inverse"
        return self._apply(name, x, lambda t, c, s: self._shrunk(t) * s + c)

    inverse_transform = inverse  # scikit-learn's name

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` and :meth:`from_state_dict` need: names, flags, tensors."""
        arrays = {"center": self.center, "scale": self.scale}
        tensors = {k: None if a is None else wrap(np.array(a)) for k, a in arrays.items()}
        return {"type": type(self).__name__, "per_feature": self.per_feature, **tensors}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a state.

        Raises:
            ValueError: a state of another class, or entries missing or unknown; nothing changes.
        """
        mine = self.state_dict()
        if state_dict.get("type") != mine["type"]:
            raise ValueError(
                f"{mine['type']} cannot load the state of {state_dict.get('type')!r}; use "
                "Normalizer.from_state_dict"
            )
        if set(state_dict) != set(mine):
            raise ValueError(
                f"the state of {mine['type']} should have the entries {sorted(mine)}, got "
                f"{sorted(state_dict)}"
            )
        for key in set(mine) - {"type"}:
            value = state_dict[key]
            held = isinstance(value, Tensor | np.ndarray)
            setattr(self, key, np.array(to_array(value), np.float64) if held else value)

    @staticmethod
    def from_state_dict(state_dict: Mapping[str, Any]) -> Normalizer:
        """A new normalizer of the class and with the values that a state names.

        Raises:
            ValueError: not a state of one of the normalizers.
        """
        kind = _KINDS.get(state_dict.get("type"))
        if kind is None:
            raise ValueError(
                f"a state should name one of {', '.join(_KINDS)} as its type, got "
                f"{state_dict.get('type')!r}"
            )
        normalizer = kind()
        normalizer.load_state_dict(state_dict)
        return normalizer

    def _learn(self, array, axis, low):
        raise NotImplementedError("use MinMaxNormalizer or StandardNormalizer")

    def _stretched(self, t):
        return t

    def _shrunk(self, t):
        return t

    def _apply(self, name, x, formula):
        array = to_array(x)
        if self.center is None or self.scale is None:
            raise RuntimeError(f"{name}: call fit with the training part first")
        check_numbers(array, name)
        center, scale = self.center, self.scale
        if not array.ndim:
            raise ValueError(f"{name}: expected samples along a first dimension, got one number")
        if center.size == 1:  # a column of targets may come as (M,) or as (M, 1)
            center, scale = center.reshape(()), scale.reshape(())
        elif array.shape[1:] != center.shape:
            raise ValueError(
                f"{name}: expected samples of shape {center.shape} as in fit, got an array of "
                f"shape {array.shape}"
            )
        own = array.dtype if array.dtype.kind == "f" else to_numpy(None)
        if isinstance(x, Tensor) and x.requires_grad:
            return formula(x.double(), center, scale).to(own)
        return same_kind(x, _in_blocks(array, own, lambda rows: formula(rows, center, scale)))

    def __repr__(self) -> str:
        fitted = "not fitted" if self.center is None else f"fitted to shape {self.center.shape}"
        return f"{type(self).__name__}({fitted})"


class MinMaxNormalizer(Normalizer):
    """Least value to the lower end of a range, greatest to the upper end.

    ``low + (x - min) / (max - min) * (high - low)``, scikit-learn's ``MinMaxScaler``. Values
    beyond those of the training part go beyond the range.

    Args:
        feature_range: ``(low, high)``.
        per_feature: as in :class:`Normalizer`.

    Raises:
        ValueError: a range without an inside.

    >>> import numpy as np
    >>> normalizer = MinMaxNormalizer().fit(np.array([[0.0, 5.0], [4.0, 5.0]]))
    >>> normalizer.transform(np.array([[1.0, 5.0]]))
    array([[0.25, 0.  ]])
    >>> normalizer.inverse(np.array([[0.25, 0.0]]))
    array([[1., 5.]])
    """

    def __init__(
        self, feature_range: tuple[float, float] = (0.0, 1.0), *, per_feature: bool = True
    ) -> None:
        super().__init__(per_feature=per_feature)
        low, high = map(float, feature_range)
        if not -np.inf < low < high < np.inf:
            raise ValueError(f"feature_range should be (low, high), low < high, got {(low, high)}")
        self.feature_range = low, high

    def state_dict(self) -> dict[str, Any]:  # noqa: D102  inherited
        return {**super().state_dict(), "feature_range": self.feature_range}

    def _learn(self, array, axis, low):
        return low, array.max(axis).astype(np.float64) - low

    def _stretched(self, t):
        low, high = self.feature_range
        return low + t * (high - low)

    def _shrunk(self, t):
        low, high = self.feature_range
        return (t - low) / (high - low)


class StandardNormalizer(Normalizer):
    """Mean 0 and standard deviation 1, scikit-learn's ``StandardScaler``.

    The deviation is that of the training part itself, its sum of squares divided by N.

    >>> import numpy as np
    >>> StandardNormalizer().fit(np.array([1.0, 3.0])).transform(np.array([1.0, 2.0, 3.0]))
    array([-1.,  0.,  1.])
    """

    def _learn(self, array, axis, low):
        mean = array.mean(axis, dtype=np.float64)
        return mean, array.std(axis, dtype=np.float64)


_KINDS: dict[Any, type[Normalizer]] = {
    kind.__name__: kind for kind in (MinMaxNormalizer, StandardNormalizer)
}
_METHODS = {"minmax": MinMaxNormalizer, "standard": StandardNormalizer}


def normalize_x(train: Any, *others: Any, method: str = "minmax", per_feature: bool = True) -> Any:
    """Normalise the samples of the training part, and those of other parts in the same way.

    Only ``train`` is looked at to find the range, or mean and deviation: what a model is tested
    on must not have a say in how it is prepared.

    Args:
        train: (N, ...) array or tensor.
        others: further parts, with samples of the same shape.
        method: ``"minmax"`` for :class:`MinMaxNormalizer`, ``"standard"`` for
            :class:`StandardNormalizer`.
        per_feature: as in :class:`Normalizer`.

    Returns:
        The parts, normalised and of their kinds, and last the normalizer, whose ``state_dict``
        belongs in the checkpoint and whose ``transform`` new samples need.

    Raises:
        ValueError: an unknown method, or as in :class:`Normalizer`.

    >>> import numpy as np
    >>> x_train, x_test, normalizer = normalize_x(np.array([[0.0], [10.0]]), np.array([[5.0]]))
    >>> x_test, normalizer.transform(np.array([[20.0]]))
    (array([[0.5]]), array([[2.]]))
    """
    return _normalize((train, *others), method, per_feature)


def normalize_y(train: Any, *others: Any, method: str = "minmax") -> Any:
    """Normalise the targets of a regression, as :func:`normalize_x` does samples.

    The normalizer's ``inverse`` turns a model's outputs, (M,) or (M, 1), into targets again.

    >>> import numpy as np
    >>> y, normalizer = normalize_y(np.array([75_000.0, 325_000.0]))
    >>> normalizer.inverse(np.array([[0.5]]))
    array([[200000.]])
    """
    return _normalize((train, *others), method, True)


def _in_blocks(array, dtype, formula):
    """The formula in float64 on some rows after others, whose temporaries fit into a cache."""
    out = np.empty(array.shape, dtype)
    step = max(1, _BLOCK * len(array) // max(1, array.size))
    for start in range(0, len(array), step):
        rows = slice(start, start + step)
        out[rows] = formula(array[rows].astype(np.float64))
    return out


def _normalize(parts, method, per_feature):
    if method not in _METHODS:
        raise ValueError(f"method should be one of {', '.join(_METHODS)}, got {method!r}")
    normalizer = _METHODS[method](per_feature=per_feature).fit(parts[0])
    return (*map(normalizer.transform, parts), normalizer)
