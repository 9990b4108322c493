"""Pruning: parameters multiplied by masks of zeros and ones before each forward.

The parameter ``weight`` becomes ``weight_orig``, its mask the buffer ``weight_mask``, and
``weight`` their product.

>>> import tensorgrad as torch
>>> from tensorgrad.nn.utils import prune
>>> layer = torch.nn.Linear(2, 2)
>>> _ = layer.weight.data.copy_(torch.tensor([[1.0, -4.0], [3.0, 2.0]]))
>>> prune.l1_unstructured(layer, "weight", amount=0.5).weight.tolist()
[[0.0, -4.0], [3.0, 0.0]]
>>> sorted(layer.state_dict())
['bias', 'weight_mask', 'weight_orig']
"""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable

import tensorgrad as tg
from tensorgrad.nn.utils.convert_parameters import parameters_to_vector

__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured",
    "PruningContainer", "RandomStructured", "RandomUnstructured", "custom_from_mask",
    "global_unstructured", "identity", "is_pruned", "l1_unstructured", "ln_structured",
    "random_structured", "random_unstructured", "remove",
]  # fmt: skip


class BasePruningMethod(ABC):
    """A way to choose what is pruned; the object is the hook that applies the mask.

    Subclasses define :meth:`compute_mask` and ``PRUNING_TYPE``: what of an already pruned tensor
    they are shown, the elements left ("unstructured"), the channels left along ``dim``
    ("structured"), or all ("global").
    """

    _tensor_name: str

    def __call__(self, module, inputs):
        """Set the parameter's name to the product of its original and its mask."""
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t, default_mask):
        """The mask for the scores ``t``, zero at least where ``default_mask`` is."""

    def apply_mask(self, module):
        """The original times its mask."""
        mask = getattr(module, self._tensor_name + "_mask")
        original = getattr(module, self._tensor_name + "_orig")
        return mask.to(dtype=original.dtype) * original

    @classmethod
    def apply(cls, module, name, *args, importance_scores=None, **kwargs):
        """Prune ``module``'s parameter ``name`` on top of what has been pruned of it.

        Args:
            module: the module.
            name: the parameter's name.
            args: arguments of the method.
            importance_scores: what the method judges instead of the parameter, of its shape.
            kwargs: further arguments of the method.

        Returns:
            The hook.

        Raises:
            AssertionError: ``importance_scores`` has another shape.
        """
        before = _hook_of(module, name)
        method = cls(*args, **kwargs)
        method._tensor_name = name
        current = getattr(module, name)
        scores = current if importance_scores is None else importance_scores
        if scores.shape != current.shape:
            raise AssertionError(
                f"importance_scores should have the shape of {name}, {tuple(current.shape)}, got "
                f"{tuple(scores.shape)}"
            )
        if before is None:
            mask = method.compute_mask(scores.detach(), tg.ones_like(current.detach()))
            del module._parameters[name]
            module.register_parameter(name + "_orig", current)
        else:
            key, hook = before
            if not isinstance(hook, PruningContainer):
                hook = PruningContainer(hook)
            hook.add_pruning_method(method)
            method = hook
            old = getattr(module, name + "_mask").detach().clone()
            mask = method.compute_mask(scores.detach(), old)
            del module._forward_pre_hooks[key]
        module.register_buffer(name + "_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t, default_mask=None, importance_scores=None):
        """``t`` times its mask.

        Args:
            t: a tensor.
            default_mask: what is pruned already; nothing by default.
            importance_scores: what is judged instead of ``t``, of its shape.

        Raises:
            AssertionError: ``importance_scores`` has another shape.
        """
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise AssertionError(
                f"importance_scores should have the shape of t, {tuple(t.shape)}, got "
                f"{tuple(scores.shape)}"
            )
        default_mask = tg.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores.detach(), default_mask)

    def remove(self, module):
        """Make the pruned values the parameter; the caller removes the hook."""
        name = self._tensor_name
        pruned = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        original = module._parameters.pop(name + "_orig")
        original.data = pruned.data
        del module._buffers[name + "_mask"]
        setattr(module, name, original)


def _hook_of(module, name):
    """(key, hook) of what prunes the parameter, or None."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return key, hook
    return None


class PruningContainer(BasePruningMethod):
    """Methods applied to one parameter one after another; the last computes the next mask."""

    def __init__(self, *args):
        self._pruning_methods = ()
        if len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method):
        """Add a method for the same parameter.

        Raises:
            TypeError: no pruning method.
            ValueError: it is for another parameter.
        """
        if method is None:
            return
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            raise ValueError(
                f"this container is for the parameter {self._tensor_name!r}, the method for "
                f"{method._tensor_name!r}"
            )
        self._pruning_methods += (method,)

    def __len__(self):
        return len(self._pruning_methods)

    def __iter__(self):
        return iter(self._pruning_methods)

    def __getitem__(self, idx):
        return self._pruning_methods[idx]

    def compute_mask(self, t, default_mask):
        """``default_mask`` with what the last method prunes of the rest.

        Raises:
            AttributeError: a structured method has no ``dim``.
            IndexError: its ``dim`` is out of range.
            ValueError: its PRUNING_TYPE is unknown.
        """
        method = self._pruning_methods[-1]
        mask = default_mask.to(dtype=t.dtype)
        left = _left(method, t, mask)
        mask = mask.clone()
        mask[left] = method.compute_mask(t[left], default_mask[left]).to(dtype=mask.dtype)
        return mask


def _left(method, t, mask):
    """The index of what of ``t`` the method is shown."""
    if method.PRUNING_TYPE == "unstructured":
        return mask == 1
    if method.PRUNING_TYPE == "global":
        return (slice(None),) * t.dim()
    if method.PRUNING_TYPE != "structured":
        raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
    if not hasattr(method, "dim"):
        raise AttributeError("methods of PRUNING_TYPE 'structured' need the attribute dim")
    dim = method.dim + t.dim() if method.dim < 0 else method.dim
    if dim < 0:
        raise IndexError(f"dim={method.dim} is out of bounds for {t.dim()} dimensions")
    channels = mask.sum(dim=[d for d in range(t.dim()) if d != dim]) != 0
    return tuple(channels if d == dim else slice(None) for d in range(t.dim()))


# --- methods ----------------------------------------------------------------------------


class Identity(BasePruningMethod):
    """Prunes nothing: a mask of ones."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """``default_mask``."""
        return default_mask

    @classmethod
    def apply(cls, module, name):
        """Put the parameter ``name`` of ``module`` under a mask of ones."""
        return super().apply(module, name)


class _Amount(BasePruningMethod):
    """A method that prunes a number or a fraction of what it is shown."""

    def __init__(self, amount):
        _check_amount(amount)
        self.amount = amount

    def _count(self, size):
        """How many of ``size`` to prune.

        Raises:
            ValueError: more than there are.
        """
        whole = isinstance(self.amount, numbers.Integral)
        n = self.amount if whole else round(self.amount * size)
        if n > size:
            raise ValueError(
                f"amount={n} should be smaller than the number of parameters to prune={size}"
            )
        return n


def _check_amount(amount):
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if amount < 0 or (not isinstance(amount, numbers.Integral) and amount > 1.0):
        raise ValueError(
            f"amount={amount} should either be a float in the range [0, 1] or a non-negative "
            "integer"
        )


class RandomUnstructured(_Amount):
    """Prunes elements at random.

    Args:
        amount: how many, or as a float which fraction.
    """

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """``default_mask`` with zeros at the largest of uniform draws."""
        n = self._count(t.numel())
        mask = default_mask.clone().contiguous()
        if n:
            mask.view(-1)[tg.topk(tg.rand_like(t).view(-1), n).indices] = 0
        return mask

    @classmethod
    def apply(cls, module, name, amount):
        """Prune ``amount`` elements of the parameter ``name`` of ``module``."""
        return super().apply(module, name, amount=amount)


class L1Unstructured(_Amount):
    """Prunes the elements nearest to 0.

    Args:
        amount: how many, or as a float which fraction.
    """

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """``default_mask`` with zeros at the smallest absolute values."""
        n = self._count(t.numel())
        mask = default_mask.clone().contiguous()
        if n:
            mask.view(-1)[tg.topk(t.abs().reshape(-1), n, largest=False).indices] = 0
        return mask

    @classmethod
    def apply(cls, module, name, amount, importance_scores=None):
        """Prune ``amount`` elements of the parameter ``name`` of ``module``."""
        return super().apply(module, name, amount=amount, importance_scores=importance_scores)


def _check_structured(t, dim):
    if t.dim() < 2:
        raise ValueError(
            "Structured pruning can only be applied to multidimensional tensors. Found tensor of "
            f"shape {tuple(t.shape)}"
        )
    if dim >= t.dim():
        raise IndexError(f"Invalid index {dim} for tensor of size {tuple(t.shape)}")


def _of_channels(t, dim, kept):
    """A mask of ``t``'s shape that is 1 in the channels ``kept`` along ``dim``."""
    mask = tg.zeros_like(t)
    index = [slice(None)] * t.dim()
    index[dim] = kept
    mask[tuple(index)] = 1
    return mask


class RandomStructured(_Amount):
    """Prunes whole channels at random.

    Args:
        amount: how many, or as a float which fraction.
        dim: the dimension of the channels.
    """

    PRUNING_TYPE = "structured"

    def __init__(self, amount, dim=-1):
        super().__init__(amount)
        self.dim = dim

    def compute_mask(self, t, default_mask):
        """``default_mask`` with zeros in the channels of the smallest uniform draws."""
        _check_structured(t, self.dim)
        size = t.shape[self.dim]
        n = self._count(size)
        if not n:
            return default_mask
        draws = tg.rand(size)
        kept = draws > tg.kthvalue(draws, n).values
        return _of_channels(t, self.dim, kept) * default_mask.to(dtype=t.dtype)

    @classmethod
    def apply(cls, module, name, amount, dim=-1):
        """Prune ``amount`` channels of the parameter ``name`` of ``module``."""
        return super().apply(module, name, amount=amount, dim=dim)


class LnStructured(_Amount):
    """Prunes the channels of the smallest norms.

    Args:
        amount: how many, or as a float which fraction.
        n: the order of the norm, as ``torch.norm`` takes it.
        dim: the dimension of the channels.
    """

    PRUNING_TYPE = "structured"

    def __init__(self, amount, n, dim=-1):
        super().__init__(amount)
        self.n, self.dim = n, dim

    def compute_mask(self, t, default_mask):
        """``default_mask`` with zeros in the channels of the smallest norms."""
        _check_structured(t, self.dim)
        size = t.shape[self.dim]
        n = self._count(size)
        if not n:
            return default_mask
        others = list(range(t.dim()))
        del others[self.dim]
        kept = tg.topk(tg.norm(t, p=self.n, dim=others), size - n).indices
        return _of_channels(t, self.dim, kept) * default_mask.to(dtype=t.dtype)

    @classmethod
    def apply(cls, module, name, amount, n, dim, importance_scores=None):
        """Prune ``amount`` channels of the parameter ``name`` of ``module``."""
        return super().apply(
            module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores
        )


class CustomFromMask(BasePruningMethod):
    """Prunes what a given mask says.

    Args:
        mask: zeros and ones in the parameter's shape.
    """

    PRUNING_TYPE = "global"

    def __init__(self, mask):
        self.mask = mask

    def compute_mask(self, t, default_mask):
        """``default_mask`` times the mask.

        Raises:
            AssertionError: the shapes differ.
        """
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"the mask has shape {tuple(self.mask.shape)}, the parameter "
                f"{tuple(default_mask.shape)}"
            )
        return default_mask * self.mask.to(dtype=default_mask.dtype)

    @classmethod
    def apply(cls, module, name, mask):
        """Prune the parameter ``name`` of ``module`` by ``mask``."""
        return super().apply(module, name, mask=mask)


# --- functions --------------------------------------------------------------------------


def identity(module, name):
    """Put a parameter under a mask of ones; returns the module, as all functions here."""
    Identity.apply(module, name)
    return module


def random_unstructured(module, name, amount):
    """Prune ``amount`` elements of a parameter at random, a number or a fraction.

    Raises:
        ValueError: ``amount`` is negative, a fraction above 1, or more than there are.
        TypeError: it is no number.
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module, name, amount, importance_scores=None):
    """Prune the ``amount`` elements of a parameter that are nearest to 0.

    Args:
        module: the module.
        name: the parameter's name.
        amount: a number, or a fraction as a float.
        importance_scores: what is judged instead of the parameter.

    Raises:
        ValueError: ``amount`` is negative, a fraction above 1, or more than there are.
        TypeError: it is no number.
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module, name, amount, dim):
    """Prune ``amount`` channels along ``dim`` at random.

    Raises:
        ValueError: ``amount`` is out of range, or the parameter has one dimension.
        IndexError: ``dim`` is out of range.
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module, name, amount, n, dim, importance_scores=None):
    """Prune the ``amount`` channels along ``dim`` whose norms of order ``n`` are smallest.

    Raises:
        ValueError: ``amount`` is out of range, or the parameter has one dimension.
        IndexError: ``dim`` is out of range.
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def global_unstructured(parameters, pruning_method, importance_scores=None, **kwargs):
    """Prune elements of several parameters judged together.

    Args:
        parameters: pairs (module, name).
        pruning_method: a subclass of :class:`BasePruningMethod`, such as :class:`L1Unstructured`.
        importance_scores: a dictionary from such pairs to what is judged instead.
        kwargs: arguments of the method, such as ``amount``.

    Raises:
        TypeError: ``parameters`` is not iterable, ``importance_scores`` is no dictionary, or the
            method is not an unstructured one.
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    if not isinstance(importance_scores, dict | None):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    parameters, scores = list(parameters), importance_scores or {}
    judged = [scores.get((module, name), getattr(module, name)) for module, name in parameters]
    masks = [
        getattr(module, name + "_mask", tg.ones_like(getattr(module, name)))
        for module, name in parameters
    ]
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f"global_unstructured() takes methods of PRUNING_TYPE 'unstructured', got "
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    method._tensor_name = "temp"
    container = PruningContainer(method)
    vector = parameters_to_vector(judged).detach()
    mask = container.compute_mask(vector, parameters_to_vector(masks).detach())
    start = 0
    for module, name in parameters:
        parameter = getattr(module, name)
        n = parameter.numel()
        custom_from_mask(module, name, mask[start : start + n].view_as(parameter))
        start += n


def custom_from_mask(module, name, mask):
    """Prune a parameter where ``mask`` is 0."""
    CustomFromMask.apply(module, name, mask)
    return module


def remove(module, name):
    """Make the pruning of a parameter permanent: the mask goes, the zeros stay.

    Raises:
        ValueError: the parameter is not pruned.
    """
    found = _hook_of(module, name)
    if found is None:
        raise ValueError(
            f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
        )
    key, hook = found
    hook.remove(module)
    del module._forward_pre_hooks[key]
    return module


def is_pruned(module):
    """Whether a parameter of ``module`` or of one within it is pruned."""
    return any(
        isinstance(hook, BasePruningMethod)
        for part in module.modules()
        for hook in part._forward_pre_hooks.values()
    )
