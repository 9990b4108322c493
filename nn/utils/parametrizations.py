"""Parametrisations to register: orthogonal matrices, weight and spectral normalisation."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad import Tensor, linalg
from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.module import Module
from tensorgrad.nn.utils import parametrize
from tensorgrad.nn.utils.spectral_norm import as_matrix, default_dim
from tensorgrad.nn.utils.weight_norm import norm_except_dim, normalized

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


# --- orthogonal -------------------------------------------------------------------------


def _is_orthogonal(q):
    n, k = q.shape[-2:]
    identity = tg.eye(k, dtype=q.dtype)
    return tg.allclose(q.mH @ q, identity, atol=10.0 * n * tg.finfo(q.dtype).eps)


def _orthogonalized(a):
    """The factor Q of ``a = QR`` with a positive diagonal of R; Householder, as LAPACK has it."""
    reflectors, tau = tg.geqrf(a)
    q = linalg.householder_product(reflectors, tau)
    return q * reflectors.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


class _Orthogonal(Module):
    """Orthogonal (or unitary) matrices from matrices; see :func:`orthogonal`."""

    def __init__(self, weight, orthogonal_map, *, use_trivialization=True):
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape, self.orthogonal_map = weight.shape, orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X):
        """The orthogonal matrix."""
        wide = X.shape[-2] < X.shape[-1]
        if wide:
            X = X.mT
        Q = self._from_reflectors(X) if self.orthogonal_map == "householder" else self._from_skew(X)
        if hasattr(self, "base"):
            Q = self.base @ Q
        return Q.mT if wide else Q

    def _from_skew(self, X):
        """By the exponential or the Cayley map of the skew-symmetric matrix of the lower part."""
        n, k = X.shape[-2:]
        X = X.tril()
        if n != k:
            X = tg.cat([X, X.new_zeros((*X.shape[:-2], n, n - k))], dim=-1)
        A = X - X.mH
        if self.orthogonal_map == "matrix_exp":
            Q = tg.matrix_exp(A)
        else:
            identity = tg.eye(n, dtype=A.dtype)
            Q = linalg.solve(identity - 0.5 * A, identity + 0.5 * A)
        return Q[..., :k] if n != k else Q

    def _from_reflectors(self, X):
        """As a product of the reflections whose vectors stand below the diagonal."""
        A = X.tril(-1)
        tau = 2.0 / (1.0 + (A * A).sum(-2))
        Q = linalg.householder_product(A, tau)
        signs = X.detach().diagonal(dim1=-2, dim2=-1).int().to(X.dtype)
        return Q * signs.unsqueeze(-2)

    def right_inverse(self, Q):
        """What :meth:`forward` makes ``Q`` of; it moves the base there if there is one.

        Raises:
            ValueError: ``Q`` has another shape than the parameter.
            NotImplementedError: without a base there is none for ``"matrix_exp"`` and
                ``"cayley"``.
        """
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {tuple(self.shape)}. Got a "
                f"tensor of shape {tuple(Q.shape)}."
            )
        with tg.no_grad():
            wide = Q.shape[-2] < Q.shape[-1]
            tall = Q.mT if wide else Q
            if hasattr(self, "base"):
                self.base = self._full(tall)
                return -tg.eye(*Q.shape[-2:], dtype=Q.dtype).expand(Q.shape).clone()
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley "
                    "parametrizations when use_trivialization=False."
                )
            A, tau = tg.geqrf(tall)
            diagonal = A.diagonal(dim1=-2, dim2=-1)
            signs = tg.where(tau == 0, -diagonal.sign(), diagonal.sign())
            A = A.tril(-1) + A.triu(1) + _on_diagonal(signs, A)
            return A.mT if wide else A

    def _full(self, Q):
        """``Q``, made orthogonal if it is not, with random further columns if it is not square."""
        n, k = Q.shape[-2:]
        if n == k:
            return Q.clone() if _is_orthogonal(Q) else _orthogonalized(Q)
        noise = tg.randn(*Q.shape[:-2], n, n - k, dtype=Q.dtype)
        return _orthogonalized(tg.cat([Q, noise], dim=-1))


def _on_diagonal(values, like):
    """Zeros like a tall matrix, with ``values`` on the diagonal."""
    n, k = like.shape[-2:]
    square = tg.diag_embed(values)
    return tg.cat([square, like.new_zeros((*like.shape[:-2], n - k, k))], dim=-2)


def orthogonal(module, name="weight", orthogonal_map=None, *, use_trivialization=True):
    """Keep a matrix of a module orthogonal: its columns orthonormal, or its rows if it is wide.

    Args:
        module: the module; it is changed and returned.
        name: of the parameter; batches of matrices are fine.
        orthogonal_map: ``"matrix_exp"`` or ``"cayley"`` (of a skew-symmetric matrix) or
            ``"householder"`` (a product of reflections). By default the first for square
            matrices, the last for others.
        use_trivialization: multiply by a fixed orthogonal matrix, so that it starts from the
            parameter's value and that can be assigned.

    Raises:
        ValueError: there is no such tensor, it has fewer than 2 dimensions, or the map is another.

    Source: Lezcano-Casado, Trivializations for Gradient-Based Optimization on Manifolds,
    arXiv:1909.09501.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(3, 3))
    >>> torch.allclose(layer.weight @ layer.weight.T, torch.eye(3), atol=1e-5)
    True
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: '
            f"{orthogonal_map}"
        )
    parametrization = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return parametrize.register_parametrization(module, name, parametrization, unsafe=True)


def _tensor_of(module, name):
    tensor = getattr(module, name, None)
    if not isinstance(tensor, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return tensor


# --- weight normalisation ---------------------------------------------------------------


class _WeightNorm(Module):
    """A tensor from its norms and its direction."""

    def __init__(self, dim=0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g, weight_v):
        """The tensor."""
        return normalized(weight_v, weight_g, self.dim)

    def right_inverse(self, weight):
        """Its norms, and itself for a direction."""
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module, name="weight", dim=0):
    """Compute a parameter as ``g * v / |v|``.

    Its parameters are ``parametrizations.<name>.original0`` (the norms) and ``original1``. State
    dicts of :func:`tensorgrad.nn.utils.weight_norm` can be loaded.

    Args:
        module: the module; it is changed and returned.
        name: of the parameter.
        dim: the dimension along which each slice has its own norm; None for one norm of all.

    Source: Salimans and Kingma, Weight Normalization, arXiv:1602.07868.

    >>> import tensorgrad as torch
    >>> torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(20, 40))
    ParametrizedLinear(
      in_features=20, out_features=40, bias=True
      (parametrizations): ModuleDict(
        (weight): ParametrizationList(
          (0): _WeightNorm()
        )
      )
    )
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename_old(state_dict, prefix, *rest):
        old = [f"{prefix}{name}_{part}" for part in "gv"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(rename_old)
    return module


# --- spectral normalisation -------------------------------------------------------------


class _SpectralNorm(Module):
    """A tensor divided by its largest singular value; see :func:`spectral_norm`."""

    def __init__(self, weight, n_power_iterations=1, dim=0, eps=1e-12):
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got "
                f"{dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim, self.eps = dim % ndim, eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight.detach(), self.dim)
            for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                vector = matrix.new_empty(size).normal_(0, 1)
                self.register_buffer(name, vector)
            self._u.copy_(F.normalize(self._u, dim=0, eps=eps))
            self._v.copy_(F.normalize(self._v, dim=0, eps=eps))
            self._power_method(matrix, 15)

    def _power_method(self, matrix, n_power_iterations):
        with tg.no_grad():
            for _ in range(n_power_iterations):
                self._u.copy_(F.normalize(tg.mv(matrix, self._v), dim=0, eps=self.eps))
                self._v.copy_(F.normalize(tg.mv(matrix.mH, self._u), dim=0, eps=self.eps))

    def forward(self, weight):
        """The normalised tensor; in training mode the singular vectors are improved before."""
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the next call writes into the buffers
        return weight / tg.vdot(u, tg.mv(matrix, v))

    def right_inverse(self, value):
        """The value itself."""
        return value


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide a parameter by its largest singular value, estimated by power iteration.

    Args:
        module: the module; it is changed and returned.
        name: of the parameter; a vector is divided by its length.
        n_power_iterations: iterations at each access in training mode.
        eps: added where a vector is normalised.
        dim: the dimension of the outputs; 1 for transposed convolutions, otherwise 0.

    Raises:
        ValueError: there is no such tensor, or ``n_power_iterations`` is not positive.
        IndexError: there is no such dimension.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks,
    arXiv:1802.05957.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(4, 4))
    >>> abs(torch.linalg.matrix_norm(layer.weight, 2).item() - 1) < 0.1
    True
    """
    weight = _tensor_of(module, name)
    dim = default_dim(module) if dim is None else dim
    parametrization = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return parametrize.register_parametrization(module, name, parametrization)
