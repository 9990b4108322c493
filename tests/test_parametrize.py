"""Reparametrisations of modules beside PyTorch's."""

import copy
import warnings

import pytest
from both import agree

import tensorgrad as tg
from tensorgrad.nn.utils.weight_norm import norm_except_dim, normalized

LAYERS = {
    "linear": lambda lib: (lib.nn.Linear(3, 5), (2, 3)),
    "square": lambda lib: (lib.nn.Linear(4, 4), (2, 4)),
    "wide": lambda lib: (lib.nn.Linear(5, 3), (2, 5)),
    "conv": lambda lib: (lib.nn.Conv2d(2, 3, 3), (1, 2, 5, 5)),
    "transposed": lambda lib: (lib.nn.ConvTranspose2d(2, 3, 3), (1, 2, 4, 4)),
}


def layer(lib, name):
    lib.manual_seed(0)
    module, shape = LAYERS[name](lib)
    return module.double(), lib.rand(*shape, dtype=lib.float64)


def trained(lib, module, x, steps=3):
    """Outputs, names and gradients over some steps of gradient descent; and the state."""
    seen = []
    optimizer = lib.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        out = module(x)
        (out * out).sum().backward()
        seen.append([out, {n: p.grad for n, p in module.named_parameters()}])
        optimizer.step()
    module.eval()
    return seen, module(x), dict(module.state_dict()), module.weight


def quiet_weight_norm(lib, module, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return lib.nn.utils.weight_norm(module, **kwargs)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dim", [0, 1, None, -1])
def test_weight_norm(name, dim):
    def hooked(lib):
        module, x = layer(lib, name)
        quiet_weight_norm(lib, module, dim=dim)
        result = trained(lib, module, x)
        lib.nn.utils.remove_weight_norm(module)
        return result, dict(module.state_dict()), module(x)

    def parametrized(lib):
        module, x = layer(lib, name)
        lib.nn.utils.parametrizations.weight_norm(module, dim=dim)
        result = trained(lib, module, x)
        lib.nn.utils.parametrize.remove_parametrizations(module, "weight")
        return result, dict(module.state_dict()), type(module).__name__, module(x)

    agree(hooked)
    agree(parametrized)


def test_weight_norm_warns_and_refuses_a_second_one():
    with pytest.warns(FutureWarning, match="deprecated"):
        tg.nn.utils.weight_norm(tg.nn.Linear(2, 2))
    agree(lambda lib: quiet_weight_norm(lib, quiet_weight_norm(lib, lib.nn.Linear(2, 2))))
    agree(lambda lib: lib.nn.utils.remove_weight_norm(lib.nn.Linear(2, 2)))
    agree(lambda lib: quiet_weight_norm(lib, lib.nn.LazyLinear(2)))


def test_old_weight_norm_loads_into_the_new():
    def program(lib):
        old, x = layer(lib, "linear")
        quiet_weight_norm(lib, old)
        new, _ = layer(lib, "linear")
        lib.nn.utils.parametrizations.weight_norm(new)
        with lib.no_grad():
            old.weight_g.mul_(3)
        message = repr(new.load_state_dict(old.state_dict()))
        return message, new(x), old(x)

    agree(program)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("kwargs", [{}, {"n_power_iterations": 3, "eps": 1e-3}, {"dim": 1}])
def test_spectral_norm(name, kwargs):
    def hooked(lib):
        module, x = layer(lib, name)
        lib.nn.utils.spectral_norm(module, **kwargs)
        result = trained(lib, module, x)
        metadata = {k: dict(v) for k, v in module.state_dict()._metadata.items()}
        lib.nn.utils.remove_spectral_norm(module)
        return result, metadata, dict(module.state_dict()), module(x)

    def parametrized(lib):
        module, x = layer(lib, name)
        lib.nn.utils.parametrizations.spectral_norm(module, **kwargs)
        return trained(lib, module, x), repr(module)

    agree(hooked)
    agree(parametrized)


def test_spectral_norm_of_old_state_dicts_and_bad_input():
    def old(lib):
        module, x = layer(lib, "linear")
        lib.nn.utils.spectral_norm(module)
        module(x)
        state = {k: v.clone() for k, v in module.state_dict().items() if k != "weight_v"}
        state["weight"] = module.weight.detach().clone()
        other, _ = layer(lib, "linear")
        lib.nn.utils.spectral_norm(other)
        other.load_state_dict(state)
        return other.weight_v, other.eval()(x)

    agree(old, rtol=1e-5)
    for utils in ("utils", "utils.parametrizations"):

        def spectral(lib, utils=utils):
            where = lib.nn
            for name in utils.split("."):
                where = getattr(where, name)
            return where.spectral_norm

        agree(lambda lib, of=spectral: of(lib)(lib.nn.Linear(2, 2), n_power_iterations=0))
        agree(lambda lib, of=spectral: of(lib)(lib.nn.Linear(2, 2), "nothing"))
        agree(lambda lib, of=spectral: of(lib)(lib.nn.Linear(2, 2, bias=False), "bias"))
        agree(lambda lib, of=spectral: of(lib)(of(lib)(lib.nn.Linear(2, 2))) and None)
    agree(lambda lib: lib.nn.utils.parametrizations.spectral_norm(lib.nn.Linear(2, 2), dim=2))
    agree(
        lambda lib: (
            lib.nn.utils.parametrizations.spectral_norm(lib.nn.LayerNorm(3).double()).weight
        )  # a vector
    )


@pytest.mark.parametrize("name", ["linear", "square", "wide"])
@pytest.mark.parametrize("which", ["matrix_exp", "cayley", "householder", None])
@pytest.mark.parametrize("trivial", [True, False])
def test_orthogonal(name, which, trivial):
    def program(lib):
        module, x = layer(lib, name)
        lib.nn.utils.parametrizations.orthogonal(
            module, orthogonal_map=which, use_trivialization=trivial
        )
        return trained(lib, module, x)

    def assigned(lib):
        module, x = layer(lib, name)
        lib.nn.utils.parametrizations.orthogonal(
            module, orthogonal_map=which, use_trivialization=trivial
        )
        module.weight = lib.linalg.svd(lib.rand(5, 5, dtype=lib.float64))[0][
            : module.weight.shape[0], : module.weight.shape[1]
        ]
        return module.weight, module(x)

    agree(program, rtol=1e-5)
    agree(assigned, rtol=1e-5)


def test_orthogonal_of_batches_and_bad_input():
    def batch(lib):
        lib.manual_seed(0)
        module = lib.nn.Bilinear(3, 2, 4).double()
        lib.nn.utils.parametrizations.orthogonal(module)
        return module.weight

    agree(batch)
    orthogonal = lambda lib: lib.nn.utils.parametrizations.orthogonal  # noqa: E731
    agree(lambda lib: orthogonal(lib)(lib.nn.Linear(2, 2), "bias"))
    agree(lambda lib: orthogonal(lib)(lib.nn.Linear(2, 2), "nothing"))
    agree(lambda lib: orthogonal(lib)(lib.nn.Linear(2, 2), orthogonal_map="no"))


def kinds(lib):
    """Parametrisations of our own."""

    class Symmetric(lib.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).T

        def right_inverse(self, x):
            return x.triu()

    class Exp(lib.nn.Module):
        def forward(self, x):
            return x.exp()

    class Rank(lib.nn.Module):
        def forward(self, a, b):
            return a[:, None] * b

        def right_inverse(self, w):
            return w[:, 0].clone(), w[0].clone()

    class Transposed(lib.nn.Module):
        def forward(self, x):
            return x[:1]

    class Cast(lib.nn.Module):
        def forward(self, x):
            return x.float()

    class Nothing(lib.nn.Module):
        def forward(self, x):
            return None

    return {cls.__name__: cls for cls in (Symmetric, Exp, Rank, Transposed, Cast, Nothing)}


@pytest.mark.parametrize("names", [["Symmetric"], ["Exp"], ["Rank"], ["Exp", "Symmetric"],
                                   ["Symmetric", "Exp"], ["Rank", "Exp"]])  # fmt: skip
def test_own_parametrizations(names):
    def program(lib):
        P = lib.nn.utils.parametrize
        module, x = layer(lib, "square")
        for name in names:
            P.register_parametrization(module, "weight", kinds(lib)[name]())
        inside = P.is_parametrized(module), P.is_parametrized(module, "bias")
        result = trained(lib, module, x), repr(module), type(module).__name__
        twin = copy.deepcopy(module)
        with P.cached():
            same = module.weight is module.weight
        other = lib.nn.Linear(4, 4).double()
        P.transfer_parametrizations_and_params(module, other)
        before = P.type_before_parametrizations(module).__name__
        weight = module.weight
        P.remove_parametrizations(module, "weight")
        after = type(module).__name__, dict(module.state_dict()), module.weight - weight
        return inside, result, twin(x), same, other(x), before, after

    agree(program)


@pytest.mark.parametrize("name", ["Symmetric", "Exp", "Rank"])
def test_assignment_and_removal_of_the_parametrized(name):
    def assign(lib):
        module, x = layer(lib, "square")
        lib.nn.utils.parametrize.register_parametrization(module, "weight", kinds(lib)[name]())
        module.weight = lib.ones(4, 4, dtype=lib.float64)
        return module(x), dict(module.state_dict())

    def remove(lib):
        module, x = layer(lib, "square")
        lib.nn.utils.parametrize.register_parametrization(module, "weight", kinds(lib)[name]())
        original = module.parametrizations.weight
        original = original.original if original.is_tensor else None
        lib.nn.utils.parametrize.remove_parametrizations(module, "weight", False)
        return module(x), module.weight is original

    agree(assign)
    agree(remove)


@pytest.mark.parametrize("name", ["Transposed", "Cast", "Nothing"])
@pytest.mark.parametrize("unsafe", [False, True])
def test_parametrizations_that_do_not_keep_the_tensor(name, unsafe):
    def program(lib, first=None):
        module, _ = layer(lib, "square")
        P = lib.nn.utils.parametrize
        for kind in filter(None, (first, name)):
            P.register_parametrization(module, "weight", kinds(lib)[kind](), unsafe=unsafe)
        return module.weight

    agree(program)
    if name != "Nothing":
        agree(lambda lib: program(lib, "Exp"))


def test_bad_input():
    P = lambda lib: lib.nn.utils.parametrize  # noqa: E731
    agree(lambda lib: P(lib).register_parametrization(lib.nn.Linear(2, 2), "no", lib.nn.ReLU()))
    agree(lambda lib: P(lib).remove_parametrizations(lib.nn.Linear(2, 2), "weight"))
    agree(lambda lib: P(lib).ParametrizationList([], lib.ones(2)))


def test_parametrized_modules_are_copied_and_not_pickled():
    import pickle

    module = tg.nn.utils.parametrizations.weight_norm(tg.nn.Linear(2, 2))
    with pytest.raises(RuntimeError, match="state_dict"):
        pickle.dumps(module)
    twin = copy.deepcopy(module)
    assert twin.parametrizations.weight.original0 is not module.parametrizations.weight.original0
    assert tg.equal(twin.weight, module.weight)


@pytest.mark.parametrize("name", ["Symmetric", "Exp", "Rank"])
def test_second_gradients_through_a_parametrization(name):
    def program(lib):
        module, x = layer(lib, "square")
        lib.nn.utils.parametrize.register_parametrization(module, "weight", kinds(lib)[name]())
        params = list(module.parameters())
        grads = lib.autograd.grad((module(x) ** 3).sum(), params, create_graph=True)
        return lib.autograd.grad(sum((g * g).sum() for g in grads), params)

    agree(program)


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_second_gradients_of_weight_norm(dim):
    """By differences: PyTorch 2.13 fails its own gradgradcheck of torch._weight_norm."""
    v = tg.rand(2, 3, 2, dtype=tg.float64)
    norms = norm_except_dim(v, 2, dim).requires_grad_()
    inputs = v.requires_grad_(), norms
    assert tg.autograd.gradcheck(lambda v, g: normalized(v, g, dim), inputs)
    assert tg.autograd.gradgradcheck(lambda v, g: normalized(v, g, dim), inputs)


def test_recurrent_weights():
    def program(lib):
        lib.manual_seed(0)
        module = lib.nn.LSTM(3, 2).double()
        quiet_weight_norm(lib, module, name="weight_hh_l0")
        out, _ = module(lib.rand(4, 1, 3, dtype=lib.float64))
        out.sum().backward()
        return out, {n: p.grad for n, p in module.named_parameters()}

    agree(program)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_fusion(affine, bias):
    def program(lib, transpose=False):
        lib.manual_seed(0)
        kind = lib.nn.ConvTranspose2d if transpose else lib.nn.Conv2d
        conv, bn = kind(2, 3, 2, bias=bias).double(), lib.nn.BatchNorm2d(3, affine=affine).double()
        bn(conv(lib.rand(4, 2, 5, 5, dtype=lib.float64)))
        x = lib.rand(1, 2, 4, 4, dtype=lib.float64)
        fused = lib.nn.utils.fuse_conv_bn_eval(conv.eval(), bn.eval(), transpose)
        return fused(x), bn(conv(x)) - fused(x), [p.requires_grad for p in fused.parameters()]

    def linear(lib):
        lib.manual_seed(0)
        layer, bn = lib.nn.Linear(2, 3, bias=bias).double(), lib.nn.BatchNorm1d(3).double()
        x = lib.rand(4, 2, dtype=lib.float64)
        bn(layer(x))
        return lib.nn.utils.fuse_linear_bn_eval(layer.eval(), bn.eval())(x)

    agree(program)
    agree(lambda lib: program(lib, True))
    agree(linear)
    agree(lambda lib: lib.nn.utils.fuse_conv_bn_eval(lib.nn.Conv1d(1, 1, 1), lib.nn.BatchNorm1d(1)))


def test_skip_init():
    def program(lib):
        lib.manual_seed(3)
        module = lib.nn.utils.skip_init(lib.nn.Linear, 5, out_features=2, dtype=lib.float64)
        return module.weight.shape, module.weight.dtype == lib.float64, lib.rand(2)

    agree(program)
    agree(lambda lib: lib.nn.utils.skip_init(lib.nn.ReLU))
    agree(lambda lib: lib.nn.utils.skip_init(int))
