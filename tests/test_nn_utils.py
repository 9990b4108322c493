"""Gradient clipping and parameters as a vector, beside PyTorch."""

import numpy as np
import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import nn

NORMS = [2, 2.0, 1, 0.5, 3, float("inf")]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def with_gradients(lib, scale=1.0, dtype="float64"):
    parameters = []
    for i, shape in enumerate([(3, 4), (5,), (), (2, 1, 3)]):
        p = lib.zeros(shape, dtype=getattr(lib, dtype), requires_grad=True)
        if i != 1:
            p.grad = lib.tensor(normal(*shape, seed=i) * scale, dtype=p.dtype)
        parameters.append(p)
    return parameters


@given(st.sampled_from(NORMS), st.floats(0.01, 20), st.floats(0.1, 10))
@settings(max_examples=40, deadline=None)
def test_clip_grad_norm(norm_type, max_norm, scale):
    def program(lib):
        parameters = with_gradients(lib, scale)
        total = lib.nn.utils.clip_grad_norm_(iter(parameters), max_norm, norm_type)
        return total, [p.grad for p in parameters if p.grad is not None]

    agree(program, rtol=1e-10)


@pytest.mark.parametrize("norm_type", NORMS)
def test_an_empty_gradient_counts_nothing(norm_type):
    """PyTorch raises for the largest element of an empty one."""
    p, empty = tg.ones(2, requires_grad=True), tg.ones(0, 2, requires_grad=True)
    p.grad, empty.grad = tg.tensor([3.0, -4.0]), tg.ones(0, 2)
    total = nn.utils.clip_grad_norm_([p, empty], 100.0, norm_type)
    assert total == nn.utils.clip_grad_norm_([p], 100.0, norm_type)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_clip_grad_norm_in_float32(scale):
    def program(lib):
        parameters = with_gradients(lib, scale, "float32")
        total = lib.nn.utils.clip_grad_norm_(parameters, 1.0)
        again = lib.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        return total, again, [p.grad for p in parameters if p.grad is not None]

    agree(program)


def test_clip_grad_norm_of_one_and_of_none():
    agree(lambda lib: lib.nn.utils.clip_grad_norm_(with_gradients(lib)[0], 1.0), rtol=1e-10)
    agree(lambda lib: lib.nn.utils.clip_grad_norm_([lib.ones(2)], 1.0))
    agree(lambda lib: lib.nn.utils.clip_grad_norm_([], 1.0))
    agree(lambda lib: lib.nn.utils.clip_grad_norm_((p for p in []), 1.0))  # warns, an error here


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_norm_that_is_not_finite(value):
    def program(lib, **kwargs):
        p = lib.ones(3, requires_grad=True)
        p.grad = lib.tensor([1.0, value, 2.0])
        return lib.nn.utils.clip_grad_norm_(p, 1.0, **kwargs), p.grad

    agree(program)
    assert isinstance(agree(lambda lib: program(lib, error_if_nonfinite=True)), RuntimeError)


def test_a_clipped_gradient_is_seen_by_the_graph():
    """A gradient that was saved by another graph and then clipped is stale there."""
    w = tg.tensor([3.0, 4.0], requires_grad=True)
    w.grad = tg.tensor([3.0, 4.0])
    x = tg.ones(2, requires_grad=True)
    y = (x * w.grad).sum()
    nn.utils.clip_grad_norm_(w, 1.0)
    with pytest.raises(RuntimeError, match="inplace operation"):
        y.backward()


def test_clip_grad_value():
    def program(lib):
        parameters = with_gradients(lib)
        lib.nn.utils.clip_grad_value_(parameters, 0.3)
        lib.nn.utils.clip_grad_value_(parameters[0], 0.1)
        return [p.grad for p in parameters if p.grad is not None]

    agree(program)


def test_the_deprecated_name_warns():
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        total = nn.utils.clip_grad_norm(with_gradients(tg), 1.0)
    assert total == nn.utils.clip_grad_norm_(with_gradients(tg), 1.0)


def test_parameters_as_a_vector():
    def program(lib):
        lib.manual_seed(0)
        model = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.Linear(4, 2))
        vector = lib.nn.utils.parameters_to_vector(model.parameters())
        (vector * vector).sum().backward()
        grads = [p.grad for p in model.parameters()]
        lib.nn.utils.vector_to_parameters(vector.detach() * 2, model.parameters())
        return vector, grads, list(model.parameters()), model(lib.ones(1, 3))

    agree(program)


def test_vectors_that_do_not_fit():
    agree(lambda lib: lib.nn.utils.vector_to_parameters([1.0], lib.nn.Linear(1, 1).parameters()))
    model = nn.Linear(2, 1)
    before = model.weight.tolist()
    with pytest.raises(RuntimeError, match="2 elements"):
        nn.utils.vector_to_parameters(tg.ones(2), model.parameters())
    assert model.weight.tolist() == before
