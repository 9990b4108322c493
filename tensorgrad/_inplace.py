"""In-place writes, recorded through views.

An in-place operation computes its result out of place, writes it into the memory of its
target, and gives the target the result's history. When the target is a view, the *base*
gets a new node that puts the result into the region of the view (:func:`view_put`), and
every live view of that base is hung on it anew, so that all aliases see one history.
"""

from __future__ import annotations

import numpy as np

from . import _graph, dtypes, errors
from ._graph import LEAF, Tensor, edge_of, mark_mutated, ndarray, wrap
from ._registry import op


def _region(array, chain):
    """Replay the views of ``chain`` on ``array``."""
    for view_op, attrs in chain:
        array = view_op.apply((array,), attrs)
    return array


def _put_region(array, value, chain):
    """A copy of ``array`` with the region that ``chain`` leads to replaced by ``value``."""
    out = np.array(array, order="K")
    region = _region(out, chain)
    if region is out or region.base is out:
        region[...] = value
        return out
    # A reshape in the chain had to copy: find the region by position instead.
    where = _region(np.arange(array.size).reshape(array.shape), chain)
    out = np.ascontiguousarray(out)
    out.reshape(-1)[where] = value
    return out


@op(public=False, method=False, types=None, grad_name="CopySlices")
def view_put(x, value, *, chain):
    """``x`` with the region that the views in ``chain`` lead to replaced by ``value``."""
    return _put_region(x, value, chain)


view_put.vjp(
    x=lambda g, value_shape, value_dtype, *, chain: view_put(
        g, np.zeros(value_shape, value_dtype), chain=chain
    ),
    value=lambda g, *, chain: _region(g, chain),
)


def check_writable(target: Tensor) -> None:
    """Refuse in-place writes that would lose the history of a leaf.

    Raises:
        RuntimeError: ``target`` is a tracked leaf, or a view of one, in grad mode.
    """
    if not _graph.is_recording():
        return
    if target._edge is LEAF and target._base is None:
        raise errors.GraphError(
            "a leaf Variable that requires grad is being used in an in-place operation; "
            "wrap the update in torch.no_grad(), or clone() the tensor first"
        )
    if target._base is not None and target._base._edge is LEAF:
        raise errors.GraphError(
            "a view of a leaf Variable that requires grad is being used in an in-place "
            "operation; wrap the update in torch.no_grad(), or clone() the leaf first"
        )


def _check_overlap(array: ndarray) -> None:
    if 0 in array.strides and any(
        s == 0 and n > 1 for s, n in zip(array.strides, array.shape, strict=True)
    ):
        raise errors.GraphError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location (it was made by expand()); clone() it before the write"
        )


def fit(name: str, target: Tensor, result: Tensor) -> Tensor:
    """``result`` in the dtype of ``target``, checked to fit its shape.

    Raises:
        RuntimeError: the shapes differ, or the dtype would lose its kind (float into int).
    """
    a, r = target._array, result._array
    if r.shape != a.shape:
        raise errors.ShapeError(
            f"{name}_: output with shape {a.shape} doesn't match the broadcast shape {r.shape}; "
            f"an in-place result must have the shape of the tensor it is written to"
        )
    if r.dtype == a.dtype:
        return result
    if not dtypes.can_cast(r.dtype, a.dtype):
        raise errors.DtypeError(
            f"{name}_: result type {r.dtype} can't be cast to the desired output type {a.dtype}; "
            "use the out-of-place form"
        )
    from ._registry import cast

    return cast(result, dtype=a.dtype)


def apply_inplace(op, target, args, kwargs):
    """``target.op_(...)``: the result of ``op`` written into ``target``, recorded."""
    check_writable(target)
    array = target._array
    _check_overlap(array)
    if not array.flags.writeable:
        raise errors.GraphError(
            f"{op.name}_: the memory of this tensor is read-only; clone() it first"
        )
    result = op.general((target, *args), dict(kwargs))
    result = fit(op.name, target, result)
    keep_saved(result, array)
    return adopt(target, result)


def keep_saved(result: Tensor, array: ndarray) -> None:
    """Copy what the node of ``result`` saved of ``array``, which is about to be overwritten."""
    node = edge_of(result)
    if node is None or not node._seq or not node.saved:
        return
    if any(type(v) is ndarray and np.may_share_memory(v, array) for v in node.saved):
        node.saved = tuple(
            v.copy() if type(v) is ndarray and np.may_share_memory(v, array) else v
            for v in node.saved
        )


def adopt(target: Tensor, result: Tensor) -> Tensor:
    """Write ``result`` into ``target`` and take over its history."""
    rebase(target, result)
    target._array[...] = result._array
    mark_mutated(target._array)
    return target


def rebase(target: Tensor, result: Tensor) -> None:
    """Give ``target``, its base and all their live views the history of ``result``."""
    if not _graph.is_recording():
        return
    base = target._base
    if base is None:
        if target._edge is None and result._edge is None:
            return
        target._edge = edge_of(result)
        base = target
    else:
        if base._edge is None and result._edge is None:
            return
        base._edge = view_put.op.trace(
            (base, result), {"chain": target._chain}, base._array
        )
    for ref in base._views or ():
        view = ref()
        if view is not None:
            view._edge = edge_of(_region(wrap(base._array, edge_of(base)), view._chain))


def set_data(target: Tensor, source) -> None:
    """``target.data = source``: other memory (and maybe shape) under the same history."""
    array = source._array if isinstance(source, Tensor) else np.asarray(source)
    if array.dtype.kind != target._array.dtype.kind and target._edge is not None:
        raise errors.DtypeError(
            f"data set to a tensor of type {array.dtype}, but this one requires grad as "
            f"{target._array.dtype}"
        )
    target._array = array


def write_out(out, result):
    """The ``out=`` argument of an op: ``result`` is written into ``out``, which is returned."""
    if not isinstance(out, Tensor):
        raise TypeError(f"argument 'out' must be Tensor, not {type(out).__name__}")
    if _graph.is_recording() and (out._edge is not None or result._edge is not None):
        raise errors.GraphError(
            "functions with out=... arguments don't support automatic differentiation, but one "
            "of the arguments requires grad; use the functional form or torch.no_grad()"
        )
    if out._array.shape != result._array.shape:
        out._array = np.empty(result._array.shape, out._array.dtype)  # PyTorch resizes out
    result = fit("out=", out, wrap(result._array))
    out._array[...] = result._array
    mark_mutated(out._array)
    return out
