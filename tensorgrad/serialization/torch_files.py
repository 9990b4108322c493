"""Reading what PyTorch's ``torch.save`` wrote, without running anything that the file names.

A ``.pt`` or ``.pth`` file is a zip archive with one pickle, which describes the object, and one
record of raw values for each storage; files from before PyTorch 1.6 hold pickles and values one
after the other. A pickle is a program for a stack machine, and Python's own machine calls whatever
the program names. :class:`_Machine` runs the same programs, but knows only the names in
:func:`_globals` (tensors, their storages, plain containers, NumPy arrays) and refuses any other.
"""

from __future__ import annotations

import functools
import math
import pickle
import sys
from collections import Counter, OrderedDict, defaultdict
from importlib import import_module

import numpy as np

from .. import _device, dtypes
from .._graph import Tensor, wrap
from .._tensor import Size
from .safetensors import MAX_HEADER

__all__ = [
    "UnpicklingError", "add_safe_globals", "clear_safe_globals", "get_safe_globals", "safe_globals",
]  # fmt: skip

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
_MAX_DIMS = 64  # NumPy's
_KEY_DEPTH = 16  # of tuples in tuples as keys: Python hashes them by recursion without a limit


class UnpicklingError(pickle.UnpicklingError):
    """A pickle names something that is not read, or is damaged."""


# --- classes that the user allows ---------------------------------------------------------

_allowed: list = []
_BLOCKED = ("sys", "os", "posix", "nt", "subprocess", "builtins", "importlib", "runpy", "shutil")


def add_safe_globals(safe_globals: list) -> None:
    """Let :func:`load` make objects of these classes, and call these functions, from now on.

    Whoever wrote the file chooses the arguments: allow only what may be called with any.

    Args:
        safe_globals: classes or functions, or pairs of one and the full name under which files
            know it.
    """
    _allowed.extend(entry for entry in safe_globals if entry not in _allowed)


def get_safe_globals() -> list:
    """What :func:`add_safe_globals` has allowed, as a list."""
    return list(_allowed)


def clear_safe_globals() -> None:
    """Take back what :func:`add_safe_globals` has allowed."""
    _allowed.clear()


class safe_globals:
    """:func:`add_safe_globals` for the time of a ``with`` block.

    Args:
        safe_globals: as there.

    >>> import tensorgrad as torch
    >>> with torch.serialization.safe_globals([range]):
    ...     torch.serialization.get_safe_globals()
    [<class 'range'>]
    >>> torch.serialization.get_safe_globals()
    []
    """

    def __init__(self, safe_globals: list):
        self.safe_globals = safe_globals

    def __enter__(self):
        add_safe_globals(self.safe_globals)

    def __exit__(self, *error):
        _allowed[:] = [entry for entry in _allowed if entry not in self.safe_globals]


def _allowed_by_name():
    """The allowed classes and functions, by their full names.

    Raises:
        TypeError, ValueError: a pair does not hold a class and its name.
    """
    names = {}
    for entry in _allowed:
        if not isinstance(entry, tuple):
            names[f"{entry.__module__}.{entry.__qualname__}"] = entry
        elif len(entry) != 2:
            raise ValueError(f"safe globals are classes or pairs (class, name), got {entry!r}")
        elif not isinstance(entry[1], str):
            raise TypeError(f"the name of a safe global must be a str, got {entry[1]!r}")
        else:
            names[entry[1]] = entry[0]
    return names


# --- storages -----------------------------------------------------------------------------


class _StorageType:
    """What a name such as ``torch.FloatStorage`` stands for: the dtype and its size on disk."""

    def __init__(self, dtype, widened=False):
        self.dtype, self.widened = dtype, widened  # widened: bfloat16, read as float32
        self.itemsize = 1 if dtype is None else 2 if widened else dtype.itemsize


_STORAGES = {
    "Half": dtypes.float16, "Float": dtypes.float32, "Double": dtypes.float64,
    "Char": dtypes.int8, "Short": dtypes.int16, "Int": dtypes.int32, "Long": dtypes.int64,
    "Byte": dtypes.uint8, "Bool": dtypes.bool_, "ComplexFloat": dtypes.complex64,
    "ComplexDouble": dtypes.complex128,
}  # fmt: skip


class _Storages:
    """Makes and fills storages, which together may take no more bytes than the file has."""

    def __init__(self, name, size):
        self.name, self.left = name, size

    def make(self, kind, count):
        """An unfilled storage of ``count`` elements."""
        from ..storage import TypedStorage, UntypedStorage

        if not isinstance(kind, _StorageType) or type(count) is not int or count < 0:
            raise ValueError(f"a storage of {count!r} elements of type {kind!r}")
        self.take(count * kind.itemsize)
        if kind.dtype is None:
            return UntypedStorage(count)
        return TypedStorage(count, dtype=kind.dtype)

    def take(self, size):
        """Subtract ``size`` from the bytes that may still be read."""
        if size > self.left:
            raise RuntimeError(
                f"{self.name}: the file promises {size} bytes where {self.left} are left; it was "
                "cut short or is damaged"
            )
        self.left -= size

    def fill(self, storage, kind, stream, big_endian=False):
        """Read the values of ``storage`` from ``stream``."""
        target = elements_of(storage)
        raw = np.empty(len(target), np.uint16) if kind.widened else target
        rest = memoryview(raw.view(np.uint8))
        while rest.nbytes:
            count = stream.readinto(rest)
            if not count:
                raise RuntimeError(f"{self.name}: the file ended in the values of a tensor")
            rest = rest[count:]
        if big_endian != (sys.byteorder == "big"):
            raw.byteswap(inplace=True)
        if kind.widened:
            wide = target.view(np.uint32)
            wide[:] = raw
            wide <<= 16
        if target.dtype == bool and target.view(np.uint8).max(initial=0) > 1:
            raise RuntimeError(f"{self.name}: a bool tensor holds bytes other than 0 and 1")


def elements_of(storage):
    """The elements of a storage as a 1-d array."""
    elements = getattr(storage, "_elements", None)
    return storage._bytes if elements is None else elements


def _view(storage, elements):
    """A storage of the type of ``storage`` on some of its elements."""
    from ..storage import TypedStorage

    view = TypedStorage(0, dtype=storage.dtype)
    view._elements = elements
    return view


# --- what a pickle may name ---------------------------------------------------------------


def _rebuild_tensor(machine, storage, offset, size, stride, *, dtype=None):
    from ..storage import TypedStorage, UntypedStorage

    if not isinstance(storage, TypedStorage | UntypedStorage):
        raise ValueError(f"a tensor in {type(storage).__name__}")
    elements = elements_of(storage)
    if dtype is not None:
        own = dtype.numpy
        elements = elements[: len(elements) // own.itemsize * own.itemsize].view(own)
    size, stride = tuple(size), tuple(stride)
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or len(size) > _MAX_DIMS:
        raise ValueError(f"a tensor of shape {size} and strides {stride}")
    if not all(type(n) is int and 0 <= n < 2**62 for n in numbers):
        raise ValueError(f"a tensor of shape {size} and strides {stride} at {offset}")
    end = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1
    if 0 in size:
        return wrap(np.empty(size, elements.dtype))
    if end > len(elements):
        raise ValueError(f"a tensor of {end} elements in a storage of {len(elements)}")
    step = elements.itemsize
    steps = [s * step for s in stride]
    return wrap(np.ndarray(size, elements.dtype, elements, offset * step, steps))


def _rebuild_tensor_v2(
    machine, storage, offset, size, stride, requires_grad, backward_hooks, metadata=None
):  # fmt: skip
    tensor = _rebuild_tensor(machine, storage, offset, size, stride)
    return _finish(tensor, requires_grad, metadata)


def _rebuild_tensor_v3(
    machine, storage, offset, size, stride, requires_grad, backward_hooks, dtype, metadata=None
):  # fmt: skip
    if machine.big_endian and dtype.itemsize > 1:
        raise UnpicklingError(f"{dtype} values of a big-endian machine are not read")
    tensor = _rebuild_tensor(machine, storage, offset, size, stride, dtype=dtype)
    return _finish(tensor, requires_grad, metadata)


def _finish(tensor, requires_grad, metadata):
    """Apply PyTorch's marks for values that are stored conjugated or negated."""
    for mark, ufunc in (("conj", np.conjugate), ("neg", np.negative)):
        if metadata and metadata.get(mark):
            tensor = wrap(ufunc(tensor._array))
    if requires_grad:
        tensor.requires_grad = True
    return tensor


def _parameter(machine, data=None, requires_grad=True, backward_hooks=None, state=None):
    if data is not None and not isinstance(data, Tensor):
        raise ValueError(f"a parameter on {type(data).__name__}")
    return import_module("tensorgrad.nn").Parameter(data, bool(requires_grad))


def _rebuild_from_type(machine, function, kind, args, state):
    """A tensor with attributes, which are left out, or of a class known here."""
    tensor = machine.call(function, args)
    if kind is import_module("tensorgrad.nn").Parameter and not isinstance(tensor, kind):
        return kind(tensor.detach(), tensor.requires_grad)
    return tensor


def _rebuild_sparse(machine, layout, data):
    if machine.dry:
        return None
    if layout != "torch.sparse_coo":
        raise UnpicklingError(f"tensors of layout {layout} are not read")
    indices, values, size, *_ = data
    return import_module("tensorgrad.sparse").sparse_coo_tensor(indices, values, tuple(size))


def _container(kind):
    """A call of a container on the items that the pickle already holds, or on nothing."""

    def make(machine, items=()):
        if not isinstance(items, list | tuple | dict | set | frozenset):
            raise ValueError(f"{kind.__name__} of {type(items).__name__}")
        machine.spend(len(items))
        for item in items:
            if kind in (set, frozenset, Counter):
                check_key(item)
            elif kind in (dict, OrderedDict) and not isinstance(items, dict):
                check_key(item[0])
        return kind(items)

    return make


def _make_defaultdict(machine, factory=None):
    if factory not in (None, list, dict, set, tuple, int, float, str, bool):
        raise ValueError(f"a defaultdict of {factory!r}")
    return defaultdict(factory)


def _encode(machine, text, encoding):
    """How pickles of protocol 2 write bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"bytes of {type(text).__name__} in {encoding!r}")
    machine.spend(len(text))
    return text.encode("latin-1")


def _encode_or_copy(kind):
    def make(machine, data=b"", encoding=None):
        if encoding is not None:
            data = _encode(machine, data, encoding)
        if not isinstance(data, bytes | bytearray):
            raise ValueError(f"{kind.__name__} of {type(data).__name__}")
        machine.spend(len(data))
        return kind(data)

    return make


def _make_complex(machine, real, imag=0.0):
    return complex(float(real), float(imag))


def _make_device(machine, kind, index=None):
    return _device.device(kind, index)


def _get_layout(machine, name):
    return name


def _make_numpy_dtype(machine, name, align=False, copy=False):
    dtype = np.dtype(name, copy=True)
    if dtype.kind not in "biufcSU":
        raise UnpicklingError(f"NumPy arrays of dtype {name!r} are not read")
    return dtype


def _reconstruct(machine, kind, shape, code):
    if kind is not np.ndarray:
        raise ValueError(f"an array of {kind!r}")
    return np.ndarray((0,), np.int8)


def _numpy_scalar(machine, dtype, data):
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufc":
        raise ValueError(f"a NumPy number of {dtype!r}")
    data = data.encode("latin-1") if isinstance(data, str) else data
    if len(data) != dtype.itemsize:
        raise ValueError(f"a NumPy number of {len(data)} bytes")
    return np.frombuffer(data, dtype)[0]


def _frombuffer(machine, data, dtype, shape, order):
    machine.spend(len(data))
    array = np.frombuffer(bytearray(data), dtype).reshape(shape, order=order)
    return array.astype(dtype.newbyteorder("="), copy=False)


# Classes and functions as they lie on the stack, and what calling each means.
_CONTAINERS = (list, tuple, dict, set, frozenset, OrderedDict, Counter, Size)
_CALLS = {
    **{kind: _container(kind) for kind in _CONTAINERS},
    defaultdict: _make_defaultdict, bytes: _encode_or_copy(bytes),
    bytearray: _encode_or_copy(bytearray), complex: _make_complex, _device.device: _make_device,
    np.dtype: _make_numpy_dtype,
    **{f: f for f in (_rebuild_tensor, _rebuild_tensor_v2, _rebuild_tensor_v3, _parameter,
                      _rebuild_from_type, _rebuild_sparse, _encode, _get_layout, _reconstruct,
                      _numpy_scalar, _frombuffer)},
}  # fmt: skip


@functools.cache
def _globals():
    """Everything that a pickle may name, by PyTorch's full name."""
    parameter = import_module("tensorgrad.nn").Parameter
    legacy = import_module("tensorgrad.legacy")
    names = {
        "collections.OrderedDict": OrderedDict, "collections.Counter": Counter,
        "collections.defaultdict": defaultdict, "_codecs.encode": _encode,
        "torch.Size": Size, "torch.device": _device.device, "torch.Tensor": Tensor,
        "torch.nn.parameter.Parameter": parameter, "torch.bfloat16": dtypes.float32,
        "torch.storage.UntypedStorage": _StorageType(None),
        "torch.storage._UntypedStorage": _StorageType(None),
        "torch.BFloat16Storage": _StorageType(dtypes.float32, widened=True),
        "torch._utils._rebuild_tensor": _rebuild_tensor,
        "torch._utils._rebuild_tensor_v2": _rebuild_tensor_v2,
        "torch._utils._rebuild_tensor_v3": _rebuild_tensor_v3,
        "torch._utils._rebuild_parameter": _parameter,
        "torch._utils._rebuild_parameter_with_state": _parameter,
        "torch._utils._rebuild_sparse_tensor": _rebuild_sparse,
        "torch._tensor._rebuild_from_type_v2": _rebuild_from_type,
        "torch.serialization._get_layout": _get_layout,
        "numpy.dtype": np.dtype, "numpy.ndarray": np.ndarray,
    }  # fmt: skip
    builtins = (list, tuple, dict, set, frozenset, int, float, str, bool, complex, bytes, bytearray)
    for kind in builtins:
        names[f"builtins.{kind.__name__}"] = names[f"__builtin__.{kind.__name__}"] = kind
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray._reconstruct"] = _reconstruct
        names[f"{core}.multiarray.scalar"] = _numpy_scalar
        names[f"{core}.numeric._frombuffer"] = _frombuffer
    names |= {f"torch.{d}": dtype for d, dtype in dtypes.ALL.items()}
    names |= {f"torch.{k}Storage": _StorageType(dtype) for k, dtype in _STORAGES.items()}
    names |= {f"torch.{name}": getattr(legacy, name) for name in legacy._NAMES}
    on_gpu = {n.replace("torch.", "torch.cuda.", 1): value for n, value in names.items()
              if n.endswith(("Storage", "Tensor")) and n.count(".") == 1}  # fmt: skip
    return names | on_gpu


def check_key(key, depth=0):
    """Refuse keys that cannot be hashed safely.

    Raises:
        ValueError: tuples too deep.
    """
    if isinstance(key, tuple):
        if depth == _KEY_DEPTH:
            raise ValueError(f"a key of tuples more than {_KEY_DEPTH} deep")
        for item in key:
            check_key(item, depth + 1)


# --- the machine --------------------------------------------------------------------------


class _Machine:
    """Runs one pickle from ``stream`` and returns its object.

    Args:
        stream: has ``read`` and ``readline``.
        name: of the file, for messages.
        size: bytes that the pickle has at most: what copies inside of it may add up to.
        storage_of: called with what the pickle says of a storage.
        encoding: of the texts in pickles of Python 2.
        big_endian: whether the file's values are.
        dry: whether the storages have no values yet, so that nothing may depend on them.
    """

    def __init__(
        self, stream, name, size, storage_of=None, encoding="utf-8", big_endian=False, dry=False
    ):
        self.stream, self.name, self.left, self.storage_of = stream, name, size, storage_of
        self.encoding, self.big_endian, self.dry = encoding, big_endian, dry
        self.stack, self.marks, self.memo = [], [], {}
        self.allowed = _allowed_by_name()

    def run(self):
        """Return the object.

        Raises:
            UnpicklingError: the pickle names what is not read, or is damaged.
        """
        import pickletools

        steps = _STEPS
        try:
            for opcode, arg, _ in pickletools.genops(self.stream):
                step = steps.get(opcode.name)
                if step is None:
                    raise UnpicklingError(f"the pickle instruction {opcode.name} is not read")
                step(self, arg)
            return self.stack.pop()
        except UnpicklingError as error:
            raise UnpicklingError(f"{self.name}: {error}") from error.__cause__
        except RuntimeError as error:
            if str(error).startswith(self.name):
                raise
            raise UnpicklingError(f"{self.name}: the pickle in it is damaged: {error}") from error
        except Exception as error:
            raise UnpicklingError(
                f"{self.name}: the pickle in it is damaged or not PyTorch's: {error!r}"
            ) from error

    def spend(self, count):
        """Allow a copy of ``count`` items; all together may not exceed the size of the pickle."""
        self.left -= count
        if self.left < 0:
            raise UnpicklingError("the pickle makes more of itself than a state dict would")

    def push(self, value):
        self.stack.append(value)

    def pop_mark(self):
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def find(self, module, name):
        """The object that the pickle calls ``module.name``."""
        full = f"{module}.{name}"
        found = _globals().get(full)
        if found is not None:
            return found
        if full in self.allowed and module.split(".")[0] not in _BLOCKED:
            return self.allowed[full]
        raise UnpicklingError(_refusal(module, name))

    def call(self, function, args):
        """What a pickle does to make an object."""
        if not isinstance(args, tuple):
            raise ValueError(f"{function!r} called with {args!r}")
        if self.is_allowed(function):
            return function(*args)
        known = _CALLS.get(function) if callable(function) else None
        if known is None and function is import_module("tensorgrad.nn").Parameter:
            known = _parameter
        if known is None:
            raise UnpicklingError(f"the file calls {_called(function)}, which is not read")
        return known(self, *args)

    def is_allowed(self, thing):
        return any(thing is entry for entry in self.allowed.values())

    # One method for each instruction that does more than push its argument.

    def string(self, text):
        data = text.encode("latin-1")
        try:
            self.push(data if self.encoding == "bytes" else data.decode(self.encoding))
        except UnicodeDecodeError as error:
            raise UnpicklingError(
                f"a text of Python 2 is not in {self.encoding}; try load(f, encoding='latin1')"
            ) from error

    def get(self, number):
        self.push(self.memo[number])

    def put(self, number):
        self.memo[int(number)] = self.stack[-1]

    def memoize(self, _):
        self.memo[len(self.memo)] = self.stack[-1]

    def mark(self, _):
        self.marks.append(len(self.stack))

    def tuple_of(self, count):
        items = tuple(self.stack[len(self.stack) - count :])
        if len(items) != count:
            raise IndexError("not enough values for a tuple")
        del self.stack[len(self.stack) - count :]
        self.push(items)

    def append(self, _):
        item = self.stack.pop()
        self.extend([item])

    def extend(self, items):
        target = self.stack[-1]
        if type(target) is not list and not self.is_allowed(type(target)):
            raise ValueError(f"items appended to {type(target).__name__}")
        target.extend(items)

    def set_item(self, _):
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items([key, value])

    def set_items(self, items):
        target = self.stack[-1]
        known = type(target) in (dict, OrderedDict, defaultdict, Counter)
        if not known and not self.is_allowed(type(target)):
            raise ValueError(f"items set in {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            check_key(key)
            target[key] = value

    def add_items(self, _):
        items, target = self.pop_mark(), self.stack[-1]
        if type(target) is not set:
            raise ValueError(f"items added to {type(target).__name__}")
        for item in items:
            check_key(item)
        target.update(items)

    def frozen_set(self, _):
        self.push(_CALLS[frozenset](self, self.pop_mark()))

    def dict_of(self, _):
        items = self.pop_mark()
        self.push({})
        self.set_items(items)

    def name_given(self, names):
        module, _, name = names.partition(" ")
        self.push(self.find(module, name))

    def name_on_stack(self, _):
        name, module = self.stack.pop(), self.stack.pop()
        self.push(self.find(module, name))

    def reduce(self, _):
        args, function = self.stack.pop(), self.stack.pop()
        self.push(self.call(function, args))

    def new_object(self, _):
        args, kind = self.stack.pop(), self.stack.pop()
        if self.is_allowed(kind):
            self.push(kind.__new__(kind, *args))
        elif kind is import_module("tensorgrad.nn").Parameter:
            self.push(_parameter(self, *args))
        else:
            raise UnpicklingError(f"the file makes a {_called(kind)}, which is not read")

    def storage(self, _):
        what = self.stack.pop()
        if not isinstance(what, tuple) or not what or what[0] not in ("storage", b"storage"):
            raise UnpicklingError(f"the file refers to {str(what)[:80]}, which is no storage")
        if self.storage_of is None:
            raise UnpicklingError("the file refers to a storage where there can be none")
        self.push(self.storage_of(*what[1:]))

    def build(self, _):
        """Give the object on the stack its state."""
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is OrderedDict:
            if not isinstance(state, dict) or not set(state) <= {"_metadata"}:
                raise UnpicklingError(f"the file gives an OrderedDict the attributes {list(state)}")
            vars(target).update(state)
        elif isinstance(target, np.dtype):
            _set_dtype(target, state)
        elif type(target) is np.ndarray:
            _set_array(self, target, state)
        elif type(target).__name__ == "Parameter" and isinstance(target, Tensor):
            _set_parameter(target, state)
        elif self.is_allowed(type(target)):
            _set_state(target, state)
        else:
            raise UnpicklingError(f"the file gives a {type(target).__name__} a state")


def _refusal(module, name):
    full = f"{module}.{name}"
    start = f"the file names {full}, which load does not make, since that may run any code"
    if module.startswith("torch.nn") or name in ("ScriptModule", "Module"):
        return (
            f"{start}. It seems to hold a whole module: under PyTorch, save its state_dict(), and "
            "load that into a module built here"
        )
    if name in ("_rebuild_qtensor", "_rebuild_wrapper_subclass"):
        return f"{start}. Quantized tensors do not exist here: under PyTorch, dequantize() them"
    return (
        f"{start}. Under PyTorch, save tensors, numbers and texts in dicts and lists instead; or, "
        f"if you trust the file, torch.serialization.add_safe_globals([{name}]) allows it"
    )


def _called(thing):
    return getattr(thing, "__qualname__", None) or type(thing).__name__


def _set_dtype(dtype, state):
    order, fields = state[1], state[2:5]
    if order not in ("<", ">", "|", "=") or fields != (None, None, None):
        raise ValueError(f"a NumPy dtype of {state!r}")
    sizes = (-1, -1) if dtype.kind in "biufc" else (dtype.itemsize, dtype.alignment)
    dtype.__setstate__((3, order, None, None, None, *sizes, 0))


def _set_array(machine, array, state):
    _, shape, dtype, fortran, data = state
    data = data.encode("latin-1") if isinstance(data, str) else data
    if not isinstance(dtype, np.dtype) or dtype.hasobject or not isinstance(data, bytes):
        raise ValueError("a NumPy array of objects")
    if not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"a NumPy array of shape {shape}")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"a NumPy array of shape {shape} in {len(data)} bytes")
    machine.spend(len(data))
    array.__setstate__((1, shape, dtype, bool(fortran), data))


def _set_parameter(parameter, state):
    """The state of a parameter before PyTorch 0.4: (requires_grad, volatile, hooks)."""
    if len(state) == 5:
        parameter.data = state[0]
        state = (state[3], state[4], state[2])
    requires_grad, _, _ = state
    parameter.requires_grad = bool(requires_grad)


def _set_state(target, state):
    """The state of an object of an allowed class, as Python's own unpickler gives it."""
    if hasattr(target, "__setstate__"):
        target.__setstate__(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    vars(target).update(state or {})
    for name, value in (slots or {}).items():
        setattr(target, name, value)


_PUSHED = (
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8",
)  # fmt: skip
_STEPS = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda m, arg: None),
    **dict.fromkeys(_PUSHED, _Machine.push),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _Machine.string),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "EMPTY_SET": lambda m, _: m.push(set()),
    "POP": lambda m, _: m.stack.pop(),
    "POP_MARK": lambda m, _: m.pop_mark(),
    "DUP": lambda m, _: m.push(m.stack[-1]),
    "MEMOIZE": _Machine.memoize,
    "MARK": _Machine.mark,
    "TUPLE": lambda m, _: m.push(tuple(m.pop_mark())),
    "TUPLE1": lambda m, _: m.tuple_of(1),
    "TUPLE2": lambda m, _: m.tuple_of(2),
    "TUPLE3": lambda m, _: m.tuple_of(3),
    "LIST": lambda m, _: m.push(m.pop_mark()),
    "DICT": _Machine.dict_of,
    "APPEND": _Machine.append,
    "APPENDS": lambda m, _: m.extend(m.pop_mark()),
    "SETITEM": _Machine.set_item,
    "SETITEMS": lambda m, _: m.set_items(m.pop_mark()),
    "ADDITEMS": _Machine.add_items,
    "FROZENSET": _Machine.frozen_set,
    "GLOBAL": _Machine.name_given,
    "STACK_GLOBAL": _Machine.name_on_stack,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.new_object,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.storage,
}


# --- the two kinds of files ---------------------------------------------------------------


def is_torch_file(start: bytes) -> bool:
    """Whether a file that begins with these 8 bytes is a zip archive or a pickle."""
    if start.startswith(b"PK\x03\x04"):
        return True
    # No header of a safetensors file is as long as a pickle's first bytes would say.
    length = int.from_bytes(start, "little")
    return start[:1] == b"\x80" and start[1:2] <= b"\x05" and length > MAX_HEADER


def read_torch_file(stream, name, encoding="utf-8"):
    """Return the object in a file that :func:`is_torch_file`.

    Raises:
        UnpicklingError: the file names something that is not read, or a pickle is damaged.
        RuntimeError: the file is damaged otherwise, or is not PyTorch's.
    """
    start = stream.tell()
    size = stream.seek(0, 2) - start
    stream.seek(start)
    is_zip = stream.read(2) == b"PK"
    stream.seek(start)
    return (_read_zip if is_zip else _read_legacy)(stream, name, size, encoding)


def _read_zip(stream, name, size, encoding):
    import io
    import zipfile

    try:
        entries = {e.filename: e for e in zipfile.ZipFile(stream).infolist()}
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise RuntimeError(
            f"{name}: this zip archive was cut short or is damaged: {error}"
        ) from error
    root = next((n[:-8] for n in entries if n.endswith("data.pkl") and n.count("/") <= 1), None)
    if root is None:
        kind = "it holds NumPy arrays: use numpy.load" if any(n.endswith(".npy") for n in entries) \
            else "it has no data.pkl"  # fmt: skip
        raise RuntimeError(f"{name}: this zip archive is not from torch.save: {kind}")
    if root + "constants.pkl" in entries:
        raise RuntimeError(
            f"{name}: this is a TorchScript program; under PyTorch, save the state_dict() of "
            "torch.jit.load(f)"
        )
    storages = _Storages(name, size)

    def read(record, allowed=None):
        """Seek to the values of ``record`` and return their length."""
        entry = entries.get(root + record)
        if entry is None:
            raise RuntimeError(f"{name}: the archive lacks {root + record}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise RuntimeError(f"{name}: {entry.filename} is compressed; torch.save does not do so")
        stream.seek(max(0, entry.header_offset))
        header = stream.read(30)
        if len(header) != 30 or header[:4] != b"PK\x03\x04":
            raise RuntimeError(f"{name}: {entry.filename} is not where the archive says")
        lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        stream.seek(entry.header_offset + 30 + lengths)
        return entry.file_size

    def content(record):
        length = read(record)
        storages.take(length)
        return stream.read(length)

    big_endian = root + "byteorder" in entries and content("byteorder").strip() == b"big"
    made = {}

    def storage_of(kind, key, location, count):
        if key not in made:
            storage = storages.make(kind, count)
            if read(f"data/{key}") != count * kind.itemsize:
                raise RuntimeError(f"{name}: data/{key} does not hold {count} elements")
            storages.fill(storage, kind, stream, big_endian)
            made[key] = storage
        return made[key]

    text = content("data.pkl")
    machine = _Machine(io.BytesIO(text), name, len(text), storage_of, encoding, big_endian)
    return machine.run()


class _Pickles:
    """The part of a stream that is left, for reading pickles one after the other."""

    def __init__(self, stream, size):
        self.stream, self.left = stream, size
        self.readinto = stream.readinto

    def read(self, count):
        data = self.stream.read(min(count, self.left))
        self.left -= len(data)
        return data

    def readline(self):
        line = self.stream.readline(self.left)
        self.left -= len(line)
        return line


def _read_legacy(stream, name, size, encoding):
    pickles = _Pickles(stream, size)
    storages = _Storages(name, size)
    made, views = {}, {}

    def storage_of(kind, key, location, count, view=None):
        if key not in made:
            made[key] = (storages.make(kind, count), kind)
        storage = made[key][0]
        if view is None:
            return storage
        view_key, offset, length = view
        if view_key not in views:
            if not 0 <= offset <= offset + length <= len(storage):
                raise ValueError(f"a view of {length} elements at {offset}")
            views[view_key] = _view(storage, elements_of(storage)[offset : offset + length])
        return views[view_key]

    def load(storage_of=None, dry=False):
        return _Machine(pickles, name, size, storage_of, encoding, dry=dry).run()

    if load() != MAGIC_NUMBER:
        raise RuntimeError(
            f"{name}: this is a pickle, but not from torch.save; load tensors from files of "
            "torch.save or safetensors only"
        )
    version = load()
    if version != PROTOCOL_VERSION:
        raise RuntimeError(f"{name}: a file of the unknown version {version!r}")
    load()  # facts about the machine that wrote it; the values are little-endian always
    position, left = stream.tell(), pickles.left
    load(storage_of, dry=True)  # the values come after it; it is run again when they are there
    keys = load()
    if not isinstance(keys, list) or set(map(str, keys)) != set(map(str, made)):
        raise RuntimeError(f"{name}: the file lists other storages than its tensors have")
    for key in keys:
        storage, kind = made[key]
        count = int.from_bytes(stream.read(8), "little")
        if count != len(storage):
            raise RuntimeError(f"{name}: a storage of {len(storage)} elements has {count} values")
        storages.fill(storage, kind, stream)
    stream.seek(position)
    pickles.left = left
    return load(storage_of)
