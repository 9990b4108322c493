"""Writes in place: through views, beside saved values, under no_grad; and what is refused.

Random programs of views and writes run in three worlds: here, in PyTorch, and in an oracle that
knows no views at all: a memory of numbers, and per history one scalar of a graph for each place.
"""

import contextlib
import threading
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import _inplace
from tensorgrad._registry import OPS

try:
    import torch
except ImportError:
    torch = None
reference = torch or tg  # computes the scalars of the oracle, which knows no views and no writes
needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")

# --- the oracle -------------------------------------------------------------------------


class Memory:
    def __init__(self, values):
        self.values = np.array(values, float)


class History:
    """What each place of a memory is to the graph: a tracked scalar, or a constant (absent)."""

    def __init__(self, memory, scalars=None, leaf=False):
        self.memory, self.scalars, self.leaf = memory, dict(scalars or {}), leaf


class Ref:
    """A tensor: places in a memory, seen by one history."""

    def __init__(self, history, places):
        self.history, self.places = history, places

    def read(self):
        values, scalars = self.history.memory.values, self.history.scalars
        now = reference.tensor(values[self.places])
        if not any(int(p) in scalars for p in self.places.flat):
            return now
        graph = [scalars.get(int(p), reference.tensor(values[p])) for p in self.places.flat]
        graph = reference.stack(graph).reshape(self.places.shape)
        return graph + (now - graph).detach()

    def write(self, value, record=True, overlap=False):
        value = reference.as_tensor(value, dtype=reference.float64)
        tracked = any(int(p) in self.history.scalars for p in self.places.flat)
        if record and self.history.leaf and (tracked or value.requires_grad):
            raise RuntimeError("leaf")
        if not overlap and len(set(self.places.flat)) != self.places.size:
            raise RuntimeError("several elements in one place")
        value = value.broadcast_to(self.places.shape)
        for place, scalar in zip(self.places.flat, value.reshape(-1), strict=True):
            self.history.memory.values[place] = scalar.item()
            if record:
                self.history.scalars.pop(int(place), None)
                if value.requires_grad:
                    self.history.scalars[int(place)] = scalar


def fresh(tensor):
    """A new tensor in the oracle with the values and graph of a reference tensor."""
    memory = Memory(tensor.detach().numpy().ravel())
    scalars = dict(enumerate(tensor.reshape(-1))) if tensor.requires_grad else {}
    return Ref(History(memory, scalars), np.arange(tensor.numel()).reshape(tuple(tensor.shape)))


# --- programs ---------------------------------------------------------------------------

LEAVES = {"a": (2, 3), "b": (3,), "c": ()}


def start(lib):
    """Tracked leaves, results computed from them, and untracked memory."""
    rng = np.random.default_rng(5)
    leaves = [lib.tensor(rng.uniform(0.5, 1.5, s), requires_grad=True) for s in LEAVES.values()]
    a, b, c = leaves
    return leaves, [a * 1.0, lib.zeros(3, 2, dtype=lib.float64), b * 2.0, c * 1.0, a]


VIEWS = {
    "row": lambda t, i: t[i],
    "part": lambda t, i: t[i:],
    "every": lambda t, i: t[i::2],
    "last": lambda t, i: t[..., i],
    "new": lambda t, i: t[None],
    "all": lambda t, i: t[...],
    "t": lambda t, i: t.transpose(0, -1),
    "flat": lambda t, i: t.view(-1),
    "shape": lambda t, i: t.view(-1, 2),
    "unsqueeze": lambda t, i: t.unsqueeze(i),
    "squeeze": lambda t, i: t.squeeze(0),
    "diagonal": lambda t, i: t.diagonal(i),
    "unfold": lambda t, i: t.unfold(0, 2, 1 + i),
    "expand": lambda t, i: t.expand(2, *t.shape),
    "split": lambda t, i: t.split(1)[i],
}
PLACES = {
    **VIEWS,
    "t": lambda p, i: p.swapaxes(0, -1) if p.ndim else p,
    "flat": lambda p, i: p.reshape(-1),
    "shape": lambda p, i: p.reshape(-1, 2),
    "unsqueeze": lambda p, i: np.expand_dims(p, i),
    "squeeze": lambda p, i: p[0] if p.ndim and p.shape[0] == 1 else p,
    "diagonal": lambda p, i: p.diagonal(i),
    "unfold": lambda p, i: np.lib.stride_tricks.sliding_window_view(p, 2, 0)[:: 1 + i],
    "expand": lambda p, i: np.broadcast_to(p, (2, *p.shape)),
    "split": lambda p, i: p[i : i + 1],
}
UNARY = ["sin", "atan", "sigmoid", "tanh", "neg", "square"]
BINARY = ["add", "sub", "mul", "copy"]
NUMBERS = ["add", "mul", "fill"]
INDICES = {
    "int": 0, "slice": slice(0, 1), "dots": ..., "none": (None, 0), "list": [1, 0],
    "mask": [True, False], "both": (slice(None), [0]), "last": (..., -1),
}  # fmt: skip


METADATA = {"t": (), "transpose": (0, -1), "unsqueeze": (0,), "squeeze": (0,)}


def apply(lib, step, variables):
    """One step on tensors of a library: the new variable, or None."""
    kind, target, other, name, i, number, no_grad = step
    x, y = variables[target % len(variables)], variables[other % len(variables)]
    with lib.no_grad() if no_grad else contextlib.nullcontext():
        if kind == "view":
            return VIEWS[name](x, i)
        if kind == "compute":
            return x * y if name == "mul" else getattr(x, name)()
        if kind == "unary":
            getattr(x, name + "_")()
        elif kind == "binary":
            getattr(x, name + "_")(y)
        elif kind == "number":
            getattr(x, name + "_")(number)
        elif kind == "assign":
            x[INDICES[name]] = y if i else number
        elif kind == "augment":
            x[INDICES[name]] += y if i else number
        elif kind == "method":
            getattr(x, name + "_")(*METADATA[name])
    return None


def apply_oracle(step, variables):
    kind, target, other, name, i, number, no_grad = step
    x, y = variables[target % len(variables)], variables[other % len(variables)]
    record = not no_grad
    if kind == "view":
        return Ref(x.history, PLACES[name](x.places, i))
    if kind == "compute":
        if name == "detach":
            return Ref(History(x.history.memory), x.places)
        value = {"mul": lambda: x.read() * y.read(), "sin": lambda: x.read().sin(), "clone": x.read}
        value = value[name]()
        return fresh(value if record else value.detach())
    if kind == "unary":
        x.write(getattr(x.read(), name)(), record)
    elif kind == "binary":
        value = y.read() if name == "copy" else getattr(x.read(), name)(y.read())
        fits(value, x, exactly=name != "copy")
        x.write(value, record)
    elif kind == "number":
        old = x.read()
        value = {"add": old + number, "mul": old * number, "fill": old * 0 + number}[name]
        if name == "fill":
            x.write(value.detach(), record, overlap=True)  # one value everywhere
        else:
            x.write(value, record)
    elif kind in ("assign", "augment"):
        index = INDICES[name]
        index = np.array(index) if isinstance(index, list) else index
        part = Ref(x.history, x.places[index])
        value = y.read() if i else reference.tensor(number)
        if kind == "augment":
            value = part.read() + value
            fits(value, part, exactly=True)
        extra = value.ndim - part.places.ndim
        if extra > 0 and tuple(value.shape[:extra]) == (1,) * extra:
            value = value.reshape(value.shape[extra:])
        part.write(value, record)
    elif kind == "method":
        if x.history.leaf and record:
            raise RuntimeError("leaf")
        x.places = PLACES["t" if name == "transpose" else name](x.places, 0)
    return None


def fits(value, ref, exactly):
    if exactly and tuple(value.shape) != ref.places.shape:
        raise RuntimeError("shape")


def view_steps():
    return st.tuples(
        st.just("view"), st.integers(0, 9), st.just(0), st.sampled_from(sorted(VIEWS)),
        st.integers(0, 1), st.just(0.0), st.just(False),
    )  # fmt: skip


def write_steps():
    kinds = {
        "compute": ["mul", "sin", "clone", "detach"], "unary": UNARY, "binary": BINARY,
        "number": NUMBERS, "assign": sorted(INDICES), "augment": sorted(INDICES),
        "method": ["t", "transpose", "unsqueeze", "squeeze"],
    }  # fmt: skip
    choices = [
        st.tuples(
            st.just(kind), st.integers(0, 9), st.integers(0, 9), st.sampled_from(names),
            st.integers(0, 1), st.sampled_from([0.5, -1.25]),
            st.sampled_from([False] * 7 + [kind not in ("method", "compute")]),
        )
        for kind, names in kinds.items()
    ]  # fmt: skip
    return st.one_of(*choices)


REFUSED = (RuntimeError, IndexError, TypeError, ValueError)


class Worlds:
    """The three worlds, led through one program."""

    def __init__(self):
        self.leaves, self.ours = start(tg)
        if torch is not None:
            self.their_leaves, self.theirs = start(torch)
        self.oracle_leaves, initial = start(reference)
        self.oracle = [fresh(t) for t in initial]
        self.oracle[4] = Ref(self.oracle[4].history, self.oracle[4].places)
        self.oracle[4].history.leaf = True
        self.pytorch_goes_on = torch is not None

    def attempt(self, run):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PyTorch's, on indexing expanded memory
                return run(), None
        except REFUSED as error:
            return None, error

    def step(self, step):
        if step[0] == "method" and self.has_views(step):
            return
        new, error = self.attempt(lambda: apply(tg, step, self.ours))
        theirs, their_error = None, True
        if self.pytorch_goes_on:
            theirs, their_error = self.attempt(lambda: apply(torch, step, self.theirs))
            if their_error is not None and error is None:
                self.pytorch_goes_on = False  # refused there, allowed here: the oracle decides
        if error is not None and "single memory location" in str(error) and their_error is None:
            self.pytorch_goes_on = False  # overlapping windows: there the order of writes decides
            return
        if error is not None:
            assert their_error is not None, f"{step}: PyTorch allows it; here {error!r}"
            return
        mine, wrong = self.attempt(lambda: apply_oracle(step, self.oracle))
        assert wrong is None, f"{step}: allowed here, refused by the oracle: {wrong!r}"
        if new is not None:
            self.ours.append(new)
            self.oracle.append(mine)
            if self.pytorch_goes_on:
                self.theirs.append(theirs)

    def has_views(self, step):
        """PyTorch keeps the old shape under views of a tensor whose shape changes in place."""
        t = self.ours[step[1] % len(self.ours)]
        return any(ref() is not None for ref in t._views or ()) or t._base is not None

    def compare(self):
        for k, (t, ref) in enumerate(zip(self.ours, self.oracle, strict=True)):
            assume(np.all(np.abs(ref.history.memory.values) < 1e6))
            np.testing.assert_allclose(
                t.detach().numpy(), ref.history.memory.values[ref.places], rtol=1e-9, err_msg=str(k)
            )
            if self.pytorch_goes_on:
                np.testing.assert_allclose(t.detach().numpy(), self.theirs[k].detach().numpy())

    def gradients(self):
        rng = np.random.default_rng(1)
        weights = [rng.standard_normal(ref.places.shape) for ref in self.oracle]
        ours, error = self.attempt(lambda: total(tg, self.ours, weights, self.leaves))
        if self.pytorch_goes_on:
            theirs, their_error = self.attempt(
                lambda: total(torch, self.theirs, weights, self.their_leaves)
            )
            if error is not None:
                assert their_error is not None, f"PyTorch walks this graph; here {error!r}"
        if error is not None:
            return
        reads = [ref.read() for ref in self.oracle]
        mine = total(reference, reads, weights, self.oracle_leaves)
        for a, b in zip(ours, mine, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
        if self.pytorch_goes_on and their_error is None:
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def total(lib, variables, weights, leaves):
    """Gradients of a weighted sum of all variables."""
    pairs = [(v, w) for v, w in zip(variables, weights, strict=True) if v.requires_grad]
    loss = sum((v * lib.tensor(w)).sum() for v, w in pairs)
    if isinstance(loss, int):
        return [np.zeros(tuple(t.shape)) for t in leaves]
    grads = lib.autograd.grad(loss, leaves, allow_unused=True)
    return [
        np.zeros(tuple(t.shape)) if g is None else g.numpy()
        for g, t in zip(grads, leaves, strict=True)
    ]


@given(st.lists(st.one_of(view_steps(), write_steps()), min_size=1, max_size=12))
@settings(max_examples=250, deadline=None)
def test_random_programs(steps):
    worlds = Worlds()
    for step in steps:
        worlds.step(step)
        worlds.compare()
    worlds.gradients()


# --- what the random programs cannot say ------------------------------------------------


def both(program):
    """Gradients of a program under both libraries."""
    pytest.importorskip("torch")
    outcomes = []
    for lib in (torch, tg):
        w = lib.tensor([1.0, 2.0, 3.0], dtype=lib.float64, requires_grad=True)
        program(lib, w).backward()
        outcomes.append(w.grad.tolist())
    assert outcomes[0] == pytest.approx(outcomes[1], rel=1e-12)
    return outcomes[1]


def test_chained_indices_reach_the_base():
    def program(lib, w):
        t = lib.zeros(2, 3, 3, dtype=lib.float64)
        t[1][2][0] = w[0]
        t[0, 1][1:] = w[1:] * 2
        t[0][1][2] += w[1]
        return (t * t).sum()

    both(program)


def test_augmented_assignment_writes_once():
    x = tg.ones(3, requires_grad=True) * 1.0
    x[0] += 5.0
    node = x.grad_fn
    assert node.name() == "CopySlices"
    assert node.next_functions[0][0].name() == "MulBackward0"  # not a second CopySlices
    version = x._version
    x[1:] *= 2.0
    assert x._version == version + 1


def test_siblings_that_do_not_overlap_keep_their_node():
    x = tg.ones(4, requires_grad=True) * 1.0
    left, right, whole = x[:2], x[2:], x[:]
    before = right.grad_fn
    left.mul_(2.0)
    assert right.grad_fn is before
    (whole * tg.arange(4.0)).sum().backward()


def test_filling_by_elements_copies_nothing():
    n = 2000
    x = tg.zeros(n, n)
    w = tg.ones(1, requires_grad=True)
    import tracemalloc

    tracemalloc.start()
    for i in range(20):
        x[i, i] = w[0]
        x[[i], [i + 1]] = w
        x.index_fill_(0, tg.tensor([100 + i]), 2.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n * n  # a copy would take four times that, a float32 being four bytes
    x.sum().backward()
    assert w.grad.tolist() == [40.0]


@pytest.mark.parametrize(
    ("program", "op"),
    [
        (lambda x: (x.exp(), "out"), "exp"),
        (lambda x: (x.sin(), "in"), "sin"),
        (lambda x: (x * x, "in"), "mul"),
        (lambda x: (x.sigmoid(), "out"), "sigmoid"),
        (lambda x: (x[0].cos(), "in"), "cos"),
    ],
)
def test_a_saved_value_changed_is_refused_by_name(program, op):
    x = tg.ones(3, requires_grad=True) * 2.0
    y, which = program(x)
    if which == "out":
        y.add_(1.0)
    else:
        x[0] = 7.0
    with pytest.raises(RuntimeError, match=rf"{op}.*shape|{op}.*\(") as info:
        y.sum().backward()
    assert "clone" in str(info.value) and op in str(info.value)


def test_values_saved_by_the_write_itself_are_kept():
    both(lambda lib, w: (lambda y: y.mul_(w).sum())(w * 1.0))
    both(lambda lib, w: (lambda y: y.div_(w).mul_(w).sum())(w * w))
    both(lambda lib, w: (lambda y: y.sin_().mul_(w).exp_().sum())(w * 0.5))


def test_saved_by_the_write_in_shared_memory():
    """PyTorch refuses these, whose values in part lie where they are written."""
    w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x = w * 1.0
    x.mul_(x).sum().backward()
    assert w.grad.tolist() == [2, 4, 6]
    w.grad = None
    x = w * 1.0
    x[0].mul_(x[1])  # saves x[1], in the memory that x[0] is written to
    x[1:] *= x[:2] * 1.0
    x.sum().backward()
    # (ab, b * ab, cb): a, b, c = 1, 2, 3
    assert w.grad.tolist() == [2 + 4, 1 + 4 + 3, 2]


@pytest.mark.parametrize(
    "write",
    [
        lambda w: w.add_(1.0), lambda w: w.zero_(), lambda w: w[0].mul_(2.0), lambda w: w.t_(),
        lambda w: w.__setitem__(0, 1.0), lambda w: w.__setitem__([0], 1.0), lambda w: w.eq_(1.0),
        lambda w: w.view(-1)[1:].fill_(1.0), lambda w: w.copy_(w * 2.0), lambda w: w.floor_(),
        lambda w: w.index_fill_(0, tg.tensor([0]), 1.0), lambda w: w.__iadd__(1.0),
    ],
)  # fmt: skip
def test_leaves_and_their_views_are_not_written(write):
    w = tg.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        write(w)
    assert w.tolist() == [1, 1, 1]
    with tg.no_grad():
        write(w)
    assert w.is_leaf and w.requires_grad


def test_a_view_that_is_itself_a_leaf_is_not_written():
    x = tg.zeros(3)
    view = x[:2].requires_grad_()
    with pytest.raises(RuntimeError, match="leaf"):
        view.mul_(2.0)
    x[0] = 5.0
    assert view.is_leaf and view.tolist() == [5, 0]


def test_untracked_views_of_a_later_leaf_may_be_written():
    x = tg.zeros(3)
    view = x[:2]
    x.requires_grad_()
    view.fill_(4.0)
    assert x.tolist() == [4, 4, 0] and x.is_leaf
    with pytest.raises(RuntimeError, match="leaf"):
        view.mul_(tg.ones(1, requires_grad=True))


def test_views_made_under_no_grad_stay_out_of_the_history():
    w = tg.ones(3, requires_grad=True)
    x = w * 1.0
    with tg.no_grad():
        view = x[1:]
    assert view._base is x and not view.requires_grad
    view.mul_(3.0)
    assert x.tolist() == [1, 3, 3]
    with pytest.raises(RuntimeError, match="no_grad"):
        view.mul_(w[1:])
    x.sum().backward()
    assert w.grad.tolist() == [1, 1, 1]


def test_expanded_memory_is_not_written():
    x = tg.ones(3)
    for view in (x.expand(2, 3), x[:1].expand(3), x.unfold(0, 2, 1)):
        with pytest.raises(RuntimeError, match="single memory location"):
            view.add_(1.0)
        with pytest.raises(RuntimeError, match="single memory location"):
            view[...] = 2.0
    assert x.tolist() == [1, 1, 1]
    x.expand(2, 3)[0].add_(1.0)  # every place once
    x.unfold(0, 1, 1).add_(1.0)
    assert x.tolist() == [3, 3, 3]


def test_read_only_memory_is_not_written():
    a = np.zeros(2)
    a.flags.writeable = False
    x = tg.from_numpy(a)
    for write in (lambda: x.add_(1.0), lambda: x.__setitem__(0, 1.0), lambda: x.fill_(2.0)):
        with pytest.raises(RuntimeError, match="read-only"):
            write()


def test_dtypes_of_results():
    i = tg.tensor([1, 2])
    with pytest.raises(RuntimeError, match="can't be cast"):
        i.add_(0.5)
    with pytest.raises(RuntimeError, match="can't be cast"):
        i.div_(2)
    b = tg.tensor([True, False])
    with pytest.raises(RuntimeError, match="can't be cast"):
        b.add_(1)
    i.mul_(b)
    assert i.tolist() == [1, 0] and i.dtype is tg.int64
    half = tg.ones(2, dtype=tg.float16, requires_grad=True)
    y = half * 1.0
    y.mul_(tg.tensor([2.0, 3.0]))
    assert y.dtype is tg.float16
    y.sum().backward()
    assert half.grad.tolist() == [2, 3]


def test_shapes_of_results():
    x = tg.ones(3)
    with pytest.raises(RuntimeError, match=r"\[3\].*\[2, 3\]"):
        x.add_(tg.ones(2, 3))
    with pytest.raises(RuntimeError):
        x.add_(tg.ones(2))
    assert x.tolist() == [1, 1, 1]


@pytest.mark.parametrize("index", [0, slice(1, 3), [0, 2], [True, False, True, True], ...])
def test_an_untracked_tensor_is_tracked_once_a_tracked_value_is_written_into_it(index):
    index = tg.tensor(index) if isinstance(index, list) else index
    value = tg.tensor(2.0, requires_grad=True)
    x = tg.zeros(4)
    x[index] = value
    assert x.requires_grad
    x.sum().backward()
    assert value.grad.item() == x.sum().item() / 2


def test_a_tracked_tensor_stays_tracked_when_overwritten_by_constants():
    for write in (lambda x: x.zero_(), lambda x: x.fill_(2.0), lambda x: x.eq_(1.0),
                  lambda x: x.copy_(tg.zeros(3)), lambda x: x.__setitem__(..., 1.0)):  # fmt: skip
        w = tg.ones(3, requires_grad=True)
        x = w * 2.0
        write(x)
        x.sum().backward()
        assert w.grad.tolist() == [0, 0, 0]


def test_a_retained_gradient_follows_the_write():
    w = tg.ones(3, requires_grad=True)
    x = w * 2.0
    x.retain_grad()
    x.mul_(3.0)
    (x * tg.arange(3.0)).sum().backward()
    assert x.grad.tolist() == [0, 1, 2]
    assert w.grad.tolist() == [0, 6, 12]


@needs_torch
def test_second_derivative_through_writes():
    def f(lib, w):
        t = lib.zeros(2, 3, dtype=lib.float64)
        t[0] = w * w
        t[1] = t[0].clone() * w
        t[:, 1] *= w[1]
        t.view(-1)[::2] += w
        return (t**3).sum()

    results = []
    for lib in (torch, tg):
        w = lib.tensor([1.0, 2.0, 3.0], dtype=lib.float64, requires_grad=True)
        (g,) = lib.autograd.grad(f(lib, w), w, create_graph=True)
        (h,) = lib.autograd.grad((g * g).sum(), w)
        results.append([g.tolist(), h.tolist()])
    np.testing.assert_allclose(results[1], results[0], rtol=1e-12)


def test_shape_changes_in_place():
    w = tg.arange(6.0, requires_grad=True)
    x = (w * 1.0).reshape(2, 3).clone()
    row = x[0]
    x.t_()
    assert x.shape == (3, 2) and row.tolist() == [0, 1, 2]
    row.mul_(10.0)
    assert x[:, 0].tolist() == [0, 10, 20]
    x.unsqueeze_(0).squeeze_().transpose_(0, 1)
    x[1] = 0.0
    (x * x).sum().backward()
    assert w.grad.tolist() == [0, 200, 400, 0, 0, 0]
    with tg.no_grad():
        leaf = tg.zeros(2, 3, requires_grad=True)
        leaf.t_()
    assert leaf.is_leaf and leaf.shape == (3, 2)


def test_resize():
    x = tg.arange(6.0)
    assert x.resize_(2, 2).tolist() == [[0, 1], [2, 3]]
    assert x.resize_(size=(5,)).shape == (5,)
    with pytest.raises(RuntimeError, match="resize"):
        tg.ones(2, requires_grad=True).resize_(1)


def test_new_data_leaves_views_behind():
    x = tg.zeros(3)
    view = x[:2]
    x.data = tg.ones(4)
    view.fill_(5.0)
    x[0] = 2.0
    assert x.tolist() == [2, 1, 1, 1] and view.tolist() == [5, 5]
    assert view._base is None and x._views is None


def test_out_argument():
    out = tg.zeros(3)
    version = out._version
    assert tg.add(tg.ones(3), 1.0, out=out) is out
    assert out.tolist() == [2, 2, 2] and out._version == version + 1
    small = tg.zeros(0)
    tg.mul(tg.ones(2), 3.0, out=small)
    assert small.tolist() == [3, 3]
    with pytest.raises(RuntimeError, match="out="):
        tg.add(tg.ones(3, requires_grad=True), 1.0, out=out)
    with pytest.raises(RuntimeError, match="cast"):
        tg.add(tg.ones(3), 0.5, out=tg.zeros(3, dtype=tg.int64))
    with pytest.raises(RuntimeError, match="read-only"):
        a = np.zeros(3)
        a.flags.writeable = False
        tg.add(tg.ones(3), 1.0, out=tg.from_numpy(a))


def test_numpy_sees_writes_and_writes_are_seen():
    a = np.zeros(3)
    x = tg.from_numpy(a)
    x[1] = 4.0
    x[::2].add_(1.0)
    assert a.tolist() == [1, 4, 1]
    x.numpy()[0] = 9.0
    assert x[0].item() == 9.0


@pytest.mark.parametrize("name", sorted(_inplace.ARITHMETIC))
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3, 4), (), (0,)])
@pytest.mark.parametrize("other", [None, 1.5, 2])
def test_arithmetic_in_memory_equals_the_forward(name, dtype, shape, other):
    op = OPS[name]
    rng = np.random.default_rng(0)
    x, y = (np.asarray(rng.uniform(0.5, 2.0, shape).astype(dtype)) for _ in range(2))
    other = tg.from_numpy(y) if other is None else other
    want = op.general((tg.from_numpy(x.copy()), other), {}).numpy()
    target = tg.from_numpy(x)
    assert _inplace._run_in_place(op, target, (other,))
    assert target.numpy() is x and x.dtype == dtype
    np.testing.assert_array_equal(x, want)


def test_every_writer_equals_its_forward():
    """The generated cases of tests/test_ops.py draw more; here each writer runs once."""
    x = np.arange(12.0).reshape(3, 4)
    i, j = np.array([2, 0]), np.array([[1, 0, 2, 2]])
    calls = {
        "index_put": ((9.0,), {"index": (i,), "accumulate": True}),
        "scatter": ((j, np.ones((1, 4))), {"dim": 0}),
        "scatter_add": ((j, np.ones((1, 4))), {"dim": 0}),
        "index_add": ((i, np.ones((2, 4))), {"dim": 0, "alpha": 2.0}),
        "index_copy": ((i, np.ones((2, 4))), {"dim": 0}),
        "index_fill": ((i, 3.0), {"dim": 1}),
        "zero": ((), {}),
        "fill": ((4.0,), {}),
        "copy": ((np.ones(4),), {"non_blocking": False}),
        "masked_fill": ((x > 3, 5.0), {}),
    }
    assert set(calls) == {op.name for op in _inplace.WRITERS}
    for op, write in _inplace.WRITERS.items():
        others, attrs = calls[op.name]
        for array in (x.copy(), x.copy(order="F")):
            want = op.forward(array.copy(), *others, **attrs)
            write(array, *others, **attrs)
            np.testing.assert_array_equal(array, want, err_msg=op.name)


# --- filling a tensor part by part ------------------------------------------------------


@pytest.mark.parametrize("hooked", [False, True])
def test_gradients_of_a_filled_tensor(hooked):
    """The walk may clear the written regions of a gradient in place: nobody must see that."""
    w = tg.tensor([1.0, 2.0, 3.0], dtype=tg.float64, requires_grad=True)
    start = tg.ones(2, 3, dtype=tg.float64, requires_grad=True)
    x = start * 1.0
    seen = []
    if hooked:
        x.register_hook(seen.append)
    middle = x
    x = x * 1.0
    for i in range(2):
        x[i] = w * (i + 1.0)
        x[:, i] += w[i]
    if hooked:
        x.register_hook(seen.append)
    weight = tg.arange(6.0, dtype=tg.float64).reshape(2, 3)
    loss = (x * x * weight).sum() + (x * weight).sum()
    wanted = [w, start, middle, x]
    first = [g.tolist() for g in tg.autograd.grad(loss, wanted, retain_graph=True)]
    again = [g.tolist() for g in tg.autograd.grad(loss, wanted, create_graph=True)]
    assert first == again
    for g, t in zip(first[2:], (middle, x), strict=True):
        assert np.shape(g) == tuple(t.shape)
    assert first[1] == first[2] == [[0.0] * 3] * 2
    want = (2 * x.detach() + 1) * weight
    assert first[3] == want.tolist()
    assert all(g.tolist() in (first[2], first[3]) for g in seen)


def test_backward_of_a_filled_tensor_takes_one_copy():
    import tracemalloc

    w = tg.ones(100, requires_grad=True)
    x = tg.zeros(200, 100)
    for i in range(200):
        x[i] = w * 2.0
    loss = (x * x).sum()
    tracemalloc.start()
    loss.backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert w.grad.tolist() == [200 * 2 * 2.0 * 2.0] * 100
    assert peak < 4 * x.nbytes


def test_views_made_by_two_threads_are_all_known():
    """An in-place write must reach the history of every live view, whichever thread made it."""
    base = tg.zeros(64, dtype=tg.float64, requires_grad=True) * 1.0
    made = [[], []]

    def look(mine):
        for i in range(2000):
            _ = base[i % 64]  # dies at once, so that the list of views is pruned all the time
            if i % 20 == 0:
                mine.append(base[i % 64 : i % 64 + 1])

    threads = [threading.Thread(target=look, args=(mine,)) for mine in made]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    before = [v.grad_fn for mine in made for v in mine]
    base.mul_(2.0)
    after = [v.grad_fn for mine in made for v in mine]
    assert all(a is not b for a, b in zip(before, after, strict=True))
