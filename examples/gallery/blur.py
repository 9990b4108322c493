"""What a squared error makes of two right answers, and an absolute and an adversarial loss.

Where the same input has several right answers, a squared error is least at their mean, which may
be near none of them: that is why images predicted under it are blurred. The absolute error is
least at the median, which lies on the heavier of two answers; a generator trained against a
critic gives one answer at a time. Alone: ``python examples/gallery/blur.py``.
"""

import style

import tensorgrad as torch
from tensorgrad import nn, optim
from tensorgrad.nn import functional as F

MODES, SHARES, DEVIATION = (-2.0, 2.0), (0.35, 0.65), 0.4
PIXELS = 16

# --- data -------------------------------------------------------------------------------


def bimodal(count, seed=0):
    """Numbers (count, 1) around two modes, of which the second is the heavier."""
    generator = torch.Generator().manual_seed(seed)
    second = torch.rand(count, 1, generator=generator) < SHARES[1]
    centre = torch.where(second, MODES[1], MODES[0])
    return centre + DEVIATION * torch.randn(count, 1, generator=generator)


def bars(count, seed=0):
    """Images of one line (count, 16), black but for a white bar at the left or, rather, right."""
    generator = torch.Generator().manual_seed(seed)
    right = torch.rand(count, 1, generator=generator) < SHARES[1]
    place = torch.arange(PIXELS)
    bar = torch.where(right, (place >= 9) & (place < 14), (place >= 2) & (place < 7))
    return bar.float() + 0.03 * torch.randn(count, PIXELS, generator=generator)


# --- training ---------------------------------------------------------------------------


def constant(loss, data, steps=400):
    """The one answer (D,) to all of ``data`` (N, D) that Adam finds under a loss."""
    answer = torch.zeros(data.shape[1], requires_grad=True)
    optimizer = optim.Adam([answer], lr=0.05)
    decay = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(answer.expand_as(data), data).backward()
        optimizer.step()
        decay.step()
    return answer.detach()


def network(inputs, outputs, width):
    """A perceptron with two hidden layers."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2),
        nn.Linear(width, outputs),
    )  # fmt: skip


def adversarial(data, steps=1000, noise=8, width=32, batch=256, critic_steps=3, seed=0):
    """A generator (N, noise) -> (N, D) trained against a critic of ``data``: WGAN-GP."""
    torch.manual_seed(seed)
    maker, critic = network(noise, data.shape[1], width), network(data.shape[1], 1, width)
    makers = optim.Adam(maker.parameters(), lr=2e-3, betas=(0.5, 0.9))
    critics = optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.9))
    decays = [optim.lr_scheduler.CosineAnnealingLR(o, steps) for o in (makers, critics)]
    for _ in range(steps):
        for _ in range(critic_steps):
            real = data[torch.randint(len(data), (batch,))]
            fake = maker(torch.randn(batch, noise)).detach()
            loss = F.discriminator_loss(critic(real), critic(fake), "wasserstein")
            critics.zero_grad()
            (loss + F.gradient_penalty(critic, real, fake, weight=0.1)).backward()
            critics.step()
        makers.zero_grad()
        F.generator_loss(critic(maker(torch.randn(batch, noise))), "wasserstein").backward()
        makers.step()
        for decay in decays:
            decay.step()
    return maker


def samples(maker, count, noise=8, seed=1):
    """What a trained generator makes of new noise."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return maker(torch.randn(count, noise, generator=generator))


# --- numbers ----------------------------------------------------------------------------


def near(values):
    """The shares of numbers within 1 of the first mode and of the second."""
    return [((values - mode).abs() < 1).float().mean().item() for mode in MODES]


def grey(images):
    """The share of pixels that are neither black nor white."""
    return ((images > 0.25) & (images < 0.75)).float().mean().item()


def answers(data, steps):
    """What three losses make of ``data`` (N, D): two answers (D,), and 2000 made samples."""
    return {
        "squared": constant(F.mse_loss, data),
        "absolute": constant(F.l1_loss, data),
        "adversarial": samples(adversarial(data, steps), 2000),
    }


# --- pictures ---------------------------------------------------------------------------


def densities(ax, data, title):
    """The panel all three share: how the data are spread."""
    ax.hist(data[:, 0].numpy(), 50, range=(-5, 5), density=True, color=style.GREY, alpha=0.5,
            label="data")  # fmt: skip
    style.label(ax, title, "answer", "density", "upper left", xlim=(-5, 5), ylim=(0, 1.3))


def model(ax, answer, distribution, colour, name):
    """The answer, and the density whose likelihood the loss is."""
    x = torch.linspace(-5, 5, 201)
    ax.plot(x.numpy(), distribution(answer, 1.0).log_prob(x).exp().numpy(), color=colour,
            linestyle="-", label=name)  # fmt: skip
    ax.axvline(answer.item(), color=colour, linestyle="--", linewidth=1.5,
               label=f"the answer, {answer.item():.2f}")  # fmt: skip


def numbers_picture(quick):
    """Three losses on numbers around two modes."""
    data = bimodal(2000)
    found = answers(data, 100 if quick else 1500)
    fig, axes = style.figure(1, 3, width=4.0, height=3.4, sharey=True)
    squared, absolute, made = axes[0]
    distributions = torch.distributions
    model(squared, found["squared"], distributions.Normal, style.VERMILION, "Gaussian, deviation 1")
    model(absolute, found["absolute"], distributions.Laplace, style.BLUE, "Laplace, scale 1")
    made.hist(found["adversarial"][:, 0].numpy(), 50, range=(-5, 5), density=True, histtype="step",
              color=style.GREEN, linewidth=1.8, label="made samples")  # fmt: skip
    densities(squared, data, "squared error: the mean")
    densities(absolute, data, "absolute error: the median")
    densities(made, data, "adversarial: samples of both modes")
    fig.suptitle("Two right answers, -2 and 2: what each loss makes of them")
    return fig


def strips(ax, images, title):
    """Images of one line under each other."""
    ax.imshow(images.numpy(), cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    style.label(ax, f"{title}\n{grey(images):.0%} of its pixels grey", "pixel")
    ax.grid(False)
    ax.set_yticks([])


def images_picture(quick):
    """Three losses on images of one line with a bar at one of two places."""
    data = bars(2000)
    found = answers(data, 100 if quick else 800)
    fig, axes = style.figure(1, 4, width=2.8, height=3.4)
    rows = 16
    strips(axes[0, 0], data[:rows], "data")
    strips(axes[0, 1], found["squared"].expand(rows, PIXELS), "squared error")
    strips(axes[0, 2], found["absolute"].expand(rows, PIXELS), "absolute error")
    strips(axes[0, 3], found["adversarial"][:rows], "adversarial")
    axes[0, 0].set_ylabel(f"{rows} images, one in each row")
    fig.suptitle("Images of one line: a bar at the left (35 %) or at the right (65 %)")
    return fig


def figures(quick=False):
    """The pictures of this topic: (name, figure) pairs."""
    yield "blur_numbers", numbers_picture(quick)
    yield "blur_images", images_picture(quick)


if __name__ == "__main__":
    style.draw(figures)
