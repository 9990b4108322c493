"""Reductions against PyTorch: values, dtypes, two derivatives, ties, infinities, calls, errors.

Every public function of ``ops/reduce.py`` has a row in ``ROWS``, from which the first tests below
take its arguments; :func:`test_every_function_has_a_row` fails for a function without one.
"""

import math
import warnings
from typing import NamedTuple

import both
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import tensorgrad as tg
from tensorgrad._registry import FUNCTIONS
from tensorgrad.kernels import sums

torch = pytest.importorskip("torch")

INF, NAN = math.inf, math.nan
FLOATS = ("float32", "float64")
ALL = (*FLOATS, "int64", "int32", "uint8", "bool")
examples = settings(max_examples=20, deadline=None)


class Row(NamedTuple):
    """How to call one function.

    Attributes:
        name: of the function, in both libraries.
        dims: what it reduces over: "any" (None, an int, a tuple), "int" or "tuple" (one must
            be given), "int or none", "none" (it takes no dimension).
        keepdim: whether it takes that.
        attrs: further arguments by name.
        low, high: between which its derivatives are compared.
        dtypes: of inputs, integers where values agree with PyTorch.
        orders: how many derivatives are compared; 0 for results that are not tracked.
        before: further positional arguments before ``dim``.
    """

    name: str
    dims: str = "any"
    keepdim: bool = True
    attrs: dict = {}  # noqa: RUF012 - never written
    low: float = -2.0
    high: float = 2.0
    dtypes: tuple = ALL
    orders: int = 2
    before: tuple = ()

    def __str__(self):
        parts = [*map(str, self.before), *[f"{k}={v}" for k, v in self.attrs.items()]]
        return f"{self.name}({', '.join(parts)})"


def norm(p, **options):
    return Row("norm", before=(p,), dtypes=FLOATS, **options)


ROWS = [
    Row("sum"),
    Row("sum", attrs={"dtype": "float64"}),
    Row("mean", dtypes=FLOATS),
    Row("mean", attrs={"dtype": "float64"}),
    Row("nansum", dtypes=FLOATS),
    Row("nanmean", dtypes=FLOATS),
    Row("var", dtypes=FLOATS),
    Row("var", attrs={"correction": 0}, dtypes=FLOATS),
    Row("std", dtypes=FLOATS),
    Row("std", attrs={"correction": 0}, dtypes=FLOATS),
    Row("var_mean", dtypes=FLOATS),
    Row("std_mean", dtypes=FLOATS, attrs={"correction": 2}),
    Row("prod", "int or none"),
    Row("prod", "int", attrs={"dtype": "float64"}),
    Row("amax"),
    Row("amin"),
    Row("aminmax", "int by name"),
    Row("max", "int or none"),
    Row("min", "int or none"),
    Row("argmax", "int or none", orders=0, dtypes=ALL[:-1]),
    Row("argmin", "int or none", orders=0, dtypes=ALL[:-1]),
    Row("median", "int or none", dtypes=FLOATS),
    Row("nanmedian", "int or none", dtypes=FLOATS),
    Row("mode", "int", dtypes=(*FLOATS, "int64")),
    Row("any", orders=0),
    Row("all", orders=0),
    Row("count_nonzero", keepdim=False, orders=0),
    Row("cumsum", "int", keepdim=False),
    Row("cumsum", "int", keepdim=False, attrs={"dtype": "float64"}),
    Row("cumprod", "int", keepdim=False),
    Row("cummax", "int", keepdim=False),
    Row("cummin", "int", keepdim=False),
    Row("logcumsumexp", "int", keepdim=False, dtypes=FLOATS),
    Row("logsumexp", "tuple"),
    Row("softmax", "int", keepdim=False, dtypes=FLOATS),
    Row("softmax", "int", keepdim=False, attrs={"dtype": "float64"}),
    Row("log_softmax", "int", keepdim=False, dtypes=FLOATS),
    Row("log_softmax", "int", keepdim=False, attrs={"dtype": "float64"}),
    *[norm(p) for p in (2, 1, 3, INF, -INF, 2.5)],
    norm(0, orders=0),
    norm(-1, low=0.5, high=2.0),
    norm(0.5, low=0.5, high=2.0),
    norm(2, attrs={"dtype": "float64"}),
    Row("dist", "none", keepdim=False, dtypes=FLOATS),
]
rows = pytest.mark.parametrize("row", ROWS, ids=str)


def test_every_function_has_a_row():
    ours = {n for n, f in FUNCTIONS.items() if f.__module__ == "tensorgrad.ops.reduce"}
    assert ours == {row.name for row in ROWS}


def draw_dim(data, row, ndim):
    """Positional arguments that say what to reduce over."""
    one = st.integers(-max(ndim, 1), max(ndim, 1) - 1)
    several = st.sets(st.integers(0, max(ndim, 1) - 1), min_size=1).map(tuple)
    kinds = {
        "any": st.one_of(st.none(), one, several),
        "int or none": st.one_of(st.none(), one),
        "int by name": st.one_of(st.none(), one),
        "tuple": st.one_of(one, several),
        "int": one,
        "none": st.none(),
    }
    return data.draw(kinds[row.dims])


def draw_call(data, row, shape):
    """A function of (library, tensor) that calls the row's function."""
    dim = draw_dim(data, row, len(shape))
    args, attrs = [*row.before], dict(row.attrs)
    if row.dims == "int by name":
        attrs["dim"] = dim
    elif dim is not None:
        args.append(dim)
    if row.keepdim and dim is not None and data.draw(st.booleans()):
        attrs["keepdim"] = True

    def call(lib, x):
        named = {k: getattr(lib, v) if k == "dtype" else v for k, v in attrs.items()}
        if row.name == "dist":
            return lib.dist(x, x.flip(tuple(range(x.ndim))) * 0.5 + 5, 2)
        result = getattr(lib, row.name)(x, *args, **named)
        # Which of equal elements the median is taken from is not specified.
        return result[0] if "median" in row.name and isinstance(result, tuple) else result

    return call


@rows
@given(data=st.data())
@examples
def test_value_dtype_and_error(row, data):
    shape = data.draw(array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    dtype = data.draw(st.sampled_from(row.dtypes))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    values = np.asarray(rng.integers(-3, 4, shape) / (4 if dtype in FLOATS else 1))
    values = np.asarray(values.astype(dtype))
    call = draw_call(data, row, shape)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*degrees of freedom is <= 0")
        both.agree(lambda lib: call(lib, lib.from_numpy(values.copy())), rtol=2e-6)


def derivatives(lib, call, array, rng, orders):
    """First and second derivative of a random combination of what ``call`` returns."""
    x = lib.tensor(array, requires_grad=True)
    out = call(lib, x)
    outs = [o for o in (out if isinstance(out, tuple) else (out,)) if o.is_floating_point()]
    loss = lib.zeros((), dtype=lib.float64)
    for o in outs:
        loss = loss + (o * lib.from_numpy(np.asarray(rng.standard_normal(tuple(o.shape))))).sum()
    (first,) = lib.autograd.grad(loss, [x], create_graph=True)
    result = [first.detach().numpy(), np.zeros(array.shape)]
    weight = lib.from_numpy(np.asarray(rng.standard_normal(array.shape)))
    if orders > 1 and first.requires_grad:
        (second,) = lib.autograd.grad((first * weight).sum(), [x], allow_unused=True)
        if second is not None:
            result[1] = second.numpy(force=True)  # PyTorch may give a ZeroTensor
    return result


def agree_in_derivatives(call, array, orders=2, seed=0, rtol=1e-9):
    ours = derivatives(tg, call, array, np.random.default_rng(seed), orders)
    theirs = derivatives(torch, call, array, np.random.default_rng(seed), orders)
    for order, (a, b) in enumerate(zip(ours, theirs, strict=True), 1):
        assert a.shape == b.shape
        np.testing.assert_allclose(
            a, b, rtol=rtol, atol=1e-9, err_msg=f"derivative {order} at {array!r}"
        )


@pytest.mark.parametrize("row", [r for r in ROWS if r.orders], ids=str)
@given(data=st.data())
@examples
def test_derivatives(row, data):
    least = 3 if row.name.startswith(("var", "std")) else 1
    shape = data.draw(array_shapes(min_dims=0, max_dims=3, min_side=least, max_side=4))
    if least == 3 and not shape:
        shape = (3,)
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n = math.prod(shape)
    grid = row.low + (row.high - row.low) * (np.arange(n) + 0.37) / n  # no ties, and no zeros
    values = np.asarray(rng.permutation(grid).reshape(shape))
    agree_in_derivatives(draw_call(data, row, shape), values, row.orders, seed)


# --- ties and kinks ---------------------------------------------------------------------

TIED = [
    [1.0, 3.0, 3.0, -2.0],
    [0.0, 0.0, 0.0, 0.0],
    [-1.0, 1.0, -1.0, 1.0],
    [[1.0, 2.0], [2.0, 1.0]],
    [[2.0, 2.0], [2.0, 2.0]],
]
EXTREMA = {
    "max()": lambda lib, x: x.max(),
    "min()": lambda lib, x: x.min(),
    "max(0)": lambda lib, x: x.max(0).values,
    "max(-1, True)": lambda lib, x: x.max(-1, True)[0],
    "min(0)": lambda lib, x: x.min(0)[0],
    "amax()": lambda lib, x: x.amax(),
    "amax(0)": lambda lib, x: x.amax(0),
    "amin(-1)": lambda lib, x: x.amin(-1, keepdim=True),
    "aminmax": lambda lib, x: tuple(lib.aminmax(x)),
    "aminmax(0)": lambda lib, x: tuple(x.aminmax(dim=0)),
    "median()": lambda lib, x: x.median(),
    "cummax": lambda lib, x: x.cummax(0)[0],
    "cummin": lambda lib, x: x.cummin(-1)[0],
    "norm(inf)": lambda lib, x: x.norm(INF),
    "norm(-inf, 0)": lambda lib, x: x.norm(-INF, 0),
    "norm(1)": lambda lib, x: x.norm(1),
    "maximum": lambda lib, x: lib.max(x, x * 1.0),
}


@pytest.mark.parametrize("values", TIED, ids=str)
@pytest.mark.parametrize("name", EXTREMA)
def test_ties_share_the_gradient_as_in_pytorch(name, values):
    agree_in_derivatives(EXTREMA[name], np.array(values), orders=1)


@pytest.mark.parametrize("values", TIED, ids=str)
@pytest.mark.parametrize("name", ["max", "min", "cummax", "cummin", "argmax", "argmin", "mode"])
def test_positions_among_ties(name, values):
    both.agree(lambda lib: getattr(lib.tensor(values), name)(dim=0))


ZEROS = [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [2.0, 0.0, -3.0], [0.0], [5.0]]


@pytest.mark.parametrize("values", ZEROS, ids=str)
@pytest.mark.parametrize("name", ["prod", "cumprod"])
def test_products_with_zeros(name, values):
    agree_in_derivatives(lambda lib, x: getattr(x, name)(0), np.array(values))


def test_all_derivatives_of_a_product_of_zeros():
    """The n-th mixed derivative of the product of n factors is 1, whatever the factors are."""
    x = tg.zeros(4, dtype=tg.float64, requires_grad=True)
    derivative = x.prod()
    for i in range(4):
        (gradient,) = tg.autograd.grad(derivative, [x], create_graph=True)
        derivative = gradient[i]
    assert derivative.item() == 1.0


@pytest.mark.parametrize("p", [2, 3, 1, INF, "fro"])
def test_norm_of_zeros_has_zero_derivatives(p):
    """PyTorch's second derivative is nan for p=2."""
    x = tg.zeros(3, dtype=tg.float64, requires_grad=True)
    (first,) = tg.autograd.grad(x.norm(p), [x], create_graph=True)
    assert first.tolist() == [0.0, 0.0, 0.0]
    if first.requires_grad:
        (second,) = tg.autograd.grad(first.sum(), [x])
        assert second.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["std", "dist"])
def test_root_of_nothing(name):
    call = {"std": lambda lib, x: x.std(), "dist": lambda lib, x: lib.dist(x, x.detach())}[name]
    agree_in_derivatives(call, np.ones(3), orders=1)
    x = tg.ones(3, dtype=tg.float64, requires_grad=True)
    (first,) = tg.autograd.grad(call(tg, x), [x], create_graph=True)
    (second,) = tg.autograd.grad(first.sum(), [x])
    assert second.tolist() == [0.0, 0.0, 0.0]


# --- infinities and nan -----------------------------------------------------------------

SPECIAL = [
    [1.0, INF, 2.0], [-INF, -INF, -INF], [-INF, 1.0, 2.0], [INF, -INF, 0.0], [NAN, 1.0, 2.0],
    [NAN, NAN, NAN], [1e4, -1e4, 0.0], [INF, INF, 1.0],
]  # fmt: skip
ON_SPECIAL = {
    "logsumexp": lambda lib, x: x.logsumexp(0),
    "softmax": lambda lib, x: x.softmax(0),
    "log_softmax": lambda lib, x: x.log_softmax(0),
    "logcumsumexp": lambda lib, x: x.logcumsumexp(0),
    "nansum": lambda lib, x: x.nansum(),
    "nanmean": lambda lib, x: x.nanmean(),
    "nanmedian": lambda lib, x: x.nanmedian(),
    "nanmedian(0)": lambda lib, x: x.nanmedian(0)[0],
    "median": lambda lib, x: x.median(),
    "median(0)": lambda lib, x: tuple(x.median(0)),
    "max": lambda lib, x: x.max(),
    "min(0)": lambda lib, x: tuple(x.min(0)),
    "amax": lambda lib, x: x.amax(0),
    "argmax": lambda lib, x: x.argmax(),
    "argmin": lambda lib, x: x.argmin(0),
    "cummax": lambda lib, x: tuple(x.cummax(0)),
    "cummin": lambda lib, x: tuple(x.cummin(0)),
    "sum": lambda lib, x: x.sum(),
    "mean": lambda lib, x: x.mean(0),
    "cumsum": lambda lib, x: x.cumsum(0),
    "prod": lambda lib, x: x.prod(),
    "norm": lambda lib, x: x.norm(),
    "norm(inf)": lambda lib, x: x.norm(INF),
    "any": lambda lib, x: x.any(),
}


@pytest.mark.parametrize("values", SPECIAL, ids=str)
@pytest.mark.parametrize("name", ON_SPECIAL)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_infinities_and_nan(name, values):
    both.agree(lambda lib: ON_SPECIAL[name](lib, lib.tensor(values)))


@pytest.mark.parametrize("name", ["logsumexp", "logcumsumexp"])
def test_nothing_but_minus_infinity_has_gradient_zero(name):
    """PyTorch's is nan."""
    x = tg.tensor([-INF, -INF], requires_grad=True)
    ON_SPECIAL[name](tg, x).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("values", [[-INF, 1.0, 2.0], [1e4, -1e4, 0.0], [800.0, 800.0]], ids=str)
@pytest.mark.parametrize("name", ["logsumexp", "logcumsumexp", "softmax", "log_softmax"])
def test_derivatives_far_out(name, values):
    if name == "logcumsumexp" and values[0] == -INF:
        values = values[::-1]  # PyTorch gives nan where nothing but -inf was summed
    agree_in_derivatives(ON_SPECIAL[name], np.array(values), orders=1)


@pytest.mark.parametrize("name", ["nansum", "nanmean", "max", "nanmedian"])
def test_gradient_beside_nan(name):
    agree_in_derivatives(ON_SPECIAL[name], np.array([1.0, NAN, 2.0]), orders=1)


# --- call forms -------------------------------------------------------------------------

CALLS = [
    "x.sum(0, True)", "x.sum([0, 1])", "x.sum(())", "x.sum(dim=None)", "x.sum(axis=1)",
    "x.sum(axis=(0, 1), keepdims=True)", "lib.sum(input=x, dim=1)", "x.sum(1, keepdim=True)",
    "x.sum(dtype=lib.float64)", "i.sum(dtype=lib.float32)", "i.sum(dtype=lib.int32)", "b.sum()",
    "b.sum(1)", "u.sum()", "z.sum(0)", "z.sum(-1)", "z.sum()", "e.sum()", "e.sum(0)",
    "x.mean(())", "x.mean(axis=0)", "x.mean(-1, True)", "i.mean(dtype=lib.float32)", "z.mean(0)",
    "x.var(0)", "x.var(True)", "x.var(False)", "x.var(unbiased=False)", "x.var(0, True)",
    "x.var(0, False, True)", "x.var(0, unbiased=False, keepdim=True)", "x.var((0, 1))",
    "x.var(correction=0)", "x.var(0, correction=None)", "x.var(keepdim=True)", "x.std(0, False)",
    "x.std(axis=1)", "x.std(dim=(0, 1), correction=2)", "lib.var_mean(x)", "lib.std_mean(x, 0)",
    "lib.std_mean(x, 1, False, True)", "lib.var_mean(x, dim=1, unbiased=False)",
    "x.prod(0, True)", "x.prod(dim=1)", "x.prod(dtype=lib.float64)", "b.prod()", "z.prod(0)",
    "x.amax()", "x.amax(())", "x.amax((0, 1), True)", "x.amin(axis=0, keepdims=True)", "b.amax(1)",
    "x.max()", "x.max(1)", "x.max(1, True)", "x.max(dim=0, keepdim=True)", "x.max(axis=1)",
    "x.max(-x)", "lib.max(x, other=-x)", "x.min(-1)", "z.max(0)", "b.max(1)", "b.max()",
    "x.max(0).indices", "x.max(0)[1]", "lib.aminmax(x)", "x.aminmax(dim=1, keepdim=True)",
    "x.argmax()", "x.argmax(1)", "x.argmax(dim=-1, keepdim=True)", "x.argmax(keepdim=True)",
    "z.argmax(0)", "x.argmin(None)", "x.any()", "x.any(1, True)", "x.any((0, 1))", "u.any()",
    "u.all(0)", "e.any()", "e.all()", "x.all(axis=0)", "x.count_nonzero()", "x.count_nonzero(0)",
    "x.count_nonzero(dim=(0, 1))", "x.median()", "x.median(1, True)", "i.median()", "i.median(0)",
    "i.nanmedian(1)", "x.mode()", "x.mode(0, True)", "z.median(0)",
    "e.median()", "x.logsumexp(0)", "x.logsumexp((0, 1))", "i.logsumexp(1, True)",
    "e.logsumexp(0)", "x.softmax(-1)", "lib.softmax(x, dim=1)", "i.softmax(1, dtype=lib.float32)",
    "x.softmax(0, lib.float64)", "z.softmax(0)", "e.softmax(0)", "x.log_softmax(axis=1)",
    "x.norm()", "x.norm(1)", "x.norm(2, 1)", "x.norm(p=3, dim=0, keepdim=True)", "x.norm('fro')",
    "x.norm(p=None)", "x.norm(2, (0, 1), True)", "x.norm(dtype=lib.float64)", "x.norm(p=-1)",
    "z.norm(dim=0)", "e.norm()", "x.norm(0)", "lib.dist(x, x + 1)", "lib.dist(x, x + 1, p=1)",
    "lib.dist(x, x[0])", "x.cumsum(-1)", "x.cumsum(dim=0, dtype=lib.float64)", "b.cumsum(0)",
    "i.cumsum(0, dtype=lib.int32)", "z.cumsum(0)", "e.cumsum(0)", "x.cumprod(1)", "i.cumprod(0)",
    "x.cummax(dim=1)", "b.cummax(0)", "z.cummin(0)", "x.logcumsumexp(1)", "e.logcumsumexp(0)",
    "i.nansum()", "x.nansum(0, True)", "x.nanmean(1)", "x.half().sum()", "x.half().mean(0)",
    "x.half().softmax(1)", "(x.half() * 30000).mean()", "x.half().cumsum(0)", "x.half().var(0)",
    "x.half().norm()", "x.half().logsumexp(1)", "c.sum()", "c.mean(1)", "c.prod(0)", "c.cumsum(1)",
    "c.cumprod(0)", "c.var()", "c.std(0)", "c.norm()", "c.norm(1, 0)", "c.any()", "c.all(1)",
]  # fmt: skip
BAD = [
    "x.sum(2)", "x.sum(-3)", "x.sum((0, 0))", "x.sum((0, -2))", "x.sum('a')", "x.sum(1.5)",
    "x.sum(0, 1)", "x.sum(0, True, 2)", "x.sum(wrong=1)", "lib.sum([1.0, 2.0])", "lib.sum()",
    "z.sum(1)", "z.sum((0, 0))", "i.mean()", "b.mean()", "i.mean(0)", "x.mean(5)", "i.var()",
    "i.std(0)", "x.var(1, 2)", "x.var(2)", "x.prod((0, 1))", "x.prod(2)", "x.prod(keepdim=True)",
    "e.max()", "e.min(0)", "e.amax()", "e.amin(0)", "e.argmax()", "e.argmin(0)", "e.median(0)",
    "e.norm(float('inf'))", "e.norm(-float('inf'))", "x.max(2)", "x.max((0, 1))", "x.max(1.5)",
    "x.max(keepdim=True)", "x.max(x, 1)", "x.argmax(2)", "x.argmax((0, 1))", "b.argmax()",
    "b.median()", "x.median(2)", "x.mode(3)", "e.aminmax()", "x.any(4)", "x.all('a')",
    "x.count_nonzero(2)", "x.logsumexp()", "lib.logsumexp(x, dim=None)", "x.logsumexp(3)",
    "x.softmax()", "lib.softmax(x, None)", "x.softmax(2)", "i.softmax(1)", "i.log_softmax(0)",
    "x.log_softmax(-4)", "i.norm()", "x.norm('abc')", "x.norm(2, 4)", "x.cumsum()", "x.cumsum(2)",
    "x.cumprod((0, 1))", "x.cummax(2)", "i.logcumsumexp(0)", "i.nanmean()", "lib.dist(x, x[:, :2])",
    "c.max()", "c.min(0)", "c.amax()", "c.argmax()", "c.cummax(0)", "c.median()", "c.softmax(0)",
    "r.sum(dtype=lib.int32)", "r.prod(0, dtype=lib.int64)", "z.cummax(1)", "z.softmax(1)",
]  # fmt: skip


def names(lib):
    """Small tensors: x float, i int, u uint8, b bool, z 0-d, e empty, c complex, r tracked."""
    x = lib.tensor([[1.0, -2.0, 0.5], [4.0, 3.0, -1.5]])
    i = lib.tensor([[1, 5, 2], [4, 3, 0]])
    return {
        "lib": lib, "x": x, "i": i, "u": i.to(lib.uint8), "b": i > 2, "z": lib.tensor(3.0),
        "e": lib.zeros(0), "c": lib.tensor([[1 + 2j, 3 - 1j], [0.5j, 2.0]]),
        "r": lib.tensor([1.0, 2.0], requires_grad=True),
    }  # fmt: skip


@pytest.mark.parametrize("text", CALLS)
def test_call_forms(text):
    both.agree(lambda lib: eval(text, names(lib)), rtol=1e-3 if "half" in text else 1e-6)


@pytest.mark.parametrize("text", BAD)
def test_bad_input_raises_what_pytorch_raises(text):
    error = both.agree(lambda lib: eval(text, names(lib)))
    assert isinstance(error, Exception), f"PyTorch accepts {text}: {error}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x.sum(2)", ["[-2, 1]", "but got 2"]),
        ("x.sum((0, 0))", ["dim 0 appears multiple times"]),
        ("x.sum(0, 1)", ["keepdim", "bool", "tuple"]),
        ("i.mean()", ["torch.int64", ".float()", "dtype="]),
        ("e.max()", ["max()", "(0,)", "'dim'"]),
        ("i.softmax(1)", ["softmax", "torch.int64", ".float()"]),
        ("x.norm('abc')", ["abc", "'fro'"]),
        ("b.argmax()", ["argmax", "bool", ".int()"]),
    ],
)
def test_messages_say_what_was_got_and_what_to_do(text, words):
    with pytest.raises((RuntimeError, IndexError, TypeError)) as caught:
        eval(text, names(tg))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("text", ["v.var()", "v.std()", "v.var(0, correction=5)", "w.std(1)"])
def test_no_degree_of_freedom_warns(text):
    def program(lib):
        return eval(text, {"v": lib.tensor([2.0]), "w": lib.tensor([[1.0], [2.0]])})

    with pytest.warns(UserWarning, match="degrees of freedom is <= 0"):
        theirs = program(torch)
    with pytest.warns(UserWarning, match="degrees of freedom is <= 0") as caught:
        ours = program(tg)
    assert caught[0].filename == "<string>"  # the line of the caller
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    "text",
    ["x.max(1)", "x.min(0, True)", "x.median(1)", "x.mode(1)", "x.cummax(0)", "lib.aminmax(x)"],
)
def test_named_results_print_and_unpack_as_in_pytorch(text):
    ours, theirs = (eval(text, names(lib)) for lib in (tg, torch))
    assert repr(ours) == repr(theirs)
    first, second = ours
    assert first is ours[0] and second is ours[1] and len(ours) == 2
    named = ("min", "max") if "aminmax" in text else ("values", "indices")
    assert [getattr(ours, n) for n in named] == [first, second]


def test_out_is_written_and_returned():
    x = tg.tensor([[1.0, 2.0], [4.0, 3.0]])
    out = tg.zeros(2)
    assert tg.sum(x, 1, out=out) is out and out.tolist() == [3.0, 7.0]
    values, indices = tg.zeros(2), tg.zeros(2, dtype=tg.int64)
    result = tg.max(x, 1, out=(values, indices))
    assert result.values is values and values.tolist() == [2.0, 4.0]
    assert result.indices is indices and indices.tolist() == [1, 0]


def test_indices_are_not_tracked():
    x = tg.tensor([1.0, 3.0], requires_grad=True)
    for result in (x.max(0).indices, x.argmax(), x.any(), x.count_nonzero()):
        assert not result.requires_grad


def test_reductions_of_arrays_without_tensors_are_numpy():
    """A vjp calls them on arrays."""
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert isinstance(tg.sum(x, 0), np.ndarray)
    assert isinstance(tg.softmax(x, 1), np.ndarray)


# --- accuracy ---------------------------------------------------------------------------

LARGE = [
    ((1_000_000,), None), ((300_000, 3), 0), ((300_000, 3), 1), ((100_000, 16), 0),
    ((64, 5000), 1), ((512, 128, 16), (0, 1)), ((512, 128, 16), (0, 2)), ((3, 3000, 40), 1),
    ((1025, 7), 0), ((4097,), 0), ((2, 2048, 5), (1, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "dim"), LARGE, ids=str)
def test_sums_of_float32_are_as_accurate_as_pytorchs(shape, dim):
    """Adding one by one, as NumPy does down the columns, is off by 1e-5 here."""
    x = np.random.default_rng(0).random(shape, np.float32)
    exact = x.sum(dim, dtype=np.float64)
    ours = tg.from_numpy(x).sum(dim).numpy()
    theirs = torch.from_numpy(x).sum(dim).numpy()
    error, allowed = (np.max(abs(a - exact) / exact) for a in (ours, theirs))
    assert error < max(1.5 * allowed, 8e-7)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_sums_in_every_layout(data):
    """Strided, transposed and reversed arrays, below and above the lengths of one product."""
    shape = data.draw(st.sampled_from([(5, 6), (1500, 3), (2, 1100, 3), (4, 3, 2, 5), (6000,)]))
    rng = np.random.default_rng(0)
    x = rng.random(shape, np.float32)
    x = x.transpose(data.draw(st.permutations(range(x.ndim))))
    x = x[tuple(slice(None, None, data.draw(st.sampled_from([1, 2, -1]))) for _ in x.shape)]
    axes = data.draw(st.sets(st.integers(0, x.ndim - 1)).map(sorted).map(tuple))
    axis = data.draw(st.sampled_from([None, axes, *range(x.ndim)]))
    keepdims = data.draw(st.booleans())
    want = np.add.reduce(x, axis, np.float64, keepdims=keepdims)
    got = sums.total(x, axis, keepdims)
    assert got.shape == want.shape and got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_running_sums_of_float32_are_accurate():
    x = np.random.default_rng(0).random(1_000_000, np.float32)
    exact = np.cumsum(x, dtype=np.float64)
    ours = tg.from_numpy(x).cumsum(0).numpy()
    assert np.max(abs(ours - exact) / exact) < 1e-6


@pytest.mark.parametrize("dim", [0, 1, (0, 1)])
def test_logsumexp_of_complex_numbers_takes_the_principal_branch(dim):
    z = np.random.default_rng(0).uniform(-9, 9, (3, 4, 2)).view(np.complex128)[..., 0]
    both.agree(lambda lib: lib.logsumexp(lib.tensor(z), dim))
    both.agree(lambda lib: lib.logsumexp(lib.tensor(z) + 2000, dim, True))
