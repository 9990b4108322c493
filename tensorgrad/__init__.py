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

from . import autograd, creation, dtypes, ops
from ._device import device
from ._graph import Tensor
from ._memory import keep_freed_memory as _keep_freed_memory
from ._registry import FUNCTIONS as _FUNCTIONS
from ._tensor import Size
from ._tensor import bind as _bind
from ._version import __version__
from .autograd import enable_grad, inference_mode, no_grad, set_grad_enabled
from .autograd.grad_mode import is_grad_enabled, is_inference_mode_enabled
from .dtypes import (
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
strided = "torch.strided"

# Imported when first used, so that a script pays for what it touches.
_SUBMODULES = (
    "accelerator", "amp", "augment", "backends", "compiler", "cuda", "datasets", "distributed",
    "fft", "hub", "jit", "legacy", "linalg", "mps", "nn", "onnx", "optim", "profiler",
    "serialization", "settings", "sparse", "special", "storage", "testing",
    "utils",
)  # fmt: skip
_LEGACY = (
    "HalfTensor", "FloatTensor", "DoubleTensor", "CharTensor", "ShortTensor", "IntTensor",
    "LongTensor", "ByteTensor", "BoolTensor", "set_default_tensor_type", "range", "typename",
    "_assert", "set_default_device", "get_default_device", "is_nonzero",
)  # fmt: skip
_STORAGE = (
    "UntypedStorage", "TypedStorage", "HalfStorage", "FloatStorage", "DoubleStorage",
    "CharStorage", "ShortStorage", "IntStorage", "LongStorage", "ByteStorage", "BoolStorage",
    "ComplexFloatStorage", "ComplexDoubleStorage", "is_storage", "empty_strided", "frombuffer",
)  # fmt: skip
_NAMES = dict.fromkeys(_LEGACY, "legacy") | dict.fromkeys(_STORAGE, "storage") | {
    "autocast": "amp", "compile": "compiler", "load": "serialization", "save": "serialization",
    "are_deterministic_algorithms_enabled": "settings",
    "get_float32_matmul_precision": "settings", "get_num_interop_threads": "settings",
    "get_num_threads": "settings", "set_float32_matmul_precision": "settings",
    "set_flush_denormal": "settings", "set_num_interop_threads": "settings",
    "set_num_threads": "settings", "use_deterministic_algorithms": "settings",
}  # fmt: skip


def __getattr__(name):
    from importlib import import_module

    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_SUBMODULES, *_NAMES})
