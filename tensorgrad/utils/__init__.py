"""Helpers under the names they have in PyTorch: :mod:`tensorgrad.utils.data`, checkpoint, ..."""

__all__ = ["checkpoint", "data", "dlpack", "model_zoo", "tensorboard"]
_SUBMODULES = (*__all__, "_pytree")


def __getattr__(name):
    if name in _SUBMODULES:
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_SUBMODULES})
