"""The curves of a history as a figure."""

from __future__ import annotations

import numpy as np

from ..errors import missing

COLOURS = {"train": "#1f77b4", "valid": "#d62728"}


def draw(history, by, figure):
    """A panel for the loss and for each metric; the figure."""
    if figure is None:
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise missing("matplotlib", "plot", "History.plot") from None
        figure = Figure(layout="constrained")
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
