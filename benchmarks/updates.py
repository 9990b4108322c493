"""In-place optimizer updates on NumPy arrays, for contenders that bring no optimizer."""

from __future__ import annotations

import numpy as np

from .cases import ADAM_BETAS, ADAM_EPS


def sgd(params, lr):
    def update(grads):
        for p, g in zip(params, grads, strict=True):
            p -= lr * g

    return update


def adam(params, lr):
    b1, b2 = ADAM_BETAS
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in params]
    t = 0

    def update(grads):
        nonlocal t
        t += 1
        rate, root = lr / (1 - b1**t), (1 - b2**t) ** 0.5
        for p, g, (m, v) in zip(params, grads, moments, strict=True):
            m += (1 - b1) * (g - m)
            v += (1 - b2) * (g * g - v)
            p -= rate * m / (np.sqrt(v) / root + ADAM_EPS)

    return update


UPDATES = {"sgd": sgd, "adam": adam}
