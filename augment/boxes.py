"""Boxes, key points and masks that move along with images."""

from __future__ import annotations

import numpy as np

from tensorgrad import Tensor, from_numpy

from ._layout import view_of

__all__ = ["Bundle", "Points", "Targets"]

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


class Targets:
    """Boxes, key points, masks and labels as a user gave them, checked, and back.

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
        if not 0 <= min_visibility <= 1:
            raise ValueError(f"min_visibility must be in [0, 1], got {min_visibility}")
        if tolerance < 0:
            raise ValueError(f"tolerance must not be negative, got {tolerance}")
        if labels is not None and boxes is None:
            raise ValueError("labels are those of boxes and are dropped with them: pass boxes too")
        self.images, self.min_visibility, self.tolerance = images, min_visibility, tolerance
        self.mask_fill, self.tensors = mask_fill, set()
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
        if any(isinstance(a, Tensor) for a in given):
            self.tensors.add(name)
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
            beyond = np.maximum(-boxes, boxes - [w, h, w, h]).max(axis=1, initial=0)
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
        self.mask_layout, self.masks = layout, view

    def bundle(self, blocks):
        """A bundle of images (n, H, W, C) and all targets."""
        points = []
        if self.boxes is not None:
            points.append(self._box_points())
        if self.keypoints is not None:
            points.append(self._keypoint_points())
        masks = None if self.masks is None else np.ascontiguousarray(self.masks)
        return Bundle(blocks, masks, self.mask_fill, points)

    def _box_points(self):
        boxes = np.concatenate([np.zeros((0, 4)), *self.boxes]).astype(np.float64)
        owner = np.repeat(np.arange(len(self.boxes)), [len(b) for b in self.boxes])
        h, w = self.images.view.shape[1:3]
        boxes = np.clip(boxes, 0, [w, h, w, h])
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
        return Points(xy, owner, np.ones(len(boxes)), np.ones(xy.shape[:2], bool), True)

    def _keypoint_points(self):
        xy = np.concatenate([np.zeros((0, 2)), *(k[:, :2] for k in self.keypoints)])
        owner = np.repeat(np.arange(len(self.keypoints)), [len(k) for k in self.keypoints])
        seen = np.ones((len(xy), 1), bool)
        return Points(xy.astype(np.float64)[:, None], owner, np.ones(len(xy)), seen, False)

    def results(self, bundle):
        """The targets of a bundle, as they came: a dict of those that were given."""
        out, points = {}, list(bundle.points)
        if self.boxes is not None:
            out.update(self._finished_boxes(points.pop(0)))
        if self.masks is not None:
            out["masks"] = self._finished_masks(bundle.masks)
        if self.keypoints is not None:
            out["keypoints"] = self._finished_keypoints(points.pop(0))
        for name in self.tensors:
            out[name] = [from_numpy(a) for a in out[name]]
        return {k: v[0] if self.images.single and k != "masks" else v for k, v in out.items()}

    def _finished_boxes(self, points):
        corners = np.concatenate([points.xy.min(axis=1), points.xy.max(axis=1)], axis=1)
        # A share that is the limit but for rounding is kept.
        kept = (points.share > 0) & (points.share >= self.min_visibility - 1e-9)
        boxes, labels = [], []
        ends = np.cumsum([len(b) for b in self.boxes])
        for i, (given, end) in enumerate(zip(self.boxes, ends, strict=True)):
            rows = slice(end - len(given), end)
            dtype = given.dtype if given.dtype.kind == "f" else np.float64
            boxes.append(corners[rows][kept[rows]].astype(dtype))
            if self.labels is not None:
                labels.append(_kept(self.labels[i], kept[rows]))
        return {"boxes": boxes} if self.labels is None else {"boxes": boxes, "labels": labels}

    def _finished_keypoints(self, points):
        xy, seen = points.xy[:, 0], points.seen[:, 0]
        out = []
        ends = np.cumsum([len(k) for k in self.keypoints])
        for given, end in zip(self.keypoints, ends, strict=True):
            rows = slice(end - len(given), end)
            moved = given.astype(given.dtype if given.dtype.kind == "f" else np.float64)
            moved[:, :2] = xy[rows]
            if moved.shape[1] == 3:
                moved[:, 2] *= seen[rows]
            out.append(moved)
        return out

    def _finished_masks(self, masks):
        sizes = dict(zip("NHWC", masks.shape, strict=True))
        array = np.empty([sizes[axis] for axis in self.mask_layout], masks.dtype)
        view_of(array, self.mask_layout)[...] = masks
        return from_numpy(array) if self.mask_tensor else array


def _kept(labels, kept):
    """The labels that are kept, in the type that came."""
    if isinstance(labels, Tensor):
        return labels[from_numpy(np.flatnonzero(kept))]
    if isinstance(labels, np.ndarray):
        return labels[kept]
    return type(labels)(label for label, keep in zip(labels, kept, strict=True) if keep)
