"""The Trainer's loop, its data, evaluate and predict, the history, and what follows a stop."""

import itertools
import math
import warnings

import numpy as np
import pytest

import tensorgrad as torch
from tensorgrad import nn, optim
from tensorgrad.datasets import MinMaxNormalizer, StandardNormalizer
from tensorgrad.train import Callback, EarlyStopping, History, StopLoss, Trainer
from tensorgrad.train.batches import key
from tensorgrad.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
)


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))


def make(model=None, loss=None, lr=0.1, **options):
    model = net() if model is None else model
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.5)
    return Trainer(model, nn.CrossEntropyLoss() if loss is None else loss, optimizer, **options)


def fit(trainer, data, valid=None, epochs=2, **options):
    return trainer.fit(data, valid, epochs, **{"batch_size": 8, "progress": False, **options})


def weights(model):
    return [p.detach().clone() for p in model.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def pairs(n=30, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator)
    return x, (x[:, 0] > x[:, 1]).long()


class Samples(Dataset):
    """A dataset that is no TensorDataset."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data[0])

    def __getitem__(self, i):
        return self.data[0][i], self.data[1][i]


# --- the loop ---------------------------------------------------------------------------


def by_hand(loader, epochs, step=None):
    """The loop as one writes it; (weights, losses of the iterations, means of the epochs)."""
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    loss_fn, losses, means = nn.CrossEntropyLoss(), [], []
    torch.manual_seed(3)
    for _ in range(epochs):
        model.train()
        total = count = 0
        for x, y in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            if step is not None:
                step(model)
            optimizer.step()
            losses.append(loss.item())
            total, count = total + loss.item() * len(y), count + len(y)
        means.append(total / count)
    return weights(model), losses, means


@pytest.mark.parametrize(("options", "step"), [
    ({}, None),
    ({"clip_norm": 0.3}, lambda m: nn.utils.clip_grad_norm_(m.parameters(), 0.3)),
    ({"clip_value": 0.02}, lambda m: nn.utils.clip_grad_value_(m.parameters(), 0.02)),
])  # fmt: skip
def test_the_loop_is_that_written_by_hand(options, step):
    loader = DataLoader(TensorDataset(*pairs()), batch_size=8, shuffle=True)
    expected = by_hand(loader, 3, step)
    trainer = make(**options)
    torch.manual_seed(3)
    history = fit(trainer, loader, epochs=3)
    assert same(weights(trainer.model), expected[0])
    assert history.losses == expected[1]
    assert history["train_loss"] == pytest.approx(expected[2], rel=1e-12)
    assert history["epoch"] == [1, 2, 3] and history["iteration"] == [4, 8, 12]
    assert history["lr"] == [0.1] * 3 and all(s > 0 for s in history["seconds"])
    assert (trainer.epoch, trainer.batch, trainer.iteration) == (3, 4, 12)


def test_accumulated_batches_are_one_large_batch():
    """Also of unequal sizes, and where fewer are left at the end of the epoch."""
    data = pairs(30)
    small, large = make(accumulate=2), make()
    fit(small, data, batch_size=8, shuffle=False)  # 8 + 8, 8 + 6
    fit(large, data, batch_size=16, shuffle=False)
    for a, b in zip(weights(small.model), weights(large.model), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)  # sums in another order
    three, whole = make(accumulate=3), make()
    fit(three, data, epochs=1, batch_size=8, shuffle=False)  # 8 + 8 + 8, 6
    fit(whole, [tuple(t[:24] for t in data), tuple(t[24:] for t in data)], epochs=1)
    for a, b in zip(weights(three.model), weights(whole.model), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)


def test_a_loss_that_is_a_sum_is_reported_for_each_sample():
    data = pairs(30)
    mean = make()
    summed = make(loss=nn.CrossEntropyLoss(reduction="sum"))
    assert summed.evaluate(data)["loss"] == pytest.approx(mean.evaluate(data)["loss"])
    first = fit(summed, data, epochs=1, batch_size=30)
    assert first["train_loss"][0] == pytest.approx(fit(mean, data, epochs=1)["train_loss"][0], 0.1)
    two, one = [make(loss=nn.CrossEntropyLoss(reduction="sum"), accumulate=k) for k in (2, 1)]
    fit(two, data, batch_size=15, shuffle=False)
    fit(one, data, batch_size=30, shuffle=False)
    for a, b in zip(weights(two.model), weights(one.model), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6)


def test_lbfgs_gets_its_closure():
    x = torch.linspace(-1, 1, 16, dtype=torch.float64).reshape(16, 1)
    model = nn.Linear(1, 1).double()
    optimizer = optim.LBFGS(model.parameters(), lr=1.0, max_iter=20)
    trainer = Trainer(model, nn.MSELoss(), optimizer, metrics=["mse"])
    history = fit(trainer, (x, 3 * x - 1), epochs=3, batch_size=16)
    assert model.weight.item() == pytest.approx(3) and model.bias.item() == pytest.approx(-1)
    assert history.losses[0] == pytest.approx(history["train_mse"][0], rel=1e-6)


@pytest.mark.parametrize(("step", "rates"), [
    ("epoch", [0.1, 0.05, 0.025]), ("batch", [0.1 / 2**4, 0.1 / 2**8, 0.1 / 2**12]),
])  # fmt: skip
def test_schedules_step_each_epoch_or_each_batch(step, rates):
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    halving = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, scheduler=halving,
                      scheduler_step=step)  # fmt: skip
    assert fit(trainer, pairs(), epochs=3)["lr"] == pytest.approx(rates)


def test_a_schedule_by_batch_steps_as_often_as_the_optimizer():
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    halving = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, scheduler=halving, accumulate=3,
                      scheduler_step="batch")  # fmt: skip
    assert fit(trainer, pairs(), epochs=1)["lr"] == [0.025]  # 3 batches, 1 batch


@pytest.mark.parametrize("with_valid", [False, True])
def test_a_plateau_is_one_of_the_validation_loss(with_valid):
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    seen = []

    class Plateau(optim.lr_scheduler.ReduceLROnPlateau):
        def step(self, metrics, epoch=None):
            seen.append(metrics)
            super().step(metrics)

    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, scheduler=Plateau(optimizer))
    history = fit(trainer, pairs(), pairs(20, 2) if with_valid else None)
    assert seen == history["valid_loss" if with_valid else "train_loss"]


# --- data -------------------------------------------------------------------------------


def order_of(data, **options):
    """The first inputs of the samples of each epoch, in the order in which they came."""
    seen = []

    class Noting(nn.Linear):
        def forward(self, x):
            if self.training:
                seen.extend(x[:, 0].tolist())
            return super().forward(x)

    fit(make(Noting(3, 2), seed=options.pop("seed", 0)), data, **options)
    return seen


def test_every_form_of_data_gives_the_same():
    data = pairs(20)
    arrays = tuple(t.numpy() for t in data)
    forms = [data, arrays, (arrays[0].astype(np.float64), arrays[1]), TensorDataset(*data),
             Samples(data), (arrays[0].tolist(), arrays[1].tolist())]  # fmt: skip
    results = []
    for form in forms:
        trainer = make()
        fit(trainer, form, form)
        results.append((trainer.history.losses, trainer.history["valid_loss"]))
    assert all(result == results[0] for result in results)
    batches = [tuple(t[i : i + 8] for t in data) for i in range(0, 20, 8)]
    loader = DataLoader(TensorDataset(*data), 8)
    assert order_of(batches) == order_of(loader) == order_of(data, shuffle=False)


def test_the_order_depends_on_seed_and_epoch_alone():
    data = pairs(20)
    order = order_of(data, epochs=3)
    epochs = [order[i : i + 20] for i in (0, 20, 40)]
    for epoch in epochs:
        assert sorted(epoch) == sorted(data[0][:, 0].tolist())
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    torch.manual_seed(123)
    torch.rand(7)
    assert order_of(data, epochs=3, batch_size=3) == order
    assert order_of(Samples(data), epochs=3, num_workers=1) == order
    assert order_of(data, epochs=3, seed=1) != order
    assert order_of(data, shuffle=False, epochs=1) == data[0][:, 0].tolist()


def test_different_seeds_and_epochs_do_not_share_an_order():
    keys = {key(seed, epoch) for seed, epoch in itertools.product(range(30), range(30))}
    assert len(keys) == 900


def test_an_epoch_may_start_at_any_batch_without_a_draw():
    from tensorgrad.train.batches import batches_of

    source = batches_of(pairs(20), 8, shuffle=True, seed=4)
    whole = [x.tolist() for x, _ in source.epoch(5)]
    state = torch.get_rng_state()
    for start in range(4):
        assert [x.tolist() for x, _ in source.epoch(5, start)] == whole[start:]
    assert torch.equal(torch.get_rng_state(), state)


def test_what_has_set_epoch_is_told_the_epoch():
    told = []

    class Told(TensorDataset):
        def set_epoch(self, epoch):
            told.append(epoch)

    dataset = Told(*pairs(8))
    fit(make(), dataset, epochs=3)
    fit(make(), DataLoader(dataset, 4), epochs=2)
    assert told == [0, 1, 2, 0, 1]
    part = ConcatDataset([Subset(dataset, [0, 1, 2]), Subset(Subset(dataset, [5, 6]), [1])])
    fit(make(), DataLoader(part, 4), epochs=2)
    assert told[5:] == [0, 0, 1, 1]


def test_measuring_within_an_epoch_leaves_its_number_to_the_training_data():
    read = []

    class Told(TensorDataset):
        def set_epoch(self, epoch):
            self.epoch = epoch

        def __getitem__(self, i):
            read.append((i, self.epoch))
            return super().__getitem__(i)

    class Measures(Callback):
        def on_batch_end(self, trainer):
            trainer.evaluate(Subset(dataset, [6, 7]))
            trainer.predict(Subset(dataset, [7]))

    dataset = Told(*pairs(8))
    fit(make(callbacks=[Measures()]), Subset(dataset, range(6)), epochs=3, batch_size=2)
    trained = {sample for sample in read if sample[0] < 6}
    assert trained == set(itertools.product(range(6), range(3)))
    assert {epoch for i, epoch in read if i >= 6} == {0}


def test_iterable_datasets():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(Samples(pairs(10)))

    history = fit(make(), Stream(), epochs=2, batch_size=4)
    assert history["iteration"] == [3, 6]
    assert history.losses[0] == fit(make(), pairs(10), shuffle=False, batch_size=4).losses[0]


@pytest.mark.parametrize(("data", "error", "message"), [
    (None, TypeError, "train must be a DataLoader"), (3, TypeError, "train must be a DataLoader"),
    (np.ones((4, 3)), TypeError, "train must be"), (torch.ones(4, 3), TypeError, "train must be"),
    ("text", TypeError, "train must be"), ({"x": 1}, TypeError, "train must be"),
    ((np.ones((4, 3)), np.ones(3)), ValueError, "as many rows in each"),
    ((np.ones((4, 3)), 1.0), ValueError, "as many rows in each"),
    ((np.ones((0, 3)), np.ones(0)), ValueError, "train is empty"),
    ((np.ones((4, 3)), ["a"] * 4), TypeError, "arrays of numbers"),
    ((np.ones((4, 3)),), TypeError, "pair .input, target., got a list of 1"),
    ((np.ones((4, 3)),) * 3, TypeError, "pair .input, target., got a list of 3"),
    ([torch.ones(4, 3)], TypeError, "pair .input, target., got a Tensor"),
    ([torch.ones(2, 3)], TypeError, "pair .input, target., got a Tensor"),
    ([{"x": torch.ones(2, 3), "y": torch.ones(2)}], TypeError, "pair .*, got a dict"),
    ([], ValueError, "train gave no batch"),
])  # fmt: skip
def test_data_that_cannot_be_trained_on(data, error, message):
    trainer = make()
    before = weights(trainer.model)
    with pytest.raises(error, match=message):
        fit(trainer, data)
    assert same(weights(trainer.model), before) and len(trainer.history) == 0


def test_data_that_is_used_up():
    batches = iter([pairs(4), pairs(4)])
    with pytest.raises(ValueError, match="can be gone through once"):
        fit(make(), batches, epochs=2)


# --- arguments --------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"model": lambda x: x}, TypeError, "model must be a Module, got function"),
    ({"loss": 3}, TypeError, "loss must be a module or a function"),
    ({"loss": nn.MSELoss}, TypeError, "call it"),
    ({"optimizer": 0.1}, TypeError, "optimizer must be an Optimizer, got float"),
    ({"optimizer": optim.SGD([torch.ones(1, requires_grad=True)])}, ValueError, "no parameter of"),
    ({"scheduler": 1}, TypeError, "expected an LRScheduler"),
    ({"scheduler": optim.lr_scheduler.ExponentialLR(
        optim.SGD([torch.ones(1, requires_grad=True)]), 1)}, ValueError, "another optimizer"),
    ({"clip_norm": 0}, ValueError, "clip_norm must be above 0"),
    ({"clip_value": -1.0}, ValueError, "clip_value must be above 0"),
    ({"accumulate": 0}, ValueError, "accumulate must be"),
    ({"accumulate": 2.0}, ValueError, "accumulate must be"),
    ({"seed": -1}, ValueError, "seed must be"), ({"seed": "x"}, ValueError, "seed must be"),
    ({"scheduler_step": "step"}, ValueError, "scheduler_step must be"),
    ({"metrics": [3]}, TypeError, "metrics: expected a name"),
    ({"metrics": "no such metric"}, ValueError, "no such metric"),
    ({"metrics": ["mse", "mse"]}, ValueError, "'mse' is not possible, or there are two"),
    ({"metrics": {"loss": "mse"}}, ValueError, "'loss' is not possible"),
    ({"callbacks": [print]}, TypeError, "callbacks: expected callbacks"),
    ({"callbacks": EarlyStopping}, TypeError, "iterable"),
    ({"callbacks": [EarlyStopping]}, TypeError, "make an instance"),
])  # fmt: skip
def test_arguments_of_the_trainer(options, error, message):
    model = net()
    given = {"model": model, "loss": nn.CrossEntropyLoss(),
             "optimizer": optim.SGD(model.parameters()), **options}  # fmt: skip
    with pytest.raises(error, match=message):
        Trainer(**given)


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"epochs": -1}, ValueError, "epochs must be"), ({"epochs": 1.0}, ValueError, "epochs must be"),
    ({"batch_size": 0}, ValueError, "batch_size must be"),
    ({"batch_size": 2.5}, ValueError, "batch_size must be"),
    ({"stop": 3}, TypeError, "iterable"), ({"stop": [3]}, TypeError, "stop: expected callbacks"),
    ({"stop": EarlyStopping()}, ValueError, "monitors 'valid_loss'.*; give valid="),
    ({"stop": StopLoss(1, "train_los")}, ValueError, "they record train_loss, lr, seconds"),
    ({"progress": "no"}, ValueError, "progress must be"),
    ({"num_workers": -1}, ValueError, "num_workers"),
    ({"valid": 3}, TypeError, "valid must be a DataLoader"),
    ({"valid": []}, ValueError, "nothing to measure on"),
])  # fmt: skip
def test_arguments_of_fit(options, error, message):
    trainer = make()
    with pytest.raises(error, match=message):
        trainer.fit(pairs(), **{"progress": False, "epochs": 1, **options})
    assert len(trainer.history) == 0


@pytest.mark.parametrize(("loss", "error", "message"), [
    (nn.CrossEntropyLoss(reduction="none"), ValueError, "must be a scalar, got shape .8"),
    (lambda output, target: 1.0, TypeError, "must return a tensor, got float"),
])  # fmt: skip
def test_losses_that_are_none(loss, error, message):
    with pytest.raises(error, match=message):
        fit(make(loss=loss), pairs())


def test_lbfgs_does_not_accumulate():
    model = net()
    with pytest.raises(ValueError, match="LBFGS"):
        Trainer(model, nn.MSELoss(), optim.LBFGS(model.parameters()), accumulate=2)


def test_no_epochs_change_nothing():
    trainer = make()
    before = weights(trainer.model)
    assert len(fit(trainer, pairs(), epochs=0)) == 0
    assert same(weights(trainer.model), before)


# --- modes, evaluate, predict -----------------------------------------------------------


def test_modes_during_and_after():
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.BatchNorm1d(4), nn.Linear(4, 2))
    seen = []
    model[1].register_forward_hook(lambda m, *_: seen.append((m.training, torch.is_grad_enabled())))
    trainer = make(model)
    model[1].eval()
    model[2].eval()
    modes = [m.training for m in model.modules()]
    fit(trainer, pairs(8), pairs(4), epochs=2)
    assert seen == [(True, True), (False, False)] * 2
    trainer.evaluate(pairs(8))
    trainer.predict(pairs(8)[0])
    assert seen[4:] == [(False, False)] * 2
    assert [m.training for m in model.modules()] == modes

    class Failing(Callback):
        def on_batch_end(self, trainer):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fit(trainer, pairs(8), stop=Failing())
    assert [m.training for m in model.modules()] == modes


def test_evaluate_does_not_depend_on_the_batches_and_changes_nothing():
    data = pairs(30)
    trainer = make(metrics=["accuracy", "f1"])
    before = weights(trainer.model)
    results = [trainer.evaluate(data, batch_size=size) for size in (1, 7, 30)]
    with torch.no_grad():
        output = trainer.model(data[0])
    expected = nn.functional.cross_entropy(output, data[1]).item()
    accuracy = (output.argmax(1) == data[1]).float().mean().item()
    for result in results:
        assert list(result) == ["loss", "accuracy", "f1"]
        assert result["loss"] == pytest.approx(expected, rel=1e-5)
        assert result["accuracy"] == pytest.approx(accuracy)
    assert same(weights(trainer.model), before)
    assert all(p.grad is None for p in trainer.model.parameters())


def test_predict_takes_inputs_in_every_form():
    x, y = pairs(20)
    trainer = make()
    with torch.no_grad():
        expected = trainer.model(x)
    forms = [x, x.numpy(), x.numpy().astype(np.float64), (x,), (x, y), TensorDataset(x, y),
             DataLoader(TensorDataset(x, y), 6), [x[:6], x[6:]], [(x, y)]]  # fmt: skip
    for form in forms:
        output = trainer.predict(form, batch_size=20)
        assert torch.allclose(output, expected, atol=1e-6) and not output.requires_grad
    assert trainer.predict(x, batch_size=7).shape == (20, 2)


@pytest.mark.parametrize(("x", "error", "message"), [
    ([], ValueError, "there is no input"), (np.ones((0, 3)), ValueError, "x is empty"),
    (None, TypeError, "x must be"), (np.array(["a"]), TypeError, "numbers"),
])  # fmt: skip
def test_predict_refuses(x, error, message):
    with pytest.raises(error, match=message):
        make().predict(x)


@pytest.mark.parametrize("which", [("x", "y"), ("x",), ("y",)])
def test_predict_in_the_units_of_the_data(which):
    """float64 inputs are normalised before they are rounded: 1e8 and 1e8 + 3 differ."""
    x = 1e8 + np.random.default_rng(0).uniform(0, 9, (20, 3))
    normalizers = {"x": StandardNormalizer().fit(x), "y": MinMaxNormalizer().fit(x[:, :2] * 7)}
    trainer = make(normalizers={name: normalizers[name] for name in which})
    inside = normalizers["x"].transform(x) if "x" in which else x
    expected = trainer.predict(inside)
    if "y" in which:
        expected = normalizers["y"].inverse(expected)
    assert torch.equal(trainer.predict(x, raw=True, batch_size=7), expected)
    if "x" not in which:
        return
    double = torch.from_numpy(x)
    trainer.model = nn.Sequential(Rounded(), trainer.model)
    dataset = TensorDataset(double)
    for form in (double, dataset, DataLoader(dataset, 6), [double]):
        assert torch.allclose(trainer.predict(form, raw=True), expected)


class Rounded(nn.Module):
    def forward(self, x):
        return x.float()


def test_predict_in_the_units_of_the_data_needs_normalizers():
    for normalizers in (None, {"z": StandardNormalizer()}, StandardNormalizer()):
        with pytest.raises(ValueError, match="raw=True needs a trainer with normalizers"):
            make(normalizers=normalizers).predict(torch.ones(2, 3), raw=True)
    with pytest.raises(RuntimeError, match="call fit"):
        make(normalizers={"x": StandardNormalizer()}).predict(torch.ones(2, 3), raw=True)
    with pytest.raises(TypeError, match="'x' should have state_dict"):
        make(normalizers={"x": object()})


def test_predict_needs_one_tensor():
    class Two(nn.Linear):
        def forward(self, x):
            return super().forward(x), x

    with pytest.raises(TypeError, match="returned a tuple"):
        make(Two(3, 2)).predict(torch.ones(2, 3))


# --- metrics ----------------------------------------------------------------------------


def test_metrics_of_training_are_of_the_outputs_as_they_were():
    """And they survive an evaluation in their midst."""
    outputs = []

    class Counting:
        name = "rows"

        def reset(self):
            self.count = 0

        def update(self, output, target):
            assert not output.requires_grad
            outputs.append(output)
            self.count += len(target)

        def compute(self):
            return self.count

    class Looking(Callback):
        def on_batch_end(self, trainer):
            trainer.evaluate(pairs(5))

    trainer = make(metrics=[Counting(), "accuracy"], callbacks=[Looking()])
    history = fit(trainer, pairs(30), pairs(12), epochs=2)
    assert history["train_rows"] == [30, 30] and history["valid_rows"] == [12, 12]
    assert all(0 <= a <= 1 for a in history["train_accuracy"])


def test_a_plain_function_gets_the_whole_epoch():
    shapes = []

    def spread(output, target):
        shapes.append((tuple(output.shape), tuple(target.shape)))
        return output.max() - output.min()

    trainer = make(metrics=spread)
    history = fit(trainer, pairs(30), pairs(12), epochs=1)
    assert shapes == [((30, 2), (30,)), ((12, 2), (12,))]
    with torch.no_grad():
        output = trainer.model(pairs(12)[0])
    assert history["valid_spread"][0] == pytest.approx((output.max() - output.min()).item(), 1e-5)


def test_a_metric_with_several_values_is_a_list():
    class Both:
        def reset(self):
            pass

        def update(self, output, target):
            pass

        def compute(self):
            return torch.ones(2)

    history = fit(make(metrics={"both": Both()}), pairs(8), epochs=1, progress="lines")
    assert history["train_both"] == [[1.0, 1.0]]


# --- numbers that are not finite --------------------------------------------------------


class Overflow(nn.Module):
    def forward(self, x):
        return x * 1e38 * 1e38


def stopped(trainer, data, message, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")  # NumPy has something to say as well
        history = fit(trainer, data, **options)
    texts = [str(w.message) for w in caught if w.filename == __file__]
    assert texts == [f"fit stopped: {history.stopped}"] and message in texts[0]
    assert len(history) < 2
    return history.stopped


def test_a_bad_layer_is_named():
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), Overflow()), nn.BatchNorm1d(4),
                          nn.Dropout(0.5), nn.Linear(4, 2))  # fmt: skip
    trainer = make(model)
    before = [t.clone() for t in model.state_dict().values()]
    generator = torch.get_rng_state()
    reason = stopped(trainer, pairs(8), "the first layer")
    drawn = torch.get_rng_state()
    assert "the loss is nan at iteration 1 (epoch 1)" in reason
    assert "layer with an output that is not finite is '1.1' (Overflow)" in reason
    after = list(model.state_dict().values())
    assert same(before[:2] + before[-2:], after[:2] + after[-2:])  # no step was made
    torch.set_rng_state(generator)
    model(pairs(8)[0])  # the dropout of one forward, and of no more
    assert torch.equal(torch.get_rng_state(), drawn)


@pytest.mark.parametrize(("place", "message"), [(0, "the input of the batch"), (1, "the target")])
def test_bad_data_is_named(place, message):
    x = torch.ones(8, 3)
    data = [x, x[:, :2].clone()]
    data[place][3, 1] = math.nan
    assert message in stopped(make(loss=nn.MSELoss()), tuple(data), "not finite")


def test_a_parameter_that_a_step_spoilt_is_named():
    reason = stopped(make(lr=math.inf), pairs(16), "parameter")
    assert "'0.weight' is not finite since the step before" in reason


def test_a_bad_loss_is_named():
    loss = lambda output, target: (output * 0).sum().log()  # noqa: E731
    reason = stopped(make(loss=loss), pairs(8), "loss of them")
    assert "the loss is -inf" in reason


def test_a_bad_gradient_is_named_before_the_step():
    """sqrt'(0) is infinite: the loss is finite, the gradient is not."""
    loss = lambda output, target: (output[:, 0] * 0).sum().sqrt()  # noqa: E731
    trainer = make(loss=loss, clip_norm=1.0)
    before = weights(trainer.model)
    reason = stopped(trainer, pairs(8), "norm of the gradients")
    assert "is of '2.bias'" in reason and same(weights(trainer.model), before)


@pytest.mark.parametrize("clip", [None, 5.0])
def test_parameters_that_the_last_step_spoilt_are_named(clip):
    """No later batch shows it, and the best weights must not be these."""
    loss = lambda output, target: (output[:, 0] * 0).sum().sqrt()  # noqa: E731
    trainer, best = make(loss=loss, clip_value=clip), EarlyStopping("train_loss")
    reason = stopped(trainer, pairs(8), "not finite", stop=best)
    assert "parameter '0.weight' is not finite at iteration 1" in reason
    assert "behind the loss is of '2.bias'" in reason
    assert not trainer.history.epochs and best.best_epoch is None


def test_a_bad_validation_loss_stops():
    x, y = pairs(8)
    x = x.clone()
    x[0] = math.inf
    trainer = make(metrics=["accuracy"])
    reason = stopped(trainer, pairs(8), "validation loss", valid=(x, y))
    assert "validation loss is nan" in reason
    assert math.isnan(trainer.history["valid_accuracy"][0])
    assert list(trainer.evaluate((x, y))) == ["loss", "accuracy"]


def test_the_check_can_be_left_out():
    history = fit(make(nn.Sequential(Overflow(), nn.Linear(3, 2)), check_finite=False), pairs(8))
    assert len(history) == 2 and math.isnan(history.losses[0]) and history.stopped is None


# --- history ----------------------------------------------------------------------------


def history_of(*rows):
    history = History()
    history.epochs = [{"epoch": i, **row} for i, row in enumerate(rows, 1)]
    return history


def test_best_epoch():
    assert History().best_epoch is None
    losses = history_of({"train_loss": 3.0}, {"train_loss": 1.0}, {"train_loss": 1.0})
    assert losses.best_epoch == 2
    both = history_of({"train_loss": 1.0, "valid_loss": math.nan},
                      {"train_loss": 3.0, "valid_loss": 2.0})  # fmt: skip
    assert both.best_epoch == 2
    accuracy = history_of({"valid_accuracy": 0.5}, {"valid_accuracy": 0.75})
    assert accuracy.best_epoch is None
    accuracy.monitor = "valid_accuracy"
    assert accuracy.best_epoch == 2
    accuracy.mode = "min"
    assert accuracy.best_epoch == 1
    assert history_of({"train_loss": math.nan}).best_epoch is None


def test_history_by_name_and_by_iteration():
    history = history_of({"train_loss": 3.0}, {"train_loss": 1.0, "extra": 2.0})
    history.losses = [5.0, 1.0]
    assert history.iterations == [(1, 5.0), (2, 1.0)]
    assert math.isnan(history["extra"][0]) and history["extra"][1] == 2.0
    with pytest.raises(KeyError, match="there are: epoch, train_loss, extra"):
        history["valid_loss"]
    assert repr(history) == "History of 2 epochs, 2 iterations"
    copied = History()
    copied.load_state_dict(history.state_dict())
    assert vars(copied) == vars(history) and copied.epochs[0] is not history.epochs[0]


def test_csv(tmp_path):
    history = fit(make(metrics=["accuracy"]), pairs(), pairs(9), epochs=3)
    history.to_csv(tmp_path / "log.csv")
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == ",".join(history.names()) and len(lines) == 4
    values = np.loadtxt(tmp_path / "log.csv", delimiter=",", skiprows=1)
    assert values[:, 2].tolist() == history["train_loss"]  # to the last bit
    with pytest.raises(ValueError, match="no epoch"):
        History().to_csv(tmp_path / "none.csv")


@pytest.mark.parametrize("by", ["epoch", "iteration"])
def test_plot(by):
    pytest.importorskip("matplotlib")
    history = fit(make(metrics=["accuracy"]), pairs(), pairs(9), epochs=3)
    figure = history.plot(by=by)
    loss, accuracy = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    curves = {line.get_label(): line for line in loss.get_lines()}
    assert curves["train"].get_ydata().tolist() == history["train_loss"]
    assert curves["valid"].get_ydata().tolist() == history["valid_loss"]
    assert curves["valid"].get_xdata().tolist() == history[by]
    best = curves[f"best: epoch {history.best_epoch}"]
    assert best.get_xdata()[0] == history[by][history.best_epoch - 1]
    if by == "iteration":
        assert curves["each iteration"].get_ydata().tolist() == history.losses
    assert accuracy.get_xlabel() == by
    figure.canvas.draw()


def test_plot_refuses():
    with pytest.raises(ValueError, match="no epoch"):
        History().plot()
    with pytest.raises(ValueError, match="by must be"):
        history_of({"train_loss": 1.0}).plot(by="time")


# --- after a stop -----------------------------------------------------------------------


def test_a_second_fit_goes_on():
    once, twice = make(), make()
    fit(once, pairs(), epochs=4)
    fit(twice, pairs(), epochs=1)
    fit(twice, pairs(), epochs=3)
    assert once.history.losses == twice.history.losses
    assert twice.history["epoch"] == [1, 2, 3, 4]
    assert same(weights(once.model), weights(twice.model))


@pytest.mark.parametrize("as_dataset", [False, True])
def test_retrain_is_a_first_fit_on_all_data(as_dataset):
    train, valid = pairs(20), pairs(10, 2)

    def made():
        model = net()
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        return Trainer(model, nn.CrossEntropyLoss(), optimizer, scheduler=schedule,
                       callbacks=[EarlyStopping(patience=2)])  # fmt: skip

    trainer, straight = made(), made()
    first = fit(trainer, train, valid, epochs=30)
    assert first.stopped is not None or len(first) == 30
    given = (Samples(train), Samples(valid)) if as_dataset else (train, valid)
    again = trainer.retrain(*given, batch_size=8, progress=False)
    assert trainer.history is again is not first and again.stopped is None
    assert len(again) == first.best_epoch
    straight.callbacks = []
    everything = tuple(torch.cat(pair) for pair in zip(train, valid, strict=True))
    assert fit(straight, everything, epochs=first.best_epoch).losses == again.losses
    assert same(weights(straight.model), weights(trainer.model))
    assert len(trainer.callbacks) == 1


def test_retrain_with_new_weights_and_errors():
    trainer = make()
    with pytest.raises(ValueError, match="no fit with a best epoch"):
        trainer.retrain(pairs(), pairs())
    called = []
    history = trainer.retrain(pairs(), pairs(), 3, init=called.append, progress=False)
    assert called == [trainer.model] and len(history) == 3
    with pytest.raises(TypeError, match="train: expected a pair"):
        trainer.retrain(DataLoader(TensorDataset(*pairs())), pairs())
    with pytest.raises(TypeError, match="valid: expected a pair"):
        trainer.refine(pairs(), DataLoader(TensorDataset(*pairs())))
    assert len(trainer.history) == 3


def test_refine_never_leaves_a_higher_loss():
    train, valid = pairs(20), pairs(10, 2)
    for lr, better in ((0.05, True), (1e3, False)):
        trainer = make()
        fit(trainer, train, valid, epochs=3, stop=EarlyStopping())
        before, kept = trainer.evaluate(valid)["loss"], weights(trainer.model)
        trainer.optimizer.param_groups[0]["lr"] = lr
        history = trainer.refine(train, valid, 8, patience=3, batch_size=10, progress=False)
        after = trainer.evaluate(valid, batch_size=10)["loss"]
        assert (after < before) is better and after <= before * (1 + 1e-6)
        assert same(weights(trainer.model), kept) is not better
        assert len(history) == (11 if better else 6) and history["iteration"][3] == 9 + 3


def test_refine_stops_at_a_goal():
    trainer = make()
    history = trainer.refine(pairs(20), pairs(10, 2), 50, stop=StopLoss(0.4, "valid_loss"),
                             batch_size=5, progress=False)  # fmt: skip
    assert history["valid_loss"][-1] < 0.4 < min(history["valid_loss"][:-1])
    assert "is below 0.4" in history.stopped
