"""Normalisation over the last dimensions, over groups of channels and by a running average.

:func:`rows_norm` is the one primitive: it normalises the rows of a matrix, and scales and shifts
its columns. Layer norm, group norm and instance norm are that on a reshaped input.
"""

from __future__ import annotations

from math import prod

import numpy as np

from .. import dtypes, errors
from .._graph import Tensor, mark_mutated, wrap
from .._registry import function, op
from ..kernels.sums import total
from . import fused
from .elementwise import cast, rsqrt
from .reduce import mean, sum

# Elements of a block: three arrays of float32 stay in a second-level cache of 1 MiB.
_BLOCK = 65536


def _row_mean(x):
    return mean(x, dim=1, keepdim=True)


def _row_inverse(x, *, eps):
    centred = x - _row_mean(x)
    return (_row_mean(centred * centred) + eps) ** -0.5


def _rows_norm_definition(x, weight=None, bias=None, *, eps):
    out = (x - _row_mean(x)) * _row_inverse(x, eps=eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def _blocks(rows, columns):
    """Slices of rows, each of about ``_BLOCK`` elements."""
    step = max(1, _BLOCK // (columns or 1))
    return [slice(low, low + step) for low in range(0, rows, step)]


@op(types="same", public=False, method=False, grad_name="NativeLayerNormBackward0",
    residuals={"centre": _row_mean, "inverse": _row_inverse},
    definition=_rows_norm_definition)  # fmt: skip
def rows_norm(x, weight=None, bias=None, *, eps):
    """Normalise each row of x (N, K) by its mean and variance; scale and shift by (K,)."""
    rows, columns = x.shape
    out = np.empty(x.shape, x.dtype)
    centre = total(x, 1, True)
    centre /= columns or 1
    inverse = np.empty_like(centre)
    for block in _blocks(rows, columns):
        part = np.subtract(x[block], centre[block], out=out[block])
        deviation = _row_dots(part, part)
        deviation /= columns or 1
        deviation += eps
        np.sqrt(deviation, out=deviation)
        np.reciprocal(deviation, out=deviation)
        inverse[block, 0] = deviation
        part *= inverse[block]
        if weight is not None:
            part *= weight
        if bias is not None:
            part += bias
    return out, (centre, inverse)


def _row_dots(x, y):
    """The inner products of the rows of ``x`` and ``y``: (N,)."""
    if x.shape[1] <= 4096:
        return np.vecdot(x, y)
    return total(x * y, 1)  # pairwise: one long product in float32 loses digits


@rows_norm.vjp
def _rows_norm_vjp(g, x, weight, centre, inverse, *, needs):
    if isinstance(g, np.ndarray):
        return _rows_norm_gradients(g, x, weight, centre, inverse, needs)
    normal = (x - centre) * inverse
    gx = gw = gb = None
    if 0 in needs:
        scaled = g if weight is None else g * weight
        along = normal * _row_mean(scaled * normal)
        gx = (scaled - _row_mean(scaled) - along) * inverse
    if 1 in needs:
        gw = sum(g * normal, dim=0)
    if 2 in needs:
        gb = sum(g, dim=0)
    return gx, gw, gb


def _rows_norm_gradients(g, x, weight, centre, inverse, needs):
    """The gradients on arrays: the formula above, block by block in the cache."""
    rows, columns = x.shape
    gx, gw = np.empty(x.shape, x.dtype), np.zeros(columns, x.dtype)
    ones = np.ones(columns, x.dtype) if weight is None else weight
    scratch = np.empty_like(x[_blocks(rows, columns)[0]]) if rows else None
    for block in _blocks(rows, columns) if len(needs) > 1 or needs[0] != 2 else ():
        r, slope = inverse[block], g[block]
        part = np.subtract(x[block], centre[block], out=gx[block])
        product = np.multiply(slope, part, out=scratch[: len(part)])
        if 1 in needs:
            gw += r[:, 0].dot(product)
        along = _row_dots(product, ones)[:, None] * (r * r * (-1.0 / columns)) * r
        whole = _row_dots(slope, ones)[:, None] * (-1.0 / columns)
        part *= along
        if weight is None:
            np.add(slope, whole, out=product)
        else:
            np.multiply(slope, weight, out=product)
            product += whole
        product *= r
        part += product
    return gx, gw, total(g, 0) if 2 in needs else None


# --- what is public ---------------------------------------------------------------------


def _need_tensor(name, argument, value, optional=False):
    if not isinstance(value, Tensor) and not (optional and value is None):
        raise TypeError(
            f"{name}(): argument {argument!r} must be Tensor, not {type(value).__name__}"
        )


def _need_floats(name, x):
    if x.dtype.kind != "f":
        raise errors.UnsupportedDtypeError(
            f"{name}: not implemented for {dtypes.of(x.dtype)}; convert the input with .float()"
        )


def _need_same_dtype(name, input, **params):
    for argument, value in params.items():
        if value is not None and value._array.dtype != input._array.dtype:
            raise errors.DtypeError(
                f"{name}: mixed dtypes: the input is {input.dtype} and {argument} {value.dtype}; "
                "convert one of them with .to()"
            )


def _trailing_shape(name, input, normalized_shape, weight, bias=None):
    """``normalized_shape`` as a tuple that the input ends with and the parameters have."""
    if isinstance(normalized_shape, int) or isinstance(normalized_shape, Tensor):
        raise TypeError(
            f"{name}(): argument 'normalized_shape' must be tuple of ints, not "
            f"{type(normalized_shape).__name__}"
        )
    shape = tuple(normalized_shape)
    _need_tensor(name, "input", input)
    if not shape:
        raise errors.ShapeError(
            f"{name}: Expected normalized_shape to be at least 1-dimensional, i.e., containing at "
            "least one element, but got normalized_shape = []"
        )
    own = input._array.shape
    for argument, value in (("weight", weight), ("bias", bias)):
        _need_tensor(name, argument, value, optional=True)
        if value is not None and value._array.shape != shape:
            raise errors.ShapeError(
                f"{name}: Expected {argument} to be of same shape as normalized_shape, but got "
                f"{argument} of shape {list(value._array.shape)} and normalized_shape = "
                f"{list(shape)}"
            )
    if own[len(own) - len(shape) :] != shape or len(own) < len(shape):
        raise errors.ShapeError(
            f"{name}: Given normalized_shape={list(shape)}, expected input with shape "
            f"[*, {', '.join(map(str, shape))}], but got input of size {list(own)}"
        )
    return shape


def _in_single(run, input, *params):
    """``run`` of float16 tensors computed in float32 and rounded."""
    single = [p if p is None else cast(p, dtype=np.dtype(np.float32)) for p in (input, *params)]
    return cast(run(*single), dtype=np.dtype(np.float16))


@function
def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05, cudnn_enable=True):
    """Normalise over the last dimensions, which have ``normalized_shape``; scale and shift.

    Ba, Kiros and Hinton, "Layer normalization" (arXiv:1607.06450).

    Args:
        input: floating-point tensor (..., *normalized_shape).
        normalized_shape: a tuple of the last sizes of the input.
        weight: factors of that shape; None for 1.
        bias: shifts of that shape; None for 0.
        eps: added to the variance, inside the root.
        cudnn_enable: has no effect.

    Raises:
        RuntimeError: the input does not end with ``normalized_shape``, a parameter has another
            shape, or the dtypes differ.
        TypeError: ``normalized_shape`` is an int.

    >>> import tensorgrad
    >>> tensorgrad.layer_norm(tensorgrad.tensor([[1.0, 3.0], [5.0, 9.0]]), (2,)).round(decimals=3)
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """
    shape = _trailing_shape("layer_norm", input, normalized_shape, weight, bias)
    x = input._array
    _need_floats("layer_norm", x)
    _need_same_dtype("layer_norm", input, weight=weight, bias=bias)
    if x.dtype.char == "e":
        return _in_single(lambda *t: layer_norm(t[0], shape, *t[1:], eps), input, weight, bias)
    if len(shape) > 1:
        weight = weight if weight is None else weight.reshape(-1)
        bias = bias if bias is None else bias.reshape(-1)
    if x.ndim == 2 and len(shape) == 1:
        return rows_norm.op.apply((input, weight, bias), {"eps": eps})
    columns = prod(shape)
    rows = prod(x.shape[: x.ndim - len(shape)])
    out = rows_norm.op.apply((input.reshape(rows, columns), weight, bias), {"eps": eps})
    return out.reshape(x.shape)


@function
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Divide by the root of the mean square over the last dimensions; scale.

    Zhang and Sennrich, "Root mean square layer normalization" (arXiv:1910.07467).

    Args:
        input: floating-point tensor (..., *normalized_shape).
        normalized_shape: a tuple of the last sizes of the input.
        weight: factors of that shape; None for 1.
        eps: added to the mean square; None for the machine epsilon of the dtype (of float32 for
            float16, which is computed in it).

    Raises:
        RuntimeError: the input does not end with ``normalized_shape``, or the weight has another
            shape.
        TypeError: ``normalized_shape`` is an int.

    >>> import tensorgrad
    >>> tensorgrad.rms_norm(tensorgrad.tensor([[1.0, 7.0]]), (2,))
    tensor([[0.2000, 1.4000]])
    """
    shape = _trailing_shape("rms_norm", input, normalized_shape, weight)
    x = input._array
    _need_floats("rms_norm", x)
    if x.dtype.char == "e":
        return _in_single(lambda *t: rms_norm(t[0], shape, t[1], eps), input, weight)
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    dims = tuple(range(-len(shape), 0))
    out = input * rsqrt(mean(input * input, dims, True) + eps)
    if weight is None:
        return out
    return out * (weight if weight.dtype == input.dtype else cast(weight, dtype=x.dtype))


def _need_channels(name, input, **params):
    """Refuse a parameter that is not a vector with an element for each channel."""
    own = input._array.shape
    for argument, value in params.items():
        _need_tensor(name, argument, value, optional=True)
        if value is not None and value._array.shape != own[1:2]:
            raise errors.ShapeError(
                f"{name}: Expected {argument} to be a vector of size equal to the number of "
                f"channels in input, but got {argument} of shape {list(value._array.shape)} and "
                f"input of shape {list(own)}"
            )


def _scaled_by_channel(x, weight, bias):
    """``x`` (N, C, ...) times ``weight`` (C,) plus ``bias`` (C,), either of them None."""
    shape = (1, -1) + (1,) * (x.ndim - 2)
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


@function
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-05, cudnn_enabled=True):
    """Normalise over groups of channels and all positions, sample by sample; scale and shift.

    Wu and He, "Group normalization" (arXiv:1803.08494).

    Args:
        input: floating-point tensor (N, C, ...).
        num_groups: into how many groups of neighbours the C channels are divided.
        weight: a factor for each channel; None for 1.
        bias: a shift for each channel; None for 0.
        eps: added to the variance, inside the root.
        cudnn_enabled: has no effect.

    Raises:
        RuntimeError: the channels cannot be divided so, or a parameter has another size.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([[1.0, 3.0, 10.0, 30.0]])
    >>> tensorgrad.group_norm(x, 2).round(decimals=3)
    tensor([[-1.,  1., -1.,  1.]])
    """
    _need_tensor("group_norm", "input", input)
    x = input._array
    if x.ndim < 2:
        raise errors.ShapeError(
            f"group_norm: Expected at least 2 dimensions for input tensor but received {x.ndim}"
        )
    if num_groups <= 0 or x.shape[1] % num_groups:
        raise errors.ShapeError(
            "group_norm: Expected number of channels in input to be divisible by num_groups, but "
            f"got input of shape {list(x.shape)} and num_groups={num_groups}"
        )
    _need_channels("group_norm", input, weight=weight, bias=bias)
    _need_floats("group_norm", x)
    _need_same_dtype("group_norm", input, weight=weight, bias=bias)
    if x.dtype.char == "e":
        return _in_single(lambda *t: group_norm(t[0], num_groups, *t[1:], eps), input, weight, bias)
    rows = x.shape[0] * num_groups
    flat = input.reshape(rows, prod(x.shape[1:]) // num_groups)
    out = rows_norm.op.apply((flat, None, None), {"eps": eps}).reshape(x.shape)
    return _scaled_by_channel(out, weight, bias)


def _check_statistics(name, channels, flag, running_mean, running_var, **params):
    """Refuse statistics and parameters of another size, and half or none of what is needed."""
    for argument, t in dict(params, running_mean=running_mean, running_var=running_var).items():
        _need_tensor(name, argument, t, optional=True)
        if t is not None and t._array.size != channels:
            raise RuntimeError(
                f"{name}: {argument} should contain {channels} elements not {t._array.size}: the "
                f"input has {channels} channels"
            )
    if (running_mean is None) != (running_var is None):
        raise ValueError(
            f"{name}: running_mean and running_var must either both be None or neither be None"
        )
    if flag is not None and running_mean is None:
        raise RuntimeError(
            f"{name}: Expected running_mean and running_var to be defined when {flag} is False"
        )


def _by_statistics(input, running_mean, running_var, weight, bias, eps):
    """Normalise each channel by given statistics."""
    shape = (1, -1) + (1,) * (input.ndim - 2)
    scale = (running_var + eps) ** -0.5
    scale = scale if weight is None else scale * weight
    out = (input - running_mean.reshape(shape)) * scale.reshape(shape)
    return out if bias is None else out + bias.reshape(shape)


def _move(running, value, momentum):
    """Move a running statistic towards ``value`` by the share ``momentum``."""
    running._array *= 1.0 - momentum
    running._array += momentum * value
    mark_mutated(running._array)


@function
def batch_norm(
    input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled
):
    """Normalise each channel over the batch; ``nn.functional.batch_norm`` has another order.

    Ioffe and Szegedy, "Batch normalization" (arXiv:1502.03167). In training by the batch's own
    mean and biased variance, and the running statistics are moved by ``momentum`` towards the
    batch's mean and unbiased variance; otherwise by the running statistics.

    Args:
        input: (N, C, ...).
        weight: a factor for each channel, or None.
        bias: a shift for each channel, or None.
        running_mean: changed in place in training; may be None then.
        running_var: likewise.
        training: which statistics to use.
        momentum: how far the running statistics move.
        eps: added to the variance, inside the root.
        cudnn_enabled: has no effect.

    Raises:
        RuntimeError: the number of channels differs from the parameters', or running statistics
            are needed and missing.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([[1.0], [3.0]])
    >>> tensorgrad.batch_norm(x, None, None, None, None, True, 0.1, 0.0, False)
    tensor([[-1.],
            [ 1.]])
    """
    _need_tensor("batch_norm", "input", input)
    array = input._array
    channels = array.shape[1] if array.ndim > 1 else 0
    _check_statistics(
        "batch_norm", channels, None if training else "training", running_mean, running_var,
        weight=weight, bias=bias,
    )  # fmt: skip
    _need_floats("batch_norm", array)
    if not training:
        return _by_statistics(input, running_mean, running_var, weight, bias, eps)
    if array.dtype.char == "e":
        def run(x, w, b):
            return batch_norm(x, w, b, running_mean, running_var, True, momentum, eps, False)

        return _in_single(run, input, weight, bias)
    if not array.size:
        return _scaled_by_channel(input, weight, bias)
    count = array.size // channels
    statistics = fused.batch_statistics(array)
    if running_mean is not None:
        _move(running_mean, statistics[0].reshape(-1), momentum)
        _move(running_var, statistics[1].reshape(-1) * (count / (count - 1)), momentum)
    if weight is None:
        weight = wrap(np.ones(channels, array.dtype))
    if bias is None:
        bias = wrap(np.zeros(channels, array.dtype))
    attrs = {"eps": eps, "statistics": statistics}
    return fused.batch_norm.op.apply((input, weight, bias), attrs)


@function
def instance_norm(
    input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled
):
    """Normalise each channel of each sample; ``nn.functional.instance_norm`` has another order.

    Ulyanov, Vedaldi and Lempitsky, "Instance normalization" (arXiv:1607.08022).

    Args:
        input: (N, C, ...).
        weight: a factor for each channel, or None.
        bias: a shift for each channel, or None.
        running_mean: moved towards the average of the samples' means, in place; or None.
        running_var: moved towards the average of their unbiased variances; or None.
        use_input_stats: False normalises by the running statistics.
        momentum: how far the running statistics move.
        eps: added to the variance, inside the root.
        cudnn_enabled: has no effect.

    Raises:
        RuntimeError: the number of channels differs from the parameters', or running statistics
            are needed and missing.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([[[1.0, 3.0], [10.0, 30.0]]])
    >>> tensorgrad.instance_norm(x, None, None, None, None, True, 0.1, 0.0, False)
    tensor([[[-1.,  1.],
             [-1.,  1.]]])
    """
    _need_tensor("instance_norm", "input", input)
    x = input._array
    channels = x.shape[1] if x.ndim > 1 else 0
    flag = None if use_input_stats else "use_input_stats"
    _check_statistics(
        "instance_norm", channels, flag, running_mean, running_var, weight=weight, bias=bias
    )
    _need_floats("instance_norm", x)
    if not use_input_stats:
        return _by_statistics(input, running_mean, running_var, weight, bias, eps)
    if running_mean is not None:
        n = prod(x.shape[2:])
        rows = x.reshape(-1, channels, n)
        _move(running_mean, rows.mean((0, 2)), momentum)
        _move(running_var, rows.var(2, ddof=1).mean(0), momentum)
    out = group_norm(input, channels, eps=eps) if channels else input
    return _scaled_by_channel(out, weight, bias)
