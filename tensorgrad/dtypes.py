"""Dtype objects under PyTorch's names, and PyTorch's promotion rules on NumPy dtypes.

Inside the engine arrays carry NumPy dtypes; a :class:`dtype` is what users see and
pass. Promotion differs from NumPy in two ways that matter: an integer tensor meeting
a float stays at the float's width (int64 and float32 give float32, not float64), and
a zero-dimensional tensor or Python number never widens within its kind.
"""

from __future__ import annotations

import numpy as np

from .errors import UnsupportedDtypeError


class dtype:
    """An element type such as ``tensorgrad.float32``.

    Prints under PyTorch's name (``torch.float32``), so that scripts which print
    tensors or dtypes print the same under both libraries.

    Attributes:
        name: the short name, ``"float32"``.
        numpy: the NumPy dtype that stores it.
        is_floating_point, is_complex, is_signed: what kind of number it is.
        itemsize: bytes per element.
    """

    __slots__ = ("is_complex", "is_floating_point", "is_signed", "itemsize", "name", "numpy")

    def __init__(self, name: str):
        self.name, self.numpy = name, np.dtype(name)
        self.is_floating_point = self.numpy.kind == "f"
        self.is_complex = self.numpy.kind == "c"
        self.is_signed = self.numpy.kind not in "ub"
        self.itemsize = self.numpy.itemsize

    def __repr__(self):
        return f"torch.{self.name}"

    def __reduce__(self):
        return _by_name, (self.name,)


class _Absent(dtype):
    """A dtype of PyTorch that NumPy cannot store: it can be named and compared, not used."""

    __slots__ = ()

    def __init__(self, name: str, itemsize: int):
        self.name, self.itemsize = name, itemsize
        self.is_floating_point, self.is_complex, self.is_signed = True, False, True

    @property
    def numpy(self):
        """Raises UnsupportedDtypeError."""
        raise UnsupportedDtypeError(
            f"NumPy has no {self.name}; use torch.float32 (files that hold {self.name} are read "
            "as float32)"
        )

    def __reduce__(self):
        return self.name  # the object of that name in this module


def _by_name(name: str) -> dtype:
    return _OF[np.dtype(name)]


float16, float32, float64 = dtype("float16"), dtype("float32"), dtype("float64")
int8, int16, int32, int64 = dtype("int8"), dtype("int16"), dtype("int32"), dtype("int64")
uint8, uint16, uint32, uint64 = (
    dtype("uint8"), dtype("uint16"), dtype("uint32"), dtype("uint64")
)  # fmt: skip
complex64, complex128, bool_ = dtype("complex64"), dtype("complex128"), dtype("bool")
bfloat16 = _Absent("bfloat16", 2)

# PyTorch's other names for the same types; these become tensorgrad.float and so on.
ALIASES = {
    "half": float16, "float": float32, "double": float64, "cfloat": complex64,
    "cdouble": complex128, "short": int16, "int": int32, "long": int64, "bool": bool_,
}  # fmt: skip
ALL = {
    d.name: d
    for d in (
        float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64,
        complex64, complex128, bool_,
    )
}  # fmt: skip
_OF = {d.numpy: d for d in ALL.values()}
_PYTHON = {bool: bool_, int: int64, float: None, complex: None}  # None: follows the default
_KINDS = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}
_COMPLEX = {float16: complex64, float32: complex64, float64: complex128}

_default = float32


def get_default_dtype() -> dtype:
    """The dtype that Python floats become: float32 unless :func:`set_default_dtype` changed it."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the dtype that new floating-point tensors get.

    Raises:
        TypeError: ``d`` is not a floating-point dtype.
    """
    global _default
    d = of(to_numpy(d))
    if not d.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, got {d}")
    _default = d


def default_float() -> np.dtype:
    """NumPy dtype of the default floating-point type."""
    return _default.numpy


def of(d: np.dtype) -> dtype:
    """The dtype object for a NumPy dtype.

    Raises:
        TypeError: NumPy stores something tensorgrad has no type for (strings, objects, dates).
    """
    try:
        return _OF[d]
    except KeyError:
        pass
    d = np.dtype(d)
    if d.newbyteorder("=") in _OF:
        return _OF[d.newbyteorder("=")]
    raise TypeError(
        f"can't convert a NumPy array of type {d}; the supported types are: {', '.join(ALL)}"
    )


def to_numpy(d) -> np.dtype:
    """NumPy dtype for a dtype object, a NumPy dtype, a Python type, or None (the default float)."""
    if isinstance(d, dtype):
        return d.numpy
    if d is None:
        return _default.numpy
    if d in _PYTHON:
        return (_PYTHON[d] or (_default if d is float else _COMPLEX[_default])).numpy
    if isinstance(d, np.dtype) or (isinstance(d, type) and issubclass(d, np.generic)):
        return of(np.dtype(d)).numpy
    raise TypeError(f"dtype must be a tensorgrad dtype such as tensorgrad.float32, got {d!r}")


def of_scalar(value) -> np.dtype:
    """Dtype of a Python number on its own: bool, int64, the default float or complex."""
    return to_numpy(type(value))


def promote_types(a: np.dtype, b: np.dtype) -> np.dtype:
    """The smallest dtype that holds both under PyTorch's rules."""
    if a == b:
        return a
    ka, kb = _KINDS[a.kind], _KINDS[b.kind]
    if ka != kb and max(ka, kb) == 2:  # a float meeting integers keeps its own width
        return a if ka > kb else b
    if max(ka, kb) == 3 and min(ka, kb) < 2:
        return a if ka > kb else b
    return np.promote_types(a, b)


def result_type(*operands) -> np.dtype:
    """Common dtype of tensors, arrays and Python numbers.

    Operands with dimensions decide; a zero-dimensional one counts only when its kind
    (bool < integer < float < complex) is higher, and a Python number only when its kind
    is higher than both, and then as the default type of its kind.
    """
    levels: list[np.dtype | None] = [None, None, None]  # with dimensions, 0-d, Python numbers
    for x in operands:
        if isinstance(x, bool | int | float | complex) and not isinstance(x, np.generic):
            level, d = 2, of_scalar(x)
        else:
            level, d = (0 if x.ndim else 1), x.dtype
        old = levels[level]
        levels[level] = d if old is None else promote_types(old, d)
    result = None
    for d in levels:
        if d is None:
            continue
        if result is None:
            result = d
        elif _KINDS[d.kind] > _KINDS[result.kind]:
            result = _raise_kind(result, d)
    return result


def _raise_kind(low: np.dtype, high: np.dtype) -> np.dtype:
    """``high`` wins, but a complex number keeps the precision of a float tensor."""
    if high.kind == "c" and low.kind == "f":
        return np.promote_types(low, np.dtype("complex64"))
    return high


def can_cast(a: np.dtype, b: np.dtype) -> bool:
    """Whether an in-place result of dtype ``a`` may be stored as ``b``: kinds may only rise."""
    return _KINDS[a.kind] <= _KINDS[b.kind]


def holds(d: np.dtype, value: int) -> bool:
    """Whether the integer dtype ``d`` has room for ``value``."""
    bits = 8 * d.itemsize
    return 0 <= value < 1 << bits if d.kind == "u" else -1 << bits - 1 <= value < 1 << bits - 1


class finfo:
    """Limits of a floating-point dtype: ``eps, max, min, tiny, smallest_normal, bits, dtype``."""

    def __init__(self, type=None):
        d = to_numpy(type)
        if d.kind not in "fc":
            raise TypeError(f"finfo needs a floating-point dtype, got {of(d)}; use iinfo")
        info = np.finfo(d)
        self.bits, self.dtype = info.bits, of(info.dtype).name
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.smallest_normal)
        self.resolution = float(info.resolution)

    def __repr__(self):
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:
    """Limits of an integer dtype: ``max, min, bits, dtype``."""

    def __init__(self, type):
        d = to_numpy(type)
        if d.kind not in "iu":
            raise TypeError(f"iinfo needs an integer dtype, got {of(d)}; use finfo")
        info = np.iinfo(d)
        self.bits, self.dtype = info.bits, of(d).name
        self.max, self.min = int(info.max), int(info.min)

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
