"""What a search chooses from: the decisions that make a policy."""

from __future__ import annotations

import numpy as np

from tensorgrad.errors import ArgumentError

from .._checks import check_count
from ..operations import AUTOAUGMENT_OPERATIONS, OPERATIONS, WITHOUT_MAGNITUDE
from ..policies import AutoAugment

# Decisions that make an entry of a sub-policy: operation, probability, level.
KINDS = 3


class SearchSpace:
    """The policies that a search chooses from.

    A candidate is a row of decisions, integers from 0 on. Three of them make an entry: which
    operation, which probability and which level of magnitude; ``num_ops`` entries make a
    sub-policy, ``num_subpolicies`` of these a policy. The defaults are the paper's: 30 decisions,
    (16 * 11 * 10) ** 10 candidates.

    Args:
        operations: names, of ``operations.OPERATIONS``.
        probabilities: how many, evenly spaced from 0 to 1; a single one is 1.
        magnitudes: levels of magnitude, at least 2.
        num_ops: entries in a sub-policy.
        num_subpolicies: sub-policies in a candidate.
        levels: what the levels stand for, "paper" or "torchvision".
        interpolation: of the operations that move pixels, as for ``AutoAugment``.
        fill: what these fill in.

    Raises:
        ValueError: an unknown operation, or a number out of range.

    Source: Cubuk et al., "AutoAugment: Learning Augmentation Policies from Data", CVPR 2019.

    >>> SearchSpace().size == (16 * 11 * 10) ** 10
    True
    >>> SearchSpace(num_ops=1, num_subpolicies=2).policy([0, 10, 9, 6, 5, 0])
    [[('ShearX', 1.0, 9)], [('Invert', 0.5, None)]]
    """

    def __init__(
        self, operations=AUTOAUGMENT_OPERATIONS, probabilities: int = 11, magnitudes: int = 10,
        num_ops: int = 2, num_subpolicies: int = 5, levels: str = "paper",
        interpolation: str = "nearest", fill: float | tuple = 0.0,
    ):  # fmt: skip
        self.operations = _names(operations)
        self.probabilities = check_count(probabilities, "probabilities", 1)
        self.magnitudes = check_count(magnitudes, "magnitudes", 2)
        self.num_ops = check_count(num_ops, "num_ops", 1)
        self.num_subpolicies = check_count(num_subpolicies, "num_subpolicies", 1)
        self.levels, self.interpolation, self.fill = levels, interpolation, fill
        self.transform(self.policy(np.zeros(self.num_decisions, int)))  # checks the last three

    @property
    def sizes(self) -> tuple:
        """The number of operations, probabilities and levels."""
        return len(self.operations), self.probabilities, self.magnitudes

    @property
    def slots(self) -> int:
        """The number of entries in a policy."""
        return self.num_ops * self.num_subpolicies

    @property
    def num_decisions(self) -> int:
        """The length of a candidate."""
        return KINDS * self.slots

    @property
    def size(self) -> int:
        """The number of candidates."""
        operations, probabilities, magnitudes = self.sizes
        return (operations * probabilities * magnitudes) ** self.slots

    def choices(self) -> np.ndarray:
        """From how many each decision is, (num_decisions,)."""
        return np.tile(self.sizes, self.slots)

    def at(self, uniform) -> np.ndarray:
        """Candidates from uniform numbers in [0, 1), (n, num_decisions)."""
        return np.floor(uniform * self.choices()).astype(np.int64)

    def policy(self, candidate) -> list:
        """The sub-policies of a candidate, lists of (operation, probability, level).

        Raises:
            ValueError: not a candidate of this space.
        """
        row = np.asarray(candidate)
        fits = row.shape == (self.num_decisions,) and row.dtype.kind in "iu"
        if not fits or (row < 0).any() or (row >= self.choices()).any():
            raise ArgumentError(
                f"a candidate must be {self.num_decisions} integers from 0 on, in turns below "
                f"{', '.join(map(str, self.sizes))}; got {candidate!r}"
            )
        entries = [self._entry(*entry) for entry in row.reshape(-1, KINDS).tolist()]
        return [entries[i : i + self.num_ops] for i in range(0, self.slots, self.num_ops)]

    def _entry(self, operation, probability, level):
        name = self.operations[operation]
        share = probability / (self.probabilities - 1) if self.probabilities > 1 else 1.0
        return name, share, None if name in WITHOUT_MAGNITUDE else level

    def transform(self, policy) -> AutoAugment:
        """The transform of sub-policies as :meth:`policy` gives them."""
        return AutoAugment(policy, self.interpolation, self.fill, self.levels, self.magnitudes)

    def settings(self) -> dict:
        """The arguments, of what JSON can hold."""
        return {
            "operations": list(self.operations), "probabilities": self.probabilities,
            "magnitudes": self.magnitudes, "num_ops": self.num_ops,
            "num_subpolicies": self.num_subpolicies, "levels": self.levels,
            "interpolation": self.interpolation, "fill": np.asarray(self.fill).tolist(),
        }  # fmt: skip

    def __repr__(self):
        return f"SearchSpace({', '.join(f'{k}={v!r}' for k, v in self.settings().items())})"


def _names(operations):
    names = (operations,) if isinstance(operations, str) else tuple(operations)
    unknown = [name for name in names if name not in OPERATIONS]
    if not names or unknown or len(set(names)) < len(names):
        raise ArgumentError(
            f"operations must be different names of {', '.join(OPERATIONS)}; got {operations!r}"
        )
    return names
