"""Adagrad."""

from __future__ import annotations

import numpy as np

from tensorgrad._graph import wrap

from ._bucketed import Bucketed, direction
from .optimizer import check_options, chosen, count_dtype

add, divide, multiply, sqrt, subtract = np.add, np.divide, np.multiply, np.sqrt, np.subtract


class Adagrad(Bucketed):
    """Adagrad: the gradient over the root of the sum of all its squares.

    Step number t, with gradient g and weight decay λ::

        g += λ p
        G += g²
        p -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(G) + eps)

    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization" (2011), without ``lr_decay``. With ``eps_inside_sqrt`` the divisor is
    ``sqrt(G + eps)``.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: learning rate, at least 0; a number or a tensor with one element.
        lr_decay: at least 0.
        weight_decay: λ, at least 0.
        initial_accumulator_value: what G begins with, at least 0.
        eps: at least 0.
        foreach, fused: accepted; all parameters are always updated together.
        maximize: climb instead of descend.
        differentiable: must be False.
        eps_inside_sqrt: add ``eps`` before the root is taken. Not in PyTorch; also an option
            of a group, and among the saved options where it is True.

    State, from the beginning: ``step`` (t) and ``sum`` (G).

    Raises:
        ValueError: an option is out of range.
        RuntimeError: ``fused`` and ``foreach`` are both True.
        NotImplementedError: ``differentiable`` is True, or a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0, -2.0], requires_grad=True)
    >>> adagrad = tensorgrad.optim.Adagrad([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> adagrad.step()
    >>> w
    tensor([ 0.7500, -1.7500], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10,
        foreach=None, *, maximize=False, differentiable=False, fused=None,
        eps_inside_sqrt=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "fused": fused,
            **chosen(eps_inside_sqrt=eps_inside_sqrt),
        }  # fmt: skip
        check_options(options, "lr lr_decay weight_decay initial_accumulator_value eps")
        super().__init__(params, options)
        for group in self.param_groups:
            for p in group["params"]:
                start = np.full_like(p._array, initial_accumulator_value)
                self.state[p] = {"step": wrap(np.zeros((), count_dtype())), "sum": wrap(start)}

    def share_memory(self) -> None:
        """Move the state to shared memory: nothing to do, threads share all memory."""

    def _names(self, group):
        return ("step", "sum")

    def _starts(self, group):
        return {"sum": self.defaults["initial_accumulator_value"]}

    def _options(self, group):
        return (
            float(group["lr"]),
            float(group["lr_decay"]),
            float(group["weight_decay"]),
            float(group["eps"]),
        )

    def _coefficients(self, options, count):
        lr, lr_decay, weight_decay, eps = options
        return lr / (1.0 + (count - 1.0) * lr_decay), weight_decay, eps

    def _update(self, group, first, c, p, g, t, u, total):
        lr, weight_decay, eps = c
        g = direction(group, weight_decay, p, g, t, u)
        multiply(g, g, u)
        add(total, u, total)
        if group.get("eps_inside_sqrt"):
            add(total, eps, u)
            sqrt(u, u)
        else:
            sqrt(total, u)
            add(u, eps, u)
        divide(g, u, u)
        multiply(u, lr, u)
        subtract(p, u, p)
