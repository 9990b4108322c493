"""Pooling, its layers and the spatial pyramid, beside PyTorch and beside definitions."""

import numpy as np
import pytest
from both import agree
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.kernels import pool as kernels

drawn = settings(max_examples=20, deadline=None)
DIMS = pytest.mark.parametrize("n", [1, 2, 3])


def image(draw, n, least=1, most=7):
    """An image with ties: whole numbers half of the time."""
    size = [draw(st.integers(least, most)) for _ in range(n)]
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *size)
    x = np.random.default_rng(draw(st.integers(0, 99))).standard_normal(shape)
    return np.round(x) if draw(st.booleans()) else x


def derivatives(lib, f, x):
    t = lib.tensor(x.tolist(), dtype=lib.float64).requires_grad_()
    out = f(t)
    out, rest = (out[0], out[1:]) if isinstance(out, tuple) else (out, ())
    (first,) = lib.autograd.grad((out * out * out).sum(), t, create_graph=True)
    (second,) = lib.autograd.grad((first * first).sum(), t)
    return [out, first, second, *rest]


def window(draw, n):
    def each(low, high):
        return [draw(st.integers(low, high)) for _ in range(n)]

    kernel = each(1, 4)
    padding = [draw(st.integers(0, k // 2)) for k in kernel]
    return kernel, draw(st.sampled_from([None, each(1, 3)])), padding, draw(st.booleans())


def reaches_inside(x, kernel, padding, dilation):
    """PyTorch reads and writes outside of the memory where a window holds no element."""
    return all(
        p == 0 or (k - 1) * d - p < a
        for a, k, p, d in zip(x.shape[2:], kernel, padding, dilation, strict=True)
    )


@DIMS
@given(data=st.data())
@drawn
def test_max_pooling_and_derivatives(n, data):
    """With and without indices; ties go to the first element. Some arguments are bad in both."""
    x, (kernel, stride, padding, ceil) = image(data.draw, n), window(data.draw, n)
    dilation = [data.draw(st.integers(1, 2)) for _ in range(n)]
    assume(reaches_inside(x, kernel, padding, dilation))
    indices = data.draw(st.booleans())

    def program(lib):
        pool = getattr(lib.nn.functional, f"max_pool{n}d")
        return derivatives(
            lib, lambda t: pool(t, kernel, stride, padding, dilation, ceil, indices), x
        )

    agree(program, rtol=1e-9)


@DIMS
@given(data=st.data())
@drawn
def test_maxima_without_a_gradient(n, data):
    """Another kernel runs then. nan wins, whole numbers pool too, minus infinity may win."""
    x, (kernel, stride, padding, ceil) = image(data.draw, n), window(data.draw, n)
    assume(reaches_inside(x, kernel, padding, [1] * n))
    # PyTorch's max_pool1d alone refuses whole numbers.
    kind = data.draw(st.sampled_from(["float32", "float64", "int64"][: 2 + (n > 1)]))
    if kind != "int64" and data.draw(st.booleans()):
        x.flat[:: data.draw(st.integers(1, 4))] = data.draw(st.sampled_from([np.nan, -np.inf]))

    def program(lib):
        t = lib.tensor(x.tolist()).to(getattr(lib, kind))
        pool = getattr(lib.nn.functional, f"max_pool{n}d")
        return pool(t, kernel, stride, padding, 1, ceil), pool(
            t, kernel, stride, padding, 1, ceil, True
        )

    agree(program)


@given(seed=st.integers(0, 999), share=st.sampled_from([0.1, 0.5, 1.0]))
@drawn
def test_the_gradient_goes_to_the_last_nan(seed, share):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, (1, 2, 6, 5)).astype(float)
    x[rng.random(x.shape) < share] = np.nan

    def program(lib):
        t = lib.tensor(x.tolist(), requires_grad=True)
        out = lib.nn.functional.max_pool2d(t, 3, 2, 1, ceil_mode=True)
        out.backward(lib.arange(1.0, out.numel() + 1).reshape(out.shape))
        return out, t.grad, lib.nn.functional.adaptive_max_pool2d(t, (4, 3), True)

    agree(program)


@DIMS
@given(data=st.data())
@drawn
def test_average_pooling_and_derivatives(n, data):
    x, (kernel, stride, padding, ceil) = image(data.draw, n), window(data.draw, n)
    options = [ceil, data.draw(st.booleans())]
    if n > 1:
        options.append(data.draw(st.sampled_from([None, 1, 5])))

    def program(lib):
        pool = getattr(lib.nn.functional, f"avg_pool{n}d")
        return derivatives(lib, lambda t: pool(t, kernel, stride, padding, *options), x)

    agree(program, rtol=1e-9)


@DIMS
@pytest.mark.parametrize("kind", ["avg", "max"])
@given(data=st.data())
@drawn
def test_adaptive_pooling_and_derivatives(n, kind, data):
    x = image(data.draw, n)
    size = [data.draw(st.sampled_from([None, 1, 2, 3, 5])) for _ in range(n)]

    def program(lib):
        pool = getattr(lib.nn.functional, f"adaptive_{kind}_pool{n}d")
        if n == 1 and size[0] is None:
            size[0] = 4
        if kind == "avg":
            return derivatives(lib, lambda t: pool(t, size), x)
        return derivatives(lib, lambda t: pool(t, size, True), x)

    agree(program, rtol=1e-9)


@DIMS
@pytest.mark.parametrize("p", [1, 2.0, 3, float("inf"), -float("inf")])
@pytest.mark.parametrize("stride, ceil", [(None, False), (1, True), (3, True)])
def test_lp_pooling(n, p, stride, ceil):
    x = np.random.default_rng(0).uniform(0.5, 2, (2, 2, *(5,) * n))

    def program(lib):
        pool = getattr(lib.nn.functional, f"lp_pool{n}d")
        return derivatives(lib, lambda t: pool(t, p, 2, stride, ceil), x)

    agree(program, rtol=1e-9)


@DIMS
@given(data=st.data())
@drawn
def test_unpooling(n, data):
    x = image(data.draw, n, 4, 7)
    kernel, stride = data.draw(st.sampled_from([(2, None), (3, 2), (2, 3), (3, 3)]))
    size = data.draw(st.sampled_from([None, list(x.shape[2:]), list(x.shape), [1] * n]))

    def program(lib):
        F = lib.nn.functional
        pool, unpool = getattr(F, f"max_pool{n}d"), getattr(F, f"max_unpool{n}d")
        t = lib.tensor(x.tolist())
        y, index = pool(t, kernel, stride, return_indices=True)
        if len(set(index.flatten().tolist())) < index.numel() // index.shape[0] // index.shape[1]:
            return None  # which of several values at one position wins is nobody's promise
        return unpool(y, index, kernel, stride, output_size=size)

    agree(program)


def test_derivatives_of_unpooling():
    x = np.random.default_rng(0).standard_normal((2, 2, 3, 3))
    index = np.arange(9).reshape(3, 3) * 2

    def program(lib):
        places = lib.tensor(index.tolist()).expand(2, 2, 3, 3)
        unpool = lib.nn.functional.max_unpool2d
        return derivatives(lib, lambda t: unpool(t, places, 2), x)

    agree(program, rtol=1e-9)


@pytest.mark.parametrize("n", [2, 3])
@given(data=st.data())
@drawn
def test_fractional_pooling_is_seeded_as_in_pytorch(n, data):
    x = image(data.draw, n, 3, 9)
    kernel = [data.draw(st.integers(1, 3)) for _ in range(n)]
    size = [data.draw(st.integers(1, a)) for a in x.shape[2:]]
    by = data.draw(st.sampled_from(["size", "ratio"]))
    seed, ratio = data.draw(st.integers(0, 99)), (0.4, 0.7, 0.5)[:n]
    if by == "ratio":
        size = [int(a * r) for a, r in zip(x.shape[2:], ratio, strict=True)]
    if n == 3:  # PyTorch refuses windows that just fit, in three dimensions only
        assume(all(o + k - 1 != a for o, k, a in zip(size, kernel, x.shape[2:], strict=True)))

    def program(lib):
        lib.manual_seed(seed)
        pool = getattr(lib.nn.functional, f"fractional_max_pool{n}d")
        options = {"output_size": size} if by == "size" else {"output_ratio": ratio}
        return derivatives(lib, lambda t: pool(t, kernel, **options, return_indices=True), x)

    agree(program, rtol=1e-9)


@DIMS
def test_unbatched_and_empty(n):
    def program(lib):
        F = lib.nn.functional
        results = []
        for lead in ((), (0,), (1,)):
            x = lib.ones(*lead, 2, *(4,) * n)
            results += [
                getattr(F, f"max_pool{n}d")(x, 2, return_indices=True),
                getattr(F, f"avg_pool{n}d")(x, 3, 1, 1),
                getattr(F, f"adaptive_avg_pool{n}d")(x, 3),
                getattr(F, f"adaptive_max_pool{n}d")(x, 3, True),
            ]
        return results

    agree(program)


def test_gradients_of_an_empty_batch_and_of_one_pixel():
    def program(lib):
        F, grads = lib.nn.functional, []
        for batch, size in ((0, 4), (2, 1)):
            for pool in (
                lambda x: F.max_pool2d(x, 3, 2, 1),
                lambda x: F.avg_pool2d(x, 3, 2, 1),
                lambda x: F.adaptive_avg_pool2d(x, 3),
                lambda x: F.adaptive_max_pool2d(x, 3),
            ):
                x = lib.ones(batch, 2, size, size, requires_grad=True)
                pool(x).sum().backward()
                grads.append(x.grad)
        return grads

    agree(program)


def test_adaptive_pooling_to_nothing():
    agree(lambda lib: lib.nn.functional.adaptive_avg_pool2d(lib.ones(1, 2, 3, 3), (0, 2)))


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 3e38])
def test_an_element_that_is_not_finite_stays_in_its_bins(value):
    def program(lib):
        x = lib.arange(35.0).reshape(1, 1, 5, 7)
        x[0, 0, 1, 2] = value
        x.requires_grad_()
        out = lib.nn.functional.adaptive_avg_pool2d(x, (3, 4))
        g = lib.arange(12.0).reshape(1, 1, 3, 4)
        g[0, 0, 2, 1] = value
        out.backward(g)
        return out, x.grad

    agree(program)


def test_blocks(monkeypatch):
    """The same results in blocks of one plane as in one piece."""
    x = np.random.default_rng(0).standard_normal((3, 4, 9, 8))

    def run():
        t = tg.tensor(x, requires_grad=True)
        F = tg.nn.functional
        out = F.max_pool2d(t, 3, 2, 1).sum() + (F.avg_pool2d(t, 3, 2, 1) ** 2).sum()
        out.backward()
        return out.item(), t.grad.numpy()

    whole = run()
    monkeypatch.setattr(kernels, "_BLOCK", 1)
    parts = run()
    assert parts[0] == pytest.approx(whole[0], rel=1e-12)
    np.testing.assert_array_equal(parts[1], whole[1])


def test_many_elements_need_larger_codes():
    x = np.random.default_rng(0).standard_normal((1, 1, 40, 40))

    def program(lib):
        t = lib.tensor(x.tolist(), requires_grad=True)
        lib.nn.functional.max_pool2d(t, 30, 5).sum().backward()
        return t.grad

    agree(program)


def test_inputs_of_any_layout():
    x = np.random.default_rng(0).standard_normal((8, 9, 2, 3))

    def program(lib):
        F = lib.nn.functional
        t = lib.tensor(x.tolist(), requires_grad=True)
        image = t.permute(2, 3, 0, 1)[:, :, ::2]
        out = F.max_pool2d(image, 2).sum() + F.avg_pool2d(image, 2, 1).mT.square().sum()
        out.backward()
        return out, t.grad

    agree(program, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_is_kept(dtype):
    F = tg.nn.functional
    for pool in (lambda x: F.max_pool2d(x, 2, 1), lambda x: F.avg_pool2d(x, 2, 1, 1),
                 lambda x: F.adaptive_avg_pool2d(x, 3), lambda x: F.adaptive_max_pool2d(x, 3),
                 lambda x: F.avg_pool2d(x, 3, 2, 1, True, False)):  # fmt: skip
        x = tg.ones(1, 1, 4, 4, dtype=getattr(tg, dtype), requires_grad=True)
        out = pool(x)
        out.sum().backward()
        assert out.dtype is x.grad.dtype is getattr(tg, dtype)


BAD = {
    "rank": lambda F, x: F.max_pool2d(x[0, 0], 2),
    "too large": lambda F, x: F.max_pool2d(x, 7),
    "too large a mean": lambda F, x: F.avg_pool2d(x, 7),
    "padding": lambda F, x: F.max_pool2d(x, 2, padding=2),
    "padding of a mean": lambda F, x: F.avg_pool2d(x, 2, padding=2),
    "negative": lambda F, x: F.max_pool2d(x, 2, padding=-1),
    "stride": lambda F, x: F.max_pool2d(x, 2, 0),
    "three": lambda F, x: F.max_pool2d(x, (2, 2, 2)),
    "dilation": lambda F, x: F.max_pool2d(x, 2, dilation=0),
    "divisor": lambda F, x: F.avg_pool2d(x, 2, divisor_override=0),
    "channels": lambda F, x: F.max_pool2d(x[:, :0], 2),
    "adaptive rank": lambda F, x: F.adaptive_avg_pool2d(x[0, 0], 2),
    "adaptive size": lambda F, x: F.adaptive_avg_pool2d(x, -1),
    "adaptive sizes": lambda F, x: F.adaptive_max_pool2d(x, (1, 2, 3)),
    "fractional": lambda F, x: F.fractional_max_pool2d(x, 3, (4, 4)),
    "fractional size": lambda F, x: F.fractional_max_pool2d(x, 3),
    "unpool shape": lambda F, x: F.max_unpool2d(x, x.long()[:, :, :1], 2),
    "unpool dtype": lambda F, x: F.max_unpool2d(x, x, 2),
    "unpool index": lambda F, x: F.max_unpool2d(x, (x + 99).long(), 2),
    "unpool size": lambda F, x: F.max_unpool2d(x, x.long(), 2, output_size=(3, 3)),
    "lp": lambda F, x: F.lp_pool2d(x, 2, 9),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name):
    assert agree(lambda lib: BAD[name](lib.nn.functional, lib.ones(1, 2, 5, 5))) is not None


@pytest.mark.parametrize(
    "name, message",
    [
        ("too large", r"Calculated output size: \(0x0\). Output size is too small"),
        ("padding", "pad should be at most half of kernel size, but got padding=2"),
        ("rank", r"Expected 3D \(unbatched\) or 4D \(batched\) input to max_pool2d"),
        ("fractional", "too large relative to input size"),
    ],
)
def test_messages(name, message):
    with pytest.raises(RuntimeError, match=message):
        BAD[name](tg.nn.functional, tg.ones(1, 2, 5, 5))


def test_a_window_without_elements_is_refused():
    """PyTorch reads outside of the image there."""
    with pytest.raises(RuntimeError, match="holds no element"):
        tg.max_pool1d(tg.ones(1, 1, 1), 2, 1, 1, dilation=2)


# --- layers -----------------------------------------------------------------------------

LAYERS = [
    ("MaxPool1d", (3, 2)), ("MaxPool2d", ((3, 2), 2, (1, 0))), ("MaxPool3d", (2, None, 1, 1)),
    ("MaxPool2d", (2, 2, 0, 1, True)), ("AvgPool1d", (3, 2, 1)), ("AvgPool2d", (3, 2, 1, True)),
    ("AvgPool3d", ((2, 1, 2),)), ("AvgPool2d", (2, None, 0, False, True, 3)),
    ("LPPool1d", (2, 3)), ("LPPool2d", (1.5, 2, 1)), ("LPPool3d", (3, 2)),
    ("AdaptiveMaxPool1d", (3,)), ("AdaptiveMaxPool2d", ((3, None),)), ("AdaptiveMaxPool3d", (2,)),
    ("AdaptiveMaxPool2d", (3, True)), ("AdaptiveAvgPool1d", (3,)),
    ("AdaptiveAvgPool2d", ((None, 2),)), ("AdaptiveAvgPool3d", ((1, 2, 3),)),
    ("FractionalMaxPool2d", (2, (3, 4))), ("FractionalMaxPool3d", (2, None, 0.5)),
    ("FractionalMaxPool2d", (2, None, (0.5, 0.7), True)),
]  # fmt: skip


@pytest.mark.parametrize("name, args", LAYERS)
def test_layers(name, args):
    n = int(name[-2])

    def program(lib):
        lib.manual_seed(0)
        layer = getattr(lib.nn, name)(*args)
        x = lib.sin(lib.arange(6.0 * 6**n)).reshape(2, 3, *(6,) * n).abs()
        return [repr(layer), dict(layer.state_dict()), layer(x)]

    agree(program, rtol=1e-5)


@DIMS
def test_unpooling_layers(n):
    def program(lib):
        pool = getattr(lib.nn, f"MaxPool{n}d")(2, return_indices=True)
        unpool = getattr(lib.nn, f"MaxUnpool{n}d")(2)
        y, index = pool(lib.cos(lib.arange(2.0 * 5**n)).reshape(1, 2, *(5,) * n))
        return [repr(unpool), unpool(y, index), unpool(y, index, output_size=[5] * n)]

    agree(program)


@pytest.mark.parametrize(
    "program",
    [
        lambda nn: nn.FractionalMaxPool2d(2),
        lambda nn: nn.FractionalMaxPool2d(2, 3, 0.5),
        lambda nn: nn.FractionalMaxPool2d(2, output_ratio=1.5),
        lambda nn: nn.FractionalMaxPool3d(0, 3),
    ],
)
def test_bad_layers(program):
    assert agree(lambda lib: program(lib.nn)) is not None


@pytest.mark.parametrize("name", ["max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d"])
def test_functions_of_the_top_level(name):
    n = int(name[-2])
    agree(lambda lib: getattr(lib, name)(lib.arange(4.0**n).reshape(1, *(4,) * n), 2, 1))
    agree(lambda lib: lib.adaptive_max_pool1d(lib.arange(7.0).reshape(1, 7), 3))
    agree(lambda lib: lib.adaptive_avg_pool1d(lib.arange(7.0).reshape(1, 7), 3))
    agree(lambda lib: lib.max_pool1d_with_indices(lib.arange(7.0).reshape(1, 7), 3))


# --- the spatial pyramid ----------------------------------------------------------------


def by_hand(x, levels, reduce):
    """Bins one by one, as they are defined."""
    parts = []
    for n in levels:
        for image in x:
            cells = []
            for i in range(n):
                for j in range(n):
                    (h, w) = image.shape[-2:]
                    rows = slice(i * h // n, -(-(i + 1) * h // n))
                    columns = slice(j * w // n, -(-(j + 1) * w // n))
                    cells.append(reduce(image[:, rows, columns], axis=(1, 2)))
            parts.append((n, np.stack(cells, 1).reshape(-1)))
    return np.concatenate(
        [np.stack([p for m, p in parts if m == n]) for n in dict.fromkeys(levels)], 1
    )


@pytest.mark.parametrize("size", [(6, 6), (13, 9), (12, 18), (7, 24)])
@pytest.mark.parametrize("mode, reduce", [("max", np.max), ("mean", np.mean)])
def test_pyramid_is_its_definition(size, mode, reduce):
    x = np.random.default_rng(0).standard_normal((2, 3, *size))
    pool = tg.nn.SpatialPyramidPool2d(mode=mode)
    out = pool(tg.tensor(x)).numpy()
    assert out.shape == (2, 3 * 50)
    np.testing.assert_allclose(out, by_hand(x, (6, 3, 2, 1), reduce), rtol=1e-12)
    np.testing.assert_allclose(pool(tg.tensor(x[0])).numpy(), out[0], rtol=1e-12)


@pytest.mark.parametrize("mode", ["max", "mean"])
@pytest.mark.parametrize("size", [(6, 7), (9, 12)])
def test_derivatives_of_the_pyramid(mode, size):
    """Against PyTorch's adaptive pooling, level by level."""
    x = np.random.default_rng(0).standard_normal((2, 2, *size))

    def program(lib):
        def f(t):
            F = lib.nn.functional
            if lib is tg:
                return F.spatial_pyramid_pool2d(t, (3, 2), mode)
            pool = F.adaptive_max_pool2d if mode == "max" else F.adaptive_avg_pool2d
            return lib.cat([pool(t, n).flatten(1) for n in (3, 2)], 1)

        return derivatives(lib, f, x)

    agree(program, rtol=1e-9)


def test_sliding_windows_of_the_pyramid():
    x = tg.arange(2.0 * 13 * 13).reshape(1, 2, 13, 13)
    F = tg.nn.functional
    got = F.spatial_pyramid_pool2d(x, (3, 1), sliding=True)
    want = tg.cat([F.max_pool2d(x, 5, 4).flatten(1), F.max_pool2d(x, 13).flatten(1)], 1)
    assert got.tolist() == want.tolist()
    with pytest.raises(RuntimeError, match="on a side of 10, windows of 2 at step 1 make 9 bins"):
        F.spatial_pyramid_pool2d(tg.ones(1, 1, 10, 10), (6,), sliding=True)


def test_bad_pyramids():
    F = tg.nn.functional
    with pytest.raises(RuntimeError, match="image of 5x9 is smaller than the finest level, 6x6"):
        F.spatial_pyramid_pool2d(tg.ones(1, 1, 5, 9))
    with pytest.raises(RuntimeError, match="Expected 3D"):
        F.spatial_pyramid_pool2d(tg.ones(5, 9))
    x = tg.ones(1, 1, 9, 9)
    for make in (tg.nn.SpatialPyramidPool2d, lambda **k: F.spatial_pyramid_pool2d(x, **k)):
        with pytest.raises(ValueError, match='"max" or "mean", got \'sum\''):
            make(mode="sum")
        for levels in ((), (0,), (2.0,)):
            with pytest.raises(ValueError, match="levels must be positive integers"):
                make(levels=levels)


def test_a_network_with_a_pyramid_learns_from_images_of_different_sizes():
    """Bright or dark images; it predicts for a size that it never saw."""
    tg.manual_seed(0)
    nn = tg.nn
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.SpatialPyramidPool2d((2, 1), "mean"),
        nn.Linear(20, 2),
    )  # fmt: skip
    rng = np.random.default_rng(0)

    def batch(h, w):
        y = rng.integers(0, 2, 16)
        x = rng.standard_normal((16, 1, h, w)) + (2.0 * y - 1)[:, None, None, None]
        return tg.tensor(x.astype(np.float32)), tg.tensor(y)

    for step in range(40):
        x, y = batch(*((6, 6), (9, 7), (12, 8))[step % 3])
        loss = nn.functional.cross_entropy(model(x), y)
        model.zero_grad()
        loss.backward()
        with tg.no_grad():
            for p in model.parameters():
                p -= 0.2 * p.grad
    x, y = batch(11, 17)
    assert (model(x).argmax(1) == y).float().mean().item() > 0.9
