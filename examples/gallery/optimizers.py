"""The paths of seven optimizers down one valley, z = x²/10 + y².

The function, the rates and the start are those of the course notes, chapter 15; NAG, AdaGrad and
AdaDelta, which the notes describe but do not draw, are added. Alone:
``python examples/gallery/optimizers.py``.
"""

import style

import tensorgrad as torch

START, STEPS = (-7.0, 2.0), 40

# Name: the class and its options, in this library and in PyTorch.
OPTIMIZERS = {
    "SGD": ("SGD", {"lr": 0.95}),
    "Momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "NAG": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "RMSProp": ("RMSprop", {"lr": 0.5, "alpha": 0.9}),
    "Adam": ("Adam", {"lr": 0.5}),
    "AdaGrad": ("Adagrad", {"lr": 1.5}),
    "AdaDelta": ("Adadelta", {"lr": 1.0, "rho": 0.95}),
}

# --- numbers ----------------------------------------------------------------------------


def valley(x, y):
    """Ten times as steep across as along."""
    return x**2 / 10 + y**2


def descend(name, steps=STEPS, library=torch):
    """The points an optimizer visits, the start first: ``steps`` tensors (2,) of ``library``."""
    kind, options = OPTIMIZERS[name]
    point = library.tensor(START, dtype=library.float64, requires_grad=True)
    optimizer, path = getattr(library.optim, kind)([point], **options), []
    for _ in range(steps):
        path.append(point.detach().clone())
        optimizer.zero_grad()
        valley(*point).backward()
        optimizer.step()
    return path


# --- pictures ---------------------------------------------------------------------------


def level_curves(ax, per_side):
    """The valley from above; its curves are closer where it is steep."""
    x, y = torch.meshgrid(
        torch.linspace(-9, 9, per_side), torch.linspace(-4, 4, per_side), indexing="xy"
    )
    levels = [0.05, 0.25, 0.75, 1.5, 3, 5, 8, 12, 17]
    ax.contour(x.numpy(), y.numpy(), valley(x, y).numpy(), levels, colors=style.GREY,
               linewidths=0.8)  # fmt: skip


def described(name):
    """The name and the options that are not the default's."""
    return f"{name}, " + ", ".join(f"{key} {value}" for key, value in OPTIMIZERS[name][1].items()
                                   if value is not True)  # fmt: skip


def paths(quick):
    """A panel for each optimizer, and one of the heights they reach."""
    fig, axes = style.figure(4, 2, width=4.6, height=2.7)
    *panels, heights = axes.flat
    for ax, name, line in zip(panels, OPTIMIZERS, style.LINES, strict=True):
        path = torch.stack(descend(name)).numpy()
        level_curves(ax, 40 if quick else 150)
        ax.plot(*path.T, color=line[0], linestyle="-", linewidth=1.3, marker="o", markersize=3.5)
        ax.plot(*START, "s", color=style.BLACK, markersize=6)
        ax.plot(0, 0, "*", color=style.BLACK, markersize=10)
        style.label(ax, described(name), "x", "y", xlim=(-9, 9), ylim=(-3, 3))
        heights.plot(valley(*path.T), color=line[0], linestyle=line[1], linewidth=line[2],
                     label=name)  # fmt: skip
    heights.set_yscale("log")
    style.label(heights, "Height z above the minimum", "step", "z", None, ylim=(1e-13, 30))
    heights.legend(loc="lower left", ncols=2)
    fig.suptitle(f"z = x²/10 + y² from (-7, 2), {STEPS} points each: square start, star minimum")
    return fig


def figures(quick=False):
    """The picture of this topic: a (name, figure) pair."""
    yield "optimizers_paths", paths(quick)


if __name__ == "__main__":
    style.draw(figures)
