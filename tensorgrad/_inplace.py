"""In-place writes, recorded through views.

An in-place operation writes its result into the memory of its target and gives the target
the result's history. When the target is a view, its *base* gets a new node that puts the
result into the region of the view (:func:`view_put`), and every live view of the base that
shares memory with the write is hung on it anew, so that all aliases see one history.

Three ways lead there, by what the backward of the op still needs of the old memory:

- in general the result is computed apart and copied in (:func:`apply_inplace`);
- arithmetic that saves neither its target nor its result is done in the memory itself;
- ops that write a few elements bring a *writer* (:data:`WRITERS`), so that filling a tensor
  element by element never copies it.
"""

from __future__ import annotations

import weakref

import numpy as np

from . import _graph, dtypes, errors
from ._graph import LEAF, Tensor, edge_of, mark_mutated, ndarray, owner_of, set_edge, wrap
from ._registry import op

# op -> function (array, *other inputs, **attrs) that leaves the op's result in ``array``. The
# op's vjps must read neither the old array nor the result.
WRITERS: dict = {}


def writer(function):
    """Declare how to write the result of the op of ``function`` into its first input."""

    def declare(write):
        WRITERS[function.op] = write
        return write

    return declare


# --- the region of a view ---------------------------------------------------------------


def _region(x, chain):
    """Replay the views of ``chain`` on an array or Tensor."""
    for viewer, attrs in chain:
        x = viewer.apply((x,), attrs) if isinstance(x, Tensor) else viewer.forward(x, **attrs)
    return x


def _put_region(x, value, chain):
    """A copy of the array ``x`` with the region that ``chain`` leads to replaced by ``value``."""
    out = np.array(x, order="K")
    region = _region(out, chain)
    if owner_of(region) is out:
        region[...] = value
        return out
    # In this layout a reshape in the chain has to copy: find the region by position instead.
    out = np.array(x, order="C")
    where = _region(np.arange(out.size).reshape(out.shape), chain)
    out.reshape(-1)[where] = value
    return out


@op(public=False, method=False, grad_name="CopySlices")
def view_put(x, value, *, chain):
    """``x`` with the region that the views in ``chain`` lead to replaced by ``value``."""
    return _put_region(x, value, chain)


def _cleared(g, chain, own):
    """``g`` with zeros in the region; in its own memory if that is allowed and possible."""
    if isinstance(g, Tensor):
        return view_put.op.apply((g, 0.0), {"chain": chain})
    if own:
        region = _region(g, chain)
        if owner_of(region) is owner_of(g):
            region[...] = 0.0
            return g
    return _put_region(g, 0.0, chain)


def _view_put_vjp(g, *, chain, own, needs):
    """Tensors that are filled part by part would copy the whole of ``g`` for each part."""
    x = value = None
    if 1 in needs:
        value = _region(g, chain)
        value = np.array(value) if own else value
    if 0 in needs:
        x = _cleared(g, chain, own)
    return x, value


view_put.vjp(_view_put_vjp)
view_put.op.reuses = True


# --- what may be written ----------------------------------------------------------------


def check_writable(target: Tensor, tracked: bool = False) -> None:
    """Refuse in-place writes that would lose history, of a leaf or of a custom Function.

    Args:
        target: what is to be written.
        tracked: whether a tracked value goes into the result.

    Raises:
        RuntimeError: in grad mode, ``target`` is a tracked leaf or a view of one, was made as
            a view while recording was off, or shares memory with the output of a custom
            Function that returned its input or a view of it.
    """
    if not _graph.is_recording():
        return
    base = target._base
    _check_locks(target)
    if target._edge is None and not tracked:
        return
    if target._edge is LEAF:
        raise errors.GraphError(
            "a leaf Variable that requires grad is being used in an in-place operation; "
            "wrap the update in torch.no_grad(), or clone() the tensor first"
        )
    if base is None:
        return
    if base._edge is LEAF:
        raise errors.GraphError(
            "a view of a leaf Variable that requires grad is being used in an in-place "
            "operation; wrap the update in torch.no_grad(), or clone() the leaf first"
        )
    if target._chain is None:
        raise errors.GraphError(
            "a view was created in no_grad mode and is being modified inplace with grad mode "
            "enabled; make the view while recording, or clone() it first"
        )


def _check_locks(target: Tensor) -> None:
    """Refuse a write to memory that the output of a custom Function shares with its input."""
    base = target if target._base is None else target._base
    reason = target._locked or base._locked
    for ref in base._views or ():
        view = ref()
        if view is not None and view._locked is not None:
            reason = view._locked
    if reason is not None:
        raise errors.GraphError(reason)


def check_memory(name: str, array: ndarray, overlap: bool = False) -> None:
    """Refuse writes to read-only memory, and (unless ``overlap``) of elements that share a place.

    Raises:
        RuntimeError: either holds for ``array``.
    """
    if not array.flags.writeable:
        raise errors.GraphError(
            f"{name}: the memory of this tensor is read-only (shape {array.shape}); clone() it "
            "before the write"
        )
    if not overlap and not array.flags.forc:
        _check_overlap(array)


def _check_overlap(array: ndarray) -> None:
    """Refuse a view in which a dimension steps into the reach of the smaller ones."""
    reach = array.itemsize
    steps = zip(array.strides, array.shape, strict=True)
    for stride, n in sorted((abs(stride), n) for stride, n in steps if n > 1):
        if stride < reach and array.size:
            raise errors.GraphError(
                "unsupported operation: more than one element of the written-to tensor refers to "
                "a single memory location (as after expand() or unfold()); clone() the tensor "
                "before the write"
            )
        reach += stride * (n - 1)


def fit(name: str, target: Tensor, result: Tensor) -> Tensor:
    """``result`` in the dtype of ``target``, checked to fit its shape.

    Raises:
        RuntimeError: the shapes differ, or the dtype would lose its kind (float into int).
    """
    a, r = target._array, result._array
    if r.shape != a.shape:
        raise errors.ShapeError(
            f"{name}_: output with shape {list(a.shape)} doesn't match the broadcast shape "
            f"{list(r.shape)}; an in-place result must have the shape of the tensor it is "
            "written to"
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


# --- history ----------------------------------------------------------------------------


def rebase(target: Tensor, result: Tensor, chain=()) -> None:
    """Record that ``result`` is written to ``target``, or to the view of it that ``chain`` makes.

    The base gets the history of the write, and so do all its live views that share memory
    with it. The memory itself is left alone.
    """
    if not _graph.is_recording() or (target._edge is None and result._edge is None):
        return
    base, path = target._base, target._chain
    if base is None:
        base, path = target, ()
    new = edge_of(result) if not chain and result._edge is not LEAF else None
    if path or new is None:
        edge = view_put.op.trace((base, result), {"chain": path + chain}, base._array)
    else:
        edge = new
    set_edge(base, edge)
    done = base
    if new is not None and target is not base:
        set_edge(target, new)  # all of it was written: no need to go through the base
        done = target
    written = _region(target._array, chain)
    for ref in base._views or ():
        view = ref()
        if view is None or view is done or view._edge is LEAF:
            continue
        if np.may_share_memory(view._array, written):
            set_edge(view, _edge_along(base, view._chain))


def _edge_along(base, chain):
    """The node of the view of ``base`` that ``chain`` makes."""
    array, edge = base._array, edge_of(base)
    for viewer, attrs in chain:
        out = viewer.forward(array, **attrs)
        edge = viewer.trace((wrap(array, edge),), attrs, out)
        array = out
    return edge


def keep_saved(edge, array: ndarray, since: int) -> None:
    """Copy what the nodes made after ``since`` saved of the memory about to be overwritten."""
    owner, pending = owner_of(array), [edge]
    while pending:
        node = pending.pop()
        if node is None or node._seq <= since:
            continue
        pending.extend(node._parents)
        if node.saved:
            node.saved = tuple(_apart(value, owner) for value in node.saved)


def _apart(value, owner):
    """``value``, or a copy if it lies in the memory of ``owner``."""
    if type(value) is ndarray and owner_of(value) is owner:
        return value.copy()
    if isinstance(value, list | tuple):
        return type(value)(_apart(v, owner) for v in value)
    return value


def _is_tracked(x) -> bool:
    return isinstance(x, Tensor) and x._edge is not None


# --- the writes -------------------------------------------------------------------------


def apply_inplace(op, target, args, kwargs):
    """``target.op_(...)``: the result of ``op`` written into ``target``, recorded."""
    array = target._array
    check_writable(target, any(map(_is_tracked, (*args, *kwargs.values()))))
    # One value everywhere: places may coincide.
    check_memory(op.name + "_", array, overlap=op.name in ("fill", "zero"))
    if op in WRITERS:
        return _write_elements(op, target, args, kwargs)
    if op.name in ARITHMETIC and not kwargs and _run_in_place(op, target, args):
        return target
    since = _graph._next()
    result = fit(op.name, target, op.general((target, *args), dict(kwargs)))
    keep_saved(edge_of(result), array, since)
    return adopt(target, result)


def adopt(target: Tensor, result: Tensor) -> Tensor:
    """Write ``result`` into ``target`` and take over its history."""
    check_writable(target, result._edge is not None)
    rebase(target, result)
    target._array[...] = result._array
    mark_mutated(target._array)
    return target


# What optimizers and averages written by hand spend their time on.
ARITHMETIC = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.true_divide}


def _run_in_place(op, target, args) -> bool:
    """Do arithmetic in the memory of ``target``, if its node needs neither old nor new values.

    False, with nothing done, when anything asks for the general way: other dtypes, an
    unusual argument, a shape that does not fit.
    """
    array = target._array
    if array.dtype.kind != "f" or len(args) != 1:
        return False
    (x,) = args
    if isinstance(x, Tensor) and x._array.dtype == array.dtype:
        other = x._array
    elif type(x) is float or type(x) is int:
        other = x
    else:
        return False
    inputs = (target, x)
    recorded = _graph.is_recording() and any(map(_is_tracked, inputs))
    if recorded and _needs_old_values(op, inputs):
        return False
    try:
        ARITHMETIC[op.name](array, other, out=array)
    except (ValueError, TypeError):  # the shapes or dtypes, before anything was written
        return False
    if recorded:
        rebase(target, wrap(array, op.trace(inputs, None, array)))
    mark_mutated(array)
    return True


def _needs_old_values(op, inputs) -> bool:
    """Whether the node saves the first input, the result, or anything that shares its memory."""
    if not op.differentiable:
        return True
    mask = sum(1 << i for i, x in enumerate(inputs) if _is_tracked(x))
    plan = op.plans.get(mask) or op.compile(mask)
    if "out" in plan.slots or op.inputs[0] in plan.slots:
        return True
    target, other = inputs
    return isinstance(other, Tensor) and owner_of(other._array) is owner_of(target._array)


def _write_elements(op, target, args, kwargs):
    """Let the writer of ``op`` change ``target``, and record the op as if it had run."""
    inputs, attrs = op.bind((target, *args), dict(kwargs))
    array, owner = target._array, owner_of(target._array)
    others = [_apart(getattr(x, "_array", x), owner) for x in inputs[1:]]
    try:
        WRITERS[op](array, *others, **attrs)
    except (ValueError, IndexError, TypeError) as error:
        raise op.explain((array, *others), attrs, error) from error
    finish_write(op, target, inputs, attrs)
    return target


def finish_write(op, target, inputs, attrs) -> None:
    """Record that ``op`` ran on ``inputs`` and that its result is in the memory of ``target``."""
    edge = op.trace(inputs, attrs, target._array) if op.differentiable else None
    rebase(target, wrap(target._array, edge))
    mark_mutated(target._array)


def assign(target: Tensor, viewer, attrs: dict, value) -> None:
    """Write ``value`` into the view of ``target`` that ``viewer`` makes, and record it.

    ``value`` is a number, an array, or a Tensor of the dtype of ``target``. What ``x[i] += v``
    ends in is skipped: it writes a view onto itself.
    """
    link = (viewer, attrs)
    if isinstance(value, Tensor):
        if value._base is not None and _is_view_at(value, target, link):
            return
        tracked, source = value._edge is not None, value._array
    else:
        tracked, source = False, value
    region = viewer.forward(target._array, **attrs)
    check_writable(target, tracked)
    check_memory("assignment", region)
    region[...] = source
    if tracked or target._edge is not None:
        rebase(target, value if isinstance(value, Tensor) else wrap(region), (link,))
    mark_mutated(region)


def _is_view_at(value, target, link) -> bool:
    """Whether ``value`` is the live view of ``target`` at ``link``."""
    base = target if target._base is None else target._base
    if value._base is not base or value._chain is None or target._chain is None:
        return False
    return value._chain == (*target._chain, link) and owner_of(value._array) is owner_of(
        target._array
    )


# --- other memory, another shape --------------------------------------------------------


def set_data(target: Tensor, source) -> None:
    """``target.data = source``: other memory (and maybe shape) under the same history.

    Raises:
        RuntimeError: the dtype cannot carry the gradient that ``target`` needs.
    """
    array = source._array if isinstance(source, Tensor) else np.asarray(source)
    if array.dtype.kind != target._array.dtype.kind and target._edge is not None:
        raise errors.DtypeError(
            f"data set to a tensor of type {array.dtype}, but this one requires grad as "
            f"{target._array.dtype}"
        )
    _leave_family(target)
    target._array = array


def _leave_family(target: Tensor) -> None:
    """Forget what ``target`` is a view of, and its views: it is about to get other memory."""
    for ref in target._views or ():
        view = ref()
        if view is not None:
            view._base, view._chain = None, ()
    if target._base is not None or target._views is not None:
        target._base, target._chain, target._views = None, (), None


def become(target: Tensor, viewer, attrs: dict) -> Tensor:
    """Turn ``target`` into the view of itself that ``viewer`` makes, as ``t_()`` does.

    Raises:
        RuntimeError: ``target`` is a tracked leaf, in grad mode.
    """
    check_writable(target)
    old = target._array
    out = viewer.forward(old, **attrs)
    if target._edge is LEAF:
        _leave_family(target)
        target._array = out
        return target
    before = _graph.set_recording(True)  # the shape changes, so the history has to know
    try:
        edge = viewer.trace((wrap(old, edge_of(target)),), attrs, out)
    finally:
        _graph.set_recording(before)
    if target._base is None:
        _hand_over(target)
    if target._chain is not None:
        target._chain = (*target._chain, (viewer, attrs))
    target._array = out
    set_edge(target, edge)
    return target


def _hand_over(target: Tensor) -> None:
    """Put a base, which only views hold, in the place of ``target``, and make that a view."""
    base = wrap(target._array, target._edge)
    base._views = [*(target._views or ()), weakref.ref(target)]
    for ref in base._views:
        view = ref()
        if view is not None:
            view._base = base
    target._views, target._chain = None, ()


def write_out(out, result):
    """The ``out=`` argument of an op: ``result`` is written into ``out``, which is returned."""
    if not isinstance(out, Tensor):
        raise TypeError(f"argument 'out' must be Tensor, not {type(out).__name__}")
    if _graph.is_recording() and (out._edge is not None or result._edge is not None):
        raise errors.GraphError(
            "functions with out=... arguments don't support automatic differentiation, but one "
            "of the arguments requires grad; use the functional form or torch.no_grad()"
        )
    if out._array.shape != result._array.shape:  # PyTorch resizes out
        _leave_family(out)
        out._array = np.empty(result._array.shape, out._array.dtype)
    result = fit("out=", out, wrap(result._array))
    check_memory("out=", out._array)
    out._array[...] = result._array
    mark_mutated(out._array)
    return out
