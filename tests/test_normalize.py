"""Normalizers and the forms of labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.datasets import (
    MinMaxNormalizer,
    Normalizer,
    StandardNormalizer,
    class_weights,
    normalize_x,
    normalize_y,
    one_hot,
    plus_minus_one,
    zero_one,
)

unhurried = settings(deadline=None)  # the machine may be busy

KINDS = [MinMaxNormalizer, StandardNormalizer]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
kind_names = st.sampled_from(["minmax", "standard"])
shapes = hnp.array_shapes(min_dims=1, max_dims=3, max_side=6)
numbers = st.floats(-1e6, 1e6, width=32)
arrays = st.sampled_from([np.float32, np.float64]).flatmap(
    lambda dtype: hnp.arrays(dtype, shapes, elements=numbers)
)


def spread(x):
    """Greatest size of a value of each column: what rounding is relative to."""
    return float(np.abs(x).max(initial=0.0))


# --- values ------------------------------------------------------------------------------


@kinds
@unhurried
@given(x=arrays, per_feature=st.booleans())
def test_the_inverse_gives_the_values_back(kind, x, per_feature):
    normalizer = kind(per_feature=per_feature).fit(x)
    back = normalizer.inverse(normalizer.transform(x))
    assert back.dtype == x.dtype and back.shape == x.shape
    # Normalised values are rounded once, at most a few deviations from 0, and scaled back.
    np.testing.assert_allclose(back, x, rtol=0, atol=4 * np.finfo(x.dtype).eps * spread(x))


@unhurried
@given(x=arrays, low=st.floats(-5, 5), width=st.floats(0.1, 9))
def test_min_max_reaches_both_ends_of_the_range(x, low, width):
    out = MinMaxNormalizer((low, low + width)).fit(x).transform(x.astype(np.float64))
    near = {"rtol": 1e-14, "atol": 1e-14}
    varies = x.max(0) > x.min(0)
    np.testing.assert_allclose(out.min(0), np.full(x.shape[1:], low), **near)
    np.testing.assert_allclose(out.max(0), np.where(varies, low + width, low), **near)


@unhurried
@given(x=arrays)
def test_min_max_stays_in_zero_to_one(x):
    out = MinMaxNormalizer().fit(x).transform(x)
    assert out.min() >= 0 and out.max() <= 1


@kinds
def test_scikit_learn_agrees(kind):
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    rng = np.random.default_rng(0)
    train, test = rng.normal(50, 20, (40, 5)), rng.normal(50, 20, (7, 5))
    train[:, 2] = 3.25
    if kind is MinMaxNormalizer:
        ours, theirs = kind((-1, 2)), preprocessing.MinMaxScaler((-1, 2))
    else:
        ours, theirs = kind(), preprocessing.StandardScaler()
    ours.fit(train), theirs.fit(train)
    np.testing.assert_allclose(ours.transform(test), theirs.transform(test), rtol=1e-12)
    np.testing.assert_allclose(ours.inverse(test), theirs.inverse_transform(test), rtol=1e-12)
    np.testing.assert_allclose(ours.inverse_transform(test), ours.inverse(test), rtol=0)


@kinds
def test_values_that_do_not_vary(kind):
    normalizer = kind().fit(np.full((6, 2), [0.1, 1e9 + 0.1]))
    out = normalizer.transform(np.full((3, 2), [0.1, 1e9 + 0.1]))
    np.testing.assert_array_equal(out, 0)
    np.testing.assert_array_equal(normalizer.inverse(out), np.full((3, 2), [0.1, 1e9 + 0.1]))


@kinds
def test_tiny_differences(kind):
    x = np.array([0.0, 5e-324, 1e-310])  # their squares are 0
    out = kind().fit(x).transform(x)
    assert np.isfinite(out).all()


def test_one_range_for_all_pixels():
    x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    out = MinMaxNormalizer(per_feature=False).fit(x).transform(x)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, x / np.float32(23), rtol=1e-6)


def test_blocks_are_seamless(monkeypatch):
    x = np.random.default_rng(0).normal(size=(50, 7))
    normalizer = StandardNormalizer().fit(x)
    whole = normalizer.transform(x)
    for block in (1, 20, 7 * 49):
        monkeypatch.setattr("tensorgrad.datasets.normalize._BLOCK", block)
        np.testing.assert_array_equal(normalizer.transform(x), whole)


# --- kinds of arguments, fitting on the training part ------------------------------------


@unhurried
@given(
    train=hnp.arrays(np.float64, (5, 2), elements=numbers),
    a=hnp.arrays(np.float64, (3, 2), elements=numbers),
    b=hnp.arrays(np.float64, (3, 2), elements=numbers),
    method=kind_names,
)
def test_only_the_training_part_is_looked_at(train, a, b, method):
    one, a_out, first = normalize_x(train, a, method=method)
    two, b_out, second = normalize_x(train, b, method=method)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(first.center, second.center)
    np.testing.assert_array_equal(first.scale, second.scale)
    np.testing.assert_array_equal(a_out, second.transform(a))
    np.testing.assert_array_equal(b_out, first.transform(b))


def test_the_methods_and_the_parts():
    train = np.array([[0.0, 10.0], [4.0, 30.0]])
    *parts, normalizer = normalize_x(train, train + 4, train - 4, method="standard")
    assert type(normalizer) is StandardNormalizer
    np.testing.assert_allclose(parts[0], [[-1, -1], [1, 1]])
    np.testing.assert_allclose(parts[1] - parts[0], [[2, 0.4], [2, 0.4]])
    pixels, normalizer = normalize_x(train, per_feature=False)
    assert type(normalizer) is MinMaxNormalizer
    np.testing.assert_allclose(pixels, train / 30)
    with pytest.raises(ValueError, match="method should be one of minmax, standard, got 'max'"):
        normalize_x(train, method="max")


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("outputs", [(3,), (3, 1)])
def test_outputs_of_a_regression_are_turned_back(shape, outputs):
    prices = tg.tensor([75_000.0, 100_000.0, 300_000.0, 275_000.0]).reshape(shape)
    y, normalizer = normalize_y(prices)
    assert y.shape == shape and y.min() == 0 and y.max() == 1
    back = normalizer.inverse(tg.tensor([0.0, 0.5, 1.0]).reshape(outputs))
    assert type(back) is Tensor and back.shape == outputs and back.dtype == tg.float32
    assert back.flatten().tolist() == [75_000, 187_500, 300_000]
    assert normalizer.inverse(tg.tensor([float("nan")])).isnan().all()


@kinds
def test_tensors_and_arrays(kind):
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    normalizer = kind().fit(tg.from_numpy(x))
    np.testing.assert_array_equal(normalizer.center, kind().fit(x).center)
    out = normalizer.transform(tg.from_numpy(x))
    assert type(out) is Tensor and out.dtype == tg.float32
    np.testing.assert_array_equal(out.numpy(), normalizer.transform(x))
    assert normalizer.transform(np.arange(6).reshape(2, 3)).dtype == np.float32
    assert isinstance(normalizer.transform([[1.0, 2.0, 3.0]]), np.ndarray)


@kinds
def test_tracked_tensors_stay_tracked(kind):
    x = tg.tensor([[1.0, 2.0], [3.0, 6.0]], requires_grad=True)
    normalizer = kind().fit(x)
    out = normalizer.transform(x)
    np.testing.assert_array_equal(out.detach().numpy(), normalizer.transform(x.detach().numpy()))
    out.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.tile(1 / normalizer.scale, (2, 1)))


# --- state -------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("per_feature", [True, False])
@pytest.mark.parametrize("fitted", [True, False])
def test_the_state_goes_through_a_file(tmp_path, kind, per_feature, fitted):
    x = np.random.default_rng(0).normal(size=(9, 2))
    options = {"feature_range": (-1, 1)} if kind is MinMaxNormalizer else {}
    normalizer = kind(**options, per_feature=per_feature)
    if fitted:
        normalizer.fit(x)
    tg.save({"normalizer": normalizer.state_dict()}, tmp_path / "c.safetensors")
    state = tg.load(tmp_path / "c.safetensors")["normalizer"]
    for other in (kind(), Normalizer.from_state_dict(state)):
        other.load_state_dict(state)
        assert type(other) is kind and other.per_feature == per_feature
        if fitted:
            np.testing.assert_array_equal(other.transform(x), normalizer.transform(x))
            np.testing.assert_array_equal(other.inverse(x), normalizer.inverse(x))
            assert repr(other) == f"{kind.__name__}(fitted to shape {(2,) if per_feature else ()})"
        else:
            assert repr(other) == f"{kind.__name__}(not fitted)"


def test_a_state_is_a_copy():
    normalizer = StandardNormalizer().fit(np.array([1.0, 3.0]))
    state = normalizer.state_dict()
    state["center"].fill_(7)
    assert normalizer.center == 2
    normalizer.load_state_dict(state)
    state["center"].fill_(8)
    assert normalizer.center == 7


def test_wrong_states_change_nothing():
    normalizer = StandardNormalizer().fit(np.array([1.0, 3.0]))
    state = MinMaxNormalizer().fit(np.array([5.0, 6.0])).state_dict()
    with pytest.raises(ValueError, match=r"StandardNormalizer cannot load .*'MinMaxNormalizer'"):
        normalizer.load_state_dict(state)
    state["type"] = "StandardNormalizer"
    with pytest.raises(ValueError, match=r"should have the entries .*got .*'feature_range'"):
        normalizer.load_state_dict(state)
    with pytest.raises(ValueError, match=r"one of MinMaxNormalizer, StandardNormalizer.* got None"):
        Normalizer.from_state_dict({})
    assert normalizer.center == 2 and normalizer.scale == 1


# --- bad input ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((0, 3)), ValueError, r"fit expects at least one row, got shapes \[\(0, 3\)\]"),
        (np.float64(1), ValueError, "fit expects equally many rows"),
        (np.array(["a"]), TypeError, "fit expects real numbers, got an array of <U1"),
        (np.array([1j]), TypeError, "real numbers, got an array of complex128"),
        (np.array([1.0, np.nan]), ValueError, "fit: row 1 is nan; fill or drop"),
        (np.array([[1.0, 2.0], [3.0, -np.inf]]), ValueError, "row 1, column 1 is -inf"),
        (np.full((1, 2, 2), np.nan), ValueError, r"index \(0, 0, 0\) is nan"),
    ],
)
@kinds
def test_bad_training_parts(kind, x, error, message):
    with pytest.raises(error, match=message):
        kind().fit(x)


def test_a_range_beyond_float64():
    with pytest.raises(ValueError, match=r"too far apart for float64, from -1e\+308"):
        MinMaxNormalizer().fit(np.array([-1e308, 1e308]))


@kinds
def test_bad_calls(kind):
    normalizer = kind()
    for call in (normalizer.transform, normalizer.inverse):
        with pytest.raises(RuntimeError, match="call fit with the training part first"):
            call(np.ones(3))
    normalizer.fit(np.arange(6.0).reshape(2, 3))
    for call in (normalizer.transform, normalizer.inverse):
        with pytest.raises(ValueError, match=r"samples of shape \(3,\) as in fit.*\(4, 2\)"):
            call(np.ones((4, 2)))
        with pytest.raises(ValueError, match=r"along a first dimension, got one number"):
            call(np.float64(2))
        with pytest.raises(TypeError, match="expects real numbers"):
            call(np.array([["a", "b", "c"]]))
    with pytest.raises(ValueError, match="row 1, column 2 is nan"):
        normalizer.transform(np.array([[1, 2, 3], [4, 5, np.nan]]))
    with pytest.raises(NotImplementedError, match="use MinMaxNormalizer or"):
        Normalizer().fit(np.ones(3))


@pytest.mark.parametrize("bounds", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1)])
def test_bad_ranges(bounds):
    with pytest.raises(ValueError, match=r"feature_range should be \(low, high\), low < high"):
        MinMaxNormalizer(bounds)


# --- labels ------------------------------------------------------------------------------

codes = hnp.arrays(np.int64, hnp.array_shapes(max_dims=3, max_side=5), elements=st.integers(0, 6))


@unhurried
@given(labels=codes, spare=st.integers(0, 3))
def test_one_hot_and_back(labels, spare):
    classes = int(labels.max()) + 1 + spare
    hot = one_hot(labels, classes)
    assert hot.shape == (*labels.shape, classes) and hot.dtype == np.float32
    np.testing.assert_array_equal(hot.sum(-1), 1)
    np.testing.assert_array_equal(hot.argmax(-1), labels)


def test_one_hot_kinds():
    hot = one_hot(tg.tensor([1, 0]), dtype=tg.float64)
    assert type(hot) is Tensor and hot.dtype == tg.float64 and hot.tolist() == [[0, 1], [1, 0]]
    assert one_hot(np.array([3, 1], np.uint8)).shape == (2, 4)
    with pytest.raises(RuntimeError, match="smaller than num_classes: 3 >= 3"):
        one_hot(np.array([3]), 3)
    with pytest.raises(RuntimeError, match="non-negative, got -1"):
        one_hot(np.array([-1]))
    with pytest.raises(RuntimeError, match="LongTensor, got float64"):
        one_hot(np.array([1.0]))


@unhurried
@given(bits=hnp.arrays(np.bool_, hnp.array_shapes(max_dims=2, max_side=6)))
def test_zero_one_and_plus_minus_one_and_back(bits):
    zeros = bits.astype(np.int64)
    for labels in (bits, zeros, zeros.astype(np.float32)):
        np.testing.assert_array_equal(zero_one(labels), zeros)
        np.testing.assert_array_equal(plus_minus_one(labels), 2 * zeros - 1)
    signs = plus_minus_one(zeros)
    np.testing.assert_array_equal(zero_one(signs), zeros)
    texts = np.where(bits, "<=50K", ">50K")
    np.testing.assert_array_equal(zero_one(texts, positive="<=50K"), zeros)


def test_two_classes():
    labels = tg.tensor([3, 7, 7])
    out = zero_one(labels)
    assert type(out) is Tensor and out.dtype == tg.float32 and out.tolist() == [0, 1, 1]
    assert plus_minus_one(labels, positive=3, dtype=tg.int64).tolist() == [1, -1, -1]
    assert zero_one(np.array([7, 7]), positive=3).tolist() == [0, 0]
    assert zero_one(np.zeros((0, 1))).shape == (0, 1)
    with pytest.raises(ValueError, match="zero_one expects two classes, got 3: 0, 1, 2"):
        zero_one(np.array([0, 1, 2]))
    with pytest.raises(ValueError, match=r"got 6: 0, 1, 2, 3, 4, ..."):
        plus_minus_one(np.arange(6))
    with pytest.raises(ValueError, match="plus_minus_one: 'a' is the only label; pass positive="):
        plus_minus_one(np.array(["a"]))
    with pytest.raises(ValueError, match=r"positive label 9 is not among \[3, 7\]"):
        zero_one(labels, positive=9)
    with pytest.raises(ValueError, match="zero_one: row 1 is nan"):
        zero_one(np.array([0.0, np.nan]))


@unhurried
@given(labels=hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 4)))
def test_class_weights(labels):
    labels = np.concatenate([labels, np.arange(5)])
    weights = class_weights(labels, dtype=tg.float64)
    counts = np.bincount(labels)
    np.testing.assert_allclose(weights * counts, len(labels) / 5)  # each class weighs the same
    np.testing.assert_allclose(weights[labels].mean(), 1)


def test_scikit_learns_class_weights():
    balanced = pytest.importorskip("sklearn.utils.class_weight").compute_class_weight
    labels = np.array([0, 0, 0, 1, 2, 2])
    theirs = balanced("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(class_weights(labels), theirs, rtol=1e-6)
    weights = class_weights(tg.from_numpy(labels), 3)
    assert type(weights) is Tensor and weights.dtype == tg.float32
    loss = tg.nn.functional.cross_entropy(tg.zeros(6, 3), tg.from_numpy(labels), weight=weights)
    np.testing.assert_allclose(loss.item(), np.log(3), rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0, 2], None, "class 1 has no samples.*infinite; number the classes without gaps"),
        ([0, 1], 3, "class 2 has no samples"),
        ([0, 3], 3, "label 3 is not below 3 classes"),
        ([0, -1], None, r"got int64 of shape \(2,\) with -1"),
        ([0.0, 1.0], None, r"class numbers from 0 in one dimension, got float64 of shape \(2,\)"),
        ([[0, 1]], None, r"got int64 of shape \(1, 2\)"),
        ([], None, "at least one row"),
    ],
)
def test_bad_labels_for_class_weights(labels, classes, message):
    with pytest.raises(ValueError, match=message):
        class_weights(np.array(labels), classes)
