"""Fetch a file over HTTP: from several mirrors, resumed, checked, and in place in one step."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

_CHUNK = 1 << 18
_ATTEMPTS = 3  # connections to one mirror before the next is asked


def download(
    urls: Sequence[str],
    path: str | os.PathLike,
    *,
    md5: str | None = None,
    content_md5: str | None = None,
    timeout: float = 30.0,
) -> None:
    """Fetch ``path`` from the first of ``urls`` that delivers what is expected.

    What has arrived waits in ``path + ".part"``: a broken connection, or a call that was
    interrupted, goes on from there (a Range request; a server that knows none begins anew). The
    file gets its name only when it is complete and its checksum is right.

    Args:
        urls: addresses of the same file, asked in this order.
        path: where to put it; the folder is made.
        md5: checksum of the file.
        content_md5: checksum of what a ``.gz`` file holds, which stays the same when a mirror
            has packed it anew.
        timeout: seconds without a byte after which a connection counts as broken.

    Raises:
        RuntimeError: no address delivered it; the message says what each one did, and where to
            put the file by hand.
    """
    path = os.path.abspath(os.fspath(path))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = path + ".part"
    failures = []
    for url in urls:
        print(f"downloading {url}", file=sys.stderr)
        failure = _from(url, part, md5, content_md5, timeout)
        if failure is None:
            os.replace(part, path)
            return
        failures.append(f"\n  {url}: {failure}")
    raise RuntimeError(
        f"could not download {os.path.basename(path)}:{''.join(failures)}\n"
        f"Without a connection, fetch the file elsewhere and put it at {path}"
    )


def _from(url, part, md5, content_md5, timeout):
    """Complete ``part`` from one address; returns what went wrong, or None."""
    # What an earlier call left may be another mirror's bytes, or damaged: then once more anew.
    for resumed in (True, False) if _size(part) else (False,):
        if not resumed:
            _remove(part)
        failure = _fetch(url, part, timeout)
        if failure is not None:
            return failure  # what has arrived stays, for the next mirror or the next call
        failure = _mismatch(part, md5, content_md5)
        if failure is None:
            return None
        _remove(part)
    return failure


def _fetch(url, part, timeout):
    """Connect until all that the server announces is in ``part``; returns the last failure."""
    from http.client import HTTPException
    from urllib.error import HTTPError

    failure = None
    for _ in range(_ATTEMPTS):
        try:
            failure = _transfer(url, part, timeout)
        except HTTPError as error:
            failure = f"the server answered {error.code} {error.reason}"
            error.close()
            if error.code == 416:  # nothing beyond what is here: what is here is something else
                _remove(part)
            elif error.code < 500:
                return failure
        except (OSError, HTTPException, ValueError) as error:
            failure = f"{getattr(error, 'reason', error) or type(error).__name__}"
        if failure is None:
            return None
    return failure


def _transfer(url, part, timeout):
    """One connection. Returns None when the announced number of bytes is there."""
    from urllib.request import Request, urlopen

    start = _size(part)
    headers = {"User-Agent": "tensorgrad"} | ({"Range": f"bytes={start}-"} if start else {})
    with urlopen(Request(url, headers=headers), timeout=timeout) as response:
        if response.status != 206:  # the whole file comes
            start = 0
        length = response.headers.get("Content-Length")
        with open(part, "r+b" if start else "wb") as out:
            out.seek(start)
            while chunk := response.read(_CHUNK):
                out.write(chunk)
    if length is not None and _size(part) < start + int(length):
        return f"the connection broke after {_size(part)} of {start + int(length)} bytes"
    return None


def _mismatch(path, md5, content_md5):
    """What is wrong with the checksums, or None."""
    for expected, got, of in ((md5, file_md5, "file"), (content_md5, _unpacked_md5, "content")):
        if expected is None:
            continue
        try:
            found = got(path)
        except RuntimeError as error:
            return str(error)
        if found != expected:
            return f"checksum of the {of}: got MD5 {found}, expected {expected}"
    return None


def file_md5(path) -> str:
    """MD5 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return _digest(file)


def _unpacked_md5(path):
    with gunzipped(path) as file:
        return _digest(file)


def _digest(file):
    import hashlib

    digest = hashlib.md5(usedforsecurity=False)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def gunzipped(path):
    """Yield what a gzip file holds, as a binary file; damage is an error that names the file."""
    import gzip
    import zlib

    with gzip.open(path, "rb") as file:
        try:
            yield file
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise RuntimeError(
                f"{os.fspath(path)} is not a whole gzip file: {error}; delete it and download "
                "it again"
            ) from error


@contextlib.contextmanager
def replacing(path):
    """Yield a new binary file that takes the place of ``path`` when the block has ended well."""
    temporary = f"{os.fspath(path)}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as out:
            yield out
        os.replace(temporary, path)
    finally:
        _remove(temporary)


def _size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def _remove(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
