"""torch.linalg and its older functions beside PyTorch: values, two derivatives, errors, types."""

import both
import numpy as np
import pytest

import tensorgrad as tg

torch = pytest.importorskip("torch")
# PyTorch's older functions say that they are deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated")

rng = np.random.default_rng(0)
A, S1, V, v = (rng.standard_normal(s) for s in ((3, 3), (3, 3), (3, 2), (3,)))
B, W, T = (rng.standard_normal(s) for s in ((2, 3, 3), (2, 2, 4), (4, 2)))
S = B @ B.swapaxes(-1, -2) + 3 * np.eye(3)  # positive-definite
Y = rng.standard_normal((2, 4, 3))
R = np.triu(A) + 2 * np.eye(3)
T3 = rng.standard_normal((2, 3, 6))
inf = float("inf")


def joined(lib, parts, power=1):
    """The parts of a decomposition in one vector; squared where only their signs are free."""
    return lib.cat([p.reshape(-1) ** power for p in parts])


# Each row: a text, evaluated with ``t`` the library and ``x``, ``y``, ``z`` the tensors after it.
ROWS = [
    ("t.linalg.det(x)", B), ("t.det(x)", A), ("x.det()", B), ("t.logdet(x)", S),
    ("t.logdet(x)", S[0]), ("t.logdet(x)", B), ("t.linalg.slogdet(x)[1]", B),
    ("t.slogdet(x).logabsdet", S),
    ("t.linalg.inv(x)", B), ("t.inverse(x)", A), ("t.linalg.inv_ex(x).inverse", B),
    ("t.linalg.pinv(x)", W), ("t.linalg.pinv(x)", T), ("t.linalg.pinv(x, hermitian=True)", S),
    ("t.pinverse(x)", B), ("t.linalg.solve(x, y)", B, V), ("t.linalg.solve(x, y)", A, v),
    ("t.linalg.solve(x, y)", B, B[..., 0]), ("t.linalg.solve(x, y.mT, left=False)", A, V),
    ("t.linalg.solve_ex(x, y).result", B, V),
    ("t.linalg.solve_triangular(x, y, upper=True)", R, V),
    ("t.linalg.solve_triangular(x, y, upper=False, unitriangular=True)", B, V),
    ("t.linalg.solve_triangular(x, y.mT, upper=True, left=False)", R, V),
    ("t.triangular_solve(y, x).solution", R, V),
    ("t.triangular_solve(y, x, upper=False, transpose=True)[0]", R.T + 0, V),
    ("t.linalg.lstsq(x, y).solution", T, rng.standard_normal((4, 3))),
    ("t.linalg.lstsq(x, y)[0]", T, rng.standard_normal(4)),
    ("t.linalg.lstsq(x, y)[0]", W, rng.standard_normal((2, 2, 1))),
    ("joined(t, t.linalg.qr(x))", B), ("joined(t, t.linalg.qr(x))", T),
    ("joined(t, t.linalg.qr(x))", W), ("joined(t, t.linalg.qr(x, 'complete'))", W),
    ("joined(t, t.qr(x))", T), ("t.linalg.qr(x).R", T), ("t.linalg.qr(x).Q", B),
    ("joined(t, t.linalg.svd(x, full_matrices=False), 2)", B),
    ("joined(t, t.linalg.svd(x, False), 2)", T), ("joined(t, t.linalg.svd(x, False), 2)", W),
    ("t.linalg.svd(x).S", W), ("t.linalg.svd(x)[0] ** 2", W), ("t.linalg.svd(x).Vh ** 2", T),
    ("t.svd(x).V ** 2", W), ("t.linalg.svdvals(x)", W), ("t.linalg.svdvals(x)", B),
    ("joined(t, t.linalg.eigh(x), 2)", S), ("joined(t, t.linalg.eigh(x, 'U'), 2)", B),
    ("t.linalg.eigvalsh(x)", S), ("t.linalg.eigh(x).eigenvalues", B),
    ("t.linalg.cholesky(x)", S), ("t.linalg.cholesky(x, upper=True)", S), ("x.cholesky()", S),
    ("t.linalg.cholesky_ex(x).L", S), ("t.cholesky_solve(y, x.tril())", S, V),
    ("t.cholesky_solve(y, x.triu(), upper=True)", S, V), ("t.cholesky_inverse(x.tril())", S),
    ("joined(t, t.linalg.lu(x))", B), ("joined(t, t.linalg.lu(x))", T),
    ("joined(t, t.linalg.lu(x))", W), ("t.linalg.lu_factor(x).LU", W),
    ("t.linalg.lu_solve(*t.linalg.lu_factor(x), y)", B, V),
    ("t.linalg.lu_solve(*t.linalg.lu_factor(x), y, adjoint=True)", B, V),
    ("t.linalg.lu_solve(*t.linalg.lu_factor(x), y.mT, left=False)", B, V),
    ("t.lu_solve(y, *t.lu(x))", A, V), ("joined(t, t.lu_unpack(*t.lu(x)))", B),
    ("t.linalg.matrix_power(x, 5)", B), ("t.matrix_power(x, -3)", B),
    ("x.matrix_power(1)", A), ("t.linalg.matrix_exp(x)", B), ("x.matrix_exp()", A),
    ("t.linalg.multi_dot([z, x, y])", A, V, v), ("t.linalg.multi_dot([x, y])", A, V),
    ("t.linalg.tensorinv(x, 2)", T3), ("t.linalg.tensorsolve(x, y)", T3, T3[..., 0] + 0),
    ("t.linalg.tensorsolve(x, y, dims=(0, 2))", rng.standard_normal((2, 6, 3)), np.ones(6)),
    ("t.linalg.householder_product(x, y)", T, rng.standard_normal(2)),
    ("t.orgqr(x, y)", T, rng.standard_normal(2)),
    ("t.ormqr(x, y, z)", T, rng.standard_normal(2), rng.standard_normal((4, 3))),
    ("t.linalg.vander(x)", v), ("t.linalg.vander(x, N=4)", V), ("t.linalg.vecdot(x, y)", A, B),
    ("t.linalg.vecdot(x, y, dim=0)", A, A.T + 0), ("t.linalg.matmul(x, y)", A, V),
    ("t.linalg.diagonal(x, offset=1)", B), ("t.linalg.cross(x, y)", B, B[:1, :1]),
    ("t.linalg.cross(x, y, dim=1)", B, B[::-1] + 0), ("t.cross(x, y, dim=1)", B, B[::-1] + 0),
    *[(f"t.linalg.matrix_norm(x, {o})", W) for o in ("'fro'", "'nuc'", 2, -2, 1, -1)],
    ("t.linalg.matrix_norm(x, inf)", W), ("t.linalg.matrix_norm(x, -inf)", W),
    *[(f"t.linalg.matrix_norm(x, {o}, (0, 2), True)", W) for o in ("'fro'", "'nuc'", 2, 1)],
    *[(f"t.linalg.cond(x, {p})", B) for p in (None, "'nuc'", 2, -2)],
    ("t.linalg.norm(x)", W), ("t.linalg.norm(x, dim=(0, 1))", W), ("t.linalg.norm(x, 1, 1)", W),
    ("t.linalg.norm(x, 'nuc')", A), ("t.linalg.norm(x, 3)", v), ("t.norm(x, 'nuc')", A),
    ("t.linalg.vector_norm(x, 3, dim=(0, 1), keepdim=True)", W),
    ("t.linalg.vector_norm(x, inf)", W), ("t.linalg.vector_norm(x, 0.5, [0])", W),
]  # fmt: skip
rows = pytest.mark.parametrize("row", ROWS, ids=[f"{r[0]}-{r[1].shape}" for r in ROWS])


def run(text, lib, tensors):
    names = dict(zip("xyz", tensors, strict=False))
    return eval(text, {"t": lib, "joined": joined, "inf": inf, **names})


def derivatives(lib, text, arrays):
    """[value, first, second derivatives, first derivatives of a walk on plain arrays]."""
    leaves = [lib.tensor(a, requires_grad=True) for a in arrays]
    out = run(text, lib, leaves)
    rng = np.random.default_rng(1)
    g = lib.tensor(rng.standard_normal(tuple(out.shape)), requires_grad=True)
    first = lib.autograd.grad((out * g).sum(), leaves, create_graph=True)
    total = sum((d * lib.tensor(rng.standard_normal(tuple(d.shape)))).sum() for d in first)
    second = lib.autograd.grad(total, [*leaves, g], allow_unused=True)
    plain = lib.autograd.grad((run(text, lib, leaves) * g.detach()).sum(), leaves)
    nothing = [np.zeros(tuple(x.shape)) for x in (*leaves, g)]
    second = [n if d is None else d.numpy(force=True) for d, n in zip(second, nothing, strict=True)]
    return [x.numpy(force=True) for x in (out, *first)] + second + [p.numpy() for p in plain]


@rows
def test_value_and_two_derivatives(row):
    text, *arrays = row
    ours, theirs = (derivatives(lib, text, arrays) for lib in (tg, torch))
    for a, b in zip(ours, theirs, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8)


@rows
def test_float32(row):
    text, *arrays = row

    def program(lib):
        return run(text, lib, [lib.tensor(a.astype(np.float32)) for a in arrays])

    both.agree(program, rtol=2e-3)  # condition numbers up to 100


VALUES = [
    "t.linalg.slogdet(x)", "t.linalg.inv_ex(x)", "t.linalg.solve_ex(x, x)", "t.linalg.qr(x, 'r')",
    "t.linalg.cholesky_ex(s)", "t.linalg.cholesky_ex(x)[1]", "t.linalg.lu(x)", "t.linalg.lu(w)",
    "t.linalg.lu_factor(w)", "t.linalg.lu_factor_ex(x)", "t.lu(x, get_infos=True)",
    "t.linalg.lu_factor_ex(z)", "t.linalg.inv_ex(z)[1]", "t.linalg.det(z)", "t.linalg.slogdet(z)",
    "t.linalg.matrix_rank(x)", "t.linalg.matrix_rank(z)", "t.linalg.matrix_rank(w, tol=1.0)",
    "t.linalg.matrix_rank(s, hermitian=True)", "t.linalg.matrix_rank(x, atol=0.5, rtol=0.1)",
    "t.linalg.matrix_rank(x, rtol=t.tensor([0.1, 0.9], dtype=t.float64))",
    "t.linalg.lstsq(z[0], x[0])",
    "t.linalg.lstsq(w.mT, y, driver='gelsd')",
    "t.linalg.lstsq(w.mT, y, driver='gels')",
    "t.linalg.lstsq(w[0].mT, y[0, :, 0], driver='gelsd')", "t.linalg.lstsq(x, x, driver='gelss')",
    "t.linalg.lstsq(w.mT, y[..., 0], driver='gelsd')", "t.linalg.matrix_power(x, 0)",
    "t.linalg.cond(z[1])", "t.linalg.cond(z, 1)", "t.linalg.cond(x, 'fro')",
    "t.linalg.cond(x, inf)",
    "t.linalg.pinv(z, rtol=0.1)", "t.linalg.pinv(x, atol=1.0)", "t.linalg.eigvalsh(x)",
    "t.geqrf(w)", "t.lu_unpack(*t.lu(w), unpack_data=False)", "t.linalg.solve(e, e)",
    "t.lu_unpack(*t.lu(w), unpack_pivots=False)", "t.linalg.det(e)", "t.linalg.inv(e)",
    "t.linalg.cholesky(e)", "t.linalg.qr(e)", "t.linalg.svdvals(e)", "t.linalg.pinv(e)",
    "t.linalg.eigvalsh(e)", "t.svd(w, compute_uv=False)",
    "t.linalg.matrix_norm(x.float(), dtype=t.float64)",
    "t.linalg.inv(x, out=t.empty(0, dtype=t.float64))", "t.linalg.vander(t.tensor([1, 2, 3]))",
    "t.linalg.inv(b)", "t.linalg.solve(b, x[0])", "t.linalg.cholesky(x[:0])", "t.inverse(x[:0])",
    "t.linalg.lu(x[:0])", "t.linalg.eigvals(s).real.sort()[0]",
    "t.ormqr(*t.geqrf(w), w, True, True)",
]  # fmt: skip
BAD = [
    "t.linalg.inv(w)", "t.linalg.inv(x[0, 0])", "t.linalg.inv(x.long())", "t.linalg.inv(3)",
    "t.linalg.inv(x.half())", "t.linalg.inv(z)", "t.linalg.solve(x, x.float())",
    "t.linalg.solve(z, z)", "t.linalg.solve(x, w)", "t.linalg.cholesky(-s)", "t.linalg.cholesky(w)",
    "t.linalg.qr(x, 'other')", "t.linalg.eigh(x, 'A')", "t.linalg.svd(x, driver='gesvd')",
    "t.linalg.matrix_norm(x, 3)", "t.linalg.matrix_norm(x, 'other')", "t.linalg.norm(x, 1)",
    "t.linalg.matrix_norm(x[0, 0])", "t.linalg.matrix_norm(x, dim=(0, 0))",
    "t.linalg.matrix_power(x, 0.5)", "t.linalg.matrix_power(w, 2)", "t.linalg.multi_dot([x[0]])",
    "t.linalg.lu_factor(z)", "t.lu(z)", "t.linalg.lu(x, pivot=False)", "t.det(w)", "t.logdet(w)",
    "t.linalg.lstsq(x, w)", "t.linalg.lstsq(x, x, driver='other')", "t.linalg.cross(w, w)",
    "t.linalg.vecdot(x, x.float())", "t.linalg.tensorinv(x, 0)", "t.linalg.tensorinv(x, 1)",
    "t.linalg.vander(x[0, 0], N=1)", "t.linalg.vander(x[0, 0], 4)", "t.linalg.cond(w, 1)",
    "t.linalg.inv_ex(z, check_errors=True)",
    "t.linalg.vector_norm(x.long())", "t.linalg.matrix_norm(x, dtype=t.float32)",
    "t.symeig(x)", "t.solve(x, x)", "t.matrix_rank(x)",
    "t.linalg.solve_triangular(x, w, upper=True)", "t.cholesky_solve(w, x)", "t.eig(x)",
    "t.linalg.cholesky_ex(-s, check_errors=True)", "t.lstsq(x, x)", "t.linalg.matrix_exp(w)",
]  # fmt: skip


def named(lib):
    x = B.copy()
    singular = np.stack([np.ones((3, 3)), np.diag([1.0, 0.0, 2.0])])
    arrays = {"x": x, "s": S, "w": W, "z": singular, "e": np.zeros((2, 0, 0)),
              "b": np.eye(3)[None].repeat(2, 0), "y": Y}  # fmt: skip
    return {"t": lib, "inf": inf} | {n: lib.from_numpy(a.copy()) for n, a in arrays.items()}


@pytest.mark.parametrize("text", VALUES)
def test_values(text):
    def program(lib):
        result = eval(text, named(lib))
        return list(result) if isinstance(result, tuple) else result

    both.agree(program, rtol=1e-7)


@pytest.mark.parametrize("text", BAD)
def test_bad_input(text):
    error = both.agree(lambda lib: eval(text, named(lib)))
    assert error is not None


def test_singular_matrices_raise_linalgs_own_error():
    for call in ("inv(z)", "solve(z, z)", "cholesky(-s)", "lu_factor(z)"):
        for lib in (torch, tg):
            if lib is torch and call == "lu_factor(z)":
                continue  # a plain RuntimeError there
            with pytest.raises(lib.linalg.LinAlgError):
                eval(f"t.linalg.{call}", named(lib))
    assert issubclass(tg.linalg.LinAlgError, RuntimeError)


@pytest.mark.parametrize("mode", ["r", "complete"])
def test_backward_through_qr_without_derivative_raises(mode):
    def program(lib):
        x = lib.tensor(T, requires_grad=True)
        lib.linalg.qr(x, mode)[1].sum().backward()

    assert isinstance(both.agree(program), RuntimeError)


def test_det_of_a_singular_matrix_has_its_gradient():
    x = tg.tensor([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 3.0]], dtype=tg.float64)
    x.requires_grad_()
    tg.linalg.det(x).backward()
    np.testing.assert_allclose(x.grad, [[12, -6, 0], [-6, 3, 0], [0, 0, 0]], atol=1e-12)


def test_equal_eigenvalues_have_a_gradient_where_vectors_are_unused():
    def program(lib):
        x = lib.eye(3, dtype=lib.float64, requires_grad=True)
        (lib.linalg.eigh(x)[0].sum() + lib.linalg.svd(x)[1].sum()).backward()
        return x.grad

    both.agree(program)


def test_results_print_and_unpack_as_pytorchs():
    for name, argument in (("svd", W), ("qr", T), ("eigh", S), ("lu", B), ("slogdet", B)):
        ours = getattr(tg.linalg, name)(tg.tensor(argument))
        theirs = getattr(torch.linalg, name)(torch.tensor(argument))
        assert repr(ours).splitlines()[0] == repr(theirs).splitlines()[0]
        assert type(ours).__name__ == f"linalg_{name}"
        assert all(hasattr(theirs, field) for field in ours._fields)


def test_every_name_is_here():
    left_out = {"ldl_factor", "ldl_factor_ex", "ldl_solve", "common_notes"}
    public = {n for n in dir(torch.linalg) if not n.startswith("_") and n not in left_out}
    import types

    public = {n for n in public if not isinstance(getattr(torch.linalg, n), types.ModuleType)}
    assert not [n for n in sorted(public) if not hasattr(tg.linalg, n) and n != "Tensor"]
