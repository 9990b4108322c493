"""Draw the pictures of docs/pooling.md: each pooling on a digit or a photograph.

    python docs/pooling.py            # rewrite docs/pooling/*.png

The digit is one of the embedded 8 x 8 digits; the photograph comes with matplotlib (Grace
Hopper, by James S. Davis, US Navy, public domain). All results are computed by tensorgrad.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib import cbook
from matplotlib.patches import Rectangle

import tensorgrad as torch
from tensorgrad import datasets
from tensorgrad.nn import functional as F

OUT = Path(__file__).parent / "pooling"
COLOURS = ("tab:red", "tab:blue", "tab:green", "tab:orange", "tab:purple", "tab:brown")

# --- what is pooled ---------------------------------------------------------------------


def digit():
    """A three, (8, 8), whole numbers from 0 to 16."""
    return datasets.digits()[0][3, 0] * 16


def photograph(height, width):
    """The photograph in grey, (height, width), from 0 to 1."""
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    grey = torch.tensor(plt.imread(path)).float().mean(2)[:512] / 255
    return F.interpolate(grey[None, None], size=(height, width), mode="area")[0, 0]


def pool(function, image, *args, **options):
    """Apply a pooling of batches of images to one image without channels."""
    return function(image[None, None], *args, **options)[0, 0]


# --- how it is drawn --------------------------------------------------------------------


def panel(ax, image, title, numbers=True, **options):
    """An image with the number of each pixel written on it."""
    options = {"cmap": "gray_r", "vmin": 0, "vmax": image.max().item(), **options}
    ax.imshow(image.numpy(), **options)
    ax.set_title(title, fontsize=11)
    ax.set(xticks=[], yticks=[])
    if numbers:
        dark = (options["vmin"] + options["vmax"]) / 2
        for i, row in enumerate(image.tolist()):
            for j, value in enumerate(row):
                ax.text(
                    j, i, f"{value:.3g}", ha="center", va="center",
                    fontsize=11 if len(row) < 6 else 8,
                    color="white" if value > dark else "black",
                )  # fmt: skip


def window(ax, top, left, height, width, colour, inset=0.0, fill=0.0):
    """Outline pixels; outlines that would touch are drawn a little apart."""
    at = (left - 0.5 + inset, top - 0.5 + inset)
    size = (width - 2 * inset, height - 2 * inset)
    if fill:
        ax.add_patch(Rectangle(at, *size, color=colour, alpha=fill, lw=0))
    ax.add_patch(Rectangle(at, *size, fill=False, edgecolor=colour, lw=2.2))


def windows(source, result, places, inset=0.08):
    """Outline windows and the results they give: (top, left, height, width, row, column)."""
    for i, (top, left, height, width, row, column) in enumerate(places):
        colour = COLOURS[i % len(COLOURS)]
        window(source, top, left, height, width, colour, inset, fill=0.12)
        for ax in result:
            window(ax, row, column, 1, 1, colour, 0.06)


def save(fig, name):
    """Write one picture."""
    fig.savefig(OUT / f"{name}.png", dpi=90)
    plt.close(fig)


# --- the pictures -----------------------------------------------------------------------


def general():
    """Windows side by side: 2 x 2 at step 2."""
    image, photo = digit(), photograph(128, 128)
    fig, axes = plt.subplots(2, 3, figsize=(10, 7), layout="constrained")
    panel(axes[0, 0], image, "8 x 8 pixels, windows of 2 x 2 at step 2")
    panel(axes[0, 1], pool(F.max_pool2d, image, 2), "max_pool2d(x, 2)", vmax=16)
    panel(axes[0, 2], pool(F.avg_pool2d, image, 2), "avg_pool2d(x, 2)", vmax=16)
    for top in range(0, 8, 2):
        for left in range(0, 8, 2):
            window(axes[0, 0], top, left, 2, 2, "tab:gray", 0.04)
    windows(axes[0, 0], axes[0, 1:], [(0, 2, 2, 2, 0, 1), (2, 4, 2, 2, 1, 2), (4, 2, 2, 2, 2, 1)])
    grey = {"numbers": False, "cmap": "gray", "vmax": 1}
    panel(axes[1, 0], photo, "128 x 128 pixels", **grey)
    panel(axes[1, 1], pool(F.max_pool2d, photo, 8), "max_pool2d(x, 8): light grows", **grey)
    panel(axes[1, 2], pool(F.avg_pool2d, photo, 8), "avg_pool2d(x, 8): smaller", **grey)
    save(fig, "general")


def overlapping():
    """Windows larger than their step: AlexNet's 3 x 3 at step 2."""
    image = digit()
    fig, axes = plt.subplots(1, 3, figsize=(11, 4.7), layout="constrained")
    panel(axes[0], image, "8 x 8 pixels, windows of 3 x 3 at step 2")
    panel(axes[1], pool(F.max_pool2d, image, 3, 2), "max_pool2d(x, 3, 2)", vmax=16)
    panel(axes[2], pool(F.max_pool2d, image, 3, 2, ceil_mode=True),
          "max_pool2d(x, 3, 2, ceil_mode=True)", vmax=16)  # fmt: skip
    places = [(0, 0, 3, 3, 0, 0), (0, 2, 3, 3, 0, 1), (2, 0, 3, 3, 1, 0), (2, 2, 3, 3, 1, 1)]
    windows(axes[0], axes[1:], places)
    fig.supxlabel("Neighbouring windows share a row or a column. Without ceil_mode the last row "
                  "and column of pixels are in no window.", fontsize=11)  # fmt: skip
    save(fig, "overlapping")


def average():
    """Padding in a mean: counted as zeros, or not counted."""
    image = digit()
    fig, axes = plt.subplots(1, 3, figsize=(11, 4.7), layout="constrained")
    panel(axes[0], F.pad(image, (1, 1, 1, 1)), "padded by 1, windows of 3 x 3 at step 3")
    window(axes[0], 1, 1, 8, 8, "black")
    options = {"kernel_size": 3, "stride": 3, "padding": 1}
    panel(axes[1], pool(F.avg_pool2d, image, **options),
          "avg_pool2d(x, 3, 3, padding=1)\nzeros outside count: divided by 9", vmax=16)  # fmt: skip
    panel(axes[2], pool(F.avg_pool2d, image, **options, count_include_pad=False),
          "count_include_pad=False\ndivided by the pixels inside", vmax=16)  # fmt: skip
    windows(axes[0], axes[1:], [(0, 3, 3, 3, 0, 1), (3, 6, 3, 3, 1, 2), (6, 3, 3, 3, 2, 1)])
    save(fig, "average")


def lp():
    """The p-norm of each window: from the sum to the maximum."""
    image = digit()
    fig, axes = plt.subplots(1, 5, figsize=(15, 3.5), layout="constrained")
    panel(axes[0], image, "8 x 8 pixels, windows of 2 x 2")
    for ax, p in zip(axes[1:], (1, 2, 4, float("inf")), strict=True):
        named = {1: " (the sum)", float("inf"): " (the maximum)"}.get(p, "")
        panel(ax, pool(F.lp_pool2d, image, p, 2), f"lp_pool2d, p = {p}{named}")
    windows(axes[0], axes[1:], [(0, 2, 2, 2, 0, 1), (2, 4, 2, 2, 1, 2), (4, 2, 2, 2, 2, 1)])
    save(fig, "lp")


def bins(length, n):
    """Where the n bins of adaptive pooling begin and end."""
    return [(i * length // n, -(-(i + 1) * length // n)) for i in range(n)]


def adaptive():
    """A result of a given size from an image of any size."""
    fig, axes = plt.subplots(2, 3, figsize=(10, 7), layout="constrained")
    for row, image in zip(axes, (digit(), digit()[:, 1:7]), strict=True):
        height, width = image.shape
        panel(row[0], image, f"{height} x {width} pixels in 3 x 3 bins")
        panel(row[1], pool(F.adaptive_max_pool2d, image, 3), "adaptive_max_pool2d(x, 3)", vmax=16)
        panel(row[2], pool(F.adaptive_avg_pool2d, image, 3), "adaptive_avg_pool2d(x, 3)", vmax=16)
        places = [
            (top, left, bottom - top, right - left, i, i)
            for i, ((top, bottom), (left, right)) in enumerate(
                zip(bins(height, 3), bins(width, 3), strict=True)
            )
        ]
        windows(row[0], row[1:], places)
    save(fig, "adaptive")


def pyramid():
    """Images of two sizes to two vectors of one length."""
    levels = (6, 3, 2, 1)
    fig = plt.figure(figsize=(11, 8.2), layout="constrained")
    parts = fig.subfigures(2, 1)
    for part, size in zip(parts, ((96, 96), (62, 95)), strict=True):
        photo = photograph(*size)
        axes = part.subplot_mosaic(
            [["photo", *levels], ["vector"] * 5],
            height_ratios=[4, 1],
            width_ratios=[1.6, 1, 1, 1, 1],
        )
        grey = {"numbers": False, "cmap": "gray", "vmax": 1}
        panel(axes["photo"], photo, f"{size[0]} x {size[1]} pixels, bins of level 3", **grey)
        for i, (top, bottom) in enumerate(bins(size[0], 3)):
            for j, (left, right) in enumerate(bins(size[1], 3)):
                colour = COLOURS[(i + j) % len(COLOURS)]
                window(axes["photo"], top, left, bottom - top, right - left, colour, 0.6)
        for n in levels:
            panel(axes[n], pool(F.adaptive_avg_pool2d, photo, n), f"level {n}: {n} x {n}", **grey)
        vector = F.spatial_pyramid_pool2d(photo[None, None], levels, "mean")
        panel(axes["vector"], vector, f"their {vector.shape[1]} numbers, one after another", **grey,
              aspect="auto")  # fmt: skip
        at = 0
        for n, colour in zip(levels, COLOURS, strict=False):
            window(axes["vector"], 0, at, 1, n * n, colour, 0.04)
            at += n * n
    fig.suptitle('spatial_pyramid_pool2d(x, (6, 3, 2, 1), "mean"): any size in, one length out')
    save(fig, "pyramid")


def main():
    """Write all pictures."""
    OUT.mkdir(exist_ok=True)
    for draw in (general, overlapping, average, lp, adaptive, pyramid):
        draw()
        print(f"{OUT / draw.__name__}.png")


if __name__ == "__main__":
    main()
