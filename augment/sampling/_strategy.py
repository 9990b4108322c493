"""How many samples of each class ``sampling_strategy`` asks for."""

from __future__ import annotations

from numbers import Real

import numpy as np

from tensorgrad.errors import ArgumentError

OVER = ("auto", "minority", "not minority", "not majority", "all")
UNDER = ("auto", "majority", "not minority", "not majority", "all")


def targets(strategy, y, over: bool) -> dict:
    """Sorted classes and what each should get: samples to add (``over``) or to keep.

    Args:
        strategy: a number, a name, a dict or a function of ``y`` that returns a dict.
        y: labels, (N,).
        over: whether classes grow; else they shrink.

    Raises:
        ValueError: fewer than two classes, or a strategy that does not fit the classes.
        TypeError: a strategy of another type.
    """
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise ArgumentError(f"y should hold two classes or more, got {len(classes)}")
    have = dict(zip(classes.tolist(), counts.tolist(), strict=True))
    if isinstance(strategy, str):
        wanted = _by_name(strategy, have, over)
    elif isinstance(strategy, Real) and not isinstance(strategy, bool | np.bool_):
        wanted = _by_ratio(float(strategy), have, over)
    else:
        given = strategy(y) if callable(strategy) else strategy
        if not hasattr(given, "items"):
            raise TypeError(
                "sampling_strategy should be a number, a name, a dict of class and size, or a "
                f"function of y that returns such a dict, got {type(given).__name__}"
            )
        wanted = _by_class(given, have, over)
    return {c: wanted[c] for c in sorted(wanted)}


def _by_name(name, have, over):
    names = OVER if over else UNDER
    if name not in names:
        raise ArgumentError(
            f"sampling_strategy should be one of {', '.join(map(repr, names))} to "
            f"{'over' if over else 'under'}-sample, got {name!r}"
        )
    smallest, largest = min(have, key=have.get), max(have, key=have.get)
    if name == "auto":
        name = "not majority" if over else "not minority"
    chosen = {
        "minority": lambda c: c == smallest,
        "majority": lambda c: c == largest,
        "not minority": lambda c: c != smallest,
        "not majority": lambda c: c != largest,
        "all": lambda c: True,
    }[name]
    return {c: have[largest] - n if over else have[smallest] for c, n in have.items() if chosen(c)}


def _by_ratio(ratio, have, over):
    """Size of the smaller class over that of the larger one, of two."""
    if len(have) != 2:
        raise ArgumentError(
            f"a number as sampling_strategy needs two classes, got {len(have)}; pass a dict of "
            "class and size"
        )
    if not 0 < ratio <= 1:
        raise ArgumentError(f"sampling_strategy as a number should be in (0, 1], got {ratio:g}")
    smallest, largest = min(have, key=have.get), max(have, key=have.get)
    if over:
        small = next(c for c in have if c != largest)
        add = int(have[largest] * ratio - have[small])
        if add <= 0:
            raise ArgumentError(
                f"sampling_strategy={ratio:g} asks for {int(have[largest] * ratio)} samples of "
                f"class {small!r}, which has {have[small]}; raise it"
            )
        return {small: add}
    large = next(c for c in have if c != smallest)
    keep = int(have[smallest] / ratio)
    if keep > have[large]:
        raise ArgumentError(
            f"sampling_strategy={ratio:g} asks for {keep} samples of class {large!r}, which has "
            f"{have[large]}; raise it"
        )
    return {large: keep}


def _by_class(sizes, have, over):
    unknown = [c for c in sizes if c not in have]
    if unknown:
        raise ArgumentError(
            f"sampling_strategy names classes that y does not hold: {unknown}; it holds "
            f"{sorted(have)}"
        )
    wanted = {}
    for c, n in sizes.items():
        if not (isinstance(n, Real) and float(n).is_integer() and n >= 0):
            raise ArgumentError(f"sampling_strategy[{c!r}] should be a count, got {n!r}")
        if over and n < have[c]:
            raise ArgumentError(
                f"sampling_strategy[{c!r}] should be at least the {have[c]} samples that there "
                f"are, got {n}"
            )
        if not over and n > have[c]:
            raise ArgumentError(
                f"sampling_strategy[{c!r}] should be at most the {have[c]} samples that there "
                f"are, got {n}"
            )
        wanted[c.item() if hasattr(c, "item") else c] = int(n) - have[c] if over else int(n)
    return wanted
