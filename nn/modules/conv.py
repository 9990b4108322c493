"""Convolution and transposed convolution over one, two and three dimensions, and lazy ones."""

from __future__ import annotations

import math

import tensorgrad as tg
from tensorgrad.nn import functional as F
from tensorgrad.nn import init
from tensorgrad.nn.modules.lazy import LazyModuleMixin
from tensorgrad.nn.modules.module import Module
from tensorgrad.nn.modules.utils import each
from tensorgrad.nn.parameter import Parameter, UninitializedParameter

_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share; subclasses say the number of dimensions and the function."""

    _dims = 0
    _transposed = False

    def _setup(
        self, in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding,
        groups, bias, padding_mode, device, dtype,
    ):  # fmt: skip
        n = self._dims
        if groups <= 0:
            raise ValueError(f"groups must be a positive integer, got {groups}")
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"{name} must be divisible by groups, got {channels} and {groups}")
        self.stride = each(stride, n)
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    f"Invalid padding string {padding!r}, should be one of 'same', 'valid'"
                )
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in _MODES:
            raise ValueError(f"padding_mode must be one of {_MODES}, got {padding_mode!r}")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = each(kernel_size, n)
        self.padding = padding if isinstance(padding, str) else each(padding, n)
        self.dilation, self.transposed = each(dilation, n), self._transposed
        self.output_padding, self.groups = each(output_padding, n), groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = self._around()
        kwargs = {"device": device, "dtype": dtype}
        self.weight = Parameter(tg.empty(self._weight_shape(), **kwargs))
        if bias:
            self.bias = Parameter(tg.empty(out_channels, **kwargs))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _weight_shape(self):
        outer, inner = self.out_channels, self.in_channels
        if self.transposed:
            outer, inner = inner, outer
        return (outer, inner // self.groups, *self.kernel_size)

    def _around(self):
        """The padding as ``F.pad`` wants it: pairs, the last dimension first."""
        pairs = []
        for i in reversed(range(self._dims)):
            if isinstance(self.padding, str):
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                total = total if self.padding == "same" else 0
                pairs += [total // 2, total - total // 2]
            else:
                pairs += [self.padding[i], self.padding[i]]
        return pairs

    def reset_parameters(self):
        """Draw the initial values anew: uniform on ±1/sqrt(inputs of one output)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            if fan_in:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self):
        """Channels, sizes, and the settings that are not the defaults."""
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        ]
        if self.padding != (0,) * len(self.padding):
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * len(self.dilation):
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * len(self.output_padding):
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)

    def _conv_forward(self, input, weight, bias):
        function = getattr(F, f"conv{self._dims}d")
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = 0
        return function(input, weight, bias, self.stride, padding, self.dilation, self.groups)


class _Conv(_ConvNd):
    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1,
        bias=True, padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        self._setup(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input):
        """The convolution of ``input``."""
        return self._conv_forward(input, self.weight, self.bias)


class _ConvTransposeNd(_ConvNd):
    _transposed = True

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0,
        groups=1, bias=True, dilation=1, padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        if padding_mode != "zeros":
            raise ValueError(
                f'Only "zeros" padding mode is supported for {type(self).__name__}, '
                f"got {padding_mode!r}"
            )
        self._setup(
            in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding,
            groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _output_padding(self, input, output_size):
        """What ``output_size`` asks to be added to the smallest size."""
        if output_size is None:
            return self.output_padding
        n = self._dims
        lead = input.ndim - n
        size = list(output_size)
        size = size[lead:] if len(size) == lead + n else size
        if len(size) != n:
            raise ValueError(
                f"ConvTranspose{n}D: for {input.ndim}D input, output_size must have {n} or "
                f"{lead + n} elements (got {len(size)})"
            )
        least = [
            (length - 1) * s - 2 * p + d * (k - 1) + 1
            for length, s, p, d, k in zip(
                input.shape[lead:], self.stride, self.padding, self.dilation, self.kernel_size,
                strict=True,
            )
        ]  # fmt: skip
        most = [low + s - 1 for low, s in zip(least, self.stride, strict=True)]
        if any(not low <= want <= high for low, want, high in zip(least, size, most, strict=True)):
            raise ValueError(
                f"requested an output size of {size}, but valid sizes range from {least} to {most} "
                f"(for an input of {list(input.shape[lead:])})"
            )
        return tuple(want - low for want, low in zip(size, least, strict=True))

    def forward(self, input, output_size=None):
        """The transposed convolution of ``input``, of ``output_size`` where that is given."""
        function = getattr(F, f"conv_transpose{self._dims}d")
        extra = self._output_padding(input, output_size)
        return function(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups,
            self.dilation,
        )  # fmt: skip


class Conv1d(_Conv):
    """Convolution over one dimension.

    Args:
        in_channels: C, of the input.
        out_channels: O, of the output.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window.
        padding: added on both sides; or ``"same"``, to keep the size, or ``"valid"``, none.
        dilation: distance of the elements of a window.
        groups: channels are split into so many groups, each with its own outputs.
        bias: whether to add one number to each output channel.
        padding_mode: what the padding holds: ``"zeros"``, ``"reflect"``, ``"replicate"`` or
            ``"circular"``.
        device: the CPU.
        dtype: of the parameters; the default float.

    Shapes:
        input (N, C, L) or (C, L); weight (O, C / groups, *kernel_size); bias (O,).

    Initial values are uniform on ±1/sqrt(C / groups x elements of the window), as PyTorch's.

    Raises:
        ValueError: arguments that do not go together.
        RuntimeError: an input of another rank, number of channels or dtype, or too small.

    >>> import tensorgrad as torch
    >>> torch.nn.Conv1d(2, 4, 3)(torch.zeros(1, 2, 8)).shape
    torch.Size([1, 4, 6])
    """

    _dims = 1


class Conv2d(_Conv):
    """Convolution over two dimensions, with the window of each output channel learned.

    Args:
        in_channels: C, of the input.
        out_channels: O, of the output.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window.
        padding: added on both sides; or ``"same"``, to keep the size, or ``"valid"``, none.
        dilation: distance of the elements of a window.
        groups: channels are split into so many groups, each with its own outputs.
        bias: whether to add one number to each output channel.
        padding_mode: what the padding holds: ``"zeros"``, ``"reflect"``, ``"replicate"`` or
            ``"circular"``.
        device: the CPU.
        dtype: of the parameters; the default float.

    Shapes:
        input (N, C, H, W) or (C, H, W); weight (O, C / groups, *kernel_size); bias (O,).

    Initial values are uniform on ±1/sqrt(C / groups x elements of the window), as PyTorch's.

    Raises:
        ValueError: arguments that do not go together.
        RuntimeError: an input of another rank, number of channels or dtype, or too small.

    >>> import tensorgrad as torch
    >>> torch.nn.Conv2d(2, 4, 3)(torch.zeros(1, 2, 8, 8)).shape
    torch.Size([1, 4, 6, 6])
    """

    _dims = 2


class Conv3d(_Conv):
    """Convolution over three dimensions.

    Args:
        in_channels: C, of the input.
        out_channels: O, of the output.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window.
        padding: added on both sides; or ``"same"``, to keep the size, or ``"valid"``, none.
        dilation: distance of the elements of a window.
        groups: channels are split into so many groups, each with its own outputs.
        bias: whether to add one number to each output channel.
        padding_mode: what the padding holds: ``"zeros"``, ``"reflect"``, ``"replicate"`` or
            ``"circular"``.
        device: the CPU.
        dtype: of the parameters; the default float.

    Shapes:
        input (N, C, D, H, W) or (C, D, H, W); weight (O, C / groups, *kernel_size); bias (O,).

    Initial values are uniform on ±1/sqrt(C / groups x elements of the window), as PyTorch's.

    Raises:
        ValueError: arguments that do not go together.
        RuntimeError: an input of another rank, number of channels or dtype, or too small.

    >>> import tensorgrad as torch
    >>> torch.nn.Conv3d(2, 4, 3)(torch.zeros(1, 2, 8, 8, 8)).shape
    torch.Size([1, 4, 6, 6, 6])
    """

    _dims = 3


class ConvTranspose1d(_ConvTransposeNd):
    """Transposed convolution over one dimension: the adjoint of :class:`Conv1d` in its input.

    Args:
        in_channels: C, of the input.
        out_channels: O, of the output.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window in the output.
        padding: cut off on both sides of the output.
        output_padding: added to the size at the end of each dimension.
        groups: channels are split into so many groups, each with its own outputs.
        bias: whether to add one number to each output channel.
        dilation: distance of the elements of a window.
        padding_mode: only ``"zeros"``.
        device: the CPU.
        dtype: of the parameters; the default float.

    Shapes:
        input (N, C, L) or (C, L); weight (C, O / groups, *kernel_size); bias (O,).
        The size becomes (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises:
        ValueError: arguments that do not go together, or an ``output_size`` out of reach.
        RuntimeError: an input of another rank, number of channels or dtype.

    >>> import tensorgrad as torch
    >>> torch.nn.ConvTranspose1d(2, 3, 2, stride=2)(torch.zeros(1, 2, 4)).shape
    torch.Size([1, 3, 8])
    """

    _dims = 1


class ConvTranspose2d(_ConvTransposeNd):
    """Transposed convolution over two dimensions: the adjoint of :class:`Conv2d` in its input.

    Args:
        in_channels: C, of the input.
        out_channels: O, of the output.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window in the output.
        padding: cut off on both sides of the output.
        output_padding: added to the size at the end of each dimension.
        groups: channels are split into so many groups, each with its own outputs.
        bias: whether to add one number to each output channel.
        dilation: distance of the elements of a window.
        padding_mode: only ``"zeros"``.
        device: the CPU.
        dtype: of the parameters; the default float.

    Shapes:
        input (N, C, H, W) or (C, H, W); weight (C, O / groups, *kernel_size); bias (O,).
        The size becomes (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises:
        ValueError: arguments that do not go together, or an ``output_size`` out of reach.
        RuntimeError: an input of another rank, number of channels or dtype.

    >>> import tensorgrad as torch
    >>> torch.nn.ConvTranspose2d(2, 3, 2, stride=2)(torch.zeros(1, 2, 4, 4)).shape
    torch.Size([1, 3, 8, 8])
    """

    _dims = 2


class ConvTranspose3d(_ConvTransposeNd):
    """Transposed convolution over three dimensions: the adjoint of :class:`Conv3d` in its input.

    Args:
        in_channels: C, of the input.
        out_channels: O, of the output.
        kernel_size: of the window, a number or one for each dimension.
        stride: step of the window in the output.
        padding: cut off on both sides of the output.
        output_padding: added to the size at the end of each dimension.
        groups: channels are split into so many groups, each with its own outputs.
        bias: whether to add one number to each output channel.
        dilation: distance of the elements of a window.
        padding_mode: only ``"zeros"``.
        device: the CPU.
        dtype: of the parameters; the default float.

    Shapes:
        input (N, C, D, H, W) or (C, D, H, W); weight (C, O / groups, *kernel_size); bias (O,).
        The size becomes (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises:
        ValueError: arguments that do not go together, or an ``output_size`` out of reach.
        RuntimeError: an input of another rank, number of channels or dtype.

    >>> import tensorgrad as torch
    >>> torch.nn.ConvTranspose3d(2, 3, 2, stride=2)(torch.zeros(1, 2, 4, 4, 4)).shape
    torch.Size([1, 3, 8, 8, 8])
    """

    _dims = 3


class _LazyConvMixin(LazyModuleMixin):
    """Convolutions that take the number of input channels from the first input."""

    def _later(self, out_channels, bias, device, dtype):
        self.out_channels = out_channels
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self):
        """Draw the initial values anew, once there are any."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input, *args, **kwargs):
        """Take the channels from ``input`` and draw the parameters.

        Raises:
            RuntimeError: the input has another rank.
            ValueError: the channels are not divisible by the groups.
        """
        if not self.has_uninitialized_params():
            return
        n = self._dims
        if input.ndim not in (n + 1, n + 2):
            raise RuntimeError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {list(input.shape)}"
            )
        self.in_channels = input.shape[input.ndim - n - 1]
        if self.in_channels % self.groups:
            raise ValueError(
                f"in_channels must be divisible by groups, got {self.in_channels} and {self.groups}"
            )
        self.weight.materialize(self._weight_shape())
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class _LazyConv(_LazyConvMixin):
    def __init__(
        self, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
        padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__(
            0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode
        )
        self._later(out_channels, bias, device, dtype)


class _LazyConvTranspose(_LazyConvMixin):
    def __init__(
        self, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1,
        bias=True, dilation=1, padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__(
            0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation,
            padding_mode,
        )  # fmt: skip
        self._later(out_channels, bias, device, dtype)


class LazyConv1d(_LazyConv, Conv1d):
    """A :class:`Conv1d` that takes ``in_channels`` from the first input.

    Its other arguments are those of :class:`Conv1d`.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.LazyConv1d(4, 3)
    >>> layer(torch.zeros(2, 8)).shape
    torch.Size([4, 6])
    """

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A :class:`Conv2d` that takes ``in_channels`` from the first input.

    Its other arguments are those of :class:`Conv2d`.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.LazyConv2d(4, 3)
    >>> layer(torch.zeros(2, 8, 8)).shape
    torch.Size([4, 6, 6])
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """A :class:`Conv3d` that takes ``in_channels`` from the first input.

    Its other arguments are those of :class:`Conv3d`.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.LazyConv3d(4, 3)
    >>> layer(torch.zeros(2, 8, 8, 8)).shape
    torch.Size([4, 6, 6, 6])
    """

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A :class:`ConvTranspose1d` that takes ``in_channels`` from the first input.

    Its other arguments are those of :class:`ConvTranspose1d`.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.LazyConvTranspose1d(3, 2, stride=2)
    >>> layer(torch.zeros(2, 4)).shape
    torch.Size([3, 8])
    """

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A :class:`ConvTranspose2d` that takes ``in_channels`` from the first input.

    Its other arguments are those of :class:`ConvTranspose2d`.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.LazyConvTranspose2d(3, 2, stride=2)
    >>> layer(torch.zeros(2, 4, 4)).shape
    torch.Size([3, 8, 8])
    """

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A :class:`ConvTranspose3d` that takes ``in_channels`` from the first input.

    Its other arguments are those of :class:`ConvTranspose3d`.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.LazyConvTranspose3d(3, 2, stride=2)
    >>> layer(torch.zeros(2, 4, 4, 4)).shape
    torch.Size([3, 8, 8, 8])
    """

    cls_to_become = ConvTranspose3d
