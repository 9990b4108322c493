"""Tables of typed columns, from CSV files or pandas DataFrames."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .._graph import Tensor, wrap
from ..dtypes import to_numpy
from ._download import gunzipped

NA_VALUES = ("", "?", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")
TYPES = ("int", "float", "category", "text")
FILLS = ("mean", "median", "mode", "constant")
CODINGS = ("one-hot", "ordinal")

# Stricter than int() and float(), which take 1_000, digits of every script, and "infinity".
# Nor do they have so many digits that int() refuses them without saying where they stand.
_INT = re.compile(r"\s*[+-]?[0-9]{1,99}\s*").fullmatch
_FLOAT = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*").fullmatch


class Table:
    """Columns of equal length, each of one type; :func:`read_csv` makes them.

    Attributes:
        names: of the columns, in order.
        types: of each column by name: ``"int"``, ``"float"``, ``"category"`` or ``"text"``.
        categories: by name, what the codes 0, 1, ... of a category column mean.
        missing: by name, what is done about missing values: ``"error"``, ``"drop"`` or
            ``"constant"``.
        fills: by name, the constant that is put in their place.

    ``len(table)`` is the number of rows. ``table[name]`` is a column's values as an array: int64,
    float64, or texts.
    """

    def __init__(
        self,
        columns: Mapping[str, np.ndarray],
        types: Mapping[str, str],
        categories: Mapping[str, Sequence[str]],
        missing: Mapping[str, str],
        fills: Mapping[str, Any],
    ) -> None:
        self._columns = dict(columns)  # of a category column, the codes
        self.names = list(columns)
        self.types = dict(types)
        self.categories = {name: list(texts) for name, texts in categories.items()}
        self.missing, self.fills = dict(missing), dict(fills)

    def __len__(self) -> int:
        return len(self._columns[self.names[0]])

    def __getitem__(self, name: str) -> np.ndarray:
        values = self._of(name)
        if self.types[name] != "category":
            return values.copy()
        return np.array(self.categories[name])[values]

    def column(self, name: str) -> Tensor:
        """One column as a tensor of shape (N,).

        Returns:
            int64 codes of a category column, int64 of an int one, the default dtype of a float
            one.

        Raises:
            KeyError: no such column.
            TypeError: a column of texts.
        """
        values = self._of(name)
        if self.types[name] == "text":
            raise TypeError(f"column {name!r} holds texts; read it as a category to have numbers")
        own = to_numpy(None) if self.types[name] == "float" else np.int64
        return wrap(values.astype(own))

    def to_tensor(
        self, columns: Iterable[str] | None = None, categorical: str = "one-hot", dtype: Any = None
    ) -> Tensor:
        """Columns side by side as a tensor of shape (N, features).

        Args:
            columns: names, by default all but those of texts.
            categorical: ``"one-hot"`` gives each category a feature of 0 and 1; ``"ordinal"``
                has one feature with the code. :meth:`feature_names` says which is which.
            dtype: of the tensor, the default dtype if None.

        Raises:
            KeyError: no such column.
            TypeError: a column of texts is named.
            ValueError: another coding, or no column at all.
        """
        blocks = [self._block(name, categorical) for name in self._chosen(columns, categorical)]
        return wrap(np.concatenate(blocks, axis=1, dtype=to_numpy(dtype), casting="unsafe"))

    def feature_names(
        self, columns: Iterable[str] | None = None, categorical: str = "one-hot"
    ) -> list[str]:
        """What the features of :meth:`to_tensor` are called: ``age``, ``sex=Female``."""
        features = []
        for name in self._chosen(columns, categorical):
            if self.types[name] == "category" and categorical == "one-hot":
                features += [f"{name}={text}" for text in self.categories[name]]
            else:
                features.append(name)
        return features

    def _of(self, name):
        if name not in self._columns:
            raise KeyError(f"no column {name!r} among {', '.join(self.names)}")
        return self._columns[name]

    def _chosen(self, columns, categorical):
        if categorical not in CODINGS:
            raise ValueError(f"categorical should be {' or '.join(CODINGS)}, got {categorical!r}")
        if columns is None:
            columns = [name for name in self.names if self.types[name] != "text"]
        columns = [columns] if isinstance(columns, str) else list(columns)
        if not columns:
            raise ValueError("no columns to make a tensor of")
        for name in columns:
            self._of(name)
            if self.types[name] == "text":
                raise TypeError(f"column {name!r} holds texts; read it as a category")
        return columns

    def _block(self, name, categorical):
        values = self._columns[name]
        if self.types[name] == "category" and categorical == "one-hot":
            return values[:, None] == np.arange(len(self.categories[name]))
        return values[:, None]

    def __repr__(self) -> str:
        lines = [f"Table of {len(self)} rows"]
        for name in self.names:
            texts = self.categories.get(name)
            lines.append(f"    {name}: {self.types[name]}" + (f" of {len(texts)}" if texts else ""))
        return "\n".join(lines)


def read_csv(
    source: Any,
    *,
    usecols: Iterable[str] | None = None,
    types: Mapping[str, str] | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
    missing: str | Mapping[str, str] = "error",
    fill_value: Any = None,
    na_values: Iterable[str] = NA_VALUES,
    like: Table | None = None,
    delimiter: str = ",",
    quotechar: str = '"',
    skipinitialspace: bool = False,
    header: bool = True,
    names: Sequence[str] | None = None,
    encoding: str = "utf-8-sig",
) -> Table:
    r"""Read a CSV file, or take over a DataFrame, as a :class:`Table`.

    A column in which all cells are whole numbers is of type int, one of numbers float, one
    without numbers a category. Where some cells are numbers and some are not, nothing is guessed:
    that is an error until ``types`` or ``na_values`` says what is meant.

    Args:
        source: a path (``.gz`` too), a file opened as text, or a pandas DataFrame, for which
            ``na_values`` and what follows from ``delimiter`` on, but for ``names``, mean nothing.
        usecols: the columns to read, in this order; by default all.
        types: by name, ``"int"``, ``"float"``, ``"category"`` or ``"text"`` for columns whose
            type shall not be found out.
        categories: by name, the categories of a column in the order of their codes; by default
            those that occur, sorted.
        missing: what to do about missing values, for all columns or by name: ``"error"``,
            ``"drop"`` the row, or fill in the ``"mean"`` or ``"median"`` (a column of ints
            becomes one of floats), the ``"mode"`` (the most frequent value, the first in order
            of several) or a ``"constant"``. Columns that a mapping leaves out: ``"error"``.
        fill_value: the constant, or by name.
        na_values: cells that stand for a missing value; spaces around them do not count.
        like: a table read before. Columns, types, categories and fill values are taken from it,
            so that a test file is prepared with nothing but what the training file said; leave
            out ``types``, ``categories``, ``missing`` and ``fill_value``.
        delimiter: between cells.
        quotechar: around cells that hold a delimiter, a line break or, doubled, itself.
        skipinitialspace: whether spaces behind a delimiter are dropped.
        header: whether the first row holds the names.
        names: of the columns; instead of those of the file, or of ``"0"``, ``"1"``, ...
        encoding: of the file; the default is UTF-8 with or without a byte order mark.

    Blank lines are skipped. Infinities are no numbers.

    Raises:
        FileNotFoundError: no such file.
        RuntimeError: a ``.gz`` file that is cut off.
        ValueError: what is wrong in the file, with its name, the row (counted from 1, the names
            aside), the line and the column: a missing value, a cell that is no number, a
            category that was not there before, a row of another length, an unclosed quote,
            another encoding. And arguments that contradict each other or name no column.
        TypeError: ``source`` is something else.

    >>> import io
    >>> text = "size,colour,price\n1.5,red,10\n,blue,20\n2.5,red,30\n"
    >>> table = read_csv(io.StringIO(text), missing={"size": "mean"})
    >>> table
    Table of 3 rows
        size: float
        colour: category of 2
        price: int
    >>> table.feature_names(["size", "colour"])
    ['size', 'colour=blue', 'colour=red']
    >>> table.to_tensor(["size", "colour"])
    tensor([[1.5000, 0.0000, 1.0000],
            [2.0000, 1.0000, 0.0000],
            [2.5000, 0.0000, 1.0000]])
    >>> table.column("price")
    tensor([10, 20, 30])
    """
    if like is not None and (types or categories or missing != "error" or fill_value is not None):
        raise ValueError("like= brings types, categories and fill values; leave these out")
    if _is_frame(source):
        raw = _from_frame(source, names)
    else:
        dialect = {
            "delimiter": delimiter, "quotechar": quotechar, "skipinitialspace": skipinitialspace,
        }  # fmt: skip
        with _opened(source, encoding) as (name, file):
            raw = _from_file(name, file, dialect, header, names, set(na_values))
    if like is None:
        raw.choose(usecols, "usecols")
        specs = _specs(raw, types or {}, categories or {}, missing, fill_value)
    else:
        specs = _specs_like(raw, like, usecols)
    raw.drop([name for name, spec in specs.items() if spec.missing == "drop"])
    columns = {name: _typed(raw, name, spec) for name, spec in specs.items()}
    return Table(
        columns,
        types={name: spec.kind for name, spec in specs.items()},
        categories={n: spec.categories for n, spec in specs.items() if spec.kind == "category"},
        missing={name: spec.missing for name, spec in specs.items()},
        fills={n: spec.fill for n, spec in specs.items() if spec.fill is not None},
    )


# --- cells and their places --------------------------------------------------------------


class _Raw:
    """Cells as texts, None where missing, by column; and how to call each row."""

    def __init__(self, file, names, columns, places, word="line"):
        self.file, self.places, self.word = file, places, word
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise ValueError(f"{file}: column {repeated[0]!r} occurs more than once; pass names=")
        self.columns = dict(zip(names, columns, strict=True))
        self.categories = {}  # of a DataFrame's categorical columns
        if not places:
            raise ValueError(f"{file} holds no rows")

    def require(self, names, argument):
        for name in names:
            if name not in self.columns:
                raise ValueError(
                    f"{self.file} has no column {name!r}, which {argument} names; it has "
                    f"{', '.join(self.columns)}"
                )

    def choose(self, names, argument):
        if names is None:
            return
        names = [names] if isinstance(names, str) else list(names)
        self.require(names, argument)
        if not names:
            raise ValueError(f"{argument} names no column")
        self.columns = {name: self.columns[name] for name in names}

    def drop(self, names):
        """Drop the rows with a missing value in one of these columns."""
        if not names:
            return
        keep = [None not in row for row in zip(*(self.columns[n] for n in names), strict=True)]
        if not any(keep):
            raise ValueError(f"{self.file}: no row is left without the missing values")
        rows = [i for i, kept in enumerate(keep) if kept]
        self.places = [self.places[i] for i in rows]
        self.columns = {n: [cells[i] for i in rows] for n, cells in self.columns.items()}

    def place(self, row):
        number, label = self.places[row]
        return f"row {number} ({self.word} {label!r})"

    def wrong(self, name, what, row=None):
        """The error about a column, or a cell of it."""
        cell = "" if row is None else f"{self.place(row)}, "
        return ValueError(f"{self.file}, {cell}column {name!r}: {what}")


@contextlib.contextmanager
def _opened(source, encoding):
    """Yield the name and the text stream of a path or of an open file."""
    if hasattr(source, "readline"):
        yield str(getattr(source, "name", f"<{type(source).__name__}>")), source
        return
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"expected a path, a text file or a pandas DataFrame, got {type(source).__name__}"
        )
    import io

    path = os.fspath(source)
    with gunzipped(path) if path.endswith(".gz") else open(path, "rb") as stream:
        try:
            yield path, io.TextIOWrapper(stream, encoding=encoding, newline="")
        except UnicodeError as error:
            reason = getattr(error, "reason", error)
            raise ValueError(
                f"{path}{_place_of(error, stream)} is not in {encoding} ({reason}); pass its "
                "encoding="
            ) from error


def _place_of(error, stream):
    """The first line of a file of UTF-8 that is none; nothing for other encodings."""
    if not isinstance(error, UnicodeDecodeError) or error.encoding != "utf-8":
        return ""
    stream.seek(0)
    for number, line in enumerate(stream, 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return f", line {number}"
    return ""


def _from_file(file, stream, dialect, header, names, na_values):
    rows = _rows(file, stream, dialect)
    if header:
        first = next(rows, (None, None))[1]
        if first is None:
            raise ValueError(f"{file} is empty; expected a row of names")
        names = _named(file, names, len(first)) or [name.strip() for name in first]
    places, cells = [], []
    for number, (line, row) in enumerate(rows, 1):
        names = names or _named(file, names, len(row)) or [str(i) for i in range(len(row))]
        if len(row) != len(names):
            raise ValueError(
                f"{file}, row {number} (line {line}) has {len(row)} cells, expected {len(names)}: "
                f"{', '.join(names)}"
            )
        places.append((number, line))
        cells.append([None if cell.strip() in na_values else cell for cell in row])
    columns = list(map(list, zip(*cells, strict=True))) if cells else [[] for _ in names or ()]
    return _Raw(file, list(names or ()), columns, places)


def _rows(file, stream, dialect):
    """Line and cells of each row that is not blank."""
    import csv

    reader = csv.reader(stream, strict=True, **dialect)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(f"{file}, line {line}: {error}") from error
        if row:
            yield line, row


def _named(file, names, width):
    if names is not None and len(names) != width:
        raise ValueError(f"{file} has {width} columns, got {len(names)} names")
    return names and list(names)


def _is_frame(source):
    return hasattr(source, "iloc") and hasattr(source, "columns")


def _from_frame(frame, names):
    names = _named("the DataFrame", names, frame.shape[1]) or [str(name) for name in frame.columns]
    columns, categories = [], {}
    for i, name in enumerate(names):
        series = frame.iloc[:, i]
        cells = zip(series.tolist(), series.isna().tolist(), strict=True)
        columns.append([None if absent else str(cell) for cell, absent in cells])
        if hasattr(series, "cat"):
            categories[name] = list(map(str, series.cat.categories))
    raw = _Raw("the DataFrame", names, columns, [*enumerate(frame.index.tolist(), 1)], "index")
    raw.categories = categories
    return raw


# --- from cells to typed columns ---------------------------------------------------------


class _Spec:
    """What is known about a column, and after :func:`_typed`, all about it."""

    def __init__(self, kind=None, categories=None, missing="error", fill=None):
        self.kind, self.categories, self.missing, self.fill = kind, categories, missing, fill


def _specs(raw, types, categories, missing, fill_value):
    raw.require(types, "types")
    raw.require(categories, "categories")
    for name, kind in types.items():
        if kind not in TYPES:
            raise ValueError(f"types[{name!r}] should be one of {TYPES}, got {kind!r}")
        if name in categories and kind != "category":
            raise ValueError(f"column {name!r} has categories and the type {kind!r}")
    given = {**raw.categories, **categories}
    kinds = {**dict.fromkeys(given, "category"), **types}
    strategies, fills = _gaps(raw, missing, fill_value)
    return {
        name: _Spec(
            kinds.get(name),
            list(given[name]) if name in given else None,
            strategies[name],
            fills[name] if strategies[name] == "constant" else None,
        )
        for name in raw.columns
    }


def _gaps(raw, missing, fill_value):
    """What to do about missing values of each column, and the constants."""
    strategies = _by_name(raw, "missing", missing, "error")
    fills = _by_name(raw, "fill_value", fill_value, None)
    for name, strategy in strategies.items():
        if strategy not in ("error", "drop", *FILLS):
            raise ValueError(f"missing should be 'error', 'drop' or of {FILLS}, got {strategy!r}")
        if strategy == "constant" and fills[name] is None:
            raise ValueError(f"missing='constant' needs a fill_value for column {name!r}")
    named = fill_value if isinstance(fill_value, Mapping) else ()
    filled = {name for name, strategy in strategies.items() if strategy == "constant"}
    if not filled >= set(named) or (fill_value is not None and not filled):
        raise ValueError(
            f"fill_value is for missing='constant', which is asked for {len(filled)} columns: "
            f"{', '.join(sorted(filled)) or 'none'}"
        )
    return strategies, fills


def _specs_like(raw, like, usecols):
    if usecols is None:
        raw.choose(like.names, "like")
    else:
        raw.choose(usecols, "usecols")
    for name in raw.columns:
        if name not in like.types:
            raise ValueError(f"usecols names {name!r}, which the table like= does not have")
    return {
        name: _Spec(
            like.types[name],
            like.categories.get(name),
            like.missing[name],
            like.fills.get(name),
        )
        for name in raw.columns
    }


def _by_name(raw, argument, value, otherwise):
    """A value for each column, from a mapping or one for all."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(raw.columns, value)
    raw.require(value, argument)
    return {name: value.get(name, otherwise) for name in raw.columns}


def _typed(raw, name, spec):
    """The values of a column, codes if it is a category; completes ``spec``."""
    cells = raw.columns[name]
    present = [i for i, cell in enumerate(cells) if cell is not None]
    if len(present) < len(cells) and spec.missing == "error":
        raise raw.wrong(name, "missing value; pass missing= to fill or drop", cells.index(None))
    if not present and spec.missing != "constant":
        raise raw.wrong(name, f"no values to take the {spec.missing} of")
    spec.kind = spec.kind or _kind(raw, name, cells, present)
    if spec.kind in ("int", "float"):
        return _numbers(raw, name, spec, cells, present)
    if spec.missing in ("mean", "median"):
        if len(present) < len(cells):
            what = f"missing value in a column of texts, which have no {spec.missing}"
            raise raw.wrong(name, what, cells.index(None))
        spec.missing = "error"
    return _texts(raw, name, spec, cells)


def _kind(raw, name, cells, present):
    """The type that the cells of a column show."""
    other = [i for i in present if not _FLOAT(cells[i])]
    if len(other) == len(present) > 0:
        return "category"
    if other:
        number = next(i for i in present if _FLOAT(cells[i]))
        what = (
            f"{cells[other[0]]!r} is not a number, {cells[number]!r} in {raw.place(number)} is "
            f"one; pass types={{{name!r}: 'category'}}, or na_values with {cells[other[0]]!r}"
        )
        raise raw.wrong(name, what, other[0])
    whole = all(_INT(cells[i]) and abs(int(cells[i])) < 2**63 for i in present)
    return "int" if whole and present else "float"


def _numbers(raw, name, spec, cells, present):
    parse = _int if spec.kind == "int" else _float
    numbers = [parse(cells[i]) for i in present]
    if None in numbers:
        bad = present[numbers.index(None)]
        raise raw.wrong(name, f"{cells[bad]!r} is not of type {spec.kind}", bad)
    known = np.array(numbers, np.int64 if spec.kind == "int" else np.float64)
    if spec.missing in ("error", "drop"):
        return known
    spec.fill, spec.missing = _number_fill(raw, name, spec, known), "constant"
    if spec.kind == "int" and isinstance(spec.fill, float):
        spec.kind = "float"
    values = np.full(len(cells), spec.fill, np.int64 if spec.kind == "int" else np.float64)
    values[present] = known
    return values


def _number_fill(raw, name, spec, known):
    if spec.missing == "mean":
        return float(known.mean())
    if spec.missing == "median":
        return float(np.median(known))
    if spec.missing == "mode":
        values, counts = np.unique(known, return_counts=True)
        return values[np.argmax(counts)].item()
    fill = spec.fill.item() if isinstance(spec.fill, np.generic) else spec.fill
    if isinstance(fill, bool) or not isinstance(fill, int | float) or not math.isfinite(fill):
        raise raw.wrong(name, f"fill_value should be a number, got {spec.fill!r}")
    return fill if abs(fill) < 2**63 else float(fill)


def _int(cell):
    number = int(cell) if _INT(cell) else _float(cell)
    whole = number is not None and abs(number) < 2**63 and number == int(number)
    return int(number) if whole else None  # 3.0 too: pandas has it where values are missing


def _float(cell):
    number = float(cell) if _FLOAT(cell) else math.inf
    return number if math.isfinite(number) else None


def _texts(raw, name, spec, cells):
    if spec.missing == "mode":
        counts = Counter(cell for cell in cells if cell is not None)
        spec.fill = min(counts, key=lambda text: (-counts[text], text))
    if spec.missing in ("mode", "constant"):
        _settle_fill(spec, cells)
        cells = [spec.fill if cell is None else cell for cell in cells]
    if spec.kind == "text":
        return np.array(cells, np.str_)
    if spec.categories is None:
        spec.categories = sorted(set(cells))
    codes = {text: code for code, text in enumerate(spec.categories)}
    if len(codes) < len(spec.categories):
        raise raw.wrong(name, f"categories should differ, got {spec.categories}")
    for i, cell in enumerate(cells):
        if cell not in codes:
            known = ", ".join(spec.categories[:10]) + (", ..." if len(spec.categories) > 10 else "")
            raise raw.wrong(name, f"{cell!r} is not among the categories {known}", i)
    return np.array([codes[cell] for cell in cells], np.int64)


def _settle_fill(spec, cells):
    """A constant that nothing was filled with and no cell has is no category, so it is dropped."""
    fill = str(spec.fill)
    known = spec.kind == "text" or fill in (spec.categories or ()) or fill in cells
    used = known or None in cells
    spec.fill, spec.missing = (fill, "constant") if used else (None, "error")
