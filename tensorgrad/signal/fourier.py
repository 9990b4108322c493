"""The short-time Fourier transform and its inverse, and the windows that go with it.

Both are composed of windows of the signal, their sum, and :mod:`tensorgrad.fft`, so derivatives of
all orders follow.
"""

from __future__ import annotations

import warnings

import numpy as np

from .. import creation, dtypes, errors, fft
from .._graph import wrap
from .._layout import strided
from .._registry import FUNCTIONS, OPS
from . import windows

__all__ = [
    "bartlett_window", "blackman_window", "hamming_window", "hann_window", "istft",
    "kaiser_window", "stft",
]  # fmt: skip


# --- windows ----------------------------------------------------------------------------


def _window(name, make, window_length, periodic, dtype, layout, device, requires_grad):
    """The array that ``make(length, symmetric)`` gives, as a tensor."""
    if isinstance(window_length, bool | float) or not hasattr(window_length, "__index__"):
        raise TypeError(
            f"{name}(): argument 'window_length' must be int, not {type(window_length).__name__}"
        )
    if window_length < 0:
        raise RuntimeError(
            f"{name} requires non-negative window_length, got window_length={window_length}"
        )
    if layout not in (None, strided):
        raise RuntimeError(f"{name} is not implemented for sparse types, got: {layout}")
    own = dtypes.to_numpy(dtype)
    if own.kind == "c":
        raise NotImplementedError(f"{name} is not implemented for {dtypes.of(own)}")
    if own.kind != "f":
        raise errors.DtypeError(f"{name} expects floating point dtypes, got: {dtypes.of(own)}")
    array = make(int(window_length), not periodic).astype(own)
    return creation.finish(array, requires_grad, device)


def hann_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False,
    requires_grad=False,
):  # fmt: skip
    """``(1 - cos(x)) / 2`` for x from 0 to 2 pi.

    Args:
        window_length: elements.
        periodic: without the last of ``window_length + 1`` elements, for :func:`stft`.
        dtype: a floating-point one; the default float.
        layout: strided, the only one.
        device: the CPU.
        pin_memory: no effect.
        requires_grad: whether to record operations on the window.

    Raises:
        RuntimeError: a negative length, or a dtype or layout that is not supported.
        TypeError: the length is no integer.

    >>> import tensorgrad as torch
    >>> torch.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """

    def make(n, sym):
        return windows.cosines_of(n, (0.5, 0.5), sym)

    return _window(
        "hann_window", make, window_length, periodic, dtype, layout, device, requires_grad
    )


def hamming_window(
    window_length, periodic=True, alpha=0.54, beta=0.46, *, dtype=None, layout=None, device=None,
    pin_memory=False, requires_grad=False,
):  # fmt: skip
    """``alpha - beta cos(x)`` for x from 0 to 2 pi; see :func:`hann_window`."""

    def make(n, sym):
        return windows.cosines_of(n, (alpha, beta), sym)

    return _window(
        "hamming_window", make, window_length, periodic, dtype, layout, device, requires_grad
    )


def blackman_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False,
    requires_grad=False,
):  # fmt: skip
    """``0.42 - 0.5 cos(x) + 0.08 cos(2 x)`` for x from 0 to 2 pi; see :func:`hann_window`."""

    def make(n, sym):
        return windows.cosines_of(n, (0.42, 0.5, 0.08), sym)

    return _window(
        "blackman_window", make, window_length, periodic, dtype, layout, device, requires_grad
    )


def bartlett_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False,
    requires_grad=False,
):  # fmt: skip
    """The triangle from 0 over 1 to 0; see :func:`hann_window`."""
    return _window(
        "bartlett_window", windows.bartlett_of, window_length, periodic, dtype, layout, device,
        requires_grad,
    )  # fmt: skip


def kaiser_window(
    window_length, periodic=True, beta=12.0, *, dtype=None, layout=None, device=None,
    pin_memory=False, requires_grad=False,
):  # fmt: skip
    """``I0(beta sqrt(1 - t²)) / I0(beta)`` for t from -1 to 1; see :func:`hann_window`."""

    def make(n, sym):
        return windows.kaiser_of(n, beta, sym)

    return _window(
        "kaiser_window", make, window_length, periodic, dtype, layout, device, requires_grad
    )


# --- the transform ----------------------------------------------------------------------


def stft(
    input, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect",
    normalized=False, onesided=None, return_complex=None, align_to_window=None,
):  # fmt: skip
    """The Fourier transforms of overlapping parts of a signal, each times ``window``.

    Args:
        input: the signal (time,) or signals (batch, time), real or complex.
        n_fft: elements of each part.
        hop_length: steps from one part to the next; ``n_fft // 4`` by default.
        win_length: elements of the window, which stands in the middle of each part.
        window: the factors; ones by default, with a warning.
        center: whether part ``t`` is centred at ``t * hop_length``, the signal being padded.
        pad_mode: how it is padded then: "reflect", "replicate", "circular" or "constant".
        normalized: divide by ``sqrt(n_fft)``.
        onesided: return the frequencies from 0 to ``n_fft // 2`` only; by default where the
            signal and the window are real.
        return_complex: False gives pairs of real numbers; deprecated. It must be given for real
            signals.
        align_to_window: without ``center``, count parts by the window's length. Where
            ``n_fft - win_length`` is odd this works here and not in PyTorch.

    Returns:
        (batch, frequencies, parts), complex.

    Raises:
        RuntimeError: lengths that do not fit together, a dtype without fractions, ``onesided`` of
            complex numbers, or no ``return_complex`` for real ones.
        NotImplementedError: an unknown ``pad_mode``.

    >>> import tensorgrad as torch
    >>> x = torch.arange(8.0)
    >>> torch.stft(x, 4, window=torch.ones(4), return_complex=True).shape
    torch.Size([3, 9])
    """
    if center and align_to_window is not None:
        raise RuntimeError("stft align_to_window should only be set when center = false")
    x = input
    if not (x.is_floating_point() or x.is_complex()):
        raise errors.DtypeError(
            f"stft: expected a tensor of floating point or complex values, got {x.dtype}"
        )
    if x.dim() not in (1, 2):
        raise errors.ShapeError(f"stft: expected a 1D or 2D tensor, got shape {tuple(x.shape)}")
    hop_length = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    is_complex = x.is_complex() or (window is not None and window.is_complex())
    if return_complex is None and not is_complex:
        raise RuntimeError(
            "stft requires the return_complex parameter be given for real inputs; pass "
            "return_complex=True"
        )
    if return_complex is False and not is_complex:
        warnings.warn(
            "stft with return_complex=False is deprecated; use torch.view_as_real on the complex "
            "result", UserWarning, stacklevel=2,
        )  # fmt: skip
    if onesided and is_complex:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    if window is None:
        warnings.warn(
            "stft without a window takes one of ones, window=torch.ones(n_fft), which spreads "
            "each frequency over its neighbours; torch.hann_window(n_fft) does less so",
            UserWarning, stacklevel=2,
        )  # fmt: skip
    if center:
        x = _padded(x, n_fft // 2, pad_mode)
    length = x.shape[-1]
    if not 0 < n_fft <= length:
        raise errors.ShapeError(f"stft: expected 0 < n_fft <= {length}, but got n_fft={n_fft}")
    if hop_length <= 0:
        raise RuntimeError(f"stft: expected hop_length > 0, but got hop_length={hop_length}")
    _check_window("stft", n_fft, win_length, window)
    left = (n_fft - win_length) // 2
    if align_to_window:
        x = _zeros_around(x, left, n_fft - win_length - left)
    parts = x.unfold(-1, n_fft, hop_length)
    factors = _window_of(window, n_fft, win_length, x)
    if factors is not None:
        parts = parts * factors
    norm = "ortho" if normalized else None
    halved = not is_complex if onesided is None else onesided
    out = fft.rfft(parts, norm=norm) if halved else fft.fft(parts, norm=norm)
    out = out.transpose(-2, -1)
    return FUNCTIONS["view_as_real"](out) if return_complex is False else out


def istft(
    input, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False,
    onesided=None, length=None, return_complex=False,
):  # fmt: skip
    """The signal whose :func:`stft` is nearest to ``input``, by least squares.

    After Griffin & Lim, "Signal estimation from modified short-time Fourier transform", IEEE
    Transactions on Acoustics, Speech and Signal Processing 32 (1984).

    Args:
        input: (frequencies, parts) or (batch, frequencies, parts), complex.
        n_fft: as for :func:`stft`, as the further arguments.
        hop_length: see there.
        win_length: see there.
        window: see there.
        center: see there.
        normalized: see there.
        onesided: whether ``input`` has the frequencies up to ``n_fft // 2`` only; by default
            where it has not ``n_fft`` of them.
        length: elements of the result: what is over is cut, what is missing is 0, with a warning.
        return_complex: the signal is complex.

    Raises:
        RuntimeError: ``input`` is real or empty, lengths that do not fit together, or windows
            whose overlap is 0 somewhere.

    >>> import tensorgrad as torch
    >>> x, w = torch.tensor([1.0, 2.0, -1.0, 0.5, 3.0, 1.0, 0.0, 2.0]), torch.hann_window(4)
    >>> torch.istft(torch.stft(x, 4, window=w, return_complex=True), 4, window=w)
    tensor([ 1.0000,  2.0000, -1.0000,  0.5000,  3.0000,  1.0000,  0.0000,  2.0000])
    """
    if window is None:
        warnings.warn(
            "istft without a window takes one of ones, window=torch.ones(n_fft); give the window "
            "of stft to get the signal back", UserWarning, stacklevel=2,
        )  # fmt: skip
    if not input.is_complex():
        raise errors.DtypeError(
            "istft requires a complex-valued input, as stft(..., return_complex=True) gives it; "
            f"got {input.dtype}"
        )
    if input.dim() < 2:
        raise IndexError(f"istft: expected 2 or 3 dimensions, got shape {tuple(input.shape)}")
    if input.dim() > 3 or not input.numel():
        raise errors.ShapeError(
            "istft: expected a tensor of 2 or 3 dimensions that is not empty, got shape "
            f"{tuple(input.shape)}"
        )
    hop_length = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    frequencies, count = input.shape[-2:]
    onesided = frequencies != n_fft if onesided is None else onesided
    expected = n_fft // 2 + 1 if onesided else n_fft
    if frequencies != expected:
        raise errors.ShapeError(
            f"istft: expected {expected} frequencies for n_fft={n_fft} and onesided={onesided}, "
            f"got {frequencies}"
        )
    _check_window("istft", n_fft, win_length, window)
    if not 0 < hop_length <= win_length:
        raise RuntimeError(f"istft: expected 0 < hop_length <= win_length, got {hop_length}")
    if return_complex and onesided:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    if not return_complex and window is not None and window.is_complex():
        raise RuntimeError("Complex windows are incompatible with return_complex=False")
    norm = "ortho" if normalized else None
    parts = input.transpose(-2, -1)
    if return_complex:
        parts = fft.ifft(parts, norm=norm)
    else:
        parts = fft.irfft(parts[..., : n_fft // 2 + 1], n=n_fft, norm=norm)
    factors = _window_of(window, n_fft, win_length, parts)
    if factors is None:
        factors = wrap(np.ones(n_fft, parts.real._array.dtype))
    total = n_fft + hop_length * (count - 1)
    signal = _overlapped(parts * factors, total, hop_length)
    squares = (factors * factors).expand(count, n_fft)
    envelope = _overlapped(squares, total, hop_length)
    start = n_fft // 2 if center else 0
    end = total - start if length is None else start + length
    if end <= start:
        raise RuntimeError(f"istft: the signal would have {end - start} elements")
    signal, envelope = signal[..., start:end], envelope[start:end]
    if envelope._array.size == 0 or np.abs(envelope._array).min() < 1e-11:
        raise RuntimeError(
            "istft: the windows add up to 0 somewhere, so the signal is not determined there; "
            "use center=True, a longer window or a shorter hop_length"
        )
    signal = signal / envelope
    if end > total:
        warnings.warn(
            f"istft: the signal has {total - start} elements, fewer than length={length}; zeros "
            "follow", UserWarning, stacklevel=2,
        )  # fmt: skip
        signal = _zeros_around(signal, 0, end - total)
    return signal


def _check_window(name, n_fft, win_length, window):
    """Demand a window of ``win_length`` elements, within ``n_fft``."""
    if not 0 < win_length <= n_fft:
        raise RuntimeError(
            f"{name}: expected 0 < win_length <= n_fft, but got win_length={win_length} and "
            f"n_fft={n_fft}"
        )
    if window is not None and tuple(window.shape) != (win_length,):
        raise errors.ShapeError(
            f"{name}: expected a 1D window tensor of size equal to win_length={win_length}, but "
            f"got window with size {list(window.shape)}"
        )


def _window_of(window, n_fft, win_length, like):
    """The window with zeros on both sides up to ``n_fft``, or None for ones alone."""
    if window is None:
        if win_length == n_fft:
            return None
        window = wrap(np.ones(win_length, like.real._array.dtype))
    left = (n_fft - win_length) // 2
    return _zeros_around(window, left, n_fft - win_length - left)


def _zeros_around(x, left, right):
    if not left and not right:
        return x
    pad = ((0, 0),) * (x.dim() - 1) + ((left, right),)
    return OPS["constant_pad"].apply((x,), {"pad": pad, "value": 0.0})


# PyTorch's name of a way to pad -> NumPy's, and how much more than the padding it takes.
_MODES = {"reflect": ("reflect", 1), "replicate": ("edge", None), "circular": ("wrap", 0)}


def _padded(x, n, mode):
    """``x`` with ``n`` elements more at both ends."""
    if mode == "constant":
        return _zeros_around(x, n, n)
    if mode not in _MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    how, more = _MODES[mode]
    size = x.shape[-1]
    if not size or (more is not None and n + more > size):
        raise errors.ShapeError(
            f"Padding size should be less than the corresponding input dimension, but got: {mode} "
            f"padding of {n} elements for {size}"
        )
    return x.index_select(-1, wrap(np.pad(np.arange(size), n, mode=how)))


def _overlapped(parts, total, step):
    """The sum of all parts (..., count, size), each ``step`` after the one before."""
    shape = (*parts.shape[:-2], total)
    attrs = {"shape": shape, "dimension": len(shape) - 1, "size": parts.shape[-1], "step": step}
    return OPS["overlap_add"].apply((parts,), attrs)
