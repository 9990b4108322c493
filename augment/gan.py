"""New samples of each class from a generative adversarial network."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad._graph import Tensor, wrap
from tensorgrad.datasets import MinMaxNormalizer, StandardNormalizer
from tensorgrad.errors import ArgumentError
from tensorgrad.nn import models
from tensorgrad.optim import Adam
from tensorgrad.random import default_generator, fork_rng

from .sampling._base import Sampler, random_state_of

__all__ = ["GANAugment"]


class GANAugment(Sampler):
    """Enlarges a labelled set by samples that a generator learned to make from it.

    ``fit_resample(X, y)`` trains on the set and adds what ``sampling_strategy`` asks for;
    ``fit(X, y)`` and ``sample(labels)`` do the two by themselves. Use it on the training part
    only. What comes of it is to be judged by the test accuracy with and without: a generator knows
    no more than the samples that it has seen.

    Images (C, H, W) are brought to -1..1, from the least and the greatest value of the set;
    vectors are standardised by feature. Training is :class:`tensorgrad.train.GANTrainer`'s.

    Args:
        sampling_strategy: as in :class:`RandomOverSampler`; or a whole number from 2, the size
            that every class is to have in the end.
        random_state: None (a seed drawn from the default generator), an integer or a
            ``numpy.random.RandomState``. The same seed makes the same samples; the default
            generator is otherwise left alone.
        conditional: one generator that is told the class; False trains one for each class, on its
            samples alone.
        networks: "mlp" (linear layers), "dcgan" (convolutions, for square images of even side), or
            "auto": "dcgan" from 16 x 16 pixels on. Or a function of the shape of a sample and the
            number of classes (None if not conditional) that returns a generator and a
            discriminator, as :class:`tensorgrad.train.GANTrainer` takes them; images then come as
            they are, in -1..1.
        latent_size: length of the noise.
        width: of the hidden layers of "mlp"; "dcgan" begins with an eighth as many channels.
        epochs: of training.
        batch_size: samples in a step.
        lr: learning rate of Adam, for both networks.
        loss: "minimax", "non_saturating", "least_squares" or "wasserstein".
        discriminator_steps: for each step of the generator.
        penalty: weight of the gradient penalty, 0 for none.
        min_samples: a class with fewer is refused: a generator would only repeat them.
        progress: as in :meth:`tensorgrad.train.Trainer.fit`.

    Attributes:
        classes_: the classes, sorted.
        trainers_: the trainers: one, or one for each class.
        normalizer_: what brought the samples to the generator's range.

    Raises:
        ValueError: a class with fewer than ``min_samples``, named; an argument out of range; data
            and labels that do not fit.

    >>> import numpy as np
    >>> from tensorgrad.augment import GANAugment
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(-2, 0.3, (60, 2)), rng.normal(2, 0.3, (30, 2))])
    >>> y = np.repeat(["low", "high"], [60, 30])
    >>> gan = GANAugment(epochs=100, batch_size=16, lr=4e-3, width=32, random_state=0)
    >>> X_new, y_new = gan.fit_resample(X, y)
    >>> X_new.shape, [str(label) for label in np.unique(y_new[90:])]
    ((120, 2), ['high'])
    >>> bool(X_new[90:].mean() > 1)
    True
    """

    _interpolates = True

    def __init__(
        self, *, sampling_strategy="auto", random_state=None, conditional=True, networks="auto",
        latent_size=32, width=128, epochs=200, batch_size=64, lr=1e-3, loss="wasserstein",
        discriminator_steps=2, penalty=1.0, min_samples=20, progress=False,
    ):  # fmt: skip
        self.sampling_strategy, self.random_state = sampling_strategy, random_state
        self.conditional, self.networks = conditional, networks
        self.latent_size, self.width = latent_size, width
        self.epochs, self.batch_size, self.lr, self.loss = epochs, batch_size, lr, loss
        self.discriminator_steps, self.penalty = discriminator_steps, penalty
        self.min_samples, self.progress = min_samples, progress

    # --- fit, sample --------------------------------------------------------------------

    def fit(self, X, y) -> GANAugment:
        """Train the generators.

        Args:
            X: samples: vectors (N, D), or images (N, C, H, W) or (N, H, W); array or Tensor.
            y: labels (N,), numbers or strings.

        Returns:
            Itself.

        Raises:
            ValueError: as for the class. An earlier fit then stays.
        """
        samples, labels = self._checked(X, y)
        return self._learn(samples, labels, random_state_of(self.random_state))

    def sample(self, labels, seed: int | None = None):
        """New samples.

        Args:
            labels: the class of each, (N,), among those that ``fit`` saw.
            seed: of the noise; None draws from the default generator.

        Returns:
            Samples (N, ...) in the range and the dtype of those given to ``fit``; a Tensor where
            ``labels`` is one.

        Raises:
            RuntimeError: not fitted.
            ValueError: a label that ``fit`` did not see.
        """
        if not hasattr(self, "trainers_"):
            raise RuntimeError("GANAugment.sample: not fitted; call fit or fit_resample first")
        array = labels.numpy() if isinstance(labels, Tensor) else np.asarray(labels)
        if array.ndim != 1 or not len(array):
            raise ArgumentError(
                f"GANAugment.sample: labels should be (N,), N from 1, got shape {array.shape}"
            )
        unknown = np.setdiff1d(array, self.classes_)
        if len(unknown):
            raise ArgumentError(
                f"GANAugment.sample: fit saw no class {unknown[0]!r}; it saw "
                f"{self.classes_.tolist()}"
            )
        made = self._made(np.searchsorted(self.classes_, array), seed)
        return wrap(np.ascontiguousarray(made)) if isinstance(labels, Tensor) else made

    def _made(self, codes, seed):
        """Samples of classes by their numbers."""
        if self.conditional:
            return self._back(self.trainers_[0].sample(labels=codes, seed=seed))
        out = None
        for code, trainer in enumerate(self.trainers_):
            rows = np.flatnonzero(codes == code)
            if not len(rows):
                continue
            # Each class its own noise: of one seed, all would be made of the same.
            part = self._back(trainer.sample(len(rows), seed=_child(seed, code)))
            out = np.empty((len(codes), *part.shape[1:]), part.dtype) if out is None else out
            out[rows] = part
        return out

    def _back(self, made):
        """In the range, shape and dtype of the data."""
        array = made.numpy().reshape(-1, *self.shape_)
        return self.normalizer_.inverse(array).astype(self.dtype_, copy=False)

    # --- the Sampler's part --------------------------------------------------------------

    def _wanted(self, labels):
        size = self.sampling_strategy
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 2:
            return super()._wanted(labels)
        classes, counts = np.unique(labels, return_counts=True)
        if counts.max() > size:
            worst = counts.argmax()
            raise ArgumentError(
                f"GANAugment: sampling_strategy={size} is below the {counts[worst]} samples of "
                f"class {classes[worst].item()!r}"
            )
        return dict(zip(classes.tolist(), (size - counts).tolist(), strict=True))

    def _resample(self, X, y):
        rng = random_state_of(self.random_state)
        samples = X.reshape(-1, *self._shape)
        self._learn(samples, y, rng)
        wanted = self.sampling_strategy_
        new = np.repeat(np.array(list(wanted), y.dtype), list(wanted.values()))
        if not len(new):
            return X.copy(), y.copy()
        made = self.sample(new, _seed(rng)).reshape(len(new), -1)
        return np.concatenate([X, made]), np.concatenate([y, new])

    def _demand_enough(self, labels):
        """Refuse classes that are too small to be learned, all of them by name."""
        classes, counts = np.unique(labels, return_counts=True)
        few = [(c, n) for c, n in zip(classes.tolist(), counts.tolist(), strict=True)
               if n < self.min_samples]  # fmt: skip
        if few:
            named = ", ".join(f"class {label!r} has {n}" for label, n in few)
            raise ArgumentError(
                f"GANAugment: {named}, and min_samples={self.min_samples}; collect more, leave "
                "it out, use transforms or SMOTE there, or lower min_samples"
            )

    # --- training -------------------------------------------------------------------------

    def _learn(self, samples, labels, rng):
        """Train, then take over what came of it."""
        self._demand_enough(labels)
        classes, codes = np.unique(labels, return_inverse=True)
        images = samples.ndim > 2
        normalizer = (MinMaxNormalizer(feature_range=(-1.0, 1.0), per_feature=False)
                      if images else StandardNormalizer())  # fmt: skip
        x = tg.as_tensor(normalizer.fit(samples).transform(samples), dtype=tg.get_default_dtype())
        y = tg.as_tensor(codes.astype(np.int64))
        x = x[:, None] if x.ndim == 3 else x
        seed = _seed(rng)
        with fork_rng():
            default_generator.manual_seed(seed)
            if self.conditional:
                trainers = [self._trained(x, y, len(classes))]
            else:
                trainers = [self._trained(x[y == code]) for code in range(len(classes))]
        self.classes_, self.trainers_, self.normalizer_ = classes, trainers, normalizer
        self.shape_, self.dtype_ = samples.shape[1:], samples.dtype
        return self

    def _trained(self, x, y=None, count=None):
        """A trainer after its training."""
        images, kind = x.ndim > 2, self._kind(tuple(x.shape[1:]))
        if kind == "mlp":
            x = x.flatten(1)
        output = "tanh" if images else None
        generator, discriminator = self._networks(kind, tuple(x.shape[1:]), count, output)
        adams = [Adam(network.parameters(), lr=self.lr, betas=(0.5, 0.99))
                 for network in (generator, discriminator)]  # fmt: skip
        # By attribute, not by import: train stands on the same floor.
        trainer = tg.train.GANTrainer(
            generator, discriminator, *adams, self.loss, penalty=self.penalty,
            discriminator_steps=self.discriminator_steps, ema_decay=0.99,
        )  # fmt: skip
        trainer.fit(x if y is None else (x, y), self.epochs, batch_size=self.batch_size,
                    progress=self.progress)  # fmt: skip
        if trainer.history.stopped is not None:
            raise RuntimeError(f"GANAugment: training stopped: {trainer.history.stopped}")
        return trainer

    def _kind(self, shape):
        if callable(self.networks):
            return "own"
        square = len(shape) == 3 and shape[1] == shape[2]
        if self.networks == "auto":
            large = square and shape[1] >= 16 and shape[1] % 2 == 0
            return "dcgan" if large else "mlp"
        if self.networks not in ("mlp", "dcgan"):
            raise ArgumentError(
                "GANAugment: networks should be 'auto', 'mlp', 'dcgan' or a function, got "
                f"{self.networks!r}"
            )
        if self.networks == "dcgan" and not square:
            raise ArgumentError(
                f"GANAugment: 'dcgan' takes square images (C, H, W), got samples of shape {shape}"
            )
        return self.networks

    def _networks(self, kind, shape, count, output):
        """The generator and the discriminator."""
        if kind == "own":
            return self.networks(shape, count)
        if kind == "mlp":
            hidden = (self.width, self.width)
            generator = models.MLPGenerator(self.latent_size, *shape, hidden, count, output)
            return generator, models.MLPDiscriminator(*shape, hidden, count)
        channels, size, _ = shape
        width = max(1, self.width // 8)
        norm = None if self.penalty else "batch"  # a penalty is that of each sample by itself
        return (
            models.DCGANGenerator(self.latent_size, channels, size, width, count, output),
            models.DCGANDiscriminator(channels, size, width, count, norm),
        )


def _seed(rng):
    return int(rng.randint(2**31))


def _child(seed, code):
    """A seed for each class."""
    if seed is None:
        return None
    return int(np.random.SeedSequence([seed, code]).generate_state(1)[0])
