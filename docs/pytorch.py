"""Write docs/pytorch.md: what of PyTorch's API scripts can count on.

    python docs/pytorch.py            # rewrite the page if it changed
    python docs/pytorch.py --check    # change nothing; exit 1 if it is stale

census.tsv lists what 1269 public PyTorch scripts of 56 repositories use, most used first: the
symbol, the number of files and of repositories, the keyword arguments that they pass. A symbol
is looked up in the package; what it does otherwise than PyTorch, or why it is missing, stands
in the tables below. tests/test_pytorch_page.py holds tables, page and package together.
"""

import importlib
import inspect
import sys
from pathlib import Path

import tensorgrad
from tensorgrad import nn, optim
from tensorgrad._registry import SYNONYMS

HERE = Path(__file__).parent
PAGE = HERE / "pytorch.md"

# --- what is otherwise ------------------------------------------------------------------

NOT_SUPPORTED = {
    "Tensor.reinforce": "removed from PyTorch in 0.4; use torch.distributions and log_prob",
    "optimizer.train": "not in PyTorch: a script's own class",
    "scheduler.zero_grad": "not in PyTorch: a script's own class",
}  # fmt: skip

DIFFERS = {
    "torch.nn.parallel.DistributedDataParallel": "on MPI, whatever the backend is called; see "
                                                 "distributed.md",
    "torch.save": "tensors, state dicts and nested dicts, lists, numbers and strings; "
                  "whole modules and other objects are refused: nothing is pickled",
    "torch.load": "also reads PyTorch's .pt and .pth files through a reader that knows tensors "
                  "and plain containers only",
    "torch.bfloat16": "a name only: NumPy has no such dtype; files with it are read as float32",
    "torch.inference_mode": "the same as no_grad",
    "torch.spmm": "sparse tensors are a class of their own, with gradients to the values",
    "torch.sparse_coo_tensor": "not a torch.Tensor; COO only",
    "torch.sparse.FloatTensor": "as sparse_coo_tensor",
    "Tensor.to_sparse": "as sparse_coo_tensor",
    "torch.nn.Dropout": "masks are repeatable by the seed, but not PyTorch's numbers",
    "torch.nn.Dropout2d": "as Dropout",
    "torch.nn.functional.dropout": "as nn.Dropout",
    "torch.nn.functional.scaled_dot_product_attention": "dropout as in nn.Dropout",
    "torch.nn.Embedding": "sparse=True gives a dense gradient",
    "torch.nn.TransformerEncoder": "no nested tensors: padded positions hold what the layers "
                                   "compute, not zeros",
    "torch.nn.TransformerEncoderLayer": "as TransformerEncoder",
    "torch.nn.LazyLinear": "no warning that lazy modules are new; optimizers want a dry run first",
    "torch.nn.LazyConv2d": "as LazyLinear",
    "torch.nn.LazyBatchNorm1d": "as LazyLinear",
    "torch.nn.LazyBatchNorm2d": "as LazyLinear",
    "torch.optim.lr_scheduler.ReduceLROnPlateau": "still takes verbose=, with a warning",
    "Tensor.names": "None for every dimension; named tensors are not supported",
    "Tensor.storage": "a view of NumPy's memory; resizing it is not supported",
    "torch.set_default_device": "the CPU only",
}  # fmt: skip

# What goes beyond single symbols, by area.
AREAS = {
    "Devices": "the CPU. Asking (`is_available()`) is answered with no, using raises an error "
               "that is both an AssertionError and a RuntimeError. `autocast` and `GradScaler` "
               "change nothing, `compile` and `jit.script` return what they are given, profilers "
               "record nothing, `DataParallel` calls its module.",
    "Complex numbers": "differentiable where an operation was checked for them; the others raise "
                       "in backward (QR, singular vectors, convolution, softmax).",
    "Random numbers": "equal to PyTorch's on the CPU for the same seed: uniform, normal, integers, "
                      "permutations, Bernoulli, multinomial, gamma, Poisson, binomial, default "
                      "initialisations, samplers. Dropout masks, which in PyTorch come from a "
                      "vendor's library, are our own.",
    "Optimizers": "`foreach`, `fused` and `capturable` have no effect, `differentiable=True` and "
                  "complex parameters raise. `SparseAdam` takes dense gradients and updates the "
                  "rows that are not zero. `Muon` computes in the parameter's dtype.",
    "Recurrent layers": "the whole sequence is one node; `grad_fn` is named otherwise. float16 is "
                        "computed in float32.",
    "Distributions": "gamma and Dirichlet samples have first derivatives (more accurate than "
                     "PyTorch's); a second one raises.",
    "vmap": "runs the function once per sample and stacks: no faster than a loop.",
    "Convolution and pooling": "floating-point inputs only. Repeated indices of `max_unpool` give "
                               "the gradient to the value that was kept.",
    "Linear algebra": "`lstsq` is computed from singular values, so its rank is right; "
                      "`cholesky_solve` gives the gradient to the triangle that is read.",
}  # fmt: skip

# Keyword arguments that the census found and that PyTorch itself no longer takes, or that
# belong to a method of the script's own with the same name.
NOT_PYTORCH = {
    ("Tensor.backward", "retain_variables"), ("Tensor.resize", "resample"),
    ("Module.train", "epochs"), ("Module.train", "model"), ("Module.train", "num_epochs"),
    ("Module.train", "train_dataloader"), ("Module.train", "test_dataloader"),
    ("Module.train", "optimizer"), ("Module.train", "loss_fn"), ("Module.train", "device"),
    ("Module.forward", "labels"), ("Module.forward", "end_layer"), ("Module.forward", "mask"),
    ("torch.nn.Embedding", "freeze"),  # of from_pretrained
    ("torch.utils.data.TensorDataset", "data_tensor"),
    ("torch.utils.data.TensorDataset", "target_tensor"),
}  # fmt: skip

KEYWORD_NOT_SUPPORTED = {("torch.randn", "names"): "named tensors"}

SECTIONS = (
    ("Functions and names of torch", lambda s: s.startswith("torch.") and s.count(".") == 1),
    ("Tensor", lambda s: s.startswith("Tensor.")),
    ("Module", lambda s: s.startswith("Module.")),
    ("torch.nn.functional", lambda s: s.startswith("torch.nn.functional.")),
    ("torch.nn.init", lambda s: s.startswith("torch.nn.init.")),
    ("torch.nn.utils", lambda s: s.startswith("torch.nn.utils.")),
    ("torch.nn", lambda s: s.startswith("torch.nn.")),
    ("torch.optim", lambda s: s.startswith(("torch.optim", "optimizer.", "scheduler."))),
    ("torch.utils", lambda s: s.startswith("torch.utils.")),
    ("torch.autograd", lambda s: s.startswith(("torch.autograd", "ctx."))),
    ("torch.distributions", lambda s: s.startswith(("torch.distributions", "dist."))),
    ("Other packages", lambda s: True),
)  # fmt: skip

# --- looking a symbol up ----------------------------------------------------------------


def census():
    """(symbol, files, repositories, keyword arguments) of every line of the census."""
    for line in (HERE / "census.tsv").read_text().splitlines():
        if not line.startswith("#"):
            symbol, files, repositories, keywords = line.split("\t")
            yield symbol, int(files), int(repositories), keywords.split()


def instances():
    """For each receiver that the census names by its kind, the objects it stands for."""
    layer, norm = nn.Linear(1, 1), nn.BatchNorm2d(1)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    return {
        "Tensor": [tensorgrad.ones(1, 1)],
        "Module": [layer, norm, nn.Conv2d(1, 1, 1)],
        "optimizer": [optimizer],
        "scheduler": [optim.lr_scheduler.StepLR(optimizer, 1)],
        "dist": [tensorgrad.distributions.Normal(0.0, 1.0)],
        "ctx": [tensorgrad.autograd.function.FunctionCtx()],
    }


def find(symbol, known={}):  # noqa: B006 - the cache of the instances
    """What the symbol names in the package, or None."""
    known = known or instances()
    head, *path = symbol.removesuffix("()").split(".")
    starts = [tensorgrad] if head == "torch" else known[head]
    for start in starts:
        value, name = start, start.__name__ if head == "torch" else ""
        for part in path:
            name += f".{part}"
            value = member(value, part, name)
        if value is not MISSING:
            return value
    return MISSING


MISSING = object()


def member(value, part, name):
    """Attribute ``part`` of ``value``, importing a submodule where that is what it is."""
    try:
        return getattr(value, part)
    except AttributeError:
        pass
    if inspect.ismodule(value):
        try:
            return importlib.import_module(name)
        except ImportError:
            pass
    return MISSING


def accepts(value, keyword):
    """Whether a call of ``value`` takes ``keyword``, as far as its signature tells.

    Every op also takes ``out`` and NumPy's names of dimensions.
    """
    try:
        parameters = inspect.signature(value).parameters
    except (TypeError, ValueError):
        return True
    if _takes_other_names(value):
        if keyword == "out":
            return True
        keyword = SYNONYMS.get(keyword, keyword)
    kinds = {p.kind for p in parameters.values()}
    return keyword in parameters or inspect.Parameter.VAR_KEYWORD in kinds


def _takes_other_names(value):
    """Whether calls pass a wrapper that translates names: of ops, and of reductions."""
    outer = inspect.signature(value, follow_wrapped=False).parameters.values()
    return hasattr(value, "__wrapped__") and any(p.kind is p.VAR_KEYWORD for p in outer)


def status(symbol):
    """("supported" | "differs" | "not supported", the remark)."""
    if symbol in NOT_SUPPORTED:
        return "not supported", NOT_SUPPORTED[symbol]
    if symbol in DIFFERS:
        return "differs", DIFFERS[symbol]
    value = find(symbol)
    if value is MISSING:
        return "not supported", "not built yet"
    if getattr(value, "__module__", "") == "tensorgrad._absent":
        return "not supported", (value.__doc__ or "").partition(": ")[2].rstrip(".")
    return "supported", ""


# --- the page ---------------------------------------------------------------------------


def page():
    """The text of docs/pytorch.md."""
    rows = [(*row, *status(row[0])) for row in census()]
    counts = {kind: sum(row[4] == kind for row in rows) for kind in KINDS}
    parts = [INTRODUCTION.format(total=len(rows), **{k.split()[0]: n for k, n in counts.items()})]
    areas = "".join(f"- **{area}**: {what}\n" for area, what in AREAS.items())
    parts.append(f"## What differs, by area\n\n{areas}")
    parts.append(scripts())
    for title, belongs in SECTIONS:
        mine = [row for row in rows if belongs(row[0])]
        rows = [row for row in rows if row not in mine]
        if mine:
            parts.append(f"## {title}\n\n{HEAD}" + "".join(map(line, mine)))
    return "\n".join(parts)


KINDS = ("supported", "differs", "not supported")

INTRODUCTION = """\
# PyTorch's names

Written by docs/pytorch.py; do not edit.

`import tensorgrad as torch`, and a script runs. Below is everything that 1269 public scripts of 56
repositories use of PyTorch's API, with the number of files that use it and the keyword arguments
that they pass: {total} names, of which {supported} are supported as PyTorch defines them, {differs}
with a difference that is named, and {not} are not supported. What differs for all of them (error
messages, writes through `.data`, ...) stands in [design.md](design.md#semantics).
"""

HEAD = "| name | files | keyword arguments | status | |\n| --- | ---: | --- | --- | --- |\n"


def line(row):
    """One line of a table."""
    symbol, files, _, keywords, kind, remark = row
    names = " ".join(_keyword(symbol, k) for k in keywords)
    return f"| `{symbol}` | {files} | {names} | {kind} | {remark} |\n"


def _keyword(symbol, keyword):
    """A keyword argument, with the reason where it is not taken."""
    if (symbol, keyword) in NOT_PYTORCH:
        return f"(`{keyword}`: not PyTorch's)"
    reason = KEYWORD_NOT_SUPPORTED.get((symbol, keyword))
    return f"(`{keyword}`: not supported, {reason})" if reason else f"`{keyword}`"


def scripts():
    """The section on whole scripts, from scripts.tsv."""
    lines = (HERE / "scripts.tsv").read_text().splitlines()
    rows = [entry.split("\t") for entry in lines if not entry.startswith("#")]
    notes = [entry.removeprefix("# ") for entry in lines if entry.startswith("# ")]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    head = "| repository | script | PyTorch | tensorgrad | printed |\n"
    head += "| --- | --- | ---: | ---: | --- |\n"
    return f"## Whole scripts\n\n{' '.join(notes)}\n\n{head}{table}"


def main(arguments):
    """Rewrite the page, or say whether it is stale; returns the exit status."""
    text = page()
    if PAGE.exists() and PAGE.read_text() == text:
        return 0
    print(f"{PAGE.name} is {'stale' if '--check' in arguments else 'rewritten'}")
    if "--check" in arguments:
        return 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
