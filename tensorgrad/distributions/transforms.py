"""Functions of random variables, with inverses and the logarithms of their Jacobians.

>>> import tensorgrad as torch
>>> t = torch.distributions.transforms.AffineTransform(1.0, 2.0)
>>> y = t(torch.tensor([0.0, 1.0]))
>>> y, t.inv(y)
(tensor([1., 3.]), tensor([0., 1.]))
"""

from __future__ import annotations

import math
from functools import reduce

import tensorgrad as tg

from .._tensor import Size
from . import constraints
from .utils import (
    broadcast_all,
    is_number,
    lazy_property,
    shares,
    sum_rightmost,
    tril_matrix_to_vec,
    vec_to_tril_matrix,
)

__all__ = [
    "AbsTransform", "AffineTransform", "CatTransform", "ComposeTransform", "CorrCholeskyTransform",
    "CumulativeDistributionTransform", "ExpTransform", "IndependentTransform",
    "LowerCholeskyTransform", "PositiveDefiniteTransform", "PowerTransform", "ReshapeTransform",
    "SigmoidTransform", "SoftmaxTransform", "SoftplusTransform", "StackTransform",
    "StickBreakingTransform", "TanhTransform", "Transform", "identity_transform",
]  # fmt: skip


class Transform:
    """A function ``y = t(x)`` with an inverse ``t.inv``.

    A subclass gives ``_call``, ``_inverse``, ``log_abs_det_jacobian``, ``domain`` and
    ``codomain``, and its ``sign`` if it is monotonic.

    Args:
        cache_size: 1 keeps the last x and y, so that ``t.inv(t(x))`` is x itself; 0 does not.

    Raises:
        ValueError: another cache size.
    """

    bijective = False

    def __init__(self, cache_size=0):
        if cache_size not in (0, 1):
            raise ValueError(f"a cache holds 0 or 1 values, got cache_size={cache_size}")
        self._cache_size = cache_size
        self._inv = None
        self._pair = (None, None)  # the last x and y

    def __getstate__(self):
        return {**self.__dict__, "_inv": None}

    @property
    def event_dim(self):
        """How many of the last dimensions it works on together.

        Raises:
            ValueError: the numbers before and after differ.
        """
        if self.domain.event_dim == self.codomain.event_dim:
            return self.domain.event_dim
        raise ValueError(
            f"{type(self).__name__} takes {self.domain.event_dim} dimensions together and makes "
            f"{self.codomain.event_dim}; ask domain.event_dim or codomain.event_dim"
        )

    @property
    def inv(self):
        """The inverse transform."""
        if self._inv is None:
            self._inv = _InverseTransform(self)
        return self._inv

    @property
    def sign(self):
        """1 where it increases, -1 where it decreases."""
        raise self._lacks("sign")

    def _arguments(self):
        """The arguments that another of the same kind is made with, but for the cache."""
        if type(self).__init__ is Transform.__init__:
            return ()
        raise NotImplementedError(
            f"{type(self).__name__} has an __init__ of its own, so give it a with_cache"
        )

    def _lacks(self, what):
        return NotImplementedError(f"{type(self).__name__} has no {what}")

    def with_cache(self, cache_size=1):
        """The same transform with another cache size."""
        if self._cache_size == cache_size:
            return self
        return type(self)(*self._arguments(), cache_size=cache_size)

    def __eq__(self, other):
        return self is other

    __hash__ = object.__hash__

    def __call__(self, x):
        """The image of ``x``."""
        known_x, known_y = self._pair
        return known_y if x is known_x else self._keep(x, self._call(x))[1]

    def _inv_call(self, y):
        known_x, known_y = self._pair
        return known_x if y is known_y else self._keep(self._inverse(y), y)[0]

    def _keep(self, x, y):
        if self._cache_size:
            self._pair = (x, y)
        return x, y

    def _call(self, x):
        raise self._lacks("_call")

    def _inverse(self, y):
        raise self._lacks("_inverse")

    def log_abs_det_jacobian(self, x, y):
        """``log |det dy/dx|`` at ``x``, whose image is ``y``."""
        raise self._lacks("log_abs_det_jacobian")

    def __repr__(self):
        return type(self).__name__ + "()"

    def forward_shape(self, shape):
        """The shape of the image of a tensor of ``shape``."""
        return shape

    def inverse_shape(self, shape):
        """The shape of what has an image of ``shape``."""
        return shape


def _same_kind(self, other):
    return isinstance(other, type(self))


class _InverseTransform(Transform):
    """What :attr:`Transform.inv` returns."""

    def __init__(self, transform):
        super().__init__(cache_size=transform._cache_size)
        self._inv = transform

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        """The codomain of the other."""
        return self._inv.codomain

    @constraints.dependent_property(is_discrete=False)
    def codomain(self):
        """The domain of the other."""
        return self._inv.domain

    @property
    def bijective(self):
        """That of the other."""
        return self._inv.bijective

    @property
    def sign(self):
        return self._inv.sign

    def with_cache(self, cache_size=1):
        return self._inv.with_cache(cache_size).inv

    def __eq__(self, other):
        return isinstance(other, _InverseTransform) and self._inv == other._inv

    __hash__ = object.__hash__

    def __getstate__(self):
        return self.__dict__

    def __repr__(self):
        return f"_InverseTransform({self._inv!r})"

    def __call__(self, x):
        return self._inv._inv_call(x)

    def log_abs_det_jacobian(self, x, y):
        return -self._inv.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape):
        return self._inv.inverse_shape(shape)

    def inverse_shape(self, shape):
        return self._inv.forward_shape(shape)


# --- made of other transforms ------------------------------------------------------------


def _widened(constraint, event_dim):
    extra = event_dim - constraint.event_dim
    return constraints.independent(constraint, extra) if extra > 0 else constraint


class ComposeTransform(Transform):
    """Transforms one after the other.

    Args:
        parts: the transforms, the first to be applied first.
        cache_size: 0 or 1, given to the parts.
    """

    def __init__(self, parts, cache_size=0):
        super().__init__(cache_size=cache_size)
        self.parts = [p.with_cache(cache_size) for p in parts] if cache_size else parts

    def __eq__(self, other):
        return isinstance(other, ComposeTransform) and self.parts == other.parts

    __hash__ = object.__hash__

    @property
    def _dims(self):
        """How many dimensions the whole takes together, and how many it makes."""
        gained = taken = 0
        for part in self.parts:
            taken = max(taken, part.domain.event_dim - gained)
            gained += part.codomain.event_dim - part.domain.event_dim
        return taken, taken + gained

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        """What the first part takes, over all dimensions that the whole needs."""
        return _widened(self.parts[0].domain, self._dims[0]) if self.parts else constraints.real

    @constraints.dependent_property(is_discrete=False)
    def codomain(self):
        """What the last part makes, over all dimensions that the whole needs."""
        return _widened(self.parts[-1].codomain, self._dims[1]) if self.parts else constraints.real

    @lazy_property
    def bijective(self):
        """Whether all parts are."""
        return all(p.bijective for p in self.parts)

    @lazy_property
    def sign(self):
        """The product of the signs of the parts."""
        return math.prod([p.sign for p in self.parts])

    @property
    def inv(self):
        if self._inv is None:
            self._inv = ComposeTransform([p.inv for p in reversed(self.parts)])
            self._inv._inv = self
        return self._inv

    def _arguments(self):
        return (self.parts,)

    def __call__(self, x):
        return reduce(lambda value, part: part(value), self.parts, x)

    def log_abs_det_jacobian(self, x, y):
        if not self.parts:
            return tg.zeros_like(x)
        total, dims = None, self.domain.event_dim
        for part in self.parts:
            image = y if part is self.parts[-1] else part(x)
            extra = dims - part.domain.event_dim
            term = sum_rightmost(part.log_abs_det_jacobian(x, image), extra)
            total = term if total is None else total + term
            dims += part.codomain.event_dim - part.domain.event_dim
            x = image
        return total

    def forward_shape(self, shape):
        return reduce(lambda now, part: part.forward_shape(now), self.parts, shape)

    def inverse_shape(self, shape):
        return reduce(lambda now, part: part.inverse_shape(now), reversed(self.parts), shape)

    def __repr__(self):
        parts = ",\n    ".join(repr(p) for p in self.parts)
        return f"ComposeTransform(\n    {parts}\n)"


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """``base_transform`` whose Jacobian is summed over more of the last dimensions.

    Args:
        base_transform: the transform.
        reinterpreted_batch_ndims: how many more.
        cache_size: 0 or 1.
    """

    def __init__(self, base_transform, reinterpreted_batch_ndims, cache_size=0):
        super().__init__(cache_size=cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    def _arguments(self):
        return self.base_transform, self.reinterpreted_batch_ndims

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        """That of the base, over more dimensions."""
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self):
        """That of the base, over more dimensions."""
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    @property
    def bijective(self):
        """That of the base."""
        return self.base_transform.bijective

    @property
    def sign(self):
        return self.base_transform.sign

    def _call(self, x):
        _need_dims(x.shape, self.domain.event_dim)
        return self.base_transform(x)

    def _inverse(self, y):
        _need_dims(y.shape, self.codomain.event_dim)
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x, y):
        result = self.base_transform.log_abs_det_jacobian(x, y)
        return sum_rightmost(result, self.reinterpreted_batch_ndims)

    def __repr__(self):
        return f"IndependentTransform({self.base_transform!r}, {self.reinterpreted_batch_ndims})"

    def forward_shape(self, shape):
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape):
        return self.base_transform.inverse_shape(shape)


class ReshapeTransform(Transform):
    """The last dimensions in another shape.

    Args:
        in_shape: what they are.
        out_shape: what they become.
        cache_size: 0 or 1.

    Raises:
        ValueError: the numbers of elements differ.
    """

    bijective = True

    def __init__(self, in_shape, out_shape, cache_size=0):
        self.in_shape, self.out_shape = Size(in_shape), Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError(
                f"in_shape {tuple(self.in_shape)} has {self.in_shape.numel()} elements, out_shape "
                f"{tuple(self.out_shape)} has {self.out_shape.numel()}; make them as many"
            )
        super().__init__(cache_size=cache_size)

    def _arguments(self):
        return self.in_shape, self.out_shape

    @constraints.dependent_property
    def domain(self):
        """Real, over the dimensions of ``in_shape``."""
        return constraints.independent(constraints.real, len(self.in_shape))

    @constraints.dependent_property
    def codomain(self):
        """Real, over the dimensions of ``out_shape``."""
        return constraints.independent(constraints.real, len(self.out_shape))

    def _call(self, x):
        return x.reshape(x.shape[: x.dim() - len(self.in_shape)] + self.out_shape)

    def _inverse(self, y):
        return y.reshape(y.shape[: y.dim() - len(self.out_shape)] + self.in_shape)

    def log_abs_det_jacobian(self, x, y):
        return x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])

    def forward_shape(self, shape):
        return _with_last(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape):
        return _with_last(shape, self.out_shape, self.in_shape)


def _with_last(shape, old, new):
    """``shape`` with its last dimensions, which must be ``old``, replaced by ``new``."""
    _need_dims(shape, len(old))
    cut = len(shape) - len(old)
    if tuple(shape[cut:]) != tuple(old):
        raise ValueError(f"the shape {tuple(shape)} must end in {tuple(old)}")
    return Size(shape[:cut]) + new


def _parts_of(tensor, sizes, dim):
    assert -tensor.dim() <= dim < tensor.dim(), f"the tensor has no dimension {dim}"
    assert tensor.size(dim) == sum(sizes), (
        f"size {tensor.size(dim)} of dimension {dim} is not the {sum(sizes)} that the parts need"
    )
    return tensor.split(list(sizes), dim)


class CatTransform(Transform):
    """Transforms for parts of a tensor along ``dim``.

    Args:
        tseq: the transforms.
        dim: the dimension.
        lengths: how many elements of it each part has; default 1.
        cache_size: 0 or 1, given to the parts.
    """

    def __init__(self, tseq, dim=0, lengths=None, cache_size=0):
        assert all(isinstance(t, Transform) for t in tseq), "tseq must hold Transforms"
        super().__init__(cache_size=cache_size)
        self.transforms = [t.with_cache(cache_size) if cache_size else t for t in tseq]
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        assert len(self.lengths) == len(self.transforms), "one length for each transform is needed"
        self.dim = dim

    def _arguments(self):
        return self.transforms, self.dim, self.lengths

    @lazy_property
    def event_dim(self):
        """The most of any part."""
        return max(t.event_dim for t in self.transforms)

    @lazy_property
    def length(self):
        """The size of ``dim``."""
        return sum(self.lengths)

    def _call(self, x):
        parts = _parts_of(x, self.lengths, self.dim)
        images = [t(v) for t, v in zip(self.transforms, parts, strict=True)]
        return tg.cat(images, dim=self.dim)

    def _inverse(self, y):
        parts = _parts_of(y, self.lengths, self.dim)
        return tg.cat([t.inv(v) for t, v in zip(self.transforms, parts, strict=True)], dim=self.dim)

    def log_abs_det_jacobian(self, x, y):
        xs, ys = _parts_of(x, self.lengths, self.dim), _parts_of(y, self.lengths, self.dim)
        terms = [
            sum_rightmost(t.log_abs_det_jacobian(a, b), self.event_dim - t.event_dim)
            for t, a, b in zip(self.transforms, xs, ys, strict=True)
        ]
        dim = (self.dim - x.dim() if self.dim >= 0 else self.dim) + self.event_dim
        return tg.cat(terms, dim=dim) if dim < 0 else sum(terms)

    @property
    def bijective(self):
        """Whether all parts are."""
        return all(t.bijective for t in self.transforms)

    @constraints.dependent_property
    def domain(self):
        """Those of the parts."""
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self):
        """Those of the parts."""
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


class StackTransform(Transform):
    """One transform for each index along ``dim``.

    Args:
        tseq: the transforms.
        dim: the dimension.
        cache_size: 0 or 1, given to the parts.
    """

    def __init__(self, tseq, dim=0, cache_size=0):
        assert all(isinstance(t, Transform) for t in tseq), "tseq must hold Transforms"
        super().__init__(cache_size=cache_size)
        self.transforms = [t.with_cache(cache_size) if cache_size else t for t in tseq]
        self.dim = dim

    def _arguments(self):
        return self.transforms, self.dim

    def _slice(self, z):
        _parts_of(z, [1] * len(self.transforms), self.dim)
        return z.unbind(self.dim)

    def _call(self, x):
        pairs = zip(self.transforms, self._slice(x), strict=True)
        return tg.stack([t(v) for t, v in pairs], dim=self.dim)

    def _inverse(self, y):
        pairs = zip(self.transforms, self._slice(y), strict=True)
        return tg.stack([t.inv(v) for t, v in pairs], dim=self.dim)

    def log_abs_det_jacobian(self, x, y):
        triples = zip(self.transforms, self._slice(x), self._slice(y), strict=True)
        return tg.stack([t.log_abs_det_jacobian(a, b) for t, a, b in triples], dim=self.dim)

    @property
    def bijective(self):
        """Whether all parts are."""
        return all(t.bijective for t in self.transforms)

    @constraints.dependent_property
    def domain(self):
        """Those of the parts."""
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self):
        """Those of the parts."""
        return constraints.stack([t.codomain for t in self.transforms], self.dim)


# --- element by element ------------------------------------------------------------------


class ExpTransform(Transform):
    """``y = exp(x)``."""

    domain = constraints.real
    codomain = constraints.positive
    bijective = True
    sign = 1
    __eq__, __hash__ = _same_kind, object.__hash__

    def _call(self, x):
        return x.exp()

    def _inverse(self, y):
        return y.log()

    def log_abs_det_jacobian(self, x, y):
        return x


class PowerTransform(Transform):
    """``y = x ** exponent``, for positive x.

    Args:
        exponent: a number or a tensor.
        cache_size: 0 or 1.
    """

    domain = constraints.positive
    codomain = constraints.positive
    bijective = True

    def __init__(self, exponent, cache_size=0):
        super().__init__(cache_size=cache_size)
        (self.exponent,) = broadcast_all(exponent)

    def _arguments(self):
        return (self.exponent,)

    @lazy_property
    def sign(self):
        """That of the exponent."""
        return self.exponent.sign()

    def __eq__(self, other):
        return isinstance(other, PowerTransform) and bool((self.exponent == other.exponent).all())

    __hash__ = object.__hash__

    def _call(self, x):
        return x.pow(self.exponent)

    def _inverse(self, y):
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x, y):
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape):
        return tg.broadcast_shapes(shape, self.exponent.shape)

    def inverse_shape(self, shape):
        return tg.broadcast_shapes(shape, self.exponent.shape)


def _inside_unit(p):
    """Probabilities kept above 0 and below 1, as far as their dtype can tell."""
    info = tg.finfo(p.dtype)
    return p.clamp(min=info.tiny, max=1.0 - info.eps)


class SigmoidTransform(Transform):
    """``y = 1 / (1 + exp(-x))``, and its inverse, the logit."""

    domain = constraints.real
    codomain = constraints.unit_interval
    bijective = True
    sign = 1
    __eq__, __hash__ = _same_kind, object.__hash__

    def _call(self, x):
        return _inside_unit(x.sigmoid())

    def _inverse(self, y):
        return _inside_unit(y).logit()

    def log_abs_det_jacobian(self, x, y):
        return tg.logsigmoid(x) + tg.logsigmoid(-x)


class SoftplusTransform(Transform):
    """``y = log(1 + exp(x))``, which is x above 20."""

    domain = constraints.real
    codomain = constraints.positive
    bijective = True
    sign = 1
    __eq__, __hash__ = _same_kind, object.__hash__

    def _call(self, x):
        return tg.softplus(x)

    def _inverse(self, y):
        return (-(-y).expm1()).log() + y

    def log_abs_det_jacobian(self, x, y):
        return tg.logsigmoid(x)


def _log_slope_of_tanh(x):
    """``log(1 - tanh(x)**2)`` without the cancellation, as 1 - tanh**2 = 4 s(2x) s(-2x)."""
    return math.log(4.0) + tg.logsigmoid(2 * x) + tg.logsigmoid(-2 * x)


class TanhTransform(Transform):
    """``y = tanh(x)``; with ``cache_size=1`` its inverse is exact near -1 and 1."""

    domain = constraints.real
    codomain = constraints.interval(-1.0, 1.0)
    bijective = True
    sign = 1
    __eq__, __hash__ = _same_kind, object.__hash__

    def _call(self, x):
        return x.tanh()

    def _inverse(self, y):
        return y.atanh()

    def log_abs_det_jacobian(self, x, y):
        return _log_slope_of_tanh(x)


class AbsTransform(Transform):
    """``y = |x|``; the inverse is the positive of the two."""

    domain = constraints.real
    codomain = constraints.positive
    __eq__, __hash__ = _same_kind, object.__hash__

    def _call(self, x):
        return x.abs()

    def _inverse(self, y):
        return y


def _equal(a, b):
    if is_number(a) and is_number(b):
        return a == b
    return bool((a == b).all())


class AffineTransform(Transform):
    """``y = loc + scale * x``.

    Args:
        loc: a number or a tensor.
        scale: a number or a tensor.
        event_dim: over how many of the last dimensions the Jacobian is summed.
        cache_size: 0 or 1.
    """

    bijective = True

    def __init__(self, loc, scale, event_dim=0, cache_size=0):
        super().__init__(cache_size=cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim

    def _arguments(self):
        return self.loc, self.scale, self._event_dim

    @property
    def event_dim(self):
        """As given."""
        return self._event_dim

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        """Real, over ``event_dim`` dimensions."""
        return _widened(constraints.real, self._event_dim)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self):
        """Real, over ``event_dim`` dimensions."""
        return _widened(constraints.real, self._event_dim)

    def __eq__(self, other):
        return (
            isinstance(other, AffineTransform)
            and _equal(self.loc, other.loc)
            and _equal(self.scale, other.scale)
        )

    __hash__ = object.__hash__

    @property
    def sign(self):
        """That of ``scale``."""
        if is_number(self.scale):
            return (self.scale > 0) - (self.scale < 0)
        return self.scale.sign()

    def _call(self, x):
        return self.loc + self.scale * x

    def _inverse(self, y):
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x, y):
        if is_number(self.scale):
            result = tg.full_like(x, math.log(abs(self.scale)))
        else:
            result = self.scale.abs().log()
        if self._event_dim == 0:
            return result.expand(x.shape)
        return sum_rightmost(result, self._event_dim).expand(x.shape[: -self._event_dim])

    def _shape(self, shape):
        return tg.broadcast_shapes(
            shape, getattr(self.loc, "shape", ()), getattr(self.scale, "shape", ())
        )

    def forward_shape(self, shape):
        return self._shape(shape)

    def inverse_shape(self, shape):
        return self._shape(shape)


class CumulativeDistributionTransform(Transform):
    """The distribution function of a univariate distribution, which makes its draws uniform.

    Args:
        distribution: with ``cdf``, ``icdf`` and ``log_prob``.
        cache_size: 0 or 1.
    """

    bijective = True
    codomain = constraints.unit_interval
    sign = 1

    def __init__(self, distribution, cache_size=0):
        super().__init__(cache_size=cache_size)
        self.distribution = distribution

    def _arguments(self):
        return (self.distribution,)

    @property
    def domain(self):
        """The support of the distribution."""
        return self.distribution.support

    def _call(self, x):
        return self.distribution.cdf(x)

    def _inverse(self, y):
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x, y):
        return self.distribution.log_prob(x)


# --- vectors and matrices ----------------------------------------------------------------


def _need_dims(shape, count):
    if len(shape) < count:
        raise ValueError(f"the shape {tuple(shape)} has fewer than {count} dimensions")


class SoftmaxTransform(Transform):
    """Real vectors to the simplex; vectors that differ by a constant have one image."""

    domain = constraints.real_vector
    codomain = constraints.simplex
    __eq__, __hash__ = _same_kind, object.__hash__

    def _call(self, x):
        return shares((x - x.max(-1, True)[0]).exp())

    def _inverse(self, y):
        return y.log()

    def forward_shape(self, shape):
        _need_dims(shape, 1)
        return shape

    def inverse_shape(self, shape):
        _need_dims(shape, 1)
        return shape


class StickBreakingTransform(Transform):
    """Real vectors of n elements to points of the simplex with n + 1: a stick, broken n times.

    Each element says, through a sigmoid, which share of what is left is broken off; 0 makes
    all shares equal.
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True
    __eq__, __hash__ = _same_kind, object.__hash__

    @staticmethod
    def _log_left(n, like):
        """The logarithm of how many pieces are still to come, n down to 1."""
        return tg.arange(n, 0, -1, dtype=like.dtype).log()

    def _call(self, x):
        share = _inside_unit((x - self._log_left(x.shape[-1], x)).sigmoid())
        left = tg.pad((1 - share).cumprod(-1), [1, 0], value=1.0)
        return tg.cat([left[..., :-1] * share, left[..., -1:]], -1)

    def _inverse(self, y):
        broken = y[..., :-1]
        left = (1 - broken.cumsum(-1)).clamp(min=tg.finfo(y.dtype).tiny)
        return broken.log() - left.log() + self._log_left(broken.shape[-1], y)

    def log_abs_det_jacobian(self, x, y):
        # Of each piece: what was left times s (1 - s), that is the piece times 1 - s.
        kept = tg.logsigmoid(self._log_left(x.shape[-1], x) - x)
        return (kept + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape):
        _need_dims(shape, 1)
        return Size(shape[:-1]) + (shape[-1] + 1,)

    def inverse_shape(self, shape):
        _need_dims(shape, 1)
        return Size(shape[:-1]) + (shape[-1] - 1,)


class LowerCholeskyTransform(Transform):
    """Square matrices to lower triangular ones, the diagonal through exp."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky
    __eq__, __hash__ = _same_kind, object.__hash__

    def _call(self, x):
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y):
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(Transform):
    """Square matrices to positive definite ones: ``L @ L.mT`` of a LowerCholeskyTransform."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite
    __eq__, __hash__ = _same_kind, object.__hash__

    def _call(self, x):
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y):
        return LowerCholeskyTransform().inv(tg.linalg.cholesky(y))


class CorrCholeskyTransform(Transform):
    """Real vectors of d (d - 1) / 2 elements to Cholesky factors of d x d correlation matrices.

    The elements x fill a matrix below its diagonal; their tanh are partial correlations. A row
    of the factor has the squared length 1, of which each element takes the share tanh(x)**2 of
    what is left and leaves the share 1 / cosh(x)**2, the last of it to the diagonal
    (Lewandowski, Kurowicka and Joe, "Generating random correlation matrices", 2009).
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True

    def _call(self, x):
        limit = math.atanh(1 - tg.finfo(x.dtype).eps)  # short of it something is left
        below = vec_to_tril_matrix(x.clamp(min=-limit, max=limit), diag=-1)
        left = tg.pad(below.cosh().reciprocal().cumprod(-1)[..., :-1], [1, 0], value=1.0)
        return left * (below.tanh() + tg.eye(below.shape[-1], dtype=x.dtype))

    @staticmethod
    def _left(y):
        """The squared length left before each element below the diagonal."""
        taken = tg.pad((y * y)[..., :-1], [1, 0]).cumsum(-1)
        return 1 - tril_matrix_to_vec(taken, -1)

    def _inverse(self, y):
        return (tril_matrix_to_vec(y, -1) * self._left(y).rsqrt()).atanh()

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        # Along a row y = tanh(x) * sqrt(left), left being of the x before: a triangular Jacobian.
        return (_log_slope_of_tanh(x) + 0.5 * self._left(y).log()).sum(-1)

    def forward_shape(self, shape):
        _need_dims(shape, 1)
        count = shape[-1]
        d = round((0.25 + 2 * count) ** 0.5 + 0.5)
        if d * (d - 1) // 2 != count:
            raise ValueError(
                f"the last size {count} is not d (d - 1) / 2 of any d, the number of correlations "
                "in a d x d matrix"
            )
        return Size(shape[:-1]) + (d, d)

    def inverse_shape(self, shape):
        _need_dims(shape, 2)
        if shape[-2] != shape[-1]:
            raise ValueError(f"the last two sizes of {tuple(shape)} differ; give square matrices")
        return Size(shape[:-2]) + (shape[-1] * (shape[-1] - 1) // 2,)
