"""``torch.jit``: nothing is compiled; decorators and ``script`` return what they are given.

>>> import tensorgrad as torch
>>> @torch.jit.script
... def double(x):
...     return x + x
>>> double(torch.ones(1))
tensor([2.])
"""

from __future__ import annotations

import typing

from ._absent import refusing

Final = typing.Final
_NO_PROGRAMS = (
    "there are no compiled programs here; save model.state_dict() with torch.save, and build the "
    "model in Python"
)


def script(obj, optimize=None, example_inputs=None, **kwargs):
    """``obj`` unchanged."""
    return obj


def trace(func, example_inputs=None, **kwargs):
    """``func`` unchanged: every call computes anew, so nothing is frozen as PyTorch's trace is."""
    return func


def _same(fn=None, *args, **kwargs):
    """``fn`` unchanged; also as a decorator with arguments."""
    return fn if callable(fn) else lambda fn: fn


ignore = unused = export = script_method = script_if_tracing = _overload_method = _overload = _same
optimize_for_inference = freeze = script


def is_scripting() -> bool:
    """False."""
    return False


def is_tracing() -> bool:
    """False."""
    return False


save = refusing("torch.jit.save", _NO_PROGRAMS)
load = refusing("torch.jit.load", _NO_PROGRAMS)


class ScriptModule:
    """Never made; scripts name it in ``isinstance``."""
