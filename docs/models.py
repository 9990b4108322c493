"""Write the table of networks in docs/models.md from what ``summary`` counts.

Run ``python docs/models.py``; a network at a time is made without drawing its parameters, so
VGG takes 0.6 GB and the whole some ten seconds.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

import tensorgrad as tg
from tensorgrad.nn import models

PAGE = Path(__file__).parent / "models.md"
BEGIN, END = "<!-- networks -->\n", "<!-- end -->"
ARXIV = {
    "alexnet": "1404.5997", "vgg": "1409.1556", "googlenet": "1409.4842", "resnet": "1512.03385",
}  # fmt: skip
LENET = "[LeCun et al. 1998](https://doi.org/10.1109/5.726791)"
LARGE = (
    "alexnet", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
    "googlenet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
)  # fmt: skip
SMALL = ("alexnet", "vgg11_bn", "vgg16_bn", "googlenet", "resnet18", "resnet50")
HEAD = (
    "| network | image | parameters | multiply-adds | activations | source |\n"
    "| --- | --- | ---: | ---: | ---: | --- |\n"
)


def undrawn():
    """From now on parameters keep what their memory holds: only shapes matter here."""
    for name in ("uniform_", "normal_", "zero_", "fill_"):
        setattr(tg.Tensor, name, lambda t, *args, **kwargs: t)


def source(name):
    """A link to the paper."""
    if name.startswith("lenet"):
        return LENET
    number = next(n for family, n in ARXIV.items() if name.startswith(family))
    return f"[arXiv:{number}](https://arxiv.org/abs/{number})"


def row(name, size, **kwargs):
    """One line of the table: the arguments, and the figures of one image in evaluation."""
    if name.startswith(("vgg", "googlenet")):
        kwargs["init_weights"] = False
    model = getattr(models, name)(**kwargs)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # overflows of values that nobody drew
        s = models.summary(model, (1, model.in_channels, size, size))
    kwargs.pop("init_weights", None)
    call = ", ".join(f"{k}={v}" for k, v in kwargs.items())
    megabytes = s.activation_bytes / 1e6
    return (
        f"| `{name}({call})` | {model.in_channels} x {size} x {size} | {s.parameters:,} | "
        f"{s.multiply_adds:,} | {megabytes:.3g} MB | {source(name)} |\n"
    )


def table():
    """All lines."""
    lines = [row("lenet5", 28), row("lenet5", 28, modern=True)]
    lines += [row(name, 224) for name in LARGE]
    lines.insert(lines.index(next(r for r in lines if "googlenet" in r)) + 1,
                 row("googlenet", 224, aux_logits=False))  # fmt: skip
    lines += [row(name, 32, small=True, num_classes=10) for name in SMALL]
    return HEAD + "".join(lines)


def main():
    """Rewrite the part of the page between the marks."""
    undrawn()
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
