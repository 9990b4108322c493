"""Checkpoints of a fit: runs killed and resumed, damaged files, full and read-only disks."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import killed_runs
import numpy as np
import pytest

import tensorgrad as torch
from tensorgrad import nn, optim
from tensorgrad.serialization import files
from tensorgrad.serialization.sealed import load_sealed, save_sealed
from tensorgrad.train import Callback, EarlyStopping, StopLoss, Trainer, checkpoints, metrics
from tensorgrad.utils.data import DataLoader, TensorDataset

HERE = Path(__file__).parent
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture(autouse=True)
def _heeding_ctrl_c():
    """A job in the background ignores SIGINT, and what it starts inherits that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def make(seed=0, **options):
    """A trainer of a small net with dropout and batch statistics."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)
    )
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    return Trainer(model, nn.CrossEntropyLoss(), optimizer, **options)


@pytest.fixture
def data():
    torch.manual_seed(1)
    x = torch.randn(40, 3)
    return x, (x[:, 0] > x[:, 1]).long()


def digest(trainer):
    return killed_runs.digest(trainer.model, trainer.optimizer, trainer.history)


def fit(trainer, data, epochs=4, **options):
    options = {"batch_size": 8, "progress": False, **options}
    return trainer.fit(data, epochs=epochs, **options)


def trained(data, epochs=4, **options):
    trainer = make()
    fit(trainer, data, epochs, **options)
    return digest(trainer)


def names(folder):
    return sorted(os.listdir(folder))


# --- kills ------------------------------------------------------------------------------


@needs_fork
def test_killed_and_resumed_runs_end_as_those_that_nobody_killed(tmp_path):
    """Twenty at a random step, and in the midst of a write, several times, and from outside."""
    command = [sys.executable, str(HERE / "killed_runs.py"), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, env=ONE_THREAD, timeout=300)
    assert run.returncode == 0, run.stderr
    results = json.loads(run.stdout)
    certain = [how for _, how, count, _ in results if "slowly" not in how and count]
    assert len(certain) == 24  # those at a chosen place were all killed
    wrong = [f"{kind}: {how}" for kind, how, _, equal in results if not equal]
    assert not wrong


@needs_fork
def test_another_interpreter_goes_on_where_a_killed_one_was(tmp_path):
    text = "import sys, killed_runs; print(killed_runs.train('arrays', *sys.argv[1:]))"
    kill = "import sys, killed_runs; killed_runs.killed_at('arrays', sys.argv[1], 17)"

    def run(text, *args):
        return subprocess.run([sys.executable, "-c", text, *args], capture_output=True, text=True,
                              cwd=HERE, env=ONE_THREAD)  # fmt: skip

    killed = run(kill, str(tmp_path))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    ended = [run(text, str(tmp_path)).stdout, run(text).stdout]
    assert ended[0] == ended[1] != ""


# --- files ------------------------------------------------------------------------------


def test_a_checkpoint_is_an_ordinary_file_with_everything_in_it(tmp_path, data):
    trainer = make()
    fit(trainer, data, 2, checkpoint_dir=tmp_path)
    assert names(tmp_path) == ["checkpoint-0000000005.safetensors",
                               "checkpoint-0000000010.safetensors"]  # fmt: skip
    state = torch.load(tmp_path / "checkpoint-0000000010.safetensors")
    assert state["position"]["done"] == 2 and state["position"]["iteration"] == 10
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(state["model"][name], value)
    assert len(state["optimizer"]["state"]) == len(list(trainer.model.parameters()))
    assert state["history"]["losses"].tolist() == trainer.history.losses


@pytest.mark.parametrize(("options", "kept"), [
    ({}, [15, 20]), ({"keep": 1}, [20]), ({"keep": 3}, [10, 15, 20]),
    ({"checkpoint_every": 3, "keep": 9}, [15, 20]), ({"checkpoint_every": None}, [20]),
    ({"checkpoint_every": None, "checkpoint_steps": 6, "keep": 9}, [6, 12, 18, 20]),
])  # fmt: skip
def test_when_checkpoints_are_written_and_which_are_kept(tmp_path, data, options, kept):
    fit(make(), data, checkpoint_dir=tmp_path, **options)
    assert names(tmp_path) == [f"checkpoint-{i:010d}.safetensors" for i in kept]


def test_checkpoints_by_the_clock(tmp_path, data, monkeypatch):
    clock = iter(range(0, 10**6, 25))  # seconds; looked at after each batch and each write
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(clock))
    fit(make(), data, 2, checkpoint_dir=tmp_path, checkpoint_every=None, checkpoint_minutes=1,
        keep=9)  # fmt: skip
    assert names(tmp_path) == [f"checkpoint-{i:010d}.safetensors" for i in (3, 6, 9, 10)]


def test_no_checkpoint_in_the_midst_of_an_accumulated_step(tmp_path, data):
    trainer = make(accumulate=3)
    fit(trainer, data, 1, checkpoint_dir=tmp_path, checkpoint_steps=1, keep=9)
    assert names(tmp_path) == [f"checkpoint-{i:010d}.safetensors" for i in (3, 5)]


def test_what_a_killed_write_left_is_cleared_away_and_nothing_else(tmp_path, data):
    for name in (".0123456789abcdef.tmp", ".mine.tmp", "notes.txt"):
        (tmp_path / name).write_text("left")
    fit(make(), data, 1, checkpoint_dir=tmp_path)
    assert names(tmp_path) == [".mine.tmp", "checkpoint-0000000005.safetensors", "notes.txt"]


# --- resuming ---------------------------------------------------------------------------


class Listener:
    def __init__(self):
        self.told = []

    def set_epoch(self, epoch):
        self.told.append(epoch)


def test_what_has_set_epoch_is_told_the_epoch_that_a_checkpoint_was_in(tmp_path, data):
    first, second = Listener(), Listener()
    fit(make(callbacks=first), data, 2, checkpoint_dir=tmp_path, checkpoint_steps=4, keep=9)
    assert first.told == [0, 1]
    (tmp_path / "checkpoint-0000000010.safetensors").unlink()
    trainer = make(callbacks=[second])
    fit(trainer, data, 3, checkpoint_dir=tmp_path, resume=True)
    assert trainer.iteration == 15 and second.told == [1, 2]  # on from the 8th, in epoch 1


def test_numbers_of_numpy_are_numbers(tmp_path, data):
    """As a search over a grid has them; checkpoints cannot hold NumPy's own."""
    five, two = np.int64(5), np.int32(2)
    options = {"checkpoint_dir": tmp_path, "keep": two, "batch_size": np.int64(8)}
    trainer = make()
    fit(trainer, data, two, stop=EarlyStopping("train_loss", five), **options)
    assert len(trainer.history) == 2
    resumed = make()
    fit(resumed, data, 4, resume=True, **options)
    assert len(resumed.history) == 4


def test_a_longer_run_can_follow(tmp_path, data):
    fit(make(), data, 2, checkpoint_dir=tmp_path)
    trainer = make(seed=9)
    history = fit(trainer, data, 4, checkpoint_dir=tmp_path, resume=True)
    assert trainer.resumed and len(history) == 4
    assert digest(trainer) == trained(data)


def test_a_finished_run_comes_back_with_its_best_weights(tmp_path, data):
    first, second = make(), make(seed=9)
    for trainer in (first, second):
        fit(trainer, data, valid=data, checkpoint_dir=tmp_path, resume="auto",
            stop=EarlyStopping("valid_loss", None))  # fmt: skip
    assert digest(second) == digest(first) and second.iteration == 20


def test_a_run_that_had_stopped_stays_so_until_its_condition_changes(tmp_path, data):
    options = {"valid": data, "checkpoint_dir": tmp_path, "resume": "auto", "epochs": 30}

    def run(patience):
        trainer = make()
        history = fit(trainer, data, stop=[EarlyStopping("train_loss", patience, min_delta=0.5),
                                           StopLoss(0.0)], **options)  # fmt: skip
        return len(history), history.stopped

    count, stopped = run(2)
    assert "did not improve in 2 epochs" in stopped and count < 8
    assert run(2) == (count, stopped)
    assert run(3)[0] == count + 1


def test_the_same_trainer_goes_on_in_its_folder_without_asking(tmp_path, data):
    trainer = make()
    fit(trainer, data, 2, checkpoint_dir=tmp_path)
    fit(trainer, data, 2, checkpoint_dir=tmp_path)
    assert digest(trainer) == trained(data)
    assert names(tmp_path)[-1] == "checkpoint-0000000020.safetensors"


def test_a_folder_of_another_run_is_not_written_over(tmp_path, data):
    fit(make(), data, 1, checkpoint_dir=tmp_path)
    trainer = make(seed=3)
    before = digest(trainer)
    with pytest.raises(FileExistsError, match="resume='auto' goes on with it"):
        fit(trainer, data, 1, checkpoint_dir=tmp_path)
    assert digest(trainer) == before and names(tmp_path) == ["checkpoint-0000000005.safetensors"]


def test_auto_begins_where_there_is_nothing_and_true_does_not(tmp_path, data):
    with pytest.raises(FileNotFoundError, match="no checkpoint in"):
        fit(make(), data, checkpoint_dir=tmp_path, resume=True)
    trainer = make()
    fit(trainer, data, checkpoint_dir=tmp_path / "new" / "folder", resume="auto")
    assert not trainer.resumed and digest(trainer) == trained(data)


@pytest.mark.parametrize(("changed", "message"), [
    ({"batch_size": 4}, "batch_size=8, this fit has 4"),
    ({"shuffle": False}, "shuffle=True, this fit has False"),
    ({"seed": 7}, "seed=0, this fit has 7"), ({"accumulate": 2}, "accumulate=1, this fit has 2"),
    ({"optimizer": "Adam"}, "optimizer='SGD', this fit has 'Adam'"),
    ({"rows": 39}, "samples=40, this fit has 39"), ({"loader": True}, "batches=None"),
])  # fmt: skip
def test_a_fit_with_other_settings_is_refused(tmp_path, data, changed, message):
    def made(optimizer="SGD", **options):
        model = nn.Linear(3, 2)
        optimizer = getattr(optim, optimizer)(model.parameters())
        return Trainer(model, nn.CrossEntropyLoss(), optimizer, **options)

    fit(made(), data, 1, checkpoint_dir=tmp_path)
    own = {k: changed[k] for k in ("seed", "accumulate", "optimizer") if k in changed}
    changed = {k: v for k, v in changed.items() if k not in own}
    trainer = made(**own)
    before = digest(trainer)
    rows = changed.pop("rows", 40)
    given = DataLoader(TensorDataset(*data), 8) if changed.pop("loader", False) \
        else (data[0][:rows], data[1][:rows])  # fmt: skip
    with pytest.raises(ValueError, match=message):
        fit(trainer, given, 2, checkpoint_dir=tmp_path, resume=True, **changed)
    assert digest(trainer) == before


def test_another_model_is_refused_and_left_as_it_was(tmp_path, data):
    fit(make(), data, 1, checkpoint_dir=tmp_path)
    model = nn.Linear(3, 2)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()))
    before = digest(trainer)
    with pytest.raises(RuntimeError, match="Error\\(s\\) in loading state_dict for Linear"):
        fit(trainer, data, 2, checkpoint_dir=tmp_path, resume=True)
    assert digest(trainer) == before


@pytest.mark.parametrize("options", [
    {"resume": "always"}, {"resume": True}, {"resume": "auto"},
    {"checkpoint_every": 0}, {"checkpoint_every": 1.5}, {"checkpoint_steps": 0},
    {"checkpoint_minutes": 0}, {"checkpoint_minutes": -1.0}, {"keep": 0}, {"keep": True},
])  # fmt: skip
def test_options_out_of_range(tmp_path, data, options):
    folder = {} if options.get("resume") in (True, "auto") else {"checkpoint_dir": tmp_path}
    trainer = make()
    with pytest.raises(ValueError, match=next(iter(options))):
        fit(trainer, data, **folder, **options)
    assert trainer.iteration == 0


OPTIMIZERS = [
    "ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LAMB", "LARS", "LBFGS",
    "Lion", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD",
]  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_on(tmp_path, data, name):
    def run(epochs, **options):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        trainer = Trainer(model, nn.CrossEntropyLoss(), getattr(optim, name)(model.parameters()))
        fit(trainer, data, epochs, **options)
        state = trainer.optimizer.state_dict()["state"]
        return [t.tolist() for t in model.state_dict().values()], json.dumps(state, default=str)

    run(2, checkpoint_dir=tmp_path)
    assert run(4, checkpoint_dir=tmp_path, resume=True) == run(4)


SCHEDULES = {
    "StepLR": {"step_size": 1}, "MultiStepLR": {"milestones": [1, 3]}, "LinearLR": {},
    "ExponentialLR": {"gamma": 0.9}, "PolynomialLR": {}, "ConstantLR": {},
    "CosineAnnealingLR": {"T_max": 4}, "CosineAnnealingWarmRestarts": {"T_0": 2},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 30}, "ReduceLROnPlateau": {"patience": 0},
    "LambdaLR": {"lr_lambda": lambda t: 1 / (1 + t)},
    "MultiplicativeLR": {"lr_lambda": lambda t: 0.9},
}  # fmt: skip


@pytest.mark.parametrize(("name", "by"), [
    (name, by) for name in [*SCHEDULES, "SequentialLR", "ChainedScheduler"]
    for by in ("epoch", "batch") if (name, by) != ("ReduceLROnPlateau", "batch")
])  # fmt: skip
def test_every_schedule_goes_on(tmp_path, data, name, by):
    found = optim.lr_scheduler

    def made(optimizer):
        if name in SCHEDULES:
            return getattr(found, name)(optimizer, **SCHEDULES[name])
        parts = [found.LinearLR(optimizer, total_iters=2), found.ExponentialLR(optimizer, 0.8)]
        return found.SequentialLR(optimizer, parts, [2]) if name == "SequentialLR" \
            else found.ChainedScheduler(parts)  # fmt: skip

    def run(epochs, **options):
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, scheduler=made(optimizer),
                          scheduler_step=by)  # fmt: skip
        fit(trainer, data, epochs, **options)
        return digest(trainer), trainer.history["lr"]

    run(2, checkpoint_dir=tmp_path)
    assert run(4, checkpoint_dir=tmp_path, resume=True) == run(4)


@pytest.mark.parametrize("name", [
    "accuracy", "f1", "mae", "mse", "precision", "r2", "recall", "roc_auc", "top_k_accuracy",
])  # fmt: skip
def test_every_metric_goes_on_in_the_midst_of_an_epoch(tmp_path, data, name):
    regression = name in ("mae", "mse", "r2")
    given = (data[0], data[0][:, :2]) if regression else data
    metric = {"x": metrics.TopKAccuracy(1) if name == "top_k_accuracy" else name}

    def run(callbacks=(), **options):
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        loss = nn.MSELoss() if regression else nn.CrossEntropyLoss()
        trainer = Trainer(model, loss, optim.SGD(model.parameters(), lr=0.1), metrics=metric,
                          callbacks=callbacks)  # fmt: skip
        return fit(trainer, given, 2, **options)

    assert run([Interrupted(8)], checkpoint_dir=tmp_path).stopped == "interrupted"
    resumed = run(checkpoint_dir=tmp_path, resume=True)
    assert len(resumed) == 2 and resumed["train_x"] == run()["train_x"]


def test_what_cannot_be_saved_is_refused_before_training(tmp_path, data):
    class Keeps(Callback):
        def state_dict(self):
            return {"log": open}

    trainer = make(callbacks=[Keeps()])
    with pytest.raises(TypeError, match=r"cannot store callbacks\.Keeps\.log"):
        fit(trainer, data, checkpoint_dir=tmp_path)
    assert trainer.iteration == 0 and names(tmp_path) == []


class Scale:
    """A normalizer as a trainer needs it."""

    def __init__(self, factor):
        self.factor = factor

    def state_dict(self):
        return {"factor": self.factor}

    def load_state_dict(self, state_dict):
        self.factor = state_dict["factor"]


@pytest.mark.parametrize("as_dict", [False, True])
def test_normalizers_are_kept_with_the_model(tmp_path, data, as_dict):
    def made(factor):
        scale = Scale(factor)
        return scale, make(normalizers={"x": scale} if as_dict else scale)

    fit(made(2.5)[1], data, 1, checkpoint_dir=tmp_path)
    scale, trainer = made(1.0)
    fit(trainer, data, 1, checkpoint_dir=tmp_path, resume=True)
    assert scale.factor == 2.5


def test_a_loss_with_parameters_is_kept_too(tmp_path, data):
    class Tempered(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, output, target):
            return nn.functional.cross_entropy(output * self.scale, target)

    def run(epochs, folder=None, **options):
        torch.manual_seed(0)
        model, loss = nn.Linear(3, 2), Tempered()
        optimizer = optim.SGD([*model.parameters(), *loss.parameters()], lr=0.5, momentum=0.9)
        fit(Trainer(model, loss, optimizer), data, epochs, checkpoint_dir=folder, **options)
        return loss.scale.item()

    run(2, tmp_path)
    assert run(4, tmp_path, resume=True) == run(4) != 1.0


# --- Ctrl-C -----------------------------------------------------------------------------


class Interrupted(Callback):
    """Sends this process SIGINT, as Ctrl-C does, after a batch."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, trainer):
        if trainer.iteration == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("step", [1, 7, 10, 18])
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(tmp_path, data, step):
    """Its checkpoint holds the last weights, though the model got the best ones back."""

    def run(callbacks=(), **options):
        trainer = make(callbacks=callbacks)
        history = fit(trainer, data, 4, valid=data, stop=EarlyStopping("valid_loss", 9), **options)
        return history.stopped, digest(trainer)

    stopped, _ = run([Interrupted(step)], checkpoint_dir=tmp_path)
    assert stopped == "interrupted"
    assert names(tmp_path)[-1] == f"checkpoint-{step:010d}.safetensors"
    assert run(checkpoint_dir=tmp_path, resume=True) == run()


def test_interrupted_in_validation_the_validation_is_made_again(tmp_path, data):
    class Evaluated(nn.Linear):
        interrupt = False

        def forward(self, x):
            if self.interrupt and not self.training:
                self.interrupt = False
                os.kill(os.getpid(), signal.SIGINT)
            return super().forward(x)

    def run(interrupt=False, **options):
        torch.manual_seed(0)
        model = Evaluated(3, 2)
        model.interrupt = interrupt
        trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
        torch.manual_seed(5)
        valid = DataLoader(TensorDataset(*data), 8, shuffle=True)  # draws from the generator
        history = fit(trainer, data, 3, valid=valid, **options)
        return history.stopped, digest(trainer), torch.rand(2).tolist()

    assert run(True, checkpoint_dir=tmp_path)[0] == "interrupted"
    assert names(tmp_path) == ["checkpoint-0000000005.safetensors"]
    assert torch.load(tmp_path / names(tmp_path)[0])["position"]["done"] == 0
    assert run(checkpoint_dir=tmp_path, resume=True) == run()


# --- damage -----------------------------------------------------------------------------


def damaged(path, how, chance):
    """Cut a file short, or alter a byte of it."""
    content = bytearray(path.read_bytes())
    if how == "cut":
        content = content[: chance.randrange(len(content))]
    elif how == "longer":
        content += b"\0"
    else:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut", "longer", "altered"])
def test_a_damaged_checkpoint_is_refused_by_name_and_the_one_before_it_used(tmp_path, data, how):
    expected, chance = trained(data), random.Random(0)
    fit(make(), data, 2, checkpoint_dir=tmp_path / "whole")
    for i in range(4):
        folder = tmp_path / str(i)
        shutil.copytree(tmp_path / "whole", folder)
        damaged(folder / "checkpoint-0000000010.safetensors", how, chance)
        trainer = make(seed=5)
        with pytest.warns(RuntimeWarning, match=r"checkpoint-0000000010\.safet.*\.damaged") as w:
            fit(trainer, data, 4, checkpoint_dir=folder, resume="auto")
        assert digest(trainer) == expected and w[0].filename == __file__
        assert "checkpoint-0000000010.safetensors.damaged" in names(folder)


def test_any_altered_byte_and_any_cut_is_noticed(tmp_path):
    path, chance = tmp_path / "state", random.Random(2)
    state = {"weight": torch.arange(5.0), "flags": torch.ones(3, dtype=torch.bool), "epoch": 3,
             "z": torch.tensor([1j], dtype=torch.complex128), "none": torch.ones(0, 3)}  # fmt: skip
    save_sealed(state, path)
    back = load_sealed(path)
    assert all(torch.equal(back[k], v) for k, v in state.items() if k != "epoch")
    content = path.read_bytes()
    for place in range(len(content)):
        altered = bytearray(content)
        altered[place] ^= 1 << chance.randrange(8)
        path.write_bytes(altered)
        with pytest.raises(RuntimeError, match="state"):
            load_sealed(path)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(RuntimeError, match="state"):
            load_sealed(path)


def test_a_file_without_a_checksum_is_no_checkpoint(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "plain")
    with pytest.raises(RuntimeError, match="plain: it has no checksum"):
        load_sealed(tmp_path / "plain")


def test_all_damaged_is_an_error_that_names_them(tmp_path, data):
    fit(make(), data, 2, checkpoint_dir=tmp_path)
    for name in names(tmp_path):
        (tmp_path / name).write_bytes(b"not much")
    trainer = make()
    before = digest(trainer)
    both = r"all checkpoints in .*0000000010\.safetensors, .*0000000005\.safetensors"
    with pytest.warns(RuntimeWarning, match="damaged"), pytest.raises(RuntimeError, match=both):
        fit(trainer, data, 4, checkpoint_dir=tmp_path, resume="auto")
    assert digest(trainer) == before


def test_a_checkpoint_of_another_version_is_refused(tmp_path, data):
    fit(make(), data, 1, checkpoint_dir=tmp_path)
    path = tmp_path / names(tmp_path)[0]
    save_sealed({**load_sealed(path), "version": 99}, path)
    with pytest.raises(ValueError, match="version 99, this tensorgrad reads 1"):
        fit(make(), data, 2, checkpoint_dir=tmp_path, resume=True)


# --- disks ------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_a_write_that_fails_warns_and_loses_nothing(tmp_path, data, monkeypatch, failing):
    """No space left from the second checkpoint on, and again at the fourth."""
    saves = []
    module, name = {"write": (files, "open"), "fsync": (os, "fsync"),
                    "replace": (os, "replace")}[failing]  # fmt: skip
    original = getattr(module, name, open)

    def full(*args, **kwargs):
        if saves[-1] in (10, 15) and (failing != "write" or "xb" in args):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*args, **kwargs)

    save = checkpoints.CheckpointFolder.save
    noted = lambda self, state, i: saves.append(i) or save(self, state, i)  # noqa: E731
    monkeypatch.setattr(checkpoints.CheckpointFolder, "save", noted)
    monkeypatch.setattr(module, name, full, raising=False)
    trainer = make()
    with pytest.warns(RuntimeWarning) as caught:
        fit(trainer, data, checkpoint_dir=tmp_path)
    monkeypatch.undo()
    texts = [str(w.message) for w in caught]
    assert len(texts) == 2 and "iteration 10 could not be written" in texts[0]
    assert "No space left" in texts[0] and "checkpoint-0000000005.safetensors" in texts[1]
    assert digest(trainer) == trained(data)
    assert names(tmp_path) == [f"checkpoint-{i:010d}.safetensors" for i in (5, 20)]
    resumed = make(seed=4)
    fit(resumed, data, 4, checkpoint_dir=tmp_path, resume=True)
    assert digest(resumed) == digest(trainer)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_is_refused_before_training(tmp_path, data, place):
    (tmp_path / "file").write_text("in the way")
    trainer = make()
    with pytest.raises(OSError, match="checkpoint_dir cannot be written to"):
        fit(trainer, data, checkpoint_dir=tmp_path / place)
    assert trainer.iteration == 0


SMALL_DISK = """
    import json, os, subprocess, sys, warnings
    import killed_runs
    from tensorgrad.train import Callback

    folder = sys.argv[1]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], check=True)
    ballast = os.path.join(folder, "ballast")

    class Disk(Callback):
        def on_epoch_end(self, trainer):
            if trainer.epoch == 2:
                with open(ballast, "wb", buffering=0) as file:
                    try:
                        while file.write(bytes(1024)):
                            pass
                    except OSError:
                        pass  # it is full now
            elif trainer.epoch == 4:
                os.unlink(ballast)
                subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
            elif trainer.epoch == 6:
                subprocess.run(["mount", "-o", "remount,rw", folder], check=True)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ended = killed_runs.train("arrays", folder, [Disk()], checkpoint_steps=None)
    result = {"texts": [str(w.message) for w in caught], "files": sorted(os.listdir(folder)),
              "equal": ended == killed_runs.train("arrays")}
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    try:
        killed_runs.train("arrays", folder)
    except OSError as error:
        result["error"] = str(error)
    print(json.dumps(result))
"""


def can_mount(folder):
    """Whether a small file system may be mounted, in a namespace of its own."""
    if not (sys.platform == "linux" and shutil.which("unshare")):
        return False
    mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    return subprocess.run(mount, capture_output=True).returncode == 0


def test_a_real_disk_that_is_full_and_then_read_only(tmp_path):
    if not can_mount(tmp_path):
        pytest.skip("no file system can be mounted here")
    command = ["unshare", "-rm", sys.executable, "-c", textwrap.dedent(SMALL_DISK), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=HERE, env=ONE_THREAD)
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert result["equal"]
    full, also_full, read_only, *more = result["texts"]
    assert "No space left on device" in full and "No space left on device" in also_full
    assert "Read-only file system" in read_only and len(more) == 1
    assert "checkpoint-0000000005.safetensors" in full
    assert result["files"] == [f"checkpoint-{i:010d}.safetensors" for i in (5, 30)]
    assert "checkpoint_dir cannot be written to: Read-only file system" in result["error"]


def test_a_model_that_is_not_finite_is_not_saved(tmp_path, data):
    class Spoil(Callback):
        def on_epoch_end(self, trainer):
            if trainer.epoch == 2:
                trainer.model[4].bias.data[0] = np.nan

    trainer = make(callbacks=[Spoil()])
    with pytest.warns(RuntimeWarning, match="parameter '4.bias' is not finite"):
        history = fit(trainer, data, checkpoint_dir=tmp_path)
    assert len(history) == 2 and "4.bias" in history.stopped
    assert names(tmp_path) == ["checkpoint-0000000005.safetensors"]


@pytest.mark.parametrize("steps", [None, 3])
def test_a_loss_that_is_not_finite_is_not_saved(tmp_path, data, steps):
    """The batch is made again from the last checkpoint, once the data is repaired."""
    x, y = data
    options = {"checkpoint_dir": tmp_path, "checkpoint_steps": steps}
    bad = x.clone()
    bad[7] = np.nan
    trainer = make()
    with pytest.warns(RuntimeWarning, match="the input of the batch is not finite"):
        fit(trainer, (bad, y), **options)
    resumed = make()
    fit(resumed, data, resume="auto", **options)
    assert digest(resumed) == trained(data)


def test_after_an_error_the_last_checkpoint_is_there(tmp_path, data):
    class Fails(Callback):
        def on_batch_end(self, trainer):
            if trainer.iteration == 13:
                raise LookupError("something else went wrong")

    trainer = make(callbacks=[Fails()])
    with pytest.raises(LookupError):
        fit(trainer, data, checkpoint_dir=tmp_path)
    assert trainer.history.stopped == "LookupError('something else went wrong')"
    resumed = make()
    fit(resumed, data, checkpoint_dir=tmp_path, resume=True)
    assert digest(resumed) == trained(data)
