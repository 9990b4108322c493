"""Sparse tensors beside PyTorch: values, gradients of first and second order, errors, printing."""

import warnings

import numpy as np
import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg

torch = pytest.importorskip("torch")

PLACES = [[0, 1, 1, 0], [2, 0, 2, 2]]
VALUES = [3.0, 4.0, 5.0, 1.0]


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def matrix(lib, values=None, size=(2, 3)):
    return lib.sparse_coo_tensor(lib.tensor(PLACES), lib.tensor(values or VALUES), size)


def derivatives(lib, f, *arrays):
    """Value and gradients to second order of ``f(values, *dense)``."""
    xs = [lib.tensor(a, requires_grad=True) for a in arrays]
    out = f(*xs)
    g = lib.tensor(np.random.default_rng(1).standard_normal(tuple(out.shape)), requires_grad=True)
    first = lib.autograd.grad(out, xs, g, create_graph=True)
    second = []
    if any(a.requires_grad for a in first):
        size = sum((a * a * a).sum() for a in first)
        second = lib.autograd.grad(size, [*xs, g], allow_unused=True, materialize_grads=True)
    return [out, *first, *second]


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_product_equals_the_dense_one(data):
    """To second order, in the values and in the dense factor; places repeat, rows stay empty."""
    draw = data.draw
    m, n, p, nnz = (draw(st.integers(1, 5)) for _ in range(4))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    rows, cols = rng.integers(0, m, nnz), rng.integers(0, n, nnz)
    values, x = rng.standard_normal(nnz), rng.standard_normal((n, p))
    transposed = draw(st.booleans())
    if transposed:
        x = rng.standard_normal((m, p))

    def ours(v, x):
        a = tg.sparse_coo_tensor(np.stack((rows, cols)), v, (m, n))
        return tg.spmm(a.t() if transposed else a, x)

    def dense(v, x):
        a = tg.zeros(m, n, dtype=tg.float64).index_put((tg.tensor(rows), tg.tensor(cols)), v, True)
        return (a.T if transposed else a) @ x

    for a, b in zip(derivatives(tg, ours, values, x), derivatives(tg, dense, values, x),
                    strict=True):  # fmt: skip
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-12)


def first_gradients(lib, f, *arrays):
    xs = [lib.tensor(a, requires_grad=True) for a in arrays]
    out = f(lib.sparse_coo_tensor(lib.tensor(PLACES), xs[0], (2, 3)), *xs[1:])
    out.backward(lib.arange(out.numel(), dtype=out.dtype).reshape(out.shape) + 1.0)
    return [out, *[x.grad for x in xs]]


X32, X2 = np.arange(6.0).reshape(3, 2), np.arange(4.0).reshape(2, 2) + 1.0
PROGRAMS = {
    "spmm": lambda lib: lambda s, x: lib.spmm(s, x),
    "sparse.mm": lambda lib: lambda s, x: lib.sparse.mm(s, x),
    "mm": lambda lib: lambda s, x: lib.mm(s, x),
    "matmul": lambda lib: lambda s, x: s @ x,
    "coalesced": lambda lib: lambda s, x: s.coalesce() @ x,
    "method": lambda lib: lambda s, x: s.mm(x),
    "scaled": lambda lib: lambda s, x: (s * 2.0) @ x,
    "divided": lambda lib: lambda s, x: (s / 2.0) @ x,
    "vector": lambda lib: lambda s, x: s @ x[:, 0],
    "to_dense": lambda lib: lambda s, x: s.to_dense() @ x,
    "added": lambda lib: lambda s, x: (s + s.coalesce()).to_dense() @ x,
    "subtracted": lambda lib: lambda s, x: (s - (s * 2.0).coalesce()).to_dense() @ x,
    "onto dense": lambda lib: lambda s, x: x.T.contiguous() + s,
    "product": lambda lib: lambda s, x: (s.coalesce() * s.coalesce()).to_dense() * x.T,
    "sum": lambda lib: lambda s, x: lib.sparse.sum(s) * x,
    "sum over rows": lambda lib: lambda s, x: lib.sparse.sum(s, 0).to_dense()[:, None] * x,
    "softmax": lambda lib: lambda s, x: lib.sparse.softmax(s.coalesce(), 1).to_dense() @ x,
    "log_softmax": lambda lib: lambda s, x: lib.sparse.log_softmax(s.coalesce(), 0).to_dense() @ x,
    "values": lambda lib: lambda s, x: s.coalesce().values() * x.sum(),
    "addmm": lambda lib: lambda s, x: lib.sparse.addmm(x[:2], s, x, beta=0.5, alpha=2.0),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    agree(lambda lib: first_gradients(lib, PROGRAMS[name](lib), np.array(VALUES), X32), 1e-9)


def test_dense_times_sparse():
    agree(lambda lib: first_gradients(lib, lambda s, x: x @ s, np.array(VALUES), X2))


def test_to_sparse_and_back():
    def program(lib):
        x = lib.tensor([[0.0, 2.0], [3.0, 0.0]], requires_grad=True)
        s = x.to_sparse()
        (s @ lib.tensor([[1.0], [2.0]])).sum().backward()
        return [s.indices(), s.values(), s._nnz(), s.is_coalesced(), s.to_dense(), s.is_sparse,
                x.is_sparse]  # fmt: skip

    agree(program)
    agree(lambda lib: lib.ones(2, 2, 3).to_sparse(2).values())
    agree(lambda lib: lib.ones(2).to_dense())
    x = tg.tensor([[0.0, 2.0], [3.0, 0.0]], requires_grad=True)
    (x.to_sparse() @ tg.tensor([[1.0], [2.0]])).sum().backward()
    assert x.grad.tolist() == [[0, 2], [1, 0]]  # of the elements that are stored


def test_facts():
    def program(lib):
        s = matrix(lib)
        h = lib.sparse_coo_tensor([[0, 2]], [[1.0, 2.0], [3.0, 4.0]], (3, 2))
        return [tuple(s.shape), s.size(0), s.dim(), s.ndim, s._nnz(), s.sparse_dim(), s.dense_dim(),
                h.sparse_dim(), h.dense_dim(), h.to_dense(), s._indices(), s._values(),
                s.is_coalesced(), s.coalesce().indices(), s.coalesce().values(), s.is_sparse,
                tuple(s.t().shape), s.t().to_dense(), s.transpose(0, 1).to_dense(), s.numel(),
                str(s.dtype), str(s.double().dtype), str(s.to(lib.float64).dtype), str(s.layout),
                str(s.device), (-s).to_dense(), s.sum(), s.requires_grad, s.cpu().to_dense(),
                (s * s).coalesce().to_dense().shape == (2, 3),
                tuple(lib.sparse_coo_tensor([[0, 3]], [1.0, 2.0]).shape),
                lib.sparse_coo_tensor((2, 3)).to_dense()]  # fmt: skip

    agree(program)


def test_the_call_of_a_graph_network():
    """tkipf/pygcn: a normalised adjacency matrix by the legacy constructor, and spmm."""

    def program(lib):
        indices = lib.from_numpy(np.vstack((PLACES[0], PLACES[1])).astype(np.int64))
        adj = lib.sparse.FloatTensor(indices, lib.tensor(VALUES), lib.Size([3, 3]))
        x, w = lib.ones(3, 2), lib.ones(2, 4, requires_grad=True)
        out = lib.spmm(adj, lib.mm(x, w))
        out.sum().backward()
        return [out, w.grad, adj.to_dense()]

    agree(program)
    agree(lambda lib: lib.sparse.FloatTensor(2, 3).to_dense())


@pytest.mark.parametrize("make", [
    lambda lib: matrix(lib),
    lambda lib: matrix(lib).coalesce(),
    lambda lib: matrix(lib).double(),
    lambda lib: matrix(lib).to(lib.int64),
    lambda lib: lib.sparse_coo_tensor(np.zeros((2, 0)), [], (2, 2)),
    lambda lib: lib.sparse_coo_tensor([[0, 2]], [[1.0, 2.0], [3.0, 4.0]], (3, 2)),
    lambda lib: lib.sparse_coo_tensor(np.arange(40).reshape(2, 20) % 5, lib.ones(20), (5, 5)),
])  # fmt: skip
def test_printing(make):
    agree(lambda lib: repr(make(lib)))


BAD = {
    "numbers differ": lambda lib: lib.sparse_coo_tensor(PLACES, VALUES[:3], (2, 3)),
    "dimensions differ": lambda lib: lib.sparse_coo_tensor(PLACES, VALUES, (2, 3, 4)),
    "flat indices": lambda lib: lib.sparse_coo_tensor([0, 1], [1.0, 2.0], (2,)),
    "sizes": lambda lib: lib.spmm(matrix(lib), lib.ones(2, 2)),
    "dtypes": lambda lib: lib.spmm(matrix(lib), lib.ones(3, 2).double()),
    "indices of uncoalesced": lambda lib: matrix(lib).indices(),
    "values of uncoalesced": lambda lib: matrix(lib).values(),
    "numpy": lambda lib: matrix(lib).numpy(),
    "plus dense": lambda lib: matrix(lib) + lib.ones(2, 3),
    "other sizes": lambda lib: matrix(lib) + matrix(lib, size=(3, 3)),
    "transposed beyond": lambda lib: matrix(lib).transpose(0, 2),
    "sum beyond": lambda lib: lib.sparse.sum(matrix(lib), 2),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    assert agree(lambda lib: BAD[name](lib)) is not None


def test_an_index_outside_is_refused():
    """PyTorch checks that on demand only."""
    with pytest.raises(RuntimeError, match="size is inconsistent"):
        matrix(tg, size=(1, 3))
    with pytest.raises(RuntimeError, match="negative"):
        tg.sparse_coo_tensor([[-1]], [1.0], (2,))


def test_it_is_no_dense_tensor():
    s = matrix(tg)
    assert not isinstance(s, tg.Tensor)
    with pytest.raises((TypeError, AttributeError)):
        tg.exp(s)


def test_sparse_products_without_gradient():
    agree(lambda lib: lib.sparse.mm(matrix(lib), matrix(lib).t()).to_dense())
    s = tg.sparse_coo_tensor(PLACES, VALUES, (2, 3), requires_grad=True)
    with pytest.raises(RuntimeError, match="to_dense"):
        tg.sparse.mm(s, s.t())
