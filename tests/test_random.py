"""Random draws: equal to PyTorch's from the same seed, safe when refused, right by themselves."""

import copy
import math
import pickle
import subprocess
import sys
import threading
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.kernels import sampling
from tensorgrad.random import Generator, default_generator

SEEDS = st.integers(-(2**63), 2**64 - 1)
SIZES = st.one_of(st.integers(0, 70), st.integers(600, 1300), st.integers(32750, 33000))
FLOATS = ("float16", "float32", "float64")
INTEGERS = ("bool", "uint8", "int8", "int16", "int32", "int64")
FAST = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def portable(torch):
    """PyTorch where ``bernoulli_(p)`` takes two words per draw: not with MKL on Intel."""
    probe = torch.Generator().manual_seed(0)
    torch.empty(100).bernoulli_(0.5, generator=probe)
    taken = torch.Generator().manual_seed(0)
    torch.rand(100, dtype=torch.float64, generator=taken)
    if not torch.equal(probe.get_state(), taken.get_state()):
        pytest.skip("this PyTorch draws Bernoulli and exponential numbers by MKL")
    return torch


@pytest.fixture
def seeded():
    """The default generator at seed 0, put back afterwards."""
    with tg.random.fork_rng():
        tg.manual_seed(0)
        yield default_generator


def generators(torch, seed):
    return Generator().manual_seed(seed), torch.Generator().manual_seed(seed)


def same_state(ours, theirs):
    return np.array_equal(ours.get_state().numpy(), theirs.get_state().numpy())


def check(ours, theirs, g, t, rtol=0.0):
    """Same dtype, shape, values and state; ``rtol`` also bounds the error absolutely."""
    a, b = getattr(ours, "_array", ours), theirs.numpy()
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
    assert same_state(g, t)


def agree(torch, seed, *draws, rtol=0.0):
    """Each ``draw(library, generator)`` gives the same in both, one after the other."""
    g, t = generators(torch, seed)
    for draw in draws:
        check(draw(tg, g), draw(torch, t), g, t, rtol)


def empty(m, n, dtype):
    return m.empty(n, dtype=getattr(m, dtype))


# --- the bit source ---------------------------------------------------------------------


def test_first_and_ten_thousandth_word_of_the_reference_implementation():
    words = Generator().manual_seed(5489).random32(10000)
    assert (words[0], words[-1]) == (3499211612, 4123659995)  # std::mt19937, ISO C++ [rand.predef]


@given(SEEDS, st.integers(0, 1300), st.integers(0, 1300))
@FAST
def test_words_come_in_one_stream_however_they_are_asked_for(seed, a, b):
    whole = Generator().manual_seed(seed).random32(a + 2 * b)
    g = Generator().manual_seed(seed)
    first, pairs = g.random32(a), g.random64(b)
    np.testing.assert_array_equal(whole[:a], first)
    np.testing.assert_array_equal(whole[a::2], pairs >> np.uint64(32))
    np.testing.assert_array_equal(whole[a + 1 :: 2], pairs & np.uint64(0xFFFFFFFF))


# --- generators -------------------------------------------------------------------------


@given(SEEDS, st.lists(st.integers(0, 700), max_size=4))
@FAST
def test_state_is_pytorchs_byte_for_byte(torch, seed, draws):
    g, t = generators(torch, seed)
    assert g.initial_seed() == t.initial_seed()
    assert same_state(g, t)
    for n in draws:
        check(sampling.normal(g, (n,)), torch.randn(n, generator=t), g, t, rtol=2e-6)


@given(SEEDS, st.integers(0, 1300))
@example(3, 624)
@example(3, 1248)
@FAST
def test_states_are_exchanged_with_pytorch(torch, seed, drawn):
    t = torch.Generator().manual_seed(seed)
    torch.rand(drawn, generator=t)
    torch.randn(5, generator=t)  # leaves a normal for later
    g = Generator()
    g.set_state(tg.tensor(t.get_state().numpy()))
    assert g.initial_seed() == t.initial_seed()
    check(
        sampling.normal(g, (3,), 0, 1, "f8"),
        torch.randn(3, dtype=torch.float64, generator=t),
        g,
        t,
        rtol=1e-14,
    )
    back = torch.Generator()
    back.set_state(torch.from_numpy(g.get_state().numpy()))
    check(sampling.uniform(g, (9,)), torch.rand(9, generator=back), g, back)


def test_new_generators_start_from_pytorchs_seed(torch):
    assert Generator().initial_seed() == torch.Generator().initial_seed() == 67280421310721
    assert same_state(Generator(), torch.Generator())


def test_default_generator_starts_from_another_seed_in_each_process():
    code = "import tensorgrad as t; print(t.initial_seed(), t.rand(1).item())"
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 2


def test_importing_does_not_load_numpy_random():
    code = "import sys, tensorgrad; assert 'numpy.random' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_manual_seed_returns_the_generator_and_forgets_the_kept_normal(seeded):
    g = Generator()
    assert g.manual_seed(3) is g
    first = sampling.normal(g, (1,))
    sampling.normal(g, (2,))
    np.testing.assert_array_equal(sampling.normal(g.manual_seed(3), (1,)), first)
    assert tg.manual_seed("7") is default_generator
    assert tg.initial_seed() == 7
    assert tg.manual_seed(2.9).initial_seed() == 2


@pytest.mark.parametrize(
    ("seed", "error"),
    [
        (1.5, RuntimeError), ("a", RuntimeError), (True, RuntimeError), (None, RuntimeError),
        (2**64, ValueError), (-(2**63) - 1, ValueError),
    ],
)  # fmt: skip
def test_bad_seeds(torch, seed, error):
    g = Generator().manual_seed(4)
    with pytest.raises(error, match="manual_seed expected"):
        g.manual_seed(seed)
    assert g.initial_seed() == 4
    with pytest.raises(error):
        torch.Generator().manual_seed(seed)


def test_seed_takes_a_new_one_and_returns_it():
    g = Generator()
    seeds = {g.seed() for _ in range(3)}
    assert len(seeds) == 3
    assert g.initial_seed() in seeds
    assert all(0 <= s < 2**64 for s in seeds)


def bad_states(lib, generator):
    zeros = lib.zeros(5056, dtype=lib.uint8)
    good = generator.get_state()
    left_too_large = good.clone()
    left_too_large[8:12] = 255
    return {
        "list": ([1, 2], TypeError),
        "array": (np.zeros(5056, np.uint8), TypeError),
        "float": (lib.zeros(5056), TypeError),
        "short": (lib.zeros(10, dtype=lib.uint8), RuntimeError),
        "zeros": (zeros, RuntimeError),
        "left": (left_too_large, RuntimeError),
    }


@pytest.mark.parametrize("case", ["list", "array", "float", "short", "zeros", "left"])
def test_bad_states_are_refused_and_change_nothing(torch, case):
    g = Generator().manual_seed(1)
    g.random32(5)
    before = g.get_state().numpy()
    state, error = bad_states(tg, g)[case]
    with pytest.raises(error):
        g.set_state(state)
    np.testing.assert_array_equal(g.get_state().numpy(), before)
    theirs, error = bad_states(torch, torch.Generator())[case]
    with pytest.raises(error):
        torch.Generator().set_state(theirs)


def test_inconsistent_position_is_refused():
    g = Generator()
    g.random32(5)
    state = g.get_state()
    state[16] = 9  # the next word, which must agree with how many are left
    with pytest.raises(RuntimeError, match="not made by get_state"):
        g.set_state(state)


@pytest.mark.parametrize(
    "duplicate",
    [Generator.clone_state, copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))],
    ids=["clone_state", "copy", "deepcopy", "pickle"],
)
def test_copies_continue_alike_and_apart(duplicate):
    g = Generator().manual_seed(11)
    sampling.normal(g, (3,))
    twin = duplicate(g)
    assert twin is not g
    assert twin.initial_seed() == 11
    expected = sampling.normal(g, (4,))
    np.testing.assert_array_equal(sampling.normal(twin, (4,)), expected)


def test_other_devices_are_refused():
    assert Generator("cpu").device == Generator(tg.device("cpu")).device == tg.device("cpu")
    with pytest.raises(RuntimeError, match="CPU only"):
        Generator(device="cuda")


def test_rng_state_functions_and_fork(seeded):
    state = tg.get_rng_state()
    expected = tg.rand(3)
    with tg.random.fork_rng():
        tg.rand(100)
    later = sampling.uniform(Generator().manual_seed(0), (5,))[3:]
    np.testing.assert_array_equal(tg.rand(2).numpy(), later)
    tg.set_rng_state(state)
    np.testing.assert_array_equal(tg.rand(3).numpy(), expected.numpy())
    with tg.random.fork_rng(enabled=False):
        tg.manual_seed(5)
    assert tg.initial_seed() == 5


def test_fork_restores_after_an_error_and_decorates(seeded):
    before = tg.get_rng_state().numpy()

    @tg.random.fork_rng()
    def fails():
        tg.rand(3)
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            fails()
        np.testing.assert_array_equal(tg.get_rng_state().numpy(), before)


def test_threads_share_a_generator_without_losing_or_repeating_words():
    g = Generator().manual_seed(2)
    taken = [[] for _ in range(4)]

    def work(mine):
        for _ in range(50):
            mine.append(g.random64(40))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in taken]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    together = np.sort(np.concatenate([np.concatenate(mine) for mine in taken]))
    alone = np.sort(Generator().manual_seed(2).random64(8000))
    np.testing.assert_array_equal(together, alone)


# --- uniform and normal -----------------------------------------------------------------


@given(SEEDS, SIZES, st.sampled_from((*FLOATS, "complex64", "complex128")))
@FAST
def test_rand_equals_pytorch(torch, seed, n, dtype):
    agree(torch, seed, lambda m, g: m.rand(n, generator=g, dtype=getattr(m, dtype)))


# Clear of underflow, where the lost part of a product is itself lost.
TERMS = st.floats(-3e4, 3e4).filter(lambda v: v == 0 or abs(v) > 1e-250)
BOUNDS = st.tuples(TERMS, TERMS).map(sorted)


@given(SEEDS, st.sampled_from((1, 40, 3000)), st.sampled_from(FLOATS), BOUNDS)
@example(0, 3000, "float32", [1000.0, 1001.3])
@example(0, 3000, "float64", [-0.1234, 5.6])
@example(0, 3000, "float16", [0.0, 1.0])
@example(0, 3, "float32", [2.0, 2.0])
@example(0, 40, "float64", [1.9874490587590162e-150, 3.0])
@example(0, 40, "float32", [1.175494351e-38, 3.0])
@FAST
def test_uniform_on_an_interval_equals_pytorch(torch, seed, n, dtype, bounds):
    agree(torch, seed, lambda m, g: empty(m, n, dtype).uniform_(*bounds, generator=g))


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=5), TERMS, TERMS)
@example([0.1, 0.7], 3.0, 1.9874490587590162e-150)
@example([0.3], 1.0, -1e-200)
@settings(max_examples=500, deadline=None)
def test_affine_is_rounded_once(xs, scale, shift):
    x = np.array(xs)
    x = np.round(x * 2.0**53) / 2.0**53
    exact = [float(Fraction(v) * Fraction(scale) + Fraction(shift)) for v in x.tolist()]
    np.testing.assert_array_equal(sampling._affine(x, scale, shift), exact)


@given(st.lists(st.integers(0, 2**24 - 1), min_size=1, max_size=5), st.floats(-8, 8, width=32),
       st.floats(-8, 8, width=32))  # fmt: skip
@example([2**23 + 1], 3.0, 2.0**-126)
@settings(max_examples=500, deadline=None)
def test_affine_in_float32_is_rounded_once(bits, scale, shift):
    x = np.array(bits, np.float32) * np.float32(2.0**-24)
    got = sampling._affine(x, scale, shift)
    assert got.dtype == np.float32
    for v, r in zip(x.tolist(), got.tolist(), strict=True):
        exact = Fraction(v) * Fraction(scale) + Fraction(shift)
        beside = [float(np.nextafter(np.float32(r), np.float32(to))) for to in (-9e9, 9e9)]
        error = abs(Fraction(r) - exact)
        assert error <= min(abs(Fraction(other) - exact) for other in beside)


# A few units in the last place: PyTorch's vector sine against NumPy's.
NORMAL_ERROR = {"float16": 1e-3, "float32": 1e-6, "float64": 1e-14}


@given(SEEDS, SIZES, st.sampled_from(FLOATS), st.floats(-5, 5), st.floats(0, 5))
@example(0, 16, "float32", 0.0, 1.0)
@example(0, 17, "float16", 0.0, 1.0)
@example(0, 15, "float64", 1.0, 0.0)
@FAST
def test_normal_agrees_with_pytorch(torch, seed, n, dtype, mean, std):
    def draw(m, g):
        return empty(m, n, dtype).normal_(mean, std, generator=g)

    agree(torch, seed, draw, rtol=10 * NORMAL_ERROR[dtype])


@given(SEEDS, st.lists(st.sampled_from((1, 2, 5, 15, 16, 17, 33)), max_size=6),
       st.sampled_from((*FLOATS, "complex64")))  # fmt: skip
@FAST
def test_runs_of_randn_agree_with_pytorch(torch, seed, sizes, dtype):
    # The odd normal of a small draw is kept across large ones.
    draws = [lambda m, g, n=n: m.randn(n, generator=g, dtype=getattr(m, dtype)) for n in sizes]
    agree(torch, seed, *draws, rtol=NORMAL_ERROR.get(dtype, 1e-6))


def test_float32_normals_are_within_a_few_units_in_the_last_place(torch):
    g, t = generators(torch, 1)
    ours, theirs = sampling.normal(g, (200_000,)), torch.randn(200_000, generator=t).numpy()
    # Four seen, between NumPy's and PyTorch's AVX2 code; other instruction sets may differ.
    assert (np.abs(ours - theirs) <= 8 * np.spacing(np.abs(theirs))).all()
    assert (ours == theirs).mean() > 0.5


def test_normal_of_infinite_and_huge_parameters(torch):
    for mean, std in ((math.nan, 1.0), (math.inf, 1.0), (0.0, 1e300), (0.0, math.inf), (1.0, 0.0)):
        for n in (3, 20):
            for dtype in FLOATS:

                def draw(m, g, n=n, dtype=dtype, mean=mean, std=std):
                    return empty(m, n, dtype).normal_(mean, std, generator=g)

                agree(torch, 0, draw, rtol=1e-2 if dtype == "float16" else 1e-5)


@given(SEEDS, st.sampled_from([((3, 1), (20,)), ((5,), ()), ((), (4, 6)), ((2, 3), (2, 3))]))
@FAST
def test_normal_of_tensors_agrees_with_pytorch(torch, seed, shapes):
    rng = np.random.default_rng(0)
    mean, std = (rng.random(s).astype(np.float32) for s in shapes)
    agree(
        torch,
        seed,
        lambda m, g: m.normal(m.tensor(mean), m.tensor(std), generator=g),
        lambda m, g: m.normal(m.tensor(mean), 2.0, generator=g),
        lambda m, g: m.normal(2.0, m.tensor(std), generator=g),
        rtol=1e-5,
    )


# --- integers ---------------------------------------------------------------------------

RANGES = st.tuples(st.integers(-(2**63), 2**63 - 2), st.integers(0, 2**64)).map(
    lambda p: (p[0], min(p[0] + 1 + p[1], 2**63 - 1))
)


@given(SEEDS, st.sampled_from((1, 700, 33000)),
       st.one_of(RANGES, st.tuples(st.integers(-9, 0), st.integers(1, 300))))  # fmt: skip
@example(0, 33000, (0, 2**28 - 1))
@example(0, 33000, (0, 2**28))
@example(0, 700, (-(2**63), 2**63 - 1))
@FAST
def test_randint_equals_pytorch(torch, seed, n, bounds):
    agree(torch, seed, lambda m, g: m.randint(*bounds, (n,), generator=g))


@pytest.mark.filterwarnings("ignore")  # both warn where the dtype skips integers
@given(SEEDS, st.sampled_from(FLOATS), st.integers(-70000, 70000), st.integers(1, 2**40))
@example(0, "float16", 0, 65504)
@example(0, "float16", -2049, 4100)
@example(0, "float32", 0, 2**25)
@FAST
def test_randint_in_floating_dtypes_equals_pytorch(torch, seed, dtype, low, width):
    g, t = generators(torch, seed)

    def draw(lib, generator):
        try:
            return lib.randint(low, low + width, (500,), generator=generator,
                               dtype=getattr(lib, dtype))  # fmt: skip
        except RuntimeError:
            return None

    ours, theirs = draw(tg, g), draw(torch, t)
    assert (ours is None) == (theirs is None)
    if ours is not None:
        check(ours, theirs, g, t)


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_random_equals_pytorch(torch, dtype):
    calls = [(), (2,), (0, 2), (1, None), (0, None)]
    if dtype in ("int64", "float32", "float64"):
        calls.append((-(2**63), None))
    if dtype not in ("bool", "uint8"):
        calls.append((-5, None))
    for args in calls:
        agree(torch, 9, lambda m, g, args=args: empty(m, 2000, dtype).random_(*args, generator=g))


def test_integers_beyond_the_consecutive_ones_of_a_float_warn():
    with pytest.warns(UserWarning, match="holds every integer"):
        tg.randint(0, 2**25, (3,), dtype=tg.float32)


@given(SEEDS, st.one_of(st.integers(0, 300), st.sampled_from((1000, 33000))),
       st.sampled_from(("int64", "int32", "int16", "float32")))  # fmt: skip
@example(0, 255, "int64")
@example(0, 256, "int64")
@FAST
def test_randperm_equals_pytorch(torch, seed, n, dtype):
    n = min(n, 32767) if dtype == "int16" else n
    agree(torch, seed, lambda m, g: m.randperm(n, generator=g, dtype=getattr(m, dtype)))


@given(st.data(), st.integers(1, 60))
@settings(max_examples=300, deadline=None)
def test_swaps_at_once_are_swaps_in_turn(data, n):
    targets = np.array([data.draw(st.integers(i, n)) for i in range(n)])
    np.testing.assert_array_equal(
        sampling._swap_at_once(targets), sampling._swap_in_turn(targets)
    )


def test_long_permutations_use_64_bit_words(monkeypatch):
    # PyTorch's bound, 214,748,364, is out of a test's reach: take the path below it.
    monkeypatch.setattr(sampling, "_LONG_PERMUTATION", 10)
    order = sampling.randperm(Generator().manual_seed(0), 400)
    np.testing.assert_array_equal(np.sort(order), np.arange(400))
    words = Generator().manual_seed(0).random64(399).tolist()
    expected = list(range(400))
    for i, word in enumerate(words):
        j = i + word % (400 - i)
        expected[i], expected[j] = expected[j], expected[i]
    assert order.tolist() == expected


# --- discrete ---------------------------------------------------------------------------


@given(SEEDS, SIZES, st.sampled_from((*FLOATS, *INTEGERS)), st.floats(0, 1))
@example(0, 700, "float32", 0.0)
@example(0, 700, "float32", 1.0)
@FAST
def test_bernoulli_with_a_number_equals_pytorch(portable, seed, n, dtype, p):
    agree(portable, seed, lambda m, g: empty(m, n, dtype).bernoulli_(p, generator=g))


@given(SEEDS, st.sampled_from(FLOATS), st.sampled_from(("float32", "int64", "bool")))
@FAST
def test_bernoulli_with_probabilities_equals_pytorch(torch, seed, dtype, into):
    p = np.random.default_rng(0).random((50, 700)).astype(dtype)
    agree(
        torch,
        seed,
        lambda m, g: m.bernoulli(m.tensor(p), generator=g),
        lambda m, g: empty(m, (2, 50, 700), into).bernoulli_(m.tensor(p), generator=g),
    )


@given(SEEDS, SIZES, st.sampled_from(FLOATS), st.floats(1e-3, 1e3))
@example(0, 5, "float32", math.inf)
@FAST
def test_exponential_equals_pytorch(portable, seed, n, dtype, rate):
    agree(
        portable,
        seed,
        lambda m, g: empty(m, n, dtype).exponential_(rate, generator=g),
        rtol=NORMAL_ERROR[dtype],
    )


@given(SEEDS, st.sampled_from(("float32", "float64")), st.booleans(),
       st.sampled_from([(1,), (7,), (500,), (1, 1), (6, 40), (0, 3)]), st.data())  # fmt: skip
@FAST
def test_multinomial_equals_pytorch(portable, seed, dtype, replacement, shape, data):
    count = data.draw(st.integers(1, 600 if replacement else shape[-1]))
    weights = (np.random.default_rng(1).random(shape) * 5).astype(dtype)
    agree(
        portable,
        seed,
        lambda m, g: m.multinomial(m.tensor(weights), count, replacement, generator=g),
    )


def test_multinomial_with_replacement_never_picks_a_zero_weight():
    picked = tg.multinomial(tg.tensor([0.0, 1.0, 0.0, 2.0, 0.0]), 5000, replacement=True)
    assert set(picked.numpy()) == {1, 3}


@given(SEEDS, st.sampled_from(FLOATS), st.lists(st.floats(0, 60), max_size=40))
@example(0, "float64", [0.0, 9.99, 10.0, 1e5])
@FAST
def test_poisson_equals_pytorch(torch, seed, dtype, rates):
    rates = np.array(rates, dtype)
    agree(torch, seed, lambda m, g: m.poisson(m.tensor(rates), g))


# --- dropout masks ----------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.001, 0.1, 0.25, 0.5, 0.75, 0.999, 0.9999, 1 / 3])
@pytest.mark.parametrize("n", [4000, 400_000])
def test_keep_mask_has_the_right_probability(p, n):
    g = Generator().manual_seed(17)
    kept = sum(int(sampling.keep_mask(g, (n,), p).sum()) for _ in range(4))
    error = abs(kept - 4 * n * (1 - p)) / math.sqrt(4 * n * p * (1 - p))
    assert error < 4.5


def test_keep_mask_is_exact_to_the_last_of_32_bits(monkeypatch):
    """The leading byte and the further 24 bits together compare with the whole threshold."""

    class Words:
        def __init__(self, leads, rest):
            self.leads, self.rest = leads, rest

        def random_raw(self, count):
            source, self.leads = self.leads, self.rest
            return source[:count]

    class Bits:
        def keyed(self, key):
            return words

    threshold = 0x80_123456  # of 2**32
    leads = np.zeros(1024, "<u8")
    leads.view(np.uint8)[:6] = [0x7F, 0x80, 0x80, 0x80, 0x81, 0xFF]
    leads.view(np.uint8)[6:] = 0xFF
    rest = np.array([0x123455, 0x123456, 0x123457], np.uint64) << np.uint64(40)
    words = Words(leads, rest)
    monkeypatch.setattr(sampling, "_mask_bits", Bits())
    mask = sampling.keep_mask(Generator(), (8192,), 1 - threshold / 2**32)
    assert mask[:6].tolist() == [True, True, False, False, False, False]
    assert not mask[6:].any()


@pytest.mark.parametrize("shape", [(), (0,), (3, 5), (4097,), (1000, 301)])
def test_keep_mask_at_the_ends_draws_nothing(shape):
    g = Generator().manual_seed(1)
    before = g.get_state().numpy()
    for p in (0, 0.0, False):
        assert sampling.keep_mask(g, shape, p).all()
    for p in (1, 1.0, True):
        assert not sampling.keep_mask(g, shape, p).any()
    assert sampling.keep_mask(g, shape, 0).shape == shape
    np.testing.assert_array_equal(g.get_state().numpy(), before)


@pytest.mark.parametrize("n", [1, 4095, 4096, 4097, 131_072, 131_073, 300_001])
def test_keep_mask_follows_the_generator(n):
    first = [sampling.keep_mask(Generator().manual_seed(s), (n,), 0.4) for s in (5, 5, 6)]
    assert first[0].dtype == np.bool_
    np.testing.assert_array_equal(first[0], first[1])
    g = Generator().manual_seed(5)
    masks = [sampling.keep_mask(g, (n,), 0.4) for _ in range(2)]
    np.testing.assert_array_equal(masks[0], first[0])
    if n > 500:
        assert not np.array_equal(first[0], first[2])
        assert not np.array_equal(*masks)


def test_keep_mask_elements_are_independent():
    mask = sampling.keep_mask(Generator().manual_seed(0), (1 << 20,), 0.3).astype(float) - 0.7
    for lag in (1, 2, 7, 8, 64, 4096, 1 << 17):
        r = (mask[lag:] * mask[:-lag]).mean() / 0.21
        assert abs(r) * math.sqrt(mask.size - lag) < 4.5, lag


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan, math.inf])
def test_keep_mask_refuses_other_probabilities(p):
    g = Generator().manual_seed(1)
    before = g.get_state().numpy()
    with pytest.raises(ValueError, match="between 0 and 1"):
        sampling.keep_mask(g, (5,), p)
    np.testing.assert_array_equal(g.get_state().numpy(), before)


# --- tensors ----------------------------------------------------------------------------

PERMUTATIONS = [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)]
FILLS = {
    "uniform_": (-2.0, 3.0),
    "normal_": (1.0, 2.0),
    "random_": (100,),
    "bernoulli_": (0.3,),
    "exponential_": (1.5,),
}


@pytest.mark.parametrize("order", PERMUTATIONS)
@pytest.mark.parametrize("name", FILLS)
def test_views_are_filled_in_memory_order(portable, name, order):
    def fill(m, g, step=1):
        base = m.zeros(4, 50, 6)
        view = base.permute(order)[:, ::step]
        assert getattr(view, name)(*FILLS[name], generator=g) is view
        return base

    agree(portable, 3, fill, lambda m, g: fill(m, g, step=2), rtol=1e-5)


@pytest.mark.parametrize("order", PERMUTATIONS)
def test_likes_follow_the_layout_of_their_input(torch, order):
    for name, args in (("rand_like", ()), ("randn_like", ()), ("randint_like", (2, 9))):
        g, t = generators(torch, 3)
        ours = getattr(tg, name)(tg.zeros(4, 50, 6).permute(order), *args, generator=g)
        theirs = getattr(torch, name)(torch.zeros(4, 50, 6).permute(order), *args, generator=t)
        check(ours, theirs, g, t, rtol=1e-6)
        assert ours.stride() == theirs.stride()


def test_bernoulli_of_probabilities_into_a_view(torch):
    p = np.random.default_rng(0).random((60, 50)).astype(np.float32)
    agree(torch, 3, lambda m, g: m.zeros(50, 60).t().bernoulli_(m.tensor(p), generator=g))


# Each is called with (lib, generator); both libraries must give the same.
SPELLINGS = {
    "ints": lambda m, g: m.rand(2, 3, generator=g),
    "tuple": lambda m, g: m.rand((2, 3), generator=g),
    "list": lambda m, g: m.randn([2, 3], generator=g),
    "empty list": lambda m, g: m.rand([], generator=g),
    "size": lambda m, g: m.rand(size=(2,), generator=g),
    "of a tensor's shape": lambda m, g: m.rand(m.zeros(2, 3).shape, generator=g),
    "dtype": lambda m, g: m.rand(2, dtype=m.float64, device="cpu", generator=g),
    "randint high": lambda m, g: m.randint(5, (4,), generator=g),
    "randint low high": lambda m, g: m.randint(2, 5, (4,), generator=g),
    "randint keywords": lambda m, g: m.randint(low=2, high=5, size=(4,), generator=g),
    "randint high size": lambda m, g: m.randint(high=5, size=(4,), generator=g),
    "randint low, high=": lambda m, g: m.randint(2, high=5, size=(4,), generator=g),
    "randint bool": lambda m, g: m.randint(0, 2, (40,), dtype=m.bool, generator=g),
    "randint uint8": lambda m, g: m.randint(0, 256, (40,), dtype=m.uint8, generator=g),
    "randint_like low high": lambda m, g: m.randint_like(m.zeros(9), low=2, high=5, generator=g),
    "randint_like dtype": lambda m, g: m.randint_like(m.zeros(9), 5, dtype=m.int64, generator=g),
    "rand_like dtype": lambda m, g: m.rand_like(m.tensor([1, 2]), dtype=m.float32, generator=g),
    "normal size": lambda m, g: m.normal(2.0, 3.0, (4, 5), generator=g),
    "normal size=": lambda m, g: m.normal(0, 1, size=(4, 5), generator=g),
    "normal mean": lambda m, g: m.normal(m.tensor([1.0, 2.0]), generator=g),
    "normal mixed": lambda m, g: m.normal(
        m.tensor([1.0, 2.0]), m.tensor([[1.0], [1.0]], dtype=m.float64), generator=g
    ),
    "normal double": lambda m, g: m.normal(
        m.tensor([1.0, 2.0], dtype=m.float64), m.tensor([[1.0], [1.0]]), generator=g
    ),
    "bernoulli probabilities": lambda m, g: m.bernoulli(m.full((9,), 0.5), generator=g),
    "bernoulli method": lambda m, g: m.full((9,), 0.5).bernoulli(generator=g),
    "multinomial": lambda m, g: m.tensor([1.0, 2, 3]).multinomial(2, True, generator=g),
    "random to": lambda m, g: m.empty(30).random_(7, generator=g),
    "uniform to": lambda m, g: m.empty(3).uniform_(to=2, generator=g),
    "normal keywords": lambda m, g: m.empty(3).normal_(mean=1, std=2, generator=g),
    "out": lambda m, g: m.rand(3, out=m.empty(3, dtype=m.float64), generator=g),
    "out of another shape": lambda m, g: m.randn(3, out=m.empty(3, dtype=m.float64), generator=g),
    "normal out": lambda m, g: m.normal(
        m.zeros(20), m.ones(20), out=m.empty(20, dtype=m.float64), generator=g
    ),
    "randperm out": lambda m, g: m.randperm(5, out=m.empty(5, dtype=m.int64), generator=g),
    "bernoulli out": lambda m, g: m.bernoulli(
        m.full((9,), 0.5), out=m.empty(9, dtype=m.int64), generator=g
    ),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings(torch, name):
    agree(torch, 8, SPELLINGS[name], rtol=1e-6)


# Each must raise the same type in both libraries and leave the generator alone.
REFUSALS = {
    "rand negative": lambda m, g: m.rand(-1, generator=g),
    "rand float size": lambda m, g: m.rand(2.0, generator=g),
    "rand str": lambda m, g: m.rand("a", generator=g),
    "rand nothing": lambda m, g: m.rand(generator=g),
    "rand two sequences": lambda m, g: m.rand([2], 3, generator=g),
    "rand int dtype": lambda m, g: m.rand(2, dtype=m.int64, generator=g),
    "rand bool dtype": lambda m, g: m.rand(2, dtype=m.bool, generator=g),
    "randn int dtype": lambda m, g: m.randn(20, dtype=m.int64, generator=g),
    "rand generator": lambda m, g: m.rand(2, generator=5),
    "rand out dtype": lambda m, g: m.rand(2, out=m.empty(2), dtype=m.float64, generator=g),
    "rand_like list": lambda m, g: m.rand_like([1.0], generator=g),
    "rand_like int": lambda m, g: m.rand_like(m.tensor([1]), generator=g),
    "randint empty": lambda m, g: m.randint(5, 5, (2,), generator=g),
    "randint zero": lambda m, g: m.randint(0, (2,), generator=g),
    "randint none drawn": lambda m, g: m.randint(5, 4, (0,), generator=g),
    "randint int size": lambda m, g: m.randint(5, 2, generator=g),
    "randint float": lambda m, g: m.randint(1.5, (2,), generator=g),
    "randint too wide": lambda m, g: m.randint(2**63, (2,), generator=g),
    "randint nothing": lambda m, g: m.randint(generator=g),
    "randint bool": lambda m, g: m.randint(0, 3, (3,), dtype=m.bool, generator=g),
    "randint uint8": lambda m, g: m.randint(0, 300, (3,), dtype=m.uint8, generator=g),
    "randint below uint8": lambda m, g: m.randint(-1, 3, (3,), dtype=m.uint8, generator=g),
    "randint half": lambda m, g: m.randint(0, 70000, (3,), dtype=m.float16, generator=g),
    "randint complex": lambda m, g: m.randint(0, 5, (3,), dtype=m.complex64, generator=g),
    "randint tracked": lambda m, g: m.randint(5, (2,), requires_grad=True, generator=g),
    "rand_like tracked": lambda m, g: m.randint_like(
        m.tensor([1, 2]), 5, requires_grad=True, generator=g
    ),
    "out tracked": lambda m, g: m.rand(3, out=m.ones(3, requires_grad=True), generator=g),
    "out a list": lambda m, g: m.rand(3, out=[1, 2, 3], generator=g),
    "multinomial out": lambda m, g: m.multinomial(m.ones(3), 2, out=m.empty(2), generator=g),
    "randperm negative": lambda m, g: m.randperm(-1, generator=g),
    "randperm float": lambda m, g: m.randperm(2.0, generator=g),
    "randperm uint8": lambda m, g: m.randperm(300, dtype=m.uint8, generator=g),
    "randperm half": lambda m, g: m.randperm(2050, dtype=m.float16, generator=g),
    "randperm bool": lambda m, g: m.randperm(2, dtype=m.bool, generator=g),
    "randperm complex": lambda m, g: m.randperm(2, dtype=m.complex64, generator=g),
    "uniform reversed": lambda m, g: m.empty(3).uniform_(1, 0, generator=g),
    "uniform inf": lambda m, g: m.empty(3).uniform_(0, math.inf, generator=g),
    "uniform nan": lambda m, g: m.empty(3).uniform_(math.nan, 1, generator=g),
    "uniform wide": lambda m, g: m.empty(3).uniform_(-3e38, 3e38, generator=g),
    "uniform half": lambda m, g: m.empty(3, dtype=m.float16).uniform_(0, 70000, generator=g),
    "uniform int": lambda m, g: m.empty(3, dtype=m.int64).uniform_(generator=g),
    "normal negative": lambda m, g: m.empty(3).normal_(0, -1, generator=g),
    "normal nan": lambda m, g: m.empty(3).normal_(0, math.nan, generator=g),
    "normal int": lambda m, g: m.empty(3, dtype=m.int64).normal_(generator=g),
    "normal numbers": lambda m, g: m.normal(0.0, 1.0, generator=g),
    "normal tensor and size": lambda m, g: m.normal(m.ones(2), 1.0, (2,), generator=g),
    "normal std tensor": lambda m, g: m.normal(m.ones(1), m.tensor([-1.0]), generator=g),
    "normal std number": lambda m, g: m.normal(m.ones(1), -1.0, generator=g),
    "normal shapes": lambda m, g: m.normal(m.ones(2), m.ones(3), generator=g),
    "normal int mean": lambda m, g: m.normal(m.tensor([1, 2]), generator=g),
    "random reversed": lambda m, g: m.empty(3).random_(5, 5, generator=g),
    "random zero": lambda m, g: m.empty(3).random_(0, generator=g),
    "random float": lambda m, g: m.empty(3).random_(2.5, generator=g),
    "random complex": lambda m, g: m.empty(3, dtype=m.complex64).random_(generator=g),
    "random 64 bits": lambda m, g: m.empty(3, dtype=m.int32).random_(
        -(2**63), None, generator=g
    ),
    "random from": lambda m, g: m.empty(3, dtype=m.int8).random_(200, None, generator=g),
    "bernoulli number": lambda m, g: m.empty(3).bernoulli_(2.0, generator=g),
    "bernoulli nan": lambda m, g: m.empty(3).bernoulli_(math.nan, generator=g),
    "bernoulli shapes": lambda m, g: m.empty(3).bernoulli_(m.full((2,), 0.5), generator=g),
    "bernoulli int p": lambda m, g: m.empty(3).bernoulli_(m.tensor(1), generator=g),
    "bernoulli ints": lambda m, g: m.bernoulli(m.tensor([1, 0]), generator=g),
    "bernoulli float": lambda m, g: m.bernoulli(0.5, generator=g),
    "bernoulli complex": lambda m, g: m.empty(3, dtype=m.complex64).bernoulli_(generator=g),
    "exponential zero": lambda m, g: m.empty(3).exponential_(0, generator=g),
    "exponential nan": lambda m, g: m.empty(3).exponential_(math.nan, generator=g),
    "exponential int": lambda m, g: m.empty(3, dtype=m.int64).exponential_(generator=g),
    "multinomial many": lambda m, g: m.multinomial(m.ones(2), 3, generator=g),
    "multinomial none": lambda m, g: m.multinomial(m.ones(2), 0, generator=g),
    "multinomial float": lambda m, g: m.multinomial(m.ones(2), 1.0, generator=g),
    "multinomial ints": lambda m, g: m.multinomial(m.tensor([1, 2]), 1, generator=g),
    "multinomial negative": lambda m, g: m.multinomial(m.tensor([1.0, -2]), 1, generator=g),
    "multinomial inf": lambda m, g: m.multinomial(
        m.tensor([1.0, math.inf]), 5, True, generator=g
    ),
    "multinomial nan": lambda m, g: m.multinomial(m.tensor([1.0, math.nan]), 1, generator=g),
    "multinomial zeros": lambda m, g: m.multinomial(m.zeros(2, 2), 3, True, generator=g),
    "multinomial zero row": lambda m, g: m.multinomial(
        m.tensor([[0.0, 0], [1, 1]]), 1, generator=g
    ),
    "multinomial no categories": lambda m, g: m.multinomial(m.ones(3, 0), 1, True, generator=g),
    "multinomial 0-d": lambda m, g: m.multinomial(m.tensor(1.0), 1, generator=g),
    "multinomial 3-d": lambda m, g: m.multinomial(m.ones(1, 1, 1), 1, generator=g),
    "multinomial list": lambda m, g: m.multinomial([1.0], 1, generator=g),
    "poisson negative": lambda m, g: m.poisson(m.tensor([-2.0, 1.0]), g),
    "poisson nan": lambda m, g: m.poisson(m.tensor([math.nan]), g),
    "poisson ints": lambda m, g: m.poisson(m.tensor([1, 2]), g),
    "leaf": lambda m, g: m.ones(3, requires_grad=True).uniform_(generator=g),
    "view of a leaf": lambda m, g: m.ones(3, requires_grad=True)[:1].normal_(generator=g),
    "expanded": lambda m, g: m.ones(1).expand(3).random_(generator=g),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(torch, name):
    g, t = generators(torch, 8)
    with pytest.raises((TypeError, ValueError, RuntimeError)) as theirs:
        REFUSALS[name](torch, t)
    before = g.get_state().numpy()
    with pytest.raises((TypeError, ValueError, RuntimeError)) as ours:
        REFUSALS[name](tg, g)
    assert isinstance(ours.value, theirs.type), (ours.value, theirs.value)
    np.testing.assert_array_equal(g.get_state().numpy(), before)


def test_probabilities_outside_the_interval_are_refused_before_any_draw():
    for bad in (1.5, -0.1, math.nan):  # PyTorch too, but in the middle of its draws
        g = Generator().manual_seed(1)
        before = g.get_state().numpy()
        with pytest.raises(RuntimeError, match=r"in \[0, 1\]"):
            tg.bernoulli(tg.tensor([0.5, bad]), generator=g)
        np.testing.assert_array_equal(g.get_state().numpy(), before)


def test_new_tensors_can_be_leaves(seeded):
    for made in (tg.rand(2, requires_grad=True), tg.randn_like(tg.ones(2), requires_grad=True)):
        assert made.is_leaf
        assert made.requires_grad


def test_in_place_under_no_grad_keeps_a_leaf_and_marks_the_write():
    w = tg.ones(3, requires_grad=True)
    y = (w * w).sum()
    with tg.no_grad():
        w.uniform_()
    assert w.is_leaf
    assert w.requires_grad
    with pytest.raises(RuntimeError, match=r"modified by an in-?place operation"):
        y.backward()


def test_a_redrawn_result_hands_back_a_zero_gradient():
    w = tg.tensor([1.0, math.inf], requires_grad=True)
    y = w * 1.0
    y.uniform_()
    assert y.requires_grad
    y.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), [0.0, 0.0])


def test_parameters_of_a_draw_get_a_zero_gradient():
    mean, std = tg.zeros(2, 1, requires_grad=True), tg.ones(3, requires_grad=True)
    tg.normal(mean, std).sum().backward()
    np.testing.assert_array_equal(mean.grad.numpy(), np.zeros((2, 1)))
    np.testing.assert_array_equal(std.grad.numpy(), np.zeros(3))
    p = tg.full((4,), 0.5, requires_grad=True)
    tg.bernoulli(p).sum().backward()
    np.testing.assert_array_equal(p.grad.numpy(), np.zeros(4))


def test_the_default_generator_is_used_everywhere(seeded, torch):
    """One run through all of them: a single misplaced word would show at the end."""
    x = np.random.default_rng(0).random((4, 30)).astype(np.float32)

    def run(m):
        m.manual_seed(12)
        t = m.tensor(x)
        m.rand(3), m.randn(3), m.rand_like(t), m.randn_like(t), m.randint(9, (7,)), m.randperm(9)
        m.randint_like(t, 5), m.normal(t), m.bernoulli(t), m.multinomial(t, 4, True), m.poisson(t)
        t.uniform_().normal_().random_(5).random_()
        return m.get_rng_state().numpy()

    with torch.random.fork_rng():
        np.testing.assert_array_equal(run(tg), run(torch))
