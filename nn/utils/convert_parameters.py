"""Parameters as one vector, and back."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad._graph import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters):
    """All parameters joined into one vector, through which gradients flow.

    >>> import tensorgrad as torch
    >>> model = torch.nn.Linear(2, 3)
    >>> torch.nn.utils.parameters_to_vector(model.parameters()).shape
    torch.Size([9])
    """
    return tg.cat([p.view(-1) for p in parameters])


def vector_to_parameters(vec, parameters):
    """Make each parameter a view of its part of ``vec``, in order.

    Raises:
        TypeError: ``vec`` is no tensor.
        RuntimeError: ``vec`` is too short; no parameter was changed.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    parameters = list(parameters)
    sizes = [p.numel() for p in parameters]
    if sum(sizes) > vec.numel():
        raise RuntimeError(
            f"a vector of {vec.numel()} elements does not fill parameters of {sum(sizes)}"
        )
    start = 0
    for p, size in zip(parameters, sizes, strict=True):
        p.data = vec[start : start + size].view_as(p).data
        start += size
