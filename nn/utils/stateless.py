"""``torch.nn.utils.stateless``: the old place of :func:`tensorgrad.func.functional_call`."""

from __future__ import annotations

import warnings

from tensorgrad import func

__all__ = ["functional_call"]


def functional_call(
    module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """Deprecated: use :func:`tensorgrad.func.functional_call`, which takes the same arguments."""
    warnings.warn(
        "This API is deprecated as of PyTorch 2.0 and will be removed in a future version of "
        "PyTorch. Please use torch.func.functional_call instead which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return func.functional_call(
        module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict
    )
