"""Modules, losses, initialisers and their functional forms, under PyTorch's names.

>>> import tensorgrad as torch
>>> from tensorgrad import nn
>>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
>>> model(torch.zeros(4, 2)).shape
torch.Size([4, 1])
"""

if __name__ != "tensorgrad.nn":
    raise ImportError("import this package as tensorgrad.nn, not as nn")

from typing import TYPE_CHECKING

from . import attention as attention
from . import functional as functional
from . import init as init
from . import modules as modules
from . import parallel as parallel
from . import parameter as parameter
from . import utils as utils
from .modules import *  # noqa: F403
from .parallel import DataParallel as DataParallel
from .parameter import Buffer as Buffer
from .parameter import Parameter as Parameter
from .parameter import UninitializedBuffer as UninitializedBuffer
from .parameter import UninitializedParameter as UninitializedParameter

if TYPE_CHECKING:
    from . import models as models
else:

    def __getattr__(name):
        if name == "models":  # imported when first touched
            from importlib import import_module

            return import_module(f"{__name__}.models")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
