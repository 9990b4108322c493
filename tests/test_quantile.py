"""Quantiles beside PyTorch."""

import math

import numpy as np
import pytest
from both import agree
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad

HOW = ["linear", "lower", "higher", "midpoint", "nearest"]
NAMES = ["quantile", "nanquantile"]


def numbers(lib, shape, seed=0, nans=False):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=shape)
    if nans:
        x[draw.uniform(size=shape) < 0.3] = math.nan
    return lib.tensor(x)


@given(
    name=st.sampled_from(NAMES),
    shape=st.lists(st.integers(1, 5), max_size=3),
    q=st.one_of(st.floats(0, 1), st.lists(st.floats(0, 1), max_size=3)),
    keepdim=st.booleans(),
    how=st.sampled_from(HOW),
    nans=st.booleans(),
    seed=st.integers(0, 9),
    data=st.data(),
)
def test_values(name, shape, q, keepdim, how, nans, seed, data):
    n = max(len(shape), 1)
    dim = data.draw(st.one_of(st.none(), st.integers(-n, n - 1)))

    def run(lib):
        x = numbers(lib, tuple(shape), seed, nans and bool(shape))
        at = lib.tensor(q, dtype=lib.float64) if isinstance(q, list) else q
        return getattr(lib, name)(x, at, dim, keepdim, interpolation=how)

    agree(run, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("dim", [None, 0, 1])
def test_gradients(name, how, dim):
    def run(lib):
        x = numbers(lib, (4, 5), 3, nans=name == "nanquantile").requires_grad_()
        q = lib.tensor([0.1, 0.65], dtype=lib.float64).requires_grad_()
        out = getattr(x, name)(q, dim, interpolation=how)
        wanted = [x, q] if how == "linear" else [x]
        first = lib.autograd.grad((out**3).sum(), wanted, create_graph=True)
        return first, lib.autograd.grad(sum((g**2).sum() for g in first), wanted)

    agree(run, rtol=1e-9)


def test_single_precision_and_whole_ranks():
    def run(lib):
        x = lib.arange(10.0)
        return [lib.quantile(x, lib.arange(10.0) / 9, interpolation=how) for how in HOW]

    agree(run)
    agree(lambda lib: lib.quantile(lib.arange(4.0), 1))
    agree(lambda lib: lib.quantile(lib.tensor([math.inf, 1.0, 2.0, math.inf]), 0.8))
    agree(lambda lib: lib.quantile(lib.tensor([2.0, 1.0, 2.0, 1.0]), lib.tensor(0.5)))


def test_gradient_of_rows_with_nan():
    def run(lib):
        x = lib.tensor([[1.0, math.nan, 2.0], [math.nan] * 3], requires_grad=True)
        plain = lib.quantile(x, 0.3, 1)
        skipping = lib.nanquantile(x, 0.3, 1)
        return (
            plain, skipping, lib.autograd.grad(plain.sum(), x),
            lib.autograd.grad(skipping.sum(), x),
        )  # fmt: skip

    agree(run)


def test_out():
    def run(lib):
        x = numbers(lib, (3, 4))
        out = lib.empty(3, dtype=lib.float64)
        lib.quantile(x, 0.3, 1, out=out)
        return out

    agree(run)


@pytest.mark.parametrize("name", NAMES)
def test_bad_input(name):
    for program in (
        lambda lib, x, q: (x, q.float()),
        lambda lib, x, q: (x, 1.5),
        lambda lib, x, q: (x, -0.1),
        lambda lib, x, q: (x, math.nan),
        lambda lib, x, q: (x, q + 1),
        lambda lib, x, q: (x, q * math.nan),
        lambda lib, x, q: (x, q[None]),
        lambda lib, x, q: (x, [0.1]),
        lambda lib, x, q: (x, "0.1"),
        lambda lib, x, q: (x.long(), 0.1),
        lambda lib, x, q: (x.half(), 0.1),
        lambda lib, x, q: (x + 0j, 0.1),
        lambda lib, x, q: (x[:0], 0.1),
        lambda lib, x, q: (x[:0], 0.1, 1),
        lambda lib, x, q: (x, 0.1, 2),
    ):
        def run(lib, program=program):
            q = lib.tensor([0.1, 0.6], dtype=lib.float64)
            return getattr(lib, name)(*program(lib, numbers(lib, (3, 4)), q))

        assert isinstance(agree(run), Exception)
    with pytest.raises(RuntimeError, match="interpolation must be one of"):
        tensorgrad.quantile(tensorgrad.ones(2), 0.1, interpolation="cubic")
