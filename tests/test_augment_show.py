"""Contact sheets, the page that shows every transform, and the example with nine more digits."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from scripts import module_at

import tensorgrad as torch
from tensorgrad import augment, datasets
from tensorgrad.augment import HorizontalFlip, Mixup, show

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "augment.md"
pytest.importorskip("matplotlib")


# --- show -------------------------------------------------------------------------------


def drawn(fig, rows):
    """What stands in each cell of a sheet, row by row."""
    images = [ax.images[0].get_array() for ax in fig.axes]
    return [images[i : i + len(images) // rows] for i in range(0, len(images), len(images) // rows)]


def test_a_sheet_has_the_image_and_what_epochs_make_of_it():
    images = np.random.default_rng(0).random((3, 3, 6, 5), np.float32)
    fig = show(HorizontalFlip(), images, n=4, seed=2)
    rows = drawn(fig, 3)
    for i, row in enumerate(rows):
        assert len(row) == 5
        np.testing.assert_allclose(row[0], images[i].transpose(1, 2, 0))
        for k in range(4):
            want = HorizontalFlip()(images, seed=2, epoch=k)[i].transpose(1, 2, 0)
            np.testing.assert_allclose(row[k + 1], want)
    assert [ax.get_title() for ax in fig.axes[:5]] == ["before", "1", "2", "3", "4"]
    out = io.BytesIO()
    fig.savefig(out)
    assert out.getvalue()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("shape", "layout"),
    [((4, 4), None), ((1, 4, 4), None), ((2, 3, 4, 4), None), ((2, 4, 4, 3), "NHWC"),
     ((2, 4, 4), "NHW"), ((4, 4, 4), "HWC")],
)  # fmt: skip
def test_layouts_tensors_and_ranges(shape, layout):
    rng = np.random.default_rng(0)
    for images in (rng.random(shape), rng.integers(0, 256, shape).astype(np.uint8),
                   torch.from_numpy(rng.random(shape))):  # fmt: skip
        fig = show(HorizontalFlip(1.0), images, n=1, layout=layout)
        assert len(fig.axes) == 2 * (shape[0] if len(shape) == 4 or layout == "NHW" else 1)
    signed = rng.uniform(-1, 1, shape)
    fig = show(lambda x: x * 9, signed, n=1, layout=layout, value_range=(-1, 1))
    before, after = fig.axes[0].images[0].get_array(), fig.axes[1].images[0].get_array()
    assert before.min() >= 0 and before.max() <= 1
    np.testing.assert_allclose(after, np.clip((before * 2 - 1) * 9, -1, 1) / 2 + 0.5, atol=1e-12)


def test_mixers_are_shown_with_their_weights():
    images, labels = datasets.digits()
    mixer = Mixup(1.0, 10, mode="pair", seed=5)
    options = {"n": 1, "titles": ["a", "b"], "class_names": list("abcdefghij")}
    fig = show(mixer, images[:2], labels[:2], **options)
    texts = [ax.get_xlabel() for ax in fig.axes]
    assert texts[0] == "a: 1.00" and texts[2] == "b: 1.00"
    assert re.fullmatch(r"[ab]: 0\.\d\d  [ab]: 0\.\d\d", texts[1])
    assert [ax.get_title() for ax in fig.axes[:2]] == ["a", "b"]
    assert mixer._calls == 0  # drawing draws nothing of the training
    with pytest.raises(ValueError, match="targets is missing"):
        show(mixer, images[:2])
    fig = show(augment.CutMix(1.0, 3, layout="NHWC"), np.zeros((2, 4, 4, 3)), [0, 1], n=1)
    assert fig.axes[0].images[0].get_array().shape == (4, 4, 3)


@pytest.mark.parametrize(("cls", "count"), [(augment.FiveCrop, 5), (augment.TenCrop, 10)])
def test_crops_are_shown_one_after_another(cls, count):
    images = np.random.default_rng(0).random((2, 1, 8, 6))
    rows = drawn(show(cls(4), images, n=count), 2)
    for k, crop in enumerate(cls(4)(images)):
        np.testing.assert_array_equal([row[k + 1] for row in rows], crop[:, 0])
    with pytest.raises(ValueError, match=f"n must be at most {count}, the number of crops"):
        show(cls(4), images, n=count + 1)
    assert len(show(cls(4), images.transpose(0, 2, 3, 1), n=2, layout="NHWC").axes) == 6


@pytest.mark.parametrize("thing", [3, augment.SMOTE(), HorizontalFlip, None])
def test_what_is_no_transform_is_named(thing):
    with pytest.raises(TypeError, match="transform must be a Transform, a Mixer or a function"):
        show(thing, np.zeros((1, 4, 4)))


@pytest.mark.parametrize("seed", [-1, 1.5, "a", 2**64])
@pytest.mark.parametrize("transform", [HorizontalFlip(), Mixup(1.0, 2), np.negative])
def test_seeds_are_checked_for_all_alike(transform, seed):
    with pytest.raises(ValueError, match="seed must be an integer of at least 0"):
        show(transform, np.zeros((2, 1, 4, 4)), [0, 1], seed=seed)


def test_results_that_cannot_be_drawn_are_told_from_images():
    for function, error in ((lambda x: x > 0, TypeError), (lambda x: x * np.nan, ValueError),
                            (lambda x: x[:, :2], ValueError), (lambda x: None, ValueError),
                            (lambda x: x[0, 0, 0], ValueError)):  # fmt: skip
        with pytest.raises(error, match="what transform returned"):
            show(function, np.zeros((2, 3, 4, 4)))


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((HorizontalFlip(), np.zeros((2, 1, 0, 4))), {}, r"at least one, got shape \(2, 1, 0, 4\)"),
        ((Mixup(1.0, 2), np.zeros((2, 1, 4, 4)), [0, 1]), {"class_names": ["a"]},
         "class_names should name each class, got 1 without one for 1"),
        ((HorizontalFlip(), np.zeros((1, 4, 4))), {"n": 0}, "n must be an integer of at least 1"),
        ((HorizontalFlip(), np.zeros((1, 4, 4))), {"n": 1, "titles": ["a"]}, "name 2 columns, got"),
        ((HorizontalFlip(), np.zeros((0, 1, 4, 4))), {}, r"at least one, got shape \(0, 1, 4, 4\)"),
        ((HorizontalFlip(), np.zeros((1, 2, 4, 4))), {}, "1, 3 or 4 channels to be drawn, got 2"),
        ((lambda x: x[:1], np.zeros((2, 1, 4, 4))), {}, "as many images as it takes, 2, got 1"),
    ],
)
def test_what_cannot_be_drawn_is_named(arguments, options, text):
    with pytest.raises(ValueError, match=text):
        show(*arguments, **options)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "tensorgrad\[plot\]"'):
        show(HorizontalFlip(), np.zeros((1, 4, 4)))


# --- the page ---------------------------------------------------------------------------


def public(base):
    return {
        name for name, value in ((name, getattr(augment, name)) for name in dir(augment))
        if isinstance(value, type) and issubclass(value, base) and value is not base
        and not name.startswith("_")
    }  # fmt: skip


def test_every_transform_mixer_and_sampler_is_on_the_page():
    lines = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.M))
    wanted = public(augment.Transform) | public(augment.Mixer) | public(augment.Sampler)
    assert len(wanted) > 40
    assert lines == wanted, f"run docs/augment.py: {sorted(lines ^ wanted)}"


def test_every_picture_is_there_small_and_shown():
    shown = re.findall(r"!\[[^]]+\]\((augment/\w+\.png)\)", PAGE.read_text())
    there = sorted((PAGE.parent / "augment").iterdir())
    assert sorted(PAGE.parent / name for name in shown) == there
    for name in shown:
        picture = PAGE.parent / name
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert 1_000 < picture.stat().st_size < 200_000


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("PIL")
    return module_at(ROOT / "docs" / "augment.py")


def test_the_tables_are_those_of_the_script(script):
    text = PAGE.read_text()
    for mark, table in (("transforms", script.transform_table()),
                        ("several", script.several_tables())):  # fmt: skip
        assert script.replaced(text, mark, "\n" + table + "\n") == text, "run docs/augment.py"


def test_the_script_draws_the_pictures(script, tmp_path, monkeypatch):
    """All but those of the transforms one by one, of which one sheet is drawn."""
    monkeypatch.setattr(script, "OUT", tmp_path)
    monkeypatch.setattr(script, "STEPS", 2)
    monkeypatch.setattr(script, "transforms", lambda: {"Cutout": augment.Cutout})
    names = script.sheets()
    script.mixer_sheets()
    script.sampler_sheet()
    script.smote_digits()
    drawn = {p.stem for p in tmp_path.iterdir()}
    assert drawn == {"erase", "mixup", "cutmix", "fmix", "snapmix", "samplepairing", "randommixer",
                     "maps", "samplers", "smote_digits"}  # fmt: skip
    assert names["erase"] == ["erase"] and not names["noise"]
    assert {f"augment/{n}.png" for n in drawn} <= set(re.findall(r"augment/\w+\.png",
                                                                PAGE.read_text()))  # fmt: skip


# --- the example ------------------------------------------------------------------------


def test_the_example_makes_nine_more_of_each_digit(tmp_path, capsys):
    example = module_at(ROOT / "examples" / "augment_digits.py")
    before, after = example.main(["--quick", "--sheet", str(tmp_path / "sheet.png")])
    out = capsys.readouterr().out
    assert "784-30-30-30-30-10, 26,520 weights; 797 test digits" in out
    assert "200 digits" in out and "2,000 digits" in out
    assert after > before > 0.4 and after > 0.8
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
    x = torch.rand(2, 1, 28, 28)
    images, labels = example.augmented(x, torch.tensor([3, 5]), 0)
    assert images.shape == (20, 1, 28, 28) and labels.tolist() == [3, 5] * 10
    assert torch.equal(images[:2], x)
    right, down = images[14:16], images[16:18]
    assert torch.equal(right[..., 2:], x[..., :-2]) and (right[..., :2] == 0).all()
    assert torch.equal(down[..., 2:, :], x[..., :-2, :])
    assert example.main(["--quick", "--epochs", "2"]) == example.main(["--quick", "--epochs", "2"])


@pytest.mark.parametrize(
    ("args", "text"),
    [(["--epochs", "0"], "--epochs must be at least 1"), (["--seed", "-1"], "--seed must be at")],
)
def test_the_example_says_what_is_wrong(args, text, capsys):
    with pytest.raises(SystemExit) as stop:
        module_at(ROOT / "examples" / "augment_digits.py").main(args)
    assert stop.value.code == 2 and text in capsys.readouterr().err


def test_the_example_names_missing_files(tmp_path):
    with pytest.raises(SystemExit, match="train-images"):
        module_at(ROOT / "examples" / "augment_digits.py").main(["--data", str(tmp_path)])
