"""MNIST, Fashion-MNIST and CIFAR-10: the files, their damages, and the download."""

import contextlib
import gzip
import hashlib
import http.server
import io
import re
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

import tensorgrad
from tensorgrad.datasets import CIFAR10, MNIST, FashionMNIST, read_idx
from tensorgrad.datasets._download import download
from tensorgrad.utils.data import DataLoader

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
NAMES = [
    f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
]


def idx(array, code=0x08):
    sizes = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.tobytes()


def some(count, seed=0):
    """Images and labels."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    return images, rng.integers(0, 10, count, dtype=np.uint8)


def mnist_files(pack=lambda content: content, suffix=""):
    arrays = [*some(7), *some(3, seed=1)]
    return {n + suffix: pack(idx(a)) for n, a in zip(NAMES, arrays, strict=True)}


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


# --- IDX ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "i1", ">i2", ">i4", ">f4", ">f8"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 0, 4), (2, 3, 4, 1)])
@pytest.mark.parametrize("packed", [False, True])
def test_read_idx(tmp_path, dtype, shape, packed):
    code = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}[dtype]
    values = np.random.default_rng(0).normal(0, 50, shape).astype(dtype)
    content = idx(np.asarray(values), code)
    path = tmp_path / ("file.gz" if packed else "file")
    path.write_bytes(gzip.compress(content) if packed else content)
    got = read_idx(path)
    assert got.dtype == np.dtype(dtype).newbyteorder("=") and got.dtype.isnative
    np.testing.assert_array_equal(got, values)
    assert got.flags.writeable


GOOD = idx(np.arange(6, dtype=np.uint8).reshape(2, 3))
# Without the time of packing: two processes must collect the same cases.
PACKED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file.*found nothing"),
        (b"\x89PNG\r\n", "is not an IDX file.*found 89 50 4e 47"),
        (b"\0\0\x07\x01\0\0\0\0", "is not an IDX file.*found 00 00 07 01"),
        (GOOD[:6], r"a header of 12 bytes \(2 dimensions\), found 6"),
        (GOOD[:-1], r"should be 18 bytes long by its header \(shape \(2, 3\)\), found 17"),
        (GOOD + b"x", "should be 18 bytes .* found 19"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "by its header .*4294967295, 4294967295.* found 16"),
    ],
)
def test_read_idx_names_the_file_and_what_was_found(tmp_path, content, message):
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [PACKED[:-4], PACKED[:15], GOOD], ids=["cut", "short", "plain"])
def test_a_broken_gzip_file_is_named(tmp_path, content):
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=re.escape(f"{path} is not a whole gzip file")):
        read_idx(path)


# --- MNIST -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("deep", [False, True])
def test_mnist_where_it_may_lie(tmp_path, kind, packed, deep):
    folder = tmp_path / kind.__name__ / "raw" if deep else tmp_path
    write(folder, mnist_files(gzip.compress, ".gz") if packed else mnist_files())
    for train, (images, labels) in ((True, some(7)), (False, some(3, seed=1))):
        data = kind(tmp_path, train=train)
        assert len(data) == len(images)
        assert (data.data.dtype, data.targets.dtype) == (tensorgrad.uint8, tensorgrad.int64)
        np.testing.assert_array_equal(data.data.numpy(), images)
        np.testing.assert_array_equal(data.targets.numpy(), labels)


def test_mnist_items(tmp_path):
    data = MNIST(write(tmp_path, mnist_files()))
    images, labels = some(7)
    for i in (0, 6, -1):
        image, target = data[i]
        assert type(target) is int and target == labels[i]
        assert (image.shape, image.dtype) == ((1, 28, 28), tensorgrad.uint8)
        np.testing.assert_array_equal(image.numpy()[0], images[i])
    data[0][0].fill_(0)  # an item is a copy
    np.testing.assert_array_equal(data.data.numpy(), images)
    with pytest.raises(IndexError):
        data[7]
    changed = MNIST(tmp_path, transform=lambda x: x.float() / 255, target_transform=str)
    assert changed[1][0].dtype == tensorgrad.float32 and changed[1][1] == str(labels[1])
    x, y = next(iter(DataLoader(MNIST(str(tmp_path)), batch_size=5)))
    assert (x.shape, x.dtype, y.dtype) == ((5, 1, 28, 28), tensorgrad.uint8, tensorgrad.int64)


def test_what_is_printed_and_the_classes(tmp_path):
    data = MNIST(write(tmp_path, mnist_files()), train=False)
    assert repr(data) == (
        "Dataset MNIST\n    Number of datapoints: 3\n"
        f"    Root location: {tmp_path}\n    Split: Test"
    )
    for kind, first in ((MNIST, "0 - zero"), (FashionMNIST, "T-shirt/top"), (CIFAR10, "airplane")):
        assert len(kind.classes) == 10 and kind.classes[0] == first
    assert data.class_to_idx["7 - seven"] == 7


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (
            NAMES[0],
            np.zeros((7, 28, 27), np.uint8),
            r"images of 28 x 28 pixels, got uint8 of.*27\)",
        ),
        (NAMES[0], np.zeros(7, np.uint8), r"28 x 28 pixels, got uint8 of shape \(7,\)"),
        (NAMES[1], np.zeros(6, np.uint8), r"should hold 7 uint8 labels.*got uint8 of shape \(6,\)"),
        (NAMES[1], np.full(7, 10, np.uint8), "labels below 10, found 10"),
    ],
)
def test_mnist_files_of_another_shape(tmp_path, name, array, message):
    write(tmp_path, mnist_files() | {name: idx(array)})
    with pytest.raises(RuntimeError, match=message) as caught:
        MNIST(tmp_path)
    assert str(tmp_path / name) in str(caught.value)


def test_a_missing_file_is_named_with_its_places_and_address(tmp_path):
    files = mnist_files()
    del files[NAMES[1]]
    write(tmp_path, files)
    with pytest.raises(RuntimeError) as caught:
        MNIST(tmp_path)
    message = str(caught.value)
    for words in (NAMES[1], str(tmp_path / "MNIST" / "raw"), "download=True", "https://", ".gz"):
        assert words in message


@pytest.mark.skipif(not (SHARED / "mnist-idx").is_dir(), reason="the real files are not here")
def test_the_real_files_have_the_checksums_that_are_listed():
    for name, checksum in MNIST.files.items():
        content = gzip.decompress((SHARED / "mnist-idx" / f"{name}.gz").read_bytes())
        assert hashlib.md5(content).hexdigest() == checksum["content_md5"]
    data = MNIST(SHARED / "mnist-idx", train=False)
    assert len(data) == 10_000 and data.targets[:5].tolist() == [7, 2, 1, 0, 4]
    assert abs(data.data.float().mean().item() / 255 - 0.1325) < 1e-4


# --- CIFAR-10 ----------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(CIFAR10, "records", 4)


def cifar_files():
    rng = np.random.default_rng(0)
    records = rng.integers(0, 256, (6, 4, 3073), dtype=np.uint8)
    records[..., 0] %= 10
    names = (*CIFAR10.train_list, *CIFAR10.test_list)
    return {name: part.tobytes() for name, part in zip(names, records, strict=True)}, records


@pytest.mark.parametrize("deep", [False, True])
def test_cifar10(tmp_path, small, deep):
    files, records = cifar_files()
    write(tmp_path / "cifar-10-batches-bin" if deep else tmp_path, files)
    for train, part in ((True, records[:5].reshape(20, -1)), (False, records[5])):
        data = CIFAR10(tmp_path, train=train)
        assert len(data) == len(part) and data.targets == part[:, 0].tolist()
        assert data.data.shape == (len(part), 32, 32, 3) and data.data.dtype == np.uint8
        for i in (0, len(part) - 1):
            image, target = data[i]
            assert type(target) is int and target == part[i, 0]
            assert (image.shape, image.dtype) == ((3, 32, 32), tensorgrad.uint8)
            np.testing.assert_array_equal(image.numpy().ravel(), part[i, 1:])
    # Row 2, column 5, green: behind the red plane in the record.
    assert data.data[1, 2, 5, 1] == records[5, 1, 1 + 1024 + 2 * 32 + 5]
    data[0][0].fill_(0)
    assert data.data[0].any()


def test_damaged_cifar10(tmp_path, small):
    files, _ = cifar_files()
    write(tmp_path, files)
    path = tmp_path / "data_batch_3.bin"
    path.write_bytes(files[path.name][:-3073])  # a whole record is missing
    with pytest.raises(RuntimeError, match=r"data_batch_3.bin should hold 4 records.* found 9219"):
        CIFAR10(tmp_path)
    wrong = bytearray(files[path.name])
    wrong[2 * 3073] = 77
    path.write_bytes(wrong)
    with pytest.raises(
        RuntimeError, match=r"data_batch_3.bin is not.* record 2 .*below 10, found 77"
    ):
        CIFAR10(tmp_path)
    path.unlink()
    with pytest.raises(RuntimeError, match=r"data_batch_3.bin is neither .*binary version"):
        CIFAR10(tmp_path)
    assert len(CIFAR10(tmp_path, train=False)) == 4


# --- the download ------------------------------------------------------------------------


class Server:
    """Files over HTTP on this machine, with faults to order; it notes what was asked."""

    def __init__(self, files):
        self.files, self.asked = files, []
        self.ranges = True  # knows Range requests
        self.stop_after = None  # bytes of a body, then the connection breaks
        self.stops = 0  # how many times it breaks
        self.status = 200

    def answer(self, request):
        self.asked.append((request.path, request.headers.get("Range")))
        content = self.files.get(request.path.lstrip("/"))
        if content is None or self.status != 200:
            request.send_error(404 if content is None else self.status)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", self.asked[-1][1] or "bytes=0-")[1])
        start = start if self.ranges else 0
        if start >= len(content) > 0:
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        body = content[start:]
        if self.stops > 0:
            self.stops -= 1
            body = body[: self.stop_after]
        request.wfile.write(body)


@contextlib.contextmanager
def serve(files):
    server = Server(files)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.answer(self)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.url = f"http://127.0.0.1:{listener.server_port}/"
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


BODY = np.random.default_rng(0).bytes(600_000)
MD5 = hashlib.md5(BODY).hexdigest()


def nothing_but(folder, *names):
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)


def test_download(tmp_path):
    with serve({"f": BODY}) as server:
        download([server.url + "f"], tmp_path / "new" / "f", md5=MD5)
    assert (tmp_path / "new" / "f").read_bytes() == BODY
    assert server.asked == [("/f", None)]
    nothing_but(tmp_path / "new", "f")


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_connection_goes_on(tmp_path, ranges):
    with serve({"f": BODY}) as server:
        server.ranges, server.stops, server.stop_after = ranges, 2, 200_000
        download([server.url + "f"], tmp_path / "f", md5=MD5)
    assert (tmp_path / "f").read_bytes() == BODY
    if ranges:
        assert [r for _, r in server.asked] == [None, "bytes=200000-", "bytes=400000-"]


def test_the_next_call_goes_on_where_this_one_stopped(tmp_path):
    with serve({"f": BODY}) as server:
        server.stops, server.stop_after = 3, 100_000
        with pytest.raises(RuntimeError, match="broke after 300000 of 600000 bytes"):
            download([server.url + "f"], tmp_path / "f", md5=MD5)
        nothing_but(tmp_path, "f.part")
        download([server.url + "f"], tmp_path / "f", md5=MD5)
    assert server.asked[-1] == ("/f", "bytes=300000-")
    assert (tmp_path / "f").read_bytes() == BODY
    nothing_but(tmp_path, "f")


@pytest.mark.parametrize("left", [b"something else", BODY + b"more", BODY])
def test_what_an_earlier_call_left_is_not_trusted(tmp_path, left):
    (tmp_path / "f.part").write_bytes(left)
    with serve({"f": BODY}) as server:
        download([server.url + "f"], tmp_path / "f", md5=MD5)
    assert (tmp_path / "f").read_bytes() == BODY
    nothing_but(tmp_path, "f")


def test_the_next_mirror_is_asked(tmp_path):
    with serve({"bad/f": BODY[:-1] + b"!", "good/f": BODY}) as server:
        urls = [server.url + f for f in ("none/f", "bad/f", "good/f")]
        download(urls, tmp_path / "f", md5=MD5)
        assert [path for path, _ in server.asked] == ["/none/f", "/bad/f", "/good/f"]
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_wrong_checksum_leaves_nothing(tmp_path):
    with serve({"f": BODY}) as server, pytest.raises(RuntimeError) as caught:
        download([server.url + "f"], tmp_path / "f", md5="0" * 32)
    assert f"got MD5 {MD5}, expected {'0' * 32}" in str(caught.value)
    nothing_but(tmp_path)


def test_a_server_in_trouble_is_asked_again_and_then_named(tmp_path):
    with serve({"f": BODY}) as server:
        server.status = 503
        with pytest.raises(RuntimeError, match=r"/f: the server answered 503.*\n.*put it at .*/f$"):
            download([server.url + "f"], tmp_path / "f", md5=MD5)
    assert len(server.asked) == 3


def test_offline(tmp_path):
    with serve({}) as server:
        closed = server.url
    with pytest.raises(RuntimeError) as caught:
        download([closed + "f"], tmp_path / "f", md5=MD5, timeout=5)
    message = str(caught.value)
    for words in (closed + "f", "refused", f"put it at {tmp_path / 'f'}"):
        assert words in message


def test_the_checksum_of_what_a_gzip_file_holds(tmp_path):
    packed = gzip.compress(BODY, 1)
    with serve({"f.gz": packed, "cut.gz": packed[:-9]}) as server:
        download([server.url + "f.gz"], tmp_path / "f.gz", content_md5=MD5)
        with pytest.raises(RuntimeError, match="checksum of the content: got MD5"):
            download([server.url + "f.gz"], tmp_path / "g.gz", content_md5="0" * 32)
        with pytest.raises(RuntimeError, match="not a whole gzip file"):
            download([server.url + "cut.gz"], tmp_path / "g.gz", content_md5=MD5)
    nothing_but(tmp_path, "f.gz")


def test_mnist_is_downloaded_once(tmp_path, monkeypatch):
    packed = mnist_files(gzip.compress, ".gz")
    sums = {n: {"content_md5": hashlib.md5(c).hexdigest()} for n, c in mnist_files().items()}
    monkeypatch.setattr(MNIST, "files", sums)
    with serve(packed) as server:
        monkeypatch.setattr(MNIST, "mirrors", (server.url,))
        for _ in range(2):
            data = MNIST(tmp_path, download=True)
    np.testing.assert_array_equal(data.data.numpy(), some(7)[0])
    assert len(server.asked) == 4
    nothing_but(tmp_path / "MNIST" / "raw", *NAMES)


def archive(files, folder="cifar-10-batches-bin"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}" if "/" not in name else name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def test_cifar10_is_downloaded_once(tmp_path, small, monkeypatch):
    files, records = cifar_files()
    content = archive(files | {"readme.html": b"x", "../../outside": b"x"})
    monkeypatch.setattr(CIFAR10, "archive", ("c.tar.gz", {"md5": hashlib.md5(content).hexdigest()}))
    root = tmp_path / "root"
    with serve({"c.tar.gz": content}) as server:
        monkeypatch.setattr(CIFAR10, "mirrors", (server.url,))
        for _ in range(2):
            data = CIFAR10(root, download=True)
    assert data.targets == records[:5, :, 0].ravel().tolist()
    assert server.asked == [("/c.tar.gz", None)]
    nothing_but(tmp_path, "root")  # the member that points outside is not written
    nothing_but(root, "cifar-10-batches-bin")
    nothing_but(root / "cifar-10-batches-bin", *files)


def test_an_archive_of_something_else(tmp_path, small, monkeypatch):
    files, _ = cifar_files()
    monkeypatch.setattr(CIFAR10, "archive", ("c.tar.gz", {}))
    with serve({"c.tar.gz": archive(files, "cifar-100")}) as server:
        monkeypatch.setattr(CIFAR10, "mirrors", (server.url,))
        with pytest.raises(RuntimeError, match=r"lacks cifar-10-batches-bin/data_batch_1.bin"):
            CIFAR10(tmp_path, download=True)
