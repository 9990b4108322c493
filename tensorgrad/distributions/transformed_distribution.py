"""The images of random variables under transforms."""

from __future__ import annotations

import tensorgrad as tg

from .._tensor import Size
from . import constraints
from .distribution import Distribution
from .independent import Independent
from .transforms import ComposeTransform, Transform
from .utils import same_as, sum_rightmost

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """What draws of ``base_distribution`` become under ``transforms``, applied in order.

    Args:
        base_distribution: the distribution.
        transforms: a Transform or a list of them.
        validate_args: as in :class:`Distribution`.

    Raises:
        ValueError: ``transforms`` is something else, or needs more dimensions than there are.

    >>> import tensorgrad as torch
    >>> d = torch.distributions
    >>> uniform = d.Uniform(0.0, 1.0)
    >>> logistic = d.TransformedDistribution(uniform, [d.SigmoidTransform().inv])
    >>> logistic.log_prob(torch.tensor(0.0))
    tensor(-1.3863)
    """

    arg_constraints = {}
    _tensors = {}
    _kept = ("transforms",)

    def __init__(self, base_distribution, transforms, validate_args=None):
        self.transforms = [transforms] if isinstance(transforms, Transform) else transforms
        listed = isinstance(self.transforms, list)
        if not listed or not all(isinstance(t, Transform) for t in self.transforms):
            raise ValueError(f"give a Transform or a list of them, got {transforms!r}")
        batch, event = base_distribution.batch_shape, base_distribution.event_shape
        whole = ComposeTransform(self.transforms)
        before, after = whole.domain.event_dim, whole.codomain.event_dim
        if len(batch + event) < before:
            raise ValueError(
                f"the transforms work on {before} dimensions together, the base has shape "
                f"{tuple(batch + event)}; expand it"
            )
        shape = Size(whole.forward_shape(batch + event))
        needed = Size(whole.inverse_shape(shape))
        if needed != batch + event:
            base_distribution = base_distribution.expand(needed[: len(needed) - len(event)])
        if before > len(event):
            base_distribution = Independent(base_distribution, before - len(event))
        self.base_dist = base_distribution
        cut = len(shape) - max(after, len(event) + after - before)
        super().__init__(shape[:cut], shape[cut:], validate_args=validate_args)

    def _fill(self, new, batch_shape):
        super()._fill(new, batch_shape)
        whole = ComposeTransform(self.transforms)
        shape = Size(whole.inverse_shape(batch_shape + self.event_shape))
        new.base_dist = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])

    @constraints.dependent_property(is_discrete=False)
    def support(self):
        """What the last transform makes."""
        if not self.transforms:
            return self.base_dist.support
        made = self.transforms[-1].codomain
        extra = len(self.event_shape) - made.event_dim
        return constraints.independent(made, extra) if extra > 0 else made

    has_rsample = same_as("base_dist.has_rsample")

    def _forward(self, x):
        return ComposeTransform(self.transforms)(x)

    def sample(self, sample_shape=()):
        with tg.no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape=()):
        return self._forward(self.base_dist.rsample(sample_shape))

    def log_prob(self, value):
        self._check_value(value)
        dims, total = len(self.event_shape), 0.0
        for transform in reversed(self.transforms):
            x = transform.inv(value)
            dims += transform.domain.event_dim - transform.codomain.event_dim
            slope = transform.log_abs_det_jacobian(x, value)
            total = total - sum_rightmost(slope, dims - transform.domain.event_dim)
            value = x
        extra = dims - len(self.base_dist.event_shape)
        return total + sum_rightmost(self.base_dist.log_prob(value), extra)

    def _rising(self, value):
        """Probabilities, turned around if the transforms decrease."""
        sign = ComposeTransform(self.transforms).sign
        rises = isinstance(sign, int) and sign == 1
        return value if rises else sign * (value - 0.5) + 0.5

    def cdf(self, value):
        before = ComposeTransform(self.transforms).inv(value)
        if self._validate_args:
            self.base_dist._validate_sample(before)
        return self._rising(self.base_dist.cdf(before))

    def icdf(self, value):
        return self._forward(self.base_dist.icdf(self._rising(value)))
