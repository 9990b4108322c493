"""grad, backward, grad modes, tensor hooks and functional, mostly against PyTorch."""

import gc
import itertools
import threading
import warnings
import weakref

import numpy as np
import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.autograd import functional, hooks


def vector(lib, *values, grad=True, dtype="float32"):
    values = values or (1.0, 2.0, 3.0)
    return lib.tensor(values, dtype=getattr(lib, dtype), requires_grad=grad)


# --- grad and backward: values ----------------------------------------------------------


def grad_of_sum(lib):
    x = vector(lib)
    return lib.autograd.grad((x * x).sum(), x)


def several_outputs(lib):
    x, y = vector(lib), vector(lib, 4.0, 5.0, 6.0)
    v = lib.tensor([1.0, 10.0, 100.0])
    return lib.autograd.grad([x * y, (x * x).sum()], [x, y], [v, None])


def same_output_twice(lib):
    x = vector(lib)
    y = (x * x).sum()
    return lib.autograd.grad([y, y], x)


def same_input_twice(lib):
    x = vector(lib)
    return lib.autograd.grad((x * x).sum(), [x, x])


def output_is_input(lib):
    x = vector(lib)
    return lib.autograd.grad(x, x, lib.tensor([1.0, 2.0, 3.0]))


def output_is_input_and_used(lib):
    x = vector(lib)
    return lib.autograd.grad([x, x * x], x, [lib.tensor([1.0, 2.0, 3.0])] * 2)


def non_leaf_inputs(lib):
    x = vector(lib)
    h = x * 2
    k = h * h
    return lib.autograd.grad((k * k).sum(), [k, h, x])


def leaf_upstream_of_non_leaf_only(lib):
    x = vector(lib)
    h = x * 2
    lib.autograd.grad((h * h).sum(), h)
    return x.grad


def unused_allowed(lib):
    x, z = vector(lib), vector(lib)
    return lib.autograd.grad((x * x).sum(), [x, z], allow_unused=True)


def unused_materialized(lib):
    x, z = vector(lib), vector(lib)
    return lib.autograd.grad((x * x).sum(), [x, z], materialize_grads=True)


def dictionary_of_inputs(lib):
    x, z = vector(lib), vector(lib)
    return lib.autograd.grad((x * z).sum(), {"a": x, "b": z})


def more_gradients_than_outputs(lib):
    x = vector(lib)
    v = lib.tensor([1.0, 1.0, 1.0])
    return lib.autograd.grad([x * x], [x], [v, v])


def gradient_in_other_dtype(lib):
    x = vector(lib)
    return lib.autograd.grad(x * x, x, lib.tensor([1, 2, 3]))


def batched(lib):
    x = vector(lib)
    eye = lib.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return lib.autograd.grad(x * x, x, eye, is_grads_batched=True)


def one_element(lib):
    x = lib.tensor([[3.0]], requires_grad=True)
    (x * x).backward()
    return x.grad


def backward_of_several(lib):
    x = vector(lib)
    lib.autograd.backward([(x * x).sum(), x * x], [None, lib.tensor([1.0, 2.0, 3.0])])
    return x.grad


def backward_of_nothing(lib):
    return lib.autograd.backward([])


def backward_to_inputs(lib):
    x, y = vector(lib), vector(lib)
    h = x * y
    h.sum().backward(inputs=[h, x, x])
    return x.grad, y.grad, h.grad


def backward_to_one_input(lib):
    x, y = vector(lib), vector(lib)
    (x * y).sum().backward(inputs=y)
    return x.grad, y.grad


def accumulates(lib):
    x = vector(lib)
    (x * x).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    return x.grad, first, first is x.grad


def graph_without_saved_values_twice(lib):
    x = vector(lib)
    y = (x + x).reshape(3, 1).sum()
    y.backward()
    y.backward()
    return x.grad


def retained(lib):
    x = vector(lib)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


def freed(lib):
    x = vector(lib)
    y = (x * x).sum()
    y.backward()
    y.backward()


def freed_for_grad(lib):
    x = vector(lib)
    y = (x * x).sum()
    lib.autograd.grad(y, x)
    return lib.autograd.grad(y, x, allow_unused=True)


def freed_branch_beside_the_path(lib):
    x = vector(lib)
    y = x * x
    lib.autograd.grad(y.sum(), x)
    z = x * 3
    return lib.autograd.grad((y + z).sum(), z)


def freed_only_where_walked(lib):
    x, y = vector(lib), vector(lib)
    a, b = x * x, y * y
    s = (a + b).sum()
    lib.autograd.grad(s, x)
    return lib.autograd.grad(s, y)


def shared_stem(lib):
    x = vector(lib)
    stem = x * x
    (stem * 2).sum().backward(retain_graph=True)
    (stem + 3).sum().backward()
    return x.grad


def second_order(lib):
    x = vector(lib)
    (g,) = lib.autograd.grad((x * x * x).sum(), x, create_graph=True)
    (h,) = lib.autograd.grad(g.sum(), x, create_graph=True)
    return g, h, lib.autograd.grad(h.sum(), x)


def gradient_penalty(lib):
    w, x = vector(lib), vector(lib, 0.5, -0.5, 2.0)
    (g,) = lib.autograd.grad((w * x * x).sum(), x, create_graph=True)
    ((g * g).sum() - 1).backward()
    return w.grad, x.grad


def grad_of_create_graph_is_differentiable(lib):
    x = vector(lib)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (x * x * x).sum().backward(create_graph=True)
    g, x.grad = x.grad, None
    g.sum().backward()
    return g.requires_grad, x.grad


def tracked_gradient(lib):
    x, v = vector(lib), vector(lib, 1.0, 10.0, 100.0)
    (g,) = lib.autograd.grad(x * x, x, v, create_graph=True)
    return g, lib.autograd.grad(g.sum(), [x, v])


def tracked_gradient_without_create_graph(lib):
    x, v = vector(lib), vector(lib)
    (g,) = lib.autograd.grad(x * x, x, v)
    return g.requires_grad


def requires_grad_switched_off_later(lib):
    x, y = vector(lib), vector(lib)
    z = x * y
    x.requires_grad_(False)
    z.sum().backward()
    return x.grad, y.grad


def broadcast_inputs(lib):
    x, row, one = lib.ones(4, 3, requires_grad=True), vector(lib), vector(lib, 2.0)
    return lib.autograd.grad((x * row * one).sum(), [x, row, one])


def under_no_grad(lib):
    x = vector(lib)
    with lib.no_grad():
        y = (x * x).sum()
    return lib.autograd.grad(y, x)


def backward_inside_no_grad(lib):
    x = vector(lib)
    y = (x * x).sum()
    with lib.no_grad():
        y.backward()
    return x.grad


def create_graph_inside_no_grad(lib):
    x = vector(lib)
    y = (x * x).sum()
    with lib.no_grad():
        (g,) = lib.autograd.grad(y, x, create_graph=True)
    return g.requires_grad, lib.is_grad_enabled()


def integer_copy_is_cut(lib):
    x = vector(lib)
    return lib.autograd.grad((x * x).sum().long(), x)


def into_an_untracked_grad(lib):
    x = vector(lib)
    x.grad = lib.tensor([10.0, 10.0, 10.0])
    g = x.grad
    x.sum().backward()
    return x.grad, g


PROGRAMS = [
    grad_of_sum, several_outputs, same_output_twice, same_input_twice, output_is_input,
    output_is_input_and_used, non_leaf_inputs, leaf_upstream_of_non_leaf_only, unused_allowed,
    unused_materialized, dictionary_of_inputs, more_gradients_than_outputs,
    gradient_in_other_dtype, batched, one_element, backward_of_several, backward_of_nothing,
    backward_to_inputs, backward_to_one_input, accumulates, graph_without_saved_values_twice,
    retained, freed, freed_for_grad, freed_branch_beside_the_path, freed_only_where_walked,
    shared_stem, second_order, gradient_penalty, grad_of_create_graph_is_differentiable,
    tracked_gradient, tracked_gradient_without_create_graph, requires_grad_switched_off_later,
    broadcast_inputs, under_no_grad, backward_inside_no_grad, create_graph_inside_no_grad,
    integer_copy_is_cut, into_an_untracked_grad,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_same_as_pytorch(program):
    agree(program)


# --- grad and backward: errors ----------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("index 1 appears to not have been used", lambda t, x, z, n, g: g((x * x).sum(), [x, z])),
        ("index 0 appears to not have been used", lambda t, x, z, n, g: g((x * x).sum(), [z, x])),
        ("index 0 appears to not have been used", lambda t, x, z, n, g: g([], [x])),
        ("allow_unused=False", lambda t, x, z, n, g: g(
            x.sum(), [x, z], materialize_grads=True, allow_unused=False)),
        ("does not require grad.*index 1", lambda t, x, z, n, g: g(x.sum(), [x, n])),
        ("does not require grad", lambda t, x, z, n, g: g(x.sum(), n, allow_unused=True)),
        ("element 0 of tensors does not require grad", lambda t, x, z, n, g: g(n.sum(), x)),
        ("element 1 of tensors does not require", lambda t, x, z, n, g: g([x.sum(), n.sum()], x)),
        ("only for scalar outputs, got shape", lambda t, x, z, n, g: g(x * x, x)),
        (r"grad_output\[0\] has a shape", lambda t, x, z, n, g: g(x * x, x, t.ones(2))),
        (r"grad_output\[1\] has a shape", lambda t, x, z, n, g: g(
            [x.sum(), x * x], x, [None, t.ones(1, 3)])),
        ("not iterable", lambda t, x, z, n, g: g(x * x, x, 3.0)),
        ("either Tensors or None, but got float", lambda t, x, z, n, g: g(x * x, x, [3.0])),
        ("got 2 tensors and 1 gradients", lambda t, x, z, n, g: g([x * x, x], x, [t.ones(3)])),
        ("got 2 tensors and 1 gradients", lambda t, x, z, n, g: g([x * x, x], x, t.ones(3))),
        ("cannot be empty", lambda t, x, z, n, g: g(x.sum(), [])),
        ("have to be Tensors", lambda t, x, z, n, g: g(x.sum(), [3])),
        ("not iterable", lambda t, x, z, n, g: g(3, x)),
        ("cannot be empty", lambda t, x, z, n, g: t.autograd.backward(x.sum(), inputs=[])),
        ("element 1", lambda t, x, z, n, g: t.autograd.backward([x.sum(), n.sum()])),
        ("requires_grad|require grad", lambda t, x, z, n, g: x.sum().backward(inputs=n)),
        ("scalar outputs", lambda t, x, z, n, g: x.backward()),
        ("does not require grad", lambda t, x, z, n, g: n.sum().backward()),
        ("shape", lambda t, x, z, n, g: x.backward(t.ones(4))),
        ("Variable data has to be a tensor", lambda t, x, z, n, g: t.autograd.Variable(3)),
    ],
)  # fmt: skip
def test_errors(message, call):
    def program(lib):
        return call(lib, vector(lib), vector(lib), vector(lib, grad=False), lib.autograd.grad)

    error = agree(program)
    assert error is not None
    with pytest.raises(type(error), match=message):
        raise error


def test_second_walk_names_the_op_and_the_remedy():
    x = tg.ones(2, requires_grad=True)
    y = x * x
    y.sum().backward()
    with pytest.raises(RuntimeError, match=r"second time: what mul saved.*retain_graph=True"):
        y.sum().backward()


def test_grad_variables_is_the_old_name():
    x = tg.ones(2, requires_grad=True)
    with pytest.warns(FutureWarning, match="deprecated"):
        tg.autograd.backward(x * 2, grad_variables=tg.tensor([1.0, 3.0]))
    assert x.grad.tolist() == [2.0, 6.0]
    with pytest.raises(RuntimeError, match="both passed"):
        tg.autograd.backward(x, tg.ones(2), grad_variables=tg.ones(2))


def test_batched_needs_one_leading_size():
    x = tg.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="leading dimension"):
        tg.autograd.grad(x.sum(), x, tg.tensor(1.0), is_grads_batched=True)
    with pytest.raises(ValueError, match="only_inputs"):
        tg.autograd.grad(x.sum(), x, only_inputs=False)


def test_failed_walk_leaves_the_mode_as_it_was():
    x = tg.ones(2, requires_grad=True)
    x.register_hook(lambda g: 1 / 0)
    y = (x * x).sum()
    for create_graph, switch in itertools.product((False, True), (tg.no_grad, tg.enable_grad)):
        with switch():
            before = tg.is_grad_enabled()
            with pytest.raises(ZeroDivisionError):
                y.backward(retain_graph=True, create_graph=create_graph)
            assert tg.is_grad_enabled() == before
    assert tg.is_grad_enabled()


# --- grad and backward: memory ----------------------------------------------------------


def arrays_of(*tensors):
    return [t._array for t in tensors]


def assert_apart(*arrays):
    for i, a in enumerate(arrays):
        for b in arrays[:i]:
            assert not np.shares_memory(a, b)


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_own_their_memory(create_graph):
    x, y = tg.ones(3, requires_grad=True), tg.ones(3, requires_grad=True)
    v = tg.tensor([1.0, 2.0, 3.0])
    h = x + y
    k = h + 0.0
    found = tg.autograd.grad([k, x], [k, h, x, y, x], [v, v], create_graph=create_graph)
    (expanded,) = tg.autograd.grad(x.sum(), x, create_graph=create_graph)
    assert_apart(*arrays_of(v, *found))
    for t in (*found, expanded):
        assert t._array.flags.writeable
        assert 0 not in t._array.strides


@pytest.mark.parametrize("create_graph", [False, True])
def test_grad_of_a_root_leaf_is_its_own(create_graph):
    x, v = tg.ones(3, requires_grad=True), tg.ones(3)
    x.backward(v, create_graph=create_graph)
    assert_apart(*arrays_of(v, x.grad))


def test_scalar_gradients_are_writable_arrays():
    x, y = tg.tensor(2.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)
    (a,) = tg.autograd.grad(x, x)
    b, c = tg.autograd.grad(x + y, [x, y])
    (x * y + x).backward()
    for t in (a, b, c, x.grad, y.grad):
        assert type(t._array) is np.ndarray
        t._array[...] = 7.0
    assert_apart(*arrays_of(a, b, c, x.grad, y.grad))
    assert tg.autograd.grad(x, x)[0].item() == 1.0


def test_assigned_grad_of_shared_elements_is_replaced():
    x = tg.ones(3, requires_grad=True)
    x.grad = tg.tensor(2.0).expand(3)
    x.sum().backward()
    assert x.grad.tolist() == [3.0] * 3
    flat = tg.zeros(6)
    x.grad = flat[:3]
    x.sum().backward()
    assert flat.tolist() == [1.0] * 3 + [0.0] * 3  # a buffer that holds all gradients is kept


def test_kept_gradients_are_their_own():
    x, v, seen = tg.ones(3, requires_grad=True), tg.ones(3), []
    h = x + 0.0
    h.retain_grad()
    x.register_hook(seen.append)
    h.register_hook(seen.append)
    (h + 0.0).backward(v)
    assert_apart(*arrays_of(v, h.grad, x.grad))
    assert not np.shares_memory(seen[1]._array, x.grad._array)


def test_fan_out_does_not_write_into_passed_gradients():
    # The walk sums in place what it summed itself, and only that.
    x = tg.ones(3, requires_grad=True)
    v = tg.tensor([1.0, 1.0, 1.0])
    h = x + 0.0
    parts = [h + 0.0 for _ in range(5)]
    total = tg.autograd.grad(parts, [h, *parts], [v] * 5)
    assert total[0].tolist() == [5.0] * 3
    assert all(t.tolist() == [1.0] * 3 for t in total[1:])
    assert v.tolist() == [1.0] * 3


def test_only_wanted_inputs_are_differentiated():
    calls = []

    class Spy(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            calls.append(1)
            return g

    x, y = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    h = Spy.apply(x)
    out = (h * y).sum()
    tg.autograd.grad(out, [h, y], retain_graph=True)
    assert calls == []
    tg.autograd.grad(out, x)
    assert calls == [1]


def test_vjps_of_unwanted_inputs_do_not_run():
    from tensorgrad._registry import OPS, Op

    ran = []

    def forward(x, y):
        return x * y

    own = Op(forward, name="watched product")
    assert "watched product" not in OPS
    own.vjp(
        x=lambda g, y: (ran.append("x"), g * y)[1],
        y=lambda g, x: (ran.append("y"), g * x)[1],
    )
    x, y = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    out = own.apply((x, y), {}).sum()
    tg.autograd.grad(out, y, retain_graph=True)
    assert ran == ["y"]
    out.backward()
    assert ran == ["y", "x", "y"]


@pytest.mark.parametrize("create_graph", [False, True])
def test_graph_dies_with_its_last_output(create_graph):
    gc.collect()
    gc.disable()
    try:
        x = tg.ones(3, requires_grad=True)
        h = (x * x).exp()
        node = weakref.ref(h.grad_fn)
        (g,) = tg.autograd.grad(h.sum(), x, create_graph=create_graph)
        del h, g
        assert node() is None
    finally:
        gc.enable()


def test_saved_arrays_go_while_backward_runs():
    gc.collect()
    gc.disable()
    try:
        x = tg.ones(3, requires_grad=True)
        h = x.exp()
        saved = weakref.ref(h._array)
        alive = []
        x.register_hook(lambda g: alive.append(saved() is not None))
        y = (h * h).sum()
        del h
        y.backward()
        assert alive == [False]
    finally:
        gc.enable()


def test_hundred_thousand_operations():
    x = tg.ones((), requires_grad=True, dtype=tg.float64)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    (g,) = tg.autograd.grad(y, x)
    assert g.item() == 1.0
    del y


def test_second_order_of_a_long_chain():
    x = tg.ones((), requires_grad=True, dtype=tg.float64)
    y = x
    for _ in range(2_000):
        y = y * 1.0
    (g,) = tg.autograd.grad(y * x, x, create_graph=True)
    (h,) = tg.autograd.grad(g, x)
    assert (g.item(), h.item()) == (2.0, 2.0)


# --- freshness --------------------------------------------------------------------------


def changed_input(lib):
    x = vector(lib)
    h = x * 1
    y = h * h
    h.add_(1)
    y.sum().backward()


def changed_index(lib):
    x = vector(lib)
    i = lib.tensor([0, 1])
    y = x[i]
    i.add_(1)
    y.sum().backward()


def changed_but_not_needed(lib):
    x = vector(lib)
    h = x * 1
    y = h + h
    h.add_(1)
    y.sum().backward()
    return x.grad


def changed_leaf_without_recording(lib):
    x = vector(lib)
    y = x * x
    with lib.no_grad():
        x.mul_(2)
    y.sum().backward()


def changed_off_the_path(lib):
    x, z = vector(lib), vector(lib)
    h = x * 1
    y = h * h
    h.add_(1)
    return lib.autograd.grad((y * z).sum(), [y, z])


def changed_through_a_view(lib):
    x = vector(lib)
    h = x * 1
    y = h.exp()
    with lib.no_grad():
        y[:1].zero_()
    y.sum().backward()


@pytest.mark.parametrize(
    "program",
    [changed_input, changed_index, changed_but_not_needed, changed_leaf_without_recording,
     changed_off_the_path, changed_through_a_view],
    ids=lambda p: p.__name__,
)  # fmt: skip
def test_changed_values(program):
    error = agree(program)
    if program not in (changed_but_not_needed, changed_off_the_path):
        assert "modified by an inplace operation" in str(error)
        assert "clone()" in str(error)


# --- grad modes -------------------------------------------------------------------------


def modes(lib):
    seen = [lib.is_grad_enabled(), lib.is_inference_mode_enabled()]
    with lib.no_grad():
        seen.append(lib.is_grad_enabled())
        with lib.enable_grad():
            seen.append(lib.is_grad_enabled())
        seen.append(lib.is_grad_enabled())
        with lib.inference_mode():
            seen += [lib.is_grad_enabled(), lib.is_inference_mode_enabled()]
            with lib.inference_mode(False):
                seen += [lib.is_grad_enabled(), lib.is_inference_mode_enabled()]
        seen += [lib.is_grad_enabled(), lib.is_inference_mode_enabled()]
    return [*seen, lib.is_grad_enabled()]


def setter(lib):
    seen = []
    try:
        lib.set_grad_enabled(False)
        seen.append(lib.is_grad_enabled())
        lib.set_grad_enabled(True)
        seen.append(lib.is_grad_enabled())
        with lib.set_grad_enabled(False):
            seen.append(lib.is_grad_enabled())
        seen.append(lib.is_grad_enabled())
    finally:
        lib.set_grad_enabled(True)
    return seen


def setter_as_decorator(lib):
    @lib.set_grad_enabled(False)
    def off():
        return lib.is_grad_enabled()

    return lib.is_grad_enabled(), off(), lib.is_grad_enabled(), off()


def decorators(lib):
    @lib.no_grad()
    def a():
        return lib.is_grad_enabled()

    @lib.no_grad
    def b():
        return lib.is_grad_enabled()

    @lib.inference_mode
    def c():
        return lib.is_grad_enabled(), lib.is_inference_mode_enabled()

    @lib.inference_mode()
    def d():
        return lib.is_grad_enabled(), lib.is_inference_mode_enabled()

    @lib.enable_grad()
    def e():
        return lib.is_grad_enabled()

    with lib.no_grad():
        inner = e()
    return a(), b(), c(), d(), e(), inner, lib.is_grad_enabled(), a.__name__


def recursive(lib):
    @lib.no_grad()
    def down(n):
        return [lib.is_grad_enabled(), *(down(n - 1) if n else [])]

    return down(3), lib.is_grad_enabled()


def generator(lib):
    @lib.no_grad()
    def steps():
        try:
            got = yield lib.is_grad_enabled()
            got = yield (got, lib.is_grad_enabled())
        except KeyError:
            got = yield ("caught", lib.is_grad_enabled())
        return lib.is_grad_enabled()

    seen = []
    it = steps()
    seen += [next(it), lib.is_grad_enabled(), it.send("a"), lib.is_grad_enabled()]
    seen += [it.throw(KeyError()), lib.is_grad_enabled()]
    try:
        next(it)
    except StopIteration as stop:
        seen.append(stop.value)
    return seen


def closed_generator(lib):
    closed = []

    @lib.no_grad()
    def steps():
        try:
            yield 1
        finally:
            closed.append(lib.is_grad_enabled())

    it = steps()
    next(it)
    it.close()
    return closed, lib.is_grad_enabled()


def failing_generator(lib):
    @lib.no_grad()
    def steps():
        yield 1
        raise KeyError("x")

    return list(steps())


def exception(lib):
    try:
        with lib.no_grad():
            raise KeyError
    except KeyError:
        return lib.is_grad_enabled()


def leaf_made_under_no_grad(lib):
    with lib.no_grad():
        x = vector(lib)
        y = x * 2
    return x.requires_grad, y.requires_grad, (x * 2).requires_grad


@pytest.mark.parametrize(
    "program",
    [modes, setter, setter_as_decorator, decorators, recursive, generator, closed_generator,
     failing_generator, exception, leaf_made_under_no_grad],
    ids=lambda p: p.__name__,
)  # fmt: skip
def test_grad_modes(program):
    agree(program)
    assert tg.is_grad_enabled()
    assert not tg.is_inference_mode_enabled()


def test_one_switch_entered_twice():
    for switch in (tg.no_grad(), tg.inference_mode()):
        with switch:
            with switch:
                assert not tg.is_grad_enabled()
            assert not tg.is_grad_enabled()
        assert tg.is_grad_enabled()
    assert not tg.is_inference_mode_enabled()


def test_setter_entered_twice():
    switch = tg.set_grad_enabled(False)
    with switch:
        with switch:
            assert not tg.is_grad_enabled()
        assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()
    assert repr(switch) == "set_grad_enabled(mode=False)"


@pytest.mark.parametrize("bad", [3, "a", None])
def test_modes_want_bools(bad):
    with pytest.raises(TypeError, match="must be bool"):
        tg.set_grad_enabled(bad)
    with pytest.raises(TypeError, match="decorates functions"):
        tg.inference_mode(bad)
    assert tg.is_grad_enabled()


def test_classes_are_not_decorated():
    with pytest.raises(TypeError, match="decorate its methods"):
        tg.no_grad()(int)
    with pytest.raises(TypeError, match="decorates functions"):
        tg.no_grad(True)


def test_modes_are_per_thread():
    seen, entered, leave = [], threading.Event(), threading.Event()

    def other():
        with tg.no_grad():
            entered.set()
            leave.wait(10)
            seen.append(tg.is_grad_enabled())
        seen.append(tg.is_grad_enabled())

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(10)
    x = tg.ones(1, requires_grad=True)
    assert tg.is_grad_enabled()
    assert (x * 2).requires_grad
    leave.set()
    thread.join()
    assert seen == [False, True]


def test_decorated_function_in_two_threads():
    barrier = threading.Barrier(2)

    @tg.no_grad()
    def off():
        barrier.wait(10)
        return tg.is_grad_enabled()

    results = []

    def other():
        with tg.no_grad():
            off()
            results.append(tg.is_grad_enabled())

    thread = threading.Thread(target=other)
    thread.start()
    off()
    thread.join()
    assert (results, tg.is_grad_enabled()) == ([False], True)


def test_engine_forgets_no_mode():
    from tensorgrad import _graph

    before = _graph.special
    for _ in range(3):
        with tg.no_grad(), tg.enable_grad(), tg.inference_mode():
            pass
        x = tg.ones(2, requires_grad=True)
        (x * x).sum().backward(retain_graph=True)
        tg.autograd.grad((x * x).sum(), x, create_graph=True)
    assert _graph.special == before


def test_two_threads_add_to_one_leaf():
    x = tg.zeros(200_000, requires_grad=True)

    def work():
        for _ in range(20):
            (x * 1.0).backward(tg.ones(200_000))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert np.all(x.grad.numpy() == 80.0)


# --- hooks ------------------------------------------------------------------------------


def hook_replaces_on_leaf(lib):
    x = vector(lib)
    x.register_hook(lambda g: g * 10)
    (x * x).sum().backward()
    return x.grad, lib.autograd.grad((x * x).sum(), x)


def hook_replaces_on_non_leaf(lib):
    x = vector(lib)
    h = x * 2
    h.register_hook(lambda g: g * 10)
    y = (h * h).sum()
    return lib.autograd.grad(y, h, retain_graph=True), lib.autograd.grad(y, x)


def hooks_in_order(lib):
    x = vector(lib)
    seen = []
    x.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: seen.append(g.clone()))
    x.register_hook(lambda g: g * 2)
    x.sum().backward()
    return seen, x.grad


def hook_sees_the_sum_once(lib):
    x = vector(lib)
    seen = []
    h = x * 2
    h.register_hook(lambda g: seen.append(g.clone()))
    (h + h * h).sum().backward()
    return seen


def hook_removed(lib):
    x = vector(lib)
    handle = x.register_hook(lambda g: g * 10)
    with x.register_hook(lambda g: g * 100):
        x.sum().backward()
    first, x.grad = x.grad, None
    handle.remove()
    handle.remove()
    x.sum().backward()
    return first, x.grad


def hook_removes_itself(lib):
    x = vector(lib)
    handles = []

    def once(g):
        handles[0].remove()
        return g * 10

    handles.append(x.register_hook(once))
    x.register_hook(lambda g: g + 1)
    x.sum().backward()
    x.sum().backward()
    return x.grad


def hook_stays_with_the_old_value(lib):
    x = vector(lib)
    h = x * 2
    seen = []
    h.register_hook(lambda g: seen.append(g.clone()))
    h.mul_(3)
    h.sum().backward()
    return seen


def hook_does_not_record(lib):
    x = vector(lib)
    seen = []
    x.register_hook(lambda g: seen.append((lib.is_grad_enabled(), g.requires_grad)))
    (x * x).sum().backward()
    lib.autograd.grad((x * x).sum(), x, create_graph=True)
    return seen


def second_order_through_hook(lib):
    x = vector(lib)
    h = x * x
    h.register_hook(lambda g: g * g)
    (g,) = lib.autograd.grad((h * h).sum(), x, create_graph=True)
    return g, lib.autograd.grad(g.sum(), x)


def hook_in_only_one_branch(lib):
    x = vector(lib)
    seen = []
    h = x * 2
    h.register_hook(lambda g: seen.append(g))
    lib.autograd.grad((x * 3).sum(), x)
    return len(seen)


def retain(lib):
    x = vector(lib)
    h = x * 2
    h.retain_grad()
    h.retain_grad()
    (h * h).sum().backward(retain_graph=True)
    (h * h).sum().backward()
    return h.grad, h.retains_grad, x.retains_grad


def retain_after_hooks(lib):
    x = vector(lib)
    h = x * 2
    h.retain_grad()
    h.register_hook(lambda g: g * 10)
    h.sum().backward()
    return h.grad


def retain_on_leaf(lib):
    x = vector(lib)
    x.retain_grad()
    x.sum().backward()
    return x.grad, x.retains_grad


def retain_under_grad(lib):
    x = vector(lib)
    h = x * 2
    h.retain_grad()
    return lib.autograd.grad((h * h).sum(), x), h.grad


def retain_across_in_place(lib):
    x = vector(lib)
    h = x * 2
    h.retain_grad()
    h.mul_(3)
    h.sum().backward()
    return h.grad, h.retains_grad


def retain_with_graph(lib):
    x = vector(lib)
    h = x * 2
    h.retain_grad()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (h * h * h).sum().backward(create_graph=True)
    return h.grad, lib.autograd.grad(h.grad.sum(), h)


def post_accumulate(lib):
    x = vector(lib)
    seen = []
    handle = x.register_post_accumulate_grad_hook(lambda leaf: seen.append(leaf.grad.clone()))
    (x * x).sum().backward()
    (x * x).sum().backward(inputs=[x])
    lib.autograd.grad((x * x).sum(), x)
    handle.remove()
    (x * x).sum().backward()
    return seen, x.grad


def post_accumulate_frees(lib):
    x = vector(lib)

    def step(leaf):
        with lib.no_grad():
            leaf -= 0.5 * leaf.grad
        leaf.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * x).sum().backward()
    return x, x.grad


def post_accumulate_runs_while_the_walk_does(lib):
    a, b, c = vector(lib), vector(lib), vector(lib)
    seen = []
    for name, leaf in (("a", a), ("b", b), ("c", c)):
        leaf.register_post_accumulate_grad_hook(lambda leaf, name=name: seen.append(name))
    h = a * 2
    h.register_hook(lambda g: seen.append("h"))
    k = h * b * a
    k.register_hook(lambda g: seen.append("k"))
    (k * c).sum().backward()
    return seen, a.grad, b.grad, c.grad


def post_accumulate_on_a_root(lib):
    a, b = vector(lib), vector(lib)
    seen = []
    a.register_post_accumulate_grad_hook(lambda leaf: seen.append(leaf.grad.clone()))
    b.register_post_accumulate_grad_hook(lambda leaf: seen.append(leaf.grad.clone()))
    lib.autograd.backward([a, a * b], [lib.ones(3), lib.ones(3)])
    return sorted(seen, key=lambda g: g.sum().item()), a.grad, b.grad


def nested_backward_in_hook(lib):
    x, z = vector(lib), vector(lib)

    def hook(g):
        (z * z).sum().backward()

    x.register_hook(hook)
    (x * x).sum().backward()
    return x.grad, z.grad, lib.is_grad_enabled()


def hook_of_other_shape(lib):
    x = vector(lib)
    x.register_hook(lambda g: g[:2])
    x.sum().backward()


def hook_of_other_dtype(lib):
    x = vector(lib)
    x.register_hook(lambda g: g.double())
    x.sum().backward()


def hook_of_other_type(lib):
    x = vector(lib)
    x.register_hook(lambda g: 3)
    x.sum().backward()


def hook_on_untracked(lib):
    vector(lib, grad=False).register_hook(print)


def retain_on_untracked(lib):
    vector(lib, grad=False).retain_grad()


def post_accumulate_on_non_leaf(lib):
    (vector(lib) * 2).register_post_accumulate_grad_hook(print)


def post_accumulate_on_untracked(lib):
    vector(lib, grad=False).register_post_accumulate_grad_hook(print)


HOOKS = [
    hook_replaces_on_leaf, hook_replaces_on_non_leaf, hooks_in_order, hook_sees_the_sum_once,
    hook_removed, hook_removes_itself, hook_stays_with_the_old_value, hook_does_not_record,
    second_order_through_hook, hook_in_only_one_branch, retain, retain_after_hooks,
    retain_on_leaf, retain_under_grad, retain_across_in_place, retain_with_graph,
    post_accumulate, post_accumulate_frees, post_accumulate_runs_while_the_walk_does,
    post_accumulate_on_a_root, nested_backward_in_hook, hook_of_other_shape,
    hook_of_other_dtype, hook_of_other_type, hook_on_untracked, retain_on_untracked,
    post_accumulate_on_non_leaf, post_accumulate_on_untracked,
]  # fmt: skip


@pytest.mark.parametrize("program", HOOKS, ids=lambda p: p.__name__)
def test_hooks(program):
    agree(program)


def test_hook_must_be_callable():
    with pytest.raises(TypeError, match="callable"):
        tg.ones(2, requires_grad=True).register_hook(3)


def test_hook_errors_name_the_hook():
    def halve(g):
        return g[:1]

    x = tg.ones(2, requires_grad=True)
    x.register_hook(halve)
    with pytest.raises(RuntimeError, match=r"'halve'.*size.*\(2,\).*\(1,\)"):
        x.sum().backward()


def test_retained_gradient_does_not_keep_the_tensor():
    x = tg.ones(2, requires_grad=True)
    h = x * 2
    h.retain_grad()
    ref = weakref.ref(h)
    y = h.sum()
    del h
    assert ref() is None
    y.backward()


def test_grad_of_a_non_leaf_warns():
    x = tg.ones(2, requires_grad=True)
    h = x * 2
    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert h.grad is None
    h.retain_grad()
    assert h.grad is None
    assert x.grad is None
    assert tg.ones(2).grad is None


def test_handle_is_the_same_for_leaves_and_others():
    x = tg.ones(2, requires_grad=True)
    assert isinstance(x.register_hook(print), hooks.RemovableHandle)
    assert isinstance((x * 2).register_hook(print), hooks.RemovableHandle)


def node_hooks(lib):
    x = vector(lib)
    seen = []
    y = x * x * x
    y.grad_fn.register_hook(lambda gi, go: seen.append((gi, go)))
    y.grad_fn.register_prehook(lambda go: (go[0] * 2,))
    y.sum().backward()
    return seen, x.grad


def node_hook_replaces(lib):
    x = vector(lib)
    y = x * x
    handle = y.grad_fn.register_hook(lambda gi, go: (gi[0] * 10, gi[1]))
    y.sum().backward(retain_graph=True)
    handle.remove()
    y.sum().backward()
    return x.grad


def node_hook_of_wrong_length(lib):
    x = vector(lib)
    y = x * x
    y.grad_fn.register_hook(lambda gi, go: (gi[0],))
    y.sum().backward()


def node_names(lib):
    x = vector(lib)
    y = x * x
    (a, i), (b, j) = y.grad_fn.next_functions
    return y.grad_fn.name(), a.name(), i, j, a.variable is x, b.variable is x


def node_chain(lib):
    x = vector(lib)
    y = (x * 2).sum()
    ((mul, _),) = y.grad_fn.next_functions
    return y.grad_fn.name(), mul.name(), x.grad_fn


def leaves_are_the_same_objects(lib):
    x = vector(lib)
    y, z = x * x, x + x
    (a, _), (b, _) = y.grad_fn.next_functions
    return a is b, a is z.grad_fn.next_functions[0][0], a.next_functions


def scalar_gradient_changed_in_a_hook(lib):
    x = lib.tensor(2.0, requires_grad=True)
    y = x * 3
    y.register_hook(lambda g: g.mul_(10))
    y.backward()
    z = x * 1
    z.backward()
    return x.grad


@pytest.mark.parametrize(
    "program",
    [
        node_hooks,
        node_hook_replaces,
        node_hook_of_wrong_length,
        node_names,
        node_chain,
        leaves_are_the_same_objects,
        scalar_gradient_changed_in_a_hook,
    ],
    ids=lambda p: p.__name__,
)
def test_nodes(program):
    agree(program)


def leaves_are_the_same_objects(lib):
    x = vector(lib)
    y, z = x * x, x + x
    (a, _), (b, _) = y.grad_fn.next_functions
    return a is b, a is z.grad_fn.next_functions[0][0], a.next_functions


def scalar_gradient_changed_in_a_hook(lib):
    x = lib.tensor(2.0, requires_grad=True)
    y = x * 3
    y.register_hook(lambda g: g.mul_(10))
    y.backward()
    z = x * 1
    z.backward()
    return x.grad


def test_node_hooks_under_create_graph():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * gi[0], gi[1]))
    (g,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [2.0, 6.0]  # x + x squared
    assert tg.autograd.grad(g.sum(), x)[0].tolist() == [3.0, 5.0]


# --- functional -------------------------------------------------------------------------


def x3(lib):
    return lib.tensor([1.0, 2.0, 3.0])


def y2(lib):
    return lib.tensor([1.0, 0.5])


def cubes(x):
    return (x * x * x).sum()


FUNCTIONAL = {
    "jacobian": lambda t, f: f.jacobian(lambda x: x * x, x3(t)),
    "jacobian matrix": lambda t, f: f.jacobian(
        lambda x: x.reshape(3, 1) * x.reshape(1, 3), x3(t)),
    "jacobian tuples": lambda t, f: f.jacobian(
        lambda x, y: (x.sum() * y, x * y.sum()), (x3(t), y2(t))),
    "jacobian one-tuple out": lambda t, f: f.jacobian(lambda x: (x * 2,), x3(t)),
    "jacobian one-tuple in": lambda t, f: f.jacobian(lambda x: x * 2, (x3(t),)),
    "jacobian independent": lambda t, f: f.jacobian(lambda x: y2(t), x3(t)),
    "jacobian independent input": lambda t, f: f.jacobian(lambda x, z: z * 2, (x3(t), y2(t))),
    "jacobian of scalar": lambda t, f: f.jacobian(cubes, x3(t)),
    "jacobian vectorize": lambda t, f: f.jacobian(lambda x: x * x, x3(t), vectorize=True),
    "jacobian captured": lambda t, f: (lambda x: f.jacobian(lambda z: z * x, x))(
        x3(t).requires_grad_()),
    "jacobian strict 0": lambda t, f: f.jacobian(lambda x: y2(t), x3(t), strict=True),
    "jacobian strict 1": lambda t, f: f.jacobian(
        lambda x, z: z * 2, (x3(t), y2(t)), strict=True),
    "jacobian strict 2": lambda t, f: f.jacobian(
        lambda x: x * 2, x3(t), strict=True, create_graph=True),
    "jacobian strict vectorize": lambda t, f: f.jacobian(
        lambda x: x * 2, x3(t), strict=True, vectorize=True),
    "jacobian list": lambda t, f: f.jacobian(lambda x: x * x, [x3(t)]),
    "jacobian number": lambda t, f: f.jacobian(lambda x: x * x, 3),
    "jacobian number in tuple": lambda t, f: f.jacobian(lambda x, y: x, (x3(t), 3)),
    "jacobian number out": lambda t, f: f.jacobian(lambda x: 3, x3(t)),
    "jacobian number in out": lambda t, f: f.jacobian(lambda x: (x, 3), x3(t)),
    "jacobian list out": lambda t, f: f.jacobian(lambda x: [x], x3(t)),
    "jacobian integers": lambda t, f: f.jacobian(lambda x: x * 2, t.tensor([1, 2])),
    "jacobian forward": lambda t, f: f.jacobian(
        lambda x: x, x3(t), strategy="forward-mode"),
    "jacobian unknown": lambda t, f: f.jacobian(lambda x: x, x3(t), strategy="sideways"),
    "hessian": lambda t, f: f.hessian(cubes, x3(t)),
    "hessian tuples": lambda t, f: f.hessian(
        lambda x, y: cubes(x) * (y * y).sum(), (x3(t), y2(t))),
    "hessian one-tuple": lambda t, f: f.hessian(cubes, (x3(t),)),
    "hessian of one element": lambda t, f: f.hessian(lambda x: cubes(x).reshape(1, 1), x3(t)),
    "hessian linear": lambda t, f: f.hessian(lambda x: x.sum(), x3(t)),
    "hessian independent input": lambda t, f: f.hessian(lambda x, y: cubes(x), (x3(t), y2(t))),
    "hessian vector": lambda t, f: f.hessian(lambda x: x, x3(t)),
    "hessian tuple out": lambda t, f: f.hessian(lambda x: (x.sum(),), x3(t)),
    "hessian strict": lambda t, f: f.hessian(lambda x: x.sum(), x3(t), strict=True),
    "hessian forward": lambda t, f: f.hessian(
        cubes, x3(t), outer_jacobian_strategy="forward-mode"),
    "vjp": lambda t, f: f.vjp(lambda x: x * x, x3(t), t.tensor([1.0, 10.0, 100.0])),
    "vjp scalar": lambda t, f: f.vjp(cubes, x3(t)),
    "vjp tuples": lambda t, f: f.vjp(
        lambda x, y: (x * x, y.sum()), (x3(t), y2(t)), (x3(t), t.tensor(2.0))),
    "vjp independent": lambda t, f: f.vjp(lambda x: y2(t), x3(t), y2(t)),
    "vjp no v": lambda t, f: f.vjp(lambda x: x * x, x3(t)),
    "vjp shape": lambda t, f: f.vjp(lambda x: x * x, x3(t), y2(t)),
    "vjp length": lambda t, f: f.vjp(lambda x: (x, x.sum()), x3(t), x3(t)),
    "vjp strict": lambda t, f: f.vjp(lambda x: y2(t), x3(t), y2(t), strict=True),
    "vjp strict linear": lambda t, f: f.vjp(
        lambda x: x * 2, x3(t).requires_grad_(), x3(t), create_graph=True, strict=True),
    "jvp": lambda t, f: f.jvp(lambda x: x * x, x3(t), t.tensor([1.0, 10.0, 100.0])),
    "jvp one element": lambda t, f: f.jvp(lambda x: x * x * x3(t), t.tensor([2.0])),
    "jvp tuples": lambda t, f: f.jvp(
        lambda x, y: (x * y.sum(), y), (x3(t), y2(t)), (x3(t), y2(t))),
    "jvp linear": lambda t, f: f.jvp(lambda x: x * 2, x3(t), x3(t)),
    "jvp linear strict": lambda t, f: f.jvp(lambda x: x * 2, x3(t), x3(t), strict=True),
    "jvp independent": lambda t, f: f.jvp(lambda x: y2(t), x3(t), x3(t)),
    "jvp strict": lambda t, f: f.jvp(lambda x: y2(t), x3(t), x3(t), strict=True),
    "jvp no v": lambda t, f: f.jvp(lambda x: x * x, x3(t)),
    "jvp shape": lambda t, f: f.jvp(lambda x: x * x, x3(t), y2(t)),
    "jvp length": lambda t, f: f.jvp(lambda x: x * x, x3(t), (x3(t), x3(t))),
    "hvp": lambda t, f: f.hvp(cubes, x3(t), t.tensor([1.0, 10.0, 100.0])),
    "hvp tuples": lambda t, f: f.hvp(
        lambda x, y: cubes(x) * (y * y).sum(), (x3(t), y2(t)), (x3(t), y2(t))),
    "hvp linear": lambda t, f: f.hvp(lambda x: x.sum(), x3(t), x3(t)),
    "hvp strict": lambda t, f: f.hvp(lambda x: x.sum(), x3(t), x3(t), strict=True),
    "hvp vector": lambda t, f: f.hvp(lambda x: x, x3(t), x3(t)),
    "hvp no v": lambda t, f: f.hvp(cubes, x3(t)),
    "hvp tuple out": lambda t, f: f.hvp(lambda x: (x.sum(),), x3(t), x3(t)),
    "vhp": lambda t, f: f.vhp(cubes, x3(t), t.tensor([1.0, 10.0, 100.0])),
    "vhp tuples": lambda t, f: f.vhp(
        lambda x, y: cubes(x) * (y * y).sum(), (x3(t), y2(t)), (x3(t), y2(t))),
    "vhp linear": lambda t, f: f.vhp(lambda x: x.sum(), x3(t), x3(t)),
    "vhp strict": lambda t, f: f.vhp(lambda x: x.sum(), x3(t), x3(t), strict=True),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_functional(name):
    agree(lambda lib: FUNCTIONAL[name](lib, lib.autograd.functional))


@pytest.mark.parametrize("name", ["jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"])
def test_functional_create_graph(name):
    """Results can be differentiated, with respect to what the input was computed from."""

    def program(lib):
        x = x3(lib).requires_grad_()
        call = getattr(lib.autograd.functional, name)
        h = x * 2
        v = {"jacobian": (), "hessian": (), "vjp": ()}.get(name, (x3(lib),))
        result = call(cubes, h, *v, create_graph=True)
        result = result if isinstance(result, lib.Tensor) else result[1]
        return result, lib.autograd.grad((result * result).sum(), x)

    agree(program)


def test_functional_results_are_cut_from_the_graph():
    x = tg.ones(2, requires_grad=True)
    out, product = functional.vjp(lambda x: x * x, x, tg.ones(2))
    assert not out.requires_grad
    assert not product.requires_grad
    assert not functional.jacobian(lambda x: x * x, x).requires_grad
    assert x.grad is None


def test_functional_works_under_no_grad():
    with tg.no_grad():
        assert functional.jacobian(lambda x: x * x, tg.tensor([3.0])).tolist() == [[6.0]]
        assert functional.hessian(cubes, tg.tensor([3.0])).tolist() == [[18.0]]
        assert functional.jvp(lambda x: x * x, tg.tensor([3.0]))[1].tolist() == [6.0]


def test_jacobian_of_nothing():
    j = functional.jacobian(lambda x: x[:0], tg.ones(2))
    assert j.shape == (0, 2)


# --- Variable ---------------------------------------------------------------------------


def test_variable_is_a_tensor():
    x = tg.ones(2, requires_grad=True)
    v = tg.autograd.Variable(x)
    assert isinstance(v, tg.Tensor)
    assert isinstance(x, tg.autograd.Variable)
    assert not isinstance(3, tg.autograd.Variable)
    assert not v.requires_grad
    assert tg.autograd.Variable(x, requires_grad=True).requires_grad
    assert tg.autograd.Variable().numel() == 0
    with pytest.warns(UserWarning, match="volatile"):
        tg.autograd.Variable(x, volatile=True)


# --- random programs --------------------------------------------------------------------

SHAPES = [(), (3,), (2, 3), (2, 1)]
MAKE = [
    lambda x, y: -x, lambda x, y: x.tanh(), lambda x, y: x * x, lambda x, y: x.exp(),
    lambda x, y: x.sum(), lambda x, y: x.sigmoid(), lambda x, y: x * 2.0 + 1.0,
    lambda x, y: x.clone(), lambda x, y: x.mean(), lambda x, y: x.relu(),
    lambda x, y: (x * x + 1).sqrt(), lambda x, y: x / (x * x + 2), lambda x, y: x.detach(),
    lambda x, y: x + y, lambda x, y: x * y, lambda x, y: x - y, lambda x, y: x / (y * y + 1),
    lambda x, y: x.reshape(-1), lambda x, y: x.t() if x.dim() == 2 else x,
    lambda x, y: x[0] if x.dim() else x, lambda x, y: x[..., 1:] if x.dim() else x,
    lambda x, y: x[..., ::2] if x.dim() else x, lambda x, y: x.unsqueeze(0) if x.dim() < 2 else x,
    lambda x, y: x.squeeze(), lambda x, y: x.flatten(), lambda x, y: x.view_as(x),
]  # fmt: skip
CHANGE = [
    lambda x, y: x.add_(y), lambda x, y: x.mul_(y), lambda x, y: x.sub_(y),
    lambda x, y: x.tanh_(), lambda x, y: x.zero_(), lambda x, y: x.copy_(y),
    lambda x, y: x.mul_(2.0), lambda x, y: x.exp_(), lambda x, y: x.neg_(), lambda x, y: x.relu_(),
    lambda x, y: x.fill_(0.5), lambda x, y: x.sigmoid_(), lambda x, y: x.div_(2.0),
    lambda x, y: x.clamp_(-0.5, 0.5), lambda x, y: x.__setitem__(..., y),
    lambda x, y: x.__setitem__(0 if x.dim() else ..., y),
    lambda x, y: x.__setitem__((..., slice(1, None)) if x.dim() else ..., y),
]  # fmt: skip


def program_of(seed):
    """Steps (kind, three numbers in [0, 1), values) that make, change and differentiate."""
    rng = np.random.default_rng(seed)
    kinds = ["leaf", "leaf", "make", "make", "make", "make", "change", "change", "quiet change",
             "grad", "second", "backward"]  # fmt: skip
    steps = [
        (kinds[rng.integers(len(kinds))], *rng.random(3), rng.uniform(-1, 1, (2, 3)))
        for _ in range(rng.integers(6, 24))
    ]
    return [*steps, ("end", 0.0, 0.0, 0.0, None)]


def perform(steps, lib):
    """All values that the program comes by, up to its first error."""
    tensors, leaves, seen = [], [], []

    def record(values):
        seen.append([None if v is None else np.array(v.detach().numpy()) for v in values])

    def step(kind, u, v, w, values):
        if kind == "leaf" or not tensors:
            shape = SHAPES[int(u * len(SHAPES))]
            data = values.ravel()[: int(np.prod(shape))].reshape(shape)
            leaves.append(lib.tensor(data, requires_grad=bool(v < 0.7)))
            return tensors.append(leaves[-1])
        x, y = tensors[int(u * len(tensors))], tensors[int(v * len(tensors))]
        tracked = [t for t in leaves if t.requires_grad]
        if kind == "make":
            tensors.append(MAKE[int(w * len(MAKE))](x, y))
        elif kind == "change":
            CHANGE[int(w * len(CHANGE))](x, y)
        elif kind == "quiet change":
            with lib.no_grad():
                CHANGE[int(w * len(CHANGE))](x, y)
        elif kind == "grad":
            record(lib.autograd.grad(x.sum(), tracked, retain_graph=True, allow_unused=True))
        elif kind == "second":
            options = {"allow_unused": True, "retain_graph": True}
            (g,) = lib.autograd.grad((x * x).sum(), tracked[:1], create_graph=True, **options)
            if g is not None:
                record([g, *lib.autograd.grad(g.sum(), tracked, **options)])
        elif kind == "backward":
            x.sum().backward(retain_graph=bool(w < 0.7))
        else:
            for t in tensors:
                if t.requires_grad:
                    t.sum().backward(retain_graph=True)

    try:
        for s in steps:
            step(*s)
    except RuntimeError as error:
        return seen, error
    record(tensors)
    record([t.grad for t in leaves if t.is_leaf])
    seen.append([t.requires_grad for t in tensors])
    return seen, None


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_random_programs_with_views_and_in_place_writes(seed):
    """What PyTorch computes, tensorgrad computes too, and no more of it fails.

    The other way round is allowed: where an in-place operation keeps a copy of what its own
    backward needs, a later write is no error here.
    """
    torch = pytest.importorskip("torch")
    steps = program_of(seed)
    theirs, their_error = perform(steps, torch)
    ours, our_error = perform(steps, tg)
    if their_error is None and our_error is not None:
        raise our_error
    for a, b in zip(ours, theirs, strict=their_error is None):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            if y is None or isinstance(y, bool):
                assert x is y
            else:
                assert x.shape == y.shape
                np.testing.assert_allclose(x, y, rtol=1e-8, atol=1e-10)
