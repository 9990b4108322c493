"""What the Trainer costs over a loop written by hand, on the MNIST net.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.trainer

Both train 784-128-64-32-16-10 on random data in batches of 64, each with a model of its own, and
take turns, an epoch each; which one begins changes from round to round. The hand-written loop
zeroes the gradients, runs the model, the loss, backward and the step, and keeps the loss of each
batch. Both get the same DataLoader; ``pair`` is the Trainer with the tensors themselves. The
figures are medians over the rounds: the time of a step, the difference from the hand-written
loop's step in the same round, and the ratio to it. ``--plain`` takes a net of one layer, whose
short steps show the difference more exactly.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time

import tensorgrad as torch
from tensorgrad import nn, optim
from tensorgrad.train import Trainer
from tensorgrad.utils.data import DataLoader, TensorDataset

BATCH = 64
MNIST = [784, 128, 64, 32, 16, 10]


def make(sizes):
    """A perceptron with its optimizer; the same weights each time."""
    torch.manual_seed(1)
    layers = []
    for narrow, wide in itertools.pairwise(sizes):
        layers += [nn.Linear(narrow, wide), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    return model, optim.SGD(model.parameters(), lr=0.1)


def by_hand(sizes, loader):
    """An epoch of a loop as one writes it."""
    model, optimizer = make(sizes)
    criterion, losses = nn.CrossEntropyLoss(), []

    def epoch():
        model.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())

    return epoch


def by_trainer(sizes, data):
    """An epoch of a Trainer."""
    model, optimizer = make(sizes)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer)
    return lambda: trainer.fit(data, epochs=1, batch_size=BATCH, progress=False)


def measure(sizes, batches, rounds):
    """The microseconds of a step, by contender, a value for each round."""
    torch.manual_seed(0)
    count = BATCH * batches
    data = torch.randn(count, sizes[0]), torch.randint(0, sizes[-1], (count,))
    loader = DataLoader(TensorDataset(*data), batch_size=BATCH, shuffle=True)
    contenders = {
        "hand": by_hand(sizes, loader),
        "loader": by_trainer(sizes, loader),
        "pair": by_trainer(sizes, data),
    }
    times = {name: [] for name in contenders}
    for i in range(rounds + 1):
        order = list(contenders)
        for name in order[i % 3 :] + order[: i % 3]:
            start = time.perf_counter()
            contenders[name]()
            if i:  # the first round warms up
                times[name].append((time.perf_counter() - start) / batches * 1e6)
    return times


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trainer", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="turns of each (30)")
    parser.add_argument("--batches", type=int, default=200, help="steps in a turn (200)")
    parser.add_argument("--plain", action="store_true", help="a net of one layer, 4-2")
    args = parser.parse_args(argv)
    times = measure([4, 2] if args.plain else MNIST, args.batches, args.rounds)
    print(f"{'':8}{'us a step':>12}{'over hand':>12}{'ratio':>9}")
    for name, values in times.items():
        pairs = list(zip(values, times["hand"], strict=True))
        over = statistics.median(a - b for a, b in pairs)
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{name:8}{statistics.median(values):12.1f}{over:12.2f}{ratio:9.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
