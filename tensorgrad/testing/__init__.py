"""Gradient checks and comparisons for users' own tests.

:func:`gradcheck` and :func:`gradgradcheck` compare derivatives with finite differences entry by
entry; :func:`check_vjp` does so along one random direction, which is fast enough to run on every
example that Hypothesis draws; :func:`assert_close` compares tensors. The Hypothesis strategies
are in :mod:`tensorgrad.testing.strategies`, which needs Hypothesis.

>>> import tensorgrad as torch
>>> from tensorgrad.testing import check_vjp
>>> check_vjp(lambda x: (x * x).sin(), torch.rand(3, dtype=torch.float64))
"""

from __future__ import annotations

import numpy as np

from .. import _graph
from .._graph import Tensor, wrap
from ..autograd import gradcheck, gradgradcheck

__all__ = ["assert_close", "check_vjp", "directional_derivative", "gradcheck", "gradgradcheck"]


def assert_close(actual, expected, *, rtol=None, atol=None, equal_nan=False, check_dtype=True,
                 msg=None):  # fmt: skip
    """Demand that two tensors (or nested sequences or dicts of them) are close.

    ``|actual - expected| <= atol + rtol * |expected|``, with shapes and dtypes equal.

    Args:
        actual: a tensor, array, number, or sequence or dict of them.
        expected: likewise, of the same structure.
        rtol: relative tolerance; by dtype: 1e-3 (float16), 1.3e-6 (float32), 1e-7 (float64).
        atol: absolute tolerance; by dtype: 1e-5 (float16, float32), 1e-7 (float64).
        equal_nan: whether nan equals nan.
        check_dtype: whether dtypes must be equal.
        msg: text to raise instead of the generated one.

    Raises:
        AssertionError: they differ; the message says where most.
        ValueError: only one of ``rtol`` and ``atol`` is given.
    """
    if (rtol is None) != (atol is None):
        raise ValueError("rtol and atol must both be given or both be left out")
    if isinstance(actual, dict) and isinstance(expected, dict):
        assert actual.keys() == expected.keys(), f"keys {list(actual)} != {list(expected)}"
        actual, expected = list(actual.values()), [expected[k] for k in actual]
    if isinstance(actual, list | tuple) and isinstance(expected, list | tuple):
        assert len(actual) == len(expected), f"lengths {len(actual)} != {len(expected)}"
        for a, b in zip(actual, expected, strict=True):
            assert_close(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan,
                         check_dtype=check_dtype, msg=msg)  # fmt: skip
        return
    problem = _difference(_array(actual), _array(expected), rtol, atol, equal_nan, check_dtype)
    if problem:
        raise AssertionError(msg or problem)


def _array(x):
    return x._array if isinstance(x, Tensor) else np.asarray(x)


_TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "complex64": (1.3e-6, 1e-5),
               "float64": (1e-7, 1e-7), "complex128": (1e-7, 1e-7)}  # fmt: skip


def _difference(a, b, rtol, atol, equal_nan, check_dtype):
    """What is wrong between two arrays, or None."""
    if a.shape != b.shape:
        return f"shapes differ: {a.shape} != {b.shape}"
    if check_dtype and a.dtype != b.dtype:
        return f"dtypes differ: {a.dtype} != {b.dtype}"
    if rtol is None:
        pairs = [_TOLERANCES.get(x.dtype.name, (0.0, 0.0)) for x in (a, b)]
        rtol, atol = max(p[0] for p in pairs), max(p[1] for p in pairs)
    ok = np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)
    if ok.all():
        return None
    gap = np.where(ok, 0.0, np.nan_to_num(abs(np.subtract(a, b, dtype=complex)), nan=np.inf))
    where = np.unravel_index(int(gap.argmax()), a.shape)
    return (
        f"{int((~ok).sum())} of {a.size} elements differ; the most at {tuple(map(int, where))}: "
        f"{a[where]} != {b[where]} (rtol={rtol:g}, atol={atol:g})"
    )


def directional_derivative(f, inputs, directions, eps=1e-6):
    """Central difference of ``f`` along ``directions``: ``(f(x + hv) - f(x - hv)) / 2h``.

    Args:
        f: takes float64 tensors and returns one.
        inputs: the point, float64 tensors or arrays.
        directions: one array for each input.
        eps: the step h. The error is O(h²) + O(1e-16 / h), about 1e-9 relative.

    Returns:
        An array of the shape of ``f``'s result.
    """
    before = _graph.set_recording(False)
    try:
        high = f(*[wrap(_array(x) + eps * v) for x, v in zip(inputs, directions, strict=True)])
        low = f(*[wrap(_array(x) - eps * v) for x, v in zip(inputs, directions, strict=True)])
    finally:
        _graph.set_recording(before)
    return (_array(high) - _array(low)) / (2 * eps)


def check_vjp(f, *inputs, eps=1e-6, rtol=2e-6, seed=0, create_graph=False):
    """Check the gradients of ``f`` along one random direction, in float64.

    With random g and v, ``<g, f'(x) v>`` from finite differences must equal ``<f'(x)ᵀ g, v>``
    from backward. The shapes of the gradients are compared first, since an inner product alone
    would not see a gradient that was not summed over broadcast dimensions.

    Args:
        f: takes tensors and returns one tensor.
        inputs: float64 tensors.
        eps: step of the finite difference.
        rtol: tolerance relative to the sum of the magnitudes of all terms.
        seed: of the random g and v.
        create_graph: take the gradients by the path that records them.

    Raises:
        AssertionError: the two differ; the message holds both.
        TypeError: an input is not a float64 tensor.
    """
    for x in inputs:
        if not isinstance(x, Tensor) or x._array.dtype != np.float64:
            raise TypeError(
                "check_vjp needs float64 tensors: finite differences lose half of the digits"
            )
    rng = np.random.default_rng(seed)
    leaves = [wrap(x._array.copy()).requires_grad_() for x in inputs]
    out = f(*leaves)
    g = rng.standard_normal(out._array.shape)
    out.backward(wrap(g), create_graph=create_graph)
    directions = [rng.standard_normal(x._array.shape) for x in inputs]
    got, scale = 0.0, 1.0
    for i, (leaf, v) in enumerate(zip(leaves, directions, strict=True)):
        if leaf._grad is None:
            continue
        grad = leaf._grad._array
        assert grad.shape == leaf._array.shape, (
            f"the gradient of input {i} has shape {grad.shape}, the input {leaf._array.shape}"
        )
        got += float(np.sum(grad * v))
        scale += float(np.sum(abs(grad * v)))
    want = float(np.sum(g * directional_derivative(f, inputs, directions, eps)))
    assert abs(got - want) <= rtol * scale, (
        f"backward gives {got!r} along a random direction, finite differences {want!r}"
    )
