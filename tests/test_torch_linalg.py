"""Products and einsum against PyTorch: values, dtypes, two derivatives, broadcasting, errors.

Every public function of ``ops/linalg.py`` has rows in ``ROWS``: texts that both libraries evaluate
on tensors of drawn sizes. :func:`test_every_function_has_a_row` fails for one without.
"""

import itertools
import math
import re

import both
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad._registry import FUNCTIONS
from tensorgrad.ops import linalg

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore:.*chain_matmul is deprecated")  # PyTorch's
examples = settings(max_examples=12, deadline=None)

# A tensor is named by its dimensions: ``x_mk`` is (m, k); ``x2_mk`` is another of that shape.
ROWS = [
    "x_k @ y_k", "x_mk @ y_k", "x_k @ y_kn", "x_mk @ y_kn", "x_bmk @ y_kn", "x_mk @ y_bkn",
    "x_bmk @ y_bkn", "x_k @ y_bkn", "x_bmk @ y_k", "x_abmk @ y_bkn", "x_bmk @ y_abkn",
    "x_abmk @ y_a1kn", "x_1mk @ y_bkn", "x_abmk @ y_kn", "x_abmk @ y_k", "x_k @ y_abkn",
    "lib.matmul(x_mk, y_kn)", "x_mk.matmul(y_k)", "lib.matmul(x_km.T, y_kn)", "x_mk @ y_nk.mT",
    "lib.mm(x_mk, y_kn)", "x_mk.mm(y_kn)", "lib.bmm(x_bmk, y_bkn)", "lib.mv(x_mk, y_k)",
    "lib.dot(x_k, y_k)", "x_k.dot(y_k)", "lib.vdot(x_k, y_k)", "lib.outer(x_m, y_n)",
    "x_m.ger(y_n)", "lib.inner(x_k, y_k)", "lib.inner(x_mk, y_nk)", "lib.inner(x_mk, y_k)",
    "lib.inner(x_, y_mk)", "lib.inner(x_abk, y_nk)",
    "F.linear(x_mk, y_nk)", "F.linear(x_mk, y_nk, z_n)", "F.linear(x_k, y_nk, z_n)",
    "F.linear(x_k, y_nk)", "F.linear(x_bmk, y_nk, z_n)", "F.linear(x_abmk, y_nk)",
    "F.linear(x_mk, y_k)", "F.linear(x_bmk, y_k)", "F.linear(x_mk, y_nk, z_1)",
    "F.linear(x_km.T, y_kn.T, z_n)",
    "lib.addmm(z_mn, x_mk, y_kn)", "lib.addmm(z_n, x_mk, y_kn)", "lib.addmm(z_, x_mk, y_kn)",
    "z_mn.addmm(x_mk, y_kn, beta=2, alpha=3)", "lib.addmm(z_m1, x_mk, y_kn, beta=0)",
    "lib.addmv(z_m, x_mk, y_k)", "lib.addmv(z_m, x_mk, y_k, alpha=-1, beta=2)",
    "lib.addr(z_mn, x_m, y_n)", "lib.addr(z_n, x_m, y_n, beta=3)",
    "lib.baddbmm(z_bmn, x_bmk, y_bkn)", "lib.baddbmm(z_n, x_bmk, y_bkn, beta=2, alpha=2)",
    "lib.addbmm(z_mn, x_bmk, y_bkn)", "lib.addbmm(z_n, x_bmk, y_bkn, alpha=2)",
    "lib.tensordot(x_mk, y_mk)", "lib.tensordot(x_mk, y_kn, 1)", "lib.tensordot(x_m, y_kn, 0)",
    "lib.tensordot(x_amk, y_kan, dims=([0, 2], [1, 0]))", "lib.tensordot(x_mk, y_nk, ([-1], [1]))",
    "lib.tensordot(x_amk, y_mkb, dims=2)", "lib.tensordot(x_k, y_k, dims=1)",
    "lib.chain_matmul(x_mk, y_kn)", "lib.chain_matmul(x_mk, y_kn, z_na, w_ab)",
    "lib.chain_matmul(x_mk)",
    "lib.kron(x_mk, y_na)", "lib.kron(x_m, y_na)", "lib.kron(x_, y_n)", "lib.kron(x_mk, y_n)",
    "lib.trace(x_mk)", "x_kk.trace()",
]  # fmt: skip
EINSUMS = [
    "ij,jk->ik", "ij,jk", "ij,jk->ki", "bij,bjk->bik", "bij,jk->bik", "ij->ji", "ij->", "ij->j",
    "ij", "ba", "i,j->ij", "i,i->", "i,i->i", "ij,ij->i", "ii->i", "ii->", "ii", "iij->j",
    "iij->ij", "iijj->ij", "iii->i", "ii,ij->j", "ij,ij,ij->ij", "ij,jk,kl->il", "ij,jk,kl,lm->im",
    "i,j,k->ijk", "bhqd,bhkd->bhqk", "bhqk,bhkd->bqhd", "...ij,...jk->...ik", "...i,i->...",
    "i...->...", "...->", "...ij->...ji", "...i,kij,...j->...k", "b...,b...->...",
    "i...,j...->ij...", "ij,kl->", "ijk,jil->kl", ",ij->ij", ",->", "->", "ij,j,i->",
    "a,b,ab->", "iJ,Jk->ik", "i j , j k -> i k", "ij,jj->i", "abc,cd,def->abef",
]  # fmt: skip


def test_every_function_has_a_row():
    ours = {n for n, f in FUNCTIONS.items() if f.__module__ == "tensorgrad.ops.linalg"}
    # Methods and operators of other names lead to the same functions.
    named = set(re.findall(r"\b(?:lib|F|[xyzw]\w*)\.(\w+)\(", " ".join(ROWS)))
    assert ours - named == {"einsum"}


def evaluate(text, lib, tensors):
    functional = torch.nn.functional if lib is torch else tg
    return eval(text, {"lib": lib, "F": functional, **tensors})


def shapes_of(text, data):
    """The tensors a text names, with the size of each letter drawn."""
    least = 0 if data.draw(st.integers(0, 4)) == 0 else 1
    sizes = {c: data.draw(st.integers(least, 4)) for c in "abmkn"} | {"1": 1}
    found = dict.fromkeys(re.findall(r"\b([xyzw]_([a-z1]*))\b", text))
    return {name: tuple(sizes[c] for c in dims) for name, dims in found}


def draw_arrays(data, text, dtype):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    shapes = shapes_of(text, data)
    return {n: np.asarray(rng.integers(-4, 5, s) / 1).astype(dtype) for n, s in shapes.items()}


def run_einsum(equation):
    def program(lib, tensors):
        return lib.einsum(equation, *tensors.values())

    return program


def einsum_arrays(data, equation, dtype, ones=False):
    """Operands for an equation: an ellipsis stands for one drawn number of dimensions."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    dots = tuple(data.draw(st.lists(st.integers(1, 3), max_size=2)))
    least = 0 if data.draw(st.integers(0, 4)) == 0 else 1
    sizes = {c: data.draw(st.integers(least, 3)) for c in sorted(set(equation)) if c.isalpha()}
    arrays = {}
    for i, term in enumerate(equation.replace(" ", "").split("->")[0].split(",")):
        head, ellipsis, tail = term.partition("...")
        shape = [sizes[c] for c in head] + list(dots if ellipsis else ()) + [sizes[c] for c in tail]
        if ones:
            shape = [1 if data.draw(st.booleans()) else n for n in shape]
        arrays[f"x{i}"] = np.asarray(rng.integers(-4, 5, shape) / 1).astype(dtype)
    return arrays


PROGRAMS = {text: lambda lib, ts, text=text: evaluate(text, lib, ts) for text in ROWS}
PROGRAMS |= {f"einsum {e}": run_einsum(e) for e in EINSUMS}
programs = pytest.mark.parametrize("name", PROGRAMS)


def arrays_for(data, name, dtype):
    if name.startswith("einsum "):
        return einsum_arrays(data, name.removeprefix("einsum "), dtype)
    return draw_arrays(data, name, dtype)


@programs
@given(data=st.data())
@examples
def test_value_and_dtype(name, data):
    # PyTorch's einsum of int32 is int32, int64 or an error, depending on the equation and sizes.
    narrow = [] if name.startswith("einsum") else ["int32"]
    dtype = data.draw(st.sampled_from(["float32", "float64", "int64", *narrow]))
    arrays = arrays_for(data, name, dtype)

    def program(lib):
        return PROGRAMS[name](lib, {n: lib.from_numpy(a.copy()) for n, a in arrays.items()})

    both.agree(program)


def derivatives(lib, program, arrays):
    """Values, first and second derivatives of a random combination, for every operand."""
    rng = np.random.default_rng(0)

    def random(shape):
        return lib.from_numpy(np.asarray(rng.standard_normal(tuple(shape))))

    tensors = {n: lib.tensor(a, requires_grad=True) for n, a in arrays.items()}
    leaves = list(tensors.values())
    out = program(lib, tensors)
    first = lib.autograd.grad(
        (out * random(out.shape)).sum(), leaves, create_graph=True, allow_unused=True
    )
    total = lib.zeros((), dtype=lib.float64)
    for g, x in zip(first, leaves, strict=True):
        weight = random(x.shape)
        if g is not None:
            total = total + (g * weight).sum()
    second = [None] * len(leaves)
    if total.requires_grad:
        second = lib.autograd.grad(total, leaves, allow_unused=True)
    return [
        np.zeros(x.shape) if g is None else g.numpy(force=True)
        for g, x in zip([*first, *second], leaves * 2, strict=True)
    ]


def agree_in_derivatives(program, arrays):
    ours = derivatives(tg, program, arrays)
    theirs = derivatives(torch, program, arrays)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@programs
@given(data=st.data())
@examples
def test_derivatives(name, data):
    agree_in_derivatives(PROGRAMS[name], arrays_for(data, name, "float64"))


@pytest.mark.parametrize("equation", ["ij,jk->ik", "ij,ij->ij", "...i,...j->...ij", "ij,jk,ki->"])
@given(data=st.data())
@examples
def test_sizes_of_one_broadcast_in_einsum(equation, data):
    arrays = einsum_arrays(data, equation, "float64", ones=True)
    program = run_einsum(equation)
    both.agree(lambda lib: program(lib, {n: lib.from_numpy(a) for n, a in arrays.items()}))
    agree_in_derivatives(program, arrays)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_random_einsums(data):
    """Any terms over three letters, and any of the letters as the result."""
    terms = data.draw(st.lists(st.text("abc", max_size=3), min_size=1, max_size=4))
    present = sorted(set("".join(terms)))
    out = data.draw(st.permutations(present))[: data.draw(st.integers(0, len(present)))]
    equation = ",".join(terms) + "->" + "".join(out)
    program = run_einsum(equation)
    arrays = einsum_arrays(data, equation, "float64")
    both.agree(lambda lib: program(lib, {n: lib.from_numpy(a) for n, a in arrays.items()}))
    agree_in_derivatives(program, arrays)


# --- linear -----------------------------------------------------------------------------


@pytest.mark.parametrize("tracked", list(itertools.product([False, True], repeat=3)), ids=str)
def test_linear_tracks_what_is_tracked(tracked):
    shapes = [(4, 3), (2, 3), (2,)]
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) for s in shapes]
    grads = []
    for lib, linear in ((tg, tg.linear), (torch, torch.nn.functional.linear)):
        ts = [lib.tensor(a, requires_grad=t) for a, t in zip(arrays, tracked, strict=True)]
        out = linear(*ts)
        assert out.requires_grad == any(tracked)
        if any(tracked):
            out.sum().backward()
        grads.append([None if t.grad is None else t.grad.numpy() for t in ts])
    for a, b in zip(*grads, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_linear_records_nothing_without_grad():
    weight = tg.ones(2, 3, requires_grad=True)
    with tg.no_grad():
        assert not tg.linear(tg.ones(4, 3), weight).requires_grad


def test_linear_of_arrays_is_numpy():
    out = tg.linear(np.ones((4, 3)), np.ones((2, 3)), np.ones(2))
    assert isinstance(out, np.ndarray) and (out == 4).all()


def test_linear_leaves_its_inputs_alone():
    x, weight, bias = tg.ones(4, 3), tg.ones(2, 3), tg.tensor([1.0, 2.0])
    tg.linear(x, weight, bias)
    assert bias.tolist() == [1.0, 2.0] and bool((x == 1).all()) and bool((weight == 1).all())


# --- errors and other ways to call ------------------------------------------------------

CALLS = [
    "m @ n.T", "lib.mm(input=m, mat2=n.T)", "lib.addmm(v, mat1=q, mat2=q)", "i @ i.T",
    "h @ h.T", "lib.outer(i[0], v)", "lib.outer(input=v, vec2=v)", "e @ e.T", "e.T @ e",
    "lib.addmm(nan, m, n.T, beta=0)", "lib.addmm(i2, i, i.T, beta=2, alpha=3)",
    "lib.einsum('ij->ji', [m])", "lib.einsum('ij,kj->ik', [m, n])", "lib.einsum('ij,ij', i, i)",
    "lib.tensordot(m, n)", "lib.tensordot(m, n, dims=([0, 1], [0, 1]))", "lib.trace(i)",
    "lib.kron(z, m)", "lib.kron(m, q)", "lib.inner(z, z)", "lib.dot(i[0], i[1])", "m.mv(v)",
    "lib.chain_matmul(m, q)", "F.linear(e, e)", "F.linear(m, n, v[:2])", "F.linear(i, i)",
    "F.linear(input=m, weight=n, bias=None)", "v.ger(v)", "lib.matmul(input=m, other=q)",
    "m.addmm(m, q)", "b0 @ b0.mT", "F.linear(m, q, s)", "c @ c", "lib.vdot(c[0], c[1])",
    "lib.einsum('ij,kj->ik', c, c)", "lib.einsum('ij', m)",
]  # fmt: skip
BAD = [
    "m @ n", "m @ d", "m @ 2.0", "2.0 @ m", "lib.matmul(m, 2.0)", "m @ z", "z @ m", "m @ w",
    "w @ m", "v @ w", "m @ 'a'", "bb @ bb", "b0 @ lib.ones(3, 3, 2)", "bool @ bool.T", "i @ m.T",
    "m.matmul()", "m.mm(v)", "m.mm(n)", "m.mm(d.T)", "m.mm(2.0)", "m.bmm(m)", "b0.bmm(b0)",
    "b0.bmm(lib.ones(3, 3, 2))", "m.mv(m)", "m.mv(w)", "m.mv(v.double())", "v.dot(m)", "v.dot(w)",
    "v.dot(v.double())", "z.dot(z)", "lib.vdot(v, w)", "lib.outer(v, m)", "lib.inner(m, n.T)",
    "lib.inner(m, d)", "lib.addmm(v, m, n.T)", "lib.addmm(m, m, n)", "lib.addmm(d, m, n.T)",
    "lib.addmm(v, v, m)", "lib.addmv(w, m, v)", "lib.addmv(v, v, m)", "lib.addr(m, v, m)",
    "lib.addbmm(v, b0, b0)", "lib.baddbmm(m, b0, b0.mT)",
    "F.linear(m, q.T[:, :2])", "F.linear(m, d)", "F.linear(m, n, v)",
    "F.linear(m, n, v.double()[:2])", "F.linear(z, m)", "F.linear(m, 2.0)",
    "F.linear(m, n, 1.0)", "F.linear(m)", "F.linear(m, b0)",
    "lib.einsum('ii->i', m)", "lib.einsum('ij,jk', m, n)", "lib.einsum('ij->kj', m)",
    "lib.einsum('ij->ii', m)", "lib.einsum('ijk', m)", "lib.einsum('i', m)",
    "lib.einsum('ij,jk', m)", "lib.einsum('ij', m, m)", "lib.einsum('i$->i', m)",
    "lib.einsum('ij,ij', m, d)", "lib.einsum('...i...->i', m)", "lib.einsum('ij->...i...', m)",
    "lib.einsum('ij->i->j', m)", "lib.einsum('ij')", "lib.einsum(m)", "lib.einsum('ij', 2.0)",
    "lib.tensordot(m, n, 1)", "lib.tensordot(m, n, dims=([1], [0, 1]))", "lib.tensordot(m, n, -1)",
    "lib.tensordot(m, n, 5)", "lib.tensordot(m, d)", "lib.tensordot(m, n, ([7], [0]))",
    "lib.chain_matmul(m, v)", "lib.chain_matmul(m, n)", "lib.chain_matmul()",
    "lib.trace(v)", "lib.trace(b0)", "lib.trace(bool)", "lib.kron(m, 2.0)", "lib.dot(v, 2.0)",
]  # fmt: skip


def names(lib):
    """Small tensors: m, n (2, 3), q (3, 3), v (3), w (4), batches b0 (2, 2, 3), bb (2, 2, 4)."""
    m = lib.tensor([[1.0, 2.0, -1.0], [0.5, 3.0, 2.0]])
    i = lib.tensor([[1, 2, 3], [4, 5, 6]])
    return {
        "lib": lib, "F": torch.nn.functional if lib is torch else tg, "m": m, "n": m * 2 - 1,
        "q": lib.eye(3) + 1, "v": m[0], "w": lib.ones(4), "z": lib.tensor(2.0), "d": m.double(),
        "i": i, "i2": i[:, :2], "bool": i > 2, "h": m.half(), "e": lib.zeros(0, 3), "s": m[:1],
        "b0": lib.stack([m, m + 1]), "bb": lib.ones(2, 2, 4), "nan": lib.tensor(math.nan),
        "c": lib.tensor([[1 + 2j, 3 - 1j], [0.5j, 2.0]]),
    }  # fmt: skip


@pytest.mark.parametrize("text", CALLS)
def test_call_forms(text):
    both.agree(lambda lib: eval(text, names(lib)))


@pytest.mark.parametrize("text", BAD)
def test_bad_input_raises_what_pytorch_raises(text):
    error = both.agree(lambda lib: eval(text, names(lib)))
    assert isinstance(error, Exception), f"PyTorch accepts {text}: {error}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("m @ n", ["2x3 and 2x3", "is 3", "is 2", "must be equal", ".mT"]),
        ("m @ w", ["2x3 and 4", "is 3", "is 4"]),
        ("m @ z", ["at least 1D", "2D and 0D", "with *"]),
        ("b0 @ lib.ones(3, 3, 2)", ["(2,)", "(3,)", "(2, 2, 3)", "broadcast"]),
        ("m @ d.T", ["(2, 3) float32", "(3, 2) float64", ".to(dtype)"]),
        ("m @ 2.0", ["Tensors", "float", "with *"]),
        ("m.mv(m)", ["mv()", "2D and 1D", "got 2D and 2D"]),
        ("lib.linear(m, q[:, :2])", ["(2, 3)", "3 features", "(3, 2)", "expects 2", "weight.T"]),
        ("lib.linear(m, n, v)", ["bias", "(3,)", "(2, 2)", "expected (2,)"]),
        ("lib.einsum('ij,jk', m, n)", ["subscript j", "size 2", "operand 1", "size 3"]),
        ("lib.einsum('ii', m)", ["subscript i", "2 != 3", "(2, 3)"]),
        ("lib.tensordot(m, n, 1)", ["size 3", "size 2", "(2, 3)"]),
    ],
)
def test_messages_name_both_shapes_and_the_next_step(text, words):
    with pytest.raises((RuntimeError, TypeError)) as caught:
        eval(text, names(tg))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("equation", ["ij,kj->k", "ij,jk,kl->i", "ij,kl->", "ij,jk->ik"])
def test_einsum_of_int32_is_int32(equation):
    x = tg.ones(2, 2, dtype=tg.int32)
    out = tg.einsum(equation, *[x] * (equation.count(",") + 1))
    want = np.einsum(equation, *[x.numpy()] * (equation.count(",") + 1))
    assert out.dtype is tg.int32 and out.tolist() == want.tolist()


def test_numpy_arrays_on_either_side():
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    x = tg.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=tg.float64, requires_grad=True)
    for result, want in ((a @ x, a @ x.numpy(force=True)), (x @ a, x.numpy(force=True) @ a)):
        assert result.requires_grad and result.tolist() == want.tolist()


def test_out_is_written_and_returned():
    x, out = tg.ones(2, 3), tg.zeros(2, 2)
    assert tg.mm(x, x.T, out=out) is out and out.tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_chain_matmul_takes_the_cheapest_order():
    """(10, 100) (100, 5) (5, 50): 7500 multiplications from the left, 75000 from the right."""
    assert linalg._cheapest_cuts([10, 100, 5, 50])[0, 2] == 1
    assert linalg._cheapest_cuts([5, 50, 10, 100])[0, 2] == 1
    assert linalg._cheapest_cuts([100, 5, 50, 10])[0, 2] == 0


def test_einsum_contracts_small_results_first():
    """The outer product of the first two would have the most elements."""
    assert linalg._cheapest_pair(["i", "j", "j"], "", {"i": 10, "j": 10}) == (1, 2)
    x = tg.ones(20_000)
    assert tg.einsum("i,j,j,i->", x, x, x, x).item() == 4e8


def test_float16_is_summed_in_float32():
    x = tg.ones(1, 4096, dtype=tg.float16)
    assert (x @ x.T).item() == 4096.0  # in float16 a sum of ones stops at 2048


@pytest.mark.parametrize(
    "text",
    ["lib.einsum(x, [0, 1], y, [1, 2], [2, 0])", "lib.einsum(x, [0, 1], y, [1, 2])",
     "lib.einsum(x, [27, 1], y, [1, 30])", "lib.einsum(x, [..., 0], y, [0, 2], [..., 2])",
     "lib.einsum(x, [0, 1], [])", "lib.einsum(x, [0, 99])", "lib.einsum(x, [1, 0])"],
)  # fmt: skip
def test_einsum_with_lists_of_integers(text):
    def program(lib):
        names = {"x": lib.arange(6.0).reshape(2, 3), "y": lib.arange(12.0).reshape(3, 4)}
        return eval(text, {"lib": lib, **names})

    both.agree(program)


@pytest.mark.parametrize(
    "program",
    [
        lambda lib: lib.linalg.vander(lib.tensor(3.0), N=3),
        lambda lib: lib.tensordot(
            lib.ones(1, 3, 1), lib.arange(4.0).view(2, 1, 2), dims=([0, 2], [2, 0])
        ),
        lambda lib: lib.tensordot(lib.arange(4.0).view(2, 2), lib.ones(1, 3), dims=1),
    ],
)
def test_corners_that_pytorchs_own_samples_reach(program):
    both.agree(program)


@pytest.mark.parametrize("driver", ["gels", "gelsd", "gelss"])
def test_residuals_of_least_squares_carry_gradients(driver):
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, 4, 2)), random.standard_normal((2, 4, 3))

    def program(lib):
        x, y = (lib.tensor(v, requires_grad=True) for v in (a, b))
        residuals = lib.linalg.lstsq(x, y, driver=driver).residuals
        return residuals, *lib.autograd.grad((residuals**2).sum(), (x, y))

    both.agree(program)
