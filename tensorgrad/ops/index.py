"""Reading and writing at indices, gathering and scattering, sorting and searching.

``x[index]`` with integers, slices, ``None`` and ``...`` is a view; with integer or boolean
tensors it is a copy. A mixture is a view followed by a copy, so integers select before
tensors index, as in PyTorch. In one point this follows NumPy: a slice may step backwards,
where PyTorch raises ValueError.

Two families close over their own derivatives: reading (:func:`index`, :func:`gather`) and
adding into zeros at the same places (``put_add``, ``gather_add``), both right for repeated
indices. Where a write repeats an index the last value stays, and only it gets a gradient.
"""

from __future__ import annotations

import itertools
import math
import operator
import warnings

import numpy as np

from .. import _registry, dtypes, return_types
from .._graph import Tensor, asarray, edge_of, ndarray, record, wrap
from .._inplace import apply_inplace, assign, writer
from .._registry import METHODS, function, op
from ..errors import DtypeError, ShapeError
from .comparison import ne
from .elementwise import copy, fill, keep, masked_fill, sub, zero
from .shape import (
    ALIAS,
    NEWAXIS,
    SELECT,
    SLICE,
    _along,
    _diagonal,
    _written,
    array_of,
    at,
    cat,
    expand,
    flatten,
    hang,
    integers,
    method,
    reshape,
    unsqueeze,
    wrap_dim,
)
from .shape import put as put_zeros

# --- what an index means ----------------------------------------------------------------

_NONE, _DOTS = type(None), type(...)
_PLAIN = (_NONE, int)
# The op of a basic index is named after its last item, as the last of PyTorch's nodes is.
_VIEWERS = {int: SELECT, np.int64: SELECT, slice: SLICE, _NONE: NEWAXIS, _DOTS: ALIAS}


def _basic(index):
    """(viewer, complete index) of an index of integers, slices, None and one ``...``; or None."""
    kind = type(index)
    if kind is int:
        return SELECT, (index, ...)
    items = index if kind is tuple else (index,)
    viewer, last, dots = ALIAS, None, 0
    for item in items:
        kind = type(item)
        if kind not in _VIEWERS:
            return None
        if kind is slice:
            if (
                type(item.start) not in _PLAIN
                or type(item.stop) not in _PLAIN
                or type(item.step) not in _PLAIN
            ):
                return _basic(tuple(map(_plain_slice, items)))
        elif kind is _DOTS:
            dots += 1
            continue
        last = kind
    if last is not None:
        viewer = _VIEWERS[last]
    if dots == 0:
        items = (*items, ...)
    return (viewer, items) if dots < 2 else None


def _plain_slice(item):
    """A slice with integers for bounds, where they are 0-d tensors or have an ``__index__``."""
    if type(item) is not slice:
        return item
    bounds = (item.start, item.stop, item.step)
    return slice(*(b if type(b) in _PLAIN else operator.index(b) for b in bounds))


def _parse(shape, index):
    """Split an index of any kind into a basic one and what indexes its result.

    Returns:
        viewer: the op of the basic part, None when that part takes everything as it is.
        basic: a complete basic index.
        advanced: None; or a tuple with ``slice(None)`` or an integer array for each
            dimension up to the last array, or with one boolean mask.
    """
    given = [_item(i) for i in _as_tuple(index)]
    items = _expanded(shape, given)
    basic, advanced = [], {}
    masks = sum(isinstance(i, ndarray) for i in items)
    source = place = 0  # dimensions of x used so far, and of the view
    for item in items:
        if item is None:
            basic.append(None)
            place += 1
        elif isinstance(item, int):
            basic.append(_in_range(item, source, shape))
            source += 1
        elif isinstance(item, slice):
            basic.append(item)
            source, place = source + 1, place + 1
        elif _is_bool(item) and item.ndim == 0:
            basic.append(None)
            advanced[place] = np.zeros(int(item), np.intp)
            place += 1
        else:
            arrays = [item]
            if _is_bool(item):
                _check_mask(item, shape, source)
                if masks > 1:
                    arrays = item.nonzero()
            n = item.ndim if _is_bool(item) else 1
            for k, array in enumerate(arrays):
                advanced[place + k] = array
            basic += [slice(None)] * n
            source, place = source + n, place + n
    trivial = all(isinstance(b, slice) and b == slice(None) for b in basic)
    kinds = [type(i) for i in given if i is not ... and not isinstance(i, ndarray)]
    viewer = None if trivial else _VIEWERS[kinds[-1] if kinds else _NONE]
    if not advanced:
        return viewer or ALIAS, (*basic, ...), None
    last = max(advanced)
    lone = advanced[last]
    if len(advanced) == 1 and _is_bool(lone):
        return viewer, (*basic, ...), (*([slice(None)] * last), lone)
    arrays = [advanced[d] for d in sorted(advanced)]
    if len(arrays) > 1:
        arrays = _together(arrays)
    found = dict(zip(sorted(advanced), arrays, strict=True))
    return viewer, (*basic, ...), tuple(found.get(d, slice(None)) for d in range(last + 1))


def _as_tuple(index):
    """The items of an index; a list that holds more than numbers counts as a tuple."""
    if isinstance(index, tuple):
        return index
    if isinstance(index, list) and any(
        isinstance(i, Tensor | ndarray | list | tuple | slice | _NONE | _DOTS) for i in index
    ):
        warnings.warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated; use "
            "x[tuple(seq)] for several indices, or x[torch.tensor(seq)] for one",
            UserWarning,
            stacklevel=4,
        )
        return tuple(index)
    return (index,)


def _item(item):
    """One item of an index as None, ``...``, an integer, a plain slice, or an index array."""
    if item is None or item is ...:
        return item
    if isinstance(item, slice):
        return _plain_slice(item)
    if isinstance(item, bool | np.bool_):
        return asarray(item)
    if isinstance(item, int | np.integer):
        return int(item)
    if isinstance(item, Tensor):
        array = item._array
    elif isinstance(item, ndarray | list | tuple | range):
        array = _index_array(item)
    elif isinstance(item, str | bytes):
        raise TypeError(f"new(): invalid data type {type(item).__name__!r} for an index")
    else:
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are "
            f"valid indices (got {type(item).__name__})"
        )
    kind = array.dtype.kind
    if array.dtype == np.uint8:
        warnings.warn(
            "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool "
            "instead.",
            UserWarning,
            stacklevel=5,
        )
        return array.astype(bool)
    if kind not in "iub":
        raise IndexError(
            "tensors used as indices must be long, int, byte or bool tensors, got "
            f"{dtypes.of(array.dtype)}; convert with .long() or compare"
        )
    return int(array) if array.ndim == 0 and kind != "b" else array


def _index_array(item):
    """The array that a sequence of indices stands for; an empty one is of integers."""
    if isinstance(item, ndarray):
        return item
    from ..creation import to_array

    array = to_array(list(item))
    return array.astype(np.int64) if array.size == 0 else array


def _expanded(shape, items):
    """``items`` with ``...`` replaced by slices, and slices for what is left out at the end."""
    dots = [i for i, item in enumerate(items) if item is ...]
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    used = sum(map(_dims_used, items))
    if used > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}: got {used}")
    fill = [slice(None)] * (len(shape) - used)
    cut = dots[0] if dots else len(items)
    return [*items[:cut], *fill, *items[cut + 1 :]]


def _dims_used(item) -> int:
    if item is None or item is ...:
        return 0
    return item.ndim if isinstance(item, ndarray) and _is_bool(item) else 1


def _in_range(i, dim, shape):
    if not -shape[dim] <= i < shape[dim]:
        raise IndexError(
            f"index {i} is out of bounds for dimension {dim} with size {shape[dim]}"
        )
    return i


def _check_mask(mask, shape, dim):
    for k, n in enumerate(mask.shape):
        if n != shape[dim + k]:
            raise IndexError(
                f"The shape of the mask {list(mask.shape)} at index {k} does not match the shape "
                f"of the indexed tensor {list(shape)} at index {dim + k}"
            )


def _together(arrays):
    """Index arrays broadcast to one shape, in row-major order: so the last of repeats is last."""
    try:
        shape = np.broadcast_shapes(*[a.shape for a in arrays])
    except ValueError:
        shapes = ", ".join(str(list(a.shape)) for a in arrays)
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        ) from None
    return [np.ascontiguousarray(np.broadcast_to(a, shape)).reshape(shape) for a in arrays]


def _out_of_range(index, shape):
    """The IndexError for the first index array with an element out of range."""
    for dim, item in enumerate(index):
        if isinstance(item, ndarray) and item.size and not _is_bool(item):
            low, high = int(item.min()), int(item.max())
            wrong = high if high >= shape[dim] else low
            if not -shape[dim] <= wrong < shape[dim]:
                return IndexError(
                    f"index {wrong} is out of bounds for dimension {dim} with size {shape[dim]}"
                )
    return None


# --- sums at repeated places ------------------------------------------------------------

# Products with a sparse matrix are two to four times as fast as np.add.at from about here on;
# below, the first call would not earn back the import of SciPy.
_SPARSE = 1 << 16


def _sum_rows(n: int, rows, x):
    """(n, d) zeros to which the rows of ``x`` (m, d) are added at ``rows`` (m,), repeats too."""
    m, d = x.shape
    if m * d >= _SPARSE and d > 1 and x.dtype.char in "fd":
        from scipy.sparse import csc_array

        return csc_array((np.ones(m, x.dtype), rows, np.arange(m + 1)), shape=(n, m)) @ x
    out = np.zeros((n, d), x.dtype)
    _add_rows(out, rows, x)
    return out


def _add_rows(out, rows, x):
    """Add the rows of ``x`` (m, d) to the contiguous ``out`` (n, d) at ``rows`` (m,)."""
    d = x.shape[1]
    if d != 1:  # element by element: np.add.at has a fast loop for flat indices alone
        rows = (rows[:, None] * d + np.arange(d)).reshape(-1)
    np.add.at(out.reshape(-1), rows, np.ascontiguousarray(x).reshape(-1))


def _rows(index, shape):
    """The indexed dimensions, and for each place of the index arrays its number among them."""
    axes = [d for d, item in enumerate(index) if isinstance(item, ndarray)]
    number = 0
    for d in axes:
        i, n = index[d], shape[d]
        if i.size and i.min() < 0:
            i = np.where(i < 0, i + n, i)
        number = number * n + i
    return axes, number


def _first(axes) -> int:
    """Where the dimensions of the index arrays stand in a result: in place, or in front."""
    return axes[0] if axes[-1] - axes[0] == len(axes) - 1 else 0


def _is_mask(index) -> bool:
    return _is_bool(index[-1])


def _is_bool(array) -> bool:
    return array.dtype.kind == "b"


def _by_rows(x, axes, number):
    """``x``, shaped like a result of indexing, as (places of the index arrays, the rest)."""
    first, n = _first(axes), number.ndim
    if first:
        order = [*range(first, first + n), *range(first), *range(first + n, x.ndim)]
        x = x.transpose(order)
    return x.reshape(number.size, math.prod(x.shape[n:]))


# --- reading ----------------------------------------------------------------------------


@op(name="index", public=False, method=False)
def _index(x, *, index):
    """The elements of ``x`` at arrays of indices, or where a mask is true; a copy."""
    last = index[-1]
    try:
        if last.dtype.kind != "b" and all(type(i) is slice for i in index[:-1]):
            return x.take(last, len(index) - 1)  # a fifth of the time of x[index]
        return x[index]
    except IndexError as error:
        raise _out_of_range(index, x.shape) or error from None


@op(name="put_add", public=False, method=False, grad_name="IndexPutBackward0")
def _put_add(x, *, index, shape):
    """Zeros of ``shape`` with ``x`` added where ``index`` points, repeats too."""
    x = asarray(x)
    if _is_mask(index):
        out = np.zeros(shape, x.dtype)
        out[index] = x
        return out
    axes, number = _rows(index, shape)
    rest = [d for d in range(len(shape)) if d not in axes]
    n = math.prod(shape[d] for d in axes)
    out = _sum_rows(n, number.reshape(-1), _by_rows(x, axes, number))
    order = axes + rest
    return out.reshape([shape[d] for d in order]).transpose(np.argsort(order))


def index_at(x, index):
    """The elements of ``x`` at an advanced ``index``, a tuple as :func:`_parse` makes it."""
    if not isinstance(x, Tensor):
        return _index.op.forward(x, index=index)
    array, attrs = x._array, {"index": index}
    out = _index.op.forward(array, index=index)
    if x._edge is None:
        return wrap(out)
    return record(_index.op, 1, (edge_of(x),), (array, out), attrs, out)


_index.vjp(
    x=lambda g, x_shape, *, index: _put_add.op.apply((g,), {"index": index, "shape": x_shape}),
)
_put_add.vjp(x=lambda g, *, index: index_at(g, index))


def getitem(self, index):
    """``x[index]``; see the module."""
    if type(index) is int:
        try:
            return hang(SELECT, self, self._array[index, ...], {"index": (index, ...)})
        except IndexError:
            pass
    found = _basic(index)
    if found is not None:
        viewer, full = found
        try:
            out = self._array[full]
        except IndexError:
            _parse(self._array.shape, index)  # raises, and says which dimension
            raise
        return hang(viewer, self, out, {"index": full})
    if isinstance(index, Tensor):
        i, shape = index._array, self._array.shape
        mask = i.dtype.kind == "b" and i.shape == shape[: i.ndim]
        if i.ndim and shape and (mask or i.dtype.kind == "i"):
            return index_at(self, (i,))
    viewer, basic, advanced = _parse(self._array.shape, index)
    x = self if viewer is None else at(viewer, self, basic)
    return x if advanced is None else index_at(x, advanced)


# --- writing ----------------------------------------------------------------------------


def _write_at(out, value, *, index, accumulate):
    """``out[index] = value``, or ``+=`` with repeated indices added up."""
    if not accumulate or _is_mask(index):
        try:
            out[index] = out[index] + value if accumulate else value
        except IndexError as error:
            raise _out_of_range(index, out.shape) or error from None
        return
    wrong = _out_of_range(index, out.shape)
    if wrong is not None:
        raise wrong
    if not out.size:
        return
    axes, number = _rows(index, out.shape)
    if out.flags.c_contiguous and axes == list(range(len(axes))):
        rest = out.shape[len(axes) :]
        value = np.broadcast_to(value, number.shape + rest).reshape(number.size, math.prod(rest))
        _add_rows(out.reshape(-1, math.prod(rest)), number.reshape(-1), value.astype(out.dtype))
    else:
        np.add.at(out, index, value)


@op(name="index_put", public=False, method=False)
def _index_put(x, value, *, index, accumulate):
    """A copy of ``x`` with ``value`` at ``index``, or added there."""
    out = np.array(x)
    _write_at(out, value, index=index, accumulate=accumulate)
    return out


writer(_index_put)(_write_at)


def _last_only(g, index, shape, accumulate):
    """The gradient of written values: zero for those that a repeated index overwrote."""
    g = index_at(g, index)
    if accumulate or _is_mask(index):
        return g
    axes, number = _rows(index, shape)
    kept = _last_of_each(number)
    if kept is None:
        return g
    rest = len(shape) - len(axes) - _first(axes)
    return keep(g, kept.reshape(kept.shape + (1,) * rest))


def _last_of_each(number):
    """Where each number occurs for the last time; None if none is repeated."""
    flat = number.reshape(-1)
    last = np.unique(flat[::-1], return_index=True)[1]
    if len(last) == len(flat):
        return None
    kept = np.zeros(len(flat), bool)
    kept[len(flat) - 1 - last] = True
    return kept.reshape(number.shape)


_index_put.vjp(
    x=lambda g, *, index, accumulate: (
        g
        if accumulate
        else _index_put.op.apply((g, 0.0), {"index": index, "accumulate": False})
    ),
    value=lambda g, x_shape, *, index, accumulate: _last_only(g, index, x_shape, accumulate),
)


def setitem(self, index, value):
    """``x[index] = value``, recorded; the value is broadcast, and cast to the dtype of ``x``."""
    array = self._array
    value = _castable(value, array.dtype)
    found, advanced = _basic(index), None
    try:
        if found is None:
            viewer, full, advanced = _parse(array.shape, index)
        else:
            viewer, full = found
        if advanced is None:
            assign(self, viewer, {"index": full}, _fitting(value, array, full))
            return
        x = self if viewer is None else at(viewer, self, full)
        fits = _fitting(value, x._array, advanced) if isinstance(value, Tensor) else value
        apply_inplace(_index_put.op, x, (fits, advanced, False), {})
    except (ValueError, OverflowError, TypeError) as error:
        raise _cannot_assign(error, array, index, value) from error
    except IndexError:
        _parse(array.shape, index)  # raises, and says which dimension
        raise


def _castable(value, dtype):
    """``value`` as a number, an array, or a Tensor of ``dtype``."""
    if not isinstance(value, Tensor):
        if isinstance(value, bool | int | float | complex | np.generic | ndarray | list | tuple):
            return value
        raise TypeError(f"can't assign a {type(value).__name__} to a tensor of dtype {dtype}")
    if value._array.dtype == dtype:
        return value
    if value._array.dtype.kind == "c" and dtype.kind != "c":
        raise DtypeError(f"can't assign a complex tensor to one of {dtype}; take its real part")
    if value._edge is None or dtype.kind != "f":
        return wrap(value._array.astype(dtype))
    return _registry.cast(value, dtype=dtype)


def _fitting(value, array, index):
    """``value`` without leading dimensions of size one that the place at ``index`` lacks."""
    if not isinstance(value, Tensor) or not value._array.ndim:
        return value
    last = index[-1]
    if not isinstance(last, ndarray):
        ndim = array[index].ndim
    else:
        used = sum(i.ndim if _is_bool(i) else 1 for i in index if isinstance(i, ndarray))
        ndim = array.ndim - used + (1 if _is_bool(last) else last.ndim)
    extra = value._array.ndim - ndim
    if extra > 0 and value._array.shape[:extra] == (1,) * extra:
        return reshape(value, value._array.shape[extra:])
    return value


def _cannot_assign(error, array, index, value):
    """What PyTorch raises where NumPy cannot assign."""
    if isinstance(error, TypeError) and not isinstance(value, complex):
        return error
    got = list(value.shape) if isinstance(value, Tensor | ndarray) else repr(value)
    return ShapeError(
        f"shape mismatch or overflow: value {got} cannot be assigned to the place at this index "
        f"of a tensor of shape {list(array.shape)} and dtype {array.dtype}: {error}"
    )


METHODS["__getitem__"], METHODS["__setitem__"] = getitem, setitem


def _put_index(input, indices):
    """``indices`` of index_put as an advanced index for ``input``."""
    if not isinstance(indices, tuple | list):
        raise TypeError(
            "index_put(): argument 'indices' (position 1) must be tuple of Tensors, not "
            f"{type(indices).__name__}"
        )
    for i, item in enumerate(indices):
        if not isinstance(item, Tensor | ndarray):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {item!r}")
    array = input._array
    advanced = _parse(array.shape, tuple(i if i.ndim else i.reshape(1) for i in indices))[2]
    return advanced


def _check_same(name, input, source):
    if isinstance(source, Tensor) and source._array.dtype != input._array.dtype:
        raise DtypeError(
            f"{name} requires the source and destination dtypes match, got "
            f"{input._array.dtype} for the destination and {source._array.dtype} for the source."
        )


@function(method=True)
def index_put(input, indices, values, accumulate=False):
    """A copy with ``values`` at ``indices``, what ``x[indices] = values`` does in place.

    ``indices`` is a tuple of index tensors (or masks) for the first dimensions; ``values``
    broadcasts to what they select. Repeated indices: the last value stays; with
    ``accumulate`` all are added to what is there.

    Raises:
        IndexError: an index is out of range.
        RuntimeError: ``values`` has another dtype, or does not broadcast.

    >>> import tensorgrad
    >>> i = tensorgrad.tensor([0, 0, 2])
    >>> tensorgrad.zeros(3).index_put((i,), tensorgrad.ones(3), accumulate=True)
    tensor([2., 0., 1.])
    """
    _check_same("Index put", input, values)
    index = _put_index(input, indices)
    value = _fitting(values, input._array, index)
    return _index_put.op.general((input, value, index, bool(accumulate)), {})


@method
def index_put_(input, indices, values, accumulate=False):
    """In-place :func:`tensorgrad.index_put`."""
    _check_same("Index put", input, values)
    index = _put_index(input, indices)
    value = _fitting(values, input._array, index)
    return apply_inplace(_index_put.op, input, (value, index, bool(accumulate)), {})


# --- gather and scatter -----------------------------------------------------------------


def _positions(name, shape, index, dim, src=None):
    """For each element of ``index``: which element of a row-major array of ``shape`` it means.

    Raises:
        RuntimeError: dtype, dimensions, sizes or values of ``index`` do not fit.
        IndexError: ``dim`` is out of range.
    """
    dim = wrap_dim(dim, len(shape))
    if index.dtype.kind not in "iu":
        raise DtypeError(f"{name}(): Expected dtype int32/int64 for index, got {index.dtype}")
    if not shape or not index.ndim:
        one = src.reshape(src.shape or (1,)) if isinstance(src, ndarray) else src
        where = index.reshape(index.shape or (1,))
        return _positions(name, shape or (1,), where, dim, one).reshape(index.shape)
    sizes = index.shape
    _check_sizes(name, shape, index, dim, src)
    _check_bounds(index, dim, shape[dim])
    others, step, own = None, 1, 1
    for d in range(len(shape) - 1, -1, -1):
        if d == dim:
            own = step
        elif sizes[d] > 1:
            along = np.arange(sizes[d]) * step
            along = along.reshape(-1, *(1,) * (len(sizes) - 1 - d))
            others = along if others is None else others + along
        step *= shape[d]
    where = np.multiply(index, own, dtype=np.intp, casting="unsafe")
    return where if others is None else where + others


def _check_sizes(name, shape, index, dim, src):
    """Refuse an index that is larger than what it points into, or than its source."""
    sizes = index.shape
    if len(sizes) != len(shape) and index.size:
        raise ShapeError(
            f"{name}(): Index tensor must have the same number of dimensions as input tensor, got "
            f"shapes {list(sizes)} and {list(shape)}"
        )
    if not index.size:
        return
    for d, n in enumerate(sizes):
        if n > shape[d] and d != dim:
            raise ShapeError(
                f"{name}(): Size does not match at dimension {d} expected index {list(sizes)} to "
                f"be no larger than self {list(shape)} apart from dimension {dim}"
            )
    if not isinstance(src, ndarray):
        return
    if src.ndim != len(sizes) or any(n > m for n, m in zip(sizes, src.shape, strict=True)):
        raise ShapeError(
            f"{name}(): Expected index {list(sizes)} to be no larger than self {list(shape)} apart "
            f"from dimension {dim} and to be no larger size than src {list(src.shape)}"
        )


def _check_bounds(index, dim, size, error=ShapeError, negative=False):
    """Raise ``error`` if an element of ``index`` is not in ``[0, size)``, or ``[-size, size)``."""
    if not index.size:
        return
    if index.dtype == np.int64 and not negative and index.view(np.uint64).max() < size:
        return  # as unsigned numbers negative ones are large: one pass for both bounds
    low, high = int(index.min()), int(index.max())
    if high >= size or low < (-size if negative else 0):
        wrong = high if high >= size else low
        raise error(f"index {wrong} is out of bounds for dimension {dim} with size {size}")


def _cropped(src, shape):
    """The part of ``src`` that an index of ``shape`` uses; a number as it is."""
    if not isinstance(src, ndarray) or src.shape == shape:
        return src
    return src[tuple(map(slice, shape))]


def _flat(out):
    """``out`` as one dimension, on the same memory; None if that takes a copy."""
    return out.reshape(-1) if out.flags.c_contiguous else None


@op(name="gather", public=False, method=False)
def _gather(x, index, *, dim):
    """The elements of ``x`` at ``index`` along ``dim``."""
    return x.reshape(-1).take(_positions("gather", x.shape, index, dim))


@function(method=True)
def gather(input, dim, index, *, sparse_grad=False, out=None):
    """The elements at ``index`` along ``dim``, in the shape of ``index``.

    ``out[i][j] = input[index[i][j]][j]`` for two dimensions and ``dim=0``. ``index`` has as
    many dimensions as ``input`` and may be smaller in those other than ``dim``.

    Raises:
        RuntimeError: ``index`` is not of integers, does not fit, or has an element out of
            range; negative ones are.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([[1, 2], [3, 4]])
    >>> x.gather(1, tensorgrad.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    return _written(out, _gather.op.apply((input, index), {"dim": dim}))


@op(public=False, method=False, grad_name="ScatterAddBackward0")
def gather_add(x, index, *, shape, dim):
    """Zeros of ``shape`` to which ``x`` is added at ``index`` along ``dim``."""
    x = asarray(x)
    where = _positions("gather", shape, index, dim)
    out = np.zeros(shape, x.dtype)
    np.add.at(out.reshape(-1), where.reshape(-1), np.ascontiguousarray(x).reshape(-1))
    return out


def _gather_rule(g, index, x_shape, *, dim):
    return gather_add.op.apply((g, index), {"shape": x_shape, "dim": dim})


_gather.vjp(x=_gather_rule)
gather_add.vjp(x=lambda g, index, *, dim: gather(g, dim, index))


def _reader(name, grad_name):
    """``gather`` under another name, for the values of what finds its own indices."""

    @op(name=name, public=False, method=False, grad_name=grad_name)
    def read(x, index, *, dim, keepdim=True):
        """The elements of ``x`` at ``index`` along ``dim``, which is dropped unless ``keepdim``."""
        out = x.reshape(-1).take(_positions(name, x.shape, index, dim))
        return out if keepdim else out.squeeze(dim)

    read.vjp(
        x=lambda g, index, x_shape, *, dim: _gather_rule(
            reshape(g, index.shape), index, x_shape, dim=dim
        )
    )
    return read.op


_SORTED = _reader("sorted_values", "SortBackward0")
_TOP = _reader("topk_values", "TopkBackward0")
_KTH = _reader("kth_values", "KthvalueBackward0")


@function(method=True)
def take_along_dim(input, indices, dim=None, *, out=None):
    """As :func:`gather`, where the other dimensions broadcast and indices may be negative.

    With ``dim`` None the tensors are flattened first.

    Raises:
        RuntimeError: the numbers of dimensions differ, ``indices`` is not of integers, or has
            an element out of range (PyTorch does not look).

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([[3, 1], [2, 4]])
    >>> x.take_along_dim(x.argsort(1), 1)
    tensor([[1, 3],
            [2, 4]])
    """
    index = array_of("take_along_dim", indices)
    if dim is None:
        input, index, dim = flatten(input), index.reshape(-1), 0
    shape = array_of("take_along_dim", input).shape
    if index.ndim != len(shape):
        raise ShapeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {len(shape)} dimensions for input, and {index.ndim} dimensions for indices"
        )
    if index.dtype.kind not in "iu":
        raise DtypeError(f"take_along_dim(): Expected integers for indices, got {index.dtype}")
    dim = wrap_dim(dim, len(shape))
    size = shape[dim] if shape else 1
    _check_bounds(index, dim, size, negative=True)
    index = np.where(index < 0, index + size, index)
    before, after = slice(0, dim), slice(dim + 1, None)
    lead = _broadcast("take_along_dim", index.shape[before], shape[before])
    tail = _broadcast("take_along_dim", index.shape[after], shape[after])
    if shape:
        input = expand(input, (*lead, size, *tail))
        index = np.broadcast_to(index, (*lead, index.shape[dim], *tail))
    return _written(out, gather(input, dim, index))


def _demand_same(name, x, src):
    if isinstance(src, ndarray) and src.dtype != x.dtype:
        raise DtypeError(
            f"{name}(): Expected self.dtype to be equal to src.dtype, got {x.dtype} and {src.dtype}"
        )


def _scatter_into(out, index, src, *, dim):
    _demand_same("scatter", out, src)
    where = _positions("scatter", out.shape, index, dim, src).reshape(-1)
    src = _cropped(src, index.shape)
    src = src.reshape(-1) if isinstance(src, ndarray) else src
    flat = _flat(out)
    if flat is None:
        out[np.unravel_index(where, out.shape)] = src
    else:
        flat[where] = src


@op(name="scatter", public=False, method=False)
def _scatter(x, index, src, *, dim):
    """A copy of ``x`` with ``src`` at ``index`` along ``dim``."""
    out = np.array(x)
    _scatter_into(out, index, src, dim=dim)
    return out


writer(_scatter)(_scatter_into)


def _pad_to(g, shape):
    """``g`` at the beginning of zeros of ``shape``: for the part of a source that was used."""
    return g if g.shape == shape else put_zeros(g, shape, tuple(map(slice, g.shape)))


def _scatter_src(g, index, x_shape, src_shape, *, dim):
    read = gather(g, dim, index)
    kept = _last_of_each(_positions("scatter", x_shape, index, dim))
    return _pad_to(read if kept is None else keep(read, kept), src_shape)


_scatter.vjp(
    x=lambda g, index, *, dim: _scatter.op.apply((g, index, 0.0), {"dim": dim}),
    src=_scatter_src,
)


def _scatter_source(src, value, like, index):
    """The source of a scatter: a tensor, or a number for all places."""
    if (src is None) == (value is None):
        raise TypeError("scatter() takes either src or value")
    src = value if src is None else src
    if isinstance(src, Tensor) and src._array.ndim == 0 and array_of("scatter", index).ndim:
        raise ShapeError(
            "scatter(): Index tensor must have the same number of dimensions as src tensor, got a "
            "0-d src; pass a number as value="
        )
    return src


_REDUCED = {"add": np.add, "multiply": np.multiply}


def _scatter_reduced(x, dim, index, src, reduce):
    """``scatter`` with ``reduce=``; products are not recorded, as in PyTorch."""
    if reduce not in _REDUCED:
        raise RuntimeError(f"reduce argument must be either add or multiply, got {reduce!r}")
    array, index = x._array.copy(), array_of("scatter", index)
    if reduce == "add":
        src = src if isinstance(src, Tensor) else wrap(np.full(index.shape, src, array.dtype))
        return scatter_add(x, dim, wrap(index), src)
    if x._edge is not None or (isinstance(src, Tensor) and src._edge is not None):
        raise RuntimeError(
            "scatter(reduce='multiply') is not differentiable; multiply by a scattered tensor"
        )
    src = getattr(src, "_array", src)
    where = _positions("scatter", array.shape, index, dim, src).reshape(-1)
    src = _cropped(src, index.shape)
    values = src.reshape(-1) if isinstance(src, ndarray) else src
    np.multiply.at(array.reshape(-1), where, values)
    return wrap(array)


@function(method=True)
def scatter(input, dim, index, src=None, *, value=None, reduce=None, out=None):
    """A copy of ``input`` with the elements of ``src`` at ``index`` along ``dim``.

    ``out[index[i][j]][j] = src[i][j]`` for two dimensions and ``dim=0``: the reverse of
    :func:`gather`. A number, as ``src`` or ``value``, goes to all places. Where an index is
    repeated the last value stays, and only it gets a gradient. ``reduce="add"`` adds to what
    is there, ``"multiply"`` multiplies and is not recorded.

    Raises:
        RuntimeError: ``index`` does not fit, has an element out of range, or dtypes differ.

    >>> import tensorgrad
    >>> i = tensorgrad.tensor([[1], [0]])
    >>> tensorgrad.zeros(2, 2).scatter(1, i, 1.0)
    tensor([[0., 1.],
            [1., 0.]])
    """
    src = _scatter_source(src, value, input, index)
    if reduce is not None:
        return _written(out, _scatter_reduced(input, dim, index, src, reduce))
    return _written(out, _scatter.op.apply((input, index, src), {"dim": dim}))


@method
def scatter_(input, dim, index, src=None, *, value=None, reduce=None):
    """In-place :func:`tensorgrad.scatter`."""
    src = _scatter_source(src, value, input, index)
    if reduce is not None:
        return apply_inplace(copy.op, input, (scatter(input, dim, index, src, reduce=reduce),), {})
    return apply_inplace(_scatter.op, input, (index, src), {"dim": dim})


def _scatter_add_into(out, index, src, *, dim):
    _demand_same("scatter", out, src)
    where = _positions("scatter_add", out.shape, index, dim, src).reshape(-1)
    src = np.ascontiguousarray(_cropped(src, index.shape)).reshape(-1)
    flat = _flat(out)
    if flat is None:
        np.add.at(out, np.unravel_index(where, out.shape), src)
    else:
        np.add.at(flat, where, src)


@op(order="x dim index src", inplace=True)
def scatter_add(x, index, src, *, dim):
    """A copy of ``x`` to which the elements of ``src`` are added at ``index`` along ``dim``.

    ``out[index[i][j]][j] += src[i][j]`` for two dimensions and ``dim=0``; repeated indices
    add up.

    Raises:
        RuntimeError: ``index`` does not fit, has an element out of range, or dtypes differ.

    >>> import tensorgrad
    >>> i = tensorgrad.tensor([0, 1, 0])
    >>> tensorgrad.zeros(2).scatter_add(0, i, tensorgrad.tensor([1.0, 2.0, 3.0]))
    tensor([4., 2.])
    """
    out = np.array(x)
    _scatter_add_into(out, index, src, dim=dim)
    return out


writer(scatter_add)(_scatter_add_into)
scatter_add.vjp(
    x=lambda g: g,
    src=lambda g, index, src_shape, *, dim: _pad_to(gather(g, dim, index), src_shape),
)


# --- along one dimension ----------------------------------------------------------------


def _vector(name, index, error=IndexError):
    """``index`` as one dimension of integers."""
    if index.ndim > 1:
        raise error(f"{name}(): Index is supposed to be a vector, got shape {list(index.shape)}")
    if index.dtype.kind not in "iu":
        raise DtypeError(f"{name}(): Expected dtype int32 or int64 for index, got {index.dtype}")
    return index.reshape(-1)


@op(order="x dim index")
def index_select(x, index, *, dim):
    """The slices of ``x`` at ``index``, a vector, along ``dim``; a copy.

    Raises:
        IndexError: ``index`` has several dimensions, ``dim`` is out of range, or an element of
            ``index`` is; negative ones are.
        RuntimeError: ``index`` is not of integers.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1, 2, 3]]).index_select(1, tensorgrad.tensor([2, 0]))
    tensor([[3, 1]])
    """
    index = _vector("index_select", index)
    dim = wrap_dim(dim, x.ndim)
    if not x.ndim:
        _check_bounds(index, 0, 1, IndexError)
        if index.size != 1:
            raise ShapeError("index_select(): Index to scalar must have exactly 1 value")
        return x.copy()
    _check_bounds(index, dim, x.shape[dim], IndexError)
    return x.take(index, dim)


@op(public=False, method=False, grad_name="IndexAddBackward0")
def select_add(x, index, *, shape, dim):
    """Zeros of ``shape`` to whose slices at ``index`` along ``dim`` those of ``x`` are added."""
    x = asarray(x)
    if not shape:
        return x.copy()
    dim = wrap_dim(dim, len(shape))
    spread = (*([slice(None)] * dim), index.reshape(-1))
    return _put_add.op.forward(x, index=spread, shape=shape)


index_select.vjp(
    x=lambda g, index, x_shape, *, dim: select_add.op.apply(
        (g, index), {"shape": x_shape, "dim": dim}
    ),
)
select_add.vjp(x=lambda g, index, *, dim: index_select(g, dim, index))


def _checked_source(name, out, index, source, dim, error=ShapeError):
    """(vector of indices, dim) for a write of slices, all sizes checked."""
    index = _vector(name, index)
    dim = wrap_dim(dim, out.ndim)
    if source.dtype != out.dtype:
        raise DtypeError(
            f"{name}_(): self ({out.dtype}) and source ({source.dtype}) must have the same scalar "
            "type"
        )
    want = list(out.shape)
    if want:
        want[dim] = index.size
    if list(source.shape) != want and (out.ndim or source.size != 1):
        have = source.shape[dim] if source.ndim > dim else 1
        raise error(
            f"{name}_(): Number of indices ({index.size}) should be equal to source.size(dim): "
            f"({have}), for dim: {dim}, and the other sizes those of self: got source "
            f"{list(source.shape)}, expected {want}"
        )
    return index, dim


def _index_add_into(out, index, source, *, dim, alpha):
    index, dim = _checked_source("index_add", out, index, source, dim)
    _check_bounds(index, dim, out.shape[dim] if out.ndim else 1)
    source = source if alpha == 1 else source * out.dtype.type(alpha)
    if not out.ndim:
        out[...] = source.any() | out if out.dtype.kind == "b" else out + source.sum()
        return
    if dim == 0 and out.flags.c_contiguous and out.size:
        rows = source.reshape(index.size, math.prod(out.shape[1:]))
        table = out.reshape(len(out), -1)
        if rows.size >= _SPARSE and len(table) <= 4 * len(rows):
            table += _sum_rows(len(table), index, rows)
        else:
            _add_rows(table, index, rows)
    else:
        np.add.at(out, _along(dim, index), source)


@op(order="x dim index source alpha", inplace=True)
def index_add(x, index, source, *, dim, alpha=1):
    """A copy of ``x`` to whose slices at ``index`` along ``dim`` those of ``source`` are added.

    ``source`` is multiplied by the number ``alpha``; repeated indices add up.

    Raises:
        RuntimeError: sizes or dtypes do not fit, or an index is out of range.

    >>> import tensorgrad
    >>> i = tensorgrad.tensor([1, 1])
    >>> tensorgrad.zeros(2).index_add(0, i, tensorgrad.tensor([1.0, 2.0]))
    tensor([0., 3.])
    """
    out = np.array(x)
    _index_add_into(out, index, source, dim=dim, alpha=alpha)
    return out


writer(index_add)(_index_add_into)


def _index_add_source(g, index, source_shape, *, dim, alpha):
    read = index_select(g, dim, index)
    read = read if alpha == 1 else read * float(alpha)
    return read if read.shape == source_shape else reshape(read, source_shape)


index_add.vjp(x=lambda g: g, source=_index_add_source)


def _index_copy_into(out, index, source, *, dim):
    index, dim = _checked_source("index_copy", out, index, source, dim, IndexError)
    _check_bounds(index, dim, out.shape[dim] if out.ndim else 1, IndexError)
    if out.ndim:
        out[_along(dim, index)] = source
    elif index.size:
        out[...] = source.reshape(-1)[-1]


@op(order="x dim index source", inplace=True)
def index_copy(x, index, source, *, dim):
    """A copy of ``x`` whose slices at ``index`` along ``dim`` are those of ``source``.

    Where an index is repeated the last slice stays, and only it gets a gradient.

    Raises:
        IndexError: sizes do not fit, or an index is out of range.
        RuntimeError: dtypes differ.

    >>> import tensorgrad
    >>> i = tensorgrad.tensor([2, 0])
    >>> tensorgrad.zeros(3).index_copy(0, i, tensorgrad.tensor([1.0, 2.0]))
    tensor([2., 0., 1.])
    """
    out = np.array(x)
    _index_copy_into(out, index, source, dim=dim)
    return out


writer(index_copy)(_index_copy_into)


def _index_copy_source(g, index, source_shape, *, dim):
    read = index_select(g, dim, index)
    kept = _last_of_each(index.reshape(-1))
    if kept is not None and g.ndim:
        after = g.ndim - 1 - wrap_dim(dim, g.ndim)
        read = keep(read, kept.reshape((-1,) + (1,) * after))
    return read if read.shape == source_shape else reshape(read, source_shape)


index_copy.vjp(
    x=lambda g, index, *, dim: index_fill(g, dim, index, 0.0),
    source=_index_copy_source,
)


def _index_fill_into(out, index, value, *, dim):
    index = _vector("index_fill", index)
    if getattr(value, "ndim", 0):
        raise ShapeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )
    dim = wrap_dim(dim, out.ndim)
    _check_bounds(index, dim, out.shape[dim] if out.ndim else 1, IndexError, negative=True)
    if out.ndim:
        out[_along(dim, index)] = value
    elif index.size:
        out[...] = value


@op(order="x dim index value", inplace=True)
def index_fill(x, index, value, *, dim):
    """A copy of ``x`` whose slices at ``index`` along ``dim`` are filled with ``value``.

    ``value`` is a number or a 0-d tensor; indices may be negative.

    Raises:
        IndexError: an index is out of range.
        RuntimeError: ``value`` has dimensions.

    >>> import tensorgrad
    >>> tensorgrad.zeros(3).index_fill(0, tensorgrad.tensor([0, 2]), 5.0)
    tensor([5., 0., 5.])
    """
    out = np.array(x)
    _index_fill_into(out, index, value, dim=dim)
    return out


writer(index_fill)(_index_fill_into)


def _index_fill_value(g, index, value_dtype, *, dim):
    if not len(g.shape):
        return g
    n = g.shape[wrap_dim(dim, len(g.shape))]
    filled = index_select(g, dim, np.unique(index.reshape(-1) % n))
    return filled if filled.dtype == value_dtype else _registry.cast(filled, dtype=value_dtype)


index_fill.vjp(
    x=lambda g, index, *, dim: index_fill(g, dim, index, 0.0),
    value=_index_fill_value,
)


# --- masks and flat positions -----------------------------------------------------------


@function(method=True)
def masked_select(input, mask, *, out=None):
    """The elements where ``mask`` is true, in one dimension; the two broadcast.

    Raises:
        RuntimeError: ``mask`` is not boolean, or the shapes do not broadcast.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1, 2, 3])
    >>> x.masked_select(x > 1)
    tensor([2, 3])
    """
    x, m = array_of("masked_select", input), array_of("masked_select", mask)
    if m.dtype != bool:
        raise DtypeError(f"masked_select: expected BoolTensor for mask, got {m.dtype}")
    shape = _broadcast("masked_select", x.shape, m.shape)
    if x.shape != shape:
        input = expand(input, shape)
    if not shape:
        return _written(out, index_at(unsqueeze(input, 0), (m.reshape(1),)))
    return _written(out, index_at(input, (np.broadcast_to(m, shape),)))


def _broadcast(name, *shapes):
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " and ".join(str(list(s)) for s in shapes)
        raise ShapeError(f"{name}: the shapes {listed} do not broadcast") from None


def _masked_source(input, mask, source):
    """(index, values) that ``masked_scatter`` writes, for the shape that all broadcast to."""
    m = array_of("masked_scatter", mask)
    if m.dtype != bool:
        raise DtypeError(f"masked_scatter: expected BoolTensor for mask, got {m.dtype}")
    _check_same("masked_scatter", input, source)
    shape = _broadcast("masked_scatter", input._array.shape, m.shape)
    m = np.ascontiguousarray(np.broadcast_to(m, shape)).reshape(shape or (1,))
    n = int(np.count_nonzero(m))
    if n > source._array.size:
        raise ShapeError(
            "masked_scatter: expected self and source to have at least as many elements as there "
            f"are ones in mask: {n} ones, {source._array.size} elements"
        )
    return shape, (m,), flatten(source)[:n]


@function(method=True)
def masked_scatter(input, mask, source):
    """A copy with the elements of ``source``, in their order, where ``mask`` is true.

    Raises:
        RuntimeError: ``mask`` is not boolean, dtypes differ, or ``source`` is too short.

    >>> import tensorgrad
    >>> mask = tensorgrad.tensor([True, False, True])
    >>> tensorgrad.zeros(3).masked_scatter(mask, tensorgrad.tensor([1.0, 2.0]))
    tensor([1., 0., 2.])
    """
    shape, index, values = _masked_source(input, mask, source)
    x = expand(input, shape) if shape else reshape(input, (1,))
    written = _index_put.op.general((x, values, index, False), {})
    return written if shape else reshape(written, ())


@method
def masked_scatter_(input, mask, source):
    """In-place :func:`tensorgrad.masked_scatter`."""
    shape, index, values = _masked_source(input, mask, source)
    if shape != input._array.shape:
        raise ShapeError(
            f"masked_scatter_: the mask broadcasts the tensor of shape {list(input._array.shape)} "
            f"to {list(shape)}"
        )
    target = input if shape else input.view(1)
    apply_inplace(_index_put.op, target, (values, index, False), {})
    return input


def _flat_index(name, index, size):
    """``index`` checked to hold integers in ``[-size, size)``."""
    i = array_of(name, index)
    if i.dtype.kind not in "iu":
        raise DtypeError(f"{name}(): Expected a long tensor for index, but got {i.dtype}")
    if i.size and not (-size <= i.min() and i.max() < size):
        wrong = i.max() if i.max() >= size else i.min()
        raise IndexError(
            f"out of range: tried to access index {wrong} on a tensor of {size} elements."
        )
    return i


@function(method=True)
def take(input, index, *, out=None):
    """The elements at ``index`` of the flattened tensor, in the shape of ``index``.

    Raises:
        IndexError: an index is out of range.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1, 2], [3, 4]]).take(tensorgrad.tensor([0, -1]))
    tensor([1, 4])
    """
    i = _flat_index("take", index, array_of("take", input).size)
    return _written(out, reshape(index_at(flatten(input), (i.reshape(-1),)), i.shape))


@function(method=True)
def put(input, index, source, accumulate=False):
    """A copy with ``source`` at ``index`` of the flattened tensor; see :func:`index_put`.

    Raises:
        IndexError: an index is out of range, or ``index`` and ``source`` differ in size.
        RuntimeError: dtypes differ.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 2).put(tensorgrad.tensor([0, 3]), tensorgrad.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    i, values = _put_source(input, index, source)
    written = _index_put.op.general((flatten(input), values, (i,), bool(accumulate)), {})
    return reshape(written, input._array.shape)


@method
def put_(input, index, source, accumulate=False):
    """In-place :func:`tensorgrad.put`."""
    i, values = _put_source(input, index, source)
    if input._array.flags.c_contiguous:
        apply_inplace(_index_put.op, input.view(-1), (values, (i,), bool(accumulate)), {})
        return input
    where = np.unravel_index(i, input._array.shape)
    return apply_inplace(_index_put.op, input, (values, where, bool(accumulate)), {})


def _put_source(input, index, source):
    i = _flat_index("put", index, input._array.size).reshape(-1)
    _check_same("put", input, source)
    if i.size != source._array.size:
        raise IndexError(
            f"put_(): Expected source and index to have the same number of elements, got "
            f"{source._array.size} and {i.size}"
        )
    return np.where(i < 0, i + input._array.size, i), flatten(source)


def fill_diagonal_(self, fill_value, wrap=False):
    """Fill the main diagonal in place with a number; returns the tensor.

    With ``wrap`` the diagonal of a tall matrix starts again after each square.

    Raises:
        RuntimeError: fewer than two dimensions, or more than two of different size.
    """
    shape, fill_value = self._array.shape, _castable(fill_value, self._array.dtype)
    if len(shape) < 2:
        raise ShapeError(f"fill_diagonal_ expects at least two dimensions, got {list(shape)}")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise ShapeError(f"all dimensions of input must be of equal length, got {list(shape)}")
    if len(shape) == 2 and not wrap:
        attrs = {"offset": 0, "dim1": 0, "dim2": 1}
        assign(self, _diagonal.op, attrs, fill_value)
        return self
    if len(shape) == 2:
        step = shape[1] + 1
        i = np.arange(0, shape[0] * shape[1], step)
        where = np.unravel_index(i, shape)
    else:
        where = (np.arange(shape[0]),) * len(shape)
    return apply_inplace(_index_put.op, self, (fill_value, where, False), {})


METHODS["fill_diagonal_"] = fill_diagonal_


# --- repetition by index ----------------------------------------------------------------


@function(method=True)
def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Each element (or slice along ``dim``) repeated on the spot.

    ``repeats`` is a number for all, or a tensor with one for each. Without ``dim`` the tensor
    is flattened. With ``input`` alone: the position of each element, as often as it says.

    Raises:
        RuntimeError: a repeat is negative, or their number differs from the size.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2]).repeat_interleave(2)
    tensor([1, 1, 2, 2])
    >>> tensorgrad.tensor([1, 2]).repeat_interleave(tensorgrad.tensor([1, 3]))
    tensor([1, 2, 2, 2])
    """
    if repeats is None:
        counts = array_of("repeat_interleave", input)
        return wrap(np.repeat(np.arange(len(counts)), counts))
    counts = repeats._array if isinstance(repeats, Tensor) else np.asarray(repeats)
    if counts.dtype.kind not in "iu":
        raise DtypeError(f"repeats has to be Long or Int tensor, got {counts.dtype}")
    if counts.ndim > 1:
        raise ShapeError("repeat_interleave only accept 0D or 1D vector as repeat")
    if counts.size and counts.min() < 0:
        raise ShapeError(f"Repeats must be non-negative, got {int(counts.min())}")
    if dim is None:
        input, dim = flatten(input), 0
    shape = array_of("repeat_interleave", input).shape or (1,)
    dim = wrap_dim(dim, len(shape))
    if counts.size == 1:
        n = int(counts.reshape(-1)[0])
        spread = expand(unsqueeze(reshape(input, shape), dim + 1), _inserted(shape, dim + 1, n))
        return reshape(spread, (*shape[:dim], shape[dim] * n, *shape[dim + 1 :]))
    if counts.size != shape[dim]:
        raise ShapeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{counts.size} and input.size({dim}) = {shape[dim]}"
        )
    where = np.repeat(np.arange(shape[dim]), counts)
    if output_size is not None and output_size != where.size:
        raise ShapeError(f"allocated size {output_size} does not match required size {where.size}")
    return index_select(input, dim, where)


def _inserted(shape, at, n):
    return (*shape[:at], n, *shape[at:])


# --- order ------------------------------------------------------------------------------


def _order(x, dim, descending):
    """The stable order of ``x`` along ``dim``; nan counts as the greatest, as in PyTorch."""
    if not descending:
        return np.argsort(x, dim, kind="stable")
    back = _along(dim, slice(None, None, -1))
    return x.shape[dim] - 1 - np.argsort(x[back], dim, kind="stable")[back]


def _named(kind, reader, input, index, dim, keepdim=True):
    """(values, indices) for the elements of ``input`` at ``index`` along ``dim``."""
    index = np.ascontiguousarray(index)
    values = reader.apply((input, index), {"dim": dim, "keepdim": keepdim})
    return kind(values, wrap(index if keepdim else index.squeeze(dim)))


def _scalar(kind, input):
    """The (values, indices) of a 0-d tensor: its only element."""
    return kind(reshape(input, ()), wrap(np.zeros((), np.int64)))


@function(method=True)
def sort(input, dim=-1, descending=False, stable=False, *, out=None):
    """The elements sorted along ``dim``: a pair (values, indices).

    Equal elements keep their order whatever ``stable`` says; nan counts as the greatest.

    Raises:
        IndexError: ``dim`` is out of range.

    >>> import tensorgrad
    >>> values, indices = tensorgrad.tensor([3, 1, 2]).sort()
    >>> values, indices
    (tensor([1, 2, 3]), tensor([1, 2, 0]))
    """
    x = array_of("sort", input)
    dim = wrap_dim(dim, x.ndim)
    if not x.ndim:
        return _scalar(return_types.sort, input)
    result = _named(return_types.sort, _SORTED, input, _order(x, dim, descending), dim)
    return _both_written(out, result)


def _both_written(out, result):
    if out is None:
        return result
    return type(result)(*(_written(o, r) for o, r in zip(out, result, strict=True)))


@function(method=True)
def argsort(input, dim=-1, descending=False, stable=False):
    """The indices that sort ``input`` along ``dim``; see :func:`sort`.

    >>> import tensorgrad
    >>> tensorgrad.tensor([3, 1, 2]).argsort(descending=True)
    tensor([0, 2, 1])
    """
    x = array_of("argsort", input)
    dim = wrap_dim(dim, x.ndim)
    return wrap(_order(x, dim, descending) if x.ndim else np.zeros((), np.int64))


@function(method=True)
def msort(input, *, out=None):
    """The elements sorted along the first dimension.

    >>> import tensorgrad
    >>> tensorgrad.tensor([3, 1, 2]).msort()
    tensor([1, 2, 3])
    """
    return _written(out, sort(input, 0).values)


@function(method=True)
def topk(input, k, dim=-1, largest=True, sorted=True, *, out=None):
    """The ``k`` largest (or smallest) elements along ``dim``: a pair (values, indices).

    They come sorted, whatever ``sorted`` says. Which of equal elements are taken is not
    specified; nan counts as the greatest.

    Raises:
        RuntimeError: ``k`` is negative or exceeds the size.
        IndexError: ``dim`` is out of range.

    >>> import tensorgrad
    >>> tensorgrad.tensor([3, 1, 2]).topk(2).values
    tensor([3, 2])
    """
    x = array_of("topk", input)
    dim, k = wrap_dim(dim, x.ndim), operator.index(k)
    n = x.shape[dim] if x.ndim else 1
    if not 0 <= k <= n:
        raise ShapeError(f"selected index k out of range: k = {k}, size {n} of dimension {dim}")
    if not x.ndim:
        return _both_written(out, _scalar(return_types.topk, input))
    if 0 < k <= n // 8:  # from about here a partition is faster than a sort
        part = np.argpartition(x, n - k if largest else k - 1, dim)
        chosen = part[_along(dim, slice(n - k, None) if largest else slice(0, k))]
        order = _order(np.take_along_axis(x, chosen, dim), dim, largest)
        index = np.take_along_axis(chosen, order, dim)
    else:
        index = _order(x, dim, largest)[_along(dim, slice(0, k))]
    return _both_written(out, _named(return_types.topk, _TOP, input, index, dim))


@function(method=True)
def kthvalue(input, k, dim=-1, keepdim=False, *, out=None):
    """The ``k``-th smallest element along ``dim``, counted from 1: a pair (values, indices).

    Raises:
        RuntimeError: ``k`` is not in ``[1, size]``.
        IndexError: ``dim`` is out of range.

    >>> import tensorgrad
    >>> tensorgrad.tensor([3, 1, 2]).kthvalue(2).values
    tensor(2)
    """
    x = array_of("kthvalue", input)
    dim = wrap_dim(dim, x.ndim)
    n = x.shape[dim] if x.ndim else 1
    if not 1 <= k <= n:
        raise ShapeError(f"kthvalue(): selected number k out of range for dimension {dim}: {k}")
    if not x.ndim:
        return _both_written(out, _scalar(return_types.kthvalue, input))
    index = _order(x, dim, False)[_along(dim, slice(k - 1, k))]
    return _both_written(out, _named(return_types.kthvalue, _KTH, input, index, dim, keepdim))


@function(method=True)
def diff(input, n=1, dim=-1, prepend=None, append=None, *, out=None):
    """The differences of neighbours along ``dim``, taken ``n`` times.

    ``prepend`` and ``append`` are tensors to join on before.

    Raises:
        RuntimeError: the tensor is 0-d, or ``n`` is negative.
        IndexError: ``dim`` is out of range.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 4, 9, 16]).diff()
    tensor([3, 5, 7])
    """
    if not array_of("diff", input).ndim or n < 0:
        raise ShapeError(f"diff expects input to be at least one-dimensional and n >= 0, got n={n}")
    parts = [t for t in (prepend, input, append) if t is not None] if n else [input]
    x = cat(parts, dim) if len(parts) > 1 else input
    dim = wrap_dim(dim, x._array.ndim)
    subtract = ne if x._array.dtype.kind == "b" else sub
    for _ in range(min(n, x._array.shape[dim])):
        size = x._array.shape[dim]
        x = subtract(
            at(SLICE, x, _along(dim, slice(1, None))), at(SLICE, x, _along(dim, slice(0, size - 1)))
        )
    return _written(out, x)


# --- search and counts: results without gradient ----------------------------------------


@function(method=True)
def nonzero(input, *, as_tuple=False, out=None):
    """The indices of the elements that are not zero: one row for each.

    With ``as_tuple`` one vector per dimension, which can be used as an index.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[0, 5], [7, 0]]).nonzero()
    tensor([[0, 1],
            [1, 0]])
    """
    x = array_of("nonzero", input)
    if as_tuple:
        return tuple(wrap(i) for i in np.atleast_1d(x).nonzero())
    return _written(out, wrap(np.argwhere(x)))


@function(method=True)
def argwhere(input):
    """The indices of the elements that are not zero, as rows; see :func:`nonzero`.

    >>> import tensorgrad
    >>> tensorgrad.tensor([0, 5, 7]).argwhere()
    tensor([[1],
            [2]])
    """
    return nonzero(input)


def _tuple_of(results, wanted):
    """The wanted arrays as tensors; a single one by itself."""
    chosen = tuple(wrap(r) for r, want in zip(results, wanted, strict=True) if want)
    return chosen[0] if len(chosen) == 1 else chosen


@function(method=True)
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The different elements (or slices along ``dim``) in increasing order.

    Returns them alone, or a tuple with, where asked for, the place of each element of
    ``input`` among them and how often each occurs. Each nan is different from every other.
    The result has no gradient.

    >>> import tensorgrad
    >>> tensorgrad.unique(tensorgrad.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    x = array_of("unique", input)
    axis = None if dim is None else wrap_dim(dim, x.ndim)
    values, inverse, counts = np.unique(
        x, return_inverse=True, return_counts=True, axis=axis, equal_nan=False
    )
    inverse = inverse.reshape(x.shape if axis is None else -1)
    return _tuple_of((values, inverse, counts), (True, return_inverse, return_counts))


@function(method=True)
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The elements (or slices along ``dim``) that differ from the one before.

    Returns as :func:`unique`. The result has no gradient.

    >>> import tensorgrad
    >>> tensorgrad.unique_consecutive(tensorgrad.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    x = array_of("unique_consecutive", input)
    slices = x.reshape(-1) if dim is None else np.moveaxis(x, wrap_dim(dim, x.ndim), 0)
    new = np.ones(len(slices), bool)
    if len(slices) > 1:
        new[1:] = (slices[1:] != slices[:-1]).reshape(len(slices) - 1, -1).any(1)
    starts = np.flatnonzero(new)
    counts = np.diff(starts, append=len(slices))
    inverse = np.cumsum(new) - 1
    if dim is None:
        values, inverse = slices[new], inverse.reshape(x.shape)
    else:
        values = np.ascontiguousarray(np.moveaxis(slices[new], 0, wrap_dim(dim, x.ndim)))
    return _tuple_of((values, inverse, counts), (True, return_inverse, return_counts))


@function
def searchsorted(
    sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None, out=None
):
    """Where each element of ``input`` would be inserted to keep the order.

    The sequence is 1-d, or has one row for each row of ``input``, sorted along the last
    dimension (or by ``sorter``, indices that sort it). On equality the place is before, with
    ``right`` (or ``side="right"``) after.

    Raises:
        RuntimeError: the rows do not match, or ``side`` contradicts ``right``.

    >>> import tensorgrad
    >>> tensorgrad.searchsorted(tensorgrad.tensor([1, 3, 5]), tensorgrad.tensor([3, 6]))
    tensor([1, 3])
    """
    rows = array_of("searchsorted", sorted_sequence)
    values = array_of("searchsorted", input) if not _is_number(input) else np.asarray(input)
    if side not in (None, "left", "right"):
        raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right', got {side}")
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left "
            "while right was True"
        )
    side = side or ("right" if right else "left")
    if sorter is not None:
        rows = np.take_along_axis(rows, array_of("searchsorted", sorter), -1)
    if rows.ndim == 1:
        found = np.searchsorted(rows, values, side)
    elif rows.ndim and rows.shape[:-1] == values.shape[:-1] and values.ndim:
        pairs = zip(
            rows.reshape(-1, rows.shape[-1]), values.reshape(-1, values.shape[-1]), strict=True
        )
        found = np.array([np.searchsorted(r, v, side) for r, v in pairs]).reshape(values.shape)
    else:
        raise ShapeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            "dimensions of boundaries tensor and input value tensor must match, but we got "
            f"{list(rows.shape)} and {list(values.shape)}"
        )
    return _written(out, wrap(asarray(found).astype(np.int32 if out_int32 else np.int64)))


def _is_number(x):
    return isinstance(x, bool | int | float)


@function
def bucketize(input, boundaries, *, out_int32=False, right=False, out=None):
    """The number of the bucket between ``boundaries`` that holds each element of ``input``.

    Bucket i lies above boundary i-1 and up to boundary i, which belongs to it unless ``right``.

    Raises:
        RuntimeError: ``boundaries`` is not 1-d.

    >>> import tensorgrad
    >>> tensorgrad.bucketize(tensorgrad.tensor([0, 3, 9]), tensorgrad.tensor([1, 3, 5]))
    tensor([0, 1, 3])
    """
    if array_of("bucketize", boundaries).ndim != 1:
        raise ShapeError(
            f"boundaries tensor must be 1 dimension, but got dim({boundaries._array.ndim})"
        )
    return searchsorted(boundaries, input, out_int32=out_int32, right=right, out=out)


@function(method=True)
def bincount(input, weights=None, minlength=0):
    """How often each number occurs in a 1-d tensor of non-negative integers.

    With ``weights`` the sum of those instead: float32 for float32 weights, else float64. The
    result has at least ``minlength`` elements.

    Raises:
        RuntimeError: the input is not 1-d or negative, ``weights`` does not match,
            or ``minlength`` is negative.

    >>> import tensorgrad
    >>> tensorgrad.bincount(tensorgrad.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    x = array_of("bincount", input)
    if minlength < 0:
        raise ShapeError(f"minlength should be >= 0, got {minlength}")
    if x.dtype.kind not in "iu":
        raise NotImplementedError(f'"bincount_cpu" not implemented for {dtypes.of(x.dtype)}')
    if x.ndim != 1 or (x.size and x.min() < 0):
        raise ShapeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is None:
        return wrap(np.bincount(x, minlength=minlength).astype(np.int64))
    w = array_of("bincount", weights)
    if w.shape != x.shape:
        raise ShapeError(
            f"weights should be 1-d and have the same length as input, got {list(w.shape)} and "
            f"{list(x.shape)}"
        )
    counts = np.bincount(x, w, minlength)
    return wrap(counts.astype(np.float32) if w.dtype == np.float32 else counts)


@function(method=True)
def histc(input, bins=100, min=0, max=0, *, out=None):
    """How many elements lie in each of ``bins`` equal intervals from ``min`` to ``max``.

    When both are equal, from the least to the greatest element. The last interval includes
    its end; what lies outside is not counted. The result has no gradient.

    Raises:
        RuntimeError: ``bins`` is not positive, or ``max`` is less than ``min``.
        NotImplementedError: the dtype is not a floating-point one.

    >>> import tensorgrad
    >>> tensorgrad.histc(tensorgrad.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    x = array_of("histc", input).reshape(-1)
    if bins <= 0:
        raise ShapeError(f"bins must be > 0, got {bins}")
    if x.dtype.kind != "f":
        raise NotImplementedError(f'"histogram_cpu" not implemented for {dtypes.of(x.dtype)}')
    low, high = x.dtype.type(min), x.dtype.type(max)
    if low == high and x.size:
        low, high = x.min(), x.max()
    if low == high:
        low, high = low - 1, high + 1
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(f"torch.histc: max must be larger than min, got {max} and {min}")
    x = x[(x >= low) & (x <= high)]
    place = ((x - low) / (high - low) * bins).astype(np.int64)
    counts = np.bincount(np.minimum(place, bins - 1), minlength=bins)
    return _written(out, wrap(counts.astype(low.dtype)))


@function
def isin(elements, test_elements, *, assume_unique=False, invert=False, out=None):
    """Whether each element occurs among ``test_elements``; either may be a number.

    >>> import tensorgrad
    >>> tensorgrad.isin(tensorgrad.tensor([1, 2, 3]), tensorgrad.tensor([2, 5]))
    tensor([False,  True, False])
    """
    a, b = (
        np.asarray(x) if _is_number(x) else array_of("isin", x) for x in (elements, test_elements)
    )
    found = np.isin(a, b, assume_unique=assume_unique, invert=invert)
    return _written(out, wrap(asarray(found).reshape(a.shape)))


@function
def one_hot(tensor, num_classes=-1):
    """A 1 at the place of each class number, 0 elsewhere, along a new last dimension; int64.

    ``num_classes`` is one more than the greatest number by default.

    Raises:
        RuntimeError: not integers, a class is negative or not below ``num_classes``, or the
            tensor is empty and ``num_classes`` left out.

    >>> import tensorgrad
    >>> tensorgrad.one_hot(tensorgrad.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    x = array_of("one_hot", tensor)
    if x.dtype != np.int64:
        raise DtypeError(
            f"one_hot is only applicable to index tensor of type LongTensor, got {x.dtype}"
        )
    if not x.size and num_classes <= 0:
        raise ShapeError("Can not infer total number of classes from empty tensor.")
    if x.size and x.min() < 0:
        raise ShapeError(f"Class values must be non-negative, got {x.min()}.")
    n = int(x.max()) + 1 if num_classes == -1 else num_classes
    if x.size and x.max() >= n:
        raise ShapeError(f"Class values must be smaller than num_classes: {x.max()} >= {n}.")
    out = np.zeros((x.size, n), np.int64)
    out[np.arange(x.size), x.reshape(-1)] = 1
    return wrap(out.reshape(*x.shape, n))


def _triangle(name, find):
    def indices(row, col, offset=0, *, dtype=None, device=None, layout=None):
        own = np.dtype("int64") if dtype is None else dtypes.to_numpy(dtype)
        if row < 0 or col < 0:
            raise ShapeError(f"{name}: row and col must be non-negative, got {row} and {col}")
        return wrap(np.stack(find(row, offset, col)).astype(own))

    indices.__name__ = indices.__qualname__ = f"{name}_indices"
    indices.__doc__ = f"""Rows and columns of the elements that :func:`{name}` keeps, as two rows.

    ``row`` and ``col`` are the sizes of the matrix, ``offset`` the diagonal.

    >>> import tensorgrad
    >>> tensorgrad.{name}_indices(2, 2).shape
    torch.Size([2, 3])
    """
    return function(indices)


tril_indices, triu_indices = _triangle("tril", np.tril_indices), _triangle("triu", np.triu_indices)


@function
def unravel_index(indices, shape):
    """The coordinates, one tensor per dimension, of flat ``indices`` into an array of ``shape``.

    Raises:
        ValueError: an index is negative or too large (PyTorch wraps those around).

    >>> import tensorgrad
    >>> tensorgrad.unravel_index(tensorgrad.tensor([4, 5]), (2, 3))
    (tensor([1, 1]), tensor([1, 2]))
    """
    i = array_of("unravel_index", indices)
    if i.dtype.kind not in "iu":
        raise DtypeError(f"unravel_index: expected integers for indices, got {i.dtype}")
    sizes = integers("unravel_index", "shape", (shape,))
    return tuple(wrap(asarray(c)) for c in np.unravel_index(i, sizes))


@function
def combinations(input, r=2, with_replacement=False):
    """All ways to choose ``r`` elements of a 1-d tensor in their order, one in each row.

    Raises:
        RuntimeError: the tensor is not 1-d, or ``r`` is negative.

    >>> import tensorgrad
    >>> tensorgrad.combinations(tensorgrad.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    x = array_of("combinations", input)
    if x.ndim != 1 or r < 0:
        raise ShapeError(f"combinations: expected a 1-d tensor and r >= 0, got {x.ndim}-d and {r}")
    if r == 0:
        return wrap(np.empty(0, x.dtype))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(x.size), r)), np.int64).reshape(-1, r)
    return reshape(index_select(input, 0, rows.reshape(-1)), rows.shape)


# --- in-place writes of ops declared before -----------------------------------------------


@writer(zero)
def _zero_into(out):
    out[...] = 0


@writer(fill)
def _fill_into(out, value):
    if getattr(value, "ndim", 0):
        fill.op.forward(out, value)  # raises, and says why
    out[...] = value


@writer(copy)
def _copy_into(out, source, *, non_blocking):
    if getattr(source, "ndim", 0) > out.ndim:
        raise ShapeError(
            f"copy_: output with shape {list(out.shape)} doesn't match the broadcast shape "
            f"{list(source.shape)}"
        )
    np.copyto(out, source, casting="unsafe")


@writer(masked_fill)
def _masked_fill_into(out, mask, value):
    if mask.dtype.kind != "b" or getattr(value, "ndim", 0):
        masked_fill.op.forward(out, mask, value)  # raises, and says why
    np.copyto(out, value, where=mask, casting="unsafe")
