"""gradcheck and gradgradcheck: what they pass, what they refuse, and how they say it."""

import warnings

import numpy as np
import pytest
from both import agree

import tensorgrad as tg
from tensorgrad.autograd.gradcheck import GradcheckError


def double(lib, *values, grad=True):
    return lib.tensor(values or (0.5, 2.0), dtype=lib.float64, requires_grad=grad)


def custom(lib, forward, backward):
    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type("Foo", (lib.autograd.Function,), methods).apply


def wrong_scale(lib):
    return custom(lib, lambda ctx, x: x * 2, lambda ctx, g: g * 3)


def wrong_entry(lib):
    """Right but for d output[1, 0] / d input[1]."""

    def backward(ctx, g):
        return g.sum(1) + g[1, 0] * lib.tensor([0.0, 0.25], dtype=lib.float64)

    return custom(lib, lambda ctx, x: x.reshape(2, 1) * 1, backward)


def nondeterministic(lib, size):
    calls = []

    def backward(ctx, g):
        calls.append(1)
        return g * (2 + len(calls) * size)

    return custom(lib, lambda ctx, x: x * 2, backward)


def wrong_second_order(lib):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    return custom(lib, forward, lambda ctx, g: 2 * g * ctx.saved_tensors[0].detach())


def float32_inputs(lib, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lib.autograd.gradcheck(lambda x: x * x, lib.ones(2, requires_grad=True), **options)


CHECKS = {
    "one": lambda t, c, cc: c(lambda x: x * x, double(t)),
    "several": lambda t, c, cc: c(
        lambda x, y: (x * y, (x * x).sum()), (double(t), double(t, 3.0, 4.0))),
    "list of inputs": lambda t, c, cc: c(lambda x, y: x * y, [double(t), double(t)]),
    "list of outputs": lambda t, c, cc: c(lambda x: [x * x, x.exp()], double(t)),
    "untracked input": lambda t, c, cc: c(
        lambda x, y: x * y, (double(t), double(t, grad=False))),
    "number among inputs": lambda t, c, cc: c(lambda x, k: x * k, (double(t), 3)),
    "integer output": lambda t, c, cc: c(lambda x: (x * x, t.tensor([1, 2])), double(t)),
    "constant output": lambda t, c, cc: c(lambda x: (x * x, t.ones(2)), double(t)),
    "independent input": lambda t, c, cc: c(lambda x, y: x * x, (double(t), double(t))),
    "zero-dimensional": lambda t, c, cc: c(
        lambda x: x * x, t.tensor(2.0, dtype=t.float64, requires_grad=True)),
    "empty": lambda t, c, cc: c(
        lambda x: x * x, t.ones(0, dtype=t.float64, requires_grad=True)),
    "non-leaf": lambda t, c, cc: c(lambda x: x * x, double(t) * 2),
    "transposed": lambda t, c, cc: c(
        lambda x: x * x, t.ones(2, 3, dtype=t.float64).t().requires_grad_()),
    "fast": lambda t, c, cc: c(lambda x: (x * x, x.exp()), double(t), fast_mode=True),
    "batched": lambda t, c, cc: c(lambda x: x * x, double(t), check_batched_grad=True),
    "grad dtypes": lambda t, c, cc: c(lambda x: x * x, double(t), check_grad_dtypes=True),
    "float32 loose": lambda t, c, cc: float32_inputs(t, eps=1e-2, atol=1e-2),
    "offset": lambda t, c, cc: c(
        custom(t, lambda ctx, x: x * 2, lambda ctx, g: g * 2 + 1e-9), double(t)
    ),
    "wrong": lambda t, c, cc: c(wrong_scale(t), double(t)),
    "wrong, no exception": lambda t, c, cc: c(wrong_scale(t), double(t), raise_exception=False),
    "wrong fast": lambda t, c, cc: c(wrong_scale(t), double(t), fast_mode=True),
    "wrong within tolerance": lambda t, c, cc: c(wrong_scale(t), double(t), atol=2.0),
    "wrong within rtol": lambda t, c, cc: c(wrong_scale(t), double(t), rtol=0.51),
    "wrong outside rtol": lambda t, c, cc: c(wrong_scale(t), double(t), rtol=0.49),
    "wrong entry": lambda t, c, cc: c(wrong_entry(t), double(t)),
    "detached": lambda t, c, cc: c(lambda x: x.detach() * 2, double(t)),
    "detached and not": lambda t, c, cc: c(lambda x: (x.detach() * 2, x * 2), double(t)),
    "nondeterministic": lambda t, c, cc: c(nondeterministic(t, 1e-4), double(t), atol=1, rtol=1),
    "nondeterministic allowed": lambda t, c, cc: c(
        nondeterministic(t, 1e-8), double(t), nondet_tol=1e-3),
    "nothing tracked": lambda t, c, cc: c(lambda x: x * x, double(t, grad=False)),
    "expanded": lambda t, c, cc: c(
        lambda x: x * 2, t.ones(1, dtype=t.float64, requires_grad=True).expand(3)),
    "second": lambda t, c, cc: cc(lambda x: x * x * x, double(t)),
    "second linear": lambda t, c, cc: cc(lambda x: x * 2, double(t)),
    "second several": lambda t, c, cc: cc(
        lambda x, y: (x * y, (x * x * y).sum()), (double(t), double(t, 3.0, 4.0))),
    "second given gradients": lambda t, c, cc: cc(
        lambda x: x * x * x, double(t), double(t, 1.0, -1.0)),
    "second strided": lambda t, c, cc: cc(
        lambda x: x * x * x, double(t), gen_non_contig_grad_outputs=True),
    "second fast": lambda t, c, cc: cc(lambda x: x * x * x, double(t), fast_mode=True),
    "second wrong": lambda t, c, cc: cc(wrong_second_order(t), double(t)),
    "second wrong, no exception": lambda t, c, cc: cc(
        wrong_second_order(t), double(t), raise_exception=False),
    "first of wrong second": lambda t, c, cc: c(wrong_second_order(t), double(t)),
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKS)
def test_same_verdict_as_pytorch(name):
    error = agree(lambda t: CHECKS[name](t, t.autograd.gradcheck, t.autograd.gradgradcheck))
    if error is not True and error is not False and name not in ("nothing tracked", "expanded"):
        assert isinstance(error, GradcheckError)


def test_message_names_output_input_entry_and_values():
    message = (
        r"output 1 with respect to input 0: 1 of 4 entries differ, most at "
        r"d output\[1, 0\] / d input\[1\],\nnumerical: 1\.00\d*\nanalytical: 1\.25\n"
    )
    with pytest.raises(GradcheckError, match=message.replace(r"1\.00\d*", r"[\d.]+")):
        tg.autograd.gradcheck(lambda x: (x * 2, wrong_entry(tg)(x)), double(tg))


def test_message_of_a_zero_dimensional_output():
    f = custom(tg, lambda ctx, x: x * 2, lambda ctx, g: g * 3)
    x = tg.tensor(1.0, dtype=tg.float64, requires_grad=True)
    with pytest.raises(GradcheckError, match=r"d output\[\(\)\] / d input\[\(\)\]"):
        tg.autograd.gradcheck(f, x)


def test_nan_gradients_fail():
    f = custom(tg, lambda ctx, x: x * 2, lambda ctx, g: g * float("nan"))
    with pytest.raises(GradcheckError, match="analytical: nan"):
        tg.autograd.gradcheck(f, double(tg))


def test_float32_warns():
    x = tg.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double"):
        tg.autograd.gradcheck(lambda x: x * x, x, eps=1e-2, atol=1e-2)


def test_inputs_come_back_as_they_were():
    x = double(tg)
    before, version = x.tolist(), x._version

    def fails(y):
        if y.tolist() != before:
            raise KeyError("moved")
        return y * y

    with pytest.raises(KeyError, match="moved"):
        tg.autograd.gradcheck(fails, x)
    with pytest.raises(KeyError, match="moved"):
        tg.autograd.gradcheck(fails, x, fast_mode=True)
    assert x.tolist() == before
    assert x._version == version
    assert x.grad is None


def test_function_may_close_over_its_input():
    x = double(tg)
    assert tg.autograd.gradcheck(lambda _: x * x, x)


def test_what_is_not_there_is_refused():
    x = double(tg)
    with pytest.raises(NotImplementedError, match="forward"):
        tg.autograd.gradcheck(lambda x: x, x, check_forward_ad=True)
    with pytest.raises(NotImplementedError, match="forward"):
        tg.autograd.gradgradcheck(lambda x: x, x, check_fwd_over_rev=True)
    assert tg.autograd.gradcheck(lambda x: 1 / 0, x, check_backward_ad=False)
    assert tg.autograd.gradgradcheck(lambda x: 1 / 0, x, check_rev_over_rev=False)


@pytest.mark.parametrize("output", [None, 3, "a", {}])
def test_outputs_must_be_tensors(output):
    with pytest.raises(TypeError, match="must return a Tensor"):
        tg.autograd.gradcheck(lambda x: output, double(tg))
    with pytest.raises(TypeError, match="must return a Tensor"):
        tg.autograd.gradcheck(lambda x: (x, output), double(tg))


def test_fast_mode_evaluates_less():
    calls = []

    def f(x):
        calls.append(1)
        return x * x

    x = tg.tensor(np.linspace(0.1, 1.0, 50), requires_grad=True)
    tg.autograd.gradcheck(f, x)
    slow = len(calls)
    calls.clear()
    tg.autograd.gradcheck(f, x, fast_mode=True)
    assert len(calls) <= 5 < 100 < slow


def test_second_order_refuses_once_differentiable():
    once = tg.autograd.function.once_differentiable

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    f = custom(tg, forward, once(lambda ctx, g: 2 * g * ctx.saved_tensors[0]))
    assert tg.autograd.gradcheck(f, double(tg))
    with pytest.raises(RuntimeError, match="@once_differentiable"):
        tg.autograd.gradgradcheck(f, double(tg))
