"""Parametrisations: a parameter computed from others at each access.

>>> import tensorgrad as torch
>>> import tensorgrad.nn.utils.parametrize as parametrize
>>> class Symmetric(torch.nn.Module):
...     def forward(self, x):
...         return x.triu() + x.triu(1).T
>>> layer = parametrize.register_parametrization(torch.nn.Linear(3, 3), "weight", Symmetric())
>>> torch.equal(layer.weight, layer.weight.T)
True
>>> [name for name, _ in layer.named_parameters()]
['bias', 'parametrizations.weight.original']
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import contextmanager

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.nn.modules.container import ModuleDict, ModuleList
from tensorgrad.nn.parameter import Parameter

__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization",
    "remove_parametrizations", "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]  # fmt: skip

_depth = 0  # of nested blocks of cached()
_cache: dict = {}


@contextmanager
def cached():
    """Compute each parametrised tensor once inside the block, at its first use.

    >>> import tensorgrad as torch
    >>> from tensorgrad.nn.utils import parametrizations, parametrize
    >>> layer = parametrizations.weight_norm(torch.nn.Linear(2, 2))
    >>> with parametrize.cached():
    ...     layer.weight is layer.weight
    True
    """
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth:
            _cache.clear()


def _register(module, name, tensor):
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _set(tensor, value):
    """Give a tensor the memory of another; it stays the tensor that the optimizer knows."""
    if tensor is not value:
        tensor._array = value._array


def _inverse(module, value):
    """The right inverse of a parametrisation; the value itself where it has none."""
    if not hasattr(module, "right_inverse"):
        return value
    try:
        return module.right_inverse(value)
    except NotImplementedError:
        return value


def _check_kept(what, before, after, names):
    """Refuse a result that is no tensor, or of another dtype or shape."""
    if not isinstance(after, Tensor):
        raise ValueError(f"{what} must return a tensor. Got {type(after).__name__}.")
    for kind in ("dtype", "shape"):
        old, new = getattr(before, kind), getattr(after, kind)
        if old != new:
            raise ValueError(
                f"{what} may not change the {kind} of the tensor, unless the `unsafe` flag is "
                f"enabled: {names[0]} has {old}, {names[1]} has {new}"
            )


class ParametrizationList(ModuleList):
    """The parametrisations of one tensor, and the tensors that it is computed from.

    Made by :func:`register_parametrization`; it is ``module.parametrizations.weight``, say.

    Args:
        modules: the parametrisations, in the order they are applied.
        original: the parameter or buffer.
        unsafe: whether they may change its dtype and shape.

    Attributes:
        original: what it is computed from; ``original0``, ``original1``, ... if the first
            parametrisation has a ``right_inverse`` that returns several tensors.
        is_tensor, ntensors: whether there is one, and how many there are.

    Raises:
        ValueError: there are no modules, or one of them does not keep what it must.
    """

    def __init__(self, modules, original, unsafe=False):
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape_and_dtype = original.detach()
        with tg.no_grad():
            new = original
            for module in reversed(list(self)):
                new = _inverse(module, new)
        if not isinstance(new, Tensor | Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            if original.dtype != new.dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype: "
                    f"{original.dtype} became {new.dtype}"
                )
            _set(original, new)
            _register(self, "original", original)
        else:
            for i, tensor in enumerate(new):
                self._register_part(i, tensor, original)
        if not unsafe:
            _check_kept(
                "A parametrization", shape_and_dtype, self(),
                ("the unparametrized tensor", "the parametrized one"),
            )  # fmt: skip

    def _register_part(self, i, tensor, original):
        if not isinstance(tensor, Tensor):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got element {i} of the sequence with type {type(tensor).__name__}."
            )
        if isinstance(original, Parameter):
            tensor = Parameter(tensor, original.requires_grad)
        tensor.requires_grad_(original.requires_grad)
        _register(self, f"original{i}", tensor)

    def right_inverse(self, value):
        """Set the originals so that the parametrised tensor becomes ``value``.

        Raises:
            RuntimeError: a parametrisation has no ``right_inverse``.
            ValueError: it returned something that does not fit the originals.
        """
        with tg.no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                value = module.right_inverse(value)
        if self.is_tensor:
            self._assign("original", value, "`right_inverse` should return a tensor")
            return
        if not isinstance(value, Sequence):
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors. Got {type(value).__name__}."
            )
        if len(value) != self.ntensors:
            raise ValueError(
                "'right_inverse' must return a sequence of tensors of length "
                f"{self.ntensors}. Got a sequence of length {len(value)}."
            )
        for i, tensor in enumerate(value):
            self._assign(f"original{i}", tensor, "`right_inverse` must return tensors")

    def _assign(self, name, value, wanted):
        if not isinstance(value, Tensor):
            raise ValueError(f"{wanted}. Got {type(value).__name__}")
        original = getattr(self, name)
        if value.dtype != original.dtype:
            raise ValueError(
                f"The tensor returned by `right_inverse` has dtype {value.dtype} while `{name}` "
                f"has dtype {original.dtype}"
            )
        _set(original, value)

    def forward(self):
        """The parametrised tensor."""
        first, *rest = self
        if self.is_tensor:
            value = first(self.original)
        else:
            value = first(*[getattr(self, f"original{i}") for i in range(self.ntensors)])
        for module in rest:
            value = module(value)
        return value


def _deepcopy(self, memo):
    new = memo[id(self)] = self.__new__(type(self))
    vars(new).update(copy.deepcopy(vars(self), memo))
    return new


def _refuse_pickling(self):
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(); save that "
        "and load it into a module parametrized alike"
    )


def _inject_class(module):
    """Give a module a class of its own, in which there can be properties."""
    cls = type(module)
    members = {"__getstate__": _refuse_pickling, "__module__": cls.__module__}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = _deepcopy
    object.__setattr__(module, "__class__", type(f"Parametrized{cls.__name__}", (cls,), members))


def _inject_property(module, name):
    def get(self):
        parametrization = self.parametrizations[name]
        if not _depth:
            return parametrization()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = parametrization()
        return _cache[key]

    def set(self, value):
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, set))


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """Have a parameter or buffer of a module computed by ``parametrization`` at each access.

    The tensor itself moves to ``module.parametrizations.<name>.original``. Assigning to the
    attribute calls the ``right_inverse`` of the parametrisation, if it has one; so does
    registering it. If that returns several tensors, they become the parameters. A second
    parametrisation of a tensor is applied to the result of the first.

    Args:
        module: the module; its class becomes ``ParametrizedLinear``, say.
        tensor_name: of the parameter or buffer.
        parametrization: a module that takes the original and returns the tensor.
        unsafe: allow it to change dtype and shape.

    Returns:
        The module.

    Raises:
        ValueError: there is no such tensor, or the parametrisation does not keep what it must.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_further(module, tensor_name, parametrization)
        parametrizations = module.parametrizations[tensor_name]
        parametrizations.append(parametrization)
        parametrizations.unsafe |= unsafe
        return module
    if tensor_name not in module._buffers and tensor_name not in module._parameters:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    original = getattr(module, tensor_name)
    parametrizations = ParametrizationList([parametrization], original, unsafe=unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        _inject_class(module)
        module.parametrizations = ModuleDict()
    _inject_property(module, tensor_name)
    module.parametrizations[tensor_name] = parametrizations
    return module


def _check_further(module, name, parametrization):
    """A parametrisation after others must keep dtype and shape, and so must its inverse."""
    before = getattr(module, name)
    after = parametrization(before)
    names = f"module.{name}", f"parametrization(module.{name})"
    _check_kept("A parametrization", before, after, names)
    if hasattr(parametrization, "right_inverse"):
        back = _inverse(parametrization, after)
        _check_kept("parametrization.right_inverse", before, back, names)


def is_parametrized(module, tensor_name=None):
    """Whether a tensor of a module is parametrised; without a name, whether any is.

    Args:
        module: the module.
        tensor_name: of the parameter or buffer.
    """
    parametrizations = vars(module).get("parametrizations")
    if not isinstance(parametrizations, ModuleDict):
        return False
    return len(parametrizations) > 0 if tensor_name is None else tensor_name in parametrizations


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """Make a parametrised tensor an ordinary parameter or buffer again.

    Args:
        module: the module; its class is restored with its last parametrisation.
        tensor_name: of the tensor.
        leave_parametrized: whether it keeps the value it had, or gets that of its original.

    Returns:
        The module.

    Raises:
        ValueError: it is not parametrised; or it is computed from several tensors, and
            ``leave_parametrized`` is False.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    parametrizations = module.parametrizations[tensor_name]
    if parametrizations.is_tensor:
        original = parametrizations.original
        if leave_parametrized:
            with tg.no_grad():
                _set(original, getattr(module, tensor_name))
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        object.__setattr__(module, "__class__", type(module).__bases__[0])
    return module


def type_before_parametrizations(module):
    """The class of a module without its parametrisations."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module, to_module, tensor_name=None):
    """Register the parametrisations of one module on another, and give it the same originals.

    Args:
        from_module: where they are; nothing happens if there are none.
        to_module: where they go; it gets the parameter if it has none of the name.
        tensor_name: only this tensor.

    Returns:
        ``to_module``.
    """
    if not is_parametrized(from_module):
        return to_module
    names = list(from_module.parametrizations) if tensor_name is None else [tensor_name]
    for name in names:
        source = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        for parametrization in source:
            register_parametrization(to_module, name, parametrization)
        target = to_module.parametrizations[name]
        for key in ("original", *[f"original{i}" for i in range(source.ntensors)]):
            if hasattr(source, key):
                setattr(target, key, getattr(source, key))
    return to_module
