"""The image networks: their figures as published, names as torchvision's, a step as PyTorch's."""

import importlib
import types
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.datasets import digits
from tensorgrad.nn import functional as F
from tensorgrad.nn import models

ROOT = Path(__file__).parent.parent
DATA = [folder / "shared" / "data" for folder in (ROOT, ROOT.parent)]

# As published with torchvision's networks.
COUNTS = {
    "alexnet": 61_100_840, "googlenet": 13_004_888,
    "vgg11": 132_863_336, "vgg13": 133_047_848, "vgg16": 138_357_544, "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840, "vgg13_bn": 133_053_736, "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
    "resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032,
    "resnet101": 44_549_160, "resnet152": 60_192_808,
}  # fmt: skip


@pytest.fixture
def undrawn(monkeypatch):
    """Parameters get no values, so that their memory is never touched: VGG would take 550 MB."""
    for name in ("uniform_", "normal_", "zero_", "fill_"):
        monkeypatch.setattr(tg.Tensor, name, lambda t, *args, **kwargs: t)


def build(name):
    kwargs = {"init_weights": False} if name[:3] in ("vgg", "goo") else {}
    return getattr(models, name)(**kwargs)


def count(model):
    return sum(p.numel() for p in model.parameters())


# --- torchvision's state dicts, by rule --------------------------------------------------


def linear(name, outputs, inputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def window(name, outputs, inputs, size, bias=False):
    keys = {f"{name}.weight": (outputs, inputs, size, size)}
    return keys | ({f"{name}.bias": (outputs,)} if bias else {})


def norm(name, channels):
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{p}": (channels,) for p in parts} | {f"{name}.num_batches_tracked": ()}


def alexnet_keys():
    table = [(0, 64, 3, 11), (3, 192, 64, 5), (6, 384, 192, 3), (8, 256, 384, 3), (10, 256, 256, 3)]
    keys = {}
    for at, *sizes in table:
        keys |= window(f"features.{at}", *sizes, bias=True)
    for at, o, i in ((1, 4096, 9216), (4, 4096, 4096), (6, 1000, 4096)):
        keys |= linear(f"classifier.{at}", o, i)
    return keys


VGG_PLANS = {
    "11": "64 M 128 M 256 256 M 512 512 M 512 512 M",
    "13": "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
    "16": "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
    "19": "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M",
}


def vgg_keys(depth, bn):
    keys, at, inputs = {}, 0, 3
    for word in VGG_PLANS[depth].split():
        if word == "M":
            at += 1
            continue
        keys |= window(f"features.{at}", int(word), inputs, 3, bias=True)
        inputs = int(word)
        keys |= norm(f"features.{at + 1}", inputs) if bn else {}
        at += 3 if bn else 2
    for at, o, i in ((0, 4096, 25088), (3, 4096, 4096), (6, 1000, 4096)):
        keys |= linear(f"classifier.{at}", o, i)
    return keys


def unit(name, outputs, inputs, size):
    return window(f"{name}.conv", outputs, inputs, size) | norm(f"{name}.bn", outputs)


INCEPTIONS = """3a 192 64 96 128 16 32 32
3b 256 128 128 192 32 96 64
4a 480 192 96 208 16 48 64
4b 512 160 112 224 24 64 64
4c 512 128 128 256 24 64 64
4d 512 112 144 288 32 64 64
4e 528 256 160 320 32 128 128
5a 832 256 160 320 32 128 128
5b 832 384 192 384 48 128 128"""


def googlenet_keys():
    keys = unit("conv1", 64, 3, 7) | unit("conv2", 64, 64, 1) | unit("conv3", 192, 64, 3)
    for line in INCEPTIONS.splitlines():
        name, *sizes = line.split()
        i, a, b, c, d, e, f = map(int, sizes)
        name = f"inception{name}"
        keys |= unit(f"{name}.branch1", a, i, 1)
        keys |= unit(f"{name}.branch2.0", b, i, 1) | unit(f"{name}.branch2.1", c, b, 3)
        keys |= unit(f"{name}.branch3.0", d, i, 1) | unit(f"{name}.branch3.1", e, d, 3)
        keys |= unit(f"{name}.branch4.1", f, i, 1)
    for name, i in (("aux1", 512), ("aux2", 528)):
        keys |= unit(f"{name}.conv", 128, i, 1)
        keys |= linear(f"{name}.fc1", 1024, 2048) | linear(f"{name}.fc2", 1000, 1024)
    return keys | linear("fc", 1000, 1024)


RESNET_STAGES = {"18": "2222", "34": "3463", "50": "3463", "101": (3, 4, 23, 3),
                 "152": (3, 8, 36, 3)}  # fmt: skip


def resnet_keys(depth):
    wide = 1 if depth in ("18", "34") else 4
    keys, inputs = window("conv1", 64, 3, 7) | norm("bn1", 64), 64
    for stage, blocks in enumerate(map(int, RESNET_STAGES[depth]), start=1):
        planes = 32 * 2**stage
        sizes = [(planes, 3), (planes, 3)] if wide == 1 else [
            (planes, 1), (planes, 3), (4 * planes, 1)
        ]  # fmt: skip
        for b in range(blocks):
            name, i = f"layer{stage}.{b}", inputs
            for k, (o, size) in enumerate(sizes, start=1):
                keys |= window(f"{name}.conv{k}", o, i, size) | norm(f"{name}.bn{k}", o)
                i = o
            if b == 0 and inputs != wide * planes:
                keys |= window(f"{name}.downsample.0", wide * planes, inputs, 1)
                keys |= norm(f"{name}.downsample.1", wide * planes)
            inputs = wide * planes
    return keys | linear("fc", 1000, inputs)


def torchvision_keys(name):
    if name.startswith("vgg"):
        return vgg_keys(name[3:5], name.endswith("bn"))
    if name.startswith("resnet"):
        return resnet_keys(name.removeprefix("resnet"))
    return alexnet_keys() if name == "alexnet" else googlenet_keys()


@pytest.mark.parametrize("name", COUNTS)
def test_state_dicts_have_torchvisions_names_and_shapes_and_counts_are_as_published(name, undrawn):
    model = build(name)
    assert count(model) == COUNTS[name]
    ours = {k: tuple(v.shape) for k, v in model.state_dict().items()}
    theirs = torchvision_keys(name)
    assert ours == theirs
    assert list(ours) == list(theirs)


def test_googlenet_without_heads_has_the_published_count(undrawn):
    model = models.googlenet(aux_logits=False, init_weights=False)
    assert count(model) == 6_624_904
    heads = [k for k in googlenet_keys() if not k.startswith("aux")]
    assert list(model.state_dict()) == heads


def test_lenet_has_the_published_count_layer_by_layer():
    parts = [sum(p.numel() for p in m.parameters()) for m in models.lenet5().features]
    assert [n for n in parts if n] == [156, 12, 1516, 32, 48120]
    assert count(models.lenet5()) == 60_000
    assert count(models.lenet5(modern=True)) == 61_706


# --- shapes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, kwargs",
    [("alexnet", {}), ("googlenet", {"init_weights": False}), ("resnet18", {})],
)
def test_an_image_of_imagenets_size(name, kwargs):
    model = getattr(models, name)(**kwargs).eval()
    with tg.no_grad():
        assert model(tg.zeros(1, 3, 224, 224)).shape == (1, 1000)


SMALL = {
    "lenet": lambda **k: models.lenet5(**k),
    "lenet modern": lambda **k: models.lenet5(modern=True, **k),
    "alexnet": lambda **k: models.alexnet(small=True, **k),
    "vgg": lambda **k: models.vgg11(small=True, init_weights=False, **k),
    "vgg_bn": lambda **k: models.vgg(11, True, small=True, init_weights=False, **k),
    "googlenet": lambda **k: models.googlenet(small=True, init_weights=False, **k),
    "resnet": lambda **k: models.ResNet(models.BasicBlock, (1, 1, 1, 1), small=True, **k),
    "resnet deep": lambda **k: models.ResNet(models.Bottleneck, (1, 1, 1, 1), small=True, **k),
}


@pytest.mark.parametrize("name", SMALL)
def test_small_images_other_classes_channels_and_dropout(name):
    model = SMALL[name](num_classes=7, in_channels=2, dropout=0.1).eval()
    with tg.no_grad():
        assert model(tg.zeros(2, 2, 28, 28)).shape == (2, 7)
        if name.startswith("lenet"):
            model = SMALL[name](num_classes=7, in_channels=2, input_size=32).eval()
        assert model(tg.zeros(1, 2, 32, 32)).shape == (1, 7)


def test_dropout_draws_before_the_output_in_training_alone():
    block = models.BasicBlock
    model = models.ResNet(block, (1, 1, 1, 1), num_classes=3, dropout=1.0, small=True)
    x = tg.randn(2, 3, 8, 8)
    assert tg.equal(model(x), model.fc.bias.expand(2, 3))
    model.eval()
    assert not tg.allclose(model(x), model.fc.bias.expand(2, 3))


def test_googlenet_returns_its_heads_in_training_alone():
    model = models.googlenet(num_classes=3, small=True, init_weights=False)
    out = model(tg.randn(2, 3, 16, 16))
    assert type(out) is models.GoogLeNetOutputs
    assert out._fields == ("logits", "aux_logits2", "aux_logits1")
    assert [t.shape for t in out] == [(2, 3)] * 3
    (out.logits + out.aux_logits2 + out.aux_logits1).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert isinstance(model.eval()(tg.randn(1, 3, 16, 16)), tg.Tensor)


def test_googlenet_renormalises_its_input():
    kwargs = {"num_classes": 3, "small": True, "init_weights": False, "aux_logits": False}
    plain, changed = models.googlenet(**kwargs), models.googlenet(transform_input=True, **kwargs)
    changed.load_state_dict(plain.state_dict())
    images = tg.rand(2, 3, 16, 16)  # the same pixels under both normalisations
    mean = tg.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    deviation = tg.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    a = plain.eval()((images - 0.5) / 0.5)
    b = changed.eval()((images - mean) / deviation)
    assert tg.allclose(a, b, rtol=1e-4, atol=1e-5)


def test_zero_init_residual_begins_with_blocks_that_pass_their_input_on():
    for block in (models.BasicBlock, models.Bottleneck):
        model = models.ResNet(block, (1, 1, 1, 2), zero_init_residual=True, small=True)
        last = model.layer4[1].eval()
        x = tg.rand(1, 512 * block.expansion, 2, 2)
        assert tg.equal(last(x), x)


# --- one step beside PyTorch -------------------------------------------------------------


def under_torch(name):
    """The source of a file of models, run with PyTorch in the place of tensorgrad."""
    pytest.importorskip("torch")
    text = (ROOT / "nn" / "models" / f"{name}.py").read_text()
    for ours, theirs in (
        ("import tensorgrad as tg", "import torch as tg"),
        ("from tensorgrad import nn", "from torch import nn"),
        ("from tensorgrad.nn import functional", "from torch.nn import functional"),
    ):
        text = text.replace(ours, theirs)
    mirror = types.ModuleType(f"mirror_{name}")
    exec(compile(text, name, "exec"), vars(mirror))
    return mirror


STEPS = {
    "lenet": ("lenet", lambda m: m.LeNet5(), (4, 1, 28, 28)),
    "lenet modern": ("lenet", lambda m: m.LeNet5(modern=True), (4, 1, 28, 28)),
    "alexnet": ("alexnet", lambda m: m.AlexNet(10, 0.0, small=True), (2, 3, 32, 32)),
    "vgg": ("vgg", lambda m: m.vgg(11, num_classes=10, dropout=0.0, small=True), (2, 3, 28, 28)),
    "vgg_bn": (
        "vgg", lambda m: m.vgg(11, True, num_classes=10, dropout=0.0, small=True), (4, 3, 32, 32)
    ),
    "googlenet": (
        "googlenet",
        lambda m: m.GoogLeNet(10, dropout=0.0, dropout_aux=0.0, small=True), (3, 3, 16, 16),
    ),
    "resnet": ("resnet", lambda m: m.ResNet(m.BasicBlock, (1, 1, 1, 1), 10), (3, 3, 65, 64)),
    "resnet deep": (
        "resnet", lambda m: m.ResNet(m.Bottleneck, (1, 1, 1, 1), 10, small=True), (3, 3, 16, 16)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_initial_values_and_one_step_of_training_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    file, make, shape = STEPS[name]
    models_ = importlib.import_module(f"tensorgrad.nn.models.{file}"), under_torch(file)
    made = []
    for lib, source in zip((tg, torch), models_, strict=True):
        lib.manual_seed(0)
        made.append(make(source))
    ours, theirs = made
    for (key, a), (other, b) in zip(
        ours.state_dict().items(), theirs.state_dict().items(), strict=True
    ):
        assert key == other
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-6, atol=1e-7, err_msg=key)
    ours.load_state_dict({k: tg.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    loss, after = zip(*(step(lib, m, shape) for lib, m in zip((tg, torch), made, strict=True)),
                      strict=True)  # fmt: skip
    assert loss[0] == pytest.approx(loss[1], rel=1e-10)
    for key in after[1]:
        a, b = after[0][key].numpy(), after[1][key].numpy()
        # Sums in another order; batch norm of a few values magnifies them.
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9, err_msg=key)


def step(lib, model, shape):
    """The loss of a batch, and the state after one step of SGD, in float64."""
    model.double()
    x = lib.tensor(np.random.default_rng(0).standard_normal(shape))
    y = lib.tensor(np.arange(shape[0]) % 10)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.01)
    out = model(x)
    heads = out if isinstance(out, tuple) else (out,)
    loss = sum(
        w * lib.nn.functional.cross_entropy(o, y)
        for w, o in zip((1.0, 0.3, 0.3), heads, strict=False)
    )
    loss.backward()
    optimizer.step()
    return loss.item(), model.state_dict()


# --- written out by hand in PyTorch's functions --------------------------------------------


def lenet_by_hand(f, w, x):
    h = f.max_pool2d(f.relu(f.conv2d(x, w["features.0.weight"], w["features.0.bias"], 1, 2)), 2)
    h = f.max_pool2d(f.relu(f.conv2d(h, w["features.3.weight"], w["features.3.bias"])), 2)
    h = f.relu(f.conv2d(h, w["features.6.weight"], w["features.6.bias"])).flatten(1)
    h = f.relu(f.linear(h, w["classifier.0.weight"], w["classifier.0.bias"]))
    return f.linear(h, w["classifier.3.weight"], w["classifier.3.bias"])


def normed(f, w, name, x, eps=1e-5):
    return f.batch_norm(x, None, None, w[f"{name}.weight"], w[f"{name}.bias"], True, 0.1, eps)


def basic_by_hand(f, w, x):
    h = f.relu(normed(f, w, "bn1", f.conv2d(x, w["conv1.weight"], None, 2, 1)))
    h = normed(f, w, "bn2", f.conv2d(h, w["conv2.weight"], None, 1, 1))
    return f.relu(h + normed(f, w, "downsample.1", f.conv2d(x, w["downsample.0.weight"], None, 2)))


def bottleneck_by_hand(f, w, x):
    h = f.relu(normed(f, w, "bn1", f.conv2d(x, w["conv1.weight"])))
    h = f.relu(normed(f, w, "bn2", f.conv2d(h, w["conv2.weight"], None, 1, 1)))
    return f.relu(normed(f, w, "bn3", f.conv2d(h, w["conv3.weight"])) + x)


def inception_by_hand(f, w, x):
    def basic(name, x, pad=0):
        h = f.conv2d(x, w[f"{name}.conv.weight"], None, 1, pad)
        return f.relu(normed(f, w, f"{name}.bn", h, 1e-3))

    a = basic("branch1", x)
    b = basic("branch2.1", basic("branch2.0", x), 1)
    c = basic("branch3.1", basic("branch3.0", x), 1)
    d = basic("branch4.1", f.max_pool2d(x, 3, 1, 1))
    return importlib.import_module("torch").cat((a, b, c, d), 1)


def vgg_by_hand(f, w, x):
    for at, pooled in ((0, 1), (3, 1), (6, 0), (8, 1), (11, 0), (13, 1), (16, 0), (18, 1)):
        x = f.relu(f.conv2d(x, w[f"features.{at}.weight"], w[f"features.{at}.bias"], 1, 1))
        x = f.max_pool2d(x, 2) if pooled else x
    x = x.flatten(1)
    for at in (0, 3, 6):
        x = f.linear(x, w[f"classifier.{at}.weight"], w[f"classifier.{at}.bias"])
        x = x if at == 6 else f.relu(x)
    return x


def downsampled():
    down = nn.Sequential(nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6))
    return models.BasicBlock(4, 6, 2, down)


BY_HAND = {
    "lenet": (lambda: models.lenet5(modern=True), lenet_by_hand, (2, 1, 28, 28)),
    "basic block": (downsampled, basic_by_hand, (3, 4, 7, 6)),
    "bottleneck": (lambda: models.Bottleneck(8, 2), bottleneck_by_hand, (3, 8, 5, 5)),
    "inception": (lambda: models.Inception(6, 2, 3, 4, 2, 3, 5), inception_by_hand, (3, 6, 5, 4)),
    "vgg": (lambda: models.vgg11(num_classes=5, dropout=0.0, small=True), vgg_by_hand,
            (2, 3, 32, 32)),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_outputs_and_gradients_are_those_of_the_network_written_out_under_pytorch(name):
    torch = pytest.importorskip("torch")
    make, by_hand, shape = BY_HAND[name]
    model = make().double()
    theirs = {
        k: torch.tensor(v.numpy(), requires_grad=v.dtype == tg.float64)
        for k, v in model.state_dict().items()
    }
    x = np.random.default_rng(0).standard_normal(shape)
    a = model(tg.tensor(x))
    b = by_hand(torch.nn.functional, theirs, torch.tensor(x))
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-11)
    (a**2).sum().backward()
    (b**2).sum().backward()
    for key, parameter in model.named_parameters():
        expected = theirs[key].grad.numpy()
        scale = abs(expected).max()
        np.testing.assert_allclose(
            parameter.grad.numpy(), expected, rtol=1e-8, atol=1e-11 * scale + 1e-13, err_msg=key
        )


def test_the_published_lenet_computes_what_the_paper_says():
    model = models.lenet5(input_size=32).double()
    w = {k: v.numpy() for k, v in model.state_dict().items()}
    x = np.random.default_rng(0).random((1, 1, 32, 32))
    table = [
        "X   XXX  XXXX XX", "XX   XXX  XXXX X", "XXX   XXX  X XXX",
        " XXX  XXXX  X XX", "  XXX  XXXX XX X", "   XXX  XXXX XXX",
    ]  # fmt: skip

    def squash(a):
        return 1.7159 * np.tanh(2 / 3 * a)

    def pooled(a, name):
        c, h, _ = a.shape
        sums = a.reshape(c, h // 2, 2, h // 2, 2).sum((2, 4))
        return squash(sums * w[f"{name}.weight"] + w[f"{name}.bias"])

    def correlated(a, window):
        views = np.lib.stride_tricks.sliding_window_view(a, (5, 5))
        return (views * window).sum((2, 3))

    c1 = np.stack([
        correlated(x[0, 0], k[0]) + b
        for k, b in zip(w["features.0.weight"], w["features.0.bias"], strict=True)
    ])  # fmt: skip
    s2 = pooled(squash(c1), "features.2")
    c3, at = [], 0
    for o in range(16):
        total = w["features.4.bias"][o]
        for i in range(6):
            if table[i][o] == "X":
                total = total + correlated(s2[i], w["features.4.weight"][at])
                at += 1
        c3.append(total)
    assert at == 60
    s4 = pooled(squash(np.stack(c3)), "features.6")
    c5 = squash((w["features.8.weight"] * s4).sum((1, 2, 3)) + w["features.8.bias"])
    f6 = squash(w["classifier.0.weight"] @ c5 + w["classifier.0.bias"])
    scores = -((f6 - w["classifier.3.codes"]) ** 2).sum(1)
    np.testing.assert_allclose(model(tg.tensor(x)).detach().numpy()[0], scores, rtol=1e-9)
    assert set(np.unique(w["classifier.3.codes"])) == {-1.0, 1.0}
    bound = 2.4 / 25
    assert 0.9 * bound < abs(w["features.0.weight"]).max() <= bound


# --- training on real images, files ---------------------------------------------------------


def digits_of(size, count, channels=1):
    x, y = digits(split="train")
    x = F.interpolate(x[:count], size=(size, size), mode="bilinear")
    return (x - 0.3).expand(-1, channels, -1, -1), y[:count]


def losses(model, batches, optimizer):
    seen = []
    for x, y in batches:
        out = model(x)
        optimizer.zero_grad()
        heads = out if isinstance(out, tuple) else (out,)
        loss = sum(F.cross_entropy(o, y) for o in heads)
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    return seen


# Size and number of the images, steps, rate.
TRAINED = {
    "lenet": (28, 64, 32, 2e-3, {}), "lenet modern": (28, 64, 12, 3e-3, {}),
    "alexnet": (16, 8, 8, 3e-4, {"dropout": 0.0}),
    "vgg_bn": (16, 8, 5, 1e-3, {"dropout": 0.0}),
    "googlenet": (16, 8, 4, 1e-3, {"dropout": 0.0, "dropout_aux": 0.0}),
    "resnet": (16, 8, 4, 1e-3, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAINED)
def test_loss_falls_on_digits(name):
    size, batch, steps, lr, kwargs = TRAINED[name]
    tg.manual_seed(0)
    model = SMALL[name](num_classes=10, in_channels=1, **kwargs)
    optimizer = optim.Adam(model.parameters(), lr=lr)
    seen = losses(model, [digits_of(size, batch)] * steps, optimizer)
    assert seen[-1] < 0.8 * seen[0], seen


def real(name):
    for folder in DATA:
        if (folder / name).exists():
            return np.load(folder / name, allow_pickle=False)
    pytest.skip(f"{name} is not here")


@pytest.mark.parametrize("modern, lr", [(False, 0.002), (True, 0.006)])
def test_lenet_learns_mnist(modern, lr):
    """Most of the digits that it has not seen are read after 96 small batches."""
    arrays = real("mnist.npz")
    tg.manual_seed(0)
    model = models.lenet5(modern=modern)
    x = tg.tensor(arrays["x_train"][:2048].astype(np.float32) / 255 - 0.13)[:, None]
    y = tg.tensor(arrays["y_train"][:2048].astype(np.int64))
    batches = list(zip(x[:1536].split(32), y[:1536].split(32), strict=True))
    losses(model, batches * 2, optim.Adam(model.parameters(), lr=lr))
    with tg.no_grad():
        right = (model.eval()(x[1536:]).argmax(1) == y[1536:]).float().mean().item()
    assert right > 0.7, right


def test_resnet_learns_colour_photographs():
    arrays = real("cifar10_small.npz")
    tg.manual_seed(0)
    images = arrays["x_train"][:16].astype(np.float32) / 255
    if images.shape[-1] == 3:
        images = images.transpose(0, 3, 1, 2)
    x = tg.tensor(images[:, :, ::2, ::2] - 0.5)
    y = tg.tensor(arrays["y_train"][:16].astype(np.int64).reshape(-1))
    model = SMALL["resnet"](num_classes=10)
    seen = losses(model, [(x, y)] * 4, optim.Adam(model.parameters(), lr=1e-3))
    assert seen[-1] < 0.7 * seen[0], seen


def test_models_save_and_load(tmp_path):
    make = SMALL["googlenet"]
    a, b = make(num_classes=4), make(num_classes=4)
    x = tg.randn(2, 3, 16, 16)
    a(x)  # the running statistics move
    tg.save(a.state_dict(), tmp_path / "model.safetensors")
    b.load_state_dict(tg.load(tmp_path / "model.safetensors"))
    assert tg.equal(a.eval()(x), b.eval()(x))
    assert tg.equal(a.conv1.bn.running_mean, b.conv1.bn.running_mean)


# --- bad arguments ---------------------------------------------------------------------------


@pytest.mark.parametrize("call, message", [
    (lambda: models.resnet(20), "resnet: depth should be one of 18, 34, 50, 101, 152, got 20"),
    (lambda: models.vgg(12), "VGG: depth should be one of 11, 13, 16, 19, got 12"),
    (lambda: models.lenet5(input_size=30), "input_size should be one of 28, 32, got 30"),
    (lambda: models.ResNet(models.BasicBlock, (1, 1)), "four stages, got"),
    (lambda: models.googlenet(transform_input=True, in_channels=1), "3 channels, got in_channels"),
    (lambda: models.lenet5()(tg.zeros(1, 1, 32, 32)), "28 x 28 pixels, got 32 x 32"),
])  # fmt: skip
def test_arguments_that_are_not_known_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


LEAST = {"alexnet": 15, "vgg": 1, "googlenet": 4, "resnet": 1, "lenet": 28}


@pytest.mark.parametrize("name", LEAST)
def test_the_least_image_runs_and_a_smaller_one_is_refused_by_name(name):
    model, least = SMALL[name](num_classes=2, in_channels=1).eval(), LEAST[name]
    with tg.no_grad():
        assert model(tg.zeros(1, 1, least, least)).shape == (1, 2)
    size = least - 1
    with pytest.raises(RuntimeError, match=f"at least {least} x {least} pixels, got {size} x"):
        model(tg.zeros(1, 1, size, least))
    with pytest.raises(RuntimeError, match=r"takes images \(batch, 1, height, width\)"):
        model(tg.zeros(1, 3, 32, 32))
    with pytest.raises(RuntimeError, match="add a batch dimension"):
        model(tg.zeros(1, 28, 28))


@pytest.mark.parametrize("name, least", [("alexnet", 63), ("vgg11", 32), ("googlenet", 15)])
def test_networks_for_large_images_refuse_small_ones(name, least, undrawn):
    model = build(name)
    with pytest.raises(RuntimeError, match=f"at least {least} x {least} pixels, got 28 x 14"):
        model(tg.zeros(1, 3, 28, 14))


# --- the table of layers -----------------------------------------------------------------------


def table(model, *args, **kwargs):
    return {r.name: r for r in models.summary(model, *args, **kwargs).rows}


def test_multiply_adds_of_the_networks_are_those_that_are_published(undrawn):
    """Those that torchvision's pages state, in units of 1e9, for an image of 224 x 224."""
    for name, published in (("resnet18", 1.814), ("googlenet", 1.498)):
        with np.errstate(all="ignore"):  # the parameters hold whatever the memory held
            s = models.summary(build(name), (1, 3, 224, 224))
        assert round(s.multiply_adds / 1e9, 3) == published
        assert s.parameters == s.trainable == COUNTS[name]


@pytest.mark.parametrize("layer, size, work", [
    (nn.Conv2d(4, 6, 3, padding=1), (2, 4, 5, 5), 2 * 25 * 6 * 36),
    (nn.Conv2d(4, 6, 3, stride=2, groups=2), (1, 4, 7, 7), 9 * 6 * 18),
    (nn.Conv1d(2, 3, 3), (2, 8), 6 * 3 * 6),
    (nn.ConvTranspose2d(4, 6, 3, stride=2), (1, 4, 5, 5), 25 * 4 * 6 * 9),
    (nn.Linear(3, 5), (2, 7, 3), 14 * 15),
    (nn.Bilinear(2, 3, 4), [(5, 2), (5, 3)], 5 * 24),
    (nn.LSTM(4, 8), (5, 2, 4), 10 * 4 * (32 + 64)),
    (nn.GRUCell(4, 8), (2, 4), 2 * 3 * (32 + 64)),
    (nn.MultiheadAttention(8, 2, batch_first=True), [(2, 5, 8), (2, 3, 8), (2, 3, 8)],
     (10 * 2 + 6 * 2) * 64 + 2 * 10 * 3 * 8),
    (nn.BatchNorm2d(3), (2, 3, 4, 4), 0),
    (models.lenet.TableConv2d(["01", "1"], 2, 3), (2, 2, 5, 5), 2 * 9 * 3 * 9),
])  # fmt: skip
def test_multiply_adds_of_layers(layer, size, work):
    assert models.summary(layer, size).multiply_adds == work


def test_rows_of_a_tree():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.ReLU(inplace=True), nn.Sequential(shared, nn.Flatten()))
    rows = table(model, (2, 4))
    assert list(rows) == ["", "0", "1", "2", "2.1"]
    assert rows["0"].parameters == 20
    assert rows["0"].multiply_adds == 2 * 2 * 16  # two calls
    assert rows["0"].activations == 2 * 32
    assert rows["1"].activations == rows["2.1"].activations == 0  # written over, and a view
    assert (rows["2.1"].kind, rows["2.1"].depth, rows["2.1"].output_shape) == ("Flatten", 2, (2, 4))
    assert models.summary(model, (2, 4)).parameters == 20
    flat = table(model, (2, 4), depth=1)
    assert list(flat) == ["", "0", "1", "2"]
    whole = models.summary(model, (2, 4), depth=0)
    assert (whole.rows[0].multiply_adds, whole.rows[0].parameters) == (64, 20)


def test_totals_and_text():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    model[0].weight.requires_grad_(False)
    s = models.summary(model, (1, 1, 4, 4))
    assert (s.parameters, s.trainable) == (24, 6)
    assert s.parameter_bytes == 24 * 4 + 4 * 4 + 8
    assert (s.activation_bytes, s.input_bytes) == (64, 64)
    assert "Conv2d       (1, 2, 2, 2)          20" in str(s)
    assert str(s) == repr(s)


def test_a_layer_that_is_not_called_and_results_that_are_no_tensors():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.idle, self.pair = nn.Linear(2, 2), Pair()

        def forward(self, x):
            self.pair(x)
            return "done"

    class Pair(nn.Module):
        def forward(self, x):
            return {"a": x + 1, "b": (x[0], 3)}

    rows = table(Odd(), (3, 2))
    assert rows["idle"].output_shape is None
    assert rows["pair"].output_shape == [(3, 2), (2,)]
    text = str(models.summary(Odd(), (3, 2)))
    assert "not called" in text
    assert "no tensor" in text
    assert "(3, 2), (2,)" in text


class Draws(nn.Module):
    """Everything that a forward pass can disturb."""

    def __init__(self, fail=False):
        super().__init__()
        self.norm, self.drop, self.fail = nn.BatchNorm1d(3), nn.Dropout(0.5), fail
        self.register_buffer("calls", tg.zeros(1))

    def forward(self, x):
        self.calls += 1
        x = self.drop(self.norm(x + tg.rand(3)))
        if self.fail:
            raise RuntimeError("inside")
        return x


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("fail", [False, True])
def test_the_module_is_left_as_it_was(mode, fail):
    model = Draws(fail)
    model.norm.eval()
    seen = []
    hook = lambda m, args, out: seen.append(m.training)  # noqa: E731
    handle = model.drop.register_forward_hook(hook)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    attributes = {n: set(vars(m)) for n, m in model.named_modules()}
    before = tg.get_rng_state()
    if fail:
        with pytest.raises(RuntimeError, match="inside"):
            models.summary(model, (4, 3), mode=mode)
    else:
        models.summary(model, (4, 3), mode=mode)
    assert seen == [mode == "train"]
    assert [m.training for m in model.modules()] == [True, False, True]
    assert all(tg.equal(state[k], v) for k, v in model.state_dict().items())
    assert {n: set(vars(m)) for n, m in model.named_modules()} == attributes
    assert tg.equal(tg.get_rng_state(), before)
    assert list(model.drop._forward_hooks.values()) == [hook]
    handle.remove()


def test_training_mode_shows_the_heads():
    model = models.googlenet(num_classes=3, small=True, init_weights=False)
    assert table(model, (2, 3, 16, 16))["aux1"].output_shape is None
    assert table(model, (2, 3, 16, 16), mode="train")["aux1"].output_shape == (2, 3)


def test_data_several_inputs_dtypes_and_lazy_layers():
    words = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2))
    assert table(words, input_data=tg.tensor([[1, 2, 3, 4]]))["1"].output_shape == (1, 4, 2)
    assert table(nn.Linear(2, 1).double(), (1, 2))[""].activations == 8
    assert models.summary(nn.ReLU(), (2, 2), dtype=tg.float64).input_bytes == 32
    lazy = nn.Sequential(nn.LazyLinear(4))
    assert models.summary(lazy, (2, 3)).parameters == 16


@pytest.mark.parametrize("call, error, message", [
    (lambda m: models.summary(m), ValueError, "give one of input_size and input_data"),
    (lambda m: models.summary(m, (1, 2), input_data=tg.zeros(1, 2)), ValueError, "give one of"),
    (lambda m: models.summary(m, (1, 2), mode="test"), ValueError, 'should be "eval" or "train"'),
    (lambda m: models.summary(m, (1, 2), depth=-1), ValueError, "depth should be at least 0"),
    (lambda m: models.summary(len, (1, 2)), TypeError, "expected a Module, got builtin_function"),
])  # fmt: skip
def test_bad_arguments_of_the_table(call, error, message):
    with pytest.raises(error, match=message):
        call(nn.Linear(2, 2))


def test_models_are_imported_when_first_touched():
    import subprocess
    import sys

    code = (
        "import sys, tensorgrad; tensorgrad.nn\n"
        "assert 'tensorgrad.nn.models' not in sys.modules\n"
        "tensorgrad.nn.models.lenet5\n"
        "try: tensorgrad.nn.nothing\n"
        "except AttributeError as e: assert 'nothing' in str(e)\n"
        "else: raise SystemExit('no error')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- docs/models.md ----------------------------------------------------------------------------


def test_the_page_states_what_summary_counts():
    """Parameters of all, the other figures of those that run quickly."""
    page = (ROOT / "docs" / "models.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]]
            for line in page.splitlines() if line.startswith("| `")]  # fmt: skip
    stated = {r[0].strip("`"): [int(cell.replace(",", "")) for cell in r[2:4]] for r in rows}
    for name, number in COUNTS.items():
        assert stated[f"{name}()"][0] == number
    quick = {
        "lenet5()": (models.lenet5(), (1, 1, 28, 28)),
        "vgg11_bn(small=True, num_classes=10)": (
            models.vgg11_bn(small=True, num_classes=10, init_weights=False), (1, 3, 32, 32)
        ),
    }  # fmt: skip
    for name, (model, size) in quick.items():
        s = models.summary(model, size)
        assert stated[name] == [s.parameters, s.multiply_adds]
    assert str(models.summary(models.lenet5(modern=True), (1, 1, 28, 28))) in page
