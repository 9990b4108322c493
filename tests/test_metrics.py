"""Metrics beside scikit-learn's; the same over any batches and any order; bad input."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as torch
from tensorgrad import nn
from tensorgrad.train import Trainer, metrics

NAN = math.nan
quick = settings(max_examples=30, deadline=None)


def oracle():
    return pytest.importorskip("sklearn.metrics")


def cut(n, places):
    """The slices between the places of [0, n]."""
    edges = [0, *sorted(p % (n + 1) for p in places), n]
    return [slice(low, high) for low, high in itertools.pairwise(edges)]


def over_batches(metric, output, target, places):
    metric.reset()
    for part in cut(len(target), places):
        metric.update(output[part], target[part])
    return np.asarray(metric.compute())


labels = st.integers(2, 5).flatmap(
    lambda c: st.lists(
        st.tuples(st.integers(0, c - 1), st.integers(0, c - 1)), min_size=1, max_size=25
    )
)


def pair(drawn):
    predicted, true = np.array(drawn).T
    return predicted, true


# --- labels beside scikit-learn ---------------------------------------------------------------


@quick
@given(labels)
def test_accuracy_and_confusion_matrix(drawn):
    sk = oracle()
    predicted, true = pair(drawn)
    assert metrics.accuracy(predicted, true) == sk.accuracy_score(true, predicted)
    every = np.arange(5)
    for normalize in (None, "true", "pred", "all"):
        got = metrics.confusion_matrix(predicted, true, num_classes=5, normalize=normalize)
        want = sk.confusion_matrix(true, predicted, labels=every, normalize=normalize)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("zero_division", [0, 1, NAN], ids=str)
@pytest.mark.parametrize("average", ["micro", "macro", "weighted", None])
@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
@quick
@given(drawn=labels, every=st.booleans())
def test_averages(name, average, zero_division, drawn, every):
    sk = oracle()
    predicted, true = pair(drawn)
    options = {"average": average, "zero_division": zero_division}
    got = getattr(metrics, name)(predicted, true, num_classes=5 if every else None, **options)
    classes = np.arange(5)
    if average is None:  # a value for each class, also those that do not occur
        classes = classes if every else classes[: max(predicted.max(), true.max()) + 1]
    elif not every:
        classes = None
    want = getattr(sk, f"{name}_score")(true, predicted, labels=classes, **options)
    np.testing.assert_allclose(got, want, rtol=1e-14)


@pytest.mark.parametrize("pos_label", [0, 1])
@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
@quick
@given(drawn=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=12))
def test_binary(name, pos_label, drawn):
    sk = oracle()
    predicted, true = pair(drawn)
    options = {"pos_label": pos_label, "zero_division": 0}
    got = getattr(metrics, name)(predicted, true, **options)
    # Labels are named, since scikit-learn refuses a pos_label that happens not to occur.
    want = getattr(sk, f"{name}_score")(
        true, predicted, labels=[pos_label], average="macro", zero_division=0
    )
    assert got == pytest.approx(want, rel=1e-14)


def test_zero_division_warns_as_scikit_learn_does():
    sk = oracle()
    from sklearn.exceptions import UndefinedMetricWarning

    with pytest.warns(UndefinedMetricWarning):
        want = sk.precision_score([1, 1], [0, 0])
    with pytest.warns(UserWarning, match="precision is undefined for 1 of 1 classes"):
        got = metrics.precision([0, 0], [1, 1])
    assert got == want == 0


@quick
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 20), st.integers(1, 6))
def test_top_k(seed, classes, n, k):
    rng = np.random.default_rng(seed)
    k = min(k, classes)
    scores, true = rng.standard_normal((n, classes)), rng.integers(0, classes, n)
    best = np.argsort(-scores, axis=1)[:, :k]
    assert metrics.top_k_accuracy(scores, true, k) == np.mean((best == true[:, None]).any(axis=1))
    if 2 < classes and k < classes:
        sk = oracle()
        want = sk.top_k_accuracy_score(true, scores, k=k, labels=np.arange(classes))
        assert metrics.top_k_accuracy(scores, true, k) == want
    tied = np.round(scores)
    assert metrics.top_k_accuracy(tied, true, 1) == metrics.accuracy(tied, true)


def test_top_k_does_not_flatter_a_constant_output():
    true = torch.arange(10)
    assert metrics.top_k_accuracy(torch.zeros(10, 10), true, 3) == 0.3


# --- what counts as output --------------------------------------------------------------------


def test_forms_of_output_agree():
    rng = np.random.default_rng(0)
    logits, true = rng.standard_normal((40, 3)), rng.integers(0, 3, 40)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    want = float((logits.argmax(axis=1) == true).mean())
    one_hot = np.eye(3)[true]
    forms = [(logits, true), (shares, true), (logits.argmax(axis=1), true), (logits, one_hot),
             (logits, true[:, None]), (logits, true.astype(np.float32)),
             (logits.astype(np.float16), true)]  # fmt: skip
    for output, target in forms:
        assert metrics.accuracy(output, target) == want
        tensors = torch.as_tensor(output), torch.as_tensor(target)
        assert metrics.accuracy(*tensors) == want
    tracked = torch.tensor(logits, requires_grad=True) * 2
    assert metrics.accuracy(tracked, torch.tensor(true)) == want


def test_one_score_for_two_classes():
    logits = torch.tensor([-2.0, 0.2, 3.0, -0.1])
    true = torch.tensor([0, 1, 0, 1])
    want = 0.5
    assert metrics.accuracy(logits, true, from_logits=True) == want
    assert metrics.accuracy(torch.sigmoid(logits), true) == want
    for column in (logits[:, None], logits.reshape(4, 1)):
        assert metrics.accuracy(column, true[:, None], from_logits=True) == want
        assert metrics.accuracy(column, true.float(), from_logits=True) == want
    maps = torch.sigmoid(logits).reshape(1, 1, 2, 2)
    assert metrics.accuracy(maps, true.reshape(1, 2, 2)) == want
    assert metrics.accuracy(maps, true.reshape(1, 1, 2, 2)) == want
    assert metrics.accuracy([0.5, 0.49], [1, 0]) == 1


def test_pixels_are_samples():
    rng = np.random.default_rng(1)
    scores, true = rng.standard_normal((2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5))
    assert metrics.accuracy(scores, true) == np.mean(scores.argmax(axis=1) == true)
    flat = scores.transpose(0, 2, 3, 1).reshape(-1, 3)
    np.testing.assert_array_equal(
        metrics.confusion_matrix(scores, true), metrics.confusion_matrix(flat, true.reshape(-1))
    )
    one_hot = np.moveaxis(np.eye(3)[true], -1, 1)
    assert metrics.accuracy(scores, one_hot) == metrics.accuracy(scores, true)


@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "confusion_matrix", "top_k_accuracy"])
def test_ignored_samples_count_nowhere(name):
    scores, true = torch.randn(30, 4), torch.randint(0, 4, (30,))
    options = {"k": 2} if name == "top_k_accuracy" else {}
    masked = torch.where(torch.arange(30) % 3 == 0, torch.tensor(-100), true)
    metric = metrics.get(name, ignore_index=-100, **options)
    metric.update(scores, masked)
    kept = masked != -100
    plain = metrics.get(name, **options)
    plain.update(scores[kept], true[kept])
    np.testing.assert_array_equal(metric.compute(), plain.compute())


# --- ROC-AUC ----------------------------------------------------------------------------------


def by_pairs(scores, positive):
    """The definition: over all pairs of a positive and a negative, in fractions."""
    won = sum(
        Fraction(int(p > q)) + Fraction(int(p == q), 2)
        for p in scores[positive]
        for q in scores[~positive]
    )
    return won / (int(positive.sum()) * int((~positive).sum()))


@quick
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30))
def test_area_is_the_share_of_pairs_won(drawn):
    scores, positive = (np.array(part) for part in zip(*drawn, strict=True))
    if positive.all() or not positive.any():
        with pytest.warns(UserWarning, match="only one of two classes"):
            assert math.isnan(metrics.roc_auc(scores / 4, positive))
        return
    assert metrics.roc_auc(scores / 4, positive) == float(by_pairs(scores, positive))
    want = oracle().roc_auc_score(positive, scores)
    assert metrics.roc_auc(scores / 4, positive) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("average", ["macro", "weighted", "micro", None])
@quick
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 40))
def test_one_against_the_rest(average, seed, n):
    rng = np.random.default_rng(seed)
    true = np.append(rng.integers(0, 3, n - 3), [0, 1, 2])
    shares = rng.integers(1, 5, (n, 3)).astype(float)  # few values, so there are ties
    shares /= shares.sum(axis=1, keepdims=True)
    want = oracle().roc_auc_score(true, shares, multi_class="ovr", average=average)
    np.testing.assert_allclose(metrics.roc_auc(shares, true, average=average), want, rtol=1e-12)


def test_area_from_logits():
    rng = np.random.default_rng(3)
    logits, true = rng.standard_normal((50, 3)), rng.integers(0, 3, 50)
    shares = torch.softmax(torch.tensor(logits), 1)
    got = metrics.roc_auc(logits, true, from_logits=True)
    assert got == pytest.approx(metrics.roc_auc(shares, true), rel=1e-12)
    two, true = logits[:, :2], true > 0
    got = metrics.roc_auc(two, true, from_logits=True)
    assert got == metrics.roc_auc(two[:, 1] - two[:, 0], true)
    # Large logits of either sign saturate no score of a pair.
    assert metrics.roc_auc(two + 1e4, true, from_logits=True) == pytest.approx(got, abs=1e-3)
    with pytest.raises(ValueError, match="from_logits=True"):
        metrics.roc_auc(logits, np.zeros(50, int))


def test_area_of_absent_classes():
    shares = np.full((4, 3), 1 / 3)
    with pytest.warns(UserWarning, match="only one of two classes"):
        each = metrics.roc_auc(shares, [0, 1, 0, 1], average=None)
    np.testing.assert_array_equal(each, [0.5, 0.5, NAN])
    with pytest.warns(UserWarning, match="only one of two classes"):
        assert metrics.roc_auc(shares, [0, 1, 0, 1], average="weighted") == 0.5
    with pytest.warns(UserWarning, match="only one of two classes"):
        assert math.isnan(metrics.roc_auc(shares, [0, 1, 0, 1]))


# --- regression -------------------------------------------------------------------------------

SK_NAMES = {"r2": "r2_score", "mse": "mean_squared_error", "mae": "mean_absolute_error"}


@pytest.mark.parametrize("multioutput", ["uniform_average", "raw_values"])
@pytest.mark.parametrize("shape", [(2,), (30,), (30, 1), (30, 4)], ids=str)
@pytest.mark.parametrize("name", SK_NAMES)
def test_regression(name, shape, multioutput):
    rng = np.random.default_rng(5)
    target = rng.standard_normal(shape)
    output = target + 0.5 * rng.standard_normal(shape)
    want = getattr(oracle(), SK_NAMES[name])(target, output, multioutput=multioutput)
    got = getattr(metrics, name)(output, target, multioutput=multioutput)
    np.testing.assert_allclose(got, want, rtol=1e-13)
    if shape == (30, 1):
        got = getattr(metrics, name)(output[:, 0], target, multioutput=multioutput)
        np.testing.assert_allclose(got, want, rtol=1e-13)


def test_r2_where_a_target_is_constant():
    sk = oracle()
    target = np.array([[0.5, 1.0, 5.0], [0.5, 2.0, 5.0], [0.5, 4.0, 5.0]])
    output = np.array([[0.5, 1.5, 5.0], [0.2, 2.0, 5.0], [0.5, 3.0, 5.0]])
    for multioutput in ("uniform_average", "raw_values", "variance_weighted"):
        want = sk.r2_score(target, output, multioutput=multioutput)
        got = metrics.r2(output, target, multioutput=multioutput)
        np.testing.assert_allclose(got, want, rtol=1e-13)
        got = over_batches(metrics.R2(multioutput), output, target, [1])
        np.testing.assert_allclose(got, want, rtol=1e-13)
    constant = np.full((3, 2), 0.1)  # whose mean in float64 is not 0.1
    assert metrics.r2(constant, constant, multioutput="variance_weighted") == 1
    with pytest.warns(UserWarning, match="fewer than two"):
        assert math.isnan(metrics.r2([1.0], [1.0]))


def test_r2_far_from_zero_keeps_its_digits():
    """Sums of squares would lose all of them: 1e9 squared has a spacing of 128."""
    rng = np.random.default_rng(6)
    noise, error = rng.integers(-8, 9, 1000) / 8, rng.integers(-8, 9, 1000) / 16
    exact = metrics.r2(noise + error, noise)
    metric = metrics.R2()
    far = over_batches(metric, noise + error + 1e9, noise + 1e9, range(100, 1000, 100))
    assert far == pytest.approx(exact, rel=1e-12)
    assert over_batches(metric, -noise, -noise - error, []) != exact
    # The first sample is far away from all others.
    target = np.append(1e9, noise)
    output = np.append(1e9, noise + error)
    want = 1 - np.sum((output - target) ** 2) / np.sum((target - target.mean()) ** 2)
    assert over_batches(metric, output, target, [1, 300]) == pytest.approx(want, rel=1e-12)


# --- any batches, any order -------------------------------------------------------------------

CLASSIFIERS = ["accuracy", "top_k_accuracy", "precision_macro", "recall_micro", "f1_weighted",
               "confusion_matrix", "roc_auc"]  # fmt: skip
REGRESSORS = ["r2", "mse", "mae"]


@pytest.mark.parametrize("name", CLASSIFIERS + REGRESSORS)
@quick
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(4, 30),
    places=st.lists(st.integers(0, 30), max_size=5),
)
def test_batches_and_order_make_no_difference(name, seed, n, places):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-2, 3, (n, 3)).astype(float)
    target = np.append([0, 1, 2], rng.integers(0, 3, n - 3))
    options = {"k": 2} if name == "top_k_accuracy" else {}
    if name in REGRESSORS:
        target = rng.standard_normal((n, 3))
    elif name not in ("accuracy", "top_k_accuracy", "confusion_matrix", "roc_auc"):
        options = {"zero_division": 0}
    elif name == "roc_auc":
        options = {"from_logits": True}
    whole = over_batches(metrics.get(name, **options), scores, target, [])
    split = over_batches(metrics.get(name, **options), scores, target, places)
    order = rng.permutation(n)
    shuffled = over_batches(metrics.get(name, **options), scores[order], target[order], places)
    if name in REGRESSORS:  # running means in float64: the order of additions differs
        np.testing.assert_allclose(split, whole, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(shuffled, whole, rtol=1e-11, atol=1e-13)
    else:
        np.testing.assert_array_equal(split, whole)
        np.testing.assert_array_equal(shuffled, whole)


def test_the_mean_of_batch_means_is_another_number():
    target = np.array([0, 0, 0, 1])
    metric = metrics.Accuracy()
    assert over_batches(metric, np.zeros(4, int), target, [3]) == 0.75
    assert over_batches(metrics.MSE(), np.zeros(4), target, [3]) == 0.25


@pytest.mark.parametrize("name", CLASSIFIERS + REGRESSORS)
def test_reset_forgets_and_an_empty_metric_says_so(name):
    options = {"k": 2} if name == "top_k_accuracy" else {}
    metric = metrics.get(name, **options)
    with pytest.raises(RuntimeError, match="no sample"):
        metric.compute()
    scores = np.full((3, 3), 1 / 3) if name not in REGRESSORS else np.arange(9.0).reshape(3, 3)
    target = np.arange(3) if name not in REGRESSORS else scores + 1
    metric.update(scores[:0], target[:0])
    with pytest.raises(RuntimeError, match="no sample"):
        metric.compute()
    metric.update(scores, target)
    metric.reset()
    with pytest.raises(RuntimeError, match="no sample"):
        metric.compute()


def test_what_is_kept_is_not_the_callers_array():
    scores, target = np.array([0.1, 0.9]), np.array([0, 1])
    metric = metrics.ROCAUC()
    metric.update(scores, target)
    scores[:], target[:] = [0.9, 0.1], [1, 1]
    assert metric.compute() == 1
    matrix = metrics.ConfusionMatrix()
    matrix.update([0, 1], [0, 1])
    matrix.compute().fill_(7)
    assert matrix.compute().sum() == 2


# --- bad input --------------------------------------------------------------------------------

BAD_CLASSES = {
    "shapes": ([0, 1, 1], [0, 1], ValueError, "does not go with"),
    "columns": (np.zeros((2, 3)), np.zeros(3, int), ValueError, "does not go with"),
    "one number": (1.0, 1.0, ValueError, "batch dimension"),
    "too high": (np.zeros((2, 3)), [0, 3], ValueError, "target holds class 3, expected 0 to 2"),
    "negative": (np.zeros((2, 3)), [0, -1], ValueError, "target holds class -1"),
    "predicted": ([0, -2], [0, 1], ValueError, "output holds class -2"),
    "absurd": ([0, 10**9], [0, 1], ValueError, "output holds class 1000000000"),
    "nan": (np.array([[0.0, NAN], [1.0, 2.0]]), [0, 1], ValueError, "1 NaN among 4"),
    "nan target": (np.zeros((2, 2)), [NAN, 1.0], ValueError, "target holds 1 NaN"),
    "fraction": (np.zeros((2, 2)), [0.5, 1.0], ValueError, "whole numbers"),
    "logits": ([-3.0, 2.0], [0, 1], ValueError, "from_logits=True"),
    "labels as floats": ([0.0, 2.0], [0, 2], ValueError, "integer dtype"),
    "several labels": (np.zeros((1, 3)), [[1.0, 1.0, 0.0]], ValueError, "one-hot"),
    "complex": (np.zeros((2, 2), complex), [0, 1], TypeError, "real numbers"),
    "words": (["a", "b"], [0, 1], TypeError, "real numbers"),
}


@pytest.mark.parametrize("case", BAD_CLASSES)
def test_bad_classes_are_refused_and_leave_no_trace(case):
    output, target, error, match = BAD_CLASSES[case]
    metric = metrics.ConfusionMatrix()
    metric.update([0, 1, 2], [0, 1, 1])
    before = metric.compute().tolist()
    with pytest.raises(error, match=match):
        metric.update(output, target)
    assert metric.compute().tolist() == before


BAD_VALUES = {
    "shapes": ([1.0, 2.0], [1.0, 2.0, 3.0], "expected the same shape"),
    "broadcast": (np.zeros((3, 2)), np.zeros(3), "expected the same shape"),
    "nan": ([NAN, 1.0], [1.0, 1.0], "NaN"),
    "infinite": ([1.0, 1.0], [np.inf, 1.0], "target holds an infinite"),
    "width": (np.zeros((2, 3)), np.zeros((2, 3)), "earlier batches had 1"),
}


@pytest.mark.parametrize("case", BAD_VALUES)
@pytest.mark.parametrize("name", REGRESSORS)
def test_bad_values_are_refused_and_leave_no_trace(name, case):
    output, target, match = BAD_VALUES[case]
    metric = metrics.get(name)
    metric.update([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
    before = metric.compute()
    with pytest.raises(ValueError, match=match):
        metric.update(output, target)
    assert metric.compute() == before


def test_three_classes_and_a_binary_average():
    with pytest.raises(ValueError, match="for more classes choose 'micro'"):
        metrics.f1([0, 1, 2], [0, 1, 1])
    with pytest.raises(ValueError, match="for more classes choose 'micro'"):
        metrics.f1(np.zeros((2, 3)), [0, 1])
    with pytest.raises(ValueError, match="two classes, got 3"):
        metrics.F1(3)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: metrics.F1(average="mean"), "average must be one of"),
        (lambda: metrics.F1(pos_label=2), "pos_label"),
        (lambda: metrics.F1(zero_division=2), "zero_division"),
        (lambda: metrics.ROCAUC("binary"), "average must be one of"),
        (lambda: metrics.ConfusionMatrix(normalize="rows"), "normalize"),
        (lambda: metrics.ConfusionMatrix(1), "at least 2"),
        (lambda: metrics.TopKAccuracy(0), "at least 1"),
        (lambda: metrics.MSE("variance_weighted"), "multioutput"),
        (lambda: metrics.top_k_accuracy(np.zeros((2, 3)), [0, 1], k=4), "more than the 3"),
        (lambda: metrics.top_k_accuracy([0, 1], [0, 1], k=1), "score for each class"),
        (lambda: metrics.accuracy(np.zeros((2, 4)), [0, 1], num_classes=3), "expected 3"),
        (lambda: metrics.accuracy([0, 4], [0, 1], num_classes=3), "expected 0 to 2"),
        (lambda: metrics.get("acuracy"), "there is no metric 'acuracy'; there are accuracy"),
        (lambda: metrics.get("accuracy_macro"), "there is no metric"),
        (lambda: metrics.get(metrics.MSE(), multioutput="raw_values"), "already made"),
    ],
)
def test_bad_arguments(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_area_refuses_another_number_of_scores():
    metric = metrics.ROCAUC()
    metric.update(np.full((2, 3), 1 / 3), [0, 1])
    with pytest.raises(ValueError, match="earlier batches"):
        metric.update([0.1, 0.2], [0, 1])


# --- names ------------------------------------------------------------------------------------


def test_every_name_makes_its_metric():
    for name, kind in metrics.names.METRICS.items():
        assert type(metrics.get(name)) is kind and metrics.get(name).name == name
    assert metrics.get("recall_weighted").average == "weighted"
    made = metrics.MAE()
    assert metrics.get(made) is made


@pytest.mark.parametrize(
    ("loss", "logits"),
    [
        (nn.BCEWithLogitsLoss(), True),
        (nn.functional.cross_entropy, True),
        (type("Mine", (nn.CrossEntropyLoss,), {})(), True),
        (nn.BCELoss(), False),
        (None, False),
    ],
    ids=["bce_logits", "function", "subclass", "bce", "none"],
)
def test_a_loss_of_logits_sets_from_logits(loss, logits):
    for name in metrics.names.WITH_LOGITS:
        assert metrics.get(name, loss=loss).from_logits is logits
    assert metrics.get("accuracy", loss=loss, from_logits=False).from_logits is False
    assert metrics.get("mse", loss=loss).name == "mse"


def test_a_trainer_tells_named_metrics_its_loss():
    """Logits from -3 to 3: as probabilities they would be refused, as logits half are right."""
    x = torch.linspace(-3, 3, 8).reshape(8, 1)
    y = torch.tensor([1.0, 0.0] * 4).reshape(8, 1)
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(model, nn.BCEWithLogitsLoss(), sgd, metrics=["accuracy", "roc_auc", "f1"])
    got = trainer.evaluate((x, y))
    assert got["accuracy"] == got["f1"] == 0.5
    assert got["roc_auc"] == metrics.roc_auc(x, y)
