"""What can be trained again and again: objects with fit and predict, and functions."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from .._graph import Tensor
from ..nn import Module
from ..random import fork_rng, manual_seed
from .trainer import Trainer

__all__ = ["check_learner", "predictor", "sets_of"]


def predictor(learner: Any, x: Any, y: Any, seed: int) -> Callable[[Any], Any]:
    """What ``learner`` learns from a training set, as a function of inputs."""
    with fork_rng():
        manual_seed(seed)
        if callable(getattr(learner, "fit", None)) and callable(getattr(learner, "predict", None)):
            own = copy.deepcopy(learner)
            own.fit(x, y)
            return own.predict
        predict = learner(x, y)
    if not callable(predict):
        raise TypeError(
            f"a learner must return a function that predicts, got {type(predict).__name__}"
        )
    return predict


def check_learner(learner: Any) -> None:
    """Refuse what cannot be trained again and again."""
    methods = [callable(getattr(learner, name, None)) for name in ("fit", "predict")]
    if not all(methods) and (not callable(learner) or isinstance(learner, type | Module | Trainer)):
        raise TypeError(
            "learner must be an object with fit(x, y) and predict(x), or a function learn(x, y) "
            f"that trains a model and returns a function that predicts, got {learner!r}"
        )


def sets_of(data: Any, what: str) -> tuple[Any, Any]:
    """Inputs and targets of equal, positive length."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TypeError(f"{what} must be a pair (x, y), got {type(data).__name__}")
    x, y = (part if isinstance(part, Tensor) else np.asarray(part) for part in data)
    if not len(x) or len(x) != len(y):
        raise ValueError(f"{what} has {len(x)} inputs and {len(y)} targets")
    return x, y
