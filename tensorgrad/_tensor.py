"""What a Tensor can do that is not an op: facts, conversions, Python's and NumPy's protocols.

:func:`bind` also gives Tensor its operators, the methods of every op, and their in-place
forms. Everything is declared elsewhere; this file only ties names together.
"""

from __future__ import annotations

import builtins
import operator
import warnings

import numpy as np

from . import _device, _graph, _layout, creation, dtypes, errors
from ._absent import NO_GPU
from ._graph import LEAF, Tensor, ndarray, wrap
from ._inplace import apply_inplace, set_data
from ._registry import FUNCTIONS, METHODS, OPS, UFUNCS, binary, cast, function, reflected
from .autograd import hooks


class Size(tuple):
    """The shape of a tensor: a tuple that prints as PyTorch's and knows its ``numel()``."""

    __slots__ = ()

    def numel(self) -> int:
        """The product of the sizes."""
        n = 1
        for size in self:
            n *= size
        return n

    def __repr__(self):
        return f"torch.Size([{', '.join(map(str, self))}])"

    __str__ = __repr__

    def __getitem__(self, index):
        item = tuple.__getitem__(self, index)
        return Size(item) if isinstance(index, slice) else item

    def __add__(self, other):
        return Size(tuple.__add__(self, tuple(other)))


def method(fn):
    """Make ``fn`` a method of Tensor, under its own name."""
    setattr(Tensor, fn.__name__, fn)
    return fn


# --- facts ------------------------------------------------------------------------------

Tensor.shape = property(lambda self: Size(self._array.shape), doc="The sizes, as a Size.")
Tensor.dtype = property(lambda self: dtypes.of(self._array.dtype), doc="The element type.")
Tensor.ndim = property(lambda self: self._array.ndim, doc="The number of dimensions.")
Tensor.device = property(lambda self: _device.CPU, doc="Always the CPU.")
Tensor.nbytes = property(lambda self: self._array.nbytes, doc="Bytes that the elements take.")
Tensor.itemsize = property(lambda self: self._array.itemsize, doc="Bytes of one element.")
Tensor.is_cuda = property(lambda self: False, doc="Always False.")
Tensor.is_sparse = property(lambda self: False, doc="Always False.")
Tensor.layout = property(lambda self: _layout.strided, doc="Always strided.")
Tensor.names = property(lambda self: (None,) * self._array.ndim, doc="Dimensions have no names.")
Tensor.real = property(
    lambda self: FUNCTIONS["real"](self) if self._array.dtype.kind == "c" else self,
    lambda self, value: FUNCTIONS["real"](self).copy_(value),
    doc="The real part, a view; a real tensor itself. Assigning writes into it.",
)
Tensor.imag = property(
    lambda self: FUNCTIONS["imag"](self),
    lambda self, value: FUNCTIONS["imag"](self).copy_(value),
    doc="The imaginary part, a view. Assigning writes into it.",
)
Tensor._version = property(
    lambda self: _graph.version_of(self._array), doc="How often the memory was written in place."
)
Tensor.data = property(
    lambda self: wrap(self._array),
    set_data,
    doc="The same memory without history. Assigning gives the tensor other memory.",
)


@method
def size(self, dim=None):
    """The shape, or the size of dimension ``dim``."""
    if dim is None:
        return Size(self._array.shape)
    try:
        return self._array.shape[dim]
    except IndexError:
        n = self._array.ndim
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
        ) from None


@method
def dim(self):
    """The number of dimensions."""
    return self._array.ndim


@method
def stride(self, dim=None):
    """Steps between neighbours along each dimension (or along ``dim``), in elements."""
    strides = tuple(s // self._array.itemsize for s in self._array.strides)
    return strides if dim is None else strides[dim]


@method
def element_size(self):
    """Bytes of one element."""
    return self._array.itemsize


@method
def data_ptr(self):
    """Address of the first element."""
    return self._array.ctypes.data


@method
def storage_offset(self):
    """Elements between the start of the memory and the first element."""
    owner = _graph.owner_of(self._array)
    return (self._array.ctypes.data - owner.ctypes.data) // self._array.itemsize


@method
def storage(self):
    """The elements of the memory behind the tensor, shared with it and with its views."""
    from .storage import TypedStorage

    return TypedStorage._of(self._array)


@method
def untyped_storage(self):
    """The bytes of the memory behind the tensor, shared with it and with its views."""
    from .storage import UntypedStorage

    return UntypedStorage._of(self._array)


@method
def storage_type(self):
    """The type of the storage, such as ``torch.FloatStorage``."""
    from .storage import OF_DTYPE

    return OF_DTYPE[self.dtype]


@method
def new(self, *args, device=None):
    """A tensor of this dtype from sizes (uninitialised), data, or nothing."""
    _device.check(device)
    return wrap(creation.legacy_array(args, self.dtype, "new"))


@method
def is_set_to(self, tensor):
    """Whether both tensors are the same elements of the same memory."""
    a, b = self._array, tensor._array
    return (a.shape, a.strides, a.dtype) == (b.shape, b.strides, b.dtype) and (
        a.ctypes.data == b.ctypes.data
    )


@method
def is_nonzero(self):
    """Whether the only element is not zero."""
    from .legacy import is_nonzero

    return is_nonzero(self)


@method
def map_(self, tensor, callable):
    """Write ``callable(a, b)`` for each pair of elements into this tensor; slow."""
    if self.requires_grad:
        raise TypeError("Can't call map_() on Variable that requires grad. Use detach() first")
    other = np.broadcast_to(tensor._array, self._array.shape)
    for i in np.ndindex(self._array.shape):
        self._array[i] = callable(self._array[i].item(), other[i].item())
    _graph.mark_mutated(self._array)
    return self


@method
def map2_(self, x, y, callable):
    """Write ``callable(a, b, c)`` for each triple of elements into this tensor; slow."""
    if self.requires_grad:
        raise RuntimeError("Can't call map2_() on Variable that requires grad. Use detach() first")
    first, second = (np.broadcast_to(t._array, self._array.shape) for t in (x, y))
    for i in np.ndindex(self._array.shape):
        self._array[i] = callable(self._array[i].item(), first[i].item(), second[i].item())
    _graph.mark_mutated(self._array)
    return self


@method
def apply_(self, callable):
    """Write ``callable(a)`` for each element into this tensor; slow."""
    if self.requires_grad:
        raise TypeError("Can't call apply_() on Variable that requires grad. Use detach() first")
    for i in np.ndindex(self._array.shape):
        self._array[i] = callable(self._array[i].item())
    _graph.mark_mutated(self._array)
    return self


@method
def as_subclass(self, cls):
    """The same elements and history as a tensor of class ``cls``.

    Raises:
        TypeError: ``cls`` is no subclass of Tensor.
    """
    if not (isinstance(cls, builtins.type) and issubclass(cls, Tensor)):
        raise TypeError(f"cls must be a subclass of Tensor, got {cls!r}")
    same = self.view_as(self)
    new = object.__new__(cls)
    new._array, new._edge, new._grad = same._array, same._edge, None
    return new


@method
def _is_view(self):
    """Whether the tensor is a view of another."""
    return self._base is not None


Tensor.name = property(lambda self: None, doc="Always None.")
for _name in (
    "is_quantized", "is_mkldnn", "is_mps", "is_xpu", "is_xla", "is_ipu", "is_mtia", "is_vulkan",
    "is_nested", "is_sparse_csr", "is_maia",
):  # fmt: skip
    setattr(Tensor, _name, property(lambda self: False, doc="Always False."))
Tensor.ndimension = dim
Tensor.is_cpu = property(lambda self: True, doc="Always True.")
Tensor.is_meta = property(lambda self: False, doc="Always False.")
Tensor.output_nr = property(lambda self: 0, doc="Always 0: an op has one output here.")
Tensor.is_conj = Tensor.is_neg = lambda self: False
Tensor.resolve_conj = Tensor.resolve_neg = lambda self: self


@method
def is_contiguous(self, memory_format=None):
    """Whether the elements lie in memory in row-major order without gaps.

    For ``torch.channels_last`` (4-d) and ``channels_last_3d`` (5-d): in the order with the second
    dimension last.
    """
    if memory_format is None:
        return self._array.flags.c_contiguous
    ndim = {_layout.channels_last: 4, _layout.channels_last_3d: 5}.get(memory_format)
    if ndim is None:
        return self._array.flags.c_contiguous
    return self._array.ndim == ndim and np.moveaxis(self._array, 1, -1).flags.c_contiguous


@function(method=True)
def get_device(input):
    """-1, as PyTorch says of the CPU."""
    return -1


@function(method=("numel", "nelement"))
def numel(input):
    """The number of elements."""
    return input._array.size


@function(method=True)
def is_floating_point(input):
    """Whether the dtype is a floating-point one."""
    return input._array.dtype.kind == "f"


@function(method=True)
def is_complex(input):
    """Whether the dtype is a complex one."""
    return input._array.dtype.kind == "c"


@function(method=True)
def is_inference(input):
    """False: tensors made in inference mode are as all others here."""
    return False


@function(method=True)
def is_distributed(input):
    """False."""
    return False


@function
def is_tensor(obj):
    """Whether ``obj`` is a Tensor."""
    return isinstance(obj, Tensor)


@function
def result_type(tensor1, tensor2):
    """The dtype that arithmetic between two tensors or numbers gives."""
    return dtypes.of(dtypes.result_type(*[getattr(x, "_array", x) for x in (tensor1, tensor2)]))


@function
def promote_types(type1, type2):
    """The smallest dtype that holds both."""
    return dtypes.of(dtypes.promote_types(type1.numpy, type2.numpy))


@function
def can_cast(from_, to):
    """Whether ``from_`` may be stored as ``to`` without losing its kind."""
    return dtypes.can_cast(from_.numpy, to.numpy)


# --- tracking ---------------------------------------------------------------------------


@function(method=True)
def detach(input):
    """The same memory, cut from the graph."""
    return wrap(input._array)


@method
def detach_(self):
    """Cut this tensor from its graph; returns it."""
    if self._base is not None:
        raise RuntimeError("Can't detach views in-place: use detach() instead")
    self._edge = None
    return self


@method
def requires_grad_(self, requires_grad=True):
    """Set ``requires_grad`` and return the tensor."""
    self.requires_grad = requires_grad
    return self


for _name in ("register_hook", "register_post_accumulate_grad_hook", "retain_grad"):
    setattr(Tensor, _name, getattr(hooks, _name))
Tensor.retains_grad = property(hooks.retains_grad, doc="Whether ``grad`` is kept here.")


# --- conversions out --------------------------------------------------------------------


@method
def numpy(self, *, force=False):
    """The tensor as an array on the same memory.

    Raises:
        RuntimeError: the tensor requires grad, since a write to the array would go unseen;
            use ``detach().numpy()`` or ``force=True``.
    """
    if self._edge is not None and not force:
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )
    return self._array


@method
def item(self):
    """The only element as a Python number.

    Raises:
        RuntimeError: there is more than one element, or none.
    """
    if self._array.size != 1:
        raise RuntimeError(
            f"a Tensor with {self._array.size} elements cannot be converted to Scalar; "
            "reduce it, or use tolist()"
        )
    return self._array.item()


@method
def tolist(self):
    """The elements as nested lists of Python numbers (a number for a 0-d tensor)."""
    return self._array.tolist()


@method
def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=None):
    """This tensor with another dtype (and device: the CPU); itself when nothing changes.

    ``to(dtype)``, ``to(device)``, ``to(device, dtype)`` or ``to(other)`` for the dtype of
    another tensor. Recorded: the gradient is cast back.

    >>> import tensorgrad
    >>> tensorgrad.tensor([1, 2]).to(tensorgrad.float32)
    tensor([1., 2.])
    """
    for a in args:
        if isinstance(a, Tensor):
            dtype = a._array.dtype
        elif isinstance(a, dtypes.dtype | np.dtype) or a in (float, int, bool, complex):
            dtype = a
        elif isinstance(a, str | _device.device):
            device = a
        elif not isinstance(a, bool):
            raise TypeError(f"to() takes a dtype, a device or a tensor, got {a!r}")
    _device.check(device)
    if dtype is None or dtypes.to_numpy(dtype) == self._array.dtype:
        return FUNCTIONS["clone"](self) if copy else self
    own = dtypes.to_numpy(dtype)
    if self._edge is not None and own.kind not in "fc":  # integers carry no gradient
        return wrap(self._array.astype(own))
    if self._array.dtype.kind == "c" and own.kind not in "cb":
        warnings.warn(
            "Casting complex values to real discards the imaginary part", UserWarning, stacklevel=2
        )
    return cast(self, dtype=own)


@method
def type(self, dtype=None, non_blocking=False):
    """The name of the tensor's type (``"torch.FloatTensor"``), or a conversion to ``dtype``."""
    if dtype is None:
        return f"torch.{_LEGACY[self._array.dtype.name]}Tensor"
    if isinstance(dtype, builtins.type) and hasattr(dtype, "layout"):  # torch.FloatTensor
        return self.to(dtype.dtype)
    if isinstance(dtype, str):
        name = dtype.removeprefix("torch.").removesuffix("Tensor")
        found = [d for d, legacy in _LEGACY.items() if legacy == name]
        if not found:
            raise ValueError(f"invalid type: {dtype!r}")
        dtype = dtypes.ALL[found[0]]
    return self.to(dtype)


_LEGACY = {
    "float16": "Half", "float32": "Float", "float64": "Double", "int8": "Char", "int16": "Short",
    "int32": "Int", "int64": "Long", "uint8": "Byte", "bool": "Bool",
    "complex64": "ComplexFloat", "complex128": "ComplexDouble",
}  # fmt: skip


def _converter(name, d):
    def convert(self, memory_format=None):
        return self.to(d)

    convert.__name__, convert.__doc__ = name, f"This tensor as {d}."
    return method(convert)


for _name, _dtype in {
    "half": dtypes.float16, "float": dtypes.float32, "double": dtypes.float64,
    "bfloat16": dtypes.bfloat16,
    "char": dtypes.int8, "short": dtypes.int16, "int": dtypes.int32, "long": dtypes.int64,
    "byte": dtypes.uint8, "bool": dtypes.bool_, "cfloat": dtypes.complex64,
    "cdouble": dtypes.complex128,
}.items():  # fmt: skip
    _converter(_name, _dtype)


@method
def to_sparse(self, sparse_dim=None):
    """The elements that are not 0 as a sparse tensor; see :mod:`tensorgrad.sparse`."""
    from .sparse import from_dense

    return from_dense(self, sparse_dim)


@method
def to_dense(self, dtype=None):
    """This tensor: it is dense."""
    return self if dtype is None else self.to(dtype)


@method
def type_as(self, other):
    """This tensor in the dtype of ``other``."""
    return self.to(other)


@method
def cpu(self, memory_format=None):
    """This tensor: it is on the CPU."""
    return self


@method
def cuda(self, *args, **kwargs):
    """Raises NoDeviceError, a RuntimeError: there is only the CPU."""
    raise errors.NoDeviceError(NO_GPU)


@method
def share_memory_(self):
    """This tensor; its memory is the process's own, see the workers of DataLoader."""
    return self


@method
def pin_memory(self, device=None):
    """This tensor: there is no device to copy to."""
    return self


@method
def is_pinned(self, device=None):
    """False."""
    return False


@method
def is_shared(self):
    """False."""
    return False


# --- new tensors in the dtype of this one -----------------------------------------------


@method
def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
    """A copy of ``data`` in the dtype of this tensor."""
    array = creation.to_array(data, dtype or self.dtype)
    return creation.finish(array, requires_grad, device)


def _new_shaped(name, make):
    def create(self, *size, dtype=None, device=None, requires_grad=False, layout=None):
        return make(*size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)

    create.__name__ = name
    create.__doc__ = f"As :func:`tensorgrad.{name[4:]}`, in the dtype of this tensor."
    return method(create)


for _name in ("zeros", "ones", "empty"):
    _new_shaped(f"new_{_name}", getattr(creation, _name))


@method
def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """As :func:`tensorgrad.full`, in the dtype of this tensor."""
    return creation.full(
        size, fill_value, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad
    )


@method
def new_empty_strided(
    self, size, stride, dtype=None, layout=None, device=None, pin_memory=False,
    requires_grad=False,
):  # fmt: skip
    """As :func:`tensorgrad.empty_strided`, in the dtype of this tensor."""
    from .storage import empty_strided

    return empty_strided(
        size, stride, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad
    )


# --- what other modules hold ------------------------------------------------------------


@method
def stft(
    self, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect",
    normalized=False, onesided=None, return_complex=None, align_to_window=None,
):  # fmt: skip
    """See :func:`tensorgrad.stft`."""
    from .signal.fourier import stft

    return stft(
        self, n_fft, hop_length, win_length, window, center, pad_mode, normalized, onesided,
        return_complex, align_to_window,
    )  # fmt: skip


@method
def istft(
    self, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False,
    onesided=None, length=None, return_complex=False,
):  # fmt: skip
    """See :func:`tensorgrad.istft`."""
    from .signal.fourier import istft

    return istft(
        self, n_fft, hop_length, win_length, window, center, normalized, onesided, length,
        return_complex,
    )  # fmt: skip


def _resized(self, size, name):
    warnings.warn(
        f"non-inplace {name} is deprecated; use reshape", UserWarning, stacklevel=3
    )
    shape = creation.size_of(size)
    n = 1
    for k in shape:
        n *= k
    if n != self._array.size:
        raise RuntimeError(
            f"requested resize to {shape} ({n} elements in total), but the given tensor has a "
            f"size of {tuple(self.shape)} ({self._array.size} elements); only the shape can "
            "change, so the number of elements must not"
        )
    return FUNCTIONS["reshape"](self, shape)


@method
def resize(self, *sizes):
    """``reshape``, with a warning: deprecated in PyTorch.

    Raises:
        RuntimeError: the number of elements differs.
    """
    return _resized(self, sizes, "resize")


@method
def resize_as(self, tensor):
    """``reshape_as``, with a warning: deprecated in PyTorch.

    Raises:
        RuntimeError: the number of elements differs.
    """
    return _resized(self, (tuple(tensor.shape),), "resize_as")


@method
def as_strided_scatter(self, src, size, stride, storage_offset=None):
    """See :func:`tensorgrad.as_strided_scatter`."""
    from ._copies import as_strided_scatter

    return as_strided_scatter(self, src, size, stride, storage_offset)


def _demand_untracked(self, name):
    if self._edge is not None:
        raise RuntimeError(
            f"{name} of a tensor that requires grad is not supported here; detach() it first"
        )


@method
def as_strided_(self, size, stride, storage_offset=None):
    """Read this tensor's memory through other sizes and strides from now on.

    Raises:
        RuntimeError: as ``as_strided``; or the tensor requires grad, which PyTorch allows.
    """
    _demand_untracked(self, "as_strided_")
    self.data = FUNCTIONS["as_strided"](self, size, stride, storage_offset)
    return self


@method
def set_(self, source=None):
    """Give this tensor the memory and the shape of another, or no elements.

    Raises:
        RuntimeError: the dtypes differ, or the tensor requires grad.
        TypeError: ``source`` is no tensor: storages are not supported here.
    """
    _demand_untracked(self, "set_")
    if source is None:
        source = wrap(np.empty(0, self._array.dtype))
    if not isinstance(source, Tensor):
        raise TypeError(f"set_() takes a Tensor, got {source.__class__.__name__}")
    if source.dtype != self.dtype:
        raise RuntimeError(f"set_(): the tensor is {self.dtype}, the source {source.dtype}")
    self.data = source
    return self


@method
def dim_order(self, *, ambiguity_check=False):
    """The dimensions from the one with the longest steps in memory to the shortest.

    Args:
        self: the tensor.
        ambiguity_check: True refuses tensors for which there are several orders; a list of memory
            formats refuses those that are in none or in several of them.

    Raises:
        RuntimeError: the order is not unique.
        TypeError: ``ambiguity_check`` is neither a bool nor a list of memory formats.

    >>> import tensorgrad
    >>> tensorgrad.zeros(2, 3, 4).permute(2, 0, 1).dim_order()
    (1, 2, 0)
    """
    formats = ambiguity_check if isinstance(ambiguity_check, list | tuple) else None
    if not isinstance(ambiguity_check, bool) and (
        formats is None or not all(isinstance(f, _layout.memory_format) for f in formats)
    ):
        raise TypeError("ambiguity_check must be a bool or a list of memory formats")
    steps, n = self.stride(), self.dim()
    order = tuple(sorted(range(n), key=lambda d: (-steps[d], d)))
    if formats:
        unique = sum(self.is_contiguous(memory_format=f) for f in formats) == 1
    else:
        sizes = [k for k, step in zip(self.shape, steps, strict=True) if step]
        unique = n < 2 or (len(set(steps)) == n and 1 not in sizes and len(sizes) == n)
    if ambiguity_check and not unique:
        raise RuntimeError(
            "The tensor does not have unique dim order, or cannot map to exact one of the given "
            f"memory formats: shape {tuple(self.shape)}, strides {steps}"
        )
    return order


def _of_sparse(name):
    def refuse(self):
        raise RuntimeError(
            f"{name} expected sparse coordinate tensor layout but got Strided; to_sparse() gives it"
        )

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Raises RuntimeError: only sparse tensors have it."
    return method(refuse)


for _name in ("coalesce", "indices", "is_coalesced", "values"):
    _of_sparse(_name)


@method
def sparse_dim(self):
    """0: the tensor is dense."""
    return 0


@method
def dense_dim(self):
    """The number of dimensions: the tensor is dense."""
    return self._array.ndim


# --- Python's protocols -----------------------------------------------------------------


@method
def __len__(self):
    if self._array.ndim == 0:
        raise TypeError("len() of a 0-d tensor")
    return self._array.shape[0]


@method
def __iter__(self):
    if self._array.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(FUNCTIONS["unbind"](self, 0))


@method
def __reversed__(self):
    return FUNCTIONS["flip"](self, tuple(range(self._array.ndim))) if self._array.ndim else self


@method
def __contains__(self, element):
    if not isinstance(element, Tensor | int | float | complex | np.generic):
        raise RuntimeError(
            "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
            f"{element.__class__.__name__}"
        )
    return bool((self._array == getattr(element, "_array", element)).any())


def _only(self, meaning):
    if self._array.size != 1:
        raise RuntimeError(
            f"Boolean value of Tensor with {self._array.size} values is ambiguous; "
            "use any() or all()"
            if meaning == "bool"
            else f"a Tensor with {self._array.size} elements cannot be converted to Scalar"
        )
    return self._array.item()


Tensor.__bool__ = lambda self: bool(_only(self, "bool"))
Tensor.__float__ = lambda self: float(_only(self, "float"))
Tensor.__int__ = lambda self: int(_only(self, "int"))
Tensor.__complex__ = lambda self: complex(_only(self, "complex"))


@method
def __index__(self):
    if self._array.size != 1 or self._array.dtype.kind not in "iub":
        raise TypeError(
            "only integer tensors of a single element can be converted to an index, got shape "
            f"{self._array.shape} dtype {self._array.dtype}"
        )
    return operator.index(int(self._array.item()))


@method
def __format__(self, spec):
    if self._array.ndim == 0 and not isinstance(self._array.item(), complex):
        return format(self._array.item(), spec)
    return object.__format__(self, spec)


_PRINTED_AS_TENSOR = frozenset(
    ("Tensor", "Parameter", "Buffer", "UninitializedParameter", "UninitializedBuffer")
)


@method
def __repr__(self):
    from .printing import format_tensor

    node = self.grad_fn
    named = self.__class__.__name__
    return format_tensor(
        self._array,
        prefix="tensor(" if named in _PRINTED_AS_TENSOR else f"{named}(",
        requires_grad=self._edge is LEAF,
        grad_fn_name=None if node is None else node.name(),
    )


@method
def __deepcopy__(self, memo):
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
            "protocol at the moment; detach() the tensor first"
        )
    import copy

    new = object.__new__(self.__class__)
    memo[id(self)] = new
    new._array, new._edge, new._grad = self._array.copy(), self._edge, None
    if self._grad is not None:
        new._grad = wrap(self._grad._array.copy())
    private = ("_base", "_chain", "_views", "_locked", "_hooks", "_accumulator")
    new.__dict__.update(
        {k: copy.deepcopy(v, memo) for k, v in self.__dict__.items() if k not in private}
    )
    return new


def _rebuild(cls, array, requires_grad):
    new = object.__new__(cls)
    new._array, new._edge, new._grad = array, LEAF if requires_grad else None, None
    return new


@method
def __reduce_ex__(self, protocol):
    if not self.is_leaf:
        raise RuntimeError("only leaf tensors can be copied to another process; detach() it first")
    return _rebuild, (self.__class__, self._array, self._edge is LEAF)


# --- NumPy's protocols ------------------------------------------------------------------


@method
def __array__(self, dtype=None, copy=None):
    """The elements as an array: shared memory, read-only when the tensor requires grad."""
    array = self._array
    if dtype is not None and array.dtype != dtype:
        if copy is False:
            raise ValueError(f"a copy is needed to convert {array.dtype} to {dtype}")
        return array.astype(dtype)
    if copy:
        return array.copy()
    if self._edge is not None:
        array = array.view()
        array.flags.writeable = False
    return array


def _refuse(name):
    raise TypeError(
        f"np.{name} has no counterpart in tensorgrad, and applying it to a tensor that requires "
        "grad would cut the graph unseen; call detach() first if that is meant"
    )


def _boxed(x):
    return wrap(np.asarray(x)) if isinstance(x, ndarray) else x


@method
def __array_ufunc__(self, ufunc, how, *inputs, out=None, **kwargs):
    """``np.exp(t)``, ``array + t``: runs the op of the same name, so tracking is kept."""
    ours = UFUNCS.get(ufunc)
    if how == "__call__" and ours is not None and not kwargs and out is None:
        return ours(*[_boxed(x) for x in inputs])
    if any(isinstance(x, Tensor) and x._edge is not None for x in inputs):
        _refuse(ufunc.__name__)
    arrays = [x._array if isinstance(x, Tensor) else x for x in inputs]
    if out is not None:
        kwargs["out"] = tuple(x._array if isinstance(x, Tensor) else x for x in out)
    result = getattr(ufunc, how)(*arrays, **kwargs)
    if out is not None:
        return out[0]
    if isinstance(result, tuple):
        return tuple(wrap(np.asarray(r)) for r in result)
    return wrap(np.asarray(result))


# NumPy functions whose name or argument names differ from ours.
_NUMPY_NAMES = {"concatenate": "cat", "expand_dims": "unsqueeze", "power": "pow"}
_NUMPY_ARGUMENTS = {"a": "input", "x": "input", "axis": "dim", "keepdims": "keepdim"}
# The same name, and another meaning or signature.
_NUMPY_DIFFERENT = frozenset((
    "transpose", "repeat", "pad", "full_like", "zeros_like", "ones_like", "split", "sort",
    "unique", "median", "std", "var", "take", "where", "histogram", "linspace", "dot", "max", "min",
    "cumsum", "cumprod", "round",
))  # fmt: skip


@method
def __array_function__(self, func, types, args, kwargs):
    """``np.sum(t)``, ``np.concatenate([t, u])``: ours where it means the same, see above."""
    name = _NUMPY_NAMES.get(func.__name__, func.__name__)
    ours = FUNCTIONS.get(name)
    if ours is not None and name not in _NUMPY_DIFFERENT and func.__module__ == "numpy":
        return ours(*args, **{_NUMPY_ARGUMENTS.get(k, k): v for k, v in kwargs.items()})
    if func.__name__ in ("std", "var"):  # NumPy's default is the population's
        kwargs = {_NUMPY_ARGUMENTS.get(k, k): v for k, v in kwargs.items()}
        return FUNCTIONS[name](*args, correction=kwargs.pop("ddof", 0), **kwargs)
    if _any_tracked((args, kwargs)):
        _refuse(func.__name__)
    result = func(*_plain(args), **_plain(kwargs))
    return wrap(result) if isinstance(result, ndarray) else result


def _any_tracked(x):
    if isinstance(x, Tensor):
        return x._edge is not None
    if isinstance(x, dict):
        x = tuple(x.values())
    return isinstance(x, list | tuple) and any(map(_any_tracked, x))


def _plain(x):
    if isinstance(x, Tensor):
        return x._array
    if isinstance(x, dict):
        return {k: _plain(v) for k, v in x.items()}
    return tuple(map(_plain, x)) if isinstance(x, list | tuple) else x


@method
def __dlpack__(self, **kwargs):
    """DLPack capsule on the same memory.

    Raises:
        BufferError: the tensor requires grad.
    """
    if self._edge is not None:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    return self._array.__dlpack__(**kwargs)


@method
def __dlpack_device__(self):
    return self._array.__dlpack_device__()


@method
def __array_namespace__(self, *, api_version=None):
    """The functions of the Python array API standard; see :mod:`tensorgrad.array_api`.

    Raises:
        ValueError: a version of the standard that is not known here.
    """
    from . import array_api

    known = ("2021.12", "2022.12", "2023.12", array_api.__array_api_version__)
    if api_version is not None and api_version not in known:
        raise ValueError(f"version {api_version!r} of the array API; known are {', '.join(known)}")
    return array_api


# --- names tied together ----------------------------------------------------------------

# operator -> op; the reflected form swaps the operands.
_OPERATORS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "pow", "matmul": "matmul", "and": "bitwise_and",
    "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}  # fmt: skip
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_UNARY = {"neg": "neg", "pos": "positive", "abs": "abs", "invert": "bitwise_not"}
_COMMUTATIVE = ("add", "mul")


def _in_place(op):
    def write(self, *args, **kwargs):
        return apply_inplace(op, self, args, kwargs)

    write.__name__ = write.__qualname__ = op.name + "_"
    write.__doc__ = f"In-place :func:`tensorgrad.{op.name}`: writes the result into this tensor."
    return write


def bind():
    """Give Tensor its operators, the methods of every op and their in-place forms."""
    ops = [(op.name, op) for op in OPS.values()]
    ops += [(name, fn.op) for name, fn in METHODS.items() if hasattr(fn, "op")]  # its other names
    for name, op in ops:
        if op.inplace:
            setattr(Tensor, name + "_", _in_place(op))
    for symbol, name in _OPERATORS.items():
        op = OPS[name]
        forward = binary(op, NotImplemented)
        setattr(Tensor, f"__{symbol}__", forward)
        backward = forward if symbol in _COMMUTATIVE else reflected(op)
        setattr(Tensor, f"__r{symbol}__", backward)
        if op.inplace:
            setattr(Tensor, f"__i{symbol}__", _in_place(op))
    for name in _COMPARISONS:
        setattr(Tensor, f"__{name}__", binary(OPS[name], NotImplemented))
    for symbol, name in _UNARY.items():
        setattr(Tensor, f"__{symbol}__", FUNCTIONS[name])
    for name, fn in METHODS.items():  # last: what is declared wins over what is derived
        setattr(Tensor, name, fn)


Tensor.__init__ = creation.construct
