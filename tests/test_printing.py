"""Printed tensors against PyTorch, character for character."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tensorgrad
from tensorgrad import dtypes
from tensorgrad.printing import format_tensor, get_printoptions, set_printoptions

DTYPES = [
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
    "float16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip
SPECIAL = [0.0, -0.0, math.nan, math.inf, -math.inf]


DEFAULTS = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}


@pytest.fixture(autouse=True)
def default_options():
    assert get_printoptions() == DEFAULTS, "another test left its print options behind"
    yield
    set_printoptions(profile="default")


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@st.composite
def floats(draw):
    """Floats that meet every branch: whole, tiny, huge, of one magnitude or of many, special."""
    scale = draw(st.sampled_from([1e-300, 1e-30, 1e-6, 1e-4, 1e-2, 1.0, 1e3, 1e7, 1e9, 1e38]))
    number = st.one_of(
        st.floats(-1.0, 1.0).map(lambda x: x * scale),
        st.floats(0.5, 1.0).map(lambda x: x * scale),
        st.integers(-2000, 2000).map(float),
        st.sampled_from(SPECIAL),
    )
    return number


@st.composite
def arrays(draw, shapes=None):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    if shapes is None:
        shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7)
    shape = draw(shapes)
    if dtype.kind not in "fc":
        return draw(hnp.arrays(dtype, shape))
    number = draw(floats())
    if dtype.kind == "c":
        number = st.builds(complex, number, number)
    with np.errstate(over="ignore"):  # what float16 and float32 cannot hold becomes inf
        return draw(hnp.arrays("complex128" if dtype.kind == "c" else "float64", shape,
                               elements=number)).astype(dtype)  # fmt: skip


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "profile": st.sampled_from(["default", "short", "full"]),
        "precision": st.integers(0, 9),
        "threshold": st.sampled_from([0, 1, 10, 100, 1e9, math.inf]),
        "edgeitems": st.integers(0, 4),
        "linewidth": st.integers(0, 130),
        "sci_mode": st.sampled_from([None, True, False]),
    },
)


def torch_text(torch, array):
    return repr(torch.from_numpy(np.array(array)))


class TestAgainstTorch:
    @pytest.fixture(autouse=True)
    def default_torch_options(self, torch):
        yield
        torch.set_printoptions(profile="default")

    @settings(max_examples=400, deadline=None)
    @given(array=arrays())
    def test_default_options(self, torch, array):
        assert format_tensor(array) == torch_text(torch, array)

    @settings(max_examples=400, deadline=None)
    @given(array=arrays(), options=OPTIONS)
    def test_every_option(self, torch, array, options):
        torch.set_printoptions(profile="default")
        set_printoptions(profile="default")
        torch.set_printoptions(**options)
        set_printoptions(**options)
        assert format_tensor(array) == torch_text(torch, array)

    @settings(max_examples=100, deadline=None)
    @given(first=OPTIONS, second=OPTIONS)
    def test_options_add_up_as_in_torch(self, torch, first, second):
        torch.set_printoptions(profile="default")
        set_printoptions(profile="default")
        for options in (first, second):
            torch.set_printoptions(**options)
            set_printoptions(**options)
        assert get_printoptions() == torch._tensor_str.get_printoptions()

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize(
        "shape", [(1001,), (1000,), (40, 50), (7, 6, 200), (2, 3, 4, 5, 60), (6, 1000), (1001, 1)]
    )
    def test_summaries(self, torch, dtype, shape):
        rng = np.random.default_rng(0)
        array = (rng.normal(size=shape) * 50).astype("int64" if dtype[0] == "u" else "float64")
        array = np.abs(array) if dtype[0] == "u" else array
        assert format_tensor(array.astype(dtype)) == torch_text(torch, array.astype(dtype))

    def test_a_hidden_value_does_not_choose_the_format(self, torch):
        array = np.full(2000, 1.5, dtype=np.float32)
        array[1000] = 1e-8
        assert format_tensor(array) == torch_text(torch, array)
        assert "1.5000, 1.5000" in format_tensor(array)

    @pytest.mark.parametrize(
        "values",
        [[1e-4], [0.9999e-4], [1e8], [1.5, 1e8], [1.0000001e8], [1, 1000], [1, 1001], [0.5, 500],
         [0.5, 500.5], [1e-4, 1.5e-4], [0, 1e-5], [math.nan, 1e-5], [-1e-4, 1e-1], [-1e9]],
    )  # fmt: skip
    def test_where_scientific_notation_begins(self, torch, values):
        assert format_tensor(np.array(values)) == torch_text(torch, values)

    @pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 5), (5, 1, 2), (0,), (0, 2)])
    @pytest.mark.parametrize("edgeitems", [0, 1, 2])
    @pytest.mark.parametrize("threshold", [0, 1, 5, 100])
    def test_few_edge_items(self, torch, shape, edgeitems, threshold):
        torch.set_printoptions(edgeitems=edgeitems, threshold=threshold)
        set_printoptions(edgeitems=edgeitems, threshold=threshold)
        for dtype in ("float32", "int64", "complex64"):
            array = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
            assert format_tensor(array) == torch_text(torch, array)

    def test_strided_views(self, torch):
        array = np.arange(24.0, dtype=np.float32).reshape(4, 6)
        assert format_tensor(array[::-1, ::2].T) == torch_text(torch, array[::-1, ::2].T)

    def test_subnormal_and_extreme_values(self, torch):
        for dtype in ("float16", "float32", "float64"):
            info = np.finfo(dtype)
            array = np.array([info.smallest_subnormal, info.tiny, info.max, info.min], dtype)
            for subset in (array, array[:1], array[1:2], array[2:3], array[2:]):
                assert format_tensor(subset) == torch_text(torch, subset)

    @pytest.mark.parametrize("width", range(0, 120, 3))
    @pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (7,), (2, 3)])
    def test_suffixes_wrap_as_in_torch(self, torch, width, shape):
        array = np.linspace(0, 3, max(1, math.prod(shape)))[: math.prod(shape)].reshape(shape)
        leaf = torch.tensor(array, requires_grad=True)
        torch.set_printoptions(linewidth=width)
        set_printoptions(linewidth=width)
        assert format_tensor(array, requires_grad=True) == repr(leaf)
        assert format_tensor(array, requires_grad=True, grad_fn_name="MulBackward0") == repr(
            leaf * 1
        )

    @pytest.mark.parametrize("default", ["float16", "float32", "float64"])
    def test_only_a_default_dtype_goes_without_saying(self, torch, default):
        torch.set_default_dtype(getattr(torch, default))
        dtypes.set_default_dtype(np.dtype(default))
        try:
            for dtype in DTYPES:
                for shape in [(2,), (), (0,), (0, 2)]:
                    array = np.ones(shape, dtype)
                    assert format_tensor(array) == torch_text(torch, array)
        finally:
            torch.set_default_dtype(torch.float32)
            dtypes.set_default_dtype(np.dtype("float32"))

    def test_a_subclass_prints_its_name(self, torch):
        class Image(torch.Tensor):
            pass

        array = np.eye(2, dtype=np.float32)
        theirs = torch.from_numpy(array).as_subclass(Image)
        assert format_tensor(array, prefix="Image(") == repr(theirs)


class TestTensors:
    """The same lines, run under both libraries, print the same."""

    @pytest.mark.parametrize(
        "line",
        [
            "t.tensor([1.0, 2.0], requires_grad=True)",
            "t.tensor([1.0, 2.0], requires_grad=True) * 2",
            "t.tensor([[1.0], [2.0]], requires_grad=True) + 1",
            "t.tensor([1.0, 2.0], requires_grad=True).detach()",
            "t.tensor([1, 2], dtype=t.int32)",
            "t.tensor(3.5, dtype=t.float64, requires_grad=True)",
            "t.zeros(0, 3)",
            "t.nn.Parameter(t.ones(2, 3))",
            "t.nn.Parameter(t.ones(2), requires_grad=False)",
            "[t.tensor([True]), t.float32, t.zeros(2, 3).shape]",
            "'{} {:.2f}'.format(t.tensor([1.0]), t.tensor(2.0))",
        ],
    )
    def test_same_text(self, torch, line):
        text = str(eval(line, {"t": tensorgrad}))
        assert text == str(eval(line, {"t": torch}))


PRINTED = [
    "torch.tensor([[1.,2.]]).max(1)",
    "torch.tensor([[1.,2.],[4.,3.]]).sort()",
    "torch.tensor([1.,2.]).topk(1)",
    "torch.tensor([[1.,2.]],requires_grad=True).max(1)",
    "torch.linalg.qr(torch.eye(2))",
    "torch.linalg.svd(torch.eye(2))",
    "torch.linalg.slogdet(torch.eye(2))",
    "torch.linalg.eigh(torch.eye(2))",
    "torch.tensor([3.,1.]).aminmax()",
    "torch.tensor([[3.,1.]]).mode()",
    "torch.tensor([3.,1.]).cummax(0)",
    "torch.tensor([3.,1.]).median(0)",
    "[torch.Size([2,3]), torch.Size([]), torch.bool, torch.device('cuda:1'), torch.strided]",
    "[torch.contiguous_format, torch.channels_last, torch.preserve_format, torch.ones(1).layout]",
    'f"{torch.tensor(1.5):.3f} {torch.tensor(3)} {torch.tensor(7):04d} {torch.tensor(True)}"',
    'f"{torch.tensor(1.5,requires_grad=True)} {torch.tensor(2.5):8.1e}"',
    "{'a':torch.tensor(1.), 'b':(torch.nn.Parameter(torch.ones(1)),)}",
    "torch.nn.ParameterList([torch.ones(2)])",
    "torch.nn.ParameterDict({'a':torch.ones(2,3),'b':torch.ones(1)})",
    "[torch.finfo(torch.float32), torch.iinfo(torch.int8)]",
    "torch.ones(2).storage()",
    "torch.eye(2).to_sparse()",
    "torch.nn.Sequential(torch.nn.Linear(1,2),torch.nn.ReLU())",
    "torch.nn.ModuleDict({'a':torch.nn.Linear(1,2)})",
    "torch.nn.ModuleList([torch.nn.Linear(1,2) for _ in range(3)]+[torch.nn.ReLU()])",
    "torch.optim.SGD([torch.nn.Parameter(torch.ones(1))],lr=.1)",
    "torch.optim.AdamW([{'params': [torch.nn.Parameter(torch.ones(1))]}, "
    "{'params': [torch.nn.Parameter(torch.ones(1))], 'lr': 1.0}], lr=0.1)",
    "torch.distributions.Normal(0.,1.)",
    "torch.distributions.Categorical(torch.ones(3))",
    "torch.nn.Linear(2,2).load_state_dict(torch.nn.Linear(2,2).state_dict())",
    "torch.nn.Transformer(4,2,1,1,8)",
    "torch.tensor([1,2]).unique(return_counts=True)",
    "torch.histogram(torch.ones(3),3)",
    "torch.nn.UninitializedParameter()",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated", "ignore:enable_nested_tensor")
@pytest.mark.parametrize("line", PRINTED)
def test_everything_else_prints_the_same(torch, line):
    texts = [repr(eval(line, {"torch": lib})) for lib in (tensorgrad, torch)]
    assert texts[0] == texts[1]


def test_subclasses_and_nodes(torch):
    for lib in (tensorgrad, torch):
        image = type("Image", (lib.Tensor,), {})
        x = lib.ones(2, requires_grad=True)
        assert repr(lib.eye(2).as_subclass(image)) == "Image([[1., 0.],\n       [0., 1.]])"
        assert repr((x * 2).grad_fn).startswith("<MulBackward0 object at 0x")
        assert str((x * 2).grad_fn.next_functions[0][0]).startswith("<AccumulateGrad object at 0x")
    x = tensorgrad.ones(2, requires_grad=True)
    image = type("Image", (tensorgrad.Tensor,), {})
    ((x * 3).as_subclass(image).sum() + x.as_subclass(image).sum()).backward()
    assert x.grad.tolist() == [4.0, 4.0]
    with pytest.raises(TypeError, match="must be a subclass of Tensor"):
        x.as_subclass(list)


# Arguments for the modules that need some; the others are tried with none and with sizes.
SIZES = [(), (2,), (4, 2), (4, 2, 3), (2, 4, 3, 2), ((2, 2),), (0.5, 2.0)]


def module_names():
    nn = tensorgrad.nn
    return sorted(
        name for name in dir(nn)
        if isinstance(getattr(nn, name), type) and issubclass(getattr(nn, name), nn.Module)
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", module_names())
def test_every_module(torch, name):
    theirs = getattr(torch.nn, name, None)
    if theirs is None:
        pytest.skip("PyTorch has no such module")
    for sizes in SIZES:
        try:
            text = repr(theirs(*sizes))
        except Exception:
            continue
        assert repr(getattr(tensorgrad.nn, name)(*sizes)) == text
        return
    layers = {"TransformerEncoder": "TransformerEncoderLayer",
              "TransformerDecoder": "TransformerDecoderLayer"}  # fmt: skip
    others = {"RNNBase": ("GRU", 3, 4), "Unflatten": (1, (2, 3)),
              "AdaptiveLogSoftmaxWithLoss": (16, 10, [2, 5])}  # fmt: skip
    for lib in (torch, tensorgrad):
        arguments = others.get(name) or (getattr(lib.nn, layers[name])(4, 2), 2)
        text = repr(getattr(lib.nn, name)(*arguments)) if lib is torch else text
    assert repr(getattr(tensorgrad.nn, name)(*arguments)) == text


# A sample that holds without PyTorch too.
@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.float32([1, 2.5]), "tensor([1.0000, 2.5000])"),
        (np.float32([1, -2]), "tensor([ 1., -2.])"),
        (np.float32([1, np.nan, -np.inf]), "tensor([1., nan, -inf])"),
        (np.float32([1e-5, 1]), "tensor([1.0000e-05, 1.0000e+00])"),
        (np.zeros((0, 3), np.float32), "tensor([], size=(0, 3))"),
        (np.zeros(0, np.int64), "tensor([], dtype=torch.int64)"),
        (np.array(3), "tensor(3)"),
        (np.array([True, False]), "tensor([ True, False])"),
        (np.complex64([1 + 2j, -0.5j]), "tensor([1.+2.0000j, -0.-0.5000j])"),
        (np.float64([[1]]), "tensor([[1.]], dtype=torch.float64)"),
        (np.arange(1001), "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    ],
)
def test_examples(array, text):
    assert format_tensor(array) == text


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"profile": "ful"}, ValueError, "default, short, full, got 'ful'"),
        ({"precision": -1}, ValueError, "precision should be at least 0, got -1"),
        ({"precision": 2.5}, TypeError, "precision should be an integer, got 2.5"),
        ({"edgeitems": "3"}, TypeError, "edgeitems should be an integer, got '3'"),
        ({"linewidth": -80}, ValueError, "linewidth should be at least 0"),
        ({"threshold": math.nan}, ValueError, "threshold should be at least 0, got nan"),
        ({"threshold": "all"}, TypeError, "threshold should be a number, got 'all'"),
    ],
)
def test_bad_options_change_nothing(options, error, message):
    with pytest.raises(error, match=message):
        set_printoptions(**{"precision": 7, **options})
    assert get_printoptions() == DEFAULTS


def test_options_go_back_into_set_printoptions():
    set_printoptions(precision=2, sci_mode=True, linewidth=40)
    kept = get_printoptions()
    set_printoptions(profile="default")
    set_printoptions(**kept)
    assert get_printoptions() == {**DEFAULTS, "precision": 2, "sci_mode": True, "linewidth": 40}
