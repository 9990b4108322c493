"""The older names of :mod:`tensorgrad.amp`."""

from __future__ import annotations

from .. import amp as _amp

custom_fwd, custom_bwd = _amp.custom_fwd, _amp.custom_bwd


class autocast(_amp.autocast):
    """A context manager and decorator without effect; see :class:`tensorgrad.amp.autocast`."""

    def __init__(self, enabled=True, dtype=None, cache_enabled=True):
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(_amp.GradScaler):
    """Scales by 1; see :class:`tensorgrad.amp.GradScaler`."""

    def __init__(
        self, init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000,
        enabled=True,
    ):  # fmt: skip
        super().__init__("cuda")
