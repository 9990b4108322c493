"""The exceptions that tensorgrad raises on purpose.

Each is a subclass of the type that PyTorch raises in the same place, so that
``except RuntimeError`` in a script keeps working, and each message says what was
got, what was expected and what to do next.
"""

from __future__ import annotations


class GraphError(RuntimeError):
    """The tape cannot be walked: never recorded, already freed, or stale."""


class ShapeError(RuntimeError):
    """Shapes that an operation cannot combine."""


class DtypeError(RuntimeError):
    """Dtypes that an operation cannot combine or convert."""


class UnsupportedDtypeError(DtypeError, NotImplementedError):
    """A dtype that an operation has no meaning for."""


class DimError(IndexError):
    """A dimension outside the range of the tensor it is meant for."""


class ArgumentError(ValueError):
    """An argument outside its documented range."""


class NoDeviceError(AssertionError, RuntimeError):
    """A device that is not there: PyTorch without CUDA raises AssertionError, with it the other."""


class LinAlgError(RuntimeError):
    """A matrix that the computation has no answer for: singular, or not positive-definite."""


class MissingDependencyError(ImportError):
    """An optional package is needed and not installed."""


def missing(package: str, extra: str, purpose: str) -> MissingDependencyError:
    """The error for an optional ``package`` that is absent, naming the extra that brings it."""
    return MissingDependencyError(
        f"{purpose} needs {package}, which is not installed; "
        f'run: pip install "tensorgrad[{extra}]"'
    )


def describe(value) -> str:
    """Shape and dtype of one argument, for messages: ``(2, 3) float32``."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None:
        return repr(value) if isinstance(value, bool | int | float | None) else type(value).__name__
    return f"{tuple(shape)} {str(dtype).removeprefix('torch.')}"


def explain(name: str, inputs: dict, attrs: dict, error: Exception) -> Exception:
    """Turn what NumPy raised inside op ``name`` into the error PyTorch's users expect.

    NumPy reports a bad axis as ``AxisError`` and everything about shapes as
    ``ValueError``; PyTorch raises ``IndexError`` and ``RuntimeError``. Errors raised
    on purpose (the classes above, or any other type) pass through unchanged.
    """
    got = ", ".join(
        [f"{k} {describe(v)}" for k, v in inputs.items()]
        + [f"{k}={v!r}" for k, v in attrs.items() if not hasattr(v, "shape")]
    )
    text = str(error).strip().rstrip(".")
    if isinstance(error, IndexError) and type(error).__name__ == "AxisError":
        return DimError(f"{name}: dimension out of range: {text}; got {got}")
    if _is_dtype_complaint(error, text) and all(map(_is_numeric, inputs.values())):
        return UnsupportedDtypeError(f"{name}: not implemented for these dtypes: {text}; got {got}")
    if type(error) is ValueError:
        return ShapeError(f"{name}: {text}; got {got}")
    return error


def _is_dtype_complaint(error, text) -> bool:
    return isinstance(error, TypeError) and text.startswith(
        ("ufunc ", "numpy boolean", "The numpy boolean")
    )


def _is_numeric(value) -> bool:
    return hasattr(value, "dtype") or isinstance(value, bool | int | float | complex)
