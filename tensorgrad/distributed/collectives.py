"""Exchanges between processes, with PyTorch's names; each is one non-blocking call of MPI.

A process alone does them within itself. What is received is written into the tensors that are
passed, which autograd does not record.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta

import numpy as np

from .._graph import Tensor, mark_mutated, wrap
from .group import DistributedError, ProcessGroup, group_of, library


class ReduceOp:
    """How values of several processes become one: names for the ``op`` of reductions.

    >>> ReduceOp.SUM
    'sum'
    """

    SUM, AVG, PRODUCT, MIN, MAX = "sum", "avg", "product", "min", "max"
    BAND, BOR, BXOR = "band", "bor", "bxor"


# What MPI does, and what one process has to do for it: nothing.
_MPI_NAMES = {"sum": "SUM", "avg": "SUM", "product": "PROD", "min": "MIN", "max": "MAX",
              "band": "BAND", "bor": "BOR", "bxor": "BXOR"}  # fmt: skip


class Work:
    """An exchange that is under way. Under fault tolerance it is done again by those that live.

    Args:
        group: those who take part.
        begin: starts the exchange on a communicator and returns MPI's request; it may be called
            again, so it must not spoil what it sends.
        finish: called once when it is done, to put what was received in its place.
        what: a name for messages.
    """

    def __init__(self, group: ProcessGroup, begin: Callable, finish: Callable, what: str):
        self._group, self._begin, self._finish, self.what = group, begin, finish, what
        self._request = None
        self.done = group.comm is None
        if self.done:
            finish()
        else:
            self.start()

    def start(self) -> None:
        """Begin, or begin again."""
        MPI = library()
        self._group.renew()
        self._generation = self._group.generation
        try:
            self._request = self._begin(self._group.comm)
        except MPI.Exception as error:
            _demand_recoverable(self._group, error, self.what)
            self._request = None  # seen again when it is waited for

    def arrived(self) -> bool:
        """Wait for this exchange alone; False where a process died, which wakes the others."""
        group = self._group
        if self._request is None or self._generation != group.generation:
            return False
        try:
            group.wait(self._request, self.what)
        except library().Exception as error:
            _demand_recoverable(group, error, self.what)
            group.revoke()
            return False
        return True

    def store(self) -> None:
        """Put what was received in its place."""
        self._finish()
        self.done = True

    def is_completed(self) -> bool:
        """Whether nothing is left to do; does not wait."""
        return self.done or bool(self._request and self._request.Test())

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Wait for the end; returns True.

        Args:
            timeout: no effect; the group's holds.
        """
        finish_all(self._group, [] if self.done else [self])
        return True


def finish_all(group: ProcessGroup, works: list) -> None:
    """Wait for exchanges; where a process has died, all of them again by those that live."""
    while works:
        fine = all([work.arrived() for work in works])
        if not group.fault_tolerant or group.agree(fine):
            break
        group.shrink()
        for work in works:
            work.start()
    for work in works:
        work.store()


def _demand_recoverable(group, error, what) -> None:
    """Pass on what fault tolerance can mend; anything else is the caller's error."""
    MPI = library()
    dead = error.Get_error_class() in (MPI.ERR_PROC_FAILED, MPI.ERR_REVOKED)
    if not (dead and group.fault_tolerant):
        raise DistributedError(f"{what}: {error}") from error


# --- arrays -------------------------------------------------------------------------------


def _array(tensor, what: str, name: str = "tensor") -> np.ndarray:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{what}: {name} must be a Tensor, got {type(tensor).__name__}")
    return tensor._array


def _put(array: np.ndarray, values) -> None:
    array[...] = values
    mark_mutated(array)


def _bytes(array: np.ndarray) -> np.ndarray:
    """The memory of a contiguous array; what is only moved needs no type."""
    return array.reshape(-1).view(np.uint8)


def _wire(array: np.ndarray, what: str, op: str) -> np.ndarray:
    """A contiguous copy in a type that MPI can reduce: it has no half precision."""
    if op not in _MPI_NAMES:
        raise ValueError(f"{what}: op must be one of {', '.join(_MPI_NAMES)}, got {op!r}")
    kinds = "iub" if op.startswith("b") else "iufc" if op in ("sum", "avg", "product") else "iuf"
    if array.dtype.kind not in kinds and not (array.dtype.kind == "b" and kinds != "iub"):
        raise RuntimeError(f"{what}: op {op!r} is not defined for {array.dtype}")
    wide = {"float16": np.float32, "bool": np.uint8}.get(array.dtype.name, array.dtype)
    return np.array(array, dtype=wide, order="C")


def _reduced(values: np.ndarray, like: np.ndarray, op: str, size: int) -> np.ndarray:
    """What MPI gave, as the mean where that was asked for, in the dtype of ``like``."""
    if op == "avg":
        values = values / size if values.dtype.kind in "fc" else values // size
    return values.astype(like.dtype, copy=False)


def _same(arrays, like, what, name) -> None:
    for i, array in enumerate(arrays):
        if array.shape != like.shape or array.dtype != like.dtype:
            raise RuntimeError(
                f"{what}: {name}[{i}] must be of shape {tuple(like.shape)} {like.dtype} like the "
                f"others, got {tuple(array.shape)} {array.dtype}"
            )


def _demand_one_each(tensors, group, what, name) -> None:
    if len(tensors) != group.size():
        raise ValueError(
            f"{what}: {name} must have a tensor for each of the {group.size()} processes, "
            f"got {len(tensors)}"
        )


def _demand_rank(rank, group, what, name) -> None:
    if not isinstance(rank, int) or not 0 <= rank < group.size():
        raise ValueError(f"{what}: {name} must be a rank in [0, {group.size()}), got {rank!r}")


def _run(work: Work, async_op: bool):
    if async_op:
        return work
    work.wait()
    return None


# --- one value for all ----------------------------------------------------------------------


def broadcast(tensor, src=0, group=None, async_op=False):
    """Give every process the values that ``tensor`` has in process ``src``.

    Args:
        tensor: of the same shape and dtype everywhere; written in all processes but ``src``.
        src: a rank.
        group: those who take part; None for all.
        async_op: return a :class:`Work` at once instead of waiting.

    Returns:
        None, or the work.

    Raises:
        ValueError: ``src`` is no rank.
        DistributedError: processes failed or did not come within the timeout.

    >>> import tensorgrad as torch, tensorgrad.distributed as dist
    >>> dist.init_process_group()
    >>> dist.broadcast(torch.ones(2), src=0)
    >>> dist.destroy_process_group()
    """
    group = group_of(group)
    array = _array(tensor, "broadcast")
    _demand_rank(src, group, "broadcast", "src")
    source = group.members[src]
    buffer = np.array(array, order="C")

    def begin(comm):
        if source not in group.members:
            raise DistributedError(f"broadcast: rank {source}, which had the values, has died")
        return comm.Ibcast(_bytes(buffer), group.members.index(source))

    def finish():
        if group.members[group.rank()] != source:
            _put(array, buffer)

    return _run(Work(group, begin, finish, "broadcast"), async_op)


def broadcast_first(array: np.ndarray, group: ProcessGroup) -> None:
    """Write into ``array`` the values of rank 0, whoever is that when others have died."""
    buffer = np.array(array, order="C")
    Work(group, lambda comm: comm.Ibcast(_bytes(buffer), 0), lambda: None, "broadcast").wait()
    array[...] = buffer


def all_reduce(tensor, op=ReduceOp.SUM, group=None, async_op=False):
    """Replace ``tensor`` in every process by its sum (or another ``op``) over all processes.

    Args:
        tensor: of the same shape and dtype everywhere.
        op: of :class:`ReduceOp`; ``AVG`` divides by the number of processes that live.
        group: those who take part; None for all.
        async_op: return a :class:`Work` at once instead of waiting.

    Returns:
        None, or the work.

    Raises:
        ValueError: an unknown ``op``.
        RuntimeError: an ``op`` that the dtype does not have.
        DistributedError: processes failed or did not come within the timeout.

    >>> import tensorgrad as torch, tensorgrad.distributed as dist
    >>> dist.init_process_group()
    >>> x = torch.tensor([1.0, 2.0])
    >>> dist.all_reduce(x, op=dist.ReduceOp.AVG)
    >>> x
    tensor([1., 2.])
    >>> dist.destroy_process_group()
    """
    group = group_of(group)
    array = _array(tensor, "all_reduce")
    sent = _wire(array, "all_reduce", op)
    received = sent if group.comm is None else np.empty_like(sent)

    def begin(comm):
        return comm.Iallreduce(sent, received, getattr(library(), _MPI_NAMES[op]))

    def finish():
        _put(array, _reduced(received, array, op, group.size()))

    return _run(Work(group, begin, finish, "all_reduce"), async_op)


def reduce(tensor, dst=0, op=ReduceOp.SUM, group=None, async_op=False):
    """As :func:`all_reduce`, but only process ``dst`` gets the result.

    Args:
        tensor: of the same shape and dtype everywhere; written in ``dst``.
        dst: a rank.
        op: of :class:`ReduceOp`.
        group: those who take part; None for all.
        async_op: return a :class:`Work` at once instead of waiting.

    Raises:
        ValueError: ``dst`` is no rank, or an unknown ``op``.
    """
    group = group_of(group)
    array = _array(tensor, "reduce")
    _demand_rank(dst, group, "reduce", "dst")
    sent = _wire(array, "reduce", op)
    received = sent if group.comm is None else np.empty_like(sent)

    def begin(comm):
        return comm.Ireduce(sent, received, getattr(library(), _MPI_NAMES[op]), dst)

    def finish():
        if group.rank() == dst:
            _put(array, _reduced(received, array, op, group.size()))

    return _run(Work(group, begin, finish, "reduce"), async_op)


def barrier(group=None, async_op=False, device_ids=None):
    """Wait until all processes have come here.

    Args:
        group: those who take part; None for all.
        async_op: return a :class:`Work` at once instead of waiting.
        device_ids: no effect.

    Raises:
        DistributedError: some did not come within the timeout; names them.
    """
    group = group_of(group)
    return _run(Work(group, lambda comm: comm.Ibarrier(), lambda: None, "barrier"), async_op)


def monitored_barrier(group=None, timeout=None, wait_all_ranks=False):
    """A :func:`barrier` with a timeout of its own.

    Args:
        group: those who take part; None for all.
        timeout: seconds or a timedelta; None for the group's.
        wait_all_ranks: no effect: all that are missing are always named.

    Raises:
        DistributedError: some did not come; names them.
    """
    group = group_of(group)
    before = group.timeout
    if timeout is not None:
        group.timeout = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    try:
        barrier(group)
    finally:
        group.timeout = before


# --- a value from each ----------------------------------------------------------------------


def all_gather(tensor_list, tensor, group=None, async_op=False):
    """Put the ``tensor`` of each process into ``tensor_list``, by rank, everywhere.

    Args:
        tensor_list: a tensor for each process, of the shape and dtype of ``tensor``; written.
        tensor: of the same shape and dtype everywhere.
        group: those who take part; None for all.
        async_op: return a :class:`Work` at once instead of waiting.

    Raises:
        ValueError: not one tensor for each process.
        RuntimeError: tensors of other shapes or dtypes.

    >>> import tensorgrad as torch, tensorgrad.distributed as dist
    >>> dist.init_process_group()
    >>> out = [torch.zeros(2)]
    >>> dist.all_gather(out, torch.ones(2))
    >>> out
    [tensor([1., 1.])]
    >>> dist.destroy_process_group()
    """
    group = group_of(group)
    array = _array(tensor, "all_gather")
    targets = [_array(t, "all_gather", "tensor_list") for t in tensor_list]
    _demand_one_each(targets, group, "all_gather", "tensor_list")
    _same(targets, array, "all_gather", "tensor_list")

    def finish(received):
        for target, values in zip(targets, received, strict=False):
            _put(target, values)

    return _run(_gathering(group, array, finish, "all_gather"), async_op)


def all_gather_into_tensor(output_tensor, input_tensor, group=None, async_op=False):
    """As :func:`all_gather`, into one tensor: joined along the first dimension, or stacked.

    Args:
        output_tensor: of ``size`` times the elements of ``input_tensor``; written.
        input_tensor: of the same shape and dtype everywhere.
        group: those who take part; None for all.
        async_op: return a :class:`Work` at once instead of waiting.

    Raises:
        ValueError: ``output_tensor`` has another number of elements.
    """
    group = group_of(group)
    what = "all_gather_into_tensor"
    array = _array(input_tensor, what, "input_tensor")
    target = _array(output_tensor, what, "output_tensor")
    if target.size != array.size * group.size() or target.dtype != array.dtype:
        raise ValueError(
            f"{what}: output_tensor must have {group.size()} times the elements of input_tensor, "
            f"got {tuple(target.shape)} {target.dtype} for {tuple(array.shape)} {array.dtype}"
        )

    def finish(received):
        _put(target, received.reshape(target.shape))

    return _run(_gathering(group, array, finish, what), async_op)


def _gathering(group, array, finish, what) -> Work:
    """Gather ``array`` of all; ``finish`` gets them stacked by rank."""
    sent = np.array(array, order="C")
    room: list = [sent[None]]

    def begin(comm):
        room[0] = np.empty((comm.size, *sent.shape), sent.dtype)
        return comm.Iallgather(_bytes(sent), _bytes(room[0]))

    return Work(group, begin, lambda: finish(room[0]), what)


def gather(tensor, gather_list=None, dst=0, group=None, async_op=False):
    """As :func:`all_gather`, but only process ``dst`` gets the list.

    Args:
        tensor: of the same shape and dtype everywhere.
        gather_list: in ``dst`` a tensor for each process; None elsewhere.
        dst: a rank.
        group: those who take part; None for all.
        async_op: return a :class:`Work` at once instead of waiting.

    Raises:
        ValueError: ``gather_list`` is missing in ``dst`` or given elsewhere.
    """
    group = group_of(group)
    _demand_rank(dst, group, "gather", "dst")
    _demand_list_at(gather_list, dst, group, "gather", "gather_list")
    array = _array(tensor, "gather")
    targets = [_array(t, "gather", "gather_list") for t in gather_list or []]
    _same(targets, array, "gather", "gather_list")
    sent = np.array(array, order="C")
    received = np.empty((group.size(), *sent.shape), sent.dtype)
    received[:] = sent  # all there is for a process alone

    def begin(comm):
        return comm.Igather(_bytes(sent), _bytes(received) if comm.rank == dst else None, dst)

    def finish():
        for target, values in zip(targets, received, strict=False):
            _put(target, values)

    return _run(Work(group, begin, finish, "gather"), async_op)


def scatter(tensor, scatter_list=None, src=0, group=None, async_op=False):
    """Give each process its own tensor of a list that process ``src`` has.

    Args:
        tensor: what is received; written.
        scatter_list: in ``src`` a tensor for each process; None elsewhere.
        src: a rank.
        group: those who take part; None for all.
        async_op: return a :class:`Work` at once instead of waiting.

    Raises:
        ValueError: ``scatter_list`` is missing in ``src`` or given elsewhere.
    """
    group = group_of(group)
    _demand_rank(src, group, "scatter", "src")
    _demand_list_at(scatter_list, src, group, "scatter", "scatter_list")
    array = _array(tensor, "scatter")
    sources = [_array(t, "scatter", "scatter_list") for t in scatter_list or []]
    _same(sources, array, "scatter", "scatter_list")
    sent = np.stack(sources) if sources else None
    received = sent[0] if group.comm is None else np.empty(array.shape, array.dtype)

    def begin(comm):
        return comm.Iscatter(None if sent is None else _bytes(sent), _bytes(received), src)

    return _run(Work(group, begin, lambda: _put(array, received), "scatter"), async_op)


def _demand_list_at(tensors, rank, group, what, name) -> None:
    here = group.rank() == rank
    if here != (tensors is not None):
        place = "needed" if here else "only for that process"
        raise ValueError(f"{what}: {name} is {place} in rank {rank}; this is rank {group.rank()}")
    if here:
        _demand_one_each(tensors, group, what, name)


def reduce_scatter(output, input_list, op=ReduceOp.SUM, group=None, async_op=False):
    """Reduce a list of tensors over all processes, and give each process its own of them.

    Args:
        output: what this process receives; written.
        input_list: a tensor for each process, of the shape and dtype of ``output``.
        op: of :class:`ReduceOp`.
        group: those who take part; None for all.
        async_op: return a :class:`Work` at once instead of waiting.

    Raises:
        ValueError: not one tensor for each process, or an unknown ``op``.
        RuntimeError: tensors of other shapes or dtypes.
    """
    group = group_of(group)
    array = _array(output, "reduce_scatter", "output")
    inputs = [_array(t, "reduce_scatter", "input_list") for t in input_list]
    _demand_one_each(inputs, group, "reduce_scatter", "input_list")
    _same(inputs, array, "reduce_scatter", "input_list")
    return _scattered(group, array, np.stack(inputs), op, async_op, "reduce_scatter")


def reduce_scatter_tensor(output, input, op=ReduceOp.SUM, group=None, async_op=False):
    """As :func:`reduce_scatter`, from one tensor that holds the parts one after the other.

    Args:
        output: what this process receives; written.
        input: of ``size`` times the elements of ``output``.
        op: of :class:`ReduceOp`.
        group: those who take part; None for all.
        async_op: return a :class:`Work` at once instead of waiting.

    Raises:
        ValueError: ``input`` has another number of elements, or an unknown ``op``.
    """
    group = group_of(group)
    what = "reduce_scatter_tensor"
    array, whole = _array(output, what, "output"), _array(input, what, "input")
    if whole.size != array.size * group.size() or whole.dtype != array.dtype:
        raise ValueError(
            f"{what}: input must have {group.size()} times the elements of output, got "
            f"{tuple(whole.shape)} {whole.dtype} for {tuple(array.shape)} {array.dtype}"
        )
    parts = whole.reshape(group.size(), *array.shape)
    return _scattered(group, array, parts, op, async_op, what)


def _scattered(group, array, parts, op, async_op, what):
    sent = _wire(parts, what, op)
    received = sent[0] if group.comm is None else np.empty(array.shape, sent.dtype)

    def begin(comm):
        return comm.Ireduce_scatter_block(sent, received, getattr(library(), _MPI_NAMES[op]))

    def finish():
        _put(array, _reduced(received, array, op, group.size()))

    return _run(Work(group, begin, finish, what), async_op)


def all_to_all_single(
    output, input, output_split_sizes=None, input_split_sizes=None, group=None, async_op=False
):
    """Send the parts of ``input`` along its first dimension to the processes, by rank.

    Args:
        output: what is received, the parts from each process one after the other; written.
        input: as many rows for each process.
        output_split_sizes: rows from each process; only equal ones (None) are supported.
        input_split_sizes: likewise.
        group: those who take part; None for all.
        async_op: return a :class:`Work` at once instead of waiting.

    Raises:
        ValueError: the shapes differ, or the rows cannot be shared out evenly.
        NotImplementedError: uneven parts.
    """
    group = group_of(group)
    if output_split_sizes or input_split_sizes:
        raise NotImplementedError("all_to_all_single: only even parts; leave the sizes out")
    target, array = _array(output, "all_to_all_single"), _array(input, "all_to_all_single")
    if target.shape != array.shape or target.dtype != array.dtype or len(array) % group.size():
        raise ValueError(
            "all_to_all_single: output and input must have one shape, with rows for each of "
            f"{group.size()} processes, got {tuple(target.shape)} and {tuple(array.shape)}"
        )
    sent = np.array(array, order="C")
    received = sent if group.comm is None else np.empty_like(sent)

    def begin(comm):
        return comm.Ialltoall(_bytes(sent), _bytes(received))

    return _run(Work(group, begin, lambda: _put(target, received), "all_to_all_single"), async_op)


# --- from one to one --------------------------------------------------------------------------


def isend(tensor, dst, group=None, tag=0) -> Work:
    """Begin to send ``tensor`` to process ``dst``; see :func:`send`.

    Args:
        tensor: any.
        dst: a rank.
        group: those among whom ``dst`` counts; None for all.
        tag: a number that must be that of the receiver.

    Returns:
        The work, to be waited for.

    Raises:
        ValueError: ``dst`` is no other rank.
    """
    group = group_of(group)
    sent = np.array(_array(tensor, "send"), order="C")
    _demand_other(dst, group, "send", "dst")
    return Work(group, lambda comm: comm.Isend(_bytes(sent), dst, tag), lambda: None, "send")


def irecv(tensor, src, group=None, tag=0) -> Work:
    """Begin to receive into ``tensor`` from process ``src``; see :func:`recv`.

    Args:
        tensor: of the shape and dtype that are sent; written when the work is waited for.
        src: a rank.
        group: those among whom ``src`` counts; None for all.
        tag: the sender's.

    Returns:
        The work, to be waited for.

    Raises:
        ValueError: ``src`` is no other rank.
    """
    group = group_of(group)
    array = _array(tensor, "recv")
    _demand_other(src, group, "recv", "src")
    received = np.empty(array.shape, array.dtype)

    def begin(comm):
        return comm.Irecv(_bytes(received), src, tag)

    return Work(group, begin, lambda: _put(array, received), "recv")


def send(tensor, dst, group=None, tag=0) -> None:
    """Send ``tensor`` to process ``dst``, which must :func:`recv` it.

    Args:
        tensor: any.
        dst: a rank.
        group: those among whom ``dst`` counts; None for all.
        tag: a number that must be that of the receiver.

    Raises:
        ValueError: ``dst`` is no other rank.
        DistributedError: it was not received within the timeout.
    """
    _alone(isend(tensor, dst, group, tag))


def recv(tensor, src, group=None, tag=0) -> int:
    """Receive into ``tensor`` what process ``src`` sends; returns ``src``.

    Args:
        tensor: of the shape and dtype that are sent; written.
        src: a rank.
        group: those among whom ``src`` counts; None for all.
        tag: the sender's.

    Raises:
        ValueError: ``src`` is no other rank.
        DistributedError: nothing came within the timeout.
    """
    _alone(irecv(tensor, src, group, tag))
    return src


def _alone(work: Work) -> None:
    """Two processes cannot agree for all: a partner that died is an error, never mended."""
    if not work.arrived():
        raise DistributedError(f"{work.what}: the other process has died")
    work.store()


def _demand_other(rank, group, what, name) -> None:
    _demand_rank(rank, group, what, name)
    if rank == group.rank():
        raise ValueError(f"{what}: {name} must be another process than this, rank {rank}")


# --- objects ------------------------------------------------------------------------------------


def _packed(obj) -> np.ndarray:
    """A plain object or tensors as bytes, in the library's own format: never a pickle."""
    from ..serialization import save

    file = io.BytesIO()
    save({"object": obj}, file)
    return np.frombuffer(file.getvalue(), np.uint8)


def _unpacked(data: np.ndarray):
    from ..serialization import load

    return load(io.BytesIO(data.tobytes()))["object"]


def all_gather_object(object_list, obj, group=None) -> None:
    """Put the ``obj`` of each process into ``object_list``, by rank, everywhere.

    Args:
        object_list: a list with a place for each process; written.
        obj: numbers, texts, tensors, and lists and dicts of them: what ``save`` takes. Nothing
            is pickled, where PyTorch would.
        group: those who take part; None for all.

    Raises:
        ValueError: not one place for each process.
        TypeError: an object that ``save`` refuses.

    >>> import tensorgrad.distributed as dist
    >>> dist.init_process_group()
    >>> out = [None]
    >>> dist.all_gather_object(out, {"rank": 0})
    >>> out
    [{'rank': 0}]
    >>> dist.destroy_process_group()
    """
    group = group_of(group)
    _demand_one_each(object_list, group, "all_gather_object", "object_list")
    data = _packed(obj)
    sizes: list = []
    _gathering(group, np.array([data.size]), sizes.append, "all_gather_object").wait()
    padded = np.zeros(int(sizes[-1].max()), np.uint8)
    padded[: data.size] = data
    parts: list = []
    _gathering(group, padded, parts.append, "all_gather_object").wait()
    for i, (part, size) in enumerate(zip(parts[-1], sizes[-1].ravel(), strict=False)):
        object_list[i] = _unpacked(part[:size])


def broadcast_object_list(object_list, src=0, group=None, device=None) -> None:
    """Give every process the objects that ``object_list`` has in process ``src``.

    Args:
        object_list: as long everywhere; written. What it may hold: :func:`all_gather_object`.
        src: a rank.
        group: those who take part; None for all.
        device: no effect.

    Raises:
        ValueError: ``src`` is no rank.
        TypeError: an object that ``save`` refuses.
    """
    group = group_of(group)
    _demand_rank(src, group, "broadcast_object_list", "src")
    here = group.rank() == src
    data = _packed(list(object_list)) if here else np.zeros(0, np.uint8)
    size = wrap(np.array([data.size]))
    broadcast(size, src, group)
    room = wrap(data.copy() if here else np.zeros(int(size._array[0]), np.uint8))
    broadcast(room, src, group)
    object_list[:] = _unpacked(room._array)
