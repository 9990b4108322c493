"""Who takes part: names, how each is imported, and which are installed here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

from .cases import Case

REFERENCE = "tensorgrad"

# The modules that a script would import, and the distribution that brings them. ``import torch``
# includes torch.nn and torch.optim, so tensorgrad is charged for its own too.
IMPORTS = {
    "tensorgrad": ("tensorgrad", "tensorgrad.nn", "tensorgrad.optim"),
    "torch": ("torch",),
    "jax": ("jax", "jax.numpy"),
    "mygrad": ("mygrad",),
    "autograd": ("autograd", "autograd.numpy"),
    "numpy": ("numpy",),
}


def installed() -> list[str]:
    return [name for name in IMPORTS if find_spec(name) is not None]


def takes_part(contender: str, case: Case) -> bool:
    return contender in getattr(case, "contenders", (contender,))


def import_all(contender: str) -> None:
    for module in IMPORTS[contender]:
        importlib.import_module(module)


def builder(contender: str) -> Callable[[Case], Callable[[], tuple]]:
    """The function that turns a case into a step of ``contender``; imports it."""
    import_all(contender)
    if contender in ("tensorgrad", "torch"):
        from . import with_torch

        return partial(with_torch.build, importlib.import_module(contender))
    return importlib.import_module(f"{__package__}.with_{contender}").build


def set_threads(contender: str, threads: int) -> None:
    """Finish what ``environment`` began, for the contender that also has a call for it."""
    if contender == "torch":
        import torch

        torch.set_num_threads(threads)


def environment(threads: int) -> dict[str, str]:
    """The variables by which OpenMP, OpenBLAS, MKL and XLA learn how many threads to use."""
    count = str(threads)
    variables = {
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "NPROC": count,  # XLA's own thread pool
    }
    if threads == 1:
        variables["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return variables
