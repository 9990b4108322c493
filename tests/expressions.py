"""Evaluate one expression under PyTorch and under tensorgrad, and compare all that it does.

An expression is Python source over ``torch`` (either library), ``F`` (its functional names) and
tensors ``x``, ``y``, ... whose values a test gives as arrays; floating-point ones are tracked.
"""

import re
import warnings

import numpy as np
import pytest

import tensorgrad
from tensorgrad._registry import FUNCTIONS, METHODS

torch = pytest.importorskip("torch")
LIBRARIES = {
    "theirs": {"torch": torch, "F": torch.nn.functional},
    "ours": {"torch": tensorgrad, "F": tensorgrad},
}


def made(lib, arrays, tracked=True):
    """Tensors by name for one library; each owns its memory."""
    tensors = {k: lib["torch"].tensor(a) for k, a in arrays.items()}
    for t in tensors.values():
        if tracked and t.is_floating_point():
            t.requires_grad_()
    return tensors


def evaluate(source, lib, tensors):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(source, {**lib, "np": np, **tensors})


def flat(value):
    """The tensors in a result, in order."""
    if isinstance(value, tuple | list):
        return [t for v in value for t in flat(v)]
    return [value]


def compare_values(source, arrays):
    """Nesting, shapes, dtypes, values, sharing of memory with ``x``, names of the nodes."""
    theirs, ours = (
        describe(source, lib, made(lib, arrays, tracked=False)) for lib in LIBRARIES.values()
    )
    assert ours == theirs
    for a, b in zip(*(results(source, lib, arrays) for lib in LIBRARIES.values()), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-12)


def describe(source, lib, tensors):
    out = evaluate(source, lib, tensors)
    shape = [len(out)] if isinstance(out, tuple | list) and not hasattr(out, "dtype") else []
    x = tensors["x"].detach().numpy()
    return shape, [
        (tuple(t.shape), str(t.dtype), bool(np.shares_memory(t.detach().numpy(), x)))
        if hasattr(t, "dtype")
        else t
        for t in flat(out)
    ]


def results(source, lib, arrays):
    out = evaluate(source, lib, made(lib, arrays, tracked=False))
    return [t.detach().numpy() for t in flat(out) if hasattr(t, "detach")]


def derivatives(source, lib, arrays, seed=0):
    """First and second derivative of a weighted sum of squares of the result."""
    rng = np.random.default_rng(seed)
    tensors = made(lib, arrays)
    leaves = [t for t in tensors.values() if t.requires_grad]
    inside = {k: t * 1.0 if t.requires_grad else t for k, t in tensors.items()}
    loss = 0.0
    for t in flat(evaluate(source, lib, inside)):
        if getattr(t, "requires_grad", False):
            weight = lib["torch"].tensor(rng.standard_normal(tuple(t.shape)))
            loss = loss + (t * t * weight).sum() + (t * weight).sum()
    assert not isinstance(loss, float), "nothing in the result is tracked"
    grad = lib["torch"].autograd.grad
    first = grad(loss, leaves, create_graph=True, allow_unused=True)
    again = 0.0
    for g in first:
        if g is not None:
            again = again + (g * lib["torch"].tensor(rng.standard_normal(tuple(g.shape)))).sum()
    second = [None] * len(leaves)
    if again.requires_grad:
        second = grad(again, leaves, allow_unused=True)
    return [numbers(g, t) for g, t in zip((*first, *second), leaves * 2, strict=True)]


def numbers(g, t):
    return np.zeros(tuple(t.shape)) if g is None else g.detach().numpy()


def compare_derivatives(source, arrays):
    theirs, ours = (derivatives(source, lib, arrays) for lib in LIBRARIES.values())
    for a, b in zip(theirs, ours, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-10)


def compare_errors(source, arrays):
    """Both raise, and ours is caught where PyTorch's built-in type is; returns ours."""
    caught = {}
    for name, lib in LIBRARIES.items():
        try:
            result = evaluate(source, lib, made(lib, arrays))
        except Exception as error:
            caught[name] = error
        else:
            pytest.fail(f"{name}: no error, but {result}")
    kind = next(c for c in type(caught["theirs"]).__mro__ if c.__module__ == "builtins")
    assert isinstance(caught["ours"], kind), f"{caught['ours']!r}, PyTorch: {caught['theirs']!r}"
    return caught["ours"]


def named_in(sources):
    """All names that follow a dot in the expressions."""
    return {name for source in sources for name in re.findall(r"\.([A-Za-z_]\w*)", source)}


def public_names(module):
    """The functions and methods that an op file publishes."""
    tables = {**FUNCTIONS, **METHODS}
    return {n for n, f in tables.items() if f.__module__ == module and not n.startswith("__")}
