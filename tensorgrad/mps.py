"""``torch.mps``: what scripts call on Apple's GPUs, without effect."""


def is_available() -> bool:
    """False."""
    return False


def manual_seed(seed) -> None:
    """Nothing."""


def empty_cache() -> None:
    """Nothing."""


def synchronize() -> None:
    """Nothing."""
