"""Checks of arguments that several files share."""

from __future__ import annotations

import math
import operator

import numpy as np

from tensorgrad.errors import ArgumentError


def check_probability(p, name) -> float:
    """``p`` as a float, or an error that names the argument."""
    if not is_real(p) or not 0 <= p <= 1:
        raise ArgumentError(f"{name} must be a probability in [0, 1], got {p!r}")
    return float(p)


def is_integer(value) -> bool:
    """Whether ``value`` is an integer of Python or NumPy, and no bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_real(value) -> bool:
    """Whether ``value`` is a real number of Python or NumPy, and no bool."""
    return is_integer(value) or isinstance(value, float | np.floating)


def check_count(value, name, least=0, most=None) -> int:
    """``value`` as an integer of at least ``least``, or an error that names the argument."""
    try:
        whole = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        whole = None
    if whole is not None and whole >= least and (most is None or whole <= most):
        return whole
    upper = "" if most is None else f" and at most {most}"
    raise ArgumentError(f"{name} must be an integer of at least {least}{upper}, got {value!r}")


def check_strength(value, name, low=0.0, high=math.inf, integer=False):
    """``value`` where it is a number in [low, high], or a pair of them in order."""
    pair = (value, value) if np.ndim(value) == 0 else tuple(value)
    fits = len(pair) == 2 and all(map(is_integer if integer else is_real, pair))
    if fits and low <= pair[0] <= pair[1] <= high and math.isfinite(pair[1]):
        return value
    what = "an integer" if integer else "a number"
    raise ArgumentError(
        f"{name} must be {what} in [{low:g}, {high:g}], or two of them (least, most), got {value!r}"
    )


def check_numbers(value, name):
    """``value`` where it is a finite number, or one for each channel."""
    values = value if np.ndim(value) == 1 else (value,)
    if len(values) and all(is_real(v) and math.isfinite(v) for v in values):
        return value
    raise ArgumentError(f"{name} must be one finite number, or one for each channel, got {value!r}")


def check_number(value, name, low=0.0, high=math.inf, *, open_low=False) -> float:
    """``value`` as a finite float in [low, high], or in (low, high] where that is open."""
    fits = is_real(value) and math.isfinite(value) and low <= value <= high
    if fits and not (open_low and value == low):
        return float(value)
    ends = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if high == math.inf else ']'}"
    raise ArgumentError(f"{name} must be a number in {ends}, got {value!r}")
