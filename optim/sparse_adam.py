"""SparseAdam."""

from __future__ import annotations

import math

import numpy as np

from ._single import Single, shift_mean
from .optimizer import check_options


class SparseAdam(Single):
    """Adam that updates only the rows that have a gradient, for embeddings.

    A row is what the first index selects. Adam moves every row at every step, as its running
    mean m goes on after the gradient has ceased; here a row whose gradient is zero keeps its
    values and its state. The formula is that of :class:`Adam` without weight decay, with
    ``step`` counted for the whole parameter: the lazy variant of PyTorch.

    PyTorch reads the rows from a sparse gradient and refuses dense ones. Gradients here are
    always dense, so the rows are those that are not all zero. That differs only for a row that
    was used, and whose gradient came out as exactly zero: PyTorch decays its m and v.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: learning rate, more than 0; a number or a tensor with one element.
        betas: (β1, β2), in [0, 1).
        eps: more than 0.
        maximize: climb instead of descend.

    State: ``step`` (a Python int), ``exp_avg`` (m) and ``exp_avg_sq`` (v).

    Raises:
        ValueError: an option is out of range.
        NotImplementedError: a parameter is complex.

    >>> import tensorgrad
    >>> table = tensorgrad.ones(3, 2, requires_grad=True)
    >>> adam = tensorgrad.optim.SparseAdam([table], lr=0.25)
    >>> table[1].sum().backward()
    >>> adam.step()
    >>> table
    tensor([[1.0000, 1.0000],
            [0.7500, 0.7500],
            [1.0000, 1.0000]], requires_grad=True)
    """

    _alike = ("exp_avg", "exp_avg_sq")
    _numbers = ()

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False):
        options = {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize}
        check_options(options, "lr eps")
        for name in ("lr", "eps"):
            if not 0.0 < options[name]:
                raise ValueError(f"Invalid {name}: {options[name]}; it must be more than 0")
        super().__init__(params, options)

    def _start(self, group, array):
        return {"step": 0, "exp_avg": np.zeros_like(array), "exp_avg_sq": np.zeros_like(array)}

    def _update(self, group, p, array, g, state):
        (beta1, beta2), entries = map(float, group["betas"]), self.state[p]
        entries["step"] += 1
        count = int(entries["step"])
        rows = _used_rows(g)
        g = -g[rows] if group["maximize"] else g[rows]
        exp_avg, exp_avg_sq = state["exp_avg"][rows], state["exp_avg_sq"][rows]
        shift_mean(exp_avg, g, 1.0 - beta1)
        shift_mean(exp_avg_sq, g * g, 1.0 - beta2)
        rate = float(group["lr"]) * math.sqrt(1.0 - beta2**count) / (1.0 - beta1**count)
        array[rows] -= rate * exp_avg / (np.sqrt(exp_avg_sq) + group["eps"])
        state["exp_avg"][rows] = exp_avg
        state["exp_avg_sq"][rows] = exp_avg_sq


def _used_rows(g):
    """Which rows of a gradient are not all zero, as an index that selects copies."""
    return (g != 0).any(axis=tuple(range(1, g.ndim)))
