"""Hand-written NumPy: the strong baseline, with every derivative worked out on paper.

All parameters are views of one flat buffer, all gradients of another, and every result goes to
memory that was allocated once. Activations are stored as (features, batch) with a last row of
ones, so that a bias is one more column of its weight: two operations less per layer, and every
view stays contiguous. Constants are 0-d arrays: a ufunc takes one in 0.4 us, a Python float in
1.2 us.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from .cases import (
    ADAM_BETAS,
    ADAM_EPS,
    BATCH_NORM_EPS,
    BATCH_NORM_MOMENTUM,
    Chain,
    Net,
    arithmetic,
    functions,
    thousand_ops,
    twenty_ops,
)

dot, add, multiply, subtract, divide = np.dot, np.add, np.multiply, np.subtract, np.divide


def constant(value: float) -> np.ndarray:
    return np.array(value, np.float32)


ONE = constant(1.0)


def build(case: Net | Chain):
    return training(case) if isinstance(case, Net) else CHAINS[case.forward](*case.data())


def training(net: Net):
    inputs, targets = net.data()
    sizes, n = net.sizes, net.batch
    shapes = [(m, k + 1) for k, m in pairwise(sizes)]
    widths = sizes[1:-1] if net.batch_norm else ()
    shapes += [(k, 1) for k in widths for _ in range(2)]
    params, views = flat(shapes)
    grads, grad_views = flat(shapes)

    count = len(sizes) - 1
    for view, (weight, bias) in zip(views, net.weights(), strict=False):
        view[:, :-1], view[:, -1] = weight, bias
    states = [np.ones((k + 1, n), np.float32) for k in sizes[:-1]]
    states[0][:-1] = inputs.T
    output = np.empty((sizes[-1], n), np.float32)
    outputs = [*(state[:-1] for state in states[1:]), output]
    errors = [np.empty_like(z) for z in outputs]

    rng = np.random.Generator(np.random.SFC64(3))
    hidden = []
    for i, h in enumerate(outputs[:-1]):
        parts = []
        if net.batch_norm:
            at = count + 2 * i
            views[at].fill(1.0)
            parts.append(batch_norm(h, errors[i], views[at : at + 2], grad_views[at : at + 2]))
        parts.append(ACTIVATIONS[net.activation](h, errors[i]))
        if net.dropout:
            parts.append(dropout(h, errors[i], net.dropout, rng))
        hidden.append(parts)

    forward = [
        (views[i], states[i], outputs[i], [run for run, _ in (hidden[i] if i < count - 1 else [])])
        for i in range(count)
    ]
    # From the last layer to the second: the first needs no gradient of its input.
    backward = [
        (errors[i], states[i].T, grad_views[i], views[i][:, :-1].T, errors[i - 1],
         [undo for _, undo in reversed(hidden[i - 1])])
        for i in range(count - 1, 0, -1)
    ]  # fmt: skip
    first = errors[0], states[0].T, grad_views[0]
    criterion = LOSSES[net.loss](output, errors[-1], targets)
    update = UPDATES[net.optimizer](params, grads, net.lr)

    def step():
        for weight, state, out, parts in forward:
            dot(weight, state, out)
            for run in parts:
                run()
        loss = criterion()
        for error, state, grad, weight, below, parts in backward:
            dot(error, state, grad)
            dot(weight, error, below)
            for undo in parts:
                undo()
        dot(*first)
        update()
        return (loss,)

    return step


def flat(shapes):
    """One float32 buffer of zeros and a view of it for each shape."""
    buffer = np.zeros(sum(map(math.prod, shapes)), np.float32)
    views, start = [], 0
    for shape in shapes:
        views.append(buffer[start : start + math.prod(shape)].reshape(shape))
        start += math.prod(shape)
    return buffer, views


# A part of a hidden layer is a pair of functions: one changes the layer's values ``h`` in place,
# the other turns the gradient ``g`` of the result, in place, into that of what came in.


def tanh(h, g):
    slope = np.empty_like(h)

    def run():
        np.tanh(h, h)

    def undo():
        multiply(h, h, slope)
        subtract(ONE, slope, slope)
        multiply(g, slope, g)

    return run, undo


def sigmoid(h, g):
    slope = np.empty_like(h)

    def run():
        np.negative(h, h)
        np.exp(h, h)
        add(h, ONE, h)
        np.reciprocal(h, h)

    def undo():
        subtract(ONE, h, slope)
        multiply(slope, h, slope)
        multiply(g, slope, g)

    return run, undo


def relu(h, g):
    zeros, slope = np.zeros_like(h), np.empty_like(h)

    def run():
        np.maximum(h, zeros, out=h)

    def undo():
        # After dropout h is zero at more places, where g is zero already.
        np.sign(h, slope)
        multiply(g, slope, g)

    return run, undo


def dropout(h, g, p, rng):
    scale = np.empty_like(h)
    threshold, factor = constant(p), constant(1 / (1 - p))

    def run():
        rng.random(dtype=np.float32, out=scale)
        np.greater_equal(scale, threshold, scale)
        multiply(scale, factor, scale)
        multiply(h, scale, h)

    def undo():
        multiply(g, scale, g)

    return run, undo


def batch_norm(h, g, params, grads):
    scale, shift = params
    scale_grad, shift_grad = (grad[:, 0] for grad in grads)
    n = h.shape[1]
    ones = np.ones(n, np.float32)
    normal, product = np.empty_like(h), np.empty_like(h)
    mean, var, inverse, factor = (np.empty((len(h), 1), np.float32) for _ in range(4))
    running_mean, running_var = np.zeros_like(mean), np.ones_like(var)
    rate = BATCH_NORM_MOMENTUM
    eps, share, keep = constant(BATCH_NORM_EPS), constant(1 / n), constant(1 - rate)
    new_mean, new_var = constant(rate), constant(rate * n / (n - 1))

    def average(x, out):
        dot(x, ones, out[:, 0])
        multiply(out, share, out)

    def move(running, new, weight):
        multiply(running, keep, running)
        multiply(new, weight, factor)
        add(running, factor, running)

    def run():
        average(h, mean)
        subtract(h, mean, normal)
        multiply(normal, normal, product)
        average(product, var)
        move(running_mean, mean, new_mean)
        move(running_var, var, new_var)
        add(var, eps, inverse)
        np.sqrt(inverse, inverse)
        np.reciprocal(inverse, inverse)
        multiply(normal, inverse, normal)
        multiply(normal, scale, h)
        add(h, shift, h)

    def undo():
        # g <- scale / std * (g - mean(g) - normal * mean(g * normal))
        dot(g, ones, shift_grad)
        multiply(g, normal, product)
        dot(product, ones, scale_grad)
        multiply(grads[0], share, factor)
        multiply(normal, factor, product)
        subtract(g, product, g)
        multiply(grads[1], share, factor)
        subtract(g, factor, g)
        multiply(inverse, scale, factor)
        multiply(g, factor, g)

    return run, undo


ACTIVATIONS = {"tanh": tanh, "sigmoid": sigmoid, "relu": relu}


# A loss reads the net's output, writes its gradient and returns its value.


def mse(output, g, targets):
    targets = np.ascontiguousarray(targets.T)
    n, row = output.size, g.reshape(-1)
    factor = constant(2 / n)

    def run():
        subtract(output, targets, g)
        loss = dot(row, row) / n
        multiply(g, factor, g)
        return loss

    return run


def cross_entropy(output, g, targets):
    n = len(targets)
    count, share = constant(n), constant(1 / n)
    places = targets * n + np.arange(n)  # of the right classes in the flattened (class, batch)
    top, total = np.empty((1, n), np.float32), np.empty((1, n), np.float32)
    flat_output, flat_g = output.reshape(-1), g.reshape(-1)

    def run():
        np.maximum.reduce(output, 0, None, top, True)
        subtract(output, top, output)
        np.exp(output, g)
        add.reduce(g, 0, None, total, True)
        right = add.reduce(flat_output.take(places))
        loss = (add.reduce(np.log(total, top), None) - right) / n
        multiply(total, count, total)
        divide(g, total, g)
        flat_g[places] -= share
        return loss

    return run


LOSSES = {"mse": mse, "cross_entropy": cross_entropy}


def sgd(params, grads, lr):
    rate = constant(lr)

    def run():
        multiply(grads, rate, grads)
        subtract(params, grads, params)

    return run


def adam(params, grads, lr):
    # The moments are kept without their factors 1 - beta, which join the step and epsilon.
    m, v, work = (np.zeros_like(params) for _ in range(3))
    b1, b2 = ADAM_BETAS
    decay1, decay2, eps, rate = map(constant, (b1, b2, 0.0, 0.0))
    t = 0

    def run():
        nonlocal t
        t += 1
        root = math.sqrt((1 - b2) / (1 - b2**t))
        eps.fill(ADAM_EPS / root)
        rate.fill(lr * (1 - b1) / (1 - b1**t) / root)
        multiply(m, decay1, m)
        add(m, grads, m)
        multiply(grads, grads, grads)
        multiply(v, decay2, v)
        add(v, grads, v)
        np.sqrt(v, work)
        add(work, eps, work)
        divide(m, work, work)
        multiply(work, rate, work)
        subtract(params, work, params)

    return run


UPDATES = {"sgd": sgd, "adam": adam}


# The chains. Each keeps what its backward reads in ``saved`` and sums the gradients gx and gw.


def chain_twenty(x, w):
    scaled, bent, waved, entered = ([np.empty_like(x) for _ in range(4)] for _ in range(4))
    slope, g, gx, gw = (np.empty_like(x) for _ in range(4))
    factor = constant(0.9)
    rounds = list(zip([x, *entered], scaled, bent, waved, entered, strict=False))

    def step():
        for y, a, b, c, out in rounds:
            multiply(y, w, a)
            np.tanh(a, b)
            add(b, x, c)
            np.sin(c, out)
            multiply(out, factor, out)
        g.fill(1.0)
        gx.fill(0.0)
        gw.fill(0.0)
        for y, _, b, c, _ in reversed(rounds):
            multiply(g, factor, g)
            np.cos(c, slope)
            multiply(g, slope, g)
            add(gx, g, gx)
            multiply(b, b, slope)
            subtract(ONE, slope, slope)
            multiply(g, slope, g)
            multiply(g, y, slope)
            add(gw, slope, gw)
            multiply(g, w, g)
        add(gx, g, gx)
        return gx, gw

    return step


def loop_thousand(x, w):
    values = [x, *(np.empty_like(x) for _ in range(1000))]
    slope, g, gx, gw = (np.empty_like(x) for _ in range(4))

    def step():
        for i in range(1000):
            branch, y, out = i % 4, values[i], values[i + 1]
            if branch == 0:
                multiply(y, w, out)
            elif branch == 1:
                subtract(y, x, out)
            elif branch == 2:
                divide(y, w, out)
            else:
                np.abs(y, out)
        g.fill(1.0)
        gx.fill(0.0)
        gw.fill(0.0)
        for i in reversed(range(1000)):
            branch, y = i % 4, values[i]
            if branch == 0:
                multiply(g, y, slope)
                add(gw, slope, gw)
                multiply(g, w, g)
            elif branch == 1:
                subtract(gx, g, gx)
            elif branch == 2:
                divide(g, w, g)
                multiply(g, values[i + 1], slope)
                subtract(gw, slope, gw)
            else:
                np.sign(y, slope)
                multiply(g, slope, g)
        add(gx, g, gx)
        return gx, gw

    return step


def chain_arithmetic(x, w):
    total, result, g, gx, gw = (np.empty_like(x) for _ in range(5))
    two, half, minus = constant(2.0), constant(0.5), constant(-1.0)

    def step():
        # y = ((x w + x)^2 - w) / 2 / w
        multiply(x, w, total)
        add(total, x, total)
        multiply(total, total, result)
        subtract(result, w, result)
        multiply(result, half, result)
        divide(result, w, result)
        divide(ONE, w, g)
        multiply(g, minus, gw)
        multiply(gw, result, gw)
        multiply(g, half, g)
        subtract(gw, g, gw)
        multiply(g, total, g)
        multiply(g, two, g)
        multiply(g, w, gx)
        add(gx, g, gx)
        multiply(g, x, g)
        add(gw, g, gw)
        return gx, gw

    return step


def chain_functions(x, w):
    grown, bent, scaled, root, result = (np.empty_like(x) for _ in range(5))
    work, gx, gw = (np.empty_like(x) for _ in range(3))
    half = constant(0.5)

    def step():
        # y = log(sqrt(sin(tanh(exp(x)) w)))
        np.exp(x, grown)
        np.tanh(grown, bent)
        multiply(bent, w, scaled)
        np.sin(scaled, root)
        np.sqrt(root, root)
        np.log(root, result)
        divide(half, root, gx)
        divide(gx, root, gx)
        np.cos(scaled, work)
        multiply(gx, work, gx)
        multiply(gx, bent, gw)
        multiply(gx, w, gx)
        multiply(bent, bent, work)
        subtract(ONE, work, work)
        multiply(gx, work, gx)
        multiply(gx, grown, gx)
        return gx, gw

    return step


CHAINS = {
    twenty_ops: chain_twenty,
    thousand_ops: loop_thousand,
    arithmetic: chain_arithmetic,
    functions: chain_functions,
}
