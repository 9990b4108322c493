"""Tensor, Node, the backward walk and the grad modes. Knows no op by name except ``sum_to``.

A tracked tensor points at its *edge*: the :class:`Node` that computed it, or, for a
leaf, the tensor itself (marked by :data:`LEAF`, so that no leaf refers to itself).
Nodes point only backwards, at the edges of their inputs, and save plain arrays, so
nothing forms a reference cycle and a graph dies with its last output.
"""

from __future__ import annotations

import threading
import weakref
from itertools import count
from operator import attrgetter

import numpy as np

from . import errors
from .errors import GraphError

ndarray, asarray = np.ndarray, np.asarray
_next = count(1).__next__  # creation order of nodes and of in-place writes, in one sequence
_by_seq = attrgetter("_seq")
_new = object.__new__

SELF = -1  # plan edge: the saved value is the node's own output
LEAF = type("Leaf", (), {"__slots__": (), "__repr__": lambda self: "LEAF"})()
sum_to = None  # bound by ops.shape: undoes broadcasting in the walk


# --- grad modes -------------------------------------------------------------------------


class _Mode(threading.local):
    recording = True
    inference = False


mode = _Mode()
_lock = threading.Lock()
anomaly = None  # set by autograd.anomaly: called with each new node, and with each gradient
# How many threads record differently from the default, plus one in anomaly mode. A module
# integer that is nearly always 0 costs an op 10 ns to look at; the thread-local, 45 ns.
special = 0


def set_recording(on: bool) -> bool:
    """Switch recording in this thread; returns what it was."""
    global special
    before = mode.recording
    if on != before:
        with _lock:
            special += -1 if on else 1
        mode.recording = on
    return before


def is_recording() -> bool:
    """Whether operations in this thread are recorded for backward."""
    return mode.recording


def set_anomaly(watcher) -> None:
    """Install (or with None remove) the watcher of anomaly mode."""
    global anomaly, special
    with _lock:
        special += (watcher is not None) - (anomaly is not None)
    anomaly = watcher


# --- in-place writes --------------------------------------------------------------------
#
# A write changes memory that a node may have saved. Instead of a version per saved value,
# which every recorded op would pay for, each written array remembers *when* it was last
# written, in the same sequence as the nodes: a saved value is stale when its memory was
# written after its node was made. A training loop writes parameters only between graphs,
# so one comparison with `last_write` skips the check for the whole graph.

last_write = 0
_writes: dict[int, Write] = {}  # by id of the array that owns the memory


class Write:
    """When the memory of one array was last written in place, and how often."""

    __slots__ = ("count", "owner", "seq", "trace")

    def __init__(self, owner):
        key = id(owner)
        self.owner = weakref.ref(owner, lambda _, key=key: _writes.pop(key, None))
        self.seq = self.count = 0
        self.trace = None


def owner_of(array: ndarray) -> ndarray:
    """The array at the end of the chain of views: it owns (or borrowed first) the memory."""
    base = array.base
    while type(base) is ndarray:
        array, base = base, base.base
    return array


def mark_mutated(array: ndarray) -> None:
    """Note that the memory of ``array`` was written in place."""
    global last_write
    owner = owner_of(array)
    write = _writes.get(id(owner))
    if write is None:
        write = _writes[id(owner)] = Write(owner)
    with _lock:
        last_write = write.seq = _next()
    write.count += 1
    if anomaly is not None:
        write.trace = anomaly.user_line()


def version_of(array: ndarray) -> int:
    """How often the memory of ``array`` was written in place."""
    write = _writes.get(id(owner_of(array)))
    return 0 if write is None else write.count


def _check_fresh(node) -> None:
    for value in node.saved:
        if type(value) is not ndarray:
            continue
        write = _writes.get(id(owner_of(value)))
        if write is not None and write.seq > node._seq:
            where = f"; written at {write.trace}" if write.trace else ""
            made = f"; recorded at {node.trace}" if node.trace else ""
            raise GraphError(
                f"a tensor of shape {value.shape} that the backward of {node.op.name} needs was "
                f"modified by an in-place operation after {node.op.name} ran (its memory is at "
                f"version {write.count}){where}{made}; use the out-of-place form of that "
                "operation or clone() the tensor first"
                + ("" if made else "; autograd.set_detect_anomaly(True) shows the lines")
            )


# --- nodes ------------------------------------------------------------------------------


class Node:
    """One recorded operation: what ``tensor.grad_fn`` returns.

    Attributes:
        op: the op that ran; ``attrs``: its keyword arguments.
        saved: arrays (and shapes) that its vjps read, laid out by ``plan``; None once freed.
        _parents: the edges of the inputs that need a gradient.
    """

    __slots__ = (
        "__weakref__", "_hooks", "_parents", "_seq", "_shape", "attrs", "op", "plan", "saved",
        "trace",
    )  # fmt: skip

    def __init__(self, op, parents, saved, plan, attrs, shape):
        self.op, self._parents, self.saved, self.plan = op, parents, saved, plan
        self.attrs, self._shape, self._seq = attrs, shape, _next()
        self._hooks = self.trace = None

    def name(self) -> str:
        """The name PyTorch gives the backward of this operation, ``"MulBackward0"``."""
        return self.op.grad_name

    @property
    def next_functions(self):
        """Pairs (node, 0) for the inputs that need a gradient; leaves as AccumulateGrad."""
        return tuple((p if p._op_seq else AccumulateGrad(p), 0) for p in self._parents)

    @property
    def _op_seq(self):
        return self._seq

    def __repr__(self):
        return f"<{self.name()} object at {id(self):#x}>"


class AccumulateGrad:
    """Stands for a leaf in ``next_functions``; ``variable`` is the leaf."""

    def __init__(self, variable):
        self.variable = variable
        self.next_functions = ()

    def name(self) -> str:
        """The name that PyTorch gives this end of the graph."""
        return "torch::autograd::AccumulateGrad"

    def __repr__(self):
        return f"<AccumulateGrad object at {id(self):#x}>"


class Hooks:
    """Functions to call with the gradient of one edge, and tensors that keep it."""

    __slots__ = ("after", "functions", "retainers")

    def __init__(self):
        self.functions: dict = {}
        self.retainers: list = []  # weak references: a tensor that died needs no gradient
        self.after: dict = {}  # leaves only: called once .grad has been written

    def run(self, g, create_graph):
        """Pass ``g`` through the hooks; a hook that returns a tensor replaces it."""
        t = g if create_graph else wrap(asarray(g))
        for function in list(self.functions.values()):
            result = function(t)
            if result is None:
                continue
            if not isinstance(result, Tensor):
                raise TypeError(f"a hook must return a Tensor or None, got {type(result).__name__}")
            if result._array.shape != t._array.shape:
                raise errors.ShapeError(
                    f"a hook changed the gradient's shape from {t._array.shape} to "
                    f"{result._array.shape}; return a tensor of the same shape"
                )
            t = result
        for ref in self.retainers:
            tensor = ref()
            if tensor is not None:
                tensor._grad = t if tensor._grad is None else tensor._grad + t
        return t if create_graph else t._array


class Tensor:
    """An n-dimensional array that records what is done to it. See :mod:`tensorgrad`."""

    __slots__ = ("__dict__", "__weakref__", "_array", "_edge", "_grad")

    # Edge protocol: what the walk reads of a leaf in place of a Node.
    _parents = ()
    _seq = _op_seq = 0
    _shape = property(attrgetter("_array.shape"))

    # Rare per-tensor state lives in __dict__; these are its defaults.
    _hooks = None
    _base = None  # for a view: the tensor it looks into, and the ops that lead there
    _chain = ()
    _views = None  # weak references to the views of this tensor

    # Ops on a mixture of ndarrays and Tensors are ours, see __array_ufunc__.
    __array_priority__ = 1000

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded. Assignable on leaves."""
        return self._edge is not None

    @requires_grad.setter
    def requires_grad(self, on):
        if self._edge is not None and self._edge is not LEAF:
            if not on:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables; this one is the "
                    f"result of {self._edge.op.name}: use detach() to cut it from its graph"
                )
            return
        if on and self._array.dtype.kind not in "f":
            hint = " (gradients of complex tensors are not supported)"
            raise RuntimeError(
                "only Tensors of floating point dtype can require gradients, got "
                f"{self._array.dtype}{hint if self._array.dtype.kind == 'c' else ''}"
            )
        self._edge = LEAF if on else None

    @property
    def is_leaf(self) -> bool:
        """True for tensors made by the user, not by a recorded operation."""
        return self._edge is None or self._edge is LEAF

    @property
    def grad_fn(self) -> Node | None:
        """The node that computed this tensor, None for leaves."""
        return None if self.is_leaf else self._edge

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward accumulated, None before the first. Assignable."""
        return self._grad

    @grad.setter
    def grad(self, g):
        if g is not None:
            if not isinstance(g, Tensor):
                raise TypeError(
                    f"assigned grad expected to be a Tensor or None but got {type(g).__name__}"
                )
            if g is self:
                raise RuntimeError("can't assign Variable as its own grad")
            if g._array.shape != self._array.shape or g._array.dtype != self._array.dtype:
                raise RuntimeError(
                    f"assigned grad has shape {g._array.shape} and dtype {g._array.dtype}, but the "
                    f"tensor has {self._array.shape} and {self._array.dtype}"
                )
        self._grad = g

    @grad.deleter
    def grad(self):
        self._grad = None

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Accumulate the gradient of this tensor into the ``grad`` of the leaves it came from.

        Args:
            gradient: d(objective)/d(self), of this tensor's shape; may be left out for a
                tensor with one element, where it is 1.
            retain_graph: keep what the graph saved, so that it can be walked again.
                Defaults to ``create_graph``.
            create_graph: record the walk itself, so that the gradients can be
                differentiated in turn.
            inputs: the only tensors whose ``grad`` to accumulate into.

        Raises:
            RuntimeError: the tensor is not tracked, has more than one element and no
                ``gradient``, or its graph was walked and freed before.

        >>> import tensorgrad
        >>> x = tensorgrad.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
        """
        retain = create_graph if retain_graph is None else retain_graph
        roots = {}
        add_root(roots, self, gradient, create_graph)
        if inputs is None:
            walk(roots, retain, create_graph)
        else:
            inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
            if not inputs:
                raise RuntimeError("`inputs` argument to `backward()` cannot be empty")
            for t, g in zip(inputs, walk_to(roots, inputs, retain, create_graph), strict=True):
                if g is not None:
                    accumulate(t, g, create_graph)


def wrap(array: ndarray, edge=None) -> Tensor:
    """A Tensor on ``array`` itself, no copy; ``edge`` is what computed it."""
    t = _new(Tensor)
    t._array, t._edge, t._grad = array, edge, None
    return t


def edge_of(t: Tensor):
    """What the walk calls the tensor: its node, itself for a tracked leaf, None if untracked."""
    edge = t._edge
    return t if edge is LEAF else edge


def record(op, mask, parents, env, attrs, out) -> Tensor:
    """The Tensor for ``out``, with its node unless recording is off.

    Args:
        op: the op that ran.
        mask: bit i set when input i needs a gradient.
        parents: the edges of those inputs, in order.
        env: the input arrays followed by ``out`` (and the op's residuals).
        attrs: keyword arguments of the op, or None for none.
        out: the result.
    """
    if special and not mode.recording:
        return wrap(out)
    plan = op.plans.get(mask) or op.compile(mask)
    node = Node(op, parents, plan.keep(env), plan, attrs, out.shape)
    if special and anomaly is not None:
        node.trace = anomaly.user_line()
    t = _new(Tensor)
    t._array, t._edge, t._grad = out, node, None
    return t


# --- the walk ---------------------------------------------------------------------------

_ONES: dict = {}  # read-only 0-d ones, the gradient that a scalar starts from


def _one(dtype):
    one = _ONES.get(dtype)
    if one is None:
        one = np.ones((), dtype)
        one.flags.writeable = False
        _ONES[dtype] = one
    return one


def add_root(roots, tensor, gradient, create_graph) -> None:
    """Enter ``tensor`` into ``roots`` with its starting gradient, checked and defaulted."""
    array = tensor._array
    if tensor._edge is None:
        raise GraphError(
            "element 0 of tensors does not require grad and does not have a grad_fn: backward() "
            "on a tensor that was not recorded; set requires_grad=True on an input, and check "
            "that it was not computed under no_grad() or detached"
        )
    if gradient is None:
        if array.size != 1:
            raise GraphError(
                f"grad can be implicitly created only for scalar outputs, got shape "
                f"{array.shape}; pass the gradient, or reduce with sum() or mean() first"
            )
        g = _one(array.dtype) if array.ndim == 0 else np.ones_like(array)
    else:
        g = gradient._array if isinstance(gradient, Tensor) else gradient
        if type(g) is not ndarray:
            raise TypeError(f"gradient must be a Tensor or None, got {type(gradient).__name__}")
        if g.shape != array.shape:
            raise GraphError(
                f"Mismatch in shape: the gradient has shape {g.shape} and the tensor "
                f"{array.shape}; they must be equal"
            )
        if g.dtype != array.dtype:
            g = g.astype(array.dtype)
            gradient = None
    if create_graph:
        g = gradient if isinstance(gradient, Tensor) else wrap(g)
    edge = edge_of(tensor)
    old = roots.get(edge)
    roots[edge] = g if old is None else old + g


def walk_to(roots, targets, retain, create_graph) -> list:
    """The gradients of the roots with respect to ``targets``; None where no path leads."""
    edges = [edge_of(t) for t in targets]
    if any(e is None for e in edges):
        raise GraphError("One of the differentiated Tensors does not require grad")
    found = walk(roots, retain, create_graph, dict.fromkeys(edges))
    return [found[e] for e in edges]


def reach(roots) -> list:
    """Every edge that the roots depend on, latest first; creation order is topological."""
    order, seen = list(roots), set(roots)
    for edge in order:  # grows while it is read
        for parent in edge._parents:
            if parent not in seen:
                seen.add(parent)
                order.append(parent)
    order.sort(key=_by_seq, reverse=True)
    return order


def _on_path(order, targets) -> set:
    """The edges from which some target can be reached."""
    needed = set(targets)
    for edge in reversed(order):  # oldest first: parents are decided before children
        if edge not in needed:
            for parent in edge._parents:
                if parent in needed:
                    needed.add(edge)
                    break
    return needed


def walk(roots: dict, retain: bool, create_graph: bool, found: dict | None = None):
    """Carry the gradients of ``roots`` down the graph.

    Without ``found``, leaf gradients are accumulated into ``grad``. With it (its keys are
    edges), only the paths to those edges are walked, and their gradients are put there.

    Plain arrays are passed to the vjps; under ``create_graph`` Tensors are, with each saved
    array hung back on its edge, so the same vjps are recorded in turn.
    """
    order = reach(roots)
    needed = None if found is None else _on_path(order, found)
    grads = dict(roots)
    before = set_recording(create_graph)
    try:
        for node in order:
            g = grads.pop(node, None)
            if g is None:
                continue
            if node._hooks is not None:
                g = node._hooks.run(g, create_graph)
            if found is not None:
                if node in found:
                    found[node] = g
                if node not in needed:
                    continue
            if not node._seq:
                if found is None:
                    accumulate(node, g, create_graph)
                continue
            saved, attrs, plan = node.saved, node.attrs, node.plan
            if saved is None:
                raise GraphError(
                    f"Trying to backward through the graph a second time: what {node.op.name} "
                    "saved was freed by the first walk; pass retain_graph=True to that one, or "
                    "run the forward pass again"
                )
            if node._seq < last_write:
                _check_fresh(node)
            if create_graph:
                saved = plan.on_edges(node)
            if plan.joint is not None:
                gradients = plan.joint(node, g, saved)
            elif attrs is None:
                gradients = [fn(g, *pick(saved)) for fn, pick, _ in plan.calls]
            else:
                gradients = [
                    fn(g, *pick(saved), **{k: attrs[k] for k in names})
                    for fn, pick, names in plan.calls
                ]
            if anomaly is not None:
                anomaly.check(node, gradients)
            for parent, gp in zip(node._parents, gradients, strict=True):
                if gp is None or (needed is not None and parent not in needed):
                    continue
                if gp.shape != parent._shape:
                    gp = sum_to(gp, shape=parent._shape)  # undo broadcasting, in one place
                if not parent._seq and not create_graph and _borrowed(gp, g):
                    gp = gp.copy()  # the gradient of a leaf owns its memory
                old = grads.get(parent)
                grads[parent] = gp if old is None else old + gp
            if plan.slots and not retain:
                node.saved, node._parents = None, ()
    finally:
        set_recording(before)
    return found


def _borrowed(gp, g) -> bool:
    return gp is g or gp.base is not None


def accumulate(leaf: Tensor, g, create_graph: bool) -> None:
    """Add ``g`` to ``leaf.grad``: in place, unless the gradient is itself being recorded."""
    old = leaf._grad
    if create_graph:
        leaf._grad = g.clone() if old is None else old + g
    else:
        g = g._array if isinstance(g, Tensor) else g
        if type(g) is not ndarray or not g.flags.writeable:
            g = np.array(g)  # a NumPy scalar, or the shared starting gradient
        if old is None:
            leaf._grad = wrap(g)
        elif old._edge is None:
            np.add(old._array, g, out=old._array)
            mark_mutated(old._array)
        else:
            leaf._grad = wrap(old._array + g)
    if leaf._hooks is not None and leaf._hooks.after:
        for function in list(leaf._hooks.after.values()):
            function(leaf)
