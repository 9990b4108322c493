"""The course notes' experiments: run them, and write docs/experiments.md.

    python examples/seeds --data DATA                 # all of them, into docs
    python examples/seeds --data DATA --only mnist arcs
    python examples/seeds --quick                     # to try it, into runs/seeds
    python examples/seeds --page                      # the page again, from the results kept

DATA is a folder with house.npz, income.npz and MNIST's four files (in it, or in mnist-idx).
Without it, small stand-ins that say so take their place, and nothing goes to docs unless asked.
"""

import importlib
import json
import time

import common

DOCS = common.HERE.parents[1] / "docs"

# The scripts in the order of the page; their docstrings are its text.
SCRIPTS = (
    "curve_fitting", "house_prices", "arcs", "income", "three_classes", "mnist",
    "initialisation", "optimizers", "batch_norm",
    "overfitting", "bias_variance", "regularisation", "early_stopping", "dropout", "augmentation",
)  # fmt: skip

HEAD = """# Experiments

What the course notes train, trained here with `tensorgrad.train`: their figure, ours, and how to
run it. `python examples/seeds --data DATA` runs all and writes this page; DATA is a folder with
`house.npz`, `income.npz` and the files of MNIST. Without `--data` small stand-ins are used, which
say so; the figures below are of the data named in their row. Test parts have no say in when a run
stops or which weights it keeps: validation parts do. Where the notes print a condition to stop at
and no result, the condition is what stands here. Every script takes `--seed`, and computes on one
thread, so that the same seed gives the same figures again.
"""


def arguments(argv=None):
    """The command line, checked."""
    parser = common.parser_of(__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"of {', '.join(SCRIPTS)}")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page anew")
    args = parser.parse_args(argv)
    args.only = list(SCRIPTS) if args.only is None else args.only
    unknown = [name for name in args.only if name not in SCRIPTS]
    if unknown:
        parser.exit(2, f"error: --only got {', '.join(unknown)}; scripts: {', '.join(SCRIPTS)}\n")
    if args.out is None:
        real = args.page or (args.data is not None and not args.quick)
        args.out = DOCS if real else common.RUNS
    common.prepare(parser, args)
    return args


# --- the page ---------------------------------------------------------------------------


def table(results):
    """All rows, in the order of the scripts."""
    columns = ("section", "what", "notes", "ours", "data", "command")
    names = ("section", "what", "the notes' figure", "ours", "data", "how to run")
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    for name in SCRIPTS:
        for row in results.get(name, []):
            cells = [f"`{row[c]}`" if c == "command" else row[c] for c in columns]
            lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def section(name, rows):
    """A script's docstring and its pictures."""
    title, _, text = importlib.import_module(name).__doc__.strip().partition("\n")
    pictures = dict.fromkeys(row["picture"] for row in rows if row["picture"])
    shown = [f"![{title.rstrip('.')}](experiments/{picture}.png)" for picture in pictures]
    return "\n\n".join([f"## {title.rstrip('.')}", text.strip(), *shown])


def page(results):
    """The whole page."""
    sections = [section(name, results[name]) for name in SCRIPTS if name in results]
    return "\n\n".join([HEAD.strip(), table(results), *sections]) + "\n"


def kept(folder):
    """The results of earlier runs, by script."""
    path = folder / "results.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write(out, results):
    """Write results.json and the page."""
    ordered = {name: results[name] for name in SCRIPTS if name in results}
    text = json.dumps(ordered, indent=1, ensure_ascii=False)
    (out / "experiments").mkdir(exist_ok=True)
    (out / "experiments" / "results.json").write_text(text + "\n", encoding="utf-8")
    (out / "experiments.md").write_text(page(results), encoding="utf-8")


# --- running ----------------------------------------------------------------------------


def run(name, args):
    """The rows of a script as plain dicts; those of a quick run say so."""
    rows = importlib.import_module(name).run(args.data, args.quick, args.out / "experiments")
    common.report(rows)
    dicts = [row._asdict() for row in rows]
    return [{**row, "data": row["data"] + ", quick run"} for row in dicts] if args.quick else dicts


def main(argv=None):
    """Run what was asked for; results of other scripts stay as they are."""
    args = arguments(argv)
    if args.page:
        args.only = []
    for name in args.only:
        start = time.perf_counter()
        rows = run(name, args)
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
        write(args.out, {**kept(args.out / "experiments"), name: rows})
    if args.page:
        write(args.out, kept(args.out / "experiments"))
    print(f"wrote {args.out / 'experiments.md'}")


if __name__ == "__main__":
    main()
