"""What a Trainer asks of its arguments, its batches and its model."""

from __future__ import annotations

import contextlib

from .._graph import Tensor
from ..autograd import no_grad
from ..nn import Module
from ..optim import Optimizer
from ..optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from .callbacks import Callback, EpochTeller
from .stopping import StopCondition

__all__ = [
    "batch_hooks", "check_loss", "check_monitors", "check_normalizers", "check_options",
    "check_parts", "evaluating", "is_summed", "list_of", "modes_of", "pair_of", "restore_modes",
    "size_of",
]  # fmt: skip


def pair_of(batch):
    """The input and the target of a batch; a Tensor or a dict of two is no pair."""
    if isinstance(batch, tuple | list) and len(batch) == 2:
        return batch
    many = f" of {len(batch)}" if isinstance(batch, tuple | list) else ""
    raise TypeError(
        f"a batch must be a pair (input, target), got a {type(batch).__name__}{many}; a "
        "collate_fn or a Dataset can make it one"
    )


def size_of(target):
    """The number of samples; 1 where there is no first dimension to count."""
    shape = getattr(target, "shape", None)
    return shape[0] if shape else 1


def is_summed(loss):
    """Whether the loss adds up its samples, instead of taking their mean."""
    return getattr(loss, "reduction", "mean") == "sum"


def check_loss(value):
    """Refuse a loss that is no tensor, or no scalar."""
    if not isinstance(value, Tensor):
        raise TypeError(f"the loss must return a tensor, got {type(value).__name__}")
    if value.numel() != 1:
        raise ValueError(
            f"the loss must be a scalar, got shape {tuple(value.shape)}; use reduction='mean'"
        )


def check_monitors(callbacks, valid, metrics):
    """Refuse, before any training, a condition on a value that no epoch will have."""
    values = ["loss", *metrics]
    names = [f"train_{value}" for value in values] + ["lr", "seconds"]
    names += [f"valid_{value}" for value in values] if valid is not None else []
    for callback in callbacks:
        if isinstance(callback, StopCondition) and callback.monitor not in names:
            hint = (
                "; give valid=" if callback.monitor.startswith("valid_") and valid is None else ""
            )
            raise ValueError(
                f"fit: {type(callback).__name__} monitors {callback.monitor!r}, which epochs will "
                f"not record; they record {', '.join(names)}{hint}"
            )


def batch_hooks(callbacks):
    """What is to be called after each batch: the methods that are not empty."""
    return [c.on_batch_end for c in callbacks if type(c).on_batch_end is not Callback.on_batch_end]


def modes_of(model):
    """Each module and its mode."""
    return [(module, module.training) for module in model.modules()]


def restore_modes(modes):
    """Put back what :func:`modes_of` returned."""
    for module, training in modes:
        module.training = training


@contextlib.contextmanager
def evaluating(model):
    """Evaluation mode without gradients; every module is in its former mode again afterwards."""
    modes = modes_of(model)
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        restore_modes(modes)


def list_of(callbacks, name):
    """One or several callbacks as a list; what has ``set_epoch`` alone is told the epochs."""
    one = isinstance(callbacks, Callback) or hasattr(callbacks, "set_epoch")
    return [_callback(c, name) for c in ([callbacks] if one else callbacks or ())]


def _callback(given, name):
    if isinstance(given, Callback):
        return given
    if isinstance(given, type) or not callable(getattr(given, "set_epoch", None)):
        hint = "; make an instance of it" if isinstance(given, type) else ""
        raise TypeError(
            f"{name}: expected callbacks (tensorgrad.train.Callback), or what has set_epoch, got "
            f"{given!r}{hint}"
        )
    return EpochTeller(given)


def check_parts(model, loss, optimizer, scheduler, scheduler_step):
    """Refuse what cannot be trained."""
    if not isinstance(model, Module):
        raise TypeError(f"Trainer: model must be a Module, got {type(model).__name__}")
    if not callable(loss) or isinstance(loss, type):
        hint = "; call it" if isinstance(loss, type) else ""
        raise TypeError(f"Trainer: loss must be a module or a function, got {loss!r}{hint}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"Trainer: optimizer must be an Optimizer, got {type(optimizer).__name__}")
    own = {id(p) for p in model.parameters()}
    if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError(
            "Trainer: the optimizer has no parameter of the model; make it from model.parameters()"
        )
    if scheduler is None:
        return
    if not isinstance(scheduler, LRScheduler):
        raise TypeError(f"Trainer: expected an LRScheduler, got {type(scheduler).__name__}")
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError("Trainer: the scheduler belongs to another optimizer")
    if isinstance(scheduler, ReduceLROnPlateau) and scheduler_step == "batch":
        raise ValueError(
            "Trainer: ReduceLROnPlateau needs the loss of an epoch: scheduler_step='epoch'"
        )


def check_normalizers(named):
    """Refuse what a checkpoint could not keep, such as a scaler of scikit-learn."""
    for name, normalizer in named.items():
        if not all(hasattr(normalizer, method) for method in ("state_dict", "load_state_dict")):
            raise TypeError(
                f"Trainer: normalizers: {name!r} should have state_dict() and load_state_dict(), "
                f"as those of tensorgrad.datasets have, got {type(normalizer).__name__}"
            )


def check_options(clip_norm, clip_value, scheduler_step):
    """Refuse options out of range."""
    for name, bound in (("clip_norm", clip_norm), ("clip_value", clip_value)):
        if bound is not None and not bound > 0:
            raise ValueError(f"Trainer: {name} must be above 0, or None, got {bound!r}")
    if scheduler_step not in ("epoch", "batch"):
        raise ValueError(
            f"Trainer: scheduler_step must be 'epoch' or 'batch', got {scheduler_step!r}"
        )
