"""From a list of samples to a batch."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence

import numpy as np

from .... import dtypes
from ...._graph import Tensor, wrap
from ...._registry import FUNCTIONS
from ....creation import as_tensor, tensor

__all__ = ["collate", "default_collate", "default_collate_fn_map", "default_convert"]


def default_collate(batch):
    """Put samples together: each of their parts gets a new first dimension.

    ======================================  ===========================================
    samples of type                         become
    ======================================  ===========================================
    tensor, array                           a tensor of their dtype
    float                                   a float64 tensor
    int, bool                               an int64 or bool tensor
    NumPy number                            a tensor of its dtype
    str, bytes                              the list of them
    dict, named tuple, list                 the same with each of its parts put together
    tuple                                   a list, likewise
    ======================================  ===========================================

    Args:
        batch: samples of one structure, at least one.

    Raises:
        TypeError: a sample, or a part of it, is none of these.
        RuntimeError: tensors differ in shape, or sequences in length.
        IndexError: the batch is empty.

    >>> default_collate([(0.5, "a"), (1.5, "b")])
    [tensor([0.5000, 1.5000], dtype=torch.float64), ('a', 'b')]
    >>> default_collate([{"x": 1}, {"x": 2}])
    {'x': tensor([1, 2])}
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch, *, collate_fn_map=None):
    """Put samples together by functions for the types of their parts.

    Args:
        batch: samples of one structure, at least one.
        collate_fn_map: from a type, or a tuple of types, to the function for parts of that
            type or a subclass, called as ``f(parts, collate_fn_map=collate_fn_map)``; an exact
            type goes first, then the order of the dict. Mappings and sequences that it does not
            name are gone into.

    Raises:
        TypeError: a part is of a type for which there is no function.
        RuntimeError: sequences differ in length.

    >>> from tensorgrad.utils.data._utils.collate import collate, default_collate_fn_map
    >>> def longest(parts, *, collate_fn_map=None):
    ...     return max(parts, key=len)
    >>> collate([("a", 1), ("bc", 2)], collate_fn_map={**default_collate_fn_map, str: longest})
    ['bc', tensor([1, 2])]
    """
    first = batch[0]
    function = _function_for(first, collate_fn_map or {})
    if function is not None:
        return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        parts = {
            k: collate([sample[k] for sample in batch], collate_fn_map=collate_fn_map)
            for k in first
        }
        return _like(first, parts)
    if isinstance(first, Sequence):
        return _collate_sequences(first, batch, collate_fn_map)
    raise _unknown(type(first))


def _function_for(first, functions):
    if type(first) in functions:
        return functions[type(first)]
    return next((f for kind, f in functions.items() if isinstance(first, kind)), None)


def _collate_sequences(first, batch, functions):
    if hasattr(first, "_fields"):  # a named tuple
        columns = zip(*batch, strict=False)
        return type(first)(*(collate(part, collate_fn_map=functions) for part in columns))
    sizes = [len(sample) for sample in batch]
    if len(set(sizes)) > 1:
        raise RuntimeError(
            f"each element in list of batch should be of equal size, but got sizes {sizes}"
        )
    parts = [collate(part, collate_fn_map=functions) for part in zip(*batch, strict=True)]
    return parts if isinstance(first, tuple) else _like(first, parts)


def collate_tensor_fn(batch, *, collate_fn_map=None):
    """Tensors of one shape along a new first dimension."""
    return _stack(batch)


def collate_numpy_array_fn(batch, *, collate_fn_map=None):
    """Arrays of numbers, as tensors."""
    if batch[0].dtype.kind in "SUO":
        raise _unknown(batch[0].dtype)
    return collate([as_tensor(x) for x in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch, *, collate_fn_map=None):
    """NumPy's numbers, as a tensor of the dtype of the first."""
    return as_tensor(np.array(batch, dtypes.of(batch[0].dtype).numpy))


def collate_float_fn(batch, *, collate_fn_map=None):
    """Floats, as a float64 tensor."""
    return tensor(batch, dtype=dtypes.float64)


def collate_int_fn(batch, *, collate_fn_map=None):
    """Integers or bools, as a tensor."""
    return tensor(batch)


def collate_str_fn(batch, *, collate_fn_map=None):
    """Strings, as they are."""
    return batch


default_collate_fn_map: dict = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def _stack(tensors):
    """Tensors of one shape along a new first dimension."""
    first = tensors[0]
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise TypeError(
                f"expected Tensor as element {i} of the batch, as element 0 is, but got "
                f"{type(t).__name__}"
            )
        if t._array.shape != first._array.shape:
            raise RuntimeError(
                "stack expects each tensor to be equal size, but got "
                f"{list(first._array.shape)} at entry 0 and {list(t._array.shape)} at entry {i}; "
                "make them equal in the dataset, or pass a collate_fn that pads them"
            )
    plain = all(t._edge is None and t._array.dtype == first._array.dtype for t in tensors)
    if not plain:
        return FUNCTIONS["stack"](list(tensors))
    arrays = [t._array for t in tensors]
    if not first._array.ndim:
        return wrap(np.array(arrays))
    # Joined along the first axis and cut anew: half the time of np.stack.
    return wrap(np.concatenate(arrays).reshape(len(arrays), *first._array.shape))


def _like(original, parts):
    """``parts`` in a container like ``original``, or as they are if that cannot hold them."""
    try:
        if isinstance(original, MutableMapping):
            clone = copy.copy(original)  # it may have more to it than its items
            clone.update(parts)
            return clone
        if isinstance(original, MutableSequence):
            clone = copy.copy(original)
            for i, part in enumerate(parts):
                clone[i] = part
            return clone
        return type(original)(parts)
    except TypeError:
        return parts


def _unknown(found):
    return TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; "
        f"found {found}; convert it in the dataset, or pass a collate_fn"
    )


def default_convert(data):
    """A sample with its NumPy arrays and numbers, at any depth, as tensors.

    This is what a :class:`DataLoader` does to samples when it makes no batches.

    >>> import numpy
    >>> default_convert({"x": numpy.array([1, 2]), "name": "a"})
    {'x': tensor([1, 2]), 'name': 'a'}
    """
    if isinstance(data, np.ndarray | np.generic):
        return data if data.dtype.kind in "SUO" else as_tensor(data)
    if isinstance(data, Mapping):
        return _like(data, {k: default_convert(v) for k, v in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        parts = [default_convert(x) for x in data]
        return parts if isinstance(data, tuple) else _like(data, parts)
    return data
