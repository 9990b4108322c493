"""The optimizers beyond SGD and Adam: against PyTorch step by step, in every combination."""

import copy
import importlib
import inspect
import itertools
import pickle

import numpy as np
import pytest
from both import agree

import tensorgrad
from tensorgrad import optim
from tensorgrad.optim import _bucketed

SHAPES = [(3, 2), (3,), (), (0,), (1, 4), (30,), (2, 3, 4)]

# The values of each option that are tried in all combinations.
GRIDS = {
    "RMSprop": {
        "alpha": [0.99, 0.3], "eps": [1e-8, 0.1], "weight_decay": [0, 0.1],
        "momentum": [0, 0.9], "centered": [False, True], "maximize": [False, True],
    },
    "Adagrad": {
        "lr_decay": [0, 0.5], "weight_decay": [0, 0.1], "initial_accumulator_value": [0, 2.0],
        "eps": [1e-10, 0.1], "maximize": [False, True],
    },
    "Adadelta": {
        "rho": [0.9, 0.0, 1.0], "eps": [1e-6, 0.1], "weight_decay": [0, 0.1],
        "maximize": [False, True],
    },
    "Adamax": {
        "betas": [(0.9, 0.999), (0, 0.5)], "eps": [1e-8, 0.1], "weight_decay": [0, 0.1],
        "maximize": [False, True],
    },
    "NAdam": {
        "betas": [(0.9, 0.999), (0.5, 0)], "weight_decay": [0, 0.1],
        "momentum_decay": [4e-3, 0, 1.0], "decoupled_weight_decay": [False, True],
        "maximize": [False, True],
    },
    "RAdam": {
        "betas": [(0.9, 0.999), (0.5, 0.8), (0, 0.5)], "eps": [1e-8, 0.1],
        "weight_decay": [0, 0.1], "decoupled_weight_decay": [False, True],
        "maximize": [False, True],
    },
    "Rprop": {
        "lr": [1e-2, 3.0], "etas": [(0.5, 1.2), (0.1, 3.0)], "step_sizes": [(1e-6, 50), (0.1, 1)],
        "maximize": [False, True],
    },
    "ASGD": {
        "lambd": [1e-4, 0.5], "alpha": [0.75, 0], "t0": [1e6, 5], "weight_decay": [0, 0.1],
        "maximize": [False, True],
    },
    "Adafactor": {
        "lr": [1e-2, 1.0], "beta2_decay": [-0.8, -0.1], "eps": [(None, 1e-3), (0.1, 0.5)],
        "d": [1.0, 2.0], "weight_decay": [0.0, 0.1], "maximize": [False, True],
    },
    "Adam": {"amsgrad": [False, True], "weight_decay": [0, 0.1],
             "decoupled_weight_decay": [False, True], "maximize": [False, True]},
    "AdamW": {"amsgrad": [False, True], "maximize": [False, True]},
}  # fmt: skip
RUNS = [
    (name, dict(zip(grid, values, strict=True)))
    for name, grid in GRIDS.items()
    for values in itertools.product(*grid.values())
]
# One setting of each, for the tests of everything but the formula.
USUAL = {
    **{name: {} for name in GRIDS},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "ASGD": {"t0": 3},
    "SGD": {"lr": 0.01, "momentum": 0.9},
}


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # with more, its sparse tensors take 20 times as long
    yield torch
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """Sizes at which a dozen elements are a large parameter, and three blocks of one."""
    monkeypatch.setattr(_bucketed, "SMALL", 20)
    monkeypatch.setattr(_bucketed, "BLOCK", 13)


def shapes_for(name):
    # PyTorch's Adafactor divides by the number of elements.
    return [s for s in SHAPES if name != "Adafactor" or 0 not in s]


def leaf(lib, array):
    return lib.tensor(np.array(array), requires_grad=True)


def parameters(lib, name, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [leaf(lib, rng.standard_normal(s).astype(dtype)) for s in shapes_for(name)]


def groups(params, options):
    """Two groups, the second with options of its own."""
    own = {k: v for k, v in {"lr": 0.05, "weight_decay": 0.02}.items() if k in options}
    return [{"params": params[:3]}, {"params": params[3:], **own}]


def give_gradients(pairs, rng, step):
    """Gradients of sizes from 1e-3 to 1e2; some are None, one is from step 10 on."""
    for i, (lib, p) in enumerate(pairs):
        g = np.asarray(rng.standard_normal(tuple(p.shape)) * 10.0 ** rng.integers(-3, 3))
        absent = (i in (1, 4) and (step + i) % 5 == 0) or (i == 5 and step < 10)
        p.grad = None if absent else lib.tensor(g.astype(p.detach().numpy().dtype))


def train(lib, optimizer, params, steps, seed=0):
    rng = np.random.default_rng(seed)
    for step in steps:
        give_gradients([(lib, p) for p in params], rng, step)
        optimizer.step()


def assert_close(got, want, tolerance=1e-10):
    scale = max(1.0, np.max(np.abs(want), initial=0.0))
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * scale)


def assert_same(ours, theirs, tolerance=1e-10):
    for p, q in zip(ours, theirs, strict=True):
        assert_close(p.detach().numpy(), q.detach().numpy(), tolerance)


def assert_same_state(a, b, tolerance=1e-10):
    ours, theirs = a.state_dict(), b.state_dict()
    assert ours["param_groups"] == theirs["param_groups"]
    assert ours["state"].keys() == theirs["state"].keys()
    for key, entries in theirs["state"].items():
        assert list(ours["state"][key]) == list(entries)
        for name, want in entries.items():
            got = ours["state"][key][name]
            if isinstance(want, int):
                assert got == want
                continue
            assert got.shape == tuple(want.shape) and str(got.dtype) == str(want.dtype), name
            assert_close(got.numpy(), want.numpy(), tolerance)


def moved(value, lib):
    """A state dict with its tensors made those of ``lib``."""
    if isinstance(value, dict):
        return {k: moved(v, lib) for k, v in value.items()}
    if isinstance(value, list):
        return [moved(v, lib) for v in value]
    return lib.from_numpy(np.array(value.numpy())) if hasattr(value, "numpy") else value


# --- trajectories -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(GRIDS))
def test_trajectories_are_pytorchs(torch, name):
    """20 steps in float64 with every combination of options, to 1e-10 of the largest element."""
    for options in (o for n, o in RUNS if n == name):
        ours, theirs = parameters(tensorgrad, name), parameters(torch, name)
        a = getattr(optim, name)(groups(ours, options), **options)
        b = getattr(torch.optim, name)(groups(theirs, options), **options)
        train(tensorgrad, a, ours, range(20))
        train(torch, b, theirs, range(20))
        try:
            assert_same(ours, theirs)
            assert_same_state(a, b)
        except AssertionError as error:
            raise AssertionError(f"{name} with {options}: {error}") from None


@pytest.mark.parametrize("name", sorted(USUAL))
def test_float32_is_pytorchs(torch, name):
    ours, theirs = (parameters(lib, name, np.float32) for lib in (tensorgrad, torch))
    a = getattr(optim, name)(ours, **USUAL[name])
    b = getattr(torch.optim, name)(theirs, **USUAL[name])
    train(tensorgrad, a, ours, range(12))
    train(torch, b, theirs, range(12))
    assert all(p._array.dtype == np.float32 for p in ours)
    # Centered RMSprop subtracts nearly equal numbers under its root.
    assert_same(ours, theirs, 2e-3 if name == "RMSprop" else 2e-5)
    assert_same_state(a, b, 2e-3 if name == "RMSprop" else 2e-5)


@pytest.mark.parametrize("name", sorted(USUAL))
def test_options_may_change_between_steps(torch, name):
    ours, theirs = parameters(tensorgrad, name), parameters(torch, name)
    a = getattr(optim, name)(ours, **USUAL[name])
    b = getattr(torch.optim, name)(theirs, **USUAL[name])
    for lib, optimizer, params in ((tensorgrad, a, ours), (torch, b, theirs)):
        train(lib, optimizer, params, range(4))
        optimizer.param_groups[0]["lr"] = 0.3
        if "weight_decay" in optimizer.defaults:
            optimizer.param_groups[0]["weight_decay"] = 0.2
        train(lib, optimizer, params, range(4, 12), seed=1)
    assert_same(ours, theirs)


@pytest.mark.parametrize("name", sorted(USUAL))
def test_rates_may_be_tensors(torch, name):
    ours, theirs = parameters(tensorgrad, name), parameters(torch, name)
    options = {**USUAL[name], "lr": 0.25}  # a float32
    a = getattr(optim, name)(ours, **{**options, "lr": tensorgrad.tensor(0.25)})
    b = getattr(torch.optim, name)(theirs, **options)
    train(tensorgrad, a, ours, range(5))
    train(torch, b, theirs, range(5))
    assert_same(ours, theirs)


def test_nan_and_zero_gradients(torch):
    """PyTorch's Rprop leaves an element with gradient NaN where it is; others spread it."""
    gradients = [[1.0, np.nan, 0.0], [np.nan, 1.0, 0.0], [-1.0, -1.0, 1.0]]
    for name in sorted(GRIDS):
        ours, theirs = leaf(tensorgrad, np.ones(3)), leaf(torch, np.ones(3))
        a, b = getattr(optim, name)([ours]), getattr(torch.optim, name)([theirs])
        for g in gradients:
            ours.grad, theirs.grad = tensorgrad.tensor(np.array(g)), torch.tensor(np.array(g))
            a.step()
            b.step()
        assert_close(ours.detach().numpy(), theirs.detach().numpy())


# --- the ones with a gradient or parameters of their own kind --------------------------


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.5)])
@pytest.mark.parametrize("eps", [1e-8, 0.1])
@pytest.mark.parametrize("maximize", [False, True])
def test_sparse_adam_updates_the_rows_that_have_a_gradient(torch, betas, eps, maximize):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) for s in [(5, 2), (6,), (4, 2, 3)]]
    ours = [leaf(tensorgrad, a) for a in arrays]
    theirs = [leaf(torch, a) for a in arrays]
    options = {"lr": 0.1, "betas": betas, "eps": eps, "maximize": maximize}
    a, b = optim.SparseAdam(ours, **options), torch.optim.SparseAdam(theirs, **options)
    for step in range(20):
        for p, q in zip(ours, theirs, strict=True):
            g = rng.standard_normal(q.shape)
            g[rng.random(len(g)) < (1.0 if step == 7 else 0.5)] = 0
            p.grad, q.grad = tensorgrad.tensor(g), torch.tensor(g).to_sparse(1)
        a.step()
        b.step()
    assert_same(ours, theirs)
    assert_same_state(a, b)


def test_sparse_adam_with_numbers_and_nothing():
    number, nothing = leaf(tensorgrad, 1.0), leaf(tensorgrad, np.ones((0, 2)))
    adam = optim.SparseAdam([number, nothing], lr=0.25)
    for g in (0.0, 1.0):
        number.grad = tensorgrad.tensor(np.array(g))
        nothing.grad = tensorgrad.tensor(np.ones((0, 2)))
        adam.step()
        assert number.item() == 1.0 or g
    assert number.item() < 1.0 and adam.state[nothing]["step"] == 2


def matrices(lib):
    rng = np.random.default_rng(0)
    return [leaf(lib, rng.standard_normal(s)) for s in [(3, 4), (5, 2), (1, 3), (4, 4)]]


@pytest.mark.parametrize("exact", [True, False])
def test_muon(torch, monkeypatch, exact):
    """With its conversions to bfloat16 taken out, PyTorch's Muon is ours; else nearly."""
    if exact:
        monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    grid = {
        "weight_decay": [0.1, 0], "momentum": [0.95, 0], "nesterov": [True, False],
        "adjust_lr_fn": [None, "original", "match_rms_adamw"], "ns_steps": [5, 2],
    }  # fmt: skip
    for values in itertools.product(*grid.values()):
        options = dict(zip(grid, values, strict=True))
        if not exact and options["ns_steps"] == 2:
            continue
        ours, theirs = matrices(tensorgrad), matrices(torch)
        start = [p.detach().numpy().copy() for p in ours]
        a = optim.Muon(ours, lr=0.02, **options)
        b = torch.optim.Muon(theirs, lr=0.02, **options)
        for _ in range(20 if exact else 1):
            train(tensorgrad, a, ours, [2])
            train(torch, b, theirs, [2])
        if exact:
            assert_same(ours, theirs)
            assert_same_state(a, b)
        else:
            # bfloat16 has 8 bits; five rounds of products gather errors of some 2^-8 each.
            for p, q, before in zip(ours, theirs, start, strict=True):
                moved_by = np.linalg.norm(q.detach().numpy() - before)
                apart = np.linalg.norm(p.detach().numpy() - q.detach().numpy())
                assert apart < 0.03 * moved_by


def test_muon_makes_orthogonal_steps():
    w = leaf(tensorgrad, np.zeros((4, 3)))
    w.grad = tensorgrad.tensor(np.random.default_rng(0).standard_normal((4, 3)))
    optim.Muon([w], lr=1.0, weight_decay=0, adjust_lr_fn="original").step()
    singular = np.linalg.svd(w.detach().numpy() / np.sqrt(4 / 3), compute_uv=False)
    assert np.all((singular > 0.6) & (singular < 1.3))


# --- L-BFGS -------------------------------------------------------------------------------


def valley(lib, dtype="float64"):
    """Parameters and a loss with a bent valley, as Rosenbrock's; one has no gradient."""
    dtype = getattr(lib, dtype)
    x = lib.tensor([-1.2, 1.0, 0.5, 2.0], dtype=dtype, requires_grad=True)
    y = lib.tensor([[0.3]], dtype=dtype, requires_grad=True)
    unused = lib.tensor(7.0, dtype=dtype, requires_grad=True)

    def loss():
        return (
            5 * ((x[1:] - x[:-1] ** 2) ** 2).sum()
            + ((1 - x) ** 2).sum()
            + ((y - x[0]) ** 4).sum()
        )

    return [x, unused, y], loss


def descend(optimizer, loss, steps):
    calls, seen = 0, []

    def closure():
        nonlocal calls
        calls += 1
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    for _ in range(steps):
        seen.append(optimizer.step(closure).item())
    return np.array(seen), calls


LBFGS_GRID = {
    "lr": [1, 0.1], "max_iter": [7, 1], "max_eval": [None, 5], "history_size": [2, 100],
    "line_search_fn": ["strong_wolfe", None], "tolerance_change": [1e-9, 1e-2],
}  # fmt: skip


def test_lbfgs_is_pytorchs(torch):
    """The losses, the calls of the closure, the parameters and the state."""
    for values in itertools.product(*LBFGS_GRID.values()):
        options = dict(zip(LBFGS_GRID, values, strict=True))
        if options["lr"] == 1 and options["line_search_fn"] is None:
            options["lr"] = 0.02  # without a search, 1 leaves the valley

        def program(lib, options=options):
            params, loss = valley(lib)
            optimizer = lib.optim.LBFGS(params, **options)
            losses, calls = descend(optimizer, loss, 3)
            kept = optimizer.state_dict()["state"][0]
            numbers = {k: kept[k] for k in ("func_evals", "n_iter")}
            arrays = {k: np.array(float(kept[k])) for k in ("prev_loss", "t") if k in kept}
            tensors = {k: kept.get(k) for k in ("d", "old_dirs", "old_stps", "prev_flat_grad")}
            return losses, calls, params, numbers, arrays, tensors, sorted(kept)

        # Each iteration multiplies the roundings of those before it.
        agree(program, rtol=1e-8)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_goes_on_from_a_state_dict(torch, search):
    for source, target in ((tensorgrad, torch), (torch, tensorgrad)):
        params, loss = valley(source)
        first = source.optim.LBFGS(params, lr=0.5, max_iter=4, line_search_fn=search)
        descend(first, loss, 2)
        others, other_loss = valley(target)
        for p, q in zip(others, params, strict=True):
            p.detach().copy_(target.from_numpy(q.detach().numpy().copy()))
        second = target.optim.LBFGS(others)
        second.load_state_dict(moved(first.state_dict(), target))
        descend(first, loss, 2)
        descend(second, other_loss, 2)
        assert_same(others, params, 1e-9)


def test_lbfgs_finds_the_minimum():
    params, loss = valley(tensorgrad)
    losses, calls = descend(optim.LBFGS(params, line_search_fn="strong_wolfe"), loss, 6)
    assert np.abs(params[0].grad.numpy()).max() < 1e-4 and calls < 60
    assert losses[-1] < losses[0] / 5


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_stops_at_a_minimum_and_at_odd_values(torch, search):
    def program(lib):
        out = []
        for start in (0.0, 1e-5, 1e8, float("nan"), float("inf")):
            p = lib.tensor([start], dtype=lib.float64, requires_grad=True)
            optimizer = lib.optim.LBFGS([p], line_search_fn=search, max_iter=5)
            _, calls = descend(optimizer, lambda p=p: (p * p).sum(), 2)
            out.append((calls, p))
        return out

    agree(program)


# --- state --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(USUAL))
def test_a_run_goes_on_in_the_other_library(torch, name):
    """The state of ten steps of one, loaded into the other, makes the same next ten."""
    for source, target in ((tensorgrad, torch), (torch, tensorgrad)):
        params = parameters(source, name)
        first = getattr(source.optim, name)(params, **USUAL[name])
        train(source, first, params, range(10))
        others = [leaf(target, p.detach().numpy()) for p in params]
        second = getattr(target.optim, name)(others)
        second.load_state_dict(moved(first.state_dict(), target))
        train(source, first, params, range(10, 20), seed=1)
        train(target, second, others, range(10, 20), seed=1)
        # mu_product and eta go on in float64 once they were loaded, and in float32 else.
        assert_same(others, params, 1e-6 if name in ("NAdam", "ASGD") else 1e-10)


@pytest.mark.parametrize("name", sorted({*USUAL, "LBFGS", "SparseAdam"}))
@pytest.mark.parametrize("copier", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_go_on_alike(name, copier):
    p = leaf(tensorgrad, np.linspace(1.0, 2.0, 6))
    optimizer = getattr(optim, name)([p], **USUAL.get(name, {}))

    def run(optimizer):
        (q,) = optimizer.param_groups[0]["params"]

        def closure():
            optimizer.zero_grad()
            loss = (q**4).sum()
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)
        return q.detach().numpy()

    run(optimizer)
    twin = copier(optimizer)
    assert repr(twin) == repr(optimizer)
    np.testing.assert_array_equal(run(twin), run(optimizer))


@pytest.mark.parametrize("name", ["Adagrad", "NAdam", "ASGD", "RMSprop", "Adafactor"])
def test_numbers_of_old_files_become_tensors(name):
    """Until PyTorch 1.11 the count of steps was a Python number."""
    p, q = leaf(tensorgrad, np.ones(3)), leaf(tensorgrad, np.ones(3))
    a, b = getattr(optim, name)([p]), getattr(optim, name)([q])
    for x, optimizer in ((p, a), (q, b)):
        x.grad = tensorgrad.tensor(np.arange(3.0))
        optimizer.step()
    for key in ("step", "mu_product", "eta", "mu"):
        if key in b.state[q]:
            b.state[q][key] = b.state[q][key].item()
    a.step()
    b.step()
    np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
    assert b.state[q]["step"].item() == 2.0


def test_adagrad_has_state_from_the_beginning():
    def program(lib):
        p, q = leaf(lib, np.ones(3)), leaf(lib, np.ones(2))
        adagrad = lib.optim.Adagrad([p], initial_accumulator_value=0.5)
        before = [{k: v.detach().clone() for k, v in adagrad.state[p].items()}]
        adagrad.add_param_group({"params": [q], "initial_accumulator_value": 9.0})
        before.append(len(adagrad.state))
        q.grad = lib.tensor(np.ones(2))
        adagrad.step()
        return before, adagrad.state[q], q

    agree(program)


def test_failing_steps_change_nothing():
    for name in ("NAdam", "RMSprop", "LBFGS"):
        p, q = leaf(tensorgrad, np.ones(3)), leaf(tensorgrad, np.ones(2))
        p.grad = tensorgrad.tensor(np.ones(3))
        q.grad = tensorgrad.tensor(np.ones(2))
        q.grad._array = np.ones(5)
        optimizer = getattr(optim, name)([p, q])
        with pytest.raises(RuntimeError, match="parameter 1 of group 0"):
            optimizer.step(lambda: 1.0)
        assert p.detach().numpy().tolist() == [1.0] * 3
    frozen = np.ones(3)
    frozen.flags.writeable = False
    for name in ("NAdam", "RMSprop", "LBFGS"):
        p = tensorgrad._graph.wrap(frozen, tensorgrad._graph.LEAF)
        p.grad = tensorgrad.tensor(np.ones(3))
        with pytest.raises(RuntimeError, match="read-only"):
            getattr(optim, name)([p]).step(lambda: 1.0)


def test_saved_values_that_a_step_overwrites_are_noticed():
    for name in ("NAdam", "RMSprop", "Muon"):
        w = leaf(tensorgrad, np.ones((2, 2)))
        loss = (w * w).sum()
        w.grad = tensorgrad.tensor(np.ones((2, 2)))
        getattr(optim, name)([w]).step()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


@pytest.mark.parametrize("name", sorted({*USUAL, "LBFGS", "SparseAdam", "Muon"}))
def test_closures(name):
    p = leaf(tensorgrad, [[1.0]])
    optimizer = getattr(optim, name)([p], lr=0.01)

    def closure():
        assert tensorgrad.is_grad_enabled()
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with tensorgrad.no_grad():
        loss = optimizer.step(closure)
        assert not tensorgrad.is_grad_enabled()
    assert loss.item() == 1.0 and p.item() < 1.0
    if name == "LBFGS":
        with pytest.raises(TypeError):
            optimizer.step()
    else:
        assert optimizer.step() is None


# --- arguments ----------------------------------------------------------------------------

CLASSES = sorted({*USUAL, "LBFGS", "SparseAdam", "Muon", "Optimizer"})
BAD = {
    "lr": [-1.0, "0.1", "two"], "eps": [-1.0, "x"], "weight_decay": [-0.1],
    "momentum": [-0.1], "alpha": [-0.1], "rho": [-0.1, 1.1], "lr_decay": [-0.1],
    "initial_accumulator_value": [-0.1], "momentum_decay": [-0.1],
    "betas": [(1.0, 0.9), (0.9, -0.1), (0.9, 1.0)], "etas": [(0.0, 1.2), (0.5, 0.9), (1.1, 1.2)],
    "beta2_decay": [0.1], "d": [0.5], "adjust_lr_fn": ["other"], "unknown": [1],
    "differentiable": [True], "fused": [True],
}  # fmt: skip


def bad_calls():
    for name in CLASSES:
        known = inspect.signature(getattr(optim, name)).parameters
        for option, values in BAD.items():
            if name == "Optimizer" or (option not in known and option != "unknown"):
                continue
            for value in values:
                if name == "Adafactor" and option == "eps":
                    value = (None, value)
                yield name, {option: value}
    yield "Adafactor", {"eps": (-1.0, 1e-3)}
    yield "SparseAdam", {"lr": 0.0}
    yield "SparseAdam", {"eps": 0.0}
    yield "Adagrad", {"fused": True, "foreach": True}
    yield "Adagrad", {"fused": True, "differentiable": True}


@pytest.mark.parametrize("name, options", list(bad_calls()), ids=str)
def test_bad_options_raise_what_pytorch_raises(name, options):
    if options.get("differentiable") and not options.get("fused"):
        with pytest.raises(NotImplementedError, match="differentiable"):
            getattr(optim, name)([leaf(tensorgrad, [1.0])], **options)
        return

    def program(lib):
        given = {k: lib.ones(2) if v == "two" else v for k, v in options.items()}
        getattr(lib.optim, name)([leaf(lib, [[1.0]])], **given)

    agree(program)


def test_other_bad_calls_raise_what_pytorch_raises():
    def muon_of_a_vector(lib):
        lib.optim.Muon([leaf(lib, [1.0])])

    def muon_with(**options):
        def program(lib):
            p = leaf(lib, [[1.0]])
            p.grad = lib.tensor(np.ones((1, 1)))
            lib.optim.Muon([p], **options).step()

        return program

    def lbfgs_with_groups(lib):
        lib.optim.LBFGS([{"params": [leaf(lib, [1.0])]}, {"params": [leaf(lib, [1.0])]}])

    def lbfgs_with_a_search(lib):
        p = leaf(lib, [1.0])
        p.grad = lib.tensor(np.ones(1))
        lib.optim.LBFGS([p], line_search_fn="wolfe").step(lambda: 1.0)

    for program in (
        muon_of_a_vector,
        muon_with(ns_steps=100),
        muon_with(ns_coefficients=(1.0, 2.0)),
        lbfgs_with_groups,
        lbfgs_with_a_search,
    ):
        assert agree(program) is not None


@pytest.mark.parametrize("name", [n for n in CLASSES if n != "Optimizer"])
def test_complex_parameters_are_refused(name):
    z = tensorgrad.tensor(np.array([[1.0 + 2.0j]]), requires_grad=True)
    with pytest.raises(NotImplementedError, match="complex"):
        getattr(optim, name)([z])


# Keywords beyond PyTorch's: forms of the papers, off by default.
VARIANTS = {"eps_inside_sqrt", "lr_in_velocity"}


@pytest.mark.parametrize("name", CLASSES)
def test_signatures_are_pytorchs(torch, name):
    def shape(cls):
        found = inspect.signature(cls.__init__).parameters.values()
        return [(p.name, p.kind, p.default) for p in found]

    ours, theirs = shape(getattr(optim, name)), shape(getattr(torch.optim, name))
    assert [p for p in ours if p[0] not in VARIANTS] == theirs
    assert all(kind is inspect.Parameter.KEYWORD_ONLY and default is False
               for p, kind, default in ours if p in VARIANTS)  # fmt: skip


@pytest.mark.parametrize("name", [n for n in CLASSES if n != "Optimizer"])
def test_options_and_repr_are_pytorchs(torch, name):
    a = getattr(optim, name)([leaf(tensorgrad, [[1.0]])])
    b = getattr(torch.optim, name)([leaf(torch, [[1.0]])])
    assert repr(a) == repr(b)
    assert a.state_dict()["param_groups"] == b.state_dict()["param_groups"]
    assert a.defaults == b.defaults


# --- hooks, and parameters swapped in ----------------------------------------------------


def test_hooks_of_saving_and_loading():
    def program(lib):
        sgd = lib.optim.SGD([leaf(lib, [1.0])], lr=0.5)
        calls, handles = [], []

        def noting(name, value=None):
            def hook(*args):
                calls.append((name, len(args), args[0] is sgd))
                return value

            return hook

        def doubled(optimizer, saved):
            saved["param_groups"][0]["lr"] *= 2

        for kind in ("state_dict_pre", "state_dict_post", "load_state_dict_pre",
                     "load_state_dict_post"):  # fmt: skip
            register = getattr(sgd, f"register_{kind}_hook")
            handles += [register(noting(kind)), register(noting("first " + kind), prepend=True)]
        handles.append(sgd.register_state_dict_post_hook(doubled))
        saved = sgd.state_dict()
        sgd.load_state_dict(saved)
        handles.append(sgd.register_load_state_dict_pre_hook(lambda o, s: s.pop("state") and None))
        handles[-1].remove()
        for handle in handles:
            handle.remove()
        sgd.register_state_dict_post_hook(lambda o, s: {"mine": 1})
        return calls, saved["param_groups"][0]["lr"], sgd.state_dict()

    agree(program)


def test_what_a_load_hook_takes_out_is_not_the_callers():
    def program(lib):
        sgd = lib.optim.SGD([leaf(lib, [1.0])], lr=0.5)
        saved = {**sgd.state_dict(), "extra": 1}
        sgd.register_load_state_dict_pre_hook(lambda o, s: s.pop("extra") and None)
        sgd.load_state_dict(saved)
        return sorted(saved)

    agree(program)


def test_hooks_of_every_optimizer():
    def program(lib):
        module, calls = importlib.import_module(f"{lib.__name__}.optim.optimizer"), []
        handles = [
            module.register_optimizer_step_pre_hook(lambda *a: calls.append("before")),
            module.register_optimizer_step_post_hook(lambda *a: calls.append("after")),
        ]
        sgd = lib.optim.SGD([leaf(lib, [1.0])], lr=0.5)
        sgd.register_step_pre_hook(lambda *a: calls.append("own before"))
        sgd.register_step_post_hook(lambda *a: calls.append("own after"))
        sgd.step()
        for handle in handles:
            handle.remove()
        sgd.step()
        return calls

    agree(program)


@pytest.mark.parametrize("name", ["SGD", "NAdam", "Adagrad"])
def test_parameters_swapped_in(name):
    def program(lib):
        params, others = parameters(lib, name), parameters(lib, name)
        optimizer = getattr(lib.optim, name)(params, **USUAL[name])
        swap = lib.optim.swap_in_optimizer_params_and_state
        train(lib, optimizer, params, range(3))
        saved = copy.deepcopy(optimizer.state_dict())
        saved["param_groups"][0]["lr"] = 0.3
        with swap(optimizer, dict(enumerate(others)), saved):
            train(lib, optimizer, others, range(3, 6))
        train(lib, optimizer, params, range(6, 9))
        return params, others, optimizer.param_groups[0]["lr"]

    agree(program, rtol=1e-10)


def bad_swaps(saved):
    group = saved["param_groups"][0]
    return {
        "no dict": 3,
        "no state": {**saved, "state": None},
        "no groups": {**saved, "param_groups": None},
        "number of groups": {**saved, "param_groups": [group, group]},
        "group": {**saved, "param_groups": [3]},
        "positions": {**saved, "param_groups": [{**group, "params": ["a", "b"]}]},
        "number of parameters": {**saved, "param_groups": [{**group, "params": [0]}]},
        "options": {**saved, "param_groups": [{**group, "more": 1}]},
        "state of another": {**saved, "state": {**saved["state"], 9: {}}},
        "state that is none": {**saved, "state": {0: 3}},
    }


@pytest.mark.parametrize("case", [*bad_swaps({"state": {}, "param_groups": [{}]}), "few", "fresh"])
def test_bad_swaps_raise_what_pytorch_raises(case):
    def program(lib):
        params = [leaf(lib, [1.0]), leaf(lib, [2.0])]
        sgd = lib.optim.SGD(params, lr=0.1, momentum=0.9)
        if case != "fresh":
            train(lib, sgd, params, [2])
        saved = bad_swaps(sgd.state_dict()).get(case, sgd.state_dict())
        given = {"a": params[0]} if case == "few" else {"a": params[0], "b": params[1]}
        with lib.optim.swap_in_optimizer_params_and_state(sgd, given, saved):
            pass

    assert isinstance(agree(program), RuntimeError)


# --- the package --------------------------------------------------------------------------


def test_the_package_lists_and_finds_everything(torch):
    assert set(optim.__all__) >= set(torch.optim.__all__)
    assert set(optim.__all__) <= set(dir(optim))
    for name in dir(optim):
        getattr(optim, name)
    with pytest.raises(AttributeError, match="no attribute 'Adan'"):
        optim.Adan  # noqa: B018


@pytest.mark.parametrize("name", [n for n in CLASSES if n not in ("Adafactor", "Muon")])
def test_files_are_named_as_pytorchs(torch, name):
    module = getattr(torch.optim, name).__module__.rpartition(".")[2]
    assert getattr(getattr(optim, module), name) is getattr(optim, name)
