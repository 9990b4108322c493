"""scaled_dot_product_attention and MultiheadAttention beside PyTorch's."""

import numpy as np
import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F
from tensorgrad.nn.attention import SDPBackend, sdpa_kernel
from tensorgrad.ops.attention import _BLOCK, _blocks, attention


def draw(*shape, seed=0, scale=1.0):
    return np.random.default_rng(seed).standard_normal(shape) * scale


def operands(lib, q, k, v, **kwargs):
    """Three float64 leaves of the given shapes."""
    shapes = enumerate((q, k, v))
    return [lib.tensor(draw(*s, seed=i), requires_grad=True, **kwargs) for i, s in shapes]


def derivatives(lib, out, leaves):
    """The value, the gradients of a scalar made of it, and those of a scalar made of them."""

    def gradients(y, **kwargs):
        got = lib.autograd.grad(y, leaves, allow_unused=True, **kwargs)
        return [lib.zeros_like(x) if g is None else g for g, x in zip(got, leaves, strict=True)]

    first = gradients((out * lib.tensor(draw(*out.shape, seed=9))).sum(), create_graph=True)
    return [out, *first, *gradients(sum((g * g).sum() + g.sum() for g in first))]


def sdpa(lib, q, k, v, *args, **kwargs):
    """The derivatives of attention over operands of these shapes; PyTorch by its plain kernel."""
    leaves = operands(lib, q, k, v)
    # PyTorch's fused kernel has no second derivative.
    with lib.nn.attention.sdpa_kernel(lib.nn.attention.SDPBackend.MATH):
        out = lib.nn.functional.scaled_dot_product_attention(*leaves, *args, **kwargs)
        return derivatives(lib, out, leaves)


Q, K, V = (2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 7)


def bool_mask(*shape):
    mask = np.random.default_rng(3).random(shape) < 0.6
    mask[..., 0] = True
    return mask


# --- scaled_dot_product_attention -------------------------------------------------------


@pytest.mark.parametrize(
    "shapes",
    [
        (Q, K, V), ((4, 5), (6, 5), (6, 7)), ((3, 4, 5), (3, 6, 5), (3, 6, 7)),
        ((2, 2, 2, 3, 4), (2, 2, 2, 3, 4), (2, 2, 2, 3, 4)), (Q, (1, 3, 6, 5), (3, 6, 7)),
        ((2, 1, 4, 5), K, V), (Q, K, (1, 1, 6, 7)), ((1, 1, 1, 1),) * 3,
        ((2, 3, 4, 0), (2, 3, 6, 0), V),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("is_causal", [False, True])
def test_shapes(shapes, is_causal):
    agree(lambda lib: sdpa(lib, *shapes, is_causal=is_causal))


@pytest.mark.parametrize(
    "shape", [(4, 6), (1, 6), (4, 1), (2, 1, 4, 6), (2, 3, 4, 6), (3, 4, 6), (1, 1, 1, 6)]
)
@pytest.mark.parametrize("kind", ["bool", "float64", "float32"])
def test_masks(shape, kind):
    mask = bool_mask(*shape) if kind == "bool" else draw(*shape, seed=4).astype(kind)
    agree(lambda lib: sdpa(lib, Q, K, V, lib.tensor(mask)))


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_a_query_that_sees_nothing_gets_zeros(kind):
    mask = bool_mask(4, 6)
    mask[1] = False
    mask = mask if kind == "bool" else np.where(mask, 0.0, -np.inf)
    agree(lambda lib: sdpa(lib, Q, K, V, lib.tensor(mask)))
    out = F.scaled_dot_product_attention(*operands(tg, Q, K, V), tg.tensor(mask))
    assert (out[:, :, 1] == 0).all()
    assert (out[:, :, 0] != 0).all()


@pytest.mark.parametrize("shapes", [
    (Q, (2, 3, 0, 5), (2, 3, 0, 7)), ((2, 3, 0, 5), K, V),
    ((2, 0, 4, 5), (2, 0, 6, 5), (2, 0, 6, 7)),
], ids=["no keys", "no queries", "no heads"])  # fmt: skip
def test_empty_operands(shapes):
    def program(lib):
        leaves = operands(lib, *shapes)
        out = lib.nn.functional.scaled_dot_product_attention(*leaves)
        return [out, *lib.autograd.grad(out.sum(), leaves)]

    agree(program)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite(value):
    mask = np.zeros((4, 6))
    mask[1, 2] = value

    def program(lib):
        leaves = operands(lib, Q, K, V)
        return lib.nn.functional.scaled_dot_product_attention(*leaves, lib.tensor(mask))

    agree(program)


def test_a_mask_has_derivatives_too():
    def program(lib):
        leaves = [*operands(lib, Q, K, V), lib.tensor(draw(3, 1, 6), requires_grad=True)]
        with lib.nn.attention.sdpa_kernel(lib.nn.attention.SDPBackend.MATH):
            out = lib.nn.functional.scaled_dot_product_attention(*leaves)
            return derivatives(lib, out, leaves)

    agree(program)


@pytest.mark.parametrize("scale", [1.0, 0.0, -0.5, 2, None])
def test_scale(scale):
    agree(lambda lib: sdpa(lib, Q, K, V, scale=scale))


@pytest.mark.parametrize("scale", [30.0, 3000.0])
@pytest.mark.parametrize("is_causal", [False, True])
def test_scores_that_overflow_an_exponential(scale, is_causal):
    agree(lambda lib: sdpa(lib, Q, K, V, scale=scale, is_causal=is_causal))


def test_float32_scores_just_below_the_shift_are_as_exact():
    """Scores up to 60 are exponentiated as they are."""
    q, k, v = (tg.tensor(draw(1, 50, 8, seed=i)) for i in range(3))
    q = q * (59.0 / (q @ k.mT).abs().max())
    want = F.scaled_dot_product_attention(q, k, v, scale=1.0)
    got = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), scale=1.0)
    # A score of 59 is rounded by 2e-6 before anything is done to it, and there are 8 terms in it.
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("shapes", [
    ((2, 6, 4, 5), K, V), ((6, 4, 5), K[1:], V[1:]), (Q, K, V), ((2, 6, 4, 5), K, (2, 1, 6, 7)),
    ((2, 4, 4, 5), K, V), ((2, 2, 4, 5), K, V), ((4, 5), (6, 5), (6, 7)),
], ids=str)  # fmt: skip
def test_grouped_heads(shapes):
    agree(lambda lib: sdpa(lib, *shapes, enable_gqa=True))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_other_dtypes(dtype):
    def program(lib, mask=None):
        leaves = [t.detach().to(getattr(lib, dtype)) for t in operands(lib, Q, K, V)]
        mask = mask if mask is None else lib.tensor(mask)
        return lib.nn.functional.scaled_dot_product_attention(*leaves, mask)

    rtol = {"float32": 1e-5, "float16": 2e-3}[dtype]  # a rounding or two of each dtype
    agree(program, rtol)
    agree(lambda lib: program(lib, bool_mask(4, 6)), rtol)
    agree(lambda lib: program(lib, draw(4, 6).astype(dtype)), rtol)


BAD = {
    "mask beside causal": lambda lib, q, k, v: ((q, k, v, lib.ones(4, 6)), {"is_causal": True}),
    "integer mask": lambda lib, q, k, v: ((q, k, v, lib.ones(4, 6).int()), {}),
    "mask of another dtype": lambda lib, q, k, v: ((q, k, v, lib.ones(4, 6).half()), {}),
    "mask that does not fit": lambda lib, q, k, v: ((q, k, v, lib.ones(4, 5)), {}),
    "bool mask that does not fit": lambda lib, q, k, v: ((q, k, v, lib.ones(4, 5).bool()), {}),
    "mask of more dimensions": lambda lib, q, k, v: ((q, k, v, lib.ones(5, 2, 3, 4, 6)), {}),
    "mask of one dimension": lambda lib, q, k, v: ((q, k, v, lib.ones(6)), {}),
    "mask without dimensions": lambda lib, q, k, v: ((q, k, v, lib.tensor(1.0)), {}),
    "mask that is no tensor": lambda lib, q, k, v: ((q, k, v, [1.0]), {}),
    "value that is no tensor": lambda lib, q, k, v: ((q, k, None), {}),
    "mixed dtypes": lambda lib, q, k, v: ((q, k.float(), v), {}),
    "integers": lambda lib, q, k, v: ((q.int(), k.int(), v.int()), {}),
    "bools": lambda lib, q, k, v: ((q.bool(), k.bool(), v.bool()), {}),
    "vectors": lambda lib, q, k, v: ((q[0, 0, 0], k[0, 0, 0], v[0, 0, 0]), {}),
    "features that differ": lambda lib, q, k, v: ((q, k[..., :4], v), {}),
    "lengths that differ": lambda lib, q, k, v: ((q, k, v[:, :, :5]), {}),
    "heads that differ": lambda lib, q, k, v: ((q[:, :2], k, v), {}),
    "dropout above one": lambda lib, q, k, v: ((q, k, v), {"dropout_p": 2.0}),
    "scale by position": lambda lib, q, k, v: ((q, k, v, None, 0.0, False, 1.0), {}),
    "unknown keyword": lambda lib, q, k, v: ((q, k, v), {"mask": None}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    def program(lib):
        args, kwargs = BAD[name](lib, *[t.detach() for t in operands(lib, Q, K, V)])
        return lib.nn.functional.scaled_dot_product_attention(*args, **kwargs)

    error = agree(program)
    assert error is not None
    assert len(str(error)) > 20


def test_dropout_keeps_the_mean_and_repeats_with_the_seed():
    q, k, v = (t.detach() for t in operands(tg, (4, 50, 8), (4, 50, 8), (4, 50, 8)))
    ones = tg.ones_like(v)
    tg.manual_seed(0)
    out = F.scaled_dot_product_attention(q, k, ones, dropout_p=0.5)
    assert out.std() > 0.05
    assert abs(out.mean().item() - 1.0) < 0.05
    tg.manual_seed(0)
    assert tg.equal(F.scaled_dot_product_attention(q, k, ones, dropout_p=0.5), out)
    assert (F.scaled_dot_product_attention(q, k, v, dropout_p=1.0) == 0).all()


def test_dropout_has_the_gradient_of_its_mask():
    leaves = operands(tg, Q, K, V)

    def f(*ts):
        tg.manual_seed(1)
        return F.scaled_dot_product_attention(*ts, dropout_p=0.3)

    assert tg.autograd.gradcheck(f, leaves)
    assert tg.autograd.gradgradcheck(f, leaves)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_blocks_cover_each_matrix_once(data):
    batch = data.draw(st.lists(st.integers(1, 5), max_size=3))
    shape = (*batch, data.draw(st.sampled_from([1, 60, 400])), data.draw(st.sampled_from([9, 300])))
    seen = np.zeros(shape, int)
    for at in _blocks(shape):
        seen[at] += 1
        assert seen[at].size <= max(_BLOCK, shape[-1] * shape[-2])
    assert (seen == 1).all()


def test_large_scores_agree_with_the_definition():
    """More than one block, cut at the first and at the second dimension."""
    for shape in ((5, 3, 90, 4), (2, 3, 200, 4)):
        out = []
        for f in (attention.op.apply, lambda ts, attrs: attention.op.definition(*ts, **attrs)):
            leaves = operands(tg, shape, shape, shape)
            attrs = {"scale": 0.3, "causal": True, "drop": None}
            out.append(derivatives(tg, f((*leaves, None), attrs), leaves))
        for ours, theirs in zip(*out, strict=True):
            np.testing.assert_allclose(ours.detach(), theirs.detach(), rtol=1e-9, atol=1e-9)


def test_heads_that_were_split_by_views_are_joined_by_a_view():
    x = tg.randn(2, 5, 12)
    heads = x.view(2, 5, 3, 4).transpose(1, 2)
    joined = F.scaled_dot_product_attention(heads, heads, heads).transpose(1, 2)
    assert joined.is_contiguous()


def test_a_choice_of_kernel_changes_nothing():
    q, k, v = operands(tg, Q, K, V)
    plain = F.scaled_dot_product_attention(q, k, v)
    with sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION], set_priority=True):
        assert tg.equal(F.scaled_dot_product_attention(q, k, v), plain)
    with pytest.raises(AssertionError), sdpa_kernel("math"):
        pass


def test_kernel_names_are_pytorchs():
    torch = pytest.importorskip("torch")
    for backend in SDPBackend:
        assert int(getattr(torch.nn.attention.SDPBackend, backend.name)) == backend.value


# --- MultiheadAttention -----------------------------------------------------------------

E, H, N, L, S = 8, 2, 3, 4, 5


def layer(lib, **options):
    """A float64 layer whose parameters are the same numbers in both libraries."""
    module = lib.nn.MultiheadAttention(E, H, dtype=lib.float64, **options)
    with lib.no_grad():
        for i, p in enumerate(module.parameters()):
            p.copy_(lib.tensor(draw(*p.shape, seed=i, scale=0.5)))
    return module


def inputs(lib, batch_first=False, batched=True, kdim=E, vdim=E, own=False):
    """Query, key and value; one tensor three times for self-attention."""
    out = []
    for i, (length, width) in enumerate(((L, E), (S, kdim), (S, vdim))):
        shape = (length, N, width) if batched else (length, width)
        x = draw(*shape, seed=20 + i)
        x = x.swapaxes(0, 1).copy() if batch_first and batched else x
        out.append(lib.tensor(x, requires_grad=True))
    return [out[0]] * 3 if own else out


def mha(lib, module, ts, **kwargs):
    """Outputs and derivatives with respect to inputs and parameters."""
    with lib.nn.attention.sdpa_kernel(lib.nn.attention.SDPBackend.MATH):
        out, weights = module(*ts, **kwargs)
        joint = out.flatten() if weights is None else lib.cat([out.flatten(), weights.flatten()])
        leaves = [*dict.fromkeys(ts), *module.parameters()]
        return [out, weights, *derivatives(lib, joint, leaves)]


@pytest.mark.parametrize("options", [
    {}, {"bias": False}, {"add_bias_kv": True}, {"add_zero_attn": True},
    {"add_bias_kv": True, "add_zero_attn": True}, {"kdim": 6}, {"vdim": 3},
    {"kdim": 6, "vdim": 3, "bias": False}, {"kdim": 6, "add_bias_kv": True},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_every_layer(options, batch_first, need_weights, masked):
    sizes = {k: v for k, v in options.items() if k in ("kdim", "vdim")}
    masks = {"attn_mask": ~bool_mask(L, S), "key_padding_mask": ~bool_mask(N, S)} if masked else {}

    def program(lib):
        module = layer(lib, batch_first=batch_first, **options)
        given = {k: lib.tensor(m) for k, m in masks.items()}
        ts = inputs(lib, batch_first, **sizes)
        return mha(lib, module, ts, need_weights=need_weights, **given)

    agree(program)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("same", ["all", "key and value", "none", "query and key"])
def test_inputs_that_are_one_tensor(own, same):
    def program(lib):
        q = inputs(lib, own=True)[0]
        other = (q * 0.5).detach().requires_grad_()
        ts = {"all": [q, q, q], "key and value": [other, q, q], "none": [q, other, q.clone()],
              "query and key": [q, q, other]}[same]  # fmt: skip
        return mha(lib, layer(lib), ts, need_weights=own)

    agree(program)


MASKS = {
    "2-D bool": lambda: {"attn_mask": ~bool_mask(L, S)},
    "3-D bool": lambda: {"attn_mask": ~bool_mask(N * H, L, S)},
    "2-D float": lambda: {"attn_mask": draw(L, S)},
    "3-D float": lambda: {"attn_mask": draw(N * H, L, S)},
    "padding bool": lambda: {"key_padding_mask": ~bool_mask(N, S)},
    "padding float": lambda: {"key_padding_mask": draw(N, S)},
    "both float": lambda: {"attn_mask": draw(N * H, L, S), "key_padding_mask": draw(N, S)},
    "causal": lambda: {"attn_mask": np.triu(np.full((L, S), -np.inf), 1), "is_causal": True},
    "causal and padding": lambda: {
        "attn_mask": np.triu(np.ones((L, S), bool), 1), "is_causal": True,
        "key_padding_mask": ~bool_mask(N, S),
    },
}  # fmt: skip


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("extra", [{}, {"add_bias_kv": True, "add_zero_attn": True}], ids=str)
@pytest.mark.parametrize("weights", [
    {"need_weights": False}, {}, {"average_attn_weights": False},
], ids=str)  # fmt: skip
def test_masks_of_the_layer(masks, extra, weights):
    def program(lib):
        given = {
            k: lib.tensor(m) if isinstance(m, np.ndarray) else m for k, m in MASKS[masks]().items()
        }
        return mha(lib, layer(lib, **extra), inputs(lib), **given, **weights)

    agree(program)


@pytest.mark.parametrize("masks", [
    {}, {"attn_mask": ~bool_mask(L, S)}, {"attn_mask": ~bool_mask(H, L, S)},
    {"key_padding_mask": ~bool_mask(S)},
], ids=["none", "2-D", "3-D", "padding"])  # fmt: skip
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("weights", [
    {"need_weights": False}, {}, {"average_attn_weights": False},
], ids=str)  # fmt: skip
def test_without_a_batch(masks, batch_first, weights):
    def program(lib):
        given = {k: lib.tensor(m) for k, m in masks.items()}
        module = layer(lib, batch_first=batch_first)
        return mha(lib, module, inputs(lib, batched=False), **given, **weights)

    agree(program)


@pytest.mark.parametrize("weights", [
    {"need_weights": False}, {}, {"average_attn_weights": False},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("masks", [
    {}, {"attn_mask": ~bool_mask(L, L)}, {"key_padding_mask": ~bool_mask(N, L)},
    {"attn_mask": ~bool_mask(L, L), "key_padding_mask": ~bool_mask(N, L)},
], ids=["none", "2-D", "padding", "both"])  # fmt: skip
def test_without_gradients(weights, masks):
    """PyTorch takes another path then."""

    def program(lib):
        x = inputs(lib, batch_first=True, own=True)
        given = {k: lib.tensor(m) for k, m in masks.items()}
        with lib.no_grad():
            return layer(lib, batch_first=True).eval()(*x, **given, **weights)

    agree(program)


def test_masks_of_different_types_warn():
    masks = {"attn_mask": draw(L, S), "key_padding_mask": ~bool_mask(N, S)}

    def program(lib):
        given = {k: lib.tensor(m) for k, m in masks.items()}
        with pytest.warns(UserWarning, match="mismatched"):
            return mha(lib, layer(lib), inputs(lib), **given)

    agree(program)


def test_weights_of_a_query_that_sees_nothing_are_nan():
    mask = np.zeros((L, S), bool)
    mask[1] = True
    for need_weights in (False, True):
        agree(
            lambda lib, n=need_weights: layer(lib)(
                *inputs(lib), attn_mask=lib.tensor(mask), need_weights=n
            )
        )


BAD_CALLS = {
    "hint without a mask": lambda lib: (inputs(lib), {"is_causal": True}),
    "mask of another shape": lambda lib: (inputs(lib), {"attn_mask": lib.zeros(L, L)}),
    "3-D mask of another shape": lambda lib: (inputs(lib), {"attn_mask": lib.zeros(N, L, S)}),
    "1-D mask": lambda lib: (inputs(lib), {"attn_mask": lib.zeros(S)}),
    "integer mask": lambda lib: (inputs(lib), {"attn_mask": lib.zeros(L, S).int()}),
    "padding of another shape": lambda lib: (inputs(lib), {"key_padding_mask": lib.zeros(N, L)}),
    "padding for another batch": lambda lib: (inputs(lib), {"key_padding_mask": lib.zeros(1, S)}),
    "padding of other dimensions": lambda lib: (inputs(lib), {"key_padding_mask": lib.zeros(S)}),
    "unbatched with 3-D mask": lambda lib: (
        inputs(lib, batched=False), {"attn_mask": lib.zeros(H + 1, L, S)}),
    "unbatched with 2-D padding": lambda lib: (
        inputs(lib, batched=False), {"key_padding_mask": lib.zeros(N, S)}),
    "4-D query": lambda lib: ([t[None] for t in inputs(lib)], {}),
    "batched query, unbatched key": lambda lib: (
        [inputs(lib)[0], *inputs(lib, batched=False)[1:]], {}),
    "another width": lambda lib: ([t[..., :6] for t in inputs(lib)], {}),
    "key and value that differ": lambda lib: (
        [*inputs(lib)[:2], inputs(lib)[2][:-1]], {}),
    "batches that differ": lambda lib: ([inputs(lib)[0][:, :1], *inputs(lib)[1:]], {}),
    "float32 input": lambda lib: ([t.float() for t in inputs(lib)], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_calls(name):
    def program(lib):
        ts, kwargs = BAD_CALLS[name](lib)
        return layer(lib)(*ts, **kwargs)

    assert agree(program) is not None


@pytest.mark.parametrize("args", [(0, 1), (4, 0), (-4, 2), (5, 2)])
def test_bad_sizes(args):
    assert agree(lambda lib: lib.nn.MultiheadAttention(*args)) is not None


OPTIONS = [
    {}, {"bias": False}, {"kdim": 6}, {"kdim": 6, "vdim": 3, "bias": False},
    {"add_bias_kv": True}, {"kdim": 6, "add_bias_kv": True, "batch_first": True},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_default_values_keys_and_repr(options):
    def program(lib):
        lib.manual_seed(0)
        module = lib.nn.MultiheadAttention(E, H, **options)
        names = [name for name, _ in module.named_parameters()]
        return [dict(module.state_dict()), names, repr(module), lib.rand(3)]

    agree(program)


def test_attributes_are_pytorchs():
    names = ["embed_dim", "num_heads", "kdim", "vdim", "dropout", "batch_first", "add_zero_attn"]
    names += ["head_dim", "_qkv_same_embed_dim", "bias_k", "q_proj_weight"]

    def program(lib):
        module = lib.nn.MultiheadAttention(8, 2, 0.1, True, False, True, None, None, True)
        return [getattr(module, n) for n in names]

    agree(program)


def test_state_goes_both_ways():
    torch = pytest.importorskip("torch")
    ours, theirs = nn.MultiheadAttention(E, H), torch.nn.MultiheadAttention(E, H)
    state = theirs.state_dict()
    ours.load_state_dict({k: tg.tensor(v.numpy()) for k, v in state.items()})
    x = draw(L, N, E).astype(np.float32)
    ours.eval(), theirs.eval()
    for a, b in zip(ours(*[tg.tensor(x)] * 3), theirs(*[torch.tensor(x)] * 3), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-4, atol=1e-6)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("shape", [(L, L), (N * H, L, L), None])
def test_merge_masks(both, shape):
    def program(lib):
        module = lib.nn.MultiheadAttention(E, H)
        mask = None if shape is None else lib.tensor(draw(*shape))
        padding = lib.tensor(draw(N, L)) if both else None
        merged, kind = module.merge_masks(mask, padding, lib.zeros(N, L, E))
        return [merged, kind]

    agree(program)


@pytest.mark.parametrize("static", ["key", "value", "both"])
def test_static_keys_and_values(static):
    def program(lib):
        module = layer(lib)
        given = lib.tensor(draw(N * H, S, E // H))
        return lib.nn.functional.multi_head_attention_forward(
            *inputs(lib), E, H, module.in_proj_weight, module.in_proj_bias, None, None, False, 0.5,
            module.out_proj.weight, module.out_proj.bias, training=False,
            static_k=given if static != "value" else None,
            static_v=given if static != "key" else None,
        )  # fmt: skip

    agree(program)


@pytest.mark.parametrize("problem", ["one bias", "static and bias", "static of another size"])
def test_bad_forward(problem):
    def program(lib):
        module = layer(lib, add_bias_kv=True)
        given = lib.zeros(N * H, S, E // H + 1, dtype=lib.float64)
        return lib.nn.functional.multi_head_attention_forward(
            *inputs(lib), E, H, module.in_proj_weight, module.in_proj_bias,
            None if problem == "static of another size" else module.bias_k,
            module.bias_v if problem == "static and bias" else None, False, 0.0,
            module.out_proj.weight, module.out_proj.bias,
            static_k=None if problem == "one bias" else given,
        )  # fmt: skip

    assert agree(program) is not None


def test_dropout_is_for_training():
    module = nn.MultiheadAttention(E, H, dropout=0.5)
    ts = inputs(tg)
    ts = [t.float() for t in ts]
    tg.manual_seed(0)
    first, weights = module(*ts)
    assert (weights == 0).any()
    assert not tg.equal(first, module(*ts)[0])
    module.eval()
    assert tg.equal(module(*ts)[0], module(*ts)[0])
    tg.manual_seed(0)
    assert not tg.equal(module.train()(*ts, need_weights=False)[0], module.eval()(*ts)[0])
