"""Instance normalisation: each channel of each sample by itself."""

from __future__ import annotations

import warnings

from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.batchnorm import _LazyNormBase, _NormBase


class _InstanceNorm(_NormBase):
    """Ulyanov, Vedaldi & Lempitsky, arXiv:1607.08022. ``_ranks``: without a batch, and with."""

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False,
        device=None, dtype=None, *, bias=True,
    ):  # fmt: skip
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input):
        """Normalise each channel of each sample of ``input``, which may be one sample alone."""
        self._check_input_dim(input)
        dim = input.ndim - self._ranks[0]
        if input.size(dim) != self.num_features:
            self._refuse_channels(dim, input.size(dim))
        if dim == 0:
            return self._normalise(input.unsqueeze(0)).squeeze(0)
        return self._normalise(input)

    def _refuse_channels(self, dim, got):
        if self.affine:
            raise ValueError(
                f"expected input's size at dim={dim} to match num_features "
                f"({self.num_features}), but got: {got}."
            )
        warnings.warn(
            f"input's size at dim={dim} does not match num_features. You can silence this warning "
            "by not passing in num_features, which is not used because affine=False",
            stacklevel=4,
        )

    def _normalise(self, input):
        return F.instance_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, self.momentum or 0.0, self.eps,
        )  # fmt: skip


class InstanceNorm1d(_InstanceNorm):
    """Normalise each channel of each sample: mean 0, variance 1, then scale and shift.

    Ulyanov, Vedaldi & Lempitsky, arXiv:1607.08022. In training and evaluation alike by the
    sample's own statistics, unless ``track_running_stats``.

    Args:
        num_features: C, of an input (N, C, L) or (C, L).
        eps: added to the variance, inside the root.
        momentum: weight of the new batch in the running statistics.
        affine: whether scale and shift are learned (False).
        track_running_stats: keep running statistics, and use them in evaluation (False).
        device: the CPU.
        dtype: of parameters and buffers.
        bias: whether the shift is learned, given ``affine``.

    Raises:
        ValueError: the input has another rank, one value per channel, or with ``affine`` another
            number of channels; without, a warning.

    >>> import tensorgrad as torch
    >>> norm = torch.nn.InstanceNorm1d(2)
    >>> norm(torch.tensor([[[1.0, 3.0], [10.0, 30.0]]])).round(decimals=3)
    tensor([[[-1.,  1.],
             [-1.,  1.]]])
    """

    _ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """:class:`InstanceNorm1d` for images (N, C, H, W) or (C, H, W); takes the same arguments.

    >>> import tensorgrad as torch
    >>> torch.nn.InstanceNorm2d(3)(torch.randn(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    _ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """:class:`InstanceNorm1d` for volumes, (N, C, D, H, W) or (C, D, H, W); the same arguments.

    >>> import tensorgrad as torch
    >>> torch.nn.InstanceNorm3d(3)(torch.randn(2, 3, 2, 2, 2)).shape
    torch.Size([2, 3, 2, 2, 2])
    """

    _ranks = (4, 5)


class LazyInstanceNorm1d(_LazyNormBase, _InstanceNorm):
    """An :class:`InstanceNorm1d` that takes ``num_features`` from the first input's dimension 1.

    Unlike there, scale, shift and running statistics are on unless turned off, as in PyTorch.

    >>> import tensorgrad as torch
    >>> norm = torch.nn.LazyInstanceNorm1d()
    >>> norm(torch.randn(4, 3, 5)).shape, norm.num_features
    (torch.Size([4, 3, 5]), 3)
    """

    cls_to_become = InstanceNorm1d
    _ranks = InstanceNorm1d._ranks


class LazyInstanceNorm2d(_LazyNormBase, _InstanceNorm):
    """An :class:`InstanceNorm2d` that takes ``num_features`` from the first input."""

    cls_to_become = InstanceNorm2d
    _ranks = InstanceNorm2d._ranks


class LazyInstanceNorm3d(_LazyNormBase, _InstanceNorm):
    """An :class:`InstanceNorm3d` that takes ``num_features`` from the first input."""

    cls_to_become = InstanceNorm3d
    _ranks = InstanceNorm3d._ranks
