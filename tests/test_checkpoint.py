"""Checkpoints beside PyTorch's, and the memory that they are for."""

import contextlib
import tracemalloc
import warnings

import pytest
from both import agree

import tensorgrad as tg
import tensorgrad.utils.checkpoint as checkpoint


def net(lib, depth=4, p=0.3):
    class Noise(lib.nn.Module):  # dropout's masks are not PyTorch's
        def forward(self, x):
            return x * (lib.rand(x.shape, dtype=x.dtype) > p)

    lib.manual_seed(0)
    layer = lambda: lib.nn.Sequential(lib.nn.Linear(3, 3), lib.nn.Tanh(), Noise())  # noqa: E731
    return lib.nn.Sequential(*[layer() for _ in range(depth)]).double()


def cp(lib):
    import importlib

    return importlib.import_module(f"{lib.__name__}.utils.checkpoint")


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("preserve", [True, False])
@pytest.mark.parametrize("segments", [1, 2, 3, 4])
def test_sequential(reentrant, preserve, segments):
    def program(lib, preserve=preserve):
        model = net(lib, p=0.3 if preserve else 0.0)
        x = lib.ones(2, 3, dtype=lib.float64, requires_grad=True)
        out = cp(lib).checkpoint_sequential(
            model, segments, x, use_reentrant=reentrant, preserve_rng_state=preserve
        )
        (out**2).sum().backward()
        return out, x.grad, [p.grad for p in model.parameters()], lib.rand(2)

    agree(program)


def region(x, w, scale=2.0):
    """Several outputs, a parameter of the closure, writes in place."""
    y = (x @ w).tanh()
    z = y * scale
    z.mul_(w.sum())
    z[0] = 1.0
    return z * z, {"y": y.exp(), "other": 3}


@pytest.mark.parametrize("checkpointed", [True, False])
def test_every_way_of_differentiating(checkpointed):
    """Second derivatives are compared with those of an ordinary PyTorch graph."""

    def program(lib):
        lib.manual_seed(0)
        x = lib.rand(2, 3, dtype=lib.float64, requires_grad=True)
        w = lib.rand(3, 3, dtype=lib.float64, requires_grad=True)

        def run():
            f = lambda x, scale: region(x, w, scale)  # noqa: E731
            if checkpointed and lib is tg:
                return checkpoint.checkpoint(f, x, use_reentrant=False, scale=3.0)
            return f(x, scale=3.0)

        z, more = run()
        loss = (z * more["y"]).sum()
        kept = lib.autograd.grad(loss, (x, w), retain_graph=True)
        again = lib.autograd.grad(loss, x)
        z, more = run()
        first = lib.autograd.grad((z * more["y"]).sum(), (x, w), create_graph=True)
        second = lib.autograd.grad(sum((g * g).sum() for g in first), (x, w))
        z, _ = run()
        z.sum().backward(inputs=[w])
        return kept, again, first, second, w.grad, x.grad

    agree(program)


def test_arguments():
    def run(lib, function=None, grad=True, **kwargs):
        x = lib.ones(2, requires_grad=grad)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = cp(lib).checkpoint(function or lib.sin, x, **kwargs)
        return out, out.requires_grad

    agree(lambda lib: run(lib))
    agree(lambda lib: run(lib, grad=False))
    agree(lambda lib: run(lib, grad=False, use_reentrant=False))
    w = {lib: lib.ones(2, requires_grad=True) for lib in (tg, pytest.importorskip("torch"))}
    agree(lambda lib: run(lib, lambda x: x * w[lib], grad=False, use_reentrant=True))
    agree(lambda lib: run(lib, lambda x: x * w[lib], grad=False, use_reentrant=False))
    agree(lambda lib: run(lib, use_reentrant=True, other=3))
    agree(lambda lib: run(lib, use_reentrant=False, other=3))
    agree(lambda lib: run(lib, use_reentrant=True, debug=True))
    agree(lambda lib: run(lib, use_reentrant=True, context_fn=lambda: None))
    agree(lambda lib: run(lib, use_reentrant=False, determinism_check="no"))
    agree(lambda lib: cp(lib).checkpoint_sequential([lib.sin], 1, lib.ones(2), False, other=1))
    agree(lambda lib: cp(lib).detach_variable([lib.ones(2)]))
    agree(lambda lib: cp(lib).detach_variable((lib.ones(2, requires_grad=True), 3)))
    for call in (lambda: checkpoint.checkpoint(tg.sin, tg.ones(1, requires_grad=True)),
                 lambda: checkpoint.checkpoint_sequential([tg.sin], 1, tg.ones(1)),
                 lambda: checkpoint.check_backward_validity([tg.ones(1)])):  # fmt: skip
        with pytest.warns(UserWarning):
            call()
    with checkpoint.set_checkpoint_early_stop(False), checkpoint.set_checkpoint_debug_enabled(True):
        pass


def test_contexts_of_both_runs():
    log = []

    @contextlib.contextmanager
    def noted(name):
        log.append(name)
        yield

    x = tg.ones(2, requires_grad=True)
    out = checkpoint.checkpoint(
        tg.sin, x, use_reentrant=False, context_fn=lambda: (noted("first"), noted("second"))
    )
    assert log == ["first"]
    out.sum().backward()
    assert log == ["first", "second"]


def test_a_run_that_differs_is_an_error():
    runs = []

    def changing(x):
        runs.append(1)
        return x.sin() if len(runs) == 1 else x.sin().cos()

    x = tg.ones(2, requires_grad=True)
    out = checkpoint.checkpoint(changing, x, use_reentrant=False)
    with pytest.raises(checkpoint.CheckpointError, match="did not do the same"):
        out.sum().backward()


def test_an_argument_written_in_place_is_an_error():
    x = tg.ones(2, requires_grad=True)
    y = x * 2
    out = checkpoint.checkpoint(tg.sin, y, use_reentrant=False)
    with tg.no_grad():
        y.add_(1)
    with pytest.raises(RuntimeError, match="in place"):
        out.sum().backward()


def test_a_second_walk_is_an_error_unless_retained():
    x = tg.ones(2, requires_grad=True)
    out = checkpoint.checkpoint(tg.sin, x, use_reentrant=False).sum()
    out.backward(retain_graph=True)
    out.backward()
    assert tg.allclose(x.grad, 2 * tg.cos(x))
    with pytest.raises(RuntimeError, match="second time"):
        out.backward()


def test_hooks_and_custom_functions_inside():
    def program(lib):
        log = []

        class Twice(lib.autograd.Function):
            @staticmethod
            def forward(ctx, a, b):
                ctx.save_for_backward(a, b)
                return a * b, a + b

            @staticmethod
            def backward(ctx, g, h):
                a, b = ctx.saved_tensors
                return g * b + h, g * a + h

        def inside(x):
            a, b = Twice.apply(x.sin(), x.cos())
            if a.requires_grad:
                a.register_hook(lambda g: log.append(g.sum().item()))
            return a * b

        x = lib.ones(3, dtype=lib.float64, requires_grad=True)
        cp(lib).checkpoint(inside, x, use_reentrant=False).sum().backward()
        return x.grad, [round(v, 9) for v in log[:1]]

    agree(program)


def test_nested():
    def program(lib):
        model = net(lib)
        x = lib.ones(2, 3, dtype=lib.float64, requires_grad=True)
        inner = lambda x: cp(lib).checkpoint(model, x, use_reentrant=False) ** 2  # noqa: E731
        cp(lib).checkpoint(inner, x, use_reentrant=False).sum().backward()
        return x.grad, [p.grad for p in model.parameters()]

    agree(program)


def test_memory_is_saved():
    def peak(segments):
        x = tg.ones(64, 256, requires_grad=True)
        layers = [lambda x: (x * 1.01).tanh().exp().sin() for _ in range(16)]
        tracemalloc.start()
        if segments:
            out = checkpoint.checkpoint_sequential(layers, segments, x, use_reentrant=False)
        else:
            out = checkpoint._chained(layers)(x)
        held = tracemalloc.get_traced_memory()[0]
        out.sum().backward()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held, most

    plain, saved = peak(0), peak(8)
    assert saved[0] < 0.45 * plain[0]
    assert saved[1] < 0.6 * plain[1]
