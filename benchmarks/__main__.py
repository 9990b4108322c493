"""``python -m benchmarks``: measure tensorgrad beside its neighbours and print the ratios."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path

from . import measure
from .contenders import IMPORTS, installed
from .report import summary, table


def selected(patterns: list[str] | None, known: Iterable[str], what: str) -> list[str]:
    """The known names that match any pattern, in their own order; all if there is no pattern."""
    known = list(known)
    for pattern in patterns or ():
        if not any(fnmatchcase(name, pattern) for name in known):
            raise SystemExit(f"no {what} matches {pattern!r}; there are: {', '.join(known)}")
    return [n for n in known if not patterns or any(fnmatchcase(n, p) for p in patterns)]


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure tensorgrad beside PyTorch, JAX, MyGrad, autograd and NumPy, each "
        "where it is installed. Contenders run in processes of their own and take turns.",
        epilog="cases: " + ", ".join(measure.CASES),
    )
    add = parser.add_argument
    add("--case", action="append", metavar="NAME", help="a case, or a pattern such as 'mlp-*'")
    add("--contender", action="append", metavar="NAME", help=f"one of {', '.join(IMPORTS)}")
    add("--rounds", type=positive, metavar="N", help="turns of each (default 7, with --smoke 1)")
    add("--threads", type=positive, metavar="N", default=2, help="of each (default 2)")
    add("--smoke", action="store_true", help="run everything once, to see that it works")
    add("--json", metavar="FILE", help="also write all numbers to FILE")
    args = parser.parse_args(argv)
    if args.json and not Path(args.json).absolute().parent.is_dir():
        parser.error(f"--json {args.json}: there is no such folder to write to")
    args.rounds = args.rounds or (1 if args.smoke else 7)
    return args


def conditions(args: argparse.Namespace, names: list[str]) -> dict:
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": args.threads,
        "rounds": args.rounds,
        "versions": {name: metadata.version(name) for name in names},
    }


def main(argv: list[str] | None = None) -> int:
    """Run the command line; 0 if every installed contender could run every case."""
    args = parse(argv)
    cases = selected(args.case, measure.CASES, "case")
    asked = selected(args.contender, IMPORTS, "contender")
    names = [name for name in asked if name in installed()]
    absent = [name for name in asked if name not in names]
    about = conditions(args, names)

    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    print(f"Python {about['python']}, {about['cores']} cores, threads: {args.threads}; {versions}")
    print(f"not installed: {', '.join(absent) or 'none'}")
    print("ratio: over tensorgrad's of the same round; more than 1 is in tensorgrad's favour")
    skipped = {case: why for case in cases if (why := measure.impossible(case))}
    for case, why in skipped.items():
        print(f"{case} is left out: {why}")
    print()

    results = []
    for series in measure.run(
        [case for case in cases if case not in skipped],
        names,
        rounds=args.rounds,
        threads=args.threads,
        smoke=args.smoke,
    ):
        print(table(series), flush=True)
        results.append(series)
    if any(series.ratios(name) for series in results for name in names):
        print("Medians; of contenders, the ratio:\n")
        print(summary(results))
    if args.json:
        record = {
            "conditions": about,
            "absent": absent,
            "skipped": skipped,
            "results": [series.as_dict() for series in results],
        }
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
    return 1 if any(series.errors for series in results) else 0


if __name__ == "__main__":
    sys.exit(main())
