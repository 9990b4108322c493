"""Linear and bilinear maps."""

from __future__ import annotations

import tensorgrad as tg

__all__ = [
    "bilinear",
    "linear",
]

linear = tg.linear


def bilinear(input1, input2, weight, bias=None):
    """``x1ᵀ W_k x2 + b_k`` for each output k, over the last axes; weight (out, in1, in2)."""
    out = tg.einsum("...i,kij,...j->...k", input1, weight, input2)
    return out if bias is None else out + bias
