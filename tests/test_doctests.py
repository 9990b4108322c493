"""Every example in a docstring and in the README runs and prints what it says."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import tensorgrad
from tensorgrad.errors import MissingDependencyError
from tensorgrad.printing import set_printoptions

ROOT = Path(__file__).parent.parent
PACKAGES = ["tensorgrad", "tensorgrad.nn", "tensorgrad.optim", "tensorgrad.augment"]


def modules():
    names = set(PACKAGES)
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        names |= {m.name for m in pkgutil.walk_packages(path, package + ".")}
    return sorted(names)


@pytest.fixture(autouse=True)
def _fresh_settings():
    tensorgrad.manual_seed(0)
    yield
    set_printoptions(profile="default")
    tensorgrad.set_default_dtype(tensorgrad.float32)


def check(results):
    assert results.failed == 0


def loaded(name):
    """The module; None where a package that only it needs is not installed."""
    try:
        return importlib.import_module(name)
    except MissingDependencyError:
        return None


@pytest.mark.parametrize("name", modules())
def test_docstrings(name):
    module = loaded(name)
    if module is None:
        pytest.skip("needs a package that is not installed")
    check(doctest.testmod(module, optionflags=doctest.ELLIPSIS))


@pytest.mark.parametrize("page", ["README.md"])
def test_pages(page):
    check(doctest.testfile(str(ROOT / page), module_relative=False))


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    present = [module for module in map(loaded, modules()) if module is not None]
    found = [test for module in present for test in finder.find(module)]
    assert sum(bool(test.examples) for test in found) > 300
