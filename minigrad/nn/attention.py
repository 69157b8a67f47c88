"""Attention as a layer."""

from __future__ import annotations

from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.ops.creation import empty


class NonDynamicallyQuantizableLinear(Linear):
    """A Linear, under the name that torch prints for this one."""


class MultiheadAttention(Module):
    """Attention in num_heads subspaces of embed_dim / num_heads dimensions each, joined by a last projection (Vaswani et al., 2017).

    query (L, N, E), key (S, N, kdim), value (S, N, vdim), with N first if batch_first, or without N. Returns the output, of query's
    shape, and the weights (N, L, S), the mean over the heads, or (N, heads, L, S), or None if not need_weights.
    key_padding_mask (N, S) and attn_mask (L, S) or (N * heads, L, S): True, or a float -inf, forbids a key. add_bias_kv: a learned
    key and value more; add_zero_attn: one of zeros more. dropout: of the weights, in training.
    Raises ValueError for sizes that do not fit.

    >>> import minigrad
    >>> attention = minigrad.nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = minigrad.randn(4, 3, 8)
    >>> output, weights = attention(x, x, x)
    >>> output.shape, weights.shape
    ((4, 3, 8), (4, 3, 3))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "MultiheadAttention: embed_dim and num_heads must be greater than 0, "
                f"got embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        if embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: embed_dim must be divisible by num_heads, got {embed_dim} and {num_heads}"
            )
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        self.add_zero_attn = add_zero_attn
        options = {"device": device, "dtype": dtype}
        joint = self.kdim == embed_dim and self.vdim == embed_dim
        self.q_proj_weight = None if joint else Parameter(empty(embed_dim, embed_dim, **options))
        self.k_proj_weight = None if joint else Parameter(empty(embed_dim, self.kdim, **options))
        self.v_proj_weight = None if joint else Parameter(empty(embed_dim, self.vdim, **options))
        self.in_proj_weight = Parameter(empty(3 * embed_dim, embed_dim, **options)) if joint else None
        self.in_proj_bias = Parameter(empty(3 * embed_dim, **options)) if bias else None
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        self.bias_k = Parameter(empty(1, 1, embed_dim, **options)) if add_bias_kv else None
        self.bias_v = Parameter(empty(1, 1, embed_dim, **options)) if add_bias_kv else None
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draws the initial weights anew: Glorot's uniform ones, biases 0, added keys and values from Glorot's normal ones."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for added in (self.bias_k, self.bias_v):
            if added is not None:
                init.xavier_normal_(added)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        turned = self.batch_first and query.ndim == 3
        if turned:
            # the same tensor for all three stays one: its projection is then a single product
            views: dict[int, Any] = {id(x): x for x in (query, key, value)}
            views = {number: x.transpose(0, 1) for number, x in views.items()}
            query, key, value = (views[id(x)] for x in (query, key, value))
        output, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=self.in_proj_weight is None,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return output.transpose(0, 1) if turned else output, weights
