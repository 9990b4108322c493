"""Anomaly mode: which line, which operation, which shapes."""

import inspect
import threading

import numpy as np
import pytest
from both import agree

import tensorgrad as tg
from tensorgrad import _graph
from tensorgrad.autograd import anomaly


@pytest.fixture(autouse=True)
def mode_is_off_again():
    yield
    assert _graph.anomaly is None
    assert _graph.special == 0


def here(offset=0):
    """``file:line`` of the caller, as anomaly mode writes it."""
    frame = inspect.currentframe().f_back
    return f"{__file__}:{frame.f_lineno + offset}, in {frame.f_code.co_name}"


class Poison(tg.autograd.Function):
    """The identity, with a gradient that is NaN in one place."""

    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, g):
        return g * tg.tensor([float("nan"), 1.0, 1.0])


def test_nan_names_op_shapes_and_line():
    x = tg.ones(3, requires_grad=True)
    with tg.autograd.set_detect_anomaly(True):
        line, y = here(), Poison.apply(x)
        with pytest.raises(RuntimeError) as caught:
            (y * 2).sum().backward()
    message = str(caught.value)
    assert "Function 'PoisonBackward' returned nan values in its 0th output" in message
    assert "1 of 3 in the gradient, of shape (3,)" in message
    assert line in message
    assert x.grad is None


def test_nan_of_an_op_names_what_it_saved():
    x = tg.tensor([0.0, 1.0], requires_grad=True)
    with tg.autograd.set_detect_anomaly(True):
        line, y = here(), x * float("inf")
        with pytest.raises(RuntimeError, match="'MulBackward0' returned nan values") as caught:
            (y * tg.tensor([0.0, 1.0])).sum().backward()
    assert line in str(caught.value)
    assert "shape (2,)" in str(caught.value)


def test_first_nan_is_the_one_reported():
    x = tg.ones(3, requires_grad=True)
    with tg.autograd.set_detect_anomaly(True):
        y = x * 3
        line, z = here(), Poison.apply(y)
        with pytest.raises(RuntimeError, match="PoisonBackward") as caught:
            (z * 2).sum().backward()
    assert line in str(caught.value)


def test_graph_from_before_the_mode():
    y = Poison.apply(tg.ones(3, requires_grad=True))
    with (
        tg.autograd.set_detect_anomaly(True),
        pytest.raises(RuntimeError, match="a line outside anomaly mode"),
    ):
        y.sum().backward()


def test_one_of_several_outputs():
    class Pair(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            return g * float("nan") + h

    x = tg.ones(2, requires_grad=True)
    with tg.autograd.set_detect_anomaly(True):
        line, (a, b) = here(), Pair.apply(x)
        with pytest.raises(RuntimeError, match="'PairBackward' returned nan") as caught:
            (a + b).sum().backward()
    assert line in str(caught.value)


def test_create_graph():
    x = tg.ones(3, requires_grad=True)
    with tg.autograd.set_detect_anomaly(True):
        y = (Poison.apply(x) * 2).sum()
        with pytest.raises(RuntimeError, match="PoisonBackward"):
            tg.autograd.grad(y, x, create_graph=True)
        (g,) = tg.autograd.grad((x * x).sum(), x, create_graph=True)
        assert tg.autograd.grad(g.sum(), x)[0].tolist() == [2.0] * 3


def test_changed_value_names_both_lines():
    x = tg.ones(3, requires_grad=True)
    with tg.autograd.set_detect_anomaly(True):
        h = x * 1
        used, y = here(), h * h
        h.add_(1)
        changed = here(-1)
        with pytest.raises(RuntimeError) as caught:
            y.sum().backward()
    message = str(caught.value)
    assert f"mul was recorded at {used}" in message
    assert f"the write was at {changed}" in message
    assert "(3,) float32" in message


def test_changed_value_without_the_mode_says_how_to_get_the_lines():
    x = tg.ones(3, requires_grad=True)
    h = x * 1
    y = h * h
    h.add_(1)
    with pytest.raises(RuntimeError, match=r"set_detect_anomaly\(True\) shows the two lines"):
        y.sum().backward()


def test_lines_are_those_of_the_user_not_of_the_package():
    x = tg.ones(3, requires_grad=True)
    with tg.autograd.set_detect_anomaly(True):
        line, h = here(), tg.autograd.functional.vjp(lambda x: x * x, x, x, create_graph=True)[1]
    inner = tg.ones(2, requires_grad=True)
    assert h.grad_fn.trace == line
    assert (inner * 2).grad_fn.trace is None


def finite(lib):
    with lib.autograd.set_detect_anomaly(True):
        x = lib.tensor([1.0, 2.0], requires_grad=True)
        (x * x).sum().backward()
    return x.grad


def unchecked(lib):
    with lib.autograd.set_detect_anomaly(True, check_nan=False):
        x = lib.tensor([0.0, 1.0], requires_grad=True)
        (x * float("nan")).sum().backward()
    return x.grad


def checked(lib):
    with lib.autograd.set_detect_anomaly(True):
        x = lib.tensor([0.0, 1.0], requires_grad=True)
        (x * float("nan")).sum().backward()


def infinite(lib):
    with lib.autograd.set_detect_anomaly(True):
        x = lib.tensor([0.0, 1.0], requires_grad=True)
        (x * float("inf")).sum().backward()
    return x.grad


@pytest.mark.parametrize("program", [finite, unchecked, checked, infinite],
                         ids=lambda p: p.__name__)  # fmt: skip
def test_same_as_pytorch(program):
    agree(program)


def test_detect_anomaly_warns_and_restores():
    assert not anomaly.is_anomaly_enabled()
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        context = tg.autograd.detect_anomaly()
    assert not anomaly.is_anomaly_enabled()
    with context:
        assert anomaly.is_anomaly_enabled()
        assert anomaly.is_anomaly_check_nan_enabled()
        with tg.autograd.set_detect_anomaly(True, check_nan=False):
            assert not anomaly.is_anomaly_check_nan_enabled()
        with tg.autograd.set_detect_anomaly(False):
            assert not anomaly.is_anomaly_enabled()
        assert anomaly.is_anomaly_check_nan_enabled()
    assert not anomaly.is_anomaly_enabled()


def test_plain_call_holds():
    tg.autograd.set_detect_anomaly(True)
    assert anomaly.is_anomaly_enabled()
    tg.autograd.set_detect_anomaly(False)
    assert not anomaly.is_anomaly_enabled()


def test_exception_restores():
    with pytest.raises(KeyError), tg.autograd.set_detect_anomaly(True):
        raise KeyError
    assert not anomaly.is_anomaly_enabled()


def test_mode_holds_for_all_threads():
    traces = []

    def work():
        x = tg.ones(1, requires_grad=True)
        traces.append((x * 2).grad_fn.trace)

    with tg.autograd.set_detect_anomaly(True):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert "in work" in traces[0]


def test_values_are_the_same_in_the_mode():
    x = tg.tensor(np.linspace(-1, 1, 5), requires_grad=True)

    def run():
        return tg.autograd.grad((x.exp() * x).sum(), x)[0]

    plain = run()
    with tg.autograd.set_detect_anomaly(True):
        assert run().tolist() == plain.tolist()


@pytest.mark.skipif(not hasattr(BaseException, "add_note"), reason="needs Python 3.11")
def test_an_error_in_backward_tells_where_the_forward_was():
    class Broken(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            raise KeyError("lost")

    x = tg.ones(3, requires_grad=True)
    with tg.autograd.set_detect_anomaly(True):
        line, y = here(), Broken.apply(x)
        with pytest.raises(KeyError, match="lost") as caught:
            y.sum().backward()
    (note,) = caught.value.__notes__
    assert note == f"in the backward pass, at BrokenBackward of shape (3,), recorded at {line}"
