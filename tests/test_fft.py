"""Fourier transforms beside PyTorch: values, gradients, second gradients, errors, signals."""

import numpy as np
import pytest
from both import agree

import tensorgrad as tg

torch = pytest.importorskip("torch")

ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
MANY = tuple(f"{name}{d}" for name in ONE for d in (2, "n"))
REAL = ("rfft", "ihfft", "rfft2", "ihfft2", "rfftn", "ihfftn")
RNG = np.random.default_rng(0)


def numbers(shape, real):
    x = RNG.standard_normal(shape)
    return x if real else x + 1j * RNG.standard_normal(shape)


def derivatives(lib, f, *arrays):
    """Value, first and second gradients, of every input and of the first gradient's direction."""
    xs = [lib.tensor(a, requires_grad=True) for a in arrays]
    out = f(*xs)
    parts = np.random.default_rng(1).standard_normal((2, *out.shape))
    g = parts[0] + 1j * parts[1] if out.is_complex() else parts[0]
    g = lib.tensor(g, requires_grad=True)
    first = lib.autograd.grad(out, xs, g, create_graph=True)
    size = sum((a * a.conj()).real.sum() * 0.5 + (a * a * a).real.sum() for a in first)
    second = lib.autograd.grad(size, [*xs, g], allow_unused=True, materialize_grads=True)
    return [out, *first, *second]


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("name", ONE)
def test_one_dimension(name, norm):
    for shape, n, dim in [((5,), None, -1), ((4, 3), 6, 0), ((3, 4), 3, 1), ((2, 6), None, -1),
                          ((1, 2), 1, -1), ((3, 2), 5, -2), ((2, 2), None, 0)]:  # fmt: skip
        x = numbers(shape, name in REAL)
        agree(lambda lib, x=x, n=n, dim=dim: derivatives(
            lib, lambda t: getattr(lib.fft, name)(t, n, dim, norm), x), 1e-10)  # fmt: skip


@pytest.mark.parametrize("norm", ["ortho", "forward"])
@pytest.mark.parametrize("name", MANY)
def test_several_dimensions(name, norm):
    cases = [((4, 3), None, (-2, -1)), ((3, 4, 5), (2, 6), (0, 2)), ((3, 4), (-1, 3), (1, 0))]
    if name.endswith("n"):
        cases += [((2, 3, 4), None, None), ((2, 3, 4), (5, 2), None), ((3, 4), None, (1,)),
                  ((2, 3, 2), None, (1, 2, 0))]  # fmt: skip
    for shape, s, dim in cases:
        x = numbers(shape, name in REAL)
        kwargs = {"s": s, "dim": dim, "norm": norm}
        agree(lambda lib, x=x, kwargs=kwargs: derivatives(
            lib, lambda t: getattr(lib.fft, name)(t, **kwargs), x), 1e-9)  # fmt: skip


@pytest.mark.parametrize("name", ("fft", "irfft", "hfft", "fft2", "irfftn"))
def test_real_input_where_complex_is_meant(name):
    agree(lambda lib: derivatives(lib, getattr(lib.fft, name), numbers((3, 4), True) * 0 + 1.5))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int64", "bool", "float16"])
@pytest.mark.parametrize("name", ONE)
def test_dtypes(name, dtype):
    def program(lib):
        return getattr(lib.fft, name)(lib.tensor([1, 0, 1, 1]).to(getattr(lib, dtype)))

    agree(program, 1e-5)


BAD = {
    "no points": lambda f, lib, x: f.fft(x, 0),
    "minus points": lambda f, lib, x: f.rfft(x, n=-2),
    "norm": lambda f, lib, x: f.ifft(x, norm="none"),
    "dimension": lambda f, lib, x: f.fft(x, dim=2),
    "complex into rfft": lambda f, lib, x: f.rfft(x + 1j),
    "complex into ihfft": lambda f, lib, x: f.ihfft(x + 1j),
    "too many sizes": lambda f, lib, x: f.fftn(x, s=(2, 2, 2)),
    "lengths differ": lambda f, lib, x: f.fftn(x, s=(2,), dim=(0, 1)),
    "dimension twice": lambda f, lib, x: f.fftn(x, dim=(0, -2)),
    "nothing to transform": lambda f, lib, x: f.rfftn(x, dim=()),
    "nothing back": lambda f, lib, x: f.irfftn(x, dim=()),
    "no dimensions": lambda f, lib, x: f.fft(lib.tensor(1.0)),
    "one frequency": lambda f, lib, x: f.irfft(x[:, :1]),
    "two of one": lambda f, lib, x: f.fft2(x[0]),
    "not a tensor": lambda f, lib, x: f.fft([1.0]),
    "shift": lambda f, lib, x: f.fftshift(x, 3),
    "integer frequencies": lambda f, lib, x: f.fftfreq(3, dtype=lib.int64),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    assert agree(lambda lib: BAD[name](lib.fft, lib, lib.ones(2, 3))) is not None


def test_no_dimension_is_a_copy():
    agree(lambda lib: lib.fft.fftn(lib.ones(2), dim=()))
    agree(lambda lib: lib.fft.fftn(lib.tensor(2.0), norm="backward"))


def test_frequencies_and_shifts():
    for n in (1, 4, 5):
        agree(lambda lib, n=n: [lib.fft.fftfreq(n), lib.fft.fftfreq(n, 0.5, dtype=lib.float64),
                                lib.fft.rfftfreq(n, d=2.0)])  # fmt: skip
    for dim in (None, 0, (1,), (0, -1)):
        agree(lambda lib, dim=dim: derivatives(
            lib, lambda t: lib.fft.fftshift(t, dim) + 2 * lib.fft.ifftshift(t, dim),
            np.arange(15.0).reshape(3, 5)))  # fmt: skip


def test_out():
    def program(lib):
        out = lib.empty(3, dtype=lib.complex64)
        return lib.fft.fft(lib.ones(3), out=out), out

    agree(program)


def test_a_filter_is_trained_through_its_spectrum():
    """Convolution by products of spectra equals the sum over shifts, with its gradients."""
    x, w = RNG.standard_normal(6), RNG.standard_normal(6)

    def by_spectra(x, w):
        return tg.fft.irfft(tg.fft.rfft(x) * tg.fft.rfft(w), 6)

    def by_shifts(x, w):
        return sum(x[k] * w.roll(k) for k in range(6))

    got, want = (derivatives(tg, f, x, w) for f in (by_spectra, by_shifts))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-10)
