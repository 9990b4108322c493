"""Switches for recording: ``no_grad``, ``enable_grad``, ``set_grad_enabled``, ``inference_mode``.

Each holds for the thread that enters it, restores what was before on the way out (also when
an exception passes), nests in itself and in the others, and decorates functions, methods and
generators::

    with torch.no_grad():
        weight -= 0.1 * weight.grad


    @torch.no_grad()
    def evaluate(model, data): ...
"""

from __future__ import annotations

import functools
import inspect

from .. import _graph
from .._graph import set_recording

__all__ = [
    "enable_grad", "inference_mode", "is_grad_enabled", "is_inference_mode_enabled", "no_grad",
    "set_grad_enabled",
]  # fmt: skip


def is_grad_enabled() -> bool:
    """Whether operations in this thread are recorded for backward.

    >>> import tensorgrad
    >>> with tensorgrad.no_grad():
    ...     tensorgrad.is_grad_enabled()
    False
    """
    return _graph.is_recording()


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside :class:`inference_mode`."""
    return _graph.mode.inference


class _Switch:
    """A context manager that is also a decorator.

    An instance may be entered again while it is active. Threads should not share an instance;
    those that share a decorated function do not, as each call makes its own.
    """

    def __init__(self):
        self._before = []

    def _again(self):
        """A new switch of the same setting."""
        return type(self)()

    def __call__(self, function):
        """Decorate ``function``: it runs under this switch, a generator at each step."""
        if inspect.isclass(function) or not callable(function):
            raise TypeError(
                f"{type(self).__name__} decorates functions and methods, got {function!r}; "
                "to cover a class, decorate its methods"
            )
        again = self._again
        if inspect.isgeneratorfunction(function):
            return _each_step(function, again)

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            with again():
                return function(*args, **kwargs)

        return wrapper


def _each_step(function, switch):
    """The generator function with each of its steps, and no code of its caller, under a switch."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        generator = function(*args, **kwargs)
        step, value = generator.send, None
        while True:
            try:
                with switch():
                    result = step(value)
            except StopIteration as stop:
                return stop.value
            try:
                step, value = generator.send, (yield result)
            except GeneratorExit:
                with switch():
                    generator.close()
                raise
            except BaseException as error:
                step, value = generator.throw, error

    return wrapper


class _Fixed(_Switch):
    """A switch to one setting; usable as a decorator without parentheses."""

    _on: bool

    def __new__(cls, function=None):
        """The switch, or ``function`` decorated with it."""
        self = object.__new__(cls)
        if function is None:
            return self
        self._before = []
        return self(function)

    def __init__(self, function=None):
        super().__init__()

    def __enter__(self):
        self._before.append(set_recording(self._on))

    def __exit__(self, *error):
        set_recording(self._before.pop())


class no_grad(_Fixed):
    """Do not record: results do not require grad, whatever they are computed from.

    A context manager and a decorator (``@no_grad()`` or ``@no_grad``).

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0], requires_grad=True)
    >>> with tensorgrad.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    _on = False


class enable_grad(_Fixed):
    """Record, inside a :class:`no_grad` too. A context manager and a decorator.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0], requires_grad=True)
    >>> with tensorgrad.no_grad(), tensorgrad.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """

    _on = True


class set_grad_enabled(_Switch):
    """Record or not, by ``mode``: as a plain call, a context manager or a decorator.

    A plain call holds until the next; under ``with`` the earlier setting comes back.

    Args:
        mode: True to record.

    Raises:
        TypeError: ``mode`` is not a bool.

    >>> import tensorgrad
    >>> with tensorgrad.set_grad_enabled(False):
    ...     tensorgrad.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool):
        super().__init__()
        if not isinstance(mode, bool):
            raise TypeError(
                "set_grad_enabled(): argument 'enabled' (position 1) must be bool, not "
                f"{type(mode).__name__}"
            )
        self.mode = mode
        self._called = [set_recording(mode)]  # what the first `with` goes back to

    def _again(self):
        return set_grad_enabled(self.mode)

    def __call__(self, function):
        """Decorate ``function``; unlike a plain call, that leaves the caller's setting alone."""
        if self._called:
            set_recording(self._called.pop())
        return super().__call__(function)

    def __enter__(self):
        now = set_recording(self.mode)
        self._before.append(self._called.pop() if self._called else now)

    def __exit__(self, *error):
        set_recording(self._before.pop())

    def __repr__(self):
        return f"set_grad_enabled(mode={self.mode})"


class inference_mode(_Switch):
    """Do not record, as :class:`no_grad`, and report it by :func:`is_inference_mode_enabled`.

    In PyTorch tensors made here can never be recorded later. Here they are ordinary tensors,
    and an :class:`enable_grad` inside switches recording back on.

    Args:
        mode: False for the opposite: outside inference mode, recording.

    >>> import tensorgrad
    >>> x = tensorgrad.tensor([1.0], requires_grad=True)
    >>> with tensorgrad.inference_mode():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __new__(cls, mode=True):
        """The switch, or the function ``mode`` decorated with it."""
        self = object.__new__(cls)
        if isinstance(mode, bool):
            return self
        self._before, self.mode = [], True
        return self(mode)

    def __init__(self, mode: bool = True):
        super().__init__()
        self.mode = mode

    def _again(self):
        return inference_mode(self.mode)

    def __enter__(self):
        self._before.append((set_recording(not self.mode), _graph.mode.inference))
        _graph.mode.inference = self.mode

    def __exit__(self, *error):
        recording, _graph.mode.inference = self._before.pop()
        set_recording(recording)
