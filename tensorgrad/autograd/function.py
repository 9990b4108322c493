"""``Function``: an operation with its own backward, written by the user.

A call becomes one node, whose :class:`_Call` stands in for the plan of an op. With several
differentiable outputs each output gets a small node of its own, and those deliver their
gradients to the node of the call in a :class:`_Bundle`; so the walk knows nothing of outputs.
"""

from __future__ import annotations

import functools
import inspect
import warnings
import weakref
from types import SimpleNamespace

import numpy as np

from .. import _graph, _registry, errors
from .._graph import Node, Tensor, edge_of, for_user, mark_mutated, owner_of, under, wrap
from .._inplace import check_writable, rebase

__all__ = ["Function", "FunctionCtx", "once_differentiable"]

_FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed): pass retain_graph=True to the first walk, or run the forward "
    "pass again"
)
_LOCKED = (
    "Output {i} of {name} is a view and is being modified inplace. It shares memory with an input "
    "of that custom Function, so the write would bypass its backward and give wrong gradients; "
    "clone() the output of the custom Function first"
)


class FunctionCtx:
    """What forward leaves for backward: the ``ctx`` of a :class:`Function`.

    Any attribute may be set on it. Tensors that are inputs or outputs belong in
    :meth:`save_for_backward` instead, where they keep their place in the graph, are checked for
    in-place changes and are freed by the walk.

    Attributes:
        needs_input_grad: one bool per input, whether it is a tensor that requires grad.
        to_save, dirty_tensors, non_differentiable, materialize_grads: what the methods set.
    """

    needs_input_grad: tuple = ()
    to_save: tuple = ()
    saved_for_forward: tuple = ()
    dirty_tensors: tuple = ()
    non_differentiable: tuple = ()
    materialize_grads: bool = True
    _node = None  # weak: the node holds its ctx

    def save_for_backward(self, *tensors) -> None:
        """Keep tensors (or None) for :attr:`saved_tensors` in backward. The last call counts."""
        self.to_save = tensors

    def save_for_forward(self, *tensors) -> None:
        """Accepted for compatibility: there is no forward-mode differentiation to use it."""
        self.saved_for_forward = tensors

    def mark_dirty(self, *args) -> None:
        """Declare inputs that forward changed in place. Each must be returned by forward."""
        self.dirty_tensors = args

    def mark_non_differentiable(self, *args) -> None:
        """Declare outputs that carry no gradient. Integer outputs never do."""
        self.non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (the default) or None for an output that was not used."""
        self.materialize_grads = value

    @property
    def saved_tensors(self) -> tuple:
        """What :meth:`save_for_backward` kept, in its place in the graph.

        Raises:
            RuntimeError: a walk freed it.
        """
        node = None if self._node is None else self._node()
        if node is None:
            return ()
        if node.saved is None:
            raise errors.GraphError(_FREED)
        return node.plan.unpack(node)


class Function(FunctionCtx):
    """Base class of operations that bring their own backward.

    A subclass has two static methods and is called by :meth:`apply`::

        class Exp(Function):
            @staticmethod
            def forward(ctx, x):
                y = x.exp()
                ctx.save_for_backward(y)
                return y

            @staticmethod
            def backward(ctx, grad):
                (y,) = ctx.saved_tensors
                return grad * y

    ``forward`` runs unrecorded and returns a tensor or a tuple; elements of the tuple that are
    not tensors are passed through. ``backward`` gets one gradient per output and returns one per
    argument of ``forward``, None where there is none. Written in tensor operations it can be
    differentiated itself; where it is not, decorate it with :func:`once_differentiable`.

    ``forward`` may also leave ``ctx`` out, and ``setup_context(ctx, inputs, output)`` fill it.

    >>> import tensorgrad as torch
    >>> class Cube(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x**2 * grad
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> y = Cube.apply(x)
    >>> y
    tensor([1., 8.], grad_fn=<CubeBackward>)
    >>> y.sum().backward()
    >>> x.grad
    tensor([ 3., 12.])
    """

    def __init__(self, *args, **kwargs):
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all "
            "static, so you should invoke them on the class itself.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args, **kwargs):
        """Raises RuntimeError: functions are called by :meth:`apply`."""
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Write static "
            f"forward and backward methods and call {type(self).__name__}.apply(...)"
        )

    @staticmethod
    def forward(*args, **kwargs):
        """Compute the outputs from ``(ctx, *inputs)``, or from the inputs alone."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Fill ``ctx`` after a forward that does not take it."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """Compute the gradients of the inputs from those of the outputs."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward  # another name that a subclass may use

    @classmethod
    def apply(cls, *args, **kwargs):
        """Run forward and record the call.

        Raises:
            TypeError: the arguments do not fit ``forward``.
            RuntimeError: forward changed a leaf that requires grad, or an input that was marked
                dirty was not returned.
        """
        separate = cls.setup_context is not Function.setup_context
        args = _bound(cls.forward, args, kwargs, separate)
        ctx = FunctionCtx()
        needs = [isinstance(a, Tensor) and a._edge is not None for a in args]
        ctx.needs_input_grad = tuple(needs)
        # Before forward runs: an in-place operation in it may give an input another edge.
        parents = tuple([edge_of(a) for a, need in zip(args, needs, strict=True) if need])
        if separate:
            output = under(False, cls.forward, *args)
            under(False, cls.setup_context, ctx, args, output)
        else:
            output = under(False, cls.forward, ctx, *args)
        if not isinstance(output, tuple):
            return _hand_out(cls, ctx, args, parents, (output,))[0]
        return _hand_out(cls, ctx, args, parents, output)


def _bound(forward, args, kwargs, separate):
    """The arguments by position; with ``setup_context``, defaults too, as PyTorch has it."""
    code = getattr(forward, "__code__", None)
    if not kwargs and (not separate or (code is not None and code.co_argcount == len(args))):
        return args
    own = () if separate else (None,)
    bound = inspect.signature(forward).bind(*own, *args, **kwargs)
    if separate:
        bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(
            f"apply() takes no keyword-only arguments, but forward has {sorted(bound.kwargs)}; "
            "make them positional"
        )
    return bound.args[len(own) :]


def _backward_of(cls):
    """``backward`` of a Function, or the ``vjp`` that stands in for it."""
    if cls.vjp is Function.vjp:
        return cls.backward
    if cls.backward is not Function.backward:
        raise RuntimeError(
            "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. "
            "You should only implement one of them."
        )
    return cls.vjp


# --- recording a call -------------------------------------------------------------------


def _hand_out(cls, ctx, args, parents, outputs):
    """The outputs as the caller gets them, on the node of the call if it is recorded."""
    _check_marks(ctx, outputs)
    carrying = [i for i, t in enumerate(outputs) if _carries_gradient(t, ctx)]
    node = None
    if parents and carrying and _graph.is_recording():
        for t in ctx.dirty_tensors:
            check_writable(t)
        node = _record(cls, ctx, args, parents, outputs, carrying)
    ctx.to_save = ()
    results = []
    for i, t in enumerate(outputs):
        if node is not None and i in carrying:
            t = _on_node(node, i, t, args)
        elif isinstance(t, Tensor) and _among(t, args):
            # An input is handed out cut from its graph; itself only if that says nothing new.
            if t.requires_grad or not _among(t, ctx.dirty_tensors):
                t = wrap(t._array)
        results.append(t)
    return tuple(results)


def _among(t, values) -> bool:
    for value in values:  # any() takes three times as long
        if value is t:
            return True
    return False


def _carries_gradient(t, ctx) -> bool:
    return (
        isinstance(t, Tensor)
        and t._array.dtype.kind in "fc"
        and not _among(t, ctx.non_differentiable)
    )


def _check_marks(ctx, outputs) -> None:
    """Refuse what cannot be saved, and note the writes to dirty inputs."""
    for i, t in enumerate(ctx.to_save):
        if t is not None and not isinstance(t, Tensor):
            raise TypeError(
                f"save_for_backward can only save variables, but argument {i} is of type "
                f"{type(t).__name__}; set it as an attribute of ctx instead"
            )
    for t in ctx.dirty_tensors:
        if not _among(t, outputs):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as "
                "output. The inputs that are modified inplace must all be outputs of the Function."
            )
        mark_mutated(t._array)


def _record(cls, ctx, args, parents, outputs, carrying):
    """The node of a call."""
    call = _Call(cls, ctx, args, outputs, carrying)
    call.origins = [_origin(t, ctx, args, outputs, carrying) for t in ctx.to_save]
    arrays = tuple([None if t is None else t._array for t in ctx.to_save])
    shape = outputs[carrying[0]]._array.shape if call.single else None
    node = _CallNode(call, parents, arrays, None, shape)
    if _graph.anomaly is not None:
        node.trace = _graph.anomaly.user_line()
    ctx._node = weakref.ref(node)
    return node


def _origin(t, ctx, args, outputs, carrying):
    """Where a saved tensor stands in the graph: the index of an output, an edge, or None."""
    if t is None:
        return None
    for i in carrying:
        if t is outputs[i] and (_among(t, ctx.dirty_tensors) or not _among(t, args)):
            return i
    return edge_of(t)


def _on_node(node, i, t, args):
    """Output ``i`` as a tensor that the call computed."""
    call = node.plan
    edge = call.edge_of_output(node, i)
    if _among(t, call.ctx.dirty_tensors):
        rebase(t, wrap(t._array, edge))
        return t
    if t._edge is None and t._base is None and not _among(t, args):
        t._edge = edge  # the very tensor, as ctx may hold it
    else:
        t = wrap(t._array, edge)
    owner = owner_of(t._array)
    for a in args:
        if isinstance(a, Tensor) and owner_of(a._array) is owner:
            t._locked = _LOCKED.format(i=i, name=call.op.name)
            base = a if a._base is None else a._base
            base._views = [*(r for r in base._views or () if r() is not None), weakref.ref(t)]
            break
    return t


# --- walking a call ---------------------------------------------------------------------


class _CallNode(Node):
    """The node of a call; what is on its ctx can be read here too, as in PyTorch."""

    __slots__ = ()

    def __getattr__(self, name):
        return getattr(self.plan.ctx, name)


class _OutputNode(Node):
    """The node of one of several outputs: hands its gradient on to the node of the call."""

    __slots__ = ()

    @property
    def next_functions(self):
        return self._parents[0].next_functions

    def register_hook(self, hook):
        raise NotImplementedError(
            "hooks on the node of a Function with several outputs; register them on the tensors"
        )

    register_prehook = register_hook

    def __getattr__(self, name):
        return getattr(self._parents[0], name)


class _Bundle:
    """Gradients of several outputs of one call, by index, on their way to its node."""

    __slots__ = ("parts",)
    shape = base = dtype = None

    def __init__(self, parts: dict):
        self.parts = parts

    def __add__(self, other):
        parts = dict(self.parts)
        for i, g in other.parts.items():
            parts[i] = parts[i] + g if i in parts else g
        return _Bundle(parts)


class _OutputPlan:
    """The plan of an :class:`_OutputNode`."""

    frees, reuses, slots = False, False, ()

    def __init__(self, op):
        self.op = op

    def run(self, g, saved, attrs):
        return (_Bundle({attrs["index"]: g}),)

    def part(self, wanted):
        return self.run

    def on_edges(self, node, saved, parents):
        return saved


class _Call:
    """What the walk needs to know of one call of a Function; stands where ops have a Plan.

    Attributes:
        cls: the Function.
        ctx, needs: the ctx of the call, and which arguments require grad.
        inputs, outputs: per argument and per output, (shape, dtype) or None for a non-tensor.
        carrying: the indices of the differentiable outputs; ``single``: there is only one.
        origins: where each saved tensor stands, see :func:`_origin`.
        ends: with several outputs, weak references to their nodes.
    """

    __slots__ = (
        "carrying", "cls", "ctx", "ends", "inputs", "needs", "origins", "outputs", "single",
    )  # fmt: skip

    reuses = False

    def __init__(self, cls, ctx, args, outputs, carrying):
        self.cls, self.ctx, self.needs = cls, ctx, ctx.needs_input_grad
        self.inputs, self.outputs = _kinds(args), _kinds(outputs)
        self.carrying, self.single, self.ends = carrying, len(carrying) == 1, {}

    @property
    def op(self):
        """The names of the Function and of its node."""
        name = self.cls.__name__
        return SimpleNamespace(name=name, grad_name=name + "Backward", complex="as is")

    @property
    def slots(self) -> tuple:
        """Names of what was saved, for messages."""
        return tuple(f"saved_tensors[{k}]" for k in range(len(self.origins)))

    @property
    def frees(self) -> bool:
        """Whether there is something for the walk to free."""
        return bool(self.origins)

    def edge_of_output(self, node, i):
        """The node that output ``i`` hangs on; made anew if the output had been dropped."""
        if self.single:
            return node
        end = self.ends[i]() if i in self.ends else None
        if end is None:
            end = _OutputNode(_OutputPlan(self.op), (node,), (), {"index": i}, self.outputs[i][0])
            end.trace = node.trace
            self.ends[i] = weakref.ref(end)
        return end

    def on_edges(self, node, saved, parents):
        """Nothing to do: :meth:`unpack` hangs saved tensors on their edges when asked."""
        return saved

    def unpack(self, node):
        """The saved tensors of the call."""
        tensors = []
        for array, origin in zip(node.saved, self.origins, strict=True):
            edge = self.edge_of_output(node, origin) if isinstance(origin, int) else origin
            if array is None:
                tensors.append(None)
            elif isinstance(edge, Tensor) and edge._array is array:
                tensors.append(edge)  # a leaf that still has the memory it had
            else:
                tensors.append(wrap(array, edge))
        return tuple(tensors)

    def part(self, wanted):
        """:meth:`run` cut to the wanted inputs. Backward cannot be cut, its result is."""
        return lambda g, saved, attrs: tuple(
            gp if want else None for gp, want in zip(self.run(g, saved, attrs), wanted, strict=True)
        )

    def run(self, g, saved, attrs):
        """The gradients of the inputs that require grad, by the user's backward."""
        given = {self.carrying[0]: g} if self.single else g.parts
        grads = [self._grad_output(i, given.get(i)) for i in range(len(self.outputs))]
        create_graph = any(isinstance(g, Tensor) for g in given.values())
        result = under(create_graph, _backward_of(self.cls), self.ctx, *grads)
        result = result if isinstance(result, tuple) else (result,)
        expected = len(self.inputs)
        if len(result) < expected or any(r is not None for r in result[expected:]):
            raise RuntimeError(
                f"function {self.op.grad_name} returned an incorrect number of gradients "
                f"(expected {expected}, got {len(result)}): backward returns one per argument of "
                "forward, None for those that have none"
            )
        gradients = [self._fit(i, r) for i, r in enumerate(result[:expected]) if self._takes(i, r)]
        if create_graph:
            return gradients
        # As views, so that the walk copies what becomes the grad of a leaf: backward may have
        # returned a saved tensor, or kept its result.
        return [None if r is None else r._array.view() for r in gradients]

    def _grad_output(self, i, g):
        if g is not None:
            return g if isinstance(g, Tensor) else for_user(g)
        if self.outputs[i] is None or not self.ctx.materialize_grads:
            return None
        return wrap(np.zeros(*self.outputs[i]))

    def _takes(self, i, r) -> bool:
        """Whether argument ``i`` takes a gradient."""
        if self.inputs[i] is None and r is not None:
            raise RuntimeError(
                f"function {self.op.grad_name} returned a gradient different than None at "
                f"position {i + 1}, but the corresponding forward input was not a Variable"
            )
        return self.needs[i]

    def _fit(self, i, r):
        """A gradient that backward returned, checked; the walk sums it to the input's shape."""
        if r is None:
            return None
        if not isinstance(r, Tensor):
            raise RuntimeError(
                f"function {self.op.grad_name}: expected Variable or None (got "
                f"{type(r).__name__}) as the gradient of argument {i}"
            )
        shape, dtype = self.inputs[i]
        got = r._array.shape
        lead = len(got) - len(shape)
        if lead < 0 or any(n != m and n != 1 for n, m in zip(shape, got[lead:], strict=True)):
            raise errors.ShapeError(
                f"Function {self.op.grad_name} returned an invalid gradient at index {i} - got "
                f"{list(got)} but expected shape compatible with {list(shape)}"
            )
        return r if r._array.dtype == dtype else _registry.cast(r, dtype=dtype)


def _kinds(values):
    return [(v._array.shape, v._array.dtype) if isinstance(v, Tensor) else None for v in values]


# --- once_differentiable ----------------------------------------------------------------


def once_differentiable(backward):
    """Decorate a ``backward`` that is not differentiable: it runs unrecorded.

    Differentiating its results, which ``create_graph=True`` prepares, raises RuntimeError.

    >>> import tensorgrad as torch
    >>> class Twice(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...
    ...     @staticmethod
    ...     @torch.autograd.function.once_differentiable
    ...     def backward(ctx, grad):
    ...         return torch.from_numpy(grad.numpy() * 2)
    >>> x = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> Twice.apply(x).sum().backward()
    >>> x.grad
    tensor([2., 2.])
    """

    @functools.wraps(backward)
    def wrapper(ctx, *grad_outputs):
        result = under(False, backward, ctx, *grad_outputs)
        if not _graph.is_recording():
            return result
        inputs = ctx._node()._parents if ctx._node is not None else ()
        grads = tuple(edge_of(g) for g in grad_outputs if isinstance(g, Tensor) and g.requires_grad)
        results = tuple(
            wrap(r._array, Node(_Refusal, inputs + grads, (), None, r._array.shape))
            if isinstance(r, Tensor)
            else r
            for r in (result if isinstance(result, tuple) else (result,))
        )
        return results if isinstance(result, tuple) else results[0]

    return wrapper


class _Refusal:
    """The plan of a node that cannot be differentiated."""

    op = SimpleNamespace(
        name="once_differentiable", grad_name="torch::autograd::DelayedError", complex="as is"
    )
    frees, reuses, slots = False, False, ()

    @staticmethod
    def run(g, saved, attrs):
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )

    @staticmethod
    def part(wanted):
        return _Refusal.run

    @staticmethod
    def on_edges(node, saved, parents):
        return saved
