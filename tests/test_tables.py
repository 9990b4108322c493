"""Reading CSV files and DataFrames: types, missing values, categories, and what is wrong where."""

import csv
import gzip
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.datasets import Table, read_csv, read_npz

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"

TRAIN = """\
age,job,hours,income
39,clerk,40.5,<=50K
50,"boss, retired",13,>50K
38,clerk,40,<=50K
"""


def table(text, **options):
    return read_csv(io.StringIO(text, newline=""), **options)


def refuse(text, message, error=ValueError, **options):
    with pytest.raises(error, match=message):
        table(text, **options)


# --- types and values --------------------------------------------------------------------


def test_types_values_and_tensors():
    t = table(TRAIN)
    assert t.names == ["age", "job", "hours", "income"] and len(t) == 3
    assert t.types == {"age": "int", "job": "category", "hours": "float", "income": "category"}
    assert t.categories == {"job": ["boss, retired", "clerk"], "income": ["<=50K", ">50K"]}
    assert t["age"].dtype == np.int64 and t["age"].tolist() == [39, 50, 38]
    assert t["hours"].dtype == np.float64 and t["hours"].tolist() == [40.5, 13, 40]
    assert t["job"].tolist() == ["clerk", "boss, retired", "clerk"]
    for name, dtype in (("age", tg.int64), ("hours", tg.float32), ("income", tg.int64)):
        assert type(t.column(name)) is Tensor and t.column(name).dtype == dtype
    assert t.column("income").tolist() == [0, 1, 0]
    x = t.to_tensor(["hours", "job"])
    assert x.dtype == tg.float32 and x.tolist() == [[40.5, 0, 1], [13, 1, 0], [40, 0, 1]]
    assert t.feature_names(["hours", "job"]) == ["hours", "job=boss, retired", "job=clerk"]
    assert t.to_tensor("job", categorical="ordinal").tolist() == [[1], [0], [1]]
    assert t.feature_names("job", categorical="ordinal") == ["job"]
    assert t.to_tensor(categorical="ordinal", dtype=tg.float64).shape == (3, 4)
    assert len(t.feature_names()) == t.to_tensor().shape[1] == 6
    assert repr(t) == (
        "Table of 3 rows\n    age: int\n    job: category of 2\n    hours: float\n"
        "    income: category of 2"
    )


def test_columns_are_copies():
    t = table(TRAIN)
    t["age"][0] = 7
    t.column("age").fill_(7)
    t.to_tensor("age").fill_(7)
    assert t["age"].tolist() == [39, 50, 38]


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", " -2 ", "+03"], "int", [1, -2, 3]),
        (["1", "2.", ".5"], "float", [1, 2, 0.5]),
        (["1e3", "-2E-1", "7"], "float", [1000, -0.2, 7]),
        (["9223372036854775807", "0", "1"], "int", [2**63 - 1, 0, 1]),
        (["9223372036854775808", "0", "1"], "float", [2.0**63, 0, 1]),
        (["9" * 200, "0", "1"], "float", [1e200, 0, 1]),
        (["1_000", "x", "x"], "category", ["1_000", "x", "x"]),
        (["٣", "x", "y"], "category", ["٣", "x", "y"]),
        (["inf", "-Infinity", "0x10"], "category", ["inf", "-Infinity", "0x10"]),
        (["true", "false", "true"], "category", ["true", "false", "true"]),
    ],
)
def test_types_are_found_out(cells, kind, values):
    t = table("c,d\n" + "".join(f"{cell},0\n" for cell in cells))
    assert t.types["c"] == kind and t["c"].tolist() == values


def test_types_that_are_given():
    text = "zip,n,f,note\n00501,3.0,1,hello\n10001,4,2,7\n"
    given = {"zip": "category", "n": "int", "f": "float", "note": "text"}
    t = table(text, types=given)
    assert t.types == given and t.categories == {"zip": ["00501", "10001"]}
    assert t["n"].tolist() == [3, 4] and t["n"].dtype == np.int64
    assert t["f"].dtype == np.float64
    assert t["note"].tolist() == ["hello", "7"]
    assert t.feature_names(categorical="ordinal") == ["zip", "n", "f"]  # all but texts
    for call in (t.column, t.to_tensor):
        with pytest.raises(TypeError, match="column 'note' holds texts; read it as a category"):
            call("note")


def test_categories_that_are_given():
    t = table("size\nL\nS\n", categories={"size": ["S", "M", "L"]})
    assert t.column("size").tolist() == [2, 0]
    assert t.to_tensor().tolist() == [[0, 0, 1], [1, 0, 0]]
    assert table("n\n3\n1\n", categories={"n": ["1", "2", "3"]}).column("n").tolist() == [2, 0]


def test_columns_that_are_chosen():
    t = table(TRAIN, usecols=["hours", "age"])
    assert t.names == ["hours", "age"]
    bad = TRAIN.replace("clerk,40,", "clerk,,")
    assert table(bad, usecols="age").names == ["age"]
    assert table(bad, usecols=["age"])["age"].tolist() == [39, 50, 38]


def test_names_and_dialects():
    assert table("1,a\n2,b\n", header=False).names == ["0", "1"]
    assert table("1,a\n2,b\n", header=False, names=["n", "t"])["n"].tolist() == [1, 2]
    assert table("x,y\n2,b\n", names=["n", "t"])["t"].tolist() == ["b"]
    assert table(" n ,t\n2,b\n").names == ["n", "t"]
    assert table('n,t\n1,"x\r\ny\rz"\n')["t"].tolist() == ["x\r\ny\rz"]
    t = table("n; t\n1; 'a;'\n\n2; 'it''s'\n", delimiter=";", quotechar="'", skipinitialspace=True)
    assert t["t"].tolist() == ["a;", "it's"] and t["n"].tolist() == [1, 2]


def test_files(tmp_path):
    text = "naïve,größe\nä,1\n日本,2\n"
    for name, content in {
        "a.csv": text.encode(),
        "bom.csv": b"\xef\xbb\xbf" + text.encode(),
        "crlf.csv": text.replace("\n", "\r\n").encode(),
        "a.csv.gz": gzip.compress(text.encode()),
    }.items():
        (tmp_path / name).write_bytes(content)
        for path in (tmp_path / name, str(tmp_path / name)):
            t = read_csv(path)
            assert t.names == ["naïve", "größe"] and t["naïve"].tolist() == ["ä", "日本"]
    (tmp_path / "l.csv").write_bytes("é\n1\n".encode("latin-1"))
    assert read_csv(tmp_path / "l.csv", encoding="latin-1").names == ["é"]
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        assert len(read_csv(file)) == 2


# Writers before Python 3.13 leave a lone carriage return unquoted where lines end in "\n".
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(
        st.tuples(texts, st.integers(-(2**63) + 1, 2**63 - 1),
                  st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=6,
    ),
    delimiter=st.sampled_from(",;\t|"),
    quotechar=st.sampled_from("\"'"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    ending=st.sampled_from(["\n", "\r\n"]),
)  # fmt: skip
def test_what_was_written_comes_back(tmp_path, rows, delimiter, quotechar, quoting, ending):
    path = tmp_path / "t.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        dialect = {"delimiter": delimiter, "quotechar": quotechar}
        writer = csv.writer(file, quoting=quoting, lineterminator=ending, **dialect)
        writer.writerow(["t", "n, m", "f"])
        writer.writerows((t, n, repr(f)) for t, n, f in rows)
    kinds = {"t": "text"}
    got = read_csv(path, types=kinds, na_values=[], **dialect)
    assert got.types == {"t": "text", "n, m": "int", "f": "float"}
    # NumPy's arrays of texts know no trailing zero characters, which the strategy leaves out.
    for name, expected in zip(got.names, zip(*rows, strict=True), strict=True):
        assert got[name].tolist() == list(expected)
    coded = read_csv(path, types={"t": "category"}, na_values=[], **dialect)
    assert coded["t"].tolist() == [t for t, _, _ in rows]


# --- missing values ----------------------------------------------------------------------

GAPS = "n,f,c\n1,0.5,b\n,?,a\n1,1.5,NA\n4, nan ,b\n"


def test_missing_values_filled():
    t = table(GAPS, missing={"n": "mean", "f": "median", "c": "mode"})
    assert t["n"].tolist() == [1, 2, 1, 4] and t.types["n"] == "float"
    assert t["f"].tolist() == [0.5, 1, 1.5, 1]
    assert t["c"].tolist() == ["b", "a", "b", "b"]
    assert t.fills == {"n": 2.0, "f": 1.0, "c": "b"}
    t = table(GAPS, missing="mode")
    assert t["n"].tolist() == [1, 1, 1, 4] and t.types["n"] == "int"
    assert t["f"].tolist() == [0.5, 0.5, 1.5, 0.5]  # of several, the first in order
    t = table(GAPS, missing="constant", fill_value={"n": -1, "f": 0.25, "c": "none"})
    assert t["n"].tolist() == [1, -1, 1, 4] and t.types["n"] == "int"
    assert t["c"].tolist() == ["b", "a", "none", "b"]
    assert t.categories["c"] == ["a", "b", "none"]
    t = table(GAPS, missing="constant", fill_value=0)
    assert t["f"].tolist() == [0.5, 0, 1.5, 0] and t["c"].tolist() == ["b", "a", "0", "b"]
    t = table(GAPS, missing={"n": "constant", "f": "drop", "c": "drop"}, fill_value=2**70)
    assert t.types["n"] == "float" and t.fills["n"] == 2.0**70
    t = table(GAPS, missing={"n": "constant", "f": "drop", "c": "drop"}, fill_value=0.5)
    assert t["n"].tolist() == [1] and t.types["n"] == "float"


def test_rows_dropped():
    t = table(GAPS, missing="drop")
    assert len(t) == 1 and t["n"].tolist() == [1] and t.types["n"] == "int"
    t = table(GAPS, missing={"n": "drop", "f": "mean", "c": "mode"})
    assert t["n"].tolist() == [1, 1, 4] and t["f"].tolist() == [0.5, 1.5, 1]
    refuse("a,b\n1,\n,2\n", "no row is left without the missing values", missing="drop")


def test_what_counts_as_missing():
    assert table("c\n-\nx\n")["c"].tolist() == ["-", "x"]
    t = table("n,c\n-,NA\n2,x\n", na_values=["-"], missing={"n": "mean"})
    assert t["n"].tolist() == [2, 2] and t["c"].tolist() == ["NA", "x"]


@pytest.mark.parametrize("missing", ["mean", "median", "mode"])
def test_pandas_fills_the_same(missing):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    values = rng.integers(0, 5, 40) / 4
    cells = ["" if i % 7 == 3 else repr(v) for i, v in enumerate(values.tolist())]
    text = "i,v\n" + "".join(f"{i},{c}\n" for i, c in enumerate(cells))
    column = pd.read_csv(io.StringIO(text))["v"]
    fill = column.mode()[0] if missing == "mode" else getattr(column, missing)()
    got = table(text, missing={"v": missing})["v"]
    np.testing.assert_allclose(got, column.fillna(fill).to_numpy(), rtol=1e-14)


# --- a test file like the training file --------------------------------------------------


def test_a_table_like_another():
    train = table(GAPS, missing={"n": "mean", "f": "drop", "c": "mode"})
    assert train["n"].tolist() == [1, 1]
    test = table("c,f,extra,n\n,7,x,3\nb,,y,100\nb,8,z,\n", like=train)
    assert test.names == ["n", "f", "c"]
    assert test["n"].tolist() == [3, 1] and test["c"].tolist() == ["b", "b"]  # train's mean, mode
    assert test.types == train.types and test.categories == train.categories
    assert test.feature_names() == train.feature_names()
    one = table("n\n5\n", like=train, usecols=["n"])
    assert one.names == ["n"] and one.types == {"n": "float"}


def test_what_the_other_table_does_not_know():
    train = table(TRAIN)
    refuse(
        'age,job,hours,income\n1,clerk,2,<=50K\n2,"nurse",3,>50K\n',
        r"<StringIO>, row 2 \(line 3\), column 'job': 'nurse' is not among the categories boss, r",
        like=train,
    )
    refuse("age,job\n1,clerk\n", "no column 'hours', which like names; it has age, job", like=train)
    refuse("age,w\n1,2\n", "usecols names 'w', which the table like= does", like=train,
           usecols=["w"])  # fmt: skip
    refuse("age\n1.5\n", r"row 1 .*'1.5' is not of type int", like=train, usecols=["age"])
    refuse("age\n?\n", r"row 1 .*column 'age': missing value", like=train, usecols=["age"])
    for options in (
        {"types": {"age": "int"}},
        {"categories": {"job": ["clerk"]}},
        {"missing": "drop"},
        {"fill_value": 3},
    ):
        refuse(TRAIN, "like= brings types, categories and fill", like=train, **options)


def test_a_constant_without_a_use_is_no_category():
    options = {"missing": {"c": "constant"}, "fill_value": {"c": "none"}}
    train = table("c,d\na,1\nb,2\n", **options)
    assert train.categories == {"c": ["a", "b"]} and train.missing["c"] == "error"
    refuse("c,d\n,1\n", r"row 1 \(line 2\), column 'c': missing value", like=train)
    train = table("c,d\na,1\n,2\n", **options)
    assert table("c,d\n,1\n", like=train).column("c").tolist() == [1]
    train = table("c,d\na,1\nb,2\n", categories={"c": ["none", "b", "a"]}, **options)
    assert table("c,d\n,1\n", like=train).column("c").tolist() == [0]


# --- DataFrames --------------------------------------------------------------------------


def test_data_frames():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({
        "n": [3, 1], "f": np.array([0.1, 2], np.float32), "c": ["b", "a"], "b": [True, False],
        "size": pd.Categorical(["L", "S"], ["S", "M", "L"]), 7: [1.0, 2.0],
    })  # fmt: skip
    t = read_csv(frame)
    assert t.names == ["n", "f", "c", "b", "size", "7"]
    assert list(t.types.values()) == ["int", "float", "category", "category", "category", "float"]
    assert t["f"].tolist() == frame["f"].tolist() and t["b"].tolist() == ["True", "False"]
    assert t.column("size").tolist() == [2, 0]
    assert read_csv(frame, usecols=["c"]).names == ["c"]
    assert read_csv(frame, names=list("abcdef"))["a"].tolist() == [3, 1]


def test_data_frames_with_gaps():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"n": [3, None, 4], "c": ["a", None, "?"]}, index=["r1", "r2", "r3"])
    with pytest.raises(
        ValueError, match=r"the DataFrame, row 2 \(index 'r2'\), column 'n': missing value"
    ):
        read_csv(frame)
    t = read_csv(frame, types={"n": "int"}, missing="mode")
    assert t["n"].tolist() == [3, 3, 4] and t["c"].tolist() == ["a", "?", "?"]
    like = read_csv(frame.dropna(), types={"n": "int"})
    assert read_csv(frame.dropna(), like=like)["n"].tolist() == [3, 4]
    nullable = pd.DataFrame({"n": pd.array([1, None], "Int64")})
    assert read_csv(nullable, missing="drop")["n"].tolist() == [1]
    with pytest.raises(ValueError, match="the DataFrame holds no rows"):
        read_csv(frame[:0])
    doubled = pd.DataFrame(np.ones((1, 2)), columns=["a", "a"])
    with pytest.raises(ValueError, match="the DataFrame: column 'a' occurs more than once"):
        read_csv(doubled)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_pandas_reads_the_same_numbers(data):
    pd = pytest.importorskip("pandas")
    rows = data.draw(st.integers(1, 5))
    ints = st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=rows, max_size=rows)
    floats = st.lists(st.floats(-1e300, 1e300), min_size=rows, max_size=rows)
    frame = pd.DataFrame({"n": data.draw(ints), "f": data.draw(floats)})
    text = frame.to_csv(index=False)
    theirs = pd.read_csv(io.StringIO(text))
    for t in (table(text), read_csv(frame)):
        assert t.types == {"n": "int", "f": "float"}
        for name in t.names:
            # pandas' own parser of numbers may be one unit in the last place off.
            rtol = 0 if name == "n" else 5e-16
            np.testing.assert_allclose(t[name], theirs[name].to_numpy(), rtol=rtol, atol=0)
        np.testing.assert_array_equal(t["f"], frame["f"].to_numpy())


# --- what is wrong, and where ------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,\n", r"d.csv, row 2 (line 3), column 'b': missing value; pass missing= to"),
        ("a,b\n1,2\nNaN,4\n", "d.csv, row 2 (line 3), column 'a': missing value"),
        ('a,b\n"x\ny",2\n\nz,nan\n', "d.csv, row 2 (line 5), column 'b': missing value"),
        (
            "a,b\n1,2\n3,x\n",
            "d.csv, row 2 (line 3), column 'b': 'x' is not a number, '2' in row 1 (line 2) is "
            "one; pass types={'b': 'category'}, or na_values with 'x'",
        ),
        ("a\n1\n" + "9" * 5000 + "\n", "row 2 (line 3), column 'a': '9999"),
        ("a\n1e5\ninf\n", "row 2 (line 3), column 'a': 'inf' is not a number"),
        ("a,b\n1,2\n3\n", "d.csv, row 2 (line 3) has 1 cells, expected 2: a, b"),
        ("a,b\n1,2,3\n", "d.csv, row 1 (line 2) has 3 cells, expected 2: a, b"),
        ('a,b\n1,2\n3,"4\n5,6\n', "d.csv, line 3: unexpected end of data"),
        ('a,b\n1,"2"3\n', "d.csv, line 2: ',' expected after '\"'"),
        ("a,b,a\n1,2,3\n", "d.csv: column 'a' occurs more than once; pass names="),
        ("", "d.csv is empty; expected a row of names"),
        ("\n\n", "d.csv is empty"),
        ("a,b\n", "d.csv holds no rows"),
        ("a,b\n\n", "d.csv holds no rows"),
    ],
)
def test_bad_files(tmp_path, text, message):
    path = tmp_path / "d.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_csv(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"types": {"n": "int"}}, "row 1 (line 2), column 'n': '1.5' is not of type int"),
        ({"types": {"c": "float"}}, "row 1 (line 2), column 'c': 'a' is not of type float"),
        ({"types": {"big": "float"}}, "row 2 (line 3), column 'big': '1e999' is not of type float"),
        ({"categories": {"c": ["a"]}}, "row 2 (line 3), column 'c': 'b' is not among the categories"
         " a"),
        ({"categories": {"c": ["a", "b", "a"]}}, "column 'c': categories should differ"),
        ({"types": {"z": "int"}}, "has no column 'z', which types names; it has n, c, big"),
        ({"categories": {"z": ["a"]}}, "no column 'z', which categories names"),
        ({"usecols": ["n", "z"]}, "no column 'z', which usecols names"),
        ({"usecols": []}, "usecols names no column"),
        ({"missing": {"z": "drop"}}, "no column 'z', which missing names"),
        ({"types": {"n": "integer"}}, "types['n'] should be one of ('int', 'float', 'cat"),
        ({"types": {"c": "text"}, "categories": {"c": ["a"]}}, "and the type 'text'"),
        ({"missing": "fill"}, "missing should be 'error', 'drop' or of ('mean', 'median', 'mode',"),
        ({"missing": "constant"}, "missing='constant' needs a fill_value for column 'n'"),
        ({"missing": {"n": "constant"}, "fill_value": {"c": 1}}, "needs a fill_value for colu"),
        ({"missing": {"n": "constant"}, "fill_value": {"n": "x"}}, "should be a number, got 'x'"),
        ({"missing": {"n": "constant"}, "fill_value": np.nan}, "should be a number, got nan"),
        ({"fill_value": 3}, "missing='constant', which is asked for 0 columns: none"),
        ({"missing": {"n": "constant"}, "fill_value": {"n": 1, "c": 2}}, "asked for 1 columns: n"),
        ({"names": ["a", "b"]}, "<StringIO> has 3 columns, got 2 names"),
    ],
)  # fmt: skip
def test_bad_arguments(options, message):
    text = "n,c,big\n1.5,a,7\n2,b,1e999\n"
    if "big" not in message:
        text = text.replace("1e999", "8")
    refuse(text, re.escape(message), **options)


def test_columns_that_cannot_be_filled():
    refuse("a,b\n,1\n,2\n", "column 'a': no values to take the mean of", missing="mean")
    refuse("a,b\nx,1\n,2\n", r"row 2 \(line 3\), column 'a': missing value in a column of texts, "
           "which have no mean", missing="mean")  # fmt: skip
    t = table("a,b\nx,1\ny,\n", missing="mean")
    assert t["b"].tolist() == [1, 1] and t.missing == {"a": "error", "b": "constant"}
    assert table("a,b\n,1\n,2\n", missing="constant", fill_value=3)["a"].tolist() == [3, 3]


def test_bad_calls_of_a_table():
    t = table(TRAIN)
    for call in (t.__getitem__, t.column, t.to_tensor, t.feature_names):
        with pytest.raises(KeyError, match="no column 'wage' among age, job, hours, income"):
            call("wage")
    for call in (t.to_tensor, t.feature_names):
        with pytest.raises(ValueError, match="categorical should be one-hot or ordinal, got 'dumm"):
            call(categorical="dummy")
        with pytest.raises(ValueError, match="no columns to make a tensor of"):
            call([])


def test_bad_sources(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.csv"):
        read_csv(tmp_path / "none.csv")
    with pytest.raises(TypeError, match="a path, a text file or a pandas DataFrame, got list"):
        read_csv([[1, 2]])
    (tmp_path / "b.csv").write_bytes(b"a\n" + b"1\n" * 5000 + b"\xff\n2\n")
    with pytest.raises(ValueError, match=r"b.csv, line 5002 is not in utf-8-sig \(invalid start"):
        read_csv(tmp_path / "b.csv")
    with pytest.raises(ValueError, match=r"b.csv is not in utf-16"):
        read_csv(tmp_path / "b.csv", encoding="utf-16")
    packed = gzip.compress(TRAIN.encode())
    (tmp_path / "c.csv.gz").write_bytes(packed[:-9])
    with pytest.raises(RuntimeError, match=r"c.csv.gz is not a whole gzip file"):
        read_csv(tmp_path / "c.csv.gz")


def test_a_table_is_made_of_columns():
    t = Table({"a": np.array([1, 2])}, {"a": "int"}, {}, {"a": "error"}, {})
    assert len(t) == 2 and t.to_tensor().tolist() == [[1], [2]]


# --- real data ---------------------------------------------------------------------------


@pytest.mark.skipif(not (SHARED / "income.npz").is_file(), reason="the real files are not here")
def test_income_written_and_read(tmp_path):
    data = read_npz(SHARED / "income.npz")
    x, categorical = data["x_train"][:500], data["categorical"]
    names = data["feature_names"].tolist()
    columns = [
        data["categories_" + name.replace("-", "_")][column.astype(int)] if coded else column
        for name, column, coded in zip(names, x.T, categorical, strict=True)
    ]
    with open(tmp_path / "income.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(zip(*(c.tolist() for c in columns), strict=True))
    kept = {n: data["categories_" + n.replace("-", "_")].tolist()
            for n, coded in zip(names, categorical, strict=True) if coded}  # fmt: skip
    t = read_csv(tmp_path / "income.csv", categories=kept)
    np.testing.assert_array_equal(t.to_tensor(categorical="ordinal").numpy(), x)
    wide = 6 + sum(map(len, kept.values()))
    assert t.to_tensor().shape == (500, wide)
