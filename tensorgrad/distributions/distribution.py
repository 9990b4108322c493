"""The base class of all distributions."""

from __future__ import annotations

import warnings

import tensorgrad as tg

from .._graph import Tensor
from .._tensor import Size
from . import constraints
from .utils import fit, lazy_property

__all__ = ["Distribution"]


class Distribution:
    """A family of random variables, one for each index of ``batch_shape``.

    A class that declares ``_tensors``, the number of event dimensions of each parameter, gets
    :meth:`expand` by that; ``_parts`` names the distributions that it is made of, ``_kept`` what
    is taken over as it is.

    Args:
        batch_shape: the shape of the parameters.
        event_shape: the shape of one draw.
        validate_args: whether parameters and values are checked; None takes the default of
            :meth:`set_default_validate_args`.

    Raises:
        ValueError: a parameter is outside its constraint.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__
    _tensors: dict | None = None
    _parts: tuple = ()
    _kept: tuple = ()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Switch the checks of distributions made from now on; they are on by default.

        Raises:
            ValueError: ``value`` is not a bool.
        """
        if value not in (True, False):
            raise ValueError(f"the switch for checks takes True or False, got {value!r}")
        Distribution._validate_args = value

    def __init__(self, batch_shape=(), event_shape=(), validate_args=None):
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    def _check_parameters(self):
        try:
            checks = self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"the parameters of {type(self).__name__} go unchecked, as it has no "
                "arg_constraints; give it some, {} for none, or pass validate_args=False",
                stacklevel=4,
            )
            return
        for name, constraint in checks.items():
            lazy = isinstance(getattr(type(self), name, None), lazy_property)
            if constraints.is_dependent(constraint) or (lazy and name not in self.__dict__):
                continue
            value = getattr(self, name)
            if not bool(constraint.check(value).all()):
                raise ValueError(
                    f"{name} of {self!r} has values outside {constraint!r}; it is, of shape "
                    f"{tuple(value.shape)},\n{value}"
                )

    # --- shapes ---------------------------------------------------------------------------

    def expand(self, batch_shape, _instance=None):
        """The same distribution with its parameters expanded to ``batch_shape``.

        Args:
            batch_shape: the new batch shape.
            _instance: an object to fill, for subclasses with an ``__init__`` of their own.

        Raises:
            NotImplementedError: the class does not say how.
        """
        cls = self._declaring_class()
        if cls is None:
            raise self._lacks("expand")
        new, batch_shape = self._get_checked_instance(cls, _instance), Size(batch_shape)
        self._fill(new, batch_shape)
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _declaring_class(self):
        return next((c for c in type(self).__mro__ if vars(c).get("_tensors") is not None), None)

    def _fill(self, new, batch_shape):
        for name, dims in self._tensors.items():
            if name in self.__dict__:
                value = self.__dict__[name]
                event = value.shape[value.dim() - dims :]
                setattr(new, name, value.expand(batch_shape + event))
        for name in self._parts:
            setattr(new, name, getattr(self, name).expand(batch_shape))
        for name in self._kept:
            setattr(new, name, getattr(self, name))

    def _get_checked_instance(self, cls, _instance=None):
        if _instance is not None:
            return _instance
        if type(self).__init__ is not cls.__init__:
            raise NotImplementedError(
                f"{type(self).__name__} has an __init__ of its own, which expand of {cls.__name__} "
                "would leave out; give it an expand of its own too"
            )
        return type(self).__new__(type(self))

    @property
    def batch_shape(self):
        """The shape of the parameters: one distribution for each index."""
        return self._batch_shape

    @property
    def event_shape(self):
        """The shape of one draw from one distribution."""
        return self._event_shape

    def _lacks(self, what):
        return NotImplementedError(f"{type(self).__name__} has no {what}")

    def _extended_shape(self, sample_shape=()):
        return Size(sample_shape) + self._batch_shape + self._event_shape

    # --- facts ----------------------------------------------------------------------------

    @property
    def arg_constraints(self):
        """The constraint of each parameter, by name."""
        raise self._lacks("arg_constraints")

    @property
    def support(self):
        """The constraint that draws satisfy."""
        raise self._lacks("support")

    @property
    def mean(self):
        """The expectation."""
        raise self._lacks("mean")

    @property
    def mode(self):
        """The value of the largest density or probability."""
        raise self._lacks("mode")

    @property
    def variance(self):
        """The variance, element by element."""
        raise self._lacks("variance")

    @property
    def stddev(self):
        """The square root of the variance."""
        return self.variance.sqrt()

    # --- draws ----------------------------------------------------------------------------

    def sample(self, sample_shape=()):
        """Draws of shape ``sample_shape + batch_shape + event_shape``, without gradient."""
        with tg.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=()):
        """Draws that are differentiable in the parameters, where ``has_rsample``."""
        raise self._lacks("rsample")

    def sample_n(self, n):
        """``sample((n,))``, deprecated."""
        warnings.warn(
            "sample_n is deprecated; write sample((n,))",
            FutureWarning,
            stacklevel=2,
        )
        return self.sample(Size((n,)))

    # --- densities ------------------------------------------------------------------------

    def log_prob(self, value):
        """The logarithm of the density or probability of ``value``.

        Raises:
            ValueError: ``value`` is outside the support, or its shape does not broadcast.
        """
        raise self._lacks("log_prob")

    def cdf(self, value):
        """The probability of a draw of at most ``value``."""
        raise self._lacks("cdf")

    def icdf(self, value):
        """The quantile at the probability ``value``: the inverse of :meth:`cdf`."""
        raise self._lacks("icdf")

    def enumerate_support(self, expand=True):
        """Every value that a draw can take, along a new first dimension.

        Args:
            expand: whether the batch dimensions are expanded, or left at size 1.
        """
        raise self._lacks("enumerate_support")

    def _enumerated(self, values, expand):
        values = values.reshape((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + tuple(self._batch_shape)) if expand else values

    def entropy(self):
        """The entropy, of shape ``batch_shape``."""
        raise self._lacks("entropy")

    def perplexity(self):
        """The exponential of the entropy."""
        return self.entropy().exp()

    def _check_value(self, value):
        """Validate what :meth:`log_prob` and :meth:`cdf` were given, if that is switched on."""
        if self._validate_args:
            self._validate_sample(value)

    def _validate_sample(self, value):
        if not isinstance(value, Tensor):
            raise ValueError(
                f"the value is a {type(value).__name__}; densities are of tensors, so write "
                "torch.tensor(value)"
            )
        shape, expected = value.shape, self._batch_shape + self._event_shape
        if shape[len(shape) - len(self._event_shape) :] != self._event_shape:
            raise ValueError(
                f"the value, of shape {tuple(shape)}, must end in the event shape "
                f"{tuple(self._event_shape)}"
            )
        if not fit(shape, expected):
            raise ValueError(
                f"the value, of shape {tuple(shape)}, does not broadcast with the batch and event "
                f"shape {tuple(expected)}"
            )
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"values of {type(self).__name__} go unchecked, as it has no support; give it "
                "one, or pass validate_args=False",
                stacklevel=3,
            )
            return
        if not bool(support.check(value).all()):
            raise ValueError(
                f"a value is outside the support {support!r} of {self!r}; the values are, of "
                f"shape {tuple(shape)},\n{value}"
            )

    def __repr__(self):
        own = {n: self.__dict__[n] for n in self.arg_constraints if n in self.__dict__}
        shown = [f"{n}: {v if v.numel() == 1 else v.shape}" for n, v in own.items()]
        return f"{type(self).__name__}({', '.join(shown)})"
