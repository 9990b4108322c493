"""The examples, run as a user runs them."""

import subprocess
import sys
from pathlib import Path

import pytest

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
