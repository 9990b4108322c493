"""Scaled dot-product attention as one op: scores, mask, softmax and their product with values.

``tensorgrad.nn.functional.scaled_dot_product_attention`` has PyTorch's arguments and checks; the
op takes operands whose batch dimensions are equal already.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np

from .._registry import op
from ..kernels.sums import total
from .elementwise import keep, where_
from .linalg import matmul
from .reduce import raw, softmax, sum

# Scores are worked on in blocks of whole matrices that stay in the cache. (16, 4, 64, 64) in
# float32, forward and backward: 0.8 and 0.9 ms in blocks of 64 Ki, 0.7 and 2.2 in one piece.
_BLOCK = 65536

# Scores below this are exponentiated as they are: no sum of them overflows, none vanishes.
_MODERATE = 60.0


@lru_cache(maxsize=16)
def future(rows, columns, dtype):
    """(rows, columns): -inf where the key comes after the query, 0 elsewhere."""
    out = np.triu(np.full((rows, columns), -np.inf, dtype), 1)
    out.flags.writeable = False
    return out


@lru_cache(maxsize=16)
def past(rows, columns, dtype):
    """(rows, columns): 0 where the key comes after the query, 1 elsewhere."""
    out = np.tri(rows, columns, 0, dtype)
    out.flags.writeable = False
    return out


def _blocks(shape):
    """Indices that cut the leading dimensions of ``shape`` so that each block fits the cache."""
    if len(shape) == 2:
        yield ()
        return
    step = _BLOCK // max(1, prod(shape[1:]))
    for i in range(0, shape[0], max(1, step)):
        if step:
            yield (slice(i, i + step),)
        else:
            yield from ((i, *rest) for rest in _blocks(shape[1:]))


def _softmax_in_place(scores):
    """The softmax of each row; where all of a row is -inf, zeros."""
    if not scores.size:
        return
    # The largest of each row takes as long as all the rest, that of all of them a tenth of it.
    if scores.max() < _MODERATE and scores.min() > -_MODERATE:
        np.exp(scores, out=scores)
        scores /= total(scores, scores.ndim - 1, True)
        return
    top = np.maximum.reduce(scores, -1, keepdims=True)
    dead = top == -np.inf
    some_dead = dead.any()
    if some_dead:
        top[dead] = 0
    scores -= top
    np.exp(scores, out=scores)
    sums = total(scores, scores.ndim - 1, True)
    if some_dead:
        sums[dead] = 1
    scores /= sums


def _causal_softmax_in_place(scores):
    """The softmax of each row over the keys up to its own position."""
    shape = scores.shape[-2:]
    if scores.size and scores.max() < _MODERATE and scores.min() > -_MODERATE:
        np.exp(scores, out=scores)
        scores *= past(*shape, scores.dtype)
        scores /= total(scores, scores.ndim - 1, True)
    else:
        scores += future(*shape, scores.dtype)
        _softmax_in_place(scores)


def _probabilities(query, key, bias=None, *, scale, causal):
    """The softmax of the scores, composed from other ops."""
    scores = matmul(query, key.mT) * scale
    if bias is not None:
        scores = scores + bias
    values = raw(scores)
    if causal:
        scores = scores + future(*values.shape[-2:], values.dtype)
        values = raw(scores)
    dead = np.logical_and.reduce(values == -np.inf, -1, keepdims=True)
    if values.size and dead.any():
        zero = np.zeros((), values.dtype)
        return keep(softmax(where_(dead, zero, scores), -1), ~np.broadcast_to(dead, values.shape))
    return softmax(scores, -1)


def _definition(query, key, value, bias=None, *, scale, causal=False, drop=None):
    probabilities = _probabilities(query, key, bias, scale=scale, causal=causal)
    return matmul(probabilities if drop is None else probabilities * drop, value)


@op(types="same", public=False, method=False, definition=_definition,
    grad_name="ScaledDotProductFlashAttentionForCpuBackward0",
    residuals={"probabilities": _probabilities})  # fmt: skip
def attention(query, key, value, bias=None, *, scale, causal=False, drop=None):
    """``softmax(scale * query @ key.mT + bias) @ value``; a row of scores all -inf gives zeros.

    Args:
        query: (..., L, E).
        key: (..., S, E), with the batch dimensions of ``query``.
        value: (..., S, F), with the same.
        bias: broadcasts to (..., L, S); None for none.
        scale: a number.
        causal: whether a query sees only the keys up to its own position.
        drop: None, or an array (..., L, S) of what dropout multiplies the probabilities with.

    The result has the memory layout of ``query``, so that heads that were split off by views are
    joined by a view too.
    """
    shape = (*query.shape[:-1], key.shape[-2])
    probabilities = np.empty(shape, query.dtype)
    if value.shape[-1] == query.shape[-1]:
        out = np.empty_like(query)
    else:
        out = np.empty((*query.shape[:-1], value.shape[-1]), query.dtype)
    if bias is not None:
        bias = np.broadcast_to(bias, shape)
    softmax_in_place = _causal_softmax_in_place if causal else _softmax_in_place
    with np.errstate(invalid="ignore"):  # a score of inf gives nan, as in PyTorch
        for at in _blocks(shape):
            p = np.matmul(query[at], key[at].mT, out=probabilities[at])
            p *= scale
            if bias is not None:
                p += bias[at]
            softmax_in_place(p)
            np.matmul(p if drop is None else p * drop[at], value[at], out=out[at])
    return out, (probabilities,)


@attention.vjp
def _attention_vjp(g, query, key, value, out, probabilities, *, scale, drop, needs):
    if isinstance(g, np.ndarray):
        return _gradients(g, query, key, value, out, probabilities, scale, drop, 3 in needs)
    dropped = probabilities if drop is None else probabilities * drop
    slope = matmul(g, value.mT)
    slope = slope if drop is None else slope * drop
    slope = (slope - sum(g * out, -1, True)) * probabilities
    scaled = slope * scale
    return matmul(scaled, key), matmul(scaled.mT, query), matmul(dropped.mT, g), slope


def _gradients(g, query, key, value, out, probabilities, scale, drop, with_bias):
    """The gradients on arrays, the formula above block by block.

    A row's sum of slope times probability is that of ``g * out``, which is shorter.
    """
    gq, gk, gv = np.empty_like(query), np.empty_like(key), np.empty_like(value)
    slopes = np.empty_like(probabilities) if with_bias else None
    blocks = [(at, probabilities[at]) for at in _blocks(probabilities.shape)]
    # Fresh memory for each block would double the time.
    scratch = np.empty(max((p.size for _, p in blocks), default=0), g.dtype)
    for at, p in blocks:
        upper, slope = g[at], scratch[: p.size].reshape(p.shape)
        if drop is None:
            np.matmul(p.mT, upper, out=gv[at])
        else:
            np.matmul(np.multiply(p, drop[at], out=slope).mT, upper, out=gv[at])
        np.matmul(upper, value[at].mT, out=slope)
        if drop is not None:
            slope *= drop[at]
        slope -= np.vecdot(upper, out[at])[..., None]
        slope *= p
        if with_bias:
            slopes[at] = slope
        slope *= scale
        np.matmul(slope, key[at], out=gq[at])
        np.matmul(slope.mT, query[at], out=gk[at])
    return gq, gk, gv, slopes
