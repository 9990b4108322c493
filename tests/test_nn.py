"""Modules: registration, state, hooks, printing; and layers beside PyTorch's."""

import copy
import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)
        self.heads = nn.ModuleDict({"a": nn.Linear(3, 2), "b": nn.Linear(3, 1)})
        self.scale = nn.Parameter(tg.ones(1))
        self.register_buffer("steps", tg.zeros(1))
        self.register_buffer("cache", tg.zeros(2), persistent=False)

    def forward(self, x):
        h = self.norm(self.first(x)).relu() * self.scale
        return self.heads["a"](h), self.heads["b"](h)


NET_KEYS = [
    "scale", "steps", "first.weight", "first.bias", "norm.weight", "norm.bias",
    "norm.running_mean", "norm.running_var", "norm.num_batches_tracked", "heads.a.weight",
    "heads.a.bias", "heads.b.weight", "heads.b.bias",
]  # fmt: skip


# --- registration -----------------------------------------------------------------------


def test_state_dict_keys_are_pytorchs():
    assert list(Net().state_dict()) == NET_KEYS


def test_named_walks():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        k for k in NET_KEYS if "running" not in k and "num_" not in k and k != "steps"
    ]
    assert [n for n, _ in net.named_modules()] == [
        "", "first", "norm", "heads", "heads.a", "heads.b"
    ]  # fmt: skip
    assert [n for n, _ in net.named_children()] == ["first", "norm", "heads"]
    assert [n for n, _ in net.named_buffers()] == [
        "steps", "cache", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked",
    ]  # fmt: skip


def test_a_shared_parameter_is_walked_once_and_saved_twice():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 3
    assert set(net.state_dict()) == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_assigning_before_init_is_refused():
    class Bad(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
        Bad()


def test_a_parameter_is_not_overwritten_by_something_else():
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="cannot assign 'Tensor' as parameter 'weight'"):
        layer.weight = tg.zeros(2, 2)
    with pytest.raises(TypeError, match="cannot assign 'int' as parameter"):
        layer.weight = 3
    layer.weight = None
    assert [n for n, _ in layer.named_parameters()] == ["bias"]


@pytest.mark.parametrize(
    ("name", "error"), [("a.b", KeyError), ("", KeyError), ("forward", KeyError), (3, TypeError)]
)
def test_bad_names(name, error):
    module = nn.Module()
    for register, value in (
        (module.register_parameter, nn.Parameter(tg.ones(1))),
        (module.register_buffer, tg.ones(1)),
        (module.add_module, nn.Identity()),
    ):
        with pytest.raises(error):
            register(name, value)


def test_parameters_view_writes_through():
    layer = nn.Linear(2, 2)
    assert list(layer._parameters) == ["weight", "bias"]
    del layer._parameters["bias"]
    assert not hasattr(layer, "bias")
    layer._parameters["extra"] = nn.Parameter(tg.ones(1))
    assert [n for n, _ in layer.named_parameters()] == ["weight", "extra"]
    assert list(nn.Sequential(layer)._modules) == ["0"]
    assert list(nn.BatchNorm1d(1)._buffers) == [
        "running_mean", "running_var", "num_batches_tracked",
    ]  # fmt: skip


def test_missing_attribute_names_the_class():
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'nothing'"):
        nn.Linear(1, 1).nothing  # noqa: B018


def test_forward_missing():
    with pytest.raises(NotImplementedError, match="missing the required"):
        nn.Module()(1)


def test_a_module_is_freed_without_the_collector():
    gc.disable()
    try:
        net = Net()
        ref = weakref.ref(net)
        del net
        assert ref() is None
    finally:
        gc.enable()


def test_deepcopy_is_independent():
    net = Net()
    twin = copy.deepcopy(net)
    with tg.no_grad():
        twin.first.weight.zero_()
    assert net.first.weight.abs().sum() > 0
    assert list(twin.state_dict()) == NET_KEYS


# --- state ------------------------------------------------------------------------------


def test_state_dict_round_trip():
    a, b = Net(), Net()
    assert repr(b.load_state_dict(a.state_dict())) == "<All keys matched successfully>"
    for key, value in a.state_dict().items():
        assert tg.equal(value, b.state_dict()[key])


def test_state_dict_shares_memory():
    layer = nn.Linear(2, 2)
    layer.state_dict()["weight"].zero_()
    assert not layer.weight.any()


def test_load_reports_everything_and_changes_nothing():
    net = Net()
    state = {k: v + 1 for k, v in net.state_dict().items()}
    del state["scale"]
    state["other"] = tg.zeros(1)
    state["first.weight"] = tg.zeros(5, 5)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(RuntimeError) as error:
        net.load_state_dict(state)
    text = str(error.value)
    assert 'Missing key(s) in state_dict: "scale"' in text
    assert 'Unexpected key(s) in state_dict: "other"' in text
    assert "size mismatch for first.weight" in text
    for key, value in net.state_dict().items():
        assert tg.equal(value, before[key])


def test_load_not_strict():
    layer = nn.Linear(2, 1)
    result = layer.load_state_dict({"weight": tg.ones(1, 2), "x": tg.ones(1)}, strict=False)
    assert result.missing_keys == ["bias"]
    assert result.unexpected_keys == ["x"]
    assert layer.weight.tolist() == [[1.0, 1.0]]


def test_load_of_something_else():
    with pytest.raises(TypeError, match="dict-like"):
        nn.Linear(1, 1).load_state_dict([1])


# --- modes, conversion, hooks -----------------------------------------------------------


def test_train_and_eval_reach_down_and_return_self():
    net = Net()
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    net.train()
    assert all(m.training for m in net.modules())
    with pytest.raises(ValueError, match="boolean"):
        net.train(1)


def test_apply_visits_children_first():
    seen = []
    nn.Sequential(nn.Linear(1, 1), nn.ReLU()).apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "ReLU", "Sequential"]


def test_double_converts_floats_only_and_keeps_identity():
    net = Net()
    weight = net.first.weight
    assert net.double() is net
    assert net.first.weight is weight
    assert weight.dtype is tg.float64
    assert net.norm.num_batches_tracked.dtype is tg.int64
    assert net.to(tg.float32).first.weight.dtype is tg.float32
    with pytest.raises(TypeError, match="floating point"):
        net.to(tg.int64)
    with pytest.raises(RuntimeError, match="CPU only"):
        net.cuda()


def test_zero_grad():
    layer = nn.Linear(2, 1)
    layer(tg.ones(1, 2)).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0.0, 0.0]]
    layer.zero_grad()
    assert layer.weight.grad is None


def test_hooks_replace_and_are_removed():
    layer = nn.Identity()
    first = layer.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    second = layer.register_forward_hook(lambda m, args, out: out * 10)
    assert layer(tg.ones(1)).item() == 20
    first.remove()
    with second:
        assert layer(tg.ones(1)).item() == 10
    assert layer(tg.ones(1)).item() == 1


def test_a_hook_can_be_put_first():
    layer, order = nn.Identity(), []
    for register in (layer.register_forward_pre_hook, layer.register_forward_hook):
        register(lambda *args: order.append("second"))
        register(lambda *args: order.append("first"), prepend=True)
    layer(tg.ones(1))
    assert order == ["first", "second", "first", "second"]


def test_freezing():
    net = Net().requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


# --- containers -------------------------------------------------------------------------


def test_sequential_as_a_list():
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    assert len(net) == 3
    assert isinstance(net[-1], nn.Linear)
    assert len(net[:2]) == 2
    assert net[0] is net[:1][0]
    with pytest.raises(IndexError):
        net[3]
    net.append(nn.Identity()).insert(0, nn.Flatten())
    assert [type(m).__name__ for m in net] == ["Flatten", "Linear", "ReLU", "Linear", "Identity"]
    del net[0]
    assert next(iter(net.state_dict())) == "0.weight"
    named = nn.Sequential({"a": nn.Linear(1, 1), "b": nn.ReLU()})
    assert list(named.state_dict()) == ["a.weight", "a.bias"]
    assert list(named[:1].state_dict()) == ["a.weight", "a.bias"]


def test_module_list_and_dict():
    layers = nn.ModuleList(nn.Linear(1, 1) for _ in range(2))
    layers += [nn.ReLU()]
    assert len(layers) == 3
    assert layers.pop(-1).__class__ is nn.ReLU
    assert [n for n, _ in layers.named_parameters()] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    heads = nn.ModuleDict([("a", nn.ReLU())])
    heads["b"] = nn.Tanh()
    assert list(heads.keys()) == ["a", "b"]
    assert heads.pop("a").__class__ is nn.ReLU
    assert "a" not in heads
    with pytest.raises(KeyError):
        heads["zz"]
    with pytest.raises(TypeError, match="not a Module subclass"):
        heads["c"] = 3
    with pytest.raises(TypeError):
        nn.ModuleList(3)


def test_parameter_list_and_dict():
    values = nn.ParameterList([tg.ones(1), nn.Parameter(tg.zeros(2))])
    assert [n for n, _ in values.named_parameters()] == ["0", "1"]
    named = nn.ParameterDict({"w": tg.ones(3)})
    assert named["w"].requires_grad


# --- beside PyTorch ---------------------------------------------------------------------

torch = None


@pytest.fixture(autouse=True)
def _torch(request):
    global torch
    if "beside" in request.node.name:
        torch = pytest.importorskip("torch")


def close(ours, theirs, rtol=1e-5, atol=1e-6):
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=rtol, atol=atol
    )
    assert str(ours.dtype) == str(theirs.dtype)


def compare(make, *inputs, train=True, steps=1):
    """The same module in both libraries: outputs, gradients and buffers after each call."""
    ours = make(nn).double()
    theirs = make(torch.nn).double()
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    ours.train(train)
    theirs.train(train)
    for _ in range(steps):
        a = [tg.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
        b = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
        out, want = ours(*a), theirs(*b)
        close(out, want, rtol=1e-10, atol=1e-12)
        g = np.random.default_rng(0).standard_normal(tuple(out.shape))
        out.backward(tg.tensor(g))
        want.backward(torch.tensor(g))
    for x, y in zip(a, b, strict=True):
        if y.grad is not None:
            close(x.grad, y.grad, rtol=1e-9, atol=1e-11)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert p.grad is not None, name
        close(p.grad, q.grad, rtol=1e-9, atol=1e-11)
    for x, y in zip(ours.buffers(), theirs.buffers(), strict=True):
        close(x, y, rtol=1e-10)
    assert repr(ours) == repr(theirs)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


LAYERS = {
    "Linear": lambda nn: nn.Linear(4, 3),
    "Linear without bias": lambda nn: nn.Linear(4, 3, bias=False),
    "ReLU": lambda nn: nn.ReLU(),
    "Sigmoid": lambda nn: nn.Sigmoid(),
    "Tanh": lambda nn: nn.Tanh(),
    "GELU": lambda nn: nn.GELU(),
    "GELU tanh": lambda nn: nn.GELU(approximate="tanh"),
    "Softmax": lambda nn: nn.Softmax(dim=1),
    "LogSoftmax": lambda nn: nn.LogSoftmax(dim=-1),
    "Identity": lambda nn: nn.Identity(),
    "Flatten": lambda nn: nn.Flatten(),
    "LeakyReLU": lambda nn: nn.LeakyReLU(0.2),
    "ELU": lambda nn: nn.ELU(),
    "SiLU": lambda nn: nn.SiLU(),
    "Softplus": lambda nn: nn.Softplus(),
    "Dropout in evaluation": lambda nn: nn.Dropout(0.3).eval(),
    "Sequential": lambda nn: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)),
    "ModuleList": lambda nn: nn.Sequential(nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])[0]),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("shape", [(2, 4), (5, 4), (1, 4), (0, 4)])
def test_layer_beside_pytorch(name, shape):
    compare(LAYERS[name], normal(*shape), train="evaluation" not in name)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4), (2, 1, 3, 4)])
def test_linear_of_any_rank_beside_pytorch(shape):
    compare(LAYERS["Linear"], normal(*shape))


@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 4), (2, 3, 1)])
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(
    "kwargs",
    [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}, {"eps": 0.1}],
)
def test_batch_norm_beside_pytorch(shape, train, kwargs):
    compare(lambda nn: nn.BatchNorm1d(3, **kwargs), normal(*shape), train=train, steps=3)


def test_batch_norm_second_derivative_beside_pytorch():
    x = normal(6, 3)
    results = []
    for lib in (tg, torch):
        layer = lib.nn.BatchNorm1d(3).double()
        t = lib.tensor(x, requires_grad=True)
        y = layer(t)
        weights = lib.tensor(normal(6, 3, seed=1))
        (g,) = lib.autograd.grad((y * y * weights).sum(), t, create_graph=True)
        (g * lib.tensor(normal(6, 3, seed=2))).sum().backward()
        results.append((t.grad, layer.weight.grad))
    for ours, theirs in zip(*results, strict=True):
        close(ours, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("shape", "error"), [((1, 3), ValueError), ((4,), ValueError), ((2, 5), RuntimeError)]
)
def test_batch_norm_bad_input_beside_pytorch(shape, error):
    for lib in (tg, torch):
        with pytest.raises(error):
            lib.nn.BatchNorm1d(3)(lib.zeros(shape))


def test_linear_bad_input_beside_pytorch():
    for lib in (tg, torch):
        with pytest.raises(RuntimeError, match=r"4x5|4, 5"):
            lib.nn.Linear(3, 2)(lib.zeros(4, 5))
        with pytest.raises(RuntimeError, match="dtype"):
            lib.nn.Linear(3, 2)(lib.zeros(4, 3, dtype=lib.float64))


def test_dropout_keeps_the_mean_and_repeats_with_the_seed():
    layer = nn.Dropout(0.25)
    tg.manual_seed(3)
    first = layer(tg.ones(1000, 100))
    tg.manual_seed(3)
    assert tg.equal(first, layer(tg.ones(1000, 100)))
    assert abs(first.mean().item() - 1) < 0.01
    assert set(np.unique(first.numpy())) == {np.float32(0), np.float32(1 / 0.75)}


def test_dropout_gradient_is_the_mask():
    x = tg.ones(50, requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    assert tg.equal(x.grad, y.detach())


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_dropout_bad_probability_beside_pytorch(p):
    for lib in (tg, torch):
        with pytest.raises(ValueError, match="between 0 and 1"):
            lib.nn.Dropout(p)
        with pytest.raises(ValueError, match="between 0 and 1"):
            lib.nn.functional.dropout(lib.ones(1), p)


@given(seed=st.integers(0, 2**32 - 1), n_in=st.integers(1, 40), n_out=st.integers(1, 40))
def test_default_initialisation_beside_pytorch(seed, n_in, n_out):
    tg.manual_seed(seed)
    torch.manual_seed(seed)
    ours, theirs = nn.Linear(n_in, n_out), torch.nn.Linear(n_in, n_out)
    assert ours.weight.tolist() == theirs.weight.tolist()
    assert ours.bias.tolist() == theirs.bias.tolist()


INITIALISERS = ["uniform_", "normal_", "ones_", "zeros_", "xavier_uniform_", "xavier_normal_",
                "kaiming_uniform_", "kaiming_normal_", "eye_"]  # fmt: skip


@pytest.mark.parametrize("name", INITIALISERS)
def test_initialiser_beside_pytorch(name):
    results = []
    for lib in (tg, torch):
        lib.manual_seed(5)
        w = lib.nn.Parameter(lib.empty(7, 9))
        assert getattr(lib.nn.init, name)(w) is w
        results.append(w)
    close(*results, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(
    ("name", "settings"),
    [("relu", ()), ("leaky_relu", (0.3,)), ("elu", (0.5,)), ("silu", ()), ("relu6", ()),
     ("hardtanh", (-0.5, 0.7)), ("selu", ()), ("mish", ())],
)  # fmt: skip
def test_functional_activation_beside_pytorch(name, settings, inplace):
    results = []
    for lib in (tg, torch):
        f, x = getattr(lib.nn.functional, name), lib.tensor(normal(3, 4))
        y = f(x, *settings, inplace)
        assert (y is x) == inplace
        results += [y, f(lib.tensor(normal(3, 4)))]
        with pytest.raises(TypeError):
            f(x, *settings, inplace, 1)
    close(results[0], results[2])
    close(results[1], results[3])


def test_initialiser_errors_beside_pytorch():
    for lib in (tg, torch):
        with pytest.raises(ValueError, match="Fan in and fan out"):
            lib.nn.init.xavier_uniform_(lib.empty(3))
        with pytest.raises(ValueError, match="Mode"):
            lib.nn.init.kaiming_uniform_(lib.empty(3, 3), mode="other")
        with pytest.raises(ValueError, match="nonlinearity"):
            lib.nn.init.calculate_gain("other")


def test_repr_beside_pytorch():
    def make(nn):
        return nn.Sequential(
            nn.Linear(2, 3),
            nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh()]),
            nn.ModuleDict({"x": nn.Dropout(0.1), "y": nn.Softmax(dim=1)}),
            nn.Sequential(),
            nn.CrossEntropyLoss(),
            nn.ReLU(inplace=True),
        )

    assert repr(make(nn)) == repr(make(torch.nn))
    assert repr(nn.Parameter(tg.ones(2))) == repr(torch.nn.Parameter(torch.ones(2)))


def test_seeded_training_prints_the_same_losses_beside_pytorch():
    losses = []
    for lib in (tg, torch):
        lib.manual_seed(0)
        model = lib.nn.Sequential(lib.nn.Linear(3, 8), lib.nn.ReLU(), lib.nn.Linear(8, 2))
        optimizer = lib.optim.Adam(model.parameters(), lr=1e-2)
        x, y = lib.randn(64, 3), lib.randint(0, 2, (64,))
        run = []
        for _ in range(30):
            optimizer.zero_grad()
            loss = lib.nn.CrossEntropyLoss()(model(x), y)
            loss.backward()
            optimizer.step()
            run.append(f"{loss.item():.4f}")
        losses.append(run)
    assert losses[0] == losses[1]
