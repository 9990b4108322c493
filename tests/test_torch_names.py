"""Names that scripts touch and that are no operations: layouts, versions, flags of tensors."""

import copy
import pickle

import pytest

import tensorgrad

torch = pytest.importorskip("torch")

FLAGS = [
    "is_quantized", "is_mkldnn", "is_mps", "is_xpu", "is_xla", "is_ipu", "is_mtia", "is_vulkan",
    "is_nested", "is_sparse_csr", "is_maia", "is_sparse", "is_cuda", "is_cpu", "is_meta",
]  # fmt: skip


@pytest.mark.parametrize("flag", FLAGS)
def test_flags(flag):
    assert getattr(tensorgrad.ones(1), flag) is getattr(torch.ones(1), flag)


def test_facts():
    for lib in (torch, tensorgrad):
        x = lib.ones(2, 3)
        assert x.name is None and not x._is_view() and x[0]._is_view()
        assert lib.get_device(x) == -1 and not lib.is_inference(x) and not lib.is_distributed(x)
        assert lib.version.cuda is None and lib.version.hip is None
        assert lib.version.__version__ == str(lib.__version__)
        assert isinstance(x, lib.types.Tensor)
        assert lib.types.Device and lib.types.Number and lib.types.FileLike


@pytest.mark.parametrize(
    "name", ["strided", "sparse_coo", "contiguous_format", "channels_last", "preserve_format",
             "channels_last_3d"],
)  # fmt: skip
def test_layouts_and_formats(name):
    ours, theirs = getattr(tensorgrad, name), getattr(torch, name)
    assert repr(ours) == str(ours) == f"{ours}" == repr(theirs)
    kind = type(theirs).__name__
    assert isinstance(ours, getattr(tensorgrad, kind)) and isinstance(theirs, getattr(torch, kind))
    assert copy.deepcopy(ours) == pickle.loads(pickle.dumps(ours)) == ours
    assert type(copy.deepcopy(ours)) is type(ours)


def test_memory_formats():
    for lib in (torch, tensorgrad):
        last = lib.channels_last
        x = lib.ones(2, 3, 4, 5)
        assert x.layout == lib.strided
        assert x.is_contiguous() and x.is_contiguous(memory_format=lib.contiguous_format)
        assert not x.is_contiguous(memory_format=last)
        y = lib.ones(2, 4, 5, 3).permute(0, 3, 1, 2)
        assert y.is_contiguous(memory_format=last) and not y.is_contiguous()
        assert not lib.ones(2, 3).is_contiguous(memory_format=last)
        z = lib.ones(2, 4, 5, 6, 3).permute(0, 4, 1, 2, 3)
        assert z.is_contiguous(memory_format=lib.channels_last_3d)
        assert x.to(memory_format=last).shape == x.contiguous(memory_format=last).shape == x.shape


def test_dlpack():
    x = tensorgrad.ones(2)
    y = tensorgrad.utils.dlpack.from_dlpack(x)
    y[0] = 3
    assert x.tolist() == [3.0, 1.0]
    with pytest.raises(BufferError):
        tensorgrad.utils.dlpack.to_dlpack(tensorgrad.ones(2, requires_grad=True))
