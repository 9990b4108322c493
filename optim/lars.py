"""LARS."""

from __future__ import annotations

import numpy as np

from ._single import Single
from .optimizer import check_options


class LARS(Single):
    """LARS: SGD with momentum whose rate follows the norm of each parameter.

    With gradient g, weight decay λ, momentum μ and trust coefficient η, for each parameter
    tensor by itself::

        rate = lr * η |p| / (|g| + λ |p|)
        b  = μ b + rate * (g + λ p)
        p -= b

    with Euclidean norms; ``rate = lr`` where one of them is 0. You, Gitman and Ginsburg, "Large
    batch training of convolutional networks" (arXiv:1708.03888), Algorithm 1. The rate is part
    of the velocity b, unlike in :class:`SGD`. Biases and the scales of norms usually go without:
    ``{"params": ..., "weight_decay": 0.0, "adapt": False}``. Not in PyTorch.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: learning rate, at least 0; a number or a tensor with one element.
        momentum: μ, at least 0.
        weight_decay: λ, at least 0.
        trust_coefficient: η, at least 0.
        adapt: False makes ``rate = lr``.
        maximize: climb instead of descend.

    State: ``momentum_buffer`` (b).

    Raises:
        ValueError: an option is out of range.
        NotImplementedError: a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([3.0, -4.0], requires_grad=True)
    >>> lars = tensorgrad.optim.LARS([w], lr=1.0, trust_coefficient=0.1)
    >>> (w * w).sum().backward()
    >>> lars.step()  # a tenth of the norm of w along the gradient
    >>> w
    tensor([ 2.7000, -3.6000], requires_grad=True)
    """

    _alike = ("momentum_buffer",)
    _numbers = ()

    def __init__(
        self, params, lr=1e-1, momentum=0.9, weight_decay=0.0, trust_coefficient=1e-3, *,
        adapt=True, maximize=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "momentum": momentum, "weight_decay": weight_decay,
            "trust_coefficient": trust_coefficient, "adapt": adapt, "maximize": maximize,
        }  # fmt: skip
        check_options(options, "lr momentum weight_decay trust_coefficient")
        super().__init__(params, options)

    def _start(self, group, array):
        return {"momentum_buffer": np.zeros_like(array)}

    def _update(self, group, p, array, g, state):
        weight_decay, b = float(group["weight_decay"]), state["momentum_buffer"]
        rate = float(group["lr"])
        if group["adapt"]:
            rate *= float(group["trust_coefficient"]) * _trust(array, g, weight_decay)
        g = -g if group["maximize"] else g
        b *= float(group["momentum"])
        b += rate * (g + weight_decay * array)
        array -= b


def _trust(array, g, weight_decay) -> float:
    """|p| / (|g| + λ |p|); 1 where one of the norms is 0."""
    above, below = float(np.linalg.norm(array)), float(np.linalg.norm(g))
    return above / (below + weight_decay * above) if above > 0.0 and below > 0.0 else 1.0
