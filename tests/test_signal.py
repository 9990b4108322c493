"""Windows and the short-time Fourier transform, beside PyTorch."""

import warnings

import numpy as np
import pytest
from both import agree

import tensorgrad

SAMPLED = ["hann_window", "hamming_window", "blackman_window", "bartlett_window", "kaiser_window"]
WINDOWS = ["bartlett", "blackman", "cosine", "exponential", "gaussian", "general_hamming",
           "hamming", "hann", "kaiser", "nuttall"]  # fmt: skip
OPTIONS = {
    "exponential": [{"tau": 3.0}, {"tau": 0.5, "center": 2, "sym": False}],
    "gaussian": [{"std": 0.3}, {"std": 4.0, "sym": False}],
    "kaiser": [{"beta": 0.0}, {"beta": 5.0, "sym": False}],
    "general_hamming": [{"alpha": 0.7}, {"alpha": 0.2, "sym": False}],
}


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 11])
def test_sampled_windows(name, n):
    agree(lambda lib: getattr(lib, name)(n))
    agree(lambda lib: getattr(lib, name)(n, False, dtype=lib.float64), rtol=1e-12)
    agree(lambda lib: getattr(lib, name)(n, periodic=True, dtype=lib.float64), rtol=1e-12)


def test_factors_of_sampled_windows():
    agree(lambda lib: lib.hamming_window(7, True, 0.6, 0.3, dtype=lib.float64), rtol=1e-12)
    agree(lambda lib: lib.kaiser_window(7, False, 3.0, dtype=lib.float64), rtol=1e-12)
    agree(lambda lib: lib.kaiser_window(7, False, beta=3.0))
    agree(lambda lib: lib.hann_window(3, requires_grad=True).requires_grad)


@pytest.mark.parametrize("name", SAMPLED)
def test_bad_sampled_windows(name):
    for program in (
        lambda lib: getattr(lib, name)(-1),
        lambda lib: getattr(lib, name)(2.5),
        lambda lib: getattr(lib, name)(4, dtype=lib.int64),
        lambda lib: getattr(lib, name)(4, dtype=lib.complex64),
        lambda lib: getattr(lib, name)(4, layout=lib.sparse_coo),
    ):
        assert isinstance(agree(program), Exception)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("n", [0, 1, 2, 5, 8])
def test_windows(name, n):
    for given in ({}, {"sym": False}, *OPTIONS.get(name, [])):
        agree(lambda lib: getattr(lib.signal.windows, name)(n, **given))  # noqa: B023
        agree(
            lambda lib: getattr(lib.signal.windows, name)(n, dtype=lib.float64, **given),  # noqa: B023
            rtol=1e-12,
        )


@pytest.mark.parametrize("sym", [True, False])
@pytest.mark.parametrize("n", [0, 1, 6])
def test_general_cosine(n, sym):
    for a in ([0.5], (0.4, 0.6), [0.3, 0.4, 0.2, 0.1]):
        agree(lambda lib: lib.signal.windows.general_cosine(n, a=a, sym=sym))  # noqa: B023


def test_bad_windows():
    for program in (
        lambda w, lib: w.hann(-1),
        lambda w, lib: w.hann(5, dtype=lib.float16),
        lambda w, lib: w.cosine(5, layout=lib.sparse_coo),
        lambda w, lib: w.exponential(5, center=2),
        lambda w, lib: w.exponential(5, tau=0),
        lambda w, lib: w.gaussian(5, std=-1.0),
        lambda w, lib: w.kaiser(5, beta=-1.0),
        lambda w, lib: w.general_cosine(5, a=[]),
        lambda w, lib: w.general_cosine(5, a=3),
    ):
        assert isinstance(agree(lambda lib: program(lib.signal.windows, lib)), Exception)  # noqa: B023


# --- the transform ----------------------------------------------------------------------


@pytest.fixture(autouse=True)
def without_warnings():
    """PyTorch warns of a missing window once in a process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def signal(lib, *shape, seed=0):
    return lib.tensor(np.random.default_rng(seed).normal(size=shape))


def window(lib, n, seed=1):
    return lib.tensor(np.random.default_rng(seed).uniform(0.5, 1.5, n))


CASES = [
    {},
    {"hop_length": 3},
    {"win_length": 5},
    {"win_length": 4, "hop_length": 1},
    {"center": False},
    {"center": False, "win_length": 4, "align_to_window": True},
    {"center": False, "win_length": 4, "align_to_window": False},
    {"pad_mode": "constant"},
    {"pad_mode": "replicate"},
    {"pad_mode": "circular"},
    {"normalized": True},
    {"onesided": False},
    {"onesided": True, "normalized": True},
    {"return_complex": False},
]


@pytest.mark.parametrize("n_fft", [6, 7])
@pytest.mark.parametrize("shape", [(20,), (2, 17)])
@pytest.mark.parametrize("given", CASES)
def test_stft(given, shape, n_fft):
    given = {"return_complex": True, **given}
    if given.get("align_to_window") and n_fft == 7:  # PyTorch's 4 would read past the end
        given["win_length"] = 5

    def run(lib):
        return lib.stft(signal(lib, *shape), n_fft, **given)

    def windowed(lib):
        w = window(lib, given.get("win_length", n_fft))
        return signal(lib, *shape).stft(n_fft, window=w, **given)

    agree(run, rtol=1e-10)
    agree(windowed, rtol=1e-10)


def test_complex_stft():
    def run(lib):
        x, w = lib.complex(signal(lib, 2, 20), signal(lib, 2, 20, seed=3)), window(lib, 8)
        z = lib.complex(w, window(lib, 8, seed=4))
        return (
            x.stft(8), x.stft(8, window=w), x.stft(8, window=z), x.real.stft(8, window=z),
            x.stft(8, window=w, onesided=False),
            x.to(lib.complex64).stft(8, 2, window=w.float()),
            x.real.float().stft(8, 2, window=w, return_complex=True),
        )  # fmt: skip

    agree(run)


@pytest.mark.parametrize("given", CASES[:4] + CASES[7:13])
def test_gradients_of_stft(given):
    def run(lib):
        x = signal(lib, 2, 14).requires_grad_()
        w = window(lib, given.get("win_length", 6)).requires_grad_()
        y = lib.view_as_real(lib.stft(x, 6, window=w, return_complex=True, **given))
        loss = (y * y * signal(lib, *y.shape, seed=5)).sum()
        first = lib.autograd.grad(loss, [x, w], create_graph=True)
        return first, lib.autograd.grad(sum((g**2).sum() for g in first), [x, w])

    agree(run, rtol=1e-9)


def spectrum(lib, n_fft, parts=5, onesided=True, batch=(2,)):
    shape = (*batch, n_fft // 2 + 1 if onesided else n_fft, parts)
    return lib.complex(signal(lib, *shape), signal(lib, *shape, seed=9))


INVERSES = [
    {},
    {"hop_length": 2},
    {"win_length": 5},
    {"center": False},
    {"normalized": True},
    {"length": 3},
    {"length": 4, "center": False},
    {"length": 40},
    {"onesided": False},
    {"onesided": False, "return_complex": True},
    {"onesided": None},
]


@pytest.mark.parametrize("n_fft", [6, 7])
@pytest.mark.parametrize("given", INVERSES)
def test_istft(given, n_fft):
    halved = given.get("onesided", True) is not False
    if given.get("length") == 40 or (n_fft == 7 and given.get("win_length") == 5):
        given = {**given, "hop_length": 1}

    def run(lib):
        return lib.istft(spectrum(lib, n_fft, onesided=halved), n_fft, **given)

    def windowed(lib):
        w = window(lib, given.get("win_length", n_fft))
        return spectrum(lib, n_fft, onesided=halved, batch=()).istft(n_fft, window=w, **given)

    agree(run, rtol=1e-9)
    agree(windowed, rtol=1e-9)


@pytest.mark.parametrize("given", INVERSES[:10])
def test_gradients_of_istft(given):
    halved = given.get("onesided", True) is not False

    def run(lib):
        z = spectrum(lib, 6, onesided=halved).requires_grad_()
        w = window(lib, given.get("win_length", 6)).requires_grad_()
        y = lib.istft(z, 6, window=w, **given)
        y = lib.view_as_real(y) if y.is_complex() else y
        loss = (y * y * signal(lib, *y.shape, seed=5)).sum()
        first = lib.autograd.grad(loss, [z, w], create_graph=True)
        again = sum((g * g.conj()).real.sum() for g in first)
        return first, lib.autograd.grad(again, [z, w])

    agree(run, rtol=1e-8)


def test_istft_gives_the_signal_back():
    x = signal(tensorgrad, 3, 50)
    for onesided in (True, False):
        w = tensorgrad.hann_window(12, dtype=tensorgrad.float64)
        z = x.stft(12, window=w, onesided=onesided, return_complex=True)
        back = z.istft(12, window=w, onesided=onesided, length=48)
        assert np.allclose(back.numpy(), x[:, :48].numpy())


def test_bad_stft():
    for program in (
        lambda x, w: x.stft(8),
        lambda x, w: x.stft(8, window=w[:4], return_complex=True),
        lambda x, w: x.stft(8, window=w[None], return_complex=True),
        lambda x, w: x.stft(8, win_length=10, return_complex=True),
        lambda x, w: x.stft(8, win_length=0, return_complex=True),
        lambda x, w: x.stft(0, return_complex=True),
        lambda x, w: x.stft(60, return_complex=True),
        lambda x, w: x.stft(60, center=False, return_complex=True),
        lambda x, w: x.stft(8, 0, return_complex=True),
        lambda x, w: x[None].stft(8, return_complex=True),
        lambda x, w: x.long().stft(8, return_complex=True),
        lambda x, w: (x + 0j).stft(8, onesided=True),
        lambda x, w: x.stft(8, window=w + 0j, onesided=True),
        lambda x, w: x.stft(8, window=w, return_complex=True, align_to_window=True),
        lambda x, w: x.stft(8, window=w, return_complex=True, pad_mode="other"),
    ):

        def run(lib, program=program):
            return program(signal(lib, 2, 20), window(lib, 8))

        assert isinstance(agree(run), Exception)


def test_bad_istft():
    for program in (
        lambda z, w: z.real.istft(8, window=w),
        lambda z, w: z.istft(8, window=w, return_complex=True),
        lambda z, w: z.istft(6, window=w[:6]),
        lambda z, w: z.istft(8, window=w[:4]),
        lambda z, w: z.istft(8, 0, window=w),
        lambda z, w: z.istft(8, 9, window=w),
        lambda z, w: z.istft(8, win_length=9),
        lambda z, w: z.istft(8, window=w * 0),
        lambda z, w: z[..., :0].istft(8, window=w),
        lambda z, w: z[0, 0].istft(8, window=w),
        lambda z, w: z[None].istft(8, window=w),
        lambda z, w: z.istft(8, window=w, onesided=False),
        lambda z, w: z.istft(8, window=w + 0j),
        lambda z, w: z.istft(8, window=w, length=0),
        lambda z, w: z.istft(8, window=w, length=-2),
    ):

        def run(lib, program=program):
            return program(spectrum(lib, 8), window(lib, 8))

        assert isinstance(agree(run), Exception)


def test_warnings():
    x = tensorgrad.arange(12.0)
    w = tensorgrad.ones(4)
    with pytest.warns(UserWarning, match="view_as_real"):
        x.stft(4, window=w, return_complex=False)
    with pytest.warns(UserWarning, match="stft without a window"):
        z = x.stft(4, return_complex=True)
    with pytest.warns(UserWarning, match="istft without a window"):
        assert z.istft(4).shape == (12,)
    with pytest.warns(UserWarning, match="zeros follow"):
        assert z.istft(4, window=w, length=20).shape == (20,)


def test_stft_of_a_complex_signal_as_pairs():
    agree(
        lambda lib: lib.stft(
            lib.arange(32.0) * 1j, 8, window=lib.ones(8), return_complex=False, onesided=False
        )
    )
