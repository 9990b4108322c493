"""What first weights do to activations and gradients: the seven cases of the course notes.

Chapter 15 of the notes names a depth, an initialisation and an activation that go together, or
do not. One and two layers are trained; of ten layers the activations and the gradients before
any training are drawn, for every pair of initialisation and activation. Alone:
``python examples/gallery/initialization.py``.
"""

from typing import NamedTuple

import style

import tensorgrad as torch
from tensorgrad import nn
from tensorgrad.nn import functional as F
from tensorgrad.nn import init
from tensorgrad.nn.utils import init_report

WIDTH, DEPTH, BATCH = 200, 10, 100
HIDDEN = 8  # units of the two-layer network


def he(weight):
    """He's initialisation for ReLU, which the notes call MSRA."""
    return init.kaiming_normal_(weight, nonlinearity="relu")


FILLS = {"zeros": init.zeros_, "normal": init.normal_, "Xavier": init.xavier_normal_, "He": he}
ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "ReLU": nn.ReLU}


class Case(NamedTuple):
    """A row of the notes' table."""

    layers: int
    fill: str
    activation: str | None
    verdict: str


# "Random" is the standard normal distribution.
CASES = {
    1: Case(1, "zeros", None, "learns"),
    2: Case(2, "zeros", "sigmoid", "all units stay the same"),
    3: Case(2, "normal", "sigmoid", "learns"),
    4: Case(DEPTH, "normal", "sigmoid", "hollow: saturated"),
    5: Case(DEPTH, "Xavier", "tanh", "right"),
    6: Case(DEPTH, "Xavier", "ReLU", "fades to 0"),
    7: Case(DEPTH, "He", "ReLU", "right"),
}

# --- one and two layers, trained --------------------------------------------------------


def regression(layers):
    """Inputs (64, 3) and what one layer, or two, can learn of them (64, 1).

    For two it is a product, which one hidden unit, or many that are alike, cannot be.
    """
    torch.manual_seed(2)
    x = torch.randn(64, 3, dtype=torch.float64)
    if layers == 1:
        return x, x @ torch.randn(3, 1, dtype=torch.float64) + 0.5
    return x, x[:, :1] * x[:, 1:2]


def shallow(case):
    """The network of case 1, 2 or 3: weights filled as it says, biases zero."""
    layers, fill, activation, _ = CASES[case]
    torch.manual_seed(0)
    if layers == 1:
        model = nn.Sequential(nn.Linear(3, 1))
    else:
        model = nn.Sequential(nn.Linear(3, HIDDEN), ACTIVATIONS[activation](), nn.Linear(HIDDEN, 1))
    for layer in model[::2]:
        FILLS[fill](layer.weight)
        init.zeros_(layer.bias)
    return model.double()


def trained(model, x, y, steps=2000, lr=0.1):
    """Gradient descent on the squared error: the losses, and the first weights at each step."""
    losses, weights = [], []
    for _ in range(steps):
        model.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        losses.append(loss.item())
        weights.append(model[0].weight.detach().numpy().copy())
        with torch.no_grad():
            for p in model.parameters():
                p -= lr * p.grad
    return losses, weights


# --- ten layers, before training --------------------------------------------------------


def deep(fill, activation):
    """Linear layers without bias, each filled and with an activation after it; and a batch."""
    torch.manual_seed(0)
    model = nn.Sequential()
    for _ in range(DEPTH):
        layer = nn.Linear(WIDTH, WIDTH, bias=False)
        fill(layer.weight)
        model.extend([layer, activation()])
    torch.manual_seed(1)
    return model, torch.randn(BATCH, WIDTH)


def reported(fill, activation):
    """The rows of :func:`init_report` for the activations of ten layers."""
    return init_report(*deep(fill, activation))[1::2]


def activations(fill, activation):
    """The activations of ten layers, arrays (BATCH, WIDTH)."""
    model, x = deep(fill, activation)
    out = []
    with torch.no_grad():
        for linear, bend in zip(model[::2], model[1::2], strict=True):
            x = bend(linear(x))
            out.append(x.numpy())
    return out


# --- pictures ---------------------------------------------------------------------------


def shallow_picture(quick):
    """Cases 1 to 3: losses, and what becomes of the hidden units' weights."""
    steps = 200 if quick else 2000
    fig, axes = style.figure(1, 3, width=3.9, height=3.3)
    for case in (1, 2, 3):
        layers, fill, _, verdict = CASES[case]
        losses, weights = trained(shallow(case), *regression(layers), steps)
        name = f"case {case}: {'one layer' if layers == 1 else 'two layers'}, {fill}"
        axes[0, 0].plot(range(1, steps + 1), losses, label=name)
        if layers == 2:
            ax = axes[0, case - 1]
            colours = [*(line[0] for line in style.LINES), style.GREY]
            for unit, colour in zip(range(HIDDEN), colours, strict=True):
                ax.plot([w[unit, 0] for w in weights], color=colour, linewidth=1.4, linestyle="-")
            style.label(ax, f"Case {case}, {fill}: {verdict}", "step",
                        f"first weight of each of {HIDDEN} units")  # fmt: skip
    axes[0, 0].set(xscale="log", yscale="log")
    style.label(axes[0, 0], "Squared error", "step", "", "lower left", ylim=(1e-7, 3))
    fig.suptitle("One and two layers, trained")
    return fig


# The values drawn of each activation. Of ReLU's, zeros are left out: they are half, or all.
RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "ReLU": (0.0, 4.0)}


def ridges(ax, values, ends, bins):
    """Histograms of ten layers under each other; at the right each layer's deviation."""
    for layer, array in enumerate(values, 1):
        edges = torch.linspace(*ends, bins + 1).numpy()
        shown = array[array != 0] if ends[0] == 0 else array
        counts = torch.histogram(torch.tensor(shown.clip(*ends)), torch.tensor(edges))[0].numpy()
        heights = layer - 0.85 * counts / max(counts.max(), 1)
        ax.stairs(heights, edges, baseline=layer, fill=True, color=style.BLUE, alpha=0.7)
        ax.axhline(layer, color=style.GREY, linewidth=0.6, linestyle="-")
    nothing, beyond = not values[-1].any(), values[-1].std() > 10 * ends[1]
    if nothing or beyond:
        ax.text(sum(ends) / 2, DEPTH / 2, "all exactly 0" if nothing else "beyond the scale",
                ha="center", backgroundcolor="white")  # fmt: skip
    ax.set(xlim=ends, ylim=(DEPTH + 0.15, 0), yticks=range(1, DEPTH + 1))
    deviations = ax.twinx()
    deviations.set(ylim=ax.get_ylim(), yticks=range(1, DEPTH + 1))
    deviations.set_yticklabels([f"{array.std():.2g}" for array in values], fontsize=8)
    deviations.grid(False)
    ax.grid(False)


def case_of(fill, activation):
    """The case of ten layers that this pair is: " (case 5)" or nothing."""
    number = [n for n, case in CASES.items() if case[:3] == (DEPTH, fill, activation)]
    return f"\ncase {number[0]}: {CASES[number[0]].verdict}" if number else "\n"


def activations_picture(quick):
    """Histograms of the activations of ten layers for every pair."""
    fig, axes = style.figure(len(FILLS), len(ACTIVATIONS), width=3.7, height=2.9)
    for row, (fill, draw) in zip(axes, FILLS.items(), strict=True):
        for ax, (name, activation) in zip(row, ACTIVATIONS.items(), strict=True):
            ridges(ax, activations(draw, activation), RANGES[name], 20 if quick else 60)
            title = f"{fill}, {name}{case_of(fill, name)}"
            under = f"activation of {name}" + ", without zeros" * (name == "ReLU")
            style.label(ax, title, under if fill == "He" else "",
                        "layer" if name == "sigmoid" else "")  # fmt: skip
    fig.suptitle("Activations of ten layers before training; at the right of each its deviation")
    return fig


def spread_picture(quick):
    """Deviations of activations and gradients, layer by layer."""
    fig, axes = style.figure(2, 3, width=3.7, height=2.9, sharex=True)
    layers = range(1, DEPTH + 1)
    for (top, bottom), (name, activation) in zip(axes.T, ACTIVATIONS.items(), strict=True):
        for fill, draw in FILLS.items():
            rows = reported(draw, activation)
            for ax, deviations in ((top, [row.std for row in rows]),
                                   (bottom, [row.grad_std for row in rows])):  # fmt: skip
                known = [d or float("nan") for d in deviations]  # a logarithm has no 0
                ax.plot(layers, known, marker=".", markersize=8, label=fill)
        for ax, what in ((top, "activations"), (bottom, "gradients")):
            ax.set(yscale="log", xticks=layers)
            style.label(ax, f"{name}: {what}", "layer" if ax is bottom else "",
                        "deviation" if name == "sigmoid" else "", None)  # fmt: skip
        if name != "ReLU":
            top.set_ylim(0.01, 3)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    fig.suptitle("Deviations in ten layers before training; where a curve is missing it is 0")
    return fig


def figures(quick=False):
    """The pictures of this topic: (name, figure) pairs."""
    yield "initialization_shallow", shallow_picture(quick)
    yield "initialization_activations", activations_picture(quick)
    yield "initialization_spread", spread_picture(quick)


if __name__ == "__main__":
    style.draw(figures)
