"""RAdam."""

from __future__ import annotations

import math

import numpy as np

from ._bucketed import Bucketed, direction, shift_mean, shift_square_mean
from .optimizer import check_options

add, divide, multiply, sqrt, subtract = np.add, np.divide, np.multiply, np.sqrt, np.subtract


class RAdam(Bucketed):
    """RAdam: Adam that follows the bare mean until enough steps tell the variance.

    Step number t, with gradient g and weight decay λ::

        g += λ p
        m  = β1 m + (1 - β1) g
        v  = β2 v + (1 - β2) g²
        ρ∞ = 2 / (1 - β2) - 1
        ρ  = ρ∞ - 2 t β2^t / (1 - β2^t)
        r  = sqrt((ρ - 4) (ρ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρ))
        p -= lr * m / (1 - β1^t) * (r * sqrt(1 - β2^t) / (sqrt(v) + eps) if ρ > 5 else 1)

    Liu et al., "On the variance of the adaptive learning rate and beyond"
    (arXiv:1908.03265), who switch at ρ > 4; PyTorch and the authors' code switch at 5.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: learning rate, at least 0; a number or a tensor with one element.
        betas: (β1, β2), in [0, 1).
        eps: at least 0.
        weight_decay: λ, at least 0.
        decoupled_weight_decay: shrink p by ``lr * λ * p`` instead of adding λ p to g.
        foreach, capturable: accepted; all parameters are always updated together.
        maximize: climb instead of descend.
        differentiable: must be False.

    State: ``step`` (t), ``exp_avg`` (m) and ``exp_avg_sq`` (v).

    Raises:
        ValueError: an option is out of range.
        NotImplementedError: ``differentiable`` is True, or a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0, -2.0], requires_grad=True)
    >>> radam = tensorgrad.optim.RAdam([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> radam.step()
    >>> w
    tensor([ 0.5000, -1.0000], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0,
        decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False,
        differentiable=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable,
        }  # fmt: skip
        check_options(options, "lr eps weight_decay")
        super().__init__(params, options)

    def _names(self, group):
        return ("step", "exp_avg", "exp_avg_sq")

    def _options(self, group):
        beta1, beta2 = map(float, group["betas"])
        lr, weight_decay = float(group["lr"]), float(group["weight_decay"])
        if group["decoupled_weight_decay"]:
            weight_decay *= lr
        return lr, beta1, beta2, float(group["eps"]), weight_decay

    def _coefficients(self, options, count):
        lr, beta1, beta2, eps, weight_decay = options
        rate = lr / (1.0 - beta1**count)
        rectifier = _rectifier(beta2, count)
        if rectifier is not None:
            rate *= rectifier * math.sqrt(1.0 - beta2**count)
        return (
            rectifier is not None, rate, beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps,
            weight_decay,
        )  # fmt: skip

    def _update(self, group, first, c, p, g, t, u, exp_avg, exp_avg_sq):
        rectified, rate, beta1, one_minus_beta1, beta2, one_minus_beta2, eps, weight_decay = c
        g = direction(group, weight_decay, p, g, t, u)
        shift_mean(exp_avg, g, beta1, one_minus_beta1, u)
        shift_square_mean(exp_avg_sq, g, beta2, one_minus_beta2, u)
        if rectified:
            sqrt(exp_avg_sq, u)
            add(u, eps, u)
            divide(exp_avg, u, u)
            multiply(u, rate, u)
        else:
            multiply(exp_avg, rate, u)
        subtract(p, u, p)


def _rectifier(beta2, count):
    """The factor r of the formula, None where the variance is not known well enough."""
    limit = 2.0 / (1.0 - beta2) - 1.0
    known = limit - 2.0 * count * beta2**count / (1.0 - beta2**count)
    if known <= 5.0:
        return None
    over = (known - 4.0) * (known - 2.0) * limit
    return math.sqrt(over / ((limit - 4.0) * (limit - 2.0) * known))
