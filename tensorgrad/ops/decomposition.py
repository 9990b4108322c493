"""Solving, inverting and factorising matrices, and batches of them: LAPACK, with derivatives.

What a decomposition returns are several tensors. Each is the result of an op of its own, whose
*residuals* are the other parts; :func:`_parts` runs the decomposition once and records all of
them. The derivatives are those of Giles, "Collected matrix derivative results for forward and
reverse mode" (2008), and Seeger et al., "Auto-differentiating linear algebra", arXiv:1710.08717.

``tensorgrad.linalg`` is the namespace on top; here are also PyTorch's older functions and methods.
"""

from __future__ import annotations

import math

import numpy as np

from .. import dtypes, errors, return_types
from .._graph import Tensor, edge_of, ndarray, record, wrap
from .._registry import function, op
from .elementwise import clone, where
from .linalg import matmul, times
from .reduce import published, raw, sum
from .shape import cat, tril, triu
from .special import conj


def H(x):
    """The conjugate transpose of each matrix."""
    return conj(x).mT if raw(x).dtype.kind == "c" else x.mT


def _hermitian(x):
    return (x + H(x)) * 0.5


def matrices(name, square=False, **arguments):
    """The arrays of the arguments, checked to be matrices (or batches) that LAPACK takes.

    Raises:
        TypeError: one is not a tensor.
        RuntimeError: it has fewer than two dimensions, is not square where it must be, holds
            integers or half-precision numbers, or dtypes differ.
    """
    arrays = []
    for argument, x in arguments.items():
        if not isinstance(x, Tensor | ndarray):
            raise TypeError(
                f"{name}(): argument {argument!r} must be Tensor, not {type(x).__name__}"
            )
        x = raw(x)
        if x.ndim < 2:
            raise errors.ShapeError(
                f"{name}: The input tensor {argument} must have at least 2 dimensions, got shape "
                f"{x.shape}"
            )
        if square and x.shape[-1] != x.shape[-2]:
            raise errors.ShapeError(
                f"{name}: {argument} must be batches of square matrices, but they are "
                f"{x.shape[-2]} by {x.shape[-1]} matrices (shape {x.shape})"
            )
        need_precision(name, x)
        arrays.append(x)
    if len({x.dtype for x in arrays}) > 1:
        got = " and ".join(errors.describe(x) for x in arrays)
        raise errors.DtypeError(
            f"{name}: Expected the tensors to have the same dtype, got {got}; convert one with "
            ".to(dtype)"
        )
    return arrays if len(arrays) > 1 else arrays[0]


def need_precision(name, x):
    """Refuse what LAPACK does not compute with."""
    if x.dtype.kind not in "fc":
        raise errors.DtypeError(
            f"{name}: Expected a floating point or complex tensor as input. Got "
            f"{dtypes.of(x.dtype)}; convert with .float()"
        )
    if x.dtype.char == "e":
        raise errors.UnsupportedDtypeError(
            f"{name}: Low precision dtypes not supported. Got {dtypes.of(x.dtype)}; convert with "
            ".float()"
        )


def _lapack(name, run, *args, why="the input matrix is singular", **kwargs):
    """``run(*args)``; NumPy's LinAlgError as PyTorch's."""
    try:
        return run(*args, **kwargs)
    except np.linalg.LinAlgError as error:
        shapes = " and ".join(errors.describe(x) for x in args if isinstance(x, ndarray))
        raise errors.LinAlgError(
            f"{name}: The computation could not be completed because {why}: {error}; got {shapes}"
        ) from None


def over_batches(run, count, *arrays):
    """``run`` on each pair of matrices of broadcast batches: what SciPy does one at a time.

    Args:
        run: takes one matrix (or vector) of each array and returns a tuple of ``count`` arrays.
        count: how many arrays come back.
        arrays: each with its own number of trailing dimensions: pairs (array, dimensions).
    """
    batch = np.broadcast_shapes(*[x.shape[: x.ndim - n] for x, n in arrays])
    wide = [np.broadcast_to(x, batch + x.shape[x.ndim - n :]) for x, n in arrays]
    if not batch:
        return run(*wide)
    parts = [run(*[x[i] for x in wide]) for i in np.ndindex(*batch)]
    if not parts:  # an empty batch: one matrix of zeros shows shapes and dtypes
        shown = run(*[_any_matrix(x, n) for x, n in arrays])
        return tuple(np.zeros(batch + s.shape, s.dtype) for s in shown)
    return tuple(
        np.stack([p[k] for p in parts]).reshape(batch + parts[0][k].shape) for k in range(count)
    )


def _any_matrix(x, n):
    own = np.zeros(x.shape[x.ndim - n :], x.dtype)
    if n == 2:
        np.fill_diagonal(own, 1)
    return own


def _parts(run, fns, x, **attrs):
    """The outputs of a decomposition as Tensors, computed once and recorded one by one.

    Args:
        run: takes the array and the attributes and returns all parts.
        fns: for each part the op that gives it and has the other parts as residuals, in order;
            None for a part without derivative.
        x: the Tensor.
        attrs: the attributes of the ops.
    """
    array = raw(x)
    parts = run(array, **attrs)
    if not isinstance(x, Tensor):
        return parts
    if x._edge is None:
        return tuple(map(wrap, parts))
    made = []
    for i, fn in enumerate(fns):
        if fn is None:
            made.append(wrap(parts[i]))
            continue
        others = parts[:i] + parts[i + 1 :]
        env = (array, parts[i], *others)
        made.append(record(fn.op, 1, (edge_of(x),), env, attrs or None, parts[i]))
    return tuple(made)


def _eye_like(x):
    n = x.shape[-1]
    return np.eye(n, dtype=raw(x).dtype)


# --- triangular systems -----------------------------------------------------------------


@op(name="solve_triangular", public=False, method=False, types="same",
    grad_name="LinalgSolveTriangularBackward0")  # fmt: skip
def triangular(a, b, *, upper, unit=False):
    """The X with ``a @ X = b``, of which only one triangle of ``a`` is read."""
    from scipy.linalg import solve_triangular

    def run(a, b):
        if not a.size or not b.size:
            return (np.zeros(b.shape, b.dtype),)
        if not unit and not np.diagonal(a).all():
            return (_by_substitution(a, b, upper),)
        x = solve_triangular(a, b, lower=not upper, unit_diagonal=unit, check_finite=False)
        return (np.asarray(x),)

    return over_batches(run, 1, (a, 2), (b, 2))[0]


def _by_substitution(a, b, upper):
    """The solution with a zero on the diagonal: inf and nan, as BLAS gives it."""
    n, x = a.shape[0], b.copy()
    for i in range(n)[::-1] if upper else range(n):
        rest = slice(i + 1, n) if upper else slice(0, i)
        x[i] = (x[i] - a[i, rest] @ x[rest]) / a[i, i]
    return x


def _triangular_b(g, a, *, upper, unit):
    return triangular(H(a), g, upper=not upper, unit=unit)


def _triangular_a(g, a, out, *, upper, unit):
    full = -times(_triangular_b(g, a, upper=upper, unit=unit), H(out))
    offset = 1 if unit else 0
    return triu(full, offset) if upper else tril(full, -offset)


triangular.vjp(a=_triangular_a, b=_triangular_b)


def solve_triangular(a, b, *, upper, left=True, unit=False):
    """``a @ X = b``, or ``X @ a = b``, with a triangular ``a``."""
    if left:
        return triangular(a, b, upper=upper, unit=unit)
    return triangular(a.mT, b.mT, upper=not upper, unit=unit).mT


# --- general systems, inverse, determinant ----------------------------------------------


@op(name="solve", public=False, method=False, types="same", grad_name="LinalgSolveExBackward0")
def solve_matrix(a, b):
    """The X with ``a @ X = b``, matrices or batches of them."""
    return _lapack("linalg.solve", np.linalg.solve, a, b)


solve_matrix.vjp(
    a=lambda g, a, out: -times(solve_matrix(H(a), g), H(out)),
    b=lambda g, a: solve_matrix(H(a), g),
)


@op(name="inv", public=False, method=False, grad_name="LinalgInvExBackward0")
def inverse_of(x):
    """The inverse of each matrix."""
    return _lapack("linalg.inv", np.linalg.inv, x)


inverse_of.vjp(x=lambda g, out: -times(times(H(out), g), H(out)))


@op(public=False, method=False)
def cofactors(x):
    """The cofactors of each matrix, ``det(x) * inv(x).T`` where that exists, conjugated.

    From the singular values, of which each cofactor is a polynomial: right for singular matrices.
    """
    u, s, vh = np.linalg.svd(x)
    n = s.shape[-1]
    others = np.broadcast_to(s[..., None, :], (*s.shape, n)).copy()
    others[..., range(n), range(n)] = 1
    sign = np.conj(np.linalg.det(u) * np.linalg.det(vh))
    scaled = u * (others.prod(-1) * sign[..., None])[..., None, :]
    return (scaled @ vh).astype(x.dtype, copy=False)


def _cofactors_x(g, x, out):
    """Where ``x`` has an inverse."""
    inverse = H(inverse_of(x))
    weight = sum(H(g).mT * out, (-2, -1), True)
    return weight * inverse - times(times(inverse, H(g)), out)


cofactors.vjp(x=_cofactors_x)


@op(name="det", public=False, method=False, grad_name="LinalgDetBackward0")
def determinant(x):
    """The determinant of each matrix."""
    return np.linalg.det(x)


determinant.vjp(x=lambda g, x: g[..., None, None] * cofactors(x))


def _slogdet(x):
    sign, logabs = np.linalg.slogdet(x)
    return np.asarray(sign), np.asarray(logabs)


@op(public=False, method=False, grad_name="LinalgSlogdetBackward0")
def log_determinant(x):
    """The logarithm of the magnitude of each determinant."""
    return _slogdet(x)[1]


log_determinant.vjp(x=lambda g, x: g[..., None, None] * H(inverse_of(x)))


def slogdet_parts(x):
    """(sign, logarithm of the magnitude) of each determinant."""
    return wrap(_slogdet(raw(x))[0]), log_determinant(x)


# --- Cholesky ---------------------------------------------------------------------------


@op(name="cholesky", public=False, method=False, grad_name="LinalgCholeskyExBackward0")
def cholesky_lower(x):
    """The lower triangular L with ``L @ L.mT = x``; reads the lower triangle."""
    why = "the input is not positive-definite"
    return _lapack("linalg.cholesky", np.linalg.cholesky, x, why=why)


def _lower_half(x):
    """A mask for square matrices: one below the diagonal, one half on it."""
    n = x.shape[-1]
    mask = np.tril(np.ones((n, n), raw(x).dtype))
    return mask - _eye_like(x) * mask.dtype.type(0.5)


def _cholesky_x(g, out):
    inner = times(H(out), g) * _lower_half(out)
    half = triangular(H(out), inner, upper=True)
    half = H(triangular(H(out), H(half), upper=True))
    return _hermitian(half)


cholesky_lower.vjp(x=_cholesky_x)


def cholesky_factor(x, upper=False):
    """The lower factor, or the upper one of what the upper triangle describes."""
    return H(cholesky_lower(H(x))) if upper else cholesky_lower(x)


# --- QR ---------------------------------------------------------------------------------


def _qr(x):
    q, r = np.linalg.qr(x)
    return np.ascontiguousarray(q), r


@op(public=False, method=False, grad_name="LinalgQrBackward0",
    residuals={"r": lambda x: _qr_of(x)[1]})  # fmt: skip
def qr_q(x):
    """The Q of QR, of matrices at least as high as wide."""
    q, r = _qr(x)
    return q, (r,)


@op(public=False, method=False, grad_name="LinalgQrBackward0",
    residuals={"q": lambda x: _qr_of(x)[0]})  # fmt: skip
def qr_r(x):
    """The R of QR, of matrices at least as high as wide."""
    q, r = _qr(x)
    return r, (q,)


def _qr_back(outer, inner, q, r):
    """``(outer + q @ s) @ inv(r).H`` with s the Hermitian matrix of the lower half of ``inner``."""
    s = tril(inner, -1)
    s = s + H(s) + inner * _eye_like(inner)
    total = times(q, s) if outer is None else outer + times(q, s)
    return H(triangular(r, H(total), upper=True))


qr_q.vjp(x=lambda g, out, r: _qr_back(g, -times(H(g), out), out, r))
qr_r.vjp(x=lambda g, out, q: _qr_back(None, times(out, H(triu(g))), q, out))


def _qr_of(x):
    return _parts(_qr, (qr_q, qr_r), x)


def qr_parts(x):
    """The reduced (Q, R). A wide matrix is split: its left square has the Q, and R follows."""
    m, n = x.shape[-2:]
    if m >= n:
        return _qr_of(x)
    q, left = _qr_of(x[..., :m])
    return q, cat((left, matmul(H(q), x[..., m:])), -1)


@op(public=False, method=False, grad_name="LinalgQrBackward0")
def undifferentiable_qr(x, *, why):
    """Stands in the graph for a part of QR that has no derivative."""
    raise NotImplementedError(why)


def _refuse_qr(g, *, why):
    raise RuntimeError(why)


undifferentiable_qr.vjp(x=_refuse_qr)


def without_derivative(x, parts, why):
    """``parts`` as Tensors through which backward raises."""
    if x._edge is None:
        return tuple(map(wrap, parts))
    run, parents = undifferentiable_qr.op, (edge_of(x),)
    return tuple(record(run, 1, parents, (x._array, p), {"why": why}, p) for p in parts)


# --- symmetric eigenvalues --------------------------------------------------------------


def _eigh(x, uplo="L"):
    why = "the algorithm failed to converge"
    values, vectors = _lapack("linalg.eigh", np.linalg.eigh, x, uplo, why=why)
    return values, vectors


@op(public=False, method=False, grad_name="LinalgEighBackward0",
    residuals={"vectors": lambda x, *, uplo: eigh_parts(x, uplo=uplo)[1]})  # fmt: skip
def eigh_values(x, *, uplo="L"):
    """The eigenvalues of Hermitian matrices, ascending."""
    values, vectors = _eigh(x, uplo)
    return values, (vectors,)


@op(public=False, method=False, grad_name="LinalgEighBackward0",
    residuals={"values": lambda x, *, uplo: eigh_parts(x, uplo=uplo)[0]})  # fmt: skip
def eigh_vectors(x, *, uplo="L"):
    """The eigenvectors of Hermitian matrices, as columns."""
    values, vectors = _eigh(x, uplo)
    return vectors, (values,)


def _gaps(values):
    """``values[j] - values[i]``, and infinity on the diagonal, for a quotient that is 0 there."""
    return infinite_diagonal(values[..., None, :] - values[..., :, None])


def infinite_diagonal(x):
    """``x``, whose diagonals are zero, with infinity there."""
    infinite = np.zeros(x.shape[-2:], raw(x).dtype)
    np.fill_diagonal(infinite, math.inf)
    return x + infinite


def _eigh_values_x(g, vectors, *, uplo):
    return _hermitian(times(vectors * g[..., None, :], H(vectors)))


def demand_phase_free(name, inner):
    """Refuse the gradient of what depends on the phases of complex eigenvectors.

    Args:
        name: of the decomposition.
        inner: ``vectors.H @ g``, whose diagonal is real where no phase matters.

    Raises:
        RuntimeError: it is not.
    """
    diagonal = np.diagonal(raw(inner), 0, -2, -1)
    if not np.allclose(diagonal.imag, 0, rtol=1e-2, atol=1e-2):
        raise RuntimeError(
            f"{name}_backward: The eigenvectors in the complex case are specified up to "
            "multiplication by e^{i phi}. The specified loss function depends on this quantity, so "
            "it is ill-defined."
        )


def _eigh_vectors_x(g, out, values, *, uplo):
    if raw(out).dtype.kind == "c":
        demand_phase_free("linalg_eigh", times(H(out), g))
    return _hermitian(times(times(out, times(H(out), g) / _gaps(values)), H(out)))


eigh_values.vjp(x=_eigh_values_x)
eigh_vectors.vjp(x=_eigh_vectors_x)


def eigh_parts(x, uplo="L"):
    """(eigenvalues, eigenvectors) of Hermitian matrices."""
    return _parts(_eigh, (eigh_values, eigh_vectors), x, uplo=uplo)


# --- singular values --------------------------------------------------------------------


def _svd(x):
    why = "the algorithm failed to converge"
    return tuple(_lapack("linalg.svd", np.linalg.svd, x, full_matrices=False, why=why))


@op(public=False, method=False, grad_name="LinalgSvdBackward0",
    residuals={"s": lambda x: svd_parts(x)[1], "vh": lambda x: svd_parts(x)[2]})  # fmt: skip
def svd_u(x):
    """The left singular vectors, reduced."""
    u, s, vh = _svd(x)
    return u, (s, vh)


@op(public=False, method=False, grad_name="LinalgSvdBackward0",
    residuals={"u": lambda x: svd_parts(x)[0], "vh": lambda x: svd_parts(x)[2]})  # fmt: skip
def svd_s(x):
    """The singular values, descending."""
    u, s, vh = _svd(x)
    return s, (u, vh)


@op(public=False, method=False, grad_name="LinalgSvdBackward0",
    residuals={"u": lambda x: svd_parts(x)[0], "s": lambda x: svd_parts(x)[1]})  # fmt: skip
def svd_vh(x):
    """The right singular vectors as rows, reduced."""
    u, s, vh = _svd(x)
    return vh, (u, s)


def _rotation(vectors, g, s):
    """What turns the singular vectors among themselves: skew(vectors.H @ g) over the gaps of s²."""
    turn = times(H(vectors), g)
    square = s * s
    gaps = infinite_diagonal(square[..., None, :] - square[..., :, None])
    return (turn - H(turn)) / gaps


def _svd_u_x(g, out, s, vh):
    core = times(out, _rotation(out, g, s) * s[..., None, :])
    if out.shape[-2] > s.shape[-1]:  # the part of g outside the span of U
        core = core + (g - times(out, times(H(out), g))) / s[..., None, :]
    return times(core, vh)


def _svd_vh_x(g, out, u, s):
    v, gv = H(out), H(g)
    core = times(s[..., :, None] * _rotation(v, gv, s), out)
    if out.shape[-1] > s.shape[-1]:
        core = core + H(gv - times(v, times(H(v), gv))) / s[..., :, None]
    return times(u, core)


svd_u.vjp(x=_svd_u_x)
svd_s.vjp(x=lambda g, u, vh: times(u * g[..., None, :], vh))
svd_vh.vjp(x=_svd_vh_x)


def svd_parts(x):
    """The reduced (U, S, Vh)."""
    return _parts(_svd, (svd_u, svd_s, svd_vh), x)


# --- LU ---------------------------------------------------------------------------------


def _without_pivots(x):
    """L and U in one matrix, by elimination without pivoting; of one matrix."""
    out = np.array(x)
    for k in range(min(out.shape)):
        out[k + 1 :, k] /= out[k, k]
        out[k + 1 :, k + 1 :] -= out[k + 1 :, k, None] * out[k, k + 1 :]
    return (out,)


@op(public=False, method=False, grad_name="LinalgLuFactorExBackward0", domain=(1.0, 2.0))
def eliminated(x):
    """L (below the diagonal, which is one) and U of each matrix, without pivoting."""
    return over_batches(_without_pivots, 1, (x, 2))[0]


def _eliminated_x(g, out):
    """The gradient of the leading square, and of what stands below or beside it."""
    m, n = out.shape[-2:]
    k = min(m, n)
    lower = tril(out[..., :, :k], -1) + np.eye(m, k, dtype=raw(out).dtype)
    upper = triu(out[..., :k, :])
    gl, gu = tril(g[..., :, :k], -1), triu(g[..., :k, :])
    l1, u1, gl1, gu1 = lower[..., :k, :], upper[..., :, :k], gl[..., :k, :], gu[..., :, :k]
    rest = None
    if m > n:
        rest = solve_triangular(H(u1), gl[..., k:, :], upper=False, left=False)
        gu1 = gu1 - triu(times(H(lower[..., k:, :]), rest))
    elif n > m:
        rest = solve_triangular(H(l1), gu[..., :, k:], upper=True, unit=True)
        gl1 = gl1 - tril(times(rest, H(upper[..., :, k:])), -1)
    inner = tril(times(H(l1), gl1), -1) + triu(times(gu1, H(u1)))
    square = triangular(H(l1), inner, upper=True, unit=True)
    square = solve_triangular(H(u1), square, upper=False, left=False)
    if rest is None:
        return square
    return cat((square, rest), -2 if m > n else -1)


eliminated.vjp(x=_eliminated_x)


def lu_of_one(x):
    """(L and U in one matrix, exchanges counted from 1) of one matrix, by LAPACK."""
    from scipy.linalg import lapack

    if not x.size:
        return x.copy(), np.arange(1, min(x.shape) + 1, dtype=np.int32)
    (getrf,) = lapack.get_lapack_funcs(("getrf",), (x,))
    packed, swaps, _ = getrf(x)
    return np.ascontiguousarray(packed), (swaps + 1).astype(np.int32)


def order_of(swaps, m):
    """The order of rows that LAPACK's exchanges (counted from 1) lead to, for each matrix."""
    order = np.broadcast_to(np.arange(m), (*swaps.shape[:-1], m)).copy()
    for i in range(swaps.shape[-1]):
        j = swaps[..., i, None].astype(np.int64) - 1
        here, there = order[..., i : i + 1].copy(), np.take_along_axis(order, j, -1)
        np.put_along_axis(order, j, here, -1)
        order[..., i : i + 1] = there
    return order


def lu_packed(x):
    """(L and U in one matrix, exchanges of rows): recorded, if ``x`` is tracked."""
    array = raw(x)
    packed, swaps = over_batches(lu_of_one, 2, (array, 2))
    if x._edge is None:
        return wrap(packed), wrap(swaps)
    from .index import take_along_dim

    rows = order_of(swaps, array.shape[-2])[..., None]
    exchanged = take_along_dim(x, wrap(np.broadcast_to(rows, array.shape)), -2)
    made = record(
        eliminated.op, 1, (edge_of(exchanged),), (exchanged._array, packed), None, packed
    )
    return made, wrap(swaps)


def permutation(swaps, m, dtype):
    """The permutation matrices P with ``x = P @ L @ U``."""
    order = order_of(raw(swaps), m)
    p = np.zeros((*order.shape, m), dtype)
    np.put_along_axis(p, order[..., None, :], 1, -2)
    return wrap(p)


def lower_and_upper(packed):
    """(L, U) of a packed factorisation."""
    m, n = packed.shape[-2:]
    k = min(m, n)
    eye = np.eye(m, k, dtype=raw(packed).dtype)
    return tril(packed[..., :, :k], -1) + wrap(eye), triu(packed[..., :k, :])


def solve_by_lu(packed, swaps, b, left=True, adjoint=False):
    """The X with ``A @ X = b`` (``X @ A = b``, or with the adjoint of A), given A's factors."""
    if not left:
        return H(solve_by_lu(packed, swaps, H(b), True, not adjoint))
    p = permutation(swaps, packed.shape[-1], raw(packed).dtype)
    lower, upper = lower_and_upper(packed)
    if adjoint:
        y = triangular(H(upper), b, upper=False)
        return matmul(p, triangular(H(lower), y, upper=True, unit=True))
    y = triangular(lower, matmul(H(p), b), upper=False, unit=True)
    return triangular(upper, y, upper=True)


# --- pseudo-inverse, least squares, exponential -----------------------------------------


def cutoff(shape, s, atol, rtol):
    """The singular value below which one counts as zero: max(atol, rtol * the largest)."""
    largest = s.max(-1, keepdims=True) if s.shape[-1] else np.zeros((*s.shape[:-1], 1), s.dtype)
    if rtol is None:
        given = atol is not None and np.any(np.asarray(atol) > 0)
        rtol = 0.0 if given else np.finfo(s.dtype).eps * max(shape[-2:])
    atol = 0.0 if atol is None else atol
    atol, rtol = (np.asarray(v, s.dtype)[..., None] for v in (atol, rtol))
    return np.maximum(atol, rtol * largest)


@op(name="pinv", public=False, method=False, grad_name="LinalgPinvBackward0")
def pseudo_inverse(x, *, atol=None, rtol=None, hermitian=False):
    """The Moore-Penrose inverse, without the singular values below the cutoff."""
    if 0 in x.shape[-2:]:
        return np.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)
    if hermitian:
        values, vectors = _eigh(x)
        s, u, vh = np.abs(values), vectors, np.sign(values)[..., None] * vectors.conj().mT
    else:
        u, s, vh = _svd(x)
    big = s > cutoff(x.shape, s, atol, rtol)
    weight = np.where(big, 1 / np.where(big, s, 1), 0).astype(s.dtype)
    return (vh.conj().mT * weight[..., None, :]) @ u.conj().mT


def _pinv_x(g, x, out):
    """Golub & Pereyra, SIAM J. Numer. Anal. 10(2), 1973."""
    left, right, turned = H(out), out, H(g)
    result = -times(times(left, g), left)
    m, n = x.shape[-2:]
    if m != n or m:
        rest = times(times(turned, right), left)
        result = result + rest - times(x, times(right, rest))
        rest = times(times(left, right), turned)
        result = result + rest - times(times(rest, right), x)
    return result


pseudo_inverse.vjp(x=_pinv_x)


@op(name="matrix_exp", public=False, method=False, grad_name="LinalgMatrixExpBackward0",
    domain=(-1.0, 1.0))  # fmt: skip
def exponential(x):
    """The matrix exponential."""
    if not x.size:
        return x.copy()
    from scipy.linalg import expm

    return np.asarray(expm(x)).astype(x.dtype, copy=False)


def _exponential_x(g, x):
    """The corner of exp([[xᴴ, g], [0, xᴴ]]): Higham, Functions of Matrices, section 3.2."""
    n = x.shape[-1]
    a = H(x)
    upper = cat((a, g), -1)
    lower = cat((a * 0.0, a), -1)
    return exponential(cat((upper, lower), -2))[..., :n, n:]


exponential.vjp(x=_exponential_x)


def power(name, x, n):
    """``x`` multiplied by itself ``n`` times, by repeated squaring; negative: of the inverse."""
    matrices(name, square=True, A=x)
    if not isinstance(n, int):
        raise TypeError(f"{name}(): argument 'n' must be int, not {type(n).__name__}")
    if n == 0:
        shape, dtype = x.shape, raw(x).dtype
        return wrap(np.broadcast_to(np.eye(shape[-1], dtype=dtype), shape).copy())
    if n < 0:
        x, n = inverse_of(x), -n
    result, square = None, x
    while True:
        if n & 1:
            result = square if result is None else matmul(result, square)
        n >>= 1
        if not n:
            return clone(result) if result is x else result
        square = matmul(square, square)


# --- PyTorch's functions and methods outside linalg --------------------------------------


@published
def det(input):
    """The determinant of a square matrix, or of each of a batch; see ``linalg.det``.

    >>> import tensorgrad
    >>> tensorgrad.det(tensorgrad.tensor([[0.0, 2.0], [1.0, 4.0]]))
    tensor(-2.)
    """
    matrices("linalg.det", square=True, A=input)
    return determinant(input)


@published
def slogdet(input):
    """(sign, logarithm of the magnitude) of the determinant; see ``linalg.slogdet``."""
    matrices("linalg.slogdet", square=True, A=input)
    return return_types.slogdet(*slogdet_parts(input))


@published
def logdet(input):
    """The logarithm of the determinant; nan where that is negative, -inf where it is 0.

    >>> import tensorgrad
    >>> tensorgrad.logdet(tensorgrad.eye(2) * 2)
    tensor(1.3863)
    """
    matrices("logdet", square=True, A=input)
    sign, magnitude = slogdet_parts(input)
    return where(wrap(np.asarray(sign._array < 0)), math.nan, magnitude)


@published
def inverse(input):
    """The inverse of a square matrix, or of each of a batch; see ``linalg.inv``.

    Raises:
        torch.linalg.LinAlgError: a matrix is singular.

    >>> import tensorgrad
    >>> tensorgrad.inverse(tensorgrad.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    matrices("linalg.inv", square=True, A=input)
    return inverse_of(input)


@function(method=True)
def pinverse(input, rcond=1e-15):
    """The pseudo-inverse; singular values up to ``rcond`` times the largest count as zero."""
    matrices("linalg.pinv", A=input)
    return pseudo_inverse.op.apply((input,), {"atol": None, "rtol": rcond, "hermitian": False})


@published
def matrix_power(input, n):
    """A square matrix to the integer power ``n``; see ``linalg.matrix_power``."""
    return power("linalg.matrix_power", input, n)


@function(method=True)
def matrix_exp(input):
    """The matrix exponential, the sum of ``x^k / k!``; not that of the elements.

    >>> import tensorgrad
    >>> tensorgrad.matrix_exp(tensorgrad.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    matrices("linalg.matrix_exp", square=True, A=input)
    return exponential(input)


@published
def cholesky(input, upper=False):
    """The Cholesky factor of a positive-definite matrix; see ``linalg.cholesky``.

    Raises:
        torch.linalg.LinAlgError: a matrix is not positive-definite.
    """
    matrices("cholesky", square=True, A=input)
    return cholesky_factor(input, upper)


@published
def cholesky_solve(input, input2, upper=False):
    """The X with ``A @ X = input``, given the Cholesky factor ``input2`` of A.

    >>> import tensorgrad
    >>> tensorgrad.cholesky_solve(tensorgrad.ones(1, 1), tensorgrad.tensor([[2.0]]))
    tensor([[0.2500]])
    """
    matrices("cholesky_solve", B=input, L=input2)
    matrices("cholesky_solve", square=True, L=input2)
    _same_rows("cholesky_solve", input2, input)
    if upper:
        y = triangular(H(input2), input, upper=False)
        return triangular(input2, y, upper=True)
    return triangular(H(input2), triangular(input2, input, upper=False), upper=True)


def _same_rows(name, a, b):
    if a.shape[-2] != b.shape[-2]:
        raise errors.ShapeError(
            f"{name}: Incompatible matrix sizes: each A matrix is {a.shape[-2]} by {a.shape[-1]} "
            f"but each b matrix is {b.shape[-2]} by {b.shape[-1]}"
        )


@published
def cholesky_inverse(input, upper=False):
    """The inverse of the matrix whose Cholesky factor is ``input``."""
    matrices("cholesky_inverse", square=True, L=input)
    return cholesky_solve(wrap(_eye_like(input)), input, upper)


@published
def qr(input, some=True):
    """The QR decomposition; ``some=False`` gives the whole square Q. See ``linalg.qr``."""
    from ..linalg import qr

    return return_types.qr(*qr(input, "reduced" if some else "complete"))


@published
def svd(input, some=True, compute_uv=True):
    """The singular value decomposition ``U @ diag(S) @ V.mT``; note V, where linalg.svd has Vh."""
    from ..linalg import svd, svdvals

    if compute_uv:
        u, s, vh = svd(input, full_matrices=not some)
        return return_types.svd(u, s, H(vh))
    x = matrices("svd", A=input)
    zeros = [np.zeros((*x.shape[:-2], n, n), x.dtype) for n in x.shape[-2:]]
    return return_types.svd(wrap(zeros[0]), svdvals(input), wrap(zeros[1]))


@function(method=("lu",))
def lu(A, pivot=True, get_infos=False, out=None):
    """The LU factorisation in one matrix, and the exchanges of rows; see ``linalg.lu_factor``.

    With ``get_infos`` a third result: for each matrix the position, counted from 1, of the first
    pivot that is 0, and 0 if there is none.
    """
    from .._inplace import write_out
    from ..linalg import lu_factor_ex

    parts = tuple(lu_factor_ex(A, pivot=pivot))[: 3 if get_infos else 2]
    return parts if out is None else tuple(map(write_out, out, parts))


@published
def lu_solve(input, LU_data, LU_pivots):
    """The X with ``A @ X = input``, given what :func:`lu` returns for A."""
    from ..linalg import lu_solve

    return lu_solve(LU_data, LU_pivots, input)


@published(method=False)
def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    """(P, L, U) from what :func:`lu` returns; parts not asked for are empty."""
    data = matrices("lu_unpack", LU_data=LU_data)
    nothing = wrap(np.empty(0, data.dtype))
    p = permutation(LU_pivots, data.shape[-2], data.dtype) if unpack_pivots else nothing
    lower, upper = lower_and_upper(LU_data) if unpack_data else (nothing, nothing)
    return return_types.lu_unpack(p, lower, upper)


@published
def triangular_solve(input, A, upper=True, transpose=False, unitriangular=False):
    """(X, A) with ``A @ X = input`` for a triangular A; see ``linalg.solve_triangular``."""
    matrices("triangular_solve", b=input, A=A)
    matrices("triangular_solve", square=True, A=A)
    _same_rows("triangular_solve", A, input)
    a = A.mT if transpose else A
    x = triangular(a, input, upper=upper != transpose, unit=unitriangular)
    return return_types.triangular_solve(x, clone(A))


@published
def geqrf(input):
    """(a, tau): the QR decomposition as LAPACK stores it, for :func:`orgqr`. Not differentiable."""
    x = matrices("geqrf", A=input)
    a, tau = over_batches(_geqrf_of_one, 2, (x, 2))
    return return_types.geqrf(wrap(a), wrap(tau))


def _geqrf_of_one(x):
    from scipy.linalg import qr

    if not x.size:
        return x.copy(), np.zeros(min(x.shape), x.dtype)
    (a, tau), _ = qr(x, mode="raw")
    return np.ascontiguousarray(a), tau


@published
def orgqr(input, input2):
    """The Q whose reflectors are ``input`` and ``input2``; see ``linalg.householder_product``."""
    from ..linalg import householder_product

    return householder_product(input, input2)


@published
def ormqr(input, tau, other, left=True, transpose=False):
    """``other`` multiplied by the whole square Q whose reflectors :func:`geqrf` gave."""
    m, k = input.shape[-2], tau.shape[-1]
    steps = range(k) if left == transpose else reversed(range(k))
    result = other
    for i in steps:
        v = reflector(input, i)
        t = tau[..., i, None, None]
        if transpose and raw(tau).dtype.kind == "c":
            t = conj(t)
        if left:
            result = result - t * matmul(v, matmul(H(v), result))
        else:
            result = result - t * matmul(matmul(result, v), H(v))
    if raw(other).shape[-2 if left else -1] != m:
        raise errors.ShapeError(f"ormqr: sizes differ: {input.shape} and {other.shape}")
    return result


def reflector(a, i):
    """Column ``i`` of ``a`` below the diagonal, with a one on it and zeros above."""
    m = a.shape[-2]
    below = (np.arange(m) > i)[:, None]
    one = (np.arange(m) == i)[:, None].astype(raw(a).dtype)
    return where(below, a[..., :, i : i + 1], one)


def _removed(name, instead):
    def call(*args, **kwargs):
        raise RuntimeError(
            f"This function was deprecated and is now removed: `torch.{name}`; use `{instead}`"
        )

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Removed from PyTorch, as here: use ``{instead}``."
    return function(call, method=True, name=name)


for _name, _instead in {
    "solve": "torch.linalg.solve", "symeig": "torch.linalg.eigh", "eig": "torch.linalg.eig",
    "lstsq": "torch.linalg.lstsq",
}.items():  # fmt: skip
    _removed(_name, _instead)
_removed("matrix_rank", "torch.linalg.matrix_rank")
