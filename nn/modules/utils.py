"""Numbers for every spatial dimension, under the names that scripts import from PyTorch."""

from __future__ import annotations

from collections.abc import Iterable


def _ntuple(n, name="parse"):
    """A function that repeats one number n times and makes a tuple of several."""

    def parse(x):
        return tuple(x) if isinstance(x, Iterable) else (x,) * n

    parse.__name__ = name
    return parse


_single, _pair = _ntuple(1, "_single"), _ntuple(2, "_pair")
_triple, _quadruple = _ntuple(3, "_triple"), _ntuple(4, "_quadruple")
