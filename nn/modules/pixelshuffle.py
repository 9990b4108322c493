"""Channels rearranged into space, and among themselves."""

from __future__ import annotations

from tensorgrad.nn import functional as F
from tensorgrad.nn.modules.module import Module


class PixelShuffle(Module):
    """(..., C r², H, W) to (..., C, H r, W r); see :func:`tensorgrad.nn.functional.pixel_shuffle`.

    Args:
        upscale_factor: r.
    """

    def __init__(self, upscale_factor):
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input):
        """Rearrange ``input``."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self):
        """The factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """The inverse of :class:`PixelShuffle`.

    Args:
        downscale_factor: r.
    """

    def __init__(self, downscale_factor):
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input):
        """Rearrange ``input``."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self):
        """The factor."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Interleaves the channels of ``groups`` groups: Zhang et al., arXiv:1707.01083."""

    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, input):
        """Rearrange ``input`` (N, C, ...)."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self):
        """The number of groups."""
        return f"groups={self.groups}"
