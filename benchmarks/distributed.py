"""Training in several processes: throughput, the share of communication, and a forecast.

    python -m benchmarks.distributed --picture docs/distributed/forecast.png

On one machine: one process with as many threads as two processes have together (2) against two
with one each, on the same global batch. Both take turns, ``--rounds`` of each; figures are medians.

- ``mlp``: 784-128-64-32-16-10, SGD, global batch 128;
- ``resnet18``: on 32 x 32 images, SGD with momentum, global batch 16.

The share of communication is the time between the end of a process's own backward pass and the
averaged gradients, over the time of the step. ``messages`` measures an all-reduce of float32
between two processes of this machine, by size.

The forecast is Hockney's model with a ring: a step of p processes takes
``t = compute + exposed + 2 (p - 1) latency + 2 (p - 1) / p * bytes / bandwidth``, of which the part
that fits under the backward pass (half of the compute time) is hidden, but for the last bucket.
Its assumptions: the batch of each process stays as measured (weak scaling), processes are equal
and never wait for data, one process to a network card, 5 us of latency on 100 Gb/s and 15 us on
10 Gb/s with 90 % of the nominal bandwidth, no contention. See docs/distributed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

CASES = ("mlp", "resnet18")
GLOBAL_BATCH = {"mlp": 128, "resnet18": 16}
STEPS = {"mlp": 300, "resnet18": 6}
SIZES = (1_000, 60_000, 1_000_000, 5_000_000)
NETWORKS = {"10 Gb/s": (15e-6, 0.9 * 10e9 / 8), "100 Gb/s": (5e-6, 0.9 * 100e9 / 8)}
FIRST_BUCKET = 1 << 20


# --- within the processes -------------------------------------------------------------------


def model_of(case):
    import tensorgrad as torch
    from tensorgrad import nn

    torch.manual_seed(0)
    if case == "resnet18":
        return nn.models.resnet18(num_classes=10), (3, 32, 32)
    layers = []
    for wide, narrow in ((784, 128), (128, 64), (64, 32), (32, 16)):
        layers += [nn.Linear(wide, narrow), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(16, 10)), (784,)


def train(case, steps):
    """Seconds a step, and of these the seconds spent waiting for the others."""
    import tensorgrad as torch
    import tensorgrad.distributed as dist
    from tensorgrad import nn, optim
    from tensorgrad.nn.parallel import DistributedDataParallel

    dist.init_process_group()
    share = GLOBAL_BATCH[case] // dist.get_world_size()
    net, shape = model_of(case)
    model = DistributedDataParallel(net, broadcast_buffers=False)
    waited = timed_waiting(model._reducer)
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = torch.randn(share, *shape), torch.randint(0, 10, (share,))

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    for _ in range(max(1, steps // 10)):
        step()
    dist.barrier()
    waited[0] = 0.0
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    seconds = (time.perf_counter() - begin) / steps
    parameters = sum(p.numel() for p in net.parameters())
    return {"seconds": seconds, "waited": waited[0] / steps, "bytes": 4 * parameters,
            "samples": GLOBAL_BATCH[case] / seconds}  # fmt: skip


def timed_waiting(reducer):
    """A list whose only number grows by the seconds that the end of each backward pass takes."""
    total = [0.0]
    if reducer is None:
        return total
    finish = reducer._finish

    def timed():
        begin = time.perf_counter()
        finish()
        total[0] += time.perf_counter() - begin

    reducer._finish = timed
    return total


def messages():
    """Seconds of an all-reduce by the number of float32."""
    import tensorgrad as torch
    import tensorgrad.distributed as dist

    dist.init_process_group()
    result = {}
    for size in SIZES:
        x = torch.zeros(size)
        times = []
        for _ in range(30):
            dist.barrier()
            begin = time.perf_counter()
            dist.all_reduce(x)
            times.append(time.perf_counter() - begin)
        result[size] = statistics.median(times[5:])
    return result


def inside(what, steps):
    """The entry of a process: rank 0 prints what it found."""
    found = messages() if what == "messages" else train(what, int(steps))
    if os.environ["RANK"] == "0":
        print("found", json.dumps(found), flush=True)


# --- outside ----------------------------------------------------------------------------------


def launch(processes, threads, what, steps):
    """Run one measurement in ``processes`` of ``threads``; returns what rank 0 found."""
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    if os.geteuid() == 0:
        env |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{env['PATH']}")
    if mpiexec is None:
        raise SystemExit('mpiexec is not installed: pip install "tensorgrad[mpi]"')
    line = [mpiexec, "-n", str(processes), "--bind-to", "none", sys.executable, "-m",
            "tensorgrad.distributed", "-m", "benchmarks.distributed", "--inside", what,
            str(steps)]  # fmt: skip
    run = subprocess.run(line, capture_output=True, text=True, env=env)
    if run.returncode:
        raise SystemExit(run.stderr)
    text = next(row for row in run.stdout.splitlines() if row.startswith("found "))
    return json.loads(text.removeprefix("found "))


def measure(rounds, cases, smoke):
    """Both ways of each case in turns; medians."""
    results = {}
    for case in cases:
        runs = {1: [], 2: []}
        for i in range(rounds):
            for processes in ((1, 2), (2, 1))[i % 2]:
                steps = 2 if smoke else STEPS[case]
                runs[processes].append(launch(processes, 2 // processes, case, steps))
        one, two = ({k: statistics.median(r[k] for r in runs[p]) for k in runs[p][0]}
                    for p in (1, 2))  # fmt: skip
        results[case] = {"one": one, "two": two}
        print(f"{case:9} 1 process, 2 threads: {one['samples']:8.0f} samples/s; 2 processes: "
              f"{two['samples']:8.0f} ({two['samples'] / one['samples']:.2f}x), "
              f"{two['waited'] / two['seconds']:.0%} of the step is communication")  # fmt: skip
    return results


def forecast(compute, size, latency, bandwidth, processes):
    """The speed-up over one process, each with a batch that takes it ``compute`` seconds."""
    if processes == 1:
        return 1.0
    ring = 2 * (processes - 1) / processes / bandwidth
    rounds = 2 * (processes - 1) * latency
    last = min(size, FIRST_BUCKET) * ring + rounds  # nothing is left to hide it under
    rest = 0.0
    if size > FIRST_BUCKET:
        rest = max(0.0, (size - FIRST_BUCKET) * ring + rounds - compute / 2)
    return processes * compute / (compute + last + rest)


def table(results):
    """The forecast from what was measured here: (case, network) -> speed-up by processes."""
    rows = {}
    for case, found in results.items():
        two = found["two"]
        compute = two["seconds"] - two["waited"]
        for network, (latency, bandwidth) in NETWORKS.items():
            rows[case, network] = {
                p: forecast(compute, two["bytes"], latency, bandwidth, p) for p in (8, 64, 512)
            }
            text = ", ".join(f"{p}: {s:.1f}" for p, s in rows[case, network].items())
            print(f"forecast  {case:9} {network:9} speed-up at {text}")
    return rows


def draw(results, path):
    """The forecast as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(results), sharey=True, squeeze=False)[0]
    counts = [2**i for i in range(10)]
    for ax, (case, found) in zip(axes, results.items(), strict=True):
        two = found["two"]
        compute = two["seconds"] - two["waited"]
        ax.loglog(counts, counts, ":", color="gray", label="as many times", base=2)
        for (network, (latency, bandwidth)), dash in zip(NETWORKS.items(), "-s -o".split(),
                                                         strict=True):  # fmt: skip
            ax.loglog(counts, [forecast(compute, two["bytes"], latency, bandwidth, p)
                               for p in counts], dash, label=network, base=2)  # fmt: skip
        ax.set_title(f"{case}: {compute * 1e3:.2f} ms of its own, "
                     f"{two['bytes'] / 1e6:.1f} MB of gradients", fontsize=10)  # fmt: skip
        ax.set_xlabel("processes")
        ax.set_xticks([1, 8, 64, 512], ["1", "8", "64", "512"])
        ax.set_yticks([1, 8, 64, 512], ["1", "8", "64", "512"])
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("speed-up (forecast)")
    axes[0].legend()
    figure.savefig(path, dpi=110)
    print(f"saved {path}")


def main(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distributed")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (3)")
    parser.add_argument("--case", action="append", choices=CASES, help="all, if left out")
    parser.add_argument("--smoke", action="store_true", help="two steps of each, to try it")
    parser.add_argument("--picture", type=Path, help="draw the forecast here")
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.inside:
        inside(*args.inside)
        return
    results = measure(1 if args.smoke else args.rounds, args.case or CASES, args.smoke)
    for size, seconds in launch(2, 1, "messages", 0).items():
        print(f"all-reduce of {int(size):9,d} float32 between 2 processes: {seconds * 1e6:8.0f} us")
    table(results)
    if args.picture:
        draw(results, args.picture)


if __name__ == "__main__":
    main()
