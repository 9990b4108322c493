"""Normalisation layers and functions beside PyTorch."""

import warnings

import numpy as np
import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg


@pytest.fixture(autouse=True)
def _quiet():
    """PyTorch warns at each construction that lazy modules are new."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Lazy modules", category=UserWarning)
        yield


def values(lib, shape, seed=0, dtype="float64"):
    numbers = np.random.default_rng(seed).normal(0.5, 2.0, shape)
    return lib.tensor(numbers.tolist(), dtype=getattr(lib, dtype)).reshape(shape)


def leaf(lib, shape, seed=0):
    return values(lib, shape, seed).requires_grad_()


def two_derivatives(lib, out, leaves):
    """The result, its gradients, and the gradients of a function of those."""
    weights = values(lib, tuple(out.shape), 9)
    first = lib.autograd.grad((out * out * weights).sum(), leaves, create_graph=True)
    second = lib.autograd.grad(sum((g * g).sum() for g in first), leaves)
    return [out, *first, *second]


# --- functions --------------------------------------------------------------------------

AFFINE = [(True, True), (True, False), (False, True), (False, False)]


@pytest.mark.parametrize(("weight", "bias"), AFFINE)
@pytest.mark.parametrize(
    ("shape", "dims"), [((4, 5), 1), ((2, 3, 4), 1), ((2, 3, 4), 2), ((6,), 1), ((2, 3, 2, 2), 3)]
)
def test_layer_norm(shape, dims, weight, bias):
    def program(lib):
        own = shape[len(shape) - dims :]
        x = leaf(lib, shape)
        w = leaf(lib, own, 1) if weight else None
        b = leaf(lib, own, 2) if bias else None
        leaves = [t for t in (x, w, b) if t is not None]
        if lib is not tg and w is None and b is not None:
            w = lib.ones(own, dtype=lib.float64)  # PyTorch has no second derivative of a bias alone
        return two_derivatives(lib, lib.nn.functional.layer_norm(x, own, w, b, 1e-3), leaves)

    agree(program)


@pytest.mark.parametrize(("weight", "bias"), [(True, True), (False, False)])
@pytest.mark.parametrize(("shape", "groups"), [((3, 6), 2), ((2, 6, 3), 3), ((2, 4, 2, 2), 1)])
def test_group_norm(shape, groups, weight, bias):
    def program(lib):
        x, w, b = leaf(lib, shape), leaf(lib, shape[1:2], 1), leaf(lib, shape[1:2], 2)
        out = lib.nn.functional.group_norm(
            x, groups, w if weight else None, b if bias else None, 1e-3
        )
        return two_derivatives(lib, out, [x, w, b] if weight else [x])

    agree(program)


@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("shape", [(3, 2, 4), (2, 3, 2, 2)])
def test_instance_norm(shape, own, statistics):
    if not own and not statistics:
        return

    def program(lib):
        c = shape[1:2]
        x, w, b = leaf(lib, shape), leaf(lib, c, 1), leaf(lib, c, 2)
        mean = values(lib, c, 3) if statistics else None
        variance = values(lib, c, 4) ** 2 + 1 if statistics else None
        out = lib.nn.functional.instance_norm(x, mean, variance, w, b, own, 0.2, 1e-3)
        return [mean, variance, *two_derivatives(lib, out, [x, w, b])]

    agree(program)


@pytest.mark.parametrize("eps", [None, 1e-2])
@pytest.mark.parametrize("weight", [True, False])
@pytest.mark.parametrize(("shape", "dims"), [((4, 5), 1), ((2, 3, 4), 2)])
def test_rms_norm(shape, dims, weight, eps):
    def program(lib):
        own = shape[len(shape) - dims :]
        x, w = leaf(lib, shape), leaf(lib, own, 1)
        out = lib.nn.functional.rms_norm(x, own, w if weight else None, eps)
        return two_derivatives(lib, out, [x, w] if weight else [x])

    agree(program)


@pytest.mark.parametrize("size", [1, 2, 3, 9])
@pytest.mark.parametrize("shape", [(2, 4, 3), (2, 5, 2, 2), (1, 3, 2, 1, 2)])
def test_local_response_norm(shape, size):
    def program(lib):
        x = leaf(lib, shape)
        out = lib.nn.functional.local_response_norm(x, size, 0.5, 0.6, 2.0)
        return two_derivatives(lib, out, [x])

    agree(program)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 2, 2)])
def test_batch_norm(shape, training):
    def program(lib):
        c = shape[1:2]
        x, w, b = leaf(lib, shape), leaf(lib, c, 1), leaf(lib, c, 2)
        mean, variance = values(lib, c, 3), values(lib, c, 4) ** 2 + 1
        out = lib.nn.functional.batch_norm(x, mean, variance, w, b, training, 0.2, 1e-3)
        return [mean, variance, *two_derivatives(lib, out, [x, w, b])]

    agree(program)


PUBLIC = {
    "layer_norm": lambda lib, x, c: lib.layer_norm(x, (4,), None, None, 1e-5, False),
    "group_norm": lambda lib, x, c: lib.group_norm(x, 2, c, c, 1e-5, False),
    "rms_norm": lambda lib, x, c: lib.rms_norm(x, (4,), None, 1e-5),
    "instance_norm": lambda lib, x, c: lib.instance_norm(
        x, c, c, None, None, True, 0.1, 1e-5, False
    ),
    "batch_norm": lambda lib, x, c: lib.batch_norm(x, c, c, None, None, True, 0.1, 1e-5, False),
}


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_functions_of_the_package(name, dtype):
    def program(lib):
        x = values(lib, (3, 2, 4), dtype=dtype)
        return PUBLIC[name](lib, x, values(lib, (2,), 1, dtype))

    agree(program, rtol=1e-6 if dtype == "float32" else 2e-3)  # one unit of float16 is 1e-3


# Without instance_norm, which raises an IndexError in PyTorch.
@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - {"instance_norm"}))
def test_nothing_to_normalise(name):
    def program(lib):
        x = lib.zeros(0, 2, 4, requires_grad=True)
        out = PUBLIC[name](lib, x, lib.ones(2))
        out.sum().backward()
        return [out, x.grad]

    agree(program)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 70), columns=st.sampled_from([16, 63, 1024, 5000]),
    offset=st.sampled_from([0.0, 1000.0]),
)  # fmt: skip
def test_layer_norm_in_single_precision(rows, columns, offset):
    """Against float64: blocks of rows, long rows, and a mean far from 0."""
    rng = np.random.default_rng(0)
    x, g = rng.normal(offset, 1.0, (rows, columns)), rng.normal(size=(rows, columns))
    x, g = x.astype(np.float32), g.astype(np.float32)
    w, b = rng.normal(size=(2, columns)).astype(np.float32)

    def run(dtype):
        leaves = [tg.tensor(a, dtype=dtype).requires_grad_() for a in (x, w, b)]
        out = tg.layer_norm(leaves[0], (columns,), *leaves[1:])
        out.backward(tg.tensor(g, dtype=dtype))
        return [out.detach().numpy(), *(t.grad.numpy() for t in leaves)]

    for got, want in zip(run(tg.float32), run(tg.float64), strict=True):
        scale = max(1.0, abs(want).max())
        # The mean of float32 is off by up to half its last digit: 3e-5 of 1000.
        assert abs(got - want).max() <= (2e-6 if offset == 0 else 5e-4) * scale


def test_layer_norm_can_be_overwritten():
    """What the backward needs is not the result, so an in-place activation may follow."""

    def program(lib):
        x = leaf(lib, (3, 4))
        lib.nn.functional.layer_norm(x, (4,)).relu_().sum().backward()
        return x.grad

    agree(program)


BAD = {
    "layer: int": lambda F, x: F.layer_norm(x, 5),
    "layer: other": lambda F, x: F.layer_norm(x, (4,)),
    "layer: none": lambda F, x: F.layer_norm(x, ()),
    "layer: more": lambda F, x: F.layer_norm(x, (1, 4, 6, 5)),
    "layer: weight": lambda F, x: F.layer_norm(x, (5,), x[0, 0, :2]),
    "layer: bias": lambda F, x: F.layer_norm(x, (5,), None, x[0, 0, :2]),
    "layer: list": lambda F, x: F.layer_norm([1.0], (1,)),
    "layer: weight list": lambda F, x: F.layer_norm(x, (5,), [1.0] * 5),
    "layer: integers": lambda F, x: F.layer_norm(x.long(), (5,)),
    "layer: mixed": lambda F, x: F.layer_norm(x, (5,), x[0, 0].double()),
    "group: vector": lambda F, x: F.group_norm(x[0, 0], 1),
    "group: divisor": lambda F, x: F.group_norm(x, 4),
    "group: one value": lambda F, x: F.group_norm(x[:1, :2, 0], 2),
    "group: weight": lambda F, x: F.group_norm(x, 2, x[0, :3, 0]),
    "group: weight matrix": lambda F, x: F.group_norm(x, 2, x[0, :, :1]),
    "group: integers": lambda F, x: F.group_norm(x.long(), 2),
    "group: mixed": lambda F, x: F.group_norm(x, 2, x[0, :, 0].double()),
    "group: zero": lambda F, x: F.group_norm(x, 0),
    "instance: matrix": lambda F, x: F.instance_norm(x[0]),
    "instance: weight": lambda F, x: F.instance_norm(x, weight=x[0, :3, 0]),
    "instance: mean": lambda F, x: F.instance_norm(x, x[0, :3, 0], x[0, :3, 0]),
    "instance: no statistics": lambda F, x: F.instance_norm(x, use_input_stats=False),
    "instance: half": lambda F, x: F.instance_norm(x, x[0, :, 0], None),
    "instance: integers": lambda F, x: F.instance_norm(x.long()),
    "rms: int": lambda F, x: F.rms_norm(x, 5),
    "rms: other": lambda F, x: F.rms_norm(x, (4,)),
    "rms: none": lambda F, x: F.rms_norm(x, ()),
    "rms: weight": lambda F, x: F.rms_norm(x, (5,), x[0, 0, :2]),
    "rms: integers": lambda F, x: F.rms_norm(x.long(), (5,)),
    "response: matrix": lambda F, x: F.local_response_norm(x[0], 2),
    "response: 0": lambda F, x: F.local_response_norm(x, 0),
    "batch: eps": lambda F, x: F.batch_norm(x, None, None, training=True, eps=0.0),
    "batch: negative eps": lambda F, x: F.batch_norm(x, x[0, :, 0], x[0, :, 0], eps=-1.0),
    "batch: integers": lambda F, x: F.batch_norm(x.long(), None, None, training=True),
    "batch: no statistics": lambda F, x: F.batch_norm(x, None, None),
    "batch: vector": lambda F, x: F.batch_norm(x[0, 0], None, None, training=True),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    def program(lib):
        return BAD[name](lib.nn.functional, lib.ones(4, 6, 5))

    assert agree(program) is not None


# --- layers -----------------------------------------------------------------------------

LAYERS = {
    "layer": (lambda nn: nn.LayerNorm(4), (3, 4)),
    "layer over two": (lambda nn: nn.LayerNorm((3, 4), eps=0.1), (2, 3, 4)),
    "layer over a list": (lambda nn: nn.LayerNorm([4]), (3, 4)),
    "layer without bias": (lambda nn: nn.LayerNorm(4, bias=False), (3, 4)),
    "layer without affine": (lambda nn: nn.LayerNorm(4, elementwise_affine=False), (3, 4)),
    "group": (lambda nn: nn.GroupNorm(2, 4), (3, 4, 5)),
    "group without bias": (lambda nn: nn.GroupNorm(2, 4, bias=False), (3, 4)),
    "group without affine": (lambda nn: nn.GroupNorm(2, 4, 0.1, False), (3, 4, 5)),
    "rms": (lambda nn: nn.RMSNorm(4), (3, 4)),
    "rms over two": (lambda nn: nn.RMSNorm((3, 4), 0.1), (2, 3, 4)),
    "rms without affine": (lambda nn: nn.RMSNorm(4, elementwise_affine=False), (3, 4)),
    "response": (lambda nn: nn.LocalResponseNorm(3), (2, 5, 4)),
    "response with all": (lambda nn: nn.LocalResponseNorm(2, 0.1, 0.5, 2.0), (2, 5, 4, 2)),
    "batch 2d": (lambda nn: nn.BatchNorm2d(3), (2, 3, 4, 2)),
    "batch 2d averaging": (lambda nn: nn.BatchNorm2d(3, momentum=None), (2, 3, 4, 2)),
    "batch 2d bare": (lambda nn: nn.BatchNorm2d(3, affine=False, track_running_stats=False),
                      (2, 3, 4, 2)),
    "batch 2d without bias": (lambda nn: nn.BatchNorm2d(3, bias=False), (2, 3, 4, 2)),
    "batch 3d": (lambda nn: nn.BatchNorm3d(3, 0.1, 0.3), (2, 3, 2, 1, 2)),
    "instance 1d": (lambda nn: nn.InstanceNorm1d(3), (2, 3, 4)),
    "instance 1d of one": (lambda nn: nn.InstanceNorm1d(3, affine=True), (3, 4)),
    "instance 1d tracking": (
        lambda nn: nn.InstanceNorm1d(3, 0.1, 0.3, True, True), (2, 3, 4)
    ),
    "instance 2d": (lambda nn: nn.InstanceNorm2d(3, affine=True, bias=False), (2, 3, 4, 2)),
    "instance 3d": (lambda nn: nn.InstanceNorm3d(3, track_running_stats=True), (2, 3, 2, 2, 2)),
    "instance 3d of one": (lambda nn: nn.InstanceNorm3d(3), (3, 2, 2, 2)),
    "lazy batch 1d": (lambda nn: nn.LazyBatchNorm1d(), (4, 3)),
    "lazy batch 2d": (lambda nn: nn.LazyBatchNorm2d(0.1, bias=False), (2, 3, 2, 2)),
    "lazy batch 3d": (lambda nn: nn.LazyBatchNorm3d(affine=False), (2, 3, 2, 1, 2)),
    "lazy batch bare": (lambda nn: nn.LazyBatchNorm1d(affine=False, track_running_stats=False),
                        (4, 3)),
    "lazy instance 1d": (lambda nn: nn.LazyInstanceNorm1d(), (4, 3, 2)),
    "lazy instance 2d": (lambda nn: nn.LazyInstanceNorm2d(0.1, 0.3, track_running_stats=False),
                         (2, 3, 2, 2)),
    "lazy instance 3d": (lambda nn: nn.LazyInstanceNorm3d(), (2, 3, 2, 1, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    """repr, parameters and state, outputs of three steps and of evaluation, and gradients."""
    make, shape = LAYERS[name]

    def program(lib):
        lib.manual_seed(0)
        layer = make(lib.nn)
        seen = [repr(layer), list(layer.state_dict()), [k for k, _ in layer.named_parameters()]]
        layer = layer.double()
        for seed in range(3):
            x = leaf(lib, shape, seed)
            out = layer(x)
            seen.append(out)
        (out * out * out).sum().backward()
        seen += [x.grad, *(p.grad for p in layer.parameters())]
        seen += [layer.eval()(x), dict(layer.state_dict()), repr(layer)]
        return seen

    agree(program)


@pytest.mark.parametrize("name", LAYERS)
def test_state_from_pytorch_and_back(name):
    torch = pytest.importorskip("torch")
    make, shape = LAYERS[name]
    theirs, ours = make(torch.nn), make(tg.nn)
    theirs(values(torch, shape, dtype="float32"))
    ours(values(tg, shape, dtype="float32"))
    with torch.no_grad():
        for p in theirs.parameters():
            p.normal_()
    ours.load_state_dict({k: tg.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    back = {k: torch.from_numpy(v.numpy()) for k, v in ours.state_dict().items()}
    make(torch.nn).load_state_dict(back)
    x = values(tg, shape, 1, "float32"), values(torch, shape, 1, "float32")
    got, want = ours.eval()(x[0]).detach().numpy(), theirs.eval()(x[1]).detach().numpy()
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


BAD_LAYERS = {
    "group": lambda lib: lib.nn.GroupNorm(4, 6),
    "group's input": lambda lib: lib.nn.GroupNorm(3, 6)(lib.ones(2, 5, 2)),
    "batch 2d": lambda lib: lib.nn.BatchNorm2d(3)(lib.ones(2, 3, 4)),
    "batch 2d channels": lambda lib: lib.nn.BatchNorm2d(3)(lib.ones(2, 4, 4, 4)),
    "batch 3d": lambda lib: lib.nn.BatchNorm3d(3)(lib.ones(2, 3, 4)),
    "batch 2d of one value": lambda lib: lib.nn.BatchNorm2d(3)(lib.ones(1, 3, 1, 1)),
    "instance 1d": lambda lib: lib.nn.InstanceNorm1d(3)(lib.ones(3)),
    "instance 1d channels": lambda lib: lib.nn.InstanceNorm1d(3, affine=True)(lib.ones(2, 4, 5)),
    "instance 3d": lambda lib: lib.nn.InstanceNorm3d(3)(lib.ones(2, 4, 5)),
    "lazy batch 2d": lambda lib: lib.nn.LazyBatchNorm2d()(lib.ones(3, 2)),
    "lazy instance of one": lambda lib: lib.nn.LazyInstanceNorm1d()(lib.ones(4, 5)),
    "response": lambda lib: lib.nn.LocalResponseNorm(2)(lib.ones(2, 3)),
    "rms": lambda lib: lib.nn.RMSNorm(3)(lib.ones(2, 4)),
    "layer": lambda lib: lib.nn.LayerNorm(3)(lib.ones(2, 4)),
    "layer of nothing": lambda lib: lib.nn.LayerNorm(())(lib.ones(2, 4)),
}


@pytest.mark.parametrize("name", BAD_LAYERS)
def test_bad_layers(name):
    assert agree(BAD_LAYERS[name]) is not None


def test_instance_norm_warns_of_other_channels():
    with pytest.warns(UserWarning, match="does not match num_features") as record:
        tg.nn.InstanceNorm1d(3)(tg.ones(2, 4, 5))
    assert record[0].filename == __file__
