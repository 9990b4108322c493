"""Batch normalisation."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn import functional as F
from tensorgrad.nn import init
from tensorgrad.nn.modules.module import Module
from tensorgrad.nn.parameter import Parameter


class _BatchNorm(Module):
    """Ioffe & Szegedy, arXiv:1502.03167. Subclasses say which ranks of input they take."""

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True,
        device=None, dtype=None, *, bias=True,
    ):  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        kwargs = {"dtype": dtype, "device": device}
        for name, learned in (("weight", affine), ("bias", affine and bias)):
            value = Parameter(tg.empty(num_features, **kwargs)) if learned else None
            self.register_parameter(name, value)
        tracked = track_running_stats
        self.register_buffer("running_mean", tg.zeros(num_features, **kwargs) if tracked else None)
        self.register_buffer("running_var", tg.ones(num_features, **kwargs) if tracked else None)
        counter = tg.tensor(0, dtype=tg.int64) if tracked else None
        self.register_buffer("num_batches_tracked", counter)
        self.reset_parameters()

    def reset_running_stats(self):
        """Forget the running statistics."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """Set the scale to 1 and the shift to 0, and forget the running statistics."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def forward(self, input):
        """Normalise each channel of ``input`` (N, C) or (N, C, ...)."""
        self._check_input_dim(input)
        learns = self.training and self.track_running_stats
        momentum = self.momentum
        if learns:
            self.num_batches_tracked._array[...] += 1
            if momentum is None:  # the plain average of all batches
                momentum = 1.0 / self.num_batches_tracked._array.item()
        use_batch = self.training or self.running_mean is None
        keeps = learns or not use_batch
        return F.batch_norm(
            input,
            self.running_mean if keeps else None,
            self.running_var if keeps else None,
            self.weight, self.bias, use_batch, momentum or 0.0, self.eps,
        )  # fmt: skip

    def extra_repr(self):
        """The settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Normalise each feature over the batch: mean 0, variance 1, then scale and shift.

    Ioffe & Szegedy, arXiv:1502.03167. In training the batch's own mean and (biased) variance
    are used, and the running statistics move by ``momentum`` towards the batch's mean and
    *unbiased* variance; in evaluation the running statistics are used.

    Args:
        num_features: C, of an input (N, C) or (N, C, L).
        eps: added to the variance, inside the root.
        momentum: weight of the new batch in the running statistics (0.1); None averages all.
        affine: whether scale and shift are learned.
        bias: whether the shift is, given ``affine``.
        track_running_stats: False uses the batch's statistics in evaluation too.
        device: the CPU.
        dtype: of parameters and buffers.

    Raises:
        ValueError: the input has another rank, or one value per channel in training.
        RuntimeError: the input has another number of channels.

    >>> import tensorgrad as torch
    >>> norm = torch.nn.BatchNorm1d(2)
    >>> y = norm(torch.tensor([[1.0, 10.0], [3.0, 30.0]]))
    >>> y.round(decimals=3)
    tensor([[-1., -1.],
            [ 1.,  1.]], grad_fn=<RoundBackward0>)
    """

    def _check_input_dim(self, input):
        if input._array.ndim not in (2, 3):
            raise ValueError(f"expected 2D or 3D input (got {input._array.ndim}D input)")
