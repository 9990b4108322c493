"""Have mypy read what users see: a correct script, mistakes it must report, and the stubs.

    python tests/check_typing.py

``typing_usage.py`` must pass in strict mode (calls of functions without annotations allowed);
of ``typing_mistakes.py`` every marked line must be reported, and no other. mypy reads a temporary
copy of the packages in which ``tensorgrad.nn`` and its kind stand where an install puts them.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from layout import ROOT, copy_repository

HERE = Path(__file__).parent
CONFIG = """\
[mypy]
python_version = 3.10
strict = True
disallow_untyped_calls = False
show_error_codes = True
[mypy-tensorgrad.*]
follow_imports = silent
"""


def run_mypy(folder: Path) -> list[str]:
    """The lines of mypy's report on the two scripts and the stubs."""
    copy = copy_repository(folder / "copy")
    config = folder / "mypy.ini"
    config.write_text(CONFIG)
    files = [HERE / "typing_usage.py", HERE / "typing_mistakes.py"]
    files += [copy / path.relative_to(ROOT) for path in sorted((ROOT / "tensorgrad").glob("*.pyi"))]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir", folder / "cache",
         "--no-error-summary", "--hide-error-context", *files],
        capture_output=True, text=True, cwd=folder, env={**os.environ, "MYPYPATH": str(copy)},
    )  # fmt: skip
    if run.returncode not in (0, 1):
        raise SystemExit(f"mypy could not run:\n{run.stdout}{run.stderr}")
    return [line for line in run.stdout.splitlines() if ": error: " in line]


def expected() -> dict[int, str]:
    """Line number -> text that mypy must print for it."""
    lines = (HERE / "typing_mistakes.py").read_text().splitlines()
    marks = {i: line.partition("# E: ")[2] for i, line in enumerate(lines, 1)}
    return {i: text for i, text in marks.items() if text}


def problems(report: list[str]) -> list[str]:
    """What differs from what is expected: errors that should not be, and mistakes unseen."""
    wanted = expected()
    found, wrong = set(), []
    for line in report:
        match = re.search(r"typing_mistakes\.py:(\d+): error: (.*)", line)
        number = int(match[1]) if match else 0
        if number in wanted and wanted[number] in match[2]:
            found.add(number)
        else:
            wrong.append(line)
    missed = sorted(wanted.keys() - found)
    return wrong + [f"typing_mistakes.py:{i}: not reported: {wanted[i]}" for i in missed]


def main() -> int:
    """Print what is wrong; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        wrong = problems(run_mypy(Path(folder)))
    print("\n".join(wrong) if wrong else f"types: {len(expected())} mistakes seen, nothing else")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
