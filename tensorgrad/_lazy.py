"""Names of the package that are imported when first used: a script pays for what it touches."""

from __future__ import annotations

from importlib import import_module

from ._graph import Tensor

SUBMODULES = tuple("""
    accelerator amp array_api augment backends compiler cuda datasets distributed distributions
    fft func hub jit legacy linalg mps nn onnx optim profiler serialization settings signal
    sparse special storage testing train types utils version
""".split())

# Module -> the names that it brings to the package.
BROUGHT = {
    "amp": """
        autocast autocast_decrement_nesting autocast_increment_nesting clear_autocast_cache
        get_autocast_cpu_dtype get_autocast_dtype get_autocast_gpu_dtype
        is_autocast_cache_enabled is_autocast_cpu_enabled is_autocast_enabled
        set_autocast_cache_enabled set_autocast_cpu_dtype set_autocast_cpu_enabled
        set_autocast_dtype set_autocast_enabled set_autocast_gpu_dtype
    """,
    "autograd.anomaly": """
        is_anomaly_check_nan_enabled is_anomaly_enabled set_anomaly_enabled
    """,
    "compiler": """
        compile
    """,
    "_copies": """
        alias_copy as_strided_copy as_strided_scatter detach_copy diagonal_copy expand_copy
        permute_copy select_copy slice_copy split_copy split_with_sizes_copy squeeze_copy t_copy
        transpose_copy unbind_copy unfold_copy unsqueeze_copy view_as_complex_copy
        view_as_real_copy view_copy
    """,
    "func": """
        vmap
    """,
    "legacy": """
        BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor IntTensor
        LongTensor ShortTensor _assert get_default_device is_nonzero range set_default_device
        set_default_tensor_type typename
    """,
    "_lowrank": """
        pca_lowrank svd_lowrank
    """,
    "_native": """
        alpha_dropout_ binary_cross_entropy_with_logits constant_pad_nd cosine_embedding_loss
        ctc_loss dropout_ embedding_bag empty_permuted feature_alpha_dropout_ feature_dropout
        feature_dropout_ gru gru_cell hinge_embedding_loss kl_div lstm lstm_cell
        margin_ranking_loss poisson_nll_loss rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell
        sym_float sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum triplet_margin_loss
    """,
    "nn.functional": """
        alpha_dropout bilinear celu_ channel_shuffle dropout feature_alpha_dropout pixel_shuffle
        pixel_unshuffle rrelu rrelu_ selu_ threshold_
    """,
    "serialization": """
        load save
    """,
    "settings": """
        are_deterministic_algorithms_enabled get_deterministic_debug_mode
        get_float32_matmul_precision get_num_interop_threads get_num_threads
        is_deterministic_algorithms_warn_only_enabled is_warn_always_enabled
        set_deterministic_debug_mode set_float32_matmul_precision set_flush_denormal
        set_num_interop_threads set_num_threads set_warn_always use_deterministic_algorithms
    """,
    "signal.fourier": """
        bartlett_window blackman_window hamming_window hann_window istft kaiser_window stft
    """,
    "sparse": """
        sparse_coo_tensor spmm
    """,
    "storage": """
        BoolStorage ByteStorage CharStorage ComplexDoubleStorage ComplexFloatStorage
        DoubleStorage FloatStorage HalfStorage IntStorage LongStorage ShortStorage TypedStorage
        UntypedStorage empty_strided frombuffer is_storage
    """,
}
MODULE_OF = {name: module for module, names in BROUGHT.items() for name in names.split()}

# Methods that PyTorch has as functions too: torch.exp_(x) is x.exp_().
METHODS = frozenset("""
    abs_ acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ as_strided_ asin_
    asinh_ atan_ atanh_ ceil_ clamp_ clamp_max_ clamp_min_ clip_ conj_physical_ cos_ cosh_ deg2rad_
    detach_ erf_ erfc_ exp2_ exp_ expm1_ fill_ fix_ floor_ frac_ gcd_ i0_ index_put_ lcm_ ldexp_
    log10_ log1p_ log2_ log_ logit_ nan_to_num_ neg_ negative_ rad2deg_ reciprocal_ relu_ resize_as_
    round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ trunc_ xlogy_ zero_
""".split())


def find(name: str):
    """The submodule, or what a submodule or Tensor has under ``name``.

    Raises:
        AttributeError: there is no such name.
    """
    if name in SUBMODULES:
        return import_module(f"tensorgrad.{name}")
    if name in MODULE_OF:
        return getattr(import_module(f"tensorgrad.{MODULE_OF[name]}"), name)
    if name in METHODS:
        return getattr(Tensor, name)
    raise AttributeError(f"module 'tensorgrad' has no attribute {name!r}")
