"""Recurrent layers, their cells and packed sequences, beside PyTorch."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.utils import rnn as packing

LAYERS = ["RNN", "LSTM", "GRU"]
CELLS = ["RNNCell", "LSTMCell", "GRUCell"]


def numbers(lib, *shape, seed=0):
    """Float64 numbers, the same in both libraries."""
    return lib.tensor(np.random.default_rng(seed).uniform(-1, 1, shape))


def fill(lib, module):
    """Give every parameter the same float64 values in both libraries."""
    module = module.double()
    with lib.no_grad():
        for k, parameter in enumerate(module.parameters()):
            parameter.copy_(numbers(lib, *parameter.shape, seed=100 + k))
    return module


def flat(result):
    """The tensors in a nest of tuples; of a packed sequence, its data."""
    if hasattr(result, "batch_sizes"):
        return [result.data]
    if isinstance(result, tuple | list):
        return [t for part in result for t in flat(part)]
    return [result]


def derivatives(lib, outputs, leaves):
    """Outputs, and first and second derivatives along fixed directions."""
    loss = sum((t * numbers(lib, *t.shape, seed=k)).sum() for k, t in enumerate(outputs))
    plain = lib.autograd.grad(loss, leaves, retain_graph=True)  # by the adjoint
    first = lib.autograd.grad(loss, leaves, create_graph=True)  # by the definition
    more = sum((t * numbers(lib, *t.shape, seed=50 + k)).sum() for k, t in enumerate(first))
    second = lib.autograd.grad(more, leaves, allow_unused=True)
    zeros = [lib.zeros_like(leaf) if g is None else g
             for g, leaf in zip(second, leaves, strict=True)]  # fmt: skip
    return [list(outputs), list(plain), list(first), zeros]


def initial(lib, layer, batch=None):
    """A hidden state (for an LSTM two) that needs a gradient."""
    k = layer.num_layers * (2 if layer.bidirectional else 1)
    middle = () if batch is None else (batch,)
    widths = [layer.proj_size or layer.hidden_size]
    widths += [layer.hidden_size] * (layer.mode == "LSTM")
    states = [numbers(lib, k, *middle, n, seed=7).requires_grad_() for n in widths]
    return tuple(states) if layer.mode == "LSTM" else states[0]


# --- layers -----------------------------------------------------------------------------


@st.composite
def layers(draw):
    name = draw(st.sampled_from(LAYERS))
    sizes = [draw(st.integers(1, 3)), draw(st.integers(1, 3))]
    kwargs = {
        "num_layers": draw(st.integers(1, 2)),
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
    }
    if name == "LSTM" and sizes[1] > 1:
        kwargs["proj_size"] = draw(st.integers(0, sizes[1] - 1))
    if name == "RNN":
        kwargs["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    return name, sizes, kwargs


@given(
    made=layers(), time=st.integers(1, 3), batch=st.sampled_from([None, 1, 2]),
    given_state=st.booleans(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_values_and_derivatives(made, time, batch, given_state):
    name, sizes, kwargs = made

    def program(lib):
        layer = fill(lib, getattr(lib.nn, name)(*sizes, **kwargs))
        shape = (time,) if batch is None else (batch, time) if layer.batch_first else (time, batch)
        x = numbers(lib, *shape, sizes[0]).requires_grad_()
        hx = initial(lib, layer, batch) if given_state else None
        leaves = [x, *layer.parameters(), *(flat(hx) if given_state else [])]
        return derivatives(lib, flat(layer(x, hx)), leaves)

    agree(program, rtol=1e-8)


@pytest.mark.parametrize("name", LAYERS)
def test_only_some_outputs_are_used(name):
    """A gradient through the last state alone, and through one step alone."""

    def program(lib):
        layer = fill(lib, getattr(lib.nn, name)(2, 3, bidirectional=True))
        x = numbers(lib, 4, 2, 2).requires_grad_()
        output, last = layer(x)
        pieces = [*flat(last), output[1]]
        return [lib.autograd.grad(t.sum(), [x, layer.weight_hh_l0], retain_graph=True)
                for t in pieces]  # fmt: skip

    agree(program, rtol=1e-8)


@pytest.mark.parametrize("name", LAYERS)
def test_inputs_that_depend_on_each_other(name):
    """The state and the weights computed from the input: no path may be counted twice."""

    def program(lib):
        layer = fill(lib, getattr(lib.nn, name)(2, 2))
        x = numbers(lib, 3, 2, 2).requires_grad_()
        h = (x[:1] * x[:1]).sin()
        output, _ = layer(x.cos(), (h, h * x[1:2]) if name == "LSTM" else h)
        return derivatives(lib, [output], [x, *layer.parameters()])

    agree(program, rtol=1e-8)


@pytest.mark.parametrize("name", LAYERS)
def test_writing_into_the_output_leaves_the_gradient(name):
    def program(lib):
        layer = fill(lib, getattr(lib.nn, name)(2, 3))
        x = numbers(lib, 3, 2, 2).requires_grad_()
        output, last = layer(x)
        output.mul_(2.0)
        (output.sum() + flat(last)[0].sum()).backward()
        return output, last, x.grad, layer.weight_ih_l0.grad

    agree(program, rtol=1e-8)


@pytest.mark.parametrize("name", LAYERS)
def test_some_inputs_frozen(name):
    def program(lib):
        layer = fill(lib, getattr(lib.nn, name)(2, 3))
        layer.weight_hh_l0.requires_grad_(False)
        layer.bias_ih_l0.requires_grad_(False)
        output, _ = layer(numbers(lib, 3, 2, 2))
        return derivatives(lib, [output], [layer.weight_ih_l0, layer.bias_hh_l0])

    agree(program, rtol=1e-8)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_shapes_and_strides(name, batch):
    def program(lib):
        layer = getattr(lib.nn, name)(2, 3, 2, batch_first=True)
        output, last = layer(lib.zeros(batch, 4, 2))
        return output, flat(last), tuple(output.shape)

    def shapes(lib):
        return [tuple(t.shape) for t in flat(program(lib))[:-1]]

    agree(shapes)


@pytest.mark.parametrize("name", [*LAYERS, *CELLS])
@pytest.mark.parametrize("kwargs", [{}, {"bias": False}])
def test_seeded_parameters_are_pytorchs(name, kwargs):
    def program(lib):
        lib.manual_seed(0)
        more = {} if name in CELLS else {"num_layers": 2, "bidirectional": True}
        return dict(getattr(lib.nn, name)(3, 4, **more, **kwargs).named_parameters())

    agree(program, rtol=0)


def test_seeded_parameters_of_a_projection_are_pytorchs():
    def program(lib):
        lib.manual_seed(0)
        return dict(lib.nn.LSTM(3, 4, 2, proj_size=2, bidirectional=True).named_parameters())

    agree(program, rtol=0)


@pytest.mark.parametrize("name", LAYERS)
def test_state_dict_both_ways(name):
    torch = pytest.importorskip("torch")
    sizes = (3, 4, 2)
    theirs, ours = (getattr(lib.nn, name)(*sizes, bidirectional=True) for lib in (torch, tg))
    x = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)
    ours.load_state_dict({k: tg.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    want = theirs(torch.tensor(x))[0].detach().numpy()
    np.testing.assert_allclose(ours(tg.tensor(x))[0].detach().numpy(), want, rtol=1e-5, atol=1e-6)
    back = getattr(torch.nn, name)(*sizes, bidirectional=True)
    back.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    np.testing.assert_array_equal(back(torch.tensor(x))[0].detach().numpy(), want)


OPTIONS = [
    {}, {"num_layers": 2}, {"bias": False}, {"batch_first": True}, {"bidirectional": True},
    {"num_layers": 3, "dropout": 0.25}, {"num_layers": 2, "bias": False, "batch_first": True},
]  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("kwargs", OPTIONS)
def test_repr(name, kwargs):
    agree(lambda lib: repr(getattr(lib.nn, name)(3, 4, **kwargs)))


def test_repr_of_the_rest():
    agree(lambda lib: repr(lib.nn.LSTM(3, 4, proj_size=2)))
    agree(lambda lib: repr(lib.nn.RNN(3, 4, 1, "relu")))
    for name, bias in itertools.product(CELLS, (True, False)):
        agree(lambda lib, name=name, bias=bias: repr(getattr(lib.nn, name)(3, 4, bias)))
    agree(lambda lib: repr(lib.nn.RNNCell(3, 4, nonlinearity="relu")))
    agree(lambda lib: repr(lib.nn.RNNBase("GRU", 3, 4)))


@pytest.mark.parametrize("name", LAYERS)
def test_all_weights(name):
    def program(lib):
        layer = fill(lib, getattr(lib.nn, name)(2, 3, 2))
        layer.flatten_parameters()
        return layer.all_weights, layer.num_layers, layer.mode

    agree(program)


@pytest.mark.parametrize("name", LAYERS)
def test_positional_arguments(name):
    def program(lib):
        extra = ("relu",) if name == "RNN" else ()
        layer = getattr(lib.nn, name)(2, 3, 2, *extra, False, True, 0.5, True)
        return repr(layer), list(layer.state_dict())

    agree(program)


@pytest.mark.parametrize("name", LAYERS)
def test_copies_compute_the_same(name):
    layer = getattr(nn, name)(2, 3)
    x = tg.ones(4, 1, 2)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert tg.equal(other(x)[0], layer(x)[0])
        assert other.weight_ih_l0 is not layer.weight_ih_l0


@pytest.mark.parametrize("name", LAYERS)
def test_half_precision_sums_in_float32(name):
    layer = getattr(nn, name)(64, 8)
    x = tg.rand(5, 2, 64)
    want = layer(x)[0]
    x16 = x.half().requires_grad_()
    got, last = layer.half()(x16)
    got.sum().backward()
    assert got.dtype is tg.float16 and x16.grad.dtype is tg.float16
    assert flat(last)[0].dtype is tg.float16
    np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), atol=5e-3)


def test_saturated_gates():
    """Numbers far outside the range of exp."""

    def program(lib):
        layer = fill(lib, lib.nn.LSTM(1, 2))
        x = lib.tensor([[[1e4]], [[-1e4]], [[3e38]]], dtype=lib.float64, requires_grad=True)
        output, _ = layer(x)
        output.sum().backward()
        return output, x.grad, layer.weight_hh_l0.grad

    agree(program)


# --- dropout ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_dropout_between_layers(name):
    """All or nothing: with p=1 the second layer sees zeros; evaluation has no dropout."""

    def program(lib):
        layer = fill(lib, getattr(lib.nn, name)(2, 3, 2, dropout=1.0))
        x = numbers(lib, 4, 2, 2)
        return layer(x), layer.eval()(x)

    agree(program, rtol=1e-8)


def test_dropout_zeroes_the_share_it_says():
    layer = nn.RNN(1, 400, 2, nonlinearity="relu", dropout=0.25)
    with tg.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0.fill_(1.0)
        layer.weight_ih_l1.copy_(tg.eye(400))
    out, _ = layer(tg.zeros(1, 50, 1))
    values, counts = np.unique(out.detach().numpy(), return_counts=True)
    np.testing.assert_allclose(values, [0, 4 / 3], rtol=1e-6)
    assert abs(counts[0] / counts.sum() - 0.25) < 0.02


def test_dropout_of_a_single_layer_warns():
    for lib in (tg, pytest.importorskip("torch")):
        with pytest.warns(UserWarning, match="dropout"):
            lib.nn.LSTM(2, 3, dropout=0.5)


# --- cells ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (0,)])
@pytest.mark.parametrize("given_state", [True, False])
def test_cells(name, bias, shape, given_state):
    def program(lib):
        cell = fill(lib, getattr(lib.nn, name)(2, 3, bias))
        x = numbers(lib, *shape, 2).requires_grad_()
        h, c = (numbers(lib, *shape, 3, seed=k).requires_grad_() for k in (5, 6))
        hx = None if not given_state else (h, c) if name == "LSTMCell" else h
        out = cell(x, hx)
        leaves = [x, *cell.parameters(), *(flat(hx) if given_state else [])]
        return isinstance(out, tuple), derivatives(lib, flat(out), leaves)

    agree(program, rtol=1e-8)


def test_relu_cell_and_a_loop_of_cells():
    def program(lib):
        cell = fill(lib, lib.nn.RNNCell(2, 3, nonlinearity="relu"))
        x, h = numbers(lib, 4, 2, 2).requires_grad_(), None
        for step in x:
            h = cell(step, h)
        return derivatives(lib, [h], [x, *cell.parameters()])

    agree(program, rtol=1e-8)


# --- what is refused --------------------------------------------------------------------

BAD_CONSTRUCTIONS = [
    ("LSTM", (3, 4), {"proj_size": 4}), ("LSTM", (3, 4), {"proj_size": -1}),
    ("RNN", (3, 4), {"proj_size": 0}), ("GRU", (3, 4), {"proj_size": 2}),
    ("RNN", (3, 4, 1, "sigmoid"), {}), ("LSTM", (3.0, 4), {}), ("LSTM", (3, "4"), {}),
    ("GRU", (0, 4), {}), ("GRU", (3, -1), {}), ("GRU", (3, 4, 0), {}), ("RNN", (), {}),
    ("LSTM", (3, 4), {"num_layers": 2, "dropout": 1.5}), ("LSTM", (3, 4), {"dropout": True}),
    ("LSTM", (3, 4), {"dropout": "x"}), ("LSTM", (3, 4), {"bias": 1}), ("LSTM", (3,), {}),
    ("LSTM", (3, 4), {"batch_first": 0}), ("RNNBase", ("ELMAN", 3, 4), {}),
    ("LSTM", (3, 4), {"nonlinearity": "tanh"}), ("LSTM", (3, 4), {"num_layers": 2.0}),
    ("RNNCell", (3, -4), {}), ("GRUCell", (3, 4), {"nonlinearity": "tanh"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "kwargs"), BAD_CONSTRUCTIONS)
def test_bad_construction(name, args, kwargs):
    assert agree(lambda lib: getattr(lib.nn, name)(*args, **kwargs)) is not None


def zeros(lib, *shape, dtype="float32"):
    return lib.zeros(*shape, dtype=getattr(lib, dtype))


BAD_CALLS = {
    "a vector": lambda lib: (zeros(lib, 3),),
    "four dimensions": lambda lib: (zeros(lib, 2, 2, 2, 3),),
    "features": lambda lib: (zeros(lib, 5, 2, 4),),
    "features unbatched": lambda lib: (zeros(lib, 5, 4),),
    "no time": lambda lib: (zeros(lib, 0, 2, 3),),
    "float64": lambda lib: (zeros(lib, 5, 2, 3, dtype="float64"),),
    "integers": lambda lib: (zeros(lib, 5, 2, 3, dtype="int64"),),
}
BAD_STATES = [(1, 3, 4), (2, 2, 4), (1, 2, 5), (2, 4), (1, 1, 2, 4), ()]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("case", BAD_CALLS)
def test_bad_input(name, case):
    assert agree(lambda lib: getattr(lib.nn, name)(3, 4)(*BAD_CALLS[case](lib))) is not None


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("shape", BAD_STATES)
def test_bad_state(name, shape):
    def program(lib):
        h = zeros(lib, *shape) if shape else lib.zeros(())
        hx = (h, h) if name == "LSTM" else h
        return getattr(lib.nn, name)(3, 4)(zeros(lib, 5, 2, 3), hx)

    assert agree(program) is not None


@pytest.mark.parametrize("name", LAYERS)
def test_bad_state_of_a_single_sequence_and_of_another_dtype(name):
    def program(lib, x, h):
        return getattr(lib.nn, name)(3, 4)(x, (h, h) if name == "LSTM" else h)

    assert agree(lambda lib: program(lib, zeros(lib, 5, 3), zeros(lib, 1, 1, 4))) is not None
    wrong = {"dtype": "float64"}
    assert agree(lambda lib: program(lib, zeros(lib, 5, 2, 3), zeros(lib, 1, 2, 4, **wrong)))


def test_lstm_with_one_state():
    assert agree(lambda lib: lib.nn.LSTM(3, 4)(zeros(lib, 5, 2, 3), zeros(lib, 2, 1, 2, 4)))
    layer = nn.LSTM(3, 4)
    with pytest.raises(TypeError, match=r"pair of tensors \(h_0, c_0\), got \(1, 2, 4\) float32"):
        layer(tg.zeros(5, 2, 3), tg.zeros(1, 2, 4))


def test_base_has_no_forward():
    assert agree(lambda lib: lib.nn.RNNBase("GRU", 3, 4)(zeros(lib, 5, 2, 3))) is not None


BAD_STEPS = [
    ((2, 5), (2, 4), (2, 4)), ((2, 3), (3, 4), (2, 4)), ((2, 3), (2, 5), (2, 4)),
    ((2, 3), (1, 2, 4), (2, 4)), ((1, 2, 3), (2, 4), (2, 4)), ((3,), (1, 4), (4,)),
    ((2, 3), (4,), (4,)), ((5,), (4,), (4,)), ((2, 3), (2, 4), (3, 4)), ((2, 3), (2, 4), (2, 5)),
]  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("x", "h", "c"), BAD_STEPS)
def test_bad_steps(name, x, h, c):
    def program(lib):
        hx = zeros(lib, *h)
        out = getattr(lib.nn, name)(3, 4)(
            zeros(lib, *x), (hx, zeros(lib, *c)) if name == "LSTMCell" else hx
        )
        return [tuple(t.shape) for t in flat(out)]

    agree(program)


def test_bad_dtype_and_nonlinearity_of_a_cell():
    for name in CELLS:
        assert agree(lambda lib, name=name: getattr(lib.nn, name)(3, 4)(
            zeros(lib, 2, 3, dtype="float64"))) is not None  # fmt: skip
    assert agree(lambda lib: lib.nn.RNNCell(3, 4, nonlinearity="x")(zeros(lib, 2, 3))) is not None


# --- packed sequences -------------------------------------------------------------------


def same_packed(lib, packed):
    return [packed.data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices]


lengths_of_batches = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@given(made=layers(), lengths=lengths_of_batches, given_state=st.booleans(), sort=st.booleans())
@settings(max_examples=60, deadline=None)
def test_layers_on_packed_sequences(made, lengths, given_state, sort):
    name, sizes, kwargs = made
    lengths = sorted(lengths, reverse=True) if sort else lengths

    def program(lib):
        layer = fill(lib, getattr(lib.nn, name)(*sizes, **kwargs))
        x = numbers(lib, max(lengths), len(lengths), sizes[0]).requires_grad_()
        packed = lib.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=sort)
        hx = initial(lib, layer, len(lengths)) if given_state else None
        output, last = layer(packed, hx)
        leaves = [x, *layer.parameters(), *(flat(hx) if given_state else [])]
        padded, again = lib.nn.utils.rnn.pad_packed_sequence(output)
        return (same_packed(lib, output)[1:], again,
                derivatives(lib, [padded, *flat(last)], leaves))  # fmt: skip

    agree(program, rtol=1e-8)


@given(
    lengths=lengths_of_batches, rest=st.sampled_from([(), (2,), (2, 1)]), batch_first=st.booleans(),
    sort=st.booleans(), extra=st.integers(0, 2), value=st.sampled_from([0.0, -1.5]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_packing_and_padding(lengths, rest, batch_first, sort, extra, value):
    lengths = sorted(lengths, reverse=True) if sort else lengths

    def program(lib):
        rnn = lib.nn.utils.rnn
        time, batch = max(lengths) + extra, len(lengths)
        x = numbers(lib, *((batch, time) if batch_first else (time, batch)), *rest)
        x.requires_grad_()
        packed = rnn.pack_padded_sequence(x, lib.tensor(lengths), batch_first, sort)
        total = max(lengths) + extra if extra else None
        padded, again = rnn.pad_packed_sequence(packed, batch_first, value, total)
        parts = rnn.unpack_sequence(packed)
        return (same_packed(lib, packed), padded, again, parts,
                derivatives(lib, [padded**2], [x]))  # fmt: skip

    agree(program)


@given(
    lengths=st.lists(st.integers(0, 3), min_size=1, max_size=3),
    rest=st.sampled_from([(), (2,)]), batch_first=st.booleans(),
    side=st.sampled_from(["right", "left"]), value=st.sampled_from([0.0, 2.5]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_pad_sequence(lengths, rest, batch_first, side, value):
    def program(lib):
        parts = [numbers(lib, n, *rest, seed=k).requires_grad_() for k, n in enumerate(lengths)]
        padded = lib.nn.utils.rnn.pad_sequence(parts, batch_first, value, side)
        return derivatives(lib, [padded**2], parts)

    agree(program)


@pytest.mark.parametrize("batch_first", [False, True])
def test_unpad_sequence(batch_first):
    def program(lib):
        parts = [numbers(lib, n, 2, seed=n) for n in (3, 1, 2)]
        padded = lib.nn.utils.rnn.pad_sequence(parts, batch_first)
        return lib.nn.utils.rnn.unpad_sequence(padded, lib.tensor([3, 1, 2]), batch_first)

    agree(program)


def test_unpad_sequence_leaves_its_input():
    padded = tg.zeros(3, 2)
    packing.unpad_sequence(padded, tg.tensor([3, 1]))
    assert padded.shape == (3, 2)


@pytest.mark.parametrize("sort", [True, False])
def test_pack_sequence(sort):
    def program(lib):
        parts = [lib.tensor([1, 2, 3]), lib.tensor([4, 5]), lib.tensor([6])]
        packed = lib.nn.utils.rnn.pack_sequence(parts if sort else parts[::-1], sort)
        return same_packed(lib, packed), lib.nn.utils.rnn.unpack_sequence(packed), repr(packed)

    agree(program)


def test_integers_are_padded_with_integers():
    def program(lib):
        rnn = lib.nn.utils.rnn
        parts = [lib.tensor([1, 2]), lib.tensor([3])]
        return (rnn.pad_sequence(parts, padding_value=7),
                rnn.pad_packed_sequence(rnn.pack_sequence(parts), padding_value=-1))  # fmt: skip

    agree(program)


def test_dtypes_are_the_first_sequences():
    def program(lib):
        a, b = lib.zeros(2), lib.zeros(3, dtype=lib.float64)
        return lib.nn.utils.rnn.pad_sequence([a, b]), lib.nn.utils.rnn.pad_sequence([b, a])

    agree(program)


@pytest.mark.parametrize(
    "method", ["double", "float", "half", "long", "int", "short", "char", "byte", "cpu"]
)
def test_conversion_of_a_packed_sequence(method):
    def program(lib):
        parts = [lib.tensor([1.0]), lib.tensor([2.0, 3.0])]
        packed = lib.nn.utils.rnn.pack_sequence(parts, enforce_sorted=False)
        other = getattr(packed, method)()
        return (same_packed(lib, other), other is packed, packed.is_cuda, packed.is_pinned(),
                same_packed(lib, packed.to(lib.float64)), type(other).__name__)  # fmt: skip

    agree(program)


def test_packed_sequences_by_hand():
    def program(lib):
        make = lib.nn.utils.rnn.PackedSequence
        data, sizes = lib.tensor([1.0, 2.0, 3.0]), lib.tensor([2, 1])
        made = [make(data, sizes), make((data, sizes)), make(data, sizes, lib.tensor([1, 0]))]
        return [same_packed(lib, packed) for packed in made], len(made[0]), made[0]._fields

    agree(program)
    assert agree(lambda lib: lib.nn.utils.rnn.PackedSequence(lib.zeros(3))) is not None


@given(order=st.permutations(range(4)))
def test_invert_permutation(order):
    agree(lambda lib: lib.nn.utils.rnn.invert_permutation(lib.tensor(list(order))))
    assert packing.invert_permutation(None) is None


BAD_PACKING = {
    "not sorted": lambda rnn, z: rnn.pack_padded_sequence(z(4, 3), [2, 4, 1]),
    "too few lengths": lambda rnn, z: rnn.pack_padded_sequence(z(4, 3), [4, 2]),
    "a zero": lambda rnn, z: rnn.pack_padded_sequence(z(4, 3), [4, 2, 0]),
    "a vector": lambda rnn, z: rnn.pack_padded_sequence(z(4), [4]),
    "empty": lambda rnn, z: rnn.pack_padded_sequence(z(4, 0), []),
    "lengths 2-D": lambda rnn, z: rnn.pack_padded_sequence(z(4, 3), z(3, 1) + 1),
    "lengths 0-D": lambda rnn, z: rnn.pack_padded_sequence(z(4, 3), 4),
    "total too short": lambda rnn, z: rnn.pad_packed_sequence(
        rnn.pack_padded_sequence(z(4, 3), [4, 2, 1]), total_length=3),
    "no sequences": lambda rnn, z: rnn.pad_sequence([]),
    "not iterable": lambda rnn, z: rnn.pad_sequence(3),
    "no tensor": lambda rnn, z: rnn.pad_sequence([z(2), 3]),
    "other sizes": lambda rnn, z: rnn.pad_sequence([z(2, 3), z(3, 4)]),
    "scalars": lambda rnn, z: rnn.pad_sequence([z(()), z(3)]),
    "side": lambda rnn, z: rnn.pad_sequence([z(2), z(3)], padding_side="top"),
    "lengths to unpad": lambda rnn, z: rnn.unpad_sequence(z(3, 2), z(3) + 1),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_PACKING)
def test_bad_packing(case):
    assert agree(lambda lib: BAD_PACKING[case](lib.nn.utils.rnn, lib.zeros)) is not None


def test_a_length_beyond_the_input():
    """PyTorch packs batch sizes that say more than its data."""
    with pytest.raises(RuntimeError, match="longest length is 5, and the input"):
        packing.pack_padded_sequence(tg.zeros(4, 2), [5, 1])


BAD_PACKED = {
    "features": ((4, 3, 5), "float32", (1, 3, 4)),
    "dtype": ((4, 3, 3), "float64", None),
    "batch of the state": ((4, 3, 3), "float32", (1, 2, 4)),
    "features of the state": ((4, 3, 3), "float32", (1, 3, 5)),
    "layers of the state": ((4, 3, 3), "float32", (2, 3, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("case", BAD_PACKED)
def test_bad_packed_input(name, case):
    shape, dtype, state = BAD_PACKED[case]

    def program(lib):
        x = zeros(lib, *shape, dtype=dtype)
        packed = lib.nn.utils.rnn.pack_padded_sequence(x, [4, 2, 2])
        h = None if state is None else zeros(lib, *state)
        hx = (h, h) if name == "LSTM" and h is not None else h
        return [tuple(t.shape) for t in flat(getattr(lib.nn, name)(3, 4)(packed, hx))]

    agree(program)
