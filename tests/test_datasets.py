"""The embedded digits: what they are, how they are split, and that they travel with the package."""

import hashlib
import io
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad
from tensorgrad import Tensor
from tensorgrad.datasets import digits

PER_CLASS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # UCI's count of its test part


def arrays(**options):
    return digits(as_tensor=False, **options)


def rows(x, y):
    """The examples as a multiset: sorted, image and label together."""
    return sorted(map(tuple, np.column_stack([x.reshape(len(x), -1), y]).tolist()))


def test_tensors():
    x, y = digits()
    assert type(x) is Tensor and type(y) is Tensor
    assert (x.shape, x.dtype) == ((1797, 1, 8, 8), tensorgrad.float32)
    assert (y.shape, y.dtype) == ((1797,), tensorgrad.int64)
    assert not x.requires_grad


def test_values():
    x, y = arrays()
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert np.bincount(y).tolist() == PER_CLASS
    assert (x.min(), x.max()) == (0, 1)
    levels = x * 16
    assert (levels == np.round(levels)).all()
    assert y[:10].tolist() == list(range(10))
    assert levels[0, 0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]


def test_every_value_against_scikit_learn():
    sklearn = pytest.importorskip("sklearn.datasets")
    x, y = sklearn.load_digits(return_X_y=True)
    np.testing.assert_array_equal(arrays(flat=True)[0] * 16, x)
    np.testing.assert_array_equal(arrays()[1], y)


def test_flat_is_the_same_images():
    np.testing.assert_array_equal(arrays(flat=True)[0].reshape(-1, 1, 8, 8), arrays()[0])
    assert digits(split="test", flat=True)[0].shape == (360, 64)


def test_each_call_gives_new_memory():
    arrays()[0][:] = 7
    assert arrays()[0].max() == 1


@given(seed=st.integers(0, 2**64))
@settings(max_examples=20, deadline=None)
def test_the_parts_are_disjoint_and_complete(seed):
    train, test = arrays(split="train", seed=seed), arrays(split="test", seed=seed)
    assert (len(train[0]), len(test[0])) == (1437, 360)
    both = [np.concatenate(pair) for pair in zip(train, test, strict=True)]
    assert rows(*both) == rows(*arrays())


def test_the_seed_chooses_the_split():
    first, again, other = (arrays(split="test", seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_split_never_changes():
    x, y = arrays(split="test")
    digest = hashlib.sha256((x * 16).astype(np.uint8).tobytes() + y.astype(np.uint8).tobytes())
    assert digest.hexdigest()[:16] == "86ee8966ca06f7d1"


def test_every_digit_is_in_both_parts():
    for split, least in (("train", 120), ("test", 20)):
        assert np.bincount(arrays(split=split)[1], minlength=10).min() >= least


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"split": "valid"}, ValueError, "one of None, 'train', 'test', got 'valid'"),
        ({"split": 0.2}, ValueError, "got 0.2"),
        ({"split": "test", "seed": -1}, ValueError, "seed should be at least 0, got -1"),
        ({"split": "test", "seed": "1"}, TypeError, None),
        ({"split": "test", "seed": 1.5}, TypeError, None),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        digits(**options)


def test_the_file_is_small_with_its_origin_beside_it():
    data = resources.files("tensorgrad.datasets") / "data"
    content = (data / "digits.npz").read_bytes()
    assert len(content) < 100_000
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        assert {name: file[name].dtype for name in file} == {"images": "u1", "labels": "u1"}
    text = (data / "digits.md").read_text(encoding="utf-8")
    for words in ("Alpaydin", "Kaynak", "1998", "CC BY 4.0", "scikit-learn"):
        assert words in text
