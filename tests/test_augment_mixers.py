"""Mixers: weights are exact shares, every loss takes them, draws are keyed, inputs unwritten."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as torch
from tensorgrad import augment, nn
from tensorgrad.augment import (
    CutMix,
    FMix,
    LabelSmoothing,
    MixedLoader,
    Mixer,
    Mixup,
    RandomMixer,
    SamplePairing,
    SamplePairingSchedule,
    SnapMix,
    class_activation_maps,
    cutmix,
    fmix,
    mixed_loss,
    mixup,
    sample_pairing,
    smooth_labels,
    snapmix,
)
from tensorgrad.augment.cutmix import binary_masks, low_frequency_images, random_boxes
from tensorgrad.augment.snapmix import find_pooled
from tensorgrad.nn import functional as F
from tensorgrad.utils.data import DataLoader, TensorDataset


class Pooled(nn.Module):
    """Two convolutions, functional global average pooling, dropout and a linear layer."""

    def __init__(self, classes=4, channels=1, bias=True):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 5, 3, padding=1)
        self.norm = nn.BatchNorm2d(5)
        self.conv2 = nn.Conv2d(5, 6, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(6, classes, bias=bias)

    def maps(self, x):
        return self.conv2(F.relu(self.norm(self.conv1(x))))

    def forward(self, x):
        return self.fc(self.drop(self.maps(x).mean((2, 3))))


def constant(n, size=(8, 10), layout="NCHW", dtype=np.float64):
    """Image i is i everywhere: which image a pixel came from can be read off it."""
    shape = {"NCHW": (n, 2, *size), "NHWC": (n, *size, 2), "NHW": (n, *size)}[layout]
    values = np.arange(n, dtype=dtype).reshape(-1, *[1] * (len(shape) - 1))
    return np.broadcast_to(values, shape).copy()


def mixers(classes, **options):
    """One of each kind that needs no model."""
    return [
        Mixup(1.0, classes, **options),
        CutMix(1.0, classes, **options),
        FMix(1.0, classes, **options),
        SamplePairing(classes, **options),
        RandomMixer([Mixup(1.0, classes, seed=0), CutMix(1.0, classes, seed=0)], seed=4),
    ]


def named(mixer):
    return type(mixer).__name__


# --- what the weights are ---------------------------------------------------------------


@pytest.mark.parametrize("mode", ["batch", "pair", "elem"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "NHW"])
@pytest.mark.parametrize("kind", [CutMix, FMix])
def test_weights_are_the_shares_of_the_pixels(kind, layout, mode):
    images = constant(7, layout=layout)
    mixer = kind(1.0, 7, mode=mode, layout=layout, seed=3)
    partial = 0
    for call in range(12):
        mixed, targets = mixer(images, np.arange(7), index=call)
        for i in range(7):
            found, counts = np.unique(mixed[i], return_counts=True)
            shares = np.zeros(7)
            shares[found.astype(int)] = counts / mixed[i].size
            np.testing.assert_allclose(targets[i], shares, rtol=0, atol=1e-15)
            partial += len(found) == 2
    assert partial > 40


@pytest.mark.parametrize("mode", ["batch", "pair", "elem"])
def test_mixup_mixes_targets_as_it_mixes_images(mode):
    images, mixer = np.eye(6).reshape(6, 1, 2, 3), Mixup(0.5, 6, mode=mode, seed=1)
    seen = []
    for call in range(6):
        mixed, targets = mixer(images, np.arange(6), index=call)
        np.testing.assert_allclose(mixed.reshape(6, 6), targets, rtol=0, atol=1e-15)
        np.testing.assert_allclose(targets.sum(1), 1)
        params = mixer.sample(6, images.shape, keyed(mixer, call))
        lam, partner = params["lam"], params["partner"]
        by_hand = lam[:, None] * np.eye(6) + (1 - lam)[:, None] * np.eye(6)[partner]
        np.testing.assert_allclose(targets, by_hand, atol=1e-15)
        if mode == "pair":
            np.testing.assert_array_equal(partner[partner], np.arange(6))
            np.testing.assert_array_equal(lam, lam[partner])
        seen.append(len(np.unique(lam)))
    assert set(seen) == {{"batch": 1, "pair": 3, "elem": 6}[mode]}


def keyed(mixer, index):
    from tensorgrad.augment import KeyedRng

    return KeyedRng(mixer.seed, mixer.epoch, [index])


def test_shares_are_beta_and_p_leaves_batches_alone():
    each = Mixup(0.4, mode="elem", seed=2)
    draws = each.sample(800, (800, 1), keyed(each, 0))["lam"]
    from scipy import stats

    assert stats.kstest(draws, stats.beta(0.4, 0.4).cdf).pvalue > 0.01
    half = Mixup(1.0, p=0.5, seed=0)
    whole = np.mean([half.sample(2, (2, 1), keyed(half, i))["lam"][0] == 1 for i in range(400)])
    assert 0.4 < whole < 0.6
    for mixer in (Mixup(0.0, 3, seed=0), CutMix(0.0, 3, seed=0), FMix(0.0, 3, seed=0)):
        images, targets = mixer(constant(3), [0, 1, 2])
        np.testing.assert_array_equal(images, constant(3))
        np.testing.assert_array_equal(targets, np.eye(3))


def test_the_box_is_the_papers():
    """H sqrt(1 - lam), rounded down; half of it, rounded down, each way; cut off at the edge."""
    boxes = random_boxes(np.array([0.75, 0.75, 0.0, 1.0]), np.array([[5, 5], [0, 9], [4, 4],
                         [3, 3]]), 10, 10)  # fmt: skip
    assert boxes.tolist() == [[3, 3, 7, 7], [0, 7, 2, 10], [0, 0, 9, 9], [3, 3, 3, 3]]


def test_masks_of_fmix():
    noise = np.random.default_rng(0).normal(size=(40, 2, 24, 13))
    smooth, rough = (low_frequency_images(noise, 24, 24, d) for d in (3.0, 0.0))
    assert smooth.shape == (40, 24, 24)

    def edges(mask):
        return (mask[:, 1:] != mask[:, :-1]).mean() + (mask[:, :, 1:] != mask[:, :, :-1]).mean()

    half = np.full(40, 0.5)
    assert edges(binary_masks(smooth, half)) < 0.4 * edges(binary_masks(rough, half))
    for share in (0.0, 0.1, 0.5, 1.0):
        mask = binary_masks(smooth, np.full(40, share))
        assert (mask.sum((1, 2)) == round(share * 576)).all()
        if mask.any() and not mask.all():
            assert smooth[mask].reshape(40, -1).min(1)[0] >= smooth[0][~mask[0]].max()
    soft = binary_masks(smooth, half, 0.1)
    assert ((soft > 0) & (soft < 1)).sum((1, 2)).tolist() == [2 * 57] * 40
    np.testing.assert_allclose(soft.mean((1, 2)), 0.5)
    images, targets = FMix(1.0, 3, max_soft=0.2, seed=1)(constant(3), [0, 1, 2])
    np.testing.assert_allclose(images.mean((1, 2, 3)), targets @ np.arange(3.0))


def test_odd_spectra_are_real_fourier_pairs():
    for height, width in ((1, 1), (1, 5), (5, 4), (7, 3)):
        noise = np.ones((1, 2, height, width // 2 + 1))
        assert low_frequency_images(noise, height, width, 3.0).shape == (1, height, width)


# --- SamplePairing ----------------------------------------------------------------------


def test_sample_pairing_averages_and_keeps_labels():
    images = 2.0 ** np.arange(8).reshape(8, 1)
    pairing = SamplePairing(8, seed=0)
    mixed, targets = pairing(images, np.arange(8))
    np.testing.assert_array_equal(targets, np.eye(8))
    partner = np.log2(2 * mixed - images)
    np.testing.assert_array_equal(partner, np.round(partner))
    others = [np.log2(2 * pairing(images, np.arange(8), index=i)[0] - images).ravel()
              for i in range(300)]  # fmt: skip
    counts = np.bincount(np.concatenate(others).astype(int), minlength=8)
    assert abs(counts - 300).max() < 5 * np.sqrt(300)  # uniform


def test_sample_pairing_draws_from_the_training_set():
    source = np.full((50, 2), 7.0)
    mixed, _ = SamplePairing(2, source=source, seed=0)(np.ones((4, 2)), [0, 1, 0, 1])
    assert (mixed == 4).all()
    tensors = SamplePairing(2, source=torch.full((5, 2), 7.0), seed=0)
    assert (tensors(torch.ones(4, 2), torch.zeros(4, dtype=torch.int64))[0] == 4).all()
    with pytest.raises(ValueError, match=r"source of shape \(50, 2\).*\(4, 3\)"):
        SamplePairing(2, source=source)(np.ones((4, 3)), [0, 1, 0, 1])


def test_the_schedule_has_four_phases():
    on = [SamplePairingSchedule()(epoch) for epoch in range(1000)]
    assert not any(on[:100]) and not any(on[800:])
    cycles = np.array(on[100:800]).reshape(70, 10)
    assert cycles[:, :8].all() and not cycles[:, 8:].any()
    short = SamplePairingSchedule(warmup=1, on=2, off=1, finetune=None)
    assert [short(e) for e in range(8)] == [False, True, True, False, True, True, False, True]


def test_the_schedule_follows_the_trainer():
    """As a callback, and in the loader: a trainer's epochs are numbered from 1, these from 0."""
    from tensorgrad.train import Trainer

    pairing = SamplePairing(
        2, schedule=SamplePairingSchedule(warmup=1, on=1, off=1, finetune=4), seed=0
    )
    x, y = torch.rand(8, 4), torch.tensor([0, 1] * 4)
    paired = []

    class Model(nn.Linear):
        """Pairs its own batches, so that the callback alone tells the epoch."""

        def forward(self, images):
            mixed, _ = pairing(images, y[: len(images)])
            paired.append(bool((mixed != images).any()))
            return super().forward(mixed)

    def epochs(callbacks, data):
        model = Model(4, 2)
        sgd = torch.optim.SGD(model.parameters(), lr=0.1)
        paired.clear()
        pairing.set_epoch(0)
        trainer = Trainer(model, nn.CrossEntropyLoss(), sgd, callbacks=callbacks)
        trainer.fit(data, epochs=5, batch_size=8, shuffle=False, progress=False)
        return list(paired)

    wanted = [False, True, False, True, False]
    assert epochs(pairing, (x, y)) == epochs([pairing], (x, y)) == wanted
    assert epochs([], (x, y)) == [False] * 5
    loader = MixedLoader(DataLoader(TensorDataset(x, y), batch_size=8), copy.copy(pairing))
    told = []
    loader.mixer.schedule = lambda epoch: bool(told.append(epoch))
    epochs([], loader)
    assert told == [0, 1, 2, 3, 4]


# --- SnapMix ----------------------------------------------------------------------------


def test_activation_maps_are_the_definition():
    """Beside PyTorch: W_y relu(F) + b_y, bilinear, minus the minimum, divided by the sum."""
    theirs = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    f, w, b = rng.normal(size=(4, 6, 3, 5)), rng.normal(size=(7, 6)), rng.normal(size=7)
    labels = np.array([3, 0, 6, 3])
    conv = theirs.nn.functional.conv2d(
        theirs.tensor(f).relu(), theirs.tensor(w)[:, :, None, None], theirs.tensor(b)
    )
    own = conv[range(4), labels][:, None]
    want = theirs.nn.functional.interpolate(own, (11, 8), mode="bilinear", align_corners=False)
    want = want[:, 0] - want.amin((1, 2, 3))[:, None, None]
    want /= want.sum((1, 2), keepdim=True)
    got = class_activation_maps(f, w, b, labels, (11, 8))
    np.testing.assert_allclose(got, want.numpy(), rtol=0, atol=1e-14)
    np.testing.assert_allclose(got.sum((1, 2)), 1)
    np.testing.assert_array_equal(class_activation_maps(f[:1, :, :1, :1], w, b, [0], (2, 4)), 1 / 8)
    for value in (np.nan, np.inf):  # of a model that has diverged
        f[0, 0, 0, 0] = value
        broken = class_activation_maps(f, w, b, labels, (11, 8))
        np.testing.assert_array_equal(broken[0], 1 / 88)
        np.testing.assert_array_equal(broken[1:], got[1:])


def test_snapmix_pastes_the_resized_box_and_weighs_by_the_maps():
    theirs = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    images, maps = rng.random((3, 2, 9, 7)), rng.random((3, 9, 7))
    maps /= maps.sum((1, 2), keepdims=True)
    a, b, partner = (1, 2, 6, 7), (3, 0, 6, 3), np.array([2, 0, 1])
    mixed, targets = snapmix(images, [0, 1, 2], maps, a, b, partner, num_classes=3)
    want = images.copy()
    crop = theirs.tensor(images[partner][:, :, 3:6, 0:3])
    want[:, :, 1:6, 2:7] = theirs.nn.functional.interpolate(
        crop, (5, 5), mode="bilinear", align_corners=True
    )
    np.testing.assert_allclose(mixed, want, rtol=0, atol=1e-14)
    for i in range(3):
        keep = 1 - maps[i, 1:6, 2:7].sum()
        give = maps[partner[i], 3:6, 0:3].sum()
        row = np.zeros(3)
        row[i], row[partner[i]] = keep, give
        np.testing.assert_allclose(targets[i], row, rtol=0, atol=1e-14)
    last = snapmix(np.moveaxis(images, 1, -1), [0, 1, 2], maps, a, b, partner, 3, "NHWC")[0]
    np.testing.assert_array_equal(np.moveaxis(last, -1, 1), mixed)


def test_uniform_maps_make_shares_of_pixels():
    """With a map that says nothing, SnapMix weighs as CutMix does."""
    maps = np.full((2, 6, 6), 1 / 36)
    _, targets = snapmix(constant(2, (6, 6)), [0, 1], maps, (0, 0, 3, 4), (2, 2, 4, 5), [1, 0], 2)
    np.testing.assert_allclose(targets, [[1 - 12 / 36, 6 / 36], [6 / 36, 1 - 12 / 36]])


def test_the_authors_quirks():
    images, flat = constant(2, (4, 4)), np.full((2, 4, 4), 1 / 16)
    uneven = flat.copy()
    uneven[:, 0, 0], uneven[:, 3, 3] = 2 / 16, 0
    a, b = (0, 0, 2, 2), (0, 0, 1, 2)

    def weights(labels, maps, quirks):
        return snapmix(images, labels, maps, a, b, [1, 0], 3, reference_quirks=quirks)[1]

    keep, give = 1 - 5 / 16, 3 / 16
    np.testing.assert_allclose(weights([2, 2], uneven, False)[0], [0, 0, keep + give])
    np.testing.assert_allclose(weights([2, 2], uneven, True)[0], [0, 0, 2 * (keep + give)])
    np.testing.assert_allclose(weights([0, 1], uneven, True)[0], [keep, give, 0])
    np.testing.assert_allclose(weights([0, 1], flat, False)[0], [12 / 16, 2 / 16, 0])
    np.testing.assert_allclose(weights([0, 1], flat, True)[0], [12 / 16, 4 / 16, 0])
    # Where a label meets itself, a map that is nan makes both weights nan: the sum is 1, not 2.
    one_flat = np.stack([flat[0], uneven[0]])
    np.testing.assert_allclose(weights([2, 2], flat, True), [[0, 0, 1]] * 2)
    np.testing.assert_allclose(weights([2, 2], one_flat, True), [[0, 0, 1]] * 2)
    np.testing.assert_allclose(weights([0, 1], one_flat, True)[0], [12 / 16, give, 0])


def test_an_empty_box_leaves_the_batch():
    images, maps = constant(2, (4, 4)), np.full((2, 4, 4), 1 / 16)
    for a, b in (((1, 1, 1, 3), (0, 0, 2, 2)), ((0, 0, 2, 2), (1, 1, 2, 1))):
        mixed, targets = snapmix(images, [0, 1], maps, a, b, [1, 0], 2)
        np.testing.assert_array_equal(mixed, images)
        np.testing.assert_array_equal(targets, np.eye(2))


def test_the_place_of_pooling_is_found():
    torch.manual_seed(0)
    model = Pooled().eval()
    batch = np.random.default_rng(0).random((1, 1, 6, 6), np.float32)
    module, side, head = find_pooled(model, batch)
    assert (module, side, head) == (model.conv2, "output", model.fc)
    net = resnet().eval()
    module, side, head = find_pooled(net, np.concatenate([batch] * 3, 1))
    assert head is net.fc and (module is net.avgpool or module in list(net.layer4.modules()))


def test_the_place_does_not_depend_on_the_first_batch():
    """Of a black image, or of none, every map has the mean that the head takes."""
    torch.manual_seed(0)
    net = resnet().eval()
    images = np.random.default_rng(0).random((4, 3, 16, 16), np.float32)
    black = np.concatenate([np.zeros_like(images[:1]), images[1:]])
    labels = np.array([0, 1, 2, 0])
    want = SnapMix(net, seed=0)(images, labels, index=5)
    for first in (images[:0], black):
        mixer = SnapMix(net, seed=0)
        mixer(first, labels[: len(first)], index=0)
        got = mixer(images, labels, index=5)
        np.testing.assert_array_equal(got[0], want[0])
        np.testing.assert_array_equal(got[1], want[1])


@pytest.mark.parametrize("pool", [nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d])
def test_global_pooling_of_either_kind(pool):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 6, 3), pool(1), nn.Flatten(), nn.Linear(6, 4))
    images = np.random.default_rng(0).random((4, 1, 8, 8), np.float32)
    got = SnapMix(model, seed=0)(images, [0, 1, 2, 3])
    want = SnapMix(features=model[0], head=model[3], seed=0)(images, [0, 1, 2, 3])
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])


def resnet():
    return nn.models.ResNet(nn.models.BasicBlock, (1, 1, 1, 1), num_classes=3, small=True)


def googlenet():
    return nn.models.googlenet(num_classes=3, small=True, init_weights=False)


@pytest.mark.parametrize("make", [resnet, googlenet])
def test_models_of_nn_models(make):
    torch.manual_seed(1)
    model = make()
    before = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    images = np.random.default_rng(2).random((2, 3, 32, 32), np.float32)
    mixer = SnapMix(model, seed=5)
    mixed, targets = mixer(images, np.array([0, 2]))
    assert model.training and all(m.training for m in model.modules())
    for key, value in model.state_dict().items():  # no running mean has moved
        np.testing.assert_array_equal(value.numpy(), before[key])
    params = mixer.sample(2, images.shape, keyed(mixer, 0))
    found, weight, bias = mixer._activations(images)
    model.eval()
    with torch.no_grad():
        scores = model(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found.numpy().mean((2, 3)) @ weight.T + bias, scores, atol=1e-4)
    maps = class_activation_maps(found, weight, bias, [0, 2], (32, 32))
    want = snapmix(images, [0, 2], maps, num_classes=3, **params)
    np.testing.assert_array_equal(mixed, want[0])
    np.testing.assert_allclose(targets, want[1], atol=1e-6)
    assert not np.array_equal(mixed, images)


def test_features_and_head_instead_of_a_model():
    torch.manual_seed(2)
    for bias in (True, False):
        model = Pooled(bias=bias).eval()
        images = np.random.default_rng(3).random((5, 1, 8, 8), np.float32)
        labels = np.array([0, 1, 2, 3, 0])
        one = SnapMix(model, seed=1)(images, labels)
        two = SnapMix(features=model.maps, head=model.fc, seed=1)(images, labels)
        grey = SnapMix(model, layout="NHW", seed=1)(images[:, 0], labels)
        last = SnapMix(model, layout="NHWC", seed=1)(np.moveaxis(images, 1, -1), labels)
        conv = nn.Conv2d(6, 4, 1, bias=bias)
        conv.weight.data, conv.bias = model.fc.weight.data[:, :, None, None], model.fc.bias
        three = SnapMix(features=model.maps, head=conv, seed=1)(images, labels)
        for other, view in ((two, two[0]), (three, three[0]), (grey, grey[0][:, None]),
                            (last, np.moveaxis(last[0], -1, 1))):  # fmt: skip
            np.testing.assert_allclose(view, one[0], atol=1e-7)
            np.testing.assert_allclose(other[1], one[1], atol=1e-6)
    assert not model.training


def test_a_model_without_global_pooling_is_refused():
    with pytest.raises(ValueError, match="LeNet5 has no global average or maximum pooling before"):
        SnapMix(nn.models.lenet5(modern=True))(np.zeros((2, 1, 28, 28), np.float32), [0, 1])
    flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match="Sequential has no global average or maximum pooling"):
        SnapMix(flat)(np.zeros((2, 1, 2, 2), np.float32), [0, 1])
    soft = nn.Sequential(nn.Conv2d(1, 6, 3), nn.LPPool2d(2, 6), nn.Flatten(), nn.Linear(6, 2))
    with pytest.raises(ValueError, match="Sequential has no global average or maximum pooling"):
        SnapMix(soft)(np.zeros((2, 1, 8, 8), np.float32), [0, 1])
    assert flat.training
    for arguments in ({}, {"model": flat, "features": flat}, {"features": flat}):
        with pytest.raises(ValueError, match="a model, or features and head"):
            SnapMix(**arguments)


def test_normalised_weights_sum_to_one():
    torch.manual_seed(0)
    images = np.random.default_rng(0).random((6, 1, 8, 8), np.float32)
    model, labels = Pooled(), np.array([0, 0, 0, 1, 2, 3])
    sums = SnapMix(model, seed=0)(images, labels)[1].sum(1)
    assert abs(sums - 1).max() > 0.01
    targets = SnapMix(model, normalize=True, seed=0)(images, labels)[1]
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)


# --- the losses take them ---------------------------------------------------------------

LOSSES = {
    "cross_entropy": F.cross_entropy,
    "focal_loss": F.focal_loss,
    "weston_watkins_loss": F.weston_watkins_loss,
    "crammer_singer_loss": F.crammer_singer_loss,
    "bi_tempered": lambda x, y, **o: F.bi_tempered_logistic_loss(x, y, 0.8, 1.2, **o),
    "cross_entropy_on_probabilities": lambda x, y, **o: F.cross_entropy_on_probabilities(
        F.softmax(x, 1), y, **o
    ),
}


def model_mixers():
    torch.manual_seed(0)
    model = Pooled(classes=5)
    return [*mixers(5, seed=1), SnapMix(model, 5, normalize=True, seed=0)]


@pytest.mark.parametrize("loss", LOSSES)
def test_every_classification_loss_takes_every_mixers_targets(loss):
    images = torch.from_numpy(np.random.default_rng(0).random((6, 1, 8, 8), np.float32))
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    model = Pooled(classes=5).eval()
    for mixer in model_mixers():
        mixed, targets = mixer(images, labels)
        assert isinstance(targets, torch.Tensor) and targets.dtype == torch.float32
        model.zero_grad()
        value = LOSSES[loss](model(mixed), targets)
        value.backward()
        assert np.isfinite(value.item()) and np.isfinite(model.fc.weight.grad.numpy()).all()


def test_targets_without_smoothing_give_the_loss_of_labels():
    logits, labels = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    for name, loss in LOSSES.items():
        got, want = loss(logits, smooth_labels(labels, 0.0, 5)), loss(logits, labels)
        torch.testing.assert_close(got, want, msg=name)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_mixed_loss_is_the_papers_sum(reduction):
    torch.manual_seed(1)
    logits = torch.randn(4, 5, requires_grad=True)
    labels, partner = np.array([0, 1, 2, 3]), np.array([1, 3, 0, 3])
    rho_a, rho_b = np.array([0.7, 0.9, 0.2, 0.5]), np.array([0.6, 0.0, 0.3, 0.5])
    targets = rho_a[:, None] * np.eye(5)[labels] + rho_b[:, None] * np.eye(5)[labels[partner]]
    loss = lambda x, y, reduction: F.bi_tempered_logistic_loss(  # noqa: E731
        x, y, 0.5, 1.5, reduction=reduction
    )
    each = [loss(logits, torch.from_numpy(y), "none") for y in (labels, labels[partner])]
    want = torch.from_numpy(rho_a) * each[0] + torch.from_numpy(rho_b) * each[1]
    want = want if reduction == "none" else getattr(want, reduction)()
    got = mixed_loss(loss, logits, torch.from_numpy(targets), reduction)
    torch.testing.assert_close(got, want, check_dtype=False)
    got.sum().backward()
    assert logits.grad is not None
    soft = mixed_loss(F.cross_entropy, logits, torch.from_numpy(targets).float(), reduction)
    torch.testing.assert_close(
        soft, F.cross_entropy(logits, torch.from_numpy(targets).float(), reduction=reduction)
    )


def test_mixed_loss_takes_losses_of_labels_and_infinite_ones():
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 5, requires_grad=True), torch.tensor([0, 1, 2, 3])
    _, targets = CutMix(1.0, 5, seed=0)(torch.rand(4, 1, 6, 6), labels)
    by_labels = mixed_loss(F.nll_loss, F.log_softmax(logits, 1), targets)
    torch.testing.assert_close(by_labels, F.cross_entropy(logits, targets))
    hinge = mixed_loss(F.multi_margin_loss, logits, targets, margin=0.5)
    w = targets.numpy()
    each = [F.multi_margin_loss(logits, torch.full((4,), c), margin=0.5, reduction="none")
            for c in range(5)]  # fmt: skip
    want = sum((w[:, c] * each[c].detach().numpy()).sum() for c in range(5)) / 4
    assert hinge.item() == pytest.approx(want, rel=1e-6)
    hinge.backward()
    assert np.isfinite(logits.grad.numpy()).all()
    logs = torch.tensor([[-np.inf, 0.0], [-1.0, -2.0]])
    got = mixed_loss(F.nll_loss, logs, torch.tensor([[1.0, 0.0], [0.5, 0.5]]), "none")
    assert got.tolist() == [np.inf, 1.5]


def test_snapmix_under_mixed_loss_is_the_definition():
    """rho_a L(y_a) + rho_b L(y_b), also for labels that are the same and sums above one."""
    torch.manual_seed(3)
    model, labels = Pooled(classes=3), np.array([0, 0, 0, 0, 1])
    images = np.random.default_rng(1).random((5, 1, 8, 8), np.float32)
    mixer = SnapMix(model, seed=7)
    params = mixer.sample(5, images.shape, keyed(mixer, 0))
    found, weight, bias = mixer._activations(images)
    maps = class_activation_maps(found, weight, bias, labels, (8, 8))
    (t, left, b, r), (t2, l2, b2, r2) = params["box_a"], params["box_b"]
    rho_a = 1 - maps[:, t:b, left:r].sum((1, 2))
    rho_b = maps[params["partner"], t2:b2, l2:r2].sum((1, 2))
    mixed, targets = mixer(torch.from_numpy(images), torch.from_numpy(labels))
    model.eval()
    logits = model(mixed)
    hard = [F.cross_entropy(logits, torch.from_numpy(y), reduction="none").detach().numpy()
            for y in (labels, labels[params["partner"]])]  # fmt: skip
    want = (rho_a * hard[0] + rho_b * hard[1]).mean()
    assert mixed_loss(F.cross_entropy, logits, targets).item() == pytest.approx(want, rel=1e-5)
    assert F.cross_entropy(logits, targets).item() == pytest.approx(want, rel=1e-5)


# --- smoothing --------------------------------------------------------------------------


def test_smoothing_is_that_of_cross_entropy():
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 3, 0])
    want = F.cross_entropy(logits, labels, label_smoothing=0.2)
    torch.testing.assert_close(F.cross_entropy(logits, smooth_labels(labels, 0.2, 4)), want)
    np.testing.assert_allclose(smooth_labels([2], 0.4, 4), [[0.1, 0.1, 0.7, 0.1]], rtol=1e-6)


def test_smoothing_and_mixing_commute():
    images, labels = np.random.default_rng(0).random((5, 1, 6, 6)), np.arange(5)
    smooth, mixer = LabelSmoothing(0.1, 5), CutMix(1.0, 5, seed=0)
    one = smooth(*mixer(images, labels, index=0))
    two = mixer(*smooth(images, labels), index=0)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_allclose(one[1], two[1], atol=1e-6)


# --- draws ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(5))
def test_draws_are_keyed_by_seed_epoch_and_batch(number):
    images, labels = np.random.default_rng(0).random((6, 1, 9, 9)), np.arange(6)
    one, two, other = (mixers(6, seed=s)[number] for s in (1, 1, 2))
    other.seed += 1
    results = [one(images, labels) for _ in range(4)]
    assert len({r[0].tobytes() for r in results}) > 1
    again = [two(images, labels, index=i)[0] for i in (3, 2, 1, 0)]
    for (got, _), want in zip(results, reversed(again), strict=True):
        np.testing.assert_array_equal(got, want)
    one.set_epoch(0)  # the count begins again
    np.testing.assert_array_equal(one(images, labels)[0], results[0][0])
    others = [other(images, labels, index=i)[0].tobytes() for i in range(4)]
    assert others != [r[0].tobytes() for r in results]
    one.set_epoch(1)
    later = [one(images, labels)[0].tobytes() for _ in range(4)]
    assert later != [r[0].tobytes() for r in results]


def test_without_a_seed_the_default_generator_decides():
    torch.manual_seed(5)
    one, two = Mixup(), Mixup()
    torch.manual_seed(5)
    assert Mixup().seed == one.seed != two.seed


def test_a_failed_call_does_not_count():
    images, labels = np.random.default_rng(0).random((6, 1, 9, 9)), np.arange(6)
    mixer, same = CutMix(1.0, 6, seed=0), CutMix(1.0, 6, seed=0)
    with pytest.raises(IndexError, match=r"got 6 at 5"):
        mixer(images, labels + 1)
    np.testing.assert_array_equal(mixer(images, labels)[0], same(images, labels)[0])


@pytest.mark.parametrize("workers", [0, 2])
def test_collate_gives_the_same_batches_with_any_number_of_workers(workers):
    data = TensorDataset(torch.rand(12, 1, 6, 6, generator=torch.Generator().manual_seed(0)),
                         torch.arange(12) % 3)  # fmt: skip
    mixer = CutMix(1.0, 3, seed=0)
    plain = [mixer.collate([data[i] for i in range(s, s + 3)]) for s in range(0, 12, 3)]
    loader = DataLoader(data, batch_size=3, num_workers=workers, collate_fn=mixer.collate)
    batches = list(loader)
    assert len(batches) == 4
    for (x, y), (want_x, want_y) in zip(batches, plain, strict=True):
        assert torch.equal(x, want_x) and torch.equal(y, want_y)


@pytest.mark.parametrize("workers", [0, 2])
def test_collate_of_samples_that_know_their_index(workers):
    """The key is (seed, epoch, index of the first); a schedule sees the epoch too."""
    images, labels = torch.rand(8, 1, 6, 6), torch.arange(8) % 3
    data = augment.Indexed(TensorDataset(images, labels))
    schedule = SamplePairingSchedule(warmup=2, on=1, off=1, finetune=None)
    for mixer in (CutMix(1.0, 3, seed=0), SamplePairing(3, schedule=schedule, seed=0)):
        by_hand = copy.copy(mixer)
        loader = DataLoader(data, batch_size=4, num_workers=workers, collate_fn=mixer.collate)
        for epoch in (1, 2):
            data.set_epoch(epoch)
            by_hand.set_epoch(epoch)
            for first, (x, y) in zip((0, 4), loader, strict=True):
                rows = slice(first, first + 4)
                want = by_hand(images[rows], labels[rows], index=first)
                assert torch.equal(x, want[0]) and torch.equal(y, want[1])
                if isinstance(mixer, SamplePairing):
                    assert torch.equal(x, images[rows]) == (epoch == 1)


def test_a_transform_and_a_mixer_in_one_collate_step():
    data = augment.Indexed(TensorDataset(torch.rand(4, 1, 6, 6), torch.arange(4) % 3))
    mixer = Mixup(1.0, 3, seed=0)
    step = augment.collate(augment.HorizontalFlip(1.0), collate_fn=mixer.collate)
    (x, y), = DataLoader(data, batch_size=4, collate_fn=step)
    assert x.shape == (4, 1, 6, 6) and y.shape == (4, 3)


def test_a_mixed_loader_stands_for_its_loader():
    data = TensorDataset(torch.rand(8, 1, 4, 4), torch.arange(8) % 2)
    loader = DataLoader(data, batch_size=4)
    mixed = MixedLoader(loader, Mixup(1.0, 2, seed=0))
    assert len(mixed) == 2 and mixed.dataset is data and mixed.batch_size == 4
    assert copy.copy(mixed).mixer is mixed.mixer
    first = [x for x, _ in mixed]
    second = [x for x, _ in mixed]
    assert not torch.equal(first[0], second[0])  # the calls go on
    mixed.set_epoch(0)
    assert torch.equal([x for x, _ in mixed][1], first[1])
    MixedLoader(loader, LabelSmoothing(0.1, 2)).set_epoch(1)  # any function will do
    turned = augment.AugmentedDataset(data, augment.HorizontalFlip())
    MixedLoader(DataLoader(turned, batch_size=4), Mixup(1.0, 2)).set_epoch(7)
    assert turned.epoch == 7


# --- whatever comes ---------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    number=st.integers(0, 4), n=st.integers(0, 5), height=st.integers(1, 7),
    width=st.integers(1, 7), mode=st.sampled_from(["batch", "pair", "elem"]),
    dtype=st.sampled_from(["u1", "f4", "f8"]), seed=st.integers(0, 2**40),
    epoch=st.integers(0, 900), tensors=st.booleans(), strided=st.booleans(), soft=st.booleans(),
)  # fmt: skip
def test_mixers_whatever_comes(
    number, n, height, width, mode, dtype, seed, epoch, tensors, strided, soft
):
    rng = np.random.default_rng(seed)
    images = rng.random((n, 3, height, width)) * (255 if dtype == "u1" else 1)
    images = images.astype(dtype)
    if strided:
        images = np.repeat(images, 2, axis=-1)[..., ::2][:, ::-1]
    labels = rng.integers(0, 4, n)
    targets = np.eye(4)[labels].astype("f4") if soft else labels
    kept = images.copy(), targets.copy()
    given = (images, targets)
    if tensors:
        given = torch.from_numpy(images.copy()), torch.from_numpy(targets)
    mixer = mixers(4, seed=seed, mode=mode)[number]
    mixer.set_epoch(epoch)
    mixed, weights = mixer(*given)
    again = mixer(*given, index=0)
    assert isinstance(mixed, torch.Tensor) == isinstance(weights, torch.Tensor) == tensors
    mixed, weights, again = (np.asarray(a) for a in (mixed, weights, again[0]))
    np.testing.assert_array_equal(mixed, again)
    np.testing.assert_array_equal(images, kept[0])
    np.testing.assert_array_equal(targets, kept[1])
    assert not np.shares_memory(mixed, images) and not np.shares_memory(weights, targets)
    assert mixed.shape == images.shape and mixed.dtype == images.dtype
    assert weights.shape == (n, 4) and (weights >= 0).all() and (weights <= 1 + 1e-6).all()
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    if n:
        assert mixed.min() >= images.min() and mixed.max() <= images.max()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("foreign", [np.nan, np.inf])
def test_what_is_not_mixed_is_exact_whatever_stands_beside_it(dtype, foreign):
    images = np.random.default_rng(0).normal(size=(6, 2, 5, 5)).astype(dtype)
    images[2, 0, 0, 0] = foreign
    labels = np.arange(6)
    idle = [kind(0.0, 6) for kind in (Mixup, CutMix, FMix)]
    idle += [Mixup(1.0, 6, p=0.0), FMix(0.0, 6, max_soft=0.3), SamplePairing(6, p=0.0)]
    for mixer in (*idle, SamplePairing(6, schedule=lambda epoch: False)):
        np.testing.assert_array_equal(mixer(images, labels)[0], images)
    back = np.arange(6)[::-1].copy()
    mixed, targets = mixup(images, labels, 0.0, back, 6)
    np.testing.assert_array_equal(mixed, images[back])
    np.testing.assert_array_equal(targets, np.eye(6)[back])
    half = np.zeros((5, 5), dtype)
    half[0], half[1] = 1, 0.25
    mixed, _ = fmix(images, labels, half, back, 6)
    np.testing.assert_array_equal(mixed[:, :, 0], images[back, :, 0])
    np.testing.assert_array_equal(mixed[:, :, 2:], images[:, :, 2:])


def test_mixing_half_precision_stays_between_the_two():
    rng = np.random.default_rng(0)
    images = rng.random((512, 400)).astype("f2")
    partner = rng.permutation(512)
    mixed, _ = mixup(images, np.zeros(512, int), rng.random(512), partner, 1)
    assert mixed.dtype == np.float16
    pair = np.stack([images, images[partner]])
    assert (mixed >= pair.min(0)).all() and (mixed <= pair.max(0)).all()


def test_masks_of_half_precision_and_of_integers_have_exact_shares():
    images = constant(2, (300, 300))
    for dtype in ("f2", "u1", "?"):
        mask = np.zeros((300, 300), dtype)
        mask[:100] = 1
        targets = fmix(images, [0, 1], mask, [1, 0], 2)[1]
        np.testing.assert_allclose(targets, [[2 / 3, 1 / 3], [1 / 3, 2 / 3]], atol=1e-15)


def test_weights_are_tensors_beside_tensors():
    """So that a loss takes them, whichever of the two came as a list."""
    images, labels = torch.rand(3, 1, 6, 6), [0, 1, 2]
    torch.manual_seed(0)
    model = Pooled(classes=3)
    for mixer in (*mixers(3, seed=1), SnapMix(model, seed=0), RandomMixer([Mixup(1, 3)], p=0.0)):
        mixed, targets = mixer(images, labels)
        assert np.isfinite(F.cross_entropy(model(mixed), targets).item())
        assert isinstance(mixer(images.numpy(), torch.tensor(labels))[1], torch.Tensor)
        assert isinstance(mixer(images.numpy(), labels)[1], np.ndarray)
    assert isinstance(LabelSmoothing(0.1, 3)(images, labels)[1], torch.Tensor)


@pytest.mark.parametrize("kind", [Mixup, CutMix, FMix])
def test_memory_of_mixing(kind, traced):
    """Beside a given batch of uint8: at first it was 13, 2 and 11 times as much."""
    images, labels = np.zeros((32, 3, 224, 224), np.uint8), np.arange(32) % 10
    mixer = kind(1.0, 10, seed=0)
    mixer(images, labels)
    _, peak = traced(lambda: mixer(images, labels))
    assert peak < 3 * images.nbytes


@settings(max_examples=25, deadline=None)
@given(n=st.integers(0, 4), height=st.integers(1, 9), width=st.integers(1, 9),
       seed=st.integers(0, 10**6), quirks=st.booleans())  # fmt: skip
def test_snapmix_whatever_comes(n, height, width, seed, quirks):
    torch.manual_seed(0)
    model = Pooled(classes=4).eval()
    images = np.random.default_rng(seed).random((n, 1, height, width), np.float32)
    labels = np.arange(n) % 4
    kept = images.copy()
    mixer = SnapMix(model, alpha=1.0, seed=seed, reference_quirks=quirks)
    mixed, weights = mixer(images, labels)
    np.testing.assert_array_equal(images, kept)
    assert mixed.shape == images.shape and weights.shape == (n, 4)
    assert (weights >= 0).all() and (weights <= (4 if quirks else 2) + 1e-6).all()
    np.testing.assert_array_equal(mixed, mixer(images, labels, index=0)[0])


# --- what is refused --------------------------------------------------------------------

X4 = np.zeros((2, 1, 4, 4))
Y2 = [0, 1]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: Mixup(num_classes=2)(X4), ValueError, "targets is missing"),
        (lambda: Mixup()(X4, Y2), ValueError, r"targets of shape \(2,\) are labels, and num_cl"),
        (lambda: Mixup(num_classes=2)(X4, [0]), ValueError, r"labels of shape \(2,\).*got shape"),
        (lambda: Mixup(num_classes=2)(X4, [0, 2]), IndexError, "0..1 .*got 2 at 1"),
        (lambda: Mixup(num_classes=2)(X4, [-1, 0]), IndexError, "got -1 at 0"),
        (lambda: Mixup(num_classes=2)(X4, [0.0, 1.0]), RuntimeError, "integer dtype, got float64"),
        (lambda: Mixup(num_classes=3)(X4, np.eye(2)), ValueError, "have 2 classes, but num_clas"),
        (lambda: Mixup()(X4, np.eye(2, dtype=int)), RuntimeError, "floating-point, got int64"),
        (lambda: Mixup()(X4, -np.eye(2)), ValueError, "finite and at least 0"),
        (lambda: Mixup()(X4, np.eye(2)[..., None]), ValueError, r"got shape \(2, 2, 1\)"),
        (lambda: Mixup(num_classes=2)(np.zeros(2), Y2), ValueError, r"a batch \(N, ...\), got sha"),
        (lambda: Mixup(num_classes=2)(X4 > 0, Y2), TypeError, "uint8 or floating-point, got bool"),
        (lambda: Mixup(num_classes=0), ValueError, "num_classes must be an integer of at least 1"),
        (lambda: Mixup(num_classes=2.0), ValueError, "integer of at least 1, got 2.0"),
        (lambda: Mixup(alpha=-1), ValueError, "alpha should be finite and at least 0, got -1"),
        (lambda: Mixup(alpha=float("nan")), ValueError, "alpha should be"),
        (lambda: Mixup(alpha="1"), ValueError, "alpha should be .*, got '1'"),
        (lambda: Mixup(p=1.5), ValueError, r"p must be a probability in \[0, 1\], got 1.5"),
        (lambda: Mixup(mode="one"), ValueError, "mode should be one of 'batch', 'pair', 'elem'"),
        (lambda: Mixup(seed=-1), ValueError, "seed must be an integer of at least 0 .* got -1"),
        (lambda: Mixup().set_epoch(-1), ValueError, "epoch must be an integer of at least 0"),
        (lambda: Mixup(num_classes=2)(X4, Y2, index=-1), ValueError, "index must be"),
        (lambda: CutMix(num_classes=2)(X4[0], Y2), ValueError, r"\(N, C, H, W\), got shape \(1, 4"),
        (lambda: CutMix(layout="CHW"), ValueError, "layout should be one of 'NCHW'"),
        (lambda: FMix(num_classes=2)(X4[0], Y2), ValueError, r"FMix: images should be a batch"),
        (lambda: FMix(max_soft=0.6), ValueError, r"max_soft should be in \[0, 0.5\], got 0.6"),
        (lambda: FMix(decay_power=-1), ValueError, "decay_power should be at least 0"),
        (lambda: FMix(decay_power=None), ValueError, "decay_power should be .*, got None"),
        (lambda: FMix(max_soft="0"), ValueError, "max_soft should be .*, got '0'"),
        (lambda: mixup(X4, Y2, 1.2, [1, 0], 2), ValueError, r"lam should be in \[0, 1\]"),
        (lambda: mixup(X4, Y2, [0.5] * 3, [1, 0], 2), ValueError, "one number or 2"),
        (lambda: mixup(X4, Y2, 0.5, [1, 2], 2), ValueError, r"partner should be 2 indices in 0..1"),
        (lambda: mixup(X4, Y2, 0.5, [0], 2), ValueError, "partner should be 2 indices"),
        (lambda: cutmix(X4, Y2, (0, 0, 5, 4), [1, 0], 2), ValueError, "within 4 x 4 pixels"),
        (lambda: cutmix(X4, Y2, (2, 0, 1, 4), [1, 0], 2), ValueError, "box should be"),
        (lambda: cutmix(X4, Y2, (-1, 0, 1, 4), [1, 0], 2), ValueError, "box should be"),
        (lambda: cutmix(X4[0], Y2, (0, 0, 1, 1), [1, 0], 2), ValueError, "add a batch dimension"),
        (lambda: fmix(X4, Y2, np.full((4, 4), 1.5), [1, 0], 2), ValueError, r"in \[0, 1\] of sha"),
        (lambda: fmix(X4, Y2, np.ones((3, 4)), [1, 0], 2), ValueError, r"of shape \(3, 4\)"),
        (lambda: sample_pairing(X4, Y2, X4[:, :, :2], 2), ValueError, "others should be float64"),
        (lambda: SamplePairing(source=[]), ValueError, "source should hold images"),
        (lambda: SamplePairing(schedule=3), ValueError, "schedule should be a function"),
        (lambda: SamplePairingSchedule(warmup=-1), ValueError, "warmup must be an integer of at l"),
        (lambda: SamplePairingSchedule(on=8.5), ValueError, "on must be an integer.* got 8.5"),
        (lambda: SamplePairingSchedule(finetune="x"), ValueError, "finetune must be an integer"),
        (lambda: SamplePairing(2, source=X4.astype("f4"))(X4, Y2), ValueError,
         r"source of shape \(2, 1, 4, 4\) \(float32\).*batch.*\(float64\)"),
        (lambda: SamplePairing(2, source=X4.astype("u1"))(X4, Y2), ValueError, r"\(uint8\)"),
        (lambda: SamplePairingSchedule(on=0, off=0), ValueError, "on and off are both 0"),
        (lambda: SamplePairingSchedule(finetune=50), ValueError, "finetune=50 should not be"),
        (lambda: RandomMixer([]), ValueError, "at least one mixer"),
        (lambda: RandomMixer([Mixup()], [1, 2]), ValueError, "weights should be 1 numbers"),
        (lambda: RandomMixer([Mixup()], [np.inf]), ValueError, "weights should be 1 numbers"),
        (lambda: RandomMixer([LabelSmoothing(0.1, 2)]), TypeError, "Mixers, got a LabelSmoothing"),
        (lambda: RandomMixer([Mixup(1, 3), CutMix(1, 4)]), ValueError, r"classes, got \[3, 4\]"),
        (lambda: snapmix(X4, Y2, X4[:, 0, :2], (0, 0, 1, 1), (0, 0, 1, 1), [1, 0], 2), ValueError,
         r"maps should have shape \(2, 4, 4\), got \(2, 2, 4\)"),
        (lambda: snapmix(X4.astype("u1"), Y2, X4[:, 0], (0, 0, 1, 1), (0, 0, 1, 1), [1, 0], 2),
         TypeError, "floating-point, as the model takes them, got uint8"),
        (lambda: class_activation_maps(X4, np.ones((2, 3)), None, Y2, (4, 4)), ValueError,
         r"weight \(classes, D\), got \(2, 1, 4, 4\) and \(2, 3\)"),
        (lambda: class_activation_maps(X4, np.ones((3, 1)), np.ones(1), Y2, (4, 4)), ValueError,
         r"bias should have shape \(3,\) or be None, got \(1,\)"),
        (lambda: class_activation_maps(X4, np.ones((3, 1)), None, Y2, 4), ValueError,
         r"size should be \(height, width\), got 4"),
        (lambda: SnapMix(3), TypeError, "model should be a Module, got int"),
        (lambda: SnapMix(features=abs, head=3), TypeError, "head a module with a weight"),
        (lambda: SnapMix(Pooled(3), 5, seed=0)(X4.astype("f4"), Y2), ValueError,
         "num_classes=5, but the head gives 3 scores"),
        (lambda: smooth_labels(Y2, 1.5, 2), ValueError, "epsilon must be a probability"),
        (lambda: LabelSmoothing(-0.1), ValueError, "epsilon must be"),
        (lambda: smooth_labels(Y2), ValueError, "num_classes is missing"),
        (lambda: mixed_loss(F.cross_entropy, torch.zeros(2, 3), torch.zeros(2)), ValueError,
         r"targets \(2,\) and outputs \(2, 3\)"),
        (lambda: mixed_loss(F.cross_entropy, torch.zeros(1, 1), torch.zeros(1, 1), "max"),
         ValueError, "'mean', 'sum' or 'none', got 'max'"),
        (lambda: Mixer().sample(1, (1,), None), NotImplementedError, "Mixer has no sample"),
        (lambda: Mixer().apply(X4, Y2, {}), NotImplementedError, "Mixer has no apply"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_mixers_say_what_they_are():
    assert repr(CutMix(0.5, 10, seed=1)).startswith("CutMix(alpha=0.5, layout='NCHW', num_classes=")
    assert "model='Pooled'" in repr(SnapMix(Pooled(), seed=0))
    assert "source=(3, 2)" in repr(SamplePairing(source=np.zeros((3, 2)), seed=0))
    assert "source=(1, 2)" in repr(SamplePairing(source=[[0.0, 1.0]], seed=0))
    assert repr(SamplePairingSchedule()) == (
        "SamplePairingSchedule(warmup=100, on=8, off=2, finetune=800)"
    )
    assert repr(LabelSmoothing(0.1, 3)) == "LabelSmoothing(0.1, num_classes=3)"


def test_a_random_mixer_knows_the_number_of_classes_from_any():
    images, labels = constant(3), np.arange(3)
    mixer = RandomMixer([Mixup(1.0), CutMix(1.0, 3)], p=0.5, seed=0)
    for call in range(20):
        assert mixer(images, labels, index=call)[1].shape == (3, 3)
        with pytest.raises(IndexError, match="num_classes=3"):
            mixer(images, labels + 1, index=call)


def test_collate_leaves_the_mixers_of_a_mixer_alone():
    pairing = SamplePairing(3, schedule=lambda epoch: epoch > 3, seed=0)
    mixer = RandomMixer([pairing], seed=0)
    data = augment.Indexed(TensorDataset(torch.rand(4, 1, 6, 6), torch.arange(4) % 3))
    data.set_epoch(5)
    batch = [data[i] for i in range(4)]
    images = torch.stack([sample.sample[0] for sample in batch])
    assert not torch.equal(mixer.collate(batch)[0], images)
    assert pairing.epoch == mixer.epoch == 0
    assert torch.equal(mixer(images, torch.zeros(4, dtype=torch.int64))[0], images)


def test_a_random_mixer_may_do_nothing():
    mixer = RandomMixer([Mixup(1.0, 3, seed=0)], p=0.0, seed=0)
    mixer.set_epoch(3)
    assert mixer.mixers[0].epoch == 3
    images, targets = mixer(constant(3), [0, 1, 2])
    np.testing.assert_array_equal(images, constant(3))
    np.testing.assert_array_equal(targets, np.eye(3))
