"""Rows in random order, and stratified parts."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.datasets import shuffle, split, split_indices
from tensorgrad.datasets.splits import largest_remainder
from tensorgrad.utils.data import Subset, TensorDataset

unhurried = settings(deadline=None)  # the machine may be busy


@pytest.fixture(autouse=True)
def keep_random_state():
    with tg.random.fork_rng():
        yield


@st.composite
def fractions(draw, most=4):
    parts = np.array(draw(st.lists(st.integers(1, 100), min_size=1, max_size=most)), float)
    return tuple((parts / parts.sum()).tolist())


@st.composite
def labelled(draw):
    """Fractions, and labels with enough samples of each class, in some order."""
    parts = draw(fractions())
    counts = draw(st.lists(st.integers(len(parts), 40), min_size=1, max_size=6))
    labels = np.repeat(np.arange(len(counts)), counts)
    return parts, np.random.default_rng(draw(st.integers(0, 99))).permutation(labels)


seeds = st.integers(0, 2**40)


# --- stratified parts --------------------------------------------------------------------


@unhurried
@given(case=labelled(), seed=seeds, shuffled=st.booleans())
def test_a_split_is_a_partition(case, seed, shuffled):
    shares, y = case
    x = np.arange(len(y)) * 10
    parts = split(x, y, shares, seed=seed, shuffle=shuffled)
    assert len(parts) == len(shares)
    rows = np.concatenate([xs for xs, _ in parts]) // 10
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(y)))
    np.testing.assert_array_equal(y[rows], np.concatenate([ys for _, ys in parts]))
    if not shuffled:
        assert all((np.diff(xs) > 0).all() for xs, _ in parts)


@unhurried
@given(case=labelled(), seed=seeds)
def test_each_class_has_its_share_of_each_part(case, seed):
    shares, y = case
    counts = np.bincount(y)
    table = np.stack(
        [np.bincount(ys, minlength=len(counts)) for _, ys in split(y, y, shares, seed=seed)]
    )
    quota = np.outer(shares, counts)
    assert (table >= 1).all()
    plain = (quota >= 1).all(0)  # classes of which no part needs more than its share
    assert (np.abs(table - quota)[:, plain] < 1 + 1e-9).all()


@unhurried
@given(case=labelled(), seed=seeds)
def test_the_sizes_of_the_parts(case, seed):
    """What one class cannot give to a part in full, the next one makes up for."""
    shares, y = case
    assume((np.outer(shares, np.bincount(y)) >= 1).all())
    sizes = [len(ys) for _, ys in split(y, y, shares, seed=seed)]
    # 30,000 random cases of up to six parts were off by 0.87 at most.
    assert np.abs(np.array(sizes) - len(y) * np.array(shares)).max() < 1


def test_sizes_that_are_whole_are_met():
    for classes, size in ((10, 100), (7, 30), (3, 10), (100, 10)):
        y = np.repeat(np.arange(classes), size)
        sizes = [len(ys) for _, ys in split(y, y, (0.7, 0.2, 0.1), seed=1)]
        assert sizes == [round(f * classes * size) for f in (0.7, 0.2, 0.1)]
    y = np.repeat(np.arange(10), 5)  # half a sample of each class is due to either part
    assert [len(ys) for _, ys in split(y, y, (0.5, 0.5), seed=0)] == [25, 25]


@unhurried
@given(total=st.integers(0, 500), shares=fractions())
def test_largest_remainder(total, shares):
    counts = largest_remainder(total, np.array(shares))
    assert counts.sum() == total
    quota = total * np.array(shares)
    assert (np.abs(counts - quota) < 1).all()
    up = counts > quota
    if up.any() and (~up).any():  # who is rounded up had the greater remainder
        remainder = quota - np.floor(quota + 1e-9)
        assert remainder[up].min() >= remainder[~up].max() - 1e-8


def test_rare_classes_reach_every_part():
    y = np.array([0] * 97 + [1] * 3)
    parts = split(y, y, (0.8, 0.1, 0.1), seed=0)
    assert [np.bincount(ys).tolist() for _, ys in parts] == [[77, 1], [10, 1], [10, 1]]
    parts = split(y, y, (0.98, 0.01, 0.01), seed=0)
    assert [(ys == 1).sum() for _, ys in parts] == [1, 1, 1]


# --- order and randomness ----------------------------------------------------------------


def test_the_seed_is_all_that_counts():
    y = np.arange(30) % 3
    first, again, other = (split_indices(y, seed=seed) for seed in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first, other, strict=True))
    state = tg.get_rng_state()
    split_indices(y, seed=1), shuffle(y, seed=1)
    assert (tg.get_rng_state() == state).all()
    split_indices(y, shuffle=False)
    assert (tg.get_rng_state() == state).all()


@pytest.mark.parametrize("call", [split_indices, lambda y, **k: [shuffle(y, **k)]])
def test_generators(call):
    y = np.arange(40) % 2
    tg.manual_seed(3)
    default = call(y)
    own = call(y, generator=tg.Generator().manual_seed(3))
    seeded = call(y, seed=3)
    for a, b, c in zip(default, own, seeded, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    with pytest.raises(ValueError, match="pass seed or generator, not both"):
        call(y, seed=3, generator=tg.Generator())


def test_parts_are_not_in_the_order_of_the_classes():
    y = np.repeat([0, 1], 50)
    for _, labels in split(y, y, (0.5, 0.5), seed=0):
        assert (np.diff(labels) != 0).sum() > 10


def test_every_sample_can_come_into_every_part():
    y = np.array([0] * 4 + [1] * 4)
    seen = {
        (i, p)
        for seed in range(60)
        for p, part in enumerate(split_indices(y, (0.5, 0.5), seed=seed))
        for i in part.tolist()
    }
    assert seen == set(itertools.product(range(8), range(2)))


@unhurried
@given(n=st.integers(1, 30), seed=seeds)
def test_shuffle_keeps_rows_together(n, seed):
    x, y = np.arange(3 * n).reshape(n, 3), tg.arange(n)
    a, b = shuffle(x, y, seed=seed)
    assert isinstance(a, np.ndarray) and type(b) is Tensor
    np.testing.assert_array_equal(a[:, 0], 3 * b.numpy())
    assert sorted(b.tolist()) == list(range(n))
    np.testing.assert_array_equal(shuffle(x, seed=seed), a)
    assert not np.shares_memory(a, x)


# --- kinds of arguments ------------------------------------------------------------------


def test_tensors_lists_and_texts():
    x, y = tg.arange(12.0).reshape(6, 2), ["a", "b"] * 3
    (x_train, y_train), (x_test, y_test) = split(x, y, (2 / 3, 1 / 3), seed=0)
    assert type(x_train) is Tensor and x_train.shape == (4, 2) and x_train.dtype == tg.float32
    assert isinstance(y_test, np.ndarray) and sorted(y_test.tolist()) == ["a", "b"]
    assert sorted(y_train.tolist()) == ["a", "a", "b", "b"]
    for xs, ys in ((x_train, y_train), (x_test, y_test)):
        assert [{0: "a", 2: "b"}[v % 4] for v in xs[:, 0].tolist()] == ys.tolist()


def test_parts_of_a_dataset():
    data = TensorDataset(tg.arange(10), tg.arange(10) % 2)
    train, test = (Subset(data, part) for part in split_indices(np.arange(10) % 2, (0.6, 0.4)))
    assert sorted(int(x) for x, _ in [*train, *test]) == list(range(10))
    assert sum(int(y) for _, y in train) == 3


def test_targets_of_a_regression_and_other_classes():
    y = np.linspace(0, 1, 20)
    x_parts = split(np.arange(20), y, (0.75, 0.25), stratify=False, shuffle=False)
    assert [xs.tolist() for xs, _ in x_parts] == [list(range(15)), list(range(15, 20))]
    group = np.arange(20) % 4
    parts = split(group, y, (0.75, 0.25), stratify=group, seed=0)
    assert [np.bincount(g).min() for g, _ in parts] == [3, 1]
    assert [len(g) for g, _ in parts] == [15, 5]
    column = split(y, (y > 0.5)[:, None], (0.5, 0.5), seed=0)
    assert [ys.sum() for _, ys in column] == [5, 5]


# --- bad input ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((0.5, 0.6), r"fractions should have the sum 1, got \(0.5, 0.6\): 1.1"),
        ((1.0, 0.0), r"fractions should be numbers above 0, got \(1.0, 0.0\)"),
        ((1.5, -0.5), "numbers above 0"),
        ((float("nan"),), "numbers above 0"),
        ((), r"numbers above 0, got \(\)"),
        (0.5, "numbers above 0, got 0.5"),
    ],
)
def test_bad_fractions(shares, message):
    with pytest.raises(ValueError, match=message):
        split_indices(np.zeros(10), shares)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (np.array([0, 0, 0, 5, 5]), {}, r"class 5 has 2 samples, fewer than the 3 parts \(1 of 2"),
        (np.array(["x"] * 3 + ["rare"]), {}, "class 'rare' has 1 samples.*stratify=False"),
        (np.linspace(0, 1, 5), {}, r"class 0.0 has 1 samples.*\(5 of 5.*continuous targets"),
        (np.array([0.0, np.nan, 1, 1, 1]), {}, "split: row 1 is nan"),
        (np.zeros((4, 2)), {}, r"one class for each sample, got labels of shape \(4, 2\)"),
        (np.zeros(4), {"stratify": False}, "4 samples are too few for parts of 0.8, 0.1, 0.1"),
        (np.zeros(0), {}, "at least one row"),
    ],
)
def test_bad_classes(y, options, message):
    with pytest.raises(ValueError, match=message):
        split(y, y, **options)


def test_different_lengths():
    with pytest.raises(ValueError, match=r"equally many rows in each array, got shapes \[\(3,\), "):
        split(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match=r"split expects equally many rows"):
        split(np.zeros(3), np.zeros(3), stratify=np.zeros(2))
    with pytest.raises(ValueError, match=r"shuffle expects equally many rows"):
        shuffle(np.zeros(3), np.zeros((4, 1)))
    with pytest.raises(ValueError, match=r"shuffle expects equally many rows"):
        shuffle(np.float64(3))
