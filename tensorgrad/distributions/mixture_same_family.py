"""Mixtures of distributions of one family."""

from __future__ import annotations

import tensorgrad as tg

from . import constraints
from .categorical import Categorical
from .distribution import Distribution
from .utils import fit, same_as

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A draw of the component that a categorical draw selects.

    Args:
        mixture_distribution: a Categorical over the components.
        component_distribution: its last batch dimension holds the components.
        validate_args: as in :class:`Distribution`.

    Raises:
        ValueError: arguments of other types, or of shapes that do not fit.

    >>> import tensorgrad as torch
    >>> d = torch.distributions
    >>> mix = d.Categorical(torch.ones(2))
    >>> d.MixtureSameFamily(mix, d.Normal(torch.tensor([0.0, 2.0]), 1.0)).mean
    tensor(1.)
    """

    arg_constraints = {}
    _tensors = {}
    _parts = ("_mixture_distribution",)

    def __init__(self, mixture_distribution, component_distribution, validate_args=None):
        mixture, component = mixture_distribution, component_distribution
        if not isinstance(mixture, Categorical):
            raise ValueError(
                f"mixture_distribution is a {type(mixture).__name__}; a Categorical says which "
                "component is drawn"
            )
        if not isinstance(component, Distribution):
            raise ValueError(
                f"component_distribution is a {type(component).__name__}, not a Distribution"
            )
        mixing, batch = mixture.batch_shape, component.batch_shape[:-1]
        if not fit(mixing, batch):
            raise ValueError(
                f"the mixture, of batch shape {tuple(mixing)}, does not broadcast with the "
                f"components, of batch shape {tuple(batch)} and one dimension of components"
            )
        count, components = mixture.logits.shape[-1], component.batch_shape[-1]
        if count != components:
            raise ValueError(
                f"the mixture has {count} categories for {components} components, the last "
                "batch dimension of component_distribution; make them as many"
            )
        self._mixture_distribution, self._component_distribution = mixture, component
        super().__init__(batch, component.event_shape, validate_args=validate_args)

    def _fill(self, new, batch_shape):
        super()._fill(new, batch_shape)
        each = batch_shape + self.component_distribution.batch_shape[-1:]
        new._component_distribution = self.component_distribution.expand(each)

    @constraints.dependent_property
    def support(self):
        """What every component can take."""
        return constraints.MixtureSameFamilyConstraint(self.component_distribution.support)

    mixture_distribution = same_as("_mixture_distribution", "The Categorical.")
    component_distribution = same_as("_component_distribution", "The components.")

    def _expected(self, values):
        """The mean of ``values``, one for each component, by the probabilities of these."""
        dims = len(self.event_shape)
        probs = self.mixture_distribution.probs
        probs = probs.reshape(probs.shape + (1,) * dims)
        return (probs * values).sum(-1 - dims)

    def _among(self, x):
        return x.unsqueeze(-1 - len(self.event_shape))

    @property
    def mean(self):
        return self._expected(self.component_distribution.mean)

    @property
    def variance(self):
        component = self.component_distribution
        apart = (component.mean - self._among(self.mean)).pow(2)
        return self._expected(component.variance) + self._expected(apart)

    def cdf(self, x):
        each = self.component_distribution.cdf(self._among(x))
        return (each * self.mixture_distribution.probs).sum(-1)

    def log_prob(self, x):
        self._check_value(x)
        each = self.component_distribution.log_prob(self._among(x))
        return (each + tg.log_softmax(self.mixture_distribution.logits, -1)).logsumexp(-1)

    def sample(self, sample_shape=()):
        with tg.no_grad():
            dims = len(self.event_shape)
            chosen = self.mixture_distribution.sample(sample_shape)
            drawn = self.component_distribution.sample(sample_shape)
            index = chosen.reshape(chosen.shape + (1,) * (dims + 1))
            at = drawn.dim() - dims - 1
            shape = drawn.shape[:at] + (1,) + drawn.shape[at + 1 :]
            return drawn.gather(at, index.expand(shape)).squeeze(at)

    def __repr__(self):
        parts = self.mixture_distribution, self.component_distribution
        return "MixtureSameFamily(\n  {},\n  {})".format(*parts)
