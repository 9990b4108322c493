"""Transformer: its encoder, its decoder, and their layers."""

from __future__ import annotations

import copy

import numpy as np

import tensorgrad as tg
from tensorgrad.nn import functional as F
from tensorgrad.nn import init
from tensorgrad.nn.functional.attention import canonical_mask
from tensorgrad.nn.modules.activation import GELU, ReLU
from tensorgrad.nn.modules.attention import MultiheadAttention
from tensorgrad.nn.modules.container import ModuleList
from tensorgrad.nn.modules.dropout import Dropout
from tensorgrad.nn.modules.linear import Linear
from tensorgrad.nn.modules.module import Module
from tensorgrad.nn.modules.normalization import LayerNorm


class Transformer(Module):
    """An encoder and a decoder that reads what the encoder made.

    Vaswani et al., "Attention is all you need" (arXiv:1706.03762).

    Args:
        d_model: E, number of features.
        nhead: number of heads, which divides E.
        num_encoder_layers: number of layers of the encoder.
        num_decoder_layers: number of layers of the decoder.
        dim_feedforward: width of the hidden layer that follows each attention.
        dropout: probability, in training.
        activation: ``"relu"``, ``"gelu"`` or a callable.
        custom_encoder: a module to use in place of the encoder.
        custom_decoder: a module to use in place of the decoder.
        layer_norm_eps: ``eps`` of each :class:`~tensorgrad.nn.LayerNorm`.
        batch_first: sequences are (N, S, E), not (S, N, E).
        norm_first: normalise before attention and hidden layer, not after.
        bias: whether linear maps and normalisations have a bias.
        device: the CPU.
        dtype: of the parameters; the default float.

    >>> import tensorgrad as torch
    >>> model = torch.nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> model(torch.zeros(3, 5, 8), torch.zeros(3, 4, 8)).shape
    torch.Size([3, 4, 8])
    """

    def __init__(
        self, d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6,
        dim_feedforward=2048, dropout=0.1, activation=F.relu, custom_encoder=None,
        custom_decoder=None, layer_norm_eps=1e-05, batch_first=False, norm_first=False,
        bias=True, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        layer = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, device, dtype,
        )  # fmt: skip
        norm = {"eps": layer_norm_eps, "bias": bias, "device": device, "dtype": dtype}
        if custom_encoder is None:
            one, end = TransformerEncoderLayer(*layer), LayerNorm(d_model, **norm)
            custom_encoder = TransformerEncoder(one, num_encoder_layers, end)
        self.encoder = custom_encoder
        if custom_decoder is None:
            one, end = TransformerDecoderLayer(*layer), LayerNorm(d_model, **norm)
            custom_decoder = TransformerDecoder(one, num_decoder_layers, end)
        self.decoder = custom_decoder
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self, src, tgt, src_mask=None, tgt_mask=None, memory_mask=None,
        src_key_padding_mask=None, tgt_key_padding_mask=None, memory_key_padding_mask=None,
        src_is_causal=None, tgt_is_causal=None, memory_is_causal=False,
    ):  # fmt: skip
        """Encode ``src`` and decode ``tgt`` beside it.

        Masks are True where a position must not be seen, or floats that are added to the scores.

        Args:
            src: (S, N, E), (N, S, E) with ``batch_first``, or (S, E).
            tgt: likewise, with T in place of S.
            src_mask: (S, S) or (N * nhead, S, S).
            tgt_mask: (T, T) or (N * nhead, T, T).
            memory_mask: (T, S) or (N * nhead, T, S).
            src_key_padding_mask: (N, S) or (S).
            tgt_key_padding_mask: (N, T) or (T).
            memory_key_padding_mask: (N, S) or (S).
            src_is_causal: whether ``src_mask`` is causal; None to find out.
            tgt_is_causal: whether ``tgt_mask`` is; None to find out.
            memory_is_causal: whether ``memory_mask`` is.

        Returns:
            The decoder's result, of the shape of ``tgt``.

        Raises:
            RuntimeError: the batches differ, or the features are not ``d_model``.
        """
        batch = 0 if self.batch_first else 1
        if src.dim() == 3 and src.size(batch) != tgt.size(batch):
            raise RuntimeError(
                "the batch number of src and tgt must be equal, got shapes "
                f"{tuple(src.shape)} and {tuple(tgt.shape)}"
            )
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError(
                f"the feature number of src and tgt must be equal to d_model, {self.d_model}, got "
                f"shapes {tuple(src.shape)} and {tuple(tgt.shape)}"
            )
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask,
            is_causal=src_is_causal,
        )  # fmt: skip
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz, device=None, dtype=None):
        """A causal mask (sz, sz): -inf where the key comes after the query, 0 elsewhere.

        >>> import tensorgrad as torch
        >>> torch.nn.Transformer.generate_square_subsequent_mask(2)
        tensor([[0., -inf],
                [0., 0.]])
        """
        return tg.triu(tg.full((sz, sz), float("-inf"), dtype=dtype, device=device), 1)

    def _reset_parameters(self):
        """Draw the initial values of all matrices."""
        for p in self.parameters():
            if p.dim() > 1:
                init.xavier_uniform_(p)


class TransformerEncoder(Module):
    """Copies of one encoder layer, one after the other.

    Args:
        encoder_layer: a :class:`TransformerEncoderLayer`; the copies begin with its values.
        num_layers: number of copies.
        norm: a module applied to the result, or None.
        enable_nested_tensor: no effect: there are no nested tensors here. What stands at padded
            positions of the result is what the layers make of it.
        mask_check: no effect.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.TransformerEncoderLayer(8, 2, 16)
    >>> torch.nn.TransformerEncoder(layer, 2)(torch.zeros(5, 3, 8)).shape
    torch.Size([5, 3, 8])
    """

    def __init__(
        self, encoder_layer, num_layers, norm=None, enable_nested_tensor=True, mask_check=True
    ):
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check
        self.use_nested_tensor = False

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
        """Pass ``src`` through the layers; see :class:`Transformer` for shapes.

        Args:
            src: the sequence.
            mask: of the positions that each position must not see.
            src_key_padding_mask: of the padding.
            is_causal: whether ``mask`` is causal; None to find out.
        """
        src_key_padding_mask = canonical_mask(
            src_key_padding_mask, "src_key_padding_mask", mask, "mask", src
        )
        mask = canonical_mask(mask, "mask", None, "", src)
        is_causal = _is_causal(mask, is_causal, src, self.layers[0])
        for layer in self.layers:
            src = layer(
                src, src_mask=mask, is_causal=is_causal, src_key_padding_mask=src_key_padding_mask
            )
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """Copies of one decoder layer, one after the other.

    Args:
        decoder_layer: a :class:`TransformerDecoderLayer`; the copies begin with its values.
        num_layers: number of copies.
        norm: a module applied to the result, or None.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.TransformerDecoderLayer(8, 2, 16)
    >>> decoder = torch.nn.TransformerDecoder(layer, 2)
    >>> decoder(torch.zeros(4, 3, 8), torch.zeros(5, 3, 8)).shape
    torch.Size([4, 3, 8])
    """

    def __init__(self, decoder_layer, num_layers, norm=None):
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None,
        memory_key_padding_mask=None, tgt_is_causal=None, memory_is_causal=False,
    ):  # fmt: skip
        """Pass ``tgt`` through the layers, beside ``memory``; see :class:`Transformer`.

        Args:
            tgt: the sequence.
            memory: what the encoder made.
            tgt_mask: of the positions of ``tgt`` that each of its positions must not see.
            memory_mask: of those of ``memory``.
            tgt_key_padding_mask: of the padding of ``tgt``.
            memory_key_padding_mask: of that of ``memory``.
            tgt_is_causal: whether ``tgt_mask`` is causal; None to find out.
            memory_is_causal: whether ``memory_mask`` is.
        """
        tgt_is_causal = _is_causal(tgt_mask, tgt_is_causal, tgt, self.layers[0])
        for layer in self.layers:
            tgt = layer(
                tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
                memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return tgt if self.norm is None else self.norm(tgt)


class TransformerEncoderLayer(Module):
    """Self-attention and a hidden layer, each added to its input and normalised.

    With ``norm_first`` the input of each is normalised instead (Xiong et al., arXiv:2002.04745).

    Args:
        d_model: E, number of features.
        nhead: number of heads, which divides E.
        dim_feedforward: width of the hidden layer.
        dropout: probability, in training.
        activation: ``"relu"``, ``"gelu"`` or a callable.
        layer_norm_eps: ``eps`` of each normalisation.
        batch_first: sequences are (N, S, E), not (S, N, E).
        norm_first: normalise before attention and hidden layer, not after.
        bias: whether linear maps and normalisations have a bias.
        device: the CPU.
        dtype: of the parameters; the default float.

    Raises:
        RuntimeError: another string for ``activation``.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> layer(torch.zeros(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation=F.relu,
        layer_norm_eps=1e-05, batch_first=False, norm_first=False, bias=True, device=None,
        dtype=None,
    ):  # fmt: skip
        super().__init__()
        options = {"bias": bias, "device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, batch_first=batch_first, **options
        )
        self.linear1 = Linear(d_model, dim_feedforward, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **options)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, **options)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, **options)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        activation = _activation(activation)
        self.activation_relu_or_gelu = _kind_of_activation(activation)
        self.activation = activation

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        """Pass ``src`` through the layer; see :class:`Transformer` for shapes.

        Args:
            src: the sequence.
            src_mask: of the positions that each position must not see.
            src_key_padding_mask: of the padding.
            is_causal: whether ``src_mask`` is known to be causal.
        """
        src_key_padding_mask = canonical_mask(
            src_key_padding_mask, "src_key_padding_mask", src_mask, "src_mask", src
        )
        src_mask = canonical_mask(src_mask, "src_mask", None, "", src)
        masks = src_mask, src_key_padding_mask, is_causal
        x = src
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *masks)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(x + self._sa_block(x, *masks))
        return self.norm2(x + self._ff_block(x))

    def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
        return self.dropout1(
            _attended(self.self_attn, x, x, attn_mask, key_padding_mask, is_causal)
        )

    def _ff_block(self, x):
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerDecoderLayer(Module):
    """Self-attention, attention to the encoder's result, and a hidden layer.

    Each is added to its input and normalised, or with ``norm_first`` the other way round.

    Args:
        d_model: E, number of features.
        nhead: number of heads, which divides E.
        dim_feedforward: width of the hidden layer.
        dropout: probability, in training.
        activation: ``"relu"``, ``"gelu"`` or a callable.
        layer_norm_eps: ``eps`` of each normalisation.
        batch_first: sequences are (N, T, E), not (T, N, E).
        norm_first: normalise before attention and hidden layer, not after.
        bias: whether linear maps and normalisations have a bias.
        device: the CPU.
        dtype: of the parameters; the default float.

    Raises:
        RuntimeError: another string for ``activation``.

    >>> import tensorgrad as torch
    >>> layer = torch.nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)
    >>> layer(torch.zeros(3, 4, 8), torch.zeros(3, 5, 8)).shape
    torch.Size([3, 4, 8])
    """

    def __init__(
        self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation=F.relu,
        layer_norm_eps=1e-05, batch_first=False, norm_first=False, bias=True, device=None,
        dtype=None,
    ):  # fmt: skip
        super().__init__()
        options = {"bias": bias, "device": device, "dtype": dtype}
        heads = {"dropout": dropout, "batch_first": batch_first, **options}
        self.self_attn = MultiheadAttention(d_model, nhead, **heads)
        self.multihead_attn = MultiheadAttention(d_model, nhead, **heads)
        self.linear1 = Linear(d_model, dim_feedforward, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **options)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, **options)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, **options)
        self.norm3 = LayerNorm(d_model, eps=layer_norm_eps, **options)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = _activation(activation)

    def forward(
        self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None,
        memory_key_padding_mask=None, tgt_is_causal=False, memory_is_causal=False,
    ):  # fmt: skip
        """Pass ``tgt`` through the layer, beside ``memory``; see :class:`Transformer`.

        Args:
            tgt: the sequence.
            memory: what the encoder made.
            tgt_mask: of the positions of ``tgt`` that each of its positions must not see.
            memory_mask: of those of ``memory``.
            tgt_key_padding_mask: of the padding of ``tgt``.
            memory_key_padding_mask: of that of ``memory``.
            tgt_is_causal: whether ``tgt_mask`` is known to be causal.
            memory_is_causal: whether ``memory_mask`` is.
        """
        own = tgt_mask, tgt_key_padding_mask, tgt_is_causal
        other = memory_mask, memory_key_padding_mask, memory_is_causal
        x = tgt
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *own)
            x = x + self._mha_block(self.norm2(x), memory, *other)
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + self._sa_block(x, *own))
        x = self.norm2(x + self._mha_block(x, memory, *other))
        return self.norm3(x + self._ff_block(x))

    def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
        return self.dropout1(
            _attended(self.self_attn, x, x, attn_mask, key_padding_mask, is_causal)
        )

    def _mha_block(self, x, mem, attn_mask, key_padding_mask, is_causal=False):
        return self.dropout2(
            _attended(self.multihead_attn, x, mem, attn_mask, key_padding_mask, is_causal)
        )

    def _ff_block(self, x):
        return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))


def _attended(attention, x, keys, attn_mask, key_padding_mask, is_causal):
    """``attention`` of ``x`` to ``keys``, without its weights."""
    return attention(
        x, keys, keys, attn_mask=attn_mask, key_padding_mask=key_padding_mask,
        need_weights=False, is_causal=is_causal,
    )[0]  # fmt: skip


def _copies(module, count):
    return ModuleList([copy.deepcopy(module) for _ in range(count)])


def _activation(activation):
    """The function for ``"relu"`` or ``"gelu"``; a callable as it is."""
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise RuntimeError(
            f"activation should be relu/gelu, not {activation}; others are given as a callable"
        )
    return F.relu if activation == "relu" else F.gelu


def _kind_of_activation(activation):
    """1 for relu, 2 for gelu, 0 for anything else: an attribute that PyTorch's layer has."""
    if activation is F.relu or isinstance(activation, ReLU):
        return 1
    return 2 if activation is F.gelu or isinstance(activation, GELU) else 0


def _is_causal(mask, hint, x, layer):
    """``hint``, or where it is None whether ``mask`` hides exactly what comes after ``x``."""
    if hint is not None or mask is None:
        return hint is True
    length = x.size(1 if x.dim() == 3 and layer.self_attn.batch_first else 0)
    array = mask._array
    if array.shape != (length, length):
        return False
    hidden = True if array.dtype == bool else -np.inf
    return bool(np.array_equal(array, np.triu(np.full(array.shape, hidden, array.dtype), 1)))
