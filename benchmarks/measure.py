"""The rounds: contenders take turns, and each round gives one number of each."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata

from . import footprint
from .cases import MEMORY_NET, MEMORY_STEPS, TIMED
from .contenders import environment, takes_part
from .report import Series

FOOTPRINTS = ("import", "memory", "size")
CASES = (*TIMED, *FOOTPRINTS)


class Process:
    """A worker at the other end of two pipes; started at its first command, again if it dies."""

    def __init__(self, contender: str, env: dict[str, str], *options: str):
        self.command = [sys.executable, "-m", "benchmarks.worker", contender, *options]
        self.env = env
        self.child: subprocess.Popen | None = None

    def ask(self, *words: str) -> dict:
        """Send a command and wait for its answer."""
        if self.child is None:
            pipe = subprocess.PIPE
            self.child = subprocess.Popen(
                self.command, env=self.env, stdin=pipe, stdout=pipe, text=True
            )
        try:
            self.child.stdin.write(" ".join(words) + "\n")
            self.child.stdin.flush()
            line = self.child.stdout.readline()
        except BrokenPipeError:
            line = ""
        return json.loads(line) if line else {"error": f"worker ended, status {self.close()}"}

    def close(self) -> int:
        """Let the worker end, and return its exit status."""
        if self.child is None:
            return 0
        child, self.child = self.child, None
        try:
            child.stdin.close()
        except BrokenPipeError:
            pass  # it was gone before it read the last command
        child.stdout.close()
        return child.wait()


def run(
    cases: list[str], names: list[str], *, rounds: int, threads: int, smoke: bool
) -> Iterator[Series]:
    """Yield the series of each case as it is done."""
    env = os.environ | environment(threads)
    # An import is timed as users see it from the second time on: byte-compiled. A checkout would
    # never be under this variable, while installers compile the other contenders.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    options = ["--threads", str(threads), *["--smoke"] * smoke]
    workers = {name: Process(name, env, *options) for name in names}
    try:
        for case in cases:
            if case in TIMED:
                yield timed(case, workers, rounds)
            elif case == "import":
                yield from imports(names, rounds, env, smoke)
            elif case == "memory":
                yield from memory(names, rounds, env)
            else:
                yield sizes(names)
    finally:
        for worker in workers.values():
            worker.close()


def impossible(case: str) -> str | None:
    """Why a case cannot be measured on this machine, if so."""
    if case == "memory" and not footprint.STATUS.exists():
        return f"it reads {footprint.STATUS}, which only Linux has"
    if case == "size" and importlib.util.find_spec("packaging") is None:
        return "it needs the distribution 'packaging' to read requirements"
    return None


def timed(case: str, workers: dict[str, Process], rounds: int) -> Series:
    """Build the case in every worker, then let them take turns."""
    series = Series(case, TIMED[case].title, "us")
    workers = {name: worker for name, worker in workers.items() if takes_part(name, TIMED[case])}
    for name, worker in workers.items():
        answer = worker.ask("build", case)
        if "error" in answer:
            series.errors[name] = answer["error"]
    for name, answer in turns(list(workers), rounds, lambda name: workers[name].ask("go"), series):
        series.add(name, answer["seconds"] * 1e6)
    return series


def turns(
    names: list[str], rounds: int, measure: Callable[[str], dict], series: Series
) -> Iterator[tuple[str, dict]]:
    """Measure each contender once a round, in alternating order; one that fails is left out."""
    for i in range(rounds):
        for name in names if i % 2 == 0 else reversed(names):
            if name in series.errors:
                continue
            answer = measure(name)
            if "error" in answer:
                series.fail(name, answer["error"])
            else:
                yield name, answer


def imports(names: list[str], rounds: int, env: dict[str, str], smoke: bool) -> list[Series]:
    time = Series("import", "wall time in a fresh interpreter", "ms", part="time")
    over = Series("import", "over NumPy's of the same round", "ms", part="extra", ratio=False)
    rss = Series("import", "resident memory afterwards", "MB", part="memory")

    def measure(name: str) -> dict:
        return footprint.import_cost(name, env)

    if not smoke:
        for name in names:
            measure(name)  # writes what is not yet byte-compiled, and warms the disk's cache
    for name, answer in turns(names, rounds, measure, time):
        time.add(name, answer["milliseconds"])
        if answer["rss"] is not None:
            rss.add(name, answer["rss"])
    base = time.values.get("numpy", [])
    for name, values in time.values.items():
        if base and name != "numpy":
            over.values[name] = [a - b for a, b in zip(values, base, strict=True)]
    return [series for series in (time, over, rss) if series.values or series.errors]


def memory(names: list[str], rounds: int, env: dict[str, str]) -> list[Series]:
    what = f"{MEMORY_STEPS} steps of {MEMORY_NET.name}"
    peak = Series("memory", f"highest resident memory in {what}", "MB", part="peak")
    growth = Series("memory", f"the same, less that after import, in {what}", "MB", part="growth")
    for name, answer in turns(names, rounds, lambda n: footprint.peak_memory(n, env), peak):
        peak.add(name, answer["peak"])
        growth.add(name, answer["growth"])
    return [peak, growth]


def sizes(names: list[str]) -> Series:
    series = Series("size", "installed, with all requirements", "MB on disk")
    for name in names:
        try:
            series.add(name, footprint.installed_size(name))
        except metadata.PackageNotFoundError as error:
            series.fail(name, f"{error.name} is required and not installed")
    return series
