"""Samplers for classes of unequal size, with ``fit_resample`` and the names of imbalanced-learn.

Use them on the training part only: a synthetic sample between a training and a test sample tells
the model about the test.

>>> import numpy as np
>>> from tensorgrad.augment import SMOTE
>>> rng = np.random.default_rng(0)
>>> X, y = rng.normal(size=(30, 2)), np.repeat([0, 1], [24, 6])
>>> X_new, y_new = SMOTE(random_state=0).fit_resample(X, y)
>>> X_new.shape, np.bincount(y_new)
((48, 2), array([24, 24]))
"""

from ._base import Sampler as Sampler
from .adasyn import ADASYN as ADASYN
from .random import RandomOverSampler as RandomOverSampler
from .random import RandomUnderSampler as RandomUnderSampler
from .smote import SMOTE as SMOTE
from .smote import SMOTENC as SMOTENC
from .smote import BorderlineSMOTE as BorderlineSMOTE

__all__ = [
    "ADASYN",
    "SMOTE",
    "SMOTENC",
    "BorderlineSMOTE",
    "RandomOverSampler",
    "RandomUnderSampler",
    "Sampler",
]
