"""Hypothesis strategies for tensors. Needs Hypothesis: ``pip install "tensorgrad[test]"``.

>>> from hypothesis import given
>>> from tensorgrad.testing import check_vjp
>>> from tensorgrad.testing.strategies import tensors
>>> @given(tensors(min_value=-2, max_value=2))
... def test_sigmoid(x):
...     check_vjp(lambda x: x.sigmoid(), x)
>>> test_sigmoid()
"""

from __future__ import annotations

import numpy as np

from .. import dtypes, errors
from .._graph import wrap

try:
    import hypothesis.extra.numpy as hnp
    from hypothesis import strategies as st
except ImportError as error:
    raise errors.missing("hypothesis", "test", "tensorgrad.testing.strategies") from error

__all__ = ["arrays", "broadcastable_tensors", "shapes", "tensors"]


def shapes(min_dims=0, max_dims=3, min_side=0, max_side=4):
    """Shapes as tuples, empty ones and sizes 0 and 1 among them."""
    return hnp.array_shapes(
        min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side
    )


def arrays(shape=None, dtype=np.float64, min_value=-3.0, max_value=3.0):
    """Arrays of finite numbers in [min_value, max_value] with bounds that fit float32.

    Args:
        shape: a tuple, or a strategy for one; :func:`shapes` by default.
        dtype: a NumPy dtype.
        min_value: lower bound of the elements.
        max_value: upper bound of the elements.
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        elements = st.floats(min_value, max_value, allow_subnormal=False, width=32)
    elif dtype.kind == "b":
        elements = st.booleans()
    else:
        elements = st.integers(int(min_value), int(max_value))
    return hnp.arrays(dtype, shapes() if shape is None else shape, elements=elements)


def tensors(shape=None, dtype=None, min_value=-3.0, max_value=3.0, requires_grad=False):
    """Tensors of finite numbers; float64 by default, which gradient checks need.

    Args:
        shape: a tuple, or a strategy for one; :func:`shapes` by default.
        dtype: a tensorgrad dtype.
        min_value: lower bound of the elements.
        max_value: upper bound of the elements.
        requires_grad: whether they are tracked leaves.
    """
    own = np.dtype("float64") if dtype is None else dtypes.to_numpy(dtype)

    def make(array):
        return wrap(array.copy()).requires_grad_(requires_grad)

    return arrays(shape, own, min_value, max_value).map(make)


@st.composite
def broadcastable_tensors(draw, count=2, dtype=None, min_value=-3.0, max_value=3.0, max_dims=3):
    """Lists of ``count`` tensors whose shapes broadcast against each other."""
    drawn = draw(
        hnp.mutually_broadcastable_shapes(
            num_shapes=count, max_dims=max_dims, min_side=0, max_side=3
        )
    )
    return [draw(tensors(s, dtype, min_value, max_value)) for s in drawn.input_shapes]
