"""Train LeNet-5 on handwritten digits, and look at what it learned.

Without --data it runs offline in seconds, on the 1,797 UCI digits that come with the package,
enlarged to MNIST's 28 x 28 pixels, and reads 99.4 % of those held out. With the MNIST files it
reads 99.27 % of the test set after five epochs (seed 0). After every epoch a checkpoint is
saved, from which --resume goes on to the very same numbers.

    python examples/mnist_lenet.py
    python examples/mnist_lenet.py --data ~/data --download
    python examples/mnist_lenet.py --data ~/data --resume
"""

import argparse
import sys
import time
from pathlib import Path

import tensorgrad as torch
from tensorgrad import datasets, nn, optim
from tensorgrad.nn import functional as F
from tensorgrad.utils.data import DataLoader, TensorDataset

# --- data -------------------------------------------------------------------------------


def mnist(folder, train, download):
    """MNIST as float images with mean 0 and deviation 1, and labels."""
    data = datasets.MNIST(folder, train=train, download=download)
    images = data.data[:, None].float() / 255
    return TensorDataset((images - 0.1307) / 0.3081, data.targets)


def enlarged_digits(split):
    """The embedded digits as MNIST frames them: 20 x 20 pixels in a margin of 4."""
    images, labels = datasets.digits(split=split)
    images = F.interpolate(images, size=(20, 20), mode="bilinear", align_corners=False)
    return TensorDataset((F.pad(images, (4, 4, 4, 4)) - 0.16) / 0.3, labels)


def load(args):
    """The set to train on and the one held out."""
    if args.data is None:
        sets = [enlarged_digits(split) for split in ("train", "test")]
    else:
        sets = [mnist(args.data, train, args.download) for train in (True, False)]
    if args.quick:
        sets = [TensorDataset(*(tensor[:640] for tensor in part.tensors)) for part in sets]
    return sets


# --- training ---------------------------------------------------------------------------


def train_epoch(model, loader, optimizer, scheduler, label):
    """One pass over the data; returns the mean loss."""
    model.train()
    total = 0.0
    for images, labels in progress(loader, label):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


def predict(model, dataset):
    """The scores of every class for all images, in evaluation mode."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(images) for images, _ in DataLoader(dataset, batch_size=500)])


def accuracy(scores, labels):
    return (scores.argmax(1) == labels).float().mean().item()


def train(model, train_set, test_set, args):
    """Train with Adam under a one-cycle rate, a checkpoint after each epoch."""
    loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    optimizer = optim.Adam(model.parameters(), lr=args.lr)
    scheduler = optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=args.lr, total_steps=args.epochs * len(loader)
    )
    checkpoint = args.out / "checkpoint.safetensors"
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    first = load_checkpoint(checkpoint, parts, args) + 1 if args.resume else 1
    for epoch in range(first, args.epochs + 1):
        start = time.perf_counter()
        loss = train_epoch(model, loader, optimizer, scheduler, f"epoch {epoch}/{args.epochs}")
        seconds = time.perf_counter() - start
        test_accuracy = accuracy(predict(model, test_set), test_set.tensors[1])
        print(f"epoch {epoch:3d}  train loss {loss:.4f}  test accuracy {test_accuracy:.4f}  "
              f"({seconds:.1f} s)", flush=True)  # fmt: skip
        save_checkpoint(checkpoint, parts, args, epoch)


def progress(batches, label):
    """A progress bar where there is a terminal and tqdm is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return batches
    return tqdm(batches, desc=label, leave=False, disable=not sys.stderr.isatty())


# --- checkpoints ------------------------------------------------------------------------


def plan(args):
    """What a resumed run must have in common with the one that it continues."""
    names = ("epochs", "batch_size", "lr", "quick")
    return {"real": args.data is not None, **{name: getattr(args, name) for name in names}}


def save_checkpoint(path, parts, args, epoch):
    """Everything that the next epoch depends on, the state of the random numbers too."""
    state = {name: part.state_dict() for name, part in parts.items()}
    torch.save({**state, "epoch": epoch, "plan": plan(args), "random": torch.get_rng_state()}, path)


def load_checkpoint(path, parts, args):
    """Set the parts to where they were; returns the last epoch that was finished."""
    if not path.exists():
        raise SystemExit(f"error: --resume found no {path}; run once without it")
    saved = torch.load(path)
    if saved["plan"] != plan(args):
        raise SystemExit(f"error: {path} was saved under {saved['plan']}, not {plan(args)}")
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    torch.set_rng_state(saved["random"])
    print(f"resumed from {path} after epoch {saved['epoch']}")
    return saved["epoch"]


# --- the picture ------------------------------------------------------------------------


def draw(model, images, labels, scores, path):
    """Save a picture: the first filters, what they make of one digit, and misread digits."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with torch.no_grad():
        filters = model.features[0].weight[:, 0]
        maps = model.features[:2](images[:1])[0]  # convolution and ReLU
        pooled = model.features[:3](images[:1])[0]
    predictions = scores.argmax(1)
    wrong = (predictions != labels).nonzero().flatten().tolist()
    fig, axes = plt.subplots(4, 7, figsize=(9, 6), layout="constrained")
    for ax in axes.flat:
        ax.axis("off")

    def show(row, column, image, title="", **options):
        axes[row, column].imshow(image.numpy(), **options)
        axes[row, column].set_title(title, fontsize=8)

    limit = filters.abs().max().item()
    show(1, 0, images[0, 0], f"a {labels[0].item()}", cmap="gray_r")
    for i in range(len(filters)):
        show(0, i + 1, filters[i], f"filter {i}", cmap="RdBu_r", vmin=-limit, vmax=limit)
        show(1, i + 1, maps[i], f"activation {i}", cmap="viridis")
        show(2, i + 1, pooled[i], "max of 2 x 2", cmap="viridis")
    for column, i in enumerate(wrong[:7]):
        sure = scores[i].softmax(0).max().item()
        title = f"{labels[i].item()} read as {predictions[i].item()}\n({sure:.0%} sure)"
        show(3, column, images[i, 0], title, cmap="gray_r")
    fig.suptitle(f"LeNet-5; below, {len(wrong[:7])} of {len(wrong)} misread test digits")
    fig.savefig(path, dpi=110)
    plt.close(fig)


# --- the command line -------------------------------------------------------------------


def arguments(argv=None):
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with the MNIST files")
    parser.add_argument("--download", action="store_true", help="fetch them into --data")
    parser.add_argument("--epochs", type=int, help="passes over the data (MNIST 5, digits 12)")
    parser.add_argument("--batch-size", type=int, default=64, help="images in a step (64)")
    parser.add_argument("--lr", type=float, default=4e-3, help="highest rate of Adam (0.004)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and order (0)")
    parser.add_argument("--resume", action="store_true", help="go on from --out's checkpoint")
    parser.add_argument("--quick", action="store_true", help="two epochs of 640 images, to try it")
    parser.add_argument("--out", type=Path, default=Path("runs/mnist"), help="output directory")
    args = parser.parse_args(argv)
    if args.epochs is None:
        args.epochs = 2 if args.quick else 12 if args.data is None else 5
    for name in ("epochs", "batch_size"):
        if getattr(args, name) < 1:
            parser.exit(2, f"error: --{name.replace('_', '-')} must be at least 1, "
                           f"got {getattr(args, name)}\n")  # fmt: skip
    if not args.lr > 0:
        parser.exit(2, f"error: --lr must be positive, got {args.lr}\n")
    if args.download and args.data is None:
        parser.exit(2, "error: --download needs --data, the folder to put the files in\n")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.exit(2, f"error: cannot write to --out {args.out}: {error.strerror}\n")
    return args


def main(argv=None):
    """Train, report, save, and draw."""
    args = arguments(argv)
    torch.manual_seed(args.seed)
    try:
        train_set, test_set = load(args)
    except RuntimeError as error:  # files that are missing or damaged
        raise SystemExit(f"error: {error}") from None
    print(f"{len(train_set)} digits to train on, {len(test_set)} held out")

    model = nn.models.lenet5(modern=True)
    start = time.perf_counter()
    train(model, train_set, test_set, args)
    seconds = time.perf_counter() - start
    images, labels = test_set.tensors
    scores = predict(model, test_set)
    result = accuracy(scores, labels)
    print(f"test accuracy {result:.2%} after {args.epochs} epochs in {seconds:.1f} s")

    torch.save(model.state_dict(), args.out / "lenet.safetensors")
    print(f"saved {args.out / 'lenet.safetensors'}")
    try:
        draw(model, images, labels, scores, args.out / "lenet.png")
    except ImportError:
        print('no picture: matplotlib is missing; run: pip install "tensorgrad[plot]"')
    else:
        print(f"saved {args.out / 'lenet.png'}")
    return result


if __name__ == "__main__":
    main()
