"""Colour, noise, blur, histogram and erasing: beside Pillow, SciPy and plain loops."""

import colorsys
import io
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, stats

import tensorgrad
from tensorgrad import augment
from tensorgrad.augment import KeyedRng, blur, colour, erase, histogram
from tensorgrad.augment.noise import (
    gaussian_noise,
    noise,
    poisson_noise,
    salt_and_pepper_noise,
    speckle_noise,
)

SIZES = [(1, 1), (1, 7), (5, 7), (32, 32), (33, 64)]


def images(size=(9, 12), channels=3, count=6, seed=0):
    """Plain noise, dark, one value, mostly clipped, few levels, and a ramp, as uint8."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (count, *size, channels), dtype=np.uint8)
    x[1] //= 4
    x[2] = 77
    x[3] = np.minimum(x[3], 40)
    x[4] = x[4] // 64 * 64
    x[5] = np.linspace(0, 255, x[5].size).reshape(x[5].shape)
    return x


def keys(n, seed=0):
    return KeyedRng(seed, 0, np.arange(n)).key()


def through_pillow(function, batch):
    Image = pytest.importorskip("PIL.Image")
    pictures = (Image.fromarray(i[..., 0] if i.shape[2] == 1 else i) for i in batch)
    return np.stack([np.asarray(function(p)).reshape(p.size[1], p.size[0], -1) for p in pictures])


# --- beside Pillow ---------------------------------------------------------------------------

FACTORS = (0.0, 0.1, 0.37, 1.0, 1.3, 1.9, 4.0)
ENHANCERS = {
    "Brightness": colour.adjust_brightness,
    "Contrast": colour.adjust_contrast,
    "Color": colour.adjust_saturation,
    "Sharpness": blur.adjust_sharpness,
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ENHANCERS)
def test_enhancers_equal_pillow(name, size, channels):
    enhance = pytest.importorskip("PIL.ImageEnhance")
    x = images(size, channels)
    for factor in FACTORS:
        theirs = through_pillow(lambda p, f=factor: getattr(enhance, name)(p).enhance(f), x)
        assert_array_equal(ENHANCERS[name](x, factor), theirs)


def test_the_mean_of_tall_and_wide_images_does_not_overflow():
    enhance = pytest.importorskip("PIL.ImageEnhance")
    for size in ((300, 2), (2, 300)):
        x = np.full((2, *size, 3), 250, np.uint8)
        x[:, :2, 1] = 255
        expected = through_pillow(lambda p: enhance.Contrast(p).enhance(0.3), x)
        assert_array_equal(colour.adjust_contrast(x, 0.3), expected)
        floats = colour.adjust_contrast(x / 255, 0.3)
        assert_allclose(floats * 255, expected, atol=1.01)


def test_enhancers_take_one_factor_for_each_image():
    x = images()
    factors = np.linspace(0, 2, len(x))
    for adjust in (*ENHANCERS.values(), colour.adjust_gamma):
        alone = [adjust(x[i : i + 1], f)[0] for i, f in enumerate(factors)]
        assert_array_equal(adjust(x, factors), alone)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [*SIZES, (90, 70)])
def test_histogram_operations_equal_pillow(size, channels):
    ops = pytest.importorskip("PIL.ImageOps")
    x = images(size, channels)
    assert_array_equal(histogram.equalize(x), through_pillow(ops.equalize, x))
    assert_array_equal(histogram.autocontrast(x), through_pillow(ops.autocontrast, x))
    assert_array_equal(colour.invert(x), through_pillow(ops.invert, x))


def test_solarize_and_posterize_equal_pillow():
    ops = pytest.importorskip("PIL.ImageOps")
    x = images()
    for threshold in (0, 1, 128, 255, 256):
        theirs = through_pillow(lambda p, t=threshold: ops.solarize(p, t), x)
        assert_array_equal(colour.solarize(x, threshold), theirs)
    for bits in range(1, 9):
        theirs = through_pillow(lambda p, b=bits: ops.posterize(p, b), x)
        assert_array_equal(colour.posterize(x, bits), theirs)
    assert not colour.posterize(x, 0).any()


def test_grey_equals_pillow():
    x = images((64, 64))
    assert_array_equal(colour.to_grayscale(x), through_pillow(lambda p: p.convert("L"), x))
    assert colour.to_grayscale(x, 3).shape == x.shape


def test_gamma_equals_the_table_that_torchvision_gives_pillow():
    x = images()
    for gamma, gain in ((0.5, 1.0), (1.0, 1.0), (2.2, 1.0), (0.7, 1.4)):
        table = [int((255 + 1 - 1e-3) * gain * (i / 255.0) ** gamma) for i in range(256)] * 3
        theirs = through_pillow(lambda p, t=table: p.point(t), x)
        assert_array_equal(colour.adjust_gamma(x, gamma, gain), theirs)


def test_jpeg_is_pillows():
    Image = pytest.importorskip("PIL.Image")

    def code(p):
        file = io.BytesIO()
        p.save(file, "JPEG", quality=20)
        return Image.open(file)

    for channels in (1, 3):
        x = images((17, 23), channels)
        assert_array_equal(colour.jpeg(x, 20), through_pillow(code, x))
        assert_array_equal(colour.jpeg(x / 255, 20) * 255, colour.jpeg(x, 20))
    flat = np.full((1, 16, 16, 3), 128, np.uint8)
    assert_array_equal(colour.jpeg(flat, 95), flat)


def test_without_pillow_jpeg_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'Pillow.*pip install "tensorgrad\[image\]"'):
        augment.JPEG(50)(np.zeros((3, 4, 4), np.uint8))


def test_jpeg_of_an_image_is_its_own():
    pytest.importorskip("PIL")
    t = augment.JPEG((5, 95))
    x = images((17, 23)).transpose(0, 3, 1, 2)
    whole = t(x, seed=0, index=np.arange(6))
    assert_array_equal(t(x[3], seed=0, index=3), whole[3])
    assert t(x[:0], seed=0).shape == (0, 3, 17, 23)
    assert_array_equal(augment.from_json(t.to_json())(x, seed=0), whole)


def test_mean_and_median_equal_pillows_filters_inside():
    """Pillow repeats the edge or leaves it, so only what is not near it is compared."""
    filters = pytest.importorskip("PIL.ImageFilter")
    x, inner = images((20, 21)), (slice(None), slice(2, -2), slice(2, -2))
    for size in (3, 5):
        mean = through_pillow(lambda p, k=size: p.filter(filters.Kernel((k, k), [1] * k**2)), x)
        assert_array_equal(blur.mean_blur(x, size)[inner], mean[inner])
        median = through_pillow(lambda p, k=size: p.filter(filters.MedianFilter(k)), x)
        assert_array_equal(blur.median_blur(x, size)[inner], median[inner])


# --- hue -------------------------------------------------------------------------------------


def loop(function, batch):
    return np.apply_along_axis(lambda rgb: function(*rgb), 3, batch)


def test_hsv_equals_colorsys_and_turns_back():
    x = images((6, 5)) / 255
    hsv = colour.rgb_to_hsv(x)
    assert_allclose(hsv, loop(colorsys.rgb_to_hsv, x), atol=1e-12)
    assert_allclose(colour.hsv_to_rgb(hsv), x, atol=1e-12)
    assert_allclose(colour.hsv_to_rgb(hsv), loop(colorsys.hsv_to_rgb, hsv), atol=1e-12)
    for one in (x[0], x[0, 0, 0]):
        assert_allclose(colour.hsv_to_rgb(colour.rgb_to_hsv(one)), one, atol=1e-12)


@pytest.mark.parametrize("factor", [-0.5, -0.21, 0.0, 0.1, 0.5])
def test_hue_turns_in_hsv(factor):
    def turn(r, g, b):
        h, s, v = colorsys.rgb_to_hsv(r, g, b)
        return colorsys.hsv_to_rgb((h + factor) % 1, s, v)

    x = images((6, 5))
    expected = loop(turn, x / 255)
    assert_allclose(colour.adjust_hue(x / 255, factor), expected, atol=1e-12)
    assert abs(colour.adjust_hue(x, factor) - expected * 255).max() <= 0.5001
    assert_array_equal(colour.adjust_hue(x[..., :1], factor), x[..., :1])


# --- floats ----------------------------------------------------------------------------------

POINTWISE = {
    "brightness": (lambda x: colour.adjust_brightness(x, 1.4), 1),
    "contrast": (lambda x: colour.adjust_contrast(x, 0.6), 1.6),
    "saturation": (lambda x: colour.adjust_saturation(x, 0.3), 1.6),
    "sharpness": (lambda x: blur.adjust_sharpness(x, 1.5), 1.6),
    "invert": (colour.invert, 1e-9),
    "autocontrast": (histogram.autocontrast, 1.01),
    "equalize": (histogram.equalize, 1e-9),
    "clahe": (lambda x: histogram.clahe(x, 2.0, (2, 2)), 1.01),
    "grey": (lambda x: colour.to_grayscale(x, 3), 0.51),
    "gaussian": (lambda x: blur.gaussian_blur(x, 1.0), 0.51),
    "mean": (lambda x: blur.mean_blur(x, 3), 0.51),
    "median": (lambda x: blur.median_blur(x, 3), 1e-9),
}


@pytest.mark.parametrize("name", POINTWISE)
def test_floats_are_as_bytes_without_rounding(name):
    function, tolerance = POINTWISE[name]
    x = images()
    ours = function(x / 255)
    assert ours.min() >= 0 and ours.max() <= 1
    assert abs(ours * 255 - function(x)).max() <= tolerance


def test_floats_posterized_and_solarized():
    x = np.array([0.0, 0.24, 0.26, 0.5, 1.0]).reshape(1, 1, 5, 1)
    assert_allclose(colour.posterize(x, 2).ravel(), [0, 0, 0.25, 0.5, 0.75])
    assert_allclose(colour.solarize(x, 0.5).ravel(), [0, 0.24, 0.26, 0.5, 0])
    assert_array_equal(colour.posterize(x, 8), x)


# --- blur beside SciPy -----------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_gaussian_blur_equals_scipy(size):
    x = images(size) / 255
    sigmas = np.array([0.0, 0.3, 0.8, 1.0, 1.7, 2.6])
    alone = [ndimage.gaussian_filter(i, (s, s, 0), mode="mirror")
             for i, s in zip(x, sigmas, strict=True)]  # fmt: skip
    assert_allclose(blur.gaussian_blur(x, sigmas), alone, atol=1e-14)
    sized = [ndimage.gaussian_filter(i, (s, s, 0), mode="mirror", radius=(2, 1, 0))
             for i, s in zip(x[1:], sigmas[1:], strict=True)]  # fmt: skip
    assert_allclose(blur.gaussian_blur(x[1:], sigmas[1:], (5, 3)), sized, atol=1e-14)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [(1, 3), (3, 3), (5, 1), (7, 5)])
def test_mean_and_median_equal_scipy(size, kernel):
    x = images(size)
    window = (1, *kernel, 1)
    mean = ndimage.uniform_filter(x / 255, window, mode="mirror")
    assert_allclose(blur.mean_blur(x / 255, kernel), mean, atol=1e-14)
    assert_array_equal(blur.median_blur(x, kernel), ndimage.median_filter(x, window, mode="mirror"))


def test_motion_blur_is_the_mean_along_a_line():
    x = images((11, 13)) / 255
    angles = np.array([0.0, 30.0, 45.0, 90.0, 133.0, 180.0])
    ours = blur.motion_blur(x, 5, angles)
    rows, cols, channels = np.meshgrid(*map(np.arange, x.shape[1:]), indexing="ij")
    for image, angle, blurred in zip(x, np.deg2rad(angles), ours, strict=True):
        points = [ndimage.map_coordinates(
            image, [rows - t * np.sin(angle), cols + t * np.cos(angle), channels],
            order=1, mode="mirror",
        ) for t in range(-2, 3)]  # fmt: skip
        assert_allclose(blurred, np.mean(points, axis=0), atol=1e-8)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_median_of_arrays(half, seed):
    values = np.random.default_rng(seed).integers(0, 9, (2 * half + 1, 20))
    assert_array_equal(blur._median(list(values)), np.median(values, axis=0))


# --- CLAHE beside loops ----------------------------------------------------------------------


def mirrored(i, size):
    """OpenCV's BORDER_REFLECT_101 of one index."""
    while size > 1 and not 0 <= i < size:
        i = -i if i < 0 else 2 * size - 2 - i
    return i if size > 1 else 0


def plain_clahe(levels, limit, grid):
    """One plane by OpenCV's algorithm, tile by tile and pixel by pixel, in its float32."""
    f = np.float32
    h, w = levels.shape
    whole = h % grid[0] == 0 and w % grid[1] == 0
    th, tw = (n // k if whole else (n + k - n % k) // k for n, k in zip((h, w), grid, strict=True))
    tables = np.empty((*grid, 256))
    for r, c in np.ndindex(*grid):
        counts = [0] * 256
        for y, x in np.ndindex(th, tw):
            counts[levels[mirrored(r * th + y, h), mirrored(c * tw + x, w)]] += 1
        if limit > 0:
            most = max(1, int(limit * th * tw / 256))
            excess = sum(max(k - most, 0) for k in counts)
            counts = [min(k, most) + excess // 256 for k in counts]
            rest = excess % 256
            step, place = max(256 // max(rest, 1), 1), 0
            while place < 256 and rest:
                counts[place] += 1
                place, rest = place + step, rest - 1
        total = 0
        for level in range(256):
            total += counts[level]
            tables[r, c, level] = min(255, np.rint(f(total) * (f(255) / f(th * tw))))
    out = np.empty((h, w))
    for y, x in np.ndindex(h, w):
        fy, fx = (f(i) * (f(1) / f(t)) - f(0.5) for i, t in ((y, th), (x, tw)))
        y0, x0 = np.floor(fy), np.floor(fx)
        down, across = fy - y0, fx - x0
        rows = max(int(y0), 0), min(int(y0) + 1, grid[0] - 1)
        cols = max(int(x0), 0), min(int(x0) + 1, grid[1] - 1)
        (a, b), (c, d) = ([f(tables[row, col, levels[y, x]]) for col in cols] for row in rows)
        upper, lower = (p * (f(1) - across) + q * across for p, q in ((a, b), (c, d)))
        out[y, x] = np.rint(upper * (f(1) - down) + lower * down)
    return out


@pytest.mark.parametrize("size, grid", [
    ((16, 16), (2, 2)), ((13, 18), (3, 4)), ((1, 1), (8, 8)), ((12, 10), (3, 4)), ((3, 8), (8, 8)),
])  # fmt: skip
@pytest.mark.parametrize("limit", [0.0, 1.0, 3.0])
def test_clahe_equals_loops(size, grid, limit):
    x = images(size, channels=1)
    ours = histogram.clahe(x, limit, grid)
    for image, mapped in zip(x, ours, strict=True):
        assert_array_equal(mapped[..., 0], plain_clahe(image[..., 0], limit, grid))


def test_clahe_of_colours_moves_all_channels_by_the_same():
    x = images((16, 16), count=6) // 4 + 96
    change = histogram.clahe(x, 1.0, (2, 2)).astype(int) - x
    inner = (change + x > 0).all(-1) & (change + x < 255).all(-1)
    assert inner.any()
    assert (np.ptp(change, axis=-1)[inner] == 0).all()


# --- noise -----------------------------------------------------------------------------------


def test_noise_of_the_course_notes():
    tensorgrad.manual_seed(3)
    image = np.linspace(0, 1, 20_000).reshape(100, 200)
    noisy = noise(image, var=0.04)
    assert noisy.min() == 0 and noisy.max() == 1 and noisy.shape == image.shape
    inner = (image > 0.4) & (image < 0.6)  # 2 sigma from the ends: little is clipped
    assert abs((noisy - image)[inner].std() - 0.2) < 0.01
    assert_array_equal(noise(image, var=0.0), image)
    tensorgrad.manual_seed(3)
    assert_array_equal(noise(image, var=0.04), noisy)
    assert noise(image.astype(np.float32)).dtype == np.float32
    assert 0 <= noise(0.5, var=0.01) <= 1 and noise(np.zeros((0, 3))).shape == (0, 3)


def test_noise_of_a_tensor_is_a_tensor():
    image = tensorgrad.full((5, 6), 0.5, requires_grad=True)
    tensorgrad.manual_seed(1)
    noisy = noise(image, var=np.float32(0.01))
    assert noisy.dtype == image.dtype and not noisy.requires_grad
    tensorgrad.manual_seed(1)
    assert_array_equal(noisy.numpy(), noise(np.full((5, 6), 0.5, np.float32), np.float32(0.01)))


@pytest.mark.parametrize("white", [1.0, 255])
def test_noises_have_their_moments(white):
    dtype = np.uint8 if white == 255 else np.float64
    x = np.full((4, 60, 60, 3), 0.5 * white).astype(dtype)
    key = keys(4)

    def moments(y):
        return [y.mean() / white, y.std() / white]

    # 43,200 values: five standard errors of the mean are 0.0024, of the deviation 0.0017.
    got = moments(gaussian_noise(x, key, 0.1, 0.1))
    assert_allclose(got, [0.6, 0.1], atol=0.005)
    assert_allclose(moments(speckle_noise(x, key, 0.2)), [0.5, 0.1], atol=0.005)
    expected = [0.5, np.sqrt(0.5 / 50)]
    assert_allclose(moments(poisson_noise(x, key, 50)), expected, atol=0.005)
    noisy = salt_and_pepper_noise(x, key, 0.2, 0.25)
    shares = [(noisy == level).mean() for level in (0, white)]
    assert_allclose(shares, [0.15, 0.05], atol=0.03)
    assert ((noisy == noisy[..., :1]).all(-1)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noises_have_their_distributions(dtype):
    """By a test that a true sample fails once in 10,000 times; the keys are fixed."""
    x, key = np.full((4, 70, 70, 3), 0.5, dtype), keys(4, seed=2)
    normal = (gaussian_noise(x, key, 0.02, 0.05).astype(float) - 0.52) / 0.05
    assert stats.kstest(normal.ravel(), "norm").pvalue > 1e-4
    speckle = (speckle_noise(x, key, 0.1).astype(float) / 0.5 - 1) / 0.1
    assert stats.kstest(speckle.ravel(), "norm").pvalue > 1e-4
    counts = poisson_noise(x, key, 40.0).astype(float).ravel() * 40
    assert_allclose(counts, counts.round(), atol=1e-5)  # of float32
    seen = np.bincount(counts.round().astype(int), minlength=41)
    level = np.arange(12, 30)
    expected = np.r_[stats.poisson.cdf(11, 20), stats.poisson.pmf(level, 20),
                     stats.poisson.sf(29, 20)]  # fmt: skip
    seen = np.r_[seen[:12].sum(), seen[level], seen[30:].sum()]
    assert stats.chisquare(seen, expected * x.size).pvalue > 1e-4


def test_noise_of_an_image_is_its_keys():
    x = images((5, 4))
    key = keys(6)
    for function in (gaussian_noise, speckle_noise, poisson_noise,
                     salt_and_pepper_noise):  # fmt: skip
        whole = function(x, key)
        assert_array_equal(function(x[3:4], key[3:4])[0], whole[3])
        assert (function(x, keys(6, seed=1)) != whole).any()


# --- erasing ---------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 9), st.integers(1, 8), st.integers(1, 8), st.integers(0, 99))
def test_cutout_is_a_square_around_a_pixel(length, h, w, seed):
    t = augment.Cutout(length)
    params = t.draw(np.zeros((3, 1, h, w)), seed=seed)
    centers = params["centers"]
    assert (centers >= 0).all() and (centers < [h, w]).all()
    out = t.replay(np.ones((3, 1, h, w)), params)
    for image, ((row, col),) in zip(out[:, 0], centers, strict=True):
        for y, x in np.ndindex(h, w):
            inside = all(-(length // 2) <= d < length - length // 2 for d in (y - row, x - col))
            assert image[y, x] == (0 if inside else 1)


def test_cutout_meets_every_pixel_as_a_centre():
    params = augment.Cutout(1).draw(np.zeros((2000, 1, 4, 3)), seed=0)
    _, counts = np.unique(params["centers"].reshape(-1, 2), axis=0, return_counts=True)
    assert len(counts) == 12 and counts.min() > 110  # 167 expected, 12 the deviation


def test_cutout_after_normalize_fills_its_zero():
    x = np.full((2, 3, 8, 8), 0.9, np.float32)
    pipeline = augment.Compose([augment.Normalize(0.5, 0.1), augment.Cutout(4)])
    values = np.unique(pipeline(x, seed=0).round(3))
    assert_allclose(values, [0, 4], atol=1e-3)


def test_random_erasing_keeps_its_area_and_aspect():
    t = augment.RandomErasing(1.0, scale=(0.1, 0.2), ratio=(0.5, 2.0))
    top, left, bottom, right = t.draw(np.zeros((400, 1, 40, 60)), seed=0)["boxes"][:, 0].T
    h, w = bottom - top, right - left
    assert (top >= 0).all() and (left >= 0).all() and (bottom <= 40).all() and (right <= 60).all()
    # Sides are rounded to whole pixels.
    assert ((h + 1) * (w + 1) > 240).all() and ((h - 1) * (w - 1) < 480).all()
    assert ((h + 1) / (w - 1) > 0.5).all() and ((h - 1) / (w + 1) < 2.0).all()
    assert h.std() > 1 and left.std() > 5
    tall = augment.RandomErasing(1.0, scale=(1.0, 1.0), ratio=(1.0, 1.0))
    assert (tall(np.ones((5, 1, 9, 9)), seed=0) == 1).all()  # never fits inside


def test_random_erasing_passes_over_sides_beyond_all_integers():
    t = augment.RandomErasing(1.0, scale=(0.5, 0.5), ratio=(1e-40, 1e40))
    boxes = t.draw(np.zeros((3000, 1, 32, 32)), seed=0)["boxes"][:, 0]
    assert boxes.min() >= 0 and boxes.max() <= 32
    # An aspect from 1/2 to 2 fits; ten are tried. The deviation of the share is 0.005.
    expected = 1 - (1 - np.log(4) / np.log(1e80)) ** 10
    assert abs((boxes[:, 2] > boxes[:, 0]).mean() - expected) < 0.02


@pytest.mark.parametrize("value", [0.25, (0.1, 0.2, 0.3), "random", "normal"])
def test_random_erasing_fills(value):
    t = augment.RandomErasing(1.0, scale=(0.3, 0.3), ratio=(1.0, 1.0), value=value)
    x = np.full((4, 3, 20, 20), 0.5)
    out = t(x, seed=0)
    changed = out[:, :, :][(out != x)]
    assert 0.2 < (out != x).mean() < 0.4
    if value == "random":
        assert changed.min() >= 0 and changed.max() <= 1 and abs(changed.mean() - 0.5) < 0.05
    elif value == "normal":
        assert changed.min() < -2 and abs(changed.std() - 1) < 0.1
    else:
        expected = np.broadcast_to(np.reshape(value, (-1, 1, 1)), x.shape)
        assert_array_equal(changed, expected[out != x])


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5, 1.0])
def test_grid_mask_by_loops(ratio):
    t = augment.GridMask((3, 6), ratio=ratio)
    params = t.draw(np.zeros((5, 1, 13, 11)), seed=2)
    out = t.replay(np.ones((5, 1, 13, 11)), params)
    for i, (unit, offset) in enumerate(zip(params["unit"], params["offset"], strict=True)):
        hole = unit - round(ratio * unit)
        for y, x in np.ndindex(13, 11):
            gone = (y + offset[0]) % unit < hole and (x + offset[1]) % unit < hole
            assert out[i, 0, y, x] == (0 if gone else 1)


def test_coarse_dropout_has_the_holes_that_it_says():
    t = augment.CoarseDropout((0, 3), (2, 4), (0.25, 0.5))
    boxes = t.draw(np.zeros((300, 1, 10, 20)), seed=0)["boxes"]
    h, w = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    used = h > 0
    assert set(used.sum(1)) == {0, 1, 2, 3}
    assert set(h[used]) == {2, 3, 4}
    assert w[used].min() == 5 and w[used].max() == 9
    assert (boxes >= 0).all() and (boxes[..., 2] <= 10).all() and (boxes[..., 3] <= 20).all()


def test_random_bytes_of_erasing_are_uniform():
    t = augment.RandomErasing(1.0, scale=(0.9, 0.9), ratio=(1.0, 1.0), value="random")
    out = t(np.zeros((3, 3, 60, 60), np.uint8), seed=0)
    counts = np.bincount(out[:, :, 5:-5, 5:-5].ravel(), minlength=256)  # inside every box
    assert stats.chisquare(counts).pvalue > 1e-4


def test_erase_fills_a_rectangle():
    x = np.ones((2, 3, 5, 6), np.uint8)
    out = augment.Erase(1, 2, 3, 9, v=(7, 8, 9))(x)
    expected = x.copy()
    expected[:, :, 1:4, 2:] = np.array([7, 8, 9])[:, None, None]
    assert_array_equal(out, expected)


# --- jitter, chance, channels ----------------------------------------------------------------


def test_jitter_runs_its_parts_in_the_drawn_order():
    t = augment.ColorJitter(0.4, 0.5, 0.6, 0.2)
    x = images((6, 7))
    params = t.draw(x, seed=5, layout="NHWC")
    names = ("brightness", "contrast", "saturation", "hue")
    expected = []
    for i in range(len(x)):
        one = x[i : i + 1]
        for part in params["order"][i]:
            one = getattr(colour, f"adjust_{names[part]}")(one, params[names[part]][i])
        expected.append(one[0])
    assert len(np.unique(params["order"], axis=0)) > 1
    assert_array_equal(t.replay(x, params, layout="NHWC"), expected)


def test_jitter_draws_from_its_ranges():
    many = np.zeros((2000, 3, 1, 1))
    params = augment.ColorJitter(1.5, (0.2, 0.3), 0, 0.1).draw(many, seed=0)
    assert set(params) == {"order", "brightness", "contrast", "hue"}
    for name, low, high in (("brightness", 0, 2.5), ("contrast", 0.2, 0.3), ("hue", -0.1, 0.1)):
        values, width = params[name], high - low
        assert low <= values.min() < low + width / 50
        assert high - width / 50 < values.max() <= high


def test_chance_changes_some_images():
    x = np.zeros((2000, 1, 1, 1))
    for p in (0.0, 0.3, 1.0):
        assert abs(augment.RandomInvert(p)(x, seed=0).mean() - p) <= 0.04


def test_channel_permutation_is_one_for_each_image():
    x = np.tile(np.arange(3.0).reshape(3, 1, 1) / 2, (200, 1, 2, 2))
    out = augment.RandomChannelPermutation()(x, seed=0)
    assert len(np.unique(out.reshape(200, -1), axis=0)) == 6
    assert_array_equal(np.sort(out, axis=1), x)


def test_normalize_is_torchvisions_formula():
    x = images() / 255
    t = augment.Normalize((0.1, 0.2, 0.3), (0.5, 0.25, 2.0))
    expected = (x - [0.1, 0.2, 0.3]) / [0.5, 0.25, 2.0]
    assert_allclose(t(x, layout="NHWC"), expected)


# --- what holds for all ----------------------------------------------------------------------

# Every transform, and whether it is the identity.
TRANSFORMS = [
    augment.ColorJitter(0.4, 0.4, 0.4, 0.1), augment.Grayscale(3), augment.RandomGrayscale(0.5),
    augment.RandomChannelPermutation(), augment.RandomGamma((0.5, 2.0)),
    augment.RandomInvert(), augment.RandomSolarize(0.4), augment.RandomPosterize((1, 8)),
    augment.RandomAutocontrast(), augment.RandomEqualize(), augment.CLAHE((0.0, 4.0), (2, 2)),
    augment.GaussianBlur(3), augment.GaussianBlur(None, (0.0, 1.5)), augment.MeanBlur(3),
    augment.MedianBlur((3, 5)), augment.MotionBlur(3), augment.RandomAdjustSharpness((0.0, 3.0)),
    augment.GaussianNoise(0.05, (0.0, 0.2)), augment.SpeckleNoise((0.1, 0.3)),
    augment.PoissonNoise((10.0, 99.0)), augment.SaltAndPepperNoise((0.0, 0.5)),
    augment.Erase(0, 0, 2, 2), augment.Cutout(3, n_holes=2), augment.RandomErasing(0.8),
    augment.RandomErasing(0.8, value="random"), augment.CoarseDropout((1, 3), (1, 2)),
    augment.GridMask(), augment.GridMask((2, 5), (0.2, 0.8)),
]  # fmt: skip
IDENTITIES = [
    augment.ColorJitter(), augment.ColorJitter((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (0.0, 0.0)),
    augment.RandomGamma(1.0, p=1.0), augment.RandomPosterize(8, p=1.0),
    augment.RandomSolarize(256, p=1.0), augment.RandomInvert(0.0), augment.RandomEqualize(0.0),
    augment.GaussianBlur(1), augment.GaussianBlur(5, 0.0), augment.GaussianBlur(None, 0.0),
    augment.MeanBlur(1), augment.MedianBlur(1), augment.MotionBlur(1),
    augment.RandomAdjustSharpness(1.0, p=1.0), augment.GaussianNoise(0.0, 0.0),
    augment.SpeckleNoise(0.0), augment.SaltAndPepperNoise(0.0), augment.Cutout(0),
    augment.Erase(1, 1, 0, 3), augment.CoarseDropout((0, 0)), augment.GridMask(4, ratio=1.0),
    augment.RandomErasing(0.0),
]  # fmt: skip
by_name = {"ids": lambda t: type(t).__name__}


def test_every_transform_is_tested():
    modules = (colour, sys.modules[noise.__module__], blur, histogram, erase)
    named = {name for module in modules for name in module.__all__}
    assert named - {type(t).__name__ for t in TRANSFORMS} == {"JPEG", "Normalize", "noise"}


BATCHES = st.tuples(
    st.integers(0, 3), st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9)
)


@pytest.mark.parametrize("t", TRANSFORMS, **by_name)
@settings(deadline=None, max_examples=12)
@given(BATCHES, st.sampled_from(["u1", "f2", "f4", "f8"]), st.integers(0, 99), st.booleans())
def test_dtype_range_inputs_and_streams(t, shape, dtype, seed, strided):
    x = np.random.default_rng(seed).random(shape)
    x = (x * 256).astype(dtype) if dtype == "u1" else x.astype(dtype)
    if strided:
        x = np.repeat(x, 2, axis=3)[..., ::2]
    before = x.copy()
    x.flags.writeable = False
    index = np.arange(len(x)) + 7
    out = t(x, seed=seed, epoch=1, index=index)
    assert_array_equal(x, before)
    assert out.dtype == x.dtype and out.flags.writeable and not np.shares_memory(out, x)
    assert out.shape[0] == len(x) and out.shape[2:] == x.shape[2:]
    if out.size and dtype != "u1":
        assert out.min() >= 0 and out.max() <= 1
    for i in reversed(range(len(x))):
        assert_array_equal(t(x[i : i + 1], seed=seed, epoch=1, index=index[i : i + 1])[0], out[i])
    again = augment.from_json(t.to_json())
    assert_array_equal(again(x, seed=seed, epoch=1, index=index), out)


RGB_OR_GREY = {"ColorJitter", "Grayscale", "RandomGrayscale", "CLAHE"}


def test_channels_are_refused_also_where_no_image_happens_to_change():
    for n in (0, 2):
        with pytest.raises(ValueError, match=r"3 \(RGB\) channels, got 5"):
            augment.RandomGrayscale(0.0)(np.zeros((n, 4, 4, 5)), seed=0, layout="NHWC")


@pytest.mark.parametrize("t", TRANSFORMS, **by_name)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 17])
def test_channels_dtypes_and_ranges_are_as_the_page_says(t, channels):
    x = np.random.default_rng(0).random((2, 7, 6, channels))
    plain = {"seed": 0, "layout": "NHWC"}
    if channels not in (1, 3) and type(t).__name__ in RGB_OR_GREY:
        with pytest.raises(ValueError, match=rf"3 \(RGB\) channels, got {channels} in"):
            t(x, **plain)
        return
    for dtype in ("u1", "f2", "f4", "f8", "g", ">f4", ">f8"):
        batch = (x * 255).astype(dtype) if dtype == "u1" else x.astype(dtype)
        assert t(batch, **plain).dtype == batch.dtype
    for low, high in ((-1, 1), (0, 255), (10, 11)):
        out = t(x * (high - low) + low, value_range=(low, high), **plain)
        assert out.dtype == x.dtype and low <= out.min() and out.max() <= high


@pytest.mark.parametrize("t", TRANSFORMS, **by_name)
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_images_without_pixels(t, dtype):
    for shape in ((0, 3, 5, 5), (2, 3, 0, 4), (2, 3, 4, 0)):
        assert t(np.zeros(shape, dtype), seed=0).shape == shape


HUGE = [
    augment.ColorJitter((1e39, 1e39)), augment.ColorJitter(contrast=(1e300, 1e300)),
    augment.ColorJitter(saturation=(3e38, 3e38)), augment.RandomAdjustSharpness(1e300, p=1.0),
    augment.RandomGamma(1e300, p=1.0), augment.GaussianNoise(0, 1e300),
    augment.GaussianNoise(-1e39, 0), augment.SpeckleNoise(1e300), augment.PoissonNoise(1e18),
    augment.PoissonNoise(1e-307), augment.GaussianBlur(3, 1e300), augment.GaussianBlur(3, 1e-200),
    augment.MotionBlur(3, 1e300), augment.CLAHE(1e300), augment.RandomSolarize(1e300, p=1.0),
    augment.Cutout(10**9), augment.GridMask(10**9),
]  # fmt: skip


@pytest.mark.parametrize("t", HUGE, ids=repr)
def test_huge_strengths_saturate(t):
    x = images((8, 9))
    x[0] = 0
    for batch in (x, (x / 255).astype(np.float32), x / 255):
        out = t(batch, seed=0, layout="NHWC")
        assert np.isfinite(out).all()
        if isinstance(t, augment.ColorJitter | augment.SpeckleNoise):
            assert not out[0].any()  # black stays black


def test_numbers_of_numpy_are_numbers():
    x = images((8, 9)).transpose(0, 3, 1, 2) / 255
    i, f = np.int64, np.float32
    for ours, plain in (
        (augment.GaussianBlur(i(3), f(1)), augment.GaussianBlur(3, 1)),
        (augment.GaussianBlur(np.array([3, 5]), 1), augment.GaussianBlur((3, 5), 1)),
        (augment.MeanBlur(np.uint8(3)), augment.MeanBlur(3)),
        (augment.MotionBlur(i(5), i(30)), augment.MotionBlur(5, 30)),
        (augment.Cutout(np.uint8(4), i(2), f(0.5)), augment.Cutout(4, 2, 0.5)),
        (augment.Erase(*np.array([1, 2, 3, 4], np.uint8)), augment.Erase(1, 2, 3, 4)),
        (augment.RandomPosterize(np.array([1, 3]), f(1)), augment.RandomPosterize((1, 3), 1)),
        (augment.CLAHE(f(2), np.array([2, 3])), augment.CLAHE(2, (2, 3))),
        (augment.Normalize(f(0.5), np.full(3, 0.25)), augment.Normalize(0.5, (0.25,) * 3)),
    ):
        assert_array_equal(ours(x, seed=0), plain(x, seed=0))
        assert_array_equal(augment.from_json(ours.to_json())(x, seed=0), plain(x, seed=0))


@pytest.mark.parametrize("t", TRANSFORMS, **by_name)
def test_epochs_and_images_differ_where_anything_is_drawn(t):
    x = np.repeat(np.random.default_rng(0).random((1, 3, 40, 40)), 20, axis=0)
    one, other = (t(x, seed=0, epoch=e) for e in (0, 1))
    deterministic = not t.draw(x, seed=0)
    assert (one == other).all() == deterministic
    assert (one == one[:1]).all() == deterministic


@pytest.mark.parametrize("t", IDENTITIES, **by_name)
@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
def test_identity_parameters_give_the_same_array(t, dtype):
    x = images((7, 8))
    x = x if dtype == "u1" else (x / 255).astype(dtype)
    assert_array_equal(t(x, seed=0, layout="NHWC"), x)


@pytest.mark.parametrize("t", TRANSFORMS, **by_name)
def test_large_batches_are_as_small_ones(t):
    """More than one block of the frame and of the functions; floats to the last bit."""
    x = np.random.default_rng(0).random((60, 40, 41, 3), np.float32)
    whole = t(x, seed=0, epoch=0, layout="NHWC")
    part = t(x[50:57], seed=0, epoch=0, index=np.arange(50, 57), layout="NHWC")
    assert_array_equal(whole[50:57], part)


@pytest.mark.parametrize("t", [
    augment.Compose([augment.ColorJitter(0.4, 0.4, 0.4, 0.1), augment.Cutout(16)]),
    augment.GaussianBlur(5), augment.GaussianNoise(), augment.RandomEqualize(),
    augment.AutoAugment("cifar10"), augment.RandomErasing(1.0, value="random"),
], ids=lambda t: type(t).__name__)  # fmt: skip
def test_memory_is_three_times_the_batch_at_most(t, traced):
    x = images((32, 32), count=1200)
    params = t.draw(x, seed=0, layout="NHWC")
    t(x[:9], seed=0, layout="NHWC")  # what is imported and cached at the first call
    _, peak = traced(lambda: t.replay(x, params, layout="NHWC"))
    assert x.nbytes + peak <= 3 * x.nbytes  # with the batch itself


# --- bad input -------------------------------------------------------------------------------

MISTAKES = [
    (lambda: augment.MotionBlur((3, 3)), r"kernel_size must be one odd integer, got \(3, 3\)"),
    (lambda: augment.GaussianNoise("a"), "mean must be a number"),
    (lambda: augment.GaussianNoise(float("nan")), "mean must be a number"),
    (lambda: augment.GaussianNoise((0, 1)), "mean must be one number"),
    (lambda: augment.ColorJitter(-0.1), r"brightness must be a number in \[0, inf\]"),
    (lambda: augment.ColorJitter(hue=0.6), r"hue must be a number in \[0, 0.5\]"),
    (lambda: augment.ColorJitter(hue=(-0.6, 0)), r"hue must be .* \[-0.5, 0.5\]"),
    (lambda: augment.ColorJitter(contrast=(2, 1)), "contrast .*least, most"),
    (lambda: augment.Grayscale(2), "num_output_channels must be 1 or 3, got 2"),
    (lambda: augment.RandomGrayscale(1.5), r"p must be a probability in \[0, 1\], got 1.5"),
    (lambda: augment.RandomInvert(-0.1), "p must be a probability"),
    (lambda: augment.RandomPosterize(9), r"bits must be an integer in \[0, 8\]"),
    (lambda: augment.RandomPosterize(2.5), "bits must be an integer"),
    (lambda: augment.RandomSolarize(-1), "threshold"),
    (lambda: augment.RandomGamma((0.5, float("nan"))), "gamma"),
    (lambda: augment.JPEG(0), r"quality must be an integer in \[1, 100\]"),
    (lambda: augment.Normalize(0, [1, 0]), "std must hold numbers above 0"),
    (lambda: augment.CLAHE(-1), "clip_limit"),
    (lambda: augment.CLAHE(1, (0, 8)), "tile_grid_size must be two positive integers"),
    (lambda: augment.GaussianBlur(4), "kernel_size must be a positive odd integer"),
    (lambda: augment.GaussianBlur(3, -1), "sigma"),
    (lambda: augment.MeanBlur((3, 2)), "kernel_size"),
    (lambda: augment.MedianBlur(-3), "kernel_size"),
    (lambda: augment.MotionBlur(0), "kernel_size"),
    (lambda: augment.RandomAdjustSharpness(-1), "sharpness_factor"),
    (lambda: augment.GaussianNoise(sigma=-0.1), "sigma"),
    (lambda: augment.SpeckleNoise((0.3, 0.1)), "sigma"),
    (lambda: augment.PoissonNoise(0), "peak"),
    (lambda: augment.SaltAndPepperNoise(1.5), "amount"),
    (lambda: augment.SaltAndPepperNoise(0.5, 2), "salt_vs_pepper must be a probability"),
    (lambda: noise(np.zeros(3), var=-1), "var must be a number from 0 on, got -1"),
    (lambda: noise(np.zeros(3), var=None), "var must be a number from 0 on, got None"),
    (lambda: noise(np.zeros(2), var=np.ones(2)), "var must be a number from 0 on"),
    (lambda: noise(np.full((2, 3), 9.0)), r"image of shape \(2, 3\) holds .* from 9 to 9, outside"),
    (lambda: noise(np.array([0.5, np.nan])), "image of shape .* from nan to nan"),
    (lambda: augment.PoissonNoise(1e19), r"peak must be a number in \[.*, 1e\+18\]"),
    (lambda: augment.PoissonNoise(np.complex128(3)), "peak must be a number"),
    (lambda: augment.ColorJitter(True), "brightness must be a number"),
    (lambda: augment.Grayscale(3.0), "num_output_channels must be 1 or 3, got 3.0"),
    (lambda: augment.RandomPosterize(np.float64(2.5)), "bits must be an integer"),
    (lambda: augment.RandomPosterize(np.array([1.5, 2])), "bits must be an integer"),
    (lambda: augment.JPEG(np.float32(50.5)), "quality must be an integer"),
    (lambda: augment.CoarseDropout(np.array([1.5, 2])), "num_holes_range must be an integer"),
    (lambda: augment.Normalize("a", 1), "mean must be one finite number, or one for each"),
    (lambda: augment.Normalize(None, 1), "mean must be one finite number"),
    (lambda: augment.Normalize(float("nan"), 1), "mean must be one finite number"),
    (lambda: augment.Normalize(0, "a"), "std must be one finite number"),
    (lambda: augment.Normalize(0, [1, float("inf")]), "std must be one finite number"),
    (lambda: augment.CLAHE(1, 8), "tile_grid_size must be two positive integers, got 8"),
    (lambda: augment.CLAHE(1, (8.0, 8.0)), "tile_grid_size must be two positive integers"),
    (lambda: augment.CLAHE(1, (True, 8)), "tile_grid_size must be two positive integers"),
    (lambda: augment.GaussianBlur(True), "kernel_size must be a positive odd integer"),
    (lambda: blur.gaussian_blur(np.ones((1, 4, 4, 1)), -1.0), r"sigma must lie in \[0, inf\]"),
    (lambda: blur.gaussian_blur(np.ones((1, 4, 4, 1)), [1, 2]), "sigma must be one number or one"),
    (lambda: blur.motion_blur(np.ones((1, 4, 4, 1)), (3, 5), 0), "kernel_size must be one odd"),
    (lambda: histogram.clahe(np.ones((1, 4, 4, 1)), np.nan), "clip_limit must lie in"),
    (lambda: colour.solarize(np.ones((1, 4, 4, 1)), [1, 2]), "threshold must be one number or"),
    (lambda: augment.Cutout((2, 4)), "length must be an integer"),
    (lambda: augment.Cutout(np.float64(2.5)), "length must be an integer"),
    (lambda: augment.Cutout(3, n_holes=(1, 2)), "n_holes must be an integer"),
    (lambda: augment.Cutout(3, fill=None), "fill must be one finite number, or one for each"),
    (lambda: augment.Cutout(3, fill="a"), "fill must be one finite number"),
    (lambda: augment.CoarseDropout(fill=float("nan")), "fill must be one finite number"),
    (lambda: augment.GridMask(fill=1j), "fill must be one finite number"),
    (lambda: augment.Erase(0, 0, 1, 1, v=()), "v must be one finite number"),
    (lambda: augment.RandomErasing(value=(1, "a")), "value must be one finite number"),
    (lambda: augment.Erase((0, 1), 0, 1, 1), "i must be an integer"),
    (lambda: augment.Cutout(-1), "length must be an integer"),
    (lambda: augment.Cutout(2.5), "length must be an integer"),
    (lambda: augment.Erase(0, 0, -2, 1), "h must be an integer"),
    (lambda: augment.RandomErasing(2.0), "p must be a probability"),
    (lambda: augment.RandomErasing(scale=(0.1, 2.0)), "scale"),
    (lambda: augment.RandomErasing(ratio=(0, 1)), "ratio"),
    (lambda: augment.RandomErasing(value="pixel"), '"random" or "normal"'),
    (lambda: augment.CoarseDropout((3, 1)), "num_holes_range"),
    (lambda: augment.CoarseDropout((1, 2), (0.5, 1.5)), "hole_height_range"),
    (lambda: augment.GridMask(0), "unit"),
    (lambda: augment.GridMask(ratio=-0.1), "ratio"),
]


@pytest.mark.parametrize("mistake, message", MISTAKES, ids=range(len(MISTAKES)))
def test_bad_arguments_are_named(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


def test_bad_images_are_named():
    two = np.zeros((4, 2, 5, 5))
    for t in (TRANSFORMS[0], augment.Grayscale(), augment.CLAHE()):
        with pytest.raises(ValueError, match=r"channels, got 2 in images of shape \(5, 5, 2\)"):
            t(two, seed=0)
    with pytest.raises(ValueError, match=r"mean must be a number or have one for each of 2"):
        augment.Normalize((0, 0, 0), 1)(two)
    with pytest.raises(TypeError, match="got uint8"):
        augment.Normalize(0, 1)(two.astype(np.uint8))
    for t in (
        augment.Normalize(0, 1), augment.Compose([augment.Normalize(0, 1)]),
        augment.GaussianNoise(clip=False), augment.RandomErasing(value="normal"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"value_range must be \(0, 1\), got \(-1, 1\)"):
            t(two, value_range=(-1, 1))
    with pytest.raises(ValueError, match="fill must be one number or one for each of 2 channels"):
        augment.Cutout(3, fill=(1, 2, 3))(two)
    for fill in (256, 0.5, -1):
        for name, t in (
            ("fill", augment.Cutout(3, fill=fill)), ("fill", augment.GridMask(fill=fill)),
            ("v", augment.Erase(0, 0, 1, 1, fill)),
            ("value", augment.RandomErasing(1.0, value=fill)),
        ):  # fmt: skip
            message = rf"^{name} must hold integers in \[0, 255\] for uint8 images, got {fill}"
            with pytest.raises(ValueError, match=message):
                t(two.astype(np.uint8), seed=0)
    with pytest.raises(TypeError, match='value="normal" expects floats'):
        augment.RandomErasing(1.0, value="normal")(two.astype(np.uint8), seed=0)
    with pytest.raises(TypeError, match="divide by 255 first"):
        noise(np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match=r"one per image: got shape \(3,\)"):
        colour.adjust_brightness(np.zeros((2, 4, 4, 3)), np.ones(3))
    for wrong in (np.zeros((2, 4, 4, 3), np.uint8), np.zeros((4, 3), int), np.zeros((3, 4))):
        for function in (colour.rgb_to_hsv, colour.hsv_to_rgb):
            with pytest.raises(ValueError, match=r"expects floats in 0..1 of shape \(\.\.\., 3\)"):
                function(wrong)
