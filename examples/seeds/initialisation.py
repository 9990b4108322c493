"""15.1 Initialisation: the seven cases, trained on MNIST.

The notes' table names a depth, an initialisation and an activation, and says whether they go
together. Here each is trained for one epoch (gradient descent at the rate 0.1, batches of 64), and
the test accuracy is the verdict. Two layers are 784-64-10, "deep" is the net of chapter 14.6,
"random" is the standard normal distribution; biases are zero. Zeros in two layers leave all hidden
units the same for ever. Random weights saturate the sigmoids: the last layer learns from what they
happen to answer, and the deeper network is further behind. With Xavier and ReLU the activations
shrink to half over the four hidden layers before training, as the picture shows, which an epoch
mends nearly. The gallery has activations and gradients of the same cases in ten layers.
"""

from typing import NamedTuple

import common

import tensorgrad as torch
from tensorgrad import nn, optim
from tensorgrad.nn.utils import init_report
from tensorgrad.train import Trainer

DEEP = (784, 128, 64, 32, 16, 10)


class Case(NamedTuple):
    """A row of the notes' table."""

    depth: str
    sizes: tuple
    fill: str
    activation: type
    verdict: str


FILLS = {
    "zeros": nn.init.zeros_, "random": nn.init.normal_,
    "Xavier": nn.init.xavier_normal_, "MSRA": common.msra,
}  # fmt: skip
CASES = (
    Case("one layer", (784, 10), "zeros", nn.Identity, "possible"),
    Case("two layers", (784, 64, 10), "zeros", nn.Sigmoid, "wrong: no proper backward pass"),
    Case("two layers", (784, 64, 10), "random", nn.Sigmoid, "possible"),
    Case("deep", DEEP, "random", nn.Sigmoid, "activations hollow, bad for the backward pass"),
    Case("deep", DEEP, "Xavier", nn.Tanh, "right"),
    Case("deep", DEEP, "Xavier", nn.ReLU, "activations drift to 0, bad for the backward pass"),
    Case("deep", DEEP, "MSRA", nn.ReLU, "right"),
)


def name_of(case):
    """What a case is called."""
    bend = "" if len(case.sizes) == 2 else f", {case.activation.__name__}"
    return f"{case.depth}, {case.fill}{bend}"


def network(case, seed):
    """The network of a case before training."""
    torch.manual_seed(seed)
    return common.mlp(case.sizes, case.activation, FILLS[case.fill])


def spreads(model, x):
    """Root mean square of the activations of each hidden layer."""
    return [(row.mean**2 + row.std**2) ** 0.5 for row in init_report(model, x)[1::2]]


def fit(case, train, epochs, seed):
    """A Trainer that has trained the network of a case."""
    model = network(case, seed)
    sgd = optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(model, nn.CrossEntropyLoss(), sgd, metrics="accuracy", seed=seed)
    trainer.fit(train, epochs=epochs, batch_size=64, progress=False)
    return trainer


def run(data, quick, out, seed=0):
    """Train the seven cases."""
    digits = common.mnist(data, quick)
    epochs = 2 if quick else 40 if data is None else 1
    after = "one epoch" if epochs == 1 else f"{epochs} epochs"
    rows, losses = [], {}
    for number, case in enumerate(CASES, 1):
        trainer = fit(case, digits.train, epochs, seed)
        accuracy = trainer.evaluate(digits.test)["accuracy"]
        losses[f"{number}: {name_of(case)}"] = trainer.history.losses
        rows.append(common.Row("15.1", f"case {number}: {name_of(case)}", case.verdict,
                               f"test accuracy {accuracy:.2%} after {after}",
                               digits.name, common.command("initialisation", data),
                               "initialisation"))  # fmt: skip
    before = {
        f"{number}: {name_of(case)}": spreads(network(case, seed), digits.train[0][:500])
        for number, case in enumerate(CASES, 1) if case.sizes == DEEP
    }  # fmt: skip
    draw(losses, before, out, quick)
    return rows


def smoothed(values, share=0.02):
    """A running mean of losses."""
    mean, out = values[0], []
    for value in values:
        mean += share * (value - mean)
        out.append(mean)
    return out


def draw(losses, before, out, quick):
    """Losses of the seven cases; size of the activations of the deep ones before training."""
    with common.picture(out, "initialisation", quick, 1, 2, width=5.0, height=3.8) as axes:
        left, right = axes[0]
        for name, values in losses.items():
            left.plot(range(1, len(values) + 1), smoothed(values), label=name)
        common.style.label(left, "Cross-entropy in training, running mean", "iteration",
                           yscale="log", ylim=(None, 60))  # fmt: skip
        left.legend(fontsize=7, loc="upper right", ncols=2)
        for name, values in before.items():
            right.plot(range(1, len(values) + 1), values, marker="o", label=name)
        right.set_xticks(range(1, len(DEEP) - 1))
        common.style.label(right, "Activations before training", "hidden layer",
                           "root mean square", yscale="log")  # fmt: skip


def main(argv=None):
    """Run it."""
    return common.main(__doc__, run, argv)


if __name__ == "__main__":
    main()
