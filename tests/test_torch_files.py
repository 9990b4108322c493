"""Files that PyTorch's torch.save wrote, read without unpickling; hostile and damaged ones."""

import collections
import io
import os
import pickle
import pickletools
import struct
import zipfile
from collections import Counter, OrderedDict, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad
from tensorgrad import Tensor
from tensorgrad.serialization import (
    UnpicklingError,
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    load,
    safe_globals,
    torch_files,
)

torch = pytest.importorskip("torch")

DTYPES = [
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64",
    "complex64", "complex128", "uint16", "uint32", "uint64",
]  # fmt: skip
FORMATS = {
    "zip": {},
    "legacy": {"_use_new_zipfile_serialization": False},
    "protocol 4": {"pickle_protocol": 4},
    "legacy, protocol 5": {"pickle_protocol": 5, "_use_new_zipfile_serialization": False},
}
formats = pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)


def written(obj, **options):
    file = io.BytesIO()
    torch.save(obj, file, **options)
    return file.getvalue()


def reread(obj, **options):
    return load(io.BytesIO(written(obj, **options)))


def values(tensor):
    """A tensor of either library as an array."""
    if isinstance(tensor, torch.Tensor):
        tensor = tensor.detach().resolve_conj().resolve_neg()
        tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        return tensor.numpy()
    return tensor._array


def assert_same(ours, theirs):
    """The same nesting, types by name, and equal tensors."""
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, Tensor) and type(ours).__name__ == type(theirs).__name__
        assert ours.requires_grad == theirs.requires_grad and ours.is_leaf
        a, b = values(ours), values(theirs)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.tobytes() == b.tobytes()
    elif isinstance(theirs, np.ndarray):
        native = theirs.astype(theirs.dtype.newbyteorder("="))  # as NumPy's own pickles come back
        assert (ours.dtype, ours.shape) == (native.dtype, native.shape)
        assert ours.tobytes() == native.tobytes()
    elif isinstance(theirs, torch.Size | torch.dtype | torch.device):
        assert str(ours) == str(theirs)
    else:
        assert type(ours) is type(theirs)
        if isinstance(theirs, dict):
            assert list(ours) == list(theirs)
            for key in theirs:
                assert_same(ours[key], theirs[key])
        elif isinstance(theirs, list | tuple):
            assert len(ours) == len(theirs)
            for a, b in zip(ours, theirs, strict=True):
                assert_same(a, b)
        else:
            assert repr(ours) == repr(theirs)


class TestTensors:
    @formats
    def test_every_dtype(self, options):
        torch.manual_seed(0)
        tensors = [
            (torch.randn(shape) * 100).abs().to(getattr(torch, dtype))
            for dtype in DTYPES
            for shape in [(), (0,), (0, 3), (5,), (2, 3), (2, 1, 3, 2)]
        ]
        assert_same(reread(tensors, **options), tensors)
        assert_same(reread(tensors[0], **options), tensors[0])

    def test_bfloat16_keeps_every_value(self):
        bits = torch.arange(2**16, dtype=torch.int32).to(torch.int16)
        tensor = bits.view(torch.bfloat16)
        assert_same(reread(tensor), tensor)

    @formats
    def test_views(self, options):
        base = torch.arange(24.0).reshape(4, 6)
        views = [
            base.T, base[1:, ::2], base[2], base[:, 3], base[3, 5], base.reshape(-1)[5:17],
            base[:, :, None].expand(4, 6, 3), base[:0], torch.tensor(1.0).expand(3, 2),
            base.as_strided((3, 3), (7, 1), 2),
        ]  # fmt: skip
        for view in views:
            assert_same(reread(view, **options), view)

    @formats
    def test_shared_memory_stays_shared(self, options):
        base = torch.zeros(3, 4)
        ours = reread({"a": base, "b": base, "row": base[1], "t": base.T, "c": base + 0}, **options)
        assert ours["a"] is ours["b"]
        ours["row"].fill_(5)
        assert ours["a"][1].tolist() == ours["t"][:, 1].tolist() == [5.0] * 4
        assert ours["c"].sum() == 0

    @formats
    def test_parameters_and_gradients(self, options):
        leaf = torch.ones(2, requires_grad=True)
        leaf.grad = torch.ones(2)
        theirs = [leaf, torch.nn.Parameter(leaf.detach()), torch.nn.Parameter(torch.ones(1), False)]
        assert_same(reread(theirs, **options), theirs)
        tagged = torch.nn.Parameter(torch.ones(2))
        tagged.tag = "attributes are left out"
        assert_same(reread(tagged, **options), tagged)
        plain = torch.ones(2)
        plain.tag = 1
        assert_same(reread(plain, **options), plain)

    @formats
    def test_marks_of_conjugation(self, options):
        tensor = torch.tensor([1 + 2j, 3 - 1j])
        assert_same(reread([tensor.conj(), tensor], **options), [tensor.conj(), tensor])
        assert_same(reread(tensor.conj().imag, **options), tensor.conj().imag)

    @formats
    def test_sparse_tensors(self, options):
        ours = reread(torch.eye(3).to_sparse(), **options)
        assert ours.to_dense().tolist() == torch.eye(3).tolist()

    @formats
    def test_storages(self, options):
        ours = reread(torch.arange(3).untyped_storage(), **options)
        assert type(ours).__name__ == "UntypedStorage" and len(ours) == 24
        assert ours[8] == 1

    def test_tensors_of_another_byte_order(self):
        file = io.BytesIO(written([torch.arange(3), torch.ones(2).bfloat16(), torch.ones(1) * 2j]))
        swapped = io.BytesIO()
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(swapped, "w") as new:
            for name in old.namelist():
                data = old.read(name)
                if name.endswith("byteorder"):
                    data = b"big"
                elif "/data/" in name:
                    size = {24: 8, 4: 2, 8: 4}[len(data)]
                    data = np.frombuffer(data, f"<u{size}").byteswap().tobytes()
                new.writestr(name, data)
        ours = load(io.BytesIO(swapped.getvalue()))
        assert [x.tolist() for x in ours] == [[0, 1, 2], [1.0, 1.0], [2j]]


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.GRU(4, 2), torch.nn.Embedding(3, 2)
    )


class TestObjects:
    @formats
    def test_containers(self, options):
        theirs = {
            "none": None, "bools": [True, False], "ints": [0, -1, 300, 2**40, -(2**100)],
            "floats": (1.5, float("inf"), float("nan"), -0.0), "complex": 1 - 2j, "text": "é\n'x",
            "bytes": [b"", b"\x00\xff"], "bytearray": bytearray(b"ab"), "set": {1, "a"},
            "frozenset": frozenset([2]), "size": torch.Size([2, 3]),
            "dtype": [torch.int8, torch.bool],
            "device": torch.device("cuda", 1), 3: {"tuple": ((), (1,), (1, 2, 3, 4))},
            ("a", (1, None)): OrderedDict(b=1, a=2), "counter": Counter("abca"), None: [],
        }  # fmt: skip
        assert_same(reread(theirs, **options), theirs)
        ours = reread(defaultdict(list, a=[1]), **options)
        assert type(ours) is defaultdict and ours == {"a": [1]} and ours.default_factory is list

    @formats
    def test_the_same_object_twice(self, options):
        shared = [1]
        ours = reread([shared, shared], **options)
        assert ours[0] is ours[1]
        loop = []
        loop.append(loop)
        ours = reread(loop, **options)
        assert ours[0] is ours

    @formats
    @pytest.mark.parametrize("dtype", "? i1 <u2 >i4 f2 f4 >f8 c16 U3 S2".split())
    def test_numpy(self, options, dtype):
        array = np.array([[0, 1], [2, 3], [4, 5]]).astype(dtype)
        assert_same(reread([array, array.T, array[:0], array[0, 1:]], **options),
                    [array, array.T, array[:0], array[0, 1:]])  # fmt: skip
        if array.dtype.kind not in "US":
            ours = reread(array[1, 1], **options)
            assert type(ours) is type(array[1, 1]) and ours == array[1, 1]

    @formats
    def test_a_checkpoint_goes_on_here(self, options, tmp_path):
        theirs = model()
        optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.01)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)

        def step(model, lib, optimizer, schedule):
            optimizer.zero_grad()
            hidden = model[0](lib.arange(15.0).reshape(5, 3) / 15)
            (model[2](hidden)[0].sum() + (model[3].weight ** 2).sum()).backward()
            optimizer.step()
            schedule.step()

        step(theirs, torch, optimizer, schedule)
        checkpoint = {
            "model": theirs.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1,
            "schedule": schedule.state_dict(), "rng": torch.get_rng_state(),
        }  # fmt: skip
        torch.save(checkpoint, tmp_path / "checkpoint.pt", **options)
        got = tensorgrad.load(tmp_path / "checkpoint.pt", map_location="cpu", weights_only=True)
        assert_same(got, checkpoint)
        assert got["model"]._metadata == theirs.state_dict()._metadata

        nn, optim = tensorgrad.nn, tensorgrad.optim
        ours = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.GRU(4, 2), nn.Embedding(3, 2))
        assert str(ours.load_state_dict(got["model"])) == "<All keys matched successfully>"
        our_optimizer = optim.AdamW(ours.parameters(), lr=1.0)
        our_optimizer.load_state_dict(got["optimizer"])
        our_schedule = optim.lr_scheduler.CosineAnnealingLR(our_optimizer, 10)
        our_schedule.load_state_dict(got["schedule"])
        step(theirs, torch, optimizer, schedule)
        step(ours, tensorgrad, our_optimizer, our_schedule)
        for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
            np.testing.assert_allclose(values(a), values(b), rtol=1e-5, atol=1e-6)

    def test_paths_and_files(self, tmp_path):
        path = tmp_path / "weights ü.pth"
        torch.save({"a": torch.ones(2)}, path)
        for f in (path, str(path), os.fsencode(path)):
            assert load(f)["a"].tolist() == [1, 1]
        with open(path, "rb") as file:
            assert load(file)["a"].tolist() == [1, 1]
        file = io.BytesIO(b"skip" + path.read_bytes())
        file.seek(4)
        assert load(file, map_location=lambda storage, place: storage)["a"].tolist() == [1, 1]
        file = io.BytesIO(b"skip" + written([torch.ones(2)], **FORMATS["legacy"]))
        file.seek(4)
        assert load(file)[0].tolist() == [1, 1]

    def test_a_state_dict_loads_as_fast_as_it_is_read(self):
        """Tensors lie in the memory that was filled from the file; nothing is copied."""
        tensor = reread(torch.zeros(1000))
        assert tensor.untyped_storage().data_ptr() == tensor.data_ptr()
        assert tensor._array.flags.writeable and tensor._array.flags.aligned


def old_parameter_file():
    """A file as PyTorch 0.1 wrote it: parameters in the state dict, views of storages."""

    class Named:
        def __init__(self, module, name):
            self.text = f"c{module}\n{name}\n".encode()

    def text(s):
        return b"X" + struct.pack("<I", len(s)) + s.encode()

    storage = (b"(" + text("storage") + Named("torch", "FloatStorage").text + text("7")
               + text("cpu") + b"K\x06" + b"(" + text("8") + b"K\x02K\x04ttQ")  # fmt: skip
    tensor = Named("torch._utils", "_rebuild_tensor").text + b"(" + storage
    tensor += b"K\x01K\x02\x85K\x01\x85tR"
    parameter = Named("torch.nn.parameter", "Parameter").text + tensor + b"\x85\x81"
    parameter += b"\x89\x89N\x87b"  # (requires_grad False, volatile False, no hooks)
    state = b"\x80\x02ccollections\nOrderedDict\n]" + b"]" + text("w") + b"a" + parameter
    state += b"aa\x85R."
    head = [pickle.dumps(x, 2) for x in (torch_files.MAGIC_NUMBER, 1001, {"little_endian": True})]
    data = struct.pack("<q", 6) + np.arange(6, dtype="<f4").tobytes()
    return b"".join(head) + state + pickle.dumps(["7"], 2) + data


def test_parameters_and_views_of_storages_in_the_oldest_files():
    (weight,) = load(io.BytesIO(old_parameter_file())).values()
    assert weight.tolist() == [3.0, 4.0]  # element 1 of the view that begins at element 2
    assert type(weight).__name__ == "Parameter" and not weight.requires_grad


def test_texts_of_python_2():
    def short(data):
        return b"U" + bytes([len(data)]) + data

    content = b"\x80\x02" + short("é".encode()) + b"."
    head = [pickle.dumps(x, 2) for x in (torch_files.MAGIC_NUMBER, 1001, {})]
    file = b"".join(head) + content + pickle.dumps([], 2)
    assert load(io.BytesIO(file)) == "é"
    assert load(io.BytesIO(file), encoding="latin1") == "Ã©"
    assert load(io.BytesIO(file), encoding="bytes") == "é".encode()
    with pytest.raises(UnpicklingError, match=r"try load.*latin1"):
        load(io.BytesIO(b"".join(head) + b"\x80\x02" + short(b"\xff") + b"."))


# --- what is refused ----------------------------------------------------------------------


class Evil:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class Plain:
    def __init__(self, x=0):
        self.x = x

    def __eq__(self, other):
        return vars(self) == vars(other)


Point = collections.namedtuple("Point", "x y")


def zip_with(data, extra=()):
    """A zip file of torch.save's form around any pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        for name, content in extra:
            archive.writestr(f"archive/{name}", content)
    return file.getvalue()


SMALL = {
    name: written(
        {"a": torch.ones(2), "n": np.ones(2), "b": [torch.arange(3)[1:], "x"], "t": (1, 2.5)},
        **options,
    )
    for name, options in FORMATS.items()
}


class TestRefused:
    @formats
    @pytest.mark.parametrize(
        ("obj", "name"),
        [
            (Evil(os.system, "exit 1"), f"{os.name}.system"),
            (Evil(eval, "1/0"), "__builtin__.eval|builtins.eval"),
            (Evil(getattr, "a", "b"), "__builtin__.getattr|builtins.getattr"),
            ([1, {"a": Plain()}], "test_torch_files.Plain"),
            (Point(1, 2), "test_torch_files.Point"),
            ({"range": range(3)}, "range"),
            (slice(3), "slice"),
            (np.array([None]), "damaged|not read"),
            (np.zeros(2, [("a", "i4")]), "not read"),
            (torch.zeros(2, dtype=torch.float8_e4m3fn), "torch.float8_e4m3fn"),
            (Evil(torch._utils._rebuild_qtensor, 1), "Quantized tensors do not exist here"),
        ],
    )
    def test_what_else_is_named(self, options, obj, name):
        with pytest.raises(pickle.UnpicklingError, match=name) as caught:
            reread(obj, **options)
        assert str(caught.value).startswith("<BytesIO>: ")
        with pytest.raises(UnpicklingError):
            load(io.BytesIO(written(obj, **options)), weights_only=False)

    def test_the_message_gives_the_next_step(self):
        with pytest.raises(UnpicklingError, match=r"add_safe_globals\(\[Plain\]\)"):
            reread(Plain())
        with pytest.raises(UnpicklingError, match=r"Linear.* save its state_dict\(\)"):
            reread(torch.nn.Linear(1, 1))

    def test_a_program(self):
        content = zip_with(pickle.dumps([], 2), [("constants.pkl", pickle.dumps((), 2))])
        with pytest.raises(RuntimeError, match=r"TorchScript program; under PyTorch, save"):
            load(io.BytesIO(content))

    def test_zips_of_others(self, tmp_path):
        np.savez(tmp_path / "arrays.npz", a=np.ones(2))
        with pytest.raises(RuntimeError, match=r"not from torch.save: .*use numpy.load"):
            load(tmp_path / "arrays.npz")
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
            archive.writestr("readme", "x")
        with pytest.raises(RuntimeError, match=r"it has no data.pkl"):
            load(tmp_path / "other.zip")
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", pickle.dumps([1], 2))
        with pytest.raises(RuntimeError, match="is compressed"):
            load(io.BytesIO(file.getvalue()))

    def test_other_pickles(self):
        for protocol in (2, 3, 4, 5):
            with pytest.raises(RuntimeError, match=r"not from torch.save"):
                load(io.BytesIO(pickle.dumps({"a": [1, 2, 3]}, protocol)))

    @pytest.mark.parametrize(
        "program",
        [
            b"c__builtin__\nlist\n}(X\x01\x00\x00\x00xK\x01ub.",  # attributes of a class
            b"ctorch._utils\n_rebuild_tensor_v2\n}(X\x08\x00\x00\x00__code__NubR.",
            b"ccollections\nOrderedDict\n)R}(X\x05\x00\x00\x00itemsK\x01ub.",
            b"c__builtin__\nint\nK\x01\x85R.",
            b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
            b"c__builtin__\nlist\n(X\x01\x00\x00\x00at\x81.",  # NEWOBJ
            b"ccollections\nOrderedDict\nK\x05\x85R.",
            b"ctorch\nSize\nJ\xff\xff\xff\x7f\x85R.",
            b"cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R.",
            b"ctorch.nn.parameter\nParameter\nK\x01\x85R.",
            b"cos\nsystem\nX\x01\x00\x00\x00a\x85R.",
            b"(K\x01ios\nsystem\n.",
            b"X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93.",
            b"ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\nN)NtR.",
            b"\x82\x01.", b"(K\x01oK\x01.", b"Pabc\n.", b"K\x01Q.", b"(X\x06\x00\x00\x00moduletQ.",
            b"h\x05.", b".", b"t.", b"K\x01\x86.", b"]K\x01K\x02s.", b"e.", b"}(K\x01u.",
            b"\x8a\xff", b"X\xff\xff\xff\x7fabc.", b"\x8e" + b"\xff" * 8 + b".", b"", b"\xfe",
            b"]]]s.", b"}]K\x01s.", b"q\x01.", b"]K\x01b.",
        ],
    )  # fmt: skip
    def test_wrong_programs(self, program):
        with pytest.raises(UnpicklingError, match=r"^<BytesIO>: "):
            load(io.BytesIO(zip_with(b"\x80\x02" + program)))

    def test_a_tensor_outside_of_its_storage(self):
        def program(offset, size, stride, count=4):
            storage = ("storage", torch.FloatStorage, "0", "cpu", count)

            class Pickler(pickle._Pickler):
                def persistent_id(self, obj):
                    return storage if obj is storage else None

            arguments = (storage, offset, size, stride, False, OrderedDict())
            file = io.BytesIO()
            Pickler(file, 2).dump(Evil(torch._utils._rebuild_tensor_v2, *arguments))
            return zip_with(file.getvalue(), [("data/0", np.ones(4, "<f4").tobytes())])

        assert load(io.BytesIO(program(1, (3,), (1,)))).tolist() == [1, 1, 1]
        for offset, size, stride in [
            (2, (3,), (1,)), (0, (5,), (1,)), (0, (2,), (4,)), (-1, (1,), (1,)), (4, (), ()),
            (0, (-1,), (1,)), (3, (2,), (-1,)), (0, (2,), ()), (0, (2**62,), (0,)),
            (0, (1.0,), (1,)),
            (0, (1,) * 65, (0,) * 65), (0, (2**61,), (2**61,)),
        ]:  # fmt: skip
            with pytest.raises(UnpicklingError):
                load(io.BytesIO(program(offset, size, stride)))
        with pytest.raises(RuntimeError, match="cut short or is damaged"):
            load(io.BytesIO(program(0, (1,), (1,), count=2**40)))
        with pytest.raises(RuntimeError, match="does not hold 3 elements"):
            load(io.BytesIO(program(0, (1,), (1,), count=3)))

    def test_keys_too_deep_to_hash(self):
        deep = b"}K\x01" + b"\x85" * 50_000 + b"K\x02s."
        with pytest.raises(UnpicklingError, match="a key of tuples"):
            load(io.BytesIO(zip_with(b"\x80\x02" + deep)))

    def test_copies_that_grow_beyond_the_file(self):
        # Each line copies one list of 10,000 items: the square of the file's size.
        copies = b"]q\x00(" + b"N" * 10_000 + b"e" + b"c__builtin__\nset\nh\x00\x85R0" * 5000
        with pytest.raises(UnpicklingError, match="makes more of itself"):
            load(io.BytesIO(zip_with(b"\x80\x02" + copies + b"N.")))

    def test_a_bool_that_is_neither(self):
        content = written(torch.tensor([True, False]))
        at = content.index(b"\x01\x00", content.index(b"data/0"))
        file = zipfile.ZipFile(io.BytesIO(content))
        extra = [("data/0", b"\x02\x00")]
        data = next(file.read(n) for n in file.namelist() if n.endswith("data.pkl"))
        assert at
        with pytest.raises(RuntimeError, match="bytes other than 0 and 1"):
            load(io.BytesIO(zip_with(data, extra)))

    @formats
    def test_cut_anywhere(self, options):
        content = written({"a": torch.ones(2), "b": [torch.arange(3).bfloat16(), "x"]}, **options)
        step = max(1, len(content) // 150)
        for length in range(0, len(content), step):
            with pytest.raises((RuntimeError, UnpicklingError)):
                load(io.BytesIO(content[:length]))

    @given(data=st.data(), name=st.sampled_from(list(FORMATS)))
    @settings(max_examples=250, deadline=None)
    def test_flipped_bits(self, data, name):
        content = bytearray(SMALL[name])
        for _ in range(data.draw(st.integers(1, 4))):
            position = data.draw(st.integers(8, len(content) - 1))
            content[position] ^= 1 << data.draw(st.integers(0, 7))
        self.only_documented_errors(bytes(content))

    CODES = st.sampled_from([op.code.encode("latin-1") for op in pickletools.opcodes])
    PARTS = CODES | st.binary(max_size=3) | st.sampled_from(
        [b"c" + name.replace(".", "\n", name.count(".") - 1).replace("\n", ".").encode() + b"\n"
         for name in ("collections.OrderedDict", "numpy.dtype")]
        + [b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"K\x01", b"]",
           b"ctorch.nn.parameter\nParameter\n", b"cnumpy\ndtype\n", b"X\x02\x00\x00\x00f4", b"("]
    )  # fmt: skip

    @given(parts=st.lists(PARTS, max_size=25))
    @settings(max_examples=300, deadline=None)
    def test_random_programs(self, parts):
        self.only_documented_errors(zip_with(b"\x80\x02" + b"".join(parts) + b"."))

    def only_documented_errors(self, content):
        try:
            load(io.BytesIO(content))
        except (RuntimeError, UnpicklingError) as error:
            assert str(error).startswith("<BytesIO>: ")


class TestSafeGlobals:
    @pytest.fixture(autouse=True)
    def forget(self):
        yield
        clear_safe_globals()

    @formats
    def test_allowed_classes(self, options):
        for obj in (Plain(3), [Plain(torch.Size([1]))], Point(1, (2,))):
            with safe_globals([Plain, Point]):
                assert reread(obj, **options) == (
                    obj if not isinstance(obj, list) else [Plain(tensorgrad.Size([1]))]
                )
            with pytest.raises(UnpicklingError):
                reread(obj, **options)

    def test_the_list(self):
        add_safe_globals([Plain])
        add_safe_globals([Plain, (Point, "elsewhere.Pair")])
        assert get_safe_globals() == [Plain, (Point, "elsewhere.Pair")]
        with safe_globals([range]):
            assert range in get_safe_globals()
        assert range not in get_safe_globals()
        clear_safe_globals()
        assert get_safe_globals() == []
        assert tensorgrad.serialization.add_safe_globals is add_safe_globals

    def test_another_name(self):
        program = b"\x80\x02celsewhere\nPair\nK\x01K\x02\x86R."
        add_safe_globals([(Point, "elsewhere.Pair")])
        assert load(io.BytesIO(zip_with(program))) == Point(1, 2)

    def test_no_more_than_that(self):
        add_safe_globals([os.system, Plain])
        with pytest.raises(UnpicklingError, match="system"):
            reread(Evil(os.system, "exit 1"))
        with pytest.raises(UnpicklingError, match=r"eval"):
            reread([Plain(), Evil(eval, "1")])

    @pytest.mark.parametrize(("entry", "error"), [((Plain,), ValueError), ((Plain, 3), TypeError)])
    def test_wrong_pairs(self, entry, error):
        add_safe_globals([entry])
        with pytest.raises(error, match="safe global"):
            reread([1])


def test_nothing_of_python_unpickles(monkeypatch):
    content = written({"a": torch.ones(2), "b": np.ones(2)})
    legacy = written({"a": torch.ones(2), "b": np.ones(2)}, **FORMATS["legacy"])
    for name in ("load", "loads", "Unpickler", "_Unpickler"):
        monkeypatch.setattr(pickle, name, None)
    for data in (content, legacy):
        assert load(io.BytesIO(data))["a"].tolist() == [1, 1]
