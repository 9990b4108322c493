"""Adversarial training: networks, losses by hand, resumed runs, enlarged sets, the examples."""

import math

import numpy as np
import pytest
from scripts import example

import tensorgrad as torch
from tensorgrad import nn, optim
from tensorgrad.augment import GANAugment
from tensorgrad.autograd import gradcheck
from tensorgrad.nn import functional as F
from tensorgrad.nn.models import (
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
)
from tensorgrad.train import Callback, GANTrainer, SampleSheets, Trainer
from tensorgrad.utils.data import DataLoader, TensorDataset

pytestmark = pytest.mark.usefixtures("on_one_thread")


# --- networks ----------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("size, channels", [(8, 1), (28, 1), (32, 3)])
@pytest.mark.parametrize("norm", ["batch", "layer", None])
def test_image_networks(size, channels, classes, norm):
    generator = DCGANGenerator(5, channels, size, 4, classes)
    discriminator = DCGANDiscriminator(channels, size, 4, classes, norm)
    labels = [] if classes is None else [torch.tensor([0, 2])]
    images = generator(torch.randn(2, 5), *labels)
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    scores = discriminator(images, *labels)
    assert scores.shape == (2,)
    scores.sum().backward()
    for network in (generator, discriminator):
        assert all(p.grad is not None for p in network.parameters())


def test_the_maps_of_28_begin_at_7_and_those_of_32_at_4():
    for size, base, convolutions in ((28, 7, 2), (32, 4, 3)):
        generator = DCGANGenerator(5, image_size=size, width=2)
        assert generator.project[1].unflattened_size[1:] == (base, base)
        kinds = [type(m) for m in generator.modules()]
        assert kinds.count(nn.ConvTranspose2d) == convolutions


@pytest.mark.parametrize("classes", [None, 3])
def test_vector_networks(classes):
    generator = MLPGenerator(5, 2, (7, 6), classes, "sigmoid")
    labels = [] if classes is None else [torch.tensor([0, 2, 1])]
    made = generator(torch.randn(3, 5), *labels)
    assert made.shape == (3, 2) and 0 <= made.min() <= made.max() <= 1
    assert MLPDiscriminator(2, (7,), classes)(made, *labels).shape == (3,)


def test_the_class_decides_the_sample_and_the_score():
    generator, discriminator = MLPGenerator(4, 2, (8,), 3), MLPDiscriminator(2, (8,), 3)
    noise = torch.randn(1, 4).expand(3, 4)
    labels = torch.arange(3)
    made = generator(noise, labels).detach()
    scores = discriminator(made[:1].expand(3, 2), labels).detach()
    for values in (made[:, 0].numpy(), scores.numpy()):
        assert len(np.unique(values)) == 3
    # The projection: the score without the class, plus the features times the class's vector.
    features = discriminator.features(made)
    fit = (features * discriminator.classes.weight).sum(1) / math.sqrt(8)
    want = discriminator.score(features)[:, 0] + fit
    np.testing.assert_allclose(
        discriminator(made, labels).detach().numpy(), want.detach().numpy(), rtol=1e-6
    )


@pytest.mark.parametrize("call, error, words", [
    (lambda: MLPGenerator(0, 2), ValueError, "latent_size must be a whole number from 1, got 0"),
    (lambda: MLPGenerator(2, 2, ()), ValueError, "hidden should hold"),
    (lambda: MLPGenerator(2, 2, output="relu"), ValueError, "output should be one of"),
    (lambda: MLPDiscriminator(2, (4, 2.5)), ValueError, "hidden must be a whole number"),
    (lambda: DCGANGenerator(4, image_size=27), ValueError, "even and at least 6, got 27"),
    (lambda: DCGANDiscriminator(norm="group"), ValueError, "norm should be one of"),
    (lambda: MLPGenerator(4, 2)(torch.zeros(3, 5)), RuntimeError, r"noise \(batch, 4\)"),
    (lambda: MLPGenerator(4, 2)(torch.zeros(3, 4), torch.arange(3)), ValueError, "no classes"),
    (lambda: MLPGenerator(4, 2, num_classes=3)(torch.zeros(3, 4)), ValueError, "needs labels"),
    (lambda: MLPGenerator(4, 2, num_classes=3)(torch.zeros(2, 4), torch.tensor([0, 3])),
     ValueError, r"in 0\.\.2, got 0\.\.3"),
    (lambda: MLPGenerator(4, 2, num_classes=3)(torch.zeros(2, 4), torch.zeros(2)),
     ValueError, "whole numbers of shape"),
    (lambda: MLPDiscriminator(2)(torch.zeros(3, 4)), RuntimeError, r"vectors \(batch, 2\)"),
    (lambda: DCGANDiscriminator(width=4)(torch.zeros(1, 1, 32, 32)), RuntimeError, "28 x 28"),
    (lambda: DCGANDiscriminator(width=4)(torch.zeros(1, 3, 28, 28)), RuntimeError, "1, height"),
])  # fmt: skip
def test_networks_refuse(call, error, words):
    with pytest.raises(error, match=words):
        call()


# --- losses ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["minimax", "non_saturating"])
def test_label_smoothing_is_cross_entropy_with_softer_targets(kind):
    real, fake = torch.randn(5), torch.randn(4)
    got = F.discriminator_loss(real, fake, kind, label_smoothing=0.1)
    soft = F.binary_cross_entropy_with_logits(real, torch.full((5,), 0.9))
    want = soft + F.binary_cross_entropy_with_logits(fake, torch.zeros(4))
    assert got.item() == pytest.approx(want.item(), rel=1e-5)
    assert nn.DiscriminatorLoss(kind, label_smoothing=0.1)(real, fake).item() == got.item()


def test_label_smoothing_of_least_squares_and_of_none():
    real, fake = torch.tensor([0.9, 1.9]), torch.tensor([0.0])
    got = F.discriminator_loss(real, fake, "least_squares", label_smoothing=0.1)
    assert got.item() == pytest.approx(0.25)  # (0 + 1) / 2 / 2
    for kind, amount, words in (("wasserstein", 0.1, "no targets"), ("minimax", 1.0, r"\[0, 1\)")):
        with pytest.raises(ValueError, match=words):
            F.discriminator_loss(real, fake, kind, label_smoothing=amount)


@pytest.mark.parametrize("make", [
    lambda: MLPDiscriminator(2, (3,), 2),
    lambda: DCGANDiscriminator(1, 6, 2, 2, norm="layer"),
], ids=["vectors", "images"])  # fmt: skip
def test_second_derivative_of_the_penalty(make):
    """Of the parameters, through the slope in x: smooth nets only, so tanh for leaky ReLU."""
    critic = make().double()
    for module in critic.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.LeakyReLU):
                setattr(module, name, nn.Tanh())
    shape = (3, 2) if isinstance(critic, MLPDiscriminator) else (3, 1, 6, 6)
    generator = torch.Generator().manual_seed(3)
    real, fake = (torch.randn(shape, dtype=torch.float64, generator=generator) for _ in "ab")
    labels = torch.tensor([0, 1, 0])
    names = [name for name, _ in critic.named_parameters()]
    values = [(3 * p if p.ndim > 1 else p).detach().clone().requires_grad_()
              for p in critic.parameters()]  # fmt: skip

    def penalty(*parameters):
        given = dict(zip(names, parameters, strict=True))
        judge = lambda x: torch.func.functional_call(critic, given, (x, labels))  # noqa: E731
        same = torch.Generator().manual_seed(5)
        return F.gradient_penalty(judge, real, fake, generator=same)

    assert gradcheck(penalty, values)
    slopes = torch.autograd.grad(penalty(*values), values, allow_unused=True)
    assert max(s.abs().max().item() for s in slopes if s is not None) > 1e-3


# --- a step, by hand ---------------------------------------------------------------------

LABELS = torch.arange(24) % 3


def ring_of(count=24, seed=1):
    angles = torch.arange(count) * (2 * math.pi / count)
    return torch.stack([angles.cos(), angles.sin()], 1)


def networks(classes=None, seed=0):
    torch.manual_seed(seed)
    return MLPGenerator(3, 2, (8,), classes), MLPDiscriminator(2, (8,), classes)


def make(kind="non_saturating", classes=None, seed=0, steps=1, lr=0.05, **options):
    pair = networks(classes, seed)
    adams = [optim.Adam(network.parameters(), lr=lr) for network in pair]
    return GANTrainer(*pair, *adams, kind, discriminator_steps=steps, **options)


def values(*modules):
    return [p.detach().clone().numpy() for module in modules for p in module.parameters()]


@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("kind, penalty, smoothing", [
    ("minimax", None, 0.0), ("non_saturating", None, 0.1), ("least_squares", None, 0.2),
    ("wasserstein", None, 0.0), ("least_squares", 2.0, 0.0), ("wasserstein", 0.0, 0.0),
])  # fmt: skip
def test_steps_are_those_of_a_loop_by_hand(kind, penalty, smoothing, classes):
    """Two steps of the discriminator and one of the generator, twice: every number the same."""
    data = (ring_of(), LABELS) if classes else ring_of()
    trainer = make(kind, classes, steps=2, penalty=penalty, label_smoothing=smoothing)
    torch.manual_seed(7)
    trainer.fit(data, 2, batch_size=12, shuffle=False, progress=False)

    maker, judge = networks(classes)
    makers, judges = (optim.Adam(n.parameters(), lr=0.05) for n in (maker, judge))
    torch.manual_seed(7)
    weight = 10.0 if kind == "wasserstein" and penalty is None else penalty or 0.0
    judged, made = [], []
    for step in range(4):
        rows = slice(12 * (step % 2), 12 * (step % 2) + 12)
        real, labels = ring_of()[rows], [LABELS[rows]] if classes else []
        fake = maker(torch.randn(12, 3), *labels).detach()
        a, b = judge(real, *labels), judge(fake, *labels)
        if kind == "wasserstein":
            loss = b.mean() - a.mean()
        elif kind == "least_squares":
            loss = ((a - 1 + smoothing) ** 2).mean() / 2 + (b**2).mean() / 2
        else:
            goal = torch.full((12,), 1 - smoothing)
            loss = F.binary_cross_entropy_with_logits(a, goal)
            loss = loss + F.binary_cross_entropy_with_logits(b, torch.zeros(12))
        if weight:
            share = torch.rand(12, 1)
            points = (share * real + (1 - share) * fake).requires_grad_()
            score = judge(points, *labels).sum()
            (slope,) = torch.autograd.grad(score, points, create_graph=True)
            loss = loss + weight * ((slope.norm(dim=1) - 1) ** 2).mean()
        judges.zero_grad()
        loss.backward()
        judges.step()
        judged.append(loss.item())
        if step % 2:
            scores = judge(maker(torch.randn(12, 3), *labels), *labels)
            loss = {
                "minimax": lambda s: torch.log(1 - s.sigmoid()).mean(),
                "non_saturating": lambda s: -torch.log(s.sigmoid()).mean(),
                "least_squares": lambda s: ((s - 1) ** 2).mean() / 2,
                "wasserstein": lambda s: -s.mean(),
            }[kind](scores)
            makers.zero_grad()
            loss.backward()
            makers.step()
            made.append(loss.item())
    np.testing.assert_allclose(trainer.history.losses, judged, rtol=1e-4)
    np.testing.assert_allclose(trainer.generator_losses, made, rtol=1e-4)
    pairs = zip(values(trainer.generator, trainer.discriminator), values(maker, judge), strict=True)
    for got, want in pairs:
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=2e-5)


def test_history_has_both_losses():
    trainer = make(steps=5)
    history = trainer.fit(ring_of(), 3, batch_size=8, progress=False)  # 9 steps, one of the other
    assert len(history.losses) == 9 and len(trainer.generator_losses) == 1
    for epoch in range(3):
        mean = np.mean(history.losses[3 * epoch : 3 * epoch + 3])
        assert history["train_loss"][epoch] == pytest.approx(mean)
    second = history["train_generator_loss"]
    assert second[1] == trainer.generator_losses[0]
    assert math.isnan(second[0]) and math.isnan(second[2])
    assert len(make().fit(ring_of(), 1, progress=False).plot().axes) == 2


def test_a_schedule_waits_for_the_first_step_of_the_generator():
    pair = networks()
    adams = [optim.Adam(network.parameters(), lr=0.1) for network in pair]
    plan = optim.lr_scheduler.StepLR(adams[0], 1, 0.5)
    trainer = GANTrainer(*pair, *adams, discriminator_steps=2, generator_scheduler=plan)
    for rate in (0.1, 0.05):
        trainer.fit(ring_of(), 1, progress=False)
        assert adams[0].param_groups[0]["lr"] == rate


def test_schedules_are_stepped_each_epoch():
    pair = networks()
    adams = [optim.Adam(network.parameters(), lr=0.1) for network in pair]
    plans = [optim.lr_scheduler.StepLR(adam, 1, gamma) for adam, gamma in
             zip(adams, (0.5, 0.1), strict=True)]  # fmt: skip
    trainer = GANTrainer(*pair, *adams, generator_scheduler=plans[0],
                         discriminator_scheduler=plans[1])  # fmt: skip
    trainer.fit(ring_of(), 2, progress=False)
    rates = [adam.param_groups[0]["lr"] for adam in adams]
    assert rates == pytest.approx([0.025, 0.001])


# --- average, samples --------------------------------------------------------------------


class Watch(Callback):
    """Keeps the generator's parameters after each step."""

    def __init__(self):
        self.seen = []

    def on_batch_end(self, trainer):
        self.seen.append(values(trainer.model.generator))


def test_the_average_is_an_exponential_one_and_makes_the_samples():
    watch = Watch()
    trainer = make(ema_decay=0.8, callbacks=watch)
    trainer.fit(ring_of(), 2, batch_size=8, progress=False)
    assert len(watch.seen) == 6
    want = watch.seen[0]
    for now in watch.seen[1:]:
        want = [0.8 * a + 0.2 * b for a, b in zip(want, now, strict=True)]
    for got, expected in zip(values(trainer.averaged), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
    noise = torch.randn(4, 3, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        made = [trainer.averaged(noise), trainer.generator(noise)]
    assert torch.equal(trainer.sample(4, seed=2), made[0])
    assert torch.equal(trainer.sample(4, seed=2, average=False), made[1])
    assert not torch.equal(*made)
    assert make().averaged is None


def test_same_seed_same_samples():
    trainers = [make(classes=3, seed=4) for _ in range(2)]
    for trainer in trainers:
        torch.manual_seed(4)
        trainer.fit((ring_of(), LABELS), 2, batch_size=8, progress=False)
    first, second = (trainer.sample(7, seed=3) for trainer in trainers)
    assert torch.equal(first, second)
    labels = np.arange(7) % 3
    assert torch.equal(first, trainers[0].sample(labels=labels, seed=3))
    parts = trainers[0].sample(labels=labels, seed=3, batch_size=2)  # products of other shapes
    np.testing.assert_allclose(first.numpy(), parts.numpy(), rtol=1e-5, atol=1e-6)
    assert not torch.equal(first, trainers[0].sample(7, seed=5))
    torch.manual_seed(9)
    drawn = [trainers[0].sample(7) for _ in range(2)]
    assert not torch.equal(*drawn)
    torch.manual_seed(9)
    assert torch.equal(drawn[0], trainers[0].sample(7))


def test_samples_are_made_in_evaluation_mode_and_the_mode_is_put_back():
    generator = DCGANGenerator(3, image_size=8, width=4)
    discriminator = DCGANDiscriminator(image_size=8, width=4)
    adams = [optim.Adam(network.parameters()) for network in (generator, discriminator)]
    trainer = GANTrainer(generator, discriminator, *adams)
    trainer.fit(torch.rand(8, 1, 8, 8), 1, batch_size=4, progress=False)
    one = trainer.sample(3, seed=0)
    np.testing.assert_allclose(one[:1].numpy(), trainer.sample(1, seed=0).numpy(), atol=1e-6)
    assert generator.training and not one.requires_grad


# --- resumed runs ------------------------------------------------------------------------


class Interrupt(Callback):
    """Ends a fit after a step, as Ctrl-C does."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, trainer):
        if trainer.iteration == self.step:
            trainer.stop("for the test")


def whole(steps=2, **options):
    pair = networks(3)
    adams = [optim.Adam(network.parameters(), lr=0.05) for network in pair]
    plans = [optim.lr_scheduler.ExponentialLR(adam, 0.7) for adam in adams]
    return GANTrainer(*pair, *adams, "wasserstein", discriminator_steps=steps, ema_decay=0.9,
                      generator_scheduler=plans[0], discriminator_scheduler=plans[1],
                      **options)  # fmt: skip


def state(trainer):
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in trainer.history.epochs]
    arrays = values(trainer.generator, trainer.discriminator, trainer.averaged)
    return repr(rows), trainer.history.losses, trainer.generator_losses, [a.tobytes() for a in
                                                                        arrays]  # fmt: skip


@pytest.mark.parametrize("loader", [False, True], ids=["arrays", "loader"])
@pytest.mark.parametrize("step", [3, 5, 6])
def test_a_resumed_run_is_bit_for_bit_the_same(tmp_path, step, loader):
    """Stopped between the generator's steps, in the midst of an epoch, and at its end."""

    def fit(trainer, **options):
        data = (ring_of(), LABELS)
        if loader:
            data = DataLoader(TensorDataset(*data), batch_size=8, shuffle=True)
        torch.manual_seed(6)
        trainer.fit(data, 4, batch_size=8, progress=False, **options)
        return state(trainer)

    want = fit(whole())
    broken = fit(whole(callbacks=Interrupt(step)), checkpoint_dir=tmp_path)
    assert len(broken[1]) == step
    trainer = whole()
    torch.manual_seed(99)  # what the checkpoint has must count
    assert fit(trainer, checkpoint_dir=tmp_path, resume=True) == want
    with pytest.raises(ValueError, match="discriminator_steps=2, this fit has 1"):
        fit(whole(steps=1), checkpoint_dir=tmp_path, resume=True)


# --- sheets ------------------------------------------------------------------------------


def test_sheets_are_written_and_training_does_not_notice(tmp_path):
    runs = []
    for callbacks in ((), SampleSheets(tmp_path, every=2, n=6)):
        trainer = make(seed=3, callbacks=callbacks)
        torch.manual_seed(3)
        trainer.fit(ring_of(), 4, batch_size=8, progress=False)
        runs.append(values(trainer.generator, trainer.discriminator))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["epoch_0002.png", "epoch_0004.png"]
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))


def test_the_grid_of_a_sheet():
    from tensorgrad.train.plotting import sheet

    images = torch.arange(3.0)[:, None, None, None].expand(3, 1, 2, 2)
    (axes,) = sheet(images, columns=2).axes
    o, h = 0.0, 0.5
    want = [[o, o, 1, h, h], [o, o, 1, h, h], [1] * 5, [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]]
    np.testing.assert_array_equal(axes.images[0].get_array(), want)
    assert sheet(torch.rand(2, 3, 4, 4)).axes[0].images[0].get_array().shape == (4, 9, 3)
    assert sheet(torch.zeros(2, 1, 2, 2)).axes[0].images[0].get_array().max() == 1
    with pytest.raises(ValueError, match="images"):
        sheet(torch.rand(2, 5))


# --- refusals ----------------------------------------------------------------------------


def pair_and_adams(**options):
    pair = networks(**options)
    return [*pair, *(optim.Adam(network.parameters()) for network in pair)]


def with_other(position, part):
    parts = pair_and_adams()
    parts[position] = part(parts) if callable(part) else part
    return GANTrainer(*parts)


@pytest.mark.parametrize("call, error, words", [
    (lambda: with_other(0, lambda p: "net"), TypeError, "generator must be a Module, got str"),
    (lambda: with_other(0, lambda p: nn.Linear(3, 2)), TypeError, "attribute latent_size"),
    (lambda: with_other(1, lambda p: networks(3)[1]), ValueError, "the discriminator 3"),
    (lambda: with_other(2, lambda p: p[3]), ValueError, "not of the generator"),
    (lambda: with_other(3, lambda p: p[2]), ValueError, "not of the discriminator"),
    (lambda: with_other(3, lambda p: None), TypeError, "must be an Optimizer"),
    (lambda: with_other(2, lambda p: optim.LBFGS(p[0].parameters())), ValueError, "LBFGS"),
    (lambda: make("hinge"), ValueError, "one of minimax, .*, got 'hinge'"),
    (lambda: make(steps=0), ValueError, "discriminator_steps must be"),
    (lambda: make(penalty=-1.0), ValueError, "penalty must be at least 0"),
    (lambda: make(penalty=math.nan), ValueError, "penalty must be at least 0"),
    (lambda: make(label_smoothing=1.0), ValueError, "label_smoothing"),
    (lambda: make("wasserstein", label_smoothing=0.1), ValueError, "no labels to smooth"),
    (lambda: make(ema_decay=1.5), ValueError, "decay"),
    (lambda: make(callbacks=[Callback]), TypeError, "make an instance"),
    (lambda: make(generator_scheduler=3), TypeError, "must be an LRScheduler"),
    (lambda: make().fit(torch.ones(4, 2).long()), TypeError, "floating-point"),
    (lambda: make().fit([]), ValueError, "no batch"),
    (lambda: make().fit("data"), TypeError, "train must be"),
    (lambda: make().fit(torch.ones(4, 3)), ValueError, r"makes samples of shape \(2,\), .*\(3,\)"),
    (lambda: make(classes=3).fit(torch.ones(4, 2)), TypeError, r"pair \(samples, labels\)"),
    (lambda: make(classes=3).fit((torch.ones(4, 2), torch.arange(4))), ValueError, r"0\.\.2"),
    (lambda: make().fit(torch.ones(4, 2), resume=True), ValueError, "checkpoint_dir"),
    (lambda: make().sample(), ValueError, "either n"),
    (lambda: make().sample(3, labels=[0]), ValueError, "either n"),
    (lambda: make().sample(0), ValueError, "from 1, got 0"),
    (lambda: make().sample(labels=[0]), ValueError, "takes no labels"),
    (lambda: make(classes=3).sample(labels=[0.5]), ValueError, "whole numbers"),
    (lambda: make(classes=3).sample(labels=[3]), ValueError, r"0\.\.2, got 3\.\.3"),
    (lambda: make().sample(2, batch_size=0), ValueError,
     "sample: batch_size must be a whole number from 1, got 0"),
    (lambda: SampleSheets("x", n=0), ValueError, "SampleSheets: n must be a whole number from 1"),
    (lambda: SampleSheets("x", columns=2.5), ValueError, "columns must be .* got 2.5"),
])  # fmt: skip
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_sheets_refuse_what_cannot_be_drawn_before_training(tmp_path):
    generator, discriminator = MLPGenerator(2, 5, (4,)), MLPDiscriminator(5, (4,))
    adams = [optim.Adam(network.parameters()) for network in (generator, discriminator)]
    trainer = GANTrainer(generator, discriminator, *adams, callbacks=SampleSheets(tmp_path))
    with pytest.raises(ValueError, match=r"to be drawn, got \(1, 5\)"):
        trainer.fit(torch.zeros(4, 5), 1, progress=False)
    assert not trainer.history.losses
    model = nn.Linear(1, 1)
    plain = Trainer(model, nn.MSELoss(), optim.SGD(model.parameters()))
    with pytest.raises(TypeError, match="GANTrainer"):
        plain.fit((torch.ones(2, 1),) * 2, stop=SampleSheets(tmp_path), progress=False)


def test_several_processes_are_refused(monkeypatch):
    from tensorgrad import distributed

    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    with pytest.raises(RuntimeError, match="works in one process"):
        make().fit(ring_of(), 1, progress=False)


def test_a_loss_that_is_not_finite_stops_the_fit(tmp_path):
    trainer = make(callbacks=Spoil(2))
    with pytest.warns(RuntimeWarning, match="the generator's loss is nan at iteration 3"):
        history = trainer.fit(ring_of(), 2, batch_size=4, progress=False, checkpoint_dir=tmp_path)
    assert "the generator's loss is nan" in history.stopped
    assert not list(tmp_path.glob("checkpoint*"))


class Spoil(Callback):
    """Makes the generator's bias nan before a step of the generator."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, trainer):
        if trainer.iteration == self.step:
            judge = trainer.model.discriminator
            before = judge.forward
            calls = []

            def forward(x, labels=None):
                calls.append(1)
                return before(x, labels) * (math.nan if len(calls) == 3 else 1.0)

            judge.forward = forward


# --- the ring ----------------------------------------------------------------------------


def test_the_ring_is_covered_and_nothing_else_would_pass_for_it():
    ring = example("gan_ring")
    assert ring.covered(ring.ring(2000)) == 8
    assert ring.covered(ring.ring(2000)[:, :1] * torch.tensor([1.0, 0.0])) < 7
    torch.manual_seed(0)
    trainer = ring.trainer_of("wasserstein", 80)
    trainer.fit(ring.ring(4096), 80, batch_size=256, progress=False)
    points = trainer.sample(2000, seed=0)
    assert ring.covered(points) >= 7
    assert ring.shares(points).sum() > 0.25


# --- enlarged sets -----------------------------------------------------------------------


def three_classes(counts=(40, 30, 24), seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(["ant", "bee", "cat"], counts)
    middles = {"ant": (-3, 0), "bee": (3, 0), "cat": (0, 4)}
    X = np.array([middles[label] for label in labels]) + rng.normal(0, 0.3, (len(labels), 2))
    return X, labels


def quick(**options):
    return GANAugment(**{"random_state": 0, "epochs": 2, "width": 8, "latent_size": 4, **options})


def test_enlarging_nothing_gives_copies():
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.repeat([0, 1], 20)
    X_new, y_new = quick().fit_resample(X, y)
    np.testing.assert_array_equal(X_new, X)
    assert not np.shares_memory(X_new, X) and not np.shares_memory(y_new, y)


@pytest.mark.parametrize("conditional", [True, False])
def test_new_samples_lie_at_their_class(conditional):
    X, y = three_classes((60, 60, 60))
    gan = GANAugment(random_state=0, epochs=80, batch_size=20, lr=4e-3, width=32,
                     sampling_strategy=100, conditional=conditional)  # fmt: skip
    X_new, y_new = gan.fit_resample(X, y)
    assert np.array_equal(X_new[:180], X) and np.array_equal(y_new[:180], y)
    assert dict(zip(*np.unique(y_new, return_counts=True), strict=True)) == dict.fromkeys(
        ["ant", "bee", "cat"], 100
    )
    middles = {c: X[y == c].mean(0) for c in ("ant", "bee", "cat")}
    distances = [[np.linalg.norm(x - m) for m in middles.values()] for x in X_new[180:]]
    nearest = np.array(list(middles))[np.argmin(distances, 1)]
    assert (nearest == y_new[180:]).mean() > 0.9
    assert len(gan.trainers_) == (1 if conditional else 3)


@pytest.mark.parametrize("conditional", [True, False])
def test_same_random_state_same_set(conditional):
    X, y = three_classes()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, second = (quick(conditional=conditional).fit_resample(X, y)[0] for _ in range(2))
    assert np.array_equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    other = quick(conditional=conditional, random_state=1).fit_resample(X, y)[0]
    assert not np.array_equal(first, other)
    fitted = [quick(conditional=conditional).fit(X, y).sample(["bee", "ant"], 5) for _ in range(2)]
    assert np.array_equal(*fitted)
    assert len(np.unique(first[94:], axis=0)) == len(first) - 94


def test_strategies_types_and_ranges():
    X, y = three_classes()
    _, labels = quick().fit_resample(X, y)  # "auto": as many as the largest
    assert np.unique(labels, return_counts=True)[1].tolist() == [40, 40, 40]
    _, labels = quick(sampling_strategy={"cat": 50}).fit_resample(X, y)
    assert np.unique(labels, return_counts=True)[1].tolist() == [40, 30, 50]
    same = quick(sampling_strategy={"cat": 24}).fit_resample(X, y)
    assert np.array_equal(same[0], X)
    codes = torch.tensor(np.repeat([3, 5, 9], (40, 30, 24)))
    made, labels = quick().fit_resample(torch.tensor(X.astype(np.float32)), codes)
    assert made.dtype == torch.float32 and labels.tolist()[-16:] == [9] * 16
    images = torch.rand(94, 1, 8, 8) * 3 + 2
    gan = quick()
    made, _ = gan.fit_resample(images, codes)
    assert made.shape == (120, 1, 8, 8)
    assert images.min() <= made[94:].min() <= made[94:].max() <= images.max()
    assert gan.sample(codes[:2]).shape == (2, 1, 8, 8)
    whole, _ = quick().fit_resample((images[:, 0].numpy() * 50).astype(np.uint8), codes.numpy())
    assert whole.shape == (120, 8, 8) and whole.dtype == np.float64


def test_convolutions_and_own_networks():
    images, y = np.random.default_rng(0).random((60, 2, 16, 16)), np.repeat([0, 1], [40, 20])
    gan = quick(epochs=1, width=16)
    assert gan.fit_resample(images, y)[0].shape == (80, 2, 16, 16)
    assert isinstance(gan.trainers_[0].generator, DCGANGenerator)
    asked = []

    def own(shape, classes):
        asked.append((shape, classes))
        return MLPGenerator(4, 2, (8,), classes), MLPDiscriminator(2, (8,), classes)

    X, labels = three_classes()
    quick(networks=own).fit(X, labels)
    quick(networks=own, conditional=False).fit(X, labels)
    assert asked == [((2,), 3)] + [((2,), None)] * 3


@pytest.mark.parametrize("call, error, words", [
    (lambda: quick().fit_resample(*three_classes((40, 19, 3))), ValueError,
     r"class 'bee' has 19, class 'cat' has 3, and min_samples=20"),
    (lambda: quick().fit(torch.zeros(21, 2), torch.tensor([7] * 20 + [8])), ValueError,
     "class 8 has 1"),
    (lambda: quick(sampling_strategy=30).fit_resample(*three_classes()), ValueError,
     "below the 40 samples of class 'ant'"),
    (lambda: quick().fit(np.full((40, 2), np.nan), np.zeros(40, int)), ValueError, "finite"),
    (lambda: quick().fit(np.zeros((40, 2)), np.zeros(39, int)), ValueError, "39 labels"),
    (lambda: quick().sample([0]), RuntimeError, "not fitted"),
    (lambda: quick().fit(*three_classes()).sample(["dog"]), ValueError, "no class"),
    (lambda: quick().fit(*three_classes()).sample([]), ValueError, "N from 1"),
    (lambda: quick(networks="cnn").fit(*three_classes()), ValueError, "got 'cnn'"),
    (lambda: quick(networks="dcgan").fit(*three_classes()), ValueError, "square images"),
    (lambda: quick(loss="hinge").fit(*three_classes()), ValueError, "one of minimax"),
])  # fmt: skip
def test_augment_refuses(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_failed_fit_leaves_the_earlier_one():
    gan = quick().fit(*three_classes())
    before = gan.sample(["ant"], 0)
    with pytest.raises(ValueError, match="has 3"):
        gan.fit(*three_classes((40, 40, 3)))
    assert np.array_equal(gan.sample(["ant"], 0), before)
    assert gan.get_params()["width"] == 8


# --- the examples ------------------------------------------------------------------------


def test_the_ring_example_runs(tmp_path, capsys):
    ring = example("gan_ring")
    ring.main(["--quick", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    assert out.count("modes covered") == 4
    assert (tmp_path / "ring_wasserstein.png").stat().st_size > 5000
    with pytest.raises(SystemExit):
        ring.main(["--epochs", "3"])
    assert "--epochs must be at least 4, got 3" in capsys.readouterr().err


def test_the_digits_example_runs(tmp_path, capsys):
    digits = example("gan_digits")
    share, alone, both = digits.main(["--quick", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    assert f"{share:.1%} of 1000" in out
    assert f"{alone:.2%}" in out and f"{both:.2%}" in out
    assert "real digits alone     1000 digits" in out and "4000 digits" in out
    assert (tmp_path / "digits.png").stat().st_size > 10_000
    with pytest.raises(SystemExit, match="error: MNIST"):
        digits.main(["--data", str(tmp_path), "--quick", "--out", str(tmp_path)])
