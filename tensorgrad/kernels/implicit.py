"""How gamma and Dirichlet draws move with their parameters.

A draw x with distribution function F(x; a) that keeps its quantile moves by
``dx/da = -(dF/da) / (dF/dx)`` (Figurnov, Mohamed and Mnih, "Implicit reparameterization
gradients", 2018). dF/da is the integral of the density times ``log t - psi``, which changes
sign once: below that point it is summed from the left, above it from the right, so that all
terms have one sign and nothing cancels. Agreement with finite differences of SciPy's quantile
functions is to 1e-8, their own accuracy; PyTorch uses approximations good to 1e-3.
"""

from __future__ import annotations

import math

import numpy as np

_TERMS = 200_000
_LARGE = 100.0  # from this shape parameter on, the gamma integral is done by quadrature


def gamma_slope(alpha, x):
    """The derivative of a gamma draw ``x`` (rate 1) in its shape parameter ``alpha``."""
    alpha, x = np.broadcast_arrays(np.asarray(alpha), np.asarray(x))
    kind, shape = x.dtype, x.shape
    a, x = alpha.astype(np.float64).reshape(-1), x.astype(np.float64).reshape(-1)
    out = np.full(a.shape, math.nan)
    fine = (a > 0) & (x > 0) & (x < math.inf)
    small = fine & (a <= _LARGE)
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        for chosen, rule in (
            (small & (x <= a + 1), _gamma_from_left),
            (small & (x > a + 1), _gamma_from_right),
            (fine & (a > _LARGE), _gamma_by_quadrature),
        ):
            if chosen.any():
                out[chosen] = rule(a[chosen], x[chosen])
    out[(a > 0) & (x == 0)] = 0.0
    return out.reshape(shape).astype(kind)


def _psi(x):
    from scipy.special import digamma

    return digamma(x)


def _gamma_from_left(a, x):
    """Sum: x * sum_n x**n / (a)_(n+1) * (psi(a + n + 1) - log x)."""
    term, psi, logarithm = 1.0 / a, _psi(a + 1), np.log(x)
    total = term * (psi - logarithm)
    for n in range(1, _TERMS):
        psi = psi + 1.0 / (a + n)
        term = term * (x / (a + n))
        step = term * (psi - logarithm)
        total = total + step
        if np.all(abs(step) <= 1e-17 * abs(total)):
            break
    return x * total


def _gamma_from_right(a, x):
    """With G = Gamma(a, x) / (x**a exp(-x)): x * (G * (log x - psi(a)) + dG/da).

    G is Legendre's continued fraction, evaluated with its derivative from the far end.
    """
    count = int(60 + 400 / max(1.0, math.sqrt(float(x.min()))))
    value, slope = x + (2 * count + 1) - a, -np.ones_like(a)
    for n in range(count, 0, -1):  # denominators D_n = x + 2n - 1 - a - n (n - a) / D_(n+1)
        numerator = n * (n - a)
        ratio = numerator / value
        value, slope = x + (2 * n - 1) - a - ratio, -1.0 + (n + ratio * slope) / value
    fraction = 1.0 / value
    return x * (fraction * (np.log(x) - _psi(a)) - fraction * fraction * slope)


def _gamma_by_quadrature(a, x):
    """The integral over the side where log t - psi(a) has one sign, by 64 Gauss-Legendre nodes.

    For a > 100 the density over its value at x falls below exp(-45) within a stretch that is
    short against x, and looks Gaussian there.
    """
    psi = _psi(a)
    side = np.where(np.log(x) < psi, -1.0, 1.0)[:, None]
    pull = side[:, 0] * (1.0 - (a - 1) / x)  # how fast the logarithm of the density falls at x
    bend = (a - 1) / (x * x) * 0.35
    pull = np.maximum(pull, -1.0 / np.sqrt(a))
    reach = 90.0 / (pull + np.sqrt(pull * pull + 4 * 45.0 * bend))
    reach = np.where(side[:, 0] < 0, np.minimum(reach, x), reach)
    nodes, weights = np.polynomial.legendre.leggauss(64)
    away = side * (reach[:, None] * (0.5 * (nodes + 1)))
    density = np.exp((a[:, None] - 1) * np.log1p(away / x[:, None]) - away)
    height = np.log1p(away / x[:, None]) + (np.log(x) - psi)[:, None]
    return 0.5 * reach * (weights * density * abs(height)).sum(axis=1)


def dirichlet_slope(x, alpha, total):
    """For each share ``x`` of a Dirichlet draw: its derivative in its own ``alpha``, over 1 - x.

    A share has the distribution Beta(alpha, total - alpha). Moving alpha takes what the share
    gains from the other shares in proportion, hence the division.
    """
    x, alpha, total = np.broadcast_arrays(x, alpha, total)
    kind, shape = x.dtype, x.shape
    x, a, both = (v.astype(np.float64).reshape(-1) for v in (x, alpha, total))
    b = both - a
    out = np.full(a.shape, math.nan)
    fine = (a > 0) & (b > 0) & (x > 0) & (x < 1)
    turn = np.zeros_like(a)
    turn[fine] = np.exp(_psi(a[fine] + 1) - _psi(both[fine]))
    left = fine & (x <= np.minimum(turn, 0.9))
    right = fine & ~left
    with np.errstate(over="ignore", under="ignore"):
        if left.any():
            out[left] = _beta_from_left(x[left], a[left], both[left])
        if right.any():
            out[right] = _beta_from_right(x[right], a[right], both[right])
    return out.reshape(shape).astype(kind)


def _beta_from_left(x, a, both):
    """Sum: x * sum_n (a + b)_n / (a)_(n+1) * x**n * (psi(a + n + 1) - psi(a + b + n) - log x)."""
    term, gap, logarithm = 1.0 / a, _psi(a + 1) - _psi(both), np.log(x)
    total = term * (gap - logarithm)
    for n in range(1, _TERMS):
        gap = gap + 1.0 / (a + n) - 1.0 / (both + n - 1)
        term = term * (x * (both + n - 1) / (a + n))
        step = term * (gap - logarithm)
        total = total + step
        if np.all(abs(step) <= 1e-17 * abs(total)):
            break
    return x * total


def _beta_from_right(x, a, both):
    """The same from the other end, with y = 1 - x.

    x * sum_n (a + b)_n / (b)_(n+1) * y**n * (log x + psi(a + b + n) - psi(a))
    """
    y, b = 1.0 - x, both - a
    term, height = 1.0 / b, np.log(x) + _psi(both) - _psi(a)
    total = term * height
    for n in range(1, _TERMS):
        height = height + 1.0 / (both + n - 1)
        term = term * (y * (both + n - 1) / (b + n))
        step = term * height
        total = total + step
        if np.all(abs(step) <= 1e-17 * abs(total)):
            break
    return x * total
