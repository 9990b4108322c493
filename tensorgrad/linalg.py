"""Linear algebra under ``torch.linalg``: factorisations, systems of equations, norms.

Every function takes matrices or batches of them in the last two dimensions, of float32, float64,
complex64 or complex128. Derivatives exist to every order where the function has them.

>>> import tensorgrad as torch
>>> a = torch.tensor([[2.0, 0.0], [0.0, 4.0]])
>>> torch.linalg.solve(a, torch.tensor([2.0, 2.0]))
tensor([1.0000, 0.5000])
"""

from __future__ import annotations

import math

import numpy as np

from . import dtypes, errors, return_types
from ._graph import Tensor, wrap
from ._inplace import write_out
from ._registry import FUNCTIONS
from .errors import LinAlgError
from .ops import decomposition as _d
from .ops.decomposition import H as _H
from .ops.decomposition import matrices as _matrices
from .ops.decomposition import need_precision as _need_precision
from .ops.linalg import matmul as _matmul
from .ops.reduce import raw as _raw

_norm, _sum, _abs = FUNCTIONS["norm"], FUNCTIONS["sum"], FUNCTIONS["abs"]
_amax, _amin = FUNCTIONS["amax"], FUNCTIONS["amin"]


def _into(out, result):
    """``result``, written into ``out`` if there is one."""
    if out is None:
        return result
    if isinstance(result, tuple):
        return type(result)(*map(write_out, out, result))
    return write_out(out, result)


def _info(x, bad):
    """The status of each matrix as int32: 0, or a positive number where ``bad``."""
    return wrap(np.broadcast_to(np.asarray(bad, np.int32), x.shape[:-2]).copy())


# --- determinants and inverses ----------------------------------------------------------


def det(A, *, out=None):
    """The determinant of each square matrix.

    >>> import tensorgrad
    >>> tensorgrad.linalg.det(tensorgrad.tensor([[0.0, 2.0], [1.0, 4.0]]))
    tensor(-2.)
    """
    return _into(out, _d.det(A))


def slogdet(A, *, out=None):
    """(sign, logarithm of the magnitude) of each determinant; sign 0 and -inf for a zero one."""
    return _into(out, return_types.linalg_slogdet(*_d.slogdet(A)))


def inv(A, *, out=None):
    """The inverse of each square matrix.

    Raises:
        LinAlgError: a matrix is singular.

    >>> import tensorgrad
    >>> tensorgrad.linalg.inv(tensorgrad.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return _into(out, _d.inverse(A))


def _singular(x):
    """For each matrix the position, from 1, of the first zero pivot; 0 for an invertible one."""
    packed, _ = _d.over_batches(_d.lu_of_one, 2, (x, 2))
    return _first_zero(packed)


def _first_zero(packed):
    zero = np.diagonal(packed, 0, -2, -1) == 0
    first = zero.argmax(-1) + 1 if zero.shape[-1] else np.zeros(zero.shape[:-1], int)
    return np.where(zero.any(-1), first, 0)


def _identity_where(x, bad):
    """``x`` with the identity for the matrices that are ``bad``, so that the others can go on."""
    if not bad.any():
        return x
    eye = np.eye(x.shape[-1], dtype=_raw(x).dtype)
    return FUNCTIONS["where"](wrap(np.asarray(bad != 0)[..., None, None]), wrap(eye), x)


def inv_ex(A, *, check_errors=False, out=None):
    """(inverse, info): like :func:`inv`; a singular matrix gives info > 0 instead of an error.

    What stands for the inverse of a singular matrix is not specified.
    """
    x = _matrices("linalg.inv", square=True, A=A)
    bad = _singular(x)
    _check(check_errors, "linalg.inv", bad)
    inverse = _d.inverse(_identity_where(A, bad))
    return _into(out, return_types.linalg_inv_ex(inverse, _info(x, bad)))


def _check(check_errors, name, bad):
    if check_errors and np.any(bad):
        where = f" (Batch element {int(np.argmax(bad))})" if np.ndim(bad) else ""
        raise LinAlgError(
            f"{name}:{where} the factorization could not be completed because the input is "
            f"singular: pivot {int(np.max(bad))} is zero"
        )


def pinv(A, rcond=None, hermitian=False, *, atol=None, rtol=None, out=None):
    """The Moore-Penrose inverse, by singular values.

    Args:
        A: matrices (..., m, n).
        rcond: the older name of ``rtol``.
        hermitian: ``A`` is symmetric: its eigenvalues are used.
        atol: singular values up to it count as zero; default 0.
        rtol: so do those up to ``rtol`` times the largest; default eps * max(m, n).
        out: the tensor to write to.

    >>> import tensorgrad
    >>> tensorgrad.linalg.pinv(tensorgrad.tensor([[1.0], [1.0]]))
    tensor([[0.5000, 0.5000]])
    """
    _matrices("linalg.pinv", square=hermitian, A=A)
    attrs = {"atol": _raw(atol), "rtol": _raw(rcond if rtol is None else rtol)}
    return _into(out, _d.pseudo_inverse.op.apply((A,), {**attrs, "hermitian": hermitian}))


def matrix_power(A, n, *, out=None):
    """A square matrix to the integer power ``n``; a negative one of its inverse."""
    return _into(out, _d.matrix_power(A, n))


def matrix_exp(A):
    """The matrix exponential of each square matrix."""
    return _d.matrix_exp(A)


# --- systems of equations ---------------------------------------------------------------


def _is_vector(A, B):
    """Whether ``B`` is a vector, or a batch of vectors as long as the batch of matrices."""
    return B.ndim == 1 or (A.ndim - 1 == B.ndim and B.shape == A.shape[:-1])


def _solve_arguments(A, B, left):
    """(A, B as matrices, whether B was a vector), checked."""
    name = "linalg.solve"
    _matrices(name, square=True, A=A)
    if not isinstance(B, Tensor):
        raise TypeError(f"{name}(): argument 'B' must be Tensor, not {type(B).__name__}")
    vector = _is_vector(A, B)
    if vector and not left:
        raise errors.ShapeError(f"{name}: B must be a matrix with left=False, got {B.shape}")
    b = B.unsqueeze(-1) if vector else B
    _matrices(name, A=A, B=b)
    _need_fit(name, A, b, left)
    return A, b, vector


def _need_fit(name, A, b, left):
    if b.shape[-2 if left else -1] != A.shape[-2]:
        raise errors.ShapeError(
            f"{name}: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({'x'.join(map(str, A.shape[-2:]))} and "
            f"{'x'.join(map(str, b.shape[-2:]))})"
        )
    try:
        np.broadcast_shapes(A.shape[:-2], b.shape[:-2])
    except ValueError:
        raise errors.ShapeError(
            f"{name}: the batches of A {tuple(A.shape)} and B {tuple(b.shape)} do not broadcast"
        ) from None


def _solved(A, b, left, vector):
    x = _d.solve_matrix(A, b) if left else _d.solve_matrix(A.mT, b.mT).mT
    return x.squeeze(-1) if vector else x


def solve(A, B, *, left=True, out=None):
    """The X with ``A @ X = B``, or ``X @ A = B`` with ``left=False``.

    Args:
        A: invertible matrices (..., n, n).
        B: matrices (..., n, k), or vectors (n) or (..., n).
        left: the side that A stands on.
        out: the tensor to write to.

    Raises:
        LinAlgError: a matrix is singular.
        RuntimeError: shapes or dtypes do not fit.
    """
    A, b, vector = _solve_arguments(A, B, left)
    return _into(out, _solved(A, b, left, vector))


def solve_ex(A, B, *, left=True, check_errors=False, out=None):
    """(result, info): like :func:`solve`; a singular matrix gives info > 0 instead of an error."""
    A, b, vector = _solve_arguments(A, B, left)
    bad = _singular(_raw(A))
    _check(check_errors, "linalg.solve", bad)
    x = _solved(_identity_where(A, bad), b, left, vector)
    return _into(out, return_types.linalg_solve_ex(x, _info(A, bad)))


def solve_triangular(A, B, *, upper, left=True, unitriangular=False, out=None):
    """The X with ``A @ X = B`` (or ``X @ A = B``), of which one triangle of A is read.

    Args:
        A: matrices (..., n, n).
        B: matrices (..., n, k), or (..., k, n) with ``left=False``.
        upper: which triangle.
        left: the side that A stands on.
        unitriangular: the diagonal is taken as ones, and not read.
        out: the tensor to write to.
    """
    _matrices("linalg.solve_triangular", A=A, B=B)
    _matrices("linalg.solve_triangular", square=True, A=A)
    _need_fit("linalg.solve_triangular", A, B, left)
    x = _d.solve_triangular(A, B, upper=bool(upper), left=left, unit=bool(unitriangular))
    return _into(out, x)


def lu_solve(LU, pivots, B, *, left=True, adjoint=False, out=None):
    """The X with ``A @ X = B``, given what :func:`lu_factor` returned for A."""
    _matrices("linalg.lu_solve", LU=LU, B=B)
    _matrices("linalg.lu_solve", square=True, LU=LU)
    if _raw(pivots).dtype != np.int32:
        raise errors.DtypeError(
            f"linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32, got "
            f"{pivots.dtype}"
        )
    _need_fit("linalg.lu_solve", LU, B, left)
    return _into(out, _d.solve_by_lu(LU, pivots, B, left, adjoint))


_DRIVERS = ("gelsy", "gelsd", "gelss", "gels")


def lstsq(A, B, rcond=None, *, driver=None):
    """The X that makes ``A @ X - B`` least in norm, and of those the smallest.

    Args:
        A: matrices (..., m, n).
        B: matrices (..., m, k), or vectors as in :func:`solve`.
        rcond: singular values up to ``rcond`` times the largest count as zero (eps * max(m, n)).
        driver: LAPACK's routine, ``"gelsy"`` (default), ``"gelsd"``, ``"gelss"`` or ``"gels"``
            (which takes A to have full rank). All are computed from singular values here; it
            decides which of the further results are filled, as in PyTorch.

    Returns:
        (solution, residuals, rank, singular_values); the solution and
        the residuals are differentiable.

    Raises:
        RuntimeError: shapes, dtypes or the driver do not fit.
    """
    driver = "gelsy" if driver is None else driver
    if driver not in _DRIVERS:
        raise errors.ShapeError(
            f"torch.linalg.lstsq: parameter `driver` should be one of {_DRIVERS}, got {driver!r}"
        )
    x = _matrices("torch.linalg.lstsq", A=A)
    if not 0 <= A.ndim - B.ndim <= 1:
        raise errors.ShapeError(
            f"torch.linalg.lstsq: B must have as many dimensions as A or one less, got {B.ndim} "
            f"and {A.ndim}"
        )
    vector = _is_vector(A, B)
    b = B.unsqueeze(-1) if vector else B
    _matrices("torch.linalg.lstsq", A=A, B=b)
    m, n = x.shape[-2:]
    if b.shape[-2] != m:
        raise errors.ShapeError(
            f"torch.linalg.lstsq: input.size(-2) should match other.size(-2), got {A.shape} and "
            f"{B.shape}"
        )
    s = np.linalg.svd(x, compute_uv=False) if x.size else np.zeros((*x.shape[:-2], 0), x.dtype)
    rank = np.sum(s > _d.cutoff(x.shape, s, None, _raw(rcond)), -1)
    solution = _matmul(pinv(A, rtol=0.0 if driver == "gels" else rcond), b)
    nothing = np.empty(0, s.dtype)
    residuals = wrap(nothing)
    if m > n and driver != "gelsy" and np.all(rank == n):
        residuals = (b - _matmul(A, solution)).abs().square().sum(-2)
    return return_types.linalg_lstsq(
        solution.squeeze(-1) if vector else solution,
        residuals,
        wrap(np.empty(0, np.int64) if driver == "gels" else np.asarray(rank, np.int64)),
        wrap(s if driver in ("gelsd", "gelss") else nothing),
    )


def tensorinv(A, ind=2, *, out=None):
    """The inverse of the map from the last dimensions of A to its first ``ind``."""
    if ind <= 0:
        raise errors.ShapeError(f"Expected a strictly positive integer for 'ind', got {ind}")
    first, last = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    n = math.prod(first)
    if n != math.prod(last):
        raise errors.ShapeError(
            f"Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {math.prod(last)} != {n}"
        )
    return _into(out, inv(A.reshape(n, n)).reshape(*last, *first))


def tensorsolve(A, B, dims=None, *, out=None):
    """The X with ``tensordot(A, X, X.ndim) = B``; ``dims`` of A are moved to its end first."""
    if dims is not None:
        order = [d for d in range(A.ndim) if d not in dims] + list(dims)
        A = A.permute(*order)
    shape = tuple(A.shape[B.ndim :])
    n = math.prod(shape)
    if n != math.prod(A.shape[: B.ndim]):
        raise errors.ShapeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got shapes {tuple(A.shape)} and {tuple(B.shape)}"
        )
    return _into(out, solve(A.reshape(n, n), B.reshape(n)).reshape(shape))


# --- factorisations ---------------------------------------------------------------------


def cholesky(A, *, upper=False, out=None):
    """The lower triangular L with ``L @ L.mH = A``, or the upper ``L.mH``.

    Raises:
        LinAlgError: a matrix is not positive-definite.
    """
    _matrices("linalg.cholesky", square=True, A=A)
    return _into(out, _d.cholesky_factor(A, upper))


def _indefinite(x):
    """For each matrix the order, from 1, of the first leading minor that is not positive."""

    def run(x):
        from scipy.linalg import lapack

        if not x.size:
            return (np.zeros((), np.int64),)
        (potrf,) = lapack.get_lapack_funcs(("potrf",), (x,))
        return (np.asarray(potrf(x, lower=True)[1], np.int64),)

    return _d.over_batches(run, 1, (x, 2))[0]


def cholesky_ex(A, *, upper=False, check_errors=False, out=None):
    """(L, info): like :func:`cholesky`; info > 0 where a matrix is not positive-definite."""
    x = _matrices("linalg.cholesky", square=True, A=A)
    bad = _indefinite(_H(x) if upper else x)
    if check_errors and bad.any():
        raise LinAlgError(
            "linalg.cholesky_ex: The factorization could not be completed because the input is "
            f"not positive-definite (the leading minor of order {int(bad.max())})"
        )
    factor = _d.cholesky_factor(_identity_where(A, bad), upper)
    return _into(out, return_types.linalg_cholesky_ex(factor, _info(x, bad)))


def qr(A, mode="reduced", *, out=None):
    """(Q, R) with ``Q @ R = A``, Q orthogonal and R upper triangular.

    Args:
        A: matrices (..., m, n).
        mode: ``"reduced"``: Q is m by min(m, n); ``"complete"``: m by m, not differentiable if
            m > n; ``"r"``: R alone, with an empty Q, not differentiable.
        out: the two tensors to write to.

    Raises:
        RuntimeError: another mode; backward through what has no derivative.
    """
    x = _matrices("linalg.qr", A=A)
    m, n = x.shape[-2:]
    if mode not in ("reduced", "complete", "r"):
        raise errors.ShapeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    if mode == "reduced" or (mode == "complete" and m <= n):
        return _into(out, return_types.linalg_qr(*_d.qr_parts(A)))
    if mode == "r":
        why = "The derivative of linalg.qr depends on Q, which mode='r' does not compute"
        parts = _d.without_derivative(A, (np.linalg.qr(x, "r"),), why)
        return _into(out, return_types.linalg_qr(wrap(np.empty(0, x.dtype)), *parts))
    why = "The QR decomposition is not differentiable when mode='complete' and nrows > ncols"
    parts = _d.without_derivative(A, tuple(np.linalg.qr(x, "complete")), why)
    return _into(out, return_types.linalg_qr(*parts))


def householder_product(A, tau, *, out=None):
    """The first n columns of the product of the reflectors ``1 - tau[i] v v.mH``, v in A's columns.

    Args:
        A: matrices (..., m, n), m >= n; column i holds v below the diagonal, v[i] is 1.
        tau: (..., k) with k <= n.
        out: the tensor to write to.
    """
    x = _matrices("torch.linalg.householder_product", A=A)
    m, n = x.shape[-2:]
    k = tau.shape[-1]
    if m < n or k > n:
        raise errors.ShapeError(
            f"torch.linalg.householder_product: needs m >= n >= k, got A {tuple(A.shape)} and tau "
            f"{tuple(tau.shape)}"
        )
    q = wrap(np.broadcast_to(np.eye(m, n, dtype=x.dtype), (*x.shape[:-2], m, n)).copy())
    for i in reversed(range(k)):
        v = _d.reflector(A, i)
        q = q - tau[..., i, None, None] * _matmul(v, _matmul(_H(v), q))
    return _into(out, q)


def svd(A, full_matrices=True, *, driver=None, out=None):
    """(U, S, Vh) with ``U @ diag(S) @ Vh = A``, the singular values S descending.

    Args:
        A: matrices (..., m, n).
        full_matrices: U is m by m and Vh n by n; False: m by k and k by n, k = min(m, n).
        driver: only for CUDA.
        out: the three tensors to write to.

    The vectors beyond the k-th carry no gradient. The derivative of the vectors grows without
    bound as singular values meet; that of S does not.

    Raises:
        RuntimeError: a driver is named.
    """
    x = _matrices("linalg.svd", A=A)
    if driver is not None:
        raise errors.ShapeError("torch.linalg.svd: keyword argument `driver=` is only for CUDA")
    u, s, vh = _d.svd_parts(A)
    m, n = x.shape[-2:]
    if full_matrices and m != n:
        whole_u, _, whole_vh = np.linalg.svd(x)
        if m > n:
            u = FUNCTIONS["cat"]((u, wrap(whole_u[..., :, n:])), -1)
        else:
            vh = FUNCTIONS["cat"]((vh, wrap(whole_vh[..., m:, :])), -2)
    return _into(out, return_types.linalg_svd(u, s, vh))


def svdvals(A, *, driver=None, out=None):
    """The singular values of each matrix, descending."""
    return _into(out, svd(A, full_matrices=False, driver=driver)[1])


def _triangle(name, UPLO):
    if not isinstance(UPLO, str) or UPLO.upper() not in ("L", "U"):
        raise errors.ShapeError(f"{name}: Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper()


def eigh(A, UPLO="L", *, out=None):
    """(eigenvalues, eigenvectors) of Hermitian matrices, ascending; the vectors are columns.

    Args:
        A: matrices (..., n, n).
        UPLO: the triangle that is read; the gradient is that of the whole matrix.
        out: the two tensors to write to.

    >>> import tensorgrad
    >>> tensorgrad.linalg.eigh(tensorgrad.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    _matrices("linalg.eigh", square=True, A=A)
    parts = _d.eigh_parts(A, uplo=_triangle("linalg.eigh", UPLO))
    return _into(out, return_types.linalg_eigh(*parts))


def eigvalsh(A, UPLO="L", *, out=None):
    """The eigenvalues of Hermitian matrices, ascending."""
    return _into(out, eigh(A, UPLO)[0])


def _eig(A):
    from .ops.wirtinger import linalg_eig

    _matrices("linalg.eig", square=True, A=A)
    return linalg_eig(A)


def eig(A, *, out=None):
    """(eigenvalues, eigenvectors) of square matrices, complex; the vectors are columns."""
    return _into(out, return_types.linalg_eig(*_eig(A)))


def eigvals(A, *, out=None):
    """The eigenvalues of square matrices, complex, in no particular order."""
    return _into(out, _eig(A)[0])


def _need_pivot(name, pivot):
    if not pivot:
        raise errors.ShapeError(f"{name}: LU without pivoting is not implemented on the CPU")


def lu(A, *, pivot=True, out=None):
    """(P, L, U) with ``P @ L @ U = A``: a permutation, a lower and an upper triangular matrix."""
    x = _matrices("linalg.lu", A=A)
    _need_pivot("linalg.lu", pivot)
    packed, swaps = _d.lu_packed(A)
    p = _d.permutation(swaps, x.shape[-2], x.dtype)
    return _into(out, return_types.linalg_lu(p, *_d.lower_and_upper(packed)))


def lu_factor_ex(A, *, pivot=True, check_errors=False, out=None):
    """(LU, pivots, info): like :func:`lu_factor`; info > 0 is the first pivot that is zero."""
    x = _matrices("torch.linalg.lu_factor", A=A)
    _need_pivot("linalg.lu_factor", pivot)
    packed, swaps = _d.lu_packed(A)
    bad = _first_zero(_raw(packed))
    _check(check_errors, "torch.linalg.lu_factor_ex", bad)
    return _into(out, return_types.linalg_lu_factor_ex(packed, swaps, _info(x, bad)))


def lu_factor(A, *, pivot=True, out=None):
    """(LU, pivots): L and U in one matrix, and the exchanges of rows, counted from 1.

    Raises:
        RuntimeError: a matrix has no LU factorisation to solve with: a pivot is zero.
    """
    packed, swaps, _ = lu_factor_ex(A, pivot=pivot, check_errors=True)
    return _into(out, return_types.linalg_lu_factor(packed, swaps))


# --- norms ------------------------------------------------------------------------------


def _widened(name, x, dtype):
    """``x`` in ``dtype``, which must have room for it."""
    if dtype is None or not isinstance(x, Tensor):
        return x
    if dtypes.promote_types(x._array.dtype, dtype.numpy) != dtype.numpy:
        raise errors.DtypeError(
            f"{name}: the dtype of the input ({x.dtype}) should be convertible without narrowing "
            f"to the specified dtype ({dtype})"
        )
    return x.to(dtype)


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None, out=None):
    """The norm of vectors: ``sum(|x|**ord) ** (1/ord)`` over ``dim``.

    Args:
        x: any tensor.
        ord: a number; inf and -inf the largest and smallest magnitude, 0 the count of nonzeros.
        dim: int or tuple; None for all of ``x`` as one vector.
        keepdim: keep those dimensions, with size one.
        dtype: the type to compute in.
        out: the tensor to write to.

    >>> import tensorgrad
    >>> tensorgrad.linalg.vector_norm(tensorgrad.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if isinstance(ord, str) or ord is None:
        raise TypeError(f"linalg_vector_norm(): argument 'ord' must be Number, not {ord!r}")
    dim = tuple(dim) if isinstance(dim, list) else dim
    return _into(out, _norm(_widened("linalg.vector_norm", x, dtype), ord, dim, keepdim))


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None, out=None):
    """The norm of matrices.

    Args:
        A: any tensor of two dimensions or more.
        ord: ``"fro"`` (root of the sum of squares), ``"nuc"`` (sum of singular values), 2 and -2
            (largest and smallest singular value), inf and -inf (largest and smallest sum of a
            row's magnitudes), 1 and -1 (of a column's).
        dim: the two dimensions of the matrices.
        keepdim: keep those dimensions, with size one.
        dtype: the type to compute in.
        out: the tensor to write to.

    Raises:
        RuntimeError: another ``ord``, or dimensions that do not fit.
    """
    if not isinstance(A, Tensor):
        raise TypeError(f"linalg.matrix_norm(): A must be Tensor, not {type(A).__name__}")
    if A.ndim < 2:
        raise errors.ShapeError(
            f"linalg.matrix_norm: The input tensor A must have at least 2 dimensions, got {A.ndim}"
        )
    if not isinstance(dim, tuple | list) or len(dim) != 2:
        raise errors.ShapeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {dim}")
    rows, columns = (d + A.ndim if d < 0 else d for d in dim)
    if rows == columns:
        raise errors.ShapeError(f"linalg.matrix_norm: dims must be different. Got {tuple(dim)}")
    A = _widened("linalg.matrix_norm", A, dtype)
    if _raw(A).dtype.kind not in "fc":
        _need_precision("linalg.matrix_norm", _raw(A))
    if isinstance(ord, str):
        if ord not in ("fro", "nuc"):
            raise errors.ShapeError(f"linalg.matrix_norm: Order {ord} not supported.")
    elif abs(ord) not in (1, 2, math.inf):
        raise errors.ShapeError(f"linalg.matrix_norm: Order {ord} not supported.")
    if ord == "fro":
        return _into(out, _norm(A, 2, tuple(dim), keepdim))
    if ord in ("nuc", 2, -2):
        s = svdvals(A.movedim((rows, columns), (-2, -1)))
        result = _sum(s, -1) if ord == "nuc" else (_amax if ord > 0 else _amin)(s, -1)
        if keepdim:
            for d in sorted((rows, columns)):
                result = result.unsqueeze(d)
        return _into(out, result)
    inner, outer = (columns, rows) if abs(ord) == math.inf else (rows, columns)
    sums = _sum(_abs(A), inner, True)
    result = (_amax if ord > 0 else _amin)(sums, outer, True)
    if not keepdim:
        result = result.squeeze((rows, columns))
    return _into(out, result)


def norm(A, ord=None, dim=None, keepdim=False, *, out=None, dtype=None):
    """The norm of vectors or matrices, by ``dim``.

    Without ``ord`` it is the 2-norm of the elements over ``dim``. With ``ord`` an int ``dim``
    asks for :func:`vector_norm`, two for :func:`matrix_norm`; without ``dim`` the tensor itself
    must be a vector or a matrix.

    Raises:
        RuntimeError: ``A`` has more dimensions and no ``dim`` is given.
    """
    dims = None if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if ord is None:
        return _into(out, _norm(_widened("linalg.norm", A, dtype), 2, dims, keepdim))
    if dims is None and A.ndim not in (1, 2):
        raise errors.ShapeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{A.ndim}D."
        )
    if dims is not None and len(dims) not in (1, 2):
        raise errors.ShapeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {dim}"
        )
    if (A.ndim if dims is None else len(dims)) == 1:
        if isinstance(ord, str):
            raise errors.ShapeError(f"linalg.norm: Order {ord} is for matrices; dim={dim}")
        return vector_norm(A, ord, dims, keepdim, dtype=dtype, out=out)
    return matrix_norm(A, ord, dims or (-2, -1), keepdim, dtype=dtype, out=out)


def cond(A, p=None, *, out=None):
    """The condition number: ``norm(A, p) * norm(inv(A), p)``; inf for a singular matrix.

    ``p`` is an order of :func:`matrix_norm`; None is 2.
    """
    x = _matrices("linalg.cond", square=p not in (None, 2, -2), A=A)
    if p in (None, 2, -2):
        s = svdvals(A)
        high, low = s[..., 0], s[..., -1]
        return _into(out, low / high if p == -2 else high / low)
    bad = _singular(x)
    inverse = inv(_identity_where(A, bad))
    result = matrix_norm(A, p) * matrix_norm(inverse, p)
    if bad.any():
        result = FUNCTIONS["where"](wrap(np.asarray(bad != 0)), math.inf, result)
    return _into(out, result)


def matrix_rank(A, tol=None, hermitian=False, *, atol=None, rtol=None, out=None):
    """The number of singular values above ``max(atol, rtol * the largest)``.

    Args:
        A: matrices (..., m, n).
        tol: the older name of ``atol``.
        hermitian: ``A`` is symmetric: the magnitudes of its eigenvalues are counted.
        atol: default 0.
        rtol: default eps * max(m, n), or 0 if ``atol`` is positive.
        out: the tensor to write to.
    """
    x = _matrices("linalg.matrix_rank", square=hermitian, A=A)
    if 0 in x.shape[-2:]:
        return _into(out, wrap(np.zeros(x.shape[:-2], np.int64)))
    s = np.abs(np.linalg.eigvalsh(x)) if hermitian else np.linalg.svd(x, compute_uv=False)
    if hermitian:
        s = -np.sort(-s)
    least = _d.cutoff(x.shape, s, _raw(tol if atol is None else atol), _raw(rtol))
    return _into(out, wrap(np.asarray((s > least).sum(-1), np.int64)))


# --- products ---------------------------------------------------------------------------


def matmul(input, other, *, out=None):
    """The product of vectors, matrices or batches; see ``tensorgrad.matmul``."""
    return _into(out, _matmul(input, other))


def multi_dot(tensors, *, out=None):
    """The product of matrices in the cheapest order; the first and last may be vectors.

    Raises:
        RuntimeError: fewer than two tensors, other numbers of dimensions, sizes that do not fit.
    """
    tensors = list(tensors)
    if len(tensors) < 2:
        raise errors.ShapeError(
            f"multi_dot(): expected at least 2 tensors but got {len(tensors)}"
        )
    first, last = tensors[0].ndim == 1, tensors[-1].ndim == 1
    if first:
        tensors[0] = tensors[0].unsqueeze(0)
    if last:
        tensors[-1] = tensors[-1].unsqueeze(-1)
    result = FUNCTIONS["chain_matmul"](*tensors)
    if last:
        result = result.squeeze(-1)
    return _into(out, result.squeeze(0) if first else result)


def vecdot(x, y, *, dim=-1, out=None):
    """The sums of ``conj(x) * y`` over ``dim``; the shapes broadcast."""
    if _raw(x).dtype != _raw(y).dtype:
        raise errors.DtypeError(
            f"linalg.vecdot: Expected x and y to have the same dtype, got {x.dtype} and {y.dtype}"
        )
    x = FUNCTIONS["conj"](x) if _raw(x).dtype.kind == "c" else x
    return _into(out, _sum(x * y, dim))


def cross(input, other, *, dim=-1, out=None):
    """The vector products of the vectors of three elements along ``dim``; shapes broadcast."""
    from .ops.measure import cross_along

    return _into(out, cross_along("linalg.cross", input, other, dim))


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """A view of the diagonals of each matrix; see ``tensorgrad.diagonal``."""
    return FUNCTIONS["diagonal"](A, offset, dim1, dim2)


def vander(x, *, N=None):
    """The powers 0 to N - 1 of each element along a new last dimension; N is their number if None.

    >>> import tensorgrad
    >>> tensorgrad.linalg.vander(tensorgrad.tensor([1, 2, 3]), N=3)
    tensor([[1, 1, 1],
            [1, 2, 4],
            [1, 3, 9]])
    """
    x = x if x.ndim else x.reshape(1)
    n = x.shape[-1] if N is None else N
    if n <= 1:
        raise errors.ShapeError(f"N must be greater than 1. Got {n}")
    ones = FUNCTIONS["ones_like"](x).unsqueeze(-1)
    powers = x.unsqueeze(-1).expand(*x.shape, n - 1).cumprod(-1)
    return FUNCTIONS["cat"]((ones, powers), -1)


__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh",
    "eigvals", "eigvalsh", "householder_product", "inv", "inv_ex", "lstsq", "lu", "lu_factor",
    "lu_factor_ex", "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power",
    "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_ex",
    "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot",
    "vector_norm",
]  # fmt: skip
