"""Rprop."""

from __future__ import annotations

import numpy as np

from ._bucketed import Bucketed
from .optimizer import check_options

multiply = np.multiply


class Rprop(Bucketed):
    """Resilient backpropagation: each element has a step size, only signs of g count.

    With the gradient g of this step and g' of the last, for each element::

        s *= η+ if g g' > 0, η- if g g' < 0, else 1;  kept within step_sizes
        g  = 0 if g g' < 0
        p -= sign(g) * s

    Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the
    RPROP algorithm" (1993). It is for whole batches: noise turns signs.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: the first step size, at least 0; a number or a tensor with one element.
        etas: (η-, η+), with 0 < η- < 1 < η+.
        step_sizes: least and largest step size.
        capturable, foreach: accepted; all parameters are always updated together.
        maximize: climb instead of descend.
        differentiable: must be False.

    State: ``step``, ``prev`` (g') and ``step_size`` (s).

    Raises:
        ValueError: an option is out of range.
        NotImplementedError: ``differentiable`` is True, or a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0, -2.0], requires_grad=True)
    >>> rprop = tensorgrad.optim.Rprop([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> rprop.step()
    >>> w
    tensor([ 0.7500, -1.7500], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, capturable=False,
        foreach=None, maximize=False, differentiable=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        check_options(options, "lr")
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(
                f"Invalid eta values: {etas[0]}, {etas[1]}; they must be 0 < first < 1 < second"
            )
        super().__init__(params, options)

    def _names(self, group):
        return ("step", "prev", "step_size")

    def _starts(self, group):
        return {"step_size": float(group["lr"])}

    def _options(self, group):
        return (*map(float, group["etas"]), *map(float, group["step_sizes"]))

    def _update(self, group, first, c, p, g, t, u, prev, step_size):
        lower, raise_, least, largest = c
        if group["maximize"]:
            g = np.negative(g, t)
        multiply(g, prev, u)
        turned = u < 0
        multiply(step_size, lower, step_size, where=turned)
        multiply(step_size, raise_, step_size, where=u > 0)
        np.clip(step_size, least, largest, step_size)
        prev[...] = g
        prev[turned] = 0
        np.greater(prev, 0, u)  # the sign, but 0 for NaN
        np.subtract(u, prev < 0, u)
        multiply(u, step_size, u)
        np.subtract(p, u, p)
