"""16.2, 16.3 L2 and L1: table 16-4.

Samples, net and training are those of 16.0. L2 is a decay of lambda / m = 0.01 / 100 on the
weights (`decay_groups`), as the notes divide by the number of samples. L1 shrinks the weights
after each step by the rate times 0.02 (`register_proximal`), which makes zeros exact: a term of
the loss would have them hop around zero. Adam scales what it steps along and not what shrinks, so
that this strength is not to be compared with the notes' lambda, which is not printed.

The picture shows the fits, and how many weights are of which size. As in the notes both
regularisers come closer to the curve than none, L2 makes weights smaller, and L1 leaves a part of
them, with exact zeros elsewhere. Two things differ. L2 lets no weight vanish: Adam's steps are as
long as its rate, however small the gradient, where gradient descent lets an unused weight decay
for good. And the weights that L1 leaves are larger than the notes', so that the norms of their
layers are not the least. Over seeds 0 to 3, R2 is on average 0.974 without (0.964 to 0.979), 0.990
with L2 (0.987 to 0.995) and 0.986 with L1 (0.974 to 0.992).
"""

import common
import noisy_sine
import numpy as np

from tensorgrad.nn.utils import weight_report

METHODS = ("none", "L2", "L1")
NAMES = {"none": "no regulariser", "L2": "L2", "L1": "L1"}
# Table 16-4, columns as METHODS.
NOTES = {
    "accuracy (R2)": "0.961 / 0.982 / 0.987",
    "weights below 1e-2, of 544": "7 / 204 / 524",
    "weights below 1e-5, of 544": "0 / 196 / 492",
    "norm 1 of layer 1": "8.66 / 6.84 / 4.09",
    "norm 1 of layer 2": "104.26 / 34.44 / 6.38",
    "norm 1 of layer 3": "97.74 / 18.96 / 6.73",
    "norm 1 of layer 4": "9.03 / 4.22 / 4.41",
    "norm 2 of layer 1": "2.31 / 1.71 / 1.71",
    "norm 2 of layer 2": "6.81 / 2.15 / 2.23",
    "norm 2 of layer 3": "5.51 / 2.45 / 2.81",
    "norm 2 of layer 4": "2.78 / 2.13 / 2.59",
}


def column(model, r2):
    """One column of table 16-4, as texts."""
    report = weight_report(model)
    counts = [report.total.small, report.total.vanishing]
    norms = [*(row.l1 for row in report), *(row.l2 for row in report)]
    return [f"{r2:.3f}", *map(str, counts), *(f"{norm:.2f}" for norm in norms)]


def run(data, quick, out, seed=0):
    """Train with L2, with L1 and without; ``data`` is not used, the samples are made."""
    sine, epochs = noisy_sine.parts(seed), noisy_sine.epochs_of(quick)
    trainers = {method: noisy_sine.fitted(method, epochs, seed) for method in METHODS}
    scores = {m: noisy_sine.accuracy(trainer, sine.test) for m, trainer in trainers.items()}
    with common.picture(out, "regularisation", quick, 2, 3, width=3.6) as axes:
        for above, below, method in zip(*axes, METHODS, strict=True):
            title = f"{NAMES[method]}: R2 {scores[method]:.3f}"
            noisy_sine.draw(above, title, sine, trainers[method])
            histogram(below, trainers[method].model)
    columns = [column(trainers[m].model, scores[m]) for m in METHODS]
    ours = [" / ".join(cells) for cells in zip(*columns, strict=True)]
    return [common.Row("16.3", f"table 16-4, none / L2 / L1: {what}", notes, found,
                       noisy_sine.DATA, common.command("regularisation"), "regularisation")
            for (what, notes), found in zip(NOTES.items(), ours, strict=True)]  # fmt: skip


def histogram(ax, model):
    """How many weights are of which size, by powers of ten; zeros stand where 1e-8 would."""
    sizes = [np.abs(p.detach().numpy()).ravel() for p in model.parameters() if p.ndim == 2]
    powers = np.log10(np.maximum(np.concatenate(sizes), 1e-8))
    ax.hist(powers, np.arange(-8.25, 2, 0.5), color=common.style.BLUE)
    ax.set_xticks(range(-8, 3, 2), ["0", *(f"1e{power}" for power in (-6, -4, -2)), "1", "100"])
    common.style.label(ax, "Sizes of the 544 weights", "size", ylim=(0, 544))


def main(argv=None):
    """Run it."""
    return common.main(__doc__, run, argv)


if __name__ == "__main__":
    main()
