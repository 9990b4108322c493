"""Objects as JSON beside their arrays: how ``save`` describes what stands around the tensors.

JSON's own types stand for themselves; everything else is a dict with one key that says what it is:
``{"tensor": "model.weight"}``, ``{"tuple": [1, 2]}``. See ``KINDS`` for all of them.
"""

from __future__ import annotations

import math
import sys
from collections import Counter, OrderedDict
from importlib import import_module

import numpy as np

from .. import _device, dtypes
from .._graph import Tensor, wrap
from .._tensor import Size
from .safetensors import METADATA, NAMES

STRUCTURE = "tensorgrad"  # our entry in the metadata
VERSION = 1
# Tensors that share memory come back so if it is at most this many times larger than they are
# (two columns of a wide matrix would bring the whole matrix back). It bounds what a file can ask.
MAX_SPREAD = 16


def describe(obj):
    """Return ``obj`` as an object for JSON, and its arrays by name.

    Raises:
        TypeError: something cannot be described; the message names where it stands.
        ValueError: ``obj`` contains itself.
    """
    packer = _Packer()
    packed = packer.pack(obj, "", ())
    memories = packer.share()
    structure = {"version": VERSION, "object": packed}
    return {**structure, "memories": memories} if memories else structure, packer.arrays


class _Packer:
    """One object on its way to JSON.

    Attributes:
        arrays: what is to be written, by name.
        entries: for each tensor and array: (the object, its array, its description so far).
    """

    def __init__(self):
        self.arrays, self.entries, self.seen = {}, [], {}

    def pack(self, value, path, parents):
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, complex):
            return {"complex": [str(value.real), str(value.imag)]}
        if isinstance(value, bytes):
            return {"bytes": value.decode("latin-1")}
        if isinstance(value, Tensor | np.ndarray):
            return self.pack_array(value, path)
        if isinstance(value, dtypes.dtype):
            return {"dtype": value.name}
        if isinstance(value, _device.device):
            return {"device": str(value)}
        if not isinstance(value, dict | list | tuple | set | frozenset):
            raise _unsupported(value, path)
        if id(value) in parents:
            raise ValueError(f"save cannot store {_called(path)}: it contains itself")
        parents = (*parents, id(value))
        if isinstance(value, dict):
            kind = next((k for k in (OrderedDict, Counter) if isinstance(value, k)), dict)
            return {kind.__name__: [
                [_pack_key(key, path), self.pack(item, _child(path, key), parents)]
                for key, item in value.items()
            ]}  # fmt: skip
        items = [self.pack(item, _child(path, i), parents) for i, item in enumerate(value)]
        if isinstance(value, list):
            return items
        kind = next((k for k in (Size, tuple, set) if isinstance(value, k)), frozenset)
        return {kind.__name__: items}

    def pack_array(self, value, path):
        """Describe a tensor or an ndarray: by its name in the file, and what sets it apart."""
        is_tensor = isinstance(value, Tensor)
        array = value._array if is_tensor else value
        place = {"name": self.add(array, path)}
        kind = "tensor" if is_tensor else "ndarray"
        if array.dtype == np.complex128:
            kind = "complex128 " + kind
        if id(value) in self.seen:
            return {"again": [place["name"], self.seen[id(value)]]}
        self.seen[id(value)] = len(self.entries)
        if is_tensor and value.requires_grad:
            place["requires_grad"] = True
        if _is_parameter(value):
            place["parameter"] = True
        packed = {kind: place}
        self.entries.append((value, array, packed))
        return packed

    def add(self, array, path):
        """Put ``array`` under a name like ``path`` that is still free, and return the name."""
        name = path or "tensor"
        while name in self.arrays or name == METADATA:
            name += "'"
        if array.dtype == np.complex128:
            array = np.stack([array.real, array.imag], axis=-1)
        if array.dtype.newbyteorder("<") not in NAMES:
            raise TypeError(f"save cannot store {_called(path)}: an array of dtype {array.dtype}")
        self.arrays[name] = array
        return name

    def share(self):
        """Note in the descriptions which arrays overlap in memory; return the memories' sizes."""
        memories = []
        for low, high, group in _overlapping(self.entries):
            if len(group) > 1 and high - low <= MAX_SPREAD * sum(a.nbytes for _, a, _ in group):
                for _, array, packed in group:
                    (place,) = packed.values()
                    offset = array.__array_interface__["data"][0] - low
                    place["memory"] = [len(memories), offset, list(array.strides)]
                memories.append(high - low)
        for _, _, packed in self.entries:
            ((kind, place),) = packed.items()
            if len(place) == 1:
                packed[kind] = place["name"]
        return memories


def _overlapping(entries):
    """Groups of entries whose memory overlaps, each with its first address and its end."""
    spans = [(*np.lib.array_utils.byte_bounds(e[1]), e) for e in entries if e[1].size]
    groups = []
    for low, high, entry in sorted(spans, key=lambda span: span[:2]):
        if groups and low < groups[-1][1]:
            groups[-1][1] = max(high, groups[-1][1])
            groups[-1][2].append(entry)
        else:
            groups.append([low, high, [entry]])
    return groups


def _is_parameter(value):
    nn = sys.modules.get("tensorgrad.nn")
    return nn is not None and isinstance(value, nn.Parameter)


def _pack_key(key, path):
    if not isinstance(key, str | int | float | bool | np.generic | None):
        raise TypeError(
            f"save cannot store the key {key!r} of {_called(path)}: keys may be str, int, float, "
            f"bool or None, got {type(key).__name__}"
        )
    return _Packer().pack(key, path, ())


def _child(path, key):
    """Extend a path: dots between names, subscripts from the first index on."""
    if isinstance(key, str) and not path.endswith("]"):
        return f"{path}.{key}" if path else key
    return f"{path}[{key!r}]"


def _called(path):
    return path or "the object itself"


def _unsupported(value, path):
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    hint = ""
    if callable(getattr(value, "state_dict", None)):
        hint = "; pass its state_dict()"
    elif kind == "argparse.Namespace":
        hint = "; pass vars() of it"
    return TypeError(
        f"save cannot store {_called(path)} of type {kind}{hint}. It stores tensors, arrays, "
        "numbers, texts and None, in dicts, lists, tuples and sets"
    )


def rebuild(structure, arrays):
    """Return what :func:`describe` described; takes every array out of ``arrays``.

    Raises:
        KeyError, TypeError, ValueError, OverflowError, RecursionError: the description is wrong.
    """
    if structure["version"] != VERSION:
        raise ValueError(
            f"it has version {structure['version']!r}, this tensorgrad reads {VERSION}"
        )
    loader = _Loader(arrays, structure.get("memories", []))
    obj = loader.load(structure["object"])
    if arrays:
        raise ValueError(f"it does not mention the tensors {', '.join(arrays)}")
    return obj


class _Loader:
    """One object on its way back from JSON."""

    def __init__(self, arrays, sizes):
        total = sum(array.nbytes for array in arrays.values())
        if not all(type(n) is int and n >= 0 for n in sizes) or sum(sizes) > MAX_SPREAD * total:
            raise ValueError(f"memories of {sizes} bytes for tensors of {total}")
        self.arrays, self.made = arrays, []
        self.memories = [np.zeros(size, np.uint8) for size in sizes]

    def load(self, packed):
        """Return the object that ``packed`` describes."""
        if isinstance(packed, list):
            return [self.load(item) for item in packed]
        if not isinstance(packed, dict):
            return packed
        (kind, content), *more = packed.items()
        if more:
            raise ValueError(f"{kind!r} beside {more[0][0]!r}")
        return KINDS[kind](self, content)

    def array(self, place, pairs=False):
        """The array at ``place``: a name, or a dict that holds one."""
        place = {"name": place} if isinstance(place, str) else place
        array = self.arrays.pop(place["name"])
        if pairs:
            array = array.view(np.complex128).reshape(array.shape[:-1])
        if "memory" in place:
            number, offset, strides = place["memory"]
            memory = self.memories[number]
            shared = np.ndarray(array.shape, array.dtype, memory, offset, strides)
            shared[...] = array
            array = shared
        return array, place

    def ndarray(self, place, pairs=False):
        array, _ = self.array(place, pairs)
        self.made.append(array)
        return array

    def tensor(self, place, pairs=False):
        array, place = self.array(place, pairs)
        tensor, needs_grad = wrap(array), place.get("requires_grad") is True
        if needs_grad and array.dtype.kind not in "fc":
            raise ValueError(f"a tensor of dtype {array.dtype} that requires grad")
        if place.get("parameter"):
            tensor = import_module("tensorgrad.nn").Parameter(tensor, requires_grad=needs_grad)
        elif needs_grad:
            tensor.requires_grad = True
        self.made.append(tensor)
        return tensor

    def again(self, content):
        name, number = content
        del self.arrays[name]
        return self.made[number]


# What each key in the description stands for, given its value.
KINDS = {
    "tensor": _Loader.tensor,
    "ndarray": _Loader.ndarray,
    "complex128 tensor": lambda self, place: self.tensor(place, pairs=True),
    "complex128 ndarray": lambda self, place: self.ndarray(place, pairs=True),
    "again": _Loader.again,
    "tuple": lambda self, items: tuple(self.load(items)),
    "set": lambda self, items: set(self.load(items)),
    "frozenset": lambda self, items: frozenset(self.load(items)),
    "Size": lambda self, items: Size(self.load(items)),
    "dict": lambda self, pairs: dict(self.load(pairs)),
    "OrderedDict": lambda self, pairs: OrderedDict(self.load(pairs)),
    "Counter": lambda self, pairs: Counter(dict(self.load(pairs))),
    "float": lambda self, text: float(text),
    "complex": lambda self, parts: complex(*map(float, parts)),
    "bytes": lambda self, text: text.encode("latin-1"),
    "dtype": lambda self, name: dtypes.ALL[name],
    "device": lambda self, name: _device.device(name),
}  # fmt: skip
