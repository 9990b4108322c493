"""From constraints to transforms that reach them from unconstrained numbers.

``biject_to(constraint)`` is one to one; ``transform_to(constraint)`` may reach a point from
several, and suits optimisation.

>>> import tensorgrad as torch
>>> to_positive = torch.distributions.transform_to(torch.distributions.constraints.positive)
>>> to_positive(torch.tensor([-1.0, 0.0]))
tensor([0.3679, 1.0000])
"""

from __future__ import annotations

from . import constraints, transforms

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]


class ConstraintRegistry:
    """A table from the types of constraints to functions that make transforms."""

    def __init__(self):
        self._registry = {}

    def register(self, constraint, factory=None):
        """Enter ``factory``, a function of a constraint; without it, a decorator.

        Args:
            constraint: a subclass of Constraint, or an instance, which stands for its type.
            factory: returns a Transform.

        Raises:
            TypeError: ``constraint`` is something else.
        """
        if factory is None:
            return lambda made: self.register(constraint, made)
        kind = type(constraint) if isinstance(constraint, constraints.Constraint) else constraint
        if not (isinstance(kind, type) and issubclass(kind, constraints.Constraint)):
            raise TypeError(
                f"transforms are registered for a Constraint or a class of them, got {constraint!r}"
            )
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint):
        """The transform for ``constraint``.

        Raises:
            NotImplementedError: there is none for its type.
        """
        factory = self._registry.get(type(constraint))
        if factory is None:
            name = type(constraint).__name__.removeprefix("_")
            raise NotImplementedError(f"no transform to {name}; register() one")
        return factory(constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()


def _half_line(bound, sign):
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(bound, sign)]
    )


def _interval(constraint):
    low, high = constraint.lower_bound, constraint.upper_bound
    unit = isinstance(low, int | float) and isinstance(high, int | float) and (low, high) == (0, 1)
    if unit:
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform(
        [transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)]
    )


def _of_parts(registry):
    """Entries for constraints that are made of others."""

    def independent(c):
        base = registry(c.base_constraint)
        return transforms.IndependentTransform(base, c.reinterpreted_batch_ndims)

    return {
        constraints.independent: independent,
        constraints.cat: lambda c: transforms.CatTransform(
            [registry(part) for part in c.cseq], c.dim, c.lengths
        ),
        constraints.stack: lambda c: transforms.StackTransform(
            [registry(part) for part in c.cseq], c.dim
        ),
    }


_BOTH = {
    constraints.real: lambda c: transforms.identity_transform,
    constraints.greater_than: lambda c: _half_line(c.lower_bound, 1),
    constraints.greater_than_eq: lambda c: _half_line(c.lower_bound, 1),
    constraints.less_than: lambda c: _half_line(c.upper_bound, -1),
    constraints.interval: _interval,
    constraints.half_open_interval: _interval,
    constraints.corr_cholesky: lambda c: transforms.CorrCholeskyTransform(),
}
_ENTRIES = (
    (biject_to, {constraints.simplex: lambda c: transforms.StickBreakingTransform()}),
    (
        transform_to,
        {
            constraints.simplex: lambda c: transforms.SoftmaxTransform(),
            constraints.lower_cholesky: lambda c: transforms.LowerCholeskyTransform(),
            constraints.positive_definite: lambda c: transforms.PositiveDefiniteTransform(),
            constraints.positive_semidefinite: lambda c: transforms.PositiveDefiniteTransform(),
        },
    ),
)
for _registry, _own in _ENTRIES:
    for _constraint, _factory in {**_BOTH, **_of_parts(_registry), **_own}.items():
        _registry.register(_constraint, _factory)
