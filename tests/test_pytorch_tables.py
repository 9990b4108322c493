"""The samples that PyTorch tests its own operators with, through both libraries.

``op_db`` of ``torch.testing._internal`` lists PyTorch's operators, each with a function that
makes sample inputs. It is no public interface: where it cannot be imported (it needs
``expecttest``) or looks otherwise, everything here is skipped. No other test needs it.
"""

import contextlib
import functools
import gc
import importlib
import itertools
import types
import warnings

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional

torch = pytest.importorskip("torch")

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tables = importlib.import_module("torch.testing._internal.common_methods_invocations")
        OPS = list(tables.op_db)
        OPS[0].name, OPS[0].variant_test_name, OPS[0].dtypes, OPS[0].sample_inputs
        OPS[0].supports_autograd, OPS[0].supports_gradgrad
except Exception as error:  # a private module may fail in any way
    pytest.skip(f"PyTorch's tables cannot be read: {error}", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")  # of both, about arguments of the samples

MADE_WITH = "2.13"  # the version that KNOWN speaks of
SAMPLES, TWICE = 4, 1  # of each dtype; of those, how many are differentiated twice
DTYPES = (torch.float64, torch.float32, torch.complex128, torch.int64, torch.bool)
# Of the largest element. Sums are taken in another order; some samples lie next to a pole.
TOLERANCES = {"float32": 3e-5, "complex64": 3e-5}  # others: 1e-6

UNSET = {"empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided"}

CONSTANT = "the result is constant: no graph, where PyTorch has one of zeros"
DRAWS = "masks of dropout in float64 come from other draws"
INTEGERS = "not for integers"
COMPLEX = "not for complex numbers"
NONE = "a name that does not exist here"
TIES = "which of equal elements is named"
REPEATED = "PyTorch's gradient reads one place once for each time that it was written"
SIGNS = "eigenvectors are free in sign or phase"
KNOWN = {
    "argsort": TIES,
    "as_strided.partial_views": "the samples are views, of which copies are taken here",
    "as_strided_scatter": "PyTorch's gradient passes through what was written over",
    "bfloat16": "NumPy has no bfloat16",
    "chalf": "NumPy has no complex32",
    "histogramdd": "edges that do not increase are refused",
    "kthvalue": TIES,
    "linalg.eig": SIGNS,
    "linalg.eigh": SIGNS,
    "linalg.matrix_power": CONSTANT,
    "linalg.norm.subgradients_at_zero": "0 where PyTorch's second derivative is nan",
    "linalg.slogdet": CONSTANT,
    "logaddexp": COMPLEX,
    "logcumsumexp": COMPLEX,
    "logdet": "of an empty complex matrix: real",
    "max_pool2d_with_indices_backward": NONE,
    "nextafter": "not differentiable: no graph, where PyTorch has one that raises",
    "nn.functional.alpha_dropout": DRAWS,
    "nn.functional.avg_pool1d": INTEGERS,
    "nn.functional.avg_pool2d": INTEGERS,
    "nn.functional.avg_pool3d": INTEGERS,
    "nn.functional.batch_norm": "a shape (0,) is refused",
    "nn.functional.conv1d": INTEGERS,
    "nn.functional.conv2d": INTEGERS,
    "nn.functional.conv3d": INTEGERS,
    "nn.functional.conv_transpose1d": INTEGERS,
    "nn.functional.conv_transpose2d": INTEGERS,
    "nn.functional.conv_transpose3d": INTEGERS,
    "nn.functional.ctc_loss": "PyTorch's gradient takes the input to be normalised; ours is exact",
    "nn.functional.dropout": DRAWS,
    "nn.functional.dropout2d": DRAWS,
    "nn.functional.dropout3d": DRAWS,
    "nn.functional.feature_alpha_dropout.with_train": DRAWS,
    "nn.functional.local_response_norm": INTEGERS,
    "nn.functional.max_unpool1d": REPEATED,
    "nn.functional.max_unpool2d": REPEATED,
    "nn.functional.max_unpool3d": REPEATED,
    "nn.functional.multi_head_attention_forward": DRAWS,
    "nn.functional.rms_norm": COMPLEX,
    "nn.functional.scaled_dot_product_attention": DRAWS,
    "pca_lowrank": NONE,
    "sort": TIES,
    "sparse.mm.reduce": "reduce= is not available",
    "sum_to_size": "PyTorch makes int64 of bools that are summed over no dimension",
    "svd_lowrank": NONE,
    "to_sparse": "sparse tensors are no Tensors",
    "topk": TIES,
}  # fmt: skip


# --- the function of ours that stands for one of PyTorch's ------------------------------


def reach(path):
    """``tensorgrad.<path>``, None if a part of it is missing."""
    found = tg
    for part in path.split("."):
        found = getattr(found, part, None)
    return found if callable(found) and not isinstance(found, type(tg.float32)) else None


@contextlib.contextmanager
def frozen():
    """The generator as it was before."""
    state = tg.get_rng_state()
    yield
    tg.set_rng_state(state)


def ours(fn, path=None):
    """``fn`` of PyTorch as one of tensorgrad; None if there is none.

    Helpers of the tables are rebuilt from their code, with tensorgrad where they name PyTorch.
    """
    home, name = getattr(fn, "__module__", None) or "", getattr(fn, "__name__", None)
    if name == "freeze_rng_state":
        return frozen
    if isinstance(fn, functools.partial):
        inner = ours(fn.func, path)
        named = {k: translated(v) for k, v in fn.keywords.items()}
        return inner and functools.partial(inner, *map(translated, fn.args), **named)
    if isinstance(fn, types.FunctionType) and home.startswith("torch.testing"):
        return rebuilt(fn)
    of_tensor = (getattr(fn, "__qualname__", None) or "").startswith(("Tensor", "TensorBase"))
    if of_tensor or home == "torch._tensor" or hasattr(fn, "__objclass__"):
        return getattr(tg.Tensor, name, None)
    if path and reach(path):
        return reach(path)
    if not name or (home and not home.startswith("torch")):
        return None
    if home.startswith("torch.masked"):
        return None
    for prefix in ("linalg", "special", "fft"):
        if name.startswith(prefix + "_") and reach(name.replace("_", ".", 1)):
            return reach(name.replace("_", ".", 1))
    found = reach("nn.functional." + name) if "nn" in home else None
    return found or reach(name) or (path and getattr(tg.Tensor, path, None))


@functools.cache
def rebuilt(fn):
    held = [translated(cell.cell_contents) for cell in fn.__closure__ or ()]
    cells = tuple(map(types.CellType, held)) or None
    defaults = fn.__defaults__ and tuple(map(translated, fn.__defaults__))
    scope = {"__builtins__": __builtins__}
    made = types.FunctionType(fn.__code__, scope, fn.__name__, defaults, cells)
    made.__kwdefaults__ = fn.__kwdefaults__
    for used in names_in(fn.__code__):
        if used in fn.__globals__:
            scope[used] = translated(fn.__globals__[used])
    return made


def names_in(code):
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from names_in(inner)


def translated(value):
    """A value of PyTorch's as the same one of tensorgrad; anything else as it is."""
    if isinstance(value, torch.Tensor):
        return tensor_of(value)
    if isinstance(value, torch.dtype | torch.layout | torch.memory_format):
        return getattr(tg, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return tg.device(str(value))
    if isinstance(value, torch.Size):
        return tg.Size(value)
    if isinstance(value, torch.nn.Module):
        return getattr(tg.nn, type(value).__name__)()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(translated, value))
    if isinstance(value, list | tuple):
        return type(value)(map(translated, value))
    if isinstance(value, dict):
        return {k: translated(v) for k, v in value.items()}
    if isinstance(value, types.ModuleType):
        first, *rest = value.__name__.split(".")
        return functools.reduce(getattr, rest, tg) if first == "torch" else value
    if value is torch.Tensor:
        return tg.Tensor
    if callable(value) and not isinstance(value, type):
        return ours(value) or value
    return value


def tensor_of(x):
    """A leaf with the same elements."""
    made = tg.tensor(x.detach().resolve_conj().resolve_neg().numpy().copy())
    return made.requires_grad_(x.requires_grad)


# --- comparison -------------------------------------------------------------------------


def tensors(value):
    """All tensors in nested sequences and dictionaries, in order."""
    if isinstance(value, torch.Tensor | tg.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [t for v in value for t in tensors(v)]


def array(x):
    x = x.detach()
    if isinstance(x, torch.Tensor):
        x = x.resolve_conj().resolve_neg()
    return x.numpy(force=True)


def same(theirs, mine, what):
    a, b = array(theirs), array(mine)
    assert (a.dtype, a.shape) == (b.dtype, b.shape), what
    close = TOLERANCES.get(a.dtype.name, 1e-6)
    finite = np.abs(a[np.isfinite(a)])
    at_most = close * max(finite.max(initial=0), 0.1)
    assert np.allclose(b, a, rtol=close, atol=at_most, equal_nan=True), f"{what}: {b} for {a}"


def same_gradients(theirs, mine, what):
    """Equal; None and zeros are the same."""
    for a, b in zip(theirs, mine, strict=True):
        if a is not None and b is not None:
            same(a, b, what)
        elif a is not b:
            np.testing.assert_allclose(array(b if a is None else a), 0, atol=1e-12, err_msg=what)


def directions(outputs, random):
    """Random arrays to walk back with."""
    for x in outputs:
        real, imaginary = random.standard_normal((2, *x.shape))
        yield (real + 1j * imaginary if x.is_complex() else real).astype(array(x).dtype)


def same_derivatives(theirs, mine, given, taken, twice):
    """First, and if ``twice`` second, derivatives by all inputs that require them."""
    x, y = ([t for t in tensors(v) if t.requires_grad] for v in (given, taken))
    outputs = [(a, b) for a, b in zip(theirs, mine, strict=True) if a.requires_grad and a.numel()]
    if not x or not outputs:
        return
    assert all(b.requires_grad for _, b in outputs), "no graph"
    random = np.random.default_rng(0)
    a, b = map(list, zip(*outputs, strict=True))
    arrays = list(directions(a, random))
    g = [torch.tensor(v, requires_grad=twice) for v in arrays]
    h = [tg.tensor(v, requires_grad=twice) for v in arrays]
    try:
        first = torch.autograd.grad(a, x, g, allow_unused=True, create_graph=twice)
    except (RuntimeError, NotImplementedError):
        return  # PyTorch has no derivative of these
    second = tg.autograd.grad(b, y, h, allow_unused=True, create_graph=twice)
    same_gradients(first, second, "gradient")
    both = [(p, q) for p, q in zip(first, second, strict=True) if q is not None and q.requires_grad]
    both = [(p, q) for p, q in both if p is not None and p.requires_grad]
    if twice and both:
        p, q = map(list, zip(*both, strict=True))
        arrays = list(directions(p, random))
        try:
            twice = list(map(torch.tensor, arrays))
            again = torch.autograd.grad(p, x + g, twice, allow_unused=True)
        except (RuntimeError, NotImplementedError):
            return
        mine = tg.autograd.grad(q, y + h, list(map(tg.tensor, arrays)), allow_unused=True)
        same_gradients(again, mine, "second derivative")


# --- the test ---------------------------------------------------------------------------


def cases():
    for op in OPS:
        name = f"{op.name}.{op.variant_test_name}".rstrip(".")
        if op.name in UNSET or here(op) is None:
            continue
        reason = KNOWN.get(name)
        exact = torch.__version__.startswith(MADE_WITH)
        marks = [pytest.mark.xfail(reason=reason, strict=exact)] if reason else []
        yield pytest.param(op, id=name, marks=marks)


def here(op):
    try:
        return ours(op.op, op.name)
    except AttributeError:  # it names a module that we lack
        return None


def samples(op, dtype, requires_grad):
    torch.default_generator.manual_seed(0)
    made = op.sample_inputs("cpu", dtype, requires_grad=requires_grad)
    yield from itertools.islice(made, SAMPLES)


@pytest.fixture(autouse=True, scope="module")
def quick():
    """One thread, as the samples are small, and a collector that passes over the large tables.

    For each sample PyTorch looks through the whole stack, for a test of its own, and writes it
    down once for each kind of device that may have to be seeded later.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        for device in (torch.cuda, torch.xpu, torch.mtia):
            patch.setattr(device, "manual_seed_all", lambda seed: None)
        core = "torch.testing._internal.opinfo.core.extract_test_fn"
        patch.setattr(core, lambda: None, raising=False)
        yield
    gc.unfreeze()
    torch.set_num_threads(threads)


@pytest.mark.parametrize("op", list(cases()))
def test_samples(op):
    function, ran = here(op), 0
    for dtype in DTYPES:
        if dtype not in op.dtypes:
            continue
        differentiable = dtype == torch.float64 and op.supports_autograd
        for i, sample in enumerate(samples(op, dtype, differentiable)):
            given = [[sample.input, *sample.args], sample.kwargs]
            taken = translated(given)
            torch.default_generator.manual_seed(0)
            tg.manual_seed(0)
            try:
                theirs = op.op(*given[0], **given[1])
            except Exception:  # some samples need a device or a build
                continue
            mine, ran = function(*taken[0], **taken[1]), ran + 1
            theirs, mine = tensors(theirs), tensors(mine)
            assert len(theirs) == len(mine)
            for a, b in zip(theirs, mine, strict=True):
                same(a, b, f"{dtype} {i}")
            if differentiable:
                twice = op.supports_gradgrad and i < TWICE
                same_derivatives(theirs, mine, given, taken, twice)
    if not ran:
        pytest.skip("PyTorch runs none of these samples itself")


def test_the_tables_reach_most_of_the_library():
    assert len(list(cases())) > 500
