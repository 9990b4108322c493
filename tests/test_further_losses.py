"""Losses that PyTorch has not: definitions in NumPy, golden values, what holds for any scores."""

import math

import numpy as np
import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.autograd import gradcheck, gradgradcheck
from tensorgrad.nn import functional as F

N, C = 4, 3
RNG = np.random.default_rng(3)
SCORES, OTHERS = RNG.standard_normal((N, C)), RNG.standard_normal((N, C))
CLASSES = np.array([0, 2, 1, 2])
HOT = np.eye(C)[CLASSES]
SOFT = RNG.dirichlet(np.ones(C), N)
SIGNS = np.where(RNG.random((N, C)) < 0.5, -1.0, 1.0)
SHARES = RNG.random((N, C))
few = settings(max_examples=20, deadline=None)
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def t(array, **kwargs):
    return tg.tensor(np.asarray(array), **kwargs)


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# --- definitions, written plainly --------------------------------------------------------


def rivals(s, y, margin):
    return [max(0.0, s[j] - s[y] + margin) for j in range(len(s)) if j != y]


def rows(per_sample):
    """The expectation over the target's classes of ``per_sample(scores, class)``, per row."""
    def loss(x, y, **kwargs):
        y = np.eye(x.shape[1])[y] if y.ndim == 1 else y
        return np.array([
            sum(y[i, c] * per_sample(x[i], c, **kwargs) for c in range(x.shape[1]))
            for i in range(len(x))
        ])  # fmt: skip
    return loss


def log_t(u, t):
    return np.log(u) if t == 1 else (u ** (1 - t) - 1) / (1 - t)


def exp_t(u, t):
    return np.exp(u) if t == 1 else np.maximum(0, 1 + (1 - t) * u) ** (1 / (1 - t))


def tempered(a, t):
    """The tempered softmax by a root finder."""
    from scipy.optimize import brentq

    top = a.max()
    root = brentq(lambda r: exp_t(a - top - r, t).sum() - 1, 0, 1e7, xtol=1e-14, rtol=1e-15)
    return exp_t(a - top - root, t)


def bi_tempered(a, y, t1, t2):
    out = []
    for row, target in zip(a, y, strict=True):
        p = tempered(row, t2)
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.where(target > 0, target * (log_t(target, t1) - log_t(p, t1)), 0)
        out.append((own - (target ** (2 - t1) - p ** (2 - t1)) / (2 - t1)).sum())
    return np.array(out)


DEFINITIONS = {
    "log_cosh_loss": (lambda x, y: np.log(np.cosh(x - y)), OTHERS, {}),
    "quantile_loss": (
        lambda x, y, quantile=0.5: np.maximum(quantile * (y - x), (quantile - 1) * (y - x)),
        OTHERS, {"quantile": 0.8},
    ),
    "hinge_loss": (
        lambda x, y, margin=1, p=1: np.maximum(0, margin - y * x) ** p,
        SIGNS, {"margin": 0.7, "p": 2},
    ),
    "weston_watkins_loss": (
        rows(lambda s, c, margin=1: sum(rivals(s, c, margin))), CLASSES, {"margin": 0.6},
    ),
    "crammer_singer_loss": (
        rows(lambda s, c, margin=1: max(rivals(s, c, margin))), CLASSES, {"margin": 0.6},
    ),
    "focal_loss": (
        rows(lambda s, c, gamma=2: -((1 - softmax(s)[c]) ** gamma) * np.log(softmax(s)[c])),
        CLASSES, {"gamma": 0.5},
    ),
    "binary_focal_loss": (
        lambda x, y, gamma=2, alpha=None: -(
            y * (1 - sigmoid(x)) ** gamma * np.log(sigmoid(x)) * (1 if alpha is None else alpha)
            + (1 - y) * sigmoid(x) ** gamma * np.log(1 - sigmoid(x))
            * (1 if alpha is None else 1 - alpha)
        ),
        SHARES, {"gamma": 1.5, "alpha": 0.25},
    ),
    "zero_one_loss": (lambda x, y: (x.argmax(1) != y) * 1.0, CLASSES, {}),
}  # fmt: skip


@reductions
@pytest.mark.parametrize("name", DEFINITIONS)
def test_against_its_definition(name, reduction):
    definition, target, settings_ = DEFINITIONS[name]
    reduce = {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction]
    for kwargs in ({}, settings_):
        got = getattr(F, name)(t(SCORES), t(target), reduction=reduction, **kwargs)
        want = reduce(definition(SCORES, target, **kwargs))
        assert got.dtype is tg.float64 and got.shape == want.shape
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-12, atol=1e-15)


SOFT_CLASSES = {
    "cross_entropy_on_probabilities": lambda x, y, **k: F.cross_entropy_on_probabilities(
        tg.softmax(x, 1), y, **k),
    "focal_loss": F.focal_loss, "weston_watkins_loss": F.weston_watkins_loss,
    "crammer_singer_loss": F.crammer_singer_loss,
}  # fmt: skip
of_classes = pytest.mark.parametrize("name", SOFT_CLASSES)


@pytest.mark.parametrize("name", ["focal_loss", "weston_watkins_loss", "crammer_singer_loss"])
def test_a_soft_target_is_an_expectation(name):
    got = getattr(F, name)(t(SCORES), t(SOFT), reduction="none").numpy()
    np.testing.assert_allclose(got, DEFINITIONS[name][0](SCORES, SOFT), rtol=1e-12)


@of_classes
def test_indices_one_hot_rows_and_images_agree(name):
    loss = SOFT_CLASSES[name]
    want = loss(t(SCORES), t(CLASSES), reduction="none").numpy()
    for hot in (HOT, HOT.astype(np.int64), HOT.astype(bool)):
        got = loss(t(SCORES), t(hot), reduction="none").numpy()
        np.testing.assert_allclose(got, want, rtol=1e-14)
    # (N, C, H, W) against (N, H, W), and against probabilities of its own shape
    image, places = SCORES.reshape(2, 2, C).transpose(0, 2, 1)[..., None], CLASSES.reshape(2, 2, 1)
    hot = HOT.reshape(2, 2, C).transpose(0, 2, 1)[..., None]
    for target in (places, hot):
        got = loss(t(image), t(target), reduction="none").numpy()
        np.testing.assert_allclose(got, want.reshape(2, 2, 1), rtol=1e-14)


@pytest.mark.parametrize("name", ["focal_loss", "weston_watkins_loss", "crammer_singer_loss",
                                  "zero_one_loss"])  # fmt: skip
def test_a_single_sample(name):
    loss = getattr(F, name)
    got = loss(t(SCORES[0]), t(CLASSES[0]), reduction="none")
    want = loss(t(SCORES), t(CLASSES), reduction="none")[0]
    assert got.shape == () and got.item() == pytest.approx(want.item(), rel=1e-14)


# --- squared error's conventions ---------------------------------------------------------


def test_conventions_of_squared_error():
    d = SCORES - OTHERS
    x, y = t(SCORES), t(OTHERS)
    for convention, want in {
        "mean": ((d**2).mean(), (d**2).sum(), d**2),
        "half_sum": ((d**2).sum(1).mean() / 2, (d**2).sum() / 2, (d**2).sum(1) / 2),
        "half_mean": ((d**2).sum() / (2 * N), (d**2).sum() / 2, d**2 / 2),
    }.items():
        for reduction, value in zip(("mean", "sum", "none"), want, strict=True):
            got = F.squared_error_loss(x, y, convention, reduction).numpy()
            np.testing.assert_allclose(got, value, rtol=1e-13)
    with pytest.raises(ValueError, match="half_sum"):
        F.squared_error_loss(x, y, "half")


def test_one_prediction_a_sample():
    x, y = t(SCORES[:, 0]), t(OTHERS[:, 0])
    want = F.mse_loss(x, y).item() / 2
    assert F.squared_error_loss(x, y, "half_mean").item() == pytest.approx(want)


# --- bi-tempered -------------------------------------------------------------------------

A = np.array([[-0.5, 0.1, 2.0], [0.1, 1.5, -5.0], [4.0, -3.0, -6.0]])
Y = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1], [0.2, 0.8, 0.0]])


# The values of the tests in google/bi-tempered-loss, which were computed in float32; after 5
# steps of its iteration where that many are given here.
@pytest.mark.parametrize("t2, want, steps", [
    (1.5, [0.02301914, 0.18972909, 0.93874922], None),
    (0.8, [0.21646356, 0.41836615, 1.33997854], None),
    (0.8, [0.21646356, 0.41836615, 1.33997854], 20),
])  # fmt: skip
def test_golden_losses(t2, want, steps):
    got = F.bi_tempered_logistic_loss(t(A), t(Y), 0.5, t2, num_iters=steps, reduction="none")
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-6, atol=1e-6)


def test_golden_smoothing_softmax_and_binary():
    got = F.bi_tempered_logistic_loss(
        t(A), t(np.arange(3)), 0.5, 1.5, label_smoothing=0.1, reduction="none"
    )
    np.testing.assert_allclose(got.numpy(), [0.76652711, 0.08627685, 1.35443510], atol=1e-5)
    table = [[0.3205458, 0.32714278, 0.3523402], [0.3430056, 0.36491093, 0.29220778],
             [0.41369352, 0.30534995, 0.28299212]]  # fmt: skip
    unconverged = F.tempered_softmax(t(A), 4.0, num_iters=5).numpy()
    np.testing.assert_allclose(unconverged, table, atol=1e-6)
    exact = F.tempered_softmax(t(A), 4.0).numpy()
    np.testing.assert_allclose(exact.sum(1), 1, rtol=1e-14)
    pair = t([[0.0, 0.0], [0.0, 3.0], [0.0, 6.0]])
    got = F.tempered_softmax(pair, 4.0, num_iters=5)[:, 1].numpy()
    np.testing.assert_allclose(got, [0.5, 0.58516014, 0.6421035], atol=1e-6)
    got = F.bi_tempered_binary_logistic_loss(t([0.0, 0.0]), t([1.0, 0.0]), 1.0, 1.0)
    assert got.item() == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize("t1, t2, want", [
    (0.9, 1.1, 0.45677936), (0.8, 1.2, 0.34298314), (0.7, 1.3, 0.26295574),
])  # fmt: skip
def test_golden_temperatures(t1, t2, want):
    got = F.bi_tempered_logistic_loss(t(A[:1]), t([[0.2, 0.5, 0.3]]), t1, t2, num_iters=5)
    assert got.item() == pytest.approx(want, abs=1e-5)


@few
@given(st.integers(0, 10**6), st.floats(0, 1.9), st.floats(0, 4), st.sampled_from([0.5, 3, 50]))
def test_bi_tempered_is_its_definition(seed, t1, t2, scale):
    rng = np.random.default_rng(seed)
    a, y = rng.standard_normal((3, 4)) * scale, rng.dirichlet(np.ones(4), 3)
    p = np.array([tempered(row, t2) for row in a])
    np.testing.assert_allclose(F.tempered_softmax(t(a), t2).numpy(), p, rtol=1e-7, atol=1e-9)
    if p.min() < 1e-3:
        return  # the plain formula divides by powers of p
    got = F.bi_tempered_logistic_loss(t(a), t(y), t1, t2, reduction="none").numpy()
    # Near t1 = 1 the plain formula cancels: an error of 1e-16 / |1 - t1|.
    slack = 1e-7 + (1e-15 / abs(1 - t1) if t1 != 1 else 0)
    np.testing.assert_allclose(got, bi_tempered(a, y, t1, t2), rtol=1e-6, atol=slack)
    assert (got > -1e-12).all()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("t2", [0.6, 1.0, 1.7])
def test_binary_is_the_two_class_loss(t2, reduction):
    a, y = SCORES[:, 0], SHARES[:, 0]
    got = F.bi_tempered_binary_logistic_loss(t(a), t(y), 0.4, t2, 0.1, reduction=reduction)
    pair, both = np.stack([np.zeros(N), a], 1), np.stack([1 - y, y], 1)
    want = F.bi_tempered_logistic_loss(t(pair), t(both), 0.4, t2, 0.1, reduction=reduction)
    assert got.item() == pytest.approx(want.item(), rel=1e-13)


def test_the_limit_is_cross_entropy():
    x, y = t(SCORES, requires_grad=True), t(CLASSES)
    want = F.cross_entropy(x, y)
    (want_slope,) = tg.autograd.grad(want, x)
    for t1, t2, near in [(1.0, 1.0, 1e-13), (1 - 1e-6, 1 + 1e-6, 1e-5), (1 + 1e-6, 1 - 1e-6, 1e-5)]:
        got = F.bi_tempered_logistic_loss(x, y, t1, t2)
        (slope,) = tg.autograd.grad(got, x)
        assert got.item() == pytest.approx(want.item(), rel=near)
        np.testing.assert_allclose(slope.numpy(), want_slope.numpy(), rtol=near, atol=near)
    entropy = -(SOFT * np.log(SOFT)).sum(1).mean()
    got = F.bi_tempered_logistic_loss(x, t(SOFT), 1.0, 1.0).item()
    assert got == pytest.approx(F.cross_entropy(x, t(SOFT)).item() - entropy, rel=1e-12)


def test_smoothing_keeps_one_minus_epsilon():
    """And is PyTorch's smoothing at ε C/(C-1); none at all is the plain loss."""
    x, y = t(SCORES), t(CLASSES)
    rest = np.where(HOT == 1, 0.8, 0.1)
    got = F.bi_tempered_logistic_loss(x, y, 0.5, 1.5, 0.2).item()
    assert got == pytest.approx(F.bi_tempered_logistic_loss(x, t(rest), 0.5, 1.5).item())
    tiny = F.bi_tempered_logistic_loss(x, y, 0.5, 1.5, 1e-12).item()
    assert tiny == pytest.approx(F.bi_tempered_logistic_loss(x, y, 0.5, 1.5).item(), abs=1e-5)
    entropy = -(rest * np.log(rest)).sum(1).mean()
    smooth = F.bi_tempered_logistic_loss(x, y, 1.0, 1.0, 0.2).item() + entropy
    assert smooth == pytest.approx(F.cross_entropy(x, y, label_smoothing=0.3).item())


def iterated(a, t2):
    """λ by the fixed-point iteration of the paper, recorded step by step."""
    shifted = a - a.detach().amax(1, True)

    def mass(u):
        return ((1 + (1 - t2) * u) ** (1 / (1 - t2))).sum(1, True)

    scaled = shifted
    for _ in range(80):
        scaled = shifted * mass(scaled) ** (1 - t2)
    return shifted - (mass(scaled) ** (t2 - 1) - 1) / (t2 - 1)


def derivatives(f, a, g):
    x = t(a, requires_grad=True)
    (first,) = tg.autograd.grad((f(x) * t(g)).sum(), x, create_graph=True)
    (second,) = tg.autograd.grad((first * t(np.cos(g))).sum(), x)
    return first.detach().numpy(), second.numpy()


@pytest.mark.parametrize("t2", [1.2, 1.5, 2.0])
def test_the_escort_gradient_is_that_through_the_iteration(t2):
    """First and second derivative of the op against autodiff through 80 recorded steps."""
    ours = derivatives(lambda x: tg.log(F.tempered_softmax(x, t2)), A, SIGNS[:3] * SHARES[:3])
    theirs = derivatives(
        lambda x: tg.log((1 + (1 - t2) * iterated(x, t2)) ** (1 / (1 - t2))), A,
        SIGNS[:3] * SHARES[:3],
    )  # fmt: skip
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("t1, t2", [(0.5, 1.5), (0.2, 4.0), (0.5, 0.8), (1.0, 1.0), (1.0, 1.3)])
def test_the_papers_formula_of_the_gradient(t1, t2):
    """``δ - e Σδ`` with ``δ = (p - y) p^(t2 - t1)`` and e the escort distribution."""
    p = np.array([tempered(row, t2) for row in SCORES])
    delta = (p - SOFT) * p ** (t2 - t1)
    escort = p**t2 / (p**t2).sum(1, keepdims=True)
    x = t(SCORES, requires_grad=True)
    F.bi_tempered_logistic_loss(x, t(SOFT), t1, t2, reduction="sum").backward()
    want = delta - escort * delta.sum(1, keepdims=True)
    np.testing.assert_allclose(x.grad.numpy(), want, rtol=1e-8, atol=1e-10)


def test_t_zero_is_sparsemax():
    p = F.tempered_softmax(t([0.5, 0.4, -2.0]), 0.0).numpy()
    np.testing.assert_allclose(p, [0.55, 0.45, 0.0], rtol=1e-14)


# --- derivatives -------------------------------------------------------------------------

PAIR = RNG.standard_normal((N, C))
DERIVED = {
    "squared_error": lambda x: F.squared_error_loss(x, t(OTHERS), reduction="none"),
    "log_cosh": lambda x: F.log_cosh_loss(x, t(OTHERS), reduction="none"),
    "quantile": lambda x: F.quantile_loss(x, t(OTHERS), 0.3, reduction="none"),
    "on_probabilities": lambda x: F.cross_entropy_on_probabilities(tg.softmax(x, 1), t(SOFT)),
    "focal": lambda x: F.focal_loss(x, t(CLASSES), 1.5, t([1.0, 2.0, 0.5])),
    "focal_soft": lambda x: F.focal_loss(x, t(SOFT), 0.5, reduction="none"),
    "binary_focal": lambda x: F.binary_focal_loss(x, t(SHARES), 0.5, 0.3, "none"),
    "hinge": lambda x: F.hinge_loss(x, t(SIGNS), p=2, reduction="none"),
    "weston_watkins": lambda x: F.weston_watkins_loss(x, t(CLASSES), reduction="none"),
    "weston_watkins_soft": lambda x: F.weston_watkins_loss(x, t(SOFT), reduction="none"),
    "crammer_singer": lambda x: F.crammer_singer_loss(x, t(SOFT), reduction="none"),
    "contrastive": lambda x: F.contrastive_loss(x, t(PAIR), t([0, 1, 1, 0]), 3.0, "none"),
    "bi_tempered": lambda x: F.bi_tempered_logistic_loss(x, t(SOFT), 0.5, 1.5, reduction="none"),
    "bi_tempered_index": lambda x: F.bi_tempered_logistic_loss(x, t(CLASSES), 0.3, 2.0, 0.1),
    "bi_tempered_light": lambda x: F.bi_tempered_logistic_loss(x, t(CLASSES), 0.5, 0.7),
    "bi_tempered_binary": lambda x: F.bi_tempered_binary_logistic_loss(x, t(SHARES), 0.5, 1.5),
    "tempered_softmax": lambda x: F.tempered_softmax(x, 1.5),
    **{
        f"{kind}_{side}": f
        for kind in ("minimax", "non_saturating", "least_squares", "wasserstein")
        for side, f in {
            "generator": lambda x, kind=kind: F.generator_loss(x, kind, "none"),
            "discriminator": lambda x, kind=kind: F.discriminator_loss(x, 2 * x, kind, "none"),
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("name", DERIVED)
def test_first_and_second_derivatives(name):
    x = t(SCORES, requires_grad=True)
    assert gradcheck(DERIVED[name], (x,))
    assert gradgradcheck(lambda x: DERIVED[name](x * 1.0), (x,), fast_mode=True)


def test_targets_may_need_a_gradient():
    x, y = t(SCORES, requires_grad=True), t(SOFT, requires_grad=True)
    for loss in (F.focal_loss, lambda *a: F.bi_tempered_logistic_loss(*a, 0.5, 1.5)):
        assert gradcheck(loss, (x, y)) and gradgradcheck(loss, (x, y), fast_mode=True)


# --- what holds for any scores -----------------------------------------------------------

scores = st.lists(st.floats(-30, 30), min_size=C, max_size=C).map(np.array)
classes = st.integers(0, C - 1)
INVARIANT = {
    "focal": F.focal_loss, "weston_watkins": F.weston_watkins_loss,
    "crammer_singer": F.crammer_singer_loss,
    "bi_tempered": lambda x, y: F.bi_tempered_logistic_loss(x, y, 0.5, 1.5),
    "bi_tempered_light": lambda x, y: F.bi_tempered_logistic_loss(x, y, 0.5, 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", INVARIANT)
@few
@given(scores, classes, st.floats(-100, 100))
def test_a_shift_of_scores_changes_nothing(name, x, y, shift):
    """So the gradient sums to zero over the classes; and no loss is negative."""
    loss = INVARIANT[name]
    leaf = t(x, requires_grad=True)
    value = loss(leaf, t(y))
    value.backward()
    assert value.item() >= -1e-14
    assert loss(t(x + shift), t(y)).item() == pytest.approx(value.item(), rel=1e-7, abs=1e-10)
    assert abs(leaf.grad.sum().item()) < 1e-11


@of_classes
@few
@given(st.integers(0, 10**6), st.sampled_from(["index", "hot"]))
def test_a_weight_is_a_repeated_sample(name, seed, kind):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((5, C)) * 2, rng.integers(0, C, 5)
    weight = rng.integers(1, 4, C)
    again = np.repeat(np.arange(5), weight[y])
    encode = (lambda y: y) if kind == "index" else lambda y: np.eye(C)[y]
    w = t(weight * 1.0)
    for reduction in ("mean", "sum"):
        got = SOFT_CLASSES[name](t(x), t(encode(y)), weight=w, reduction=reduction)
        want = SOFT_CLASSES[name](t(x[again]), t(encode(y[again])), reduction=reduction)
        assert got.item() == pytest.approx(want.item(), rel=1e-12)


# Non-negative and least, at zero, where prediction and target meet.
AT_TARGET = {
    "squared_error": F.squared_error_loss, "log_cosh": F.log_cosh_loss,
    "quantile": lambda x, y: F.quantile_loss(x, y, 0.9),
}  # fmt: skip


@pytest.mark.parametrize("name", AT_TARGET)
@few
@given(scores, scores)
def test_residual_losses_vanish_at_the_target_alone(name, x, y):
    loss = AT_TARGET[name]
    assert loss(t(y), t(y)).item() == 0
    value = loss(t(x), t(y)).item()
    assert value > 0 if abs(x - y).max() > 1e-9 else value >= 0


def test_class_losses_vanish_at_a_sure_prediction():
    sure = t(np.eye(C)[CLASSES] * 100)
    for loss in INVARIANT.values():
        assert loss(sure, t(CLASSES)).item() < 2e-3  # the tempered tail is heavy
    assert F.cross_entropy_on_probabilities(t(HOT), t(CLASSES)).item() == 0
    assert F.zero_one_loss(sure, t(CLASSES)).item() == 0
    assert F.hinge_loss(t(SIGNS), t(SIGNS)).item() == 0
    for t1, t2 in ((0.5, 1.5), (0.5, 0.8), (1.0, 1.0)):
        a = np.array([0.3, -1.0, 0.6])
        p = F.tempered_softmax(t(a), t2)
        assert abs(F.bi_tempered_logistic_loss(t(a), p, t1, t2).item()) < 1e-14


CONVEX = {
    "squared_error": lambda x: F.squared_error_loss(x, tg.zeros(C)),
    "log_cosh": lambda x: F.log_cosh_loss(x, tg.zeros(C)),
    "quantile": lambda x: F.quantile_loss(x, tg.zeros(C), 0.2),
    "hinge": lambda x: F.hinge_loss(x, t([1.0, -1.0, 1.0])),
    "squared_hinge": lambda x: F.hinge_loss(x, t([1, 0, 1]), p=2),
    "weston_watkins": lambda x: F.weston_watkins_loss(x, t(1)),
    "crammer_singer": lambda x: F.crammer_singer_loss(x, t(1)),
    "on_probabilities": lambda x: F.cross_entropy_on_probabilities((x + 30) / 60, t(1)),
    "tempered_matching": lambda x: F.bi_tempered_logistic_loss(x, t(1), 1.0, 1.0),
    "non_saturating": F.generator_loss,
    "least_squares": lambda x: F.discriminator_loss(x, -x, "least_squares"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVEX)
@few
@given(scores, scores, st.floats(0, 1))
def test_convex(name, x, y, share):
    f = CONVEX[name]
    between = f(t(share * x + (1 - share) * y)).item()
    chord = share * f(t(x)).item() + (1 - share) * f(t(y)).item()
    assert between <= chord + 1e-6 * (1 + abs(chord))  # zeros(C) is float32's


def test_relatives():
    x, y, real = t(SCORES), t(CLASSES), t(OTHERS)
    same = [
        (F.quantile_loss(x, real), 0.5 * F.l1_loss(x, real)),
        (F.focal_loss(x, y, 0), F.cross_entropy(x, y)),
        (F.focal_loss(x, t(SOFT), 0), F.cross_entropy(x, t(SOFT))),
        (F.cross_entropy_on_probabilities(tg.softmax(x, 1), y), F.cross_entropy(x, y)),
        (F.weston_watkins_loss(x, y, 0.3), C * F.multi_margin_loss(x, y, margin=0.3)),
        (F.binary_focal_loss(x, t(SHARES), 0), F.binary_cross_entropy_with_logits(x, t(SHARES))),
        (F.binary_focal_loss(x[:, 0], t([1.0, 0.0, 1.0, 1.0])),
         F.focal_loss(tg.stack([tg.zeros_like(x[:, 0]), x[:, 0]], 1), t([1, 0, 1, 1]))),
        (F.hinge_loss(x, t(SIGNS)), F.hinge_loss(x, t((SIGNS > 0).astype(int)))),
        (F.hinge_loss(x[:, 0], t(SIGNS[:, 0]), 2.0),
         F.crammer_singer_loss(tg.stack([-x[:, 0], x[:, 0]], 1) / 2,
                               t((SIGNS[:, 0] > 0).astype(int)), 2.0)),
    ]  # fmt: skip
    for i, (a, b) in enumerate(same):
        assert a.item() == pytest.approx(b.item(), rel=1e-12), i


STABLE = {
    **{k: (lambda x, f=f: f(x, t([0, 1, 2, 0, 1]))) for k, f in INVARIANT.items()},
    "focal_half": lambda x: F.focal_loss(x, t([0, 1, 2, 0, 1]), 0.5),
    "bi_tempered_4": lambda x: F.bi_tempered_logistic_loss(x, t([0, 1, 2, 0, 1]), 0.2, 4.0),
    "bi_tempered_1": lambda x: F.bi_tempered_logistic_loss(x, t([0, 1, 2, 0, 1]), 1.0, 1.0),
    "bi_tempered_binary": lambda x: F.bi_tempered_binary_logistic_loss(
        x, tg.zeros_like(x), 0.5, 1.5),
    "binary_focal": lambda x: F.binary_focal_loss(x, tg.zeros_like(x)),
    "log_cosh": lambda x: F.log_cosh_loss(x, tg.zeros_like(x)),
    "on_probabilities": lambda x: F.cross_entropy_on_probabilities(
        tg.softmax(x, 1), t([0, 1, 2, 0, 1])),
    "minimax": lambda x: F.discriminator_loss(x, -x, "minimax") + F.generator_loss(x, "minimax"),
    "hinge": lambda x: F.hinge_loss(x, tg.ones_like(x)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
@pytest.mark.parametrize("name", STABLE)
def test_extreme_logits(name, dtype):
    """±1e4, equal ones, and gaps that underflow: value, first and second derivative are finite."""
    rows = [[1e4, -1e4, 0], [-1e4, 1e4, 1e4], [0, 0, 0], [-1e4, -1e4, -1e4], [200, 40, 1e4]]
    x = tg.tensor(rows, dtype=dtype, requires_grad=True)
    value = STABLE[name](x)
    assert value.dtype is dtype
    (first,) = tg.autograd.grad(value, x, create_graph=True)
    for a in (value, first):
        assert np.isfinite(a.detach().numpy()).all()
    if first.requires_grad:  # the slope of a hinge is constant
        (second,) = tg.autograd.grad((first * first).sum(), x)
        assert np.isfinite(second.numpy()).all()


def test_log_cosh_keeps_small_residuals():
    x = np.array([1e-9, -1e-5, 0.999999, 1.000001, 700.0, -1e4])
    got = F.log_cosh_loss(t(x), t(np.zeros(6)), reduction="none").numpy()
    near = x[:2] ** 2 / 2
    np.testing.assert_allclose(got[:2], near, rtol=1e-9)
    np.testing.assert_allclose(got[2:4], np.log(np.cosh(x[2:4])), rtol=1e-14)
    np.testing.assert_allclose(got[4:], abs(x[4:]) - math.log(2), rtol=1e-15)


# --- contrastive -------------------------------------------------------------------------


def test_contrastive_definition():
    for margin in (1.0, 2.5):
        y = np.array([0.0, 1.0, 0.3, 1.0])
        d = np.sqrt(((SCORES - PAIR) ** 2).sum(1))
        want = (1 - y) * d**2 / 2 + y * np.maximum(0, margin - d) ** 2 / 2
        got = F.contrastive_loss(t(SCORES), t(PAIR), t(y), margin, "none").numpy()
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_contrastive_at_one_point():
    x = tg.zeros(2, 3, requires_grad=True)
    loss = F.contrastive_loss(x, tg.zeros(2, 3), t([0, 1]), reduction="none")
    assert loss.tolist() == [0.0, 0.5]
    loss.sum().backward()
    assert x.grad.abs().sum().item() == 0


# --- adversarial -------------------------------------------------------------------------


def test_adversarial_definitions():
    real, fake = SCORES[:, 0], OTHERS[:3, 0]
    log_d, log_not = np.log(sigmoid(real)).mean(), np.log(1 - sigmoid(fake)).mean()
    wanted = {
        "minimax": (-log_d - log_not, log_not),
        "non_saturating": (-log_d - log_not, -np.log(sigmoid(fake)).mean()),
        "least_squares": (((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2,
                          ((fake - 1) ** 2).mean() / 2),
        "wasserstein": (fake.mean() - real.mean(), -fake.mean()),
    }  # fmt: skip
    for kind, (of_discriminator, of_generator) in wanted.items():
        got = F.discriminator_loss(t(real), t(fake), kind).item()
        assert got == pytest.approx(of_discriminator, rel=1e-12), kind
        assert F.generator_loss(t(fake), kind).item() == pytest.approx(of_generator, rel=1e-12)
    for kind in wanted:
        parts = F.discriminator_loss(t(real[:3]), t(fake), kind, "none")
        whole = F.discriminator_loss(t(real[:3]), t(fake), kind, "sum")
        assert parts.shape == (3,) and parts.sum().item() == pytest.approx(whole.item())


def test_adversarial_losses_are_pytorchs_cross_entropies():
    def program(lib):
        real, fake = (lib.tensor(a, requires_grad=True) for a in (SCORES[:, 0], OTHERS[:, 0]))
        F = lib.nn.functional
        if lib is tg:
            loss, made = F.discriminator_loss(real, fake), F.generator_loss(fake)
        else:
            bce = F.binary_cross_entropy_with_logits
            one, none = lib.ones_like(real), lib.zeros_like(real)
            loss, made = bce(real, one) + bce(fake, none), bce(fake, one)
        return loss, made, lib.autograd.grad(loss + made, (real, fake))

    agree(program, 1e-12)


def test_gradient_penalty_beside_pytorch():
    """The same points from the same seed, the penalty, and its gradient in the weights."""
    first, second = RNG.standard_normal((5, 3)), RNG.standard_normal((1, 5))

    def program(lib):
        w, v = (lib.tensor(a, requires_grad=True) for a in (first, second))

        def critic(x):
            return lib.tanh(x @ w.T) @ v.T

        real, fake = lib.tensor(SCORES), lib.tensor(OTHERS)
        lib.manual_seed(7)
        if lib is tg:
            loss = lib.nn.functional.gradient_penalty(critic, real, fake)
        else:
            share = lib.rand(N, 1, dtype=lib.float64)
            points = (share * real + (1 - share) * fake).requires_grad_()
            (slope,) = lib.autograd.grad(critic(points).sum(), points, create_graph=True)
            loss = 10 * ((slope.norm(dim=1) - 1) ** 2).mean()
        return loss, lib.autograd.grad(loss, (w, v))

    agree(program, 1e-10)


def test_gradient_penalty_of_known_slopes():
    real, fake = tg.zeros(3, 2, 2), tg.ones(3, 2, 2)
    w = tg.tensor(2.0, requires_grad=True)

    def linear(x):
        return w * x[:, 0, 0]

    with tg.no_grad():  # a report of it needs no tape around it
        assert F.gradient_penalty(linear, real, fake).item() == pytest.approx(10.0)
    each = F.gradient_penalty(linear, real, fake, 1.0, 0.0, reduction="none")
    assert each.tolist() == [4.0] * 3
    each.sum().backward()
    assert w.grad.item() == pytest.approx(12.0)
    made = tg.ones(3, 2, 2, requires_grad=True)
    F.gradient_penalty(lambda x: w * (x * x).sum((1, 2)), real, made).backward()
    assert made.grad is None  # the maker of the samples is not trained by it
    flat = F.gradient_penalty(lambda x: (w * 0) * x.sum((1, 2)), real, fake)
    (slope,) = tg.autograd.grad(flat, w)
    assert flat.item() == 10.0 and slope.item() == 0.0


# --- zero-one, modules, bad input --------------------------------------------------------


def test_zero_one_counts_and_refuses_backward():
    x = t(SCORES, requires_grad=True)
    loss = F.zero_one_loss(x, t(CLASSES))
    assert loss.item() == F.zero_one_loss(x, t(HOT)).item() == (SCORES.argmax(1) != CLASSES).mean()
    with pytest.raises(RuntimeError, match="no useful gradient"):
        loss.backward()
    assert not F.zero_one_loss(t(SCORES), t(CLASSES)).requires_grad


MODULES = [
    (nn.SquaredErrorLoss("half_mean"), F.squared_error_loss, (OTHERS, "half_mean")),
    (nn.LogCoshLoss(), F.log_cosh_loss, (OTHERS,)),
    (nn.QuantileLoss(0.9), F.quantile_loss, (OTHERS, 0.9)),
    (nn.ZeroOneLoss(), F.zero_one_loss, (CLASSES,)),
    (nn.CrossEntropyOnProbabilitiesLoss(), F.cross_entropy_on_probabilities, (CLASSES,)),
    (nn.FocalLoss(1.0), F.focal_loss, (CLASSES, 1.0)),
    (nn.BinaryFocalLoss(1.0, 0.25), F.binary_focal_loss, (SHARES, 1.0, 0.25)),
    (nn.HingeLoss(0.5, 2), F.hinge_loss, (SIGNS, 0.5, 2)),
    (nn.WestonWatkinsLoss(0.5), F.weston_watkins_loss, (CLASSES, 0.5)),
    (nn.CrammerSingerLoss(0.5), F.crammer_singer_loss, (CLASSES, 0.5)),
    (nn.ContrastiveLoss(2.0), F.contrastive_loss, (PAIR, CLASSES > 0, 2.0)),
    (nn.BiTemperedLogisticLoss(0.3, 2.0, 0.1, 5), F.bi_tempered_logistic_loss,
     (CLASSES, 0.3, 2.0, 0.1, 5)),
    (nn.BiTemperedBinaryLogisticLoss(0.3, 2.0), F.bi_tempered_binary_logistic_loss,
     (SHARES, 0.3, 2.0)),
    (nn.GeneratorLoss("minimax"), F.generator_loss, ("minimax",)),
    (nn.DiscriminatorLoss("least_squares"), F.discriminator_loss, (OTHERS, "least_squares")),
]  # fmt: skip


@pytest.mark.parametrize("module, function, rest", MODULES, ids=lambda v: type(v).__name__)
def test_modules_are_their_functions(module, function, rest):
    x = SOFT if "Probabilities" in type(module).__name__ else SCORES
    rest = [t(a) if isinstance(a, np.ndarray) else a for a in rest]
    tensors = [a for a in rest if isinstance(a, tg.Tensor)]
    assert module(t(x), *tensors).item() == function(t(x), *rest).item()
    assert repr(module) == f"{type(module).__name__}()"
    for reduction in ("sum", "none"):
        module.reduction = reduction
        want = function(t(x), *rest, reduction=reduction).numpy()
        np.testing.assert_array_equal(module(t(x), *tensors).numpy(), want)
    with pytest.raises(ValueError, match="total"):
        function(t(x), *rest, reduction="total")


@pytest.mark.parametrize("make", [nn.FocalLoss, nn.WestonWatkinsLoss, nn.CrammerSingerLoss,
                                  nn.CrossEntropyOnProbabilitiesLoss])  # fmt: skip
def test_class_weights_are_a_buffer(make):
    weight = t([1.0, 2.0, 3.0])
    module = make(weight=weight)
    assert list(module.state_dict()) == ["weight"]
    hand = make(reduction="none")(t(SOFT), t(CLASSES)).numpy() * weight.numpy()[CLASSES]
    want = hand.sum() / weight.numpy()[CLASSES].sum()
    assert module(t(SOFT), t(CLASSES)).item() == pytest.approx(want)


def test_gradient_penalty_module():
    tg.manual_seed(3)
    got = nn.GradientPenalty(weight=2.0)(lambda x: x.sum(1), t(SCORES), t(OTHERS))
    assert got.item() == pytest.approx(2 * (math.sqrt(3) - 1) ** 2)


@pytest.mark.parametrize("loss", [
    F.focal_loss, F.weston_watkins_loss, F.crammer_singer_loss, F.zero_one_loss,
    F.cross_entropy_on_probabilities, lambda x, y: F.bi_tempered_logistic_loss(x, y, 0.5, 1.5),
])  # fmt: skip
def test_bad_class_targets(loss):
    x = t(SOFT)
    for target, error, words in [
        ([0, 1, 3, 0], IndexError, "Target 3 is out of bounds: row 2"),
        ([0, -1, 0, 0], IndexError, "Target -1 is out of bounds: row 1"),
        ([0, 1], ValueError, "shape"),
        ([[0], [1], [2], [0]], ValueError, r"\(4, 1\)"),
        ([0.0, 1.0, 2.0, 0.0], RuntimeError, "int64"),
        (np.where(HOT == 1, 1.5, 0), RuntimeError, r"1.5 at \(0, 0\)"),
        (np.where(HOT == 1, np.nan, 0), RuntimeError, "nan"),
    ]:
        with pytest.raises(error, match=words):
            loss(x, t(target))
    with pytest.raises(RuntimeError, match="got a number"):
        loss(t(0.5), t(0))


BAD = [
    (lambda: F.cross_entropy_on_probabilities(t([[0.5, 1.5]]), t([0])), RuntimeError, "1.5"),
    (lambda: F.hinge_loss(t([1.0, 2.0]), t([[1.0], [1.0]])), ValueError, "same as input"),
    (lambda: F.hinge_loss(t([1.0, 2.0]), t([-1.0, 0.5])), ValueError, r"0.5 at \(1,\)"),
    (lambda: F.hinge_loss(t([1.0, 2.0]), t([1.0, 2.0])), ValueError, r"2.0 at \(1,\)"),
    (lambda: F.hinge_loss(t([1.0]), t([1.0]), p=3), ValueError, "got 3"),
    (lambda: F.binary_focal_loss(t([1.0]), t([-1.0])), RuntimeError, "-1.0"),
    (lambda: F.binary_focal_loss(t([1.0]), t([[1.0]])), ValueError, "same as input"),
    (lambda: F.binary_focal_loss(t([1.0]), t([1.0]), alpha=2), ValueError, "alpha"),
    (lambda: F.focal_loss(t(SCORES), t(CLASSES), -1), ValueError, "gamma"),
    (lambda: F.focal_loss(t(SCORES), t(CLASSES), weight=t([1.0])), RuntimeError, "3 classes"),
    (lambda: F.crammer_singer_loss(t([[1.0]]), t([0])), ValueError, "two classes"),
    (lambda: F.quantile_loss(t([1.0]), t([1.0]), 1.0), ValueError, "quantile"),
    (lambda: F.contrastive_loss(t(SCORES), t(PAIR), t([0, 1])), ValueError, r"\(4,\)"),
    (lambda: F.contrastive_loss(t(SCORES), t(PAIR[:1]), t(CLASSES)), ValueError, "same as"),
    (lambda: F.contrastive_loss(t(SCORES), t(PAIR), t([-1, 1, 1, 1])), RuntimeError, "-1"),
    (lambda: F.bi_tempered_logistic_loss(t(A), t(Y), 2.0, 1.5), ValueError, "t1"),
    (lambda: F.bi_tempered_logistic_loss(t(A), t(Y), 0.5, -1), ValueError, "0 or more"),
    (lambda: F.bi_tempered_logistic_loss(t(A), t(Y), 0.5, 1.5, 2), ValueError, "smoothing"),
    (lambda: F.bi_tempered_logistic_loss(t(A), t(Y), 0.5, 1.5, 0, -1), ValueError, "num_iters"),
    (lambda: F.bi_tempered_binary_logistic_loss(t([1.0]), t([2.0]), 0.5, 2), RuntimeError, "2.0"),
    (lambda: F.generator_loss(t([1.0]), "hinge"), ValueError, "minimax"),
    (lambda: F.discriminator_loss(t([1.0]), t([1.0, 2.0]), reduction="none"), ValueError, "pairs"),
    (lambda: F.gradient_penalty(None, t(SCORES), t(PAIR[:1])), ValueError, "one shape"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, words", BAD)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("loss", [F.log_cosh_loss, F.quantile_loss, F.squared_error_loss])
def test_sizes_that_would_broadcast_are_warned_of(loss):
    with pytest.warns(UserWarning, match="broadcasting"):
        loss(t(SCORES[:, 0]), t(OTHERS[:, :1]))


def test_an_empty_batch_sums_to_zero():
    none = tg.zeros(0, C)
    index = tg.zeros(0, dtype=tg.int64)
    for loss in (*INVARIANT.values(), F.zero_one_loss):
        assert math.isnan(loss(none, index).item())
    assert F.focal_loss(none, index, reduction="sum").item() == 0
