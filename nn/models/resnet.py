"""ResNet: blocks that add to their input.

He, Zhang, Ren & Sun, "Deep residual learning for image recognition" (arXiv:1512.03385). In a
bottleneck the step stands at the 3 x 3 window, as torchvision has it, not at the first 1 x 1.
"""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F
from tensorgrad.nn.models._check import check_images, choose


def _conv(in_channels, out_channels, kernel_size, stride=1):
    return nn.Conv2d(
        in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False
    )


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions, added to the input.

    Args:
        inplanes: channels of the input.
        planes: channels of the output.
        stride: step of the first convolution.
        downsample: what makes the input fit the result; None where it does.

    >>> import tensorgrad as torch
    >>> torch.nn.models.BasicBlock(4, 4)(torch.zeros(1, 4, 6, 6)).shape
    torch.Size([1, 4, 6, 6])
    """

    expansion = 1

    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1 = _conv(inplanes, planes, 3, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv(planes, planes, 3)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x):
        """The activations."""
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class Bottleneck(nn.Module):
    """A 1 x 1 convolution to fewer channels, a 3 x 3 one and a 1 x 1 one back, plus the input.

    Args:
        inplanes: channels of the input.
        planes: of the 3 x 3 convolution; the output has four times as many.
        stride: its step.
        downsample: what makes the input fit the result; None where it does.

    >>> import tensorgrad as torch
    >>> torch.nn.models.Bottleneck(8, 2)(torch.zeros(1, 8, 6, 6)).shape
    torch.Size([1, 8, 6, 6])
    """

    expansion = 4

    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1 = _conv(inplanes, planes, 1)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv(planes, planes, 3, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = _conv(planes, planes * self.expansion, 1)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x):
        """The activations."""
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += identity
        return self.relu(out)


# Table 1 of the paper: the block and how many of them each of the four stages has.
_DEPTHS = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}


class ResNet(nn.Module):
    """Four stages of residual blocks.

    Args:
        block: :class:`BasicBlock` or :class:`Bottleneck`.
        layers: how many blocks each of the four stages has.
        num_classes: length of the output.
        zero_init_residual: begin with blocks that return their input (the last scale is 0).
        in_channels: of the images.
        dropout: probability before the output (0).
        small: for images of 28 or 32 pixels: the first window is 3 x 3 at step 1 and the
            pooling after it is left out.

    Raises:
        ValueError: not four stages.
        RuntimeError: images of other channels.

    >>> import tensorgrad as torch
    >>> from tensorgrad.nn.models import BasicBlock, ResNet
    >>> model = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=10, small=True)
    >>> model.eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self, block, layers, num_classes=1000, zero_init_residual=False, in_channels=3,
        dropout=0.0, small=False,
    ):  # fmt: skip
        super().__init__()
        if len(layers) != 4:
            raise ValueError(f"layers should count the blocks of four stages, got {layers}")
        self.in_channels, self.dropout, self.inplanes = in_channels, dropout, 64
        self.conv1 = _conv(in_channels, 64, 3) if small else _conv(in_channels, 64, 7, 2)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._stage(block, 64, layers[0], 1)
        self.layer2 = self._stage(block, 128, layers[1], 2)
        self.layer3 = self._stage(block, 256, layers[2], 2)
        self.layer4 = self._stage(block, 512, layers[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        self._initialize(zero_init_residual)

    def _stage(self, block, planes, count, stride):
        wide = planes * block.expansion
        downsample = None
        if stride != 1 or self.inplanes != wide:
            downsample = nn.Sequential(_conv(self.inplanes, wide, 1, stride), nn.BatchNorm2d(wide))
        blocks = [block(self.inplanes, planes, stride, downsample)]
        self.inplanes = wide
        blocks += [block(wide, planes) for _ in range(count - 1)]
        return nn.Sequential(*blocks)

    def _initialize(self, zero_init_residual):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(m, BasicBlock):
                nn.init.zeros_(m.bn2.weight)
            elif zero_init_residual and isinstance(m, Bottleneck):
                nn.init.zeros_(m.bn3.weight)

    def forward(self, x):
        """The scores, (N, num_classes)."""
        check_images(self, x, self.in_channels, 1)
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = tg.flatten(self.avgpool(x), 1)
        if self.dropout:
            x = F.dropout(x, self.dropout, self.training)
        return self.fc(x)


def resnet(depth, **kwargs):
    """ResNet of any published depth; the other arguments are those of :class:`ResNet`.

    Raises:
        ValueError: another depth.

    >>> import tensorgrad as torch
    >>> torch.nn.models.resnet(20)
    Traceback (most recent call last):
    tensorgrad.errors.ArgumentError: resnet: depth should be one of 18, 34, 50, 101, 152, got 20
    """
    block, layers = choose("resnet: depth", depth, _DEPTHS)
    return ResNet(block, layers, **kwargs)


def resnet18(**kwargs):
    """ResNet-18, 11,689,512 parameters. See :class:`ResNet`."""
    return resnet(18, **kwargs)


def resnet34(**kwargs):
    """ResNet-34, 21,797,672 parameters. See :class:`ResNet`."""
    return resnet(34, **kwargs)


def resnet50(**kwargs):
    """ResNet-50, 25,557,032 parameters. See :class:`ResNet`."""
    return resnet(50, **kwargs)


def resnet101(**kwargs):
    """ResNet-101, 44,549,160 parameters. See :class:`ResNet`."""
    return resnet(101, **kwargs)


def resnet152(**kwargs):
    """ResNet-152, 60,192,808 parameters. See :class:`ResNet`."""
    return resnet(152, **kwargs)
