"""LeNet-5, as published and in the form that is usual today.

LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86 (1998).
"""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.models._check import check_images, choose

# Table I: the maps of S2 that each of the sixteen maps of C3 reads.
_READS = (
    "012", "123", "234", "345", "045", "015",
    "0123", "1234", "2345", "0345", "0145", "0125", "0134", "1245", "0235",
    "012345",
)  # fmt: skip
_PADDING = {28: 2, 32: 0}  # of the first convolution, which was published for 32 x 32


class ScaledTanh(nn.Module):
    """``1.7159 tanh(2x / 3)``: about 1 at 1, where its curvature is largest.

    >>> import tensorgrad as torch
    >>> from tensorgrad.nn.models.lenet import ScaledTanh
    >>> ScaledTanh()(torch.tensor([1.0, -1.0])).round(decimals=3)
    tensor([ 1., -1.])
    """

    def forward(self, input):
        """Apply elementwise."""
        return tg.tanh(input * (2.0 / 3.0)) * 1.7159


class Subsampling(nn.Module):
    """The sum of 2 x 2 pixels, times one learned number per channel, plus another.

    Args:
        channels: of the input and the output.
    """

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(tg.empty(channels, 1, 1))
        self.bias = nn.Parameter(tg.empty(channels, 1, 1))
        self.mean = nn.AvgPool2d(2)

    def forward(self, input):
        """Shrink height and width to half."""
        return self.mean(input) * (4.0 * self.weight) + self.bias


class TableConv2d(nn.Module):
    """A convolution whose output channels read only the input channels that a table names.

    Args:
        reads: the input channels of each output channel.
        in_channels: how many there are.
        kernel_size: of the square windows, of which there is one for each connection.
    """

    def __init__(self, reads, in_channels, kernel_size):
        super().__init__()
        self.reads, self.in_channels = [list(map(int, r)) for r in reads], in_channels
        flat = [o * in_channels + i for o, row in enumerate(self.reads) for i in row]
        self.weight = nn.Parameter(tg.empty(len(flat), kernel_size, kernel_size))
        self.bias = nn.Parameter(tg.empty(len(reads)))
        self.register_buffer("where", tg.tensor(flat), persistent=False)

    def forward(self, input):
        """The convolution of ``input``."""
        size = self.weight.shape[1:]
        full = self.weight.new_zeros((len(self.reads) * self.in_channels, *size))
        full = full.index_copy(0, self.where, self.weight)
        full = full.reshape(len(self.reads), self.in_channels, *size)
        return nn.functional.conv2d(input, full, self.bias)

    def multiply_adds(self, inputs, outputs):
        """Of one call: those of the connections that are there."""
        return outputs[0][:, 0].numel() * self.weight.numel()


class EuclideanRBF(nn.Module):
    """Minus the squared distance to a fixed code of ±1 for each class, so that the nearest wins.

    The published codes are small bitmaps of the characters; here they are drawn, which the
    paper names as the alternative.

    Args:
        in_features: length of the codes.
        num_classes: how many codes there are.
    """

    def __init__(self, in_features, num_classes):
        super().__init__()
        codes = tg.empty(num_classes, in_features).uniform_(-1, 1)
        self.register_buffer("codes", tg.where(codes < 0, -1.0, 1.0))

    def forward(self, input):
        """The distances, (N, classes)."""
        square = (input * input).sum(1, keepdim=True)
        return 2.0 * (input @ self.codes.T) - square - self.codes.shape[1]


class LeNet5(nn.Module):
    """LeNet-5 for images of handwritten characters.

    As published: sub-sampling with learned coefficients, C3 connected by the paper's table,
    scaled tanh, distances to fixed codes at the end, initial values uniform on ±2.4 / inputs;
    60,000 parameters with ten classes. The modern form has max pooling, ReLU, a full C3, a
    linear output and PyTorch's initial values; 61,706 parameters.

    Args:
        num_classes: length of the output.
        in_channels: of the images.
        modern: ReLU and max pooling.
        input_size: height and width of the images, 32 as published or 28 (MNIST's), which are
            padded.
        dropout: probability before the output layer.

    Raises:
        ValueError: another ``input_size``.
        RuntimeError: images of another size or number of channels.

    >>> import tensorgrad as torch
    >>> model = torch.nn.models.LeNet5(input_size=32)
    >>> sum(p.numel() for p in model.parameters())
    60000
    """

    def __init__(self, num_classes=10, in_channels=1, modern=False, input_size=28, dropout=0.0):
        super().__init__()
        self.in_channels, self.input_size = in_channels, input_size
        padding = choose("LeNet5: input_size", input_size, _PADDING)
        layers = _modern if modern else _published
        self.features, head = layers(num_classes, in_channels, padding)
        self.classifier = nn.Sequential(*head[:-1], nn.Dropout(dropout), head[-1])
        if not modern:
            self._initialize()

    def _initialize(self):
        """Uniform on ±2.4 / (inputs of the unit)."""
        for module in self.modules():
            inputs = _inputs(module)
            if inputs is not None:
                for parameter in (module.weight, module.bias):
                    bound = 2.4 / inputs
                    nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x):
        """The scores, (N, num_classes)."""
        check_images(self, x, self.in_channels, self.input_size)
        if max(x.shape[2:]) > self.input_size:
            size = self.input_size
            raise ValueError(
                f"LeNet5 was made for {size} x {size} pixels, got {x.shape[2]} x {x.shape[3]}"
            )
        return self.classifier(tg.flatten(self.features(x), 1))


def _published(num_classes, in_channels, padding):
    features = nn.Sequential(
        nn.Conv2d(in_channels, 6, 5, padding=padding), ScaledTanh(),
        Subsampling(6), ScaledTanh(),
        TableConv2d(_READS, 6, 5), ScaledTanh(),
        Subsampling(16), ScaledTanh(),
        nn.Conv2d(16, 120, 5), ScaledTanh(),
    )  # fmt: skip
    return features, [nn.Linear(120, 84), ScaledTanh(), EuclideanRBF(84, num_classes)]


def _modern(num_classes, in_channels, padding):
    features = nn.Sequential(
        nn.Conv2d(in_channels, 6, 5, padding=padding), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(16, 120, 5), nn.ReLU(inplace=True),
    )  # fmt: skip
    return features, [nn.Linear(120, 84), nn.ReLU(inplace=True), nn.Linear(84, num_classes)]


def _inputs(module):
    """How many numbers one unit of a layer reads; None for what is no layer with weights."""
    if isinstance(module, Subsampling):
        return 4
    if isinstance(module, TableConv2d):  # its units differ: the mean
        return module.weight.numel() / len(module.reads)
    if isinstance(module, nn.Conv2d | nn.Linear):
        return module.weight[0].numel()
    return None


def lenet5(num_classes=10, **kwargs):
    """LeNet-5; the arguments are those of :class:`LeNet5`.

    >>> import tensorgrad as torch
    >>> torch.nn.models.lenet5(26, modern=True)(torch.zeros(1, 1, 28, 28)).shape
    torch.Size([1, 26])
    """
    return LeNet5(num_classes, **kwargs)
