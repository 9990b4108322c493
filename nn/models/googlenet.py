"""GoogLeNet: inception modules and auxiliary heads.

Szegedy et al., "Going deeper with convolutions" (arXiv:1409.4842), in the form that torchvision
trained: batch normalisation in place of local response normalisation, and 3 x 3 windows where
the paper has 5 x 5.
"""

from __future__ import annotations

from collections import namedtuple

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F
from tensorgrad.nn.models._check import check_images

GoogLeNetOutputs = namedtuple("GoogLeNetOutputs", ["logits", "aux_logits2", "aux_logits1"])
GoogLeNetOutputs.__doc__ = "What GoogLeNet returns in training: the scores and those of both heads."

# Table 1 of the paper: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj.
_INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class BasicConv2d(nn.Module):
    """Convolution, batch normalisation, ReLU.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        **kwargs: the other arguments of :class:`tensorgrad.nn.Conv2d`.
    """

    def __init__(self, in_channels, out_channels, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x):
        """The activations."""
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Inception(nn.Module):
    """Four branches side by side: 1 x 1, 3 x 3, twice 3 x 3 and pooling, joined by channels.

    Args:
        in_channels: of the input.
        ch1x1: outputs of the 1 x 1 branch.
        ch3x3red: channels before the first 3 x 3.
        ch3x3: its outputs.
        ch5x5red: channels before the second, which the paper has as 5 x 5.
        ch5x5: its outputs.
        pool_proj: outputs of the branch with pooling.

    >>> import tensorgrad as torch
    >>> block = torch.nn.models.Inception(8, 2, 2, 3, 2, 4, 1)
    >>> block(torch.zeros(1, 8, 6, 6)).shape
    torch.Size([1, 10, 6, 6])
    """

    def __init__(self, in_channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj):
        super().__init__()
        self.branch1 = BasicConv2d(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            BasicConv2d(in_channels, ch3x3red, kernel_size=1),
            BasicConv2d(ch3x3red, ch3x3, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(in_channels, ch5x5red, kernel_size=1),
            BasicConv2d(ch5x5red, ch5x5, kernel_size=3, padding=1),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True),
            BasicConv2d(in_channels, pool_proj, kernel_size=1),
        )

    def forward(self, x):
        """The channels of all four branches."""
        branches = self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)
        return tg.cat(branches, 1)


class InceptionAux(nn.Module):
    """A classifier on activations from the middle, whose loss helps the layers before it.

    Args:
        in_channels: of the activations.
        num_classes: length of the output.
        dropout: probability before the output.
    """

    def __init__(self, in_channels, num_classes, dropout=0.7):
        super().__init__()
        self.conv = BasicConv2d(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x):
        """The scores, (N, num_classes)."""
        x = self.conv(F.adaptive_avg_pool2d(x, (4, 4)))
        x = F.relu(self.fc1(tg.flatten(x, 1)), inplace=True)
        return self.fc2(self.dropout(x))


class GoogLeNet(nn.Module):
    """Nine inception modules, with two auxiliary heads in training.

    Args:
        num_classes: length of the output.
        aux_logits: whether there are auxiliary heads. In training the result is then a
            ``GoogLeNetOutputs`` of logits, aux_logits2 and aux_logits1; the paper adds 0.3 times
            the loss of each head.
        transform_input: take images that were normalised with ImageNet's mean and deviation, and
            normalise them to mean and deviation 0.5.
        init_weights: draw weights from the normal distribution of deviation 0.01; False leaves
            PyTorch's default of each layer.
        dropout: probability before the output.
        dropout_aux: the same in the auxiliary heads.
        in_channels: of the images.
        small: for images of 28 or 32 pixels: the first window is 3 x 3 at step 1 and the first
            pooling is left out.

    Raises:
        RuntimeError: images below 15 pixels (4 with ``small``), or of other channels.

    >>> import tensorgrad as torch
    >>> model = torch.nn.models.GoogLeNet(10, aux_logits=False, init_weights=False, small=True)
    >>> model.eval()(torch.zeros(1, 3, 28, 28)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self, num_classes=1000, aux_logits=True, transform_input=False, init_weights=True,
        dropout=0.2, dropout_aux=0.7, in_channels=3, small=False,
    ):  # fmt: skip
        super().__init__()
        if transform_input and in_channels != 3:
            raise ValueError(f"transform_input is for 3 channels, got in_channels={in_channels}")
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.in_channels, self.least = in_channels, 4 if small else 15
        first = {"kernel_size": 3, "padding": 1} if small else {
            "kernel_size": 7, "stride": 2, "padding": 3
        }  # fmt: skip
        self.conv1 = BasicConv2d(in_channels, 64, **first)
        self.maxpool1 = nn.Identity() if small else nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(64, 64, kernel_size=1)
        self.conv3 = BasicConv2d(64, 192, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = Inception(192, *_INCEPTION["3a"])
        self.inception3b = Inception(256, *_INCEPTION["3b"])
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Inception(480, *_INCEPTION["4a"])
        self.inception4b = Inception(512, *_INCEPTION["4b"])
        self.inception4c = Inception(512, *_INCEPTION["4c"])
        self.inception4d = Inception(512, *_INCEPTION["4d"])
        self.inception4e = Inception(528, *_INCEPTION["4e"])
        self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.inception5a = Inception(832, *_INCEPTION["5a"])
        self.inception5b = Inception(832, *_INCEPTION["5b"])
        self.aux1 = InceptionAux(512, num_classes, dropout_aux) if aux_logits else None
        self.aux2 = InceptionAux(528, num_classes, dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(1024, num_classes)
        if init_weights:
            self._initialize()

    def _initialize(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(m.weight, mean=0.0, std=0.01, a=-2, b=2)

    def forward(self, x):
        """The scores, (N, num_classes); in training with those of the heads."""
        check_images(self, x, self.in_channels, self.least)
        if self.transform_input:
            x = _renormalised(x)
        heads = self.training and self.aux_logits
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4a(x)
        aux1 = self.aux1(x) if heads else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if heads else None
        x = self.maxpool4(self.inception4e(x))
        x = self.avgpool(self.inception5b(self.inception5a(x)))
        x = self.fc(self.dropout(tg.flatten(x, 1)))
        return GoogLeNetOutputs(x, aux2, aux1) if heads else x


def _renormalised(x):
    """From ImageNet's mean and deviation of each channel to 0.5 and 0.5."""
    scale = x.new_tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1) / 0.5
    shift = (x.new_tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1) - 0.5) / 0.5
    return x * scale + shift


def googlenet(**kwargs):
    """GoogLeNet; the arguments are those of :class:`GoogLeNet`.

    6,624,904 parameters without, 13,004,888 with auxiliary heads.
    """
    return GoogLeNet(**kwargs)
