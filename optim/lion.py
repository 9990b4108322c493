"""Lion."""

from __future__ import annotations

import numpy as np

from ._bucketed import Bucketed, shift_mean
from .optimizer import check_options

add, multiply, sign, subtract = np.add, np.multiply, np.sign, np.subtract


class Lion(Bucketed):
    """Lion: steps of ``lr`` in each element, along the sign of a running mean of the gradient.

    With gradient g and weight decay λ, a step is::

        c  = β1 m + (1 - β1) g
        p -= lr * (sign(c) + λ p)
        m  = β2 m + (1 - β2) g

    Chen et al., "Symbolic discovery of optimization algorithms" (arXiv:2302.06675), Algorithm
    2. Every element moves by lr, so lr wants to be 3 to 10 times smaller than AdamW's, and λ as
    many times larger. The state is half of Adam's. Not in PyTorch.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: learning rate, at least 0; a number or a tensor with one element.
        betas: (β1, β2), in [0, 1).
        weight_decay: λ, at least 0; decoupled.
        maximize: climb instead of descend.

    State: ``exp_avg`` (m).

    Raises:
        ValueError: an option is out of range.
        NotImplementedError: a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0, -2.0], requires_grad=True)
    >>> lion = tensorgrad.optim.Lion([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> lion.step()
    >>> w
    tensor([ 0.7500, -1.7500], requires_grad=True)
    """

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, *, maximize=False):
        options = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        check_options(options, "lr weight_decay")
        super().__init__(params, options)

    def _names(self, group):
        return ("exp_avg",)

    def _options(self, group):
        lr, (beta1, beta2) = float(group["lr"]), map(float, group["betas"])
        shrink = lr * float(group["weight_decay"])
        return lr, shrink, beta1, beta2, 1.0 - beta2

    def _update(self, group, first, c, p, g, t, u, exp_avg):
        lr, shrink, beta1, beta2, one_minus_beta2 = c
        if group["maximize"]:
            g = np.negative(g, t)
        multiply(p, shrink, u)
        subtract(p, u, p)
        subtract(exp_avg, g, u)
        multiply(u, beta1, u)
        add(u, g, u)
        sign(u, u)
        multiply(u, lr, u)
        subtract(p, u, p)
        shift_mean(exp_avg, g, beta2, one_minus_beta2, u)
