"""The samplers: imbalanced-learn's samples with the same draws, properties, types, errors."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as torch
from tensorgrad import augment
from tensorgrad.augment import (
    ADASYN,
    SMOTE,
    SMOTENC,
    BorderlineSMOTE,
    RandomOverSampler,
    RandomUnderSampler,
)


def table(sizes=(120, 40, 25), features=5, seed=0):
    """Classes that overlap, in random order."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(sizes)), sizes)
    X = rng.normal(size=(len(y), features)) + y[:, None] * 0.6
    order = rng.permutation(len(y))
    return X[order], y[order]


def mixed(kind, seed=0):
    """The table with columns 1 and 3 of categories: codes, or strings."""
    X, y = table(seed=seed)
    rng = np.random.default_rng(seed)
    X[:, 1], X[:, 3] = rng.integers(0, 4, len(X)), rng.integers(0, 3, len(X)) + y // 2
    if kind == "constant":  # the median of the deviations is 0: categories do not count
        X[:, [0, 2]] = 1.0
    if kind != "strings":
        return X, y
    names = X.astype(object)
    names[:, 1] = np.array(list("abcd"))[X[:, 1].astype(int)]
    names[:, 3] = np.array(list("wxyz"))[X[:, 3].astype(int)]
    return names, y


# --- beside imbalanced-learn ------------------------------------------------------------

CASES = {
    "SMOTE": (SMOTE, {}),
    "SMOTE k=3": (SMOTE, {"k_neighbors": 3}),
    "SMOTE minority": (SMOTE, {"sampling_strategy": "minority"}),
    "SMOTE all": (SMOTE, {"sampling_strategy": "all"}),
    "SMOTE dict": (SMOTE, {"sampling_strategy": {1: 60, 2: 33}}),
    "borderline-1": (BorderlineSMOTE, {}),
    "borderline-2": (BorderlineSMOTE, {"kind": "borderline-2"}),
    "borderline-2 k=30": (BorderlineSMOTE, {"kind": "borderline-2", "k_neighbors": 30}),
    "borderline m=4": (BorderlineSMOTE, {"m_neighbors": 4, "k_neighbors": 2}),
    "ADASYN": (ADASYN, {}),
    "ADASYN not minority": (ADASYN, {"sampling_strategy": "not minority", "n_neighbors": 3}),
    "over": (RandomOverSampler, {}),
    "over smoothed": (RandomOverSampler, {"shrinkage": 0.7}),
    "over smoothed by class": (RandomOverSampler, {"shrinkage": {1: 0.0, 2: 2.0}}),
    "under": (RandomUnderSampler, {}),
    "under majority": (RandomUnderSampler, {"sampling_strategy": "majority"}),
    "under with replacement": (RandomUnderSampler, {"replacement": True}),
}


def theirs(sampler, options):
    imblearn = pytest.importorskip("imblearn")
    places = [imblearn.over_sampling, imblearn.under_sampling]
    return next(getattr(p, sampler.__name__) for p in places if hasattr(p, sampler.__name__))(
        **options
    )


def columns(X):
    """Numbers and everything else of a table."""
    text = [i for i in range(X.shape[1]) if isinstance(X[0, i], str)]
    numbers = [i for i in range(X.shape[1]) if i not in text]
    return X[:, numbers].astype(float), X[:, text]


def assert_same(ours, other, X, y):
    (X_ours, y_ours), (X_other, y_other) = ours.fit_resample(X, y), other.fit_resample(X, y)
    np.testing.assert_array_equal(y_ours, y_other)
    (a, s), (b, t) = columns(X_ours), columns(X_other)
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(s, t)
    assert ours.sampling_strategy_ == dict(other.sampling_strategy_)


@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("case", CASES)
def test_the_samples_are_those_of_imbalanced_learn(case, seed):
    sampler, options = CASES[case]
    options = {**options, "random_state": seed}
    assert_same(sampler(**options), theirs(sampler, options), *table(seed=seed))


@pytest.mark.parametrize("kind", ["codes", "strings", "constant"])
def test_smotenc_beside_imbalanced_learn(kind):
    for seed in (0, 1):
        options = {"categorical_features": [1, 3], "random_state": seed}
        assert_same(SMOTENC(**options), theirs(SMOTENC, options), *mixed(kind, seed))


def test_smotenc_draws_for_columns_in_the_order_given():
    X, y = mixed("codes")
    options = {"categorical_features": [3, 1], "random_state": 2}
    assert_same(SMOTENC(**options), theirs(SMOTENC, options), X, y)
    want = SMOTENC([3, 1], random_state=2).fit_resample(X, y)[0]
    same = SMOTENC([-2, 1, 3], random_state=2).fit_resample(X, y)[0]
    np.testing.assert_array_equal(same, want)
    mask, sorted_ = (SMOTENC(c, random_state=2).fit_resample(X, y)[0]
                     for c in (np.array([False, True, False, True, False]), [1, 3]))  # fmt: skip
    np.testing.assert_array_equal(mask, sorted_)
    assert not np.array_equal(mask, want)


def test_smotenc_takes_missing_categories():
    """None and nan are categories of their own, as in imbalanced-learn."""
    pandas = pytest.importorskip("pandas")
    X, y = mixed("strings")
    X[::7, 1], X[::5, 3], X[::11, 3] = np.nan, None, np.nan
    options = {"categorical_features": [1, 3], "random_state": 0}
    got, want = (s.fit_resample(X, y)[0] for s in (SMOTENC(**options), theirs(SMOTENC, options)))
    text = [[list(map(str, rows[:, c])) for c in (1, 3)] for rows in (got, want)]
    assert text[0] == text[1]
    assert "nan" in text[0][0][len(X) :] and "None" in text[0][1][len(X) :]
    rest = [0, 2, 4]
    np.testing.assert_allclose(got[:, rest].astype(float), want[:, rest].astype(float), atol=1e-12)
    frame = pandas.DataFrame({"n": X[:, 0].astype(float), "s": pandas.Series(X[:, 1], dtype="str")})
    again = SMOTENC(["s"], random_state=0).fit_resample(frame, y)[0]
    assert (again.dtypes == frame.dtypes).all() and again["s"][len(X) :].isna().any()


@pytest.mark.parametrize("sampler", [SMOTE, BorderlineSMOTE, ADASYN, RandomOverSampler])
def test_a_random_state_goes_on_as_theirs_does(sampler):
    options = [{"random_state": np.random.RandomState(5)} for _ in range(2)]
    ours, other = sampler(**options[0]), theirs(sampler, options[1])
    for _ in range(2):
        assert_same(ours, other, *table())


@pytest.mark.parametrize(
    ("sampler", "ratio"), [(SMOTE, 0.7), (SMOTE, 1), (RandomUnderSampler, 0.8)]
)
def test_numbers_and_functions_as_strategies(sampler, ratio):
    X, y = table((80, 30))
    options = {"sampling_strategy": ratio, "random_state": 0}
    assert_same(sampler(**options), theirs(sampler, options), X, y)
    sizes = sampler(**options).fit_resample(X, y)[1]
    by_function = {**options, "sampling_strategy": lambda labels: dict(enumerate(
        np.bincount(sizes).tolist()))}  # fmt: skip
    assert_same(sampler(**by_function), theirs(sampler, by_function), X, y)


def test_they_fit_into_scikit_learn():
    base = pytest.importorskip("sklearn.base")
    pipeline = pytest.importorskip("imblearn.pipeline")
    linear = pytest.importorskip("sklearn.linear_model")
    sampler = SMOTENC([1], k_neighbors=3)
    assert base.clone(sampler).get_params() == sampler.get_params()
    assert sampler.set_params(k_neighbors=2).k_neighbors == 2
    X, y = table((90, 30))
    steps = [("smote", SMOTE(random_state=0)), ("fit", linear.LogisticRegression())]
    assert pipeline.Pipeline(steps).fit(X, y).score(X, y) > 0.6


# --- what SMOTE is ----------------------------------------------------------------------


def test_new_samples_lie_between_a_sample_and_one_of_its_neighbours():
    X, y = table((60, 12), features=3)
    X_new, y_new = SMOTE(k_neighbors=3, random_state=1).fit_resample(X, y)
    own = X[y == 1]
    distance = np.linalg.norm(own[:, None] - own[None], axis=-1)
    near = np.argsort(distance, axis=1)[:, 1:4]  # by brute force
    start = np.repeat(own, 3, axis=0)
    way = own[near.ravel()] - start
    for x in X_new[len(X) :]:
        u = ((x - start) * way).sum(1) / (way**2).sum(1)
        off = np.linalg.norm(start + u[:, None] * way - x, axis=1)
        assert ((off < 1e-9) & (u > -1e-9) & (u < 1 + 1e-9)).any()
    assert len(y_new) == 120 and (y_new[len(X) :] == 1).all()


def test_bases_neighbours_and_steps_are_uniform():
    """On a line of far apart pairs the base and the step can be read off each new sample."""
    X = np.array([[0.0], [1.0], [100.0], [101.0], [200.0], [201.0]])
    X = np.concatenate([X, np.full((12006, 1), 1e6)])
    y = np.repeat([1, 0], [6, 12006])
    new = SMOTE(k_neighbors=1, random_state=0).fit_resample(X, y)[0][len(X) :, 0]
    assert len(new) == 12000
    pair, step = np.divmod(new, 100)
    counts = np.bincount(pair.astype(int))
    assert len(counts) == 3 and abs(counts - 4000).max() < 4 * np.sqrt(4000)
    assert (step < 1 + 1e-9).all() and abs(step.mean() - 0.5) < 0.02
    assert abs(step.var() - 1 / 12) < 0.005


def test_mean_is_kept_and_variance_shrinks():
    """E[x_new] is that of the class; mixing two of a pair makes the spread smaller, not larger."""
    X, y = table((3000, 150), features=2)
    new = SMOTE(random_state=0).fit_resample(X, y)[0][len(X) :]
    own = X[y == 1]
    assert abs(new.mean(0) - own.mean(0)).max() < 0.15
    assert (new.std(0) < own.std(0)).all()


def test_borderline_starts_from_samples_in_danger_alone():
    X, y = table((100, 30), features=2)
    sampler = BorderlineSMOTE(random_state=0, k_neighbors=1, m_neighbors=6)
    new = sampler.fit_resample(X, y)[0][len(X) :]
    danger = sampler.in_danger_indices[1]
    distance = np.linalg.norm(X[danger][:, None] - X[None], axis=-1)
    strangers = (y[np.argsort(distance, axis=1)[:, 1:7]] != 1).sum(1)
    assert ((strangers >= 3) & (strangers < 6)).all() and len(danger) < 30
    own = X[y == 1]
    ends = [own[np.argsort(np.linalg.norm(own - X[d], axis=1))[1]] for d in danger]
    bent = [min(np.linalg.norm(x - X[d]) + np.linalg.norm(x - e) - np.linalg.norm(X[d] - e)
                for d, e in zip(danger, ends, strict=True)) for x in new]  # fmt: skip
    assert max(bent) < 1e-9


def test_adasyn_starts_more_where_strangers_are():
    X = np.concatenate([np.arange(0, 10.0), np.arange(20, 30.0), [20.5, 21.5, 22.5, 50, 51, 52]])
    y = np.repeat([0, 1], [20, 6])
    new = ADASYN(n_neighbors=2, random_state=0).fit_resample(X[:, None], y)[0][len(X) :, 0]
    assert len(new) and ((new >= 20.5) & (new <= 22.5)).all()


def test_a_category_is_the_most_frequent_one_nearby():
    X = np.array([[x, c] for x, c in zip(np.arange(12.0), "aab" * 4, strict=True)], dtype=object)
    y = np.repeat([0, 1], [8, 4])
    X[8:, 1] = list("qqqz")
    new = SMOTENC([1], k_neighbors=3, random_state=0).fit_resample(X, y)[0][12:]
    assert set(new[:, 1]) == {"q"}


def test_smotenc_makes_no_one_hot_table():
    """Of 3000 samples of 3000 categories it would take 72 MB; what is here took 20."""
    rng = np.random.default_rng(0)
    X = np.stack([rng.normal(size=6100), rng.permutation(6100)], 1)
    y = np.repeat([0, 1], [3100, 3000])
    tracemalloc.start()
    X_new, _ = SMOTENC([1], random_state=0).fit_resample(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6
    assert set(X_new[6100:, 1]) <= set(X[3100:, 1])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6), k=st.integers(1, 4), sizes=st.lists(st.integers(5, 20), min_size=2,
    max_size=3), features=st.integers(1, 3), whole=st.booleans(),
)  # fmt: skip
def test_counts_box_and_inputs(seed, k, sizes, features, whole):
    """Integer data has many twins and ties."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    X = rng.integers(0, 3, (len(y), features)) if whole else rng.normal(size=(len(y), features))
    given_X, given_y = X.copy(), y.copy()
    X_new, y_new = SMOTE(k_neighbors=k, random_state=seed).fit_resample(X, y)
    np.testing.assert_array_equal(X, given_X)
    np.testing.assert_array_equal(y, given_y)
    np.testing.assert_array_equal(X_new[: len(X)], X)
    assert (np.bincount(y_new) == max(sizes)).all() and X_new.dtype == np.float64
    for c in np.unique(y):
        own, new = X[y == c], X_new[y_new == c]
        assert (new >= own.min(0) - 1e-12).all() and (new <= own.max(0) + 1e-12).all()
    again = SMOTE(k_neighbors=k, random_state=seed).fit_resample(X[::1], y)[0]
    np.testing.assert_array_equal(X_new, again)


# --- types ------------------------------------------------------------------------------


def test_tensors_images_and_non_contiguous_arrays():
    X, y = table((20, 8), features=12)
    want, _ = SMOTE(random_state=0).fit_resample(X, y)
    images = torch.from_numpy(X.reshape(28, 3, 2, 2).copy())
    got, labels = SMOTE(random_state=0).fit_resample(images, torch.from_numpy(y))
    assert isinstance(got, torch.Tensor) and labels.dtype == torch.int64
    assert got.shape == (40, 3, 2, 2)
    np.testing.assert_array_equal(got.numpy().reshape(40, 12), want)
    wide = np.repeat(X, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(SMOTE(random_state=0).fit_resample(wide, y)[0], want)
    assert SMOTE(random_state=0).fit_resample(X.astype("f4"), y)[0].dtype == np.float32


def test_uint8_does_not_wrap_around():
    X, y = np.array([[250], [10], [200], [0], [1], [2], [3]], np.uint8), [1, 1, 1, 0, 0, 0, 0]
    new = SMOTE(k_neighbors=2, random_state=0).fit_resample(X, y)[0][7:]
    assert new.dtype == np.float64 and (new >= 10).all() and (new <= 250).all()


def test_labels_may_be_strings_and_come_back_in_kind():
    X, y = table((20, 8))
    names = np.array(["cat", "caterpillar"])[y]
    _, got = ADASYN(random_state=0).fit_resample(X, names)
    assert got.dtype == names.dtype and set(got) == {"cat", "caterpillar"}
    assert RandomUnderSampler(random_state=0).fit_resample(X, names)[1].tolist().count("cat") == 8


def test_data_frames():
    pandas = pytest.importorskip("pandas")
    X, y = mixed("strings")
    frame = pandas.DataFrame(X, columns=list("pqrst")).infer_objects()
    frame["q"] = frame["q"].astype("category")
    labels = pandas.Series(y, name="kind")
    got, got_y = SMOTENC(["q", "s"], random_state=0).fit_resample(frame, labels)
    want, want_y = SMOTENC([1, 3], random_state=0).fit_resample(X, y)
    assert list(got.columns) == list("pqrst") and (got.dtypes == frame.dtypes).all()
    np.testing.assert_array_equal(got.to_numpy(object), want)
    assert got_y.name == "kind" and (got_y.to_numpy() == want_y).all()


def test_columns_that_are_copied_keep_their_dtypes():
    pandas = pytest.importorskip("pandas")
    X, y = table((20, 8))
    frame = pandas.DataFrame({"n": X[:, 0].astype("f4"), "c": np.array(list("abcd"))[y + 1],
                              "i": np.arange(28, dtype="i1"), "b": X[:, 1] > 0})  # fmt: skip
    for sampler in (RandomOverSampler(random_state=0), RandomUnderSampler(random_state=0)):
        got, _ = sampler.fit_resample(frame, y)
        assert (got.dtypes == frame.dtypes).all()
    got, _ = SMOTENC(["c", "b"], random_state=0).fit_resample(frame, y)
    assert got.dtypes.to_dict() == {**frame.dtypes.to_dict(), "i": np.float64}
    got, _ = SMOTENC([1, 2], random_state=0).fit_resample(frame, y)
    assert got["i"].dtype == np.int8 and got["n"].dtype == np.float32


def test_integers_are_places_whatever_the_columns_are_called():
    pandas = pytest.importorskip("pandas")
    X, y = table((20, 8), features=3)
    frame = pandas.DataFrame({2: np.arange(28) % 3, 1: X[:, 1], 0: X[:, 0]})
    sampler = SMOTENC([0], random_state=0)
    sampler.fit_resample(frame, y)
    assert sampler.categorical_features_.tolist() == [0]


@pytest.mark.parametrize("kind", ["O", "str", "category", "bool", "Int64"])
@pytest.mark.parametrize("sampler", [RandomUnderSampler, RandomOverSampler, SMOTE, ADASYN])
def test_labels_of_every_kind(sampler, kind):
    pandas = pytest.importorskip("pandas")
    X, y = table((20, 8))
    values = y if kind in ("bool", "Int64") else np.array(["a", "b"], dtype=object)[y]
    labels = values if kind == "O" else pandas.Series(values).astype(kind)
    _, got = sampler(random_state=0).fit_resample(X, labels)
    assert got.dtype == labels.dtype
    codes = (np.asarray(got) == np.asarray(labels)[y == 1][0]).astype(int)
    np.testing.assert_array_equal(codes, sampler(random_state=0).fit_resample(X, y)[1])


def test_a_smoothed_bootstrap_keeps_floats():
    X, y = table((20, 8))
    smoothed = RandomOverSampler(shrinkage=1.0, random_state=0)
    assert smoothed.fit_resample(X.astype("f4"), y)[0].dtype == np.float32
    assert smoothed.fit_resample((9 * X).astype(int), y)[0].dtype == np.float64


def test_random_samplers_take_anything_and_say_which_rows():
    X = np.array([["a", None], ["b", 2], ["c", 3]], dtype=object)
    over = RandomOverSampler(random_state=0)
    got, _ = over.fit_resample(X, [0, 0, 1])
    np.testing.assert_array_equal(got, X[over.sample_indices_])
    under = RandomUnderSampler(random_state=0)
    got, labels = under.fit_resample(X, [0, 0, 1])
    np.testing.assert_array_equal(got, X[under.sample_indices_])
    assert labels == [0, 1] if isinstance(labels, list) else (labels == [0, 1]).all()


def test_without_a_random_state_the_default_generator_decides():
    X, y = table((20, 8))
    torch.manual_seed(3)
    one, two = (SMOTE().fit_resample(X, y)[0] for _ in range(2))
    torch.manual_seed(3)
    np.testing.assert_array_equal(SMOTE().fit_resample(X, y)[0], one)
    assert not np.array_equal(one, two)


# --- what is refused --------------------------------------------------------------------

X0, Y0 = table((12, 4), features=2)


@pytest.mark.parametrize(
    ("sampler", "X", "y", "error", "text"),
    [
        (SMOTE(), X0, Y0, ValueError,
         r"SMOTE: k_neighbors=5 needs at least 6 samples, but class 1 has 4; pass k_neighbors=3"),
        (ADASYN(), X0, Y0, ValueError, "ADASYN: n_neighbors=5 needs at least 6 samples, but class"),
        (SMOTENC([1]), X0, Y0, ValueError, "SMOTENC: k_neighbors=5 needs"),
        (SMOTE(), X0, np.where(np.arange(16) == 3, 1, 0), ValueError, "it has no neighbours"),
        (BorderlineSMOTE(m_neighbors=16, k_neighbors=1), X0, Y0, ValueError,
         "m_neighbors=16 needs at least 17 samples, but X has 16"),
        (SMOTE(k_neighbors=0), X0, Y0, ValueError, "k_neighbors must be an integer of at least"),
        (SMOTE(k_neighbors=2.5), X0, Y0, ValueError, "k_neighbors must be an integer"),
        (BorderlineSMOTE(kind="3"), X0, Y0, ValueError, "kind should be 'borderline-1'"),
        (SMOTE(), X0, None, ValueError, "y is missing"),
        (SMOTE(), X0, Y0[:-1], ValueError, r"one row for each of 15 labels, got \(16, 2\)"),
        (SMOTE(), X0[:, 0], Y0, ValueError, r"X should be \(N, features\).*got \(16,\)"),
        (SMOTE(), X0, np.eye(2)[Y0], ValueError, r"got shape \(16, 2\); turn one-hot rows"),
        (SMOTE(), X0, Y0[:, None], ValueError, r"\(16, 1\); take the column by y\[:, 0\]"),
        (SMOTE(), X0[:, :0], Y0, ValueError, r"and a feature at least, got shape \(16, 0\)"),
        (RandomOverSampler(), X0[:0], Y0[:0], ValueError, r"at least, got shape \(0, 2\)"),
        (SMOTE(), X0, np.zeros(16), ValueError, "two classes or more, got 1"),
        (SMOTE(), np.where(X0 == X0[3, 1], np.nan, X0), Y0, ValueError,
         r"X should be finite, got nan at \(3, 1\)"),
        (SMOTE(), X0.astype(str), Y0, ValueError, "use SMOTENC"),
        (SMOTENC([0]), np.array([["a", "b"]] * 16), Y0, ValueError, r"columns \[1\] should be num"),
        (SMOTENC([1]), np.array([["0.5", "b"]] * 16), Y0, ValueError, r"strings \(<U3\); pass an"),
        (SMOTENC([1]), np.array([[0.5, "b"]] * 15 + [[0.5, 2]], dtype=object), Y0, ValueError,
         "column 1 holds categories of several types"),
        (SMOTENC(1), X0, Y0, ValueError, "should be a list of columns of X, got 1"),
        (SMOTENC("name"), X0, Y0, ValueError, "should be a list of columns of X, got 'name'"),
        (SMOTENC([]), X0, Y0, ValueError, "no column of categories"),
        (SMOTENC([0, 1]), X0, Y0, ValueError, "no column of numbers"),
        (SMOTENC([2]), X0, Y0, ValueError, r"columns of X, which has 2, got \[2\]"),
        (SMOTENC([True]), X0, Y0, ValueError, "as a mask should have 2 entries"),
        (SMOTENC([0]), X0[..., None], Y0, ValueError, r"got shape \(16, 2, 1\)"),
        (SMOTE(sampling_strategy="majority"), X0, Y0, ValueError, "to over-sample, got 'majority'"),
        (SMOTE(sampling_strategy=1.5), X0, Y0, ValueError, r"in \(0, 1\], got 1.5"),
        (SMOTE(sampling_strategy=0.1), X0, Y0, ValueError, "asks for 1 samples of class 1, which"),
        (SMOTE(sampling_strategy=0.5), X0, Y0 + np.arange(16) % 2, ValueError, "needs two classes"),
        (SMOTE(sampling_strategy={1: 3}), X0, Y0, ValueError, "at least the 4 samples"),
        (SMOTE(sampling_strategy={7: 3}), X0, Y0, ValueError, r"does not hold: \[7\]"),
        (SMOTE(sampling_strategy={1: np.nan}), X0, Y0, ValueError, r"y\[1\] .* a count, got nan"),
        (SMOTE(sampling_strategy={1: None}), X0, Y0, ValueError, r"y\[1\] .* a count, got None"),
        (BorderlineSMOTE(kind="borderline-2", k_neighbors=16, m_neighbors=2), X0, Y0, ValueError,
         "k_neighbors=16 needs at least 17 samples, but X has 16"),
        (SMOTE(sampling_strategy=[1]), X0, Y0, TypeError, "a dict of class and size"),
        (SMOTE(sampling_strategy=True), X0, Y0, TypeError, "should be a number"),
        (RandomUnderSampler(sampling_strategy={0: 99}), X0, Y0, ValueError, "at most the 12"),
        (RandomUnderSampler(sampling_strategy=0.1), X0, Y0, ValueError, "asks for 40 samples"),
        (RandomOverSampler(shrinkage=-1), X0, Y0, ValueError, "at least 0 for each class"),
        (RandomOverSampler(shrinkage=np.inf), X0, Y0, ValueError, "should be finite.*got inf for"),
        (RandomOverSampler(shrinkage="x"), X0, Y0, TypeError, "shrinkage should be None, a number"),
        (RandomOverSampler(shrinkage={}), X0, Y0, ValueError, "got None for class 1"),
        (SMOTE(random_state="x", k_neighbors=1), X0, Y0, TypeError, "random_state should be None"),
        (SMOTE(random_state=-1, k_neighbors=1), X0, Y0, ValueError, "got -1"),
    ],
)  # fmt: skip
def test_bad_input_is_named(sampler, X, y, error, text):
    with pytest.raises(error, match=text):
        sampler.fit_resample(X, y)


def test_adasyn_without_strangers_says_so():
    X = np.concatenate([np.arange(10.0), np.arange(100.0, 104)])[:, None]
    with pytest.raises(RuntimeError, match="no sample of class 1 has a neighbour of another"):
        ADASYN(n_neighbors=2).fit_resample(X, np.repeat([0, 1], [10, 4]))
    crowded = np.concatenate([np.arange(40.0), np.arange(40) + 0.5])[:, None]
    labels = np.repeat([0, 1], 40)
    with pytest.raises(ValueError, match="round to none"):
        ADASYN(sampling_strategy={1: 41}).fit_resample(crowded, labels)


def test_nobody_in_danger_is_a_warning():
    X = np.concatenate([np.arange(10.0), np.arange(100.0, 104)])[:, None]
    sampler = BorderlineSMOTE(k_neighbors=1, m_neighbors=2)
    with pytest.warns(UserWarning, match="no sample of class 1 is in danger"):
        got, _ = sampler.fit_resample(X, np.repeat([0, 1], [10, 4]))
    np.testing.assert_array_equal(got, X)


def test_sparse_tables_are_refused_with_the_way_out():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"use X\.toarray\(\)"):
        SMOTE().fit_resample(sparse.csr_matrix(X0), Y0)


def test_a_failed_call_leaves_the_sampler_as_it_was():
    sampler = SMOTE(random_state=0)
    sampler.fit_resample(*table((20, 8)))
    before = dict(vars(sampler))
    with pytest.raises(ValueError, match="at least 6"):
        sampler.fit_resample(X0, Y0)
    assert vars(sampler) == before
    with pytest.raises(ValueError, match="no argument 'k'"):
        sampler.set_params(k_neighbors=1, k=3)
    assert sampler.k_neighbors == 5


@pytest.mark.parametrize("sampler", [SMOTE, ADASYN])
def test_a_failed_call_draws_nothing(sampler):
    """Class 2 is too small, or has no strangers; class 1 comes before it."""
    X, y = table((30, 12, 9))
    X[y == 2] += 100
    state = np.random.RandomState(0)
    k = {"k_neighbors": 9} if sampler is SMOTE else {"n_neighbors": 5}
    with pytest.raises((ValueError, RuntimeError), match="class 2"):
        sampler(random_state=state, **k).fit_resample(X, y)
    assert state.rand() == np.random.RandomState(0).rand()


def test_arguments_are_shown_and_unknown_ones_refused():
    assert repr(SMOTE(k_neighbors=3)).startswith("SMOTE(sampling_strategy='auto'")
    with pytest.raises(ValueError, match="no argument 'k'; it has sampling_strategy"):
        SMOTE().set_params(k=3)
    assert augment.sampling.SMOTE is SMOTE
