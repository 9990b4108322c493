"""Where the published files are, and their checksums.

A gzip file is known by its own MD5 or by that of what it holds. Those of MNIST are of the
content: computed from the files, and the ones that are listed for the originals. Those of
Fashion-MNIST (of the ``.gz`` files) and of CIFAR-10 (of the archive) are the ones their authors
publish beside the files.
"""

from __future__ import annotations

from typing import Any

# Options of download() by file.
_Checksums = dict[str, dict[str, Any]]

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MNIST_FILES: _Checksums = {
    "train-images-idx3-ubyte": {"content_md5": "6bbc9ace898e44ae57da46a324031adb"},
    "train-labels-idx1-ubyte": {"content_md5": "a25bea736e30d166cdddb491f175f624"},
    "t10k-images-idx3-ubyte": {"content_md5": "2646ac647ad5339dbf082846283269ea"},
    "t10k-labels-idx1-ubyte": {"content_md5": "27ae3e4e09519cfbb04c329615203637"},
}

FASHION_MNIST_MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
FASHION_MNIST_FILES: _Checksums = {
    "train-images-idx3-ubyte": {"md5": "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
    "train-labels-idx1-ubyte": {"md5": "25c81989df183df01b3e8a0aad5dffbe"},
    "t10k-images-idx3-ubyte": {"md5": "bef4ecab320f06d8554ea6380940ec79"},
    "t10k-labels-idx1-ubyte": {"md5": "bb300cfdad3c16e7a12a480ee83cd310"},
}

CIFAR10_MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
CIFAR10_ARCHIVE: tuple[str, dict[str, Any]] = (
    "cifar-10-binary.tar.gz",
    {"md5": "c32a1d4ab5d03f1284b67883e8d87530"},
)
