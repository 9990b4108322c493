"""Adafactor."""

from __future__ import annotations

import math

import numpy as np

from ._single import Single, number, shift_mean
from .optimizer import check_options, check_range


class Adafactor(Single):
    """Adafactor: like Adam, but of a matrix it keeps only row and column means of g².

    Step number t, with gradient g of a parameter p of n elements and weight decay λ::

        α  = max(ε2, |p| / sqrt(n)) * min(lr, 1 / sqrt(t))
        p -= lr λ p
        k  = t^beta2_decay
        R += k (mean over columns of g² - R),  C += k (mean over rows of g² - C)
        V  = R C / max(mean of R, ε1)           (vectors: V += k (g² - V))
        u  = g / sqrt(max(V, ε1²))
        p -= α u / max(1, |u| / (sqrt(n) d))

    Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost"
    (arXiv:1804.04235), in PyTorch's form, which uses ``lr`` as an upper limit. Dimensions
    before the last two are a batch of matrices.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: limit of the learning rate, at least 0; a number or a tensor with one element.
        beta2_decay: at most 0.
        eps: (ε1, ε2), at least 0; ε1 None is the eps of the parameter's dtype.
        d: the root mean square beyond which u is scaled down, at least 1.
        weight_decay: λ, at least 0.
        foreach: accepted without effect.
        maximize: climb instead of descend.

    State: ``step`` (t), ``row_var`` (R) and ``col_var`` (C), or ``variance`` (V). Parameters
    without elements are left alone; PyTorch raises ZeroDivisionError.

    Raises:
        ValueError: an option is out of range.
        NotImplementedError: a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0, -1.0], requires_grad=True)
    >>> adafactor = tensorgrad.optim.Adafactor([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> adafactor.step()
    >>> w
    tensor([ 0.7500, -0.7500], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0.0, *,
        foreach=None, maximize=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d,
            "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize,
        }  # fmt: skip
        check_options(options, "lr weight_decay")
        if not beta2_decay <= 0.0:
            raise ValueError(f"Invalid beta2_decay: {beta2_decay}; it must be at most 0")
        for i, value in enumerate(eps):
            if i or value is not None:
                check_range(f"epsilon{i + 1}", value)
        if not d >= 1.0:
            raise ValueError(f"Invalid clipping threshold d: {d}; it must be at least 1")
        super().__init__(params, options)

    def _start(self, group, array):
        if array.ndim < 2:
            return {"step": number(0), "variance": np.zeros_like(array)}
        return {
            "step": number(0),
            "row_var": np.zeros_like(array[..., :1]),
            "col_var": np.zeros_like(array[..., :1, :]),
        }

    def _update(self, group, p, array, g, state):
        lr, (eps1, eps2) = float(group["lr"]), group["eps"]
        state["step"] += 1
        if array.size == 0:
            return
        count = state["step"].item()
        if eps1 is None:
            eps1 = float(np.finfo(array.dtype).eps)
        if group["maximize"]:
            g = -g
        alpha = max(eps2, _root_mean_square(array)) * min(lr, 1.0 / math.sqrt(count))
        if group["weight_decay"]:
            array *= 1.0 - lr * float(group["weight_decay"])
        variance = self._variance(state, g * g, count ** group["beta2_decay"], eps1)
        u = g / np.sqrt(np.maximum(variance, eps1 * eps1))
        array -= alpha / max(1.0, _root_mean_square(u) / group["d"]) * u

    def _variance(self, state, squares, taken, eps1):
        """Take in the squares of the gradient, and estimate their mean for each element."""
        if squares.ndim < 2:
            shift_mean(state["variance"], squares, taken)
            return state["variance"]
        row_var, col_var = state["row_var"], state["col_var"]
        shift_mean(row_var, squares.mean(axis=-1, keepdims=True), taken)
        shift_mean(col_var, squares.mean(axis=-2, keepdims=True), taken)
        return row_var * col_var / np.maximum(row_var.mean(axis=-2, keepdims=True), eps1)


def _root_mean_square(array):
    return float(np.linalg.norm(array)) / math.sqrt(array.size)
