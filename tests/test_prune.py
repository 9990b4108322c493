"""Pruning beside PyTorch."""

import importlib

import numpy as np
import pytest
from both import agree


def prune_of(lib):
    return importlib.import_module(f"{lib.__name__}.nn.utils.prune")


def net(lib):
    made = lib.nn.Sequential(lib.nn.Linear(4, 6), lib.nn.ReLU(), lib.nn.Linear(6, 3)).double()
    draw = np.random.default_rng(0)
    with lib.no_grad():
        for p in made.parameters():
            p.copy_(lib.tensor(draw.normal(size=tuple(p.shape))))
    return made


def numbers(lib, *shape, seed=1):
    return lib.tensor(np.random.default_rng(seed).normal(size=shape))


def facts(lib, module):
    """Outputs, gradients, state and names after pruning."""
    out = module(numbers(lib, 5, 4))
    module.zero_grad()
    (out**2).sum().backward()
    grads = {name: p.grad for name, p in module.named_parameters()}
    return out, grads, dict(module.state_dict()), sorted(n for n, _ in module.named_buffers())


STEPS = {
    "identity": lambda lib, u, m: u.identity(m[0], "weight"),
    "l1": lambda lib, u, m: u.l1_unstructured(m[0], "weight", 0.3),
    "l1 bias": lambda lib, u, m: u.l1_unstructured(m[0], "bias", amount=2),
    "l1 scores": lambda lib, u, m: u.l1_unstructured(
        m[0], "weight", 5, importance_scores=numbers(lib, 6, 4, seed=8)
    ),
    "ln": lambda lib, u, m: u.ln_structured(m[0], "weight", 0.4, 2, 0),
    "ln columns": lambda lib, u, m: u.ln_structured(m[0], "weight", 1, 1, -1),
    "ln inf": lambda lib, u, m: u.ln_structured(
        m[0], "weight", 1, float("inf"), 1, numbers(lib, 6, 4, seed=8)
    ),
    "mask": lambda lib, u, m: u.custom_from_mask(
        m[0], "weight", (numbers(lib, 6, 4, seed=4) > 0).to(lib.int64)
    ),
    "global": lambda lib, u, m: u.global_unstructured(
        [(m[0], "weight"), (m[2], "weight"), (m[2], "bias")], u.L1Unstructured, amount=0.4
    ),
    "global scores": lambda lib, u, m: u.global_unstructured(
        ((m[0], "weight"), (m[2], "weight")), u.L1Unstructured,
        importance_scores={(m[0], "weight"): numbers(lib, 6, 4, seed=8)}, amount=11,
    ),
    "nothing": lambda lib, u, m: u.ln_structured(m[0], "weight", 0, 2, 0),
}  # fmt: skip


@pytest.mark.parametrize("first", STEPS)
@pytest.mark.parametrize("second", [None, "l1", "ln", "mask", "global"])
def test_methods(first, second):
    def run(lib):
        m, u = net(lib), prune_of(lib)
        returned = STEPS[first](lib, u, m)
        if second:
            STEPS[second](lib, u, m)
        before = facts(lib, m)
        hooks = [type(h).__name__ for h in m[0]._forward_pre_hooks.values()]
        pruned = [name.removesuffix("_mask") for name, _ in m[0].named_buffers()]
        for name in pruned:
            u.remove(m[0], name)
        return returned is m[0], before, hooks, facts(lib, m), u.is_pruned(m), u.is_pruned(m[0])

    agree(run, rtol=1e-9)


@pytest.mark.parametrize("amount", [0, 3, 0.5, 1.0, 24])
def test_random_elements(amount):
    def run(lib):
        lib.manual_seed(0)
        m, u = net(lib).float(), prune_of(lib)
        u.random_unstructured(m[0], "weight", amount)
        u.random_unstructured(m[2], "weight", 0.5)
        u.random_unstructured(m[2], "weight", 0.5)
        return m[0].weight_mask, m[2].weight_mask

    agree(run)


@pytest.mark.parametrize("amount", [0, 1, 0.5])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_random_channels(amount, dim):
    def run(lib):
        lib.manual_seed(0)
        m, u = net(lib), prune_of(lib)
        u.random_structured(m[0], "weight", amount, dim)
        u.random_structured(m[0], "weight", 1, dim)
        return m[0].weight_mask

    agree(run)


def test_methods_without_modules():
    def run(lib):
        u, t = prune_of(lib), numbers(lib, 3, 4)
        method = u.L1Unstructured(amount=3)
        ones = lib.ones(3, 4).double()
        return (
            method.prune(t), method.prune(t, importance_scores=numbers(lib, 3, 4, seed=9)),
            method.compute_mask(t, ones), u.LnStructured(1, 2, 0).prune(t, ones),
            u.Identity().prune(t), u.Identity.PRUNING_TYPE, u.LnStructured.PRUNING_TYPE,
        )  # fmt: skip

    def container(lib):
        u, m = prune_of(lib), net(lib)
        u.l1_unstructured(m[0], "weight", 2)
        u.ln_structured(m[0], "weight", 1, 2, 0)
        (hook,) = m[0]._forward_pre_hooks.values()
        return len(hook), [type(h).__name__ for h in hook], type(hook[0]).__name__

    agree(run)
    agree(container)


def test_bad_input():
    for program in (
        lambda lib, u, m: u.l1_unstructured(m[0], "weight", 1.5),
        lambda lib, u, m: u.l1_unstructured(m[0], "weight", -1),
        lambda lib, u, m: u.l1_unstructured(m[0], "weight", "some"),
        lambda lib, u, m: u.l1_unstructured(m[0], "weight", 100),
        lambda lib, u, m: u.l1_unstructured(m[0], "other", 1),
        lambda lib, u, m: u.l1_unstructured(m[0], "weight", 1, numbers(lib, 3)),
        lambda lib, u, m: u.random_structured(m[0], "bias", 1, 0),
        lambda lib, u, m: u.ln_structured(m[0], "weight", 1, 2, 2),
        lambda lib, u, m: u.custom_from_mask(m[0], "weight", lib.ones(3)),
        lambda lib, u, m: u.remove(m[0], "weight"),
        lambda lib, u, m: u.global_unstructured(3, u.L1Unstructured, amount=1),
        lambda lib, u, m: u.global_unstructured(
            [(m[0], "weight")], u.L1Unstructured, importance_scores=3, amount=1
        ),
        lambda lib, u, m: u.global_unstructured([(m[0], "weight")], u.LnStructured, amount=1, n=2),
        lambda lib, u, m: u.PruningContainer(u.Identity()),
    ):
        def run(lib, program=program):
            return program(lib, prune_of(lib), net(lib))

        assert isinstance(agree(run), Exception)


def test_a_refused_call_leaves_the_module_as_it_was():
    def run(lib):
        m, u = net(lib), prune_of(lib)
        with pytest.raises(ValueError, match="should be smaller"):
            u.l1_unstructured(m[0], "weight", 100)
        return sorted(m.state_dict()), facts(lib, m)[0], u.is_pruned(m)

    agree(run)
