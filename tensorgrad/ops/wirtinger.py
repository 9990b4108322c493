"""Which operations are differentiable in complex numbers, and how; see :class:`.._registry.Op`.

An op that is in neither table, and was not declared with ``complex=``, has not been checked: a
walk that brings it a complex gradient raises. The few that turn complex numbers into real ones
without being differentiable there must refuse tracked complex input themselves, because the walk
cannot see it; tests/test_complex.py looks for such ops.
"""

from __future__ import annotations

from .._registry import OPS

# Products, quotients and analytic functions: the gradient is g * conj(f'(z)).
HOLOMORPHIC = """
mul addcmul addcdiv lerp div reciprocal pow pow_of_number pow_by_number square sqrt rsqrt
exp exp2 expm1 log log2 log10 log1p tanh sigmoid
sin cos tan asin acos atan sinh cosh asinh acosh atanh
cumprod recurrence prod matmul dot linear contract index_add
"""

# Linear with real factors, or with rules that are written for complex numbers.
AS_IS = """
view_put expand sum_to reshape squeeze squeeze_dim squeeze_dims unsqueeze transpose t permute
select_view slice_view newaxis_view alias_view split_view unbind_view put cat stack flip roll
repeat contiguous constant_pad diagonal diagonal_put tril triu unfold overlap_add as_strided
strided_add cast clone zero fill copy keep where masked_fill add sub rsub neg abs
sum_all sum mean_all mean var std norm delay cumsum pick place
index put_add index_put gather gather_add scatter scatter_add index_select select_add index_copy
index_fill
"""

for _kind, _names in (("holomorphic", HOLOMORPHIC), ("as is", AS_IS)):
    for _name in _names.split():
        OPS[_name].complex = _kind
