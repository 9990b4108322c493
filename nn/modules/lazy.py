"""What lazy modules share: parameters that get their shape from the first input."""

from __future__ import annotations

from tensorgrad.nn.parameter import is_lazy


class LazyModuleMixin:
    """Base, before the plain module, of a module that infers sizes from its first input.

    A subclass makes its parameters as :class:`tensorgrad.nn.UninitializedParameter`, writes
    ``initialize_parameters``, which gives them their shapes, and names the plain class in
    ``cls_to_become``. The first call runs it and turns the module into that class.

    Attributes:
        cls_to_become: the class of the module after the first call; None to stay as it is.

    >>> import tensorgrad as torch
    >>> class LazyScale(torch.nn.modules.lazy.LazyModuleMixin, torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.scale = torch.nn.UninitializedParameter()
    ...     def initialize_parameters(self, x):
    ...         self.scale.materialize(x.shape[-1:])
    ...         torch.nn.init.ones_(self.scale)
    ...     def forward(self, x):
    ...         return x * self.scale
    >>> LazyScale()(torch.tensor([2.0, 3.0])).detach()
    tensor([2., 3.])
    """

    cls_to_become = None
    _inferred = False

    def __call__(self, *args, **kwargs):
        """Initialise the parameters if this is the first call; then run as any module."""
        if self._inferred:
            return super().__call__(*args, **kwargs)
        self._infer_parameters(args, kwargs)
        return self(*args, **kwargs)

    def _infer_parameters(self, args, kwargs):
        self.initialize_parameters(*args, **kwargs)
        if self.has_uninitialized_params():
            raise RuntimeError(
                f"module {type(self).__name__} has not been fully initialized: "
                "initialize_parameters must materialize every parameter and buffer"
            )
        if self.cls_to_become is None:
            self.__dict__["_inferred"] = True
        else:
            object.__setattr__(self, "__class__", self.cls_to_become)

    def initialize_parameters(self, *args, **kwargs):
        """Give every parameter its shape and values, from the arguments of the first call.

        Raises:
            NotImplementedError: the subclass has none.
        """
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self):
        """Whether a parameter or buffer of this module has no shape yet."""
        return any(is_lazy(value) for value in vars(self).values())
