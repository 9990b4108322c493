"""Movement of elements: reshape, permute, expand, slice, join, pad.

Where PyTorch returns a view these do too: the result shares memory with its source, and a
write to either is seen, and recorded, by both (see :mod:`tensorgrad._inplace`). The public
functions of the frequent views are written out by hand, a NumPy call and :func:`hang`,
because binding arguments in general costs more than the rest of them.

The vjps close over a few families: reshape; permute; broadcast_to and sum_to; basic_index
and put; constant_pad with itself; diagonal and diagonal_put; unfold and overlap_add.
"""

from __future__ import annotations

import itertools
import math
import operator
import warnings

import numpy as np

from .. import _graph, dtypes
from .._graph import (
    LEAF,
    Node,
    Part,
    Tensor,
    asarray,
    edge_of,
    ndarray,
    owner_of,
    record,
    wrap,
)
from .._inplace import become, set_data, view_put
from .._registry import FUNCTIONS, METHODS, alias, function, link_view, note_view, op
from ..errors import DimError, DtypeError, ShapeError
from ..kernels.sums import total


def method(definition):
    """Publish ``definition`` as a method of Tensor alone, where PyTorch has no function."""
    METHODS[definition.__name__] = definition
    return definition


# --- arguments --------------------------------------------------------------------------


def array_of(name: str, input) -> ndarray:
    """The array of a Tensor; an array or NumPy number as it is.

    Raises:
        TypeError: ``input`` is none of them.
    """
    if isinstance(input, Tensor):
        return input._array
    if isinstance(input, ndarray | np.generic):
        return asarray(input)
    raise TypeError(f"{name}(): argument 'input' must be Tensor, not {type(input).__name__}")


def integers(name: str, key: str, given: tuple, named=None) -> tuple:
    """The integers meant by ``*given``, one by one or one sequence, or ``named`` by a keyword.

    Raises:
        TypeError: none given, given twice, or not integers.
    """
    if named is not None:
        given = _once(name, key, given, named)
    elif not given:
        raise TypeError(f'{name}() missing 1 required positional argument: "{key}"')
    if len(given) == 1 and isinstance(given[0], tuple | list):
        given = given[0]
    try:
        return tuple(map(operator.index, given))
    except TypeError:
        got = ", ".join(type(value).__name__ for value in given)
        raise TypeError(
            f"{name}(): argument {key!r} must be integers or one tuple of them, got {got}"
        ) from None


def _once(name, key, given, named):
    if given:
        raise TypeError(f"{name}() got multiple values for argument {key!r}")
    return (named,)


def wrap_dim(dim, ndim: int) -> int:
    """``dim`` counted from the front; a 0-d tensor has one, as in PyTorch.

    Raises:
        IndexError: it is outside ``[-ndim, ndim)``.
    """
    n = ndim or 1
    dim = operator.index(dim)
    if not -n <= dim < n:
        raise DimError(
            f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
        )
    return dim % n


def wrap_dims(name: str, dims, ndim: int) -> tuple:
    """``dims`` (an integer or a sequence), each counted from the front.

    Raises:
        IndexError: one is outside the range.
        RuntimeError: one appears twice.
    """
    dims = tuple(dims) if isinstance(dims, tuple | list) else (dims,)
    dims = tuple(wrap_dim(d, ndim) for d in dims)
    if len(set(dims)) != len(dims):
        twice = next(d for d in dims if dims.count(d) > 1)
        raise ShapeError(f"{name}(): dim {twice} appears multiple times in the list of dims")
    return dims


def _along(dim: int, item) -> tuple:
    """The index that is ``item`` in dimension ``dim``."""
    return (*((slice(None),) * dim), item)


def hang(viewer, source: Tensor, out: ndarray, attrs: dict) -> Tensor:
    """The Tensor for ``out``, which the view op ``viewer`` made of ``source``: recorded, linked.

    What :func:`record` and :func:`link_view` do, in one body: calls are a third of the time.
    """
    edge, chain = source._edge, source._chain
    if _graph.special or chain is None:
        result = wrap(out)
        if edge is not None:
            parents, env = (edge_of(source),), (source._array, out)
            result = record(viewer, 1, parents, env, attrs, out)
        link_view(result, source, viewer, attrs)
        return result
    if edge is not None:
        plan = viewer.plans.get(1) or viewer.compile(1)
        parents = (source if edge is LEAF else edge,)
        edge = Node(plan, parents, plan.keep((source._array, out)), attrs, out.shape)
    result = wrap(out, edge)
    base = source._base
    result._base = base = source if base is None else base
    result._chain = chain + ((viewer, attrs),)  # noqa: RUF005 - a star takes twice as long
    note_view(base, result)
    return result


# --- broadcasting -----------------------------------------------------------------------


def strided(array: ndarray, shape, strides) -> ndarray:
    """A writable view of ``array`` with another shape and other strides, in bytes.

    ``np.lib.stride_tricks`` does the same in ten times the time.
    """
    if array.flags.c_contiguous:
        return ndarray(shape, array.dtype, array, 0, strides)
    owner = owner_of(array)
    memory = owner if owner.flags.c_contiguous else owner.T
    if not memory.flags.c_contiguous:  # a foreign buffer with gaps
        return np.lib.stride_tricks.as_strided(array, shape, strides)
    offset = _address(array) - _address(memory)
    return ndarray(shape, array.dtype, memory, offset, strides)


def _address(array):
    return array.__array_interface__["data"][0]


def _stretch(array, shape):
    """``array`` broadcast to ``shape``, as a view; five times as fast as ``np.broadcast_to``."""
    lead = len(shape) - array.ndim
    if lead < 0:
        raise ShapeError(
            f"expand(size={list(shape)}): the number of sizes provided ({len(shape)}) must be "
            f"greater or equal to the number of dimensions in the tensor ({array.ndim})"
        )
    strides = [0] * lead
    for have, want, stride in zip(array.shape, shape[lead:], array.strides, strict=True):
        if have != want and have != 1:
            raise ShapeError(
                f"The expanded size of the tensor ({want}) must match the existing size ({have}) "
                f"at non-singleton dimension {len(strides)}.  Target sizes: {list(shape)}.  "
                f"Tensor sizes: {list(array.shape)}"
            )
        strides.append(stride if have == want else 0)
    return strided(array, shape, strides)


@op(name="expand", view=True, public=False, method=False)
def _expand(x, *, shape):
    """``x`` with axes of size one, and new leading ones, repeated up to ``shape``."""
    return _stretch(asarray(x), shape)


_expand.vjp(x=lambda g: g)  # the engine sums g back to x's shape


@op(name="sum_to", public=False, method=False, grad_name="SumBackward1")
def _sum_to(x, *, shape):
    """Sum ``x`` over the axes that broadcasting added or stretched."""
    x = asarray(x)
    lead = x.ndim - len(shape)
    axes = [i for i in range(lead, x.ndim) if shape[i - lead] == 1 != x.shape[i]]
    out = total(x, (*range(lead), *axes))
    return out.reshape(shape) if axes else out


def sum_to(x, *, shape):
    """Undo broadcasting: sum ``x`` over the axes that were added to ``shape`` or stretched."""
    if type(x) is ndarray and x.ndim == 2 and len(shape) == 1 and shape[0] == x.shape[1]:
        return total(x, 0)  # the gradient of a bias
    if isinstance(x, Tensor):
        return _sum_to.op.apply((x,), {"shape": shape})
    return _sum_to.op.forward(x, shape=shape)


_sum_to.vjp(x=lambda g, x_shape: broadcast_to(g, x_shape))
_graph.sum_to = sum_to


@method
def sum_to_size(input, *sizes, size=None):
    """``input`` summed to ``size``, to which it could have been broadcast from.

    Raises:
        RuntimeError: ``size`` does not broadcast to the shape of ``input``.

    >>> import tensorgrad
    >>> tensorgrad.ones(2, 3).sum_to_size(3)
    tensor([2., 2., 2.])
    """
    array = array_of("sum_to_size", input)
    shape = integers("sum_to_size", "size", sizes, size)
    lead = array.ndim - len(shape)
    if lead < 0 or any(
        n not in (1, m) for n, m in zip(shape, array.shape[max(lead, 0) :], strict=True)
    ):
        raise ShapeError(f"size {list(shape)} is not expandable to size {list(array.shape)}.")
    return reshape(input, shape) if shape == array.shape else sum_to(input, shape=shape)


@method
def expand(input, *sizes, size=None):
    """A view with axes of size one, and new leading ones, repeated without copying.

    The new shape is given as integers, one sequence, or by the name ``size``; -1 keeps a size.
    A write into the result, whose elements share memory, raises RuntimeError; clone() it first.

    Raises:
        RuntimeError: a size differs from an existing one that is not 1, or is -1 on a new axis.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1.0], [2.0]]).expand(-1, 3)
    tensor([[1., 1., 1.],
            [2., 2., 2.]])
    """
    array = array_of("expand", input)
    size = integers("expand", "size", sizes, size)
    if -1 in size:
        size = _keep_sizes(size, array.shape)
    if not isinstance(input, Tensor):
        return _stretch(array, size)
    return hang(_expand.op, input, _stretch(array, size), {"shape": size})


def _keep_sizes(size, shape):
    """``size`` with each -1 replaced by what ``shape`` has there."""
    lead = len(size) - len(shape)
    if -1 in size[: max(lead, 0)]:
        raise ShapeError(
            "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing "
            f"dimension {size.index(-1)}"
        )
    return tuple(shape[i - lead] if n == -1 else n for i, n in enumerate(size))


@function(method=True)
def broadcast_to(input, size=None, *, shape=None):
    """The same as :func:`expand`, with the shape as one sequence.

    >>> import tensorgrad
    >>> tensorgrad.broadcast_to(tensorgrad.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    size = shape if size is None else size
    if type(input) is ndarray:  # every gradient of a sum comes through here
        return _stretch(input, size)
    return expand(input, size)


@method
def expand_as(input, other):
    """``input`` expanded to the shape of ``other``; see :func:`expand`.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0]).expand_as(tensorgrad.zeros(3))
    tensor([1., 1., 1.])
    """
    return expand(input, array_of("expand_as", other).shape)


@function
def broadcast_shapes(*shapes):
    """The shape that tensors of these shapes (or sizes) broadcast to.

    Raises:
        RuntimeError: they do not broadcast.

    >>> import tensorgrad
    >>> tensorgrad.broadcast_shapes((2, 1), (3,))
    torch.Size([2, 3])
    """
    from .._tensor import Size

    shapes = [tuple(s) if isinstance(s, tuple | list) else (operator.index(s),) for s in shapes]
    try:
        return Size(np.broadcast_shapes(*shapes))
    except ValueError as error:
        raise ShapeError(f"Shapes {shapes} cannot be broadcast to one: {error}") from error


@function
def broadcast_tensors(*tensors):
    """The tensors as views of one common shape.

    Raises:
        RuntimeError: their shapes do not broadcast.

    >>> import tensorgrad
    >>> a, b = tensorgrad.broadcast_tensors(tensorgrad.ones(2, 1), tensorgrad.ones(3))
    >>> a.shape, b.shape
    (torch.Size([2, 3]), torch.Size([2, 3]))
    """
    tensors = _listed("broadcast_tensors", tensors)
    shape = tuple(broadcast_shapes(*[t._array.shape for t in tensors]))
    return tuple(expand(t, shape) for t in tensors)


def _listed(name, tensors):
    """The tensors in ``*tensors``, which may be one sequence of them."""
    if len(tensors) == 1 and isinstance(tensors[0], tuple | list):
        tensors = tensors[0]
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor | ndarray):
            raise TypeError(f"{name}(): expected Tensor as element {i}, got {type(t).__name__}")
    return tuple(tensors)


# --- reshape ----------------------------------------------------------------------------


@op(name="reshape", view=True, public=False, method=False, grad_name="ViewBackward0")
def _reshape(x, *, shape):
    """The elements of ``x`` in row-major order under another shape; a view where possible."""
    return asarray(x).reshape(shape)


_reshape.vjp(x=lambda g, x_shape: reshape(g, x_shape))


def _exactly(array, sizes):
    """``array.reshape(*sizes)``, or None if that fails, or is not just what was asked for."""
    try:
        out = array.reshape(*sizes)
    except (ValueError, TypeError):
        return None
    return out if out.shape == sizes or out.shape == sizes[0] else None


def _reshaped(name, array, sizes):
    """``array.reshape(sizes)``, with PyTorch's checks and messages."""
    if sizes and min(sizes) < -1:
        wrong = next(n for n in sizes if n < -1)
        raise ShapeError(
            f"{name}: invalid shape dimension {wrong} at index {sizes.index(wrong)} of shape "
            f"{list(sizes)}"
        )
    try:
        return array.reshape(sizes)
    except ValueError:
        pass
    if sizes.count(-1) > 1:
        raise ShapeError(f"{name}: only one dimension can be inferred, got shape {list(sizes)}")
    if array.size == 0 and -1 in sizes and math.prod(sizes) == 0:
        raise ShapeError(
            f"{name}: cannot reshape tensor of 0 elements into shape {list(sizes)} because the "
            "unspecified dimension size -1 can be any value and is ambiguous"
        )
    raise ShapeError(
        f"{name}: shape '{list(sizes)}' is invalid for input of size {array.size} "
        f"(shape {list(array.shape)})"
    )


@function(method=True)
def reshape(input, *sizes, shape=None):
    """The elements in row-major order under another shape.

    The sizes are given as integers, one sequence, or by the name ``shape``; one may be -1 and
    is inferred. A view where the memory layout allows, otherwise a copy.

    Raises:
        RuntimeError: the number of elements differs.

    >>> import tensorgrad
    >>> tensorgrad.arange(4).reshape(2, -1)
    tensor([[0, 1],
            [2, 3]])
    """
    if type(input) is ndarray and len(sizes) == 1:  # in a vjp
        return input.reshape(sizes[0])
    array = input._array if isinstance(input, Tensor) else array_of("reshape", input)
    out = _exactly(array, sizes) if shape is None else None
    if out is None:
        out = _reshaped("reshape", array, integers("reshape", "shape", sizes, shape))
    if not isinstance(input, Tensor):
        return out
    attrs, base = {"shape": out.shape}, out.base
    if base is array or base is array.base:  # a view: a copy has itself for a base
        return hang(_reshape.op, input, out, attrs)
    if input._edge is None:
        return wrap(out)
    return record(_reshape.op, 1, (edge_of(input),), (array, out), attrs, out)


@method
def view(input, *sizes, size=None, dtype=None):
    """A view under another shape, or with the bytes read as another dtype; never a copy.

    The sizes are given as integers, one sequence, or by the name ``size``; one may be -1 and
    is inferred. A ``dtype`` in their place reinterprets the memory, which is not recorded.

    Raises:
        RuntimeError: the number of elements differs, or the layout of the memory does not
            allow the shape without a copy: use :func:`reshape`.

    >>> import tensorgrad
    >>> x = tensorgrad.zeros(4)
    >>> x.view(2, 2)[0, 1] = 5
    >>> x
    tensor([0., 5., 0., 0.])
    """
    if len(sizes) == 1 and isinstance(sizes[0], dtypes.dtype | np.dtype):
        (dtype,) = sizes
    if dtype is not None:
        return _bitcast(input, dtypes.to_numpy(dtype))
    array = input._array
    out = _exactly(array, sizes) if size is None else None
    if out is None:
        out = _reshaped("view", array, integers("view", "size", sizes, size))
    if out.base is not array and out.base is not array.base:
        raise ShapeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            f"dimension spans across two contiguous subspaces): shape {list(array.shape)}, "
            f"strides {[s // array.itemsize for s in array.strides]}, asked for {list(out.shape)}. "
            "Use .reshape(...) instead."
        )
    return hang(_reshape.op, input, out, {"shape": out.shape})


def _bitcast(input, dtype):
    """The memory of ``input`` read as another dtype; the last axis grows or shrinks to fit."""
    array = input._array
    if array.dtype == dtype:
        return view(input, array.shape)
    ratio = dtype.itemsize / array.itemsize
    if ratio > 1 and (
        array.ndim == 0
        or array.shape[-1] % ratio
        or array.strides[-1] != array.itemsize
        or any(s % dtype.itemsize for s in array.strides[:-1])
    ):
        raise ShapeError(
            f"self.size(-1) must be divisible by {int(ratio)} to view {array.dtype} as {dtype} "
            f"(different element sizes), and so must the strides, but got shape "
            f"{list(array.shape)} and strides {[s // array.itemsize for s in array.strides]}"
        )
    if ratio < 1 and (array.ndim == 0 or array.strides[-1] != array.itemsize):
        raise ShapeError(
            f"self.stride(-1) must be 1 to view {array.dtype} as {dtype} (different element "
            f"sizes), but got shape {list(array.shape)}"
        )
    return wrap(array.view(dtype))


@method
def view_as(input, other):
    """A view in the shape of ``other``; see :func:`view`.

    >>> import tensorgrad
    >>> tensorgrad.arange(4).view_as(tensorgrad.zeros(2, 2)).shape
    torch.Size([2, 2])
    """
    return view(input, array_of("view_as", other).shape)


@method
def reshape_as(input, other):
    """``input`` in the shape of ``other``; see :func:`reshape`.

    >>> import tensorgrad
    >>> tensorgrad.arange(4).reshape_as(tensorgrad.zeros(2, 2)).shape
    torch.Size([2, 2])
    """
    return reshape(input, array_of("reshape_as", other).shape)


@function(method=True)
def flatten(input, start_dim=0, end_dim=-1):
    """The dimensions from ``start_dim`` to ``end_dim``, both included, made into one.

    ``input`` itself when there is nothing to flatten; a view where possible.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: ``start_dim`` comes after ``end_dim``.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 3, 4).flatten(1).shape
    torch.Size([2, 12])
    """
    shape = array_of("flatten", input).shape
    first, last = wrap_dim(start_dim, len(shape)), wrap_dim(end_dim, len(shape))
    if first > last:
        raise ShapeError(
            "flatten() has invalid args: start_dim cannot come after end_dim, got "
            f"{start_dim} and {end_dim} for shape {list(shape)}"
        )
    if not shape:
        return reshape(input, (1,))
    if first == last:
        return input
    middle = math.prod(shape[first : last + 1])
    return reshape(input, (*shape[:first], middle, *shape[last + 1 :]))


@function(method=True)
def ravel(input):
    """All elements in one dimension; a view where possible.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 3).ravel().shape
    torch.Size([6])
    """
    return flatten(input)


@function(method=True)
def unflatten(input, dim, sizes):
    """Dimension ``dim`` split into ``sizes``, one of which may be -1.

    Raises:
        IndexError: ``dim`` is out of range.
        RuntimeError: the sizes do not multiply to that of the dimension.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 12).unflatten(1, (3, -1)).shape
    torch.Size([2, 3, 4])
    """
    shape = array_of("unflatten", input).shape
    dim = wrap_dim(dim, len(shape))
    sizes = integers("unflatten", "sizes", (sizes,))
    known = math.prod(n for n in sizes if n != -1)
    if -1 in sizes and known and shape[dim] % known == 0:
        sizes = tuple(shape[dim] // known if n == -1 else n for n in sizes)
    if math.prod(sizes) != shape[dim]:
        raise ShapeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} "
            f"({shape[dim]}) in the input tensor"
        )
    return reshape(input, (*shape[:dim], *sizes, *shape[dim + 1 :]))


# --- squeeze and unsqueeze --------------------------------------------------------------


def _squeezer(name, grad_name):
    @op(name=name, view=True, public=False, method=False, grad_name=grad_name)
    def squeeze(x, *, dim):
        """``x`` without those of the dimensions ``dim`` that have size one."""
        return x.reshape([n for i, n in enumerate(x.shape) if n != 1 or i not in dim])

    squeeze.vjp(x=lambda g, x_shape: reshape(g, x_shape))
    return squeeze.op


# PyTorch numbers the nodes by the form of the call: all, one, or several dimensions.
_SQUEEZE = {
    type(None): _squeezer("squeeze", "SqueezeBackward0"),
    int: _squeezer("squeeze_dim", "SqueezeBackward1"),
    tuple: _squeezer("squeeze_dims", "SqueezeBackward2"),
}


@function(method=True)
def squeeze(input, dim=None):
    """A view without the dimensions of size one: all, or those given by ``dim``.

    Args:
        input: the tensor.
        dim: an integer or a tuple of them; dimensions of another size are left alone.

    Raises:
        IndexError: a dimension is out of range.

    >>> import tensorgrad
    >>> tensorgrad.zeros(1, 2, 1).squeeze().shape
    torch.Size([2])
    """
    array = array_of("squeeze", input)
    ndim = array.ndim
    dims = tuple(range(ndim)) if dim is None else wrap_dims("squeeze", dim, ndim)
    if not isinstance(input, Tensor):
        return _SQUEEZE[tuple].forward(array, dim=dims)
    kind = _SQUEEZE.get(type(dim), _SQUEEZE[tuple])
    return hang(kind, input, kind.forward(array, dim=dims), {"dim": dims})


@op(name="unsqueeze", view=True, public=False, method=False)
def _unsqueeze(x, *, dim):
    """``x`` with a new dimension of size one at ``dim``."""
    return x[_along(dim % (x.ndim + 1), None)]


_unsqueeze.vjp(x=lambda g, x_shape: reshape(g, x_shape))


@function(method=True)
def unsqueeze(input, dim):
    """A view with a new dimension of size one, which is dimension ``dim`` of the result.

    Raises:
        IndexError: ``dim`` is out of range.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2]).unsqueeze(-1)
    tensor([[1],
            [2]])
    """
    array = input._array if isinstance(input, Tensor) else array_of("unsqueeze", input)
    dim = wrap_dim(dim, array.ndim + 1)
    out = array[_along(dim, None)]
    return hang(_unsqueeze.op, input, out, {"dim": dim}) if isinstance(input, Tensor) else out


# --- permute ----------------------------------------------------------------------------


@op(name="transpose", view=True, public=False, method=False)
def _transpose(x, *, dim0, dim1):
    """``x`` with two dimensions exchanged; a 0-d array as it is."""
    return x.swapaxes(dim0, dim1) if x.ndim else x[...]


_transpose.vjp(x=lambda g, *, dim0, dim1: transpose(g, dim0, dim1))


@function(method=True)
def transpose(input, dim0, dim1):
    """A view with dimensions ``dim0`` and ``dim1`` exchanged.

    Raises:
        IndexError: a dimension is out of range.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 3, 4).transpose(0, -1).shape
    torch.Size([4, 3, 2])
    """
    array = input._array if isinstance(input, Tensor) else array_of("transpose", input)
    try:
        out = array.swapaxes(dim0, dim1)
    except (ValueError, TypeError):
        dim0, dim1 = wrap_dim(dim0, array.ndim), wrap_dim(dim1, array.ndim)
        out = _transpose.op.forward(array, dim0=dim0, dim1=dim1)
    if not isinstance(input, Tensor):
        return out
    return hang(_transpose.op, input, out, {"dim0": dim0, "dim1": dim1})


@function(method=True)
def swapaxes(input, axis0, axis1):
    """The same as :func:`transpose`, under NumPy's name.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 3).swapaxes(0, 1).shape
    torch.Size([3, 2])
    """
    return transpose(input, axis0, axis1)


@function(method=True)
def swapdims(input, dim0, dim1):
    """The same as :func:`transpose`.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 3).swapdims(0, 1).shape
    torch.Size([3, 2])
    """
    return transpose(input, dim0, dim1)


@op(name="t", view=True, public=False, method=False)
def _t(x):
    """The transpose of a matrix."""
    return x.T


_t.vjp(x=lambda g: transpose(g, 0, -1) if len(g.shape) == 2 else g)


@function(method=True)
def t(input):
    """A view of a matrix with its two dimensions exchanged; 0-d and 1-d tensors as they are.

    Raises:
        RuntimeError: there are more than two dimensions.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 3).t().shape
    torch.Size([3, 2])
    """
    array = array_of("t", input)
    if array.ndim > 2:
        raise ShapeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {array.ndim}D; "
            "use transpose() or permute()"
        )
    return hang(_t.op, input, array.T, {}) if isinstance(input, Tensor) else array.T


@op(name="permute", view=True, public=False, method=False)
def _permute(x, *, dims):
    """``x`` with its dimensions in the order ``dims``."""
    return x.transpose(dims)


_permute.vjp(x=lambda g, *, dims: permute(g, _inverse(dims)))


def _inverse(dims):
    inverse = [0] * len(dims)
    for i, d in enumerate(dims):
        inverse[d] = i
    return tuple(inverse)


@function(method=True)
def permute(input, *order, dims=None):
    """A view with the dimensions in another order.

    The order names every dimension once, as integers, one sequence, or by the name ``dims``.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: one is missing or appears twice.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 3, 4).permute(2, 0, 1).shape
    torch.Size([4, 2, 3])
    """
    array = array_of("permute", input)
    dims = integers("permute", "dims", order, dims)
    if len(dims) != array.ndim:
        raise ShapeError(
            "permute: number of dimensions in the tensor input does not match the length of the "
            f"desired ordering of dimensions i.e. input.dim() = {array.ndim} is not equal to "
            f"len(dims) = {len(dims)}"
        )
    if dims and array.ndim:
        dims = wrap_dims("permute", dims, array.ndim)
    out = array.transpose(dims)
    return hang(_permute.op, input, out, {"dims": dims}) if isinstance(input, Tensor) else out


@function(method=True)
def movedim(input, source, destination):
    """A view with the dimensions ``source`` moved to the places ``destination``.

    Both are integers or tuples of one length; the other dimensions keep their order.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: the lengths differ or a dimension appears twice.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 3, 4).movedim(0, -1).shape
    torch.Size([3, 4, 2])
    """
    ndim = array_of("movedim", input).ndim
    source = wrap_dims("movedim source", source, ndim)
    destination = wrap_dims("movedim destination", destination, ndim)
    if len(source) != len(destination):
        raise ShapeError(
            f"movedim: Invalid source or destination dims: source ({list(source)} dims) should "
            f"contain the same number of dims as destination ({list(destination)} dims)"
        )
    order = [d for d in range(ndim) if d not in source]
    for to, d in sorted(zip(destination, source, strict=True)):
        order.insert(to, d)
    return permute(input, order[:ndim])


alias(movedim, "moveaxis")


def _reversed_dims(self):
    """A view with all dimensions in reverse order: the transpose of a matrix."""
    array = self._array
    if array.ndim != 2:
        warnings.warn(
            f"The use of `x.T` on tensors of dimension other than 2 (here {array.ndim}) is "
            "deprecated; use `x.mT` for batches of matrices or `x.permute(...)`",
            UserWarning,
            stacklevel=2,
        )
    dims = tuple(range(array.ndim))[::-1]
    return hang(_permute.op, self, array.T, {"dims": dims})


@function(method=True)
def adjoint(input):
    """A view with the last two dimensions exchanged; complex numbers conjugated, in a copy.

    Raises:
        RuntimeError: there are fewer than two dimensions.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 3, 4).adjoint().shape
    torch.Size([2, 4, 3])
    """
    out = _matrix_transpose(input, "adjoint()")
    return _graph.conj(out) if out._array.dtype.kind == "c" else out


def _matrix_transpose(input, name="tensor.mT"):
    """A view with the last two dimensions exchanged."""
    if input._array.ndim < 2:
        raise ShapeError(
            f"{name} is only supported on matrices or batches of matrices. "
            f"Got {input._array.ndim}-D tensor."
        )
    return transpose(input, -2, -1)


def _conjugate_transpose(self):
    """The transpose of a matrix, complex numbers conjugated."""
    if self._array.ndim not in (0, 2):
        raise ShapeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {self._array.ndim}-D "
            "tensor. For batches of matrices, consider using tensor.mH"
        )
    return adjoint(self) if self._array.ndim else self


Tensor.T = property(_reversed_dims)
Tensor.mT = property(_matrix_transpose)
Tensor.H = property(_conjugate_transpose)
Tensor.mH = property(adjoint)


# --- basic indices ----------------------------------------------------------------------
#
# An index is a tuple of integers, slices, None and one Ellipsis, complete enough that NumPy
# returns an array and never a scalar.


def _indexer(name, grad_name):
    @op(name=name, view=True, public=False, method=False, grad_name=grad_name)
    def basic_index(x, *, index):
        """The view of ``x`` at a basic index."""
        return asarray(x)[index]

    basic_index.vjp(x=_put_part)
    return basic_index.op


def _put_part(g, x_shape, *, index):
    """The gradient of a basic index: zero outside of it."""
    return put(g, x_shape, index) if isinstance(g, Tensor) else Part(g, x_shape, index)


# One op under the names that PyTorch gives the nodes of its many forms.
SELECT = _indexer("select_view", "SelectBackward0")
SLICE = _indexer("slice_view", "SliceBackward0")
NEWAXIS = _indexer("newaxis_view", "UnsqueezeBackward0")
ALIAS = _indexer("alias_view", "AliasBackward0")
_SPLIT = _indexer("split_view", "SplitBackward0")
_UNBIND = _indexer("unbind_view", "UnbindBackward0")


def at(viewer, x, index):
    """``x`` at a basic ``index``, by one of the ops above."""
    if isinstance(x, Tensor):
        return hang(viewer, x, x._array[index], {"index": index})
    return x[index]


@op(name="put", public=False, method=False, grad_name="SelectBackward0")
def _put(x, *, shape, index):
    """Zeros of ``shape`` with ``x`` at a basic index: the adjoint of reading there."""
    out = np.zeros(shape, x.dtype)
    out[index] = x
    return out


_put.vjp(x=lambda g, *, index: at(SLICE, g, index))


def put(x, shape, index):
    """Zeros of ``shape`` with ``x`` at a basic index."""
    attrs = {"shape": shape, "index": index}
    return _put.op.apply((x,), attrs) if isinstance(x, Tensor) else _put.op.forward(x, **attrs)


@function(method=True)
def select(input, dim, index):
    """The view at ``index`` along ``dim``, which is left out of the result.

    Raises:
        IndexError: ``dim`` or ``index`` is out of range, or the tensor is 0-d.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1, 2], [3, 4]]).select(1, 0)
    tensor([1, 3])
    """
    shape = array_of("select", input).shape
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim, index = wrap_dim(dim, len(shape)), operator.index(index)
    if not -shape[dim] <= index < shape[dim]:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(shape)} at "
            f"dimension {dim}"
        )
    return at(SELECT, input, (*_along(dim, index), ...))


@function(method=True)
def narrow(input, dim, start, length):
    """The view of ``length`` elements along ``dim`` from ``start`` on.

    Raises:
        IndexError: ``dim`` or ``start`` is out of range.
        RuntimeError: the length is negative or leads beyond the end.

    >>> import tensorgrad
    >>> tensorgrad.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
    """
    shape = array_of("narrow", input).shape
    if not shape:
        raise ShapeError("narrow() cannot be applied to a 0-dim tensor.")
    dim, start, length = wrap_dim(dim, len(shape)), operator.index(start), operator.index(length)
    size = shape[dim]
    if length < 0:
        raise ShapeError(f"narrow(): length must be non-negative, got {length}.")
    if not -size <= start <= size:
        raise IndexError(
            f"start out of range (expected to be in range of [{-size}, {size}], but got {start})"
        )
    start = start + size if start < 0 else start
    if start + length > size:
        raise ShapeError(
            f"start ({start}) + length ({length}) exceeds dimension size ({size}) of dim {dim}"
        )
    return at(SLICE, input, _along(dim, slice(start, start + length)))


@function(method=True)
def split(tensor, split_size=None, dim=0, *, split_size_or_sections=None):
    """Views of ``split_size`` consecutive elements along ``dim`` each; the last may be smaller.

    ``split_size`` may be a list with the size of every piece. ``torch.split`` also takes it
    by the name ``split_size_or_sections``.

    Raises:
        IndexError: ``dim`` is out of range.
        RuntimeError: the size is negative, zero, or the sizes do not sum to the dimension's.

    >>> import tensorgrad
    >>> tensorgrad.arange(5).split(2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    split_size = split_size_or_sections if split_size is None else split_size
    shape = array_of("split", tensor).shape
    if not shape:
        raise ShapeError("split expects at least a 1-dimensional tensor")
    dim = wrap_dim(dim, len(shape))
    size = shape[dim]
    if isinstance(split_size, tuple | list):
        sizes = integers("split", "split_sizes", (split_size,))
        if sum(sizes) != size or any(n < 0 for n in sizes):
            raise ShapeError(
                f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's "
                f"size at dimension {dim}), but got split_sizes={list(sizes)}"
            )
        return _pieces(_SPLIT, tensor, dim, [0, *itertools.accumulate(sizes)])
    step = operator.index(split_size)
    if step < 0:
        raise ShapeError(f"split expects split_size be non-negative, but got split_size={step}")
    if step == 0 and size:
        raise ShapeError(
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {size}"
        )
    bounds = [*range(0, size, step or 1), size] if size else [0, 0]
    return _pieces(_SPLIT, tensor, dim, bounds)


def _pieces(viewer, tensor, dim, bounds):
    """The views between consecutive ``bounds`` along ``dim``."""
    lead, pairs = (slice(None),) * dim, itertools.pairwise(bounds)
    return tuple(at(viewer, tensor, (*lead, slice(start, stop))) for start, stop in pairs)


@method
def split_with_sizes(self, split_sizes, dim=0):
    """Views of the given sizes along ``dim``; see :func:`split`."""
    return split(self, list(split_sizes), dim)


@function(method=True)
def chunk(input, chunks, dim=0):
    """At most ``chunks`` views of equal size along ``dim``; the last may be smaller.

    Raises:
        RuntimeError: ``chunks`` is not positive.

    >>> import tensorgrad
    >>> tensorgrad.arange(5).chunk(2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if chunks < 1:
        raise ShapeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    shape = array_of("chunk", input).shape
    if not shape:
        raise ShapeError("chunk expects at least a 1-dimensional tensor")
    size = shape[wrap_dim(dim, len(shape))]
    return split(input, [0] * chunks if size == 0 else -(-size // chunks), dim)


@function(method=True)
def tensor_split(input, indices_or_sections=None, dim=0, *, indices=None, sections=None):
    """Views along ``dim``: ``n`` of nearly equal size, or split at the given indices.

    The number of pieces, or a sequence or 1-d tensor of the positions at which to split, may
    also be given by the names ``sections`` and ``indices``.

    Raises:
        RuntimeError: the number of sections is not positive.

    >>> import tensorgrad
    >>> tensorgrad.arange(5).tensor_split((1, 3))
    (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    given = [a for a in (indices_or_sections, indices, sections) if a is not None]
    if len(given) != 1:
        raise TypeError("tensor_split() takes either indices or sections")
    shape = array_of("tensor_split", input).shape
    if not shape:
        raise ShapeError("tensor_split expected at least a 1-dimensional tensor")
    dim = wrap_dim(dim, len(shape))
    size, where = shape[dim], given[0]
    where = where.tolist() if isinstance(where, Tensor | ndarray) else where
    if isinstance(where, tuple | list):
        stops = [*integers("tensor_split", "indices", (where,)), size]
        starts = [0, *stops[:-1]]
    else:
        n = operator.index(where)
        if n < 1:
            raise ShapeError(f"number of sections must be larger than 0, got {n}")
        sizes = [size // n + (i < size % n) for i in range(n)]
        stops = list(itertools.accumulate(sizes))
        starts = [0, *stops[:-1]]
    pieces = [slice(a, b) for a, b in zip(starts, stops, strict=True)]
    return tuple(at(SLICE, input, _along(dim, piece)) for piece in pieces)


def _split_along(name, dim, ndim):
    def split_fixed(input, indices_or_sections):
        have = array_of(name, input).ndim
        if have < ndim:
            raise ShapeError(
                f"torch.{name} requires a tensor with at least {ndim} dimension, but got a "
                f"tensor with {have} dimensions!"
            )
        along = 0 if have == 1 else dim
        n, size = indices_or_sections, input._array.shape[along]
        if not isinstance(n, tuple | list | Tensor) and (n < 1 or size % n):
            raise ShapeError(
                f"torch.{name} attempted to split along dimension {along}, but the size of the "
                f"dimension {size} is not divisible by the split_size {n}!"
            )
        return tensor_split(input, indices_or_sections, along)

    split_fixed.__name__ = split_fixed.__qualname__ = name
    split_fixed.__doc__ = f"""Views split along dimension {dim}; see :func:`tensor_split`.

    Raises:
        RuntimeError: too few dimensions, or the size is not divisible by the sections.

    >>> import tensorgrad
    >>> len(tensorgrad.zeros(2, 2, 2).{name}(2))
    2
    """
    return function(split_fixed, method=True)


hsplit = _split_along("hsplit", 1, 1)
vsplit = _split_along("vsplit", 0, 2)
dsplit = _split_along("dsplit", 2, 3)


@function(method=True)
def unbind(input, dim=0):
    """All views along ``dim``, which is left out of them; what iteration over a tensor gives.

    Raises:
        IndexError: ``dim`` is out of range, or the tensor is 0-d.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1, 2], [3, 4]]).unbind(1)
    (tensor([1, 3]), tensor([2, 4]))
    """
    shape = array_of("unbind", input).shape
    if not shape:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    dim = wrap_dim(dim, len(shape))
    lead = (slice(None),) * dim
    return tuple(at(_UNBIND, input, (*lead, i, ...)) for i in range(shape[dim]))


# --- functional writes into views -------------------------------------------------------


def _scattered(input, src, viewer, attrs):
    """A copy of ``input`` with the region that the view reads replaced by ``src``."""
    region = viewer.forward(array_of(viewer.name, input), **attrs)
    if region.shape != src._array.shape:
        raise ShapeError(
            f"expected src to have a size equal to the slice of self: src has "
            f"{list(src._array.shape)}, the slice {list(region.shape)}"
        )
    if src._array.dtype != input._array.dtype:
        raise DtypeError(
            f"expected self and src to have the same dtype, got {input._array.dtype} and "
            f"{src._array.dtype}"
        )
    return view_put.op.apply((input, src), {"chain": ((viewer, attrs),)})


@function(method=True)
def select_scatter(input, src, dim, index):
    """A copy of ``input`` with ``src`` at ``index`` along ``dim``.

    Raises:
        RuntimeError: ``src`` does not have the shape of ``input.select(dim, index)``.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 2).select_scatter(tensorgrad.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    dim = wrap_dim(dim, array_of("select_scatter", input).ndim)
    select(input, dim, index)  # checks the index
    return _scattered(input, src, SELECT, {"index": (*_along(dim, operator.index(index)), ...)})


@function(method=True)
def slice_scatter(input, src, dim=0, start=None, end=None, step=1, *, out=None):
    """A copy of ``input`` with ``src`` in ``start:end:step`` along ``dim``.

    Raises:
        RuntimeError: ``src`` does not have the shape of that slice.

    >>> import tensorgrad
    >>> tensorgrad.zeros(4).slice_scatter(tensorgrad.ones(2), 0, 1, 3)
    tensor([0., 1., 1., 0.])
    """
    dim = wrap_dim(dim, array_of("slice_scatter", input).ndim)
    attrs = {"index": _along(dim, slice(start, end, step))}
    return _written(out, _scattered(input, src, SLICE, attrs))


@function(method=True)
def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """A copy of ``input`` with ``src`` on the diagonal that :func:`diagonal` reads.

    Raises:
        RuntimeError: ``src`` does not have the shape of that diagonal.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 2).diagonal_scatter(tensorgrad.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    attrs = _diagonal_attrs(array_of("diagonal_scatter", input).ndim, offset, dim1, dim2)
    return _scattered(input, src, _diagonal.op, attrs)


# --- joining ----------------------------------------------------------------------------


@op(name="cat", types="promote", public=False, method=False)
def _cat(*tensors, dim):
    """Join ``tensors`` along ``dim``."""
    return np.concatenate(tensors, dim)


def _cat_vjp(g, tensors_shapes, *, dim, needs):
    lead, start, gradients = (slice(None),) * (dim % g.ndim), 0, []
    for i, shape in enumerate(tensors_shapes):
        stop = start + shape[dim]
        gradients.append(at(SLICE, g, (*lead, slice(start, stop))) if i in needs else None)
        start = stop
    return gradients


_cat.vjp(_cat_vjp)


def _alike(arrays):
    """Whether all have one dtype and number of dimensions, and none is empty."""
    dtype, ndim = arrays[0].dtype, arrays[0].ndim
    for a in arrays:
        if a.dtype is not dtype or a.ndim != ndim or not a.size:
            return False
    return True


def _record_join(joiner, tensors, arrays, attrs, out):
    """The result ``out`` of an op on many tensors, recorded if one of them is tracked."""
    mask, parents, boxed = 0, [], False
    for i, t in enumerate(tensors):
        if isinstance(t, Tensor):
            boxed = True
            if t._edge is not None:
                mask |= 1 << i
                parents.append(edge_of(t))
    if not mask:
        return wrap(out) if boxed else out
    return record(joiner, mask, tuple(parents), (arrays, out), attrs, out)


def _checked_cat(tensors, arrays, dim):
    """What :func:`cat` joins: legacy empty 1-d tensors left out; sizes and ``dim`` checked."""
    for i, a in enumerate(arrays):
        if a.ndim == 0:
            raise ShapeError(
                f"zero-dimensional tensor (at position {i}) cannot be concatenated; use stack()"
            )
    kept = [i for i, a in enumerate(arrays) if a.shape != (0,)] or [0]
    first = arrays[kept[0]]
    dim = wrap_dim(dim, first.ndim)
    for i in kept:
        shape = arrays[i].shape
        if len(shape) != first.ndim:
            raise ShapeError(
                f"Tensors must have same number of dimensions: got {first.ndim} and {len(shape)}"
            )
        for d, (n, m) in enumerate(zip(first.shape, shape, strict=True)):
            if n != m and d != dim:
                raise ShapeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size {n} "
                    f"but got size {m} for tensor number {i} in the list (dimension {d} of "
                    f"{list(shape)})."
                )
    return [tensors[i] for i in kept], dim


@function
def cat(tensors, dim=0, *, axis=None, out=None):
    """The tensors joined along the existing dimension ``dim``, in their common dtype.

    They may differ in size only along ``dim``; empty 1-d tensors are skipped.

    Raises:
        ValueError: there are no tensors.
        RuntimeError: other sizes differ, or a tensor is 0-d.
        IndexError: ``dim`` is out of range.

    >>> import tensorgrad
    >>> tensorgrad.cat([tensorgrad.tensor([1, 2]), tensorgrad.tensor([3])])
    tensor([1, 2, 3])
    """
    tensors, dim = _sequence("cat", tensors), dim if axis is None else axis
    arrays = [t._array if isinstance(t, Tensor) else t for t in tensors]
    if not _alike(arrays):
        tensors, dim = _checked_cat(tensors, arrays, dim)
        return _written(out, _cat.op.apply(tuple(tensors), {"dim": dim}))
    try:
        joined = np.concatenate(arrays, dim)
    except (ValueError, TypeError):
        _checked_cat(tensors, arrays, dim)
        raise
    attrs = {"dim": dim % joined.ndim}
    return _written(out, _record_join(_cat.op, tensors, arrays, attrs, joined))


alias(cat, "concat", "concatenate", method=False)


def _sequence(name, tensors):
    """``tensors`` as a list, checked to be a sequence of tensors, and not empty."""
    if not isinstance(tensors, tuple | list):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
            f"{type(tensors).__name__}"
        )
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor | ndarray):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(t).__name__}"
            )
    if not tensors:
        message = f"{name} expects a non-empty list of Tensors"
        raise ValueError(message) if name == "cat" else ShapeError(message)
    return list(tensors)


def _written(out, result):
    if out is None:
        return result
    from .._inplace import write_out

    return write_out(out, result)


@op(name="stack", types="promote", public=False, method=False)
def _stack(*tensors, dim):
    """Join ``tensors`` of one shape along a new dimension ``dim``."""
    new = _along(dim % (tensors[0].ndim + 1), None)
    return np.concatenate([t[new] for t in tensors], dim)


def _stack_vjp(g, *, dim, needs):
    lead = (slice(None),) * (dim % g.ndim)
    n = g.shape[dim]
    return [at(SELECT, g, (*lead, i, ...)) if i in needs else None for i in range(n)]


_stack.vjp(_stack_vjp)


@function
def stack(tensors, dim=0, *, axis=None, out=None):
    """Tensors of one shape joined along a new dimension ``dim`` of the result.

    Raises:
        RuntimeError: there are no tensors, or their shapes differ.
        IndexError: ``dim`` is out of range.

    >>> import tensorgrad
    >>> tensorgrad.stack([tensorgrad.tensor([1, 2]), tensorgrad.tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    tensors = _sequence("stack", tensors)
    arrays = [t._array if isinstance(t, Tensor) else t for t in tensors]
    shape = arrays[0].shape
    attrs = {"dim": wrap_dim(dim if axis is None else axis, len(shape) + 1)}
    for i, a in enumerate(arrays):
        if a.shape != shape:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 "
                f"and {list(a.shape)} at entry {i}"
            )
    if not _alike(arrays):
        return _written(out, _stack.op.apply(tuple(tensors), attrs))
    joined = _stack.op.forward(*arrays, **attrs)
    return _written(out, _record_join(_stack.op, tensors, arrays, attrs, joined))


def _at_least(name, n, grow):
    def atleast(*tensors):
        single = len(tensors) == 1 and isinstance(tensors[0], Tensor | ndarray)
        grown = tuple(map(grow, _listed(name, tensors)))
        return grown[0] if single else grown

    atleast.__name__ = atleast.__qualname__ = name
    atleast.__doc__ = f"""Views of the tensors with at least {n} dimension{"s" * (n > 1)}.

    Takes one tensor, several, or a sequence of them; returns a tensor for one, else a tuple.

    >>> import tensorgrad
    >>> tensorgrad.{name}(tensorgrad.tensor(1.0)).dim()
    {n}
    """
    return function(atleast)


def _grow_3d(x):
    if len(x.shape) < 2:
        x = _grow_2d(x)
    return unsqueeze(x, -1) if len(x.shape) == 2 else x


def _grow_2d(x):
    if len(x.shape) == 0:
        return reshape(x, (1, 1))
    return unsqueeze(x, 0) if len(x.shape) == 1 else x


atleast_1d = _at_least("atleast_1d", 1, lambda x: x if len(x.shape) else reshape(x, (1,)))
atleast_2d = _at_least("atleast_2d", 2, _grow_2d)
atleast_3d = _at_least("atleast_3d", 3, _grow_3d)


@function
def hstack(tensors, *, out=None):
    """Joined side by side: along the second dimension, or the first for 1-d tensors.

    >>> import tensorgrad
    >>> tensorgrad.hstack([tensorgrad.tensor([1]), tensorgrad.tensor([2, 3])])
    tensor([1, 2, 3])
    """
    tensors = [atleast_1d(t) for t in _sequence("hstack", tensors)]
    return cat(tensors, 0 if len(tensors[0].shape) == 1 else 1, out=out)


@function
def vstack(tensors, *, out=None):
    """Joined below each other: along the first dimension, 1-d tensors being rows.

    >>> import tensorgrad
    >>> tensorgrad.vstack([tensorgrad.tensor([1, 2]), tensorgrad.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return cat([atleast_2d(t) for t in _sequence("vstack", tensors)], 0, out=out)


alias(vstack, "row_stack", method=False)


@function
def dstack(tensors, *, out=None):
    """Joined along the third dimension, to which all are grown.

    >>> import tensorgrad
    >>> tensorgrad.dstack([tensorgrad.tensor([1, 2]), tensorgrad.tensor([3, 4])])
    tensor([[[1, 3],
             [2, 4]]])
    """
    return cat([atleast_3d(t) for t in _sequence("dstack", tensors)], 2, out=out)


@function
def column_stack(tensors, *, out=None):
    """Joined side by side, 0-d and 1-d tensors being columns.

    >>> import tensorgrad
    >>> tensorgrad.column_stack([tensorgrad.tensor([1, 2]), tensorgrad.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    columns = [
        reshape(t, (-1, 1)) if len(t.shape) < 2 else t for t in _sequence("column_stack", tensors)
    ]
    return cat(columns, 1, out=out)


@function
def block_diag(*tensors):
    """A matrix with the given matrices (or rows, or numbers) along its diagonal, zeros beside.

    >>> import tensorgrad
    >>> tensorgrad.block_diag(tensorgrad.tensor([[1, 2]]), tensorgrad.tensor([3]))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    blocks = [atleast_2d(t) for t in tensors]
    for i, b in enumerate(blocks):
        if len(b.shape) > 2:
            raise ShapeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. "
                f"Input {i} has {len(b.shape)} dimensions"
            )
    width, left, rows = sum(b.shape[1] for b in blocks), 0, []
    for b in blocks:
        rows.append(pad(b, (left, width - left - b.shape[1])))
        left += b.shape[1]
    return cat(rows)


# --- flip, roll, repeat -----------------------------------------------------------------


@op(name="flip", public=False, method=False)
def _flip(x, *, dims):
    """A copy of ``x`` in reverse order along ``dims``."""
    back = tuple(slice(None, None, -1 if d in dims else None) for d in range(x.ndim))
    return x[back].copy()


_flip.vjp(x=lambda g, *, dims: _flip(g, dims=dims))


@function(method=True)
def flip(input, *axes, dims=None):
    """A copy in reverse order along ``dims``, given as integers or one sequence.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: one appears twice.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1, 2], [3, 4]]).flip(0)
    tensor([[3, 4],
            [1, 2]])
    """
    dims = integers("flip", "dims", axes, dims)
    dims = wrap_dims("flip", dims, array_of("flip", input).ndim)
    return _flip.op.apply((input,), {"dims": dims})


@function(method=True)
def fliplr(input):
    """A copy with the columns (dimension 1) in reverse order.

    Raises:
        RuntimeError: there are fewer than two dimensions.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1, 2], [3, 4]]).fliplr()
    tensor([[2, 1],
            [4, 3]])
    """
    if array_of("fliplr", input).ndim < 2:
        raise ShapeError(f"fliplr: Input must be >= 2-d, got {input._array.ndim}-d.")
    return flip(input, 1)


@function(method=True)
def flipud(input):
    """A copy with the rows (dimension 0) in reverse order.

    Raises:
        RuntimeError: the tensor is 0-d.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2, 3]).flipud()
    tensor([3, 2, 1])
    """
    if array_of("flipud", input).ndim < 1:
        raise ShapeError("flipud: Input must be >= 1-d, got 0-d.")
    return flip(input, 0)


@op(name="roll", public=False, method=False)
def _roll(x, *, shifts, dims):
    """``x`` with its elements shifted around the ends of ``dims``."""
    return np.roll(x, shifts, dims)


_roll.vjp(
    x=lambda g, *, shifts, dims: _roll(g, shifts=tuple(-s for s in shifts), dims=dims),
)


@function(method=True)
def roll(input, shifts, dims=None):
    """A copy with the elements shifted along ``dims``; those leaving one end enter the other.

    Args:
        input: the tensor.
        shifts: an integer, or one for each of ``dims``.
        dims: an integer or a sequence; None rolls the flattened tensor.

    Raises:
        RuntimeError: the numbers of shifts and dimensions differ.

    >>> import tensorgrad
    >>> tensorgrad.arange(4).roll(1)
    tensor([3, 0, 1, 2])
    """
    array = array_of("roll", input)
    shifts = integers("roll", "shifts", (shifts,))
    given = () if dims is None else integers("roll", "dims", (dims,))
    if len(given) != len(shifts) and not (not given and len(shifts) == 1):
        raise ShapeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(given)}"
        )
    given = tuple(wrap_dim(d, array.ndim) for d in given)
    flat = not given or not array.ndim
    return _roll.op.apply((input,), {"shifts": shifts, "dims": None if flat else given})


@function(method=True)
def rot90(input, k=1, dims=(0, 1)):
    """A copy rotated by 90 degrees ``k`` times, from the first of ``dims`` to the second.

    Raises:
        RuntimeError: ``dims`` are not two different dimensions.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1, 2], [3, 4]]).rot90()
    tensor([[2, 4],
            [1, 3]])
    """
    if len(dims) != 2:
        raise ShapeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    ndim = array_of("rot90", input).ndim
    if ndim < 2:
        raise ShapeError(f"expected total dims >= 2, but got total dims = {ndim}")
    a, b = (wrap_dim(d, ndim) for d in dims)
    if a == b:
        raise ShapeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    if k % 2 == 0:
        return flip(input, (a, b) if k % 4 else ())
    turned = flip(input, b) if k % 4 == 1 else flip(input, a)
    return contiguous(transpose(turned, a, b))


@op(name="repeat", public=False, method=False)
def _repeat(x, *, repeats):
    """``x`` repeated ``repeats[i]`` times along dimension i."""
    return np.tile(x, repeats)


def _repeat_vjp(g, x_shape, *, repeats):
    shape = (1,) * (len(repeats) - len(x_shape)) + x_shape
    apart = [n for pair in zip(repeats, shape, strict=True) for n in pair]
    once = [n for size in shape for n in (1, size)]
    return reshape(sum_to(reshape(g, tuple(apart)), shape=tuple(once)), x_shape)


_repeat.vjp(x=_repeat_vjp)


@method
def repeat(input, *times, repeats=None):
    """A copy repeated ``repeats[i]`` times along dimension ``i``; more repeats add dimensions.

    Raises:
        RuntimeError: there are fewer repeats than dimensions, or one is negative.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    array = array_of("repeat", input)
    repeats = integers("repeat", "repeats", times, repeats)
    if len(repeats) < array.ndim:
        raise ShapeError(
            f"Number of dimensions of repeat dims ({len(repeats)}) can not be smaller than "
            f"number of dimensions of tensor ({array.ndim})"
        )
    if any(n < 0 for n in repeats):
        raise ShapeError(f"Trying to repeat a negative number of times: {list(repeats)}")
    return _repeat.op.apply((input,), {"repeats": repeats})


@function(method=True)
def tile(input, *times, dims=None):
    """As :func:`repeat`; fewer ``dims`` than dimensions are filled up with ones in front.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1, 2]]).tile((2,))
    tensor([[1, 2, 1, 2]])
    """
    dims = integers("tile", "dims", times, dims)
    return repeat(input, (1,) * (array_of("tile", input).ndim - len(dims)) + dims)


@op(name="contiguous", public=False, method=False, grad_name="CloneBackward0")
def _contiguous(x):
    """A row-major copy of ``x``."""
    return np.array(x, order="C")


_contiguous.vjp(x=lambda g: g)


@method
def contiguous(input, memory_format=None):
    """The tensor itself if its elements lie in row-major order without gaps, else such a copy.

    >>> import tensorgrad
    >>> x = tensorgrad.zeros(2, 3)
    >>> x.contiguous() is x, x.t().contiguous().is_contiguous()
    (True, True)
    """
    return input if array_of("contiguous", input).flags.c_contiguous else _contiguous(input)


# --- padding ----------------------------------------------------------------------------


@op(name="constant_pad", public=False, method=False, grad_name="ConstantPadNdBackward0")
def _constant_pad(x, *, pad, value=0.0):
    """``x`` with ``pad[i] = (before, after)`` elements ``value`` added to dimension i.

    A negative number takes elements away.
    """
    shape = [n + a + b for n, (a, b) in zip(x.shape, pad, strict=True)]
    out = np.full(shape, value, x.dtype) if value else np.zeros(shape, x.dtype)
    out[_inside(pad)] = x[_inside([(-a, -b) for a, b in pad])]
    return out


def _inside(pad):
    """The index that takes ``pad`` off again, where it is positive."""
    return tuple(slice(max(a, 0), -b if b > 0 else None) for a, b in pad)


def _unpad(g, pad):
    """The adjoint of padding with ``pad``: a view, unless padding took something away."""
    if min((n for pair in pad for n in pair), default=0) >= 0:
        return at(SLICE, g, _inside(pad))
    return _constant_pad(g, pad=tuple((-a, -b) for a, b in pad))


_constant_pad.vjp(x=lambda g, *, pad: _unpad(g, pad))


@function
def pad(input, pad, mode="constant", value=None):
    """The tensor with elements added around it; the same as ``nn.functional.pad``.

    Args:
        input: the tensor.
        pad: pairs (before, after) from the last dimension backwards: ``(left, right, top,
            bottom, ...)``. Negative numbers take elements away.
        mode: ``"constant"``; or ``"reflect"``, ``"replicate"``, ``"circular"``, which repeat
            elements and pad the last one, two or three dimensions of an input that has one
            or two more.
        value: what constant padding fills in, 0 by default.

    Raises:
        RuntimeError: the number of paddings is odd or too large, one takes away more than
            there is, or one is too large to reflect or wrap around.
        NotImplementedError: the mode is unknown, or does not go with these dimensions.

    >>> import tensorgrad
    >>> tensorgrad.pad(tensorgrad.tensor([[1, 2]]), (1, 1, 0, 1))
    tensor([[0, 1, 2, 0],
            [0, 0, 0, 0]])
    >>> tensorgrad.pad(tensorgrad.tensor([[1, 2, 3]]), (2, 1), mode="reflect")
    tensor([[3, 2, 1, 2, 3, 2]])
    """
    shape = array_of("pad", input).shape
    flat = integers("pad", "pad", (pad,))
    if len(flat) % 2:
        raise ShapeError(f"Padding length must be divisible by 2, got {len(flat)}")
    pairs = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
    if len(pairs) > len(shape):
        raise ShapeError(
            "Padding length should be less than or equal to two times the input dimension but "
            f"got padding length {len(flat)} and input of dimension {len(shape)}"
        )
    pairs = ((0, 0),) * (len(shape) - len(pairs)) + tuple(reversed(pairs))
    if mode == "constant":
        return _pad_constant(input, shape, pairs, value)
    if value:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in _SIDES:
        raise NotImplementedError(
            f"Unrecognised padding mode {mode!r}; expected constant, {', '.join(_SIDES)}"
        )
    n = len(flat) // 2
    if n > 3 or not n < len(shape) <= n + 2:
        raise NotImplementedError(
            f"Padding size {len(flat)} is not supported for {len(shape)}D input tensor in mode "
            f"{mode!r}: it pads the last 1, 2 or 3 dimensions of an input with one or two more"
        )
    for dim, (before, after) in enumerate(pairs):
        input = _pad_repeating(input, dim, before, after, mode)
    return input


def _pad_constant(input, shape, pairs, value):
    for dim, (n, (before, after)) in enumerate(zip(shape, pairs, strict=True)):
        if n + before + after < 0 or n + min(before, 0) + min(after, 0) < 0:
            raise ShapeError(
                f"pad: ({before}, {after}) takes away more than the {n} elements of dimension "
                f"{dim} of shape {list(shape)}"
            )
    kind = array_of("pad", input).dtype.type
    fill = 0.0 if value is None else kind(value).item()
    return _constant_pad.op.apply((input,), {"pad": pairs, "value": fill})


def _reflected(x, dim, n, before):
    size = x.shape[dim]
    if n >= size:
        raise ShapeError(
            "Padding size should be less than the corresponding input dimension, but got: "
            f"padding {n} at dimension {dim} of input {list(x.shape)}"
        )
    bounds = slice(1, n + 1) if before else slice(size - 1 - n, size - 1)
    return flip(at(SLICE, x, _along(dim, bounds)), dim)


def _wrapped(x, dim, n, before):
    size = x.shape[dim]
    if n > size:
        raise ShapeError(
            f"Padding value causes wrapping around more than once: padding {n} at dimension "
            f"{dim} of input {list(x.shape)}"
        )
    return at(SLICE, x, _along(dim, slice(size - n, size) if before else slice(0, n)))


def _edge(x, dim, n, before):
    size = x.shape[dim]
    if not size:
        raise ShapeError(f"pad: dimension {dim} of input {list(x.shape)} is empty")
    one = at(SLICE, x, _along(dim, slice(0, 1) if before else slice(size - 1, size)))
    return expand(one, (*x.shape[:dim], n, *x.shape[dim + 1 :]))


# What each mode adds at one side of one dimension.
_SIDES = {"reflect": _reflected, "replicate": _edge, "circular": _wrapped}


def _pad_repeating(x, dim, before, after, mode):
    """``x`` padded along ``dim`` with its own elements; negative numbers take away."""
    side = _SIDES[mode]
    if mode == "replicate" and (before < 0 or after < 0):
        return _replicated(x, dim, before, after)
    if before < 0 or after < 0:
        x = at(SLICE, x, _along(dim, slice(max(-before, 0), x.shape[dim] + min(after, 0))))
    parts = [side(x, dim, before, True)] if before > 0 else []
    parts.append(x)
    if after > 0:
        parts.append(side(x, dim, after, False))
    return cat(parts, dim) if len(parts) > 1 else x


def _replicated(x, dim, before, after):
    """Replicated where a side takes away: what repeats may itself be taken away."""
    size = x.shape[dim]
    if not size or size + before + after <= 0:
        raise ShapeError(
            f"pad: ({before}, {after}) leaves nothing of dimension {dim} of {list(x.shape)}"
        )
    places = np.clip(np.arange(-before, size + after), 0, size - 1)
    return FUNCTIONS["index_select"](x, dim, wrap(places))


# --- diagonals and triangles ------------------------------------------------------------


def _diagonal_attrs(ndim, offset, dim1, dim2):
    d1, d2 = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if d1 == d2:
        raise ShapeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return {"offset": operator.index(offset), "dim1": d1, "dim2": d2}


@op(name="diagonal", view=True, public=False, method=False)
def _diagonal(x, *, offset, dim1, dim2):
    """The view of the diagonals of ``x`` over two dimensions."""
    out = x.diagonal(offset, dim1, dim2)
    out.flags.writeable = x.flags.writeable  # NumPy hands out its view for reading only
    return out


@op(name="diagonal_put", public=False, method=False, grad_name="DiagEmbedBackward0")
def _diagonal_put(x, *, shape, offset, dim1, dim2):
    """Zeros of ``shape`` with ``x`` on the diagonals: the adjoint of reading them."""
    out = np.zeros(shape, x.dtype)
    _diagonal.op.forward(out, offset=offset, dim1=dim1, dim2=dim2)[...] = x
    return out


_diagonal.vjp(
    x=lambda g, x_shape, *, offset, dim1, dim2: _diagonal_put(
        g, shape=x_shape, offset=offset, dim1=dim1, dim2=dim2
    ),
)
_diagonal_put.vjp(
    x=lambda g, *, offset, dim1, dim2: diagonal(g, offset, dim1, dim2),
)


@function(method=True)
def diagonal(input, offset=0, dim1=0, dim2=1):
    """A view of the diagonals over two dimensions, which become the last one of the result.

    The diagonal lies ``offset`` above the main one, or below it if negative.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: the dimensions are the same.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1, 2], [3, 4]]).diagonal()
    tensor([1, 4])
    """
    array = array_of("diagonal", input)
    attrs = _diagonal_attrs(array.ndim, offset, dim1, dim2)
    out = _diagonal.op.forward(array, **attrs)
    return hang(_diagonal.op, input, out, attrs) if isinstance(input, Tensor) else out


@function(method=True)
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Matrices over ``dim1`` and ``dim2`` of the result with ``input`` on their diagonals.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: the dimensions are the same.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2]).diag_embed()
    tensor([[1, 0],
            [0, 2]])
    """
    shape = array_of("diag_embed", input).shape
    attrs = _diagonal_attrs(len(shape) + 1, offset, dim1, dim2)
    size = shape[-1] + abs(attrs["offset"])
    full = list(shape[:-1])
    for d in sorted((attrs["dim1"], attrs["dim2"])):
        full.insert(d, size)
    return _diagonal_put.op.apply((input,), {"shape": tuple(full), **attrs})


@function(method=True)
def diag(input, diagonal=0, *, out=None):
    """A matrix with the 1-d ``input`` on a diagonal, or a copy of a diagonal of a matrix.

    Raises:
        RuntimeError: the tensor is neither 1-d nor 2-d.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1, 2], [3, 4]]).diag(1)
    tensor([2])
    """
    ndim = array_of("diag", input).ndim
    if ndim == 1:
        return _written(out, diag_embed(input, diagonal))
    if ndim == 2:
        return _written(out, _contiguous(_view_diagonal(input, diagonal)))
    raise ShapeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")


_view_diagonal = diagonal  # under a name that the argument of diag does not hide


@function(method=True)
def diagflat(input, offset=0):
    """A matrix with all elements of ``input`` on a diagonal.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1], [2]]).diagflat()
    tensor([[1, 0],
            [0, 2]])
    """
    return diag_embed(flatten(input), offset)


def _check_matrix(name, x):
    if x.ndim < 2:
        raise ShapeError(f"{name}: input tensor must have at least 2 dimensions, got {x.ndim}")


@op(inplace=True)
def tril(x, *, diagonal=0):
    """The lower triangle of matrices, the other elements zero.

    Args:
        x: of shape (..., n, m).
        diagonal: the last diagonal to keep; 0 is the main one, positive ones lie above.

    Raises:
        RuntimeError: there are fewer than two dimensions.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1, 2], [3, 4]]).tril()
    tensor([[1, 0],
            [3, 4]])
    """
    _check_matrix("tril", x)
    return np.tril(x, diagonal)


@op(inplace=True)
def triu(x, *, diagonal=0):
    """The upper triangle of matrices, the other elements zero.

    Args:
        x: of shape (..., n, m).
        diagonal: the first diagonal to keep; 0 is the main one, positive ones lie above.

    Raises:
        RuntimeError: there are fewer than two dimensions.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1, 2], [3, 4]]).triu(1)
    tensor([[0, 2],
            [0, 0]])
    """
    _check_matrix("triu", x)
    return np.triu(x, diagonal)


tril.vjp(x=lambda g, *, diagonal: tril(g, diagonal=diagonal))
triu.vjp(x=lambda g, *, diagonal: triu(g, diagonal=diagonal))


# --- grids ------------------------------------------------------------------------------


@function
def meshgrid(*tensors, indexing=None):
    """Views of 1-d (or 0-d) tensors, each expanded along the dimensions of the others.

    Args:
        tensors: one per dimension, separately or as one sequence, of one dtype.
        indexing: ``"ij"`` (the default; PyTorch warns when it is left out) puts the first
            tensor along the first dimension, ``"xy"`` along the second.

    Raises:
        RuntimeError: a tensor has more dimensions, dtypes differ, or ``indexing`` is neither.

    >>> import tensorgrad
    >>> x, y = tensorgrad.meshgrid(tensorgrad.arange(2), tensorgrad.arange(3), indexing="ij")
    >>> x
    tensor([[0, 0, 0],
            [1, 1, 1]])
    """
    tensors = _listed("meshgrid", tensors)
    if not tensors:
        raise ShapeError("meshgrid expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise ShapeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    for t in tensors:
        if len(t.shape) > 1:
            raise ShapeError(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got shape "
                f"{list(t.shape)}"
            )
        if t.dtype != tensors[0].dtype:
            raise DtypeError("meshgrid expects all tensors to have the same dtype")
    order = list(range(len(tensors)))
    if indexing == "xy" and len(order) > 1:
        order[:2] = 1, 0
    sizes = [1] * len(tensors)
    for d, t in zip(order, tensors, strict=True):
        sizes[d] = math.prod(t.shape)
    grids = []
    for d, t in zip(order, tensors, strict=True):
        ones = [1] * len(sizes)
        ones[d] = sizes[d]
        grids.append(expand(reshape(t, ones), sizes))
    return tuple(grids)


@function
def cartesian_prod(*tensors):
    """All combinations of the elements of 1-d tensors, one in each row; the last varies fastest.

    >>> import tensorgrad
    >>> tensorgrad.cartesian_prod(tensorgrad.tensor([1, 2]), tensorgrad.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    for t in tensors:
        if len(t.shape) != 1:
            raise ShapeError(f"Expect a 1D vector, but got shape {list(t.shape)}")
    if len(tensors) == 1:
        return at(ALIAS, tensors[0], (...,))
    return stack([flatten(g) for g in meshgrid(*tensors, indexing="ij")], 1)


# --- windows and strides ----------------------------------------------------------------


@op(name="unfold", view=True, public=False, method=False)
def _unfold(x, *, dimension, size, step):
    """The windows of ``x`` along one dimension, as a last dimension of ``size``."""
    n = (x.shape[dimension] - size) // step + 1
    shape, strides = list(x.shape), list(x.strides)
    shape[dimension], strides[dimension] = n, strides[dimension] * step
    return strided(x, (*shape, size), (*strides, x.strides[dimension]))


@op(name="overlap_add", public=False, method=False, grad_name="UnfoldBackward0")
def _overlap_add(x, *, shape, dimension, size, step):
    """Windows summed where they came from: the adjoint of ``unfold``."""
    out = np.zeros(shape, x.dtype)
    n = x.shape[dimension]
    lead = (slice(None),) * dimension
    if n <= size:  # the shorter of two loops, over windows or over places within them
        for i in range(n):
            part = x[(*lead, i, ...)]
            out[(*lead, slice(i * step, i * step + size))] += np.moveaxis(part, -1, dimension)
    else:
        for j in range(size):
            out[(*lead, slice(j, j + (n - 1) * step + 1, step))] += x[..., j]
    return out


_unfold.vjp(
    x=lambda g, x_shape, *, dimension, size, step: _overlap_add(
        g, shape=x_shape, dimension=dimension, size=size, step=step
    ),
)
_overlap_add.vjp(
    x=lambda g, *, dimension, size, step: _unfold(g, dimension=dimension, size=size, step=step),
)


@method
def unfold(self, dimension, size, step):
    """A view of all windows of ``size`` elements, ``step`` apart, along one dimension.

    Args:
        self: the tensor.
        dimension: where the windows lie; its size becomes the number of windows.
        size: elements per window, the size of the new last dimension.
        step: elements between the starts of two windows.

    Raises:
        IndexError: ``dimension`` is out of range.
        RuntimeError: ``size`` exceeds the dimension's or is negative, ``step`` is not positive.

    >>> import tensorgrad
    >>> tensorgrad.arange(4).unfold(0, 2, 1)
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    array = array_of("unfold", self)
    dimension = wrap_dim(dimension, array.ndim)
    size, step = operator.index(size), operator.index(step)
    if step <= 0:
        raise ShapeError(f"step is {step} but must be > 0")
    if size < 0:
        raise ShapeError(f"size is {size} but must be >= 0")
    if not array.ndim:
        if size > 1:
            raise ShapeError(f"maximum size for tensor at dimension 0 is 1 but size is {size}")
        return narrow(reshape(self, (1,)), 0, 0, size)
    if size > array.shape[dimension]:
        raise ShapeError(
            f"maximum size for tensor at dimension {dimension} is {array.shape[dimension]} but "
            f"size is {size}"
        )
    attrs = {"dimension": dimension, "size": size, "step": step}
    out = _unfold.op.forward(array, **attrs)
    return hang(_unfold.op, self, out, attrs) if isinstance(self, Tensor) else out


@op(name="as_strided", view=True, public=False, method=False)
def _as_strided(x, *, size, stride, storage_offset):
    """Elements of the row-major ``x`` at ``storage_offset + sum(i * stride)``."""
    x = x if x.flags.c_contiguous else np.ascontiguousarray(x)
    n = x.itemsize
    return ndarray(size, x.dtype, x, storage_offset * n, [s * n for s in stride])


@op(name="strided_add", public=False, method=False, grad_name="AsStridedBackward0")
def _strided_add(x, *, shape, size, stride, storage_offset):
    """Elements summed where ``as_strided`` reads them in zeros of ``shape``: its adjoint."""
    out = np.zeros(shape, x.dtype)
    attrs = {"size": size, "stride": stride, "storage_offset": storage_offset}
    where = _as_strided.op.forward(np.arange(out.size), **attrs)
    np.add.at(out.reshape(-1), where.ravel(), x.ravel())
    return out


_as_strided.vjp(
    x=lambda g, x_shape, *, size, stride, storage_offset: _strided_add(
        g, shape=x_shape, size=size, stride=stride, storage_offset=storage_offset
    ),
)
_strided_add.vjp(
    x=lambda g, *, size, stride, storage_offset: _as_strided(
        g, size=size, stride=stride, storage_offset=storage_offset
    ),
)


@function(method=True)
def as_strided(input, size, stride, storage_offset=None):
    """A view of the memory under ``input`` with any shape, strides and offset, in elements.

    They count in the whole memory that ``input`` is a view of, which must be contiguous;
    the offset is that of ``input`` by default. A write into a result whose
    elements share memory raises RuntimeError.

    Raises:
        RuntimeError: elements lie outside the memory, a stride is negative, or the memory
            is not contiguous.

    >>> import tensorgrad
    >>> tensorgrad.arange(4).as_strided((3, 2), (1, 1))
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    base = input if input._base is None else input._base
    if input._edge is None and base._edge is not None:
        base = wrap(base._array)  # a view that was made without recording stays a constant
    memory, owner = base._array, owner_of(base._array)
    whole = owner.flags.c_contiguous and owner.dtype == memory.dtype
    if whole and base._edge is None and memory is not owner:  # a detached view
        base, memory = wrap(owner), owner
    before = (_address(memory) - _address(owner)) // memory.itemsize if whole else 0
    size = integers("as_strided", "size", (size,))
    stride = integers("as_strided", "stride", (stride,))
    if not memory.flags.c_contiguous:
        raise ShapeError("as_strided: the memory of this tensor is not contiguous; clone() it")
    if storage_offset is None:
        storage_offset = (_address(input._array) - _address(memory)) // memory.itemsize
    else:
        storage_offset = operator.index(storage_offset) - before
    if len(size) != len(stride):
        raise ShapeError(
            f"mismatch in length of strides and shape: size {list(size)}, stride {list(stride)}"
        )
    if any(s < 0 for s in stride):
        raise ShapeError(
            "as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(stride)}"
        )
    reach = storage_offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1
    if 0 not in size and (reach > memory.size or storage_offset < 0):
        raise ShapeError(
            f"as_strided: sizes {list(size)}, strides {list(stride)} and storage offset "
            f"{storage_offset} require {reach} elements, the memory has {memory.size}"
        )
    attrs = {"size": size, "stride": stride, "storage_offset": 0 if 0 in size else storage_offset}
    return hang(_as_strided.op, base, _as_strided.op.forward(memory, **attrs), attrs)


# --- changes of shape in place ----------------------------------------------------------


@method
def transpose_(self, dim0, dim1):
    """In-place :func:`tensorgrad.transpose`: the memory stays, the tensor is seen otherwise."""
    ndim = self._array.ndim
    dims = {"dim0": wrap_dim(dim0, ndim), "dim1": wrap_dim(dim1, ndim)}
    return become(self, _transpose.op, dims) if ndim else self


METHODS["swapaxes_"] = METHODS["swapdims_"] = transpose_


@method
def t_(self):
    """In-place :func:`tensorgrad.t`."""
    t(self)  # checks the number of dimensions
    return become(self, _t.op, {})


@method
def squeeze_(self, dim=None):
    """In-place :func:`tensorgrad.squeeze`."""
    ndim = self._array.ndim
    dims = tuple(range(ndim)) if dim is None else wrap_dims("squeeze_", dim, ndim)
    return become(self, _SQUEEZE.get(type(dim), _SQUEEZE[tuple]), {"dim": dims})


@method
def unsqueeze_(self, dim):
    """In-place :func:`tensorgrad.unsqueeze`."""
    return become(self, _unsqueeze.op, {"dim": wrap_dim(dim, self._array.ndim + 1)})


@method
def resize_(self, *sizes, size=None):
    """Give the tensor another size; elements beyond the old ones are whatever memory held.

    In the memory it has when that suffices, else in a copy, which views do not follow.

    Raises:
        RuntimeError: the tensor requires grad.
    """
    if self._edge is not None:
        raise RuntimeError("cannot resize variables that require grad")
    shape = integers("resize_", "size", sizes, size)
    flat = self._array.reshape(-1)
    n = math.prod(shape)
    if n > flat.size:
        flat = np.concatenate([flat, np.empty(n - flat.size, flat.dtype)])
    set_data(self, flat[:n].reshape(shape))
    return self


@method
def resize_as_(self, the_template):
    """Give the tensor the size of another; see :meth:`resize_`."""
    return resize_(self, the_template._array.shape)
