"""Resizing, sampling, shuffling and padding, beside PyTorch."""

import itertools

import numpy as np
import pytest
from both import agree

import tensorgrad as tg
from tensorgrad.testing import gradgradcheck

SHAPES = {3: (2, 3, 5), 4: (2, 2, 5, 4), 5: (1, 2, 3, 4, 2)}
SIZES = {3: [1, 7, (9,), (5,)], 4: [3, (8, 9), (1, 4), (2, 11)], 5: [4, (1, 6, 3)]}
SCALES = {3: [2, 0.6, (1.7,)], 4: [2, 0.5, (1.5, 0.7), (2.3, 3)], 5: [2, (0.5, 1.3, 2)]}
MODES = {3: ["linear"], 4: ["bilinear", "bicubic"], 5: ["trilinear"]}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def derivatives(lib, f, *arrays):
    """The value, and first and second derivatives of a weighted sum of squares."""
    leaves = [lib.tensor(a, requires_grad=True) for a in arrays]
    out = f(lib, *[t * 1.0 for t in leaves])
    weight = lib.tensor(normal(*out.shape, seed=1))
    first = lib.autograd.grad((out * out * weight).sum(), leaves, create_graph=True)
    again = sum((g * lib.tensor(normal(*g.shape, seed=2))).sum() for g in first)
    return out, first, lib.autograd.grad(again, leaves, allow_unused=True)


INTERPOLATIONS = [
    (ndim, {**extent, **settings})
    for ndim in SHAPES
    for extent in (
        [{"size": s} for s in SIZES[ndim]] + [{"scale_factor": s} for s in SCALES[ndim]]
    )
    for settings in (
        [{"mode": m} for m in ("nearest", "nearest-exact", "area")]
        + [{"mode": m, "align_corners": a} for m in MODES[ndim] for a in (True, False, None)]
    )
]


@pytest.mark.parametrize(("ndim", "settings"), INTERPOLATIONS, ids=str)
def test_interpolate(ndim, settings):
    x = normal(*SHAPES[ndim])
    agree(
        lambda lib: derivatives(
            lib, lambda lib, t: lib.nn.functional.interpolate(t, **settings), x
        )
    )


@pytest.mark.parametrize(
    ("mode", "align_corners"), list(itertools.product(["bilinear", "bicubic"], [True, False]))
)
@pytest.mark.parametrize("size", [(3, 2), (9, 8), (2, 7), (5, 4)])
def test_interpolate_antialiased(mode, align_corners, size):
    x = normal(1, 2, 7, 6)
    settings = {"size": size, "mode": mode, "align_corners": align_corners, "antialias": True}
    agree(
        lambda lib: derivatives(
            lib, lambda lib, t: lib.nn.functional.interpolate(t, **settings), x
        )
    )


def test_interpolate_by_lanczos():
    x = normal(1, 2, 9, 7)
    for size in ((4, 3), (12, 14)):
        agree(
            lambda lib, size=size: lib.nn.functional.interpolate(
                lib.tensor(x), size, mode="lanczos", antialias=True
            )
        )


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
@pytest.mark.parametrize("scale", [1.1, 0.37, 3.3, (2.7, 0.9)])
def test_interpolate_in_float32_with_and_without_recomputed_scale(mode, scale):
    x = normal(1, 2, 23, 31).astype(np.float32)
    for recompute in (None, True, False):
        agree(
            lambda lib, recompute=recompute: lib.nn.functional.interpolate(
                lib.tensor(x), scale_factor=scale, mode=mode, recompute_scale_factor=recompute
            ),
            rtol=1e-5,  # float32, in another order of summation
        )


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic", "area"])
def test_interpolate_in_half_precision(mode):
    x = normal(1, 2, 5, 4).astype(np.float16)
    agree(lambda lib: lib.nn.functional.interpolate(lib.tensor(x), 3, mode=mode), rtol=2e-3)


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((1, 1, 4, 4), {}),
        ((1, 1, 4, 4), {"size": 2, "scale_factor": 2}),
        ((1, 1, 4, 4), {"size": (2, 2, 2)}),
        ((1, 1, 4, 4), {"scale_factor": (2,)}),
        ((1, 1, 4, 4), {"size": 0}),
        ((1, 1, 4, 4), {"scale_factor": 0.1}),
        ((1, 1, 0, 4), {"size": 2}),
        ((1, 1, 4, 4), {"size": 2, "mode": "linear"}),
        ((1, 1, 4), {"size": 2, "mode": "bilinear"}),
        ((1, 1, 4), {"size": 2, "mode": "bicubic"}),
        ((1, 4), {"size": 2}),
        ((1, 1, 4, 4), {"size": 2, "mode": "nothing"}),
        ((1, 1, 4, 4), {"size": 2, "align_corners": True}),
        ((1, 1, 4, 4), {"size": 2, "antialias": True}),
        ((1, 1, 4, 4), {"size": 2, "mode": "lanczos"}),
        ((1, 1, 4, 4), {"size": 2, "recompute_scale_factor": True}),
    ],
)
def test_interpolate_refuses(shape, settings):
    error = agree(lambda lib: lib.nn.functional.interpolate(lib.ones(shape), **settings))
    assert isinstance(error, Exception)


def test_deprecated_names_of_interpolate():
    x = normal(1, 1, 2, 3)
    for name in ("upsample", "upsample_nearest", "upsample_bilinear"):
        with pytest.warns(UserWarning, match="deprecated"):
            agree(lambda lib, name=name: getattr(lib.nn.functional, name)(lib.tensor(x), 4))


@pytest.mark.parametrize(
    "make",
    [
        "Upsample(scale_factor=2)", "Upsample((6, 5), mode='bilinear')",
        "Upsample(scale_factor=(2, 0.5), mode='bicubic', align_corners=True)",
        "UpsamplingNearest2d(scale_factor=3)", "UpsamplingBilinear2d((3, 3))",
        "PixelShuffle(2)", "PixelUnshuffle(2)", "ChannelShuffle(2)", "ZeroPad2d(1)",
        "ZeroPad2d((1, -1, 0, 2))", "ConstantPad2d((1, 2, 3, 4), 3.5)", "ReflectionPad2d(2)",
        "ReplicationPad2d((1, 2, 3, 0))", "CircularPad2d(1)", "ReflectionPad3d(1)",
        "ReplicationPad3d(2)", "CircularPad3d((1, 0, 1, 0, 2, 0))", "ZeroPad3d(1)",
        "ConstantPad3d(1, -1.0)",
    ],
)  # fmt: skip
def test_modules_of_images(make):
    x = normal(2, 4, 4, 6)

    def program(lib):
        module = eval(f"lib.nn.{make}", {"lib": lib})
        return repr(module), derivatives(lib, lambda lib, t: module(t), x)

    agree(program)


@pytest.mark.parametrize(
    "make",
    ["ZeroPad1d(1)", "ConstantPad1d((1, 2), 0.5)", "ReflectionPad1d((2, 1))",
     "ReplicationPad1d(1)", "CircularPad1d((0, 3))"],
)  # fmt: skip
def test_modules_of_sequences(make):
    x = normal(2, 3, 4)

    def program(lib):
        module = eval(f"lib.nn.{make}", {"lib": lib})
        return repr(module), derivatives(lib, lambda lib, t: module(t), x)

    agree(program)


@pytest.mark.parametrize(
    "call",
    [
        lambda lib: lib.nn.functional.pixel_shuffle(lib.ones(1, 3, 2, 2), 2),
        lambda lib: lib.nn.functional.pixel_shuffle(lib.ones(4, 2), 2),
        lambda lib: lib.nn.functional.pixel_shuffle(lib.ones(4, 2, 2), 0),
        lambda lib: lib.nn.functional.pixel_unshuffle(lib.ones(1, 3, 3), 2),
        lambda lib: lib.nn.functional.pixel_unshuffle(lib.ones(1, 3, 3), -1),
        lambda lib: lib.nn.functional.channel_shuffle(lib.ones(1, 3, 3), 2),
        lambda lib: lib.nn.functional.channel_shuffle(lib.ones(1, 3), 3),
        lambda lib: lib.nn.ReflectionPad2d(3)(lib.ones(1, 1, 3, 3)),
    ],
)
def test_rearranging_refuses(call):
    assert isinstance(agree(call), Exception)


def test_padding_of_a_wrong_length():
    with pytest.raises(ValueError, match="one number or 4 numbers"):
        tg.nn.ZeroPad2d((1, 2))


# --- sampling at given places -----------------------------------------------------------

SAMPLINGS = [
    (mode, padding, align)
    for mode in ("bilinear", "nearest", "bicubic")
    for padding in ("zeros", "border", "reflection")
    for align in (True, False)
]


@pytest.mark.parametrize(("mode", "padding", "align"), SAMPLINGS)
def test_grid_sample(mode, padding, align):
    x = normal(2, 3, 5, 4)
    grid = np.random.default_rng(3).uniform(-2.2, 2.2, (2, 3, 6, 2))

    def program(lib):
        leaves = [lib.tensor(a, requires_grad=True) for a in (x, grid)]
        out = lib.nn.functional.grid_sample(*leaves, mode, padding, align)
        weight = lib.tensor(normal(*out.shape, seed=1))
        return out, lib.autograd.grad((out * weight).sum(), leaves, allow_unused=mode == "nearest")

    if mode == "nearest":  # PyTorch gives zeros for the grid, and here it takes no part

        def nearest(lib):
            out, gradients = program(lib)
            return out, gradients[0]

        agree(nearest)
    else:
        agree(program)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_grid_sample_of_volumes(mode, padding):
    x, grid = normal(1, 2, 3, 4, 2), np.random.default_rng(3).uniform(-1.5, 1.5, (1, 2, 3, 2, 3))
    agree(
        lambda lib: lib.nn.functional.grid_sample(
            lib.tensor(x), lib.tensor(grid), mode, padding, False
        )
    )


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_second_derivatives_of_grid_sample(mode):
    x = tg.tensor(normal(1, 1, 4, 3), requires_grad=True)
    grid = np.random.default_rng(3).uniform(-1.3, 1.3, (1, 2, 2, 2))
    grid = tg.tensor(grid, requires_grad=True)
    sample = tg.nn.functional.grid_sample
    assert gradgradcheck(lambda x, g: sample(x, g, mode, "border", False), (x, grid))


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 1, 3), (2, 1, 2, 3, 4)])
def test_affine_grid(size, align):
    if align and 1 in size[2:]:
        pytest.skip("PyTorch warns that sides of one pixel have no ends")
    n = len(size) - 2
    theta = normal(2, n, n + 1)
    agree(
        lambda lib: derivatives(
            lib, lambda lib, t: lib.nn.functional.affine_grid(t, size, align), theta
        )
    )


def test_the_identity_grid_gives_the_image():
    x = tg.tensor(normal(1, 2, 4, 5))
    grid = tg.nn.functional.affine_grid(
        tg.tensor([[[1.0, 0, 0], [0, 1, 0]]], dtype=tg.float64), x.shape, align_corners=True
    )
    out = tg.nn.functional.grid_sample(x, grid, align_corners=True)
    np.testing.assert_allclose(out.numpy(), x.numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda lib, F: F.grid_sample(lib.ones(1, 1, 3, 3), lib.ones(1, 2, 2, 2), "cubic"),
        lambda lib, F: F.grid_sample(
            lib.ones(1, 1, 3, 3), lib.ones(1, 2, 2, 2), padding_mode="same"),
        lambda lib, F: F.grid_sample(
            lib.ones(1, 3, 3), lib.ones(1, 2, 2, 2), align_corners=True),
        lambda lib, F: F.grid_sample(
            lib.ones(2, 1, 3, 3), lib.ones(1, 2, 2, 2), align_corners=True),
        lambda lib, F: F.grid_sample(
            lib.ones(1, 1, 3, 3), lib.ones(1, 2, 2, 3), align_corners=True),
        lambda lib, F: F.grid_sample(
            lib.ones(1, 1, 3, 3), lib.ones(1, 2, 2, 2).double(), align_corners=True),
        lambda lib, F: F.affine_grid(lib.ones(1, 2, 3), (1, 1, 2), True),
        lambda lib, F: F.affine_grid(lib.ones(1, 3, 3), (1, 1, 2, 2), True),
        lambda lib, F: F.affine_grid(lib.ones(1, 2, 3), (1, 1, 0, 2), True),
        lambda lib, F: F.affine_grid(lib.ones(1, 2, 3).long(), (1, 1, 2, 2), True),
        lambda lib, F: F.grid_sample(lib.ones(1, 1, 3, 3), lib.ones(1, 2, 2, 2)),  # warns
    ],
)  # fmt: skip
def test_sampling_refuses(call):
    assert isinstance(agree(lambda lib: call(lib, lib.nn.functional)), Exception)
