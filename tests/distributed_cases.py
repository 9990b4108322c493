"""What several processes do in tests/test_distributed.py: run under mpiexec, one case a launch.

``mpiexec -n 2 python -m tensorgrad.distributed tests/distributed_cases.py CASE FOLDER [ARGS]``;
each process leaves what it found in FOLDER as ``CASE-<rank>.safetensors``.
"""

import os
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np

import tensorgrad as torch
import tensorgrad.distributed as dist
from tensorgrad import nn, optim, train
from tensorgrad.nn.parallel import DistributedDataParallel
from tensorgrad.train import Callback
from tensorgrad.utils.data import DataLoader, DistributedSampler, TensorDataset

GLOBAL_BATCH = 12
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def same(found, wanted, what=""):
    found = np.asarray(found)
    assert found.dtype == np.asarray(wanted).dtype and np.array_equal(found, wanted), (
        what, found, wanted
    )  # fmt: skip


def raises(kind, words, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as error:
        assert words in str(error), f"{words!r} is not in {error}"
    else:
        raise AssertionError(f"no {kind.__name__}: {words}")


# --- exchanges --------------------------------------------------------------------------------


def contribution(rank, dtype, shape=(2, 3)):
    values = np.arange(1, 1 + np.prod(shape, dtype=int)).reshape(shape) + rank
    return values.astype(dtype)


REDUCTIONS = {
    "sum": lambda a: a.sum(0), "avg": lambda a: a.mean(0), "product": lambda a: a.prod(0),
    "min": lambda a: a.min(0), "max": lambda a: a.max(0),
}  # fmt: skip
BITWISE = {"band": np.bitwise_and, "bor": np.bitwise_or, "bxor": np.bitwise_xor}


@case
def exchanges(folder):
    """Every exchange against NumPy's account of it."""
    rank, size = dist.get_rank(), dist.get_world_size()
    for dtype in ("float32", "float64", "float16", "int64", "int32", "uint8", "complex64"):
        reductions(rank, size, dtype)
        movements(rank, size, dtype)
    flag = torch.tensor([rank == 0, True, False])
    dist.all_reduce(flag, op=dist.ReduceOp.MAX)
    same(flag.numpy(), [True, True, False])
    for name, function in BITWISE.items():
        x = torch.tensor([rank + 1, 7])
        dist.all_reduce(x, op=name)
        wanted = function.reduce([np.array([r + 1, 7]) for r in range(size)])
        same(x.numpy(), wanted, name)
    strided(rank, size)
    objects(rank, size)
    from_one_to_one(rank, size)
    some_of_all(rank, size)
    refused(rank, size)
    return {"fine": torch.ones(1)}


def reductions(rank, size, dtype):
    everyone = np.stack([contribution(r, dtype) for r in range(size)])
    for op, function in REDUCTIONS.items():
        if dtype == "complex64" and op in ("min", "max"):
            continue
        wanted = function(everyone.astype("float64") if dtype == "float16" else everyone)
        wanted = np.floor(wanted).astype(dtype) if "int" in dtype else wanted.astype(dtype)
        x = torch.tensor(contribution(rank, dtype))
        work = dist.all_reduce(x, op=op, async_op=True)
        assert work.wait() and work.is_completed()
        same(x.numpy(), wanted, f"all_reduce {op}")
        y = torch.tensor(contribution(rank, dtype))
        dist.reduce(y, dst=size - 1, op=op)
        same(y.numpy(), wanted if rank == size - 1 else contribution(rank, dtype), f"reduce {op}")
    parts = [torch.tensor(contribution(rank + 10 * i, dtype)) for i in range(size)]
    wanted = np.stack([contribution(r + 10 * rank, dtype) for r in range(size)]).sum(0, dtype=dtype)
    out = torch.zeros_like(parts[0])
    dist.reduce_scatter(out, parts)
    same(out.numpy(), wanted, "reduce_scatter")
    out = torch.zeros_like(parts[0])
    dist.reduce_scatter_tensor(out, torch.cat(parts))
    same(out.numpy(), wanted, "reduce_scatter_tensor")


def movements(rank, size, dtype):
    everyone = [contribution(r, dtype) for r in range(size)]
    mine = torch.tensor(everyone[rank])
    x = mine.clone()
    dist.broadcast(x, src=size - 1)
    same(x.numpy(), everyone[-1], "broadcast")
    out = [torch.zeros_like(mine) for _ in range(size)]
    dist.all_gather(out, mine)
    same(np.stack([t.numpy() for t in out]), np.stack(everyone), "all_gather")
    whole = torch.zeros(2 * size, 3, dtype=mine.dtype)
    dist.all_gather_into_tensor(whole, mine)
    same(whole.numpy(), np.concatenate(everyone), "all_gather_into_tensor")
    out = [torch.zeros_like(mine) for _ in range(size)] if rank == 0 else None
    dist.gather(mine, out, dst=0)
    if rank == 0:
        same(np.stack([t.numpy() for t in out]), np.stack(everyone), "gather")
    x = torch.zeros_like(mine)
    dist.scatter(x, [torch.tensor(a) for a in everyone] if rank == 0 else None, src=0)
    same(x.numpy(), everyone[rank], "scatter")
    rows = torch.tensor(contribution(10 * rank, dtype, (size, 2)))
    x = torch.zeros_like(rows)
    dist.all_to_all_single(x, rows)
    wanted = np.stack([contribution(10 * r, dtype, (size, 2))[rank] for r in range(size)])
    same(x.numpy(), wanted, "all_to_all_single")


def strided(rank, size):
    """A tensor that is not contiguous, a scalar, an empty one."""
    base = torch.zeros(3, 4)
    base[:, ::2] = float(rank + 1)
    dist.all_reduce(base[:, ::2])
    total = float(sum(range(1, size + 1)))
    same(base.numpy(), np.tile(np.array([total, 0], np.float32), (3, 2)), "strided")
    scalar = torch.tensor(float(rank))
    dist.broadcast(scalar, src=size - 1)
    assert scalar.item() == size - 1
    empty = torch.zeros(0, 3)
    dist.all_reduce(empty)
    dist.broadcast(empty)
    x = torch.ones(2, requires_grad=True)
    y = x * x
    dist.all_reduce(x.data)  # what backward needs is written: seen
    raises(RuntimeError, "", y.sum().backward)


def objects(rank, size):
    out = [None] * size
    dist.all_gather_object(out, {"rank": rank, "values": torch.ones(rank), "text": "ü" * rank})
    assert [o["rank"] for o in out] == list(range(size))
    assert [tuple(o["values"].shape) for o in out] == [(r,) for r in range(size)]
    assert [o["text"] for o in out] == ["ü" * r for r in range(size)]
    things = [[1, "two", None], 3.5] if rank == 0 else [None, None]
    dist.broadcast_object_list(things, src=0)
    assert things == [[1, "two", None], 3.5]
    raises(TypeError, "", dist.all_gather_object, out, object())


def from_one_to_one(rank, size):
    right, left = (rank + 1) % size, (rank - 1) % size
    x = torch.zeros(3)
    work = dist.isend(torch.full((3,), float(rank)), right)
    assert dist.recv(x, left) == left
    work.wait()
    same(x.numpy(), np.full(3, left, np.float32), "ring")
    dist.barrier()
    if rank == 0:
        dist.send(torch.tensor([5]), 1, tag=7)
    elif rank == 1:
        x = torch.zeros(1, dtype=torch.int64)
        dist.irecv(x, 0, tag=7).wait()
        assert x.item() == 5


def some_of_all(rank, size):
    group = dist.new_group([size - 1, 0])
    if rank in (0, size - 1):
        assert group.rank() == (0 if rank == size - 1 else 1) and group.size() == 2
        x = torch.tensor([float(rank)])
        dist.all_reduce(x, group=group)
        assert x.item() == size - 1
    else:
        assert group is None
    dist.monitored_barrier(timeout=60)


def refused(rank, size):
    x = torch.zeros(2)
    raises(ValueError, f"src must be a rank in [0, {size}), got {size}", dist.broadcast, x, size)
    raises(ValueError, "op must be one of", dist.all_reduce, x, "median")
    raises(RuntimeError, "op 'band' is not defined for float32", dist.all_reduce, x, "band")
    raises(TypeError, "tensor must be a Tensor, got list", dist.all_reduce, [1.0])
    raises(ValueError, f"a tensor for each of the {size}", dist.all_gather, [x] * (size + 1), x)
    raises(RuntimeError, "tensor_list[0] must be of shape (2,)", dist.all_gather,
           [torch.zeros(3)] * size, x)  # fmt: skip
    raises(ValueError, "dst must be another process than this", dist.send, x, rank)
    raises(ValueError, "gather_list is", dist.gather, x, None if rank == 0 else [x] * size, 0)
    raises(ValueError, "ranks must be different", dist.new_group, [0, 0])
    raises(ValueError, "initialize the default process group twice", dist.init_process_group)


# --- training ---------------------------------------------------------------------------------


class Embedded(nn.Module):
    """An embedding of which most rows are never looked up, tied to the output layer."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(40, 6)
        self.out = nn.Linear(6, 40, bias=False)
        self.out.weight = self.table.weight
        self.unused = nn.Linear(3, 3)

    def forward(self, x):
        return self.out(self.table(x).mean(1))


def network(kind):
    torch.manual_seed(3)
    if kind == "mlp":
        return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 16), nn.ReLU(),
                             nn.Linear(16, 4))  # fmt: skip
    if kind == "conv":
        return nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3),
            nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(24, 4),
        ))  # fmt: skip
    return Embedded()


def batch(kind, step):
    rng = np.random.default_rng([step, len(kind)])
    shape = {"mlp": (5,), "conv": (1, 6, 6)}.get(kind)
    if shape is None:
        x = torch.tensor(rng.integers(0, 10, (GLOBAL_BATCH, 3)))
        return x, torch.tensor(rng.integers(0, 40, GLOBAL_BATCH))
    x = torch.tensor(rng.standard_normal((GLOBAL_BATCH, *shape)))
    return x, torch.tensor(rng.integers(0, 4, GLOBAL_BATCH))


@case
def training(folder, kind, steps="50"):
    """Steps of momentum with clipped gradients on shares of one global batch."""
    torch.set_default_dtype(torch.float64)
    rank, size = dist.get_rank(), dist.get_world_size()
    model = network(kind)
    if rank:  # the parameters of rank 0 are what counts
        for p in model.parameters():
            p.data.add_(1.0)
    wrapped = DistributedDataParallel(model, bucket_cap_mb=0.001)
    optimizer = optim.SGD(wrapped.parameters(), lr=0.1, momentum=0.9)
    share = slice(rank * GLOBAL_BATCH // size, (rank + 1) * GLOBAL_BATCH // size)
    for step in range(int(steps)):
        x, y = batch(kind, step)
        optimizer.zero_grad()
        nn.functional.cross_entropy(wrapped(x[share]), y[share]).backward()
        nn.utils.clip_grad_norm_(wrapped.parameters(), 0.5)
        optimizer.step()
    if kind == "embedding":
        assert model.unused.weight.grad is None
    return dict(model.state_dict())


@case
def gradients(folder):
    """Accumulation, parameters that one process alone uses, outputs that are no tensors."""
    torch.set_default_dtype(torch.float64)
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    model = DistributedDataParallel(nn.Linear(2, 1, bias=False))
    with model.no_sync():
        model(torch.full((1, 2), float(rank))).sum().backward()
    same(model.module.weight.grad.numpy(), np.full((1, 2), float(rank)))
    model(torch.ones(1, 2)).sum().backward()
    same(model.module.weight.grad.numpy(), np.full((1, 2), 1 + (size - 1) / 2))

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.arms = nn.ModuleList(nn.Linear(1, 1, bias=False) for _ in range(size + 1))

        def forward(self, x):
            return {"result": [self.arms[rank](x)], "name": "arm"}

    model = DistributedDataParallel(Branches())
    model(torch.full((1, 1), float(rank + 1)))["result"][0].sum().backward()
    for r, arm in enumerate(model.module.arms):
        if r == size:
            assert arm.weight.grad is None  # nobody's
        else:
            same(arm.weight.grad.numpy(), np.full((1, 1), (r + 1) / size))
    assert model(torch.ones(1, 1))["name"] == "arm"

    torch.manual_seed(100 + rank)
    raises(RuntimeError, "build the same model", DistributedDataParallel, nn.Linear(2, 1 + rank))
    half = DistributedDataParallel(nn.Linear(1, 1, bias=False).half())
    half(torch.full((1, 1), float(rank), dtype=torch.float16)).sum().backward()
    assert half.module.weight.grad.dtype == torch.float16
    same(half.module.weight.grad.numpy(), np.full((1, 1), (size - 1) / 2, np.float16))
    second_order(rank, size)
    return {"fine": torch.ones(1)}


def second_order(rank, size):
    """The gradient of an exchange, twice: for f = total(x)^3, with the sum over processes."""
    x = torch.tensor([1.0 + rank], requires_grad=True)
    total = dist.nn.functional.all_reduce(x)
    (g,) = torch.autograd.grad((total**3).sum(), x, create_graph=True)
    value = sum(1.0 + r for r in range(size))
    np.testing.assert_allclose(g.item(), size * 3 * value**2, rtol=1e-14)
    (h,) = torch.autograd.grad(g.sum(), x)
    np.testing.assert_allclose(h.item(), size**2 * 6 * value, rtol=1e-14)


@case
def normalisation(folder):
    """Synchronised batch normalisation: values, gradients and statistics of the whole batch."""
    torch.set_default_dtype(torch.float64)
    rank, size = dist.get_rank(), dist.get_world_size()
    rng = np.random.default_rng(0)
    everything = rng.standard_normal((4 * size, 3, 2)) * 2 + 5
    weights = torch.tensor(rng.standard_normal((4 * size, 3, 2)))
    for momentum in (0.1, None):
        mine = slice(4 * rank, 4 * rank + 4)
        results = []
        for kind, share in ((nn.BatchNorm1d, slice(None)), (nn.SyncBatchNorm, mine)):
            norm = kind(3, momentum=momentum)
            x = torch.tensor(everything[share], requires_grad=True)
            for _ in range(2):
                y = norm(x)
            (y * weights[share]).sum().backward()
            results.append((y.detach(), x.grad, norm.running_mean, norm.running_var))
        (y, g, *statistics), (y2, g2, *statistics2) = results
        for a, b in ((y[mine], y2), (g[mine], g2), *zip(statistics, statistics2, strict=True)):
            np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-12, atol=1e-12)
    return {"fine": torch.ones(1)}


# --- faults -----------------------------------------------------------------------------------


@case
def failing(folder):
    """One process raises while the others wait for it."""
    if dist.get_rank() == 1:
        raise ValueError("the one that went wrong")
    dist.barrier()


@case
def late(folder):
    """One process does not come."""
    if dist.get_rank() == 1:
        time.sleep(60)
    dist.monitored_barrier(timeout=0.5)


@case
def dying(folder, kills):
    """Processes that die by SIGKILL: ``rank:step:place`` each, counted by ranks at the start.

    The place is ``forward``, ``backward`` or ``step``. Every sample that was used is noted down.
    """
    torch.set_default_dtype(torch.float64)
    me = dist.get_rank()
    plan = [tuple(k.split(":")) for k in kills.split(",") if k]

    def perhaps(step, place):
        if any((int(r), int(s), p) == (me, step, place) for r, s, p in plan):
            os.kill(os.getpid(), signal.SIGKILL)

    x = torch.tensor(np.random.default_rng(0).standard_normal((96, 5)))
    data = TensorDataset(x, torch.arange(96) % 4, torch.arange(96))
    model = DistributedDataParallel(network("mlp"))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    sampler = DistributedSampler(data, seed=1)
    log = open(Path(folder) / f"used-{me}.txt", "a")
    step = 0
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for a, b, index in DataLoader(data, batch_size=4, sampler=sampler):
            perhaps(step, "forward")
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(a), b)
            if any((int(r), int(s), p) == (me, step, "backward") for r, s, p in plan):
                model.module[0].weight.register_hook(lambda g: os.kill(os.getpid(), signal.SIGKILL))
            loss.backward()
            log.write(f"{epoch} {' '.join(map(str, index.tolist()))}\n")
            log.flush()
            perhaps(step, "step")
            optimizer.step()
            step += 1
    dist.barrier()
    group = dist.group_of(None)
    state = dict(model.module.state_dict())
    return {**state, "members": torch.tensor(group.members), "steps": torch.tensor(step)}


# --- the Trainer --------------------------------------------------------------------------------


class At(Callback):
    """Calls a function at one iteration in one process."""

    def __init__(self, rank, iteration, function):
        self.here, self.iteration, self.function = dist.get_rank() == rank, iteration, function

    def on_batch_end(self, trainer):
        if self.here and trainer.iteration == self.iteration:
            self.function(trainer)


class Evaluating(Callback):
    """Evaluates in the midst of each epoch, in all processes."""

    def __init__(self, data):
        self.data = data

    def on_batch_end(self, trainer):
        if trainer.batch == 2:
            trainer.evaluate(self.data)


def kill(trainer):
    os.kill(os.getpid(), signal.SIGKILL)


def classes(n):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((n, 5))
    return torch.tensor(x), torch.tensor((x[:, 0] > x[:, 1]) + 2 * (x[:, 2] > 0))


def trainer_of(**options):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.0),
                          nn.Linear(8, 4))  # fmt: skip
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    adam = optim.Adam(model.parameters(), lr=0.02)
    return train.Trainer(model, nn.CrossEntropyLoss(), adam, metrics=["accuracy"], **options)


def outcome(trainer):
    """Weights and what the history says, as tensors."""
    rows = [[v for k, v in row.items() if k != "seconds"] for row in trainer.history.epochs]
    state = {f"model.{k}": v.clone() for k, v in trainer.model.state_dict().items()}
    return {**state, "history": torch.tensor(rows), "stopped": trainer.history.stopped or "",
            "iteration": trainer.iteration}  # fmt: skip


@case
def fitting(folder, accumulate="1"):
    """The same global batches of 24 whatever the number of processes; 120 samples, 50 to check."""
    torch.set_default_dtype(torch.float64)
    size = dist.get_world_size()
    x, y = classes(170)
    midst = Evaluating((x[120:], y[120:]))
    trainer = trainer_of(accumulate=int(accumulate), clip_norm=1.0, callbacks=[midst])
    checkpoints = Path(folder) / "checkpoints"
    stop = [train.EarlyStopping(patience=2), train.CSVLogger(Path(folder) / "log.csv")]
    trainer.fit((x[:120], y[:120]), (x[120:], y[120:]), epochs=6, batch_size=24 // size, stop=stop,
                checkpoint_dir=checkpoints, progress="lines")  # fmt: skip
    found = outcome(trainer)
    found["evaluated"] = torch.tensor(list(trainer.evaluate((x[120:], y[120:])).values()))
    return found


@case
def stopping(folder):
    """One process asks to stop; one has a loss that is not a number; one decision for all."""
    torch.set_default_dtype(torch.float64)
    x, y = classes(96)
    trainer = trainer_of(callbacks=[At(1, 7, lambda t: t.stop("rank 1 has had enough"))])
    bad = x.clone()
    bad[1] = float("nan")  # of rank 1 alone
    measured = trainer.evaluate((bad, y))
    assert list(measured) == ["loss", "accuracy"] and np.isnan(list(measured.values())).all()
    trainer.fit((x, y), epochs=5, batch_size=8, progress=False)
    first = outcome(trainer)
    assert first["stopped"] == "rank 1 has had enough", first["stopped"]

    def spoil(trainer):
        trainer.loss = lambda output, target: output.sum() * float("nan")

    trainer = trainer_of(callbacks=[At(1, 4, spoil)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit((x, y), epochs=5, batch_size=8, progress=False)
    second = outcome(trainer)
    assert "nan" in second["stopped"], second["stopped"]
    lbfgs = optim.LBFGS(trainer.model.parameters())
    searching = train.Trainer(trainer.model, nn.CrossEntropyLoss(), lbfgs)
    raises(ValueError, "LBFGS", searching.fit, (x, y), epochs=1, progress=False)
    return {**first, **{f"nan.{k}": v for k, v in second.items()}}


@case
def resumed(folder, kill_at="0"):
    """Checkpoints of every five steps; killed at an iteration, unless that is 0."""
    rank = dist.get_rank()
    x, y = classes(200)
    x = x.float()
    trainer = trainer_of(callbacks=[At(1, int(kill_at), kill)])
    trainer.model[3].p = 0.3  # masks from each process's own generator
    torch.manual_seed(10 + rank)
    trainer.fit((x, y), (x[:30], y[:30]), epochs=4, batch_size=8, progress=False, resume="auto",
                checkpoint_dir=Path(folder) / "checkpoints", checkpoint_steps=5)  # fmt: skip
    return outcome(trainer)


@case
def bereaved(folder, kills):
    """Fits that lose processes, under fault tolerance."""
    torch.set_default_dtype(torch.float64)
    x, y = classes(192)
    callbacks = [At(int(rank), int(step), kill) for rank, step in
                 (k.split(":") for k in kills.split(","))]  # fmt: skip
    trainer = trainer_of(callbacks=callbacks)
    trainer.fit((x, y), (x[:31], y[:31]), epochs=3, batch_size=8, progress=False)
    return {**outcome(trainer), "members": torch.tensor(dist.group_of(None).members)}


@case
def estimating(folder):
    """scikit-learn's interface."""
    x, y = classes(120)
    estimator = train.Classifier(hidden_sizes=(8,), epochs=3, random_state=0)
    estimator.fit(x.numpy(), y.numpy())
    return {"scores": torch.tensor(estimator.predict_proba(x.numpy()))}


def main():
    name, folder, *rest = sys.argv[1:]
    dist.init_process_group()
    me = dist.get_rank()
    found = CASES[name](folder, *rest)
    if found is not None:
        torch.save(found, Path(folder) / f"{name}-{me}.safetensors")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
