"""A copy of the repository in which the packages also stand where an install puts them."""

import configparser
import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = ("tensorgrad", "nn", "optim", "augment", "tests", "benchmarks", "examples", "docs",
         "README.md", "LICENSE", "CHANGELOG.md", "setup.cfg", "pyproject.toml")  # fmt: skip
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc")


def copy_repository(into: Path) -> Path:
    """Copy the sources into a new folder, with ``tensorgrad/nn`` a link to ``nn`` and so on.

    A Python that starts with that folder in front of its path imports the copy alone.
    """
    into.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, into / part, ignore=NOT_COPIED)
        elif source.exists():
            shutil.copy(source, into / part)
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for line in setup["options"]["package_dir"].split("\n"):
        package, _, folder = map(str.strip, line.partition("="))
        if package:
            into.joinpath(*package.split(".")).symlink_to(into / folder)
    return into
