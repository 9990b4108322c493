"""The safetensors format, its reader under damage, and what save and load bring back."""

import argparse
import io
import json
import math
import os
import pickle
import stat
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tensorgrad
from tensorgrad import Tensor
from tensorgrad._graph import wrap
from tensorgrad.serialization import (
    checkpoint,
    load,
    load_file,
    read_safetensors,
    safetensors,
    save,
    save_file,
    write_safetensors,
)

DTYPES = [
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
    "float16", "float32", "float64", "complex64",
]  # fmt: skip
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))
)
NAMES = st.text(st.characters(codec="utf-8"), max_size=8)  # anything that UTF-8 can encode
ARRAY_DICTS = st.dictionaries(NAMES.filter(lambda name: name != "__metadata__"), ARRAYS, max_size=6)


def assert_same(a, b):
    """Equal type, dtype, shape and bits, at every depth."""
    assert type(a) is type(b)
    if isinstance(a, Tensor):
        assert_same(a._array, b._array)
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.tobytes() == b.tobytes()
    elif isinstance(a, dict):
        for x, y in zip(a.items(), b.items(), strict=True):
            assert_same(x, y)
    elif isinstance(a, list | tuple):
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert repr(a) == repr(b)  # so that nan is nan and 0.0 is not -0.0


def encode(arrays, metadata=None):
    file = io.BytesIO()
    write_safetensors(file, arrays, metadata)
    return file.getvalue()


def decode(content):
    return read_safetensors(io.BytesIO(content))


def raw(header, values=b""):
    """A file with any header: a text, or an object to write as JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + values


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def saved(obj):
    file = io.BytesIO()
    save(obj, file)
    return file.getvalue()


def reloaded(obj):
    return load(io.BytesIO(saved(obj)))


def float_tensor(*values):
    return wrap(np.array(values, np.float32))


class TestFormat:
    @given(arrays=ARRAY_DICTS, metadata=st.dictionaries(NAMES, NAMES, max_size=3))
    @settings(max_examples=200, deadline=None)
    def test_round_trip(self, arrays, metadata):
        got, got_metadata = decode(encode(arrays, metadata))
        assert_same(got, arrays)
        assert got_metadata == metadata

    def test_bytes_on_disk(self):
        header = (
            b'{"b":{"dtype":"I8","shape":[],"data_offsets":[8,9]},'
            b'"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}       '
        )
        content = encode({"b": np.array(-1, np.int8), "a": np.array([1, -2], np.float32)})
        assert content == (
            len(header).to_bytes(8, "little") + header
            + b"\x00\x00\x80\x3f" + b"\x00\x00\x00\xc0" + b"\xff"
        )  # fmt: skip

    @given(arrays=ARRAY_DICTS)
    @settings(max_examples=100, deadline=None)
    def test_values_are_aligned(self, arrays):
        content = encode(arrays)
        length = int.from_bytes(content[:8], "little")
        for name, place in json.loads(content[8 : 8 + length]).items():
            assert (8 + length + place["data_offsets"][0]) % arrays[name].itemsize == 0

    def test_strides_and_byte_order_do_not_matter(self):
        array = np.arange(24, dtype=np.int32).reshape(4, 6)
        views = {
            "transposed": array.T,
            "reversed": array[::-1, ::-2],
            "repeated": np.broadcast_to(array[0], (3, 6)),
            "big-endian": array.astype(">i4"),
        }
        got, _ = decode(encode(views))
        for name, view in views.items():
            np.testing.assert_array_equal(got[name], view)
            assert got[name].dtype == np.int32 and got[name].dtype.isnative

    def test_arrays_own_writable_memory(self):
        got, _ = decode(encode({"a": np.zeros(2), "b": np.zeros(2)}))
        got["a"] += 1
        assert got["b"].sum() == 0

    def test_bfloat16_is_widened_exactly(self):
        values = np.array([1.0, -2.5, 3e38, 1e-40, math.inf, math.nan, -0.0], np.float32)
        bits = (values.view(np.uint32) >> 16).astype("<u2")
        expected = (bits.astype(np.uint32) << 16).view(np.float32)
        got, _ = decode(raw({"a": entry("BF16", (7,), (0, 14))}, bits.tobytes()))
        assert_same(got["a"], expected)
        got, _ = decode(raw({"a": entry("BF16", (), (0, 2))}, b"\x80\x3f"))
        assert_same(got["a"], np.array(1, np.float32))

    def test_a_file_object_is_read_from_its_position(self):
        file = io.BytesIO(b"skip" + encode({"a": np.arange(3)}))
        file.seek(4)
        assert_same(read_safetensors(file)[0]["a"], np.arange(3))

    def test_a_stream_that_cannot_seek(self):
        class Pipe(io.RawIOBase):
            def __init__(self, content):
                self.rest = content

            def readable(self):
                return True

            def readinto(self, buffer):
                part = self.rest[: min(5, len(buffer))]
                self.rest = self.rest[5:] if len(part) == 5 else b""
                buffer[: len(part)] = part
                return len(part)

        assert_same(read_safetensors(Pipe(encode({"a": np.arange(3)})))[0]["a"], np.arange(3))

    def test_a_file_that_takes_little_at_a_time(self):
        class Slow(io.BytesIO):
            def write(self, data):
                return super().write(bytes(data[:7]))

            def readinto(self, buffer):
                return super().readinto(memoryview(buffer)[:3])

        file = Slow()
        write_safetensors(file, {"a": np.arange(50)})
        file.seek(0)
        assert_same(read_safetensors(file)[0]["a"], np.arange(50))

    @pytest.mark.parametrize("as_path", [str, os.fsencode, lambda path: path])
    def test_any_kind_of_path(self, tmp_path, as_path):
        path = as_path(tmp_path / "weights ü.safetensors")
        write_safetensors(path, {"a": np.arange(3)})
        assert_same(read_safetensors(path)[0]["a"], np.arange(3))

    @pytest.mark.parametrize(
        ("arrays", "metadata", "error", "message"),
        [
            ({"w": np.zeros(2, complex)}, None, TypeError, "'w' has dtype complex128"),
            ({"w": np.array(["text"])}, None, TypeError, "'w' has dtype <U4"),
            ({"w": np.array([None])}, None, TypeError, "'w' has dtype object"),
            ({"w": [1.0]}, None, TypeError, "'w' must be an ndarray, got list"),
            ({0: np.zeros(2)}, None, TypeError, "names of tensors must be str, got 0"),
            ({"__metadata__": np.zeros(2)}, None, ValueError, "cannot be called '__metadata__'"),
            ({"\ud800": np.zeros(2)}, None, ValueError, "surrogates not allowed"),
            ({}, {"epoch": 3}, TypeError, "metadata must map str to str, got 'epoch': int"),
        ],
    )
    def test_what_cannot_be_written(self, tmp_path, arrays, metadata, error, message):
        with pytest.raises(error, match=message):
            write_safetensors(tmp_path / "file", arrays, metadata)
        assert list(tmp_path.iterdir()) == []

    def test_header_limit_holds_for_writing_too(self, monkeypatch):
        monkeypatch.setattr(safetensors, "MAX_HEADER", 100)
        with pytest.raises(ValueError, match="the format allows 100"):
            encode({}, {"note": "x" * 100})

    @pytest.mark.parametrize("f", [5, None, object()])
    def test_neither_path_nor_file(self, f):
        with pytest.raises(TypeError, match="expected a path or a binary file"):
            write_safetensors(f, {})
        with pytest.raises(TypeError, match="expected a path or a file opened in binary"):
            read_safetensors(f)

    def test_text_files(self, tmp_path):
        with pytest.raises(TypeError):
            write_safetensors(io.StringIO(), {})
        with pytest.raises(TypeError, match="opened in binary mode"):
            read_safetensors(io.StringIO("{}"))


class TestDamagedFiles:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "not a safetensors file: it holds 0 bytes"),
            (b"\x01\x00", "not a safetensors file: it holds 2 bytes"),
            ((100_000_001).to_bytes(8, "little"), "100000001 bytes long, the limit is 100000000"),
            ((50).to_bytes(8, "little") + b"{}", "should be 50 bytes long, 2 follow; cut short"),
            (raw(b""), r"does not begin with '\{'"),
            (raw(b"[]"), r"does not begin with '\{'"),
            (raw(b" {}"), r"does not begin with '\{'"),
            (raw(b"{"), "header of this safetensors file is damaged: Expecting property name"),
            (raw(b"{\xff}"), "damaged: 'utf-8' codec can't decode"),
            (raw(b'{"a":' + b"[" * 100_000), "damaged: maximum recursion depth|damaged: .*depth"),
            (raw(b'{"a":' + b"9" * 5000 + b"}"), "damaged: .*4300"),
            (raw(b'{"a":1,"a":2}'), "the name 'a' occurs twice"),
            (raw(b'{"a":{"dtype":"U8","dtype":"I8"}}'), "the name 'dtype' occurs twice"),
            (raw(b"{}", b"123"), "3 bytes after the header belong to no tensor"),
            (raw({"a": entry()}, b"12345"), "1 bytes after tensor 'a' belong to no tensor"),
            (raw({"__metadata__": {"a": 1}}), "__metadata__ in the header must map texts"),
            (raw({"__metadata__": []}), "__metadata__ in the header must map texts"),
            (raw({"a": 1}), "'a' lacks one of dtype"),
            (raw({"a": {"dtype": "U8", "shape": []}}), "'a' lacks one of dtype"),
            (raw({"a": entry("F8_E4M3")}, b"1234"), "'a' has dtype 'F8_E4M3'; tensorgrad reads"),
            (raw({"a": entry(["F32"])}, b"1234"), r"'a' has dtype \['F32'\]"),
            (raw({"a": entry(shape=[1.0])}, b"1234"), "the shape of tensor 'a'"),
            (raw({"a": entry(shape=[True])}, b"1234"), "the shape of tensor 'a'"),
            (raw({"a": entry(shape=[-1])}, b"1234"), "the shape of tensor 'a'"),
            (raw({"a": {**entry(), "shape": 1}}, b"1234"), "the shape of tensor 'a'"),
            (raw({"a": entry(shape=[1] * 65)}, b"1234"), "the shape of tensor 'a'.*64"),
            (raw({"a": entry(shape=[2**63, 0])}), "the shape of tensor 'a'"),
            (raw({"a": entry(shape=[0, 2**62, 2**62], offsets=(0, 0))}), "impossible shape"),
            (raw({"a": entry(offsets=[0])}, b"1234"), "data_offsets of tensor 'a'"),
            (raw({"a": entry(offsets=[4, 0])}, b"1234"), "data_offsets of tensor 'a'"),
            (raw({"a": entry(offsets=[-4, 0])}, b"1234"), "data_offsets of tensor 'a'"),
            (raw({"a": entry(offsets=[0, "4"])}, b"1234"), "data_offsets of tensor 'a'"),
            (raw({"a": entry(shape=[2])}, b"1234"), r"'a' of .* \[2\] needs 8 bytes, .* hold 4"),
            (raw({"a": entry(offsets=[0, 8])}, b"12345678"), r"\[1\] needs 4 bytes, .* hold 8"),
            (raw({"a": entry(shape=[10**9], offsets=[0, 4 * 10**9])}, b"1234"), "cut short"),
            (raw({"a": entry(offsets=[4, 8])}, b"12345678"), "'a' begins at byte 4.*the header"),
            (
                raw({"a": entry(), "b": entry(offsets=[2, 6])}, b"123456"),
                "'b' begins at byte 2 of the values, but tensor 'a' ends at byte 4",
            ),
            (raw({"a": entry(), "b": entry()}, b"1234"), "without overlap or gap"),
            (raw({"a": entry("BOOL", (4,))}, b"\0\1\2\0"), "'a' of dtype BOOL holds bytes other"),
        ],
    )
    def test_each_kind(self, tmp_path, content, message):
        path = tmp_path / "damaged.safetensors"
        path.write_bytes(content)
        with pytest.raises(RuntimeError, match=message) as caught:
            read_safetensors(path)
        assert str(caught.value).startswith(str(path))
        with pytest.raises(RuntimeError, match=message):
            load(io.BytesIO(content))

    def test_cut_anywhere(self):
        content = saved({"a": float_tensor(1, 2), "b": [float_tensor(3), "text"]})
        for length in range(len(content)):
            with pytest.raises(RuntimeError):
                load(io.BytesIO(content[:length]))

    def test_a_file_that_shrinks_while_it_is_read(self):
        class Shrinking(io.BytesIO):
            def seek(self, offset, whence=0):
                position = super().seek(offset, whence)
                return position + 4 if whence == io.SEEK_END else position

        content = raw({"a": entry(shape=[2], offsets=[0, 8])}, b"1234")
        with pytest.raises(RuntimeError, match="ended 4 bytes early"):
            read_safetensors(Shrinking(content))

    @given(content=st.binary(max_size=200))
    @settings(max_examples=300, deadline=None)
    def test_random_bytes(self, content):
        only_documented_errors(content)

    @given(content=st.binary(max_size=100), values=st.binary(max_size=16))
    @settings(max_examples=300, deadline=None)
    def test_random_header(self, content, values):
        only_documented_errors(raw(b"{" + content, values))

    JSON = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["F32", "a", ""]),
        lambda inner: st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "data_offsets", "__metadata__", "a"]), inner,
            max_size=4,
        ),
        max_leaves=8,
    )  # fmt: skip

    @given(
        header=st.dictionaries(
            st.sampled_from(["a", "b", "__metadata__"]),
            JSON | st.fixed_dictionaries({"dtype": JSON, "shape": JSON, "data_offsets": JSON}),
        ),
        values=st.binary(max_size=16),
    )
    @settings(max_examples=150, deadline=None)
    def test_wrong_json(self, header, values):
        only_documented_errors(raw(header, values))

    @given(structure=JSON, kind=st.sampled_from([*checkpoint.KINDS, "other"]))
    @example(structure=10**400, kind="float")
    @example(structure=[["a", 1], [[], 2]], kind="dict")
    @settings(max_examples=300, deadline=None)
    def test_wrong_structure(self, structure, kind):
        for obj in (structure, {kind: structure}):
            text = json.dumps({"version": 1, "object": obj})
            arrays = {"a": np.ones((3, 2)), "b": np.ones(3)}
            only_documented_errors(encode(arrays, {"tensorgrad": text}))

    @given(data=st.data())
    @settings(max_examples=300, deadline=None)
    def test_flipped_bits(self, data):
        content = bytearray(CHECKPOINT)
        for _ in range(data.draw(st.integers(1, 4))):
            position = data.draw(st.integers(0, len(content) - 1))
            content[position] ^= 1 << data.draw(st.integers(0, 7))
        only_documented_errors(bytes(content))

    def test_object_description(self):
        array = {"a": np.ones(1)}
        for text, message in [
            ("", "JSONDecodeError"),
            ("[]", "TypeError"),
            ("{}", "KeyError"),
            ('{"version":2}', "version 2, this tensorgrad reads 1"),
            ('{"version":1,"object":3}', "does not mention the tensors a"),
            ('{"version":1,"object":{"tensor":"b"}}', "KeyError.*'b'"),
            ('{"version":1,"object":[{"tensor":"a"},{"tensor":"a"}]}', "KeyError.*'a'"),
            ('{"version":1,"object":{"tensor":"a","float":1}}', "'tensor' beside 'float'"),
            ('{"version":1,"object":' + "[" * 100_000, "RecursionError"),
        ]:
            with pytest.raises(RuntimeError, match=f"<BytesIO>: the description .*{message}"):
                load(io.BytesIO(encode(array, {"tensorgrad": text})))


CHECKPOINT = encode(
    {"a": np.ones((3, 2), np.float32), "b": np.arange(3), "c": np.array([True, False])},
    {
        "tensorgrad": '{"version":1,"object":{"dict":[["x",{"tensor":"a"}],["y",[{"ndarray":"b"},'
        '{"tuple":[1,2.5,null]}]],[3,{"tensor":"c"}],["z",{"float":"inf"}]]}}'
    },
)


def only_documented_errors(content):
    try:
        load(io.BytesIO(content))
    except (RuntimeError, pickle.UnpicklingError) as error:  # the second for what begins as one
        assert str(error).startswith("<BytesIO>: ")


class TestOtherFiles:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"PK\x03\x04\x14\x00\x00\x00\x00", "a zip archive.*which load reads"),
            (b"\x80\x05\x95\x10\x00\x00\x00\x00\x00", "a pickle.*which load reads"),
            (b"\x93NUMPY\x01\x00v\x00", "use numpy.load"),
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "decompress it first"),
            (b"GGUF\x03\x00\x00\x00\x00", "a GGUF file"),
            (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
            (b"<!DOCTYPE html>", "its header would be"),
        ],
    )
    def test_the_message_says_what_was_found(self, content, message):
        with pytest.raises(RuntimeError, match=f"not a safetensors file: .*{message}"):
            read_safetensors(io.BytesIO(content))

    def test_a_signature_may_be_a_length(self):
        # The first bytes of a good file are its header's length: 0x80 alone is not a pickle.
        content = raw(b"{}" + b" " * 126)
        assert content[0] == 0x80
        assert load(io.BytesIO(content)) == {}

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            load(tmp_path / "missing")

    def test_nothing_is_unpickled(self):
        code = "import io, pickle, tensorgrad.serialization as s; f = io.BytesIO(); "
        code += "pickle.loads = pickle.load = pickle.Unpickler = None; "
        code += "s.save([1], f); f.seek(0); assert s.load(f) == [1]; f.seek(0); "
        code += "assert s.load(f, weights_only=False) == [1]"
        subprocess.run([sys.executable, "-c", code], check=True)


class TestAtomicWrites:
    def test_a_failure_keeps_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "weights"
        write_safetensors(path, {"a": np.arange(3)})
        old = path.read_bytes()
        for step in ("fsync", "replace"):
            with monkeypatch.context() as patch:
                patch.setattr(os, step, failing)
                with pytest.raises(OSError, match="disk full"):
                    write_safetensors(path, {"a": np.arange(4)})
            assert path.read_bytes() == old
            assert list(tmp_path.iterdir()) == [path]

    def test_a_failure_in_the_middle_of_writing(self, tmp_path, monkeypatch):
        path = tmp_path / "weights"
        monkeypatch.setattr(safetensors, "write_all", failing)
        with pytest.raises(OSError, match="disk full"):
            write_safetensors(path, {"a": np.arange(4)})
        assert list(tmp_path.iterdir()) == []

    def test_an_interruption(self, tmp_path, monkeypatch):
        def interrupted(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_safetensors(tmp_path / "weights", {})
        assert list(tmp_path.iterdir()) == []

    def test_the_bytes_reach_the_disk_before_the_name(self, tmp_path, monkeypatch):
        calls = []
        fsync, replace = os.fsync, os.replace
        monkeypatch.setattr(os, "fsync", lambda fd: calls.append("fsync") or fsync(fd))
        monkeypatch.setattr(os, "replace", lambda a, b: calls.append("replace") or replace(a, b))
        write_safetensors(tmp_path / "weights", {"a": np.arange(4)})
        assert calls == ["fsync", "replace"]

    @pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
    def test_permissions_and_links_stay(self, tmp_path):
        target, link = tmp_path / "target", tmp_path / "link"
        write_safetensors(target, {})
        plain = tmp_path / "plain"
        plain.write_bytes(b"")
        assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
        target.chmod(0o640)
        link.symlink_to(target)
        write_safetensors(link, {"a": np.arange(3)})
        assert link.is_symlink()
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        assert_same(read_safetensors(target)[0]["a"], np.arange(3))

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
    def test_a_pipe_stays_a_pipe(self, tmp_path):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
        write_safetensors(pipe, {"a": np.arange(3)})
        assert_same(decode(reader.communicate()[0])[0]["a"], np.arange(3))
        assert stat.S_ISFIFO(pipe.stat().st_mode)

    def test_no_folder(self, tmp_path):
        with pytest.raises(RuntimeError, match=r"parent directory .*missing does not exist"):
            write_safetensors(tmp_path / "missing" / "weights", {})

    def test_relative_path(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write_safetensors("weights", {})
        assert (tmp_path / "weights").exists()


def failing(*_):
    raise OSError("disk full")


TENSORS = ARRAYS.map(wrap) | hnp.arrays("complex128", hnp.array_shapes(min_dims=0)).map(wrap)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text()
)
KEYS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
OBJECTS = st.recursive(
    SCALARS | TENSORS | ARRAYS,
    lambda inner: st.lists(inner, max_size=3)
    | st.lists(inner, max_size=3).map(tuple)
    | st.dictionaries(KEYS, inner, max_size=3)
    | st.dictionaries(KEYS, inner, max_size=3).map(OrderedDict),
    max_leaves=10,
)


def training_state():
    return {
        "epoch": 3,
        "model": OrderedDict({"0.weight": float_tensor(1, 2), "0.bias": float_tensor(3)}),
        "optimizer": {
            "state": {0: {"exp_avg": float_tensor(4), "step": 7}},
            "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]}],
        },
        "best": -math.inf,
        "note": "déjà vu",
        "generator": np.arange(4, dtype=np.uint32),
    }


class TestSaveAndLoad:
    @given(obj=OBJECTS)
    @example(obj={"a": {"b": wrap(np.ones(1))}, "a.b": wrap(np.zeros(1)), "": wrap(np.ones(2))})
    @example(obj={"__metadata__": wrap(np.ones(1)), "tensorgrad": wrap(np.zeros(1))})
    @example(obj={"\ud800": 1, "a": "\udfff"})
    @settings(max_examples=300, deadline=None)
    def test_round_trip(self, obj):
        try:
            assert_same(reloaded(obj), obj)
        except UnicodeEncodeError:  # the documented ValueError: a name that UTF-8 cannot hold
            assert any("\ud800" <= c <= "\udfff" for c in ascii_decoded(repr(obj)))

    def test_a_checkpoint(self, tmp_path):
        save(training_state(), tmp_path / "checkpoint")
        assert_same(load(tmp_path / "checkpoint"), training_state())
        with open(tmp_path / "checkpoint", "rb") as file:
            assert_same(load(file), training_state())

    def test_names_in_the_file(self):
        names = list(decode(saved(training_state()))[0])
        assert names == [
            "model.0.weight", "model.0.bias", "optimizer.state[0]['exp_avg']", "generator",
        ]  # fmt: skip

    def test_a_state_dict_is_an_ordinary_file(self):
        state = OrderedDict({"0.weight": float_tensor(1, 2), "0.bias": float_tensor(3)})
        arrays, _ = decode(saved(state))
        assert list(arrays) == list(state)
        assert_same(arrays["0.weight"], state["0.weight"]._array)

    def test_any_safetensors_file_loads_as_a_dict(self):
        got = load(io.BytesIO(encode({"b": np.arange(3), "a": np.ones(2)}, {"format": "pt"})))
        assert_same(got, {"b": wrap(np.arange(3)), "a": wrap(np.ones(2))})

    def test_a_tensor_alone(self):
        assert_same(reloaded(float_tensor(1, 2)), float_tensor(1, 2))

    def test_what_requires_grad_comes_back_as_a_leaf_without_its_gradient(self):
        weight = tensorgrad.tensor([1.0, 2.0], requires_grad=True)
        weight.grad = tensorgrad.ones(2)
        parameter = tensorgrad.nn.Parameter(weight.detach())
        frozen = tensorgrad.nn.Parameter(tensorgrad.ones(2, dtype=tensorgrad.complex128), False)
        got = reloaded([weight, weight * 1, parameter, frozen, weight.detach()])
        assert [x.requires_grad for x in got] == [True, True, True, False, False]
        assert all(x.is_leaf and x.grad is None for x in got)
        assert [type(x).__name__ for x in got] == [
            "Tensor", "Tensor", "Parameter", "Parameter", "Tensor",
        ]  # fmt: skip
        assert_same([x._array for x in got[:3]], 3 * [weight._array])

    def test_a_model_and_its_optimizer(self, tmp_path):
        nn, optim = tensorgrad.nn, tensorgrad.optim

        def build(seed):
            tensorgrad.manual_seed(seed)
            model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
            return model, optim.Adam(model.parameters(), lr=0.01)

        def step(model, optimizer):
            optimizer.zero_grad()
            (model(tensorgrad.ones(5, 3)) ** 2).mean().backward()
            optimizer.step()

        model, optimizer = build(0)
        step(model, optimizer)
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        tensorgrad.save(state, tmp_path / "checkpoint")
        other, its_optimizer = build(1)
        state = tensorgrad.load(tmp_path / "checkpoint")
        other.load_state_dict(state["model"])
        its_optimizer.load_state_dict(state["optimizer"])
        for pair in (model, optimizer), (other, its_optimizer):
            step(*pair)
        assert_same(dict(other.state_dict()), dict(model.state_dict()))

    def test_tied_weights_stay_tied(self):
        class Tied(tensorgrad.nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = tensorgrad.nn.Linear(3, 3, bias=False)
                self.decoder = tensorgrad.nn.Linear(3, 3, bias=False)
                self.decoder.weight = self.encoder.weight

        model, other = Tied(), Tied()
        state = reloaded(model.state_dict())
        assert list(state) == ["encoder.weight", "decoder.weight"]
        other.load_state_dict(state)
        assert other.decoder.weight is other.encoder.weight
        assert_same(other.encoder.weight.detach(), model.encoder.weight.detach())

    def test_shared_memory_is_written_for_every_reader_and_shared_again(self):
        weight = float_tensor(1, 2, 3, 4, 5, 6).reshape(2, 3)
        state = {
            "encoder": weight, "again": weight, "tied": weight.detach(), "column": weight[:, 1],
            "transposed": weight.T, "reversed": wrap(weight._array[::-1]), "other": weight.clone(),
        }  # fmt: skip
        assert_same(list(decode(saved(state))[0].values()), [x._array for x in state.values()])
        got = reloaded(state)
        assert got["again"] is got["encoder"] and got["tied"] is not got["encoder"]
        for tensors in (state, got):
            tensors["encoder"].zero_()
            tensors["column"].fill_(7)
        for name in state:
            assert got[name].tolist() == state[name].tolist()

    @given(data=st.data())
    @settings(max_examples=100, deadline=None)
    def test_any_views_of_one_memory(self, data):
        base = np.arange(24, dtype=np.int64).reshape(4, 6)
        parts = st.slices(4), st.slices(6), st.booleans()
        views = [
            wrap(base[rows, columns].T if turned else base[rows, columns])
            for rows, columns, turned in data.draw(st.lists(st.tuples(*parts), max_size=5))
        ]
        got = reloaded(views)
        assert_same(got, views)
        for a, ours in zip(views, got, strict=True):
            for b, theirs in zip(views, got, strict=True):
                shared = np.shares_memory(ours._array, theirs._array)
                assert shared == np.shares_memory(a._array, b._array)

    def test_complex_views_and_arrays_share_too(self):
        array = np.arange(4) * (1 + 2j)
        got = reloaded({"all": array, "tail": wrap(array[1:]), "imag": wrap(array.imag)})
        got["all"][2] = 9j
        assert_same(got["tail"]._array[1], np.complex128(9j))
        assert got["imag"].tolist()[2] == 9.0

    def test_views_far_apart_come_back_apart(self):
        base = np.zeros((1000, 100))
        got = reloaded([wrap(base[:, 0]), wrap(base[:, 0])])
        assert not np.shares_memory(got[0]._array, got[1]._array)
        assert got[0]._array.base is None

    @pytest.mark.parametrize(
        ("memories", "place"),
        [
            ([10**15], {"name": "a", "memory": [0, 0, [8]]}),
            ([-1], {"name": "a"}),
            (["8"], {"name": "a"}),
            ([24], {"name": "a", "memory": [0, 8, [8]]}),
            ([24], {"name": "a", "memory": [0, -8, [8]]}),
            ([24], {"name": "a", "memory": [0, 0, [2**40]]}),
            ([24], {"name": "a", "memory": [1, 0, [8]]}),
            ([24], {"name": "a", "memory": [0, 0]}),
            ([], {"name": "a", "requires_grad": True}),
        ],
    )
    def test_wrong_places_in_memory(self, memories, place):
        text = json.dumps({"version": 1, "object": {"tensor": place}, "memories": memories})
        content = encode({"a": np.arange(3)}, {"tensorgrad": text})
        with pytest.raises(RuntimeError, match="description of the saved object"):
            load(io.BytesIO(content))

    def test_types_of_torch(self):
        Size, device = tensorgrad.Size, tensorgrad.device
        values = [
            Size([2, 3]), tensorgrad.float16, tensorgrad.bool, device("cuda:1"), b"\x00\xff",
            {1, "a"}, frozenset({2.5}), Counter({30: 1, 60: 2}),
        ]  # fmt: skip
        got = reloaded(values)
        assert got == values
        assert [type(x) for x in got] == [type(x) for x in values]
        assert got[1] is tensorgrad.float16

    def test_the_state_of_a_scheduler(self):
        optimizer = tensorgrad.optim.SGD([tensorgrad.nn.Parameter(tensorgrad.ones(1))], lr=1.0)
        scheduler = tensorgrad.optim.lr_scheduler.MultiStepLR(optimizer, [1, 3])
        state = reloaded(scheduler.state_dict())
        assert state == scheduler.state_dict() and type(state["milestones"]) is Counter
        scheduler.load_state_dict(state)
        optimizer.step()
        scheduler.step()
        assert optimizer.param_groups[0]["lr"] == 0.1

    def test_only_the_visible_part_of_a_view_is_written(self):
        view = wrap(np.zeros(10_000)[:2])
        assert len(saved([view])) < 1000

    def test_subclasses_come_back_as_their_base(self):
        Pair = namedtuple("Pair", "a b")
        got = reloaded([Pair(1, 2), defaultdict(list, x=1), np.float32(0.5), np.int64(3), np.True_])
        assert_same(got, [(1, 2), {"x": 1}, 0.5, 3, True])

    @pytest.mark.parametrize(
        ("obj", "message"),
        [
            ({"optimizer": {"state": {3: {"exp_avg": slice(1)}}}},
             r"cannot store optimizer\.state\[3\]\['exp_avg'\] of type slice\."),
            ({"a": [1, (2, range(3))]}, r"cannot store a\[1\]\[1\] of type range"),
            ({"args": argparse.Namespace()}, r"Namespace; pass vars\(\) of it"),
            ([object()], r"cannot store \[0\] of type object"),
            (print, "cannot store the object itself of type builtin_function_or_method"),
            ({"a": {(1, 2): 3}}, r"the key \(1, 2\) of a: .* got tuple"),
            ({"a": np.array(["x"])}, "cannot store a: an array of dtype <U1"),
            ({"a": np.datetime64("2020-01-01")}, "cannot store a of type datetime.date"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_saved(self, tmp_path, obj, message):
        with pytest.raises(TypeError, match=message):
            save(obj, tmp_path / "file")
        assert list(tmp_path.iterdir()) == []

    def test_a_module_is_told_of_its_state_dict(self):
        class Model:
            def state_dict(self):
                return {}

        with pytest.raises(TypeError, match=r"model of type .*Model; pass its state_dict\(\)"):
            save({"model": Model()}, io.BytesIO())

    def test_an_object_that_contains_itself(self):
        loop = {"a": []}
        loop["a"].append(loop)
        with pytest.raises(ValueError, match=r"cannot store a\[0\]: it contains itself"):
            save(loop, io.BytesIO())
        shared = [1]
        assert reloaded([shared, shared]) == [[1], [1]]

    @pytest.mark.parametrize(
        "location", [None, "cpu", "cpu:0", {"cuda:0": "cpu"}, lambda storage, place: storage]
    )
    def test_map_location(self, location):
        file = io.BytesIO(saved([1]))
        assert load(file, location) == [1]
        file.seek(0)
        assert load(file, map_location=location, weights_only=False, mmap=True) == [1]

    def test_arguments_of_pytorch(self):
        save([1], file := io.BytesIO(), pickle, 4, _use_new_zipfile_serialization=False)
        file.seek(0)
        assert load(file, None, pickle, weights_only=True, encoding="latin1") == [1]
        for call in (save, load):
            with pytest.raises(TypeError, match="nothing is pickled"):
                call(*([[1]] if call is save else []), io.BytesIO(), pickle_module=json)
        with pytest.raises(TypeError, match="unexpected keyword argument 'fast'"):
            load(file, fast=True)

    def test_files_of_tensors(self, tmp_path):
        tensors = {"b": float_tensor(1, 2), "a": wrap(np.arange(3))}
        save_file(tensors, tmp_path / "tensors", metadata={"format": "pt"})
        assert_same(load_file(tmp_path / "tensors"), tensors)
        assert_same(load(tmp_path / "tensors"), tensors)
        assert read_safetensors(tmp_path / "tensors")[1] == {"format": "pt"}
        with pytest.raises(TypeError, match="'a' must be a tensor, got int"):
            save_file({"a": 1}, tmp_path / "other")
        with pytest.raises(RuntimeError, match="not available"):
            load_file(tmp_path / "tensors", device="cuda")

    def test_another_device_is_refused(self):
        with pytest.raises(RuntimeError, match="map_location='cuda:0' is not available"):
            load(io.BytesIO(saved([1])), map_location="cuda:0")


def ascii_decoded(text):
    return text.encode("ascii", "backslashreplace").decode("unicode_escape")


@pytest.fixture(scope="module")
def theirs():
    return pytest.importorskip("safetensors.numpy")


class TestAgainstTheSafetensorsPackage:
    KNOWN = ARRAY_DICTS.map(
        lambda arrays: {k: a for k, a in arrays.items() if a.dtype != np.complex64}
    )

    @given(arrays=KNOWN)
    @settings(max_examples=150, deadline=None)
    def test_they_read_ours(self, theirs, arrays):
        got = theirs.load(encode(arrays, {"note": "x"}))
        assert_same({name: got[name] for name in arrays}, arrays)

    @given(arrays=KNOWN)
    @settings(max_examples=150, deadline=None)
    def test_we_read_theirs(self, theirs, arrays):
        got, metadata = decode(theirs.save(arrays, {"note": "x"}))
        assert_same({name: got[name] for name in arrays}, arrays)
        assert metadata == {"note": "x"}

    def test_they_read_a_checkpoint(self, theirs):
        ours, _ = decode(saved(training_state()))
        got = theirs.load(saved(training_state()))
        assert_same({name: got[name] for name in ours}, ours)

    def test_torch_tensors_both_ways(self, theirs, tmp_path):
        torch = pytest.importorskip("torch")
        from safetensors.torch import load_file, save_file

        tensors = {
            name: torch.arange(6).reshape(2, 3).to(getattr(torch, name))
            for name in [*DTYPES, "bfloat16"]
        }
        save_file(tensors, tmp_path / "theirs")
        got, _ = read_safetensors(tmp_path / "theirs")
        for name, tensor in tensors.items():
            assert_same(got[name], (tensor.float() if name == "bfloat16" else tensor).numpy())
        write_safetensors(tmp_path / "ours", got)
        back = load_file(tmp_path / "ours")
        for name in DTYPES:
            assert torch.equal(back[name], tensors[name])
            assert back[name].dtype == tensors[name].dtype
