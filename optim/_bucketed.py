"""One loop for the optimizers whose update is elementwise.

On a small network an update costs what its NumPy calls cost, 0.4 us each whatever their
size. So the parameters of a group are put into *buckets*: small ones of one dtype together,
copied into flat buffers and updated by one pass of the formula; a large one alone, updated
where it lies.

The state that users see, ``optimizer.state[p]["exp_avg"]``, are tensors on views of the
buffers. Buckets are made at the first step and kept until something no longer fits: a
parameter has no gradient or got other memory, an entry of the state was replaced, an
option asks for other entries.
"""

from __future__ import annotations

from collections import Counter
from operator import is_

import numpy as np

from tensorgrad._graph import Tensor, mark_all_mutated, owner_of, wrap, writes_to

from .optimizer import Optimizer, count_dtype, fits, refuse_complex, with_grad

# Copying a parameter in and out costs as much as the calls that updating it alone adds at
# 12,000 float32 elements for plain SGD, at 30,000 for Adam.
SMALL = 8192
# What a pass over more elements than the caches hold is cut into. At 2 million float32
# elements, blocks take 0.85 of the time; at 110 thousand, smaller blocks only cost calls.
BLOCK = 1 << 16


class Bucket:
    """Parameters of one dtype and step count, updated by one pass of the formula.

    Args:
        params: the parameters.
        state: the state of the optimizer, whose entries for them become views of ours.
        names: which entries; ``"step"`` is the count, the others are of the parameter's shape.
        starts: what the entries begin with, by name, where it is not 0.
        count: how many updates they had.
        scratch: two rows of at most BLOCK elements that the formula may write to.
    """

    __slots__ = (
        "arrays", "blocks", "buffers", "constants", "count", "names", "params", "steps", "values",
        "views", "writes",
    )  # fmt: skip

    def __init__(self, params, state, names, starts, count, scratch):
        self.params, self.names = params, names
        self.arrays = [p._array for p in params]
        n, dtype = sum(a.size for a in self.arrays), self.arrays[0].dtype
        self.buffers = [np.full(n, starts.get(m, 0), dtype) for m in names if m != "step"]
        self.count, self.steps = count, None
        if "step" in names:
            self.steps = np.full(len(params), count, count_dtype())
        self.views = self._share(state)
        self.writes = [writes_to(array) for array in (*self.arrays, *self.buffers)]
        self.constants, self.values = None, None
        self._lay_out(n, dtype, scratch)

    def _parts(self, flat):
        """The piece of each parameter in a flat buffer, in its shape."""
        parts, low = [], 0
        for a in self.arrays:
            parts.append(flat[low : low + a.size].reshape(a.shape))
            low += a.size
        return parts

    def _share(self, state):
        """Move the state into our buffers, and make its entries tensors on views of them."""
        buffers = iter(self.buffers)
        columns = [
            [self.steps[i, ...] for i in range(len(self.params))]
            if name == "step"
            else self._parts(next(buffers))
            for name in self.names
        ]
        views = []
        for i, p in enumerate(self.params):
            for name, column in zip(self.names, columns, strict=True):
                _expose(state.setdefault(p, {}), name, column[i])
                views.append(column[i])
        return views

    def holds(self, state) -> bool:
        """Whether the entries of ``state`` are still our views, and the counts equal."""
        names = self.names
        try:
            found = [s[n]._array for s in map(state.__getitem__, self.params) for n in names]
        except (KeyError, AttributeError):  # an entry was removed, or is no tensor
            return False
        if self.steps is not None:
            counts = self.steps.tolist()
            if counts.count(self.count) != len(counts):  # the user wrote to one
                return False
        return all(map(is_, found, self.views))

    def _blocks(self, flat_p, flat_g, scratch):
        """The arrays that the formula takes, block by block."""
        blocks = []
        for low in range(0, flat_p.size, BLOCK):
            cut = slice(low, low + BLOCK)
            p = flat_p[cut]
            t, u = scratch[:, : p.size]
            blocks.append((p, flat_g[cut], t, u, *[b[cut] for b in self.buffers]))
        return blocks

    def update(self, optimizer, group, options):
        """Run the formula on every block."""
        first = self.count == 0
        self.count += 1
        values = optimizer._coefficients(options, self.count)
        if values != self.values:
            self._set_constants(values)
        for block in self.blocks:
            optimizer._update(group, first, self.constants, *block)
        if self.steps is not None:
            self.steps.fill(self.count)
        mark_all_mutated(self.writes)

    def _set_constants(self, values):
        if self.constants is None:
            # 0-d arrays save the 0.4 us that NumPy takes to convert a Python number. Those of
            # float16 are float32: 0.999 has no near neighbour in float16.
            dtype = np.promote_types(self.arrays[0].dtype, np.float32)
            self.constants = [np.empty((), dtype) for _ in values]
        for constant, value in zip(self.constants, values, strict=True):
            constant[()] = value
        self.values = values


class Alone(Bucket):
    """A single large and contiguous parameter, updated where it lies."""

    __slots__ = ("scratch",)

    def _lay_out(self, n, dtype, scratch):
        self.scratch = scratch

    def read(self) -> bool:
        """Find the gradient; False if it or the parameter is not what it was."""
        (p,), (array,) = self.params, self.arrays
        if p._grad is None or p._array is not array or not fits(p):
            return False
        self.blocks = self._blocks(array.reshape(-1), p._grad._array.reshape(-1), self.scratch)
        return True

    def run(self, optimizer, group, options):
        """Update the parameter once."""
        if self.blocks is None:  # the second run of a parameter that occurs twice
            self.read()
        self.update(optimizer, group, options)
        self.blocks = None  # lets go of the gradient


class Flat(Bucket):
    """Small parameters, copied into one buffer, updated there and copied back."""

    __slots__ = ("copies", "targets")

    def _lay_out(self, n, dtype, scratch):
        flat_p, flat_g = np.empty(n, dtype), np.empty(n, dtype)
        self.blocks = self._blocks(flat_p, flat_g, scratch)
        self.targets, self.copies = [], []
        parts = zip(self.params, self.arrays, self._parts(flat_p), self._parts(flat_g), strict=True)
        for p, array, p_part, g_part in parts:
            self.targets.append((p, array, array.shape, dtype, g_part))
            # Copying between flat arrays takes 0.12 us, otherwise 0.17.
            line = array.reshape(-1) if array.flags.c_contiguous else array
            self.copies.append((line, p_part.reshape(line.shape)))

    def read(self) -> bool:
        """Copy the gradients in; False if one of them or a parameter is not what it was."""
        for p, array, shape, dtype, g_part in self.targets:
            g = p._grad
            if g is None or p._array is not array:
                return False
            g = g._array
            if g.shape != shape or g.dtype != dtype:
                return False
            g_part[...] = g
        return True

    def run(self, optimizer, group, options):
        """Update the parameters once."""
        for line, p_part in self.copies:
            p_part[...] = line
        self.update(optimizer, group, options)
        for line, p_part in self.copies:
            line[...] = p_part


def _is_large(array):
    return array.size > SMALL and array.flags.c_contiguous


def _expose(entries, name, view):
    """Make ``entries[name]`` a tensor on ``view``, with the value that it had."""
    old = entries.get(name)
    if isinstance(old, Tensor):
        view[...] = old._array
        if old._edge is None and old._base is None:
            old._array = view  # whoever holds the entry goes on seeing its value
            return
    elif old is not None:
        view[...] = old
    entries[name] = wrap(view)


class Bucketed(Optimizer):
    """An optimizer whose update is one formula on each element.

    A subclass says which entries its state has (:meth:`_names`), what numbers the formula
    reads (:meth:`_options`, :meth:`_coefficients`), and writes the formula (:meth:`_update`)
    once, on flat arrays.

    A step checks everything first, so that one that fails has changed no parameter.
    """

    def _names(self, group) -> tuple:
        """The entries of the state: ``"step"`` for a count, others like the parameter."""
        raise NotImplementedError

    def _starts(self, group) -> dict:
        """What the entries of the state begin with, by name, where it is not 0."""
        return {}

    def _options(self, group) -> tuple:
        """The numbers among the group's options, as Python floats."""
        raise NotImplementedError

    def _coefficients(self, options, count) -> tuple:
        """The numbers that the formula reads in step number ``count``, from 1."""
        return options

    def _update(self, group, first, c, p, g, t, u, *buffers):
        """Write the new value into ``p``, and the new state into ``buffers``.

        Args:
            group: the options that are flags.
            first: whether this is the first update of these parameters.
            c: the coefficients, as 0-d arrays.
            p: the parameters, flat.
            g: their gradients; not to be written to.
            t: scratch of the same size.
            u: more of it.
            buffers: the state, in the order of :meth:`_names` without ``"step"``.
        """
        raise NotImplementedError

    def _check_param(self, p):
        super()._check_param(p)
        refuse_complex(self, p)

    def _forget(self):
        super()._forget()
        # By position of the group: state names, parameters, those without gradient, buckets.
        self._known: dict = {}
        self._scratch: dict = {}  # by dtype

    def step(self, closure=None):
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss anew, with its gradients, and returns it.

        Returns:
            What ``closure`` returned, None without it.

        Raises:
            RuntimeError: a gradient or an entry of the state has another shape or dtype than
                its parameter, or a parameter is read-only. No parameter was changed then.
        """
        loss = None if closure is None else with_grad(closure)
        work = []
        for position, group in enumerate(self.param_groups):
            options = self._options(group)
            for bucket in self._buckets_of(position, group):
                work.append((bucket, group, options))
        for bucket, group, options in work:
            bucket.run(self, group, options)
        return loss

    def _buckets_of(self, position, group):
        """The buckets of a group with the gradients read in, made anew where they do not fit."""
        names, params = self._names(group), group["params"]
        known = self._known.get(position)
        if known is None or not self._still_fits(*known, names, params):
            buckets = self._make_buckets(params, names, self._starts(group))
            idle = [p for p in params if p._grad is None]
            self._known[position] = known = names, list(params), idle, buckets
            for bucket in buckets:
                bucket.read()
        return known[3]

    def _still_fits(self, known_names, members, idle, buckets, names, params):
        """Whether buckets made for a group are right for it now; reads the gradients."""
        if known_names != names or len(members) != len(params):
            return False
        if not all(map(is_, members, params)):
            return False
        for p in idle:
            if p._grad is not None:
                return False
        for bucket in buckets:
            if not bucket.read() or (names and not bucket.holds(self.state)):
                return False
        return True

    def _make_buckets(self, params, names, starts):
        self._check_gradients()
        live = [p for p in params if p._grad is not None]
        owners = Counter(id(owner_of(p._array)) for p in live)
        shelves: dict = {}
        for p in live:
            self._check(p, [name for name in names if name != "step"])
            array, count = p._array, self._count(p, names)
            # Parameters that share memory, or occur twice, are updated one after another.
            single = _is_large(array) or owners[id(owner_of(array))] > 1
            shelves.setdefault(p if single else (array.dtype, count), (count, []))[1].append(p)
        buckets = []
        for count, members in shelves.values():
            array = members[0]._array
            if array.dtype not in self._scratch:
                self._scratch[array.dtype] = np.empty((2, BLOCK), array.dtype)
            distinct = list(dict.fromkeys(members))
            kind = Alone if _is_large(array) else Flat
            scratch = self._scratch[array.dtype]
            bucket = kind(distinct, self.state, names, starts, count, scratch)
            buckets += [bucket] * (len(members) // len(distinct))
        return buckets

    def _count(self, p, names):
        """How many updates ``p`` had; 1 stands for any number where the state does not say."""
        entries = self.state.get(p, {})
        if "step" in names:
            return float(entries.get("step", 0))
        return 0 if any(entries.get(name) is None for name in names) else 1


def direction(group, weight_decay, p, g, t, u):
    """The gradient to follow: turned round to maximize, with the weight decay added.

    Args:
        group: the options ``maximize``, ``weight_decay`` and ``decoupled_weight_decay``.
        weight_decay: as a 0-d array; times the learning rate if it is decoupled, that is,
            taken from ``p`` at once.
        p: the parameters, flat.
        g: their gradients; not written to.
        t: what the result is written to, where it is not ``g``.
        u: scratch.
    """
    if group["maximize"]:
        g = np.negative(g, t)
    if group["weight_decay"]:
        np.multiply(p, weight_decay, u)
        if group.get("decoupled_weight_decay"):
            np.subtract(p, u, p)
        else:
            g = np.add(g, u, t)
    return g


def shift_mean(mean, x, kept, taken, u):
    """Move a running mean towards ``x``: ``mean = kept * mean + taken * x``; writes to ``u``."""
    np.multiply(x, taken, u)
    np.multiply(mean, kept, mean)
    np.add(mean, u, mean)


def shift_square_mean(mean, x, kept, taken, u):
    """Move a running mean towards ``x * x``."""
    np.multiply(x, x, u)
    shift_mean(mean, u, kept, taken, u)
