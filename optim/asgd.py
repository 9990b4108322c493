"""Averaged stochastic gradient descent."""

from __future__ import annotations

import numpy as np

from ._single import Single, direction, number
from .optimizer import check_options


class ASGD(Single):
    """Stochastic gradient descent that also keeps an average of the parameters.

    Step number t, with gradient g and weight decay λ'::

        g += λ' p
        p  = (1 - λ η) p - η g
        a += μ (p - a)
        η  = lr / (1 + λ lr t)^α
        μ  = 1 / max(1, t - t0)

    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992). The
    average a is in ``optimizer.state[p]["ax"]``; p itself is not averaged.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: learning rate, at least 0; a number or a tensor with one element.
        lambd: λ, decay of the parameters and of η.
        alpha: α, power of the decay of η.
        t0: the step at which averaging begins; a is p until then.
        weight_decay: λ', at least 0.
        foreach, capturable: accepted without effect.
        maximize: climb instead of descend.
        differentiable: must be False.

    State: ``step`` (t), ``eta`` (η), ``mu`` (μ) and ``ax`` (a). A changed ``lr`` acts from
    the step after the next, since η is computed at the end of a step, as in PyTorch.

    Raises:
        ValueError: an option is out of range.
        NotImplementedError: ``differentiable`` is True, or a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0, -2.0], requires_grad=True)
    >>> asgd = tensorgrad.optim.ASGD([w], lr=0.25, lambd=0.0)
    >>> (w * w).sum().backward()
    >>> asgd.step()
    >>> w
    tensor([ 0.5000, -1.0000], requires_grad=True)
    """

    _alike = ("ax",)
    _numbers = ("step", "eta", "mu")

    def __init__(
        self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, foreach=None,
        maximize=False, differentiable=False, capturable=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        }  # fmt: skip
        check_options(options, "lr weight_decay")
        super().__init__(params, options)

    def _start(self, group, array):
        return {
            "step": number(0),
            "eta": number(float(group["lr"])),
            "mu": number(1),
            "ax": np.zeros_like(array),
        }

    def _update(self, group, p, array, g, state):
        lr, lambd, ax = float(group["lr"]), group["lambd"], state["ax"]
        eta, mu = state["eta"].item(), state["mu"].item()
        state["step"] += 1
        count = state["step"].item()
        g = direction(group, array, g)
        array *= 1.0 - lambd * eta
        array -= eta * g
        if mu == 1.0:
            ax[...] = array
        else:
            ax += mu * (array - ax)
        state["eta"][...] = lr / (1.0 + lambd * lr * count) ** group["alpha"]
        state["mu"][...] = 1.0 / max(1.0, count - group["t0"])
