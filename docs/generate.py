"""Write what can be read off the code: the type stubs and the table of operations.

    python docs/generate.py            # rewrite the files that changed, and name them
    python docs/generate.py --check    # change nothing; exit 1 and name the stale files

The methods of Tensor and most public functions are bound from the registry when the package is
imported, so type checkers and editors cannot see them; the stubs spell them out. Parameters and
their defaults come from the code. Their types go by their names, here: the tables below.
"""

import argparse
import inspect
import re
import sys
from inspect import Parameter
from pathlib import Path

import tensorgrad
from tensorgrad import Tensor, _layout, _lazy, _tensor, dtypes, return_types
from tensorgrad._registry import FUNCTIONS, METHODS, OPS

ROOT = Path(__file__).parent.parent
NOTE = "Written by docs/generate.py; do not edit."

# --- types ------------------------------------------------------------------------------

# In the stub many a plain name is taken: tensorgrad.int is a dtype, Tensor.float a method. What
# stands for those, and every other name that the package lacks, begins with an underscore.


def made_in_a_loop():
    """Names of classes that a type checker does not find in the text of their modules."""
    for module in ("legacy", "storage"):
        text = (ROOT / "tensorgrad" / f"{module}.py").read_text()
        for name in _lazy.BROUGHT[module].split():
            if not re.search(rf"^(def|class) {name}\b", text, re.M):
                yield name


def lazy_imports():
    """What the package imports when it is first touched, as import statements."""
    lines = [f"from . import {name} as {name}" for name in (*_lazy.SUBMODULES, "autograd")]
    lines.append("from . import return_types as return_types")
    made = set(made_in_a_loop())
    names = {"_layout": [n for n in vars(_layout) if not n.startswith("_") and n != "annotations"]}
    names |= {module: brought.split() for module, brought in _lazy.BROUGHT.items()}
    lines += [
        f"from .{module} import {name} as {name}"
        for module, found in names.items()
        for name in found
        if name not in made
    ]
    return "\n".join(sorted(lines))


HEADER = f"""\
# {NOTE}
from builtins import bool as _bool
from builtins import complex as _complex
from builtins import float as _float
from builtins import int as _int
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import EllipsisType
from typing import Any, Literal, TypeAlias, TypeVar, overload

import numpy as np
from typing_extensions import Self

{lazy_imports()}
from ._graph import Node as _Node
from .autograd.hooks import RemovableHandle as _Handle
from .dtypes import dtype as dtype
from .dtypes import get_default_dtype as get_default_dtype
from .dtypes import set_default_dtype as set_default_dtype
from .printing import get_printoptions as get_printoptions
from .printing import set_printoptions as set_printoptions
from .random import Generator as Generator
from .random import get_rng_state as get_rng_state
from .random import initial_seed as initial_seed
from .random import manual_seed as manual_seed
from .random import seed as seed
from .random import set_rng_state as set_rng_state

_F = TypeVar("_F", bound=Callable[..., Any])
_Array: TypeAlias = np.ndarray[Any, Any]
_Number: TypeAlias = _bool | _int | _float | _complex
_TensorLike: TypeAlias = Tensor | _Number | _Array | np.generic
_Dims: TypeAlias = _int | Sequence[_int]
_Index: TypeAlias = (
    _int | slice | EllipsisType | Tensor | _Array | tuple[Any, ...] | list[Any] | None
)
_DType: TypeAlias = dtype | type[Any] | np.dtype[Any]
_dtype: TypeAlias = dtype

__version__: str
default_generator: Generator
e: _float
inf: _float
nan: _float
pi: _float
newaxis: None

class Size(tuple[_int, ...]):
    def numel(self) -> _int: ...
    @overload  # type: ignore[override]
    def __getitem__(self, index: _int) -> _int: ...
    @overload
    def __getitem__(self, index: slice) -> Size: ...
    def __add__(self, other: Sequence[_int]) -> Size: ...  # type: ignore[override]

class device:
    type: str
    index: _int | None
    def __init__(self, type: str | device = "cpu", index: _int | None = None) -> None: ...

_Device: TypeAlias = device | str
_device: TypeAlias = device

class finfo:
    bits: _int
    dtype: str
    eps: _float
    max: _float
    min: _float
    tiny: _float
    smallest_normal: _float
    resolution: _float
    def __init__(self, type: _DType | None = None) -> None: ...

class iinfo:
    bits: _int
    dtype: str
    max: _int
    min: _int
    def __init__(self, type: _DType) -> None: ...

class _Switch:
    def __call__(self, function: _F) -> _F: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...

class no_grad(_Switch):
    @overload
    def __new__(cls) -> Self: ...
    @overload
    def __new__(cls, function: _F) -> _F: ...  # type: ignore[misc]

class enable_grad(_Switch):
    @overload
    def __new__(cls) -> Self: ...
    @overload
    def __new__(cls, function: _F) -> _F: ...  # type: ignore[misc]

class inference_mode(_Switch):
    @overload
    def __new__(cls, mode: _bool = True) -> Self: ...
    @overload
    def __new__(cls, mode: _F) -> _F: ...  # type: ignore[misc]

class set_grad_enabled(_Switch):
    def __init__(self, mode: _bool) -> None: ...

def is_grad_enabled() -> _bool: ...
def is_inference_mode_enabled() -> _bool: ...
def fork_rng(
    devices: Sequence[Any] | None = None, enabled: _bool = True
) -> AbstractContextManager[None]: ...
"""

# The types of parameters, by name. None joins them where it is the default.
TYPES = {
    parameter: kind
    for kind, parameters in {
        "Any": "args data ext_tensor kwargs memo obj protocol ufunc func types",
        "Callable[..., Any]": "hook",
        "Generator": "generator",
        "Sequence[Tensor]": "tensors",
        "Sequence[_int]": "pad split_sizes",
        "Tensor": "a abs angle append b batch1 batch2 bias boundaries condition elements "
        "gradient imag index indices input mask mat mat1 mat2 matrices operands out "
        "prepend real sorted_sequence sorter source src tensor tensor1 tensor2 "
        "the_template values vec vec1 vec2 weight weights",
        "_Array": "ndarray",
        "_DType": "dtype",
        "_Device": "device",
        "_Dims": "axes dims order shape shifts size sizes sections split_size "
        "split_size_or_sections stride times",
        "_Number": "alpha beta bounds correction end fill_value high low max_val min_val p s start "
        "threshold",
        "_TensorLike": "element exponent max min other test_elements value",
        "_bool": "copy retain_graph unbiased",
        "_float": "eps neginf posinf",
        "_int": "axis axis0 axis1 chunks col destination dim dim0 dim1 dim2 dimension k length m "
        "n num_samples output_size row step steps storage_offset",
        "_int | Tensor": "repeats",
        "object": "layout memory_format",
        "str": "equation how indexing reduce rounding_mode side spec",
    }.items()
    for parameter in parameters.split()
}

# Where a name means something else: (parameter, type) -> functions.
ELSEWHERE = {
    ("bounds", "_Dims"): "randint randint_like",
    ("destination", "_Dims"): "movedim moveaxis",
    ("dim", "_Dims"): "nuclear_norm sum mean nansum nanmean var std var_mean std_mean amax amin "
    "any all norm count_nonzero logsumexp squeeze",
    ("dims", "Any"): "tensordot",
    ("end", "_TensorLike"): "linspace logspace lerp",
    ("end", "_int"): "slice_scatter",
    ("from_", "_dtype"): "can_cast",
    ("from_", "_float"): "uniform_",
    ("from_", "_int"): "random_",
    ("index", "_Index"): "__getitem__ __setitem__",
    ("index", "_int"): "select select_scatter",
    ("indices", "Sequence[Tensor]"): "index_put",
    ("indices", "Sequence[_int] | Tensor"): "tensor_split",
    ("indices_or_sections", "_Dims"): "hsplit vsplit dsplit",
    ("indices_or_sections", "_Dims | Tensor"): "tensor_split",
    ("input", "_TensorLike"): "add sub mul div pow remainder floor_divide float_power xlogy rsub "
    "true_divide multiply subtract divide bucketize searchsorted where",
    ("inputs", "Tensor | Sequence[Tensor]"): "backward",
    ("max", "_Number"): "histc",
    ("mean", "_float | Tensor"): "normal",
    ("min", "_Number"): "histc",
    ("p", "_Number | str"): "norm",
    ("p", "_float | Tensor"): "bernoulli",
    ("repeats", "_Dims"): "repeat",
    ("shapes", "_Dims"): "broadcast_shapes",
    ("size", "_int"): "unfold",
    ("sizes", "_Dims | _dtype"): "view",
    ("source", "_Dims"): "movedim moveaxis",
    ("src", "_TensorLike"): "scatter",
    ("start", "_TensorLike"): "linspace logspace",
    ("start", "_int"): "narrow slice_scatter",
    ("start", "Tensor"): "lerp",
    ("step", "_Number"): "arange",
    ("std", "_float | Tensor"): "normal",
    ("tensor1", "_TensorLike"): "result_type",
    ("tensor2", "_TensorLike"): "result_type",
    ("tensors", "Tensor"): "broadcast_tensors atleast_1d atleast_2d atleast_3d block_diag meshgrid "
    "cartesian_prod",
    ("to", "_dtype"): "can_cast",
    ("to", "_float"): "uniform_",
    ("to", "_int"): "random_",
    ("type1", "_dtype"): "promote_types",
    ("type2", "_dtype"): "promote_types",
    ("value", "_Number"): "addcmul addcdiv pad scatter threshold",
    ("weight", "_TensorLike"): "lerp",
}
SPECIAL = {(name, p): kind for (p, kind), names in ELSEWHERE.items() for name in names.split()}

# The types of results that are not one Tensor, by function.
_NAMED = ("aminmax", "cummax", "cummin", "kthvalue", "mode", "sort", "topk")
RETURNS = {
    name: kind
    for kind, names in {
        "Any": "atleast_1d atleast_2d atleast_3d tolist item unique unique_consecutive __dlpack__ "
        "__reduce_ex__ __array_ufunc__ __array_function__",
        "Iterator[Tensor]": "__iter__",
        "None": "backward cuda retain_grad __init__ __setitem__",
        "Size": "broadcast_shapes",
        "_Array": "numpy __array__",
        "_Handle": "register_hook register_post_accumulate_grad_hook",
        "_bool": "is_contiguous is_floating_point is_complex is_tensor equal allclose __bool__ "
        "__contains__ can_cast",
        "_complex": "__complex__",
        "_dtype": "result_type promote_types",
        "_float": "__float__",
        "_int": "dim numel nelement element_size data_ptr storage_offset get_device __hash__ "
        "__int__ __index__ __len__",
        "str": "__repr__ __format__",
        "tuple[Any, Any]": "__dlpack_device__",
        "tuple[Tensor, Tensor]": "var_mean std_mean",
        "tuple[Tensor, ...]": "split chunk tensor_split hsplit vsplit dsplit unbind meshgrid "
        "split_with_sizes unravel_index "
        "broadcast_tensors",
        **{f"return_types.{name}": name for name in _NAMED},
    }.items()
    for name in names.split()
}

# Results that depend on the arguments: the parameters of each form (@ is the tensor, or self) and
# its result. Without an @ the forms are those of the function alone.
_WHOLE = "@, *, out: Tensor | None = None"
_PAIR = "@, dim: _int, keepdim: _bool = False, *, out: Any = None"
_OTHER = "@, other: Tensor, *, out: Tensor | None = None"
OVERLOADS = {
    "max": {_WHOLE: "Tensor", _PAIR: "return_types.max", _OTHER: "Tensor"},
    "min": {_WHOLE: "Tensor", _PAIR: "return_types.min", _OTHER: "Tensor"},
    "median": {_WHOLE: "Tensor", _PAIR: "return_types.median"},
    "nanmedian": {_WHOLE: "Tensor", _PAIR: "return_types.nanmedian"},
    "nonzero": {
        "@, *, as_tuple: Literal[False] = False, out: Tensor | None = None": "Tensor",
        "@, *, as_tuple: Literal[True]": "tuple[Tensor, ...]",
    },
    "size": {"@, dim: None = None": "Size", "@, dim: _int": "_int"},
    "stride": {"@, dim: None = None": "tuple[_int, ...]", "@, dim: _int": "_int"},
    "type": {"@, dtype: None = None": "str", "@, dtype: _DType | str": "Tensor"},
    "where": {
        "condition: Tensor": "tuple[Tensor, ...]",
        "condition: Tensor, input: _TensorLike, other: _TensorLike": "Tensor",
    },
}

PROPERTIES = {
    "shape": "Size", "dtype": "_dtype", "ndim": "_int", "device": "_device", "nbytes": "_int",
    "itemsize": "_int", "grad_fn": "_Node | None", "is_leaf": "_bool", "requires_grad": "_bool",
    "grad": "Tensor | None", "_version": "_int", "is_cuda": "_bool", "is_sparse": "_bool",
    "layout": "str", "names": "tuple[None, ...]", "retains_grad": "_bool",
}  # fmt: skip

# --- signatures -------------------------------------------------------------------------


def described(fn):
    """The function whose signature and docstring users see: of an op, its forward."""
    return getattr(fn, "__wrapped__", fn)


def keyword(name, default=None):
    """A keyword-only parameter."""
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default)


def parameters_of_op(op):
    """An op takes its inputs and attributes in its public order, by position or by name."""
    public = {"x": "input", "y": "other"}
    required = [n for n in op.order if n not in op.optional]
    for name in op.order:
        default = Parameter.empty if name in required else op.optional[name]
        kind = Parameter.POSITIONAL_OR_KEYWORD
        yield Parameter(public.get(name, name), kind, default=default)
    yield from (keyword(name, 1 if name == "alpha" else None) for name in op.variants)


def parameters(fn, bound):
    """The parameters of a public function, or of a method without the tensor itself."""
    op = getattr(fn, "op", None)
    if op is not None:
        found = list(parameters_of_op(op)) + ([] if bound else [keyword("out")])
    else:
        found = list(inspect.signature(described(fn)).parameters.values())
        if described(fn) is not fn:  # ops.reduce.published lets these through
            named = {p.name: p.default for p in found}
            found += [keyword("axis")] if named.get("dim", 0) is None else []
            found += [keyword("keepdims", False)] if "keepdim" in named else []
            found += [keyword("out")]
    found = [p for p in found if p.name != "named"]  # zeros(size=...), for PyTorch's scripts
    return found[1:] if bound else found


def type_of(name, parameter):
    """The type of a parameter of the function ``name``."""
    key = "dim" if parameter.name == "axis" else parameter.name
    plain = {bool: "_bool", int: "_int", float: "_float", str: "str"}
    kind = (
        SPECIAL.get((name, key))
        or SPECIAL.get((name.rstrip("_"), key))
        or TYPES.get(key)
        or plain.get(type(parameter.default), "Any")
    )
    is_optional = parameter.default is None and kind not in ("Any", "object")
    return f"{kind} | None" if is_optional else kind


def default_of(parameter):
    """`` = value``, or nothing; an ellipsis for what has no short spelling."""
    value = parameter.default
    if value is Parameter.empty:
        return ""
    is_plain = value is None or isinstance(value, bool | int | float | str | tuple)
    return f" = {value!r}".replace("'", '"') if is_plain else " = ..."


def parameter_list(name, params):
    """The text of each entry between the parentheses, with the ``*`` before keywords."""
    entries, starred = [], False
    for p in params:
        starred = starred or p.kind is Parameter.VAR_POSITIONAL
        if p.kind is Parameter.KEYWORD_ONLY and not starred:
            entries.append("*")
            starred = True
        prefix = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}.get(p.kind, "")
        entries.append(f"{prefix}{p.name}: {type_of(name, p)}{default_of(p)}")
    return entries


def define(name, entries, result, indent="", comment=""):
    """The lines of one ``def``, within 100 columns."""
    line = f"{indent}def {name}({', '.join(entries)}) -> {result}: ...{comment}"
    if len(line) <= 100:
        return [line]
    return [f"{indent}def {name}(", *(f"{indent}    {e}," for e in entries),
            f"{indent}) -> {result}: ...{comment}"]  # fmt: skip


def define_function(name, fn, indent=""):
    """The lines for a public function, or with ``indent`` for a method."""
    forms = OVERLOADS.get(name, {})
    tensor = "self" if indent else "input: Tensor"
    lines = []
    for entries, result in forms.items():
        if "@" in entries or not indent:
            lines.append(f"{indent}@overload")
            lines += define(name, entries.replace("@", tensor).split(", "), result, indent)
    if lines:
        return lines
    result = RETURNS.get(name, "Self" if indent and _writes(name) else "Tensor")
    entries = parameter_list(name, parameters(fn, bool(indent)))
    return define(name, ["self", *entries] if indent else entries, result, indent)


def _writes(name):
    """Whether a method changes its tensor and returns it."""
    return name.endswith("_") and not name.startswith("__")


# --- the stubs --------------------------------------------------------------------------

_OPS = {**OPS, **{name: fn.op for name, fn in METHODS.items() if hasattr(fn, "op")}}
INPLACE = {name + "_": op for name, op in _OPS.items() if op.inplace}
_OPERANDS = ["self", "other: _TensorLike"]


def operators():
    """The lines of the operators."""
    lines = []
    for symbol, name in _tensor._OPERATORS.items():
        lines += define(f"__{symbol}__", _OPERANDS, "Tensor", "    ")
        lines += define(f"__r{symbol}__", _OPERANDS, "Tensor", "    ")
        if OPS[name].inplace:
            lines += define(f"__i{symbol}__", _OPERANDS, "Self", "    ")
    for name in _tensor._COMPARISONS:
        ignore = "  # type: ignore[override]" if name in ("eq", "ne") else ""
        lines += define(f"__{name}__", _OPERANDS, "Tensor", "    ", ignore)
    for name in _tensor._UNARY:
        lines += define(f"__{name}__", ["self"], "Tensor", "    ")
    return lines


def properties():
    """The lines of the properties of Tensor."""
    lines = []
    for name, value in sorted(vars(Tensor).items()):
        if isinstance(value, property) and (name in PROPERTIES or not name.startswith("_")):
            kind = PROPERTIES.get(name, "Tensor")
            lines += ["    @property", *define(name, ["self"], kind, "    ")]
            if value.fset is not None:
                lines += [f"    @{name}.setter"]
                lines += define(name, ["self", f"value: {kind}"], "None", "    ")
            if value.fdel is not None:
                lines += [f"    @{name}.deleter", *define(name, ["self"], "None", "    ")]
    return lines


def methods():
    """Name -> function of what Tensor has beside operators and properties."""
    spelled = {line.split("(")[0].split()[-1] for line in operators()}
    return {
        name: value
        for name, value in sorted(vars(Tensor).items())
        if inspect.isfunction(value)
        and name not in spelled
        and (not name.startswith("_") or name.startswith("__"))
    }


def stub_of_tensor():
    """The lines of the class Tensor."""
    lines = ["class Tensor:", "    __array_priority__: _int"]
    for name, fn in methods().items():
        if name in INPLACE and name not in METHODS:
            entries = parameter_list(name, list(parameters_of_op(INPLACE[name]))[1:])
            lines += define(name, ["self", *entries], "Self", "    ")
        else:
            lines += define_function(name, fn, "    ")
    lines += define("__hash__", ["self"], "_int", "    ")
    return lines + operators() + properties()


def stub():
    """The text of ``tensorgrad/__init__.pyi``."""
    dtype_names = sorted(k for k, v in vars(tensorgrad).items() if isinstance(v, dtypes.dtype))
    lines = [HEADER, *(f"{name}: dtype" for name in dtype_names), ""]
    lines += [f"{name}: type[Any]" for name in made_in_a_loop()]
    for name, fn in sorted(FUNCTIONS.items()):
        lines += define_function(name, fn)
    for name in sorted(_lazy.METHODS):
        lines += define(name, ["input: Tensor", "*args: Any", "**kwargs: Any"], "Tensor")
    return "\n".join([*lines, "", *stub_of_tensor()]) + "\n"


def stub_of_graph():
    """The text of ``tensorgrad/_graph.pyi``: to a type checker there is one class Tensor."""
    return f"""\
# {NOTE}
from collections.abc import Callable
from typing import Any

from . import Tensor as Tensor
from .autograd.hooks import RemovableHandle

class Node:
    def name(self) -> str: ...
    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]: ...
    def register_hook(self, fn: Callable[..., Any]) -> RemovableHandle: ...
    def register_prehook(self, fn: Callable[..., Any]) -> RemovableHandle: ...

def __getattr__(name: str) -> Any: ...
"""


def stub_of_return_types():
    """The text of ``tensorgrad/return_types.pyi``."""
    lines = [f"# {NOTE}", "from typing import NamedTuple", "", "from . import Tensor", ""]
    for name in dir(return_types):
        kind = getattr(return_types, name)
        if hasattr(kind, "_fields"):
            lines += [f"class {name}(NamedTuple):"]
            lines += [f"    {field}: Tensor" for field in kind._fields] + [""]
    return "\n".join(lines)


# --- the table of operations ------------------------------------------------------------

TITLES = {
    "creation": "Making tensors",
    "shape": "Shape, joins and views",
    "elementwise": "Arithmetic",
    "comparison": "Comparison, logic and selection",
    "special": "Trigonometry, special functions and rounding",
    "activation": "Activations",
    "reduce": "Reductions",
    "index": "Indices, sorting and searching",
    "linalg": "Products",
    "fused": "Fused",
    "random": "Random numbers",
    "_tensor": "Facts and conversions",
}


def summary(fn):
    """The first sentence of a docstring, as Markdown."""
    text = " ".join((inspect.getdoc(described(fn)) or "").split("\n\n")[0].split())
    text = re.split(r"(?<=[^.][^.])\.(?: |$)", text)[0].rstrip(":;")
    text = re.sub(r":\w+:`~?(?:tensorgrad\.)?([^`]+)`", r"`\1`", text).replace("``", "`")
    return text.replace("|", "\\|")


def family(fn):
    """The file that declares a function."""
    return described(fn).__module__.rpartition(".")[2]


def rows(title):
    """The lines of the table of one file: synonyms share one."""
    names = {}
    for name, fn in {**FUNCTIONS, **METHODS}.items():
        if family(fn) == title and not name.startswith("__"):
            names.setdefault(id(described(fn)), (fn, []))[1].append(name)
    for fn, (first, *others) in sorted(names.values(), key=lambda entry: entry[1][0]):
        is_function, is_method = first in FUNCTIONS, first in METHODS
        call = f"`{first}`" if is_function else f"`Tensor.{first}`"
        forms = ["method"] if is_function and is_method else []
        forms += [f"`{first}_`"] if hasattr(Tensor, first + "_") else []
        also = ", ".join(f"`{other}`" for other in others)
        yield f"| {call} | {also} | {', '.join(forms)} | {summary(fn)} |"


def operations():
    """The text of ``docs/ops.md``: every public function, by the file that declares it."""
    found = {family(fn) for fn in (*FUNCTIONS.values(), *METHODS.values())}
    order = [t for t in TITLES if t in found] + sorted(found - TITLES.keys())
    lines = [
        "# Operations", "", f"<!-- {NOTE} -->", "",
        f"Every public function of `tensorgrad` ({len(FUNCTIONS)}) and what else Tensor has as a "
        f"method ({len(METHODS.keys() - FUNCTIONS.keys())}), by the file that declares it. "
        "*Method* says that `x.name(...)` works too, a name with an underscore that the result "
        "can be written into `x`. Shapes, dtypes, errors, kinks and an example stand in each "
        "docstring.", "",
    ]  # fmt: skip
    for title in order:
        lines += [f"## {TITLES.get(title, title)}", ""]
        lines += ["| name | also | forms | what |", "|---|---|---|---|", *rows(title), ""]
    return "\n".join(lines)


# --- the files --------------------------------------------------------------------------

FILES = {
    "tensorgrad/__init__.pyi": stub,
    "tensorgrad/_graph.pyi": stub_of_graph,
    "tensorgrad/return_types.pyi": stub_of_return_types,
    "docs/ops.md": operations,
}


def stale():
    """Path -> right text, of the files that are missing or differ from it."""
    texts = {ROOT / name: make() for name, make in FILES.items()}
    return {p: t for p, t in texts.items() if not p.exists() or p.read_text("utf-8") != t}


def main(argv=None):
    """Write or check the files; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if stale")
    check = parser.parse_args(argv).check
    found = stale()
    for path, text in found.items():
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is stale; run: python docs/generate.py")
        else:
            path.write_text(text, "utf-8")
            print("wrote", name)
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
