"""torch.func beside PyTorch's."""

import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg

# PyTorch's own, in its forward mode and in linearize.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning"),
]


def draw(lib, *shape, seed=0):
    lib.manual_seed(seed)
    return lib.rand(*shape, dtype=lib.float64) + 0.5


def poly(x, y=2.0):
    """Of any shape to a scalar, with all derivatives."""
    return (x**3 * y).sum() + x.sum().sin()


def field(x, y):
    """From two vectors to a dictionary of tensors."""
    return {"a": x.sin() * y, "b": (x * y).sum().exp(), "c": [x[:2] ** 3]}


TRANSFORMS = {
    "grad": lambda lib, f: lib.func.grad(f),
    "grad_and_value": lambda lib, f: lib.func.grad_and_value(f),
    "jacrev": lambda lib, f: lib.func.jacrev(f),
    "jacfwd": lambda lib, f: lib.func.jacfwd(f),
    "hessian": lambda lib, f: lib.func.hessian(f),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_of_a_scalar_function(name, shape):
    agree(lambda lib: TRANSFORMS[name](lib, poly)(draw(lib, *shape)))
    if name.startswith("grad"):  # the others of PyTorch take no keyword arguments
        agree(lambda lib: TRANSFORMS[name](lib, poly)(draw(lib, *shape), y=3.0))


@pytest.mark.parametrize("outer", ["grad", "jacrev", "jacfwd"])
@pytest.mark.parametrize("inner", ["grad", "jacrev", "jacfwd"])
@pytest.mark.parametrize("core", ["grad", "jacrev", "jacfwd"])
def test_nested_three_deep(outer, inner, core):
    def program(lib):
        f = TRANSFORMS[core](lib, poly)
        g = TRANSFORMS[inner](lib, lambda x: (f(x) * x).sum() * x[0])
        return TRANSFORMS[outer](lib, lambda x: (g(x) ** 2).sum())(draw(lib, 3))

    agree(program)


def test_nested_without_confusing_the_levels():
    agree(lambda lib: lib.func.grad(
        lambda x: x * lib.func.grad(lambda y: x * y * y)(x))(draw(lib)))  # fmt: skip
    agree(lambda lib: lib.func.grad(
        lambda x: lib.func.jvp(lambda y: x * y**3, (x,), (x * 2,))[1])(draw(lib)))  # fmt: skip
    agree(lambda lib: lib.func.jvp(
        lambda x: lib.func.grad(lambda y: x.sin() * y * x)(x), (draw(lib),), (draw(lib, seed=1),)
    ))  # fmt: skip
    agree(lambda lib: lib.func.jacfwd(lib.func.jacrev(lib.func.grad(poly)))(draw(lib, 2)))
    agree(lambda lib: lib.func.grad(lambda x: lib.func.hessian(poly)(x).sum())(draw(lib, 2)))


@pytest.mark.parametrize("argnums", [0, 1, -1, (0,), (1, 0), (0, 1), 2, (0, 0), (), "x", (0, "x")])
@pytest.mark.parametrize("name", ["grad", "grad_and_value", "jacrev", "jacfwd", "hessian"])
def test_argnums(name, argnums):
    def program(lib):
        # PyTorch 2.13 returns zeros for jacfwd with a negative position.
        wrong = lib is not tg and name in ("jacfwd", "hessian") and argnums == -1
        f = (lambda x, y: (x * y).sum() ** 2) if "grad" in name else (lambda x, y: x[0] * y**2)
        transformed = getattr(lib.func, name)(f, 1 if wrong else argnums)
        return transformed(draw(lib, 2), draw(lib, 2, seed=1))

    agree(program)


@pytest.mark.parametrize("name", ["grad", "grad_and_value", "jacrev", "jacfwd"])
def test_has_aux(name):
    def program(lib, result):
        f = lambda x: result((x**2).sum(), x)  # noqa: E731
        out = getattr(lib.func, name)(f, has_aux=True)(draw(lib, 3))
        return out, [t.requires_grad for t in lib.utils._pytree.tree_leaves(out)]

    agree(lambda lib: program(lib, lambda v, x: (v, {"x": [x * 2, x.sum()]})))
    agree(lambda lib: program(lib, lambda v, x: v))
    agree(lambda lib: program(lib, lambda v, x: (v, x, x)))


@pytest.mark.parametrize("name", ["jacrev", "jacfwd"])
@pytest.mark.parametrize("argnums", [0, 1, (0, 1)])
def test_jacobians_of_trees(name, argnums):
    def outputs(lib):
        jacobian = getattr(lib.func, name)(field, argnums)
        return jacobian(draw(lib, 3), draw(lib, 3, seed=1))

    def inputs(lib):
        f = lambda p, y: (p["w"] * p["b"][0]).sin() * y  # noqa: E731
        p = {"w": draw(lib, 2, 3), "b": [draw(lib, 3, seed=1)]}
        return getattr(lib.func, name)(f, argnums)(p, draw(lib, 1, seed=2))

    agree(outputs)
    agree(inputs)


def test_grad_of_trees():
    def program(lib):
        params = {"w": draw(lib, 2, 3), "b": (draw(lib, 2, seed=1),)}
        loss = lambda p, x: ((x @ p["w"].T + p["b"][0]) ** 2).mean()  # noqa: E731
        return lib.func.grad_and_value(loss)(params, draw(lib, 4, 3, seed=2))

    agree(program)


def test_what_a_jacobian_function_is_called_with():
    agree(lambda lib: lib.func.jacrev(lib.sin, chunk_size=0))
    agree(lambda lib: lib.func.jacrev(lib.sin, chunk_size=2)(draw(lib, 3)))
    agree(lambda lib: lib.func.jacrev(lambda x: 3)(draw(lib, 3)))
    agree(lambda lib: lib.func.jacrev(lib.sin)(3))
    agree(lambda lib: lib.func.jacrev(lib.sin)(lib.ones(2, dtype=lib.complex64)))
    agree(lambda lib: lib.func.grad(lib.sin)(draw(lib, 3)))
    agree(lambda lib: lib.func.grad(lib.sum)(lib.tensor([1, 2])))
    agree(lambda lib: lib.func.grad(lambda x: 3.0)(draw(lib)))
    agree(lambda lib: lib.func.grad(lambda x: lib.tensor(3.0))(draw(lib, 2)))
    agree(lambda lib: lib.func.jacrev(lambda x: lib.ones(2))(draw(lib, 2)))
    agree(lambda lib: lib.func.jacfwd(lambda x: lib.ones(2))(draw(lib, 2)))
    agree(lambda lib: lib.func.jacrev(lambda x: x * 2)(draw(lib, 0)))


def test_vjp():
    def program(lib):
        out, pull = lib.func.vjp(field, draw(lib, 3), draw(lib, 3, seed=1))
        return out, pull(out), pull(lib.utils._pytree.tree_map(lib.ones_like, out))

    def aux(lib):
        return lib.func.vjp(lambda x: (x * 2, [x]), draw(lib, 3), has_aux=True)[::2]

    agree(program)
    agree(aux)
    agree(lambda lib: lib.func.vjp(lambda x: None, draw(lib)))
    agree(lambda lib: lib.func.vjp(lambda x: 3, draw(lib)))
    agree(lambda lib: lib.func.vjp(lambda x: x > 0, draw(lib)))
    agree(lambda lib: lib.func.vjp(lambda x: x, draw(lib), has_aux=True))
    agree(lambda lib: lib.func.vjp(lib.sin, draw(lib, 2))[1]([draw(lib, 2)]))
    agree(lambda lib: lib.func.grad(lambda v: lib.func.vjp(
        lambda x: x**3, v)[1](v)[0])(draw(lib)))  # fmt: skip


def test_jvp_and_linearize():
    def both(lib):
        primals = draw(lib, 3), draw(lib, 3, seed=1)
        tangents = draw(lib, 3, seed=2), draw(lib, 3, seed=3)
        out, push = lib.func.linearize(field, *primals)
        return lib.func.jvp(field, primals, tangents), out, push(*tangents), push(*primals)

    agree(both)
    agree(lambda lib: lib.func.jvp(
        lambda x: (x * 2, {"x": x}), (draw(lib, 3),), (draw(lib, 3),), has_aux=True))  # fmt: skip
    agree(lambda lib: lib.func.jvp(lib.sin, draw(lib), draw(lib)))
    agree(lambda lib: lib.func.jvp(lib.sin, (draw(lib),), [draw(lib)]))
    agree(lambda lib: lib.func.jvp(lib.sin, (draw(lib),), (draw(lib, 2),)))
    agree(lambda lib: lib.func.jvp(lib.sin, (), ()))
    agree(lambda lib: lib.func.jvp(lambda x: lib.ones(2), (draw(lib),), (draw(lib),)))
    agree(lambda lib: lib.func.jvp(lambda x: lib.ones(2), (draw(lib),), (draw(lib),), strict=True))


def test_results_hang_on_what_the_function_captured():
    def program(lib):
        w = draw(lib, 3, seed=1).requires_grad_()
        x = draw(lib, 3).requires_grad_()
        g = lib.func.grad(lambda x: (w * x**3).sum())
        first = lib.autograd.grad((g(x) ** 2).sum(), (w, x))
        with lib.no_grad():
            cut = g(x)
        plain = lib.func.grad(lambda x: (x**3).sum())(draw(lib, 3))
        return first, cut, cut.requires_grad, g(x).requires_grad, plain.requires_grad

    agree(program)


# --- vmap -------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.data())
def test_vmap_over_drawn_dimensions(shape, data):
    n = len(shape)
    in_dim = data.draw(st.integers(-n, n - 1))
    out_dim = data.draw(st.integers(-n, n - 1))

    def program(lib):
        x = draw(lib, *shape)
        return lib.vmap(lambda x: x.sin() * x.sum(), in_dim, out_dim)(x)

    agree(program)


def test_vmap_of_trees_and_broadcast_dimensions():
    def program(lib):
        x, y = draw(lib, 3, 2), draw(lib, 2, 3, seed=1)
        f = lambda p, s: {"a": p["x"] * p["y"][0], "b": (p["x"].sum() * s, p["y"][0])}  # noqa: E731
        return lib.vmap(f, ({"x": 0, "y": [-1]}, None), {"a": 1, "b": (0, -1)})(
            {"x": x, "y": [y]}, 3.0
        )

    agree(program)
    agree(lambda lib: lib.vmap(lib.dot, (0, None))(draw(lib, 3, 2), draw(lib, 2)))
    agree(lambda lib: lib.vmap(lib.vmap(lib.dot, (0, None)), (None, 0))(
        draw(lib, 3, 2), draw(lib, 4, 2)))  # fmt: skip
    agree(lambda lib: lib.vmap(lambda x, k=1: x * k)(draw(lib, 3), k=2))
    agree(lambda lib: lib.vmap(lambda x: (x, 3), out_dims=(0, None))(draw(lib, 3)))
    agree(lambda lib: lib.vmap(lambda x: lib.ones(2))(draw(lib, 3)))
    agree(lambda lib: lib.vmap(lambda x: x * 2, out_dims=1)(draw(lib, 0, 4)))
    agree(lambda lib: lib.vmap(lambda x: x * 2, chunk_size=2)(draw(lib, 5, 4)))


@pytest.mark.parametrize(
    "program",
    [
        lambda lib: lib.vmap(lib.sin)(3.0),
        lambda lib: lib.vmap(lib.sin)(),
        lambda lib: lib.vmap(lib.sin)(draw(lib)),
        lambda lib: lib.vmap(lib.sin, 1)(draw(lib, 3)),
        lambda lib: lib.vmap(lib.sin, -2)(draw(lib, 3)),
        lambda lib: lib.vmap(lib.sin, None)(draw(lib, 3)),
        lambda lib: lib.vmap(lib.sin, (None,))(draw(lib, 3)),
        lambda lib: lib.vmap(lib.sin, [0])(draw(lib, 3)),
        lambda lib: lib.vmap(lib.sin, (0, 0))(draw(lib, 3)),
        lambda lib: lib.vmap(lib.sin, ("a",))(draw(lib, 3)),
        lambda lib: lib.vmap(lib.add)(draw(lib, 3), draw(lib, 2)),
        lambda lib: lib.vmap(lib.sin, out_dims="a")(draw(lib, 3)),
        lambda lib: lib.vmap(lib.sin, out_dims=(0, 0))(draw(lib, 3)),
        lambda lib: lib.vmap(lib.sin, out_dims=None)(draw(lib, 3)),
        lambda lib: lib.vmap(lambda x: 3)(draw(lib, 3)),
        lambda lib: lib.vmap(lib.sin, chunk_size=0)(draw(lib, 3)),
        lambda lib: lib.vmap(lib.sin, randomness="no")(draw(lib, 3)),
        lambda lib: lib.vmap(lambda x: x + lib.rand(()))(draw(lib, 3)),
    ],
)
def test_vmap_refuses(program):
    assert agree(program) is not None


def test_vmap_with_random_numbers():
    def same(lib):
        x = draw(lib, 3)
        return lib.vmap(lambda x: x + lib.rand(2, dtype=lib.float64), randomness="same")(x), \
            lib.rand(2)  # fmt: skip

    def different(lib):
        x = draw(lib, 3)
        return lib.vmap(lambda x: x + lib.rand(2, dtype=lib.float64), randomness="different")(x), \
            lib.rand(2)  # fmt: skip

    agree(same)
    agree(different)
    state = tg.get_rng_state()
    with pytest.raises(RuntimeError, match="randomness"):
        tg.vmap(lambda x: x + tg.rand(()))(tg.ones(3))
    assert tg.equal(tg.get_rng_state(), state)


def test_vmap_and_derivatives_in_each_other():
    f = lambda x, y: (x.sin() * y).sum() ** 2  # noqa: E731
    agree(lambda lib: lib.vmap(lib.func.grad(f))(draw(lib, 3, 2), draw(lib, 3, 2, seed=1)))
    agree(lambda lib: lib.func.grad(lambda x, y: lib.vmap(f, (0, None))(x, y).prod(), (0, 1))(
        draw(lib, 3, 2), draw(lib, 2, seed=1)))  # fmt: skip
    agree(lambda lib: lib.vmap(lib.func.hessian(f), (0, None))(
        draw(lib, 3, 2), draw(lib, 2, seed=1)))  # fmt: skip
    agree(lambda lib: lib.vmap(lib.func.jacfwd(lib.func.jacrev(f)), (None, 0))(
        draw(lib, 2), draw(lib, 3, 2, seed=1)))  # fmt: skip

    def plain(lib):
        x = draw(lib, 3, 2).requires_grad_()
        out = lib.vmap(lambda row: row / row.norm(), out_dims=1)(x)
        (g,) = lib.autograd.grad((out**3).sum(), x, create_graph=True)
        return out, g, lib.autograd.grad((g**2).sum(), x)

    agree(plain)


# --- modules ----------------------------------------------------------------------------


def model(lib, seed=0):
    lib.manual_seed(seed)
    return lib.nn.Sequential(
        lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4), lib.nn.Tanh(), lib.nn.Linear(4, 2)
    ).double()


def test_functional_call():
    def program(lib):
        net, x = model(lib), draw(lib, 5, 3)
        params = {k: v.detach() * 2 for k, v in net.named_parameters()}
        buffers = {k: v.clone() for k, v in net.named_buffers()}
        out = lib.func.functional_call(net, (params, buffers), x)
        net.eval()  # PyTorch refuses to write running statistics while it differentiates
        loss = lambda p: (lib.func.functional_call(net, p, (x,)) ** 2).sum()  # noqa: E731
        grads = lib.func.grad(loss)(params)
        return out, grads, buffers, dict(net.state_dict()), [type(p).__name__ for p in
                                                            net.parameters()]  # fmt: skip

    agree(program)


def test_per_sample_gradients():
    def program(lib):
        net = model(lib).eval()
        params = {k: v.detach() for k, v in net.named_parameters()}

        def loss(p, x, y):
            return ((lib.func.functional_call(net, p, (x[None],)) - y) ** 2).sum()

        grads = lib.vmap(lib.func.grad(loss), (None, 0, 0))(
            params, draw(lib, 4, 3), draw(lib, 4, 2, seed=1)
        )
        return grads

    agree(program)


def test_functional_call_of_tied_weights_and_bad_input():
    def tied(lib, names, **kwargs):
        lib.manual_seed(0)
        net = lib.nn.Sequential(lib.nn.Linear(2, 2, bias=False), lib.nn.Linear(2, 2, bias=False))
        net[1].weight = net[0].weight
        params = {name: draw(lib, 2, 2, seed=i).float() for i, name in enumerate(names)}
        out = lib.func.functional_call(net, params, lib.ones(1, 2), **kwargs)
        return out, net(lib.ones(1, 2))

    agree(lambda lib: tied(lib, ["0.weight"]))
    agree(lambda lib: tied(lib, ["1.weight"]))
    agree(lambda lib: tied(lib, ["1.weight"], tie_weights=False))
    agree(lambda lib: tied(lib, ["0.weight", "1.weight"]))
    agree(lambda lib: tied(lib, ["0.weight"], strict=True))
    agree(lambda lib: tied(lib, [], strict=True))
    agree(lambda lib: tied(lib, ["nothing.weight"]))
    linear = lambda lib, p, **kw: lib.func.functional_call(  # noqa: E731
        lib.nn.Linear(2, 2), p, lib.ones(2), **kw
    )
    agree(lambda lib: linear(lib, 3))
    agree(lambda lib: linear(lib, [3]))
    agree(lambda lib: linear(lib, ({"weight": lib.ones(2, 2)}, {"weight": lib.ones(2, 2)})))
    agree(lambda lib: linear(lib, {"other": lib.ones(2, 2)}, strict=True))

    def failing(lib):
        net = lib.nn.Linear(2, 2)
        before = net.weight
        with pytest.raises(RuntimeError):
            lib.func.functional_call(net, {"weight": lib.ones(5, 5)}, lib.ones(2))
        return net.weight is before

    assert agree(failing)


def test_ensemble():
    def program(lib):
        models = [model(lib, seed).eval() for seed in range(3)]
        params, buffers = lib.func.stack_module_state(models)
        call = lambda p, b, x: lib.func.functional_call(models[0], (p, b), (x,))  # noqa: E731
        out = lib.vmap(call, (0, 0, None))(params, buffers, draw(lib, 5, 3))
        out.sum().backward()
        return out, params, buffers, {k: p.grad for k, p in params.items()}

    agree(program)
    stack = lambda lib: lib.func.stack_module_state  # noqa: E731
    agree(lambda lib: stack(lib)([]))
    agree(lambda lib: stack(lib)([model(lib), model(lib).eval()]))
    agree(lambda lib: stack(lib)([model(lib), lib.nn.Linear(2, 2)]))
    agree(lambda lib: stack(lib)([lib.nn.Linear(2, 2), lib.nn.Linear(2, 2).requires_grad_(False)]))


def test_batch_norm_without_running_statistics():
    def program(lib):
        net = lib.func.replace_all_batch_norm_modules_(model(lib))
        return net(draw(lib, 4, 3)), dict(net.state_dict())

    agree(program)


def test_stateless():
    with pytest.warns(FutureWarning):
        out = tg.nn.utils.stateless.functional_call(
            tg.nn.Linear(2, 1, bias=False), {"weight": tg.ones(1, 2)}, tg.ones(2)
        )
    assert out.item() == 2


def test_a_first_derivative_keeps_no_graph():
    x = tg.ones(1000)
    gradient = tg.func.grad(lambda x: (x.sin() * x).sum())(x)
    assert gradient.grad_fn is None
    assert not gradient.requires_grad
    assert not x.requires_grad
