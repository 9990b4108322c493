"""Lazy modules beside PyTorch."""

import copy
import warnings

import numpy as np
import pytest
from both import agree

import tensorgrad as tg
from tensorgrad import nn


@pytest.fixture(autouse=True)
def _quiet():
    """PyTorch warns at each construction that lazy modules are new."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Lazy modules", category=UserWarning)
        yield


LAYERS = {
    "linear": (lambda nn: nn.LazyLinear(3), (2, 4)),
    "linear without bias": (lambda nn: nn.LazyLinear(3, bias=False), (4,)),
}


def layer_and_input(lib, name):
    make, shape = LAYERS[name]
    lib.manual_seed(0)
    layer = make(lib.nn)
    return layer, lib.arange(float(np.prod(shape))).reshape(shape) ** 2


@pytest.mark.parametrize("name", LAYERS)
def test_first_call(name):
    """The seeded values, the class, the state and the output, before and after."""

    def program(lib):
        layer, x = layer_and_input(lib, name)
        before = [repr(layer), list(layer.state_dict()), layer.has_uninitialized_params()]
        before += [repr(p) for p in layer.parameters()] + [repr(b) for b in layer.buffers()]
        out = layer(x)
        return [before, repr(layer), dict(layer.state_dict()), out, layer(x), type(layer).__name__]

    agree(program)


@pytest.mark.parametrize("name", LAYERS)
def test_conversion_before_the_first_call(name):
    def program(lib):
        layer, x = layer_and_input(lib, name)
        layer.double()
        return [layer(x.double()), dict(layer.state_dict())]

    agree(program)


@pytest.mark.parametrize("name", LAYERS)
def test_evaluation_mode_stays(name):
    def program(lib):
        layer, x = layer_and_input(lib, name)
        return [layer.eval()(x), layer.training]

    agree(program)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients(name):
    def program(lib):
        layer, x = layer_and_input(lib, name)
        (layer(x) ** 2).sum().backward()
        return [p.grad for p in layer.parameters()]

    agree(program)


@pytest.mark.parametrize("name", LAYERS)
def test_load_between_lazy_and_plain(name):
    def program(lib):
        plain, x = layer_and_input(lib, name)
        out = plain(x)
        lazy, _ = layer_and_input(lib, name)
        message = repr(lazy.load_state_dict(plain.state_dict()))
        both, _ = layer_and_input(lib, name)
        unchanged = repr(both.load_state_dict(layer_and_input(lib, name)[0].state_dict()))
        return [
            message, repr(lazy), lazy.has_uninitialized_params(), dict(lazy.state_dict()), out,
            unchanged, both.has_uninitialized_params(), lazy.eval()(x), repr(lazy),
        ]  # fmt: skip

    agree(program)


def test_uninitialized_into_plain():
    def program(lib):
        lib.nn.Linear(4, 3).load_state_dict(lib.nn.LazyLinear(3).state_dict())

    assert agree(program) is not None


def test_loaded_weight_of_another_size():
    def program(lib):
        lazy = lib.nn.LazyLinear(3)
        lazy.load_state_dict(lib.nn.Linear(4, 3).state_dict())
        lazy(lib.ones(2, 5))

    assert agree(program) is not None


def test_assign_loads_uninitialized_too():
    lazy, plain = nn.LazyLinear(3), nn.Linear(4, 3)
    lazy.load_state_dict(plain.state_dict(), assign=True)
    np.testing.assert_array_equal(lazy.weight.detach().numpy(), plain.weight.detach().numpy())


USES = {
    "shape": lambda w: w.shape, "add": lambda w: w + 1, "sum": lambda w: w.sum(),
    "numel": lambda w: w.numel(), "len": len, "index": lambda w: w[0],
    "zero": lambda w: w.zero_(), "detach": lambda w: w.detach(),
}  # fmt: skip


@pytest.mark.parametrize("name", USES)
def test_uninitialized_parameters_refuse_use(name):
    assert agree(lambda lib: USES[name](lib.nn.LazyLinear(3).weight)) is not None


def test_what_an_uninitialized_parameter_knows():
    def program(lib):
        w = lib.nn.UninitializedParameter(dtype=lib.float64)
        b = lib.nn.UninitializedBuffer()
        frozen = lib.nn.UninitializedParameter(requires_grad=False)
        return [
            w.requires_grad, w.is_leaf, w.grad, str(w.dtype), w.is_floating_point(), repr(w),
            b.requires_grad, repr(b), b.persistent, lib.nn.parameter.is_lazy(b),
            isinstance(w, lib.nn.Parameter), isinstance(b, lib.nn.Buffer), frozen.requires_grad,
        ]  # fmt: skip

    agree(program)


def test_materialize():
    def program(lib):
        w, b = lib.nn.UninitializedParameter(), lib.nn.UninitializedBuffer(dtype=lib.float64)
        w.materialize((2, 3))
        b.materialize((4,), dtype=lib.float32)
        lib.nn.init.ones_(w)
        lib.nn.init.ones_(b)
        return [w, b, type(w).__name__, type(b).__name__, w.requires_grad]

    agree(program)


def test_copies():
    lazy = copy.deepcopy(nn.LazyLinear(3).double())
    assert lazy(tg.ones(2, 4, dtype=tg.float64)).shape == (2, 3)


def test_forward_alone_initialises_nothing():
    assert agree(lambda lib: lib.nn.LazyLinear(3).forward(lib.ones(2, 2))) is not None


def test_hooks_run_after_the_initialisation():
    seen = []
    layer = nn.LazyLinear(3)
    layer.register_forward_pre_hook(lambda module, args: seen.append(module.weight.shape))
    layer(tg.ones(2, 4))
    assert seen == [(3, 4)]


class Own:
    """A user's lazy module, with and without a class to become."""

    @staticmethod
    def make(lib, complete=True):
        class LazyScale(lib.nn.modules.lazy.LazyModuleMixin, lib.nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = lib.nn.UninitializedParameter()
                self.shift = lib.nn.UninitializedBuffer()
                self.calls = 0

            def initialize_parameters(self, x):
                self.calls += 1
                self.scale.materialize(x.shape[-1:])
                lib.nn.init.ones_(self.scale)
                if complete:
                    self.shift.materialize(x.shape[-1:])
                    self.shift.zero_()

            def forward(self, x):
                return x * self.scale + self.shift

        return LazyScale()


def test_own_lazy_module():
    def program(lib):
        layer = Own.make(lib)
        x = lib.ones(2, 3)
        return [
            list(layer.state_dict()), layer(x), layer(x), layer.calls, type(layer).__name__,
            dict(layer.state_dict()),
        ]  # fmt: skip

    agree(program)


def test_own_lazy_module_that_forgets_a_buffer():
    assert agree(lambda lib: Own.make(lib, complete=False)(lib.ones(2, 3))) is not None


def test_mixin_without_initialize_parameters():
    def program(lib):
        class Lazy(lib.nn.modules.lazy.LazyModuleMixin, lib.nn.Module):
            pass

        Lazy()(lib.ones(2))

    assert agree(program) is not None


def test_in_a_sequence():
    def program(lib):
        lib.manual_seed(3)
        model = lib.nn.Sequential(lib.nn.LazyLinear(4), lib.nn.ReLU(), lib.nn.LazyLinear(1))
        return [model(lib.ones(2, 3)), repr(model), dict(model.state_dict())]

    agree(program)
