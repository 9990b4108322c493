"""Gradients kept within bounds, in place."""

from __future__ import annotations

import types
import warnings

import numpy as np

import tensorgrad as tg
from tensorgrad._graph import Tensor, mark_mutated, wrap

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
]

_EPS = 1e-6  # PyTorch's, added to the norm


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale all gradients by one factor so that their common norm is at most ``max_norm``.

    Args:
        parameters: an iterable of tensors, or one; those without a gradient do not count.
        max_norm: the bound.
        norm_type: the p-norm; ``float("inf")`` for the largest element.
        error_if_nonfinite: raise where the norm is nan or infinite.
        foreach: no effect.

    Returns:
        The norm before, a 0-d tensor.

    Raises:
        RuntimeError: the norm is not finite, if asked for; no gradient was changed.

    >>> import tensorgrad as torch
    >>> w = torch.tensor([1.0, 1.0], requires_grad=True)
    >>> (w * torch.tensor([3.0, 4.0])).sum().backward()
    >>> torch.nn.utils.clip_grad_norm_([w], 1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    parameters = _listed(parameters)
    gradients = [p.grad for p in parameters if p.grad is not None]
    total = get_total_norm(gradients, norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def _listed(parameters):
    """The parameters as a list; an empty generator was used up, so that warns."""
    if isinstance(parameters, Tensor):
        return [parameters]
    generated = isinstance(parameters, types.GeneratorType)
    parameters = list(parameters)
    if generated and not parameters:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3
        )
    return parameters


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The p-norm of all elements of several tensors, 0-d.

    Args:
        tensors: an iterable of tensors, or one.
        norm_type: p.
        error_if_nonfinite: raise where it is nan or infinite.
        foreach: no effect.
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    arrays = [t._array for t in tensors if t._array.size]
    if not arrays:
        return tg.tensor(0.0)
    p = float(norm_type)
    dtype = np.result_type(*arrays)
    if p == 2.0 and dtype.kind == "f":
        flat = [a.ravel() for a in arrays]
        norms = np.sqrt(np.array([a.dot(a) for a in flat], dtype))
    else:
        norms = np.array([np.linalg.norm(a.ravel(), p) for a in arrays])
    total = np.asarray(np.linalg.norm(norms, p), norms.dtype if dtype.kind == "c" else dtype)
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {p} for gradients from `parameters` is non-finite, so it "
            "cannot be clipped. To disable this error and scale the gradients by the non-finite "
            "norm anyway, set `error_if_nonfinite=False`"
        )
    return wrap(total)


def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale the gradients by ``max_norm / total_norm`` where that is below 1.

    Args:
        parameters: an iterable of tensors, or one.
        max_norm: the bound.
        total_norm: the norm of their gradients, a 0-d tensor.
        foreach: no effect.
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    factor = np.minimum(float(max_norm) / (total_norm._array + _EPS), 1.0)
    for p in parameters:
        if p.grad is not None:
            array = p.grad._array
            np.multiply(array, factor, out=array, casting="same_kind")
            mark_mutated(array)


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The deprecated name of :func:`clip_grad_norm_`; warns."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Clip every element of the gradients to [-clip_value, clip_value].

    Args:
        parameters: an iterable of tensors, or one.
        clip_value: the bound.
        foreach: no effect.
    """
    bound = float(clip_value)
    for p in [parameters] if isinstance(parameters, Tensor) else parameters:
        if p.grad is not None:
            p.grad.clamp_(-bound, bound)
