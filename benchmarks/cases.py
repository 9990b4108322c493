"""What is measured: the numbers, the mathematics and the names, free of any library but NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

LEARNING_RATE = {"sgd": 0.01, "adam": 0.001}
ADAM_BETAS = (0.9, 0.999)
ADAM_EPS = 1e-8
BATCH_NORM_EPS = 1e-5
BATCH_NORM_MOMENTUM = 0.1


@dataclass(frozen=True)
class Net:
    """One training step of a multilayer perceptron, float32.

    Hidden layers are Linear, BatchNorm (if asked for), activation, Dropout (if any); the last
    layer is Linear. ``loss`` is ``"mse"`` on one output or ``"cross_entropy"`` on class indices.
    """

    sizes: tuple[int, ...]
    batch: int
    activation: str
    loss: str
    optimizer: str = "sgd"
    batch_norm: bool = False
    dropout: float = 0.0

    @property
    def name(self) -> str:
        suffix = "" if self.optimizer == "sgd" else f"-{self.optimizer}"
        return "mlp-" + "-".join(map(str, self.sizes)) + suffix

    @property
    def title(self) -> str:
        extras = ", batch norm" * self.batch_norm + f", dropout {self.dropout}" * bool(self.dropout)
        return (
            f"training step, batch {self.batch}, {self.activation}{extras}, "
            f"{self.loss}, {self.optimizer}"
        )

    @property
    def lr(self) -> float:
        return LEARNING_RATE[self.optimizer]

    def without_noise(self) -> Net:
        """The same net without dropout, so that every contender computes the same numbers."""
        return replace(self, dropout=0.0)

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (batch, in) and targets: (batch, 1) floats, or (batch,) int64 classes."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.batch, self.sizes[0]), dtype=np.float32)
        if self.loss == "mse":
            return x, np.sin(x.sum(axis=1, keepdims=True))
        return x, rng.integers(0, self.sizes[-1], self.batch)

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weight (out, in) and bias (out,) of each Linear, uniform on ±1/sqrt(in)."""
        rng = np.random.default_rng(1)

        def uniform(bound: float, shape: tuple[int, ...]) -> np.ndarray:
            return rng.uniform(-bound, bound, shape).astype(np.float32)

        return [(uniform(n**-0.5, (m, n)), uniform(n**-0.5, (m,))) for n, m in pairwise(self.sizes)]


@dataclass(frozen=True)
class Chain:
    """Forward and backward of ``forward(lib, x, w)`` on two float32 vectors of ``size`` elements.

    ``lib`` is any module with NumPy's function names; the gradients of both vectors are wanted,
    for an output gradient of ones.
    """

    name: str
    title: str
    size: int
    forward: Callable[[Any, Any, Any], Any]

    def without_noise(self) -> Chain:
        return self

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """``x`` in [0.1, 0.5) and ``w`` in [0.8, 1.2), so that no chain over- or underflows."""
        rng = np.random.default_rng(2)
        x = rng.uniform(0.1, 0.5, self.size).astype(np.float32)
        w = rng.uniform(0.8, 1.2, self.size).astype(np.float32)
        return x, w


@dataclass(frozen=True)
class Text:
    """One training step of a model that predicts each character from those before it.

    The layers are those of a deep learning library, so only two contenders take part: PyTorch and
    tensorgrad, which draw the same initial weights from the same seed.

    Attributes:
        model: the name of the function in with_torch that makes the model of ``lib.nn``.
        optimizer: its name in ``lib.optim``.
    """

    name: str
    title: str
    model: str
    characters: int = 64
    batch: int = 32
    length: int = 32
    width: int = 128
    optimizer: str = "Adam"

    contenders = ("tensorgrad", "torch")

    def without_noise(self) -> Text:
        return self

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Characters (batch, length), and the character that follows each, int64."""
        rng = np.random.default_rng(3)
        text = rng.integers(0, self.characters, (self.batch, self.length + 1))
        return text[:, :-1].copy(), text[:, 1:].copy()


@dataclass(frozen=True)
class Rows:
    """Forward and backward of one function of ``nn.functional`` on a float32 matrix.

    For the same contenders as :class:`Text`. The gradient of the result is given.

    Attributes:
        function: its name; it takes the matrix and ``arguments``.
    """

    function: str
    arguments: tuple = ()
    shape: tuple[int, int] = (64, 1024)

    contenders = Text.contenders

    @property
    def name(self) -> str:
        return self.function.replace("_", "-")

    @property
    def title(self) -> str:
        return f"{self.function} of {self.shape} floats, forward and backward"

    def without_noise(self) -> Rows:
        return self

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """The matrix and the gradient of the result, of mean 0 and variance 1."""
        rng = np.random.default_rng(4)
        x, g = (rng.standard_normal(self.shape, dtype=np.float32) for _ in range(2))
        return x, g


@dataclass(frozen=True)
class Layer:
    """Forward and backward of one function of ``nn.functional`` on float32 images.

    For the same contenders as :class:`Text`. The gradients of all inputs are wanted.

    Attributes:
        shapes: of the images and of the other tensors that the function takes first.
    """

    name: str
    function: str
    shapes: tuple[tuple[int, ...], ...]
    arguments: tuple = ()

    contenders = Text.contenders

    @property
    def title(self) -> str:
        return f"{self.function} of {self.shapes[0]} floats, forward and backward"

    def without_noise(self) -> Layer:
        return self

    def data(self) -> list[np.ndarray]:
        """The tensors, each of variance 1 over the elements of a window."""
        rng = np.random.default_rng(5)
        first, *rest = (rng.standard_normal(shape, dtype=np.float32) for shape in self.shapes)
        return [first, *(array / np.float32(array[0].size ** 0.5) for array in rest)]

    def slope(self, shape: tuple[int, ...]) -> np.ndarray:
        """The gradient of the result; small, so that sums over all pixels have variance 1."""
        rng = np.random.default_rng(7)
        pixels = shape[0] * shape[2] * shape[3]
        return rng.standard_normal(shape, dtype=np.float32) / np.float32(pixels**0.5)


@dataclass(frozen=True)
class Photos:
    """One training step of a network for images, by SGD; for the same contenders as Text.

    Attributes:
        model: the name of the function in with_torch that makes the model of ``lib.nn``.
        shape: of the batch.
        lr: learning rate; small, or the rounding errors of the first steps grow.
    """

    name: str
    title: str
    model: str
    shape: tuple[int, int, int, int]
    classes: int = 10
    lr: float = 0.0001

    contenders = Text.contenders

    def without_noise(self) -> Photos:
        return self

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Images, and their classes, int64."""
        rng = np.random.default_rng(6)
        x = rng.standard_normal(self.shape, dtype=np.float32)
        return x, rng.integers(0, self.classes, self.shape[0])


def twenty_ops(lib, x, w):
    y = x
    for _ in range(4):
        y = y * w
        y = lib.tanh(y)
        y = y + x
        y = lib.sin(y)
        y = y * 0.9
    return y


def thousand_ops(lib, x, w):
    y = x
    for i in range(1000):
        branch = i % 4
        if branch == 0:
            y = y * w
        elif branch == 1:
            y = y - x
        elif branch == 2:
            y = y / w
        else:
            y = lib.abs(y)
    return y


def arithmetic(lib, x, w):
    y = x * w
    y = y + x
    y = y * y
    y = y - w
    y = y * 0.5
    return y / w


def functions(lib, x, w):
    y = lib.exp(x)
    y = lib.tanh(y)
    y = y * w
    y = lib.sin(y)
    y = lib.sqrt(y)
    return lib.log(y)


# The nets of the project's speed goals, from tiny to the size of an MNIST classifier.
_NETS = [
    Net((1, 4, 1), 10, "tanh", "mse"),
    Net((2, 3, 1), 5, "sigmoid", "mse"),
    Net((13, 32, 16, 8, 4, 1), 16, "relu", "mse"),
    Net((784, 128, 64, 32, 16, 10), 64, "relu", "cross_entropy"),
    Net((784, 512, 256, 10), 128, "relu", "cross_entropy", batch_norm=True, dropout=0.2),
]
_CHAINS = [
    Chain("chain-20", "20 ops on 8 floats, forward and backward", 8, twenty_ops),
    Chain("loop-1000", "loop of 1,000 ops on 4 floats, forward and backward", 4, thousand_ops),
    Chain("elementwise-arithmetic", "6 ops on 1e6 floats, forward and backward", 10**6, arithmetic),
    Chain("elementwise-functions", "6 ops on 1e6 floats, forward and backward", 10**6, functions),
]
_TEXTS = [
    Text("lstm-char", "training step, LSTM of 128, 32 sequences of 32 characters", "lstm"),
    Text(
        "gpt",
        "training step, GPT of width 128 with 2 layers, 16 sequences of 64 characters",
        "gpt",
        65,
        16,
        64,
        optimizer="AdamW",
    ),
]

_ROWS = [
    Rows("softmax", (1,)),
    Rows("log_softmax", (1,)),
    Rows("layer_norm", ((1024,),)),
    Rows("gelu"),
]

_IMAGES = (32, 64, 32, 32)
_LAYERS = [
    Layer("conv-3x3", "conv2d", (_IMAGES, (64, 64, 3, 3)), (None, 1, 1)),
    Layer("conv-1x1", "conv2d", (_IMAGES, (64, 64, 1, 1))),
    Layer("max-pool", "max_pool2d", (_IMAGES,), (3, 2)),
    Layer("avg-pool", "avg_pool2d", (_IMAGES,), (2,)),
    Layer("batch-norm", "batch_norm", (_IMAGES,), (None, None, None, None, True)),
]
_PHOTOS = [
    Photos("lenet", "training step, LeNet-5, batch 64", "lenet", (64, 1, 28, 28)),
    Photos("vgg11-bn", "training step, VGG-11 with batch norm, batch 16", "vgg", (16, 3, 32, 32)),
    Photos("resnet18", "training step, ResNet-18, batch 8", "resnet", (8, 3, 32, 32)),
]

Case = Net | Chain | Text | Rows | Layer | Photos
TIMED: dict[str, Case] = {
    case.name: case
    for case in [
        *(replace(net, optimizer=name) for net in _NETS for name in ("sgd", "adam")),
        *_CHAINS,
        *_TEXTS,
        *_ROWS,
        *_LAYERS,
        *_PHOTOS,
    ]
}
MEMORY_NET = _NETS[3]
MEMORY_STEPS = 20
