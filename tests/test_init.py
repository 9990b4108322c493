"""Initialisers beside PyTorch: seeded values, errors, warnings."""

import both
import numpy as np
import pytest

import tensorgrad as tg

torch = pytest.importorskip("torch")


def filled(call, shape, dtype="float32"):
    def program(lib):
        lib.manual_seed(3)
        w = lib.empty(shape, dtype=getattr(lib, dtype))
        assert call(lib.nn.init, w) is w
        return w, lib.rand(3)  # as many draws were taken

    return program


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(4, 4), (5, 3), (3, 7), (4, 3, 3), (1, 6), (0, 3), (2, 5, 2, 2), (40, 30), (30, 40)]
)
def test_orthogonal(shape, dtype):
    both.agree(filled(lambda init, w: init.orthogonal_(w, 1.5), shape, dtype), rtol=1e-5)
    if 0 not in shape:
        rows = tg.nn.init.orthogonal_(tg.empty(shape, dtype=tg.float64)).reshape(shape[0], -1)
        gram = rows @ rows.T if rows.shape[0] <= rows.shape[1] else rows.T @ rows
        np.testing.assert_allclose(gram.numpy(), np.eye(len(gram)), atol=1e-12)


@pytest.mark.parametrize("shape", [(3,), (20, 30), (7, 5, 3)])
@pytest.mark.parametrize(
    "args",
    [(), (0.0, 0.02), (0.5, 1.0, 0.0, 1.0), (0.0, 1.0, -1.0, 1.0),
     (0.0, 1.0, 1.0, 2.0), (0.0, 1.0, 2.0, 2.5), (0.0, 10.0, -1.0, 1.0)],
)  # fmt: skip
def test_trunc_normal(args, shape):
    both.agree(filled(lambda init, w: init.trunc_normal_(w, *args), shape), rtol=1e-5)
    mean, std, low, high = (*args, *(0.0, 1.0, -2.0, 2.0)[len(args) :])
    w = tg.nn.init.trunc_normal_(tg.empty(1000), mean, std, low, high)
    assert low <= w.min() and w.max() <= high


def test_trunc_normal_warns_far_from_its_interval():
    for lib in (torch, tg):
        with pytest.warns(UserWarning, match="more than 2 std"):
            lib.nn.init.trunc_normal_(lib.empty(2), 10.0, 1.0)


@pytest.mark.parametrize("shape", [(10, 4), (3, 8)])
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 1.0])
def test_sparse(shape, sparsity):
    both.agree(filled(lambda init, w: init.sparse_(w, sparsity, 0.5), shape), rtol=1e-5)


@pytest.mark.parametrize("shape", [(4, 4, 3), (4, 2, 3, 3), (6, 3, 2, 3, 5), (2, 5, 1)])
@pytest.mark.parametrize("groups", [1, 2, 3])
def test_dirac(shape, groups):
    both.agree(lambda lib: lib.nn.init.dirac_(lib.empty(shape), groups))


@pytest.mark.parametrize(
    ("name", "shape", "args"),
    [("orthogonal_", (3,), ()), ("sparse_", (3,), (0.5,)), ("dirac_", (3, 3), ()),
     ("dirac_", (3, 3, 3), (2,)), ("eye_", (3,), ())],
)  # fmt: skip
def test_bad_input(name, shape, args):
    error = both.agree(lambda lib: getattr(lib.nn.init, name)(lib.empty(shape), *args))
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    "name",
    ["uniform", "normal", "constant", "eye", "dirac", "orthogonal", "sparse", "xavier_uniform",
     "xavier_normal", "kaiming_uniform", "kaiming_normal"],
)  # fmt: skip
def test_old_names_warn(name):
    shape = (4, 4, 3) if name == "dirac" else (4, 4)
    more = {"constant": (2.0,), "sparse": (0.5,)}.get(name, ())

    def program(lib):
        lib.manual_seed(1)
        with pytest.warns(FutureWarning, match=f"init.{name}` is now deprecated"):
            return getattr(lib.nn.init, name)(lib.empty(shape), *more)

    both.agree(program, rtol=1e-5)


def test_every_name_is_here():
    public = {n for n in vars(torch.nn.init) if not n.startswith("_")}
    functions = {n for n in public if getattr(torch.nn.init, n).__class__.__name__ == "function"}
    assert not [n for n in functions if not hasattr(tg.nn.init, n)]
