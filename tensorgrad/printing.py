"""How tensors print: the text of ``repr(tensor)``, character for character as PyTorch writes it.

Everything here works on plain arrays, so that the engine can import it from below. One number
format is chosen for the whole tensor (fixed point, whole numbers, or scientific), from the values
that will be shown; all cells then have the same width.
"""

import math
import numbers
from typing import Any, NamedTuple

import numpy as np

from . import dtypes

__all__ = ["format_tensor", "get_printoptions", "set_printoptions"]


class _Options(NamedTuple):
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": _Options(),
    "short": _Options(precision=2, edgeitems=2),
    "full": _Options(threshold=math.inf),
}
_options = _PROFILES["default"]


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors print, in all threads, from now on.

    Args:
        precision: digits after the point of a floating-point number, at least 0. Default 4.
        threshold: a tensor of more elements than this is summarised with ``...``; ``math.inf``
            prints every element. Default 1000.
        edgeitems: elements shown at each end of a summarised dimension. Default 3.
        linewidth: columns of a line; longer rows are wrapped. Default 80.
        profile: set all of the above first: ``"default"``, ``"short"`` (precision 2, edgeitems 2)
            or ``"full"`` (nothing is summarised).
        sci_mode: True for scientific notation, False for fixed point. None (the default) chooses
            by the values: scientific when the largest magnitude is over 1e8, the smallest nonzero
            one is under 1e-4, or their ratio is over 1000. As in PyTorch, every call sets this
            one, so a call that does not mention it goes back to choosing by the values.

    Raises:
        TypeError: an option is not a number.
        ValueError: an option is negative, or the profile is unknown. Nothing is changed then.

    >>> import tensorgrad as torch
    >>> torch.set_printoptions(precision=2)
    >>> torch.tensor([3.14159])
    tensor([3.14])
    >>> torch.set_printoptions(profile="default")
    """
    global _options
    if profile is not None and profile not in _PROFILES:
        raise ValueError(f"profile should be one of {', '.join(_PROFILES)}, got {profile!r}")
    given: dict[str, Any] = dict(
        precision=precision, threshold=threshold, edgeitems=edgeitems, linewidth=linewidth
    )
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        _check_option(name, value)
    base = _options if profile is None else _PROFILES[profile]
    _options = base._replace(**given, sci_mode=sci_mode)


def _check_option(name, value):
    kind = numbers.Real if name == "threshold" else numbers.Integral
    if not isinstance(value, kind):
        wanted = "a number" if name == "threshold" else "an integer"
        raise TypeError(f"{name} should be {wanted}, got {value!r}")
    if not value >= 0:
        raise ValueError(f"{name} should be at least 0, got {value!r}")


def get_printoptions() -> dict[str, Any]:
    """Return the options in force, as a dict that ``set_printoptions(**options)`` takes back.

    >>> get_printoptions()["precision"]
    4
    """
    return _options._asdict()


def format_tensor(
    array: np.ndarray,
    *,
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    prefix: str = "tensor(",
) -> str:
    """Return the text of ``repr(tensor)`` for a tensor that holds ``array``.

    Args:
        array: ndarray of any shape and any numeric or boolean dtype. The dtype is written unless
            it is int64, bool, or the default floating-point type or its complex partner; in an
            empty tensor only the default floating-point type goes without saying.
        requires_grad: write ``requires_grad=True``, unless there is a ``grad_fn_name``.
        grad_fn_name: name of the node that made the tensor, such as ``"AddBackward0"``.
        prefix: what stands before the brackets; a subclass puts its own name there.

    >>> import numpy as np
    >>> print(format_tensor(np.array([[1.0, -2.5], [0.0, 4.0]]), requires_grad=True))
    tensor([[ 1.0000, -2.5000],
            [ 0.0000,  4.0000]], dtype=torch.float64, requires_grad=True)
    """
    suffixes = []
    unnamed_dtypes = [dtypes.default_float()]
    if array.size == 0:
        body = "[]"
    else:
        body = _body(array, len(prefix))
        unnamed_dtypes += [dtypes.to_numpy(kind) for kind in (complex, int, bool)]
    if (array.size == 0 and array.ndim != 1) or (array.size and _options.edgeitems == 0):
        suffixes.append(f"size={array.shape}")
    if array.dtype not in unnamed_dtypes:
        suffixes.append(f"dtype={dtypes.of(array.dtype)}")
    if grad_fn_name is not None:
        suffixes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    return _append(prefix + body, suffixes, len(prefix)) + ")"


def _append(text, suffixes, indent):
    """Add ``suffixes`` behind commas, on a new line where the current one would be too long."""
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text


def _body(array, indent):
    edge = _options.edgeitems if array.size > _options.threshold else None
    cell, width = _cell_format(array if edge is None else _edges(array, edge))
    return _block(array, indent, edge, cell, width)


def _edges(array, edge):
    """Return the part of ``array`` that a summary shows."""
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            ends = [*range(edge), *range(size - edge, size)]
            array = array.take(ends, axis)
    return array


def _block(array, indent, edge, cell, width):
    """Write ``array`` in brackets that open in column ``indent``, in full if ``edge`` is None."""
    if array.ndim == 0:
        return cell(array.item())
    if edge is None or len(array) <= 2 * edge:
        parts = [array]
    else:
        parts = [array[:edge], array[len(array) - edge :]]
    if array.ndim == 1:
        groups = [[cell(value) for value in part.tolist()] for part in parts]
        ellipsis = " ..." if edge else "..."
    else:
        groups = [[_block(row, indent + 1, edge, cell, width) for row in part] for part in parts]
        ellipsis = "..."
    items = groups[0] if len(groups) == 1 else [*groups[0], ellipsis, *groups[1]]
    newline = "\n" + " " * (indent + 1)
    if array.ndim > 1:
        return "[" + ("," + "\n" * (array.ndim - 2) + newline).join(items) + "]"
    per_line = max(1, (_options.linewidth - indent) // (width + 2))
    lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
    return "[" + ("," + newline).join(lines) + "]"


def _cell_format(values):
    """Return how to write one element, and in how many columns, judging by all of ``values``."""
    if values.dtype.kind == "c":
        return _complex_format(values)
    if values.dtype.kind == "f":
        return _float_format(values)
    width = max((len(str(value)) for value in values.ravel().tolist()), default=1)
    return (lambda value: str(value).rjust(width)), width


def _float_format(values):
    """Return the cell format of floats; nan, inf and zero have no say in it."""
    shown = values[np.isfinite(values) & (values != 0)]
    whole, scientific, width = True, False, 1
    if shown.size:
        magnitude = np.abs(shown.astype(np.float64))
        whole = bool((shown == np.ceil(shown)).all())
        scientific = _options.sci_mode
        if scientific is None:
            scientific = _is_wide(float(magnitude.min()), float(magnitude.max()))
    point = "." if whole and not scientific else ""
    if scientific:
        spec = f".{_options.precision}e"
    else:
        spec = ".0f" if whole else f".{_options.precision}f"
    if shown.size:
        width = max(len(format(value, spec)) for value in shown.tolist()) + len(point)

    def cell(value):
        text = format(value, spec)
        return (text + point if math.isfinite(value) else text).rjust(width)

    return cell, width


def _is_wide(smallest, largest):
    """Whether magnitudes from ``smallest`` to ``largest`` read better in scientific notation."""
    return largest / smallest > 1000.0 or largest > 1.0e8 or smallest < 1.0e-4


def _complex_format(values):
    """Return the cell format of complex numbers: each part has its own number format."""
    real, real_width = _float_format(values.real)
    imag, imag_width = _float_format(values.imag)

    def cell(value):
        tail = imag(value.imag).lstrip() + "j"
        sign = "" if tail.startswith(("+", "-")) else "+"
        return real(value.real) + sign + tail

    return cell, real_width + imag_width + 1
