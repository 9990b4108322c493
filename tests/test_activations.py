"""Activations and dropouts as modules and functions, beside PyTorch."""

import numpy as np
import pytest
from both import agree

import tensorgrad as tg
from tensorgrad.nn import functional as F

MODULES = [
    "Softmin(1)", "Softmax2d()", "CELU(1.5)", "CELU(0.7, True)", "SELU()", "SELU(True)", "Mish()",
    "Mish(True)", "Hardswish()", "Hardswish(True)", "Hardsigmoid()", "Hardsigmoid(True)",
    "Hardtanh()", "Hardtanh(-0.5, 2.0, True)", "ReLU6()", "ReLU6(True)", "Threshold(0.1, 20.0)",
    "Threshold(0.1, 20, True)", "RReLU().eval()", "RReLU(0.1, 0.2)", "RReLU(0.1, 0.2, True)",
    "PReLU()", "PReLU(4, 0.1)", "GLU(1)", "Hardshrink()", "Hardshrink(0.3)", "Softshrink(0.2)",
    "LogSigmoid()", "Softsign()", "Tanhshrink()", "ELU(0.7, True)", "LeakyReLU(0.2, True)",
    "ReLU(True)", "SiLU(True)", "Sigmoid()", "Tanh()", "GELU()", "GELU('tanh')", "Softplus(2, 3)",
    "LogSoftmax(1)", "Softmax(-1)",
]  # fmt: skip


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("make", MODULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_modules(make, dtype):
    x = normal(2, 4, 3, 2).astype(dtype)

    def program(lib):
        lib.manual_seed(0)
        module = eval(f"lib.nn.{make}", {"lib": lib}).to(getattr(lib, dtype))
        leaves = [lib.tensor(x, requires_grad=True), *module.parameters()]
        out = module(leaves[0] * 1.0)
        grads = lib.autograd.grad((out * out).sum(), leaves)
        return repr(module), out, grads, list(module.state_dict())

    # float32: exp in another order; float64: PyTorch keeps 1 / 6 and 1 / alpha in float32.
    agree(program, rtol=1e-5 if dtype == "float32" else 1e-7)


@pytest.mark.parametrize("name", ["relu_", "elu_", "selu_", "celu_", "hardtanh_", "leaky_relu_",
                                  "rrelu_"])  # fmt: skip
def test_in_place_functions(name):
    x = normal(3, 4)

    def program(lib):
        t = lib.tensor(x)
        out = getattr(lib.nn.functional, name)(t)
        return out is t, t

    agree(program)
    agree(lambda lib: lib.nn.functional.threshold_(lib.tensor(x), 0.3, -1.0))


@pytest.mark.parametrize(
    "call",
    [
        lambda lib: lib.nn.Hardtanh(1.0, 0.0),
        lambda lib: lib.nn.Softmax2d()(lib.ones(2, 3)),
        lambda lib: lib.nn.GLU()(lib.ones(3)),
        lambda lib: lib.nn.PReLU(3)(lib.ones(2, 4)),
        lambda lib: lib.nn.Dropout2d(1.5),
        lambda lib: lib.nn.functional.dropout1d(lib.ones(2, 3, 4), -0.1),
        lambda lib: lib.nn.functional.dropout1d(lib.ones(2, 3, 4, 5)),
        lambda lib: lib.nn.functional.dropout2d(lib.ones(2, 3)),  # a warning, here an error
        lambda lib: lib.nn.functional.dropout2d(lib.ones(2, 3, 4)),
        lambda lib: lib.nn.functional.dropout3d(lib.ones(2, 3, 4)),
        lambda lib: lib.nn.functional.alpha_dropout(lib.ones(2), 2.0),
        lambda lib: lib.nn.functional.feature_alpha_dropout(lib.ones(2), 0.5, True),
    ],
)
def test_bad_input(call):
    assert isinstance(agree(call), Exception)


def test_rrelu_draws_a_slope_for_each_negative_number():
    x = tg.full((1000,), -1.0)
    slopes = -F.rrelu(x, 0.2, 0.4, training=True)
    assert 0.2 <= slopes.min() < 0.21
    assert 0.39 < slopes.max() < 0.4


def test_gumbel_softmax_draws_as_pytorch_does():
    def program(lib):
        lib.manual_seed(0)
        x = lib.tensor(normal(5, 4), requires_grad=True)
        hard = lib.nn.functional.gumbel_softmax(x, tau=0.7, hard=True)
        soft = lib.nn.functional.gumbel_softmax(x, tau=0.7, dim=0)
        (hard * lib.tensor(normal(5, 4, seed=1))).sum().backward()
        return hard, soft, x.grad

    agree(program, rtol=1e-6)


# --- dropout of channels ----------------------------------------------------------------

CHANNELS = [("Dropout1d", (6, 50, 4), 2), ("Dropout1d", (50, 4), 1),
            ("Dropout2d", (6, 50, 3, 2), 2),
            ("Dropout3d", (6, 50, 2, 2, 2), 2), ("Dropout3d", (50, 2, 2, 2), 1)]  # fmt: skip


@pytest.mark.parametrize(("name", "shape", "kept"), CHANNELS)
def test_whole_channels_are_dropped(name, shape, kept):
    tg.manual_seed(0)
    layer = getattr(tg.nn, name)(0.25)
    out = layer(tg.ones(shape)).numpy().reshape(*shape[:kept], -1)
    assert (out == out[..., :1]).all()
    assert set(np.unique(out)) == {np.float32(0), np.float32(1 / 0.75)}
    x = tg.ones(shape)
    assert layer.eval()(x) is x


def test_in_place_and_repeatable():
    for name, shape, _ in CHANNELS:
        layer = getattr(tg.nn, name)(0.5, inplace=True)
        x = tg.ones(shape)
        tg.manual_seed(3)
        assert layer(x) is x
        tg.manual_seed(3)
        assert (getattr(tg.nn, name)(0.5)(tg.ones(shape)) == x).all()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("name", ["AlphaDropout", "FeatureAlphaDropout"])
def test_alpha_dropout_keeps_mean_and_variance(name, p):
    tg.manual_seed(0)
    x = tg.randn(400, 500)
    out = getattr(tg.nn, name)(p)(x)
    assert abs(out.mean()) < 0.02
    assert abs(out.var() - 1) < 0.05
    assert getattr(tg.nn, name)(1.0)(x).abs().max() == 0


def test_dropouts_print_as_in_pytorch():
    agree(
        lambda lib: [
            repr(getattr(lib.nn, name)(0.2, True))
            for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout",
                         "FeatureAlphaDropout")
        ]
    )  # fmt: skip


def test_older_names_of_the_bounds_of_hardtanh_warn():
    with pytest.warns(FutureWarning, match="min_val"):
        layer = tg.nn.Hardtanh(min_value=-3)
    assert layer.min_val == -3
    agree(lambda lib: lib.nn.Hardtanh(max_value=3))  # a warning, here an error


def test_names_that_scripts_import_from_inner_modules():
    from tensorgrad.nn.modules import activation, utils

    assert activation.MultiheadAttention is tg.nn.MultiheadAttention
    assert not hasattr(activation, "NoSuchLayer")
    assert (utils._pair(3), utils._triple((1, 2)), utils._single([4])) == ((3, 3), (1, 2), (4,))
