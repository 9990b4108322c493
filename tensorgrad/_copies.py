"""Views as copies, ``torch.squeeze_copy`` and its kin, and elements written through strides.

>>> import tensorgrad as torch
>>> torch.t_copy(torch.tensor([[1, 2]]))
tensor([[1],
        [2]])
"""

from __future__ import annotations

from ._graph import Tensor
from ._inplace import write_out
from ._registry import FUNCTIONS

__all__ = [
    "alias_copy", "as_strided_copy", "as_strided_scatter", "detach_copy", "diagonal_copy",
    "expand_copy", "permute_copy", "select_copy", "slice_copy", "split_copy",
    "split_with_sizes_copy", "squeeze_copy", "t_copy", "transpose_copy", "unbind_copy",
    "unfold_copy", "unsqueeze_copy", "view_as_complex_copy", "view_as_real_copy", "view_copy",
]  # fmt: skip


def _copying(name, view):
    """``view`` with memory of its own; several parts are each copied."""

    def copy(input, *args, out=None, **kwargs):
        parts = view(input, *args, **kwargs)
        if isinstance(parts, Tensor):
            parts = FUNCTIONS["clone"](parts)
            return parts if out is None else write_out(out, parts)
        if out is not None:
            for target, part in zip(out, parts, strict=True):
                write_out(target, part)
            return None
        return tuple(FUNCTIONS["clone"](part) for part in parts)

    copy.__name__ = copy.__qualname__ = name
    copy.__doc__ = f"``{name.removesuffix('_copy')}`` with memory of its own."
    return copy


as_strided_copy = _copying("as_strided_copy", FUNCTIONS["as_strided"])
detach_copy = _copying("detach_copy", FUNCTIONS["detach"])
diagonal_copy = _copying("diagonal_copy", FUNCTIONS["diagonal"])
permute_copy = _copying("permute_copy", FUNCTIONS["permute"])
select_copy = _copying("select_copy", FUNCTIONS["select"])
split_copy = _copying("split_copy", FUNCTIONS["split"])
split_with_sizes_copy = _copying("split_with_sizes_copy", FUNCTIONS["split_with_sizes"])
squeeze_copy = _copying("squeeze_copy", FUNCTIONS["squeeze"])
t_copy = _copying("t_copy", FUNCTIONS["t"])
transpose_copy = _copying("transpose_copy", FUNCTIONS["transpose"])
unbind_copy = _copying("unbind_copy", FUNCTIONS["unbind"])
unsqueeze_copy = _copying("unsqueeze_copy", FUNCTIONS["unsqueeze"])
view_as_complex_copy = _copying("view_as_complex_copy", FUNCTIONS["view_as_complex"])
view_as_real_copy = _copying("view_as_real_copy", FUNCTIONS["view_as_real"])
unfold_copy = _copying("unfold_copy", Tensor.unfold)
view_copy = _copying("view_copy", Tensor.view)


def alias_copy(input, *, out=None):
    """A copy."""
    copy = FUNCTIONS["clone"](input)
    return copy if out is None else write_out(out, copy)


def expand_copy(input, size, *, implicit=False, out=None):
    """``expand`` with memory of its own; ``implicit`` has no effect, as in PyTorch."""
    copy = FUNCTIONS["clone"](input.expand(*size)).contiguous()
    return copy if out is None else write_out(out, copy)


def slice_copy(input, dim=0, start=None, end=None, step=1, *, out=None):
    """The elements from ``start`` to before ``end`` along ``dim``, every ``step``-th, copied."""
    dim = dim + input.dim() if dim < 0 else dim
    copy = FUNCTIONS["clone"](input[(slice(None),) * dim + (slice(start, end, step),)])
    return copy if out is None else write_out(out, copy)


def as_strided_scatter(input, src, size, stride, storage_offset=None):
    """A copy of ``input`` with ``src`` where ``as_strided`` of it reads.

    Args:
        input: a tensor, read in row-major order.
        src: the new elements, of shape ``size``.
        size: as for ``as_strided``.
        stride: as for ``as_strided``.
        storage_offset: as for ``as_strided``; 0 by default.

    The derivative is that of this definition; PyTorch 2.13 gives ``input`` another one.

    Raises:
        RuntimeError: ``src`` has another shape, or the places lie outside.

    >>> import tensorgrad as torch
    >>> torch.as_strided_scatter(torch.zeros(4), torch.ones(2), (2,), (2,), 1)
    tensor([0., 1., 0., 1.])
    """
    if tuple(src.shape) != tuple(size):
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(size)}"
        )
    out = FUNCTIONS["clone"](input).contiguous()
    FUNCTIONS["as_strided"](out, size, stride, storage_offset or 0).copy_(src)
    return out
