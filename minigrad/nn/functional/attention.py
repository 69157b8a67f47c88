"""Attention: averages of values, weighted by how well queries and keys match (Vaswani et al., 2017)."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels import xp
from minigrad.kernels.driver import is_host
from minigrad.nn.functional.dropout import dropout
from minigrad.nn.functional.linear import linear
from minigrad.ops.elementwise import where
from minigrad.ops.joining import cat
from minigrad.ops.pad import constant_pad_nd


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query key^T * scale + mask) value: query (..., L, E), key (..., S, E), value (..., S, V), output (..., L, V).

    attn_mask: broadcast to (..., L, S); False, or a float -inf, forbids a key. is_causal: query i sees the keys up to i only.
    dropout_p: the share of weights that are dropped, also outside of training. scale: by default 1 / sqrt(E). enable_gqa: key and
    value have fewer heads, axis -3, each of which serves several of query. A query that sees no key gets 0.
    Raises RuntimeError for dtypes and shapes that do not fit, or a mask with is_causal.

    >>> import minigrad
    >>> query, key, value = minigrad.zeros(1, 2), minigrad.randn(2, 2), minigrad.tensor([[1.0], [3.0]])
    >>> scaled_dot_product_attention(query, key, value)
    tensor([[2.]])
    """
    op = "scaled_dot_product_attention"
    _check_attention(op, query, key, value, attn_mask, is_causal)
    if query.dtype == np.float16:  # as in torch, sums and softmax have float32's digits
        mask = attn_mask if attn_mask is None or attn_mask.dtype.kind == "b" else attn_mask.float()
        wide = (query.float(), key.float(), value.float(), mask, dropout_p, is_causal)
        return scaled_dot_product_attention(*wide, scale=scale, enable_gqa=enable_gqa).half()
    if enable_gqa:
        key, value = _served(op, query, key, value)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None and query.shape[-1] else scale or 0.0
    weights: Any = (query * factor).matmul(key.transpose(-2, -1))
    if is_causal:
        attn_mask = make_tensor(xp(query.array).tri(query.shape[-2], key.shape[-2], dtype=bool))
    if attn_mask is None:
        weights = weights.softmax(-1)
    elif attn_mask.dtype.kind == "b":
        weights = _softmax_of_seen(where(attn_mask, weights, -math.inf))
    else:
        weights = _softmax_of_seen(weights + attn_mask)
    if dropout_p:
        weights = dropout(weights, dropout_p)
    return weights.matmul(value)


def _check_attention(
    op: str, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, is_causal: bool
) -> None:
    shapes = f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(f"{op}: Expected query, key, and value to all be at least 2 dimensional, but got {shapes}")
    if not query.dtype == key.dtype == value.dtype or query.dtype.kind != "f":
        raise RuntimeError(
            f"{op}: Expected query, key, and value to have the same float dtype, "
            f"but got query.dtype: {query.dtype} key.dtype: {key.dtype} and value.dtype: {value.dtype} instead."
        )
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise RuntimeError(f"{op}: expected query (..., L, E), key (..., S, E) and value (..., S, V), but got {shapes}")
    if attn_mask is None:
        return
    if is_causal:
        raise RuntimeError(f"{op}: Explicit attn_mask should not be set when is_causal=True")
    if attn_mask.dtype.kind != "b" and attn_mask.dtype not in (np.float32, query.dtype):
        raise RuntimeError(
            f"{op}: Expected attn_mask dtype to be bool or float or to match query dtype, "
            f"but got attn_mask.dtype: {attn_mask.dtype} and query.dtype: {query.dtype} instead."
        )
    for axis, expected in ((-1, key.shape[-2]), (-2, query.shape[-2])):
        if attn_mask.ndim >= -axis and attn_mask.shape[axis] not in (1, expected):
            raise RuntimeError(
                f"{op}: attn_mask {tuple(attn_mask.shape)} does not broadcast to (..., L, S) of {shapes}"
            )


def _served(op: str, query: Tensor, key: Tensor, value: Tensor) -> tuple[Any, Any]:
    """Key and value with each head as often as query has heads for it."""
    heads = query.shape[-3] if query.ndim > 2 else 1
    repeated = []
    for name, x in (("key", key), ("value", value)):
        if x.ndim < 3 or heads % x.shape[-3]:
            raise RuntimeError(
                f"{op}: Number of heads in key and value must divide the number of heads in query: {name} has shape {tuple(x.shape)}, query {tuple(query.shape)}"
            )
        repeated.append(x.repeat_interleave(heads // x.shape[-3], -3))
    return repeated[0], repeated[1]


def _softmax_of_seen(scores: Any) -> Any:
    """The softmax along the last axis; 0 in rows that are -inf throughout, where it would be 0 / 0."""
    unseen = make_tensor((scores.array == -np.inf).all(-1, keepdims=True))
    if is_host(unseen.array) and not unseen.array.any():
        return scores.softmax(-1)
    return scores.masked_fill(unseen, 0).softmax(-1).masked_fill(unseen, 0)


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention of num_heads heads, each in a projection of its own, joined by a last projection: what nn.MultiheadAttention computes.

    query (L, N, E), key (S, N, Ek), value (S, N, Ev), or the same without N; output (L, N, E) and, if need_weights, the weights
    (N, L, S), the mean over the heads, or (N, heads, L, S). key_padding_mask (N, S) and attn_mask (L, S) or (N * heads, L, S): True,
    or a float -inf, forbids a key. static_k, static_v: (N * heads, S, E / heads), taken in place of the projections of key and value.
    is_causal: only says that attn_mask is causal, which must be given. Raises ValueError and RuntimeError for shapes that do not fit.
    """
    batched = _check_multi_head(query, key, value, key_padding_mask, attn_mask, num_heads)
    if is_causal and attn_mask is None:
        raise RuntimeError("multi_head_attention_forward: Need attn_mask if specifying the is_causal hint.")
    if not batched:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, samples, width = query.shape
    if width != embed_dim_to_check or width % num_heads:
        raise ValueError(
            f"multi_head_attention_forward: was expecting embedding dimension of {embed_dim_to_check}, "
            f"divisible by num_heads {num_heads}, but got {width}"
        )
    if key.shape[:2] != value.shape[:2] or (not use_separate_proj_weight and key.shape != value.shape):
        raise ValueError(
            f"multi_head_attention_forward: key shape {tuple(key.shape)} does not match value shape {tuple(value.shape)}"
        )

    q, k, v = _projected(
        query,
        key,
        value,
        in_proj_weight,
        in_proj_bias,
        (q_proj_weight, k_proj_weight, v_proj_weight),
        use_separate_proj_weight,
    )
    if bias_k is not None and bias_v is not None:
        if static_k is not None or static_v is not None:
            raise ValueError(
                "multi_head_attention_forward: bias_k and bias_v cannot be added to static key and value"
            )
        k, v = cat([k, bias_k.expand(1, samples, width)]), cat([v, bias_v.expand(1, samples, width)])

    def heads(x: Any) -> Any:  # (L, N, E) to (N, heads, L, E / heads)
        return x.reshape(x.shape[0], samples, num_heads, width // num_heads).permute(1, 2, 0, 3)

    q = heads(q)
    k = heads(k) if static_k is None else _static("static_k", static_k, q)
    v = heads(v) if static_v is None else _static("static_v", static_v, q)
    if add_zero_attn:
        k, v = constant_pad_nd(k, (0, 0, 0, 1)), constant_pad_nd(v, (0, 0, 0, 1))
    mask = _joint_mask(attn_mask, key_padding_mask, q, source=key.shape[0], target=k.shape[2])

    weights = (q * (width // num_heads) ** -0.5).matmul(k.transpose(-2, -1))
    weights = weights.softmax(-1) if mask is None else _softmax_of_seen(weights + mask)
    if training and dropout_p:
        weights = dropout(weights, dropout_p)
    joined = weights.matmul(v).permute(2, 0, 1, 3).reshape(length, samples, width)
    output = linear(joined, out_proj_weight, out_proj_bias)
    if average_attn_weights:
        weights = weights.mean(1)
    if not batched:
        output, weights = output.squeeze(1), weights.squeeze(0)
    return output, weights if need_weights else None


def _check_multi_head(
    query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None, attn_mask: Tensor | None, num_heads: int
) -> bool:
    """Whether there is an axis for the batch, after a check that all have it or none."""
    op = "multi_head_attention_forward"
    if query.ndim not in (2, 3):
        raise ValueError(
            f"{op}: query should be unbatched 2D or batched 3D tensor but received {query.ndim}-D query tensor"
        )
    batched = query.ndim == 3
    kind = "batched (3-D)" if batched else "unbatched (2-D)"
    if key.ndim != query.ndim or value.ndim != query.ndim:
        raise ValueError(
            f"{op}: For {kind} `query`, expected `key` and `value` to be {query.ndim}-D "
            f"but found {key.ndim}-D and {value.ndim}-D tensors respectively"
        )
    if key_padding_mask is not None:
        expected: tuple[int, ...] = (key.shape[1], key.shape[0]) if batched else (key.shape[0],)
        if tuple(key_padding_mask.shape) != expected:
            raise ValueError(
                f"{op}: For {kind} `query`, expected `key_padding_mask` to be `None` or of shape {expected} "
                f"but found {tuple(key_padding_mask.shape)}"
            )
    if attn_mask is not None:
        if attn_mask.ndim not in (2, 3):
            raise ValueError(
                f"{op}: For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.ndim}-D"
            )
        plane = (query.shape[0], key.shape[0])
        samples = query.shape[1] if batched else 1
        expected = plane if attn_mask.ndim == 2 else (samples * num_heads, *plane)
        if tuple(attn_mask.shape) != expected:
            raise RuntimeError(
                f"{op}: The shape of the {attn_mask.ndim}D attn_mask is {tuple(attn_mask.shape)}, but should be {expected}."
            )
    return batched


def _projected(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    separate: tuple[Tensor | None, ...],
    use_separate: bool,
) -> tuple[Any, Any, Any]:
    """Query, key and value in the space of the heads. A projection that several of them share is one product."""
    width = query.shape[-1]
    biases = (None, None, None) if bias is None else tuple(bias.chunk(3))
    if use_separate:
        for name, given in zip(("q_proj_weight", "k_proj_weight", "v_proj_weight"), separate, strict=True):
            if given is None:
                raise ValueError(
                    f"multi_head_attention_forward: use_separate_proj_weight is True but {name} is None"
                )
        weights: tuple[Any, ...] = separate
    elif weight is None:
        raise ValueError(
            "multi_head_attention_forward: use_separate_proj_weight is False but in_proj_weight is None"
        )
    elif query is key is value:
        q, k, v = linear(query, weight, bias).chunk(3, -1)
        return q, k, v
    else:
        weights = tuple(weight.chunk(3))
    for name, x, w in zip(("query", "key", "value"), (query, key, value), weights, strict=True):
        if tuple(w.shape) != (width, x.shape[-1]):
            raise ValueError(
                f"multi_head_attention_forward: expecting {name} weights shape of {(width, x.shape[-1])}, but got {tuple(w.shape)}"
            )
    return (
        linear(query, weights[0], biases[0]),
        linear(key, weights[1], biases[1]),
        linear(value, weights[2], biases[2]),
    )


def _static(name: str, given: Tensor, q: Tensor) -> Any:
    samples, num_heads, _, width = q.shape
    if given.ndim != 3 or given.shape[0] != samples * num_heads or given.shape[2] != width:
        raise ValueError(
            f"multi_head_attention_forward: expecting {name} of shape ({samples * num_heads}, S, {width}), but got {tuple(given.shape)}"
        )
    return given.reshape(samples, num_heads, -1, width)


def _joint_mask(attn_mask: Tensor | None, key_padding_mask: Tensor | None, q: Tensor, source: int, target: int) -> Any:
    """What is added to the scores (N, heads, L, target): the sum of both masks, 0 for keys that were added behind the source."""
    samples, num_heads, length, _ = q.shape
    if attn_mask is not None and key_padding_mask is not None and attn_mask.dtype != key_padding_mask.dtype:
        warnings.warn(
            "Support for mismatched key_padding_mask and attn_mask is deprecated. Use same type for both instead.",
            stacklevel=4,
        )
    total: Any = None
    if attn_mask is not None:
        total = _as_addend("attn_mask", attn_mask, q)
        if attn_mask.ndim == 3:
            total = total.reshape(samples, num_heads, length, source)
    if key_padding_mask is not None:
        padding = _as_addend("key_padding_mask", key_padding_mask, q).reshape(samples, 1, 1, source)
        total = padding if total is None else total + padding
    return None if total is None else constant_pad_nd(total, (0, target - source))


def _as_addend(name: str, mask: Tensor, q: Tensor) -> Any:
    if mask.dtype.kind == "b":
        return make_tensor(xp(mask.array).where(mask.array, -np.inf, 0).astype(q.dtype))
    if mask.dtype.kind != "f":
        raise ValueError(
            f"multi_head_attention_forward: only bool and floating types of {name} are supported, got {mask.dtype}"
        )
    return mask
