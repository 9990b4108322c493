"""Transformer, its encoder and decoder and their layers, beside PyTorch's."""

import math

import numpy as np
import pytest
from both import agree

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.modules.transformer import _is_causal

pytestmark = [  # PyTorch's
    pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning"),
]

E, H, N, S, T = 8, 2, 3, 5, 4


def draw(*shape, seed=0, scale=1.0):
    return np.random.default_rng(seed).standard_normal(shape) * scale


def filled(lib, module):
    """``module`` with the same parameters in both libraries."""
    with lib.no_grad():
        for i, p in enumerate(module.parameters()):
            p.copy_(lib.tensor(draw(*p.shape, seed=i, scale=0.4)))
    return module


def sequence(lib, length, seed, batch_first=False, batched=True):
    x = draw(length, N, E, seed=seed)
    x = x.swapaxes(0, 1).copy() if batch_first else x
    return lib.tensor(x if batched else x[:, 0].copy(), requires_grad=True)


def derivatives(lib, out, leaves):
    """The value, the gradients of a scalar made of it, and those of a scalar made of them."""
    with_weight = (out * lib.tensor(draw(*out.shape, seed=9))).sum()
    first = lib.autograd.grad(with_weight, leaves, create_graph=True)
    second = lib.autograd.grad(sum((g * g).sum() for g in first), leaves, allow_unused=True)
    second = [lib.zeros_like(x) if g is None else g for g, x in zip(second, leaves, strict=True)]
    return [out, *first, *second]


def run(lib, module, *ts, **kwargs):
    with lib.nn.attention.sdpa_kernel(lib.nn.attention.SDPBackend.MATH):
        out = module(*ts, **kwargs)
        return derivatives(lib, out, [*ts, *module.parameters()])


def settings_of(lib, **options):
    return {"dim_feedforward": 7, "dropout": 0.0, "dtype": lib.float64, **options}


OPTIONS = [
    {}, {"activation": "gelu"}, {"activation": "tanh"}, {"norm_first": True},
    {"batch_first": True}, {"bias": False}, {"layer_norm_eps": 0.1},
    {"norm_first": True, "batch_first": True, "bias": False, "activation": "relu"},
]  # fmt: skip


def options_for(lib, options):
    options = settings_of(lib, **options)
    if options.get("activation") == "tanh":
        options["activation"] = lib.tanh
    return options


# --- layers -----------------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_encoder_layer(options, masked):
    first = options.get("batch_first", False)

    def program(lib):
        layer = filled(lib, lib.nn.TransformerEncoderLayer(E, H, **options_for(lib, options)))
        masks = {}
        if masked:
            masks["src_mask"] = lib.tensor(np.triu(np.ones((S, S), bool), 1))
            masks["src_key_padding_mask"] = lib.tensor(np.arange(S) > np.array([[4], [2], [3]]))
        return run(lib, layer, sequence(lib, S, 1, first), **masks)

    agree(program)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_decoder_layer(options, masked):
    first = options.get("batch_first", False)

    def program(lib):
        layer = filled(lib, lib.nn.TransformerDecoderLayer(E, H, **options_for(lib, options)))
        masks = {}
        if masked:
            masks["tgt_mask"] = lib.tensor(draw(N * H, T, T))
            masks["memory_mask"] = lib.tensor(draw(T, S))
            masks["tgt_key_padding_mask"] = lib.tensor(draw(N, T))
            masks["memory_key_padding_mask"] = lib.tensor(draw(N, S))
        ts = sequence(lib, T, 1, first), sequence(lib, S, 2, first)
        return run(lib, layer, *ts, **masks)

    agree(program)


@pytest.mark.parametrize("causal", [False, True])
def test_layers_with_a_hint(causal):
    def program(lib):
        mask = lib.nn.Transformer.generate_square_subsequent_mask(T, dtype=lib.float64)
        encoder = filled(lib, lib.nn.TransformerEncoderLayer(E, H, **settings_of(lib)))
        decoder = filled(lib, lib.nn.TransformerDecoderLayer(E, H, **settings_of(lib)))
        x = sequence(lib, T, 1)
        encoded = encoder(x, mask, None, causal)
        return [encoded, decoder(x, encoded, mask, mask, None, None, causal, causal)]

    agree(program)


def test_activation_may_be_a_module():
    def program(lib):
        options = settings_of(lib, activation=lib.nn.GELU())
        layer = filled(lib, lib.nn.TransformerEncoderLayer(E, H, **options))
        kinds = [
            lib.nn.TransformerEncoderLayer(E, H, 7, activation=a).activation_relu_or_gelu
            for a in (lib.nn.ReLU(), lib.nn.GELU(), lib.relu, "relu", "gelu", lib.tanh)
        ]
        return [layer(sequence(lib, S, 1)), repr(layer), kinds]

    agree(program)


@pytest.mark.parametrize("layer", ["TransformerEncoderLayer", "TransformerDecoderLayer"])
def test_bad_activation(layer):
    assert agree(lambda lib: getattr(lib.nn, layer)(E, H, 7, activation="tanh")) is not None


# --- stacks -----------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [False, True])
def test_encoder(norm):
    def program(lib):
        layer = lib.nn.TransformerEncoderLayer(E, H, **settings_of(lib))
        end = lib.nn.LayerNorm(E, dtype=lib.float64) if norm else None
        encoder = filled(lib, lib.nn.TransformerEncoder(layer, 2, end, mask_check=False))
        mask = lib.nn.Transformer.generate_square_subsequent_mask(S, dtype=lib.float64)
        return run(lib, encoder, sequence(lib, S, 1), mask=mask)

    agree(program)


@pytest.mark.parametrize("norm", [False, True])
def test_decoder(norm):
    def program(lib):
        layer = lib.nn.TransformerDecoderLayer(E, H, **settings_of(lib))
        end = lib.nn.LayerNorm(E, dtype=lib.float64) if norm else None
        decoder = filled(lib, lib.nn.TransformerDecoder(layer, 2, end))
        mask = lib.tensor(np.triu(np.ones((T, T), bool), 1))
        return run(lib, decoder, sequence(lib, T, 1), sequence(lib, S, 2), tgt_mask=mask)

    agree(program)


def test_layers_are_deep_copies():
    layer = nn.TransformerEncoderLayer(E, H, 7)
    encoder = nn.TransformerEncoder(layer, 3)
    weights = [layer.linear1.weight, *(x.linear1.weight for x in encoder.layers)]
    assert len({id(w) for w in weights}) == 4
    assert all(tg.equal(w, weights[0]) for w in weights)


def test_whole_model():
    def program(lib):
        model = lib.nn.Transformer(E, H, 1, 1, **settings_of(lib))
        filled(lib, model)
        make = model.generate_square_subsequent_mask
        return run(
            lib, model, sequence(lib, S, 1), sequence(lib, T, 2),
            src_mask=make(S, dtype=lib.float64), tgt_mask=make(T, dtype=lib.float64),
            memory_mask=lib.tensor(draw(T, S)), src_key_padding_mask=lib.tensor(draw(N, S)),
            tgt_key_padding_mask=lib.tensor(draw(N, T)),
            memory_key_padding_mask=lib.tensor(draw(N, S)),
        )  # fmt: skip

    agree(program)


@pytest.mark.parametrize("batch_first", [False, True])
def test_without_a_batch(batch_first):
    def program(lib):
        model = lib.nn.Transformer(E, H, 1, 1, **settings_of(lib, batch_first=batch_first))
        ts = sequence(lib, S, 1, batched=False), sequence(lib, T, 2, batched=False)
        return run(lib, filled(lib, model), *ts)

    agree(program)


@pytest.mark.parametrize("hints", [
    {}, {"src_is_causal": True, "tgt_is_causal": True},
    {"src_is_causal": False, "memory_is_causal": True},
], ids=str)  # fmt: skip
def test_hints(hints):
    def program(lib):
        model = filled(lib, lib.nn.Transformer(E, H, 1, 1, **settings_of(lib)))
        mask = model.generate_square_subsequent_mask(S, dtype=lib.float64)
        ts = sequence(lib, S, 1), sequence(lib, S, 2)
        return model(*ts, src_mask=mask, tgt_mask=mask, memory_mask=mask, **hints)

    agree(program)


@pytest.mark.parametrize("options", [
    {}, {"batch_first": True, "norm_first": True}, {"bias": False},
], ids=str)  # fmt: skip
def test_default_values_keys_and_repr(options):
    def program(lib):
        lib.manual_seed(0)
        model = lib.nn.Transformer(E, H, 2, 1, 7, **options)
        names = [name for name, _ in model.named_parameters()]
        return [dict(model.state_dict()), names, repr(model), lib.rand(3)]

    agree(program)


@pytest.mark.parametrize("kind", ["TransformerEncoderLayer", "TransformerDecoderLayer"])
def test_default_values_of_a_layer(kind):
    def program(lib):
        lib.manual_seed(0)
        layer = getattr(lib.nn, kind)(E, H, 7)
        return [dict(layer.state_dict()), repr(layer)]

    agree(program)


def test_state_goes_both_ways():
    torch = pytest.importorskip("torch")
    ours = nn.Transformer(E, H, 1, 1, 7).eval()
    theirs = torch.nn.Transformer(E, H, 1, 1, 7).eval()
    state = theirs.state_dict()
    ours.load_state_dict({k: tg.tensor(v.numpy()) for k, v in state.items()})
    src, tgt = draw(S, N, E).astype(np.float32), draw(T, N, E, seed=1).astype(np.float32)
    got = ours(tg.tensor(src), tg.tensor(tgt)).detach()
    want = theirs(torch.tensor(src), torch.tensor(tgt)).detach()
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)  # float32, eight layers deep
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_without_gradients(norm_first, activation):
    """PyTorch takes another path then, and puts zeros at padded positions: those are left out."""
    padded = np.arange(S) > np.array([[4], [2], [3]])

    def program(lib):
        options = {"activation": activation, "norm_first": norm_first, "batch_first": True}
        layer = lib.nn.TransformerEncoderLayer(E, H, **settings_of(lib, **options))
        encoder = filled(lib, lib.nn.TransformerEncoder(layer, 2)).eval()
        x = sequence(lib, S, 1, True)
        with lib.no_grad():
            return encoder(x), encoder(x, src_key_padding_mask=lib.tensor(padded))[~padded]

    agree(program)


def test_custom_encoder_and_decoder():
    class Half(nn.Module):
        def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
            return src * 0.5

    class Sum(nn.Module):
        def forward(self, tgt, memory, **masks):
            assert set(masks) == {
                "tgt_mask", "memory_mask", "tgt_key_padding_mask", "memory_key_padding_mask",
                "tgt_is_causal", "memory_is_causal",
            }  # fmt: skip
            return tgt + memory

    model = nn.Transformer(E, H, custom_encoder=Half(), custom_decoder=Sum())
    x = tg.ones(S, N, E)
    assert tg.equal(model(x, x), x * 1.5)
    assert list(model.state_dict()) == []


@pytest.mark.parametrize("problem", ["batch", "features of src", "features of tgt"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_bad_input(problem, batch_first):
    def program(lib):
        model = lib.nn.Transformer(E, H, 1, 1, 7, batch_first=batch_first)
        batch = 0 if batch_first else 1
        src, tgt = [S, S, E], [S, S, E]
        if problem == "batch":
            src[batch] -= 1
        else:
            (src if problem.endswith("src") else tgt)[2] -= 1
        return model(lib.zeros(src), lib.zeros(tgt))

    assert agree(program) is not None


def test_dropout_is_for_training():
    model = nn.Transformer(E, H, 1, 1, 7)
    src, tgt = tg.ones(S, N, E), tg.ones(T, N, E)
    assert not tg.equal(model(src, tgt), model(src, tgt))
    model.eval()
    assert tg.equal(model(src, tgt), model(src, tgt))


# --- causal masks -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 4])
@pytest.mark.parametrize("dtype", [None, "float64", "bool"])
def test_generate_square_subsequent_mask(size, dtype):
    def program(lib):
        kind = None if dtype is None else getattr(lib, dtype)
        return lib.nn.Transformer.generate_square_subsequent_mask(size, dtype=kind)

    agree(program)


def test_a_causal_mask_is_recognised():
    layer = nn.TransformerEncoderLayer(E, H, 7)
    first = nn.TransformerEncoderLayer(E, H, 7, batch_first=True)
    mask = nn.Transformer.generate_square_subsequent_mask(4)
    x, y = tg.zeros(4, N, E), tg.zeros(N, 4, E)
    assert _is_causal(mask, None, x, layer)
    assert _is_causal(mask, None, y, first)
    assert _is_causal(mask, None, tg.zeros(4, E), first)
    assert _is_causal(mask == -math.inf, None, x, layer)
    assert not _is_causal(mask, None, y, layer)
    assert not _is_causal(mask, False, x, layer)
    assert not _is_causal(None, None, x, layer)
    assert not _is_causal(mask.T, None, x, layer)
    assert not _is_causal(mask.expand(6, 4, 4), None, x, layer)
    assert _is_causal(mask.T, True, x, layer)


def test_a_recognised_mask_gives_what_an_unrecognised_one_gives():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(E, H, 7, dropout=0.0), 2)
    x = tg.randn(S, N, E)
    mask = nn.Transformer.generate_square_subsequent_mask(S)
    tg.testing.assert_close(encoder(x, mask), encoder(x, mask, is_causal=False))


# --- a model as PyTorch's examples have it -----------------------------------------------


def language_model(lib, words, width):
    """A subclass of Transformer that replaces its decoder, as pytorch/examples has it."""

    class Model(lib.nn.Transformer):
        def __init__(self):
            super().__init__(d_model=width, nhead=2, dim_feedforward=7, num_encoder_layers=2,
                             num_decoder_layers=1, dropout=0.0)  # fmt: skip
            self.src_mask = None
            self.input_emb = lib.nn.Embedding(words, width)
            self.decoder = lib.nn.Linear(width, words)
            lib.nn.init.uniform_(self.input_emb.weight, -0.1, 0.1)
            lib.nn.init.zeros_(self.decoder.bias)
            lib.nn.init.uniform_(self.decoder.weight, -0.1, 0.1)

        def forward(self, src, has_mask=True):
            if has_mask and (self.src_mask is None or self.src_mask.size(0) != len(src)):
                self.src_mask = lib.log(lib.tril(lib.ones(len(src), len(src)))).to(src.device)
            x = self.input_emb(src) * math.sqrt(width)
            output = self.decoder(self.encoder(x, mask=self.src_mask))
            return lib.nn.functional.log_softmax(output, dim=-1)

    return Model()


def test_word_language_model_trains_as_with_pytorch():
    tokens = np.random.default_rng(0).integers(0, 11, (7, 3))

    def program(lib):
        lib.manual_seed(1)
        model = language_model(lib, 11, 8)
        data = lib.tensor(tokens)
        losses = []
        for _ in range(5):
            model.zero_grad()
            output = model(data[:-1])
            loss = lib.nn.functional.nll_loss(output.reshape(-1, 11), data[1:].reshape(-1))
            loss.backward()
            for p in model.parameters():
                if p.grad is not None:
                    p.data.add_(p.grad, alpha=-0.1)
            losses.append(loss.item())
        return [lib.tensor(losses), list(model.state_dict())]

    (_, _, losses), _ = agree(program, rtol=1e-4)  # five steps of float32
    assert losses[-1] < losses[0]
