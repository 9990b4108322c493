"""Search for an augmentation policy for digits, and see what it is worth.

A reduced data set trains the children of the search, small LeNets, other images give their
reward, and the test images are kept for the end: then networks are trained without a policy, with
random ones, and with the one that was found, each from several seeds. Without --data it runs
offline on the embedded digits (500 to train on, 500 to validate, 797 to test); with the MNIST
files on 1,000 to train on, 2,000 others to validate and the 10,000 of the test set. What came out
is in docs/search.md.

    python examples/autoaugment_digits.py                  # the embedded digits, offline
    python examples/autoaugment_digits.py --data ~/data    # MNIST
    python examples/autoaugment_digits.py --quick

Stopped at any moment, the same command goes on from the journal in --out.
"""

import argparse
import functools
import statistics
import time
from pathlib import Path

import numpy as np

import tensorgrad as torch
from tensorgrad import augment, datasets, nn
from tensorgrad.augment.policy_search import PPO, ChildTraining, SearchSpace
from tensorgrad.nn import functional as F

GEOMETRIC = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
SPACE = SearchSpace(interpolation="bilinear")


# --- data and children: at the top level, where worker processes find them -------------------


def mnist(folder):
    """1,000 and 2,000 of MNIST's training images, and the 10,000 test images."""
    parts = []
    for train in (True, False):
        data = datasets.MNIST(folder, train=train)
        parts.append((data.data[:, None].numpy().astype(np.float32) / 255, data.targets.numpy()))
    (images, labels), test = parts
    return (images[:1000], labels[:1000]), (images[1000:3000], labels[1000:3000]), test


def embedded():
    """500, 500 and 797 of the embedded digits, framed as MNIST's are."""
    images, labels = datasets.digits()
    order = np.random.PCG64(0).random_raw(len(labels)).argsort(kind="stable")
    images = F.interpolate(images[torch.from_numpy(order)], size=(20, 20), mode="bilinear")
    images, labels = F.pad(images.clamp(0, 1), (4, 4, 4, 4)).numpy(), labels.numpy()[order]
    return [(images[part], labels[part])
            for part in (slice(500), slice(500, 1000), slice(1000, None))]  # fmt: skip


def part(folder, quick, test):
    """What a child is trained on, and what measures it: validation or test images."""
    train, valid, held_out = embedded() if folder is None else mnist(folder)
    size = 150 if quick else None
    return [(x[:size], y[:size]) for x, y in (train, held_out if test else valid)]


def network():
    """A small LeNet, with strides instead of pooling."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2, padding=2), nn.ReLU(),
        nn.Conv2d(8, 16, 5, stride=2, padding=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def child_of(args, *, test=False):
    """The training of the search's children, or with ``test`` that of the comparison."""
    data = functools.partial(part, args.data, args.quick, test)
    epochs = args.final_epochs if test else args.epochs
    return ChildTraining(network, data, epochs=epochs, batch_size=50, lr=3e-3)


# --- the search -------------------------------------------------------------------------


def searched(args):
    """Run or continue the search; prints a line for every generation."""
    start, rewards = time.perf_counter(), []

    def report(trial):
        rewards.append(trial.reward or 0.0)
        if len(rewards) % args.generation == 0:
            recent = statistics.mean(rewards[-args.generation :])
            seconds = time.perf_counter() - start
            print(f"{len(rewards):4d} children in {seconds:5.0f} s  mean of the last {recent:.4f}  "
                  f"best {max(rewards):.4f}", flush=True)  # fmt: skip

    strategy = PPO(lr=0.01, entropy=0.3, normalize=True)
    found = augment.search(
        child_of(args), args.children, space=SPACE, strategy=strategy, seed=args.seed,
        generation=args.generation, workers=args.workers, callback=report,
        journal=args.out / "journal.jsonl",
    )  # fmt: skip
    if found.failed:
        print(f"{len(found.failed)} children failed; their tracebacks are in the journal")
    return found


def operations(found):
    """A line for each operation: its uses by the policy, the mean reward of children with it."""
    chosen = [entry[0] for sub in found.policy.subpolicies() for entry in sub if entry[1] > 0]
    with_it = {name: [] for name in SPACE.operations}
    for trial in found.trials:
        for name in {e[0] for sub in trial.policy for e in sub if e[1] > 0}:
            with_it[name] += [trial.reward] if trial.reward is not None else []
    mean = {name: statistics.mean(values) for name, values in with_it.items() if values}
    print("operation      in the policy   mean reward of children with it")
    for name in sorted(mean, key=mean.get, reverse=True):
        print(f"{name:14} {chosen.count(name):13d}   {mean[name]:.4f}")
    moved = sum(name in GEOMETRIC for name in chosen)
    share = len(GEOMETRIC) / len(SPACE.operations)
    print(f"geometric: {moved} of {len(chosen)} entries, {moved / len(chosen):.0%} "
          f"(by chance {share:.0%})")  # fmt: skip


def random_policy(seed):
    """25 sub-policies by chance."""
    rows = SPACE.at(augment.KeyedRng(seed, 2, np.arange(5)).random(SPACE.num_decisions))
    return SPACE.transform([sub for row in rows for sub in SPACE.policy(row)])


def compared(args, learned):
    """Test accuracies without a policy, with random ones and with the learned one."""
    child = child_of(args, test=True)
    policies = {
        "none": lambda seed: None, "random": random_policy, "learned": lambda seed: learned,
    }  # fmt: skip
    results = {name: [] for name in policies}
    for seed in range(args.seed, args.seed + args.seeds):
        for name, policy in policies.items():
            results[name].append(child(policy(seed), seed))
    for name, values in results.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"policy {name:8} test accuracy {statistics.mean(values):.2%} +- {spread:.2%} "
              f"({', '.join(f'{v:.2%}' for v in values)})")  # fmt: skip
    return {name: statistics.mean(values) for name, values in results.items()}


# --- the command line -------------------------------------------------------------------


def arguments(argv=None):
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with the MNIST files")
    parser.add_argument("--children", type=int, default=200, help="networks to train (200)")
    parser.add_argument("--generation", type=int, default=10, help="proposed at a time (10)")
    parser.add_argument("--epochs", type=int, default=15, help="budget of a child (15)")
    parser.add_argument("--final-epochs", type=int, default=40, help="of the comparison (40)")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of the comparison (5)")
    parser.add_argument("--seed", type=int, default=0, help="of search and comparison (0)")
    parser.add_argument("--workers", type=int, help="processes (as many as cores); 0: none")
    parser.add_argument("--quick", action="store_true", help="150 images, 6 children, to try it")
    parser.add_argument("--out", type=Path, default=Path("runs/autoaugment"), help="directory")
    args = parser.parse_args(argv)
    if args.quick:
        args.children, args.epochs, args.final_epochs, args.seeds = 6, 2, 6, 1
        args.generation = 3
    for name in ("children", "generation", "epochs", "final_epochs", "seeds"):
        if getattr(args, name) < 1:
            parser.exit(2, f"error: --{name.replace('_', '-')} must be at least 1, "
                           f"got {getattr(args, name)}\n")  # fmt: skip
    if min(args.seed, args.workers or 0) < 0:
        parser.exit(2, "error: --seed and --workers must be at least 0\n")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.exit(2, f"error: cannot write to --out {args.out}: {error.strerror}\n")
    return args


def main(argv=None):
    """Search, save and draw the policy, and compare; returns the mean test accuracies."""
    args = arguments(argv)
    try:
        train, valid = part(args.data, args.quick, False)
        found = searched(args)
    except (RuntimeError, ValueError) as error:  # no files; the journal of another search
        raise SystemExit(f"error: {error}") from None
    print(f"{len(train[1])} images to train on, {len(valid[1])} to validate; best children:")
    for trial in found.best():
        print(f"  child {trial.number}: {trial.reward:.4f}")
    found.save(args.out / "policy.json")
    print(f"saved {args.out / 'policy.json'}")
    operations(found)
    policy = augment.load(args.out / "policy.json")
    try:
        augment.show(policy, train[0][:6], n=8).savefig(args.out / "sheet.png", dpi=80)
    except ImportError:
        print('no picture: matplotlib is missing; run: pip install "tensorgrad[plot]"')
    else:
        print(f"saved {args.out / 'sheet.png'}")
    return compared(args, policy)


if __name__ == "__main__":
    main()
