"""Penalties, decay by group, proximal steps, max-norm, the weight report, both dropouts."""

import copy

import both
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.nn import utils

SHAPES = [(3, 4), (2, 3, 2, 2), (5,), (), (1, 6), (4, 0)]
F64 = tg.float64


def arrays(shapes=SHAPES, seed=0):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(s)) for s in shapes]


def leaves(given):
    return [tg.tensor(a, dtype=F64, requires_grad=True) for a in given]


def net():
    tg.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)
    ).double()


# --- penalties ------------------------------------------------------------------------------------


def groups_of(a, dim=0):
    if a.ndim < 2:
        return a.reshape(-1, 1)
    return np.moveaxis(a, dim, 0).reshape(a.shape[dim], a.size // max(1, a.shape[dim]))


def group_sum(given, dim):
    rows = [groups_of(a, dim) for a in given]
    return sum(np.sqrt(r.shape[1]) * np.sqrt((r**2).sum(1)).sum() for r in rows)


def l1(given):
    return sum(np.abs(a).sum() for a in given)


def l2(given):
    return sum((a**2).sum() for a in given) / 2


PENALTIES = {
    "l1": (lambda p, s: utils.l1_penalty(p, s), l1),
    "l2": (lambda p, s: utils.l2_penalty(p, s), l2),
    "elastic": (lambda p, s: utils.elastic_net_penalty(p, s, 0.3),
                lambda a: 0.3 * l1(a) + 0.7 * l2(a)),
    "rows": (lambda p, s: utils.group_penalty(p, s), lambda a: group_sum(a, 0)),
    "columns": (lambda p, s: utils.group_penalty(p, s, dim=1), lambda a: group_sum(a, 1)),
}  # fmt: skip


@pytest.mark.parametrize("strength", [1.0, 0.01, 0])
@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_by_formula(name, strength):
    penalty, formula = PENALTIES[name]
    given = arrays()
    got = penalty(leaves(given), strength)
    assert got.shape == () and got.dtype == F64
    np.testing.assert_allclose(got.item(), strength * formula(given), rtol=1e-12)


@pytest.mark.parametrize("name", PENALTIES)
def test_gradients_of_penalties(name):
    penalty, _ = PENALTIES[name]
    kept = leaves(arrays([(3, 4), (2, 3, 2), (5,)]))
    assert tg.autograd.gradcheck(lambda *p: penalty(p, 0.7), kept)
    assert tg.autograd.gradgradcheck(lambda *p: penalty(p, 0.7), kept)


def test_gradients_are_the_missions():
    """dw + lambda w for L2, dw + lambda sign(w) for L1, nothing at zero."""
    (w,) = leaves([np.array([2.0, -3.0, 0.0])])
    for penalty, want in ((utils.l2_penalty, [0.2, -0.3, 0.0]), (utils.l1_penalty, [0.1, -0.1, 0])):
        w.grad = None
        penalty([w], 0.1).backward()
        np.testing.assert_allclose(w.grad.numpy(), want)
    (v,) = leaves([np.zeros((2, 3))])
    utils.group_penalty(v).backward()
    assert (v.grad == 0).all()


def test_penalties_beside_pytorch():
    def program(lib):
        w = lib.tensor(arrays()[0], requires_grad=True)
        if lib is tg:
            terms = [utils.l1_penalty(w), utils.l2_penalty(w), utils.group_penalty(w, dim=1)]
        else:
            terms = [w.abs().sum(), (w**2).sum() / 2, w.norm(dim=0).sum() * 3**0.5]
        return [(t, lib.autograd.grad(t, w)[0]) for t in terms]

    both.agree(program, rtol=1e-12)


def test_l2_is_the_weight_decay_of_sgd():
    def trained(penalty, decay):
        w = tg.tensor(arrays()[0], requires_grad=True)
        sgd = optim.SGD([w], lr=0.1, momentum=0.9, weight_decay=decay)
        for _ in range(5):
            sgd.zero_grad()
            ((w - 1) ** 4).sum().add(utils.l2_penalty(w, penalty)).backward()
            sgd.step()
        return w.detach().numpy()

    np.testing.assert_allclose(trained(0.3, 0.0), trained(0.0, 0.3), rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6), st.floats(0, 1), st.floats(0, 10))
def test_penalties_are_convex_and_scale(values, ratio, factor):
    x, y = np.array(values), np.array(values)[::-1] * 0.5 + 1

    def net_penalty(a):
        return utils.elastic_net_penalty(tg.tensor(a), 1.0, ratio).item()

    middle, ends = net_penalty((x + y) / 2), (net_penalty(x) + net_penalty(y)) / 2
    assert 0.0 <= middle <= ends * (1 + 1e-9) + 1e-9
    once = [utils.l1_penalty(tg.tensor(x)).item(), utils.group_penalty(tg.tensor(x)).item()]
    more = [f(tg.tensor(factor * x)).item() for f in (utils.l1_penalty, utils.group_penalty)]
    # Squares of numbers below 1e-154 are zero.
    np.testing.assert_allclose(more, factor * np.array(once), rtol=1e-9, atol=1e-150)


# --- which parameters -----------------------------------------------------------------------------


def test_biases_are_left_out_of_a_module():
    model = net()
    weights = [p.detach().numpy() for n, p in model.named_parameters() if "bias" not in n]
    every = [p.detach().numpy() for p in model.parameters()]
    assert utils.l1_penalty(model).item() == pytest.approx(l1(weights))
    assert utils.l1_penalty(model, biases=True).item() == pytest.approx(l1(every))
    assert utils.l1_penalty(model.named_parameters()).item() == pytest.approx(l1(weights))
    assert utils.l1_penalty(model.parameters()).item() == pytest.approx(l1(every))
    assert utils.l1_penalty(model[0].bias).item() == pytest.approx(l1([every[1]]))


def test_names_of_biases():
    rnn, attention = nn.LSTM(2, 3), nn.MultiheadAttention(4, 2, add_bias_kv=True)
    left = {n for m in (rnn, attention) for n, _ in utils.regularize.chosen(m, False)}
    assert left == {"weight_ih_l0", "weight_hh_l0", "in_proj_weight", "out_proj.weight"}
    linear = nn.Linear(2, 2)
    nn.utils.parametrizations.weight_norm(linear, "weight")
    nn.utils.parametrize.register_parametrization(linear, "bias", nn.Identity())
    left = {n for n, _ in utils.regularize.chosen(linear, False)}
    assert left == {f"parametrizations.weight.original{i}" for i in (0, 1)}

    class Debiased(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias_net = nn.Linear(1, 1, bias=False)

    assert len(utils.regularize.chosen(Debiased(), False)) == 1


FUNCTIONS = [utils.l1_penalty, utils.l2_penalty, utils.elastic_net_penalty, utils.group_penalty,
             lambda p, s=1.0: utils.proximal_l1_(p, s), lambda p, s=1.0: utils.max_norm_(p, s),
             lambda p, s=1.0: utils.proximal_group_(p, s)]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS)
def test_bad_input(function):
    model = nn.Linear(2, 1)
    with pytest.raises(ValueError, match=r"at least 0|above 0"):
        function(model, -1.0)
    with pytest.raises(ValueError, match=r"at least 0|above 0"):
        function(model, float("nan"))
    for nothing in ([], nn.ReLU(), [("bias", tg.ones(2))]):
        with pytest.raises(ValueError, match="no parameter"):
            function(nothing)
    with pytest.raises(TypeError, match="got float"):
        function([tg.ones(2), 1.0])


@pytest.mark.parametrize("ratio", [-0.1, 1.1])
def test_bad_ratios(ratio):
    with pytest.raises(ValueError, match="l1_ratio"):
        utils.elastic_net_penalty(nn.Linear(2, 1), 1.0, ratio)


# --- decay by group -------------------------------------------------------------------------------


def test_decay_groups():
    model = net()
    model[4].weight.requires_grad_(False)
    decayed, others = utils.decay_groups(model, 0.1)
    assert [id(p) for p in decayed["params"]] == [id(model[0].weight)]
    assert [p.ndim for p in others["params"]] == [1] * 4 and others["weight_decay"] == 0.0
    (everything,) = utils.decay_groups(model, 0.1, biases=True, vectors=True)
    assert len(everything["params"]) == 5 and everything["weight_decay"] == 0.1
    with_scales, biases = utils.decay_groups(model, 0.1, vectors=True)
    assert (len(with_scales["params"]), len(biases["params"])) == (2, 3)
    with pytest.raises(ValueError, match="weight_decay"):
        utils.decay_groups(model, -0.1)


@pytest.mark.parametrize("kind", [optim.AdamW, optim.SGD, optim.Lion, optim.LAMB])
def test_only_the_first_group_decays(kind):
    model = net()
    before = [p.detach().numpy().copy() for p in model.parameters()]
    optimizer = kind(utils.decay_groups(model, 0.5), lr=0.1)
    for p in model.parameters():
        p.grad = tg.zeros_like(p)
    optimizer.step()
    for old, p in zip(before, model.parameters(), strict=True):
        shrunk = np.linalg.norm(p.detach().numpy()) < np.linalg.norm(old)
        assert shrunk == (p.ndim > 1)
        if p.ndim > 1 and kind is not optim.LAMB:  # whose ratio scales the decay too
            np.testing.assert_allclose(p.detach().numpy(), old * 0.95, rtol=1e-12)


# --- proximal steps -------------------------------------------------------------------------------


def test_soft_threshold_is_softshrink():
    for threshold in (0.0, 0.3, 2.0):
        given, w = arrays(), leaves(arrays())
        utils.proximal_l1_(w, threshold)
        for a, p in zip(given, w, strict=True):
            want = np.sign(a) * np.maximum(np.abs(a) - threshold, 0)
            np.testing.assert_allclose(p.detach().numpy(), want, rtol=1e-12)
            shrunk = nn.functional.softshrink(tg.tensor(a), threshold)
            np.testing.assert_array_equal(p.detach().numpy(), shrunk.numpy())
            assert not np.signbit(p.detach().numpy()[p.detach().numpy() == 0]).any()


def objective(x, v, l1=0.0, l2=0.0, group=0.0, dim=0):
    """What the proximal map minimises over x."""
    rows = groups_of(x, dim)
    norms = np.sqrt(rows.shape[1]) * np.sqrt((rows**2).sum(1)).sum()
    return ((x - v) ** 2).sum() / 2 + l1 * np.abs(x).sum() + l2 / 2 * (x**2).sum() + group * norms


STRENGTHS = [{"l1": 0.5}, {"l2": 0.7}, {"group": 0.4}, {"l1": 0.3, "l2": 0.5},
             {"l1": 0.2, "group": 0.3, "l2": 0.4}, {"l1": 0.2, "group": 0.2, "dim": 1}]  # fmt: skip


@pytest.mark.parametrize("strengths", STRENGTHS, ids=str)
def test_proximal_maps_are_minima(strengths):
    """No point nearby is lower, in 400 random directions of four sizes."""
    rng = np.random.default_rng(0)
    for shape in [(3, 4), (2, 3, 2), (4,)]:
        v = rng.standard_normal(shape)
        w = tg.tensor(v, requires_grad=True)
        sgd = optim.SGD([w], lr=1.0)
        utils.register_proximal(sgd, [w], **strengths)
        w.grad = tg.zeros(shape, dtype=F64)
        sgd.step()
        found = w.detach().numpy()
        lowest = objective(found, v, **strengths)
        assert lowest <= objective(v, v, **strengths)
        for size in (1e-4, 1e-2, 0.1, 1.0):
            for _ in range(100):
                other = found + size * rng.standard_normal(shape) * (rng.random(shape) < 0.5)
                assert objective(other, v, **strengths) >= lowest - 1e-12


def test_proximal_group_makes_whole_rows_zero():
    w = tg.tensor([[3.0, 4.0], [0.1, 0.1], [0.0, 0.0]], dtype=F64)
    utils.proximal_group_(w, 1.0)
    np.testing.assert_allclose(w[0].norm().item(), 5 - np.sqrt(2))
    assert (w[1:] == 0).all() and w.isfinite().all()


def lasso(x, y, strength, steps=4000):
    """Coordinate descent on |y - x w|^2 / (2 n) + strength |w|_1."""
    w, n = np.zeros(x.shape[1]), len(x)
    for _ in range(steps // x.shape[1]):
        for j in range(x.shape[1]):
            rest = y - x @ w + x[:, j] * w[j]
            rho = x[:, j] @ rest / n
            w[j] = np.sign(rho) * max(abs(rho) - strength, 0) / (x[:, j] @ x[:, j] / n)
    return w


def test_proximal_descent_solves_the_lasso_with_exact_zeros():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 8))
    y = x @ np.array([2.0, -1.0, 0, 0, 0.5, 0, 0, 0]) + 0.1 * rng.standard_normal(60)
    want = lasso(x, y, 0.2)
    w = tg.zeros(8, dtype=F64, requires_grad=True)
    sgd, data, target = optim.SGD([w], lr=0.3), tg.tensor(x), tg.tensor(y)
    handle = utils.register_proximal(sgd, [w], l1=0.2)
    for _ in range(300):
        sgd.zero_grad()
        (((data @ w - target) ** 2).mean() / 2).backward()
        sgd.step()
    np.testing.assert_allclose(w.detach().numpy(), want, atol=1e-10)
    np.testing.assert_array_equal(w.detach().numpy() == 0, want == 0)
    assert 3 <= (want == 0).sum() < 8
    handle.remove()
    sgd.step()
    assert (w.detach() != 0).all()


def test_subgradient_descent_gives_small_weights_and_no_zeros():
    w = tg.tensor(arrays()[0], requires_grad=True)
    sgd = optim.SGD([w], lr=0.01)
    for _ in range(500):
        sgd.zero_grad()
        utils.l1_penalty(w).backward()
        sgd.step()
    assert (w.detach() != 0).all() and (w.detach().abs() < 0.02).all()


def test_register_proximal_keeps_to_its_parameters():
    model = net()
    optimizer = optim.SGD(
        [{"params": model[0].parameters()}, {"params": model[4].parameters(), "lr": 0.0}], lr=1.0
    )
    utils.register_proximal(optimizer, model[0], l1=100.0)
    utils.register_proximal(optimizer, model[4], l1=100.0)  # in a group of rate 0
    before = [p.detach().numpy().copy() for p in model.parameters()]
    for p in (model[0].weight, model[0].bias, model[4].weight):
        p.grad = tg.zeros_like(p)
    optimizer.step()
    changed = [
        (p.detach().numpy() != b).any() for p, b in zip(model.parameters(), before, strict=True)
    ]
    assert changed == [True] + [False] * 5 and (model[0].weight == 0).all()
    optimizer.zero_grad()
    model[0].weight.data.fill_(1.0)
    optimizer.step()
    assert (model[0].weight == 1).all()  # no gradient, no step
    with pytest.raises(ValueError, match="does not have"):
        utils.register_proximal(optimizer, model, l1=1.0)
    for name in ("l1", "l2", "group"):
        with pytest.raises(ValueError, match=name):
            utils.register_proximal(optimizer, model[0], **{name: -1.0})


def test_a_weight_written_in_place_is_noticed_by_the_tape():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    for change in (utils.proximal_l1_, utils.proximal_group_, utils.max_norm_):
        loss = (w * w).sum()
        change([w], 0.1)
        with pytest.raises(RuntimeError, match=r"modified by an inplace operation|in place"):
            loss.backward()


# --- max-norm -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2, 2), (1, 6)])
def test_max_norm_is_renorm(shape, dim):
    def program(lib):
        w = lib.tensor(arrays([shape])[0] * 2)
        if lib is tg:
            utils.max_norm_(w, 1.5, dim)
            return w
        return w.renorm(2, dim, 1.5)

    both.agree(program)  # 1e-6: PyTorch adds 1e-7 to the norms


def test_max_norm_bounds_and_leaves():
    given, w = arrays(), leaves(arrays())
    utils.max_norm_(w, 1.0)
    for a, p in zip(given, w, strict=True):
        old, new = (np.linalg.norm(groups_of(b), axis=1) for b in (a, p.detach().numpy()))
        np.testing.assert_allclose(new, np.minimum(old, 1.0), rtol=1e-12)
        kept = groups_of(p.detach().numpy())[old <= 1]
        np.testing.assert_array_equal(kept, groups_of(a)[old <= 1])
    zero = tg.zeros(2, 3)
    utils.max_norm_(zero, 1.0)
    assert (zero == 0).all()


def test_max_norm_in_training():
    model = nn.Linear(4, 3)
    sgd = optim.SGD(model.parameters(), lr=10.0)
    sgd.register_step_post_hook(lambda *_: utils.max_norm_(model, 0.5))
    for _ in range(3):
        sgd.zero_grad()
        model(tg.ones(2, 4)).pow(2).sum().backward()
        sgd.step()
    assert (model.weight.norm(dim=1) <= 0.5 + 1e-6).all() and (model.bias.abs() > 0.5).any()


@pytest.mark.parametrize("dtype", [tg.float16, tg.float32])
def test_dtypes_are_kept(dtype):
    w = tg.tensor(arrays()[0], dtype=dtype)
    for change in (utils.proximal_l1_, utils.proximal_group_, utils.max_norm_):
        change([w], 0.1)
        assert w.dtype == dtype


# --- the weight report ----------------------------------------------------------------------------


def test_weight_report_counts():
    a = np.array([[1.0, -9e-3, 1e-2], [0.0, 9e-6, -1e-5]])
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)).double()
    model[0].weight.data.copy_(tg.tensor(a))
    model[2].weight.data.copy_(tg.tensor([[3.0, -4.0]]))
    before = copy.deepcopy(both.plain(dict(model.state_dict())))
    report = utils.weight_report(model)
    assert [r.name for r in report] == ["0.weight", "2.weight"] and len(report) == 2
    first = report["0.weight"]
    assert (first.count, first.small, first.vanishing) == (6, 4, 2)
    assert first.l1 == pytest.approx(np.abs(a).sum()) and first.l2 == pytest.approx(
        np.sqrt((a**2).sum())
    )
    total = report.total
    assert (total.count, total.small, total.vanishing) == (8, 4, 2)
    assert total.l1 == pytest.approx(first.l1 + 7)
    assert total.l2 == pytest.approx(np.hypot(first.l2, 5))
    assert len(utils.weight_report(model, biases=True)) == 4
    assert utils.weight_report(model, small=1.5, vanishing=1e-2)[0][2:4] == (6, 4)
    np.testing.assert_equal(both.plain(dict(model.state_dict())), before)
    with pytest.raises(KeyError, match=r"0\.weight"):
        report["3.weight"]


def test_weight_report_prints_a_table():
    lines = repr(utils.weight_report(net())).splitlines()
    assert lines[0].split() == ["name", "count", "small", "vanishing", "l1", "l2"]
    assert [line.split()[0] for line in lines[1:]] == ["0.weight", "1.weight", "4.weight", "total"]
    assert lines[2].split()[1:] == ["4", "0", "0", "4", "2"]


def test_l1_makes_weights_vanish_and_l2_makes_them_small():
    """The mission's table 16-4: nothing, L2, L1, on a fit that needs two of twenty inputs."""
    tg.manual_seed(0)
    x = tg.randn(40, 20)
    y = x[:, :2].sum(1, keepdim=True)
    vanishing, small, norms = {}, {}, {}
    for name, strengths in (("none", {}), ("l2", {"l2": 0.1}), ("l1", {"l1": 0.1})):
        tg.manual_seed(1)
        model = nn.Linear(20, 1)
        sgd = optim.SGD(model.parameters(), lr=0.1)
        utils.register_proximal(sgd, model, **strengths)
        for _ in range(30):
            sgd.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            sgd.step()
        total = utils.weight_report(model).total
        vanishing[name], small[name], norms[name] = total.vanishing, total.small, total.l1
    assert vanishing["none"] == vanishing["l2"] == 0 and vanishing["l1"] >= 15
    assert small["l1"] > small["none"] and norms["l1"] < norms["l2"] < norms["none"]


# --- the mission's dropout ------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9])
def test_classic_dropout_is_dropout_scaled(p, training):
    """The same masks from the same seed, and 1-p times the output and gradient."""
    x = arrays([(50, 4)])[0]
    results = []
    for kind in (nn.Dropout, nn.ClassicDropout):
        tg.manual_seed(3)
        leaf = tg.tensor(x, requires_grad=True)
        out = kind(p).train(training)(leaf)
        out.sum().backward()
        results.append((out.detach().numpy(), leaf.grad.numpy(), tg.rand(2).numpy()))
    (out, grad, drawn), (classic, its_grad, its_drawn) = results
    np.testing.assert_allclose(classic, (1 - p) * out, rtol=1e-12)
    np.testing.assert_allclose(its_grad, (1 - p) * grad, rtol=1e-12)
    np.testing.assert_array_equal(drawn, its_drawn)


@pytest.mark.parametrize("kind", [nn.Dropout, nn.ClassicDropout])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropouts_are_equal_in_expectation(kind, p):
    """The mean of 20000 masks against evaluation, within five standard errors."""
    tg.manual_seed(0)
    layer, x = kind(p), tg.tensor([[1.0, -2.0, 3.0]], dtype=F64)
    many = layer(x.expand(20000, 3)).numpy()
    expected = layer.eval()(x).numpy()[0]
    error = many.std(0) / np.sqrt(len(many))
    assert (np.abs(many.mean(0) - expected) < 5 * error).all()


def test_classic_dropout_corners():
    x = tg.ones(5)
    assert (nn.ClassicDropout(1.0)(x) == 0).all()
    assert (nn.ClassicDropout(1.0).eval()(x) == 0).all()
    assert nn.functional.classic_dropout(x, 0.0) is x
    assert repr(nn.ClassicDropout(0.25)) == "ClassicDropout(p=0.25, inplace=False)"
    y = tg.ones(4)
    assert nn.ClassicDropout(0.5, inplace=True).eval()(y) is y and (y == 0.5).all()
    assert nn.functional.classic_dropout(tg.ones(3, dtype=tg.float16)).dtype == tg.float16
    g = tg.Generator().manual_seed(1)
    first = nn.functional.classic_dropout(tg.ones(50), generator=g)
    again = nn.functional.classic_dropout(tg.ones(50), generator=g.manual_seed(1))
    assert (first == again).all() and set(first.tolist()) == {0.0, 1.0}
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            nn.ClassicDropout(p)
        with pytest.raises(ValueError, match="between 0 and 1"):
            nn.functional.classic_dropout(x, p)
