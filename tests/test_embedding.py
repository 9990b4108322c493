"""Embedding and EmbeddingBag beside PyTorch."""

import numpy as np
import pytest
from both import agree

import tensorgrad as tg


def seeded(lib, *args, **kwargs):
    lib.manual_seed(0)
    return lib.nn.Embedding(*args, **kwargs)


LAYERS = [
    ((5, 3), {}), ((5, 3), {"padding_idx": 2}), ((5, 3), {"padding_idx": -1}),
    ((5, 3), {"padding_idx": 0, "scale_grad_by_freq": True}), ((5, 3), {"max_norm": 1.0}),
    ((5, 3), {"max_norm": 2.0, "norm_type": 1.0, "scale_grad_by_freq": True}),
    ((1, 1), {}), ((4, 20), {}), ((3, 0), {}),
]  # fmt: skip
INDICES = [[[0, 1, 1], [0, 0, 2]], [0], 0, [], [[2, 2, 2, 2]]]


@pytest.mark.parametrize(("args", "kwargs"), LAYERS)
def test_seeded_table_state_and_repr(args, kwargs):
    def program(lib):
        layer = seeded(lib, *args, **kwargs)
        return [repr(layer), layer.weight, dict(layer.state_dict()), layer.padding_idx]

    agree(program)


def test_sparse_is_kept_in_the_repr():
    agree(lambda lib: repr(lib.nn.Embedding(3, 2, sparse=True)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_dtype(dtype):
    agree(lambda lib: lib.nn.Embedding(3, 2, dtype=getattr(lib, dtype)).weight.dtype.itemsize)


@pytest.mark.parametrize("indices", INDICES)
@pytest.mark.parametrize("integers", ["int64", "int32"])
@pytest.mark.parametrize(("args", "kwargs"), LAYERS)
def test_values_and_gradient(args, kwargs, integers, indices):
    def program(lib):
        layer = seeded(lib, *args, dtype=lib.float64, **kwargs)
        index = lib.tensor(indices, dtype=getattr(lib, integers)) % args[0]
        out = layer(index)
        (out * out).sum().backward()
        return [out, layer.weight.grad, layer.weight]

    agree(program)


@pytest.mark.parametrize("padding_idx", [None, 1])
def test_second_gradient(padding_idx):
    def program(lib):
        layer = seeded(lib, 4, 3, padding_idx, dtype=lib.float64)
        index = lib.tensor([[0, 1, 1], [3, 3, 3]])
        x = layer(index)
        (first,) = lib.autograd.grad((x**3).sum(), layer.weight, create_graph=True)
        (second,) = lib.autograd.grad((first**2).sum(), layer.weight)
        return [first, second]

    agree(program)


def test_second_gradient_with_frequencies():
    """PyTorch leaves the frequencies out of the second derivative, so this one is by hand."""
    weight = tg.tensor([[1.0], [2.0]], dtype=tg.float64, requires_grad=True)
    x = tg.nn.functional.embedding(tg.tensor([0, 0, 0, 1]), weight, scale_grad_by_freq=True)
    (first,) = tg.autograd.grad((x**3).sum(), weight, create_graph=True)
    np.testing.assert_allclose(first.detach().numpy(), [[3.0], [12.0]])  # 3 x**2: the mean of 3
    (second,) = tg.autograd.grad(first.sum(), weight)
    # 6 x at each lookup, divided by the frequency once on the way out and once on the way in.
    np.testing.assert_allclose(second.numpy(), [[3 * 6.0 / 9], [12.0]])


@pytest.mark.parametrize("freeze", [True, False])
def test_from_pretrained_shares_memory(freeze):
    def program(lib):
        table = lib.arange(6.0).reshape(3, 2)
        layer = lib.nn.Embedding.from_pretrained(table, freeze, padding_idx=0)
        table[1, 1] = 10.0
        return [repr(layer), layer.weight, layer.weight.requires_grad, layer(lib.tensor([1, 0]))]

    agree(program)


def test_weights_load_from_pytorch():
    torch = pytest.importorskip("torch")
    theirs, ours = torch.nn.Embedding(4, 3), tg.nn.Embedding(4, 3)
    ours.load_state_dict({k: tg.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    np.testing.assert_array_equal(ours.weight.detach().numpy(), theirs.weight.detach().numpy())


def test_renorm_in_place():
    def program(lib):
        table = lib.tensor([[3.0, 4.0], [30.0, 40.0], [0.5, 0.0]])
        out = lib.embedding_renorm_(table, lib.tensor([0, 2, 0]), 1.0, 2.0)
        return [out, table]

    agree(program)


def test_renorm_makes_saved_values_stale():
    layer = tg.nn.Embedding(3, 2, max_norm=0.01)
    square = layer.weight * layer.weight
    layer(tg.tensor([0]))
    with pytest.raises(RuntimeError, match="modified"):
        square.sum().backward()


BAD = {
    "too large": lambda lib, F, w: F.embedding(lib.tensor([4]), w),
    "negative": lambda lib, F, w: F.embedding(lib.tensor([-1]), w),
    "floats": lambda lib, F, w: F.embedding(lib.tensor([1.0]), w),
    "bools": lambda lib, F, w: F.embedding(lib.tensor([True]), w),
    "bytes": lambda lib, F, w: F.embedding(lib.tensor([1], dtype=lib.uint8), w),
    "shorts": lambda lib, F, w: F.embedding(lib.tensor([1], dtype=lib.int16), w),
    "list": lambda lib, F, w: F.embedding([1], w),
    "vector": lambda lib, F, w: F.embedding(lib.tensor([1]), w[0]),
    "cube": lambda lib, F, w: F.embedding(lib.tensor([1]), w[None]),
    "padding": lambda lib, F, w: F.embedding(lib.tensor([1]), w, 4),
    "negative padding": lambda lib, F, w: F.embedding(lib.tensor([1]), w, -5),
    "layer's padding": lambda lib, F, w: lib.nn.Embedding(4, 3, 4),
    "layer's negative padding": lambda lib, F, w: lib.nn.Embedding(4, 3, -5),
    "weight": lambda lib, F, w: lib.nn.Embedding(5, 3, _weight=w),
    "pretrained": lambda lib, F, w: lib.nn.Embedding.from_pretrained(w[0]),
    "renorm": lambda lib, F, w: F.embedding(lib.tensor([7]), w, max_norm=1.0),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    def program(lib):
        return BAD[name](lib, lib.nn.functional, lib.ones(4, 3))

    assert agree(program) is not None


# --- bags -------------------------------------------------------------------------------

BAGS = {
    "offsets": ([0, 1, 1, 2, 4], [0, 2], {}),
    "empty bags": ([0, 1, 1, 2, 4], [0, 0, 2, 5], {}),
    "matrix": ([[0, 1, 1], [2, 4, 0]], None, {}),
    "nothing": ([], [0, 0], {}),
    "last offset": ([0, 1, 1, 2, 4], [0, 2, 5], {"include_last_offset": True}),
    "padding": ([0, 1, 1, 2, 4], [0, 1, 3], {"padding_idx": 1}),
    "negative padding": ([4, 4, 1, 2, 4], [0, 2], {"padding_idx": -1}),
    "norm": ([0, 1, 1, 2, 4], [0, 2], {"max_norm": 1.0, "norm_type": 1.0}),
}


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("name", BAGS)
def test_bags(name, mode):
    indices, offsets, kwargs = BAGS[name]

    def program(lib):
        lib.manual_seed(0)
        layer = lib.nn.EmbeddingBag(5, 3, mode=mode, dtype=lib.float64, **kwargs)
        starts = None if offsets is None else lib.tensor(offsets)
        out = layer(lib.tensor(indices, dtype=lib.int64), starts)
        (out**3).sum().backward()
        return [repr(layer), dict(layer.state_dict()), out, layer.weight.grad]

    agree(program)


def test_bags_scaled_by_frequency():
    """PyTorch divides some rows by the frequency of another one; so by hand."""
    layer = tg.nn.EmbeddingBag(5, 1, scale_grad_by_freq=True, mode="sum")
    layer(tg.tensor([0, 1, 1, 2, 1]), tg.tensor([0, 2])).backward(tg.tensor([[1.0], [10.0]]))
    np.testing.assert_allclose(layer.weight.grad.numpy().ravel(), [1.0, 7.0, 10.0, 0.0, 0.0])


@pytest.mark.parametrize("padding_idx", [None, 1])
@pytest.mark.parametrize("matrix", [False, True])
def test_bags_with_weights(matrix, padding_idx):
    def program(lib):
        lib.manual_seed(0)
        layer = lib.nn.EmbeddingBag(5, 3, mode="sum", padding_idx=padding_idx, dtype=lib.float64)
        w = lib.arange(6, dtype=lib.float64).requires_grad_()
        index = lib.tensor([0, 1, 1, 2, 4, 0])
        if matrix:
            out = layer(index.reshape(2, 3), None, w.reshape(2, 3))
        else:
            out = layer(index, lib.tensor([0, 2]), w)
        (out**3).sum().backward()
        return [out, layer.weight.grad, w.grad]

    agree(program)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_have_second_derivatives(mode):
    """PyTorch's have none; this is the same by ordinary indexing."""
    rng = np.random.default_rng(0)
    weight = tg.tensor(rng.normal(size=(5, 3)), requires_grad=True)
    index = tg.tensor([[0, 1, 1], [2, 4, 0]])

    def twice(out):
        (first,) = tg.autograd.grad((out**3).sum(), weight, create_graph=True)
        return tg.autograd.grad((first**2).sum(), weight)[0].numpy()

    rows = weight[index]
    want = {"sum": lambda: rows.sum(1), "mean": lambda: rows.mean(1), "max": lambda: rows.amax(1)}
    got = twice(tg.nn.functional.embedding_bag(index, weight, mode=mode))
    np.testing.assert_allclose(got, twice(want[mode]()), rtol=1e-12)


@pytest.mark.parametrize("freeze", [True, False])
def test_bag_from_pretrained(freeze):
    def program(lib):
        layer = lib.nn.EmbeddingBag.from_pretrained(lib.ones(3, 2), freeze, mode="sum")
        out = layer(lib.tensor([[0, 1]]))
        return [repr(layer), layer.weight.requires_grad, out]

    agree(program)


BAD_BAGS = {
    "offsets of a matrix": lambda F, i, w: F.embedding_bag(i([[0, 1]]), w, i([0])),
    "no offsets": lambda F, i, w: F.embedding_bag(i([0, 1]), w),
    "cube": lambda F, i, w: F.embedding_bag(i([[[0, 1]]]), w),
    "matrix of offsets": lambda F, i, w: F.embedding_bag(i([0, 1]), w, i([[0]])),
    "first offset": lambda F, i, w: F.embedding_bag(i([0, 1]), w, i([1])),
    "falling": lambda F, i, w: F.embedding_bag(i([0, 1, 2]), w, i([0, 2, 1])),
    "past the end": lambda F, i, w: F.embedding_bag(i([0, 1, 2]), w, i([0, 4])),
    "no last offset": lambda F, i, w: F.embedding_bag(
        i([0]), w, i([0])[:0], include_last_offset=True
    ),
    "too large": lambda F, i, w: F.embedding_bag(i([0, 5]), w, i([0])),
    "negative": lambda F, i, w: F.embedding_bag(i([0, -1]), w, i([0])),
    "floats": lambda F, i, w: F.embedding_bag(i([0.0, 1.0]), w, i([0])),
    "mode": lambda F, i, w: F.embedding_bag(i([0, 1]), w, i([0]), mode="prod"),
    "weighted mean": lambda F, i, w: F.embedding_bag(
        i([0, 1]), w, i([0]), per_sample_weights=w[0, :2]
    ),
    "weights' shape": lambda F, i, w: F.embedding_bag(
        i([0, 1]), w, i([0]), mode="sum", per_sample_weights=w[0]
    ),
    "weights' dtype": lambda F, i, w: F.embedding_bag(
        i([0, 1]), w, i([0]), mode="sum", per_sample_weights=w[0, :2].double()
    ),
    "scaled maximum": lambda F, i, w: F.embedding_bag(
        i([0, 1]), w, i([0]), mode="max", scale_grad_by_freq=True
    ),
    "sparse maximum": lambda F, i, w: F.embedding_bag(i([0]), w, i([0]), mode="max", sparse=True),
    "vector": lambda F, i, w: F.embedding_bag(i([0, 1]), w[0], i([0])),
    "padding": lambda F, i, w: F.embedding_bag(i([0, 1]), w, i([0]), padding_idx=5),
    "negative padding": lambda F, i, w: F.embedding_bag(i([0, 1]), w, i([0]), padding_idx=-6),
    "integers": lambda F, i, w: F.embedding_bag(i([0, 1]), w.long(), i([0])),
}


@pytest.mark.parametrize("name", BAD_BAGS)
def test_bad_bags(name):
    def program(lib):
        return BAD_BAGS[name](lib.nn.functional, lib.tensor, lib.ones(5, 3))

    assert agree(program) is not None
