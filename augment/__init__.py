"""Data augmentation: transforms of batches of images, keyed by (seed, epoch, sample).

>>> import numpy as np
>>> from tensorgrad import augment
>>> flip = augment.HorizontalFlip(p=1.0)
>>> flip(np.array([[0.0, 0.5, 1.0]]))
array([[1. , 0.5, 0. ]])
"""

if __name__ != "tensorgrad.augment":
    raise ImportError("import this package as tensorgrad.augment, not as augment")

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
from .cutmix import CutMix as CutMix
from .cutmix import FMix as FMix
from .cutmix import cutmix as cutmix
from .cutmix import fmix as fmix
from .erase import *  # noqa: F403
from .geometry import *  # noqa: F403
from .histogram import *  # noqa: F403
from .mixers import MixedLoader as MixedLoader
from .mixers import Mixer as Mixer
from .mixers import Mixup as Mixup
from .mixers import RandomMixer as RandomMixer
from .mixers import SamplePairing as SamplePairing
from .mixers import SamplePairingSchedule as SamplePairingSchedule
from .mixers import mixup as mixup
from .mixers import sample_pairing as sample_pairing
from .noise import *  # noqa: F403
from .sampling import *  # noqa: F403
from .snapmix import SnapMix as SnapMix
from .snapmix import class_activation_maps as class_activation_maps
from .snapmix import snapmix as snapmix
from .soft_targets import LabelSmoothing as LabelSmoothing
from .soft_targets import mixed_loss as mixed_loss
from .soft_targets import one_hot as one_hot
from .soft_targets import smooth_labels as smooth_labels
