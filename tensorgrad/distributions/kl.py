"""The Kullback-Leibler divergence of pairs of distributions.

Between different families, ``KL(p || q) = -entropy(p) - E_p[log q]``, and the expectation needs
only a few moments of p: its mean and variance, E[log x], E[exp(-t x)]. So there is one function
for each of those moments and each q, rather than one for each pair.
"""

from __future__ import annotations

import math
import warnings

import tensorgrad as tg

from ..ops.fused import bce_with_logits
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .continuous_bernoulli import ContinuousBernoulli
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exp_family import ExponentialFamily, normalizer_and_gradients
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import euler_constant, log_beta, sum_rightmost

__all__ = ["kl_divergence", "register_kl"]

_TABLE: dict = {}
_FOUND: dict = {}  # what _lookup returned, by the types of the pair


def register_kl(type_p, type_q):
    """Decorate a function of (p, q) that :func:`kl_divergence` then calls for these types.

    Of several that fit, the one for the nearest types counts, that of p first; if that of q
    would choose another, there is a RuntimeWarning.

    Raises:
        TypeError: an argument is not a subclass of Distribution.
    """
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise TypeError(f"{name} must be a class of distributions, got {kind!r}")

    def enter(fn):
        _TABLE[type_p, type_q] = fn
        _FOUND.clear()
        return fn

    return enter


def _lookup(p, q):
    fits = [(a, b) for a, b in _TABLE if issubclass(p, a) and issubclass(q, b)]
    if not fits:
        return None

    def near(pair):
        return p.__mro__.index(pair[0]), q.__mro__.index(pair[1])

    first, other = min(fits, key=near), min(fits, key=lambda pair: near(pair)[::-1])
    if _TABLE[first] is not _TABLE[other]:
        warnings.warn(
            f"two functions fit kl_divergence of {p.__name__} and {q.__name__} alike; settle it by "
            f"register_kl({first[0].__name__}, {other[1].__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _TABLE[first]


def kl_divergence(p, q):
    """The expectation under ``p`` of ``p.log_prob(x) - q.log_prob(x)``, of the batch shape.

    Raises:
        NotImplementedError: no function is registered for the types of the pair.

    >>> import tensorgrad as torch
    >>> d = torch.distributions
    >>> d.kl_divergence(d.Normal(0.0, 1.0), d.Normal(1.0, 1.0))
    tensor(0.5000)
    """
    pair = type(p), type(q)
    if pair not in _FOUND:
        _FOUND[pair] = _lookup(*pair)
    if _FOUND[pair] is None:
        raise NotImplementedError(
            f"no divergence of {pair[0].__name__} and {pair[1].__name__} is known; enter one with "
            "register_kl"
        )
    return _FOUND[pair](p, q)


# --- within a family ---------------------------------------------------------------------


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p, q):
    yes = p.probs * (tg.softplus(-q.logits) - tg.softplus(-p.logits))
    no = (1 - p.probs) * (tg.softplus(q.logits) - tg.softplus(p.logits))
    return _share(yes, p.probs, q.probs) + _share(no, 1 - p.probs, 1 - q.probs)


def _share(term, p, q):
    """A summand: 0 where p never is, infinite where p is and q never."""
    return tg.where(p == 0, 0.0, tg.where(q == 0, math.inf, term))


@register_kl(Categorical, Categorical)
def _categorical(p, q):
    return _share(p.probs * (p.logits - q.logits), p.probs, q.probs).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p, q):
    return _categorical(p._categorical, q._categorical)


@register_kl(Binomial, Binomial)
def _binomial(p, q):
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError(
            "the divergence of binomials needs a total_count of p that is at least that of q, got "
            f"{p.total_count} and {q.total_count}"
        )
    each = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return tg.where(p.total_count > q.total_count, math.inf, p.total_count * each)


@register_kl(Beta, Beta)
def _beta(p, q):
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p, q):
    a, b = p.concentration, q.concentration
    return q._log_normalizer(b) - p._log_normalizer(a) + ((a - b) * p._mean_log()).sum(-1)


@register_kl(Exponential, Exponential)
def _exponential(p, q):
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


@register_kl(Gamma, Gamma)
def _gamma(p, q):
    a, b = p.concentration, q.concentration
    gammas = b.lgamma() - a.lgamma() + (a - b) * a.digamma()
    return gammas + b * (p.rate / q.rate).log() + (q.rate - p.rate) * (a / p.rate)


@register_kl(Geometric, Geometric)
def _geometric(p, q):
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Gumbel, Gumbel)
def _gumbel(p, q):
    ratio, apart = p.scale / q.scale, (p.loc - q.loc) / q.scale
    mean_exp = ((1 + ratio).lgamma() - apart).exp()
    return apart - ratio.log() + ratio * euler_constant + mean_exp - (1 + euler_constant)


@register_kl(Laplace, Laplace)
def _laplace(p, q):
    ratio, apart = p.scale / q.scale, (p.loc - q.loc).abs()
    return apart / q.scale + ratio * (-apart / p.scale).exp() - 1 - ratio.log()


@register_kl(Normal, Normal)
def _normal(p, q):
    ratio, apart = (p.scale / q.scale).pow(2), (p.loc - q.loc) / q.scale
    return 0.5 * (ratio + apart * apart - 1 - ratio.log())


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p, q):
    return _normal(p.base_dist, q.base_dist)


@register_kl(Pareto, Pareto)
def _pareto(p, q):
    ratio = q.alpha / p.alpha
    inside = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return tg.where(p.scale < q.scale, math.inf, inside)


@register_kl(Poisson, Poisson)
def _poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Cauchy, Cauchy)
def _cauchy(p, q):
    total = (p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)
    return (total / (4 * p.scale * q.scale)).log()


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_family(p, q):
    """The Bregman divergence of the log-normalizer; as in PyTorch p gets no gradient by it."""
    if type(p) is not type(q):
        raise NotImplementedError(
            f"{type(p).__name__} and {type(q).__name__} are different exponential families, which "
            "share no log-normalizer; enter their divergence with register_kl"
        )
    value, ours, gradients = normalizer_and_gradients(p)
    theirs, dims = q._natural_params, len(q.event_shape)
    result = q._log_normalizer(*theirs) - value
    for a, b, g in zip(ours, theirs, gradients, strict=True):
        result = result - sum_rightmost((b - a) * g, dims if (b - a).dim() > result.dim() else 0)
    return result


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p, q):
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError(
            "transformed distributions have the divergence of their bases only if transforms and "
            "event shapes are equal"
        )
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Independent, Independent)
def _independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            f"p reinterprets {p.reinterpreted_batch_ndims} batch dimensions, q "
            f"{q.reinterpreted_batch_ndims}; make them equal"
        )
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


# --- multivariate normals ----------------------------------------------------------------


def _columns(d):
    """Matrices whose columns square to the covariance."""
    if isinstance(d, MultivariateNormal):
        return [d._unbroadcasted_scale_tril]
    return [d._root.unsqueeze(-1) * d._scaled, d._root.diag_embed()]


def _squares(matrix):
    return matrix.pow(2).sum(-1).sum(-1)


def _whitened_trace(q, columns):
    """trace(precision of q @ columns @ columns.mT)."""
    if isinstance(q, MultivariateNormal):
        return _squares(_solve(q._unbroadcasted_scale_tril, columns))
    columns = columns / q._root.unsqueeze(-1)
    return _squares(columns) - _squares(_solve(q._small_tril, q._scaled.mT @ columns))


def _solve(factor, columns):
    batch = tg.broadcast_shapes(factor.shape[:-2], columns.shape[:-2])
    factor, columns = (m.expand(batch + m.shape[-2:]) for m in (factor, columns))
    return tg.linalg.solve_triangular(factor, columns, upper=False)


@register_kl(MultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _multivariate_normal(p, q):
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"p is over vectors of {p.event_shape[0]} elements, q over vectors of "
            f"{q.event_shape[0]}"
        )
    trace = sum(_whitened_trace(q, columns) for columns in _columns(p))
    distance = q._distance(q.loc - p.loc)
    return 0.5 * (q._log_det() - p._log_det() + trace + distance - p.event_shape[0])


# --- across families: moments of p -------------------------------------------------------


def _x_log_x(x):
    return tg.xlogy(x, x)


def _mean_log_of_uniform(low, high):
    return (_x_log_x(high) - _x_log_x(low)) / (high - low) - 1


def _mean_log(p):
    """E[log x]."""
    if isinstance(p, Beta):
        return p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    if isinstance(p, Exponential):
        return -euler_constant - p.rate.log()
    if isinstance(p, Gamma):
        return p.concentration.digamma() - p.rate.log()
    if isinstance(p, Pareto):
        return p.scale.log() + p.alpha.reciprocal()
    return _mean_log_of_uniform(p.low, p.high)


def _mean_exp(p, t):
    """E[exp(-t x)]."""
    if isinstance(p, Exponential):
        return p.rate / (p.rate + t)
    if isinstance(p, Gamma):
        return (1 + t / p.rate).pow(-p.concentration)
    if isinstance(p, Normal):
        return (0.5 * (t * p.scale).pow(2) - t * p.loc).exp()
    return ((-t * p.low).exp() - (-t * p.high).exp()) / (t * (p.high - p.low))


def _mean_distance(p, point):
    """E[|x - point|] of a normal x."""
    apart = p.loc - point
    z = apart / p.scale
    density = math.sqrt(2 / math.pi) * p.scale * (-0.5 * z * z).exp()
    return density + apart * (z * math.sqrt(0.5)).erf()


# --- across families: E_p[log q] ---------------------------------------------------------


def _in_exponential(p, q):
    return q.rate.log() - q.rate * p.mean


def _in_gamma(p, q):
    a = q.concentration
    return a * q.rate.log() - a.lgamma() + (a - 1) * _mean_log(p) - q.rate * p.mean


def _in_normal(p, q):
    spread = (p.variance + (p.mean - q.loc).pow(2)) / (2 * q.scale.pow(2))
    return -q.scale.log() - 0.5 * math.log(2 * math.pi) - spread


def _in_gumbel(p, q):
    shift = q.loc / q.scale
    return shift - p.mean / q.scale - q.scale.log() - shift.exp() * _mean_exp(p, 1 / q.scale)


def _in_laplace(p, q):
    return -(2 * q.scale).log() - _mean_distance(p, q.loc) / q.scale


def _in_continuous_bernoulli(p, q):
    return q._cont_bern_log_norm() - bce_with_logits(q.logits, p.mean)


def _in_beta(p, q):
    a, b = q.concentration1, q.concentration0
    one_less = _mean_log_of_uniform(1 - p.high, 1 - p.low)
    powers = (a - 1) * _mean_log(p) + (b - 1) * one_less
    return powers - log_beta(a, b)


def _in_pareto(p, q):
    return (q.alpha * q.scale.pow(q.alpha)).log() - (q.alpha + 1) * _mean_log(p)


def _in_uniform(p, q):
    return -(q.high - q.low).log()


def _in_poisson(p, q):
    return p.mean * q.rate.log() - q.rate


_EXPECTED_LOG = {
    Exponential: _in_exponential, Gamma: _in_gamma, Normal: _in_normal, Gumbel: _in_gumbel,
    Laplace: _in_laplace, ContinuousBernoulli: _in_continuous_bernoulli, Beta: _in_beta,
    Pareto: _in_pareto, Uniform: _in_uniform, Poisson: _in_poisson,
}  # fmt: skip


def _expected_log(p, q):
    return next(fn for kind, fn in _EXPECTED_LOG.items() if isinstance(q, kind))(p, q)


def _bounds(d):
    """The ends of the support, where they matter below."""
    if isinstance(d, Uniform):
        return d.low, d.high
    if isinstance(d, Pareto):
        return d.scale, math.inf
    if isinstance(d, Exponential | Gamma):
        return 0.0, math.inf
    return (0.0, 1.0) if isinstance(d, Beta | ContinuousBernoulli) else (-math.inf, math.inf)


def _across(p, q):
    result = -p.entropy() - _expected_log(p, q)
    (low, high), (first, last) = _bounds(p), _bounds(q)
    outside = tg.as_tensor(low < first) | tg.as_tensor(high > last)
    return tg.where(outside, math.inf, result)


def _infinite(p, q):
    """The support of p is not inside that of q."""
    return tg.full_like(p.mean, math.inf)


_FINITE = {
    Bernoulli: (Poisson,),
    Beta: (ContinuousBernoulli, Exponential, Gamma, Normal, Uniform),
    ContinuousBernoulli: (Exponential, Normal, Uniform),
    Exponential: (Gamma, Gumbel, Normal),
    Gamma: (Exponential, Gumbel, Normal),
    Gumbel: (Normal,),
    Laplace: (Normal,),
    Normal: (Gumbel, Laplace),
    Pareto: (Exponential, Gamma, Normal),
    Uniform: (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Normal, Pareto, Uniform),
}
_ON_LINE = (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)
_INFINITE = {
    Beta: (Pareto,),
    ContinuousBernoulli: (Pareto,),
    Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gumbel: _ON_LINE,
    Laplace: _ON_LINE,
    Normal: _ON_LINE,
    Pareto: (Beta, ContinuousBernoulli, Uniform),
    Poisson: (Bernoulli, Binomial),
}
for _pairs, _fn in ((_FINITE, _across), (_INFINITE, _infinite)):
    for _p, _qs in _pairs.items():
        for _q in _qs:
            register_kl(_p, _q)(_fn)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p, q):
    return _in_continuous_bernoulli(p, p) - _in_continuous_bernoulli(p, q)
