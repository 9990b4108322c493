"""Convolution, its transpose, and the windows it is made of."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.ops import conv as ops

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "fold",
    "unfold",
]

conv1d, conv2d, conv3d = tg.conv1d, tg.conv2d, tg.conv3d
conv_transpose1d, conv_transpose2d = tg.conv_transpose1d, tg.conv_transpose2d
conv_transpose3d = tg.conv_transpose3d


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of images, one column for each.

    Args:
        input: (N, C, H, W), or (C, H, W) without a batch.
        kernel_size: of the window, a number or one for each dimension.
        dilation: distance of the elements of a window.
        padding: zeros on both sides.
        stride: step of the window.

    Returns:
        (N, C x kernel height x kernel width, windows).

    Raises:
        RuntimeError: another number of dimensions, or no window fits.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.unfold(torch.arange(4.0).reshape(1, 2, 2), (1, 2))
    tensor([[0., 2.],
            [1., 3.]])
    """
    return ops.im2col(input, kernel_size, dilation, padding, stride)


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """The adjoint of :func:`unfold`: columns added up to images of ``output_size``.

    Args:
        input: (N, C x kernel height x kernel width, windows), or without a batch.
        output_size: height and width of the images.
        kernel_size: of the window, a number or one for each dimension.
        dilation: distance of the elements of a window.
        padding: zeros that were put on both sides.
        stride: step of the window.

    Raises:
        RuntimeError: sizes that do not go together.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.fold(torch.ones(2, 2), (1, 3), (1, 2))
    tensor([[[1., 2., 1.]]])
    """
    return ops.col2im(input, output_size, kernel_size, dilation, padding, stride)
