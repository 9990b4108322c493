"""Linear, LazyLinear, Bilinear and Identity."""

from __future__ import annotations

import math

import tensorgrad as tg
from tensorgrad.nn import functional as F
from tensorgrad.nn import init
from tensorgrad.nn.modules.lazy import LazyModuleMixin
from tensorgrad.nn.modules.module import Module
from tensorgrad.nn.parameter import Parameter, UninitializedParameter


class Identity(Module):
    """Gives back its input; takes and ignores any arguments."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        """Return ``input``."""
        return input


class Linear(Module):
    """Affine map of the last axis, ``y = x Wᵀ + b``.

    Args:
        in_features: size of the last axis of the input.
        out_features: size of the last axis of the output.
        bias: whether to add ``b``.
        device: the CPU.
        dtype: of the parameters; the default float.

    Shapes:
        input (..., in_features) -> (..., out_features); weight (out, in); bias (out,).

    Initial values are uniform on ±1/sqrt(in_features), drawn as PyTorch draws them.

    Raises:
        RuntimeError: the input's last axis is not ``in_features``, or its dtype differs.

    >>> import tensorgrad as torch
    >>> torch.nn.Linear(3, 2)(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(tg.empty((out_features, in_features), dtype=dtype, device=device))
        if bias:
            self.bias = Parameter(tg.empty(out_features, dtype=dtype, device=device))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the initial values anew."""
        # kaiming_uniform_ with a=sqrt(5) is uniform on ±1/sqrt(in_features).
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input):
        """Apply the map to the last axis of ``input``."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self):
        """Sizes and whether there is a bias."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class LazyLinear(LazyModuleMixin, Linear):
    """A :class:`Linear` that takes ``in_features`` from the first input.

    Args:
        out_features: size of the last axis of the output.
        bias: whether to add ``b``.
        device: the CPU.
        dtype: of the parameters; the default float.

    The first call draws the parameters and makes it a :class:`Linear`.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.LazyLinear(2)
    >>> layer(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    """

    cls_to_become = Linear

    def __init__(self, out_features, bias=True, device=None, dtype=None):
        super().__init__(0, 0, False)
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self):
        """Draw the initial values anew, once there are any."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input):
        """Take ``in_features`` from ``input`` and draw the parameters.

        Raises:
            AssertionError: the weight was loaded, and has another size.
        """
        features = input.shape[-1]
        if self.has_uninitialized_params():
            self.in_features = features
            self.weight.materialize((self.out_features, features))
            if self.bias is not None:
                self.bias.materialize((self.out_features,))
            self.reset_parameters()
        if self.in_features == 0:
            if features != self.weight.shape[-1]:
                raise AssertionError(
                    f"The in_features inferred from input: {features} is not equal to in_features "
                    f"from self.weight: {self.weight.shape[-1]}"
                )
            self.in_features = features


class NonDynamicallyQuantizableLinear(Linear):
    """A :class:`Linear` under the name that :class:`~tensorgrad.nn.MultiheadAttention` prints."""


class Bilinear(Module):
    """``y_k = x1ᵀ W_k x2 + b_k`` over the last axes of two inputs.

    Args:
        in1_features: size of the last axis of the first input.
        in2_features: size of the last axis of the second input.
        out_features: size of the last axis of the output.
        bias: whether to add ``b``.
        device: the CPU.
        dtype: of the parameters; the default float.
    """

    def __init__(
        self, in1_features, in2_features, out_features, bias=True, device=None, dtype=None
    ):
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got {in1_features}")
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        self.weight = Parameter(tg.empty((out_features, in1_features, in2_features), dtype=dtype))
        if bias:
            self.bias = Parameter(tg.empty(out_features, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the initial values anew."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1, input2):
        """Combine the last axes of the two inputs."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self):
        """Sizes and whether there is a bias."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
