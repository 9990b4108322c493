"""Adversarial training: a generator against a discriminator, in the Trainer's own loop."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from .. import arange, cat, randn
from .._graph import Tensor
from ..autograd import no_grad
from ..creation import as_tensor
from ..nn import Module
from ..nn import functional as F
from ..optim import LBFGS, Optimizer
from ..optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from ..optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from ..random import Generator
from .arguments import whole_number
from .batches import Batches, batches_of, tensor_of
from .callbacks import Callback
from .checks import evaluating, list_of
from .history import History
from .processes import job
from .trainer import Trainer

__all__ = ["GANTrainer", "SampleSheets"]

KINDS = ("minimax", "non_saturating", "least_squares", "wasserstein")


class GANTrainer:
    """Trains a generator and a discriminator against each other.

    Each batch makes a step of the discriminator, on it and on as many new samples; after every
    ``discriminator_steps`` of them the generator makes a step, on new noise and the classes of
    that batch. All else is :class:`Trainer`'s: batches, progress, checkpoints, Ctrl-C.

    The noise comes from the default generator: the same ``tensorgrad.manual_seed``, the same
    training.

    Args:
        generator: a module from noise (N, ``latent_size``) to samples, with that number as an
            attribute; where it has ``num_classes`` other than None, from noise and labels (N,).
        discriminator: a module from samples (and labels, where the generator takes them) to
            scores (N,).
        generator_optimizer: of the generator's parameters; not LBFGS.
        discriminator_optimizer: of the discriminator's.
        loss: "minimax", "non_saturating", "least_squares" or "wasserstein"; see
            ``F.generator_loss`` and ``F.discriminator_loss``.
        discriminator_steps: how many steps the discriminator makes for one of the generator.
        penalty: weight of ``F.gradient_penalty``; None is 10 for "wasserstein" (arXiv:1704.00028)
            and 0, which is none, for the others. The discriminator should then score each sample
            by itself: no batch normalisation.
        label_smoothing: the target of real samples is one minus this; 0 for "wasserstein".
        ema_decay: keep a moving average of the generator with this decay, which then makes the
            samples; None keeps none.
        generator_scheduler: a learning-rate schedule, stepped after each epoch from that of the
            generator's first step on.
        discriminator_scheduler: one that is stepped after each epoch.
        callbacks: a :class:`Callback` or several, such as :class:`SampleSheets`. Their trainer is
            the :class:`Trainer` within, whose model has ``generator``, ``discriminator`` and
            ``sample``.
        seed: of the order of the data.
        check_finite: stop when a loss is nan or infinite, with a warning.

    Attributes:
        history: a :class:`History`. ``train_loss`` is the discriminator's loss with its penalty,
            ``train_generator_loss`` the mean of the epoch's steps of the generator (nan if there
            was none); ``history.losses`` has the discriminator's loss of each step.
        generator_losses: the generator's loss of each step.
        averaged: the moving average of the generator, None without ``ema_decay``.

    Raises:
        TypeError: an argument is of another type.
        ValueError: an argument is out of range, or an optimizer is not of its network.

    >>> import tensorgrad as torch
    >>> from tensorgrad.nn.models import MLPDiscriminator, MLPGenerator
    >>> from tensorgrad.train import GANTrainer
    >>> _ = torch.manual_seed(0)
    >>> maker, judge = MLPGenerator(2, 1, (16,)), MLPDiscriminator(1, (16,))
    >>> adams = [torch.optim.Adam(net.parameters(), lr=1e-3) for net in (maker, judge)]
    >>> trainer = GANTrainer(maker, judge, *adams, discriminator_steps=2)
    >>> history = trainer.fit(torch.randn(64, 1), epochs=3, batch_size=16, progress=False)
    >>> len(history), len(history.losses), len(trainer.generator_losses)
    (3, 12, 6)
    >>> trainer.sample(5, seed=0).shape
    torch.Size([5, 1])
    """

    def __init__(
        self, generator, discriminator, generator_optimizer, discriminator_optimizer,
        loss: str = "non_saturating", *, discriminator_steps: int = 1,
        penalty: float | None = None, label_smoothing: float = 0.0,
        ema_decay: float | None = None, generator_scheduler=None, discriminator_scheduler=None,
        callbacks=(), seed: int = 0, check_finite: bool = True,
    ) -> None:  # fmt: skip
        _check_networks(generator, discriminator)
        _check_optimizer("generator", generator_optimizer, generator, generator_scheduler)
        _check_optimizer(
            "discriminator", discriminator_optimizer, discriminator, discriminator_scheduler
        )
        _check_options(loss, penalty, label_smoothing)
        if penalty is None:
            penalty = 10.0 if loss == "wasserstein" else 0.0
        steps = whole_number("GANTrainer: discriminator_steps", discriminator_steps)
        self.discriminator_steps = steps
        self._game = Game(generator, discriminator, loss, penalty, label_smoothing, ema_decay)
        self._steps = _GeneratorSteps(generator_optimizer, generator_scheduler, steps)
        self._trainer = Trainer(
            self._game, self._game.loss, discriminator_optimizer,
            scheduler=discriminator_scheduler, seed=seed, check_finite=check_finite,
            callbacks=[self._steps, *list_of(callbacks, "callbacks")],
        )  # fmt: skip

    @property
    def generator(self) -> Module:
        """The generator that is trained."""
        return self._game.generator

    @property
    def discriminator(self) -> Module:
        """The discriminator."""
        return self._game.discriminator

    @property
    def averaged(self) -> Module | None:
        """The moving average of the generator, None if none is kept."""
        return None if self._game.average is None else self._game.average.module

    @property
    def history(self) -> History:
        """The course of training, of all fits."""
        return self._trainer.history

    @property
    def generator_losses(self) -> list[float]:
        """The generator's loss of each of its steps."""
        return self._steps.losses

    def fit(
        self, train, epochs: int = 10, *, batch_size: int = 64, shuffle: bool = True,
        num_workers: int = 0, **options: Any,
    ) -> History:  # fmt: skip
        """Train for some epochs.

        Args:
            train: samples x, or a pair (x, y) with their labels, of tensors or arrays; a Dataset or
                a DataLoader of either. Floating arrays become the default dtype. The labels are
                left aside where the generator takes none.
            epochs: how many, after those of earlier fits; a resumed fit has those that it lacks.
            batch_size: samples in a batch, where ``train`` is no DataLoader.
            shuffle: whether to go through ``train`` in an order that depends on ``seed`` and the
                epoch alone.
            num_workers: processes that make the batches, where ``train`` is a Dataset.
            **options: ``stop``, ``checkpoint_dir``, ``resume``, ``checkpoint_every``,
                ``checkpoint_minutes``, ``checkpoint_steps``, ``keep`` and ``progress`` of
                :meth:`Trainer.fit`. A checkpoint holds both networks, both optimizers and
                schedules, the average and the losses; a fit that is resumed gives bit for bit what
                one gives that was not interrupted.

        Returns:
            The history.

        Raises:
            TypeError: data is none of the above, or not of floating-point numbers.
            ValueError: an option is out of range, or data, labels and networks do not fit.
            RuntimeError: this is one of several processes of ``tensorgrad.distributed``.
            FileExistsError, FileNotFoundError, RuntimeError, OSError: as for :meth:`Trainer.fit`.
        """
        _check_alone()
        if isinstance(train, Tensor | np.ndarray):
            train = (train,)
        source = batches_of(train, batch_size, shuffle=shuffle, seed=self._trainer.seed,
                            num_workers=num_workers, name="train")  # fmt: skip
        rounds = _Rounds(source, self._game.conditional, self.discriminator_steps)
        return self._trainer.fit(rounds, epochs=epochs, **options)

    def sample(
        self, n: int | None = None, *, labels=None, seed: int | None = None, average: bool = True,
        batch_size: int = 256,
    ) -> Tensor:  # fmt: skip
        """New samples, in evaluation mode and without gradients.

        Args:
            n: how many; the classes then take turns: 0, 1, ..., where there are any.
            labels: instead of ``n``, the class of each sample (N,).
            seed: of the noise: the same seed, the same samples; None draws from the default
                generator.
            average: whether the moving average makes them, where one is kept.
            batch_size: how many are made at a time.

        Raises:
            ValueError: neither or both of ``n`` and ``labels`` are given, or they do not fit the
                generator; ``batch_size`` is no whole number from 1.
        """
        return self._game.sample(
            n, labels=labels, seed=seed, average=average, batch_size=batch_size
        )


# --- the two networks ---------------------------------------------------------------------


class Game(Module):
    """Both networks as the one model of a :class:`Trainer`, whose step is the discriminator's.

    Args:
        generator: see :class:`GANTrainer`; so are the others.
        discriminator: its opponent.
        kind: of the losses.
        penalty: weight of the gradient penalty, 0 for none.
        label_smoothing: of real samples.
        ema_decay: of the average, None for none.
    """

    def __init__(self, generator, discriminator, kind, penalty, label_smoothing, ema_decay):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.kind, self.penalty, self.label_smoothing = kind, penalty, label_smoothing
        self.average = None
        if ema_decay is not None:
            mean = get_ema_multi_avg_fn(ema_decay)
            self.average = AveragedModel(generator, multi_avg_fn=mean)
        self.conditional = getattr(generator, "num_classes", None) is not None
        self.present = ()  # labels of the present batch, the generator's step asks for the same

    def forward(self, batch):
        """The scores of real and of made samples, and the gradient penalty or None."""
        real, *labels = batch
        with no_grad():
            fake = self.generator(self._noise(len(real), real.dtype), *labels)
        _check_samples(real, fake)
        self.present = (len(real), real.dtype, labels)
        scores = self.discriminator(real, *labels), self.discriminator(fake, *labels)
        if not self.penalty:
            return *scores, None
        judge = _given(self.discriminator, labels)
        return *scores, F.gradient_penalty(judge, real, fake, self.penalty)

    def _noise(self, count, dtype=None, generator=None):
        return randn(count, self.generator.latent_size, dtype=dtype, generator=generator)

    def loss(self, output, target):
        """The discriminator's loss of what :meth:`forward` returned."""
        real, fake, penalty = output
        value = F.discriminator_loss(real, fake, self.kind, label_smoothing=self.label_smoothing)
        return value if penalty is None else value + penalty

    def generator_loss(self):
        """The generator's loss of new samples of the present batch's number and classes."""
        count, dtype, labels = self.present
        fake = self.generator(self._noise(count, dtype), *labels)
        return F.generator_loss(self.discriminator(fake, *labels), self.kind)

    def sample(self, n=None, *, labels=None, seed=None, average=True, batch_size=256):
        """New samples; see :meth:`GANTrainer.sample`."""
        batch_size = whole_number("sample: batch_size", batch_size)
        count, labels = self._wanted(n, labels)
        source = None if seed is None else Generator().manual_seed(seed)
        dtype = next((p.dtype for p in self.generator.parameters()), None)
        noise = self._noise(count, dtype, source)
        maker = self.generator if self.average is None or not average else self.average.module
        parts = []
        with evaluating(maker):
            for low in range(0, count, batch_size):
                rows = slice(low, low + batch_size)
                parts.append(maker(noise[rows], *(part[rows] for part in labels)))
        return cat(parts)

    def _wanted(self, n, labels):
        """How many samples, and a list of their labels or of nothing."""
        if (n is None) == (labels is None):
            raise ValueError("sample: give either n, how many samples, or labels")
        if labels is None:
            n = whole_number("sample: n", n)
            return n, [arange(n) % self.generator.num_classes] if self.conditional else []
        if not self.conditional:
            raise ValueError("sample: the generator takes no labels; give n")
        labels = as_tensor(labels)
        if labels.ndim != 1 or not len(labels) or labels.is_floating_point():
            raise ValueError(
                "sample: labels should be whole numbers (N,), N from 1, got shape "
                f"{tuple(labels.shape)} {labels.dtype}"
            )
        return len(labels), [labels.long()]


def _given(discriminator, labels):
    """The discriminator as a function of samples alone."""
    return lambda x: discriminator(x, *labels)


def _check_samples(real, fake):
    if real.shape != fake.shape:
        raise ValueError(
            f"the generator makes samples of shape {tuple(fake.shape[1:])}, but those of the data "
            f"are of {tuple(real.shape[1:])}"
        )


# --- the generator's turns ----------------------------------------------------------------


class _GeneratorSteps(Callback):
    """Makes the generator's step after every so many of the discriminator's."""

    def __init__(self, optimizer, scheduler, every):
        self.optimizer, self.scheduler, self.every = optimizer, scheduler, every
        self.losses: list[float] = []
        self.first = 0  # of the present epoch's losses

    def on_epoch_start(self, trainer):
        """Note where the losses of the epoch begin."""
        self.first = len(self.losses)

    def on_batch_end(self, trainer):
        """Make a step if it is time."""
        if trainer.iteration % self.every:
            return
        game = trainer.model
        self.optimizer.zero_grad()
        value = game.generator_loss()
        number = value.item()
        self.losses.append(number)
        if trainer.check_finite and not math.isfinite(number):
            trainer._stop_as_not_finite(f"the generator's loss is {number}")
            return
        value.backward(inputs=list(game.generator.parameters()))
        self.optimizer.step()
        if game.average is not None:
            game.average.update_parameters(game.generator)

    def on_epoch_end(self, trainer):
        """Put the mean of the epoch's losses into its row, and step the schedule."""
        losses = self.losses[self.first :]
        mean = sum(losses) / len(losses) if losses else math.nan
        row = trainer.history.epochs[-1]
        seconds, row["train_generator_loss"] = row.pop("seconds"), mean
        row["seconds"] = seconds  # the last, as in other fits
        if self.scheduler is not None and self.losses:
            self.scheduler.step()

    def state_dict(self):
        """The optimizer, the schedule and the losses."""
        scheduler = None if self.scheduler is None else self.scheduler.state_dict()
        return {"optimizer": self.optimizer.state_dict(), "scheduler": scheduler,
                "losses": np.array(self.losses), "first": self.first}  # fmt: skip

    def load_state_dict(self, state_dict):
        """Take over what :meth:`state_dict` returned."""
        self.optimizer.load_state_dict(state_dict["optimizer"])
        if self.scheduler is not None and state_dict["scheduler"] is not None:
            self.scheduler.load_state_dict(state_dict["scheduler"])
        self.losses = np.asarray(state_dict["losses"]).tolist()
        if self.losses:
            self.optimizer._opt_called = True  # in another process: a schedule asks for it
        self.first = state_dict["first"]


# --- data ---------------------------------------------------------------------------------


class _Rounds(Batches):
    """Batches as pairs for the Trainer: of all that the networks read, and of what it counts."""

    def __init__(self, source, conditional, discriminator_steps):
        self.source, self.conditional = source, conditional
        self.length = source.length
        self.settings = {**source.settings, "discriminator_steps": discriminator_steps}

    def generators(self):
        return self.source.generators()

    def epoch(self, number, start=0):
        return map(self._pair, self.source.epoch(number, start))

    def announce(self, number):
        self.source.announce(number)

    def _pair(self, batch):
        parts = tuple(batch) if isinstance(batch, tuple | list) else (batch,)
        if len(parts) not in (1, 2) or (self.conditional and len(parts) == 1):
            expected = "a pair (samples, labels)" if self.conditional else "samples, or a pair"
            raise TypeError(f"fit: a batch should be {expected}, got {len(parts)} parts")
        real = tensor_of(parts[0], "train")
        if not real.is_floating_point():
            raise TypeError(
                f"fit: samples should be of floating-point numbers, got {real.dtype}; scale them "
                "to the range of the generator's outputs, such as -1..1"
            )
        labels = [tensor_of(parts[1], "train").long()] if self.conditional else []
        return (real, *labels), real


# --- pictures -----------------------------------------------------------------------------


class SampleSheets(Callback):
    """Draws a sheet of samples after epochs of a :class:`GANTrainer`: always of the same noise.

    Images of one or three channels stand in a grid, vectors of two numbers are points of a plane.
    The file of epoch 5 is ``epoch_0005.png``.

    Args:
        folder: where to; made if need be.
        every: after how many epochs.
        n: how many samples.
        seed: of their noise. Training does not notice that they are drawn.
        columns: of the grid; None makes it about square.

    Raises:
        ValueError: a number that is no whole number from 1.
        ImportError: Matplotlib is not installed.

    >>> from tensorgrad.train import SampleSheets
    >>> SampleSheets("runs/sheets", every=5, n=100, columns=10).n
    100
    """

    def __init__(
        self, folder: str | os.PathLike, every: int = 1, n: int = 64, seed: int = 0,
        columns: int | None = None,
    ) -> None:  # fmt: skip
        for name, value in (("every", every), ("n", n), ("columns", columns)):
            if name != "columns" or value is not None:
                whole_number(f"SampleSheets: {name}", value)
        from .plotting import new_figure

        new_figure("SampleSheets")
        self.folder, self.every, self.n = os.fspath(folder), every, n
        self.seed, self.columns = seed, columns

    def on_fit_start(self, trainer) -> None:
        """Make the folder, and refuse samples that cannot be drawn."""
        if not isinstance(trainer.model, Game):
            raise TypeError("SampleSheets draws what a GANTrainer's generator makes")
        os.makedirs(self.folder, exist_ok=True)
        self._figure(trainer, 1)

    def on_epoch_end(self, trainer) -> None:
        """Write a sheet, if it is time."""
        if trainer.epoch % self.every == 0:
            name = f"epoch_{trainer.epoch:04d}.png"
            self._figure(trainer, self.n).savefig(os.path.join(self.folder, name))

    def _figure(self, trainer, n):
        from .plotting import sheet

        return sheet(trainer.model.sample(n, seed=self.seed), self.columns)


# --- checks -------------------------------------------------------------------------------


def _check_networks(generator, discriminator):
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(network, Module):
            raise TypeError(f"GANTrainer: {name} must be a Module, got {type(network).__name__}")
    size = getattr(generator, "latent_size", None)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise TypeError(
            "GANTrainer: the generator needs an attribute latent_size, the length of its noise, "
            f"a whole number from 1; got {size!r}"
        )
    counts = [getattr(network, "num_classes", None) for network in (generator, discriminator)]
    if counts[0] != counts[1]:
        raise ValueError(
            f"GANTrainer: the generator has num_classes={counts[0]}, the discriminator "
            f"{counts[1]}; make them equal"
        )


def _check_optimizer(name, optimizer, network, scheduler):
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"GANTrainer: {name}_optimizer must be an Optimizer, got {type(optimizer).__name__}"
        )
    if isinstance(optimizer, LBFGS):
        raise ValueError("GANTrainer: LBFGS is for one loss, not for two against each other")
    own = {id(p) for p in network.parameters()}
    if not all(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError(
            f"GANTrainer: {name}_optimizer has parameters that are not of the {name}; make it from "
            f"{name}.parameters()"
        )
    if scheduler is None:
        return
    if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, ReduceLROnPlateau):
        raise TypeError(
            f"GANTrainer: {name}_scheduler must be an LRScheduler of the epoch alone, got "
            f"{type(scheduler).__name__}"
        )
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError(f"GANTrainer: {name}_scheduler belongs to another optimizer")


def _check_alone():
    if job() is not None:
        raise RuntimeError(
            "fit: a GANTrainer works in one process; call destroy_process_group() first"
        )


def _check_options(loss, penalty, label_smoothing):
    if loss not in KINDS:
        raise ValueError(f"GANTrainer: loss must be one of {', '.join(KINDS)}, got {loss!r}")
    if penalty is not None and not 0 <= penalty < math.inf:
        raise ValueError(f"GANTrainer: penalty must be at least 0, got {penalty!r}")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"GANTrainer: label_smoothing must be in [0, 1), got {label_smoothing!r}")
    if label_smoothing and loss == "wasserstein":
        raise ValueError("GANTrainer: the wasserstein loss has no labels to smooth")
