"""Tensor, Node, the backward walk and the grad modes. Knows no op by name except ``sum_to``.

A tracked tensor points at its *edge*: the :class:`Node` that computed it, or, for a
leaf, the tensor itself (marked by :data:`LEAF`, so that no leaf refers to itself).
Nodes point only backwards, at the edges of their inputs, and save plain arrays, so
nothing forms a reference cycle and a graph dies with its last output.
"""

from __future__ import annotations

import threading
import warnings
import weakref
from itertools import count
from operator import attrgetter
from threading import get_ident

import numpy as np

from . import errors
from .errors import GraphError

ndarray, asarray = np.ndarray, np.asarray
_next = count(1).__next__  # creation order of nodes and of in-place writes, in one sequence
_by_seq = attrgetter("_seq")
_new = object.__new__

LEAF = type("Leaf", (), {"__slots__": (), "__repr__": lambda self: "LEAF"})()
sum_to = None  # bound by ops.shape: undoes broadcasting in the walk
conj = None  # bound by ops.special: the complex conjugate


# --- grad modes -------------------------------------------------------------------------


class _Mode(threading.local):
    recording = True
    inference = False


mode = _Mode()
_lock = threading.Lock()
_grad_lock = threading.Lock()  # held while a walk adds to the grad of a leaf
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


def under(recording: bool, function, *args):
    """Call ``function`` with recording on or off."""
    before = set_recording(recording)
    try:
        return function(*args)
    finally:
        set_recording(before)


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
    while base is not None:
        if isinstance(base, ndarray):
            array = base
        base = getattr(base, "base", None)  # stride tricks put a dummy between two arrays
    return array


def writes_to(array: ndarray) -> Write:
    """The record of the writes to the memory of ``array``; valid for as long as that lives."""
    owner = owner_of(array)
    write = _writes.get(id(owner))
    if write is None:
        write = _writes[id(owner)] = Write(owner)
    return write


def mark_mutated(array: ndarray) -> None:
    """Note that the memory of ``array`` was written in place."""
    mark_all_mutated((writes_to(array),))


def mark_all_mutated(writes) -> None:
    """Note one write in place to each memory; an optimizer keeps its records of :func:`writes_to`.

    Finding a record takes 0.5 us, more than many a parameter takes to be updated.
    """
    global last_write
    with _lock:
        last_write = seq = _next()
    for write in writes:
        write.seq = seq
        write.count += 1
    if anomaly is not None:
        for write in writes:
            write.trace = anomaly.user_line()


def version_of(array: ndarray) -> int:
    """How often the memory of ``array`` was written in place."""
    write = _writes.get(id(owner_of(array)))
    return 0 if write is None else write.count


def _check_fresh(node) -> None:
    """Refuse to use what ``node`` saved if its memory was written since."""
    named = dict(zip(node.plan.slots, node.saved, strict=True))
    for name, value in {**named, **(node.attrs or {})}.items():
        for array in _arrays(value):
            write = _writes.get(id(owner_of(array)))
            if write is not None and write.seq > node._seq:
                raise GraphError(_stale(node, name, array, write))


def _arrays(value):
    """The arrays in a saved value: itself, or those in a tuple of inputs or indices."""
    if type(value) is ndarray:
        return (value,)
    if isinstance(value, tuple | list):
        return tuple(a for item in value for a in _arrays(item))
    return (value._array,) if isinstance(value, Tensor) else ()


def _stale(node, name, array, write) -> str:
    op = node.plan.op.name
    lines = (
        f"; {op} was recorded at {node.trace}, the write was at {write.trace}"
        if node.trace and write.trace
        else "; autograd.set_detect_anomaly(True) shows the two lines"
    )
    return (
        f"one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: {name!r} of {op}, {errors.describe(array)}, was written after {op} ran (its "
        f"memory is at version {write.count}){lines}; use the out-of-place form of that write, or "
        f"clone() the tensor first"
    )


# --- nodes ------------------------------------------------------------------------------


class Node:
    """One recorded operation: what ``tensor.grad_fn`` returns.

    Attributes:
        plan: what the op saves and runs for its tracked inputs.
        saved: arrays (and shapes) that its vjps read, laid out by ``plan``; None once freed.
        attrs: the keyword arguments of the op, or None.
        trace: in anomaly mode, the user's line that ran the op.
        _parents: the edges of the inputs that need a gradient.
    """

    __slots__ = (
        "__weakref__", "_hooks", "_parents", "_seq", "_shape", "attrs", "plan", "saved", "trace",
    )  # fmt: skip

    def __init__(self, plan, parents, saved, attrs, shape):
        self.plan, self._parents, self.saved = plan, parents, saved
        self.attrs, self._shape, self._seq = attrs, shape, _next()
        self._hooks = self.trace = None

    op = property(attrgetter("plan.op"), doc="The op that ran.")

    def name(self) -> str:
        """The name PyTorch gives the backward of this operation, ``"MulBackward0"``."""
        name = self.plan.op.grad_name
        return name if isinstance(name, str) else name(self)

    @property
    def next_functions(self):
        """Pairs (node, 0) for the inputs that need a gradient; leaves as AccumulateGrad."""
        return tuple((p if p._seq else AccumulateGrad.of(p), 0) for p in self._parents)

    def __repr__(self):
        return f"<{self.name()} object at {id(self):#x}>"


class AccumulateGrad:
    """Stands for a leaf in ``next_functions``; ``variable`` is the leaf."""

    def __init__(self, variable):
        self.variable = variable
        self.next_functions = ()

    @classmethod
    def of(cls, leaf) -> AccumulateGrad:
        """The one object that stands for ``leaf`` for as long as somebody holds it."""
        known = None if leaf._accumulator is None else leaf._accumulator()
        if known is None:
            known = cls(leaf)
            leaf._accumulator = weakref.ref(known)
        return known

    def name(self) -> str:
        """The name that PyTorch gives this end of the graph."""
        return "torch::autograd::AccumulateGrad"

    def __repr__(self):
        return f"<AccumulateGrad object at {id(self):#x}>"


class Hooks:
    """Functions to call when a gradient reaches one edge; see :mod:`tensorgrad.autograd.hooks`.

    Attributes:
        functions: called with the gradient of the tensor, may replace it.
        retainers: weak references to the tensors that keep it as their ``grad``.
        after: leaves only: called with the leaf once its ``grad`` has been written.
        before, around: nodes only: called before the vjps ran, and after.
    """

    __slots__ = ("after", "around", "before", "functions", "retainers")

    def __init__(self):
        self.functions: dict = {}
        self.retainers: list = []  # weak: a tensor that died needs no gradient
        self.after: dict = {}
        self.before: dict = {}
        self.around: dict = {}

    def run(self, g, create_graph):
        """Pass ``g`` through the hooks; a hook that returns a tensor replaces it."""
        t = g if create_graph else for_user(g)
        for function in list(self.functions.values()):
            result = under(create_graph, function, t)
            if result is not None:
                t = _replacement(function, t, result)
        for ref in self.retainers:
            tensor = ref()
            if tensor is not None:
                accumulate(tensor, t if create_graph else t._array.copy(), create_graph)
        return t if create_graph else t._array

    def run_before(self, g, create_graph):
        """Pass the gradient of a node through the hooks on the node itself."""
        return _run_tuple(self.before, (g,), (), create_graph)[0]

    def run_around(self, gradients, g, create_graph):
        """Pass what the vjps of a node gave through the hooks that see both sides."""
        return _run_tuple(self.around, gradients, ((g,),), create_graph)


def for_user(g) -> Tensor:
    """A gradient for a hook or custom backward; not the shared read-only one a walk starts from."""
    g = asarray(g)
    return wrap(g if g.ndim or g.flags.writeable else g.copy())


def _run_tuple(functions, gradients, more, create_graph):
    """Pass a tuple of gradients through hooks that may replace it."""

    def box(values):
        return tuple(v if v is None or isinstance(v, Tensor) else for_user(v) for v in values)

    current = box(gradients)
    for function in list(functions.values()):
        result = under(create_graph, function, current, *map(box, more))
        if result is None:
            continue
        result = (result,) if isinstance(result, Tensor) else tuple(result)
        if len(result) != len(current):
            raise RuntimeError(
                f"hook {_name_of(function)!r} has returned an incorrect number of values "
                f"(got {len(result)}, but expected {len(current)})"
            )
        current = tuple(
            old if new is None or old is None else _replacement(function, old, new)
            for old, new in zip(current, result, strict=True)
        )
    return current if create_graph else tuple(None if t is None else t._array for t in current)


def _replacement(function, old, new):
    """``new``, which a hook returned for the gradient ``old``, checked."""
    if not isinstance(new, Tensor):
        raise TypeError(
            f"hook {_name_of(function)!r} must return a Tensor or None, got {type(new).__name__}"
        )
    was, got = old._array, new._array
    if was.shape != got.shape or was.dtype != got.dtype:
        what = "size" if was.shape != got.shape else "type"
        raise RuntimeError(
            f"hook {_name_of(function)!r} has changed the {what} of value: the gradient is "
            f"{errors.describe(was)}, the hook returned {errors.describe(got)}"
        )
    return new


def _name_of(function) -> str:
    return getattr(function, "__name__", type(function).__name__)


class Tensor:
    """An n-dimensional array that records what is done to it. See :mod:`tensorgrad`."""

    __slots__ = ("__dict__", "__weakref__", "_array", "_edge", "_grad")

    # Edge protocol: what the walk reads of a leaf in place of a Node.
    _parents = ()
    _seq = 0
    _shape = property(attrgetter("_array.shape"))

    # Rare per-tensor state lives in __dict__; these are its defaults.
    _hooks = None
    _base = None  # for a view: the tensor it looks into, and the ops that lead there
    _chain = ()
    _views = None  # weak references to the views of this tensor
    _locked = None  # why it may not be written in place
    _accumulator = None  # for a leaf: weak reference to its AccumulateGrad

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
        if on and self._array.dtype.kind not in "fc":
            raise RuntimeError(
                "only Tensors of floating point and complex dtype can require gradients, got "
                f"{self._array.dtype}"
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
        if self._grad is None and not self.is_leaf and self._edge._hooks is None:
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its "
                ".grad attribute won't be populated during autograd.backward(); call "
                ".retain_grad() on it before, or read the .grad of the leaf it came from.",
                stacklevel=2,
            )
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
        backward_from(roots, retain, create_graph, inputs)


def wrap(array: ndarray, edge=None) -> Tensor:
    """A Tensor on ``array`` itself, no copy; ``edge`` is what computed it."""
    t = _new(Tensor)
    t._array, t._edge, t._grad = array, edge, None
    return t


def set_edge(t: Tensor, edge) -> None:
    """Hang ``t``, which was written in place, on another node; it keeps retaining its gradient."""
    old, t._edge = t._edge, edge
    if isinstance(old, Node) and old._hooks is not None and isinstance(edge, Node):
        mine = [ref for ref in old._hooks.retainers if ref() is t]
        if mine:
            old._hooks.retainers.remove(mine[0])
            if edge._hooks is None:
                edge._hooks = Hooks()
            edge._hooks.retainers += mine


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
    t = computed(out, plan, parents, plan.keep(env), attrs)
    if special and anomaly is not None:
        t._edge.trace = anomaly.user_line()
    return t


def computed(out, plan, parents, saved, attrs=None) -> Tensor:
    """The Tensor for ``out`` on a new Node.

    Every recorded op ends here, so it makes both without calling either class: 0.1 us less.
    """
    node = _new(Node)
    node.plan = plan
    node._parents = parents
    node.saved = saved
    node.attrs = attrs
    node._shape = out.shape
    node._seq = _next()
    node._hooks = node.trace = None
    t = _new(Tensor)
    t._array = out
    t._edge = node
    t._grad = None
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


def add_root(roots, tensor, gradient, create_graph, index=0) -> None:
    """Enter ``tensor`` into ``roots`` with its starting gradient, checked and defaulted."""
    array = tensor._array
    if tensor._edge is None:
        raise GraphError(
            f"element {index} of tensors does not require grad and does not have a grad_fn: it was "
            "not recorded; set requires_grad=True on an input, and check that it was not computed "
            "under no_grad(), detached or converted to integers"
        )
    if gradient is None:
        if array.size != 1:
            raise GraphError(
                f"grad can be implicitly created only for scalar outputs, got shape "
                f"{array.shape}; pass the gradient, or reduce with sum() or mean() first"
            )
        if array.dtype.kind == "c":
            raise GraphError(
                f"grad can be implicitly created only for real scalar outputs but got {array.dtype}"
                "; pass the gradient, or make the output real, as by abs()"
            )
        g = _one(array.dtype) if array.ndim == 0 else np.ones_like(array)
    else:
        g = gradient._array if isinstance(gradient, Tensor) else gradient
        if type(g) is not ndarray:
            raise TypeError(
                f"gradients can be either Tensors or None, but got {type(gradient).__name__}"
            )
        if g.shape != array.shape:
            raise GraphError(
                f"Mismatch in shape: grad_output[{index}] has a shape of {g.shape} and "
                f"output[{index}] has a shape of {array.shape}; they must be equal"
            )
        if (g.dtype.kind == "c") != (array.dtype.kind == "c"):
            raise GraphError(
                "For complex Tensors, both grad_output and output are required to have the same "
                f"dtype. Mismatch in dtype: grad_output[{index}] has a dtype of {g.dtype} and "
                f"output[{index}] has a dtype of {array.dtype}."
            )
        if g.dtype != array.dtype:
            gradient = gradient.to(array.dtype) if isinstance(gradient, Tensor) else None
            g = g.astype(array.dtype)
    if create_graph:
        g = gradient if isinstance(gradient, Tensor) else wrap(g)
    elif tensor._edge is LEAF:
        g = g.copy()  # it becomes the leaf's grad
    edge = edge_of(tensor)
    old = roots.get(edge)
    roots[edge] = g if old is None else old + g


_queued: dict = {}  # thread -> functions to call once its backward pass is over


def queue_callback(function) -> None:
    """Call ``function`` when the backward pass of this thread ends; for hooks."""
    _queued.setdefault(get_ident(), []).append(function)


def backward_from(roots, retain, create_graph, inputs=None) -> None:
    """Walk from ``roots`` and accumulate into every leaf, or only into ``inputs``."""
    if inputs is None:
        outer = _queued.pop(get_ident(), None) if _queued else None  # of a walk around this one
        try:
            walk(roots, retain, create_graph)
            if _queued:
                for function in _queued.pop(get_ident(), ()):
                    function()
        finally:
            if _queued:
                _queued.pop(get_ident(), None)  # an error came before its turn
            if outer is not None:
                _queued[get_ident()] = outer
        return
    if isinstance(inputs, dict):
        inputs = inputs.values()
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    inputs = list({id(t): t for t in inputs}.values())
    for t, g in zip(inputs, walk_to(roots, inputs, retain, create_graph), strict=True):
        if g is not None:
            accumulate(t, g if create_graph else g._array, create_graph)


def walk_to(roots, targets, retain, create_graph) -> list:
    """The gradients of the roots with respect to ``targets``; None where no path leads.

    They are Tensors that share no memory with each other or with the roots' gradients.
    """
    edges = []
    for t in targets:
        if not isinstance(t, Tensor):
            raise RuntimeError(f"all inputs have to be Tensors, but got {type(t).__name__}")
        if t._edge is None:
            raise GraphError(
                "One of the differentiated Tensors does not require grad: the one at index "
                f"{len(edges)}; set requires_grad=True on it before it is used"
            )
        edges.append(edge_of(t))
    found = walk(roots, retain, create_graph, dict.fromkeys(edges))
    taken = set(map(id, roots.values()))  # of what must not be handed out (again)
    gradients = []
    for edge in edges:
        g = found[edge]
        if g is not None and create_graph:
            if id(g) in taken or g._array.base is not None:
                g = under(True, g.clone)
            taken.add(id(g))
        elif g is not None:
            # What reached a leaf is its own; elsewhere arrays are passed on, not copied.
            own = not edge._seq and edge._hooks is None and id(g) not in taken
            taken.add(id(g))
            g = wrap(asarray(g) if own else np.array(g))
        gradients.append(g)
    return gradients


def reach(roots) -> list:
    """Every edge that the roots depend on, latest first; creation order is topological."""
    order, seen = list(roots), set(roots)
    for edge in order:  # grows while it is read
        for parent in edge._parents:
            if parent not in seen:
                seen.add(parent)
                order.append(parent)
    order.sort(key=_by_seq, reverse=True)
    for edge in reversed(order):
        if edge._seq:
            break
        if edge._hooks is not None and edge._hooks.after:
            return _leaves_early(order)
    return order


def _leaves_early(order) -> list:
    """``order`` with each leaf right behind the last node that adds to its gradient.

    So a hook that updates a parameter and drops its gradient bounds the memory for gradients.
    """
    due: dict = {}
    placed = set()
    for edge in reversed(order):  # oldest first
        for parent in edge._parents:
            if not parent._seq and parent not in placed:
                placed.add(parent)
                due.setdefault(edge, []).append(parent)
    free = [edge for edge in order if not edge._seq and edge not in placed]
    return free + [e for node in order if node._seq for e in (node, *due.get(node, ()))]


def _leading_to(targets, order) -> dict:
    """For each node on a path to a target: which of its parents are on one, or are targets."""
    leading: dict = {}
    for edge in reversed(order):  # oldest first: parents are decided before children
        wanted = tuple([p in targets or p in leading for p in edge._parents])
        if True in wanted:
            leading[edge] = wanted
    return leading


class Part:
    """A gradient of ``shape`` that is ``value`` at a basic ``index`` and zero elsewhere.

    What the vjps of views that read a part return on arrays: the walk adds it to the sum of
    their base, so a loop over the slices of a tensor takes one array of zeros and not one each.
    """

    __slots__ = ("index", "shape", "value")

    def __init__(self, value, shape, index):
        self.value, self.shape, self.index = value, shape, index

    def dense(self) -> ndarray:
        """The whole gradient."""
        out = np.zeros(self.shape, self.value.dtype)
        out[self.index] = self.value
        return out

    def added_to(self, total, own: bool) -> ndarray:
        """The sum with ``total``; in its memory if it is ``own``, None standing for zero."""
        if total is None:
            return self.dense()
        if not own or type(total) is not ndarray:  # sums of 0-d arrays are scalars
            total = np.array(total)
        total[self.index] += self.value
        return total


def _dense(gradients) -> list:
    return [g.dense() if type(g) is Part else g for g in gradients]


# --- complex gradients ------------------------------------------------------------------
#
# The gradient of a real L with respect to z = a + ib is dL/da + i dL/db, as in PyTorch. Through a
# holomorphic f it is g * conj(f'(z)). The vjps are written for real numbers, g * f'(z); running
# them on conj(g) and conjugating what they give is exactly that, so no rule says it twice.


def is_complex(g) -> bool:
    """Whether a gradient in a walk is complex: an array, a number, a Tensor or a Bundle."""
    dtype = g._array.dtype if isinstance(g, Tensor) else g.dtype
    return dtype is not None and dtype.kind == "c"


def complex_run(plan, run):
    """``run`` of a plan for a complex gradient."""
    kind = plan.op.complex
    if kind == "as is":
        return run
    if kind == "holomorphic":
        return lambda g, saved, attrs: [_conjugated(r) for r in run(_conjugated(g), saved, attrs)]
    raise GraphError(
        f"{plan.op.name}: the gradient of complex tensors is not supported here; compute it from "
        "the real and imaginary parts, or detach() the complex tensor"
    )


def _conjugated(g):
    if type(g) is Part:
        return Part(_conjugated(g.value), g.shape, g.index)
    if g is None or not is_complex(g):
        return g
    return conj(g) if isinstance(g, Tensor) else np.conjugate(g)


# --- walking ----------------------------------------------------------------------------


def walk(roots: dict, retain: bool, create_graph: bool, found: dict | None = None):
    """Carry the gradients of ``roots`` down the graph.

    Without ``found``, leaf gradients are accumulated into ``grad``. With it (its keys are
    edges), only the paths to those edges are walked, and their gradients are put there.

    Plain arrays are passed to the vjps, so there is nothing to record, and the mode is left as
    it is but for hooks and custom functions. Under ``create_graph`` Tensors are passed, with
    each saved array hung back on its edge, so the same vjps are recorded in turn.
    """
    order = reach(roots)
    leading = None if found is None else _leading_to(found, order)
    grads = dict(roots)
    take, waiting = grads.pop, grads.get
    summed = set()  # edges whose entry in grads is a fresh sum, which nothing else refers to
    everyday = found is None and not create_graph and anomaly is None
    real = None  # a dtype that was found to be real: one comparison a node tells, 20 ns
    if create_graph:
        before = set_recording(True)
    try:
        for node in order:
            g = take(node, None)
            if g is None:
                continue
            hooks = node._hooks
            if hooks is not None:
                g = hooks.run(g, create_graph)
            if found is not None and node in found:
                found[node] = g
            if not node._seq:
                if found is None and node._edge is LEAF:
                    accumulate(node, g, create_graph)
                continue
            plan, saved = node.plan, node.saved
            if leading is not None and node not in leading:
                continue
            if saved is None:
                raise GraphError(
                    f"Trying to backward through the graph a second time: what {plan.op.name} "
                    "saved was freed by the first walk; pass retain_graph=True to that one, or "
                    "run the forward pass again"
                )
            if node._seq < last_write:
                _check_fresh(node)
            if everyday and hooks is None and not plan.reuses and g.dtype is real:
                gradients = plan.run(g, saved, node.attrs)
            else:  # one test for all of these saves 0.1 us a node
                run = plan.run if leading is None else plan.part(leading[node])
                if create_graph:
                    saved = plan.on_edges(node, saved, node._parents)
                if hooks is not None and hooks.before:
                    g = hooks.run_before(g, create_graph)
                if plan.reuses:  # it may write into g if nobody else can see that
                    unseen = hooks is None and (found is None or node not in found)
                    node.attrs["own"] = unseen and node in summed and type(g) is ndarray
                if is_complex(g):
                    run = complex_run(plan, run)
                else:
                    real = g.dtype
                gradients = run(g, saved, node.attrs)
                if anomaly is not None:
                    gradients = _dense(gradients)
                    anomaly.check(node, gradients)
                if hooks is not None and hooks.around:
                    gradients = hooks.run_around(_dense(gradients), g, create_graph)
            for parent, gp in zip(node._parents, gradients):  # noqa: B905 - strict= costs 0.2 us
                if gp is None:
                    continue
                if type(gp) is Part:
                    grads[parent] = gp.added_to(waiting(parent), parent in summed)
                    summed.add(parent)
                    continue
                if gp.shape != parent._shape:
                    gp = sum_to(gp, shape=parent._shape)  # undo broadcasting, in one place
                old = waiting(parent)
                if old is None:
                    if not parent._seq and not create_graph and (gp is g or gp.base is not None):
                        gp = gp.copy()  # the gradient of a leaf owns its memory
                    grads[parent] = gp
                    if plan.reuses and type(gp) is ndarray and gp.base is None and unseen:
                        if gp is not g or node.attrs["own"]:
                            summed.add(parent)
                elif parent in summed and type(old) is ndarray:
                    old += gp
                else:
                    grads[parent] = old + gp
                    if not create_graph:
                        summed.add(parent)
            if plan.frees and not retain:
                node.saved = None  # the edges stay, so that a second walk gets here and says so
            saved = gradients = gp = old = None  # what they hold may go before the next vjp runs
    except GraphError:
        raise
    except Exception as error:
        _add_place(error, node)
        raise
    finally:
        if create_graph:
            set_recording(before)
    return found


def _add_place(error, edge) -> None:
    """Note on an error from a vjp, a custom backward or a hook where the walk was."""
    if edge._seq and hasattr(error, "add_note"):  # Python 3.11
        made = f", recorded at {edge.trace}" if edge.trace else ""
        error.add_note(f"in the backward pass, at {edge.name()} of shape {edge._shape}{made}")


def accumulate(leaf: Tensor, g, create_graph: bool) -> None:
    """Add ``g`` to ``leaf.grad``: in place, unless the gradient is itself being recorded."""
    if create_graph:
        old = leaf._grad
        _check_kind(leaf, g._array)
        leaf._grad = under(True, g.clone) if old is None else under(True, old.__add__, g)
    else:
        with _grad_lock:  # two threads may walk graphs that share a leaf
            old = leaf._grad
            if old is None:
                if g.dtype is not leaf._array.dtype:
                    _check_kind(leaf, g)
                if type(g) is not ndarray or not g.flags.writeable or leaf._hooks is not None:
                    g = np.array(g)  # a scalar, a shared starting gradient, or held by a hook
                leaf._grad = wrap(g)
            elif old._edge is None and (old._array.base is None or _may_add_to(old._array)):
                array = old._array
                array += g
                mark_mutated(array)
            else:
                leaf._grad = wrap(np.asarray(old._array + g))
    if leaf._hooks is not None and leaf._hooks.after:
        for function in list(leaf._hooks.after.values()):
            under(create_graph, function, leaf)


def _check_kind(leaf, g) -> None:
    """A real tensor has a real gradient, and a complex one a complex one."""
    if (g.dtype.kind == "c") != (leaf._array.dtype.kind == "c"):
        raise GraphError(f"a gradient of {g.dtype} reached a leaf of {leaf._array.dtype}")


def _may_add_to(view) -> bool:
    """False for what ``expand`` made: its elements share memory."""
    return view.flags.writeable and 0 not in view.strides
