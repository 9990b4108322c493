"""``skip_init``: a module whose parameters have no values yet."""

from __future__ import annotations

import inspect

from tensorgrad.nn.modules.module import Module
from tensorgrad.random import fork_rng


def skip_init(module_cls, *args, **kwargs):
    """Make a module with parameters and buffers of arbitrary values, for those set afterwards.

    No random numbers are drawn (as seen from outside). No time is saved: the values are computed
    and dropped.

    Args:
        module_cls: the class; it must take ``device``.
        args: for the class.
        kwargs: for the class.

    Raises:
        RuntimeError: it is no module, or takes no ``device``.

    >>> import tensorgrad as torch
    >>> torch.nn.utils.skip_init(torch.nn.Linear, 5, 1).weight.shape
    torch.Size([1, 5])
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    device = kwargs.pop("device", "cpu")
    with fork_rng():
        module = module_cls(*args, **kwargs)
    return module.to_empty(device=device)
