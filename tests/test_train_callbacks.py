"""Callbacks: their order, stop conditions, the best weights, Ctrl-C, progress and logs."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import types
from pathlib import Path

import pytest

import tensorgrad as torch
from tensorgrad import nn, optim
from tensorgrad.serialization import files
from tensorgrad.train import (
    Callback,
    CSVLogger,
    EarlyStopping,
    StopCondition,
    StopDifference,
    StopLoss,
    TensorBoardLogger,
    Trainer,
    logs,
    progress,
)

HERE = Path(__file__).parent
needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals and pipes are others here")


@pytest.fixture(autouse=True)
def _heeding_ctrl_c():
    """A job in the background ignores SIGINT, and what it starts inherits that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Scripted(nn.Module):
    """Its loss on validation data is what the script says, epoch by epoch; its weight counts."""

    def __init__(self, values):
        super().__init__()
        self.values = values
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("epochs", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.epochs += 1
            return self.weight + 0 * x
        value = self.values[int(self.epochs.item()) - 1]
        return torch.full_like(x, value)


def score(output, target):
    return output.mean()


def scripted(values, **options):
    """A trainer whose ``valid_loss`` takes these values, and whose weight is the epoch."""
    model = Scripted(values)

    def loss(output, target):
        return -output.mean() if model.training else output.mean()

    optimizer = optim.SGD(model.parameters(), lr=1.0)
    return Trainer(model, loss, optimizer, metrics={"score": score}, **options)


X = torch.zeros(1, 1)


def fit(trainer, epochs=None, **options):
    options = {"progress": False, **options}
    return trainer.fit((X, X), (X, X), len(trainer.model.values) if epochs is None else epochs,
                       **options)  # fmt: skip


# --- callbacks --------------------------------------------------------------------------


class Noting(Callback):
    def __init__(self, name, notes):
        self.name, self.notes = name, notes

    def note(self, what, trainer):
        self.notes.append((self.name, what, trainer.epoch, trainer.batch))

    def on_fit_start(self, trainer):
        self.note("fit start", trainer)

    def on_epoch_start(self, trainer):
        self.note("epoch start", trainer)

    def on_batch_end(self, trainer):
        self.note("batch end", trainer)

    def on_epoch_end(self, trainer):
        assert trainer.history.epochs[-1]["epoch"] == trainer.epoch
        self.note("epoch end", trainer)

    def on_fit_end(self, trainer):
        self.note("fit end", trainer)


def test_what_is_called_when():
    notes = []
    trainer = scripted([1.0] * 2, callbacks=[Noting("a", notes)])
    x = torch.zeros(3, 1)
    trainer.fit((x, x), epochs=2, batch_size=2, stop=Noting("b", notes), progress=False)
    once = [("fit start", 0, 0)]
    for epoch in (1, 2):
        once += [("epoch start", epoch, 0), ("batch end", epoch, 1), ("batch end", epoch, 2),
                 ("epoch end", epoch, 2)]  # fmt: skip
    once += [("fit end", 2, 2)]
    assert notes == [(name, *note) for note in once for name in "ab"]


def test_a_callback_may_stop_in_the_midst_of_an_epoch():
    class Stops(Callback):
        def on_batch_end(self, trainer):
            if trainer.iteration == 5:
                trainer.stop("enough")
                trainer.stop("too late to be the reason")

    trainer = scripted([1.0] * 9)
    x = torch.zeros(3, 1)
    history = trainer.fit((x, x), epochs=9, batch_size=1, stop=Stops(), progress=False)
    assert history.stopped == "enough" and len(history) == 1 and len(history.losses) == 5
    history = trainer.fit((x, x), epochs=1, batch_size=1, progress=False)
    assert history["epoch"] == [1, 2] and history.stopped is None


@pytest.mark.parametrize("where", ["on_fit_start", "on_epoch_start", "on_batch_end",
                                   "on_epoch_end", "on_fit_end"])  # fmt: skip
def test_an_error_of_a_callback_reaches_the_caller_and_all_are_told_of_the_end(where):
    class Fails(Callback):
        pass

    def fail(self, trainer):
        raise LookupError("mine")

    setattr(Fails, where, fail)
    notes = []
    trainer = scripted([1.0] * 2)
    with pytest.raises(LookupError, match="mine"):
        fit(trainer, stop=[Fails(), Noting("other", notes)])
    assert notes[-1][1] == "fit end"


# --- conditions -------------------------------------------------------------------------


@pytest.mark.parametrize(("condition", "values", "epochs"), [
    (StopLoss(0.5, "valid_loss"), [3, 0.5, 0.4, 0.3], 3),
    (StopLoss(0.1, "valid_loss"), [3, 0.5, 0.4, 0.3], 4),
    (StopDifference(0.11, "valid_loss"), [3, 2, 2.2, 2.1, 9], 4),
    (StopDifference(0.11, "valid_loss"), [0, 0, 9], 2),
    (StopDifference(0.11, "valid_loss"), [5, 4, 3], 3),
    (EarlyStopping(patience=2), [3, 2, 2, 2, 1], 4),
    (EarlyStopping(patience=2), [3, 2, 2.5, 1, 2, 2, 0], 6),
    (EarlyStopping(patience=1, min_delta=0.5), [3, 2.5, 0], 2),
    (EarlyStopping(patience=1, min_delta=0.5), [3, 2.4, 2, 0], 3),
    (EarlyStopping(patience=2, mode="max"), [1, 2, 2, 1, 9], 4),
    (EarlyStopping("valid_score", patience=2), [1, 2, 2, 1, 9], 4),
    (EarlyStopping("train_loss", patience=1), [1, 1, 1], 3),  # it falls all the time
    (EarlyStopping(patience=None), [1, 2, 3, 4], 4),
])  # fmt: skip
def test_when_conditions_stop(condition, values, epochs):
    history = fit(scripted(values), stop=condition)
    assert len(history) == epochs
    assert (history.stopped is None) is (epochs == len(values))
    if history.stopped:
        assert history.stopped.startswith(condition.monitor)


def test_a_condition_of_ones_own():
    class After(StopCondition):
        count = 0

        def update(self, value, trainer):
            self.count += value == "rising"

        def reason(self):
            return None if self.count < 0 else "at once"

    assert fit(scripted([1.0] * 5), stop=After("valid_loss")).stopped == "at once"
    with pytest.raises(NotImplementedError, match="must write update"):
        fit(scripted([1.0]), stop=StopCondition("valid_loss"))


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: StopLoss("a"), TypeError, "must be a number"),
    (lambda: StopLoss(float("nan")), TypeError, "must be a number"),
    (lambda: StopLoss(1.0, 3), TypeError, "monitor must be the name"),
    (lambda: StopDifference(0.0), ValueError, "above 0"),
    (lambda: StopDifference(-1), ValueError, "above 0"),
    (lambda: EarlyStopping(patience=0), ValueError, "patience must be"),
    (lambda: EarlyStopping(patience=2.5), ValueError, "patience must be"),
    (lambda: EarlyStopping(patience=True), ValueError, "patience must be"),
    (lambda: EarlyStopping(mode="up"), ValueError, "mode must be 'auto', 'min' or 'max'"),
    (lambda: EarlyStopping(min_delta=-1), ValueError, "min_delta must be"),
    (lambda: EarlyStopping(min_delta=float("nan")), ValueError, "min_delta must be"),
    (lambda: TensorBoardLogger("x", every=0), ValueError, "every must be"),
])  # fmt: skip
def test_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


# --- the best weights -------------------------------------------------------------------


class Fails(Callback):
    def __init__(self, epoch, error):
        self.epoch, self.error = epoch, error

    def on_epoch_start(self, trainer):
        if trainer.epoch == self.epoch:
            raise self.error


class Interrupts(Callback):
    """Sends this process SIGINT, as Ctrl-C does, a number of times."""

    def __init__(self, epoch, times=1):
        self.epoch, self.times = epoch, times

    def on_batch_end(self, trainer):
        if trainer.epoch == self.epoch:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)


ENDS = {
    "last epoch": ([3, 1, 2, 2], (), None, None),
    "patience": ([3, 1, 2, 2, 2, 2, 0], (), None, "valid_loss did not improve in 4 epochs"),
    "other condition": ([3, 1, 2, 2, 2], [StopLoss(-3.5)], None, "train_loss"),
    "error": ([3, 1, 2, 2], [Fails(4, LookupError("x"))], LookupError, "LookupError('x')"),
    "memory": ([3, 1, 2, 2], [Fails(3, MemoryError())], MemoryError, "MemoryError()"),
    "exit": ([3, 1, 2, 2], [Fails(3, SystemExit(3))], SystemExit, "SystemExit(3)"),
    "ctrl-c": ([3, 1, 2, 2], [Interrupts(3)], None, "interrupted"),
    "ctrl-c twice": ([3, 1, 2, 2], [Interrupts(4, 2)], KeyboardInterrupt, "interrupted"),
    "raised": ([3, 1, 2], [Fails(3, KeyboardInterrupt())], KeyboardInterrupt, "interrupted"),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_the_best_weights_are_restored_however_fit_ends(end, capsys):
    values, callbacks, error, stopped = ENDS[end]
    trainer = scripted(values)
    early = EarlyStopping(patience=4)
    with pytest.raises(error) if error else contextlib.nullcontext():
        fit(trainer, stop=[early, *callbacks])
    assert trainer.model.weight.item() == 2 and trainer.model.epochs.item() == 2
    assert trainer.history.best_epoch == early.best_epoch == 2 and early.best == 1
    assert str(trainer.history.stopped).startswith(str(stopped))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert ("ending after this step" in capsys.readouterr().err) is end.startswith("ctrl-c")


def test_the_last_weights_can_be_left():
    trainer = scripted([3, 1, 2])
    fit(trainer, stop=EarlyStopping(restore_best=False))
    assert trainer.model.weight.item() == 3 and trainer.history.best_epoch == 2


def test_no_improvement_at_all_leaves_the_last_weights():
    trainer = scripted([float("nan")] * 3, check_finite=False)
    fit(trainer, stop=EarlyStopping(patience=2))
    assert trainer.model.weight.item() == 2 and len(trainer.history) == 2


def test_the_best_so_far_is_kept_for_the_same_trainer_and_not_for_another():
    early = EarlyStopping(patience=2)
    trainer = scripted([3, 1, 2, 2, 2, 2, 0.5])
    fit(trainer, 4, stop=early)
    assert len(trainer.history) == 4 and trainer.model.epochs.item() == 2
    trainer.model.epochs.fill_(4)
    fit(trainer, 3, stop=early)  # waits anew, for something better than 1
    assert early.best == 1 and len(trainer.history) == 6 and early.best_epoch == 2
    other = scripted([5, 4, 6])
    fit(other, stop=early)
    assert early.best == 4 and other.model.weight.item() == 2


# --- Ctrl-C -----------------------------------------------------------------------------

PROGRAM = """
    import json, os, signal, sys, time
    import tensorgrad as torch
    from tensorgrad import nn, optim
    from tensorgrad.train import Callback, EarlyStopping, Trainer

    # A shell starts background jobs with the signal ignored, and what they start inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    class Slow(Callback):
        def on_batch_end(self, trainer):
            time.sleep(0.01)
            if trainer.iteration == 12:
                print("running", flush=True)

    torch.manual_seed(0)
    x = torch.randn(32, 3)
    y = (x[:, 0] > 0).long()
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.05),
                      callbacks=[Slow()])
    early = EarlyStopping("train_loss", None)
    history = trainer.fit((x, y), epochs=10**6, batch_size=8, stop=early, num_workers={workers},
                          progress=False, checkpoint_dir=sys.argv[1], checkpoint_every=10**6)
    best = all(torch.equal(early.best_weights[k], v) for k, v in model.state_dict().items())
    state = torch.load(os.path.join(sys.argv[1], os.listdir(sys.argv[1])[0]))
    print(json.dumps({{
        "stopped": history.stopped, "best": best, "usable": trainer.predict(x).shape[0],
        "iterations": [trainer.iteration, state["position"]["iteration"], len(history.losses)],
        "handler": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    }}))
"""


@needs_posix
@pytest.mark.parametrize("workers", [0, 1])
def test_ctrl_c_to_a_real_process(tmp_path, workers):
    """The model is usable and the best one, and the checkpoint holds where it was."""
    text = textwrap.dedent(PROGRAM).format(workers=workers)
    with subprocess.Popen(
        [sys.executable, "-c", text, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    ) as running:  # fmt: skip
        try:
            line = running.stdout.readline()
            assert line == "running\n", running.stderr.read()
            os.killpg(running.pid, signal.SIGINT)  # as a terminal does, to workers too
            out, err = running.communicate(timeout=120)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == 0, err
    result = json.loads(out)
    assert result["stopped"] == "interrupted" and result["best"] and result["handler"]
    assert result["usable"] == 32 and len(set(result["iterations"])) == 1
    assert err.strip() == "interrupted: ending after this step; again to end at once"


def test_a_handler_of_the_program_is_left_alone():
    got = []
    before = signal.signal(signal.SIGINT, lambda *_: got.append(1))
    try:
        trainer = scripted([3, 1, 2])
        history = fit(trainer, stop=Interrupts(2))
        assert got == [1] and history.stopped is None and len(history) == 3
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_signals_are_left_alone():
    trainer = scripted([3, 1, 2])
    thread = threading.Thread(target=fit, args=(trainer,), kwargs={"stop": EarlyStopping()})
    thread.start()
    thread.join()
    assert trainer.model.weight.item() == 2 and len(trainer.history) == 3


def test_a_ctrl_c_that_comes_too_late_is_not_lost():
    class Late(Callback):
        def on_fit_end(self, trainer):
            os.kill(os.getpid(), signal.SIGINT)

    trainer = scripted([3, 1, 2])
    with pytest.raises(KeyboardInterrupt):
        fit(trainer, stop=[Late(), EarlyStopping()])
    assert trainer.model.weight.item() == 2 and trainer.history.stopped is None


# --- progress ---------------------------------------------------------------------------


def test_without_a_terminal_there_is_a_plain_line_for_each_epoch(capsys):
    fit(scripted([3, 1, 2]), stop=StopLoss(1.5, "valid_loss"), progress=None)
    out, err = capsys.readouterr()
    first, second, last = out.splitlines()
    assert first.startswith("epoch 1/3  train_loss 0  train_score 0  valid_loss 3  valid_score 3")
    assert second.endswith(" s") and "lr 1" in second
    assert last == "stopped: valid_loss 1 is below 1.5" and err == ""


def test_nothing_is_printed_if_so_asked(capsys):
    fit(scripted([3, 1, 2]), stop=StopLoss(1.5, "valid_loss"), progress=False)
    assert capsys.readouterr() == ("", "")


class Terminal:
    """A stream that says it is one."""

    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_in_a_terminal_there_is_a_bar_for_each_epoch(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    fit(scripted([3, 1, 2]), stop=StopLoss(1.5, "valid_loss"), progress=None)
    assert capsys.readouterr().out == ""
    assert "epoch 1/3: 100%" in terminal.text and "valid_loss=3" in terminal.text
    assert "epoch 2/3: 100%" in terminal.text and "epoch 3" not in terminal.text
    assert terminal.text.endswith("\nstopped: valid_loss 1 is below 1.5\n")


def test_an_interrupted_bar_is_closed(monkeypatch):
    pytest.importorskip("tqdm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(LookupError):
        fit(scripted([3, 1]), stop=Fails(2, LookupError()), progress="bar")
    fit(scripted([3, 1]), stop=Interrupts(2), progress="bar")
    assert terminal.text.endswith("\nstopped: interrupted\n")


@pytest.mark.parametrize("terminal", [True, False])
def test_without_tqdm_there_are_lines(monkeypatch, capsys, terminal):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(progress, "_is_terminal", lambda stream: terminal)
    fit(scripted([3, 1]), progress="bar" if not terminal else None)
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("widgets", [True, False])
def test_in_a_notebook_there_is_its_own_bar(monkeypatch, capsys, widgets):
    """Without ipywidgets, the real tqdm.notebook raises at the first bar: then text does."""

    class ZMQInteractiveShell:
        pass

    made = []

    class tqdm:
        def __init__(self, **options):
            made.append(options["desc"])

        def update(self):
            pass

        set_postfix = close = lambda self, *_: None

    ipython = types.SimpleNamespace(get_ipython=ZMQInteractiveShell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "tqdm.notebook", types.SimpleNamespace(tqdm=tqdm))
    monkeypatch.setitem(sys.modules, "ipywidgets", types.SimpleNamespace() if widgets else None)
    fit(scripted([3, 1]), progress=None)
    assert made == (["epoch 1/2", "epoch 2/2"] if widgets else [])
    assert ("epoch 2/2: 100%" in capsys.readouterr().err) is not widgets


@pytest.mark.parametrize("stream", [None, types.SimpleNamespace()])
def test_streams_that_cannot_say_are_no_terminals(stream):
    assert not progress._is_terminal(stream)


@needs_posix
def test_a_pipe_that_was_closed_does_not_lose_the_weights():
    """``python train.py | head -1``: an error of the output is one like any other."""
    text = """
        import os, sys
        sys.path.insert(0, sys.argv[1])
        from test_train_callbacks import EarlyStopping, fit, scripted
        trainer = scripted([3, 1, 2, 2, 2, 2])
        reading, writing = os.pipe()
        os.close(reading)
        sys.stdout = os.fdopen(writing, "w")
        try:
            fit(trainer, stop=EarlyStopping(), progress="lines")
        except BrokenPipeError:
            print(trainer.model.weight.item(), trainer.history.stopped, file=sys.stderr)
        os._exit(0)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(text), str(HERE)],
                         capture_output=True, text=True)  # fmt: skip
    assert run.stderr == "1.0 BrokenPipeError(32, 'Broken pipe')\n"


# --- logs -------------------------------------------------------------------------------


def test_csv_log_is_written_as_the_fit_goes(tmp_path):
    seen = []

    class Looking(Callback):
        def on_epoch_end(self, trainer):
            seen.append(len(path.read_text().splitlines()))

    path = tmp_path / "log.csv"
    trainer = scripted([3, 1, 2], callbacks=[CSVLogger(path), Looking()])
    fit(trainer, 2)
    fit(trainer, 1)
    assert seen == [2, 3, 4]
    trainer.history.to_csv(tmp_path / "all.csv")
    assert path.read_text() == (tmp_path / "all.csv").read_text()


def test_csv_log_after_a_resume_has_no_line_twice(tmp_path):
    def run(epochs, **options):
        log = CSVLogger(tmp_path / "log.csv")
        fit(scripted([3, 1, 2, 4]), epochs, stop=log, checkpoint_dir=tmp_path / "c", **options)
        lines = (tmp_path / "log.csv").read_text().splitlines()
        return [line.rpartition(",")[0] for line in lines]  # no seconds

    run(2)
    (tmp_path / "log.csv").write_text("what was written after the checkpoint\n")
    resumed = run(4, resume=True)
    assert [line.split(",")[0] for line in resumed] == ["epoch", "1", "2", "3", "4"]


def test_csv_log_begins_anew_where_the_columns_change(tmp_path):
    trainer = scripted([3, 1, 2], callbacks=[CSVLogger(tmp_path / "log.csv")])
    trainer.fit((X, X), epochs=1, progress=False)
    trainer.model.epochs.fill_(0)
    fit(trainer, 1)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert len(lines) == 3 and "valid_loss" in lines[0]


def test_csv_log_on_a_full_disk_warns_once_loses_nothing_and_recovers(tmp_path, monkeypatch):
    path, seen = tmp_path / "log.csv", []

    def full(*args, **kwargs):
        if len(seen) in (2, 3):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return open(*args, **kwargs)

    class Looking(Callback):
        def on_epoch_end(self, trainer):
            seen.append([line.split(",")[0] for line in path.read_text().splitlines()])

    for module in (logs, files):
        monkeypatch.setattr(module, "open", full, raising=False)
    trainer = scripted([3, 1, 2, 5, 4], callbacks=[CSVLogger(path), Looking()])
    with pytest.warns(RuntimeWarning, match="log.csv could not be written.*No space") as caught:
        fit(trainer)
    assert len(caught) == 1
    whole = ["epoch", "1", "2", "3", "4", "5"]
    assert seen == [whole[:2], whole[:3], whole[:3], whole[:3], whole]


def test_csv_log_that_cannot_be_is_refused_before_training(tmp_path):
    trainer = scripted([3, 1])
    with pytest.raises(RuntimeError, match="nowhere does not exist"):
        fit(trainer, stop=CSVLogger(tmp_path / "nowhere" / "log.csv"))
    with pytest.raises(OSError, match="directory"):
        fit(trainer, stop=CSVLogger(tmp_path))
    assert trainer.iteration == 0


class Writer:
    """What tensorboardX's SummaryWriter is asked for."""

    made: list = []  # noqa: RUF012

    def __init__(self, log_dir, purge_step=None):
        self.log_dir, self.purge_step, self.scalars, self.open = log_dir, purge_step, [], True
        Writer.made.append(self)

    def add_scalar(self, tag, value, step):
        self.scalars.append((tag, value, step))

    def flush(self):
        pass

    def close(self):
        self.open = False


def test_tensorboard_log(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", types.SimpleNamespace(SummaryWriter=Writer))
    Writer.made.clear()
    x = torch.zeros(4, 1)

    def run(**options):
        trainer = scripted([3] * 4 + [1] * 4 + [2] * 4)  # four batches an epoch
        trainer.fit((x, x), (x, x), batch_size=1, progress=False, checkpoint_dir=tmp_path / "c",
                    stop=TensorBoardLogger(tmp_path / "log", every=3), **options)  # fmt: skip
        return trainer.history

    history = run(epochs=2)
    run(epochs=3, resume=True)
    first, second = Writer.made
    assert not first.open and first.log_dir == str(tmp_path / "log") and first.purge_step is None
    by_tag = {}
    for tag, value, step in first.scalars:
        by_tag.setdefault(tag, []).append((step, value))
    assert by_tag["loss/valid"] == [(4, 3.0), (8, 1.0)]
    assert by_tag["loss/train"] == list(zip((4, 8), history["train_loss"], strict=True))
    assert by_tag["loss/iteration"] == [(3, history.losses[2]), (6, history.losses[5])]
    assert set(by_tag) == {"epoch", "loss/train", "score/train", "loss/valid", "score/valid", "lr",
                           "seconds", "loss/iteration"}  # fmt: skip
    assert second.purge_step == 9 and {step for *_, step in second.scalars} == {9, 12}


def test_tensorboard_log_by_the_real_writer(tmp_path):
    pytest.importorskip("tensorboardX")
    fit(scripted([3, 1]), stop=TensorBoardLogger(tmp_path))
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    assert file.name.startswith("events.out.tfevents") and b"loss/valid" in content


def test_tensorboard_log_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    trainer = scripted([3, 1])
    with pytest.raises(ImportError, match=r'pip install "tensorgrad\[tensorboard\]"'):
        fit(trainer, stop=TensorBoardLogger("x"))
    assert trainer.iteration == 0


def test_plot_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    history = fit(scripted([3, 1]))
    with pytest.raises(ImportError, match=r'pip install "tensorgrad\[plot\]"'):
        history.plot()
