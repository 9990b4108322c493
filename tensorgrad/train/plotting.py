"""Figures: the curves of a history, sheets of samples."""

from __future__ import annotations

import math

import numpy as np

from ..errors import missing

COLOURS = {"train": "#1f77b4", "valid": "#d62728"}


def new_figure(purpose, **options):
    """A figure of no window, or the error that says what to install."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise missing("matplotlib", "plot", purpose) from None
    return Figure(layout="constrained", **options)


def axes_for(axes, purpose):
    """The axes given, or those of a new figure."""
    return new_figure(purpose, figsize=(6, 4)).subplots() if axes is None else axes


def draw(history, by, figure):
    """A panel for the loss and for each metric; the figure."""
    if figure is None:
        figure = new_figure("History.plot")
    kinds = _kinds(history)
    if not figure.axes:
        figure.set_size_inches(5.2 * len(kinds), 3.8)
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        _draw_kind(axes, history, kind, by)
    return figure


def _kinds(history):
    """``loss``, and the metrics that are numbers."""
    kinds = ["loss"]
    for name in history.names():
        part, _, kind = name.partition("_")
        if part in COLOURS and kind not in kinds and _is_number(history[name][-1]):
            kinds.append(kind)
    return kinds


def _is_number(value):
    return isinstance(value, int | float)


def _draw_kind(axes, history, kind, by):
    places = history[by] if by == "epoch" else history["iteration"]
    if kind == "loss" and by == "iteration":
        steps = np.arange(1, len(history.losses) + 1)
        axes.plot(steps, history.losses, color=COLOURS["train"], alpha=0.25, lw=0.7,
                  label="each iteration")  # fmt: skip
    for part, colour in COLOURS.items():
        name = f"{part}_{kind}"
        if name in history.names():
            dot = "o" if len(places) == 1 else None
            axes.plot(places, history[name], color=colour, label=part, marker=dot)
    _mark_best(axes, history, kind, places)
    axes.set(xlabel=by, ylabel=kind)
    axes.grid(alpha=0.3)
    axes.legend()


def _mark_best(axes, history, kind, places):
    """A line at the best epoch, and a dot where it was found out."""
    best = history.best_epoch
    if best is None:
        return
    index = history["epoch"].index(best)
    axes.axvline(places[index], color="0.4", ls="--", lw=1, label=f"best: epoch {best}")
    for part, colour in COLOURS.items():
        name = f"{part}_{kind}"
        if name in history.names():
            axes.plot([places[index]], [history[name][index]], "o", color=colour, ms=5)


# --- samples ------------------------------------------------------------------------------


def sheet(samples, columns=None):
    """Images (N, 1 or 3, H, W) in a grid, or vectors (N, 2) as points; the figure.

    Each image is drawn from the least to the greatest value of them all.
    """
    array = samples.numpy()
    if array.ndim == 2 and array.shape[1] == 2:
        figure = new_figure("a sheet of samples", figsize=(4, 4))
        axes = figure.add_subplot(aspect="equal")
        axes.scatter(*array.T, s=4, alpha=0.5)
        return figure
    if array.ndim != 4 or array.shape[1] not in (1, 3):
        raise ValueError(
            "samples should be images (N, 1 or 3, H, W) or vectors (N, 2) to be drawn, got "
            f"{array.shape}"
        )
    grid = _grid(array, columns or math.ceil(math.sqrt(len(array))))
    figure = new_figure("a sheet of samples", figsize=(5, 5 * grid.shape[0] / grid.shape[1]))
    axes = figure.add_subplot()
    axes.imshow(grid[..., 0] if grid.shape[-1] == 1 else grid, cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()
    return figure


def _grid(images, columns):
    """Images (N, C, H, W) side by side, a line between them: (rows, columns, C) in 0..1."""
    low, high = images.min(), images.max()
    images = (images - low) / (high - low if high > low else 1)
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    cells = np.ones((rows * columns, channels, height + 1, width + 1), images.dtype)
    cells[:count, :, :-1, :-1] = images
    cells = cells.reshape(rows, columns, channels, height + 1, width + 1)
    return cells.transpose(0, 3, 1, 4, 2).reshape(rows * (height + 1), -1, channels)[:-1, :-1]
