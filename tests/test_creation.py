"""Creation functions: what test_torch_* and the doctests do not reach."""

import both
import pytest

import tensorgrad as tg

CALLS = {
    "zeros": lambda lib, **kw: lib.zeros(4, **kw),
    "ones": lambda lib, **kw: lib.ones(4, **kw),
    "full": lambda lib, **kw: lib.full((4,), 2.5, **kw),
    "arange": lambda lib, **kw: lib.arange(4.0, **kw),
    "linspace": lambda lib, **kw: lib.linspace(0, 1, 4, **kw),
    "logspace": lambda lib, **kw: lib.logspace(0, 1, 4, **kw),
    "eye": lambda lib, **kw: lib.eye(2, **kw),
}


@pytest.mark.parametrize("name", CALLS)
def test_out_is_written_and_returned(name):
    want = CALLS[name](tg)
    out = tg.full(tuple(want.shape), -7.0)
    assert CALLS[name](tg, out=out) is out
    assert tg.equal(out, want)


@pytest.mark.parametrize("name", CALLS)
def test_values_beside_pytorch(name):
    torch = pytest.importorskip("torch")
    ours, theirs = CALLS[name](tg), CALLS[name](torch)
    assert str(ours.dtype) == str(theirs.dtype)
    tg.testing.assert_close(ours, theirs.numpy())


@pytest.mark.parametrize(
    "make",
    [
        lambda lib: lib.arange(0, end=3),
        lambda lib: lib.arange(1, end=7, step=2),
        lambda lib: lib.arange(3, step=2, end=9),
        lambda lib: lib.arange(end=4.5, start=1),
        lambda lib: lib.arange(0.9, 5.9, 1.9, dtype=lib.int64),  # rounded, then counted
        lambda lib: lib.arange(0.9, 5.9, 1.9, dtype=lib.int32),  # counted, then rounded
        lambda lib: lib.arange(0.0, -8.000001, -4.0, dtype=lib.int64),
        lambda lib: lib.arange(0, 64, 0.5, out=lib.empty(0, dtype=lib.int64)),
        lambda lib: lib.arange(0, 4, 0.5, out=lib.empty(0)),
        lambda lib: lib.arange(0, float("inf")),
        lambda lib: lib.arange(float("nan"), 3),
        lambda lib: lib.arange(0, 1, float("nan")),
        lambda lib: lib.arange(0, 3, 0),
    ],
)
def test_arange_beside_pytorch(make):
    both.agree(make)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
@pytest.mark.parametrize("ends", [(4.3, 0), (0, 99), (2, 2), (7.9, 50), (100, 3)])
@pytest.mark.parametrize("steps", [0, 1, 2, 7, 50])
def test_whole_numbers_between_ends_are_rounded_as_by_pytorch(dtype, ends, steps):
    both.agree(lambda lib: lib.linspace(*ends, steps, dtype=getattr(lib, dtype)))
    if max(ends) < 8 and dtype == "int64":
        both.agree(lambda lib: lib.logspace(*ends, steps, dtype=lib.int64))


def test_whole_numbers_that_the_dtype_does_not_hold_wrap():
    both.agree(lambda lib: lib.linspace(-3, 5, 4, dtype=lib.uint8))
