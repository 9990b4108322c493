"""Draw the pictures of docs/augment.md and write its tables: every transform on a photograph.

    python docs/augment.py            # rewrite docs/augment/*.png and the tables of the page

The photograph comes with matplotlib (Grace Hopper, by James S. Davis, US Navy, public domain); the
digits are embedded in the package. What the tables say is what the transforms did when they were
called here.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import cbook
from PIL import Image

import tensorgrad as torch
from tensorgrad import augment, datasets, nn
from tensorgrad.augment._transform import REGISTRY
from tensorgrad.nn import functional as F

PAGE = Path(__file__).parent / "augment.md"
OUT = Path(__file__).parent / "augment"
# Where a transform is not drawn with its defaults: those draw too little to see, or there are none.
CALLS = {
    "Affine": "Affine(20, (0.1, 0.1), (0.8, 1.2), 10)",
    "CLAHE": "CLAHE()",
    "CenterCrop": "CenterCrop(40)",
    "CoarseDropout": "CoarseDropout((4, 8))",
    "ColorJitter": "ColorJitter(0.4, 0.4, 0.4, 0.1)",
    "Compose": "Compose([Rotate(20), GaussianNoise()])",
    "Crop": "Crop(8, 8, 40, 40)",
    "Cutout": "Cutout(20)",
    "ElasticTransform": "ElasticTransform()",
    "Erase": "Erase(10, 20, 16, 24)",
    "FiveCrop": "FiveCrop(32)",
    "GaussianBlur": "GaussianBlur(7)",
    "JPEG": "JPEG((2, 20))",
    "MeanBlur": "MeanBlur(5)",
    "MedianBlur": "MedianBlur(5)",
    "MotionBlur": "MotionBlur(9)",
    "Normalize": "Normalize(0.5, 0.25)",
    "OneOf": "OneOf([HorizontalFlip(1.0), VerticalFlip(1.0), RandomInvert(1.0)])",
    "Pad": "Pad(8)",
    "PoissonNoise": "PoissonNoise(20.0)",
    "RandomAdjustSharpness": "RandomAdjustSharpness((0.0, 8.0), p=1.0)",
    "RandomApply": "RandomApply(VerticalFlip(1.0), p=0.5)",
    "RandomAutocontrast": "RandomAutocontrast()",
    "RandomCrop": "RandomCrop(40)",
    "RandomGamma": "RandomGamma((0.4, 2.5), p=1.0)",
    "RandomGrayscale": "RandomGrayscale(0.5)",
    "RandomOrder": "RandomOrder([RandomPosterize(1, p=1.0), GaussianBlur(7)])",
    "RandomPosterize": "RandomPosterize((1, 4), p=1.0)",
    "RandomResizedCrop": "RandomResizedCrop(48)",
    "RandomSolarize": "RandomSolarize((50, 200), p=1.0)",
    "Resize": "Resize(28)",
    "Rotate": "Rotate(30)",
    "SaltAndPepperNoise": "SaltAndPepperNoise((0.02, 0.2))",
    "Scale": "Scale((0.6, 1.4))",
    "Sequential": "Sequential(HorizontalFlip(), VerticalFlip())",
    "Shear": "Shear(20)",
    "Shift": "Shift(0.2, 0.2)",
    "SpeckleNoise": "SpeckleNoise(0.3)",
    "TenCrop": "TenCrop(32)",
}  # fmt: skip
SHEETS = {
    "geometry": "Geometry", "colour": "Colour", "histogram": "Histogram", "blur": "Blur",
    "noise": "Noise", "erase": "Content taken away", "policies": "Policies",
    "compose": "Pipelines",
}  # fmt: skip
SIDE, TIMES, ROWS = 56, 5, 12
DRAWS = 40  # of a transform: some refuse an image only where they are drawn to change it
STEPS = 120  # of training the network that SnapMix asks


# --- what there is ----------------------------------------------------------------------


def transforms():
    """Public name -> class of every transform, by module and name."""
    found = {n: c for n, c in REGISTRY.items()
             if c.__module__.startswith("tensorgrad.augment.") and hasattr(augment, n)}  # fmt: skip
    return dict(sorted(found.items(), key=lambda item: (item[1].__module__, item[0])))


def samplers():
    """The samplers and the mixers, public name -> class."""
    public = {n: getattr(augment, n) for n in dir(augment)}
    public = {n: c for n, c in public.items() if isinstance(c, type)}
    wanted = (augment.Sampler, augment.Mixer)
    return {n: c for n, c in sorted(public.items()) if issubclass(c, wanted) and c not in wanted}


def made(name):
    """The transform as the page shows it, and the call that made it."""
    call = CALLS.get(name, f"{name}()")
    return eval(call, dict(vars(augment))), call


def topic(cls):
    """Which sheet a transform is on."""
    module = cls.__module__.rpartition(".")[2]
    return module if module in SHEETS else "policies" if "polic" in module else "geometry"


# --- pictures ---------------------------------------------------------------------------


def photograph(side=SIDE):
    """The photograph, (side, side, 3), uint8."""
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    face = plt.imread(path)[20:440, 60:480]
    return np.asarray(Image.fromarray(face).resize((side, side), Image.Resampling.BOX))


def drawable(image):
    """An array (H, W, C) as uint8 (H, W, 3); what is in no range is stretched to it."""
    if image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        if low < 0 or high > 1:
            image = (image - low) / max(high - low, 1e-9)
        image = np.rint(image * 255).astype(np.uint8)
    return np.repeat(image, 3, 2) if image.shape[2] == 1 else image


def called(transform, image, epoch):
    """The images that a call gives; all but the crops give one."""
    if isinstance(transform, augment.FiveCrop):
        return list(transform(image, layout="HWC"))
    return [transform(image, seed=0, epoch=epoch, layout="HWC")]


def results(transform, image):
    """What the transform makes of the photograph in the first epochs."""
    if isinstance(transform, augment.Normalize):  # it takes floats alone
        image = fractions(image)
    return [i for k in range(TIMES) for i in called(transform, image, k)][:TIMES]


def fractions(image):
    """uint8 as floats in 0..1."""
    return (image / np.float32(255)).astype(np.float32)


def strip(images, gap=4):
    """Images side by side on white, each in a cell as large as the largest."""
    height, width = (max(i.shape[d] for i in images) for d in (0, 1))
    out = np.full((height, len(images) * (width + gap) - gap, 3), 255, np.uint8)
    for k, image in enumerate(images):
        top = (height - image.shape[0]) // 2
        left = k * (width + gap) + (width - image.shape[1]) // 2
        out[top : top + image.shape[0], left : left + image.shape[1]] = image
    return out


def save(fig, name):
    """Write one picture, of 256 colours."""
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=100)
    plt.close(fig)
    picture = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(OUT / f"{name}.png", optimize=True)


def sheet(name, title, rows):
    """A picture of (call, strip) pairs, two beside each other."""
    lines = -(-len(rows) // 2)
    fig, axes = plt.subplots(lines, 2, figsize=(9, 0.25 + 0.95 * lines), squeeze=False,
                             layout="constrained")  # fmt: skip
    for ax in axes.flat:
        ax.axis("off")
    for ax, (call, image) in zip(axes.flat, rows, strict=False):
        ax.imshow(image, interpolation="nearest")
        ax.set_title(call if len(call) < 68 else call[:65] + "...", fontsize=7, family="monospace")
    fig.suptitle(title, fontsize=9)
    save(fig, name)


def sheets():
    """Every transform; returns the names of the pictures by topic."""
    image = photograph()
    rows: dict = {topic: [] for topic in SHEETS}
    for name, cls in transforms().items():
        transform, call = made(name)
        drawn = [image, *map(drawable, results(transform, image))]
        rows[topic(cls)].append((call, strip(drawn)))
    names = {}
    for key, title in SHEETS.items():
        parts = [rows[key][i : i + ROWS] for i in range(0, len(rows[key]), ROWS)]
        names[key] = [key if len(parts) == 1 else f"{key}{i + 1}" for i in range(len(parts))]
        for part, picture in zip(parts, names[key], strict=True):
            sheet(picture, f"{title}: the photograph, then epochs 0 to {TIMES - 1}", part)
    return names


# --- several samples --------------------------------------------------------------------


def digits(side=24):
    """Embedded digits, enlarged, and labels."""
    images, labels = datasets.digits()
    images = F.interpolate(images, size=(side, side), mode="bilinear")
    return images.clamp(0, 1), labels


def network():
    """A small network with global pooling, trained on a part of the digits for a moment."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(32, 10),
    )  # fmt: skip
    images, labels = digits()
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(STEPS):
        rows = slice(step * 64 % 1728, step * 64 % 1728 + 64)
        adam.zero_grad()
        F.cross_entropy(model(images[rows]), labels[rows]).backward()
        adam.step()
    return model


def mixer_sheets():
    """Each mixer on four digits; returns the calls."""
    images, labels = digits()
    images, labels = images[10:14], labels[10:14]
    model = network()
    calls = {
        "Mixup": augment.Mixup(1.0, 10, mode="pair", seed=4),
        "CutMix": augment.CutMix(1.0, 10, mode="elem", seed=2),
        "FMix": augment.FMix(1.0, 10, mode="elem", seed=2),
        "SnapMix": augment.SnapMix(model, 10, alpha=1.0, seed=1),
        "SamplePairing": augment.SamplePairing(10, seed=0),
        "RandomMixer": augment.RandomMixer(
            [augment.Mixup(1.0, 10, seed=0), augment.CutMix(1.0, 10, seed=0)], seed=3
        ),
    }
    for name, mixer in calls.items():
        fig = augment.show(mixer, images, labels, n=4, seed=1)
        fig.suptitle(name, fontsize=9)
        buffered(fig, name.lower())
    activation_maps(model, images, labels)


def buffered(fig, name):
    """Write a picture that belongs to no window."""
    plt.figure(fig)
    save(fig, name)


def activation_maps(model, images, labels):
    """What SnapMix weighs by."""
    features, head = model[:5], model[7]
    with torch.no_grad():
        maps = augment.class_activation_maps(
            features(images), head.weight, head.bias, labels, images.shape[2:]
        )
    fig, axes = plt.subplots(1, 8, figsize=(8, 1.4), layout="constrained")
    for k in range(4):
        axes[2 * k].imshow(images[k, 0].numpy(), cmap="gray")
        axes[2 * k + 1].imshow(maps[k])
        axes[2 * k].set_title(f"label {labels[k].item()}", fontsize=8)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    fig.suptitle("Class activation maps of four digits: bright is where the label is seen",
                 fontsize=9)  # fmt: skip
    save(fig, "maps")


def plane():
    """Two classes in the plane, 120 and 24 samples."""
    rng = np.random.default_rng(3)
    angle = rng.uniform(0, np.pi, 120)
    many = np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(0, 0.18, (120, 2))
    few = rng.normal(0.35, 0.28, (24, 2))
    return np.concatenate([many, few]), np.repeat([0, 1], [120, 24])


def sampler_sheet():
    """Each sampler on the same plane."""
    X, y = plane()
    codes = np.concatenate([X, (X[:, :1] > 0.4).astype(float)], 1)
    shown = [
        ("before", None, X),
        ("RandomOverSampler(shrinkage=1)", augment.RandomOverSampler(
            random_state=0, shrinkage=1), X),
        ("RandomUnderSampler()", augment.RandomUnderSampler(random_state=0), X),
        ("SMOTE()", augment.SMOTE(random_state=0), X),
        ("BorderlineSMOTE()", augment.BorderlineSMOTE(random_state=0), X),
        ('BorderlineSMOTE(kind="borderline-2")', augment.BorderlineSMOTE(
            random_state=0, kind="borderline-2"), X),
        ("ADASYN()", augment.ADASYN(random_state=0), X),
        ("SMOTENC([2]), a third column: right or left", augment.SMOTENC([2], random_state=0),
         codes),
    ]  # fmt: skip
    fig, axes = plt.subplots(2, 4, figsize=(11, 5.2), layout="constrained")
    for ax, (title, sampler, data) in zip(axes.flat, shown, strict=True):
        points, labels = (data, y) if sampler is None else sampler.fit_resample(data, y)
        old = len(y) if len(labels) >= len(y) else len(labels)
        for label, colour in ((0, "tab:blue"), (1, "tab:red")):
            mine = labels[:old] == label
            ax.scatter(*points[:old][mine, :2].T, s=9, c=colour, label=f"class {label}")
        new = points[old:]
        if len(new):
            marker = "^" if data is codes else "o"
            right = new[:, 2] > 0 if data is codes else np.ones(len(new), bool)
            ax.scatter(*new[right, :2].T, s=11, marker=marker, c="none", edgecolors="tab:orange")
            ax.scatter(*new[~right, :2].T, s=11, marker="v", c="none", edgecolors="tab:purple")
        ax.set_title(title, fontsize=8)
        ax.set(xticks=[], yticks=[])
    axes[0, 0].legend(fontsize=7)
    fig.suptitle("Samplers: full are given samples, hollow are new ones", fontsize=9)
    save(fig, "samplers")


def smote_digits():
    """New digits between two of a kind."""
    images, labels = datasets.digits(flat=True, as_tensor=False)
    keep = np.concatenate([np.flatnonzero(labels == 3)[:60], np.flatnonzero(labels != 3)[:1000]])
    new = augment.SMOTE(sampling_strategy={3: 72}, random_state=0).fit_resample(
        images[keep], (labels[keep] == 3) * 3
    )[0][len(keep) :]
    fig, axes = plt.subplots(2, 12, figsize=(9, 1.9), layout="constrained")
    for ax, picture in zip(axes.flat, [*images[keep[:12]], *new], strict=True):
        ax.imshow(picture.reshape(8, 8), cmap="gray")
        ax.set(xticks=[], yticks=[])
    axes[0, 0].set_ylabel("given", fontsize=8)
    axes[1, 0].set_ylabel("SMOTE", fontsize=8)
    save(fig, "smote_digits")


# --- tables -----------------------------------------------------------------------------


def first_sentence(cls):
    """The beginning of its docstring, without markup."""
    text = re.sub(r"\s+", " ", (cls.__doc__ or "").strip()).split(". ")[0].rstrip(".")
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"\1", text).replace("``", "")
    text = re.sub(r"[,;] (see \w+|arguments as .*)$", "", text)
    return text.replace("|", "\\|")


def taken(transform, image):
    """Whether it takes such an image, whatever is drawn, and what size comes out."""
    try:
        out, *_ = [called(transform, image, epoch)[0] for epoch in range(DRAWS)]
    except (TypeError, ValueError):
        return False, None
    return out.dtype == image.dtype, out.shape[:2]


def facts(name):
    """The cells of a transform's line: found out by calling it."""
    transform, _ = made(name)
    image = photograph()
    floats = fractions(image)
    whole, _ = taken(transform, image)
    one, _ = taken(transform, floats[:, :, :1])
    five, _ = taken(transform, np.concatenate([floats, floats[:, :, :2]], axis=2))
    fraction, size = taken(transform, floats)
    result = called(transform, floats, 0)[0] if fraction else floats
    inside = result.min() >= 0 and result.max() <= 1
    return {
        "channels": ("any" if one and five else "1, 3" if one else "3")
        + (", gives 1" if result.shape[2] == 1 else ""),
        "types": " ".join(t for t, yes in (("uint8", whole), ("float", fraction)) if yes),
        "range": "kept" if inside else "left",
        "size": "kept" if size == (SIDE, SIDE) else "changed",
        "targets": targets_of(transform),
    }


def targets_of(transform):
    """What becomes of boxes, masks and keypoints."""
    if isinstance(transform, augment.FiveCrop):
        return "not taken"
    inner = getattr(transform, "transforms", None)
    if inner:
        return "as within"
    return "move along" if transform.geometric else "stay"


def transform_table():
    """One line for each transform."""
    lines = [
        "| transform | what it does | channels | takes, keeps | range | size | boxes, masks, "
        "keypoints |\n| --- | --- | --- | --- | --- | --- | --- |\n"
    ]
    for name, cls in transforms().items():
        f = facts(name)
        lines.append(
            f"| `{name}` | {first_sentence(cls)} | {f['channels']} | {f['types']} | {f['range']} | "
            f"{f['size']} | {f['targets']} |\n"
        )
    return "".join(lines)


# What each needs beside the data, and what its result is: mixers, then samplers.
NEEDS = {
    "Mixup": ("labels or weights; any rank", "sum 1"),
    "CutMix": ("labels or weights; images", "sum 1, shares of pixels"),
    "FMix": ("labels or weights; images", "sum 1, shares of pixels"),
    "SamplePairing": ("labels or weights; the training images or a batch", "those of the first"),
    "SnapMix": ("labels; floats; a model with global pooling", "semantic shares, any sum up to 2"),
    "RandomMixer": ("what its mixers need", "as the mixer drawn"),
    "SMOTE": ("numbers; more than `k_neighbors` samples of each class", "float"),
    "BorderlineSMOTE": ("as SMOTE; classes that touch", "float"),
    "SMOTENC": ("as SMOTE; columns of categories and of numbers", "dtype of the table"),
    "ADASYN": ("as SMOTE; classes that touch", "float"),
    "GANAugment": ("numbers; `min_samples` of each class; a generator is trained", "float"),
    "RandomOverSampler": ("anything; numbers for `shrinkage`", "dtype of the table"),
    "RandomUnderSampler": ("anything", "dtype of the table"),
}


def several_tables():
    """One line for each mixer and each sampler."""
    tables = {augment.Mixer: "| mixer | what it does | needs | weights of targets |\n",
              augment.Sampler: "| sampler | what it does | needs | result |\n"}  # fmt: skip
    for base in tables:
        tables[base] += "| --- | --- | --- | --- |\n"
        for name, cls in samplers().items():
            if issubclass(cls, base):
                needs, result = NEEDS[name]
                tables[base] += f"| `{name}` | {first_sentence(cls)} | {needs} | {result} |\n"
    return "\n".join(tables.values())


def shown(names):
    """The pictures of the transforms, as lines of the page."""
    return "".join(
        f"### {SHEETS[key]}\n\n" + "".join(f"![{SHEETS[key].lower()}](augment/{n}.png)\n\n"
                                           for n in pictures)
        for key, pictures in names.items() if pictures
    )  # fmt: skip


def replaced(text, mark, content):
    """The page with what stands between the two marks exchanged."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    before, _, rest = text.partition(begin)
    return before + begin + content + end + rest.partition(end)[2]


def main():
    """Draw the pictures and write the tables."""
    OUT.mkdir(exist_ok=True)
    names = sheets()
    mixer_sheets()
    sampler_sheet()
    smote_digits()
    text = PAGE.read_text()
    text = replaced(text, "pictures", "\n" + shown(names))
    text = replaced(text, "transforms", "\n" + transform_table() + "\n")
    text = replaced(text, "several", "\n" + several_tables() + "\n")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
