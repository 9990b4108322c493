"""Reading .npz files: what is asked for, damages, and that no pickle is loaded."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tensorgrad as tg
from tensorgrad.datasets import normalize_x, read_npz, split

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
X = np.arange(6, dtype=np.float32).reshape(2, 3)
Y = np.array([1, 0])


@pytest.fixture
def path(tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=Y, names=np.array(["a", "b", "c"]))
    return tmp_path / "d.npz"


def packed(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


CONTENT = packed(x=X, y=Y)


def test_all_and_some(path):
    arrays = read_npz(path)
    assert list(arrays) == ["x", "y", "names"]
    np.testing.assert_array_equal(arrays["x"], X)
    assert arrays["x"].dtype == np.float32 and arrays["names"].tolist() == ["a", "b", "c"]
    assert list(read_npz(str(path), ["y", "x"])) == ["y", "x"]
    assert list(read_npz(path, "y")) == ["y"]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(
    array=hnp.arrays(
        st.one_of(
            hnp.integer_dtypes(endianness="?"), hnp.floating_dtypes(endianness="?"),
            hnp.boolean_dtypes(), hnp.unicode_string_dtypes(endianness="?"),
        ),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
    ),
    compressed=st.booleans(),
)  # fmt: skip
def test_what_was_written_comes_back(tmp_path, array, compressed):
    (np.savez_compressed if compressed else np.savez)(tmp_path / "a.npz", a=array)
    got = read_npz(tmp_path / "a.npz", allow_nan=True)["a"]
    assert got.dtype == array.dtype.newbyteorder("=") and got.dtype.isnative
    np.testing.assert_array_equal(got, array)


def test_an_archive_of_nothing(tmp_path):
    np.savez(tmp_path / "e.npz")
    assert read_npz(tmp_path / "e.npz") == {}


def test_shapes_and_dtypes_that_fit(path):
    arrays = read_npz(
        path,
        shapes={"x": (None, 3), "y": (2,), "names": (None,)},
        dtypes={"x": tg.float32, "y": np.integer, "names": np.str_},
    )
    assert len(arrays) == 3
    read_npz(path, dtypes={"x": np.floating, "y": "int64"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ["x", "z"]}, "d.npz holds no array 'z'; it holds x, y, names"),
        ({"shapes": {"z": (1,)}}, "d.npz holds no array 'z'"),
        ({"names": "x", "dtypes": {"y": int}}, "shapes or dtypes name 'y', which names leaves out"),
        ({"shapes": {"x": (None, 4)}}, r"d.npz, array 'x': expected shape \(None, 4\), got \(2, 3"),
        ({"shapes": {"x": (6,)}}, r"'x': expected shape \(6,\), got \(2, 3\)"),
        ({"dtypes": {"x": tg.float64}}, "'x': expected float64, got float32"),
        ({"dtypes": {"x": np.integer}}, "'x': expected integer, got float32"),
        ({"dtypes": {"y": "float32"}}, "'y': expected float32, got int64"),
    ],
)
def test_what_is_asked_for_is_checked(path, options, message):
    with pytest.raises(ValueError, match=message):
        read_npz(path, **options)


@pytest.mark.parametrize(
    ("array", "place"),
    [
        (np.array([[0, 1], [2, np.nan]]), "row 1, column 1 is nan"),
        (np.array([0, -np.inf], np.float32), "row 1 is -inf"),
        (np.full((1, 2, 1), np.nan), r"index \(0, 0, 0\) is nan"),
        (np.array(np.nan), "is nan"),
    ],
    ids=["matrix", "vector", "cube", "number"],
)
def test_nan_is_placed(tmp_path, array, place):
    np.savez(tmp_path / "n.npz", fine=X, x=array)
    with pytest.raises(ValueError, match=f"n.npz, array 'x': .*{place}"):
        read_npz(tmp_path / "n.npz")
    np.testing.assert_array_equal(read_npz(tmp_path / "n.npz", allow_nan=True)["x"], array)
    assert list(read_npz(tmp_path / "n.npz", "fine")) == ["fine"]


def test_objects_are_not_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "touched",))

    trap = np.array([Trap()], object)
    np.savez(tmp_path / "o.npz", x=X, o=trap, allow_pickle=True)
    with pytest.raises(ValueError, match=r"o.npz, array 'o' holds Python objects.*unpickled"):
        read_npz(tmp_path / "o.npz")
    assert not (tmp_path / "touched").exists()
    np.testing.assert_array_equal(read_npz(tmp_path / "o.npz", ["x"])["x"], X)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an .npz file.*found nothing"),
        (b"x,y\n1,2\n", "should begin with 50 4b 03 04, found 78 2c 79 0a"),
        (b"\x93NUMPY\x01\x00v\x00", r"not an .npz file.*read it with numpy.load"),
        (CONTENT[:-1], "is cut off: it has no directory"),
        (CONTENT[: len(CONTENT) // 2], "is cut off"),
        (CONTENT[:4], "is cut off"),
        (CONTENT.replace(X.tobytes(), b"\1" * X.nbytes), "is damaged: Bad CRC-32.*'x.npy'"),
        (CONTENT.replace(b"'<f4'", b"'<z4'"), "damaged"),
    ],
    ids=["empty", "text", "npy", "last byte", "half", "start", "changed", "header"],
)
def test_damaged_files(tmp_path, content, message):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(RuntimeError, match=message) as caught:
        read_npz(tmp_path / "bad.npz")
    assert str(tmp_path / "bad.npz") in str(caught.value)


def test_every_cut_and_many_changes_are_noticed_or_harmless(tmp_path):
    """No other error than ours, and never other values."""
    file = tmp_path / "bad.npz"
    rng = np.random.default_rng(0)
    damaged = [CONTENT[:n] for n in range(0, len(CONTENT), 7)]
    for place in rng.integers(0, len(CONTENT), 300).tolist():
        damaged.append(CONTENT[:place] + bytes([CONTENT[place] ^ 0x55]) + CONTENT[place + 1 :])
    for content in damaged:
        file.write_bytes(content)
        try:
            arrays = read_npz(file)
        except (RuntimeError, ValueError) as error:
            assert str(file) in str(error)
        else:
            known = [a.tolist() for a in (X, Y)]
            assert all(a.tolist() in known for a in arrays.values())


def test_a_member_that_is_no_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(RuntimeError, match=r"m.npz, array 'readme.txt' is no array \(.npy\)"):
        read_npz(tmp_path / "m.npz")
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00")
    with pytest.raises(RuntimeError, match=r"m.npz, .*'x' is damaged"):
        read_npz(tmp_path / "m.npz")


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.npz"):
        read_npz(tmp_path / "none.npz")


# --- real files --------------------------------------------------------------------------


@pytest.mark.skipif(not (SHARED / "house.npz").is_file(), reason="the real files are not here")
def test_house_prices_from_file_to_parts():
    shapes = {"x_train": (None, 18), "y_train": (None,), "feature_names": (18,)}
    data = read_npz(SHARED / "house.npz", shapes=shapes, dtypes={"x_train": np.float32})
    x, y = data["x_train"], data["y_train"]
    (x_train, y_train), (x_valid, _) = split(x, y, (0.9, 0.1), stratify=False, seed=0)
    assert len(x_train) == len(y_train) == 15_561
    a, b, normalizer = normalize_x(x_train, x_valid)
    assert a.min() == 0 and a.max() == 1 and -1 < b.min() and b.max() < 2
    # float32 has 24 bits, the widest column spans 1.7 million.
    np.testing.assert_allclose(normalizer.inverse(a), x_train, rtol=1e-6, atol=0.2)


@pytest.mark.skipif(not (SHARED / "income.npz").is_file(), reason="the real files are not here")
def test_income_keeps_its_shares():
    data = read_npz(SHARED / "income.npz", ["x_train", "y_train"])
    parts = split(data["x_train"], data["y_train"], seed=0)
    shares = [y.mean() for _, y in parts]
    np.testing.assert_allclose(shares, data["y_train"].mean(), atol=5e-4)


@pytest.mark.skipif(not (SHARED / "sklearn_small.npz").is_file(), reason="the files are not here")
def test_iris_is_sorted_by_class_and_its_parts_are_not():
    data = read_npz(SHARED / "sklearn_small.npz", shapes={"iris_x": (150, 4)})
    parts = split(data["iris_x"], data["iris_y"], seed=0)
    assert [np.bincount(y).tolist() for _, y in parts] == [[40] * 3, [5] * 3, [5] * 3]
    assert (np.diff(parts[0][1]) < 0).any()
