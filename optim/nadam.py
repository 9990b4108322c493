"""NAdam."""

from __future__ import annotations

import numpy as np

from ._single import Single, direction, number, shift_mean
from .optimizer import check_options


class NAdam(Single):
    """NAdam: Adam with Nesterov's momentum, which is raised as training goes on.

    Step number t, with gradient g, weight decay λ and momentum decay ψ::

        g += λ p
        μ  = β1 (1 - 0.96^(t ψ) / 2);  μ' is that of step t + 1;  Π = product of all μ so far
        m  = β1 m + (1 - β1) g
        v  = β2 v + (1 - β2) g²
        p -= lr * (μ' m / (1 - Π μ') + (1 - μ) g / (1 - Π)) / (sqrt(v / (1 - β2^t)) + eps)

    Dozat, "Incorporating Nesterov momentum into Adam" (2016).

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: learning rate, at least 0; a number or a tensor with one element.
        betas: (β1, β2), in [0, 1).
        eps: at least 0.
        weight_decay: λ, at least 0.
        momentum_decay: ψ, at least 0.
        decoupled_weight_decay: shrink p by ``lr * λ * p`` instead of adding λ p to g.
        foreach, capturable: accepted without effect.
        maximize: climb instead of descend.
        differentiable: must be False.

    State: ``step`` (t), ``mu_product`` (Π), ``exp_avg`` (m) and ``exp_avg_sq`` (v).

    Raises:
        ValueError: an option is out of range.
        NotImplementedError: ``differentiable`` is True, or a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0, -2.0], requires_grad=True)
    >>> nadam = tensorgrad.optim.NAdam([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> nadam.step()
    >>> w
    tensor([ 0.7359, -1.7359], requires_grad=True)
    """

    _alike = ("exp_avg", "exp_avg_sq")
    _numbers = ("step", "mu_product")

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3,
        decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False,
        differentiable=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable,
        }  # fmt: skip
        check_options(options, "lr eps weight_decay momentum_decay")
        super().__init__(params, options)

    def _start(self, group, array):
        return {
            "step": number(0),
            "mu_product": number(1),
            "exp_avg": np.zeros_like(array),
            "exp_avg_sq": np.zeros_like(array),
        }

    def _update(self, group, p, array, g, state):
        lr, eps, (beta1, beta2) = float(group["lr"]), group["eps"], map(float, group["betas"])
        exp_avg, exp_avg_sq, mu_product = state["exp_avg"], state["exp_avg_sq"], state["mu_product"]
        state["step"] += 1
        count = state["step"].item()
        mu, mu_next = (
            beta1 * (1.0 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (count, count + 1)
        )
        mu_product *= mu
        so_far = mu_product.item()
        g = direction(group, array, g)
        shift_mean(exp_avg, g, 1.0 - beta1)
        shift_mean(exp_avg_sq, g * g, 1.0 - beta2)
        scale = np.sqrt(exp_avg_sq / (1.0 - beta2**count)) + eps
        array -= lr * (1.0 - mu) / (1.0 - so_far) * g / scale
        array -= lr * mu_next / (1.0 - so_far * mu_next) * exp_avg / scale
