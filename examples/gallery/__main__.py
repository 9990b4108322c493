"""Draw the gallery: pictures of losses, penalties, initialisations and optimizers.

Values and gradients are tensorgrad's own. docs/gallery.md shows and explains the pictures.

    python examples/gallery                        # all of docs/gallery, in under three minutes
    python examples/gallery --only losses norms
    python examples/gallery --quick                # coarse ones, into runs/gallery
"""

import argparse
import importlib
import time
from pathlib import Path

import style

# The file of each topic, in the order of docs/gallery.md. It has a function figures(quick=False)
# that yields (name of the picture, figure); the name begins with that of the topic.
TOPICS = {
    "losses": "every loss against margin or residual, with its gradient",
    "norms": "L1 and L2 balls meeting level curves; paths of the solution",
    "implicit": "curves given by an equation",
    "blur": "a squared error blurs what two answers fit",
    "initialization": "activations and gradients of ten layers; the course notes' seven cases",
    "optimizers": "seven optimizers' paths down one valley",
    "tempered": "the logistic and the bi-tempered loss on wrong labels",
}


def arguments(argv=None):
    """The command line, checked."""
    topics = "\n".join(f"  {name:16}{text}" for name, text in TOPICS.items())
    parser = argparse.ArgumentParser(
        prog="gallery", description=__doc__, epilog=f"topics:\n{topics}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="folder of the pictures (docs/gallery)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="topics to draw (all)")
    parser.add_argument("--quick", action="store_true", help="coarse pictures, to try it")
    args = parser.parse_args(argv)
    args.only = list(TOPICS) if args.only is None else args.only
    unknown = [name for name in args.only if name not in TOPICS]
    if unknown:
        parser.exit(2, f"error: --only got {', '.join(unknown)}; topics: {', '.join(TOPICS)}\n")
    if args.out is None:
        args.out = Path("runs/gallery") if args.quick else style.DOCS
    return args


def main(argv=None):
    """Draw the topics asked for."""
    args = arguments(argv)
    try:
        style.matplotlib()
    except ImportError as error:
        raise SystemExit(f"error: {error}") from None
    start = time.perf_counter()
    count = 0
    for name in args.only:
        count += len(style.draw(importlib.import_module(name).figures, args.out, args.quick))
    seconds = time.perf_counter() - start
    print(f"{count} pictures in {args.out}, {seconds:.1f} s")


if __name__ == "__main__":
    main()
