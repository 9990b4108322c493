"""Tables of what a model's weights, activations and gradients look like."""

from __future__ import annotations

from collections import Counter, namedtuple

import numpy as np

import tensorgrad as tg
from tensorgrad._graph import Tensor, mark_mutated
from tensorgrad.nn.parameter import is_lazy
from tensorgrad.nn.utils.regularize import chosen

__all__ = ["Report", "init_report", "weight_report"]

WeightRow = namedtuple("WeightRow", "name count small vanishing l1 l2")
LayerRow = namedtuple(
    "LayerRow", "name kind mean std zeros saturated grad_mean grad_std grad_zeros"
)


class Report:
    """Rows of a table, by position or by name; prints as the table.

    Attributes:
        rows: named tuples.
        total: a last row for all of them, or None.
    """

    def __init__(self, rows, total=None):
        self.rows, self.total = list(rows), total

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, key):
        if isinstance(key, int | slice):
            return self.rows[key]
        for row in self.rows:
            if row.name == key:
                return row
        raise KeyError(f"{key!r}; there are {[row.name for row in self.rows]}")

    def __repr__(self):
        rows = [*self.rows, *([self.total] if self.total else [])]
        if not rows:
            return "Report()"
        lines = [rows[0]._fields, *[[_text(value) for value in row] for row in rows]]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        words = [isinstance(value, str) for value in rows[0]]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if left else cell.rjust(width)
                for cell, width, left in zip(line, widths, words, strict=True)
            ).rstrip()
            for line in lines
        )


def _text(value):
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


# --- weights --------------------------------------------------------------------------------------


def weight_report(model, *, small=1e-2, vanishing=1e-5, biases=False):
    """How many weights of each parameter are small or vanishing, and their norms.

    Args:
        model: a module, or ``(name, tensor)`` pairs.
        small: magnitudes below this count as small.
        vanishing: those below this as vanishing.
        biases: have a row for them too.

    Returns:
        A :class:`Report` with name, count, small, vanishing, l1 (Σ |w|) and l2 (sqrt Σ w²) of
        each parameter; ``total`` is of all of them as one vector.

    Raises:
        ValueError: there is no such parameter.
        TypeError: something is no tensor.

    >>> import tensorgrad as torch
    >>> model = torch.nn.Linear(3, 1)
    >>> _ = model.weight.data.copy_(torch.tensor([[3.0, -4.0, 0.0]]))
    >>> torch.nn.utils.weight_report(model)
    name    count  small  vanishing  l1  l2
    weight      3      1          1   7   5
    total       3      1          1   7   5
    """
    rows = []
    for i, (name, p) in enumerate(chosen(model, biases)):
        size = np.abs(p._array).astype(np.float64)
        rows.append(
            WeightRow(
                str(i) if name is None else name,
                size.size,
                int((size < small).sum()),
                int((size < vanishing).sum()),
                float(size.sum()),
                float(np.sqrt((size * size).sum())),
            )
        )
    counts = [sum(column) for column in list(zip(*rows, strict=True))[1:5]]
    return Report(rows, WeightRow("total", *counts, float(np.hypot.reduce([r.l2 for r in rows]))))


# --- activations and gradients --------------------------------------------------------------------

# Between which values an activation lies, if it has bounds that it flattens towards.
_BOUNDS = {
    "Sigmoid": lambda m: (0.0, 1.0),
    "Hardsigmoid": lambda m: (0.0, 1.0),
    "Tanh": lambda m: (-1.0, 1.0),
    "Softsign": lambda m: (-1.0, 1.0),
    "Hardtanh": lambda m: (m.min_val, m.max_val),
    "ReLU6": lambda m: (0.0, 6.0),
}


def init_report(model, batch, loss=None, *, margin=0.01):
    """The distribution of activations and of their gradients, layer by layer, for one batch.

    The model is run once in the mode, training or evaluation, that it is in, and is left as it
    was: parameters, gradients, buffers, hooks and the default generator. Layers that are called
    as functions, such as ``F.relu``, are not seen.

    Args:
        model: a module.
        batch: its input: a tensor, or a tuple, list or dict of arguments.
        loss: a function of the model's output that returns the scalar whose gradients to
            show. None: gradients of independent standard normal numbers at the output, always
            the same ones, against which a layer's ``grad_std`` can be read.
        margin: the share of an activation's range next to each bound that counts as saturated.

    Returns:
        A :class:`Report` with a row for each call of a layer, in order: name, kind, mean, std
        (of all elements), zeros (the share of exact zeros), saturated (the share near a bound,
        None for layers without bounds), grad_mean, grad_std and grad_zeros (None where no
        gradient arrives).

    Raises:
        ValueError: the model is lazy and was not run yet, or ``margin`` is not in [0, 0.5].

    >>> import tensorgrad as torch
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Sigmoid())
    >>> report = torch.nn.utils.init_report(model, torch.randn(5, 2))
    >>> [row.kind for row in report], report["1"].saturated
    (['Linear', 'Sigmoid'], 0.0)
    """
    if not 0.0 <= margin <= 0.5:
        raise ValueError(f"init_report: margin must be in [0, 0.5], got {margin}")
    if any(is_lazy(p) for p in model.parameters()):
        raise ValueError("init_report: the model has lazy parameters; run it on a batch first")
    seen, handles = [], []  # seen: (name, module, its output, statistics)
    buffers = [(m, dict(m._buffers)) for m in model.modules()]
    values = [(b, b._array.copy()) for b in model.buffers()]
    try:
        for name, module in _layers(model):
            handles.append(module.register_forward_hook(_watch(name, seen)))
        with tg.random.fork_rng(), tg.enable_grad():
            output = _run(model, batch)
            gradients = _gradients(output, loss, [out for _, _, out, _ in seen])
    finally:
        for handle in handles:
            handle.remove()
        for module, entries in buffers:
            for name, own in entries.items():
                if module._buffers.get(name) is not own:
                    module._buffers[name] = own
        for buffer, array in values:
            buffer._array[...] = array
            mark_mutated(buffer._array)
    calls, rows = Counter(), []
    for (name, module, _, array), g in zip(seen, gradients, strict=True):
        calls[name] += 1
        rows.append(
            LayerRow(
                name if calls[name] == 1 else f"{name} ({calls[name]})",
                type(module).__name__,
                *_statistics(array),
                _saturated(module, array, margin),
                *(_statistics(g._array) if g is not None else (None, None, None)),
            )
        )
    return Report(rows)


def _layers(model):
    """The modules that compute: those without children, or with parameters of their own."""
    for name, module in model.named_modules():
        inner = [child for child, _ in module.named_children() if child != "parametrizations"]
        own = any(p is not None for p in module._parameters.values())
        if "parametrizations" not in name.split(".") and (own or not inner):
            yield name, module


def _watch(name, seen):
    """A forward hook that takes down the output."""

    def hook(module, args, output):
        out = _first(output)
        if out is None:
            return None
        seen.append((name, module, out, out._array.copy()))
        # The next layer may work in place: it gets a copy, and `out` keeps its gradient.
        return out.clone() if out is output else None

    return hook


def _first(output):
    """The first floating tensor in what a layer returned."""
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, tuple | list):
        return next((t for t in map(_first, output) if t is not None), None)
    return None


def _run(model, batch):
    """Call the model so that there are gradients even if all its parameters are frozen."""

    def leaf(x):
        known = isinstance(x, Tensor) and x.is_floating_point()
        return x.detach().clone().requires_grad_() if known else x

    if isinstance(batch, dict):
        return model(**{name: leaf(x) for name, x in batch.items()})
    return model(*[leaf(x) for x in (batch if isinstance(batch, tuple | list) else [batch])])


def _gradients(output, loss, outputs):
    """The gradient of each output; None where none arrives. Touches no ``grad``."""
    last = _first(output) if loss is None else loss(output)
    wanted = [out for out in outputs if out.requires_grad]
    if last is None or not last.requires_grad or not wanted:
        return [None] * len(outputs)
    given = None
    if loss is None:
        generator = tg.Generator().manual_seed(0)
        given = tg.randn(last.shape, dtype=last.dtype, generator=generator)
    found = iter(tg.autograd.grad(last, wanted, given, allow_unused=True))
    return [next(found) if out.requires_grad else None for out in outputs]


def _statistics(array):
    """Mean, standard deviation and share of zeros."""
    if not array.size:
        return None, None, None
    x = array.astype(np.float64)
    return float(x.mean()), float(x.std()), float((x == 0).mean())


def _saturated(module, array, margin):
    bounds = _BOUNDS.get(type(module).__name__)
    if bounds is None or not array.size:
        return None
    low, high = bounds(module)
    edge = margin * (high - low)
    return float(((array < low + edge) | (array > high - edge)).mean())
