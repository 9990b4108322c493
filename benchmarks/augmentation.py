"""Augmentation of batches beside a loop over the images with Pillow.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.augmentation

Both get the same uint8 images, an array (N, H, W, C), and give one back; both draw a new amount
for each image. They take turns, and which one begins changes from round to round. Printed are
medians over the rounds: microseconds an image, and the ratio to Pillow's in the same round (below
1 is faster). ``--threads 2`` adds the same with as many threads, ``--memory`` the largest memory
that a call took, in sizes of its batch and with the batch, ``--floats`` float32 images as well.
The times are those of the clock; ``--cpu`` takes those of the processor, for a machine that is
busy, where threads cannot be compared.

"standard" is the pipeline of the recipes for CIFAR-10: padding by an eighth and a random crop,
a mirror, brightness, contrast and saturation by up to 40 % in a drawn order, and a square cut out.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
import tracemalloc

import numpy as np

import tensorgrad as torch
from tensorgrad import augment

SIZES = {32: 256, 224: 64}


def batch(size, n):
    """Images with edges and slopes, not noise."""
    y, x = np.mgrid[:size, :size] * (8 / size)
    phase = np.random.default_rng(0).random((n, 1, 1, 3)) * 6
    waves = np.sin(x[..., None] * phase + y[..., None]) + (x + y > 8)[..., None]
    return np.clip(waves * 80 + 90, 0, 255).astype(np.uint8)


def standard(size):
    """The recipe as one transform."""
    return augment.Compose([
        augment.RandomCrop(size, padding=size // 8),
        augment.HorizontalFlip(),
        augment.ColorJitter(0.4, 0.4, 0.4),
        augment.Cutout(size // 2),
    ])  # fmt: skip


def standard_by_pillow(size):
    """The same for one picture of Pillow."""
    from PIL import Image, ImageEnhance, ImageOps

    enhancers = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color]
    pad, hole = size // 8, size // 2

    def run(picture):
        left, top = random.randint(0, 2 * pad), random.randint(0, 2 * pad)
        padded = ImageOps.expand(picture, pad)
        picture = padded.crop((left, top, left + size, top + size))
        if random.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for enhancer in random.sample(enhancers, 3):
            picture = enhancer(picture).enhance(random.uniform(0.6, 1.4))
        x, y = random.randrange(size) - hole // 2, random.randrange(size) - hole // 2
        picture.paste(0, (x, y, x + hole, y + hole))
        return picture

    return run


def cases(size):
    """Name -> (transform, the same for one picture of Pillow)."""
    from PIL import Image

    way = Image.Resampling

    def crop(picture):
        pad = size // 8
        left, top = random.randint(-pad, pad), random.randint(-pad, pad)
        picture = picture.crop((left, top, left + size, top + size))
        mirrored = random.random() < 0.5
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else picture

    def part(picture):
        side = random.uniform(0.3, 1) * size
        left, top = random.uniform(0, size - side), random.uniform(0, size - side)
        box = (left, top, left + side, top + side)
        return picture.resize((size, size), way.BILINEAR, box=box)

    flip = augment.HorizontalFlip()
    return {
        "rotate": (
            augment.Rotate(30), lambda p: p.rotate(random.uniform(-30, 30), way.BILINEAR),
        ),
        "rotate, bicubic": (
            augment.Rotate(30, interpolation="bicubic"),
            lambda p: p.rotate(random.uniform(-30, 30), way.BICUBIC),
        ),
        "crop and mirror": (augment.Compose([augment.RandomCrop(size, size // 8), flip]), crop),
        "resize to half": (
            augment.Resize(size // 2), lambda p: p.resize((size // 2, size // 2), way.BILINEAR),
        ),
        "random resized crop": (augment.RandomResizedCrop(size, (0.09, 1.0)), part),
        "standard": (standard(size), standard_by_pillow(size)),
    }  # fmt: skip


def by_pillow(images, run):
    """A function that runs ``run`` on each image, from array to array."""
    from PIL import Image

    return lambda: np.stack([np.asarray(run(Image.fromarray(image))) for image in images])


def by_us(images, transform, threads):
    """A function that runs a transform on the batch."""

    def call():
        torch.set_num_threads(threads)
        return transform(images, layout="NHWC")

    return call


def contenders(images, transform, run, settings):
    """Name -> function, and name -> size of its batch."""
    out, sizes = {"Pillow": by_pillow(images, run)}, {}
    out["here"] = by_us(images, transform, 1)
    if settings.floats:
        floats = (images / 255).astype(np.float32)
        out["here, float32"] = by_us(floats, transform, 1)
        sizes["here, float32"] = floats.nbytes
    if settings.threads > 1:
        out[f"here, {settings.threads} threads"] = by_us(images, transform, settings.threads)
    return out, {name: sizes.get(name, images.nbytes) for name in out}


def timed(functions, rounds, clock):
    """Times of every function in each of ``rounds``, in turns."""
    times = {name: [] for name in functions}
    names = list(functions)
    for function in functions.values():
        function()
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            start = clock()
            functions[name]()
            times[name].append(clock() - start)
    return times


def peak(function, size):
    """The largest memory of a call with its batch, in sizes of the batch."""
    tracemalloc.start()
    function()
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return 1 + taken / size


def main(arguments=None):
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--floats", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="time of the processor")
    parser.add_argument("--smoke", action="store_true", help="a few small images")
    settings = parser.parse_args(arguments)
    before = torch.get_num_threads()
    clock = time.process_time if settings.cpu else time.perf_counter
    print(f"{'':20} {'':9} {'':>20} {'us/image':>9} {'of Pillow':>9}  memory")
    for size, n in ({16: 4} if settings.smoke else SIZES).items():
        images = batch(size, n)
        for name, (transform, run) in cases(size).items():
            functions, sizes = contenders(images, transform, run, settings)
            times = timed(functions, settings.rounds, clock)
            for who, values in times.items():
                ratio = statistics.median(
                    mine / max(theirs, 1e-9)
                    for mine, theirs in zip(values, times["Pillow"], strict=True)
                )
                memory = f"{peak(functions[who], sizes[who]):.1f}" if settings.memory else ""
                each = statistics.median(values) / n * 1e6
                what = f"{name:20} {f'{size}x{size}x3':9} {who:>20}"
                print(f"{what} {each:9.1f} {ratio:9.2f}  {memory}")
    torch.set_num_threads(before)


if __name__ == "__main__":
    main()
