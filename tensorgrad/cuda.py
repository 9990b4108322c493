"""What scripts ask about CUDA, answered: there is none.

>>> import tensorgrad as torch
>>> torch.device("cuda" if torch.cuda.is_available() else "cpu")
device(type='cpu')
"""

from __future__ import annotations


def is_available() -> bool:
    """False: tensorgrad computes on the CPU."""
    return False


def device_count() -> int:
    """0."""
    return 0


def manual_seed_all(seed) -> None:
    """Nothing: there is no generator but the CPU's, see :func:`tensorgrad.manual_seed`."""


manual_seed = manual_seed_all
