"""Elementwise functions against PyTorch: values, dtypes, two derivatives, kinks and errors.

Every public function of the four elementwise op files has a row in ``ROWS``, from which the tests
below take its arguments; the last test of the section fails for a function without one.
"""

import itertools
import math
import operator
import warnings
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tensorgrad as tg
from tensorgrad._registry import FUNCTIONS, OPS

torch = pytest.importorskip("torch")

FILES = ("elementwise", "comparison", "special", "activation")
INF, NAN = math.inf, math.nan


class Row(NamedTuple):
    """How to call one function.

    Attributes:
        name: of the function, in both libraries.
        tensors: how many tensors it takes.
        low, high: between which its derivatives are compared.
        attrs: further arguments.
        call: for other signatures: takes the function and the tensors.
        orders: how many derivatives PyTorch has; 0 for results that are not tracked.
    """

    name: str
    tensors: int = 1
    low: float = -3.0
    high: float = 3.0
    attrs: dict = {}  # noqa: RUF012 - never written
    call: object = None
    orders: int = 2

    def __str__(self):
        attrs = ",".join(f"{k}={v}" for k, v in self.attrs.items())
        return f"{self.name}({attrs})" if attrs else self.name

    def run(self, module, tensors):
        function = find(module, self.name)
        if self.call is not None:
            return self.call(function, *tensors)
        return function(*tensors, **self.attrs)


def find(module, name):
    if module is tg:
        return FUNCTIONS[name]
    for place in (torch, torch.nn.functional, torch.special):
        if hasattr(place, name):
            return getattr(place, name)
    raise AttributeError(name)


def masked(f, x, y):
    return f(x > 0, x, y)


def clamp_full(f, x, low, high):
    """PyTorch's derivatives of clamp fail where the input has to be broadcast."""
    return f(torch_or_tg(x).broadcast_tensors(x, low, high)[0], low, high)


ROWS = [
    # arithmetic
    Row("add", 2),
    Row("add", 2, attrs={"alpha": 3}),
    Row("sub", 2),
    Row("sub", 2, attrs={"alpha": 3}),
    Row("rsub", 2),
    Row("rsub", 2, attrs={"alpha": 3}),
    Row("mul", 2),
    Row("div", 2, 0.25, 3),
    Row("div", 2, 0.25, 3, attrs={"rounding_mode": None}),
    Row("div", 2, 0.25, 3, attrs={"rounding_mode": "floor"}, orders=1),
    Row("div", 2, 0.25, 3, attrs={"rounding_mode": "trunc"}, orders=1),
    Row("floor_divide", 2, 0.25, 3, orders=0),
    Row("remainder", 2, 0.25, 3),
    Row("fmod", 2, 0.25, 3),
    Row("reciprocal", 1, 0.25, 3),
    Row("neg"),
    Row("positive"),
    Row("abs"),
    Row("sign", orders=1),
    Row("sgn", orders=1),
    Row("signbit", orders=0),
    Row("copysign", 2),
    Row("pow", 2, 0.25, 3),
    *[Row("pow", 1, 0.25, 3, attrs={"exponent": e})
      for e in (0, 1, 2, 3, 4, -1, -2, 0.5, -0.5, 2.5)],
    *[Row("pow", 1, call=lambda f, x, b=b: f(b, x)) for b in (2, 0.5, 1.0)],
    Row("float_power", 2, 0.25, 3),
    Row("float_power", 1, 0.25, 3, attrs={"exponent": 3}),
    Row("square"),
    Row("sqrt", 1, 0.25, 3),
    Row("rsqrt", 1, 0.25, 3),
    Row("addcmul", 3),
    Row("addcmul", 3, attrs={"value": -2}),
    Row("addcdiv", 3, 0.25, 3),
    Row("addcdiv", 3, 0.25, 3, attrs={"value": 0.5}),
    Row("lerp", 2, attrs={"weight": 0.25}),
    Row("lerp", 2, attrs={"weight": 0.75}),
    Row("lerp", 3),
    Row("ldexp", 2),
    Row("heaviside", 2, orders=0),
    # exponentials, logarithms, trigonometry
    Row("exp"),
    Row("exp2"),
    Row("expm1"),
    Row("log", 1, 0.25, 3),
    Row("log2", 1, 0.25, 3),
    Row("log10", 1, 0.25, 3),
    Row("log1p", 1, -0.75, 3),
    Row("logaddexp", 2),
    Row("logaddexp2", 2),
    Row("xlogy", 2, 0.25, 3),
    *[Row("xlogy", 1, 0.25, 3, call=lambda f, x, y=y: f(x, y)) for y in (2.5, 0)],
    Row("xlogy", 1, 0.25, 3, call=lambda f, y: f(2.5, y)),
    Row("sin"),
    Row("cos"),
    Row("tan", 1, -1.25, 1.25),
    Row("asin", 1, -0.875, 0.875),
    Row("acos", 1, -0.875, 0.875),
    Row("atan"),
    Row("sinh"),
    Row("cosh"),
    Row("tanh"),
    Row("asinh"),
    Row("acosh", 1, 1.25, 3),
    Row("atanh", 1, -0.875, 0.875),
    Row("atan2", 2),
    Row("hypot", 2),
    Row("deg2rad"),
    Row("rad2deg"),
    # special functions
    Row("sinc"),
    Row("sigmoid"),
    Row("logit", 1, 0.125, 0.875),
    Row("logit", 1, attrs={"eps": 0.25}),
    Row("erf"),
    Row("erfc"),
    Row("erfinv", 1, -0.875, 0.875),
    Row("lgamma", 1, 0.25, 3),
    Row("digamma", 1, 0.25, 3),
    *[Row("polygamma", 1, 0.25, 3, call=lambda f, x, n=n: f(n, x)) for n in (0, 1, 2)],
    # rounding
    Row("floor", orders=1),
    Row("ceil", orders=1),
    Row("trunc", orders=1),
    Row("round", orders=1),
    Row("round", attrs={"decimals": 1}, orders=1),
    Row("round", 1, -300, 300, attrs={"decimals": -2}, orders=1),
    Row("frac", orders=1),
    Row("nan_to_num"),
    Row("nan_to_num", attrs={"nan": 1.5, "posinf": 2.5, "neginf": -2.5}),
    # comparison and logic
    *[Row(n, 2, orders=0) for n in ("eq", "ne", "lt", "le", "gt", "ge")],
    *[Row(n, orders=0) for n in ("isnan", "isinf", "isfinite", "isposinf", "isneginf", "isreal")],
    Row("isclose", 2, orders=0),
    Row("isclose", 2, attrs={"rtol": 0.5, "atol": 0.25, "equal_nan": True}, orders=0),
    Row("allclose", 2, orders=0),
    Row("allclose", 2, attrs={"rtol": 9, "atol": 9, "equal_nan": True}, orders=0),
    Row("equal", 2, orders=0),
    *[Row(f"logical_{n}", 2, orders=0) for n in ("and", "or", "xor")],
    Row("logical_not", orders=0),
    *[Row(f"bitwise_{n}", 2, 0, 7, orders=0)
      for n in ("and", "or", "xor", "left_shift", "right_shift")],
    Row("bitwise_not", orders=0),
    # larger, smaller, selected
    Row("maximum", 2),
    Row("minimum", 2),
    Row("fmax", 2),
    Row("fmin", 2),
    Row("clamp", attrs={"min": -1, "max": 1}),
    Row("clamp", attrs={"min": 0.5}),
    Row("clamp", attrs={"max": 0.5}),
    Row("clamp", attrs={"min": 1, "max": -1}),
    Row("clamp", 3, call=clamp_full),
    Row("clamp", 2, call=lambda f, x, y: f(x, max=y)),
    Row("clamp_min", attrs={"min": 0.5}),
    Row("clamp_min", 2),
    Row("clamp_max", attrs={"max": 0.5}),
    Row("clamp_max", 2),
    Row("where", 2, call=masked),
    Row("where", 1, call=lambda f, x: f(x > 0, x, 2)),
    Row("where", 1, call=lambda f, x: f(x > 0, 2.5, x)),
    Row("where", 1, call=lambda f, x: f(x > 0, 1, 2), orders=0),
    Row("where", 1, call=lambda f, x: f(x > 0, 1.0, 2), orders=0),
    Row("masked_fill", 2, call=lambda f, x, y: f(x, y > 0, 7)),
    Row("masked_fill", 2, call=lambda f, x, y: f(x, x > 0, y.sum())),
    # copies and complex numbers
    Row("clone"),
    Row("fill", attrs={"value": 7}, orders=1),
    Row("fill", 2, call=lambda f, x, y: f(x, y.sum())),
    Row("real"),
    Row("conj"),
    Row("angle", orders=1),
    # activations
    Row("relu"),
    Row("relu6", 1, -4, 9),
    Row("leaky_relu"),
    *[Row("leaky_relu", attrs={"negative_slope": s}) for s in (0.25, -0.5, 3.0, 0.0)],
    Row("prelu", 2, call=lambda f, x, w: f(x, w.sum())),
    Row("threshold", attrs={"threshold": 0.5, "value": 7}),
    Row("elu"),
    Row("elu", attrs={"alpha": 0.5}),
    Row("celu"),
    Row("celu", attrs={"alpha": 0.5}),
    Row("selu"),
    Row("softplus"),
    Row("softplus", attrs={"beta": 3, "threshold": 4}),
    Row("softplus", attrs={"threshold": INF}),
    Row("logsigmoid"),
    Row("silu"),
    Row("mish"),
    Row("gelu"),
    Row("gelu", attrs={"approximate": "tanh"}),
    Row("softsign"),
    Row("tanhshrink"),
    Row("hardtanh"),
    Row("hardtanh", attrs={"min_val": -2, "max_val": 0.5}),
    Row("hardsigmoid", 1, -4, 4, orders=1),
    Row("hardswish", 1, -4, 4),
    Row("softshrink"),
    Row("hardshrink", attrs={"lambd": 1.0}),
    Row("glu", call=lambda f, x: f(torch_or_tg(x).stack([x, x * 2.0]), 0)),
]  # fmt: skip
# These have tests of their own, below and in tests/test_complex.py.
ELSEWHERE = (
    "complex", "polar", "imag", "is_conj", "is_neg", "resolve_conj", "resolve_neg", "view_as_real",
    "view_as_complex",
)  # fmt: skip
SMOOTH = [row for row in ROWS if row.orders]
rows = pytest.mark.parametrize("row", ROWS, ids=str)
tracked = pytest.mark.parametrize("row", SMOOTH, ids=str)


def torch_or_tg(x):
    return torch if isinstance(x, torch.Tensor) else tg


def test_every_public_function_has_a_row():
    covered = {id(FUNCTIONS[name]) for name in (*[row.name for row in ROWS], *ELSEWHERE)}
    files = [f"tensorgrad.ops.{f}" for f in FILES]
    missing = [n for n, f in FUNCTIONS.items() if f.__module__ in files and id(f) not in covered]
    assert not missing, f"add a row for {missing}"


# --- plumbing ---------------------------------------------------------------------------


def ours(array, grad=False):
    return tg.tensor(np.array(array), requires_grad=grad)


def theirs(array, grad=False):
    return torch.from_numpy(np.array(array)).requires_grad_(grad)


def to_array(x):
    if isinstance(x, torch.Tensor):
        return x.numpy(force=True)
    return x.detach().numpy() if isinstance(x, tg.Tensor) else np.asarray(x)


def run_torch(row, tensors):
    """PyTorch's result, or None where it does not support the dtypes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns of its own internals in ldexp
            return row.run(torch, tensors)
    except (RuntimeError, TypeError):
        return None


TOLERANCE = {"float16": 4e-3, "float32": 4e-6, "float64": 1e-9}


def coarsest(*values):
    """The tolerance for what was computed from these."""
    return max(TOLERANCE.get(to_array(v).dtype.name, 0) for v in values)


def assert_same(mine, other, what, rtol=None):
    """Equal shape and dtype; values equal up to rounding, nan where PyTorch has nan."""
    mine, other = to_array(mine), to_array(other)
    assert mine.shape == other.shape, what
    assert mine.dtype == other.dtype, f"{what}: dtype {mine.dtype}, PyTorch gives {other.dtype}"
    rtol = coarsest(mine) if rtol is None else rtol
    np.testing.assert_allclose(mine, other, rtol=rtol, atol=rtol, equal_nan=True, err_msg=what)


# --- values and dtypes ------------------------------------------------------------------

DTYPES = ["float32", "float64", "float16", "int64", "int32", "uint8", "bool"]


def sample(rng, row, dtype, shape):
    """Values of the row's domain in ``dtype``; whole numbers not zero, so that they divide."""
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if np.dtype(dtype).kind == "f":
        return rng.uniform(row.low, row.high, shape).astype(dtype)
    return rng.integers(1, 4, shape).astype(dtype)


@rows
def test_values_and_result_dtypes(row):
    """Every combination of dtypes that PyTorch supports, with and without dimensions."""
    rng = np.random.default_rng(0)
    compared = 0
    kinds = DTYPES if row.tensors < 3 else ["float32", "float64", "int64"]
    shapes = itertools.product([(4,), ()], repeat=row.tensors)
    for dtypes, shape in itertools.product(itertools.product(kinds, repeat=row.tensors), shapes):
        arrays = [sample(rng, row, d, s) for d, s in zip(dtypes, shape, strict=True)]
        expected = run_torch(row, [theirs(a) for a in arrays])
        if expected is None or (row.name == "lerp" and dtypes[0] == "int64"):
            continue  # PyTorch interpolates integers by a 0-d double alone
        got = row.run(tg, [ours(a) for a in arrays])
        if isinstance(expected, bool):
            assert got is expected
        else:
            assert_same(got, expected, f"{row} of {dtypes} {shape}", coarsest(*arrays, expected))
        compared += 1
    assert compared


@rows
def test_arrays_long_enough_for_other_code_paths(row):
    """Long float32 and float64 arrays, over which some functions compute differently."""
    rng = np.random.default_rng(0)
    for dtype in ("float32", "float64"):
        arrays = [sample(rng, row, dtype, (3, 700)) for _ in range(row.tensors)]
        expected = run_torch(row, [theirs(a) for a in arrays])
        if expected is None or isinstance(expected, bool):
            continue
        assert_same(row.run(tg, [ours(a) for a in arrays]), expected, f"{row} {dtype}")



def pole(x):
    return ((x <= 0) & (x == np.floor(x))) | np.isinf(x)


# Where we differ on purpose. PyTorch rounds to a huge finite number at poles of the gamma
# function, and gives nan where a limit exists.
VALUES_DIFFER = {"polygamma": pole}
GRADIENTS_DIFFER = {
    "digamma": pole,
    "polygamma": pole,
    "copysign": lambda x, y: ~np.isfinite(x),
    "xlogy": lambda x, y=1, *_: (x == 0) & (y == 0),
    "hypot": lambda x, y: (x == 0) & (y == 0),
    "pow": lambda x, *_: np.signbit(x) & (x == 0),  # the sign of an infinity
    "softplus": np.isinf,
    # The gradient of what is linear in pieces at nan, which PyTorch lets pass, or not.
    **dict.fromkeys(
        ("relu6", "threshold", "hardtanh", "hardsigmoid", "hardswish", "hardshrink",
         "softshrink", "leaky_relu"), np.isnan),
}  # fmt: skip
# Where NumPy gives a zero of the other sign.
SIGN_OF_ZERO = {
    "remainder", "erfinv", "fmax", "fmin", "relu", "relu6", "elu", "celu", "selu", "logsigmoid",
}  # fmt: skip

SPECIAL = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, 2.5, -2.5, 3.0, -3.0, 40.0, -40.0, INF, -INF, NAN]


def special_arrays(row, differ):
    """Every combination of special values, one array per tensor argument."""
    values = SPECIAL if row.tensors < 3 else [0.0, 1.0, -2.5, INF, NAN]
    if row.name in ADD_UP:
        values = [x for x in values if math.isfinite(x)]
    arrays = [np.array(a) for a in zip(*itertools.product(values, repeat=row.tensors), strict=True)]
    if row.name not in differ:
        return arrays
    keep = ~differ[row.name](*arrays)
    return [a[keep] for a in arrays]


# Calls that add up an argument, where one nan would hide all else.
ADD_UP = ("prelu", "fill", "masked_fill")


@rows
def test_special_values(row):
    arrays = special_arrays(row, VALUES_DIFFER)
    expected = run_torch(row, [theirs(a) for a in arrays])
    if expected is None:
        pytest.skip("PyTorch takes no float64 here")
    got = row.run(tg, [ours(a) for a in arrays])
    if isinstance(expected, bool):
        assert got is expected
        return
    mine, other = to_array(got), to_array(expected)
    assert_same(mine, other, str(row))
    if row.name not in SIGN_OF_ZERO and mine.dtype.kind == "f":
        zero = (mine == 0) & (other == 0)
        np.testing.assert_array_equal(np.signbit(mine[zero]), np.signbit(other[zero]))


# --- derivatives ------------------------------------------------------------------------


def derivatives(module, row, arrays, seed, order):
    """Gradients of the row's inputs, and for order 2 those of a combination of the gradients."""
    make = ours if module is tg else theirs
    rng = np.random.default_rng(seed)
    xs = [make(a, True) for a in arrays]
    y = row.run(module, xs)
    shape = tuple(y.shape)
    g = make(rng.uniform(0.5, 1.5, shape).astype(arrays[0].dtype), True)
    weights = [make(rng.uniform(0.5, 1.5, a.shape)) for a in arrays]
    if not y.requires_grad:
        return [None] * len(xs)
    first = module.autograd.grad(y, xs, g, create_graph=order == 2, allow_unused=True)
    if order == 1:
        return first
    terms = [(f * w).sum() for f, w in zip(first, weights, strict=True) if f is not None]
    total = sum(terms[1:], terms[0])
    if not total.requires_grad:
        return [*first, *[None] * (len(xs) + 1)]
    return [*first, *module.autograd.grad(total, [*xs, g], allow_unused=True)]


def compare_derivatives(row, arrays, seed=0, order=2, rtol=1e-7):
    mine = derivatives(tg, row, arrays, seed, order)
    other = derivatives(torch, row, arrays, seed, order)
    for i, (a, b) in enumerate(zip(mine, other, strict=True)):
        if a is None or b is None:  # unused, or not tracked: zero either way
            rest = a if b is None else b
            assert rest is None or not to_array(rest).any(), f"{row}: gradient {i}"
        else:
            assert_same(a, b, f"{row}: gradient {i} of {[x.shape for x in arrays]}", rtol)


@tracked
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_first_and_second_derivative(row, data):
    """Over broadcasting shapes, 0-d and empty ones, and memory in any order."""
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=row.tensors, max_dims=3,
                                                         min_side=0, max_side=3))  # fmt: skip
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(row.low, row.high, s[::-1]).T for s in shapes.input_shapes]
    compare_derivatives(row, arrays, seed, order=row.orders)


@tracked
def test_derivative_in_float32_and_of_long_arrays(row):
    if row.name == "sinc":
        pytest.skip("PyTorch's formula loses all digits near 0 in float32; float64 is compared")
    rng = np.random.default_rng(0)
    for shape in [(), (3,), (2000,)]:
        arrays = [rng.uniform(row.low, row.high, shape).astype("float32")
                  for _ in range(row.tensors)]  # fmt: skip
        compare_derivatives(row, arrays, order=1, rtol=2e-5)


@tracked
def test_derivative_at_kinks_ties_and_infinities(row):
    compare_derivatives(row, special_arrays(row, GRADIENTS_DIFFER), order=1)


# --- names, numbers on either side, in-place forms --------------------------------------

NAMED = [r for r in SMOOTH if r.name in OPS and not (r.name == "fill" and r.attrs)]


@pytest.mark.parametrize("row", NAMED, ids=str)
def test_nodes_have_pytorch_names(row):
    """The name that printing shows, ``grad_fn=<ExpBackward0>``, up to its number for ops of two."""
    arrays = [np.full(3, (row.low + row.high) / 2 + 0.25 * i) for i in range(row.tensors)]
    mine = row.run(tg, [ours(a, True) for a in arrays]).grad_fn
    other = row.run(torch, [theirs(a, True) for a in arrays]).grad_fn
    if other is not None:  # real(), conj() and positive() return their argument
        name = other.name().rpartition("::")[2]
        assert mine.name().rstrip("0123456789") == name.rstrip("0123456789")


def test_powers_are_named_after_what_was_a_number():
    x = ours([1.0, 2.0], True)
    names = [y.grad_fn.name() for y in (x**2, x**x, 2**x, tg.pow(x, 2), tg.pow(2, x), 1 - x)]
    assert names == ["PowBackward0", "PowBackward1", "PowBackward2", "PowBackward0",
                     "PowBackward2", "RsubBackward1"]  # fmt: skip


NUMBERS = [2, 2.5, True, -1, 0, np.float64(2.5), np.float32(2.5), np.int64(2)]
ARITHMETIC = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"]
COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]
BITWISE = ["and_", "or_", "xor", "lshift", "rshift"]


def outcome(function):
    """The result, or the type of the error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function()
    except Exception as error:  # compared, not hidden
        return type(error)


@pytest.mark.parametrize("name", ARITHMETIC + COMPARISONS + BITWISE)
@pytest.mark.parametrize("dtype", DTYPES)
def test_operators_with_numbers_on_either_side(name, dtype):
    f = getattr(operator, name)
    for array in (np.array([1, 2, 3], dtype), np.array(3, dtype)):
        for number in NUMBERS:
            if name == "pow" and dtype == "bool" and number is True:
                continue  # PyTorch knows no power of booleans; where it does, it gives one
            for swap in (False, True):
                order = (lambda a, b: f(b, a)) if swap else f
                compare_outcomes(
                    lambda order=order, array=array, number=number: order(theirs(array), number),
                    lambda order=order, array=array, number=number: order(ours(array), number),
                    f"{name} of {dtype} and {number!r}, swapped: {swap}",
                )


def compare_outcomes(other, mine, what, unsupported=NotImplementedError):
    """The same values and dtype, or an error of the same type."""
    other, mine = outcome(other), outcome(mine)
    if isinstance(other, type):
        assert isinstance(mine, type), f"{what}: PyTorch raises {other.__name__}, got {mine}"
        other = unsupported if other is NotImplementedError else other
        assert issubclass(mine, other), f"{what}: {mine} for {other}"
    else:
        assert not isinstance(mine, type), f"{what}: raises {mine}"
        assert_same(mine, other, what, coarsest(other))


NO_IN_PLACE = ("float_power", "ldexp")  # composed, and rarely wanted
IN_PLACE = [
    row for row in ROWS
    if row.call is None and hasattr(torch.Tensor, row.name + "_") and row.name not in NO_IN_PLACE
]  # fmt: skip


@pytest.mark.parametrize("row", IN_PLACE, ids=str)
def test_in_place_forms(row):
    """Values, dtype and gradients of ``x.name_(...)``, also on integers, or the same error."""
    name = row.name + "_"
    rng = np.random.default_rng(0)
    for dtype in ("float64", "float32", "int64"):
        arrays = [sample(rng, row, dtype, (3,)) for _ in range(row.tensors)]
        track = dtype == "float64" and row.orders
        results = []
        for make in (theirs, ours):
            x, *rest = [make(a, bool(track)) for a in arrays]
            y = outcome(lambda x=x, rest=rest: getattr(x.clone(), name)(*rest, **row.attrs))
            results.append(y)
            if track and row.name not in ("asinh", "acosh", "atanh"):  # PyTorch has none
                y.sum().backward()
                results.append(x.grad)
        half = len(results) // 2
        for other, mine in zip(results[:half], results[half:], strict=True):
            # Where PyTorch lacks integers we compute floats, which then do not fit: RuntimeError.
            compare_outcomes(lambda y=other: raised(y), lambda y=mine: raised(y),
                             f"{row} {dtype}", unsupported=RuntimeError)  # fmt: skip


def raised(result):
    if isinstance(result, type):
        raise result("as before")
    return result


@pytest.mark.parametrize("name", ["multiply", "subtract", "divide", "negative", "absolute", "clip",
                                  "arcsin", "arctan", "fix", "greater"])  # fmt: skip
def test_other_names_have_in_place_forms_too(name):
    x = tg.tensor([0.5, -0.25])
    arguments = {"clip": (0.0,), "multiply": (2,), "subtract": (2,), "divide": (2,),
                 "greater": (0.0,)}.get(name, ())  # fmt: skip
    expected = FUNCTIONS[name](x, *arguments)
    assert getattr(x, name + "_")(*arguments) is x
    assert x.tolist() == expected.tolist()


def test_copy_fill_and_zero_are_recorded():
    for module, make in ((torch, theirs), (tg, ours)):
        x, y = make([1.0, 2.0], True), make(np.float32([3.0]), True)
        copied = (x * 2).copy_(y)
        (copied * make([5.0, 7.0])).sum().backward()
        assert copied.tolist() == [3.0, 3.0] and str(copied.dtype) == "torch.float64"
        assert x.grad.tolist() == [0.0, 0.0]
        assert y.grad.tolist() == [12.0] and str(y.grad.dtype) == "torch.float32"
        x.grad = None
        (x * 2).zero_().sum().backward()
        assert x.grad.tolist() == [0.0, 0.0]
        value = make(4.0, True)
        (x * 2).fill_(value).sum().backward()
        assert value.grad.tolist() == 2.0
        assert module.fill(x.detach(), 2).tolist() == [2.0, 2.0]


def test_a_masked_out_infinity_leaves_no_nan():
    """Also in the second derivative: a product with the mask would give inf * 0."""
    for f in (
        lambda m, x: m.sqrt(m.relu(x)),
        lambda m, x: m.where(x > 0, m.log(x.clamp(min=0)), x),
        lambda m, x: m.sqrt(x.clamp(min=0.5) - 0.5),
    ):
        x, y = ours([-1.0, 0.25, 4.0], True), theirs([-1.0, 0.25, 4.0], True)
        f(tg, x).sum().backward()
        f(torch, y).sum().backward()
        assert_same(x.grad, y.grad, "gradient")
        assert not np.isnan(to_array(x.grad)[0])


@pytest.mark.parametrize("size", [5, 5000])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_is_masked_out_is_zero_whatever_the_upstream_gradient(size, dtype):
    """Short and long arrays select by different means; neither multiplies inf by 0."""
    x = np.tile(np.array([-1.0, 2.0, -3.0, 0.5, -0.5], dtype), size // 5)
    g = np.where(x > 0, 3.0, np.tile([INF, -INF, NAN, 1.0, INF], size // 5)).astype(dtype)
    for f in (
        lambda t: t.relu(), lambda t: t.clamp(min=0), lambda t: tg.where(t > 0, t, 1.0),
        lambda t: t.masked_fill(t < 0, 0.0), lambda t: tg.maximum(t, ours(np.zeros((), dtype))),
        lambda t: tg.hardshrink(t.clamp_min(0), 0.1), lambda t: tg.threshold(t, 0.0, 0.0),
    ):  # fmt: skip
        t = ours(x, True)
        (grad,) = tg.autograd.grad(f(t), t, ours(g))
        np.testing.assert_array_equal(to_array(grad), np.where(x > 0, 3.0, 0.0).astype(dtype))


@pytest.mark.parametrize("size", [100, 5000])
@pytest.mark.parametrize("name", ["softplus", "logsigmoid", "elu", "selu", "sigmoid"])
def test_float32_keeps_its_digits_in_the_tails(name, size):
    """Relative to the value, however small: six digits, compared with PyTorch in float64."""
    x = np.linspace(-12.0, 12.0, size, dtype=np.float32)
    expected = to_array(find(torch, name)(theirs(x).double()))
    np.testing.assert_allclose(to_array(FUNCTIONS[name](ours(x))), expected, rtol=2e-6, atol=0)


def test_derivatives_at_zero_to_the_power_zero_are_finite():
    """PyTorch gives nan in the second derivative here."""
    x, y = ours([0.0, 0.0, 2.0], True), ours([0.0, 2.0, 0.0], True)
    first = tg.autograd.grad((x**y).sum(), (x, y), create_graph=True)
    assert [g.tolist() for g in first] == [[0.0, 0.0, 0.0], [0.0, 0.0, math.log(2.0)]]
    for g in first:
        for second in tg.autograd.grad(g.sum(), (x, y), retain_graph=True):
            assert np.isfinite(to_array(second)).all()


def test_derivatives_of_sinc_are_exact_near_zero():
    """Up to the fourth, from the power series 1 - (pi x)**2 / 6 + (pi x)**4 / 120 - ..."""
    x = ours([0.0, 1e-8, -1e-3], True)
    y, p = tg.sinc(x), math.pi
    expected = [
        lambda t: -(p**2) * t / 3 + p**4 * t**3 / 30,
        lambda t: -(p**2) / 3 + p**4 * t**2 / 10,
        lambda t: p**4 * t / 5,
        lambda t: p**4 / 5 - p**6 * t**2 / 14,
    ]
    for series in expected:
        (y,) = tg.autograd.grad(y.sum(), x, create_graph=True)
        np.testing.assert_allclose(to_array(y), series(to_array(x)), rtol=1e-5, atol=1e-13)


# --- complex numbers --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("name", [
    "add", "sub", "mul", "div", "eq", "ne", "neg", "abs", "sgn", "conj", "real", "imag", "angle",
    "reciprocal", "square", "sqrt", "exp", "log", "sin", "cos", "tanh", "sigmoid", "isnan", "isinf",
    "isfinite", "isreal", "clone", "positive",
])  # fmt: skip
def test_complex_values(name, dtype):
    a, b = np.array([1 + 2j, -0.5j, 3 - 1j, -2], dtype), np.array([0.5 + 1j, 2, 1j, 1 + 1j], dtype)
    count = 2 if name in ("add", "sub", "mul", "div", "eq", "ne") else 1
    expected = getattr(torch, name)(*[theirs(z) for z in (a, b)[:count]])
    got = getattr(tg, name)(*[ours(z) for z in (a, b)[:count]])
    assert_same(got, expected.resolve_conj(), name, 1e-5 if dtype == "complex64" else 1e-12)


def test_complex_from_parts():
    for dtype in ("float32", "float64"):
        a, b = np.array([1.0, -2.0], dtype), np.array(0.5, dtype)
        for name in ("complex", "polar"):
            expected = getattr(torch, name)(theirs(np.abs(a)), theirs(b))
            assert_same(getattr(tg, name)(ours(np.abs(a)), ours(b)), expected, name)


def test_real_and_imag_are_views():
    z = tg.tensor([1 + 2j, 3 - 1j])
    z.real.zero_()
    z.imag[0] = 5.0
    assert z.tolist() == [5j, -1j]


# --- bad input --------------------------------------------------------------------------

BAD = {
    "bool minus bool": lambda m, t: t([True]) - t([False]),
    "bool minus number": lambda m, t: t([True]) - 1,
    "number minus bool": lambda m, t: 1 - t([True]),
    "minus bool": lambda m, t: -t([True]),
    "plus bool": lambda m, t: +t([True]),
    "power of two bools": lambda m, t: t([True]) ** t([True]),
    "integer to a negative power": lambda m, t: t([2]) ** -1,
    "integer floor division by zero": lambda m, t: t([1]) // 0,
    "integer remainder by zero": lambda m, t: t([1]) % t([0]),
    "integer fmod by zero": lambda m, t: m.fmod(t([1]), 0),
    "integer div trunc by zero": lambda m, t: m.div(t([1]), 0, rounding_mode="trunc"),
    "rounding mode": lambda m, t: m.div(t([1.0]), 2, rounding_mode="up"),
    "float alpha for integers": lambda m, t: m.add(t([1]), t([2]), alpha=1.5),
    "bool alpha": lambda m, t: m.sub(t([1]), t([2]), alpha=True),
    "unknown keyword": lambda m, t: m.mul(t([1]), t([2]), alpha=1),
    "missing operand": lambda m, t: m.mul(t([1])),
    "third operand": lambda m, t: m.exp(t([1.0]), t([1.0])),
    "shapes": lambda m, t: t([1.0, 2.0]) + t([1.0, 2.0, 3.0]),
    "shapes of a comparison": lambda m, t: t([1.0, 2.0]) < t([1.0, 2.0, 3.0]),
    "add None": lambda m, t: t([1.0]) + None,
    "add str": lambda m, t: m.add(t([1.0]), "a"),
    "add list": lambda m, t: m.add(t([1.0]), [1.0]),
    "exp of a list": lambda m, t: m.exp([1.0]),
    "exp of a number": lambda m, t: m.exp(1.0),
    "exp of a str": lambda m, t: m.exp("a"),
    "less than str": lambda m, t: t([1.0]) < "a",
    "and of floats": lambda m, t: t([1.0]) & 1,
    "not of floats": lambda m, t: ~t([1.0]),
    "shift of floats": lambda m, t: t([1.0]) << 1,
    "frac of integers": lambda m, t: m.frac(t([1])),
    "floor of bool": lambda m, t: m.floor(t([True])),
    "floor of complex": lambda m, t: m.floor(t([1j])),
    "round decimals of integers": lambda m, t: m.round(t([12]), decimals=1),
    "sign of complex": lambda m, t: m.sign(t([1j])),
    "order of complex": lambda m, t: m.isposinf(t([1j])),
    "addcdiv of integers": lambda m, t: m.addcdiv(t([1]), t([2]), t([3])),
    "lerp of integers": lambda m, t: m.lerp(t([1]), t([2]), 0.5),
    "lerp of two dtypes": lambda m, t: m.lerp(t([1.0]), t([2.0]).double(), 0.5),
    "negative order of polygamma": lambda m, t: m.polygamma(-1, t([1.0])),
    "heaviside of two dtypes": lambda m, t: m.heaviside(t([1.0]), t([1])),
    "isclose of two dtypes": lambda m, t: m.isclose(t([1.0]), t([1.0]).double()),
    "negative tolerance": lambda m, t: m.isclose(t([1.0]), t([1.0]), rtol=-1.0),
    "equal to a number": lambda m, t: m.equal(t([1.0]), 1.0),
    "clamp without bounds": lambda m, t: t([1.0]).clamp(),
    "where of floats": lambda m, t: m.where(t([1.0]), t([1.0]), t([2.0])),
    "where of integers": lambda m, t: m.where(t([1]), t([1.0]), t([2.0])),
    "where of a bool": lambda m, t: m.where(True, t([1.0]), t([2.0])),
    "masked_fill with a float mask": lambda m, t: t([1.0]).masked_fill(t([1.0]), 0.0),
    "masked_fill with a list": lambda m, t: t([1.0]).masked_fill(t([True]), t([0.0])),
    "masked_fill_ growing": lambda m, t: t([1.0]).masked_fill_(t([[True], [True]]), 0.0),
    "fill with a list": lambda m, t: t([1.0, 2.0]).fill_(t([1.0, 2.0])),
    "copy_ of another shape": lambda m, t: t([1.0, 2.0]).copy_(t([1.0, 2.0, 3.0])),
    "in-place float into integers": lambda m, t: t([1]).div_(2),
    "in-place growing": lambda m, t: t([1.0]).add_(t([1.0, 2.0])),
    "complex of two dtypes": lambda m, t: m.complex(t([1.0]), t([1.0]).double()),
    "complex of integers": lambda m, t: m.complex(t([1]), t([1])),
    "imag of a real tensor": lambda m, t: m.imag(t([1.0])),
    "elu of integers": lambda m, t: functional(m, "elu")(t([1])),
    "gelu of integers": lambda m, t: functional(m, "gelu")(t([1])),
    "softplus of integers": lambda m, t: functional(m, "softplus")(t([1])),
    "gelu approximation": lambda m, t: functional(m, "gelu")(t([1.0]), approximate="erf"),
    "celu with alpha 0": lambda m, t: functional(m, "celu")(t([1.0]), alpha=0.0),
    "hardtanh bounds": lambda m, t: functional(m, "hardtanh")(t([1.0]), 2.0, 1.0),
    "softshrink lambda": lambda m, t: functional(m, "softshrink")(t([1.0]), -1.0),
    "glu of an odd size": lambda m, t: functional(m, "glu")(t([1.0, 2.0, 3.0])),
    "glu of a number": lambda m, t: functional(m, "glu")(t(1.0)),
    "glu dim": lambda m, t: functional(m, "glu")(t([1.0, 2.0]), 3),
    "prelu channels": lambda m, t: m.prelu(t([[1.0, 2.0]]), t([1.0, 2.0, 3.0])),
    "prelu weight dims": lambda m, t: m.prelu(t([[1.0, 2.0]]), t([[1.0, 2.0]])),
    "prelu dtypes": lambda m, t: m.prelu(t([[1.0, 2.0]]), t([1.0]).double()),
}


def functional(module, name):
    return find(module, name)


@pytest.mark.parametrize("case", BAD)
def test_bad_input_raises_what_pytorch_raises(case):
    with pytest.raises(Exception) as expected:
        BAD[case](torch, torch.tensor)
    with pytest.raises(expected.type) as got:
        BAD[case](tg, tg.tensor)
    assert len(str(got.value)) > 10


@pytest.mark.parametrize(("f", "message"), [
    (lambda t: t([1.0, 2.0]) + t([1.0, 2.0, 3.0]), r"add: .*\(2,\).*\(3,\)"),
    (lambda t: t([1.0]) & 1, r"bitwise_and: not implemented for these dtypes.*float32"),
    (lambda t: t([1]) // 0, r"floor_divide: .*divided by zero"),
    (lambda t: t([1]).elu_(), r"elu: not implemented for \(1,\) int64; convert it with .float"),
    (lambda t: tg.where(t([1]), 1, 2), r"where: expected condition .*int64; compare"),
])  # fmt: skip
def test_messages_say_what_was_got_and_what_to_do(f, message):
    with pytest.raises(RuntimeError, match=message):
        f(tg.tensor)


def test_comparison_with_foreign_objects():
    x, y = tg.tensor([1.0]), torch.tensor([1.0])
    for other in ("a", None, object()):
        assert (x == other) is (y == other) is False
        assert (x != other) is (y != other) is True


def test_numpy_functions_run_the_op_of_the_same_meaning():
    x = ours([0.25, 0.5], True)
    for f in (np.exp, np.sin, np.arctan, np.negative, np.absolute, np.square, np.log1p, np.sign):
        y = f(x)
        assert isinstance(y, tg.Tensor) and y.grad_fn is not None
        np.testing.assert_array_equal(to_array(y), f(to_array(x)))
    for f in (np.add, np.multiply, np.power, np.maximum, np.arctan2, np.true_divide):
        for y in (f(x, 2.0), f(2.0, x), f(x, to_array(x)), f(to_array(x), x)):
            assert isinstance(y, tg.Tensor) and y.grad_fn is not None
