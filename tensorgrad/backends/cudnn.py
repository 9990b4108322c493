"""``torch.backends.cudnn``: switches without effect."""

from .._absent import Passing

enabled = True
benchmark = False
deterministic = False
allow_tf32 = True


class flags(Passing):
    """A context manager without effect."""


def is_available() -> bool:
    """False."""
    return False


def version() -> None:
    """None: there is no cuDNN."""
