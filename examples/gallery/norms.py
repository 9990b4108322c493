"""L1 and L2 penalties: balls that meet level curves, and the path of the solution.

A quadratic with its least value at ``best`` is minimised together with a penalty whose strength
grows. The gradient is autograd's and the penalty a proximal step after each step of SGD, so
that L1 gives exact zeros. Alone: ``python examples/gallery/norms.py``.
"""

import style

import tensorgrad as torch
from tensorgrad import nn, optim

# penalty -> its share of L1; the rest is L2, |w|²/2, as in nn.utils.elastic_net_penalty.
PENALTIES = {"L1": 1.0, "elastic net": 0.5, "L2": 0.0}
CURVATURE, BEST = ((1.0, 0.5), (0.5, 1.0)), (0.8, 2.0)
TOUCHING = (0.4, 0.8, 1.6)  # strengths at which the ball is drawn

# --- numbers ----------------------------------------------------------------------------


def double(values):
    """A tensor of float64."""
    return torch.tensor(values, dtype=torch.float64)


def quadratic(w, curvature, best):
    """``(w - best)ᵀ curvature (w - best) / 2`` of each row of w (..., D)."""
    d = w - best
    return ((d @ curvature) * d).sum(-1) / 2


def solve(curvature, best, strength, l1_ratio, start=None, limit=5000):
    """Where the quadratic plus ``strength`` times the penalty is least: (D,)."""
    w = (best if start is None else start).clone().requires_grad_()
    rate = 1.0 / torch.linalg.eigvalsh(curvature)[-1].item()
    optimizer = optim.SGD([w], lr=rate)
    l1, l2 = strength * l1_ratio, strength * (1.0 - l1_ratio)
    nn.utils.register_proximal(optimizer, [w], l1=l1, l2=l2)
    for _ in range(limit):
        before = w.detach().clone()
        optimizer.zero_grad()
        quadratic(w, curvature, best).backward()
        optimizer.step()
        if (w - before).abs().max().item() < 1e-13:
            break
    return w.detach()


def path(curvature, best, strengths, l1_ratio):
    """The solutions (S, D) as the strength grows, each found from the one before."""
    found = [best]
    for strength in strengths.tolist():
        found.append(solve(curvature, best, strength, l1_ratio, start=found[-1]))
    return torch.stack(found[1:])


def strengths(count, most):
    """Strengths from 0.01 to 10^most."""
    return torch.logspace(-2, most, count, dtype=torch.float64)


def regression(count=60, seed=0):
    """(curvature, best) of a regression on eight correlated inputs, of which three matter."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(count, 1, generator=generator, dtype=torch.float64)
    x = torch.randn(count, 8, generator=generator, dtype=torch.float64) + 0.7 * common
    noise = torch.randn(count, generator=generator, dtype=torch.float64)
    y = x @ double([3.0, -2.0, 0, 0, 1.5, 0, 0, 0]) + noise
    curvature = x.T @ x / count
    return curvature, torch.linalg.solve(curvature, x.T @ y / count)


def penalty(w, l1_ratio):
    """The elastic net's penalty of each row of w (..., D)."""
    return l1_ratio * w.abs().sum(-1) + (1.0 - l1_ratio) / 2 * torch.square(w).sum(-1)


def penalised(x, strength, l1_ratio):
    """(values, gradients) of ``(x - 1)²/2`` plus a penalty, for every number in x (N,)."""
    x = x.clone().requires_grad_()
    values = torch.square(x - 1.0) / 2 + strength * penalty(x[:, None], l1_ratio)
    (slopes,) = torch.autograd.grad(values.sum(), x)
    return values.detach(), slopes


# --- pictures ---------------------------------------------------------------------------


def meet(ax, name, quick):
    """Level curves, balls of the penalty at three strengths, and the path between them."""
    curvature, best, l1_ratio = double(CURVATURE), double(BEST), PENALTIES[name]
    side = torch.linspace(-1.6, 3.2, 121 if quick else 321, dtype=torch.float64)
    y, x = torch.meshgrid(side, side, indexing="ij")
    plane = torch.stack([x, y], -1)
    heights = quadratic(plane, curvature, best)
    size = penalty(plane, l1_ratio)
    grid = x.numpy(), y.numpy()
    ax.contour(*grid, heights.numpy(), [0.02, 0.1, 0.3, 0.6, 1.2, 2, 3, 4.5], colors=style.GREY,
               linewidths=0.7)  # fmt: skip
    way = path(curvature, best, strengths(7 if quick else 161, 2), l1_ratio)
    ax.plot(*best.numpy(), "*", color=style.BLACK, markersize=11, label="no penalty")
    ax.plot(*torch.cat([best[None], way]).T.numpy(), "-", color=style.BLUE, label="path")
    touching = [solve(curvature, best, strength, l1_ratio) for strength in TOUCHING]
    for w in touching:
        radius = penalty(w, l1_ratio).item()
        ax.contour(*grid, size.numpy(), [radius], colors=style.VERMILION, linewidths=1.4)
        height = quadratic(w, curvature, best).item()
        ax.contour(*grid, heights.numpy(), [height], colors=style.BLACK, linewidths=1.0)
    ax.plot(*torch.stack(touching).T.numpy(), "o", color=style.BLUE,
            label=f"solutions at strengths {', '.join(map(str, TOUCHING))}")  # fmt: skip
    ax.axhline(0, color=style.BLACK, linewidth=0.6)
    ax.axvline(0, color=style.BLACK, linewidth=0.6)
    style.label(ax, name, "w1", "w2", None, aspect="equal")


def balls(quick):
    """The three penalties side by side."""
    fig, axes = style.figure(1, 3, width=4.0, height=4.9)
    fig.set_layout_engine("compressed")  # for panels of a given shape
    for ax, name in zip(axes[0], PENALTIES, strict=True):
        meet(ax, name, quick)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    fig.suptitle("Where level curves (black) first meet the ball of the penalty (orange)")
    return fig


def paths(quick):
    """Every coordinate as the strength grows; below, a regression with five useless inputs."""
    problems = (("two weights", double(CURVATURE), double(BEST), 2),
                ("eight weights, three matter", *regression(), 3))  # fmt: skip
    scale, mark = strengths(7 if quick else 49, 1), TOUCHING[-1]
    fig, axes = style.figure(2, 3, width=4.0, height=3.2, sharey="row")
    for row, (title, curvature, best, useful) in zip(axes, problems, strict=True):
        # Largest first: the useful weights.
        order = best.abs().argsort(descending=True).tolist()
        for ax, (name, l1_ratio) in zip(row, PENALTIES.items(), strict=True):
            way = path(curvature, best, scale, l1_ratio)
            for i in sorted(order[:useful]):
                ax.plot(scale.numpy(), way[:, i].numpy(), label=f"w{i + 1}")
            for i in order[useful:]:
                ax.plot(scale.numpy(), way[:, i].numpy(), "-", color=style.GREY, linewidth=1.0)
            zeros = (solve(curvature, best, mark, l1_ratio) == 0).sum().item()
            ax.axvline(mark, color=style.BLACK, linewidth=0.8, linestyle=":")
            style.label(ax, f"{name}, {title}\nat strength {mark} exactly zero: {zeros}",
                        "strength", "weight", "upper right", xscale="log")  # fmt: skip
    fig.suptitle("The path of the solution as the strength grows")
    return fig


def strength_picture(quick):
    """One weight whose best value is 1: from which strength on the minimum is at zero."""
    fig, axes = style.figure(2, 2, width=4.6, height=2.9, sharex=True)
    x = torch.linspace(-1.5, 2.5, 81 if quick else 401, dtype=torch.float64)
    for (left, right), name in zip(axes, ("L1", "L2"), strict=True):
        for strength in (0.0, 0.5, 2.0):
            values, slopes = penalised(x, strength, PENALTIES[name])
            (line,) = left.plot(x.numpy(), values.numpy(), label=f"strength {strength:g}")
            least = solve(double([[1.0]]), double([1.0]), strength, PENALTIES[name])
            height, _ = penalised(least, strength, PENALTIES[name])
            left.scatter(*least.numpy(), *height.numpy(), color=line.get_color(), zorder=3)
            right.plot(x.numpy(), slopes.numpy())
        style.label(left, f"(w - 1)²/2 + {name} penalty, least at the dot", "w", "loss",
                    ylim=(-0.2, 4))  # fmt: skip
        style.label(right, "gradient", "w", "d loss / dw", ylim=(-4, 4))
    fig.suptitle("The strength of a penalty on one weight")
    return fig


def figures(quick=False):
    """The pictures of this topic: (name, figure) pairs."""
    yield "norms_balls", balls(quick)
    yield "norms_paths", paths(quick)
    yield "norms_strength", strength_picture(quick)


if __name__ == "__main__":
    style.draw(figures)
