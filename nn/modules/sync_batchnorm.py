"""Batch normalisation whose batch is that of all processes."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn.modules.batchnorm import _BatchNorm


class SyncBatchNorm(_BatchNorm):
    """:class:`BatchNorm1d` whose mean and variance are those of all processes' batches together.

    For training in several processes (see docs/distributed.md), where a process's own part of the
    batch is too small for good statistics. Without other processes it is plain batch
    normalisation; so it is in evaluation mode.

    Args:
        num_features: C, of an input (N, C) or (N, C, ...).
        eps: as of BatchNorm1d, with all that follow.
        momentum: weight of the new batch in the running statistics (0.1); None averages all.
        affine: whether scale and shift are learned.
        bias: whether the shift is, given ``affine``.
        track_running_stats: False uses the batch's statistics in evaluation too.
        process_group: those whose batches belong together; None for all.
        device: the CPU.
        dtype: of parameters and buffers.

    Raises:
        ValueError: the input has fewer than two dimensions, or there is one value per channel.

    >>> import tensorgrad as torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    >>> torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)[1]
    SyncBatchNorm(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True,
        process_group=None, device=None, dtype=None, *, bias=True,
    ):  # fmt: skip
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    def _check_input_dim(self, input):
        if input.ndim < 2:
            raise ValueError(f"expected at least 2D input (got {input.ndim}D input)")

    def forward(self, input):
        """Normalise each channel of ``input`` (N, C) or (N, C, ...)."""
        dist = tg.distributed
        uses_batch = self.training or self.running_mean is None
        if not uses_batch or not dist.is_initialized() or self._group().size() == 1:
            return super().forward(input)
        self._check_input_dim(input)
        total = dist.nn.functional.all_reduce
        dims = [d for d in range(input.ndim) if d != 1]
        shape = [1, -1] + [1] * (input.ndim - 2)
        mine = input.sum(dims)
        count = tg.full((1,), float(input.numel() // input.shape[1]), dtype=mine.dtype)
        everything = total(tg.cat([mine, count]), group=self.process_group)
        n = everything[-1].item()
        mean = everything[:-1] / n
        centred = input - mean.view(shape)
        var = total((centred * centred).sum(dims), group=self.process_group) / n
        if self.training and self.track_running_stats:
            self._track(mean.detach(), var.detach() * (n / max(1.0, n - 1)))
        result = centred * (var + self.eps).rsqrt().view(shape)
        if self.weight is not None:
            result = result * self.weight.view(shape)
        return result if self.bias is None else result + self.bias.view(shape)

    def _group(self):
        return tg.distributed.group_of(self.process_group)

    def _track(self, mean, var):
        """Move the running statistics towards the batch's."""
        self.num_batches_tracked += 1
        weight = self.momentum
        if weight is None:  # the plain average of all batches
            weight = 1.0 / self.num_batches_tracked.item()
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(var, weight)

    @classmethod
    def convert_sync_batchnorm(cls, module, process_group=None):
        """``module`` with each batch normalisation in it replaced by this one, same parameters.

        Args:
            module: changed in place where it holds others; itself replaced if it is one.
            process_group: as of the constructor.
        """
        if isinstance(module, _BatchNorm) and not isinstance(module, cls):
            made = cls(
                module.num_features, module.eps, module.momentum, module.affine,
                module.track_running_stats, process_group, bias=module.bias is not None,
            )  # fmt: skip
            for name in ("weight", "bias"):
                made.register_parameter(name, getattr(module, name))
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                made.register_buffer(name, getattr(module, name))
            return made.train(module.training)
        for name, child in module.named_children():
            setattr(module, name, cls.convert_sync_batchnorm(child, process_group))
        return module
