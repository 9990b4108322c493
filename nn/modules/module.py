"""Module: a tree of parameters, buffers and further modules.

A module's own attribute dictionary is the registry: a Parameter in it is a parameter, a Module
a child, and the names that :meth:`Module.register_buffer` announced are buffers. So reading
``self.weight`` costs what any attribute costs, and nothing is stored twice.
"""

from __future__ import annotations

from collections import OrderedDict, namedtuple

import numpy as np

from tensorgrad import Tensor, dtypes
from tensorgrad._absent import NO_GPU
from tensorgrad._device import check as check_device
from tensorgrad._graph import wrap
from tensorgrad.autograd.hooks import RemovableHandle
from tensorgrad.errors import NoDeviceError
from tensorgrad.nn.parameter import Buffer, Parameter, is_lazy


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    __slots__ = ()

    def __repr__(self):
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()


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

    # Names that are parameters, buffers or modules whatever they hold now (None included),
    # and the hooks: one dictionary for each, made when first needed.
    _slots: dict | None = None
    _transient: frozenset = frozenset()  # buffers that state_dict leaves out
    _forward_hooks: dict | None = None
    _forward_pre_hooks: dict | None = None
    _load_hooks: dict | None = None
    _hooked = False  # whether a forward hook was ever added

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
            return self._call_with_hooks(args, kwargs)
        if len(args) == 1 and not kwargs:
            return self.forward(args[0])  # 0.1 us less than spreading them
        return self.forward(*args, **kwargs)

    def _call_with_hooks(self, args, kwargs):
        for hook, with_kwargs in list((self._forward_pre_hooks or {}).values()):
            if with_kwargs:
                result = hook(self, args, kwargs)
                args, kwargs = (args, kwargs) if result is None else result
            else:
                result = hook(self, args)
                if result is not None:
                    args = result if isinstance(result, tuple) else (result,)
        out = self.forward(*args, **kwargs)
        for hook, with_kwargs in list((self._forward_hooks or {}).values()):
            result = hook(self, args, kwargs, out) if with_kwargs else hook(self, args, out)
            out = out if result is None else result
        return out

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

    def modules(self):
        """Yield this module and all inside it."""
        for _, module in self.named_modules():
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

    def _apply(self, fn):
        """Replace the memory of each parameter, gradient and buffer by ``fn`` of the array."""
        for module in self.modules():
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

    def type(self, dst_type):
        """Convert all parameters and buffers to a dtype."""
        return self._cast(dst_type)

    def cpu(self):
        """This module: it is on the CPU."""
        return self

    def cuda(self, device=None):
        """Raises NoDeviceError, a RuntimeError: there is only the CPU."""
        raise NoDeviceError(NO_GPU)

    def share_memory(self):
        """This module: threads share its memory already."""
        return self

    # --- state --------------------------------------------------------------------------

    def get_extra_state(self):
        """Further state for ``state_dict``; override together with :meth:`set_extra_state`."""
        raise RuntimeError("get_extra_state is meant to be overridden")

    def _state(self):
        """The (name, tensor) pairs of this module alone that ``state_dict`` holds."""
        pairs = self._own("parameter")
        pairs += [(k, v) for k, v in self._own("buffer") if k not in self._transient]
        return [(k, v) for k, v in pairs if v is not None]

    def state_dict(self, *, destination=None, prefix="", keep_vars=False):
        """The parameters and persistent buffers by dotted path, on the module's own memory.

        Args:
            destination: a dictionary to fill instead of a new one.
            prefix: put before every key.
            keep_vars: give the parameters themselves rather than detached tensors.
        """
        destination = OrderedDict() if destination is None else destination
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._own("module"):
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        return destination

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        for name, tensor in self._state():
            as_it_is = keep_vars or is_lazy(tensor)
            destination[prefix + name] = tensor if as_it_is else tensor.detach()

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy parameters and buffers from ``state_dict``. Nothing is changed if it does not fit.

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
            raise TypeError(
                f"Expected state_dict to be dict-like, got {type(state_dict).__name__}"
            )
        missing, problems, copies, known = [], [], [], set()
        for path, module in self.named_modules(remove_duplicate=False):
            for name, own in module._state():
                key = f"{path}.{name}" if path else name
                known.add(key)
                if key not in state_dict:
                    missing.append(key)
                    continue
                value = state_dict[key]
                if not isinstance(value, Tensor):
                    problems.append(
                        f'While copying the parameter named "{key}", expected a Tensor, got '
                        f"{type(value).__name__}."
                    )
                elif is_lazy(value):
                    if not is_lazy(own):
                        problems.append(
                            f'While copying the parameter named "{key}": it is uninitialized in '
                            "the checkpoint and has a shape in the current model."
                        )
                elif not is_lazy(own) and value._array.shape != own._array.shape:
                    problems.append(
                        f"size mismatch for {key}: copying a param with shape {value.shape} from "
                        f"checkpoint, the shape in current model is {own.shape}."
                    )
                else:
                    copies.append((module, name, own, value))
        unexpected = [key for key in state_dict if key not in known]
        if strict and unexpected:
            problems.insert(0, f"Unexpected key(s) in state_dict: {_quoted(unexpected)}.")
        if strict and missing:
            problems.insert(0, f"Missing key(s) in state_dict: {_quoted(missing)}.")
        if problems:
            text = "\n\t".join(problems)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{text}"
            )
        for module, name, own, value in copies:
            if assign and isinstance(own, Parameter):
                vars(module)[name] = Parameter(value, own.requires_grad)
            elif assign:
                vars(module)[name] = value
            else:
                if is_lazy(own):
                    own.materialize(value.shape)
                own.detach().copy_(value.detach())
        result = _IncompatibleKeys(missing, unexpected)
        for hook in list((self._load_hooks or {}).values()):
            hook(self, result)
        return result

    # --- hooks --------------------------------------------------------------------------

    def _add_hook(self, table, hook, first=False):
        if vars(self).get(table) is None:
            self.__dict__[table] = OrderedDict()
        self.__dict__["_hooked"] = True
        handle = RemovableHandle(self.__dict__[table])
        self.__dict__[table][handle.id] = hook
        if first:
            self.__dict__[table].move_to_end(handle.id, last=False)
        return handle

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call ``hook(module, args)`` before each forward; what it returns replaces the args."""
        return self._add_hook("_forward_pre_hooks", (hook, with_kwargs), prepend)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call ``hook(module, args, output)`` after each forward; a result replaces the output."""
        return self._add_hook("_forward_hooks", (hook, with_kwargs), prepend)

    def register_load_state_dict_post_hook(self, hook):
        """Call ``hook(module, incompatible_keys)`` after each ``load_state_dict``."""
        return self._add_hook("_load_hooks", hook)

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
