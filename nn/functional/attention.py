"""Attention: the scaled dot product, and several heads of it between projections."""

from __future__ import annotations

import math
import warnings

import numpy as np

import tensorgrad as tg
from tensorgrad import Tensor, dtypes, errors
from tensorgrad._graph import wrap
from tensorgrad.kernels import sampling
from tensorgrad.nn.functional.dropouts import dropout
from tensorgrad.nn.functional.linear_maps import linear
from tensorgrad.ops.attention import attention
from tensorgrad.ops.shape import pad
from tensorgrad.random import default_generator

__all__ = [
    "multi_head_attention_forward",
    "scaled_dot_product_attention",
]

# --- scaled dot product -----------------------------------------------------------------


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None,
    enable_gqa=False,
):  # fmt: skip
    """``softmax(query @ key.mT * scale + mask) @ value``: each query's average of the values.

    Vaswani et al., "Attention is all you need" (arXiv:1706.03762).

    Args:
        query: (..., L, E).
        key: (..., S, E); batch dimensions broadcast.
        value: (..., S, F).
        attn_mask: broadcasts to (..., L, S). Bool: True where a query may see a key. Float, of
            the query's dtype or float32: added to the scores. A query that may see nothing gets
            zeros.
        dropout_p: probability of dropping a probability. It is applied always: pass 0 in
            evaluation.
        is_causal: let query i see keys 0 to i; ``attn_mask`` must be None then.
        scale: factor of the scores; 1 / sqrt(E) for None.
        enable_gqa: repeat the heads (dimension -3) of key and value to those of ``query``.

    Returns:
        (..., L, F).

    Raises:
        RuntimeError: shapes do not fit, dtypes differ or are not floating, ``attn_mask`` beside
            ``is_causal``, ``dropout_p`` above 1, or the heads do not divide.
        TypeError: an argument is not a tensor.
        IndexError: the mask has fewer than 2 dimensions, or there is none for heads.

    >>> import tensorgrad as torch
    >>> x = torch.eye(2).reshape(1, 2, 2)
    >>> torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True, scale=1.0)
    tensor([[[1.0000, 0.0000],
             [0.2689, 0.7311]]])
    """
    _check(query, key, value, attn_mask, is_causal)
    if dropout_p > 1.0:
        raise errors.ShapeError(
            f"dropout probability has to be between 0 and 1, but got {dropout_p}"
        )
    if enable_gqa:
        key, value = _repeated_heads(query, key), _repeated_heads(query, value)
    if query._array.dtype == np.float16:  # in float32, as every product of float16
        operands = [t.float() for t in (query, key, value)]
        bias = attn_mask
        if attn_mask is not None and attn_mask._array.dtype == np.float16:
            bias = attn_mask.float()
        options = {"scale": scale}
        return scaled_dot_product_attention(*operands, bias, dropout_p, is_causal, **options).half()
    query, key, value = _same_batches(query, key, value)
    shape = (*query._array.shape[:-1], key._array.shape[-2])
    bias = None if attn_mask is None else _bias(attn_mask, query._array.dtype, shape)
    if scale is None:
        scale = 1.0 / math.sqrt(max(query._array.shape[-1], 1))
    drop = None
    if dropout_p > 0.0:
        keep = sampling.keep_mask(default_generator, shape, dropout_p)
        factor = 1.0 / (1.0 - dropout_p) if dropout_p < 1.0 else 0.0
        drop = np.multiply(keep, factor, dtype=query._array.dtype)
    attrs = {"scale": float(scale), "causal": bool(is_causal), "drop": drop}
    return attention.op.apply((query, key, value, bias), attrs)


def _check(query, key, value, mask, is_causal):
    """Refuse what PyTorch refuses, with its types of errors."""
    name = "scaled_dot_product_attention"
    for argument, x in (("query", query), ("key", key), ("value", value), ("attn_mask", mask)):
        if not isinstance(x, Tensor) and not (x is None and argument == "attn_mask"):
            raise TypeError(f"{name}(): argument {argument!r} must be Tensor, not {_type(x)}")
    q, k, v = query._array, key._array, value._array
    if not q.dtype == k.dtype == v.dtype:
        raise errors.DtypeError(
            "Expected query, key, and value to have the same dtype, but got "
            f"{query.dtype}, {key.dtype} and {value.dtype}; convert with .to(dtype)"
        )
    if q.dtype.kind != "f":
        raise errors.DtypeError(f"{name}: expected floating-point tensors, got {query.dtype}")
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise errors.ShapeError(
            "Expected query, key, and value to all be at least 2 dimensional, but got shapes "
            f"{q.shape}, {k.shape} and {v.shape}"
        )
    if q.shape[-1] != k.shape[-1]:
        raise errors.ShapeError(
            f"{name}: query and key must have the same last dimension, got shapes {q.shape} and "
            f"{k.shape}"
        )
    if k.shape[-2] != v.shape[-2]:
        raise errors.ShapeError(
            f"{name}: key and value must have the same length, dimension -2, got shapes "
            f"{k.shape} and {v.shape}"
        )
    if mask is None:
        return
    if is_causal:
        raise errors.ShapeError(
            "Explicit attn_mask should not be set when is_causal=True: leave one of the two out"
        )
    m = mask._array
    if m.ndim < 2:
        raise errors.DimError(
            f"{name}: attn_mask must have at least 2 dimensions, (..., L, S), got shape {m.shape}"
        )
    if m.dtype != bool and m.dtype != q.dtype and m.dtype != np.float32:
        raise errors.DtypeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"{mask.dtype} beside {query.dtype}; convert it with .to({query.dtype})"
        )


def _type(x):
    return type(x).__name__


def _repeated_heads(query, x):
    """``x`` with its heads, dimension -3, repeated to those of ``query``."""
    q, a = query._array, x._array
    if q.ndim < 3 or a.ndim < 3:
        raise errors.DimError(
            "Dimension out of range: enable_gqa needs tensors (..., heads, length, features), got "
            f"shapes {q.shape} and {a.shape}"
        )
    heads, own = q.shape[-3], a.shape[-3]
    if not own or heads % own:
        raise errors.ShapeError(
            "Number of heads in key and value must divide the number of heads in query, got "
            f"{own} and {heads} in shapes {a.shape} and {q.shape}"
        )
    return x if heads == own else x.repeat_interleave(heads // own, -3)


def _same_batches(*operands):
    """The operands expanded to common batch dimensions."""
    shapes = [t._array.shape[:-2] for t in operands]
    if shapes[0] == shapes[1] == shapes[2]:
        return operands
    try:
        batch = np.broadcast_shapes(*shapes)
    except ValueError:
        raise errors.ShapeError(
            "scaled_dot_product_attention: the batch dimensions of query, key and value do not "
            f"broadcast, got shapes {', '.join(str(t._array.shape) for t in operands)}"
        ) from None
    return [t.expand(*batch, *t._array.shape[-2:]) for t in operands]


def _bias(mask, dtype, shape):
    """What a mask adds to the scores: for a bool mask, -inf where it is False."""
    m = mask._array
    try:
        fits = np.broadcast_shapes(m.shape, shape) == tuple(shape)
    except ValueError:
        fits = False
    if not fits:
        raise errors.ShapeError(
            f"scaled_dot_product_attention: attn_mask of shape {m.shape} does not broadcast to the "
            f"scores of shape {tuple(shape)}"
        )
    if m.dtype == bool:
        return wrap(_minus_infinity_where(~m, dtype))
    return mask if m.dtype == dtype else mask.to(dtypes.of(dtype))


def _minus_infinity_where(hidden, dtype):
    out = np.zeros(hidden.shape, dtype)
    out[hidden] = -np.inf
    return out


# --- several heads ----------------------------------------------------------------------


def canonical_mask(mask, name, other, other_name, like):
    """A mask of :class:`~tensorgrad.nn.MultiheadAttention` as a float one: -inf where True.

    Args:
        mask: bool, float, or None.
        name: of the mask, for messages.
        other: another mask, whose type should be the same, or None.
        other_name: of that.
        like: a tensor of the dtype that a bool mask is converted to.

    Raises:
        AssertionError: the mask is neither bool nor float.
    """
    if mask is None:
        return None
    array = mask._array
    if array.dtype.kind not in "bf":
        raise AssertionError(
            f"only bool and floating types of {name} are supported, got {mask.dtype}"
        )
    if other is not None and other._array.dtype != array.dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for "
            "both instead.",
            stacklevel=3,
        )
    if array.dtype.kind == "f":
        return mask
    return wrap(_minus_infinity_where(array, like._array.dtype))


def multi_head_attention_forward(
    query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v,
    add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training=True, key_padding_mask=None,
    need_weights=True, attn_mask=None, use_separate_proj_weight=False, q_proj_weight=None,
    k_proj_weight=None, v_proj_weight=None, static_k=None, static_v=None,
    average_attn_weights=True, is_causal=False,
):  # fmt: skip
    """What :class:`~tensorgrad.nn.MultiheadAttention` computes, from its parameters.

    Args:
        query: (L, N, E), or (L, E).
        key: (S, N, K), or (S, K); without separate weights K is E.
        value: (S, N, V), or (S, V); without separate weights V is E.
        embed_dim_to_check: E.
        num_heads: number of heads, which divides E.
        in_proj_weight: (3 E, E): the projections of query, key and value, one below the other.
        in_proj_bias: (3 E), or None.
        bias_k: (1, 1, E), a key appended to every sequence, or None.
        bias_v: (1, 1, E), its value, or None.
        add_zero_attn: append a key and a value of zeros.
        dropout_p: probability of dropping an attention weight, in training.
        out_proj_weight: (E, E), of the projection of the result.
        out_proj_bias: (E), or None.
        training: whether to drop.
        key_padding_mask: (N, S), or (S): True where a key is to be ignored, or floats to add.
        need_weights: also return the attention weights.
        attn_mask: (L, S) or (N * num_heads, L, S): True where a query must not see a key, or
            floats to add.
        use_separate_proj_weight: use the next three in place of ``in_proj_weight``.
        q_proj_weight: (E, E).
        k_proj_weight: (E, K).
        v_proj_weight: (E, V).
        static_k: (N * num_heads, S, E / num_heads), used for the projected keys.
        static_v: likewise, for the projected values.
        average_attn_weights: return the mean over the heads of the weights.
        is_causal: ``attn_mask`` is known to be causal; it is then not read where neither weights
            nor a padding mask are asked for.

    Returns:
        (L, N, E) or (L, E), and the weights: (N, L, S), (N, num_heads, L, S) or those without N;
        None unless asked for.

    Raises:
        AssertionError: shapes or sizes do not fit.
        RuntimeError: ``is_causal`` without ``attn_mask``, or a mask of the wrong shape.
    """
    projections = (
        (q_proj_weight, k_proj_weight, v_proj_weight)
        if use_separate_proj_weight
        else in_proj_weight
    )
    return attend(
        query, key, value, embed_dim_to_check, num_heads, projections, in_proj_bias,
        (bias_k, bias_v), add_zero_attn, dropout_p if training else 0.0,
        (out_proj_weight, out_proj_bias), key_padding_mask, need_weights, attn_mask,
        (static_k, static_v), average_attn_weights, is_causal, batch=1,
    )  # fmt: skip


def attend(
    query, key, value, width, num_heads, projections, in_bias, extra, add_zero, p, out,
    key_padding_mask, need_weights, attn_mask, static, average, is_causal, batch,
):  # fmt: skip
    """:func:`multi_head_attention_forward` for either order of batch and sequence.

    ``batch`` is the dimension of the batch, 0 or 1. Projecting before dimensions change places
    leaves every operand of a product contiguous.
    """
    batched = _check_dims(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        batch = 1
        query, key, value = (t.unsqueeze(1) for t in (query, key, value))
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    n, length, source = query.shape[batch], query.shape[1 - batch], key.shape[1 - batch]
    padding = canonical_mask(key_padding_mask, "key_padding_mask", attn_mask, "attn_mask", query)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint: nn.Transformer."
            "generate_square_subsequent_mask makes one"
        )
    if is_causal and padding is None and not need_weights:
        mask = None  # the hint says what it holds
    else:
        mask = canonical_mask(attn_mask, "attn_mask", None, "", query)
        is_causal = False
    _check_sizes(query, key, value, width, num_heads, isinstance(projections, tuple))

    q, k, v = _projected(query, key, value, projections, in_bias)
    if mask is not None:
        _check_mask(mask, n, num_heads, length, source)
    q = _heads(q, num_heads, batch)
    k, v, appended = _extended(k, v, extra, add_zero, static, num_heads, batch)
    source = k.shape[-2]
    bias = _merged(mask, padding, appended, n, num_heads, source)

    if need_weights:
        out_heads, weights = _weighted(q, k, v, bias, p)
        weights = weights.mean(1) if average else weights
        weights = weights if batched else weights.squeeze(0)
    else:
        out_heads, weights = scaled_dot_product_attention(q, k, v, bias, p, is_causal), None
    order = (0, 2, 1, 3) if batch == 0 else (2, 0, 1, 3)
    joined = out_heads.permute(order).reshape(*query.shape[:2], width)
    result = linear(joined, *out)
    return (result if batched else result.squeeze(1)), weights


def _check_dims(query, key, value, key_padding_mask, attn_mask, num_heads):
    """Whether the inputs have a batch dimension; refuses numbers of dimensions that differ."""
    dims = query.dim()
    if dims not in (2, 3):
        raise AssertionError(
            "query should be unbatched 2D or batched 3D tensor but received "
            f"{dims}-D query tensor of shape {tuple(query.shape)}"
        )
    wanted = [("key", key, dims), ("value", value, dims)]
    wanted += [("key_padding_mask", key_padding_mask, dims - 1)]
    for name, t, want in wanted:
        if t is not None and t.dim() != want:
            raise AssertionError(
                f"For a {dims}-D query, expected {name} to be {want}-D, got shape {tuple(t.shape)}"
            )
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise AssertionError(
                f"expected attn_mask to be 2-D or 3-D, got shape {tuple(attn_mask.shape)}"
            )
        want = (num_heads, query.shape[0], key.shape[0])
        if dims == 2 and attn_mask.dim() == 3 and tuple(attn_mask.shape) != want:
            raise AssertionError(
                f"Expected attn_mask shape to be {want} but got {tuple(attn_mask.shape)}"
            )
    return dims == 3


def _check_sizes(query, key, value, width, num_heads, separate):
    """Refuse features that do not fit the layer."""
    if query.shape[-1] != width:
        raise AssertionError(
            f"was expecting embedding dimension of {width}, but got {query.shape[-1]}: query of "
            f"shape {tuple(query.shape)}"
        )
    if width % num_heads:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {num_heads}")
    k, v = tuple(key.shape), tuple(value.shape)
    if (k[:2] != v[:2]) if separate else (k != v):
        raise AssertionError(f"key shape {k} does not match value shape {v}")


def _check_mask(mask, n, num_heads, length, source):
    want = (length, source) if mask.dim() == 2 else (n * num_heads, length, source)
    if tuple(mask.shape) != want:
        raise RuntimeError(
            f"The shape of the {mask.dim()}D attn_mask is {tuple(mask.shape)}, but should be {want}"
        )


def _projected(query, key, value, projections, bias):
    """The projections of the inputs, by one product for those that are the same tensor."""
    if isinstance(projections, tuple):
        biases = (None,) * 3 if bias is None else bias.chunk(3)
        inputs = (query, key, value)
        for name, x, w in zip(("query", "key", "value"), inputs, projections, strict=True):
            want = (query.shape[-1], x.shape[-1])
            if tuple(w.shape) != want:
                raise AssertionError(
                    f"expecting {name} weights shape of {want}, but got {tuple(w.shape)}"
                )
        return [linear(x, w, b) for x, w, b in zip(inputs, projections, biases, strict=True)]
    if key is value and query is key:
        return linear(query, projections, bias).chunk(3, -1)
    width = query.shape[-1]
    if key is value:
        of_q, of_both = projections.split([width, 2 * width])
        bias_q, bias_both = (None, None) if bias is None else bias.split([width, 2 * width])
        return [linear(query, of_q, bias_q), *linear(key, of_both, bias_both).chunk(2, -1)]
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    weights = projections.chunk(3)
    return [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]


def _heads(x, num_heads, batch):
    """(N, L, E) or (L, N, E) as (N, heads, L, E / heads)."""
    x = x.unflatten(-1, (num_heads, -1))
    return x.permute((0, 2, 1, 3) if batch == 0 else (1, 2, 0, 3))


def _extended(k, v, extra, add_zero, static, num_heads, batch):
    """Keys and values as heads, with what is appended to them, and how much that is."""
    appended = 0
    sequence = 1 - batch
    if extra[0] is not None and extra[1] is not None:
        if static[0] is not None or static[1] is not None:
            raise AssertionError("bias cannot be added to static key or value")
        shape = list(k.shape)
        shape[sequence] = 1
        k, v = (tg.cat([x, b.expand(*shape)], sequence) for x, b in zip((k, v), extra, strict=True))
        appended = 1
    elif extra[0] is not None or extra[1] is not None:
        raise AssertionError("bias_k and bias_v must be given both, or neither")
    n, width = k.shape[batch], k.shape[-1]
    k, v = (
        _heads(x, num_heads, batch) if given is None
        else _given_heads(given, n, num_heads, width // num_heads)
        for x, given in zip((k, v), static, strict=True)
    )  # fmt: skip
    if add_zero:
        zeros = tg.zeros((*k.shape[:2], 1, k.shape[-1]), dtype=k.dtype)
        k, v = tg.cat([k, zeros], 2), tg.cat([v, zeros], 2)
        appended += 1
    return k, v, appended


def _given_heads(x, n, num_heads, size):
    if x.shape[0] != n * num_heads or x.shape[2] != size:
        raise AssertionError(
            f"expecting static keys and values of shape ({n * num_heads}, S, {size}), got "
            f"{tuple(x.shape)}"
        )
    return x.unflatten(0, (n, num_heads))


def _merged(mask, padding, appended, n, num_heads, source):
    """Both masks as one that broadcasts to (N, heads, L, S); what was appended is seen by all."""
    if mask is not None:
        mask = pad(mask, (0, appended)) if appended else mask
        mask = mask if mask.dim() == 2 else mask.unflatten(0, (n, num_heads))
    if padding is not None:
        padding = pad(padding, (0, appended)) if appended else padding
        if tuple(padding.shape) != (n, source):
            raise AssertionError(
                f"Expected key_padding_mask of shape {(n, source - appended)}, but got "
                f"{(padding.shape[0], padding.shape[1] - appended)}"
            )
        padding = padding.unsqueeze(1).unsqueeze(1)
    if mask is None or padding is None:
        return padding if mask is None else mask
    return mask + padding


def _weighted(q, k, v, bias, p):
    """Attention by way of its weights, and these; a query that may see nothing gets nan."""
    scores = (q * math.sqrt(1.0 / q.shape[-1])) @ k.mT
    scores = scores if bias is None else scores + bias
    weights = tg.softmax(scores, -1)
    weights = dropout(weights, p) if p > 0.0 else weights
    return weights @ v, weights
