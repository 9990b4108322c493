"""Train a small ResNet on colour images, and look at what it learned.

The network is that of section 4.2 of He et al. (arXiv:1512.03385): three stages of 16, 32 and 64
channels, 6n + 2 layers deep, composed here from the residual blocks of nn.models. Without --data
it runs offline in about a minute, on the 1,797 UCI digits that come with the package, enlarged
and coloured. After every epoch a checkpoint is saved, from which --resume goes on to the very
same numbers.

    python examples/cifar_resnet.py
    python examples/cifar_resnet.py --data ~/data --download --depth 20
    python examples/cifar_resnet.py --data ~/data --depth 20 --resume
"""

import argparse
import sys
import time
from pathlib import Path

import tensorgrad as torch
from tensorgrad import datasets, nn, optim
from tensorgrad.nn import functional as F
from tensorgrad.nn.models import BasicBlock
from tensorgrad.utils.data import DataLoader, TensorDataset

# --- data -------------------------------------------------------------------------------


def cifar10(folder, train, download):
    """CIFAR-10 as float images, channels first, about 0 in the mean, and labels."""
    data = datasets.CIFAR10(folder, train=train, download=download)
    images = torch.tensor(data.data).permute(0, 3, 1, 2).float() / 255
    return TensorDataset((images - 0.47) / 0.25, torch.tensor(data.targets))


def coloured_digits(split):
    """The embedded digits at 32 x 32 pixels, each in a dark colour on a light one."""
    images, labels = datasets.digits(split=split)
    ink = F.interpolate(images, size=(32, 32), mode="bilinear", align_corners=False)
    dark = 0.5 * torch.rand(len(images), 3, 1, 1)
    light = 1 - 0.5 * torch.rand(len(images), 3, 1, 1)
    images = ink * dark + (1 - ink) * light
    return TensorDataset((images - 0.5) / 0.25, labels)


def load(args):
    """The set to train on, the one held out, and the names of the classes."""
    if args.data is None:
        sets = [coloured_digits(split) for split in ("train", "test")]
        classes = [str(digit) for digit in range(10)]
    else:
        sets = [cifar10(args.data, train, args.download) for train in (True, False)]
        classes = datasets.CIFAR10.classes
    if args.quick:
        sets = [TensorDataset(*(tensor[:320] for tensor in part.tensors)) for part in sets]
    return *sets, classes


def augment(images, mirror):
    """Shift a batch by up to four pixels, and mirror every other image."""
    top, left = torch.randint(0, 9, (2,)).tolist()
    height, width = images.shape[2:]
    images = F.pad(images, (4, 4, 4, 4))[:, :, top : top + height, left : left + width]
    if mirror:
        flipped = torch.rand(len(images), 1, 1, 1) < 0.5
        images = torch.where(flipped, images.flip(3), images)
    return images


# --- the network ------------------------------------------------------------------------


class SmallResNet(nn.Module):
    """ResNet for images of 32 x 32 pixels: n blocks in each of three stages, 6n + 2 layers."""

    def __init__(self, depth, num_classes=10):
        super().__init__()
        n = (depth - 2) // 6
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.stages = nn.Sequential(
            *self.stage(16, 16, n, stride=1),
            *self.stage(16, 32, n, stride=2),
            *self.stage(32, 64, n, stride=2),
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes))

    @staticmethod
    def stage(inplanes, planes, n, stride):
        """N blocks, the first of which changes the size."""
        shortcut = None
        if stride != 1:
            shortcut = nn.Sequential(
                nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
            )
        first = BasicBlock(inplanes, planes, stride, shortcut)
        return [first] + [BasicBlock(planes, planes) for _ in range(n - 1)]

    def forward(self, x):
        return self.head(self.stages(self.stem(x)))


# --- training ---------------------------------------------------------------------------


def train_epoch(model, loader, optimizer, scheduler, mirror, label):
    """One pass over the data; returns the mean loss."""
    model.train()
    total = 0.0
    for images, labels in progress(loader, label):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(augment(images, mirror)), labels)
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
    """Train with momentum under a one-cycle rate, a checkpoint after each epoch."""
    loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    optimizer = optim.SGD(
        model.parameters(), lr=args.lr, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    scheduler = optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=args.lr, total_steps=args.epochs * len(loader)
    )
    mirror = args.data is not None  # a mirrored digit is no digit
    checkpoint = args.out / "checkpoint.safetensors"
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    first = load_checkpoint(checkpoint, parts, args) + 1 if args.resume else 1
    for epoch in range(first, args.epochs + 1):
        start = time.perf_counter()
        loss = train_epoch(
            model, loader, optimizer, scheduler, mirror, f"epoch {epoch}/{args.epochs}"
        )
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
    names = ("depth", "epochs", "batch_size", "lr", "quick")
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


def draw(model, images, labels, scores, classes, path):
    """Save a picture: the first filters, what they make of one image, and misread images."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with torch.no_grad():
        filters = model.stem[0].weight.detach()
        maps = model.stem(images[:1])[0]
        last = model.stages(model.stem(images[:1]))[0]
    predictions = scores.argmax(1)
    wrong = (predictions != labels).nonzero().flatten().tolist()
    fig, axes = plt.subplots(4, 9, figsize=(11, 6), layout="constrained")
    for ax in axes.flat:
        ax.axis("off")

    def show(row, column, image, title):
        """A map as it is; three channels as a colour image."""
        if image.ndim == 3:
            image = image.permute(1, 2, 0)
            image = (image - image.min()) / (image.max() - image.min())
        axes[row, column].imshow(image.numpy(), cmap="viridis")
        axes[row, column].set_title(title, fontsize=8)

    show(1, 0, images[0], classes[labels[0].item()])
    for i in range(8):
        show(0, i + 1, filters[i], f"filter {i}")
        show(1, i + 1, maps[i], f"activation {i}")
        show(2, i + 1, last[i], f"last stage {i}")
    for column, i in enumerate(wrong[:9]):
        truth, read = classes[labels[i].item()], classes[predictions[i].item()]
        show(3, column, images[i], f"{truth}\nread as {read}")
    fig.suptitle(f"ResNet; below, {len(wrong[:9])} of {len(wrong)} misread test images")
    fig.savefig(path, dpi=110)
    plt.close(fig)


# --- the command line -------------------------------------------------------------------


def arguments(argv=None):
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with CIFAR-10's files, binary version")
    parser.add_argument("--download", action="store_true", help="fetch them into --data")
    parser.add_argument("--depth", type=int, default=8, help="layers: 8, 14, 20, 26... (8)")
    parser.add_argument("--epochs", type=int, help="passes over the data (CIFAR 15, digits 8)")
    parser.add_argument("--batch-size", type=int, default=64, help="images in a step (64)")
    parser.add_argument("--lr", type=float, default=0.2, help="highest learning rate (0.2)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and order (0)")
    parser.add_argument("--resume", action="store_true", help="go on from --out's checkpoint")
    parser.add_argument("--quick", action="store_true", help="two epochs of 320 images, to try it")
    parser.add_argument("--out", type=Path, default=Path("runs/cifar"), help="output directory")
    args = parser.parse_args(argv)
    if args.epochs is None:
        args.epochs = 2 if args.quick else 8 if args.data is None else 15
    for name in ("epochs", "batch_size"):
        if getattr(args, name) < 1:
            parser.exit(2, f"error: --{name.replace('_', '-')} must be at least 1, "
                           f"got {getattr(args, name)}\n")  # fmt: skip
    if args.depth < 8 or args.depth % 6 != 2:
        parser.exit(2, f"error: --depth must be 8, 14, 20, 26..., got {args.depth}\n")
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
        train_set, test_set, classes = load(args)
    except RuntimeError as error:  # files that are missing or damaged
        raise SystemExit(f"error: {error}") from None
    print(f"{len(train_set)} images to train on, {len(test_set)} held out")

    model = SmallResNet(args.depth)
    start = time.perf_counter()
    train(model, train_set, test_set, args)
    seconds = time.perf_counter() - start
    images, labels = test_set.tensors
    scores = predict(model, test_set)
    result = accuracy(scores, labels)
    print(f"test accuracy {result:.2%} after {args.epochs} epochs in {seconds:.1f} s")

    torch.save(model.state_dict(), args.out / "resnet.safetensors")
    print(f"saved {args.out / 'resnet.safetensors'}")
    try:
        draw(model, images, labels, scores, classes, args.out / "resnet.png")
    except ImportError:
        print('no picture: matplotlib is missing; run: pip install "tensorgrad[plot]"')
    else:
        print(f"saved {args.out / 'resnet.png'}")
    return result


if __name__ == "__main__":
    main()
