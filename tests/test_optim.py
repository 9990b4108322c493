"""Optimizers: against PyTorch step by step, against their formulas, and their bookkeeping."""

import copy
import importlib.util
import pathlib
import pickle
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad
from tensorgrad import optim
from tensorgrad.optim import SGD, Adam, AdamW, Optimizer, _bucketed

TOLERANCE = {np.float64: 1e-12, np.float32: 2e-5}
SHAPES = [(3, 2), (3,), (), (0,), (1, 4), (30,), (5, 7)]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """Sizes at which a dozen elements are a large parameter, and three blocks of one."""
    monkeypatch.setattr(_bucketed, "SMALL", 20)
    monkeypatch.setattr(_bucketed, "BLOCK", 13)


def leaf(array):
    return tensorgrad.tensor(np.array(array), requires_grad=True)


def with_grad(array, grad=None):
    p = leaf(array)
    p.grad = tensorgrad.tensor(np.array(p._array if grad is None else grad))
    return p


def values(params):
    return [p.detach().numpy().copy() for p in params]


def assert_close(got, want, dtype=np.float64):
    """Equal up to rounding, relative to the largest element (means of gradients cancel)."""
    scale = max(1.0, np.max(np.abs(want), initial=0.0))
    np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE[dtype] * scale)


# --- against PyTorch --------------------------------------------------------------------

rates = st.sampled_from([0.0, 1e-3, 0.1, 0.7])
decays = st.sampled_from([0, 0.01, 0.3])
flags = st.booleans()


@st.composite
def optimizers(draw):
    """The name of an optimizer and its options."""
    name = draw(st.sampled_from(["SGD", "Adam", "AdamW"]))
    options = {"lr": draw(rates), "weight_decay": draw(decays), "maximize": draw(flags)}
    if name == "SGD":
        options["momentum"] = draw(st.sampled_from([0, 0.5, 0.99]))
        options["nesterov"] = draw(flags) and options["momentum"] > 0
        options["dampening"] = 0 if options["nesterov"] else draw(st.sampled_from([0, 0.1, 1.0]))
    else:
        betas = st.tuples(st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([0.5, 0.9, 0.999]))
        options["betas"], options["amsgrad"] = draw(betas), draw(flags)
        options["eps"] = draw(st.sampled_from([1e-8, 1e-3, 1.0]))
    return name, options


def pair(torch, rng, dtype, options, name, two_groups=False):
    """The same parameters and optimizer here and in PyTorch."""
    arrays = [rng.standard_normal(s).astype(dtype) for s in SHAPES]
    arrays[-1] = np.asfortranarray(arrays[-1])  # large, and not contiguous
    ours = [tensorgrad.from_numpy(a.copy("K")).requires_grad_() for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]

    def groups(params):
        if not two_groups:
            return params
        return [{"params": params[:3]}, {"params": iter(params[3:]), "lr": 0.05}]

    a = getattr(optim, name)(groups(ours), **options)
    b = getattr(torch.optim, name)(groups(theirs), foreach=False, **options)
    return ours, theirs, a, b


def give_gradients(torch, rng, ours, theirs, absent=()):
    for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
        g = rng.standard_normal(q.shape).astype(p._array.dtype) * 10.0 ** rng.integers(-3, 3)
        g = np.asarray(g, p._array.dtype)
        if i % 2:
            g = np.asfortranarray(g)
        p.grad = None if i in absent else tensorgrad.from_numpy(g)
        q.grad = None if i in absent else torch.tensor(g)


def assert_same_state(ours, theirs, dtype):
    """Two state dicts, ours and PyTorch's, entry by entry."""
    assert ours["state"].keys() == theirs["state"].keys()
    for key, entries in theirs["state"].items():
        assert list(ours["state"][key]) == list(entries)
        for name, want in entries.items():
            got = ours["state"][key][name]
            assert got.shape == tuple(want.shape) and str(got.dtype) == str(want.dtype), name
            assert_close(got.numpy(), want.numpy(), dtype)
    assert ours["param_groups"] == theirs["param_groups"]


@settings(deadline=None, max_examples=60)
@given(
    which=optimizers(),
    dtype=st.sampled_from([np.float64, np.float64, np.float32]),
    absent=st.lists(st.sets(st.integers(0, len(SHAPES) - 1), max_size=3), max_size=6),
    new_lr=st.none() | rates,
    two_groups=flags,
    seed=st.integers(0, 2**32 - 1),
)
def test_trajectory_is_pytorchs(torch, which, dtype, absent, new_lr, two_groups, seed):
    name, options = which
    rng = np.random.default_rng(seed)
    ours, theirs, a, b = pair(torch, rng, dtype, options, name, two_groups)
    for step in range(20):
        give_gradients(torch, rng, ours, theirs, absent[step] if step < len(absent) else ())
        if step == 10 and new_lr is not None:
            a.param_groups[0]["lr"] = b.param_groups[0]["lr"] = new_lr
        a.step()
        b.step()
        for p, q in zip(ours, theirs, strict=True):
            assert p._array.dtype == dtype
            assert_close(p.detach().numpy(), q.detach().numpy(), dtype)
    groups = b.state_dict()["param_groups"]
    for group in groups:
        group["foreach"] = None
    assert_same_state(a.state_dict(), {**b.state_dict(), "param_groups": groups}, dtype)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_float16_is_close_to_pytorch(torch, name):
    rng = np.random.default_rng(0)
    options = {"lr": 0.01, "momentum": 0.9} if name == "SGD" else {"lr": 0.01, "eps": 1e-3}
    ours, theirs, a, b = pair(torch, rng, np.float16, options, name)
    for _ in range(5):
        for p, q in zip(ours, theirs, strict=True):
            g = np.asarray(rng.uniform(0.5, 1.0, q.shape), np.float16)
            p.grad, q.grad = tensorgrad.from_numpy(g), torch.tensor(g)
        a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.1},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    ],
)
def test_repr_is_pytorchs(torch, options):
    p, q = leaf([1.0]), torch.ones(1, requires_grad=True)
    assert repr(SGD([p], **options)) == repr(torch.optim.SGD([q], **options))


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_repr_of_adam_is_pytorchs(torch, name):
    p, q = leaf([1.0]), torch.ones(1, requires_grad=True)
    a = getattr(optim, name)([{"params": [p], "lr": 1e-4}, {"params": [leaf([2.0])]}])
    r = torch.ones(1, requires_grad=True)
    b = getattr(torch.optim, name)([{"params": [q], "lr": 1e-4}, {"params": [r]}])
    assert repr(a) == repr(b)


@settings(deadline=None, max_examples=20)
@given(which=optimizers(), seed=st.integers(0, 2**32 - 1))
def test_continues_from_a_state_dict_of_pytorch(torch, which, seed):
    name, options = which
    rng = np.random.default_rng(seed)
    ours, theirs, _, b = pair(torch, rng, np.float64, options, name)
    for _ in range(3):
        give_gradients(torch, rng, ours, theirs, absent={1})
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        p._array[...] = q.detach().numpy()
    saved = b.state_dict()
    state = {
        k: {n: v and tensorgrad.from_numpy(v.numpy().copy()) for n, v in entries.items()}
        if k == "momentum_buffer" and None in entries.values()
        else {n: tensorgrad.from_numpy(v.numpy().copy()) for n, v in entries.items()}
        for k, entries in saved["state"].items()
    }
    a = getattr(optim, name)(ours)
    a.load_state_dict({"state": state, "param_groups": saved["param_groups"]})
    for _ in range(3):
        give_gradients(torch, rng, ours, theirs)
        a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        assert_close(p.detach().numpy(), q.detach().numpy())


def bad_calls(o, t):
    """Calls that must raise, on the ``optim`` of either library; ``t`` makes a leaf."""
    required = importlib.import_module(o.__name__ + ".optimizer").required
    w, v = t([1.0, 2.0]), t([3.0])
    product = w * 2.0
    return {
        "no parameters": lambda: o.SGD([], lr=0.1),
        "used generator": lambda: o.SGD((p for p in ()), lr=0.1),
        "a tensor": lambda: o.SGD(w, lr=0.1),
        "not a tensor": lambda: o.SGD([1.0], lr=0.1),
        "a string": lambda: o.SGD(["w"], lr=0.1),
        "not a leaf": lambda: o.SGD([product], lr=0.1),
        "negative lr": lambda: o.SGD([w], lr=-1.0),
        "tensor lr": lambda: o.SGD([w], lr=t([1.0, 2.0])),
        "negative momentum": lambda: o.SGD([w], lr=0.1, momentum=-0.1),
        "negative decay": lambda: o.SGD([w], lr=0.1, weight_decay=-1),
        "nesterov alone": lambda: o.SGD([w], lr=0.1, nesterov=True),
        "nesterov damped": lambda: o.SGD([w], 0.1, 0.9, 0.1, nesterov=True),
        "lr is text": lambda: o.SGD([w], lr="0.1"),
        "unknown option": lambda: o.SGD([w], lr=0.1, rate=3),
        "fused foreach": lambda: o.SGD([w], lr=0.1, fused=True, foreach=True),
        "fused differentiable": lambda: o.SGD([w], lr=0.1, fused=True, differentiable=True),
        "adam lr": lambda: o.Adam([w], lr=-1e-3),
        "adam eps": lambda: o.Adam([w], eps=-1e-3),
        "adam beta1": lambda: o.Adam([w], betas=(1.0, 0.9)),
        "adam beta2": lambda: o.Adam([w], betas=(0.9, -0.1)),
        "adam int beta": lambda: o.Adam([w], betas=(0, 0.9)),
        "adam decay": lambda: o.Adam([w], weight_decay=-1),
        "adamw decay": lambda: o.AdamW([w], weight_decay=-1),
        "group not a dict": lambda: o.SGD([w], lr=0.1).add_param_group([v]),
        "group without params": lambda: o.SGD([w], lr=0.1).add_param_group({"lr": 0.1}),
        "a set": lambda: o.SGD([{"params": {w, v}}], lr=0.1),
        "in two groups": lambda: o.SGD([{"params": [w]}, {"params": [v, w]}], lr=0.1),
        "some names": lambda: o.SGD([("w", w), v], lr=0.1),
        "named group": lambda: o.SGD([w], lr=0.1).add_param_group({"params": [("v", v)]}),
        "base step": lambda: o.Optimizer([w], {}).step(),
        "required": lambda: o.Optimizer([w], {"lr": required}),
        "groups differ": lambda: o.SGD([w], lr=0.1).load_state_dict(
            {"state": {}, "param_groups": []}
        ),
        "sizes differ": lambda: o.SGD([w], lr=0.1).load_state_dict(
            o.SGD([w, v], lr=0.1).state_dict()
        ),
    }


CASES = sorted(bad_calls(optim, lambda x: leaf(np.float32(x))))


@pytest.mark.parametrize("case", CASES)
def test_bad_arguments_raise_what_pytorch_raises(torch, case):
    theirs = bad_calls(torch.optim, lambda x: torch.tensor(x, requires_grad=True))
    with pytest.raises(Exception) as want:
        theirs[case]()
    ours = bad_calls(optim, lambda x: leaf(np.float32(x)))
    with pytest.raises(want.type) as got:
        ours[case]()
    assert got.type is want.type


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_training_from_a_seed_follows_pytorch(torch, name):
    """Split, shuffle, forward, backward, step: the losses of ten epochs, batch by batch."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((30, 4)), rng.standard_normal((4, 3)) / 4
    y = np.tanh(x @ rng.standard_normal((4, 3)))
    losses = []
    for lib in (tensorgrad, torch):
        lib.manual_seed(3)
        data, optim_ = lib.utils.data, lib.optim
        weight = lib.tensor(w, requires_grad=True)
        bias = lib.zeros(3, dtype=lib.float64, requires_grad=True)
        pairs = data.TensorDataset(lib.from_numpy(x), lib.from_numpy(y))
        train, _ = data.random_split(pairs, [25, 5])
        optimizer = getattr(optim_, name)([weight, bias], lr=0.05, weight_decay=0.01)
        seen = []
        for _ in range(10):
            for inputs, targets in data.DataLoader(train, batch_size=8, shuffle=True):
                optimizer.zero_grad()
                loss = ((lib.tanh(inputs @ weight + bias) - targets) ** 2).mean()
                loss.backward()
                optimizer.step()
                seen.append(loss.item())
        losses.append(seen)
    assert_close(np.array(losses[0]), np.array(losses[1]))
    assert losses[0][-1] < losses[0][0] / 2


# --- against the formulas ---------------------------------------------------------------


def test_sgd_with_momentum_by_hand():
    p = leaf([1.0, -2.0])
    sgd = SGD([p], lr=0.5, momentum=0.5, dampening=0.25, weight_decay=0.1)
    w, b = np.array([1.0, -2.0]), None
    for g in ([1.0, 1.0], [-3.0, 2.0], [0.5, 0.0]):
        p.grad = tensorgrad.tensor(np.array(g))
        sgd.step()
        d = np.array(g) + 0.1 * w
        b = d if b is None else 0.5 * b + 0.75 * d
        w = w - 0.5 * b
        assert_close(p.detach().numpy(), w)
    assert_close(sgd.state[p]["momentum_buffer"].numpy(), b)


@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_by_hand(decoupled):
    p = leaf([1.0, -2.0])
    adam = (AdamW if decoupled else Adam)([p], lr=0.1, weight_decay=0.2, betas=(0.8, 0.9))
    w, m, v = np.array([1.0, -2.0]), 0.0, 0.0
    for t, g in enumerate(([1.0, 1.0], [-3.0, 2.0], [0.5, 0.0]), 1):
        p.grad = tensorgrad.tensor(np.array(g))
        adam.step()
        d = np.array(g)
        if decoupled:
            w = w - 0.1 * 0.2 * w
        else:
            d = d + 0.2 * w
        m, v = 0.8 * m + 0.2 * d, 0.9 * v + 0.1 * d * d
        w = w - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-8)
        assert_close(p.detach().numpy(), w)
    assert adam.state[p]["step"].item() == 3.0


@settings(deadline=None, max_examples=30)
@given(which=optimizers(), seed=st.integers(0, 2**32 - 1))
def test_buckets_do_not_change_the_result(which, seed):
    """All parameters flat, each alone, or in blocks of any size: the same numbers."""
    name, options = which
    results = []
    for small, block in ((10**6, 10**6), (0, 10**6), (0, 4), (10**6, 7)):
        _bucketed.SMALL, _bucketed.BLOCK = small, block  # the fixture puts them back
        rng = np.random.default_rng(seed)
        params = [leaf(rng.standard_normal(s)) for s in SHAPES]
        optimizer = getattr(optim, name)(params, **options)
        for _ in range(4):
            for p in params:
                p.grad = tensorgrad.from_numpy(np.asarray(rng.standard_normal(p.shape)))
            optimizer.step()
        results.append(values(params))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


# --- memory -----------------------------------------------------------------------------


def test_updates_are_in_place_and_are_counted_as_writes():
    params = [with_grad(np.ones(n)) for n in (3, 30)]
    before = [(p._array, p._version) for p in params]
    views = [p.detach() for p in params]
    SGD(params, lr=1.0).step()
    for p, (array, version), view in zip(params, before, views, strict=True):
        assert p._array is array and p._version > version
        np.testing.assert_array_equal(view.numpy(), np.zeros(len(array)))


@pytest.mark.parametrize("n", [3, 30])
def test_a_step_between_forward_and_backward_is_noticed(n):
    """Backward must not compute with parameters, or state, that have changed since."""
    p, x = with_grad(np.ones(n)), leaf(np.ones(n))
    sgd = SGD([p], lr=0.1, momentum=0.9)
    sgd.step()
    for used in (p, sgd.state[p]["momentum_buffer"]):
        loss = (used * x).sum()
        sgd.step()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_gradients_are_not_written_to():
    for options in ({"maximize": True}, {"weight_decay": 0.1}, {"momentum": 0.9}):
        params = [with_grad(np.arange(n, dtype=float)) for n in (3, 30)]
        grads = [p.grad for p in params]
        copies = values(grads)
        sgd = SGD(params, lr=0.1, **options)
        sgd.step()
        sgd.step()
        for p, g, kept in zip(params, grads, copies, strict=True):
            assert p.grad is g
            np.testing.assert_array_equal(g.numpy(), kept)


def test_state_does_not_share_memory_with_gradients():
    p = with_grad([1.0, 2.0])
    sgd = SGD([p], lr=0.1, momentum=0.9)
    sgd.step()
    assert not np.shares_memory(sgd.state[p]["momentum_buffer"].numpy(), p.grad.numpy())


def test_a_large_gradient_is_let_go():
    p = with_grad(np.ones(100))
    sgd = SGD([p], lr=0.1)
    sgd.step()
    gradient = weakref.ref(p.grad._array)
    sgd.zero_grad()
    assert gradient() is None


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1, 0.9), lambda p: Adam(p, 0.1)])
def test_a_parameter_may_get_other_memory(make):
    p, q = with_grad(np.ones(3)), with_grad(np.ones(3))
    a, b = make([p]), make([q])
    a.step()
    b.step()
    p.data = tensorgrad.tensor(np.full(3, 7.0))
    q._array[...] = 7.0
    a.step()
    b.step()
    np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


def test_parameters_on_shared_memory_are_updated_in_turn():
    memory = np.ones(4)
    p = tensorgrad.from_numpy(memory).requires_grad_()
    q = tensorgrad.from_numpy(memory).requires_grad_()
    p.grad, q.grad = tensorgrad.ones(4).double(), tensorgrad.ones(4).double()
    sgd = SGD([p, q], lr=0.25)
    for _ in range(2):
        sgd.step()
    np.testing.assert_array_equal(memory, np.zeros(4))


@pytest.mark.parametrize("n", [3, 30])
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_duplicates_warn_and_are_updated_twice(torch, n, name):
    options = {"lr": 0.1, "weight_decay": 0.1}
    p, q = with_grad(np.ones(n)), torch.ones(n, dtype=torch.float64, requires_grad=True)
    q.grad = torch.ones(n, dtype=torch.float64)
    with pytest.warns(UserWarning, match="duplicate"):
        a = getattr(optim, name)([p, p], **options)
    with pytest.warns(UserWarning, match="duplicate"):
        b = getattr(torch.optim, name)([q, q], foreach=False, **options)
    for _ in range(3):
        a.step()
        b.step()
    assert_close(p.detach().numpy(), q.detach().numpy())


# --- a step that fails changes nothing --------------------------------------------------


@pytest.mark.parametrize("make", [lambda g: SGD(g, 0.1, 0.9), lambda g: Adam(g, 0.1)])
@pytest.mark.parametrize("n", [2, 30])
@pytest.mark.parametrize("earlier_steps", [0, 2])
def test_a_gradient_of_another_shape_or_dtype(make, n, earlier_steps):
    for bad in (np.ones((1, n)), np.ones(1), np.ones(n, np.float32)):
        first, second = with_grad(np.ones(3)), with_grad(np.ones(n))
        optimizer = make([{"params": [first]}, {"params": [second]}])
        for _ in range(earlier_steps):
            optimizer.step()
        second._grad = tensorgrad.tensor(bad)
        before = values([first, second])
        with pytest.raises(RuntimeError, match=r"parameter 0 of group 1 has shape .* gradient"):
            optimizer.step()
        for a, b in zip(values([first, second]), before, strict=True):
            np.testing.assert_array_equal(a, b)
        second._grad = tensorgrad.tensor(np.ones(n))  # and the next step goes on as if nothing was
        optimizer.step()
        reference = [with_grad(np.ones(3)), with_grad(np.ones(n))]
        good = make(reference)
        for _ in range(earlier_steps + 1):
            good.step()
        for a, b in zip(values([first, second]), values(reference), strict=True):
            np.testing.assert_array_equal(a, b)


def test_read_only_memory_is_refused():
    array = np.ones(3)
    p, q = with_grad(np.ones(3)), tensorgrad.from_numpy(array).requires_grad_()
    q.grad = tensorgrad.tensor(np.ones(3))
    array.flags.writeable = False
    with pytest.raises(RuntimeError, match="parameter bias of group 0 is on read-only memory"):
        SGD([("weight", p), ("bias", q)], lr=0.1).step()
    np.testing.assert_array_equal(p.detach().numpy(), np.ones(3))


def test_a_state_of_another_shape_is_refused():
    p, q = with_grad(np.ones(3)), with_grad(np.ones(2))
    a, b = SGD([p], 0.1, 0.9), SGD([q], 0.1, 0.9)
    b.step()
    a.load_state_dict(b.state_dict())
    with pytest.raises(RuntimeError, match="'momentum_buffer' has"):
        a.step()
    np.testing.assert_array_equal(p.detach().numpy(), np.ones(3))


@pytest.mark.parametrize("lr", ["fast", None, [0.1, 0.2]])
def test_a_rate_that_is_no_number(lr):
    p, q = with_grad(np.ones(3)), with_grad(np.ones(3))
    sgd = SGD([{"params": [p]}, {"params": [q]}], lr=0.1)
    sgd.param_groups[1]["lr"] = lr
    with pytest.raises((TypeError, ValueError)):
        sgd.step()
    np.testing.assert_array_equal(p.detach().numpy(), np.ones(3))


def test_differentiable_is_refused_rather_than_ignored():
    for make in (SGD, Adam, AdamW):
        with pytest.raises(NotImplementedError, match="differentiable"):
            make([leaf([1.0])], lr=0.1, differentiable=True)


# --- state ------------------------------------------------------------------------------


def trained(make, n=(3, 30), steps=2):
    params = [with_grad(np.linspace(1, 2, k)) for k in n]
    optimizer = make(params)
    for _ in range(steps):
        optimizer.step()
    return params, optimizer


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1, 0.9), lambda p: Adam(p, 0.1, amsgrad=True)])
def test_state_dict_round_trip_continues_exactly(make):
    (params, optimizer), (others, fresh) = trained(make), trained(make, steps=0)
    for p, q in zip(params, others, strict=True):
        q._array[...] = p._array
    saved = optimizer.state_dict()
    fresh.load_state_dict(saved)
    for p, q in zip(params, others, strict=True):
        for name, entry in optimizer.state[p].items():
            copied = fresh.state[q][name]
            np.testing.assert_array_equal(copied.numpy(), entry.numpy())
            assert not np.shares_memory(copied.numpy(), entry.numpy())
    for _ in range(2):
        optimizer.step()
        fresh.step()
    for p, q in zip(params, others, strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_train_on_by_themselves(copier):
    params, adam = trained(lambda p: Adam(p, 0.1))
    again, twin = copier((params, adam))
    for p, q in zip(params, again, strict=True):
        q.grad = tensorgrad.tensor(p.grad.numpy())
    kept = values(params)
    twin.step()
    for a, b in zip(values(params), kept, strict=True):
        np.testing.assert_array_equal(a, b)
    adam.step()
    for a, b in zip(values(params), values(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_state_tensors_stay_the_same_objects_and_current():
    (p, q), adam = trained(lambda p: Adam(p, 0.1))
    entry = adam.state[p]["exp_avg"]
    q.grad = None  # other buckets from here on
    before = entry.numpy().copy()
    adam.step()
    assert adam.state[p]["exp_avg"] is entry
    assert not np.array_equal(entry.numpy(), before)
    assert (adam.state[p]["step"].item(), adam.state[q]["step"].item()) == (3.0, 2.0)


EDITS = {
    "cleared": lambda opt, p: opt.state.clear(),
    "deleted": lambda opt, p: opt.state.pop(p),
    "emptied": lambda opt, p: opt.state[p].clear(),
    "other dict": lambda opt, p: opt.state.__setitem__(p, fresh_entries(p)),
    "other entries": lambda opt, p: opt.state[p].update(fresh_entries(p)),
    "other data": lambda opt, p: [
        setattr(e, "data", fresh_entries(p)[n]) for n, e in opt.state[p].items()
    ],
    "in place": lambda opt, p: [e._array.fill(0) for e in opt.state[p].values()],
    "number": lambda opt, p: opt.state[p].update(
        fresh_entries(p), step=0, exp_avg=np.zeros(p.shape)
    ),
}


def fresh_entries(p):
    zeros = {n: tensorgrad.tensor(np.zeros(p.shape)) for n in ("exp_avg", "exp_avg_sq")}
    return {"step": tensorgrad.tensor(0.0), **zeros}


@pytest.mark.parametrize("edit", sorted(EDITS))
@pytest.mark.parametrize("n", [3, 30])
def test_users_may_edit_the_state(edit, n):
    """Each edit forgets the past of the parameter, so the next step is that of a new Adam."""
    p, other = with_grad(np.linspace(1, 2, n)), with_grad(np.ones(3))
    adam = Adam([p, other], 0.1)
    adam.step()
    adam.step()
    twin = with_grad(p._array, p.grad._array)
    EDITS[edit](adam, p)
    adam.step()
    Adam([twin], 0.1).step()
    np.testing.assert_array_equal(p.detach().numpy(), twin.detach().numpy())
    assert adam.state[p]["step"].item() == 1.0
    assert adam.state[other]["step"].item() == (1.0 if edit == "cleared" else 3.0)


def test_replacing_a_parameter_keeps_its_place():
    """As scripts that grow a model do: other tensor, state carried over by hand."""
    p, rest = with_grad(np.ones(3)), with_grad(np.ones(2))
    adam = Adam([p, rest], 0.1)
    adam.step()
    grown = with_grad(np.ones(4))
    entries = adam.state.pop(p)
    for name in ("exp_avg", "exp_avg_sq"):
        entries[name] = tensorgrad.tensor(np.append(entries[name].numpy(), 0.0))
    adam.param_groups[0]["params"][0] = grown
    adam.state[grown] = entries
    old = p.detach().numpy().copy()
    adam.step()
    np.testing.assert_array_equal(p.detach().numpy(), old)
    assert adam.state[grown]["step"].item() == 2.0 and adam.state[grown]["exp_avg"].shape == (4,)
    assert not np.array_equal(grown.detach().numpy(), np.ones(4))


def test_momentum_switched_on_later():
    p, q = with_grad(np.ones(3)), with_grad(np.ones(3))
    a, b = SGD([p], 0.1), SGD([q], 0.1, momentum=0.9)
    a.step()
    assert not a.state
    p._array[...] = 1.0
    a.param_groups[0]["momentum"] = 0.9
    for optimizer in (a, a, b, b):
        optimizer.step()
    np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


def test_entries_that_users_add_are_left_alone():
    p = with_grad(np.ones(3))
    adam = Adam([p], 0.1)
    adam.step()
    adam.state[p]["note"] = "mine"
    adam.step()
    assert adam.state[p]["note"] == "mine" and adam.state[p]["step"].item() == 2.0


def test_load_keeps_the_dtype_of_the_parameter_but_not_of_step():
    p = with_grad(np.ones(3, np.float32))
    adam = Adam([p], 0.1)
    state = {"step": tensorgrad.tensor(4.0), "exp_avg": tensorgrad.tensor(np.ones(3))}
    state["exp_avg_sq"] = tensorgrad.tensor(np.ones(3))
    adam.load_state_dict({"state": {0: state}, "param_groups": adam.state_dict()["param_groups"]})
    assert adam.state[p]["exp_avg"].dtype is tensorgrad.float32
    adam.step()
    assert adam.state[p]["step"].item() == 5.0
    assert p._array.dtype == np.float32


def test_load_fills_in_options_of_later_versions():
    p = leaf([1.0])
    adamw = AdamW([p])
    saved = Adam([p], lr=0.5).state_dict()
    del saved["param_groups"][0]["maximize"]
    adamw.load_state_dict(saved)
    group = adamw.param_groups[0]
    assert (group["lr"], group["maximize"], group["decoupled_weight_decay"]) == (0.5, False, True)


# --- groups, gradients, closures, hooks -------------------------------------------------


def test_groups_have_their_own_options():
    p, q, r = (with_grad([1.0]) for _ in range(3))
    sgd = SGD([{"params": p, "lr": 1.0}, {"params": (x for x in [q])}], lr=0.5)
    sgd.add_param_group({"params": [r], "maximize": True})
    sgd.step()
    assert [x.item() for x in (p, q, r)] == [0.0, 0.5, 1.5]
    assert [g["params"] for g in sgd.state_dict()["param_groups"]] == [[0], [1], [2]]


def test_names_are_kept():
    p, q = leaf([1.0]), leaf([2.0])
    sgd = SGD(iter({"weight": p, "bias": q}.items()), lr=0.1)
    assert sgd.param_groups[0]["param_names"] == ["weight", "bias"]
    assert sgd.param_groups[0]["params"] == [p, q]
    saved = sgd.state_dict()
    assert saved["param_groups"][0]["param_names"] == ["weight", "bias"]
    del saved["param_groups"][0]["param_names"]
    sgd.load_state_dict(saved)
    assert sgd.param_groups[0]["param_names"] == ["weight", "bias"]


@pytest.mark.parametrize("lr", [np.float64(0.5), np.float32(0.5), "tensor", 1])
def test_rates_of_any_number_type_keep_float32(lr):
    p = with_grad(np.ones(3, np.float32))
    rate = tensorgrad.tensor(0.5) if lr == "tensor" else lr
    for make in (SGD, Adam, AdamW):
        make([p], lr=rate).step()
        assert p._array.dtype == np.float32


def test_zero_grad():
    p, q = with_grad([1.0, 2.0]), leaf([1.0])
    sgd = SGD([p, q], lr=0.1)
    kept = p.grad
    sgd.zero_grad(set_to_none=False)
    assert p.grad is kept and q.grad is None
    np.testing.assert_array_equal(kept.numpy(), [0.0, 0.0])
    assert kept._version == 1
    sgd.zero_grad()
    assert p.grad is None


def test_without_gradients_nothing_happens():
    p = leaf([1.0])
    for make in (SGD, Adam, AdamW):
        optimizer = make([p], lr=0.1)
        optimizer.step()
        assert not optimizer.state and p.item() == 1.0


def test_closure_runs_with_recording_and_its_loss_is_returned():
    p = leaf([1.0])
    sgd = SGD([p], lr=0.5)

    def closure():
        assert tensorgrad._graph.is_recording()
        p.grad = tensorgrad.tensor(np.array([1.0]))
        return 42.0

    before = tensorgrad._graph.set_recording(False)
    try:
        assert sgd.step(closure) == 42.0
        assert not tensorgrad._graph.is_recording()
    finally:
        tensorgrad._graph.set_recording(before)
    assert p.item() == 0.5
    assert sgd.step() is None


class Halving(Optimizer):
    """As users write them: reads groups, keeps a count per parameter."""

    def __init__(self, params, rate=0.5):
        super().__init__(params, dict(rate=rate))

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                state["count"] = state.get("count", 0) + 1
                p.data = p.data * group["rate"]


def test_own_optimizers():
    p, q = with_grad([4.0]), leaf([4.0])
    own = Halving([{"params": [p]}, {"params": [q]}])
    own.step()
    own.step()
    assert (p.item(), q.item()) == (1.0, 4.0)
    assert own.state_dict()["state"] == {0: {"count": 2}}
    assert repr(own) == (
        "Halving (\nParameter Group 0\n    rate: 0.5\n\nParameter Group 1\n    rate: 0.5\n)"
    )


@pytest.mark.parametrize("make", [Halving, lambda p: SGD(p, 0.1)])
def test_step_hooks(make):
    optimizer, calls = make([with_grad([4.0])]), []
    before = optimizer.register_step_pre_hook(lambda *a: calls.append(("before", *a)))
    after = optimizer.register_step_post_hook(lambda *a: calls.append(("after", *a)))
    optimizer.step()
    given = (optimizer, (optimizer,), {})
    assert calls == [("before", *given), ("after", *given)]
    before.remove()
    after.remove()
    after.remove()
    optimizer.step()
    assert len(calls) == 2


def test_a_pre_hook_may_change_the_arguments():
    sgd = SGD([with_grad([4.0])], 0.1)
    sgd.register_step_pre_hook(lambda opt, args, kwargs: ((opt, lambda: 7.0), {}))
    assert sgd.step() == 7.0
    sgd.register_step_pre_hook(lambda opt, args, kwargs: "wrong")
    with pytest.raises(RuntimeError, match="must return None or a tuple"):
        sgd.step()


def test_hooks_run_once_around_an_extended_step():
    class Counting(SGD):
        def step(self, closure=None):
            return super().step(closure)

    optimizer, calls = Counting([with_grad([4.0])], 0.1), []
    optimizer.register_step_post_hook(lambda *a: calls.append(a))
    optimizer.step()
    assert len(calls) == 1


def test_the_package_refuses_its_bare_name():
    path = pathlib.Path(optim.__file__)
    spec = importlib.util.spec_from_file_location("optim", path)
    with pytest.raises(ImportError, match=r"tensorgrad\.optim"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
