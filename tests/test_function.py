"""autograd.Function: custom operations, mostly against PyTorch."""

import gc
import weakref

import numpy as np
import pytest
from both import agree

import tensorgrad as tg
from tensorgrad.autograd.function import FunctionCtx, once_differentiable


def custom(lib, forward, backward, name="Foo", **others):
    """A Function from two plain functions."""
    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type(name, (lib.autograd.Function,), {**methods, **others})


def vector(lib, *values, grad=True):
    return lib.tensor(values or (1.0, 2.0, 3.0), requires_grad=grad)


def square(lib):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g

    return custom(lib, forward, backward, "Square")


def exponential(lib):
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    return custom(lib, forward, lambda ctx, g: g * ctx.saved_tensors[0], "Exponential")


def product(lib):
    """x * y * k for a number k, and the sum x + y."""

    def forward(ctx, x, y, k=1.0):
        ctx.save_for_backward(x, y)
        ctx.k = k
        return x * y * k, x + y

    def backward(ctx, g, h):
        x, y = ctx.saved_tensors
        return g * y * ctx.k + h, g * x * ctx.k + h, None

    return custom(lib, forward, backward, "Product")


# --- values -----------------------------------------------------------------------------


def first_order(lib):
    x = vector(lib)
    y = square(lib).apply(x)
    y.sum().backward()
    return y, x.grad, y.requires_grad, y.is_leaf


def names(lib):
    y = square(lib).apply(vector(lib))
    ((leaf, i),) = y.grad_fn.next_functions
    return y.grad_fn.name(), leaf.name(), i, repr(y).replace(" ", "")


def inside_a_graph(lib):
    x = vector(lib)
    y = (square(lib).apply(x * 3) * 2).sum()
    return lib.autograd.grad(y, x)


def second_order_through_input(lib):
    x = vector(lib)
    (g,) = lib.autograd.grad(square(lib).apply(x * x).sum(), x, create_graph=True)
    (h,) = lib.autograd.grad(g.sum(), x, create_graph=True)
    return g, h, lib.autograd.grad(h.sum(), x)


def second_order_through_output(lib):
    x = vector(lib)
    (g,) = lib.autograd.grad(exponential(lib).apply(x * x).sum(), x, create_graph=True)
    (h,) = lib.autograd.grad(g.sum(), x, create_graph=True)
    return g, h, lib.autograd.grad(h.sum(), x)


def second_order_through_attributes(lib):
    def forward(ctx, x):
        ctx.x, ctx.y = x, x.exp()
        return ctx.y

    x = vector(lib)
    f = custom(lib, forward, lambda ctx, g: g * ctx.y + 0 * ctx.x)
    (g,) = lib.autograd.grad(f.apply(x * x).sum(), x, create_graph=True)
    return g, lib.autograd.grad(g.sum(), x)


def second_order_in_the_gradient(lib):
    x, v = vector(lib), vector(lib, 1.0, 10.0, 100.0)
    (g,) = lib.autograd.grad(square(lib).apply(x), x, v, create_graph=True)
    return lib.autograd.grad(g.sum(), [x, v])


def several_outputs(lib):
    x, y = vector(lib), vector(lib, 4.0, 5.0, 6.0)
    p, s = product(lib).apply(x, y, 2.0)
    (p * s).sum().backward()
    return p, s, x.grad, y.grad


def only_one_output_used(lib):
    x, y = vector(lib), vector(lib, 4.0, 5.0, 6.0)
    p, s = product(lib).apply(x, y, 2.0)
    p.sum().backward(retain_graph=True)
    first = x.grad.clone(), y.grad.clone()
    s.sum().backward()
    return first, x.grad, y.grad


def one_output_used_twice(lib):
    x, y = vector(lib), vector(lib, 4.0, 5.0, 6.0)
    p, s = product(lib).apply(x, y, 2.0)
    (p * p + s + s).sum().backward()
    return x.grad, y.grad


def several_outputs_second_order(lib):
    x, y = vector(lib), vector(lib, 4.0, 5.0, 6.0)
    p, s = product(lib).apply(x, y, 2.0)
    gx, gy = lib.autograd.grad((p * s).sum(), [x, y], create_graph=True)
    return lib.autograd.grad((gx * gy).sum(), [x, y])


def gradient_of_outputs(lib):
    x, y = vector(lib), vector(lib, 4.0, 5.0, 6.0)
    p, s = product(lib).apply(x, y)
    return lib.autograd.grad((p * s).sum(), [p, s, x])


def saved_outputs_of_several(lib):
    def forward(ctx, x):
        a, b = x.exp(), x * x
        ctx.save_for_backward(a, b, x)
        return a, b

    def backward(ctx, g, h):
        a, b, x = ctx.saved_tensors
        return g * a + h * 2 * x + 0 * b

    x = vector(lib)
    a, b = custom(lib, forward, backward).apply(x)
    (g,) = lib.autograd.grad((a * b).sum(), x, create_graph=True)
    return g, lib.autograd.grad(g.sum(), x)


def output_dropped(lib):
    x, y = vector(lib), vector(lib, 4.0, 5.0, 6.0)
    p, s = product(lib).apply(x, y, 3.0)
    del s
    return lib.autograd.grad(p.sum(), [x, y])


def hooks_on_outputs(lib):
    x, y = vector(lib), vector(lib, 4.0, 5.0, 6.0)
    p, s = product(lib).apply(x, y)
    seen = []
    p.register_hook(lambda g: seen.append(g.clone()))
    s.register_hook(lambda g: g * 100)
    s.retain_grad()
    (p + s).sum().backward()
    return seen, s.grad, x.grad, y.grad


def non_tensor_outputs(lib):
    got = []

    def backward(ctx, *grads):
        got.append(grads)
        return grads[0] * 2 + grads[3] * 3

    f = custom(lib, lambda ctx, x: (x * 2, 3, "a", x * 3, None), backward)
    x = vector(lib)
    out = f.apply(x)
    out[3].sum().backward()
    return out, got, x.grad


def only_non_tensor_output(lib):
    f = custom(lib, lambda ctx, x: 3, lambda ctx, g: None)
    return f.apply(vector(lib)), custom(lib, lambda ctx, x: None, None).apply(vector(lib))


def list_output_is_not_tracked(lib):
    out = custom(lib, lambda ctx, x: [x * 2, x * 3], None).apply(vector(lib))
    return type(out).__name__, [t.requires_grad for t in out], out


def list_input_is_not_tracked(lib):
    return custom(lib, lambda ctx, xs: xs[0] * 2, None).apply([vector(lib)]).requires_grad


def one_tuple_output(lib):
    f = custom(lib, lambda ctx, x: (x * 2,), lambda ctx, g: g * 2)
    x = vector(lib)
    out = f.apply(x)
    out[0].sum().backward()
    return out, x.grad


def none_gradient(lib):
    x = vector(lib)
    f = custom(lib, lambda ctx, x: x * 2, lambda ctx, g: None)
    f.apply(x).sum().backward()
    return x.grad, lib.autograd.grad(f.apply(x).sum(), x, allow_unused=True)


def none_gradient_refused(lib):
    x = vector(lib)
    f = custom(lib, lambda ctx, x: x * 2, lambda ctx, g: None)
    return lib.autograd.grad(f.apply(x).sum(), x)


def needs_input_grad(lib):
    seen = []

    def forward(ctx, x, y, k, z=2):
        seen.append(ctx.needs_input_grad)
        return x * y

    def backward(ctx, g):
        seen.append(ctx.needs_input_grad)
        return g, g, *([None] * (len(ctx.needs_input_grad) - 2))

    f = custom(lib, forward, backward)
    x, y = vector(lib), vector(lib, grad=False)
    f.apply(x, y, 3).sum().backward()
    f.apply(x, y, 3, 4).sum().backward()
    f.apply(x, y, k=3).sum().backward()
    with lib.no_grad():
        f.apply(x, y, 3)
    return seen, x.grad


def modes_inside(lib):
    seen = []

    def forward(ctx, x):
        seen.append((lib.is_grad_enabled(), x.requires_grad, (x * 2).requires_grad))
        return x * 2

    def backward(ctx, g):
        seen.append((lib.is_grad_enabled(), g.requires_grad, (g * 2).requires_grad))
        return g * 2

    f = custom(lib, forward, backward)
    x = vector(lib)
    f.apply(x).sum().backward()
    y = f.apply(x)
    lib.autograd.grad((y * y).sum(), x, create_graph=True)
    return seen, lib.is_grad_enabled()


def keyword_arguments(lib):
    x, y = vector(lib), vector(lib, 4.0, 5.0, 6.0)
    p, _ = product(lib).apply(y=y, x=x, k=2.0)
    p.sum().backward()
    return x.grad, y.grad


def unknown_keyword(lib):
    product(lib).apply(vector(lib), z=3)


def too_many_arguments(lib):
    square(lib).apply(vector(lib), 3, 4)


def too_few_arguments(lib):
    square(lib).apply()


def unmaterialized(lib):
    got = []

    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    def backward(ctx, g, h):
        got.append((g, h))
        return h * 3

    x = vector(lib)
    custom(lib, forward, backward).apply(x)[1].sum().backward()
    return got, x.grad


def non_differentiable(lib):
    got = []

    def forward(ctx, x):
        order, copy = x.long(), x * 1
        ctx.mark_non_differentiable(order, copy)
        return x * 2, order, copy

    def backward(ctx, *grads):
        got.append(grads)
        return grads[0] * 2

    x = vector(lib)
    out = custom(lib, forward, backward).apply(x)
    out[0].sum().backward()
    return out, [t.requires_grad for t in out], got, x.grad


def integer_output(lib):
    f = custom(lib, lambda ctx, x: x.long(), lambda ctx, g: g)
    return f.apply(vector(lib)).requires_grad


def nothing_tracked(lib):
    y = square(lib).apply(vector(lib, grad=False))
    return y, y.requires_grad


def under_no_grad(lib):
    x = vector(lib)
    with lib.no_grad():
        y = square(lib).apply(x)
        z = custom(lib, lambda ctx, x: x, None).apply(x)
    return y.requires_grad, z.requires_grad, z is x, x.requires_grad


def setup_context(lib):
    seen = []

    class Scale(lib.autograd.Function):
        @staticmethod
        def forward(x, k=2):
            return x * k

        @staticmethod
        def setup_context(ctx, inputs, output):
            seen.append((len(inputs), inputs[1], output.requires_grad, lib.is_grad_enabled()))
            ctx.k = inputs[1]
            ctx.save_for_backward(inputs[0], output)

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return g * ctx.k + 0 * x * y, None

    x = vector(lib)
    for y in (Scale.apply(x), Scale.apply(x, 3), Scale.apply(x, k=5), Scale.apply(k=7, x=x)):
        y.sum().backward()
    return seen, x.grad


def named_vjp(lib):
    class Seven(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 7

        @staticmethod
        def vjp(ctx, g):
            return g * 7

    x = vector(lib)
    Seven.apply(x).sum().backward()
    return x.grad


def both_backward_and_vjp(lib):
    f = custom(lib, lambda ctx, x: x * 2, lambda ctx, g: g, vjp=staticmethod(lambda ctx, g: g))
    f.apply(vector(lib)).sum().backward()


def broadcast_gradient_is_summed(lib):
    f = custom(lib, lambda ctx, x: x * 2, lambda ctx, g: g.expand(4, 3))
    x = vector(lib)
    f.apply(x).sum().backward()
    return x.grad


def gradient_of_other_dtype_is_cast(lib):
    f = custom(lib, lambda ctx, x: x * 2, lambda ctx, g: g.double())
    x = vector(lib)
    f.apply(x).sum().backward()
    y = f.apply(x * x)
    (g,) = lib.autograd.grad((y * y).sum(), x, create_graph=True)
    return x.grad, g, lib.autograd.grad(g.sum(), x)


def gradient_for_untracked_input_is_ignored(lib):
    f = custom(lib, lambda ctx, x, y: x * y, lambda ctx, g: (g, g))
    x, y = vector(lib), vector(lib, grad=False)
    f.apply(x, y).sum().backward()
    return x.grad, y.grad


def extra_nones(lib):
    f = custom(lib, lambda ctx, x: x * 2, lambda ctx, g: (g, None, None))
    x = vector(lib)
    f.apply(x).sum().backward()
    return x.grad


def saved_none(lib):
    def forward(ctx, x):
        ctx.save_for_backward(None, x)
        return x * 1

    x = vector(lib)
    f = custom(lib, forward, lambda ctx, g: g * (ctx.saved_tensors[0] is None))
    f.apply(x).sum().backward()
    return x.grad


def saved_intermediate(lib):
    def forward(ctx, x):
        half = x * 0.5
        ctx.save_for_backward(half)
        return half * half

    x = vector(lib)
    f = custom(lib, forward, lambda ctx, g: g * ctx.saved_tensors[0])
    f.apply(x).sum().backward()
    return x.grad


def saved_tensors_require_grad(lib):
    seen = []

    def forward(ctx, x, n):
        y = x * n
        ctx.save_for_backward(x, n, y)
        return y

    def backward(ctx, g):
        seen.extend((t.requires_grad, t.is_leaf) for t in ctx.saved_tensors)
        return g, None

    x = vector(lib)
    custom(lib, forward, backward).apply(x, vector(lib, grad=False)).sum().backward()
    custom(lib, forward, backward).apply(x * 2, vector(lib, grad=False)).sum().backward()
    return seen


def nothing_saved_walks_twice(lib):
    f = custom(lib, lambda ctx, x: x * 2, lambda ctx, g: g * 2)
    x = vector(lib)
    y = f.apply(x).sum()
    y.backward()
    y.backward()
    return x.grad


def walked_twice(lib):
    y = square(lib).apply(vector(lib)).sum()
    y.backward()
    y.backward()


def saved_tensors_after_freeing(lib):
    y = square(lib).apply(vector(lib))
    y.sum().backward()
    return y.grad_fn.saved_tensors


def saved_tensors_of_node(lib):
    y = square(lib).apply(vector(lib))
    return y.grad_fn.saved_tensors, y.grad_fn.needs_input_grad


def retained(lib):
    x = vector(lib)
    y = square(lib).apply(x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


def changed_saved_input(lib):
    x = vector(lib)
    h = x * 1
    y = square(lib).apply(h)
    h.mul_(2)
    y.sum().backward()


def changed_saved_output(lib):
    y = exponential(lib).apply(vector(lib))
    with lib.no_grad():
        y.mul_(2)
    y.sum().backward()


def recomputation_inside_backward(lib):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.exp() * x

    def backward(ctx, g):
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with lib.enable_grad():
            y = x.exp() * x
        return lib.autograd.grad(y, x, g)[0]

    x = vector(lib)
    custom(lib, forward, backward).apply(x).sum().backward()
    return x.grad, lib.is_grad_enabled()


def same_input_twice(lib):
    f = custom(lib, lambda ctx, x, y: x * y, lambda ctx, g: (g * 2, g * 3))
    x = vector(lib)
    f.apply(x, x).sum().backward()
    return x.grad


def straight_through(lib):
    def forward(ctx, x):
        return x.round()

    x = vector(lib, 0.4, 1.6, 2.5)
    custom(lib, forward, lambda ctx, g: g).apply(x * 2).sum().backward()
    return x.grad


def reversal_returns_its_input(lib):
    f = custom(lib, lambda ctx, x: x, lambda ctx, g: -g)
    x = vector(lib)
    y = f.apply(x)
    (y * y).sum().backward()
    return y is x, x.grad, x.is_leaf, y.is_leaf


PROGRAMS = [
    first_order, names, inside_a_graph, second_order_through_input, second_order_through_output,
    second_order_in_the_gradient, second_order_through_attributes, several_outputs,
    only_one_output_used, one_output_used_twice,
    several_outputs_second_order, gradient_of_outputs, saved_outputs_of_several, output_dropped,
    hooks_on_outputs, non_tensor_outputs, only_non_tensor_output, list_output_is_not_tracked,
    list_input_is_not_tracked, one_tuple_output, none_gradient, none_gradient_refused,
    needs_input_grad, modes_inside, keyword_arguments, unknown_keyword, too_many_arguments,
    too_few_arguments, unmaterialized, non_differentiable, integer_output, nothing_tracked,
    under_no_grad, setup_context, named_vjp, both_backward_and_vjp, broadcast_gradient_is_summed,
    gradient_of_other_dtype_is_cast, gradient_for_untracked_input_is_ignored, extra_nones,
    saved_none, saved_intermediate, saved_tensors_require_grad, nothing_saved_walks_twice,
    walked_twice, saved_tensors_after_freeing, saved_tensors_of_node, retained,
    changed_saved_input, changed_saved_output, recomputation_inside_backward, same_input_twice,
    straight_through, reversal_returns_its_input,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_same_as_pytorch(program):
    agree(program)


# --- in-place forwards ------------------------------------------------------------------


def doubling(lib):
    """Doubles its first argument in place, and hands the others through multiplied by it."""

    def forward(ctx, x, *others):
        x.mul_(2)
        ctx.mark_dirty(x)
        return (x, *(y * x for y in others)) if others else x

    def backward(ctx, g, *others):
        return (g * 2, *(h * 3 for h in others))

    return custom(lib, forward, backward, "Doubling")


def dirty(lib):
    x = vector(lib)
    h = x * 1
    y = doubling(lib).apply(h)
    h.sum().backward()
    return y is h, h, h.grad_fn.name(), x.grad


def dirty_then_used(lib):
    x = vector(lib)
    h = x * 1
    doubling(lib).apply(h)
    (h * h).sum().backward()
    return x.grad


def dirty_with_other_output(lib):
    x, z = vector(lib), vector(lib)
    h = x * 1
    y, w = doubling(lib).apply(h, z)
    (y * 5 + w).sum().backward()
    return y is h, w, x.grad, z.grad


def dirty_view(lib):
    x = vector(lib)
    h = x * 1
    part = h[:2]
    y = doubling(lib).apply(part)
    h.sum().backward()
    return y is part, h, "CopySlices" in h.grad_fn.name(), x.grad


def dirty_untracked(lib):
    h = vector(lib, grad=False)
    y = doubling(lib).apply(h)
    return y is h, h, h.requires_grad


def dirty_under_no_grad(lib):
    x = vector(lib)
    h = x * 1
    with lib.no_grad():
        y = doubling(lib).apply(h)
    h.sum().backward()
    return y is h, h, x.grad


def dirty_leaf(lib):
    doubling(lib).apply(vector(lib))


def dirty_not_returned(lib):
    def forward(ctx, x, y):
        x.mul_(2)
        ctx.mark_dirty(x)
        return y * 1

    custom(lib, forward, None).apply(vector(lib) * 1, vector(lib))


def dirty_makes_saved_values_stale(lib):
    x = vector(lib)
    h = x * 1
    y = h * h
    doubling(lib).apply(h)
    y.sum().backward()


def dirty_and_saved(lib):
    def forward(ctx, x):
        x.exp_()
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    x = vector(lib)
    h = x * 1
    custom(lib, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(h)
    (g,) = lib.autograd.grad(h.sum(), x, create_graph=True)
    return g, lib.autograd.grad(g.sum(), x)


def input_returned_then_changed(lib):
    f = custom(lib, lambda ctx, x: x, lambda ctx, g: -g)
    f.apply(vector(lib) * 1).mul_(2)


def view_returned_then_changed(lib):
    f = custom(lib, lambda ctx, x: x.reshape(3, 1), lambda ctx, g: g.reshape(3))
    f.apply(vector(lib) * 1).mul_(2)


def input_returned_then_the_original_changed(lib):
    f = custom(lib, lambda ctx, x: x, lambda ctx, g: -g)
    h = vector(lib) * 1
    y = f.apply(h)
    h.mul_(2)
    return y * 1


def input_returned_dropped_then_changed(lib):
    f = custom(lib, lambda ctx, x: x, lambda ctx, g: -g)
    x = vector(lib)
    h = x * 1
    f.apply(h)
    h.mul_(2)
    h.sum().backward()
    return x.grad


def fresh_output_changed(lib):
    f = custom(lib, lambda ctx, x: x * 3, lambda ctx, g: g * 3)
    x = vector(lib)
    y = f.apply(x)
    y.mul_(2)
    y.sum().backward()
    return x.grad, y


@pytest.mark.parametrize(
    "program",
    [dirty, dirty_then_used, dirty_with_other_output, dirty_view, dirty_untracked,
     dirty_under_no_grad, dirty_leaf, dirty_not_returned, dirty_makes_saved_values_stale,
     dirty_and_saved, input_returned_then_changed, view_returned_then_changed,
     input_returned_then_the_original_changed, input_returned_dropped_then_changed,
     fresh_output_changed],
    ids=lambda p: p.__name__,
)  # fmt: skip
def test_in_place(program):
    agree(program)


# --- errors -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backward", "message"),
    [
        (lambda ctx, g: (), "FooBackward returned an incorrect number.*expected 2, got 0"),
        (lambda ctx, g: g, "expected 2, got 1"),
        (lambda ctx, g: (g, None, g), "expected 2, got 3"),
        (lambda ctx, g: (g, g), "different than None at position 2.*not a Variable"),
        (lambda ctx, g: (g[:2], None), r"index 0 - got \[2\].*compatible with \[3\]"),
        (lambda ctx, g: (g.sum(), None), r"got \[\] but expected"),
        (lambda ctx, g: (5.0, None), r"expected Variable or None \(got float\)"),
        (lambda ctx, g: [g, None], "expected 2, got 1|got list"),
    ],
)
def test_wrong_gradients(backward, message):
    def program(lib):
        f = custom(lib, lambda ctx, x, k: x * k, backward)
        f.apply(vector(lib), 3).sum().backward()

    error = agree(program)
    with pytest.raises(RuntimeError, match=message):
        raise error


def saved_number(lib):
    def forward(ctx, x):
        ctx.save_for_backward(5)
        return x * 1

    custom(lib, forward, None).apply(vector(lib))


def no_forward(lib):
    lib.autograd.Function.apply(vector(lib))


def no_backward(lib):
    class Lost(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    Lost.apply(vector(lib)).sum().backward()


@pytest.mark.parametrize("program", [saved_number, no_forward, no_backward],
                         ids=lambda p: p.__name__)  # fmt: skip
def test_misuse(program):
    assert agree(program) is not None


def test_instances_are_of_the_past():
    with pytest.warns(DeprecationWarning, match="should not be instantiated"):
        f = square(tg)()
    with pytest.raises(RuntimeError, match="Legacy autograd function"):
        f(tg.ones(2))


def test_keyword_only_arguments_are_refused():
    class Keyed(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x, *, k):
            return x * k

    with pytest.raises(TypeError, match=r"keyword-only.*\['k'\]"):
        Keyed.apply(tg.ones(2), k=3)


def test_failing_forward_restores_the_mode():
    def forward(ctx, x):
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        custom(tg, forward, None).apply(tg.ones(2, requires_grad=True))
    assert tg.is_grad_enabled()


def test_stale_error_names_function_and_place():
    x = tg.ones(2, requires_grad=True)
    h = x * 1
    y = square(tg).apply(h)
    h.mul_(2)
    with pytest.raises(RuntimeError, match=r"'saved_tensors\[0\]' of Square"):
        y.sum().backward()


def test_write_between_saving_and_the_end_of_forward_counts_as_before():
    # As in PyTorch, what is saved is what is there when forward returns.
    def forward(ctx, x):
        y = x * 1
        ctx.save_for_backward(y)
        y.mul_(2)
        return y * 1

    x = tg.ones(2, requires_grad=True)
    custom(tg, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


# --- once_differentiable ----------------------------------------------------------------


def once(lib):
    marked = lib.autograd.function.once_differentiable

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    return custom(lib, forward, marked(lambda ctx, g: 2 * g * ctx.saved_tensors[0]), "Once")


def once_first_order(lib):
    x = vector(lib)
    once(lib).apply(x).sum().backward()
    return x.grad


def once_with_create_graph(lib):
    x = vector(lib)
    (g,) = lib.autograd.grad(once(lib).apply(x).sum(), x, create_graph=True)
    return g


def once_second_order(lib):
    x = vector(lib)
    (g,) = lib.autograd.grad(once(lib).apply(x).sum(), x, create_graph=True)
    return lib.autograd.grad(g.sum(), x)


def once_second_order_in_the_gradient(lib):
    x, v = vector(lib), vector(lib)
    (g,) = lib.autograd.grad(once(lib).apply(x), x, v, create_graph=True)
    return lib.autograd.grad(g.sum(), v)


@pytest.mark.parametrize(
    "program",
    [once_first_order, once_with_create_graph, once_second_order,
     once_second_order_in_the_gradient],
    ids=lambda p: p.__name__,
)  # fmt: skip
def test_once(program):
    error = agree(program)
    if "second" in program.__name__:
        with pytest.raises(RuntimeError, match=r"twice.*@once_differentiable"):
            raise error


def test_once_refuses_beside_another_path():
    # PyTorch drops the term of the marked function here, and the sum is wrong.
    x = tg.ones(2, requires_grad=True)
    (g,) = tg.autograd.grad((once(tg).apply(x) + x * x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="@once_differentiable"):
        tg.autograd.grad(g.sum(), x)


def test_once_passes_what_is_not_a_tensor():
    marked = once_differentiable(lambda ctx, g: (g, None))
    f = custom(tg, lambda ctx, x, k: x * k, marked)
    x = tg.ones(2, requires_grad=True)
    (g,) = tg.autograd.grad(f.apply(x, 2).sum(), x, create_graph=True)
    assert g.tolist() == [1.0, 1.0]


# --- memory and structure ---------------------------------------------------------------


def test_gradients_own_their_memory():
    kept = []

    def forward(ctx, x, y):
        ctx.save_for_backward(x)
        return x + y

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        kept.append(g)
        return x, g  # a saved tensor, and the gradient that came in

    f = custom(tg, forward, backward)
    x, y, v = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True), tg.ones(2)
    f.apply(x, y).backward(v)
    memory = [x._array, y._array, x.grad._array, y.grad._array, v._array]
    for i, a in enumerate(memory):
        assert not any(np.shares_memory(a, b) for b in memory[:i])
    assert not np.shares_memory(kept[0]._array, y.grad._array)


@pytest.mark.parametrize("make", [square, exponential, product])
def test_graph_dies_with_its_outputs(make):
    gc.collect()
    gc.disable()
    try:
        f = make(tg)
        x = tg.ones(2, requires_grad=True)
        args = (x, x * 2) if make is product else (x,)
        out = f.apply(*args)
        first = out[0] if isinstance(out, tuple) else out
        node, array = weakref.ref(first.grad_fn), weakref.ref(first._array)
        (g,) = tg.autograd.grad(first.sum(), x, create_graph=True)
        tg.autograd.grad(g.sum(), x, allow_unused=True)
        del g, out, first, args
        assert node() is None
        assert array() is None
    finally:
        gc.enable()


def test_saved_tensors_are_freed_by_the_walk():
    gc.collect()
    gc.disable()
    try:

        def forward(ctx, x):
            scratch = x * 2
            ctx.save_for_backward(scratch)
            forward.scratch = weakref.ref(scratch._array)
            return x * 1

        x = tg.ones(2, requires_grad=True)
        y = custom(tg, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(x)
        assert forward.scratch() is not None
        y.sum().backward()
        assert forward.scratch() is None
    finally:
        gc.enable()


def test_views_of_a_leaf_do_not_pile_up():
    f = custom(tg, lambda ctx, x: x, lambda ctx, g: g)
    x = tg.ones(2, requires_grad=True)
    for _ in range(100):
        f.apply(x)
    assert len(x._views) < 10


def test_node_of_several_outputs():
    x = tg.ones(2, requires_grad=True)
    p, s = product(tg).apply(x, x * 2)
    assert p.grad_fn.name() == s.grad_fn.name() == "ProductBackward"
    assert [n.name() for n, _ in p.grad_fn.next_functions] == [
        "torch::autograd::AccumulateGrad", "MulBackward0",
    ]  # fmt: skip
    assert p.grad_fn.needs_input_grad == (True, True)
    with pytest.raises(NotImplementedError, match="several outputs"):
        p.grad_fn.register_hook(print)


def test_node_hooks_of_one_output():
    x = tg.ones(2, requires_grad=True)
    y = square(tg).apply(x)
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * 10,))
    y.sum().backward()
    assert x.grad.tolist() == [20.0, 20.0]


def test_context_has_no_tensors_before_it_is_recorded():
    assert FunctionCtx().saved_tensors == ()


def test_forward_may_run_recorded_operations_on_other_leaves():
    w = tg.ones(2, requires_grad=True)

    def forward(ctx, x):
        return x * w

    x = tg.ones(2, requires_grad=True)
    custom(tg, forward, lambda ctx, g: g).apply(x).sum().backward()
    assert w.grad is None
    assert x.grad.tolist() == [1.0, 1.0]
