"""Regularisers: terms of the loss, decay by group, proximal steps and a bound on norms.

Each takes a module, tensors, or ``(name, tensor)`` pairs. Of those with names the biases are
left out, unless ``biases=True``; of tensors without names all are taken.
"""

from __future__ import annotations

import math

import numpy as np

from tensorgrad._graph import Tensor, mark_mutated

__all__ = [
    "decay_groups",
    "elastic_net_penalty",
    "group_penalty",
    "l1_penalty",
    "l2_penalty",
    "max_norm_",
    "proximal_group_",
    "proximal_l1_",
    "register_proximal",
]


def is_bias(name: str) -> bool:
    """Whether a parameter of this name is a bias, also under a parametrization."""
    parts = name.split(".")
    own = parts[parts.index("parametrizations") + 1] if "parametrizations" in parts else parts[-1]
    return own.startswith("bias") or own.endswith("bias")


def chosen(parameters, biases) -> list:
    """The (name, tensor) pairs to regularise; the name is None where there is none."""
    if isinstance(parameters, Tensor):
        return [(None, parameters)]
    if hasattr(parameters, "named_parameters"):
        parameters = parameters.named_parameters()
    pairs = [p if isinstance(p, tuple) else (None, p) for p in parameters]
    for _, p in pairs:
        if not isinstance(p, Tensor):
            raise TypeError(f"expected a module or tensors to regularise, got {type(p).__name__}")
    kept = [(n, p) for n, p in pairs if biases or n is None or not is_bias(n)]
    if not kept:
        raise ValueError(
            "there is no parameter to regularise; pass biases=True to count biases, and a list "
            "where a generator would be used up"
        )
    return kept


def _check(name, value):
    if not value >= 0.0:
        raise ValueError(f"{name} must be at least 0, got {value}")


# --- terms of the loss -----------------------------------------------------------------------


def _sum(terms, strength):
    _check("strength", strength)
    return strength * sum(terms[1:], terms[0])


def l1_penalty(parameters, strength=1.0, *, biases=False):
    """``strength * Σ |w|``: drives weights that the loss does not need to zero.

    With gradient descent they end up near zero, hopping over it; :func:`register_proximal`
    gives exact zeros.

    Args:
        parameters: a module, tensors, or ``(name, tensor)`` pairs.
        strength: at least 0.
        biases: count them as well.

    Raises:
        ValueError: ``strength`` is negative, or nothing is to be regularised.
        TypeError: something is no tensor.

    >>> import tensorgrad as torch
    >>> model = torch.nn.Linear(2, 1)
    >>> _ = torch.nn.init.constant_(model.weight, -3.0)
    >>> torch.nn.utils.l1_penalty(model, 0.1)
    tensor(0.6000, grad_fn=<MulBackward0>)
    """
    return _sum([p.abs().sum() for _, p in chosen(parameters, biases)], strength)


def l2_penalty(parameters, strength=1.0, *, biases=False):
    """``strength / 2 * Σ w²``, whose gradient is ``strength * w``.

    The same as ``weight_decay=strength`` of :class:`~tensorgrad.optim.SGD`, but a part of the
    loss that is reported. Arguments and errors are those of :func:`l1_penalty`.

    >>> import tensorgrad as torch
    >>> torch.nn.utils.l2_penalty(torch.tensor([3.0, 4.0]), 0.1)
    tensor(1.2500)
    """
    return _sum([(p * p).sum() for _, p in chosen(parameters, biases)], strength) / 2


def elastic_net_penalty(parameters, strength=1.0, l1_ratio=0.5, *, biases=False):
    """``strength * (l1_ratio * Σ |w| + (1 - l1_ratio) / 2 * Σ w²)``.

    Zou and Hastie, "Regularization and variable selection via the elastic net" (2005), in
    scikit-learn's parametrisation.

    Args:
        parameters: a module, tensors, or ``(name, tensor)`` pairs.
        strength: at least 0.
        l1_ratio: from 0, which is :func:`l2_penalty`, to 1, which is :func:`l1_penalty`.
        biases: count them as well.

    Raises:
        ValueError, TypeError: as :func:`l1_penalty`; ``l1_ratio`` is not in [0, 1].
    """
    if not 0.0 <= l1_ratio <= 1.0:
        raise ValueError(f"l1_ratio must be in [0, 1], got {l1_ratio}")
    kept = chosen(parameters, biases)
    l1, l2 = (penalty(kept, strength, biases=True) for penalty in (l1_penalty, l2_penalty))
    return l1_ratio * l1 + (1.0 - l1_ratio) * l2


def group_penalty(parameters, strength=1.0, dim=0, *, biases=False):
    """``strength * Σ sqrt(n) ‖w_group‖``, the group lasso: whole groups go to zero together.

    Yuan and Lin, "Model selection and estimation in regression with grouped variables" (2006).
    A group is a slice along ``dim``, of n elements: with 0 the weights into one unit of a
    Linear or convolution, with 1 those out of one input. The gradient of a group that is zero
    is zero.

    Args:
        parameters: a module, tensors, or ``(name, tensor)`` pairs.
        strength: at least 0.
        dim: counts the groups; tensors of one dimension are groups of one element.
        biases: count them as well.

    Raises:
        ValueError, TypeError: as :func:`l1_penalty`.
    """
    terms = []
    for _, p in chosen(parameters, biases):
        rows = _rows(p, dim)
        terms.append(rows.norm(dim=1).sum() * math.sqrt(rows.shape[1]))
    return _sum(terms, strength)


def _rows(p, dim):
    """A matrix whose rows are the groups of a tensor or array."""
    if p.ndim < 2:
        return p.reshape(-1, 1)
    array = np.moveaxis(p, dim, 0) if isinstance(p, np.ndarray) else p.movedim(dim, 0)
    return array.reshape(p.shape[dim], math.prod(p.shape) // max(1, p.shape[dim]))


# --- decay by group -----------------------------------------------------------------------------


def decay_groups(model, weight_decay, *, biases=False, vectors=False):
    """The parameters of a model in two groups for an optimizer, with and without weight decay.

    For AdamW, Lion or LAMB that is decoupled decay, for SGD an L2 term. Parameters that
    require no gradient are left out, as is a group without members.

    Args:
        model: a module.
        weight_decay: of the first group, at least 0.
        biases: let them decay.
        vectors: let other parameters of at most one dimension decay, such as the scales of
            normalizations, which have no reason to be small.

    Raises:
        ValueError: ``weight_decay`` is negative.

    >>> import tensorgrad as torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.LayerNorm(3))
    >>> groups = torch.nn.utils.decay_groups(model, 0.1)
    >>> [(len(g["params"]), g["weight_decay"]) for g in groups]
    [(1, 0.1), (3, 0.0)]
    >>> adamw = torch.optim.AdamW(groups, lr=1e-3)
    """
    _check("weight_decay", weight_decay)
    with_decay, without = [], []
    for name, p in model.named_parameters():
        if p.requires_grad:
            decays = biases if is_bias(name) else vectors or p.ndim > 1
            (with_decay if decays else without).append(p)
    groups = [
        {"params": with_decay, "weight_decay": weight_decay},
        {"params": without, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


# --- proximal steps -----------------------------------------------------------------------------


def proximal_l1_(parameters, threshold, *, biases=False):
    """Move every weight towards zero by ``threshold``, and those nearer to exactly zero.

    The soft threshold of :func:`~tensorgrad.nn.functional.softshrink`, in place: the proximal
    map of ``threshold * Σ |w|``.

    Args:
        parameters: a module, tensors, or ``(name, tensor)`` pairs.
        threshold: at least 0.
        biases: shrink them as well.

    Raises:
        ValueError: ``threshold`` is negative, or nothing is to be regularised.
        TypeError: something is no tensor.

    >>> import tensorgrad as torch
    >>> w = torch.tensor([1.0, -0.25, 0.1, -2.0])
    >>> torch.nn.utils.proximal_l1_(w, 0.5)
    >>> w
    tensor([ 0.5000,  0.0000,  0.0000, -1.5000])
    """
    _check("threshold", threshold)
    for _, p in chosen(parameters, biases):
        _soft(p._array, threshold)
        mark_mutated(p._array)


def proximal_group_(parameters, threshold, dim=0, *, biases=False):
    """Shorten every group by ``threshold * sqrt(n)``, and shorter ones to exactly zero, in place.

    The proximal map of ``threshold`` times the sum of :func:`group_penalty`, whose arguments
    these are.
    """
    _check("threshold", threshold)
    for _, p in chosen(parameters, biases):
        _shorten(p._array, threshold, dim)
        mark_mutated(p._array)


def _soft(array, threshold):
    # Exactly 0.0 within the threshold, and no -0.0.
    array -= np.clip(array, -threshold, threshold)


def _shorten(array, threshold, dim):
    rows = _rows(array, dim)
    norms = np.linalg.norm(rows, axis=1)
    bound = threshold * math.sqrt(rows.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = np.where(norms > bound, 1.0 - bound / norms, 0.0)
    array *= _spread(factors, array, dim)


def _spread(factors, array, dim):
    """One factor a group, in a shape that broadcasts against the array."""
    if array.ndim < 2:
        return factors.astype(array.dtype).reshape(array.shape)
    shape = [1] * array.ndim
    shape[dim] = len(factors)
    return factors.astype(array.dtype).reshape(shape)


def register_proximal(optimizer, parameters, l1=0.0, l2=0.0, group=0.0, dim=0, *, biases=False):
    """After each step, apply the proximal map of penalties times the learning rate.

    That is proximal gradient descent (ISTA): the penalty never enters the gradient, nor an
    optimizer's averages of it, so it is decoupled; and L1 gives exact zeros. Register more than
    once for other strengths of other parameters. Parameters without gradient stay as they are.

    Args:
        optimizer: an optimizer of these parameters.
        parameters: a module, tensors, or ``(name, tensor)`` pairs.
        l1: strength of :func:`l1_penalty`, at least 0.
        l2: strength of :func:`l2_penalty`; with ``l1`` this is the elastic net.
        group: strength of :func:`group_penalty`; with ``l1`` the sparse group lasso.
        dim: counts the groups.
        biases: regularise them as well.

    Returns:
        A handle, whose ``remove()`` ends it.

    Raises:
        ValueError: a strength is negative, or a parameter is none of the optimizer's.
        TypeError: something is no tensor.

    >>> import tensorgrad as torch
    >>> w = torch.tensor([1.0, 0.01], requires_grad=True)
    >>> sgd = torch.optim.SGD([w], lr=0.1)
    >>> handle = torch.nn.utils.register_proximal(sgd, [w], l1=1.0)
    >>> w.sum().backward()
    >>> sgd.step()
    >>> w.detach()
    tensor([0.8000, 0.0000])
    """
    for name, value in (("l1", l1), ("l2", l2), ("group", group)):
        _check(name, value)
    members = [p for _, p in chosen(parameters, biases)]
    known = {id(p) for g in optimizer.param_groups for p in g["params"]}
    if not all(id(p) in known for p in members):
        raise ValueError("register_proximal: the optimizer does not have all of these parameters")
    wanted = {id(p) for p in members}

    def after_step(optimizer, args, kwargs):
        for own in optimizer.param_groups:
            rate = float(own["lr"])
            for p in own["params"]:
                if id(p) in wanted and p._grad is not None:
                    _shrink(p._array, rate * l1, rate * l2, rate * group, dim)
                    mark_mutated(p._array)

    # The hook keeps the parameters alive, so that no other tensor gets the id of one of them.
    after_step.members = members
    return optimizer.register_step_post_hook(after_step)


def _shrink(array, l1, l2, group, dim):
    """The proximal map of the sum of three penalties: that of each in this order."""
    if l1:
        _soft(array, l1)
    if group:
        _shorten(array, group, dim)
    if l2:
        array /= 1.0 + l2


# --- a bound on norms -----------------------------------------------------------------------------


def max_norm_(parameters, bound, dim=0, *, biases=False):
    """Scale every slice along ``dim`` whose norm is above ``bound`` back to it, in place.

    With ``dim=0`` the weights into each unit, as in Srivastava et al., "Dropout" (JMLR 2014);
    tensors of one dimension are cut off at ±bound. To keep the bound in training::

        optimizer.register_step_post_hook(lambda *_: max_norm_(model, 3.0))

    Args:
        parameters: a module, tensors, or ``(name, tensor)`` pairs.
        bound: above 0.
        dim: counts the slices.
        biases: bound them as well.

    Raises:
        ValueError: ``bound`` is not above 0, or nothing is to be regularised.
        TypeError: something is no tensor.

    >>> import tensorgrad as torch
    >>> w = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    >>> torch.nn.utils.max_norm_(w, 1.0)
    >>> w
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    if not bound > 0.0:
        raise ValueError(f"bound must be above 0, got {bound}")
    for _, p in chosen(parameters, biases):
        array = p._array
        norms = np.linalg.norm(_rows(array, dim), axis=1)
        factors = np.divide(bound, norms, out=np.ones_like(norms), where=norms > bound)
        array *= _spread(factors, array, dim)
        mark_mutated(array)
