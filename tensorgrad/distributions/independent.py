"""Batch dimensions taken for event dimensions."""

from __future__ import annotations

from . import constraints
from .distribution import Distribution
from .utils import same_as, sum_rightmost

__all__ = ["Independent"]


class Independent(Distribution):
    """``base_distribution`` with its last batch dimensions counted as event dimensions.

    Args:
        base_distribution: the distribution.
        reinterpreted_batch_ndims: how many dimensions; ``log_prob`` sums over them.
        validate_args: as in :class:`Distribution`.

    Raises:
        ValueError: the base has fewer batch dimensions.

    >>> import tensorgrad as torch
    >>> base = torch.distributions.Normal(torch.zeros(2), 1.0)
    >>> torch.distributions.Independent(base, 1).event_shape
    torch.Size([2])
    """

    arg_constraints = {}
    _tensors = {}
    _kept = ("reinterpreted_batch_ndims",)

    def __init__(self, base_distribution, reinterpreted_batch_ndims, validate_args=None):
        batch, event = base_distribution.batch_shape, base_distribution.event_shape
        if reinterpreted_batch_ndims > len(batch):
            raise ValueError(
                f"cannot reinterpret {reinterpreted_batch_ndims} batch dimensions of the base, "
                f"which has {len(batch)}"
            )
        cut = len(batch) - reinterpreted_batch_ndims
        self.base_dist = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        super().__init__(batch[:cut], batch[cut:] + event, validate_args=validate_args)

    def _fill(self, new, batch_shape):
        super()._fill(new, batch_shape)
        own = self.event_shape[: self.reinterpreted_batch_ndims]
        new.base_dist = self.base_dist.expand(batch_shape + own)

    has_rsample = same_as("base_dist.has_rsample")

    @property
    def has_enumerate_support(self):
        """That of the base, if no dimension is reinterpreted."""
        return self.reinterpreted_batch_ndims == 0 and self.base_dist.has_enumerate_support

    @constraints.dependent_property
    def support(self):
        """That of the base, over more dimensions."""
        result, extra = self.base_dist.support, self.reinterpreted_batch_ndims
        return constraints.independent(result, extra) if extra else result

    mean, mode, variance = (same_as(f"base_dist.{name}") for name in ("mean", "mode", "variance"))

    def sample(self, sample_shape=()):
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape=()):
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value):
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self):
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand=True):
        if self.reinterpreted_batch_ndims > 0:
            raise NotImplementedError(
                "the values of an Independent are all combinations of those of its base, which "
                "are not enumerated; enumerate base_dist"
            )
        return self.base_dist.enumerate_support(expand=expand)

    def __repr__(self):
        return f"{type(self).__name__}({self.base_dist}, {self.reinterpreted_batch_ndims})"
