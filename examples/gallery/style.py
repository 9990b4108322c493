"""The shared look of the gallery, and how a picture is written.

A topic calls :func:`figure` for its panels and :func:`label` for what stands around one, and
yields ``(name, figure)`` pairs; :func:`draw` saves them all.
"""

import re
import time
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs" / "gallery"
LIMIT = 200_000  # bytes of a picture

# The palette of Okabe and Ito, which colour-blind readers can tell apart, without its yellow and
# with a darker purple, as lines on white need it. Lines differ in their dashes as well, and later
# ones are thinner, so that of two that coincide both are seen.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#AA4499",
)  # fmt: skip
GREY = "#999999"
LINES = (
    (BLUE, "-", 2.6), (VERMILION, "--", 2.3), (GREEN, "-.", 2.0), (PURPLE, (0, (1, 1)), 2.0),
    (BLACK, (0, (5, 4)), 1.4), (ORANGE, (0, (3, 1, 1, 1)), 1.4), (SKY, "-", 1.4),
)  # fmt: skip


def matplotlib():
    """The library itself.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        message = 'the gallery draws with matplotlib; run: pip install "tensorgrad[plot]"'
        raise ImportError(message) from error
    return matplotlib


@contextmanager
def look(dpi=100):
    """Fonts, sizes and the cycle of lines, while the block runs."""
    colours, dashes, widths = zip(*LINES, strict=True)
    library = matplotlib()
    cycler = library.rcsetup.cycler
    options = {
        "font.size": 10,
        "axes.titlesize": 11,
        "figure.titlesize": 13,
        "legend.fontsize": 9,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=colours, linestyle=dashes, linewidth=widths),
        "figure.constrained_layout.use": True,
        "figure.dpi": dpi,
    }
    with library.rc_context(options):
        yield


def figure(rows=1, columns=1, width=4.0, height=3.2, **options):
    """A figure of panels of ``width`` x ``height`` inches: (figure, array of axes, 2-d).

    It belongs to no window and to no list of pyplot's: Agg draws it, and nothing is to be closed.
    """
    matplotlib()
    from matplotlib.figure import Figure

    fig = Figure(figsize=(columns * width, rows * height))
    return fig, fig.subplots(rows, columns, squeeze=False, **options)


def label(ax, title, x="", y="", legend="best", **options):
    """Title, axes' names, limits and so on of one panel; a legend of what has a label, or None."""
    ax.set(title=title, xlabel=x, ylabel=y, **options)
    if legend and ax.get_legend_handles_labels()[1]:
        ax.legend(loc=legend)


def png(fig):
    """The bytes of a PNG of at most 256 colours: a third of the size of matplotlib's own."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    memory = BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(memory, "png", optimize=True)
    return memory.getvalue()


def save(fig, folder, name):
    """Write ``folder/name.png``; returns its size in bytes.

    Raises:
        ValueError: a name that is not of letters, digits and underscores, or a picture of 200 KB
            or more. Nothing is written then.
    """
    if not re.fullmatch(r"\w+", name):
        raise ValueError(f"a picture is named with letters, digits and _, got {name!r}")
    data = png(fig)
    size = len(data)
    if size >= LIMIT:
        raise ValueError(
            f"{name}.png is of {size // 1000} KB, and pictures must stay under {LIMIT // 1000} KB; "
            "make it smaller or draw less"
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(data)
    return size


def draw(figures, folder=DOCS, quick=False):
    """Save what ``figures(quick)`` yields, a printed line for each; returns the names."""
    names = []
    with look(50 if quick else 100):
        start = time.perf_counter()
        for name, fig in figures(quick=quick):
            size = save(fig, folder, name)
            print(f"{name + '.png':32}{size / 1000:5.0f} KB {time.perf_counter() - start:6.1f} s",
                  flush=True)  # fmt: skip
            names.append(name)
            start = time.perf_counter()
    return names
