"""What several parts of the training kit ask of their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["whole_number"]


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """``value``, Python's or NumPy's integer, as an int.

    Raises:
        ValueError: it is none, or below ``least``.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number from {least}, got {value!r}")
    return int(value)
