"""Run one program under PyTorch and under tensorgrad, and demand the same outcome."""

import numpy as np
import pytest

import tensorgrad


def outcome(program, lib):
    """What the program returns, in plain terms, or the type of what it raises."""
    try:
        return plain(program(lib)), None
    except Exception as error:
        return None, error


def plain(value):
    """Tensors as (shape, dtype name, values), in the nesting they came in."""
    if hasattr(value, "requires_grad") and hasattr(value, "detach"):
        array = value.detach().resolve_conj().resolve_neg().numpy()  # PyTorch may only mark it
        return array.shape, array.dtype.name, array
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value


def equal(ours, theirs, rtol):
    if isinstance(theirs, np.ndarray):
        return isinstance(ours, np.ndarray) and np.allclose(
            ours, theirs, rtol=rtol, atol=rtol, equal_nan=True
        )
    if isinstance(theirs, list | tuple):
        return (
            type(ours) is type(theirs)
            and len(ours) == len(theirs)
            and all(equal(a, b, rtol) for a, b in zip(ours, theirs, strict=True))
        )
    if isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(equal(ours[k], theirs[k], rtol) for k in theirs)
    return ours == theirs and type(ours) is type(theirs)


def agree(program, rtol=1e-6):
    """The same value (shapes, dtypes, nesting), or an error of the same type."""
    torch = pytest.importorskip("torch")
    theirs, their_error = outcome(program, torch)
    ours, our_error = outcome(program, tensorgrad)
    if their_error is not None:
        kind = next(c for c in type(their_error).__mro__ if c.__module__ == "builtins")
        assert isinstance(our_error, kind), (
            f"PyTorch raised {their_error!r}, tensorgrad {our_error!r} or {ours}"
        )
        return our_error
    if our_error is not None:
        raise our_error
    assert equal(ours, theirs, rtol), f"PyTorch returned {theirs}\ntensorgrad {ours}"
    return ours
