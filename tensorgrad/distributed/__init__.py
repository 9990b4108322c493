"""Training in several processes, on one machine or many: ``torch.distributed`` on MPI.

Start a script with ``mpiexec -n 8 python -m tensorgrad.distributed train.py``. The same script,
started without mpiexec, runs as one process and needs no MPI. See docs/distributed.md.

>>> import tensorgrad as torch
>>> torch.distributed.is_available(), torch.distributed.is_initialized()
(True, False)
"""

from . import nn
from .collectives import (
    ReduceOp,
    Work,
    all_gather,
    all_gather_into_tensor,
    all_gather_object,
    all_reduce,
    all_to_all_single,
    barrier,
    broadcast,
    broadcast_object_list,
    gather,
    irecv,
    isend,
    monitored_barrier,
    recv,
    reduce,
    reduce_scatter,
    reduce_scatter_tensor,
    scatter,
    send,
)
from .group import (
    DistributedError,
    ProcessGroup,
    destroy_process_group,
    get_backend,
    get_rank,
    get_world_size,
    group_of,
    init_process_group,
    is_initialized,
    new_group,
)

__all__ = [
    "DistributedError",
    "ProcessGroup",
    "ReduceOp",
    "Work",
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_object",
    "all_reduce",
    "all_to_all_single",
    "barrier",
    "broadcast",
    "broadcast_object_list",
    "destroy_process_group",
    "gather",
    "get_backend",
    "get_rank",
    "get_world_size",
    "init_process_group",
    "irecv",
    "is_available",
    "is_initialized",
    "is_mpi_available",
    "isend",
    "monitored_barrier",
    "new_group",
    "nn",
    "recv",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "scatter",
    "send",
]


def is_available() -> bool:
    """True: a process alone is a group of one."""
    return True


def is_mpi_available() -> bool:
    """Whether mpi4py is installed, which several processes need."""
    from importlib.util import find_spec

    return find_spec("mpi4py") is not None
