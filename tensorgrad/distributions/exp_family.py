"""Exponential families: densities ``h(x) exp(<t(x), theta> - F(theta))``."""

from __future__ import annotations

import tensorgrad as tg

from .distribution import Distribution

__all__ = ["ExponentialFamily"]


def normalizer_and_gradients(family):
    """F at the natural parameters, those parameters as leaves, and the gradients of F."""
    parameters = [p.detach().requires_grad_() for p in family._natural_params]
    with tg.enable_grad():
        value = family._log_normalizer(*parameters)
        gradients = tg.autograd.grad(value.sum(), parameters, create_graph=True)
    return value, parameters, gradients


class ExponentialFamily(Distribution):
    """A distribution whose entropy follows from its log-normalizer F.

    A subclass gives ``_natural_params``, ``_log_normalizer`` and ``_mean_carrier_measure``, the
    expectation of log h. As in PyTorch, the entropy of this class has no gradient in the
    parameters (Nielsen and Nock, "Entropies and cross-entropies of exponential families", 2010).
    """

    @property
    def _natural_params(self):
        raise self._lacks("_natural_params")

    def _log_normalizer(self, *natural_params):
        raise self._lacks("_log_normalizer")

    @property
    def _mean_carrier_measure(self):
        raise self._lacks("_mean_carrier_measure")

    def entropy(self):
        carrier = self._mean_carrier_measure
        result, parameters, gradients = normalizer_and_gradients(self)
        result = result - carrier
        for p, g in zip(parameters, gradients, strict=True):
            result = result - (p * g).reshape(self._batch_shape + (-1,)).sum(-1)
        return result
