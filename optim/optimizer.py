"""The base of all optimizers: parameter groups, state, hooks and their saved form."""

from __future__ import annotations

import functools
import warnings
from collections import defaultdict
from collections.abc import Iterable
from copy import deepcopy

import numpy as np

from tensorgrad import dtypes
from tensorgrad._graph import Tensor, mark_mutated, set_recording, wrap
from tensorgrad.autograd.hooks import RemovableHandle

__all__ = [
    "Optimizer",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
    "required",
]


class _Required:
    def __repr__(self):
        return "<required parameter>"


required = _Required()  # as a default: the option must be given with each group


# Hooks of every optimizer.
_all_pre_hooks: dict = {}
_all_post_hooks: dict = {}


def register_optimizer_step_pre_hook(hook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before each step of every optimizer.

    Args:
        hook: as for :meth:`Optimizer.register_step_pre_hook`, whose hooks run after it.

    Returns:
        A handle that takes the hook out again.
    """
    return _register(_all_pre_hooks, hook)


def register_optimizer_step_post_hook(hook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after each step of every optimizer.

    Args:
        hook: as for :meth:`Optimizer.register_step_post_hook`, whose hooks run before it.

    Returns:
        A handle that takes the hook out again.
    """
    return _register(_all_post_hooks, hook)


def _with_hooks(step):
    """``step`` of a class, with the registered hooks around it."""

    @functools.wraps(step)
    def hooked(self, *args, **kwargs):
        self._opt_called = True  # what a scheduler asks for
        before, after = self._step_pre_hooks, self._step_post_hooks
        if not (before or after or _all_pre_hooks or _all_post_hooks) or self._stepping:
            return step(self, *args, **kwargs)
        self._stepping = True  # a step that calls super().step() is still one step
        try:
            given = (self, *args)
            for hook in [*_all_pre_hooks.values(), *before.values()]:
                changed = hook(self, given, kwargs)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        "a step pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {changed!r}"
                    )
                given, kwargs = changed
            result = step(*given, **kwargs)
            for hook in [*after.values(), *_all_post_hooks.values()]:
                hook(self, given, kwargs)
            return result
        finally:
            self._stepping = False

    return hooked


class Optimizer:
    """Base class of all optimizers.

    A subclass passes its options as ``defaults`` and writes :meth:`step`, which reads
    ``self.param_groups`` and keeps what it must remember in ``self.state[p]``.

    Args:
        params: an iterable of tensors, of ``(name, tensor)`` pairs, or of dicts, each of
            which is a group: ``{"params": [...], "lr": 0.1}``. Tensors must be leaves.
        defaults: the options of groups that do not set them.

    Attributes:
        param_groups: one dict per group, with its ``params`` and every option. Options
            may be changed between steps.
        state: a dict per parameter that was updated.
        defaults: the options of groups that do not set them.

    Raises:
        TypeError: ``params`` is a single tensor, or holds something that is no tensor.
        ValueError: ``params`` is empty, a tensor is not a leaf or is in two groups, a
            required option is missing, or only some parameters have names.

    >>> import tensorgrad
    >>> class SignDescent(tensorgrad.optim.Optimizer):
    ...     def __init__(self, params, lr=0.1):
    ...         super().__init__(params, {"lr": lr})
    ...
    ...     def step(self, closure=None):
    ...         for group in self.param_groups:
    ...             for p in group["params"]:
    ...                 p.data -= group["lr"] * p.grad.data.sign()
    >>> w = tensorgrad.tensor([3.0, -4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SignDescent([w]).step()
    >>> w
    tensor([ 2.9000, -3.9000], requires_grad=True)
    """

    _stepping = False
    _opt_called = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = _with_hooks(cls.step)

    def __init__(self, params, defaults: dict):
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or "
                f"dicts, but got {type(params).__name__}; put it in a list"
            )
        self.defaults = defaults
        self.state: defaultdict = defaultdict(dict)
        self.param_groups: list[dict] = []
        self._forget()
        groups = list(params)
        if not groups:
            raise ValueError(
                "optimizer got an empty parameter list; was the generator of parameters() "
                "already used up?"
            )
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _forget(self):
        """Start without hooks; subclasses also drop what they can work out again."""
        self._step_pre_hooks: dict = {}
        self._step_post_hooks: dict = {}
        self._state_dict_pre_hooks: dict = {}
        self._state_dict_post_hooks: dict = {}
        self._load_state_dict_pre_hooks: dict = {}
        self._load_state_dict_post_hooks: dict = {}

    def __getstate__(self):
        return {k: getattr(self, k) for k in ("defaults", "state", "param_groups")}

    def __setstate__(self, state):
        self.__dict__.update(state)
        if "_step_pre_hooks" not in self.__dict__:
            self._forget()
        for group in self.param_groups:  # options that an older version did not have
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    def __repr__(self):
        groups = []
        for i, group in enumerate(self.param_groups):
            options = [f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params"]
            groups.append(f"\nParameter Group {i}\n{''.join(options)}")
        return f"{type(self).__name__} ({''.join(groups)})"

    # --- groups ---------------------------------------------------------------------

    def add_param_group(self, param_group: dict) -> None:
        """Add a group of parameters, such as layers that are unfrozen during training.

        Args:
            param_group: ``{"params": tensor or iterable, option: value, ...}``; options
                that it lacks take their defaults.

        Raises:
            TypeError, ValueError: as for the class.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = param_group
        group["params"], names = _listed(group["params"])
        if names:
            group["param_names"] = names
        for p in group["params"]:
            self._check_param(p)
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    + name
                )
            group.setdefault(name, default)
        if len(group["params"]) != len(set(group["params"])):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters, each of which "
                "is updated as often as it occurs; pass every parameter once",
                stacklevel=3,
            )
        for other in self.param_groups:
            if ("param_names" in group) != ("param_names" in other):
                which = "with" if "param_names" in group else "without"
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {which} names to the optimizer"
                )
            if not set(group["params"]).isdisjoint(other["params"]):
                raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    def _check_param(self, p):
        if not isinstance(p, Tensor):
            raise TypeError(
                f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}"
            )
        if not (p.is_leaf or getattr(p, "retains_grad", False)):
            raise ValueError(
                "can't optimize a non-leaf Tensor: this one is the result of "
                f"{p.grad_fn.name()}; pass the tensors it was computed from, or detach() it"
            )

    # --- steps ----------------------------------------------------------------------

    def step(self, closure=None):
        """Update the parameters once; every optimizer writes its own.

        Args:
            closure: computes the loss anew, with its gradients, and returns it.

        Returns:
            What ``closure`` returned, None without it.
        """
        raise NotImplementedError(f"{type(self).__name__} must write step()")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters.

        Args:
            set_to_none: False fills them with zeros instead. A parameter whose gradient is
                None is left alone by the next step, one whose gradient is zero is not.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p._grad = None
                elif p._grad is not None:
                    p._grad._edge = None
                    p._grad._array.fill(0)
                    mark_mutated(p._grad._array)

    def register_step_pre_hook(self, hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step.

        ``args`` begins with the optimizer. The hook may return ``(args, kwargs)`` to be
        used instead. The handle that is returned takes the hook out again.
        """
        return _register(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return _register(self._step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook, prepend=False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before each :meth:`state_dict`; ``prepend``: before others."""
        return _register(self._state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after it; what it returns, if any, is used."""
        return _register(self._state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before each :meth:`load_state_dict`.

        What it returns, if any, is loaded. ``prepend`` puts the hook before the others.
        """
        return _register(self._load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after each :meth:`load_state_dict`."""
        return _register(self._load_state_dict_post_hooks, hook, prepend)

    # --- checks, for the steps of subclasses -------------------------------------------

    def _check_gradients(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p._grad is not None and not fits(p):
                    raise self._mismatch(p, "gradient", p._grad._array)

    def _check(self, p, names):
        """Refuse a parameter that cannot be written to, or whose state has another shape."""
        if not p._array.flags.writeable:
            raise RuntimeError(
                f"{type(self).__name__}: {self._which(p)} is on read-only memory; clone() it "
                "before it becomes a parameter"
            )
        for name in names:
            entry = self.state.get(p, {}).get(name)
            if isinstance(entry, Tensor) and entry._array.shape != p._array.shape:
                raise self._mismatch(p, repr(name), entry._array)

    def _mismatch(self, p, what, array):
        return RuntimeError(
            f"{type(self).__name__}: {self._which(p)} has shape {p._array.shape} and dtype "
            f"{p._array.dtype}, but its {what} has {array.shape} and {array.dtype}; no parameter "
            "was changed"
        )

    def _which(self, p):
        """Where the parameter stands, for messages."""
        for i, group in enumerate(self.param_groups):
            for j, other in enumerate(group["params"]):
                if other is p:
                    name = group["param_names"][j] if "param_names" in group else j
                    return f"parameter {name} of group {i}"
        return "a parameter"

    # --- saving ---------------------------------------------------------------------

    def state_dict(self) -> dict:
        """The state and the options, with parameters replaced by their positions.

        The tensors in it are those of the optimizer, not copies.

        >>> import tensorgrad
        >>> w = tensorgrad.zeros(2, requires_grad=True)
        >>> w.sum().backward()
        >>> sgd = tensorgrad.optim.SGD([w], lr=0.1, momentum=0.9)
        >>> sgd.step()
        >>> sgd.state_dict()["state"]
        {0: {'momentum_buffer': tensor([1., 1.])}}
        >>> sgd.state_dict()["param_groups"][0]["params"]
        [0]
        """
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self)
        position: dict = {}
        start, groups = 0, []
        for group in self.param_groups:
            for i, p in enumerate(group["params"], start):
                position.setdefault(p, i)
            start += len(group["params"])
            packed = {k: v for k, v in group.items() if k != "params"}
            packed["params"] = [position[p] for p in group["params"]]
            groups.append(packed)
        state = {position[k] if isinstance(k, Tensor) else k: v for k, v in self.state.items()}
        saved = {"state": state, "param_groups": groups}
        for hook in list(self._state_dict_post_hooks.values()):
            saved = _or_else(hook(self, saved), saved)
        return saved

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what :meth:`state_dict` returned, here or in PyTorch.

        Tensors are copied, floating ones in the dtype of their parameter. Parameters are
        matched by position.

        Raises:
            ValueError: the number of groups, or of parameters in one, differs.
        """
        for hook in list(self._load_state_dict_pre_hooks.values()):
            state_dict = dict(state_dict)  # what a hook adds or takes out is not the caller's
            state_dict = _or_else(hook(self, state_dict), state_dict)
        groups = self.param_groups
        saved = deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError(
                "loaded state dict has a different number of parameter groups: "
                f"{len(saved)} instead of {len(groups)}"
            )
        for i, (group, new) in enumerate(zip(groups, saved, strict=True)):
            if len(group["params"]) != len(new["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of "
                    f"optimizer's group: group {i} has {len(new['params'])} parameters instead "
                    f"of {len(group['params'])}"
                )
        positions = [i for new in saved for i in new["params"]]
        params = [p for group in groups for p in group["params"]]
        param_at = dict(zip(positions, params, strict=True))
        state: defaultdict = defaultdict(dict)
        for key, value in state_dict["state"].items():
            p = param_at.get(key)
            state[key if p is None else p] = value if p is None else _copied(value, p)
        for group, new in zip(groups, saved, strict=True):
            new["params"] = group["params"]
            if "param_names" in group:
                new.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in list(self._load_state_dict_post_hooks.values()):
            hook(self)


def fits(p) -> bool:
    """Whether the gradient has the shape and dtype of its parameter."""
    array, g = p._array, p._grad._array
    return g.shape == array.shape and g.dtype == array.dtype


def count_dtype():
    """What PyTorch counts steps in."""
    return np.float64 if dtypes.default_float() == np.float64 else np.float32


def with_grad(closure):
    """What ``closure`` returns, called with recording on."""
    before = set_recording(True)
    try:
        return closure()
    finally:
        set_recording(before)


def refuse_complex(optimizer, p) -> None:
    """Refuse a parameter whose elements have no order.

    Raises:
        NotImplementedError: ``p`` is complex.
    """
    if p._array.dtype.kind == "c":
        raise NotImplementedError(
            f"{type(optimizer).__name__} does not support complex parameters; keep the real and "
            "the imaginary part as two real ones"
        )


def _listed(params):
    """The parameters of a group as a list, and their names, None where they have none."""
    if isinstance(params, Tensor):
        return [params], None
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering "
            "of tensors in sets will change between runs. Please use a list instead."
        )
    params = list(params)
    names = [p[0] for p in params if isinstance(p, tuple)]
    if names and len(names) != len(params):
        raise ValueError(
            "all optimizer params should be with/without names. Some param names are missing"
        )
    return [p[1] if isinstance(p, tuple) else p for p in params], names or None


def _register(hooks, hook, prepend=False):
    if not callable(hook):
        raise TypeError(f"a hook must be callable, got {type(hook).__name__}")
    handle = RemovableHandle(hooks)
    others = dict(hooks) if prepend else {}
    for key in others:  # taken out and put back behind the new one
        del hooks[key]
    hooks[handle.id] = hook
    hooks.update(others)
    return handle


def _or_else(value, default):
    return default if value is None else value


def _copied(value, param, key=None):
    """A copy of saved state, with floating tensors in the dtype of ``param`` (not ``step``)."""
    if isinstance(value, Tensor):
        own = param._array.dtype
        same = key == "step" or own.kind != "f"
        return wrap(np.array(value._array, dtype=None if same else own))
    if isinstance(value, dict):
        return {k: _copied(v, param, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return type(value)(_copied(v, param) for v in value)
    return value


def check_options(options: dict, nonnegative: str) -> None:
    """Refuse the options that the optimizers of PyTorch refuse.

    Args:
        options: all of them, by name.
        nonnegative: names of those that must be at least 0, separated by spaces.

    Raises:
        ValueError: one of these is negative, a beta is not in [0, 1), or a tensor has more
            than one element.
        RuntimeError, NotImplementedError: as :func:`check_switches`.
    """
    for name in nonnegative.split():
        check_range(_WORDS.get(name, f"{name} value"), options[name])
    for i, beta in enumerate(options.get("betas", ())):
        check_range(f"beta parameter at index {i}", beta, below=1.0)
    check_switches(*(options.get(name) for name in ("foreach", "fused", "differentiable")))


def chosen(**variants) -> dict:
    """The variants that were asked for, as options.

    Those that were not are no options at all, so that the saved form is PyTorch's.
    """
    return {name: True for name, wanted in variants.items() if wanted}


_WORDS = {"lr": "learning rate", "eps": "epsilon value"}


def check_range(what, value, below=None):
    """Refuse an option that is negative, or not below ``below``.

    Raises:
        ValueError: it is out of range, or a tensor of more than one element.
    """
    if isinstance(value, Tensor):
        if value._array.size != 1:
            raise ValueError(f"Tensor {what} must be 1-element, got shape {value._array.shape}")
        value = value._array.item()
    if not 0.0 <= value or (below is not None and not value < below):
        where = "at least 0" if below is None else f"in [0, {below:g})"
        raise ValueError(f"Invalid {what}: {value}; it must be {where}")


def check_switches(foreach, fused, differentiable):
    """Refuse what PyTorch refuses of these switches, and what would be ignored here.

    Raises:
        RuntimeError: ``fused`` together with ``foreach`` or ``differentiable``.
        NotImplementedError: ``differentiable`` is True.
    """
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
    if differentiable:
        raise NotImplementedError(
            "differentiable=True is not supported: the update is not recorded. Write it with "
            "tensor operations, on gradients made with create_graph=True"
        )
