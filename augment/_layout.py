"""Images of any layout, dtype and range, as blocks (N, H, W, C) and back."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad import Tensor, from_numpy

__all__ = ["LAYOUTS", "Images", "check_layout", "range_of", "shape_of", "view_of"]

# Layout -> the view (N, H, W, C) of an array in it.
LAYOUTS = {
    "NHWC": lambda a: a,
    "NCHW": lambda a: a.transpose(0, 2, 3, 1),
    "NHW": lambda a: a[..., None],
    "HWC": lambda a: a[None],
    "CHW": lambda a: a.transpose(1, 2, 0)[None],
    "HW": lambda a: a[None, :, :, None],
}
_BY_RANK = {4: "NCHW", 3: "CHW", 2: "HW"}
# How far, in parts of the range, values may lie outside it: what rounding does. They are clipped.
_SLACK = 1e-4
_FEW = 16  # channels


def view_of(array, layout):
    """The view (N, H, W, C) of ``array``."""
    return LAYOUTS[layout](array)


def check_layout(layout):
    """``layout`` where it is None or one of :data:`LAYOUTS`."""
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}, but got {layout!r}")
    return layout


def range_of(value_range):
    """(low, high) as floats."""
    try:
        low, high = map(float, value_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if -math.inf < low < high < math.inf:
        return low, high
    raise ValueError(
        f"value_range must be (low, high), finite numbers with low < high, got {value_range!r}"
    )


def _layout_of(array, layout, name):
    shape = array.shape
    if check_layout(layout) is not None:
        if len(layout) != array.ndim:
            raise ValueError(
                f"{name}: layout {layout!r} needs {len(layout)} dimensions, got shape {shape}"
            )
        return layout
    if array.ndim not in _BY_RANK:
        raise ValueError(
            f"{name} must have 2 (HW), 3 (CHW) or 4 (NCHW) dimensions, got shape {shape}"
        )
    found = _BY_RANK[array.ndim]
    if array.ndim > 2 and shape[-1] in (1, 3, 4) and shape[-3] not in (1, 2, 3, 4):
        other = found.replace("C", "") + "C"
        raise ValueError(
            f"{name} of shape {shape} would be read as {found}, with {shape[-3]} channels, but "
            f"looks like {other}: pass layout={other!r} or layout={found!r}"
        )
    return found


def shape_of(images, layout):
    """How many images there are, and the shape (H, W, C) of each."""
    array = images.detach().numpy() if isinstance(images, Tensor) else np.asarray(images)
    view = view_of(array, _layout_of(array, layout, "images"))
    return len(view), view.shape[1:]


def _contiguous(view):
    """The images (n, H, W, C) in one piece; channel by channel takes a quarter of the time."""
    if view.flags.c_contiguous or view.shape[-1] > _FEW:
        return np.ascontiguousarray(view)
    out = np.empty(view.shape, view.dtype)
    for channel in range(view.shape[-1]):
        out[..., channel] = view[..., channel]
    return out


class Images:
    """Images as they came, and how what is made of them goes back.

    With ``value_range`` None their values are not looked at.

    Attributes:
        view: (N, H, W, C), on the memory that came.
        layout: one of :data:`LAYOUTS`.
        single: whether one image came without a batch dimension.
    """

    def __init__(self, images, layout=None, value_range=(0.0, 1.0), name="images"):
        self.tensor = isinstance(images, Tensor)
        array = images.detach().numpy() if self.tensor else np.asarray(images)
        if array.dtype != np.uint8 and array.dtype.kind != "f":
            raise TypeError(
                f"{name} must be uint8 or floating point, got {array.dtype} of shape "
                f"{array.shape}; convert it first"
            )
        self.layout = _layout_of(array, layout, name)
        self.view, self.dtype = view_of(array, self.layout), array.dtype
        self.single = "N" not in self.layout
        low, high = (0.0, 1.0) if value_range is None else range_of(value_range)
        self.low, self.high, self.width = low, high, high - low
        checked = value_range is not None and self.dtype != np.uint8
        self.clips = checked and self._check_range(array, low, high, name)

    def _check_range(self, array, low, high, name):
        if not array.size:
            return False
        least, most = float(array.min()), float(array.max())
        if least >= low and most <= high:
            return False
        slack = _SLACK * (high - low)
        if not (least >= low - slack and most <= high + slack):
            raise ValueError(
                f"{name} of shape {array.shape} hold values from {least:g} to {most:g}, outside "
                f"value_range=({low:g}, {high:g}); scale them or declare their range"
            )
        return True

    def __len__(self):
        return len(self.view)

    @property
    def plain(self):
        """Whether a float's range is (0, 1) already."""
        return self.dtype == np.uint8 or (self.low == 0.0 and self.width == 1.0)

    def block(self, rows):
        """The images of a slice, as a contiguous array (n, H, W, C) that cannot be written.

        It is uint8, or float32 or float64 in [0, 1].
        """
        block = _contiguous(self.view[rows])
        if self.dtype.itemsize == 2:
            block = block.astype(np.float32)
        elif not self.dtype.isnative:
            block = block.astype(self.dtype.newbyteorder("="))
        if not self.plain:
            block = (block - block.dtype.type(self.low)) / block.dtype.type(self.width)
        if self.clips or not self.plain:
            block = np.clip(block, 0, 1)
        block = block.view()
        block.flags.writeable = False
        return block

    def empty(self, shape):
        """An array in the layout that came, and its view, for images of ``shape`` (H, W, C)."""
        h, w, c = shape
        if c != self.view.shape[-1] and "C" not in self.layout:
            raise ValueError(f"layout {self.layout} holds one channel, the result has {c}")
        sizes = {"N": len(self.view), "H": h, "W": w, "C": c}
        array = np.empty([sizes[axis] for axis in self.layout], self.dtype)
        return array, view_of(array, self.layout)

    def store(self, out, rows, block):
        """Write a block that was made into the view of the result."""
        if block.shape != out[rows].shape or (block.dtype == np.uint8) != (self.dtype == np.uint8):
            raise ValueError(
                f"a transform made {block.dtype} images of shape {block.shape} of {self.dtype} "
                f"ones where {out[rows].shape} was expected: apply must keep the dtype, and give "
                "the shape that output_shape says"
            )
        if not self.plain:
            # Clipped: scaling to [0, 1] and back rounds.
            low, high = (self.dtype.type(v) for v in (self.low, self.high))
            block = block * block.dtype.type(self.width) + block.dtype.type(self.low)
            block = np.clip(block.astype(self.dtype, copy=False), low, high)
        out[rows] = block

    def finish(self, array):
        """``array`` as what came: a Tensor or an array."""
        return from_numpy(array) if self.tensor else array
