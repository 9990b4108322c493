"""VGG: stacks of 3 x 3 convolutions.

Simonyan & Zisserman, "Very deep convolutional networks for large-scale image recognition"
(arXiv:1409.1556); batch normalisation as torchvision adds it.
"""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.models._check import check_images, choose

_CHANNELS = (64, 128, 256, 512, 512)
# Table 1 of the paper, columns A, B, D and E: the convolutions of each of the five stages.
_DEPTHS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


class VGG(nn.Module):
    """Five stages of 3 x 3 convolutions, each with pooling at its end, then three linear layers.

    Args:
        depth: layers with weights: 11, 13, 16 or 19.
        batch_norm: normalise after each convolution.
        num_classes: length of the output.
        init_weights: draw the initial values (He's normal for the windows, deviation 0.01 for
            the linear layers); False leaves PyTorch's default of each layer.
        dropout: probability after the first two linear layers.
        in_channels: of the images.
        small: for images of 28 or 32 pixels: one bin at the end, hidden layers of 512 units,
            and pooling rounds sizes up.

    Raises:
        ValueError: another depth.
        RuntimeError: images below 32 pixels (without ``small``), or of other channels.

    >>> import tensorgrad as torch
    >>> model = torch.nn.models.VGG(11, batch_norm=True, num_classes=10, small=True)
    >>> model.eval()(torch.zeros(1, 3, 28, 28)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self, depth, batch_norm=False, num_classes=1000, init_weights=True, dropout=0.5,
        in_channels=3, small=False,
    ):  # fmt: skip
        super().__init__()
        stages = choose("VGG: depth", depth, _DEPTHS)
        self.in_channels, self.least = in_channels, 1 if small else 32
        bins, hidden = (1, 512) if small else (7, 4096)
        self.features = nn.Sequential(*_layers(stages, batch_norm, in_channels, small))
        self.avgpool = nn.AdaptiveAvgPool2d((bins, bins))
        self.classifier = nn.Sequential(
            nn.Linear(512 * bins * bins, hidden), nn.ReLU(True), nn.Dropout(p=dropout),
            nn.Linear(hidden, hidden), nn.ReLU(True), nn.Dropout(p=dropout),
            nn.Linear(hidden, num_classes),
        )  # fmt: skip
        if init_weights:
            self._initialize()

    def _initialize(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(m.bias)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.01)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        """The scores, (N, num_classes)."""
        check_images(self, x, self.in_channels, self.least, "for small images make it small=True")
        x = self.avgpool(self.features(x))
        return self.classifier(tg.flatten(x, 1))


def _layers(stages, batch_norm, channels, ceil_mode):
    for count, wide in zip(stages, _CHANNELS, strict=True):
        for _ in range(count):
            yield nn.Conv2d(channels, wide, 3, padding=1)
            if batch_norm:
                yield nn.BatchNorm2d(wide)
            yield nn.ReLU(inplace=True)
            channels = wide
        yield nn.MaxPool2d(2, 2, ceil_mode=ceil_mode)


def vgg(depth, batch_norm=False, **kwargs):
    """VGG of any published depth; the arguments are those of :class:`VGG`.

    >>> import tensorgrad as torch
    >>> torch.nn.models.vgg(12)
    Traceback (most recent call last):
    tensorgrad.errors.ArgumentError: VGG: depth should be one of 11, 13, 16, 19, got 12
    """
    return VGG(depth, batch_norm, **kwargs)


def vgg11(**kwargs):
    """VGG-11, configuration A, 132,863,336 parameters. See :class:`VGG`."""
    return VGG(11, **kwargs)


def vgg11_bn(**kwargs):
    """VGG-11 with batch normalisation, 132,868,840 parameters. See :class:`VGG`."""
    return VGG(11, True, **kwargs)


def vgg13(**kwargs):
    """VGG-13, configuration B, 133,047,848 parameters. See :class:`VGG`."""
    return VGG(13, **kwargs)


def vgg13_bn(**kwargs):
    """VGG-13 with batch normalisation, 133,053,736 parameters. See :class:`VGG`."""
    return VGG(13, True, **kwargs)


def vgg16(**kwargs):
    """VGG-16, configuration D, 138,357,544 parameters. See :class:`VGG`."""
    return VGG(16, **kwargs)


def vgg16_bn(**kwargs):
    """VGG-16 with batch normalisation, 138,365,992 parameters. See :class:`VGG`."""
    return VGG(16, True, **kwargs)


def vgg19(**kwargs):
    """VGG-19, configuration E, 143,667,240 parameters. See :class:`VGG`."""
    return VGG(19, **kwargs)


def vgg19_bn(**kwargs):
    """VGG-19 with batch normalisation, 143,678,248 parameters. See :class:`VGG`."""
    return VGG(19, True, **kwargs)
