"""Shape functions against PyTorch: values, aliasing, two derivatives, nodes, errors."""

import both
import numpy as np
import pytest
from expressions import (
    LIBRARIES,
    compare_derivatives,
    compare_errors,
    compare_values,
    evaluate,
    made,
    named_in,
    public_names,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad._graph import sum_to, wrap

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(7)
ARRAYS = {
    "x": RNG.standard_normal((2, 3, 4)),
    "y": RNG.standard_normal((2, 3, 4)),
    "m": RNG.standard_normal((3, 5)),
    "v": RNG.standard_normal(5),
    "s": RNG.standard_normal(()),
    "one": RNG.standard_normal((1, 3, 1)),
    "e": RNG.standard_normal((0, 3)),
    "n": np.arange(6).reshape(2, 3),
}

EXPRESSIONS = """
x.reshape(6, 4)
x.reshape((4, 6))
x.reshape([-1, 2])
x.reshape(-1)
x.reshape(shape=(2, 12))
torch.reshape(x, (3, 8))
x.reshape(torch.tensor(6), 4)
x.permute(2, 0, 1).reshape(8, 3)
x.transpose(0, 1).reshape(-1)
x[:, ::2].reshape(2, -1)
s.reshape(1, 1)
e.reshape(3, 0)
e.reshape(0)
x.view(6, 4)
x.view((2, 12))
x.view(size=(4, 6))
x.view(-1, 3)
x[:, 1:].view(2, 2, 2, 2)
x[:1].view(3, 4)
x.transpose(0, 1).view(3, 2, 2, 2)
e.view(0)
s.view(1)
x.view_as(y)
x.reshape_as(y.flatten())
x.flatten()
x.flatten(1)
x.flatten(0, 1)
x.flatten(start_dim=1, end_dim=-1)
x.flatten(-2, -1)
s.flatten()
torch.flatten(x.permute(1, 0, 2), 1)
x.ravel()
torch.ravel(x.transpose(0, 2))
x.unflatten(2, (2, 2))
x.unflatten(-1, (-1, 2))
x.unflatten(dim=1, sizes=(3, 1))
x.squeeze()
one.squeeze()
one.squeeze(0)
one.squeeze(-1)
one.squeeze(1)
one.squeeze((0, 2))
one.squeeze(dim=(0, 1))
s.squeeze()
s.squeeze(0)
torch.squeeze(one, dim=2)
x.unsqueeze(0)
x.unsqueeze(-1)
x.unsqueeze(dim=2)
s.unsqueeze(0)
x.transpose(0, 2)
x.transpose(-1, 0)
x.transpose(1, 1)
x.transpose(dim0=0, dim1=1)
s.transpose(0, 0)
x.swapaxes(0, 1)
torch.swapaxes(x, axis0=0, axis1=1)
x.swapdims(1, 2)
m.t()
v.t()
s.t()
torch.t(m)
m.T
m.mT
m.H
m.mH
x.mT
x.mH
torch.adjoint(x)
x.adjoint()
x.permute(2, 0, 1)
x.permute((1, 2, 0))
x.permute(-1, 0, -2)
x.permute(dims=(0, 2, 1))
torch.permute(x, (1, 0, 2))
s.permute(())
x.movedim(0, 2)
x.movedim((0, 1), (2, 0))
x.movedim(-1, 0)
torch.movedim(x, source=1, destination=0)
x.moveaxis(2, 0)
torch.moveaxis(x, (0, 2), (1, 0))
one.expand(2, 3, 4)
one.expand(-1, -1, 4)
one.expand((5, 2, 3, 4))
one.expand(size=(1, 3, 2))
one.transpose(0, 1).expand(3, 2, 2)
s.expand(2, 3)
s.expand(2, 1)
e.expand(2, 0, 3)
one.expand_as(x)
x.expand(2, 3, 4)
torch.broadcast_to(one, (2, 3, 4))
one.broadcast_to((2, 2, 3, 1))
torch.broadcast_to(v, (2, -1))
torch.broadcast_tensors(x, one, s)
torch.broadcast_shapes((2, 1), (3,), (1, 1, 1))
torch.broadcast_shapes(3, (2, 1))
x.sum_to_size(3, 1)
x.sum_to_size((1, 3, 4))
x.sum_to_size(2, 3, 4)
m.sum_to_size(5)
torch.cat([x, y])
torch.cat((x, y), 1)
torch.cat([x, y, x], dim=-1)
torch.cat(tensors=[m, m[:, :2]], dim=1)
torch.cat([m, torch.zeros(0)])
torch.cat([torch.zeros(0), v])
torch.cat([e, m[:, :3].float().double()])
torch.cat([n, m[:2, :3]])
torch.cat([x], -2)
torch.concat([v, v], dim=0)
torch.concatenate([v, v], axis=0)
torch.stack([x, y])
torch.stack([x, y], 3)
torch.stack((x, y), dim=-2)
torch.stack([s, s])
torch.stack([n, x[:, :, 0]], axis=1)
torch.hstack([v, v])
torch.hstack([m, m])
torch.hstack([s, v])
torch.vstack([v, v])
torch.vstack([m, v])
torch.row_stack([m, m])
torch.dstack([v, v])
torch.dstack([m, m])
torch.dstack([s, s])
torch.column_stack([v, v])
torch.column_stack([m, v[:3]])
torch.column_stack([s, s])
torch.atleast_1d(s)
torch.atleast_1d(v)
torch.atleast_1d(s, v)
torch.atleast_2d(s)
torch.atleast_2d(v)
torch.atleast_2d([s, v, m])
torch.atleast_3d(s)
torch.atleast_3d(v)
torch.atleast_3d(m, x)
torch.block_diag(m, v, s)
x.split(2, 1)
x.split([1, 2], dim=1)
torch.split(x, 3, dim=2)
torch.split(x, split_size_or_sections=1)
x.split(split_size=3, dim=-1)
x.split(5)
x.split_with_sizes((1, 3), 2)
e.split(2)
x.chunk(2, 2)
x.chunk(3, -1)
torch.chunk(v, chunks=4)
e.chunk(2)
x.tensor_split(3, 2)
x.tensor_split((1, 3), dim=-1)
x.tensor_split([1], 1)
torch.tensor_split(v, torch.tensor([2, 4]))
torch.tensor_split(v, sections=2)
torch.tensor_split(v, indices=(1, 9))
torch.tensor_split(v, 7)
x.hsplit(3)
v.hsplit(5)
torch.hsplit(x, [1])
x.vsplit(2)
torch.vsplit(m, [1, 2])
x.dsplit(2)
torch.dsplit(x, [3])
x.unbind()
x.unbind(-1)
torch.unbind(m, dim=1)
x.narrow(1, 1, 2)
x.narrow(2, -3, 2)
x.narrow(dim=0, start=1, length=1)
x.narrow(1, torch.tensor(1), 1)
torch.narrow(v, 0, 5, 0)
x.select(0, 1)
x.select(-1, -2)
torch.select(m, dim=1, index=3)
x.select_scatter(m[:, :4], 0, 1)
torch.select_scatter(m, v, 0, -1)
x.slice_scatter(y[:, :2], 1, 1)
torch.slice_scatter(v, v[:2] * 2, 0, 0, 4, 2)
m.diagonal_scatter(v[:3])
torch.diagonal_scatter(x, m[:, :2], 0, 0, 2)
x.flip(0)
x.flip(0, -1)
x.flip((1,))
x.flip(dims=(2, 0))
torch.flip(x, [1, 2])
x.flip([])
x.fliplr()
torch.fliplr(m)
v.flipud()
torch.flipud(m)
x.roll(1)
x.roll(-2, 1)
x.roll((1, 5), (0, 2))
x.roll(shifts=3, dims=-1)
torch.roll(m, (1, 1), (0, 0))
s.roll(1)
x.rot90()
torch.rot90(m, -1)
torch.rot90(m, 2, [1, 0])
x.rot90(3, (0, 2))
x.rot90(4)
x.repeat(1, 2, 1)
x.repeat((2, 1, 1, 2))
v.repeat(3)
v.repeat(repeats=(2, 2))
s.repeat(3)
v.repeat(0)
x.tile(2)
x.tile((2, 1, 1, 3))
torch.tile(m, dims=(2, 2))
m.T.contiguous()
x.transpose(0, 2).contiguous()
F.pad(x, (1, 2))
F.pad(x, (1, 0, 0, 2, 1, 1))
F.pad(x, [1, -1, -1, 0], value=2.5)
F.pad(x, (-1, -2))
F.pad(x, pad=(0, 1), mode="constant", value=None)
F.pad(n, (1, 1), value=3)
F.pad(v, (-3, 4))
F.pad(x, (2, 3), mode="reflect")
F.pad(m, (1, 2), "reflect")
F.pad(x[None], (1, 2, 2, 0), mode="reflect")
F.pad(x, (2, 3), mode="replicate")
F.pad(x[None], (1, 2, 0, 4), mode="replicate")
F.pad(x[None, None], (1, 0, 2, 1, 1, 1), mode="replicate")
F.pad(x, (2, 3), mode="circular")
F.pad(x[None], (1, 4, 3, 0), mode="circular")
F.pad(x[None], (-1, 2, 0, -1), mode="circular")
F.pad(x, (-1, 2), mode="replicate")
m.diagonal()
m.diagonal(1)
m.diagonal(-2)
m.diagonal(9)
x.diagonal(0, 1, 2)
x.diagonal(offset=1, dim1=-1, dim2=0)
torch.diagonal(x, dim1=0, dim2=2)
v.diag()
v.diag(-2)
m.diag(1)
torch.diag(m, diagonal=-1)
m.diag_embed()
m.diag_embed(1, 0, -1)
torch.diag_embed(v, offset=-1)
v.diagflat()
torch.diagflat(m[:2, :2], 1)
m.tril()
m.tril(-1)
x.tril(diagonal=1)
torch.triu(m)
x.triu(-1)
torch.triu(m, diagonal=2)
torch.meshgrid(v, v[:2], indexing="ij")
torch.meshgrid(v, v[:2], v[:3], indexing="xy")
torch.meshgrid([v, s], indexing="ij")
torch.cartesian_prod(v, v[:2])
torch.cartesian_prod(v)
x.unfold(2, 2, 1)
x.unfold(0, 2, 1)
x.unfold(-1, 2, 3)
v.unfold(dimension=0, size=3, step=2)
m.T.unfold(0, 2, 2)
v.unfold(0, 0, 1)
s.unfold(0, 1, 1)
x.as_strided((2, 3), (4, 1))
x.as_strided((3,), (2,), 5)
x.as_strided((2, 2), (1, 1), 0)
x[1].as_strided((2, 2), (3, 1))
x[1].as_strided(size=(2,), stride=(1,), storage_offset=0)
torch.as_strided(m.T, (2, 2), (5, 1), 1)
x.as_strided((), (), 3)
x.as_strided((0, 3), (1, 1))
""".strip().splitlines()

UNTRACKED = {
    "torch.broadcast_shapes((2, 1), (3,), (1, 1, 1))", "torch.broadcast_shapes(3, (2, 1))",
    "F.pad(n, (1, 1), value=3)",
}  # fmt: skip


@pytest.mark.parametrize("source", EXPRESSIONS)
def test_value_and_aliasing(source):
    compare_values(source, ARRAYS)


# PyTorch drops the gradient of what as_strided reads outside the view that it is called on.
OUTSIDE = {"x[1].as_strided(size=(2,), stride=(1,), storage_offset=0)"}


@pytest.mark.parametrize("source", [s for s in EXPRESSIONS if s not in UNTRACKED | OUTSIDE])
def test_two_derivatives(source):
    compare_derivatives(source, ARRAYS)


NODES = """
x.reshape(6, 4) | x.view(6, 4) | x.flatten() | x.permute(2, 0, 1) | x.transpose(0, 1) | m.t()
x.squeeze() | x.squeeze(0) | x.squeeze((0, 1)) | x.unsqueeze(0) | one.expand(2, 3, 4) | m.T | m.mT
torch.cat([x, x]) | torch.stack([x, x]) | x.split(1)[0] | x.chunk(2)[0] | x.unbind()[0]
x.tensor_split(2)[0] | x.narrow(0, 0, 1) | x.select(0, 0) | x.flip(0) | x.roll(1, 0)
F.pad(x, (1, 1)) | v.repeat(2) | m.diagonal() | v.diag() | m.tril() | m.triu() | x.unfold(0, 1, 1)
x.as_strided((2,), (1,)) | m.T.contiguous()
"""


@pytest.mark.parametrize("source", NODES.replace("\n", "|").strip("|").split("|"))
def test_node_has_pytorchs_name(source):
    names = []
    for lib in LIBRARIES.values():
        names.append(evaluate(source.strip(), lib, made(lib, ARRAYS)).grad_fn.name())
    assert names[0] == names[1]


ERRORS = """
x.reshape(5)
x.reshape(-1, -1)
x.reshape(-2, 12)
x.reshape(2.0, 12)
x.reshape()
x.reshape(6, 4, shape=(4, 6))
e.reshape(-1, 0)
x.view(5)
x.view()
x.transpose(0, 1).view(-1)
m.float().view(torch.float64)
x.view_as(5)
x.flatten(2, 0)
x.flatten(0, 3)
x.unflatten(2, (3, 2))
x.unflatten(5, (3, 2))
x.squeeze(3)
x.squeeze((0, 0))
x.unsqueeze(4)
x.unsqueeze(-5)
x.transpose(0, 3)
x.t()
v.mT
x.H
v.mH
x.permute(0, 1)
x.permute(0, 0, 1)
x.permute(0, 1, 3)
x.permute()
x.movedim(0, 3)
x.movedim((0, 1), (0,))
x.movedim((0, 0), (1, 2))
one.expand(2, 2, 4)
one.expand(3)
one.expand(-1, 2, 3, 4)
one.expand()
torch.broadcast_tensors(m, x)
torch.broadcast_shapes((2,), (3,))
x.sum_to_size(2, 2, 4)
x.sum_to_size(1, 2, 3, 4)
torch.cat([])
torch.cat(x)
torch.cat([x, 5])
torch.cat([x, m])
torch.cat([x, y[:, :2]], 2)
torch.cat([x, y], 3)
torch.cat([s, s])
torch.stack([])
torch.stack([x, m])
torch.stack([x, y], 5)
torch.stack(x)
torch.hstack([])
torch.vstack([])
torch.dstack(())
torch.column_stack([])
torch.block_diag(x)
x.split(0)
x.split(-1)
x.split([1, 1], 1)
x.split(1, 3)
s.split(1)
x.chunk(0)
s.chunk(2)
x.tensor_split(0)
s.tensor_split(2)
torch.hsplit(x, 2)
torch.vsplit(v, 1)
torch.dsplit(m, 1)
s.unbind()
x.unbind(3)
x.narrow(0, 3, 1)
x.narrow(0, 1, 2)
x.narrow(0, 0, -1)
s.narrow(0, 0, 1)
x.select(0, 2)
x.select(3, 0)
s.select(0, 0)
x.select_scatter(v, 0, 0)
x.slice_scatter(v, 0)
m.diagonal_scatter(v)
x.flip(3)
x.flip(0, 0)
x.flip()
v.fliplr()
s.flipud()
x.roll((1, 2), 0)
x.roll((1, 2))
x.roll(1, 3)
x.rot90(1, (0, 0))
x.rot90(1, (0,))
v.rot90()
x.repeat(2)
x.repeat(-1, 1, 1)
x.repeat()
F.pad(x, (1,))
F.pad(v, (1, 1, 1, 1))
F.pad(v, (-6, 0))
F.pad(x, (1, 1), mode="unknown")
F.pad(x, (4, 0), mode="reflect")
F.pad(x, (5, 0), mode="circular")
F.pad(x[None], (1, 1), mode="replicate")
F.pad(v, (1, 1), mode="reflect")
F.pad(x, (1, 1), mode="reflect", value=1.0)
m.diagonal(0, 0, 0)
m.diagonal(0, 0, 2)
v.diagonal()
v.diag_embed(0, 1, 1)
v.diag_embed(0, 0, 3)
x.diag()
v.tril()
s.triu()
torch.meshgrid(m, v, indexing="ij")
torch.meshgrid(v, v, indexing="ab")
torch.meshgrid(v, n[0], indexing="ij")
torch.cartesian_prod(m, v)
x.unfold(0, 3, 1)
x.unfold(3, 1, 1)
x.unfold(0, 1, 0)
x.unfold(0, -1, 1)
x.as_strided((3, 20), (4, 1))
x.as_strided((2,), (-1,))
x.as_strided((2, 2), (1,))
x.as_strided((2,), (1,), -1)
""".strip().splitlines()


@pytest.mark.parametrize("source", ERRORS)
def test_error(source):
    assert str(compare_errors(source, ARRAYS)).strip()


def test_every_function_is_compared():
    names = public_names("tensorgrad.ops.shape") - {"view_as_real", "view_as_complex"}
    in_place = {n for n in names if n.endswith("_")}  # compared in test_inplace.py
    assert names - in_place <= named_in(EXPRESSIONS)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x.reshape(5)", ["[5]", "24", "[2, 3, 4]"]),
        ("x.transpose(0, 1).view(-1)", ["[3, 2, 4]", ".reshape("]),
        ("x.transpose(0, 5)", ["[-3, 2]", "5"]),
        ("one.expand(2, 2, 4)", ["(2)", "(3)", "dimension 1"]),
        ("torch.cat([x, y[:, :2]], 2)", ["Expected size 3 but got size 2", "number 1"]),
        ("torch.stack([x, m])", ["[2, 3, 4]", "[3, 5]", "entry 1"]),
        ("x.split([1, 1], 1)", ["sum exactly to 3", "[1, 1]"]),
        ("F.pad(x, (4, 0), mode='reflect')", ["padding 4", "[2, 3, 4]"]),
        ("x.repeat(2)", ["(1)", "(3)"]),
    ],
)
def test_message_says_what_was_got_and_expected(source, words):
    message = str(compare_errors(source, ARRAYS))
    assert all(w in message for w in words), message


def test_view_as_another_dtype():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for dtype in ("int32", "uint8", "int16", "float32"):
        ours = tg.tensor(x).view(getattr(tg, dtype))
        theirs = torch.tensor(x).view(getattr(torch, dtype))
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    assert tg.zeros(2, 4).view(tg.float64).shape == (2, 2)
    t = tg.zeros(2)
    t.view(tg.int32)[0] = 0x3F800000
    assert t.tolist() == [1.0, 0.0]


def test_the_same_tensor_where_nothing_changes():
    x = tg.zeros(2, 3)
    assert x.contiguous() is x
    assert x.flatten(1, 1) is x
    assert tg.atleast_2d(x) is x
    assert x.reshape(2, 3) is not x


def test_t_of_other_than_matrices_warns():
    with pytest.warns(UserWarning, match="deprecated"):
        assert tg.zeros(2, 3, 4).T.shape == (4, 3, 2)


def test_conjugate_transpose_of_complex():
    z = np.array([[1 + 2j, 3.0], [0, 1j]])
    np.testing.assert_array_equal(tg.tensor(z).mH.numpy(), z.conj().T)
    np.testing.assert_array_equal(tg.tensor(z).H.numpy(), z.conj().T)


def test_parts_of_complex_numbers_as_a_dimension():
    z = np.array([[1 + 2j, 3.0], [0, 1j]])
    for a in (z, z.astype(np.complex64), z.T, z[0, 0]):
        ours, theirs = (lib.view_as_real(lib.from_numpy(np.asarray(a))) for lib in (tg, torch))
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
        assert np.shares_memory(ours.numpy(), a) or a.ndim == 0
        np.testing.assert_array_equal(tg.view_as_complex(ours).numpy(), a)
    for wrong in (tg.zeros(2, 3), tg.zeros(2), tg.zeros(2, 2).t(), tg.zeros(2, dtype=tg.int64)):
        with pytest.raises(RuntimeError):
            tg.view_as_complex(wrong) if wrong.shape != (2,) else tg.view_as_real(wrong)


def test_size_arguments_may_be_sizes_numpy_integers_and_tensors():
    x = tg.zeros(2, 3)
    assert x.reshape(x.shape).shape == x.shape
    assert x.reshape(np.int64(3), tg.tensor(2)).shape == (3, 2)
    assert x.expand(tg.tensor(4), 2, 3).shape == (4, 2, 3)
    assert x.permute(tg.tensor(1), tg.tensor(0)).shape == (3, 2)


def test_negative_size_other_than_minus_one_is_refused_by_all_forms():
    for call in (lambda x: x.reshape((-2, 3)), lambda x: x.view(-3, 2), lambda x: x.view([-3, 2])):
        with pytest.raises(RuntimeError, match="invalid shape dimension -"):
            call(tg.zeros(2, 3))


@pytest.mark.parametrize("rows", [1, 3, 64, 1024, 1025])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_sum_to_a_bias(rows, dtype):
    g = np.random.default_rng(0).standard_normal((rows, 7)).astype(dtype)
    got = sum_to(g, shape=(7,))
    assert got.dtype == dtype and got.shape == (7,)
    want = g.astype(np.float64).sum(0)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(got, want, rtol=20 * eps, atol=30 * eps * rows**0.5)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_sum_to_undoes_broadcasting(data):
    shape = data.draw(st.lists(st.integers(0, 3), max_size=4))
    small = [data.draw(st.sampled_from((1, n))) for n in shape]
    small = small[data.draw(st.integers(0, len(shape))) :]
    g = np.random.default_rng(0).standard_normal(shape)
    got = sum_to(g, shape=tuple(small))
    lead = len(shape) - len(small)
    axes = tuple(range(lead)) + tuple(
        i + lead for i, n in enumerate(small) if n == 1 and shape[i + lead] != 1
    )
    np.testing.assert_allclose(got, g.sum(axes, keepdims=True).reshape(small))
    graph = sum_to(wrap(g, None).requires_grad_(), shape=tuple(small))
    np.testing.assert_array_equal(graph.detach().numpy(), got)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_reshape_is_a_view_exactly_where_pytorchs_is(data):
    shape = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    order = data.draw(st.permutations(range(len(shape))))
    step = data.draw(st.integers(1, 2))
    a = np.arange(float(np.prod(shape))).reshape(shape)
    ours, theirs = (lib.tensor(a).permute(*order)[::step] for lib in (tg, torch))
    n = theirs.numel()
    sizes = [d for d in range(1, n + 1) if n % d == 0]
    first = data.draw(st.sampled_from(sizes))
    second = data.draw(st.sampled_from([d for d in sizes if (n // first) % d == 0]))
    target = (first, second, n // first // second)
    np.testing.assert_array_equal(ours.reshape(target).numpy(), theirs.reshape(target).numpy())
    try:
        want = theirs.view(target).numpy()
    except RuntimeError:
        with pytest.raises(RuntimeError, match="reshape"):
            ours.view(target)
    else:
        np.testing.assert_array_equal(ours.view(target).numpy(), want)


PARTS = {
    "unbind": lambda lib, x: sum((k + 1.0) * (t * t).sum() for k, t in enumerate(x.unbind(1))),
    "overlapping": lambda lib, x: (x[1:] * x[:-1]).sum() + (x[:, 1:] * x[:, :-1]).sum(),
    "beside the whole": lambda lib, x: (x * x).sum() + (x[0] ** 3).sum() + x[1, 1, 1] * x.sum(),
    "the same part twice": lambda lib, x: (x[1] * x[1]).sum() + x[1, 0].sum(),
    "parts of parts": lambda lib, x: sum((t * k).sum() for k, t in enumerate(x[1][1:][0])),
    "joined again": lambda lib, x: (lib.stack(x.unbind(2)[::-1]) ** 2).sum(),
}


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("leaf", [True, False])
def test_gradients_of_parts_add_up(name, leaf):
    outcomes = []
    for lib in (torch, tg):
        w = lib.tensor(ARRAYS["x"], requires_grad=True)
        for create_graph in (False, True):
            loss = PARTS[name](lib, w if leaf else w * 2.0)
            (g,) = lib.autograd.grad(loss, w, create_graph=create_graph)
            outcomes.append(g.detach().numpy())
    for other in outcomes[1:]:
        np.testing.assert_allclose(other, outcomes[0], rtol=1e-12)
    np.testing.assert_array_equal(outcomes[2], outcomes[3])  # the array path is the graph path


def test_gradients_of_parts_with_hooks_and_retained():
    w = tg.ones(4, 3, requires_grad=True)
    x = w * 1.0
    x.retain_grad()
    seen = []
    parts = x.unbind()
    for part in parts:
        part.register_hook(lambda g: seen.append(g.tolist()) or g * 2.0)
    sum(k * part.sum() for k, part in enumerate(parts)).backward()
    assert sorted(seen) == [[k] * 3 for k in (0.0, 1.0, 2.0, 3.0)]
    assert x.grad.tolist() == w.grad.tolist() == [[2.0 * k] * 3 for k in range(4)]


def test_as_strided_outside_its_view_has_a_gradient():
    x = tg.arange(6.0).requires_grad_()
    (x[3:].as_strided((2,), (1,), 0) * tg.tensor([2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [2, 3, 0, 0, 0, 0]


def test_windows_over_memory_of_numpys_stride_tricks():
    base = np.arange(6.0)
    windows = np.lib.stride_tricks.sliding_window_view(base, 3, writeable=True)
    x = tg.from_numpy(windows)
    y = x.unfold(0, 2, 1)
    base[0] = 9.0
    assert y[0, 0, 0].item() == 9.0
    assert x.expand(2, 4, 3)[1, 0, 0].item() == 9.0


@pytest.mark.parametrize("offset", [None, 0, 1, 5, 7])
@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[3:],
        lambda x: x[3:].detach(),
        lambda x: x.detach()[3:],
        lambda x: x.requires_grad_()[3:].detach(),
        lambda x: x[::2],
        lambda x: x.view(2, 5).t()[1:],
    ],
)
def test_as_strided_counts_in_the_whole_memory(view, offset):
    both.agree(lambda lib: view(lib.arange(10.0)).as_strided((2, 2), (1, 2), offset))


@pytest.mark.parametrize(
    "shape, pad",
    [
        ((2, 3, 4), (-4, 5)), ((2, 3, 4), (2, -4)), ((2, 3, 4), (-2, 6)), ((2, 3, 4), (-3, -1)),
        ((2, 3, 4), (-3, -2)), ((1, 2, 3, 4), (5, -4, -3, 3)), ((1, 2, 3, 4), (-1, 1, 2, -3)),
    ],
)  # fmt: skip
def test_replicated_sides_may_take_away_what_they_repeat(shape, pad):
    def program(lib):
        x = lib.arange(float(np.prod(shape)), dtype=lib.float64).reshape(shape).requires_grad_()
        y = lib.nn.functional.pad(x, pad, "replicate")
        return y, *lib.autograd.grad((y * lib.arange(float(y.numel())).reshape(y.shape)).sum(), x)

    both.agree(program)
