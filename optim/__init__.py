"""Optimizers under PyTorch's names, arguments, state and saved form.

They need nothing of a parameter but its ``grad``, and write to its memory in place.

>>> import tensorgrad
>>> w = tensorgrad.tensor([3.0], requires_grad=True)
>>> sgd = tensorgrad.optim.SGD([w], lr=0.1, momentum=0.9)
>>> for _ in range(100):
...     sgd.zero_grad()
...     loss = (w * w).sum()
...     loss.backward()
...     sgd.step()
>>> bool(loss < 1e-3)
True
"""

if __name__ != "tensorgrad.optim":
    raise ImportError("import this package as tensorgrad.optim, not as optim")

from . import adam, optimizer, sgd
from .adam import Adam, AdamW
from .optimizer import Optimizer
from .sgd import SGD

# Imported when first used: the file of each name, and the files that users name.
_FILES = {
    "ASGD": "asgd",
    "Adadelta": "adadelta",
    "Adafactor": "_adafactor",
    "Adagrad": "adagrad",
    "Adamax": "adamax",
    "LAMB": "lamb",
    "LARS": "lars",
    "LBFGS": "lbfgs",
    "Lion": "lion",
    "Muon": "_muon",
    "NAdam": "nadam",
    "RAdam": "radam",
    "RMSprop": "rmsprop",
    "Rprop": "rprop",
    "SparseAdam": "sparse_adam",
    "lr_range_test": "lr_range",
    "swap_in_optimizer_params_and_state": "_stateless",
}
_SUBMODULES = ("adamw", "lr_scheduler", "swa_utils", *_FILES.values())

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler", "swa_utils", *_FILES]


def __getattr__(name):
    from importlib import import_module

    if name in _FILES:
        value = getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_FILES, *_SUBMODULES})
