"""Random tensors: functions that make them, and methods that refill a tensor in place.

All take ``generator``, by default :data:`tensorgrad.default_generator`, and from the same
seed give PyTorch's numbers; :mod:`tensorgrad.kernels.sampling` says how closely. A draw has
no derivative: where the parameters of one are tracked, they get a gradient of zero.

The in-place methods fill memory in its own order, so that a transposed view gets what its
base would. They refuse a leaf that requires grad, except under ``no_grad``.
"""

from __future__ import annotations

import operator

import numpy as np

from .. import _graph, dtypes, errors
from .._graph import Tensor, ndarray, wrap
from .._inplace import _check_overlap, adopt, check_writable, write_out
from .._registry import FUNCTIONS, METHODS, function
from ..autograd.function import Function, once_differentiable
from ..creation import finish, size_of
from ..kernels import rejection, sampling
from ..random import resolve

_GIVEN = object()  # default of an argument for which None has a meaning


# --- pieces -----------------------------------------------------------------------------


def _shape(name, sizes, size):
    if size is not None:
        sizes = (*sizes, size)
    if not sizes:
        raise TypeError(f"{name}() needs a size: integers, or one sequence of them")
    return size_of(sizes)


def _tensor(name, value, argument="input"):
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name}(): argument {argument!r} must be Tensor, not {type(value).__name__}"
        )
    return value


def _integer(name, argument, value):
    """A bound as a Python integer of 64 bits."""
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name}(): argument {argument!r} must be int, not {type(value).__name__}"
        ) from None
    if not sampling.INT64_MIN <= value <= sampling.INT64_MAX:
        raise ValueError(f"{name}(): {argument}={value} does not fit in 64 bits")
    return value


def _new(draw, shape, out, dtype, requires_grad, device, default=None):
    """A new tensor of ``draw(shape, NumPy dtype)``, or ``out`` holding it."""
    own = dtypes.to_numpy(default if dtype is None else dtype)
    if out is None:
        result = finish(np.empty(0, own), requires_grad, device)  # refuses before the draw
        result._array = draw(shape, own)
        return result
    held = _held(out)
    if dtype is not None and own != held:
        raise errors.DtypeError(f"dtype {own} does not match dtype of out parameter ({held})")
    return write_out(out, wrap(draw(shape, held)))


def _held(out):
    """The dtype of an ``out`` argument that may be written to."""
    if _tensor("random function", out, "out")._edge is not None and _graph.is_recording():
        raise errors.GraphError(
            "functions with out=... don't support automatic differentiation, but out requires "
            "grad; use the functional form or torch.no_grad()"
        )
    return out._array.dtype


def _memory_order(array, draw):
    """``draw(shape)``, laid out over the axes of ``array`` from longest to shortest stride."""
    if array.flags.c_contiguous:
        return draw(array.shape)
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    drawn = draw(tuple(array.shape[axis] for axis in order))
    return drawn.transpose(np.argsort(order))


def _like(name, input, dtype, requires_grad, device, draw):
    """A new tensor in the shape and memory layout of ``input``; draws with (shape, model)."""
    own = None if dtype is None else dtypes.to_numpy(dtype)
    model = np.empty_like(_tensor(name, input)._array, own)
    result = finish(model, requires_grad, device)  # refuses before the draw
    result._array = _memory_order(model, lambda shape: draw(shape, model))
    return result


def _refill(target, draw):
    """Draw anew what ``target`` holds; ``draw(shape, array)`` returns the values."""
    check_writable(target)
    array = target._array
    _check_overlap(array)
    if not array.flags.writeable:
        raise errors.GraphError("the memory of this tensor is read-only; clone() it first")
    values = _memory_order(array, lambda shape: draw(shape, array))
    return adopt(target, _depend(values.astype(array.dtype, copy=False), target))


def _depend(values, *sources):
    """A tensor of ``values`` that hands a zero gradient to those ``sources`` that are tracked."""
    result = wrap(values)
    for source in sources:
        if isinstance(source, Tensor) and source._edge is not None and _graph.is_recording():
            result = FUNCTIONS["where"](wrap(np.array(True)), result, source)
    return result


def _method(fn):
    METHODS[fn.__name__] = fn
    return fn


# --- new tensors ------------------------------------------------------------------------


@function
def rand(
    *sizes, size=None, generator=None, out=None, dtype=None, layout=None, device=None,
    requires_grad=False, pin_memory=False,
):  # fmt: skip
    """Numbers uniform on [0, 1), of shape ``sizes`` (integers, or one sequence of them).

    Raises:
        NotImplementedError: ``dtype`` is not floating or complex.

    >>> import tensorgrad
    >>> _ = tensorgrad.manual_seed(0)
    >>> tensorgrad.rand(3)
    tensor([0.4963, 0.7682, 0.0885])
    """
    generator = resolve(generator)
    return _new(
        lambda shape, own: sampling.uniform(generator, shape, 0.0, 1.0, own),
        _shape("rand", sizes, size), out, dtype, requires_grad, device,
    )  # fmt: skip


@function
def randn(
    *sizes, size=None, generator=None, out=None, dtype=None, layout=None, device=None,
    requires_grad=False, pin_memory=False,
):  # fmt: skip
    """Standard normal numbers, of shape ``sizes`` (integers, or one sequence of them).

    Complex ones have variance 1, one half in each part.

    Raises:
        NotImplementedError: ``dtype`` is not floating or complex.

    >>> import tensorgrad
    >>> _ = tensorgrad.manual_seed(0)
    >>> tensorgrad.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    generator = resolve(generator)
    return _new(
        lambda shape, own: sampling.normal(generator, shape, 0.0, 1.0, own),
        _shape("randn", sizes, size), out, dtype, requires_grad, device,
    )  # fmt: skip


@function
def rand_like(
    input, *, generator=None, dtype=None, layout=None, device=None, requires_grad=False,
    memory_format=None,
):  # fmt: skip
    """Numbers uniform on [0, 1) in the shape and dtype of ``input``."""
    generator = resolve(generator)

    def draw(shape, model):
        return sampling.uniform(generator, shape, 0.0, 1.0, model.dtype)

    return _like("rand_like", input, dtype, requires_grad, device, draw)


@function
def randn_like(
    input, *, generator=None, dtype=None, layout=None, device=None, requires_grad=False,
    memory_format=None,
):  # fmt: skip
    """Standard normal numbers in the shape and dtype of ``input``."""
    generator = resolve(generator)

    def draw(shape, model):
        dense = model.flags.c_contiguous
        return sampling.normal(generator, shape, 0.0, 1.0, model.dtype, dense=dense)

    return _like("randn_like", input, dtype, requires_grad, device, draw)


def _bounds(name, given, low, high):
    """The bounds meant by ``(high)``, ``(low, high)`` or keywords."""
    if len(given) > 2:
        raise TypeError(f"{name}() takes at most low, high and a size, got {len(given)} bounds")
    if len(given) == 2:
        low, high = given
    elif given and high is None:
        (high,) = given
    elif given:
        (low,) = given
    if high is None:
        raise TypeError(f"{name}() missing required argument 'high'")
    return _integer(name, "low", low), _integer(name, "high", high)


@function
def randint(
    *bounds, low=0, high=None, size=None, generator=None, out=None, dtype=None, layout=None,
    device=None, requires_grad=False, pin_memory=False,
):  # fmt: skip
    """Integers uniform on [low, high): ``randint(high, size)`` or ``randint(low, high, size)``.

    ``size`` is a sequence; ``dtype`` defaults to int64 and may be floating.

    Raises:
        RuntimeError: ``low >= high``, or ``dtype`` cannot hold a bound.
        TypeError: a bound is not an integer, or there is no size.

    >>> import tensorgrad
    >>> _ = tensorgrad.manual_seed(0)
    >>> tensorgrad.randint(3, 10, (4,))
    tensor([7, 6, 3, 5])
    """
    if size is None and bounds:
        *bounds, size = bounds
    if not isinstance(size, list | tuple):
        raise TypeError(f"randint(): argument 'size' must be tuple of ints, got {size!r}")
    low, high = _bounds("randint", bounds, low, high)
    generator = resolve(generator)
    return _new(
        lambda shape, own: sampling.randint(generator, shape, low, high, own),
        size_of((size,)), out, dtype, requires_grad, device, default=dtypes.int64,
    )  # fmt: skip


@function
def randint_like(
    input, *bounds, low=0, high=None, generator=None, dtype=None, layout=None, device=None,
    requires_grad=False, memory_format=None,
):  # fmt: skip
    """Integers uniform on [low, high) in the shape and dtype of ``input``.

    ``randint_like(input, high)`` or ``randint_like(input, low, high)``.
    """
    low, high = _bounds("randint_like", bounds, low, high)
    generator = resolve(generator)

    def draw(shape, model):
        return sampling.randint(generator, shape, low, high, model.dtype)

    return _like("randint_like", input, dtype, requires_grad, device, draw)


@function
def randperm(
    n, *, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False,
    pin_memory=False,
):  # fmt: skip
    """The integers 0 to ``n - 1`` in random order.

    Raises:
        RuntimeError: ``n`` is negative, or too large for ``dtype`` (int64 by default).

    >>> import tensorgrad
    >>> _ = tensorgrad.manual_seed(0)
    >>> tensorgrad.randperm(5)
    tensor([4, 0, 1, 3, 2])
    """
    n, generator = _integer("randperm", "n", n), resolve(generator)
    return _new(
        lambda shape, own: sampling.randperm(generator, n, own),
        None, out, dtype, requires_grad, device, default=dtypes.int64,
    )  # fmt: skip


@function
def normal(
    mean=0.0, std=1.0, size=None, *, generator=None, out=None, dtype=None, layout=None, device=None,
    requires_grad=False, pin_memory=False,
):  # fmt: skip
    """Normal numbers of given mean and standard deviation, each a number or a tensor.

    With tensors the result has their broadcast shape and the dtype of the first; with two
    numbers, shape ``size``.

    Raises:
        RuntimeError: a standard deviation is negative, or the shapes do not broadcast.
        TypeError: two numbers and no size, or a tensor and a size.

    >>> import tensorgrad
    >>> _ = tensorgrad.manual_seed(0)
    >>> tensorgrad.normal(tensorgrad.tensor([0.0, 100.0]), 1.0)
    tensor([ 1.5410, 99.7066])
    """
    generator = resolve(generator)
    tensors = [x for x in (mean, std) if isinstance(x, Tensor)]
    if bool(tensors) == (size is not None):
        raise TypeError(
            "normal() takes a tensor as mean or std, or numbers and a size, got mean="
            f"{errors.describe(mean)}, std={errors.describe(std)}, size={size!r}"
        )
    if not tensors:
        return _new(
            lambda shape, own: sampling.normal(generator, shape, mean, std, own),
            size_of((size,)), out, dtype, requires_grad, device,
        )  # fmt: skip
    try:
        shape = np.broadcast_shapes(*[x._array.shape for x in tensors])
    except ValueError:
        raise errors.ShapeError(
            f"normal: mean {errors.describe(mean)} and std {errors.describe(std)} do not broadcast"
        ) from None
    own = tensors[0]._array.dtype if out is None else _held(out)
    centre = mean._array if isinstance(mean, Tensor) else float(mean)
    if isinstance(std, Tensor):
        if std._array.dtype.kind == "c" or not np.all(std._array >= 0):
            raise RuntimeError("normal expects all elements of std >= 0.0")
        values = sampling.normal(generator, shape, 0.0, 1.0, own)
        np.multiply(values, std._array, out=values, casting="unsafe")
    else:
        values = sampling.normal(generator, shape, 0.0, std, own)
    np.add(values, centre, out=values, casting="unsafe")
    return _depend(values, mean, std) if out is None else write_out(out, wrap(values))


@function(method=True)
def bernoulli(input, p=None, *, generator=None, out=None):
    """Ones and zeros in the shape and dtype of ``input``, which holds the probabilities of one.

    With a number ``p``, that is the probability everywhere, and ``input`` gives the shape.

    Raises:
        RuntimeError: a probability outside [0, 1].
        NotImplementedError: the probabilities are not floating-point numbers.

    >>> import tensorgrad
    >>> tensorgrad.bernoulli(tensorgrad.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    array, generator = _tensor("bernoulli", input)._array, resolve(generator)
    odds = array if p is None else p
    if out is not None:
        drawn = sampling.bernoulli(generator, array.shape, odds, _held(out))
        return write_out(out, wrap(drawn))
    return _depend(sampling.bernoulli(generator, array.shape, odds, array.dtype), input)


@function(method=True)
def multinomial(input, num_samples, replacement=False, *, generator=None, out=None):
    """Indices drawn with probabilities proportional to ``input`` along its last dimension.

    Args:
        input: weights (categories,) or (rows, categories); they need not sum to one.
        num_samples: indices per row.
        replacement: whether an index may come again.
        generator: the source.
        out: an int64 tensor for the result.

    Raises:
        RuntimeError: weights negative, not finite or all zero, or more samples than
            categories without replacement.

    >>> import tensorgrad
    >>> tensorgrad.multinomial(tensorgrad.tensor([0.0, 3.0, 0.0]), 2, replacement=True)
    tensor([1, 1])
    """
    weights, generator = _tensor("multinomial", input)._array, resolve(generator)
    count = _integer("multinomial", "num_samples", num_samples)
    if out is not None and _held(out) != np.int64:
        raise errors.DtypeError(f"multinomial expects an int64 out, got {out._array.dtype}")
    result = wrap(sampling.multinomial(generator, weights, count, bool(replacement)))
    return result if out is None else write_out(out, result)


@function
def poisson(input, generator=None):
    """Poisson counts in the shape and dtype of ``input``, which holds the rates.

    Raises:
        RuntimeError: a rate is negative or not finite.
        NotImplementedError: the rates are not floating-point numbers.

    >>> import tensorgrad
    >>> tensorgrad.poisson(tensorgrad.zeros(2))
    tensor([0., 0.])
    """
    rates, generator = _tensor("poisson", input)._array, resolve(generator)
    return _depend(sampling.poisson(generator, rates), input)


class _Binomial(Function):
    @staticmethod
    def forward(ctx, count, prob, generator):
        return wrap(rejection.binomial(generator, *np.broadcast_arrays(count._array, prob._array)))

    @staticmethod
    def backward(ctx, grad):
        raise NotImplementedError(
            "binomial: a count of successes has no derivative; pass count.detach(), prob.detach()"
        )


@function
def binomial(count, prob, generator=None):
    """Numbers of successes in ``count`` trials of probability ``prob`` each.

    The two broadcast; the result has their dtype and no derivative.

    Raises:
        ValueError: an argument is not of a floating dtype.
        RuntimeError: the dtypes differ, or the shapes do not broadcast.

    >>> import tensorgrad as torch
    >>> torch.binomial(torch.tensor([5.0, 5.0]), torch.tensor([0.0, 1.0]))
    tensor([0., 5.])
    """
    n, p = _tensor("binomial", count, "count")._array, _tensor("binomial", prob, "prob")._array
    for argument, array in (("count", n), ("prob", p)):
        if array.dtype.kind != "f":
            raise ValueError(
                f"binomial only supports floating-point dtypes for {argument}, got: {array.dtype}"
            )
    if n.dtype != p.dtype:
        raise errors.DtypeError(f"binomial: count is {n.dtype} but prob is {p.dtype}; cast one")
    try:
        np.broadcast_shapes(n.shape, p.shape)
    except ValueError:
        raise errors.ShapeError(
            f"binomial: count of shape {n.shape} and prob of shape {p.shape} do not broadcast"
        ) from None
    return _Binomial.apply(count, prob, resolve(generator))


class _StandardGamma(Function):
    @staticmethod
    def forward(ctx, alpha, generator):
        drawn = wrap(rejection.standard_gamma(generator, alpha._array))
        ctx.save_for_backward(alpha, drawn)
        return drawn

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        from ..kernels.implicit import gamma_slope

        alpha, drawn = ctx.saved_tensors
        return grad * wrap(gamma_slope(alpha._array, drawn._array)), None


def _standard_gamma(input, generator=None):
    """Gamma draws of rate 1, ``input`` holding the shape parameters, differentiable in them.

    >>> import tensorgrad as torch
    >>> bool(torch._standard_gamma(torch.tensor(2.0)) > 0)
    True
    """
    return _StandardGamma.apply(_tensor("_standard_gamma", input), resolve(generator))


class _SampleDirichlet(Function):
    @staticmethod
    def forward(ctx, alpha, generator):
        drawn = wrap(rejection.dirichlet(generator, alpha._array))
        ctx.save_for_backward(alpha, drawn)
        return drawn

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        alpha, drawn = ctx.saved_tensors
        slope = _dirichlet_grad(drawn, alpha, alpha.sum(-1, True))
        return slope * (grad - (drawn * grad).sum(-1, True)), None


def _sample_dirichlet(input, generator=None):
    """Points of the simplex, ``input`` holding their concentrations along the last dimension.

    Differentiable in ``input``.
    """
    return _SampleDirichlet.apply(_tensor("_sample_dirichlet", input), resolve(generator))


def _dirichlet_grad(x, alpha, total):
    """How each share ``x`` of a Dirichlet draw moves with its concentration, over ``1 - x``.

    Args:
        x: the draw.
        alpha: the concentrations.
        total: their sum along the last dimension.
    """
    from ..kernels.implicit import dirichlet_slope

    return wrap(dirichlet_slope(x._array, alpha._array, total._array))


# --- in place ---------------------------------------------------------------------------


@_method
def uniform_(self, from_=0.0, to=1.0, *, generator=None):
    """Fill with numbers uniform on [from_, to); returns the tensor."""
    generator = resolve(generator)
    return _refill(self, lambda shape, a: sampling.uniform(generator, shape, from_, to, a.dtype))


@_method
def normal_(self, mean=0.0, std=1.0, *, generator=None):
    """Fill with normal numbers; returns the tensor."""
    generator = resolve(generator)

    def draw(shape, array):
        dense = array.flags.c_contiguous
        return sampling.normal(generator, shape, mean, std, array.dtype, dense=dense)

    return _refill(self, draw)


@_method
def random_(self, from_=_GIVEN, to=_GIVEN, *, generator=None):
    """Fill with integers; returns the tensor.

    ``random_()`` takes all from 0 to the largest of the dtype (2**24 in float32),
    ``random_(to)`` those below ``to``, ``random_(from_, to)`` those on [from_, to), and
    ``random_(from_, None)`` those from ``from_`` on.
    """
    if to is _GIVEN and from_ is not _GIVEN:
        from_, to = 0, from_
    generator = resolve(generator)
    low = None if from_ is _GIVEN else _integer("random_", "from", from_)
    if to is None or to is _GIVEN:
        return _refill(self, lambda shape, a: sampling.random(generator, shape, low, a.dtype))
    high, low = _integer("random_", "to", to), low or 0
    return _refill(self, lambda shape, a: sampling.randint(generator, shape, low, high, a.dtype))


@_method
def bernoulli_(self, p=0.5, *, generator=None):
    """Fill with ones of probability ``p``, a number or a tensor, and zeros; returns the tensor."""
    generator = resolve(generator)
    odds = p._array if isinstance(p, Tensor) else p

    def draw(shape, array):
        return sampling.bernoulli(generator, shape, _along(odds, array), array.dtype)

    return _refill(self, draw)


def _along(odds, array):
    """Probabilities in the order in which :func:`_memory_order` walks ``array``."""
    if not isinstance(odds, ndarray) or array.flags.c_contiguous:
        return odds
    try:
        odds = np.broadcast_to(odds, array.shape)
    except ValueError:
        raise errors.ShapeError(
            f"bernoulli_: probabilities of shape {odds.shape} do not broadcast to {array.shape}"
        ) from None
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    return odds.transpose(order)


@_method
def exponential_(self, lambd=1.0, *, generator=None):
    """Fill with exponential numbers of mean ``1 / lambd``; returns the tensor."""
    generator = resolve(generator)
    return _refill(self, lambda shape, a: sampling.exponential(generator, shape, lambd, a.dtype))


@_method
def cauchy_(self, median=0.0, sigma=1.0, *, generator=None):
    """Fill with Cauchy numbers of ``median`` and half-width ``sigma``; returns the tensor."""
    generator = resolve(generator)

    def draw(shape, array):
        return rejection.cauchy(generator, shape, median, sigma, array.dtype)

    return _refill(self, draw)


@_method
def log_normal_(self, mean=1.0, std=2.0, *, generator=None):
    """Fill with exponentials of normal numbers of ``mean`` and ``std``; returns the tensor."""
    generator = resolve(generator)

    def draw(shape, array):
        return rejection.log_normal(generator, shape, mean, std, array.dtype)

    return _refill(self, draw)


@_method
def geometric_(self, p, *, generator=None):
    """Fill with numbers of trials, each of probability ``p``, up to a success; returns the tensor.

    Of any integer or floating dtype; the least number is 1.
    """
    generator = resolve(generator)
    return _refill(self, lambda shape, a: rejection.geometric(generator, shape, p, a.dtype))
