"""Adam and AdamW."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad._graph import Tensor

from ._bucketed import Bucketed
from .optimizer import check_options, chosen

add, divide, multiply, sqrt, subtract = np.add, np.divide, np.multiply, np.sqrt, np.subtract


class Adam(Bucketed):
    """Adam: steps of about ``lr`` in each element, along a running mean of the gradient.

    Step number t, with gradient g and weight decay λ::

        g += λ p
        m  = β1 m + (1 - β1) g
        v  = β2 v + (1 - β2) g²
        p -= lr * m / (1 - β1^t) / (sqrt(v / (1 - β2^t)) + eps)

    This is Algorithm 1 of Kingma and Ba, "Adam: a method for stochastic optimization"
    (arXiv:1412.6980), with ``eps`` outside the root as printed there; with ``eps_inside_sqrt``
    the divisor is ``sqrt(v / (1 - β2^t) + eps)``, whose slope is bounded where v is 0: the two
    are alike if ``eps`` is squared, and differ most where v is of its size. ``amsgrad`` divides
    by the largest v so far (Reddi et al., "On the convergence of Adam and beyond", 2018), as
    PyTorch does, before the correction by 1 - β2^t.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of groups, see :class:`Optimizer`.
        lr: learning rate, at least 0; a number or a tensor with one element.
        betas: (β1, β2), floats in [0, 1).
        eps: at least 0.
        weight_decay: λ, at least 0.
        amsgrad: divide by the largest v so far.
        maximize: climb instead of descend.
        foreach, fused, capturable: accepted; all parameters are always updated together.
        differentiable: must be False.
        decoupled_weight_decay: shrink p by ``lr * λ * p`` instead of adding λ p to g,
            as :class:`AdamW`.
        eps_inside_sqrt: add ``eps`` before the root is taken. Not in PyTorch; also an option
            of a group, and among the saved options where it is True.

    State: ``step`` (t), ``exp_avg`` (m), ``exp_avg_sq`` (v) and, with amsgrad,
    ``max_exp_avg_sq``.

    Raises:
        ValueError: an option is out of range.
        RuntimeError: ``fused`` and ``foreach`` are both True.
        NotImplementedError: ``differentiable`` is True.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0, -2.0], requires_grad=True)
    >>> adam = tensorgrad.optim.Adam([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> adam.step()
    >>> w
    tensor([ 0.7500, -1.7500], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *,
        foreach=None, maximize=False, capturable=False, differentiable=False, fused=None,
        decoupled_weight_decay=False, eps_inside_sqrt=False,
    ):  # fmt: skip
        options = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "amsgrad": amsgrad, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
            **chosen(eps_inside_sqrt=eps_inside_sqrt),
        }  # fmt: skip
        check_options(options, "lr eps weight_decay")
        if not any(all(isinstance(beta, kind) for beta in betas) for kind in (float, Tensor)):
            raise ValueError(f"betas must be either both floats or both Tensors, got {betas}")
        options["betas"] = tuple(map(float, betas))
        super().__init__(params, options)

    def _names(self, group):
        return _AMSGRAD if group["amsgrad"] else _PLAIN

    def _options(self, group):
        beta1, beta2 = group["betas"]
        return (
            float(group["lr"]),
            float(beta1),
            float(beta2),
            float(group["eps"]),
            float(group["weight_decay"]),
            bool(group.get("eps_inside_sqrt")),
        )

    def _coefficients(self, options, count):
        lr, beta1, beta2, eps, weight_decay, inside = options
        # lr * m / c1 / (sqrt(v) / r + eps) is computed as (lr * r / c1) * m / (sqrt(v) + eps * r):
        # one pass less over the arrays.
        root = math.sqrt(1.0 - beta2**count)
        rate = lr * root / (1.0 - beta1**count)
        eps = eps * root * root if inside else eps * root
        return (
            beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps, rate,
            weight_decay, lr * weight_decay,
        )  # fmt: skip

    def _update(self, group, first, c, p, g, t, u, exp_avg, exp_avg_sq, max_exp_avg_sq=None):
        beta1, one_minus_beta1, beta2, one_minus_beta2, eps, rate, weight_decay, shrink = c
        if group["maximize"]:
            g = np.negative(g, t)
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                multiply(p, shrink, u)
                subtract(p, u, p)
            else:
                multiply(p, weight_decay, u)
                g = add(g, u, t)
        multiply(g, one_minus_beta1, u)
        multiply(exp_avg, beta1, exp_avg)
        add(exp_avg, u, exp_avg)
        multiply(g, g, u)
        multiply(u, one_minus_beta2, u)
        multiply(exp_avg_sq, beta2, exp_avg_sq)
        add(exp_avg_sq, u, exp_avg_sq)
        if max_exp_avg_sq is not None:
            exp_avg_sq = np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
        if group.get("eps_inside_sqrt"):
            add(exp_avg_sq, eps, u)
            sqrt(u, u)
        else:
            sqrt(exp_avg_sq, u)
            add(u, eps, u)
        divide(exp_avg, u, u)
        multiply(u, rate, u)
        subtract(p, u, p)


_PLAIN = ("step", "exp_avg", "exp_avg_sq")
_AMSGRAD = (*_PLAIN, "max_exp_avg_sq")


class AdamW(Adam):
    """Adam with decoupled weight decay: every step also shrinks p by ``lr * λ * p``.

    Loshchilov and Hutter, "Decoupled weight decay regularization" (arXiv:1711.05101). The
    decay stays out of m and v, so it is not divided by the gradient's size.

    Args:
        params, lr, betas, eps, amsgrad, maximize, foreach, capturable, differentiable, fused,
            eps_inside_sqrt: as for :class:`Adam`.
        weight_decay: λ, at least 0.

    Raises:
        ValueError, RuntimeError, NotImplementedError: as :class:`Adam`.

    >>> import tensorgrad
    >>> w = tensorgrad.tensor([1.0], requires_grad=True)
    >>> (0.0 * w).sum().backward()
    >>> tensorgrad.optim.AdamW([w], lr=0.5, weight_decay=0.1).step()
    >>> w
    tensor([0.9500], requires_grad=True)
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *,
        maximize=False, foreach=None, capturable=False, differentiable=False, fused=None,
        eps_inside_sqrt=False,
    ):  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize,
            capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=True, eps_inside_sqrt=eps_inside_sqrt,
        )  # fmt: skip

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:  # also when the state was saved by Adam
            group["decoupled_weight_decay"] = True
