"""Spectral normalisation by a hook: the weight divided by its largest singular value."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad import linalg
from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from tensorgrad.nn.parameter import Parameter
from tensorgrad.nn.utils.weight_norm import refuse_lazy, refuse_second, remove_hook

__all__ = [
    "SpectralNorm", "SpectralNormLoadStateDictPreHook", "SpectralNormStateDictHook",
    "remove_spectral_norm", "spectral_norm",
]  # fmt: skip


def default_dim(module):
    """The dimension of the outputs in the weight of a module."""
    transposed = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
    return 1 if isinstance(module, transposed) else 0


def as_matrix(weight, dim):
    """The weight as a matrix whose rows are its slices along ``dim``."""
    if dim != 0:
        weight = weight.permute(dim, *[d for d in range(weight.ndim) if d != dim])
    return weight.reshape(weight.shape[0], -1)


class SpectralNorm:
    """The hook that :func:`spectral_norm` registers.

    Args:
        name: of the parameter.
        n_power_iterations: power iterations at each call in training mode.
        dim: the dimension of the outputs.
        eps: added where a vector is normalised.
    """

    _version = 1

    def __init__(self, name="weight", n_power_iterations=1, dim=0, eps=1e-12):
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def reshape_weight_to_matrix(self, weight):
        """The weight as a matrix."""
        return as_matrix(weight, self.dim)

    def compute_weight(self, module, do_power_iteration):
        """The normalised weight; the buffers take a step of the power iteration if asked for."""
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            with tg.no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(tg.mv(matrix.t(), u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(tg.mv(matrix, v), dim=0, eps=self.eps))
                u, v = u.clone(), v.clone()  # the next call writes into the buffers
        return weight / tg.dot(u, tg.mv(matrix, v))

    def remove(self, module):
        """Make the normalised weight a parameter again."""
        with tg.no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for suffix in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + suffix)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module, inputs):
        """Compute the weight anew."""
        setattr(module, self.name, self.compute_weight(module, module.training))

    def _solve_v_and_rescale(self, matrix, u, sigma):
        """The ``v`` that belongs to ``u`` and the singular value, for old state dicts."""
        v = linalg.pinv(matrix.t() @ matrix) @ matrix.t() @ u.unsqueeze(1)
        v = v.squeeze(1)
        return v * (sigma / tg.dot(u, tg.mv(matrix, v)))

    @staticmethod
    def apply(module, name, n_power_iterations, dim, eps):
        """Register the hook on a module; see :func:`spectral_norm`."""
        refuse_second(module, SpectralNorm, name, "spectral_norm")
        hook = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        refuse_lazy(weight, "SpectralNorm", "spectral")
        with tg.no_grad():
            height, width = as_matrix(weight, dim).shape
            u = F.normalize(weight.new_empty(height).normal_(0, 1), dim=0, eps=eps)
            v = F.normalize(weight.new_empty(width).normal_(0, 1), dim=0, eps=eps)
        delattr(module, name)
        module.register_parameter(f"{name}_orig", weight)
        setattr(module, name, weight.detach())
        module.register_buffer(f"{name}_u", u)
        module.register_buffer(f"{name}_v", v)
        module.register_forward_pre_hook(hook)
        module._register_state_dict_hook(SpectralNormStateDictHook(hook))
        module._register_load_state_dict_pre_hook(SpectralNormLoadStateDictPreHook(hook))
        return hook


class SpectralNormLoadStateDictPreHook:
    """Reads state dicts from before ``weight_v`` was a buffer."""

    def __init__(self, fn):
        self.fn = fn

    def __call__(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        """Put what is missing into the state dict."""
        fn = self.fn
        version = local_metadata.get("spectral_norm", {}).get(f"{fn.name}.version")
        key = prefix + fn.name
        complete = all(key + s in state_dict for s in ("_orig", "_u", "_v"))
        if (version or 0) >= 1 or (version is None and complete and key not in state_dict):
            return
        missing = [key + s for s in ("_orig", "", "_u") if key + s not in state_dict]
        if missing:
            if strict:
                missing_keys.extend(missing)
            return
        with tg.no_grad():
            original, weight = state_dict[f"{key}_orig"], state_dict.pop(key)
            sigma = (original / weight).mean()
            matrix = as_matrix(original, fn.dim)
            state_dict[f"{key}_v"] = fn._solve_v_and_rescale(matrix, state_dict[f"{key}_u"], sigma)


class SpectralNormStateDictHook:
    """Notes the version of the hook in a state dict's metadata."""

    def __init__(self, fn):
        self.fn = fn

    def __call__(self, module, state_dict, prefix, local_metadata):
        """Note it."""
        versions = local_metadata.setdefault("spectral_norm", {})
        key = f"{self.fn.name}.version"
        if key in versions:
            raise RuntimeError(f"Unexpected key in metadata['spectral_norm']: {key}")
        versions[key] = self.fn._version


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide a parameter by its largest singular value, estimated by power iteration.

    :func:`tensorgrad.nn.utils.parametrizations.spectral_norm` is the newer form.

    Args:
        module: the module; it is changed and returned.
        name: of the parameter; it becomes ``name_orig``.
        n_power_iterations: iterations at each call in training mode.
        eps: added where a vector is normalised.
        dim: the dimension of the outputs; 1 for transposed convolutions, otherwise 0.

    Raises:
        ValueError: ``n_power_iterations`` is not positive, or the parameter is None.
        RuntimeError: the parameter is normalised already.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks,
    arXiv:1802.05957.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.utils.spectral_norm(torch.nn.Linear(20, 40))
    >>> layer.weight_u.shape
    torch.Size([40])
    """
    dim = default_dim(module) if dim is None else dim
    SpectralNorm.apply(module, name, n_power_iterations, dim, eps)
    return module


def remove_spectral_norm(module, name="weight"):
    """Undo :func:`spectral_norm`: the parameter has the normalised value.

    Raises:
        ValueError: there is no such hook.
    """
    remove_hook(module, SpectralNorm, name, "spectral_norm")
    for table, kind in (
        ("_state_dict_hooks", SpectralNormStateDictHook),
        ("_load_state_dict_pre_hooks", SpectralNormLoadStateDictPreHook),
    ):
        hooks = getattr(module, table)
        for key, hook in list(hooks.items()):
            hook = hook[0] if isinstance(hook, tuple) else hook
            if isinstance(hook, kind) and hook.fn.name == name:
                del hooks[key]
    return module
