"""Special functions under ``torch.special``; most are functions of ``tensorgrad`` too.

Bessel functions of other kinds have no derivative, as in PyTorch; orthogonal polynomials are left
out.

>>> import tensorgrad as torch
>>> torch.special.expit(torch.tensor([0.0]))
tensor([0.5000])
"""

from __future__ import annotations

from ._registry import FUNCTIONS as _F
from ._registry import op as _op
from .ops import gamma as _g
from .ops.gamma import (
    entr,
    erfcx,
    i0,
    i0e,
    i1,
    i1e,
    log_ndtr,
    ndtr,
    ndtri,
    xlog1py,
    zeta,
)

# PyTorch's names here -> the functions of tensorgrad.
_SAME = {
    "digamma": "digamma", "erf": "erf", "erfc": "erfc", "erfinv": "erfinv", "exp2": "exp2",
    "expit": "sigmoid", "expm1": "expm1", "gammainc": "igamma", "gammaincc": "igammac",
    "gammaln": "lgamma", "log1p": "log1p", "log_softmax": "log_softmax", "logit": "logit",
    "logsumexp": "logsumexp", "multigammaln": "mvlgamma", "polygamma": "polygamma",
    "psi": "digamma", "round": "round", "sinc": "sinc", "softmax": "softmax", "xlogy": "xlogy",
}  # fmt: skip
globals().update({name: _F[ours] for name, ours in _SAME.items()})


def _bessel(name, scipy_name, doc):
    """A function of SciPy without derivative, as in PyTorch."""

    def forward(x):
        return _g._scipy(scipy_name, x)

    forward.__name__, forward.__doc__ = name, doc
    run = _op(forward, types="float", public=False, method=False)

    def refuse(g):
        raise NotImplementedError(f"the derivative for {name} is not implemented")

    run.vjp(x=refuse)
    return run


_SECOND = "The {}Bessel function of the {} kind of order {}."
bessel_j0 = _bessel("bessel_j0", "j0", _SECOND.format("", "first", 0))
bessel_j1 = _bessel("bessel_j1", "j1", _SECOND.format("", "first", 1))
bessel_y0 = _bessel("bessel_y0", "y0", _SECOND.format("", "second", 0))
bessel_y1 = _bessel("bessel_y1", "y1", _SECOND.format("", "second", 1))
modified_bessel_i0 = _bessel("modified_bessel_i0", "i0", _SECOND.format("modified ", "first", 0))
modified_bessel_i1 = _bessel("modified_bessel_i1", "i1", _SECOND.format("modified ", "first", 1))
modified_bessel_k0 = _bessel("modified_bessel_k0", "k0", _SECOND.format("modified ", "second", 0))
modified_bessel_k1 = _bessel("modified_bessel_k1", "k1", _SECOND.format("modified ", "second", 1))
scaled_modified_bessel_k0 = _bessel(
    "scaled_modified_bessel_k0", "k0e", "``exp(x)`` times :func:`modified_bessel_k0`."
)
scaled_modified_bessel_k1 = _bessel(
    "scaled_modified_bessel_k1", "k1e", "``exp(x)`` times :func:`modified_bessel_k1`."
)

__all__ = [
    *_SAME, "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "entr", "erfcx", "i0", "i0e", "i1",
    "i1e", "log_ndtr", "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0",
    "modified_bessel_k1", "ndtr", "ndtri", "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1", "xlog1py", "zeta",
]  # fmt: skip
