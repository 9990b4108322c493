"""The topics of examples/gallery, imported as ``python examples/gallery`` does."""

import functools
import importlib

import scripts

FOLDER = scripts.EXAMPLES / "gallery"


@functools.cache
def topic(name):
    """The module of a topic."""
    with scripts.importable(FOLDER):
        return importlib.import_module(name)
