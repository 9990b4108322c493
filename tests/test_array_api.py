"""The array API namespace against NumPy's own, which follows the same standard."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tensorgrad
from tensorgrad import Tensor, array_api

FLOATS, INTS = ["float32", "float64"], ["int8", "int32", "int64", "uint8", "uint16"]
SIGNED = [*FLOATS, "int8", "int32", "int64"]
NUMERIC, COMPLEX = [*FLOATS, *INTS], ["complex64", "complex128"]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def elements(dtype):
    kind = np.dtype(dtype).kind
    if kind == "b":
        return st.booleans()
    if kind in "iu":
        return st.integers(-5 if kind == "i" else 0, 9)
    small = st.integers(-40, 40).map(lambda n: n / 8)
    return small if kind == "f" else st.builds(complex, small, small)


@st.composite
def arrays(draw, dtypes, shapes=SHAPES):
    dtype = draw(st.sampled_from(dtypes))
    return draw(hnp.arrays(dtype, shapes, elements=elements(dtype)))


@st.composite
def pairs(draw, dtypes):
    dtype = draw(st.sampled_from(dtypes))
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4))
    return [draw(hnp.arrays(dtype, s, elements=elements(dtype))) for s in shapes.input_shapes]


def boxed(x):
    """Arrays as tensors, in any nesting."""
    if isinstance(x, np.ndarray):
        return tensorgrad.from_numpy(x.copy())
    if isinstance(x, list | tuple):
        return type(x)(boxed(v) for v in x)
    return getattr(tensorgrad, x.name) if isinstance(x, np.dtype) else x


def plain(x):
    if isinstance(x, Tensor):
        return x.detach().numpy()
    return [plain(v) for v in x] if isinstance(x, list | tuple) else x


def same(ours, theirs, rtol=1e-5, dtype=True):
    ours, theirs = plain(ours), plain(theirs)
    if isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b, rtol, dtype)
        return
    theirs = np.asarray(theirs)
    assert isinstance(ours, np.ndarray) or ours == theirs
    assert np.shape(ours) == theirs.shape
    if dtype and isinstance(ours, np.ndarray):
        assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-5)


def agree(path, *args, typed=True, rtol=1e-5, **kwargs):
    ours, theirs = array_api, np
    for part in path.split("."):
        ours, theirs = getattr(ours, part), getattr(theirs, part)
    with np.errstate(all="ignore"):
        expected = theirs(*args, **kwargs)
    same(ours(*boxed(args), **{k: boxed(v) for k, v in kwargs.items()}), expected, rtol, typed)


few = settings(max_examples=8, deadline=None)
UNARY = {
    "abs": SIGNED + COMPLEX, "acos": FLOATS, "acosh": FLOATS, "asin": FLOATS, "asinh": FLOATS,
    "atan": FLOATS, "atanh": FLOATS, "bitwise_invert": [*INTS, "bool"], "ceil": NUMERIC,
    "conj": COMPLEX, "cos": FLOATS + COMPLEX, "cosh": FLOATS, "exp": FLOATS + COMPLEX,
    "expm1": FLOATS, "floor": NUMERIC, "imag": COMPLEX, "isfinite": NUMERIC + COMPLEX,
    "isinf": NUMERIC, "isnan": NUMERIC, "log": FLOATS, "log1p": FLOATS, "log2": FLOATS,
    "log10": FLOATS, "logical_not": ["bool"], "negative": SIGNED + COMPLEX, "positive": NUMERIC,
    "real": COMPLEX, "round": NUMERIC + COMPLEX, "sign": SIGNED + COMPLEX, "signbit": FLOATS,
    "sin": FLOATS + COMPLEX, "sinh": FLOATS, "sqrt": FLOATS + COMPLEX, "square": NUMERIC + COMPLEX,
    "tan": FLOATS, "tanh": FLOATS, "trunc": NUMERIC, "reciprocal": FLOATS,
    "unique_counts": NUMERIC, "unique_inverse": NUMERIC, "unique_all": NUMERIC,
    "ones_like": NUMERIC, "zeros_like": NUMERIC,
}  # fmt: skip
BINARY = {
    "add": NUMERIC + COMPLEX, "atan2": FLOATS, "bitwise_and": [*INTS, "bool"],
    "bitwise_or": [*INTS, "bool"], "bitwise_xor": [*INTS, "bool"], "copysign": FLOATS,
    "divide": FLOATS, "equal": NUMERIC, "greater": NUMERIC, "greater_equal": NUMERIC,
    "hypot": FLOATS, "less": NUMERIC, "less_equal": NUMERIC, "logaddexp": FLOATS,
    "logical_and": ["bool"], "logical_or": ["bool"], "logical_xor": ["bool"], "maximum": NUMERIC,
    "minimum": NUMERIC, "multiply": NUMERIC + COMPLEX, "nextafter": FLOATS, "not_equal": NUMERIC,
    "subtract": SIGNED + COMPLEX, "pow": FLOATS,
}  # fmt: skip


class TestElements:
    @pytest.mark.parametrize("name", UNARY)
    def test_one(self, name):
        @few
        @given(x=arrays(UNARY[name]))
        def check(x):
            agree(name, x)

        check()

    @pytest.mark.parametrize("name", BINARY)
    def test_two(self, name):
        @few
        @given(xs=pairs(BINARY[name]))
        def check(xs):
            agree(name, *xs)

        check()

    @pytest.mark.parametrize("name", ["floor_divide", "remainder"])
    @few
    @given(xs=pairs(NUMERIC))
    def test_division(self, name, xs):
        xs[1][xs[1] == 0] = 1
        agree(name, *xs)

    @pytest.mark.parametrize("name", ["bitwise_left_shift", "bitwise_right_shift"])
    def test_shifts(self, name):
        agree(name, np.array([1, 2, -3]), np.array([0, 1, 2]))

    @few
    @given(x=arrays(NUMERIC), low=st.none() | st.integers(0, 4), high=st.none() | st.integers(2, 6))
    def test_clip(self, x, low, high):
        agree("clip", x, low, high)

    @few
    @given(x=arrays(NUMERIC))
    def test_unique_values(self, x):
        same(array_api.unique_values(boxed(x)), np.unique(x))

    def test_numbers_as_operands(self):
        x = np.array([1.5, -2.0], np.float32)
        for name in ("add", "multiply", "pow", "less", "atan2", "maximum"):
            agree(name, x, 2)
            agree(name, x, 2.0)
        agree("where", x > 0, x, np.float32([0, 1]))


class TestShapes:
    @few
    @given(x=arrays(NUMERIC, hnp.array_shapes(max_dims=3, max_side=3)), data=st.data())
    def test_all(self, x, data):
        axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
        agree("flip", x)
        agree("flip", x, axis=axis)
        agree("roll", x, 2)
        agree("roll", x, (1, -1), axis=(axis, 0))
        agree("permute_dims", x, tuple(data.draw(st.permutations(range(x.ndim)))))
        agree("moveaxis", x, axis, 0)
        agree("expand_dims", x, axis=axis)
        agree("squeeze", np.expand_dims(x, axis), axis=axis)
        agree("repeat", x, 2)
        agree("repeat", x, 3, axis=axis)
        agree("tile", x, (2, 1))
        agree("concat", [x, x], axis=axis)
        agree("concat", [x, x[:1]], axis=None)
        agree("stack", [x, x], axis=axis)
        agree("unstack", x, axis=axis)
        agree("reshape", x, (-1,))
        agree("reshape", x, (1, x.size), copy=True)
        agree("broadcast_to", x, (2, *x.shape))
        agree("broadcast_arrays", x, x[:1])
        agree("take", x, np.array([0, -1, 0]), axis=axis)
        agree("take_along_axis", x, np.argsort(x, axis=axis), axis=axis)
        agree("tril", np.atleast_2d(x), k=1)
        agree("triu", np.atleast_2d(x), k=-1)
        if x.ndim > 1:
            agree("matrix_transpose", x)

    def test_errors(self):
        x = tensorgrad.ones(2, 3)
        with pytest.raises(ValueError, match="not all of size 1"):
            array_api.squeeze(x, 0)
        with pytest.raises(ValueError, match="copy=False"):
            array_api.reshape(x.mT, (6,), copy=False)
        assert array_api.reshape(x, (6,), copy=False).data_ptr() == x.data_ptr()
        with pytest.raises(ValueError, match="axis must be given"):
            array_api.take(x, tensorgrad.tensor([0]))
        with pytest.raises(ValueError, match="axis must be given"):
            array_api.cumulative_sum(x)
        with pytest.raises(ValueError, match="0-d"):
            array_api.nonzero(tensorgrad.tensor(1))


@st.composite
def with_axis(draw, dtypes, min_side=1):
    x = draw(arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=3, min_side=min_side)))
    axes = st.lists(st.sampled_from(range(-x.ndim, 0)), unique=True).map(tuple) if x.ndim else \
        st.just(())  # fmt: skip
    one = st.integers(-x.ndim, x.ndim - 1) if x.ndim else st.none()
    return x, draw(st.none() | one | axes), draw(st.booleans())


class TestReductions:
    @pytest.mark.parametrize(
        ("name", "dtypes", "least"),
        [("sum", NUMERIC + COMPLEX, 0), ("prod", NUMERIC, 0), ("max", NUMERIC, 1),
         ("min", NUMERIC, 1), ("mean", FLOATS, 1), ("all", [*NUMERIC, "bool"], 0),
         ("any", [*NUMERIC, "bool"], 0), ("count_nonzero", NUMERIC, 0)],
    )  # fmt: skip
    def test_axis_and_keepdims(self, name, dtypes, least):
        @settings(max_examples=20, deadline=None)
        @given(args=with_axis(dtypes, least))
        def check(args):
            x, axis, keep = args
            agree(name, x, axis=axis, keepdims=keep, rtol=1e-4)

        check()

    @pytest.mark.parametrize("name", ["std", "var"])
    @settings(max_examples=20, deadline=None)
    @given(args=with_axis(FLOATS), correction=st.sampled_from([0, 1.0, 0.5]))
    def test_spread(self, name, args, correction):
        x, axis, keep = args
        axes = range(x.ndim) if axis is None else np.atleast_1d(axis).astype(int)
        if np.prod([x.shape[i] for i in axes]) > correction:
            agree(name, x, axis=axis, correction=correction, keepdims=keep, rtol=1e-3)

    def test_dtype(self):
        x = np.array([100, 100, 100], np.int8)
        agree("sum", x, dtype=np.dtype("float64"))
        agree("sum", x, dtype=np.dtype("int8"))
        agree("prod", x, dtype=np.dtype("float32"))
        agree("cumulative_sum", x, dtype=np.dtype("int16"))

    @pytest.mark.parametrize("name", ["argmax", "argmin"])
    @few
    @given(x=arrays(NUMERIC, hnp.array_shapes(max_dims=3)), keep=st.booleans())
    def test_positions(self, name, x, keep):
        agree(name, x, keepdims=keep)
        agree(name, x, axis=-1, keepdims=keep)

    @pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
    @few
    @given(x=arrays(NUMERIC, hnp.array_shapes(max_dims=3)), initial=st.booleans())
    def test_cumulative(self, name, x, initial):
        agree(name, x, axis=-1, include_initial=initial, rtol=1e-4)
        agree(name, x[(0,) * (x.ndim - 1)], include_initial=initial, rtol=1e-4)

    @few
    @given(x=arrays(SIGNED, hnp.array_shapes(min_side=2, max_dims=2)))
    def test_diff(self, x):
        agree("diff", x)
        agree("diff", x, axis=0, n=2)
        agree("diff", x, axis=0, prepend=x[:1], append=x[:2])


class TestSearching:
    @few
    @given(x=arrays(NUMERIC, hnp.array_shapes(max_dims=3)))
    def test_sorting(self, x):
        agree("sort", x)
        agree("sort", x, axis=0, stable=False)
        agree("argsort", x, stable=True)
        agree("nonzero", x)
        down = array_api.argsort(boxed(x), descending=True)
        assert (down.numpy() == np.argsort(-x.astype(float), axis=-1, kind="stable")).all()
        ours = array_api.sort(boxed(x), descending=True)
        assert (ours.numpy() == np.flip(np.sort(x), -1)).all()

    @few
    @given(x=arrays(NUMERIC, hnp.array_shapes(max_dims=1)), y=arrays(["float64"]))
    def test_searchsorted(self, x, y):
        x = np.sort(x.astype("float64"))
        agree("searchsorted", x, y, typed=False)
        agree("searchsorted", x, y, side="right", typed=False)
        agree("searchsorted", x[::-1].copy(), y, sorter=np.argsort(x[::-1]), typed=False)

    def test_nan_is_distinct_from_nan(self):
        x = tensorgrad.tensor([np.nan, 1.0, np.nan])
        assert len(array_api.unique_values(x)) == 3
        assert array_api.unique_counts(x).counts.tolist() == [1, 1, 1]


class TestCreation:
    def test_all(self):
        for args in [(5,), (1, 4), (0, 5, 2), (5, 0, -2), (3, 1), (1.0, 2.0, 0.25)]:
            agree("arange", *args, typed=not isinstance(args[0], float))
        for shape in (3, (), (2, 0), [2, 3]):
            for name in ("ones", "zeros"):
                agree(name, shape, dtype=np.dtype("int16"))
            assert array_api.empty(shape).shape == np.empty(shape).shape
            agree("full", shape, 7)
            agree("full", shape, 0.5, dtype=np.dtype("float64"))
        assert array_api.ones(2).dtype is tensorgrad.float32
        agree("full_like", np.ones((2, 3)), 2)
        for args, k in [((3,), 0), ((2, 4), 1), ((3, 2), -1)]:
            agree("eye", *args, k=k, dtype=np.dtype("float32"))
        agree("linspace", 0.0, 1.0, 5, dtype=np.dtype("float64"))
        agree("linspace", 0, 1, num=4, endpoint=False, dtype=np.dtype("float32"))
        x, y = np.arange(3), np.arange(2)
        agree("meshgrid", x, y)
        agree("meshgrid", x, y, indexing="ij")

    def test_copies(self):
        array = np.arange(3.0)
        shared = array_api.asarray(array)
        shared[0] = 7
        assert array[0] == 7
        copied = array_api.asarray(array, copy=True)
        copied[1] = 7
        assert array[1] == 1
        x = tensorgrad.ones(2)
        assert array_api.astype(x, x.dtype).data_ptr() != x.data_ptr()
        assert array_api.astype(x, x.dtype, copy=False) is x

    def test_dlpack(self):
        array = np.arange(3.0)
        shared = array_api.from_dlpack(array)
        shared[0] = 5
        assert array[0] == 5 and array_api.from_dlpack(array, copy=True).data_ptr() != \
            shared.data_ptr()  # fmt: skip
        back = np.from_dlpack(tensorgrad.from_numpy(array))
        assert np.shares_memory(back, array)
        assert tensorgrad.ones(1).__dlpack_device__() == (1, 0)
        assert tensorgrad.utils.dlpack.from_dlpack(array).tolist() == array.tolist()

    def test_dlpack_with_pytorch(self):
        torch = pytest.importorskip("torch")
        theirs = torch.arange(4.0)
        ours = tensorgrad.from_dlpack(theirs)
        ours[0] = 9
        assert theirs[0] == 9
        again = torch.from_dlpack(ours)
        again[1] = 8
        assert theirs.tolist() == ours.tolist() == [9, 8, 2, 3]
        with pytest.raises(BufferError):
            torch.from_dlpack(tensorgrad.ones(2, requires_grad=True))


class TestDtypes:
    NAMES = ("bool", *NUMERIC, *COMPLEX)

    def test_kinds(self):
        kinds = ["bool", "signed integer", "unsigned integer", "integral", "real floating",
                 "complex floating", "numeric", ("integral", "bool")]  # fmt: skip
        for name in self.NAMES:
            for kind in kinds:
                ours = array_api.isdtype(getattr(array_api, name), kind)
                assert ours == np.isdtype(np.dtype(name), kind)
        assert array_api.isdtype(array_api.int8, (array_api.int8, "bool"))
        with pytest.raises(ValueError, match="no kind of dtype 'float'"):
            array_api.isdtype(array_api.int8, "float")

    def test_casts(self):
        for a in self.NAMES:
            for b in self.NAMES:
                ours = array_api.can_cast(getattr(array_api, a), getattr(array_api, b))
                assert ours == np.can_cast(a, b)
        assert array_api.can_cast(tensorgrad.ones(1), array_api.float64)

    def test_result_type(self):
        i8, f4, f8 = array_api.int8, array_api.float32, array_api.float64
        assert array_api.result_type(i8, array_api.int16) is array_api.int16
        assert array_api.result_type(f4, 1.0, 2) is f4
        assert array_api.result_type(tensorgrad.tensor(1.0, dtype=f8), f4) is f8
        assert array_api.result_type(tensorgrad.ones(3), tensorgrad.tensor(1.0, dtype=f8)) is f8
        assert array_api.result_type(f4, 1j) is array_api.complex64

    def test_limits(self):
        assert array_api.finfo(tensorgrad.ones(1)).bits == 32
        assert array_api.finfo(array_api.float64).eps == np.finfo("f8").eps
        assert array_api.iinfo(tensorgrad.tensor(1)).max == 2**63 - 1


def matrices(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


class TestExtensions:
    def test_linalg(self):
        a, b = matrices(2, 3, 3), matrices(2, 3, 2, seed=1)
        positive = a @ np.swapaxes(a, -1, -2) + np.eye(3)
        agree("linalg.cholesky", positive)
        agree("linalg.cholesky", positive, upper=True)
        agree("linalg.cross", a, a[::-1].copy())
        agree("linalg.cross", a, a[::-1].copy(), axis=1)
        for name in ("det", "inv", "slogdet", "pinv", "matrix_rank", "svdvals", "matrix_norm"):
            agree(f"linalg.{name}", a, typed=name != "matrix_rank")
        for name in ("matrix_norm", "matrix_transpose", "diagonal", "trace"):
            agree(f"linalg.{name}", b)
        agree("linalg.diagonal", a, offset=1)
        agree("linalg.trace", a, offset=-1)
        agree("linalg.trace", (a * 9).astype("int32"))
        agree("linalg.matrix_norm", b, keepdims=True, ord=1)
        agree("linalg.matrix_power", a, 3)
        agree("linalg.eigvalsh", positive)
        agree("linalg.outer", a[0, 0], b[0, :, 0])
        agree("linalg.solve", a, b)
        agree("linalg.solve", a, b[0])
        agree("linalg.solve", a[0], b[0, :, 0])
        agree("linalg.tensordot", a, b[0], axes=1)
        agree("linalg.tensordot", a, b, axes=((0, 2), (0, 1)))
        agree("linalg.vecdot", a * 1j, a + 1j)
        agree("linalg.vecdot", a, a, axis=0)
        agree("linalg.matmul", a, b)
        for axis in (None, -1, (0, 2)):
            agree("linalg.vector_norm", a, axis=axis, keepdims=True)
            agree("linalg.vector_norm", a, axis=axis, ord=1)
        q, r = array_api.linalg.qr(boxed(b))
        same(q @ r, b)
        assert array_api.linalg.qr(boxed(b), mode="complete").Q.shape == (2, 3, 3)
        u, s, vh = array_api.linalg.svd(boxed(b), full_matrices=False)
        same((u * s[..., None, :]) @ vh, b)
        values, vectors = array_api.linalg.eigh(boxed(positive))
        same(boxed(positive) @ vectors, vectors * values[..., None, :])

    def test_main_namespace_has_the_products_too(self):
        a, b = matrices(3, 3), matrices(3, 3, seed=1)
        agree("matmul", a, b)
        agree("tensordot", a, b)
        agree("vecdot", a, b)

    def test_fft(self):
        x = matrices(3, 4)
        for name in ("fft", "ifft", "rfft", "ihfft"):
            agree(f"fft.{name}", x, axis=0, norm="ortho", typed=False)
            agree(f"fft.{name}", x, n=5, typed=False)
        for name in ("irfft", "hfft"):
            agree(f"fft.{name}", x + 1j, n=6)
        for name in ("fftn", "ifftn", "rfftn", "irfftn"):
            agree(f"fft.{name}", x * (1 + 0j) if name == "irfftn" else x, typed=False)
            y = x + 1j if name in ("fftn", "irfftn") else x
            agree(f"fft.{name}", y, axes=(0, 1), s=(2, 4))
        for name in ("fftfreq", "rfftfreq"):
            agree(f"fft.{name}", 5, d=0.5, typed=False)
        for name in ("fftshift", "ifftshift"):
            agree(f"fft.{name}", x)
            agree(f"fft.{name}", x, axes=1)


def test_the_namespace():
    x = tensorgrad.ones(2)
    assert x.__array_namespace__() is array_api
    assert x.__array_namespace__(api_version="2023.12") is array_api
    with pytest.raises(ValueError, match=r"1999\.12"):
        x.__array_namespace__(api_version="1999.12")
    assert tensorgrad.nn.Parameter(x).__array_namespace__() is array_api
    info = array_api.__array_namespace_info__()
    assert info.default_device() in info.devices()
    assert info.default_dtypes()["real floating"] is tensorgrad.float32
    assert set(info.dtypes(kind="real floating")) == {"float32", "float64"}
    assert set(info.dtypes()) == {
        name for name, d in np.__array_namespace_info__().dtypes().items()
    }  # fmt: skip
    assert info.capabilities()["boolean indexing"]


def test_everything_of_the_standard_is_there_with_its_arguments():
    """NumPy's signatures, where Python can read them, less what NumPy adds."""
    listed = {*UNARY, *BINARY} | {
        "unique_values",
        "arange", "asarray", "astype", "broadcast_arrays", "can_cast", "isdtype", "from_dlpack",
        "__array_namespace_info__", "take", "take_along_axis", "searchsorted", "unstack", "e",
        "inf", "nan", "newaxis", "pi", "finfo", "iinfo", "result_type", "empty", "empty_like",
    }  # fmt: skip
    assert not [name for name in listed if not hasattr(array_api, name)]
    for name in ("sum", "prod", "std", "cumulative_sum", "astype", "unstack", "tril"):
        ours = set(inspect.signature(getattr(array_api, name)).parameters)
        assert ours - {"device", "x"} <= {*inspect.signature(getattr(np, name)).parameters, "axis"}
    for name in array_api.__all__:
        assert getattr(array_api, name) is not None or name == "newaxis"


def test_gradients_flow():
    x = tensorgrad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    xp = x.__array_namespace__()
    y = xp.sum(xp.permute_dims(xp.square(x), (1, 0)), axis=0) + xp.std(x) + xp.max(x, axis=None)
    xp.sum(xp.concat([y, xp.take(x, xp.asarray([1]), axis=0)[0]])).backward()
    assert x.grad.shape == (2, 2) and bool(xp.all(x.grad != 0))
