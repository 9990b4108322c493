"""Sequences of different lengths, padded to one tensor or packed without padding.

A packed sequence holds the first elements of all sequences, then all second elements, and so on,
with the longest sequence first: the rows of each time step lie together, and there are no others.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

import tensorgrad as tg
from tensorgrad import Tensor, errors

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence",
    "pad_packed_sequence", "pad_sequence", "unpack_sequence", "unpad_sequence",
]  # fmt: skip

_Fields = namedtuple("_Fields", "data batch_sizes sorted_indices unsorted_indices")


class PackedSequence(_Fields):
    """Sequences of different lengths without padding, as recurrent layers take them.

    Made by :func:`pack_sequence` and :func:`pack_padded_sequence`, not by hand.

    Args:
        data: the elements, those of time step 0 first; or the pair (data, batch_sizes).
        batch_sizes: how many sequences reach each time step, int64.
        sorted_indices: where each packed sequence was in the batch, None if they were in order.
        unsorted_indices: the inverse of that; computed if not given.

    >>> import tensorgrad as torch
    >>> torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2, 3]), torch.tensor([4, 5])]).data
    tensor([1, 4, 2, 5, 3])
    """

    __slots__ = ()

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        """Fill in what is not given."""
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not isinstance(data, list | tuple) or len(data) != 2:
                raise AssertionError(
                    "PackedSequence without batch_sizes: expected data to be a pair (data, "
                    f"batch_sizes), got {type(data).__name__}"
                )
            data, batch_sizes = data
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs):
        """This packed sequence with its data converted as by ``Tensor.to``; itself if it fits."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else self._replace(data=data)

    def cpu(self, *args, **kwargs):
        """This packed sequence: it is on the CPU."""
        return self.to(*args, **kwargs)

    def cuda(self, *args, **kwargs):
        """Raises: there is only the CPU."""
        return self._replace(data=self.data.cuda(*args, **kwargs))

    def pin_memory(self):
        """This packed sequence: there is no device to copy its memory to."""
        return self

    def double(self):
        """Convert the data to float64."""
        return self.to(dtype=tg.float64)

    def float(self):
        """Convert the data to float32."""
        return self.to(dtype=tg.float32)

    def half(self):
        """Convert the data to float16."""
        return self.to(dtype=tg.float16)

    def long(self):
        """Convert the data to int64."""
        return self.to(dtype=tg.int64)

    def int(self):
        """Convert the data to int32."""
        return self.to(dtype=tg.int32)

    def short(self):
        """Convert the data to int16."""
        return self.to(dtype=tg.int16)

    def char(self):
        """Convert the data to int8."""
        return self.to(dtype=tg.int8)

    def byte(self):
        """Convert the data to uint8."""
        return self.to(dtype=tg.uint8)

    @property
    def is_cuda(self):
        """False: the data is on the CPU."""
        return False

    def is_pinned(self):
        """False: no memory is pinned."""
        return False


def invert_permutation(permutation):
    """The permutation that undoes ``permutation``, a 1-D tensor of indices; None for None.

    >>> import tensorgrad as torch
    >>> torch.nn.utils.rnn.invert_permutation(torch.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    out = tg.empty_like(permutation)
    return out.scatter_(0, permutation, tg.arange(permutation.numel(), dtype=permutation.dtype))


def _places(sizes):
    """The time step and the sequence of each row of a packed sequence."""
    time = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return time, np.arange(len(time)) - starts


def _checked_lengths(input, lengths, batch, time):
    """The lengths as an array, or PyTorch's error.

    Raises:
        RuntimeError: they are not one positive length, no longer than the input, per sequence.
    """
    if lengths.ndim != 1:
        raise errors.ShapeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.ndim}D"
        )
    if not input.numel():
        raise errors.ShapeError(f"Cannot pack empty tensors, got shape {tuple(input.shape)}")
    if len(lengths) != batch:
        raise errors.ShapeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} "
            f"(batch_size={batch})"
        )
    if lengths.min() <= 0:
        raise errors.ShapeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            f"that is <= 0: {lengths.tolist()}"
        )
    if (lengths[1:] > lengths[:-1]).any():
        raise errors.ShapeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True, got "
            f"{lengths.tolist()}; pass enforce_sorted=False to have the sequences sorted"
        )
    if lengths[0] > time:
        raise errors.ShapeError(
            f"the longest length is {lengths[0]}, and the input of shape {tuple(input.shape)} has "
            f"{time} time steps"
        )
    return lengths


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """Pack a padded batch of sequences.

    Args:
        input: (time, batch, ...), or (batch, time, ...) with ``batch_first``.
        lengths: the length of each sequence, a list or 1-D tensor.
        batch_first: whether the batch is the first dimension.
        enforce_sorted: whether the longest sequence comes first already; otherwise they are sorted,
            and what comes out of a layer is put back in order.

    Raises:
        RuntimeError: a length is not positive or longer than the input, the lengths are not as
            many as the sequences, or not in decreasing order where ``enforce_sorted``.

    >>> import tensorgrad as torch
    >>> padded = torch.tensor([[1, 2, 0], [3, 0, 0], [4, 5, 6]])
    >>> torch.nn.utils.rnn.pack_padded_sequence(padded, [2, 1, 3], True, enforce_sorted=False)
    PackedSequence(data=tensor([4, 1, 3, 5, 2, 6]), batch_sizes=tensor([3, 2, 1]), \
sorted_indices=tensor([2, 0, 1]), unsorted_indices=tensor([1, 2, 0]))
    """
    if not isinstance(lengths, Tensor):
        lengths = tg.as_tensor(lengths, dtype=tg.int64)
    lengths = lengths.to(dtype=tg.int64)
    order = None
    if not enforce_sorted:
        lengths, order = tg.sort(lengths, descending=True)
        input = input.index_select(0 if batch_first else 1, order)
    if batch_first:
        input = input.transpose(0, 1)
    time, batch = input.size(0), input.size(1)
    lengths = _checked_lengths(input, lengths.numpy(), batch, time)
    sizes = (lengths[:, None] > np.arange(lengths[0])).sum(0)
    steps, sequences = _places(sizes)
    data = input[tg.from_numpy(steps), tg.from_numpy(sequences)]
    return PackedSequence(data, tg.from_numpy(sizes), order, None)


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """Undo :func:`pack_padded_sequence`: the padded batch, and the length of each sequence.

    Args:
        sequence: the packed sequence.
        batch_first: whether the batch comes first in the result.
        padding_value: what stands after the end of a sequence.
        total_length: time steps of the result, at least the longest length, which is the default.

    Raises:
        ValueError: ``total_length`` is less than the longest length.

    >>> import tensorgrad as torch
    >>> from tensorgrad.nn.utils import rnn
    >>> packed = rnn.pack_sequence([torch.tensor([1, 2, 3]), torch.tensor([4, 5])])
    >>> rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2, 3],
            [4, 5, 0]]), tensor([3, 2]))
    """
    sizes = sequence.batch_sizes.numpy()
    time = len(sizes)
    if total_length is not None:
        if total_length < time:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, "
                f"but got total_length={total_length} and max sequence length being {time}"
            )
        time = total_length
    data = sequence.data
    lengths = (sizes[:, None] > np.arange(sizes[0])).sum(0)
    steps, sequences = map(tg.from_numpy, _places(sizes))
    padded = tg.full((time, int(sizes[0]), *data.shape[1:]), padding_value, dtype=data.dtype)
    padded = padded.index_put((steps, sequences), data)
    lengths = tg.from_numpy(lengths)
    if batch_first:
        padded = padded.transpose(0, 1)
    if sequence.unsorted_indices is not None:
        order = sequence.unsorted_indices
        return padded.index_select(0 if batch_first else 1, order), lengths[order]
    return padded, lengths


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Stack sequences (length, ...) to (time, batch, ...), padded to the longest.

    Args:
        sequences: an iterable of tensors whose shapes differ in the first dimension only.
        batch_first: whether the result is (batch, time, ...).
        padding_value: what stands where a sequence has no element.
        padding_side: ``"right"`` to pad after the end, ``"left"`` before the beginning.

    Raises:
        RuntimeError: there are no sequences, the other dimensions differ, or ``padding_side`` is
            something else.
        TypeError: a sequence is no tensor.

    >>> import tensorgrad as torch
    >>> pair = [torch.tensor([1, 2, 3]), torch.tensor([4, 5])]
    >>> torch.nn.utils.rnn.pad_sequence(pair, batch_first=True)
    tensor([[1, 2, 3],
            [4, 5, 0]])
    """
    if not hasattr(sequences, "__iter__"):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got {type(sequences)}"
        )
    sequences = tuple(sequences)
    if not sequences:
        raise RuntimeError("pad_sequence: received an empty list of sequences")
    if padding_side not in ("right", "left"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    for k, sequence in enumerate(sequences):
        if not isinstance(sequence, Tensor):
            raise TypeError(
                f"pad_sequence: expected Tensor as element {k}, but got {type(sequence).__name__}"
            )
    rest = tuple(sequences[0].shape[1:])
    for k, sequence in enumerate(sequences):
        if not sequence.ndim or tuple(sequence.shape[1:]) != rest:
            raise errors.ShapeError(
                "pad_sequence: sequences may differ in the first dimension only, got shapes "
                f"{tuple(sequences[0].shape)} and, at {k}, {tuple(sequence.shape)}"
            )
    time = max(sequence.shape[0] for sequence in sequences)
    dtype = sequences[0].dtype
    return tg.stack(
        [_padded(s.to(dtype), time, padding_value, padding_side) for s in sequences],
        0 if batch_first else 1,
    )


def _padded(sequence, time, value, side):
    missing = time - sequence.shape[0]
    ends = (0, missing) if side == "right" else (missing, 0)
    return tg.pad(sequence, (0, 0) * (sequence.ndim - 1) + ends, value=value)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """Undo :func:`pad_sequence`: the list of sequences.

    Args:
        padded_sequences: (time, batch, ...), or (batch, time, ...) with ``batch_first``.
        lengths: the length of each sequence, a 1-D tensor.
        batch_first: whether the batch is the first dimension.

    Raises:
        ValueError: there are not as many lengths as sequences.

    >>> import tensorgrad as torch
    >>> padded = torch.tensor([[1, 2, 3], [4, 5, 0]])
    >>> torch.nn.utils.rnn.unpad_sequence(padded, torch.tensor([3, 2]), batch_first=True)
    [tensor([1, 2, 3]), tensor([4, 5])]
    """
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    if len(lengths) != len(padded_sequences):
        raise ValueError(
            f"unpad_sequence: got {len(lengths)} lengths for {len(padded_sequences)} sequences"
        )
    return [
        row[: max(0, int(length))].clone()
        for row, length in zip(padded_sequences, lengths, strict=True)
    ]


def pack_sequence(sequences, enforce_sorted=True):
    """Pack a list of sequences (length, ...), which need no padding before.

    Args:
        sequences: tensors whose shapes differ in the first dimension only.
        enforce_sorted: whether the longest comes first already; otherwise they are sorted.

    Raises:
        RuntimeError: as for :func:`pad_sequence` and :func:`pack_padded_sequence`.

    >>> import tensorgrad as torch
    >>> triple = [torch.tensor([1, 2, 3]), torch.tensor([4, 5]), torch.tensor([6])]
    >>> torch.nn.utils.rnn.pack_sequence(triple).batch_sizes
    tensor([3, 2, 1])
    """
    lengths = tg.as_tensor([sequence.size(0) for sequence in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    """Undo :func:`pack_sequence`: the list of sequences, in their order.

    >>> import tensorgrad as torch
    >>> from tensorgrad.nn.utils import rnn
    >>> packed = rnn.pack_sequence([torch.tensor([1]), torch.tensor([2, 3])], enforce_sorted=False)
    >>> rnn.unpack_sequence(packed)
    [tensor([1]), tensor([2, 3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
