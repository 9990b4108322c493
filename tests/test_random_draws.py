"""Draws by rejection and by transforming uniforms: equal to PyTorch's, and rightly distributed."""

import numpy as np
import pytest
from both import agree

import tensorgrad

torch = pytest.importorskip("torch")
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
rng = np.random.default_rng(0)
ALPHA = rng.uniform(0.01, 6.0, (200, 4))
COUNTS, PROBS = rng.integers(0, 200, 1000).astype(float), rng.uniform(0.0, 1.0, 1000)


def exactly(program):
    """Bitwise the same under both libraries, and the generators left in the same state."""
    for lib in (torch, tensorgrad):
        lib.manual_seed(5)
    theirs, ours = program(torch).numpy(), program(tensorgrad).numpy()
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(tensorgrad.rand(3).numpy(), torch.rand(3).numpy())


@dtypes
@pytest.mark.parametrize("name", ["_standard_gamma", "_sample_dirichlet"])
def test_gamma_and_dirichlet(name, dtype):
    exactly(lambda lib: getattr(lib, name)(lib.tensor(ALPHA, dtype=getattr(lib, dtype))))


@dtypes
@pytest.mark.parametrize("alpha", [1e-5, 1e-3, 0.0, 1.0, 1e6])
def test_gamma_of_extreme_shapes(alpha, dtype):
    exactly(lambda lib: lib._standard_gamma(lib.full((7,), alpha, dtype=getattr(lib, dtype))))


def test_dirichlet_stays_inside_the_simplex():
    exactly(lambda lib: lib._sample_dirichlet(lib.tensor([[50.0, 1e-4]] * 5)))
    exactly(lambda lib: lib._sample_dirichlet(lib.tensor([[50.0, 1e-4]] * 5, dtype=lib.float64)))


@dtypes
def test_binomial(dtype):
    def program(lib):
        n, p = (lib.tensor(v, dtype=getattr(lib, dtype)) for v in (COUNTS, PROBS))
        return lib.binomial(n, p)

    exactly(program)
    exactly(lambda lib: lib.binomial(lib.tensor([-1.0, 3.0, 3.0]), lib.tensor([0.5, 0.0, 1.5])))


@dtypes
@pytest.mark.parametrize("name, arguments", [
    ("cauchy_", (1.0, 3.0)), ("cauchy_", ()), ("log_normal_", (0.1, 0.3)), ("log_normal_", ()),
    ("geometric_", (0.2,)), ("geometric_", (1e-6,)), ("uniform_", (-1.0, 2.0)), ("random_", ()),
    ("random_", (5,)), ("random_", (-3, 7)),
])  # fmt: skip
def test_draws_in_place(name, arguments, dtype):
    for shape in ((301,), (3, 5), ()):
        exactly(
            lambda lib, s=shape: getattr(lib.zeros(s, dtype=getattr(lib, dtype)), name)(*arguments)
        )


def test_geometric_integers_and_views():
    exactly(lambda lib: lib.zeros(9, dtype=lib.int64).geometric_(0.3))
    exactly(lambda lib: lib.zeros(3, 4).t().cauchy_().contiguous())


@pytest.mark.parametrize("program", [
    lambda lib: lib.binomial(lib.tensor([1]), lib.tensor([0.5])),
    lambda lib: lib.binomial(lib.tensor([1.0]), 0.5),
    lambda lib: lib.binomial(lib.tensor([1.0]).double(), lib.tensor([0.5])),
    lambda lib: lib._standard_gamma(lib.tensor([1])),
    lambda lib: lib._sample_dirichlet(lib.tensor([1])),
    lambda lib: lib.zeros(2).geometric_(0.0),
    lambda lib: lib.zeros(2).geometric_(1.0),
    lambda lib: lib.zeros(2, dtype=lib.bool).geometric_(0.5),
    lambda lib: lib.zeros(2).cauchy_(0.0, 0.0),
    lambda lib: lib.zeros(2, dtype=lib.int64).cauchy_(),
    lambda lib: lib.zeros(2).log_normal_(0.0, 0.0),
    lambda lib: lib.zeros(2, dtype=lib.int64).log_normal_(),
    lambda lib: lib.poisson(lib.tensor([-1.0])),
    lambda lib: lib.binomial(*lib.ones(2, 3, requires_grad=True)).sum().backward(),
])  # fmt: skip
def test_bad_arguments(program):
    agree(program)


def test_a_gamma_draw_is_differentiable_once():
    a = tensorgrad.tensor([0.5, 3.0], requires_grad=True)
    (g,) = tensorgrad.autograd.grad(tensorgrad._standard_gamma(a).sum(), a, create_graph=True)
    assert (g > 0).all()
    with pytest.raises(RuntimeError, match="twice"):
        g.sum().backward()


def test_distribution_functions_of_the_draws():
    """Kolmogorov and Smirnov's test at a fixed seed; chi-squared for the binomial."""
    from scipy import stats

    tensorgrad.manual_seed(0)
    many, wide = 4000, tensorgrad.float64
    for alpha in (0.2, 1.0, 7.5):
        drawn = tensorgrad._standard_gamma(tensorgrad.full((many,), alpha, dtype=wide)).numpy()
        assert stats.kstest(drawn, stats.gamma(alpha).cdf).pvalue > 0.01
    drawn = tensorgrad.zeros(many, dtype=wide).cauchy_(1.0, 2.0).numpy()
    assert stats.kstest(drawn, stats.cauchy(1.0, 2.0).cdf).pvalue > 0.01
    drawn = tensorgrad.zeros(many, dtype=wide).log_normal_(0.5, 0.3).numpy()
    assert stats.kstest(np.log(drawn), stats.norm(0.5, 0.3).cdf).pvalue > 0.01
    for n, p in ((12, 0.3), (60, 0.4)):
        full = tensorgrad.full((many,), float(n))
        drawn = tensorgrad.binomial(full, tensorgrad.full((many,), p)).numpy().astype(int)
        expected = stats.binom(n, p).pmf(np.arange(n + 1)) * many
        usual = expected > 5
        seen = np.bincount(drawn, minlength=n + 1)
        score = ((seen - expected)[usual] ** 2 / expected[usual]).sum()
        assert stats.chi2(usual.sum()).sf(score) > 0.01
