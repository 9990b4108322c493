"""The adaptive softmax beside PyTorch."""

import numpy as np
import pytest
from both import agree

import tensorgrad


def layer(lib, *args, **kwargs):
    made = lib.nn.AdaptiveLogSoftmaxWithLoss(*args, dtype=lib.float64, **kwargs)
    draw = np.random.default_rng(0)
    with lib.no_grad():
        for p in made.parameters():
            p.copy_(lib.tensor(draw.normal(size=tuple(p.shape))))
    return made


def numbers(lib, *shape, seed=1):
    return lib.tensor(np.random.default_rng(seed).normal(size=shape))


TARGETS = [[0, 1, 2, 5, 9, 4, 11], [0, 1, 0, 2, 2, 1, 0], [11] * 7, []]


@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("given", [{}, {"div_value": 2.0, "head_bias": True}])
@pytest.mark.parametrize("cutoffs", [[3], [3, 5, 10]])
def test_values_and_gradients(targets, given, cutoffs):
    def run(lib):
        m = layer(lib, 16 if len(cutoffs) == 1 else 65, 12, cutoffs, **given)
        x = numbers(lib, len(targets), m.in_features).requires_grad_()
        output, loss = m(x, lib.tensor(targets, dtype=lib.int64))
        wanted = [x, *m.parameters()]
        first = lib.autograd.grad((output**2).sum() + loss, wanted, create_graph=True,
                                  allow_unused=True)  # fmt: skip
        found = [g for g in first if g is not None]
        again = lib.autograd.grad(sum((g**2).sum() for g in found), wanted, allow_unused=True)
        zeros = [(lib.zeros_like(w) if g is None else g) for w, g in zip(wanted, first)]  # noqa: B905
        twice = [(lib.zeros_like(w) if g is None else g) for w, g in zip(wanted, again)]  # noqa: B905
        return output, loss, zeros, twice

    agree(run, rtol=1e-8)


def test_log_prob_and_predict():
    def run(lib):
        m = layer(lib, 8, 12, [3, 6], div_value=2.0)
        x = numbers(lib, 20, 8)
        head = m.head.weight.detach().clone()
        mixed = m.log_prob(x), m.predict(x), m.log_prob(x).argmax(1)
        m.head.weight.data[:3] = 0.0
        m.head.weight.data[3:] = head[:1]
        rare = m.predict(x.abs()), m.predict(-x.abs())
        return mixed, rare

    agree(run, rtol=1e-9)


def test_single_samples_and_names():
    def run(lib):
        m = layer(lib, 16, 12, [3, 6])
        out = m(numbers(lib, 16), lib.tensor(7))
        return tuple(out), type(out).__name__, out._fields

    agree(run)
    agree(lambda lib: repr(lib.nn.AdaptiveLogSoftmaxWithLoss(16, 12, [3, 6], head_bias=True)))


def test_first_parameters():
    def run(lib):
        lib.manual_seed(0)
        m = lib.nn.AdaptiveLogSoftmaxWithLoss(16, 12, [3, 6], 2.0, True)
        state = dict(m.state_dict())
        m.reset_parameters()
        return state, dict(m.state_dict()), m.cutoffs, m.head_size, m.n_clusters

    agree(run, rtol=0)


def test_bad_input():
    for program in (
        lambda lib, m, x: lib.nn.AdaptiveLogSoftmaxWithLoss(8, 12, []),
        lambda lib, m, x: lib.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 3]),
        lambda lib, m, x: lib.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [5, 3]),
        lambda lib, m, x: lib.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [0, 3]),
        lambda lib, m, x: lib.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 12]),
        lambda lib, m, x: lib.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [2.5, 3]),
        lambda lib, m, x: m(x, lib.tensor([0, 1])),
        lambda lib, m, x: m(x, lib.tensor([0, 1, 12])),
        lambda lib, m, x: m(x, lib.tensor([0, -1, 2])),
        lambda lib, m, x: m(x, lib.tensor([[0, 1, 2]])),
        lambda lib, m, x: m(x, lib.tensor(0)),
        lambda lib, m, x: m(x[None], lib.tensor([0])),
    ):
        def run(lib, program=program):
            return program(lib, layer(lib, 16, 12, [3, 6]), numbers(lib, 3, 16))

        assert isinstance(agree(run), Exception)


def test_training_learns():
    tensorgrad.manual_seed(0)
    m = tensorgrad.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 6], div_value=2.0)
    x, y = tensorgrad.randn(12, 8), tensorgrad.arange(12)
    sgd = tensorgrad.optim.Adam(m.parameters(), lr=0.1)
    for _ in range(150):
        sgd.zero_grad()
        m(x, y).loss.backward()
        sgd.step()
    assert m.predict(x).tolist() == y.tolist()
