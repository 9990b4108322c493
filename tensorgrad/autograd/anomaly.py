"""Anomaly mode: find the line of the forward pass that a NaN or a changed value goes back to."""

from __future__ import annotations

import sys
import warnings

import numpy as np

from .. import _graph

__all__ = [
    "detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "set_anomaly_enabled",
    "set_detect_anomaly",
]  # fmt: skip

_PACKAGE = __name__.partition(".")[0]


class Watcher:
    """What the engine consults in anomaly mode.

    Args:
        check_nan: whether a gradient with a NaN is an error.
    """

    def __init__(self, check_nan: bool):
        self.check_nan = check_nan

    def user_line(self) -> str:
        """Where the caller's own code stands: ``"train.py:12, in step"``."""
        frame = sys._getframe(1)
        while frame.f_back is not None and _is_ours(frame):
            frame = frame.f_back
        code = frame.f_code
        return f"{code.co_filename}:{frame.f_lineno}, in {code.co_name}"

    def check(self, node, gradients) -> None:
        """Refuse a NaN among the gradients that ``node`` computed.

        Raises:
            RuntimeError: there is one.
        """
        if not self.check_nan:
            return
        for i, g in enumerate(gradients):
            array = getattr(g, "_array", g)
            if isinstance(array, np.ndarray | np.generic) and np.isnan(array).any():
                raise RuntimeError(
                    f"Function {node.name()!r} returned nan values in its {i}th output: "
                    f"{int(np.isnan(array).sum())} of {array.size} in the gradient, of shape "
                    f"{array.shape}, of an input of {node.plan.op.name}; {described(node)}"
                )


def _is_ours(frame) -> bool:
    module = frame.f_globals.get("__name__", "")
    return module == _PACKAGE or module.startswith(_PACKAGE + ".")


def described(node) -> str:
    """What a node was recorded for and where: shapes of what it saved, and the user's line."""
    saved = ", ".join(
        f"{name} {value.shape}"
        for name, value in zip(node.plan.slots, node.saved or (), strict=False)
        if isinstance(value, np.ndarray)
    )
    where = node.trace or "a line outside anomaly mode"
    return f"the op gave shape {node._shape}{f' and saved {saved}' if saved else ''} at {where}"


class set_detect_anomaly:
    """Switch anomaly mode: a plain call or a context manager. It holds for all threads.

    In anomaly mode each recorded operation remembers the line of your code that ran it. A NaN
    that appears in backward raises, naming the operation and that line; so does a value that
    was changed in place although backward needs it, with the line of the change too. This
    costs several times the usual time per operation.

    Args:
        mode: True to switch it on.
        check_nan: whether a NaN gradient raises.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([0.0], requires_grad=True)
    >>> with tensorgrad.autograd.set_detect_anomaly(True):
    ...     y = x.sqrt() * 0
    ...     y.backward()
    Traceback (most recent call last):
    RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output: ...
    """

    def __init__(self, mode: bool, check_nan: bool = True):
        self._before = _graph.anomaly
        self._watcher = Watcher(check_nan) if mode else None
        _graph.set_anomaly(self._watcher)

    def __enter__(self):
        _graph.set_anomaly(self._watcher)

    def __exit__(self, *error):
        _graph.set_anomaly(self._before)


class detect_anomaly(set_detect_anomaly):
    """Anomaly mode for a ``with`` block, see :class:`set_detect_anomaly`.

    Args:
        check_nan: whether a NaN gradient raises.

    Warns:
        UserWarning: always, as the mode is slow.
    """

    def __init__(self, check_nan: bool = True):
        self._before = _graph.anomaly
        self._watcher = Watcher(check_nan)
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should "
            "only be enabled for debugging.",
            stacklevel=2,
        )

    def __enter__(self):
        self._before = _graph.anomaly
        super().__enter__()


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on."""
    return _graph.anomaly is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode is on and looks for NaN."""
    return _graph.anomaly is not None and _graph.anomaly.check_nan


def set_anomaly_enabled(enabled: bool, check_nan: bool = True) -> None:
    """Switch anomaly mode, as a plain call of :class:`set_detect_anomaly` does."""
    set_detect_anomaly(enabled, check_nan)
