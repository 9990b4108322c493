"""Learning-rate schedules: against PyTorch epoch by epoch, alone and composed."""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pytest
from both import agree

import tensorgrad
from tensorgrad.optim import lr_scheduler

EPOCHS = 25
# A scheduler of schedulers lets them step when it is made, which warns in PyTorch as well.
pytestmark = pytest.mark.filterwarnings("ignore:.*before .?optimizer.step")


class Decay:
    """A callable object, whose attributes are saved."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, epoch):
        return self.rate**epoch


# Makers: (module, optimizer of two groups) -> scheduler.
MAKERS = {
    "lambda": lambda s, o: s.LambdaLR(o, lambda epoch: 0.9**epoch),
    "lambdas": lambda s, o: s.LambdaLR(o, [lambda epoch: 1 / (1 + epoch), Decay(0.8)]),
    "lambda warm-up": lambda s, o: s.LambdaLR(o, lambda epoch: min(epoch / 7, 1.0)),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.95),
    "multiplicatives": lambda s, o: s.MultiplicativeLR(o, (lambda epoch: 1.1, Decay(0.99))),
    "step": lambda s, o: s.StepLR(o, 4),
    "step gamma": lambda s, o: s.StepLR(o, step_size=3, gamma=0.7),
    "multistep": lambda s, o: s.MultiStepLR(o, [3, 8, 8, 20]),
    "multistep at 0": lambda s, o: s.MultiStepLR(o, (20, 0, 5), gamma=0.5),
    "constant": lambda s, o: s.ConstantLR(o),
    "constant of": lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=9),
    "constant at once": lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=0),
    "linear": lambda s, o: s.LinearLR(o),
    "linear of": lambda s, o: s.LinearLR(o, start_factor=0.1, end_factor=0.6, total_iters=11),
    "linear down": lambda s, o: s.LinearLR(o, start_factor=1.0, end_factor=0.0, total_iters=11),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.9),
    "polynomial": lambda s, o: s.PolynomialLR(o),
    "polynomial of": lambda s, o: s.PolynomialLR(o, total_iters=17, power=2.5),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 7),
    "cosine eta": lambda s, o: s.CosineAnnealingLR(o, T_max=10, eta_min=0.02),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4),
    "restarts of": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2, eta_min=0.01),
    "cyclic": lambda s, o: s.CyclicLR(o, 0.01, 0.5, step_size_up=4),
    "cyclic 2": lambda s, o: s.CyclicLR(
        o, [0.01, 0.1], (0.5, 0.6), step_size_up=4, step_size_down=3, mode="triangular2",
        base_momentum=0.7, max_momentum=0.99,
    ),
    "cyclic exp": lambda s, o: s.CyclicLR(
        o, 0.01, 0.5, step_size_up=4, mode="exp_range", gamma=0.9, cycle_momentum=False
    ),
    "cyclic function": lambda s, o: s.CyclicLR(
        o, 0.01, 0.5, step_size_up=2, scale_fn=Decay(0.8), scale_mode="iterations"
    ),
    "cyclic of cycles": lambda s, o: s.CyclicLR(
        o, 0.01, 0.5, step_size_up=2, scale_fn=lambda x: 0.5**x, mode="none"
    ),
    "one cycle": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=26),
    "one cycle linear": lambda s, o: s.OneCycleLR(
        o, [0.5, 0.3], epochs=6, steps_per_epoch=5, pct_start=0.45, anneal_strategy="linear",
        base_momentum=[0.8, 0.7], max_momentum=[0.9, 0.99], div_factor=10.0, final_div_factor=7.0,
    ),
    "one cycle in three": lambda s, o: s.OneCycleLR(
        o, 0.5, total_steps=30, three_phase=True, cycle_momentum=False
    ),
    "sequential": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, total_iters=3), s.ExponentialLR(o, 0.9)], [5]
    ),
    "sequential of three": lambda s, o: s.SequentialLR(
        o,
        [s.LinearLR(o, total_iters=4), s.CosineAnnealingLR(o, 8), s.StepLR(o, 3)],
        milestones=[4, 15],
    ),
    "sequential at 0": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o), s.ExponentialLR(o, 0.9)], [0]
    ),
    "sequential restarts": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o), s.CosineAnnealingWarmRestarts(o, 5)], [5]
    ),
    "chained": lambda s, o: s.ChainedScheduler(
        [s.ConstantLR(o, 0.1, total_iters=3), s.ExponentialLR(o, 0.9), s.StepLR(o, 5)]
    ),
    "chained cosine": lambda s, o: s.ChainedScheduler(
        [s.CosineAnnealingLR(o, 9), s.MultiStepLR(o, [4])], optimizer=o
    ),
    "chain in sequence": lambda s, o: s.SequentialLR(
        o,
        [s.ChainedScheduler([s.LinearLR(o), s.ExponentialLR(o, 0.9)]), s.PolynomialLR(o, 20)],
        [8],
    ),
    "sequence in chain": lambda s, o: s.ChainedScheduler(
        [s.SequentialLR(o, [s.ConstantLR(o), s.StepLR(o, 4)], [6]), s.ExponentialLR(o, 0.95)]
    ),
    "two sequences": lambda s, o: s.SequentialLR(
        o,
        [s.SequentialLR(o, [s.ConstantLR(o), s.LinearLR(o)], [3]), s.ExponentialLR(o, 0.9)],
        [10],
    ),
}  # fmt: skip
SIMPLE = [n for n in MAKERS if not n.startswith(("sequen", "chain", "two"))]
OPTIMIZERS = {
    "SGD": lambda lib, groups: lib.optim.SGD(groups, lr=0.2, momentum=0.9),
    "AdamW": lambda lib, groups: lib.optim.AdamW(groups, lr=0.2, betas=(0.8, 0.99)),
    "RMSprop": lambda lib, groups: lib.optim.RMSprop(groups, lr=0.2, momentum=0.5),
}


def optimizer_of(lib, kind="SGD", rates=(0.2, 0.05)):
    params = [lib.tensor(np.linspace(1, 2, n), requires_grad=True) for n in (3, 2)]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(params, rates, strict=True)]
    return OPTIMIZERS[kind](lib, groups)


def step(lib, optimizer):
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = lib.tensor(np.cos(p.detach().numpy()))
    optimizer.step()


def settings(optimizer):
    """What a scheduler may set: rates, momenta, and the parameters that they lead to."""
    rows = []
    for group in optimizer.param_groups:
        momentum = group["betas"][0] if "betas" in group else group["momentum"]
        rows.append([float(group["lr"]), momentum, *group["params"][0].detach().numpy()])
    return [np.array(row) for row in rows]


def run(lib, optimizer, scheduler, epochs):
    seen = []
    for _ in range(epochs):
        step(lib, optimizer)
        scheduler.step()
        seen.append([settings(optimizer), np.array(scheduler.get_last_lr(), float)])
    return seen


def numbers(value):
    """Saved values, floats as arrays, so that they are compared with a tolerance."""
    if isinstance(value, dict):
        return {k: numbers(value[k]) for k in sorted(value)}
    if isinstance(value, list | tuple):
        return [numbers(v) for v in value]
    return np.array(value) if isinstance(value, float) else value


def recorded(function):
    """What ``function`` returns, and the kinds of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function()
    return result, [w.category.__name__ for w in caught]


# --- trajectories -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(MAKERS))
@pytest.mark.parametrize("kind", sorted(OPTIMIZERS))
def test_schedules_are_pytorchs(name, kind):
    """Rates, momenta and parameters over 25 epochs, and what is saved at the end."""

    def program(lib):
        optimizer = optimizer_of(lib, kind)
        scheduler = MAKERS[name](lib.optim.lr_scheduler, optimizer)
        start = settings(optimizer), np.array(scheduler.get_last_lr())
        return start, run(lib, optimizer, scheduler, EPOCHS), numbers(scheduler.state_dict())

    agree(program, rtol=1e-11)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_rates_may_be_tensors(name):
    """The tensor that the user passed is filled with each new rate."""
    def program(lib):
        rates = [lib.tensor(lr, dtype=lib.float64) for lr in (0.25, 0.125)]
        optimizer = optimizer_of(lib, "SGD", rates)
        scheduler = MAKERS[name](lib.optim.lr_scheduler, optimizer)
        seen = run(lib, optimizer, scheduler, EPOCHS)
        same = [g["lr"] is lr for g, lr in zip(optimizer.param_groups, rates, strict=True)]
        return seen, same, rates

    agree(program, rtol=1e-6)  # PyTorch rounds some of these to float32


@pytest.mark.parametrize("name", sorted(SIMPLE))
def test_rates_that_users_change_stay_changed(name):
    def program(lib):
        optimizer = optimizer_of(lib)
        scheduler = MAKERS[name](lib.optim.lr_scheduler, optimizer)
        seen = run(lib, optimizer, scheduler, 3)
        optimizer.param_groups[0]["lr"] = 0.77
        return seen, run(lib, optimizer, scheduler, 4)

    agree(program, rtol=1e-11)


@pytest.mark.parametrize("name", sorted(SIMPLE))
def test_steps_to_an_epoch(name):
    """The deprecated form: the closed form where there is one, and the same warnings."""

    def program(lib):
        optimizer = optimizer_of(lib)
        scheduler = MAKERS[name](lib.optim.lr_scheduler, optimizer)
        seen = []
        for epoch in (1, 5, 2, 0, 9):
            step(lib, optimizer)
            _, kinds = recorded(lambda e=epoch: scheduler.step(e))
            seen.append([settings(optimizer), kinds, scheduler.last_epoch])
        return seen, run(lib, optimizer, scheduler, 3)

    agree(program, rtol=1e-11)


@pytest.mark.parametrize("name", sorted(SIMPLE))
def test_runs_are_resumed_with_last_epoch(name):
    """As scripts do: the optimizer's state is loaded, the scheduler made with last_epoch."""

    class Resumed:
        """The module of schedulers, all of which get ``last_epoch``."""

        def __init__(self, module, last_epoch):
            self.module, self.last_epoch = module, last_epoch

        def __getattr__(self, kind):
            make = getattr(self.module, kind)
            return lambda *a, **k: make(*a, **k, last_epoch=self.last_epoch)

    def program(lib):
        first = optimizer_of(lib)
        run(lib, first, MAKERS[name](lib.optim.lr_scheduler, first), 6)
        second = optimizer_of(lib)
        second.load_state_dict(first.state_dict())
        scheduler = MAKERS[name](Resumed(lib.optim.lr_scheduler, 5), second)
        start = settings(second), np.array(scheduler.get_last_lr())
        return start, run(lib, second, scheduler, 6)

    agree(program, rtol=1e-11)


def test_fractions_of_epochs():
    def program(lib):
        optimizer = optimizer_of(lib)
        scheduler = lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, T_mult=2)
        seen = []
        for epoch in np.linspace(0, 20, 41):
            step(lib, optimizer)
            scheduler.step(float(epoch))
            seen.append([settings(optimizer), scheduler.last_epoch])
        return seen

    agree(program, rtol=1e-11)


def test_own_schedulers():
    def program(lib):
        class Halving(lib.optim.lr_scheduler._LRScheduler):
            def get_lr(self):
                return [lr / 2**self.last_epoch for lr in self.base_lrs]

        optimizer = optimizer_of(lib)
        halving = Halving(optimizer)
        return (
            run(lib, optimizer, halving, 4),
            isinstance(halving, lib.optim.lr_scheduler.LRScheduler),
            numbers(halving.state_dict()),
        )

    agree(program, rtol=1e-11)


# --- plateaus -----------------------------------------------------------------------------

PLATEAUS = [
    {},
    {"patience": 1},
    {"patience": 0, "factor": 0.5, "cooldown": 3},
    {"patience": 1, "mode": "max"},
    {"patience": 2, "threshold": 0.5},
    {"patience": 2, "threshold": 0.5, "threshold_mode": "abs"},
    {"patience": 2, "threshold": 0.5, "mode": "max"},
    {"patience": 2, "threshold": 0.5, "threshold_mode": "abs", "mode": "max"},
    {"patience": 0, "min_lr": 0.01},
    {"patience": 0, "min_lr": [0.1, 0.03]},
    {"patience": 0, "eps": 0.05},
]
LOSSES = {
    "noise": np.random.default_rng(0).standard_normal(EPOCHS).tolist(),
    "falling": [1 / (1 + i) for i in range(EPOCHS)],
    "flat": [2] * EPOCHS,
    "not numbers": [1.0, 0.5] + [float("nan"), float("inf"), -float("inf")] * 8,
}


@pytest.mark.parametrize("options", PLATEAUS, ids=str)
@pytest.mark.parametrize("losses", sorted(LOSSES))
def test_plateaus_are_pytorchs(options, losses):
    def program(lib):
        optimizer = optimizer_of(lib)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        seen = [np.array(scheduler.get_last_lr())]
        for i, loss in enumerate(LOSSES[losses]):
            step(lib, optimizer)
            scheduler.step(lib.tensor(loss) if i % 3 == 0 else loss)
            seen.append([settings(optimizer), scheduler.num_bad_epochs, scheduler.in_cooldown])
        saved = numbers(scheduler.state_dict())
        return seen, saved

    agree(program, rtol=1e-6)  # some of the losses were float32


def test_plateaus_of_grown_optimizers():
    def grow(lib, **options):
        optimizer = optimizer_of(lib)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, **options)
        optimizer.add_param_group({"params": [lib.ones(1, requires_grad=True)], "lr": 0.5})
        for _ in range(3):
            scheduler.step(1.0)
        return [np.array(g["lr"]) for g in optimizer.param_groups]

    assert agree(lambda lib: grow(lib, min_lr=0.1))
    error = agree(lambda lib: grow(lib, min_lr=[0.1, 0.01]))
    assert isinstance(error, RuntimeError) and "min_lrs" in str(error)


def test_steps_of_a_plateau_to_an_epoch():
    def program(lib):
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer_of(lib))
        _, kinds = recorded(lambda: scheduler.step(1.0, 7))
        return kinds, scheduler.last_epoch

    agree(program)


def test_plateaus_still_take_verbose(capsys):
    """PyTorch 2.2 deprecated it, and has taken it out since."""
    make = lr_scheduler.ReduceLROnPlateau
    for verbose, printed in ((True, "Epoch 2: reducing learning rate of group 0"), (False, "")):
        optimizer = optimizer_of(tensorgrad)
        with pytest.warns(UserWarning, match="verbose is deprecated"):
            scheduler = make(optimizer, patience=0, verbose=verbose)
        scheduler.step(1.0)
        scheduler.step(1.0)
        assert capsys.readouterr().out.startswith(printed)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.02)
    assert "verbose" not in make(optimizer_of(tensorgrad)).state_dict()


# --- warnings and errors ------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_scheduler_that_steps_first_warns_once(name):
    def program(lib):
        optimizer = optimizer_of(lib)
        scheduler = MAKERS[name](lib.optim.lr_scheduler, optimizer)
        kinds = [recorded(scheduler.step)[1] for _ in range(3)]
        step(lib, optimizer)
        return kinds, recorded(scheduler.step)[1]

    agree(program)


def test_get_lr_of_a_user_warns():
    def program(lib):
        out = []
        for name in ("step", "cyclic", "restarts", "one cycle", "lambda", "cosine"):
            scheduler = MAKERS[name](lib.optim.lr_scheduler, optimizer_of(lib))
            out.append(recorded(scheduler.get_lr)[1])
        return out

    agree(program)


def test_hooks_and_overriding_steps_count_as_steps():
    class Counting(tensorgrad.optim.SGD):
        def step(self, closure=None):
            return super().step(closure)

    sgd = Counting([tensorgrad.ones(1, requires_grad=True)], lr=0.1)
    scheduler = lr_scheduler.StepLR(sgd, 1)
    sgd.register_step_pre_hook(lambda *a: None)
    sgd.step()
    assert recorded(scheduler.step)[1] == []
    assert scheduler.get_last_lr() == [pytest.approx(0.01)]


def bad_calls(lib):
    s, o, other = lib.optim.lr_scheduler, optimizer_of(lib), optimizer_of(lib)
    plain = lib.optim.Adagrad([lib.ones(1, requires_grad=True)])
    plateau = s.ReduceLROnPlateau(o)
    return {
        "no optimizer": lambda: s.StepLR(3, 1),
        "no optimizer to cycle": lambda: s.CyclicLR(3, 0.1, 0.2),
        "no optimizer for one cycle": lambda: s.OneCycleLR(3, 0.1, 10),
        "no optimizer for a plateau": lambda: s.ReduceLROnPlateau(3),
        "no optimizer of restarts": lambda: s.CosineAnnealingWarmRestarts(3, 1),
        "no initial rate": lambda: s.StepLR(other, 1, last_epoch=3),
        "base": lambda: s.LRScheduler(optimizer_of(lib)),
        "lambdas": lambda: s.LambdaLR(o, [lambda e: 1.0]),
        "multiplicatives": lambda: s.MultiplicativeLR(o, [lambda e: 1.0]),
        "no function": lambda: s.MultiplicativeLR(o, 3),
        "no function either": lambda: s.LambdaLR(o, 3),
        "constant over 1": lambda: s.ConstantLR(o, 1.5),
        "constant below 0": lambda: s.ConstantLR(o, -0.5),
        "linear from 0": lambda: s.LinearLR(o, 0),
        "linear from over 1": lambda: s.LinearLR(o, 1.1),
        "linear to below 0": lambda: s.LinearLR(o, 0.5, -0.1),
        "linear to over 1": lambda: s.LinearLR(o, 0.5, 1.1),
        "no schedulers": lambda: s.SequentialLR(o, [], []),
        "no milestones": lambda: s.SequentialLR(o, [s.StepLR(o, 1), s.StepLR(o, 1)], []),
        "no scheduler": lambda: s.SequentialLR(o, [3, s.StepLR(o, 1)], [1]),
        "another optimizer": lambda: s.SequentialLR(o, [s.StepLR(other, 1)], []),
        "plateau in sequence": lambda: s.SequentialLR(o, [plateau], []),
        "chain of nothing": lambda: s.ChainedScheduler([]),
        "chain of numbers": lambda: s.ChainedScheduler([s.StepLR(o, 1), 3]),
        "chain of two": lambda: s.ChainedScheduler([s.StepLR(o, 1), s.StepLR(other, 1)]),
        "chain of other": lambda: s.ChainedScheduler([s.StepLR(o, 1)], other),
        "chain of plateaus": lambda: s.ChainedScheduler([plateau]),
        "plateau factor": lambda: s.ReduceLROnPlateau(o, factor=1.0),
        "plateau mode": lambda: s.ReduceLROnPlateau(o, mode="least"),
        "plateau threshold": lambda: s.ReduceLROnPlateau(o, threshold_mode="other"),
        "plateau rates": lambda: s.ReduceLROnPlateau(o, min_lr=[0.1]),
        "plateau text": lambda: plateau.step("x"),
        "cyclic mode": lambda: s.CyclicLR(o, 0.1, 0.2, mode="square"),
        "cyclic rates": lambda: s.CyclicLR(o, [0.1], 0.2),
        "cyclic high rates": lambda: s.CyclicLR(o, 0.1, [0.2]),
        "cyclic momenta": lambda: s.CyclicLR(o, 0.1, 0.2, base_momentum=[0.1]),
        "cyclic without": lambda: s.CyclicLR(plain, 0.1, 0.2),
        "one cycle of nothing": lambda: s.OneCycleLR(o, 0.1),
        "one cycle of epochs": lambda: s.OneCycleLR(o, 0.1, epochs=3),
        "one cycle of 0": lambda: s.OneCycleLR(o, 0.1, 0),
        "one cycle of 1.5": lambda: s.OneCycleLR(o, 0.1, 1.5),
        "one cycle of -1": lambda: s.OneCycleLR(o, 0.1, epochs=-1, steps_per_epoch=1),
        "one cycle of 0 each": lambda: s.OneCycleLR(o, 0.1, epochs=1, steps_per_epoch=0),
        "one cycle start": lambda: s.OneCycleLR(o, 0.1, 10, pct_start=1),
        "one cycle late start": lambda: s.OneCycleLR(o, 0.1, 10, pct_start=1.5),
        "one cycle strategy": lambda: s.OneCycleLR(o, 0.1, 10, anneal_strategy="square"),
        "one cycle rates": lambda: s.OneCycleLR(o, [0.1], 10),
        "one cycle without": lambda: s.OneCycleLR(plain, 0.1, 10),
        "restarts of 0": lambda: s.CosineAnnealingWarmRestarts(o, 0),
        "restarts of 1.5": lambda: s.CosineAnnealingWarmRestarts(o, 1.5),
        "restarts times 0": lambda: s.CosineAnnealingWarmRestarts(o, 1, 0),
        "restarts to text": lambda: s.CosineAnnealingWarmRestarts(o, 1, 1, "x"),
        "restarts before 0": lambda: s.CosineAnnealingWarmRestarts(o, 1).step(-1),
    }


@pytest.mark.parametrize("case", sorted(bad_calls(tensorgrad)))
def test_bad_arguments_raise_what_pytorch_raises(case):
    assert agree(lambda lib: bad_calls(lib)[case]()) is not None


def test_too_many_steps_of_one_cycle():
    def program(lib):
        optimizer = optimizer_of(lib)
        run(lib, optimizer, lib.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 4), 9)

    assert isinstance(agree(program), ValueError)


# --- saving -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_run_goes_on_in_the_other_library(name):
    torch = pytest.importorskip("torch")
    for source, target in ((tensorgrad, torch), (torch, tensorgrad)):
        first = optimizer_of(source)
        scheduler = MAKERS[name](source.optim.lr_scheduler, first)
        run(source, first, scheduler, 9)
        second = optimizer_of(target)
        other = MAKERS[name](target.optim.lr_scheduler, second)
        for group, from_group in zip(second.param_groups, first.param_groups, strict=True):
            values = from_group["params"][0].detach().numpy().copy()
            group["params"][0].detach().copy_(target.from_numpy(values))
            group.update({k: v for k, v in from_group.items() if k != "params"})
        for group, p in zip(second.param_groups, first.param_groups, strict=True):
            buffer = first.state[p["params"][0]]["momentum_buffer"].numpy().copy()
            second.state[group["params"][0]]["momentum_buffer"] = target.from_numpy(buffer)
        saved = copy.deepcopy(scheduler.state_dict())
        other.load_state_dict(saved)
        assert "_schedulers" not in saved or None not in saved["_schedulers"]
        a, b = run(source, first, scheduler, 8), run(target, second, other, 8)
        for (rows, last), (other_rows, other_last) in zip(a, b, strict=True):
            np.testing.assert_allclose(last, other_last, rtol=1e-11)
            for row, other_row in zip(rows, other_rows, strict=True):
                np.testing.assert_allclose(row, other_row, rtol=1e-11)


def test_objects_are_saved_by_their_attributes():
    def program(lib):
        optimizer = optimizer_of(lib)
        scheduler = lib.optim.lr_scheduler.LambdaLR(optimizer, [Decay(0.5), lambda e: 1.0])
        saved = scheduler.state_dict()
        other = lib.optim.lr_scheduler.LambdaLR(optimizer_of(lib), [Decay(0.9), lambda e: 2.0])
        other.load_state_dict(saved)
        cyclic = lib.optim.lr_scheduler.CyclicLR(optimizer, 0.1, 0.2, scale_fn=Decay(0.5))
        kept = cyclic.state_dict()["_scale_fn_custom"]
        return saved["lr_lambdas"], other.lr_lambdas[0].rate, kept

    agree(program)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_copies_go_on_alike(name):
    optimizer = optimizer_of(tensorgrad)
    scheduler = MAKERS[name](lr_scheduler, optimizer)
    run(tensorgrad, optimizer, scheduler, 4)
    twins = [copy.deepcopy(scheduler)]
    if not any(word in name for word in ("lambda", "multiplicative", "cyclic of")):
        twins.append(pickle.loads(pickle.dumps(scheduler)))  # lambdas cannot be pickled
    want = run(tensorgrad, optimizer, scheduler, 5)
    for twin in twins:
        assert twin.optimizer is not optimizer
        got = run(tensorgrad, twin.optimizer, twin, 5)
        assert repr(got) == repr(want)


def test_a_plateau_goes_on_from_its_saved_form():
    def program(lib):
        first = optimizer_of(lib)
        a = lib.optim.lr_scheduler.ReduceLROnPlateau(first, patience=1, mode="max")
        for loss in (1.0, 0.5):
            a.step(loss)
        b = lib.optim.lr_scheduler.ReduceLROnPlateau(first)
        b.load_state_dict(a.state_dict())
        b.step(0.5)
        return np.array(b.get_last_lr()), b.mode, numbers(b.state_dict())

    agree(program)


# --- the module ---------------------------------------------------------------------------


def test_names_and_signatures_are_pytorchs():
    torch = pytest.importorskip("torch")
    theirs = torch.optim.lr_scheduler
    assert set(lr_scheduler.__all__) == set(theirs.__all__)
    methods = ("__init__", "step", "get_lr", "get_last_lr", "state_dict", "load_state_dict")
    for name in (*theirs.__all__, "_LRScheduler"):
        for method in methods:
            want = inspect.signature(getattr(getattr(theirs, name), method)).parameters
            got = inspect.signature(getattr(getattr(lr_scheduler, name), method)).parameters
            pairs = [(p.name, p.kind, p.default) for p in got.values() if p.name != "verbose"]
            assert pairs == [(p.name, p.kind, p.default) for p in want.values()], (name, method)
