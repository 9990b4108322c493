"""Convolution, its transpose, windows and their layers, beside PyTorch."""

import numpy as np
import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.kernels import conv as kernels
from tensorgrad.ops import conv as ops

drawn = settings(max_examples=20, deadline=None)
DIMS = pytest.mark.parametrize("n", [1, 2, 3])


def tensors(lib, arrays, dtype="float64"):
    kind = getattr(lib, dtype)
    return [lib.tensor(a.tolist(), dtype=kind).reshape(a.shape) for a in arrays]


def derivatives(lib, f, arrays):
    """Value, first and second derivatives of a cubic function of ``f``."""
    ts = [t.requires_grad_() for t in tensors(lib, arrays)]
    out = f(*ts)
    first = lib.autograd.grad((out * out * out).sum(), ts, create_graph=True)
    second = lib.autograd.grad(sum((g * g).sum() for g in first), ts)
    return [out, *first, *second]


@st.composite
def arguments(draw, n, transposed=False):
    def each(low, high):
        return [draw(st.integers(low, high)) for _ in range(n)]

    groups = draw(st.sampled_from([1, 1, 2, 3]))
    inputs, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kernel, stride, padding, dilation = each(1, 3), each(1, 3), each(0, 2), each(1, 2)
    size = each(1, 6)
    extra = [draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.standard_normal((draw(st.integers(1, 3)), inputs * groups, *size))
    shape = (outputs * groups, inputs) if not transposed else (inputs * groups, outputs)
    arrays = [x, rng.standard_normal((*shape, *kernel)), rng.standard_normal(outputs * groups)]
    return arrays, stride, padding, dilation, groups, extra


@DIMS
@given(data=st.data())
@drawn
def test_convolution_and_derivatives(n, data):
    """Drawn arguments include windows that do not fit: both raise RuntimeError."""
    arrays, stride, padding, dilation, groups, _ = data.draw(arguments(n))

    def program(lib):
        conv = getattr(lib.nn.functional, f"conv{n}d")
        f = lambda x, w, b: conv(x, w, b, stride, padding, dilation, groups)  # noqa: E731
        return derivatives(lib, f, arrays)

    agree(program, rtol=1e-9)


@DIMS
@given(data=st.data())
@drawn
def test_transposed_convolution_and_derivatives(n, data):
    arrays, stride, padding, dilation, groups, extra = data.draw(arguments(n, transposed=True))

    def program(lib):
        conv = getattr(lib.nn.functional, f"conv_transpose{n}d")
        f = lambda x, w, b: conv(x, w, b, stride, padding, extra, groups, dilation)  # noqa: E731
        return derivatives(lib, f, arrays)

    agree(program, rtol=1e-9)


# (inputs, outputs, size, kernel, stride, padding, dilation, groups, batch): each takes another way
# through the kernels: shifted rows or all taps, images side by side or apart, no columns at all.
SHAPES = [
    (40, 8, (17, 19), (3, 3), 1, 1, 1, 1, 5), (40, 8, (5, 4), (3, 3), 1, 1, 1, 1, 9),
    (40, 8, (19, 17), (3, 5), 2, 1, 1, 1, 3), (40, 8, (6, 7), (3, 3), 2, 1, 1, 1, 7),
    (40, 8, (17, 18), (3, 3), 1, 2, 2, 1, 2), (40, 8, (18, 17), (3, 3), 3, 2, 2, 1, 2),
    (12, 8, (17, 17), (1, 1), 1, 0, 1, 1, 3), (12, 8, (4, 4), (1, 1), 1, 0, 1, 1, 3),
    (12, 8, (17, 17), (1, 1), 2, 0, 1, 2, 3), (1, 6, (28, 28), (5, 5), 1, 2, 1, 1, 40),
    (6, 6, (20, 20), (3, 3), 1, 1, 1, 6, 4), (6, 12, (20, 9), (3, 2), 2, 1, 1, 6, 4),
    (96, 8, (40,), (3,), 1, 1, 1, 1, 2), (100, 4, (30,), (4,), 3, 2, 2, 1, 70),
    (20, 4, (4, 8, 8), (3, 3, 3), 1, 1, 1, 1, 3), (20, 4, (4, 5, 6), (2, 3, 3), 2, 1, 1, 2, 3),
    (80, 80, (9, 9), (3, 3), 1, 1, 1, 2, 2), (80, 90, (3, 3), (3, 3), 1, 1, 1, 1, 2),
]  # fmt: skip


@pytest.mark.parametrize("case", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_way_through_the_kernels(case, dtype):
    inputs, outputs, size, kernel, stride, padding, dilation, groups, batch = case
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((batch, inputs, *size)),
              rng.standard_normal((outputs, inputs // groups, *kernel)),
              rng.standard_normal(outputs)]  # fmt: skip

    def program(lib):
        x, w, b = (t.requires_grad_() for t in tensors(lib, arrays, dtype))
        conv = getattr(lib, f"conv{len(size)}d")
        out = conv(x, w, b, stride, padding, dilation, groups)
        out.backward(lib.cos(lib.arange(out.numel(), dtype=out.dtype)).reshape(out.shape))
        terms = inputs // groups * np.prod(kernel)
        pixels = out.numel() // outputs
        # Scaled to about 1, so that the tolerance means rounding.
        return [out / terms**0.5, x.grad / (outputs * np.prod(kernel)) ** 0.5,
                w.grad / pixels**0.5, b.grad / pixels**0.5]  # fmt: skip

    agree(program, rtol=1e-5 if dtype == "float32" else 1e-12)


def test_blocks_are_many_and_the_last_one_is_shorter(monkeypatch):
    """The same results, to rounding, with blocks of a few images as in one piece."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((11, 40, 6, 6)), rng.standard_normal((8, 40, 3, 3))
    g = rng.standard_normal((11, 8, 6, 6))
    attrs = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}

    def run():
        return [
            ops.convolve.op.forward(x, w, size=(6, 6), **attrs),
            ops.convolve_input.op.forward(g, w, size=(6, 6), **attrs),
            ops.convolve_weight.op.forward(g, x, size=(3, 3), **attrs),
        ]

    whole = run()
    monkeypatch.setattr(kernels, "_plan", kernels._Plan)  # not what was kept for larger blocks
    monkeypatch.setattr(kernels, "_BLOCK", 1)
    monkeypatch.setattr(kernels, "_SMALL", 120)
    for a, b in zip(run(), whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


# Input size, channels, outputs, kernel, stride, padding, dilation, groups.
GRADIENTS = [
    ((9,), 2, 6, (4,), (2,), (1,), (1,), 2),
    ((7, 8), 3, 5, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((7, 8), 4, 6, (3, 2), (2, 3), (1, 0), (2, 1), 2),
    ((20, 21), 3, 4, (5, 7), (1, 4), (2, 3), (1, 1), 1),
    ((40, 41), 2, 3, (11, 11), (4, 4), (0, 2), (1, 1), 1),
    ((4, 5, 6), 2, 4, (2, 3, 3), (1, 2, 2), (0, 1, 1), (1, 1, 2), 1),
]


@pytest.mark.parametrize("case", GRADIENTS, ids=str)
@pytest.mark.parametrize("images", [1, 5])
def test_both_ways_to_the_gradient_of_the_input_agree(case, images, monkeypatch):
    size, channels, outputs, kernel, stride, padding, dilation, groups = case
    rng = np.random.default_rng(0)
    x = rng.standard_normal((images, channels, *size))
    w = rng.standard_normal((outputs, channels // groups, *kernel))
    attrs = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    target = tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    y = ops.convolve.op.forward(x, w, size=target, **attrs)
    want = ops._convolve_definition(tg.tensor(x), tg.tensor(w), size=target, **attrs).numpy()
    np.testing.assert_allclose(y, want, rtol=1e-12, atol=1e-12)
    g = rng.standard_normal(y.shape)
    results = []
    for adds in (False, True):
        monkeypatch.setattr(kernels, "_adds", lambda *_, adds=adds: adds)
        results.append(ops.convolve_input.op.forward(g, w, size=size, **attrs))
    np.testing.assert_allclose(*results, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose((results[0] * x).sum(), (y * g).sum(), rtol=1e-10)
    dw = ops.convolve_weight.op.forward(g, x, size=kernel, **attrs)
    np.testing.assert_allclose((dw * w).sum(), (y * g).sum(), rtol=1e-10)


def test_columns_are_never_made_for_the_whole_batch():
    import tracemalloc

    x, w = np.zeros((32, 32, 16, 16), np.float32), np.zeros((8, 32, 5, 5), np.float32)
    attrs = {"stride": (1, 1), "padding": (2, 2), "dilation": (1, 1), "groups": 1}
    out = ops.convolve.op.forward(x, w, size=(16, 16), **attrs)
    tracemalloc.start()
    try:
        ops.convolve.op.forward(x, w, size=(16, 16), **attrs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < out.nbytes + x.nbytes  # all columns would be 25 times x


def test_scratch_memory_is_per_thread():
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(0)
    w = tg.tensor(rng.standard_normal((16, 24, 3, 3)))
    xs = [tg.tensor(rng.standard_normal((4, 24, 16, 16))) for _ in range(8)]
    want = [tg.conv2d(x, w, padding=1).numpy() for x in xs]
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda x: tg.conv2d(x, w, padding=1).numpy(), xs * 4))
    for a, b in zip(got, want * 4, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_is_kept(dtype):
    x = tg.ones(2, 3, 5, 5, dtype=getattr(tg, dtype)).requires_grad_()
    w = tg.ones(4, 3, 3, 3, dtype=getattr(tg, dtype)).requires_grad_()
    out = tg.conv2d(x, w)
    out.sum().backward()
    assert out.dtype is x.grad.dtype is w.grad.dtype is getattr(tg, dtype)
    assert out.flatten()[0].item() == 27.0


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # PyTorch's
@DIMS
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel, dilation", [(1, 1), (2, 1), (3, 2), (4, 1), (2, 3)])
def test_padding_by_name(n, padding, kernel, dilation):
    x, w = np.arange(2 * 7**n) % 5.0, np.arange(2 * kernel**n) % 3.0

    def program(lib):
        a, b = tensors(lib, [x.reshape(1, 2, *(7,) * n), w.reshape(1, 2, *(kernel,) * n)])
        return getattr(lib, f"conv{n}d")(a, b, padding=padding, dilation=dilation)

    agree(program)


@DIMS
def test_unbatched_and_empty(n):
    def program(lib):
        F = lib.nn.functional
        w, t = lib.ones(4, 2, *(2,) * n), lib.ones(2, 4, *(2,) * n)
        results = []
        for lead in ((), (0,), (1,)):
            x = lib.ones(*lead, 2, *(3,) * n)
            results += [getattr(F, f"conv{n}d")(x, w), getattr(F, f"conv_transpose{n}d")(x, t)]
        return results

    agree(program)


def test_gradients_of_an_empty_batch():
    def program(lib):
        x, w = lib.ones(0, 2, 4, 4, requires_grad=True), lib.ones(3, 2, 3, 3, requires_grad=True)
        lib.conv2d(x, w, lib.ones(3)).sum().backward()
        return x.grad, w.grad

    agree(program)


def test_one_pixel():
    def program(lib):
        x, w = lib.full((2, 3, 1, 1), 2.0), lib.ones(4, 3, 3, 3)
        return lib.conv2d(x, w, padding=1), lib.conv_transpose2d(lib.ones(2, 4, 1, 1), w)

    agree(program)


def test_inputs_of_any_layout():
    """Transposed, strided and expanded inputs, and a gradient that is a view."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((9, 8, 4, 3)), rng.standard_normal((3, 3, 4, 5))

    def program(lib):
        a, b = (t.requires_grad_() for t in tensors(lib, [x, w]))
        out = lib.conv2d(a.permute(2, 3, 0, 1)[..., ::2], b.permute(3, 1, 2, 0)[:, :, :2])
        out.sum().backward()
        return out, a.grad, b.grad, lib.conv2d(a[:, :3, :, :1].expand(9, 3, 4, 4), b[:, :, :2, :2])

    agree(program, rtol=1e-9)


BAD = {
    "rank": lambda lib: lib.conv2d(lib.ones(3, 3), lib.ones(1, 3, 1, 1)),
    "weight rank": lambda lib: lib.conv2d(lib.ones(1, 3, 4, 4), lib.ones(1, 3, 1)),
    "channels": lambda lib: lib.conv2d(lib.ones(1, 3, 4, 4), lib.ones(2, 4, 1, 1)),
    "groups": lambda lib: lib.conv2d(lib.ones(1, 4, 4, 4), lib.ones(3, 2, 1, 1), groups=2),
    "no groups": lambda lib: lib.conv2d(lib.ones(1, 4, 4, 4), lib.ones(3, 2, 1, 1), groups=0),
    "bias": lambda lib: lib.conv2d(lib.ones(1, 3, 4, 4), lib.ones(2, 3, 1, 1), lib.ones(3)),
    "window": lambda lib: lib.conv2d(lib.ones(1, 3, 4, 4), lib.ones(2, 3, 5, 1)),
    "dilated window": lambda lib: lib.conv1d(lib.ones(1, 1, 4), lib.ones(1, 1, 3), dilation=2),
    "stride": lambda lib: lib.conv1d(lib.ones(1, 1, 4), lib.ones(1, 1, 3), stride=0),
    "dilation": lambda lib: lib.conv1d(lib.ones(1, 1, 4), lib.ones(1, 1, 3), dilation=0),
    "padding": lambda lib: lib.conv1d(lib.ones(1, 1, 4), lib.ones(1, 1, 3), padding=-1),
    "stride length": lambda lib: lib.conv2d(
        lib.ones(1, 1, 4, 4), lib.ones(1, 1, 3, 3), stride=(1, 1, 1)
    ),
    "same": lambda lib: lib.conv1d(lib.ones(1, 1, 4), lib.ones(1, 1, 3), stride=2, padding="same"),
    "name": lambda lib: lib.conv1d(lib.ones(1, 1, 4), lib.ones(1, 1, 3), padding="full"),
    "dtypes": lambda lib: lib.conv1d(lib.ones(1, 1, 4), lib.ones(1, 1, 3).double()),
    "output padding": lambda lib: lib.conv_transpose1d(
        lib.ones(1, 1, 4), lib.ones(1, 1, 3), output_padding=1
    ),
    "no output": lambda lib: lib.conv_transpose1d(lib.ones(1, 1, 1), lib.ones(1, 1, 1), padding=1),
    "transposed channels": lambda lib: lib.conv_transpose1d(lib.ones(1, 2, 4), lib.ones(1, 1, 3)),
    "a list": lambda lib: lib.conv1d([[[1.0]]], lib.ones(1, 1, 1)),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name):
    assert agree(BAD[name]) is not None


@pytest.mark.parametrize(
    "program, message",
    [
        (BAD["channels"], r"to have 4 channels, but got 3 channels"),
        (BAD["groups"], r"divisible by 2 at dimension 0"),
        (BAD["window"], r"padded input size per channel: \(4 x 4\). Kernel size: \(5 x 1\)"),
        (BAD["rank"], r"Expected 3D \(unbatched\) or 4D \(batched\) input to conv2d"),
        (BAD["dtypes"], "same dtype"),
        (BAD["no output"], "Output size is too small"),
    ],
)
def test_messages(program, message):
    with pytest.raises(RuntimeError, match=message):
        program(tg)


def test_integers_are_refused():
    with pytest.raises(RuntimeError, match=r"convert with .float\(\)"):
        tg.conv1d(tg.ones(1, 1, 4, dtype=tg.int64), tg.ones(1, 1, 3, dtype=tg.int64))


# --- windows ----------------------------------------------------------------------------


@given(data=st.data())
@drawn
def test_unfold_and_fold(data):
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, dilation, stride = (data.draw(pair) for _ in range(3))
    padding = data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    size = tuple(data.draw(st.integers(1, 6)) for _ in range(2))
    x = np.random.default_rng(0).standard_normal((2, 3, *size))

    def program(lib):
        F = lib.nn.functional

        def f(t):
            columns = F.unfold(t, kernel, dilation, padding, stride)
            return F.fold(columns * columns, size, kernel, dilation, padding, stride)

        columns = F.unfold(lib.tensor(x[0].tolist()), kernel, dilation, padding, stride)
        return [columns, *derivatives(lib, f, [x])]

    agree(program, rtol=1e-5)  # float32 columns; the rest is float64


@pytest.mark.parametrize(
    "program",
    [
        lambda lib: lib.nn.functional.unfold(lib.ones(1, 1, 2, 2), 3),
        lambda lib: lib.nn.functional.unfold(lib.ones(1, 1, 1, 2, 2), 1),
        lambda lib: lib.nn.functional.unfold(lib.ones(1, 2, 2), 1, stride=0),
        lambda lib: lib.nn.functional.fold(lib.ones(1, 4, 3), (3, 3), 2),
        lambda lib: lib.nn.functional.fold(lib.ones(1, 3, 4), (3, 3), 2),
        lambda lib: lib.nn.functional.fold(lib.ones(4), (3, 3), 2),
        lambda lib: lib.nn.functional.unfold(lib.ones(0, 2, 3, 3), 2),
    ],
)
def test_bad_windows(program):
    agree(program)


# --- layers -----------------------------------------------------------------------------

LAYERS = [
    ("Conv1d", (4, 6, 3), {}), ("Conv2d", (4, 6, 3), {"padding": 1, "bias": False}),
    ("Conv3d", (2, 4, 2), {"stride": 2, "groups": 2}),
    ("Conv2d", (4, 6, (3, 2)), {"padding": "same", "dilation": 2}),
    ("Conv2d", (4, 6, (3, 2)), {"padding": "same", "padding_mode": "circular"}),
    ("Conv2d", (4, 4, 3), {"padding": (1, 2), "padding_mode": "reflect", "groups": 4}),
    ("Conv1d", (4, 4, 3), {"padding": 2, "padding_mode": "replicate"}),
    ("Conv3d", (2, 4, 2), {"padding": 1, "padding_mode": "circular"}),
    ("Conv2d", (4, 6, 3), {"padding": "valid", "dtype": "float64"}),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "output_padding": 1}),
    ("ConvTranspose2d", (4, 6, 3), {"stride": (2, 1), "padding": 1, "groups": 2}),
    ("ConvTranspose3d", (4, 2, 2), {"dilation": 2, "bias": False}),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # PyTorch's
@pytest.mark.parametrize("name, args, kwargs", LAYERS)
def test_layers(name, args, kwargs):
    """The seeded parameters, the repr, the output and the gradients are PyTorch's."""
    n = int(name[-2])

    def program(lib):
        options = dict(kwargs)
        if "dtype" in options:
            options["dtype"] = getattr(lib, options["dtype"])
        lib.manual_seed(3)
        layer = getattr(lib.nn, name)(*args, **options)
        x = lib.sin(lib.arange(2.0 * args[0] * 5**n)).reshape(2, args[0], *(5,) * n)
        out = layer(x.to(layer.weight.dtype))
        (out * out).sum().backward()
        grads = [p.grad for p in layer.parameters()]
        return [repr(layer), dict(layer.state_dict()), out, grads, layer(x[0].to(out.dtype))]

    agree(program, rtol=2e-5)


def test_states_go_both_ways():
    torch = pytest.importorskip("torch")
    ours, theirs = tg.nn.Conv2d(3, 4, 3, groups=1), torch.nn.Conv2d(3, 4, 3)
    ours.load_state_dict({k: tg.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32)
    want = theirs(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(ours(tg.tensor(x)).detach().numpy(), want, rtol=1e-5, atol=1e-6)
    again = tg.nn.Conv2d(3, 4, 3)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in again.state_dict().items()})
    got = theirs(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(got, again(tg.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [[9, 9], [10, 9], [1, 1, 10, 10], [11, 9], [9]])
def test_output_size_of_transposed_layers(size):
    def program(lib):
        layer = lib.nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1)
        return layer(lib.ones(1, 1, 5, 5), output_size=size).shape[2:] == tuple(size[-2:])

    agree(program)


@pytest.mark.parametrize(
    "program",
    [
        lambda nn: nn.Conv2d(3, 4, 3, groups=2),
        lambda nn: nn.Conv2d(4, 3, 3, groups=2),
        lambda nn: nn.Conv2d(4, 4, 3, groups=0),
        lambda nn: nn.Conv2d(4, 4, 3, padding="full"),
        lambda nn: nn.Conv2d(4, 4, 3, padding="same", stride=2),
        lambda nn: nn.Conv2d(4, 4, 3, padding_mode="mirror"),
        lambda nn: nn.ConvTranspose2d(4, 4, 3, padding_mode="reflect"),
    ],
)
def test_bad_layers(program):
    assert agree(lambda lib: program(lib.nn)) is not None


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind, options", [("Conv", {"groups": 2}), ("Conv", {"bias": False}),
                                           ("ConvTranspose", {"stride": 2})])  # fmt: skip
def test_lazy_layers(n, kind, options):
    def program(lib):
        lib.manual_seed(0)
        layer = getattr(lib.nn, f"Lazy{kind}{n}d")(4, 3, **options)
        before = repr(layer)
        out = layer(lib.ones(2, 6, *(5,) * n))
        return [before, repr(layer), type(layer).__name__, out, dict(layer.state_dict())]

    agree(program, rtol=1e-5)


def test_lazy_layers_refuse_bad_input():
    agree(lambda lib: lib.nn.LazyConv2d(4, 3)(lib.ones(3, 3)))
    agree(lambda lib: lib.nn.LazyConv2d(4, 3, groups=2)(lib.ones(3, 5, 5)))


def test_fold_layers():
    def program(lib):
        unfold, fold = lib.nn.Unfold((2, 3), padding=1), lib.nn.Fold((4, 5), (2, 3), padding=1)
        columns = unfold(lib.arange(40.0).reshape(1, 2, 4, 5))
        return repr(unfold), repr(fold), columns, fold(columns)

    agree(program)
