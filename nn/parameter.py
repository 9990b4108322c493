"""Parameter: a leaf tensor that a Module registers and optimizers update."""

from __future__ import annotations

import numpy as np

from tensorgrad import Tensor
from tensorgrad._graph import LEAF


class Parameter(Tensor):
    """A tensor that, assigned to an attribute of a Module, becomes one of its parameters.

    Args:
        data: the tensor whose memory it takes; None for an empty one.
        requires_grad: whether it trains (True).

    >>> import tensorgrad as torch
    >>> torch.nn.Parameter(torch.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data=None, requires_grad=True):
        if data is None:
            array = np.empty(0, np.float32)
        elif isinstance(data, Tensor):
            array = data._array
        else:
            raise TypeError(f"Parameter data must be a Tensor, got {type(data).__name__}")
        self._array, self._grad, self._edge = array, None, None
        if requires_grad and array.dtype.kind == "f":
            self._edge = LEAF
        elif requires_grad:
            self.requires_grad = True  # raises, with the reason

    def __repr__(self):
        return "Parameter containing:\n" + Tensor.__repr__(self)


class Buffer(Tensor):
    """A tensor that, assigned to an attribute of a Module, becomes one of its buffers.

    Args:
        data: the tensor whose memory it takes.
        persistent: whether ``state_dict`` holds it (True).
    """

    __slots__ = ()

    def __init__(self, data, *, persistent=True):
        self._array, self._grad, self._edge = data._array, None, None
        self.persistent = persistent
