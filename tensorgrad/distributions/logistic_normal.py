"""Normal vectors on the simplex."""

from __future__ import annotations

from . import constraints
from .normal import Normal
from .transformed_distribution import TransformedDistribution
from .transforms import StickBreakingTransform
from .utils import same_as

__all__ = ["LogisticNormal"]


class LogisticNormal(TransformedDistribution):
    """Independent normal elements, put on the simplex by a StickBreakingTransform.

    >>> import tensorgrad as torch
    >>> torch.distributions.LogisticNormal(torch.zeros(2), 1.0).sample().shape
    torch.Size([3])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex
    has_rsample = True
    _tensors = {}

    def __init__(self, loc, scale, validate_args=None):
        base = Normal(loc, scale, validate_args=validate_args)
        if not base.batch_shape:
            base = base.expand([1])
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)

    loc = same_as("base_dist.base_dist.loc", "The means of the normal elements.")

    scale = same_as("base_dist.base_dist.scale", "The standard deviations of the normal elements.")
