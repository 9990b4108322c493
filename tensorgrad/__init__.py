"""tensorgrad: a define-by-run autograd tensor engine on NumPy, with PyTorch's spelling.

>>> import tensorgrad as torch
>>> w = torch.tensor([1.0, -2.0], requires_grad=True)
>>> loss = (w * w).sum()
>>> loss.backward()
>>> w.grad
tensor([ 2., -4.])
"""

import math as _math
import warnings as _warnings

from . import _lazy, autograd, creation, dtypes, ops
from ._device import device
from ._graph import Tensor
from ._layout import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    sparse_coo,
    strided,
)
from ._memory import keep_freed_memory as _keep_freed_memory
from ._registry import FUNCTIONS as _FUNCTIONS
from ._tensor import Size
from ._tensor import bind as _bind
from ._version import __version__
from .autograd import enable_grad, inference_mode, no_grad, set_grad_enabled
from .autograd.grad_mode import is_grad_enabled, is_inference_mode_enabled
from .dtypes import (
    bfloat16,
    dtype,
    finfo,
    get_default_dtype,
    iinfo,
    set_default_dtype,
)
from .ops.random import _dirichlet_grad, _sample_dirichlet, _standard_gamma
from .printing import get_printoptions, set_printoptions
from .random import (
    Generator,
    default_generator,
    fork_rng,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

# PyTorch computes log(0) and 1 / 0 without a word. NumPy warns, from the line that called it;
# this silences the lines of this package alone. np.seterr(all="raise") still finds them.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"tensorgrad\.")

_bind()
_keep_freed_memory()
globals().update(_FUNCTIONS)
globals().update(dtypes.ALL)
globals().update(dtypes.ALIASES)

e, inf, nan, pi = _math.e, _math.inf, _math.nan, _math.pi
newaxis = None


def __getattr__(name):
    return _lazy.find(name)


def __dir__():
    return sorted({*globals(), *_lazy.SUBMODULES, *_lazy.MODULE_OF, *_lazy.METHODS})
