"""Padding as modules: each pads the last one, two or three dimensions as F.pad does."""

from __future__ import annotations

from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.module import Module


class _Pad(Module):
    """Pads the last ``dims`` dimensions by ``padding``.

    Args:
        padding: one number for every side, or (left, right, top, bottom, front, back), the last
            dimension first. Negative numbers take away.
    """

    dims, mode = 0, ""

    def __init__(self, padding):
        super().__init__()
        self.padding = _sides(padding, 2 * self.dims)

    def forward(self, input):
        """Pad ``input`` (N, C, ...) or (C, ...)."""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self):
        """The padding."""
        return f"{self.padding}"


def _sides(padding, count):
    """``padding`` for each of ``count`` sides."""
    if isinstance(padding, int):
        return (padding,) * count
    padding = tuple(padding)
    if len(padding) != count:
        raise ValueError(f"padding must be one number or {count} numbers, got {padding}")
    return padding


class _ConstantPad(_Pad):
    """Pads with ``value``; see :class:`_Pad`."""

    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        """Pad ``input``."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self):
        """The padding and the value."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        """The padding."""
        return f"{self.padding}"


class ConstantPad1d(_ConstantPad):
    """Pads the last dimension with ``value``.

    Args:
        padding: one number, or (left, right).
        value: what is added.
    """

    dims = 1


class ConstantPad2d(_ConstantPad):
    """Pads the last two dimensions with ``value``.

    Args:
        padding: one number, or (left, right, top, bottom).
        value: what is added.

    >>> import tensorgrad as torch
    >>> torch.nn.ConstantPad2d((1, 0, 0, 1), 7.0)(torch.ones(1, 1, 2))
    tensor([[[7., 1., 1.],
             [7., 7., 7.]]])
    """

    dims = 2


class ConstantPad3d(_ConstantPad):
    """Pads the last three dimensions with ``value``; see :class:`ConstantPad2d`."""

    dims = 3


class ZeroPad1d(_ZeroPad):
    """Pads the last dimension with zeros: one number, or (left, right)."""

    dims = 1


class ZeroPad2d(_ZeroPad):
    """Pads the last two dimensions with zeros: one number, or (left, right, top, bottom)."""

    dims = 2


class ZeroPad3d(_ZeroPad):
    """Pads the last three dimensions with zeros: one number, or six."""

    dims = 3


class _ReflectionPad(_Pad):
    mode = "reflect"


class ReflectionPad1d(_ReflectionPad):
    """Pads the last dimension by its mirror image without the edge.

    >>> import tensorgrad as torch
    >>> torch.nn.ReflectionPad1d(2)(torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 2., 1., 2., 3., 2., 1.]])
    """

    dims = 1


class ReflectionPad2d(_ReflectionPad):
    """Pads the last two dimensions by their mirror image; see :class:`ReflectionPad1d`."""

    dims = 2


class ReflectionPad3d(_ReflectionPad):
    """Pads the last three dimensions by their mirror image; see :class:`ReflectionPad1d`."""

    dims = 3


class _ReplicationPad(_Pad):
    mode = "replicate"


class ReplicationPad1d(_ReplicationPad):
    """Pads the last dimension with its edges."""

    dims = 1


class ReplicationPad2d(_ReplicationPad):
    """Pads the last two dimensions with their edges."""

    dims = 2


class ReplicationPad3d(_ReplicationPad):
    """Pads the last three dimensions with their edges."""

    dims = 3


class _CircularPad(_Pad):
    mode = "circular"


class CircularPad1d(_CircularPad):
    """Pads the last dimension with its other end."""

    dims = 1


class CircularPad2d(_CircularPad):
    """Pads the last two dimensions with their other ends."""

    dims = 2


class CircularPad3d(_CircularPad):
    """Pads the last three dimensions with their other ends."""

    dims = 3
