"""Complex tensors: gradients in PyTorch's convention, views of the parts, errors, printing.

Every op that may see a complex gradient is generated from the registry, in complex and in mixed
numbers, against central differences: with the gradient ``dL/da + i dL/db`` of a real ``L``, a step
``dz`` changes ``L`` by ``Re(conj(grad) * dz)``.
"""

import numpy as np
import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ops import DIFFERENTIABLE, draw_case, is_variable

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad._graph import wrap
from tensorgrad._registry import OPS

COMPLEX = [name for name in DIFFERENTIABLE if OPS[name].complex is not None]
OTHERS = [name for name in DIFFERENTIABLE if OPS[name].complex is None]
MIXING = ("mul", "add", "sub", "rsub", "div", "pow", "addcmul", "addcdiv", "cat", "stack")
examples = settings(max_examples=10, deadline=None)


def complex_case(data, name):
    """A case of tests/test_ops.py with complex inputs, one of them real where the op mixes."""
    op, inputs, attrs = draw_case(data, name)
    rng = np.random.default_rng(1)
    at = [i for i, x in enumerate(inputs) if is_variable(x)]
    real = data.draw(st.sampled_from([None, *at])) if name in MIXING and len(at) > 1 else None
    inputs = [
        np.asarray(x + 1j * rng.uniform(0.25, 1.0, x.shape)) if i in at and i != real else x
        for i, x in enumerate(inputs)
    ]
    if name == "cast":
        attrs = {"dtype": np.dtype(data.draw(st.sampled_from(["complex128", "float64"])))}
    return op, inputs, attrs


def variable(x):
    return isinstance(x, np.ndarray) and x.dtype.kind in "fc"


def direction(rng, x):
    v = rng.standard_normal(x.shape)
    return v + 1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else v


def moved(xs, vs, h):
    return [x if v is None else np.asarray(x + h * v) for x, v in zip(xs, vs, strict=True)]


def slope(f, xs, vs, h=1e-6):
    return (f(moved(xs, vs, h)) - f(moved(xs, vs, -h))) / (2 * h)


def run(op, inputs, attrs):
    return op.apply(tuple(inputs), {**op.attrs, **attrs})


def leaves_of(xs):
    return [wrap(x).requires_grad_() if variable(x) else x for x in xs]


def dot(a, b):
    """The real inner product."""
    return float(np.sum(np.conj(a) * b).real)


def close(got, want, rtol):
    assert abs(got - want) <= rtol * (1.0 + abs(want)), f"gradient {got!r}, difference {want!r}"


@pytest.mark.parametrize("name", COMPLEX)
@given(data=st.data())
@examples
def test_first_and_second_gradients(name, data):
    op, inputs, attrs = complex_case(data, name)
    rng = np.random.default_rng(0)
    out = np.asarray(run(op, inputs, attrs))
    g = np.asarray(direction(rng, out))
    ts = leaves_of(inputs)
    leaves = [t for t in ts if isinstance(t, Tensor)]
    tracked_g = wrap(g.copy()).requires_grad_()
    run(op, ts, attrs).backward(wrap(g))
    grads = tg.autograd.grad(
        run(op, ts, attrs), leaves, tracked_g, create_graph=True, allow_unused=True
    )
    vs = [direction(rng, x) if variable(x) else None for x in inputs]
    for t, a in zip(leaves, grads, strict=True):
        assert (a is None) == (t.grad is None)
        if a is not None:
            assert a.dtype is t.dtype and t.grad.dtype is t.dtype and a.shape == t.shape
            np.testing.assert_allclose(t.grad.numpy(), a.detach().numpy(), rtol=1e-12, atol=1e-12)

    def first(xs):
        return dot(g, np.asarray(run(op, xs, attrs)))

    pairs = zip(grads, [v for v in vs if v is not None], strict=True)
    got = sum(dot(a.detach().numpy(), v) for a, v in pairs if a is not None)
    close(got, slope(first, inputs, vs), 5e-6)

    us = [direction(rng, x) for x in inputs if variable(x)]

    def gradient(xs):
        *xs, g = xs
        ts = leaves_of(xs)
        run(op, ts, attrs).backward(wrap(g))
        leaves = [t for t in ts if isinstance(t, Tensor)]
        return sum(dot(u, t.grad.numpy()) for u, t in zip(us, leaves, strict=True)
                   if t.grad is not None)  # fmt: skip

    total = sum((
        (a.conj() * wrap(np.asarray(u))).sum().real for a, u in zip(grads, us, strict=True)
        if a is not None
    ), wrap(np.zeros(())))  # fmt: skip
    second = [None] * (len(leaves) + 1)
    if total.requires_grad:
        second = tg.autograd.grad(total, [*leaves, tracked_g], allow_unused=True)
    vs.append(direction(rng, g))
    pairs = zip(second, [v for v in vs if v is not None], strict=True)
    got = sum(dot(a.numpy(), v) for a, v in pairs if a is not None)
    close(got, slope(gradient, [*inputs, g], vs), 5e-5)


@pytest.mark.parametrize("name", OTHERS)
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_an_op_that_was_not_checked_refuses(name, data):
    op, inputs, attrs = complex_case(data, name)
    with pytest.raises((RuntimeError, TypeError, NotImplementedError)):
        out = run(op, leaves_of(inputs), attrs)
        out.backward(tg.ones_like(out))
