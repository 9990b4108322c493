"""Boxes, key points and masks that move along with images."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad import Tensor, from_numpy

from ._layout import view_of

__all__ = ["Bundle", "Points", "Targets", "check_limits"]

# Points along each side of a box. A bent side is seen at these; straight ones need the ends.
_SIDE = 9


class Points:
    """Groups of points, each group of one image.

    Attributes:
        xy: (k, m, 2) float64, in pixels: pixel i covers [i, i + 1].
        owner: (k,), the image that a group belongs to.
        share: (k,), which part of the group's bounding box is still in the picture.
        seen: (k, m), whether a point never left the picture.
        clip: whether points that leave the picture are moved to its border.
    """

    __slots__ = ("clip", "owner", "seen", "share", "xy")

    def __init__(self, xy, owner, share, seen, clip):
        self.xy, self.owner, self.share, self.seen, self.clip = xy, owner, share, seen, clip

    def take(self, rows, n):
        """The groups of the images ``rows`` of n, and where they stand among all."""
        number = np.full(n, -1)
        number[rows] = np.arange(len(number[rows]))
        owner = number[self.owner]
        where = np.flatnonzero(owner >= 0)
        groups = (self.xy[where], owner[where], self.share[where], self.seen[where])
        return Points(*groups, self.clip), where

    def copy(self):
        """The same points in memory of their own."""
        return Points(self.xy.copy(), self.owner, self.share.copy(), self.seen.copy(), self.clip)

    def put(self, where, other):
        """Write groups that were taken."""
        self.xy[where], self.share[where], self.seen[where] = other.xy, other.share, other.seen

    def moved(self, move, shape):
        """The points moved, in a picture of ``shape`` (h, w, ...).

        Args:
            move: the function of points (p, 2) and of the image of each, (p,).
            shape: of the picture that they are in now.
        """
        k, m = self.xy.shape[:2]
        xy = move(self.xy.reshape(-1, 2), np.repeat(self.owner, m)).reshape(k, m, 2)
        low, high = np.zeros(2), np.array([shape[1], shape[0]], np.float64)
        seen = self.seen & ((xy >= low) & (xy <= high)).all(axis=2)
        if not self.clip:
            return Points(xy, self.owner, self.share, seen, False)
        inside = np.clip(xy, low, high)
        before, after = _area(xy), _area(inside)
        kept = np.divide(after, before, out=seen.all(axis=1).astype(float), where=before > 0)
        return Points(inside, self.owner, self.share * kept, seen, True)


def _area(xy):
    """Areas of the bounding boxes of groups of points."""
    if not xy.size:
        return np.zeros(len(xy))
    return np.prod(xy.max(axis=1) - xy.min(axis=1), axis=1)


class Bundle:
    """A block of images with what moves along: what composite transforms hand down.

    Attributes:
        images: (n, H, W, C).
        masks: (n, H, W, K), or None.
        mask_fill: what masks hold where nothing of them is left.
        points: a list of :class:`Points`.
    """

    __slots__ = ("images", "mask_fill", "masks", "points")

    def __init__(self, images, masks=None, mask_fill=0, points=()):
        self.images, self.masks, self.mask_fill = images, masks, mask_fill
        self.points = list(points)

    def moved(self, images, masks, move):
        """The bundle with new images and masks, and its points moved."""
        points = [p.moved(move, images.shape[1:]) for p in self.points] if move else self.points
        return Bundle(images, masks, self.mask_fill, points)

    def take(self, rows):
        """The part of the images ``rows``, and a token for :meth:`put`."""
        masks = None if self.masks is None else self.masks[rows]
        taken = [p.take(rows, len(self.images)) for p in self.points]
        part = Bundle(self.images[rows], masks, self.mask_fill, [p for p, _ in taken])
        return part, [where for _, where in taken]

    def copy(self):
        """The same in memory of its own, to put parts into."""
        masks = None if self.masks is None else self.masks.copy()
        return Bundle(self.images.copy(), masks, self.mask_fill, [p.copy() for p in self.points])

    def put(self, rows, token, part):
        """Write a part that was taken and then changed."""
        self.images[rows] = part.images
        if self.masks is not None:
            self.masks[rows] = part.masks
        for mine, where, theirs in zip(self.points, token, part.points, strict=True):
            mine.put(where, theirs)


def check_limits(min_visibility, tolerance):
    """Raise a ValueError that names the one which is out of range."""
    if not 0 <= min_visibility <= 1:
        raise ValueError(f"min_visibility must be in [0, 1], got {min_visibility}")
    if not tolerance >= 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance}")


class Targets:
    """Boxes, key points, masks and labels as a user gave them, checked, and back.

    They go block by block, as the images: :meth:`open` makes room for results, :meth:`bundle`
    gives those of a block and :meth:`store` takes them back, :meth:`results` gives all.

    Args:
        images: the :class:`Images` that they belong to.
        boxes: (k, 4) arrays of x1, y1, x2, y2 in pixels, a list of them for a batch.
        masks: (H, W) or (K, H, W) for an image, (N, H, W) or (N, K, H, W) for a batch; with
            channels last, K comes last too.
        keypoints: (k, 2) arrays of x, y, or (k, 3) with a visibility, a list for a batch.
        labels: arrays or lists of k labels of the boxes, a list of them for a batch.
        min_visibility: boxes of which a smaller share is left are dropped.
        tolerance: pixels by which a box may stand out of its picture; it is clipped.
        mask_fill: what masks hold where nothing of them is left.
    """

    def __init__(
        self, images, boxes=None, masks=None, keypoints=None, labels=None, min_visibility=0.0,
        tolerance=1.0, mask_fill=0,
    ):  # fmt: skip
        check_limits(min_visibility, tolerance)
        if labels is not None and boxes is None:
            raise ValueError("labels are those of boxes and are dropped with them: pass boxes too")
        self.images, self.min_visibility, self.tolerance = images, min_visibility, tolerance
        self.mask_fill, self.tensors = mask_fill, {}
        self.boxes = None if boxes is None else self._arrays(boxes, "boxes", (4,))
        self.keypoints = keypoints
        if keypoints is not None:
            self.keypoints = self._arrays(keypoints, "keypoints", (2, 3))
        self.labels = None if labels is None else self._labels(labels)
        self.mask_layout = self.masks = None
        if masks is not None:
            self._open_masks(masks)
        if self.boxes is not None:
            self._check_boxes()

    def __bool__(self):
        return any(t is not None for t in (self.boxes, self.keypoints, self.masks))

    def _listed(self, given, name):
        """One entry for each image."""
        if self.images.single:
            return [given]
        entries = len(given) if hasattr(given, "__len__") else None
        if entries != len(self.images):
            what = repr(given) if entries is None else f"{entries} entries"
            raise ValueError(
                f"{name} must be a list with one entry for each of {len(self.images)} images, "
                f"got {what}"
            )
        return list(given)

    def _arrays(self, given, name, widths):
        given = self._listed(given, name)
        self.tensors[name] = [isinstance(a, Tensor) for a in given]
        arrays = [np.asarray(a) for a in given]
        arrays = [a.reshape(0, widths[0]) if a.size == 0 else a for a in arrays]
        for i, a in enumerate(arrays):
            if a.ndim != 2 or a.shape[1] not in widths:
                wanted = " or ".join(f"(k, {w})" for w in widths)
                raise ValueError(f"{name} of image {i} must have shape {wanted}, got {a.shape}")
            if not np.isfinite(a.astype(np.float64)).all():
                raise ValueError(f"{name} of image {i} hold a value that is not finite: {a}")
        return arrays

    def _labels(self, given):
        labels = self._listed(given, "labels")
        for i, (label, box) in enumerate(zip(labels, self.boxes, strict=True)):
            if isinstance(label, str) or not hasattr(label, "__len__"):
                raise ValueError(
                    f"labels of image {i} must be a list, array or Tensor with one for each of its "
                    f"{len(box)} boxes, got {label!r}"
                )
            if len(label) != len(box):
                raise ValueError(f"labels of image {i}: got {len(label)} for {len(box)} boxes")
        return labels

    def _check_boxes(self):
        h, w = self.images.view.shape[1:3]
        for i, boxes in enumerate(self.boxes):
            turned = (boxes[:, :2] > boxes[:, 2:]).any(axis=1)
            if turned.any():
                raise ValueError(
                    f"boxes of image {i}: {boxes[turned][0]} is not x1, y1, x2, y2 with "
                    "x1 <= x2 and y1 <= y2"
                )
            beyond = np.maximum(0.0 - boxes, boxes - [w, h, w, h]).max(axis=1, initial=0)
            out = beyond > self.tolerance
            if out.any():
                raise ValueError(
                    f"boxes of image {i}: {boxes[out][0]} stands out of a picture {w} wide and "
                    f"{h} high by more than tolerance={self.tolerance} pixels; clip it or raise it"
                )

    def _open_masks(self, masks):
        self.mask_tensor = isinstance(masks, Tensor)
        array = masks.detach().numpy() if self.mask_tensor else np.asarray(masks)
        last = self.images.layout.endswith("C")
        rank = array.ndim + self.images.single
        if rank not in (3, 4):
            raise ValueError(f"masks must be (N, H, W), or with K masks each; got {array.shape}")
        layout = "NHW" if rank == 3 else "NHWC" if last else "NCHW"
        layout = layout.replace("N", "") if self.images.single else layout
        view = view_of(array, layout)
        if view.shape[:3] != self.images.view.shape[:3]:
            raise ValueError(
                f"masks of shape {array.shape} do not fit images of {len(self.images)} times "
                f"{self.images.view.shape[1:3]} pixels"
            )
        if not _holds(array.dtype, self.mask_fill):
            raise ValueError(
                f"mask_fill must be a number that masks of {array.dtype} can hold, got "
                f"{self.mask_fill!r}"
            )
        self.mask_layout, self.masks = layout, view

    def open(self, shape):
        """Make room for what pictures become of ``shape`` (H, W, C).

        Returns:
            The elements of an image's masks, the smaller or the larger.
        """
        n = len(self.images)
        given = {"boxes": self.boxes, "labels": self.labels, "keypoints": self.keypoints}
        self._done = {name: [None] * n for name, list_ in given.items() if list_ is not None}
        if self.masks is None:
            return 0
        count = self.masks.shape[3]
        sizes = dict(zip("NHWC", (n, *shape[:2], count), strict=True))
        self._mask_out = np.empty([sizes[axis] for axis in self.mask_layout], self.masks.dtype)
        return count * max(math.prod(shape[:2]), math.prod(self.masks.shape[1:3]))

    def bundle(self, block, rows):
        """A bundle of the images ``rows``, which are ``block`` (n, H, W, C), and their targets."""
        points, masks = [], None
        if self.boxes is not None:
            points.append(self._box_points(self.boxes[rows]))
        if self.keypoints is not None:
            points.append(_keypoint_points(self.keypoints[rows]))
        if self.masks is not None:
            masks = np.ascontiguousarray(self.masks[rows]).view()
            masks.flags.writeable = False
        return Bundle(block, masks, self.mask_fill, points)

    def _box_points(self, listed):
        given, owner = _joined(listed, 4)
        h, w = self.images.view.shape[1:3]
        boxes = np.clip(given, 0, [w, h, w, h])
        # Of one that lies beside the picture nothing is left. Others count as they are clipped.
        left = (_area(boxes.reshape(-1, 2, 2)) > 0) | (_area(given.reshape(-1, 2, 2)) == 0)
        along = np.linspace(0, 1, _SIDE)
        x = boxes[:, 0:1] + along * (boxes[:, 2:3] - boxes[:, 0:1])
        y = boxes[:, 1:2] + along * (boxes[:, 3:4] - boxes[:, 1:2])
        x[:, -1], y[:, -1] = boxes[:, 2], boxes[:, 3]
        flat = np.ones(_SIDE)
        sides = [
            (x, boxes[:, 1:2] * flat), (x, boxes[:, 3:4] * flat),
            (boxes[:, 0:1] * flat, y), (boxes[:, 2:3] * flat, y),
        ]  # fmt: skip
        xy = np.concatenate([np.stack(side, axis=-1) for side in sides], axis=1)
        return Points(xy, owner, left.astype(float), np.ones(xy.shape[:2], bool), True)

    def store(self, rows, bundle):
        """Keep what the targets of the images ``rows`` have become."""
        points = list(bundle.points)
        if self.boxes is not None:
            self._store_boxes(rows, points.pop(0))
        if self.keypoints is not None:
            self._store_keypoints(rows, points.pop(0))
        if self.masks is not None:
            view_of(self._mask_out, self.mask_layout)[rows] = bundle.masks

    def _store_boxes(self, rows, points):
        corners = np.concatenate([points.xy.min(axis=1), points.xy.max(axis=1)], axis=1)
        # A share that is the limit but for rounding is kept.
        kept = (points.share > 0) & (points.share >= self.min_visibility - 1e-9)
        for i, own in _own_rows(self.boxes, rows):
            boxes = corners[own][kept[own]].astype(_float_dtype(self.boxes[i]))
            self._done["boxes"][i] = self._as_given("boxes", i, boxes)
            if self.labels is not None:
                self._done["labels"][i] = _kept(self.labels[i], kept[own])

    def _store_keypoints(self, rows, points):
        xy, seen = points.xy[:, 0], points.seen[:, 0]
        for i, own in _own_rows(self.keypoints, rows):
            moved = self.keypoints[i].astype(_float_dtype(self.keypoints[i]))
            moved[:, :2] = xy[own]
            if moved.shape[1] == 3:
                moved[:, 2] *= seen[own]
            self._done["keypoints"][i] = self._as_given("keypoints", i, moved)

    def _as_given(self, name, i, array):
        return from_numpy(array) if self.tensors[name][i] else array

    def results(self):
        """The targets, as they came: a dict of those that were given."""
        out = dict(self._done)
        if self.images.single:
            out = {name: listed[0] for name, listed in out.items()}
        if self.masks is not None:
            out["masks"] = from_numpy(self._mask_out) if self.mask_tensor else self._mask_out
        return out


def _keypoint_points(listed):
    points, owner = _joined([k[:, :2] for k in listed], 2)
    seen = np.ones((len(points), 1), bool)
    return Points(points[:, None], owner, np.ones(len(points)), seen, False)


def _joined(listed, width):
    """Arrays (k, width) as one of float64, and the number of the one that each row is from."""
    joined = np.concatenate([np.zeros((0, width)), *listed]).astype(np.float64, copy=False)
    return joined, np.repeat(np.arange(len(listed)), [len(a) for a in listed])


def _own_rows(listed, rows):
    """The numbers of the arrays of a slice, with the rows of each once they are joined."""
    end = 0
    for i in range(*rows.indices(len(listed))):
        begin, end = end, end + len(listed[i])
        yield i, slice(begin, end)


def _float_dtype(array):
    return array.dtype if array.dtype.kind == "f" else np.float64


def _holds(dtype, value):
    """Whether a dtype can hold a number as it is; a floating one, to rounding."""
    if np.ndim(value) or np.asarray(value).dtype.kind not in "biuf":
        return False
    with np.errstate(invalid="ignore"):
        return dtype.kind not in "biu" or np.asarray(value).astype(dtype) == value


def _kept(labels, kept):
    """The labels that are kept, in the type that came."""
    if isinstance(labels, Tensor):
        return labels[from_numpy(np.flatnonzero(kept))]
    if isinstance(labels, np.ndarray):
        return labels[kept]
    left = [label for label, keep in zip(labels, kept, strict=True) if keep]
    return tuple(left) if isinstance(labels, tuple) else left
