"""LeCun's initialisers, the report on activations and gradients, and its seven cases."""

import copy

import both
import numpy as np
import pytest
from topics import topic

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import init
from tensorgrad.nn.utils import init_report

# --- LeCun ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 12), (6, 5, 3, 3), (3, 0)])
def test_lecun_is_he_without_a_gain(shape):
    """The draws of PyTorch's kaiming functions with the nonlinearity "linear"."""

    def program(lib):
        own = lib.nn.init
        out = []
        for lecun, kaiming in (("lecun_uniform_", "kaiming_uniform_"),
                               ("lecun_normal_", "kaiming_normal_")):  # fmt: skip
            lib.manual_seed(4)
            w = lib.empty(shape)
            if lib is tg:
                assert getattr(own, lecun)(w) is w
            elif 0 not in shape:  # there PyTorch warns
                getattr(own, kaiming)(w, nonlinearity="linear")
            out += [w, lib.rand(2)]
        return out

    both.agree(program)


def test_lecun_has_variance_one_over_fan_in():
    tg.manual_seed(0)
    for fill in (init.lecun_uniform_, init.lecun_normal_):
        w = fill(tg.empty(300, 50, 2, 2, dtype=tg.float64))
        assert w.var().item() == pytest.approx(1 / 200, rel=0.02)  # 60000 draws: error 0.6 %
    assert init.lecun_uniform_(tg.empty(99, 12)).abs().max() <= 0.5
    g = tg.Generator().manual_seed(1)
    first = init.lecun_normal_(tg.empty(3, 3), generator=g)
    assert (first == init.lecun_normal_(tg.empty(3, 3), generator=g.manual_seed(1))).all()
    with pytest.raises(ValueError, match="fewer than 2"):
        init.lecun_normal_(tg.empty(3))


# --- the report's numbers -------------------------------------------------------------------------


def test_numbers_of_a_small_network():
    """Against the forward and backward pass of two layers in NumPy."""
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4), nn.Tanh()).double()
    x = tg.randn(7, 3, dtype=tg.float64) * 4
    report = init_report(model, x, lambda out: (out**3).sum(), margin=0.1)
    w1, b1, w2, b2 = (p.detach().numpy() for p in model.parameters())
    z1 = x.numpy() @ w1.T + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ w2.T + b2
    a2 = np.tanh(z2)
    da2 = 3 * a2**2
    dz2 = da2 * (1 - a2**2)
    da1 = dz2 @ w2
    dz1 = da1 * (z1 > 0)
    assert [(r.name, r.kind) for r in report] == [
        ("0", "Linear"), ("1", "ReLU"), ("2", "Linear"), ("3", "Tanh"),
    ]  # fmt: skip
    for row, a, g in zip(report, (z1, a1, z2, a2), (dz1, da1, dz2, da2), strict=True):
        want = [a.mean(), a.std(), (a == 0).mean(), g.mean(), g.std(), (g == 0).mean()]
        got = [row.mean, row.std, row.zeros, row.grad_mean, row.grad_std, row.grad_zeros]
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
    assert report["3"].saturated == (np.abs(a2) > 0.8).mean() > 0
    assert report["0"].saturated is None and report["1"].zeros == (z1 <= 0).mean() > 0


@pytest.mark.parametrize(
    ("layer", "low", "high"),
    [(nn.Sigmoid(), 0, 1), (nn.Tanh(), -1, 1), (nn.Softsign(), -1, 1), (nn.Hardsigmoid(), 0, 1),
     (nn.Hardtanh(-2, 3), -2, 3), (nn.ReLU6(), 0, 6)],
    ids=lambda v: str(v),
)  # fmt: skip
def test_saturation_is_nearness_to_a_bound(layer, low, high):
    x = tg.linspace(-20, 20, 101)
    out = layer(x).numpy()
    edge = 0.05 * (high - low)
    want = ((out < low + edge) | (out > high - edge)).mean()
    assert 0 < want < 1
    assert init_report(layer, x, margin=0.05)[0].saturated == pytest.approx(want)


def test_default_gradient_is_standard_normal_and_always_the_same():
    model, x = nn.Identity(), tg.zeros(100, 100)
    first, again = (init_report(model, x)[0] for _ in range(2))
    assert first == again
    assert abs(first.grad_mean) < 0.05 and abs(first.grad_std - 1) < 0.03


class Branching(nn.Module):
    """A layer used twice, an LSTM, an embedding, arguments by name, an in-place activation."""

    def __init__(self):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(5, 4), nn.LSTM(4, 4, batch_first=True)
        self.shared, self.act = nn.Linear(4, 4), nn.ReLU(inplace=True)
        self.unused_head = nn.Linear(4, 2)

    def forward(self, words, scale):
        x, _ = self.lstm(self.embedding(words) * scale)
        x = self.act(self.shared(x))
        self.unused_head(x)
        return {"out": self.shared(x), "count": 1}


def test_layers_of_other_kinds():
    tg.manual_seed(0)
    model, words = Branching(), tg.tensor([[0, 1, 2], [3, 4, 0]])
    report = init_report(model, {"words": words, "scale": tg.tensor(2.0)})
    assert [r.name for r in report] == [
        "embedding", "lstm", "shared", "act", "unused_head", "shared (2)",
    ]  # fmt: skip
    assert report["unused_head"].grad_std is None and "-" in repr(report)
    assert all(r.grad_std > 0 for r in report if r.name != "unused_head")
    # ReLU in place: what the layer before it gave out, and the gradient there, are its own.
    assert report["shared"].mean != report["act"].mean and report["shared"].zeros == 0
    zeros = report["act"].zeros
    assert zeros > 0 and report["shared"].grad_zeros == pytest.approx(zeros)
    positional = init_report(model, (words, tg.tensor(2.0)))
    assert positional.rows == report.rows


def test_parametrized_layers_are_one_row():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), nn.ReLU())
    assert [r.name for r in init_report(model, tg.ones(2, 3))] == ["0", "1"]


def test_nothing_to_differentiate():
    frozen = nn.Linear(3, 2).requires_grad_(False)
    assert init_report(frozen, tg.ones(2, 3))[0].grad_std > 0  # through the input
    embedding = nn.Embedding(3, 2).requires_grad_(False)
    assert init_report(embedding, tg.tensor([0, 1]))[0].grad_std is None
    (row,) = init_report(nn.Linear(3, 2), tg.ones(0, 3))
    assert row[2:] == (None,) * 7
    with tg.no_grad():
        assert init_report(nn.Linear(3, 2), tg.ones(2, 3))[0].grad_std > 0


# --- what is left as it was -----------------------------------------------------------------------


class Counting(nn.Module):
    """A model with dropout, running statistics and a buffer that each call replaces."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2)
        )
        self.register_buffer("calls", tg.zeros(()))

    def forward(self, x):
        self.calls = self.calls + 1
        return self.body(x)


def state(model):
    return both.plain(
        [dict(model.state_dict()), [p.grad for p in model.parameters()], tg.get_rng_state()]
    )


def traces(model):
    return [(m.training, len(m._hooks_in("_forward_hooks"))) for m in model.modules()]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(training, fails):
    model, x = Counting(), tg.randn(6, 3)
    model(x).sum().backward()
    calls, model = [], model.train(training)
    model.body[0].register_forward_hook(lambda *_: calls.append(1))
    before, marks = copy.deepcopy(state(model)), traces(model)
    identities = [id(t) for t in (*model.parameters(), *model.buffers())]
    grads = [id(p.grad) for p in model.parameters()]

    def loss(out):
        if fails:
            raise ZeroDivisionError
        return out.sum()

    if fails:
        with pytest.raises(ZeroDivisionError):
            init_report(model, x, loss)
    else:
        init_report(model, x, loss)
    np.testing.assert_equal(state(model), before)
    assert traces(model) == marks and calls == [1]
    assert [id(t) for t in (*model.parameters(), *model.buffers())] == identities
    assert [id(p.grad) for p in model.parameters()] == grads
    assert not x.requires_grad
    model(x)
    assert calls == [1, 1]  # the model's own hook is still there, ours are not


def test_bad_input():
    with pytest.raises(ValueError, match="run it on a batch"):
        init_report(nn.LazyLinear(2), tg.ones(2, 3))
    for margin in (-0.1, 0.6):
        with pytest.raises(ValueError, match="margin"):
            init_report(nn.Linear(3, 2), tg.ones(2, 3), margin=margin)


def test_prints_a_table():
    lines = repr(init_report(nn.Sequential(nn.Linear(3, 2), nn.Sigmoid()), tg.ones(4, 3)))
    lines = lines.splitlines()
    assert lines[0].split() == ["name", "kind", "mean", "std", "zeros", "saturated", "grad_mean",
                                "grad_std", "grad_zeros"]  # fmt: skip
    assert len(lines) == 3 and lines[1].split()[:2] == ["0", "Linear"]


# --- the seven cases of the course notes, which examples/gallery draws --------------------------

cases = topic("initialization")
reported, DEPTH, WIDTH = cases.reported, cases.DEPTH, cases.WIDTH


def outcome(number):
    """The model of case 1, 2 or 3, the report before training, and the losses of training."""
    x, y = cases.regression(cases.CASES[number].layers)
    model = cases.shallow(number)
    report = init_report(model, x)
    return model, report, cases.trained(model, x, y)[0]


def test_the_cases_are_those_of_the_table():
    assert list(cases.CASES) == [1, 2, 3, 4, 5, 6, 7]
    assert [case[:3] for case in cases.CASES.values()] == [
        (1, "zeros", None), (2, "zeros", "sigmoid"), (2, "normal", "sigmoid"),
        (DEPTH, "normal", "sigmoid"), (DEPTH, "Xavier", "tanh"), (DEPTH, "Xavier", "ReLU"),
        (DEPTH, "He", "ReLU"),
    ]  # fmt: skip


def test_case_1_one_layer_of_zeros_learns():
    _, _, losses = outcome(1)
    assert losses[0] > 0.1 and losses[-1] < 1e-12


def test_case_2_two_layers_of_zeros_do_not():
    """No gradient passes the zeros; later all hidden units stay the same one."""
    model, report, losses = outcome(2)
    assert report["1"].std == 0 and report["1"].mean == 0.5
    assert report["1"].grad_zeros == report["0"].grad_zeros == 1.0
    assert report["2"].grad_zeros == 0
    hidden = model[0].weight.detach()
    assert (hidden == hidden[:1]).all() and hidden[0].abs().max() > 0
    assert losses[-1] > 0.8 * losses[0]  # one unit is no product


def test_case_3_two_random_layers_learn_with_sigmoid():
    model, report, losses = outcome(3)
    assert report["0"].grad_zeros == 0
    assert losses[-1] < outcome(2)[2][-1] / 10
    assert np.linalg.matrix_rank(model[0].weight.detach().numpy()) == 3


def test_case_4_standard_normal_saturates_sigmoids():
    """Values pile up at both ends: a hollow distribution, and few units pass a gradient.

    Each input has deviation about sqrt(200 * E[a^2]), some 10; a unit lies within 1 % of a
    bound, and passes at most 1 % of its gradient, where its input is outside +-4.6: two in
    three. Xavier's values stay in the middle, but each sigmoid takes 3/4 of the gradient.
    """
    rows = reported(init.normal_, nn.Sigmoid)
    for row in rows[1:]:
        assert 0.55 < row.saturated < 0.85 and 0.43 < row.std <= 0.5
        assert row.mean == pytest.approx(0.5, abs=0.1)
    xavier = reported(init.xavier_normal_, nn.Sigmoid)
    assert all(row.saturated < 1e-3 and row.std < 0.25 for row in xavier)
    gradients = np.array([row.grad_std for row in xavier])
    np.testing.assert_allclose(gradients[:-1] / gradients[1:], 1 / 4, rtol=0.1)


def test_case_5_xavier_keeps_tanh_alive():
    """Deviations fall slowly and stay of one size, and so do the gradients' on the way back."""
    rows = reported(init.xavier_normal_, nn.Tanh)
    deviations = np.array([row.std for row in rows])
    assert deviations[0] == pytest.approx(0.63, abs=0.02)  # of tanh of a standard normal number
    assert (np.diff(deviations) < 0).all() and 0.2 < deviations[-1] < 0.35
    assert all(row.saturated < 0.05 for row in rows)
    gradients = np.array([row.grad_std for row in rows])
    assert 0.3 < gradients[0] / gradients[-1] < 1.0
    hollow = reported(init.normal_, nn.Tanh)
    assert all(row.saturated > 0.8 for row in hollow)


@pytest.mark.parametrize(
    ("case", "fill", "kept"),
    [(6, init.xavier_normal_, 0.5), (7, init.kaiming_normal_, 1.0),
     (6, init.xavier_uniform_, 0.5), (7, init.kaiming_uniform_, 1.0)],
)  # fmt: skip
def test_cases_6_and_7_relu_wants_he(case, fill, kept):
    """ReLU halves the mean square: Xavier leaves it halved ten times over, He doubles it back.

    He's gain is given for ReLU, and with it the mean square of activations and gradients is
    that of the input, 1/2 after the first ReLU, through all layers. A product of ten factors,
    each with a random error of some 2 %, is within 30 %.
    """
    given = {"nonlinearity": "relu"} if case == 7 else {}
    rows = reported(lambda w: fill(w, **given), nn.ReLU)
    squares = np.array([row.mean**2 + row.std**2 for row in rows])
    want = kept ** np.arange(1, DEPTH + 1)
    np.testing.assert_allclose(squares, want, rtol=0.3)
    assert all(0.4 < row.zeros < 0.6 for row in rows)
    back = np.array([row.grad_mean**2 + row.grad_std**2 for row in rows])
    np.testing.assert_allclose(back, kept ** np.arange(DEPTH)[::-1], rtol=0.3)


def test_zeros_and_standard_normal_numbers_are_useless_in_ten_layers():
    for activation in (nn.Sigmoid, nn.Tanh, nn.ReLU):
        rows = reported(init.zeros_, activation)
        assert all(row.grad_zeros == 1.0 and row.std == 0 for row in rows[:-1])
    rows = reported(init.normal_, nn.ReLU)  # grows by sqrt(WIDTH / 2) a layer
    squares = [row.mean**2 + row.std**2 for row in rows]
    np.testing.assert_allclose(squares, (WIDTH / 2) ** np.arange(1, DEPTH + 1), rtol=0.3)
