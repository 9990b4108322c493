"""What the launcher of the processes left in the environment. Imports nothing heavy."""

from __future__ import annotations

import os
import sys
import traceback

# Size and rank, and both on this node: of Open MPI, of MPICH and Intel MPI, and of srun.
_VARIABLES = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK",
     "OMPI_COMM_WORLD_LOCAL_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("PMI_SIZE", "PMI_RANK", "MPI_LOCALNRANKS", "MPI_LOCALRANKID"),
    ("SLURM_NTASKS", "PMIX_RANK", "SLURM_NTASKS_PER_NODE", "SLURM_LOCALID"),
)  # fmt: skip


def launched() -> tuple[int, int, int, int]:
    """Size, rank, size on this node and rank on this node, as ``mpiexec`` or ``srun`` set them.

    A process that nobody launched is the only one: (1, 0, 1, 0).

    >>> launched()
    (1, 0, 1, 0)
    """
    for size, rank, local_size, local_rank in _VARIABLES:
        if size in os.environ and rank in os.environ:
            world = int(os.environ[size])
            return (world, int(os.environ[rank]), int(os.environ.get(local_size, world)),
                    int(os.environ.get(local_rank, os.environ[rank])))  # fmt: skip
    return 1, 0, 1, 0


def tolerates_faults() -> bool:
    """Whether Open MPI was started with ``--with-ft ulfm``."""
    return os.environ.get("OMPI_MCA_mpi_ft_enable", "0") not in ("", "0", "false")


def end_all(kind, error, trace) -> None:
    """An excepthook: print the traceback of this process, then end all of them with exit code 1.

    Otherwise the others would wait for this one for ever.
    """
    while trace.tb_next and _is_above_the_script(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    text = "".join(traceback.format_exception(kind, error, trace))
    sys.stdout.flush()
    sys.stderr.write("".join(f"[rank {launched()[1]}] {line}\n" for line in text.splitlines()))
    sys.stderr.flush()
    from mpi4py import MPI

    MPI.COMM_WORLD.Abort(1)


def _is_above_the_script(filename: str) -> bool:
    return filename == "<frozen runpy>" or filename == os.path.join(_HERE, "__main__.py")


_HERE = os.path.dirname(os.path.abspath(__file__))
