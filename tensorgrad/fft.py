"""Discrete Fourier transforms, ``torch.fft``: over one dimension, two, or any, to any order.

Three ops carry all of it, as in PyTorch: complex to complex, real to the half of the spectrum that
says it all, and back. The adjoint of each is made of the others.
"""

from __future__ import annotations

import math

import numpy as np

from . import creation, dtypes, errors
from ._graph import Tensor, ndarray, wrap
from ._inplace import write_out
from ._registry import FUNCTIONS, OPS, op
from .ops.elementwise import cast_like
from .ops.special import conj

_constant_pad = OPS["constant_pad"]


# --- the ops ----------------------------------------------------------------------------


@op(name="fft_c2c", public=False, method=False, complex="as is", grad_name="FftC2CBackward0")
def _c2c(x, *, dim, forward, scale):
    """The transform of complex numbers over the dimensions ``dim``, times ``scale``."""
    from scipy import fft

    run, plain = (fft.fftn, "backward") if forward else (fft.ifftn, "forward")
    return _scaled(run(x, axes=dim, norm=plain), scale)


@op(name="fft_r2c", public=False, method=False, complex="as is", grad_name="FftR2CBackward0")
def _r2c(x, *, dim, scale):
    """The transform of real numbers: the half with frequencies from 0 in the last of ``dim``."""
    from scipy import fft

    return _scaled(fft.rfftn(x, axes=dim), scale)


@op(name="fft_c2r", public=False, method=False, complex="as is", grad_name="FftC2RBackward0")
def _c2r(x, *, dim, n, scale):
    """The inverse of :func:`_r2c` up to a factor, with ``n`` numbers in the last of ``dim``."""
    from scipy import fft

    s = [x.shape[d] for d in dim[:-1]] + [n]
    return _scaled(fft.irfftn(x, s, axes=dim, norm="forward"), scale)


def _scaled(y, scale):
    if scale != 1.0:
        y *= scale
    return y


def _c2c_x(g, *, dim, forward, scale):
    return _c2c.op.apply((g,), {"dim": dim, "forward": not forward, "scale": scale})


def _r2c_x(g, x_shape, *, dim, scale):
    """Only half of the spectrum was handed out: the rest of the gradient is 0."""
    whole = _resized(g, dim[-1], x_shape[dim[-1]])
    return _c2c.op.apply((whole,), {"dim": dim, "forward": False, "scale": scale}).real


def _c2r_x(g, x_shape, *, dim, n, scale):
    """Each frequency counts twice, but for 0 and, where ``n`` is even, the highest."""
    half = _r2c.op.apply((g,), {"dim": dim, "scale": scale})
    twice = np.ones(x_shape[dim[-1]], g.real.dtype if isinstance(g, ndarray) else g._array.dtype)
    twice[1 : 1 + n - len(twice)] = 2.0
    last = dim[-1] % len(x_shape)
    return half * twice.reshape((-1,) + (1,) * (len(x_shape) - last - 1))


_c2c.vjp(x=_c2c_x)
_r2c.vjp(x=_r2c_x)
_c2r.vjp(x=_c2r_x)


# --- arguments --------------------------------------------------------------------------


def _tensor(name, x):
    if not isinstance(x, Tensor | ndarray):
        raise TypeError(f"fft_{name}(): argument 'input' must be Tensor, not {type(x).__name__}")
    return x if isinstance(x, Tensor) else wrap(x)


def _as_float(name, x, to_complex):
    """``x`` in the dtype that is transformed."""
    own = x._array.dtype
    if own.char == "e":
        raise errors.DtypeError(f"{name}: Unsupported dtype Half; convert it with .float()")
    if not to_complex and own.kind == "c":
        raise errors.DtypeError(
            f"{name} expects a real input tensor, but got {dtypes.of(own)}; take its real part, or "
            "use the transform without r"
        )
    if own.kind in "biu":
        own = dtypes.default_float()
    return cast_like(x, np.result_type(own, np.complex64) if to_complex else own)


def _scale(norm, sizes, forward):
    """The factor that ``norm`` means."""
    n = math.prod(sizes)
    if norm == "ortho":
        return 1.0 / math.sqrt(n)
    if norm not in (None, "backward", "forward"):
        raise RuntimeError(
            f'Invalid normalization mode: "{norm}"; it may be "forward", "backward" or "ortho"'
        )
    return 1.0 / n if (norm == "forward") == forward else 1.0


def _axis(x, dim):
    n = x._array.ndim
    if not n:
        raise errors.DimError(f"Dimension specified as {dim} but tensor has no dimensions")
    if not -n <= dim < n:
        raise errors.DimError(
            f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
        )
    return dim % n


def _axes(x, s, dim):
    """(dimensions, wanted sizes or None) of a transform over several dimensions."""
    ndim = x._array.ndim
    s = (s,) if isinstance(s, int) else s
    dim = (dim,) if isinstance(dim, int) else dim
    if dim is not None:
        if s is not None and len(s) != len(dim):
            raise errors.ShapeError(
                "When given, dim and shape arguments must have the same length, got "
                f"dim={tuple(dim)} and s={tuple(s)}"
            )
        axes = [_axis(x, d) for d in dim]
        if len(set(axes)) != len(axes):
            raise errors.ShapeError(f"FFT dims must be unique, got {tuple(dim)}")
    elif s is not None:
        if len(s) > ndim:
            raise errors.ShapeError(
                f"Got shape with {len(s)} values but input tensor only has {ndim} dimensions."
            )
        axes = list(range(ndim - len(s), ndim))
    else:
        axes = list(range(ndim))
    return tuple(axes), [None if n == -1 else n for n in s or [-1] * len(axes)]


def _positive(n):
    if n < 1:
        raise errors.ShapeError(f"Invalid number of data points ({n}) specified; at least 1 needed")
    return n


def _resized(x, dim, n):
    """``x`` cut off or filled with zeros to ``n`` elements along ``dim``."""
    shape = x.shape
    if shape[dim] == n:
        return x
    pad = [(0, 0)] * len(shape)
    pad[dim] = (0, n - shape[dim])
    return _constant_pad.apply((x,), {"pad": tuple(pad), "value": 0.0})


def _finish(result, out):
    return result if out is None else write_out(out, result)


def _to_complex(name, input, s, dim, norm, forward, out):
    x = _as_float(name, _tensor(name, input), True)
    dim, s = _axes(x, s, dim)
    for d, n in zip(dim, s, strict=True):
        x = _resized(x, d, _positive(x._array.shape[d] if n is None else n))
    scale = _scale(norm, [x._array.shape[d] for d in dim], forward)
    if not dim:
        return _finish(FUNCTIONS["clone"](x), out)
    return _finish(_c2c.op.apply((x,), {"dim": dim, "forward": forward, "scale": scale}), out)


def _from_real(name, input, s, dim, norm, out, inverse=False):
    x = _as_float(name, _tensor(name, input), False)
    dim, s = _axes(x, s, dim)
    _demand_axis(name, dim)
    for d, n in zip(dim, s, strict=True):
        x = _resized(x, d, _positive(x._array.shape[d] if n is None else n))
    scale = _scale(norm, [x._array.shape[d] for d in dim], not inverse)
    result = _r2c.op.apply((x,), {"dim": dim, "scale": scale})
    return _finish(conj(result) if inverse else result, out)


def _to_real(name, input, s, dim, norm, out, hermitian=False):
    x = _as_float(name, _tensor(name, input), True)
    dim, s = _axes(x, s, dim)
    _demand_axis(name, dim)
    for d, n in zip(dim[:-1], s[:-1], strict=True):
        x = _resized(x, d, _positive(x._array.shape[d] if n is None else n))
    last = dim[-1]
    n = _positive(2 * (x._array.shape[last] - 1) if s[-1] is None else s[-1])
    x = _resized(x, last, n // 2 + 1)
    scale = _scale(norm, [*(x._array.shape[d] for d in dim[:-1]), n], hermitian)
    if hermitian:
        x = conj(x)
    return _finish(_c2r.op.apply((x,), {"dim": dim, "n": n, "scale": scale}), out)


def _demand_axis(name, dim):
    if not dim:
        raise errors.ShapeError(f"{name} must transform at least one axis")


# --- one dimension ----------------------------------------------------------------------


def fft(input, n=None, dim=-1, norm=None, *, out=None):
    """The discrete Fourier transform ``sum_j x_j exp(-2 pi i j k / n)`` along ``dim``.

    Args:
        input: real or complex tensor; the result is complex.
        n: how many elements to transform; the input is cut off, or filled with zeros.
        dim: the dimension.
        norm: "backward" (the same as None): no factor; "ortho": 1/sqrt(n); "forward": 1/n.
        out: tensor to write the result into.

    Raises:
        RuntimeError: ``n`` or the dimension is 0, another ``norm``, or the input is float16.
        IndexError: there is no such dimension.

    >>> import tensorgrad as torch
    >>> torch.fft.fft(torch.tensor([1.0, 0.0, -1.0, 0.0]))
    tensor([0.+0.j, 2.+0.j, 0.+0.j, 2.+0.j])
    """
    return _to_complex("fft", input, None if n is None else (n,), (dim,), norm, True, out)


def ifft(input, n=None, dim=-1, norm=None, *, out=None):
    """The inverse of :func:`fft`, with the same arguments; "backward" divides by n here.

    >>> import tensorgrad as torch
    >>> torch.fft.ifft(torch.tensor([0.0, 2.0, 0.0, 2.0])).real
    tensor([ 1.,  0., -1.,  0.])
    """
    return _to_complex("ifft", input, None if n is None else (n,), (dim,), norm, False, out)


def rfft(input, n=None, dim=-1, norm=None, *, out=None):
    """:func:`fft` of real numbers: frequencies 0 to n // 2, as the others are their conjugates.

    Raises:
        RuntimeError: as for :func:`fft`, or the input is complex.

    >>> import tensorgrad as torch
    >>> torch.fft.rfft(torch.tensor([1.0, 0.0, -1.0, 0.0]))
    tensor([0.+0.j, 2.+0.j, 0.+0.j])
    """
    return _from_real("rfft", input, None if n is None else (n,), (dim,), norm, out)


def irfft(input, n=None, dim=-1, norm=None, *, out=None):
    """The inverse of :func:`rfft`.

    Args:
        input: half of the spectrum; the imaginary parts of frequency 0, and of n / 2, are ignored.
        n: how many real numbers to return; by default 2 * (size - 1).
        dim: the dimension.
        norm: as for :func:`ifft`.
        out: tensor to write the result into.

    >>> import tensorgrad as torch
    >>> torch.fft.irfft(torch.tensor([0.0, 2.0, 0.0]))
    tensor([ 1.,  0., -1.,  0.])
    """
    return _to_real("irfft", input, None if n is None else (n,), (dim,), norm, out)


def hfft(input, n=None, dim=-1, norm=None, *, out=None):
    """:func:`fft` of a signal with ``x[-j] = conj(x[j])``, given as its half: real numbers.

    >>> import tensorgrad as torch
    >>> torch.fft.hfft(torch.tensor([1.0, 2.0, 1.0]))
    tensor([ 6.,  0., -2.,  0.])
    """
    return _to_real("hfft", input, None if n is None else (n,), (dim,), norm, out, True)


def ihfft(input, n=None, dim=-1, norm=None, *, out=None):
    """The inverse of :func:`hfft`: from real numbers to half of the signal."""
    return _from_real("ihfft", input, None if n is None else (n,), (dim,), norm, out, True)


# --- several dimensions -----------------------------------------------------------------


def fftn(input, s=None, dim=None, norm=None, *, out=None):
    """:func:`fft` over several dimensions.

    Args:
        input: real or complex tensor.
        s: sizes to cut or fill to, -1 for one that stays; without ``dim``, of the last dimensions.
        dim: the dimensions; by default all, or the last ``len(s)``.
        norm: as for :func:`fft`, n being the product of the sizes.
        out: tensor to write the result into.

    Raises:
        RuntimeError: as for :func:`fft`; ``s`` and ``dim`` have different lengths; a dimension
            is named twice.

    >>> import tensorgrad as torch
    >>> torch.fft.fftn(torch.ones(2, 2))
    tensor([[4.+0.j, 0.+0.j],
            [0.+0.j, 0.+0.j]])
    """
    return _to_complex("fftn", input, s, dim, norm, True, out)


def ifftn(input, s=None, dim=None, norm=None, *, out=None):
    """The inverse of :func:`fftn`."""
    return _to_complex("ifftn", input, s, dim, norm, False, out)


def rfftn(input, s=None, dim=None, norm=None, *, out=None):
    """:func:`fftn` of real numbers: of the last dimension named, the half from frequency 0."""
    return _from_real("rfftn", input, s, dim, norm, out)


def irfftn(input, s=None, dim=None, norm=None, *, out=None):
    """The inverse of :func:`rfftn`; the last of ``s`` is the number of real numbers."""
    return _to_real("irfftn", input, s, dim, norm, out)


def hfftn(input, s=None, dim=None, norm=None, *, out=None):
    """:func:`hfft` over several dimensions, of the last of which half is given."""
    return _to_real("hfftn", input, s, dim, norm, out, True)


def ihfftn(input, s=None, dim=None, norm=None, *, out=None):
    """The inverse of :func:`hfftn`."""
    return _from_real("ihfftn", input, s, dim, norm, out, True)


def fft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """:func:`fftn` over the last two dimensions."""
    return _to_complex("fft2", input, s, dim, norm, True, out)


def ifft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """The inverse of :func:`fft2`."""
    return _to_complex("ifft2", input, s, dim, norm, False, out)


def rfft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """:func:`rfftn` over the last two dimensions."""
    return _from_real("rfft2", input, s, dim, norm, out)


def irfft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """The inverse of :func:`rfft2`."""
    return _to_real("irfft2", input, s, dim, norm, out)


def hfft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """:func:`hfftn` over the last two dimensions."""
    return _to_real("hfft2", input, s, dim, norm, out, True)


def ihfft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """The inverse of :func:`hfft2`."""
    return _from_real("ihfft2", input, s, dim, norm, out, True)


# --- frequencies ------------------------------------------------------------------------


def _frequencies(name, steps, n, d, out, dtype, device, requires_grad):
    own = dtypes.to_numpy(dtype)
    if own.kind not in "fc":
        raise errors.DtypeError(
            f"{name} requires a floating point or complex dtype, got {dtypes.of(own)}"
        )
    if own.kind == "c":
        raise NotImplementedError(f"{name}: not implemented for {dtypes.of(own)}")
    step = 1.0 / (n * d) if n else 0.0
    return creation.finish(steps.astype(own) * own.type(step), requires_grad, device, out)


def fftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of the entries of :func:`fft` of ``n`` numbers taken ``d`` apart.

    >>> import tensorgrad as torch
    >>> torch.fft.fftfreq(5)
    tensor([ 0.0000,  0.2000,  0.4000, -0.4000, -0.2000])
    """
    steps = np.arange(n)
    steps[(n + 1) // 2 :] -= n
    return _frequencies("fftfreq", steps, n, d, out, dtype, device, requires_grad)


def rfftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of the entries of :func:`rfft` of ``n`` numbers taken ``d`` apart.

    >>> import tensorgrad as torch
    >>> torch.fft.rfftfreq(4)
    tensor([0.0000, 0.2500, 0.5000])
    """
    steps = np.arange(n // 2 + 1)
    return _frequencies("rfftfreq", steps, n, d, out, dtype, device, requires_grad)


def fftshift(input, dim=None):
    """Frequency 0 moved to the middle of the dimensions ``dim`` (all by default).

    >>> import tensorgrad as torch
    >>> torch.fft.fftshift(torch.fft.fftfreq(5))
    tensor([-0.4000, -0.2000,  0.0000,  0.2000,  0.4000])
    """
    return _shifted("fftshift", input, dim, lambda n: n // 2)


def ifftshift(input, dim=None):
    """The inverse of :func:`fftshift`."""
    return _shifted("ifftshift", input, dim, lambda n: (n + 1) // 2)


def _shifted(name, input, dim, by):
    x = _tensor(name, input)
    if dim is None:
        dim = range(x._array.ndim)
    dim = tuple(_axis(x, d) for d in ((dim,) if isinstance(dim, int) else dim))
    return FUNCTIONS["roll"](x, tuple(by(x._array.shape[d]) for d in dim), dim)


__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2",
    "ifftn", "ifftshift", "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2",
    "rfftfreq", "rfftn",
]  # fmt: skip
