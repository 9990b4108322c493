"""What the distributions share: broadcasting, probabilities and logits, lazy properties."""

from __future__ import annotations

from functools import update_wrapper
from operator import attrgetter

import tensorgrad as tg

from .._graph import Tensor

euler_constant = 0.57721566490153286060

__all__ = [
    "broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits",
    "tril_matrix_to_vec", "vec_to_tril_matrix",
]  # fmt: skip


def is_number(value) -> bool:
    """Whether ``value`` is a Python number."""
    return isinstance(value, int | float)


def broadcast_all(*values):
    """Numbers and tensors as tensors of one shape.

    A number takes the dtype of the first tensor, or the default dtype if there is none.

    Raises:
        ValueError: a value is neither a number nor a tensor.

    >>> import tensorgrad as torch
    >>> torch.distributions.utils.broadcast_all(1.0, torch.zeros(2))
    (tensor([1., 1.]), tensor([0., 0.]))
    """
    for value in values:
        if not isinstance(value, Tensor) and not is_number(value):
            raise ValueError(f"a parameter is a {type(value).__name__}; give a number or a tensor")
    dtype = next((v.dtype for v in values if isinstance(v, Tensor)), tg.get_default_dtype())
    tensors = [v if isinstance(v, Tensor) else tg.tensor(v, dtype=dtype) for v in values]
    return tuple(tg.broadcast_tensors(*tensors))


def fit(a, b) -> bool:
    """Whether the shapes ``a`` and ``b`` broadcast."""
    return all(i == j or 1 in (i, j) for i, j in zip(a[::-1], b[::-1], strict=False))


def standard_normal(shape, dtype):
    """Normal numbers as ``torch.empty(shape).normal_()`` draws them."""
    return tg.empty(shape, dtype=dtype).normal_()


def sum_rightmost(value, dim):
    """The sum over the last ``dim`` dimensions."""
    if dim == 0:
        return value
    return value.reshape(value.shape[:-dim] + (-1,)).sum(-1)


def shares(value):
    """``value`` over its sum along the last dimension."""
    return value / value.sum(-1, True)


def logits_to_probs(logits, is_binary=False):
    """Probabilities: the sigmoid of binary ``logits``, else their softmax (last dimension)."""
    return tg.sigmoid(logits) if is_binary else tg.softmax(logits, -1)


def clamp_probs(probs):
    """``probs`` kept away from 0 and 1 by the epsilon of their dtype."""
    eps = tg.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs, is_binary=False):
    """The inverse of :func:`logits_to_probs`, of clamped probabilities."""
    inside = clamp_probs(probs)
    return inside.log() - (-inside).log1p() if is_binary else inside.log()


class lazy_property:
    """A property computed at first use, with gradients on, and kept as an attribute."""

    def __init__(self, wrapped):
        self.wrapped = wrapped
        update_wrapper(self, wrapped)

    def __get__(self, instance, obj_type=None):
        if instance is None:
            return self
        name = self.wrapped.__name__
        with tg.enable_grad():
            instance.__dict__[name] = self.wrapped(instance)
        return instance.__dict__[name]


def same_as(path, doc=None):
    """A property that is another attribute, or one of an attribute: ``"base_dist.scale"``."""
    return property(attrgetter(path), doc=doc)


def log_factorial(n):
    """The logarithm of ``n!``."""
    return (n + 1).lgamma()


def log_beta(a, b):
    """The logarithm of the beta function."""
    return a.lgamma() + b.lgamma() - (a + b).lgamma()


def _lower_mask(n, diag):
    return tg.ones(n, n, dtype=tg.bool).tril(diag)


def tril_matrix_to_vec(mat, diag=0):
    """The entries on and below the diagonal ``diag`` of matrices, row by row, as vectors.

    Raises:
        ValueError: the matrix has no such diagonal.
    """
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"a matrix of {n} columns has diagonals {-n} to {n - 1}, not {diag}")
    return mat[..., _lower_mask(n, diag)]


def vec_to_tril_matrix(vec, diag=0):
    """The inverse of :func:`tril_matrix_to_vec`.

    Raises:
        ValueError: no square matrix has that many entries there.
    """
    count, n = vec.shape[-1], max(1, -diag)
    while int(_lower_mask(n, diag).sum()) < count:
        n += 1
    mask = _lower_mask(n, diag)
    if int(mask.sum()) != count:
        raise ValueError(
            f"no square matrix has {count} entries on and below its diagonal {diag}; the nearest, "
            f"of {n} rows, has {int(mask.sum())}"
        )
    place = (mask.reshape(-1).long().cumsum(0) - 1).clamp(min=0)
    spread = vec[..., place].reshape(vec.shape[:-1] + (n, n))
    return tg.where(mask, spread, tg.zeros((), dtype=vec.dtype))


# --- distributions given by probs or logits ----------------------------------------------


def either(probs, logits):
    """("probs", probs) or ("logits", logits), whichever is given.

    Raises:
        ValueError: both are, or neither.
    """
    if (probs is None) == (logits is None):
        got = "neither" if probs is None else "both"
        raise ValueError(f"got {got} of probs and logits; give exactly one of them")
    return ("probs", probs) if logits is None else ("logits", logits)


class Chances:
    """One of ``probs`` and ``logits`` is given, the other computed when it is asked for."""

    _binary = False

    @property
    def _param(self):
        return self.__dict__.get("probs", self.__dict__.get("logits"))

    @lazy_property
    def logits(self):
        """The logarithms of the probabilities, or of their odds for yes and no."""
        return probs_to_logits(self.probs, is_binary=self._binary)

    @lazy_property
    def probs(self):
        """The probabilities."""
        return logits_to_probs(self.logits, is_binary=self._binary)

    param_shape = same_as("_param.shape", "The shape of ``probs`` and ``logits``.")


class Odds(Chances):
    """The same of yes and no: the logits are logarithms of odds."""

    _binary = True

    def _take(self, probs, logits, *others):
        """Keep the one that is given; returns ``others``, broadcast with it."""
        name, value = either(probs, logits)
        *others, value = broadcast_all(*others, value)
        setattr(self, name, value)
        return others


class OfCategorical:
    """A distribution made of a Categorical, ``_categorical``, whose parameters are its own."""

    _parts = ("_categorical",)
    probs = same_as("_categorical.probs", "The probabilities.")
    logits = same_as("_categorical.logits", "The logarithms of the probabilities.")
    param_shape = same_as("_categorical.param_shape", "The shape of ``probs`` and ``logits``.")

    @property
    def _shapes(self):
        return self._categorical.batch_shape, self.param_shape[-1:]
