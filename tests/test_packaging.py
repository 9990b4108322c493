"""The metadata in setup.cfg against the files of the repository."""

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = {"tensorgrad": "tensorgrad", "nn": "tensorgrad.nn", "optim": "tensorgrad.optim",
           "augment": "tensorgrad.augment"}  # fmt: skip


def metadata():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_listed_and_every_listed_one_exists():
    found = set()
    for folder, package in FOLDERS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join((package, *inner)))
    listed = set(metadata()["options"]["packages"].split())
    assert found == listed


def test_every_folder_with_python_files_is_a_package():
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path


def test_all_metadata_is_in_setup_cfg():
    text = (ROOT / "pyproject.toml").read_text()
    assert "[project]" not in text
    assert "[tool.setuptools" not in text
    assert metadata()["metadata"]["license"] == "MIT"
    assert metadata()["options"]["python_requires"] == ">=3.10"
    assert metadata()["options"]["install_requires"].split() == ["numpy>=2", "scipy"]


def test_an_error_that_names_an_extra_names_one_that_exists():
    extras = set(metadata()["options.extras_require"])
    for folder in (*FOLDERS, "examples"):
        for path in (ROOT / folder).rglob("*.py"):
            named = set(re.findall(r'tensorgrad\[([a-z,]+)\]', path.read_text()))
            named |= set(re.findall(r'missing\(\s*"[^"]+",\s*"([^"]+)"', path.read_text()))
            assert {e for group in named for e in group.split(",")} <= extras, path


def test_readme_holds_the_two_commands():
    text = (ROOT / "README.md").read_text()
    block = text.split("<!-- commands -->")[1].split("<!-- end -->")[0]
    commands = [line for line in block.splitlines() if line.startswith("pip ")]
    assert commands == [
        'pip install -e ".[plot]" && python examples/digits.py',
        'pip install -e ".[test]" && pytest',
    ]
