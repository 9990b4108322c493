"""Muon."""

from __future__ import annotations

import math

import numpy as np

from ._single import Single, shift_mean
from .optimizer import check_options


class Muon(Single):
    """Muon: momentum whose matrix is made orthogonal, for the weights of hidden layers.

    With gradient g, weight decay λ and momentum μ, a step is::

        B  = μ B + (1 - μ) g
        u  = (1 - μ) g + μ B if nesterov else B
        p  = (1 - lr λ) p - lr' * O(u)

    where O(u) is nearly U Vᵀ of the decomposition u = U S Vᵀ, found by ``ns_steps`` rounds of
    Newton and Schulz's X = a X + (b A + c A²) X with A = X Xᵀ, and lr' is

    - ``lr * sqrt(max(1, rows / columns))`` by default ("original"),
    - ``0.2 * lr * sqrt(max(rows, columns))`` with ``adjust_lr_fn="match_rms_adamw"``, so
      that settings of AdamW can be kept.

    Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024); the
    second lr' is of Liu et al., "Muon is scalable for LLM training" (arXiv:2502.16982).

    PyTorch computes O(u) in bfloat16, to 2 or 3 digits. There is no bfloat16 here: it is
    computed in the dtype of the parameter (float16: in float32), so steps agree with PyTorch's
    to about 1e-2 of their size.

    Args:
        params: matrices, ``(name, tensor)`` pairs, or dicts of groups, see
            :class:`Optimizer`. Vectors and embeddings are for another optimizer.
        lr: learning rate, at least 0; a number or a tensor with one element.
        weight_decay: λ, at least 0.
        momentum: μ, at least 0.
        nesterov: look ahead along the momentum.
        ns_coefficients: (a, b, c).
        eps: the least norm that u is divided by before the first round.
        ns_steps: how many rounds, less than 100.
        adjust_lr_fn: "original", "match_rms_adamw" or None.

    State: ``momentum_buffer`` (B).

    Raises:
        ValueError: an option is out of range, or a parameter is no matrix.
        NotImplementedError: a parameter is complex.

    >>> import tensorgrad
    >>> w = tensorgrad.zeros(2, 2, requires_grad=True)
    >>> muon = tensorgrad.optim.Muon([w], lr=1.0)
    >>> (w * tensorgrad.tensor([[3.0, 0.0], [0.0, -3.0]])).sum().backward()
    >>> muon.step()
    >>> w.detach().round(decimals=1)
    tensor([[-1.1000,  0.0000],
            [ 0.0000,  1.1000]])
    """

    _alike = ("momentum_buffer",)
    _numbers = ()

    def __init__(
        self, params, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True,
        ns_coefficients=(3.4445, -4.7750, 2.0315), eps=1e-7, ns_steps=5, adjust_lr_fn=None,
    ):  # fmt: skip
        options = {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }  # fmt: skip
        check_options(options, "lr momentum weight_decay")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(
                f"Invalid adjust_lr_fn: {adjust_lr_fn!r}; it must be 'original', "
                "'match_rms_adamw' or None"
            )
        super().__init__(params, options)

    def _check_param(self, p):
        super()._check_param(p)
        if p.ndim != 2:
            raise ValueError(
                f"Muon only supports 2D parameters, but got one of shape {tuple(p.shape)}; give "
                "it to another optimizer, such as AdamW"
            )

    def _start(self, group, array):
        return {"momentum_buffer": np.zeros_like(array)}

    def _update(self, group, p, array, g, state):
        lr, momentum, u = float(group["lr"]), float(group["momentum"]), state["momentum_buffer"]
        shift_mean(u, g, 1.0 - momentum)
        if group["nesterov"]:
            u = g + momentum * (u - g)
        u = _orthogonal(u, group["ns_coefficients"], group["ns_steps"], group["eps"])
        array *= 1.0 - lr * float(group["weight_decay"])
        array -= (_adjusted(lr, group["adjust_lr_fn"], array.shape) * u).astype(array.dtype)


def _adjusted(lr, how, shape):
    """The learning rate for a matrix of ``shape``."""
    rows, columns = shape
    if how == "match_rms_adamw":
        return lr * 0.2 * math.sqrt(max(rows, columns))
    return lr * math.sqrt(max(1.0, rows / columns)) if columns else lr


def _orthogonal(matrix, coefficients, rounds, eps):
    """The orthogonal factor of a matrix, roughly: singular values become 0.7 to 1.2."""
    if rounds >= 100:
        raise ValueError(f"ns_steps must be less than 100, got {rounds}")
    if len(coefficients) != 3:
        raise ValueError(f"ns_coefficients must be exactly 3 numbers, got {coefficients}")
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.astype(np.promote_types(matrix.dtype, np.float32))
    x = x.T if tall else x
    x = x / max(float(np.linalg.norm(x)), eps)
    for _ in range(rounds):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x
