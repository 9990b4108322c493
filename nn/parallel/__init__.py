"""Wrappers that run a module in parallel: over processes, and PyTorch's over devices of one.

There are no devices here, so ``DataParallel`` passes every call to its module. The wrapper stays in
the tree, so that ``model.module`` works and the names of a state dict begin with ``module.``, as
in files that were saved under PyTorch.

>>> import tensorgrad as torch
>>> model = torch.nn.DataParallel(torch.nn.Linear(2, 1))
>>> list(model.state_dict())
['module.weight', 'module.bias']
"""

from __future__ import annotations

from tensorgrad._absent import NO_GPU, refusing
from tensorgrad.errors import NoDeviceError
from tensorgrad.nn.modules.module import Module

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]


def __getattr__(name):
    """Communication is imported when it is asked for."""
    if name == "DistributedDataParallel":
        from .distributed import DistributedDataParallel

        return DistributedDataParallel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class DataParallel(Module):
    """Calls ``module``: there are no devices to spread a batch over.

    Args:
        module: the module.
        device_ids: not used, as the other arguments.
        output_device: not used.
        dim: not used.
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        self.module = module

    def forward(self, *inputs, **kwargs):
        """The module's result."""
        return self.module(*inputs, **kwargs)


def data_parallel(
    module, inputs, device_ids=None, output_device=None, dim=0, module_kwargs=None
):
    """``module(*inputs, **module_kwargs)``; the other arguments are not used."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*inputs, **(module_kwargs or {}))


scatter = refusing("torch.nn.parallel.scatter", NO_GPU, NoDeviceError)
gather = refusing("torch.nn.parallel.gather", NO_GPU, NoDeviceError)
replicate = refusing("torch.nn.parallel.replicate", NO_GPU, NoDeviceError)
parallel_apply = refusing("torch.nn.parallel.parallel_apply", NO_GPU, NoDeviceError)
