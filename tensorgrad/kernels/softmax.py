"""Softmax, its logarithm and their gradients, in blocks of rows that stay in the cache.

A pass over a large array costs memory traffic, not arithmetic; five of them over a block of 256
KiB do not leave the cache.
"""

from __future__ import annotations

import math

import numpy as np

from .sums import total

_BLOCK = 65536  # elements
_maximum = np.maximum.reduce


def _matrix(x, axis):
    """``x`` as (before, along ``axis``) if those are rows in memory, else None."""
    n = x.shape[axis] if x.ndim else 1
    if axis != x.ndim - 1 or not n or x.dtype.char not in "fd":
        return None
    return x.reshape(-1, n)


def _steps(rows):
    """Slices of the first axis, each of about ``_BLOCK`` elements."""
    count, n = rows.shape
    step = max(1, _BLOCK // n)
    return [slice(None)] if step >= count else [slice(i, i + step) for i in range(0, count, step)]


def softmax(x, axis):
    """Exponentials along ``axis`` over their sum."""
    rows = _matrix(x, axis)
    if rows is None:
        out = x - _maximum(x, axis, None, None, True, -math.inf)
        np.exp(out, out=out)
        out /= total(out, axis, True)
        return out
    out = np.empty(rows.shape, rows.dtype)
    for step in _steps(rows):
        part, into = rows[step], out[step]
        np.subtract(part, _maximum(part, 1, None, None, True, -math.inf), out=into)
        np.exp(into, out=into)
        into /= total(into, 1, True)
    return out.reshape(x.shape)


def softmax_gradient(g, out, axis):
    """The gradient of :func:`softmax` of result ``out``: ``(g - sum(g * out)) * out``."""
    rows = _matrix(out, axis)
    if rows is None or g.dtype != out.dtype:
        return (g - total(g * out, axis, True)) * out
    slopes, result = g.reshape(rows.shape), np.empty(rows.shape, rows.dtype)
    for step in _steps(rows):
        part, into = rows[step], result[step]
        np.multiply(slopes[step], part, out=into)
        sums = total(into, 1, True)
        np.subtract(slopes[step], sums, out=into)
        into *= part
    return result.reshape(out.shape)


def log_softmax(x, axis):
    """``x`` minus the logarithm of the sum of the exponentials along ``axis``."""
    rows = _matrix(x, axis)
    if rows is None:
        out = x - _maximum(x, axis, None, None, True, -math.inf)
        out -= np.log(total(np.exp(out), axis, True))
        return out
    out = np.empty(rows.shape, rows.dtype)
    steps = _steps(rows)
    scratch = np.empty_like(rows[steps[0]])
    for step in steps:
        part, into = rows[step], out[step]
        np.subtract(part, _maximum(part, 1, None, None, True, -math.inf), out=into)
        powers = np.exp(into, out=scratch[: len(into)])
        into -= np.log(total(powers, 1, True))
    return out.reshape(x.shape)


def log_softmax_gradient(g, out, axis):
    """The gradient of :func:`log_softmax` of result ``out``: ``g - exp(out) * sum(g)``."""
    rows = _matrix(out, axis)
    if rows is None or g.dtype != out.dtype:
        return g - np.exp(out) * total(g, axis, True)
    slopes, result = g.reshape(rows.shape), np.empty(rows.shape, rows.dtype)
    for step in _steps(rows):
        into = np.exp(rows[step], out=result[step])
        into *= total(slopes[step], 1, True)
        np.subtract(slopes[step], into, out=into)
    return result.reshape(out.shape)
