"""Adamax."""

from __future__ import annotations

import numpy as np

from ._bucketed import Bucketed, direction, shift_mean
from .optimizer import check_options

add, divide, multiply, subtract = np.add, np.divide, np.multiply, np.subtract


class Adamax(Bucketed):
    """Adamax: Adam with a decaying maximum in place of the root mean square.

    Step number t, with gradient g and weight decay λ::

        g += λ p
        m  = β1 m + (1 - β1) g
        u  = max(β2 u, |g| + eps)
        p -= lr / (1 - β1^t) * m / u

    Algorithm 2 of Kingma and Ba, "Adam: a method for stochastic optimization"
    (arXiv:1412.6980), which has no ``eps``.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: learning rate, at least 0; a number or a tensor with one element.
        betas: (β1, β2), in [0, 1).
        eps: at least 0.
        weight_decay: λ, at least 0.
        foreach, capturable: accepted; all parameters are always updated together.
        maximize: climb instead of descend.
        differentiable: must be False.

    State: ``step`` (t), ``exp_avg`` (m) and ``exp_inf`` (u).

    Raises:
        ValueError: an option is out of range.
        NotImplementedError: ``differentiable`` is True, or a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0, -2.0], requires_grad=True)
    >>> adamax = tensorgrad.optim.Adamax([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> adamax.step()
    >>> w
    tensor([ 0.7500, -1.7500], requires_grad=True)
    """

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *,
        maximize=False, differentiable=False, capturable=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        }  # fmt: skip
        check_options(options, "lr eps weight_decay")
        super().__init__(params, options)

    def _names(self, group):
        return ("step", "exp_avg", "exp_inf")

    def _options(self, group):
        beta1, beta2 = group["betas"]
        return (
            float(group["lr"]),
            float(beta1),
            float(beta2),
            float(group["eps"]),
            float(group["weight_decay"]),
        )

    def _coefficients(self, options, count):
        lr, beta1, beta2, eps, weight_decay = options
        return lr / (1.0 - beta1**count), beta1, 1.0 - beta1, beta2, eps, weight_decay

    def _update(self, group, first, c, p, g, t, u, exp_avg, exp_inf):
        rate, beta1, one_minus_beta1, beta2, eps, weight_decay = c
        g = direction(group, weight_decay, p, g, t, u)
        shift_mean(exp_avg, g, beta1, one_minus_beta1, u)
        np.abs(g, u)
        add(u, eps, u)
        multiply(exp_inf, beta2, exp_inf)
        np.maximum(exp_inf, u, out=exp_inf)
        divide(exp_avg, exp_inf, u)
        multiply(u, rate, u)
        subtract(p, u, p)
