"""Attention, and the rotation of its queries and keys by their places."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.core.tensor import make_tensor
from minigrad.nn import functional as F
from minigrad.onnx.loading.elementwise import dtype_of
from minigrad.onnx.loading.table import Run, constant, reads


def by_heads(x: Any, heads: int | None) -> Any:
    """(N, T, heads * d) as (N, heads, T, d)."""
    if x.ndim == 4:
        return x
    if not heads or x.ndim != 3 or x.shape[2] % heads:
        raise ValueError(
            f"expected (N, heads, T, d), or (N, T, heads * d) with the number of heads, got {tuple(x.shape)} and {heads}"
        )
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def allowed(queries: int, keys: int, offset: Any, causal: bool, left: int, right: int) -> Any:
    """Which keys a query may look at: truth values (queries, keys), or (N, 1, queries, keys) for an offset of each sample."""
    offset = np.asarray(offset)
    lead = (-1, 1, 1, 1) if offset.ndim else (1, 1)
    apart = np.arange(queries)[:, None] + offset.reshape(lead) - np.arange(keys)
    seen = np.ones(apart.shape, bool)
    if causal:
        seen &= apart >= 0
    if left >= 0:
        seen &= apart <= left
    return seen & (-apart <= right) if right >= 0 else seen


def bias_of(mask: Any, dtype: Any, keys: int) -> Any:
    """A mask as what is added to the scores: truth values say where to look; keys that it does not reach are not looked at."""
    missing = keys - mask.shape[-1]
    if mask.dtype.kind == "b":
        mask = ops.where(mask, constant(0, dtype), constant(-np.inf, dtype))
    if missing > 0:
        mask = F.pad(mask, (0, missing), value=-np.inf)
    return mask


@reads("Attention", since=23)
def _(
    query: Any, key: Any, value: Any, mask: Any = None, past_key: Any = None, past_value: Any = None, valid: Any = None, *, is_causal: int = 0,
    kv_num_heads: int | None = None, left_window_size: int = -1, q_num_heads: int | None = None, qk_matmul_output_mode: int = 0,
    right_window_size: int = -1, scale: float | None = None, softcap: float = 0.0, softmax_precision: int | None = None, run: Run,
) -> Any:  # fmt: skip
    """Heads of keys and values may serve several of queries; a query that may look nowhere gives 0."""
    flat = query.ndim == 3
    query, key, value = by_heads(query, q_num_heads), by_heads(key, kv_num_heads), by_heads(value, kv_num_heads)
    keys = key if past_key is None else ops.cat([past_key, key], 2)
    values = value if past_value is None else ops.cat([past_value, value], 2)
    steps, count, dtype = query.shape[2], keys.shape[2], query.dtype
    run.room([*query.shape[:3], count], dtype)
    offset = (
        (valid.numpy().reshape(-1) - steps)
        if valid is not None and past_key is None
        else 0
        if past_key is None
        else past_key.shape[2]
    )
    seen = allowed(steps, count, offset, bool(is_causal), left_window_size, right_window_size)
    if valid is not None:
        seen = seen & (np.arange(count) < valid.numpy().reshape(-1, 1, 1, 1))
    bias = ops.where(make_tensor(seen), constant(0, dtype), constant(-np.inf, dtype))
    bias = bias if mask is None else bias + bias_of(mask, dtype, count)
    share = query.shape[1] // keys.shape[1]
    k, v = (x.repeat_interleave(share, 1) if share > 1 else x for x in (keys, values))
    each = constant(math.sqrt(1 / math.sqrt(query.shape[3]) if scale is None else scale), dtype)
    products = (query * each) @ (k * each).transpose(2, 3)
    scores = products if softcap <= 0 else (products / softcap).tanh() * softcap
    added = scores + bias
    hidden = (bias == -np.inf).all(-1, True)
    wide = added if softmax_precision is None else added.to(dtype_of(softmax_precision, run))
    shares = wide.masked_fill(hidden, 0.0).softmax(-1).masked_fill(hidden, 0.0)
    out = shares.to(dtype) @ v
    out = out.transpose(1, 2).reshape(out.shape[0], steps, -1) if flat else out
    shown = (products if qk_matmul_output_mode == 0 else scores, scores, added, shares)[qk_matmul_output_mode]
    return (out, keys, values, shown.to(dtype)) if run.outputs > 1 else out


@reads("RotaryEmbedding", since=23)
def _(
    input: Any,
    cosines: Any,
    sines: Any,
    places: Any = None,
    *,
    interleaved: int = 0,
    num_heads: int | None = None,
    rotary_embedding_dim: int = 0,
) -> Any:
    """The first numbers of each head turned in pairs (Su et al., 2021)."""
    flat = input.ndim == 3
    x = by_heads(input, num_heads)
    width = rotary_embedding_dim or x.shape[3]
    turned, rest = x[..., :width], x[..., width:]
    cos, sin = [(table if places is None else table[places]).unsqueeze(1) for table in (cosines, sines)]
    if cos.shape[-1] * 2 != width:
        raise ValueError(f"tables of {cos.shape[-1]} angles for {width} numbers to turn")
    a, b = (
        (turned[..., 0::2], turned[..., 1::2])
        if interleaved
        else (turned[..., : width // 2], turned[..., width // 2 :])
    )
    pair = [cos * a - sin * b, sin * a + cos * b]
    turned = ops.stack(pair, -1).reshape(x.shape[:3] + (width,)) if interleaved else ops.cat(pair, -1)
    out = ops.cat([turned, rest], -1)
    return out.transpose(1, 2).reshape(input.shape) if flat else out
