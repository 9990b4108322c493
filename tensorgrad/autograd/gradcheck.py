"""Gradient checks: backward against central differences, to first and second order."""

from __future__ import annotations

import warnings

import numpy as np

from .. import _graph
from .._graph import LEAF, Tensor, wrap

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient that backward computes differs from the one measured, or is not reproducible."""


def gradcheck(
    func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0,
    check_undefined_grad=True, check_grad_dtypes=False, check_batched_grad=False,
    check_batched_forward_grad=False, check_forward_ad=False, check_backward_ad=True,
    fast_mode=False, masked=None,
):  # fmt: skip
    """Compare the gradients that backward gives with central differences.

    Every entry ``d output[j] / d input[i]`` is checked, for each output and each input that
    requires grad: ``|backward - measured| <= atol + rtol * |measured|``. Of complex inputs and
    outputs both parts are checked, as two real numbers. Each output is walked by itself, twice,
    with no gradient for the other outputs. A function none of whose outputs requires grad must be
    constant.

    Args:
        func: takes the inputs, returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple; at least one must require grad, in float64 or complex128: in
            float32 the differences have about three right digits.
        eps: the step to each side.
        atol: absolute tolerance.
        rtol: relative tolerance.
        raise_exception: False to return False where the check fails.
        nondet_tol: how far two walks with the same gradient may lie apart.
        check_undefined_grad: accepted; the walks above leave outputs undefined in any case.
        check_grad_dtypes: accepted; the engine always gives a gradient the dtype of its input.
        check_batched_grad: also compare ``grad(..., is_grads_batched=True)`` with single walks.
        check_batched_forward_grad: must be False, there is no forward mode.
        check_forward_ad: must be False.
        check_backward_ad: False skips everything.
        fast_mode: compare one random projection per pair of input and output, which costs two
            evaluations instead of two per input element; where it fails, every entry is
            compared, to say which differs.
        masked: accepted; tensors are dense.

    Returns:
        True where the gradients agree; False otherwise, with ``raise_exception=False``.

    Raises:
        GradcheckError: they do not agree; the message names output, input and entry.
        ValueError: no input requires grad.
        RuntimeError: an input has stride 0 (see ``expand``), so that its elements cannot be
            varied one by one.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([0.5, 2.0], dtype=tensorgrad.float64, requires_grad=True)
    >>> tensorgrad.autograd.gradcheck(lambda x: (x * x).sum(), x)
    True
    """
    if check_forward_ad or check_batched_forward_grad:
        raise NotImplementedError(
            "gradcheck: there is no forward-mode differentiation to check; "
            "leave check_forward_ad and check_batched_forward_grad at False"
        )
    if not check_backward_ad:
        return True
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    try:
        _check(func, inputs, eps, atol, rtol, nondet_tol, check_batched_grad, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3,
    gen_non_contig_grad_outputs=False, raise_exception=True, nondet_tol=0.0,
    check_undefined_grad=True, check_grad_dtypes=False, check_batched_grad=False,
    check_fwd_over_rev=False, check_rev_over_rev=True, fast_mode=False, masked=False,
):  # fmt: skip
    """:func:`gradcheck` of the gradient: checks second derivatives.

    The function that is checked takes the inputs and the gradients of the outputs, and returns
    the gradients of the inputs; so it is differentiated with respect to both. ``grad_outputs``
    are the gradients at which to check, random where None (and not contiguous on demand of
    ``gen_non_contig_grad_outputs``). ``check_fwd_over_rev`` must be False, as there is no forward
    mode; ``check_rev_over_rev=False`` skips everything. All else is as for :func:`gradcheck`.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([0.5, 2.0], dtype=tensorgrad.float64, requires_grad=True)
    >>> tensorgrad.autograd.gradgradcheck(lambda x: (x * x * x).sum(), x)
    True
    """
    if check_fwd_over_rev:
        raise NotImplementedError(
            "gradgradcheck: there is no forward-mode differentiation to check; "
            "leave check_fwd_over_rev at False"
        )
    if not check_rev_over_rev:
        return True
    from . import grad

    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        outputs = _differentiable(func(*inputs))
        grad_outputs = tuple(_random_like(o, rng, gen_non_contig_grad_outputs) for o in outputs)
    elif isinstance(grad_outputs, Tensor):
        grad_outputs = (grad_outputs,)
    n = len(inputs)

    def gradient(*args):
        outputs = _differentiable(func(*args[:n]))
        targets = [x for x in args[:n] if _tracked(x)]
        found = grad(outputs, targets, args[n:], create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradient, (*inputs, *grad_outputs), eps=eps, atol=atol, rtol=rtol,
        raise_exception=raise_exception, nondet_tol=nondet_tol,
        check_batched_grad=check_batched_grad, fast_mode=fast_mode,
    )  # fmt: skip


def _tracked(x) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _outputs(result) -> tuple:
    outputs = (result,) if isinstance(result, Tensor) else result
    if not isinstance(outputs, tuple | list) or not all(isinstance(o, Tensor) for o in outputs):
        raise TypeError(
            "gradcheck: the function must return a Tensor or a sequence of Tensors, got "
            f"{type(result).__name__}"
        )
    return tuple(outputs)


def _differentiable(result) -> tuple:
    return tuple(o for o in _outputs(result) if o.requires_grad)


def _random_like(t, rng, strided):
    shape = (*t._array.shape, 2) if strided else t._array.shape
    values = rng.uniform(-1, 1, shape)
    if t._array.dtype.kind == "c":
        values = values + 1j * rng.uniform(-1, 1, shape)
    values = values.astype(t._array.dtype, copy=False)
    return wrap(values[..., 0] if strided else np.asarray(values), LEAF)


# --- one check --------------------------------------------------------------------------


def _check(func, inputs, eps, atol, rtol, nondet_tol, batched, fast) -> None:
    _check_inputs(inputs)
    outputs = _outputs(func(*inputs))
    tracked = [k for k, o in enumerate(outputs) if o.requires_grad]
    for i in (i for i, x in enumerate(inputs) if _tracked(x)):
        for k in () if tracked else range(len(outputs)):
            _check_zero(_measured(func, inputs, i, k, eps), i, k, atol)
        for k in tracked:
            if not fast or not _projections_agree(func, inputs, i, k, eps, atol, rtol, nondet_tol):
                measured = _measured(func, inputs, i, k, eps)
                computed = _computed(outputs, inputs, i, k, nondet_tol)
                _compare(computed, measured, outputs[k], inputs[i], i, k, atol, rtol)
            if batched:
                _check_batched(outputs, inputs, i, k)
            _check_proportional(_walk(outputs, inputs, i, k, wrap(_zeros(outputs[k]))), i, k)


def _check_inputs(inputs) -> None:
    """Refuse inputs that cannot be varied, and warn of those with too few digits."""
    for i, x in enumerate(inputs):
        if not _tracked(x):
            continue
        if x._array.dtype not in (np.float64, np.complex128):
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or "
                "complex. This check will likely fail if all the inputs are not of double "
                "precision floating point or complex. ",
                stacklevel=4,
            )
        sizes = zip(x._array.shape, x._array.strides, strict=True)
        if any(stride == 0 and size > 1 for size, stride in sizes):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs "
                "that are non-overlapping to be able to compute the numerical gradients "
                "correctly. You should call .contiguous on the input before passing it to "
                "gradcheck."
            )
    if not any(map(_tracked, inputs)):
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them "
            "have requires_grad=True."
        )


def _value(func, inputs, k):
    """Output ``k`` as a flat real array of its own."""
    array = _outputs(func(*inputs))[k]._array
    return np.array(_real(array), dtype=np.float64)


def _real(array):
    """The elements in one row of real numbers, those of complex ones as pairs.

    So the gradient dL/da + i dL/db of a complex number is the pair of the gradients of its parts.
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


def _places(array):
    """The places of the real numbers in ``array``: pairs (index, 1 or 1j)."""
    units = (1.0, 1j) if array.dtype.kind == "c" else (1.0,)
    return [(at, unit) for at in np.ndindex(array.shape) for unit in units]


def _zeros(t):
    return np.zeros(t._array.shape, t._array.dtype)


def _measured(func, inputs, i, k, eps):
    """The Jacobian by central differences, of shape (input elements, output elements).

    The input is varied in its own memory, so that a function which closes over it sees that
    too, and without a note of the write: it ends as it was.
    """
    x = inputs[i]._array
    rows = []
    for at, unit in _places(x):
        was = x[at].copy()
        try:
            x[at] = was + eps * unit
            above, up = x[at].copy(), _value(func, inputs, k)
            x[at] = was - eps * unit
            below, down = x[at].copy(), _value(func, inputs, k)
        finally:
            x[at] = was
        rows.append((up - down) / float(((above - below) / unit).real))  # the steps as rounded
    return np.array(rows)


def _walk(outputs, inputs, i, k, g):
    """The gradient of output ``k`` in direction ``g`` with respect to input ``i``, flat."""
    roots: dict = {}
    _graph.add_root(roots, outputs[k], g, False)
    (found,) = _graph.walk_to(roots, [inputs[i]], True, False)
    if found is None:
        return np.zeros(_real(inputs[i]._array).size)
    return _real(found._array)


def _computed(outputs, inputs, i, k, nondet_tol):
    """The Jacobian by backward, of shape (input elements, output elements)."""
    g = _zeros(outputs[k])
    columns = []
    for at, unit in _places(g):
        g[at] = unit
        columns.append(_walk(outputs, inputs, i, k, wrap(g)))
        _check_reentrant(columns[-1], _walk(outputs, inputs, i, k, wrap(g)), i, k, nondet_tol)
        g[at] = 0.0
    return np.array(columns).reshape(_real(g).size, _real(inputs[i]._array).size).T


def _check_reentrant(first, second, i, k, nondet_tol) -> None:
    apart = np.abs(first - second).max(initial=0.0)
    if apart > nondet_tol:
        raise GradcheckError(
            f"Backward is not reentrant, i.e., running backward with same input and grad_output "
            f"multiple times gives different values: for output {k} with respect to input {i} two "
            f"walks lie {apart:.3g} apart, and the tolerance for nondeterminism is {nondet_tol}; "
            "pass nondet_tol= if that is expected"
        )


def _check_proportional(gradient, i, k) -> None:
    if np.any(gradient != 0):
        raise GradcheckError(
            f"backward not multiplied by grad_output: with a gradient of zeros for output {k}, "
            f"that of input {i} is up to {np.abs(gradient).max():.3g}"
        )


def _check_zero(measured, i, k, atol) -> None:
    if np.abs(measured).max(initial=0.0) > atol:
        raise GradcheckError(
            f"Numerical gradient for function expected to be zero: output {k} does not require "
            f"grad, yet it changes by up to {np.abs(measured).max():.6g} with input {i}; was "
            "it detached?"
        )


def _compare(computed, measured, output, x, i, k, atol, rtol) -> None:
    wrong = ~(np.abs(computed - measured) <= atol + rtol * np.abs(measured))
    if not wrong.any():
        return
    excess = np.where(wrong, np.abs(computed - measured) - rtol * np.abs(measured), -np.inf)
    excess[wrong & np.isnan(excess)] = np.inf
    row, column = np.unravel_index(np.argmax(excess), wrong.shape)
    there, here = _places(output._array)[column], _places(x._array)[row]
    raise GradcheckError(
        f"Jacobian mismatch for output {k} with respect to input {i}: {int(wrong.sum())} of "
        f"{wrong.size} entries differ, most at d output[{_subscript(there)}] / "
        f"d input[{_subscript(here)}],\nnumerical: {measured[row, column]:.9g}\n"
        f"analytical: {computed[row, column]:.9g}\n"
        f"(tolerance: atol={atol:g} + rtol={rtol:g} * |numerical|; output of shape "
        f"{output._array.shape}, input of shape {x._array.shape})"
    )


def _subscript(place) -> str:
    index, unit = place
    return (", ".join(map(str, index)) or "()") + (" (imaginary part)" if unit == 1j else "")


def _check_batched(outputs, inputs, i, k) -> None:
    from . import grad

    computed = _computed(outputs, inputs, i, k, np.inf)
    array = outputs[k]._array
    g = np.zeros((_real(array).size, *array.shape), array.dtype)
    for row, (at, unit) in enumerate(_places(array)):
        g[(row, *at)] = unit
    size = len(g)
    (rows,) = grad(
        outputs[k], inputs[i], wrap(g), retain_graph=True, is_grads_batched=True, allow_unused=True
    )
    batched = np.zeros_like(computed)
    if rows is not None:
        batched = _real(rows._array).reshape(size, -1).T
    if not np.allclose(batched, computed, rtol=1e-9, atol=1e-12):
        raise GradcheckError(
            f"gradients of output {k} with respect to input {i} computed in a batch differ from "
            "those computed one by one"
        )


# --- fast mode --------------------------------------------------------------------------


def _positive_like(rng, array):
    """Random numbers of the shape and kind of ``array``, whose parts do not cancel in sums."""
    values = rng.uniform(0.5, 1.0, array.shape)
    return values + 1j * rng.uniform(0.5, 1.0, array.shape) if array.dtype.kind == "c" else values


def _projections_agree(func, inputs, i, k, eps, atol, rtol, nondet_tol) -> bool:
    """Whether ``v' J u`` is the same measured and computed, for one random ``u`` and ``v``."""
    x = inputs[i]._array
    outputs = _outputs(func(*inputs))
    rng = np.random.default_rng(0)
    u, v = _positive_like(rng, x), _positive_like(rng, outputs[k]._array)
    u /= np.linalg.norm(u) or 1.0
    was = x.copy()
    try:
        x[...] = was + eps * u
        up = _value(func, inputs, k)
        x[...] = was - eps * u
        down = _value(func, inputs, k)
    finally:
        x[...] = was
    measured = ((up - down) / (2 * eps) * _real(v)).sum()
    g = wrap(np.asarray(v.astype(outputs[k]._array.dtype)))
    first = _walk(outputs, inputs, i, k, g)
    _check_reentrant(first, _walk(outputs, inputs, i, k, g), i, k, nondet_tol)
    computed = (first * _real(u)).sum()
    # The projections sum over the elements of v, so their tolerance grows with it.
    return bool(abs(computed - measured) <= atol * max(1.0, np.abs(v).sum()) + rtol * abs(measured))
