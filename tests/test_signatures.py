"""Arguments, their order and their defaults are PyTorch's, wherever Python can tell."""

import importlib
import inspect

import pytest

torch = pytest.importorskip("torch")

# Modules whose functions and classes are compared name by name.
PLACES = [
    "nn", "nn.functional", "nn.init", "nn.utils", "nn.utils.rnn", "nn.utils.parametrize",
    "nn.utils.parametrizations", "optim", "optim.lr_scheduler", "optim.swa_utils", "distributions",
    "utils.data", "autograd", "autograd.functional", "func", "linalg", "fft", "special",
    "utils.checkpoint", "signal.windows", "nn.utils.prune",
]  # fmt: skip

# What is otherwise, and why.
DIFFERS = {
    "nn.functional.sigmoid": "an op, which takes input= besides its own name",
    "nn.functional.tanh": "an op, which takes input= besides its own name",
    "distributions.Distribution": "torch.Size([]) prints otherwise than ()",
    "distributions.ExponentialFamily": "torch.Size([]) prints otherwise than ()",
    "utils.data.random_split": "the default generator is looked up at the call",
    "autograd.enable_grad": "a context manager without arguments of its own",
}


def both(place):
    try:
        theirs = importlib.import_module(f"torch.{place}")
        ours = importlib.import_module(f"tensorgrad.{place}")
    except ImportError:
        return
    for name in dir(theirs):
        a, b = getattr(theirs, name), getattr(ours, name, None)
        if name.startswith("_") or b is None or not callable(a):
            continue
        if getattr(a, "__module__", "").startswith("torch"):
            yield name, a, b


def parameters(function):
    """[(name, default or None)] without what accepts anything; None where Python cannot tell."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_KEYWORD for p in found):
        return None
    return [(p.name, None if p.default is p.empty else p.default) for p in found]


def alike(a, b):
    """Defaults that mean the same: 1 and 1.0, () and [], the same dtype or object by name."""
    if a is b or (type(a) is type(b) and a == b):
        return True
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b
    return str(a) == str(b) or (callable(a) and callable(b))


def difference(theirs, ours):
    """What a call written for PyTorch would meet, or None."""
    if theirs is None or ours is None:
        return None
    names = [n for n, _ in ours]
    expected = [n for n, _ in theirs]
    if names[: len(expected)] != expected:
        missing = [n for n in expected if n not in names]
        return f"missing {missing}" if missing else f"order {names} for {expected}"
    for (name, a), (_, b) in zip(theirs, ours, strict=False):
        if not alike(a, b):
            return f"{name}={b!r} for {a!r}"
    return None


@pytest.mark.parametrize("place", PLACES)
def test_signatures(place):
    wrong = {}
    for name, theirs, ours in both(place):
        found = difference(parameters(theirs), parameters(ours))
        if found and f"{place}.{name}" not in DIFFERS:
            wrong[name] = found
    assert wrong == {}
