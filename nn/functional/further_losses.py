"""Losses of the literature that PyTorch has not, in its manner: reductions, class dimension 1.

Wherever a class is a target there are three ways to name it: an index (int64), a one-hot row, or
a row of probabilities, for which the loss is its expectation over the classes. ``weight`` holds a
factor for each class, and "mean" then divides by the sum of the factors used, so that a weight
of 2 is the same as the sample given twice.
"""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad import errors
from tensorgrad._graph import wrap
from tensorgrad.nn.functional.loss import _check_sizes, legacy_reduction, mse_loss, reduced
from tensorgrad.ops import fused
from tensorgrad.ops import loss as ops

__all__ = [
    "bi_tempered_binary_logistic_loss",
    "bi_tempered_logistic_loss",
    "binary_focal_loss",
    "contrastive_loss",
    "crammer_singer_loss",
    "cross_entropy_on_probabilities",
    "focal_loss",
    "hinge_loss",
    "log_cosh_loss",
    "quantile_loss",
    "squared_error_loss",
    "tempered_softmax",
    "weston_watkins_loss",
    "zero_one_loss",
]

# --- targets ----------------------------------------------------------------------------


def _demand_probabilities(name, what, p):
    """Raise for the first element of the array ``p`` that lies outside [0, 1], or is no number."""
    bad = ~((p >= 0) & (p <= 1))
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise RuntimeError(
            f"{name}: {what} should be between 0 and 1, got {p[place]} at {place}; "
            "turn logits into probabilities with softmax or sigmoid"
        )


def _floats(target, input):
    """Targets of whole numbers or bools in the dtype of the input."""
    return target if target._array.dtype.kind == "f" else target.to(input.dtype)


def _class_dim(name, input):
    if input.ndim == 0:
        raise RuntimeError(f"{name}: expected input (N, C, ...) or (C,), got a number")
    return 1 if input.ndim > 1 else 0


def _class_target(name, input, target):
    """(probability of each class, of the input's shape; indices with the class dim, or None)."""
    dim = _class_dim(name, input)
    x, t = input._array, target._array
    if t.shape == x.shape:
        _demand_probabilities(name, "a target of the input's shape", t)
        return _floats(target, input), None
    expected = x.shape[:dim] + x.shape[dim + 1 :]
    if t.shape != expected:
        raise ValueError(
            f"{name}: input {tuple(x.shape)} needs class indices of shape {expected} or "
            f"probabilities of shape {tuple(x.shape)}, got a target of shape {tuple(t.shape)}"
        )
    if t.dtype.kind not in "iu":
        raise RuntimeError(
            f"{name}: expected class indices of dtype int64 but got {target.dtype}; "
            f"probabilities need the input's shape {tuple(x.shape)}"
        )
    classes = x.shape[dim]
    if ((t < 0) | (t >= classes)).any():
        raise fused.out_of_bounds(t, classes)
    column = np.expand_dims(t.astype(np.int64), dim)
    hot = np.zeros(x.shape, x.dtype)
    np.put_along_axis(hot, column, 1, dim)
    return wrap(hot), wrap(column)


def _along(weight, classes, dim, ndim):
    """The class weights, checked and shaped to broadcast."""
    if tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"weight should hold one factor for each of {classes} classes, got shape "
            f"{tuple(weight.shape)}"
        )
    return weight.reshape((1, -1) + (1,) * (ndim - 2)) if dim else weight


def _expected(per_class, y, dim, weight, reduction):
    """The loss of each class averaged by the target's probabilities, then reduced."""
    if weight is not None:
        y = y * _along(weight, y.shape[dim], dim, y.ndim)
    loss = (y * per_class).sum(dim)
    if reduction == "mean" and weight is not None:
        return loss.sum() / y.sum()
    return reduced(loss, reduction)


def _same_shape(name, input, target):
    if input._array.shape != target._array.shape:
        raise ValueError(
            f"{name}: target size ({tuple(target.shape)}) must be the same as input size "
            f"({tuple(input.shape)}); unsqueeze or squeeze one of them"
        )


# --- of residuals -----------------------------------------------------------------------

_CONVENTIONS = ("mean", "half_sum", "half_mean")


def squared_error_loss(input, target, convention="half_sum", reduction="mean"):
    """Squared error in the convention of a textbook.

    Args:
        input: predictions (N, ...).
        target: values of the same shape; others broadcast, with a warning.
        convention: "half_sum", half the sum over the last axis, averaged over the rest;
            "half_mean", the sum over everything divided by 2N, N being the first size; "mean",
            which is :func:`mse_loss`. The first two are equal for (N, D).
        reduction: "mean" as described; "sum" leaves the division by a count away; "none"
            gives one loss per row ("half_sum") or per element.

    Raises:
        ValueError: no such convention or reduction.

    >>> import tensorgrad as torch
    >>> x, y = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 0.0]]), torch.zeros(2, 3)
    >>> for convention in ("mean", "half_sum", "half_mean"):
    ...     print(torch.nn.functional.squared_error_loss(x, y, convention))
    tensor(2.3333)
    tensor(3.5000)
    tensor(3.5000)
    >>> torch.nn.functional.squared_error_loss(x, y, "half_sum", "none")
    tensor([5., 2.])
    """
    if convention not in _CONVENTIONS:
        raise ValueError(f"{convention} is not a convention; use one of {_CONVENTIONS}")
    if convention == "mean":
        return mse_loss(input, target, reduction=reduction)
    legacy_reduction(None, None, reduction)
    _check_sizes(input, target)
    loss = 0.5 * tg.square(input - target)
    if convention == "half_sum":
        return reduced(loss.sum(-1) if loss.ndim else loss, reduction)
    if reduction == "mean":
        return loss.sum() / (loss.shape[0] if loss.ndim else 1)
    return reduced(loss, reduction)


def log_cosh_loss(input, target, reduction="mean"):
    """``log(cosh(x - y))``: near ``d²/2`` for small residuals, ``|d| - log 2`` for large ones.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.log_cosh_loss(torch.tensor([1e4]), torch.tensor([0.0]))
    tensor(9999.3066)
    """
    legacy_reduction(None, None, reduction)
    _check_sizes(input, target)
    return reduced(ops.log_cosh(input - target), reduction)


def quantile_loss(input, target, quantile=0.5, reduction="mean"):
    """The pinball loss ``max(q (y - x), (q - 1)(y - x))``, least at the q-quantile of y.

    Koenker and Bassett, "Regression quantiles", Econometrica 1978. Half the absolute error for
    q = 1/2.

    Raises:
        ValueError: ``quantile`` lies outside (0, 1).

    >>> import tensorgrad as torch
    >>> y = torch.tensor([1.0, -1.0])
    >>> torch.nn.functional.quantile_loss(torch.zeros(2), y, 0.9, reduction="none")
    tensor([0.9000, 0.1000])
    """
    if not 0.0 < quantile < 1.0:
        raise ValueError(f"quantile should be between 0 and 1, got {quantile}")
    legacy_reduction(None, None, reduction)
    _check_sizes(input, target)
    short = target - input
    return reduced(tg.where(short > 0, quantile * short, (quantile - 1.0) * short), reduction)


# --- of classes -------------------------------------------------------------------------


class _Missed(tg.autograd.Function):
    """Whether the largest score is not at the target: a count, which no gradient improves."""

    @staticmethod
    def forward(ctx, input, missed):
        return wrap(missed._array.copy())

    @staticmethod
    def backward(ctx, g):
        raise errors.GraphError(
            "the zero-one loss has no useful gradient: it is 0 wherever it exists. Train on "
            "cross_entropy or hinge_loss, which bound it, and report this one under no_grad()"
        )


def zero_one_loss(input, target, reduction="mean"):
    """The share of samples whose largest score is not at their class: a metric.

    Args:
        input: scores (N, C, ...) or (C,).
        target: class indices, or one-hot rows or probabilities, whose largest counts.
        reduction: "mean", "sum" or "none".

    Raises:
        GraphError: backward was called; the gradient is zero wherever it exists.
        IndexError: a target is no class.

    >>> import tensorgrad as torch
    >>> scores = torch.tensor([[2.0, 1.0], [0.0, 1.0]])
    >>> torch.nn.functional.zero_one_loss(scores, torch.tensor([0, 0]))
    tensor(0.5000)
    """
    legacy_reduction(None, None, reduction)
    y, _ = _class_target("zero_one_loss", input, target)
    dim = _class_dim("zero_one_loss", input)
    missed = input._array.argmax(dim) != y._array.argmax(dim)
    missed = wrap(np.asarray(missed, input._array.dtype))
    return reduced(_Missed.apply(input, missed) if input.requires_grad else missed, reduction)


def cross_entropy_on_probabilities(input, target, weight=None, reduction="mean"):
    """``-sum_c y_c log p_c`` of probabilities p, each logarithm no lower than -100.

    Args:
        input: probabilities (N, C, ...) or (C,), such as softmax gives.
        target: class indices, one-hot rows or probabilities.
        weight: a factor for each class.
        reduction: "mean", "sum" or "none".

    Raises:
        RuntimeError: a probability lies outside [0, 1].
        IndexError: a target is no class.
        ValueError: shapes that do not fit.

    >>> import tensorgrad as torch
    >>> p = torch.tensor([[0.5, 0.25, 0.25]])
    >>> torch.nn.functional.cross_entropy_on_probabilities(p, torch.tensor([1]))
    tensor(1.3863)
    """
    name = "cross_entropy_on_probabilities"
    legacy_reduction(None, None, reduction)
    y, _ = _class_target(name, input, target)
    _demand_probabilities(name, "input", input._array)
    return _expected(-ops.clamped_log(input), y, _class_dim(name, input), weight, reduction)


def focal_loss(input, target, gamma=2.0, weight=None, reduction="mean"):
    """``-(1 - p)^gamma log p`` of the target's softmax probability p: easy samples count less.

    Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection", ICCV 2017,
    arXiv:1708.02002. Cross-entropy at gamma = 0.

    Args:
        input: logits (N, C, ...) or (C,).
        target: class indices, one-hot rows or probabilities.
        gamma: how much less, 0 or more.
        weight: a factor for each class, the paper's alpha.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: a negative gamma, or shapes that do not fit.
        IndexError: a target is no class.

    >>> import tensorgrad as torch
    >>> logits = torch.tensor([[4.0, 0.0], [0.0, 0.0]])
    >>> torch.nn.functional.focal_loss(logits, torch.tensor([0, 0]), reduction="none")
    tensor([5.8716e-06, 1.7329e-01])
    """
    _demand_gamma(gamma)
    legacy_reduction(None, None, reduction)
    y, _ = _class_target("focal_loss", input, target)
    dim = _class_dim("focal_loss", input)
    logs = tg.log_softmax(input, dim)
    return _expected(-_power(-tg.expm1(logs), gamma) * logs, y, dim, weight, reduction)


def _demand_gamma(gamma):
    if not gamma >= 0:
        raise ValueError(f"gamma should be 0 or more, got {gamma}")


def _power(base, gamma):
    """``base**gamma``, constant where the base is 0: for gamma < 1 its slope there is infinite."""
    if gamma == 0:
        return tg.ones_like(base)
    positive = base > 0
    return tg.where(positive, tg.where(positive, base, 1.0) ** gamma, 0.0)


def binary_focal_loss(input, target, gamma=2.0, alpha=None, reduction="mean"):
    """:func:`focal_loss` of logits of one class against its absence, element by element.

    ``-y (1-p)^gamma log p - (1-y) p^gamma log(1-p)`` with p the sigmoid of the logit. For targets
    of 0 and 1 it equals torchvision's ``sigmoid_focal_loss``, whose alpha is 0.25 and whose
    reduction is "none" by default.

    Args:
        input: logits of any shape.
        target: 0, 1 or probabilities, of the same shape.
        gamma: 0 or more.
        alpha: factor on the positive part, 1 - alpha being that on the other; None for neither.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: a negative gamma, alpha outside [0, 1], or shapes that differ.
        RuntimeError: a target outside [0, 1].
    """
    _demand_gamma(gamma)
    if alpha is not None and not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha should be between 0 and 1, got {alpha}")
    legacy_reduction(None, None, reduction)
    _same_shape("binary_focal_loss", input, target)
    _demand_probabilities("binary_focal_loss", "target", target._array)
    target = _floats(target, input)
    log_p, log_q = tg.nn.functional.logsigmoid(input), tg.nn.functional.logsigmoid(-input)
    positive = target * (tg.exp(gamma * log_q) * log_p)
    negative = (1 - target) * (tg.exp(gamma * log_p) * log_q)
    if alpha is not None:
        positive, negative = alpha * positive, (1.0 - alpha) * negative
    return reduced(-(positive + negative), reduction)


# --- margins ----------------------------------------------------------------------------


def _binary_target(name, input, target):
    """Probabilities of the positive class, of targets -1 and 1 or of ones in [0, 1]."""
    _same_shape(name, input, target)
    t = target._array
    signs = bool((t == -1).any())
    bad = (t != -1) & (t != 1) if signs else ~((t >= 0) & (t <= 1))
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        allowed = "-1 and 1, as it holds a -1" if signs else "-1 and 1, or 0 to 1"
        raise ValueError(f"{name}: target should hold {allowed}, got {t[place]} at {place}")
    target = _floats(target, input)
    return (target + 1) / 2 if signs else target


def hinge_loss(input, target, margin=1.0, p=1, reduction="mean"):
    """``max(0, margin - y x)^p`` of scores x and signs y: the loss of support vector machines.

    Cortes and Vapnik, "Support-vector networks", 1995.

    Args:
        input: scores of any shape.
        target: -1 and 1, or 0 and 1 in their place, of the same shape. Values between 0 and 1
            are probabilities of y = 1: the loss is the expectation.
        margin: 1.
        p: 1, or 2 for the squared hinge.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: shapes that differ, other targets, or p neither 1 nor 2.

    >>> import tensorgrad as torch
    >>> scores = torch.tensor([2.0, 0.5, 1.0])
    >>> torch.nn.functional.hinge_loss(scores, torch.tensor([1, 1, -1]), reduction="none")
    tensor([0.0000, 0.5000, 2.0000])
    """
    if p not in (1, 2):
        raise ValueError(f"only p == 1 and p == 2 supported, got {p}")
    legacy_reduction(None, None, reduction)
    y = _binary_target("hinge_loss", input, target)
    above, below = (margin - input).clamp_min(0), (margin + input).clamp_min(0)
    if p == 2:
        above, below = above * above, below * below
    return reduced(y * above + (1 - y) * below, reduction)


def weston_watkins_loss(input, target, margin=1.0, weight=None, reduction="mean"):
    """``sum_{j != y} max(0, s_j - s_y + margin)``: the multi-class hinge loss, summed.

    Weston and Watkins, "Support vector machines for multi-class pattern recognition", ESANN 1999.
    :func:`multi_margin_loss` divides it by the number of classes.

    Args:
        input: scores (N, C, ...) or (C,).
        target: class indices, one-hot rows or probabilities (which take N C C numbers).
        margin: delta.
        weight: a factor for each class.
        reduction: "mean", "sum" or "none".

    Raises:
        IndexError: a target is no class.
        ValueError: shapes that do not fit.

    >>> import tensorgrad as torch
    >>> scores = torch.tensor([[3.0, 2.5, 4.0]])
    >>> torch.nn.functional.weston_watkins_loss(scores, torch.tensor([0]))
    tensor(2.5000)
    """
    legacy_reduction(None, None, reduction)
    y, column = _class_target("weston_watkins_loss", input, target)
    dim = _class_dim("weston_watkins_loss", input)
    if column is None:
        terms = (input.unsqueeze(dim + 1) - input.unsqueeze(dim) + margin).clamp_min(0)
        same = np.eye(input.shape[dim], dtype=bool)
        same = wrap(same.reshape(same.shape + (1,) * (input.ndim - dim - 1)))
        per_class = tg.where(same, 0.0, terms).sum(dim)
    else:
        terms = (input - input.gather(dim, column) + margin).clamp_min(0)
        per_class = tg.where(y > 0, 0.0, terms).sum(dim, keepdim=True)
    return _expected(per_class, y, dim, weight, reduction)


def crammer_singer_loss(input, target, margin=1.0, weight=None, reduction="mean"):
    """``max(0, margin + max_{j != y} s_j - s_y)``: only the strongest rival counts.

    Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector
    machines", JMLR 2001.

    Args:
        input: scores (N, C, ...) or (C,).
        target: class indices, one-hot rows or probabilities.
        margin: 1.
        weight: a factor for each class.
        reduction: "mean", "sum" or "none".

    Raises:
        IndexError: a target is no class.
        ValueError: shapes that do not fit, or fewer than two classes.

    >>> import tensorgrad as torch
    >>> scores = torch.tensor([[3.0, 2.5, 4.0]])
    >>> torch.nn.functional.crammer_singer_loss(scores, torch.tensor([0]))
    tensor(2.)
    """
    legacy_reduction(None, None, reduction)
    y, _ = _class_target("crammer_singer_loss", input, target)
    dim = _class_dim("crammer_singer_loss", input)
    if input.shape[dim] < 2:
        raise ValueError(f"crammer_singer_loss: two classes or more, got {input.shape[dim]}")
    (first, second), (place, _) = [v.split(1, dim) for v in input.topk(2, dim)]
    numbers = np.arange(input.shape[dim]).reshape((-1,) + (1,) * (input.ndim - dim - 1))
    rival = tg.where(wrap(numbers == place._array), second, first)
    return _expected((margin + rival - input).clamp_min(0), y, dim, weight, reduction)


def contrastive_loss(input1, input2, target, margin=1.0, reduction="mean"):
    """``(1-y) D²/2 + y max(0, margin - D)²/2`` with D the Euclidean distance along the last axis.

    Hadsell, Chopra and LeCun, "Dimensionality reduction by learning an invariant mapping", CVPR
    2006, and its labels: **0 for a similar pair, 1 for a dissimilar one**. The gradient of a
    dissimilar pair at one point, where every direction is as good, is zero.

    Args:
        input1: (N, D) or (D,).
        input2: the same shape.
        target: (N,) or (), 0 or 1, or probabilities of being dissimilar.
        margin: the distance from which dissimilar pairs cost nothing.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: shapes that do not fit.
        RuntimeError: a target outside [0, 1].

    >>> import tensorgrad as torch
    >>> a, b = torch.zeros(2, 2), torch.tensor([[0.3, 0.4], [0.3, 0.4]])
    >>> torch.nn.functional.contrastive_loss(a, b, torch.tensor([0, 1]), reduction="none")
    tensor([0.1250, 0.1250])
    """
    legacy_reduction(None, None, reduction)
    _same_shape("contrastive_loss", input1, input2)
    if tuple(target.shape) != tuple(input1.shape[:-1]) or not input1.ndim:
        raise ValueError(
            f"contrastive_loss: inputs {tuple(input1.shape)} need a target of shape "
            f"{tuple(input1.shape[:-1])}, got {tuple(target.shape)}"
        )
    _demand_probabilities("contrastive_loss", "target", target._array)
    target = _floats(target, input1)
    squares = tg.square(input1 - input2).sum(-1)
    apart = squares > 0
    distance = tg.where(apart, tg.where(apart, squares, 1.0).sqrt(), 0.0)
    loss = (1 - target) * squares + target * tg.square((margin - distance).clamp_min(0))
    return reduced(0.5 * loss, reduction)


# --- bi-tempered ------------------------------------------------------------------------


def tempered_softmax(input, t, dim=-1, num_iters=None):
    """Probabilities ``exp_t(a - λ(a))`` with heavier tails than softmax (t > 1) or none (t < 1).

    Softmax at t = 1, sparsemax at t = 0. Amid et al., arXiv:1906.03361.

    Args:
        input: activations.
        t: the temperature, 0 or more.
        dim: where the probabilities sum to one.
        num_iters: None finds λ to rounding; a number takes that many steps of the paper's code.

    Raises:
        ValueError: ``t`` is negative.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.tempered_softmax(torch.tensor([0.0, 10.0]), 2.0)
    tensor([0.0901, 0.9099])
    """
    _demand_tail(t)
    return ops.tempered_exp(_tempered_logs(input, t, dim, num_iters), t=t)


def _demand_tail(t):
    if not t >= 0:
        raise ValueError(f"the temperature of a tempered softmax should be 0 or more, got {t}")


def _tempered_logs(input, t, dim, num_iters):
    if num_iters is not None and num_iters < 0:
        raise ValueError(f"num_iters should be 0 or more, got {num_iters}")
    dim = dim + input.ndim if dim < 0 else dim
    return ops.tempered_log_softmax(input, t=float(t), dim=dim, num_iters=num_iters)


def bi_tempered_logistic_loss(
    input, target, t1, t2, label_smoothing=0.0, num_iters=None, reduction="mean"
):
    """The cross-entropy with a bounded logarithm (t1 < 1) and a heavy-tailed softmax (t2 > 1).

    ``sum_c y_c (log_t1 y_c - log_t1 p_c) - (y_c^(2-t1) - p_c^(2-t1)) / (2-t1)`` with p the
    :func:`tempered_softmax` at t2. The bound keeps samples far on the wrong side from ruling, the
    tail those near the boundary. Amid, Warmuth, Anil and Koren, NeurIPS 2019, arXiv:1906.03361.
    Cross-entropy at t1 = t2 = 1 (for soft targets, less the target's entropy).

    Args:
        input: activations (N, C, ...) or (C,).
        target: class indices, one-hot rows or probabilities.
        t1: temperature of the logarithm, 0 to below 2; the loss is bounded for t1 < 1.
        t2: temperature of the softmax, 0 or more; usually above 1.
        label_smoothing: ε: the target's class keeps 1 - ε and each other gets ε/(C-1), the
            paper's code's; :func:`cross_entropy` gives ε/C to all.
        num_iters: None finds the softmax to rounding; a number takes that many steps of the
            paper's code, whose default is 5.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: a temperature or ``label_smoothing`` outside its range, or shapes that do not
            fit.
        IndexError: a target is no class.

    >>> import tensorgrad as torch
    >>> far = torch.tensor([[-1e4, 1e4]])  # as wrong as can be: cross-entropy says 20000
    >>> torch.nn.functional.bi_tempered_logistic_loss(far, torch.tensor([0]), 0.5, 1.5)
    tensor(1.9998)
    """
    name = "bi_tempered_logistic_loss"
    legacy_reduction(None, None, reduction)
    y, _ = _class_target(name, input, target)
    dim = _class_dim(name, input)
    return reduced(_bi_tempered(name, input, y, t1, t2, label_smoothing, num_iters, dim), reduction)


def bi_tempered_binary_logistic_loss(
    input, target, t1, t2, label_smoothing=0.0, num_iters=None, reduction="mean"
):
    """:func:`bi_tempered_logistic_loss` of the two activations 0 and ``input``.

    Args:
        input: activations of any shape.
        target: 0, 1 or the probability of 1, of the same shape.
        t1: temperature of the logarithm.
        t2: temperature of the sigmoid.
        label_smoothing: ε: y becomes (1-ε) y + ε (1-y).
        num_iters: as there.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: a temperature or ``label_smoothing`` outside its range, or shapes that differ.
        RuntimeError: a target outside [0, 1].
    """
    name = "bi_tempered_binary_logistic_loss"
    legacy_reduction(None, None, reduction)
    _same_shape(name, input, target)
    _demand_probabilities(name, "target", target._array)
    y = _floats(target, input)
    pair = tg.stack([tg.zeros_like(input), input], -1)
    y = tg.stack([1 - y, y], -1)
    loss = _bi_tempered(name, pair, y, t1, t2, label_smoothing, num_iters, input.ndim)
    return reduced(loss, reduction)


def _bi_tempered(name, a, y, t1, t2, label_smoothing, num_iters, dim):
    """The loss of each sample."""
    if not 0.0 <= t1 < 2.0:
        raise ValueError(f"{name}: t1 should be at least 0 and below 2, got {t1}")
    _demand_tail(t2)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"{name}: label_smoothing should be in [0, 1], got {label_smoothing}")
    classes = a.shape[dim]
    if label_smoothing:
        if classes < 2:
            raise ValueError(f"{name}: label smoothing needs two classes or more, got {classes}")
        rest = label_smoothing / (classes - 1)
        y = (1.0 - classes * rest) * y + rest
    u = _tempered_logs(a, t2, dim, num_iters)
    power, possible = 2.0 - t1, y > 0
    logs = ops.tempered_log_of_exp(u, t1=float(t1), t2=float(t2))
    masses = ops.tempered_exp(u, t=float(t2), power=power)
    # log_t1 y = (y**(1-t1) - 1) / (1-t1); a class of probability 0 has no term of it.
    y_logs = ops.tempered_log_of_exp(tg.where(possible, y, 1.0).log(), t1=float(t1), t2=1.0)
    terms = y * (y_logs - tg.where(possible, logs, 0.0))
    return (terms - (y * (1.0 + (1.0 - t1) * y_logs) - masses) / power).sum(dim)
