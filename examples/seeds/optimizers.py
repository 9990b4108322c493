"""15.2 Optimizers: a valley, and the curve of 14.1.

First the notes' valley z = x²/10 + y², with their four methods and rates, from (-7, 2) for thirty
steps. Then their table 15-3, on the network and the points of 14.1: plain gradient descent at the
rates 0.1 and 0.3, at most 10,000 epochs, stop at the loss 0.001 of the validation part; and six
further methods under the same condition for at most 1,500, at the rate that stands in their row.
Momentum is 0.9 throughout, and RMSProp forgets with 0.9. The notes' curve is not printed, so that
the numbers of epochs cannot be compared one by one: with ours the small rate comes through too, but
late.
"""

import common
import curve_fitting

import tensorgrad as torch
from tensorgrad import optim
from tensorgrad.train import StopLoss

START, STEPS = (-7.0, 2.0), 30
VALLEY = {
    "SGD, rate 0.95": lambda p: optim.SGD(p, lr=0.95),
    "Momentum, rate 0.1": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "RMSProp, rate 0.5": lambda p: optim.RMSprop(p, lr=0.5, alpha=0.9),
    "Adam, rate 0.5": lambda p: optim.Adam(p, lr=0.5),
}
CURVE = {
    "SGD, rate 0.1": lambda p: optim.SGD(p, lr=0.1),
    "SGD, rate 0.3": lambda p: optim.SGD(p, lr=0.3),
    "Momentum, rate 0.1": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "Nag, rate 0.1": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "AdaGrad, rate 0.3": lambda p: optim.Adagrad(p, lr=0.3),
    "AdaDelta, rate 1": lambda p: optim.Adadelta(p, lr=1.0),
    "RMSProp, rate 0.01": lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9),
    "Adam, rate 0.03": lambda p: optim.Adam(p, lr=0.03),
}
PRINTED = {
    "SGD, rate 0.1": "not below 0.001 after 10,000 epochs",
    "SGD, rate 0.3": "below 0.001 after 5,000 epochs",
}


def height(x, y):
    """The valley."""
    return x**2 / 10 + y**2


def descend(optimizer, steps=STEPS):
    """The points that an optimizer visits in the valley, the first one too."""
    point = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    method = optimizer([point])
    path = [START]
    for _ in range(steps):
        method.zero_grad()
        height(*point).backward()
        method.step()
        path.append(tuple(point.tolist()))
    return path


def fit(optimizer, epochs, seed):
    """The history of the network of 14.1 under an optimizer."""
    train, valid, _ = curve_fitting.samples(seed)
    trainer = curve_fitting.make(seed, optimizer)
    return trainer.fit(train, valid, epochs=epochs, batch_size=10, progress=False,
                       stop=StopLoss(curve_fitting.STOP, "valid_loss"))  # fmt: skip


def text(history):
    """Whether and when the loss was low enough."""
    last, epochs = history["valid_loss"][-1], len(history)
    if last < curve_fitting.STOP:
        return f"below 0.001 after {epochs:,} epochs"
    return f"not below 0.001 after {epochs:,} epochs (loss {last:.4f})"


def run(data, quick, out, seed=0):
    """The valley and the curve; ``data`` is not used, the points are made."""
    how = common.command("optimizers")
    paths = {name: descend(optimizer) for name, optimizer in VALLEY.items()}
    rows = [common.Row("15.2", f"the valley, {name}", "none printed",
                       f"z = {height(*path[-1]):.1e} after {STEPS} steps", "a formula", how,
                       "optimizers_valley")
            for name, path in paths.items()]  # fmt: skip
    histories = {}
    for name, optimizer in CURVE.items():
        # Others than plain gradient descent are done long before, or stay on a shelf.
        epochs = 5 if quick else 10_000 if name in PRINTED else 1500
        histories[name] = fit(optimizer, epochs, seed)
        rows.append(common.Row("15.2", f"the curve of 14.1, {name}",
                               PRINTED.get(name, "none printed"), text(histories[name]),
                               "generated", how, "optimizers_curve"))  # fmt: skip
    draw_valley(paths, out, quick)
    draw_curve(histories, out, quick)
    return rows


def draw_valley(paths, out, quick):
    """Paths on level curves."""
    x, y = torch.linspace(-8, 5, 200), torch.linspace(-3.2, 3.2, 200)
    levels = [0.05, 0.2, 0.5, 1, 2, 4, 7, 10]
    with common.picture(out, "optimizers_valley", quick, 2, 2, width=4.4, height=2.8) as axes:
        for ax, (name, path) in zip(axes.flat, paths.items(), strict=True):
            ax.contour(x, y, height(x, y[:, None]), levels, colors=common.style.GREY,
                       linewidths=0.8)  # fmt: skip
            ax.plot(*zip(*path, strict=True), "o-", markersize=3, linewidth=1.2)
            ax.plot(0, 0, "+", color=common.style.BLACK, markersize=10)
            common.style.label(ax, f"{name}: z = {height(*path[-1]):.1e}", legend=None)


def draw_curve(histories, out, quick):
    """Validation losses by epoch."""
    with common.picture(out, "optimizers_curve", quick, 1, 1, width=8.0, height=4.0) as axes:
        ax = axes[0, 0]
        for name, history in histories.items():
            # Adam is the eighth line, of a cycle of seven.
            colour = {"color": common.style.GREY} if name.startswith("Adam") else {}
            ax.plot(history["epoch"], best_so_far(history["valid_loss"]), label=name, **colour)
        ax.axhline(curve_fitting.STOP, color=common.style.GREY, linewidth=1)
        common.style.label(ax, "Least validation loss so far", "epoch",
                           "half the mean squared error", "lower left", xscale="log",
                           yscale="log")  # fmt: skip


def best_so_far(values):
    """The running minimum."""
    least, out = values[0], []
    for value in values:
        least = min(least, value)
        out.append(least)
    return out


def main(argv=None):
    """Run it."""
    return common.main(__doc__, run, argv)


if __name__ == "__main__":
    main()
