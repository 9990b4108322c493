"""LAMB."""

from __future__ import annotations

import numpy as np

from ._single import Single, number, shift_mean
from .optimizer import check_options


class LAMB(Single):
    """LAMB: Adam's direction, with a step in proportion to the norm of each parameter.

    Step number t, with gradient g and weight decay λ, for each parameter tensor by itself::

        m  = β1 m + (1 - β1) g
        v  = β2 v + (1 - β2) g²
        r  = m / (1 - β1^t) / (sqrt(v / (1 - β2^t)) + eps) + λ p
        p -= lr * (|p| / |r|) * r

    with Euclidean norms; the ratio is 1 where one of them is 0. You et al., "Large batch
    optimization for deep learning: training BERT in 76 minutes" (arXiv:1904.00962), Algorithm
    2 with the identity as φ. Biases and the scales of norms usually go without ratio and decay:
    ``{"params": ..., "weight_decay": 0.0, "adapt": False}``. Not in PyTorch.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: learning rate, at least 0; a number or a tensor with one element.
        betas: (β1, β2), in [0, 1).
        eps: at least 0.
        weight_decay: λ, at least 0; scaled by the ratio as the rest is.
        adapt: False leaves the ratio out, which makes it AdamW.
        maximize: climb instead of descend.

    State: ``step`` (t), ``exp_avg`` (m) and ``exp_avg_sq`` (v).

    Raises:
        ValueError: an option is out of range.
        NotImplementedError: a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([3.0, -4.0], requires_grad=True)
    >>> lamb = tensorgrad.optim.LAMB([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> lamb.step()
    >>> (w.detach() - tensorgrad.tensor([3.0, -4.0])).norm()  # a tenth of the norm of w
    tensor(0.5000)
    """

    _alike = ("exp_avg", "exp_avg_sq")

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0, *, adapt=True,
        maximize=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "adapt": adapt,
            "maximize": maximize,
        }  # fmt: skip
        check_options(options, "lr eps weight_decay")
        super().__init__(params, options)

    def _start(self, group, array):
        return {
            "step": number(0),
            "exp_avg": np.zeros_like(array),
            "exp_avg_sq": np.zeros_like(array),
        }

    def _update(self, group, p, array, g, state):
        lr, (beta1, beta2) = float(group["lr"]), map(float, group["betas"])
        state["step"] += 1
        count = state["step"].item()
        g = -g if group["maximize"] else g
        shift_mean(state["exp_avg"], g, 1.0 - beta1)
        shift_mean(state["exp_avg_sq"], g * g, 1.0 - beta2)
        mean = state["exp_avg"] / (1.0 - beta1**count)
        root = np.sqrt(state["exp_avg_sq"] / (1.0 - beta2**count))
        step = mean / (root + float(group["eps"])) + float(group["weight_decay"]) * array
        ratio = norm_ratio(array, step) if group["adapt"] else 1.0
        array -= lr * ratio * step


def norm_ratio(array, step) -> float:
    """The norm of a parameter over that of its step; 1 where one of them is 0."""
    above, below = float(np.linalg.norm(array)), float(np.linalg.norm(step))
    return above / below if above > 0.0 and below > 0.0 else 1.0
