"""A table of a module's layers: output shapes, parameters, multiply-adds, activation memory."""

from __future__ import annotations

from collections import namedtuple

import numpy as np

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.nn.modules import Bilinear, Linear, MultiheadAttention
from tensorgrad.nn.modules.conv import _ConvNd
from tensorgrad.nn.modules.rnn import RNNBase, RNNCellBase
from tensorgrad.nn.parameter import is_lazy

_HOOK_TABLES = ("_hooked", "_forward_hooks", "_forward_hooks_with_kwargs")
_HEADINGS = ("layer", "output shape", "parameters", "multiply-adds", "activations")

Row = namedtuple(
    "Row", ["name", "kind", "depth", "output_shape", "parameters", "multiply_adds", "activations"]
)
Row.__doc__ = """One module: its path, class and depth in the tree, and its own figures.

``output_shape`` is of the last call: a Size, a list of them, or None if it was not called;
``activations`` are bytes. A row that stands for everything below it holds the sums.
"""


class Summary:
    """What :func:`summary` returns; prints as a table.

    Attributes:
        rows: one :class:`Row` per module, in the order of the tree.
        parameters: how many numbers are learned or frozen, shared ones once.
        trainable: those that require a gradient.
        multiply_adds: of one forward pass.
        parameter_bytes: memory of parameters and buffers.
        activation_bytes: memory of the layers' outputs.
        input_bytes: memory of the inputs.
    """

    def __init__(self, rows, module, input_bytes):
        self.rows, self.input_bytes = rows, input_bytes
        known = [p for p in module.parameters() if not is_lazy(p)]
        buffers = [b for b in module.buffers() if not is_lazy(b)]
        self.parameters = sum(p.numel() for p in known)
        self.trainable = sum(p.numel() for p in known if p.requires_grad)
        self.parameter_bytes = sum(t._array.nbytes for t in (*known, *buffers))
        self.multiply_adds = sum(row.multiply_adds for row in rows)
        self.activation_bytes = sum(row.activations for row in rows)

    def __repr__(self):
        lines = [_HEADINGS, *map(_cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [_aligned(line, widths) for line in lines]
        rule = "-" * max(map(len, table))
        totals = [
            f"parameters:    {self.parameters:,} ({self.trainable:,} trainable), "
            f"{_memory(self.parameter_bytes)} with buffers",
            f"multiply-adds: {self.multiply_adds:,}",
            f"activations:   {_memory(self.activation_bytes)}, inputs "
            f"{_memory(self.input_bytes)}",
        ]
        return "\n".join([table[0], rule, *table[1:], rule, *totals])


def _cells(row):
    name = row.name.rpartition(".")[2]
    return (
        "  " * row.depth + (f"{name}: {row.kind}" if name else row.kind),
        _shape_text(row.output_shape),
        f"{row.parameters:,}" if row.parameters else "-",
        f"{row.multiply_adds:,}" if row.multiply_adds else "-",
        _memory(row.activations) if row.activations else "-",
    )


def _aligned(cells, widths):
    left = [c.ljust(w) for c, w in zip(cells[:2], widths[:2], strict=True)]
    right = [c.rjust(w) for c, w in zip(cells[2:], widths[2:], strict=True)]
    return "  ".join(left + right)


def _shape_text(shape):
    if shape is None:
        return "not called"
    if isinstance(shape, list):
        return ", ".join(map(_shape_text, shape)) or "no tensor"
    return str(tuple(shape))


def _memory(count):
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} GB" if count < 1000 else f"{count:,.0f} GB"


def summary(module, input_size=None, *, input_data=None, depth=None, mode="eval", dtype=None):
    """Run a module once and tabulate its layers.

    Multiply-adds are those of convolutions, linear and bilinear layers, recurrent layers and
    attention; element-wise work, normalisation and pooling are not counted. For products that
    its own ``forward`` writes out, a module may have a method ``multiply_adds(inputs, outputs)``
    of lists of tensors. Activations are the outputs of modules without
    children that are not views of, or written over, their inputs: roughly what is kept for
    backward in training.

    The module is left as it was: modes, buffers (running statistics), hooks and the default
    generator. (Lazy modules get their shapes.)

    Args:
        module: any module.
        input_size: shape of the input, with the batch; or a list of shapes, one per argument.
        input_data: a tensor or a tuple of arguments to run it on instead of zeros.
        depth: leave out what lies deeper in the tree; its figures go to the last row shown.
        mode: ``"eval"`` or ``"train"``.
        dtype: of the zeros; that of the first floating-point parameter.

    Returns:
        A :class:`Summary`, which prints as a table.

    Raises:
        ValueError: neither or both of size and data, another mode, or a negative depth.
        TypeError: ``module`` is no module.

    >>> import tensorgrad as torch
    >>> from tensorgrad import nn
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> nn.models.summary(model, (1, 1, 8, 8))
    layer         output shape  parameters  multiply-adds  activations
    ------------------------------------------------------------------
    Sequential    (1, 10)                -              -            -
      0: Conv2d   (1, 4, 6, 6)          40          1,296        576 B
      1: ReLU     (1, 4, 6, 6)           -              -        576 B
      2: Flatten  (1, 144)               -              -            -
      3: Linear   (1, 10)            1,450          1,440         40 B
    ------------------------------------------------------------------
    parameters:    1,490 (1,490 trainable), 5.96 KB with buffers
    multiply-adds: 2,736
    activations:   1.19 KB, inputs 256 B
    """
    if not isinstance(module, tg.nn.Module):
        raise TypeError(f"summary: expected a Module, got {type(module).__name__}")
    if mode not in ("eval", "train"):
        raise ValueError(f'summary: mode should be "eval" or "train", got {mode!r}')
    if depth is not None and depth < 0:
        raise ValueError(f"summary: depth should be at least 0, got {depth}")
    args = _arguments(module, input_size, input_data, dtype)
    calls = _observe(module, args, mode)
    rows = _rows(module, calls)
    if depth is not None:
        rows = _collapsed(rows, depth)
    return Summary(rows, module, sum(t._array.nbytes for t in _tensors(args)))


def _arguments(module, input_size, input_data, dtype):
    if (input_size is None) == (input_data is None):
        raise ValueError("summary: give one of input_size and input_data")
    if input_data is not None:
        return tuple(input_data) if isinstance(input_data, tuple | list) else (input_data,)
    if dtype is None:
        floats = [p.dtype for p in module.parameters() if p.dtype.is_floating_point]
        dtype = floats[0] if floats else tg.get_default_dtype()
    several = len(input_size) > 0 and all(isinstance(s, tuple | list) for s in input_size)
    sizes = input_size if several else [input_size]
    return tuple(tg.zeros(tuple(size), dtype=dtype) for size in sizes)


# --- one forward pass --------------------------------------------------------------------


def _observe(module, args, mode):
    """What each module did in one call of the whole: shape, multiply-adds and bytes by id."""
    calls: dict = {}
    modules = list(module.modules())
    before = [_state_of(m) for m in modules]
    handles = []
    try:
        for m in modules:
            note = _note(calls, not any(True for _ in m.children()))
            handles.append(m.register_forward_hook(note, with_kwargs=True))
        module.train(mode == "train")
        with tg.random.fork_rng(), tg.no_grad():
            module(*args)
    finally:
        for handle in handles:
            handle.remove()
        for m, state in zip(modules, before, strict=True):
            _restore(m, state)
    return calls


def _state_of(module):
    """The mode, the hook tables that exist, and the buffers with their values."""
    attributes = vars(module)
    tables = {name for name in _HOOK_TABLES if name in attributes}
    buffers = [
        (name, buffer, np.copy(buffer._array))
        for name, buffer in module._own("buffer")
        if buffer is not None and not is_lazy(buffer)
    ]
    return module.training, tables, buffers


def _restore(module, state):
    training, tables, buffers = state
    module.training = training
    for name in _HOOK_TABLES:
        if name not in tables:
            vars(module).pop(name, None)
    for name, buffer, values in buffers:
        np.copyto(buffer._array, values)
        vars(module)[name] = buffer


def _note(calls, is_leaf):
    """A forward hook that adds what the call did to ``calls``."""

    def note(module, args, kwargs, output):
        shape, work, held = calls.get(id(module), (None, 0, 0))
        inputs, outputs = list(_tensors((args, kwargs))), list(_tensors(output))
        single = isinstance(output, Tensor)
        shape = output.shape if single else [t.shape for t in outputs]
        if is_leaf:
            new = [t for t in outputs if not any(_overlap(t, i) for i in inputs)]
            held += sum(t._array.nbytes for t in new)
        if inputs and outputs:
            work += _multiply_adds(module, inputs, outputs)
        calls[id(module)] = shape, work, held

    return note


def _overlap(a, b):
    return np.may_share_memory(a._array, b._array)


def _tensors(value):
    """The tensors in nested tuples, lists, dictionaries and packed sequences."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)


def _multiply_adds(module, inputs, outputs):
    """Of one call: what the module itself says, or the table; 0 for other modules."""
    if hasattr(module, "multiply_adds"):
        return module.multiply_adds(inputs, outputs)
    for kind, count in _COUNTS.items():
        if isinstance(module, kind):
            return count(module, inputs, outputs)
    return 0


def _of_convolution(module, inputs, outputs):
    weight = module.weight
    if module.transposed:  # each input number meets one window of weights
        return inputs[0].numel() * (weight.numel() // module.in_channels)
    return outputs[0].numel() * (weight.numel() // module.out_channels)


def _of_linear(module, inputs, outputs):
    return outputs[0].numel() * module.in_features


def _of_bilinear(module, inputs, outputs):
    return outputs[0].numel() * module.in1_features * module.in2_features


def _of_recurrence(module, inputs, outputs):
    x = inputs[0]
    steps = x.numel() // x.shape[-1] if x.numel() else 0
    return steps * sum(p.numel() for p in module.parameters() if p.ndim > 1)


def _of_attention(module, inputs, outputs):
    query, key, value = inputs[:3]
    rows = [t.numel() // t.shape[-1] for t in (query, key, value)]
    wide = module.embed_dim
    projections = rows[0] * 2 * wide + rows[1] * key.shape[-1] + rows[2] * value.shape[-1]
    length = key.shape[1 if module.batch_first and key.ndim == 3 else 0]
    return projections * wide + 2 * rows[0] * length * wide


_COUNTS = {
    _ConvNd: _of_convolution,
    Linear: _of_linear,
    Bilinear: _of_bilinear,
    RNNBase: _of_recurrence,
    RNNCellBase: _of_recurrence,
    MultiheadAttention: _of_attention,
}


# --- rows --------------------------------------------------------------------------------


def _rows(module, calls):
    """One row per module; a parameter counts where it is met first."""
    seen: set = set()
    rows = []
    for name, m in module.named_modules():
        own = [p for _, p in m._own("parameter") if p is not None and not is_lazy(p)]
        new = {id(p): p.numel() for p in own if id(p) not in seen}
        seen.update(new)
        shape, work, held = calls.get(id(m), (None, 0, 0))
        depth = name.count(".") + 1 if name else 0
        kind = type(m).__name__
        rows.append(Row(name, kind, depth, shape, sum(new.values()), work, held))
    return rows


def _collapsed(rows, depth):
    """Without the rows below ``depth``, whose figures go to the row above them."""
    shown: list = []
    for row in rows:
        if row.depth <= depth:
            shown.append(row)
            continue
        last = shown[-1]
        shown[-1] = last._replace(
            parameters=last.parameters + row.parameters,
            multiply_adds=last.multiply_adds + row.multiply_adds,
            activations=last.activations + row.activations,
        )
    return shown
