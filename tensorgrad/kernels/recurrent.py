"""Recurrent layers over whole sequences, forward and adjoint, on arrays.

The rows of the input are the time steps one after another: ``sizes[0]`` rows of step 0, then
``sizes[1]`` of step 1, and so on. Sizes never grow, so a state of ``sizes[0]`` rows, of which each
step reads and writes the first ``sizes[t]``, ends as the last state of every sequence, in either
direction: packed sequences need no case of their own.

What waits for no other step is one product or ufunc over all rows. The loop over time is left with
one product and a few calls, into memory that exists. As sigmoid(x) is (1 + tanh(x / 2)) / 2, one
call of tanh makes all gates of an LSTM (6 us for (32, 512), exp and reciprocal 12): the weights
that lead to a sigmoid are halved before the loop. The adjoint first makes, for all steps at once,
the factors by which a step multiplies the gradients that reach it.

Each forward gives (out, kept), each backward takes the gradient of ``out`` and ``kept``. ``out`` is
flat: the rows of the output, then the last hidden state, then the last cell state.
"""

from __future__ import annotations

import numpy as np

from .sums import total

dot, multiply, subtract, tanh = np.dot, np.multiply, np.subtract, np.tanh


def steps(sizes, reverse):
    """(the rows of a step, their number) for each step, in the order of computation."""
    pairs, start = [], 0
    for n in sizes:
        pairs.append((slice(start, start + n), n))
        start += n
    return pairs[::-1] if reverse else pairs


def split(flat, *shapes):
    """The matrices of these shapes that lie one after another in ``flat``."""
    parts, start = [], 0
    for n, m in shapes:
        parts.append(flat[start : start + n * m].reshape(n, m))
        start += n * m
    return parts


def _outputs(x, *states):
    """New flat memory, and in it the rows of the output and a copy of each initial state."""
    shapes = [(len(x), states[0].shape[1]), *(state.shape for state in states)]
    flat = np.empty(sum([n * m for n, m in shapes]), x.dtype)
    rows, *lasts = split(flat, *shapes)
    for last, state in zip(lasts, states, strict=True):
        last[...] = state
    return flat, rows, lasts


def _incoming(g, sizes, *widths):
    """The gradient of the rows of the output, and a copy of that of each last state."""
    outer, *lasts = split(g, (sum(sizes), widths[0]), *[(sizes[0], width) for width in widths])
    return outer, [last.copy() for last in lasts]


def _halved(width, gates, dtype):
    """The factor before tanh and after it of each column: a half where ``gates`` has an s."""
    return np.repeat(np.array([0.5 if gate == "s" else 1.0 for gate in gates], dtype), width)


def _weight_gradients(dz, dz_hidden, x, before, has_bias):
    """Gradients of w_ih, w_hh, b_ih and b_hh by those of the two products they go into."""
    b_ih = b_hh = None
    if has_bias:
        b_ih = total(dz, 0)
        b_hh = b_ih.copy() if dz is dz_hidden else total(dz_hidden, 0)
    return dz.T.dot(x), dz_hidden.T.dot(before), b_ih, b_hh


# --- Elman ------------------------------------------------------------------------------


def rnn_forward(x, h0, w_ih, w_hh, b_ih, b_hh, *, sizes, reverse, relu):
    """``h = f(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh)``, f being tanh or the rectifier."""
    z = x.dot(w_ih.T)
    if b_ih is not None:
        z += b_ih + b_hh
    out, rows, (h,) = _outputs(x, h0)
    recurrent = np.ascontiguousarray(w_hh.T)  # 35 us for (32, 128) @ (128, 512), 45 transposed
    before, product = np.empty_like(rows), np.empty_like(h)
    for at, n in steps(sizes, reverse):
        state, row = h[:n], z[at]
        before[at] = state
        row += dot(state, recurrent, product[:n])
        np.maximum(row, 0, out=row) if relu else tanh(row, row)
        rows[at] = state[...] = row
    return out, (z, before)


def rnn_backward(g, kept, x, w_ih, w_hh, has_bias, *, sizes, reverse, relu, needs):
    """The gradients of all six inputs; of x only if 0 is in ``needs``."""
    rows, before = kept  # not the memory of the output, which may be written in place
    dz = (rows > 0).astype(rows.dtype) if relu else subtract(1, rows * rows)
    outer, (dh,) = _incoming(g, sizes, rows.shape[1])
    for at, n in reversed(steps(sizes, reverse)):
        state, here = dh[:n], dz[at]
        state += outer[at]
        here *= state
        dot(here, w_hh, state)
    dx = dz.dot(w_ih) if 0 in needs else None
    return dx, dh, *_weight_gradients(dz, dz, x, before, has_bias)


# --- LSTM -------------------------------------------------------------------------------


def lstm_forward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, *, sizes, reverse):
    """Gates i, f, g, o; ``c = f c + i g``; ``h = o tanh(c)``, times w_hrᵀ where there is one."""
    width = c0.shape[1]
    scale = _halved(width, "ssts", x.dtype)
    shift = 1 - scale
    shift[2 * width : 3 * width] = 0
    gates = x.dot((w_ih * scale[:, None]).T)
    if b_ih is not None:
        gates += (b_ih + b_hh) * scale
    out, rows, (h, c) = _outputs(x, h0, c0)
    recurrent = np.ascontiguousarray((w_hh * scale[:, None]).T)
    projection = None if w_hr is None else np.ascontiguousarray(w_hr.T)
    before, cells, bounded = np.empty_like(rows), *np.empty((2, len(x), width), x.dtype)
    inner = rows if w_hr is None else np.empty_like(cells)
    product, scratch = np.empty((len(h), 4 * width), x.dtype), np.empty_like(c)
    # Rows in full: 1.6 us for (32, 512) instead of 3.7 with one that broadcasts.
    scale, shift = (np.tile(row, (len(h), 1)) for row in (scale, shift))
    for at, n in steps(sizes, reverse):
        state, cell, gate = h[:n], c[:n], gates[at]
        before[at], cells[at] = state, cell
        gate += dot(state, recurrent, product[:n])
        tanh(gate, gate)
        gate *= scale[:n]
        gate += shift[:n]
        cell *= gate[:, width : 2 * width]
        cell += multiply(gate[:, :width], gate[:, 2 * width : 3 * width], scratch[:n])
        row = multiply(gate[:, 3 * width :], tanh(cell, bounded[at]), inner[at])
        state[...] = row if w_hr is None else dot(row, projection, rows[at])
    return out, (gates, bounded, before, cells, None if w_hr is None else inner)


def lstm_backward(g, kept, x, w_ih, w_hh, w_hr, has_bias, *, sizes, reverse, needs):
    """The gradients of all eight inputs; of x only if 0 is in ``needs``."""
    gates, bounded, before, cells, inner = kept
    count, width = cells.shape
    factors, through = _lstm_factors(gates.reshape(count, 4, width), bounded, cells)
    forget = gates[:, width : 2 * width]
    outer, (dh, dc) = _incoming(g, sizes, before.shape[1], width)
    projected = None if w_hr is None else np.empty_like(before)
    scratch, unprojected = np.empty_like(dc), np.empty_like(dc)
    for at, n in reversed(steps(sizes, reverse)):
        state, cell, factor = dh[:n], dc[:n], factors[at]
        state += outer[at]
        row = state
        if w_hr is not None:
            projected[at] = state
            row = dot(state, w_hr, unprojected[:n])
        cell += multiply(row, through[at], scratch[:n])
        factor[:, 3] *= row
        factor[:, :3] *= cell[:, None]
        cell *= forget[at]
        dot(factor.reshape(n, 4 * width), w_hh, state)
    dz = factors.reshape(count, 4 * width)
    dx = dz.dot(w_ih) if 0 in needs else None
    weights = _weight_gradients(dz, dz, x, before, has_bias)
    return dx, dh, dc, *weights, None if w_hr is None else projected.T.dot(inner)


def _lstm_factors(gates, bounded, cells):
    """What multiplies the gradient of the cell (for o, of h) to give that of the gates' input.

    And what multiplies the gradient of h to give its part of that of the cell.
    """
    i, g, o = gates[:, 0], gates[:, 2], gates[:, 3]
    factors = subtract(1, gates)
    factors *= gates  # the slope of the sigmoids
    factors[:, 0] *= g
    factors[:, 1] *= cells
    factors[:, 3] *= bounded
    candidate = factors[:, 2]
    multiply(g, g, candidate)
    subtract(1, candidate, candidate)
    candidate *= i
    through = bounded * bounded
    subtract(1, through, through)
    through *= o
    return factors, through


# --- GRU --------------------------------------------------------------------------------


def gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh, *, sizes, reverse):
    """Gates r, z, n, with r inside n: ``tanh(x + r (h w_hnᵀ + b_hn))``; ``h = n + z (h - n)``."""
    width = h0.shape[1]
    scale = _halved(width, "sst", x.dtype)
    half = scale[0]
    gates = x.dot((w_ih * scale[:, None]).T)
    if b_ih is not None:
        bias = b_ih * scale
        bias[: 2 * width] += b_hh[: 2 * width] * half
        gates += bias
    out, rows, (h,) = _outputs(x, h0)
    recurrent = np.ascontiguousarray((w_hh * scale[:, None]).T)
    before, inner = np.empty((2, *rows.shape), x.dtype)
    product, scratch = np.empty((len(h), 3 * width), x.dtype), np.empty_like(h)
    for at, n in steps(sizes, reverse):
        state, candidate = h[:n], gates[at, 2 * width :]
        before[at] = state
        z = dot(state, recurrent, product[:n])
        sigmoids = gates[at, : 2 * width]
        sigmoids += z[:, : 2 * width]
        tanh(sigmoids, sigmoids)
        sigmoids *= half
        sigmoids += half
        inner[at] = z[:, 2 * width :]
        if b_hh is not None:
            inner[at] += b_hh[2 * width :]
        candidate += multiply(sigmoids[:, :width], inner[at], scratch[:n])
        tanh(candidate, candidate)
        state -= candidate
        state *= sigmoids[:, width:]
        state += candidate
        rows[at] = state
    return out, (gates, inner, before)


def gru_backward(g, kept, x, w_ih, w_hh, has_bias, *, sizes, reverse, needs):
    """The gradients of all six inputs; of x only if 0 is in ``needs``."""
    gates, inner, before = kept
    count, width = before.shape
    r, z, n = gates[:, :width], gates[:, width : 2 * width], gates[:, 2 * width :]
    candidates = (1 - z) * (1 - n * n)
    factors = np.empty((count, 3, width), x.dtype)
    multiply(candidates, r, factors[:, 2])
    multiply(factors[:, 2], (1 - r) * inner, factors[:, 0])
    multiply(before - n, z * (1 - z), factors[:, 1])
    outer, (dh,) = _incoming(g, sizes, width)
    product = np.empty_like(dh)
    for at, size in reversed(steps(sizes, reverse)):
        state, factor = dh[:size], factors[at]
        state += outer[at]
        factor *= state[:, None]
        candidates[at] *= state
        state *= z[at]
        state += dot(factor.reshape(size, 3 * width), w_hh, product[:size])
    hidden = factors.reshape(count, 3 * width)
    dz = hidden.copy()
    dz[:, 2 * width :] = candidates
    dx = dz.dot(w_ih) if 0 in needs else None
    return dx, dh, *_weight_gradients(dz, hidden, x, before, has_bias)
