"""The benchmarks run, and their contenders compute the same numbers. No time is asserted."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
if not (ROOT / "benchmarks").is_dir():
    pytest.skip("the benchmarks live in the repository", allow_module_level=True)

sys.path.insert(0, str(ROOT))
try:
    from benchmarks import footprint, measure
    from benchmarks.__main__ import main
    from benchmarks.cases import TIMED, Photos
    from benchmarks.contenders import IMPORTS, environment, takes_part
    from benchmarks.report import Series, summary, table
finally:
    sys.path.remove(str(ROOT))

STEPS = 5
ENV = os.environ | environment(1) | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def ask():
    """Send a command to a contender's worker, which is started once for all tests."""
    workers = {}

    def ask(contender, *words):
        if find_spec(contender) is None:
            pytest.skip(f"{contender} is not installed")
        if contender not in workers:
            workers[contender] = measure.Process(contender, ENV, "--smoke")
        return workers[contender].ask(*words)

    yield ask
    for worker in workers.values():
        assert worker.close() == 0


@pytest.mark.parametrize("contender", [name for name in IMPORTS if name != "numpy"])
@pytest.mark.parametrize("case", TIMED)
def test_contenders_agree(ask, contender, case):
    if not takes_part(contender, TIMED[case]):
        pytest.skip("does not take part in this case")
    reference = "numpy" if takes_part("numpy", TIMED[case]) else "torch"
    steps = str(2 if isinstance(TIMED[case], Photos) else STEPS)  # a step of ResNet-18 is 0.4 s
    want = ask(reference, "trace", case, steps)["values"]
    got = ask(contender, "trace", case, steps)
    assert "error" not in got, got
    np.testing.assert_allclose(got["values"], want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", [name for name in TIMED if name.startswith("mlp")])
def test_the_steps_train(ask, case):
    losses = ask("numpy", "trace", case, "40")["values"]
    assert losses[-1] < losses[0]


def test_smoke_runs_every_case(tmp_path):
    file = tmp_path / "out.json"
    command = [sys.executable, "-m", "benchmarks", "--smoke", "--threads", "1", "--json", str(file)]
    command += ["--contender", "tensorgrad", "--contender", "numpy"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    summary = json.loads(file.read_text())
    measured = {result["case"] for result in summary["results"]}
    assert measured | set(summary["skipped"]) == set(measure.CASES)
    for result in summary["results"]:
        assert result["errors"] == {}
        for numbers in result["contenders"].values():
            assert len(numbers["values"]) == 1
        assert result["title"] in done.stdout
    for name, version in summary["conditions"]["versions"].items():
        assert f"{name} {version}" in done.stdout


def test_ratios_are_paired_by_round():
    series = Series("c", "title", "us")
    for ours, theirs in [(1.0, 4.0), (2.0, 4.0), (10.0, 30.0)]:
        series.add("tensorgrad", ours)
        series.add("torch", theirs)
    assert series.ratios("torch") == [4.0, 2.0, 3.0]
    torch = series.as_dict()["contenders"]["torch"]
    assert torch["ratio"] == {"median": 3.0, "min": 2.0, "max": 4.0}
    assert torch["median"] == 4.0
    row = next(line for line in table(series).splitlines() if "torch" in line)
    assert row.split() == ["torch", "4", "4..30", "3.00", "2.00..4.00"]


def test_without_tensorgrad_there_is_no_ratio():
    series = Series("c", "title", "us", values={"torch": [1.0, 2.0]})
    assert series.ratios("torch") == []
    assert series.as_dict()["contenders"]["torch"]["ratio"] is None
    assert "torch" in table(series)


def test_a_contender_that_fails_in_a_later_round_is_left_out():
    answers = {"a": iter([{"seconds": 1.0}, {"seconds": 2.0}, {"seconds": 3.0}]),
               "b": iter([{"seconds": 4.0}, {"error": "worker ended, status -9"}])}  # fmt: skip
    series = Series("c", "title", "us")
    for name, answer in measure.turns(["a", "b"], 3, lambda n: next(answers[n]), series):
        series.add(name, answer["seconds"])
    assert series.values == {"a": [1.0, 2.0, 3.0]}
    assert series.errors == {"b": "worker ended, status -9"}
    assert "b          failed: worker ended, status -9" in table(series)


def test_the_order_of_turns_alternates():
    series = Series("c", "title", "us")
    names = [name for name, _ in measure.turns(["a", "b"], 3, lambda _: {"seconds": 1}, series)]
    assert names == ["a", "b", "b", "a", "a", "b"]


def test_worker_answers_errors_and_lives_on(ask):
    assert ask("numpy", "build", "no-such-case")["error"].startswith("KeyError")
    assert ask("numpy", "fly")["error"].startswith("KeyError")
    assert ask("numpy", "build", "chain-20") == {"number": 1}
    assert ask("numpy", "go")["seconds"] > 0


def test_worker_that_cannot_start_is_reported_with_its_status():
    worker = measure.Process("no-such-contender", ENV)
    assert worker.ask("go") == {"error": "worker ended, status 2"}
    assert worker.close() == 0


def test_absent_contenders_are_named(monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.__main__.installed", lambda: ["tensorgrad", "numpy"])
    monkeypatch.chdir(ROOT)
    assert main(["--case", "size", "--contender", "numpy", "--contender", "jax"]) == 0
    assert "not installed: jax\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--case", "mlp-9"], "no case matches 'mlp-9'; there are: mlp-1-4-1, "),
        (["--contender", "keras"], "no contender matches 'keras'; there are: tensorgrad, "),
        (["--rounds", "0"], "expected a whole number of at least 1, got '0'"),
        (["--json", "no/such/folder/out.json"], "no/such/folder/out.json: there is no such folder"),
        (["--threads", "two"], "expected a whole number of at least 1, got 'two'"),
    ],
)
def test_bad_arguments_give_one_clear_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code not in (0, None)
    assert message in f"{stop.value.code}{capsys.readouterr().err}"


def test_import_cost_names_what_went_wrong(monkeypatch):
    monkeypatch.setitem(IMPORTS, "broken", ("no_such_module",))
    answer = footprint.import_cost("broken", ENV)
    assert answer == {"error": "ModuleNotFoundError: No module named 'no_such_module'"}


def test_size_counts_requirements():
    pytest.importorskip("packaging")
    assert {"tensorgrad", "numpy", "scipy"} <= footprint._required("tensorgrad")
    assert "torch" not in footprint._required("tensorgrad")
    assert footprint.installed_size("tensorgrad") > footprint.installed_size("numpy") > 1


def test_summary_is_a_markdown_table():
    full = Series("net", "title", "us", values={"tensorgrad": [2.0], "torch": [8.0], "jax": [1.0]})
    part = Series("import", "t", "MB", part="memory", values={"tensorgrad": [9.0], "jax": [18.0]})
    assert summary([full, part, Series("other", "title", "us", values={"torch": [1.0]})]) == (
        "| case | tensorgrad | torch | jax |\n"
        "|---|--:|--:|--:|\n"
        "| net | 2 us | 4.00 | 0.50 |\n"
        "| import (memory) | 9 MB |  | 2.00 |"
    )
