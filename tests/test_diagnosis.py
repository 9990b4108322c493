"""Diagnosis by errors, bias and variance by bootstrap, learning curves."""

import itertools
import math

import numpy as np
import pytest

import tensorgrad as torch
from tensorgrad import nn
from tensorgrad.train import (
    History,
    Trainer,
    bias_variance,
    diagnose,
    learning_curve,
    metrics,
    plot_tradeoff,
)

# Table 16-2 of the course notes: training error, validation error, bias, variance.
TABLE = {
    1: (0.015, 0.017, "low", "low"),
    2: (0.123, 0.114, "high", "low"),
    3: (0.012, 0.131, "low", "high"),
    4: (0.123, 0.215, "high", "high"),
}


def recorded(*rows):
    """A history of such rows."""
    history = History()
    history.epochs = [{"epoch": number, **row} for number, row in enumerate(rows, 1)]
    return history


def of_errors(a, b):
    return recorded({"train_accuracy": 1 - a, "valid_accuracy": 1 - b})


def polynomial(degree):
    """A learner: least squares by a polynomial."""

    def learn(x, y):
        return np.poly1d(np.polyfit(x, y, degree))

    return learn


# --- diagnose ---------------------------------------------------------------------------------


@pytest.mark.parametrize("case", TABLE)
def test_the_four_cases_of_the_table(case):
    a, b, bias, variance = TABLE[case]
    found = diagnose(of_errors(a, b))
    assert (found.case, found.bias, found.variance) == (case, bias, variance)
    assert found.train_error == pytest.approx(a) and found.valid_error == pytest.approx(b)
    assert found.ratio == pytest.approx(b / a) and found.measure == "1 - accuracy"
    text = str(found)
    assert f"{100 * a:.4g} %" in text and f"{100 * b:.4g} %" in text
    assert f"Bias:     {bias} " in text and f"Variance: {variance} " in text
    assert f"Case {case}: {found.verdict}." in text
    for advice in found.advice:
        assert f"  - {advice}" in text


def test_each_case_has_advice_of_its_own():
    advice = [diagnose(of_errors(*TABLE[case][:2])).advice for case in TABLE]
    assert all(advice) and len(set(advice)) == 4


def test_thresholds_decide():
    a, b = TABLE[3][:2]
    assert diagnose(of_errors(a, b), bias_threshold=0.01).case == 4
    assert diagnose(of_errors(a, b), variance_threshold=11).case == 1
    assert diagnose(of_errors(a, b), min_gap=0.12).case == 1
    assert diagnose(of_errors(0.001, 0.003)).case == 1
    assert "the errors differ by less than 1 %" in str(diagnose(of_errors(0.001, 0.003)))
    assert diagnose(of_errors(0.001, 0.003), min_gap=0).case == 3
    assert diagnose(of_errors(0.0, 0.2)).ratio == math.inf
    assert diagnose(of_errors(0.0, 0.0)).case == 1


def test_the_measure_is_chosen_or_named():
    row = {"train_loss": 0.4, "valid_loss": 0.9, "train_r2": 0.99, "valid_r2": 0.8}
    history = recorded(row)
    assert diagnose(history).measure == "1 - r2"
    assert diagnose(history).case == 3
    found = diagnose(history, measure="loss", bias_threshold=0.3)
    assert (found.measure, found.case) == ("loss", 4)
    assert "Training error:   0.4 (loss)" in str(found)
    f1 = recorded({"train_loss": 1.0, "valid_loss": 1.0, "train_f1": 0.9, "valid_f1": 0.9})
    assert diagnose(f1).measure == "1 - f1"


def test_an_epoch_of_the_history():
    history = recorded(
        {"train_accuracy": 0.5, "valid_accuracy": 0.5},
        {"train_accuracy": 0.99, "valid_accuracy": 0.7},
    )
    assert diagnose(history).case == 3
    assert diagnose(history, epoch=1).case == 2
    with pytest.raises(ValueError, match="no epoch 3, it has 2"):
        diagnose(history, epoch=3)


def test_what_the_course_of_the_losses_adds():
    falling = [{"train_loss": 0.9**k, "valid_loss": 0.9**k} for k in range(20)]
    notes = diagnose(recorded(*falling), bias_threshold=0.01).notes
    assert len(notes) == 1 and "by 19 % over the last 2 of 20 epochs" in notes[0]
    turned = [{"train_loss": 0.5, "valid_loss": 0.5 + 0.1 * abs(k - 5)} for k in range(20)]
    found = diagnose(recorded(*turned), bias_threshold=0.01)
    assert len(found.notes) == 1 and "lowest in epoch 6 (0.5) and is 1.9 now" in found.notes[0]
    assert found.notes[0] in str(found)
    assert diagnose(recorded(*turned), bias_threshold=0.01, epoch=6).notes == ()
    level = [{"train_loss": 0.5, "valid_loss": 0.5}] * 20
    assert diagnose(recorded(*level), bias_threshold=0.01).notes == ()


def separable():
    x = torch.linspace(-1, 1, 41).reshape(-1, 1)
    return x, (x[:, 0] > 0).long()


def test_a_model_is_measured():
    x, y = separable()
    model = nn.Linear(1, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[-1.0], [1.0]]))
        model.bias.zero_()
    wrong = 1 - y
    good = diagnose(model, (x, y), (x, y))
    assert (good.case, good.measure, good.train_error) == (1, "1 - accuracy", 0)
    assert diagnose(model, (x, y), (x, wrong)).case == 3
    assert diagnose(model, (x, wrong), (x, y)).bias == "high"
    # In parts, as batches, and in a model that was training.
    assert model.training
    assert diagnose(model, [(x[:30], y[:30]), (x[30:], y[30:])], (x, y), batch_size=7) == good
    assert model.training
    line = diagnose(model, (x, model(x).detach()), (x, x.expand(-1, 2)))
    assert line.measure == "1 - r2" and line.train_error == pytest.approx(0, abs=1e-6)
    assert diagnose(model, (x, y), (x, y), measure=metrics.Accuracy()) == good


def test_a_trainer_knows_from_its_loss_that_outputs_are_logits():
    x, y = separable()
    model = nn.Sequential(nn.Linear(1, 1), nn.Flatten(0))
    adam = torch.optim.Adam(model.parameters(), lr=0.1)
    trainer = Trainer(model, nn.BCEWithLogitsLoss(), adam)
    target = y.to(torch.int32)
    trainer.fit((x, y.float()), (x, y.float()), epochs=60, progress=False)
    assert diagnose(trainer, (x, target), (x, target)).case == 1
    by_loss = diagnose(trainer, bias_threshold=10.0)
    assert by_loss.measure == "loss" and by_loss.case == 1
    assert by_loss.train_error == trainer.history["train_loss"][-1]
    assert by_loss == diagnose(trainer.history, bias_threshold=10.0)


def test_an_estimator_is_judged_by_its_score():
    pytest.importorskip("sklearn")
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 2)), rng.integers(0, 2, 60)  # nothing to learn
    nearest = KNeighborsClassifier(1).fit(x[:40], y[:40])
    found = diagnose(nearest, (x[:40], y[:40]), (x[40:], y[40:]))
    assert found.case == 3 and found.measure == "1 - accuracy"
    assert found.valid_error == pytest.approx(1 - nearest.score(x[40:], y[40:]))
    line = KNeighborsRegressor(2).fit(x, x[:, 0])
    assert diagnose(line, (x, x[:, 0]), (x, x[:, 0])).measure == "1 - r2"


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: diagnose(of_errors(0.1, 0.1), (1, 1)), ValueError, "both train and valid"),
        (lambda: diagnose(nn.Linear(1, 1)), TypeError, "got Linear alone"),
        (lambda: diagnose(3, (1, 1), (1, 1)), TypeError, "got int"),
        (lambda: diagnose(History()), ValueError, "it has no epoch"),
        (lambda: diagnose(recorded({"train_loss": 1.0})), ValueError, "no value of both sets"),
        (lambda: diagnose(of_errors(0.1, 0.1), measure="f1"), ValueError, "no 'f1' of both"),
        (lambda: diagnose(recorded({"train_loss": 1.0, "valid_loss": 1.0})), ValueError,
         "give bias_threshold"),
        (lambda: diagnose(of_errors(math.nan, 0.1)), ValueError, "training error is nan"),
        (lambda: diagnose(recorded({"train_loss": -1.0, "valid_loss": 1.0}), bias_threshold=1),
         ValueError, "negative"),
    ],
)  # fmt: skip
def test_bad_input_of_diagnose(call, error, match):
    with pytest.raises(error, match=match):
        call()


# --- bias and variance ------------------------------------------------------------------------

NOISE = 0.3


def truth(x):
    return np.sin(3 * x)


def draw(generator):
    """A training set of a known problem."""
    x = generator.uniform(-1, 1, 40)
    return x, truth(x) + NOISE * generator.standard_normal(40)


def held_out(n=200, seed=9):
    generator = np.random.default_rng(seed)
    x = generator.uniform(-1, 1, n)
    return x, truth(x) + NOISE * generator.standard_normal(n)


def test_the_parts_add_up_to_the_expected_error():
    """Over many noisy targets, the mean error is bias² + variance + noise, to sampling error."""
    x = np.linspace(-0.9, 0.9, 50)
    parts = bias_variance(polynomial(1), draw, (x, truth(x)), truth=truth(x), noise=NOISE**2)
    generator = np.random.default_rng(1)
    errors = []
    for _ in range(400):
        y = truth(x) + NOISE * generator.standard_normal(len(x))
        errors.append(np.square(parts.predictions - y).mean())
    want = parts.bias2 + parts.variance + parts.noise
    uncertain = np.std(errors) / math.sqrt(len(errors))
    assert abs(np.mean(errors) - want) < 4 * uncertain < 0.05 * want
    assert min(parts.bias2, parts.variance, parts.noise) > 4 * uncertain  # each part is needed


def test_the_cross_term_is_what_is_left():
    x, y = held_out()
    parts = bias_variance(polynomial(1), draw, (x, y), truth=truth(x), rounds=20)
    mean = parts.predictions.mean(axis=0)
    cross = 2 * np.mean((mean - truth(x)) * (truth(x) - y))
    assert parts.cross == pytest.approx(cross, abs=1e-12)
    assert parts.noise == pytest.approx(np.mean((y - truth(x)) ** 2))
    assert parts.error == pytest.approx(np.mean((parts.predictions - y) ** 2))


def test_without_the_truth_the_identity_is_exact_and_noise_is_in_the_bias():
    x, y = held_out()
    plain = bias_variance(polynomial(1), draw, (x, y), rounds=20)
    assert plain.noise == 0
    assert plain.cross == pytest.approx(0, abs=1e-14)
    told = bias_variance(polynomial(1), draw, (x, y), rounds=20, noise=NOISE**2)
    assert told.bias2 == pytest.approx(plain.bias2 - NOISE**2)
    assert told.cross == pytest.approx(0, abs=1e-14)
    assert "= bias²" in str(told)


def test_least_squares_has_the_variance_that_theory_gives():
    """A fixed design: no bias, and variance sigma^2 p / n in the mean over the design."""
    x = np.linspace(-1, 1, 40)

    def same_inputs(generator):
        return x, 1 + 2 * x - x**2 + NOISE * generator.standard_normal(40)

    clean = 1 + 2 * x - x**2
    parts = bias_variance(polynomial(2), same_inputs, (x, clean), truth=clean, rounds=800)
    want = NOISE**2 * 3 / 40
    # A sum of p = 3 squares over 800 rounds: relative deviation sqrt(2 / (3 * 800)) = 0.029.
    assert parts.variance == pytest.approx(want, rel=4 * 0.029)
    assert parts.bias2 < 4 * want / 800 + 1e-12


def test_bootstrap_finds_the_tradeoff():
    x, y = held_out(60, seed=2)
    test = held_out(300, seed=3)
    parts = {
        degree: bias_variance(polynomial(degree), (x, y), test, truth=truth(test[0]), rounds=40)
        for degree in (1, 3, 9)
    }
    assert parts[1].bias2 > 5 * parts[3].bias2
    assert parts[9].variance > 2 * parts[3].variance
    assert parts[3].error < min(parts[1].error, parts[9].error)


def test_bootstrap_samples_are_of_the_training_set():
    x = np.arange(30.0)
    seen = []

    def learn(x_drawn, y_drawn):
        np.testing.assert_array_equal(y_drawn, 2 * x_drawn)
        seen.append(x_drawn)
        return lambda new: np.zeros(len(new))

    bias_variance(learn, (x, 2 * x), (x, x), rounds=30)
    distinct = np.mean([len(set(drawn)) for drawn in seen])
    assert all(len(drawn) == 30 and set(drawn) <= set(x) for drawn in seen)
    assert 0.58 < distinct / 30 < 0.69  # 1 - (1 - 1/30)^30 = 0.638
    assert len({tuple(drawn) for drawn in seen}) == 30


def network(x, y):
    """A learner that is a Trainer: weights from the default generator."""
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    trainer = Trainer(model, nn.MSELoss(), torch.optim.Adam(model.parameters(), lr=0.05))
    trainer.fit((x, y), epochs=10, progress=False)
    return trainer.predict


def test_a_network_as_a_learner_and_the_seed():
    x = torch.linspace(-1, 1, 30).reshape(-1, 1)
    y = x * x
    torch.manual_seed(0)
    want = torch.rand(2)
    torch.manual_seed(0)
    one = bias_variance(network, (x, y), (x, y), rounds=3)
    assert torch.equal(torch.rand(2), want)  # the default generator is as it was
    two = bias_variance(network, (x, y), (x, y), rounds=3)
    other = bias_variance(network, (x, y), (x, y), rounds=3, seed=1)
    np.testing.assert_array_equal(one.predictions, two.predictions)
    assert one.predictions.shape == (3, 30)
    assert np.abs(one.predictions - other.predictions).max() > 1e-3
    assert np.abs(one.predictions[0] - one.predictions[1]).max() > 1e-3


def test_an_estimator_as_a_learner_is_left_as_it_was():
    pytest.importorskip("sklearn")
    from tensorgrad.train import Regressor

    x, y = held_out(40)
    model = Regressor(hidden_sizes=(), lr=0.1, epochs=15, random_state=0)
    parts = bias_variance(model, (x[:, None], y), (x[:, None], y), rounds=3)
    assert parts.predictions.shape == (3, 40) and parts.variance > 0
    assert not hasattr(model, "module_")


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda s: bias_variance(nn.Linear(1, 1), s, s), TypeError, "learner must be an object"),
        (lambda s: bias_variance(3, s, s), TypeError, "learner must be an object"),
        (lambda s: bias_variance(lambda x, y: 3, s, s), TypeError, "must return a function"),
        (lambda s: bias_variance(polynomial(1), s, s, rounds=1), ValueError, "from 2, got 1"),
        (lambda s: bias_variance(polynomial(1), s[0], s), TypeError, "train must be a pair"),
        (lambda s: bias_variance(polynomial(1), s, (s[0], s[1][:-1])), ValueError, "20 inputs and"),
        (lambda s: bias_variance(lambda x, y: lambda new: np.zeros((20, 2)), s, s), ValueError,
         r"shape \(20, 2\) for targets of shape \(20,\)"),
        (lambda s: bias_variance(polynomial(1), s, s, truth=[1.0]), ValueError, "shape"),
        (lambda s: plot_tradeoff({}), ValueError, "at least one"),
    ],
)  # fmt: skip
def test_bad_input_of_bias_variance(call, error, match):
    with pytest.raises(error, match=match):
        call(held_out(20))


# --- learning curves --------------------------------------------------------------------------


def test_a_learning_curve_falls_in_expectation():
    """More data, less error on new data, and more on its own: means over 60 independent sets."""
    sizes = (4, 8, 16, 40)
    curves = []
    for seed in range(60):
        train = draw(np.random.default_rng([5, seed]))
        curves.append(learning_curve(polynomial(1), train, held_out(), sizes=sizes, repeats=1))
    valid = np.mean([curve.valid_errors[:, 0] for curve in curves], axis=0)
    train = np.mean([curve.train_errors[:, 0] for curve in curves], axis=0)
    assert (np.diff(valid) < 0).all()
    assert (np.diff(train) > 0).all()
    assert (train < valid).all()


def test_a_learning_curve_is_of_nested_parts():
    x = np.arange(40.0)
    seen = []

    def learn(x_part, y_part):
        seen.append(list(x_part))
        return lambda new: np.zeros(len(new))

    curve = learning_curve(learn, (x, x), (x, x), sizes=(0.1, 0.5, 30, 1.0), repeats=2)
    np.testing.assert_array_equal(curve.sizes, [4, 20, 30, 40])
    assert curve.train_errors.shape == curve.valid_errors.shape == (4, 2)
    assert [len(part) for part in seen] == [4, 20, 30, 40] * 2
    for small, large in itertools.pairwise(seen[:4]):
        assert large[: len(small)] == small
    assert seen[0] != seen[4]
    np.testing.assert_allclose(curve.train_errors[0], [np.mean(np.square(p)) for p in seen[::4]])


def test_labels_are_counted():
    x, y = np.arange(20.0), np.array(["a", "b"] * 10)

    def constant(x, y):
        return lambda new: np.full(len(new), "a")

    curve = learning_curve(constant, (x, y), (x, y), sizes=(1.0,), repeats=1)
    assert curve.valid_errors[0, 0] == curve.train_errors[0, 0] == 0.5
    curve = learning_curve(
        constant, (x, y), (x, y), sizes=(1.0,), repeats=1, error=lambda output, target: 7.0
    )
    assert curve.valid_errors[0, 0] == 7


def test_data_frames_are_arrays():
    pandas = pytest.importorskip("pandas")
    x, y = held_out(20)
    frame = pandas.DataFrame({"x": x}), pandas.Series(y)
    plain = learning_curve(line, (x[:, None], y), (x[:, None], y), sizes=(10,))
    framed = learning_curve(line, frame, frame, sizes=(10,))
    np.testing.assert_array_equal(framed.valid_errors, plain.valid_errors)


def line(x, y):
    """A learner of inputs of shape (N, 1)."""
    fitted = np.poly1d(np.polyfit(x[:, 0], y, 1))
    return lambda new: fitted(np.asarray(new)[:, 0])


@pytest.mark.parametrize("size", [0, 0.0, 1.5, -3, 41, "all"])
def test_bad_sizes(size):
    x = np.arange(40.0)
    with pytest.raises(ValueError, match="a size must be a share"):
        learning_curve(polynomial(1), (x, x), (x, x), sizes=(size,))
    with pytest.raises(ValueError, match="repeats"):
        learning_curve(polynomial(1), (x, x), (x, x), repeats=0)


# --- pictures ---------------------------------------------------------------------------------


def drawn(ax, path):
    """The picture was written, and holds more than a blank page."""
    image = pytest.importorskip("PIL.Image")
    ax.figure.savefig(path)
    with image.open(path) as picture:
        return len(set(picture.convert("L").tobytes())) > 10


def test_pictures(tmp_path):
    matplotlib = pytest.importorskip("matplotlib.figure")
    x, y = held_out(30)
    parts = bias_variance(polynomial(2), draw, (x, y), truth=truth(x), rounds=4)
    ax = parts.plot()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["test data", "mean", "truth"] and len(ax.lines) == 4 + 3
    mean = ax.lines[5]
    assert (np.diff(mean.get_xdata()) > 0).all()
    np.testing.assert_allclose(mean.get_ydata(), parts.predictions.mean(axis=0)[np.argsort(x)])
    assert drawn(ax, tmp_path / "curve.png")

    wide = parts._replace(x=np.stack([x, x], axis=1))
    heights = [bar.get_height() for bar in wide.plot().patches]
    assert heights == [parts.bias2, parts.variance, parts.noise, parts.error]

    own = matplotlib.Figure().subplots()
    assert plot_tradeoff({1: parts, 2: parts}, own, label="degree") is own
    np.testing.assert_array_equal(own.lines[2].get_ydata(), [parts.error] * 2)
    assert drawn(own, tmp_path / "tradeoff.png")

    curve = learning_curve(polynomial(1), (x, y), (x, y), sizes=(5, 10, 30))
    ax = curve.plot()
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), curve.valid_errors.mean(axis=1))
    assert drawn(ax, tmp_path / "learning.png")
