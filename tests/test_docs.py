"""What is written beside the code: generated files, the stub, docstrings, links."""

import ast
import inspect
import re
from pathlib import Path

import faults
import pytest
import typing_usage
from scripts import module_at

import tensorgrad as tg
from tensorgrad import Tensor, nn, optim
from tensorgrad._registry import FUNCTIONS, METHODS, OPS
from tensorgrad.utils import data

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = (tg, tg.autograd, tg.datasets, tg.distributions, tg.serialization, tg.testing, nn,
           nn.functional, nn.init, nn.models, optim, optim.lr_scheduler,
           optim.swa_utils, data)  # fmt: skip
pages = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)


@pytest.fixture(scope="module")
def generate():
    return module_at(ROOT / "docs" / "generate.py")


@pytest.fixture(scope="module")
def stub():
    return ast.parse((ROOT / "tensorgrad" / "__init__.pyi").read_text())


def names_in(body):
    """The public names that the statements of a stub define or import."""
    names = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            names |= {a.asname for a in node.names if a.asname}
    return {n for n in names if not n.startswith("_")}


def class_in(stub, name):
    return next(n for n in stub.body if isinstance(n, ast.ClassDef) and n.name == name)


# --- generated files ---------------------------------------------------------------------


def test_generated_files_are_up_to_date(generate, capsys):
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


def test_a_stale_file_is_named_and_then_rewritten(generate, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "FILES", {"a.txt": lambda: "right"})
    (tmp_path / "a.txt").write_text("wrong")
    assert generate.main(["--check"]) == 1
    assert "a.txt is stale" in capsys.readouterr().out
    assert generate.main([]) == 0
    assert (tmp_path / "a.txt").read_text() == "right"


def test_every_entry_of_the_type_tables_is_used(generate):
    pairs = [*FUNCTIONS.items(), *generate.methods().items()]
    used = {(name, p.name) for name, fn in pairs for p in generate.parameters(fn, bound=False)}
    ops = [*OPS.items(), *generate.INPLACE.items()]
    used |= {(name, p.name) for name, op in ops for p in generate.parameters_of_op(op)}
    used |= {(name.rstrip("_"), p) for name, p in used}
    assert set(generate.SPECIAL) <= used
    assert set(generate.TYPES) <= {p for _, p in used}
    assert {*generate.RETURNS, *generate.OVERLOADS} <= {n for n, _ in pairs} | {"__hash__"}
    assert set(generate.PROPERTIES) <= set(vars(Tensor))


def test_every_public_function_is_in_the_table_of_operations():
    rows = {n for n in re.findall(r"`(?:Tensor\.)?(\w+)`",
                                  (ROOT / "docs" / "ops.md").read_text())}  # fmt: skip
    assert set(FUNCTIONS) <= rows
    assert {n for n in METHODS if not n.startswith("__")} <= rows
    assert {op.name + "_" for op in OPS.values() if op.inplace and op.public} <= rows


# --- the stub ----------------------------------------------------------------------------


def test_stub_and_package_have_the_same_names(stub):
    internal = {"creation", "dtypes", "errors", "kernels", "ops", "printing", "random"}
    public = {n for n in dir(tg) if not n.startswith("_")} - internal
    assert names_in(stub.body) == public


def test_stub_and_tensor_have_the_same_members(stub):
    members = {n.name for n in class_in(stub, "Tensor").body if isinstance(n, ast.FunctionDef)}
    public = {n for n in dir(Tensor) if not n.startswith("_")}
    assert {n for n in members if not n.startswith("_")} == public
    special = {n for n in vars(Tensor) if n.startswith("__") and callable(getattr(Tensor, n))}
    assert special - members <= {"__class__"}
    assert all(hasattr(Tensor, n) for n in members)


@pytest.mark.parametrize("made", [
    tg.Size((1,)), tg.device("cpu"), tg.finfo(), tg.iinfo(tg.int8), tg.no_grad(),
    tg.inference_mode(), tg.set_grad_enabled(True),
], ids=lambda x: type(x).__name__)  # fmt: skip
def test_members_of_the_classes_spelled_out_in_the_stub_exist(stub, made):
    node = class_in(stub, type(made).__name__)
    bases = [class_in(stub, b.id) for b in node.bases if isinstance(b, ast.Name)]
    for member in names_in([n for c in (node, *bases) for n in c.body]):
        assert hasattr(made, member)


def test_ops_take_every_keyword_that_the_stub_offers(stub):
    checked = 0
    for node in stub.body:
        op = getattr(FUNCTIONS.get(getattr(node, "name", None)), "op", None)
        if op is None or not isinstance(node, ast.FunctionDef):
            continue
        for arg in (*node.args.args, *node.args.kwonlyargs):
            checked += 1
            known = op._translate(arg.arg) or arg.arg in op.variants or arg.arg == "out"
            assert known, f"{node.name}({arg.arg}=)"
    assert checked > 200


def test_the_script_that_mypy_reads_also_runs(tmp_path):
    x = tg.arange(16.0).reshape(4, 4)
    typing_usage.creation(tg.Generator())
    typing_usage.operators(x.clone(), x + 1)
    typing_usage.functions(x, tg.zeros(1, 4, 4, dtype=tg.int64))
    stepped = typing_usage.derivatives(tg.tensor([1.0, 2.0]))  # by a tenth of the derivative of 2x
    assert tg.allclose(stepped, tg.tensor([0.8, 1.8]))
    typing_usage.training(tmp_path / "model.safetensors")
    assert sorted(typing_usage.kit(tmp_path)) == ["loss", "r2"]


# --- docstrings --------------------------------------------------------------------------


def public_things():
    """(name, object) of every function and class that users call, and of their methods."""
    yield from {**FUNCTIONS, **METHODS}.items()
    yield from ((f"Tensor.{n}", getattr(Tensor, n)) for n in dir(Tensor) if not n.startswith("_"))
    for module in MODULES:
        for name, value in vars(module).items():
            ours = getattr(value, "__module__", None) or ""
            if name.startswith("_") or not ours.startswith("tensorgrad") or not callable(value):
                continue
            yield f"{module.__name__}.{name}", value
            if inspect.isclass(value):
                yield from ((f"{name}.{n}", m) for n, m in vars(value).items()
                            if inspect.isfunction(m) and not n.startswith("_"))  # fmt: skip


def test_everything_public_has_a_docstring():
    bare = [n for n, thing in public_things()
            if not n.startswith("__") and not inspect.getdoc(thing)]  # fmt: skip
    assert not bare, bare


# --- pages -------------------------------------------------------------------------------


def anchors(path):
    """The anchors that a Markdown page's headings get."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


@pages
def test_relative_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pages
def test_files_named_in_the_text_exist(page):
    folders = "tensorgrad|nn|optim|augment|tests|benchmarks|examples|docs"
    for path in re.findall(rf"`((?:{folders})/[\w/.]+)`", page.read_text()):
        assert (ROOT / path).exists(), path


def test_the_code_of_the_page_on_training_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "train.md").read_text(), re.S)
    assert len(blocks) == 3
    exec("\n".join(blocks).replace("epochs=200", "epochs=2").replace("epochs=50", "epochs=1"), {})
    assert "epoch 2/2" in capsys.readouterr().out
    assert (tmp_path / "runs" / "classes.png").stat().st_size > 10_000


def test_the_text_of_every_seeded_fault_is_in_the_source_once():
    for fault in faults.FAULTS:
        source = (ROOT / fault.file).read_text()
        assert source.count(fault.old) == 1, f"restate in tests/faults.py: {fault.what}"
        files = {test.partition("::")[0] for test in fault.tests.split()}
        assert all((ROOT / file).exists() for file in files), fault.what
