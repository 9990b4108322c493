"""Unfold and Fold."""

from __future__ import annotations

from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.module import Module


class Unfold(Module):
    """The windows of images, one column for each; see ``nn.functional.unfold``.

    Args:
        kernel_size: of the window, a number or one for each dimension.
        dilation: distance of the elements of a window.
        padding: zeros on both sides.
        stride: step of the window.

    Shapes:
        input (N, C, H, W) or (C, H, W) -> (N, C x kernel, windows).

    >>> import tensorgrad as torch
    >>> torch.nn.Unfold(2)(torch.zeros(1, 3, 4, 5)).shape
    torch.Size([1, 12, 12])
    """

    def __init__(self, kernel_size, dilation=1, padding=0, stride=1):
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input):
        """The windows of ``input``."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self):
        """The settings."""
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """Windows added up to images, the adjoint of :class:`Unfold`; see ``nn.functional.fold``.

    Args:
        output_size: height and width of the images.
        kernel_size: of the window, a number or one for each dimension.
        dilation: distance of the elements of a window.
        padding: zeros that were put on both sides.
        stride: step of the window.

    Shapes:
        input (N, C x kernel, windows) or without N -> (N, C, *output_size).

    >>> import tensorgrad as torch
    >>> torch.nn.Fold((4, 5), 2)(torch.zeros(1, 12, 12)).shape
    torch.Size([1, 3, 4, 5])
    """

    def __init__(self, output_size, kernel_size, dilation=1, padding=0, stride=1):
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input):
        """The images that the windows ``input`` add up to."""
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self):
        """The settings."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )
