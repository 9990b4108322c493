"""Boxes, key points, masks and labels that move along with images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as torch
from tensorgrad import augment
from tensorgrad.augment import _threads

SIZE = (40, 60)


def scene(boxes, size=SIZE):
    """An image with a lit rectangle for each box, and one mask each."""
    masks = np.zeros((len(boxes), *size), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, np.asarray(boxes, int), strict=True):
        mask[y1:y2, x1:x2] = 1
    return masks.max(axis=0, initial=0)[None] * np.uint8(255), masks


def bounds(mask):
    """The box around what is lit."""
    y, x = np.nonzero(mask)
    return np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])


EVERY = {
    "flip": augment.HorizontalFlip(1.0),
    "vertical flip": augment.VerticalFlip(1.0),
    "quarter": augment.Rotate((90, 90), expand=True),
    "rotate": augment.Rotate(30),
    "rotate, expand": augment.Rotate(45, expand=True),
    "scale": augment.Scale((0.7, 1.3), (0.7, 1.3)),
    "shift": augment.Shift(0.2, 0.2),
    "shear": augment.Shear(20, 10),
    "affine": augment.Affine(20, (0.1, 0.1), (0.8, 1.2), 10),
    "perspective": augment.Perspective(0.4, 1.0),
    "crop": augment.RandomCrop((30, 40)),
    "pad": augment.Pad((1, 2, 3, 4)),
    "resize": augment.Resize((60, 45)),
    "resized crop": augment.RandomResizedCrop((60, 60), (0.6, 1.0)),
    "elastic": augment.Elastic(60, 6),
    "grid": augment.GridDistortion(4, 0.4),
    "thin plate": augment.ThinPlate(4, 0.04),
    "pieces": augment.PiecewiseAffine(4, 0.04),
    "pipeline": augment.Compose([
        augment.Rotate(15), augment.HorizontalFlip(), augment.Scale((1, 1.2)),
        augment.Elastic(40, 6), augment.RandomCrop((30, 50)),
    ]),
    "policies": augment.RandomOrder([
        augment.OneOf([augment.HorizontalFlip(1.0), augment.Rotate(15)]),
        augment.RandomApply([augment.Shift(0.1), augment.Shear(10)], 0.7),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_boxes_bound_what_they_bounded(name):
    """Masks are moved pixel by pixel: the box around one is the box moved, to a pixel or two."""
    boxes = np.array([[20.0, 12, 36, 30], [5, 5, 12, 20]])
    image, masks = scene(boxes)
    n = 12
    got = EVERY[name](
        np.repeat(image[None], n, 0), seed=3, boxes=[boxes] * n,
        masks=np.repeat(masks[None], n, 0), labels=[["a", "b"]] * n,
    )  # fmt: skip
    h, w = got["images"].shape[2:]
    compared = 0
    for i in range(n):
        assert len(got["boxes"][i]) == len(got["labels"][i])
        for box, label in zip(got["boxes"][i], got["labels"][i], strict=True):
            mask = got["masks"][i]["ab".index(label)]
            assert (box >= 0).all() and (box <= [w, h, w, h]).all()
            if mask.sum() < 40:
                continue
            compared += 1
            near = bounds(mask)
            # Never smaller; larger by a pixel of rounding, or where a turned box's corner is cut.
            assert (box[:2] <= near[:2] + 1.6).all() and (box[2:] >= near[2:] - 1.6).all()
            inside = box[[0, 1]].min() > 0.5 and box[2] < w - 0.5 and box[3] < h - 0.5
            if inside and "rotate" not in name and name not in ("pipeline", "affine", "policies"):
                np.testing.assert_allclose(box, near, atol=2.1)
    assert compared > n / 2


@pytest.mark.parametrize("name", EVERY)
def test_points_stay_on_what_they_were_on(name):
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    point = np.array([27.0, 19.0])
    blob = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 18)
    n = 6
    got = EVERY[name](
        np.repeat(blob[None, None], n, 0), seed=5, keypoints=[np.array([[*point, 1.0]])] * n
    )
    h, w = got["images"].shape[2:]
    y, x = np.mgrid[:h, :w] + 0.5
    compared = 0
    for image, points in zip(got["images"][:, 0], got["keypoints"], strict=True):
        (px, py, seen) = points[0]
        if not seen or min(px, py, w - px, h - py) < 8:
            continue
        weight = image**4
        found = [(weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()]
        np.testing.assert_allclose(found, [px, py], atol=1.2)  # bent blobs are not symmetric
        compared += 1
    assert compared


def test_masks_are_those_of_the_image_to_the_nearest():
    image = np.random.default_rng(0).integers(0, 256, (3, 1, 20, 30), dtype=np.uint8)
    t = augment.Compose([
        augment.Rotate(30, interpolation="nearest"),
        augment.RandomApply(augment.Elastic(20, 3, interpolation="nearest")),
        augment.RandomCrop(20, padding=3),
    ])  # fmt: skip
    got = t(image, seed=0, masks=image[:, 0])
    np.testing.assert_array_equal(got["masks"], got["images"][:, 0])


@pytest.mark.parametrize("dtype", [np.bool_, np.int64, np.uint8, np.float32])
def test_masks_of_any_dtype_hold_only_what_they_held(dtype):
    mask = np.zeros((20, 30), dtype)
    mask[5:15, 5:15] = 1
    got = augment.Rotate((20, 20))(np.zeros((1, 20, 30)), masks=mask, mask_fill=1)
    assert got["masks"].dtype == dtype and set(np.unique(got["masks"]).tolist()) <= {0, 1}
    assert got["masks"][0, 0] == 1  # outside: the fill, not that of the image


def test_masks_have_the_layout_of_the_images():
    x = np.zeros((2, 3, 8, 9), np.uint8)
    masks = np.arange(2 * 4 * 8 * 9).reshape(2, 4, 8, 9)
    flip = augment.HorizontalFlip(1.0)
    got = flip(x, masks=masks)["masks"]
    np.testing.assert_array_equal(got, masks[..., ::-1])
    last = flip(x.transpose(0, 2, 3, 1), masks=masks.transpose(0, 2, 3, 1), layout="NHWC")["masks"]
    np.testing.assert_array_equal(last, got.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(flip(x[0], masks=masks[0, 0])["masks"], got[0, 0])
    tensor = flip(x, masks=torch.from_numpy(masks[:, 0]))["masks"]
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), got[:, 0])


# --- clipping and dropping ------------------------------------------------------------------------


def test_boxes_that_stand_out_by_a_little_are_clipped():
    """One overshoot of 1e-3 by rounding must not end a run."""
    got = augment.HorizontalFlip(0.0)(
        np.zeros((10, 10)), boxes=np.array([[-1e-3, 0, 4, 10.001], [9.5, 2, 10.9, 4]])
    )
    np.testing.assert_array_equal(got["boxes"], [[0, 0, 4, 10], [9.5, 2, 10, 4]])


def test_boxes_that_stand_out_further_are_an_error_or_allowed():
    boxes = np.array([[-3.0, 0, 4, 10]])
    with pytest.raises(ValueError, match=r"boxes of image 0: .* more than tolerance=1.0"):
        augment.HorizontalFlip()(np.zeros((10, 10)), boxes=boxes)
    got = augment.HorizontalFlip(0.0)(np.zeros((10, 10)), boxes=boxes, tolerance=5)
    np.testing.assert_array_equal(got["boxes"], [[0, 0, 4, 10]])


def test_boxes_beside_the_picture_are_dropped():
    """Nothing is left of what the tolerance lets in; what has no area was a point before."""
    boxes = np.array([[-1.0, 0, 0, 4], [-0.5, 3, -0.2, 5], [9.5, 1, 10.5, 2], [3, 3, 3, 3]])
    got = augment.HorizontalFlip(0.0)(
        np.zeros((10, 10)), boxes=boxes, labels=[1, 2, 3, 4], min_visibility=1.0
    )
    np.testing.assert_array_equal(got["boxes"], [[9.5, 1, 10, 2], [3, 3, 3, 3]])
    assert got["labels"] == [3, 4]


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i1", "i8", "f2", "f8", ">f4"])
def test_boxes_and_points_of_any_dtype(dtype):
    boxes, points = np.array([[3, 4, 20, 30]], dtype), np.array([[5, 6]], dtype)
    got = augment.HorizontalFlip(1.0)(np.zeros(SIZE), boxes=boxes, keypoints=points)
    np.testing.assert_array_equal(got["boxes"], [[40, 4, 57, 30]])
    np.testing.assert_array_equal(got["keypoints"], [[55, 6]])
    if dtype.startswith("i"):
        with pytest.raises(ValueError, match="stands out of a picture"):
            augment.HorizontalFlip()(np.zeros(SIZE), boxes=np.array([[-128, 0, 4, 4]], dtype))


def test_targets_go_in_blocks_on_threads_as_they_would_alone(monkeypatch):
    rng = np.random.default_rng(0)
    n, t = 9, EVERY["pipeline"]
    x = rng.integers(0, 256, (n, 1, *SIZE), dtype=np.uint8)
    given = {
        "boxes": [np.sort(rng.uniform(0, 40, (k % 4, 2, 2)), axis=1).reshape(-1, 4)
                  for k in range(n)],
        "masks": rng.integers(0, 5, (n, 2, *SIZE)),
        "keypoints": [rng.uniform(0, 40, (k % 3, 2)) for k in range(n)],
        "labels": [list(range(k % 4)) for k in range(n)],
    }  # fmt: skip
    whole = t(x, seed=1, **given)
    np.testing.assert_array_equal(whole["images"], t(x, seed=1))
    monkeypatch.setattr(_threads, "_BLOCK", 1)
    monkeypatch.setattr(_threads, "_LARGE", 1)
    monkeypatch.setattr(_threads, "_BLOCK_ON_THREADS", 2 * 3 * SIZE[0] * SIZE[1])
    for count in (1, 3):
        monkeypatch.setattr(_threads, "_threads", lambda count=count: count)
        got = t(x, seed=1, **given)
        assert got.keys() == whole.keys()
        for name in ("images", "masks"):
            np.testing.assert_array_equal(got[name], whole[name])
        assert got["labels"] == whole["labels"]
        for name in ("boxes", "keypoints"):
            for a, b in zip(got[name], whole[name], strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("t", [
    augment.Rotate(30), augment.Elastic(),
    augment.OneOf([augment.Rotate(10), augment.GaussianBlur(3)]),
], ids=["rotate", "elastic", "one of"])  # fmt: skip
def test_memory_is_three_times_the_batch_at_most_with_targets(t, traced):
    x, masks = np.zeros((96, 64, 64, 3), np.uint8), np.zeros((96, 64, 64, 1), np.uint8)
    given = {"seed": 0, "layout": "NHWC", "boxes": [np.array([[1.0, 1, 20, 20]])] * 96}
    t(x, masks=masks, **given)  # what is imported and cached at the first call
    _, peak = traced(lambda: t(x, masks=masks, **given))
    size = x.nbytes + masks.nbytes
    assert peak + size <= 3 * size


def test_masks_cannot_be_written():
    class Writes(augment.Transform):
        geometric = True

        def apply(self, batch, params):
            return batch

        def apply_masks(self, masks, params, fill=0):
            masks[...] = 1
            return masks

    masks = np.zeros((2, *SIZE))
    with pytest.raises(ValueError, match="read-only"):
        Writes()(np.zeros((2, 1, *SIZE)), masks=masks)
    assert not masks.any()


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_fused_or_not_points_go_to_the_same_place(data):
    """Points of key points are not clipped on the way, so only the product of matrices counts."""
    kinds = [
        augment.Rotate(40), augment.Shear(20, 10), augment.Scale((0.5, 2.0)), augment.Shift(0.3),
        augment.HorizontalFlip(), augment.VerticalFlip(), augment.RandomCrop((30, 40), padding=3,
        pad_if_needed=True), augment.Pad((1, 2, 3, 4)), augment.Rotate((90, 90), expand=True),
        augment.Rotate(20, interpolation="nearest"), augment.GaussianBlur(3), augment.Elastic(9),
        augment.RandomApply([augment.Shift(0.2), augment.HorizontalFlip()]),
    ]  # fmt: skip
    parts = data.draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=5))
    points = [np.array([[5.0, 5], [30, 20], [59, 39.5]])] * 3
    masks = np.random.default_rng(0).integers(0, 2, (3, *SIZE))
    seed = data.draw(st.integers(0, 99))
    fused, apart = (
        augment.Compose(parts, fuse=fuse)(
            np.zeros((3, 1, *SIZE)), seed=seed, keypoints=points, masks=masks
        )
        for fuse in (True, False)
    )
    assert fused["images"].shape == apart["images"].shape
    assert fused["masks"].shape == apart["masks"].shape
    for a, b in zip(fused["keypoints"], apart["keypoints"], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)


def crop_of(left, **kwargs):
    """Two boxes, one half beyond what is kept, one out of it."""
    boxes = np.array([[10.0, 10, 20, 20], [0, 0, 5, 5], [30, 10, 34, 12]])
    return augment.Crop(0, left, 40, 40)(
        np.zeros((40, 60)), boxes=boxes, labels=np.array([7, 8, 9]), **kwargs
    )


def test_boxes_of_which_too_little_is_left_are_dropped_with_their_labels():
    got = crop_of(15)
    np.testing.assert_array_equal(got["boxes"], [[0, 10, 5, 20], [15, 10, 19, 12]])
    np.testing.assert_array_equal(got["labels"], [7, 9])
    np.testing.assert_array_equal(crop_of(15, min_visibility=0.5)["labels"], [7, 9])
    np.testing.assert_array_equal(crop_of(15, min_visibility=0.51)["labels"], [9])
    assert crop_of(59)["boxes"].shape == (0, 4)


def test_visibility_counts_over_a_pipeline():
    boxes = np.array([[0.0, 0, 20, 20]])
    halves = augment.Compose([augment.Crop(0, 10, 40, 50), augment.Crop(10, 0, 30, 50)])
    for least, left in ((0.25, 1), (0.26, 0)):
        got = halves(np.zeros((40, 60)), boxes=boxes, min_visibility=least)
        assert len(got["boxes"]) == left


def test_what_was_cut_away_does_not_come_back():
    boxes = np.array([[0.0, 0, 20, 20]])
    t = augment.Compose([augment.Crop(0, 10, 40, 40), augment.Pad((10, 0, 0, 0))])
    got = t(np.ones((40, 60)), boxes=boxes, keypoints=np.array([[5.0, 5, 2]]))
    np.testing.assert_array_equal(got["boxes"], [[10, 0, 20, 20]])
    assert got["keypoints"][0, 2] == 0  # out of the picture once, and so for good


def test_turning_there_and_back_in_one_resampling_keeps_boxes():
    boxes = np.array([[20.0, 12, 36, 30]])
    t = augment.Compose([augment.Rotate((40, 40)), augment.Rotate((-40, -40))])
    got = t(np.zeros(SIZE), boxes=boxes)["boxes"]
    np.testing.assert_allclose(got, boxes, atol=1e-9)


def test_key_points_without_visibility_are_only_moved():
    points = np.array([[5.0, 5], [50, 30]])
    got = augment.Crop(0, 10, 40, 50)(np.zeros(SIZE), keypoints=points)["keypoints"]
    np.testing.assert_array_equal(got, [[-5, 5], [40, 30]])


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_boxes_stay_in_the_picture_whatever_is_done(data):
    t = EVERY[data.draw(st.sampled_from(sorted(EVERY)))]
    n = data.draw(st.integers(0, 3))
    boxes = [
        np.array([
            [min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d in data.draw(st.lists(
                st.tuples(*[st.floats(0, side) for side in (60, 40, 60, 40)]), max_size=4))
        ]).reshape(-1, 4) for _ in range(n)
    ]  # fmt: skip
    images = np.zeros((n, 1, *SIZE), np.uint8)
    seed = data.draw(st.integers(0, 99))
    got = t(images, seed=seed, boxes=boxes, labels=[list(range(len(b))) for b in boxes])
    h, w = got["images"].shape[2:]
    assert len(got["boxes"]) == n
    for box, label, given_boxes in zip(got["boxes"], got["labels"], boxes, strict=True):
        assert len(box) == len(label) <= len(given_boxes)
        assert (box[:, :2] <= box[:, 2:]).all()
        assert (box >= 0).all() and (box <= [w, h, w, h]).all()


def test_targets_of_one_image_are_those_of_a_batch():
    boxes = [[[3.0, 4, 20, 30]], np.zeros((0, 4)), [[1.0, 1, 9, 9], [5, 5, 50, 39]]]
    boxes = [np.asarray(b) for b in boxes]
    masks = np.random.default_rng(0).integers(0, 2, (3, *SIZE))
    x, t = np.zeros((3, 1, *SIZE), np.uint8), EVERY["pipeline"]
    points = [b[:, :2] for b in boxes]
    batch = t(x, seed=1, boxes=boxes, masks=masks, keypoints=points)
    for i in range(3):
        one = t(x[i], seed=1, index=i, boxes=boxes[i], masks=masks[i], keypoints=points[i])
        for key in ("boxes", "masks", "keypoints", "images"):
            np.testing.assert_array_equal(one[key], batch[key][i])


def test_replay_moves_targets_too():
    boxes = [np.array([[3.0, 4, 20, 30]])] * 4
    x, t = np.zeros((4, 1, *SIZE), np.uint8), EVERY["pipeline"]
    params = t.draw(x, seed=2)
    for a, b in zip(t.replay(x, params, boxes=boxes)["boxes"], t(x, seed=2, boxes=boxes)["boxes"],
                    strict=True):  # fmt: skip
        np.testing.assert_array_equal(a, b)


def test_inputs_are_not_written_and_dtypes_stay():
    boxes = np.array([[3, 4, 20, 30]], np.float32)
    points = np.array([[5, 6, 2]], np.float32)
    before = boxes.copy(), points.copy()
    got = augment.HorizontalFlip(1.0)(np.zeros(SIZE), boxes=boxes, keypoints=points)
    np.testing.assert_array_equal(boxes, before[0])
    np.testing.assert_array_equal(points, before[1])
    assert got["boxes"].dtype == got["keypoints"].dtype == np.float32
    whole = augment.HorizontalFlip(1.0)(np.zeros(SIZE), boxes=boxes.astype(int))
    np.testing.assert_array_equal(whole["boxes"], [[40, 4, 57, 30]])


def test_tensors_come_back_as_tensors():
    boxes, points = torch.tensor([[3.0, 4, 20, 30]]), torch.tensor([[5.0, 6]])
    got = augment.HorizontalFlip(1.0)(torch.zeros(1, *SIZE), boxes=boxes, keypoints=points)
    assert got["boxes"].tolist() == [[40, 4, 57, 30]] and got["keypoints"].tolist() == [[55, 6]]
    assert got["boxes"].dtype == torch.float32


def test_transforms_that_move_nothing_leave_targets():
    class Darker(augment.Transform):
        def apply(self, batch, params):
            return batch // 2

    boxes = np.array([[3.0, 4, 20, 30]])
    got = Darker()(np.full(SIZE, 8, np.uint8), boxes=boxes, masks=np.ones(SIZE, int))
    np.testing.assert_array_equal(got["boxes"], boxes)
    assert (got["masks"] == 1).all() and (got["images"] == 4).all()


def test_labels_of_every_kind():
    boxes = np.array([[10.0, 10, 20, 20], [0, 0, 5, 5]])
    t = augment.Crop(0, 8, 40, 40)
    for labels, kept in ((["a", "b"], ["a"]), (("a", "b"), ("a",)), (np.array([1, 2]), [1])):
        got = t(np.zeros(SIZE), boxes=boxes, labels=labels)["labels"]
        assert type(got) is type(labels) and list(got) == list(kept)
    got = t(np.zeros(SIZE), boxes=boxes, labels=torch.tensor([1, 2]))["labels"]
    assert got.tolist() == [1]
    assert t(np.zeros(SIZE), boxes=boxes, labels=range(2))["labels"] == [0]


BAD = {
    "width": ({"boxes": np.zeros((2, 3))}, r"boxes of image 0 must have shape \(k, 4\)"),
    "points": ({"keypoints": np.zeros((2, 4))}, r"keypoints .* \(k, 2\) or \(k, 3\)"),
    "order": ({"boxes": np.array([[5.0, 0, 4, 1]])}, "is not x1, y1, x2, y2"),
    "nan": ({"boxes": np.array([[np.nan, 0, 4, 1]])}, "not finite"),
    "labels": ({"boxes": np.zeros((2, 4)), "labels": [1]}, "labels of image 0: got 1 for 2 boxes"),
    "labels alone": ({"labels": [1]}, "labels are those of boxes"),
    "masks": ({"masks": np.zeros((3, 3))}, r"masks of shape \(3, 3\) do not fit"),
    "masks' rank": ({"masks": np.zeros(3)}, "masks must be"),
    "visibility": ({"min_visibility": 1.5}, "min_visibility must be in"),
    "tolerance": ({"tolerance": -1}, "tolerance must not be negative"),
    "no tolerance": ({"tolerance": np.nan}, "tolerance must not be negative, got nan"),
    "one label": ({"boxes": np.zeros((1, 4)), "labels": 1}, "labels of image 0 .* list.* got 1"),
    "a word": ({"boxes": np.zeros((2, 4)), "labels": "ab"}, "labels of image 0 .* got 'ab'"),
    "fill": ({"masks": np.zeros(SIZE, np.uint8), "mask_fill": -1}, "mask_fill .* uint8 .* got -1"),
    "large fill": ({"masks": np.zeros(SIZE, np.int8), "mask_fill": 255}, "mask_fill .* int8"),
    "half": ({"masks": np.zeros(SIZE, int), "mask_fill": 0.5}, "mask_fill .* got 0.5"),
    "fill of a bool": ({"masks": np.zeros(SIZE, bool), "mask_fill": 255}, "mask_fill .* bool"),
    "fills": ({"masks": np.zeros(SIZE), "mask_fill": [1, 2]}, "mask_fill must be a number"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_targets_are_named(name):
    targets, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        augment.HorizontalFlip()(np.zeros(SIZE), **targets)


def test_a_batch_needs_a_list_for_its_images():
    with pytest.raises(ValueError, match="boxes must be a list with one entry for each of 3"):
        augment.HorizontalFlip()(np.zeros((3, 1, *SIZE)), boxes=[np.zeros((1, 4))] * 2)
