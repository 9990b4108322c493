"""The von Mises distribution."""

from __future__ import annotations

import math

import tensorgrad as tg

from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, lazy_property, same_as

__all__ = ["VonMises"]


class VonMises(Distribution):
    """Angles with density proportional to ``exp(concentration * cos(x - loc))``.

    The Bessel functions are SciPy's, right to rounding; PyTorch's are good to 1e-7. Draws are
    made in float64 by rejection from a wrapped Cauchy distribution (Best and Fisher, "Efficient
    simulation of the von Mises distribution", 1979), and kept in the dtype of ``loc``.

    >>> import tensorgrad as torch
    >>> m = torch.distributions.VonMises(torch.tensor(1.0), torch.tensor(1.0))
    >>> m.mean
    tensor(1.)
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False
    _tensors = {"loc": 0, "concentration": 0}

    def __init__(self, loc, concentration, validate_args=None):
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def _log_bessel(self):
        k = self.concentration
        return tg.special.i0e(k).log() + k

    def log_prob(self, value):
        self._check_value(value)
        height = self.concentration * (value - self.loc).cos()
        return height - math.log(2 * math.pi) - self._log_bessel()

    mean = mode = same_as("loc")

    @lazy_property
    def variance(self):
        """The circular variance."""
        return 1 - tg.special.i1e(self.concentration) / tg.special.i0e(self.concentration)

    def _propose(self, shape):
        """(angles, whether to accept them): one round of the rejection.

        The paper's r = (1 + rho**2) / (2 rho) is, with its rho written out, the r here, which
        loses no digits for a small concentration. Its test log(c / u) + 1 - c >= 0 is written
        without the logarithm; it holds wherever the paper's quicker one, c (2 - c) > u, does.
        """
        k = self.concentration.double()
        r = (1 + (1 + 4 * k * k).sqrt()) / (2 * k)
        turn, u, side = tg.rand((3, *shape), dtype=tg.float64).unbind()
        z = (math.pi * turn).cos()
        cosine = (1 + r * z) / (r + z)
        c = k * (r - cosine)
        return (side - 0.5).sign() * cosine.acos(), u <= c * (1 - c).exp()

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        with tg.no_grad():
            angle, settled = self._propose(shape)
            while not bool(settled.all()):
                again, accepted = self._propose(shape)
                # PyTorch keeps the last that is accepted, not the first.
                angle = tg.where(accepted | ~settled, again, angle)
                settled = settled | accepted
            around = (angle + self.loc.double() + math.pi) % (2 * math.pi)
            return (around - math.pi).to(self.loc.dtype)
