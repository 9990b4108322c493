"""Convolution and its adjoints, of any number of dimensions, and the windows it is made of.

Three ops close under derivatives: :func:`convolve`, ``convolve_input``, its adjoint in the input
(which *is* transposed convolution), and ``convolve_weight``, its adjoint in the weight. Each is
linear in both of its arguments, so each of their derivatives is one of the three. ``windows``
and ``add_windows`` are another such pair. All take the sizes of their result as ``size``: several
sizes of the input of a strided convolution lead to one size of its output.
"""

from __future__ import annotations

import math
import operator

import numpy as np

from .. import errors
from .._graph import Tensor
from .._registry import function, op
from ..kernels import conv as kernels
from .linalg import matmul
from .reduce import sum
from .shape import reshape

_STRIDE = "1 or more (non-positive stride is not supported)"
_PADDING = "0 or more (negative padding is not supported)"
_NAMES = {1: "L", 2: "H x W", 3: "D x H x W"}


# --- the ops ----------------------------------------------------------------------------


def _single(run, x, *others):
    """float16 is computed in float32, which BLAS knows."""
    if x.dtype.char != "e":
        return run(x, *others)
    others = [o if o is None else o.astype(np.float32) for o in others]
    return run(x.astype(np.float32), *others).astype(np.float16)


def _start(padding):
    return tuple(-p for p in padding)


def _convolve_definition(x, weight, bias=None, *, size, stride, padding, dilation, groups):
    n, kernel = x.shape[0], tuple(weight.shape[2:])
    columns = windows(
        x, kernel=kernel, size=size, stride=stride, padding=padding, dilation=dilation
    )
    terms = weight.shape[1] * math.prod(kernel)
    columns = reshape(columns, (n, groups, terms, math.prod(size)))
    out = matmul(reshape(weight, (groups, weight.shape[0] // groups, terms)), columns)
    out = reshape(out, (n, weight.shape[0], *size))
    return out if bias is None else out + reshape(bias, (-1,) + (1,) * len(size))


@op(types="same", public=False, method=False, grad_name="ConvolutionBackward0",
    definition=_convolve_definition)  # fmt: skip
def convolve(x, weight, bias=None, *, size, stride, padding, dilation, groups):
    """Correlate x (N, C, ...) with weight (O, C / groups, ...), and add bias (O,)."""

    def run(x, weight, bias):
        out = np.empty((len(x), len(weight), *size), x.dtype)
        return kernels.correlate(x, weight, out, _start(padding), stride, dilation, groups, bias)

    return _single(run, x, weight, bias)


@op(types="same", public=False, method=False, grad_name="ConvolutionBackward0")
def convolve_input(y, weight, bias=None, *, size, stride, padding, dilation, groups):
    """The adjoint of :func:`convolve` in x, of y (N, O, ...): (N, C, *size); and bias (C,)."""

    def run(y, weight, bias):
        out = np.empty((len(y), weight.shape[1] * groups, *size), y.dtype)
        kernels.correlate_input(y, weight, out, _start(padding), stride, dilation, groups)
        if bias is not None:
            out += bias.reshape(-1, *((1,) * len(size)))
        return out

    return _single(run, y, weight, bias)


@op(types="same", public=False, method=False, grad_name="ConvolutionBackwardBackward0")
def convolve_weight(y, x, *, size, stride, padding, dilation, groups):
    """The adjoint of :func:`convolve` in the weight, of y (N, O, ...): (O, C / groups, *size)."""

    def run(y, x):
        return kernels.correlate_weight(y, x, size, _start(padding), stride, dilation, groups)

    return _single(run, y, x)


def _call(op, inputs, size, stride, padding, dilation, groups):
    attrs = {"size": tuple(size), "stride": stride, "padding": padding, "dilation": dilation}
    return op.op.apply(inputs, {**attrs, "groups": groups})


def _of_bias(g):
    return sum(g, (0, *range(2, g.ndim)))


convolve.vjp(
    x=lambda g, weight, x_shape, *, stride, padding, dilation, groups: _call(
        convolve_input, (g, weight, None), x_shape[2:], stride, padding, dilation, groups
    ),
    weight=lambda g, x, weight_shape, *, stride, padding, dilation, groups: _call(
        convolve_weight, (g, x), weight_shape[2:], stride, padding, dilation, groups
    ),
    bias=_of_bias,
)
convolve_input.vjp(
    y=lambda g, weight, y_shape, *, stride, padding, dilation, groups: _call(
        convolve, (g, weight, None), y_shape[2:], stride, padding, dilation, groups
    ),
    weight=lambda g, y, weight_shape, *, stride, padding, dilation, groups: _call(
        convolve_weight, (y, g), weight_shape[2:], stride, padding, dilation, groups
    ),
    bias=_of_bias,
)
convolve_weight.vjp(
    y=lambda g, x, y_shape, *, stride, padding, dilation, groups: _call(
        convolve, (x, g, None), y_shape[2:], stride, padding, dilation, groups
    ),
    x=lambda g, y, x_shape, *, stride, padding, dilation, groups: _call(
        convolve_input, (y, g, None), x_shape[2:], stride, padding, dilation, groups
    ),
)


@op(public=False, method=False, grad_name="Im2ColBackward0")
def windows(x, *, kernel, size, stride, padding, dilation):
    """The ``size`` windows of x (N, C, ...), zero outside: (N, C, *kernel, *size)."""
    return kernels.windows(x, kernel, size, _start(padding), stride, dilation)


@op(public=False, method=False, grad_name="Col2ImBackward0")
def add_windows(y, *, shape, kernel, stride, padding, dilation):
    """The adjoint of :func:`windows`: zeros (N, C, *shape) with every window added in place."""
    return kernels.add_windows(y, shape, kernel, _start(padding), stride, dilation)


windows.vjp(
    x=lambda g, x_shape, *, kernel, stride, padding, dilation: add_windows(
        g, shape=x_shape[2:], kernel=kernel, stride=stride, padding=padding, dilation=dilation
    )
)
add_windows.vjp(
    y=lambda g, y_shape, *, kernel, stride, padding, dilation: windows(
        g, kernel=kernel, size=y_shape[2 + len(kernel) :], stride=stride, padding=padding,
        dilation=dilation,
    )
)  # fmt: skip


# --- arguments --------------------------------------------------------------------------


def spread(name, key, value, n, low=None, what="1 or more"):
    """``value`` as ``n`` integers: one for all, or a sequence of one or ``n``.

    Raises:
        TypeError: it holds something else than integers.
        RuntimeError: another length, or a number below ``low``.
    """
    try:
        if isinstance(value, tuple | list):
            values = tuple(map(operator.index, value))
        else:
            values = (operator.index(value),)
    except TypeError:
        raise TypeError(
            f"{name}(): argument {key!r} must be an int or a tuple of {n} ints, got {value!r}"
        ) from None
    if len(values) == 1:
        values *= n
    if len(values) != n:
        raise errors.ShapeError(
            f"{name}: expected {key} to be a single integer value or a list of {n} values, "
            f"but got {key}={list(values)}"
        )
    if low is not None and min(values) < low:
        raise errors.ShapeError(f"{name}: {key} must be {what}, but got {key}={list(values)}")
    return values


def batched(name, input, n):
    """``input`` with a batch dimension, and whether it had one.

    Raises:
        TypeError: it is no tensor.
        RuntimeError: it has neither ``n + 1`` nor ``n + 2`` dimensions.
    """
    if not isinstance(input, Tensor | np.ndarray):
        raise TypeError(f"{name}(): argument 'input' must be Tensor, not {type(input).__name__}")
    if input.ndim == n + 2:
        return input, True
    if input.ndim == n + 1:
        return reshape(input, (1, *input.shape)), False
    raise errors.ShapeError(
        f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {name}, but got input of "
        f"size: {list(input.shape)}; the dimensions are batch, channels, {_NAMES[n]}"
    )


def unbatched(out, had_batch):
    """``out`` without its batch dimension, if the input had none."""
    return out if had_batch else reshape(out, tuple(out.shape)[1:])


def _demand_floats(name, x):
    if x.dtype.kind not in "fc":
        raise errors.UnsupportedDtypeError(
            f'{name}: "conv" is not implemented for {x.dtype}; convert with .float()'
        )


def _check(name, x, weight, bias, groups, n, transposed=False):
    """PyTorch's checks of the shapes of input, weight and bias."""
    for key, value in (("weight", weight), ("bias", bias)):
        if not isinstance(value, Tensor | np.ndarray) and not (key == "bias" and value is None):
            raise TypeError(f"{name}(): argument {key!r} must be Tensor, not "
                            f"{type(value).__name__}")  # fmt: skip
    _demand_floats(name, getattr(x, "_array", x))
    x_shape, w_shape = tuple(x.shape), tuple(weight.shape)
    if len(w_shape) != n + 2:
        raise errors.ShapeError(
            f"{name}: expected a {n + 2}-dimensional weight (output channels, input channels / "
            f"groups, {_NAMES[n]}), got weight of size {list(w_shape)}"
        )
    if groups <= 0:
        raise errors.ShapeError(f"{name}: non-positive groups is not supported, got {groups}")
    if min(w_shape[2:]) < 1:
        raise errors.ShapeError(f"{name}: kernel sizes must be 1 or more, got {list(w_shape)}")
    if w_shape[0] < groups or w_shape[0] % groups:
        raise errors.ShapeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size {list(w_shape)} instead"
        )
    expected = w_shape[0] if transposed else w_shape[1] * groups
    outputs = w_shape[1] * groups if transposed else w_shape[0]
    if x_shape[1] != expected:
        raise errors.ShapeError(
            f"Given groups={groups}, weight of size {list(w_shape)}, expected input"
            f"{list(x_shape)} to have {expected} channels, but got {x_shape[1]} channels instead"
        )
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise errors.ShapeError(
            f"Given weight of size {list(w_shape)}, expected bias to be 1-dimensional with "
            f"{outputs} elements, but got bias of size {list(bias.shape)} instead"
        )


def same_padding(kernel, dilation):
    """What ``padding="same"`` puts before each dimension; one more may follow after it."""
    return tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))


def _padding(name, padding, kernel, stride, dilation):
    """``padding`` in numbers: (before, before and after together)."""
    if not isinstance(padding, str):
        padding = spread(name, "padding", padding, len(kernel), 0, _PADDING)
        return padding, tuple(2 * p for p in padding)
    if padding == "valid":
        none = (0,) * len(kernel)
        return none, none
    if padding != "same":
        raise errors.ShapeError(
            f"{name}: Invalid padding string: {padding!r}, should be one of 'valid', 'same', or "
            "numbers"
        )
    if any(s != 1 for s in stride):
        raise errors.ShapeError(
            f"{name}: padding='same' is not supported for strided convolutions, got stride "
            f"{list(stride)}; give the padding in numbers"
        )
    total = tuple(d * (k - 1) for k, d in zip(kernel, dilation, strict=True))
    return same_padding(kernel, dilation), total


def _convolution(name, n, input, weight, bias, stride, padding, dilation, groups):
    x, had_batch = batched(name, input, n)
    groups = operator.index(groups)
    _check(name, x, weight, bias, groups, n)
    kernel = tuple(weight.shape[2:])
    stride = spread(name, "stride", stride, n, 1, _STRIDE)
    dilation = spread(name, "dilation", dilation, n, 1, "greater than zero")
    before, total = _padding(name, padding, kernel, stride, dilation)
    padded = [s + p for s, p in zip(x.shape[2:], total, strict=True)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(r > s for r, s in zip(reach, padded, strict=True)):
        raise errors.ShapeError(
            f"{name}: Calculated padded input size per channel: ({_times(padded)}). Kernel size: "
            f"({_times(reach)}). Kernel size can't be greater than actual input size; add padding "
            "or use a smaller kernel"
        )
    size = tuple((p - r) // s + 1 for p, r, s in zip(padded, reach, stride, strict=True))
    out = _call(convolve, (x, weight, bias), size, stride, before, dilation, groups)
    return unbatched(out, had_batch)


def _times(sizes):
    return " x ".join(map(str, sizes))


def _transposed(name, n, input, weight, bias, stride, padding, output_padding, groups, dilation):
    x, had_batch = batched(name, input, n)
    groups = operator.index(groups)
    _check(name, x, weight, bias, groups, n, transposed=True)
    stride = spread(name, "stride", stride, n, 1, _STRIDE)
    dilation = spread(name, "dilation", dilation, n, 1, "greater than zero")
    padding = spread(name, "padding", padding, n, 0, _PADDING)
    extra = spread(name, "output_padding", output_padding, n, 0, _PADDING)
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if e >= max(s, d):
            raise errors.ShapeError(
                f"{name}: output padding must be smaller than either stride or dilation, but got "
                f"output_padding {list(extra)}, stride {list(stride)}, dilation {list(dilation)}"
            )
    size = tuple(
        (s - 1) * st - 2 * p + d * (k - 1) + e + 1
        for s, st, p, d, k, e in zip(
            x.shape[2:], stride, padding, dilation, weight.shape[2:], extra, strict=True
        )
    )
    if min(size) < 1:
        raise errors.ShapeError(
            f"{name}: Given input size per channel: ({_times(x.shape[2:])}). Calculated output "
            f"size per channel: ({_times(size)}). Output size is too small; reduce the padding"
        )
    out = _call(convolve_input, (x, weight, bias), size, stride, padding, dilation, groups)
    return unbatched(out, had_batch)


# --- public functions -------------------------------------------------------------------


@function
def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution over one dimension; see :func:`conv2d`.

    Shapes: input (N, C, L) or (C, L); weight (O, C / groups, kernel); bias (O,).

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([[[1.0, 2.0, 3.0]]])
    >>> tensorgrad.conv1d(x, tensorgrad.ones(1, 1, 2))
    tensor([[[3., 5.]]])
    """
    return _convolution("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@function
def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution over two dimensions (a cross-correlation: the kernel is not turned over).

    Args:
        input: (N, C, H, W), or (C, H, W) without a batch.
        weight: (O, C / groups, kernel height, kernel width).
        bias: (O,), added to each output channel.
        stride: step of the window, a number or one for each dimension.
        padding: zeros put around, a number or one for each dimension; ``"valid"`` for none,
            ``"same"`` for as many as keep the size.
        dilation: distance of the elements of a window.
        groups: channels are split into so many groups, each with its own outputs.

    Raises:
        RuntimeError: shapes that do not fit, a window larger than the padded input,
            dtypes that differ.

    LeCun et al., "Gradient-based learning applied to document recognition" (1998).

    >>> import tensorgrad
    >>> x = tensorgrad.arange(9.0).reshape(1, 1, 3, 3)
    >>> tensorgrad.conv2d(x, tensorgrad.ones(1, 1, 2, 2))
    tensor([[[[ 8., 12.],
              [20., 24.]]]])
    """
    return _convolution("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@function
def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution over three dimensions; see :func:`conv2d`.

    Shapes: input (N, C, D, H, W) or (C, D, H, W); weight (O, C / groups, kernel depth, height,
    width); bias (O,).

    >>> import tensorgrad
    >>> tensorgrad.conv3d(tensorgrad.ones(1, 1, 2, 2, 2), tensorgrad.ones(1, 1, 2, 2, 2))
    tensor([[[[[8.]]]]])
    """
    return _convolution("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


@function
def conv_transpose1d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """Transposed convolution over one dimension; see :func:`conv_transpose2d`.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([[[1.0, 2.0]]])
    >>> tensorgrad.conv_transpose1d(x, tensorgrad.ones(1, 1, 2), stride=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    return _transposed(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups,
        dilation,
    )  # fmt: skip


@function
def conv_transpose2d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The adjoint in the input of the convolution with the same arguments; a bias is added.

    Args:
        input: (N, C, H, W), or (C, H, W) without a batch.
        weight: (C, O / groups, kernel height, kernel width).
        bias: (O,).
        stride: step of the window in the *output*.
        padding: what the convolution would put around the output; cut off here.
        output_padding: added to the size at the end of each dimension, to tell apart the sizes
            that a strided convolution maps to one.
        groups: as in :func:`conv2d`.
        dilation: distance of the elements of a window.

    Raises:
        RuntimeError: shapes that do not fit, an empty output, dtypes that differ.

    >>> import tensorgrad
    >>> x = tensorgrad.ones(1, 1, 2, 2)
    >>> tensorgrad.conv_transpose2d(x, tensorgrad.ones(1, 1, 2, 2))
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
    """
    return _transposed(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups,
        dilation,
    )  # fmt: skip


@function
def conv_transpose3d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """Transposed convolution over three dimensions; see :func:`conv_transpose2d`.

    >>> import tensorgrad
    >>> x = tensorgrad.ones(1, 1, 1, 1, 1)
    >>> tensorgrad.conv_transpose3d(x, tensorgrad.ones(1, 1, 1, 1, 2)).flatten()
    tensor([1., 1.])
    """
    return _transposed(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups,
        dilation,
    )  # fmt: skip


def _window_arguments(name, kernel_size, dilation, padding, stride):
    return (
        spread(name, "kernel_size", kernel_size, 2, 1, "greater than zero"),
        spread(name, "dilation", dilation, 2, 1, "greater than zero"),
        spread(name, "padding", padding, 2, 0, "non-negative"),
        spread(name, "stride", stride, 2, 1, "greater than zero"),
    )


def _window_counts(shape, kernel, dilation, padding, stride):
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, d, p, s in zip(shape, kernel, dilation, padding, stride, strict=True)
    )


def im2col(input, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of a batch of images, one column for each: (N, C x kernel, windows).

    Published as ``nn.functional.unfold``.
    """
    kernel, dilation, padding, stride = _window_arguments(
        "unfold", kernel_size, dilation, padding, stride
    )
    x, had_batch = batched("unfold", input, 2)
    size = _window_counts(x.shape[2:], kernel, dilation, padding, stride)
    if min(size) < 1 or 0 in tuple(x.shape)[1:]:
        raise errors.ShapeError(
            f"unfold: Given input with spatial size ({_times(x.shape[2:])}), kernel_size="
            f"{kernel}, dilation={dilation}, padding={padding}, stride={stride}, calculated shape "
            f"of the array of sliding blocks as ({_times(size)}), which is too small"
        )
    out = windows(
        x, kernel=kernel, size=size, stride=stride, padding=padding, dilation=dilation
    )
    out = reshape(out, (x.shape[0], x.shape[1] * math.prod(kernel), math.prod(size)))
    return unbatched(out, had_batch)


def col2im(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """The adjoint of :func:`im2col`: windows added up to images of ``output_size``.

    Published as ``nn.functional.fold``.
    """
    kernel, dilation, padding, stride = _window_arguments(
        "fold", kernel_size, dilation, padding, stride
    )
    shape = spread("fold", "output_size", output_size, 2, 1, "greater than zero")
    if input.ndim not in (2, 3):
        raise errors.ShapeError(
            "Expected 2D (unbatched) or 3D (batched) input to fold, but got input of size: "
            f"{list(input.shape)}; the dimensions are batch, channels x kernel, windows"
        )
    had_batch = input.ndim == 3
    y = input if had_batch else reshape(input, (1, *input.shape))
    n, terms, count = y.shape
    size = _window_counts(shape, kernel, dilation, padding, stride)
    if terms % math.prod(kernel):
        raise errors.ShapeError(
            f"fold: Expected size of input's dimension 1 to be divisible by the product of "
            f"kernel_size, but got input.size(1)={terms} and kernel_size={kernel}"
        )
    if min(size) < 1 or count != math.prod(size):
        raise errors.ShapeError(
            f"fold: Given output_size={shape}, kernel_size={kernel}, dilation={dilation}, "
            f"padding={padding}, stride={stride}, expected size of input's dimension 2 to match "
            f"the calculated number of sliding blocks {' * '.join(map(str, size))} = "
            f"{math.prod(size)}, but got input.size(2)={count}"
        )
    y = reshape(y, (n, terms // math.prod(kernel), *kernel, *size))
    out = add_windows(
        y, shape=shape, kernel=kernel, stride=stride, padding=padding, dilation=dilation
    )
    return unbatched(out, had_batch)
