"""The journal of a search: a line of JSON for each finished child."""

from __future__ import annotations

import contextlib
import os

_FORMAT = "tensorgrad.augment.search 1"
_START = f'{{"journal": "{_FORMAT}"'.encode()


class Journal(contextlib.AbstractContextManager):
    """A file of JSON lines: the settings of a search, then each child that is finished.

    A line is written at once and flushed to the disk. A last line that was cut off is taken away
    when the file is opened again. While a search has it open, others are refused, where the
    system can lock files.

    Args:
        path: of the file; None keeps the lines in memory only.
        settings: what the search depends on. A file that was written with others is refused.

    Attributes:
        rows: the lines of the children, dicts, by the child's number.

    Raises:
        ValueError: another search's journal; a file that is not a journal, or is damaged.
        RuntimeError: another process uses the file.

    >>> with Journal(None, {"seed": 0}) as journal:
    ...     journal.append({"child": 0, "reward": 0.5})
    >>> journal.rows[0]["reward"]
    0.5
    """

    def __init__(self, path, settings: dict):
        self.path, self.rows, self._file = path, {}, None
        if path is None:
            return
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            self._lock()
            self._open(settings)
        except BaseException:
            self.close()
            raise

    def _lock(self):
        with contextlib.suppress(ImportError):
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RuntimeError(
                    f"journal {self.path} is in use by another search; wait for its end, or "
                    "give another file"
                ) from None

    def _open(self, settings):
        with open(self.path, "rb") as file:
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        lines = whole.splitlines()
        if lines:
            self._check(self._parsed(lines[0], 1), settings)
        elif not (text.startswith(_START) or _START.startswith(text)):
            raise self._damaged(1)  # not the beginning of a first line that was cut off
        for i, line in enumerate(lines[1:], 2):
            self._take(self._parsed(line, i), i)
        if len(whole) < len(text):
            os.ftruncate(self._file, len(whole))
        if not lines:
            self._write({"journal": _FORMAT, "settings": settings})

    def _parsed(self, line, number):
        import json

        try:
            row = json.loads(line)
        except ValueError:
            raise self._damaged(number) from None
        if not isinstance(row, dict):
            raise self._damaged(number)
        return row

    def _damaged(self, number):
        return ValueError(
            f"line {number} of {self.path} is not a line of a journal; give another file, or "
            "take the line out"
        )

    def _check(self, first, settings):
        import json

        if first.get("journal") != _FORMAT:
            raise self._damaged(1)
        written = dict(_flat(first["settings"]))
        asked = dict(_flat(json.loads(json.dumps(settings))))
        for name in sorted(written.keys() | asked.keys()):
            if written.get(name) != asked.get(name):
                raise ValueError(
                    f"journal {self.path} was written with {name}={written.get(name)!r}, this "
                    f"search has {asked.get(name)!r}; give another file"
                )

    def _take(self, row, number):
        child = row.get("child")
        if not isinstance(child, int) or child in self.rows or "reward" not in row:
            raise self._damaged(number)
        self.rows[child] = row

    def append(self, row: dict) -> None:
        """Write the line of a child: on the disk when this returns."""
        self._write(row)
        self.rows[row["child"]] = row

    def _write(self, row):
        import json

        if self._file is None:
            return
        line = json.dumps(row).encode() + b"\n"
        while line:
            line = line[os.write(self._file, line) :]
        os.fsync(self._file)

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def __exit__(self, *_):
        self.close()


def _flat(value, prefix=""):
    """Nested settings as pairs of a dotted name and a value."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, inner
