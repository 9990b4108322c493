"""Every loss of tensorgrad against what it measures, beside its gradient by autograd.

Alone: ``python examples/gallery/losses.py``.
"""

import math
from dataclasses import dataclass

import style

import tensorgrad as torch
from tensorgrad.nn import functional as F

# Losses of no single number: what they take instead.
NOT_DRAWN = {
    "ctc_loss": "sequences of scores and of labels",
    "gradient_penalty": "a network",
}

# --- numbers ----------------------------------------------------------------------------


@dataclass
class Panel:
    """A family of losses against one variable.

    Attributes:
        title: what they have in common.
        x: the variable's name.
        ends: where the axis begins and ends.
        losses: label -> function of a tensor (N,) that gives one loss for each element.
        top: where the axis of the values ends; None for as far as they reach.
        bottom: where it begins; None likewise.
        steep: where the axis of the gradients ends, on both sides; None likewise.
        legend: where the names stand.
    """

    title: str
    x: str
    ends: tuple
    losses: dict
    top: float | None = None
    bottom: float | None = None
    steep: float | None = None
    legend: str = "best"


def curve(loss, x):
    """(values, gradients) of a loss at points ``x``; None for the gradients where it has none."""
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    values = loss(x)
    if not values.requires_grad:
        return values.numpy(), None
    (slopes,) = torch.autograd.grad(values.sum(), x)
    return values.detach().numpy(), slopes.numpy()


def points(ends, quick=False):
    """Where to compute: an odd count, so that the middle is one of them."""
    return torch.linspace(*ends, 81 if quick else 801, dtype=torch.float64).numpy()


# --- what a loss is given ---------------------------------------------------------------


def of_residual(loss, **options):
    """A loss of the prediction r for the target 0."""
    return lambda r: loss(r, torch.zeros_like(r), reduction="none", **options)


def of_margin(loss, **options):
    """A loss of the score m for the positive class."""
    return lambda m: loss(m, torch.ones_like(m), reduction="none", **options)


def with_rivals(z):
    """Scores of four classes, of which the first is the true one."""
    return torch.stack([z, *(torch.full_like(z, rival) for rival in (1.0, 0.0, -1.0))], -1)


def first(x):
    """Class 0 for every row."""
    return torch.zeros(len(x), dtype=torch.int64)


def of_logit(loss, *args, **options):
    """A loss of the true class's logit z beside three rivals at 1, 0 and -1."""
    return lambda z: loss(with_rivals(z), first(z), *args, reduction="none", **options)


def of_labels(loss, *labels):
    """A loss of the logit z of one of two labels that are right; the other has the logit 0."""
    return lambda z: loss(
        with_rivals(z), torch.tensor(labels).expand(len(z), 4), reduction="none"
    )  # fmt: skip


def zero_one(m):
    """Whether a score m for the class loses against a 0 for the other: no gradient."""
    scores = torch.stack([m, torch.zeros_like(m)], -1).detach()
    return F.zero_one_loss(scores, first(m), reduction="none")


def pair(p):
    """The probabilities of two classes."""
    return torch.stack([p, 1 - p], -1)


def kl(p, y):
    """KL divergence of the classes (y, 1 - y) from (p, 1 - p)."""
    return F.kl_div(pair(p).log(), pair(torch.full_like(p, y)), reduction="none").sum(-1)


def bce(y):
    """Binary cross-entropy of the probability p for the target y."""
    return lambda p: F.binary_cross_entropy(p, torch.full_like(p, y), reduction="none")


def generator(kind):
    """What the score s of a made sample costs the generator."""
    return lambda s: F.generator_loss(s, kind, reduction="none")


def critic(kind, on_real):
    """What the score s costs the discriminator, where the sample of the other sort scores 0."""

    def loss(s):
        real, fake = (s, torch.zeros_like(s)) if on_real else (torch.zeros_like(s), s)
        return F.discriminator_loss(real, fake, kind, reduction="none")

    return loss


def cosine(sign, margin=0.0):
    """Cosine embedding of unit vectors at an angle."""

    def loss(angle):
        turned = torch.stack([angle.cos(), angle.sin()], -1)
        fixed = torch.tensor([1.0, 0.0], dtype=angle.dtype).expand(len(angle), 2)
        target = torch.full((len(angle),), sign)
        return F.cosine_embedding_loss(turned, fixed, target, margin, reduction="none")

    return loss


def triplet(loss, **options):
    """A triplet loss: the anchor at 0, the positive at distance d, the negative at 1.5."""

    def of_distance(d):
        anchor, negative = torch.zeros(len(d), 1), torch.full((len(d), 1), 1.5)
        return loss(anchor, d[:, None], negative, reduction="none", **options)

    return of_distance


def contrastive(y):
    """The contrastive loss of points at distance d: y = 0 is a similar pair."""
    return lambda d: F.contrastive_loss(
        d[:, None], torch.zeros_like(d)[:, None], torch.full_like(d, y), reduction="none"
    )  # fmt: skip


def embedded(sign):
    """The hinge embedding loss of a distance."""
    return lambda d: F.hinge_embedding_loss(d, torch.full_like(d, sign), reduction="none")


def ranked(margin):
    """The margin ranking loss of a difference of two scores, of which the first should win."""
    return lambda d: F.margin_ranking_loss(
        d, torch.zeros_like(d), torch.ones_like(d), margin, reduction="none"
    )  # fmt: skip


def squared_distance(a, b):
    """The squared Euclidean distance of rows."""
    return torch.square(a - b).sum(-1)


# --- which losses -----------------------------------------------------------------------

R, M, Z = "residual r = prediction - target", "margin m = y · score", "logit of the true class"
KINDS = ("minimax", "non_saturating", "least_squares", "wasserstein")

FAMILIES = {
    "losses_regression": ("Losses of a residual", [
        Panel("Absolute and squared", R, (-3, 3), {
            "absolute": of_residual(F.l1_loss),
            "squared, mean": of_residual(F.mse_loss),
            "squared, half_sum": lambda r: F.squared_error_loss(
                r[:, None], torch.zeros_like(r)[:, None], "half_sum", reduction="none"),
            "squared, half_mean": of_residual(F.squared_error_loss, convention="half_mean"),
        }, top=5),
        Panel("Squared in the middle, absolute outside", R, (-3, 3), {
            "Huber, delta 1": of_residual(F.huber_loss),
            "Huber, delta 2": of_residual(F.huber_loss, delta=2.0),
            "smooth L1, beta 0.5": of_residual(F.smooth_l1_loss, beta=0.5),
            "log-cosh": of_residual(F.log_cosh_loss),
        }, top=4.5),
        Panel("Quantile", R, (-3, 3), {
            f"quantile {q}": of_residual(F.quantile_loss, quantile=q) for q in (0.1, 0.5, 0.9)
        }),
    ]),
    "losses_likelihood": ("Losses that are likelihoods", [
        Panel("Gaussian: the variance is the slope's divisor", R, (-3, 3), {
            f"variance {v:g}": of_residual(F.gaussian_nll_loss, var=v) for v in (0.25, 1.0, 4.0)
        }, top=5, steep=8),
        Panel("Gaussian: the variance itself, at a residual of 1", "variance", (0.1, 4), {
            "Gaussian NLL": lambda v: F.gaussian_nll_loss(
                torch.ones_like(v), torch.zeros_like(v), v, reduction="none"),
        }, top=4, steep=1.5),
        Panel("Poisson: least where the rate is the count", "log of the predicted rate", (-2, 3), {
            f"count {y}": lambda x, y=y: F.poisson_nll_loss(
                x, torch.full_like(x, y), reduction="none") for y in (1, 3, 8)
        }, top=15, steep=10),
    ]),
    "losses_margin": ("Losses of a margin: two classes", [
        Panel("Bounds of the zero-one loss", M, (-3, 3), {
            "zero-one": zero_one,
            "hinge": of_margin(F.hinge_loss),
            "squared hinge": of_margin(F.hinge_loss, p=2),
            "logistic (soft margin)": of_margin(F.soft_margin_loss),
            "BCE with logits": of_margin(F.binary_cross_entropy_with_logits),
        }, top=5),
        Panel("Focal: what is right already counts less", M, (-5, 5), {
            f"focal, gamma {g}": of_margin(F.binary_focal_loss, gamma=g) for g in (0, 1, 2, 5)
        }),
        Panel("Bi-tempered: what is far wrong is given up", M, (-10, 10), {
            f"t1 {t1:g}, t2 {t2:g}": of_margin(F.bi_tempered_binary_logistic_loss, t1=t1, t2=t2)
            for t1, t2 in ((1, 1), (0.5, 1), (1, 2), (0.5, 2), (0.2, 4))
        }, top=6),
    ]),
    "losses_multiclass": ("Losses of the true class's logit, beside rivals at 1, 0 and -1", [
        Panel("Cross-entropy and its kin", Z, (-5, 9), {
            "cross-entropy": of_logit(F.cross_entropy),
            "label smoothing 0.1": of_logit(F.cross_entropy, label_smoothing=0.1),
            "label smoothing 0.3": of_logit(F.cross_entropy, label_smoothing=0.3),
            "focal, gamma 2": of_logit(F.focal_loss),
        }),
        Panel("Margins", Z, (-3, 4), {
            "Weston-Watkins": of_logit(F.weston_watkins_loss),
            "multi margin": of_logit(F.multi_margin_loss),
            "Crammer-Singer": of_logit(F.crammer_singer_loss),
        }),
        Panel("Bi-tempered", Z, (-10, 12), {
            f"t1 {t1:g}, t2 {t2:g}": of_logit(F.bi_tempered_logistic_loss, t1, t2)
            for t1, t2 in ((1, 1), (0.8, 1.2), (0.5, 2), (0.2, 4))
        }, top=6),
        Panel("Two right labels, the other at 0", "logit of one right label", (-5, 5), {
            "multilabel margin": of_labels(F.multilabel_margin_loss, 0, 2, -1, -1),
            "multilabel soft margin": of_labels(F.multilabel_soft_margin_loss, 1, 0, 1, 0),
        }),
    ]),
    "losses_probability": ("Losses of a probability", [
        Panel("Target 1", "p of the true class", (0.005, 0.995), {
            "binary cross-entropy": bce(1.0),
            "NLL of log p": lambda p: F.nll_loss(pair(p).log(), first(p), reduction="none"),
            "squared": lambda p: F.mse_loss(p, torch.ones_like(p), reduction="none"),
        }, top=5, steep=8),
        Panel("Target 0.8", "p", (0.005, 0.995), {
            "binary cross-entropy": bce(0.8),
            "cross-entropy on probabilities": lambda p: F.cross_entropy_on_probabilities(
                pair(p), pair(torch.full_like(p, 0.8)), reduction="none"),
            "KL divergence": lambda p: kl(p, 0.8),
        }, top=4, steep=8),
    ]),
    "losses_adversarial": ("Losses of a score: a generator against a discriminator", [
        Panel("Generator", "score of a made sample", (-5, 5),
              {kind: generator(kind) for kind in KINDS}, top=8, bottom=-9, steep=4,
              legend="lower left"),
        Panel("Discriminator, real samples", "score of a real sample (a made one scores 0)",
              (-5, 5), {kind: critic(kind, on_real=True) for kind in KINDS}, top=8, steep=4),
        Panel("Discriminator, made samples", "score of a made sample (a real one scores 0)",
              (-5, 5), {kind: critic(kind, on_real=False) for kind in KINDS}, top=8, steep=4),
    ]),
    "losses_embedding": ("Losses of embeddings", [
        Panel("Cosine embedding", "angle between the vectors in radians", (0, math.pi), {
            "alike (1)": cosine(1),
            "unlike (-1)": cosine(-1),
            "unlike (-1), margin 0.5": cosine(-1, 0.5),
        }),
        Panel("Triplet: the negative at distance 1.5", "distance of the positive", (0, 2.5), {
            "triplet, margin 1": triplet(F.triplet_margin_loss),
            "triplet, margin 0.5": triplet(F.triplet_margin_loss, margin=0.5),
            "of squared distances": triplet(
                F.triplet_margin_with_distance_loss, distance_function=squared_distance),
        }, top=3),
        Panel("Pairs, margin 1", "distance of the pair", (0, 2), {
            "contrastive, alike (0)": contrastive(0.0),
            "contrastive, unlike (1)": contrastive(1.0),
            "hinge embedding, alike (1)": embedded(1.0),
            "hinge embedding, unlike (-1)": embedded(-1.0),
        }, top=3),
        Panel("Ranking", "score of the better - score of the worse", (-2, 2), {
            "margin 0": ranked(0.0),
            "margin 1": ranked(1.0),
        }),
    ]),
}  # fmt: skip

# --- pictures ---------------------------------------------------------------------------


def plot(left, right, panel, quick):
    """Values at the left, gradients at the right."""
    x = points(panel.ends, quick)
    for name, loss in panel.losses.items():
        values, slopes = curve(loss, x)
        left.plot(x, values, label=name)
        right.plot(x, [math.nan] * len(x) if slopes is None else slopes)
    style.label(left, panel.title, panel.x, "loss", panel.legend, xlim=panel.ends)
    style.label(right, "gradient", panel.x, "d loss / dx", xlim=panel.ends)
    left.set_ylim(panel.bottom, panel.top)
    if panel.steep is not None:
        right.set_ylim(-panel.steep, panel.steep)


def figures(quick=False):
    """The pictures of this topic: (name, figure) pairs."""
    for name, (title, panels) in FAMILIES.items():
        fig, axes = style.figure(len(panels), 2, width=4.8, height=2.9)
        for (left, right), panel in zip(axes, panels, strict=True):
            plot(left, right, panel, quick)
        fig.suptitle(title)
        yield name, fig


if __name__ == "__main__":
    style.draw(figures)
