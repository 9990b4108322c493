"""14.5 Three classes in the plane: sigmoid and ReLU.

A coin with a square hole: hole, coin and surroundings have equal areas, and the coin is thin at the
corners of the hole. 1,600 points to learn from, 400 for validation, 2,000 others to test on. As in
the notes: 2-8-3 with sigmoids and Xavier's initialisation, 2-8-8-3 with ReLU and He's, batches of
10, stop at the loss 0.08 (of the validation part). ReLU has their gradient descent at the rate 0.1.
For the sigmoids that is slow: of 1,000 points, it had a training loss of 0.06 but not yet this
validation loss after their 5,000 epochs, so Adam at the rate 0.02 takes its place. The regions show
the difference: smooth borders from sigmoids, straight ones from ReLU.
"""

import common

import tensorgrad as torch
from tensorgrad import datasets, nn, optim
from tensorgrad.train import StopLoss, Trainer

STOP = 0.08
NETS = {
    "sigmoid, 2-8-3": ((2, 8, 3), nn.Sigmoid, nn.init.xavier_uniform_, optim.Adam, 0.02),
    "ReLU, 2-8-8-3": ((2, 8, 8, 3), nn.ReLU, common.msra, optim.SGD, 0.1),
}


def samples(seed=0, n=2000):
    """Training, validation and test part."""
    train, valid = common.hold_out(*datasets.three_classes(n, seed=seed), 0.2, seed)
    return train, valid, datasets.three_classes(2000, seed=seed + 1)


def fit(name, train, valid, epochs, seed):
    """A trained Trainer of one of the networks."""
    sizes, activation, fill, optimizer, rate = NETS[name]
    torch.manual_seed(seed)
    model = common.mlp(sizes, activation, fill)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer(model.parameters(), lr=rate),
                      metrics="accuracy", seed=seed)  # fmt: skip
    trainer.fit(train, valid, epochs=epochs, batch_size=10, stop=StopLoss(STOP, "valid_loss"),
                progress=False)  # fmt: skip
    return trainer


def run(data, quick, out, seed=0):
    """Both networks; ``data`` is not used, the points are made."""
    train, valid, test = samples(seed, 400 if quick else 2000)
    rows = []
    with common.picture(out, "three_classes", quick, 2, 2, width=4.4, height=3.6) as axes:
        for (left, right), name in zip(axes, NETS, strict=True):
            trainer = fit(name, train, valid, 5 if quick else 500, seed)
            history, accuracy = trainer.history, trainer.evaluate(test)["accuracy"]
            common.regions(left, trainer.model, *test, f"{name}: {accuracy:.1%} of test points")
            common.curves(right, history, "loss", "Cross-entropy", yscale="log")
            right.axhline(STOP, color=common.style.GREY, linewidth=1)
            ours = (
                f"validation loss {history['valid_loss'][-1]:.4f} after {len(history)} epochs, "
                f"test accuracy {accuracy:.2%}"
            )
            rows.append(common.Row("14.5", f"three classes, {name}, stop at loss 0.08",
                                   "loss below 0.08 within 5,000 epochs", ours, "generated",
                                   common.command("three_classes"), "three_classes"))  # fmt: skip
    return rows


def main(argv=None):
    """Run it."""
    return common.main(__doc__, run, argv)


if __name__ == "__main__":
    main()
