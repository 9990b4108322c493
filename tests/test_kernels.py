"""GELU and softmax in blocks: accuracy, and every size and place where a block may end."""

import numpy as np
import pytest
from scipy.special import ndtr

import tensorgrad as tg
from tensorgrad.kernels import softmax as kernel
from tensorgrad.nn import functional as F

SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 3e38, -3e38, 1e-30]


def value_and_gradient(run, x):
    t = tg.tensor(x, requires_grad=True)
    out = run(t)
    out.backward(tg.ones(*x.shape, dtype=t.dtype))
    return out.detach().numpy(), t.grad.numpy()


def test_gelu_is_accurate_in_single_precision():
    """On 400,000 points, denormal results aside: they are counted in units of the smallest."""
    x = np.concatenate([np.linspace(-14.5, 14.5, 300_001), np.logspace(-30, 1.1, 50_000),
                        -np.logspace(-30, 1.1, 50_000)]).astype(np.float32)  # fmt: skip
    exact = x.astype(np.float64)
    cdf, density = ndtr(exact), np.exp(-0.5 * exact**2) / np.sqrt(2 * np.pi)
    out, slope = value_and_gradient(F.gelu, x)
    allowed = 1.2e-7 * (3.0 + exact**2)
    assert (abs(out - exact * cdf) <= allowed * abs(exact * cdf) + 2e-43).all()
    # Phi and x * phi are each so accurate, their sum next to its zero at x = -0.75 is not.
    terms = cdf + abs(exact) * density
    assert (abs(slope - (cdf + exact * density)) <= allowed * terms + 2e-43).all()
    above = exact > 0
    assert (abs(out / np.where(above, exact * cdf, 1) - 1)[above] <= 3e-7).all()


@pytest.mark.parametrize("size", [1023, 1024, 32767, 32768, 32769, 70000])
def test_gelu_of_any_size(size):
    x = np.random.default_rng(0).normal(0, 2, size).astype(np.float32)
    for approximate in ("none", "tanh"):
        single = value_and_gradient(lambda t, a=approximate: F.gelu(t, approximate=a), x)
        double = value_and_gradient(
            lambda t, a=approximate: F.gelu(t, approximate=a), x.astype(np.float64)
        )
        for got, want in zip(single, double, strict=True):
            # 1 - tanh**2 cancels in the tail, and is multiplied by up to 15 there.
            np.testing.assert_allclose(got, want, rtol=2e-5, atol=3e-6)


@pytest.mark.parametrize("special", SPECIAL)
def test_gelu_of_special_values_beside_pytorch(special):
    """Alone (by SciPy) and within a block."""
    torch = pytest.importorskip("torch")
    x = torch.tensor([special], requires_grad=True)
    out = torch.nn.functional.gelu(x)
    out.backward(torch.ones(1))
    block = np.full(40000, 0.5, np.float32)
    block[35000] = special
    for ours, at in ((np.array([special], np.float32), 0), (block, 35000)):
        got, slope = value_and_gradient(F.gelu, ours)
        np.testing.assert_allclose(got[at], out.item(), rtol=1e-6)
        np.testing.assert_allclose(slope[at], x.grad.item(), rtol=1e-6, atol=1e-6)
        assert np.isfinite(np.delete(got, at)).all()


def test_gelu_of_a_transposed_array():
    x = np.random.default_rng(0).normal(size=(300, 200)).astype(np.float32)
    straight, turned = F.gelu(tg.tensor(x)), F.gelu(tg.tensor(x).T).T
    np.testing.assert_allclose(straight.numpy(), turned.numpy(), rtol=1e-6, atol=1e-7)
    for approximate in ("none", "tanh"):
        assert F.gelu(tg.tensor(x).T, approximate=approximate).shape == (200, 300)


SHAPES = [(1, 1), (3, 40000), (40000, 3), (33, 1000), (7, 5, 1000), (5, 3, 2), (0, 4), (6,), (2, 1)]


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_in_blocks(shape, axis, dtype):
    rng = np.random.default_rng(0)
    x, g = rng.normal(0, 5, shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    axis %= len(shape)
    wide = x.astype(np.longdouble)
    powers = np.exp(wide - wide.max(axis, keepdims=True, initial=-np.inf))
    p = powers / powers.sum(axis, keepdims=True)
    near = {"rtol": 2e-5, "atol": 2e-6} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-12}
    out = kernel.softmax(x, axis)
    np.testing.assert_allclose(out, p.astype(dtype), **near)
    slope = (g - (g * p).sum(axis, keepdims=True)) * p
    np.testing.assert_allclose(kernel.softmax_gradient(g, out, axis), slope.astype(dtype), **near)
    logs = kernel.log_softmax(x, axis)
    np.testing.assert_allclose(logs, np.log(p).astype(dtype), **near)
    slope = g - p * g.sum(axis, keepdims=True)
    got = kernel.log_softmax_gradient(g, logs, axis)
    scale = 1 + abs(g.sum(axis, keepdims=True)).max(initial=0)
    np.testing.assert_allclose(got / scale, (slope / scale).astype(dtype), **near)
    assert out.dtype == logs.dtype == got.dtype == dtype
    assert out.shape == logs.shape == got.shape == shape


def test_softmax_of_infinities_in_a_block():
    x = np.zeros((4, 3), np.float32)
    x[1], x[2, 0], x[3, 0] = -np.inf, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        out = kernel.softmax(x, 1)
    np.testing.assert_allclose(out[0], 1 / 3, rtol=1e-6)
    assert np.isnan(out[1]).all() and np.isnan(out[2, 0])
    np.testing.assert_array_equal(out[3], [0, 0.5, 0.5])
