"""Pooling: over windows, over bins that fill an image, fractional, and over a pyramid."""

from __future__ import annotations

from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.module import Module
from tensorgrad.nn.modules.utils import each


class _MaxPoolNd(Module):
    _function = None

    def __init__(
        self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input):
        """The largest value in each window of ``input``."""
        return type(self)._function(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
            self.return_indices,
        )  # fmt: skip

    def extra_repr(self):
        """The settings."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """The largest value in each window along one dimension.

    With a window larger than its step the windows overlap, as in AlexNet (3 at a step of 2).

    Args:
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window; the kernel size if not given.
        padding: of minus infinity, on both sides, at most half of the window.
        dilation: distance of the elements of a window.
        return_indices: whether to return (maxima, their flat positions in each plane), for
            :class:`MaxUnpool1d`.
        ceil_mode: also windows that reach over the end, if they begin inside.

    Shapes:
        input (N, C, L) or (C, L); channels stay.

    >>> import tensorgrad as torch
    >>> torch.nn.MaxPool1d(2)(torch.zeros(1, 2, 6)).shape
    torch.Size([1, 2, 3])
    """

    _function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPoolNd):
    """The largest value in each window along two dimensions.

    With a window larger than its step the windows overlap, as in AlexNet (3 at a step of 2).

    Args:
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window; the kernel size if not given.
        padding: of minus infinity, on both sides, at most half of the window.
        dilation: distance of the elements of a window.
        return_indices: whether to return (maxima, their flat positions in each plane), for
            :class:`MaxUnpool2d`.
        ceil_mode: also windows that reach over the end, if they begin inside.

    Shapes:
        input (N, C, H, W) or (C, H, W); channels stay.

    >>> import tensorgrad as torch
    >>> torch.nn.MaxPool2d(2)(torch.zeros(1, 2, 6, 6)).shape
    torch.Size([1, 2, 3, 3])
    """

    _function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPoolNd):
    """The largest value in each window along three dimensions.

    With a window larger than its step the windows overlap, as in AlexNet (3 at a step of 2).

    Args:
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window; the kernel size if not given.
        padding: of minus infinity, on both sides, at most half of the window.
        dilation: distance of the elements of a window.
        return_indices: whether to return (maxima, their flat positions in each plane), for
            :class:`MaxUnpool3d`.
        ceil_mode: also windows that reach over the end, if they begin inside.

    Shapes:
        input (N, C, D, H, W) or (C, D, H, W); channels stay.

    >>> import tensorgrad as torch
    >>> torch.nn.MaxPool3d(2)(torch.zeros(1, 2, 6, 6, 6)).shape
    torch.Size([1, 2, 3, 3, 3])
    """

    _function = staticmethod(F.max_pool3d)


class _MaxUnpoolNd(Module):
    _dims, _function = 0, None

    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__()
        n = self._dims
        self.kernel_size = each(kernel_size, n)
        self.stride = each(kernel_size if stride is None else stride, n)
        self.padding = each(padding, n)

    def forward(self, input, indices, output_size=None):
        """The values ``input`` at the positions ``indices``, zeros elsewhere."""
        return type(self)._function(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )

    def extra_repr(self):
        """The settings."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """A partial inverse of :class:`MaxPool1d`: maxima at their positions, zeros elsewhere.

    Args:
        kernel_size: as in the pooling.
        stride: as in the pooling.
        padding: as in the pooling.

    Called with the maxima, their positions, and ``output_size`` where several are possible.

    >>> import tensorgrad as torch
    >>> pool = torch.nn.MaxPool1d(2, return_indices=True)
    >>> y, index = pool(torch.arange(2.0).reshape(1, 2))
    >>> torch.nn.MaxUnpool1d(2)(y, index).flatten()
    tensor([0., 1.])
    """

    _dims, _function = 1, staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpoolNd):
    """A partial inverse of :class:`MaxPool2d`: maxima at their positions, zeros elsewhere.

    Args:
        kernel_size: as in the pooling.
        stride: as in the pooling.
        padding: as in the pooling.

    Called with the maxima, their positions, and ``output_size`` where several are possible.

    >>> import tensorgrad as torch
    >>> pool = torch.nn.MaxPool2d(2, return_indices=True)
    >>> y, index = pool(torch.arange(4.0).reshape(1, 2, 2))
    >>> torch.nn.MaxUnpool2d(2)(y, index).flatten()
    tensor([0., 0., 0., 3.])
    """

    _dims, _function = 2, staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpoolNd):
    """A partial inverse of :class:`MaxPool3d`: maxima at their positions, zeros elsewhere.

    Args:
        kernel_size: as in the pooling.
        stride: as in the pooling.
        padding: as in the pooling.

    Called with the maxima, their positions, and ``output_size`` where several are possible.

    >>> import tensorgrad as torch
    >>> pool = torch.nn.MaxPool3d(2, return_indices=True)
    >>> y, index = pool(torch.arange(8.0).reshape(1, 2, 2, 2))
    >>> torch.nn.MaxUnpool3d(2)(y, index).flatten()
    tensor([0., 0., 0., 0., 0., 0., 0., 7.])
    """

    _dims, _function = 3, staticmethod(F.max_unpool3d)


class _AvgPoolNd(Module):
    def extra_repr(self):
        """The settings."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPoolNd):
    """The mean of each window along one dimension.

    Args:
        kernel_size: of the window.
        stride: step of the window; the kernel size if not given.
        padding: zeros on both sides, at most half of the window.
        ceil_mode: also windows that reach over the end, if they begin inside.
        count_include_pad: whether the zeros count in the mean.

    Shapes:
        input (N, C, L) or (C, L); channels stay.

    >>> import tensorgrad as torch
    >>> torch.nn.AvgPool1d(2)(torch.tensor([[1.0, 2.0, 3.0, 5.0]]))
    tensor([[1.5000, 4.0000]])
    """

    def __init__(
        self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True
    ):
        super().__init__()
        self.kernel_size = each(kernel_size, 1)
        self.stride = each(kernel_size if stride is None else stride, 1)
        self.padding = each(padding, 1)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input):
        """The mean of each window of ``input``."""
        return F.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad,
        )  # fmt: skip


class _AvgPoolOfSpace(_AvgPoolNd):
    _function = None

    def __init__(
        self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
        divisor_override=None,
    ):  # fmt: skip
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input):
        """The mean of each window of ``input``."""
        return type(self)._function(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override,
        )  # fmt: skip


class AvgPool2d(_AvgPoolOfSpace):
    """The mean of each window along two dimensions.

    Args:
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window; the kernel size if not given.
        padding: zeros on both sides, at most half of the window.
        ceil_mode: also windows that reach over the end, if they begin inside.
        count_include_pad: whether the zeros count in the mean.
        divisor_override: what to divide the sums by instead.

    Shapes:
        input (N, C, H, W) or (C, H, W); channels stay.

    >>> import tensorgrad as torch
    >>> torch.nn.AvgPool2d(2)(torch.zeros(1, 2, 6, 6)).shape
    torch.Size([1, 2, 3, 3])
    """

    _function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPoolOfSpace):
    """The mean of each window along three dimensions.

    Args:
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window; the kernel size if not given.
        padding: zeros on both sides, at most half of the window.
        ceil_mode: also windows that reach over the end, if they begin inside.
        count_include_pad: whether the zeros count in the mean.
        divisor_override: what to divide the sums by instead.

    Shapes:
        input (N, C, D, H, W) or (C, D, H, W); channels stay.

    >>> import tensorgrad as torch
    >>> torch.nn.AvgPool3d(2)(torch.zeros(1, 2, 6, 6, 6)).shape
    torch.Size([1, 2, 3, 3, 3])
    """

    _function = staticmethod(F.avg_pool3d)


class _FractionalMaxPoolNd(Module):
    _dims, _function = 0, None

    def __init__(
        self, kernel_size, output_size=None, output_ratio=None, return_indices=False,
        _random_samples=None,
    ):  # fmt: skip
        super().__init__()
        n, name = self._dims, type(self).__name__
        self.kernel_size = each(kernel_size, n)
        if n == 3 and min(self.kernel_size) <= 0:
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else each(output_size, n)
        self.output_ratio = None if output_ratio is None else each(output_ratio, n)
        if output_size is None and output_ratio is None:
            raise ValueError(
                f"{name} requires specifying either an output size, or a pooling ratio"
            )
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input):
        """Maxima of ``input`` in windows at distances drawn anew."""
        return type(self)._function(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices,
            _random_samples=self._random_samples,
        )  # fmt: skip


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """Maxima of windows at pseudo-random distances, so that sizes shrink by any factor.

    Graham, "Fractional max-pooling" (arXiv:1412.6071). Exactly one of size and ratio is given.

    Args:
        kernel_size: of the window, a number or one for each dimension.
        output_size: the sizes of the result.
        output_ratio: what the sizes are multiplied by, between 0 and 1.
        return_indices: whether to return (maxima, their flat positions in each plane).
        _random_samples: (N, C, 2) uniform numbers to use in place of new draws.

    Raises:
        ValueError: both or none of size and ratio, or a ratio out of range.

    >>> import tensorgrad as torch
    >>> torch.nn.FractionalMaxPool2d(2, output_ratio=0.5)(torch.ones(1, 6, 6)).shape
    torch.Size([1, 3, 3])
    """

    _dims, _function = 2, staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """Maxima of windows at pseudo-random distances, so that sizes shrink by any factor.

    Graham, "Fractional max-pooling" (arXiv:1412.6071). Exactly one of size and ratio is given.

    Args:
        kernel_size: of the window, a number or one for each dimension.
        output_size: the sizes of the result.
        output_ratio: what the sizes are multiplied by, between 0 and 1.
        return_indices: whether to return (maxima, their flat positions in each plane).
        _random_samples: (N, C, 3) uniform numbers to use in place of new draws.

    Raises:
        ValueError: both or none of size and ratio, or a ratio out of range.

    >>> import tensorgrad as torch
    >>> torch.nn.FractionalMaxPool3d(2, output_ratio=0.5)(torch.ones(1, 6, 6, 6)).shape
    torch.Size([1, 3, 3, 3])
    """

    _dims, _function = 3, staticmethod(F.fractional_max_pool3d)


class _LPPoolNd(Module):
    _function = None

    def __init__(self, norm_type, kernel_size, stride=None, ceil_mode=False):
        super().__init__()
        self.norm_type, self.kernel_size = norm_type, kernel_size
        self.stride, self.ceil_mode = stride, ceil_mode

    def forward(self, input):
        """The p-norm of each window of ``input``."""
        return type(self)._function(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )

    def extra_repr(self):
        """The settings."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """The p-norm ``(sum x**p)**(1/p)`` of each window along one dimension.

    Args:
        norm_type: p.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window; the kernel size if not given.
        ceil_mode: also windows that reach over the end, if they begin inside.

    >>> import tensorgrad as torch
    >>> torch.nn.LPPool1d(2, 2)(torch.zeros(1, 6)).shape
    torch.Size([1, 3])
    """

    _function = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPoolNd):
    """The p-norm ``(sum x**p)**(1/p)`` of each window along two dimensions.

    Args:
        norm_type: p.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window; the kernel size if not given.
        ceil_mode: also windows that reach over the end, if they begin inside.

    >>> import tensorgrad as torch
    >>> torch.nn.LPPool2d(2, 2)(torch.zeros(1, 6, 6)).shape
    torch.Size([1, 3, 3])
    """

    _function = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPoolNd):
    """The p-norm ``(sum x**p)**(1/p)`` of each window along three dimensions.

    Args:
        norm_type: p.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window; the kernel size if not given.
        ceil_mode: also windows that reach over the end, if they begin inside.

    >>> import tensorgrad as torch
    >>> torch.nn.LPPool3d(2, 2)(torch.zeros(1, 6, 6, 6)).shape
    torch.Size([1, 3, 3, 3])
    """

    _function = staticmethod(F.lp_pool3d)


class _AdaptiveMaxPoolNd(Module):
    _function = None

    def __init__(self, output_size, return_indices=False):
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input):
        """The maxima of the bins of ``input``."""
        return type(self)._function(input, self.output_size, self.return_indices)

    def extra_repr(self):
        """The number of bins."""
        return f"output_size={self.output_size}"


class _AdaptiveAvgPoolNd(Module):
    _function = None

    def __init__(self, output_size):
        super().__init__()
        self.output_size = output_size

    def forward(self, input):
        """The means of the bins of ``input``."""
        return type(self)._function(input, self.output_size)

    def extra_repr(self):
        """The number of bins."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The maxima of so many bins that fill one dimension of any size.

    Bin i of n over a elements holds [floor(i a/n), ceil((i+1) a/n)).

    Args:
        output_size: the number of bins, one number or one for each dimension; None keeps a size.
        return_indices: whether to return (maxima, their flat positions in each plane).

    Shapes:
        input (N, C, L) or (C, L); channels stay.

    >>> import tensorgrad as torch
    >>> torch.nn.AdaptiveMaxPool1d(3)(torch.zeros(1, 2, 7)).shape
    torch.Size([1, 2, 3])
    """

    _function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The maxima of so many bins that fill two dimensions of any size.

    Bin i of n over a elements holds [floor(i a/n), ceil((i+1) a/n)).

    Args:
        output_size: the number of bins, one number or one for each dimension; None keeps a size.
        return_indices: whether to return (maxima, their flat positions in each plane).

    Shapes:
        input (N, C, H, W) or (C, H, W); channels stay.

    >>> import tensorgrad as torch
    >>> torch.nn.AdaptiveMaxPool2d(3)(torch.zeros(1, 2, 7, 7)).shape
    torch.Size([1, 2, 3, 3])
    """

    _function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The maxima of so many bins that fill three dimensions of any size.

    Bin i of n over a elements holds [floor(i a/n), ceil((i+1) a/n)).

    Args:
        output_size: the number of bins, one number or one for each dimension; None keeps a size.
        return_indices: whether to return (maxima, their flat positions in each plane).

    Shapes:
        input (N, C, D, H, W) or (C, D, H, W); channels stay.

    >>> import tensorgrad as torch
    >>> torch.nn.AdaptiveMaxPool3d(3)(torch.zeros(1, 2, 7, 7, 7)).shape
    torch.Size([1, 2, 3, 3, 3])
    """

    _function = staticmethod(F.adaptive_max_pool3d)


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The means of so many bins that fill one dimension of any size.

    Bin i of n over a elements holds [floor(i a/n), ceil((i+1) a/n)).

    Args:
        output_size: the number of bins, one number or one for each dimension; None keeps a size.

    Shapes:
        input (N, C, L) or (C, L); channels stay.

    >>> import tensorgrad as torch
    >>> torch.nn.AdaptiveAvgPool1d(3)(torch.zeros(1, 2, 7)).shape
    torch.Size([1, 2, 3])
    """

    _function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """The means of so many bins that fill two dimensions of any size.

    Bin i of n over a elements holds [floor(i a/n), ceil((i+1) a/n)).

    Args:
        output_size: the number of bins, one number or one for each dimension; None keeps a size.

    Shapes:
        input (N, C, H, W) or (C, H, W); channels stay.

    >>> import tensorgrad as torch
    >>> torch.nn.AdaptiveAvgPool2d(3)(torch.zeros(1, 2, 7, 7)).shape
    torch.Size([1, 2, 3, 3])
    """

    _function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """The means of so many bins that fill three dimensions of any size.

    Bin i of n over a elements holds [floor(i a/n), ceil((i+1) a/n)).

    Args:
        output_size: the number of bins, one number or one for each dimension; None keeps a size.

    Shapes:
        input (N, C, D, H, W) or (C, D, H, W); channels stay.

    >>> import tensorgrad as torch
    >>> torch.nn.AdaptiveAvgPool3d(3)(torch.zeros(1, 2, 7, 7, 7)).shape
    torch.Size([1, 2, 3, 3, 3])
    """

    _function = staticmethod(F.adaptive_avg_pool3d)


class SpatialPyramidPool2d(Module):
    """Images of any size to vectors of one length: n x n bins for every level n.

    Bin i of n covers the rows (and columns) [floor(i a/n), ceil((i+1) a/n)) of a. Put before the
    first linear layer it lets a network train on, and predict for, images of different sizes.

    He et al., "Spatial pyramid pooling in deep convolutional networks for visual recognition"
    (arXiv:1406.4729); not in PyTorch.

    Args:
        levels: the numbers of bins along each side.
        mode: ``"max"`` or ``"mean"`` of each bin.
        sliding: use the paper's windows of ceil(a/n) at a step of floor(a/n) instead. They leave
            pixels at the edge out, and are refused where they do not make n bins.

    Shapes:
        input (N, C, H, W) -> (N, C x sum of squared levels); a batch dimension may be missing.

    Raises:
        ValueError: another mode, or levels that are not positive integers.
        RuntimeError: an image smaller than the finest level, or not n sliding windows.

    >>> import tensorgrad as torch
    >>> pool = torch.nn.SpatialPyramidPool2d(levels=(2, 1))
    >>> pool(torch.zeros(1, 3, 8, 5)).shape, pool(torch.zeros(1, 3, 13, 13)).shape
    (torch.Size([1, 15]), torch.Size([1, 15]))
    """

    def __init__(self, levels=(6, 3, 2, 1), mode="max", sliding=False):
        super().__init__()
        self.levels = tuple(levels) if isinstance(levels, tuple | list) else (levels,)
        if not all(type(n) is int and n > 0 for n in self.levels) or not self.levels:
            raise ValueError(f"levels must be positive integers, got {levels}")
        if mode not in ("max", "mean"):
            raise ValueError(f'mode must be "max" or "mean", got {mode!r}')
        self.mode, self.sliding = mode, sliding

    def forward(self, input):
        """The pyramid of ``input``, flattened."""
        return F.spatial_pyramid_pool2d(input, self.levels, self.mode, self.sliding)

    def extra_repr(self):
        """The settings."""
        return f"levels={self.levels}, mode={self.mode!r}, sliding={self.sliding}"
