"""Random correlation matrices, by their Cholesky factors."""

from __future__ import annotations

import math

import tensorgrad as tg

from . import constraints
from .beta import Beta
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Cholesky factors L of correlation matrices with density ``det(L L') ** (concentration - 1)``.

    That is a density of the matrices; those of the factors have the Jacobian of ``L L'`` too.
    Lewandowski, Kurowicka and Joe, "Generating random correlation matrices based on vines and
    extended onion method" (2009); "the onion" below is their section 3.

    Args:
        dim: the number of rows, at least 2.
        concentration: positive; 1 makes all correlation matrices equally likely, more favours
            those near the identity.
        validate_args: as in :class:`Distribution`.

    Raises:
        ValueError: ``dim`` is less than 2.

    >>> import tensorgrad as torch
    >>> factor = torch.distributions.LKJCholesky(3, 1.0).sample()
    >>> (factor @ factor.mT).diagonal().round(decimals=4)
    tensor([1., 1., 1.])
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    _tensors = {"concentration": 0}
    _kept = ("dim",)

    def __init__(self, dim, concentration=1.0, validate_args=None):
        if dim < 2:
            raise ValueError(f"a matrix with correlations has at least 2 rows, got dim={dim}")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        self._beta = Beta(*self._onion())
        super().__init__(self.concentration.shape, (dim, dim), validate_args=validate_args)

    def _onion(self):
        """The parameters of the squared length that each row has before its diagonal.

        Row k has k elements there: Beta(k / 2, concentration + (dim - 1 - k) / 2). Row 0 has
        none; the draw for it, with the parameters of row 1, is there for the order of PyTorch's
        draws. From row 2 on PyTorch draws Beta(k - 1 / 2, the same), which does not have the
        density of log_prob.
        """
        before = tg.arange(self.dim, dtype=self.concentration.dtype).clamp(min=1) / 2
        return before, self.concentration.unsqueeze(-1) + (self.dim - 1) / 2 - before

    def _fill(self, new, batch_shape):
        super()._fill(new, batch_shape)
        new._beta = self._beta.expand(batch_shape + (self.dim,))

    def sample(self, sample_shape=()):
        with tg.no_grad():
            squared = self._beta.sample(sample_shape)
            squared[..., 0] = 0.0
            noise = tg.randn(self._extended_shape(sample_shape), dtype=squared.dtype).tril(-1)
            length = noise.pow(2).sum(-1).clamp(min=tg.finfo(noise.dtype).tiny).sqrt()
            row = noise * (squared.sqrt() / length).unsqueeze(-1)
            left = (1 - row.pow(2).sum(-1)).clamp(min=tg.finfo(noise.dtype).tiny)
            return row + left.sqrt().diag_embed()

    def log_prob(self, value):
        self._check_value(value)
        # Row k adds its diagonal to the power 2 (concentration - 1) of the determinant, and to
        # the power dim - 1 - k of the Jacobian; row 0 has the diagonal 1.
        rows = tg.arange(1, self.dim, dtype=self.concentration.dtype)
        power = 2 * (self.concentration.unsqueeze(-1) - 1) + self.dim - 1 - rows
        diagonal = value.diagonal(dim1=-2, dim2=-1)[..., 1:]
        return (power * diagonal.log()).sum(-1) - self._log_total()

    def _log_total(self):
        """The integral over the rows, each a ball of dimension k: pi^(k/2) G(e - k/2) / G(e)."""
        e = self.concentration + (self.dim - 1) / 2
        halves = tg.arange(1, self.dim, dtype=e.dtype) / 2
        balls = halves * math.log(math.pi) + (e.unsqueeze(-1) - halves).lgamma()
        return balls.sum(-1) - (self.dim - 1) * e.lgamma()
