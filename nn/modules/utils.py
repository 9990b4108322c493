"""Numbers for every spatial dimension, under the names that scripts import from PyTorch."""

from __future__ import annotations

from collections.abc import Iterable


def each(value, n):
    """``value`` for each of ``n`` dimensions."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * n


def _ntuple(n, name="parse"):
    """A function that repeats one number n times and makes a tuple of several."""

    def parse(x):
        return each(x, n)

    parse.__name__ = name
    return parse


_single, _pair = _ntuple(1, "_single"), _ntuple(2, "_pair")
_triple, _quadruple = _ntuple(3, "_triple"), _ntuple(4, "_quadruple")
