"""Every registered op is tested here; registering one is what adds its tests.

Hypothesis draws shapes, attributes and a seed; the values are uniform in the op's domain, where
ties and kinks have probability zero (those are tested beside PyTorch). Derivatives are compared
with central differences in float64 along a random direction.
"""

import gc
import itertools
import weakref

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad._graph import wrap
from tensorgrad._registry import OPS, REQUIRED

# What takes or makes complex numbers only is tested in tests/test_complex.py.
COMPLEX_ONLY = {"imag", "complex", "view_as_real", "view_as_complex", "linalg_eig",
                "linalg_eig_values"}  # fmt: skip
# These read one triangle, and their gradient is that of the Hermitian matrix, not of its
# elements: tests/test_linalg.py. And what has no derivative in some input: tests/test_special.py.
HERMITIAN = {"cholesky", "eigh_values", "eigh_vectors"}
PARTIAL = {"undifferentiable_qr", "igamma", "igammac", "zeta"}
DIFFERENTIABLE = sorted(
    n
    for n, op in OPS.items()
    if (op.vjps or op.joint)
    and n not in COMPLEX_ONLY | HERMITIAN | PARTIAL
    and not n.startswith(("fft_", "sparse_"))
    and "bessel" not in n
)
ops = pytest.mark.parametrize("name", DIFFERENTIABLE)
examples = settings(max_examples=12, deadline=None)


class Draw:
    """Draws what a case needs: shapes and attributes from Hypothesis, values from a seed."""

    def __init__(self, data, op):
        self.data, self.op = data, op
        self.rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))

    def choice(self, *values):
        return self.data.draw(st.sampled_from(values))

    def integer(self, low, high):
        return self.data.draw(st.integers(low, high))

    def shape(self, min_dims=0, max_dims=3, min_side=0, max_side=3):
        min_side = max(min_side, self.choice(1, 1, 1, 0))  # empty ones tell little: one in four
        sides = {"min_side": min_side, "max_side": max_side}
        return self.data.draw(array_shapes(min_dims=min_dims, max_dims=max_dims, **sides))

    def floats(self, shape):
        low, high = self.op.domain
        return np.asarray(self.rng.uniform(low, high, shape))

    def x(self, **kwargs):
        return self.floats(self.shape(**kwargs))

    def mask(self, shape):
        return self.rng.random(shape) < 0.5

    def axis(self, x):
        return self.integer(-x.ndim, x.ndim - 1)

    def axes(self, x):
        """None, one axis, or several."""
        if x.ndim == 0:
            return None
        several = tuple(self.data.draw(st.sets(st.integers(0, x.ndim - 1), min_size=1)))
        return self.choice(None, self.axis(x), several)

    def broadcastable(self, count):
        sides = {"min_side": self.choice(1, 1, 1, 0), "max_side": 3}
        shapes = self.data.draw(
            mutually_broadcastable_shapes(num_shapes=count, max_dims=3, **sides)
        )
        return [self.floats(s) for s in shapes.input_shapes]

    def permutation(self, n):
        return tuple(self.data.draw(st.permutations(range(n))))


def on_axis(d):
    x = d.x(min_dims=1, min_side=1)
    return [x], {"dim": d.axis(x)}


def reduction(d, min_side=1, **attrs):
    x = d.x(min_side=min_side)
    return [x], {"dim": d.axes(x), "keepdim": d.choice(False, True), **attrs}


def whole(d):
    return [d.x(min_side=1)], {}


def condition(d):
    x, y = d.broadcastable(2)
    return [d.mask(d.choice(x.shape, y.shape)), x, y], {}


def expand(d):
    shape = d.shape()
    own = tuple(d.choice(1, n) for n in shape)[d.integer(0, len(shape)):]
    return [d.floats(own)], {"shape": shape}


def sum_to(d):
    shape = d.shape()
    own = tuple(d.choice(1, n) for n in shape)[d.integer(0, len(shape)):]
    return [d.floats(shape)], {"shape": own}


def reshape(d):
    x = d.x()
    return [x], {"shape": d.permutation(x.ndim) and x.shape[::-1]} if x.ndim else {"shape": (1, 1)}


def squeeze(d):
    """The public function has found the dimensions of size one among those named."""
    x = d.floats(tuple(d.choice(1, n) for n in d.shape(min_dims=1)))
    ones = [i for i, n in enumerate(x.shape) if n == 1]
    return [x], {"dim": tuple(i for i in ones if d.choice(True, False))}


def unsqueeze(d):
    x = d.x()
    return [x], {"dim": d.integer(-x.ndim - 1, x.ndim)}


def transpose(d):
    x = d.x(min_dims=1)
    return [x], {"dim0": d.axis(x), "dim1": d.axis(x)}


def permute(d):
    x = d.x()
    return [x], {"dims": d.permutation(x.ndim)}


INDICES = [
    (0,), (-1,), (slice(None),), (slice(1, 3),), (slice(None, None, 2),), (slice(3, 0, -1),),
    (None, 1), (Ellipsis, 0), (slice(0, 2), None, 1), (1, slice(None), slice(2)), (Ellipsis,),
    (slice(2, 2),),
]  # fmt: skip


def basic_index(d):
    return [d.floats((4, 3, 2))], {"index": d.choice(*INDICES)}


def put(d):
    index = d.choice(*INDICES)
    return [d.floats(np.empty((4, 3, 2))[index].shape)], {"shape": (4, 3, 2), "index": index}


def join(d):
    shape = d.shape(min_dims=1)
    dim = d.integer(-len(shape), len(shape) - 1)
    xs = []
    for _ in range(d.integer(1, 3)):
        own = list(shape)
        own[dim] = d.integer(0, 3)
        xs.append(d.floats(tuple(own)))
    return xs, {"dim": dim}


def pile(d):
    shape = d.shape()
    xs = [d.floats(shape) for _ in range(d.integer(1, 3))]
    return xs, {"dim": d.integer(-len(shape) - 1, len(shape))}


def flip(d):
    x = d.x(min_dims=1)
    return [x], {"dims": (d.axis(x),)}


def roll(d):
    x = d.x(min_dims=1)
    return [x], {"shifts": (d.integer(-4, 4),), "dims": (d.axis(x),)}


def repeat(d):
    x = d.x(max_dims=2)
    lead = d.integer(0, 1)
    return [x], {"repeats": tuple(d.integer(0, 3) for _ in range(x.ndim + lead))}


def constant_pad(d):
    x = d.x(min_dims=1, min_side=2)
    pads = tuple((d.integer(-1, 2), d.integer(-1, 2)) for _ in x.shape)
    return [x], {"pad": pads, "value": d.choice(0.0, 1.5)}


def diagonal(d):
    x = d.x(min_dims=2)
    first, second = d.permutation(x.ndim)[:2]
    return [x], {"offset": d.integer(-1, 1), "dim1": first, "dim2": second}


def diagonal_put(d):
    (x,), attrs = diagonal(d)
    region = np.diagonal(x, attrs["offset"], attrs["dim1"], attrs["dim2"])
    return [d.floats(region.shape)], {"shape": x.shape, **attrs}


def triangle(d):
    return [d.x(min_dims=2)], {"diagonal": d.integer(-2, 2)}


def windows(d):
    x = d.x(min_dims=1, min_side=2, max_side=5)
    axis = d.integer(0, x.ndim - 1)
    return [x], {"dimension": axis, "size": d.integer(1, x.shape[axis]), "step": d.integer(1, 3)}


def overlap_add(d):
    (x,), attrs = windows(d)
    shape = OPS["unfold"].forward(x, **attrs).shape
    return [d.floats(shape)], {"shape": x.shape, **attrs}


STRIDED = [
    ((2, 2), (1, 2), 0), ((3,), (0,), 1), ((2, 3), (3, 1), 2), ((), (), 4), ((2, 2), (1, 1), 0),
]  # fmt: skip


def as_strided(d):
    size, stride, offset = d.choice(*STRIDED)
    return [d.floats((3, 4))], {"size": size, "stride": stride, "storage_offset": offset}


def strided_add(d):
    _, attrs = as_strided(d)
    return [d.floats(attrs["size"])], {"shape": (3, 4), **attrs}


def view_put(d):
    x = d.floats((4, 3, 2))
    index = d.choice((slice(1, 3),), (slice(None, None, 2),))
    chain = ((OPS["slice_view"], {"index": index}), (OPS["permute"], {"dims": (2, 0, 1)}))
    region = x[index].transpose(2, 0, 1)
    return [x, d.floats(region.shape)], {"chain": chain}


def recurrence(d):
    shape = d.shape(min_dims=1, min_side=1)
    return [d.floats(shape), d.floats(shape)], {"dim": d.integer(0, len(shape) - 1)}


def delay(d):
    x = d.x(min_dims=1, min_side=1)
    return [x], {"dim": d.integer(0, x.ndim - 1), "first": d.choice(0.0, 1.0)}


def picked(d):
    x = d.x(min_dims=1, min_side=1)
    dim = d.integer(0, x.ndim - 1)
    return x, x.argmax(dim), dim, d.choice(True, False)


def pick(d):
    x, index, dim, keepdim = picked(d)
    index = np.expand_dims(index, dim)
    return [x], {"index": index, "dim": dim, "keepdim": keepdim}


def place(d):
    x, index, dim, keepdim = picked(d)
    value = d.floats(np.expand_dims(index, dim).shape if keepdim else index.shape)
    attrs = {"index": np.expand_dims(index, dim), "dim": dim, "shape": x.shape}
    return [value], {**attrs, "keepdim": keepdim}


def spread(d):
    """For var and std: enough values that the correction leaves some."""
    x = d.x(min_side=3, max_side=4)
    dims = d.axes(x) if x.ndim else None
    if x.ndim == 0:
        return [d.floats((4,))], {"dim": None, "correction": 0, "keepdim": False}
    return [x], {"dim": dims, "correction": d.choice(0, 1), "keepdim": d.choice(True, False)}


def norm(d):
    (x,), attrs = reduction(d)
    return [x], {"p": d.choice(2.0, 1.0, 3.0, float("inf")), **attrs}


def clamp(d):
    x, low, high = d.broadcastable(3)
    return [x, d.choice(-1.0, low), d.choice(1.0, high)], {}


def bounded(d):
    x, bound = d.broadcastable(2)
    return [x, d.choice(0.5, bound)], {}


def filled(d):
    return [d.x(), d.floats(())], {}


def masked_fill(d):
    x = d.x()
    return [x, d.mask(x.shape), d.floats(())], {}


def kept(d):
    x = d.x()
    return [x, d.mask(x.shape)], {}


def copied(d):
    shape = d.shape()
    own = tuple(d.choice(1, n) for n in shape)
    return [d.floats(shape), d.floats(own)], {"non_blocking": False}


def number_first(d):
    return [d.choice(0.5, 2.0), d.x()], {}


def number_second(d):
    return [d.x(), d.choice(-1.5, 2.0, 3, 0.5)], {}


def classes(d):
    n, c = d.integer(1, 4), d.integer(1, 4)
    return [d.floats((n, c)), d.rng.integers(0, c, n)], {"scale": d.choice(1.0, 0.25)}


def one_hot(d):
    return classes(d)[0], {}


def squared(d):
    return d.broadcastable(2), {"scale": d.choice(1.0, 0.25)}


def normalised(d):
    x = d.x(min_dims=2, max_dims=3, min_side=2)
    c = x.shape[1]
    return [x, d.floats(c), d.floats(c)], {"eps": 0.1}


def attended(d):
    batch, n, m, k, f = d.shape(max_dims=2, max_side=2), *(d.integer(1, 3) for _ in range(4))
    x = [d.floats((*batch, n, k)), d.floats((*batch, m, k)), d.floats((*batch, m, f))]
    bias = d.choice(None, (n, m), (*batch, n, m), (1, m))
    drop = d.choice(None, d.mask((*batch, n, m)) * 2.0)
    return [*x, bias and d.floats(bias)], {
        "scale": 0.5, "causal": d.choice(False, True), "drop": drop,
    }  # fmt: skip


def rows(d):
    x = d.floats((d.integer(1, 3), d.integer(2, 4)))
    weight, bias = (d.choice(None, d.floats(x.shape[1:])) for _ in range(2))
    return [x, weight, bias], {"eps": 0.1}


def looked_up(d):
    table = d.floats((d.integer(1, 4), d.integer(1, 3)))
    return table, d.rng.integers(0, len(table), d.shape(max_dims=2))


def lookup(d):
    return list(looked_up(d)), {}


def shared_lookup(d):
    table, index = looked_up(d)
    attrs = {"padding_idx": d.choice(-1, 0), "scale_grad_by_freq": d.choice(False, True)}
    return [table, index], attrs


def lookup_add(d):
    (table, index), attrs = shared_lookup(d)
    return [d.floats((*index.shape, table.shape[1])), index], {"shape": table.shape, **attrs}


def product(d):
    x = d.x(min_side=1)
    dim = d.choice(None, d.axis(x)) if x.ndim else None
    return [x], {"dim": dim, "keepdim": d.choice(False, True)}


def vectors(d):
    n = d.integer(0, 4)
    return [d.floats((n,)), d.floats((n,))], {}


MATMUL = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((2, 2, 3), (3, 1)),
    ((2, 3), (2, 3, 2)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,)), ((2, 1, 3), (2, 3, 2)),
    ((2, 1, 2, 3), (3, 3, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 2)), ((2, 2, 0), (0, 1)),
]  # fmt: skip


def matmul(d):
    return [d.floats(shape) for shape in d.choice(*MATMUL)], {}


def linear(d):
    lead = d.shape(max_dims=2)
    k, n = d.integer(0, 3), d.integer(1, 3)
    weight = d.choice((n, k), (k,))
    bias = d.choice(None, d.floats(weight[:-1]))
    return [d.floats((*lead, k)), d.floats(weight), bias], {}


CONTRACTIONS = [
    ("ij", "jk", "ik"), ("ij", "jk", "ki"), ("bij", "bjk", "bik"), ("bij", "kb", "jkbi"),
    ("i", "j", "ij"), ("ij", "ij", ""), ("ij", "ji", "i"), ("aij", "ij", "a"), ("", "i", "i"),
]  # fmt: skip


def contract(d):
    xs, ys, out = d.choice(*CONTRACTIONS)
    size = {label: d.integer(0, 3) for label in "abijk"}
    x, y = (d.floats(tuple(size[label] for label in term)) for term in (xs, ys))
    return [x, y], {"xs": xs, "ys": ys, "out": out}


ADVANCED = [
    (np.array([2, 0, 2]),), (slice(None), np.array([[1, 1], [-1, 0]])), (np.array([], np.intp),),
    (np.array([0, 3, 0]), np.array([1, 2, 1])), (np.array([0, 3]), slice(None), np.array([1, 1])),
    (np.arange(24).reshape(4, 3, 2) % 3 == 0,), (slice(None), np.array([True, False, True])),
]  # fmt: skip


def advanced_index(d):
    return [d.floats((4, 3, 2))], {"index": d.choice(*ADVANCED)}


def put_add(d):
    (x,), attrs = advanced_index(d)
    return [d.floats(x[attrs["index"]].shape)], {"shape": x.shape, **attrs}


def index_put(d):
    (x,), attrs = advanced_index(d)
    shape = x[attrs["index"]].shape
    value = d.floats(d.choice(shape, shape[1:], ()))
    return [x, value], {"accumulate": d.choice(False, True), **attrs}


def gathered(d):
    x = d.x(min_dims=1, min_side=1)
    dim = d.axis(x)
    shape = [d.integer(0, n) for n in x.shape]
    shape[dim] = d.integer(0, 4)
    return x, d.rng.integers(0, x.shape[dim], shape), dim


def gather(d):
    x, index, dim = gathered(d)
    return [x, index], {"dim": dim}


def gather_add(d):
    x, index, dim = gathered(d)
    return [d.floats(index.shape), index], {"shape": x.shape, "dim": dim}


def scatter(d):
    x, index, dim = gathered(d)
    larger = tuple(n + d.integer(0, 1) for n in index.shape)
    return [x, index, d.floats(larger)], {"dim": dim}


def selected(d):
    x = d.x(min_dims=1, min_side=1)
    dim = d.axis(x)
    return x, d.rng.integers(0, x.shape[dim], d.integer(0, 4)), dim


def index_select(d):
    x, index, dim = selected(d)
    return [x, index], {"dim": dim}


def select_add(d):
    x, index, dim = selected(d)
    return [d.floats(x.take(index, dim).shape), index], {"shape": x.shape, "dim": dim}


def index_copy(d):
    x, index, dim = selected(d)
    return [x, index, d.floats(x.take(index, dim).shape)], {"dim": dim}


def index_add(d):
    inputs, attrs = index_copy(d)
    return inputs, {"alpha": d.choice(1, 2.5), **attrs}


def index_fill(d):
    x, index, dim = selected(d)
    return [x, index, d.floats(())], {"dim": dim}


def sequences(d, gates, cell=False):
    """For recurrent layers: sizes may shrink over time, as in a packed sequence."""
    sizes = sorted((d.integer(1, 3) for _ in range(d.integer(1, 3))), reverse=True)
    inputs, hidden, bias = d.integer(1, 3), d.integer(1, 3), d.choice(True, False)
    out = d.choice(hidden, 1) if cell else hidden
    states = [d.floats((sizes[0], out)), *[d.floats((sizes[0], hidden))] * cell]
    weights = [d.floats((gates * hidden, n)) for n in (inputs, out)]
    biases = [d.floats(gates * hidden) if bias else None for _ in range(2)]
    projection = [d.floats((out, hidden)) if out != hidden else None] * cell
    attrs = {"sizes": tuple(sizes), "reverse": d.choice(False, True)}
    return [d.floats((sum(sizes), inputs)), *states, *weights, *biases, *projection], attrs


def elman(d):
    inputs, attrs = sequences(d, 1)
    return inputs, {**attrs, "relu": d.choice(False, True)}


def square(d):
    """Batches of well-conditioned square matrices."""
    n = d.integer(0, 3)
    return [d.floats((*d.shape(max_dims=1), n, n)) + 8 * np.eye(n)], {}


def system(d):
    (a,), _ = square(d)
    return [a, d.floats((*a.shape[:-1], d.integer(0, 2)))], {}


def triangular_system(d):
    inputs, _ = system(d)
    return inputs, {"upper": d.choice(False, True), "unit": d.choice(False, True)}


def with_rank(d):
    """A matrix of full rank with distinct singular values."""
    m, n = d.integer(1, 4), d.integer(1, 4)
    return [d.floats((m, n)) + 4 * np.eye(m, n) * np.arange(1, n + 1)], {}


def high(d):
    (x,), _ = with_rank(d)
    return [x if x.shape[0] >= x.shape[1] else x.T.copy()], {}


def scanned(d):
    """(sizes of an image, attributes of windows over it), of one or two dimensions."""
    n = d.integer(1, 2)
    kernel, stride, dilation = (tuple(d.integer(1, 2) for _ in range(n)) for _ in range(3))
    padding = tuple(d.integer(0, k // 2) for k in kernel)
    shape = tuple((k - 1) * r + d.integer(1, 3) for k, r in zip(kernel, dilation, strict=True))
    size = tuple((a + 2 * p - r * (k - 1) - 1) // s + 1 for a, k, s, p, r in
                 zip(shape, kernel, stride, padding, dilation, strict=True))  # fmt: skip
    attrs = {"stride": stride, "padding": padding, "dilation": dilation}
    return shape, kernel, size, attrs


def convolution(d):
    """((x, weight, y), (sizes of each), attributes) that fit each other."""
    shape, kernel, size, attrs = scanned(d)
    groups, n = d.integer(1, 2), d.integer(1, 2)
    inputs, outputs = (groups * d.integer(1, 2) for _ in range(2))
    arrays = (d.floats((n, inputs, *shape)), d.floats((outputs, inputs // groups, *kernel)),
              d.floats((n, outputs, *size)))  # fmt: skip
    return arrays, (shape, kernel, size), {"groups": groups, **attrs}


def convolve(d):
    (x, w, y), (_, _, size), attrs = convolution(d)
    return [x, w, d.choice(None, d.floats(y.shape[1:2]))], {"size": size, **attrs}


def convolve_input(d):
    (x, w, y), (shape, _, _), attrs = convolution(d)
    return [y, w, d.choice(None, d.floats(x.shape[1:2]))], {"size": shape, **attrs}


def convolve_weight(d):
    (x, _, y), (_, kernel, _), attrs = convolution(d)
    return [y, x], {"size": kernel, **attrs}


def image_windows(d):
    shape, kernel, size, attrs = scanned(d)
    return [d.floats((2, 1, *shape))], {"kernel": kernel, "size": size, **attrs}


def image_windows_added(d):
    shape, kernel, size, attrs = scanned(d)
    return [d.floats((2, 1, *kernel, *size))], {"shape": shape, "kernel": kernel, **attrs}


def coded(d):
    """(x, codes of the maxima of its windows, attributes)."""
    (x,), attrs = image_windows(d)
    return x, OPS["max_windows"].forward(x, **attrs)[1][0], attrs


def place_max(d):
    x, codes, attrs = coded(d)
    return [d.floats(codes.shape)], {"codes": codes, "shape": x.shape[2:], **attrs}


def pick_max(d):
    x, codes, attrs = coded(d)
    return [x], {"codes": codes, **attrs}


def averaged(d):
    """(x, y, attributes) of average pooling."""
    shape, kernel, _, attrs = scanned(d)
    del attrs["dilation"]
    size = tuple((a + 2 * p - k) // s + 1 for a, k, s, p in
                 zip(shape, kernel, attrs["stride"], attrs["padding"], strict=True))  # fmt: skip
    counts = d.floats(size) ** 2 + 1.0
    attrs = {"kernel": kernel, "size": size, "divisor": d.choice(3.0, counts), **attrs}
    return d.floats((2, 1, *shape)), d.floats((2, 1, *size)), attrs


def avg_windows(d):
    x, _, attrs = averaged(d)
    return [x], attrs


def avg_spread(d):
    x, y, attrs = averaged(d)
    return [y], {"shape": x.shape[2:], **attrs}


def bin_means(d):
    x = d.x(min_dims=3, max_dims=4, min_side=1)
    return [x], {"size": tuple(d.integer(1, 4) for _ in x.shape[2:])}


def bin_spread(d):
    y = d.x(min_dims=3, max_dims=4, min_side=1)
    return [y], {"shape": tuple(d.integer(1, 4) for _ in y.shape[2:])}


def rows_of_points(d):
    lead, n, k, m = d.shape(max_dims=1), d.integer(0, 3), d.integer(0, 3), d.integer(1, 3)
    return [d.floats((*lead, n, m)), d.floats((k, m))], {}


def scatter_product(d):
    (x, index, src), attrs = scatter(d)
    return [x + 4, src + 4], {"index": index, "include_self": d.choice(False, True), **attrs}


def scatter_extreme(d):
    inputs, attrs = scatter_product(d)
    return inputs, {"largest": d.choice(False, True), **attrs}


# Ops whose arguments cannot be guessed: a function from Draw to (inputs, attributes).
CASES = {
    "amax": reduction, "amin": reduction, "prod": product, "sum": reduction, "mean": reduction,
    "logsumexp": lambda d: ([x := d.x(min_dims=1, min_side=1)],
                            {"dim": (d.axis(x),), "keepdim": d.choice(False, True)}),
    "var": spread, "std": spread, "norm": norm,
    "max_all": whole, "min_all": whole, "mean_all": whole,
    "median_all": lambda d: ([d.x(min_side=1)], {"skip": False}),
    "tempered_exp": lambda d: (
        [d.x()], {"t": d.choice(0.5, 1.0, 1.5), "power": d.choice(1.0, 0.5, 2.0)}),
    "tempered_log_of_exp": lambda d: (
        [d.x()], {"t1": d.choice(0.0, 0.5, 1.0), "t2": d.choice(0.5, 1.0, 1.5)}),
    "tempered_log_softmax": lambda d: (
        [x := d.x(min_dims=1, min_side=1)],
        {"dim": d.axis(x), "t": d.choice(0.5, 1.0, 1.5, 4.0)}),
    "softmax": on_axis, "log_softmax": on_axis, "cumsum": on_axis, "cumprod": on_axis,
    "logcumsumexp": on_axis, "recurrence": recurrence, "delay": delay, "pick": pick,
    "place": place, "where": condition, "expand": expand, "sum_to": sum_to,
    "reshape": reshape, "squeeze": squeeze, "squeeze_dim": squeeze, "squeeze_dims": squeeze,
    "unsqueeze": unsqueeze,
    "transpose": transpose, "t": lambda d: ([d.x(max_dims=2)], {}), "permute": permute,
    "select_view": basic_index, "slice_view": basic_index, "newaxis_view": basic_index,
    "alias_view": basic_index, "split_view": basic_index, "unbind_view": basic_index, "put": put,
    "cat": join, "stack": pile, "flip": flip, "roll": roll, "repeat": repeat,
    "constant_pad": constant_pad, "diagonal": diagonal, "diagonal_put": diagonal_put,
    "tril": triangle, "triu": triangle, "unfold": windows, "overlap_add": overlap_add,
    "as_strided": as_strided, "strided_add": strided_add, "view_put": view_put,
    "cast": lambda d: ([d.x()], {"dtype": np.dtype("float64")}),
    "polygamma": lambda d: ([d.x()], {"n": d.integer(0, 2)}),
    "sinc_derivative": lambda d: ([d.x()], {"order": d.integer(1, 3)}),
    "threshold": lambda d: ([d.x()], {"threshold": 0.5, "value": 2.0}),
    "leak": lambda d: ([x := d.x(), d.mask(x.shape)], {"slope": d.choice(0.25, -0.5, 2.0)}),
    "clamp": clamp, "clamp_min": bounded, "clamp_max": bounded, "fill": filled,
    "masked_fill": masked_fill, "keep": kept, "copy": copied, "pow_of_number": number_first,
    "pow_by_number": number_second, "softmax_cross_entropy": classes,
    "matmul": matmul, "dot": vectors, "linear": linear, "contract": contract,
    "subtract_one_hot": one_hot, "squared_error": squared, "batch_norm": normalised,
    "attention": attended,
    "index": advanced_index, "put_add": put_add, "index_put": index_put, "gather": gather,
    "gather_add": gather_add, "sorted_values": gather, "topk_values": gather,
    "kth_values": gather, "scatter": scatter, "scatter_add": scatter, "index_add": index_add,
    "index_select": index_select, "select_add": select_add, "index_copy": index_copy,
    "rnn_layer": elman, "gru_layer": lambda d: sequences(d, 3),
    "lstm_layer": lambda d: sequences(d, 4, cell=True),
    "index_fill": index_fill, "convolve": convolve, "convolve_input": convolve_input,
    "convolve_weight": convolve_weight, "windows": image_windows,
    "add_windows": image_windows_added, "max_windows": image_windows, "place_max": place_max,
    "pick_max": pick_max, "avg_windows": avg_windows, "avg_spread": avg_spread,
    "bin_means": bin_means, "bin_spread": bin_spread,
    "solve": system, "inv": square, "det": square, "cofactors": square,
    "log_determinant": square, "solve_triangular": triangular_system, "matrix_exp": square,
    "qr_q": high, "qr_r": high, "svd_u": with_rank, "svd_s": with_rank, "svd_vh": with_rank,
    "eliminated": with_rank, "pinv": with_rank, "euclidean": rows_of_points,
    "scatter_product": scatter_product, "scatter_extreme": scatter_extreme, "rows_norm": rows,
    "embedding": lookup,
    "embedding_take": shared_lookup, "embedding_add": lookup_add,
}  # fmt: skip


def draw_case(data, name):
    """(op, inputs, attributes); inputs that are not float arrays are constants."""
    op = OPS[name]
    d = Draw(data, op)
    if name in CASES:
        inputs, attrs = CASES[name](d)
    else:
        inputs, attrs = d.broadcastable(len(op.inputs)), {}
        assert not [a for a, v in op.attrs.items() if v is REQUIRED], (
            f"{name} has attributes that cannot be guessed: add it to CASES"
        )
    return op, inputs, attrs


def is_variable(x):
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def locked(array):
    """The same array, refusing writes: a forward or vjp that writes into it fails."""
    array = array.view()
    array.flags.writeable = False
    return array


def run(op, inputs, attrs):
    """Call the op on arrays or Tensors as its callers do, by way of dispatch."""
    return op.apply(tuple(inputs), {**op.attrs, **attrs})


def gradients(op, inputs, attrs, g, create_graph=False):
    """(result, gradients of the float inputs), each input a leaf on read-only memory."""
    ts = [wrap(locked(x)).requires_grad_() if is_variable(x) else x for x in inputs]
    out = run(op, ts, attrs)
    out.backward(wrap(locked(g)), create_graph=create_graph)
    return out, [t for t in ts if isinstance(t, Tensor)]


def numbers(leaves):
    return [np.zeros(t.shape) if t.grad is None else t.grad.detach().numpy() for t in leaves]


# Ops that jump where a quotient is whole: rare, but with a small divisor the jumps are dense.
JUMPING = {"floor_divide", "trunc_divide", "remainder", "fmod"}


def along(f, xs, vs, h=1e-6, jumps=False):
    """Central difference of ``f`` along ``vs``: error O(h²) + O(eps/h), about 1e-9 relative.

    With ``jumps`` a case is left aside whose two sides are not of one branch: there the second
    difference is no longer O(h²).
    """
    steps = [np.asarray(h * v) if is_variable(x) else 0 for x, v in zip(xs, vs, strict=True)]
    high = f([np.asarray(x + s) if is_variable(x) else x for x, s in zip(xs, steps, strict=True)])
    low = f([np.asarray(x - s) if is_variable(x) else x for x, s in zip(xs, steps, strict=True)])
    if jumps:
        assume(np.all(np.abs(np.asarray(high) - 2 * np.asarray(f(xs)) + np.asarray(low)) < h))
    return (np.asarray(high) - np.asarray(low)) / (2 * h)


def directions(rng, inputs):
    return [np.asarray(rng.standard_normal(x.shape)) if is_variable(x) else None for x in inputs]


def value(op, inputs, attrs):
    out = run(op, inputs, attrs)
    return np.asarray(out)


def agree(got, want, scale, rtol):
    assert abs(got - want) <= rtol * (1.0 + scale), f"vjp {got!r}, finite difference {want!r}"


@ops
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_vjp_agrees_with_finite_differences(name, data):
    op, inputs, attrs = draw_case(data, name)
    rng = np.random.default_rng(0)
    kept = [x.copy() if is_variable(x) else x for x in inputs]
    g = np.asarray(rng.standard_normal(value(op, inputs, attrs).shape))
    _, leaves = gradients(op, inputs, attrs, g)
    grads = numbers(leaves)
    variables = [x for x in inputs if is_variable(x)]
    assert [a.shape for a in grads] == [x.shape for x in variables]  # an inner product hides this
    vs = directions(rng, inputs)
    terms = [a * v for a, v in zip(grads, [v for v in vs if v is not None], strict=True)]
    got = sum(float(np.sum(t)) for t in terms)
    slope = along(lambda xs: value(op, xs, attrs), inputs, vs, jumps=name in JUMPING)
    want = float(np.sum(g * slope))
    agree(got, want, sum(float(np.sum(abs(t))) for t in terms), 2e-6)
    for x, k in zip(inputs, kept, strict=True):
        np.testing.assert_array_equal(x, k, err_msg=f"{name} wrote into its input")


@ops
@given(data=st.data())
@examples
def test_array_path_equals_graph_path(name, data):
    """Bitwise; a residual is computed anew by its definition, so there to rounding."""
    op, inputs, attrs = draw_case(data, name)
    g = np.asarray(np.random.default_rng(0).standard_normal(value(op, inputs, attrs).shape))
    plain = numbers(gradients(op, inputs, attrs, g)[1])
    graph = numbers(gradients(op, inputs, attrs, g, create_graph=True)[1])
    for a, b in zip(plain, graph, strict=True):
        if op.residuals:
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
        else:
            np.testing.assert_array_equal(a, b)


@ops
@given(data=st.data())
@examples
def test_second_derivative(name, data):
    """The derivative of <u, vjp(x, g)> in x and in g, against finite differences of the vjp."""
    op, inputs, attrs = draw_case(data, name)
    rng = np.random.default_rng(0)
    g = np.asarray(rng.standard_normal(value(op, inputs, attrs).shape))
    us = [np.asarray(rng.standard_normal(x.shape)) for x in inputs if is_variable(x)]

    def first(xs):
        *xs, g = xs
        grads = numbers(gradients(op, xs, attrs, g)[1])
        return sum(float(np.sum(a * u)) for a, u in zip(grads, us, strict=True))

    ts = [wrap(x).requires_grad_() if is_variable(x) else x for x in inputs]
    leaves = [t for t in ts if isinstance(t, Tensor)]
    tracked_g = wrap(g.copy()).requires_grad_()
    grads = tg.autograd.grad(
        run(op, ts, attrs), leaves, tracked_g, create_graph=True, allow_unused=True
    )
    total = sum(((a * wrap(u)).sum() for a, u in zip(grads, us, strict=True) if a is not None),
                wrap(np.zeros(())))  # fmt: skip
    second = [None] * (len(leaves) + 1)
    if total.requires_grad:
        second = tg.autograd.grad(total, [*leaves, tracked_g], allow_unused=True)
    vs = directions(rng, [*inputs, g])
    pairs = zip(second, [v for v in vs if v is not None], strict=True)
    terms = [a.detach().numpy() * v for a, v in pairs if a is not None]
    got = sum(float(np.sum(t)) for t in terms)
    want = float(along(first, [*inputs, g], vs))
    agree(got, want, sum(float(np.sum(abs(t))) for t in terms), 2e-5)


@ops
@given(data=st.data())
@examples
def test_float32_is_kept(name, data):
    op, inputs, attrs = draw_case(data, name)
    if name == "cast":
        attrs = {"dtype": np.dtype("float32")}
    ts = [
        wrap(x.astype(np.float32)).requires_grad_() if is_variable(x) else x for x in inputs
    ]
    out = run(op, ts, attrs)
    assert out.dtype is tg.float32
    out.backward(tg.ones_like(out))
    for t in ts:
        if isinstance(t, Tensor) and t.grad is not None:
            assert t.grad.dtype is tg.float32


PROMOTING = [n for n in DIFFERENTIABLE if OPS[n].types == "promote" and n != "lerp"]  # refuses


@pytest.mark.parametrize("name", PROMOTING)
@given(data=st.data())
@examples
def test_gradients_have_the_dtype_of_their_inputs(name, data):
    """Also where the inputs differ, and the op runs in their common dtype."""
    op, inputs, attrs = draw_case(data, name)
    kinds = itertools.cycle((np.float32, np.float64))
    ts = [wrap(x.astype(next(kinds))).requires_grad_() if is_variable(x) else x for x in inputs]
    out = run(op, ts, attrs)
    out.backward(tg.ones_like(out))
    for t in ts:
        if isinstance(t, Tensor) and t.grad is not None:
            assert t.grad.dtype is t.dtype


@ops
@given(data=st.data())
@examples
def test_gradients_share_no_memory(name, data):
    op, inputs, attrs = draw_case(data, name)
    g = np.ones(value(op, inputs, attrs).shape)  # not locked: read-only arrays get copied
    leaves = [wrap(x.copy()).requires_grad_() for x in inputs if is_variable(x)]
    rest = iter(leaves)
    out = run(op, [next(rest) if is_variable(x) else x for x in inputs], attrs)
    out.backward(wrap(g))
    arrays = [*numbers(leaves), g, *[x for x in inputs if is_variable(x)]]
    for a, b in itertools.combinations(arrays, 2):
        assert not np.shares_memory(a, b)
    for t in leaves:
        assert t.grad is None or t.grad.numpy().flags.writeable


@ops
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_dropping_the_result_frees_its_node(name, data):
    op, inputs, attrs = draw_case(data, name)
    gc.disable()
    try:
        ts = [wrap(x).requires_grad_() if is_variable(x) else x for x in inputs]
        out = run(op, ts, attrs)
        node = weakref.ref(out.grad_fn)
        del out, ts
        assert node() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("name", sorted(n for n, op in OPS.items() if op.definition))
@given(data=st.data())
@examples
def test_fused_op_equals_its_definition(name, data):
    """Value, first and second derivative, to rounding."""
    op, inputs, attrs = draw_case(data, name)
    rng = np.random.default_rng(0)
    g = np.asarray(rng.standard_normal(value(op, inputs, attrs).shape))
    results = []
    for f in (lambda *ts: run(op, ts, attrs), lambda *ts: op.definition(*ts, **attrs)):
        ts = [wrap(x.copy()).requires_grad_() if is_variable(x) else x for x in inputs]
        leaves = [t for t in ts if isinstance(t, Tensor)]
        out = f(*ts)
        given = {"allow_unused": True, "materialize_grads": True}
        plain = tg.autograd.grad(out, leaves, wrap(g), retain_graph=True, **given)
        first = tg.autograd.grad(out, leaves, wrap(g), create_graph=True, allow_unused=True)
        # Along a random direction: (a * a).sum() goes along the gradient itself, which for
        # batch norm sums to zero and hides what depends on the mean.
        us = np.random.default_rng(1)
        terms = [(a * wrap(us.standard_normal(a.shape))).sum() for a in first if a is not None]
        total = sum(terms, wrap(np.zeros(())))
        second = tg.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True) \
            if total.requires_grad else []  # fmt: skip
        results.append([out, *plain, *first, *second])
    for a, b in zip(*results, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(
            a.detach().numpy(), b.detach().numpy(), rtol=1e-8, atol=1e-9
        )


@pytest.mark.parametrize("name", sorted(OPS))
def test_public_ops_are_documented(name):
    op = OPS[name]
    if op.public:
        assert op.__doc__, name
        assert ">>>" in op.__doc__, f"{name} has no example"


def test_every_case_belongs_to_an_op():
    assert set(CASES) <= set(OPS)
