"""Pooling over windows, over bins that fill an image, and over a pyramid of them."""

from __future__ import annotations

import math

import tensorgrad as tg
from tensorgrad.errors import ShapeError
from tensorgrad.ops import pool as ops

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "spatial_pyramid_pool2d",
]

avg_pool1d = tg.avg_pool1d
adaptive_avg_pool1d = tg.adaptive_avg_pool1d


# --- maxima -----------------------------------------------------------------------------


def max_pool1d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The largest value in each window along one dimension; see :func:`max_pool2d`."""
    return ops.max_pool(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def max_pool2d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The largest value in each window of an image.

    Args:
        input: (N, C, H, W), or (C, H, W) without a batch.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window; the kernel size if not given.
        padding: of minus infinity, on both sides, at most half of the window.
        dilation: distance of the elements of a window.
        ceil_mode: also windows that reach over the end, if they begin inside.
        return_indices: whether to return (maxima, their flat positions in each plane).

    nan wins over every number. The gradient goes to the first largest element of each window.

    Raises:
        RuntimeError: another number of dimensions, arguments out of range, an empty result, or a
            window that dilation carries over the whole image.

    >>> import tensorgrad as torch
    >>> x = torch.tensor([[[1.0, 5.0], [2.0, 0.0]]])
    >>> torch.nn.functional.max_pool2d(x, 2, return_indices=True)
    (tensor([[[5.]]]), tensor([[[1]]]))
    """
    return ops.max_pool(
        "max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def max_pool3d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The largest value in each window of a volume; see :func:`max_pool2d`."""
    return ops.max_pool(
        "max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def max_pool1d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """:func:`max_pool1d` with positions, whatever ``return_indices`` says."""
    return max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool2d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """:func:`max_pool2d` with positions, whatever ``return_indices`` says."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool3d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """:func:`max_pool3d` with positions, whatever ``return_indices`` says."""
    return max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def adaptive_max_pool1d(input, output_size, return_indices=False):
    """The maxima of ``output_size`` bins; see :func:`adaptive_max_pool2d`."""
    return ops.adaptive_max_pool("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input, output_size, return_indices=False):
    """The maxima of bins [floor(i a/n), ceil((i+1) a/n)) that fill an image of any size.

    Args:
        input: (N, C, H, W), or (C, H, W) without a batch.
        output_size: the number of bins, one number or one for each dimension; None keeps a size.
        return_indices: whether to return (maxima, their flat positions in each plane).

    >>> import tensorgrad as torch
    >>> torch.nn.functional.adaptive_max_pool2d(torch.arange(9.0).reshape(1, 3, 3), 2)
    tensor([[[4., 5.],
             [7., 8.]]])
    """
    return ops.adaptive_max_pool("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input, output_size, return_indices=False):
    """The maxima of bins that fill a volume; see :func:`adaptive_max_pool2d`."""
    return ops.adaptive_max_pool("adaptive_max_pool3d", 3, input, output_size, return_indices)


def adaptive_max_pool1d_with_indices(input, output_size, return_indices=False):
    """:func:`adaptive_max_pool1d` with positions, whatever ``return_indices`` says."""
    return adaptive_max_pool1d(input, output_size, True)


def adaptive_max_pool2d_with_indices(input, output_size, return_indices=False):
    """:func:`adaptive_max_pool2d` with positions, whatever ``return_indices`` says."""
    return adaptive_max_pool2d(input, output_size, True)


def adaptive_max_pool3d_with_indices(input, output_size, return_indices=False):
    """:func:`adaptive_max_pool3d` with positions, whatever ``return_indices`` says."""
    return adaptive_max_pool3d(input, output_size, True)


def _fractional(name, n, input, kernel_size, output_size, output_ratio, samples):
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if output_size is None:
        ratio = output_ratio if isinstance(output_ratio, tuple | list) else (output_ratio,) * n
        if len(ratio) != n:
            raise ValueError(f"{name} requires output_ratio to be one number or {n}, got {ratio}")
        output_size = [int(input.shape[d - n] * ratio[d]) for d in range(n)]
    if samples is None:
        batch = 1 if input.ndim == n + 1 else input.shape[0]
        samples = tg.rand(batch, input.shape[-n - 1], n, dtype=input.dtype)
    return ops.fractional_max_pool(name, n, input, kernel_size, output_size, samples)


def fractional_max_pool2d_with_indices(
    input,
    kernel_size,
    output_size=None,
    output_ratio=None,
    return_indices=False,
    _random_samples=None,
):
    """:func:`fractional_max_pool2d` with positions, whatever ``return_indices`` says."""
    return _fractional(
        "fractional_max_pool2d", 2, input, kernel_size, output_size, output_ratio, _random_samples
    )


def fractional_max_pool3d_with_indices(
    input,
    kernel_size,
    output_size=None,
    output_ratio=None,
    return_indices=False,
    _random_samples=None,
):
    """:func:`fractional_max_pool3d` with positions, whatever ``return_indices`` says."""
    return _fractional(
        "fractional_max_pool3d", 3, input, kernel_size, output_size, output_ratio, _random_samples
    )


def fractional_max_pool2d(
    input,
    kernel_size,
    output_size=None,
    output_ratio=None,
    return_indices=False,
    _random_samples=None,
):
    """Maxima of windows at pseudo-random distances, so that sizes shrink by any factor.

    Graham, "Fractional max-pooling" (arXiv:1412.6071).

    Args:
        input: (N, C, H, W), or (C, H, W) without a batch.
        kernel_size: of the window, a number or one for each dimension.
        output_size: height and width of the result.
        output_ratio: in place of it, what the sizes are multiplied by.
        return_indices: whether to return (maxima, their flat positions in each plane).
        _random_samples: (N, C, 2) uniform numbers; drawn as PyTorch draws them if not given.

    Raises:
        ValueError: neither size nor ratio is given.
        RuntimeError: windows that do not fit.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.fractional_max_pool2d(torch.ones(1, 5, 5), 2, 3).shape
    torch.Size([1, 3, 3])
    """
    out, index = fractional_max_pool2d_with_indices(
        input, kernel_size, output_size, output_ratio, True, _random_samples
    )
    return (out, index) if return_indices else out


def fractional_max_pool3d(
    input,
    kernel_size,
    output_size=None,
    output_ratio=None,
    return_indices=False,
    _random_samples=None,
):
    """:func:`fractional_max_pool2d` over volumes (N, C, D, H, W)."""
    out, index = fractional_max_pool3d_with_indices(
        input, kernel_size, output_size, output_ratio, True, _random_samples
    )
    return (out, index) if return_indices else out


def _unpool(name, n, input, indices, kernel_size, stride, padding, output_size):
    kernel, stride, padding = (
        tuple(v) if isinstance(v, tuple | list) else (v,) * n
        for v in (kernel_size, kernel_size if stride is None else stride, padding)
    )
    if input.ndim not in (n + 1, n + 2):
        raise ShapeError(
            f"Input to {name} should be a {n + 1}d or {n + 2}d Tensor, but got {input.ndim} "
            f"dimensions, shape {tuple(input.shape)}"
        )
    plain = [
        (length - 1) * s + k - 2 * p
        for length, s, k, p in zip(input.shape[-n:], stride, kernel, padding, strict=True)
    ]
    size = plain
    if output_size is not None:
        size = list(output_size)
        size = size[2:] if len(size) == n + 2 else size
        if len(size) != n:
            raise ValueError(
                f"output_size should be a sequence containing {n} or {n + 2} elements, but it has "
                f"a length of '{len(size)}'"
            )
        for d, (have, want, s) in enumerate(zip(size, plain, stride, strict=True)):
            if not want - s < have < want + s:
                raise ValueError(
                    f'invalid output_size "{output_size}" (dim {d} must be between {want - s} '
                    f"and {want + s})"
                )
    if min(size) < 0:
        raise ValueError(
            f"{name}: output_size must contain non-negative spatial dimensions, but got {size}"
        )
    if indices.dtype is not tg.int64:
        raise ShapeError(f"{name}: elements in indices should be type int64, got {indices.dtype}")
    if tuple(indices.shape) != tuple(input.shape):
        raise ShapeError(
            f"{name}: Expected shape of indices to be the same as that of the input tensor "
            f"({list(input.shape)}) but got {list(indices.shape)}"
        )
    if 0 in tuple(input.shape)[1:]:
        raise ShapeError(f"{name}: Expected input to have non-zero size for non-batch dimensions, "
                         f"but got {list(input.shape)}")  # fmt: skip
    lead, count = tuple(input.shape[:-n]), math.prod(size)
    place = indices._array
    if place.size and not (0 <= place.min() and place.max() < count):
        wrong = int(place.min() if place.min() < 0 else place.max())
        raise ShapeError(
            f"{name}: Found an invalid max index: {wrong} (output volumes are of size "
            f"{'x'.join(map(str, size))})"
        )
    flat = tg.zeros((*lead, count), dtype=input.dtype)
    flat = flat.scatter(-1, indices.reshape(*lead, -1), input.reshape(*lead, -1))
    return flat.reshape(*lead, *size)


def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """A partial inverse of :func:`max_pool1d`; see :func:`max_unpool2d`."""
    return _unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """A partial inverse of :func:`max_pool2d`: maxima back at their positions, zeros elsewhere.

    Args:
        input: the maxima.
        indices: their positions, as ``return_indices=True`` gives them.
        kernel_size: as in the pooling.
        stride: as in the pooling.
        padding: as in the pooling.
        output_size: the size before pooling, where the other arguments leave several.

    Raises:
        ValueError: an ``output_size`` that the pooling cannot have come from.
        RuntimeError: indices of another shape or dtype, or out of range.

    >>> import tensorgrad as torch
    >>> F = torch.nn.functional
    >>> y, index = F.max_pool2d(torch.tensor([[[1.0, 5.0], [2.0, 0.0]]]), 2, return_indices=True)
    >>> F.max_unpool2d(y, index, 2)
    tensor([[[0., 5.],
             [0., 0.]]])
    """
    return _unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """A partial inverse of :func:`max_pool3d`; see :func:`max_unpool2d`."""
    return _unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


# --- means ------------------------------------------------------------------------------


def avg_pool2d(
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """The mean of each window of an image.

    Args:
        input: (N, C, H, W), or (C, H, W) without a batch.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window; the kernel size if not given.
        padding: zeros on both sides, at most half of the window.
        ceil_mode: also windows that reach over the end, if they begin inside.
        count_include_pad: whether the zeros count in the mean.
        divisor_override: what to divide the sums by instead.

    Raises:
        RuntimeError: another number of dimensions, arguments out of range, an empty result.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.avg_pool2d(torch.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """
    return ops.avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )  # fmt: skip


def avg_pool3d(
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """The mean of each window of a volume; see :func:`avg_pool2d`."""
    return ops.avg_pool(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )  # fmt: skip


def adaptive_avg_pool2d(input, output_size):
    """The means of bins [floor(i a/n), ceil((i+1) a/n)) that fill an image of any size.

    Args:
        input: (N, C, H, W), or (C, H, W) without a batch.
        output_size: the number of bins, one number or one for each dimension; None keeps a size.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.adaptive_avg_pool2d(torch.arange(9.0).reshape(1, 3, 3), 2)
    tensor([[[2., 3.],
             [5., 6.]]])
    """
    return ops.adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input, output_size):
    """The means of bins that fill a volume; see :func:`adaptive_avg_pool2d`."""
    return ops.adaptive_avg_pool("adaptive_avg_pool3d", 3, input, output_size)


def _lp_pool(n, input, norm_type, kernel_size, stride, ceil_mode):
    if isinstance(norm_type, int | float) and math.isinf(norm_type):
        sign = 1 if norm_type > 0 else -1
        name = f"max_pool{n}d"
        return sign * ops.max_pool(
            name, n, sign * input.abs(), kernel_size, stride, 0, 1, ceil_mode
        )
    kernel = kernel_size if isinstance(kernel_size, tuple | list) else (kernel_size,) * n
    powers = input.pow(norm_type)
    name = f"avg_pool{n}d"
    mean = ops.avg_pool(name, n, powers, kernel_size, stride, 0, ceil_mode, True, None)
    # Where the mean is 0 the root has no slope; this makes its gradient 0 instead of nan.
    positive = tg.sign(mean) * tg.relu(mean.abs())
    return (positive * math.prod(kernel)).pow(1.0 / norm_type)


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The p-norm of each window along one dimension; see :func:`lp_pool2d`."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The p-norm of each window of an image, ``(sum x**p)**(1/p)``; no absolute value is taken.

    Args:
        input: (N, C, H, W), or (C, H, W) without a batch.
        norm_type: p; an infinity takes the maximum of the absolute values, or their minimum.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window; the kernel size if not given.
        ceil_mode: also windows that reach over the end, if they begin inside.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.lp_pool2d(torch.tensor([[[3.0, 4.0]]]), 2, (1, 2))
    tensor([[[5.]]])
    """
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The p-norm of each window of a volume; see :func:`lp_pool2d`."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


# --- pyramids ---------------------------------------------------------------------------


def spatial_pyramid_pool2d(input, levels=(6, 3, 2, 1), mode="max", sliding=False):
    """Images of any size to vectors of one length: n x n bins for every level n.

    Bin i of n covers the rows (and columns) [floor(i a/n), ceil((i+1) a/n)) of a, so that all of
    the image counts. He et al., "Spatial pyramid pooling in deep convolutional networks for
    visual recognition" (arXiv:1406.4729).

    Args:
        input: (N, C, H, W), or (C, H, W) without a batch.
        levels: the numbers of bins along each side.
        mode: ``"max"`` or ``"mean"`` of each bin.
        sliding: use the paper's windows of ceil(a/n) at a step of floor(a/n) instead. They leave
            pixels at the edge out, and are refused where they do not make n bins.

    Returns:
        (N, C x sum of squared levels): level by level, in each channel by channel, row by row.

    Raises:
        ValueError: another mode, or levels that are not positive integers.
        RuntimeError: an image smaller than the finest level, or not n sliding windows.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.spatial_pyramid_pool2d(torch.zeros(1, 3, 13, 9)).shape
    torch.Size([1, 150])
    """
    levels = tuple(levels) if isinstance(levels, tuple | list) else (levels,)
    if not levels or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in levels):
        raise ValueError(f"levels must be positive integers, got {levels}")
    if mode not in ("max", "mean"):
        raise ValueError(f'mode must be "max" or "mean", got {mode!r}')
    if input.ndim not in (3, 4):
        raise ShapeError(
            "Expected 3D (unbatched) or 4D (batched) input to spatial_pyramid_pool2d, but got "
            f"input of size: {list(input.shape)}"
        )
    lead, size = tuple(input.shape[:-3]), tuple(input.shape[-2:])
    if min(size) < max(levels):
        raise ShapeError(
            f"spatial_pyramid_pool2d: an image of {size[0]}x{size[1]} is smaller than the finest "
            f"level, {max(levels)}x{max(levels)} bins; use a larger image or coarser levels"
        )
    pool = _sliding_level if sliding else _level
    count = input.shape[-3]
    parts = [pool(input, n, mode).reshape(*lead, count * n * n) for n in levels]
    return tg.cat(parts, -1)


def _level(input, n, mode):
    if mode == "max":
        return adaptive_max_pool2d(input, n)
    return adaptive_avg_pool2d(input, n)


def _sliding_level(input, n, mode):
    window = [-(-a // n) for a in input.shape[-2:]]
    step = [a // n for a in input.shape[-2:]]
    for a, w, s in zip(input.shape[-2:], window, step, strict=True):
        got = (a - w) // s + 1
        if got != n:
            raise ShapeError(
                f"spatial_pyramid_pool2d: on a side of {a}, windows of {w} at step {s} make {got} "
                f"bins, not {n}; leave sliding=False"
            )
    return (max_pool2d if mode == "max" else avg_pool2d)(input, window, step)
