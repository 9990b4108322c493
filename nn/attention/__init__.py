"""Choice of an implementation of attention: accepted, and without effect.

PyTorch has several kernels for
:func:`~tensorgrad.nn.functional.scaled_dot_product_attention` and lets a program choose.
Here there is one, so a choice changes nothing; scripts that make one run as they are.
"""

from __future__ import annotations

import contextlib
import enum

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(enum.Enum):
    """PyTorch's names of implementations of attention, with its numbers."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(backends, set_priority=False):
    """Run the ``with`` block as usual: there is one implementation of attention here.

    Args:
        backends: an :class:`SDPBackend` or a list of them; no effect.
        set_priority: no effect.

    Raises:
        AssertionError: ``backends`` is neither.

    >>> from tensorgrad.nn.attention import SDPBackend, sdpa_kernel
    >>> with sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION]):
    ...     pass
    """
    if not isinstance(backends, list | SDPBackend):
        raise AssertionError(
            "Backend must be an instance of SDPBackend or a list of SDPBackend instances, got "
            f"{type(backends).__name__}"
        )
    yield {}
