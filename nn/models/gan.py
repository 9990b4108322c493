"""Generators and discriminators for adversarial training, of vectors and of small images.

Goodfellow et al., "Generative adversarial networks" (arXiv:1406.2661); for images the convolutions
of DCGAN: Radford, Metz & Chintala (arXiv:1511.06434). With ``num_classes`` both networks know the
class: the generator reads it beside the noise (Mirza & Osindero, arXiv:1411.1784), and the
discriminator adds the product of its features with a vector of the class to the score (projection:
Miyato & Koyama, arXiv:1802.05637).

A generator takes noise (N, latent_size) and labels (N,) or none, a discriminator takes samples and
labels or none, and returns scores (N,): plain numbers, as ``F.generator_loss`` and
``F.discriminator_loss`` want them.
"""

from __future__ import annotations

import itertools
import math

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import ArgumentError, ShapeError
from tensorgrad.nn import functional as F
from tensorgrad.nn.models._check import check_images, choose

_OUTPUTS = {None: nn.Identity, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
_NORMS = {
    None: lambda channels: nn.Identity(),
    "batch": nn.BatchNorm2d,
    "layer": lambda channels: nn.GroupNorm(1, channels),
}


# --- labels -----------------------------------------------------------------------------


def _check_classes(model, labels, count):
    """Refuse labels that do not fit the network or the samples."""
    name, known = type(model).__name__, model.num_classes
    if known is None:
        if labels is not None:
            raise ArgumentError(f"{name} knows no classes, but was given labels; make it with "
                                "num_classes=")  # fmt: skip
        return
    if labels is None:
        raise ArgumentError(f"{name} is conditional on {known} classes and needs labels (N,)")
    if tuple(labels.shape) != (count,) or labels.is_floating_point():
        raise ArgumentError(
            f"{name}: labels should be whole numbers of shape ({count},), got "
            f"{tuple(labels.shape)} {labels.dtype}"
        )
    if count and not 0 <= labels.min().item() <= labels.max().item() < known:
        raise ArgumentError(
            f"{name}: labels should be in 0..{known - 1}, got {labels.min().item()}.."
            f"{labels.max().item()}"
        )


def _positive(name, **sizes):
    for what, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ArgumentError(f"{name}: {what} must be a whole number from 1, got {size!r}")


class _Generator(nn.Module):
    """What generators share: noise and classes as one vector."""

    def __init__(self, latent_size, num_classes):
        super().__init__()
        _positive(type(self).__name__, latent_size=latent_size)
        if num_classes is not None:
            _positive(type(self).__name__, num_classes=num_classes)
        self.latent_size, self.num_classes = latent_size, num_classes
        self._inputs = latent_size + (num_classes or 0)

    def _joined(self, noise, labels):
        """The noise, with the class as a row of zeros and a one behind it."""
        if noise.ndim != 2 or noise.shape[1] != self.latent_size:
            raise ShapeError(
                f"{type(self).__name__} takes noise (batch, {self.latent_size}), got "
                f"{tuple(noise.shape)}"
            )
        _check_classes(self, labels, len(noise))
        if labels is None:
            return noise
        return tg.cat([noise, F.one_hot(labels, self.num_classes).to(noise.dtype)], 1)


class _Discriminator(nn.Module):
    """What discriminators share: the score of features, given the class."""

    def __init__(self, num_classes):
        super().__init__()
        if num_classes is not None:
            _positive(type(self).__name__, num_classes=num_classes)
        self.num_classes = num_classes

    def _make_head(self, features):
        self.score = nn.Linear(features, 1)
        self.classes = None if self.num_classes is None else nn.Embedding(
            self.num_classes, features
        )  # fmt: skip

    def _scores(self, features, labels):
        """One number for each row."""
        scores = self.score(features)[:, 0]
        if self.classes is None:
            return scores
        # Over the root of their number: features count as much as a linear layer's own would.
        fit = (features * self.classes(labels)).sum(1)
        return scores + fit / math.sqrt(features.shape[1])


# --- vectors ----------------------------------------------------------------------------


def _perceptron(sizes):
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def _check_hidden(name, hidden):
    if not len(hidden):
        raise ArgumentError(f"{name}: hidden should hold the width of one layer or more")
    for width in hidden:
        _positive(name, hidden=width)


class MLPGenerator(_Generator):
    """Makes vectors out of noise: linear layers and leaky ReLU.

    Args:
        latent_size: length of the noise.
        out_features: length of the vectors.
        hidden: widths of the hidden layers.
        num_classes: how many classes it is conditional on; None: on none.
        output: what ends it: None, "tanh" (-1..1) or "sigmoid" (0..1).

    Raises:
        ValueError: a size that is no whole number from 1, or another ``output``.
        RuntimeError: noise of another length.

    >>> import tensorgrad as torch
    >>> model = torch.nn.models.MLPGenerator(8, 2, num_classes=3)
    >>> model(torch.randn(4, 8), torch.tensor([0, 1, 2, 0])).shape
    torch.Size([4, 2])
    """

    def __init__(self, latent_size, out_features, hidden=(128, 128), num_classes=None, output=None):
        super().__init__(latent_size, num_classes)
        _positive("MLPGenerator", out_features=out_features)
        _check_hidden("MLPGenerator", hidden)
        last = choose("MLPGenerator: output", output, _OUTPUTS)()
        self.features = _perceptron([self._inputs, *hidden])
        self.output = nn.Sequential(nn.Linear(hidden[-1], out_features), last)

    def forward(self, noise, labels=None):
        """Vectors (N, out_features)."""
        return self.output(self.features(self._joined(noise, labels)))


class MLPDiscriminator(_Discriminator):
    """Scores vectors: linear layers and leaky ReLU.

    Each vector is scored by itself, so that a gradient penalty is that of each.

    Args:
        in_features: length of the vectors.
        hidden: widths of the hidden layers.
        num_classes: how many classes it is conditional on; None: on none.

    Raises:
        ValueError: a size that is no whole number from 1.
        RuntimeError: vectors of another length.

    >>> import tensorgrad as torch
    >>> torch.nn.models.MLPDiscriminator(2)(torch.zeros(4, 2)).shape
    torch.Size([4])
    """

    def __init__(self, in_features, hidden=(128, 128), num_classes=None):
        super().__init__(num_classes)
        _positive("MLPDiscriminator", in_features=in_features)
        _check_hidden("MLPDiscriminator", hidden)
        self.in_features = in_features
        self.features = _perceptron([in_features, *hidden])
        self._make_head(hidden[-1])

    def forward(self, x, labels=None):
        """The scores (N,)."""
        if x.ndim != 2 or x.shape[1] != self.in_features:
            raise ShapeError(
                f"MLPDiscriminator takes vectors (batch, {self.in_features}), got {tuple(x.shape)}"
            )
        _check_classes(self, labels, len(x))
        return self._scores(self.features(x), labels)


# --- images -----------------------------------------------------------------------------


def _stages(name, size):
    """The side of the smallest maps, and how often they double: 28 is 7 twice, 32 is 4 thrice."""
    _positive(name, image_size=size)
    base, doublings = size, 0
    while base > 4 and base % 2 == 0:
        base, doublings = base // 2, doublings + 1
    if not doublings:
        raise ArgumentError(f"{name}: image_size must be even and at least 6, got {size}")
    return base, doublings


def _widths(width, doublings):
    """Channels from the largest maps to the smallest."""
    return [width * 2**i for i in range(doublings)]


def _initialize(model):
    """As in the paper: normal, deviation 0.02; the scale of a norm around one."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)


class DCGANGenerator(_Generator):
    """Makes square images out of noise: transposed convolutions, batch normalisation and ReLU.

    Args:
        latent_size: length of the noise.
        channels: of the images.
        image_size: height and width, even and at least 6: the first maps have the odd part of it
            as their side, or 4 (28 is 7 doubled twice, 32 is 4 doubled thrice).
        width: channels of the largest maps; each smaller ones have twice as many.
        num_classes: how many classes it is conditional on; None: on none.
        output: what ends it: "tanh" (-1..1, as published), "sigmoid" (0..1) or None.

    Raises:
        ValueError: an argument out of range.
        RuntimeError: noise of another length.

    >>> import tensorgrad as torch
    >>> model = torch.nn.models.DCGANGenerator(16, image_size=32, width=8, num_classes=10)
    >>> model(torch.randn(2, 16), torch.tensor([3, 7])).shape
    torch.Size([2, 1, 32, 32])
    """

    def __init__(
        self, latent_size=100, channels=1, image_size=28, width=64, num_classes=None, output="tanh"
    ):
        super().__init__(latent_size, num_classes)
        _positive("DCGANGenerator", channels=channels, width=width)
        base, doublings = _stages("DCGANGenerator", image_size)
        *widths, top = _widths(width, doublings)
        last = choose("DCGANGenerator: output", output, _OUTPUTS)()
        self.project = nn.Sequential(
            nn.Linear(self._inputs, top * base * base, bias=False),
            nn.Unflatten(1, (top, base, base)), nn.BatchNorm2d(top), nn.ReLU(),
        )  # fmt: skip
        layers = []
        for outputs in reversed(widths):
            layers += [
                nn.ConvTranspose2d(2 * outputs, outputs, 4, 2, 1, bias=False),
                nn.BatchNorm2d(outputs), nn.ReLU(),
            ]  # fmt: skip
        self.features = nn.Sequential(*layers)
        self.output = nn.Sequential(nn.ConvTranspose2d(width, channels, 4, 2, 1), last)
        _initialize(self)

    def forward(self, noise, labels=None):
        """Images (N, channels, image_size, image_size)."""
        return self.output(self.features(self.project(self._joined(noise, labels))))


class DCGANDiscriminator(_Discriminator):
    """Scores square images: convolutions of step 2 and leaky ReLU.

    Args:
        channels: of the images.
        image_size: height and width; see :class:`DCGANGenerator`.
        width: channels of the largest maps; each smaller ones have twice as many.
        num_classes: how many classes it is conditional on; None: on none.
        norm: after every convolution but the first: "batch" as published, "layer" (of each image
            by itself, as a gradient penalty needs it) or None.

    Raises:
        ValueError: an argument out of range.
        RuntimeError: images of another shape.

    >>> import tensorgrad as torch
    >>> torch.nn.models.DCGANDiscriminator(image_size=28, width=8)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2])
    """

    def __init__(self, channels=1, image_size=28, width=64, num_classes=None, norm="batch"):
        super().__init__(num_classes)
        _positive("DCGANDiscriminator", channels=channels, width=width)
        base, doublings = _stages("DCGANDiscriminator", image_size)
        make_norm = choose("DCGANDiscriminator: norm", norm, _NORMS)
        self.channels, self.image_size = channels, image_size
        widths = _widths(width, doublings)
        layers = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for inputs, outputs in itertools.pairwise(widths):
            layers += [
                nn.Conv2d(inputs, outputs, 4, 2, 1, bias=norm is None),
                make_norm(outputs), nn.LeakyReLU(0.2),
            ]  # fmt: skip
        self.features = nn.Sequential(*layers, nn.Flatten())
        self._make_head(widths[-1] * base * base)
        _initialize(self)

    def forward(self, x, labels=None):
        """The scores (N,)."""
        check_images(self, x, self.channels, self.image_size)
        if max(x.shape[2:]) > self.image_size:
            size = self.image_size
            raise ShapeError(
                f"DCGANDiscriminator was made for {size} x {size} pixels, got {x.shape[2]} x "
                f"{x.shape[3]}"
            )
        _check_classes(self, labels, len(x))
        return self._scores(self.features(x), labels)
