"""Batch normalisation, and what it shares with instance normalisation."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn import functional as F
from tensorgrad.nn import init
from tensorgrad.nn.modules.lazy import LazyModuleMixin
from tensorgrad.nn.modules.module import Module
from tensorgrad.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter


class _NormBase(Module):
    """Scale, shift and running statistics of each channel. Subclasses name the ranks they take."""

    _ranks = ()
    _version = 2  # 1 had no num_batches_tracked

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

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
        key = f"{prefix}num_batches_tracked"
        if (local_metadata.get("version") or 1) < 2 and self.track_running_stats:
            own = self.num_batches_tracked
            state_dict.setdefault(key, tg.tensor(0, dtype=tg.int64) if own is None else own)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def _check_input_dim(self, input):
        ndim = input.ndim
        if ndim not in self._ranks:
            wanted = " or ".join(f"{n}D" for n in self._ranks)
            raise ValueError(f"expected {wanted} input (got {ndim}D input)")

    def extra_repr(self):
        """The settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_NormBase):
    """Ioffe & Szegedy, arXiv:1502.03167."""

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


class BatchNorm1d(_BatchNorm):
    """Normalise each feature over the batch: mean 0, variance 1, then scale and shift.

    Ioffe & Szegedy, arXiv:1502.03167. In training the batch's own mean and (biased) variance
    are used, and the running statistics move by ``momentum`` towards the batch's mean and
    *unbiased* variance; in evaluation the running statistics are used.

    Args:
        num_features: C, of an input (N, C) or (N, C, L).
        eps: added to the variance, inside the root.
        momentum: weight of the new batch in the running statistics (0.1); None averages all.
            (Texts that write ``running = m * running + (1 - m) * batch`` mean ``momentum=1 - m``:
            their 0.9 is 0.1 here.)
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

    _ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """:class:`BatchNorm1d` for images (N, C, H, W): each channel over the batch and all positions.

    Args:
        num_features: C.
        eps: as of BatchNorm1d, with all that follow.
        momentum: weight of the new batch in the running statistics (0.1); None averages all.
        affine: whether scale and shift are learned.
        track_running_stats: False uses the batch's statistics in evaluation too.
        device: the CPU.
        dtype: of parameters and buffers.
        bias: whether the shift is learned, given ``affine``.

    >>> import tensorgrad as torch
    >>> torch.nn.BatchNorm2d(3)(torch.randn(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    _ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """:class:`BatchNorm1d` for volumes (N, C, D, H, W); takes the same arguments.

    >>> import tensorgrad as torch
    >>> torch.nn.BatchNorm3d(3)(torch.randn(2, 3, 2, 2, 2)).shape
    torch.Size([2, 3, 2, 2, 2])
    """

    _ranks = (5,)


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """Takes ``num_features`` from the first input."""

    def __init__(
        self, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None,
        dtype=None, *, bias=True,
    ):  # fmt: skip
        super().__init__(0, eps, momentum, False, False, bias=False)
        self.affine, self.track_running_stats = affine, track_running_stats
        kwargs = {"device": device, "dtype": dtype}
        if affine:
            self.weight = UninitializedParameter(**kwargs)
            if bias:
                self.bias = UninitializedParameter(**kwargs)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(**kwargs)
            self.running_var = UninitializedBuffer(**kwargs)
            self.num_batches_tracked = tg.tensor(0, dtype=tg.int64)

    def reset_parameters(self):
        """Set the scale to 1, the shift and the statistics to their beginning, if there are any."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input):
        """Take the number of channels from ``input``."""
        if not self.has_uninitialized_params():
            return
        self.num_features = input.shape[1]
        for value in (self.weight, self.bias, self.running_mean, self.running_var):
            if value is not None:
                value.materialize((self.num_features,))
        self.reset_parameters()


class LazyBatchNorm1d(_LazyNormBase, _BatchNorm):
    """A :class:`BatchNorm1d` that takes ``num_features`` from the first input.

    >>> import tensorgrad as torch
    >>> norm = torch.nn.LazyBatchNorm1d()
    >>> norm(torch.randn(4, 3)).shape, norm.num_features
    (torch.Size([4, 3]), 3)
    """

    cls_to_become = BatchNorm1d
    _ranks = BatchNorm1d._ranks


class LazyBatchNorm2d(_LazyNormBase, _BatchNorm):
    """A :class:`BatchNorm2d` that takes ``num_features`` from the first input."""

    cls_to_become = BatchNorm2d
    _ranks = BatchNorm2d._ranks


class LazyBatchNorm3d(_LazyNormBase, _BatchNorm):
    """A :class:`BatchNorm3d` that takes ``num_features`` from the first input."""

    cls_to_become = BatchNorm3d
    _ranks = BatchNorm3d._ranks
