"""The extension for Fourier transforms of the array API standard."""

from __future__ import annotations

import tensorgrad as _torch

_ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
_MANY = ("fftn", "ifftn", "rfftn", "irfftn")
_DEVICE = ("fftfreq", "rfftfreq")
_SHIFTS = ("fftshift", "ifftshift")
__all__ = [*_ONE, *_MANY, *_DEVICE, *_SHIFTS]


def _one(name):
    run = getattr(_torch.fft, name)

    def transform(x, /, *, n=None, axis=-1, norm="backward"):
        return run(x, n, axis, norm)

    return transform


def _many(name):
    run = getattr(_torch.fft, name)

    def transform(x, /, *, s=None, axes=None, norm="backward"):
        return run(x, s, axes, norm)

    return transform


def _frequencies(name):
    run = getattr(_torch.fft, name)

    def frequencies(n, /, *, d=1.0, dtype=None, device=None):
        return run(n, d, dtype=dtype, device=device)

    return frequencies


def _shift(name):
    run = getattr(_torch.fft, name)

    def shift(x, /, *, axes=None):
        return run(x, axes)

    return shift


def _publish(names, make):
    for name in names:
        function = globals()[name] = make(name)
        function.__name__ = function.__qualname__ = name
        function.__doc__ = f"As :func:`tensorgrad.fft.{name}`, with the arguments of the standard."


_publish(_ONE, _one)
_publish(_MANY, _many)
_publish(_DEVICE, _frequencies)
_publish(_SHIFTS, _shift)
