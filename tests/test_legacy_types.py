"""Legacy tensor types, storages, default types and devices: beside PyTorch."""

import both
import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import _lazy

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated")

TYPES = ["Half", "Float", "Double", "Char", "Short", "Int", "Long", "Byte", "Bool"]
TEXTS = [
    "t.LongTensor([1.7])", "t.FloatTensor(2.5)", "t.FloatTensor(np.ones(3))", "t.Tensor(2.5)",
    "t.FloatTensor(t.ones(2))", "t.LongTensor(t.ones(2))", "list(t.FloatTensor(size=(2,)).shape)",
    "t.FloatTensor([1], device='cpu')", "t.FloatTensor('a')", "t.ByteTensor([300])",
    "t.BoolTensor([2, 0])", "t.FloatTensor((2, 3))", "t.FloatTensor([[1, 2], [3]])",
    "t.LongTensor(3, -1)", "t.FloatTensor(3, 4.5)", "t.Tensor([[1, 2]], device='cpu')",
    "list(t.ones(2).new(2, 3).shape)", "t.ones(2).new([1, 2])", "t.ones(2).new()",
    "t.ones(3).type(t.LongTensor)", "t.ones(3).type('torch.IntTensor')", "t.ones(3).type('other')",
    "t.range(0, 3)", "t.range(1, 2, 0.5)", "t.range(3, 1)", "t.range(0, 1, 0)",
    "[t.typename(x) for x in (t.ones(2), t.FloatTensor, [1], 3)]", "t._assert(False, 'why')",
    "t._assert(True, 'why')", "list(t.Tensor(t.ones(2, 3).shape).shape)", "list(t.Tensor().shape)",
    "list(t.Tensor(2, 3).shape)", "list(t.Tensor(np.int64(2)).shape)", "t.is_nonzero(t.ones(2))",
    "t.is_nonzero(t.ones(1))", "t.ones(1).is_nonzero()", "t.ones(2).ndimension()",
    "list(t.empty_strided((2, 3), (1, 2)).stride())", "t.ones(3)[1:].storage().tolist()",
    "t.frombuffer(bytearray(b'abcd'), dtype=t.uint8)", "t.frombuffer(b'', dtype=t.uint8)",
    "t.ones(2, 3).t().storage().size()", "t.FloatStorage([1, 2]).tolist()",
    "t.is_storage(t.ones(2).storage())", "t.is_storage(t.ones(2))", "str(t.get_default_device())",
    "repr(t.FloatTensor)", "repr(t.ones(2).storage_type())", "repr(t.arange(2).storage())",
    "repr(t.ones(1).untyped_storage())", "t.ones(3).untyped_storage().nbytes()",
    "t.ones(3).storage()[1], len(t.ones(3).storage()), t.ones(3).storage().nbytes()",
    "t.ones(3).storage().element_size(), t.ones(3).storage().type()", "t.device('cpu').type",
    "t.zeros(1).expand(3).zero_()", "t.zeros(()).expand(3).fill_(1)",
    "t.zeros(1).expand(3).add_(1)",
    "t.ones(2).apply_(lambda x: x + 1)", "t.ones(2).map_(t.arange(2.0), lambda x, y: x + y)",
    "t.set_default_tensor_type('torch.LongTensor')", "t.set_default_tensor_type(3)",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_beside_pytorch(text):
    both.agree(lambda lib: eval(text, {"t": lib, "np": np}))


@pytest.mark.parametrize("name", TYPES)
def test_type_is_a_name_for_a_dtype(name):
    def program(lib):
        kind = getattr(lib, name + "Tensor")
        x = kind([1, 0])
        others = [isinstance(x, getattr(lib, other + "Tensor")) for other in TYPES]
        shapes = [list(kind(2, 3).shape), list(kind().shape)]
        return x, x.type(), others, shapes, repr(kind), str(kind.dtype), lib.zeros(2).type(kind)

    both.agree(program)


def test_types_are_no_tensor_classes():
    for lib in (torch, tg):
        assert not issubclass(lib.FloatTensor, lib.Tensor)
        assert not isinstance([1.0], lib.FloatTensor)


@pytest.mark.parametrize("how", ["torch.DoubleTensor", "type"])
def test_default_tensor_type(how):
    def program(lib):
        try:
            lib.set_default_tensor_type(how if how != "type" else lib.DoubleTensor)
            return lib.ones(1), lib.tensor([0.5])
        finally:
            lib.set_default_tensor_type(lib.FloatTensor)

    both.agree(program)


def test_default_device():
    def program(lib):
        lib.set_default_device("cpu")
        with lib.device("cpu"):
            x = lib.ones(2)
        lib.set_default_device(None)
        return x, str(x.device)

    both.agree(program)


def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(RuntimeError, match="CPU only"):
        tg.set_default_device("cuda")


def test_storage_shares_memory_and_its_writes_are_noticed():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    storage = x[1].storage()
    storage[0] = 7.0
    assert x[0, 0] == 7 and storage.data_ptr() == x.data_ptr()
    assert x.T.untyped_storage().data_ptr() == x.data_ptr()
    w = tg.ones(2, requires_grad=True)
    y = x[0] * w
    storage.fill_(0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    assert storage.clone().copy_(storage).tolist() == [0.0] * 4
    assert list(tg.UntypedStorage([1, 2])) == [1, 2]


def test_functions_that_are_methods():
    both.agree(lambda lib: [lib.exp_(lib.ones(2)), lib.zero_(lib.ones(2)), lib.relu_(-lib.ones(2))])
    missing = [n for n in _lazy.METHODS if hasattr(torch, n) and not hasattr(tg.Tensor, n)]
    assert set(missing) <= {"as_strided_"}  # the one that is left out
