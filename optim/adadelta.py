"""Adadelta."""

from __future__ import annotations

import numpy as np

from ._bucketed import Bucketed, direction, shift_square_mean
from .optimizer import check_options

add, divide, multiply, sqrt, subtract = np.add, np.divide, np.multiply, np.sqrt, np.subtract


class Adadelta(Bucketed):
    """Adadelta: steps in proportion to the size of earlier ones, so that units match.

    With gradient g and weight decay λ, a step is::

        g += λ p
        v  = ρ v + (1 - ρ) g²
        d  = sqrt(a + eps) / sqrt(v + eps) * g
        a  = ρ a + (1 - ρ) d²
        p -= lr * d

    Zeiler, "ADADELTA: an adaptive learning rate method" (arXiv:1212.5701), who has no ``lr``
    and ρ = 0.95: ``lr=1.0, rho=0.95`` is the paper's method. ``lr`` does not enter a.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: what the step is multiplied by, at least 0; a number or a tensor with one element.
        rho: ρ, from 0 to 1.
        eps: at least 0.
        weight_decay: λ, at least 0.
        foreach, capturable: accepted; all parameters are always updated together.
        maximize: climb instead of descend.
        differentiable: must be False.

    State: ``step``, ``square_avg`` (v) and ``acc_delta`` (a).

    Raises:
        ValueError: an option is out of range.
        NotImplementedError: ``differentiable`` is True, or a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0, -2.0], requires_grad=True)
    >>> adadelta = tensorgrad.optim.Adadelta([w], rho=0.0, eps=0.25)
    >>> (w * w).sum().backward()
    >>> adadelta.step()
    >>> w
    tensor([ 0.5149, -1.5039], requires_grad=True)
    """

    def __init__(
        self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *,
        capturable=False, maximize=False, differentiable=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        }  # fmt: skip
        check_options(options, "lr rho eps weight_decay")
        if not rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}; it must be in [0, 1]")
        super().__init__(params, options)

    def _names(self, group):
        return ("step", "square_avg", "acc_delta")

    def _options(self, group):
        rho = float(group["rho"])
        return (
            float(group["lr"]),
            float(group["weight_decay"]),
            rho,
            1.0 - rho,
            float(group["eps"]),
        )

    def _update(self, group, first, c, p, g, t, u, square_avg, acc_delta):
        lr, weight_decay, rho, one_minus_rho, eps = c
        g = direction(group, weight_decay, p, g, t, u)
        shift_square_mean(square_avg, g, rho, one_minus_rho, u)
        add(square_avg, eps, u)
        sqrt(u, u)
        divide(g, u, t)
        add(acc_delta, eps, u)
        sqrt(u, u)
        multiply(t, u, t)
        shift_square_mean(acc_delta, t, rho, one_minus_rho, u)
        multiply(t, lr, t)
        subtract(p, t, p)
