"""``torch.utils.tensorboard``: SummaryWriter of the package tensorboardX, which writes its files.

tensorboardX is an extra: ``pip install "tensorgrad[tensorboard]"``.
"""

from __future__ import annotations

from ..errors import missing


def __getattr__(name):
    if name != "SummaryWriter":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise missing("tensorboardX", "tensorboard", "SummaryWriter") from None
    return SummaryWriter
