"""Curves given by an equation f(x, y) = 0, with their normals and tangents by autograd.

The gradient of f stands at right angles to the curve, and dy/dx = -f_x / f_y along it. Alone:
``python examples/gallery/implicit.py``.
"""

import style

import tensorgrad as torch

SIDE = 1.8  # the curves are drawn on [-SIDE, SIDE]²


def ball(p):
    """The border of the unit ball of the p-norm: ``|x|^p + |y|^p = 1``."""
    return lambda x, y: x.abs() ** p + y.abs() ** p - 1


def largest(x, y):
    """The limit of the balls for large p: ``max(|x|, |y|) = 1``."""
    return torch.maximum(x.abs(), y.abs()) - 1


BALLS = {
    "p = 0.5": ball(0.5), "p = 1": ball(1), "p = 1.5": ball(1.5), "p = 2": ball(2),
    "p = 4": ball(4), "p = ∞": largest,
}  # fmt: skip

CURVES = {
    "ellipse of the course notes: x² + y² + xy = 1": lambda x, y: x**2 + y**2 + x * y - 1,
    "lemniscate: (x² + y²)² = 2 (x² - y²)": lambda x, y: (
        torch.square(x**2 + y**2) - 2 * (x**2 - y**2)),
    "folium: x³ + y³ = 2 xy": lambda x, y: x**3 + y**3 - 2 * x * y,
    "heart: (x² + y² - 1)³ = x² y³": lambda x, y: (x**2 + y**2 - 1) ** 3 - x**2 * y**3,
    "elliptic: y² = x³ - x + 0.3": lambda x, y: y**2 - x**3 + x - 0.3,
    "astroid: |x|^(2/3) + |y|^(2/3) = 1": ball(2 / 3),
}  # fmt: skip

# --- numbers ----------------------------------------------------------------------------


def gradient(f, x, y):
    """(f, df/dx, df/dy) at points (N,), by autograd."""
    x, y = (torch.as_tensor(v, dtype=torch.float64).clone().requires_grad_() for v in (x, y))
    value = f(x, y)
    return value.detach(), *torch.autograd.grad(value.sum(), (x, y))


def on_curve(f, per_side=13, steps=60):
    """Points on the curve and the gradients there: (x, y, f_x, f_y), arrays (N,).

    A grid of points goes to the curve by Newton's steps along the gradient; those that do not
    arrive, or arrive near another or where the gradient vanishes, are left out.
    """
    side = torch.linspace(-SIDE, SIDE, per_side, dtype=torch.float64) + 0.013  # on no axis
    x, y = (v.flatten() for v in torch.meshgrid(side, side, indexing="xy"))
    for _ in range(steps):
        value, fx, fy = gradient(f, x, y)
        step = value / (fx**2 + fy**2).clamp_min(1e-12)
        size = (step * (fx**2 + fy**2).sqrt()).abs().clamp_min(0.2) / 0.2  # at most 0.2 a step
        x, y = x - step / size * fx, y - step / size * fy
    value, fx, fy = gradient(f, x, y)
    steep = (fx**2 + fy**2).sqrt() > 0.05
    good = (value.abs() < 1e-9) & steep & (torch.maximum(x.abs(), y.abs()) < SIDE)
    kept = []
    for i in good.nonzero().flatten().tolist():
        if all((x[i] - x[j]) ** 2 + (y[i] - y[j]) ** 2 > 0.25**2 for j in kept):
            kept.append(i)
    return tuple(v[kept].numpy() for v in (x, y, fx, fy))


# --- pictures ---------------------------------------------------------------------------


def trace(ax, f, colour, quick, **options):
    """Draw the curve."""
    side = torch.linspace(-SIDE, SIDE, 161 if quick else 401, dtype=torch.float64)
    x, y = torch.meshgrid(side, side, indexing="xy")
    ax.contour(x.numpy(), y.numpy(), f(x, y).numpy(), [0], colors=[colour], **options)


def balls(quick):
    """The unit balls of the norms, in one panel."""
    fig, axes = style.figure(1, 1, width=6.0, height=5.0)
    fig.set_layout_engine("compressed")  # for panels of a given shape
    ax = axes[0, 0]
    for (name, f), (colour, dashes, width) in zip(BALLS.items(), style.LINES, strict=False):
        trace(ax, f, colour, quick, linestyles=[dashes], linewidths=width)
        ax.plot([], [], color=colour, linestyle=dashes, linewidth=width, label=name)
    style.label(ax, "Unit balls: |x|^p + |y|^p = 1", "x", "y", None, aspect="equal",
                xlim=(-1.2, 1.2), ylim=(-1.2, 1.2))  # fmt: skip
    fig.legend(loc="outside right center")
    return fig


def curves(quick):
    """Six curves with their gradients."""
    fig, axes = style.figure(2, 3, width=3.8, height=3.9)
    for ax, (name, f) in zip(axes.flat, CURVES.items(), strict=True):
        trace(ax, f, style.BLUE, quick, linewidths=1.8)
        x, y, fx, fy = on_curve(f)
        length = (fx**2 + fy**2) ** 0.5
        ax.quiver(x, y, fx / length, fy / length, color=style.VERMILION, angles="xy",
                  scale_units="xy", scale=3.3, width=0.007)  # fmt: skip
        ax.plot(x, y, "o", color=style.BLACK, markersize=3)
        style.label(ax, name, "x", "y", aspect="equal", xlim=(-SIDE, SIDE), ylim=(-SIDE, SIDE))
    fig.suptitle("Implicit curves f(x, y) = 0, and the direction of the gradient of f on them")
    return fig


def figures(quick=False):
    """The pictures of this topic: (name, figure) pairs."""
    yield "implicit_balls", balls(quick)
    yield "implicit_curves", curves(quick)


if __name__ == "__main__":
    style.draw(figures)
