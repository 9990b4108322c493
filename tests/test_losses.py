"""Losses beside PyTorch's: values, gradients, second derivatives, warnings and errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.nn import functional as F
from tensorgrad.ops import fused

torch = pytest.importorskip("torch")

REDUCTIONS = ["mean", "sum", "none"]


def both(name, x, y, target_grad=False, **kwargs):
    """Value, first and second derivatives of one loss in both libraries, held equal."""
    results = []
    for lib in (tg, torch):
        a = lib.tensor(x, requires_grad=True)
        b = lib.tensor(y, requires_grad=target_grad)
        extra = {k: lib.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
        loss = getattr(lib.nn.functional, name)(a, b, **extra)
        weights = lib.tensor(np.random.default_rng(0).standard_normal(tuple(loss.shape)))
        inputs = [a, b] if target_grad else [a]
        grads = lib.autograd.grad((loss * weights).sum(), inputs, create_graph=True)
        total = sum((g * g).sum() for g in grads)
        second = None
        if total.requires_grad:
            second = lib.autograd.grad(total, a, allow_unused=True)[0]
        results.append([loss, *grads, second])
    for ours, theirs in zip(*results, strict=True):
        if theirs is None or ours is None:
            missing = theirs if ours is None else ours
            assert missing is None or not missing.numpy(force=True).any()
            continue
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(
            ours.detach().numpy(), theirs.numpy(force=True), rtol=1e-9, atol=1e-11
        )
    return results[0][0]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (0, 3)])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_regression(name, shape, reduction):
    if shape == (0, 3) and reduction == "mean" and name == "huber_loss":
        pytest.skip("0/0 in both")
    target_grad = name in ("mse_loss", "l1_loss")
    both(name, normal(*shape), normal(*shape, seed=1), target_grad, reduction=reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("beta", [0.0, 0.3, 2.0])
def test_smooth_l1_beta(beta, reduction):
    both("smooth_l1_loss", normal(9), normal(9, seed=1), reduction=reduction, beta=beta)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_cross_entropy(reduction, weighted):
    rng = np.random.default_rng(2)
    p, y = rng.uniform(0.05, 0.95, (4, 3)), rng.uniform(0, 1, (4, 3))
    kwargs = {"weight": rng.uniform(0, 2, (4, 3))} if weighted else {}
    both("binary_cross_entropy", p, y, True, reduction=reduction, **kwargs)


def test_binary_cross_entropy_at_its_ends_is_finite():
    p = tg.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(p, tg.tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    assert loss.tolist() == [0.0, 0.0, 100.0, 100.0]
    loss.sum().backward()
    assert p.grad.isfinite().all()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("pos_weight", [False, True])
def test_bce_with_logits(reduction, weighted, pos_weight):
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((4, 3)) * 3, rng.uniform(0, 1, (4, 3))
    kwargs = {"weight": rng.uniform(0, 2, (4, 3))} if weighted else {}
    if pos_weight:
        kwargs["pos_weight"] = rng.uniform(0.5, 3, 3)
    both("binary_cross_entropy_with_logits", x, y, reduction=reduction, **kwargs)


@pytest.mark.parametrize("logit", [-1e4, -1.0, 0.0, 1.0, 1e4])
def test_losses_are_stable_at_large_logits(logit):
    for y in (0.0, 1.0):
        both("binary_cross_entropy_with_logits", np.array([logit]), np.array([y]))
    both("cross_entropy", np.array([[logit, 0.0, -logit]]), np.array([1]))


CLASS_SHAPES = [((5, 4), (5,)), ((4,), ()), ((2, 4, 3), (2, 3)), ((2, 4, 3, 2), (2, 3, 2))]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("shape", "target_shape"), CLASS_SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore_index", [-100, 1])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_cross_entropy_of_indices(
    shape, target_shape, weighted, ignore_index, label_smoothing, reduction
):
    rng = np.random.default_rng(3)
    x, t = rng.standard_normal(shape) * 2, rng.integers(0, 4, target_shape)
    if shape == (4,) and ignore_index == 1:
        t = np.array(2)
    if target_shape:
        t.flat[0] = ignore_index
    kwargs = {"weight": rng.uniform(0.2, 2, 4)} if weighted else {}
    both("cross_entropy", x, t, ignore_index=ignore_index, reduction=reduction,
         label_smoothing=label_smoothing, **kwargs)  # fmt: skip


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(5, 4), (2, 7), (1, 1)])
def test_cross_entropy_of_a_batch_of_which_all_count(shape, reduction):
    """The everyday case, which is one fused node."""
    rng = np.random.default_rng(6)
    x, t = rng.standard_normal(shape) * 2, rng.integers(0, shape[1], shape[0])
    both("cross_entropy", x, t, reduction=reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(5, 4), (4,), (2, 4, 3)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_cross_entropy_of_probabilities(shape, weighted, label_smoothing, reduction):
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal(shape), rng.uniform(0, 1, shape)
    kwargs = {"weight": rng.uniform(0.2, 2, 4)} if weighted else {}
    both("cross_entropy", x, y, True, reduction=reduction, label_smoothing=label_smoothing,
         **kwargs)  # fmt: skip


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("shape", "target_shape"), CLASS_SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_nll(shape, target_shape, weighted, reduction):
    rng = np.random.default_rng(5)
    x, t = -rng.uniform(0, 3, shape), rng.integers(0, 4, target_shape)
    kwargs = {"weight": rng.uniform(0.2, 2, 4)} if weighted else {}
    both("nll_loss", x, t, reduction=reduction, **kwargs)


def test_all_ignored_is_nan_as_in_pytorch():
    for lib in (tg, torch):
        loss = lib.nn.functional.cross_entropy(lib.zeros(2, 3), lib.tensor([-100, -100]))
        assert loss.isnan()


def test_infinite_logits_of_other_classes():
    x = np.array([[0.0, -np.inf, 1.0]])
    both_value = both("cross_entropy", x, np.array([2]), reduction="sum")
    assert np.isfinite(both_value.item())


@given(data=st.data())
def test_cross_entropy_is_invariant_to_a_shift_and_its_gradient_sums_to_zero(data):
    n, c = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6))
    seed = data.draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    x = tg.tensor(rng.standard_normal((n, c)), requires_grad=True)
    t = tg.tensor(rng.integers(0, c, n))
    loss = F.cross_entropy(x, t)
    shifted = F.cross_entropy(x.detach() + data.draw(st.floats(-100, 100)), t)
    assert abs(loss.item() - shifted.item()) < 1e-9
    loss.backward()
    assert x.grad.sum(1).abs().max() < 1e-12
    assert loss.item() >= 0


# --- fused forms against their definitions ----------------------------------------------


def derivatives(f, *arrays):
    """Value, first and second derivatives of ``f`` at float64 arrays (integers pass through)."""
    ts = [tg.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    out = f(*ts)
    leaves = [t for t in ts if t.requires_grad]
    w = tg.tensor(np.random.default_rng(1).standard_normal(tuple(out.shape)))
    grads = tg.autograd.grad((out * w).sum(), leaves, create_graph=True)
    total = sum(((g * g).sum() for g in grads), tg.tensor(0.0, dtype=tg.float64))
    second = tg.autograd.grad(total, leaves, allow_unused=True)
    zeros = [g if g is not None else tg.zeros_like(t) for g, t in zip(second, leaves, strict=True)]
    return [v.detach().numpy() for v in (out, *grads, *zeros)]


FUSED = {
    "squared_error": ((normal(3, 4), normal(3, 4, seed=1)), {"scale": 0.5}),
    "softmax_cross_entropy": ((normal(3, 4), np.array([0, 3, 1])), {"scale": 0.5}),
    "bce_with_logits": ((normal(3, 4), normal(3, 4, seed=1)), {}),
    "batch_norm": ((normal(5, 3), normal(3, seed=1), normal(3, seed=2)), {"eps": 1e-5}),
}


@pytest.mark.parametrize("name", FUSED)
def test_fused_equals_its_definition(name):
    arrays, attrs = FUSED[name]
    op = getattr(fused, name).op
    ours = derivatives(lambda *ts: op.apply(ts, attrs), *arrays)
    want = derivatives(lambda *ts: op.definition(*ts, **attrs), *arrays)
    for a, b in zip(ours, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


# --- bad input --------------------------------------------------------------------------


def raises_the_same(name, x, y, match=None, **kwargs):
    types = []
    for lib in (tg, torch):
        with pytest.raises(Exception) as error:
            getattr(lib.nn.functional, name)(lib.tensor(x), lib.tensor(y), **kwargs)
        types.append(error.type)
        if lib is tg and match:
            assert error.match(match)
    assert issubclass(types[0], types[1])


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_sizes_that_would_broadcast_warn(name):
    for lib in (tg, torch):
        with pytest.warns(UserWarning, match="Using a target size"):
            getattr(lib.nn.functional, name)(lib.zeros(3), lib.zeros(3, 1))


@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
def test_binary_losses_refuse_other_sizes(name):
    raises_the_same(name, np.full(3, 0.5), np.ones((3, 1)))


def test_probabilities_outside_zero_and_one():
    raises_the_same("binary_cross_entropy", np.array([1.5]), np.array([1.0]), "between 0 and 1")


def test_a_target_out_of_range_is_named_with_its_row():
    match = r"Target 7 is out of bounds: row 1"
    raises_the_same("cross_entropy", normal(3, 4), np.array([0, 7, 1]), match)
    raises_the_same("nll_loss", normal(3, 4), np.array([0, 7, 1]), match)
    raises_the_same("cross_entropy", normal(3, 4), np.array([0, -1, 1]), r"Target -1.*row 1")


def test_batch_sizes_differ():
    raises_the_same("cross_entropy", normal(3, 4), np.array([0, 1]), "batch_size")


def test_bad_reduction_and_smoothing():
    for name in ("mse_loss", "l1_loss"):
        raises_the_same(name, normal(3), normal(3), reduction="other")
    raises_the_same("cross_entropy", normal(3, 4), np.array([0, 1, 2]), label_smoothing=1.5)
    raises_the_same("cross_entropy", normal(3, 4), np.array([0.5, 1.0, 2.0]))


def test_legacy_arguments():
    with pytest.warns(UserWarning, match="reduction='sum'"):
        loss = F.mse_loss(tg.zeros(2), tg.ones(2), size_average=False)
    assert loss.item() == 2
