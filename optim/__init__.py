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

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
