"""Regions that parameters and values must lie in; ``constraint.check(value)`` says where it does.

>>> import tensorgrad as torch
>>> torch.distributions.constraints.positive.check(torch.tensor([1.0, -1.0]))
tensor([ True, False])
"""

from __future__ import annotations

import tensorgrad as tg

__all__ = [
    "Constraint", "MixtureSameFamilyConstraint", "boolean", "cat", "corr_cholesky", "dependent",
    "dependent_property", "greater_than", "greater_than_eq", "half_open_interval", "independent",
    "integer_interval", "interval", "is_dependent", "less_than", "lower_cholesky",
    "lower_triangular", "multinomial", "nonnegative", "nonnegative_integer", "one_hot", "positive",
    "positive_definite", "positive_integer", "positive_semidefinite", "real", "real_vector",
    "simplex", "square", "stack", "symmetric", "unit_interval",
]  # fmt: skip


class Constraint:
    """A region.

    Attributes:
        is_discrete: whether it holds isolated points.
        event_dim: how many of the last dimensions one point has.
    """

    is_discrete = False
    event_dim = 0

    def check(self, value):
        """Where ``value`` lies inside: bools of the shape of its batch dimensions."""
        raise NotImplementedError

    def __repr__(self):
        return type(self).__name__.removeprefix("_") + "()"


class _Dependent(Constraint):
    """A region that other values determine."""

    def __init__(self, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        self._is_discrete, self._event_dim = is_discrete, event_dim

    @property
    def is_discrete(self):
        """As of :class:`Constraint`, if it was declared."""
        return self._declared("is_discrete")

    @property
    def event_dim(self):
        """As of :class:`Constraint`, if it was declared."""
        return self._declared("event_dim")

    def _declared(self, name):
        value = getattr(self, "_" + name)
        if value is NotImplemented:
            raise NotImplementedError(
                f"this constraint depends on other values and was declared without {name}; give "
                f"{name}=... where it is declared, or ask the constraint of an instance"
            )
        return value

    def __call__(self, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        """The same with facts declared."""
        return _Dependent(
            is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
            event_dim=self._event_dim if event_dim is NotImplemented else event_dim,
        )

    def check(self, x):
        raise ValueError(
            "a constraint that depends on other values has nothing to check against; take it from "
            "an instance of the distribution or transform"
        )


class _DependentProperty(property, _Dependent):
    """A property of an instance that is a constraint, and on the class a dependent one.

    Decorates a method, with or without ``(is_discrete=..., event_dim=...)``.
    """

    def __init__(self, fn=None, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        property.__init__(self, fn)
        _Dependent.__init__(self, is_discrete=is_discrete, event_dim=event_dim)

    def __call__(self, fn):
        """Decorate ``fn``."""
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


def is_dependent(constraint) -> bool:
    """Whether ``constraint`` depends on other values, so that it cannot be checked."""
    return isinstance(constraint, _Dependent)


# --- made of other constraints -----------------------------------------------------------


def _demand_constraint(*constraints):
    for constraint in constraints:
        assert isinstance(constraint, Constraint), (
            f"a {type(constraint).__name__} where a Constraint belongs"
        )


def _too_few_dims(value, needed):
    return ValueError(
        f"the value has {value.dim()} dimensions, one point of the constraint has {needed}"
    )


class _IndependentConstraint(Constraint):
    """``base_constraint`` for every element of the last ``reinterpreted_batch_ndims`` dims."""

    def __init__(self, base_constraint, reinterpreted_batch_ndims):
        _demand_constraint(base_constraint)
        assert isinstance(reinterpreted_batch_ndims, int)
        assert reinterpreted_batch_ndims >= 0
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    @property
    def is_discrete(self):
        """That of the base."""
        return self.base_constraint.is_discrete

    @property
    def event_dim(self):
        """That of the base, and the reinterpreted dimensions."""
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def check(self, value):
        inside, last = self.base_constraint.check(value), self.reinterpreted_batch_ndims
        if inside.dim() < last:
            raise _too_few_dims(value, self.event_dim)
        return inside.reshape(inside.shape[: inside.dim() - last] + (-1,)).all(-1)

    def __repr__(self):
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(Constraint):
    """The values that every component of a mixture can take."""

    def __init__(self, base_constraint):
        _demand_constraint(base_constraint)
        self.base_constraint = base_constraint

    @property
    def is_discrete(self):
        """That of the components."""
        return self.base_constraint.is_discrete

    @property
    def event_dim(self):
        """That of the components."""
        return self.base_constraint.event_dim

    def check(self, value):
        if value.dim() < self.event_dim:
            raise _too_few_dims(value, self.event_dim)
        inside = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        return inside.reshape(inside.shape[: value.dim() - self.event_dim] + (-1,)).all(-1)

    def __repr__(self):
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


class _Cat(Constraint):
    """Constraints for parts of ``lengths`` elements along ``dim``."""

    def __init__(self, cseq, dim=0, lengths=None):
        _demand_constraint(*cseq)
        self.cseq, self.dim = list(cseq), dim
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        assert len(self.lengths) == len(self.cseq), "one length for each constraint is needed"

    @property
    def is_discrete(self):
        """Whether any part is."""
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self):
        """The most of any part."""
        return max(c.event_dim for c in self.cseq)

    def check(self, value):
        assert -value.dim() <= self.dim < value.dim(), f"value has no dimension {self.dim}"
        parts = value.split(self.lengths, self.dim)
        return tg.cat([c.check(v) for c, v in zip(self.cseq, parts, strict=True)], self.dim)


class _Stack(Constraint):
    """One constraint for each index along ``dim``."""

    def __init__(self, cseq, dim=0):
        _demand_constraint(*cseq)
        self.cseq, self.dim = list(cseq), dim

    @property
    def is_discrete(self):
        """Whether any part is."""
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self):
        """The most of any part, and the stacked dimension if it lies among those."""
        most = max(c.event_dim for c in self.cseq)
        return most + 1 if self.dim + most < 0 else most

    def check(self, value):
        assert -value.dim() <= self.dim < value.dim(), f"value has no dimension {self.dim}"
        parts = value.unbind(self.dim)
        return tg.stack([c.check(v) for c, v in zip(self.cseq, parts, strict=False)], self.dim)


# --- numbers -----------------------------------------------------------------------------


class _Real(Constraint):
    """Anything but nan."""

    def check(self, value):
        return value == value


class _Boolean(Constraint):
    """0 and 1."""

    is_discrete = True

    def check(self, value):
        return (value == 0) | (value == 1)


class _Bounded(Constraint):
    """A constraint with bounds, which its repr shows."""

    def __repr__(self):
        bounds = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__.removeprefix('_')}({bounds})"


class _Above(_Bounded):
    def __init__(self, lower_bound):
        self.lower_bound = lower_bound


class _Below(_Bounded):
    def __init__(self, upper_bound):
        self.upper_bound = upper_bound


class _Between(_Bounded):
    def __init__(self, lower_bound, upper_bound):
        self.lower_bound, self.upper_bound = lower_bound, upper_bound


class _GreaterThan(_Above):
    """(lower_bound, inf]."""

    def check(self, value):
        return self.lower_bound < value


class _GreaterThanEq(_Above):
    """[lower_bound, inf]."""

    def check(self, value):
        return self.lower_bound <= value


class _LessThan(_Below):
    """[-inf, upper_bound)."""

    def check(self, value):
        return value < self.upper_bound


class _Interval(_Between):
    """[lower_bound, upper_bound]."""

    def check(self, value):
        return (self.lower_bound <= value) & (value <= self.upper_bound)


class _HalfOpenInterval(_Between):
    """[lower_bound, upper_bound)."""

    def check(self, value):
        return (self.lower_bound <= value) & (value < self.upper_bound)


class _IntegerInterval(_Between):
    """The integers of [lower_bound, upper_bound]."""

    is_discrete = True

    def check(self, value):
        return (value % 1 == 0) & (self.lower_bound <= value) & (value <= self.upper_bound)


class _IntegerGreaterThan(_Above):
    """The integers from lower_bound on."""

    is_discrete = True

    def check(self, value):
        return (value % 1 == 0) & (value >= self.lower_bound)


# --- vectors and matrices ----------------------------------------------------------------


class _OneHot(Constraint):
    """Vectors of zeros and a single one."""

    is_discrete = True
    event_dim = 1

    def check(self, value):
        return ((value == 0) | (value == 1)).all(-1) & value.sum(-1).eq(1)


class _Simplex(Constraint):
    """Vectors of non-negative numbers whose sum is 1, to 1e-6."""

    event_dim = 1

    def check(self, value):
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class _Multinomial(Constraint):
    """Vectors of counts whose sum is at most ``upper_bound``."""

    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound):
        self.upper_bound = upper_bound

    def check(self, x):
        return (x >= 0).all(-1) & (x.sum(-1) <= self.upper_bound)


class _Matrix(Constraint):
    event_dim = 2


def _all_of_matrix(inside):
    return inside.all(-1).all(-1)


class _LowerTriangular(_Matrix):
    """Lower triangular matrices."""

    def check(self, value):
        return _all_of_matrix(value.tril() == value)


class _LowerCholesky(_LowerTriangular):
    """Lower triangular matrices with a positive diagonal."""

    def check(self, value):
        return super().check(value) & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


class _CorrCholesky(_LowerCholesky):
    """Lower triangular matrices with a positive diagonal and rows of length 1."""

    def check(self, value):
        tolerance = tg.finfo(value.dtype).eps * value.size(-1) * 10
        length = (value.detach() * value.detach()).sum(-1).sqrt()
        return super().check(value) & ((length - 1.0).abs() <= tolerance).all(-1)


def _in_turn(value, *checks):
    """What the first check that fails anywhere says, as the next may not apply; or the last."""
    for check in checks:
        inside = check(value)
        if not bool(inside.all()):
            break
    return inside


class _Square(_Matrix):
    """Square matrices."""

    def check(self, value):
        return tg.full(value.shape[:-2], value.shape[-2] == value.shape[-1], dtype=tg.bool)


class _Symmetric(_Square):
    """Symmetric matrices, to 1e-6."""

    def check(self, value):
        return _in_turn(value, super().check, self._equals_transpose)

    def _equals_transpose(self, value):
        return _all_of_matrix(tg.isclose(value, value.mT, atol=1e-6))


class _PositiveSemidefinite(_Symmetric):
    """Symmetric matrices without a negative eigenvalue."""

    def check(self, value):
        return _in_turn(value, super().check, self._none_is_negative)

    def _none_is_negative(self, value):
        return (tg.linalg.eigvalsh(value) >= 0).all(-1)


class _PositiveDefinite(_Symmetric):
    """Symmetric matrices that have a Cholesky factor."""

    def check(self, value):
        return _in_turn(value, super().check, self._has_factor)

    def _has_factor(self, value):
        return tg.linalg.cholesky_ex(value.detach()).info == 0


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
boolean = _Boolean()
one_hot = _OneHot()
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Real()
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simplex()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
corr_cholesky = _CorrCholesky()
square = _Square()
symmetric = _Symmetric()
positive_semidefinite = _PositiveSemidefinite()
positive_definite = _PositiveDefinite()
cat = _Cat
stack = _Stack
