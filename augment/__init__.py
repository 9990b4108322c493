"""Data augmentation: transforms of batches of images, keyed by (seed, epoch, sample).

>>> import numpy as np
>>> from tensorgrad import augment
>>> flip = augment.HorizontalFlip(p=1.0)
>>> flip(np.array([[0.0, 0.5, 1.0]]))
array([[1. , 0.5, 0. ]])
"""

if __name__ != "tensorgrad.augment":
    raise ImportError("import this package as tensorgrad.augment, not as augment")

from typing import TYPE_CHECKING

from ._random import KeyedRng as KeyedRng
from ._transform import Transform as Transform
from ._transform import from_dict as from_dict
from ._transform import from_json as from_json
from ._transform import load as load
from ._transform import save as save
from .blur import *  # noqa: F403
from .colour import *  # noqa: F403
from .compose import Compose as Compose
from .compose import OneOf as OneOf
from .compose import RandomApply as RandomApply
from .compose import RandomOrder as RandomOrder
from .compose import Sequential as Sequential
from .cutmix import *  # noqa: F403
from .dataset import *  # noqa: F403
from .distortion import *  # noqa: F403
from .erase import *  # noqa: F403
from .geometry import *  # noqa: F403
from .histogram import *  # noqa: F403
from .mixers import *  # noqa: F403
from .noise import *  # noqa: F403
from .policies import *  # noqa: F403
from .resizing import *  # noqa: F403
from .sampling import *  # noqa: F403
from .show import show as show
from .snapmix import *  # noqa: F403
from .soft_targets import *  # noqa: F403

if TYPE_CHECKING:
    from .gan import GANAugment as GANAugment
    from .policy_search import search as search

# Imported when first asked for, with the module that each is in: networks and data sets, a third
# of what the package would take.
_LATER = {"GANAugment": "gan", "gan": "", "search": "policy_search", "policy_search": ""}


def __getattr__(name: str):
    from importlib import import_module

    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_LATER[name] or name}")
    return getattr(module, name) if _LATER[name] else module


def __dir__():
    return sorted({*globals(), *_LATER})
