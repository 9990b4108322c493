"""Modules that hold modules: Sequential, ModuleList, ModuleDict, and lists of parameters."""

from __future__ import annotations

import operator
from itertools import islice

from tensorgrad import Tensor
from tensorgrad.nn.modules.module import Module, _indent
from tensorgrad.nn.parameter import Parameter


class _Indexed(Module):
    """Children named "0", "1", ... that behave as a list."""

    def _position(self, index):
        length = len(self)
        index = operator.index(index)
        if not -length <= index < length:
            raise IndexError(f"index {index} is out of range for a container of {length} modules")
        return str(index % length)

    def __len__(self):
        return len(self._own("module"))

    def __iter__(self):
        return iter([module for _, module in self._own("module")])

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self._like(list(self)[index])
        return vars(self)[self._position(index)]

    def __setitem__(self, index, module):
        setattr(self, self._position(index), module)

    def __delitem__(self, index):
        kept = list(self)
        if not isinstance(index, slice):
            index = int(self._position(index))
        del kept[index]
        self._replace(kept)

    def _replace(self, modules):
        for name, _ in self._own("module"):
            delattr(self, name)
        for i, module in enumerate(modules):
            self.add_module(str(i), module)

    def append(self, module):
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        """Add modules at the end."""
        if not hasattr(modules, "__iter__"):
            raise TypeError(f"extend needs an iterable of modules, got {type(modules).__name__}")
        for module in modules:
            self.append(module)
        return self

    def insert(self, index, module):
        """Add a module before position ``index``."""
        modules = list(self)
        modules.insert(index, module)
        self._replace(modules)
        return self

    def pop(self, index):
        """Remove and return the module at ``index``."""
        module = self[index]
        del self[index]
        return module


class Sequential(_Indexed):
    """Modules applied one after the other; made from modules, or one dict of named ones.

    >>> import tensorgrad as torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.ReLU())
    >>> net(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(self, *args):
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], dict) else None
        for name, module in named or ((str(i), m) for i, m in enumerate(args)):
            self.add_module(name, module)

    def forward(self, input):
        """Pass ``input`` through the modules in order."""
        for module in self.__dict__.values():
            if isinstance(module, Module):
                input = module(input)
        return input

    def _like(self, modules):
        names = [name for name, _ in self._own("module")]
        wanted = {id(m) for m in modules}
        pairs = [(n, vars(self)[n]) for n in names if id(vars(self)[n]) in wanted]
        return type(self)(dict(pairs))

    def _position(self, index):
        length, index = len(self), operator.index(index)
        if not -length <= index < length:
            raise IndexError(f"index {index} is out of range")
        return next(islice((n for n, _ in self._own("module")), index % length, None))

    def __add__(self, other):
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential, got {type(other)}")
        return Sequential(*self, *other)


class ModuleList(_Indexed):
    """A list of modules whose parameters are found.

    >>> import tensorgrad as torch
    >>> len(torch.nn.ModuleList([torch.nn.Linear(2, 2) for _ in range(3)]))
    3
    """

    def __init__(self, modules=None):
        super().__init__()
        self.extend(modules or ())

    def _like(self, modules):
        return type(self)(modules)

    def __iadd__(self, modules):
        return self.extend(modules)

    def __add__(self, other):
        return ModuleList([*self, *other])

    def __repr__(self):
        """Equal neighbours print once, with their count."""
        runs = []
        for i, text in enumerate(repr(m) for m in self):
            if runs and runs[-1][2] == text:
                runs[-1][1] = i
            else:
                runs.append([i, i, text])
        if not runs:
            return f"{self._get_name()}()"
        lines = [
            f"({a}): {t}" if a == b else f"({a}-{b}): {b - a + 1} x {t}" for a, b, t in runs
        ]
        return f"{self._get_name()}(\n  " + "\n  ".join(_indent(t, 2) for t in lines) + "\n)"


class ModuleDict(Module):
    """A dictionary of modules whose parameters are found.

    >>> import tensorgrad as torch
    >>> heads = torch.nn.ModuleDict({"a": torch.nn.Linear(2, 1)})
    >>> "a" in heads, list(heads.keys())
    (True, ['a'])
    """

    def __init__(self, modules=None):
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, key):
        return dict(self._own("module"))[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        self[key]
        delattr(self, key)

    def __len__(self):
        return len(self._own("module"))

    def __iter__(self):
        return iter(self.keys())

    def __contains__(self, key):
        return key in dict(self._own("module"))

    def clear(self):
        """Remove all modules."""
        for key in list(self):
            del self[key]

    def pop(self, key):
        """Remove and return the module under ``key``."""
        module = self[key]
        del self[key]
        return module

    def keys(self):
        """The names."""
        return dict(self._own("module")).keys()

    def items(self):
        """The (name, module) pairs."""
        return dict(self._own("module")).items()

    def values(self):
        """The modules."""
        return dict(self._own("module")).values()

    def update(self, modules):
        """Add modules from a dictionary, a ModuleDict, or (name, module) pairs."""
        if hasattr(modules, "items"):
            modules = modules.items()
        elif not hasattr(modules, "__iter__"):
            raise TypeError(
                "ModuleDict.update should be called with an iterable of key/value pairs, but got "
                f"{type(modules).__name__}"
            )
        for key, module in modules:
            self[key] = module


class ParameterList(Module):
    """A list of parameters that are found; tensors given become parameters."""

    def __init__(self, values=None):
        super().__init__()
        self.extend(values or ())

    def _names(self):
        return [k for k in vars(self) if k.isdigit()]

    def __len__(self):
        return len(self._names())

    def __iter__(self):
        return iter([vars(self)[name] for name in self._names()])

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        length = len(self)
        if not -length <= index < length:
            raise IndexError(f"index {index} is out of range")
        return vars(self)[str(index % length)]

    def __setitem__(self, index, value):
        setattr(self, str(index % len(self)), _as_parameter(value))

    def append(self, value):
        """Add a parameter at the end."""
        setattr(self, str(len(self)), _as_parameter(value))
        return self

    def extend(self, values):
        """Add parameters at the end."""
        for value in values:
            self.append(value)
        return self

    def extra_repr(self):
        """One line for each parameter."""
        return "\n".join(
            f"  ({i}): Parameter containing: [{p.dtype} of size {'x'.join(map(str, p.shape))}]"
            for i, p in enumerate(self)
        )


class ParameterDict(Module):
    """A dictionary of parameters that are found; tensors given become parameters."""

    def __init__(self, parameters=None):
        super().__init__()
        self.update(parameters or {})

    def __getitem__(self, key):
        return dict(self._own("parameter"))[key]

    def __setitem__(self, key, value):
        setattr(self, str(key), _as_parameter(value))

    def __delitem__(self, key):
        self[key]
        delattr(self, key)

    def __len__(self):
        return len(self._own("parameter"))

    def __iter__(self):
        return iter(dict(self._own("parameter")))

    def __contains__(self, key):
        return key in dict(self._own("parameter"))

    def keys(self):
        """The names."""
        return dict(self._own("parameter")).keys()

    def items(self):
        """The (name, parameter) pairs."""
        return dict(self._own("parameter")).items()

    def values(self):
        """The parameters."""
        return dict(self._own("parameter")).values()

    def update(self, parameters):
        """Add parameters from a dictionary."""
        for key, value in dict(parameters).items():
            self[key] = value

    def extra_repr(self):
        """One line for each parameter."""
        return "\n".join(
            f"  ({key}): Parameter containing: [{p.type()} of size {'x'.join(map(str, p.shape))}]"
            for key, p in self.items()
        )


def _as_parameter(value):
    return Parameter(value) if isinstance(value, Tensor) and type(value) is Tensor else value
