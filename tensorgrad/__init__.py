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
strided = "torch.strided"

# Imported when first used, so that a script pays for what it touches.
_SUBMODULES = (
    "accelerator", "amp", "array_api", "augment", "backends", "compiler", "cuda", "datasets",
    "distributed",
    "distributions", "fft", "func", "hub", "jit", "legacy", "linalg", "mps", "nn", "onnx", "optim",
    "profiler", "serialization", "settings", "sparse", "special", "storage", "testing",
    "utils",
)  # fmt: skip
# Functions that are methods: torch.exp_(x) is x.exp_().
_IN_PLACE = (
    "abs_", "acos_", "acosh_", "addmv_", "arccos_", "arccosh_", "arcsin_", "arcsinh_", "arctan_",
    "arctanh_", "as_strided_", "asin_", "asinh_", "atan_", "atanh_", "ceil_", "celu_", "clamp_",
    "clamp_max_", "clamp_min_", "clip_", "cos_", "cosh_", "deg2rad_", "detach_", "erf_", "erfc_",
    "exp2_", "exp_", "expm1_", "fill_", "fix_", "floor_", "frac_", "gcd_", "i0_", "index_put_",
    "lcm_", "ldexp_", "log10_", "log1p_", "log2_", "log_", "logit_", "nan_to_num_", "neg_",
    "negative_", "rad2deg_", "reciprocal_", "relu_", "resize_as_", "round_", "rsqrt_", "selu_",
    "sigmoid_", "sin_", "sinc_", "sinh_", "sqrt_", "square_", "tan_", "tanh_", "threshold_",
    "trunc_", "xlogy_", "zero_",
)  # fmt: skip
# Functions of nn.functional that PyTorch has here too.
_FUNCTIONAL = (
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "alpha_dropout", "avg_pool1d", "bilinear",
    "celu_", "channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "dropout", "group_norm", "layer_norm", "max_pool1d",
    "max_pool2d", "max_pool3d", "pixel_shuffle", "pixel_unshuffle", "rms_norm", "rrelu", "selu_",
    "threshold_",
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
    "vmap": "func", "sparse_coo_tensor": "sparse", "spmm": "sparse",
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
    if name in _IN_PLACE and hasattr(Tensor, name):
        return getattr(Tensor, name)
    if name in _FUNCTIONAL:
        return getattr(import_module(f"{__name__}.nn.functional"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_SUBMODULES, *_NAMES})
