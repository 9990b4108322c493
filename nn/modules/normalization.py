"""Normalisation of each sample by itself: over its features, or over groups of channels."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn import functional as F
from tensorgrad.nn import init
from tensorgrad.nn.modules.module import Module
from tensorgrad.nn.parameter import Parameter


class _Affine(Module):
    """Makes a scale of ones and a shift of zeros, either of them only where it is learned."""

    def _make(self, shape, affine, bias, device, dtype):
        for name, learned in (("weight", affine), ("bias", affine and bias)):
            value = tg.empty(shape, device=device, dtype=dtype) if learned else None
            self.register_parameter(name, value if value is None else Parameter(value))
        self.reset_parameters()

    def reset_parameters(self):
        """Set the scale to 1 and the shift to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


def _sizes(normalized_shape):
    """``normalized_shape``, an int or several, as a tuple."""
    if isinstance(normalized_shape, int):
        return (normalized_shape,)
    return tuple(normalized_shape)


class LayerNorm(_Affine):
    """Normalise each sample over its last dimensions: mean 0, variance 1, then scale and shift.

    Ba, Kiros and Hinton, arXiv:1607.06450.

    Args:
        normalized_shape: the last size of the input, or a tuple of its last sizes.
        eps: added to the variance, inside the root.
        elementwise_affine: whether scale and shift are learned.
        bias: whether the shift is, given ``elementwise_affine``.
        device: the CPU.
        dtype: of the parameters; the default float.

    Raises:
        RuntimeError: the input does not end with ``normalized_shape``.

    >>> import tensorgrad as torch
    >>> norm = torch.nn.LayerNorm(2)
    >>> norm(torch.tensor([[1.0, 3.0], [5.0, 9.0]])).round(decimals=3).detach()
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """

    def __init__(
        self, normalized_shape, eps=1e-05, elementwise_affine=True, bias=True, device=None,
        dtype=None,
    ):  # fmt: skip
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._make(self.normalized_shape, elementwise_affine, bias, device, dtype)

    def forward(self, input):
        """Normalise over the last dimensions of ``input``."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        """The settings."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )
