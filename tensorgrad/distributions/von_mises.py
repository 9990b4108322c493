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
    made in float64 by Best and Fisher's rejection (1979), and kept in the dtype of ``loc``.

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

    def _envelope(self, k):
        tau = 1 + (1 + 4 * k * k).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * k)
        return tg.where(k < 1e-5, 1 / k + k, (1 + rho * rho) / (2 * rho))

    def sample(self, sample_shape=()):
        with tg.no_grad():
            loc, k = self.loc.double(), self.concentration.double()
            r, shape = self._envelope(k), self._extended_shape(sample_shape)
            x, done = tg.zeros(shape, dtype=tg.float64), tg.zeros(shape, dtype=tg.bool)
            while not bool(done.all()):
                u1, u2, u3 = tg.rand((3, *shape), dtype=tg.float64).unbind()
                z = (math.pi * u1).cos()
                f = (1 + r * z) / (r + z)
                c = k * (r - f)
                accept = (c * (2 - c) - u2 > 0) | ((c / u2).log() + 1 - c >= 0)
                x = tg.where(accept, (u3 - 0.5).sign() * f.acos(), x)
                done = done | accept
            turned = (x + math.pi + loc) % (2 * math.pi) - math.pi
            return turned.to(self.loc.dtype)
