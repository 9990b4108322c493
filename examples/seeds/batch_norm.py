"""15.6 Batch normalisation: the network of 14.6 with and without.

784-128-64-32-16-10 with ReLU as in 14.6, with a batch normalisation before each ReLU and without:
how many epochs until 97 % of the validation part (a tenth of the 60,000) are right. Gradient
descent at the rate 0.1 and at 0.5, as the notes say that normalisation allows greater rates;
batches of 64, six epochs, three seeds each. They print no figure.
"""

import common
import mnist

RATES = (0.1, 0.5)
GOAL = 0.97


def epochs_to(history, goal=GOAL):
    """The first epoch with this validation accuracy, or None."""
    values = history["valid_accuracy"]
    return next((i for i, value in enumerate(values, 1) if value >= goal), None)


def text(trainers, test):
    """When the goal was reached with each seed, and the mean test accuracy in the end."""
    reached = [epochs_to(trainer.history) for trainer in trainers]
    words = ", ".join("never" if epoch is None else str(epoch) for epoch in reached)
    accuracy = sum(trainer.evaluate(test)["accuracy"] for trainer in trainers) / len(trainers)
    epochs = len(trainers[0].history)
    return f"97 % in epoch {words} ({epochs} epochs each); mean test accuracy {accuracy:.2%}"


def run(data, quick, out, seed=0):
    """Both networks at both rates."""
    digits = common.mnist(data, quick)
    epochs = 2 if quick else 20 if data is None else 6
    rows, histories = [], {}
    for rate in RATES:
        for norm in (False, True):
            trainers = []
            for each in range(seed, seed + (1 if quick else 3)):
                train, valid = common.hold_out(*digits.train, 0.1, each)
                trainers.append(mnist.make(each, rate, norm=norm))
                trainers[-1].fit(train, valid, epochs=epochs, progress=False)
            name = f"{'with' if norm else 'without'} batch normalisation, rate {rate}"
            histories[name] = [trainer.history for trainer in trainers]
            rows.append(common.Row("15.6", name, "none printed", text(trainers, digits.test),
                                   digits.name, common.command("batch_norm", data),
                                   "batch_norm"))  # fmt: skip
    draw(histories, out, quick)
    return rows


def draw(histories, out, quick):
    """Validation accuracy by epoch, a panel for each rate and a line for each seed."""
    colours = {"without": common.style.VERMILION, "with": common.style.BLUE}
    with common.picture(out, "batch_norm", quick, 1, 2, width=4.6, sharey=True) as axes:
        for ax, rate in zip(axes[0], RATES, strict=True):
            for name, runs in histories.items():
                if not name.endswith(f"rate {rate}"):
                    continue
                kind = name.partition(" ")[0]
                for i, history in enumerate(runs):
                    ax.plot(history["epoch"], history["valid_accuracy"], color=colours[kind],
                            linestyle="-" if kind == "with" else "--", linewidth=1.6,
                            label=None if i else kind)  # fmt: skip
            ax.axhline(GOAL, color=common.style.GREY, linewidth=1)
            common.style.label(ax, f"Validation accuracy, rate {rate}", "epoch")


def main(argv=None):
    """Run it."""
    return common.main(__doc__, run, argv)


if __name__ == "__main__":
    main()
