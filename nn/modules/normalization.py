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


class GroupNorm(_Affine):
    """Normalise over groups of channels, sample by sample; scale and shift each channel.

    Wu & He, arXiv:1803.08494.

    Args:
        num_groups: into how many groups of neighbours the channels are divided.
        num_channels: C, of an input (N, C, ...).
        eps: added to the variance, inside the root.
        affine: whether scale and shift are learned.
        device: the CPU.
        dtype: of the parameters; the default float.
        bias: whether the shift is learned, given ``affine``.

    Raises:
        ValueError: the channels cannot be divided so.

    >>> import tensorgrad as torch
    >>> norm = torch.nn.GroupNorm(2, 4)
    >>> norm(torch.tensor([[1.0, 3.0, 10.0, 30.0]])).round(decimals=3).detach()
    tensor([[-1.,  1., -1.,  1.]])
    """

    def __init__(
        self, num_groups, num_channels, eps=1e-05, affine=True, device=None, dtype=None, *,
        bias=True,
    ):  # fmt: skip
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        self._make(num_channels, affine, bias, device, dtype)

    def forward(self, input):
        """Normalise over each group of channels of ``input``."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        """The settings."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Divide by the root mean square over the last dimensions, then scale.

    Zhang & Sennrich, arXiv:1910.07467.

    Args:
        normalized_shape: the last size of the input, or a tuple of its last sizes.
        eps: added to the mean square; None for the machine epsilon of the dtype.
        elementwise_affine: whether the scale is learned.
        device: the CPU.
        dtype: of the scale; the default float.

    Raises:
        RuntimeError: the input does not end with ``normalized_shape``.

    >>> import tensorgrad as torch
    >>> torch.nn.RMSNorm(2)(torch.tensor([1.0, 7.0])).detach()
    tensor([0.2000, 1.4000])
    """

    def __init__(
        self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None
    ):
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        scale = tg.empty(self.normalized_shape, device=device, dtype=dtype)
        self.register_parameter("weight", Parameter(scale) if elementwise_affine else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Set the scale to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x):
        """Normalise over the last dimensions of ``x``."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        """The settings."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}"
        )


class LocalResponseNorm(Module):
    """Divide by a power of the mean square over neighbouring channels.

    Krizhevsky, Sutskever & Hinton, "ImageNet classification with deep convolutional neural
    networks"; see :func:`tensorgrad.nn.functional.local_response_norm`.

    Args:
        size: how many channels.
        alpha: factor of the mean square.
        beta: the power.
        k: added before it.

    >>> import tensorgrad as torch
    >>> torch.nn.LocalResponseNorm(2)(torch.ones(1, 4, 3)).shape
    torch.Size([1, 4, 3])
    """

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input):
        """Normalise ``input`` (N, C, ...)."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self):
        """The settings."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
