"""HIPS autograd: ``value_and_grad`` of the loss over a list of arrays."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import make_vjp, value_and_grad
from autograd.scipy.special import logsumexp
from autograd.tracer import getval

from .cases import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, Chain, Net
from .updates import UPDATES

ACTIVATIONS = {
    "tanh": anp.tanh,
    "sigmoid": lambda x: 1.0 / (1.0 + anp.exp(-x)),
    "relu": lambda x: anp.maximum(x, 0.0),
}


def build(case: Net | Chain):
    return training(case) if isinstance(case, Net) else chain(case)


def training(net: Net):
    last = len(net.sizes) - 2
    activation = ACTIVATIONS[net.activation]
    params = [array for weight, bias in net.weights() for array in (weight.T.copy(), bias)]
    widths = net.sizes[1:-1] if net.batch_norm else ()
    offset = len(params)
    params += [fill(n, np.float32) for n in widths for fill in (np.ones, np.zeros)]
    running = [(np.zeros(n, np.float32), np.ones(n, np.float32)) for n in widths]
    update = UPDATES[net.optimizer](params, net.lr)
    rng = np.random.default_rng(3)
    inputs, targets = net.data()
    rows = np.arange(net.batch)

    def loss_of(params):
        x = inputs
        for i in range(last + 1):
            x = anp.dot(x, params[2 * i]) + params[2 * i + 1]
            if i == last:
                break
            if net.batch_norm:
                scale, shift = params[offset + 2 * i : offset + 2 * i + 2]
                x = batch_norm(x, scale, shift, *running[i])
            x = activation(x)
            if net.dropout:
                keep = rng.random(x.shape, dtype=np.float32) >= net.dropout
                x = x * (keep * np.float32(1 / (1 - net.dropout)))
        if net.loss == "mse":
            return anp.mean((x - targets) ** 2)
        return anp.mean(logsumexp(x, axis=1) - x[rows, targets])

    gradients = value_and_grad(loss_of)

    def step():
        loss, grads = gradients(params)
        update(grads)
        return (loss,)

    return step


def batch_norm(x, scale, shift, running_mean, running_var):
    n, rate = len(x), BATCH_NORM_MOMENTUM
    mean = anp.mean(x, axis=0)
    centred = x - mean
    var = anp.mean(centred * centred, axis=0)
    running_mean += rate * (getval(mean) - running_mean)
    running_var += rate * (getval(var) * (n / (n - 1)) - running_var)
    return centred / anp.sqrt(var + BATCH_NORM_EPS) * scale + shift


def chain(case: Chain):
    x, w = case.data()
    ones = np.ones(case.size, np.float32)
    trace = make_vjp(lambda xw: case.forward(anp, *xw))

    def step():
        backward, _ = trace((x, w))
        return backward(ones)

    return step
