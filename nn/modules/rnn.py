"""RNN, LSTM and GRU over whole sequences, and the cells that make one step of them.

Each direction of each layer is one op, see :mod:`tensorgrad.ops.recurrent`.
"""

from __future__ import annotations

import math
import warnings
from numbers import Number

import tensorgrad as tg
from tensorgrad import errors
from tensorgrad.nn import functional as F
from tensorgrad.nn import init
from tensorgrad.nn.modules.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.nn.utils.rnn import PackedSequence
from tensorgrad.ops import recurrent

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_OPS = {
    "LSTM": (recurrent.lstm_layer.op, {}),
    "GRU": (recurrent.gru_layer.op, {}),
    "RNN_TANH": (recurrent.rnn_layer.op, {"relu": False}),
    "RNN_RELU": (recurrent.rnn_layer.op, {"relu": True}),
}


def _apply(mode, rows, states, weights, sizes, reverse=False):
    """Run the op of ``mode``; the rows of the output, and the last states."""
    op, attrs = _OPS[mode]
    half = rows.dtype is tg.float16
    inputs = (rows, *states, *weights)
    if half:  # as for every product, sums are kept in float32
        inputs = [None if t is None else t.float() for t in inputs]
    flat = op.apply(tuple(inputs), {"sizes": sizes, "reverse": reverse, **attrs})
    parts, start = [], 0
    shapes = [(rows.shape[0], states[0].shape[1]), *(tuple(state.shape) for state in states)]
    for n, m in shapes:
        parts.append(flat[start : start + n * m].reshape(n, m))
        start += n * m
    return [part.half() for part in parts] if half else parts


def _draw(module):
    bound = 1.0 / math.sqrt(module.hidden_size) if module.hidden_size > 0 else 0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


def _check_arguments(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size):
    """Refuse what the constructors of PyTorch refuse, with the same errors."""
    if not isinstance(dropout, Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise ValueError(
            f"dropout should be a number in range [0, 1], the probability of an element being "
            f"zeroed, got {dropout!r}"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            f"dropout={dropout} has no effect with num_layers=1: it is applied between layers, "
            "after all but the last",
            stacklevel=4,
        )
    flags = {"bias": bias, "batch_first": batch_first}
    sizes = {"input_size": input_size, "hidden_size": hidden_size}
    for values, kind in ((flags, bool), (sizes, int)):
        for name, value in values.items():
            if not isinstance(value, kind):
                raise TypeError(
                    f"{name} should be of type {kind.__name__}, got: {type(value).__name__}"
                )
    for name, value in {**sizes, "num_layers": num_layers}.items():
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero, got {value}")
    if proj_size < 0:
        raise ValueError(
            f"proj_size should be a positive integer, or zero for no projection, got {proj_size}"
        )
    if proj_size >= hidden_size:
        raise ValueError(
            f"proj_size has to be smaller than hidden_size, got {proj_size} and {hidden_size}"
        )


class RNNBase(Module):
    """What :class:`RNN`, :class:`LSTM` and :class:`GRU` share; it has no ``forward`` of its own.

    Args:
        mode: ``"RNN_TANH"``, ``"RNN_RELU"``, ``"LSTM"`` or ``"GRU"``.
        input_size: features of each step of the input.
        hidden_size: features of the hidden state.
        num_layers: layers stacked on each other, each with the output of the last as input.
        bias: whether there are biases.
        batch_first: whether sequences are (batch, time, features), not (time, batch, features).
        dropout: probability of zeroing an element of the output of each layer but the last.
        bidirectional: whether a second set of weights reads each sequence backwards.
        proj_size: for an LSTM, features that the hidden state is projected to; 0 for none.
        device: the CPU.
        dtype: of the parameters; the default float.

    Initial values are uniform on ±1/sqrt(hidden_size), drawn as PyTorch draws them.

    Raises:
        ValueError: a size is not positive, ``dropout`` is outside [0, 1], ``proj_size`` is not
            below ``hidden_size``, or ``mode`` is unknown.
        TypeError: a size is no int, or a flag no bool.
    """

    def __init__(
        self, mode, input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
        dropout=0.0, bidirectional=False, proj_size=0, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        _check_arguments(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size
        )
        if mode not in _GATES:
            raise ValueError(f"Unrecognized RNN mode: {mode}; there are {', '.join(_GATES)}")
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional = float(dropout), bidirectional
        self.proj_size = proj_size

        rows, hidden = _GATES[mode] * hidden_size, proj_size or hidden_size
        self._all_weights = []  # the names of the parameters of each layer and direction
        for layer in range(num_layers):
            columns = hidden * (1 + bool(bidirectional)) if layer else input_size
            shapes = {"weight_ih": (rows, columns), "weight_hh": (rows, hidden)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for suffix in ("", "_reverse") if bidirectional else ("",):
                names = {f"{name}_l{layer}{suffix}": shape for name, shape in shapes.items()}
                for name, shape in names.items():
                    setattr(self, name, Parameter(tg.empty(shape, device=device, dtype=dtype)))
                self._all_weights.append(list(names))
        self.reset_parameters()

    @property
    def all_weights(self):
        """The parameters of each layer and direction, a list of lists."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self):
        """No effect: it is for the memory of a GPU."""

    def reset_parameters(self):
        """Draw the initial values anew."""
        _draw(self)

    def extra_repr(self):
        """Sizes, and the options that are not at their defaults."""
        words = [str(self.input_size), str(self.hidden_size)]
        defaults = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False,
                    "dropout": 0, "bidirectional": False}  # fmt: skip
        words += [f"{k}={getattr(self, k)}" for k, v in defaults.items() if getattr(self, k) != v]
        return ", ".join(words)

    # --- checks -------------------------------------------------------------------------

    def check_input(self, input, batch_sizes):
        """Demand the dtype of the weights, 3 dimensions (packed: 2), and ``input_size`` features.

        Raises:
            ValueError: the dtype differs.
            RuntimeError: the dimensions or the features do.
        """
        weight = getattr(self, self._all_weights[0][0])
        if input.dtype != weight.dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}); "
                f"convert the input, input.to({weight.dtype}), or the model, "
                f"model.to({input.dtype})"
            )
        dims = 3 if batch_sizes is None else 2
        if input.dim() != dims:
            raise errors.ShapeError(
                f"input must have {dims} dimensions, got {input.dim()}, shape {tuple(input.shape)}"
            )
        if input.size(-1) != self.input_size:
            raise errors.ShapeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got "
                f"{input.size(-1)}, shape {tuple(input.shape)}"
            )

    def _state_size(self, input, batch_sizes, features):
        batch = input.size(0 if self.batch_first else 1) if batch_sizes is None else batch_sizes[0]
        return len(self._all_weights), int(batch), features

    def get_expected_hidden_size(self, input, batch_sizes):
        """The shape of the hidden state for this input."""
        return self._state_size(input, batch_sizes, self.proj_size or self.hidden_size)

    def check_hidden_size(self, hx, expected_hidden_size, msg="Expected hidden size {}, got {}"):
        """Demand a shape of the hidden state.

        Raises:
            RuntimeError: it differs.
        """
        if tuple(hx.shape) != tuple(expected_hidden_size):
            raise errors.ShapeError(msg.format(tuple(expected_hidden_size), list(hx.shape)))

    def check_forward_args(self, input, hidden, batch_sizes):
        """:meth:`check_input`, and the shape of the hidden state."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx, permutation):
        """``hx`` with its batch in the order of ``permutation``, if there is one."""
        return hx if permutation is None else hx.index_select(1, permutation)

    # --- computation --------------------------------------------------------------------

    def _forward(self, input, hx):
        """(output, states) for a tensor; ``hx`` is None or a tensor, for an LSTM a pair."""
        if input.dim() not in (2, 3):
            raise ValueError(
                f"{self._get_name()}: Expected input to be 2D or 3D, got {input.dim()}D instead"
            )
        batched = input.dim() == 3
        self._check_dims(hx, 3 if batched else 2)
        if not batched:
            input = input.unsqueeze(0 if self.batch_first else 1)
            hx = self._map(lambda state: state.unsqueeze(1), hx)
        hx = self._initial(input, None) if hx is None else hx
        self.check_forward_args(input, hx, None)
        if self.batch_first:
            input = input.transpose(0, 1)
        time, batch, features = input.shape
        if time == 0:
            raise errors.ShapeError(
                f"Expected sequence length to be larger than 0 in RNN, got input of shape "
                f"{tuple(input.shape)} (time, batch, features)"
            )
        rows, hx = self._layers(input.reshape(time * batch, features), (batch,) * time, hx)
        output = rows.reshape(time, batch, rows.shape[1])
        if not batched:
            return output.squeeze(1), self._map(lambda state: state.squeeze(1), hx)
        return output.transpose(0, 1) if self.batch_first else output, hx

    def _forward_packed(self, input, hx):
        """The same for a packed sequence, whose rows are what the op takes."""
        rows, batch_sizes, order, back = input
        hx = self._initial(rows, batch_sizes) if hx is None else self.permute_hidden(hx, order)
        self.check_forward_args(rows, hx, batch_sizes)
        rows, hx = self._layers(rows, tuple(batch_sizes.tolist()), hx)
        return PackedSequence(rows, batch_sizes, order, back), self.permute_hidden(hx, back)

    def _run(self, input, hx):
        packed = isinstance(input, PackedSequence)
        return self._forward_packed(input, hx) if packed else self._forward(input, hx)

    def _layers(self, rows, sizes, hx):
        """The rows of the last layer, and the last states of all layers."""
        states = hx if self.mode == "LSTM" else (hx,)
        directions = 1 + bool(self.bidirectional)
        lasts = []
        for layer in range(self.num_layers):
            outputs = []
            for k in range(layer * directions, (layer + 1) * directions):
                initial = [state[k] for state in states]
                reverse = k % directions == 1
                output, *last = _apply(self.mode, rows, initial, self._weights(k), sizes, reverse)
                outputs.append(output)
                lasts.append(last)
            rows = outputs[0] if directions == 1 else tg.cat(outputs, 1)
            if layer < self.num_layers - 1:
                rows = F.dropout(rows, self.dropout, self.training)
        last = tuple(tg.stack(parts) for parts in zip(*lasts, strict=True))
        return rows, last if self.mode == "LSTM" else last[0]

    def _weights(self, k):
        """The weights of one layer and direction as its op takes them, None for absent ones."""
        w_ih, w_hh, *rest = [getattr(self, name) for name in self._all_weights[k]]
        biases = rest[:2] if self.bias else [None, None]
        projection = rest[-1] if self.proj_size else None
        return (w_ih, w_hh, *biases, *[projection] * (self.mode == "LSTM"))

    # An LSTM has two states and overrides these.

    def _map(self, function, hx):
        return None if hx is None else function(hx)

    def _initial(self, input, batch_sizes):
        size = self.get_expected_hidden_size(input, batch_sizes)
        return tg.zeros(size, dtype=input.dtype)

    def _check_dims(self, hx, dims):
        if hx is not None and hx.dim() != dims:
            kind = "batched" if dims == 3 else "unbatched"
            raise errors.ShapeError(
                f"For {kind} {dims}-D input, hx should also be {dims}-D but got {hx.dim()}-D "
                f"tensor, shape {tuple(hx.shape)}"
            )


def _only_for_lstm(proj_size):
    if proj_size is not None:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNN(RNNBase):
    """Elman network, ``h = f(W_ih x + b_ih + W_hh h + b_hh)``, over whole sequences.

    Args:
        input_size: features of each step of the input.
        hidden_size: features of the hidden state.
        num_layers: layers stacked on each other.
        nonlinearity: f, ``"tanh"`` or ``"relu"``.
        bias: whether there are biases.
        batch_first: whether sequences are (batch, time, features), not (time, batch, features).
        dropout: probability of zeroing an element of the output of each layer but the last.
        bidirectional: whether a second set of weights reads each sequence backwards.
        device: the CPU.
        dtype: of the parameters; the default float.
        proj_size: refused, as it is for an LSTM only.

    Shapes, with D = 2 where bidirectional, else 1:
        input (time, batch, input_size), or (time, input_size) for a single sequence, or a
        :class:`~tensorgrad.nn.utils.rnn.PackedSequence`; hx (D * num_layers, batch, hidden_size),
        zeros if not given -> output (time, batch, D * hidden_size), the last hx.

    Elman, "Finding structure in time", Cognitive Science 14 (1990).

    Raises:
        ValueError: an argument is out of range; or the input is not 2D or 3D, or of another dtype
            than the weights.
        TypeError: an argument is of the wrong type.
        RuntimeError: sizes of the input or of hx do not fit, or the sequence is empty.

    >>> import tensorgrad as torch
    >>> output, last = torch.nn.RNN(3, 4)(torch.zeros(7, 2, 3))
    >>> output.shape, last.shape
    (torch.Size([7, 2, 4]), torch.Size([1, 2, 4]))
    """

    def __init__(
        self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True,
        batch_first=False, dropout=0.0, bidirectional=False, device=None, dtype=None, *,
        proj_size=None,
    ):  # fmt: skip
        _only_for_lstm(proj_size)
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity {nonlinearity!r}. Select from 'tanh' or 'relu'."
            )
        super().__init__(
            f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias, batch_first,
            dropout, bidirectional, device=device, dtype=dtype,
        )  # fmt: skip
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        """The output of every step, and the last hidden state of every layer."""
        return self._run(input, hx)


class GRU(RNNBase):
    """Gated recurrent units over whole sequences.

    ``r, z = sigmoid(W_i x + b_i + W_h h + b_h)``, each with weights of its own,
    ``n = tanh(W_in x + b_in + r (W_hn h + b_hn))``, ``h = (1 - z) n + z h``.

    Args:
        input_size: features of each step of the input.
        hidden_size: features of the hidden state.
        num_layers: layers stacked on each other.
        bias: whether there are biases.
        batch_first: whether sequences are (batch, time, features), not (time, batch, features).
        dropout: probability of zeroing an element of the output of each layer but the last.
        bidirectional: whether a second set of weights reads each sequence backwards.
        device: the CPU.
        dtype: of the parameters; the default float.
        proj_size: refused, as it is for an LSTM only.

    Shapes are those of :class:`RNN`; the weights hold r, z and n, one after another.

    Cho et al., "Learning phrase representations using RNN encoder-decoder" (arXiv:1406.1078);
    there r multiplies h before W_hn does.

    Raises:
        ValueError: an argument is out of range; or the input is not 2D or 3D, or of another dtype
            than the weights.
        TypeError: an argument is of the wrong type.
        RuntimeError: sizes of the input or of hx do not fit, or the sequence is empty.

    >>> import tensorgrad as torch
    >>> output, last = torch.nn.GRU(3, 4, bidirectional=True)(torch.zeros(7, 2, 3))
    >>> output.shape, last.shape
    (torch.Size([7, 2, 8]), torch.Size([2, 2, 4]))
    """

    def __init__(
        self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
        bidirectional=False, device=None, dtype=None, *, proj_size=None,
    ):  # fmt: skip
        _only_for_lstm(proj_size)
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            device=device, dtype=dtype,
        )  # fmt: skip

    def forward(self, input, hx=None):
        """The output of every step, and the last hidden state of every layer."""
        return self._run(input, hx)


class LSTM(RNNBase):
    """Long short-term memory over whole sequences.

    ``i, f, o = sigmoid(W_i x + b_i + W_h h + b_h)`` and ``g = tanh(...)``, each with weights of
    its own, ``c = f c + i g``, ``h = o tanh(c)``, and with ``proj_size`` ``h = W_hr h``.

    Args:
        input_size: features of each step of the input.
        hidden_size: features of the cell state, and of the hidden state unless projected.
        num_layers: layers stacked on each other.
        bias: whether there are biases.
        batch_first: whether sequences are (batch, time, features), not (time, batch, features).
        dropout: probability of zeroing an element of the output of each layer but the last.
        bidirectional: whether a second set of weights reads each sequence backwards.
        proj_size: features that the hidden state is projected to; 0 for none.
        device: the CPU.
        dtype: of the parameters; the default float.

    Shapes, with D = 2 where bidirectional, else 1, and H = proj_size or hidden_size:
        input (time, batch, input_size), or (time, input_size) for a single sequence, or a
        :class:`~tensorgrad.nn.utils.rnn.PackedSequence`; hx the pair h (D * num_layers, batch, H)
        and c (D * num_layers, batch, hidden_size), zeros if not given -> output
        (time, batch, D * H), the last (h, c). The weights hold i, f, g and o, one after another.

    Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9 (1997); the
    projection: Sak et al., arXiv:1402.1128.

    Raises:
        ValueError: an argument is out of range; or the input is not 2D or 3D, or of another dtype
            than the weights.
        TypeError: an argument is of the wrong type.
        RuntimeError: sizes of the input or of hx do not fit, or the sequence is empty.

    >>> import tensorgrad as torch
    >>> lstm = torch.nn.LSTM(3, 4, batch_first=True)
    >>> output, (h, c) = lstm(torch.zeros(2, 7, 3))
    >>> output.shape, h.shape, c.shape
    (torch.Size([2, 7, 4]), torch.Size([1, 2, 4]), torch.Size([1, 2, 4]))
    """

    def __init__(
        self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
        bidirectional=False, proj_size=0, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, proj_size, device, dtype,
        )  # fmt: skip

    def forward(self, input, hx=None):
        """The output of every step, and the last (h, c) of every layer."""
        return self._run(input, hx)

    def get_expected_cell_size(self, input, batch_sizes):
        """The shape of the cell state for this input."""
        return self._state_size(input, batch_sizes, self.hidden_size)

    def check_forward_args(self, input, hidden, batch_sizes):
        """:meth:`check_input`, and the shapes of both states."""
        if batch_sizes is None:  # PyTorch leaves a packed input to the product
            self.check_input(input, batch_sizes)
        sizes = (self.get_expected_hidden_size(input, batch_sizes),
                 self.get_expected_cell_size(input, batch_sizes))  # fmt: skip
        for k, (state, size) in enumerate(zip(hidden, sizes, strict=True)):
            self.check_hidden_size(state, size, f"Expected hidden[{k}] size {{}}, got {{}}")

    def permute_hidden(self, hx, permutation):
        """Both states with their batch in the order of ``permutation``, if there is one."""
        if permutation is None:
            return hx
        return tuple(state.index_select(1, permutation) for state in hx)

    def _map(self, function, hx):
        return None if hx is None else tuple(function(state) for state in hx)

    def _initial(self, input, batch_sizes):
        sizes = (self.get_expected_hidden_size(input, batch_sizes),
                 self.get_expected_cell_size(input, batch_sizes))  # fmt: skip
        return tuple(tg.zeros(size, dtype=input.dtype) for size in sizes)

    def _check_dims(self, hx, dims):
        if hx is None:
            return
        if not isinstance(hx, tuple | list) or len(hx) != 2:
            raise TypeError(
                f"LSTM: hx must be a pair of tensors (h_0, c_0), got {errors.describe(hx)}"
            )
        if any(state.dim() != dims for state in hx):
            kind = "batched" if dims == 3 else "unbatched"
            raise errors.ShapeError(
                f"For {kind} {dims}-D input, hx and cx should also be {dims}-D but got "
                f"({hx[0].dim()}-D, {hx[1].dim()}-D) tensors"
            )


# --- cells ------------------------------------------------------------------------------


class RNNCellBase(Module):
    """What :class:`RNNCell`, :class:`LSTMCell` and :class:`GRUCell` share.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        bias: whether there are biases.
        num_chunks: rows of the weights for each feature of the hidden state.
        device: the CPU.
        dtype: of the parameters; the default float.
    """

    def __init__(self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        shapes = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size),
                  "bias_ih": (rows,), "bias_hh": (rows,)}  # fmt: skip
        for name, shape in shapes.items():
            if bias or name.startswith("weight"):
                setattr(self, name, Parameter(tg.empty(shape, device=device, dtype=dtype)))
            else:
                self.register_parameter(name, None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the initial values anew."""
        _draw(self)

    def extra_repr(self):
        """Sizes, and the options that are not at their defaults."""
        words = [str(self.input_size), str(self.hidden_size)]
        if self.bias is not True:
            words.append(f"bias={self.bias}")
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            words.append(f"nonlinearity={self.nonlinearity}")
        return ", ".join(words)

    def _step(self, mode, input, states, projection=()):
        """The new states; ``states`` is None for zeros, or one or two tensors."""
        self._check_dims(input, states)
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
        if states is None:
            zeros = tg.zeros(input.size(0), self.hidden_size, dtype=input.dtype)
            states = (zeros, zeros)[: 2 if mode == "LSTM" else 1]
        elif not batched:
            states = [state.unsqueeze(0) for state in states]
        self._check_sizes(input, states)
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, *projection)
        _, *new = _apply(mode, input, states, weights, (input.size(0),))
        return new if batched else [state.squeeze(0) for state in new]

    def _check_dims(self, input, states):
        name = self._get_name()
        what = [("input", input)]
        what += [("hidden" if len(states) == 1 else f"hx[{k}]", v)
                 for k, v in enumerate(states)] if states else []  # fmt: skip
        for which, value in what:
            if value.dim() not in (1, 2):
                raise ValueError(
                    f"{name}: Expected {which} to be 1D or 2D, got {value.dim()}D instead"
                )

    def _check_sizes(self, input, states):
        if input.size(1) != self.input_size:
            raise errors.ShapeError(
                f"input has inconsistent input_size: got {input.size(1)} expected "
                f"{self.input_size}"
            )
        for k, state in enumerate(states):
            if state.size(0) != input.size(0):
                raise errors.ShapeError(
                    f"Input batch size {input.size(0)} doesn't match hidden{k} batch size "
                    f"{state.size(0)}"
                )
            if state.dim() != 2 or state.size(1) != self.hidden_size:
                raise errors.ShapeError(
                    f"hidden{k} has inconsistent hidden_size: got shape {tuple(state.shape)}, "
                    f"expected {self.hidden_size} features"
                )


class RNNCell(RNNCellBase):
    """One step of an :class:`RNN`, ``h = f(W_ih x + b_ih + W_hh h + b_hh)``.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        bias: whether there are biases.
        nonlinearity: f, ``"tanh"`` or ``"relu"``.
        device: the CPU.
        dtype: of the parameters; the default float.

    Shapes:
        input (batch, input_size) or (input_size), hx (batch, hidden_size) or (hidden_size), zeros
        if not given -> the new hx.

    Raises:
        ValueError: input or hx is neither 1D nor 2D.
        RuntimeError: sizes or dtypes do not fit, or ``nonlinearity`` is unknown.

    >>> import tensorgrad as torch
    >>> torch.nn.RNNCell(3, 4)(torch.zeros(2, 3)).shape
    torch.Size([2, 4])
    """

    def __init__(
        self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None
    ):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        """The next hidden state."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(
                f"Unknown nonlinearity: {self.nonlinearity}; expected 'tanh' or 'relu'"
            )
        mode = f"RNN_{self.nonlinearity.upper()}"
        return self._step(mode, input, None if hx is None else (hx,))[0]


class LSTMCell(RNNCellBase):
    """One step of an :class:`LSTM`.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden and of the cell state.
        bias: whether there are biases.
        device: the CPU.
        dtype: of the parameters; the default float.

    Shapes:
        input (batch, input_size) or (input_size), hx the pair (h, c), each (batch, hidden_size)
        or (hidden_size), zeros if not given -> the new (h, c).

    Raises:
        ValueError: input, h or c is neither 1D nor 2D.
        RuntimeError: sizes or dtypes do not fit.

    >>> import tensorgrad as torch
    >>> h, c = torch.nn.LSTMCell(3, 4)(torch.zeros(2, 3))
    >>> h.shape, c.shape
    (torch.Size([2, 4]), torch.Size([2, 4]))
    """

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input, hx=None):
        """The next (h, c)."""
        return tuple(self._step("LSTM", input, hx, projection=(None,)))


class GRUCell(RNNCellBase):
    """One step of a :class:`GRU`.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        bias: whether there are biases.
        device: the CPU.
        dtype: of the parameters; the default float.

    Shapes:
        input (batch, input_size) or (input_size), hx (batch, hidden_size) or (hidden_size), zeros
        if not given -> the new hx.

    Raises:
        ValueError: input or hx is neither 1D nor 2D.
        RuntimeError: sizes or dtypes do not fit.

    >>> import tensorgrad as torch
    >>> torch.nn.GRUCell(3, 4)(torch.zeros(2, 3)).shape
    torch.Size([2, 4])
    """

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input, hx=None):
        """The next hidden state."""
        return self._step("GRU", input, None if hx is None else (hx,))[0]
