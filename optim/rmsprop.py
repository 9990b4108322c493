"""RMSprop."""

from __future__ import annotations

import numpy as np

from ._bucketed import Bucketed, direction, shift_mean, shift_square_mean
from .optimizer import check_options, chosen

add, divide, multiply, sqrt, subtract = np.add, np.divide, np.multiply, np.sqrt, np.subtract


class RMSprop(Bucketed):
    """RMSprop: the gradient over the root of its running mean square.

    With gradient g, weight decay λ and momentum μ, a step is::

        g += λ p
        v  = α v + (1 - α) g²
        m  = α m + (1 - α) g              (with centered)
        s  = sqrt(v - m²) if centered else sqrt(v)
        b  = μ b + g / (s + eps)
        p -= lr * b

    Hinton, "Neural networks for machine learning", lecture 6 (2012); centered as in Graves,
    "Generating sequences with recurrent neural networks" (arXiv:1308.0850). ``eps`` is added
    after the root, as in PyTorch; with ``eps_inside_sqrt`` before it, as in Graves's paper and
    in TensorFlow, ``s = sqrt(v + eps)``, which matters where models were tuned for that.
    Hinton's α is 0.9.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: learning rate, at least 0; a number or a tensor with one element.
        alpha: α, at least 0.
        eps: at least 0.
        weight_decay: λ, at least 0.
        momentum: μ, at least 0.
        centered: divide by an estimate of the standard deviation.
        capturable, foreach: accepted; all parameters are always updated together.
        maximize: climb instead of descend.
        differentiable: must be False.
        eps_inside_sqrt: add ``eps`` before the root is taken. Not in PyTorch; also an option
            of a group, and among the saved options where it is True.

    State: ``step``, ``square_avg`` (v), ``momentum_buffer`` (b) where momentum is not 0, and
    ``grad_avg`` (m) with centered.

    Raises:
        ValueError: an option is out of range.
        NotImplementedError: ``differentiable`` is True, or a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0, -8.0], requires_grad=True)
    >>> rmsprop = tensorgrad.optim.RMSprop([w], lr=0.5, alpha=0.75)
    >>> (w * w).sum().backward()
    >>> rmsprop.step()
    >>> w
    tensor([ 0., -7.], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False,
        capturable=False, foreach=None, maximize=False, differentiable=False, *,
        eps_inside_sqrt=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable,
            **chosen(eps_inside_sqrt=eps_inside_sqrt),
        }  # fmt: skip
        check_options(options, "lr eps momentum weight_decay alpha")
        super().__init__(params, options)

    def _names(self, group):
        names = ("step", "square_avg")
        if group["momentum"]:
            names += ("momentum_buffer",)
        if group["centered"]:
            names += ("grad_avg",)
        return names

    def _options(self, group):
        alpha = float(group["alpha"])
        return (
            float(group["lr"]),
            float(group["weight_decay"]),
            alpha,
            1.0 - alpha,
            float(group["eps"]),
            float(group["momentum"]),
        )

    def _update(self, group, first, c, p, g, t, u, square_avg, *more):
        lr, weight_decay, alpha, one_minus_alpha, eps, momentum = c
        g = direction(group, weight_decay, p, g, t, u)
        shift_square_mean(square_avg, g, alpha, one_minus_alpha, u)
        if group["centered"]:
            grad_avg = more[-1]
            shift_mean(grad_avg, g, alpha, one_minus_alpha, u)
            multiply(grad_avg, grad_avg, u)
            square = subtract(square_avg, u, u)
        else:
            square = square_avg
        if group.get("eps_inside_sqrt"):
            add(square, eps, u)
            sqrt(u, u)
        else:
            sqrt(square, u)
            add(u, eps, u)
        divide(g, u, u)
        if group["momentum"]:
            momentum_buffer = more[0]
            multiply(momentum_buffer, momentum, momentum_buffer)
            add(momentum_buffer, u, momentum_buffer)
            u = multiply(momentum_buffer, lr, u)
        else:
            multiply(u, lr, u)
        subtract(p, u, p)
