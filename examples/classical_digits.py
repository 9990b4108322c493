"""Read digits the classical way: histograms of oriented gradients and a linear classifier.

Three steps, each a function: the image is smoothed and centred; the directions of its edges are
counted in cells (the features, written with scipy.ndimage); a linear support vector machine is
trained on the counts with the multi-class hinge loss. Nothing but the last step learns. It reads
99.7 % of the held-out embedded digits and 98.6 % of MNIST's test set; examples/mnist_lenet.py,
where the features are learned too, 99.4 % and 99.3 %.

    python examples/classical_digits.py                  # the embedded digits, offline
    python examples/classical_digits.py --data ~/data    # MNIST

Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection" (2005); Crammer and
Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines" (2001).
"""

import argparse
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

import tensorgrad as torch
from tensorgrad import datasets, nn, optim
from tensorgrad.nn import functional as F
from tensorgrad.utils.data import DataLoader, TensorDataset

# --- 1. preprocessing -------------------------------------------------------------------


def preprocess(images):
    """Images of 28 x 28 pixels, the mass of ink in the middle, lightly smoothed."""
    out = np.zeros((len(images), 28, 28), np.float32)
    for i, image in enumerate(images):
        if image.shape != (28, 28):  # the embedded digits: 20 x 20 pixels, a margin of 4
            image = np.pad(ndimage.zoom(image, 20 / len(image), order=1), 4)
        middle = ndimage.center_of_mass(image) if image.any() else (13.5, 13.5)
        out[i] = ndimage.shift(image, 13.5 - np.array(middle), order=1)
    return ndimage.gaussian_filter(out, (0, 0.6, 0.6))


# --- 2. features ------------------------------------------------------------------------


def oriented_gradients(images, cell=4, directions=9):
    """How much edge there is in each direction, in each cell of the image.

    Each pixel votes with the length of its gradient for the two directions nearest to its own,
    and by distance for the cells around it. Blocks of 2 x 2 cells are scaled to length one, so
    that thick and thin strokes look the same.
    """
    down, right = (ndimage.correlate1d(images, [-1, 0, 1], axis) for axis in (1, 2))
    length = np.hypot(down, right)
    place = np.arctan2(down, right) / np.pi % 1 * directions  # up and down are one direction
    cells = []
    for direction in range(directions):
        away = np.abs(place - direction)
        away = np.minimum(away, directions - away)
        votes = length * np.maximum(1 - away, 0)
        for axis in (1, 2):  # a triangle as wide as two cells
            triangle = np.bartlett(2 * cell + 1) / cell
            votes = ndimage.convolve1d(votes, triangle, axis, mode="constant")
        cells.append(votes[:, cell // 2 :: cell, cell // 2 :: cell])
    cells = np.stack(cells, -1)
    rows, columns = cells.shape[1] - 1, cells.shape[2] - 1
    blocks = np.concatenate(
        [cells[:, i : i + rows, j : j + columns] for i in (0, 1) for j in (0, 1)], -1
    )
    blocks /= np.sqrt((blocks**2).sum(-1, keepdims=True) + 1e-2)
    return torch.tensor(blocks.reshape(len(blocks), -1))


# --- 3. the classifier ------------------------------------------------------------------


def train_svm(features, labels, epochs, weight_decay=1e-4):
    """A linear layer under the multi-class hinge loss: a support vector machine."""
    model = nn.Linear(features.shape[1], 10)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    loader = DataLoader(TensorDataset(features, labels), batch_size=128, shuffle=True)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(1, epochs + 1):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.multi_margin_loss(model(x), y) + weight_decay * (model.weight**2).sum()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        scheduler.step()
        if epoch % 5 == 0 or epoch == epochs:
            print(f"epoch {epoch:3d}  loss {total / len(labels):.4f}")
    return model


def accuracy(model, features, labels):
    with torch.no_grad():
        return (model(features).argmax(1) == labels).float().mean().item()


# --- the run ----------------------------------------------------------------------------


def load(folder, train):
    """Images with 0 for paper and 1 for ink, an ndarray, and labels."""
    if folder is None:
        images, labels = datasets.digits(split="train" if train else "test")
        return images[:, 0].numpy(), labels
    data = datasets.MNIST(folder, train=train)
    return data.data.numpy() / np.float32(255), data.targets


def main(argv=None):
    """Extract, train, and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with the MNIST files")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the data (30)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and order (0)")
    parser.add_argument("--quick", action="store_true", help="640 images of each part, to try it")
    args = parser.parse_args(argv)
    if args.epochs < 1:
        parser.exit(2, f"error: --epochs must be at least 1, got {args.epochs}\n")
    torch.manual_seed(args.seed)

    start = time.perf_counter()
    features, labels = [], []
    for train in (True, False):
        try:
            images, y = load(args.data, train)
        except RuntimeError as error:  # files that are missing or damaged
            raise SystemExit(f"error: {error}") from None
        count = 640 if args.quick else len(images)
        features.append(oriented_gradients(preprocess(images[:count])))
        labels.append(y[:count])
    seconds = time.perf_counter() - start
    print(f"{features[0].shape[1]} features of {len(labels[0])} + {len(labels[1])} digits "
          f"in {seconds:.1f} s")  # fmt: skip

    start = time.perf_counter()
    model = train_svm(features[0], labels[0], args.epochs)
    seconds = time.perf_counter() - start
    result = accuracy(model, features[1], labels[1])
    print(f"test accuracy {result:.2%} after {args.epochs} epochs in {seconds:.1f} s")
    return result


if __name__ == "__main__":
    main()
