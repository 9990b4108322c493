"""Normalisation over the last dimensions, over groups of channels and by a running average.

:func:`rows_norm` is the one primitive: it normalises the rows of a matrix, and scales and shifts
its columns. Layer norm, group norm and instance norm are that on a reshaped input.
"""

from __future__ import annotations

from math import prod

import numpy as np

from .. import dtypes, errors
from .._graph import Tensor
from .._registry import function, op
from ..kernels.sums import total
from .elementwise import cast
from .reduce import mean, sum

# Elements of a block: three arrays of float32 stay in a second-level cache of 512 KiB.
_BLOCK = 32768


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
        along = product.dot(ones)[:, None] * (r * r * (-1.0 / columns)) * r
        whole = slope.dot(ones)[:, None] * (r * (-1.0 / columns))
        part *= along
        part += whole
        product = np.multiply(slope, r, out=product)
        if weight is not None:
            product *= weight
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
