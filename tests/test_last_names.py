"""Names that PyTorch has on the package and on Tensor and that few scripts use, beside PyTorch."""

import warnings

import numpy as np
import pytest
from both import agree

import tensorgrad


def numbers(lib, *shape, seed=0):
    return lib.tensor(np.random.default_rng(seed).normal(size=shape))


def bad(*programs):
    for program in programs:
        assert isinstance(agree(program), Exception)


# --- methods of Tensor ------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:non-inplace")
def test_resize():
    def run(lib):
        x = numbers(lib, 2, 3).requires_grad_()
        y = x.resize(3, 2), x.resize(6), x.resize_as(numbers(lib, 3, 2))
        first = lib.autograd.grad(sum((t**3).sum() for t in y), x, create_graph=True)[0]
        return y, first, lib.autograd.grad((first**2).sum(), x)

    def plain(lib):
        x = numbers(lib, 2, 3)
        return x.resize(6), x.resize_as(x)

    agree(plain)
    bad(lambda lib: numbers(lib, 2, 3).resize(5), lambda lib: numbers(lib, 2, 3).resize_as(
        numbers(lib, 7)))  # fmt: skip
    with pytest.warns(UserWarning, match="non-inplace resize is deprecated"):
        tensorgrad.ones(2).resize(2)


def test_in_place_methods():
    def run(lib):
        x = numbers(lib, 4).abs().requires_grad_()
        y = (x * 1.0).polygamma_(2)
        z = lib.complex(x, 2 * x).conj_physical_()
        return y, z, lib.conj_physical_(x * 2), lib.autograd.grad(y.sum() + z.imag.sum(), x)

    agree(run)
    agree(lambda lib: numbers(lib, 2, 3).map2_(numbers(lib, 2, 3), numbers(lib, 3), max))
    bad(
        lambda lib: numbers(lib, 2).requires_grad_().map2_(numbers(lib, 2), numbers(lib, 2), max),
        lambda lib: numbers(lib, 2).requires_grad_().conj_physical_(),
        lambda lib: lib.ones(2).polygamma_(-1),
    )


def test_what_only_sparse_tensors_have():
    for name in ("coalesce", "indices", "values", "is_coalesced"):
        bad(lambda lib: getattr(lib.ones(2), name)())  # noqa: B023
    agree(lambda lib: (lib.ones(2, 3).sparse_dim(), lib.ones(2, 3).dense_dim()))


def test_layouts():
    def run(lib):
        x = numbers(lib, 2, 3, 4)
        image = numbers(lib, 2, 3, 4, 5)
        return (
            x.dim_order(), x.permute(2, 0, 1).dim_order(), lib.tensor(1.0).dim_order(),
            image.permute(0, 3, 1, 2).dim_order(), image.swapaxes(1, 3).dim_order(),
            x.dim_order(ambiguity_check=True),
            image.dim_order(ambiguity_check=[lib.contiguous_format, lib.channels_last]),
            x.new_empty_strided((2, 3), (1, 2)).stride(),
            x.new_empty_strided((2, 3), (1, 2), dtype=lib.int64).dtype == lib.int64,
            lib.empty_permuted((2, 3, 4), (2, 0, 1)).stride(),
            tuple(lib.empty_permuted((2, 3), (0, 1)).shape),
        )  # fmt: skip

    agree(run)
    bad(
        lambda lib: lib.ones(1, 3).dim_order(ambiguity_check=True),
        lambda lib: lib.ones(1, 3).expand(4, 3).dim_order(ambiguity_check=True),
        lambda lib: lib.ones(2, 3).dim_order(ambiguity_check="yes"),
        lambda lib: lib.empty_permuted((2, 3), (1, 1)),
        lambda lib: lib.empty_permuted((2, 3), (1,)),
        lambda lib: lib.empty_permuted((2, 3), (1, 2)),
        lambda lib: lib.empty_permuted((2, 3), (1, -2)),
    )


def test_copies_and_parts():
    def run(lib):
        x = numbers(lib, 2, 5).requires_grad_()
        y = x.narrow_copy(1, 1, 3), lib.narrow_copy(x, 0, 1, 1)
        z = lib.unsafe_split_with_sizes(x, [1, 4], 1), x.unsafe_split_with_sizes((2, 0))
        p = lib.constant_pad_nd(x, (1, 2)), lib.constant_pad_nd(x, (-1, 0, 2, 1), 3)
        loss = sum((t**3).sum() for part in (y, *z, p) for t in part)
        first = lib.autograd.grad(loss, x, create_graph=True)[0]
        return y, z, p, first, lib.autograd.grad((first**2).sum(), x)

    agree(run)
    agree(lambda lib: numbers(lib, 3, 2).narrow_copy(0, -1, 1))
    bad(
        lambda lib: lib.ones(2, 5).narrow_copy(1, 0, 6),
        lambda lib: lib.constant_pad_nd(lib.ones(2), (1,)),
        lambda lib: lib.constant_pad_nd(lib.ones(2), (1, 1, 1, 1)),
        lambda lib: lib.constant_pad_nd(lib.ones(2), (-2, -1)),
    )


COPIES = {
    "alias_copy": (), "as_strided_copy": ((2, 2), (1, 2), 1),
    "diagonal_copy": (1, 0, 2), "expand_copy": ((3, 2, 3, 4),), "permute_copy": ((2, 0, 1),),
    "select_copy": (1, 2), "slice_copy": (-1, 1, 4, 2), "split_copy": (2, 1),
    "split_with_sizes_copy": ([1, 2], 1), "squeeze_copy": (0,), "transpose_copy": (0, 2),
    "unbind_copy": (1,), "unfold_copy": (2, 2, 1), "unsqueeze_copy": (1,), "view_copy": ((6, 4),),
}  # fmt: skip


@pytest.mark.parametrize("name", COPIES)
def test_copies(name):
    def run(lib):
        x = numbers(lib, 2, 3, 4).requires_grad_()
        out = getattr(lib, name)(x, *COPIES[name])
        parts = out if isinstance(out, tuple) else (out,)
        first = lib.autograd.grad(sum((t**3).sum() for t in parts), x, create_graph=True)[0]
        again = lib.autograd.grad((first**2).sum(), x)
        before = x.detach().clone()
        for part in parts:
            part.detach().zero_()
        return list(parts), first, again, bool((x == before).all())

    agree(run)


def test_further_copies():
    def run(lib):
        x = numbers(lib, 3, 2)
        out = lib.empty(2, 3, dtype=lib.float64)
        lib.t_copy(x, out=out)
        pairs = lib.view_as_complex_copy(x), lib.view_as_real_copy(x + 0j)
        return out, lib.t_copy(x), lib.detach_copy(x), pairs

    agree(run)


def test_as_strided_in_place_and_scatter():
    def run(lib):
        x, src = numbers(lib, 3, 4), numbers(lib, 2, 2, seed=2)
        return (
            lib.as_strided_scatter(x, src, (2, 2), (1, 3), 2),
            x.as_strided_scatter(src * 2, (2, 2), (4, 1)), x,
        )  # fmt: skip

    def scatter(x, src):
        return tensorgrad.as_strided_scatter(x, src, (2, 2), (1, 3), 2)

    # By finite differences: PyTorch's gradient of x stands where src does.
    x, src = numbers(tensorgrad, 3, 4), numbers(tensorgrad, 2, 2)
    inputs = x.requires_grad_(), src.requires_grad_()
    assert tensorgrad.autograd.gradcheck(lambda *xs: scatter(*xs) ** 3, inputs)
    assert tensorgrad.autograd.gradgradcheck(lambda *xs: scatter(*xs) ** 3, inputs)

    def moved(lib):
        x, y = numbers(lib, 3, 4), numbers(lib, 2)
        y.set_(x)
        z = lib.as_strided_(x, (2, 2), (1, 3))
        y[0, 0] = 5.0
        return x, y, z is x, lib.ones(3).set_().shape == (0,)

    agree(run)
    agree(moved)
    bad(
        lambda lib: lib.as_strided_scatter(lib.ones(4), lib.ones(3), (2,), (1,)),
        lambda lib: lib.ones(2).set_(lib.ones(2, dtype=lib.int64)),
        lambda lib: lib.ones(2).set_(3),
    )


@pytest.mark.parametrize("shape", [(6, 4), (3, 7), (2, 5, 4)])
def test_low_rank(shape):
    """The random vectors decide signs only: the matrices have the rank that is asked for."""

    def run(lib):
        low = numbers(lib, *shape[:-1], 2) @ numbers(lib, *shape[:-2], 2, shape[-1], seed=4)
        out = []
        for U, S, V in (
            lib.svd_lowrank(low, 2), lib.svd_lowrank(low, 2, 1, M=numbers(lib, shape[-1]) * 0),
            lib.pca_lowrank(low, 2), lib.pca_lowrank(low, 2, center=False, niter=3),
        ):  # fmt: skip
            out += [U.abs(), S, V.abs(), (U * S.unsqueeze(-2)) @ V.mH]
        return out

    agree(run, rtol=1e-6)
    bad(
        lambda lib: lib.pca_lowrank(lib.ones(3, 2), 3),
        lambda lib: lib.pca_lowrank(lib.ones(3, 2), 2, niter=-1),
    )


@pytest.mark.parametrize("pow", [1, 2, 3])
@pytest.mark.parametrize("dim", [-1, 0, 1, 2])
def test_norm_except_dim(pow, dim):
    def run(lib):
        v = numbers(lib, 2, 3, 4).requires_grad_()
        out = lib.norm_except_dim(v, pow, dim)
        first = lib.autograd.grad((out**3).sum(), v, create_graph=True)[0]
        return out, first, lib.autograd.grad((first**2).sum(), v)

    agree(run, rtol=1e-9)


# --- losses, dropout, embeddings --------------------------------------------------------

LOSSES = {
    "kl_div": lambda lib, a, b, r: lib.kl_div(a, b.abs(), r, log_target=r == 2),
    "binary_cross_entropy_with_logits": lambda lib, a, b, r: (
        lib.binary_cross_entropy_with_logits(a, b.sigmoid(), b.abs(), b.abs(), r)
    ),
    "cosine_embedding_loss": lambda lib, a, b, r: (
        lib.cosine_embedding_loss(a, b, b[:, 0].sign(), 0.2, r)
    ),
    "hinge_embedding_loss": lambda lib, a, b, r: lib.hinge_embedding_loss(a, b.sign(), 0.7, r),
    "margin_ranking_loss": lambda lib, a, b, r: lib.margin_ranking_loss(a, b, b.sign(), 0.3, r),
    "poisson_nll_loss": lambda lib, a, b, r: lib.poisson_nll_loss(
        a.abs(), b.abs() * 3, r == 1, r == 2, 1e-8, r
    ),
    "triplet_margin_loss": lambda lib, a, b, r: (
        lib.triplet_margin_loss(a, b, a * b, 1.5, 3.0, 1e-6, r == 2, r)
    ),
    "ctc_loss": lambda lib, a, b, r: lib.ctc_loss(
        a.log_softmax(1)[:, None], lib.tensor([[1, 2]]), lib.tensor([4]), lib.tensor([2]), 0, r
    ),
}


@pytest.mark.parametrize("reduction", [0, 1, 2])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, reduction):
    def run(lib):
        a, b = numbers(lib, 4, 3).requires_grad_(), numbers(lib, 4, 3, seed=1)
        out = LOSSES[name](lib, a, b, reduction)
        first = lib.autograd.grad((out**2).sum(), a, create_graph=name != "ctc_loss")[0]
        if name == "ctc_loss":
            return out, first
        return out, first, lib.autograd.grad((first**2).sum(), a)

    agree(run, rtol=1e-7)


@pytest.mark.parametrize("name", LOSSES)
def test_reductions_are_numbers(name):
    bad(lambda lib: LOSSES[name](lib, numbers(lib, 4, 3), numbers(lib, 4, 3, seed=1), "mean"))
    with pytest.raises(ValueError, match="got 3"):
        LOSSES[name](tensorgrad, numbers(tensorgrad, 4, 3), numbers(tensorgrad, 4, 3), 3)


@pytest.mark.parametrize("p, train", [(1.0, True), (0.0, True), (0.4, False)])
@pytest.mark.parametrize("name", [
    "dropout_", "alpha_dropout_", "feature_dropout", "feature_dropout_", "feature_alpha_dropout",
    "feature_alpha_dropout_",
])  # fmt: skip
def test_dropouts(name, p, train):
    """All, nothing, and evaluation: PyTorch draws its masks from another generator."""

    def run(lib):
        x = numbers(lib, 3, 4, 2)
        return getattr(lib, name)(x, p, train), x

    agree(run)


def test_masks_of_dropouts():
    tensorgrad.manual_seed(0)
    x = tensorgrad.ones(40, 5, 3)
    for name in ("feature_dropout", "feature_dropout_", "dropout_"):
        out = getattr(tensorgrad, name)(x.clone(), 0.5, True)
        assert set(out.unique().tolist()) == {0.0, 2.0}
        whole = bool((out == out[..., :1]).all())
        assert whole == name.startswith("feature")


def test_bad_dropouts():
    bad(
        lambda lib: lib.feature_dropout(lib.ones(6), 0.5, True),
        lambda lib: lib.feature_dropout(lib.ones(6, 2), 1.5, True),
    )


@pytest.mark.parametrize("train", [True, False])
def test_rrelu_in_place(train):
    def run(lib):
        lib.manual_seed(3)
        x = numbers(lib, 7)
        return lib.rrelu_(x, 0.1, 0.3, train), x

    agree(run)


@pytest.mark.parametrize("mode", [0, 1, 2])
@pytest.mark.parametrize("given", [
    {}, {"include_last_offset": True}, {"padding_idx": 1},
    {"include_last_offset": True, "padding_idx": 1, "sparse": False},
])  # fmt: skip
def test_embedding_bag(mode, given):
    def run(lib):
        weight = numbers(lib, 4, 3).requires_grad_()
        offsets = [0, 2, 2, 5] if given.get("include_last_offset") else [0, 2, 2]
        more = given
        if "padding_idx" in given:  # PyTorch's second signature has no defaults
            more = {"scale_grad_by_freq": False, "sparse": False, "per_sample_weights": None,
                    "include_last_offset": False, **given}  # fmt: skip
        out = lib.embedding_bag(
            weight, lib.tensor([0, 1, 1, 3, 2]), lib.tensor(offsets), mode=mode, **more
        )
        gradient = lib.autograd.grad((out[0] ** 2).sum(), weight)
        # Of sums PyTorch leaves the other two at 0, in a length that depends on tracking.
        return out if mode else (*out[:2], int(out[2].sum()), int(out[3].sum())), gradient

    agree(run)


def test_factors_of_embedding_bag():
    def run(lib):
        args = numbers(lib, 4, 3), lib.tensor([0, 1, 3]), lib.tensor([0, 2])
        single = [t.float() if t.is_floating_point() else t for t in args]
        return (
            lib.embedding_bag(*args, per_sample_weights=numbers(lib, 3)),
            lib.embedding_bag(*single),
        )

    agree(run)
    bad(lambda lib: lib.embedding_bag(lib.ones(2, 2), lib.tensor([0]), lib.tensor([1])))


# --- recurrent networks -----------------------------------------------------------------

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def weights(lib, mode, columns, hidden, layers, directions, biases, projection=0):
    out, rows, size = [], GATES[mode] * hidden, projection or hidden
    for k in range(layers * directions):
        shapes = [(rows, columns if k < directions else size * directions), (rows, size)]
        shapes += [(rows,), (rows,)] * biases + [(projection, hidden)] * bool(projection)
        out += [
            (0.4 * numbers(lib, *s, seed=9 * k + i)).requires_grad_() for i, s in enumerate(shapes)
        ]
    return out


@pytest.mark.parametrize("mode", GATES)
@pytest.mark.parametrize("layers, directions, biases, batch_first", [
    (1, 1, True, False), (2, 2, True, True), (2, 1, False, False),
])  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_networks(mode, layers, directions, biases, batch_first, packed):
    def run(lib):
        params = weights(lib, mode, 3, 4, layers, directions, biases)
        h = numbers(lib, layers * directions, 2, 4, seed=50)
        hx = (h, h * 0.5) if mode == "lstm" else h
        more = (biases, layers, 0.0, True, directions == 2)
        if packed:
            x = numbers(lib, 5, 3).requires_grad_()
            out = getattr(lib, mode)(x, lib.tensor([2, 2, 1]), hx, params, *more)
        else:
            x = numbers(lib, 2, 2, 3).requires_grad_()
            out = getattr(lib, mode)(x, hx, params, *more, batch_first)
        loss = sum((t**2).sum() for t in out)
        return out, lib.autograd.grad(loss, [x, *params])

    agree(run, rtol=1e-8)


def test_dropout_between_layers_and_projections():
    def run(lib):
        x, params = numbers(lib, 3, 2, 3), weights(lib, "gru", 3, 4, 2, 1, True)
        zeros = lib.zeros(2, 2, 4, dtype=lib.float64)
        out = [
            lib.gru(x, zeros, params, True, 2, p, train, False, False)
            for p, train in ((1.0, True), (0.5, False))
        ]
        projected = weights(lib, "lstm", 3, 4, 2, 1, True, projection=2)
        hx = numbers(lib, 2, 2, 2), numbers(lib, 2, 2, 4)
        return out, lib.lstm(x, hx, projected, True, 2, 0.0, True, False, False)

    agree(run, rtol=1e-8)


def test_bad_networks():
    def call(lib, x=(2, 2, 3), h=(1, 2, 4), n=4):
        params = weights(lib, "gru", 3, 4, 1, 1, True)[:n]
        return lib.gru(numbers(lib, *x), numbers(lib, *h), params, True, 1, 0.0, True, False,
                       False)  # fmt: skip

    agree(call)
    bad(lambda lib: call(lib, x=(2, 2, 5)), lambda lib: call(lib, n=3))


@pytest.mark.parametrize("mode", GATES)
@pytest.mark.parametrize("biases", [True, False])
def test_cells(mode, biases):
    def run(lib):
        x, h = numbers(lib, 2, 3).requires_grad_(), numbers(lib, 2, 4, seed=3).requires_grad_()
        hx = (h, h * 0.5) if mode == "lstm" else h
        out = getattr(lib, mode + "_cell")(x, hx, *weights(lib, mode, 3, 4, 1, 1, biases))
        loss = sum((t**2).sum() for t in out) if mode == "lstm" else (out**2).sum()
        first = lib.autograd.grad(loss, [x, h], create_graph=True)
        return out, first, lib.autograd.grad(sum((g**2).sum() for g in first), [x, h])

    def call(lib, x, h):
        hx = (numbers(lib, *h),) * 2 if mode == "lstm" else numbers(lib, *h)
        return getattr(lib, mode + "_cell")(numbers(lib, *x), hx, *weights(
            lib, mode, 3, 4, 1, 1, biases))  # fmt: skip

    agree(run, rtol=1e-8)
    bad(
        lambda lib: call(lib, (2, 5), (2, 4)),
        lambda lib: call(lib, (2, 3), (2, 5)),
        lambda lib: call(lib, (3,), (4,)),
    )


# --- numbers and switches ---------------------------------------------------------------


def test_numbers_of_the_compiler():
    def run(lib):
        return (
            lib.sym_int(2.7), lib.sym_int(-2.7), lib.sym_float(2), lib.sym_max(2, 3.0),
            lib.sym_max(2.0, 3), lib.sym_min(2, 3), lib.sym_min(2, 3.0), lib.sym_not(True),
            lib.sym_sum([1, 2, 3]), lib.sym_sqrt(9), lib.sym_ite(True, 1, 2),
            lib.sym_ite(False, 1, 2),
        )  # fmt: skip

    agree(run)


def test_switches():
    def run(lib):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = [
                lib.is_autocast_enabled(), lib.is_autocast_enabled("cpu"),
                lib.is_autocast_cpu_enabled(), lib.is_autocast_cache_enabled(),
                lib.set_autocast_enabled("cpu", False), lib.clear_autocast_cache(),
                lib.autocast_increment_nesting(), lib.autocast_decrement_nesting(),
                str(lib.get_autocast_dtype("cuda")), str(lib.get_autocast_gpu_dtype()),
                lib.is_anomaly_enabled(), lib.set_anomaly_enabled(True, False),
                lib.is_anomaly_enabled(), lib.is_anomaly_check_nan_enabled(),
                lib.set_anomaly_enabled(False), lib.is_anomaly_enabled(),
                lib.is_warn_always_enabled(), lib.set_warn_always(True),
                lib.is_warn_always_enabled(), lib.set_warn_always(False),
                lib.set_deterministic_debug_mode("default"),
                lib.is_deterministic_algorithms_warn_only_enabled(),
            ]  # fmt: skip
            lib.set_autocast_cache_enabled(False)
            out.append(lib.is_autocast_cache_enabled())
            lib.set_autocast_cache_enabled(True)
            lib.set_autocast_dtype("cuda", lib.float32)
            out.append(str(lib.get_autocast_dtype("cuda")))
            lib.set_autocast_dtype("cuda", lib.float16)
        return out

    agree(run)
    bad(
        lambda lib: lib.set_deterministic_debug_mode("other"),
        lambda lib: lib.set_deterministic_debug_mode(5),
        lambda lib: lib.set_deterministic_debug_mode(1.5),
        lambda lib: lib.set_warn_always(3),
        lambda lib: lib.get_autocast_dtype("other"),
    )
    assert tensorgrad.get_deterministic_debug_mode() == 2
    with tensorgrad.autocast("cpu"):
        assert not tensorgrad.is_autocast_enabled("cpu")
