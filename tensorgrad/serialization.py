"""Saving and loading as safetensors files. Nothing is ever pickled or unpickled.

A file is eight bytes (the header's length, little-endian), a JSON header that gives each tensor's
dtype, shape and place, and the raw values: https://github.com/huggingface/safetensors, "Format".
:func:`write_safetensors` and :func:`read_safetensors` are that and no more, on plain arrays.
:func:`save` and :func:`load` add one entry to the header's ``__metadata__``: a JSON description of
the dicts, lists and numbers around the tensors. Other readers skip it and find the tensors.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import stat
from collections import OrderedDict
from typing import Any, BinaryIO

import numpy as np

from ._graph import Tensor, wrap

__all__ = ["load", "read_safetensors", "save", "write_safetensors"]

PathOrFile = str | bytes | os.PathLike | BinaryIO

MAX_HEADER = 100_000_000  # bytes; the format's own limit, so that a reader cannot be made to hang
_MAX_DIMS = 64  # NumPy's
_METADATA = "__metadata__"
_STRUCTURE = "tensorgrad"  # our entry in the metadata
_VERSION = 1

# Names of the format, and the little-endian layout each stands for.
_DTYPES = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"), "U16": np.dtype("<u2"), "U32": np.dtype("<u4"), "U64": np.dtype("<u8"),
    "I8": np.dtype("i1"), "I16": np.dtype("<i2"), "I32": np.dtype("<i4"), "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "F64": np.dtype("<f8"),
    "C64": np.dtype("<c8"),
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_STORED = {**_DTYPES, "BF16": np.dtype("<u2")}  # NumPy has no bfloat16: read as bits, then widened

# First bytes of files that people take for state dicts.
_SIGNATURES = {
    b"PK\x03\x04": "a zip archive, such as a PyTorch checkpoint (.pt, .pth) or an .npz; open it "
    "with the library that wrote it and save its tensors as safetensors",
    b"\x80": "a pickle, such as an old PyTorch checkpoint; tensorgrad never unpickles. Open it "
    "with the library that wrote it and save its tensors as safetensors",
    b"\x93NUMPY": "a NumPy array; use numpy.load",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip file; decompress it first",
    b"GGUF": "a GGUF file",
    b"version ": "a Git LFS pointer; fetch the real file with git lfs pull",
}


# --- arrays: the format itself ------------------------------------------------------------


def write_safetensors(
    f: PathOrFile, arrays: dict[str, np.ndarray], metadata: dict[str, str] | None = None
) -> None:
    """Write named arrays as a safetensors file.

    A path is replaced in one step: the new content goes to a temporary file beside it, which is
    flushed to the disk and renamed. If anything fails, the old file stays as it was and the
    temporary one is removed. The old file's permissions are kept, a symbolic link stays a link.

    Args:
        f: path, or binary file object to write to at its position.
        arrays: ndarrays of any shape and strides, by name; dtypes bool, u/int8 to u/int64,
            float16, float32, float64, complex64. The header keeps their order; the values are
            laid out by descending element size, so that each is aligned in a mapped file.
        metadata: texts by name.

    Raises:
        TypeError: an array's dtype has no name in the format, or something is not of the type
            above; the message names it.
        ValueError: a tensor is called ``__metadata__``, a name is not valid Unicode, or the header
            is over 100 MB.
        RuntimeError: the folder does not exist.
        OSError: the system could not write. In none of these cases has a path changed.

    >>> import io, numpy as np
    >>> file = io.BytesIO()
    >>> write_safetensors(file, {"weight": np.eye(2, dtype=np.float32)}, {"made by": "hand"})
    >>> file.getvalue()[8:72]
    b'{"__metadata__":{"made by":"hand"},"weight":{"dtype":"F32","shap'
    """
    header, order = _make_header(arrays, metadata or {})
    with _open_to_write(f) as out:
        _write(out, len(header).to_bytes(8, "little") + header)
        for name in order:
            dtype = arrays[name].dtype.newbyteorder("<")
            _write(out, np.ascontiguousarray(arrays[name], dtype).reshape(-1).view(np.uint8))


def _make_header(arrays, metadata):
    """Return the encoded header, and the names in the order in which their values follow it."""
    for key, text in metadata.items():
        if not (isinstance(key, str) and isinstance(text, str)):
            raise TypeError(f"metadata must map str to str, got {key!r}: {type(text).__name__}")
    for name, array in arrays.items():
        _check_writable(name, array)
    order = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    offsets, end = {}, 0
    for name in order:
        offsets[name] = [end, end + arrays[name].nbytes]
        end = offsets[name][1]
    header = {_METADATA: metadata} if metadata else {}
    for name, array in arrays.items():
        header[name] = {
            "dtype": _NAMES[array.dtype.newbyteorder("<")],
            "shape": list(array.shape),
            "data_offsets": offsets[name],
        }
    encoded = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    if len(encoded) > MAX_HEADER:
        raise ValueError(
            f"the header would take {len(encoded)} bytes, the format allows {MAX_HEADER}; "
            "save fewer or larger tensors, or less metadata"
        )
    return encoded, order


def _check_writable(name, array):
    if not isinstance(name, str):
        raise TypeError(f"names of tensors must be str, got {name!r}")
    if name == _METADATA:
        raise ValueError(f"a tensor cannot be called {_METADATA!r}: the format reserves the name")
    if not isinstance(array, np.ndarray):
        raise TypeError(f"tensor {name!r} must be an ndarray, got {type(array).__name__}")
    if array.dtype.newbyteorder("<") not in _NAMES:
        raise TypeError(
            f"tensor {name!r} has dtype {array.dtype}, which the safetensors format cannot hold; "
            f"convert it to one of {', '.join(dtype.name for dtype in _NAMES)}"
        )


def _write(out, data):
    """Write all of ``data``; an unbuffered file may take it in several pieces."""
    rest = memoryview(data)
    while rest.nbytes:
        written = out.write(rest)
        rest = rest[written:] if written is not None else rest[:0]


@contextlib.contextmanager
def _open_to_write(f):
    """Yield a binary file for ``f``; a path changes only when the block ends without an error."""
    if not _is_path(f):
        if not hasattr(f, "write"):
            raise TypeError(f"expected a path or a binary file with write(), got {f!r}")
        yield f
        return
    path = os.path.realpath(os.fsdecode(f))
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise RuntimeError(f"parent directory {folder} does not exist; create it first")
    old = os.stat(path) if os.path.exists(path) else None
    if old is not None and not stat.S_ISREG(old.st_mode):  # a device or pipe: it must stay one
        with open(path, "wb") as out:
            yield out
        return
    temporary = os.path.join(folder, f".{os.urandom(8).hex()}.tmp")
    try:
        with open(temporary, "xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        if old is not None:
            os.chmod(temporary, stat.S_IMODE(old.st_mode))
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _is_path(f):
    return isinstance(f, str | bytes | os.PathLike)


def read_safetensors(f: PathOrFile) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read a safetensors file, and check all of it.

    Args:
        f: path, or binary file object that holds the format from its position to its end.

    Returns:
        The arrays by name in the header's order, each with its own writable memory, and the
        metadata (empty if there is none). NumPy has no bfloat16: ``BF16`` becomes float32, exactly.

    Raises:
        RuntimeError: the file is not in the format, is cut short, has a header over 100 MB, a name
            twice, a dtype that NumPy lacks (the 4, 6 and 8 bit floats), offsets that overlap,
            leave gaps, or do not fit the shape. The message names the file and the tensor. Every
            size is checked against the file's length before memory is taken for it.
        TypeError: ``f`` is neither a path nor a binary file.
        OSError: the system could not read.

    >>> import io, numpy as np
    >>> file = io.BytesIO()
    >>> write_safetensors(file, {"weight": np.eye(2, dtype=np.float32)})
    >>> read_safetensors(io.BytesIO(file.getvalue()))
    ({'weight': array([[1., 0.],
           [0., 1.]], dtype=float32)}, {})
    """
    with _open_to_read(f) as stream:
        source = _Source(stream, _name(f))
        header = source.read_header()
        metadata = header.pop(_METADATA, {})
        source.check_metadata(metadata)
        arrays = {name: source.read_array(name, *place) for name, place in source.layout(header)}
    return {name: arrays[name] for name in header}, metadata


@contextlib.contextmanager
def _open_to_read(f):
    """Yield a seekable binary file for ``f``."""
    if _is_path(f):
        with open(f, "rb") as stream:
            yield _seekable(stream)
    elif isinstance(f, io.TextIOBase) or not hasattr(f, "read"):
        raise TypeError(f"expected a path or a file opened in binary mode, got {f!r}")
    else:
        yield _seekable(f)


def _seekable(stream):
    if hasattr(stream, "readinto") and hasattr(stream, "seekable") and stream.seekable():
        return stream
    return io.BytesIO(stream.read())


def _name(f):
    name = f if _is_path(f) else getattr(f, "name", None)
    return os.fsdecode(name) if _is_path(name) else f"<{type(f).__name__}>"


class _Source:
    """A stream at the first byte of a safetensors file, and the checks on what it holds."""

    def __init__(self, stream, name):
        self.stream, self.name = stream, name
        start = stream.tell()
        self.left = stream.seek(0, io.SEEK_END) - start  # bytes not read yet
        stream.seek(start)

    def error(self, problem):
        return RuntimeError(f"{self.name}: {problem}")

    def read(self, size):
        data = bytearray(size)
        self.fill(data)
        return bytes(data)

    def fill(self, buffer):
        rest = memoryview(buffer)
        while rest.nbytes:
            count = self.stream.readinto(rest)
            if not count:
                raise self.error(f"the file ended {rest.nbytes} bytes early while it was read")
            rest = rest[count:]
            self.left -= count

    def read_header(self):
        """Return the header as a dict, leaving the stream at the first byte of the values."""
        start = self.read(min(8, self.left))
        length = int.from_bytes(start, "little")
        if len(start) < 8:
            raise self.not_safetensors(start, f"it holds {len(start)} bytes, not even a length")
        if length > MAX_HEADER:
            raise self.not_safetensors(
                start, f"its header would be {length} bytes long, the limit is {MAX_HEADER}"
            )
        if length > self.left:
            raise self.not_safetensors(
                start, f"its header should be {length} bytes long, {self.left} follow; cut short?"
            )
        encoded = self.read(length)
        if not encoded.startswith(b"{"):
            raise self.not_safetensors(start, "its header does not begin with '{'")
        try:
            return json.loads(encoded.decode(), object_pairs_hook=_dict_of_distinct)
        except (ValueError, RecursionError) as error:
            raise self.error(f"the header of this safetensors file is damaged: {error}") from error

    def not_safetensors(self, start, problem):
        for signature, description in _SIGNATURES.items():
            if start.startswith(signature):
                problem = f"it looks like {description}"
        return self.error(f"this is not a safetensors file: {problem}")

    def check_metadata(self, metadata):
        if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
            raise self.error(f"{_METADATA} in the header must map texts to texts")

    def layout(self, header):
        """Return ``(name, (dtype name, shape, begin, end))`` in the order of the values."""
        places = [(name, self.check_entry(name, entry)) for name, entry in header.items()]
        places.sort(key=lambda item: item[1][2:])
        last, position = "the header", 0
        for name, (_, _, begin, end) in places:
            if begin != position:
                raise self.error(
                    f"tensor {name!r} begins at byte {begin} of the values, but {last} ends at "
                    f"byte {position}; tensors must follow each other without overlap or gap"
                )
            last, position = f"tensor {name!r}", end
        if position != self.left:
            raise self.error(f"{self.left - position} bytes after {last} belong to no tensor")
        return places

    def check_entry(self, name, entry):
        """Check what can be checked of one tensor alone."""
        if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
            raise self.error(f"tensor {name!r} lacks one of dtype, shape and data_offsets")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in _STORED:
            raise self.error(
                f"tensor {name!r} has dtype {dtype!r}; tensorgrad reads {', '.join(_STORED)}"
            )
        if not _are_sizes(shape) or len(shape) > _MAX_DIMS:
            raise self.error(
                f"the shape of tensor {name!r} must be a list of at most {_MAX_DIMS} sizes"
            )
        if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
            raise self.error(f"data_offsets of tensor {name!r} must be its first byte and its end")
        begin, end = offsets
        needed = math.prod(shape) * _STORED[dtype].itemsize
        if end - begin != needed:
            raise self.error(
                f"tensor {name!r} of dtype {dtype} and shape {shape} needs {needed} bytes, but "
                f"its data_offsets {offsets} hold {end - begin}"
            )
        if end > self.left:
            raise self.error(
                f"tensor {name!r} ends at byte {end} of the values, but there are only "
                f"{self.left}; the file was cut short"
            )
        return dtype, shape, begin, end

    def read_array(self, name, dtype, shape, begin, end):
        try:
            array = np.empty(shape, _STORED[dtype])
        except ValueError as error:  # no elements, yet sizes that NumPy cannot multiply
            raise self.error(f"tensor {name!r} has the impossible shape {shape}") from error
        flat = array.reshape(-1)
        raw = flat.view(np.uint8)
        self.fill(raw)
        if dtype == "BOOL" and raw.max(initial=0) > 1:
            raise self.error(f"tensor {name!r} of dtype BOOL holds bytes other than 0 and 1")
        if dtype == "BF16":  # the upper half of a float32
            wide = flat.astype(np.uint32)
            wide <<= 16
            return wide.view(np.float32).reshape(shape)
        return array.astype(array.dtype.newbyteorder("="), copy=False)


def _dict_of_distinct(pairs):
    result = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"the name {name!r} occurs twice")
        result[name] = value
    return result


def _are_sizes(sizes):
    return isinstance(sizes, list) and all(type(n) is int and 0 <= n < 2**63 for n in sizes)


# --- objects: tensors in dicts, lists and tuples --------------------------------------------


def save(obj: Any, f: PathOrFile) -> None:
    """Save tensors, alone or in dicts, lists and tuples, as one safetensors file.

    A plain state dict (tensors by name) makes an ordinary safetensors file under the same names,
    which any safetensors reader opens. A tensor further inside is named by the way to it, such as
    ``optimizer.state[0]['exp_avg']``; everything else is JSON in the file's metadata. A path is
    replaced in one step, as :func:`write_safetensors` describes.

    What comes back from :func:`load`:

    - Tensors and parameters: tensors of the same dtype and values that need no gradient and were
      not computed from anything. ndarrays: ndarrays. Complex128, which the format lacks, is stored
      as pairs of float64.
    - Tensors that share memory (tied weights, views) are each written whole, and come back with
      the same values in memory of their own. Only the elements that a view shows are written.
      ``load_state_dict`` on a module whose weights are tied leaves them tied.
    - None, bool, int, float, complex, str: equal (nan and infinities too). NumPy scalars become
      Python numbers.
    - dict and OrderedDict in their order, list, tuple; a subclass comes back as the class it is
      based on. Keys may be str, int, float, bool or None.

    Args:
        obj: what to save.
        f: path, or binary file object to write to at its position.

    Raises:
        TypeError: something in ``obj`` cannot be saved; the message names where it stands, for
            example ``optimizer.state[3]['exp_avg']``. Nothing was written then.
        ValueError: ``obj`` contains itself.
        RuntimeError: the folder does not exist.

    >>> import io, tensorgrad
    >>> file = io.BytesIO()
    >>> tensorgrad.save({"weight": tensorgrad.ones(2), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> tensorgrad.load(file)
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    arrays: dict[str, np.ndarray] = {}
    packed = _pack(obj, "", arrays, parents=())
    structure = json.dumps({"version": _VERSION, "object": packed}, separators=(",", ":"))
    write_safetensors(f, arrays, {_STRUCTURE: structure})


def load(
    f: PathOrFile, map_location: Any = None, *, weights_only: bool = True, mmap: bool | None = None
) -> Any:
    """Load what :func:`save` wrote, or the tensors of any safetensors file as a dict.

    Args:
        f: path, or binary file object that holds a safetensors file from its position to its end.
        map_location: for PyTorch's scripts. Tensors always come to the CPU, so None, ``"cpu"``,
            a function or a dict make no difference, and another device is refused.
        weights_only: for PyTorch's scripts. Nothing is ever unpickled, whatever its value.
        mmap: for PyTorch's scripts; no difference.

    Raises:
        RuntimeError: the file is not in the safetensors format (the message says what it looks
            like; PyTorch's own ``.pt`` files are not read), is damaged, or ``map_location`` is
            not the CPU.
        FileNotFoundError: there is no such file.
        TypeError: ``f`` is neither a path nor a binary file.

    >>> import io, tensorgrad
    >>> tensorgrad.load(io.BytesIO(b"short"))
    Traceback (most recent call last):
    RuntimeError: <BytesIO>: this is not a safetensors file: it holds 5 bytes, not even a length
    """
    _check_location(map_location)
    arrays, metadata = read_safetensors(f)
    if _STRUCTURE not in metadata:
        return {name: wrap(array) for name, array in arrays.items()}
    try:
        return _rebuild(json.loads(metadata[_STRUCTURE]), arrays)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise RuntimeError(
            f"{_name(f)}: the description of the saved object cannot be followed: {error!r}; "
            "read_safetensors still gives the tensors"
        ) from error


def _rebuild(structure, arrays):
    if structure["version"] != _VERSION:
        raise ValueError(
            f"it has version {structure['version']!r}, this tensorgrad reads {_VERSION}"
        )
    obj = _unpack(structure["object"], arrays)
    if arrays:
        raise ValueError(f"it does not mention the tensors {', '.join(arrays)}")
    return obj


def _check_location(map_location):
    if map_location is None or callable(map_location) or isinstance(map_location, dict):
        return
    if str(map_location).split(":")[0] != "cpu":
        raise RuntimeError(
            f"map_location={str(map_location)!r} is not available; tensorgrad computes on the CPU: "
            "leave it out or pass 'cpu'"
        )


def _pack(value, path, arrays, parents):
    """Return ``value`` as JSON, moving its arrays into ``arrays``.

    JSON's own types stand for themselves; everything else is a dict with one key that says what
    it is, as read by ``_UNPACK``.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, complex):
        return {"complex": [str(value.real), str(value.imag)]}
    if isinstance(value, Tensor | np.ndarray):
        is_tensor = isinstance(value, Tensor)
        array = value._array if is_tensor else value
        name = _add(array, path, arrays)
        kind = "tensor" if is_tensor else "ndarray"
        return {kind: name} if array.dtype != np.complex128 else {f"complex128 {kind}": name}
    if not isinstance(value, dict | list | tuple):
        raise _unsupported(value, path)
    if id(value) in parents:
        raise ValueError(f"save cannot store {_called(path)}: it contains itself")
    parents = (*parents, id(value))
    if isinstance(value, dict):
        kind = "OrderedDict" if isinstance(value, OrderedDict) else "dict"
        return {kind: [
            [_pack_key(key, path), _pack(item, _child(path, key), arrays, parents)]
            for key, item in value.items()
        ]}  # fmt: skip
    items = [_pack(item, _child(path, i), arrays, parents) for i, item in enumerate(value)]
    return items if isinstance(value, list) else {"tuple": items}


def _pack_key(key, path):
    if not isinstance(key, str | int | float | bool | np.generic | None):
        raise TypeError(
            f"save cannot store the key {key!r} of {_called(path)}: keys may be str, int, float, "
            f"bool or None, got {type(key).__name__}"
        )
    return _pack(key, path, {}, ())


def _add(array, path, arrays):
    """Put ``array`` under a name like ``path`` that is still free, and return the name."""
    name = path or "tensor"
    while name in arrays or name == _METADATA:
        name += "'"
    if array.dtype == np.complex128:
        array = np.stack([array.real, array.imag], axis=-1)
    if array.dtype.newbyteorder("<") not in _NAMES:
        raise TypeError(f"save cannot store {_called(path)}: an array of dtype {array.dtype}")
    arrays[name] = array
    return name


def _child(path, key):
    """Extend a path: dots between names, subscripts from the first index on."""
    if isinstance(key, str) and not path.endswith("]"):
        return f"{path}.{key}" if path else key
    return f"{path}[{key!r}]"


def _called(path):
    return path or "the object itself"


def _unsupported(value, path):
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    hint = "; pass its state_dict()" if callable(getattr(value, "state_dict", None)) else ""
    return TypeError(
        f"save cannot store {_called(path)} of type {kind}{hint}. It stores tensors, arrays, "
        "numbers, texts and None, in dicts, lists and tuples"
    )


def _from_pairs(array):
    return array.view(np.complex128).reshape(array.shape[:-1])


# What each key in the JSON of ``_pack`` stands for, given its value and the arrays of the file.
_UNPACK = {
    "tensor": lambda name, arrays: wrap(arrays.pop(name)),
    "ndarray": lambda name, arrays: arrays.pop(name),
    "complex128 tensor": lambda name, arrays: wrap(_from_pairs(arrays.pop(name))),
    "complex128 ndarray": lambda name, arrays: _from_pairs(arrays.pop(name)),
    "tuple": lambda items, arrays: tuple(_unpack(items, arrays)),
    "dict": lambda pairs, arrays: dict(_unpack(pairs, arrays)),
    "OrderedDict": lambda pairs, arrays: OrderedDict(_unpack(pairs, arrays)),
    "float": lambda text, _: float(text),
    "complex": lambda parts, _: complex(*map(float, parts)),
}


def _unpack(packed, arrays):
    """Return the object that ``_pack`` described, taking its tensors out of ``arrays``."""
    if isinstance(packed, list):
        return [_unpack(item, arrays) for item in packed]
    if not isinstance(packed, dict):
        return packed
    (kind, content), *more = packed.items()
    if more:
        raise ValueError(f"{kind!r} beside {more[0][0]!r}")
    return _UNPACK[kind](content, arrays)
