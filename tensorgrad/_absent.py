"""What there is not, said in one way: names of PyTorch that need hardware or machinery we lack.

A script that asks (``is_available()``) is told no; one that insists gets an error with the reason
and the next step; switches that only make PyTorch faster are accepted without effect.
"""

from __future__ import annotations

NO_GPU = (
    "tensorgrad computes on the CPU only; choose the device by "
    '"cuda" if torch.cuda.is_available() else "cpu"'
)


def refusing(name: str, reason: str, error: type[Exception] = RuntimeError):
    """A function called ``name`` that raises ``error`` with the reason."""

    def refuse(*args, **kwargs):
        raise error(f"{name}: {reason}")

    refuse.__name__ = refuse.__qualname__ = name.rpartition(".")[2]
    refuse.__doc__ = f"Raises {error.__name__}: {reason}."
    return refuse


class Switch:
    """A settings object whose attributes can be set and read, without effect.

    >>> from tensorgrad._absent import Switch
    >>> matmul = Switch(allow_tf32=False)
    >>> matmul.allow_tf32 = True
    >>> matmul.allow_tf32
    True
    """

    def __init__(self, **settings):
        vars(self).update(settings)


class Passing:
    """A context manager and decorator that does nothing, whatever it is made with."""

    def __init__(self, *args, **kwargs):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def __call__(self, function):
        """``function`` itself."""
        return function
