"""``torch.backends.cuda``: switches without effect."""

from .._absent import Passing, Switch

matmul = Switch(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
)


class sdp_kernel(Passing):
    """A context manager without effect: there is one kernel for attention."""


def is_built() -> bool:
    """False."""
    return False


def enable_flash_sdp(enabled: bool) -> None:
    """Nothing."""


enable_mem_efficient_sdp = enable_math_sdp = enable_flash_sdp


def flash_sdp_enabled() -> bool:
    """False."""
    return False


mem_efficient_sdp_enabled = flash_sdp_enabled


def math_sdp_enabled() -> bool:
    """True: attention is computed by its definition."""
    return True
