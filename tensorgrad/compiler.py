"""``torch.compile`` and ``torch.compiler``: the callable as it is.

A step of a small model takes tens of microseconds here, less than a compiled one's call in
PyTorch; there is nothing to compile to.
"""

from __future__ import annotations


def compile(
    model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, options=None,
    disable=False,
):  # fmt: skip
    """``model`` (a function or a Module) unchanged; also as a decorator with arguments.

    >>> import tensorgrad as torch
    >>> model = torch.nn.Linear(2, 1)
    >>> torch.compile(model) is model
    True
    """
    return model if model is not None else lambda model: model


def disable(fn=None, recursive=True, **kwargs):
    """``fn`` unchanged; also as a decorator with arguments."""
    return fn if fn is not None else lambda fn: fn


def is_compiling() -> bool:
    """False."""
    return False


def reset() -> None:
    """Nothing."""
