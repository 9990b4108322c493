"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

import numpy as np

from ._bucketed import Bucketed
from .optimizer import check_options, chosen

add, multiply, subtract = np.add, np.multiply, np.subtract


class SGD(Bucketed):
    """Stochastic gradient descent, optionally with (Nesterov's) momentum.

    With gradient g, weight decay λ, momentum μ and dampening τ, a step is::

        g += λ p
        b  = μ b + (1 - τ) g        (b = g in the first step)
        p -= lr * (g + μ b if nesterov else b)

    and without momentum ``p -= lr * g``. This is PyTorch's form of Sutskever et al., "On
    the importance of initialization and momentum in deep learning" (2013): the velocity b
    is multiplied by lr when it is applied, so a change of lr acts at once. In the paper lr is
    part of the velocity, which keeps the rates of earlier steps; that is ``lr_in_velocity``::

        b  = μ b + (1 - τ) lr * g   (b = lr * g in the first step)
        p -= lr * g + μ b if nesterov else b

    The two are one while lr is constant. With ``nesterov`` p is the point at which the
    gradient is taken, the paper's θ + μ v.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: learning rate, at least 0; a number or a tensor with one element.
        momentum: μ, at least 0.
        dampening: τ.
        weight_decay: λ, at least 0.
        nesterov: look ahead along the momentum; needs μ > 0 and τ = 0.
        maximize: climb instead of descend.
        foreach, fused: accepted; all parameters are always updated together.
        differentiable: must be False.
        lr_in_velocity: multiply by lr as the velocity grows. Not in PyTorch; also an option of
            a group, and among the saved options where it is True.

    State: ``momentum_buffer`` (b), where momentum is not 0.

    Raises:
        ValueError: an option is out of range.
        RuntimeError: ``fused`` and ``foreach`` are both True.
        NotImplementedError: ``differentiable`` is True.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0, -2.0], requires_grad=True)
    >>> sgd = tensorgrad.optim.SGD([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> sgd.step()
    >>> w
    tensor([ 0.5000, -1.0000], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *,
        maximize=False, foreach=None, differentiable=False, fused=None, lr_in_velocity=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "momentum": momentum, "dampening": dampening,
            "weight_decay": weight_decay, "nesterov": nesterov, "maximize": maximize,
            "foreach": foreach, "differentiable": differentiable, "fused": fused,
            **chosen(lr_in_velocity=lr_in_velocity),
        }  # fmt: skip
        check_options(options, "lr momentum weight_decay")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(
                "Nesterov momentum requires a momentum and zero dampening, got "
                f"momentum={momentum}, dampening={dampening}"
            )
        super().__init__(params, options)

    def _names(self, group):
        return ("momentum_buffer",) if group["momentum"] else ()

    def _options(self, group):
        return (
            float(group["lr"]),
            float(group["weight_decay"]),
            float(group["momentum"]),
            1.0 - float(group["dampening"]),
        )

    def _update(self, group, first, c, p, g, t, u, momentum_buffer=None):
        lr, weight_decay, momentum, undamped = c
        if group["maximize"]:
            g = np.negative(g, t)
        if group["weight_decay"]:
            multiply(p, weight_decay, u)
            g = add(g, u, t)
        scaled = momentum_buffer is not None and group.get("lr_in_velocity")
        if scaled:
            g = multiply(g, lr, t)
        if momentum_buffer is not None:
            if first:
                momentum_buffer[...] = g
            else:
                multiply(momentum_buffer, momentum, momentum_buffer)
                kept = multiply(g, undamped, u) if group["dampening"] else g
                add(momentum_buffer, kept, momentum_buffer)
            if group["nesterov"]:
                multiply(momentum_buffer, momentum, u)
                g = add(g, u, t)
            else:
                g = momentum_buffer
        if not scaled:
            g = multiply(g, lr, u)
        subtract(p, g, p)
