"""Sparse tensors in coordinate (COO) form, ``torch.sparse``.

A :class:`SparseTensor` is a pair of tensors: the places of the elements, and their values, which
carry the gradient. It is *not* a :class:`~tensorgrad.Tensor`: it supports what is listed here, and
any other operation raises TypeError rather than make it dense unseen; ``to_dense()`` does that.
Gradients of sparse matrices are those of their values: give ``requires_grad`` to the values.

Two ops that are each other's derivative carry the products with dense matrices: sparse times dense,
by SciPy's CSR, and the entries of a product of dense matrices at given places.
"""

from __future__ import annotations

import math
import operator

import numpy as np

from . import _device, dtypes, errors, printing
from ._graph import Tensor, asarray, wrap
from ._registry import FUNCTIONS, OPS, op
from ._tensor import Size

LAYOUT = "torch.sparse_coo"


# --- the ops ----------------------------------------------------------------------------


class Pattern:
    """Where the elements of an (m, n) matrix stand; repeated places add up.

    Attributes:
        rows, cols: of each element.
        shape: (m, n).
    """

    __slots__ = ("_order", "_transposed", "cols", "rows", "shape")

    def __init__(self, rows, cols, shape):
        self.rows, self.cols, self.shape = rows, cols, shape
        self._order = self._transposed = None

    @property
    def T(self) -> Pattern:
        """The pattern of the transpose; made once, as every backward asks for it."""
        if self._transposed is None:
            self._transposed = Pattern(self.cols, self.rows, self.shape[::-1])
            self._transposed._transposed = self
        return self._transposed

    def matrix(self, values):
        """The CSR matrix with ``values``; the elements are sorted by rows once."""
        from scipy.sparse import csr_array

        if self._order is None:
            order = np.argsort(self.rows, kind="stable")
            ends = np.cumsum(np.bincount(self.rows, minlength=self.shape[0]))
            self._order = order, self.cols[order], np.concatenate(([0], ends))
        order, cols, starts = self._order
        return csr_array((values[order], cols, starts), shape=self.shape)


@op(name="sparse_mm", public=False, method=False, types="same", complex="holomorphic",
    grad_name="MmBackward0")  # fmt: skip
def _product(values, x, *, pattern):
    """The sparse matrix with ``values`` times the dense matrix ``x``."""
    return asarray(pattern.matrix(values) @ x)


@op(name="sparse_entries", public=False, method=False, types="same", complex="holomorphic",
    grad_name="SparseSampledAddmmBackward0")  # fmt: skip
def _entries(x, y, *, pattern):
    """The elements of ``x @ y.T`` at the places of ``pattern``."""
    return np.einsum("ij,ij->i", x[pattern.rows], y[pattern.cols])


_product.vjp(
    values=lambda g, x, *, pattern: _entries(g, x, pattern=pattern),
    x=lambda g, values, *, pattern: _product(values, g, pattern=pattern.T),
)
_entries.vjp(
    x=lambda g, y, *, pattern: _product(g, y, pattern=pattern),
    y=lambda g, x, *, pattern: _product(g, x, pattern=pattern.T),
)
_put_add = OPS["put_add"]


# --- the tensor -------------------------------------------------------------------------


class SparseTensor:
    """A tensor of which only some elements are stored; all others are 0.

    Made by :func:`tensorgrad.sparse_coo_tensor` and ``Tensor.to_sparse``. Supported: ``+``, ``-``
    between sparse tensors and onto dense ones, ``*`` and ``/`` by numbers, ``*`` element by
    element, ``@`` with dense matrices and vectors, ``t()``, ``transpose``, ``sum``, conversions
    of dtype.

    Attributes:
        shape: the sizes; the first ``sparse_dim()`` dimensions are indexed, the others dense.
    """

    is_sparse = True
    is_sparse_csr = is_cuda = is_quantized = False
    layout = LAYOUT
    device = _device.CPU
    __array_ufunc__ = None  # NumPy arrays leave operators to us

    def __init__(self, places, values, shape, coalesced=False):
        self._places, self._elements = places, values
        self.shape, self._coalesced = Size(shape), coalesced
        self._pattern = None

    # --- facts

    dtype = property(lambda self: self._elements.dtype, doc="The element type.")
    requires_grad = property(lambda self: self._elements.requires_grad, doc="That of the values.")
    grad_fn = property(lambda self: self._elements.grad_fn, doc="The node of the values.")
    ndim = property(lambda self: len(self.shape), doc="The number of dimensions.")

    def size(self, dim=None):
        """The shape, or the size of dimension ``dim``."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self):
        """The number of dimensions."""
        return len(self.shape)

    def numel(self):
        """The number of elements, the zeros included."""
        return self.shape.numel()

    def sparse_dim(self):
        """The number of dimensions that are indexed."""
        return len(self._places)

    def dense_dim(self):
        """The number of dimensions of each value."""
        return self._elements.ndim - 1

    def _nnz(self):
        """The number of stored elements."""
        return self._places.shape[1]

    def is_coalesced(self):
        """Whether the places are known to be sorted and distinct."""
        return self._coalesced

    def is_floating_point(self):
        """Whether the dtype is a floating-point one."""
        return self._elements.is_floating_point()

    def is_complex(self):
        """Whether the dtype is a complex one."""
        return self._elements.is_complex()

    def _indices(self):
        """The places, (sparse_dim, nnz), repeats included."""
        return wrap(self._places)

    def _values(self):
        """The values as they are stored, cut from the graph as in PyTorch."""
        return self._elements.detach()

    def indices(self):
        """The places of a coalesced tensor, (sparse_dim, nnz).

        Raises:
            RuntimeError: the tensor is not coalesced.
        """
        self._demand_coalesced("indices")
        return wrap(self._places)

    def values(self):
        """The values of a coalesced tensor, with their history.

        Raises:
            RuntimeError: the tensor is not coalesced.
        """
        self._demand_coalesced("values")
        return self._elements

    def _demand_coalesced(self, what):
        if not self._coalesced:
            raise RuntimeError(
                f"Cannot get {what} on an uncoalesced tensor, please call .coalesce() first"
            )

    def __repr__(self):
        prefix = "tensor("
        text = prefix + "indices=" + _shown(self._places, len(prefix + "indices="))
        more = "values=" + _shown(self._elements._array, len(prefix + "values="))
        last = [f"size={tuple(self.shape)}", f"nnz={self._nnz()}"]
        own = self._elements._array.dtype
        usual = [dtypes.default_float(), *(dtypes.to_numpy(k) for k in (complex, int, bool))]
        if own not in usual:
            last.append(f"dtype={self.dtype}")
        last.append(f"layout={LAYOUT}")
        if self.grad_fn is not None:
            last.append(f"grad_fn=<{self.grad_fn.name()}>")
        elif self.requires_grad:
            last.append("requires_grad=True")
        indent = len(prefix)
        text += ",\n" + " " * indent + more + ",\n" + " " * indent + last[0]
        return printing._append(text, last[1:], indent) + ")"

    # --- conversions

    def _with(self, values, coalesced=None):
        """The same places with other values."""
        other = SparseTensor(
            self._places, values, self.shape, self._coalesced if coalesced is None else coalesced
        )
        other._pattern = self._pattern
        return other

    def to(self, *args, **kwargs):
        """This tensor with another dtype (and device: the CPU); see ``Tensor.to``."""
        values = self._elements.to(*args, **kwargs)
        return self if values is self._elements else self._with(values)

    def float(self):
        """As float32."""
        return self.to(dtypes.float32)

    def double(self):
        """As float64."""
        return self.to(dtypes.float64)

    def half(self):
        """As float16."""
        return self.to(dtypes.float16)

    def int(self):
        """As int32."""
        return self.to(dtypes.int32)

    def long(self):
        """As int64."""
        return self.to(dtypes.int64)

    def cpu(self):
        """This tensor: it is on the CPU."""
        return self

    def cuda(self, *args, **kwargs):
        """Raises RuntimeError: there is only the CPU."""
        return self._elements.cuda(*args, **kwargs)

    def detach(self):
        """The same tensor with its values cut from the graph."""
        return self._with(self._elements.detach())

    def clone(self):
        """A copy; gradients pass through."""
        return SparseTensor(
            self._places.copy(), self._elements.clone(), self.shape, self._coalesced
        )

    def requires_grad_(self, requires_grad=True):
        """Set ``requires_grad`` of the values, whose ``grad`` it is that backward fills."""
        self._elements.requires_grad_(requires_grad)
        return self

    def to_sparse(self):
        """This tensor: it is sparse."""
        return self

    def to_dense(self, dtype=None):
        """The Tensor with all elements, values at repeated places added."""
        values = self._elements if dtype is None else self._elements.to(dtype)
        if not len(self._places):  # no dimension is indexed: every value has the one place
            return values.sum(0)
        attrs = {"index": tuple(self._places), "shape": tuple(self.shape)}
        return _put_add.apply((values,), attrs)

    def numpy(self):
        """Raises TypeError: use ``to_dense().numpy()``."""
        raise TypeError(
            "can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first."
        )

    def coalesce(self):
        """The same tensor with distinct places in lexicographic order; repeats are added."""
        if self._coalesced:
            return self
        sizes = self.shape[: len(self._places)]
        number = _number(self._places, sizes)
        kept, where = np.unique(number, return_inverse=True)
        values = _sum_into(self._elements, where.reshape(-1), len(kept))
        places = np.stack(np.unravel_index(kept, sizes)) if sizes else self._places[:, : len(kept)]
        return SparseTensor(places.astype(np.int64), values, self.shape, True)

    # --- shapes

    def transpose(self, dim0, dim1):
        """Two indexed dimensions exchanged."""
        order = list(range(self.ndim))
        for d in (dim0, dim1):
            if not -self.ndim <= d < self.ndim:
                raise errors.DimError(
                    f"Dimension out of range (expected to be in range of [{-self.ndim}, "
                    f"{self.ndim - 1}], but got {d})"
                )
        dim0, dim1 = dim0 % self.ndim, dim1 % self.ndim
        order[dim0], order[dim1] = dim1, dim0
        if max(dim0, dim1) >= self.sparse_dim():
            if dim0 == dim1:
                return self
            raise errors.ShapeError(
                f"transpose: dimensions {dim0} and {dim1} are not both sparse "
                f"(sparse_dim={self.sparse_dim()}); use to_dense()"
            )
        places = self._places[order[: self.sparse_dim()]]
        other = SparseTensor(
            places, self._elements, [self.shape[d] for d in order], self._coalesced and dim0 == dim1
        )
        if self._pattern is not None and self.ndim == 2 and dim0 != dim1:
            other._pattern = self._pattern.T
        return other

    def t(self):
        """The transpose of a matrix."""
        if self.ndim > 2:
            raise errors.ShapeError(
                f"t() expects a tensor with <= 2 sparse and 0 dense dimensions, got {self.ndim}-D"
            )
        return self.transpose(0, 1) if self.ndim == 2 else self

    T = property(t, doc="The transpose of a matrix.")

    def sum(self, dim=None):
        """The sum of all elements, a Tensor; over ``dim`` see :func:`sum`."""
        return self._elements.sum() if dim is None else sum(self, dim)

    # --- arithmetic

    def __neg__(self):
        return self._with(-self._elements)

    def __add__(self, other):
        if isinstance(other, SparseTensor):
            return _added(self, other)
        if isinstance(other, Tensor):
            raise RuntimeError(
                "add(sparse, dense) is not supported. Use add(dense, sparse) instead."
            )
        return NotImplemented

    def __radd__(self, other):
        return other + self.to_dense() if isinstance(other, Tensor) else NotImplemented

    def __sub__(self, other):
        return self + -other if isinstance(other, SparseTensor | Tensor) else NotImplemented

    def __rsub__(self, other):
        return other - self.to_dense() if isinstance(other, Tensor) else NotImplemented

    def __mul__(self, other):
        if isinstance(other, SparseTensor):
            return _common(self, other)
        if isinstance(other, Tensor) and other.ndim:
            _demand_shape("mul", self, other)
            at = tuple(map(wrap, self._places))
            return self._with(self._elements * (other[at] if at else other))
        if isinstance(other, Tensor) or _is_number(other):
            return self._with(self._elements * other)
        return NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, other):
        if _is_number(other) or (isinstance(other, Tensor) and not other.ndim):
            return self._with(self._elements / other)
        return NotImplemented

    def __matmul__(self, other):
        if isinstance(other, SparseTensor):
            return _sparse_product(self, other)
        return _dense_product(self, other) if isinstance(other, Tensor) else NotImplemented

    def __rmatmul__(self, other):
        if not isinstance(other, Tensor):
            return NotImplemented
        return _dense_product(self.t(), other.mT if other.ndim > 1 else other).T

    matmul = mm = mv = __matmul__
    mul, add, sub, div = __mul__, __add__, __sub__, __truediv__
    __hash__ = object.__hash__


def _shown(array, indent):
    if not array.size:
        size = f", size={tuple(array.shape)}"
        return f"tensor([]{size})"
    return "tensor(" + printing._body(array, indent + len("tensor(")) + ")"


def _is_number(x):
    return isinstance(x, bool | int | float | complex | np.generic)


def _number(places, sizes):
    """The position of each place in row-major order."""
    if not len(sizes):
        return np.zeros(places.shape[1], np.int64)
    if not places.shape[1]:
        return np.zeros(0, np.int64)
    return np.ravel_multi_index(tuple(places), tuple(sizes))


def _sum_into(values, where, count):
    """The sums of the values that ``where`` sends to each of ``count`` places."""
    attrs = {"index": (where,), "shape": (count, *values._array.shape[1:])}
    return _put_add.apply((values,), attrs)


def _demand_shape(name, x, y):
    if tuple(x.shape) != tuple(y.shape):
        raise errors.ShapeError(
            f"{name}: expected 'self' and 'other' to have same sizes, but {tuple(x.shape)} != "
            f"{tuple(y.shape)}; nothing broadcasts here"
        )


def _added(x, y):
    _demand_shape("add", x, y)
    if x.sparse_dim() != y.sparse_dim():
        raise errors.ShapeError(
            f"add: the sparse dimensions differ: {x.sparse_dim()} and {y.sparse_dim()}"
        )
    if np.array_equal(x._places, y._places):
        return x._with(x._elements + y._elements, x._coalesced and y._coalesced)
    places = np.concatenate((x._places, y._places), 1)
    return SparseTensor(places, FUNCTIONS["cat"]((x._elements, y._elements)), x.shape)


def _common(x, y):
    """The product element by element, at the places that both have."""
    _demand_shape("mul", x, y)
    x, y = x.coalesce(), y.coalesce()
    sizes = x.shape[: x.sparse_dim()]
    _, i, j = np.intersect1d(
        _number(x._places, sizes), _number(y._places, sizes), True, return_indices=True
    )
    values = x._elements[wrap(i)] * y._elements[wrap(j)]
    return SparseTensor(x._places[:, i], values, x.shape, True)


# --- products of matrices ---------------------------------------------------------------


def _matrix_pattern(name, x):
    if x.sparse_dim() != 2 or x.dense_dim():
        raise errors.ShapeError(
            f"{name}: Expected a sparse matrix, got {x.sparse_dim()} sparse and {x.dense_dim()} "
            "dense dimensions"
        )
    if x._pattern is None:
        x._pattern = Pattern(*x._places, tuple(x.shape))
    return x._pattern


def _dense_product(x, y):
    if y.ndim == 1:
        return _dense_product(x, y[:, None])[:, 0]
    pattern = _matrix_pattern("mm", x)
    if y.ndim != 2:
        raise errors.ShapeError(f"mm: Expected dense to be a matrix or vector, got {y.ndim}-D")
    if y.shape[0] != x.shape[1]:
        raise errors.ShapeError(
            f"addmm: Argument #3 (dense): Expected dim 0 size {x.shape[1]}, got {y.shape[0]}; "
            f"shapes {tuple(x.shape)} and {tuple(y.shape)}"
        )
    return _product(x._elements, y, pattern=pattern)


def _sparse_product(x, y):
    """The product of two sparse matrices, coalesced; not recorded."""
    if x.requires_grad or y.requires_grad:
        raise RuntimeError(
            "the product of two sparse matrices has no gradient here; make one of them dense by "
            "to_dense(), or detach() both"
        )
    a, b = (_matrix_pattern("mm", m).matrix(m._elements._array) for m in (x, y))
    if a.shape[1] != b.shape[0]:
        raise errors.ShapeError(f"mm: matrices of shapes {a.shape} and {b.shape} do not multiply")
    if a.dtype != b.dtype:
        raise errors.DtypeError(f"mm: expected one dtype, got {a.dtype} and {b.dtype}")
    product = (a @ b).tocoo()
    places = np.stack((product.row, product.col)).astype(np.int64)
    return SparseTensor(places, wrap(product.data), product.shape).coalesce()


def mm(mat1, mat2, reduce=None):
    """The product of a sparse and a dense matrix (or of two sparse ones, without gradient).

    Gradients reach the dense matrix and the values of the sparse one, to any order.

    Args:
        mat1: sparse matrix (m, n).
        mat2: dense matrix (n, p), or sparse.
        reduce: must be None: products are summed.

    Raises:
        RuntimeError: sizes or dtypes differ.

    >>> import tensorgrad as torch
    >>> a = torch.sparse_coo_tensor([[0, 1], [1, 0]], [2.0, 3.0], (2, 2))
    >>> torch.sparse.mm(a, torch.eye(2))
    tensor([[0., 2.],
            [3., 0.]])
    """
    if reduce is not None:
        raise NotImplementedError(f"sparse.mm: reduce={reduce!r} is not available; leave it out")
    if not isinstance(mat1, SparseTensor) and not isinstance(mat2, SparseTensor):
        return FUNCTIONS["mm"](mat1, mat2)
    return mat1 @ mat2


def spmm(input, mat2):
    """``torch.spmm``: see :func:`mm`."""
    return mm(input, mat2)


def addmm(mat, mat1, mat2, *, beta=1.0, alpha=1.0):
    """``beta * mat + alpha * (mat1 @ mat2)`` with a sparse ``mat1``."""
    return mat * beta + mm(mat1, mat2) * alpha


# --- sums and softmax -------------------------------------------------------------------


def _indexed_dims(name, input, dim):
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    n = input.ndim
    for d in dims:
        if not -n <= d < n:
            raise errors.DimError(
                f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {d})"
            )
    dims = {d % n for d in dims}
    if max(dims) >= input.sparse_dim():
        raise NotImplementedError(f"sparse.{name}: over dense dimensions is not available")
    return dims


def sum(input, dim=None, dtype=None):
    """The sum of a sparse tensor: over all a dense 0-d tensor, over ``dim`` sparse, coalesced.

    >>> import tensorgrad as torch
    >>> a = torch.sparse_coo_tensor([[0, 1], [1, 1]], [2.0, 3.0], (2, 2))
    >>> torch.sparse.sum(a, 0).to_dense()
    tensor([0., 5.])
    """
    if dtype is not None:
        input = input.to(dtype)
    if dim is None:
        return input._elements.sum()
    dims = _indexed_dims("sum", input, dim)
    rest = [d for d in range(input.sparse_dim()) if d not in dims]
    if not rest:
        return input._elements.sum(0)
    shape = [n for d, n in enumerate(input.shape) if d not in dims]
    return SparseTensor(input._places[rest], input._elements, shape).coalesce()


def _by_group(input, dim):
    """(coalesced input, the group of each element, the number of groups) along ``dim``."""
    (d,) = _indexed_dims("softmax", input, dim)
    input = input.coalesce()
    rest = [k for k in range(input.sparse_dim()) if k != d]
    number = _number(input._places[rest], [input.shape[k] for k in rest])
    groups, where = np.unique(number, return_inverse=True)
    return input, where.reshape(-1), len(groups)


def _shifted(input, dim):
    """The values less the largest of their group, and the exponentials' sums."""
    input, where, count = _by_group(input, dim)
    values = input._elements
    array = values._array
    top = np.full((count, *array.shape[1:]), -math.inf, array.dtype)
    np.maximum.at(top, where, array)
    values = values - wrap(top[where])
    return input, values, where, _sum_into(values.exp(), where, count)


def softmax(input, dim, *, dtype=None):
    """The softmax along ``dim`` of the stored elements; those not stored count as -inf."""
    input = input if dtype is None else input.to(dtype)
    input, values, where, total = _shifted(input, dim)
    return input._with(values.exp() / total[wrap(where)])


def log_softmax(input, dim, *, dtype=None):
    """The logarithm of :func:`softmax`."""
    input = input if dtype is None else input.to(dtype)
    input, values, where, total = _shifted(input, dim)
    return input._with(values - total.log()[wrap(where)])


# --- making them ------------------------------------------------------------------------


def sparse_coo_tensor(
    indices, values=None, size=None, *, dtype=None, device=None, pin_memory=False,
    requires_grad=False, check_invariants=None, is_coalesced=None,
):  # fmt: skip
    """A sparse tensor with ``values`` at ``indices``; values at repeated places add up.

    Args:
        indices: (sparse_dim, nnz) integers; or, without ``values``, the size of a tensor of zeros.
        values: (nnz, *dense sizes); a Tensor that requires grad gets gradients.
        size: the shape; by default just large enough.
        dtype: of the values.
        device: the CPU.
        pin_memory: has no effect.
        requires_grad: of the values.
        check_invariants: has no effect: sizes and indices are always checked.
        is_coalesced: True to promise that the indices are sorted and distinct.

    Raises:
        RuntimeError: numbers of indices and values, or of dimensions, do not fit; an index lies
            outside ``size``.

    >>> import tensorgrad as torch
    >>> torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3))
    tensor(indices=tensor([[0, 1, 1],
                           [2, 0, 2]]),
           values=tensor([3., 4., 5.]),
           size=(2, 3), nnz=3, layout=torch.sparse_coo)
    """
    from .creation import size_of

    _device.check(device)
    if values is None:
        if size is not None:
            raise TypeError("sparse_coo_tensor(): missing required argument 'values'")
        shape = size_of((indices,))
        own = dtypes.to_numpy(dtype)
        result = SparseTensor(np.zeros((len(shape), 0), np.int64), wrap(np.zeros(0, own)), shape)
    else:
        as_tensor = FUNCTIONS["as_tensor"]
        places = np.array(as_tensor(indices)._array, dtype=np.int64)  # nobody else may write it
        values = as_tensor(values, dtype=dtype)
        shape = _checked(places, values._array, None if size is None else size_of((size,)))
        result = SparseTensor(places, values, shape, bool(is_coalesced))
    if requires_grad:
        if result._elements.is_leaf and result._elements is values:
            result._elements = values.detach()
        result._elements.requires_grad_()
    return result


def _checked(places, values, size):
    """The shape, and that all fits."""
    if places.ndim != 2:
        raise errors.ShapeError(
            f"indices must be sparse_dim x nnz, but got shape {list(places.shape)}"
        )
    n, nnz = places.shape
    if not values.ndim or len(values) != nnz:
        got = len(values) if values.ndim else f"none (shape {values.shape})"
        raise errors.ShapeError(
            "indices and values must have same nnz, but got nnz from indices: "
            f"{nnz}, nnz from values: {got}"
        )
    if nnz and places.min(initial=0) < 0:
        raise errors.ShapeError(f"found negative index {places.min()}")
    least = places.max(1) + 1 if nnz else np.zeros(n, np.int64)
    if size is None:
        return (*least.tolist(), *values.shape[1:])
    if len(size) != n + values.ndim - 1:
        raise errors.ShapeError(
            "'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = "
            f"{len(size)}, sparse_dim = {n}, dense_dim = {values.ndim - 1}"
        )
    for d, (wanted, has) in enumerate(zip(least.tolist(), size, strict=False)):
        if wanted > has:
            raise errors.ShapeError(
                f"size is inconsistent with indices: for dim {d}, size is {has} but found index "
                f"{wanted - 1}"
            )
    if tuple(size[n:]) != values.shape[1:]:
        raise errors.ShapeError(
            f"values of shape {list(values.shape)} do not fit the dense sizes {list(size[n:])}"
        )
    return tuple(size)


def from_dense(x, sparse_dim=None):
    """``Tensor.to_sparse``: the elements that are not 0, with their history.

    Args:
        x: the Tensor.
        sparse_dim: how many of the leading dimensions are indexed; all by default.
    """
    n = x.ndim if sparse_dim is None else operator.index(sparse_dim)
    if not 0 <= n <= x.ndim or (n == 0 and x.ndim):
        raise errors.ShapeError(f"to_sparse: sparse_dim must be in 1..{x.ndim}, got {n}")
    array = x._array
    there = array != 0
    there = there.any(tuple(range(n, x.ndim))) if n < x.ndim else there
    if not n:
        values = x.reshape(1)[: int(bool(there))]
        return SparseTensor(np.zeros((0, len(values)), np.int64), values, x.shape, True)
    places = np.stack(np.nonzero(there)).astype(np.int64)
    return SparseTensor(places, x[tuple(map(wrap, places))], x.shape, True)


def _legacy(name, kind):
    def make(*args, device=None):
        if not args or all(isinstance(a, int) for a in args):
            return sparse_coo_tensor(args or (0,), dtype=kind, device=device)
        if len(args) == 1:
            return sparse_coo_tensor(tuple(args[0]), dtype=kind, device=device)
        values = FUNCTIONS["as_tensor"](args[1])
        if values.dtype is not kind:
            raise TypeError(
                f"torch.sparse.{name}(): expected values of {kind}, got {values.dtype}; convert "
                "them with .to(dtype), or use sparse_coo_tensor()"
            )
        return sparse_coo_tensor(args[0], values, *args[2:], device=device)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = (
        f"PyTorch's old spelling of ``sparse_coo_tensor(indices, values, size)`` for {kind}; sizes "
        "alone give zeros."
    )
    return make


HalfTensor = _legacy("HalfTensor", dtypes.float16)
FloatTensor = _legacy("FloatTensor", dtypes.float32)
DoubleTensor = _legacy("DoubleTensor", dtypes.float64)
IntTensor = _legacy("IntTensor", dtypes.int32)
LongTensor = _legacy("LongTensor", dtypes.int64)

__all__ = [
    "DoubleTensor", "FloatTensor", "HalfTensor", "IntTensor", "LongTensor", "SparseTensor", "addmm",
    "log_softmax", "mm", "softmax", "sparse_coo_tensor", "spmm", "sum",
]  # fmt: skip
