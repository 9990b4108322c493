"""Hooks on tensors and on nodes of the graph, and gradients kept for tensors that are not leaves.

The functions that take a tensor are methods of Tensor.
"""

from __future__ import annotations

import weakref
from itertools import count

from .._graph import LEAF, Hooks, Node, edge_of

__all__ = [
    "RemovableHandle", "register_hook", "register_post_accumulate_grad_hook", "retain_grad",
    "retains_grad",
]  # fmt: skip


class RemovableHandle:
    """What registering a hook returns: ``remove()`` takes the hook away again.

    As a context manager it takes the hook away at the end of the ``with`` block.

    Args:
        hooks: the dictionary that the hook is in, or goes into, under :attr:`id`.
    """

    _ids = count()

    def __init__(self, hooks: dict):
        self._hooks, self.id = hooks, next(self._ids)

    def remove(self) -> None:
        """Take the hook away. A second call does nothing."""
        self._hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.remove()


def _add(hooks: dict, hook) -> RemovableHandle:
    if not callable(hook):
        raise TypeError(f"a hook must be callable, got {type(hook).__name__}")
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def _hooks_of(edge) -> Hooks:
    if edge._hooks is None:
        edge._hooks = Hooks()
    return edge._hooks


def _check_tracked(tensor) -> None:
    if tensor._edge is None:
        raise RuntimeError(
            "cannot register a hook on a tensor that doesn't require gradient; "
            "set requires_grad=True on it first"
        )


def register_hook(tensor, hook) -> RemovableHandle:
    """Call ``hook(grad)`` whenever a backward pass has the gradient of this tensor.

    The hook must not change ``grad``; it may return a tensor of the same shape and dtype, which
    takes its place: downstream, in ``grad`` and in what ``autograd.grad`` returns (where PyTorch
    returns the one from before, if it is asked for something further down as well). Hooks run
    in the order of their registration. Under ``create_graph`` they are recorded.

    After an in-place operation on the tensor the hook stays with the value from before.

    Raises:
        RuntimeError: the tensor does not require grad; at backward, the hook returned another
            shape or dtype.
        TypeError: the hook is not callable; at backward, it returned something else.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0], requires_grad=True)
    >>> handle = x.register_hook(lambda grad: grad * 10)
    >>> x.sum().backward()
    >>> x.grad
    tensor([10., 10.])
    >>> handle.remove()
    """
    _check_tracked(tensor)
    return _add(_hooks_of(edge_of(tensor)).functions, hook)


def register_post_accumulate_grad_hook(tensor, hook) -> RemovableHandle:
    """Call ``hook(tensor)`` whenever backward has added to the ``grad`` of this leaf.

    With it an optimizer can update (and free) each parameter's gradient as soon as it is there.

    Raises:
        RuntimeError: the tensor does not require grad, or is not a leaf.
        TypeError: the hook is not callable.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0], requires_grad=True)
    >>> handle = x.register_post_accumulate_grad_hook(lambda leaf: print(leaf.grad))
    >>> x.sum().backward()
    tensor([1., 1.])
    """
    _check_tracked(tensor)
    if tensor._edge is not LEAF:
        raise RuntimeError(
            "post accumulate grad hooks cannot be registered on non-leaf tensors; "
            "use register_hook()"
        )
    return _add(_hooks_of(tensor).after, hook)


def retain_grad(tensor) -> None:
    """Have backward fill ``grad`` of this tensor although it is not a leaf.

    Nothing happens for a leaf, whose ``grad`` is filled anyway. The gradient is the one after
    all hooks. After an in-place operation on the tensor it is that of the new value.

    Raises:
        RuntimeError: the tensor does not require grad.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0], requires_grad=True)
    >>> y = x * 2
    >>> y.retain_grad()
    >>> y.sum().backward()
    >>> y.grad
    tensor([1., 1.])
    """
    if tensor._edge is None:
        raise RuntimeError(
            "can't retain_grad on Tensor that has requires_grad=False; "
            "set requires_grad=True on it or on an input first"
        )
    if tensor._edge is not LEAF and not retains_grad(tensor):
        _hooks_of(tensor._edge).retainers.append(weakref.ref(tensor))


def retains_grad(tensor) -> bool:
    """Whether :func:`retain_grad` is in force: False for leaves."""
    edge = tensor._edge
    if edge is None or edge is LEAF or edge._hooks is None:
        return False
    return any(ref() is tensor for ref in edge._hooks.retainers)


# --- nodes ------------------------------------------------------------------------------


def _register_hook(node, hook) -> RemovableHandle:
    """Call ``hook(grad_inputs, grad_outputs)`` after this node computed its gradients.

    Both are tuples: the gradients for ``next_functions``, in that order, and the one the node
    was given. A tuple that the hook returns takes the place of ``grad_inputs``.
    """
    return _add(_hooks_of(node).around, hook)


def _register_prehook(node, hook) -> RemovableHandle:
    """Call ``hook(grad_outputs)`` before this node computes its gradients.

    It gets a tuple of one tensor; a tuple that it returns takes the place of it.
    """
    return _add(_hooks_of(node).before, hook)


Node.register_hook, Node.register_prehook = _register_hook, _register_prehook
