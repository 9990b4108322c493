"""Functions in the form that PyTorch's layers call: reductions as numbers, networks from lists.

``torch.nn.functional`` has most of them with names for arguments; these are for scripts that call
``torch.lstm`` or ``torch.kl_div`` themselves.

>>> import tensorgrad as torch
>>> torch.margin_ranking_loss(torch.zeros(2), torch.ones(2), torch.ones(2), reduction=2)
tensor(2.)
"""

from __future__ import annotations

import math
import operator
from importlib import import_module

import numpy as np

from . import creation, dtypes, errors
from ._graph import Tensor, wrap

__all__ = [
    "alpha_dropout_", "binary_cross_entropy_with_logits", "constant_pad_nd",
    "cosine_embedding_loss", "ctc_loss", "dropout_", "embedding_bag", "empty_permuted",
    "feature_alpha_dropout_", "feature_dropout", "feature_dropout_", "gru", "gru_cell",
    "hinge_embedding_loss", "kl_div", "lstm", "lstm_cell", "margin_ranking_loss",
    "poisson_nll_loss", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell", "sym_float",
    "sym_int", "sym_ite", "sym_max", "sym_min", "sym_not", "sym_sqrt", "sym_sum",
    "triplet_margin_loss",
]  # fmt: skip


def _F():
    """``nn.functional``, which stands above this file and is imported when first used."""
    return import_module("tensorgrad.nn.functional")


# --- losses -----------------------------------------------------------------------------

_REDUCTIONS = ("none", "mean", "sum")


def _reduction(name, number):
    """PyTorch's number for a reduction as its name.

    Raises:
        TypeError: no integer.
        ValueError: not 0, 1 or 2, which PyTorch reads as 0.
    """
    if not isinstance(number, int):
        raise TypeError(
            f"{name}(): argument 'reduction' must be int, not {type(number).__name__}; 0 is none, "
            "1 mean, 2 sum"
        )
    if number not in (0, 1, 2):
        raise ValueError(f"{name}(): reduction is 0 (none), 1 (mean) or 2 (sum), got {number}")
    return _REDUCTIONS[number]


def kl_div(input, target, reduction=1, *, log_target=False):
    """``target * (log(target) - input)``; see ``nn.functional.kl_div``.

    ``reduction`` is 0 for none, 1 for the mean over all elements, 2 for the sum.
    """
    reduction = _reduction("kl_div", reduction)
    loss = _F().kl_div(input, target, reduction="none", log_target=log_target)
    return _F().loss.reduced(loss, reduction)


def ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank=0, reduction=1, zero_infinity=False
):
    """See ``nn.functional.ctc_loss``; ``reduction`` as for :func:`kl_div`."""
    reduction = _reduction("ctc_loss", reduction)
    return _F().ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity
    )


def binary_cross_entropy_with_logits(input, target, weight=None, pos_weight=None, reduction=1):
    """See the same in ``nn.functional``; ``reduction`` as for :func:`kl_div`."""
    reduction = _reduction("binary_cross_entropy_with_logits", reduction)
    return _F().binary_cross_entropy_with_logits(
        input, target, weight, reduction=reduction, pos_weight=pos_weight
    )


def cosine_embedding_loss(input1, input2, target, margin=0.0, reduction=1):
    """See the same in ``nn.functional``; ``reduction`` as for :func:`kl_div`."""
    reduction = _reduction("cosine_embedding_loss", reduction)
    return _F().cosine_embedding_loss(input1, input2, target, margin, reduction=reduction)


def hinge_embedding_loss(input, target, margin=1.0, reduction=1):
    """See the same in ``nn.functional``; ``reduction`` as for :func:`kl_div`."""
    reduction = _reduction("hinge_embedding_loss", reduction)
    return _F().hinge_embedding_loss(input, target, margin, reduction=reduction)


def margin_ranking_loss(input1, input2, target, margin=0.0, reduction=1):
    """See the same in ``nn.functional``; ``reduction`` as for :func:`kl_div`."""
    reduction = _reduction("margin_ranking_loss", reduction)
    return _F().margin_ranking_loss(input1, input2, target, margin, reduction=reduction)


def poisson_nll_loss(input, target, log_input, full, eps, reduction):
    """See the same in ``nn.functional``; ``reduction`` as for :func:`kl_div`."""
    reduction = _reduction("poisson_nll_loss", reduction)
    return _F().poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=reduction)


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, reduction=1
):
    """See the same in ``nn.functional``; ``reduction`` as for :func:`kl_div`."""
    reduction = _reduction("triplet_margin_loss", reduction)
    return _F().triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=reduction
    )


# --- dropout ----------------------------------------------------------------------------


def dropout_(input, p, train):
    """``nn.functional.dropout`` in place."""
    return _F().dropout(input, p, train, True)


def alpha_dropout_(input, p, train):
    """``nn.functional.alpha_dropout`` in place."""
    return _F().alpha_dropout(input, p, train, True)


def feature_alpha_dropout_(input, p, train):
    """``nn.functional.feature_alpha_dropout`` in place."""
    return _F().feature_alpha_dropout(input, p, train, True)


def feature_dropout(input, p, train):
    """Zero whole channels of (N, C, ...) with probability ``p`` in training, scale the others.

    Raises:
        RuntimeError: ``p`` lies outside [0, 1], or the input has less than 2 dimensions.
    """
    return _feature_dropout(input, p, train, False)


def feature_dropout_(input, p, train):
    """:func:`feature_dropout` in place."""
    return _feature_dropout(input, p, train, True)


def _feature_dropout(input, p, train, inplace):
    if not 0.0 <= p <= 1.0:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")
    drop = import_module("tensorgrad.nn.functional.dropouts")
    return drop._drop_channels(input, p, train, inplace, unbatched=False)


# --- shapes -----------------------------------------------------------------------------


def constant_pad_nd(input, pad, value=0):
    """``nn.functional.pad`` with a constant.

    Raises:
        RuntimeError: an odd number of sizes, or too many or too negative ones.
    """
    if len(pad) % 2:
        raise RuntimeError(f"Length of pad must be even but instead it equals {len(pad)}")
    return _F().pad(input, tuple(pad), "constant", value)


def empty_permuted(
    size, physical_layout, *, dtype=None, layout=None, device=None, requires_grad=False,
    pin_memory=False,
):  # fmt: skip
    """An uninitialised dense tensor whose dimensions lie in memory as ``physical_layout`` says.

    Args:
        size: the shape.
        physical_layout: the dimensions from the one with the longest steps to the shortest.
        dtype: the default float by default.
        layout: strided, the only one.
        device: the CPU.
        requires_grad: whether to record operations on it.
        pin_memory: no effect.

    Raises:
        RuntimeError: ``physical_layout`` is no permutation of the dimensions.

    >>> import tensorgrad as torch
    >>> torch.empty_permuted((2, 3), (1, 0)).stride()
    (1, 2)
    """
    size, order = creation.size_of((size,)), tuple(map(operator.index, physical_layout))
    if sorted(order) != list(range(len(size))):
        raise RuntimeError(
            f"empty_permuted: physical_layout must name each of the {len(size)} dimensions of "
            f"size {size} once, got {order}"
        )
    memory = np.empty([size[d] for d in order], dtypes.to_numpy(dtype))
    return creation.finish(memory.transpose(np.argsort(order)), requires_grad, device)


# --- embeddings -------------------------------------------------------------------------


def embedding_bag(
    weight, indices, offsets, scale_grad_by_freq=False, mode=0, sparse=False,
    per_sample_weights=None, include_last_offset=False, padding_idx=None,
):  # fmt: skip
    """``nn.functional.embedding_bag`` and what its backward reads in PyTorch.

    Args:
        weight: the table (rows, features).
        indices: the rows, 1-d.
        offsets: where each bag begins.
        scale_grad_by_freq: divide a row's gradient by how often it is looked up.
        mode: 0 for sums, 1 for means, 2 for maxima.
        sparse: no effect.
        per_sample_weights: factors of the rows, for sums.
        include_last_offset: the last of ``offsets`` is where the last bag ends.
        padding_idx: a row that counts for nothing.

    Returns:
        The bags; the bag of each index; elements of each bag; and, for maxima, the rows that they
        come from. The three are empty or 0 where PyTorch's do not need them.

    Raises:
        ValueError: an unknown ``mode``.
        RuntimeError: as ``nn.functional.embedding_bag``.
    """
    if mode not in (0, 1, 2):
        raise ValueError(f"embedding_bag: mode is 0 (sum), 1 (mean) or 2 (max), got {mode!r}")
    out = _F().embedding_bag(
        indices, weight, offsets, scale_grad_by_freq=scale_grad_by_freq,
        mode=("sum", "mean", "max")[mode], sparse=sparse, per_sample_weights=per_sample_weights,
        include_last_offset=include_last_offset, padding_idx=padding_idx,
    )  # fmt: skip
    index, starts = indices._array, offsets._array
    if mode == 0:
        sizes = np.zeros(len(starts), index.dtype)
        unneeded = padding_idx is None and weight._array.dtype != np.float64
        bags = np.zeros(0, index.dtype) if unneeded else _bag_of(index, starts)
        return out, wrap(bags), wrap(sizes), wrap(sizes.copy())
    bags = _bag_of(index, starts)
    kept = np.ones(len(index), bool)
    if padding_idx is not None:
        kept = index != padding_idx % len(weight._array)
    count = len(out._array)
    sizes = np.bincount(bags[kept], minlength=count)[:count].astype(index.dtype)
    if mode == 1:
        return out, wrap(bags), wrap(sizes), wrap(sizes.copy())
    rows = np.zeros(out._array.shape, index.dtype)
    for bag in np.flatnonzero(sizes):
        mine = index[kept & (bags == bag)]
        rows[bag] = mine[weight._array[mine].argmax(0)]
    return out, wrap(bags), wrap(sizes), wrap(rows)


def _bag_of(index, starts):
    return (np.searchsorted(starts, np.arange(len(index)), side="right") - 1).astype(index.dtype)


# --- recurrent networks -----------------------------------------------------------------


class _Weights:
    """What ``RNNBase._layers`` asks of a module, from lists."""

    def __init__(self, mode, params, each, has_biases, num_layers, dropout, train, bidirectional):
        self.mode, self.num_layers, self.bidirectional = mode, num_layers, bidirectional
        self.dropout, self.training = dropout, train
        self._params, self._each, self._biases = list(params), each, has_biases

    def _weights(self, k):
        w_ih, w_hh, *rest = self._params[k * self._each : (k + 1) * self._each]
        biases = rest[:2] if self._biases else [None, None]
        projection = rest[-1] if len(rest) % 2 else None
        return (w_ih, w_hh, *biases, *[projection] * (self.mode == "LSTM"))


def _network(
    mode, input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first
):
    """All layers over a batch of sequences, or over packed ones: then each argument is one on."""
    rnn = import_module("tensorgrad.nn.modules.rnn")
    packed = isinstance(hx, Tensor) and (mode == "LSTM" or isinstance(params, Tensor))
    if packed:
        batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional = (
            hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first,
        )  # fmt: skip
    states = tuple(hx) if mode == "LSTM" else (hx,)
    projected = mode == "LSTM" and states[0].size(-1) != states[1].size(-1)
    each = 2 + 2 * bool(has_biases) + projected
    wanted = each * num_layers * (1 + bool(bidirectional))
    name = mode.lower()
    if len(params) != wanted:
        raise RuntimeError(
            f"{name}: expected {wanted} weights, {each} for each layer and direction, got "
            f"{len(params)}"
        )
    if input.dim() != 3 - packed:
        raise errors.ShapeError(
            f"{name}: expected an input of {3 - packed} dimensions, got {tuple(input.shape)}"
        )
    if input.size(-1) != params[0].size(1):
        raise errors.ShapeError(
            f"{name}: the input has {input.size(-1)} features, and the weights take "
            f"{params[0].size(1)}"
        )
    net = _Weights(mode, params, each, has_biases, num_layers, dropout, train, bidirectional)
    hx = states if mode == "LSTM" else hx
    if packed:
        rows, last = rnn.RNNBase._layers(net, input, tuple(batch_sizes.tolist()), hx)
    else:
        steps = input.transpose(0, 1) if batch_first else input
        time, batch, features = steps.shape
        flat = steps.reshape(time * batch, features)
        rows, last = rnn.RNNBase._layers(net, flat, (batch,) * time, hx)
        rows = rows.reshape(time, batch, rows.size(1))
        rows = rows.transpose(0, 1) if batch_first else rows
    return (rows, *last) if mode == "LSTM" else (rows, last)


def lstm(
    input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first
):
    """What ``nn.LSTM`` computes, from a list of weights.

    Args:
        input: (time, batch, features). For packed sequences the arguments are instead the rows,
            the batch sizes, ``hx``, ``params`` and so on up to ``bidirectional``.
        hx: the first states (h, c), each (directions * layers, batch, hidden).
        params: w_ih, w_hh, and b_ih, b_hh and w_hr where there are such, of each layer and
            direction.
        has_biases: whether there are biases among them.
        num_layers: layers.
        dropout: probability of zeroing an element between layers.
        train: whether to do so.
        bidirectional: whether there is a second direction.
        batch_first: whether input and output are (batch, time, features).

    Returns:
        The output, the last h, the last c.

    Raises:
        RuntimeError: the number of weights or a shape does not fit.
    """
    return _network(
        "LSTM", input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
        batch_first,
    )  # fmt: skip


def gru(
    input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first
):
    """What ``nn.GRU`` computes, (output, last state); see :func:`lstm`."""
    return _network(
        "GRU", input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
        batch_first,
    )  # fmt: skip


def rnn_tanh(
    input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first
):
    """What ``nn.RNN`` computes, (output, last state); see :func:`lstm`."""
    return _network(
        "RNN_TANH", input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
        batch_first,
    )  # fmt: skip


def rnn_relu(
    input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first
):
    """What ``nn.RNN`` computes with the rectifier, (output, last state); see :func:`lstm`."""
    return _network(
        "RNN_RELU", input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
        batch_first,
    )  # fmt: skip


def _cell(mode, input, states, w_ih, w_hh, b_ih, b_hh):
    """One step of a batch: the new states."""
    name = f"{mode.lower()}_cell"
    for what, t in (("input", input), ("hx", states[0])):
        if t.dim() != 2:
            raise IndexError(f"{name}: expected a 2-d {what}, got shape {tuple(t.shape)}")
    if input.size(1) != w_ih.size(1) or states[0].size(1) != w_hh.size(1):
        raise errors.ShapeError(
            f"{name}: weights of shapes {tuple(w_ih.shape)} and {tuple(w_hh.shape)} do not fit "
            f"input {tuple(input.shape)} and state {tuple(states[0].shape)}"
        )
    if input.size(0) != states[0].size(0):
        raise errors.ShapeError(
            f"{name}: input has batch size {input.size(0)}, and the state {states[0].size(0)}"
        )
    rnn = import_module("tensorgrad.nn.modules.rnn")
    weights = [w_ih, w_hh, b_ih, b_hh] + [None] * (mode == "LSTM")
    return rnn._apply(mode, input, states, weights, (input.size(0),))[1:]


def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of an LSTM: the new (h, c) of the batch ``input`` and the states ``hx``.

    Raises:
        RuntimeError: the shapes do not fit.
        IndexError: the input or the state is not 2-d.
    """
    return tuple(_cell("LSTM", input, list(hx), w_ih, w_hh, b_ih, b_hh))


def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of a GRU; see :func:`lstm_cell`."""
    return _cell("GRU", input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of an Elman network; see :func:`lstm_cell`."""
    return _cell("RNN_TANH", input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """One step of an Elman network with the rectifier; see :func:`lstm_cell`."""
    return _cell("RNN_RELU", input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


# --- numbers ----------------------------------------------------------------------------
# PyTorch's compiler has numbers that are not yet known; here all are plain.


def sym_int(a):
    """``int(a)``."""
    return int(a)


def sym_float(a):
    """``float(a)``."""
    return float(a)


def sym_max(a, b):
    """The greater of two numbers, a float where either is."""
    return float(max(a, b)) if isinstance(a, float) or isinstance(b, float) else max(a, b)


def sym_min(a, b):
    """The lesser of two numbers, a float where either is."""
    return float(min(a, b)) if isinstance(a, float) or isinstance(b, float) else min(a, b)


def sym_not(a):
    """``not a``."""
    return not a


def sym_sum(args):
    """The sum of the numbers."""
    return sum(args)


def sym_sqrt(a):
    """The square root of a number."""
    return math.sqrt(a)


def sym_ite(b, t, f):
    """``t`` if ``b`` else ``f``."""
    return t if b else f
