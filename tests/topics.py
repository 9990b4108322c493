"""The topics of examples/gallery, imported as ``python examples/gallery`` does."""

import importlib
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "examples" / "gallery"


def topic(name):
    """The module of a topic."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))
