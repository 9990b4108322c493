"""Several processes: exchanges, equal training, faults. Run under mpiexec where it is installed."""

import importlib.util
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as torch
import tensorgrad.distributed as dist
from tensorgrad import nn
from tensorgrad._graph import queue_callback
from tensorgrad.distributed import environment
from tensorgrad.distributed.__main__ import share_of
from tensorgrad.distributed.reducer import FIRST_BUCKET, assign
from tensorgrad.utils.data import DistributedSampler

ROOT = Path(__file__).parent.parent
CASES = ROOT / "tests" / "distributed_cases.py"
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")

needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None,
    reason='mpiexec and mpi4py are not installed: pip install "tensorgrad[mpi]"',
)


def clean_environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMI", "PRTE"))}
    env |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}  # as CI does
    return env | {"OMP_NUM_THREADS": "1"}


def mpi(size, *command, options=(), timeout=120):
    """Run ``command`` in ``size`` processes."""
    line = [MPIEXEC, "-n", str(size), "--oversubscribe", *options, sys.executable, *command]
    return subprocess.run(
        line, capture_output=True, text=True, timeout=timeout, env=clean_environment(), cwd=ROOT
    )


def run_case(size, name, folder, *args, **kwargs):
    return mpi(size, "-m", "tensorgrad.distributed", str(CASES), name, str(folder), *args, **kwargs)


def found(folder, name, size):
    return [torch.load(folder / f"{name}-{rank}.safetensors") for rank in range(size)]


# --- one process ------------------------------------------------------------------------------


@pytest.fixture
def alone():
    dist.init_process_group("nccl")
    yield
    dist.destroy_process_group()


def test_one_process_needs_no_mpi(tmp_path):
    code = (
        f"import sys; sys.argv = ['x', 'training', {str(tmp_path)!r}, 'mlp', '3']; "
        f"sys.path.insert(0, {str(CASES.parent)!r}); import distributed_cases as c; c.main(); "
        "assert 'mpi4py' not in sys.modules"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "training-0.safetensors").exists()


def test_a_group_of_one(alone):
    assert dist.is_available() and dist.is_initialized()
    assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (0, 1, "mpi")
    x = torch.tensor([1.0, 2.0])
    for op in ("sum", "avg", "min", "max", "product"):
        assert dist.all_reduce(x, op=op, async_op=True).wait()
    dist.broadcast(x, 0)
    dist.barrier()
    out = [torch.zeros(2)]
    dist.all_gather(out, x)
    assert out[0].tolist() == x.tolist() == [1.0, 2.0]
    parts = torch.zeros(2)
    dist.reduce_scatter(parts, [x])
    dist.scatter(parts, [parts + 1], src=0)
    assert parts.tolist() == [2.0, 3.0]
    with pytest.raises(ValueError, match="dst must be another process than this, rank 0"):
        dist.send(x, 0)
    assert dist.new_group([0]).size() == 1
    assert list(DistributedSampler(range(3), shuffle=False)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"backend": "carrier pigeon"}, "backend must be one of gloo, mpi"),
        ({"timeout": 0}, "timeout must be positive, got 0"),
        ({"world_size": 4}, "world_size=4, but this process was launched as rank 0 of 1; start"),
        ({"rank": 2}, "rank=2, but this process was launched as rank 0 of 1"),
    ],
)
def test_bad_groups(kwargs, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        dist.init_process_group(**kwargs)
    assert not dist.is_initialized()


def test_without_a_group():
    for call in (dist.get_rank, dist.get_world_size, dist.barrier):
        with pytest.raises(ValueError, match="Default process group has not been initialized"):
            call()
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        nn.parallel.DistributedDataParallel(nn.Linear(1, 1))


def test_mpi4py_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    with pytest.raises(ImportError, match=re.escape('pip install "tensorgrad[mpi]"')):
        dist.init_process_group()
    assert not dist.is_initialized()


def test_wrapping_a_module_alone(alone):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    wrapped = nn.parallel.DistributedDataParallel(model)
    assert next(iter(wrapped.state_dict())) == "module.0.weight"
    with wrapped.no_sync():
        wrapped(torch.randn(4, 2)).sum().backward()
    assert model[0].weight.grad is not None
    with pytest.raises(RuntimeError, match="doesn't have any parameter that requires a gradient"):
        nn.parallel.DistributedDataParallel(nn.ReLU())
    with pytest.raises(ValueError, match="bucket_cap_mb must be positive, got 0"):
        nn.parallel.DistributedDataParallel(model, bucket_cap_mb=0)


def test_synchronised_batch_norm_alone_is_batch_norm():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.BatchNorm2d(2)))
    x = torch.randn(2, 1, 5, 5)
    wanted = model(x)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    torch.manual_seed(0)
    other = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.BatchNorm2d(2)))
    other = nn.SyncBatchNorm.convert_sync_batchnorm(other)
    assert type(other[1]) is type(other[2][0]) is nn.SyncBatchNorm
    assert torch.equal(other(x), wanted)
    assert all(torch.equal(v, state[k]) for k, v in other.state_dict().items())
    with pytest.raises(ValueError, match="expected at least 2D input"):
        nn.SyncBatchNorm(2)(torch.ones(2))


def test_buckets_go_from_the_last_parameter_to_the_first():
    big = torch.zeros(FIRST_BUCKET // 4)
    small = [torch.zeros(3) for _ in range(3)]
    double = torch.zeros(2, dtype=torch.float64)
    buckets = assign([double, big, *small], capacity=4 * FIRST_BUCKET)
    assert [len(b) for b in buckets] == [3, 1, 1]
    assert buckets[0][0] is small[2] and buckets[1][0] is big and buckets[2][0] is double


def test_cores_are_shared_out():
    for count in range(1, 9):
        for size in range(1, 9):
            shares = [share_of(list(range(count)), size, rank) for rank in range(size)]
            assert all(shares)
            if size <= count:
                assert sorted(core for share in shares for core in share) == list(range(count))


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ({"OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "5",
          "OMPI_COMM_WORLD_LOCAL_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}, (8, 5, 4, 1)),
        ({"PMI_SIZE": "3", "PMI_RANK": "2"}, (3, 2, 3, 2)),
        ({"SLURM_NTASKS": "6", "PMIX_RANK": "4", "SLURM_LOCALID": "0"}, (6, 4, 6, 0)),
        ({"SLURM_NTASKS": "6"}, (1, 0, 1, 0)),  # the batch script itself
    ],
)  # fmt: skip
def test_what_the_launcher_says(names, wanted, monkeypatch):
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    assert environment.launched() == wanted


def test_the_launcher_explains_itself(tmp_path):
    def launch(*args):
        return subprocess.run([sys.executable, "-m", "tensorgrad.distributed", *args],
                              capture_output=True, text=True, cwd=tmp_path)  # fmt: skip

    assert launch().returncode == 2
    help = launch("--help")
    assert help.returncode == 0 and "mpiexec -n 8" in help.stdout
    assert "error: there is no script nowhere.py" in launch("nowhere.py").stderr
    (tmp_path / "s.py").write_text("import os, sys; print(sys.argv, os.environ['RANK'])")
    assert launch("s.py", "-x").stdout.strip() == "['s.py', '-x'] 0"
    assert launch("-m", "s", "y").stdout.strip().endswith("'y'] 0")


def test_callbacks_run_at_the_end_of_their_own_pass():
    """One that a hook queues, also where a pass runs within another; none after an error."""
    events = []

    def note(name):
        return lambda g: queue_callback(lambda: events.append(name))

    def within(g):
        with torch.enable_grad():
            inner = torch.ones(1, requires_grad=True)
            inner.register_hook(note("inner"))
            (inner * 2).sum().backward()
        events.append("back in the outer")

    x = torch.ones(1, requires_grad=True)
    y = x * 3
    z = y * 2
    z.register_hook(note("outer"))
    y.register_hook(within)
    z.sum().backward()
    assert events == ["inner", "back in the outer", "outer"]

    def fail(g):
        raise ArithmeticError("in the pass")

    events.clear()
    x = torch.ones(1, requires_grad=True)
    y = x * 1
    y.register_hook(note("never"))
    x.register_hook(fail)
    with pytest.raises(ArithmeticError):
        y.sum().backward()
    torch.ones(1, requires_grad=True).sum().backward()
    assert events == []


# --- what is dealt after a death ----------------------------------------------------------------


class Members:
    """Stands for a group whose members die."""

    def __init__(self, members, me):
        self.members, self.me = members, me

    def size(self):
        return len(self.members)

    def rank(self):
        return self.members.index(self.me)


@pytest.mark.parametrize("n", [0, 1, 13, 40])
@pytest.mark.parametrize("drop_last", [False, True])
def test_what_the_dead_had_drawn_is_dealt_anew(n, drop_last):
    """Four processes; the third dies in its third batch of 2, then the first in its next."""
    samplers = [DistributedSampler(range(n), 4, m, seed=3, drop_last=drop_last) for m in range(4)]
    dealings = [iter(s) for s in samplers]
    for dealing in dealings:
        dealing.members = [0, 1, 2, 3]
    used: Counter = Counter()
    alive = [0, 1, 2, 3]

    def step(dying=None):
        drawn = {m: list(itertools.islice(dealings[m], 2)) for m in alive}
        if dying is not None:
            alive.remove(dying)
            for m in alive:
                dealings[m].on_shrink(Members(list(alive), m))
        for m in alive:
            used.update(drawn[m])
            dealings[m].on_step(None)
        return any(drawn.values())

    step(), step(), step(dying=2), step(dying=0)
    while step():
        pass
    assert len({len(dealings[m].pile) for m in alive}) == 1
    doubled = sum(used.values()) - len(used)
    assert len(used) <= n and doubled <= 3 + 2 + 1
    if drop_last:
        assert n - len(used) <= 3 + 2 + 1 and doubled == 0
    else:
        assert len(used) == n


# --- several processes ------------------------------------------------------------------------


@needs_mpi
@pytest.mark.parametrize("size", [2, 3])
def test_exchanges(size, tmp_path):
    run = run_case(size, "exchanges", tmp_path)
    assert run.returncode == 0, run.stderr
    assert len(found(tmp_path, "exchanges", size)) == size


@needs_mpi
@pytest.mark.parametrize("name", ["gradients", "normalisation"])
def test_in_three_processes(name, tmp_path):
    run = run_case(3, name, tmp_path)
    assert run.returncode == 0, run.stderr
    assert len(found(tmp_path, name, 3)) == 3


@needs_mpi
@pytest.mark.parametrize("kind", ["mlp", "conv", "embedding"])
def test_training_is_that_of_one_process(kind, tmp_path):
    """The same global batches: equal to rounding in float64, and bit-equal between processes."""
    for size in (1, 2, 4):
        folder = tmp_path / str(size)
        folder.mkdir()
        run = run_case(size, "training", folder, kind)
        assert run.returncode == 0, run.stderr
    (single,) = found(tmp_path / "1", "training", 1)
    assert len(single) > 1
    for size in (2, 4):
        states = found(tmp_path / str(size), "training", size)
        for name, wanted in single.items():
            for state in states:
                assert state[name].numpy().tobytes() == states[0][name].numpy().tobytes(), name
            np.testing.assert_allclose(
                states[0][name].numpy(), wanted.numpy(), rtol=1e-9, atol=1e-12, err_msg=name
            )


@needs_mpi
def test_an_exception_ends_all_with_its_traceback_first(tmp_path):
    for options in ((), ("--with-ft", "ulfm")):
        start = time.monotonic()
        run = run_case(2, "failing", tmp_path, options=options)
        assert time.monotonic() - start < 10 + 10  # the start of Python on a busy machine
        assert run.returncode != 0
        first = next(line for line in run.stderr.splitlines() if line)
        assert first == "[rank 1] Traceback (most recent call last):"
        assert "[rank 1] ValueError: the one that went wrong" in run.stderr
        assert "runpy" not in run.stderr.split("ValueError")[0]


@needs_mpi
def test_a_script_that_is_started_without_the_launcher_ends_too(tmp_path):
    run = mpi(2, str(CASES), "failing", str(tmp_path))
    assert run.returncode != 0
    assert "[rank 1] ValueError: the one that went wrong" in run.stderr


@needs_mpi
def test_who_does_not_come_is_named(tmp_path):
    run = run_case(3, "late", tmp_path)
    assert run.returncode != 0
    assert re.search(r"DistributedError: barrier: rank [02] of 3 waited 0.5 s; missing ranks: 1\.",
                     run.stderr), run.stderr  # fmt: skip


# Ranks at the start : step : place. Ten deaths in three jobs, also two in one step.
KILLS = [
    (5, "4:0:forward,1:2:backward,0:7:step,3:8:forward"),
    (4, "0:3:backward,2:3:backward,1:9:step"),
    (4, "3:6:step,2:7:forward,1:11:backward"),
]


@needs_mpi
@pytest.mark.parametrize(("size", "kills"), KILLS)
def test_the_others_go_on_when_processes_are_killed(size, kills, tmp_path):
    run = run_case(size, "dying", tmp_path, kills, options=("--with-ft", "ulfm"))
    dead = [int(kill.split(":")[0]) for kill in kills.split(",")]
    alive = [rank for rank in range(size) if rank not in dead]
    states = [torch.load(tmp_path / f"dying-{rank}.safetensors") for rank in alive]
    assert run.returncode == 0, run.stderr
    for state in states:
        assert state["members"].tolist() == alive
        for name, value in states[0].items():
            assert state[name].numpy().tobytes() == value.numpy().tobytes(), name
    used = [Counter(), Counter()]
    for rank in range(size):
        for line in (tmp_path / f"used-{rank}.txt").read_text().splitlines():
            epoch, *indices = map(int, line.split())
            used[epoch].update(indices)
    for seen in used:
        assert sorted(seen) == list(range(96))  # none was lost
        assert sum(seen.values()) - 96 <= size * (1 + len(dead))  # doubled: padding alone


@needs_mpi
def test_without_fault_tolerance_a_death_ends_the_job(tmp_path):
    run = run_case(2, "dying", tmp_path, "1:3:forward")
    assert run.returncode != 0
    assert "signal 9 (Killed)" in run.stderr + run.stdout
    assert not list(tmp_path.glob("dying-*"))


# --- the Trainer in several processes -----------------------------------------------------------


def assert_same_state(state, other, what=""):
    """Bit for bit, texts and numbers too."""
    assert state.keys() == other.keys()
    for name, value in other.items():
        if isinstance(value, torch.Tensor):
            assert state[name].numpy().tobytes() == value.numpy().tobytes(), f"{name} {what}"
        else:
            assert state[name] == value, f"{name} {what}"


@needs_mpi
@pytest.mark.parametrize("accumulate", [1, 2])
def test_fits_are_those_of_one_process(accumulate, tmp_path):
    """Weights, losses, metrics and the epoch that stops: to rounding, and equal among processes."""
    for size in (1, 2, 3):
        folder = tmp_path / str(size)
        folder.mkdir()
        run = run_case(size, "fitting", folder, str(accumulate))
        assert run.returncode == 0, run.stderr
        assert len(re.findall(r"^epoch 1/6 ", run.stdout, re.M)) == 1  # rank 0 alone prints
        assert len((folder / "log.csv").read_text().splitlines()) == 7
        assert len(list((folder / "checkpoints").iterdir())) == 2
    (single,) = found(tmp_path / "1", "fitting", 1)
    for size in (2, 3):
        states = found(tmp_path / str(size), "fitting", size)
        for state in states:
            assert_same_state(state, states[0])
        for name, wanted in single.items():
            if isinstance(wanted, torch.Tensor):
                np.testing.assert_allclose(
                    states[0][name].numpy(), wanted.numpy(), rtol=1e-7, atol=1e-10, err_msg=name
                )
            else:
                assert states[0][name] == wanted


@needs_mpi
def test_one_decision_stops_all(tmp_path):
    run = run_case(2, "stopping", tmp_path)
    assert run.returncode == 0, run.stderr
    first, second = found(tmp_path, "stopping", 2)
    assert_same_state(first, second)
    assert first["iteration"] == 8  # asked for after 7 steps, heard with the next gradients
    assert first["nan.iteration"] == 7  # the first of the epoch after the loss was spoilt
    assert all(np.isfinite(v.numpy()).all() for k, v in first.items() if "model." in k)


@needs_mpi
def test_a_killed_job_resumes_to_the_same_bits(tmp_path):
    """Killed in different epochs; with masks that each process draws by itself."""
    whole = tmp_path / "whole"
    whole.mkdir()
    run = run_case(2, "resumed", whole)
    assert run.returncode == 0, run.stderr
    wanted = found(whole, "resumed", 2)
    assert wanted[0]["iteration"] == 52
    for kill_at in (7, 33):
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        killed = run_case(2, "resumed", folder, str(kill_at))
        assert killed.returncode != 0
        assert not list(folder.glob("resumed-*"))
        run = run_case(2, "resumed", folder)
        assert run.returncode == 0, run.stderr
        for state, other in zip(found(folder, "resumed", 2), wanted, strict=True):
            assert_same_state(state, other, f"killed at {kill_at}")


@needs_mpi
def test_a_fit_goes_on_without_those_that_died(tmp_path):
    run = run_case(4, "bereaved", tmp_path, "2:3,0:9", options=("--with-ft", "ulfm"))
    assert run.returncode == 0, run.stderr
    states = [torch.load(tmp_path / f"bereaved-{rank}.safetensors") for rank in (1, 3)]
    assert_same_state(*states)
    assert states[0]["members"].tolist() == [1, 3]
    assert states[0]["history"].shape[0] == 3


@needs_mpi
def test_estimators_take_part(tmp_path):
    pytest.importorskip("sklearn")
    run = run_case(2, "estimating", tmp_path)
    assert run.returncode == 0, run.stderr
    first, second = found(tmp_path, "estimating", 2)
    assert_same_state(first, second)
