"""Gamma and binomial draws, made by rejection, and draws that transform a uniform.

As in :mod:`tensorgrad.kernels.sampling`, each takes a generator first and uses its words in
PyTorch's order, so that from one state the draws are equal, in float32 as in float64. Gamma
and binomial draws take a number of words that is itself random, so those are loops in Python,
of 4 to 6 microseconds a draw. Cauchy and log-normal draws call the C library's tan and exp
one by one, as PyTorch does: NumPy's own round otherwise in every tenth number.
"""

from __future__ import annotations

import math

import numpy as np

from .sampling import _affine, _fill, _real, _unit, each

# PyTorch writes these two constants in float32.
_THIRD = np.float32(1.0) / np.float32(3.0)
_SQUEEZE = float(np.float32(0.0331))

# log(k!) less Stirling's formula for it, k from 0 to 9; beyond, its asymptotic series.
_STIRLING = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509,
    0.0166446911898211, 0.0138761288230707, 0.0118967099458917, 0.0104112652619720,
    0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


class _Ahead:
    """Uniforms one by one, fetched many at a time, but never one that will not be used.

    Args:
        generator: the source.
        least: for each draw, a number of uniforms that it takes at least.
        spare: how many fewer than those in all, as the generator may keep a normal.
    """

    def __init__(self, generator, least, spare=0):
        self.generator, self.held = generator, []
        self.least, self.owed = iter(least), sum(least) - spare

    def begin(self):
        """Start the next draw: what is owed from here on is owed to the later ones."""
        self.owed -= next(self.least)

    def unit(self):
        """The next uniform on [0, 1)."""
        if not self.held:
            count = max(self.owed, 0) + 1
            self.held = _unit(self.generator, count, np.float64)[::-1].tolist()
        return self.held.pop()

    def next_normal(self):
        """A draw that is one normal."""
        self.begin()
        return self.normal()

    def normal(self):
        """The next normal, of a Box-Muller pair whose other half the generator keeps."""
        kept = self.generator.next_normal
        if kept is not None:
            self.generator.next_normal = None
            return kept
        angle, radius = 2.0 * math.pi * self.unit(), math.sqrt(-2.0 * math.log1p(-self.unit()))
        self.generator.next_normal = radius * math.sin(angle)
        return radius * math.cos(angle)


# --- gamma ------------------------------------------------------------------------------


def standard_gamma(generator, alpha):
    """Gamma draws of rate 1 with the shape parameters ``alpha``, in their dtype, above 0.

    Marsaglia and Tsang, "A simple method for generating gamma variables" (2000).

    Raises:
        NotImplementedError: ``alpha`` is not floating.
    """
    kind = _real(alpha.dtype, "_standard_gamma")
    draws = _gammas(generator, alpha, _less_third(alpha, kind))
    return np.maximum(draws.astype(kind), np.finfo(kind).tiny)


def dirichlet(generator, alpha):
    """Points of the simplex: gamma draws over their sum along the last axis.

    Raises:
        NotImplementedError: ``alpha`` is not floating.
    """
    kind = _real(alpha.dtype, "_sample_dirichlet")
    wide = alpha.astype(np.float64)
    draws = _gammas(generator, wide, _less_third(wide, np.float64))
    shares = (draws / draws.sum(axis=-1, keepdims=True)).astype(kind)
    return np.clip(shares, np.finfo(kind).tiny, np.nextafter(kind(1), kind(0)))


def _less_third(alpha, kind):
    """``alpha - 1/3``, of small ones ``alpha + 2/3``, rounded in the dtype of the result."""
    boosted = np.where(alpha < 1, alpha + kind(1), alpha).astype(kind)
    return (boosted - kind(_THIRD)).astype(np.float64)


def _gammas(generator, alpha, d):
    flat = alpha.reshape(-1)
    inverse = (flat.dtype.type(1) / flat).astype(np.float64).tolist()
    flat, out = flat.astype(np.float64).tolist(), np.empty(alpha.size)
    # Each draw takes one uniform, one more if alpha < 1, and at least one of a pair of normals.
    least = [(3 if a < 1 else 2) if a > 0 else 0 for a in flat]
    with generator.lock:
        source = _Ahead(generator, least, spare=1)
        for i, (a, less) in enumerate(zip(flat, d.reshape(-1).tolist(), strict=True)):
            source.begin()
            if a != a or less <= 0:  # below -2/3 there is no such number
                out[i] = math.nan
                continue
            if a == 0:
                out[i] = 0.0
                continue
            scale = _power(1.0 - source.unit(), inverse[i]) if a < 1 else 1.0
            out[i] = _large_gamma(less, scale, source)
    return out.reshape(alpha.shape)


def _power(base, exponent):
    try:
        return base**exponent
    except OverflowError:
        return math.inf


def _large_gamma(d, scale, source):
    if d == math.inf:
        return d
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = source.normal()
        y = 1.0 + c * x
        if y <= 0:
            continue
        v, u, square = y * y * y, 1.0 - source.unit(), x * x
        if u < 1.0 - _SQUEEZE * square * square:
            return scale * d * v
        if math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return scale * d * v


# --- binomial ---------------------------------------------------------------------------


def binomial(generator, count, prob):
    """How many of ``count`` trials succeed, each with probability ``prob``; in their dtype.

    Below ten expected successes (or failures) it adds geometric draws; else Hoermann's
    transformed rejection, "The generation of binomial random variates" (1993), BTRS.

    Args:
        generator: the source.
        count: floating array.
        prob: of the same shape and dtype. Below 0 counts as 0, above 1 as 1.
    """
    _real(count.dtype, "binomial")
    pairs = list(zip(count.reshape(-1).tolist(), prob.reshape(-1).tolist(), strict=True))
    least = [int(0 < n < math.inf and 0 < p < 1) for n, p in pairs]
    with generator.lock:
        source = _Ahead(generator, least)
        drawn = [_successes(n, p, source) for n, p in pairs]
    return np.array(drawn, count.dtype).reshape(count.shape)


def _successes(n, p, source):
    source.begin()
    if n <= 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    if not (n < math.inf and p == p):
        return math.nan
    rare = min(p, 1.0 - p)
    drawn = (_by_rejection if n * rare >= 10 else _by_gaps)(n, rare, source)
    return drawn if p <= 0.5 else n - drawn


def _by_gaps(n, p, source):
    """The gaps between successes are geometric: count how many fit in ``n``."""
    log_failure, reached, successes = math.log1p(-p), 0, 0
    while True:
        u = source.unit()
        if u == 0:
            return successes
        reached += math.ceil(math.log(u) / log_failure)
        if reached > n:
            return successes
        successes += 1


def _by_rejection(n, p, source):
    deviation = math.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre, odds = n * p + 0.5, p / (1 - p)
    v_r, alpha = 0.92 - 4.2 / b, (2.83 + 5.1 / b) * deviation
    m = math.floor((n + 1) * p)
    while True:
        u, v = source.unit() - 0.5, source.unit()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + centre) if us else -1
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or k > n:
            continue
        if v == 0:
            return k
        bound = (
            (m + 0.5) * math.log((m + 1) / (odds * (n - m + 1)))
            + (n + 1) * math.log((n - m + 1) / (n - k + 1))
            + (k + 0.5) * math.log(odds * (n - k + 1) / (k + 1))
            + (_stirling(m) + _stirling(n - m) - _stirling(k) - _stirling(n - k))
        )
        if math.log(v * alpha / (a / (us * us) + b)) <= bound:
            return k


def _stirling(k):
    if k <= 9:
        return _STIRLING[int(k)]
    square = (k + 1) * (k + 1)
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)


# --- transformed uniforms and normals ---------------------------------------------------

_LARGEST_EXPONENT = 709.78  # of a float64 that exp can hold



def cauchy(generator, shape, median=0.0, sigma=1.0, dtype=np.float32):
    """Cauchy draws.

    Raises:
        RuntimeError: ``sigma`` is not above 0, or ``dtype`` is not floating.
    """
    if np.dtype(dtype).kind != "f":
        raise RuntimeError(
            "cauchy_: the Cauchy distribution is continuous, so dtype must be floating point, "
            f"but got {np.dtype(dtype)}"
        )
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")

    def draw(start, stop):
        angle = math.pi * (_unit(generator, stop - start, np.float64) - 0.5)
        return _affine(each(math.tan, angle), sigma, median)

    return _fill(generator, np.empty(shape, dtype), draw)


def log_normal(generator, shape, mean=1.0, std=2.0, dtype=np.float32):
    """Exponentials of normal draws with ``mean`` and ``std``.

    Raises:
        RuntimeError: ``std`` is not above 0.
        NotImplementedError: ``dtype`` is not floating.
    """
    kind = _real(dtype, "log_normal_")
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    count = math.prod(shape)
    with generator.lock, np.errstate(over="ignore"):
        source = _Ahead(generator, [1] * count, spare=1)
        normals = np.array([source.next_normal() for _ in range(count)])
        normals = _affine(normals, std, mean)
        drawn = each(math.exp, np.minimum(normals, _LARGEST_EXPONENT))
        drawn[normals > _LARGEST_EXPONENT] = math.inf
        return drawn.reshape(shape).astype(kind)


def geometric(generator, shape, p, dtype=np.float32):
    """Trials up to the first success, each of probability ``p``: 1, 2, ...

    Raises:
        RuntimeError: ``p`` is not between 0 and 1.
        NotImplementedError: ``dtype`` is bool or complex.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "iuf":
        raise NotImplementedError(f"geometric_ is not implemented for {dtype}; use int64")
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    log_failure = math.log1p(-p)

    def draw(start, stop):
        return np.ceil(np.log(_unit(generator, stop - start, np.float64)) / log_failure)

    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return _fill(generator, np.empty(shape, dtype), draw)
