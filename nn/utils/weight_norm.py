"""Weight normalisation by a hook: ``weight = g * v / |v|``, computed anew at each call."""

from __future__ import annotations

import warnings

from tensorgrad.nn.parameter import Parameter, is_lazy

__all__ = ["WeightNorm", "remove_weight_norm", "weight_norm"]


def norm_except_dim(v, pow=2, dim=0):
    """The norm of ``v`` over all dimensions but ``dim``, which keep size 1; -1 for over all.

    Args:
        v: the tensor.
        pow: the order of the norm.
        dim: the dimension that stays.
    """
    if dim == -1:
        return v.norm(pow)
    dim %= v.ndim
    others = [d for d in range(v.ndim) if d != dim]
    return v.norm(pow, dim=others, keepdim=True) if others else v.abs()


def normalized(v, g, dim=0):
    """``v`` with the norms ``g``."""
    return v * (g / norm_except_dim(v, 2, dim))


class WeightNorm:
    """The hook that :func:`weight_norm` registers.

    Args:
        name: of the parameter.
        dim: the dimension that keeps its norms.
    """

    def __init__(self, name, dim):
        self.name, self.dim = name, -1 if dim is None else dim

    def compute_weight(self, module):
        """The weight, from the two parameters."""
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return normalized(v, g, self.dim)

    @staticmethod
    def apply(module, name, dim):
        """Register the hook on a module; see :func:`weight_norm`."""
        refuse_second(module, WeightNorm, name, "weight_norm")
        hook = WeightNorm(name, dim)
        weight = getattr(module, name)
        refuse_lazy(weight, "WeightNorm", "weight")
        del module._parameters[name]
        g = norm_except_dim(weight.detach(), 2, hook.dim)
        module.register_parameter(f"{name}_g", Parameter(g))
        module.register_parameter(f"{name}_v", Parameter(weight.detach()))
        setattr(module, name, hook.compute_weight(module))
        module.register_forward_pre_hook(hook)
        return hook

    def remove(self, module):
        """Make the weight a parameter again."""
        weight = self.compute_weight(module).detach()
        for name in (self.name, f"{self.name}_g", f"{self.name}_v"):
            delattr(module, name)
        setattr(module, self.name, Parameter(weight))

    def __call__(self, module, inputs):
        """Compute the weight anew."""
        setattr(module, self.name, self.compute_weight(module))


def refuse_second(module, kind, name, what):
    """Refuse to register a second hook of one kind for one parameter."""
    for hook in module._hooks_in("_forward_pre_hooks"):
        if isinstance(hook, kind) and hook.name == name:
            raise RuntimeError(f"Cannot register two {what} hooks on the same parameter {name}")


def refuse_lazy(weight, who, what):
    """Refuse a parameter that has no shape yet."""
    if is_lazy(weight):
        raise ValueError(
            f"The module passed to `{who}` can't have uninitialized parameters. Make sure to run "
            f"the dummy forward before applying {what} normalization"
        )


def remove_hook(module, kind, name, what):
    """Take the hook of one kind for one parameter away, and return the module."""
    for key, hook in list(module._forward_pre_hooks.items()):
        if isinstance(hook, kind) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"{what} of '{name}' not found in {module}")


def weight_norm(module, name="weight", dim=0):
    """Replace a parameter by its norms ``name_g`` and its direction ``name_v``.

    Deprecated, as in PyTorch: use :func:`tensorgrad.nn.utils.parametrizations.weight_norm`.

    Args:
        module: the module; it is changed and returned.
        name: of the parameter.
        dim: the dimension along which each slice has its own norm; None for one norm of all.

    Raises:
        RuntimeError: the parameter is normalised already.

    Source: Salimans and Kingma, Weight Normalization, arXiv:1602.07868.

    >>> import warnings, tensorgrad as torch
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", FutureWarning)
    ...     layer = torch.nn.utils.weight_norm(torch.nn.Linear(20, 40))
    >>> layer.weight_g.shape, layer.weight_v.shape
    (torch.Size([40, 1]), torch.Size([40, 20]))
    """
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of "
        "`torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module, name="weight"):
    """Undo :func:`weight_norm`: the parameter has the value that the module computed with.

    Raises:
        ValueError: there is no such hook.
    """
    return remove_hook(module, WeightNorm, name, "weight_norm")
