"""Distances between vectors as modules."""

from __future__ import annotations

from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.module import Module


class CosineSimilarity(Module):
    """The cosine of the angle between vectors along ``dim``; see F.cosine_similarity.

    Args:
        dim: 1.
        eps: the least length, 1e-8.
    """

    def __init__(self, dim=1, eps=1e-8):
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1, x2):
        """The similarity of ``x1`` and ``x2``, which broadcast."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of ``x1 - x2 + eps`` along the last dimension; see F.pairwise_distance.

    Args:
        p: 2.
        eps: 1e-6, against a division by zero in the gradient.
        keepdim: keep the last dimension, of size 1.
    """

    def __init__(self, p=2.0, eps=1e-6, keepdim=False):
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1, x2):
        """The distances of ``x1`` and ``x2``, which broadcast."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
