"""Products of vectors, matrices and batches of them; einsum; the affine map of a linear layer.

Two ops carry all of it: :func:`matmul` and ``contract``, the sum over labelled dimensions of the
product of two tensors. The gradients of each are products of its own kind, so every order of
derivative exists. ``linear`` is a fused op on top.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import numpy as np

from .. import _graph, dtypes, errors
from .._graph import LEAF, Tensor, computed, ndarray, record, wrap
from .._registry import alias, op, publish
from .elementwise import clone, mul
from .reduce import published, raw, sum
from .shape import diagonal, permute, reshape, unsqueeze


def _array(name, argument, x):
    """The array of ``x``.

    Raises:
        TypeError: ``x`` is not a tensor.
    """
    if isinstance(x, Tensor):
        return x._array
    if isinstance(x, ndarray):
        return x
    raise TypeError(f"{name}(): argument {argument!r} must be Tensor, not {type(x).__name__}")


def _same_dtype(name, *arrays):
    """Refuse to mix dtypes: a product does not promote, as in PyTorch."""
    if len({x.dtype for x in arrays}) > 1:
        got = " and ".join(errors.describe(x) for x in arrays)
        raise errors.DtypeError(
            f"{name}: expected all tensors to have the same dtype, got {got}; "
            "convert one with .to(dtype)"
        )


# --- matmul -----------------------------------------------------------------------------

_UNUSUAL = "e?"  # float16 is multiplied in float32, which BLAS knows; bool not at all


def product(x, y):
    """``x @ y`` of arrays with one dimension or more."""
    nx, ny = x.ndim, y.ndim
    if x.dtype.char in _UNUSUAL:
        return _unusual_product(x, y)
    try:
        if nx == 2 and ny == 2:
            return x.dot(y)  # 0.8 us; np.matmul takes 1.3
        if ny == 2 and nx > 2:  # one large product instead of many small ones
            return _rows(x).dot(y).reshape(*x.shape[:-1], y.shape[1])
        if 0 < nx <= 2 and 0 < ny <= 2:
            return x.dot(y)
        return np.matmul(x, y)
    except ValueError:
        raise _misfit(x, y) from None


def _unusual_product(x, y):
    if x.dtype.kind == "b":
        raise NotImplementedError("matmul is not implemented for bool; convert with .int()")
    return product(x.astype(np.float32), y.astype(np.float32)).astype(np.float16)


def _misfit(x, y):
    """The error for two shapes that ``@`` cannot multiply."""
    a, b = x.shape, y.shape
    if not a or not b:
        return errors.ShapeError(
            "both arguments to matmul need to be at least 1D, but they are "
            f"{len(a)}D and {len(b)}D, shapes {a} and {b}; multiply by a scalar with *"
        )
    rows = len(b) - 2 if len(b) > 1 else 0
    if a[-1] != b[rows]:
        hint = "; .mT of the second would fit" if len(b) > 1 and a[-1] == b[-1] else ""
        return errors.ShapeError(
            f"mat1 and mat2 shapes cannot be multiplied ({_by(a)} and {_by(b)}): the last "
            f"dimension of the first is {a[-1]}, dimension {rows} of the second is {b[rows]}; "
            f"they must be equal{hint}"
        )
    return errors.ShapeError(
        f"matmul: the batch dimensions {a[:-2]} and {b[:-2]} of shapes {a} and {b} do not "
        "broadcast; each pair must be equal, or one of the two 1"
    )


def _by(shape):
    return "x".join(map(str, shape))


def times(x, y):
    """``x @ y``: arrays are multiplied as they are, Tensors recorded."""
    if type(x) is ndarray and type(y) is ndarray:
        return product(x, y)
    return matmul(x, y)


def _matmul_name(node):
    """PyTorch's product for this many dimensions; it folds batches into one and back."""
    names = ("DotBackward0", "MvBackward0", "MmBackward0")
    return names[len(node._shape)] if len(node._shape) < 3 else "UnsafeViewBackward0"


@op(types="same", ufunc=np.matmul, grad_name=_matmul_name)
def matmul(x, y):
    """The product of vectors, matrices, or batches of matrices: ``x @ y``.

    Shapes: (n), (n) -> (); (m, n), (n) -> (m); (n), (n, p) -> (p); (m, n), (n, p) -> (m, p);
    with more dimensions the leading ones are batches, and broadcast. float16 is computed in
    float32.

    Raises:
        RuntimeError: the inner dimensions differ, the batches do not broadcast, an argument is
            0-d, or the dtypes differ.

    >>> import tensorgrad
    >>> a = tensorgrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> a @ tensorgrad.tensor([1.0, 1.0])
    tensor([3., 7.])
    """
    if type(y) is not ndarray or type(x) is not ndarray:
        raise TypeError(
            f"matmul(): both arguments must be Tensors, got {type(x).__name__} and "
            f"{type(y).__name__}; multiply by a number with *"
        )
    return product(x, y)


def _matmul_x(g, y):
    if y.ndim == 1:
        return unsqueeze(g, -1) * y
    if y.ndim == 2:
        return times(g, y.T)
    if g.ndim == y.ndim - 1:  # x is a vector; the engine sums over the batches of y
        return times(unsqueeze(g, -2), y.mT)
    return times(g, y.mT)


def _matmul_y(g, x, y_shape):
    n = len(y_shape)
    if x.ndim == 1:
        return g * x if n == 1 else unsqueeze(x, -1) * unsqueeze(g, -2)
    if n == 1:
        return times(_flat(g), _rows(x))
    if n == 2:
        return times(_rows(x).T, _rows(g))
    return times(x.mT, g)


def _rows(x):
    """``x`` as a matrix: all dimensions but the last are one."""
    shape = x.shape
    return x if len(shape) == 2 else reshape(x, (math.prod(shape[:-1]), shape[-1]))


def _flat(x):
    return x if x.ndim == 1 else reshape(x, (-1,))


matmul.vjp(x=_matmul_x, y=_matmul_y)


def _of_dims(name, x, y, dims, arguments=("input", "mat2")):
    """Check the types and numbers of dimensions of two arguments."""
    arrays = [_array(name, argument, v) for argument, v in zip(arguments, (x, y), strict=True)]
    got = tuple(a.ndim for a in arrays)
    if got != dims:
        raise errors.ShapeError(
            f"{name}(): {dims[0]}D and {dims[1]}D tensors expected, but got {got[0]}D and "
            f"{got[1]}D tensors, shapes {arrays[0].shape} and {arrays[1].shape}; "
            "matmul() multiplies tensors of any dimensions"
        )
    return arrays


@published
def mm(input, mat2):
    """The product of two matrices, (m, n) and (n, p); :func:`matmul` without batches.

    Raises:
        RuntimeError: an argument is not a matrix, the inner dimensions or the dtypes differ.

    >>> import tensorgrad
    >>> tensorgrad.mm(tensorgrad.ones(1, 2), tensorgrad.ones(2, 3))
    tensor([[2., 2., 2.]])
    """
    if getattr(input, "layout", None) == "torch.sparse_coo":
        return input @ mat2
    _of_dims("mm", input, mat2, (2, 2))
    return matmul(input, mat2)


@published
def bmm(input, mat2):
    """The products of two equally long batches of matrices, (b, m, n) and (b, n, p).

    Raises:
        RuntimeError: an argument is not 3-D, or sizes or dtypes differ; nothing broadcasts.

    >>> import tensorgrad
    >>> tensorgrad.bmm(tensorgrad.ones(2, 1, 3), tensorgrad.ones(2, 3, 1)).flatten()
    tensor([3., 3.])
    """
    x, y = _of_dims("bmm", input, mat2, (3, 3))
    if x.shape[0] != y.shape[0]:
        raise errors.ShapeError(
            f"bmm(): the batch sizes {x.shape[0]} and {y.shape[0]} of shapes {x.shape} and "
            f"{y.shape} must be equal; matmul() broadcasts them"
        )
    return matmul(input, mat2)


@published
def mv(input, vec):
    """The product of a matrix (m, n) and a vector (n): (m).

    Raises:
        RuntimeError: other numbers of dimensions, sizes or dtypes that differ.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1.0, 2.0], [3.0, 4.0]]).mv(tensorgrad.tensor([0.0, 1.0]))
    tensor([2., 4.])
    """
    _of_dims("mv", input, vec, (2, 1), ("input", "vec"))
    return matmul(input, vec)


@op(name="dot", types="same", public=False, method=False)
def dot_product(x, y):
    """The sum of the products of the elements of two vectors."""
    return product(x, y)


dot_product.vjp(x=lambda g, y: g * y, y=lambda g, x: g * x)


@published
def dot(input, tensor):
    """The sum of the products of the elements of two vectors: a 0-d tensor.

    Raises:
        RuntimeError: an argument is not 1-D, or sizes or dtypes differ.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1.0, 2.0]).dot(tensorgrad.tensor([3.0, 4.0]))
    tensor(11.)
    """
    _of_dims("dot", input, tensor, (1, 1), ("input", "tensor"))
    return dot_product(input, tensor)


@published
def vdot(input, other):
    """As :func:`dot`, with the elements of a complex ``input`` conjugated.

    >>> import tensorgrad
    >>> tensorgrad.vdot(tensorgrad.tensor([1.0, 2.0]), tensorgrad.tensor([3.0, 4.0]))
    tensor(11.)
    """
    x, _ = _of_dims("vdot", input, other, (1, 1), ("input", "other"))
    return dot_product(_graph.conj(input) if x.dtype.kind == "c" else input, other)


@published
def outer(input, vec2):
    """All products of an element of one vector (n) and one of the other (m): (n, m).

    Raises:
        RuntimeError: an argument is not 1-D.

    >>> import tensorgrad
    >>> tensorgrad.outer(tensorgrad.tensor([1, 2]), tensorgrad.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    _of_dims("outer", input, vec2, (1, 1), ("input", "vec2"))
    return mul(unsqueeze(input, 1), vec2)


alias(outer, "ger")


@published
def inner(input, other):
    """The products of the last dimensions: (..., n) and (---, n) give (..., ---).

    With a 0-d tensor it is ``input * other``.

    Raises:
        RuntimeError: the last dimensions or the dtypes differ.

    >>> import tensorgrad
    >>> tensorgrad.inner(tensorgrad.ones(2, 3), tensorgrad.ones(4, 3)).shape
    torch.Size([2, 4])
    """
    x, y = _array("inner", "input", input), _array("inner", "other", other)
    _same_dtype("inner", x, y)
    if not x.ndim or not y.ndim:
        return mul(input, other)
    if x.shape[-1] != y.shape[-1]:
        raise errors.ShapeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(x.shape)} and {list(y.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]))


# --- linear -----------------------------------------------------------------------------


def _linear_definition(x, weight, bias=None):
    out = matmul(x, weight.T if weight.ndim == 2 else weight)
    return out if bias is None else out + bias


def _linear_name(node):
    """PyTorch folds batches into one matrix and back; a frozen bias goes unseen here."""
    bias = 2 in node.plan._needed
    if len(node._shape) == 2:
        return "AddmmBackward0" if bias else "MmBackward0"
    return "ViewBackward0" if bias else "UnsafeViewBackward0"


@op(name="linear", types="same", public=False, method=False, grad_name=_linear_name,
    definition=_linear_definition)  # fmt: skip
def affine(x, weight, bias=None):
    """``x @ weight.T + bias``, the bias added in place to the fresh product."""
    if x.ndim == 2 and weight.ndim == 2 and x.dtype.char in "fd":
        try:
            out = x.dot(weight.T)
        except ValueError:
            raise _misfit_of_linear(x, weight) from None
    elif x.ndim and 0 < weight.ndim <= 2 and x.shape[-1] == weight.shape[-1]:
        out = product(x, weight.T)
    else:
        raise _misfit_of_linear(x, weight)
    if bias is None:
        return out
    if not out.ndim:
        return out + bias
    try:
        out += bias
    except ValueError:
        raise errors.ShapeError(
            f"linear(): bias of shape {bias.shape} does not broadcast to the result of shape "
            f"{out.shape}; expected ({weight.shape[0]},), one value per row of weight"
        ) from None
    return out


def _misfit_of_linear(x, weight):
    if x.ndim and 0 < weight.ndim <= 2:
        hint = "; weight.T would fit" if weight.shape[0] == x.shape[-1] else ""
        return errors.ShapeError(
            f"linear(): input of shape {x.shape} has {x.shape[-1]} features in its last "
            f"dimension, weight of shape {weight.shape} expects {weight.shape[-1]} "
            f"(out_features, in_features){hint}"
        )
    return errors.ShapeError(
        "linear() needs an input of at least 1D and a weight of 1D or 2D, got shapes "
        f"{x.shape} and {weight.shape}"
    )


def _linear_weight(g, x, weight_shape):
    if len(weight_shape) == 1:
        return times(_flat(g), _rows(x))
    if type(g) is ndarray and g.ndim == 2 and g.dtype.char in "fd":
        return g.T.dot(x)  # the everyday case, 0.6 us less
    return times(_rows(g).T, _rows(x))


affine.vjp(
    x=lambda g, weight: times(g, weight) if weight.ndim == 2 else unsqueeze(g, -1) * weight,
    weight=_linear_weight,
    bias=lambda g: g,  # the engine sums g down to the bias
)


def _linear():
    """The public ``linear``, dispatched by hand: 3 us less than by :meth:`Op.general`."""
    run = affine.op
    forward, plans = run.forward, run.plans

    def slow(input, weight, bias):
        _array("linear", "input", input)
        _array("linear", "weight", weight)
        if bias is not None:
            _array("linear", "bias", bias)
        return run.apply((input, weight, bias), {})

    def linear(input, weight, bias=None):
        """``input @ weight.T + bias``: the affine map of the last dimension of ``input``.

        Shapes: input (..., in), weight (out, in) or (in), bias (out) or None -> (..., out).

        Raises:
            RuntimeError: the last dimensions of input and weight differ, the bias does not fit
                the result, or the dtypes differ.

        >>> import tensorgrad
        >>> weight = tensorgrad.tensor([[1.0, 2.0]])
        >>> tensorgrad.linear(tensorgrad.tensor([3.0, 4.0]), weight, tensorgrad.tensor([0.5]))
        tensor([11.5000])
        """
        if not isinstance(input, Tensor) or not isinstance(weight, Tensor):
            return slow(input, weight, bias)
        x, w, b = input._array, weight._array, None
        mask, parents = 0, ()
        edge = input._edge
        if edge is not None:
            mask, parents = 1, (input if edge is LEAF else edge,)
        edge = weight._edge
        if edge is not None:
            mask += 2
            parents += (weight if edge is LEAF else edge,)
        if bias is not None:
            if not isinstance(bias, Tensor):
                return slow(input, weight, bias)
            b = bias._array
            edge = bias._edge
            if edge is not None:
                mask += 4
                parents += (bias if edge is LEAF else edge,)
        if x.dtype is not w.dtype or (b is not None and b.dtype is not x.dtype):
            return slow(input, weight, bias)
        out = forward(x, w, b)
        if type(out) is not ndarray:
            out = np.asarray(out)
        if not mask:
            return wrap(out)
        if _graph.special:
            return record(run, mask, parents, (x, w, b, out), None, out)
        plan = plans.get(mask) or run.compile(mask)
        return computed(out, plan, parents, plan.keep((x, w, b, out)))

    publish(linear, "linear", linear, method=False)
    return linear


linear = _linear()


# --- sums of products with a third term -------------------------------------------------


def _scaled(x, factor):
    return x if factor == 1 else x * factor


def _plus(name, input, beta, alpha, result, *factors):
    """``beta * input + alpha * result``; with beta 0, nan and inf in ``input`` are ignored."""
    x = _array(name, "input", input)
    _same_dtype(name, x, *map(raw, factors))
    if x.dtype.kind in "biu":
        if name == "addr" and (isinstance(beta, float) or isinstance(alpha, float)):
            raise errors.DtypeError(
                "For integral input tensors, arguments beta and alpha must not be floating point "
                f"numbers, got {beta!r} and {alpha!r}"
            )
        whole = bool if x.dtype.kind == "b" else int  # PyTorch rounds them to zero
        beta, alpha = whole(beta), whole(alpha)
    shape = raw(result).shape
    try:
        fits = np.broadcast_shapes(x.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise errors.ShapeError(
            f"{name}(): input of shape {x.shape} does not broadcast to the product's shape {shape}"
        )
    result = _scaled(result, alpha)
    return result if beta == 0 else _scaled(input, beta) + result


@published
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """``beta * input + alpha * (mat1 @ mat2)`` for matrices; ``input`` broadcasts.

    With ``beta`` 0, nan and inf in ``input`` are ignored.

    Raises:
        RuntimeError: shapes do not fit, or dtypes differ.

    >>> import tensorgrad
    >>> tensorgrad.addmm(tensorgrad.tensor([1.0]), tensorgrad.ones(2, 3), tensorgrad.ones(3, 1))
    tensor([[4.],
            [4.]])
    """
    _of_dims("addmm", mat1, mat2, (2, 2), ("mat1", "mat2"))
    return _plus("addmm", input, beta, alpha, matmul(mat1, mat2), mat1, mat2)


@published
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """``beta * input + alpha * (mat @ vec)`` for a matrix and a vector; see :func:`addmm`.

    >>> import tensorgrad
    >>> tensorgrad.addmv(tensorgrad.zeros(2), tensorgrad.ones(2, 3), tensorgrad.ones(3), alpha=2)
    tensor([6., 6.])
    """
    _of_dims("addmv", mat, vec, (2, 1), ("mat", "vec"))
    return _plus("addmv", input, beta, alpha, matmul(mat, vec), mat, vec)


@published
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """``beta * input + alpha * outer(vec1, vec2)``; see :func:`addmm`.

    >>> import tensorgrad
    >>> tensorgrad.addr(tensorgrad.zeros(2, 2), tensorgrad.ones(2), tensorgrad.tensor([1.0, 2.0]))
    tensor([[1., 2.],
            [1., 2.]])
    """
    _of_dims("addr", vec1, vec2, (1, 1), ("vec1", "vec2"))
    return _plus("addr", input, beta, alpha, outer(vec1, vec2), vec1, vec2)


@published
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """``beta * input + alpha * bmm(batch1, batch2)``; see :func:`addmm`.

    >>> import tensorgrad
    >>> b = tensorgrad.ones(2, 1, 1)
    >>> tensorgrad.baddbmm(b, b, b, beta=2).flatten()
    tensor([3., 3.])
    """
    _of_dims("baddbmm", batch1, batch2, (3, 3), ("batch1", "batch2"))
    return _plus("baddbmm", input, beta, alpha, bmm(batch1, batch2), batch1, batch2)


@published
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """``beta * input + alpha * bmm(batch1, batch2).sum(0)``; see :func:`addmm`.

    >>> import tensorgrad
    >>> b = tensorgrad.ones(2, 1, 1)
    >>> tensorgrad.addbmm(tensorgrad.zeros(1, 1), b, b)
    tensor([[2.]])
    """
    x, y = _of_dims("addbmm", batch1, batch2, (3, 3), ("batch1", "batch2"))
    if x.shape[0] != y.shape[0] or x.shape[2] != y.shape[1]:
        bmm(batch1, batch2)  # raises what is wrong
    result = product_sum("addbmm", [batch1, batch2], ["bij", "bjk"], "ik")
    return _plus("addbmm", input, beta, alpha, result, batch1, batch2)


# --- einsum -----------------------------------------------------------------------------
#
# Every dimension of every operand has a one-letter label. What can be done to one operand alone
# is done first: diagonals of repeated labels, sums over labels that nothing else has. Then pairs
# are contracted; each label left is in two operands, or in one and the result, so the gradient
# of a contraction is a contraction of the same kind.


@op(types="same", public=False, method=False, grad_name="BmmBackward0")
def contract(x, y, *, xs, ys, out):
    """The product of ``x`` and ``y``, dimensions labelled ``xs`` and ``ys``, summed to ``out``.

    A label occurs once in a string, and in at least two of the three.
    """
    to_x, to_y, to_out, batch, left, inner = _arrangement(xs, ys, out)
    x, y = x.transpose(to_x), y.transpose(to_y)
    many, rows, columns = x.shape[:batch], x.shape[batch : batch + left], y.shape[batch + inner :]
    b, m, n = math.prod(many), math.prod(rows), math.prod(columns)
    k = math.prod(x.shape[batch + left :])
    if not inner:
        result = x.reshape(b, m, 1) * y.reshape(b, 1, n)
    elif batch:
        result = product(x.reshape(b, m, k), y.reshape(b, k, n))
    else:
        result = product(x.reshape(m, k), y.reshape(k, n))
    return result.reshape(many + rows + columns).transpose(to_out)


@lru_cache(maxsize=1024)
def _arrangement(xs, ys, out):
    """The orders of dimensions that make a contraction a product of matrices.

    The orders for x (batch, left, inner), y (batch, inner, right) and the result, and the numbers
    of batch, left and inner dimensions.
    """
    batch = [label for label in out if label in xs and label in ys]
    left = [label for label in out if label not in ys]
    right = [label for label in out if label not in xs]
    inner = [label for label in xs if label not in out]
    return (
        [xs.index(label) for label in batch + left + inner],
        [ys.index(label) for label in batch + inner + right],
        [(batch + left + right).index(label) for label in out],
        len(batch),
        len(left),
        len(inner),
    )


def _contract(x, y, xs, ys, out):
    return contract.op.apply((x, y), {"xs": xs, "ys": ys, "out": out})


contract.vjp(
    x=lambda g, y, *, xs, ys, out: _contract(g, y, out, ys, xs),
    y=lambda g, x, *, xs, ys, out: _contract(g, x, out, xs, ys),
)


def product_sum(name, operands, terms, out):
    """The product of ``operands`` labelled by ``terms``, summed over labels not in ``out``.

    Sizes that share a label must be equal, or 1, which broadcasts.
    """
    sizes = _label_sizes(name, operands, terms)
    if len(terms) == 2 and _pairs_up(*terms, out):
        x, y = operands
        if all(
            n == sizes[label]
            for a, term in zip(operands, terms, strict=True)
            for n, label in zip(raw(a).shape, term, strict=True)
        ):
            return _contract(x, y, *terms, out)
    terms = list(terms)
    for i, term in enumerate(terms):
        operands[i], terms[i] = _diagonals(operands[i], term)
    for i, term in enumerate(terms):
        operands[i], terms[i] = _without_ones(operands[i], term, sizes, terms)
    for i, (x, term) in enumerate(zip(operands, terms, strict=True)):
        others = set(out).union(*terms[:i], *terms[i + 1 :])
        alone = tuple(d for d, label in enumerate(term) if label not in others)
        if alone:
            # Integers sum to int64, which the other operands need not be.
            narrow = raw(x).dtype if len(operands) > 1 and raw(x).dtype.kind in "iu" else None
            operands[i] = sum(operands[i], alone, dtype=narrow)
            terms[i] = "".join(label for label in term if label in others)
    while len(operands) > 1:
        i, j = _cheapest_pair(terms, out, sizes)
        y, ys = operands.pop(j), terms.pop(j)
        x, xs = operands.pop(i), terms.pop(i)
        kept = _kept(xs, ys, terms, out)
        if not terms:
            kept = "".join(label for label in out if label in kept)
        operands.append(_contract(x, y, xs, ys, kept))
        terms.append(kept)
    (result,), (term,) = operands, terms
    return permute(result, [term.index(label) for label in out])


@lru_cache(maxsize=1024)
def _pairs_up(xs, ys, out):
    """Whether :func:`contract` takes these terms as they are."""
    return all(
        term.count(label) == 1 and (xs + ys + out).count(label) > 1
        for term in (xs, ys, out)
        for label in term
    )


def _label_sizes(name, operands, terms):
    """The size of each label: the one that is not 1."""
    sizes: dict = {}
    for i, (x, term) in enumerate(zip(operands, terms, strict=True)):
        own: dict = {}
        for label, n in zip(term, raw(x).shape, strict=True):
            if own.setdefault(label, n) != n:
                raise errors.ShapeError(
                    f"{name}(): subscript {label} is repeated for operand {i} but the sizes don't "
                    f"match, {own[label]} != {n} in shape {raw(x).shape}"
                )
            old = sizes.get(label, 1)
            if old != n and old != 1 and n != 1:
                raise errors.ShapeError(
                    f"{name}(): subscript {label} has size {n} for operand {i} of shape "
                    f"{raw(x).shape}, which does not broadcast with previously seen size {old}"
                )
            sizes[label] = n if old == 1 else old
    return sizes


def _diagonals(x, term):
    """Replace the dimensions of a repeated label by the diagonal through them."""
    for label in set(term):
        while term.count(label) > 1:
            first = term.index(label)
            second = term.index(label, first + 1)
            x = diagonal(x, 0, first, second)  # which puts it last
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + label
    return x, term


def _without_ones(x, term, sizes, terms):
    """Drop the dimensions of size one that another operand has larger."""
    shape = raw(x).shape
    keep = [d for d, label in enumerate(term) if shape[d] == sizes[label]]
    if len(keep) == len(term):
        return x, term
    return reshape(x, tuple(shape[d] for d in keep)), "".join(term[d] for d in keep)


def _kept(xs, ys, others, out):
    """The labels that the contraction of a pair must keep: those that something else has."""
    wanted = set(out).union(*others)
    return "".join(label for label in dict.fromkeys(xs + ys) if label in wanted)


def _size(sizes, labels):
    return math.prod([sizes[label] for label in labels])


def _cheapest_pair(terms, out, sizes):
    """The pair whose contraction shrinks the operands most, or grows them least."""
    if len(terms) == 2:
        return 0, 1

    def growth(pair):
        i, j = pair
        others = [t for k, t in enumerate(terms) if k not in pair]
        after = _size(sizes, _kept(terms[i], terms[j], others, out))
        return after - _size(sizes, terms[i]) - _size(sizes, terms[j])

    return min(itertools.combinations(range(len(terms)), 2), key=growth)


@lru_cache(maxsize=1024)
def _parse(equation, ndims):
    """Terms and result of an einsum equation, one character per dimension, ellipses spelled out.

    ``ndims`` are the operands' numbers of dimensions.

    Raises:
        RuntimeError: the equation is not well formed or does not fit the operands.
    """
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    bad = set(text.replace("...", "").replace("->", "")) - set(_LETTERS) - {","}
    if bad:
        raise errors.ShapeError(
            f"einsum(): invalid subscript {sorted(bad)[0]!r} given in the equation {equation!r}, "
            "subscripts must be in [a-zA-Z], '...' at most once per operand"
        )
    if len(terms) != len(ndims):
        few = "fewer" if len(ndims) < len(terms) else "more"
        raise errors.ShapeError(
            f"einsum(): {few} operands were provided than specified in the equation {equation!r}: "
            f"{len(ndims)} and {len(terms)}"
        )
    spans = [n - len(term.replace("...", "")) for n, term in zip(ndims, terms, strict=True)]
    for i, (term, span) in enumerate(zip(terms, spans, strict=True)):
        if span < 0 or (span and "..." not in term) or term.count("...") > 1:
            raise errors.ShapeError(
                f"einsum(): the number of subscripts in the equation ({len(term)}, {term!r}) does "
                f"not match the number of dimensions ({ndims[i]}) for operand {i}"
                + ("" if "..." in term else " and no ellipsis was given")
            )
    dots = "".join(chr(_FIRST_DOT + i) for i in range(max(spans, default=0)))
    named = [
        t.replace("...", dots[len(dots) - span :]) for t, span in zip(terms, spans, strict=True)
    ]
    if arrow:
        out = right.replace("...", dots)
        if right.count("...") > 1:
            raise errors.ShapeError("einsum(): the output has more than one ellipsis")
    else:
        joined = "".join(named)
        out = dots + "".join(c for c in sorted(set(joined) - set(dots)) if joined.count(c) == 1)
    for label in out:
        if out.count(label) > 1:
            raise errors.ShapeError(
                f"einsum(): output subscript {label} appears more than once in the output"
            )
        if not any(label in term for term in named):
            raise errors.ShapeError(
                f"einsum(): output subscript {label} does not appear in the equation for any input "
                f"operand: {equation!r}"
            )
    return tuple(named), out


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FIRST_DOT = 0x3B1  # the dimensions of an ellipsis are labelled alpha, beta, ...


def _from_sublists(*arguments):
    """(equation, operands) of a call with lists of integers in place of letters."""

    def term(labels):
        if any(label is not ... and not 0 <= label < len(_LETTERS) for label in labels):
            raise errors.ArgumentError(
                f"einsum(): subscripts must be integers from 0 to {len(_LETTERS) - 1}, got {labels}"
            )
        return "".join("..." if label is ... else _LETTERS[label] for label in labels)

    operands, labels = arguments[::2], arguments[1::2]
    if len(arguments) % 2:  # the result's labels come last
        operands, labels = operands[:-1], (*labels, operands[-1])
        *terms, out = map(term, labels)
        return ",".join(terms) + "->" + out, operands
    return ",".join(map(term, labels)), operands


@published(method=False)
def einsum(equation, *operands):
    """Sums of products over labelled dimensions, in Einstein's notation.

    Args:
        equation: ``"ij,jk->ik"``: a letter for each dimension of each operand, and after ``->``
            those of the result; the product is summed over all others. ``...`` stands for any
            further dimensions, which broadcast. Without ``->`` the result has the letters that
            occur once, in alphabetical order, after those of the ellipsis. A letter twice in one
            operand takes the diagonal.
        operands: tensors of one dtype, or one list of them.

    In the other form each operand is followed by a list of integers from 0 to 51 (and ``...``) for
    its dimensions, and at the end may stand that of the result: ``einsum(a, [0, 1], b, [1, 2])``.

    More than two operands are contracted in pairs, those first that shrink the most.

    Raises:
        RuntimeError: the equation is not well formed, does not fit the operands, or sizes or
            dtypes differ.
        ValueError: there is no equation, or no operand.

    >>> import tensorgrad
    >>> a = tensorgrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tensorgrad.einsum("ij,kj->ik", a, a)
    tensor([[ 5., 11.],
            [11., 25.]])
    >>> tensorgrad.einsum("ii", a)
    tensor(5.)
    """
    if isinstance(equation, Tensor) and operands:
        equation, operands = _from_sublists(equation, *operands)
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = operands[0]
    if not isinstance(equation, str) or not operands:
        raise errors.ArgumentError(
            "einsum(): must specify the equation string and at least one operand, as in "
            'einsum("ij,jk->ik", a, b)'
        )
    arrays = [_array("einsum", f"operands[{i}]", x) for i, x in enumerate(operands)]
    _same_dtype("einsum", *arrays)
    terms, out = _parse(equation, tuple(x.ndim for x in arrays))
    return product_sum("einsum", list(operands), terms, out)


@published(method=False)
def tensordot(a, b, dims=2):
    """The product of two tensors summed over pairs of dimensions.

    Args:
        a: any tensor.
        b: a tensor of the same dtype.
        dims: how many of the last dimensions of ``a`` to pair with the first of ``b``, or two
            lists of dimensions to pair.

    The result has the other dimensions of ``a``, then those of ``b``.

    Raises:
        RuntimeError: paired dimensions differ, or there are not so many.

    >>> import tensorgrad
    >>> tensorgrad.tensordot(tensorgrad.ones(2, 3), tensorgrad.ones(3, 4), dims=1).shape
    torch.Size([2, 4])
    """
    x, y = _array("tensordot", "a", a), _array("tensordot", "b", b)
    _same_dtype("tensordot", x, y)
    if isinstance(dims, int):
        if dims < 0:
            raise errors.ShapeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(x.ndim, y.ndim):
            raise errors.ShapeError(
                f"tensordot expects dims <= ndim_a and ndim_b ({x.ndim} and {y.ndim}), but got "
                f"dims={dims}"
            )
        dims = range(x.ndim - dims, x.ndim), range(dims)
    from_a, from_b = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(from_a) != len(from_b):
        raise errors.ShapeError(
            f"tensordot: both dimension lists should have same length, got {from_a} and {from_b}"
        )
    xs, ys = _LETTERS[: x.ndim], _LETTERS[x.ndim : x.ndim + y.ndim]
    for i, j in zip(from_a, from_b, strict=True):
        if x.shape[i] == 1 != y.shape[j]:  # a size of 1 is as long as its partner
            b = sum(b, (j,), True, dtype=b.dtype)
        elif y.shape[j] == 1 != x.shape[i]:
            a = sum(a, (i,), True, dtype=a.dtype)
        elif x.shape[i] != y.shape[j]:
            raise errors.ShapeError(
                f"tensordot: contracted dimensions need to match, but first has size {x.shape[i]} "
                f"in dim {i} and second has size {y.shape[j]} in dim {j}: shapes {x.shape} and "
                f"{y.shape}"
            )
        ys = ys.replace(ys[j], xs[i])
    out = "".join(label for label in xs + ys if (label in xs) != (label in ys))
    return product_sum("tensordot", [a, b], [xs, ys], out)


@published(method=False)
def chain_matmul(*matrices):
    """The product of several matrices, in the order of fewest multiplications.

    The order is found by dynamic programming (Cormen et al., Introduction to Algorithms, 15.2).

    Raises:
        RuntimeError: an argument is not a matrix, or neighbours do not fit.

    >>> import tensorgrad
    >>> a, b = tensorgrad.ones(2, 3), tensorgrad.ones(3, 1)
    >>> tensorgrad.chain_matmul(a, b, b.T).shape
    torch.Size([2, 3])
    """
    if len(matrices) == 1 and isinstance(matrices[0], list | tuple):
        matrices = tuple(matrices[0])
    if not matrices:
        raise errors.ShapeError("chain_matmul(): expected one matrix or more, got none")
    arrays = [_array("chain_matmul", f"matrices[{i}]", m) for i, m in enumerate(matrices)]
    for x in arrays:
        if x.ndim != 2:
            raise errors.ShapeError(
                f"chain_matmul(): Tensor dimension is {x.ndim}, expected 2 instead; shape {x.shape}"
            )
    if len(matrices) == 1:
        return clone(matrices[0])
    sizes = [arrays[0].shape[0], *[x.shape[1] for x in arrays]]
    for x, y in itertools.pairwise(arrays):
        if x.shape[1] != y.shape[0]:
            raise _misfit(x, y)
    return _multiplied(matrices, 0, len(matrices) - 1, _cheapest_cuts(sizes))


def _cheapest_cuts(sizes):
    """For each run (i, j) of matrices sizes[i] x sizes[i+1]...: where to cut it in two."""
    n = len(sizes) - 1
    cost, cut = {(i, i): 0 for i in range(n)}, {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j], cut[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            )
    return cut


def _multiplied(matrices, i, j, cut):
    if i == j:
        return matrices[i]
    k = cut[i, j]
    return matmul(_multiplied(matrices, i, k, cut), _multiplied(matrices, k + 1, j, cut))


@published
def kron(input, other):
    """The Kronecker product: each element of ``input`` times all of ``other``, as blocks.

    Sizes multiply; the shorter shape is preceded by ones.

    >>> import tensorgrad
    >>> tensorgrad.kron(tensorgrad.tensor([1, 2]), tensorgrad.tensor([1, 1, 1]))
    tensor([1, 1, 1, 2, 2, 2])
    """
    x, y = _array("kron", "input", input), _array("kron", "other", other)
    n = max(x.ndim, y.ndim)
    a, b = (1,) * (n - x.ndim) + x.shape, (1,) * (n - y.ndim) + y.shape
    wide = reshape(input, tuple(s for size in a for s in (size, 1)))
    narrow = reshape(other, tuple(s for size in b for s in (1, size)))
    return reshape(mul(wide, narrow), tuple(s * t for s, t in zip(a, b, strict=True)))


@published
def trace(input):
    """The sum of the diagonal of a matrix.

    Raises:
        RuntimeError: ``input`` is not a matrix.

    >>> import tensorgrad
    >>> tensorgrad.tensor([[1.0, 2.0], [3.0, 4.0]]).trace()
    tensor(5.)
    """
    x = _array("trace", "input", input)
    if x.ndim != 2:
        raise errors.ShapeError(f"trace: expected a matrix, but got tensor with dim {x.ndim}")
    if x.dtype.kind == "b":
        raise NotImplementedError(f"trace is not implemented for {dtypes.of(x.dtype)}")
    return sum(diagonal(input))
