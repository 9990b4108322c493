"""16.1 Bias and variance: the diagnosis of a net, and the decomposition of its error.

`train.diagnose` tells the cases of table 16-2 from the errors on training and validation part,
here of the net of 16.0 at three moments of its training: the error is 1 - R2, and high above 5 %.

`train.bias_variance` takes the error apart (section 16.1.3): for each number of epochs it trains
nets on sets of 30 samples, drawn anew for each, and compares their mean with the curve (bias), and
each with the mean (variance). The noise has a variance of 0.0225. As in the notes' figure 16-10
the bias falls and the variance rises with training, and the error is least between.
"""

import common
import noisy_sine

import tensorgrad as torch
from tensorgrad import nn, optim
from tensorgrad.train import Trainer, bias_variance, diagnose, plot_tradeoff

SAMPLES = 30
EPOCHS = (30, 100, 300, 1000, 3000)
# The errors of training and validation part in table 16-2.
NOTES = {1: "1.5 % and 1.7 %", 2: "12.3 % and 11.4 %", 3: "1.2 % and 13.1 %",
         4: "12.3 % and 21.5 %"}  # fmt: skip


def learner(epochs):
    """A function that trains a net so long on a set, and returns what predicts."""

    def learn(x, y):
        model = noisy_sine.net()
        adam = optim.Adam(model.parameters(), lr=0.01)
        trainer = Trainer(model, nn.SquaredErrorLoss(), adam)
        trainer.fit((x, y), epochs=epochs, **noisy_sine.WHOLE)
        return lambda new: trainer.predict(new, batch_size=1000)

    return learn


def decompositions(quick, seed):
    """By number of epochs."""

    def draw(generator):
        return noisy_sine.points(SAMPLES, noisy_sine.NOISE, int(generator.integers(2**31)))

    x, truth = noisy_sine.points(300, 0.0, 3 * seed + 2)
    noise = noisy_sine.NOISE * torch.randn(
        truth.shape, generator=torch.Generator().manual_seed(seed)
    )
    return {
        n: bias_variance(learner(n), draw, (x, truth + noise), truth=truth,
                         rounds=3 if quick else 10, seed=seed)
        for n in (EPOCHS[:2] if quick else EPOCHS)
    }  # fmt: skip


def diagnoses(quick, seed):
    """Of the net of 16.0: early, at its best and in the end."""
    history = noisy_sine.fitted("none", noisy_sine.epochs_of(quick), seed).history
    return {epoch: diagnose(history, epoch=epoch)
            for epoch in (100, history.best_epoch, len(history))}  # fmt: skip


def run(data, quick, out, seed=0):
    """Diagnose and decompose; ``data`` is not used, the samples are made."""
    parts = decompositions(quick, seed)
    with common.picture(out, "bias_variance", quick, 1, 3, width=3.8) as axes:
        first, last = min(parts), max(parts)
        for ax, epochs in ((axes[0, 0], first), (axes[0, 1], last)):
            parts[epochs].plot(ax)
            ax.set(xlabel="t - pi", title=f"{epochs:,} epochs: {ax.get_title()}")
            ax.title.set_fontsize(8)
        plot_tradeoff(parts, axes[0, 2], label="epochs")
        axes[0, 2].set(xscale="log", yscale="log", title="Figure 16-10")
    command = common.command("bias_variance")
    rows = [common.Row("16.1.2", f"training and validation error (1 - R2) in epoch {epoch:,}",
                       f"case {found.case}: {NOTES[found.case]}",
                       f"case {found.case}: {found.train_error:.1%} and {found.valid_error:.1%}",
                       noisy_sine.DATA, command, "bias_variance")
            for epoch, found in diagnoses(quick, seed).items()]  # fmt: skip
    ours = "; ".join(f"{n:,} epochs: {one.bias2:.4f}, {one.variance:.4f}, {one.error:.4f}"
                     for n, one in parts.items())  # fmt: skip
    return [*rows, common.Row("16.1.3", "bias², variance and error over the epochs",
                              "figure 16-10: the error is U-shaped", ours, noisy_sine.DATA,
                              command, "bias_variance")]  # fmt: skip


def main(argv=None):
    """Run it."""
    return common.main(__doc__, run, argv)


if __name__ == "__main__":
    main()
