"""Policies: operations drawn for each image. AutoAugment, RandAugment, TrivialAugment, AugMix.

What is drawn is a *program* for each image: the numbers of its operations in turn, and their
magnitudes with the sign. Images with the same operation at a step go through it together.
"""

from __future__ import annotations

import functools

import numpy as np

from ._checks import check_count, check_number, check_probability
from ._layout import Images
from ._pixels import parts_of, rounded, work_dtype
from ._policy_tables import POLICIES, published
from ._resample import INTERPOLATIONS, fill_of
from ._threads import blocks_of
from ._transform import Transform
from .erase import drawn_pixels
from .geometry import filling
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
                name = OPERATIONS[number]
                if name == "Identity":
                    continue
                together = np.flatnonzero(operations[:, step] == number)
                for part in self._blocks(len(together), batch):
                    rows = together[part]
                    extras = self._extras(name, batch, params, rows, step)
                    out[rows] = run_operation(name, out[rows], strengths[rows, step], extras)
        return out

    def _blocks(self, count, batch):
        """Slices of ``count`` images: a batch that is mixed was not cut into blocks before."""
        return blocks_of(count, batch[:1].size) if self.mixes else [slice(None)]

    def _extras(self, name, batch, params, rows, step):
        extras = Extras(fill=fill_of(self.fill, batch), interpolation=self.interpolation)
        if name == "Cutout":
            return extras._replace(centers=params["centers"][rows, step])
        if name == "SamplePairing":
            pool = batch if self.partners is None else self.partners
            chosen = (params["partner"][rows, step] * len(pool)).astype(int)
            return extras._replace(partners=pool[chosen].astype(batch.dtype, copy=False))
        return extras


def _check_fit(partners, batch):
    alike = (partners.dtype == np.uint8) == (batch.dtype == np.uint8)
    if alike and partners.shape[1:] == batch.shape[1:]:
        return
    raise ValueError(
        f"partners must be images (M, H, W, C) like those of the batch, {batch.dtype} "
        f"(M, {', '.join(map(str, batch.shape[1:]))}), got {partners.dtype} {partners.shape}"
    )


def _partner_images(partners):
    """Partners as an array (M, H, W, C) of what blocks hold, checked; JSON has them as lists."""
    if partners is None:
        return None
    if isinstance(partners, list):
        partners = np.asarray(partners)
        if partners.dtype.kind == "i" and partners.min() >= 0 and partners.max() <= 255:
            partners = partners.astype(np.uint8)
    images = Images(partners, "NHWC", name="partners")
    if not len(images):
        raise ValueError(f"partners must hold at least one image, got shape {images.view.shape}")
    return images.block(slice(None))


def _signed(rng, strengths, signed):
    """``strengths`` with a sign drawn for each where ``signed`` is true."""
    negative = rng.random(strengths.shape[1:]) < 0.5
    return np.where(signed & negative, -strengths, strengths)


def _tables(names, bins, shape, levels):
    """(len(names), bins) magnitudes, and (len(names),) whether they take a sign.

    Images (H, W, C) that some operation does not take are refused before it happens to be drawn.
    """
    if shape[2] not in (1, 3) and not {"Contrast", "Color"}.isdisjoint(names):
        raise ValueError(
            "a policy with Contrast or Color expects 1 (grey) or 3 (RGB) channels, got "
            f"{shape[2]} in images of shape {shape} (H, W, C)"
        )
    found = (magnitudes(name, bins, shape[:2], levels) for name in names)
    values, signed = zip(*found, strict=True)
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
        partners: images (M, H, W, C) that the operation SamplePairing mixes in, of the size of
            the batch: uint8 for uint8, floats in 0..1 for floats.

    Without ``partners``, SamplePairing takes images of the batch that it is called with. Only
    then does an image depend on what else is in the batch. A batch is then not worked on in
    blocks, but as a whole: on one thread, in some five times the batch's memory.

    Raises:
        ValueError: an unknown policy, operation or ``levels``, a probability or level out of
            range, partners of other sizes or values.
        TypeError: partners of another dtype.

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
        self.bins, self.levels = check_count(bins, "bins", 1), _check_levels(levels)
        self.policy = _checked_policy(policy, self.bins)
        self.interpolation, self.fill = _check_interpolation(interpolation), filling(fill)
        self.partners = _partner_images(partners)

    @property
    def mixes(self):
        """Whether images of the batch are mixed in."""
        return self.partners is None and "SamplePairing" in self._arrays[0]

    def subpolicies(self) -> list:
        """The policy as a list of sub-policies, each a tuple of (operation, probability, level).

        >>> len(AutoAugment("svhn").subpolicies())
        25
        """
        return published(self.policy) if isinstance(self.policy, str) else list(self.policy)

    @functools.cached_property
    def _arrays(self):
        """Names, probabilities and levels of all sub-policies, each (sub-policies, steps)."""
        entries = [list(zip(*sub, strict=True)) for sub in self.subpolicies()]
        names, probabilities, levels = (list(column) for column in zip(*entries, strict=True))
        return np.array(names), np.array(probabilities), [[k or 0 for k in row] for row in levels]

    def sample(self, n, shape, rng):
        """A program for each image; middles of Cutout and partners where they occur."""
        names, probabilities, levels = self._arrays
        unique = tuple(np.unique(names).tolist())
        place = np.searchsorted(unique, names)
        values, signed = _tables(unique, self.bins, shape, self.levels)
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

    def apply(self, batch, params):
        """Run the programs."""
        if self.partners is not None:
            _check_fit(self.partners, batch)
        return super().apply(batch, params)


def _checked_policy(policy, bins):
    """``policy`` as its name or a list of tuples; ValueError names what does not fit."""
    known = isinstance(policy, str) and policy in POLICIES
    if isinstance(policy, str) and not known:
        raise ValueError(
            f"policy must be one of {', '.join(POLICIES)} or a list of sub-policies, got {policy!r}"
        )
    given = published(policy) if known else policy
    try:
        subpolicies = [[tuple(entry) for entry in sub] for sub in given]
    except TypeError:
        raise ValueError(
            "policy must be a list of sub-policies, each a list of (operation, probability, "
            f'level) such as [("Invert", 0.5, None), ("Rotate", 0.7, 2)], got {policy!r}'
        ) from None
    if len({len(sub) for sub in subpolicies}) != 1 or not subpolicies[0]:
        raise ValueError(
            "policy must hold at least one sub-policy, all with the same number of operations, "
            f"got lengths {[len(sub) for sub in subpolicies]}"
        )
    checked = [
        tuple(_checked_entry(entry, f"policy[{i}]", bins) for entry in sub)
        for i, sub in enumerate(subpolicies)
    ]
    return policy if known else checked


def _checked_entry(entry, where, bins):
    if len(entry) != 3 or entry[0] not in OPERATIONS:
        raise ValueError(
            f"{where} must hold (operation, probability, level) with one of the operations "
            f"{', '.join(OPERATIONS)}, got {entry!r}"
        )
    name, probability, level = entry
    probability = check_probability(probability, f"the probability of {name} in {where}")
    if level is not None or name not in WITHOUT_MAGNITUDE:
        level = check_count(level, f"the level of {name} in {where}", 0, bins - 1)
    return name, probability, level


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
        self.interpolation, self.fill = _check_interpolation(interpolation), filling(fill)

    def sample(self, n, shape, rng):
        """A program for each image."""
        names = RANDAUGMENT_OPERATIONS
        values, signed = _tables(names, self.num_magnitude_bins, shape, self.levels)
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
        self.interpolation, self.fill = _check_interpolation(interpolation), filling(fill)

    def sample(self, n, shape, rng):
        """A program of one step for each image."""
        names = RANDAUGMENT_OPERATIONS
        values, signed = _tables(names, self.num_magnitude_bins, shape, self.levels)
        drawn = rng.integers(0, len(names), 1)
        level = rng.integers(0, self.num_magnitude_bins, 1)
        strengths = _signed(rng, values[drawn, level], signed[drawn])
        return {"operation": _numbers(names)[drawn], "magnitude": strengths}


class AugMix(_Policy):
    """A weighted mean of the image and of chains of operations on it; arguments as torchvision's.

    uint8 is rounded to the nearest, where torchvision truncates.

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
            check_count(chain_depth, "chain_depth other than -1", 1)
        self.alpha = check_number(alpha, "alpha", open_low=True)
        self.chain_depth, self.all_ops = chain_depth, all_ops
        self.interpolation, self.fill = _check_interpolation(interpolation), filling(fill)

    def sample(self, n, shape, rng):
        """Programs (n, chains, steps), and the weights of the image and of each chain."""
        names = (*_MOVES, *_VALUES, *(_ENHANCERS if self.all_ops else ()))
        values, signed = _tables(names, _AUGMIX_BINS, shape, self.levels)
        chains = self.mixture_width, 3 if self.chain_depth == -1 else self.chain_depth
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
