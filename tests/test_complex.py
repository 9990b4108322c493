"""Complex tensors: gradients in PyTorch's convention, views of the parts, errors, printing.

Every op that may see a complex gradient is generated from the registry, in complex and in mixed
numbers, against central differences: with the gradient ``dL/da + i dL/db`` of a real ``L``, a step
``dz`` changes ``L`` by ``Re(conj(grad) * dz)``.
"""

import numpy as np
import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ops import DIFFERENTIABLE, draw_case, is_variable

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad._graph import wrap
from tensorgrad._registry import OPS

COMPLEX = [name for name in DIFFERENTIABLE if OPS[name].complex is not None]
OTHERS = [name for name in DIFFERENTIABLE if OPS[name].complex is None]
MIXING = ("mul", "add", "sub", "rsub", "div", "pow", "addcmul", "addcdiv", "cat", "stack")
FIRST_ORDER = ("svd_s",)  # the singular vectors of complex matrices refuse
examples = settings(max_examples=10, deadline=None)


def complex_case(data, name):
    """A case of tests/test_ops.py with complex inputs, one of them real where the op mixes."""
    op, inputs, attrs = draw_case(data, name)
    rng = np.random.default_rng(1)
    at = [i for i, x in enumerate(inputs) if is_variable(x)]
    real = data.draw(st.sampled_from([None, *at])) if name in MIXING and len(at) > 1 else None
    inputs = [
        np.asarray(x + 1j * rng.uniform(0.25, 1.0, x.shape)) if i in at and i != real else x
        for i, x in enumerate(inputs)
    ]
    if name == "cast":
        attrs = {"dtype": np.dtype(data.draw(st.sampled_from(["complex128", "float64"])))}
    return op, inputs, attrs


def variable(x):
    return isinstance(x, np.ndarray) and x.dtype.kind in "fc"


def direction(rng, x):
    v = rng.standard_normal(x.shape)
    return v + 1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else v


def moved(xs, vs, h):
    return [x if v is None else np.asarray(x + h * v) for x, v in zip(xs, vs, strict=True)]


def slope(f, xs, vs, h=1e-6):
    return (f(moved(xs, vs, h)) - f(moved(xs, vs, -h))) / (2 * h)


def run(op, inputs, attrs):
    return op.apply(tuple(inputs), {**op.attrs, **attrs})


def leaves_of(xs):
    return [wrap(x).requires_grad_() if variable(x) else x for x in xs]


def dot(a, b):
    """The real inner product."""
    return float(np.sum(np.conj(a) * b).real)


def close(got, want, rtol):
    assert abs(got - want) <= rtol * (1.0 + abs(want)), f"gradient {got!r}, difference {want!r}"


@pytest.mark.parametrize("name", COMPLEX)
@given(data=st.data())
@examples
def test_first_and_second_gradients(name, data):
    op, inputs, attrs = complex_case(data, name)
    rng = np.random.default_rng(0)
    out = np.asarray(run(op, inputs, attrs))
    g = np.asarray(direction(rng, out))
    ts = leaves_of(inputs)
    leaves = [t for t in ts if isinstance(t, Tensor)]
    tracked_g = wrap(g.copy()).requires_grad_()
    run(op, ts, attrs).backward(wrap(g))
    grads = tg.autograd.grad(
        run(op, ts, attrs), leaves, tracked_g, create_graph=True, allow_unused=True
    )
    vs = [direction(rng, x) if variable(x) else None for x in inputs]
    for t, a in zip(leaves, grads, strict=True):
        assert (a is None) == (t.grad is None)
        if a is not None:
            assert a.dtype is t.dtype and t.grad.dtype is t.dtype and a.shape == t.shape
            np.testing.assert_allclose(t.grad.numpy(), a.detach().numpy(), rtol=1e-12, atol=1e-12)

    def first(xs):
        return dot(g, np.asarray(run(op, xs, attrs)))

    pairs = zip(grads, [v for v in vs if v is not None], strict=True)
    got = sum(dot(a.detach().numpy(), v) for a, v in pairs if a is not None)
    close(got, slope(first, inputs, vs), 5e-6)

    if name in FIRST_ORDER:
        return
    us = [direction(rng, x) for x in inputs if variable(x)]

    def gradient(xs):
        *xs, g = xs
        ts = leaves_of(xs)
        run(op, ts, attrs).backward(wrap(g))
        leaves = [t for t in ts if isinstance(t, Tensor)]
        return sum(dot(u, t.grad.numpy()) for u, t in zip(us, leaves, strict=True)
                   if t.grad is not None)  # fmt: skip

    total = sum((
        (a.conj() * wrap(np.asarray(u))).sum().real for a, u in zip(grads, us, strict=True)
        if a is not None
    ), wrap(np.zeros(())))  # fmt: skip
    second = [None] * (len(leaves) + 1)
    if total.requires_grad:
        second = tg.autograd.grad(total, [*leaves, tracked_g], allow_unused=True)
    vs.append(direction(rng, g))
    pairs = zip(second, [v for v in vs if v is not None], strict=True)
    got = sum(dot(a.numpy(), v) for a, v in pairs if a is not None)
    close(got, slope(gradient, [*inputs, g], vs), 5e-5)


@pytest.mark.parametrize("name", OTHERS)
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_an_op_that_was_not_checked_refuses(name, data):
    op, inputs, attrs = complex_case(data, name)
    with pytest.raises((RuntimeError, TypeError, NotImplementedError)):
        out = run(op, leaves_of(inputs), attrs)
        out.backward(tg.ones_like(out))


# --- beside PyTorch ---------------------------------------------------------------------

Z, W = np.array([1 + 2j, -0.5 + 0.3j, 0.2 - 1j]), np.array([0.5 + 1j, 2 - 1j, 1 + 1j])
X, M = np.array([0.5, -1.5, 2.0]), np.arange(9.0).reshape(3, 3) + 4j * np.eye(3) + 1.0


def derivatives(lib, f, *arrays):
    """Value, first gradients, and those of a real function of them."""
    xs = [lib.tensor(a, requires_grad=True) for a in arrays]
    out = f(*xs)
    g = lib.tensor(np.full(tuple(out.shape), 0.5 - 2j if out.is_complex() else 1.5))
    first = lib.autograd.grad(out, xs, g, create_graph=True)
    size = sum((a * a * a.conj()).real.sum() + (a * x).real.sum()
               for a, x in zip(first, xs, strict=True))  # fmt: skip
    return [out, *first, *lib.autograd.grad(size, xs)]


UNARY = [
    "abs", "angle", "sgn", "conj", "real", "imag", "exp", "exp2", "expm1", "log", "log2", "log10",
    "log1p", "sqrt", "rsqrt", "reciprocal", "square", "neg", "tanh", "sigmoid", "sin", "cos", "tan",
    "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "sum", "mean", "prod", "var",
    "std", "flip", "norm", "clone", "view_as_real", "conj_physical", "resolve_conj", "positive",
]  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    args = {"flip": ((0,),)}.get(name, ())
    agree(lambda lib: derivatives(lib, lambda z: getattr(lib, name)(z, *args), Z), 1e-9)


PROGRAMS = {
    "products": lambda lib: lambda z, w, x: (z * w.conj() + x) * 1j,
    "quotients": lambda lib: lambda z, w, x: x / z + z / w - 2j / z,
    "powers": lambda lib: lambda z, w, x: z**2 + z**w + z**x + 2.0**z + (-2) ** z + z**-1.5,
    "real power of complex": lambda lib: lambda z, w, x: (x * x + 1.0) ** z * w,
    "complex number": lambda lib: lambda z, w, x: x * (1 + 2j) + (x - 3j) * z + w,
    "parts": lambda lib: lambda z, w, x: z.real * w.imag + x * (z.imag - w.real),
    "of parts": lambda lib: lambda z, w, x: lib.complex(x, z.imag) * w,
    "polar": lambda lib: lambda z, w, x: lib.polar(w.abs(), x) * z,
    "pairs": lambda lib: lambda z, w, x: lib.view_as_complex(lib.view_as_real(z * w) * x[:, None]),
    "adjoint": lambda lib: lambda z, w, x: (z[:, None] * x).mH @ w + (z[:, None] * w).H @ z,
    "matmul": lambda lib: lambda z, w, x: lib.outer(z, w) @ lib.outer(w.conj(), z) @ (x + 0j),
    "einsum": lambda lib: lambda z, w, x: lib.einsum("i,j,j->i", z, w, x + 0j),
    "dots": lambda lib: lambda z, w, x: lib.dot(z, w) + lib.vdot(z, w) * (x + 0j),
    "stacks": lambda lib: lambda z, w, x: lib.stack([z, w, x + 0j]).cumsum(0).T[[0, 2, 0]],
    "cat": lambda lib: lambda z, w, x: lib.cat([z, x]) * lib.cat([w, w]),
    "where": lambda lib: lambda z, w, x: lib.where(x > 0, z, w * x) + lib.where(x > 0, x + 0j, z),
    "norms": lambda lib: lambda z, w, x: (
        lib.norm(z) + lib.norm(w, 1) + lib.norm(z * x, 3) + lib.norm(w, float("inf"))),
    "cumprod": lambda lib: lambda z, w, x: z.cumprod(0) * w * x,
    "lerp": lambda lib: lambda z, w, x: lib.lerp(z, w, 0.3) * x,
    "addcmul": lambda lib: lambda z, w, x: lib.addcmul(z, w, z, value=0.5) * x,
    "casts": lambda lib: lambda z, w, x: x.to(lib.complex128) * z + w.abs().to(lib.complex128),
    "written": lambda lib: lambda z, w, x: written(z * 1.0, w, x),
    "written parts": lambda lib: lambda z, w, x: written_parts(z * 1.0, w, x),
    "masked": lambda lib: lambda z, w, x: (z * w).masked_fill(x > 1, 2.0) * x,
    "gathered": lambda lib: lambda z, w, x: z[lib.tensor([0, 0, 2])] * w.flip(0) * x.roll(1),
    "angles": lambda lib: lambda z, w, x: (z * w).angle() * x + z.sgn().imag,
    "linear": lambda lib: lambda z, w, x: lib.nn.functional.linear(z, lib.outer(w, z)) * x,
}  # fmt: skip


def written(z, w, x):
    z[1:] = w[:2] * x[0]
    z *= w
    return z


def written_parts(z, w, x):
    z.real.mul_(x)
    z.imag = w.abs()
    z.imag[0] = x[1]
    return z * w


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    agree(lambda lib: derivatives(lib, PROGRAMS[name](lib), Z, W, X), 1e-9)


def hermitian(a):
    return a @ a.mH


LINALG = {
    "eigvals": lambda lib: lambda a: (lib.linalg.eigvals(a) ** 2).abs().sum(),
    "eig": lambda lib: lambda a: (
        (lib.linalg.eig(a)[1].abs() ** 3).sum() + lib.linalg.eig(a)[0].imag.abs().sum()),
    "eigvalsh": lambda lib: lambda a: (lib.linalg.eigvalsh(hermitian(a)) ** 2).sum(),
    "eigh": lambda lib: lambda a: (lib.linalg.eigh(hermitian(a))[1].abs() ** 3).sum(),
    "cholesky": lambda lib: lambda a: (lib.linalg.cholesky(hermitian(a)).abs() ** 3).sum(),
    "det": lambda lib: lambda a: lib.linalg.det(a) ** 2,
    "slogdet": lambda lib: lambda a: lib.linalg.slogdet(a)[1] ** 3,
    "solve": lambda lib: lambda a: lib.linalg.solve(a, a.conj()) ** 2,
    "inv": lambda lib: lambda a: lib.linalg.inv(a) ** 2,
}  # fmt: skip


@pytest.mark.parametrize("name", LINALG)
@pytest.mark.parametrize("kind", ["complex", "real"])
def test_matrices(name, kind):
    rng = np.random.default_rng(3)
    a = rng.standard_normal((2, 3, 3))
    a = a + 1j * rng.standard_normal((2, 3, 3)) if kind == "complex" else a
    agree(lambda lib: derivatives(lib, LINALG[name](lib), a), 1e-7)


@pytest.mark.parametrize("name", ["eig", "eigh"])
def test_a_loss_that_depends_on_phases_is_refused(name):
    def program(lib):
        a = lib.tensor(M + M.conj().T * 1j, requires_grad=True)
        getattr(lib.linalg, name)(a)[1].imag.sum().backward()

    assert agree(program) is not None


def test_zero_has_the_gradients_of_pytorch():
    zero = np.array([0j, 1 + 0j])
    for name in ("abs", "angle", "sgn", "norm"):
        agree(lambda lib, name=name: gradient_of(lib, getattr(lib, name), zero))


def gradient_of(lib, f, array):
    x = lib.tensor(array, requires_grad=True)
    out = f(x)
    out.backward(lib.ones_like(out))
    return x.grad


def test_a_real_leaf_gets_a_real_gradient():
    def program(lib):
        x = lib.tensor([1.0, 2.0], requires_grad=True)
        y = (x * lib.tensor([1 + 1j, 2 - 1j])).sum()
        y.backward(lib.tensor(1 + 1j))
        return x.grad

    agree(program)
    with pytest.warns(UserWarning, match="discards the imaginary part"):
        agree(lambda lib: gradient_of(lib, lambda z: z.to(lib.float32) * 2, Z))


def test_leaves_hooks_and_accumulation():
    def program(lib):
        z = lib.tensor(Z, requires_grad=True)
        y = z * z
        y.retain_grad()
        seen = []
        z.register_hook(lambda g: g * 1j)
        y.register_hook(lambda g: seen.append(g))
        (y.abs().sum() + z.real.sum()).backward(retain_graph=True)
        y.abs().sum().backward()
        return [z.grad, y.grad, *seen]

    agree(program)


def test_a_function_of_the_user():
    def program(lib):
        class Square(lib.autograd.Function):
            @staticmethod
            def forward(ctx, z):
                ctx.save_for_backward(z)
                return z * z, z.abs()

            @staticmethod
            def backward(ctx, g, h):
                (z,) = ctx.saved_tensors
                return g * 2 * z.conj() + h * z.sgn()

        def f(z):
            square, size = Square.apply(z)
            return square * size

        return derivatives(lib, f, Z)

    agree(program, 1e-9)


def test_dtypes_of_single_precision():
    def program(lib):
        z = lib.tensor(Z, dtype=lib.complex64, requires_grad=True)
        x = lib.tensor(X, dtype=lib.float32, requires_grad=True)
        ((z * x).exp().abs().sum() + (x * 1j).sum().imag).backward()
        return [z.grad, x.grad]

    agree(program, 1e-5)


def test_parts_are_views():
    def program(lib):
        z = lib.tensor([1 + 2j, 3 - 1j])
        z.real.zero_()
        z.imag[0] = 5.0
        z.real = lib.tensor([7.0, 8.0])
        lib.view_as_real(z)[1, 1] = 9.0
        x = lib.ones(2)
        return [z, x.real is x, z.is_complex(), x.is_complex(), lib.is_conj(z), x.is_conj(),
                lib.isreal(z), z.H, z.is_neg(), lib.resolve_neg(z)]  # fmt: skip

    agree(program)


def test_gradcheck():
    z = tg.tensor(Z, requires_grad=True)
    x = tg.tensor(X, requires_grad=True)

    def f(z, x):
        return z * z.exp() * x, z.abs(), z.conj() * x, z.angle()

    for fast in (False, True):
        assert tg.autograd.gradcheck(f, (z, x), fast_mode=fast, check_batched_grad=True)
        assert tg.autograd.gradgradcheck(f, (z, x), fast_mode=fast)

    class Wrong(tg.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return z * z

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]  # not conjugated

    for fast in (False, True):
        assert not tg.autograd.gradcheck(Wrong.apply, z, fast_mode=fast, raise_exception=False)


BAD = {
    "scalar output": lambda lib, z: z.sum().backward(),
    "real gradient": lambda lib, z: (z * z).backward(lib.ones(3, dtype=lib.float64)),
    "complex gradient": lambda lib, z: z.abs().backward(lib.ones(3, dtype=lib.complex128)),
    "imag of real": lambda lib, z: lib.ones(2).imag,
    "view of real": lambda lib, z: lib.view_as_real(lib.ones(2)),
    "no pairs": lambda lib, z: lib.view_as_complex(lib.ones(3)),
    "no dimension": lambda lib, z: lib.view_as_complex(lib.tensor(1.0)),
    "integer pairs": lambda lib, z: lib.view_as_complex(lib.ones(2, 2).long()),
    "polar of two dtypes": lambda lib, z: lib.polar(lib.ones(2), lib.ones(2).double()),
    "polar of integers": lambda lib, z: lib.polar(lib.tensor([1]), lib.tensor([1])),
    "complex of two dtypes": lambda lib, z: lib.complex(lib.ones(2), lib.ones(2).double()),
    "integers": lambda lib, z: lib.tensor([1], requires_grad=True),
    "order": lambda lib, z: z < z,
    "largest": lambda lib, z: z.max(),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    assert agree(lambda lib: BAD[name](lib, lib.tensor(Z, requires_grad=True))) is not None


def test_printing():
    for f in (
        lambda lib: lib.tensor(Z, requires_grad=True),
        lambda lib: lib.tensor(Z.astype("complex64")) * 1e6,
        lambda lib: lib.tensor([1e-7 + 1j, complex("nan"), complex("inf-infj")]),
        lambda lib: lib.tensor([[1 + 2j], [3 - 4j]]),
        lambda lib: lib.tensor(1j),
        lambda lib: lib.tensor(Z, requires_grad=True).abs(),
        lambda lib: lib.view_as_real(lib.tensor(Z, requires_grad=True)),
        lambda lib: lib.tensor(Z, requires_grad=True) * 2,
        lambda lib: lib.fft.fft(lib.tensor(Z, requires_grad=True)),
        lambda lib: lib.fft.rfft(lib.tensor(X, requires_grad=True)),
    ):
        agree(lambda lib, f=f: repr(f(lib)))
