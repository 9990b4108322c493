"""Which operations are differentiable in complex numbers, and how; eigenvalues of any matrix.

What the two kinds mean is said at :class:`.._registry.Op`.

An op that is in neither table, and was not declared with ``complex=``, has not been checked: a
walk that brings it a complex gradient raises. The few that turn complex numbers into real ones
without being differentiable there must refuse tracked complex input themselves, because the walk
cannot see it; tests/test_complex.py looks for such ops.
"""

from __future__ import annotations

import numpy as np

from .. import errors
from .._registry import OPS, op
from .decomposition import H, demand_phase_free, solve_matrix, times
from .decomposition import _parts as parts_of
from .elementwise import cast_like
from .reduce import raw
from .special import conj

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
solve_triangular solve inv cofactors det log_determinant cholesky eigh_values eigh_vectors svd_s
pinv matrix_exp eliminated
"""

for _kind, _names in (("holomorphic", HOLOMORPHIC), ("as is", AS_IS)):
    for _name in _names.split():
        OPS[_name].complex = _kind


# --- eigenvalues ------------------------------------------------------------------------


def _eig(x):
    """(values, vectors) of complex matrices; those of real ones come in conjugate pairs."""
    own = x if x.imag.any() else x.real
    try:
        values, vectors = np.linalg.eig(own)
    except np.linalg.LinAlgError as error:
        raise errors.LinAlgError(f"linalg.eig: {error}; got {errors.describe(x)}") from None
    return values.astype(x.dtype, copy=False), vectors.astype(x.dtype, copy=False)


@op(name="linalg_eig_values", public=False, method=False, complex="as is",
    grad_name="LinalgEigBackward0", residuals={"vectors": lambda x: _eig_parts(x)[1]})  # fmt: skip
def _eig_values(x):
    """The eigenvalues of complex matrices."""
    values, vectors = _eig(x)
    return values, (vectors,)


@op(name="linalg_eig", public=False, method=False, complex="as is",
    grad_name="LinalgEigBackward0", residuals={"values": lambda x: _eig_parts(x)[0]})  # fmt: skip
def _eig_vectors(x):
    """The eigenvectors of complex matrices, as columns of length 1."""
    values, vectors = _eig(x)
    return vectors, (values,)


def _off_diagonal(g, out, values):
    """What turns the eigenvectors, with their lengths and phases left as they are."""
    inner = times(H(out), g)
    demand_phase_free("linalg_eig", inner)
    eye = np.eye(raw(values).shape[-1])
    lengths = (inner.real * eye).sum(-2)
    inner = (inner - times(H(out), out) * lengths[..., None, :]) * (1.0 - eye)
    return inner / (conj(values[..., None, :] - values[..., :, None]) + eye)


def _turned_back(inner, vectors):
    """``inv(vectors).H @ inner @ vectors.H``."""
    return solve_matrix(H(vectors), times(inner, H(vectors)))


_eig_values.vjp(x=lambda g, vectors: _turned_back(g[..., :, None] * _eye_of(g), vectors))
_eig_vectors.vjp(x=lambda g, out, values: _turned_back(_off_diagonal(g, out, values), out))


def _eye_of(g):
    return np.eye(g.shape[-1])


def _eig_parts(x):
    return parts_of(_eig, (_eig_values, _eig_vectors), x)


def linalg_eig(x):
    """(eigenvalues, eigenvectors) of square matrices, both complex; see ``linalg.eig``."""
    return _eig_parts(cast_like(x, np.result_type(x._array.dtype, np.complex64)))
