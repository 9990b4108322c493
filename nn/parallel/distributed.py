"""One model in several processes, each with its share of the data."""

from __future__ import annotations

import contextlib

import numpy as np

from tensorgrad import distributed as dist
from tensorgrad._graph import Tensor, is_recording, mark_mutated
from tensorgrad.distributed.collectives import broadcast_first
from tensorgrad.distributed.reducer import Reducer
from tensorgrad.nn.modules.module import Module
from tensorgrad.utils._pytree import tree_leaves

__all__ = ["DistributedDataParallel"]


class DistributedDataParallel(Module):
    """Calls ``module``, and averages its gradients over all processes in the backward pass.

    All processes begin with the parameters and buffers of rank 0. During ``backward()`` gradients
    are gathered in flat buckets, and each bucket is summed over the processes as soon as it is
    complete, so that communication overlaps the rest of the pass; afterwards every process has
    the same mean gradients, and the same optimizer step keeps the parameters equal. A parameter
    that no process used keeps its gradient; one that some used gets the mean, where the others
    count as zero (PyTorch needs ``find_unused_parameters`` for that, here it is always so).

    Args:
        module: the model, built alike in every process.
        device_ids: no effect, as ``output_device`` and ``dim``.
        broadcast_buffers: give all processes the buffers of rank 0 before each forward pass in
            training mode (running statistics of batch normalisation).
        process_group: those who take part; None for all.
        bucket_cap_mb: the size of a bucket in MiB; None for 25. The first holds 1 MiB.
        find_unused_parameters: no effect.
        gradient_as_bucket_view: no effect, as ``static_graph`` and ``check_reduction``.
        init_sync: whether to begin with the parameters of rank 0.

    Raises:
        ValueError: ``init_process_group`` was not called, or ``bucket_cap_mb`` is not positive.
        RuntimeError: no parameter needs a gradient, or the processes have different parameters.

    >>> import tensorgrad as torch
    >>> torch.distributed.init_process_group()
    >>> model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
    >>> model(torch.ones(3, 2)).sum().backward()
    >>> model.module.weight.grad
    tensor([[3., 3.]])
    >>> torch.distributed.destroy_process_group()
    """

    def __init__(
        self,
        module,
        device_ids=None,
        output_device=None,
        dim=0,
        broadcast_buffers=True,
        init_sync=True,
        process_group=None,
        bucket_cap_mb=None,
        find_unused_parameters=False,
        check_reduction=False,
        gradient_as_bucket_view=False,
        static_graph=False,
    ):
        super().__init__()
        if bucket_cap_mb is not None and not bucket_cap_mb > 0:
            raise ValueError(f"bucket_cap_mb must be positive, got {bucket_cap_mb}")
        named = [(n, p) for n, p in module.named_parameters() if p.requires_grad]
        if not named:
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameter "
                "that requires a gradient."
            )
        self.module = module
        self.broadcast_buffers = broadcast_buffers
        self.process_group = dist.group_of(process_group)
        self.require_backward_grad_sync = True
        _demand_alike(named, self.process_group)
        if init_sync:
            _share([*module.parameters(), *module.buffers()], self.process_group)
        self._reducer = None
        if self.process_group.comm is not None:
            capacity = int((25 if bucket_cap_mb is None else bucket_cap_mb) * 2**20)
            parameters = [p for _, p in named]
            self._reducer = Reducer(parameters, self.process_group.duplicate(), capacity)

    def forward(self, *inputs, **kwargs):
        """The module's result."""
        syncs = self._reducer is not None and is_recording() and self.require_backward_grad_sync
        if syncs and self.training and self.broadcast_buffers:
            self.share_buffers()
        result = self.module(*inputs, **kwargs)
        if syncs:
            for leaf in tree_leaves(result):
                if isinstance(leaf, Tensor):
                    self._reducer.watch(leaf)
        return result

    def share_buffers(self) -> None:
        """Give all processes the buffers of rank 0."""
        _share(list(self.module.buffers()), self.process_group)

    @contextlib.contextmanager
    def no_sync(self):
        """Within it gradients are added up in each process alone; for accumulation.

        The first backward pass whose forward pass ran outside averages what was added up.

        >>> import tensorgrad as torch
        >>> torch.distributed.init_process_group()
        >>> model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
        >>> with model.no_sync():
        ...     model(torch.ones(1, 2)).sum().backward()
        >>> torch.distributed.destroy_process_group()
        """
        before = self.require_backward_grad_sync
        self.require_backward_grad_sync = False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before


def _demand_alike(named, group) -> None:
    """All processes must have parameters of the same names and shapes."""
    mine = [[name, list(p.shape), str(p.dtype)] for name, p in named]
    theirs: list = [None] * group.size()
    dist.all_gather_object(theirs, mine, group)
    for rank, other in enumerate(theirs):
        for here, there in zip(mine, other, strict=False):
            if here != there:
                raise RuntimeError(
                    f"DistributedDataParallel: parameter {here[0]} {here[1]} {here[2]} in rank "
                    f"{group.rank()} is {there[0]} {there[1]} {there[2]} in rank {rank}; build "
                    "the same model in every process"
                )
        if len(mine) != len(other):
            raise RuntimeError(
                f"DistributedDataParallel: {len(mine)} parameters in rank {group.rank()}, "
                f"{len(other)} in rank {rank}; build the same model in every process"
            )


def _share(tensors, group) -> None:
    """Give all processes the values of rank 0, in one message for each dtype."""
    if group.comm is None:
        return
    by_dtype: dict = {}
    for t in tensors:
        by_dtype.setdefault(t._array.dtype, []).append(t)
    for some in by_dtype.values():
        flat = np.concatenate([t._array.ravel() for t in some])
        broadcast_first(flat, group)
        end = 0
        for t in some:
            start, end = end, end + t._array.size
            t._array[...] = flat[start:end].reshape(t._array.shape)
            mark_mutated(t._array)
