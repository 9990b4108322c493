"""Activation checkpointing: what a part of a model saved is dropped and computed again in backward.

The function runs recorded, and then what its nodes saved is thrown away; the graph itself stays.
The first gradient that reaches one of those nodes runs the function again, and what the new nodes
saved is put into the old ones. So everything that works on a graph works on this one: closures,
several outputs, ``autograd.grad``, hooks and ``create_graph``.

>>> import tensorgrad as torch
>>> from tensorgrad.utils.checkpoint import checkpoint
>>> x = torch.tensor([1.0, 2.0], requires_grad=True)
>>> checkpoint(lambda x: (x * x).exp(), x, use_reentrant=False).sum().backward()
>>> x.grad
tensor([  5.4366, 218.3926])
"""

from __future__ import annotations

import contextlib
import warnings
import weakref
from itertools import chain

import numpy as np

from .. import _graph
from .._graph import Hooks, Node, Tensor, edge_of, under, version_of, wrap
from ..errors import GraphError
from ..random import default_generator
from ._pytree import tree_leaves

__all__ = [
    "CheckpointError", "check_backward_validity", "checkpoint", "checkpoint_sequential",
    "detach_variable", "noop_context_fn", "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
]  # fmt: skip


class CheckpointError(RuntimeError):
    """The function did something else when it ran again."""


def noop_context_fn():
    """The default of ``context_fn``: two context managers that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def checkpoint(
    function, *args, use_reentrant=None, context_fn=noop_context_fn, determinism_check="default",
    debug=False, early_stop=True, **kwargs,
):  # fmt: skip
    """Run a function without keeping what backward needs; backward runs it again.

    Its memory is that of the arguments and the results, and during backward that of one ordinary
    run. Whatever else the function does when it runs (updating running statistics, say) happens
    twice.

    Args:
        function: what to run. It must do the same again, and may not write into its arguments.
        args: its arguments.
        use_reentrant: True runs it unrecorded where no argument requires grad, with a warning,
            and takes no ``kwargs``, as in PyTorch; otherwise both values do the same here. Left
            out, it is True, with a warning.
        context_fn: returns two context managers, for the first run and for the second.
        determinism_check: ``"default"`` compares shapes and dtypes of what both runs saved;
            ``"none"`` does not.
        debug: without effect: the message names the operations that differ in any case.
        early_stop: without effect: the function is run again to its end.
        kwargs: keyword arguments of ``function``; and ``preserve_rng_state`` (True), whether the
            second run draws the random numbers of the first.

    Returns:
        What the function returns.

    Raises:
        ValueError: arguments that go only with ``use_reentrant=False``; another
            ``determinism_check``.
        CheckpointError: at backward: the second run did other operations than the first.
        RuntimeError: at backward: an argument was written in place.

    Source: Chen et al., Training Deep Nets with Sublinear Memory Cost, arXiv:1604.06174.
    """
    if use_reentrant is None:
        _warn_reentrant("torch.utils.checkpoint", 3)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug is not False:
            raise ValueError(
                "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
            )
        check_backward_validity(args)
        if not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            return under(False, function, *args)
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"determinism_check should be one of ['default', 'none'] but got {determinism_check}"
        )
    forward_context, recompute_context = context_fn()
    frame = _Frame(function, args, kwargs, preserve, recompute_context, determinism_check)
    with forward_context:
        result = function(*args, **kwargs)
    frame.drop(result)
    return result


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """Run functions one after the other in checkpointed segments; the last one is not.

    Args:
        functions: a :class:`tensorgrad.nn.Sequential`, or functions of one argument.
        segments: how many segments to cut them into.
        input: what the first is given.
        use_reentrant: as for :func:`checkpoint`.
        kwargs: ``preserve_rng_state``, as for :func:`checkpoint`.

    Raises:
        ValueError: other keyword arguments.

    >>> import tensorgrad as torch
    >>> from tensorgrad.utils.checkpoint import checkpoint_sequential
    >>> model = torch.nn.Sequential(*[torch.nn.Linear(4, 4) for _ in range(4)])
    >>> checkpoint_sequential(model, 2, torch.ones(2, 4), use_reentrant=False).shape
    torch.Size([2, 4])
    """
    if use_reentrant is None:
        _warn_reentrant("torch.utils.checkpoint.checkpoint_sequential", 3)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    functions = list(functions)
    size = len(functions) // segments
    end = 0
    for start in range(0, size * (segments - 1), size):
        end = start + size
        input = checkpoint(
            _chained(functions[start:end]), input, use_reentrant=use_reentrant,
            preserve_rng_state=preserve,
        )  # fmt: skip
    return _chained(functions[end:])(input)


def _chained(functions):
    def run(value):
        for function in functions:
            value = function(value)
        return value

    return run


def _warn_reentrant(name, stacklevel):
    warnings.warn(
        f"{name}: the use_reentrant parameter should be passed explicitly; use_reentrant=False is "
        "recommended, the default is True",
        stacklevel=stacklevel,
    )


class _Frame:
    """One checkpointed call: how to run it again, and which nodes then want what it saved."""

    def __init__(self, function, args, kwargs, preserve, context, determinism_check):
        self.function, self.args, self.kwargs = function, args, kwargs
        self.state = default_generator._pack() if preserve else None
        self.context, self.check = context, determinism_check == "default"
        self.versions = [version_of(t._array) for t in self._inputs()]
        self.start = _graph._next()
        self.nodes: list = []  # weak references: each node holds this frame by its hook
        self.key = object()

    def _inputs(self):
        values = chain(self.args, self.kwargs.values())
        return [t for v in values for t in tree_leaves(v) if isinstance(t, Tensor)]

    def drop(self, result):
        """Throw away what the nodes of the call saved, until a gradient comes."""
        nodes = _made_since(self.start, result)
        if not any(node.saved for node in nodes):
            return
        self.nodes = [weakref.ref(node) for node in nodes]
        self.known = [_outline(node) for node in nodes]
        for node in nodes:
            if node.plan.frees:
                node.saved = None
            if getattr(node.plan, "single", True):  # else its gradient is a bundle of several
                if node._hooks is None:
                    node._hooks = Hooks()
                node._hooks.functions = {self.key: self.fill, **node._hooks.functions}

    def fill(self, gradient):
        """The hook of every node of the call: run the function again, and give back what it saved.

        It takes itself off all nodes first, so that it runs once.
        """
        nodes = [ref() for ref in self.nodes]
        for node in nodes:
            if node is not None and node._hooks is not None:
                node._hooks.functions.pop(self.key, None)
        if self.versions != [version_of(t._array) for t in self._inputs()]:
            raise GraphError(
                "torch.utils.checkpoint: an argument of the checkpointed function was written in "
                "place after the function began, so it cannot be run again; clone() it first"
            )
        start = _graph._next()
        made = _made_since(start, self._again())
        outlines = [_outline(node) for node in made]
        if len(made) != len(nodes) or (self.check and outlines != self.known):
            raise CheckpointError(_difference(self.known, outlines))
        for old, new in zip(nodes, made, strict=True):
            # What another checkpoint inside dropped, that one computes when it is its turn.
            if old is not None and old.plan.frees and new.saved is not None:
                old.saved = tuple([_settled(value, new, start) for value in new.saved])
        self.args, self.kwargs, self.function = (), {}, None

    def _again(self):
        state = default_generator._pack()
        if self.state is not None:
            default_generator._unpack(self.state)
        try:
            with self.context:
                return under(True, lambda: self.function(*self.args, **self.kwargs))
        finally:
            if self.state is not None:
                default_generator._unpack(state)


def _made_since(start, result) -> list:
    """The nodes of the graph of ``result`` that are younger than ``start``, oldest first."""
    found = []
    for t in tree_leaves(result):
        edge = edge_of(t) if isinstance(t, Tensor) else None
        if edge is not None and edge._seq > start:
            found.append(edge)
    seen = set(found)
    found = list(seen)
    for edge in found:  # grows while it is read
        for parent in edge._parents:
            if parent._seq > start and parent not in seen:
                seen.add(parent)
                found.append(parent)
    return sorted(found, key=_graph._by_seq)


def _outline(node: Node):
    """What must be the same of a node and its double: the operation, and what it saved."""
    saved = tuple(
        (v.shape, v.dtype.name) if isinstance(v, np.ndarray) else None for v in node.saved or ()
    )
    return node.plan.op.name, node._shape, saved


def _settled(value, new, start):
    """A saved value as an older node may have it: not written since that node was made.

    The second run may write memory in place before its node saves it; that is in order, but
    looks like a late write to the older node.
    """
    if isinstance(value, np.ndarray) and start < _graph.writes_to(value).seq < new._seq:
        return value.copy()
    if isinstance(value, tuple):
        return tuple([_settled(v, new, start) for v in value])
    return value


def _difference(before, after) -> str:
    for a, b in zip(before, after, strict=False):
        if a != b:
            break
    else:
        a, b = f"{len(before)} operations", f"{len(after)}"
    return (
        "torch.utils.checkpoint: the function did not do the same when it was run again for the "
        f"backward pass: first {a}, then {b}. It must not depend on what changes in between"
    )


# --- further names of PyTorch's module --------------------------------------------------


def detach_variable(inputs):
    """The tensors of a tuple as new leaves that require grad where the old ones do.

    Raises:
        RuntimeError: ``inputs`` is not a tuple.
    """
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs)}"
        )
    return tuple(_leaf_like(t) if isinstance(t, Tensor) else t for t in inputs)


def _leaf_like(t):
    leaf = wrap(t._array)
    leaf.requires_grad = t.requires_grad
    return leaf


def check_backward_validity(inputs):
    """Warn where no tensor among the inputs requires grad."""
    if not any(isinstance(t, Tensor) and t.requires_grad for t in inputs):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=3
        )


@contextlib.contextmanager
def set_checkpoint_early_stop(enable):
    """Accepted without effect: the function is run again to its end in any case."""
    yield


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled):
    """Accepted without effect: messages name the operations that differ in any case."""
    yield
