"""Distributions beside PyTorch: densities, moments, gradients, draws, divergences, transforms."""

import numpy as np
import pytest
from both import agree, outcome

import tensorgrad

torch = pytest.importorskip("torch")

A, B = [0.7, 1.5, 3.2], [2.5, 0.4, 1.1]  # positive
P = [0.2, 0.5, 0.9]
R = [-1.3, 0.2, 2.0]
ROWS = [[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]]
LOGITS = [[0.1, -1.0, 2.0], [0.0, 0.5, -0.3]]
COV = [[2.0, 0.3, 0.1], [0.3, 1.0, -0.2], [0.1, -0.2, 0.5]]
TRIL = [[1.2, 0.0, 0.0], [0.3, 0.8, 0.0], [-0.1, 0.4, 0.6]]
U = [0.3, 0.6, 0.9]
SIMPLEX = [[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]]
ONE = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]


# name: (class, positional parameters, keyword parameters, a value)
CASES = {
    "normal": ("Normal", (R, A), {}, R),
    "bernoulli": ("Bernoulli", (P,), {}, [1.0, 0.0, 1.0]),
    "bernoulli_logits": ("Bernoulli", (), {"logits": R}, [1.0, 0.0, 1.0]),
    "beta": ("Beta", (A, B), {}, U),
    # Not 0.5: there PyTorch loses the second derivative of the normalizer.
    "binomial": ("Binomial", (7, [0.2, 0.4, 0.9]), {}, [3.0, 0.0, 7.0]),
    "binomial_logits": ("Binomial", (7,), {"logits": R}, [3.0, 0.0, 7.0]),
    "categorical": ("Categorical", (ROWS,), {}, [2.0, 0.0]),
    "categorical_logits": ("Categorical", (), {"logits": LOGITS}, [2.0, 0.0]),
    "cauchy": ("Cauchy", (R, A), {}, R),
    "chi2": ("Chi2", (A,), {}, A),
    "continuous_bernoulli": ("ContinuousBernoulli", (P,), {}, U),
    "dirichlet": ("Dirichlet", ([A, B],), {}, SIMPLEX),
    "exponential": ("Exponential", (A,), {}, B),
    "fisher": ("FisherSnedecor", (A, [5.0, 2.2, 9.0]), {}, B),
    "gamma": ("Gamma", (A, B), {}, U),
    "geometric": ("Geometric", (P,), {}, [3.0, 0.0, 1.0]),
    "geometric_logits": ("Geometric", (), {"logits": R}, [3.0, 0.0, 1.0]),
    "gumbel": ("Gumbel", (R, A), {}, [0.3, 1.0, -0.5]),
    "half_cauchy": ("HalfCauchy", (A,), {}, B),
    "half_normal": ("HalfNormal", (A,), {}, B),
    "inverse_gamma": ("InverseGamma", (A, B), {}, U),
    "kumaraswamy": ("Kumaraswamy", (A, B), {}, U),
    "laplace": ("Laplace", (R, A), {}, [0.3, 1.0, -0.5]),
    "log_normal": ("LogNormal", (R, A), {}, B),
    "logistic_normal": ("LogisticNormal", ([0.1, -0.4], [0.5, 1.5]), {}, SIMPLEX[0]),
    "low_rank": ("LowRankMultivariateNormal", (R, [[0.5], [1.0], [-0.3]], A), {}, A),
    "multinomial": ("Multinomial", (5, [[0.2, 0.35, 0.45], [0.6, 0.1, 0.3]]), {},
                    [[1.0, 2.0, 2.0], [5.0, 0.0, 0.0]]),
    "multivariate_cov": ("MultivariateNormal", (R,), {"covariance_matrix": COV}, [A, B]),
    "multivariate_prec": ("MultivariateNormal", ([R, A],), {"precision_matrix": COV}, [A, B]),
    "multivariate_tril": ("MultivariateNormal", (R,), {"scale_tril": TRIL}, A),
    "multivariate_batch": ("MultivariateNormal", (R,), {"scale_tril": [TRIL, COV]}, [[A], [B]]),
    "negative_binomial": ("NegativeBinomial", (A, P), {}, [3.0, 0.0, 1.0]),
    "one_hot": ("OneHotCategorical", (ROWS,), {}, ONE),
    "straight_through": ("OneHotCategoricalStraightThrough", (ROWS,), {}, ONE),
    "pareto": ("Pareto", (A, B), {}, [1.0, 2.0, 3.5]),
    "poisson": ("Poisson", (A,), {}, [3.0, 0.0, 1.0]),
    "relaxed_bernoulli": ("RelaxedBernoulli", (0.7, P), {}, U),
    "relaxed_one_hot": ("RelaxedOneHotCategorical", (0.7, ROWS), {}, SIMPLEX),
    "student": ("StudentT", (A, R, B), {}, U),
    "uniform": ("Uniform", (R, [0.0, 1.0, 5.0]), {}, [-0.5, 0.6, 2.5]),
    "von_mises": ("VonMises", (R, A), {}, U),
    "weibull": ("Weibull", (A, B), {}, U),
    "wishart": ("Wishart", (4.5,), {"covariance_matrix": COV}, COV),
    "wishart_tril": ("Wishart", ([4.5, 6.0],), {"scale_tril": TRIL}, COV),
}  # fmt: skip
cases = pytest.mark.parametrize("name", CASES)
# PyTorch's Bessel functions are good to 1e-7 here; its gamma derivatives to 1e-3.
RTOL = {"von_mises": 2e-6}


def tensors(lib, name, track=False):
    """(distribution, its parameters as tensors)."""
    kind, args, kwargs, _ = CASES[name]
    leaves = []

    def made(value):
        if isinstance(value, int):
            return value
        leaf = lib.tensor(value, dtype=lib.float64, requires_grad=track)
        leaves.append(leaf)
        # PyTorch's cholesky_solve also hands a gradient to the half that it does not read.
        return leaf.tril() if value is TRIL else leaf

    args, kwargs = [made(v) for v in args], {k: made(v) for k, v in kwargs.items()}
    return getattr(lib.distributions, kind)(*args, **kwargs), leaves


def value_of(lib, name):
    return lib.tensor(CASES[name][3], dtype=lib.float64)


def derivatives(lib, out, leaves):
    """The value, and first and second derivatives along fixed directions."""
    weights = lib.linspace(0.5, 1.5, out.numel(), dtype=lib.float64).reshape(out.shape)
    kw = {"allow_unused": True, "create_graph": True}
    first = lib.autograd.grad((out * weights).sum(), leaves, **kw)
    total = sum((g * lib.linspace(1, 2, g.numel(), dtype=lib.float64).reshape(g.shape)).sum()
                for g in first if g is not None)  # fmt: skip
    if not getattr(total, "requires_grad", False):
        return [out, [g for g in first if g is not None]]
    second = lib.autograd.grad(total, leaves, allow_unused=True)
    zero = lib.zeros(())
    full = [lib.zeros_like(p) + (0 if g is None else g)
            for g, p in zip(second, leaves, strict=True)]  # fmt: skip
    return [out, [zero if g is None else g for g in first], full]


@cases
def test_log_prob_and_its_derivatives(name):
    def program(lib):
        d, leaves = tensors(lib, name, track=True)
        value = value_of(lib, name).requires_grad_()
        return derivatives(lib, d.log_prob(value), [*leaves, value])

    agree(program, rtol=RTOL.get(name, 1e-7))


@cases
@pytest.mark.parametrize("attribute", ["mean", "mode", "variance", "stddev"])
def test_moments(name, attribute):
    if (name, attribute) == ("kumaraswamy", "mode"):
        return  # nan in PyTorch; see the test that follows
    agree(lambda lib: getattr(tensors(lib, name)[0], attribute), rtol=RTOL.get(name, 1e-9))


def test_mode_of_kumaraswamy_is_where_its_density_is_largest():
    d = tensorgrad.distributions
    a, b = (tensorgrad.tensor(v) for v in ([3.2, 1.0, 2.0, 0.7, 1.0], [1.1, 3.0, 1.0, 2.5, 1.0]))
    x = tensorgrad.linspace(0.0005, 0.9995, 1000).unsqueeze(-1)
    top = x[d.Kumaraswamy(a, b).log_prob(x).argmax(0), 0].numpy()
    mode = d.Kumaraswamy(a, b).mode.numpy()
    np.testing.assert_allclose(mode[:3], top[:3], atol=1e-3)
    assert np.isnan(mode[3:]).all()  # unbounded at 0, and flat


@cases
def test_entropy_and_its_derivatives(name):
    def program(lib):
        d, leaves = tensors(lib, name, track=True)
        out = d.entropy()
        return derivatives(lib, out, leaves) if out.requires_grad else out

    # PyTorch takes the logarithm of a factorial in float32 here.
    agree(program, rtol=1e-7 if name == "multinomial" else 1e-8)


@cases
def test_distribution_functions(name):
    agree(lambda lib: tensors(lib, name)[0].cdf(value_of(lib, name)), rtol=1e-8)
    u = [0.1, 0.5, 0.8]
    agree(lambda lib: tensors(lib, name)[0].icdf(lib.tensor(u, dtype=lib.float64)), rtol=1e-8)


@cases
def test_shapes_names_and_expansion(name):
    def program(lib):
        d, _ = tensors(lib, name)
        wide = d.expand((4, *d.batch_shape))
        facts = [
            tuple(s) for x in (d, wide) for s in (x.batch_shape, x.event_shape, x.mean.shape)
        ]
        return [facts, repr(d), repr(wide), d.has_rsample, d.has_enumerate_support,
                "" if hasattr(d.support, "lower_bound") else repr(d.support),
                wide.log_prob(value_of(lib, name))]  # fmt: skip

    def plain_names(lib):
        values = program(lib)
        return [v.replace("torch.", "") if isinstance(v, str) else v for v in values]

    agree(plain_names, rtol=RTOL.get(name, 1e-8))


@cases
def test_enumerated_support(name):
    for expand in (True, False):
        agree(lambda lib, e=expand: tensors(lib, name)[0].enumerate_support(e))


# PyTorch takes regular Wishart draws for singular ones, and draws them anew with a warning.
WISHART = ("wishart", "wishart_tril")


@pytest.mark.parametrize("name", [n for n in CASES if n not in WISHART])
def test_seeded_draws_equal_pytorch(name):
    """To rounding: beyond NumPy's and PyTorch's vector functions nothing differs."""

    def program(lib):
        lib.manual_seed(7)
        d, _ = tensors(lib, name)
        return [d.sample(), d.sample((5, 2)), lib.rand(3)]

    agree(program, rtol=1e-9)


@pytest.mark.parametrize("name", WISHART)
def test_wishart_draws(name):
    def program(lib):
        lib.manual_seed(3)
        d, leaves = tensors(lib, name, track=True)
        draw = d.rsample if lib is tensorgrad else d._bartlett_sampling
        out = draw((4,))
        return [out, lib.autograd.grad(out.sum(), leaves)]

    agree(lambda lib: program(lib)[0], rtol=1e-9)
    agree(lambda lib: list(program(lib)[1]), rtol=2e-3)  # PyTorch's gamma derivatives


REPARAMETERIZED = [n for n, c in CASES.items() if n not in WISHART
                   and getattr(torch.distributions, c[0]).has_rsample]  # fmt: skip


@pytest.mark.parametrize("name", [*REPARAMETERIZED, "gumbel", "pareto", "weibull"])
def test_gradients_of_draws(name):
    def program(lib):
        lib.manual_seed(3)
        d, leaves = tensors(lib, name, track=True)
        out = d.rsample((6,))
        weights = lib.linspace(0.5, 1.5, out.numel(), dtype=lib.float64).reshape(out.shape)
        grads = lib.autograd.grad((out * weights).sum(), leaves, allow_unused=True)
        return [out, [g for g in grads if g is not None]]

    gamma = ("beta", "chi2", "dirichlet", "fisher", "gamma", "inverse_gamma", "student")
    agree(program, rtol=2e-3 if name in gamma else 1e-8)


# --- implicit gradients, exactly ----------------------------------------------------------


def test_gamma_slope_is_that_of_the_quantile():
    from scipy import special

    from tensorgrad.kernels.implicit import gamma_slope

    rng = np.random.default_rng(0)
    a = np.exp(rng.uniform(np.log(0.05), np.log(2000.0), 800))
    q = rng.uniform(0.02, 0.98, a.size)
    h = 1e-5 * a
    x = special.gammaincinv(a, q)
    want = (special.gammaincinv(a + h, q) - special.gammaincinv(a - h, q)) / (2 * h)
    np.testing.assert_allclose(gamma_slope(a, x), want, rtol=1e-6)


def test_beta_slope_is_that_of_the_quantile():
    from scipy import special

    from tensorgrad.kernels.implicit import dirichlet_slope

    rng = np.random.default_rng(0)
    a, b = np.exp(rng.uniform(np.log(0.2), np.log(100.0), (2, 800)))
    q = rng.uniform(0.05, 0.6, a.size)
    x, h = special.betaincinv(a, b, q), 1e-5 * a
    fine = x < 0.999  # nearer to 1 the quantile itself has lost its digits
    want = (special.betaincinv(a + h, b, q) - special.betaincinv(a - h, b, q)) / (2 * h)
    got = dirichlet_slope(x, a, a + b) * (1 - x)
    np.testing.assert_allclose(got[fine], want[fine], rtol=2e-6)


# --- divergences --------------------------------------------------------------------------

FAMILIES = {
    "Bernoulli": "bernoulli", "Beta": "beta", "Binomial": "binomial", "Categorical": "categorical",
    "Cauchy": "cauchy", "ContinuousBernoulli": "continuous_bernoulli", "Dirichlet": "dirichlet",
    "Exponential": "exponential", "Gamma": "gamma", "Geometric": "geometric", "Gumbel": "gumbel",
    "HalfNormal": "half_normal", "Laplace": "laplace", "LogNormal": "log_normal",
    "LowRankMultivariateNormal": "low_rank", "MultivariateNormal": "multivariate_cov",
    "Normal": "normal", "OneHotCategorical": "one_hot", "Pareto": "pareto", "Poisson": "poisson",
    "Uniform": "uniform", "Chi2": "chi2", "StudentT": "student",
}  # fmt: skip
# Here PyTorch asks for the wrong side of the bounds; ours is infinite where p leaves q's support.
DIFFERENT = {("ContinuousBernoulli", "Uniform"), ("Uniform", "ContinuousBernoulli")}


@pytest.mark.parametrize("p", FAMILIES)
def test_divergences_of_all_pairs(p):
    for q in FAMILIES:
        if (p, q) in DIFFERENT:
            continue

        def program(lib, q=q):
            (d, _), (e, _) = tensors(lib, FAMILIES[p]), tensors(lib, FAMILIES[q])
            return lib.distributions.kl_divergence(d, e)

        agree(program, rtol=1e-7)


def test_divergences_with_gradients():
    def program(lib):
        out = []
        for name in ("normal", "gamma", "beta", "laplace", "gumbel", "poisson", "exponential"):
            d, leaves = tensors(lib, name, track=True)
            q = getattr(lib.distributions, CASES[name][0])
            others = [lib.tensor([0.9, 1.1, 2.0], dtype=lib.float64, requires_grad=True)
                      for _ in leaves]  # fmt: skip
            kl = lib.distributions.kl_divergence(d, q(*others))
            out.append(derivatives(lib, kl, [*leaves, *others]))
        return out

    agree(program, rtol=1e-7)


@pytest.mark.parametrize("low, high", [(0.2, 0.7), (-0.5, 0.5), (0.3, 1.5)])
def test_divergence_from_a_uniform(low, high):
    def program(lib):
        d = lib.distributions
        p, x = d.Uniform(low, high), lib.tensor(1.3)
        qs = [d.Beta(x, x), d.Exponential(x), d.Gamma(x, x), d.Normal(x, x), d.Gumbel(x, x)]
        qs += [d.Pareto(0.1, x), d.Uniform(-1.0, 1.0)]
        return [d.kl_divergence(p, q) for q in qs]

    agree(program, rtol=2e-5)


def test_divergence_across_bounds():
    d = tensorgrad.distributions
    p, q = d.ContinuousBernoulli(0.3), d.Uniform(0.0, 1.0)
    assert float(d.kl_divergence(p, q)) == pytest.approx(float(-p.entropy()))
    assert float(d.kl_divergence(p, d.Uniform(0.1, 1.0))) == np.inf


def test_registered_divergences_go_to_the_nearest_types():
    d = tensorgrad.distributions

    class Mine(d.Normal):
        pass

    @d.register_kl(Mine, d.Normal)
    def _(p, q):
        return "mine"

    assert d.kl_divergence(Mine(0.0, 1.0), d.Normal(0.0, 1.0)) == "mine"
    assert float(d.kl_divergence(d.Normal(0.0, 1.0), Mine(0.0, 1.0))) == 0.0
    with pytest.raises(TypeError):
        d.register_kl(int, d.Normal)


# --- made of others, bad input ------------------------------------------------------------


def test_mixtures():
    def program(lib):
        d, f = lib.distributions, lib.float64
        w = lib.tensor(ROWS, dtype=f, requires_grad=True)
        loc = lib.tensor([R, A], dtype=f, requires_grad=True)
        m = d.MixtureSameFamily(d.Categorical(w), d.Normal(loc, 0.7))
        v = lib.tensor([[0.1, 0.2], [1.0, -1.0]], dtype=f)
        lib.manual_seed(0)
        multi = d.MixtureSameFamily(
            d.Categorical(w), d.Independent(d.Normal(loc.unsqueeze(-1).expand(2, 3, 4), 1.0), 1)
        )
        return [m.mean, m.variance, m.cdf(v), derivatives(lib, m.log_prob(v), [w, loc]),
                m.sample((3,)), multi.sample((3,)), multi.mean, multi.variance,
                m.expand((5, 2)).log_prob(v), repr(m).replace("torch.", "")]  # fmt: skip

    agree(program, rtol=1e-8)


def test_transformed_distributions():
    def program(lib):
        d, f = lib.distributions, lib.float64
        base = d.Normal(lib.zeros(3, dtype=f), lib.ones(3, dtype=f))
        scale = lib.tensor([2.0, -1.0, 0.5], dtype=f)
        t = d.TransformedDistribution(base, [d.AffineTransform(1.0, scale), d.TanhTransform()])
        v = lib.tensor([0.1, 0.5, -0.3], dtype=f)
        lib.manual_seed(0)
        stick = d.TransformedDistribution(base, d.StickBreakingTransform())
        s = stick.rsample((2,))
        return [t.log_prob(v), t.cdf(v), t.icdf((v + 1) / 2), t.rsample((2,)), s,
                stick.log_prob(s), tuple(stick.batch_shape), tuple(stick.event_shape),
                t.expand((2, 3)).log_prob(v), repr(t.support), repr(stick.support)]  # fmt: skip

    agree(program, rtol=1e-8)


def test_independent():
    def program(lib):
        d = lib.distributions
        n = d.Independent(d.Normal(lib.zeros(2, 3), 1.0), 1)
        return [n.log_prob(lib.ones(3)), n.entropy(), tuple(n.batch_shape), tuple(n.event_shape),
                n.mean, repr(n).replace("torch.", ""), repr(n.support),
                tuple(n.expand((4, 2)).sample().shape)]  # fmt: skip

    agree(program)
    agree(lambda lib: lib.distributions.Independent(lib.distributions.Normal(0.0, 1.0), 1))


BAD = {
    "negative scale": lambda d, t: d.Normal(t(0.0), t(-1.0)),
    "nan": lambda d, t: d.Normal(t(float("nan")), 1.0),
    "not a number": lambda d, t: d.Normal("a", 1.0),
    "shapes": lambda d, t: d.Normal(t([0.0, 1.0]), t([1.0, 1.0, 1.0])),
    "probability": lambda d, t: d.Bernoulli(t(1.5)),
    "both": lambda d, t: d.Bernoulli(t(0.5), t(0.5)),
    "neither": lambda d, t: d.Categorical(),
    "no dimension": lambda d, t: d.Categorical(t(0.5)),
    "negative weight": lambda d, t: d.Categorical(t([-0.5, 1.5])),
    "zero probability": lambda d, t: d.Geometric(t(0.0)),
    "uniform": lambda d, t: d.Uniform(t(1.0), t(1.0)),
    "count": lambda d, t: d.Multinomial(t(3.0), t([0.5, 0.5])),
    "two matrices": lambda d, t: d.MultivariateNormal(t([0.0]), t([[1.0]]), t([[1.0]])),
    "no vector": lambda d, t: d.MultivariateNormal(t(0.0), t([[1.0]])),
    "no matrix": lambda d, t: d.MultivariateNormal(t([0.0]), t([1.0])),
    "indefinite": lambda d, t: d.MultivariateNormal(t([0.0, 0.0]), t([[1.0, 2.0], [2.0, 1.0]])),
    "low rank": lambda d, t: d.LowRankMultivariateNormal(t([0.0, 0.0]), t([[1.0]]), t([1.0, 1.0])),
    "low rank diagonal": lambda d, t: d.LowRankMultivariateNormal(t([0.0]), t([[1.0]]), t([-2.0])),
    "low rank batches": lambda d, t: d.LowRankMultivariateNormal(
        t([[0.0], [0.0]]), t([[1.0]]), t([[1.0], [1.0], [1.0]])
    ),
    "no low rank matrix": lambda d, t: d.LowRankMultivariateNormal(t([0.0]), t([1.0]), t([1.0])),
    "wishart": lambda d, t: d.Wishart(t(0.5), t([[1.0, 0.0], [0.0, 1.0]])),
    "mixture": lambda d, t: d.MixtureSameFamily(d.Normal(0.0, 1.0), d.Normal(0.0, 1.0)),
    "components": lambda d, t: d.MixtureSameFamily(
        d.Categorical(t([0.5, 0.5])), d.Normal(t([0.0, 0.0, 0.0]), 1.0)
    ),
    "not transforms": lambda d, t: d.TransformedDistribution(d.Normal(0.0, 1.0), [1]),
    "cache": lambda d, t: d.ExpTransform(cache_size=2),
    "too few dimensions": lambda d, t: d.TransformedDistribution(
        d.Normal(0.0, 1.0), d.StickBreakingTransform()
    ),
    "below the support": lambda d, t: d.Exponential(1.0).log_prob(t(-1.0)),
    "half": lambda d, t: d.Poisson(1.0).log_prob(t(0.5)),
    "category": lambda d, t: d.Categorical(t([0.5, 0.5])).log_prob(t(2.0)),
    "not on the simplex": lambda d, t: d.Dirichlet(t([1.0, 1.0])).log_prob(t([0.9, 0.9])),
    "a number": lambda d, t: d.Normal(0.0, 1.0).log_prob(0.5),
    "value shape": lambda d, t: d.Normal(t([0.0, 0.0]), 1.0).log_prob(t([0.0, 0.0, 0.0])),
    "event shape": lambda d, t: d.Dirichlet(t([1.0, 1.0])).log_prob(t([0.2, 0.2, 0.6])),
    "no cdf": lambda d, t: d.Poisson(1.0).cdf(t(1.0)),
    "no rsample": lambda d, t: d.Poisson(1.0).rsample(),
    "no support": lambda d, t: d.Normal(0.0, 1.0).enumerate_support(),
    "switch": lambda d, t: d.Distribution.set_default_validate_args(3),
    "no divergence": lambda d, t: d.kl_divergence(d.StudentT(1.0), d.Normal(0.0, 1.0)),
    "unchecked": lambda d, t: d.Normal(0.0, -1.0, validate_args=False).mean,
    "unchecked value": lambda d, t: d.Poisson(1.0, validate_args=False).log_prob(t(0.5)),
    "no transform": lambda d, t: d.biject_to(d.constraints.lower_cholesky),
    "dependent": lambda d, t: d.constraints.dependent.check(t(1.0)),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_raises_the_same_error(what):
    agree(lambda lib: BAD[what](lib.distributions, lib.tensor))


def test_subclasses():
    d = tensorgrad.distributions

    class Shifted(d.Normal):
        def __init__(self, loc):
            super().__init__(loc, 1.0)

    class Same(d.Normal):
        pass

    assert type(Same(0.0, 1.0).expand((2,))) is Same
    with pytest.raises(NotImplementedError, match="expand"):
        Shifted(0.0).expand((2,))
    with pytest.raises(NotImplementedError):
        d.Distribution(validate_args=False).expand((2,))
    with pytest.warns(FutureWarning):
        assert d.Normal(0.0, 1.0).sample_n(3).shape == (3,)


def test_modules_are_where_scripts_look_for_them():
    from tensorgrad.distributions.categorical import Categorical
    from tensorgrad.distributions.kl import kl_divergence
    from tensorgrad.distributions.multivariate_normal import MultivariateNormal
    from tensorgrad.distributions.normal import Normal

    d = tensorgrad.distributions
    assert (Categorical, MultivariateNormal, Normal, kl_divergence) == (
        d.Categorical, d.MultivariateNormal, d.Normal, d.kl_divergence
    )  # fmt: skip
    assert set(torch.distributions.__all__) <= set(d.__all__)


# --- the generalized Pareto distribution ----------------------------------------------------


def in_float64(program):
    """PyTorch's compares a concentration with a zero of the default dtype."""

    def run(lib):
        lib.set_default_dtype(lib.float64)
        try:
            return program(lib)
        finally:
            lib.set_default_dtype(lib.float32)

    return run


GPD = ([0.3, -1.0, 0.0, 2.0, 0.1], [1.2, 0.7, 2.0, 1.0, 0.9], [0.4, -0.5, 0.0, 1.3, -1.0])
GPD_VALUE = [1.0, -0.4, 3.0, 2.5, 0.7]


@pytest.mark.parametrize("name", ["log_prob", "cdf", "log_cdf", "log_survival_function"])
def test_generalized_pareto_functions(name):
    def program(lib, zero=True):
        # Where the concentration is 0, PyTorch's and our derivatives in it are those of a branch.
        rows = [list(p) if zero else [p[i] for i in (0, 1, 3)] for p in (*GPD, GPD_VALUE)]
        leaves = [lib.tensor(row, requires_grad=True) for row in rows]
        d = lib.distributions.GeneralizedPareto(*leaves[:3])
        return derivatives(lib, getattr(d, name)(leaves[3]), leaves)

    agree(in_float64(lambda lib: program(lib)[0]), rtol=1e-10)
    agree(in_float64(lambda lib: program(lib, zero=False)), rtol=1e-8)


def test_generalized_pareto_facts_and_draws():
    def program(lib):
        d = lib.distributions.GeneralizedPareto(*(lib.tensor(p) for p in GPD))
        wide, u = d.expand((2, 5)), lib.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
        lib.manual_seed(3)
        return [d.mean, d.variance, d.mode, d.entropy(), d.icdf(u), d.rsample((4,)), d.sample(),
                d.support.lower_bound, d.support.upper_bound, repr(d).replace("torch.", ""),
                wide.log_prob(lib.tensor(GPD_VALUE)), tuple(wide.batch_shape),
                lib.distributions.GeneralizedPareto(0.0, 1.0, 0.5).mean]  # fmt: skip

    agree(in_float64(program), rtol=1e-10)
    bad = [lambda d, t: d.GeneralizedPareto(0.0, -1.0, 0.5),
           lambda d, t: d.GeneralizedPareto(0.0, 1.0, t(-0.5)).log_prob(t(2.1)),
           lambda d, t: d.GeneralizedPareto(0.0, 1.0, 0.5).cdf(t(-0.1)),
           lambda d, t: d.GeneralizedPareto(0.0, 1.0, -1.0).log_prob(t(1.0))]  # fmt: skip
    for case in bad:
        agree(lambda lib, case=case: case(lib.distributions, lib.tensor))


# --- correlation matrices -------------------------------------------------------------------


def lkj(lib, dim, track=False):
    eta = lib.tensor([0.6, 1.0, 3.5], dtype=lib.float64, requires_grad=track)
    return lib.distributions.LKJCholesky(dim, eta), eta


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_densities_of_correlation_matrices(dim):
    x = np.random.default_rng(0).normal(size=(2, 1, dim, dim))
    factor = np.linalg.cholesky(np.corrcoef(x[0, 0]) * 0.3 + 0.7 * np.eye(dim))

    def program(lib):
        d, eta = lkj(lib, dim, track=True)
        wide = d.expand((2, 3))
        facts = [tuple(d.batch_shape), tuple(d.event_shape), repr(d.support), d.has_rsample, d.dim,
                 tuple(wide.batch_shape), tuple(wide.sample((4,)).shape), repr(d)]  # fmt: skip
        value = lib.tensor(factor)
        return [derivatives(lib, d.log_prob(value), [eta]), facts, wide.log_prob(value)]

    agree(program, rtol=1e-8)  # PyTorch's trigamma


def test_draws_of_correlation_matrices_equal_pytorch():
    """With PyTorch's parameters from the third row on; see the test that follows."""

    def program(lib, dim):
        d, eta = lkj(lib, dim)
        k = lib.tensor([0.0, 0.0, 1.0, 2.0][:dim], dtype=lib.float64)
        theirs = k + 0.5, (eta + (dim - 2) / 2).unsqueeze(-1) - k / 2
        if dim > 2:
            d._beta = lib.distributions.Beta(*theirs)
        lib.manual_seed(5)
        return [d.sample(), d.sample((6, 2)), lib.rand(2)]

    for dim in (2, 3, 4):
        agree(lambda lib, dim=dim: program(lib, dim), rtol=1e-9)


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_every_correlation_has_the_variance_of_its_beta(dim):
    """(r + 1) / 2 is Beta(a, a) with a = eta + (dim - 2) / 2, so that r has variance 1 / (2a + 1).

    With PyTorch's parameters the last row of dim 3 and eta 1 has 0.3 in place of 0.25.
    """
    tensorgrad.manual_seed(0)
    d, eta = lkj(tensorgrad, dim)
    factor = d.sample((20000,)).numpy()
    assert d.support.check(tensorgrad.tensor(factor)).all()
    below = (factor @ np.swapaxes(factor, -1, -2))[(..., *np.tril_indices(dim, -1))]
    a = eta.numpy() + (dim - 2) / 2
    want = np.broadcast_to(1 / (2 * a + 1), (*below.shape[2:], 3)).T
    np.testing.assert_allclose(below.var(0), want, rtol=0.04)  # 4 times 1 / sqrt(20000) and more


def test_correlation_matrices_need_two_rows():
    agree(lambda lib: lib.distributions.LKJCholesky(1))
    agree(lambda lib: lib.distributions.LKJCholesky(3, -1.0))
    agree(lambda lib: lib.distributions.LKJCholesky(2).log_prob(lib.eye(2) * 2))


# --- transforms ---------------------------------------------------------------------------

SQUARE = [[0.3, -0.2, 0.5], [0.1, 0.7, -0.4], [0.2, -0.6, 0.4]]
TRANSFORMS = {
    "abs": (lambda t, x: t.AbsTransform(), R),
    "affine": (lambda t, x: t.AffineTransform(1.0, -2.0), R),
    "affine tensors": (lambda t, x: t.AffineTransform(x(A), x(B)), R),
    "affine event": (lambda t, x: t.AffineTransform(x(A), x(B), event_dim=1), [R, A]),
    "exp": (lambda t, x: t.ExpTransform(), R),
    "log": (lambda t, x: t.ExpTransform().inv, A),
    "power": (lambda t, x: t.PowerTransform(x(1.7)), A),
    "sigmoid": (lambda t, x: t.SigmoidTransform(), R),
    "softplus": (lambda t, x: t.SoftplusTransform(), R),
    "tanh": (lambda t, x: t.TanhTransform(), R),
    "softmax": (lambda t, x: t.SoftmaxTransform(), [R, A]),
    "stick": (lambda t, x: t.StickBreakingTransform(), [R, A]),
    "cholesky": (lambda t, x: t.LowerCholeskyTransform(), SQUARE),
    "definite": (lambda t, x: t.PositiveDefiniteTransform(), SQUARE),
    "correlation": (lambda t, x: t.CorrCholeskyTransform(), [R, U]),
    "compose": (
        lambda t, x: t.ComposeTransform([t.AffineTransform(0.5, 2.0), t.TanhTransform()]), R),
    "compose dims": (
        lambda t, x: t.ComposeTransform([t.ExpTransform(), t.ExpTransform().inv,
                                         t.StickBreakingTransform()]), [R, A]),
    "independent": (lambda t, x: t.IndependentTransform(t.ExpTransform(), 1), [R, A]),
    "reshape": (lambda t, x: t.ReshapeTransform((2, 3), (6,)), [[R, A]]),
    "cat": (
        lambda t, x: t.CatTransform([t.ExpTransform(), t.SigmoidTransform()], 1, [1, 2]), [R, A]),
    "stack": (lambda t, x: t.StackTransform([t.ExpTransform(), t.TanhTransform()], 0), [R, A]),
    "identity": (lambda t, x: t.identity_transform, R),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_and_their_derivatives(name):
    make, points = TRANSFORMS[name]

    def parts(lib):
        t = make(lib.distributions.transforms, lambda v: lib.tensor(v, dtype=lib.float64))
        return t, lib.tensor(points, dtype=lib.float64, requires_grad=True)

    def forward(lib):
        t, x = parts(lib)
        y = t(x)
        back = t.inv(y)
        return [derivatives(lib, y, [x]), back, tuple(t.forward_shape(x.shape)),
                tuple(t.inverse_shape(y.shape)), t.bijective, t == t, repr(t),
                t.domain.event_dim, t.codomain.event_dim, repr(t.domain)]  # fmt: skip

    def slope(lib):
        t, x = parts(lib)
        return derivatives(lib, t.log_abs_det_jacobian(x, t(x)), [x])

    def inverse(lib):
        t, x = parts(lib)
        y = t(x).detach().requires_grad_()
        return derivatives(lib, t.inv(y), [y])

    agree(forward, rtol=1e-8)
    agree(inverse, rtol=1e-7)
    theirs = outcome(slope, torch)
    if not (theirs[1] is not None and "require grad" in str(theirs[1])):
        agree(slope, rtol=1e-7)
    agree(lambda lib: parts(lib)[0].sign, rtol=1e-9)


def test_caches_keep_the_very_tensor():
    t = tensorgrad.distributions.TanhTransform(cache_size=1)
    x = tensorgrad.tensor([30.0])
    assert t.inv(t(x)) is x
    assert t.with_cache(0)._cache_size == 0


REGIONS = ["real", "positive", "nonnegative", "unit_interval", "simplex", "real_vector",
           "lower_cholesky", "positive_definite", "corr_cholesky"]  # fmt: skip


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
def test_registries(region, registry):
    def program(lib):
        d = lib.distributions
        x = lib.tensor(SQUARE, dtype=lib.float64)
        constraint = getattr(d.constraints, region)
        t = getattr(d, registry)(constraint)
        return [t(x), constraint.check(t(x)), repr(constraint), constraint.check(x)]

    agree(program, rtol=1e-9)


def test_constraints():
    def program(lib):
        c, out = lib.distributions.constraints, []
        x = lib.tensor([[0.0, 1.0, 0.0], [0.5, 0.25, 0.25], [-1.0, 2.0, 3.0]])
        for k in (c.boolean, c.one_hot, c.simplex, c.nonnegative_integer, c.positive_integer,
                  c.integer_interval(0, 2), c.interval(0, 2), c.half_open_interval(0, 2),
                  c.greater_than(0.5), c.greater_than_eq(0.5), c.less_than(0.5), c.multinomial(1),
                  c.lower_triangular, c.square, c.symmetric, c.positive_semidefinite,
                  c.independent(c.real, 1), c.cat([c.real, c.positive], 1, [1, 2]),
                  c.stack([c.real, c.positive, c.boolean], 0)):  # fmt: skip
            out.append([k.check(x), k.is_discrete, k.event_dim, repr(k)])
        return out

    agree(program)


def test_second_derivative_of_a_power_keeps_float64():
    """Of a zero-dimensional exponent, which went through float32 under create_graph."""

    def program(lib):
        x = lib.tensor(A, dtype=lib.float64, requires_grad=True)
        y = x ** lib.tensor(1.7, dtype=lib.float64)
        return derivatives(lib, y, [x])

    agree(program, rtol=1e-12)
