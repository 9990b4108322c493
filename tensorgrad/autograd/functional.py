"""Jacobians, Hessians and their products with vectors, of functions of tensors.

``inputs`` is a tensor or a tuple of tensors; ``func`` takes them and returns a tensor or a
tuple. Results are tuples in the places where inputs or outputs are. What the inputs were
computed from takes part only with ``create_graph=True``; then the results can be differentiated.
With ``strict=True`` an output that does not depend on an input is an error, otherwise its
derivative is zero.
"""

from __future__ import annotations

import numpy as np

from .. import _graph
from .._graph import LEAF, Tensor, wrap
from .._registry import FUNCTIONS
from .grad_mode import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def jacobian(
    func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"
):
    """All derivatives of all outputs: each has the shape of the output, then that of the input.

    Args:
        func: the function; returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors of floating-point dtype.
        create_graph: record the computation, so that the result can be differentiated.
        strict: raise where an output does not depend on an input.
        vectorize: accepted; the graph is walked once per element of the outputs in any case.
        strategy: ``"reverse-mode"``; ``"forward-mode"`` is accepted with ``vectorize=True``,
            and computed in reverse as well.

    Returns:
        One tensor for one output and one input, a tuple for several of either, and
        ``J[output][input]`` for several of both.

    Raises:
        TypeError: inputs or outputs are not tensors.
        RuntimeError: an input is not floating-point, or ``strict`` is violated.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0, 3.0])
    >>> tensorgrad.autograd.functional.jacobian(lambda x: x * x, x)
    tensor([[2., 0., 0.],
            [0., 4., 0.],
            [0., 0., 6.]])
    """
    _check_strategy(strategy, vectorize, strict)
    with enable_grad():
        inputs, one_input = _prepare(inputs, create_graph, "jacobian")
        outputs, one_output = _apply(func, inputs, strict, "jacobian")
        rows = []
        for k, output in enumerate(outputs):
            blocks = _blocks(output, k, inputs, strict, create_graph)
            rows.append(blocks[0] if one_input else blocks)
    return rows[0] if one_output else tuple(rows)


def hessian(
    func, inputs, create_graph=False, strict=False, vectorize=False,
    outer_jacobian_strategy="reverse-mode",
):  # fmt: skip
    """All second derivatives of a function with one output of one element.

    Args:
        func: the function; returns a tensor with one element.
        inputs: a tensor or a tuple of tensors of floating-point dtype.
        create_graph: record the computation, so that the result can be differentiated.
        strict: raise where the first derivative does not depend on an input.
        vectorize: as for :func:`jacobian`.
        outer_jacobian_strategy: as ``strategy`` of :func:`jacobian`.

    Returns:
        A tensor of the input's shape twice; for several inputs ``H[i][j]``, a tuple of tuples.

    Raises:
        TypeError, RuntimeError: as :func:`jacobian`, or the output has not one element.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0])
    >>> tensorgrad.autograd.functional.hessian(lambda x: (x * x * x).sum(), x)
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    _check_strategy(outer_jacobian_strategy, vectorize, strict)
    one_input = isinstance(inputs, Tensor)

    def gradient(*inputs):
        output = _apply_scalar(func, inputs, strict, "hessian")
        gradients = _grads((output,), inputs, None, create_graph=True)
        gradients = _filled(gradients, inputs, strict, "Output 0")
        _check_tracked(gradients, strict, _SECOND_ORDER)
        return gradients[0] if one_input else gradients

    return jacobian(gradient, inputs, create_graph=create_graph, strict=strict)


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """The outputs, and the product of ``v`` with the Jacobian: ``v`` has the outputs' shapes.

    Args:
        func: the function; returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors of floating-point dtype.
        v: a tensor or tuple like the outputs; may be None for one output of one element.
        create_graph: record the computation, so that the results can be differentiated.
        strict: raise where an output does not depend on an input.

    Returns:
        ``(outputs, product)``; the product is like the inputs.

    Raises:
        TypeError, RuntimeError: as :func:`jacobian`, or ``v`` does not fit the outputs.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0, 2.0])
    >>> tensorgrad.autograd.functional.vjp(lambda x: x * x, x, tensorgrad.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    with enable_grad():
        inputs, one_input = _prepare(inputs, create_graph, "vjp")
        outputs, one_output = _apply(func, inputs, strict, "vjp")
        if v is None and (len(outputs) != 1 or outputs[0]._array.size != 1):
            raise RuntimeError(
                "The vector v can only be None if the user-provided function returns a single "
                "Tensor with a single element."
            )
        v = _vectors(v, outputs, one_output, "vjp")
        product = _grads(outputs, inputs, v, create_graph)
        product = _filled(product, inputs, strict, "The output")
        _check_differentiable(product, strict and create_graph)
    return _result(outputs, one_output, create_graph), _result(product, one_input, create_graph)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """The outputs, and the product of the Jacobian with ``v``: ``v`` has the inputs' shapes.

    Two reverse walks make a forward one: the vjp is linear in its vector, and its own vjp
    with respect to that vector is this product.

    Args:
        func: the function; returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors of floating-point dtype.
        v: a tensor or tuple like the inputs; may be None for one input of one element.
        create_graph: record the computation, so that the results can be differentiated.
        strict: raise where an output does not depend on an input.

    Returns:
        ``(outputs, product)``; the product is like the outputs.

    Raises:
        TypeError, RuntimeError: as :func:`jacobian`, or ``v`` does not fit the inputs.

    >>> import tensorgrad
    >>> x, v = tensorgrad.tensor([1.0, 2.0]), tensorgrad.tensor([1.0, 0.5])
    >>> tensorgrad.autograd.functional.jvp(lambda x: (x * x).sum(), x, v)
    (tensor(5.), tensor(4.))
    """
    with enable_grad():
        v = _input_vectors(v, inputs, create_graph, "jvp")
        inputs, _ = _prepare(inputs, create_graph, "jvp")
        outputs, one_output = _apply(func, inputs, strict, "jvp")
        dummies = tuple(wrap(np.zeros_like(o._array), LEAF) for o in outputs)
        gradients = _grads(outputs, inputs, dummies, create_graph=True)
        _check_tracked(gradients, strict, "The gradient with respect to input {i}")
        product = _grads(gradients, dummies, v, create_graph)
        product = _filled(product, outputs, strict, "The gradient", "entry {i} of the outputs")
        _check_differentiable(product, strict and create_graph)
    return _result(outputs, one_output, create_graph), _result(product, one_output, create_graph)


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """The output, and the product of ``v`` with the Hessian of a function with one element.

    Args:
        func: the function; returns a tensor with one element.
        inputs: a tensor or a tuple of tensors of floating-point dtype.
        v: a tensor or tuple like the inputs; may be None for one input of one element.
        create_graph: record the computation, so that the results can be differentiated.
        strict: raise where the first derivative does not depend on an input.

    Returns:
        ``(output, product)``; the product is like the inputs.

    Raises:
        TypeError, RuntimeError: as :func:`hessian`, or ``v`` does not fit the inputs.

    >>> import tensorgrad
    >>> x, v = tensorgrad.tensor([1.0, 2.0]), tensorgrad.tensor([1.0, 1.0])
    >>> tensorgrad.autograd.functional.vhp(lambda x: (x * x * x).sum(), x, v)
    (tensor(9.), tensor([ 6., 12.]))
    """
    one_input = isinstance(inputs, Tensor)
    with enable_grad():
        v = _input_vectors(v, inputs, create_graph, "vhp")
        inputs, _ = _prepare(inputs, create_graph, "vhp")
        output = _apply_scalar(func, inputs, strict, "vhp")
        gradients = _grads((output,), inputs, None, create_graph=True)
        _check_tracked(gradients, strict, _SECOND_ORDER)
        product = _grads(gradients, inputs, v, create_graph)
        product = _filled(product, inputs, strict, "The jacobian")
        _check_differentiable(product, strict and create_graph)
    return _result((output,), True, create_graph), _result(product, one_input, create_graph)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """The output, and the product of the Hessian of a function with one element with ``v``.

    The Hessian is symmetric where the second derivatives are continuous; then :func:`vhp` gives
    the same for half the work. Here two further walks compute the product itself. Arguments,
    result and errors are those of :func:`vhp`.

    >>> import tensorgrad
    >>> x, v = tensorgrad.tensor([1.0, 2.0]), tensorgrad.tensor([1.0, 1.0])
    >>> tensorgrad.autograd.functional.hvp(lambda x: (x * x * x).sum(), x, v)
    (tensor(9.), tensor([ 6., 12.]))
    """
    one_input = isinstance(inputs, Tensor)
    with enable_grad():
        v = _input_vectors(v, inputs, create_graph, "hvp")
        inputs, _ = _prepare(inputs, create_graph, "hvp")
        output = _apply_scalar(func, inputs, strict, "hvp")
        gradients = _grads((output,), inputs, None, create_graph=True)
        _check_tracked(gradients, strict, _SECOND_ORDER)
        dummies = tuple(wrap(np.zeros_like(x._array), LEAF) for x in inputs)
        seconds = _grads(gradients, inputs, dummies, create_graph=True)
        _check_tracked(seconds, strict, "The hessian with respect to input {i}")
        product = _grads(seconds, dummies, v, create_graph)
        product = _filled(product, inputs, strict, "The hessian", "entry {i} of the gradient")
        _check_differentiable(product, strict and create_graph)
    return _result((output,), True, create_graph), _result(product, one_input, create_graph)


# --- arguments and results --------------------------------------------------------------

_SECOND_ORDER = (
    "While computing the hessian, found that the jacobian of the user-provided function with "
    "respect to input {i}"
)


def _check_strategy(strategy, vectorize, strict) -> None:
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            f'Expected strategy to be either "forward-mode" or "reverse-mode", got {strategy!r}'
        )
    if strict and vectorize:
        raise RuntimeError(
            "`strict=True` and `vectorize=True` are not supported together; set one to False"
        )
    if strategy == "forward-mode" and strict:
        raise AssertionError(
            'strict=True is not supported with strategy="forward-mode"; use "reverse-mode"'
        )
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            "the forward-mode strategy is accepted only with vectorize=True; use reverse-mode"
        )


def _as_tuple(values, what, name):
    """``values`` as a tuple of tensors, and whether it was a tensor alone."""
    if isinstance(values, Tensor):
        return (values,), True
    if not isinstance(values, tuple):
        raise TypeError(
            f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the "
            f"given {what} has type {type(values)}."
        )
    for i, value in enumerate(values):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but "
                f"the value at index {i} has type {type(value)}."
            )
    return values, False


def _prepare(inputs, create_graph, name):
    """The inputs as new tensors that require grad: the function may have captured the old ones."""
    inputs, one = _as_tuple(inputs, "inputs", name)
    fresh = []
    for x in inputs:
        if create_graph and x.requires_grad:
            fresh.append(x.clone())
        else:
            x = wrap(x._array)
            x.requires_grad = True
            fresh.append(x)
    return tuple(fresh), one


def _apply(func, inputs, strict, name):
    """The outputs of the function as a tuple, and whether it returned a tensor alone."""
    outputs, one = _as_tuple(func(*inputs), "outputs of the user-provided function", name)
    for k, output in enumerate(outputs):
        if strict and not output.requires_grad:
            raise RuntimeError(
                f"Output {k} of the user-provided function does not require gradients. The "
                "outputs must be computed in a differentiable manner from the input when running "
                "in strict mode."
            )
    return outputs, one


def _apply_scalar(func, inputs, strict, name):
    """The output of a function that must return one tensor with one element."""
    outputs, one = _apply(func, inputs, strict, name)
    if not one:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if outputs[0]._array.size != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a single "
            f"element, got shape {outputs[0]._array.shape}"
        )
    return outputs[0]


def _input_vectors(v, inputs, create_graph, name):
    """The vectors of a product from the right, which are like the inputs."""
    inputs, one = _as_tuple(inputs, "inputs", name)
    if v is None and (len(inputs) != 1 or inputs[0]._array.size != 1):
        raise RuntimeError(
            "The vector v can only be None if the input to the user-provided function is a single "
            "Tensor with a single element."
        )
    if v is None:
        return (wrap(np.ones_like(inputs[0]._array)),)
    return _vectors(v, inputs, one, name)


def _vectors(v, others, one, name):
    """``v`` as a tuple of the shapes of ``others``; None stands for ones."""
    if v is None:
        return None
    v, _ = _as_tuple(v, "v", name)
    if len(v) != len(others):
        raise RuntimeError(
            "The given v should contain a single Tensor."
            if one
            else f"v is a tuple of invalid length: should be {len(others)} but got {len(v)}."
        )
    for i, (vector, other) in enumerate(zip(v, others, strict=True)):
        if vector._array.shape != other._array.shape:
            raise RuntimeError(
                f"{'' if one else f'Entry {i} in '}v has invalid size: should be {other.shape} "
                f"but got {vector.shape}."
            )
    return v


def _result(values, one, create_graph):
    """The tensors for the caller, cut from the graph unless it was asked for."""
    if not create_graph:
        values = tuple(wrap(v._array) for v in values)
    return values[0] if one else tuple(values)


# --- gradients that may be missing ------------------------------------------------------


def _grads(outputs, inputs, grad_outputs, create_graph):
    """As :func:`tensorgrad.autograd.grad`; what is missing among the outputs is left out."""
    roots: dict = {}
    for i, output in enumerate(outputs):
        if output is not None and output.requires_grad:
            g = None if grad_outputs is None else grad_outputs[i]
            _graph.add_root(roots, output, g, create_graph, i)
    return tuple(_graph.walk_to(roots, inputs, True, create_graph))


def _filled(gradients, like, strict, whose, of="input {i}"):
    """The gradients, zeros for None; or, when strict, an error."""
    for i, g in enumerate(gradients):
        if g is None and strict:
            raise RuntimeError(
                f"{whose} of the user-provided function is independent of {of.format(i=i)}. "
                "This is not allowed in strict mode."
            )
    return tuple(
        wrap(np.zeros_like(x._array)) if g is None else g
        for g, x in zip(gradients, like, strict=True)
    )


def _check_tracked(gradients, strict, whose) -> None:
    """When strict, refuse first derivatives that do not depend on the inputs."""
    for i, g in enumerate(gradients):
        if strict and (g is None or not g.requires_grad):
            raise RuntimeError(
                f"{whose.format(i=i)} is independent of the input. This is not allowed in strict "
                "mode. You should ensure that your function is twice differentiable and that the "
                "jacobian depends on the inputs (this would be violated by a linear function for "
                "example)."
            )


def _check_differentiable(gradients, strict) -> None:
    for i, g in enumerate(gradients):
        if strict and not g.requires_grad:
            raise RuntimeError(
                f"The jacobian of the user-provided function is independent of input {i}. This is "
                "not allowed in strict mode when create_graph=True."
            )


def _blocks(output, k, inputs, strict, create_graph):
    """The Jacobian of one output with respect to each input."""
    g = np.zeros(output._array.shape, output._array.dtype)
    columns: list = [[] for _ in inputs]
    for at in np.ndindex(g.shape):
        g[at] = 1.0
        gradients = _grads((output,), inputs, (wrap(g.copy()),), create_graph)
        g[at] = 0.0
        gradients = _filled(gradients, inputs, strict, f"Output {k}")
        _check_differentiable(gradients, strict and create_graph)
        for column, gradient in zip(columns, gradients, strict=True):
            column.append(gradient)
    shapes = [g.shape + x._array.shape for x in inputs]
    if create_graph and g.size:
        stack = FUNCTIONS["stack"]
        return tuple(
            stack(column).reshape(shape) for column, shape in zip(columns, shapes, strict=True)
        )
    return tuple(
        wrap(np.array([t._array for t in column], x._array.dtype).reshape(shape))
        for column, x, shape in zip(columns, inputs, shapes, strict=True)
    )
