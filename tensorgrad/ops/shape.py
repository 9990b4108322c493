import numpy as np
from .. import _graph
from .._registry import op

@op(method=False)
def broadcast_to(x, *, shape):
    """Repeat size-one axes of ``x`` up to ``shape``."""
    return np.broadcast_to(x, shape)

broadcast_to.vjp(x=lambda g: g)       # the engine sums g back to x's shape

@op(public=False, method=False)
def sum_to(x, *, shape):
    """Sum ``x`` over the axes that broadcasting added or stretched."""
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(i for i in range(lead, x.ndim) if shape[i - lead] == 1)
    return np.add.reduce(x, axes, keepdims=True).reshape(shape)

sum_to.vjp(x=lambda g, x_shape: broadcast_to(g, shape=x_shape))
_graph.sum_to = sum_to
