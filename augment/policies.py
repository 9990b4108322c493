"""Policies: operations drawn for each image. AutoAugment, RandAugment, TrivialAugment, AugMix.

What is drawn is a *program* for each image: the numbers of its operations in turn, and their
magnitudes with the sign. Images with the same operation at a step go through it together.
"""

from __future__ import annotations

import numpy as np

from ._checks import check_count, check_probability
from ._pixels import parts_of, rounded, work_dtype
from ._policy_tables import POLICIES, published
from ._resample import INTERPOLATIONS, fill_of
from ._transform import Transform
from .erase import drawn_pixels
from .operations import OPERATIONS, WITHOUT_MAGNITUDE, Extras, magnitudes, run_operation

__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide"]


class AutoAugmentPolicy:
    """The names of the published policies, as torchvision has them.

    >>> AutoAugmentPolicy.CIFAR10
    'cifar10'
    """

    IMAGENET, CIFAR10, SVHN = POLICIES


_AUGMIX_BINS = 10
# The operations of RandAugment, TrivialAugmentWide and AugMix, in torchvision's order.
_MOVES = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
_ENHANCERS = ("Brightness", "Color", "Contrast", "Sharpness")
_VALUES = ("Posterize", "Solarize", "AutoContrast", "Equalize")
RANDAUGMENT_OPERATIONS = ("Identity", *_MOVES, *_ENHANCERS, *_VALUES)


class _Policy(Transform):
    """The base: subclasses draw programs, ``operation`` and ``magnitude`` of shape (n, steps)."""

    levels = "torchvision"
    interpolation = "nearest"
    fill: float | tuple = 0.0
    partners = None

    def apply(self, batch, params):
        """Run the programs."""
        return self._run(batch, params, params["operation"], params["magnitude"])

    def _run(self, batch, params, operations, strengths):
        out = batch.copy()
        for step in range(operations.shape[1]):
            for number in np.unique(operations[:, step]):
                if OPERATIONS[number] == "Identity":
                    continue
                rows = np.flatnonzero(operations[:, step] == number)
                extras = self._extras(batch, params, rows, step)
                strength = strengths[rows, step]
                out[rows] = run_operation(OPERATIONS[number], out[rows], strength, extras)
        return out

    def _extras(self, batch, params, rows, step):
        centers = params["centers"][rows, step] if "centers" in params else None
        partners, fill = None, fill_of(self.fill, batch)
        if "partner" in params:
            pool = batch if self.partners is None else self._pool(batch)
            partners = pool[(params["partner"][rows, step] * len(pool)).astype(int)]
        return Extras(centers, partners, fill, self.interpolation)

    def _pool(self, batch):
        """The given partners, checked."""
        kept = isinstance(self.partners, np.ndarray)
        pool = np.asarray(self.partners, None if kept else batch.dtype)
        if pool.shape[1:] != batch.shape[1:] or pool.dtype != batch.dtype or not len(pool):
            raise ValueError(
                f"partners must be images (M, H, W, C) like those of the batch, {batch.dtype} "
                f"(M, {', '.join(map(str, batch.shape[1:]))}), got {pool.dtype} {pool.shape}"
            )
        return pool


def _signed(rng, strengths, signed):
    """``strengths`` with a sign drawn for each where ``signed`` is true."""
    negative = rng.random(strengths.shape[1:]) < 0.5
    return np.where(signed & negative, -strengths, strengths)


def _tables(names, bins, size, levels):
    """(len(names), bins) magnitudes, and (len(names),) whether they take a sign."""
    values, signed = zip(*(magnitudes(name, bins, size, levels) for name in names), strict=True)
    return np.array(values), np.array(signed)


def _numbers(names):
    return np.array([OPERATIONS.index(name) for name in names])


class AutoAugment(_Policy):
    """One sub-policy for each image: its operations in turn, each with its probability.

    Args:
        policy: "imagenet", "cifar10" or "svhn", the published 25 sub-policies; or a list of
            sub-policies of your own. A sub-policy is a list of (operation, probability, level),
            as many in each (the paper has two); the level is an index from 0 to ``bins - 1``, or
            None for an operation without magnitude. The sixteen operations are
            ``operations.AUTOAUGMENT_OPERATIONS``.
        interpolation: of the operations that move pixels, "nearest", "bilinear" or "bicubic".
        fill: what these fill in, a number or one for each channel; 0..255 for uint8, 0..1 for
            floats.
        levels: the magnitudes that levels stand for, "torchvision" or "paper"; see
            :mod:`tensorgrad.augment.operations`.
        bins: the number of levels.
        partners: images (M, H, W, C) that the operation SamplePairing mixes in, of the size and
            dtype of the batch; floats in 0..1.

    Without ``partners``, SamplePairing takes the images that it is given with: those of the
    batch, or of a block of it, where the batch is large. Only then does an image depend on what
    else is in the batch.

    Raises:
        ValueError: an unknown policy, operation or ``levels``, a probability or level out of
            range.

    Source: Cubuk et al., "AutoAugment: Learning Augmentation Policies from Data", CVPR 2019.
    In their use for CIFAR and SVHN, Cutout follows the policy.

    >>> policy = AutoAugment([[("Invert", 1.0, None), ("Brightness", 0.0, 9)]])
    >>> policy(np.array([[0, 100, 255]], np.uint8)).tolist()
    [[255, 155, 0]]
    """

    def __init__(
        self, policy="imagenet", interpolation: str = "nearest", fill: float | tuple = 0.0,
        levels: str = "torchvision", bins: int = 10, partners=None,
    ):  # fmt: skip
        self.policy = policy
        self.interpolation, self.fill = _check_interpolation(interpolation), fill
        self.levels, self.bins, self.partners = _check_levels(levels), bins, partners
        self.subpolicies()

    def subpolicies(self) -> list:
        """The policy as a list of sub-policies, each a tuple of (operation, probability, level).

        >>> len(AutoAugment("svhn").subpolicies())
        25
        """
        if isinstance(self.policy, str):
            if self.policy not in POLICIES:
                raise ValueError(
                    f"policy must be one of {', '.join(POLICIES)} or a list of sub-policies, got "
                    f"{self.policy!r}"
                )
            return published(self.policy)
        return _checked_policy(self.policy, self.bins)

    def _arrays(self):
        """Names, probabilities and levels of all sub-policies, each (sub-policies, steps)."""
        entries = [list(zip(*sub, strict=True)) for sub in self.subpolicies()]
        names, probabilities, levels = (list(column) for column in zip(*entries, strict=True))
        return np.array(names), np.array(probabilities), [[k or 0 for k in row] for row in levels]

    def sample(self, n, shape, rng):
        """A program for each image; middles of Cutout and partners where they occur."""
        names, probabilities, levels = self._arrays()
        unique = tuple(np.unique(names).tolist())
        place = np.searchsorted(unique, names)
        values, signed = _tables(unique, self.bins, shape[:2], self.levels)
        chosen = rng.choice(len(names))
        steps = names.shape[1]
        on = rng.random(steps) < probabilities[chosen]
        strengths = values[place, levels][chosen]
        operation = np.where(on, _numbers(unique)[place][chosen], 0)
        params = {
            "operation": operation,
            "magnitude": _signed(rng, strengths, signed[place][chosen]),
        }
        if "Cutout" in unique:
            params["centers"] = drawn_pixels(rng, shape, steps)
        if "SamplePairing" in unique:
            params["partner"] = rng.random(steps)
        return params


def _checked_policy(policy, bins):
    """``policy`` as a list of tuples; ValueError names what does not fit."""
    subpolicies = [tuple(tuple(entry) for entry in sub) for sub in policy]
    if not subpolicies or len({len(sub) for sub in subpolicies}) != 1 or not subpolicies[0]:
        raise ValueError(
            "policy must hold at least one sub-policy, all with the same number of operations, "
            f"got lengths {[len(sub) for sub in subpolicies]}"
        )
    for i, sub in enumerate(subpolicies):
        for entry in sub:
            _check_entry(entry, f"policy[{i}]", bins)
    return subpolicies


def _check_entry(entry, where, bins):
    if len(entry) != 3 or entry[0] not in OPERATIONS:
        raise ValueError(
            f"{where} must hold (operation, probability, level) with one of the operations "
            f"{', '.join(OPERATIONS)}, got {entry!r}"
        )
    name, probability, level = entry
    check_probability(probability, f"the probability of {name} in {where}")
    if level is None and name in WITHOUT_MAGNITUDE:
        return
    if level is None or int(level) != level or not 0 <= level < bins:
        raise ValueError(
            f"the level of {name} in {where} must be an integer from 0 to {bins - 1}, got {level!r}"
        )


def _check_levels(levels):
    if levels in ("torchvision", "paper"):
        return levels
    raise ValueError(f'levels must be "torchvision" or "paper", got {levels!r}')


def _check_interpolation(interpolation):
    if interpolation in INTERPOLATIONS:
        return interpolation
    raise ValueError(
        f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {interpolation!r}"
    )


class RandAugment(_Policy):
    """Some operations for each image, all of one magnitude; arguments as torchvision's.

    Args:
        num_ops: how many, drawn from fourteen with equal chances.
        magnitude: the level of all of them, from 0 to ``num_magnitude_bins - 1``.
        num_magnitude_bins: the number of levels.
        interpolation: of the operations that move pixels, "nearest", "bilinear" or "bicubic".
        fill: what these fill in, a number or one for each channel.

    Raises:
        ValueError: a number out of range.

    Source: Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced
    search space", NeurIPS 2020.

    >>> RandAugment(magnitude=5)(np.zeros((4, 3, 8, 8), np.uint8)).shape
    (4, 3, 8, 8)
    """

    def __init__(
        self, num_ops: int = 2, magnitude: int = 9, num_magnitude_bins: int = 31,
        interpolation: str = "nearest", fill: float | tuple = 0.0,
    ):  # fmt: skip
        self.num_ops = check_count(num_ops, "num_ops", 1)
        self.num_magnitude_bins = check_count(num_magnitude_bins, "num_magnitude_bins", 2)
        self.magnitude = check_count(magnitude, "magnitude", 0, num_magnitude_bins - 1)
        self.interpolation, self.fill = _check_interpolation(interpolation), fill

    def sample(self, n, shape, rng):
        """A program for each image."""
        names = RANDAUGMENT_OPERATIONS
        values, signed = _tables(names, self.num_magnitude_bins, shape[:2], self.levels)
        drawn = rng.integers(0, len(names), self.num_ops)
        strengths = _signed(rng, values[drawn, self.magnitude], signed[drawn])
        return {"operation": _numbers(names)[drawn], "magnitude": strengths}


class TrivialAugmentWide(_Policy):
    """One operation for each image, at a level drawn for it; arguments as torchvision's.

    Args:
        num_magnitude_bins: the number of levels. They reach further than AutoAugment's, see
            :mod:`tensorgrad.augment.operations`.
        interpolation: of the operations that move pixels, "nearest", "bilinear" or "bicubic".
        fill: what these fill in, a number or one for each channel.

    Raises:
        ValueError: a number out of range.

    Source: Müller and Hutter, "TrivialAugment: Tuning-free Yet State-of-the-Art Data
    Augmentation", ICCV 2021.

    >>> TrivialAugmentWide()(np.zeros((4, 3, 8, 8), np.uint8)).shape
    (4, 3, 8, 8)
    """

    levels = "wide"

    def __init__(
        self, num_magnitude_bins: int = 31, interpolation: str = "nearest",
        fill: float | tuple = 0.0,
    ):  # fmt: skip
        self.num_magnitude_bins = check_count(num_magnitude_bins, "num_magnitude_bins", 2)
        self.interpolation, self.fill = _check_interpolation(interpolation), fill

    def sample(self, n, shape, rng):
        """A program of one step for each image."""
        names = RANDAUGMENT_OPERATIONS
        values, signed = _tables(names, self.num_magnitude_bins, shape[:2], self.levels)
        drawn = rng.integers(0, len(names), 1)
        level = rng.integers(0, self.num_magnitude_bins, 1)
        strengths = _signed(rng, values[drawn, level], signed[drawn])
        return {"operation": _numbers(names)[drawn], "magnitude": strengths}


class AugMix(_Policy):
    """A weighted mean of the image and of chains of operations on it; arguments as torchvision's.

    Args:
        severity: levels are drawn from the lowest ``severity`` of 10.
        mixture_width: the number of chains.
        chain_depth: operations in each; -1 draws 1 to 3 for each chain.
        alpha: of the Dirichlet distributions of the weights.
        all_ops: whether Brightness, Color, Contrast and Sharpness may occur, which the tests of
            corruption robustness leave out.
        interpolation: of the operations that move pixels, "nearest", "bilinear" or "bicubic".
        fill: what these fill in, a number or one for each channel.

    Raises:
        ValueError: a number out of range.

    Source: Hendrycks et al., "AugMix: A Simple Data Processing Method to Improve Robustness and
    Uncertainty", ICLR 2020. Its loss of consistency is not part of this.

    >>> AugMix()(np.full((2, 3, 8, 8), 0.5)).shape
    (2, 3, 8, 8)
    """

    levels = "augmix"

    def __init__(
        self, severity: int = 3, mixture_width: int = 3, chain_depth: int = -1,
        alpha: float = 1.0, all_ops: bool = True, interpolation: str = "bilinear",
        fill: float | tuple = 0.0,
    ):  # fmt: skip
        self.severity = check_count(severity, "severity", 1, _AUGMIX_BINS)
        self.mixture_width = check_count(mixture_width, "mixture_width", 1)
        if chain_depth != -1:
            check_count(chain_depth, "chain_depth", 1)
        if not 0 < alpha < np.inf:
            raise ValueError(f"alpha must be a number above 0, got {alpha!r}")
        self.chain_depth, self.alpha, self.all_ops = chain_depth, alpha, all_ops
        self.interpolation, self.fill = _check_interpolation(interpolation), fill

    def sample(self, n, shape, rng):
        """Programs (n, chains, steps), and the weights of the image and of each chain."""
        names = (*_MOVES, *_VALUES, *(_ENHANCERS if self.all_ops else ()))
        values, signed = _tables(names, _AUGMIX_BINS, shape[:2], self.levels)
        chains = self.mixture_width, max(self.chain_depth, 3 if self.chain_depth == -1 else 1)
        drawn = rng.integers(0, len(names), chains)
        level = rng.integers(0, self.severity, chains)
        strengths = _signed(rng, values[drawn, level], signed[drawn])
        operation = _numbers(names)[drawn]
        if self.chain_depth == -1:
            depth = rng.integers(1, 4, self.mixture_width)
            operation = np.where(np.arange(3) < depth[..., None], operation, 0)
        mixed = rng.beta(self.alpha, self.alpha)[:, None]
        weights = rng.dirichlet(self.alpha, self.mixture_width) * mixed
        return {
            "operation": operation, "magnitude": strengths,
            "weights": np.concatenate([1 - mixed, weights], axis=1),
        }  # fmt: skip

    def apply(self, batch, params):
        """Run each chain, and take the mean."""
        weights = params["weights"].astype(work_dtype(batch))[..., None, None, None]
        mixed, out = batch * weights[:, 0], np.empty_like(batch)
        for chain in range(self.mixture_width):
            programs = params["operation"][:, chain], params["magnitude"][:, chain]
            ran = self._run(batch, params, *programs)
            for part in parts_of(batch.shape):
                mixed[part] += ran[part] * weights[part[0], chain + 1]
        for part in parts_of(batch.shape):
            out[part] = rounded(mixed[part], batch.dtype)
        return out
