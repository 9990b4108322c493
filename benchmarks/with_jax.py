"""JAX: the whole step, optimizer included, is one jitted function that reuses its state's memory.

Steps are dispatched without waiting, as in a real training loop; the timer waits for the last
one of a block (waiting for each cost up to 60 us more).
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from .cases import ADAM_BETAS, ADAM_EPS, BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, Chain, Net

ACTIVATIONS = {"tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu}


def build(case: Net | Chain):
    return training(case) if isinstance(case, Net) else chain(case)


def training(net: Net):
    last = len(net.sizes) - 2
    params, running = [], []
    for i, (weight, bias) in enumerate(net.weights()):
        layer = {"weight": jnp.array(weight.T), "bias": jnp.array(bias)}
        if net.batch_norm and i < last:
            layer |= {"scale": jnp.ones(len(bias)), "shift": jnp.zeros(len(bias))}
            running.append((jnp.zeros(len(bias)), jnp.ones(len(bias))))
        params.append(layer)
    key = jax.random.key(0) if net.dropout else None
    x, y = (jnp.array(array) for array in net.data())

    def loss_of(params, running, key, x, y):
        moved = []
        for i, layer in enumerate(params):
            x = x @ layer["weight"] + layer["bias"]
            if i == last:
                break
            if net.batch_norm:
                x, statistics = batch_norm(x, layer["scale"], layer["shift"], running[i])
                moved.append(statistics)
            x = ACTIVATIONS[net.activation](x)
            if net.dropout:
                keep = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - net.dropout, x.shape)
                x = jnp.where(keep, x / (1 - net.dropout), 0.0)
        return criterion(net.loss, x, y), moved

    @partial(jax.jit, donate_argnums=0)
    def update(state, x, y):
        params, moments, running, key = state
        key, used = (None, None) if key is None else jax.random.split(key)
        value_and_grad = jax.value_and_grad(loss_of, has_aux=True)
        (loss, running), grads = value_and_grad(params, running, used, x, y)
        params, moments = UPDATES[net.optimizer](params, grads, moments, net.lr)
        return (params, moments, running, key), loss

    state = params, MOMENTS[net.optimizer](params), running, key

    def step():
        nonlocal state
        state, loss = update(state, x, y)
        return (loss,)

    return step


def batch_norm(x, scale, shift, running):
    mean, var = x.mean(axis=0), x.var(axis=0)
    n, rate = len(x), BATCH_NORM_MOMENTUM
    old_mean, old_var = running
    moved = (1 - rate) * old_mean + rate * mean, (1 - rate) * old_var + rate * var * (n / (n - 1))
    return (x - mean) * jax.lax.rsqrt(var + BATCH_NORM_EPS) * scale + shift, moved


def criterion(name: str, x, y):
    if name == "mse":
        return jnp.mean((x - y) ** 2)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1))


def sgd(params, grads, moments, lr):
    return jax.tree.map(lambda p, g: p - lr * g, params, grads), moments


def adam(params, grads, moments, lr):
    b1, b2 = ADAM_BETAS
    m, v, t = moments
    t = t + 1
    m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, grads)
    v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, v, grads)
    rate, root = lr / (1 - b1**t), jnp.sqrt(1 - b2**t)
    params = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + ADAM_EPS), params, m, v
    )
    return params, (m, v, t)


def adam_moments(params):
    # Two trees of zeros, not one twice: a donated buffer may appear only once.
    return *(jax.tree.map(jnp.zeros_like, params) for _ in range(2)), jnp.zeros(())


UPDATES = {"sgd": sgd, "adam": adam}
MOMENTS = {"sgd": lambda params: None, "adam": adam_moments}


def chain(case: Chain):
    x, w = (jnp.array(array) for array in case.data())
    ones = jnp.ones(case.size)

    @jax.jit
    def gradients(x, w):
        return jax.vjp(partial(case.forward, jnp), x, w)[1](ones)

    return lambda: gradients(x, w)
