"""Losses between distributions, with margins and over alignments, beside PyTorch."""

import itertools

import numpy as np
import pytest
from both import agree
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.nn import functional as F

REDUCTIONS = ["mean", "sum", "none"]
reductions = pytest.mark.parametrize("reduction", REDUCTIONS)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def signs(*shape):
    return np.where(np.random.default_rng(5).random(shape) < 0.5, -1.0, 1.0)


def beside(name, tracked, *rest, twice=True, **kwargs):
    """Value, first and (``twice``, where PyTorch has them) second derivatives of a loss."""

    def program(lib):
        leaves = [lib.tensor(a, requires_grad=True) for a in tracked]
        extra = {k: lib.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
        others = [lib.tensor(a) for a in rest]
        loss = getattr(lib.nn.functional, name)(*[t * 1.0 for t in leaves], *others, **extra)
        weight = lib.tensor(normal(*loss.shape, seed=9))
        first = lib.autograd.grad((loss * loss * weight).sum(), leaves, create_graph=twice)
        if not twice:
            return loss, first
        again = sum((g * lib.tensor(normal(*g.shape, seed=8))).sum() for g in first)
        return loss, first, lib.autograd.grad(again, leaves)

    return agree(program, rtol=1e-8)


@pytest.mark.parametrize("log_target", [True, False])
@pytest.mark.parametrize("reduction", ["batchmean", "sum", "none"])
def test_kl_div(reduction, log_target):
    x, y = normal(3, 4), normal(3, 4, seed=1)
    y = y - np.log(np.exp(y).sum(1, keepdims=True))
    y = y if log_target else np.exp(y)
    beside("kl_div", (x, y), reduction=reduction, log_target=log_target)


def test_kl_div_by_mean_warns():
    with pytest.warns(UserWarning, match="batchmean"):
        assert F.kl_div(tg.tensor([0.0, -1.0]), tg.tensor([1.0, 1.0])).item() == 0.5
    agree(lambda lib: lib.nn.functional.kl_div(lib.ones(2), lib.ones(2)))  # a warning, an error


def test_kl_div_of_a_probability_of_zero():
    agree(
        lambda lib: lib.nn.functional.kl_div(
            lib.tensor([0.0, -1.0]), lib.tensor([1.0, 0.0]), reduction="none"
        )
    )


@reductions
@pytest.mark.parametrize(("log_input", "full"), list(itertools.product([True, False], repeat=2)))
def test_poisson_nll(log_input, full, reduction):
    rate = np.random.default_rng(1).uniform(0.2, 3, (3, 4))
    counts = np.random.default_rng(2).poisson(2.0, (3, 4)).astype(float)
    beside("poisson_nll_loss", (rate,), counts, log_input=log_input, full=full,
           reduction=reduction)  # fmt: skip


@reductions
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shape", [(3, 4), (3, 1), (3,)])
def test_gaussian_nll(shape, full, reduction):
    var = np.random.default_rng(1).uniform(0.2, 3, shape)
    beside("gaussian_nll_loss", (normal(3, 4), normal(3, 4, seed=1), var), full=full,
           reduction=reduction)  # fmt: skip


def test_gaussian_nll_of_small_variances_and_numbers():
    beside("gaussian_nll_loss", (normal(3), normal(3, seed=1), np.array([0.0, 1e-9, 1.0])),
           eps=1e-2)  # fmt: skip
    agree(lambda lib: lib.nn.functional.gaussian_nll_loss(lib.ones(2, 3), lib.zeros(2, 3), 0.5))


@reductions
def test_scores_against_signs(reduction):
    x, x2, y = normal(4, 3), normal(4, 3, seed=1), signs(4, 3)
    beside("soft_margin_loss", (x,), y, reduction=reduction)
    beside("hinge_embedding_loss", (x,), y, margin=0.7, reduction=reduction)
    beside("margin_ranking_loss", (x, x2), y, margin=0.4, reduction=reduction)


def test_soft_margin_is_stable():
    x = tg.tensor([-1e4, 1e4], requires_grad=True)
    loss = F.soft_margin_loss(x, tg.tensor([1.0, 1.0]), reduction="none")
    assert loss.tolist() == [1e4, 0.0]
    loss.sum().backward()
    assert x.grad.tolist() == [-1.0, 0.0]


@reductions
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("weighted", [True, False])
def test_multi_margin(p, weighted, reduction):
    kwargs = {"weight": np.array([0.5, 1.5, 2.0])} if weighted else {}
    y = np.array([0, 2, 1, 1])
    kwargs |= {"p": p, "reduction": reduction, "twice": False}
    beside("multi_margin_loss", (normal(4, 3),), y, margin=0.8, **kwargs)
    beside("multi_margin_loss", (normal(3),), np.array(2), **kwargs)


@reductions
def test_losses_of_several_labels(reduction):
    labels = np.array([[0, 2, -1, 1], [3, -1, -1, -1], [1, 2, 3, 0], [-1, 2, 3, 0]])
    kwargs = {"reduction": reduction, "twice": False}
    beside("multilabel_margin_loss", (normal(4, 4),), labels, **kwargs)
    beside("multilabel_margin_loss", (normal(4),), labels[0], **kwargs)
    y = (signs(4, 3) + 1) / 2
    for kwargs in ({}, {"weight": np.array([0.5, 1.0, 2.0])}):
        beside("multilabel_soft_margin_loss", (normal(4, 3),), y, reduction=reduction, **kwargs)


@reductions
@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_cosine_embedding(margin, reduction):
    y = np.array([1.0, -1.0, -1.0, 1.0])
    beside("cosine_embedding_loss", (normal(4, 3), normal(4, 3, seed=1)), y, margin=margin,
           reduction=reduction)  # fmt: skip
    beside("cosine_embedding_loss", (normal(3), normal(3, seed=1)), np.array(-1.0),
           margin=margin, reduction=reduction)  # fmt: skip


@reductions
@pytest.mark.parametrize("swap", [True, False])
@pytest.mark.parametrize("p", [2, 1.0, 3])
def test_triplet_margin(p, swap, reduction):
    triplet = tuple(normal(5, 3, seed=s) for s in range(3))
    beside("triplet_margin_loss", triplet, p=p, swap=swap, reduction=reduction)
    beside("triplet_margin_loss", tuple(t[0] for t in triplet), p=p, swap=swap,
           reduction=reduction)  # fmt: skip
    beside("triplet_margin_with_distance_loss", triplet, swap=swap, reduction=reduction)


def test_triplet_margin_with_a_distance():
    def program(lib):
        def distance(a, b):
            return (a - b).abs().sum(-1)

        loss = lib.nn.TripletMarginWithDistanceLoss(distance_function=distance, margin=2.0)
        return loss(*[lib.tensor(normal(5, 3, seed=s)) for s in range(3)])

    agree(program)


@pytest.mark.parametrize("dim", [1, 0, -1])
def test_distances(dim):
    a, b = normal(4, 3), normal(4, 3, seed=1)
    beside("cosine_similarity", (a, b), dim=dim)
    beside("pairwise_distance", (a, b))
    beside("pairwise_distance", (a, b[0]), p=1.5, keepdim=True)
    beside("pdist", (a,), twice=False)
    agree(lambda lib: lib.cosine_similarity(lib.zeros(2, 3), lib.ones(2, 3), dim))


def test_distances_refuse():
    agree(lambda lib: lib.cosine_similarity(lib.ones(2, 3).long(), lib.ones(2, 3).long()))
    agree(lambda lib: lib.cosine_similarity(lib.ones(2, 3), lib.ones(2, 2)))
    agree(lambda lib: lib.pdist(lib.ones(2)))
    agree(lambda lib: lib.pdist(lib.ones(2, 2), -1.0))
    agree(lambda lib: lib.pairwise_distance(lib.ones(2, 3), lib.ones(2, 2)))


MODULES = [
    ("KLDivLoss(reduction='batchmean', log_target=True)", [(3, 4)] * 2),
    ("PoissonNLLLoss(log_input=False, full=True, eps=1e-3)", "positive"),
    ("GaussianNLLLoss(full=True, eps=0.1)", "three positive"),
    ("HingeEmbeddingLoss(0.5)", "signs"), ("SoftMarginLoss(reduction='sum')", "signs"),
    ("MultiMarginLoss(2, 0.5, reduction='none')", "classes"),
    ("MultiLabelSoftMarginLoss()", "positive"),
    ("TripletMarginLoss(0.5, 1, swap=True)", "three positive"),
    ("TripletMarginWithDistanceLoss()", "three positive"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "kind"), MODULES)
def test_modules(make, kind):
    def arrays():
        rng = np.random.default_rng(0)
        if kind == "signs":
            return normal(4, 3), signs(4, 3)
        if kind == "classes":
            return normal(4, 3), np.array([0, 2, 1, 1])
        count = 3 if kind == "three positive" else 2
        return tuple(rng.uniform(0.1, 2, (3, 4)) for _ in range(count))

    def program(lib):
        module = eval(f"lib.nn.{make}", {"lib": lib})
        return repr(module), module(*[lib.tensor(a) for a in arrays()]), list(module.state_dict())

    agree(program)


def test_the_older_name_of_nll_loss_warns():
    with pytest.warns(FutureWarning, match="NLLLoss"):
        loss = tg.nn.NLLLoss2d()
    assert loss(tg.tensor([[[0.0]], [[-1.0]]]).permute(1, 0, 2), tg.tensor([[1]])).item() == 1.0
    agree(lambda lib: lib.nn.NLLLoss2d())  # a warning, here an error


@pytest.mark.parametrize(
    "call",
    [
        lambda lib, F: F.kl_div(lib.ones(2, 3), lib.ones(2, 2), reduction="sum"),
        lambda lib, F: F.kl_div(lib.ones(2, 3), lib.ones(2, 3), reduction="average"),
        lambda lib, F: F.poisson_nll_loss(lib.ones(2, 3), lib.ones(2)),
        lambda lib, F: F.gaussian_nll_loss(lib.ones(2, 3), lib.ones(2, 3), lib.ones(3)),
        lambda lib, F: F.gaussian_nll_loss(lib.ones(2, 3), lib.ones(2, 3), -lib.ones(2, 3)),
        lambda lib, F: F.gaussian_nll_loss(lib.ones(2, 3), lib.ones(2, 3), -0.5),
        lambda lib, F: F.gaussian_nll_loss(lib.ones(2), lib.ones(2), 0.5, reduction="all"),
        lambda lib, F: F.soft_margin_loss(lib.ones(3), lib.ones(2)),
        lambda lib, F: F.hinge_embedding_loss(lib.ones(3), lib.ones(2)),
        lambda lib, F: F.margin_ranking_loss(lib.ones(3), lib.ones(3, 1), lib.ones(3)),
        lambda lib, F: F.multi_margin_loss(lib.ones(2, 3), lib.tensor([0, 3])),
        lambda lib, F: F.multi_margin_loss(lib.ones(2, 3), lib.tensor([0, -1])),
        lambda lib, F: F.multi_margin_loss(lib.ones(2, 3), lib.tensor([0, 1]), p=3),
        lambda lib, F: F.multi_margin_loss(lib.ones(2, 3), lib.tensor([0.0, 1.0])),
        lambda lib, F: F.multi_margin_loss(lib.ones(2, 3), lib.tensor([0])),
        lambda lib, F: F.multi_margin_loss(
            lib.ones(2, 3), lib.tensor([0, 1]), weight=lib.ones(2)),
        lambda lib, F: F.multi_margin_loss(lib.ones(2, 3, 1), lib.tensor([1, 1])),
        lambda lib, F: F.multilabel_margin_loss(
            lib.ones(2, 3), lib.tensor([[0, 3, -1], [0, -1, -1]])),
        lambda lib, F: F.multilabel_margin_loss(lib.ones(2, 3), lib.tensor([[0, 1], [0, -1]])),
        lambda lib, F: F.multilabel_margin_loss(lib.ones(2, 3), lib.ones(2, 3)),
        lambda lib, F: F.cosine_embedding_loss(lib.ones(2, 3), lib.ones(2, 3), lib.ones(3)),
        lambda lib, F: F.cosine_embedding_loss(lib.ones(3), lib.ones(3), lib.ones(1)),
        lambda lib, F: F.triplet_margin_loss(lib.ones(2, 3), lib.ones(2, 3), lib.ones(3)),
        lambda lib, F: F.triplet_margin_loss(
            lib.ones(2, 3), lib.ones(2, 3), lib.ones(2, 3), margin=-1),
        lambda lib, F: lib.nn.TripletMarginLoss(margin=0),
        lambda lib, F: lib.nn.MultiMarginLoss(p=3),
        lambda lib, F: lib.nn.MultiMarginLoss(weight=lib.ones(2, 2)),
    ],
)  # fmt: skip
def test_bad_input(call):
    assert isinstance(agree(lambda lib: call(lib, lib.nn.functional)), Exception)


# --- alignments -------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_ctc(data):
    steps, batch, classes = (data.draw(st.integers(1, n)) for n in (6, 3, 4))
    classes += 1
    blank = data.draw(st.integers(0, classes - 1))
    longest = data.draw(st.integers(0, 4))
    seed = data.draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((steps, batch, classes))
    scores -= np.log(np.exp(scores).sum(2, keepdims=True))
    labels = rng.choice([c for c in range(classes) if c != blank], (batch, longest))
    lengths = rng.integers(1, steps + 1, batch)
    counts = rng.integers(0, longest + 1, batch)
    reduction = data.draw(st.sampled_from(REDUCTIONS))
    joined = data.draw(st.booleans())
    targets = np.concatenate([row[:n] for row, n in zip(labels, counts, strict=True)])

    def program(lib):
        return lib.nn.functional.ctc_loss(
            lib.tensor(scores), lib.tensor(targets if joined else labels), lib.tensor(lengths),
            lib.tensor(counts), blank=blank, reduction=reduction, zero_infinity=True,
        )  # fmt: skip

    agree(program, rtol=1e-9)


def test_gradient_of_ctc_through_log_softmax():
    labels, lengths = np.array([[1, 2, 2], [3, 1, 0]]), (np.array([6, 5]), np.array([3, 2]))

    def program(lib):
        x = lib.tensor(normal(6, 2, 4), requires_grad=True)
        loss = lib.nn.CTCLoss()(
            x.log_softmax(2), lib.tensor(labels), *[lib.tensor(n) for n in lengths]
        )
        return loss, lib.autograd.grad(loss, x)

    agree(program, rtol=1e-9)


def test_ctc_of_what_cannot_be_aligned():
    x = normal(2, 1, 3)
    for zero_infinity in (True, False):
        agree(
            lambda lib, zero=zero_infinity: lib.nn.functional.ctc_loss(
                lib.tensor(x).log_softmax(2), lib.tensor([[1, 1]]), lib.tensor([2]),
                lib.tensor([2]), reduction="none", zero_infinity=zero,
            )
        )  # fmt: skip


def test_ctc_without_a_batch():
    agree(
        lambda lib: lib.nn.functional.ctc_loss(
            lib.tensor(normal(5, 4)).log_softmax(1), lib.tensor([1, 2]), lib.tensor(5),
            lib.tensor(2), reduction="none",
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("targets", "lengths", "counts", "kwargs"),
    [
        ([[1, 2], [3, 1]], [6, 5], [2, 1], {}),
        ([[1, 2], [3, 1]], [5, 5], [3, 1], {}),
        ([[1, 2], [3, 1]], [5], [2, 1], {}),
        ([[1, 2], [3, 1]], [5, 5], [2, 1], {"blank": 7}),
        ([1, 2, 3], [5, 5], [2, 2], {}),
        ([[1, 2], [3, 1]], [5.0, 5.0], [2, 1], {}),
        ([[1, 2], [3, 1]], [5, 5], [2, 1], {"reduction": "average"}),
    ],
)
def test_ctc_refuses(targets, lengths, counts, kwargs):
    def program(lib):
        scores = lib.tensor(normal(5, 2, 4)).log_softmax(2)
        given = [lib.tensor(v) for v in (targets, lengths, counts)]
        return lib.nn.functional.ctc_loss(scores, *given, **kwargs)

    assert isinstance(agree(program), Exception)


@reductions
def test_weighted_absolute_error(reduction):
    weight = np.random.default_rng(3).uniform(0.1, 2, (4, 3))
    beside("l1_loss", (normal(4, 3), normal(4, 3, seed=1)), weight=weight, reduction=reduction)


def test_normalize_into_a_tensor():
    def program(lib):
        out = lib.empty(3, 4, dtype=lib.float64)
        again = lib.nn.functional.normalize(lib.tensor(normal(3, 4)), p=1.5, dim=0, out=out)
        return out, again is out

    agree(program)


def test_multi_margin_loss_of_a_number_and_its_weight():
    agree(lambda lib: lib.nn.functional.multi_margin_loss(lib.tensor(2.0), lib.tensor(0)))
    agree(
        lambda lib: lib.nn.functional.multi_margin_loss(
            lib.ones(5, 4), lib.zeros(5, dtype=lib.int64), weight=lib.tensor(1.0)
        )
    )


def test_feature_alpha_dropout_that_drops_nothing_takes_a_vector():
    for training, p in ((False, 0.5), (True, 0.0), (True, 0.5)):
        agree(
            lambda lib, p=p, t=training: lib.nn.functional.feature_alpha_dropout(lib.ones(5), p, t)
        )


@pytest.mark.parametrize("shape", [(4, 3), (1, 3), (4, 1), (4,), (1, 1), (3,), (2, 3)])
def test_gaussian_nll_takes_one_dimension_of_size_one(shape):
    agree(
        lambda lib: lib.nn.functional.gaussian_nll_loss(
            lib.ones(4, 3), lib.zeros(4, 3), lib.full(shape, 2.0)
        )
    )
