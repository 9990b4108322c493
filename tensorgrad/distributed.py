"""``torch.distributed``: one process. Scripts that ask run on as a single one.

>>> import tensorgrad as torch
>>> torch.distributed.is_available() and torch.distributed.is_initialized()
False
"""

from ._absent import refusing

_ONE_PROCESS = "tensorgrad runs in one process; guard it with torch.distributed.is_available()"


def is_available() -> bool:
    """False."""
    return False


def is_initialized() -> bool:
    """False."""
    return False


for _name in ("init_process_group", "get_rank", "get_world_size", "barrier", "all_reduce",
              "broadcast", "all_gather", "destroy_process_group"):  # fmt: skip
    globals()[_name] = refusing(f"torch.distributed.{_name}", _ONE_PROCESS)
