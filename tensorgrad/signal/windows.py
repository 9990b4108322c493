"""Window functions, ``torch.signal.windows``: symmetric, or periodic for spectral analysis.

A window is computed in float64 and rounded once. One of a single element is 1.
Formulas: F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier
transform", Proceedings of the IEEE 66 (1978).
"""

from __future__ import annotations

import math

import numpy as np

from .. import creation, dtypes
from .._layout import strided

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine",
    "general_hamming", "hamming", "hann", "kaiser", "nuttall",
]  # fmt: skip


def _check(name, M, dtype, layout):
    """The NumPy dtype of a window."""
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout not in (None, strided):
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    own = dtypes.to_numpy(dtype)
    if own not in (np.float32, np.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtypes.of(own)}")
    return own


def _positive(what, value):
    if value <= 0:
        raise ValueError(f"{what} must be positive, got: {value} instead.")


def _span(M, sym):
    """Steps from the first element to the last, a periodic window's one past its end."""
    return M - 1 if sym or M <= 1 else M


def _finish(window, own, device, requires_grad):
    return creation.finish(window.astype(own), requires_grad, device)


def exponential(
    M, *, center=None, tau=1.0, sym=True, dtype=None, layout=strided, device=None,
    requires_grad=False,
):  # fmt: skip
    """``exp(-|n - center| / tau)``, the Poisson window.

    Args:
        M: elements.
        center: where the maximum is; in the middle by default. Symmetric windows take none.
        tau: steps after which it has fallen to 1/e.
        sym: False for a periodic window: one of ``M + 1`` elements without the last.
        dtype: float32 or float64; the default float.
        layout: strided, the only one.
        device: the CPU.
        requires_grad: whether to record operations on the window.

    Raises:
        ValueError: another dtype or layout, a negative ``M``, a ``tau`` that is not positive, or
            a ``center`` of a symmetric window.
    """
    own = _check("exponential", M, dtype, layout)
    _positive("Tau", tau)
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    center = _span(M, sym) / 2 if center is None else center
    return _finish(np.exp(-np.abs(np.arange(M) - center) / tau), own, device, requires_grad)


def cosine(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """``sin(pi (n + 1/2) / M)``; arguments as for :func:`exponential`.

    Raises:
        ValueError: another dtype or layout, or a negative ``M``.
    """
    own = _check("cosine", M, dtype, layout)
    angle = math.pi * (np.arange(M) + 0.5) / (_span(M, sym) + 1)
    return _finish(np.sin(angle), own, device, requires_grad)


def gaussian(M, *, std=1.0, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """``exp(-(n - c)² / (2 std²))`` around the middle; arguments as for :func:`exponential`.

    Raises:
        ValueError: another dtype or layout, a negative ``M``, or a ``std`` that is not positive.
    """
    own = _check("gaussian", M, dtype, layout)
    _positive("Standard deviation", std)
    away = (np.arange(M) - _span(M, sym) / 2) / std
    return _finish(np.exp(-0.5 * away**2), own, device, requires_grad)


def kaiser(M, *, beta=12.0, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """``I0(beta sqrt(1 - t²)) / I0(beta)`` for t from -1 to 1; arguments as :func:`exponential`.

    Raises:
        ValueError: another dtype or layout, a negative ``M`` or ``beta``.
    """
    own = _check("kaiser", M, dtype, layout)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    return _finish(kaiser_of(M, beta, sym), own, device, requires_grad)


def kaiser_of(M, beta, sym):
    """The Kaiser window as an array of float64."""
    if M <= 1:
        return np.ones(M)
    t = 2.0 * np.arange(M) / _span(M, sym) - 1.0
    return np.i0(beta * np.sqrt(np.maximum(1.0 - t**2, 0.0))) / np.i0(beta)


def bartlett(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """The triangle from 0 over 1 to 0; arguments as for :func:`exponential`.

    Raises:
        ValueError: another dtype or layout, or a negative ``M``.
    """
    own = _check("bartlett", M, dtype, layout)
    return _finish(bartlett_of(M, sym), own, device, requires_grad)


def bartlett_of(M, sym):
    """The triangular window as an array of float64."""
    if M <= 1:
        return np.ones(M)
    return 1.0 - np.abs(2.0 * np.arange(M) / _span(M, sym) - 1.0)


def general_cosine(
    M, *, a, sym=True, dtype=None, layout=strided, device=None, requires_grad=False
):
    """``a[0] - a[1] cos(x) + a[2] cos(2 x) - ...`` for x from 0 to 2 pi.

    Args:
        M: elements.
        a: the coefficients, a list or tuple.
        sym: the further arguments are as for :func:`exponential`.
        dtype: see there.
        layout: see there.
        device: see there.
        requires_grad: see there.

    Raises:
        TypeError: ``a`` is neither a list nor a tuple.
        ValueError: ``a`` is empty, another dtype or layout, or a negative ``M``.
    """
    own = _check("general_cosine", M, dtype, layout)
    if not isinstance(a, list | tuple):
        raise TypeError(f"Coefficients must be a list/tuple, got {type(a).__name__}")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    return _finish(cosines_of(M, a, sym), own, device, requires_grad)


def cosines_of(M, a, sym):
    """The sum of cosines as an array of float64."""
    if M <= 1:
        return np.ones(M)
    x = 2.0 * math.pi * np.arange(M) / _span(M, sym)
    return sum((-1) ** k * weight * np.cos(k * x) for k, weight in enumerate(a)) + np.zeros(M)


def general_hamming(
    M, *, alpha=0.54, sym=True, dtype=None, layout=strided, device=None, requires_grad=False
):
    """``alpha - (1 - alpha) cos(x)``; see :func:`general_cosine`.

    Raises:
        ValueError: another dtype or layout, or a negative ``M``.
    """
    return general_cosine(
        M, a=[alpha, 1.0 - alpha], sym=sym, dtype=dtype, layout=layout, device=device,
        requires_grad=requires_grad,
    )  # fmt: skip


def _named(name, a, doc):
    """A window with fixed coefficients."""

    def window(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
        return general_cosine(
            M, a=a, sym=sym, dtype=dtype, layout=layout, device=device,
            requires_grad=requires_grad,
        )  # fmt: skip

    window.__name__ = window.__qualname__ = name
    window.__doc__ = f"{doc}; see :func:`general_cosine`."
    return window


hamming = _named("hamming", [0.54, 0.46], "``0.54 - 0.46 cos(x)``")
hann = _named("hann", [0.5, 0.5], "``(1 - cos(x)) / 2``")
blackman = _named("blackman", [0.42, 0.5, 0.08], "``0.42 - 0.5 cos(x) + 0.08 cos(2 x)``")
nuttall = _named(
    "nuttall", [0.3635819, 0.4891775, 0.1365995, 0.0106411],
    "Four cosines with the least highest side lobe, after Nuttall",
)  # fmt: skip
