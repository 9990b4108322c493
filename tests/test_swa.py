"""Weight averaging: averaged models, their statistics and their schedule, beside PyTorch's."""

import copy
import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest
from both import agree

import tensorgrad
from tensorgrad import nn
from tensorgrad.optim import swa_utils


def model_of(lib):
    """A small network with buffers, and weights that do not depend on the library."""
    model = lib.nn.Sequential(
        lib.nn.Linear(2, 3), lib.nn.BatchNorm1d(3), lib.nn.ReLU(), lib.nn.Linear(3, 1)
    ).to(lib.float64)
    rng = np.random.default_rng(0)
    for p in model.parameters():
        p.detach().copy_(lib.from_numpy(rng.standard_normal(tuple(p.shape))))
    return model


def batches(lib, n=4):
    rng = np.random.default_rng(1)
    return [lib.from_numpy(rng.standard_normal((5, 2))) for _ in range(n)]


def train(lib, model, averaged, steps=4):
    """Ordinary training that updates the averages after each step."""
    optimizer = lib.optim.SGD(model.parameters(), lr=0.1)
    for x in batches(lib, steps):
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        optimizer.step()
        averaged.update_parameters(model)


def mixed(average, value, n):
    return (average * n + 3 * value) / (n + 3)


AVERAGES = {
    "default": lambda u: {},
    "swa": lambda u: {"avg_fn": u.get_swa_avg_fn()},
    "swa multi": lambda u: {"multi_avg_fn": u.get_swa_multi_avg_fn()},
    "ema": lambda u: {"avg_fn": u.get_ema_avg_fn()},
    "ema of": lambda u: {"avg_fn": u.get_ema_avg_fn(0.5)},
    "ema multi": lambda u: {"multi_avg_fn": u.get_ema_multi_avg_fn(0.5)},
    "ema of 1": lambda u: {"multi_avg_fn": u.get_ema_multi_avg_fn(1.0)},
    "own": lambda u: {"avg_fn": mixed},
}


@pytest.mark.parametrize("name", sorted(AVERAGES))
@pytest.mark.parametrize("use_buffers", [False, True])
def test_averages_are_pytorchs(name, use_buffers):
    if use_buffers and name == "swa multi":
        pytest.skip("PyTorch cannot average the integer num_batches_tracked so")

    def program(lib):
        utils, model = lib.optim.swa_utils, model_of(lib)
        averaged = utils.AveragedModel(model, use_buffers=use_buffers, **AVERAGES[name](utils))
        train(lib, model, averaged)
        averaged.eval()
        return dict(averaged.state_dict()), averaged(batches(lib)[0])

    # 1 / (n + 1) is a float32 in PyTorch's function for lists.
    agree(program, rtol=1e-7 if name == "swa multi" else 1e-12)


def test_the_copy_is_independent_and_plain():
    model = model_of(tensorgrad)
    averaged = swa_utils.AveragedModel(model, device="cpu")
    train(tensorgrad, model, averaged, 2)
    kept = averaged.module[0].weight.detach().numpy().copy()
    model[0].weight.detach().fill_(0.0)
    np.testing.assert_array_equal(averaged.module[0].weight.detach().numpy(), kept)
    assert all(p.is_leaf and p.requires_grad and p.grad is None for p in averaged.parameters())
    assert averaged.n_averaged.item() == 2 and averaged.n_averaged.dtype is tensorgrad.int64


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_averaged_models_go_on(copier):
    model = model_of(tensorgrad)
    averaged = swa_utils.AveragedModel(model)
    train(tensorgrad, model, averaged, 2)
    twin = copier(averaged)
    for other in (averaged, twin):
        other.update_parameters(model)
    for p, q in zip(averaged.state_dict().values(), twin.state_dict().values(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_state_dicts_of_averaged_models_move_to_pytorch():
    torch = pytest.importorskip("torch")
    model = model_of(tensorgrad)
    averaged = swa_utils.AveragedModel(model)
    train(tensorgrad, model, averaged, 3)
    theirs = torch.optim.swa_utils.AveragedModel(model_of(torch))
    saved = {k: torch.from_numpy(np.array(v.numpy())) for k, v in averaged.state_dict().items()}
    assert list(saved) == list(theirs.state_dict())
    theirs.load_state_dict(saved)
    assert theirs.n_averaged.item() == 3


@pytest.mark.parametrize("form", ["tensors", "pairs", "device"])
def test_statistics_of_batches(form):
    def program(lib):
        model = model_of(lib)
        model[1].momentum = 0.3
        loader = batches(lib)
        if form == "pairs":
            loader = [(x, None) for x in loader]
        model.eval()
        lib.optim.swa_utils.update_bn(loader, model, device="cpu" if form == "device" else None)
        return dict(model.state_dict()), model.training, model[1].momentum

    agree(program, rtol=1e-12)


def test_statistics_of_nothing():
    def program(lib):
        model = lib.nn.Linear(1, 1)
        lib.optim.swa_utils.update_bn(iter([1 / 2]), model)  # not called: no such layer
        return model.training

    agree(program)


# --- the schedule -------------------------------------------------------------------------

SCHEDULES = {
    "cosine": {"swa_lr": 0.05},
    "linear": {"swa_lr": 0.05, "anneal_epochs": 4, "anneal_strategy": "linear"},
    "upwards": {"swa_lr": 0.9, "anneal_epochs": 5},
    "of each": {"swa_lr": [0.05, 0.01], "anneal_epochs": 3},
    "at once": {"swa_lr": 0.05, "anneal_epochs": 0},
}


def two_groups(lib):
    groups = [{"params": [lib.ones(1, requires_grad=True)], "lr": lr} for lr in (0.5, 0.2)]
    return lib.optim.SGD(groups, lr=0.1)


def follow(optimizer, *schedulers, epochs=14):
    seen = []
    for i in range(epochs):
        optimizer.step()
        schedulers[-1 if i > 4 else 0].step()
        seen.append(np.array([group["lr"] for group in optimizer.param_groups]))
    return seen


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_schedules_are_pytorchs(name):
    """Alone, after another schedule, and what is saved."""

    def program(lib):
        utils, optimizer = lib.optim.swa_utils, two_groups(lib)
        first = follow(optimizer, utils.SWALR(optimizer, **SCHEDULES[name]))
        optimizer = two_groups(lib)
        exponential = lib.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        swa = utils.SWALR(optimizer, **SCHEDULES[name])
        second = follow(optimizer, exponential, swa)
        saved = swa.state_dict()
        strategy = saved.pop("_anneal_strategy")
        return first, second, strategy, {k: np.array(saved[k]) for k in sorted(saved)}

    agree(program, rtol=1e-12)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_a_schedule_goes_on_in_the_other_library(strategy):
    torch = pytest.importorskip("torch")
    for source, target in ((tensorgrad, torch), (torch, tensorgrad)):
        a, b = two_groups(source), two_groups(target)
        first = source.optim.swa_utils.SWALR(a, 0.05, anneal_epochs=9, anneal_strategy=strategy)
        follow(a, first, epochs=4)
        second = target.optim.swa_utils.SWALR(b, 0.05)
        second.load_state_dict(first.state_dict())
        for group, other in zip(b.param_groups, a.param_groups, strict=True):
            group["lr"] = other["lr"]
        np.testing.assert_allclose(follow(a, first), follow(b, second), rtol=1e-12)


BAD = {
    "decay": lambda lib: lib.optim.swa_utils.get_ema_avg_fn(1.5),
    "multi decay": lambda lib: lib.optim.swa_utils.get_ema_multi_avg_fn(-0.1),
    "two functions": lambda lib: lib.optim.swa_utils.AveragedModel(
        lib.nn.Linear(1, 1), avg_fn=mixed, multi_avg_fn=mixed
    ),
    "strategy": lambda lib: lib.optim.swa_utils.SWALR(two_groups(lib), 0.1, 10, "square"),
    "epochs": lambda lib: lib.optim.swa_utils.SWALR(two_groups(lib), 0.1, -1),
    "half an epoch": lambda lib: lib.optim.swa_utils.SWALR(two_groups(lib), 0.1, 0.5),
    "rates": lambda lib: lib.optim.swa_utils.SWALR(two_groups(lib), [0.1]),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_arguments_raise_what_pytorch_raises(case):
    assert agree(BAD[case]) is not None


def test_names_and_signatures_are_pytorchs():
    torch = pytest.importorskip("torch")
    theirs = torch.optim.swa_utils
    assert set(swa_utils.__all__) == set(theirs.__all__)
    for name in theirs.__all__:
        want, got = (inspect.signature(getattr(u, name)).parameters for u in (theirs, swa_utils))
        assert [(p.name, p.kind, p.default) for p in got.values()] == [
            (p.name, p.kind, p.default) for p in want.values()
        ]
    assert issubclass(swa_utils.AveragedModel, nn.Module)


def test_optimizers_do_not_load_layers():
    """Averaged models are modules, so their file loads nn; the rest of optim does not."""
    code = (
        "import sys, tensorgrad.optim as o; o.RMSprop, o.lr_scheduler.StepLR\n"
        "assert not {'tensorgrad.nn', 'tensorgrad.optim.lbfgs'} & set(sys.modules)\n"
        "o.swa_utils.AveragedModel\n"
        "assert 'tensorgrad.nn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
