"""Several samples made into one: mixup and SamplePairing, and what all mixers share.

A mixer is called with a batch and its targets and returns the mixed batch and targets as weights
of classes, (N, C), which the classification losses take. CutMix and FMix are in cutmix.py, SnapMix
in snapmix.py.

>>> import tensorgrad as torch
>>> mixer = Mixup(num_classes=10, seed=0)
>>> images, targets = mixer(torch.rand(4, 3, 8, 8), torch.tensor([1, 2, 3, 4]))
>>> images.shape, targets.shape
(torch.Size([4, 3, 8, 8]), torch.Size([4, 10]))
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable
from numbers import Real

import numpy as np

from tensorgrad.errors import ArgumentError
from tensorgrad.utils.data._utils.epoch import announce, announce_to_loader
from tensorgrad.utils.data.sampler import draw_seed

from ._checks import check_count, check_probability
from ._random import KeyedRng
from ._threads import blocks_of
from ._transform import part_of_key
from .dataset import IndexedSample
from .soft_targets import array_of, demand_classes, like, weights_of

__all__ = [
    "MixedLoader",
    "Mixer",
    "Mixup",
    "RandomMixer",
    "SamplePairing",
    "SamplePairingSchedule",
    "mixup",
    "sample_pairing",
]

MODES = ("batch", "pair", "elem")
LAYOUTS = ("NCHW", "NHWC", "NHW")


class Mixer:
    """Base of the mixers.

    A subclass writes ``sample(n, shape, rng)``, which draws everything, and
    ``apply(images, targets, params)``, which is pure: the same parameters give the same result.
    Inputs are never written. Images may be arrays or Tensors, and what comes back is of the same
    kind; the weights are a Tensor where the images or the targets are one. Nothing is tracked:
    gradients do not flow through a mixer.

    The draws of a call depend on ``(seed, epoch, index)``. ``index`` is what the caller passes, a
    number for the batch, the number of its first sample for example; without it the calls since
    ``set_epoch`` are counted. So a run that is resumed at an epoch draws what the uninterrupted
    one drew. :class:`MixedLoader` puts a mixer behind a DataLoader. :meth:`collate` runs in its
    workers, which have no such count, and takes as ``index`` that of the first sample where it is
    known, or a checksum of the batch: what a batch becomes does not depend on how many workers
    there are.

    Args:
        num_classes: C, needed where targets are labels.
        p: probability that a batch (or a pair, or a sample: ``mode``) is mixed at all.
        mode: ``"batch"``: one draw for the batch; ``"pair"``: samples are paired, both of a pair
            get the same draw and each other; ``"elem"``: a draw for each sample.
        seed: of the draws, at least 0; None takes one from the default generator.

    >>> import numpy as np
    >>> class Average(Mixer):
    ...     def sample(self, n, shape, rng):
    ...         return {"partner": rng.permutation(n)[0]}
    ...     def apply(self, images, targets, params):
    ...         return mixup(images, targets, 0.5, params["partner"], self.num_classes)
    >>> Average(2, seed=0)(np.ones((2, 1, 4, 4)), [0, 1])[1].sum()
    np.float64(2.0)
    """

    def __init__(
        self, num_classes: int | None = None, p: float = 1.0, mode: str = "batch",
        seed: int | None = None,
    ):  # fmt: skip
        demand_classes(num_classes)
        if mode not in MODES:
            known = ", ".join(map(repr, MODES))
            raise ArgumentError(f"mode should be one of {known}, got {mode!r}")
        self.num_classes, self.p, self.mode = num_classes, check_probability(p, "p"), mode
        self.seed = draw_seed(None) if seed is None else part_of_key(seed, "seed")
        self.epoch = self._calls = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins, counted from 0; the count of calls starts again.

        A Trainer calls it where the mixer is among its ``callbacks``, or in a
        :class:`MixedLoader` that it trains on.

        Raises:
            ValueError: not an integer of at least 0.
        """
        self.epoch, self._calls = part_of_key(epoch, "epoch"), 0

    def __call__(self, images, targets=None, *, index: int | None = None):
        """Mix a batch.

        Args:
            images: (N, ...), array or Tensor; uint8 is rounded, floating-point numbers may be of
                any range, normalised ones as well.
            targets: labels (N,) or weights (N, C).
            index: a number for the batch; by default the calls since ``set_epoch``.

        Returns:
            ``(images, targets)``: the mixed images, of the same shape and dtype, and weights
            (N, C); new memory. An image that is not mixed is the given one exactly, whatever
            those beside it hold.

        Raises:
            ValueError: shapes that do not fit, targets or ``num_classes`` missing.
            IndexError: a label that is no class.
            TypeError: images that are neither uint8 nor floating-point.
            RuntimeError: labels that are no integers.
        """
        x = batch_of(images, type(self).__name__)
        number = self._calls if index is None else check_count(index, "index")
        rng = KeyedRng(self.seed, self.epoch, [number])
        mixed = self.apply(images, targets, self.sample(len(x), x.shape, rng))
        self._calls += index is None
        return mixed

    def collate(self, batch):
        """Collate pairs of image and target and mix them: ``DataLoader(collate_fn=m.collate)``.

        Samples of :class:`Indexed` bring their epoch, and the number of the first is ``index``.
        After a transform it is ``augment.collate(transform, collate_fn=m.collate)``.
        """
        from tensorgrad.utils.data import default_collate

        if isinstance(batch[0], IndexedSample):
            images, targets = default_collate([s.sample for s in batch])
            mixer = copy.copy(self)
            mixer.set_epoch(batch[0].epoch)
            return mixer(images, targets, index=batch[0].index)
        images, targets = default_collate(batch)
        content = np.ascontiguousarray(array_of(images, "images"))
        number = zlib.crc32(content.tobytes(), zlib.crc32(array_of(targets, "targets").tobytes()))
        return self(images, targets, index=number)

    def sample(self, n: int, shape: tuple, rng) -> dict:
        """Draw the parameters for a batch of ``n`` images of ``shape`` from ``rng``."""
        raise NotImplementedError(f"{type(self).__name__} has no sample()")

    def apply(self, images, targets, params: dict):
        """Mix with the given parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no apply()")

    def _partners(self, n, rng):
        """Whom each sample is mixed with, (n,)."""
        order = rng.permutation(n)[0]
        if self.mode != "pair":
            return order
        partner = np.arange(n)
        first, second = order[0 : n - 1 : 2], order[1:n:2]
        partner[first], partner[second] = second, first
        return partner

    def _per_sample(self, partner, draw):
        """What ``draw(count)`` returns, (count, ...), spread over the samples as ``mode`` says."""
        n = len(partner)
        if self.mode == "batch":
            return np.repeat(draw(1), n, axis=0)
        values = draw(n)
        return values[np.minimum(partner, np.arange(n))] if self.mode == "pair" else values

    def _shares(self, alpha, partner, rng):
        """How much of itself each sample keeps, (n,): Beta(alpha, alpha), 1 with chance 1 - p."""
        return self._per_sample(partner, lambda count: _beta(alpha, self.p, count, rng))

    def _arguments(self):
        """The arguments by name, for ``repr``."""
        return {k: v for k, v in vars(self).items() if k not in ("epoch", "_calls")}

    def __repr__(self):
        given = ", ".join(f"{k}={v!r}" for k, v in self._arguments().items())
        return f"{type(self).__name__}({given})"


class MixedLoader:
    """The batches of a loader, mixed in this process: what ``Trainer.fit`` and plain loops take.

    ``set_epoch``, which the Trainer calls, tells the mixer, and the loader's dataset and sampler
    where they want to know. Everything else is the loader's: ``len``, ``dataset``, ``batch_size``.

    Args:
        loader: an iterable of pairs (images, targets), a DataLoader for example.
        mixer: called with them: a :class:`Mixer`, or any function, which has no ``set_epoch``.

    >>> import tensorgrad as torch
    >>> from tensorgrad.utils.data import DataLoader, TensorDataset
    >>> data = TensorDataset(torch.rand(6, 1, 4, 4), torch.arange(6) % 3)
    >>> loader = MixedLoader(DataLoader(data, batch_size=2), Mixup(num_classes=3, seed=0))
    >>> [tuple(targets.shape) for images, targets in loader]
    [(2, 3), (2, 3), (2, 3)]
    """

    def __init__(self, loader, mixer):
        self.loader, self.mixer = loader, mixer

    def __iter__(self):
        for images, targets in self.loader:
            yield self.mixer(images, targets)

    def __len__(self):
        return len(self.loader)

    def __getattr__(self, name):
        if name in ("loader", "mixer"):  # not yet set: a copy in the making
            raise AttributeError(name)
        return getattr(self.loader, name)

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins, counted from 0."""
        announce(epoch, self.mixer)
        announce_to_loader(epoch, self.loader)


def _beta(alpha, p, count, rng):
    lam = rng.beta(alpha, alpha, count)[0] if alpha > 0 else np.ones(count)
    return np.where(rng.random(count)[0] < p, lam, 1.0)


def demand_alpha(alpha):
    """Raise unless ``alpha`` is finite and at least 0."""
    if not isinstance(alpha, Real) or not 0 <= alpha < np.inf:
        raise ArgumentError(f"alpha should be finite and at least 0, got {alpha!r}")


def batch_of(images, name, layout=None) -> np.ndarray:
    """Images as an array, checked.

    Raises:
        ValueError: no batch, or not of the rank of ``layout``.
        TypeError: neither uint8 nor floating-point.
    """
    x = array_of(images, "images")
    rank = len(layout) if layout else None
    if x.ndim < 2 or (rank and x.ndim != rank):
        wanted = f"a batch ({', '.join(layout)})" if layout else "a batch (N, ...)"
        hint = "; add a batch dimension with images[None]" if rank and x.ndim == rank - 1 else ""
        raise ArgumentError(f"{name}: images should be {wanted}, got shape {x.shape}{hint}")
    if x.dtype != np.uint8 and x.dtype.kind != "f":
        raise TypeError(f"{name}: images should be uint8 or floating-point, got {x.dtype}")
    return x


def demand_layout(layout):
    """Raise unless ``layout`` is one of :data:`LAYOUTS`."""
    if layout not in LAYOUTS:
        raise ArgumentError(
            f"layout should be one of {', '.join(map(repr, LAYOUTS))}, got {layout!r}"
        )


def partners_of(partner, n) -> np.ndarray:
    """``partner`` as indices (n,), checked."""
    found = np.asarray(partner)
    if found.shape != (n,) or (n and (found.dtype.kind not in "iu" or found.min() < 0
                                      or found.max() >= n)):  # fmt: skip
        raise ArgumentError(f"partner should be {n} indices in 0..{n - 1}, got {partner!r}")
    return found.astype(np.intp)


def along_batch(values, x):
    """Numbers (N,) shaped to broadcast with the batch ``x``."""
    return values.reshape(-1, *[1] * (x.ndim - 1))


def blend(x, other, weight) -> np.ndarray:
    """``x + weight (other - x)`` in the dtype of ``x``; ``weight`` (N, ...) broadcasts.

    uint8 is rounded. Where the weight is 0 or 1 it is ``x`` or ``other`` exactly, and what the
    other one holds (nan, infinity) does not matter.
    """
    if x.dtype.itemsize > 2:
        return _blended(x, other, weight, x.dtype)
    # A block at a time: in single precision a batch of uint8 would take 13 times its memory.
    out = np.empty(x.shape, x.dtype)
    for rows in blocks_of(len(x), x[:1].size):
        part = _blended(x[rows], other[rows], weight[rows], np.float32)
        out[rows] = np.rint(part, out=part) if x.dtype == np.uint8 else part
    return out


def _blended(x, other, weight, dtype):
    weight = weight.astype(dtype)
    with np.errstate(invalid="ignore"):  # infinity minus infinity, where nothing is mixed
        out = np.subtract(other, x, dtype=dtype)
        out *= weight
    out += x
    for value, kept in ((0, x), (1, other)):
        exact = weight == value
        if exact.any():
            np.copyto(out, kept, where=exact)
    return out


def mix_targets(y, partner, keep, give) -> np.ndarray:
    """``keep y + give y[partner]``, the factors (N,)."""
    keep, give = (along_batch(np.asarray(w), y).astype(y.dtype) for w in (keep, give))
    return keep * y + give * y[partner]


# --- mixup ------------------------------------------------------------------------------


def mixup(images, targets, lam, partner, num_classes: int | None = None):
    """``lam x + (1 - lam) x[partner]``, images and targets alike.

    Args:
        images: (N, ...), array or Tensor.
        targets: labels (N,) or weights (N, C).
        lam: in [0, 1], one number or (N,).
        partner: indices (N,).
        num_classes: C, needed for labels.

    Returns:
        ``(images, targets)``, weights (N, C).

    Raises:
        ValueError: ``lam`` outside [0, 1]; shapes that do not fit.

    >>> import numpy as np
    >>> x, y = mixup(np.array([[0.0], [8.0]]), [0, 1], 0.75, [1, 0], num_classes=2)
    >>> x.tolist(), y.tolist()
    ([[2.0], [6.0]], [[0.75, 0.25], [0.25, 0.75]])
    """
    x = batch_of(images, "mixup")
    y = weights_of(targets, num_classes, len(x), floating(x))
    partner = partners_of(partner, len(x))
    lam = shares_of(lam, "lam", len(x))
    mixed = blend(x, x[partner], along_batch(1 - lam, x))
    return like(mixed, images), like(mix_targets(y, partner, lam, 1 - lam), images, targets)


def floating(x):
    """The dtype of weights beside images: theirs, or float32 beside uint8."""
    return x.dtype if x.dtype.kind == "f" else np.float32


def shares_of(value, name, n) -> np.ndarray:
    """Numbers in [0, 1] for ``n`` samples, float64."""
    given = np.asarray(value, np.float64)
    if given.shape not in ((), (n,)) or not ((given >= 0) & (given <= 1)).all():
        raise ArgumentError(f"{name} should be in [0, 1], one number or {n}, got {value!r}")
    return np.broadcast_to(given, (n,))


class Mixup(Mixer):
    """mixup: each sample and its target are averaged with another's.

    Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization"
    (arXiv:1710.09412): ``lam ~ Beta(alpha, alpha)``, ``x = lam x_i + (1 - lam) x_j``, the targets
    alike. j is a random order of the batch. Batches of any kind, images or rows of features.

    Args:
        alpha: at least 0; 1 as in the authors' code for CIFAR-10 (0.2 to 0.4 are usual for
            ImageNet); 0 mixes nothing.
        num_classes: C, needed where targets are labels.
        p: probability that a batch (pair, sample) is mixed.
        mode: ``"batch"`` (the paper), ``"pair"`` or ``"elem"``, see :class:`Mixer`.
        seed: None takes one from the default generator.

    Raises:
        ValueError: an argument out of range.

    >>> import numpy as np
    >>> x, y = Mixup(num_classes=3, seed=1)(np.eye(3, dtype=np.float32), [0, 1, 2])
    >>> bool(np.allclose(x, y))
    True
    """

    def __init__(
        self, alpha: float = 1.0, num_classes: int | None = None, *, p: float = 1.0,
        mode: str = "batch", seed: int | None = None,
    ):  # fmt: skip
        demand_alpha(alpha)
        self.alpha = alpha
        super().__init__(num_classes, p, mode, seed)

    def sample(self, n, shape, rng):
        """``partner`` and ``lam``, (n,) each."""
        partner = self._partners(n, rng)
        return {"partner": partner, "lam": self._shares(self.alpha, partner, rng)}

    def apply(self, images, targets, params):
        """:func:`mixup` with ``params``."""
        return mixup(images, targets, num_classes=self.num_classes, **params)


# --- SamplePairing ----------------------------------------------------------------------


def sample_pairing(images, targets, others, num_classes: int | None = None):
    """``(x + others) / 2``; the targets stay those of ``x``.

    Args:
        images: (N, ...), array or Tensor.
        targets: labels (N,) or weights (N, C).
        others: what to average with, of the shape and dtype of ``images``.
        num_classes: C, needed for labels.

    Returns:
        ``(images, targets)``, weights (N, C).

    Raises:
        ValueError: shapes that do not fit.

    >>> import numpy as np
    >>> x, y = sample_pairing(np.array([[2.0]]), [1], np.array([[8.0]]), num_classes=2)
    >>> x.tolist(), y.tolist()
    ([[5.0]], [[0.0, 1.0]])
    """
    paired = np.ones(len(batch_of(images, "sample_pairing")), bool)
    return _average(images, targets, others, paired, num_classes)


def _average(images, targets, others, paired, num_classes):
    """:func:`sample_pairing` of those images that are paired."""
    x, z = batch_of(images, "sample_pairing"), array_of(others, "others")
    if z.shape != x.shape or z.dtype != x.dtype:
        raise ArgumentError(
            f"sample_pairing: others should be {x.dtype} of shape {x.shape} as images are, got "
            f"{z.dtype} of shape {z.shape}"
        )
    y = weights_of(targets, num_classes, len(x), floating(x))
    mixed = blend(x, z, along_batch(0.5 * paired, x))
    return like(mixed, images), like(y.copy(), images, targets)


class SamplePairingSchedule:
    """When SamplePairing is on: the four phases of the paper.

    1. ``warmup`` epochs without; 2. and 3. in turns ``on`` epochs with and ``off`` epochs without;
    4. from epoch ``finetune`` on without, to the end.

    Args:
        warmup: 100.
        on: 8.
        off: 2.
        finetune: the first epoch of the last phase; 800. None: it never comes.

    The paper's schedule for ImageNet counts images (300,000 with, 100,000 without, after one
    epoch), not epochs; pass a function of the epoch to :class:`SamplePairing` for others.

    Raises:
        ValueError: no integer of at least 0, ``on`` and ``off`` both 0, or a ``finetune`` before
            the end of ``warmup``.

    >>> schedule = SamplePairingSchedule()
    >>> [epoch for epoch in range(98, 112) if schedule(epoch)]
    [100, 101, 102, 103, 104, 105, 106, 107, 110, 111]
    >>> schedule(797), schedule(800)
    (True, False)
    """

    def __init__(self, warmup: int = 100, on: int = 8, off: int = 2, finetune: int | None = 800):
        for name, value in (("warmup", warmup), ("on", on), ("off", off)):
            check_count(value, name)
        if on + off == 0:
            raise ArgumentError("on and off are both 0: a cycle should have an epoch")
        if finetune is not None and check_count(finetune, "finetune") < warmup:
            raise ArgumentError(f"finetune={finetune} should not be before warmup={warmup} is over")
        self.warmup, self.on, self.off, self.finetune = warmup, on, off, finetune

    def __call__(self, epoch: int) -> bool:
        """Whether it is on in ``epoch``, counted from 0."""
        if epoch < self.warmup or (self.finetune is not None and epoch >= self.finetune):
            return False
        return (epoch - self.warmup) % (self.on + self.off) < self.on

    def __repr__(self):
        given = ", ".join(f"{k}={v!r}" for k, v in vars(self).items())
        return f"SamplePairingSchedule({given})"


class SamplePairing(Mixer):
    """SamplePairing: the average of two images, with the target of the first.

    Inoue, "Data Augmentation by Pairing Samples for Images Classification" (arXiv:1801.02929). The
    second image is drawn uniformly from ``source``, the training set; without one, from the batch.

    Args:
        num_classes: C, needed where targets are labels.
        source: images (M, ...) to pair with, of the dtype and size of those of a batch.
        schedule: a function of the epoch, counted from 0, that says whether to pair: a
            :class:`SamplePairingSchedule` for example. None pairs in every epoch.
        p: probability that a batch (pair, sample) is paired.
        mode: what one ``p`` decides about, see :class:`Mixer`. Each image has a partner of its own
            in every mode.
        seed: None takes one from the default generator.

    Raises:
        ValueError: an argument out of range, or an empty ``source``.

    >>> import numpy as np
    >>> pairing = SamplePairing(num_classes=2, schedule=SamplePairingSchedule(), seed=0)
    >>> x, y = np.array([[0.0], [1.0]]), [0, 1]
    >>> pairing(x, y)[0].ravel()
    array([0., 1.])
    >>> pairing.set_epoch(100)
    >>> pairing(x, y)[0].ravel()
    array([0. , 0.5])
    """

    def __init__(
        self, num_classes: int | None = None, *, source=None,
        schedule: Callable[[int], bool] | None = None, p: float = 1.0, mode: str = "batch",
        seed: int | None = None,
    ):  # fmt: skip
        source = None if source is None else array_of(source, "source")
        if source is not None and not (source.ndim and len(source)):
            raise ArgumentError(f"source should hold images, got shape {source.shape}")
        if schedule is not None and not callable(schedule):
            raise ArgumentError(f"schedule should be a function of the epoch, got {schedule!r}")
        self.source, self.schedule = source, schedule
        super().__init__(num_classes, p, mode, seed)

    def sample(self, n, shape, rng):
        """``partner`` and ``paired``, whether, (n,) each."""
        count = n if self.source is None else len(self.source)
        partner = rng.integers(0, count, n)[0]
        active = self.schedule is None or bool(self.schedule(self.epoch))
        pairs = self._partners(n, rng) if self.mode == "pair" else np.arange(n)
        paired = self._per_sample(pairs, lambda k: rng.random(k)[0] < self.p)
        return {"partner": partner, "paired": paired & active}

    def apply(self, images, targets, params):
        """:func:`sample_pairing` with the images that ``params`` names."""
        x = batch_of(images, "SamplePairing")
        source = x if self.source is None else self.source
        if source.shape[1:] != x.shape[1:] or source.dtype != x.dtype:
            raise ArgumentError(
                f"SamplePairing: source of shape {source.shape} ({source.dtype}) should hold "
                f"images as the batch does, of shape {x.shape} ({x.dtype})"
            )
        others = source[params["partner"]]
        return _average(images, targets, others, params["paired"], self.num_classes)

    def _arguments(self):
        shape = None if self.source is None else self.source.shape
        return {**super()._arguments(), "source": shape}


# --- one of several ---------------------------------------------------------------------


class RandomMixer(Mixer):
    """One of several mixers, drawn anew for each batch.

    Args:
        mixers: at least one, and all of the same number of classes, where they say it.
        weights: how likely each is; equally by default.
        p: probability that a batch is mixed at all.
        seed: None takes one from the default generator. The seeds of the mixers are not used.

    Raises:
        ValueError: no mixer; weights that do not fit; different numbers of classes.
        TypeError: what is no :class:`Mixer`.

    >>> from tensorgrad.augment import CutMix, Mixup
    >>> mixer = RandomMixer([Mixup(0.8, 10, seed=0), CutMix(1.0, 10, seed=0)], seed=0)
    """

    def __init__(self, mixers, weights=None, *, p: float = 1.0, seed: int | None = None):
        self.mixers = list(mixers)
        if not self.mixers:
            raise ArgumentError("mixers should hold at least one mixer")
        for mixer in self.mixers:
            if not isinstance(mixer, Mixer):
                raise TypeError(f"mixers should be Mixers, got a {type(mixer).__name__}")
        known = sorted({m.num_classes for m in self.mixers if m.num_classes is not None})
        if len(known) > 1:
            raise ArgumentError(f"mixers should have one number of classes, got {known}")
        weights = np.ones(len(self.mixers)) if weights is None else np.asarray(weights, float)
        fits = weights.shape == (len(self.mixers),) and np.isfinite(weights).all()
        if not fits or not (weights >= 0).all() or not weights.any():
            raise ArgumentError(
                f"weights should be {len(self.mixers)} numbers of at least 0, got {weights!r}"
            )
        self.weights = (weights / weights.sum()).tolist()
        super().__init__(known[0] if known else None, p, "batch", seed)

    def __copy__(self):
        new = object.__new__(type(self))
        vars(new).update(vars(self), mixers=[copy.copy(mixer) for mixer in self.mixers])
        return new

    def set_epoch(self, epoch):
        """Tell it to every mixer."""
        super().set_epoch(epoch)
        for mixer in self.mixers:
            mixer.set_epoch(epoch)

    def sample(self, n, shape, rng):
        """``choice``, which mixer or None, and its ``params``."""
        choice = int(rng.choice(len(self.mixers), self.weights)[0])
        if rng.random()[0] >= self.p:
            return {"choice": None, "params": {}}
        return {"choice": choice, "params": self.mixers[choice].sample(n, shape, rng)}

    def apply(self, images, targets, params):
        """What the chosen mixer returns."""
        x, choice = batch_of(images, "RandomMixer"), params["choice"]
        if choice is not None and self.num_classes is None:  # one may take it from its model
            return self.mixers[choice].apply(images, targets, params["params"])
        y = weights_of(targets, self.num_classes, len(x), floating(x))
        if choice is None:
            return like(x.copy(), images), like(y.copy(), images, targets)
        return self.mixers[choice].apply(images, like(y, targets), params["params"])
