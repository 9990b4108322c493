"""What the experiments share: the command line, data, networks, rows of results, pictures.

A script has a docstring, whose first line is the heading of its section in docs/experiments.md and
whose other lines are the text there; a function ``run(data, quick, out, seed=0)`` that returns
:class:`Row` objects; and ``main(argv)``. ``data`` is the folder of real files or None, ``quick``
asks for seconds, ``out`` is the folder of the pictures. Rows depend on these and the seed alone.
"""

import argparse
import importlib.util
import itertools
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tensorgrad as torch
from tensorgrad import datasets, nn
from tensorgrad.nn import functional as F

HERE = Path(__file__).resolve().parent
RUNS = Path("runs/seeds")  # where results go that are not for the page


class Row(NamedTuple):
    """A line of the table: what the course notes print, what we found, and how to find it."""

    section: str  # of the notes, such as "14.6"
    what: str
    notes: str  # their figure, or "none printed"
    ours: str
    data: str  # such as "MNIST", "generated", "stand-in: the embedded digits"
    command: str  # of command()
    picture: str = ""  # the name of the picture, without .png


def command(name, data=None):
    """How to run a script: with ``--data DATA`` where it read real files."""
    return f"python examples/seeds/{name}.py" + ("" if data is None else " --data DATA")


# --- the command line -------------------------------------------------------------------


def parser_of(doc):
    """The options of every script."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of the real files (stand-ins without)")
    parser.add_argument("--quick", action="store_true", help="little data, few epochs: to try it")
    parser.add_argument("--out", type=Path, help="folder to write to")
    return parser


def prepare(parser, args):
    """Bad arguments end in one line; the folder to write to is made; one thread from here on.

    The last digits of a product depend on the number of threads, and with them, after thousands of
    steps, the figures. These networks are too small to gain from a second one.
    """
    torch.set_num_threads(1)
    if args.data is not None and not args.data.is_dir():
        parser.exit(2, f"error: --data must be a folder, got {args.data}\n")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.exit(2, f"error: cannot write to --out {args.out}: {error.strerror}\n")
    try:
        style.matplotlib()
    except ImportError as error:
        raise SystemExit(f"error: {error}") from None


def main(doc, run, argv=None):
    """Run one script, and print its rows."""
    parser = parser_of(doc)
    parser.add_argument("--seed", type=int, default=0, help="of weights, data and order (0)")
    args = parser.parse_args(argv)
    args.out = RUNS if args.out is None else args.out
    prepare(parser, args)
    rows = run(args.data, args.quick, args.out, args.seed)
    report(rows)
    print(f"pictures in {args.out}")
    return rows


def report(rows):
    """Print rows."""
    for row in rows:
        print(f"{row.section}  {row.what} ({row.data})\n"
              f"      notes: {row.notes}\n      ours:  {row.ours}", flush=True)  # fmt: skip


# --- data -------------------------------------------------------------------------------


def read_npz(data, name, shapes):
    """The arrays of ``data/name.npz``, or an error in one line."""
    try:
        return datasets.read_npz(data / f"{name}.npz", shapes=shapes)
    except FileNotFoundError:
        raise SystemExit(f"error: --data {data} holds no {name}.npz") from None
    except (RuntimeError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None


class Digits(NamedTuple):
    """Images as rows of 784 numbers in [0, 1], and labels."""

    train: tuple
    test: tuple
    name: str


def mnist_folder(data):
    """The folder of MNIST's four files: ``mnist-idx`` in ``data``, or that itself."""
    return data / "mnist-idx" if (data / "mnist-idx").is_dir() else data


def mnist(data, quick=False):
    """MNIST from ``data`` or its folder ``mnist-idx``; the embedded digits where that is None."""
    if data is None:
        parts = [_enlarged(part) for part in ("train", "test")]
    else:
        try:
            sets = [datasets.MNIST(mnist_folder(data), train=train) for train in (True, False)]
        except RuntimeError as error:
            raise SystemExit(f"error: {error}") from None
        parts = [datasets.as_vectors(part) for part in sets]
    if quick:
        parts = [(x[:640], y[:640]) for x, y in parts]
    return Digits(*parts, "stand-in: the embedded digits" if data is None else "MNIST")


def _enlarged(part):
    """The embedded digits as MNIST frames them: 20 x 20 pixels in a margin of 4."""
    images, labels = datasets.digits(split=part)
    images = F.interpolate(images, size=(20, 20), mode="bilinear", align_corners=False)
    return F.pad(images, (4, 4, 4, 4)).flatten(1), labels


def hold_out(x, y, share=0.1, seed=0, stratify=True):
    """Training and validation part, the latter of this share."""
    return datasets.split(x, y, (1 - share, share), stratify=stratify, seed=seed)


# --- networks ---------------------------------------------------------------------------


def msra(weight):
    """He's normal initialisation for ReLU, which the notes call MSRA."""
    return nn.init.kaiming_normal_(weight, nonlinearity="relu")


def mlp(sizes, activation, fill=nn.init.xavier_uniform_, norm=False):
    """Linear layers of these sizes, weights filled and biases zero, and activations between.

    With ``norm`` each is normalised over the batch before its activation.
    """
    model = nn.Sequential()
    for inputs, outputs in itertools.pairwise(sizes):
        layer = nn.Linear(inputs, outputs)
        fill(layer.weight)
        nn.init.zeros_(layer.bias)
        model.extend([layer, *([nn.BatchNorm1d(outputs)] if norm else []), activation()])
    return model[: -2 if norm else -1]


# --- pictures ---------------------------------------------------------------------------


def _style():
    """The gallery's style.py, whose look these pictures share."""
    path = HERE.parent / "gallery" / "style.py"
    spec = importlib.util.spec_from_file_location("gallery_style", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


style = _style()


@contextmanager
def picture(out, name, quick, rows=1, columns=1, **options):
    """The axes of a new picture, which is saved as ``out/name.png`` when the block ends."""
    with style.look(50 if quick else 100):
        fig, axes = style.figure(rows, columns, **options)
        yield axes
        style.save(fig, out, name)


def curves(ax, history, name, title, **options):
    """A value of a history by epoch, of the training and the validation part."""
    from matplotlib.ticker import MaxNLocator

    width = 2.0 if len(history) < 100 else 1.0
    for part in ("train", "valid"):
        if f"{part}_{name}" in history.names():
            ax.plot(history["epoch"], history[f"{part}_{name}"], label=part, linewidth=width)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    style.label(ax, title, "epoch", **options)


REGIONS = (style.BLUE, style.ORANGE, style.GREEN)


def regions(ax, model, x, y, title, steps=200):
    """What a model of two numbers answers around the points, and the points by their class."""
    low, high = x.numpy().min(0) - 0.1, x.numpy().max(0) + 0.1
    grid = np.meshgrid(*(np.linspace(a, b, steps, dtype=np.float32)
                         for a, b in zip(low, high, strict=True)))  # fmt: skip
    with torch.no_grad():
        scores = model(torch.from_numpy(np.stack([g.ravel() for g in grid], 1)))
    answers = scores.argmax(1) if scores.shape[1] > 1 else (scores[:, 0] > 0).long()
    classes = int(y.max()) + 1
    levels = np.arange(classes + 1) - 0.5
    ax.contourf(*grid, answers.numpy().reshape(grid[0].shape), levels,
                colors=REGIONS[:classes], alpha=0.25)  # fmt: skip
    for k, colour in enumerate(REGIONS[:classes]):
        of_class = x.numpy()[y.flatten().numpy() == k]
        ax.plot(*of_class.T, ".", color=colour, markersize=3, label=f"class {k}")
    ax.grid(False)
    ax.set_aspect("equal")
    style.label(ax, title, legend=None)
