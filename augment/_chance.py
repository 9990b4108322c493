"""Strengths drawn for each image, and transforms that leave some images as they are."""

from __future__ import annotations

import numpy as np

from ._transform import Transform, rows_of


class Chance(Transform):
    """The base of transforms that change each image with probability ``p``.

    A subclass writes ``strengths(n, shape, rng)``, its parameters beside the chance, and
    ``change(batch, params)``, which gets only the images that change.
    """

    p: float

    def strengths(self, n, shape, rng) -> dict:
        """Further parameters, as of ``sample``."""
        return {}

    def change(self, batch, params):
        """The images that are changed, as of ``apply``."""
        raise NotImplementedError(f"{type(self).__name__} must write change(batch, params)")

    def sample(self, n, shape, rng) -> dict:
        """Whether each image changes, and the strengths."""
        return {"chosen": rng.bernoulli(self.p), **self.strengths(n, shape, rng)}

    def apply(self, batch, params):
        """Change the chosen images."""
        chosen = params["chosen"]
        if chosen.all():
            return self.change(batch, params)
        if not chosen.any():
            return batch
        out = batch.copy()
        out[chosen] = self.change(batch[chosen], rows_of(params, chosen))
        return out


def drawn(rng, strength):
    """One number for each image: ``strength`` itself, or uniform between two."""
    if np.ndim(strength) == 0:
        return np.full(len(rng), float(strength))
    return rng.uniform(*map(float, strength))


def drawn_integers(rng, strength):
    """One integer for each image: ``strength`` itself, or between two, both included."""
    if np.ndim(strength) == 0:
        return np.full(len(rng), strength)
    return rng.integers(strength[0], strength[1] + 1)
