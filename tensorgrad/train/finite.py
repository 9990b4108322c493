"""Where a number that is not finite came from: the first layer, parameter or gradient."""

from __future__ import annotations

import copy

import numpy as np

from .. import random
from .._graph import Tensor
from ..autograd import no_grad
from ..utils._pytree import tree_leaves

__all__ = ["bad_gradient", "bad_parameter", "first_bad"]


def first_bad(model, loss, input, target) -> str:
    """What is the first thing that is not finite on the way from the input to the loss.

    The batch is run again on a copy of the model, with other masks of dropout: what comes of
    chance may not come again.
    """
    if not _is_finite(input):
        return "the input of the batch is not finite"
    if not _is_finite(target):
        return "the target of the batch is not finite"
    name = bad_parameter(model)
    if name is not None:
        return (
            f"parameter {name!r} is not finite since the step before; a smaller learning rate or "
            "clip_norm may help"
        )
    found: list[str] = []
    try:
        with random.fork_rng(), no_grad():
            model = copy.deepcopy(model)
            for name, module in model.named_modules():
                module.register_forward_hook(_noting(name, found))
            value = loss(model(input), target)
    except Exception as error:  # of a model that cannot be copied, for one
        return f"run again to find the layer, the batch raised {error!r}"
    if found:
        return found[0]
    if not _is_finite(value):
        return "the outputs of all layers are finite, the loss of them is not"
    return "run again, the batch gave a finite loss; the cause is one of chance, such as dropout"


def _noting(name, found):
    """A hook that notes a layer whose output is not finite; inner layers come before outer ones."""

    def hook(module, args, output):
        if not found and not _is_finite(output):
            called = repr(name) if name else "the model itself"
            found.append(
                f"the first layer with an output that is not finite is {called} "
                f"({type(module).__name__})"
            )

    return hook


def bad_parameter(model) -> str | None:
    """The name of the first parameter that is not finite, None if all are."""
    return next((name for name, p in model.named_parameters() if not _is_finite(p)), None)


def bad_gradient(model) -> str | None:
    """The name of the first parameter, seen from the loss, whose gradient is not finite."""
    named = reversed(list(model.named_parameters()))
    return next((name for name, p in named if p.grad is not None and not _is_finite(p.grad)), None)


def _is_finite(value) -> bool:
    """Whether all floating elements of all tensors in ``value`` are finite."""
    for leaf in tree_leaves(value):
        array = leaf._array if isinstance(leaf, Tensor) else np.asarray(leaf)
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            return False
    return True
