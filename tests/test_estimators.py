"""Classifier and Regressor as scikit-learn estimators: its own checks, and what they miss."""

import functools
import pickle
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import tensorgrad as torch
from tensorgrad import nn
from tensorgrad.optim.lr_scheduler import StepLR
from tensorgrad.train import Callback, Classifier, Regressor, StopLoss
from tensorgrad.train.estimators import mlp

QUICK = {"hidden_sizes": (16,), "lr": 0.02, "epochs": 20}


@parametrize_with_checks([Classifier(**QUICK), Regressor(**QUICK)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def waves(n=60, seed=0):
    X = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    return X, np.sin(2 * X[:, 0]) + X[:, 1]


class Net(nn.Module):
    """A module of the two numbers that an estimator passes."""

    def __init__(self, n_features, n_outputs, width=4):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, width), nn.Tanh(), nn.Dropout(0.1), nn.Linear(width, n_outputs)
        )

    def forward(self, x):
        return self.layers(x)


def convolutional(n_features, n_outputs):
    channels, height, width = n_features
    return nn.Sequential(
        nn.Conv2d(channels, 2, 2),
        nn.Flatten(),
        nn.Linear(2 * (height - 1) * (width - 1), n_outputs),
    )


# --- quality ----------------------------------------------------------------------------------


def test_without_hidden_layers_it_is_logistic_regression():
    """Without a penalty both minimise one convex loss: their probabilities must agree."""
    X, y = iris()
    X, y = X[50:], y[50:]  # two classes that overlap, so that the minimum is finite
    ours = Classifier(hidden_sizes=(), optimizer="LBFGS", lr=1.0, epochs=60, batch_size=len(X),
                      shuffle=False, random_state=0).fit(X, y)  # fmt: skip
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=2e-3)
    assert ours.score(X, y) == theirs.score(X, y)


def test_a_network_learns_what_a_line_cannot():
    X = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    model = Classifier(lr=0.02, epochs=40, random_state=0).fit(X[:150], y[:150])
    assert model.score(X[150:], y[150:]) > 0.9
    assert LogisticRegression().fit(X, y).score(X, y) < 0.7


def test_regression_of_two_targets():
    X, y = waves(200)
    Y = np.stack([y, -2 * y], axis=1)
    model = Regressor(lr=0.02, epochs=40, random_state=0).fit(X[:150], Y[:150])
    assert model.predict(X).shape == (200, 2) and model.n_outputs_ == 2
    assert model.score(X[150:], Y[150:]) > 0.95
    assert Regressor(**QUICK).fit(X, y[:, None]).predict(X).shape == (200, 1)


# --- in scikit-learn's machinery --------------------------------------------------------------


def test_pipeline_and_cross_validation():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), Classifier(**QUICK, random_state=0))
    scores = cross_val_score(pipeline, X, y, cv=3)
    assert scores.shape == (3,) and scores.min() > 0.9
    np.testing.assert_array_equal(scores, cross_val_score(pipeline, X, y, cv=3))


def test_targets_far_from_zero_in_a_pipeline():
    X, y = load_diabetes(return_X_y=True)
    model = make_pipeline(StandardScaler(), Regressor(hidden_sizes=(), lr=0.02, epochs=15,
                                                      random_state=0))  # fmt: skip
    scaled = TransformedTargetRegressor(model, transformer=StandardScaler())
    assert scaled.fit(X, y).score(X, y) > 0.5


def test_grid_search_in_two_processes():
    """What goes to the workers and comes back: estimators with a class, a partial, metrics."""
    X, y = iris()
    base = Classifier(
        Net, epochs=15, optimizer=torch.optim.SGD, metrics=["accuracy"],
        scheduler=functools.partial(StepLR, step_size=10), random_state=0,
    )  # fmt: skip
    grid = {"module__width": [1, 8], "optimizer__momentum": [0.0, 0.9], "lr": [0.1]}
    search = GridSearchCV(base, grid, cv=2, n_jobs=2).fit(X, y)
    assert len(search.cv_results_["mean_test_score"]) == 4
    assert search.best_score_ > 0.85
    best = search.best_estimator_
    assert best.module_params == {"width": search.best_params_["module__width"]}
    assert best.module_.layers[0].out_features == search.best_params_["module__width"]
    np.testing.assert_array_equal(best.predict(X), search.predict(X))


def test_clone_takes_parameters_and_nothing_fitted():
    X, y = iris()
    module = nn.Linear(4, 3)
    model = Classifier(module, epochs=2, stop=[StopLoss(0.01)], random_state=0).fit(X, y)
    twin = clone(model)
    assert not hasattr(twin, "module_")
    assert twin.module is not module
    torch.testing.assert_close(twin.module.weight, module.weight, rtol=0, atol=0)
    np.testing.assert_array_equal(twin.fit(X, y).predict_proba(X), model.predict_proba(X))


def test_pickles_between_processes():
    X, y = iris()
    model = Classifier(**QUICK, random_state=0).fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    # The copy's optimizer still belongs to the copy's module.
    before = twin.predict_proba(X)
    twin.partial_fit(X, y)
    assert np.abs(twin.predict_proba(X) - before).max() > 1e-4
    np.testing.assert_array_equal(model.predict_proba(X), before)


# --- modules ----------------------------------------------------------------------------------


def test_an_instance_is_copied_for_each_fit():
    X, y = iris()
    module = nn.Linear(4, 3)
    before = module.weight.clone()
    model = Classifier(module, **{**QUICK, "dtype": "float32"}, random_state=0).fit(X, y)
    torch.testing.assert_close(module.weight, before, rtol=0, atol=0)
    assert model.module_ is not module and model.score(X, y) > 0.9
    first = model.predict_proba(X)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), first)


def test_lazy_modules_get_their_sizes():
    X, y = iris()
    lazy = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))
    assert Classifier(lazy, lr=0.02, epochs=20, random_state=0).fit(X, y).score(X, y) > 0.9


def test_images_go_to_a_factory_with_their_shape():
    X = np.random.default_rng(0).standard_normal((40, 1, 3, 3))
    y = (X.mean(axis=(1, 2, 3)) > 0).astype(int)
    model = Classifier(convolutional, lr=0.05, epochs=30, random_state=0).fit(X, y)
    assert model.n_features_in_ == 1 and model.score(X, y) > 0.9
    assert Classifier(**QUICK, random_state=0).fit(X, y).module_[0].__class__ is nn.Flatten


def test_dtype():
    X, y = iris()
    for given, dtype, want in [
        (np.float64, None, torch.float64), (np.float32, None, torch.float32),
        (np.int64, None, torch.float64), (np.float16, None, torch.float64),
        (np.float64, "float32", torch.float32), (np.float32, "float64", torch.float64),
    ]:  # fmt: skip
        model = Classifier(dtype=dtype, epochs=1).fit((3 * X).astype(given), y)
        assert model.module_[0].weight.dtype == want
        assert model.predict_proba((3 * X).astype(given)).dtype == str(want).removeprefix("torch.")


# --- options ----------------------------------------------------------------------------------


def test_random_state():
    X, y = iris()
    model = Classifier(Net, epochs=3, valid_fraction=0.2, random_state=3)
    torch.manual_seed(0)
    first = model.fit(X, y).predict_proba(X)
    _ = torch.rand(7)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), first)
    other = clone(model).set_params(random_state=4).fit(X, y).predict_proba(X)
    assert np.abs(other - first).max() > 1e-3
    state = np.random.RandomState(0)
    drawn = clone(model).set_params(random_state=state)
    assert np.abs(drawn.fit(X, y).predict_proba(X) - drawn.fit(X, y).predict_proba(X)).max() > 1e-3


def test_the_default_generator_is_left_alone():
    X, y = iris()
    torch.manual_seed(0)
    want = torch.rand(3)
    torch.manual_seed(0)
    model = Classifier(Net, epochs=2).fit(X, y)
    model.partial_fit(X, y)
    assert torch.equal(torch.rand(3), want)


def test_patience_keeps_the_best_weights():
    X, y = waves(80, seed=1)
    y = y + np.random.default_rng(2).standard_normal(80)
    model = Regressor(hidden_sizes=(64,), lr=0.03, epochs=300, valid_fraction=0.4, patience=10,
                      random_state=0).fit(X, y)  # fmt: skip
    history = model.history_
    assert model.n_iter_ == len(history) == history.best_epoch + 10
    best = min(history["valid_loss"])
    assert best < history["valid_loss"][-1]
    _, (x_valid, y_valid) = model._split(X, y[:, None], None)
    assert len(x_valid) == 32
    again = model.trainer_.evaluate((x_valid, y_valid))["loss"]
    assert again == pytest.approx(best, rel=1e-9)


def test_patience_without_a_validation_set_watches_the_training_loss():
    X, y = waves()
    model = Regressor(**{**QUICK, "epochs": 200}, patience=3, random_state=0).fit(X, y)
    assert "valid_loss" not in model.history_.names() and model.n_iter_ < 200


def test_the_validation_part_is_stratified():
    X = np.random.default_rng(0).standard_normal((100, 2))
    y = np.repeat([0, 1], [90, 10])
    model = Classifier(epochs=1, valid_fraction=0.2, random_state=0).fit(X, y)
    (_, train), (_, valid) = model._split(X, y, model._strata(y))
    assert int(train.sum()) == 8 and int(valid.sum()) == 2
    rare = np.append(np.zeros(99, int), 1)  # cannot be in both parts: split all the same
    assert Classifier(epochs=1, valid_fraction=0.2).fit(X, rare).n_iter_ == 1


def test_options_reach_the_trainer():
    X, y = waves()
    seen = []

    class Note(Callback):
        def on_epoch_end(self, trainer):
            seen.append(trainer.epoch)

    model = Regressor(
        epochs=4, callbacks=[Note()], metrics={"error": "mae"}, clip_norm=0.5, clip_value=0.1,
        accumulate=2, lr=0.1, scheduler=functools.partial(StepLR, step_size=2, gamma=0.1),
        batch_size=10, shuffle=False, weight_decay=0.25, optimizer="AdamW",
        optimizer_params={"betas": (0.8, 0.9)}, loss=nn.L1Loss, stop=StopLoss(-1.0),
    ).fit(X, y)  # fmt: skip
    trainer = model.trainer_
    assert seen == [1, 2, 3, 4]
    assert "train_error" in model.history_.names()
    np.testing.assert_allclose(model.history_["lr"], [0.1, 0.1, 0.01, 0.01])
    assert type(trainer.optimizer) is torch.optim.AdamW
    group = trainer.optimizer.param_groups[0]
    assert (group["weight_decay"], group["betas"]) == (0.25, (0.8, 0.9))
    assert (trainer.clip_norm, trainer.clip_value, trainer.accumulate) == (0.5, 0.1, 2)
    assert type(trainer.loss) is nn.L1Loss
    assert trainer.iteration == 4 * 6
    stopped = Regressor(epochs=50, stop=StopLoss(1e9)).fit(X, y)
    assert stopped.n_iter_ == 1


def test_fit_options_reach_the_fit(tmp_path):
    X, y = waves()
    model = Regressor(epochs=2, fit_options={"checkpoint_dir": tmp_path}, random_state=0)
    model.fit(X, y)
    assert list(tmp_path.iterdir())


def test_class_weight():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.standard_normal((180, 1)), rng.standard_normal((20, 1)) + 1.5])
    y = np.repeat(["common", "rare"], [180, 20])
    shares = {}
    for weight in (None, "balanced", {"common": 1, "rare": 1000}):
        model = Classifier(hidden_sizes=(), class_weight=weight, lr=0.05, epochs=20, random_state=0)
        shares[str(weight)] = np.mean(model.fit(X, y).predict(X) == "rare")
    few, balanced, nearly_all = shares.values()
    assert few < 0.1 < 0.2 < balanced < 0.5 < 0.7 < nearly_all
    weights = Classifier(class_weight="balanced", epochs=1).fit(X, y).trainer_.loss.weight
    np.testing.assert_allclose(weights, [200 / 360, 200 / 40])


# --- partial_fit ------------------------------------------------------------------------------


def test_partial_fit_goes_on():
    X, y = iris()
    model = Classifier(lr=0.02, random_state=0)
    for _ in range(20):
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert model.n_iter_ == 20 and model.score(X, y) > 0.9
    regressor = Regressor(lr=0.02, random_state=0)
    first = regressor.partial_fit(*waves()).score(*waves())
    for _ in range(20):
        regressor.partial_fit(*waves())
    assert regressor.score(*waves()) > max(first, 0.5)


class Drawing(Net):
    """A module that draws in training, and notes what."""

    drawn: list = []  # noqa: RUF012

    def forward(self, x):
        if self.training:
            self.drawn.append(torch.rand(1).item())
        return super().forward(x)


def test_partial_fit_draws_anew_each_time():
    """And depends on nothing but random_state; the default generator is as it was."""
    X, y = iris()
    Drawing.drawn.clear()
    before = torch.get_rng_state()
    for _ in range(2):
        model = Classifier(Drawing, batch_size=150, random_state=0)
        for _ in range(3):
            model.partial_fit(X, y, classes=[0, 1, 2])
    assert Drawing.drawn[:3] == Drawing.drawn[3:] and len(set(Drawing.drawn)) == 3
    assert torch.equal(torch.get_rng_state(), before)


def test_probabilities_of_large_outputs_are_finite():
    X, y = iris()
    model = Classifier(hidden_sizes=(), epochs=1, random_state=0).fit(X, y)
    shares = model.predict_proba(1e6 * X)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(shares.argmax(axis=1), model.predict(1e6 * X))


def test_partial_fit_of_parts_of_the_classes():
    X, y = iris()
    model = Classifier(lr=0.05, random_state=0)
    model.partial_fit(X[y == 0], y[y == 0], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match=r"classes \[7\]"):
        model.partial_fit(X[:2], [0, 7])
    with pytest.raises(ValueError, match="not those of the first call"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="needs classes"):
        Classifier().partial_fit(X, y)
    assert model.n_iter_ == 1


def test_fit_begins_anew_and_partial_fit_does_not():
    X, y = iris()
    model = Classifier(lr=0.02, epochs=2, random_state=0)
    fresh = model.fit(X, y).predict_proba(X)
    module = model.module_
    model.partial_fit(X, y)
    assert model.module_ is module and model.n_iter_ == 3
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), fresh)
    with pytest.raises(ValueError, match="2 targets, expected 1"):
        Regressor(epochs=1).fit(X, y).partial_fit(X, np.ones((150, 2)))


# --- files ------------------------------------------------------------------------------------


def test_save_and_load_a_classifier(tmp_path):
    X, y = iris()
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    path = tmp_path / "model.safetensors"
    model = Classifier(**QUICK, class_weight="balanced", random_state=0).fit(X, names)
    model.save(path)
    twin = Classifier.load(path)
    assert twin.get_params() == model.get_params()
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert twin.classes_.dtype == model.classes_.dtype
    assert twin.history_.epochs == model.history_.epochs and twin.n_iter_ == 20
    # Both go on alike: the optimizer's state and the order of the epochs came back too.
    for _ in range(2):
        model.partial_fit(X, names), twin.partial_fit(X, names)
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("labels", [[2, 5, 9], [True, False, True], [0.5, 1.5, 2.5], "object"],
                         ids=["int", "bool", "float", "object"])  # fmt: skip
def test_class_labels_come_back(labels, tmp_path):
    X, y = iris()
    names = np.array(["a", "b", "c"], object) if labels == "object" else np.array(labels)
    y = names[y] if names.dtype.kind != "f" else (2 * names[y]).astype(int).astype(float)
    model = Classifier(epochs=1).fit(X, y)
    model.save(tmp_path / "m")
    twin = Classifier.load(tmp_path / "m")
    assert twin.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))


def test_save_and_load_a_regressor_with_its_own_module(tmp_path):
    X, y = waves()
    model = Regressor(Net, module_params={"width": 6}, epochs=3, loss=nn.L1Loss(), dtype="float32",
                      scheduler=functools.partial(StepLR, step_size=1), random_state=0)  # fmt: skip
    model.fit(X, y).save(tmp_path / "m")
    with pytest.raises(ValueError, match=r"\['loss', 'module', 'scheduler'\]; give them to load"):
        Regressor.load(tmp_path / "m")
    given = {name: getattr(model, name) for name in ("loss", "module", "scheduler")}
    twin = Regressor.load(tmp_path / "m", **given)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    assert twin.module_params == {"width": 6} and twin.predict(X).shape == (60,)
    assert twin.trainer_.scheduler.last_epoch == 3
    with pytest.raises(RuntimeError, match="layers"):
        Regressor.load(tmp_path / "m", **{**given, "module_params": {"width": 5}})


def test_load_refuses_other_files(tmp_path):
    X, y = waves()
    with pytest.raises(NotFittedError):
        Regressor().save(tmp_path / "m")
    assert not (tmp_path / "m").exists()
    Regressor(epochs=1).fit(X, y).save(tmp_path / "m")
    with pytest.raises(ValueError, match="does not hold a Classifier but Regressor"):
        Classifier.load(tmp_path / "m")
    torch.save({"weight": torch.ones(2)}, tmp_path / "w")
    with pytest.raises(ValueError, match="but something else"):
        Regressor.load(tmp_path / "w")


def test_feature_names(tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = waves()
    frame = pandas.DataFrame(X, columns=["height", "width"])
    model = Regressor(epochs=1).fit(frame, y)
    assert list(model.feature_names_in_) == ["height", "width"] and model.n_features_in_ == 2
    model.save(tmp_path / "m")
    twin = Regressor.load(tmp_path / "m")
    np.testing.assert_array_equal(twin.predict(frame), model.predict(frame))
    for one in (model, twin):
        with pytest.raises(ValueError, match="feature names"):
            one.predict(frame[["width", "height"]])


# --- bad input --------------------------------------------------------------------------------


def broken(n_features, n_outputs):
    return "no module"


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"dtype": "float16"}, ValueError, "dtype must be"),
        ({"optimizer": "adamant"}, ValueError, "no optimizer 'adamant'"),
        ({"activation": "step"}, ValueError, "activation must be one of"),
        ({"hidden_sizes": (0,)}, ValueError, "at least 1"),
        ({"module": "net"}, TypeError, "module must be a Module"),
        ({"module": broken}, TypeError, "it made a str"),
        ({"module": nn.Linear(4, 2)}, ValueError, r"shape \(1, 2\).*expected \(1, 3\)"),
        ({"module": nn.Linear(4, 3), "module_params": {"a": 1}}, ValueError, "instance"),
        ({"class_weight": "balanced", "loss": nn.NLLLoss()}, ValueError, "default loss"),
        ({"epochs": -1}, ValueError, "epochs"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"valid_fraction": 1.5}, ValueError, "test_size"),
    ],
)
def test_bad_parameters_are_refused_in_fit(params, error, match):
    X, y = iris()
    model = Classifier(**params)  # not here: clone and set_params must be able to make it
    with pytest.raises(error, match=match):
        model.fit(X, y)


def test_bad_data():
    X, y = iris()
    model = Classifier(epochs=1)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            model.fit(np.where(X > 1, bad, X), y)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        model.fit(X, y[:-1])
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit(X, y + 0.5)
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.fit(X, y)
    with pytest.raises(ValueError, match="4 features"):
        model.predict(X[:, :3])
    with pytest.warns(DataConversionWarning):
        Classifier(epochs=1).fit(X, y[:, None])


def test_set_params_refuses_what_is_no_parameter():
    model = Classifier()
    model.set_params(module__width=3, optimizer__momentum=0.9)
    model.set_params(module__depth=2)
    assert model.module_params == {"width": 3, "depth": 2}
    assert model.optimizer_params == {"momentum": 0.9}
    with pytest.raises(ValueError, match="Invalid parameter 'width'"):
        model.set_params(width=3)
    default = Classifier()
    default.set_params(module__width=1)
    assert Classifier().module_params is None


def test_mlp():
    assert [type(layer).__name__ for layer in mlp((2, 3), 4, ())] == ["Flatten", "Linear"]
    assert mlp((2, 3), 4, ())(torch.ones(5, 2, 3)).shape == (5, 4)


# --- imports ----------------------------------------------------------------------------------


def test_scikit_learn_is_imported_when_an_estimator_is_asked_for():
    code = "import sys, tensorgrad.train as t; assert 'sklearn' not in sys.modules; " \
           "t.Classifier; assert 'sklearn' in sys.modules"  # fmt: skip
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_scikit_learn_the_error_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = sys.modules['sklearn.base'] = None\n" \
           "from tensorgrad.train import Trainer, diagnose\n" \
           "try:\n    from tensorgrad.train import Regressor\n" \
           "except ImportError as error:\n    print(error)"  # fmt: skip
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert 'pip install "tensorgrad[sklearn]"' in run.stdout
