"""Recurrent layers: one op for one direction of one layer over whole sequences.

A step at a time, an LSTM over 32 steps is 500 nodes, which take longer than their arithmetic. Here
it is one, with an adjoint on arrays in :mod:`tensorgrad.kernels.recurrent`, where the layout of
rows and ``sizes`` is described. The adjoint cannot be recorded, so under ``create_graph`` the
gradient is that of the definition, the same layer composed from other ops.

All three give a flat result, as an op has one: the rows of the output, then the last state(s).
"""

from __future__ import annotations

from .._graph import Tensor, edge_of, walk_to, wrap
from .._registry import op
from ..kernels import recurrent as kernels
from .activation import relu as rectified
from .elementwise import clone, sigmoid, tanh
from .linalg import linear
from .shape import cat, chunk


def _over_time(step, z, states, sizes, reverse):
    """Apply ``step`` to the rows of ``z`` of each time step and the states, composed from ops."""
    rows = {}
    for at, n in kernels.steps(sizes, reverse):
        new = step(z[at], *[state[:n] for state in states])
        rows[at.start] = new[0]
        whole = n == states[0].shape[0]
        states = new if whole else [cat([a, b[n:]]) for a, b in zip(new, states, strict=True)]
    in_order = [rows[start] for start in sorted(rows)] if sizes[0] else list(rows.values())
    return cat([part.reshape(-1) for part in (*in_order, *states)])


def _by_definition(definition, inputs, attrs, g, needs):
    """The gradients of the inputs in ``needs``, recorded, by way of the definition.

    The inputs are copied on nodes of their own, at which the walk ends: one of them may have been
    computed from another.
    """
    inputs = [value if value is None or isinstance(value, Tensor) else wrap(value)
              for value in inputs]  # fmt: skip
    ends = {i: clone(inputs[i]) for i in needs}
    out = definition(*[ends.get(i, value) for i, value in enumerate(inputs)], **attrs)
    found = walk_to({edge_of(out): g}, ends.values(), retain=True, create_graph=True)
    gradients = dict(zip(ends, found, strict=True))
    return [gradients.get(i) for i in range(len(inputs))]


def _anew():
    """Under ``create_graph`` what the forward kept is not read: the definition computes it."""


# --- Elman ------------------------------------------------------------------------------


def _rnn_definition(x, h0, w_ih, w_hh, b_ih, b_hh, *, sizes, reverse, relu):
    def step(z, h):
        z = z + linear(h, w_hh, b_hh)
        return [rectified(z) if relu else tanh(z)]

    return _over_time(step, linear(x, w_ih, b_ih), [h0], sizes, reverse)


@op(types="same", public=False, method=False, definition=_rnn_definition,
    residuals={"kept": _anew})  # fmt: skip
def rnn_layer(x, h0, w_ih, w_hh, b_ih, b_hh, *, sizes, reverse, relu):
    """``h = f(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh)`` over time, f being tanh or the rectifier."""
    out, kept = kernels.rnn_forward(
        x, h0, w_ih, w_hh, b_ih, b_hh, sizes=sizes, reverse=reverse, relu=relu
    )
    return out, (kept,)


@rnn_layer.vjp
def _rnn_vjp(g, x, h0, w_ih, w_hh, b_ih, b_hh, kept, *, sizes, reverse, relu, needs):
    attrs = {"sizes": sizes, "reverse": reverse, "relu": relu}
    if isinstance(g, Tensor):
        return _by_definition(_rnn_definition, (x, h0, w_ih, w_hh, b_ih, b_hh), attrs, g, needs)
    return kernels.rnn_backward(g, kept, x, w_ih, w_hh, b_ih is not None, needs=needs, **attrs)


# --- LSTM -------------------------------------------------------------------------------


def _lstm_definition(x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, *, sizes, reverse):
    def step(z, h, c):
        i, f, g, o = chunk(z + linear(h, w_hh, b_hh), 4, 1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)
        return [h if w_hr is None else linear(h, w_hr), c]

    return _over_time(step, linear(x, w_ih, b_ih), [h0, c0], sizes, reverse)


@op(types="same", public=False, method=False, definition=_lstm_definition,
    residuals={"kept": _anew})  # fmt: skip
def lstm_layer(x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, *, sizes, reverse):
    """A long short-term memory over time; with ``w_hr`` the hidden state is projected by it.

    Hochreiter & Schmidhuber, Neural Computation 9 (1997); projections: arXiv:1402.1128.
    """
    out, kept = kernels.lstm_forward(
        x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, sizes=sizes, reverse=reverse
    )
    return out, (kept,)


@lstm_layer.vjp
def _lstm_vjp(g, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, kept, *, sizes, reverse, needs):
    attrs = {"sizes": sizes, "reverse": reverse}
    if isinstance(g, Tensor):
        inputs = (x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
        return _by_definition(_lstm_definition, inputs, attrs, g, needs)
    has_bias = b_ih is not None
    return kernels.lstm_backward(g, kept, x, w_ih, w_hh, w_hr, has_bias, needs=needs, **attrs)


# --- GRU --------------------------------------------------------------------------------


def _gru_definition(x, h0, w_ih, w_hh, b_ih, b_hh, *, sizes, reverse):
    def step(z, h):
        (xr, xz, xn), (hr, hz, hn) = chunk(z, 3, 1), chunk(linear(h, w_hh, b_hh), 3, 1)
        n = tanh(xn + sigmoid(xr + hr) * hn)
        return [n + sigmoid(xz + hz) * (h - n)]

    return _over_time(step, linear(x, w_ih, b_ih), [h0], sizes, reverse)


@op(types="same", public=False, method=False, definition=_gru_definition,
    residuals={"kept": _anew})  # fmt: skip
def gru_layer(x, h0, w_ih, w_hh, b_ih, b_hh, *, sizes, reverse):
    """A gated recurrent unit over time: Cho et al., arXiv:1406.1078.

    As in PyTorch the reset gate multiplies ``h w_hnᵀ + b_hn``, not ``h``.
    """
    out, kept = kernels.gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh, sizes=sizes, reverse=reverse)
    return out, (kept,)


@gru_layer.vjp
def _gru_vjp(g, x, h0, w_ih, w_hh, b_ih, b_hh, kept, *, sizes, reverse, needs):
    attrs = {"sizes": sizes, "reverse": reverse}
    if isinstance(g, Tensor):
        return _by_definition(_gru_definition, (x, h0, w_ih, w_hh, b_ih, b_hh), attrs, g, needs)
    return kernels.gru_backward(g, kept, x, w_ih, w_hh, b_ih is not None, needs=needs, **attrs)
