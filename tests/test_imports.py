"""Who may import whom, and what `import tensorgrad` may load."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Packages from the ground up. A file imports only from its own package and those below.
FLOORS = {"tensorgrad": 0, "tensorgrad.nn": 1, "tensorgrad.optim": 1, "tensorgrad.augment": 2,
          "tensorgrad.train": 2}  # fmt: skip
FOLDERS = {"tensorgrad": "tensorgrad", "nn": "tensorgrad.nn", "optim": "tensorgrad.optim",
           "augment": "tensorgrad.augment"}  # fmt: skip
# Op files in order: each imports only earlier ones.
OP_ORDER = [
    "shape", "elementwise", "comparison", "special", "activation", "reduce", "index", "linalg",
    "decomposition", "measure", "gamma",
    "conv", "pool",
    "fused", "attention", "normalization", "embedding", "recurrent",
    "distance", "random", "wirtinger", "loss",
]  # fmt: skip
# What a plain import must not pay for.
FORBIDDEN = ["scipy", "matplotlib", "torch", "hypothesis", "pytest", "PIL", "numba", "sklearn",
             "mpi4py", "tqdm", "pandas", "asyncio", "multiprocessing", "dataclasses", "secrets",
             "unittest", "tempfile", "zipfile", "json"]  # fmt: skip


def sources():
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            module = ".".join((package, *(parts[:-1] if is_package else parts)))
            yield path, module, is_package


def imported(path, module, is_package):
    """The modules that a file's import statements name, relative ones resolved."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")
            if node.level:
                base = base[: len(base) - node.level + is_package]
                name = ".".join(base + ([node.module] if node.module else []))
            else:
                name = node.module
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)


def floor(module):
    package = max((p for p in FLOORS if module == p or module.startswith(p + ".")), key=len)
    return FLOORS[package], package


def test_imports_go_down_only():
    wrong = []
    for path, module, is_package in sources():
        mine, package = floor(module)
        for name in imported(path, module, is_package):
            if name.split(".")[0] == "tensorgrad":
                theirs, other = floor(name)
                if theirs > mine or (theirs == mine and other != package):
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_op_files_import_only_earlier_ones():
    wrong = []
    for path, module, is_package in sources():
        if not module.startswith("tensorgrad.ops."):
            continue
        position = OP_ORDER.index(module.rpartition(".")[2])
        for name in imported(path, module, is_package):
            parts = name.split(".")
            if parts[:2] == ["tensorgrad", "ops"] and len(parts) > 2:
                if parts[2] in OP_ORDER and OP_ORDER.index(parts[2]) > position:
                    wrong.append(f"{path.name} imports ops.{parts[2]}")
    assert not wrong, "\n".join(wrong)


def test_every_op_file_is_in_the_order():
    files = {p.stem for p in (ROOT / "tensorgrad" / "ops").glob("*.py")} - {"__init__"}
    assert files <= set(OP_ORDER)


@pytest.mark.parametrize("statement", ["import tensorgrad", "import tensorgrad; tensorgrad.nn"])
def test_import_loads_no_heavy_module(statement):
    """The budget of 60 ms over NumPy, as facts instead of a time: what must stay unloaded."""
    code = f"import sys, json, numpy; before = set(sys.modules); {statement}; " \
           "print(json.dumps(sorted(set(sys.modules) - before)))"  # fmt: skip
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(run.stdout)} - {"json"}
    assert not loaded & set(FORBIDDEN)


@pytest.mark.parametrize("name", ["nn", "optim", "augment"])
def test_bare_package_names_are_refused_in_one_line(name):
    run = subprocess.run(
        [sys.executable, "-c", f"import {name}"], capture_output=True, text=True, cwd=ROOT
    )
    assert run.returncode != 0
    last = run.stderr.strip().splitlines()[-1]
    assert last == f"ImportError: import this package as tensorgrad.{name}, not as {name}"


def test_nothing_is_unpickled():
    for path, *_ in sources():
        text = path.read_text()
        assert "allow_pickle=True" not in text, path
        if path.parts[-3:] == ("data", "_utils", "transport.py"):
            continue  # what a DataLoader's workers send to the process that started them
        assert "pickle.load" not in text, path
