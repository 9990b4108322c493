"""Mixed precision, passed through: everything is computed in the dtype that it has.

float16 is slower than float32 on a CPU under NumPy, so autocast changes nothing and
GradScaler scales by 1: a script written for both gives float32's results.

>>> import tensorgrad as torch
>>> with torch.autocast("cpu", dtype=torch.float16):
...     (torch.ones(2) @ torch.ones(2)).dtype
torch.float32
"""

from __future__ import annotations

from ._absent import Passing

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


class autocast(Passing):
    """A context manager and decorator without effect.

    Args:
        device_type: as in PyTorch.
        dtype: not used.
        enabled: not used.
        cache_enabled: not used.
    """

    def __init__(self, device_type="cpu", dtype=None, enabled=True, cache_enabled=None):
        super().__init__()


def is_autocast_available(device_type: str) -> bool:
    """False: nothing is cast."""
    return False


def custom_fwd(fwd=None, *, device_type="cpu", cast_inputs=None):
    """Decorator of a Function's forward; returns it unchanged."""
    return fwd if fwd is not None else lambda fwd: fwd


def custom_bwd(bwd=None, *, device_type="cpu"):
    """Decorator of a Function's backward; returns it unchanged."""
    return bwd if bwd is not None else lambda bwd: bwd


class GradScaler:
    """Scales a loss by 1: the calls of a mixed-precision loop, doing the plain thing.

    Args:
        device: as in PyTorch.
        init_scale: not used, as the other arguments.
        growth_factor: not used.
        backoff_factor: not used.
        growth_interval: not used.
        enabled: not used.

    >>> import tensorgrad as torch
    >>> w = torch.tensor([1.0], requires_grad=True)
    >>> sgd, scaler = torch.optim.SGD([w], lr=0.5), torch.amp.GradScaler()
    >>> scaler.scale((w * w).sum()).backward()
    >>> scaler.step(sgd)
    >>> scaler.update()
    >>> w.tolist()
    [0.0]
    """

    def __init__(
        self, device="cuda", init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5,
        growth_interval=2000, enabled=True,
    ):  # fmt: skip
        pass

    def scale(self, outputs):
        """``outputs`` itself."""
        return outputs

    def unscale_(self, optimizer) -> None:
        """Nothing: gradients are not scaled."""

    def step(self, optimizer, *args, **kwargs):
        """``optimizer.step(...)``."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale=None) -> None:
        """Nothing."""

    def get_scale(self) -> float:
        """1.0."""
        return 1.0

    def is_enabled(self) -> bool:
        """False."""
        return False

    def state_dict(self) -> dict:
        """Empty, as a disabled scaler's in PyTorch."""
        return {}

    def load_state_dict(self, state_dict) -> None:
        """Nothing."""
