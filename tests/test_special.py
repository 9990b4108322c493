"""torch.special beside PyTorch: values, two derivatives, special points, errors."""

import types

import both
import numpy as np
import pytest

import tensorgrad as tg

torch = pytest.importorskip("torch")

rng = np.random.default_rng(3)
X, P = rng.uniform(-3, 3, (3, 4)), rng.uniform(0.3, 3, (3, 4))
ROWS = [
    *[(f"s.{name}(x)", X) for name in (
        "i0", "i0e", "i1", "i1e", "erfcx", "ndtr", "log_ndtr", "erf", "erfc", "expit", "sinc",
        "exp2", "expm1")],
    *[(f"s.{name}(x)", P) for name in ("entr", "digamma", "psi", "gammaln", "log1p")],
    ("s.ndtri(x)", P / 4), ("s.logit(x)", P / 4), ("s.erfinv(x)", X / 4), ("x.i0()", X),
    ("s.xlog1py(x, y)", P, P[::-1] + 0), ("s.xlogy(x, y)", P, P[::-1] + 0),
    ("s.gammainc(t.tensor([0.5, 1, 2, 3]).to(x.dtype), x)", P),
    ("t.igammac(t.tensor([0.5, 1, 2, 3]).to(x.dtype), x)", P), ("s.multigammaln(x, 3)", P + 2),
    ("s.zeta(t.tensor([1.5, 2, 3, 4]).to(x.dtype), x)", P), ("s.polygamma(2, x)", P),
    ("s.softmax(x, 1)", X), ("s.log_softmax(x, 0)", X), ("s.logsumexp(x, 1)", X),
]  # fmt: skip
BESSEL = [
    "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "modified_bessel_i0", "modified_bessel_i1",
    "modified_bessel_k0", "modified_bessel_k1", "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1",
]  # fmt: skip
rows = pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])


def run(text, lib, tensors):
    return eval(text, {"t": lib, "s": lib.special, **dict(zip("xy", tensors, strict=False))})


@rows
def test_value_and_two_derivatives(row):
    text, *arrays = row

    def program(lib):
        leaves = [lib.tensor(a, requires_grad=True) for a in arrays]
        out = run(text, lib, leaves)
        weight = lib.linspace(1, 2, out.numel(), dtype=lib.float64).reshape(out.shape)
        first = lib.autograd.grad((out * weight).sum(), leaves, create_graph=True)
        second = lib.autograd.grad(sum((d * d).sum() for d in first), leaves)
        return [out, *first, *second]

    both.agree(program, rtol=1e-8)


@rows
def test_float32(row):
    text, *arrays = row
    both.agree(lambda lib: run(text, lib, [lib.tensor(a.astype("f")) for a in arrays]), rtol=3e-5)


@pytest.mark.parametrize("name", BESSEL)
def test_bessel_functions_without_derivative(name):
    both.agree(lambda lib: getattr(lib.special, name)(lib.tensor(P)), rtol=1e-7)

    def program(lib):
        getattr(lib.special, name)(lib.tensor(P, requires_grad=True)).sum().backward()

    assert both.agree(program) is not None


POINTS = [0.0, -0.0, 1.0, -1.0, 0.5, 30.0, -30.0, 200.0, float("inf"), float("-inf"), float("nan")]


@pytest.mark.parametrize("name", [
    "i0", "i0e", "i1", "i1e", "erfcx", "ndtr", "log_ndtr", "entr", "ndtri"])  # fmt: skip
def test_special_points(name):
    both.agree(lambda lib: getattr(lib.special, name)(lib.tensor(POINTS, dtype=lib.float64)))


@pytest.mark.parametrize("name", ["i0", "i1", "ndtr", "erfcx", "entr"])
def test_integers_become_floats(name):
    both.agree(lambda lib: getattr(lib.special, name)(lib.tensor([0, 1, 2])))


@pytest.mark.parametrize("text", [
    "s.gammainc(t.tensor([1]), t.tensor([1]))", "s.multigammaln(x, 0)", "s.polygamma(-1, x)",
    "t.igamma(x.requires_grad_(), x).sum().backward()",
])  # fmt: skip
def test_bad_input(text):
    assert both.agree(lambda lib: run(text, lib, [lib.tensor([1.0, 2.0])])) is not None


def test_every_name_is_here():
    left_out = ("_polynomial_", "airy", "spherical_bessel", "common_args", "multi_dim", "Tensor")
    public = {
        n
        for n in dir(torch.special)
        if not n.startswith("_") and not any(part in n for part in left_out)
    }
    modules = {n for n in public if isinstance(getattr(torch.special, n), types.ModuleType)}
    assert not [n for n in sorted(public - modules) if not hasattr(tg.special, n)]
