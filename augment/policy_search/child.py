"""A child: a network trained with a policy for a fixed budget, and how well it then does."""

from __future__ import annotations

import functools
import math
import os
import threading
import time
import zlib

import numpy as np

import tensorgrad as tg
from tensorgrad import optim
from tensorgrad.errors import ArgumentError
from tensorgrad.nn import functional as F
from tensorgrad.random import fork_rng

from .._checks import check_count, check_number
from .._layout import Images
from .._random import KeyedRng

# Images that are scored at once.
_SCORED = 1000
# Children of one process take turns: they share the default generator. A child may itself search.
_TURN = threading.RLock()


class ChildTraining:
    """Trains a network of ``factory`` on images that a policy transforms; gives its accuracy.

    A child for :func:`tensorgrad.augment.search`. Each call trains a new network by
    cross-entropy for ``epochs`` passes over the training part, in an order drawn anew for each,
    and returns the share of the validation part that it classifies right. What comes out depends
    on policy and seed alone.

    Args:
        factory: makes the network, without arguments. It takes images as they are given; what
            centres them is a layer of it.
        data: ((images, labels), (images, labels)), to train on and to validate with: float
            images (N, C, H, W) in [0, 1], integer labels. Or a function without arguments, such
            as a ``functools.partial``, that returns these: it is then called once in each
            process, where arrays travel to the workers with every child.
        epochs: the budget, passes over the training part.
        batch_size: images in a step.
        lr: the rate of Adam at the start. It falls along a cosine to 0 at the end, as in the
            paper: with a constant rate, chance decides more than the policy does.
        optimizer: a function from parameters to an optimizer, instead of Adam. Its rate falls too.

    Raises:
        TypeError: ``factory`` or ``optimizer`` is not callable.
        ValueError: a number out of range, or images and labels of other shapes, dtypes or values.

    For the worker processes, functions and classes must be importable: at the top level of a
    module.

    >>> from tensorgrad import augment, datasets, nn
    >>> images, labels = datasets.digits()
    >>> data = (images[:200], labels[:200]), (images[200:400], labels[200:400])
    >>> def factory():
    ...     return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    >>> child = ChildTraining(factory, data, epochs=10, lr=0.03)
    >>> child(augment.Rotate(5), seed=0) > 0.8
    True
    """

    def __init__(
        self, factory, data, *, epochs: int = 10, batch_size: int = 64, lr: float = 1e-3,
        optimizer=None,
    ):  # fmt: skip
        for name, value in (("factory", factory), ("optimizer", optimizer)):
            if not callable(value) and not (name == "optimizer" and value is None):
                raise TypeError(f"{name} must be a function, got {type(value).__name__}")
        self.factory, self.optimizer = factory, optimizer
        self.data = data if callable(data) else _arrays(data)
        self.epochs = check_count(epochs, "epochs", 1)
        self.batch_size = check_count(batch_size, "batch_size", 1)
        self.lr = check_number(lr, "lr", open_low=True)

    def settings(self) -> dict:
        """What the reward depends on, of what JSON can hold; arrays as a checksum."""
        given = callable(self.data)
        return {
            "factory": name_of(self.factory),
            "data": name_of(self.data) if given else _checksum(self.data),
            "epochs": self.epochs, "batch_size": self.batch_size, "lr": self.lr,
            "optimizer": None if self.optimizer is None else name_of(self.optimizer),
        }  # fmt: skip

    def __call__(self, policy, seed: int) -> float:
        """The accuracy on the validation part after training with ``policy``.

        Args:
            policy: a transform, or None for the images as they are.
            seed: of the weights, the order and the policy's draws.
        """
        return self.accuracy(self.train(policy, seed), *self._loaded()[1])

    def train(self, policy, seed: int):
        """A network trained with ``policy``; arguments as for a call."""
        images, labels = self._loaded()[0]
        with fork_rng():
            tg.manual_seed(seed)
            model = self.factory()
            make = self.optimizer or functools.partial(optim.Adam, lr=self.lr)
            optimizer = make(model.parameters())
            steps = self.epochs * -(-len(labels) // self.batch_size)
            schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
            model.train()
            for epoch in range(self.epochs):
                for rows in self._batches(len(labels), seed, epoch):
                    batch = images[rows]
                    if policy is not None:
                        batch = policy(batch, seed=seed, epoch=epoch, index=rows)
                    _step(model, optimizer, batch, labels[rows])
                    schedule.step()
        return model

    def _batches(self, count, seed, epoch):
        order = KeyedRng(seed, epoch, [0]).child(1).permutation(count)[0]
        return [order[i : i + self.batch_size] for i in range(0, count, self.batch_size)]

    @tg.no_grad()
    def accuracy(self, model, images, labels) -> float:
        """The share of ``images`` that ``model`` classifies as ``labels`` say."""
        model.eval()
        right = 0
        for start in range(0, len(labels), _SCORED):
            part = slice(start, start + _SCORED)
            right += (_tensor(model, images[part]).argmax(1).numpy() == labels[part]).sum()
        return float(right / len(labels))

    def _loaded(self):
        if not callable(self.data):
            return self.data
        function, args, keywords = _call(self.data)
        return _once(function, args, tuple(sorted(keywords.items())))


def _tensor(model, images):
    return model(tg.from_numpy(np.ascontiguousarray(images)))


def _step(model, optimizer, images, labels):
    optimizer.zero_grad()
    F.cross_entropy(_tensor(model, images), tg.from_numpy(labels)).backward()
    optimizer.step()


@functools.lru_cache(maxsize=1)
def _once(function, args, keywords):
    """The data of a function, kept for the next child of this process."""
    return _arrays(function(*args, **dict(keywords)))


def _call(function):
    """A function or partial as function, arguments and keywords."""
    if isinstance(function, functools.partial):
        return function.func, function.args, function.keywords
    return function, (), {}


def _arrays(data):
    """Training and validation part as arrays, checked."""
    try:
        parts = [(np.asarray(images), np.asarray(labels)) for images, labels in data]
    except (TypeError, ValueError):
        parts = []
    if len(parts) != 2:
        raise ArgumentError(
            "data must be ((images, labels), (images, labels)), to train on and to validate with"
        )
    for name, (images, labels) in zip(("training", "validation"), parts, strict=True):
        fits = images.ndim == 4 and images.dtype.kind == "f" and labels.dtype.kind in "iu"
        if not fits or labels.shape != images.shape[:1] or not len(labels):
            raise ArgumentError(
                f"the {name} part must be float images (N, C, H, W) and an integer label for each, "
                f"got {images.dtype} {images.shape} and labels {labels.dtype} {labels.shape}"
            )
        Images(images, "NCHW", name=f"the {name} images")  # refuses what is not in [0, 1]
    return tuple((images, labels.astype(np.int64)) for images, labels in parts)


def _checksum(parts):
    arrays = [array for part in parts for array in part]
    crc = 0
    for array in arrays:
        crc = zlib.crc32(np.ascontiguousarray(array), crc)
    return f"{' '.join(str(array.shape) for array in arrays)} crc32 {crc:08x}"


def name_of(value) -> str:
    """What a journal calls a function, with the arguments of a partial; or an object's class.

    >>> name_of(functools.partial(max, 3))
    'builtins.max(3)'
    """
    function, args, keywords = _call(value)
    named = function if hasattr(function, "__qualname__") else type(function)
    name = f"{named.__module__}.{named.__qualname__}".removeprefix("__main__.")
    shown = [_shown(v) for v in args] + [f"{k}={_shown(v)}" for k, v in keywords.items()]
    return f"{name}({', '.join(shown)})" if shown else name


def _shown(value):
    """A plain value as it is; of others the name, since their text may hold an address."""
    plain = value is None or isinstance(value, bool | int | float | str | os.PathLike)
    return repr(value) if plain else name_of(value)


def settings_of(child) -> dict:
    """What a journal remembers of a child."""
    return child.settings() if hasattr(child, "settings") else {"function": name_of(child)}


def run_child(child, policy, seed):
    """Train one child, wherever this runs: a dict of reward or error, and the seconds."""
    import traceback

    with _TURN:
        start = time.perf_counter()
        try:
            outcome = {"reward": _reward(child(policy, seed))}
        except Exception:
            outcome = {"reward": None, "error": traceback.format_exc()}
        return {**outcome, "seconds": round(time.perf_counter() - start, 6)}


def _reward(value):
    reward = float(value)
    if not math.isfinite(reward):
        raise ValueError(f"a reward must be a finite number, got {value!r}")
    return reward


def ready(child):
    """True: the process that runs this could be sent a child."""
    return callable(child)
