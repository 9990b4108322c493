"""Policies: the published tables, magnitudes, and programs beside plain loops and Pillow."""

import re
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import tensorgrad as torch
from tensorgrad import augment
from tensorgrad.augment import blur, colour, histogram
from tensorgrad.augment._policy_tables import published
from tensorgrad.augment.operations import (
    AUTOAUGMENT_OPERATIONS,
    OPERATIONS,
    Extras,
    magnitudes,
    run_operation,
)
from tensorgrad.augment.policies import RANDAUGMENT_OPERATIONS

POLICIES = ("imagenet", "cifar10", "svhn")


def images(n, size=(16, 16), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *size, 3), dtype=np.uint8)


# --- the published tables --------------------------------------------------------------------

# By operation: sub-policy (from 1), which of its two, probability in tenths (X is 1), level.
PUBLISHED = {
    "imagenet": """
        AutoContrast 2b6- 22b6-
        Color 11b40 15a64 16bX2 17a88 20a40 24a64
        Contrast 15bX8 24bX8
        Equalize 3a8- 3b6- 5a4- 6a4- 7b6- 8bX- 10a6- 12b6- 13a0- 13b8- 14bX- 19bX- 20b6- 21a4- 23bX-
        Equalize 25a8- 25b6-
        Invert 14a6- 18b6- 23a6-
        Posterize 1a48 4a67 4b66 8a85 10b46
        Rotate 1b69 6b88 9a23 11a88 12a49 16a88
        Sharpness 18a47
        ShearX 19a65
        Solarize 2a65 5b24 7a63 9b68 17b87 21b24 22a65""",
    "cifar10": """
        AutoContrast 5a5- 12b4- 16b6- 19a8- 21b9- 23a9- 25b9-
        Brightness 7b67 8b79 14a96 20a13
        Color 7a43 11a77 14b28 18a99 20b70
        Contrast 1b26 10a67
        Equalize 5b9- 9a6- 9b5- 12a3- 16a2- 17a2- 17b6- 18b6- 24a8-
        Invert 1a1- 15b0- 24b1-
        Posterize 6b37
        Rotate 2a72
        Sharpness 3a81 3b93 8a39 10b65 13b26
        ShearY 4a58 6a27
        Solarize 15a52 19b28 21a45 23b83
        TranslateX 2b39 11b58
        TranslateY 4b79 13a43 22a99 22b79 25a79""",
    "svhn": """
        AutoContrast 6b8- 9b8- 24b7-
        Contrast 15a33
        Equalize 3a6- 4b6- 5a6- 10a6- 13a9- 14b6-
        Invert 1b2- 2b7- 4a9- 7b4- 9a9- 12b7- 14a9- 16a8- 18a6- 20b6- 22b8- 25b1-
        Rotate 5b93 10b93 15b84 18b84
        ShearX 1a94 6a94 11a94 20a16 23a79 25a72
        ShearY 2a98 7a98 8a95 12a88 17a76 19a37 22a84 24a85
        Solarize 3b66 8b26 11b33 17b48 21a72
        TranslateX 19b93
        TranslateY 13b66 16b02 21b67 23b83""",
}  # fmt: skip


@pytest.mark.parametrize("name", POLICIES)
def test_published_tables(name):
    """Against another transcription, in another order."""
    entries = {}
    for line in PUBLISHED[name].split("\n")[1:]:
        operation, *uses = line.split()
        for row, which, tenths, level in re.findall(r"(\d+)([ab])(\d|X)(\d|-)", " ".join(uses)):
            probability = 1.0 if tenths == "X" else int(tenths) / 10
            entry = operation, probability, None if level == "-" else int(level)
            assert entries.setdefault((int(row), which), entry) is entry
    assert len(entries) == 50
    assert published(name) == [(entries[i, "a"], entries[i, "b"]) for i in range(1, 26)]


def test_the_sixteen_operations():
    assert len(AUTOAUGMENT_OPERATIONS) == len(set(AUTOAUGMENT_OPERATIONS)) == 16
    assert len(RANDAUGMENT_OPERATIONS) == 14


# --- magnitudes ------------------------------------------------------------------------------

# levels, operation, bins -> first, second and last magnitude, signed. Images are 64 x 331.
MAGNITUDES = [
    ("torchvision", "ShearX", 10, (0, 0.3 / 9, 0.3), True),
    ("torchvision", "TranslateX", 10, (0, 150 / 9, 150), True),
    ("torchvision", "TranslateY", 10, (0, 64 * 150 / 331 / 9, 64 * 150 / 331), True),
    ("torchvision", "Rotate", 31, (0, 1, 30), True),
    ("torchvision", "Color", 10, (0, 0.1, 0.9), True),
    ("torchvision", "Solarize", 6, (255, 204, 0), False),
    ("torchvision", "Equalize", 10, (0, 0, 0), False),
    ("paper", "ShearY", 10, (0, 0.3 / 9, 0.3), True),
    ("paper", "Brightness", 10, (-0.9, -0.7, 0.9), False),
    ("paper", "Solarize", 9, (256, 224, 0), False),
    ("paper", "Cutout", 10, (0, 64 * 60 / 331 / 9, 64 * 60 / 331), False),
    ("paper", "SamplePairing", 5, (0, 0.1, 0.4), False),
    ("wide", "ShearX", 10, (0, 0.11, 0.99), True),
    ("wide", "TranslateX", 33, (0, 1, 32), True),
    ("wide", "Rotate", 10, (0, 15, 135), True),
    ("wide", "Sharpness", 10, (0, 0.11, 0.99), True),
    ("augmix", "TranslateX", 12, (0, 331 / 33, 331 / 3), True),
]


@pytest.mark.parametrize("levels, name, bins, expected, signed", MAGNITUDES)
def test_magnitudes(levels, name, bins, expected, signed):
    values, takes_sign = magnitudes(name, bins, (64, 331), levels)
    assert len(values) == bins and takes_sign == signed
    assert_allclose(values[[0, 1, -1]], expected, atol=1e-12)
    assert_allclose(np.diff(values), np.full(bins - 1, values[1] - values[0]), atol=1e-12)


@pytest.mark.parametrize("levels, bins, bits", [
    ("torchvision", 10, [8, 8, 7, 7, 6, 6, 5, 5, 4, 4]),
    ("paper", 10, [8, 8, 7, 7, 6, 6, 5, 5, 4, 4]),
    ("wide", 7, [8, 7, 6, 5, 4, 3, 2]),
    ("augmix", 10, [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]),
])  # fmt: skip
def test_bits_of_posterize(levels, bins, bits):
    assert magnitudes("Posterize", bins, (8, 8), levels)[0].tolist() == bits


@pytest.mark.parametrize("white, levels", [(255, "torchvision"), (256, "paper")])
def test_thresholds_of_solarize_are_met_exactly(white, levels):
    """Pixels of the very threshold are inverted, also where it is a share of white."""
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    shares = [(grey / 255).astype(dtype) for dtype in (np.float32, np.float64)]
    for bins in (4, 10, 31, 106, white + 1):
        found = magnitudes("Solarize", bins, (8, 8), levels)[0]
        for i, threshold in enumerate(found):
            inverted = grey.astype(int) * (bins - 1) >= white * (bins - 1 - i)
            out = run_operation("Solarize", grey, np.array([threshold]))
            assert_array_equal(out, np.where(inverted, 255 - grey, grey))
            for share in shares:
                out = run_operation("Solarize", share, np.array([threshold]))
                assert_array_equal(out, np.where(inverted, 1 - share, share))


# Shares of 1 / 3 are no binary fractions: AugMix has ten levels, for which the products are exact.
@given(st.integers(1, 800), st.one_of(
    st.tuples(st.just("torchvision"), st.just(Fraction(150, 331)), st.integers(2, 40)),
    st.tuples(st.just("augmix"), st.just(Fraction(1, 3)), st.just(10)),
))  # fmt: skip
@example(331, ("torchvision", Fraction(150, 331), 11))
def test_translations_are_cut_to_the_whole_pixels_of_the_exact_shares(side, space):
    levels, share, bins = space
    exact = [int(share * side * i / (bins - 1)) for i in range(bins)]
    found = magnitudes("TranslateX", bins, (7, side), levels)[0]
    assert np.trunc(found).tolist() == exact


# --- operations ------------------------------------------------------------------------------


@pytest.mark.parametrize("name, magnitude, data", [
    ("ShearX", 0.3, lambda m: (1, m, 0, 0, 1, 0)),
    ("ShearY", -0.21, lambda m: (1, 0, 0, m, 1, 0)),
    ("TranslateX", 3.7, lambda m: (1, 0, -int(m), 0, 1, 0)),
    ("TranslateY", -2.9, lambda m: (1, 0, 0, 0, 1, -int(m))),
])  # fmt: skip
def test_geometric_operations_equal_pillow(name, magnitude, data):
    Image = pytest.importorskip("PIL.Image")
    x = images(3, (21, 18))
    ours = run_operation(name, x, np.full(3, magnitude))
    for image, moved in zip(x, ours, strict=True):
        pil = Image.fromarray(image)
        theirs = pil.transform(pil.size, Image.Transform.AFFINE, data(magnitude))
        assert_array_equal(moved, np.asarray(theirs))


@pytest.mark.parametrize("angle", [17.0, -30.0, 90.0, 131.0])
def test_rotate_equals_pillow(angle):
    Image = pytest.importorskip("PIL.Image")
    x = images(1, (20, 20))
    ours = run_operation("Rotate", x, np.array([angle]))
    assert_array_equal(ours[0], np.asarray(Image.fromarray(x[0]).rotate(angle)))


def by_pillow(name, image, magnitude):
    """What torchvision does with Pillow's images."""
    from PIL import ImageEnhance, ImageOps

    if hasattr(ImageEnhance, name):
        return getattr(ImageEnhance, name)(image).enhance(1 + magnitude)
    if name == "Posterize" and magnitude == 0:  # Pillow posterizes to one bit at least
        return image.point(lambda value: 0)
    extra = {"Solarize": (magnitude,), "Posterize": (int(magnitude),)}.get(name, ())
    return getattr(ImageOps, name.lower())(image, *extra)


@pytest.mark.parametrize("levels", ["torchvision", "paper", "wide", "augmix"])
@pytest.mark.parametrize("name", [
    "AutoContrast", "Invert", "Equalize", "Solarize", "Posterize", "Contrast", "Color",
    "Brightness", "Sharpness",
])  # fmt: skip
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (16, 16), (33, 20)])
def test_every_level_equals_pillow(name, levels, size):
    Image = pytest.importorskip("PIL.Image")
    values, signed = magnitudes(name, 10, size, levels)
    values = np.concatenate([values, -values]) if signed else values
    for image in (images(1, size)[0], images(1, size)[0] // 3 + 60, np.full((*size, 3), 9, "u1")):
        theirs = [by_pillow(name, Image.fromarray(image), float(m)) for m in values]
        ours = run_operation(name, np.repeat(image[None], len(values), 0), values)
        assert_array_equal(ours, np.array([np.asarray(t) for t in theirs]))


DIRECT = {
    "Identity": lambda x, m: x,
    "AutoContrast": lambda x, m: histogram.autocontrast(x),
    "Invert": lambda x, m: 255 - x,
    "Equalize": lambda x, m: histogram.equalize(x),
    "Solarize": lambda x, m: colour.solarize(x, m),
    "Posterize": lambda x, m: colour.posterize(x, 5),
    "Contrast": lambda x, m: colour.adjust_contrast(x, 1 + m),
    "Color": lambda x, m: colour.adjust_saturation(x, 1 + m),
    "Brightness": lambda x, m: colour.adjust_brightness(x, 1 + m),
    "Sharpness": lambda x, m: blur.adjust_sharpness(x, 1 + m),
}


@pytest.mark.parametrize("name", DIRECT)
def test_operations_call_their_function(name):
    x = images(2)
    magnitude = {"Posterize": 5.0, "Solarize": 100.0}.get(name, -0.4)
    ours = run_operation(name, x, np.full(2, magnitude))
    assert_array_equal(ours, DIRECT[name](x, magnitude))


def test_cutout_and_sample_pairing():
    x, partners = images(2), images(2, seed=1)
    extras = Extras(centers=np.array([[0, 0], [8, 9]]), partners=partners)
    out = run_operation("Cutout", x, np.array([4.9, 3.0]), extras)
    expected = x.copy()
    expected[0, :2, :2] = expected[1, 7:10, 8:11] = 128
    assert_array_equal(out, expected)
    weight = np.array([0.0, 0.4])
    paired = run_operation("SamplePairing", x, weight, extras)
    assert_array_equal(paired[0], x[0])
    assert abs(paired[1] - (0.6 * x[1] + 0.4 * partners[1])).max() <= 0.501


# --- programs --------------------------------------------------------------------------------


def run_alone(t, x, params):
    """Every image by itself, operation by operation."""
    out = []
    for i, image in enumerate(x):
        one = image[None]
        for number, strength in zip(params["operation"][i], params["magnitude"][i], strict=True):
            settings = Extras(fill=t.fill, interpolation=t.interpolation)
            one = run_operation(OPERATIONS[number], one, np.array([strength]), settings)
        out.append(one[0])
    return np.array(out)


@pytest.mark.parametrize("t", [
    augment.AutoAugment("imagenet"), augment.AutoAugment("cifar10", levels="paper"),
    augment.AutoAugment("svhn", interpolation="bilinear", fill=(9, 8, 7)),
    augment.RandAugment(3), augment.TrivialAugmentWide(),
], ids=repr)  # fmt: skip
def test_a_batch_is_its_images_one_by_one(t):
    x = images(60)
    params = t.draw(x, seed=4, layout="NHWC")
    assert len(np.unique(params["operation"], axis=0)) > 5
    assert_array_equal(t.replay(x, params, layout="NHWC"), run_alone(t, x, params))


def test_sub_policies_are_equally_likely_and_their_probabilities_kept():
    sub = [[("Invert", 0.3, None), ("Solarize", 1.0, 5)], [("Color", 0.0, 9), ("Rotate", 1.0, 9)]]
    params = augment.AutoAugment(sub).draw(np.zeros((4000, 3, 4, 4)), seed=0)
    first, second = params["operation"].T
    second_policy = second == OPERATIONS.index("Rotate")
    assert abs(second_policy.mean() - 0.5) < 0.03
    assert (second[~second_policy] == OPERATIONS.index("Solarize")).all()
    assert (first[second_policy] == 0).all()
    assert abs((first[~second_policy] == OPERATIONS.index("Invert")).mean() - 0.3) < 0.04
    turns = params["magnitude"][second_policy, 1]
    assert set(turns) == {-30.0, 30.0} and abs(turns.mean()) < 2.5
    assert_allclose(params["magnitude"][~second_policy, 1], 255 * 4 / 9)


@pytest.mark.parametrize("name", POLICIES)
def test_all_of_a_published_policy_is_drawn(name):
    t = augment.AutoAugment(name)
    values = {sub: magnitudes(sub, 10, (32, 32))[0] for sub in AUTOAUGMENT_OPERATIONS}
    params = t.draw(np.zeros((3000, 3, 32, 32)), seed=0)
    drawn = {
        tuple((OPERATIONS[k], abs(round(m, 6))) for k, m in zip(ks, ms, strict=True))
        for ks, ms in zip(params["operation"], params["magnitude"], strict=True)
        if ks.all()
    }
    possible = {
        tuple((n, abs(round(values[n][level or 0], 6))) for n, _, level in sub)
        for sub in published(name)
        if all(p for _, p, _ in sub)
    }
    assert drawn == possible


def test_randaugment_and_trivialaugment_draw_what_they_say():
    x = np.zeros((3000, 3, 32, 32))
    params = augment.RandAugment(2, magnitude=30).draw(x, seed=0)
    assert params["operation"].shape == (3000, 2)
    counts = Counter(params["operation"].ravel().tolist())
    assert {OPERATIONS[k] for k in counts} == set(RANDAUGMENT_OPERATIONS)
    assert min(counts.values()) > 340  # of 429 expected
    turns = params["magnitude"][params["operation"] == OPERATIONS.index("Rotate")]
    assert set(turns) == {-30.0, 30.0}
    params = augment.TrivialAugmentWide().draw(x, seed=0)
    assert params["operation"].shape == (3000, 1)
    turns = params["magnitude"][params["operation"] == OPERATIONS.index("Rotate")]
    assert set(np.round(abs(turns) / 4.5, 6)) == set(range(31))


@pytest.mark.parametrize("depth, all_ops", [(-1, True), (2, False)])
def test_augmix_is_the_weighted_mean_of_its_chains(depth, all_ops):
    t = augment.AugMix(chain_depth=depth, all_ops=all_ops, mixture_width=2)
    x = images(12)
    params = t.draw(x, seed=1, layout="NHWC")
    assert_allclose(params["weights"].sum(1), 1)
    assert params["weights"].shape == (12, 3) and (params["weights"] >= 0).all()
    steps = (params["operation"] > 0).sum(-1)
    assert set(steps.ravel()) == ({1, 2, 3} if depth == -1 else {2})
    enhanced = np.isin(params["operation"], [OPERATIONS.index(n) for n in ("Color", "Sharpness")])
    assert enhanced.any() == all_ops
    mixed = x * params["weights"][:, 0].reshape(-1, 1, 1, 1)
    for chain in range(2):
        part = {k: params[k][:, chain] for k in ("operation", "magnitude")}
        mixed += run_alone(t, x, part) * params["weights"][:, chain + 1].reshape(-1, 1, 1, 1)
    ours = t.replay(x, params, layout="NHWC")
    assert abs(ours - mixed).max() <= 0.501


def test_augmix_weights_are_dirichlet():
    weights = augment.AugMix(alpha=1.0).draw(np.zeros((4000, 1, 2, 2)), seed=0)["weights"]
    assert_allclose(weights.mean(0), [1 / 2, 1 / 6, 1 / 6, 1 / 6], atol=0.02)
    assert_allclose(weights[:, 0].std(), 12**-0.5, atol=0.01)


# --- SamplePairing in a policy ---------------------------------------------------------------

PAIRING = [[("SamplePairing", 1.0, 9)]]


def test_sample_pairing_takes_partners_from_the_batch():
    x = np.arange(0, 250, 10, dtype=np.uint8).reshape(25, 1, 1, 1)
    t = augment.AutoAugment(PAIRING)
    params = t.draw(x, seed=0)
    partners = (params["partner"][:, 0] * 25).astype(int)
    assert len(np.unique(partners)) > 10
    expected = np.floor(0.6 * x + 0.4 * x[partners] + 0.5)
    assert abs(t.replay(x, params) - expected).max() <= 1e-6


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a pipeline"])
def test_sample_pairing_takes_partners_from_all_of_a_large_batch(threads, inside):
    x = images(400, (32, 32))  # more than a block, and worth a second thread
    t = augment.AutoAugment(PAIRING)
    whole = augment.Compose([augment.HorizontalFlip(0.0), t]) if inside else t
    params = whole.draw(x, seed=0, layout="NHWC")
    drawn = params["inner"][1] if inside else params
    partners = x[(drawn["partner"][:, 0] * 400).astype(int)]
    expected = np.floor(0.6 * x + 0.4 * partners + 0.5)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = whole.replay(x, params, layout="NHWC")
        beside = whole.replay(x, params, layout="NHWC", masks=x[..., 0])["images"]
    finally:
        torch.set_num_threads(before)
    assert_allclose(found, expected, atol=1)  # 0.6 and 0.4 in float32
    assert_array_equal(beside, found)


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_with_partners_an_image_depends_on_itself_alone(dtype):
    x = images(8) if dtype == "u1" else images(8).astype(dtype) / 255
    pool = images(5, seed=1) if dtype == "u1" else images(5, seed=1).astype(dtype) / 255
    t = augment.AutoAugment([[("SamplePairing", 0.7, 9), ("Cutout", 0.6, 9)]], partners=pool)
    whole = t(x, seed=0, epoch=0, layout="NHWC")
    assert (whole != x).any()
    for i in range(8):
        alone = t(x[i : i + 1], seed=0, epoch=0, index=[i], layout="NHWC")
        assert_array_equal(alone[0], whole[i])
    again = augment.from_json(t.to_json())
    assert_array_equal(again(x, seed=0, epoch=0, layout="NHWC"), whole)
    with pytest.raises(ValueError, match=r"partners must be images .*16, 16, 3"):
        t(x[:, :8], seed=0, layout="NHWC")
    with pytest.raises(ValueError, match=r"partners must be images .*, got "):
        t(x / 255 if dtype == "u1" else (x * 255).astype(np.uint8), seed=0, layout="NHWC")


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_partners_may_be_of_any_floating_dtype_and_tensors(kind):
    x, pool = ((images(4, seed=i) / 255).astype("f4") for i in (0, 1))
    want = augment.AutoAugment(PAIRING, partners=pool)(x, seed=0, layout="NHWC")
    for partners in (pool.astype(kind), torch.from_numpy(pool.astype(kind))):
        t = augment.AutoAugment(PAIRING, partners=partners)
        found = t(x.astype(kind), seed=0, layout="NHWC")
        assert found.dtype == kind
        assert_allclose(found, want, atol=2e-3 if kind == "f2" else 1e-6)
        again = augment.from_json(t.to_json())
        assert_array_equal(again(x.astype(kind), seed=0, layout="NHWC"), found)


# --- what holds for all ----------------------------------------------------------------------

ENTRY = st.tuples(
    st.sampled_from(sorted(set(OPERATIONS) - {"SamplePairing"})),
    st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 9),
)  # fmt: skip
TRANSFORMS = st.one_of(
    st.builds(
        augment.AutoAugment, st.lists(st.lists(ENTRY, min_size=2, max_size=2), min_size=1,
                                      max_size=5),
        levels=st.sampled_from(["torchvision", "paper"]),
    ),
    st.builds(augment.AutoAugment, st.sampled_from(POLICIES)),
    st.builds(augment.RandAugment, st.integers(1, 3), st.integers(0, 30)),
    st.builds(augment.TrivialAugmentWide),
    st.builds(augment.AugMix, st.integers(1, 10), st.integers(1, 3)),
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    TRANSFORMS, st.tuples(st.integers(0, 5), st.sampled_from([1, 3]), st.integers(1, 9),
                          st.integers(1, 9)),
    st.sampled_from(["u1", "f4", "f8"]), st.integers(0, 99),
)  # fmt: skip
def test_dtype_range_inputs_and_streams(t, shape, dtype, seed):
    x = np.random.default_rng(seed).random(shape)
    x = (x * 256).astype(dtype) if dtype == "u1" else x.astype(dtype)
    before = x.copy()
    x.flags.writeable = False
    index = np.arange(len(x)) + 3
    out = t(x, seed=seed, epoch=2, index=index)
    assert_array_equal(x, before)
    assert out.dtype == x.dtype and out.shape == x.shape
    assert out.size == 0 or (out.min() >= 0 and out.max() <= (255 if dtype == "u1" else 1))
    order = np.random.default_rng(0).permutation(len(x))
    shuffled = t(x[order], seed=seed, epoch=2, index=index[order])
    assert_array_equal(shuffled, out[order])
    if len(x):
        last = t(x[-1:], seed=seed, epoch=2, index=index[-1:])
        assert_array_equal(last[0], out[-1])
    again = augment.from_json(t.to_json())
    assert_array_equal(again(x, seed=seed, epoch=2, index=index), out)


def test_level_zero_of_torchvision_keeps_the_image():
    names = set(OPERATIONS) - {"AutoContrast", "Invert", "Equalize", "Solarize", "SamplePairing"}
    x = images(len(names))
    for name in sorted(names):
        out = augment.AutoAugment([[(name, 1.0, 0)]])(x, seed=0, layout="NHWC")
        assert_array_equal(out, x)
    # torchvision's first threshold is 255, the paper's 256: white is inverted, or nothing is.
    solarize = [[("Solarize", 1.0, 0)]]
    x[0, 0, 0] = 255
    kept = augment.AutoAugment(solarize, levels="paper")(x, seed=0, layout="NHWC")
    assert_array_equal(kept, x)
    expected = np.where(x == 255, 0, x)
    assert_array_equal(augment.AutoAugment(solarize)(x, seed=0, layout="NHWC"), expected)


# --- bad input -------------------------------------------------------------------------------

MISTAKES = [
    (lambda: augment.AutoAugment([[("Invert", 1.0, None)]], fill=300)(np.zeros((2, 2), np.uint8)),
     "fill must be an integer from 0 to 255"),
    (lambda: augment.AugMix(fill=np.nan), "fill must be one finite number"),
    (lambda: augment.RandAugment(fill=[1, "b"]), "fill must be one finite number, or one for each"),
    (lambda: augment.AutoAugment("mnist"), "policy must be one of imagenet, cifar10, svhn"),
    (lambda: augment.AutoAugment([]), "at least one sub-policy"),
    (lambda: augment.AutoAugment([[("Invert", 1, None)], []]), r"lengths \[1, 0\]"),
    (lambda: augment.AutoAugment([[("Blur", 1.0, 3)]]), r"policy\[0\] must hold .*'Blur'"),
    (lambda: augment.AutoAugment([[("Rotate", 1.2, 3)]]), "probability of Rotate.* got 1.2"),
    (lambda: augment.AutoAugment([[("Rotate", 1.0, 10)]]), "level of Rotate.* at most 9, got 10"),
    (lambda: augment.AutoAugment([[("Rotate", 1.0, None)]]), "level of Rotate"),
    (lambda: augment.AutoAugment([[("Rotate", 1.0, 3.0)]]), "level of Rotate.* integer.*got 3.0"),
    (lambda: augment.AutoAugment([[("Invert", 1.0, "a")]]), "level of Invert .* got 'a'"),
    (lambda: augment.AutoAugment([("Rotate", 1.0, 3), ("Invert", 1.0, None)]),
     r"policy must be a list of sub-policies, each a list of .* got \[\('Rotate', 1.0, 3\)"),
    (lambda: augment.AutoAugment(None), "policy must be a list of sub-policies.* got None"),
    (lambda: augment.AutoAugment("svhn", bins=5), r"level of .* at most 4, got [5-9]"),
    (lambda: augment.AutoAugment(bins=10.0), "bins must be an integer of at least 1, got 10.0"),
    (lambda: augment.AutoAugment(PAIRING, partners=np.zeros((0, 4, 4, 3))), "partners must hold"),
    (lambda: augment.AutoAugment(PAIRING, partners=np.zeros((4, 4, 3))),
     r"partners: layout 'NHWC' needs 4 dimensions, got shape \(4, 4, 3\)"),
    (lambda: augment.AutoAugment(PAIRING, partners=np.full((1, 4, 4, 3), 2.0)),
     "partners of shape .* hold values from 2 to 2"),
    (lambda: augment.AutoAugment(levels="tf"), 'levels must be "torchvision" or "paper"'),
    (lambda: augment.AutoAugment(interpolation="cubic"), "interpolation must be one of"),
    (lambda: augment.RandAugment(0), "num_ops must be an integer of at least 1"),
    (lambda: augment.RandAugment(magnitude=31), "magnitude must be .* at most 30"),
    (lambda: augment.TrivialAugmentWide(1), "num_magnitude_bins"),
    (lambda: augment.AugMix(severity=11), "severity must be .* at most 10"),
    (lambda: augment.AugMix(mixture_width=0), "mixture_width"),
    (lambda: augment.AugMix(chain_depth=0), "chain_depth other than -1 must be an integer of"),
    (lambda: augment.AugMix(alpha=0), r"alpha must be a number in \(0, inf\), got 0"),
    (lambda: augment.AugMix(alpha=np.inf), r"alpha must be a number in \(0, inf\), got inf"),
    (lambda: augment.AugMix(alpha="1"), r"alpha must be a number in \(0, inf\), got '1'"),
]


@pytest.mark.parametrize("t", [
    *map(augment.AutoAugment, POLICIES), augment.RandAugment(), augment.TrivialAugmentWide(),
    augment.AugMix(),
], ids=repr)  # fmt: skip
def test_channels_are_refused_whatever_is_drawn(t):
    for n in (0, 1):
        with pytest.raises(ValueError, match=r"expects 1 \(grey\) or 3 \(RGB\) channels, got 4"):
            t(np.zeros((n, 4, 8, 8)), seed=0)
    plain = augment.AutoAugment([[("Rotate", 1.0, 9), ("Equalize", 1.0, None)]])
    assert plain(np.zeros((2, 5, 8, 8)), seed=0).shape == (2, 5, 8, 8)
    assert augment.AugMix(all_ops=False)(np.zeros((2, 4, 8, 8))).shape == (2, 4, 8, 8)


def test_a_policy_is_kept_as_it_was_given():
    mine = [[["Rotate", 1, 9]]]
    t = augment.AutoAugment(mine)
    mine[0][0][2] = 77
    assert t.subpolicies() == [(("Rotate", 1.0, 9),)]
    t.subpolicies().clear()
    assert len(t.subpolicies()) == 1


@pytest.mark.parametrize("mistake, message", MISTAKES, ids=range(len(MISTAKES)))
def test_bad_arguments_are_named(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()
