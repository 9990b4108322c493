"""Losses of two networks against each other: one makes samples, one scores them.

Scores are plain numbers, the larger the more real the discriminator finds the sample: logits, or
for "wasserstein" a critic's values.

- "minimax": Goodfellow et al., arXiv:1406.2661, the game as it is defined. The generator's
  gradient vanishes where the discriminator is sure.
- "non_saturating": the same paper's advice; the generator maximises ``log D(G(z))`` instead.
- "least_squares": Mao et al., arXiv:1611.04076, with the targets 1 and 0.
- "wasserstein": Arjovsky et al., arXiv:1701.07875; to be used with :func:`gradient_penalty`.
"""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn.functional.loss import legacy_reduction, reduced

__all__ = ["discriminator_loss", "generator_loss", "gradient_penalty"]


def _softplus(x):
    return tg.softplus(x, threshold=float("inf"))


# kind -> (what real samples cost the discriminator, what made ones do, what they cost the maker)
_KINDS = {
    "minimax": (lambda s: _softplus(-s), _softplus, lambda s: -_softplus(s)),
    "non_saturating": (lambda s: _softplus(-s), _softplus, lambda s: _softplus(-s)),
    "least_squares": (
        lambda s: 0.5 * tg.square(s - 1), lambda s: 0.5 * tg.square(s),
        lambda s: 0.5 * tg.square(s - 1),
    ),
    "wasserstein": (lambda s: -s, lambda s: s, lambda s: -s),
}  # fmt: skip
# kind -> what real samples cost under the target 1 - e; softplus(s) - softplus(-s) is s
_SMOOTHED = {
    "minimax": lambda s, e: _softplus(-s) + e * s,
    "non_saturating": lambda s, e: _softplus(-s) + e * s,
    "least_squares": lambda s, e: 0.5 * tg.square(s - (1 - e)),
}


def _smoothed(kind, label_smoothing):
    """What real samples cost, with a smoothed target."""
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must be in [0, 1), got {label_smoothing!r}")
    if kind not in _SMOOTHED:
        raise ValueError(f"{kind} has no targets to smooth; use label_smoothing=0")
    return lambda s: _SMOOTHED[kind](s, label_smoothing)


def _parts(kind):
    if kind not in _KINDS:
        raise ValueError(f"{kind} is not an adversarial loss; use one of {tuple(_KINDS)}")
    return _KINDS[kind]


def generator_loss(fake, kind="non_saturating", reduction="mean"):
    """What the scores ``fake`` of made samples cost the network that made them.

    Args:
        fake: the discriminator's scores (logits) of the samples made.
        kind: "minimax", "non_saturating", "least_squares" or "wasserstein".
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: no such kind or reduction.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.generator_loss(torch.tensor([0.0, 0.0]))
    tensor(0.6931)
    """
    legacy_reduction(None, None, reduction)
    return reduced(_parts(kind)[2](fake), reduction)


def discriminator_loss(real, fake, kind="non_saturating", reduction="mean", label_smoothing=0.0):
    """What the scores of real and of made samples cost the network that gave them.

    Args:
        real: the scores (logits) of real samples.
        fake: those of made samples; make them from detached samples.
        kind: "minimax", "non_saturating" (here the same), "least_squares" or "wasserstein".
        reduction: "mean" adds the two means, so the two batches may differ in size; "sum"; or
            "none" for the sum of each pair.
        label_smoothing: the target of real samples is one minus this, that of made ones stays 0
            (one-sided: Salimans et al., arXiv:1606.03498); in [0, 1), and 0 for "wasserstein",
            which has no targets.

    Raises:
        ValueError: no such kind or reduction, scores of two shapes under "none", or smoothing out
            of range.

    >>> import tensorgrad as torch
    >>> torch.nn.functional.discriminator_loss(torch.tensor([3.0]), torch.tensor([-3.0, -3.0]))
    tensor(0.0972)
    """
    legacy_reduction(None, None, reduction)
    of_real, of_fake, _ = _parts(kind)
    if label_smoothing:
        of_real = _smoothed(kind, label_smoothing)
    if reduction == "none" and real.shape != fake.shape:
        raise ValueError(
            f"discriminator_loss: reduction 'none' adds pairs, but real {tuple(real.shape)} and "
            f"fake {tuple(fake.shape)} differ; use 'mean' or 'sum'"
        )
    return reduced(of_real(real), reduction) + reduced(of_fake(fake), reduction)


def gradient_penalty(
    discriminator, real, fake, weight=10.0, center=1.0, generator=None, reduction="mean"
):
    """``weight (|grad D(x)| - center)²`` at points x drawn between real and made samples.

    Gulrajani et al., "Improved training of Wasserstein GANs", arXiv:1704.00028. The gradient is in
    x and the penalty is differentiable in the parameters of D: a second derivative. D should score
    each sample by itself (no batch normalisation).

    Args:
        discriminator: takes (N, ...) to scores (N, ...).
        real: real samples (N, ...).
        fake: made samples of the same shape; no gradient flows to either.
        weight: 10 as in the paper.
        center: the norm wanted: 1, or 0.
        generator: draws the points; the default one where it is None.
        reduction: "mean", "sum" or "none" over samples.

    Raises:
        ValueError: real and fake differ in shape.

    >>> import tensorgrad as torch
    >>> critic = lambda x: 3.0 * x[:, 0]
    >>> torch.nn.functional.gradient_penalty(critic, torch.zeros(2, 2), torch.ones(2, 2))
    tensor(40.)
    """
    legacy_reduction(None, None, reduction)
    if real.shape != fake.shape or not real.ndim:
        raise ValueError(
            f"gradient_penalty: real {tuple(real.shape)} and fake {tuple(fake.shape)} should be "
            "batches (N, ...) of one shape"
        )
    real, fake = real.detach(), fake.detach()
    share = tg.rand((real.shape[0],) + (1,) * (real.ndim - 1), dtype=real.dtype,
                    generator=generator)  # fmt: skip
    with tg.enable_grad():
        points = (share * real + (1 - share) * fake).requires_grad_()
        scores = discriminator(points)
        (slope,) = tg.autograd.grad(scores.sum(), points, create_graph=True)
        squares = tg.square(slope).reshape(real.shape[0], -1).sum(1)
        steep = squares > 0  # the root's own slope is infinite at zero
        norm = tg.where(steep, tg.where(steep, squares, 1.0).sqrt(), 0.0)
        return weight * reduced(tg.square(norm - center), reduction)
