"""14.1 Curve fitting: 1-4-1 with sigmoids.

A network with one input, four sigmoids and one output learns a curve of several bends from 200
points, and stops when the loss of 50 others, half their mean squared error, is below 0.001.
Settings of the notes: gradient descent at the rate 0.5, batches of 10, Xavier's initialisation, at
most 10,000 epochs. Their samples are not printed; ours are
y = 0.4 x² + 0.3 x sin 15 x + 0.01 cos 50 x - 0.3 with x uniform in [0, 1), and x is normalised to
mean 0 and deviation 1. Most of the epochs go by on a shelf at 0.004.
"""

from functools import partial

import common

import tensorgrad as torch
from tensorgrad import datasets, nn, optim
from tensorgrad.nn import functional as F
from tensorgrad.train import StopLoss, Trainer

STOP = 0.001
half_mean = partial(F.squared_error_loss, convention="half_mean")  # the notes' loss


def formula(x):
    """The curve."""
    return 0.4 * x * x + 0.3 * x * (15 * x).sin() + 0.01 * (50 * x).cos() - 0.3


def samples(seed=0, n=250):
    """Points of the curve with normalised x: training part, validation part, normalizer."""
    x = torch.rand(n, 1, generator=torch.Generator().manual_seed(seed))
    train, valid = common.hold_out(x, formula(x), 0.2, seed, stratify=False)
    x_train, x_valid, normalizer = datasets.normalize_x(train[0], valid[0], method="standard")
    return (x_train, train[1]), (x_valid, valid[1]), normalizer


def make(seed, optimizer):
    """A Trainer of the notes' network; ``optimizer`` is a function of the parameters."""
    torch.manual_seed(seed)
    model = common.mlp((1, 4, 1), nn.Sigmoid)
    return Trainer(model, half_mean, optimizer(model.parameters()), seed=seed)


def run(data, quick, out, seed=0):
    """Fit the curve; ``data`` is not used, the points are made."""
    train, valid, normalizer = samples(seed)
    trainer = make(seed, lambda parameters: optim.SGD(parameters, lr=0.5))
    history = trainer.fit(train, valid, epochs=20 if quick else 10_000, batch_size=10,
                          stop=StopLoss(STOP, "valid_loss"), progress=False)  # fmt: skip
    draw(trainer, history, train, normalizer, out, quick)
    last = history["valid_loss"][-1]
    ours = f"validation loss {last:.6f} after {len(history)} epochs"
    return [common.Row("14.1", "1-4-1 fits a curve, stop at loss 0.001",
                       "loss below 0.001 within 10,000 epochs", ours, "generated",
                       common.command("curve_fitting"), "curve_fitting")]  # fmt: skip


def draw(trainer, history, train, normalizer, out, quick):
    """The fit, and the loss by epoch."""
    x = torch.linspace(0, 1, 400).reshape(-1, 1)
    with common.picture(out, "curve_fitting", quick, 1, 2, width=4.6) as axes:
        fit, loss = axes[0]
        fit.plot(normalizer.inverse(train[0]), train[1], ".", color=common.style.GREY,
                 markersize=4, label="samples")  # fmt: skip
        fit.plot(x, formula(x), label="the curve")
        fit.plot(x, trainer.predict(normalizer.transform(x)), label="1-4-1")
        common.style.label(fit, "What was learned", "x", "y")
        common.curves(loss, history, "loss", "Half the mean squared error", yscale="log")
        loss.axhline(STOP, color=common.style.GREY, linewidth=1)


def main(argv=None):
    """Run it."""
    return common.main(__doc__, run, argv)


if __name__ == "__main__":
    main()
