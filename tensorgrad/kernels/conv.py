"""Convolution on plain arrays: blocks of columns in the cache, and one product for each.

Everything is made of two functions on arrays (N, channels, size...): :func:`correlate`,

    out[n, o, t] = sum over c, i of w[o, c, i] * x[n, c, start + step * t + dilation * i],

with x zero outside its bounds, and :func:`correlate_weight`, its derivative by w. The derivative
by x is :func:`correlate` again, once for each remainder of the position by the step.

The *columns* of a block of images hold every element of x where a product wants it. The first
axis of the window need not be unrolled: its taps read the same columns, shifted by rows, one
product for each, and a third of the copies is left for a 3x3 window. Small images lie side by
side in one product; large ones are a batch of products, written where they belong. A window of
one element needs no columns at all. Measured with two threads, 32 images, in float32: 64 to 64
channels, 3x3, at 32x32 take 19 ms where all columns copied for each image take 21, and
256 to 256 at 14x14 take 50 where they take 168.
"""

from __future__ import annotations

import itertools
import threading
from functools import lru_cache
from math import gcd, prod

import numpy as np

# Elements of the columns of one block: 1 MiB of float32, half of a core's second cache.
_BLOCK = 1 << 18
# Images with fewer elements than this are put side by side, so that products are wide enough.
_SMALL = 256
# Columns that such a product should have.
_WIDE = 4096
# A window of one element needs no columns from this many elements of an image on.
_BARE = 32
# Terms that a product for one row of taps should have to be worth adding up.
_TERMS = 96
# The largest scratch memory, in bytes, that a thread keeps from one call to the next.
_KEPT = 1 << 23

_local = threading.local()


def _scratch(name, shape, dtype):
    """Uninitialised memory that is valid until the next request for ``name``.

    New memory costs a page fault for each 4 KiB, here a tenth of the time of a small layer.
    """
    size = prod(shape) * dtype.itemsize
    if size > _KEPT:
        return np.empty(shape, dtype)
    kept = vars(_local)
    memory = kept.get(name)
    if memory is None or memory.size < size:
        memory = kept[name] = np.empty(size, np.uint8)
    return memory[:size].view(dtype).reshape(shape)


def overlap(start, step, count, size):
    """Where ``start + step * t``, t in 0..count-1, lies in 0..size-1.

    Returns:
        The slice of t, the slice of positions, and whether that is all of them; or None.
    """
    first = max(0, -(start // step))
    last = min(count - 1, (size - 1 - start) // step)
    if last < first:
        return None
    low, high = start + step * first, start + step * last
    return slice(first, last + 1), slice(low, high + 1, step), last - first == count - 1


class _Plan:
    """How the columns of blocks of images (n, channels, size...) lie, and what is copied to them.

    Attributes:
        side: images lie side by side in a block; otherwise each has columns of its own.
        turned: and they are the innermost axis, so that copies are long even of small images.
        combed: elements are first sorted by the remainder of their last position by the step.
        count: images in one block.
        shape: of the columns.
        copies: for each tap (index into the columns, index into the images).
        whole: whether the copies fill the columns.
        offsets: where the columns of each tap along the first axis begin.
    """

    def __init__(
        self, n, channels, size, outputs, kernel, target, start, step, dilation, groups, bare
    ):
        self.target, self.kernel, self.groups = target, kernel, groups
        inner = channels // groups * prod(kernel[1:])
        self.rows, self.phases = target[0], [(0, 0, target[0])]
        self.split = kernel[0] > 1 and inner >= _TERMS and n * prod(target) > outputs
        shifts = [0]
        if self.split:
            shifts = self._rows(kernel[0], target[0], step[0], dilation[0])
        taps = kernel[1:] if self.split else kernel
        per = channels * prod(taps) * self.rows * prod(target[1:])
        self.bare = (
            prod(target) >= _BARE and all(k == 1 for k in kernel) and all(s == 1 for s in step)
            and size == target and not any(start) and bare
        )  # fmt: skip
        self.side = prod(target) < _SMALL and n > 1 and not self.bare
        most = -(-_WIDE // prod(target)) if self.side else n
        room = (4 if self.side else 1) * _BLOCK // per
        count = max(1, min(n, most, max(room, -(-_SMALL // prod(target)))))
        self.count = -(-n // -(-n // count))  # blocks of about equal length
        # Nanoseconds for a channel of an image: 7 to begin copying a row, 1.2 for each element
        # that does not follow its neighbour, 2.5 to turn an element.
        rows = prod(taps) * self.rows * prod(target[1:-1])
        self.combed = bool(taps) and taps[-1] > step[-1] > 1
        apart = step[-1] > 1 and len(step) > 1
        stray = (prod(size) if self.combed else rows * target[-1]) if apart else 0
        self.turned = self.side and rows * 7 + stray * 1.2 > (
            prod(size) * 2.5 + rows * target[-1] * 0.15
        )
        self.combed = self.combed and not self.turned
        if self.bare:
            self.count, self.offsets = n, [0]
            return
        images = self.count
        self.shape = (channels, *taps, self.rows, images, *target[1:])
        if self.turned:
            self.shape = (channels, *taps, self.rows, *target[1:], images)
        elif not self.side:
            self.shape = (images, channels, *taps, self.rows, *target[1:])
        self.copies, self.whole = self._copies(taps, size, target, start, step, dilation)
        length = prod(target[1:]) * (images if self.side else 1)
        self.width = target[0] * length
        self.offsets = [shift * length for shift in shifts]
        lead = () if self.side else (images,)
        self.flat = (*lead, groups, channels // groups * prod(taps), self.rows * length)
        self.corner = (channels, *size, images)
        if self.combed:
            self.step = step[-1]
            self.comb = (self.step, images, channels, *size[:-1], -(-size[-1] // self.step))

    def _rows(self, taps, count, step, dilation):
        """Sort the rows that the taps read by their remainder by the step; the taps' first rows."""
        last: dict = {}
        for i in range(taps):
            remainder = i * dilation % step
            last[remainder] = max(last.get(remainder, 0), i * dilation // step)
        base, at, phases = 0, {}, []
        for remainder, shift in last.items():
            at[remainder] = base
            phases.append((base, remainder, shift + count))
            base += shift + count
        if base > 0.7 * taps * count:  # nothing saved over copying each tap
            self.split = False
            return [0]
        self.rows, self.phases = base, phases
        return [at[i * dilation % step] + i * dilation // step for i in range(taps)]

    def _copies(self, taps, size, target, start, step, dilation):
        """What to copy for each tap: (index into memory, index into x); and whether that is all."""
        copies, whole = [], True
        skip = len(size) - len(taps)
        everything = slice(None)
        for tap in itertools.product(*map(range, taps)):
            for base, remainder, count in self.phases:
                shift = (*((0,) * skip), *tap)
                parts = []
                for d, i in enumerate(shift):
                    begin = start[d] + i * dilation[d] + (remainder if d == 0 else 0)
                    parts.append(overlap(begin, step[d], target[d] if d else count, size[d]))
                if None in parts:
                    whole = False
                    continue
                whole = whole and all(p[2] for p in parts)
                places = [p[0] for p in parts]
                places[0] = slice(base + places[0].start, base + places[0].stop)
                source = (everything, everything, *(p[1] for p in parts))
                if self.combed:
                    low, high, apart = source[-1].start, source[-1].stop - 1, step[-1]
                    run = slice(low // apart, high // apart + 1)
                    source = (low % apart, *source[:-1], run)
                if self.turned:
                    source = (everything, *(p[1] for p in parts))
                    copies.append(((everything, *tap, *places), (), source))
                elif self.side:
                    copies.append(((everything, *tap, places[0]), places[1:], source))
                else:
                    copies.append(((everything, everything, *tap, *places), (), source))
        return copies, whole

    def blocks(self, n):
        """The first and last image of each block."""
        return [(i, min(n, i + self.count)) for i in range(0, n, self.count)]

    def pixels(self, block, outputs):
        """A block (outputs, columns) of images side by side, as (images, outputs, size...)."""
        if self.turned:
            return np.moveaxis(block.reshape(outputs, *self.target, self.count), -1, 0)
        shape = (outputs, self.target[0], self.count, *self.target[1:])
        return np.moveaxis(block.reshape(shape), 2, 0)


@lru_cache(256)
def _plan(*geometry):
    """Plans are kept: that of a 5x5 window takes 300 us to make."""
    return _Plan(*geometry)


class _Columns:
    """The columns of blocks of ``x``: ``matrix[..., rows[i]]`` is the factor of ``weights[i]``."""

    def __init__(self, x, outputs, kernel, target, start, step, dilation, groups):
        n, channels, *size = x.shape
        self.x = x
        self.plan = plan = _plan(
            n, channels, tuple(size), outputs, kernel, target, tuple(start), tuple(step),
            tuple(dilation), groups, x.flags.c_contiguous,
        )  # fmt: skip
        if plan.bare:
            return
        if plan.turned:
            self.corner = _scratch("turned", plan.corner, x.dtype)
        if plan.combed:
            self.comb = _scratch("turned", plan.comb, x.dtype)
        self.memory = _scratch("columns", plan.shape, x.dtype)
        self.matrix = self.memory.reshape(plan.flat)
        if not plan.whole:
            self.memory.fill(0)

    def load(self, first, last):
        """Fill the columns with images ``first`` to ``last``; the matrix, cut to their number."""
        images, n, plan = self.x[first:last], last - first, self.plan
        if plan.bare:
            shape = images.shape
            return images.reshape(n, plan.groups, shape[1] // plan.groups, -1)
        memory = self.memory
        if plan.turned:
            corner = self.corner[..., :n]
            corner[...] = images.transpose(*range(1, images.ndim), 0)
            memory = memory[..., :n]
            for to, _, source in plan.copies:
                memory[to] = corner[source]
            return self.matrix
        if plan.combed:
            comb = self.comb[:, :n]
            for i in range(plan.step):
                part = images[..., i :: plan.step]
                comb[i, ..., : part.shape[-1]] = part
            images = comb
        if plan.side:
            for to, rest, source in plan.copies:
                memory[(*to, slice(0, n), *rest)] = np.moveaxis(images[source], 0, 2)
            return self.matrix
        memory = memory[:n]
        for to, _, source in plan.copies:
            memory[to] = images[source]
        return self.matrix[:n]

    def clear(self, first):
        """Forget the images from number ``first`` on in a block side by side."""
        axis = -1 if self.plan.turned else -len(self.plan.target)
        np.moveaxis(self.memory, axis, 0)[first:] = 0

    def shifted(self, matrix, i):
        """The columns of tap ``i`` of the first axis."""
        plan = self.plan
        if len(plan.offsets) == 1:
            return matrix
        return matrix[..., plan.offsets[i] : plan.offsets[i] + plan.width]


def _weights(w, groups, split):
    """The factors (groups, outputs, terms) for each tap of the first axis, or for all together."""
    outputs = w.shape[0] // groups
    if not split:
        return [np.ascontiguousarray(w.reshape(groups, outputs, -1))]
    rows = np.moveaxis(w, 2, 0)
    return list(np.ascontiguousarray(rows).reshape(len(rows), groups, outputs, -1))


def correlate(x, w, out, start, step, dilation, groups, bias=None):
    """Write the correlation of the module's description, plus ``bias``, to ``out``; returns it."""
    outputs, *target = out.shape[1:]
    if out.size == 0:
        return out
    if x.size == 0 or w.size == 0:
        out[...] = 0 if bias is None else bias.reshape(-1, *((1,) * len(target)))
        return out
    if groups == x.shape[1] > 1 and w.shape[1] == 1:
        return _depthwise(x, w, out, start, step, dilation, bias)
    target = tuple(target)
    columns = _Columns(x, outputs, w.shape[2:], target, start, step, dilation, groups)
    plan = columns.plan
    factors = _weights(w, groups, len(plan.offsets) > 1)
    inside = out.flags.c_contiguous and not plan.side
    shape = (groups, outputs // groups, prod(target) * (plan.count if plan.side else 1))
    if not plan.side:
        shape = (plan.count, *shape)
    space = None if inside else _scratch("product", shape, out.dtype)
    more = _scratch("term", shape, out.dtype) if len(factors) > 1 else None
    if bias is not None:
        bias = bias.reshape(groups, -1, 1)
    for first, last in plan.blocks(len(x)):
        matrix, images = columns.load(first, last), last - first
        if inside:
            block = out[first:last].reshape(images, *shape[1:])
        else:
            block = space if plan.side else space[:images]
        term = more if plan.side or more is None else more[:images]
        for i, factor in enumerate(factors):
            np.matmul(factor, columns.shifted(matrix, i), out=term if i else block)
            if i:
                block += term
        if bias is not None:
            block += bias
        if plan.side:
            out[first:last] = plan.pixels(block, outputs)[:images]
        elif not inside:
            out[first:last] = block.reshape(images, outputs, *target)
    return out


def correlate_weight(g, x, kernel, start, step, dilation, groups):
    """The sum over n and t of ``g[n, o, t] * x[n, c, start + step * t + dilation * i]``.

    The derivative of :func:`correlate` by its weight, shape (outputs, channels / groups, *kernel).
    """
    outputs, *target = g.shape[1:]
    channels = x.shape[1] // groups
    out = np.empty((outputs, channels, *kernel), x.dtype)
    if g.size == 0 or x.size == 0 or out.size == 0:
        out.fill(0)
        return out
    if groups == x.shape[1] > 1:
        out.fill(0)
        return _depthwise_weight(g, x, out, start, step, dilation)
    target = tuple(target)
    columns = _Columns(x, outputs, kernel, target, start, step, dilation, groups)
    plan = columns.plan
    taps = len(plan.offsets)
    terms = out.size // outputs // taps
    shape = (taps, groups, outputs // groups, terms)
    sums = out.reshape(shape) if taps == 1 else np.empty(shape, x.dtype)
    if plan.side:
        space = _scratch("product", (outputs, plan.count * prod(target)), x.dtype)
        block = space.reshape(groups, outputs // groups, -1)
    for first, last in plan.blocks(len(x)):
        matrix, images = columns.load(first, last), last - first
        if plan.side:
            if images < plan.count:  # what the last block left over
                columns.clear(images)
                space.fill(0)
            plan.pixels(space, outputs)[:images] = g[first:last]
        else:
            block = g[first:last].reshape(images, groups, outputs // groups, -1)
        for i in range(taps):
            factor = columns.shifted(matrix, i).swapaxes(-1, -2)
            if first == 0 and plan.side:
                np.matmul(block, factor, out=sums[i])
                continue
            part = np.matmul(block, factor)
            part = part if plan.side else np.add.reduce(part, 0)
            if first == 0:
                sums[i] = part
            else:
                sums[i] += part
    if taps == 1:
        return out
    parts = sums.reshape(taps, outputs, channels, *kernel[1:])
    out[...] = np.moveaxis(parts, 0, 2)
    return out


def correlate_input(g, w, out, start, step, dilation, groups):
    """Write the derivative of :func:`correlate` by x to ``out`` (N, channels, size...).

    The positions with one remainder by the step read taps at regular distances of ``g``, so
    they are a correlation with step 1.
    """
    if out.size == 0:
        return out
    n, outputs, *target = g.shape
    shapes = (n, outputs, out.shape[1], w.shape[2:], out.shape[2:], tuple(target))
    if g.size and w.size and _adds(*shapes, step, groups):
        return _add_input(g, w, out, start, step, dilation, groups)
    outputs //= groups
    flipped = np.flip(w, tuple(range(2, w.ndim)))
    flipped = flipped.reshape(groups, outputs, *w.shape[1:]).swapaxes(1, 2)
    flipped = flipped.reshape(out.shape[1], outputs, *w.shape[2:])  # the copy, if groups > 1
    plans = [
        [_remainder(a, k, *rest) for a in range(min(rest[1], size))]
        for k, size, *rest in zip(
            w.shape[2:], out.shape[2:], start, step, dilation, strict=True
        )
    ]
    everything = slice(None)
    for plan in itertools.product(*plans):
        part = out[(everything, everything, *(p[0] for p in plan))]
        if any(p[1] is None for p in plan):
            part[...] = 0
            continue
        taps = flipped[(everything, everything, *(p[1] for p in plan))]
        begins, dilations = [p[2] for p in plan], [p[3] for p in plan]
        ones = (1,) * len(plan)
        correlate(g, taps, part, begins, ones, dilations, groups)
    return out


def _adds(n, outputs, channels, kernel, size, target, step, groups):
    """Whether :func:`_add_input` is expected to take less time than correlations."""
    if groups == channels > 1:
        return False
    taps, windows, pixels = prod(kernel), n * prod(target), n * prod(size)
    products = outputs * channels // groups * taps
    read = pixels * outputs * taps / prod(step)
    if kernel[0] > step[0] and outputs // groups * prod(kernel[1:]) >= _TERMS:
        read = read * step[0] / kernel[0]
    # Nanoseconds: 90 products at once; an element copied, added, turned; a weight turned over.
    less = 2 * products * (pixels / prod(step) - windows) / 90 + 0.4 * read + 2.5 * products
    more = channels * taps * windows * (0.5 if step[-1] == 1 else 1.3)
    if prod(target) < _SMALL:
        more += 2.5 * outputs * windows
    return more < less


def _add_input(g, w, out, start, step, dilation, groups):
    """:func:`correlate_input` by one product, added up tap by tap where each had read.

    The weight is used as it is, and there are no columns of ``g``. That pays where the input has
    fewer channels than the output, where windows are far apart, or where there are few of them.
    In float32: 64 images, 6 to 16 channels, 5x5 on 14x14, 1.4 ms instead of 2.7; 8 images, 256 to
    512, 3x3 at step 2 on 8x8, 5 ms instead of 10; 3 to 64, 11x11 at step 4, 30 instead of 80.
    """
    n, outputs, *target = g.shape
    channels, *size = out.shape[1:]
    kernel, ndim = w.shape[2:], len(target)
    factor = w.reshape(groups, outputs // groups, -1).swapaxes(1, 2)
    count = max(1, min(n, 4 * _BLOCK // (channels * prod(kernel) * prod(target))))
    turned = prod(target) < _SMALL and n > 1
    everything = slice(None)
    lead = (everything,) if turned else (everything, everything)
    shifts = [
        ((*lead, *source), (*lead, *tap, *to))
        for tap, to, source in _shifts(kernel, target, size, start, step, dilation)
    ]
    for first in range(0, n, count):
        block = g[first : first + count]
        images = len(block)
        if turned:
            parts = _scratch("columns", (channels, *kernel, *target, images), g.dtype)
            image = _scratch("turned", (channels, *size, images), g.dtype)
            corner = _scratch("product", (outputs, *target, images), g.dtype)
            corner[...] = block.transpose(*range(1, ndim + 2), 0)
            matrix = corner.reshape(groups, outputs // groups, -1)
            np.matmul(factor, matrix, out=parts.reshape(groups, factor.shape[1], -1))
        else:
            parts = _scratch("columns", (images, channels, *kernel, *target), g.dtype)
            image = out[first : first + count]
            matrix = block.reshape(images, groups, outputs // groups, -1)
            np.matmul(factor, matrix, out=parts.reshape(images, groups, factor.shape[1], -1))
        image.fill(0)
        for source, to in shifts:
            image[source] += parts[to]
        if turned:
            out[first : first + count] = image.transpose(ndim + 1, *range(ndim + 1))
    return out


def _remainder(a, taps, start, step, dilation):
    """What positions u = a + step * v read: u = start + step * t + dilation * i.

    Returns:
        The slice of u, that of the flipped taps, and the start and dilation of the
        correlation over t; the slice of taps is None where no tap reaches these positions.
    """
    positions = slice(a, None, step)
    every = step // gcd(step, dilation)
    first = next((i for i in range(min(every, taps)) if (a - start - dilation * i) % step == 0), -1)
    if first < 0:
        return positions, None, 0, 1
    chosen = range(first, taps, every)
    apart = every * dilation // step
    begin = (a - start - dilation * chosen[-1]) // step
    last = taps - 1 - chosen[-1]  # in the flipped order the last tap comes first
    return positions, slice(last, taps - first, every), begin, apart


# --- one channel for each group ---------------------------------------------------------


class _Flat:
    """Blocks of images with their margins, laid out so that each tap is one run of memory.

    The elements are sorted by the remainder of their position by the step. Then the element that
    a tap reads for window t lies at t plus a shift, in every dimension; with rows as long as the
    longest shift wants, all windows of a channel are one long run, and copied as one. What it
    holds between the rows is cut off, or multiplied by zeros. Sums of products of shifted runs
    need no copies, and take twice as long as the copies and a product with all taps.
    """

    def __init__(self, x, kernel, target, start, step, dilation, unrolled=True):
        n, channels, *size = x.shape
        self.x, self.target = x, target
        reach = [(k - 1) * d // s for k, d, s in zip(kernel, dilation, step, strict=True)]
        self.rows = [t + r for t, r in zip(target, reach, strict=True)]
        strides = [prod(self.rows[i + 1 :]) for i in range(len(target))]
        self.length = sum((t - 1) * m for t, m in zip(target, strides, strict=True)) + 1
        places: dict = {}
        self.taps = []
        for tap in itertools.product(*map(range, kernel)):
            shifts = [i * d for i, d in zip(tap, dilation, strict=True)]
            phase = tuple(a % s for a, s in zip(shifts, step, strict=True))
            at = sum(a // s * m for a, s, m in zip(shifts, step, strides, strict=True))
            self.taps.append((places.setdefault(phase, len(places)), at))
        self.copies = []
        for phase, number in places.items():
            parts = [
                overlap(b + a, s, r, length)
                for b, a, s, r, length in zip(start, phase, step, self.rows, size, strict=True)
            ]
            if None not in parts:
                to, source = tuple(p[0] for p in parts), tuple(p[1] for p in parts)
                self.copies.append(((number, slice(None), slice(None), *to), source))
        copies = len(self.taps) if unrolled else 1
        room = max(1, _BLOCK // 2 // (copies * prod(self.rows)))
        self.channels = min(channels, room)
        self.count = min(n, max(1, room // channels))
        shape = (len(places), self.count, self.channels, *self.rows)
        self.memory = _scratch("flat", shape, x.dtype)
        self.memory.fill(0)
        if unrolled:
            shape = (self.count, self.channels, len(self.taps), self.length)
            self.columns = _scratch("columns", shape, x.dtype)

    def runs(self, images, channels):
        """What the taps of a block read, one after the other: (images, channels, run)."""
        x = self.x[images, channels]
        memory = self.memory[:, : len(x), : x.shape[1]]
        for to, source in self.copies:
            memory[to] = x[(slice(None), slice(None), *source)]
        whole = memory.reshape(*memory.shape[:3], prod(self.rows))
        return [whole[phase, :, :, at : at + self.length] for phase, at in self.taps]

    def load(self, images, channels):
        """The columns of a block: (images, channels, taps, run)."""
        runs = self.runs(images, channels)
        columns = self.columns[: len(runs[0]), : runs[0].shape[1]]
        for i, run in enumerate(runs):
            columns[:, :, i] = run
        return columns

    def blocks(self):
        """The images and channels of each block, as slices."""
        n, channels = self.x.shape[:2]
        for i in range(0, n, self.count):
            for c in range(0, channels, self.channels):
                yield (slice(i, min(n, i + self.count)),
                       slice(c, min(channels, c + self.channels)))  # fmt: skip

    def windows(self, run):
        """The elements of runs (..., product of rows) that belong to windows."""
        inside = tuple(slice(0, t) for t in self.target)
        return run.reshape(*run.shape[:-1], *self.rows)[(..., *inside)]


def _depthwise(x, w, out, start, step, dilation, bias):
    """:func:`correlate` where every group is one channel: one short product for each channel."""
    outputs, *target = out.shape[1:]
    channels = x.shape[1]
    several = outputs // channels
    factors = np.ascontiguousarray(w.reshape(channels, several, -1))
    if bias is not None:
        bias = bias.reshape(channels, several, 1)
    flat = _Flat(x, w.shape[2:], target, start, step, dilation)
    sums = _scratch("product", (flat.count, flat.channels, several, prod(flat.rows)), out.dtype)
    for images, some in flat.blocks():
        columns = flat.load(images, some)
        n, c = columns.shape[:2]
        whole = sums[:n, :c, :, : flat.length]
        np.matmul(factors[some], columns, out=whole)
        if bias is not None:
            whole += bias[some]
        rows = slice(some.start * several, some.stop * several)
        out[images, rows] = flat.windows(sums[:n, :c]).reshape(n, c * several, *target)
    return out


def _depthwise_weight(g, x, out, start, step, dilation):
    """:func:`correlate_weight` where every group is one channel: a dot product for each tap."""
    outputs, target = g.shape[1], g.shape[2:]
    channels = x.shape[1]
    several = outputs // channels
    g = g.reshape(len(g), channels, several, *target)
    sums = out.reshape(channels, several, -1)
    flat = _Flat(x, out.shape[2:], target, start, step, dilation, unrolled=False)
    space = _scratch("product", (flat.count, flat.channels, several, prod(flat.rows)), x.dtype)
    space.fill(0)
    for images, some in flat.blocks():
        runs = flat.runs(images, some)
        n, c = runs[0].shape[:2]
        flat.windows(space[:n, :c])[...] = g[images, some]
        whole = space[:n, :c, :, : flat.length]
        for i, run in enumerate(runs):
            sums[some, :, i] += np.add.reduce(np.matmul(whole, run[..., None]), 0)[..., 0]
    return out


# --- windows ----------------------------------------------------------------------------


def _shifts(kernel, target, size, start, step, dilation):
    """For each tap the slices of the result and of x that it joins."""
    for tap in itertools.product(*map(range, kernel)):
        parts = [
            overlap(start[d] + i * dilation[d], step[d], target[d], size[d])
            for d, i in enumerate(tap)
        ]
        if None not in parts:
            yield tap, tuple(p[0] for p in parts), tuple(p[1] for p in parts)


def windows(x, kernel, size, start, step, dilation):
    """The windows of ``x`` (N, C, ...), zero outside it: (N, C, *kernel, *size)."""
    joined = list(_shifts(kernel, size, x.shape[2:], start, step, dilation))
    out = np.zeros((*x.shape[:2], *kernel, *size), x.dtype)
    both = (slice(None), slice(None))
    for tap, to, source in joined:
        out[(*both, *tap, *to)] = x[(*both, *source)]
    return out


def add_windows(y, shape, kernel, start, step, dilation):
    """Zeros (N, C, *shape) with the windows ``y`` (N, C, *kernel, *size) added in place."""
    size = y.shape[2 + len(kernel) :]
    out = np.zeros((*y.shape[:2], *shape), y.dtype)
    both = (slice(None), slice(None))
    for tap, to, source in _shifts(kernel, size, shape, start, step, dilation):
        out[(*both, *source)] += y[(*both, *tap, *to)]
    return out
