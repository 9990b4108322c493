"""Optimizers and variants beyond PyTorch's, the walk down a valley, and the range test."""

import copy

import both
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from topics import topic

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.optim.lr_scheduler import LambdaLR, LinearLR, SequentialLR

NEW = ["Lion", "LAMB", "LARS"]


def gradients(seed, shape, steps):
    """Of sizes from 1e-4 to 10, with a step of zeros."""
    rng = np.random.default_rng(seed)
    out = [rng.standard_normal(shape) * 10.0 ** rng.integers(-4, 2) for _ in range(steps)]
    out[steps // 2] = np.zeros(shape)
    return out


def walk(make, start, grads):
    """The parameter after each of the gradients."""
    p = tg.tensor(start, dtype=tg.float64, requires_grad=True)
    optimizer, path = make([p]), []
    for g in grads:
        p.grad = tg.tensor(g)
        optimizer.step()
        path.append(p.detach().numpy().copy())
    return np.array(path)


# --- the papers' formulas, in NumPy --------------------------------------------------------


def adam_inside(p, g, s, t, lr, eps, weight_decay=0.0, decoupled=False, amsgrad=False):
    p, g = (p * (1 - lr * weight_decay), g) if decoupled else (p, g + weight_decay * p)
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    s["max"] = np.maximum(s.get("max", 0), s["v"])
    v = s["max"] if amsgrad else s["v"]
    return p - lr * s["m"] / (1 - 0.9**t) / np.sqrt(v / (1 - 0.999**t) + eps)


def rmsprop_inside(p, g, s, t, lr, eps, momentum=0.0, centered=False):
    s["v"] = 0.99 * s.get("v", 0) + 0.01 * g**2
    s["m"] = 0.99 * s.get("m", 0) + 0.01 * g
    root = np.sqrt(s["v"] - (s["m"] ** 2 if centered else 0) + eps)
    s["b"] = momentum * s.get("b", 0) + g / root
    return p - lr * s["b"]


def adagrad_inside(p, g, s, t, lr, eps):
    s["sum"] = s.get("sum", 0) + g**2
    return p - lr * g / np.sqrt(s["sum"] + eps)


def lion(p, g, s, t, lr, betas=(0.9, 0.99), weight_decay=0.0):
    m = s.get("m", np.zeros_like(p))
    s["m"] = betas[1] * m + (1 - betas[1]) * g
    return p - lr * (np.sign(betas[0] * m + (1 - betas[0]) * g) + weight_decay * p)


def lamb(p, g, s, t, lr, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0, adapt=True):
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g**2
    root = np.sqrt(s["v"] / (1 - betas[1] ** t))
    r = s["m"] / (1 - betas[0] ** t) / (root + eps) + weight_decay * p
    norms = np.sqrt((p**2).sum()), np.sqrt((r**2).sum())
    return p - lr * (norms[0] / norms[1] if adapt and all(norms) else 1.0) * r


def lars(p, g, s, t, lr, momentum=0.9, weight_decay=0.0, trust_coefficient=1e-3, adapt=True):
    norms = np.sqrt((p**2).sum()), np.sqrt((g**2).sum())
    if adapt:
        ratio = norms[0] / (norms[1] + weight_decay * norms[0]) if all(norms) else 1.0
        lr = lr * trust_coefficient * ratio
    s["b"] = momentum * s.get("b", 0) + lr * (g + weight_decay * p)
    return p - s["b"]


def by_formula(formula, start, grads, **options):
    p, state, path = np.array(start, float), {}, []
    for t, g in enumerate(grads, 1):
        p = formula(p, g, state, t, **options)
        path.append(p)
    return np.array(path)


INSIDE = [
    ("Adam", adam_inside, {"lr": 0.1, "eps": 1e-2}),
    ("Adam", adam_inside, {"lr": 0.1, "eps": 1e-2, "amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", adam_inside, {"lr": 0.1, "eps": 1e-2, "weight_decay": 0.1}),
    ("RMSprop", rmsprop_inside, {"lr": 0.1, "eps": 1e-2}),
    ("RMSprop", rmsprop_inside, {"lr": 0.1, "eps": 1e-3, "momentum": 0.9, "centered": True}),
    ("Adagrad", adagrad_inside, {"lr": 0.1, "eps": 1e-2}),
]
PAPERS = [
    ("Lion", lion, {"lr": 0.01}),
    ("Lion", lion, {"lr": 0.1, "betas": (0.5, 0.8), "weight_decay": 0.3}),
    ("LAMB", lamb, {"lr": 0.1}),
    ("LAMB", lamb, {"lr": 0.1, "weight_decay": 0.3, "betas": (0.5, 0.8), "eps": 0.1}),
    ("LAMB", lamb, {"lr": 0.1, "weight_decay": 0.3, "adapt": False}),
    ("LARS", lars, {"lr": 1.0}),
    ("LARS", lars, {"lr": 1.0, "weight_decay": 0.3, "trust_coefficient": 0.1, "momentum": 0.5}),
    ("LARS", lars, {"lr": 0.1, "weight_decay": 0.3, "adapt": False}),
]
STARTS = [np.linspace(-2, 3, 6).reshape(2, 3), np.array(1.5), np.zeros(4), np.ones((300, 30))]


@pytest.mark.parametrize("start", STARTS, ids=lambda a: str(a.shape))
@pytest.mark.parametrize(("name", "formula", "options"), INSIDE)
def test_eps_inside_the_root(name, formula, options, start):
    grads = gradients(1, start.shape, 8)
    got = walk(lambda p: getattr(optim, name)(p, **options, eps_inside_sqrt=True), start, grads)
    oracle = {**options, "decoupled": True} if name == "AdamW" else options
    want = by_formula(formula, start, grads, **oracle)
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
    outside = walk(lambda p: getattr(optim, name)(p, **options), start, grads)
    assert np.abs(outside - want).max() > 1e-3  # the keyword does something


@pytest.mark.parametrize("start", STARTS, ids=lambda a: str(a.shape))
@pytest.mark.parametrize(("name", "formula", "options"), PAPERS)
def test_papers_formulas(name, formula, options, start):
    grads = gradients(2, start.shape, 8)
    got = walk(lambda p: getattr(optim, name)(p, **options), start, grads)
    want = by_formula(formula, start, grads, **options)
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
    climbing = getattr(optim, name)
    up = walk(lambda p: climbing(p, **options, maximize=True), start, [-g for g in grads])
    np.testing.assert_array_equal(up, got)


def test_lamb_without_ratio_is_adamw():
    start, grads = STARTS[0], gradients(3, (2, 3), 10)
    options = {"lr": 0.1, "eps": 1e-4, "weight_decay": 0.2}
    ours = walk(lambda p: optim.LAMB(p, adapt=False, **options), start, grads)
    adamw = walk(lambda p: optim.AdamW(p, **options), start, grads)
    np.testing.assert_allclose(ours, adamw, rtol=1e-12)


def test_lars_without_ratio_is_sgd_with_the_rate_in_the_velocity():
    start, grads = STARTS[0], gradients(3, (2, 3), 10)
    options = {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.2}
    ours = walk(lambda p: optim.LARS(p, adapt=False, **options), start, grads)
    sgd = walk(lambda p: optim.SGD(p, lr_in_velocity=True, **options), start, grads)
    np.testing.assert_allclose(ours, sgd, rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(0, 1000))
def test_steps_do_not_depend_on_the_scale_of_the_gradient(scale, seed):
    """Lion's sign and the ratios of LAMB and LARS cancel a factor of the whole gradient."""
    start, grads = STARTS[0], gradients(seed, (2, 3), 5)
    for name, options in (("Lion", {}), ("LAMB", {"eps": 0.0}), ("LARS", {})):
        # Not with the step of zeros: 0 / 0 without eps.
        few = [g for g in grads if g.any()]
        once, scaled = (
            walk(lambda p: getattr(optim, name)(p, lr=0.1, **options), start, gs)  # noqa: B023
            for gs in (few, [scale * g for g in few])
        )
        np.testing.assert_allclose(scaled, once, rtol=1e-9)


def velocity(start, grads, rates, momentum, nesterov):
    """Sutskever et al. (2013): v <- mu v - lr g(point), theta <- theta + v; what PyTorch keeps."""
    p, v, path = np.array(start, float), 0.0, []
    for g, lr in zip(grads, rates, strict=True):
        v = momentum * v - lr * g
        p = p + (momentum * v - lr * g if nesterov else v)
        path.append(p)
    return np.array(path)


@pytest.mark.parametrize("nesterov", [False, True])
def test_rate_in_the_velocity(nesterov):
    start, grads = STARTS[0], gradients(4, (2, 3), 8)
    options = {"momentum": 0.9, "nesterov": nesterov}

    def path(rates, **more):
        p = tg.tensor(start, requires_grad=True)
        sgd, out = optim.SGD([p], lr=1.0, **options, **more), []
        for g, lr in zip(grads, rates, strict=True):
            sgd.param_groups[0]["lr"], p.grad = lr, tg.tensor(g)
            sgd.step()
            out.append(p.detach().numpy().copy())
        return np.array(out)

    constant, falling = [0.1] * 8, [0.1 / (1 + t) for t in range(8)]
    np.testing.assert_allclose(path(constant, lr_in_velocity=True), path(constant), rtol=1e-10)
    want = velocity(start, grads, falling, 0.9, nesterov)
    np.testing.assert_allclose(path(falling, lr_in_velocity=True), want, rtol=1e-10)
    assert np.abs(path(falling) - want).max() > 1e-3


def test_velocity_of_the_look_ahead_point():
    """With ``nesterov`` the parameter is Sutskever's theta + mu v, also where lr changes."""
    rates, theta, v = [0.1, 0.05, 0.2, 0.01], np.array([4.0, -3.0]), np.zeros(2)
    p = tg.tensor(theta, requires_grad=True)
    sgd = optim.SGD([p], lr=1.0, momentum=0.9, nesterov=True, lr_in_velocity=True)
    for lr in rates:
        v = 0.9 * v - lr * np.array([0.2, 2.0]) * (theta + 0.9 * v)
        theta = theta + v
        sgd.param_groups[0]["lr"] = lr
        sgd.zero_grad()
        (p[0] ** 2 / 10 + p[1] ** 2).backward()
        sgd.step()
        np.testing.assert_allclose(p.detach().numpy(), theta + 0.9 * v, rtol=1e-12)


# --- options, state, bad input ------------------------------------------------------------

VARIANTS = [("Adam", "eps_inside_sqrt"), ("AdamW", "eps_inside_sqrt"),
            ("RMSprop", "eps_inside_sqrt"), ("Adagrad", "eps_inside_sqrt"),
            ("SGD", "lr_in_velocity")]  # fmt: skip


@pytest.mark.parametrize(("name", "keyword"), VARIANTS)
def test_variants_are_options_only_where_chosen(name, keyword):
    make, w = getattr(optim, name), tg.ones(2, requires_grad=True)
    plain, varied = make([w], lr=0.1), make([w], lr=0.1, **{keyword: True})
    assert keyword not in plain.state_dict()["param_groups"][0]
    assert varied.state_dict()["param_groups"][0][keyword] is True
    plain.load_state_dict(varied.state_dict())  # the saved form knows its variant
    assert plain.param_groups[0][keyword] is True
    own = make([{"params": [w], keyword: True}], lr=0.1)
    assert own.param_groups[0][keyword] is True
    again = copy.deepcopy(varied)
    assert again.param_groups[0][keyword] is True


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("dtype", [tg.float64, tg.float32, tg.float16])
def test_state_dict_round_trips(name, dtype):
    def build():
        w = tg.tensor(STARTS[0], dtype=dtype, requires_grad=True)
        return w, getattr(optim, name)([w], lr=0.01, weight_decay=0.1)

    def run(w, optimizer, grads):
        for g in grads:
            w.grad = tg.tensor(g).to(dtype)
            optimizer.step()

    grads = gradients(5, (2, 3), 10)
    (w, first), (v, second) = build(), build()
    run(w, first, grads[:6])
    v.detach().copy_(w.detach())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    run(w, first, grads[6:])
    run(v, second, grads[6:])
    np.testing.assert_array_equal(v.detach().numpy(), w.detach().numpy())
    assert w.dtype == dtype and np.isfinite(w.detach().numpy()).all()


@pytest.mark.parametrize("name", NEW)
def test_groups_closures_and_absent_gradients(name):
    w, v, idle = (tg.ones(3, requires_grad=True) for _ in range(3))
    optimizer = getattr(optim, name)([{"params": [w, idle]}, {"params": [v], "lr": 0.0}], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum() + (v * v).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 6.0
    assert (w.detach() < 1).all() and (v.detach() == 1).all() and (idle.detach() == 1).all()
    assert idle not in optimizer.state


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize(
    "bad", [{"lr": -1.0}, {"lr": "x"}, {"weight_decay": -0.1}, {"betas": (1.0, 0.9)},
            {"betas": (0.9, -0.1)}, {"eps": -1.0}, {"momentum": -0.1},
            {"trust_coefficient": -1.0}],
    ids=str,
)  # fmt: skip
def test_bad_options(name, bad):
    make, w = getattr(optim, name), tg.ones(2, requires_grad=True)
    (option,) = bad
    known = option in make([w]).defaults
    with pytest.raises(ValueError if known and bad[option] != "x" else (ValueError, TypeError)):
        make([w], **bad)


@pytest.mark.parametrize("name", NEW)
def test_a_gradient_of_another_shape_changes_nothing(name):
    w, v = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    optimizer = getattr(optim, name)([w, v])
    w.grad, v.grad = tg.ones(2), tg.ones(2)
    v.grad._array = np.ones(3, np.float32)
    with pytest.raises(RuntimeError, match=r"\(2,\).*\(3,\)"):
        optimizer.step()
    assert (w.detach() == 1).all()
    with pytest.raises(NotImplementedError, match="complex"):
        getattr(optim, name)([tg.tensor([1j], requires_grad=True)])


@pytest.mark.parametrize("name", NEW)
def test_they_train(name):
    tg.manual_seed(0)
    x = tg.randn(64, 4)
    y = (x @ tg.randn(4, 1)).tanh()
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    options = {
        "Lion": {"lr": 3e-3}, "LAMB": {"lr": 1e-2}, "LARS": {"lr": 1.0, "trust_coefficient": 0.01},
    }  # fmt: skip
    optimizer = getattr(optim, name)(model.parameters(), **options[name])
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 20


# --- the gallery's valley, z = x^2 / 10 + y^2 -------------------------------------------------

valley = topic("optimizers")


@pytest.mark.parametrize("name", valley.OPTIMIZERS)
def test_paths_down_the_valley_are_pytorchs(name):
    both.agree(lambda lib: valley.descend(name, library=lib), rtol=1e-12)


def test_paths_have_the_shapes_of_the_course_notes_picture():
    path = {name: tg.stack(valley.descend(name)).numpy() for name in valley.OPTIMIZERS}
    x, y = path["SGD"].T  # zigzag across, creeping along: (1 - 0.95 * 2) and (1 - 0.95 / 5)
    np.testing.assert_allclose(y, 2 * (-0.9) ** np.arange(40), rtol=1e-9)
    np.testing.assert_allclose(x, -7 * 0.81 ** np.arange(40), rtol=1e-9)
    assert path["Momentum"][:, 0].max() > 1  # overshoots
    for name in ("RMSProp", "Adam", "AdaGrad"):  # both coordinates set out at one speed
        first = np.abs(path[name][1] - path[name][0])
        assert first[0] == pytest.approx(first[1], rel=1e-6)
    assert np.abs(path["AdaDelta"] - path["AdaDelta"][0]).max() < 0.5  # hardly leaves, as known


# --- schedules ---------------------------------------------------------------------------------


def test_decay_by_time_and_warm_up_are_schedules():
    def program(lib):
        schedulers, w = lib.optim.lr_scheduler, lib.ones(1, requires_grad=True)
        sgd = lib.optim.SGD([w], lr=0.8)
        decay = schedulers.LambdaLR(sgd, lambda t: 1 / (1 + 0.5 * t))
        rates = []
        for _ in range(4):
            rates.append(sgd.param_groups[0]["lr"])
            sgd.step()
            decay.step()
        return rates

    want = [0.8 / (1 + 0.5 * t) for t in range(4)]
    np.testing.assert_allclose(both.agree(program), want, rtol=1e-12)
    w = tg.ones(1, requires_grad=True)
    sgd = optim.SGD([w], lr=1.0)
    up, down = LinearLR(sgd, 0.25, total_iters=3), LambdaLR(sgd, lambda t: 1 / (1 + t))
    both_of_them, rates = SequentialLR(sgd, [up, down], [3]), []
    for _ in range(6):
        rates.append(sgd.param_groups[0]["lr"])
        sgd.step()
        both_of_them.step()
    np.testing.assert_allclose(rates, [0.25, 0.5, 0.75, 1.0, 1 / 2, 1 / 3])


# --- the range test ----------------------------------------------------------------------------


class Stateful(nn.Module):
    """A model with dropout, running statistics and a buffer that each call replaces."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1)
        )
        self.register_buffer("calls", tg.zeros(()))

    def forward(self, x):
        self.calls = self.calls + 1
        return self.body(x)


def batches(n=5):
    tg.manual_seed(1)
    x = tg.randn(n, 16, 3)
    return [(part, part.sum(1, keepdim=True)) for part in x]


def everything(model, optimizer):
    saved = optimizer.state_dict()
    return both.plain([
        dict(model.state_dict()), [p.grad for p in model.parameters()], saved["state"],
        saved["param_groups"], tg.get_rng_state(),
    ])  # fmt: skip


OPTIMIZERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9}, "Adam": {}, "AdamW": {"amsgrad": True}, "RMSprop": {},
    "Adagrad": {}, "LBFGS": {"max_iter": 3}, "NAdam": {}, "Lion": {}, "LAMB": {}, "LARS": {},
    "SparseAdam": {},
}  # fmt: skip


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_range_test_leaves_all_as_it_was(name, fresh):
    data, model = batches(), Stateful()
    optimizer = getattr(optim, name)(model.parameters(), **OPTIMIZERS[name])
    loss = nn.MSELoss()

    def closure():
        optimizer.zero_grad()
        value = loss(model(data[0][0]), data[0][1])
        value.backward()
        return value

    for _ in range(0 if fresh else 3):
        optimizer.step(closure)
    before, params = copy.deepcopy(everything(model, optimizer)), list(model.parameters())
    tensors = [(id(p), id(p.grad)) for p in params]
    found = optim.lr_range_test(model, loss, data, optimizer, start=1e-4, end=1.0, steps=7)
    assert 1 < len(found.rates) <= 7
    after = everything(model, optimizer)
    np.testing.assert_equal(after, before)
    assert [(id(p), id(p.grad)) for p in params] == tensors
    assert optimizer._opt_called is not fresh  # what a scheduler asks for


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_as_without_the_range_test(name):
    def trained(tested):
        data, loss = batches(), nn.MSELoss()
        model = Stateful()
        optimizer = getattr(optim, name)(model.parameters(), **OPTIMIZERS[name])

        def closure():
            optimizer.zero_grad()
            value = loss(model(data[0][0]), data[0][1])
            value.backward()
            return value

        for step in range(4):
            if tested and step == 2:
                optim.lr_range_test(model, loss, data, optimizer, steps=5)
            optimizer.step(closure)
        return [p.detach().numpy() for p in model.parameters()]

    np.testing.assert_equal(trained(True), trained(False))


def test_range_test_restores_after_an_error():
    data, model = batches(2), Stateful()
    adam = optim.Adam(model.parameters())
    before = copy.deepcopy(everything(model, adam))
    with pytest.raises(ZeroDivisionError):
        optim.lr_range_test(model, broken(), data, adam, steps=5)
    np.testing.assert_equal(everything(model, adam), before)


def broken():
    calls = []

    def loss(output, target):
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError
        return ((output - target) ** 2).mean()

    return loss


def test_range_test_finds_the_edge_of_a_quadratic():
    """Gradient descent on a/2 w^2 shrinks w for lr < 2/a, fastest at 1/a."""
    for a in (0.1, 1.0, 100.0):

        class Weight(nn.Module):
            def __init__(self):
                super().__init__()
                self.w = nn.Parameter(tg.tensor(1.0, dtype=tg.float64))

            def forward(self, x):
                return self.w

        model = Weight()
        sgd = optim.SGD(model.parameters(), lr=1.0)
        found = optim.lr_range_test(
            model, lambda w, _: a / 2 * w * w, [(0, 0)], sgd,  # noqa: B023
            start=1e-5, end=1e5, steps=400, smoothing=0.0,
        )  # fmt: skip
        assert found.diverged and 2 / a < found.rates[-1] < 200 / a
        assert 1e-4 / a < found.suggestion < 2 / a
        shrink = np.sqrt(np.array(found.losses[1:]) / found.losses[:-1])[:50]
        np.testing.assert_allclose(shrink, 1 - a * np.array(found.rates[:50]), rtol=1e-9)


def test_range_test_of_a_flat_or_hopeless_loss():
    w = nn.Linear(1, 1)
    sgd, data = optim.SGD(w.parameters(), lr=0.1), [(tg.ones(1, 1), tg.ones(1, 1))]
    flat = optim.lr_range_test(w, lambda out, y: (0 * out).sum(), data, sgd, steps=10)
    assert flat.suggestion is None and not flat.diverged and "none" in repr(flat)
    nan = optim.lr_range_test(w, lambda out, y: (np.nan * out).sum(), data, sgd, steps=10)
    assert nan.diverged and len(nan.rates) == 1 and nan.suggestion is None
    falling = optim.lr_range_test(w, lambda out, y: out.sum(), data, sgd, steps=10, end=0.1)
    assert not falling.diverged and falling.suggestion is not None


@pytest.mark.parametrize("smoothing", [0.0, 0.5, 0.9])
def test_range_test_smooths_without_a_pull_to_zero(smoothing):
    """The mean of the losses so far, weighted by powers of ``smoothing``."""
    model = Stateful()
    sgd = optim.SGD(model.parameters(), lr=0.1)
    found = optim.lr_range_test(
        model, nn.MSELoss(), batches(), sgd, steps=12, end=0.1, smoothing=smoothing
    )
    for n, got in enumerate(found.smoothed, 1):
        weights = smoothing ** np.arange(n)[::-1]
        assert got == pytest.approx(np.average(found.losses[:n], weights=weights))
    np.testing.assert_allclose(found.rates, np.geomspace(1e-7, 0.1, 12))


def test_range_test_prints_its_curve():
    model, data = Stateful(), batches()
    sgd = optim.SGD(model.parameters(), lr=0.1)
    lines = repr(optim.lr_range_test(model, nn.MSELoss(), data, sgd, steps=30)).splitlines()
    assert lines[0].split() == ["rate", "loss", "smoothed"] and len(lines) <= 14
    assert lines[-1].startswith("suggestion: ")


def test_range_test_restores_the_generator_of_a_loader():
    model, generator = nn.Linear(3, 1), tg.Generator().manual_seed(5)
    rows = [(x, y) for part, sums in batches(1) for x, y in zip(part, sums, strict=True)]
    loader = tg.utils.data.DataLoader(rows, batch_size=4, shuffle=True, generator=generator)
    before = generator.get_state().numpy().copy()
    sgd = optim.SGD(model.parameters(), lr=0.1)
    optim.lr_range_test(model, nn.MSELoss(), loader, sgd, steps=9)
    np.testing.assert_array_equal(generator.get_state().numpy(), before)


@pytest.mark.parametrize(
    "bad", [{"start": 0.0}, {"start": 2.0, "end": 1.0}, {"end": float("inf")}, {"steps": 1},
            {"steps": 2.5}, {"smoothing": 1.0}, {"smoothing": -0.1}, {"stop_factor": 1.0},
            {"data": []}, {"data": iter([(tg.ones(1, 3), tg.ones(1, 1))])}],
    ids=lambda bad: next(iter(bad)),
)  # fmt: skip
def test_range_test_refuses_bad_input(bad):
    model = nn.Linear(3, 1)
    given = {"data": batches(1), **bad}
    with pytest.raises(ValueError, match="lr_range_test: "):
        optim.lr_range_test(
            model, nn.MSELoss(), optimizer=optim.SGD(model.parameters(), lr=0.1), **given
        )
    with pytest.raises(TypeError, match="expected an Optimizer"):
        optim.lr_range_test(model, nn.MSELoss(), batches(1), model.parameters())
