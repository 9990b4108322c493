"""Creation functions: what test_torch_* and the doctests do not reach."""

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
