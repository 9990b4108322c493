"""Errors that name the network, raised before a layer deep inside meets what it cannot take."""

from __future__ import annotations

from tensorgrad.errors import ArgumentError, ShapeError


def check_images(model, x, channels, least, hint=""):
    """Refuse what is no batch of large enough images.

    Args:
        model: the network, for its name.
        x: its input.
        channels: that it was made for.
        least: the smallest height and width that leave something at its end.
        hint: what to do about smaller images.

    Raises:
        RuntimeError: another rank, number of channels, or too small.
    """
    shape = tuple(x.shape)
    name = type(model).__name__
    if len(shape) != 4 or shape[1] != channels:
        raise ShapeError(
            f"{name} takes images (batch, {channels}, height, width), got {shape}"
            + ("; add a batch dimension with unsqueeze(0)" if len(shape) == 3 else "")
        )
    if min(shape[2:]) < least:
        raise ShapeError(
            f"{name} takes images of at least {least} x {least} pixels, got "
            f"{shape[2]} x {shape[3]}{hint and '; ' + hint}"
        )


def choose(what, key, table):
    """The entry of ``table``.

    Raises:
        ValueError: there is none.
    """
    if key not in table:
        known = ", ".join(map(str, table))
        raise ArgumentError(f"{what} should be one of {known}, got {key!r}")
    return table[key]
