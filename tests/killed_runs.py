"""Runs that are killed and resumed, for test_train_checkpoints.

    python killed_runs.py FOLDER

prints, as JSON, a list of what came of each: the kind of run, where it was killed, how often it
really was, and whether its end equals that of the run that nobody killed. Every run is a process of
its own, forked from this one, which has tensorgrad imported and nothing trained.
"""

import hashlib
import itertools
import json
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy as np

import tensorgrad as torch
from tensorgrad import nn, optim
from tensorgrad.train import Callback, EarlyStopping, Trainer
from tensorgrad.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler

EPOCHS, STEPS = 6, 30  # of every kind


class Killed(Callback):
    """Kills the process by SIGKILL after a batch."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, trainer):
        if trainer.iteration == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


class Slow(Callback):
    """Gives others the time to kill it."""

    def on_batch_end(self, trainer):
        time.sleep(0.002)


class Noisy(Dataset):
    """Samples with noise from all three default generators."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        noise = np.random.normal() + random.gauss(0, 1)  # noqa: NPY002
        return self.x[i] + 0.1 * (torch.randn(3) + noise), self.y[i]


def net():
    """With dropout, batch statistics, and a weight that two layers share."""
    model = nn.Sequential(
        nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2),
    )  # fmt: skip
    model[5].weight = model[4].weight
    return model


def data():
    x = torch.randn(40, 3)
    return x, (x[:, 0] > x[:, 1]).long()


def arrays():
    x, y = data()
    return {"train": (x, y), "batch_size": 8}


def loader():
    """A DataLoader that draws its order from the default generator."""
    return {"train": DataLoader(TensorDataset(*data()), batch_size=8, shuffle=True)}


def weighted():
    """One with a sampler and a generator of their own."""
    generator = torch.Generator().manual_seed(5)
    sampler = WeightedRandomSampler(torch.arange(1.0, 41.0), 40, generator=generator)
    return {"train": DataLoader(TensorDataset(*data()), batch_size=8, sampler=sampler)}


def workers():
    return {"train": DataLoader(TensorDataset(*data()), batch_size=8, shuffle=True, num_workers=1)}


def noisy():
    return {"train": Noisy(*data()), "batch_size": 8}


def adam(model):
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    return optimizer, {"scheduler": optim.lr_scheduler.StepLR(optimizer, 2, 0.5)}


def momentum(model):
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=100)
    return optimizer, {"scheduler": schedule, "scheduler_step": "batch", "clip_norm": 1.0}


def accumulated(model):
    optimizer = optim.RMSprop(model.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    return optimizer, {"scheduler": schedule, "accumulate": 3}


def error_rate(output, target):
    return (output.argmax(1) != target).float().mean()


KINDS = {
    "arrays": (arrays, adam),
    "loader": (loader, momentum),
    "weighted": (weighted, accumulated),
    "noisy": (noisy, adam),
    "workers": (workers, adam),
}


def train(kind, folder=None, callbacks=(), **options):
    """Train from the start, or from the checkpoints in ``folder``; a digest of where it ended."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    make_data, make_optimizer = KINDS[kind]
    given, model = make_data(), net()
    optimizer, settings = make_optimizer(model)
    trainer = Trainer(
        model, nn.CrossEntropyLoss(), optimizer, callbacks=callbacks,
        metrics={"accuracy": "accuracy", "errors": error_rate}, **settings,
    )  # fmt: skip
    if folder is not None:
        options = {"checkpoint_dir": folder, "resume": "auto", "checkpoint_steps": 4, **options}
    history = trainer.fit(
        valid=data(), epochs=EPOCHS, stop=EarlyStopping("valid_errors", 5), progress=False,
        **given, **options,
    )  # fmt: skip
    return digest(model, optimizer, history)


def digest(model, optimizer, history):
    """A hash of the parameters, buffers, optimizer's state and history; no times."""
    sha = hashlib.sha256()
    state = optimizer.state_dict()["state"]
    tensors = [*model.state_dict().values(), *(t for s in state.values() for t in s.values())]
    for tensor in tensors:
        sha.update(np.asarray(tensor).tobytes())
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history.epochs]
    sha.update(json.dumps([rows, history.losses, history.best_epoch, history.stopped]).encode())
    return sha.hexdigest()


def forked(function, *args, kill_after=None):
    """Run it in a process of its own; its return value, or the signal that ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.write(writing, json.dumps(function(*args)).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return -os.WTERMSIG(status)
    if status:
        raise SystemExit(f"a run failed: {status}")
    return json.loads(text)


def killed_at(kind, folder, step):
    return train(kind, folder, [Killed(step)])


def killed_in(kind, folder, function, count):
    """Killed as the ``count``-th call of a function of ``os`` begins: in the midst of a write."""
    original, calls = getattr(os, function), itertools.count(1)

    def killing(*args):
        if next(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args)

    setattr(os, function, killing)
    return train(kind, folder)


def slowly(kind, folder):
    return train(kind, folder, [Slow()])


def cases(chance):
    """The kind of run, and the ways in which it is killed, one after the other."""
    for kind in ("arrays", "loader", "weighted", "noisy"):
        for _ in range(5):
            yield kind, [(killed_at, chance.randint(1, STEPS))]
    yield "workers", [(killed_at, chance.randint(1, STEPS))]
    yield "noisy", [(killed_at, step) for step in sorted(chance.sample(range(1, STEPS), 3))]
    for function in ("fsync", "replace"):
        yield "arrays", [(killed_in, function, chance.randint(1, 6))]
    for kind in ("arrays", "loader", "weighted"):
        yield kind, [(slowly, chance.uniform(0.0, 0.1)) for _ in range(2)]


def run(kind, ways, folder):
    """Kill, resume, and so on to the end; (how often it was killed, the digest at the end)."""
    count = 0
    for function, *how in ways:
        if function is slowly:
            ended = forked(slowly, kind, folder, kill_after=how[0])
        else:
            ended = forked(function, kind, folder, *how)
        count += ended == -signal.SIGKILL
    return count, forked(train, kind, folder)


def main(folder):
    expected = {kind: forked(train, kind) for kind in KINDS}
    results = []
    for i, (kind, ways) in enumerate(cases(random.Random(1))):
        count, ended = run(kind, ways, str(Path(folder) / str(i)))
        how = ", ".join(f"{function.__name__} {how}" for function, *how in ways)
        results.append([kind, how, count, ended == expected[kind]])
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
