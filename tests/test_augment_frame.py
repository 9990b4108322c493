"""tensorgrad.augment's frame: keyed randomness, composition, layouts, datasets, JSON."""

import copy
import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import weakref
from collections import OrderedDict, UserDict
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as torch
from tensorgrad import augment
from tensorgrad.augment import KeyedRng, Transform, _threads
from tensorgrad.augment._random import _one, philox
from tensorgrad.utils.data import ConcatDataset, DataLoader, Subset


def images(n=6, size=(7, 5), channels=3, dtype=np.uint8, seed=0):
    x = np.random.default_rng(seed).integers(0, 256, (n, channels, *size), dtype=np.uint8)
    return x if dtype == np.uint8 else (x / 255).astype(dtype)


def pipeline():
    """Every kind of policy, some inside others."""
    return augment.Compose([
        augment.RandomCrop((7, 5), padding=2),
        augment.OneOf([augment.HorizontalFlip(0.7), augment.Rotate(40)], p=[1, 2]),
        augment.RandomApply([augment.VerticalFlip(0.5), augment.Shift(0.3)], p=0.6),
        augment.RandomOrder([augment.Rotate(20), augment.Scale((0.5, 2.0)), augment.Shear(20)]),
        augment.Sequential(augment.HorizontalFlip(), augment.Perspective(0.5, 0.5)),
    ])  # fmt: skip


# --- Philox and the streams of samples ------------------------------------------------------------

# Random123 1.14, kat_vectors: philox4x32, 10 rounds.
KNOWN = [
    ((0,) * 4, (0,) * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN, ids=["zero", "ones", "pi"])
def test_philox_gives_the_published_words(counter, key, expected):
    words = philox([np.array([w], np.uint64) for w in counter], [np.uint64(k) for k in key])
    assert " ".join(f"{int(w[0]):08x}" for w in words) == expected
    first, second = (counter[i] + (counter[i + 1] << 32) for i in (0, 2))
    assert " ".join(f"{w:08x}" for w in _one(first, second, key)) == expected


DRAWS = {
    "random": lambda r: r.random((2, 3)),
    "float32": lambda r: r.random(40, np.float32),
    "uniform": lambda r: r.uniform(-1, 2),
    "integers": lambda r: r.integers(3, 9, 5),
    "normal": lambda r: r.normal(1, 2, (3, 5)),
    "normal32": lambda r: r.normal(size=33, dtype=np.float32),
    "bernoulli": lambda r: r.bernoulli(0.3),
    "choice": lambda r: r.choice(4, [1, 0, 2, 3]),
    "permutation": lambda r: r.permutation(6),
    "beta": lambda r: r.beta(0.4, 0.4),
    "gamma": lambda r: r.gamma(0.5, 3),
    "dirichlet": lambda r: r.dirichlet(1.0, 3),
    "key": lambda r: r.key(),
    "restored": lambda r: KeyedRng.restore(r.key()).random(7),
    "large": lambda r: r.random(40_000, np.float32),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_row_depends_on_its_index_alone(name):
    draw, index = DRAWS[name], np.array([5, 0, 123456789012, 7])
    together, alone = KeyedRng(3, 1, index), [KeyedRng(3, 1, [i]) for i in index]
    for _ in range(3):  # one draw after another, so that the words left over are used too
        rows = draw(together)
        assert len(rows) == 4
        np.testing.assert_array_equal(rows, np.concatenate([draw(r) for r in alone]))
        rng_moves = draw(together)
        assert (rng_moves != rows).any()
        [draw(r) for r in alone]


@given(st.lists(st.integers(1, 20), max_size=8), st.integers(1, 2), st.booleans())
def test_few_rows_hold_what_they_hold_among_many(counts, few, restored):
    """Few are made by Python's integers, a block at a time, many by arrays."""
    index = np.arange(5) + 2**33
    rngs = [KeyedRng(1, 2, index), KeyedRng(1, 2, index[:few])]
    if restored:
        rngs = [KeyedRng.restore(rng.key()) for rng in rngs]
    for count in counts:
        many, own = (rng._words(count) for rng in rngs)
        np.testing.assert_array_equal(many[:few], own)


@pytest.mark.parametrize("few", [1, 2])
def test_few_rows_are_drawn_as_among_many(few):
    index = np.arange(5) + 2**33
    many, own = KeyedRng(1, 2, index), KeyedRng(1, 2, index[:few])
    for size in [(), 0, 3, (2, 2), 8, 9, (), 5]:
        drawn = own.random(size)
        assert drawn.dtype == np.float64
        np.testing.assert_array_equal(drawn, many.random(size)[:few])
    assert KeyedRng(1, 2, []).random(3).shape == (0, 3)


@pytest.mark.parametrize(("key", "message"), [
    ((-1, 0, [0]), "seed must be an integer of at least 0"),
    ((2**64, 0, [0]), "seed must be an integer"),
    ((0, 1.5, [0]), "epoch must be an integer"),
    ((0, np.array([1, 2]), [0]), "epoch must be an integer"),
    ((0, 0, [-1]), "index must hold integers from 0 on"),
    ((0, 0, [0.5]), "index must hold integers from 0 on"),
    ((0, 0, [[1, 2]]), r"index must hold .* shape \(n,\)"),
], ids=["negative", "large", "float", "array", "index", "half", "rank"])  # fmt: skip
def test_keys_that_would_be_rounded_or_wrapped_are_errors(key, message):
    with pytest.raises(ValueError, match=message):
        KeyedRng(*key)


def test_the_largest_keys():
    most = 2**64 - 1
    values = [KeyedRng(s, e, np.array([i], np.uint64)).random()[0]
              for s, e, i in [(most, 0, 0), (0, most, 0), (0, 0, most), (0, 0, 2**63)]]  # fmt: skip
    assert len(set(values)) == 4


def test_streams_differ_by_each_part_of_their_key():
    base = {"seed": 1, "epoch": 2, "index": [3]}
    others = [{"seed": 2}, {"epoch": 3}, {"index": [4]}, {"seed": 1 + 2**32}, {"epoch": 2 + 2**32},
              {"index": [3 + 2**32]}]  # fmt: skip
    rngs = [KeyedRng(**base)] + [KeyedRng(**{**base, **o}) for o in others]
    first, second = (KeyedRng(**base).child(i) for i in (0, 1))
    rngs += [first, second, first.child(1)]
    values = [float(r.random()[0]) for r in rngs]
    assert len(set(values)) == len(values)


def test_draws_have_their_distributions():
    from scipy import stats

    rng = KeyedRng(0, 0, np.arange(4000))
    assert stats.kstest(rng.random(), "uniform").pvalue > 1e-3
    assert stats.kstest(rng.random(5, np.float32).ravel(), "uniform").pvalue > 1e-3
    assert stats.kstest(rng.normal(2, 3), "norm", (2, 3)).pvalue > 1e-3
    assert stats.kstest(rng.normal(size=7, dtype=np.float32).ravel(), "norm").pvalue > 1e-3
    assert stats.kstest(rng.beta(0.4, 2), "beta", (0.4, 2)).pvalue > 1e-3
    assert stats.kstest(rng.gamma(0.7), "gamma", (0.7,)).pvalue > 1e-3
    counts = np.bincount(rng.choice(3, [1, 0, 3]), minlength=3)
    assert counts[1] == 0 and stats.chisquare(counts[[0, 2]], [1000, 3000]).pvalue > 1e-3
    assert stats.chisquare(np.bincount(rng.integers(-2, 5) + 2)).pvalue > 1e-3
    orders = rng.permutation(3) @ [9, 3, 1]
    assert stats.chisquare(np.unique(orders, return_counts=True)[1]).pvalue > 1e-3
    np.testing.assert_allclose(rng.dirichlet(0.3, 4).sum(axis=1), 1)


@pytest.mark.parametrize("a", [1e-5, 1e-3, 1e-2, 0.1, 2.0])
def test_weights_of_dirichlet_hold_for_tiny_alphas(a):
    """The means of the weights and of their squares; all gammas of 1e-3 are 0 in 12 rows of 100."""
    weights, n = KeyedRng(0, 0, np.arange(4000)).dirichlet(a, 3), 4000
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights.mean(axis=0), 1 / 3, atol=4 * (2 / 9 / n) ** 0.5)
    square = (a + 1) / (3 * (3 * a + 1))  # of a weight, by its variance
    np.testing.assert_allclose((weights**2).mean(axis=0), square, atol=4 * (0.25 / n) ** 0.5)


def test_neighbouring_samples_are_not_correlated():
    values = KeyedRng(0, 0, np.arange(2000)).random(8)
    correlation = np.corrcoef(np.concatenate([values[:-1], values[1:]], axis=1).T)
    assert np.abs(correlation - np.eye(16)).max() < 5 / np.sqrt(2000)


# --- the promise: by (seed, epoch, index), whatever the batch, order and workers ------------------


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(6)), st.integers(1, 6), st.integers(0, 2**40), st.integers(0, 9))
def test_an_image_is_the_same_in_any_batch_and_order(order, size, seed, epoch):
    x, t = images(), pipeline()
    index = np.array([3, 1, 4, 15, 9, 2])
    expected = t(x, seed=seed, epoch=epoch, index=index)
    for start in range(0, 6, size):
        rows = list(order[start : start + size])
        got = t(x[rows], seed=seed, epoch=epoch, index=index[rows])
        np.testing.assert_array_equal(got, expected[rows])


def test_one_image_alone_is_as_in_a_batch():
    x, t = images(dtype=np.float32), pipeline()
    batch = t(x, seed=1, index=np.arange(6))
    for i in range(6):
        np.testing.assert_array_equal(t(x[i], seed=1, index=i), batch[i])


def test_epochs_and_seeds_differ():
    x, t = np.repeat(images(1), 40, axis=0), pipeline()
    one = t(x, seed=0, epoch=0)
    assert (t(x, seed=0, epoch=1) != one).any()
    assert (t(x, seed=1, epoch=0) != one).any()
    assert len(np.unique(one.reshape(40, -1), axis=0)) > 20


def test_blocks_and_threads_change_nothing(monkeypatch):
    x, t = images(24), pipeline()
    expected = t(x, seed=5)
    monkeypatch.setattr(_threads, "_BLOCK", 1)
    monkeypatch.setattr(_threads, "_LARGE", 1)
    monkeypatch.setattr(_threads, "_BLOCK_ON_THREADS", 500)
    for count, blocks in (1, 8), (3, 6), (5, 10):
        monkeypatch.setattr(_threads, "_threads", lambda count=count: count)
        assert len(_threads.blocks_of(24, 7 * 5 * 3, count)) == blocks
        np.testing.assert_array_equal(t(x, seed=5), expected)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_take_every_block_once_and_give_the_rest_back(monkeypatch, threads):
    import time

    done, before = [], (_threads.tile(1), torch.get_num_threads())
    blas = []

    def work(rows):
        time.sleep(1e-3)  # so that every thread comes to take some
        done.append((rows, _threads.tile(1)))
        blas.append(torch.get_num_threads())

    _threads.run(work, list(range(40)), 1 << 24, threads)
    assert sorted(rows for rows, _ in done) == list(range(40))
    assert {size for _, size in done} == {_threads._MOST_TILE if threads == 1 else 1 << 19}
    assert (_threads.tile(1), torch.get_num_threads()) == before
    if threads > 1 and _threads._blas():
        assert set(blas) == {1}


def test_runs_that_overlap_leave_the_blas_as_it_was():
    """In a process of its own: threadpoolctl lets only the first thread that sets it do so."""
    pytest.importorskip("threadpoolctl")
    subprocess.run([sys.executable, "-c", OVERLAPPING], check=True, timeout=60)


OVERLAPPING = """
import threading
import tensorgrad as torch
from tensorgrad.augment import _threads

def on_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    return thread

def outer():
    with _threads._blas_on_one_thread():
        outer_in.set()
        inner_in.wait(10)

def inner():
    with _threads._blas_on_one_thread():
        inner_in.set()
        first.join()

on_a_thread(lambda: torch.set_num_threads(2)).join()
outer_in, inner_in, before = threading.Event(), threading.Event(), torch.get_num_threads()
first = on_a_thread(outer)
outer_in.wait(10)
assert torch.get_num_threads() == 1
on_a_thread(inner).join()
assert torch.get_num_threads() == before, (torch.get_num_threads(), before)
"""


def test_threads_are_those_of_the_setting():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert _threads._threads() == torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    assert _threads._threads() == before


def test_an_error_on_a_thread_reaches_the_caller(monkeypatch):
    class Fails(Transform):
        def apply(self, batch, params):
            raise ArithmeticError("of the transform")

    monkeypatch.setattr(_threads, "_LARGE", 1)
    monkeypatch.setattr(_threads, "_threads", lambda: 2)
    with pytest.raises(ArithmeticError, match="of the transform"):
        Fails()(images())


@pytest.mark.parametrize("where", ["its own block", "waiting"])
def test_an_interrupt_leaves_no_thread_at_work(where):
    """The others end with the block that they are at, and the call only after them."""
    import signal
    import threading
    import time

    done, before = [], (torch.get_num_threads(), threading.active_count())
    helping = threading.Event()

    def work(rows):
        if threading.current_thread() is not threading.main_thread():
            helping.set()
            time.sleep(0.2)
            done.append(rows)
        elif where == "waiting":
            helping.wait(10)  # then there is nothing left but to wait for the other
        else:
            helping.wait(10)
            raise KeyboardInterrupt

    def interrupt():
        helping.wait(10)
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        if where == "waiting":
            threading.Thread(target=interrupt).start()
        _threads.run(work, list(range(2 if where == "waiting" else 20)), 1 << 24, 2)
    assert len(done) == 1
    assert (torch.get_num_threads(), threading.active_count()) == before
    assert _threads._limiting.acquire(blocking=False)
    _threads._limiting.release()


def test_where_no_thread_can_be_started_the_caller_does_all(monkeypatch):
    import threading

    def start(self):
        raise RuntimeError("can't start new thread")

    done = []
    monkeypatch.setattr(threading.Thread, "start", start)
    _threads.run(done.append, list(range(9)), 1 << 24, 3)
    assert done == list(range(9))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_call_that_fails_keeps_no_images_alive(threads, monkeypatch):
    class Fails(Transform):
        def apply(self, batch, params):
            raise ArithmeticError

    class Array(np.ndarray):
        """What can be referred to weakly."""

    monkeypatch.setattr(_threads, "_LARGE", 1)
    monkeypatch.setattr(_threads, "_threads", lambda: threads)
    x = images(4).view(Array)
    alive = weakref.ref(x)
    gc.disable()
    try:
        with pytest.raises(ArithmeticError):
            Fails()(x)
        del x
        assert alive() is None
    finally:
        gc.enable()


def test_plain_calls_draw_from_the_default_generator():
    x, t = images(), pipeline()
    torch.manual_seed(0)
    first, second = t(x), t(x)
    torch.manual_seed(0)
    np.testing.assert_array_equal(t(x), first)
    assert (first != second).any()


def test_keyed_calls_leave_the_default_generator_alone():
    before = torch.get_rng_state()
    pipeline()(images(), seed=0)
    pipeline()(images(), index=np.arange(6))
    assert (torch.get_rng_state() == before).all()


def test_the_position_in_the_pipeline_counts():
    x = np.repeat(images(1), 64, axis=0)
    two = augment.Compose([augment.HorizontalFlip(), augment.HorizontalFlip()])
    params = two.draw(x, seed=0)
    on = [inner["on"] for inner in params["inner"]]
    assert (on[0] != on[1]).any()


@pytest.mark.parametrize("make", [
    lambda: pipeline(), lambda: augment.Elastic(), lambda: augment.RandomResizedCrop(4),
], ids=["pipeline", "elastic", "resized"])  # fmt: skip
def test_replay_repeats(make):
    x, t = images(), make()
    params = t.draw(x, seed=3)
    np.testing.assert_array_equal(t.replay(x, params), t(x, seed=3))
    np.testing.assert_array_equal(t.replay(x[:, :1], params), t(x[:, :1], seed=3))


def test_replay_needs_parameters_of_as_many_images():
    t = augment.HorizontalFlip()
    with pytest.raises(ValueError, match="params are those of 6 images, but got 4"):
        t.replay(images(4), t.draw(images(6)))


OTHERS = [
    augment.Rotate(3), augment.HorizontalFlip(), augment.ColorJitter(0.1), augment.Cutout(2),
    augment.ColorJitter(0.1, hue=0.1), augment.RandomCrop(4), augment.GaussianNoise(), pipeline(),
    augment.Compose([augment.Rotate(3)]), augment.Compose([augment.Rotate(3), augment.Rotate(3)]),
    augment.OneOf([augment.HorizontalFlip()] * 3), augment.RandAugment(), augment.AugMix(),
]  # fmt: skip


@pytest.mark.parametrize("t", OTHERS, ids=range(len(OTHERS)))
def test_replay_refuses_parameters_of_other_transforms(t):
    x = images()
    for other in OTHERS:
        if other is t or (type(t), type(other)) == (augment.ColorJitter,) * 2:
            continue
        with pytest.raises(ValueError, match=f"params are not those of {type(t).__name__}: pass"):
            t.replay(x, other.draw(x))
    for nothing in (None, [], {"angle": None}, 3, {}):
        with pytest.raises(ValueError, match="params are not those of"):
            t.replay(x, nothing)


def test_parameters_without_a_row_for_each_image_are_an_error():
    """A table of the size of no batch would be cut to the images of a block, of large batches."""

    class Table(Transform):
        def __init__(self, rows):
            self.rows = rows

        def sample(self, n, shape, rng):
            return {"inner": [{"table": np.zeros(self.rows) if self.rows else 0.5}]}

        def apply(self, batch, params):
            return batch

    Table(6)(images(6))
    for rows, shape in ((256, r"\(256,\)"), (1, r"\(1,\)"), (None, r"\(\)")):
        message = f"Table.sample must give a row for each of 6 images .* got one of shape {shape}"
        with pytest.raises(ValueError, match=message):
            Table(rows)(images(6))
        with pytest.raises(ValueError, match=message):
            Table(rows).draw(images(6))
    with pytest.raises(ValueError, match="params are not those of a batch, but got 6 images"):
        Table(6).replay(images(6), {"table": np.float64(3)})


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_apply_must_keep_kind_and_shape(dtype):
    class Makes(Transform):
        def __init__(self, dtype, side):
            self.dtype, self.side = dtype, side

        def apply(self, batch, params):
            return batch[:, : self.side, :1].astype(self.dtype)

    other = np.float64 if dtype == np.uint8 else np.uint8
    x = images(2, (3, 1), dtype=dtype)
    np.testing.assert_array_equal(Makes(dtype, 3)(x), x)
    for made, side in ((other, 3), (dtype, 1)):
        with pytest.raises(ValueError, match="apply must keep the dtype, and give the shape"):
            Makes(made, side)(x)


# --- layouts, types, ranges -----------------------------------------------------------------------

LAYOUTS = {
    "NCHW": lambda x: x,
    "NHWC": lambda x: x.transpose(0, 2, 3, 1),
    "NHW": lambda x: x[:, 0],
    "CHW": lambda x: x[2],
    "HWC": lambda x: x[2].transpose(1, 2, 0),
    "HW": lambda x: x[2, 0],
}


@pytest.mark.parametrize("kind", ["array", "tensor", "strided"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, kind):
    """What came in a layout goes back in it, and means the same."""
    x, t = images(dtype=np.float32), augment.Compose([augment.Rotate(40), augment.Pad((1, 2))])
    change = LAYOUTS[layout]
    index = np.arange(6) if "N" in layout else [2]
    given = change(x)
    if kind == "strided":
        given = np.repeat(given, 2, axis=-1)[..., ::2]
        assert not given.flags.c_contiguous
    before = given.copy()
    wrapped = torch.from_numpy(given) if kind == "tensor" else given
    got = t(wrapped, seed=4, index=index, layout=layout)
    assert type(got) is type(wrapped)
    expected = change(t(x, seed=4, index=np.arange(6)))
    np.testing.assert_array_equal(np.asarray(got), expected)
    np.testing.assert_array_equal(given, before)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_dtypes_are_kept(dtype):
    x = images(dtype=dtype)
    got = pipeline()(x, seed=0)
    assert got.dtype == dtype
    levels = pipeline()(images(dtype=np.float64), seed=0)
    scale, slack = (255, 0.75) if dtype == np.uint8 else (1, np.finfo(dtype).eps * 4 + 3e-6)
    # uint8 is rounded by each of the steps, so a level or two may be lost on the way.
    np.testing.assert_allclose(got / scale, levels, atol=3 * slack / scale)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_the_order_of_bytes_changes_nothing(dtype):
    """Arrays of other machines' order are converted: else they are computed in another dtype."""
    x = images(dtype=dtype)
    t = augment.Compose([augment.Elastic(), augment.Rotate(30), augment.GaussianNoise(sigma=0.1),
                         augment.CLAHE()])  # fmt: skip
    got = t(x.astype(f">{dtype}"), seed=0)
    assert got.dtype == f">{dtype}"
    np.testing.assert_array_equal(got, t(x, seed=0))


def test_another_range_is_declared():
    x = images(dtype=np.float64)
    expected = pipeline()(x, seed=0)
    got = pipeline()(x * 4 - 2, seed=0, value_range=(-2, 2))
    np.testing.assert_allclose(got, expected * 4 - 2, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("low, high", [(-3.7, 9.1), (-0.1, 1.3), (0.0, 255.0), (-1.0, 1.0)])
def test_scaling_to_another_range_and_back_stays_in_it(low, high, dtype):
    ends = np.array([low, high]).astype(dtype)
    x = np.random.default_rng(0).choice(ends, (40, 3, 5, 4))
    x[0] = np.linspace(*ends, x[0].size, dtype=dtype).reshape(x[0].shape)
    value_range = tuple(map(float, ends))
    for t in (augment.HorizontalFlip(1.0), augment.ColorJitter(0.5, 0.5, 0.5, 0.2)):
        y = t(x, seed=0, value_range=value_range)
        assert y.dtype == dtype and y.min() >= ends[0] and y.max() <= ends[1]


def test_rounding_beyond_the_range_is_clipped():
    x = np.full((1, 2, 2), 1 + 1e-6)
    assert augment.HorizontalFlip(1.0)(x).max() == 1.0


def test_results_share_no_memory_with_their_input():
    x = images(dtype=np.float32)
    for t in (augment.HorizontalFlip(0.0), augment.Compose([]), augment.Rotate((0, 0))):
        got = t(x, layout="NHWC")
        np.testing.assert_array_equal(got, x)
        assert not np.shares_memory(got, x)


def test_inputs_cannot_be_written():
    class Writes(Transform):
        def apply(self, batch, params):
            batch[...] = 0
            return batch

    x = images(3)
    before = x.copy()
    with pytest.raises(ValueError, match="read-only"):
        Writes()(x)
    with pytest.raises(ValueError, match="read-only"):
        Writes()(x, layout="NHWC")
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("shape", [(0, 3, 7, 5), (2, 3, 1, 1), (1, 1, 1, 9), (3, 5, 7, 5)])
def test_empty_batches_and_odd_sizes(shape):
    x = np.zeros(shape, np.uint8)
    t = augment.Compose([augment.RandomCrop(shape[2:], padding=1), augment.Rotate(9),
                         augment.OneOf([augment.HorizontalFlip(), augment.Elastic()])])  # fmt: skip
    assert t(x, layout="NCHW").shape == shape
    assert t(x, layout="NCHW", seed=1).dtype == np.uint8


@pytest.mark.parametrize("t", [
    augment.Rotate(30),
    augment.Compose([
        augment.RandomCrop(32, padding=4), augment.HorizontalFlip(),
        augment.ColorJitter(0.4, 0.4, 0.4), augment.Cutout(16),
    ]),
    augment.Compose([augment.RandomCrop(32, padding=4), augment.HorizontalFlip()]),
    augment.Resize(16),
    augment.Rotate(30, interpolation="bicubic"),
    augment.RandomResizedCrop(32, (0.09, 1.0)),
], ids=["rotate", "standard", "crop and flip", "resize", "bicubic", "resized crop"])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_memory_is_three_times_the_batch_at_most(t, dtype, traced):
    x = np.zeros((256, 32, 32, 3), dtype)
    t(x[:2], seed=0, layout="NHWC")  # what is imported and cached at the first call
    _, peak = traced(lambda: t(x, seed=0, layout="NHWC"))
    assert peak + x.nbytes <= 3 * x.nbytes  # with the batch itself


@pytest.mark.parametrize("n", [0, 1, 3, 52, 53, 1000])
@pytest.mark.parametrize("size", [0, 1, 3072, 150_528, 3 << 20])
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_blocks_are_equal_parts(n, size, threads):
    blocks = _threads.blocks_of(n, size, threads)
    assert [i for rows in blocks for i in range(n)[rows]] == list(range(n))
    lengths = {rows.stop - rows.start for rows in blocks}
    assert not n or (0 not in lengths and max(lengths) - min(lengths) <= 1)


# --- errors ---------------------------------------------------------------------------------------

BAD_CALLS = {
    "rank": (lambda t: t(np.zeros(4)), ValueError, r"images must have 2 .* got shape \(4,\)"),
    "rank of layout": (
        lambda t: t(np.zeros((2, 3, 4)), layout="NCHW"), ValueError, "needs 4 dimensions",
    ),
    "layout": (lambda t: t(np.zeros((2, 2)), layout="WH"), ValueError, "layout must be one of"),
    "channels last": (
        lambda t: t(np.zeros((8, 32, 32, 3))), ValueError, r"\(8, 32, 32, 3\) .* layout='NHWC'",
    ),
    "range": (
        lambda t: t(np.full((1, 2, 2), 2.0)), ValueError, r"\(1, 2, 2\) .* to 2, outside value_r",
    ),
    "nan": (lambda t: t(np.full((2, 2), np.nan)), ValueError, "outside value_range"),
    "range itself": (
        lambda t: t(np.zeros((2, 2)), value_range=(1, 0)), ValueError, "value_range must be",
    ),
    "range without end": (
        lambda t: t(np.zeros((2, 2)), value_range=(0, np.inf)), ValueError, "finite .* inf",
    ),
    "range of one": (
        lambda t: t(np.zeros((2, 2)), value_range=1), ValueError, r"\(low, high\).* got 1",
    ),
    "seed of an array": (
        lambda t: t(np.zeros((2, 2)), seed=np.array([1.0])), ValueError, "seed must be an integer",
    ),
    "dtype": (lambda t: t(np.zeros((2, 2), np.int64)), TypeError, r"int64 of shape \(2, 2\)"),
    "index": (lambda t: t(np.zeros((2, 2)), index=[1, 2]), ValueError, "index must hold 1 integ"),
    "index below 0": (lambda t: t(np.zeros((2, 2)), index=-1), ValueError, "index must hold"),
    "index of floats": (lambda t: t(np.zeros((2, 2)), index=0.5), ValueError, "index must hold"),
    "seed": (lambda t: t(np.zeros((2, 2)), seed=-1), ValueError, "seed must be an integer"),
    "epoch": (lambda t: t(np.zeros((2, 2)), epoch=1.5), ValueError, "epoch must be an integer"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_calls(name):
    call, error, message = BAD_CALLS[name]
    with pytest.raises(error, match=message):
        call(augment.HorizontalFlip())


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), True, "0.5", None])
@pytest.mark.parametrize("make", [
    augment.HorizontalFlip,
    lambda p: augment.RandomApply([], p),
    lambda p: augment.Perspective(0.5, p),
], ids=["flip", "apply", "perspective"])  # fmt: skip
def test_probabilities_lie_between_0_and_1(make, p):
    with pytest.raises(ValueError, match=r"p must be a probability in \[0, 1\]"):
        make(p)


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: augment.OneOf([]), ValueError, "at least one"),
    (lambda: augment.OneOf([augment.HorizontalFlip()], p=[1, 2]), ValueError, "p must hold 1"),
    (lambda: augment.OneOf([augment.HorizontalFlip()], p=[0]), ValueError, "p must hold 1"),
    (lambda: augment.OneOf([augment.HorizontalFlip()], p=[np.nan]), ValueError, "p must hold 1"),
    (lambda: augment.OneOf([augment.HorizontalFlip()], p=[np.inf]), ValueError, "p must hold 1"),
    (lambda: augment.OneOf([augment.HorizontalFlip()], p=0.5), ValueError, "OneOf into RandomA"),
    (lambda: augment.AugmentedDataset([], Adds(1), layout="X"), ValueError, "layout must be one"),
    (lambda: augment.collate(Adds(1), value_range=(1, 0)), ValueError, "value_range must be"),
    (lambda: augment.collate(Adds(1), min_visibility=2), ValueError, "min_visibility must be"),
    (lambda: augment.Compose([len]), TypeError, r"transforms\[0\] must be a Transform"),
    (lambda: augment.Compose(augment.VerticalFlip()), TypeError, "a list .* brackets"),
    (lambda: augment.from_dict({"transform": "Nothing"}), ValueError, "no transform is called"),
    (lambda: augment.from_json("[1]"), TypeError, r"a dict of its name and arguments, got \[1\]"),
    (lambda: augment.AugmentedDataset([], 3), TypeError, "transform must be a Transform, got 3"),
    (lambda: augment.collate(augment.Mixup()), TypeError, "a mixer is a collate_fn of its own"),
    (lambda: augment.HorizontalFlip()(images(), seed=2**64), ValueError, "seed must be .* at most"),
    (lambda: augment.Rotate("5"), TypeError, "degrees must be a number, got '5'"),
    (lambda: augment.RandomApply(augment.CenterCrop(3))(images()), ValueError, "one size"),
], ids=[
    "none", "weights", "zero", "not a number", "infinite", "a chance", "layout", "range",
    "visibility", "function", "alone", "unknown", "list", "dataset", "mixer", "seed",
    "text", "size",
])  # fmt: skip
def test_bad_compositions(make, error, message):
    with pytest.raises(error, match=message):
        make()


# --- policies -------------------------------------------------------------------------------------


class Adds(Transform):
    """Adds to the images, to see what was applied."""

    def __init__(self, amount):
        self.amount = amount

    def apply(self, batch, params):
        return batch + np.uint8(self.amount)


def test_one_of_applies_one_as_often_as_it_should():
    x = np.zeros((4000, 1, 1), np.uint8)
    got = augment.OneOf([Adds(1), Adds(2), Adds(4)], p=[1, 0, 3])(x, seed=0, layout="NHW")
    counts = np.bincount(got.ravel(), minlength=5)
    assert counts[1] + counts[4] == 4000 and abs(counts[1] - 1000) < 120


def test_random_apply_applies_all_or_none():
    x = np.zeros((4000, 1, 1), np.uint8)
    got = augment.RandomApply([Adds(1), Adds(2)], p=0.25)(x, seed=0, layout="NHW")
    counts = np.bincount(got.ravel(), minlength=4)
    assert counts[0] + counts[3] == 4000 and abs(counts[3] - 1000) < 120


def test_random_order_applies_all_in_every_order():
    class Doubles(Adds):
        def apply(self, batch, params):
            return batch * np.uint8(self.amount)

    x = np.ones((3000, 1, 1), np.uint8)
    got = augment.RandomOrder([Adds(1), Doubles(2), Adds(5)])(x, seed=0, layout="NHW")
    orders = {(1 + 1) * 2 + 5, (1 + 1 + 5) * 2, 1 * 2 + 6, (1 + 5) * 2 + 1, (1 + 5 + 1) * 2}
    values, counts = np.unique(got, return_counts=True)
    assert set(values.tolist()) == orders and counts.min() > 400


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", ["dict", "json", "file"])
def test_pipelines_survive_saving(via, tmp_path):
    t = pipeline()
    if via == "file":
        augment.save(t, tmp_path / "pipeline.json")
        again = augment.load(tmp_path / "pipeline.json")
    else:
        again = augment.from_dict(t.to_dict()) if via == "dict" else augment.from_json(t.to_json())
    assert repr(again) == repr(t)
    np.testing.assert_array_equal(again(images(), seed=2), t(images(), seed=2))


def test_transforms_of_ones_own_are_saved_by_name():
    assert augment.from_json(Adds(3).to_json()).amount == 3


def test_names_of_the_package_cannot_be_taken():
    """Else pipelines of the package are loaded as something else from then on."""
    with pytest.raises(TypeError, match=r"augment has a transform called Rotate, .* choose"):

        class Rotate(Transform):
            pass

    assert type(augment.from_json(augment.Rotate(30).to_json())) is augment.Rotate
    for _ in range(2):  # as a cell of a notebook that is run again

        class MyRotate(augment.Rotate):
            pass

    assert type(augment.from_json(MyRotate(30).to_json())) is MyRotate


def test_what_json_cannot_hold_is_named():
    with pytest.raises(TypeError, match=r"Adds.amount is a set"):
        Adds({1}).to_json()


# --- datasets and the DataLoader ------------------------------------------------------------------


def samples(n=11):
    x = images(n, dtype=np.float32)
    return [(torch.from_numpy(x[i]), i) for i in range(n)]


def loaded(dataset, **kwargs):
    """The images of a loader by their index."""
    out = {}
    for x, y in DataLoader(dataset, **kwargs):
        out.update({int(i): np.asarray(image) for image, i in zip(x, y, strict=True)})
    return out


SETTINGS = {
    "one by one": {"batch_size": 1},
    "batches": {"batch_size": 4},
    "shuffled": {"batch_size": 3, "shuffle": True},
    "workers": {"batch_size": 2, "num_workers": 2},
    "spawned": {"batch_size": 6, "num_workers": 1, "multiprocessing_context": "spawn"},
}


@pytest.mark.parametrize("step", ["dataset", "collate"])
@pytest.mark.parametrize("name", SETTINGS)
def test_loaders_of_any_kind_give_the_same_images(name, step):
    t, data = pipeline(), samples()
    keyed = {"seed": 7, "epoch": 3}
    expected = {i: np.asarray(t(x, index=i, **keyed)) for x, i in data}
    if step == "dataset":
        dataset, more = augment.AugmentedDataset(data, t, seed=7), {}
    else:
        dataset, more = augment.Indexed(data), {"collate_fn": augment.collate(t, seed=7)}
    dataset.set_epoch(3)
    got = loaded(dataset, **SETTINGS[name], **more)
    assert got.keys() == expected.keys()
    for i, image in expected.items():
        np.testing.assert_array_equal(got[i], image)


def test_batches_are_asked_for_as_a_whole():
    class Counts(augment.AugmentedDataset):
        asked = ()

        def __getitems__(self, indices):
            self.asked = (*self.asked, list(indices))
            return super().__getitems__(indices)

    data = Counts(samples(5), augment.HorizontalFlip())
    loaded(data, batch_size=3)
    assert data.asked == ([0, 1, 2], [3, 4])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_that_stay_see_the_epoch_change(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"needs {method}")
    data = augment.AugmentedDataset(samples(), pipeline())
    loader = DataLoader(data, batch_size=4, num_workers=1, persistent_workers=True,
                        multiprocessing_context=method)  # fmt: skip
    for epoch in (0, 1, 2**63):
        data.set_epoch(epoch)
        assert data.epoch == epoch
        first = np.asarray(next(iter(loader))[0][1])
        expected = pipeline()(data.dataset[1][0], seed=0, epoch=epoch, index=1)
        np.testing.assert_array_equal(first, np.asarray(expected))
        list(loader)


def test_what_is_wrapped_is_told_the_epoch():
    inner = augment.AugmentedDataset(samples(2), augment.HorizontalFlip())
    for wrapped in (inner, Subset(inner, [1]), ConcatDataset([Subset(inner, [0]), inner])):
        for outer in (augment.Indexed(wrapped), augment.AugmentedDataset(wrapped, Adds(0))):
            outer.set_epoch(inner.epoch + 3)
            assert inner.epoch == outer.epoch > 0
        outer = augment.MixedLoader(DataLoader(wrapped), augment.LabelSmoothing(0.1, 2))
        before = inner.epoch
        outer.set_epoch(before + 3)
        assert inner.epoch == before + 3


def test_workers_of_another_kind_keep_their_memory_apart():
    """A copy of a dataset has an epoch of its own, also after workers were spawned from it."""
    data = augment.AugmentedDataset(samples(4), pipeline())
    next(iter(DataLoader(data, num_workers=1, multiprocessing_context="spawn")))
    twin = copy.deepcopy(data)
    data.set_epoch(1)
    assert (data.epoch, twin.epoch) == (1, 0)


def test_each_epoch_differs():
    data = augment.AugmentedDataset(samples(), pipeline())
    epochs = []
    for epoch in range(3):
        data.set_epoch(epoch)
        epochs.append(np.stack([np.asarray(data[i][0]) for i in range(11)]))
    assert (epochs[0] != epochs[1]).any() and (epochs[1] != epochs[2]).any()


def test_datasets_are_pickled_with_their_epoch():
    data = augment.AugmentedDataset(samples(2), augment.HorizontalFlip())
    data.set_epoch(5)
    assert pickle.loads(pickle.dumps(data)).epoch == 5


def test_samples_of_different_sizes():
    data = [(np.zeros((3, 4 + i % 2, 5), np.float32), i) for i in range(4)]
    got = augment.AugmentedDataset(data, augment.Resize((2, 2))).__getitems__([3, 0, 1])
    assert [y for _, y in got] == [3, 0, 1]
    assert all(x.shape == (3, 2, 2) for x, _ in got)


def test_samples_that_are_dicts_take_their_boxes_along():
    x = images(1)[0]
    sample = {"image": x, "boxes": np.array([[0.0, 0, 2, 3]]), "labels": [4], "mask": x[0],
              "name": "a"}  # fmt: skip
    data = augment.AugmentedDataset([sample], augment.HorizontalFlip(1.0))
    got = data[0]
    np.testing.assert_array_equal(got["boxes"], [[3, 0, 5, 3]])
    np.testing.assert_array_equal(got["mask"], x[0, :, ::-1])
    np.testing.assert_array_equal(got["image"], x[..., ::-1])
    assert got["labels"] == [4] and got["name"] == "a"
    assert sample["boxes"][0, 0] == 0


class Pair(NamedTuple):
    image: object
    target: int


@pytest.mark.parametrize("kind", [tuple, list, Pair._make, dict, OrderedDict, UserDict],
                         ids=["tuple", "list", "named", "dict", "ordered", "user"])  # fmt: skip
def test_samples_keep_their_type(kind):
    x = images(1)[0]
    mapping = kind in (dict, OrderedDict, UserDict)
    sample = kind({"target": 3, "image": x}) if mapping else kind([x, 3])
    got = augment.AugmentedDataset([sample], augment.HorizontalFlip(1.0))[0]
    assert type(got) is type(sample)
    image, target = (got["image"], got["target"]) if mapping else got
    np.testing.assert_array_equal(image, x[..., ::-1])
    assert target == 3 and (sample["image"] if mapping else sample[0]) is x


def test_masks_of_other_shapes_and_dtypes_and_boxes_of_other_types_in_a_batch():
    """Each comes back as it would alone: pictures hold different numbers of things."""
    x = images(4)
    masks = [np.ones((1, 7, 5), np.uint8), np.ones((3, 7, 5), np.uint8),
             np.ones((3, 7, 5), np.int64), torch.ones(3, 7, 5)]  # fmt: skip
    boxes = [np.array([[0.0, 0, 2, 3]]), torch.tensor([[0.0, 0, 2, 3]]), np.zeros((0, 4)), []]
    data = [{"image": a, "masks": b, "boxes": c} for a, b, c in zip(x, masks, boxes, strict=True)]
    t = augment.Compose([augment.HorizontalFlip(), augment.Shift(2, 2, "pixels")])
    dataset = augment.AugmentedDataset(data, t)
    for i, got in enumerate(dataset.__getitems__([0, 1, 2, 3])):
        alone = dataset[i]
        for name in ("image", "masks", "boxes"):
            assert type(got[name]) is type(alone[name])
            assert got[name].dtype == alone[name].dtype
            np.testing.assert_array_equal(np.asarray(got[name]), np.asarray(alone[name]))
        assert got["masks"].shape == masks[i].shape and got["masks"].dtype == masks[i].dtype
        assert type(got["boxes"]) is (torch.Tensor if i == 1 else np.ndarray)


def test_a_mask_and_masks_are_one_too_many():
    x = images(1)[0]
    data = augment.AugmentedDataset([{"image": x, "mask": x[0], "masks": x}], pipeline())
    with pytest.raises(ValueError, match="must have 'mask' or 'masks', got both"):
        data[0]


def test_images_alone_and_the_last_from_behind():
    x = images(3)
    data = augment.AugmentedDataset(list(x), pipeline(), seed=1)
    np.testing.assert_array_equal(data[-1], data[2])
    np.testing.assert_array_equal(data[2], pipeline()(x[2], seed=1, index=2))


def test_collate_needs_samples_that_know_their_index():
    loader = DataLoader(samples(), collate_fn=augment.collate(augment.HorizontalFlip()))
    with pytest.raises(TypeError, match=r"augment.Indexed\(dataset\)"):
        next(iter(loader))
