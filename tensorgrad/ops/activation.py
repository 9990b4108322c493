"""Activation functions: nonlinearities between layers, element by element.

``tensorgrad.nn.functional`` publishes them with PyTorch's ``inplace`` argument. What is smooth
has a gradient written in other ops; what is linear in pieces selects with a mask.
"""

from __future__ import annotations

import math

import numpy as np

from .. import errors
from .._registry import function, op
from ..kernels.gelu import gelu_and_slope
from .comparison import clamp_max
from .elementwise import LARGE, ZERO, abs, exp, floating, keep, sigmoid, tanh, where_, zeros_of
from .shape import chunk, reshape
from .special import erfc

# --- rectifiers -------------------------------------------------------------------------


@op(inplace=True)
def relu(x):
    """``max(x, 0)``; the gradient at 0 is 0. nan stays nan.

    >>> import tensorgrad
    >>> tensorgrad.relu(tensorgrad.tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """
    return np.maximum(x, ZERO[x.dtype])


@op(public=False, method=False, grad_name="ThresholdBackwardBackward0")
def rectify(x, y):
    """``x`` where ``y`` is positive or nan, 0 elsewhere: the gradient of :func:`relu`."""
    zero = ZERO[y.dtype]
    if y.size > 2 * _BLOCK and x.dtype == y.dtype == np.float32 and x.shape == y.shape:
        if x.flags.c_contiguous and y.flags.c_contiguous:
            return _rectify_in_blocks(x, y, zero)
    off = np.less_equal(y, zero)
    if y.size < LARGE:  # 2.4 us for a small array, where keep(x, y > 0) takes 3.4
        return np.where(off, zero, x)
    return keep(x, np.logical_not(off, out=off))


_BLOCK = 16384  # elements whose mask stays in the cache: 0.67 ms for a million, 1.03 in one piece


def _rectify_in_blocks(x, y, zero):
    """:func:`rectify` of large contiguous float32 arrays, whose whole mask is never made."""
    out = np.empty_like(x)
    bits, result, by = x.reshape(-1).view(np.int32), out.reshape(-1).view(np.int32), y.reshape(-1)
    for low in range(0, y.size, _BLOCK):
        block = slice(low, low + _BLOCK)
        off = np.less_equal(by[block], zero)
        np.multiply(bits[block], np.logical_not(off, out=off), out=result[block])
    return out


# By the result rather than the input, which may then be freed.
relu.vjp(x=lambda g, out: rectify(g, out))
rectify.vjp(x=lambda g, y: rectify(g, y), y=lambda g: zeros_of(g))


@op(inplace=True, method=False, grad_name="HardtanhBackward0")
def relu6(x):
    """``min(max(x, 0), 6)``; the gradient at 0 and 6 is 0.

    >>> import tensorgrad
    >>> tensorgrad.relu6(tensorgrad.tensor([-1.0, 3.0, 8.0]))
    tensor([0., 3., 6.])
    """
    return np.minimum(np.maximum(x, 0), 6)


relu6.vjp(x=lambda g, x: keep(g, (x > 0) & (x < 6)))


@op(public=False, method=False)
def leak(x, mask, *, slope):
    """``x`` where ``mask`` is true, ``slope * x`` elsewhere; its own gradient."""
    if 0 < slope <= 1:  # a factor of 1 or slope: 1.8 ms per million floats, np.where 9 ms
        return x * np.maximum(mask, slope, dtype=x.dtype)
    return np.where(mask, x, x * slope)


leak.vjp(x=lambda g, mask, *, slope: leak(g, mask, slope=slope))


@op(inplace=True, method=False)
def leaky_relu(x, *, negative_slope=0.01):
    """``x`` where positive, ``negative_slope * x`` elsewhere; at 0 the gradient is the slope.

    >>> import tensorgrad
    >>> tensorgrad.leaky_relu(tensorgrad.tensor([-1.0, 2.0]), 0.25)
    tensor([-0.2500,  2.0000])
    """
    floating("leaky_relu", x)
    if 0 < negative_slope <= 1:
        return np.maximum(x, x * negative_slope)
    return np.where(x > 0, x, x * negative_slope)


leaky_relu.vjp(x=lambda g, x, *, negative_slope: leak(g, x > 0, slope=negative_slope))


@op(types="same", public=False, method=False, grad_name="PreluKernelBackward0")
def prelu_kernel(x, weight):
    """``x`` where positive, ``weight * x`` elsewhere, with ``weight`` shaped to broadcast."""
    return np.where(x > 0, x, x * weight)


prelu_kernel.vjp(
    x=lambda g, x, weight: where_(x > 0, g, g * weight),
    weight=lambda g, x: keep(g * x, x <= 0),
)


@function(method=True)
def prelu(input, weight):
    """``input`` where positive, ``weight * input`` elsewhere, with slopes that are learned.

    Args:
        input: (N, C, ...), or any shape for a single slope.
        weight: one slope, or C slopes, one per channel: a tensor of 0 or 1 dimensions.

    Raises:
        RuntimeError: the number of slopes is neither one nor C, or the dtypes differ.

    >>> import tensorgrad
    >>> tensorgrad.prelu(tensorgrad.tensor([[-1.0, -1.0]]), tensorgrad.tensor([0.5, 0.25]))
    tensor([[-0.5000, -0.2500]])
    """
    x, w = input._array, weight._array
    if w.ndim > 1:
        raise errors.ShapeError(f"prelu: weight must have 0 or 1 dimensions, got shape {w.shape}")
    if w.size != 1:
        channels = x.shape[1] if x.ndim > 1 else 1
        if w.size != channels:
            raise errors.ShapeError(
                f"prelu: weight has {w.size} slopes and the input {channels} channels, shape "
                f"{x.shape}; give one slope, or one per channel (dimension 1)"
            )
        return prelu_kernel(input, reshape(weight, (-1,) + (1,) * (x.ndim - 2)))
    return prelu_kernel(input, reshape(weight, ()))


@op(inplace=True, method=False)
def threshold(x, *, threshold, value):
    """``x`` where above ``threshold``, ``value`` elsewhere, with gradient 0.

    >>> import tensorgrad
    >>> tensorgrad.threshold(tensorgrad.tensor([0.5, 2.0]), 1.0, -1.0)
    tensor([-1.,  2.])
    """
    out = np.array(x)
    np.copyto(out, value, where=x <= threshold, casting="unsafe")
    return out


threshold.vjp(x=lambda g, x, *, threshold: keep(g, x > threshold))


# --- exponential linear units -----------------------------------------------------------


def _expm1(x):
    """``exp(x) - 1`` for ``x <= 0``."""
    if x.dtype != np.float32 or x.size < LARGE:
        return np.expm1(x)
    # np.expm1 takes 14 to 30 ms for a million floats, this 4 to 7, to within two units in the
    # last place; there is no cancellation for x <= 0. In float64 it would be the slower one.
    half = np.tanh(x * 0.5)
    return (half + half) / (1.0 - half)


def _elu(name, x, alpha, scale, input_scale):
    """``scale * x`` where positive, ``scale * alpha * expm1(input_scale * x)`` elsewhere."""
    floating(name, x)
    low = _expm1(np.minimum(x, 0) * input_scale)
    high = np.maximum(x, 0)
    return (high if scale == 1 else high * scale) + low * (alpha * scale)


def _elu_gradient(g, x, alpha, scale, input_scale):
    positive = x > 0
    low = exp(clamp_max(x, 0.0) * input_scale) * (alpha * scale * input_scale)
    return keep(g if scale == 1 else g * scale, positive) + keep(g * low, ~positive)


@op(inplace=True, method=False)
def elu(x, *, alpha=1.0):
    """``x`` where positive, ``alpha * (exp(x) - 1)`` elsewhere.

    Clevert et al., "Fast and accurate deep network learning by exponential linear units"
    (arXiv:1511.07289).

    >>> import tensorgrad
    >>> tensorgrad.elu(tensorgrad.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return _elu("elu", x, alpha, 1.0, 1.0)


@op(inplace=True, method=False)
def celu(x, *, alpha=1.0):
    """``x`` where positive, ``alpha * (exp(x / alpha) - 1)`` elsewhere (arXiv:1704.07483).

    Raises:
        RuntimeError: ``alpha`` is 0.

    >>> import tensorgrad
    >>> tensorgrad.celu(tensorgrad.tensor([-1.0, 2.0]), 2.0)
    tensor([-0.7869,  2.0000])
    """
    if alpha == 0:
        raise RuntimeError("celu: ZeroDivisionError: alpha cannot be 0 for CELU")
    return _elu("celu", x, alpha, 1.0, 1.0 / alpha)


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@op(inplace=True, method=False, grad_name="EluBackward0")
def selu(x):
    """:func:`elu` scaled so that activations keep mean 0 and variance 1.

    Klambauer et al., "Self-normalizing neural networks" (arXiv:1706.02515).

    >>> import tensorgrad
    >>> tensorgrad.selu(tensorgrad.tensor([-1.0, 1.0]))
    tensor([-1.1113,  1.0507])
    """
    return _elu("selu", x, _SELU_ALPHA, _SELU_SCALE, 1.0)


elu.vjp(x=lambda g, x, *, alpha: _elu_gradient(g, x, alpha, 1.0, 1.0))
celu.vjp(x=lambda g, x, *, alpha: _elu_gradient(g, x, alpha, 1.0, 1.0 / alpha))
selu.vjp(x=lambda g, x: _elu_gradient(g, x, _SELU_ALPHA, _SELU_SCALE, 1.0))


# --- softened rectifiers ----------------------------------------------------------------


def _softplus(x):
    """``log(1 + exp(x))`` without overflow: ``max(x, 0) + log1p(exp(-|x|))``."""
    small = np.exp(-np.absolute(x))
    return np.maximum(x, 0) + _log1p(small)


def _log1p(x):
    """``log(1 + x)`` for ``0 <= x <= 1``."""
    if x.dtype != np.float32 or x.size < LARGE:
        return np.log1p(x)
    # np.log1p takes 11 to 30 ms for a million floats. log(u) with u the rounded 1 + x takes 5
    # together with the correction for what the rounding lost; within two units in the last place.
    u = x + 1.0
    return np.log(u) + (x - (u - 1.0)) / u


@op(method=False)
def softplus(x, *, beta=1.0, threshold=20.0):
    """``log(1 + exp(beta * x)) / beta``; ``x`` itself where ``beta * x`` exceeds ``threshold``.

    >>> import tensorgrad
    >>> tensorgrad.softplus(tensorgrad.tensor([-1.0, 0.0, 100.0]))
    tensor([  0.3133,   0.6931, 100.0000])
    """
    floating("softplus", x)
    scaled = x if beta == 1 else x * beta
    out = _softplus(scaled)
    out = out if beta == 1 else out / beta
    return out if threshold == math.inf else np.where(scaled > threshold, x, out)


def _softplus_x(g, x, *, beta, threshold):
    scaled = x if beta == 1 else x * beta
    smooth = g * sigmoid(scaled)
    return smooth if threshold == math.inf else where_(scaled > threshold, g, smooth)


softplus.vjp(x=_softplus_x)


@op(method=False, grad_name="LogSigmoidBackward0")
def logsigmoid(x):
    """``log(sigmoid(x))``, without underflow.

    >>> import tensorgrad
    >>> tensorgrad.logsigmoid(tensorgrad.tensor([0.0, -200.0]))
    tensor([  -0.6931, -200.0000])
    """
    floating("logsigmoid", x)
    return -_softplus(-x)


logsigmoid.vjp(x=lambda g, x: g * sigmoid(-x))


@op(inplace=True, method=False)
def silu(x):
    """``x * sigmoid(x)``, also called swish (arXiv:1702.03118).

    >>> import tensorgrad
    >>> tensorgrad.silu(tensorgrad.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """
    floating("silu", x)
    return x / (np.exp(-x) + 1.0)


def _silu_x(g, x):
    s = sigmoid(x)
    return g * (s * (1.0 + x * (1.0 - s)))


silu.vjp(x=_silu_x)


@op(inplace=True, method=False)
def mish(x):
    """``x * tanh(softplus(x))`` (Misra, arXiv:1908.08681).

    >>> import tensorgrad
    >>> tensorgrad.mish(tensorgrad.tensor([-1.0, 2.0]))
    tensor([-0.3034,  1.9440])
    """
    floating("mish", x)
    return x * np.tanh(_softplus(x))


def _mish_x(g, x):
    t = tanh(softplus(x))
    return g * (t + x * sigmoid(x) * (1.0 - t * t))


mish.vjp(x=_mish_x)

_ROOT_HALF, _PDF_SCALE = math.sqrt(0.5), 1.0 / math.sqrt(2.0 * math.pi)
_TANH_SCALE, _TANH_CUBIC = math.sqrt(2.0 / math.pi), 0.044715


def _gelu_slope(x, *, approximate):
    """The derivative of :func:`gelu`, in ops."""
    if approximate == "none":  # erfc is exact far below zero, where 1 + erf cancels
        return erfc(x * -_ROOT_HALF) * 0.5 + x * (exp(x * x * -0.5) * _PDF_SCALE)
    t = tanh(_tanh_argument(x))
    slope = x * x * (3.0 * _TANH_SCALE * _TANH_CUBIC) + _TANH_SCALE
    return (t + 1.0) * 0.5 + x * (1.0 - t * t) * slope * 0.5


def _tanh_argument(x):
    return x * (x * x * (_TANH_SCALE * _TANH_CUBIC) + _TANH_SCALE)


def _gelu_definition(x, *, approximate="none"):
    if approximate == "none":
        return x * erfc(x * -_ROOT_HALF) * 0.5
    return x * (tanh(_tanh_argument(x)) + 1.0) * 0.5


@op(method=False, definition=_gelu_definition, residuals={"slope": _gelu_slope})
def gelu(x, *, approximate="none"):
    """``x * Phi(x)``, with Phi the distribution function of the standard normal.

    In float32 the relative error grows from a few units in the last place at 0 to that of
    ``exp(-x**2 / 2)`` far below: 1.2e-7 times ``3 + x**2``.

    Args:
        x: floating-point tensor.
        approximate: ``"none"`` (default), or ``"tanh"`` for
            ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))``.

    Hendrycks and Gimpel, "Gaussian error linear units" (arXiv:1606.08415).

    Raises:
        RuntimeError: another value of ``approximate``.

    >>> import tensorgrad
    >>> tensorgrad.gelu(tensorgrad.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """
    floating("gelu", x)
    if approximate == "none":
        if x.dtype == np.float32 and x.size >= LARGE and x.flags.c_contiguous:
            out, slope = gelu_and_slope(x, _exact_gelu)
        else:
            out, slope = _exact_gelu(x)
    elif approximate == "tanh":
        out, slope = _tanh_gelu(x)
    else:
        raise RuntimeError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return out, (slope,)


def _exact_gelu(x):
    """:func:`gelu` of an array by SciPy, and its slope."""
    cdf = erfc(x * -_ROOT_HALF) * 0.5
    return x * cdf, cdf + x * (np.exp(x * x * -0.5) * _PDF_SCALE)


def _tanh_gelu(x):
    """:func:`gelu` with the tanh approximation of an array, and its slope, in blocks."""
    x = np.asarray(x, order="C")
    out, slope = np.empty_like(x), np.empty_like(x)
    flat = [a.reshape(-1) for a in (x, out, slope)]
    for low in range(0, x.size, 2 * _BLOCK):
        part, value, derivative = [a[low : low + 2 * _BLOCK] for a in flat]
        squares = part * part
        t = np.multiply(squares, _TANH_SCALE * _TANH_CUBIC, out=value)
        t += _TANH_SCALE
        t *= part
        np.tanh(t, out=t)
        np.multiply(t, t, out=derivative)
        np.subtract(0.5, derivative * 0.5, out=derivative)
        squares *= 3.0 * _TANH_SCALE * _TANH_CUBIC
        squares += _TANH_SCALE
        squares *= part
        derivative *= squares
        t *= 0.5
        t += 0.5  # the approximation of Phi
        derivative += t
        t *= part
    return out, slope


gelu.vjp(x=lambda g, slope: g * slope)


# --- bounded, and linear in pieces ------------------------------------------------------


@function
def softsign(input):
    """``x / (1 + |x|)``.

    >>> import tensorgrad
    >>> tensorgrad.softsign(tensorgrad.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """
    return input / (abs(input) + 1.0)


@function
def tanhshrink(input):
    """``x - tanh(x)``.

    >>> import tensorgrad
    >>> tensorgrad.tanhshrink(tensorgrad.tensor([0.0, 1.0]))
    tensor([0.0000, 0.2384])
    """
    return input - tanh(input)


@op(inplace=True, method=False)
def hardtanh(x, *, min_val=-1.0, max_val=1.0):
    """``x`` limited to [min_val, max_val]; at the bounds the gradient is 0.

    Raises:
        ValueError: ``min_val`` is above ``max_val``.

    >>> import tensorgrad
    >>> tensorgrad.hardtanh(tensorgrad.tensor([-3.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise errors.ArgumentError(
            f"hardtanh: min_val cannot be greater than max_val, got {min_val} and {max_val}"
        )
    out = np.minimum(np.maximum(x, min_val), max_val)
    return out.astype(x.dtype, copy=False)  # integers stay integers


hardtanh.vjp(x=lambda g, x, *, min_val, max_val: keep(g, (x > min_val) & (x < max_val)))


@op(inplace=True, method=False)
def hardsigmoid(x):
    """``min(max(x + 3, 0), 6) / 6``; at -3 and 3 the gradient is 0.

    >>> import tensorgrad
    >>> tensorgrad.hardsigmoid(tensorgrad.tensor([-4.0, 0.0, 1.5]))
    tensor([0.0000, 0.5000, 0.7500])
    """
    floating("hardsigmoid", x)
    return np.minimum(np.maximum(x + 3.0, 0.0), 6.0) / 6.0


hardsigmoid.vjp(x=lambda g, x: keep(g * (1.0 / 6.0), (x > -3.0) & (x < 3.0)))


@op(inplace=True, method=False)
def hardswish(x):
    """``x * hardsigmoid(x)`` (arXiv:1905.02244); the gradient is 0 at -3 and 1 at 3.

    >>> import tensorgrad
    >>> tensorgrad.hardswish(tensorgrad.tensor([-4.0, 1.5, 4.0]))
    tensor([-0.0000, 1.1250, 4.0000])
    """
    floating("hardswish", x)
    return x * np.minimum(np.maximum(x + 3.0, 0.0), 6.0) / 6.0


hardswish.vjp(
    x=lambda g, x: keep(g, x >= 3.0) + keep(g * (x * (1.0 / 3.0) + 0.5), (x > -3.0) & (x < 3.0))
)


@op(method=False)
def softshrink(x, *, lambd=0.5):
    """``x`` moved towards 0 by ``lambd``, and 0 where it is within ``lambd`` of it.

    Raises:
        RuntimeError: ``lambd`` is negative.

    >>> import tensorgrad
    >>> tensorgrad.softshrink(tensorgrad.tensor([-2.0, 0.25, 1.0]))
    tensor([-1.5000,  0.0000,  0.5000])
    """
    floating("softshrink", x)
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambda must be greater or equal to 0, but found {lambd}")
    return x - np.minimum(np.maximum(x, -lambd), lambd)


softshrink.vjp(x=lambda g, x, *, lambd: keep(g, abs(x) > lambd))


@op
def hardshrink(x, *, lambd=0.5):
    """``x``, and 0 where it is within ``lambd`` of 0.

    >>> import tensorgrad
    >>> tensorgrad.hardshrink(tensorgrad.tensor([-2.0, 0.25, 1.0]))
    tensor([-2.,  0.,  1.])
    """
    floating("hardshrink", x)
    return keep(x, ~(np.absolute(x) <= lambd))


hardshrink.vjp(x=lambda g, x, *, lambd: keep(g, abs(x) > lambd))


@function
def glu(input, dim=-1):
    """The gated linear unit ``a * sigmoid(b)``, with a and b the halves of ``input`` along ``dim``.

    Dauphin et al., "Language modeling with gated convolutional networks" (arXiv:1612.08083).

    Raises:
        RuntimeError: the size along ``dim`` is odd, or ``input`` has no dimensions.

    >>> import tensorgrad
    >>> tensorgrad.glu(tensorgrad.tensor([1.0, 2.0, 0.0, 0.0]))
    tensor([0.5000, 1.0000])
    """
    shape = input._array.shape
    if not shape:
        raise errors.ShapeError("glu: the input has no dimensions, so there are no halves to gate")
    size = input.size(dim)
    if size % 2:
        raise errors.ShapeError(
            f"glu: Halving dimension must be even, but dimension {dim % len(shape)} is size {size}"
        )
    a, b = chunk(input, 2, dim)
    return a * sigmoid(b)
