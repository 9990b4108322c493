"""What a policy search costs beside its children, what two workers gain, and a planted optimum.

    OMP_NUM_THREADS=1 python -m benchmarks.search              # all three
    OMP_NUM_THREADS=1 python -m benchmarks.search overhead workers planted

- ``overhead``: the paper's space and PPO in this process, with a journal on the disk. The share is
  the time of the search less that of the children, over that of the children, which are LeNets
  trained for about a second. Below it, the milliseconds that a child adds, by part.
- ``workers``: the same search with one worker and with two, in turns, pools started anew. Start
  and end of the processes count; ``--children`` spreads them over more.
- ``planted``: the validation images are the training images' negatives, so that Invert is the best
  policy. How many children it takes until one inverts every image, by strategy, over ten
  seeds: mean, deviation and the ten numbers.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from tensorgrad import augment, datasets, nn
from tensorgrad import settings as engine
from tensorgrad.augment.policy_search import PPO, ChildTraining, Journal, SearchSpace
from tensorgrad.nn import functional as F

SEED, GENERATION = 0, 10
PPO_OF_FEW = {"lr": 0.01, "entropy": 0.3, "normalize": True}
# One operation of the paper's. Not Solarize, whose last level is Invert.
PLANTED = SearchSpace(
    [name for name in SearchSpace().operations if name != "Solarize"], num_ops=1, num_subpolicies=1
)


def framed():
    """The embedded digits in MNIST's frame: 600 to train on, 600 to validate."""
    images, labels = datasets.digits()
    images = F.pad(F.interpolate(images[:1200], size=(20, 20), mode="bilinear"), (4, 4, 4, 4))
    images = images.clamp(0, 1)
    return (images[:600], labels[:600]), (images[600:], labels[600:1200])


def negatives():
    """The embedded digits: 300 to train on, the negatives of 300 others to validate."""
    images, labels = datasets.digits()
    return (images[:300], labels[:300]), (1 - images[300:600], labels[300:600])


def lenet():
    return nn.models.lenet5(modern=True)


def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


LENET_CHILD = ChildTraining(lenet, framed, epochs=10, batch_size=50, lr=3e-3)
LINEAR_CHILD = ChildTraining(linear, negatives, epochs=5, batch_size=50, lr=0.02)


# --- overhead ---------------------------------------------------------------------------


def overhead(args):
    """The search's time beside its children's."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        found = augment.search(
            LENET_CHILD, args.children, strategy=PPO(**PPO_OF_FEW), generation=GENERATION,
            workers=0, journal=Path(folder, "journal.jsonl"),
        )  # fmt: skip
        whole = time.perf_counter() - start
        parts = bookkeeping(folder)
    children = sum(trial.seconds for trial in found.trials)
    print(f"{args.children} children of {children / args.children:.2f} s: the search adds "
          f"{(whole - children) / children:.2%} "
          f"({(whole - children) / args.children * 1e3:.1f} ms a child)")  # fmt: skip
    print("   ".join(f"{name} {1e3 * seconds:.2f} ms" for name, seconds in parts.items()))


def bookkeeping(folder, rounds=10):
    """Seconds a child of proposing, learning and writing."""
    space, strategy = SearchSpace(), PPO(**PPO_OF_FEW)
    strategy.start(space, SEED)
    seconds = {"propose": 0.0, "learn": 0.0, "journal": 0.0}
    threads = engine.get_num_threads()
    engine.set_num_threads(1)
    with Journal(Path(folder, "other.jsonl"), {}) as journal:
        for first in range(0, rounds * GENERATION, GENERATION):
            numbers = np.arange(first, first + GENERATION)
            marks = [time.perf_counter()]
            candidates = strategy.propose(numbers)
            marks.append(time.perf_counter())
            strategy.update(candidates, np.random.default_rng(first).random(GENERATION))
            marks.append(time.perf_counter())
            for i, candidate in zip(numbers.tolist(), candidates.tolist(), strict=True):
                journal.append({"child": i, "candidate": candidate, "seed": i, "reward": 0.5})
            marks.append(time.perf_counter())
            for name, spent in zip(seconds, np.diff(marks), strict=True):
                seconds[name] += spent
    engine.set_num_threads(threads)
    return {name: value / (rounds * GENERATION) for name, value in seconds.items()}


# --- workers ----------------------------------------------------------------------------


def workers(args):
    """One worker against two, in turns."""
    times, rewards = {1: [], 2: []}, []
    for turn in range(args.rounds):
        for count in (1, 2) if turn % 2 == 0 else (2, 1):
            start = time.perf_counter()
            found = augment.search(
                LENET_CHILD, args.children, strategy="random", generation=GENERATION,
                workers=count,
            )  # fmt: skip
            times[count].append(time.perf_counter() - start)
            rewards.append([trial.reward for trial in found.trials])
    if any(row != rewards[0] for row in rewards):
        raise SystemExit("error: the rewards depend on the number of workers")
    ratios = [one / two for one, two in zip(times[1], times[2], strict=True)]
    print(f"{args.children} children: one worker {statistics.median(times[1]):.1f} s, two "
          f"{statistics.median(times[2]):.1f} s, {statistics.median(ratios):.2f} times as fast "
          f"({', '.join(f'{r:.2f}' for r in ratios)})")  # fmt: skip


# --- a planted optimum ------------------------------------------------------------------


class Found(Exception):
    """Ends a search."""


def until_found(strategy, seed, most):
    """How many children until one inverts every image; ``most`` if none does."""

    def look(trial):
        if trial.policy == [[("Invert", 1.0, None)]]:
            raise Found

    trained = []
    try:
        augment.search(
            LINEAR_CHILD, most, space=PLANTED, strategy=strategy, generation=GENERATION, seed=seed,
            workers=0, callback=lambda trial: (trained.append(trial), look(trial)),
        )  # fmt: skip
    except Found:
        pass
    return len(trained)


def planted(args):
    """Children until the planted policy is found, by strategy, over ten seeds."""
    print(f"{PLANTED.size} candidates, of which {PLANTED.magnitudes} are the planted policy")
    ppo = PPO(**PPO_OF_FEW)
    for name, strategy in (("random", "random"), ("evolution", "evolution"), ("ppo", ppo)):
        counts = [until_found(strategy, seed, args.most) for seed in range(10)]
        print(f"{name:10} {statistics.mean(counts):6.1f} +- {statistics.stdev(counts):5.1f}   "
              f"{counts}", flush=True)  # fmt: skip


CASES = {"overhead": overhead, "workers": workers, "planted": planted}


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("cases", nargs="*", help=", ".join(CASES))
    parser.add_argument("--children", type=int, default=40, help="of a search (40)")
    parser.add_argument("--rounds", type=int, default=3, help="of each number of workers (3)")
    parser.add_argument("--most", type=int, default=1000, help="at most, until planted (1000)")
    args = parser.parse_args(argv)
    for name in args.cases or CASES:
        if name not in CASES:
            parser.error(f"no case {name!r}; there are: {', '.join(CASES)}")
        CASES[name](args)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
