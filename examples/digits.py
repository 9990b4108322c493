"""Train a digit classifier on the 1,797 UCI digits, and look at what it learned.

Everything needed is in the package, so it works offline: a two-layer perceptron is trained on
four fifths of the 8x8 images, a line is printed for each epoch, and the model and a picture of
its curves and its mistakes are saved. The saved model is loaded again and must predict the same.

    python examples/digits.py --epochs 30 --hidden 128 --out runs/digits
"""

import argparse
import sys
import time
from pathlib import Path

import tensorgrad as torch
from tensorgrad import nn, optim
from tensorgrad.datasets import digits
from tensorgrad.utils.data import DataLoader, TensorDataset


def build_model(hidden):
    """A perceptron from the 64 pixels over one hidden layer to the 10 classes."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, hidden),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(hidden, 10),
    )


def evaluate(model, images, labels):
    """Loss, accuracy and predictions on a whole set, in evaluation mode."""
    model.eval()
    with torch.no_grad():
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels).item()
    predictions = logits.argmax(1)
    return loss, (predictions == labels).float().mean().item(), predictions


def train(model, train_set, test_set, epochs, batch_size, lr):
    """Train with Adam; returns the history, one dictionary for each epoch."""
    loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)
    optimizer = optim.Adam(model.parameters(), lr=lr)
    loss_fn = nn.CrossEntropyLoss()
    history = []
    for epoch in range(1, epochs + 1):
        model.train()
        total = correct = 0
        for images, labels in progress(loader, f"epoch {epoch}/{epochs}"):
            optimizer.zero_grad()
            logits = model(images)
            loss = loss_fn(logits, labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            correct += (logits.argmax(1) == labels).sum().item()
        test_loss, test_accuracy, _ = evaluate(model, *test_set.tensors)
        history.append({
            "train loss": total / len(train_set), "train accuracy": correct / len(train_set),
            "test loss": test_loss, "test accuracy": test_accuracy,
        })  # fmt: skip
        print(f"epoch {epoch:3d}  " + "  ".join(f"{k} {v:.4f}" for k, v in history[-1].items()))
    return history


def progress(batches, label):
    """A progress bar where there is a terminal and tqdm is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return batches
    return tqdm(batches, desc=label, leave=False, disable=not sys.stderr.isatty())


def draw(history, images, labels, predictions, path):
    """Save the curves and up to ten misread digits as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    wrong = (predictions != labels).nonzero().flatten().tolist()[:10]
    fig = plt.figure(figsize=(11, 6.5), layout="constrained")
    grid = fig.add_gridspec(2, 10, height_ratios=[3, 1])
    epochs = range(1, len(history) + 1)
    for place, kind in ((grid[0, :5], "loss"), (grid[0, 5:], "accuracy")):
        axes = fig.add_subplot(place)
        for part in ("train", "test"):
            axes.plot(epochs, [h[f"{part} {kind}"] for h in history], label=part)
        axes.set(xlabel="epoch", ylabel=kind, title=f"{kind} by epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    for column, i in enumerate(wrong):
        axes = fig.add_subplot(grid[1, column])
        axes.imshow(images[i, 0].numpy(), cmap="gray_r")
        axes.set_title(f"{labels[i].item()} read as {predictions[i].item()}", fontsize=8)
        axes.axis("off")
    fig.suptitle(f"{len(wrong)} of {int((predictions != labels).sum())} misread test digits below")
    fig.savefig(path, dpi=110)
    plt.close(fig)


def save_and_reload(model, path, hidden, images, predictions):
    """Save the weights, load them into a new model, and check that it predicts the same."""
    torch.save(model.state_dict(), path)
    copy = build_model(hidden)
    copy.load_state_dict(torch.load(path))
    copy.eval()
    with torch.no_grad():
        again = copy(images).argmax(1)
    if not torch.equal(again, predictions):
        raise SystemExit(f"error: the model loaded from {path} predicts differently")


def arguments(argv=None):
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=30, help="passes over the data (30)")
    parser.add_argument("--hidden", type=int, default=128, help="width of the hidden layer (128)")
    parser.add_argument("--batch-size", type=int, default=32, help="samples in a step (32)")
    parser.add_argument("--lr", type=float, default=2e-3, help="learning rate of Adam (0.002)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and dropout (0)")
    parser.add_argument("--out", type=Path, default=Path("runs/digits"), help="output directory")
    args = parser.parse_args(argv)
    for name in ("epochs", "hidden", "batch_size"):
        if getattr(args, name) < 1:
            parser.exit(2, f"error: --{name.replace('_', '-')} must be at least 1, "
                           f"got {getattr(args, name)}\n")  # fmt: skip
    if not args.lr > 0:
        parser.exit(2, f"error: --lr must be positive, got {args.lr}\n")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.exit(2, f"error: cannot write to --out {args.out}: {error.strerror}\n")
    return args


def main(argv=None):
    """Train, report, save, and draw."""
    args = arguments(argv)
    torch.manual_seed(args.seed)
    train_set = TensorDataset(*digits(split="train"))
    test_set = TensorDataset(*digits(split="test"))
    print(f"{len(train_set)} digits to train on, {len(test_set)} held out")

    model = build_model(args.hidden)
    print(model)
    start = time.perf_counter()
    history = train(model, train_set, test_set, args.epochs, args.batch_size, args.lr)
    seconds = time.perf_counter() - start
    images, labels = test_set.tensors
    _, accuracy, predictions = evaluate(model, images, labels)
    print(f"test accuracy {accuracy:.2%} after {args.epochs} epochs in {seconds:.1f} s")

    weights = args.out / "digits.safetensors"
    save_and_reload(model, weights, args.hidden, images, predictions)
    print(f"saved {weights}; loaded again, it predicts the same")
    try:
        draw(history, images, labels, predictions, args.out / "digits.png")
    except ImportError:
        print('no picture: matplotlib is missing; run: pip install "tensorgrad[plot]"')
    else:
        print(f"saved {args.out / 'digits.png'}")
    return accuracy


if __name__ == "__main__":
    main()
