"""AlexNet, in the form for one device that torchvision has.

Krizhevsky, Sutskever & Hinton, "ImageNet classification with deep convolutional neural
networks", NIPS 2012; the channels are those of Krizhevsky, "One weird trick for parallelizing
convolutional neural networks" (arXiv:1404.5997).
"""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.models._check import check_images


class AlexNet(nn.Module):
    """Five convolutions with overlapping pooling, then three linear layers.

    Args:
        num_classes: length of the output.
        dropout: probability before the first two linear layers.
        in_channels: of the images.
        small: for images of 28 or 32 pixels: the first window is 5 x 5 at step 1, the bins at
            the end are 3 x 3 and the hidden layers have 1,024 units.

    Raises:
        RuntimeError: images below 63 pixels (15 with ``small``), or of other channels.

    >>> import tensorgrad as torch
    >>> model = torch.nn.models.AlexNet(num_classes=10, small=True)
    >>> model(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(self, num_classes=1000, dropout=0.5, in_channels=3, small=False):
        super().__init__()
        self.in_channels, self.least = in_channels, 15 if small else 63
        first = {"kernel_size": 5, "padding": 2} if small else {
            "kernel_size": 11, "stride": 4, "padding": 2
        }  # fmt: skip
        bins, hidden = (3, 1024) if small else (6, 4096)
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 64, **first), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d((bins, bins))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(256 * bins * bins, hidden), nn.ReLU(inplace=True),
            nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU(inplace=True),
            nn.Linear(hidden, num_classes),
        )  # fmt: skip

    def forward(self, x):
        """The scores, (N, num_classes)."""
        check_images(self, x, self.in_channels, self.least, "for small images make it small=True")
        x = self.avgpool(self.features(x))
        return self.classifier(tg.flatten(x, 1))


def alexnet(**kwargs):
    """AlexNet, 61,100,840 parameters; the arguments are those of :class:`AlexNet`.

    >>> import tensorgrad as torch
    >>> torch.nn.models.alexnet(num_classes=5, small=True).classifier[-1]
    Linear(in_features=1024, out_features=5, bias=True)
    """
    return AlexNet(**kwargs)
