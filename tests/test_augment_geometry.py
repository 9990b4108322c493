"""tensorgrad.augment's geometry: beside Pillow and plain definitions, and by its properties."""

import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tensorgrad import augment
from tensorgrad.augment import _resample, distortion, geometry
from tensorgrad.augment._resize import FILTERS, resize_boxes

SIZES = [(32, 32), (17, 40), (40, 17), (5, 2), (1, 7), (1, 1)]
EVERY = {
    "horizontal flip": augment.HorizontalFlip(),
    "vertical flip": augment.VerticalFlip(),
    "rotate": augment.Rotate(30),
    "rotate, expand": augment.Rotate((10, 60), expand=True, interpolation="bicubic"),
    "scale": augment.Scale((0.5, 2), (0.5, 2), center=(3, 4)),
    "shift, wrap": augment.Shift(0.2, 0.3, mode="wrap"),
    "shift, pixels": augment.Shift(5, 3, unit="pixels", mode="reflect"),
    "shear": augment.Shear(20, 10, mode="edge", interpolation="bicubic"),
    "affine": augment.Affine(10, (0.1, 0.1), (0.8, 1.2), (-5, 5, -5, 5), fill=(1, 0, 1)),
    "perspective": augment.Perspective(0.5, 0.8),
    "perspective, reflect": augment.Perspective(0.5, 1.0, mode="reflect", interpolation="nearest"),
    "center crop": augment.CenterCrop(9),
    "center crop, larger": augment.CenterCrop((30, 8)),
    "crop": augment.Crop(2, -1, 9, 8, padding_mode="edge"),
    "random crop": augment.RandomCrop(9),
    "random crop, padded": augment.RandomCrop(12, padding=4, padding_mode="reflect"),
    "random crop, pad if needed": augment.RandomCrop(40, pad_if_needed=True),
    "pad": augment.Pad((1, 2, 3, 4), fill=1),
    "resize": augment.Resize(8),
    "resize, bicubic": augment.Resize((30, 7), "bicubic"),
    "random resized crop": augment.RandomResizedCrop(8),
    "elastic": augment.Elastic(20, 3),
    "grid": augment.GridDistortion(),
    "thin plate": augment.ThinPlate(),
    "pieces": augment.PiecewiseAffine(mode="reflect"),
    "fused": augment.Compose([augment.Rotate(10), augment.HorizontalFlip(),
                              augment.Scale((0.9, 1.1)), augment.RandomCrop(9)]),
}  # fmt: skip


def batch(size=(13, 11), channels=3, n=4, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *size, channels), dtype=np.uint8)


def pictures(x):
    image = pytest.importorskip("PIL.Image")
    return image, [image.fromarray(i[..., 0] if x.shape[-1] == 1 else i) for i in x]


def apart(got, pictures):
    """The largest difference to pictures of Pillow, in grey levels."""
    expected = np.stack([np.asarray(p) for p in pictures]).reshape(got.shape)
    return np.abs(got.astype(int) - expected).max(initial=0)


# --- beside Pillow: at most one grey level, which is how it rounds --------------------------------

PILLOW = {"nearest": 0, "bilinear": 2, "bicubic": 3, "lanczos": 1, "box": 4}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_rotation_is_that_of_pillow(size, interpolation, channels):
    x = batch(size, channels)
    _, originals = pictures(x)
    for angle, expand in itertools.product((0, 90, 180, 270, 17, -33.3, 121.7, 45), (False, True)):
        got = augment.rotate(
            x, angle, expand=expand, interpolation=interpolation, layout="NHWC", fill=7
        )
        turned = [p.rotate(angle, PILLOW[interpolation], expand=expand, fillcolor=7 if channels == 1
                           else (7, 7, 7)) for p in originals]  # fmt: skip
        assert got.shape[1:3] == turned[0].size[::-1]
        assert apart(got, turned) <= 1


@pytest.mark.parametrize("center", [(0, 0), (3, 20.5)], ids=str)
def test_rotation_about_a_point_is_that_of_pillow(center):
    x = batch((24, 31))
    _, originals = pictures(x)
    got = augment.rotate(x, 25, center=center, layout="NHWC")
    assert apart(got, [p.rotate(25, 2, center=center) for p in originals]) <= 1


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@given(entries=st.lists(st.floats(-1.5, 1.5), min_size=4, max_size=4), x=st.floats(-10, 10),
       y=st.floats(-10, 10), size=st.sampled_from(SIZES))  # fmt: skip
@settings(deadline=None, max_examples=25)
def test_affine_maps_are_those_of_pillow(interpolation, entries, x, y, size):
    a, b, c, d = (round(e, 2) + 0.0031 for e in entries)  # no pixel on the very edge
    if abs(a * d - b * c) < 0.05:
        return
    images = batch(size, 3, 2)
    image, originals = pictures(images)
    back = np.array([[a, b, x + 0.0017], [c, d, y + 0.0013], [0, 0, 1]])
    got = augment.affine(images, np.linalg.inv(back), interpolation, layout="NHWC")
    data = tuple(back[:2].ravel())
    moved = [p.transform(p.size, image.AFFINE, data, PILLOW[interpolation]) for p in originals]
    if interpolation == "nearest":  # Pillow has coefficients of 16 bits: pixels on an edge differ
        expected = np.stack([np.asarray(m) for m in moved])
        assert (got != expected).any(axis=-1).mean() < 0.02
    else:
        assert apart(got, moved) <= 1


@given(angle=st.floats(-180, 180), scale=st.floats(0.5, 2), x=st.floats(-60, 60),
       y=st.floats(-60, 60), center=st.none() | st.tuples(st.floats(-5, 40), st.floats(-5, 40)))
@settings(deadline=None, max_examples=40)  # fmt: skip
def test_affine_matrices_are_those_of_torchvision(angle, scale, x, y, center):
    """T C R S SHy SHx C^-1, SHx = [[1, -tan x], [0, 1]]; angles have the other sign there."""
    params = {"angle": -angle, "x": 3.0, "y": -2.0, "scale": scale, "shear": [-x, -y]}
    params = {k: np.array([v]) for k, v in params.items()}
    got = augment.Affine(center=center).matrices(params, (20, 30, 3))[0]
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    along_x = np.array([[1, -np.tan(np.deg2rad(x))], [0, 1]])
    along_y = np.array([[1, 0], [-np.tan(np.deg2rad(y)), 1]])
    linear = np.array([[cos, -sin], [sin, cos]]) @ along_y @ along_x * scale
    middle = np.array(center or (15, 10))
    np.testing.assert_allclose(got[:2, :2], linear, atol=1e-9)
    np.testing.assert_allclose(got[:2, 2], middle + np.array([3, -2]) - linear @ middle, atol=1e-7)
    sheared = augment.Shear().matrices({"x": np.array([-x]), "y": np.array([-y])}, (20, 30, 3))
    np.testing.assert_allclose(sheared[0, :2, :2], along_y @ along_x, atol=1e-9)


def test_perspective_is_that_of_pillow():
    x = batch((30, 41))
    image, originals = pictures(x)
    start = [(0, 0), (41, 0), (41, 30), (0, 30)]
    end = [(3, 2), (38, 5), (36, 27), (1, 30)]
    got = augment.perspective(x, start, end, layout="NHWC")
    back = geometry.homography(np.array([end], float), np.array([start], float))[0]
    data = tuple((back / back[2, 2]).ravel()[:8])
    moved = [p.transform(p.size, image.PERSPECTIVE, data, 2) for p in originals]
    assert apart(got, moved) <= 1


QUADS = {
    "narrow below": [(10, 10), (30, 10), (24, 20), (16, 20)],
    "narrow above": [(18, 0), (22, 0), (40, 40), (0, 40)],
    "slanted": [(0, 0), (40, 1), (23, 18), (19, 18)],
}


@pytest.mark.parametrize("name", QUADS)
@pytest.mark.parametrize("start", [(5, 5), (10, 10), (29, 27)], ids=str)
def test_perspectives_show_what_lies_between_the_points(name, start):
    """Wherever the image's corner or its middle come to: one of them is beyond the horizon."""
    x = np.zeros((40, 40))
    (left, top), size = start, 8
    x[top : top + size, left : left + size] = 1
    quad = [(left, top), (left + size, top), (left + size, top + size), (left, top + size)]
    got = augment.perspective(x, quad, QUADS[name], "nearest")
    a, b = np.array(QUADS[name], float), np.roll(QUADS[name], -1, axis=0).astype(float)
    area = abs((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / 2
    assert abs(got.sum() - area) < 0.03 * area


def test_the_factor_of_a_perspective_is_free():
    x = batch((30, 41))
    forward = np.array([[0.9, 0.1, 3], [0.05, 1.1, -2], [1e-3, -2e-3, 1]])
    expected = augment.affine(x, forward, layout="NHWC")
    assert (expected != 0).mean() > 0.5
    for factor in (2.0, -1.0, -0.25):
        np.testing.assert_array_equal(augment.affine(x, factor * forward, layout="NHWC"), expected)


def test_points_beyond_the_horizon_are_not_seen():
    """With large distortions a corner of the picture can come behind the viewer."""
    points = np.array([[x, y, 1.0] for x in (10, 30, 50) for y in (8, 20, 32)])
    n, t = 200, augment.Perspective(1.0, 1.0)
    x = np.zeros((n, 1, 40, 60), np.uint8)
    params = t.draw(x, seed=0)
    ahead = np.einsum("nj,pj->np", t.matrices(params, (40, 60, 1))[:, 2], points)
    got = np.stack(t.replay(x, params, keypoints=[points] * n)["keypoints"])
    assert (ahead <= 0).sum() > 10
    assert np.isfinite(got).all() and not got[ahead <= 0, 2].any()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interpolation", ["box", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_resizing_is_that_of_pillow(size, interpolation, channels):
    x = batch(size, channels)
    _, originals = pictures(x)
    for new in ((16, 16), (7, 9), (1, 1), (40, 33), size, (100, 3)):
        got = augment.resize(x, new, interpolation, layout="NHWC")
        # The width first, as always before Pillow 13, which may begin with the height.
        wide = [p.resize((new[1], size[0]), PILLOW[interpolation]) for p in originals]
        assert apart(got, [p.resize(new[::-1], PILLOW[interpolation]) for p in wide]) <= 1


def test_resizing_to_the_nearest_is_that_of_pillow():
    """Where no pixel's centre lies between two pixels: Pillow adds steps up, and rounds."""
    x = batch((31, 29))
    _, originals = pictures(x)
    for new in ((16, 14), (64, 60), (8, 12), (31, 29)):
        got = augment.resize(x, new, "nearest", layout="NHWC")
        assert apart(got, [p.resize(new[::-1], 0) for p in originals]) == 0


def test_flips_crops_and_pads_are_those_of_pillow():
    x = batch((13, 12))
    _, originals = pictures(x)
    assert apart(augment.flip(x, layout="NHWC"), [p.transpose(0) for p in originals]) == 0
    got = augment.flip(x, False, True, layout="NHWC")
    assert apart(got, [p.transpose(1) for p in originals]) == 0
    got = augment.crop(x, 3, -2, 12, 9, layout="NHWC")
    assert apart(got, [p.crop((-2, 3, 7, 15)) for p in originals]) == 0


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "area"])
def test_resizing_floats_is_that_of_pytorch(mode):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).random((2, 3, 30, 19)) * 0.6 + 0.2  # bicubic stays inside
    for size in ((15, 7), (8, 25), (61, 40)):
        how = {} if mode == "area" else {"antialias": True, "align_corners": False}
        expected = torch.nn.functional.interpolate(torch.from_numpy(x), size, mode=mode, **how)
        if mode == "area" and any(new > old for new, old in zip(size, x.shape[2:], strict=True)):
            continue  # PyTorch then takes whole pixels
        if mode == "area" and any(old % new for new, old in zip(size, x.shape[2:], strict=True)):
            continue
        got = augment.resize(x, size, mode)
        np.testing.assert_allclose(got, expected.numpy().clip(0, 1), atol=1e-12)
    small = augment.resize(x, (10, 19), "area")
    expected = torch.nn.functional.interpolate(torch.from_numpy(x), (10, 19), mode="area")
    np.testing.assert_allclose(small, expected.numpy(), atol=1e-12)


@pytest.mark.parametrize("interpolation", ["bicubic", "lanczos"])
def test_floats_are_clipped_once_at_the_end(interpolation):
    """The sum over both axes is clipped; what one axis gives may overshoot."""
    image, x = pytest.importorskip("PIL.Image"), np.random.default_rng(0).integers(0, 2, (31, 22))
    for new in ((60, 47), (14, 9), (70, 9)):
        got = augment.resize(x.astype(np.float32), new, interpolation)
        way = PILLOW[interpolation]
        expected = np.asarray(image.fromarray(x.astype(np.float32)).resize(new[::-1], way))
        assert expected.max() > 1 or new == (14, 9)
        np.testing.assert_allclose(got, expected.clip(0, 1), atol=2e-6)


def test_resizing_without_antialias_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).random((2, 3, 30, 19))
    for size in ((15, 7), (8, 25), (1, 2)):
        expected = torch.nn.functional.interpolate(torch.from_numpy(x), size, mode="bilinear")
        got = augment.resize(x, size, antialias=False)
        np.testing.assert_allclose(got, expected.numpy(), atol=1e-12)


def test_area_weighs_pixels_by_what_is_covered():
    got = augment.resize(np.array([[0.0, 0.6, 1.0]]), (1, 2), "area")
    np.testing.assert_allclose(got, [[0.2, (0.3 + 1.0) / 1.5]], atol=1e-12)


# --- the engine beside its definition -------------------------------------------------------------


def slow_resample(image, positions, interpolation, mode, fill):
    """One channel (H, W) at positions (h, w, 2), pixel by pixel, neighbours by ``numpy.pad``."""
    margin, (h, w) = 60, image.shape
    kind = "edge" if mode == "constant" else mode
    padded = np.pad(image, margin, kind)

    def cubic(d):
        d = abs(d)
        return (d - 2) * d * d + 1 if d <= 1 else ((-d + 5) * d - 8) * d + 4 if d < 2 else 0

    out = np.empty(positions.shape[:2])
    for place in np.ndindex(*out.shape):
        x, y = positions[place]
        if mode == "constant" and not (0 <= x < w and 0 <= y < h):
            out[place] = fill
            continue
        if interpolation == "nearest":
            out[place] = padded[int(np.floor(y)) + margin, int(np.floor(x)) + margin]
            continue
        x, y = x - 0.5, y - 0.5
        left, top = int(np.floor(x)), int(np.floor(y))
        weight = (lambda d: max(0, 1 - abs(d))) if interpolation == "bilinear" else cubic
        out[place] = np.clip(sum(
            padded[j + margin, i + margin] * weight(x - i) * weight(y - j)
            for i in range(left - 1, left + 3) for j in range(top - 1, top + 3)
        ), 0, 1)  # fmt: skip
    return out


@pytest.mark.parametrize("mode", _resample.MODES)
@pytest.mark.parametrize("interpolation", _resample.INTERPOLATIONS)
def test_resampling_is_its_definition(interpolation, mode):
    rng = np.random.default_rng(0)
    for size in ((5, 7), (1, 4), (2, 1)):
        images = rng.random((2, *size, 2))
        positions = rng.uniform(-13, 20, (2, 6, 5, 2))
        got = _resample.resample(images, positions, (6, 5), interpolation, mode, 0.25)
        for i, c in itertools.product(range(2), range(2)):
            expected = slow_resample(images[i, ..., c], positions[i], interpolation, mode, 0.25)
            # Positions have 16 bits after the point.
            np.testing.assert_allclose(got[i, ..., c], expected, atol=2e-4)


@pytest.mark.parametrize("mode", _resample.MODES)
def test_matrices_are_maps_of_their_positions(mode):
    rng = np.random.default_rng(1)
    images = rng.random((3, 8, 9, 2))
    y, x = np.mgrid[:7, :12] + 0.5
    for projective in (False, True):
        matrices = rng.normal(size=(3, 3, 3))
        matrices[:, 2] = (0.01, 0.02, 1) if projective else (0, 0, 1)
        ahead = np.einsum("nij,hwj->nhwi", matrices, np.stack([x, y, np.ones_like(x)], -1))
        got = _resample.resample(images, matrices, (7, 12), "bilinear", mode, 0.5)
        expected = _resample.resample(images, ahead[..., :2] / ahead[..., 2:], (7, 12), "bilinear",
                                      mode, 0.5)  # fmt: skip
        np.testing.assert_allclose(got, expected, atol=3e-4)


def test_lines_of_large_images_are_made_in_blocks(monkeypatch):
    images, grid = batch((50, 40)), np.random.default_rng(0).uniform(0, 40, (4, 30, 20, 2))
    expected = _resample.resample(images, grid, (30, 20))
    for pixels in (1, 100, 700):
        monkeypatch.setattr(_resample, "tile", lambda elements, pixels=pixels: 4 * pixels)
        np.testing.assert_array_equal(_resample.resample(images, grid, (30, 20)), expected)


@pytest.mark.parametrize("factor", [1e-9, 1e-4, 1e4, 1e9])
@pytest.mark.parametrize("mode", _resample.MODES)
def test_far_positions_do_not_overflow(mode, factor):
    images = np.full((2, 6, 5, 1), 200, np.uint8)
    got = augment.scale(images, factor, mode=mode, fill=200, layout="NHWC")
    assert (got == 200).all()


def test_constant_images_stay_constant():
    """Bit for bit: interpolation adds no rounding of its own."""
    x = np.full((2, 3, 20, 20), 0.1, np.float32)
    for t in (augment.Rotate(45, mode="edge"), augment.Elastic(mode="reflect"),
              augment.Rotate(45, fill=0.1)):  # fmt: skip
        assert (t(x, seed=0) == np.float32(0.1)).all()


@pytest.mark.parametrize("mode", _resample.MODES)
@given(shift=st.tuples(st.integers(-20, 20), st.integers(-20, 20)), turn=st.integers(0, 3),
       mirror=st.booleans(), size=st.sampled_from([*SIZES, (70, 66)]), many=st.booleans())
@settings(deadline=None, max_examples=40)
def test_whole_steps_are_copies_and_resampling_agrees(mode, shift, turn, mirror, size, many):
    images = batch(size, 3, 2)
    x, y = ([v, v + many] for v in shift)
    back = geometry.translation(x, y) @ geometry.rotation(np.full(2, 90.0 * turn))
    back = back @ geometry.scaling(np.full(2, -1.0 if mirror else 1.0), np.ones(2))
    assert _resample.whole_steps(back)
    exact = _resample.copy_exactly(images, back, (9, 12), mode, 3)
    for interpolation in _resample.INTERPOLATIONS:
        got = _resample.resample(images, back, (9, 12), interpolation, mode, 3)
        np.testing.assert_array_equal(got, exact)


# --- properties -----------------------------------------------------------------------------------

any_images = hnp.arrays(
    np.uint8, st.tuples(st.integers(0, 3), st.sampled_from([1, 3, 5]), st.integers(1, 9),
                        st.integers(1, 9)),
)  # fmt: skip


@given(any_images)
@settings(deadline=None, max_examples=50)
def test_identity_parameters_give_the_identical_array(x):
    h, w = x.shape[2:]
    for images in (x, x / 255, (x / 255).astype(np.float32)):
        for interpolation in _resample.INTERPOLATIONS:
            same = [
                augment.rotate(images, 0, interpolation=interpolation, layout="NCHW"),
                augment.shift(images, 0, 0, interpolation, layout="NCHW"),
                augment.scale(images, 1, interpolation=interpolation, layout="NCHW"),
                augment.shear(images, 0, 0, interpolation, layout="NCHW"),
                augment.affine(images, np.eye(3), interpolation, layout="NCHW"),
                augment.rotate(images, 360, interpolation=interpolation, layout="NCHW"),
            ]
            for got in same:
                np.testing.assert_array_equal(got, images)
        for interpolation in FILTERS:
            got = augment.resize(images, images.shape[2:], interpolation, layout="NCHW")
            np.testing.assert_array_equal(got, images)
        still = [augment.Elastic(0), augment.GridDistortion(3, 0), augment.ThinPlate(3, 0),
                 augment.PiecewiseAffine(3, 0), augment.Perspective(0, 1), augment.Pad(0),
                 augment.RandomCrop(images.shape[2:]), augment.CenterCrop(images.shape[2:]),
                 augment.RandomResizedCrop(images.shape[2:], (1, 1), [w / h] * 2)]  # fmt: skip
        for t in still:
            np.testing.assert_array_equal(t(images, seed=0, layout="NCHW"), images)


@given(any_images, st.booleans(), st.booleans())
@settings(deadline=None, max_examples=40)
def test_flips_are_involutions(x, horizontal, vertical):
    once = augment.flip(x, horizontal, vertical, layout="NCHW")
    expected = x[..., ::-1] if horizontal else x
    expected = expected[:, :, ::-1] if vertical else expected
    np.testing.assert_array_equal(once, expected)
    np.testing.assert_array_equal(augment.flip(once, horizontal, vertical, layout="NCHW"), x)


@given(any_images, st.integers(-8, 8))
@settings(deadline=None, max_examples=40)
def test_quarter_turns_are_exact(x, turns):
    got = augment.rotate(x, 90 * turns, expand=True, layout="NCHW")
    np.testing.assert_array_equal(got, np.rot90(x, turns, (2, 3)))


@given(low=st.floats(-3000, 3000) | st.integers(-40, 40).map(lambda k: 45.0 * k),
       span=st.sampled_from([0, 10, 45, 90, 200, 800]), h=st.integers(1, 300),
       w=st.integers(1, 300))
@settings(deadline=None, max_examples=100)  # fmt: skip
def test_expanded_pictures_hold_every_angle_of_the_range(low, span, h, w):
    angles = np.deg2rad(np.linspace(low, low + span, 2001))
    high = h * np.abs(np.cos(angles)) + w * np.abs(np.sin(angles))
    wide = w * np.abs(np.cos(angles)) + h * np.abs(np.sin(angles))
    got = augment.Rotate((low, low + span), expand=True).output_shape((h, w, 1))
    for side, needed in zip(got, (high.max(), wide.max()), strict=False):
        assert needed - 1e-6 <= side <= needed + 2.01  # rounded outwards on both sides


def smooth(size=60, n=2):
    y, x = np.mgrid[:size, :size] / size
    waves = np.sin(7 * x + 3 * y) * np.cos(5 * y) / 2 + 0.5
    return np.broadcast_to(waves, (n, 1, size, size)).copy()


@given(st.floats(-40, 40), st.floats(0.8, 1.25), st.floats(-15, 15), st.floats(-4, 4))
@settings(deadline=None, max_examples=25)
def test_the_inverse_restores_the_interior(angle, factor, slant, move):
    x = smooth()
    forward = geometry.about(
        geometry.rotation([angle]) @ geometry.shearing(np.tan(np.deg2rad([slant])), np.zeros(1))
        @ geometry.scaling([factor], [factor]), None, (60, 60),
    )[0]  # fmt: skip
    forward[:2, 2] += move
    # Two bilinear passes are each wrong by 1/8 of the second derivatives, 2 * 40 / 60**2. The cubic
    # kernel with a = -1 does not give slopes exactly: along each axis by 0.1 of a pixel, where they
    # are up to 0.06 and 0.07, and in the second pass up to 1.25 of that.
    for interpolation, tolerance in (("bilinear", 8e-3), ("bicubic", 0.1 * 0.13 * 2.25)):
        there = augment.affine(x, forward, interpolation)
        back = augment.affine(there, np.linalg.inv(forward), interpolation)
        interior = (slice(None), slice(None), slice(22, 38), slice(22, 38))
        np.testing.assert_allclose(back[interior], x[interior], atol=tolerance)


@pytest.mark.parametrize("name", EVERY)
def test_every_transform_keeps_the_contract(name):
    """Type, range, size announced, input unwritten, rows that depend on themselves alone, JSON."""
    t = EVERY[name]
    levels = batch((13, 22)).transpose(0, 3, 1, 2)
    for x in (levels, levels / 255, (levels / 255).astype(np.float32)):
        before = x.copy()
        index = np.array([4, 2, 9, 11])
        got = t(x, seed=1, epoch=2, index=index)
        np.testing.assert_array_equal(x, before)
        assert got.dtype == x.dtype
        h, w, c = t.output_shape((13, 22, 3))
        assert got.shape == (4, c, h, w)
        if x.dtype != np.uint8:
            assert got.min() >= 0 and got.max() <= 1
        order = [2, 0, 3]
        np.testing.assert_array_equal(t(x[order], seed=1, epoch=2, index=index[order]), got[order])
        np.testing.assert_array_equal(t(x[1], seed=1, epoch=2, index=2), got[1])
        assert t(x[:0]).shape == (0, c, h, w)
        assert t(np.asfortranarray(x), seed=1, epoch=2, index=index).tobytes() == got.tobytes()
    again = augment.from_json(t.to_json())
    assert again.to_dict() == t.to_dict()
    np.testing.assert_array_equal(again(levels, seed=3), t(levels, seed=3))


@pytest.mark.parametrize("name", [n for n in EVERY if n != "center crop"])
def test_every_transform_changes_images(name):
    x = batch((13, 22), n=20).transpose(0, 3, 1, 2)
    got = EVERY[name](x, seed=0)
    assert got.shape != x.shape or (got != x).any()


@pytest.mark.parametrize("name", EVERY)
def test_one_pixel(name):
    t = EVERY[name]
    if name in ("random crop", "random crop, padded"):
        with pytest.raises(ValueError, match="needs larger images"):
            t(np.zeros((1, 1)))
        return
    x = np.full((2, 3, 1, 1), 255, np.uint8)
    if name == "fused":
        t = augment.Compose(list(t.transforms)[:3])
    assert t(x, seed=0).shape[:2] == (2, 3)


# --- fused affine maps ----------------------------------------------------------------------------


def quarter(turns):
    return augment.Rotate((90 * turns, 90 * turns))


EXACT = {
    "flips": [augment.HorizontalFlip(), augment.VerticalFlip(), augment.HorizontalFlip()],
    "turns": [quarter(1), augment.HorizontalFlip(), quarter(2), augment.VerticalFlip()],
    "one shift": [augment.HorizontalFlip(), quarter(1),
                  augment.Shift((-3, 4), (2, 5), unit="pixels", fill=9)],
    "padded crop": [augment.RandomCrop(12, padding=4, fill=3), augment.HorizontalFlip()],
    "crop after": [augment.VerticalFlip(), quarter(3), augment.RandomCrop(8),
                   augment.VerticalFlip()],
    "two crops": [augment.RandomCrop(12, padding=4), augment.RandomCrop(12, padding=4)],
    "crop, then turn": [augment.CenterCrop(8), augment.Rotate(30), augment.HorizontalFlip()],
    "pad by mirrors, then shift": [augment.Pad(3, padding_mode="reflect"), augment.Shift(0.2)],
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_fused_is_one_after_another_where_that_is_exact(name):
    x = batch((12, 12), n=16).transpose(0, 3, 1, 2)
    one = augment.Compose(EXACT[name])
    many = augment.Compose(EXACT[name], fuse=False)
    np.testing.assert_array_equal(one(x, seed=0), many(x, seed=0))


RUNS = {
    "all": ([augment.Rotate(3), augment.HorizontalFlip(), augment.Scale(1.1)], [3]),
    "other kernel": ([augment.Rotate(3), augment.Rotate(3, interpolation="nearest")], [1, 1]),
    "other fill": ([augment.Rotate(3), augment.Shift(0.1, fill=1)], [1, 1]),
    "over a flip": ([augment.Rotate(3), augment.VerticalFlip(), augment.Shift(fill=1)], [2, 1]),
    "between": ([augment.Rotate(3), augment.Elastic(), augment.Shift()], [1, 1, 1]),
    "perspective": ([augment.Rotate(3), augment.Perspective(), augment.Shift()], [1, 1, 1]),
    "crop at the end": ([augment.Rotate(3), augment.RandomCrop(4), augment.VerticalFlip()], [3]),
    "crop first": ([augment.RandomCrop(4), augment.VerticalFlip(), augment.Rotate(3)], [2, 1]),
    "expand": ([augment.Rotate(3, expand=True), augment.Rotate(3)], [1, 1]),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_what_is_fused(name):
    transforms, lengths = RUNS[name]
    runs = augment.Compose(transforms)._runs([{}] * len(transforms))
    assert [len(part) for part, _ in runs] == lengths


def test_what_is_applied_by_chance_is_fused_or_not_as_it_says():
    x, steps = batch((20, 20)), [augment.Rotate((30, 30)), augment.Rotate((-30, -30))]
    for fuse in (True, False):
        got = augment.RandomApply(steps, 1.0, fuse=fuse)(x, layout="NHWC")
        expected = augment.Compose(steps, fuse=fuse)(x, layout="NHWC")
        np.testing.assert_array_equal(got, expected)
        assert (got == x).all() == fuse


def test_fused_is_close_to_one_after_another_and_sharper():
    x = smooth(60, 8)
    steps = [augment.Rotate(30), augment.Scale((0.9, 1.1)), augment.Shear(10),
             augment.Shift(0.05), augment.HorizontalFlip()]  # fmt: skip
    one, many = augment.Compose(steps), augment.Compose(steps, fuse=False)
    params = one.draw(x, seed=0)
    middle = (slice(None), slice(None), slice(20, 40), slice(20, 40))
    fused, plain = one.replay(x, params), many.replay(x, params)
    np.testing.assert_allclose(fused[middle], plain[middle], atol=0.02)
    noise = np.random.default_rng(0).random((8, 1, 60, 60))
    assert one.replay(noise, params)[middle].std() > 1.2 * many.replay(noise, params)[middle].std()


# --- what the parameters mean ---------------------------------------------------------------------


def test_ranges_are_those_asked_for():
    n = 2000
    x = np.zeros((n, 1, 10, 20), np.uint8)
    angle = augment.Rotate((10, 30)).draw(x)["angle"]
    assert 10 <= angle.min() < 10.2 and 29.8 < angle.max() < 30
    assert np.abs(augment.Rotate(5).draw(x)["angle"]).max() <= 5
    moves = augment.Shift(0.5, (0, 0.1)).draw(x)
    assert 9.8 < moves["x"].max() <= 10 and 0 <= moves["y"].min() and moves["y"].max() <= 1
    whole = augment.Shift(2, (1, 3), unit="pixels").draw(x)
    assert set(whole["x"]) == {-2, -1, 0, 1, 2} and set(whole["y"]) == {1, 2, 3}
    factor = augment.Scale((0.5, 2)).draw(x)
    np.testing.assert_array_equal(factor["x"], factor["y"])
    both = augment.Scale((0.5, 2), (1, 1.5)).draw(x)
    assert (both["x"] != both["y"]).any() and 1 <= both["y"].min() and both["y"].max() < 1.5
    crops = augment.RandomCrop((8, 9), padding=(1, 2)).draw(x)
    assert set(crops["left"]) == set(range(-1, 13)) and set(crops["top"]) == set(range(-2, 5))


def test_random_resized_crops_have_area_and_shape():
    x = np.zeros((500, 1, 100, 140), np.uint8)
    box = augment.RandomResizedCrop(8, (0.2, 0.6), (0.5, 2)).draw(x)["box"]
    top, left, height, width = box.T
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + height <= 100).all() and (left + width <= 140).all()
    area, shape = width * height / 14000, width / height
    assert 0.19 < area.min() and area.max() < 0.61 and area.max() - area.min() > 0.3
    assert 0.49 < shape.min() and shape.max() < 2.05


@pytest.mark.parametrize(
    ("size", "box"), [((10, 100), (0, 43, 10, 13)), ((100, 10), (43, 0, 13, 10))]
)
def test_where_no_crop_fits_the_middle_is_taken(size, box):
    t = augment.RandomResizedCrop(8, (0.9, 1.0))
    np.testing.assert_array_equal(t.draw(np.zeros(size))["box"], [box])


def test_random_resized_crop_is_a_crop_and_a_resize():
    x = batch((30, 40)).transpose(0, 3, 1, 2)
    t = augment.RandomResizedCrop((9, 7))
    params = t.draw(x, seed=0)
    got = t.replay(x, params)
    for i, (top, left, height, width) in enumerate(params["box"].astype(int)):
        part = augment.crop(x[i], top, left, height, width)
        np.testing.assert_array_equal(got[i], augment.resize(part, (9, 7)))


@pytest.mark.parametrize("mode", _resample.MODES)
@given(x=any_images, padding=st.tuples(*[st.integers(0, 25)] * 4))
@settings(deadline=None, max_examples=25)
def test_any_padding_is_that_of_numpy(mode, x, padding):
    left, top, right, bottom = padding
    got = augment.pad(x, padding, padding_mode=mode, layout="NCHW")
    expected = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), mode)
    np.testing.assert_array_equal(got, expected)


def test_pads_are_those_of_numpy():
    x = batch((5, 6))
    for mode in ("constant", "edge", "reflect", "wrap"):
        got = augment.pad(x, (1, 2, 3, 4), padding_mode=mode, layout="NHWC")
        np.testing.assert_array_equal(got, np.pad(x, ((0, 0), (2, 4), (1, 3), (0, 0)), mode))
    got = augment.pad(x, 1, fill=(1, 2, 3), layout="NHWC")
    border = np.ones((7, 8), bool)
    border[1:-1, 1:-1] = False
    np.testing.assert_array_equal(got[:, border], np.broadcast_to([1, 2, 3], (4, border.sum(), 3)))
    np.testing.assert_array_equal(got[:, 1:-1, 1:-1], x)


def test_the_middle_of_smaller_pictures_is_that_of_torchvision():
    """Half of what lacks is padded before it, rounded down, and the rest after it."""
    for n, m in itertools.product(range(1, 10), range(1, 10)):
        x = np.arange(1, n + 1, dtype=np.uint8)[None]
        before = max(m - n, 0) // 2
        padded = np.pad(x, ((0, 0), (before, max(m - n, 0) - before)))
        first = round((padded.shape[1] - m) / 2)
        got = augment.CenterCrop((1, m))(x)
        np.testing.assert_array_equal(got, padded[:, first : first + m])


def test_integers_of_numpy_are_whole_pixels():
    t = augment.Shift(np.int64(3), (np.int32(1), np.uint8(2)), unit="pixels")
    moves = t.draw(np.zeros((50, 1, 9, 9)), seed=0)
    assert set(moves["x"]) == set(range(-3, 4)) and set(moves["y"]) == {1, 2}
    assert augment.from_json(t.to_json()).to_dict() == t.to_dict()


@pytest.mark.parametrize("shape", [(2, 3, 0, 5), (2, 3, 5, 0)], ids=str)
def test_pictures_without_pixels(shape):
    x = np.zeros(shape, np.uint8)
    for t in (augment.Rotate(9), augment.Perspective(0.5, 1.0), augment.Elastic(),
              augment.ThinPlate(), augment.PiecewiseAffine(), augment.Pad(2, 7, "reflect"),
              augment.CenterCrop(3, 7)):  # fmt: skip
        got = t(x, seed=0)
        assert got.shape == (2, 3, *t.output_shape((*shape[2:], 3))[:2]) and (got == 7).all()
    for t in (augment.Resize((3, 3)), augment.Resize(3), augment.RandomResizedCrop(3)):
        with pytest.raises(ValueError, match="images"):
            t(x, seed=0)


def test_five_and_ten_crops():
    x = batch((10, 12)).transpose(0, 3, 1, 2)
    five = augment.five_crop(x, (4, 5))
    parts = [(0, 0), (0, 7), (6, 0), (6, 7), (3, 4)]
    for got, (top, left) in zip(five, parts, strict=True):
        np.testing.assert_array_equal(got, x[:, :, top : top + 4, left : left + 5])
    mirrored = augment.five_crop(x[..., ::-1], (4, 5))
    for got, expected in zip(augment.ten_crop(x, (4, 5)), [*five, *mirrored], strict=True):
        np.testing.assert_array_equal(got, expected)
    upside = augment.TenCrop((4, 5), vertical_flip=True)(x)
    np.testing.assert_array_equal(upside[5], x[:, :, ::-1][:, :, :4, :5])
    np.testing.assert_array_equal(augment.FiveCrop(4)(x)[4], x[:, :, 3:7, 4:8])
    with pytest.raises(ValueError, match="needs larger images than"):
        augment.five_crop(x, 11)
    for of_one in (
        lambda t: augment.Compose([t]), augment.RandomApply, augment.collate,
        lambda t: augment.AugmentedDataset([x], t), lambda t: t.replay(x, {}),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="cannot stand in a pipeline"):
            of_one(augment.TenCrop(4))


def test_a_number_resizes_the_shorter_side():
    t = augment.Resize(8)
    assert t.output_shape((16, 30, 3)) == (8, 15, 3)
    assert t.output_shape((33, 16, 3)) == (16, 8, 3)


def test_the_longer_side_has_a_limit():
    t = augment.Resize(8, max_size=12)
    assert t.output_shape((16, 20, 3)) == (8, 10, 3)  # below the limit
    assert t.output_shape((16, 32, 3)) == (6, 12, 3)
    assert t.output_shape((48, 16, 3)) == (12, 4, 3)
    assert t.output_shape((1, 900, 3)) == (1, 12, 3)
    x = batch((16, 32))
    got = augment.resize(x, 8, max_size=12, layout="NHWC")
    np.testing.assert_array_equal(got, augment.resize(x, (6, 12), layout="NHWC"))
    assert augment.from_json(t.to_json()).max_size == 12


def test_thin_plates_bring_points_where_they_should_come():
    y, x = np.mgrid[:64, :64] + 0.5
    source = np.array([[10.0, 10], [50, 12], [30, 33], [12, 52], [53, 50]])
    target = source + np.array([[3, 2], [-2, 4], [4, -3], [0, 0], [-3, -3]])
    for start, end in zip(source, target, strict=True):
        blob = np.exp(-((x - start[0]) ** 2 + (y - start[1]) ** 2) / 8)
        got = augment.thin_plate(blob, source, target)
        found = np.array([(got**2 * x).sum(), (got**2 * y).sum()]) / (got**2).sum()
        np.testing.assert_allclose(found, end, atol=0.4)


def test_thin_plates_are_those_of_scipy(monkeypatch):
    from scipy.interpolate import RBFInterpolator

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:70, :24] + 0.5
    target, moves = rng.uniform(0, 24, (7, 2)), rng.normal(size=(2, 7, 2))
    got = distortion._spline(target, moves, (70, 24))
    pixels = np.stack([x, y], axis=-1).reshape(-1, 2)
    for one, move in zip(got, moves, strict=True):
        spline = RBFInterpolator(target, move, kernel="thin_plate_spline", degree=1)
        np.testing.assert_allclose(one.reshape(-1, 2), spline(pixels), atol=2e-6)
    monkeypatch.setattr(distortion, "_BASIS", 64 * 24 * 7)  # four lines, and two at the end
    np.testing.assert_allclose(distortion._spline(target, moves, (70, 24)), got, atol=1e-6)


@pytest.mark.parametrize("t", [augment.ThinPlate(), augment.Elastic(), augment.PiecewiseAffine(),
                               augment.GridDistortion()], ids=lambda t: type(t).__name__)
def test_points_are_moved_a_few_images_at_a_time(t, traced):
    x = np.zeros((64, 3, 64, 64), np.uint8)
    boxes = [np.array([[1.0, 1, 50, 50]])] * len(x)
    t(x[:1], seed=0, boxes=boxes[:1])  # what is imported and cached at the first call
    peaks = [traced(lambda: t(x, seed=0))[1], traced(lambda: t(x, seed=0, boxes=boxes))[1]]
    # The fields of a block at once took 0.3 times the batch more; where noise makes them, 1.2.
    assert peaks[1] < peaks[0] + 0.25 * x.nbytes


def test_thin_plates_of_large_images_take_bounded_memory(traced):
    x = np.zeros((1, 1, 1200, 1200), np.uint8)
    distortion._basis.cache_clear()
    kept, peak = traced(lambda: augment.ThinPlate()(x, seed=0))
    # The field is 8 bytes a pixel; what 16 nodes count for at all pixels would be 64.
    assert kept < 5e6 and peak < 24 * x.nbytes


def test_elastic_fields_are_smoothed_noise():
    still = augment.Elastic(10, 3)
    field = still.offsets(still.draw(np.zeros((40, 40)), seed=0), (40, 40, 1))
    # A Gaussian of deviation s leaves a share 1 / (4 pi s^2) of the variance, 1/3 of uniform.
    inner = field[:, 8:-8, 8:-8]
    assert 0.5 < inner.std() / (10 * np.sqrt(1 / 3 / (4 * np.pi * 9))) < 1.6
    assert np.abs(np.diff(inner, axis=1)).max() < 0.5 * np.abs(inner).max()


@pytest.mark.parametrize(("make", "message"), [
    (lambda: augment.Rotate(-5), "degrees must not be negative"),
    (lambda: augment.Rotate((5, 1)), "degrees must be .* low <= high"),
    (lambda: augment.Rotate((1, 2, 3)), "degrees must be a number or a pair"),
    (lambda: augment.Rotate(float("nan")), "degrees must be finite"),
    (lambda: augment.Rotate(5, center=3), "center must be"),
    (lambda: augment.Rotate(5, center=(1, 1), expand=True), "center must be None"),
    (lambda: augment.Rotate(5, interpolation="cubic"), "interpolation must be one of"),
    (lambda: augment.Rotate(5, mode="mirror"), "mode must be one of"),
    (lambda: augment.Scale(0), "scale must be positive"),
    (lambda: augment.Scale((1, 2), (-1, 2)), "scale_y must be positive"),
    (lambda: augment.Shift(unit="cm"), "unit must be one of"),
    (lambda: augment.Shear(90), "x must be within"),
    (lambda: augment.Affine(1, translate=(2, 0)), "translate must be a probability"),
    (lambda: augment.Affine(1, translate=0.1), r"translate must be \(x, y\)"),
    (lambda: augment.Affine(1, translate=(0.1,)), r"translate must be \(x, y\)"),
    (lambda: augment.Affine(1, shear=(1, 2, 3)), "shear must be"),
    (lambda: augment.Perspective(2.0), "distortion_scale must be"),
    (lambda: augment.CenterCrop(-1), "size must be a positive"),
    (lambda: augment.CenterCrop((3, 0)), "size must be a positive"),
    (lambda: augment.RandomCrop(1.5), "size must be a positive"),
    (lambda: augment.RandomCrop(3, padding=-1), "padding must be"),
    (lambda: augment.RandomCrop(3, padding=(1, 2, 3)), "padding must be"),
    (lambda: augment.RandomCrop(3, padding_mode="zero"), "padding_mode must be one of"),
    (lambda: augment.Crop(0, 0, -2, 3), "height and width must be"),
    (lambda: augment.Crop(0.5, 0, 2, 3), "top and left must be integers"),
    (lambda: augment.Resize((3, -3)), "size must be a positive"),
    (lambda: augment.Resize(3, "linear"), "interpolation must be one of"),
    (lambda: augment.RandomResizedCrop(3, (0, 2)), "scale must be a range"),
    (lambda: augment.RandomResizedCrop(3, ratio=(0, 2)), "ratio must be"),
    (lambda: augment.Elastic(-1), "alpha must be"),
    (lambda: augment.Elastic(1, 0), "sigma positive"),
    (lambda: augment.GridDistortion(0), "num_steps must be"),
    (lambda: augment.GridDistortion(2, 1.0), "distort_limit must be"),
    (lambda: augment.ThinPlate(1), "points must be"),
    (lambda: augment.PiecewiseAffine(3, -1), "scale must be"),
    (lambda: augment.RandomCrop(9)(np.zeros((8, 9))), r"needs larger images than \(8, 9\)"),
    (lambda: augment.rotate(np.zeros((4, 1, 2, 2)), [1, 2]), "angle must be a finite number"),
    (lambda: augment.scale(np.zeros((2, 2)), -1), "x must be positive"),
    (lambda: augment.shear(np.zeros((2, 2)), 91), "x must be within"),
    (lambda: augment.affine(np.zeros((2, 2)), np.eye(4)), r"matrix must be \(2, 3\)"),
    (lambda: augment.affine(np.zeros((2, 2)), np.zeros((3, 3))), "have an inverse"),
    (lambda: augment.perspective(np.zeros((2, 2)), [[0, 0]], [[0, 0]]), "startpoints must be"),
    (lambda: augment.perspective(np.zeros((2, 2)), np.zeros((4, 2)), np.ones((4, 2))), "a line"),
    (lambda: augment.thin_plate(np.zeros((2, 2)), np.eye(2), np.eye(2)), "not on a line"),
    (lambda: augment.thin_plate(np.zeros((2, 2)), np.eye(2), np.eye(3)), "must both be"),
    (lambda: augment.thin_plate(np.zeros((2, 2)), np.eye(3)[:, :2], np.nan * np.eye(3)[:, :2]),
     "source and target must be finite"),
    (lambda: augment.thin_plate(np.zeros((2, 2)), np.eye(4)[:, :2], np.eye(4)[:, :2]), "twice"),
    (lambda: augment.thin_plate(np.zeros((2, 2)), "ab", np.eye(2)), "source must be made of num"),
    (lambda: augment.affine(np.zeros((2, 2)), np.full((2, 3), np.nan)), "matrix must be finite"),
    (lambda: augment.affine(np.zeros((2, 2)), "ab"), "matrix must be made of numbers"),
    (lambda: augment.rotate(np.zeros((2, 2)), "ab"), "angle must be made of numbers"),
    (lambda: augment.perspective(np.zeros((2, 2)), [(0, 0), (1, 0), (1, 1), (0, 1)],
                                 [(0, 0), (0.1, 0.1), (0.3, 0.3), (0, 1)]), "endpoints .* a line"),
    (lambda: augment.perspective(np.zeros((2, 2)), np.full((4, 2), np.nan), np.zeros((4, 2))),
     "startpoints must be four finite"),
    (lambda: augment.Pad(None), "padding must be"),
    (lambda: augment.Resize(8, max_size=8), "max_size is for a size that is one number"),
    (lambda: augment.Resize((8, 9), max_size=20), "max_size is for a size that is one number"),
    (lambda: augment.Resize(8, max_size=0), "max_size must be an integer"),
    (lambda: augment.warp(np.zeros((1, 2, 2, 1)), np.eye(3)[None], None, "cubic"),
     "interpolation must be one of"),
    (lambda: augment.warp(np.zeros((1, 2, 2, 1)), np.eye(3)[None], mode="mirror"),
     "mode must be one of"),
    (lambda: augment.warp(np.zeros((1, 2, 2, 1)), np.eye(3)), r"matrices must be \(n, 3, 3\)"),
    (lambda: augment.warp(np.zeros((1, 2, 2, 1)), np.diag([0, 1, 1])[None]), "inverses"),
], ids=lambda v: v if isinstance(v, str) else "")  # fmt: skip
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(("make", "message"), [
    (lambda: augment.Rotate((None, 1)), "degrees must be a number"),
    (lambda: augment.Rotate({1, 2}), "degrees must be a number"),
    (lambda: augment.Rotate(True), "degrees must be a number"),
    (lambda: augment.Elastic(np.True_), "alpha must be a number"),
    (lambda: augment.GridDistortion(3, "a"), "distort_limit must be a number"),
    (lambda: augment.Rotate(5, fill="red"), "fill must be a number"),
    (lambda: augment.Pad(1, fill=None), "fill must be a number"),
    (lambda: augment.warp(np.zeros((1, 2, 2, 1), int), 2.0 * np.eye(3)[None]), "needs interpolat"),
], ids=lambda v: v if isinstance(v, str) else "")  # fmt: skip
def test_arguments_of_another_type_are_named(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize("fill", [math.nan, math.inf, (0, math.nan), (), [[1]]], ids=str)
def test_fills_are_finite_numbers(fill):
    with pytest.raises(ValueError, match="fill must be one finite number, or one for each"):
        augment.Rotate(5, fill=fill)
    with pytest.raises(ValueError, match="fill must be one finite number, or one for each"):
        augment.AutoAugment(fill=fill)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("fill", [(0, 1), -1, 256, 0.5], ids=str)
def test_fills_must_fit_the_images(fill, dtype):
    x = np.zeros((1, 3, 4, 4), dtype)
    several = augment.Compose([augment.Shift(fill=fill), augment.Shift(fill=fill)])
    one = [augment.Rotate(5, fill=fill), augment.Pad(1, fill), augment.Elastic(fill=fill)]
    for t in (*one, several):
        if fill == 0.5 and dtype == np.float32:
            t(x)
            continue
        with pytest.raises(ValueError, match="fill must be"):
            t(x)


def test_parts_are_read_without_what_is_beside_them():
    x = np.zeros((1, 8, 8, 1))
    x[:, 2:6, 2:6] = 1.0
    for interpolation in FILTERS:
        got = resize_boxes(x, [[2, 2, 4, 4]], (3, 9), interpolation)
        np.testing.assert_allclose(got, 1, atol=1e-12)


def test_the_benchmark_runs(capsys):
    pytest.importorskip("PIL")
    root = Path(__file__).resolve().parent.parent
    if not (root / "benchmarks").is_dir():
        pytest.skip("the benchmarks live in the repository")
    sys.path.insert(0, str(root))
    try:
        from benchmarks.augmentation import main
    finally:
        sys.path.remove(str(root))
    main(["--smoke", "--rounds", "1", "--threads", "2", "--floats", "--memory"])
    assert capsys.readouterr().out.count("standard") == 4
