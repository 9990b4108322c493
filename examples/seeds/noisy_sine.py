"""What the experiments of chapter 16 share: the noisy curve, the net, the ways to train it.

The notes' samples are not printed. Here they are 100 points of ``datasets.curve`` with noise of
deviation 0.15, 100 others for validation, and 1,000 of the curve itself, without noise, to test
on: the "accuracy" of the notes is R2 on these.
"""

import functools
import math
from typing import NamedTuple

import common

import tensorgrad as torch
from tensorgrad import datasets, nn, optim
from tensorgrad.nn.utils import decay_groups, register_proximal
from tensorgrad.optim.lr_scheduler import CosineAnnealingLR
from tensorgrad.train import Trainer

SAMPLES, NOISE, EPOCHS, RATE = 100, 0.15, 16_000, 0.03
L2 = 0.01  # the notes' lambda, which they divide by the number of samples, as do we
L1 = 0.02  # of the shrinking after each step of Adam, which knows no samples
DATA = "generated"
WHOLE = {"batch_size": 1000, "shuffle": False, "progress": False}  # all samples in each step


class Parts(NamedTuple):
    """Three sets of points."""

    train: tuple
    valid: tuple
    test: tuple


def points(samples, noise, seed):
    """Inputs around 0, which are t - pi, and targets."""
    t, y = datasets.curve(samples, noise, seed)
    return t - math.pi, y


def parts(seed=0, samples=SAMPLES, noise=NOISE):
    """Training and validation points with noise, and 1,000 points of the curve to test on."""
    draws = ((samples, noise), (SAMPLES, noise), (1000, 0.0))
    return Parts(*(points(n, deviation, 3 * seed + k) for k, (n, deviation) in enumerate(draws)))


# --- the net ----------------------------------------------------------------------------


def net(dropout=False):
    """1-16-16-16-1; with dropout of 0.1 after the first, and 0.2 after the third hidden layer."""
    layers = []
    activations = (nn.Sigmoid, nn.Tanh, nn.Tanh, nn.Identity)
    for sizes, activation in zip(((1, 16), (16, 16), (16, 16), (16, 1)), activations, strict=True):
        layers += [common.mlp(sizes, nn.Identity)[0], activation()]
    if dropout:
        layers.insert(6, nn.ClassicDropout(0.2))
        layers.insert(2, nn.ClassicDropout(0.1))
    return nn.Sequential(*layers[:-1])


def adam(model, samples, method):
    """The optimizer, with what is regularised: ``method`` is none, L2, L1 or dropout."""
    decay = L2 / samples if method == "L2" else 0.0
    optimizer = optim.Adam(decay_groups(model, decay), lr=RATE)
    if method == "L1":
        register_proximal(optimizer, model, l1=L1)
    return optimizer


def trainer_of(method, epochs, seed=0, samples=SAMPLES):
    """A trainer of a new net, for so many epochs."""
    torch.manual_seed(seed)
    model = net(method == "dropout")
    optimizer = adam(model, samples, method)
    schedule = CosineAnnealingLR(optimizer, epochs)
    return Trainer(
        model, nn.SquaredErrorLoss(), optimizer, metrics="r2", scheduler=schedule, seed=seed
    )


def epochs_of(quick):
    """How many."""
    return 200 if quick else EPOCHS


@functools.cache
def fitted(method, epochs, seed=0, samples=SAMPLES, noise=NOISE):
    """A trainer that has done it, the same one for the same arguments: it is not to be changed."""
    data = parts(seed, samples, noise)
    trainer = trainer_of(method, epochs, seed, samples)
    trainer.fit(data.train, data.valid, epochs, **WHOLE)
    return trainer


def accuracy(trainer, test):
    """R2 on the curve."""
    return trainer.evaluate(test, batch_size=1000)["r2"]


# --- pictures ---------------------------------------------------------------------------


def draw(ax, title, data, trainer):
    """The samples, the curve, and what the net makes of them."""
    order = data.test[0].flatten().argsort()
    t = data.test[0][order]
    ax.plot(*(part.flatten().numpy() for part in data.train), ".", color=common.style.GREY,
            label="samples")  # fmt: skip
    ax.plot(t.numpy(), data.test[1][order].numpy(), color=common.style.GREEN, label="the curve")
    ax.plot(t.numpy(), trainer.predict(t, batch_size=1000).numpy(), "-",
            color=common.style.VERMILION, linewidth=1.4, label="the net")  # fmt: skip
    common.style.label(ax, title, "t - pi")


def losses(ax, history, title="Loss"):
    """The losses of training and validation, by epoch."""
    common.curves(ax, history, "loss", title, yscale="log")
    best = history.best_epoch
    ax.axvline(best, color=common.style.GREY, linewidth=1, label=f"best: epoch {best:,}")
    ax.legend()
