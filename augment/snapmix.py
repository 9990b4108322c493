"""SnapMix: boxes mixed across images, targets weighed by what the model sees inside them."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad._graph import Tensor, wrap
from tensorgrad.errors import ArgumentError
from tensorgrad.nn import functional as F

from .cutmix import box_masks, boxes_of, demand_rank, draw_boxes, image_size
from .mixers import Mixer, batch_of, demand_alpha, demand_layout, partners_of
from .soft_targets import array_of, like, weights_of

__all__ = [
    "SnapMix",
    "class_activation_maps",
    "snapmix",
]


def class_activation_maps(features, weight, bias, targets, size):
    """Where the model sees each image's class: maps (N, H, W) of numbers that sum to one.

    The map of class y is ``W_y relu(F) + b_y`` (Zhou et al., arXiv:1512.04150), enlarged
    bilinearly, minus its minimum, divided by its sum. A constant map, that of a single pixel for
    example, and one that is not finite become ``1 / (H W)`` everywhere.

    Args:
        features: F, (N, D, h, w), what the global pooling takes.
        weight: (C, D) of the linear head.
        bias: (C,) or None.
        targets: labels (N,) or weights (N, C); with weights the maps are averaged by them.
        size: (H, W).

    Raises:
        ValueError: shapes that do not fit.

    >>> import numpy as np
    >>> features = np.array([[[[0.0, 3.0]]]])
    >>> class_activation_maps(features, np.array([[1.0]]), None, [0], (1, 2)).tolist()
    [[[0.0, 1.0]]]
    """
    f, w = array_of(features, "features").astype(np.float64), array_of(weight, "weight")
    if f.ndim != 4 or w.ndim != 2 or w.shape[1] != f.shape[1]:
        raise ArgumentError(
            f"features should be (N, D, h, w) and weight (classes, D), got {f.shape} and {w.shape}"
        )
    b = np.zeros(len(w)) if bias is None else array_of(bias, "bias")
    if b.shape != (len(w),):
        raise ArgumentError(f"bias should have shape ({len(w)},) or be None, got {b.shape}")
    if np.ndim(size) != 1 or len(size) != 2:
        raise ArgumentError(f"size should be (height, width), got {size!r}")
    y = weights_of(targets, len(w), len(f), np.float64)
    if not len(f):
        return np.zeros((0, *size))
    with np.errstate(invalid="ignore", over="ignore"):  # of a model that has diverged
        maps = np.einsum("ndhw,nd->nhw", np.maximum(f, 0), y @ w) + (y @ b)[:, None, None]
        maps = F.interpolate(wrap(maps[:, None]), size=size, mode="bilinear").numpy()[:, 0]
        maps = maps - maps.min((1, 2), keepdims=True)
    total = maps.sum((1, 2), keepdims=True)
    some = (total > 0) & (total < np.inf)
    return np.where(some, maps / np.where(some, total, 1), 1 / (size[0] * size[1]))


def snapmix(
    images, targets, maps, box_a, box_b, partner, num_classes: int | None = None,
    layout: str = "NCHW", reference_quirks: bool = False,
):  # fmt: skip
    """Resize what is in ``box_b`` of the partner into ``box_a``; weigh targets by the maps.

    Args:
        images: a batch of floating-point numbers, array or Tensor.
        targets: labels (N,) or weights (N, C).
        maps: (N, H, W), each sums to one, as :func:`class_activation_maps` returns.
        box_a: where to paste, (top, left, bottom, right).
        box_b: what to paste.
        partner: indices (N,).
        num_classes: C, needed for labels.
        layout: ``"NCHW"``, ``"NHWC"`` or ``"NHW"``.
        reference_quirks: as in :class:`SnapMix`.

    Returns:
        ``(images, targets)``: weights ``rho_a y + rho_b y[partner]``; ``rho_a`` is one minus the
        sum of the image's map in ``box_a``, ``rho_b`` the sum of the partner's map in ``box_b``.
        Where a box is empty, the batch stays as it is.

    Raises:
        ValueError: boxes that are not within the image; shapes that do not fit.
        TypeError: images that are not floating-point.

    >>> import numpy as np
    >>> images, maps = np.zeros((2, 1, 2, 2)), np.full((2, 2, 2), 0.25)
    >>> x, y = snapmix(images, [0, 1], maps, (0, 0, 1, 1), (0, 0, 2, 1), [1, 0], num_classes=2)
    >>> y[0].tolist()
    [0.75, 0.5]
    """
    demand_layout(layout)
    x = floats_of(images, layout)
    n, (height, width) = len(x), image_size(x.shape, layout)
    y = weights_of(targets, num_classes, n, x.dtype)
    partner = partners_of(partner, n)
    maps = array_of(maps, "maps")
    if maps.shape != (n, height, width):
        raise ArgumentError(f"maps should have shape {(n, height, width)}, got {maps.shape}")
    a, b = (boxes_of(box, 1, height, width) for box in (box_a, box_b))
    inside = [box_masks(box, height, width)[0] for box in (a, b)]
    if not n or not all(m.any() for m in inside):
        return like(x.copy(), images), like(y.copy(), images, targets)
    keep = 1 - maps[:, inside[0]].sum(1)
    give = maps[partner][:, inside[1]].sum(1)
    keep, give = np.clip(keep, 0, 1), np.clip(give, 0, 1)  # sums of parts of one, rounded
    if reference_quirks:
        keep, give = _with_quirks(keep, give, maps, y, partner, inside[0].mean())
    mixed = _moved(x, a[0], b[0], partner, layout)
    weighed = y * keep[:, None].astype(y.dtype) + y[partner] * give[:, None].astype(y.dtype)
    return like(mixed, images), like(weighed, images, targets)


def _with_quirks(keep, give, maps, y, partner, area):
    """The weights as the authors' code has them. There a constant map is nan, and so are sums."""
    flat = maps.max((1, 2)) == maps.min((1, 2))
    same = (y == y[partner]).all(1)
    either = same & (flat | flat[partner])
    both = keep + give
    return (
        np.where(flat | either, 1 - area, np.where(same, both, keep)),
        np.where(flat[partner] | either, area, np.where(same, both, give)),
    )


def _moved(x, a, b, partner, layout):
    """A copy of ``x`` with the partner's box ``b``, resized, in box ``a``."""
    out = x.copy()
    view = {"NCHW": out, "NHWC": np.moveaxis(out, -1, 1), "NHW": out[:, None]}[layout]
    crop = np.ascontiguousarray(view[partner, :, b[0] : b[2], b[1] : b[3]])
    size = (int(a[2] - a[0]), int(a[3] - a[1]))
    part = F.interpolate(wrap(crop), size=size, mode="bilinear", align_corners=True)
    view[:, :, a[0] : a[2], a[1] : a[3]] = part.numpy()
    return out


def floats_of(images, layout):
    """Images as :func:`batch_of` has them, refused where they are uint8."""
    x = batch_of(images, "SnapMix", layout)
    if x.dtype.kind != "f":
        raise TypeError(
            f"SnapMix: images should be floating-point, as the model takes them, got {x.dtype}"
        )
    return x


class SnapMix(Mixer):
    """SnapMix: two boxes of different size, targets weighed by their semantic share.

    Huang, Wang and Tao, "SnapMix: Semantically Proportional Mixing for Augmenting Fine-grained
    Data" (arXiv:2012.04846). ``lam_a`` and ``lam_b`` are drawn from Beta(alpha, alpha) and give
    two boxes as in :class:`CutMix`. What box b of the partner holds is resized into box a. The
    weights ``rho_a`` and ``rho_b`` are the share of the image's class activation map outside box
    a and that of the partner's map inside box b: they **need not sum to one**, and where both
    labels are the same their sum, up to 2, is the weight of that class. ``F.cross_entropy`` takes
    such targets and gives the paper's loss; a loss that demands probabilities takes them through
    :func:`mixed_loss`, or with ``normalize=True``.

    The maps come from the model in evaluation mode, without gradients; the mode of each module is
    put back. Any model that ends in a global pooling (average or maximum) and a linear layer will
    do (``nn.models.resnet18`` and its like, ``googlenet``); the two places are found by running
    the model on one image of noise and verified by their numbers. Otherwise pass ``features`` and
    ``head``. A DataLoader's worker would ask the copy of the model that it began with: put SnapMix
    into the loop or a :class:`MixedLoader`, not into ``collate_fn``.

    Args:
        model: a module, called with a batch (N, channels, H, W).
        num_classes: C, needed where targets are labels; by default that of the head.
        features: instead of ``model``: a function from the batch to what the pooling takes,
            (N, D, h, w).
        head: instead of ``model``: a module with a ``weight`` (C, D), as ``nn.Linear`` and
            1 x 1 ``nn.Conv2d``, and a ``bias`` or None.
        alpha: at least 0; 5 as in the authors' code; 0 mixes nothing.
        p: probability that a batch is mixed; the authors take 1 for a pretrained model and 0.5
            from scratch.
        layout: ``"NCHW"``, ``"NHWC"`` or ``"NHW"``; the model is always given the first.
        normalize: divide each row of targets by its sum.
        reference_quirks: as the authors' code: where both labels are the same, each of the two
            gets ``rho_a + rho_b``, so that the class counts twice; where a map is constant, the
            share of the pixels of box a stands in for the weights that it enters.
        seed: None takes one from the default generator.

    Raises:
        ValueError: an argument out of range; neither a model nor features and head; a model
            without global pooling before a linear layer, or with another number of classes.
        TypeError: a model that is no module, features that are no function.

    >>> import tensorgrad as torch
    >>> model = torch.nn.models.resnet18(num_classes=3, small=True)
    >>> mixer = SnapMix(model, seed=0)
    >>> images, targets = mixer(torch.rand(2, 3, 16, 16), torch.tensor([0, 2]))
    >>> images.shape, targets.shape
    (torch.Size([2, 3, 16, 16]), torch.Size([2, 3]))
    """

    def __init__(
        self, model: nn.Module | None = None, num_classes: int | None = None, *, features=None,
        head=None, alpha: float = 5.0, p: float = 1.0, layout: str = "NCHW",
        normalize: bool = False, reference_quirks: bool = False, seed: int | None = None,
    ):  # fmt: skip
        if (model is None) == (features is None) or (features is None) != (head is None):
            raise ArgumentError("SnapMix takes a model, or features and head")
        if model is not None and not isinstance(model, nn.Module):
            raise TypeError(f"model should be a Module, got {type(model).__name__}")
        if head is not None and not (callable(features) and hasattr(head, "weight")):
            raise TypeError("features should be a function, and head a module with a weight")
        demand_alpha(alpha)
        demand_layout(layout)
        self.model, self.features, self.head = model, features, head
        self.alpha, self.layout = alpha, layout
        self.normalize, self.reference_quirks = normalize, reference_quirks
        self._place = None
        super().__init__(num_classes, p, "batch", seed)

    def sample(self, n, shape, rng):
        """``partner`` (n,), ``box_a`` and ``box_b`` (4,)."""
        demand_rank(shape, self)
        partner = self._partners(n, rng)
        height, width = image_size(shape, self.layout)
        lam = rng.beta(self.alpha, self.alpha, 2)[0] if self.alpha > 0 else np.ones(2)
        if rng.random()[0] >= self.p:
            lam = np.ones(2)
        box_a, box_b = draw_boxes(lam, height, width, rng)
        return {"partner": partner, "box_a": box_a, "box_b": box_b}

    def apply(self, images, targets, params):
        """:func:`snapmix` with ``params`` and the maps of the model."""
        x = floats_of(images, self.layout)
        features, weight, bias = self._activations(_channels_first(x, self.layout))
        classes = len(weight)
        if self.num_classes not in (None, classes):
            raise ArgumentError(
                f"SnapMix: num_classes={self.num_classes}, but the head gives {classes} scores"
            )
        y = weights_of(targets, classes, len(x), x.dtype)
        maps = class_activation_maps(features, weight, bias, y, image_size(x.shape, self.layout))
        mixed, weighed = snapmix(
            images, like(y, targets), maps, num_classes=classes, layout=self.layout,
            reference_quirks=self.reference_quirks, **params,
        )  # fmt: skip
        if self.normalize:
            total = weighed.sum(1)[:, None]
            weighed = weighed / (total + (total == 0))
        return mixed, weighed

    def _activations(self, batch):
        """What the pooling takes, and weight and bias of the head."""
        if self.features is not None:
            with tg.no_grad():
                found, head = self.features(wrap(batch)), self.head
        else:
            with tg.no_grad(), _Evaluation(self.model):
                if self._place is None:
                    self._place = find_pooled(self.model, _noise(batch))
                module, side, head = self._place
                found = _seen(self.model, module, side, batch)
        weight = array_of(head.weight, "head.weight")
        bias = None if getattr(head, "bias", None) is None else array_of(head.bias, "head.bias")
        return found, weight.reshape(len(weight), -1), bias

    def _arguments(self):
        named = super()._arguments()
        for name in ("model", "features", "head"):
            named[name] = None if named[name] is None else type(named[name]).__name__
        return {k: v for k, v in named.items() if k != "_place"}


def _channels_first(x, layout):
    """The batch as (N, C, H, W)."""
    if layout == "NHW":
        return np.ascontiguousarray(x[:, None])
    return np.ascontiguousarray(np.moveaxis(x, -1, 1) if layout == "NHWC" else x)


# --- where a model pools ----------------------------------------------------------------


def _noise(batch):
    """An image of noise: of a black one, or of none, many maps have the mean of those pooled."""
    shape = (1, *batch.shape[1:])
    return np.random.RandomState(0).standard_normal(shape).astype(batch.dtype)


class _Evaluation:
    """A model in evaluation mode for a while; each of its modules then gets its mode back."""

    def __init__(self, model):
        self.model = model

    def __enter__(self):
        self.modes = [(m, m.training) for m in self.model.modules()]
        self.model.eval()

    def __exit__(self, *error):
        for module, mode in self.modes:
            module.training = mode


def _watched(model, modules, hook, batch):
    """Run the model with a forward hook on each of ``modules``."""
    handles = [m.register_forward_hook(hook) for m in modules]
    try:
        model(wrap(batch))
    finally:
        for handle in handles:
            handle.remove()


def _seen(model, module, side, batch):
    """The first input or the output of ``module`` in its last call."""
    kept = {}

    def keep(module, inputs, output):
        kept["value"] = inputs[0] if side == "input" else output

    _watched(model, [module], keep, batch)
    return kept["value"]


def find_pooled(model, batch):
    """(module, "input" or "output", head): where the maps are before pooling, and the linear layer.

    The head is the last linear layer called on rows (N, D). The maps are the largest values
    (N, D, h, w) that a module took or gave before it, whose mean (or maximum) over h and w is what
    the head took.

    Raises:
        ValueError: there are none.
    """
    maps, calls = {}, []

    def watch(module, inputs, output):
        if isinstance(module, nn.Linear) and inputs[0].ndim == 2:
            calls.append((module, array_of(inputs[0], "rows"), dict(maps)))
        for side, value in (("input", inputs[0] if inputs else None), ("output", output)):
            if isinstance(value, Tensor) and value.ndim == 4:
                maps[module, side] = value

    _watched(model, list(model.modules()), watch, batch)
    if calls:
        head, rows, before = calls[-1]
        good = {place: v for place, v in before.items() if _pools_to(array_of(v, "maps"), rows)}
        # What another pooling gives is maps of one pixel, too, but of larger ones.
        largest = max((v.numel() for v in before.values() if v.shape[:2] == rows.shape), default=0)
        if good and (largest == rows.size or max(v.numel() for v in good.values()) > rows.size):
            module, side = max(good, key=lambda place: good[place].numel())
            return module, side, head
    raise ArgumentError(
        f"{type(model).__name__} has no global average or maximum pooling before its last linear "
        "layer, so there is no class activation map; pass features= (the maps before pooling) and "
        "head="
    )


def _pools_to(maps, rows):
    """Whether the rows are the means of the maps, to the rounding of sums, or their maxima."""
    if maps.shape[:2] != rows.shape or not rows.any():
        return False
    close = {"rtol": 1e-4, "atol": 1e-6 * float(np.abs(maps).max())}
    pooled = (maps.mean((2, 3)), maps.max((2, 3)))
    return any(np.allclose(values, rows, **close) for values in pooled)
