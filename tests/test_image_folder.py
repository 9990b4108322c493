"""Folders of images; and the images of MNIST and CIFAR-10 as one tensor."""

import gzip
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.datasets import CIFAR10, MNIST, ImageFolder, as_images, as_vectors, digits
from tensorgrad.datasets.folder import find_classes, pil_loader, tensor_loader
from tensorgrad.utils.data import DataLoader

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


def picture(seed, height=4, width=5):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def image():
    return pytest.importorskip("PIL.Image")


@pytest.fixture
def folder(tmp_path, image):
    """Two classes, a subfolder, an ending in capitals, and files that are no images."""
    files = ["dog/b.png", "dog/a.PNG", "cat/deep/1.bmp", "cat/z.png"]
    for seed, name in enumerate(files):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(picture(seed)).save(path)
    (tmp_path / "dog" / "notes.txt").write_text("woof")
    (tmp_path / "stray.png").write_bytes(b"")
    return tmp_path


def names(data, root):
    return [(Path(path).relative_to(root).as_posix(), target) for path, target in data.samples]


def test_samples_and_items(folder):
    data = ImageFolder(folder)
    assert data.classes == ["cat", "dog"] and data.class_to_idx == {"cat": 0, "dog": 1}
    expected = [("cat/z.png", 0), ("cat/deep/1.bmp", 0), ("dog/a.PNG", 1), ("dog/b.png", 1)]
    assert names(data, folder) == expected
    assert data.targets == [0, 0, 1, 1] and data.imgs is data.samples and len(data) == 4
    for i, seed in ((0, 3), (1, 2), (-1, 0)):
        x, target = data[i]
        assert type(x) is Tensor and (x.shape, x.dtype) == ((3, 4, 5), tg.uint8)
        np.testing.assert_array_equal(x.numpy(), picture(seed).transpose(2, 0, 1))
        assert target == data.targets[i]
    data[0][0].fill_(0)
    assert data[0][0].any()
    with pytest.raises(IndexError):
        data[4]
    assert repr(data) == (
        f"Dataset ImageFolder\n    Number of datapoints: 4\n    Root location: {folder}"
    )


def test_transforms_loaders_and_filters(folder):
    data = ImageFolder(str(folder), lambda x: x.float() / 255, str)
    assert data[0][0].dtype == tg.float32 and data[0][0].max() <= 1 and data[2][1] == "1"
    plain = ImageFolder(folder, loader=pil_loader)
    assert plain[0][0].mode == "RGB" and plain[0][0].size == (5, 4)
    assert ImageFolder(folder, loader=os.path.basename)[2] == ("a.PNG", 1)
    assert len(ImageFolder(folder, extensions=(".png",))) == 3
    assert names(ImageFolder(folder, extensions=".PNG"), folder)[0] == ("cat/z.png", 0)
    notes = ImageFolder(folder, is_valid_file=lambda p: p.endswith(".txt"), allow_empty=True)
    assert names(notes, folder) == [("dog/notes.txt", 1)] and notes.classes == ["cat", "dog"]


def test_workers_and_pickle(folder):
    data = ImageFolder(folder)
    copy = pickle.loads(pickle.dumps(data))
    assert copy.samples == data.samples
    for workers in (0, 2):
        x, y = next(iter(DataLoader(data, batch_size=4, num_workers=workers)))
        assert (x.shape, x.dtype, y.tolist()) == ((4, 3, 4, 5), tg.uint8, [0, 0, 1, 1])


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK", "LA"])
def test_other_modes_become_rgb(tmp_path, image, mode):
    original = image.fromarray(picture(0)).convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    original.save(path)
    expected = np.asarray(original.convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(tensor_loader(path).numpy(), expected)


# --- what is wrong -----------------------------------------------------------------------


def test_empty_and_missing_folders(folder, tmp_path):
    (folder / "emu").mkdir()
    (folder / "fox").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no images for the classes emu, fox; .*\.jpg, "):
        ImageFolder(folder)
    with pytest.raises(FileNotFoundError, match=r"classes cat, emu, fox; looked for what is_val"):
        ImageFolder(folder, is_valid_file=lambda path: "dog" in path.split(os.sep))
    data = ImageFolder(folder, allow_empty=True)
    assert len(data.classes) == 4 and len(data) == 4
    with pytest.raises(FileNotFoundError, match=r"fox holds no class folders; images are expected"):
        ImageFolder(folder / "fox")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        find_classes(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="pass extensions or is_valid_file, not both"):
        ImageFolder(folder, extensions=".png", is_valid_file=bool)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of a cut TIFF, before it fails
@pytest.mark.parametrize("ending", ["png", "bmp", "jpg", "tif", "webp", "ppm"])
def test_files_that_are_cut_off(tmp_path, image, ending):
    path = tmp_path / "cat" / f"a.{ending}"
    path.parent.mkdir()
    image.fromarray(picture(0, 40, 40)).save(path)
    content = path.read_bytes()
    for size in (0, 10, len(content) // 2):
        path.write_bytes(content[:size])
        with pytest.raises(RuntimeError, match="cannot be read as an image") as caught:
            ImageFolder(tmp_path)[0]
        assert str(path) in str(caught.value)


def test_other_files(tmp_path, image):
    path = tmp_path / "a.png"
    path.write_text("no image")
    with pytest.raises(RuntimeError, match=r"a.png cannot be read as an image: cannot identify"):
        pil_loader(path)
    image.fromarray(np.array([[70_000]], np.int32)).save(tmp_path / "deep.tif")
    with pytest.raises(RuntimeError, match=r"deep.tif has more than eight bits a channel.*loader="):
        tensor_loader(tmp_path / "deep.tif")
    with pytest.raises(FileNotFoundError, match=r"none.png"):
        pil_loader(tmp_path / "none.png")


def test_without_pillow(tmp_path):
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "from tensorgrad.datasets.folder import pil_loader\n"
        "try:\n    pil_loader('x.png')\nexcept ImportError as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("reading images needs Pillow, which is not installed")
    assert 'pip install "tensorgrad[image]"' in run.stdout


def test_the_package_loads_nothing_heavy():
    code = (
        "import sys, numpy, tensorgrad; before = set(sys.modules); import tensorgrad.datasets\n"
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"PIL", "pandas", "scipy", "sklearn", "csv", "zipfile", "tempfile", "dataclasses"}
    assert not heavy & set(run.stdout.split())


# --- MNIST and CIFAR-10 as a whole -------------------------------------------------------


def idx(array):
    sizes = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def mnist(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 28, 28), dtype=np.uint8)
    labels = np.array([3, 1, 4, 1, 5], np.uint8)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(labels))
    return tmp_path


def test_mnist_as_images_and_vectors(mnist):
    data = MNIST(mnist)
    x, y = as_images(data)
    assert (x.shape, x.dtype, y.dtype) == ((5, 1, 28, 28), tg.float32, tg.int64)
    assert y.tolist() == [3, 1, 4, 1, 5]
    np.testing.assert_array_equal(x.numpy()[:, 0], data.data.numpy() / np.float32(255))
    rows, labels = as_vectors(data)
    assert rows.shape == (5, 784) and labels.tolist() == y.tolist()
    np.testing.assert_array_equal(rows.numpy(), x.numpy().reshape(5, -1))
    x.fill_(0), y.fill_(0)
    assert data.data.any() and data.targets.tolist() == labels.tolist()


def test_cifar10_as_images_and_vectors(tmp_path, monkeypatch):
    monkeypatch.setattr(CIFAR10, "records", 4)
    records = np.random.default_rng(0).integers(0, 256, (4, 3073), dtype=np.uint8)
    records[:, 0] = [9, 0, 2, 2]
    (tmp_path / "test_batch.bin").write_bytes(records.tobytes())
    data = CIFAR10(tmp_path, train=False)
    x, y = as_vectors(data)
    assert x.is_contiguous() and y.tolist() == [9, 0, 2, 2]
    np.testing.assert_array_equal(x.numpy(), records[:, 1:] / np.float32(255))  # red, green, blue
    images, _ = as_images(data)
    assert images.is_contiguous() and images.shape == (4, 3, 32, 32)
    for i in range(4):
        np.testing.assert_array_equal(images[i].numpy(), data[i][0].numpy() / np.float32(255))


def test_other_datasets_and_transforms(mnist):
    with pytest.raises(TypeError, match="expected MNIST, FashionMNIST or CIFAR10, got tuple"):
        as_images(digits())
    for options in ({"transform": abs}, {"target_transform": str}):
        with pytest.raises(ValueError, match="MNIST has a transform, which works on items"):
            as_vectors(MNIST(mnist, **options))


@pytest.mark.skipif(not (SHARED / "mnist-idx").is_dir(), reason="the real files are not here")
def test_the_real_mnist():
    x, y = as_vectors(MNIST(SHARED / "mnist-idx", train=False))
    assert x.shape == (10_000, 784) and (x.min(), x.max()) == (0, 1)
    assert abs(x.mean().item() - 0.1325) < 1e-4 and y[:3].tolist() == [7, 2, 1]
