"""MultiheadAttention."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn import init
from tensorgrad.nn.functional.attention import attend
from tensorgrad.nn.modules.linear import NonDynamicallyQuantizableLinear
from tensorgrad.nn.modules.module import Module
from tensorgrad.nn.parameter import Parameter


class MultiheadAttention(Module):
    """Several attentions side by side, each on its own projections, joined by one more.

    Vaswani et al., "Attention is all you need" (arXiv:1706.03762).

    Args:
        embed_dim: E, size of the query and of the result.
        num_heads: number of heads, which divides E.
        dropout: probability of dropping an attention weight, in training.
        bias: whether the projections have a bias.
        add_bias_kv: append a learned key and value to each sequence.
        add_zero_attn: append a key and a value of zeros.
        kdim: size of the keys; None for E.
        vdim: size of the values; None for E.
        batch_first: inputs and result are (N, L, E), not (L, N, E).
        device: the CPU.
        dtype: of the parameters; the default float.

    Initial values are drawn as PyTorch draws them.

    Raises:
        ValueError: ``embed_dim`` or ``num_heads`` is not positive.
        AssertionError: ``num_heads`` does not divide ``embed_dim``.

    >>> import tensorgrad as torch
    >>> attention = torch.nn.MultiheadAttention(4, 2, batch_first=True)
    >>> x = torch.zeros(3, 5, 4)
    >>> output, weights = attention(x, x, x)
    >>> output.shape, weights.shape
    (torch.Size([3, 5, 4]), torch.Size([3, 5, 5]))
    """

    def __init__(
        self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False,
        add_zero_attn=False, kdim=None, vdim=None, batch_first=False, device=None, dtype=None,
    ):  # fmt: skip
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError(
                f"embed_dim must be divisible by num_heads, got {embed_dim} and {num_heads}"
            )
        options = {"device": device, "dtype": dtype}
        together, apart = (3 * embed_dim, embed_dim), [
            (embed_dim, size) for size in (embed_dim, self.kdim, self.vdim)
        ]  # fmt: skip
        shapes = {"in_proj_weight": together if self._qkv_same_embed_dim else None}
        for name, shape in zip("qkv", apart, strict=True):
            shapes[f"{name}_proj_weight"] = None if self._qkv_same_embed_dim else shape
        shapes["in_proj_bias"] = (3 * embed_dim,) if bias else None
        for name in ("bias_k", "bias_v"):
            shapes[name] = (1, 1, embed_dim) if add_bias_kv else None
        for name, shape in shapes.items():
            value = None if shape is None else Parameter(tg.empty(shape, **options))
            self.register_parameter(name, value)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **options)
        self._reset_parameters()

    def _reset_parameters(self):
        """Draw the initial values anew, but for the weight of ``out_proj``."""
        for weight in (self.in_proj_weight, *self._separate()):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def _separate(self):
        return self.q_proj_weight, self.k_proj_weight, self.v_proj_weight

    def forward(
        self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None,
        average_attn_weights=True, is_causal=False,
    ):  # fmt: skip
        """Let each query attend to the keys.

        Args:
            query: (L, N, E), (N, L, E) with ``batch_first``, or (L, E) without a batch.
            key: likewise, with S in place of L and ``kdim`` in place of E.
            value: likewise, with S and ``vdim``.
            key_padding_mask: (N, S), or (S): True where a key is to be ignored, or floats that
                are added to the scores.
            need_weights: also return the weights; without them it is faster.
            attn_mask: (L, S) or (N * num_heads, L, S): True where a query must not see a key, or
                floats that are added to the scores.
            average_attn_weights: return the mean over the heads of the weights.
            is_causal: ``attn_mask``, which must be given, is known to be causal.

        Returns:
            A result of the query's shape, and the weights, (N, L, S) or (N, num_heads, L, S), or
            None.

        Raises:
            AssertionError: shapes or sizes do not fit.
            RuntimeError: a mask of the wrong shape, or ``is_causal`` without a mask.
        """
        return attend(
            query, key, value, self.embed_dim, self.num_heads,
            self.in_proj_weight if self._qkv_same_embed_dim else self._separate(),
            self.in_proj_bias, (self.bias_k, self.bias_v), self.add_zero_attn,
            self.dropout if self.training else 0.0, (self.out_proj.weight, self.out_proj.bias),
            key_padding_mask, need_weights, attn_mask, (None, None), average_attn_weights,
            is_causal, batch=0 if self.batch_first else 1,
        )  # fmt: skip

    def merge_masks(self, attn_mask, key_padding_mask, query):
        """Both masks as one, and its kind: 2 with ``attn_mask``, else 1, or None without masks.

        Args:
            attn_mask: (L, L) or (N * num_heads, L, L), floats to add, or None.
            key_padding_mask: (N, L), likewise.
            query: (N, L, E).

        Returns:
            With ``attn_mask`` (N, num_heads, L, L), otherwise ``key_padding_mask`` as it is.
        """
        if attn_mask is None:
            return key_padding_mask, None if key_padding_mask is None else 1
        n, length, _ = query.shape
        if attn_mask.dim() == 3:
            merged = attn_mask.view(n, -1, length, length)
        else:
            merged = attn_mask.view(1, 1, length, length).expand(n, self.num_heads, -1, -1)
        if key_padding_mask is not None:
            padding = key_padding_mask.view(n, 1, 1, length)
            merged = merged + padding.expand(-1, self.num_heads, -1, -1)
        return merged, 2
