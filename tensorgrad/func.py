"""``torch.func``: functions made from functions — gradients, Jacobians, maps over a batch.

Each transformation calls its function on new tensors that stand for the differentiated arguments,
so transformations nest, and what they return can be differentiated with respect to whatever else
the function used. Arguments and results may be nests of lists, tuples and dictionaries.

Two differences from PyTorch, in speed only: forward mode (:func:`jvp`, :func:`jacfwd`) is made of
two reverse walks, and :func:`vmap` calls the function once for each sample.

>>> import tensorgrad as torch
>>> from tensorgrad.func import grad, vmap
>>> grad(grad(torch.sin))(torch.tensor(1.0))
tensor(-0.8415)
>>> vmap(grad(lambda x: x**3))(torch.tensor([1.0, 2.0]))
tensor([ 3., 12.])
"""

from __future__ import annotations

from functools import partial, wraps
from importlib import import_module

import numpy as np

from ._graph import LEAF, Tensor, edge_of, is_recording, under, wrap
from ._registry import FUNCTIONS
from .autograd.functional import _blocks, _filled, _grads
from .random import default_generator
from .utils._pytree import (
    _broadcast_to_and_flatten,
    tree_flatten,
    tree_leaves,
    tree_map,
    tree_map_only,
    tree_unflatten,
    treespec_pprint,
)

__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp",
    "linearize", "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]  # fmt: skip


# --- one transformation -----------------------------------------------------------------


class _Level:
    """One transformation while it runs: the tensors it differentiates by, and what is outside.

    Attributes:
        recording: whether the caller records; otherwise the results are cut from every graph.
        own: the leaves that this level made.
    """

    def __init__(self):
        self.recording, self.own = is_recording(), set()

    def leaf(self, array):
        """A new leaf of this level."""
        t = wrap(array, LEAF)
        self.own.add(t)
        return t

    def fresh(self, tree):
        """``tree`` with a new tensor for each, which hangs on the old one if that is tracked."""
        return tree_map(self._fresh, tree)

    def _fresh(self, x):
        if not isinstance(x, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        if self.recording and x.requires_grad:
            return under(True, x.clone)
        if x._array.dtype.kind not in "fc":
            raise RuntimeError(
                "only Tensors of floating point and complex dtype can require gradients, got "
                f"{x.dtype}; leave the argument out of argnums or convert it"
            )
        return self.leaf(x._array)

    def reaches_outside(self, tensors) -> bool:
        """Whether the tensors depend on something tracked that this level did not make."""
        if not self.recording:
            return False
        edges = [edge_of(t) for t in tensors if t.requires_grad]
        seen = set(edges)
        for edge in edges:  # grows while it is read
            if not edge._seq and edge not in self.own:
                return True
            for parent in edge._parents:
                if parent not in seen:
                    seen.add(parent)
                    edges.append(parent)
        return False

    def out(self, tree):
        """Results for the caller: cut from the graph unless it leads outside."""
        return tree_map_only(Tensor, self._out, tree)

    def _out(self, t):
        if not t.requires_grad or self.reaches_outside((t,)):
            return t
        return wrap(t._array)


def _split_aux(result, has_aux, api):
    """The output and the auxiliary output of a function."""
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise RuntimeError(
            f"{api}: output of function f should be a tuple: (output, aux) if has_aux is True"
        )
    return result


def _flat_outputs(output, api):
    """The tensors of an output, and its structure."""
    leaves, spec = tree_flatten(output)
    if not leaves or (len(leaves) == 1 and leaves[0] is None):
        raise RuntimeError(
            f"{api}: Expected f to be a function that has non-empty output (got output = {output})"
        )
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise RuntimeError(
                f"{api}: expected f(*primals) to return only tensors, got unsupported type "
                f"{type(leaf)}"
            )
    return leaves, spec


def _positions(argnums, count):
    """``argnums`` as positions from the front, checked."""
    if isinstance(argnums, int):
        return _position(argnums, count)
    if not isinstance(argnums, tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    positions = tuple(_position(i, count) for i in argnums)
    if not positions:
        raise RuntimeError("argnums must be non-empty")
    if len(set(positions)) != len(positions):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return positions


def _position(argnum, count):
    if not isinstance(argnum, int):
        raise RuntimeError(f"argnum must be int, got: {type(argnum)}")
    if not -count <= argnum < count:
        raise RuntimeError(f"Got argnum={argnum}, but only {count} positional inputs")
    return argnum % count


def _with_fresh(level, args, argnums):
    """The arguments with new tensors at ``argnums``, and those arguments alone."""
    positions = _positions(argnums, len(args))
    args = list(args)
    for i in (positions,) if isinstance(positions, int) else positions:
        args[i] = level.fresh(args[i])
    if isinstance(positions, int):
        return args, args[positions]
    return args, tuple(args[i] for i in positions)


def _check_real(tree, api, what):
    for i, t in enumerate(tree_leaves(tree)):
        if isinstance(t, Tensor) and t._array.dtype.kind == "c":
            raise RuntimeError(
                f"{api}: Expected all {what} to be real but received complex tensor at flattened "
                f"input idx: {i}"
            )


# --- gradients --------------------------------------------------------------------------


def grad(func, argnums=0, has_aux=False):
    """The function that computes the gradient of ``func``.

    Args:
        func: returns a tensor with one element and no dimensions; with ``has_aux`` a pair of it
            and anything.
        argnums: the position, or positions, of the arguments to differentiate by.
        has_aux: whether ``func`` returns a pair.

    Returns:
        A function of the same arguments. It returns the gradient, which is like the argument
        (a tuple for a tuple of positions); with ``has_aux`` a pair of it and the second output.

    Raises:
        RuntimeError: when called: the output is not a scalar tensor, or ``argnums`` is wrong.

    >>> import tensorgrad as torch
    >>> torch.func.grad(lambda x: (x * x).sum())(torch.tensor([1.0, 2.0]))
    tensor([2., 4.])
    """

    @wraps(func)
    def gradient(*args, **kwargs):
        result, value = grad_and_value(func, argnums, has_aux)(*args, **kwargs)
        return (result, value[1]) if has_aux else result

    return gradient


def grad_and_value(func, argnums=0, has_aux=False):
    """As :func:`grad`, and the function's value: ``(gradient, value)``.

    With ``has_aux`` the function made returns ``(gradient, (value, aux))``.

    >>> import tensorgrad as torch
    >>> torch.func.grad_and_value(lambda x: (x * x).sum())(torch.tensor([1.0, 2.0]))
    (tensor([2., 4.]), tensor(5.))
    """

    @wraps(func)
    def gradient_and_value(*args, **kwargs):
        level = _Level()
        return under(True, partial(_grad_and_value, level, func, argnums, has_aux, args, kwargs))

    return gradient_and_value


def _grad_and_value(level, func, argnums, has_aux, args, kwargs):
    args, inputs = _with_fresh(level, args, argnums)
    output, aux = _split_aux(func(*args, **kwargs), has_aux, "grad_and_value(f)(*args)")
    if not isinstance(output, Tensor):
        raise RuntimeError(
            "grad_and_value(f)(*args): Expected f(*args) to return a tensor, got type "
            f"{type(output)}"
        )
    if output.ndim:
        raise RuntimeError(
            "grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got tensor "
            f"with {output.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
        )
    leaves, spec = tree_flatten(inputs)
    keep = level.reaches_outside((output,))
    gradients = _filled(_grads((output,), leaves, None, keep), leaves, False, "")
    result = level.out(tree_unflatten(gradients, spec))
    return result, level.out((output, aux) if has_aux else output)


def vjp(func, *primals, has_aux=False):
    """The outputs of a function, and the function that multiplies its Jacobian from the left.

    Args:
        func: the function.
        primals: its arguments; all are differentiated by.
        has_aux: whether it returns a pair of the output and anything.

    Returns:
        ``(output, vjp_fn)``, or ``(output, vjp_fn, aux)``. ``vjp_fn`` takes cotangents, which are
        like the output, and returns a tuple with a gradient for each argument, or, for one
        argument, that alone in the tuple.

    Raises:
        RuntimeError: the output has no tensors, or others than tensors.

    >>> import tensorgrad as torch
    >>> output, vjp_fn = torch.func.vjp(torch.sin, torch.tensor([0.0, 1.0]))
    >>> vjp_fn(torch.tensor([1.0, 1.0]))
    (tensor([1.0000, 0.5403]),)
    """
    level = _Level()
    return under(True, _vjp, level, func, primals, has_aux)


def _vjp(level, func, primals, has_aux):
    api = "vjp(f, *primals)"
    primals = level.fresh(primals)
    output, aux = _split_aux(func(*primals), has_aux, api)
    outputs, spec = _flat_outputs(output, api)
    for t in outputs:
        if t._array.dtype.kind not in "fc":
            raise RuntimeError(
                "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got "
                f"Tensor with dtype {t.dtype}"
            )
    inputs, inputs_spec = tree_flatten(primals)

    def vjp_fn(cotangents, retain_graph=True, create_graph=None):
        vectors, vectors_spec = tree_flatten(cotangents)
        if vectors_spec != spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {treespec_pprint(vectors_spec)}, primal "
                f"output: {treespec_pprint(spec)}"
            )
        keep = create_graph
        if keep is None:
            keep = is_recording() and level.reaches_outside((*outputs, *vectors))
        products = _filled(_grads(outputs, inputs, vectors, keep), inputs, False, "")
        return level.out(tree_unflatten(products, inputs_spec))

    result = level.out(output)
    return (result, vjp_fn, level.out(aux)) if has_aux else (result, vjp_fn)


# --- forward mode, by two reverse walks -------------------------------------------------


class _Linear:
    """A function at a point: its outputs, and products of its Jacobian with tangents.

    The vjp is linear in its vector; its own vjp with respect to that vector is the jvp.
    """

    def __init__(self, level, outputs, inputs):
        self.level, self.outputs, self.inputs = level, outputs, inputs
        self.vectors = [level.leaf(np.zeros_like(t._array)) for t in outputs]
        self.pulled = _grads(outputs, inputs, self.vectors, create_graph=True)

    def push(self, tangents):
        """The product with tangents, one for each input; None where an output is constant."""
        keep = self.level.reaches_outside((*[p for p in self.pulled if p is not None], *tangents))
        return _grads(self.pulled, self.vectors, tangents, keep)


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """The outputs of a function, and the product of its Jacobian with ``tangents``.

    Args:
        func: the function.
        primals: the tuple of its arguments.
        tangents: a tuple of the same structure.
        strict: raise where an output does not depend on the arguments.
        has_aux: whether it returns a pair of the output and anything.

    Returns:
        ``(output, product)``, or ``(output, product, aux)``.

    Raises:
        RuntimeError: ``primals`` is not a tuple, the structures differ, the output has others
            than tensors, or ``strict`` is violated.

    >>> import tensorgrad as torch
    >>> torch.func.jvp(torch.sin, (torch.tensor(0.0),), (torch.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    level = _Level()
    return under(True, _jvp, level, func, primals, tangents, strict, has_aux)


_JVP = "jvp(f, primals, tangents)"


def _jvp(level, func, primals, tangents, strict, has_aux):
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{_JVP}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    vectors = _checked_tangents(primals, tangents)
    primals = level.fresh(primals)
    output, aux = _split_aux(func(*primals), has_aux, _JVP)
    outputs, spec = _flat_outputs(output, _JVP)
    products = _Linear(level, outputs, tree_leaves(primals)).push(vectors)
    if strict and None in products:
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. "
            "This is not allowed with strict=True."
        )
    product = tree_unflatten(_filled(products, outputs, False, ""), spec)
    results = level.out(output), level.out(product)
    return (*results, level.out(aux)) if has_aux else results


def _checked_tangents(primals, tangents):
    """The tensors of the tangents."""
    ours, spec = tree_flatten(primals)
    vectors, vectors_spec = tree_flatten(tangents)
    if spec != vectors_spec:
        raise RuntimeError(
            f"{_JVP}: Expected primals and tangents to have the same python structure, got "
            f"{treespec_pprint(spec)} and {treespec_pprint(vectors_spec)}"
        )
    if not ours:
        raise RuntimeError(f"{_JVP}: Expected primals to contain at least one Tensor.")
    for t in (*ours, *vectors):
        if not isinstance(t, Tensor):
            raise RuntimeError(f"{_JVP}: Expected primals to only contain Tensors, got {type(t)}")
    for x, v in zip(ours, vectors, strict=True):
        if x.shape != v.shape:
            raise RuntimeError(
                f"{_JVP}: a tangent must have the shape of its primal, {tuple(x.shape)}, but got "
                f"{tuple(v.shape)}"
            )
    return vectors


def linearize(func, *primals):
    """The output of a function, and the function that multiplies its Jacobian from the right.

    As :func:`jvp`, for many tangents at one point: the function runs once.

    Args:
        func: the function.
        primals: its arguments.

    Returns:
        ``(output, jvp_fn)``; ``jvp_fn`` takes one tangent for each argument.

    >>> import tensorgrad as torch
    >>> output, jvp_fn = torch.func.linearize(torch.sin, torch.tensor(0.0))
    >>> jvp_fn(torch.tensor(3.0))
    tensor(3.)
    """
    level = _Level()
    return under(True, _linearize, level, func, primals)


def _linearize(level, func, primals):
    point = level.fresh(primals)
    output = func(*point)
    outputs, spec = _flat_outputs(output, "linearize(f, *primals)")
    linear = _Linear(level, outputs, tree_leaves(point))

    def jvp_fn(*tangents):
        vectors = _checked_tangents(primals, tangents)
        product = _filled(linear.push(vectors), outputs, False, "")
        return level.out(tree_unflatten(product, spec))

    return level.out(output), jvp_fn


# --- Jacobians --------------------------------------------------------------------------


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None, _preallocate_and_copy=False):
    """The function that computes the Jacobian of ``func``, one reverse walk per output element.

    Args:
        func: the function.
        argnums: the position, or positions, of the arguments to differentiate by.
        has_aux: whether it returns a pair of the output and anything.
        chunk_size: without effect: one row is computed at a time.

    Returns:
        A function of the same arguments. Its result is like the output; in place of each tensor
        there is what is like the argument (a tuple for several positions), of tensors whose shape
        is the output's followed by the input's.

    Raises:
        ValueError: ``chunk_size`` is not positive.
        RuntimeError: when called: an input or output is complex or not a tensor.

    >>> import tensorgrad as torch
    >>> torch.func.jacrev(torch.sin)(torch.tensor([0.0, 1.0]))
    tensor([[1.0000, 0.0000],
            [0.0000, 0.5403]])
    """
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    def rows(level, outputs, inputs):
        keep = level.reaches_outside(outputs)
        return [_blocks(output, k, inputs, False, keep) for k, output in enumerate(outputs)]

    return _jacobian(func, argnums, has_aux, rows, "jacrev")


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """As :func:`jacrev`, one walk per input element: for few inputs and many outputs.

    Args:
        func: the function.
        argnums: the position, or positions, of the arguments to differentiate by.
        has_aux: whether it returns a pair of the output and anything.
        randomness: without effect: the function runs once, and may draw random numbers.

    Returns:
        As :func:`jacrev`.

    >>> import tensorgrad as torch
    >>> torch.func.jacfwd(torch.sin)(torch.tensor([0.0, 1.0]))
    tensor([[1.0000, 0.0000],
            [0.0000, 0.5403]])
    """

    def columns(level, outputs, inputs):
        linear = _Linear(level, outputs, inputs)
        blocks = [_pushed(linear, i) for i in range(len(inputs))]
        return list(zip(*blocks, strict=True))

    return _jacobian(func, argnums, has_aux, columns, "jacfwd")


def _pushed(linear, i):
    """The Jacobian of each output by input ``i``."""
    x, outputs = linear.inputs[i], linear.outputs
    tangents = [wrap(np.zeros_like(t._array)) for t in linear.inputs]
    columns: list = [[] for _ in outputs]
    for at in np.ndindex(x._array.shape):
        tangent = np.zeros_like(x._array)
        tangent[at] = 1
        tangents[i] = wrap(tangent)
        for column, product in zip(
            columns, _filled(linear.push(tangents), outputs, False, ""), strict=True
        ):
            column.append(product)
    shapes = [(*o._array.shape, *x._array.shape) for o in outputs]
    if not x._array.size:
        return [wrap(np.zeros(s, o._array.dtype)) for s, o in zip(shapes, outputs, strict=True)]
    stack = FUNCTIONS["stack"]
    return [stack(c, -1).reshape(s) for c, s in zip(columns, shapes, strict=True)]


def _jacobian(func, argnums, has_aux, blocks_of, api):
    @wraps(func)
    def jacobian(*args, **kwargs):
        level = _Level()
        return under(
            True, partial(_jacobian_of, level, func, argnums, has_aux, blocks_of, api, args, kwargs)
        )

    return jacobian


def _jacobian_of(level, func, argnums, has_aux, blocks_of, api, args, kwargs):
    _check_real(args, api, "inputs")
    args, inputs = _with_fresh(level, args, argnums)
    output, aux = _split_aux(func(*args, **kwargs), has_aux, api)
    _check_real(output, api, "outputs")
    outputs, spec = _flat_outputs(output, api)
    leaves, inputs_spec = tree_flatten(inputs)
    blocks = blocks_of(level, outputs, leaves)
    rows = [tree_unflatten(row, inputs_spec) for row in blocks]
    result = level.out(tree_unflatten(rows, spec))
    return (result, level.out(aux)) if has_aux else result


def hessian(func, argnums=0):
    """The function that computes the second derivatives of ``func``: ``jacfwd(jacrev(func))``.

    Args:
        func: the function.
        argnums: the position, or positions, of the arguments to differentiate by.

    >>> import tensorgrad as torch
    >>> torch.func.hessian(lambda x: (x**3).sum())(torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


# --- vmap -------------------------------------------------------------------------------


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """The function that applies ``func`` to each sample of a batch, and stacks the results.

    It calls ``func`` once per sample: it takes as long as a loop and 4 us a sample more. So
    ``func`` may be any Python code, with branches on values and ``item()``. It is differentiable,
    and nests with the transformations of this module.

    Args:
        func: a function of tensors, whose results are tensors.
        in_dims: which dimension of each argument is the batch; one for all, or a tuple with the
            structure of the arguments, or of their upper part. None hands the argument on as it
            is. Keyword arguments are handed on.
        out_dims: which dimension of each result the batch becomes, likewise. None is for a
            result that is the same for all samples.
        randomness: what a draw from the default generator does: ``"error"`` raises,
            ``"different"`` draws for each sample in turn, ``"same"`` gives each sample the same.
        chunk_size: without effect: one sample is computed at a time.

    Raises:
        RuntimeError: ``randomness`` is none of these; a random number was drawn.
        ValueError: ``in_dims`` or ``out_dims`` do not fit the arguments or results, the sizes of
            the batch differ, or ``chunk_size`` is not positive.

    >>> import tensorgrad as torch
    >>> dot = torch.vmap(torch.dot, in_dims=(0, None))
    >>> dot(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @wraps(func)
    def mapped(*args, **kwargs):
        size, samples = _samples(func, in_dims, args)
        if size:
            results = _each(func, samples, kwargs, randomness)
        else:  # one sample of zeros says what the results look like
            results = [func(*samples[0], **kwargs)]
        return _stacked(func, results, out_dims, size)

    return mapped


def _samples(func, in_dims, args):
    """The size of the batch, and the arguments for each sample."""
    name = getattr(func, "__name__", type(func).__name__)
    api = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, int | tuple):
        raise ValueError(
            f"{api}: expected `in_dims` to be int or a (potentially nested) tuple matching the "
            f"structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(f"{api}: got no inputs; there is nothing to map over")
    leaves, spec = tree_flatten(args)
    dims = _broadcast_to_and_flatten(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"{api}: in_dims is not compatible with the structure of `inputs`, which is "
            f"{treespec_pprint(spec)}"
        )
    for leaf, dim in zip(leaves, dims, strict=True):
        _check_in_dim(api, leaf, dim)
    sizes = [leaf.shape[dim] for leaf, dim in zip(leaves, dims, strict=True) if dim is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) > 1:
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    columns = [_along(leaf, dim, sizes[0]) for leaf, dim in zip(leaves, dims, strict=True)]
    return sizes[0], [tree_unflatten(row, spec) for row in zip(*columns, strict=True)]


def _check_in_dim(api, leaf, dim):
    if dim is None:
        return
    if not isinstance(dim, int):
        raise ValueError(
            f"{api}: Got in_dim={dim} for an input but in_dim must be either an integer dimension "
            "or None."
        )
    if not isinstance(leaf, Tensor):
        raise ValueError(
            f"{api}: Got in_dim={dim} for an input but the input is of type {type(leaf)}. We "
            "cannot vmap over non-Tensor arguments, please use None as the respective in_dim"
        )
    if not -leaf.ndim <= dim < leaf.ndim:
        raise ValueError(
            f"{api}: Got in_dim={dim} for some input, but that input is a Tensor of dimensionality "
            f"{leaf.ndim} so expected in_dim to satisfy -{leaf.ndim} <= in_dim < {leaf.ndim}."
        )


def _along(leaf, dim, size):
    """An argument for each sample; for an empty batch, one of zeros."""
    if dim is None:
        return [leaf] * max(size, 1)
    if not size:
        shape = list(leaf.shape)
        del shape[dim]
        return [wrap(np.zeros(shape, leaf._array.dtype))]
    return leaf.unbind(dim)


def _each(func, samples, kwargs, randomness):
    """The result for each sample."""
    before = default_generator._pack()
    results = []
    for i, sample in enumerate(samples):
        if randomness == "same":
            default_generator._unpack(before)
        results.append(func(*sample, **kwargs))
        if randomness == "error" and i in (0, len(samples) - 1):  # reading the state takes 15 us
            _check_undrawn(before)
    return results


def _check_undrawn(before):
    if not np.array_equal(default_generator._pack(), before):
        default_generator._unpack(before)
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the "
            '"same" or "different" randomness flags on vmap or perform the randomness operation '
            "out of vmap"
        )


def _stacked(func, results, out_dims, size):
    """The results of all samples as one."""
    name = getattr(func, "__name__", type(func).__name__)
    api = f"vmap({name}, ..., out_dims={out_dims})"
    for dim in tree_leaves(out_dims):
        if dim is not None and not isinstance(dim, int):
            raise ValueError(
                f"{api}: `out_dims` must be an int, None or a python collection of ints "
                "representing where in the outputs the vmapped dimension should appear."
            )
    spec = tree_flatten(results[0])[1]
    if isinstance(results[0], Tensor) and isinstance(out_dims, tuple) and len(out_dims) == 1:
        out_dims = out_dims[0]
    dims = _broadcast_to_and_flatten(out_dims, spec)
    if dims is None:
        raise ValueError(
            f"{api}: out_dims is not compatible with the structure of `outputs`, which is "
            f"{treespec_pprint(spec)}"
        )
    columns = zip(*[spec.flatten_up_to(result) for result in results], strict=True)
    return tree_unflatten(
        [_joined(api, column, dim, size) for column, dim in zip(columns, dims, strict=True)], spec
    )


def _joined(api, column, dim, size):
    first = column[0]
    if dim is None:
        if isinstance(first, Tensor) and any(
            not np.array_equal(t._array, first._array, equal_nan=True) for t in column
        ):
            raise ValueError(
                f"{api}: the function can not return a batched Tensor for out_dim None"
            )
        return first
    if not isinstance(first, Tensor):
        raise ValueError(
            f"{api}: the function must only return Tensors, got type {type(first)}. Did you mean "
            "to set out_dims= to None for output?"
        )
    if size:
        return FUNCTIONS["stack"](column, dim)
    shape = list(first.shape)
    shape.insert(dim % (first.ndim + 1), 0)
    return wrap(np.zeros(shape, first._array.dtype))


# --- modules ----------------------------------------------------------------------------


def functional_call(
    module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """Call a module with other parameters and buffers, which it has during the call alone.

    Args:
        module: the module.
        parameter_and_buffer_dicts: tensors by dotted path, or a tuple or list of such
            dictionaries. What is missing is taken from the module.
        args: the arguments of the call; what is not a tuple is the only one.
        kwargs: its keyword arguments.
        tie_weights: a tensor given for one of several names that share a parameter is for all.
        strict: raise where the names are not exactly those of the module.

    Returns:
        What the module returns.

    Raises:
        ValueError: a name is in several dictionaries; two tensors are given for one parameter.
        RuntimeError: names are missing or unexpected (``strict``).

    >>> import tensorgrad as torch
    >>> layer = torch.nn.Linear(2, 1, bias=False)
    >>> torch.func.functional_call(layer, {"weight": torch.ones(1, 2)}, torch.ones(2))
    tensor([2.])
    """
    given = parameter_and_buffer_dicts
    if isinstance(given, list | tuple):
        if not all(isinstance(d, dict) for d in given):
            raise ValueError(
                "Expected all elements of parameter_and_buffer_dicts to be dictionaries"
            )
        names = [name for d in given for name in d]
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if repeated:
            raise ValueError(
                f"{repeated} appeared in multiple dictionaries; behavior of functional call is "
                "ambiguous"
            )
        given = {name: t for d in given for name, t in d.items()}
    elif not isinstance(given, dict):
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(given)}"
        )
    named = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    full = _tied(named, given) if tie_weights else dict(given)
    if strict:
        _check_names(module, named, full)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    before = [(vars_, name, old) for vars_, name, old in map(partial(_place, module), full)]
    try:
        for (attributes, name, _), t in zip(before, full.values(), strict=True):
            attributes[name] = t
        return module(*args, **(kwargs or {}))
    finally:
        for (attributes, name, old), key in zip(before, full, strict=True):
            if key in given:
                given[key] = attributes[name]  # the module may have put another buffer there
            if old is _MISSING:
                del attributes[name]
            else:
                attributes[name] = old


_MISSING = object()


def _place(module, path):
    """The attributes of the module that holds ``path``, its last name, and what is there."""
    owner, _, name = path.rpartition(".")
    owner = module.get_submodule(owner)
    if isinstance(getattr(type(owner), name, None), property):
        raise RuntimeError(
            f"functional_call: {path!r} is parametrized; give parametrizations.{name}.original"
        )
    old = vars(owner).get(name, _MISSING)
    if old is not _MISSING and old is not None and not isinstance(old, Tensor):
        raise TypeError(f"{path}: {type(old).__name__} is not a tensor, and cannot be replaced")
    return vars(owner), name, old


def _tied(named, given):
    """``given`` with a tensor for every name of a shared parameter of which one is given."""
    groups: dict = {}
    for name, t in named.items():
        groups.setdefault(id(t), []).append(name)
    full = dict(given)
    for names in groups.values():
        values = {id(given[name]): given[name] for name in names if name in given}
        if len(values) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(names)}, which are tied. "
                "Consider using tie_weights=False"
            )
        for t in values.values():
            full.update(dict.fromkeys(names, t))
    return full


def _check_names(module, named, given):
    missing = [name for name in named if name not in given]
    unexpected = [name for name in given if name not in named]
    if missing or unexpected:
        raise RuntimeError(
            f"Error(s) in reparametrizing for {type(module).__name__}: missing keys {missing}, "
            f"unexpected keys {unexpected}"
        )


def stack_module_state(models):
    """The parameters and buffers of models of one class, stacked, for :func:`vmap`.

    Args:
        models: modules that differ only in their values.

    Returns:
        Two dictionaries by dotted path, of parameters (new leaves) and of buffers.

    Raises:
        RuntimeError: there are no models, or they are not of one class, mode or
            ``requires_grad``.

    >>> import tensorgrad as torch
    >>> params, buffers = torch.func.stack_module_state([torch.nn.Linear(2, 3) for _ in range(4)])
    >>> params["weight"].shape
    torch.Size([4, 3, 2])
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({m.training for m in models}) > 1:
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if len({type(m) for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    return (
        _stacked_state([dict(m.named_parameters()) for m in models]),
        _stacked_state([dict(m.named_buffers()) for m in models]),
    )


def _stacked_state(states):
    stacked = {}
    for name in states[0]:
        tensors = [state[name] for state in states]
        tracked = {t.requires_grad for t in tensors}
        if len(tracked) > 1:
            raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
        result = FUNCTIONS["stack"](tensors)
        stacked[name] = result.detach().requires_grad_() if tracked == {True} else result
    return stacked


def replace_all_batch_norm_modules_(root):
    """Take the running statistics from every batch norm in ``root``, in place; returns it.

    They are written in place, which a mapped function may not do.

    Args:
        root: a module.
    """
    kind = import_module("tensorgrad.nn.modules.batchnorm")._BatchNorm
    for module in root.modules():
        if isinstance(module, kind) and module.track_running_stats:
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
