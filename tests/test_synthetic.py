"""Small problems from a seed: their formulas, their classes, and that nothing else is touched."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.datasets import arcs, blobs, curve, spirals, three_classes, two_rings, xor

unhurried = settings(deadline=None)  # the machine may be busy

PLANE = {f.__name__: f for f in (arcs, blobs, spirals, three_classes, two_rings, xor)}
ALL = {"curve": curve, **PLANE}
CLASSES = {"arcs": 2, "blobs": 3, "spirals": 2, "three_classes": 3, "two_rings": 2, "xor": 2}
every = pytest.mark.parametrize("name", ALL)
sizes, seeds = st.integers(60, 400), st.integers(0, 2**40)


@pytest.mark.parametrize("name", PLANE)
def test_shapes_and_classes(name):
    x, y = PLANE[name](103, seed=5)
    assert type(x) is Tensor and (x.shape, x.dtype) == ((103, 2), tg.float32)
    assert type(y) is Tensor and (y.shape, y.dtype) == ((103,), tg.int64)
    counts = y.bincount().tolist()
    assert len(counts) == CLASSES[name] and min(counts) > 0
    if name in ("arcs", "two_rings", "xor", "spirals"):
        assert counts == [52, 51]
    assert y[:20].unique().numel() > 1  # in random order


@every
def test_the_seed_is_all_that_counts(name):
    make = ALL[name]
    before = tg.get_rng_state()
    legacy = np.random.get_state()[1].tolist()  # noqa: NPY002  the global state itself
    first, again, other = make(50, 0.1, 3), make(n=50, noise=0.1, seed=3), make(50, 0.1, 4)
    assert (tg.get_rng_state() == before).all()
    assert np.random.get_state()[1].tolist() == legacy  # noqa: NPY002
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert not np.array_equal(first[0].numpy(), other[0].numpy())


@pytest.mark.parametrize("name", ["curve", "xor", "three_classes"])
def test_noise_moves_points_by_its_deviation(name):
    """The same draws with and without noise."""
    n = 4000
    plain, noisy = ALL[name](n, 0.0, 1), ALL[name](n, 0.25, 1)
    moved = [b.numpy().astype(float) - a.numpy() for a, b in zip(plain, noisy, strict=True)]
    if name == "curve":
        moved.reverse()
    assert not moved[1].any()  # of a curve t, of the others the classes
    # Five standard errors of a deviation, and of a mean.
    assert abs(moved[0].std() - 0.25) < 5 * 0.25 / math.sqrt(2 * n)
    assert abs(moved[0].mean()) < 5 * 0.25 / math.sqrt(n)


# --- formulas ----------------------------------------------------------------------------


@unhurried
@given(n=sizes, seed=seeds)
def test_curve(n, seed):
    t, y = curve(n, 0.0, seed)
    assert t.shape == y.shape == (n, 1) and t.dtype == y.dtype == tg.float32
    assert 0 <= t.min() and t.max() < 2 * math.pi
    for a, b in zip(t.flatten().tolist(), y.flatten().tolist(), strict=True):
        expected = 4 * math.sin(a) / math.pi + 4 * math.sin(5 * a) / (5 * math.pi)
        assert math.isclose(b, expected, rel_tol=1e-6, abs_tol=1e-6)


@unhurried
@given(n=sizes, seed=seeds)
def test_arcs(n, seed):
    x, y = (a.numpy() for a in arcs(n, 0.0, seed))
    for k, centre, up in ((0, [0, 0], True), (1, [1, 0.5], False)):
        points = x[y == k] - np.array(centre, np.float32)
        np.testing.assert_allclose(np.hypot(*points.T), 1, atol=1e-6)
        assert ((points[:, 1] >= -1e-6) if up else (points[:, 1] <= 1e-6)).all()
        assert np.ptp(points[:, 0]) > 1  # along the whole arc


@unhurried
@given(n=sizes, seed=seeds)
def test_xor(n, seed):
    x, y = (a.numpy() for a in xor(n, 0.0, seed))
    assert (np.abs(x) <= 1).all() and (x != 0).all()
    np.testing.assert_array_equal((x[:, 0] > 0) != (x[:, 1] > 0), y == 1)
    quadrants = np.bincount(2 * (x[:, 0] > 0) + (x[:, 1] > 0), minlength=4)
    assert np.ptp(quadrants) <= 1


@unhurried
@given(n=sizes, seed=seeds, classes=st.integers(2, 5), turns=st.floats(0.1, 3))
def test_spirals(n, seed, classes, turns):
    x, y = (a.numpy() for a in spirals(n, 0.0, seed, classes=classes, turns=turns))
    r = np.hypot(*x.T.astype(np.float64))
    assert r.min() >= 0.1 - 1e-6 and r.max() <= 1 + 1e-6
    angle = 2 * np.pi * (turns * r + y / classes)
    # r is known from float32 points: the angle to about 2 pi * 3 * 1e-7.
    np.testing.assert_allclose(x, np.stack([r * np.cos(angle), r * np.sin(angle)], 1), atol=1e-5)
    assert np.ptp(np.bincount(y, minlength=classes)) <= 1


@unhurried
@given(n=sizes, seed=seeds, factor=st.floats(0.1, 0.9))
def test_two_rings(n, seed, factor):
    x, y = (a.numpy() for a in two_rings(n, 0.0, seed, factor=factor))
    np.testing.assert_allclose(np.hypot(*x.T), np.where(y == 0, 1, factor), rtol=1e-6)


@unhurried
@given(seed=seeds)
def test_three_classes(seed):
    n = 3000
    x, y = (a.numpy() for a in three_classes(n, 0.0, seed))
    assert (np.abs(x) <= 1).all()
    half, radius = (1 / 3) ** 0.5, (8 / 3 / np.pi) ** 0.5
    hole = (x.max(1) < half) & (x.min(1) > -half)
    disc = (x.astype(np.float64) ** 2).sum(1) < radius**2
    sure = np.abs(np.hypot(*x.T) - radius) > 1e-6
    np.testing.assert_array_equal((y == 0)[sure], hole[sure])
    np.testing.assert_array_equal((y == 1)[sure], (disc & ~hole)[sure])
    # Equal areas: 1000 each, with a deviation of 26; six of them.
    assert np.abs(np.bincount(y, minlength=3) - 1000).max() < 156


@pytest.mark.parametrize("weights", [(0.9, 0.1), (0.8, 0.15, 0.05), (0.25,) * 4, (1.0,)])
def test_blobs(weights):
    n = 2000
    x, y = (a.numpy() for a in blobs(n, 0.1, 7, weights=weights))
    assert np.bincount(y).tolist() == [round(n * w) for w in weights]
    for k in range(len(weights)):
        angle = 2 * np.pi * k / len(weights)
        cloud = x[y == k] - [np.cos(angle), np.sin(angle)]
        error = 0.1 / math.sqrt(len(cloud))
        assert (np.abs(cloud.mean(0)) < 5 * error).all()
        assert (np.abs(cloud.std(0) - 0.1) < 5 * error).all()


def test_scikit_learns_shapes():
    """The same curves: each of our points is near one of a dense set of theirs, and back."""
    datasets = pytest.importorskip("sklearn.datasets")
    pairs = [
        (arcs(600, 0.0), datasets.make_moons(2000)),
        (two_rings(600, 0.0, factor=0.4), datasets.make_circles(2000, factor=0.4)),
    ]
    for (x, y), (points, classes) in pairs:
        for k in (0, 1):
            ours, theirs = x.numpy()[y.numpy() == k], points[classes == k]
            distances = np.linalg.norm(ours[:, None] - theirs[None], axis=2)
            assert distances.min(1).max() < 0.01 and distances.min(0).max() < 0.2


# --- bad input ---------------------------------------------------------------------------


@every
def test_bad_arguments(name):
    make = ALL[name]
    for n in (2.0, "3", True):
        with pytest.raises(TypeError, match=f"{name}: n should be an integer, got"):
            make(n)
    with pytest.raises(ValueError, match=rf"{name}: n should be at least \d, got 0"):
        make(0)
    for noise in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"{name}: noise should be at least 0, got"):
            make(10, noise)
    assert len(make(np.int64(40))[0]) == 40


def test_bad_options():
    with pytest.raises(ValueError, match="classes should be at least 2, got 1"):
        spirals(classes=1)
    with pytest.raises(ValueError, match="spirals: n should be at least 5, got 4"):
        spirals(4, classes=5)
    for factor in (0, 1, -1):
        with pytest.raises(ValueError, match=f"factor should be between 0 and 1, got {factor}"):
            two_rings(factor=factor)
    with pytest.raises(ValueError, match=r"weights should have the sum 1, got \(0.5, 0.1\): 0.6"):
        blobs(weights=(0.5, 0.1))
    with pytest.raises(ValueError, match=r"10 samples are too few for classes of \(0.99, 0.01\)"):
        blobs(10, weights=(0.99, 0.01))
