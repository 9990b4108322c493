"""Distances, integrals, covariances, histograms, reductions at indices: beside PyTorch."""

import both
import numpy as np
import pytest

import tensorgrad as tg

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated", "ignore:.*in beta")

rng = np.random.default_rng(5)
X, Y, Z = (rng.standard_normal(s) for s in ((3, 4), (3, 4), (2, 4)))
C, v, big = (rng.standard_normal(s) for s in ((2, 3, 3), (3,), (30, 3)))
P = rng.uniform(0.3, 3, (3, 4))
WHOLE = np.round(X)  # with ties and zeros
TIES = np.round(Y)
PLACES = np.array([[0, 2, 1, 1], [0, 1, 2, 1]])
WIDE = np.array([[0, 2, 1, 1], [0, 1, 2, 1], [2, 2, 1, 1]])

ROWS = [
    ("t.cross(x, y)", C, C[::-1] + 0), ("t.cross(x, y, dim=1)", C, C[::-1] + 0),
    ("t.vander(x)", v), ("t.vander(x, 4, True)", v), ("t.vander(x, 1)", v),
    ("t.cdist(x, y)", X, Z), ("t.cdist(x, x.detach())", X), ("t.cdist(x, y)", big, big[:28] * 2),
    ("t.cdist(x, y, 1.0)", X, Z), ("t.cdist(x, y, p=3.0)", X, Z), ("t.cdist(x, y, inf)", X, Z),
    ("t.cdist(x, y)", C, C[:1]), ("t.pdist(x)", X), ("t.pdist(x, 1.0)", X), ("t.pdist(x, 3.0)", X),
    ("t.cosine_similarity(x, y)", X, Y), ("t.cosine_similarity(x[:, None], y, dim=-1)", X, Z),
    ("t.cosine_similarity(x, y, 0, 10.0)", X, Y), ("t.pairwise_distance(x, y)", X, Y),
    ("t.pairwise_distance(x, y, 1.0, 0.1, True)", X, Y),
    ("t.renorm(x, 2, 0, 1.0)", X), ("x.renorm(1, -1, 2.0)", C), ("(x * 1).renorm_(2, 1, 0.5)", X),
    ("t.trapezoid(x)", X), ("t.trapezoid(x, y)", X, Y), ("t.trapz(x, y, dim=0)", X, v),
    ("t.trapezoid(x, dx=0.5, dim=0)", X), ("t.cumulative_trapezoid(x, y)", X, Y),
    ("t.cumulative_trapezoid(x, dim=0)", X), ("t.cat(t.gradient(x))", X),
    ("t.cat(t.gradient(x, edge_order=2, spacing=0.3))", X),
    ("t.gradient(x, edge_order=2, dim=1, spacing=[t.arange(4.0).to(x.dtype) ** 2])[0]", X),
    ("t.cat(t.gradient(x, spacing=(2.0, 3.0)))", X),
    ("t.gradient(x, dim=-1, spacing=[t.arange(4.0).to(x.dtype) ** 2])[0]", X),
    ("t.cov(x)", X), ("x.cov(correction=0)", v), ("t.corrcoef(x)", X), ("x.corrcoef()", v),
    ("t.cov(x, fweights=t.tensor([1, 2, 1, 3]))", X), ("t.cov(x, aweights=y)", X, P[0]),
    ("t.cov(x, aweights=y, fweights=t.tensor([1, 2, 1, 3]), correction=2)", X, P[0]),
    ("t.frexp(x).mantissa", X), ("t.mvlgamma(x, 2)", P + 1), ("x.mvlgamma(3)", P + 1),
    *[(f"t.scatter_reduce(x, 0, i, y, '{how}', include_self={own})", X, Z)
      for how in ("sum", "prod", "mean", "amax", "amin") for own in (True, False)],
    # Without the old values, PyTorch still lets one that equals the result take a share.
    *[(f"x.scatter_reduce(0, j, y, '{how}', include_self={own})", WHOLE + 0.5 * (not own), TIES)
      for how in ("sum", "mean", "amax", "amin") for own in (True, False)],
    *[(f"t.index_reduce(x, 0, t.tensor([0, 2, 0]), y, '{how}', include_self={own})", X, Y)
      for how in ("prod", "mean", "amax", "amin") for own in (True, False)],
    ("(x * 1).scatter_reduce_(0, i, y, 'amax')", X, Z), ("(x * 1).float_power_(2)", X),
    ("(x * 1).addmm_(y, y.T @ x)", X, X @ X.T), ("(x * 1).cumsum_(1)", X),
    ("t.exp_(x * 1)", X), ("t.relu_(x * 1)", X), ("t.nuclear_norm(x)", X),
    ("t.frobenius_norm(x, (0, 1))", X), ("x.split_with_sizes([1, 3], 1)[1]", X),
]  # fmt: skip
rows = pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])


def run(text, lib, tensors):
    places = {"i": lib.tensor(PLACES), "j": lib.tensor(WIDE), "inf": float("inf")}
    return eval(text, {"t": lib, **places, **dict(zip("xy", tensors, strict=False))})


# PyTorch has no second derivative of these.
FIRST_ONLY = ("t.cdist", "t.pdist", "t.vander")


def derivatives(lib, text, arrays, twice):
    leaves = [lib.tensor(a, requires_grad=True) for a in arrays]
    out = run(text, lib, leaves)
    rng = np.random.default_rng(1)
    g = lib.tensor(rng.standard_normal(tuple(out.shape)), requires_grad=True)
    result = [out]
    if not text.startswith("t.vander"):  # PyTorch's multiplies in place, and then refuses
        result += lib.autograd.grad((out * g.detach()).sum(), leaves)
    if twice:
        first = lib.autograd.grad((run(text, lib, leaves) * g).sum(), leaves, create_graph=True)
        total = sum((d * lib.tensor(rng.standard_normal(tuple(d.shape)))).sum() for d in first)
        second = lib.autograd.grad(total, [*leaves, g], allow_unused=True)
        empty = [lib.zeros(x.shape) for x in (*leaves, g)]
        second = [n if d is None else d for d, n in zip(second, empty, strict=True)]
        result += [*first, *second]
    return [x.numpy(force=True) for x in result]


@rows
def test_value_and_derivatives(row):
    text, *arrays = row
    twice = not text.startswith(FIRST_ONLY)
    ours, theirs = (derivatives(lib, text, arrays, twice) for lib in (tg, torch))
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8)


@rows
def test_float32(row):
    text, *arrays = row

    def program(lib):
        return run(text, lib, [lib.tensor(a.astype(np.float32)) for a in arrays])

    both.agree(program, rtol=1e-4)


def test_products_with_zeros_have_their_gradient():
    def program(lib):
        x = lib.tensor([2.0, 0.0, 3.0], dtype=lib.float64, requires_grad=True)
        y = lib.tensor([0.0, 4.0, 5.0, 0.0, 0.0], dtype=lib.float64, requires_grad=True)
        index = lib.tensor([0, 0, 1, 2, 2])
        x.scatter_reduce(0, index, y, "prod").sum().backward()
        return x.grad, y.grad

    both.agree(program)


VALUES = [
    "t.histogram(f, bins=4, range=(0.0, 3.0))", "t.histogram(f, bins=4)",
    "t.histogram(f, t.tensor([0.0, 1.0, 2.0]), density=True)", "f.histogram(3, weight=f)",
    "t.histogram(t.ones(3), 2)", "t.histogramdd(m, [2, 3])", "t.histogramdd(m, 2, weight=m[:, 0])",
    "t.histogramdd(m, 2, range=(0.0, 1.0, 0.0, 1.0), density=True)", "t.frexp(f)",
    "t.gcd(n, n.flip(0))", "t.lcm(n, t.tensor(6))", "t.nextafter(f, t.zeros(3))", "n.gcd_(n + 2)",
    "t.trapezoid(n)", "t.vander(n)", "t.is_same_size(f, n)", "t.is_signed(n)",
    "n.bool().is_signed()",
    "t.nonzero_static(n, size=2)", "t.nonzero_static(n, size=5, fill_value=7)", "t.gradient(n)",
    "t.cov(n)", "t.cross(n, n.flip(0))", "t.scatter_reduce(n, 0, n * 0, n, 'mean')",
    "t.scatter_reduce(n, 0, n * 0, n, 'amin', include_self=False)", "t.pdist(m[:1])",
    "t.unsafe_split(n, 2)", "n.unsafe_chunk(2)", "t.cdist(m[:0], m)",
]  # fmt: skip
BAD = [
    "t.cross(m, m)", "t.vander(m)", "t.cdist(m, m[:, :1])", "t.cdist(n[None], n[None])",
    "t.cdist(m, m, -1.0)", "t.cdist(f, f)", "t.pdist(f)", "t.renorm(f, 2, 0, 1.0)",
    "t.renorm(m, 2, 5, 1.0)", "t.renorm(m, -1, 0, 1.0)", "t.trapezoid(f, n[:2])",
    "t.gradient(f, spacing=(1.0, 2.0))", "t.gradient(f[:1])", "t.cov(m[None])", "t.histogram(n, 3)",
    "t.cov(m, fweights=t.tensor([-1, 1]))", "t.histogram(f, 0)",
    "t.histogram(f, 3, range=(2.0, 1.0))",
    "t.frexp(n)", "t.gcd(f, f)", "t.nextafter(n, n)", "t.mvlgamma(f, 0)", "t.cross(f, m)",
    "t.scatter_reduce(f, 0, n * 0, f, 'other')", "t.index_reduce(f, 0, n * 0, f, 'sum')",
    "t.scatter_reduce(f, 0, n * 0, n, 'sum')", "t.cosine_similarity(n, n, 0)",
]  # fmt: skip


def named(lib):
    return {
        "t": lib, "f": lib.tensor([1.0, 2.5, 1.0]), "n": lib.tensor([4, 0, 6]),
        "m": lib.tensor([[0.1, 0.9], [0.5, 0.2], [0.7, 0.7]]),
    }  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
def test_values(text):
    def program(lib):
        result = eval(text, named(lib))
        return list(result) if isinstance(result, tuple) else result

    both.agree(program)


@pytest.mark.parametrize("text", BAD)
def test_bad_input(text):
    assert both.agree(lambda lib: eval(text, named(lib))) is not None


@pytest.mark.parametrize(
    "program",
    [
        lambda lib: lib.cov(lib.tensor([[1.0, 2.0, 4.0]])),  # of one variable: a number
        lambda lib: lib.corrcoef(lib.tensor([[1.0, 2.0, 4.0]])),
        lambda lib: lib.gradient(lib.tensor([1.0, 4.0, 9.0]), spacing=None, dim=None),
        lambda lib: lib.gradient(lib.ones(3, 3), spacing=1.0, dim=[1, -1]),
        lambda lib: lib.gradient(lib.ones(3, 3), dim=2),
        lambda lib: lib.tensor(3.0).nonzero_static(size=2),
        lambda lib: lib.tensor(0.0).nonzero_static(size=0),
        lambda lib: lib.cosine_similarity(
            lib.arange(6.0).view(1, 2, 3), lib.arange(6.0).view(2, 1, 3) + 1, dim=-2
        ),
        lambda lib: lib.cosine_similarity(
            lib.arange(3.0, dtype=lib.float64), lib.ones(2, 3), dim=1
        ),
        lambda lib: lib.lerp(lib.tensor(1 + 2j), lib.tensor(3 - 1j), 0.4j),
        lambda lib: lib.lerp(lib.tensor(1 + 2j), lib.tensor(3 - 1j), 0.3 + 0.7j),
        lambda lib: lib.tensor([True, False]).index_add(
            0, lib.tensor([1]), lib.tensor([True]), alpha=True
        ),
        lambda lib: lib.tensor(False).index_add(0, lib.tensor([0]), lib.tensor(True), alpha=True),
    ],
)
def test_corners_that_pytorchs_own_samples_reach(program):
    both.agree(program)


@pytest.mark.parametrize("reduce", ["prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [True, False])
def test_reductions_into_a_number(reduce, include_self):
    def program(lib, name, index):
        x, y = (lib.tensor(v, dtype=lib.float64, requires_grad=True) for v in (2.0, 3.0))
        out = getattr(x, name)(0, lib.tensor(index), y, reduce, include_self=include_self)
        return out, *lib.autograd.grad(out, (x, y))

    both.agree(lambda lib: program(lib, "scatter_reduce", 0))
    both.agree(lambda lib: program(lib, "index_reduce", [0]))


@pytest.mark.parametrize("reduce", ["amax", "amin"])
@pytest.mark.parametrize("include_self", [True, False])
def test_extremes_of_bools_at_indices(reduce, include_self):
    both.agree(
        lambda lib: lib.tensor([True, False, True]).scatter_reduce(
            0, lib.tensor([0, 0, 1]), lib.tensor([False, True, False]), reduce,
            include_self=include_self,
        )
    )  # fmt: skip


@pytest.mark.parametrize("name", ["addmm", "addmv", "addbmm", "baddbmm", "addr"])
@pytest.mark.parametrize("factors", [(0.2, 0.6), (2.7, 1), (1, 2.9), (3, 2)])
def test_fractions_of_whole_products_are_rounded_or_refused(name, factors):
    shapes = {"addmm": ((2, 3), (3, 2)), "addmv": ((2, 3), (3,)), "addr": ((2,), (2,))}

    def program(lib):
        a, b = (lib.full(s, 2, dtype=lib.int64) for s in shapes.get(name, ((2, 2, 3), (2, 3, 2))))
        beta, alpha = factors
        return getattr(lib, name)(lib.tensor([10]), a, b, beta=beta, alpha=alpha)

    both.agree(program)
    both.agree(
        lambda lib: lib.addr(lib.ones(2, 2).bool(), *[lib.ones(2).bool()] * 2, beta=3, alpha=2)
    )
