"""MyGrad, with its memory guard off as its own guide advises for speed; it has no optimizers."""

from __future__ import annotations

import sys

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import relu, sigmoid, tanh
from mygrad.nnet.layers import batchnorm
from mygrad.nnet.losses import softmax_crossentropy

from .cases import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, Chain, Net
from .updates import UPDATES

ACTIVATIONS = {"tanh": tanh, "sigmoid": sigmoid, "relu": relu}

mg.turn_memory_guarding_off()
# Its backward sorts the graph recursively: the default limit ends before 1,000 ops.
sys.setrecursionlimit(20_000)


def build(case: Net | Chain):
    return training(case) if isinstance(case, Net) else chain(case)


def training(net: Net):
    last = len(net.sizes) - 2
    linears = [(mg.tensor(weight.T.copy()), mg.tensor(bias)) for weight, bias in net.weights()]
    widths = net.sizes[1:-1] if net.batch_norm else ()
    norms = [tuple(mg.tensor(fill(n, np.float32)) for fill in (np.ones, np.zeros)) for n in widths]
    running = [(np.zeros(n, np.float32), np.ones(n, np.float32)) for n in widths]
    params = [p for pair in (*linears, *norms) for p in pair]
    update = UPDATES[net.optimizer]([p.data for p in params], net.lr)
    rng = np.random.default_rng(3)
    inputs, targets = net.data()

    def forward(x):
        for i, (weight, bias) in enumerate(linears):
            x = x @ weight + bias
            if i == last:
                return x
            if net.batch_norm:
                move_statistics(x.data, *running[i])
                scale, shift = norms[i]
                x = batchnorm(x, gamma=scale, beta=shift, eps=BATCH_NORM_EPS)
            x = ACTIVATIONS[net.activation](x)
            if net.dropout:
                keep = rng.random(x.shape, dtype=np.float32) >= net.dropout
                x = x * (keep * np.float32(1 / (1 - net.dropout)))

    def step():
        x = forward(inputs)
        if net.loss == "mse":
            loss = mg.mean((x - targets) ** 2)
        else:
            loss = softmax_crossentropy(x, targets)
        loss.backward()
        update([p.grad for p in params])
        return (loss,)

    return step


def move_statistics(x, mean, var):
    mean += BATCH_NORM_MOMENTUM * (x.mean(axis=0) - mean)
    var += BATCH_NORM_MOMENTUM * (x.var(axis=0, ddof=1) - var)


def chain(case: Chain):
    x, w = (mg.tensor(array) for array in case.data())
    ones = np.ones(case.size, np.float32)

    def step():
        case.forward(mg, x, w).backward(ones)
        return x.grad, w.grad

    return step
