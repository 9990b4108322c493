"""Differentiation: gradients on demand, custom functions, hooks, checks and anomaly mode.

``tensor.backward()`` accumulates into the ``grad`` of leaves; :func:`grad` returns gradients
instead. :class:`Function` adds an operation with a backward of your own,
:mod:`~tensorgrad.autograd.functional` computes Jacobians, Hessians and products with them, and
:func:`gradcheck` compares gradients with finite differences.
"""

from __future__ import annotations

import warnings

from .. import _graph
from .._graph import Tensor, wrap
from .._registry import FUNCTIONS
from . import anomaly, function, functional, grad_mode, hooks
from .anomaly import detect_anomaly, set_detect_anomaly
from .function import Function
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function", "Variable", "anomaly", "backward", "detect_anomaly", "enable_grad", "function",
    "functional", "grad", "grad_mode", "gradcheck", "gradgradcheck", "hooks", "inference_mode",
    "no_grad", "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip


def backward(
    tensors, grad_tensors=None, retain_graph=None, create_graph=False, grad_variables=None,
    inputs=None,
):  # fmt: skip
    """Accumulate the gradient of the sum of ``tensors`` into the ``grad`` of the leaves.

    Args:
        tensors: a tensor, or a sequence of them.
        grad_tensors: the gradient of each, None for a tensor with one element, where it is 1.
        retain_graph: keep what the graph saved, to walk it again. Defaults to ``create_graph``.
        create_graph: record the walk, so that the gradients can be differentiated. A ``grad``
            so made refers to its leaf; set it to None afterwards, or use :func:`grad`.
        grad_variables: the old name of ``grad_tensors``.
        inputs: the only tensors (leaves or not) whose ``grad`` to accumulate into.

    Raises:
        RuntimeError: a tensor is not tracked, or needs a gradient; ``inputs`` is empty or holds
            a tensor that does not require grad; the graph was freed.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0], requires_grad=True)
    >>> tensorgrad.autograd.backward([x.sum(), x * x], [None, tensorgrad.tensor([1.0, 1.0])])
    >>> x.grad
    tensor([3., 5.])
    """
    if grad_variables is not None:
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to "
                "`backward()`. Please only use `grad_tensors`."
            )
        warnings.warn(
            "`grad_variables` is deprecated. Use `grad_tensors` instead.",
            FutureWarning,
            stacklevel=2,
        )
        grad_tensors = grad_variables
    roots = _roots(_tensors(tensors), grad_tensors, create_graph)
    retain = create_graph if retain_graph is None else retain_graph
    _graph.backward_from(roots, retain, create_graph, inputs)


def grad(
    outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True,
    allow_unused=None, is_grads_batched=False, materialize_grads=False,
):  # fmt: skip
    """The gradients of the sum of ``outputs`` with respect to ``inputs``; no ``grad`` changes.

    Only the paths from outputs to inputs are walked, and only the inputs of operations that are
    on one are differentiated. The results share no memory with each other.

    Args:
        outputs: a tensor, or a sequence of them.
        inputs: a tensor, a sequence of them, or a dictionary of them; leaves or not.
        grad_outputs: the gradient of each output, None for one with a single element.
        retain_graph: keep what the graph saved, to walk it again. Defaults to ``create_graph``.
        create_graph: record the walk, so that the results can be differentiated.
        only_inputs: must be True.
        allow_unused: None for an input that the outputs do not depend on, instead of an error.
            Defaults to ``materialize_grads``.
        is_grads_batched: ``grad_outputs`` have a leading dimension, and so have the results. The
            graph is walked once for each of its entries.
        materialize_grads: zeros for such an input.

    Returns:
        A tuple with a gradient for each input; for a dictionary, a dictionary.

    Raises:
        RuntimeError: an output or input is not tracked, an input is unused, an output needs a
            gradient, or the graph was freed.
        ValueError: ``allow_unused=False`` with ``materialize_grads=True``.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor(3.0, requires_grad=True)
    >>> (slope,) = tensorgrad.autograd.grad(x**3, x, create_graph=True)
    >>> tensorgrad.autograd.grad(slope, x)
    (tensor(18.),)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )
    if not only_inputs:
        raise ValueError("only_inputs must be True; to accumulate into leaves, call backward()")
    if isinstance(inputs, dict):
        names, inputs = list(inputs), list(inputs.values())
        gradients = grad(
            outputs, inputs, grad_outputs, retain_graph, create_graph, only_inputs, allow_unused,
            is_grads_batched, materialize_grads,
        )  # fmt: skip
        return dict(zip(names, gradients, strict=True))
    inputs, outputs = _tensors(inputs), _tensors(outputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    retain = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        gradients = _batched(outputs, inputs, grad_outputs, retain, create_graph)
    else:
        roots = _roots(outputs, grad_outputs, create_graph)
        gradients = _graph.walk_to(roots, inputs, retain, create_graph)
    for i, g in enumerate(gradients):
        if g is None and not (allow_unused or materialize_grads):
            raise RuntimeError(
                f"The differentiated Tensor at index {i} appears to not have been used in the "
                "graph. Set allow_unused=True if this is the desired behavior."
            )
        if g is None and materialize_grads:
            gradients[i] = FUNCTIONS["zeros_like"](inputs[i])
    return tuple(gradients)


def _tensors(values) -> tuple:
    return (values,) if isinstance(values, Tensor) else tuple(values)


def _roots(outputs, grad_outputs, create_graph) -> dict:
    """Where a walk starts, with which gradients."""
    if grad_outputs is None:
        grads = (None,) * len(outputs)
    else:
        grads = _tensors(grad_outputs)
        if len(grads) < len(outputs):
            raise RuntimeError(
                f"got {len(outputs)} tensors and {len(grads)} gradients; give one gradient for "
                "each, None where the tensor has one element"
            )
    roots: dict = {}
    for i, (output, g) in enumerate(zip(outputs, grads, strict=False)):
        if not isinstance(output, Tensor):
            raise RuntimeError(f"element {i} of tensors must be a Tensor, got {type(output)}")
        _graph.add_root(roots, output, g, create_graph, i)
    return roots


def _batched(outputs, inputs, grad_outputs, retain, create_graph) -> list:
    """A walk for each entry of the leading dimension of ``grad_outputs``, stacked."""
    batches = _tensors(() if grad_outputs is None else grad_outputs)
    sizes = {None if not g.ndim else len(g) for g in batches}
    if len(sizes) != 1 or None in sizes:
        raise ValueError(
            "is_grads_batched=True needs grad_outputs with a leading dimension of one size, got "
            f"shapes {[tuple(g.shape) for g in batches]}"
        )
    (n,) = sizes
    rows = []
    for k in range(n):
        roots = _roots(outputs, [g[k] for g in batches], create_graph)
        rows.append(_graph.walk_to(roots, inputs, retain or k + 1 < n, create_graph))
    stack = FUNCTIONS["stack"]
    return [None if g[0] is None else stack(g) for g in zip(*rows, strict=True)]


class _VariableMeta(type):
    def __instancecheck__(cls, instance):
        return isinstance(instance, Tensor)


class Variable(metaclass=_VariableMeta):
    """A name from PyTorch's past: ``Variable(x)`` is the tensor ``x``, cut from its graph.

    Args:
        data: a tensor; None for an empty one.
        requires_grad: whether operations on it are recorded.
        volatile: has had no effect since ``no_grad`` exists.

    Raises:
        TypeError: ``data`` is not a tensor.
    """

    def __new__(cls, data=None, requires_grad=False, volatile=False):
        """The tensor."""
        if volatile:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.",
                stacklevel=2,
            )
        if data is None:
            data = FUNCTIONS["empty"](0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        t = wrap(data._array)
        t.requires_grad = requires_grad
        return t
