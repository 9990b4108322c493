"""Module: a tree of parameters, buffers and further modules.

A module's own attribute dictionary is the registry: a Parameter in it is a parameter, a Module
a child, and the names that :meth:`Module.register_buffer` announced are buffers. So reading
``self.weight`` costs what any attribute costs, and nothing is stored twice.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple
from functools import partial

import numpy as np

from tensorgrad import Tensor, dtypes
from tensorgrad._absent import NO_GPU
from tensorgrad._device import check as check_device
from tensorgrad._graph import wrap
from tensorgrad.autograd.hooks import RemovableHandle
from tensorgrad.errors import NoDeviceError
from tensorgrad.nn.modules import _hooks
from tensorgrad.nn.parameter import Buffer, Parameter, is_lazy


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    __slots__ = ()

    def __repr__(self):
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    def problems(self, strict):
        """Messages about the keys, none unless strict."""
        found = []
        if strict and self.missing_keys:
            found.append(f"Missing key(s) in state_dict: {_quoted(self.missing_keys)}.")
        if strict and self.unexpected_keys:
            found.append(f"Unexpected key(s) in state_dict: {_quoted(self.unexpected_keys)}.")
        return found


class _Named:
    """The entries of one kind in a module's attributes, as the dictionary PyTorch has there."""

    def __init__(self, module, kind):
        self._vars, self._kind, self._module = vars(module), kind, module

    def _belongs(self, name, value):
        return _kind(self._module, name, value) == self._kind

    def items(self):
        return [(k, v) for k, v in self._vars.items() if self._belongs(k, v)]

    def keys(self):
        return [k for k, _ in self.items()]

    def values(self):
        return [v for _, v in self.items()]

    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return len(self.items())

    def __contains__(self, name):
        return name in self._vars and self._belongs(name, self._vars[name])

    def __getitem__(self, name):
        if name not in self:
            raise KeyError(name)
        return self._vars[name]

    def get(self, name, default=None):
        return self._vars[name] if name in self else default

    def __setitem__(self, name, value):
        setattr(self._module, name, value)

    def __delitem__(self, name):
        self[name]
        delattr(self._module, name)

    def pop(self, name, *default):
        if name not in self and default:
            return default[0]
        value = self[name]
        del self[name]
        return value

    def __repr__(self):
        return repr(dict(self.items()))


def _kind(module, name, value):
    """What an attribute is: "parameter", "buffer", "module" or None."""
    if isinstance(value, Parameter):
        return "parameter"
    if isinstance(value, Module):
        return "module"
    slots = module._slots
    return slots.get(name) if slots else None


_PLAIN = frozenset((int, float, str, bool, tuple))
_EXTRA = "_extra_state"


class Module:
    """Base class of all layers and models.

    Write the layers in ``__init__`` (after ``super().__init__()``) and the computation in
    ``forward``; parameters, nested modules and buffers are found by themselves.

    Attributes:
        training: whether the module is in training mode; see :meth:`train` and :meth:`eval`.

    >>> import tensorgrad as torch
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = torch.nn.Linear(3, 2)
    ...     def forward(self, x):
    ...         return self.layer(x).relu()
    >>> [name for name, _ in Net().named_parameters()]
    ['layer.weight', 'layer.bias']
    >>> Net()
    Net(
      (layer): Linear(in_features=3, out_features=2, bias=True)
    )
    """

    training = True
    dump_patches = False
    call_super_init = False

    # Names that are parameters, buffers or modules whatever they hold now (None included).
    _slots: dict | None = None
    _transient: frozenset = frozenset()  # buffers that state_dict leaves out
    _version = 1  # of the module's part of a state dict
    # Whether a call has to look for hooks. Their dictionaries are made when first needed.
    _hooked = False
    _is_full_backward_hook = None  # None while there are no backward hooks

    def __init__(self, *args, **kwargs):
        if args or kwargs:
            raise TypeError(
                f"{type(self).__name__}.__init__() got unexpected arguments {args or kwargs}"
            )
        self.__dict__["training"] = True

    def forward(self, *args, **kwargs):
        """The computation; every subclass writes its own.

        Raises:
            NotImplementedError: the subclass has none.
        """
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args, **kwargs):
        """Run :meth:`forward` between the hooks."""
        if self._hooked:
            return _hooks.Call(self, args, kwargs).run()
        if len(args) == 1 and not kwargs:
            return self.forward(args[0])  # 0.1 us less than spreading them
        return self.forward(*args, **kwargs)

    # --- attributes ---------------------------------------------------------------------

    def __setattr__(self, name, value):
        attributes = self.__dict__
        if type(value) in _PLAIN:
            if name in attributes or name.startswith("_"):
                self._check_replace(name, value)
            attributes[name] = value
            return
        if "training" not in attributes and isinstance(value, Module | Parameter):
            raise AttributeError(
                f"cannot assign {type(value).__name__.lower()} before Module.__init__() call: "
                f"begin {type(self).__name__}.__init__ with super().__init__()"
            )
        if isinstance(value, Buffer):
            self.register_buffer(name, value, value.persistent)
            return
        if isinstance(getattr(type(self), name, None), property):
            object.__setattr__(self, name, value)
            return
        if name in attributes:
            self._check_replace(name, value)
            if isinstance(value, Module | Parameter) and _kind(
                self, name, attributes[name]
            ) != _kind(self, name, value):
                del attributes[name]  # registered anew, so it takes its place at the end
        attributes[name] = value

    def _check_replace(self, name, value):
        """Refuse to overwrite a parameter or buffer with something else, as PyTorch does."""
        if isinstance(getattr(type(self), name, None), property):
            raise AttributeError(f"can't set attribute {name!r}")
        kind = _kind(self, name, self.__dict__.get(name))
        wanted = {"parameter": Parameter, "buffer": Tensor, "module": Module}.get(kind)
        if wanted is None or value is None or isinstance(value, wanted | Module):
            return
        raise TypeError(
            f"cannot assign '{type(value).__name__}' as {kind} '{name}' "
            f"({wanted.__name__} or None expected)"
        )

    def __getattr__(self, name):
        if name in ("_parameters", "_buffers", "_modules"):
            return _Named(self, name[1:-1])
        if name in _hooks.TABLES:
            table = self.__dict__[name] = OrderedDict()
            self.__dict__["_hooked"] = True
            return table
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name):
        if name not in self.__dict__:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        del self.__dict__[name]
        if self._slots:
            self._slots.pop(name, None)

    def __dir__(self):
        return sorted({*object.__dir__(self), *vars(self)})

    def _register(self, name, value, kind):
        if "training" not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string, got {type(name).__name__}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got {name!r}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and _kind(self, name, self.__dict__.get(name)) != kind:
            raise KeyError(f"attribute '{name}' already exists")
        if self._slots is None:
            self.__dict__["_slots"] = {}
        self._slots[name] = kind
        self.__dict__[name] = value

    def register_parameter(self, name, param):
        """Add a parameter; None keeps the name free for one."""
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type(param).__name__}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        self._register(name, param, "parameter")

    def register_buffer(self, name, tensor, persistent=True):
        """Add a tensor that is part of the state and does not train.

        Args:
            name: the attribute it becomes.
            tensor: the tensor, or None.
            persistent: whether ``state_dict`` holds it.
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        self._register(name, tensor, "buffer")
        if not persistent:
            self.__dict__["_transient"] = self._transient | {name}
        elif name in self._transient:
            self.__dict__["_transient"] = self._transient - {name}

    def register_module(self, name, module):
        """Add a child module; the same as :meth:`add_module`."""
        self.add_module(name, module)

    def add_module(self, name, module):
        """Add a child module under ``name``; None keeps the name free for one."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._register(name, module, "module")

    # --- walking the tree ---------------------------------------------------------------

    def _own(self, kind):
        """The (name, value) pairs of one kind, in order of registration."""
        return [(k, v) for k, v in vars(self).items() if _kind(self, k, v) == kind]

    def named_children(self):
        """Yield (name, module) for the modules directly inside this one, each once."""
        seen = set()
        for name, module in self._own("module"):
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self):
        """Yield the modules directly inside this one."""
        for _, module in self.named_children():
            yield module

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """Yield (dotted path, module) for this module and all inside it, each once."""
        memo = set() if memo is None else memo
        if remove_duplicate:
            if self in memo:
                return
            memo.add(self)
        yield prefix, self
        for name, module in self._own("module"):
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self, remove_duplicate=True):
        """Yield this module and all inside it, each once unless ``remove_duplicate`` is False."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def _named_members(self, kind, prefix, recurse, remove_duplicate):
        modules = self.named_modules(prefix=prefix) if recurse else [(prefix, self)]
        seen = set()
        for path, module in modules:
            for name, value in module._own(kind):
                if value is None or (remove_duplicate and id(value) in seen):
                    continue
                seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """Yield (dotted path, parameter), a shared one once."""
        return self._named_members("parameter", prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        """Yield the parameters, a shared one once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """Yield (dotted path, buffer)."""
        return self._named_members("buffer", prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """Yield the buffers."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target):
        """The module at a dotted path.

        Raises:
            AttributeError: there is none.
        """
        module = self
        for name in target.split(".") if target else ():
            child = vars(module).get(name)
            if not isinstance(child, Module):
                raise AttributeError(f"{type(module).__name__} has no submodule `{name}`")
            module = child
        return module

    def set_submodule(self, target, module, strict=False):
        """Put a module at a dotted path.

        Args:
            target: the path; the module that holds its last name must exist.
            module: what to put there.
            strict: only replace a module that is there.

        Raises:
            ValueError: the path is empty, or ``module`` is no module.
            AttributeError: there is nothing to put it in, something else in its place, or
                nothing to replace (``strict``).
        """
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if hasattr(parent, name):
            if not isinstance(getattr(parent, name), Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        elif strict:
            raise AttributeError(f"{type(parent).__name__} has no attribute `{name}`")
        setattr(parent, name, module)

    def get_parameter(self, target):
        """The parameter at a dotted path."""
        path, _, name = target.rpartition(".")
        value = vars(self.get_submodule(path)).get(name)
        if not isinstance(value, Parameter):
            raise AttributeError(f"`{target}` is not an nn.Parameter")
        return value

    def get_buffer(self, target):
        """The buffer at a dotted path."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if _kind(module, name, vars(module).get(name)) != "buffer":
            raise AttributeError(f"`{target}` is not a buffer")
        return vars(module)[name]

    def apply(self, fn):
        """Call ``fn`` on every module inside this one and on itself; returns the module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # --- modes and gradients ------------------------------------------------------------

    def train(self, mode=True):
        """Set training mode (dropout draws, batch norm learns) here and below."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self):
        """Set evaluation mode here and below; the same as ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Freeze (False) or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Clear the gradients of all parameters, to None or (``set_to_none=False``) to zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter._grad = None
            elif parameter._grad is not None:
                parameter._grad = wrap(np.zeros_like(parameter._grad._array))

    # --- conversion ---------------------------------------------------------------------

    def _apply(self, fn, recurse=True):
        """Replace the memory of each parameter, gradient and buffer by ``fn`` of the array."""
        for module in self.modules() if recurse else (self,):
            for _, parameter in module._own("parameter"):
                if is_lazy(parameter):
                    parameter._convert(fn)
                elif parameter is not None:
                    parameter._array = fn(parameter._array)
                    if parameter._grad is not None:
                        parameter._grad = wrap(fn(parameter._grad._array))
            for name, buffer in module._own("buffer"):
                if is_lazy(buffer):
                    buffer._convert(fn)
                elif buffer is not None:
                    vars(module)[name] = wrap(fn(buffer._array))
        return self

    def _cast(self, dtype):
        own = dtypes.to_numpy(dtype)
        return self._apply(lambda a: a.astype(own) if a.dtype.kind == "f" else a)

    def to(self, *args, dtype=None, device=None, non_blocking=False, memory_format=None):
        """Convert floating-point parameters and buffers to ``dtype``; ``device`` is the CPU."""
        for a in args:
            if isinstance(a, dtypes.dtype):
                dtype = a
            elif isinstance(a, Tensor):
                dtype = a.dtype
            elif not isinstance(a, bool):
                device = a
        check_device(device)
        if dtype is None:
            return self
        if not dtype.is_floating_point:
            raise TypeError(f"nn.Module.to only accepts floating point dtypes, but got {dtype}")
        return self._cast(dtype)

    def float(self):
        """Convert to float32."""
        return self._cast(dtypes.float32)

    def double(self):
        """Convert to float64."""
        return self._cast(dtypes.float64)

    def half(self):
        """Convert to float16."""
        return self._cast(dtypes.float16)

    def bfloat16(self):
        """Raises UnsupportedDtypeError: NumPy has no such dtype."""
        return self._cast(dtypes.bfloat16)

    def type(self, dst_type):
        """Convert all parameters and buffers to a dtype."""
        return self._cast(dst_type)

    def cpu(self):
        """This module: it is on the CPU."""
        return self

    def cuda(self, device=None):
        """Raises NoDeviceError, a RuntimeError: there is only the CPU."""
        raise NoDeviceError(NO_GPU)

    ipu = mtia = xpu = cuda

    def to_empty(self, *, device, recurse=True):
        """Give parameters and buffers new memory, whose values are arbitrary.

        Args:
            device: the CPU.
            recurse: in the modules inside this one too.
        """
        check_device(device)
        return self._apply(np.empty_like, recurse)

    def compile(self, *args, **kwargs):
        """Accepted without effect: there is no compiler, the module runs as it is."""

    def share_memory(self):
        """This module: threads share its memory already."""
        return self

    # --- state --------------------------------------------------------------------------

    def get_extra_state(self):
        """Further state for ``state_dict``; override together with :meth:`set_extra_state`."""
        raise RuntimeError("get_extra_state is meant to be overridden")

    def set_extra_state(self, state):
        """Take what :meth:`get_extra_state` gave; override both."""
        raise RuntimeError("set_extra_state is meant to be overridden")

    def _state(self):
        """The (name, tensor) pairs of this module alone that ``state_dict`` holds."""
        pairs = self._own("parameter")
        pairs += [(k, v) for k, v in self._own("buffer") if k not in self._transient]
        return [(k, v) for k, v in pairs if v is not None]

    def _hooks_in(self, table):
        return list(vars(self).get(table, {}).values())

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        """The parameters and persistent buffers by dotted path, on the module's own memory.

        Its attribute ``_metadata`` holds the version of each module by path.

        Args:
            args: the three below by position, which is deprecated.
            destination: a dictionary to fill instead of a new one.
            prefix: put before every key.
            keep_vars: give the parameters themselves rather than detached tensors.
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead.",
                FutureWarning,
                stacklevel=2,
            )
            given = (*args, *(destination, prefix, keep_vars)[len(args) :])
            destination, prefix, keep_vars = given
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._hooks_in("_state_dict_pre_hooks"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._own("module"):
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook, public in self._hooks_in("_state_dict_hooks"):
            result = hook(self, destination, prefix, local_metadata)
            if result is not None:
                if public:
                    raise RuntimeError("state_dict post-hook must return None")
                destination = result
        return destination

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        for name, tensor in self._state():
            as_it_is = keep_vars or is_lazy(tensor)
            destination[prefix + name] = tensor if as_it_is else tensor.detach()
        if type(self).get_extra_state is not Module.get_extra_state:
            destination[prefix + _EXTRA] = self.get_extra_state()

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy parameters and buffers from ``state_dict``. Nothing is changed if it does not fit.

        (With hooks that run after loading, keys are compared after them, so that they can forgive
        some; then values have been copied.)

        Args:
            state_dict: tensors by dotted path, as :meth:`state_dict` gives them.
            strict: demand that the keys match exactly.
            assign: take the tensors themselves instead of copying their values.

        Returns:
            The missing and the unexpected keys.

        Raises:
            RuntimeError: keys are missing or unexpected (``strict``), or shapes differ.
        """
        if not hasattr(state_dict, "items"):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict).__name__}")
        metadata = getattr(state_dict, "_metadata", None) or {}
        problems, steps = [], []
        result = _IncompatibleKeys([], [])
        self._load_tree(OrderedDict(state_dict), "", metadata, assign, result, problems, steps)
        hooks = [
            (module, hook)
            for module in reversed(list(self.modules()))
            for hook in module._hooks_in("_load_state_dict_post_hooks")
        ]
        if not hooks:
            problems = result.problems(strict) + problems
        self._refuse(problems)
        for step in steps:
            step()
        for module, hook in hooks:
            if hook(module, result) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected "
                    "to return new values; modify incompatible_keys in place"
                )
        self._refuse(result.problems(strict))
        return result

    def _refuse(self, problems):
        if problems:
            text = "\n\t".join(problems)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{text}"
            )

    def _load_tree(self, state_dict, prefix, metadata, assign, keys, problems, steps):
        """Have each module look at its part of the state dict; what is to be done goes to steps."""
        local = dict(metadata.get(prefix[:-1], {}))
        local.update(assign_to_params_buffers=assign, steps=steps)
        self._load_from_state_dict(
            state_dict, prefix, local, True, keys.missing_keys, keys.unexpected_keys, problems
        )
        for name, module in self._own("module"):
            if module is not None:
                below = f"{prefix}{name}."
                part = {k: v for k, v in state_dict.items() if k.startswith(below)}
                module._load_tree(part, below, metadata, assign, keys, problems, steps)

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        """Load this module alone; a subclass may override it to read what an older version saved.

        Args:
            state_dict: a dictionary that may be changed, with the keys of this part of the tree.
            prefix: of the keys of this module.
            local_metadata: what the state dict's ``_metadata`` says of this module.
            strict: whether to look for missing and unexpected keys.
            missing_keys: where to append those.
            unexpected_keys: and those.
            error_msgs: and messages about values that do not fit.
        """
        for hook in self._hooks_in("_load_state_dict_pre_hooks"):
            hook(
                state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                error_msgs,
            )  # fmt: skip
        steps = local_metadata.get("steps")
        todo = [] if steps is None else steps
        assign = local_metadata.get("assign_to_params_buffers", False)
        own = dict(self._state())
        for name, tensor in own.items():
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            problem = _misfit(key, tensor, state_dict[key])
            if problem:
                error_msgs.append(problem)
            else:
                todo.append(partial(_load, self, name, tensor, state_dict[key], assign))
        known = {prefix + name for name in own}
        extra = prefix + _EXTRA
        if type(self).set_extra_state is not Module.set_extra_state:
            known.add(extra)
            if extra in state_dict:
                todo.append(partial(self.set_extra_state, state_dict[extra]))
            elif strict:
                missing_keys.append(extra)
        if strict:
            children = {name for name, _ in self._own("module")}
            for key in state_dict:
                if key.startswith(prefix) and key not in known:
                    name, dot, _ = key[len(prefix) :].partition(".")
                    if not dot or name not in children:
                        unexpected_keys.append(key)
        if steps is None:
            for step in todo:
                step()

    # --- hooks --------------------------------------------------------------------------

    def _add_hook(self, table, hook, first=False, **asked):
        """Put a hook into a table, and into the further tables for what is asked of it."""
        return _put(lambda name: getattr(self, name), table, hook, first, asked)

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call ``hook(module, args)`` before each forward; what it returns replaces the args.

        Args:
            hook: the function.
            prepend: call it before the hooks that are there already.
            with_kwargs: call ``hook(module, args, kwargs)``, which may return new ones of both.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._add_hook("_forward_pre_hooks", hook, prepend, with_kwargs=with_kwargs)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call ``hook(module, args, output)`` after each forward; a result replaces the output.

        Args:
            hook: the function.
            prepend: call it before the hooks that are there already.
            with_kwargs: call ``hook(module, args, kwargs, output)``.
            always_call: call it when forward failed, too.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._add_hook(
            "_forward_hooks", hook, prepend, with_kwargs=with_kwargs, always_called=always_call
        )

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call ``hook(module, grad_output)`` when backward has the gradients of the outputs.

        Args:
            hook: the function; ``grad_output`` is a tuple with None for what is no tensor, and a
                tuple that it returns takes its place.
            prepend: call it before the hooks that are there already.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._add_hook("_backward_pre_hooks", hook, prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call ``hook(module, grad_input, grad_output)`` when backward has passed the module.

        Both are tuples, for the positional arguments and for the outputs, with None for what is
        no tensor. The hook may return another ``grad_input``. Where no argument requires grad it
        is called with the gradients of the outputs alone, and a warning.

        Args:
            hook: the function.
            prepend: call it before the hooks that are there already.

        Returns:
            A handle whose ``remove()`` takes the hook away.

        Raises:
            RuntimeError: the module has a hook of :meth:`register_backward_hook`.

        >>> import tensorgrad as torch
        >>> layer = torch.nn.Linear(2, 1)
        >>> handle = layer.register_full_backward_hook(lambda m, gi, go: print(go))
        >>> layer(torch.ones(1, 2, requires_grad=True)).sum().backward()
        (tensor([[1.]]),)
        """
        self._set_full(True)
        return self._add_hook("_backward_hooks", hook, prepend)

    def register_backward_hook(self, hook):
        """Call ``hook(module, grad_input, grad_output)`` for the last operation of the module.

        The old form: its ``grad_input`` are the gradients of the inputs of the operation that
        made the output. Use :meth:`register_full_backward_hook`.

        Raises:
            RuntimeError: the module has a full backward hook.
        """
        self._set_full(False)
        return self._add_hook("_backward_hooks", hook)

    def _set_full(self, full):
        if self._is_full_backward_hook not in (None, full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single "
                "Module. Please use only one of them."
            )
        self.__dict__["_is_full_backward_hook"] = full

    def register_state_dict_pre_hook(self, hook):
        """Call ``hook(module, prefix, keep_vars)`` before the module writes its ``state_dict``."""
        return self._add_hook("_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook):
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after it; it may change it."""
        return self._add_hook("_state_dict_hooks", (hook, True))

    def _register_state_dict_hook(self, hook):
        """As the public one, but a dictionary that the hook returns takes the other's place."""
        return self._add_hook("_state_dict_hooks", (hook, False))

    def register_load_state_dict_pre_hook(self, hook):
        """Call ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys, ...)``.

        It is called before the module reads its part of the dictionary, which it may change;
        the further arguments are ``unexpected_keys`` and ``error_msgs``.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        """As the public one; without the module unless asked for."""
        return self._add_hook(
            "_load_state_dict_pre_hooks", _BoundHook(hook, self) if with_module else hook
        )

    def register_load_state_dict_post_hook(self, hook):
        """Call ``hook(module, incompatible_keys)`` after each ``load_state_dict``."""
        return self._add_hook("_load_state_dict_post_hooks", hook)

    # --- printing -----------------------------------------------------------------------

    def extra_repr(self):
        """What stands between the parentheses of the module's line; override to say more."""
        return ""

    def _get_name(self):
        return type(self).__name__

    def __repr__(self):
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [
            f"({name}): " + _indent(repr(module), 2) for name, module in self._own("module")
        ]
        body = lines + children
        if not body:
            return f"{self._get_name()}()"
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({lines[0]})"
        return self._get_name() + "(\n  " + "\n  ".join(body) + "\n)"


def _indent(text, width):
    first, *rest = text.split("\n")
    return "\n".join([first] + [" " * width + line for line in rest])


def _quoted(keys):
    return ", ".join(f'"{k}"' for k in keys)


# --- loading ----------------------------------------------------------------------------


def _misfit(key, own, value):
    """Why ``value`` cannot be loaded into the tensor ``own``; None if it can."""
    if not isinstance(value, Tensor):
        return (
            f'While copying the parameter named "{key}", expected a Tensor, got '
            f"{type(value).__name__}."
        )
    if is_lazy(value):
        if not is_lazy(own):
            return (
                f'While copying the parameter named "{key}": it is uninitialized in the checkpoint '
                "and has a shape in the current model."
            )
    elif not is_lazy(own) and value._array.shape != own._array.shape:
        return (
            f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
            f"the shape in current model is {own.shape}."
        )
    return None


def _load(module, name, own, value, assign):
    if is_lazy(value):
        return
    if assign:
        parameter = isinstance(own, Parameter)
        vars(module)[name] = Parameter(value, own.requires_grad) if parameter else value
        return
    if is_lazy(own):
        own.materialize(value.shape)
    own.detach().copy_(value.detach())


# --- hooks ------------------------------------------------------------------------------


class _BoundHook:
    """A hook that is called with its module first; copies of the module get their own."""

    def __init__(self, hook, module):
        self.hook, self.module = hook, module

    def __call__(self, *args):
        return self.hook(self.module, *args)


class _GlobalHandle(RemovableHandle):
    """The handle of a hook of every module."""

    def remove(self):
        """Take the hook away; with the last one, calls are as quick again as they were."""
        for hooks in _hooks.GLOBAL.values():
            hooks.pop(self.id, None)
        Module._hooked = any(_hooks.GLOBAL.values())
        if not _hooks.GLOBAL["_backward_hooks"]:
            _hooks.global_is_full = None


def _put(table_of, table, hook, first=False, asked=(), kind=RemovableHandle):
    """Register a hook in ``table`` and return its handle."""
    hooks = table_of(table)
    handle = kind(hooks)
    hooks[handle.id] = hook
    if first:
        hooks.move_to_end(handle.id, last=False)
    for what in asked:
        if asked[what]:
            table_of(f"{table}_{what}")[handle.id] = True
    return handle


def _put_global(table, hook, **asked):
    Module._hooked = True
    return _put(_hooks.GLOBAL.__getitem__, table, hook, asked=asked, kind=_GlobalHandle)


def register_module_forward_pre_hook(hook):
    """Call ``hook(module, args)`` before each forward of every module."""
    return _put_global("_forward_pre_hooks", hook)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Call ``hook(module, args, output)`` after each forward of every module."""
    return _put_global("_forward_hooks", hook, with_kwargs=with_kwargs, always_called=always_call)


def register_module_full_backward_pre_hook(hook):
    """Call ``hook(module, grad_output)`` before backward passes a module, whichever it is."""
    return _put_global("_backward_pre_hooks", hook)


def register_module_full_backward_hook(hook):
    """Call ``hook(module, grad_input, grad_output)`` after backward passed a module."""
    return _put_global_backward(hook, True)


def register_module_backward_hook(hook):
    """The old form of :func:`register_module_full_backward_hook`."""
    return _put_global_backward(hook, False)


def _put_global_backward(hook, full):
    if _hooks.global_is_full not in (None, full):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module "
            "hook. Please use only one of them."
        )
    _hooks.global_is_full = full
    return _put_global("_backward_hooks", hook)
