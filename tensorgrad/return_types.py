"""Results with named parts, such as what ``x.max(dim)`` gives; they unpack like tuples.

>>> import tensorgrad
>>> values, indices = tensorgrad.tensor([3.0, 1.0]).max(0)
>>> tensorgrad.tensor([3.0, 1.0]).max(0).indices
tensor(0)
"""

from __future__ import annotations

from collections import namedtuple


def _repr(self):
    parts = ",\n".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
    return f"torch.return_types.{type(self).__name__}(\n{parts})"


def _named(name, *fields):
    """A tuple type with named parts that prints as PyTorch's of the same name."""
    members = {
        "__slots__": (),
        "__repr__": _repr,
        "__module__": __name__,
        "__doc__": f"What ``tensorgrad.{name}`` returns: ({', '.join(fields)}).",
    }
    return type(name, (namedtuple(name, fields),), members)


max, min = _named("max", "values", "indices"), _named("min", "values", "indices")
cummax, cummin = _named("cummax", "values", "indices"), _named("cummin", "values", "indices")
median, nanmedian = _named("median", "values", "indices"), _named("nanmedian", "values", "indices")
mode, kthvalue = _named("mode", "values", "indices"), _named("kthvalue", "values", "indices")
sort, topk = _named("sort", "values", "indices"), _named("topk", "values", "indices")
aminmax = _named("aminmax", "min", "max")

# Made when first used: each takes 70 us, and an import would wait for all of them.
_LATER = {
    "svd": "U S V", "qr": "Q R", "slogdet": "sign logabsdet", "lu_unpack": "P L U",
    "geqrf": "a tau", "triangular_solve": "solution cloned_coefficient",
    "frexp": "mantissa exponent", "histogram": "hist bin_edges", "histogramdd": "hist bin_edges",
    "linalg_svd": "U S Vh", "linalg_qr": "Q R", "linalg_eig": "eigenvalues eigenvectors",
    "linalg_eigh": "eigenvalues eigenvectors", "linalg_slogdet": "sign logabsdet",
    "linalg_lu": "P L U", "linalg_lu_factor": "LU pivots",
    "linalg_lu_factor_ex": "LU pivots info", "linalg_inv_ex": "inverse info",
    "linalg_solve_ex": "result info", "linalg_cholesky_ex": "L info",
    "linalg_lstsq": "solution residuals rank singular_values",
}  # fmt: skip


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()[name] = _named(name, *_LATER[name].split())
    return made


def __dir__():
    return sorted({*globals(), *_LATER})
