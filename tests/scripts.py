"""Scripts of examples and docs as modules; those of a folder as running the folder imports them."""

import contextlib
import importlib.util
import re
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


@contextlib.contextmanager
def importable(folder):
    """Within it the scripts of ``folder`` go by their bare names.

    Those of another folder with the same names, which other tests have imported, are set aside.
    """
    names = {path.stem for path in folder.glob("*.py")} - {"__main__"}
    aside = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(aside)


def command_of(folder):
    """What ``python folder`` runs, as a module; within :func:`importable`."""
    return module_at(folder / "__main__.py", f"{folder.name}_main")


def module_at(path, name=None):
    """The script at ``path`` as a new module."""
    spec = importlib.util.spec_from_file_location(name or f"{path.stem}_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows_of_a_quick_run(script, section, folder, capsys):
    """What a script of examples/seeds returns: complete rows, printed, each with its picture."""
    rows = script.main(["--quick", "--out", str(folder), "--seed", "3"])
    printed = capsys.readouterr().out
    for row in rows:
        assert all(row), row
        assert re.match(section, row.section), row
        assert row.command == f"python examples/seeds/{script.__name__}.py"
        assert (folder / f"{row.picture}.png").stat().st_size > 2000, row
        assert row.what in printed and row.ours in printed, row
    return rows


def example(name):
    """A script of examples as a new module."""
    return module_at(EXAMPLES / f"{name}.py")
