"""Saving and loading: safetensors files, and PyTorch's own files read. Nothing is ever unpickled.

:func:`save` writes a safetensors file with one more entry in its ``__metadata__``: a JSON
description of the dicts, lists and numbers around the tensors. Other readers skip it and find the
tensors. :func:`load` reads these, any safetensors file, and what PyTorch's ``torch.save`` wrote.
"""

from __future__ import annotations

import json
import pickle
from typing import Any

from .._graph import Tensor, wrap
from . import checkpoint
from .files import PathOrFile, name_of, open_to_read
from .safetensors import read_safetensors, read_stream, write_safetensors
from .torch_files import (
    UnpicklingError,
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    is_torch_file,
    read_torch_file,
    safe_globals,
)

__all__ = [
    "UnpicklingError", "add_safe_globals", "clear_safe_globals", "get_safe_globals", "load",
    "load_file", "read_safetensors", "safe_globals", "save", "save_file", "write_safetensors",
]  # fmt: skip


def save(
    obj: Any,
    f: PathOrFile,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Save tensors, alone or in dicts, lists and tuples, as one safetensors file.

    A plain state dict (tensors by name) makes an ordinary safetensors file under the same names,
    which any safetensors reader opens. A tensor further inside is named by the way to it, such as
    ``optimizer.state[0]['exp_avg']``; everything else is JSON in the file's metadata. A path is
    replaced in one step, as :func:`write_safetensors` describes.

    What comes back from :func:`load`:

    - Tensors: tensors of the same dtype and values, leaves that require grad if these did, without
      their gradients. Parameters: parameters. ndarrays: ndarrays. Complex128, which the format
      lacks, is stored as pairs of float64.
    - Tensors that share memory (tied weights, views) are each written whole, so that other readers
      find them, and share memory again. Only the elements that they show are written and come back.
      Views that lie further apart than 16 times what they show come back apart.
    - None, bool, int, float, complex, str, bytes: equal (nan and infinities too). NumPy scalars
      become Python numbers. Size, dtype and device.
    - dict, OrderedDict and Counter in their order, list, tuple, set; another subclass comes back as
      the class it is based on. Keys may be str, int, float, bool or None.

    Args:
        obj: what to save.
        f: path, or binary file object to write to at its position.
        pickle_module: None, or Python's ``pickle``, to no effect: nothing is pickled.
        pickle_protocol: no effect, for the same reason.
        _use_new_zipfile_serialization: no effect; there is one format.
        _disable_byteorder_record: no effect; values are little-endian.

    Raises:
        TypeError: something in ``obj`` cannot be saved; the message names where it stands, for
            example ``optimizer.state[3]['exp_avg']``. Nothing was written then. Or another
            ``pickle_module`` was asked for.
        ValueError: ``obj`` contains itself.
        RuntimeError: the folder does not exist.

    >>> import io, tensorgrad
    >>> file = io.BytesIO()
    >>> tensorgrad.save({"weight": tensorgrad.ones(2), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> tensorgrad.load(file)
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    _check_pickle_module(pickle_module)
    structure, arrays = checkpoint.describe(obj)
    text = json.dumps(structure, separators=(",", ":"))
    write_safetensors(f, arrays, {checkpoint.STRUCTURE: text})


def load(
    f: PathOrFile,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Load what :func:`save` wrote, a safetensors file as a dict, or a file of PyTorch's.

    PyTorch's files are read from ``torch.save``, in the zip format and the one before it: tensors
    and parameters in dicts, lists, tuples, sets, OrderedDict, Counter, defaultdict, with numbers,
    texts, Size, dtype, device and NumPy arrays. Tensors on a GPU come to the CPU. Tensors that
    shared memory share it again. bfloat16, which NumPy lacks, becomes float32, exactly; attributes
    of tensors are left out. Anything else that a file names is refused, whatever ``weights_only``
    says, unless :func:`add_safe_globals` allowed it: nothing of the file's choice is run.

    Args:
        f: path, or binary file object that holds the file from its position to its end.
        map_location: for PyTorch's scripts. Tensors always come to the CPU, so None, ``"cpu"``,
            a function or a dict make no difference, and another device is refused.
        pickle_module: None, or Python's ``pickle``, to no effect: nothing is unpickled.
        weights_only: for PyTorch's scripts; no difference, as if True.
        mmap: for PyTorch's scripts; no difference.
        **pickle_load_args: ``encoding`` (``"utf-8"``) is that of texts in files of Python 2.

    Raises:
        UnpicklingError: (a ``pickle.UnpicklingError``) a file of PyTorch's names something that is
            not read, or its pickle is damaged.
        RuntimeError: the file is in no known format (the message says what it looks like), is
            damaged, or ``map_location`` is not the CPU.
        FileNotFoundError: there is no such file.
        TypeError: ``f`` is neither a path nor a binary file, or an unknown argument.

    >>> import io, tensorgrad
    >>> tensorgrad.load(io.BytesIO(b"short"))
    Traceback (most recent call last):
    RuntimeError: <BytesIO>: this is not a safetensors file: it holds 5 bytes, not even a length
    """
    _check_location(map_location)
    _check_pickle_module(pickle_module)
    encoding = pickle_load_args.pop("encoding", "utf-8")
    if pickle_load_args:
        name = next(iter(pickle_load_args))
        raise TypeError(f"load() got an unexpected keyword argument {name!r}")
    with open_to_read(f) as stream:
        start = stream.tell()
        torchs = is_torch_file(stream.read(8))
        stream.seek(start)
        if torchs:
            return read_torch_file(stream, name_of(f), encoding)
        arrays, metadata = read_stream(stream, name_of(f))
    if checkpoint.STRUCTURE not in metadata:
        return {name: wrap(array) for name, array in arrays.items()}
    try:
        return checkpoint.rebuild(json.loads(metadata[checkpoint.STRUCTURE]), arrays)
    except (
        ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError
    ) as error:  # fmt: skip
        raise RuntimeError(
            f"{name_of(f)}: the description of the saved object cannot be followed: {error!r}; "
            "read_safetensors still gives the tensors"
        ) from error


def save_file(tensors: dict, filename: PathOrFile, metadata: dict | None = None) -> None:
    """Write tensors by name as a plain safetensors file, as ``safetensors.torch.save_file``.

    Args:
        tensors: tensors by name; complex128 is not possible in the format.
        filename: path, or binary file object.
        metadata: texts by name.

    Raises:
        TypeError: something is not a tensor, or has a dtype that the format lacks.

    >>> import io, tensorgrad
    >>> file = io.BytesIO()
    >>> save_file({"weight": tensorgrad.ones(2)}, file, {"format": "pt"})
    >>> _ = file.seek(0)
    >>> load_file(file)
    {'weight': tensor([1., 1.])}
    """
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name!r} must be a tensor, got {type(tensor).__name__}")
    write_safetensors(filename, {name: t._array for name, t in tensors.items()}, metadata)


def load_file(filename: PathOrFile, device: Any = "cpu") -> dict[str, Tensor]:
    """Read a safetensors file as tensors by name, as ``safetensors.torch.load_file``.

    Args:
        filename: path, or binary file object.
        device: the CPU.

    Raises:
        RuntimeError: the file is damaged or not in the format, or another device.
    """
    _check_location(device)
    arrays, _ = read_safetensors(filename)
    return {name: wrap(array) for name, array in arrays.items()}


def _check_pickle_module(module):
    if module is not None and module is not pickle:
        raise TypeError(
            f"pickle_module={module!r} is not possible: nothing is pickled here; leave it out"
        )


def _check_location(map_location):
    if map_location is None or callable(map_location) or isinstance(map_location, dict):
        return
    if str(map_location).split(":")[0] != "cpu":
        raise RuntimeError(
            f"map_location={str(map_location)!r} is not available; tensorgrad computes on the CPU: "
            "leave it out or pass 'cpu'"
        )
