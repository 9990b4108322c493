"""What layers do to shapes."""

from __future__ import annotations

import tensorgrad as tg

__all__ = [
    "flatten",
    "one_hot",
    "pad",
]

one_hot, pad = tg.one_hot, tg.pad


def flatten(input, start_dim=0, end_dim=-1):
    """Join dimensions ``start_dim`` to ``end_dim`` into one."""
    return input.flatten(start_dim, end_dim)
