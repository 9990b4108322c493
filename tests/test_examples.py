"""The examples, run as a user runs them."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scripts import example

import tensorgrad as torch
from tensorgrad.datasets import CIFAR10

ROOT = Path(__file__).parent.parent


def digits(*args, cwd=ROOT):
    script = str(ROOT / "examples" / "digits.py")
    return subprocess.run([sys.executable, script, *args], capture_output=True, text=True, cwd=cwd)


def test_digits_learns_saves_and_repeats(tmp_path):
    runs = [digits("--epochs", "6", "--out", str(tmp_path / name)) for name in ("a", "b")]
    for run in runs:
        assert run.returncode == 0, run.stderr
    lines = [run.stdout.splitlines() for run in runs]
    epochs = [[line for line in out if line.startswith("epoch")] for out in lines]
    assert len(epochs[0]) == 6
    assert epochs[0] == epochs[1]  # the same seed, the same numbers
    accuracy = next(line for line in lines[0] if line.startswith("test accuracy"))
    assert float(accuracy.split()[2].rstrip("%")) > 95
    assert "loaded again, it predicts the same" in runs[0].stdout
    saved = [(tmp_path / name / "digits.safetensors").read_bytes() for name in ("a", "b")]
    assert saved[0] == saved[1]


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["--epochs", "0"], "error: --epochs must be at least 1, got 0"),
        (["--lr", "-1"], "error: --lr must be positive, got -1.0"),
        (["--lr", "nan"], "error: --lr must be positive, got nan"),
        (["--hidden", "x"], "error: argument --hidden: invalid int value: 'x'"),
        (["--nothing"], "error: unrecognized arguments: --nothing"),
        (["--out", __file__], "error: cannot write to --out"),
    ],
)
def test_digits_says_in_one_line_what_is_wrong(args, text):
    run = digits(*args)
    assert run.returncode == 2
    assert text in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr


def test_digits_explains_itself():
    run = digits("--help")
    assert run.returncode == 0
    for option in ("--epochs", "--hidden", "--batch-size", "--lr", "--seed", "--out"):
        assert option in run.stdout


# --- the image examples, within this process: their imports are paid once -----------------

IMAGES = ["mnist_lenet", "cifar_resnet", "classical_digits"]


def test_lenet_learns_the_enlarged_digits(tmp_path, one_thread, capsys):
    assert example("mnist_lenet").main(["--epochs", "5", "--out", str(tmp_path)]) > 0.9
    out = capsys.readouterr().out
    assert "1437 digits to train on, 360 held out" in out
    assert len(re.findall(r"^epoch +\d+  train loss [\d.]+  test accuracy", out, re.M)) == 5
    assert {p.name for p in tmp_path.iterdir()} == {
        "checkpoint.safetensors", "lenet.safetensors", "lenet.png",
    }  # fmt: skip
    model = torch.nn.models.lenet5(modern=True)
    model.load_state_dict(torch.load(tmp_path / "lenet.safetensors"))


def test_the_classical_route_reads_digits(one_thread, capsys):
    assert example("classical_digits").main([]) > 0.98
    assert "1296 features of 1437 + 360 digits" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["mnist_lenet", "cifar_resnet"])
def test_an_interrupted_run_goes_on_to_the_same_numbers(name, tmp_path, one_thread, capsys):
    weights = "lenet.safetensors" if name == "mnist_lenet" else "resnet.safetensors"
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    module = example(name)
    module.draw = lambda *args: None
    result = module.main(["--quick", "--out", str(whole)])
    epochs = re.findall(r"^epoch.*loss ([\d.]+)  test accuracy ([\d.]+)", capsys.readouterr().out,
                        re.M)  # fmt: skip
    assert len(epochs) == 2 and float(epochs[1][0]) < float(epochs[0][0])

    save = module.save_checkpoint

    def save_and_stop(*args):
        save(*args)
        raise KeyboardInterrupt

    module.save_checkpoint = save_and_stop
    with pytest.raises(KeyboardInterrupt):
        module.main(["--quick", "--out", str(broken)])
    module.save_checkpoint = save
    capsys.readouterr()
    assert module.main(["--quick", "--out", str(broken), "--resume"]) == result
    out = capsys.readouterr().out
    assert f"resumed from {broken / 'checkpoint.safetensors'} after epoch 1" in out
    assert re.findall(r"loss ([\d.]+)  test accuracy ([\d.]+)", out) == epochs[1:]
    assert (broken / weights).read_bytes() == (whole / weights).read_bytes()

    with pytest.raises(SystemExit, match=r"was saved under .*'lr'.*, not .*'lr': 0.001"):
        module.main(["--quick", "--out", str(broken), "--resume", "--lr", "1e-3"])


def write_mnist(folder, count=80):
    rng = np.random.default_rng(0)
    for part in ("train", "t10k"):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, count, dtype=np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
            header = bytes([0, 0, 8, array.ndim]) + sizes
            (folder / f"{part}-{kind}-ubyte").write_bytes(header + array.tobytes())


def write_cifar10(folder, records):
    rng = np.random.default_rng(0)
    for name in (*CIFAR10.train_list, *CIFAR10.test_list):
        content = rng.integers(0, 256, (records, 3073), dtype=np.uint8)
        content[:, 0] %= 10
        (folder / name).write_bytes(content.tobytes())


@pytest.mark.parametrize("name", IMAGES)
def test_the_files_of_a_folder_are_read(name, tmp_path, one_thread, monkeypatch, capsys):
    monkeypatch.setattr(CIFAR10, "records", 16)
    write_mnist(tmp_path)
    write_cifar10(tmp_path, 16)
    out = [] if name == "classical_digits" else ["--out", str(tmp_path / "out")]
    example(name).main(["--data", str(tmp_path), "--epochs", "1", *out])
    text = capsys.readouterr().out
    assert {"mnist_lenet": "80 digits to train on, 80 held out",
            "cifar_resnet": "80 images to train on, 16 held out",
            "classical_digits": "features of 80 + 80 digits"}[name] in text  # fmt: skip
    if out:
        picture = "lenet.png" if name == "mnist_lenet" else "resnet.png"
        assert (tmp_path / "out" / picture).stat().st_size > 10_000


@pytest.mark.parametrize("name", IMAGES)
def test_a_folder_without_the_files_is_an_error_in_one_line(name, tmp_path):
    out = [] if name == "classical_digits" else ["--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match=r"error: (MNIST|CIFAR10): .* is neither in") as caught:
        example(name).main(["--data", str(tmp_path), *out])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mnist_lenet", "cifar_resnet"])
@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["--epochs", "0"], "error: --epochs must be at least 1, got 0"),
        (["--batch-size", "0"], "error: --batch-size must be at least 1, got 0"),
        (["--lr", "nan"], "error: --lr must be positive, got nan"),
        (["--download"], "error: --download needs --data"),
        (["--out", __file__], "error: cannot write to --out"),
    ],
)
def test_the_image_examples_say_what_is_wrong(name, args, text, capsys):
    with pytest.raises(SystemExit) as caught:
        example(name).main(args)
    assert caught.value.code == 2
    assert text in capsys.readouterr().err.splitlines()[-1]


def test_the_depth_of_the_small_resnet(capsys):
    module = example("cifar_resnet")
    with pytest.raises(SystemExit):
        module.main(["--depth", "9"])
    assert "error: --depth must be 8, 14, 20, 26..., got 9" in capsys.readouterr().err
    # He et al., table 6: ResNet-20 has 0.27 million parameters; here with 1 x 1 shortcuts.
    assert sum(p.numel() for p in module.SmallResNet(20).parameters()) == 272_474


def test_nothing_to_resume(tmp_path):
    with pytest.raises(SystemExit, match=r"error: --resume found no .*checkpoint"):
        example("mnist_lenet").main(["--quick", "--resume", "--out", str(tmp_path)])
