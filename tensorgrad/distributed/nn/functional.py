"""Exchanges between processes with a derivative of any order."""

from __future__ import annotations

from ...autograd import Function
from ..collectives import ReduceOp
from ..collectives import all_reduce as all_reduce_

__all__ = ["all_reduce"]


class _AllReduce(Function):
    """A sum over processes; each process's loss depends on it, so gradients are summed too."""

    @staticmethod
    def forward(ctx, tensor, group):
        ctx.group = group
        total = tensor.clone()
        all_reduce_(total, group=group)
        return total

    @staticmethod
    def backward(ctx, g):
        return _AllReduce.apply(g, ctx.group), None


def all_reduce(tensor, op=ReduceOp.SUM, group=None):
    """The sum of ``tensor`` over all processes, as a new tensor that autograd has recorded.

    The gradient is the sum over all processes of the gradients of theirs: the derivative of the
    sum of all processes' losses. All of them must come by here in backward too.

    Args:
        tensor: of the same shape and dtype everywhere.
        op: only ``ReduceOp.SUM``.
        group: those who take part; None for all.

    Raises:
        NotImplementedError: another ``op``.

    >>> import tensorgrad as torch, tensorgrad.distributed as dist
    >>> from tensorgrad.distributed.nn.functional import all_reduce
    >>> dist.init_process_group()
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> (all_reduce(x) ** 2).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    >>> dist.destroy_process_group()
    """
    if op != ReduceOp.SUM:
        raise NotImplementedError(f"all_reduce: only the sum has a derivative here, got op={op!r}")
    return _AllReduce.apply(tensor, group)
