"""Write what can be read off the code: the type stub and the table of operations.

    python docs/generate.py            # rewrite tensorgrad/__init__.pyi and docs/ops.md
    python docs/generate.py --check    # exit 1 and name the stale file, if there is one

Methods of Tensor and most public functions are bound from the registry when the package is
imported, so type checkers cannot see them; the stub spells them out.
"""

import argparse
import inspect
import sys
from pathlib import Path

import tensorgrad
from tensorgrad import Tensor, dtypes
from tensorgrad._registry import FUNCTIONS, METHODS, OPS

ROOT = Path(__file__).parent.parent

HEADER = '''\
# Written by docs/generate.py; do not edit.
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from . import augment as augment
from . import autograd as autograd
from . import datasets as datasets
from . import nn as nn
from . import optim as optim
from . import serialization as serialization
from . import testing as testing
from . import utils as utils

Number = bool | int | float | complex
TensorLike = Tensor | Number | np.ndarray | np.generic
'''

# Results that are not one Tensor.
RETURNS = {
    "item": "Any", "tolist": "Any", "numpy": "np.ndarray", "dim": "int", "numel": "int",
    "nelement": "int", "element_size": "int", "data_ptr": "int", "storage_offset": "int",
    "is_contiguous": "bool", "get_device": "int", "is_floating_point": "bool",
    "is_complex": "bool", "is_tensor": "bool", "equal": "bool", "allclose": "bool",
    "backward": "None", "size": "Any", "stride": "Any", "type": "Any", "max": "Any",
    "min": "Any", "sort": "Any", "topk": "Any", "kthvalue": "Any", "mode": "Any",
    "median": "Any", "nanmedian": "Any", "cummax": "Any", "cummin": "Any", "unique": "Any",
    "unique_consecutive": "Any", "var_mean": "tuple[Tensor, Tensor]",
    "std_mean": "tuple[Tensor, Tensor]", "split": "tuple[Tensor, ...]",
    "chunk": "tuple[Tensor, ...]", "tensor_split": "tuple[Tensor, ...]",
    "unbind": "tuple[Tensor, ...]", "meshgrid": "tuple[Tensor, ...]",
    "broadcast_tensors": "tuple[Tensor, ...]", "nonzero": "Any", "where": "Any",
    "histogram": "Any", "register_hook": "Any", "retain_grad": "None",
    "register_post_accumulate_grad_hook": "Any", "result_type": "dtype",
    "promote_types": "dtype", "can_cast": "bool", "broadcast_shapes": "Size",
    "is_nonzero": "bool", "is_same_size": "bool", "atleast_1d": "Any", "atleast_2d": "Any",
    "atleast_3d": "Any", "aminmax": "Any", "frexp": "Any", "view_as_real": "Tensor",
    "__len__": "int", "__iter__": "Iterator[Tensor]", "__bool__": "bool", "__float__": "float",
    "__int__": "int", "__complex__": "complex", "__index__": "int", "__contains__": "bool",
    "__repr__": "str", "__format__": "str", "__hash__": "int", "__array__": "np.ndarray",
    "__setitem__": "None", "__dlpack__": "Any", "__dlpack_device__": "tuple[Any, Any]",
    "__deepcopy__": "Tensor", "__reduce_ex__": "Any", "__array_ufunc__": "Any",
    "__array_function__": "Any", "manual_seed": "Generator", "seed": "int",
    "initial_seed": "int", "set_rng_state": "None",
}  # fmt: skip

PROPERTIES = {
    "shape": "Size", "dtype": "dtype", "ndim": "int", "device": "device", "nbytes": "int",
    "itemsize": "int", "grad_fn": "Any", "is_leaf": "bool", "requires_grad": "bool",
    "grad": "Tensor | None", "data": "Tensor", "_version": "int", "is_cuda": "bool",
    "is_sparse": "bool", "layout": "str", "names": "tuple[None, ...]", "retains_grad": "bool",
    "_base": "Tensor | None",
}  # fmt: skip

SKIP = {"__init__", "__class__", "__new__", "__slots__", "__weakref__", "__dict__", "__doc__",
        "__module__", "__getattribute__", "__firstlineno__", "__static_attributes__"}  # fmt: skip


def described(fn):
    """The function whose signature users see: an op's forward, or the function itself."""
    return getattr(fn, "__wrapped__", fn)


def parameters(fn, method):
    """The parameter list of a stub line, without types that the code does not state."""
    op = getattr(fn, "op", None)
    if op is not None and not op.variadic:
        names = list(op.order)
        required = [n for n in names if n not in op.optional]
        parts = [n if n in required else f"{n}: Any = ..." for n in names]
        parts = [p if ":" in p else f"{p}: {'TensorLike' if p in op.inputs else 'Any'}"
                 for p in parts]  # fmt: skip
        if method:
            parts[0] = "self"
        return ", ".join([*parts, "**kwargs: Any"])
    parts, seen_star = [], False
    params = list(inspect.signature(described(fn)).parameters.values())
    for i, p in enumerate(params):
        if method and i == 0 and p.kind is not p.VAR_POSITIONAL:
            parts.append("self")
            continue
        if p.kind is p.KEYWORD_ONLY and not seen_star:
            parts.append("*")
            seen_star = True
        prefix = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        seen_star = seen_star or p.kind is p.VAR_POSITIONAL
        default = "" if p.default is p.empty else " = ..."
        parts.append(f"{prefix}{p.name}: Any{default}")
    if method and (not parts or parts[0] != "self"):
        parts.insert(0, "self")
    return ", ".join(parts)


def stub_function(name, fn, method=False, indent=""):
    """One ``def`` line."""
    result = RETURNS.get(name, "Tensor")
    ignore = "  # type: ignore[override]" if method and name in ("__eq__", "__ne__") else ""
    return f"{indent}def {name}({parameters(fn, method)}) -> {result}: ...{ignore}"


def stub_tensor():
    """The class Tensor with every bound method and property."""
    lines = ["class Tensor:", "    def __init__(self, *args: Any, **kwargs: Any) -> None: ...",
             "    def __getattr__(self, name: str) -> Any: ..."]  # fmt: skip
    methods = {}
    for name in sorted(dir(Tensor)):
        value = inspect.getattr_static(Tensor, name)
        dunder = name.startswith("__")
        if name in SKIP or (dunder and name not in vars(Tensor)):
            continue
        if isinstance(value, property) and (not name.startswith("_") or name in PROPERTIES):
            kind = PROPERTIES.get(name, "Tensor")
            lines += ["    @property", f"    def {name}(self) -> {kind}: ..."]
            if value.fset is not None:
                lines += [f"    @{name}.setter", f"    def {name}(self, value: Any) -> None: ..."]
        elif inspect.isfunction(value) and (dunder or not name.startswith("_")):
            methods[name] = value
    for name, fn in methods.items():
        lines.append(stub_function(name, fn, method=True, indent="    "))
    return lines


def stub():
    """The text of ``tensorgrad/__init__.pyi``."""
    lines, imports = [], []
    for name in sorted(vars(tensorgrad)):
        value = getattr(tensorgrad, name)
        if name.startswith("_") or inspect.ismodule(value) or name == "Tensor":
            continue
        if isinstance(value, dtypes.dtype):
            lines.append(f"{name}: dtype")
        elif inspect.isclass(value):
            module = value.__module__.removeprefix("tensorgrad")
            imports.append(f"from {module or '.'} import {value.__name__} as {name}")
        elif inspect.isfunction(value) or hasattr(value, "op"):
            lines.append(stub_function(name, value))
        elif isinstance(value, float):
            lines.append(f"{name}: float")
        else:
            lines.append(f"{name}: Any")
    lines += ["def save(obj: Any, f: Any, **kwargs: Any) -> None: ...",
              "def load(f: Any, **kwargs: Any) -> Any: ..."]  # fmt: skip
    parts = [HEADER, "\n".join(imports), "", "__version__: str", *lines, "", *stub_tensor()]
    return "\n".join(parts) + "\n"


def summary(fn):
    """The first sentence of a docstring."""
    text = " ".join((inspect.getdoc(described(fn)) or "").split("\n\n")[0].split())
    return text.split(". ")[0].rstrip(".").replace("|", "\\|")


def family(fn):
    """The file that declares a function."""
    return described(fn).__module__.removeprefix("tensorgrad.").removeprefix("ops.")


def operations():
    """The text of ``docs/ops.md``: every public function, by file."""
    rows = {}
    for name, fn in FUNCTIONS.items():
        rows.setdefault(family(fn), []).append((name, fn))
    count = len(FUNCTIONS)
    lines = [
        "# Operations", "",
        f"Written by `docs/generate.py` from the registry: {count} public functions, "
        f"{len(METHODS)} of them methods of `Tensor`, on {len(OPS)} ops. "
        "Each has a docstring with shapes, dtypes, errors and an example.", "",
    ]  # fmt: skip
    for title in sorted(rows):
        lines += [f"## {title}", "", "| name | method | in place | what |", "|---|---|---|---|"]
        for name, fn in sorted(rows[title]):
            method = "yes" if name in METHODS else ""
            in_place = f"`{name}_`" if hasattr(Tensor, name + "_") else ""
            lines.append(f"| `{name}` | {method} | {in_place} | {summary(fn)} |")
        lines.append("")
    return "\n".join(lines)


FILES = {"tensorgrad/__init__.pyi": stub, "docs/ops.md": operations}


def main():
    """Write or check the files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if stale")
    args = parser.parse_args()
    stale = [p for p, make in FILES.items()
             if not (ROOT / p).exists() or (ROOT / p).read_text() != make()]  # fmt: skip
    if args.check:
        for path in stale:
            print(f"{path} is stale; run: python docs/generate.py")
        return 1 if stale else 0
    for path in stale:
        (ROOT / path).write_text(FILES[path]())
        print("wrote", path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
