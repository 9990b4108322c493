"""The safetensors format, on plain arrays.

A file is eight bytes (the header's length, little-endian), a JSON header that gives each tensor's
dtype, shape and place, and the raw values: https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import io
import json
import math

import numpy as np

from .files import PathOrFile, name_of, open_to_read, open_to_write, write_all

__all__ = ["read_safetensors", "write_safetensors"]

MAX_HEADER = 100_000_000  # bytes; the format's own limit, so that a reader cannot be made to hang
_MAX_DIMS = 64  # NumPy's
METADATA = "__metadata__"

# Names of the format, and the little-endian layout each stands for.
_DTYPES = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"), "U16": np.dtype("<u2"), "U32": np.dtype("<u4"), "U64": np.dtype("<u8"),
    "I8": np.dtype("i1"), "I16": np.dtype("<i2"), "I32": np.dtype("<i4"), "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "F64": np.dtype("<f8"),
    "C64": np.dtype("<c8"),
}  # fmt: skip
NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_STORED = {**_DTYPES, "BF16": np.dtype("<u2")}  # NumPy has no bfloat16: read as bits, then widened

# First bytes of files that people take for state dicts.
_SIGNATURES = {
    b"PK\x03\x04": "a zip archive, such as a PyTorch checkpoint (.pt, .pth), which load reads",
    b"\x80": "a pickle, such as an old PyTorch checkpoint, which load reads",
    b"\x93NUMPY": "a NumPy array; use numpy.load",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip file; decompress it first",
    b"GGUF": "a GGUF file",
    b"version ": "a Git LFS pointer; fetch the real file with git lfs pull",
}


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
    with open_to_write(f) as out:
        write_all(out, len(header).to_bytes(8, "little") + header)
        for name in order:
            dtype = arrays[name].dtype.newbyteorder("<")
            write_all(out, np.ascontiguousarray(arrays[name], dtype).reshape(-1).view(np.uint8))


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
    header = {METADATA: metadata} if metadata else {}
    for name, array in arrays.items():
        header[name] = {
            "dtype": NAMES[array.dtype.newbyteorder("<")],
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
    if name == METADATA:
        raise ValueError(f"a tensor cannot be called {METADATA!r}: the format reserves the name")
    if not isinstance(array, np.ndarray):
        raise TypeError(f"tensor {name!r} must be an ndarray, got {type(array).__name__}")
    if array.dtype.newbyteorder("<") not in NAMES:
        raise TypeError(
            f"tensor {name!r} has dtype {array.dtype}, which the safetensors format cannot hold; "
            f"convert it to one of {', '.join(dtype.name for dtype in NAMES)}"
        )


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
    with open_to_read(f) as stream:
        return read_stream(stream, name_of(f))


def read_stream(stream, file_name):
    """:func:`read_safetensors` from a seekable stream; errors call it ``file_name``."""
    source = _Source(stream, file_name)
    header = source.read_header()
    metadata = header.pop(METADATA, {})
    source.check_metadata(metadata)
    arrays = {name: source.read_array(name, *place) for name, place in source.layout(header)}
    return {name: arrays[name] for name in header}, metadata


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
            raise self.error(f"{METADATA} in the header must map texts to texts")

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
