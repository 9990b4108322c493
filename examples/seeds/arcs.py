"""14.3 Two arcs: 2-3-1 with sigmoids.

Three sigmoids part two half circles that reach into one another, without noise; 1,000 points to
learn from, 250 for validation, 1,000 others to test on, coordinates of mean 0 and deviation 1.
Settings of the notes: gradient descent at the rate 0.1, batches of 5, Xavier's initialisation, at
most 1,000 epochs, stop at the loss 0.02, which is that of the validation part here. Their points
are not printed. A long plateau, where the net answers almost by a line, comes before the fall;
with 200 points to learn from, a fifth of the steps in each epoch, it may outlast the 1,000 epochs.
"""

import common

import tensorgrad as torch
from tensorgrad import datasets, nn, optim
from tensorgrad.train import StopLoss, Trainer

STOP = 0.02


def samples(seed=0, n=1250):
    """Training, validation and test part; classes are columns of 0 and 1."""
    x, y = datasets.arcs(n, noise=0.0, seed=seed)
    train, valid = common.hold_out(x, y.float()[:, None], 0.2, seed)
    x_test, y_test = datasets.arcs(1000, noise=0.0, seed=seed + 1)
    x_train, x_valid, x_test, _ = datasets.normalize_x(
        train[0], valid[0], x_test, method="standard"
    )
    return (x_train, train[1]), (x_valid, valid[1]), (x_test, y_test.float()[:, None])


def run(data, quick, out, seed=0):
    """Part the arcs; ``data`` is not used, the points are made."""
    train, valid, test = samples(seed, 250 if quick else 1250)
    torch.manual_seed(seed)
    model = common.mlp((2, 3, 1), nn.Sigmoid)
    sgd = optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(model, nn.BCEWithLogitsLoss(), sgd, metrics="accuracy", seed=seed)
    history = trainer.fit(train, valid, epochs=10 if quick else 1000, batch_size=5,
                          stop=StopLoss(STOP, "valid_loss"), progress=False)  # fmt: skip
    with common.picture(out, "arcs", quick, 1, 2, width=4.6, height=3.4) as axes:
        common.regions(axes[0, 0], model, *test, "Test points, and what 2-3-1 answers")
        common.curves(axes[0, 1], history, "loss", "Cross-entropy", yscale="log")
        axes[0, 1].axhline(STOP, color=common.style.GREY, linewidth=1)
    ours = (
        f"validation loss {history['valid_loss'][-1]:.4f} after {len(history)} epochs, "
        f"test accuracy {trainer.evaluate(test)['accuracy']:.2%}"
    )
    return [common.Row("14.3", "2-3-1 parts two arcs, stop at loss 0.02",
                       "loss below 0.02 within 1,000 epochs", ours, "generated",
                       common.command("arcs"), "arcs")]  # fmt: skip


def main(argv=None):
    """Run it."""
    return common.main(__doc__, run, argv)


if __name__ == "__main__":
    main()
