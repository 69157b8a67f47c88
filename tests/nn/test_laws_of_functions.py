"""Every function of nn.functional, every law: numeric first and second derivatives, layouts, dtypes, determinism, inputs left alone.

The operations that they are composed of keep the laws by tests/test_laws.py; here the compositions do. A function that the list does not have is
refused, so that it is tested from the moment it exists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import minigrad
from minigrad import nn, tensor
from minigrad.nn import functional as F
from tests.compositions import POSITIVE, QUICK, UNIT, Case, Input, cases_by_profile, keep_the_laws

SIGNS = tensor([1, -1, 1], dtype=minigrad.float64)
ROWS = tensor([[0, 2, 2], [3, 1, 0]])
CAUSAL = tensor([[False, True, True], [False, False, True], [False, False, False]])


def pooled(name: str, rank: int, *args: Any, **options: Any) -> list[Case]:
    """A pooling function of a plane, with and without a batch."""
    function, plane = getattr(F, name), (5, 4, 3)[:rank]
    return [
        (lambda x: function(x, *args, **options), (1, 2, *plane)),
        (lambda x: function(x, *args, **options), (2, *plane)),
    ]


def unpooled(rank: int) -> list[Case]:
    pool, unpool = getattr(F, f"max_pool{rank}d"), getattr(F, f"max_unpool{rank}d")

    def there_and_back(x: Any) -> Any:
        values, indices = pool(x, 2, return_indices=True)
        return unpool(values, indices, 2)

    return [(there_and_back, (1, 2, *(4, 2, 2)[:rank]))]


def convolved(rank: int) -> list[Case]:
    conv, kernel = getattr(F, f"conv{rank}d"), (2, 1, 2)[:rank]
    return [
        (lambda x, w, b: conv(x, w, b, stride=2, padding=1), (1, 2, *(4, 3, 2)[:rank]), (2, 2, *kernel), (2,)),
        (lambda x, w: conv(x, w, groups=2, dilation=1, padding="same"), (2, *(3, 2, 2)[:rank]), (2, 1, *kernel)),
    ]


def transposed(rank: int) -> list[Case]:
    conv, kernel = getattr(F, f"conv_transpose{rank}d"), (2, 1, 2)[:rank]
    return [
        (lambda x, w, b: conv(x, w, b, stride=2, output_padding=1), (1, 2, *(2, 2, 1)[:rank]), (2, 1, *kernel), (1,)),
        (lambda x, w: conv(x, w, padding=0, groups=2), (2, *(2, 2, 1)[:rank]), (2, 1, *kernel)),
    ]


def reduced(function: Callable[..., Any], *inputs: Input, **options: Any) -> list[Case]:
    """A loss with all three reductions."""
    return [(lambda *xs, how=how: function(*xs, reduction=how, **options), *inputs) for how in ("none", "mean", "sum")]


def dropped(kind: str, axes: int) -> list[Case]:
    function = getattr(F, f"dropout{kind}")
    return [(lambda x: function(x, 0.4), (2, 3, *(2, 2, 2)[:axes]))]


def attention(query: Any, key: Any, projection: Any, bias: Any, out: Any, **options: Any) -> Any:
    outputs, weights = F.multi_head_attention_forward(
        query, key, key, 4, 2, projection, bias, None, None, True, 0.0, out, None, **options
    )
    return outputs if weights is None else (outputs, weights)


def recurrent(build: Callable[[], Any]) -> Callable[..., Any]:
    """A layer of fixed weights as a function of its input and its state."""
    with minigrad.random.fork_rng():
        minigrad.manual_seed(3)
        layer = build().double()

    def run(x: Any, *state: Any) -> Any:
        out = layer(x, state if len(state) > 1 else state[0])
        return out[0] if isinstance(out, tuple) else out

    return run


CASES: dict[str, list[Case]] = {
    # activations
    "celu": [(lambda x: F.celu(x, 0.5), (3, 2))],
    "elu": [(lambda x: F.elu(x, 0.5), (3, 2))],
    "gelu": [(lambda x: F.gelu(x), (3, 2)), (lambda x: F.gelu(x, approximate="tanh"), (3, 2))],
    "glu": [(lambda x: F.glu(x, 0), (4, 3))],
    "gumbel_softmax": [(lambda x: F.gumbel_softmax(x, 0.5), (3, 2)), (lambda x: F.gumbel_softmax(x, 2, dim=0), (3,))],
    "hardshrink": [(F.hardshrink, (3, 2))],
    "hardsigmoid": [(F.hardsigmoid, (3, 2))],
    "hardswish": [(F.hardswish, (3, 2))],
    "hardtanh": [(lambda x: F.hardtanh(x, -0.5, 2.0), (3, 2))],
    "leaky_relu": [(lambda x: F.leaky_relu(x, 0.2), (3, 2))],
    "log_softmax": [(lambda x: F.log_softmax(x, 1), (3, 2, 2))],
    "logsigmoid": [(F.logsigmoid, (3, 2))],
    "mish": [(F.mish, (3, 2))],
    "prelu": [(F.prelu, (2, 3, 2), (3,)), (F.prelu, (3, 2), (1,))],
    "relu": [(F.relu, (3, 2))],
    "relu6": [(F.relu6, (3, 2))],
    "rrelu": [(F.rrelu, (3, 2)), (lambda x: F.rrelu(x, training=True), (3, 2))],
    "selu": [(F.selu, (3, 2))],
    "sigmoid": [(F.sigmoid, (3, 2))],
    "silu": [(F.silu, (3, 2))],
    "softmax": [(lambda x: F.softmax(x, 0), (3, 2)), (lambda x: F.softmax(x, -1), ())],
    "softmin": [(lambda x: F.softmin(x, 1), (3, 2))],
    "softplus": [(lambda x: F.softplus(x, 2.0, 5.0), (3, 2))],
    "softshrink": [(F.softshrink, (3, 2))],
    "softsign": [(F.softsign, (3, 2))],
    "tanh": [(F.tanh, (3, 2))],
    "tanhshrink": [(F.tanhshrink, (3, 2))],
    "threshold": [(lambda x: F.threshold(x, 0.1, 2.0), (3, 2))],
    # linear and attention
    "bilinear": [(F.bilinear, (2, 3), (2, 2), (4, 3, 2), (4,)), (F.bilinear, (3,), (2,), (1, 3, 2))],
    "linear": [(F.linear, (2, 2, 3), (4, 3), (4,)), (F.linear, (3,), (2, 3)), (F.linear, (3,), (3,))],
    "multi_head_attention_forward": [
        (lambda *xs: attention(*xs), (3, 2, 4), (2, 2, 4), (12, 4), (12,), (4, 4)),
        (lambda *xs: attention(*xs, attn_mask=CAUSAL, is_causal=True, need_weights=False), (3, 4), (3, 4), (12, 4), (12,), (4, 4)),
    ],
    "scaled_dot_product_attention": [
        (F.scaled_dot_product_attention, (2, 3, 4), (2, 2, 4), (2, 2, 3)),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.5), (3, 2), (3, 2), (3, 2)),
        (lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m), (1, 3, 2), (1, 3, 2), (1, 3, 2), (3, 3)),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, ~CAUSAL), (3, 2), (3, 2), (3, 2)),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True), (1, 4, 2, 2), (1, 2, 2, 2), (1, 2, 2, 2)),
    ],
    # convolutions
    **{f"conv{rank}d": convolved(rank) for rank in (1, 2, 3)},
    **{f"conv_transpose{rank}d": transposed(rank) for rank in (1, 2, 3)},
    "fold": [(lambda x: F.fold(x, (3, 4), (2, 3), stride=(1, 2), padding=(0, 1)), (1, 6, 4))],
    "unfold": [(lambda x: F.unfold(x, (2, 1), dilation=2, padding=1, stride=2), (1, 2, 3, 4))],
    # pooling
    **{f"adaptive_avg_pool{rank}d": pooled(f"adaptive_avg_pool{rank}d", rank, 2) for rank in (1, 2, 3)},
    **{f"adaptive_max_pool{rank}d": pooled(f"adaptive_max_pool{rank}d", rank, 2) for rank in (1, 2, 3)},
    **{f"avg_pool{rank}d": pooled(f"avg_pool{rank}d", rank, 2, 1, 1, count_include_pad=False) for rank in (1, 2, 3)},
    **{f"lp_pool{rank}d": pooled(f"lp_pool{rank}d", rank, 3, 2, ceil_mode=True) for rank in (1, 2, 3)},
    **{f"max_pool{rank}d": pooled(f"max_pool{rank}d", rank, 3, 2, 1, ceil_mode=True) for rank in (1, 2, 3)},
    **{f"sum_pool{rank}d": pooled(f"sum_pool{rank}d", rank, 2, ceil_mode=True) for rank in (1, 2, 3)},
    **{f"max_unpool{rank}d": unpooled(rank) for rank in (1, 2, 3)},
    "fractional_max_pool2d": pooled("fractional_max_pool2d", 2, 2, output_size=(2, 2)),
    "fractional_max_pool3d": pooled("fractional_max_pool3d", 3, 2, output_ratio=0.5),
    # padding and resampling
    "affine_grid": [(lambda x: F.affine_grid(x, (2, 1, 2, 3), align_corners=False), (2, 2, 3)), (lambda x: F.affine_grid(x, (1, 1, 2, 2, 2), True), (1, 3, 4))],
    "channel_shuffle": [(lambda x: F.channel_shuffle(x, 2), (1, 4, 2, 2))],
    "grid_sample": [
        (lambda x, g, mode=mode, pads=pads, corners=corners: F.grid_sample(x, g, mode, pads, corners), (1, 2, 3, 3), ((1, 2, 2, 2), (-1.5, 1.5)))
        for mode in ("bilinear", "bicubic", "nearest") for pads in ("zeros", "border", "reflection") for corners in (True, False)
    ] + [(lambda x, g: F.grid_sample(x, g, align_corners=False), (1, 1, 2, 2, 3), ((1, 1, 2, 2, 3), (-1.5, 1.5)))],
    "interpolate": [
        (lambda x: F.interpolate(x, 5), (1, 2, 3)),
        (lambda x: F.interpolate(x, scale_factor=1.5, mode="nearest-exact"), (1, 1, 3, 2)),
        (lambda x: F.interpolate(x, 4, mode="linear"), (1, 2, 3)),
        (lambda x: F.interpolate(x, (4, 2), mode="bilinear", align_corners=True), (1, 1, 3, 3)),
        (lambda x: F.interpolate(x, (4, 5), mode="bicubic"), (1, 1, 3, 3)),
        (lambda x: F.interpolate(x, (2, 3, 2), mode="trilinear"), (1, 1, 3, 2, 2)),
        (lambda x: F.interpolate(x, (2, 2), mode="area"), (1, 1, 3, 4)),
    ],
    "pad": [
        (lambda x: F.pad(x, (1, -1, 0, 2), value=2.0), (2, 3)),
        *[(lambda x, mode=mode: F.pad(x, (1, 2), mode), (1, 2, 4)) for mode in ("reflect", "replicate", "circular")],
        (lambda x: F.pad(x, (1, 0, 2, 1), "reflect"), (1, 1, 3, 3)),
    ],
    "pixel_shuffle": [(lambda x: F.pixel_shuffle(x, 2), (1, 4, 2, 1))],
    "pixel_unshuffle": [(lambda x: F.pixel_unshuffle(x, 2), (1, 1, 4, 2))],
    "upsample": [(lambda x: F.upsample(x, 4, mode="linear"), (1, 1, 3))],
    "upsample_bilinear": [(lambda x: F.upsample_bilinear(x, (3, 4)), (1, 1, 2, 2))],
    "upsample_nearest": [(lambda x: F.upsample_nearest(x, (3, 4)), (1, 1, 2, 2))],
    # normalisation
    "batch_norm": [
        (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), (4, 2), (2,), (2,)),
        (lambda x: F.batch_norm(x, tensor([0.5, -1, 2], dtype=x.dtype), tensor([1, 0.5, 3], dtype=x.dtype)), (2, 3, 2)),
    ],
    "group_norm": [(lambda x, w, b: F.group_norm(x, 2, w, b), (2, 4, 2), (4,), (4,))],
    "instance_norm": [(lambda x, w, b: F.instance_norm(x, weight=w, bias=b), (2, 2, 4), (2,), (2,))],
    "layer_norm": [(lambda x, w, b: F.layer_norm(x, (2, 3), w, b), (2, 2, 3), (2, 3), (2, 3)), (lambda x: F.layer_norm(x, (4,)), (3, 4))],
    "local_response_norm": [(lambda x: F.local_response_norm(x, 3, 0.5), (2, 4, 2))],
    "normalize": [(F.normalize, (3, 4)), (lambda x: F.normalize(x, 3.0, 0), (3, 2))],
    "rms_norm": [(lambda x, w: F.rms_norm(x, (3,), w), (2, 3), (3,))],
    # dropout
    **{f"dropout{kind}": dropped(kind, axes) for kind, axes in (("", 0), ("1d", 1), ("2d", 2), ("3d", 3))},
    "alpha_dropout": [(lambda x: F.alpha_dropout(x, 0.4, True), (2, 3))],
    "feature_alpha_dropout": [(lambda x: F.feature_alpha_dropout(x, 0.4, True), (2, 3, 2))],
    # look-up
    "embedding": [
        (lambda w: F.embedding(ROWS, w), (4, 2)), (lambda w: F.embedding(ROWS, w.exp()), (5, 1)),
    ],
    "embedding_bag": [
        (lambda w: F.embedding_bag(ROWS, w), (4, 2)),
        (lambda w: F.embedding_bag(ROWS, w, mode="max"), (4, 2)),
        (lambda w, s: F.embedding_bag(ROWS, w, mode="sum", per_sample_weights=s, padding_idx=1), (4, 2), (2, 3)),
        (lambda w: F.embedding_bag(ROWS.reshape(-1), w, tensor([0, 2, 2]), mode="mean"), (4, 2)),
        (lambda w, s: F.embedding_bag(ROWS.reshape(-1), w, tensor([0, 4, 6]), mode="sum", per_sample_weights=s, include_last_offset=True), (4, 2), (6,)),
    ],
    # distances and losses
    "binary_cross_entropy": reduced(F.binary_cross_entropy, ((3, 2), UNIT), ((3, 2), UNIT)),
    "binary_cross_entropy_with_logits": [
        *reduced(F.binary_cross_entropy_with_logits, (3, 2), ((3, 2), UNIT)),
        (lambda x, t, w, p: F.binary_cross_entropy_with_logits(x, t, w, pos_weight=p), (3, 2), ((3, 2), UNIT), (2,), ((2,), POSITIVE)),
    ],
    "cosine_embedding_loss": reduced(lambda x, y, reduction: F.cosine_embedding_loss(x, y.flip(-1), SIGNS, 0.2, reduction=reduction), (3, 4), (3, 4)),
    "cosine_similarity": [(F.cosine_similarity, (2, 3), (2, 3)), (lambda x, y: F.cosine_similarity(x, y, -1), (2, 1, 3), (2, 3))],
    "cross_entropy": [
        *reduced(lambda x, reduction: F.cross_entropy(x, tensor([2, 0]), reduction=reduction), (2, 3)),
        (lambda x, w: F.cross_entropy(x, tensor([2, 0, -100]), w, label_smoothing=0.25), (3, 3), ((3,), POSITIVE)),
        (lambda x, t: F.cross_entropy(x, t), (2, 3, 2), ((2, 3, 2), UNIT)),
    ],
    "ctc_loss": [
        *reduced(lambda x, reduction: F.ctc_loss(x.log_softmax(-1), tensor([[1, 2], [2, 2]]), (4, 3), (2, 1), reduction=reduction), (4, 2, 3)),
        (lambda x: F.ctc_loss(x.log_softmax(-1), tensor([2, 2]), tensor([5]), tensor([2]), blank=1), (5, 3)),
        (lambda x: F.ctc_loss(x.log_softmax(-1), tensor([[1, 1], [2, 1]]), (2, 2), (2, 0), zero_infinity=True), (2, 2, 3)),
    ],
    "gaussian_nll_loss": reduced(F.gaussian_nll_loss, (3, 2), (3, 2), ((3, 2), POSITIVE), full=True),
    "hinge_embedding_loss": reduced(lambda x, reduction: F.hinge_embedding_loss(x, SIGNS, 0.7, reduction=reduction), (2, 3)),
    "huber_loss": reduced(F.huber_loss, (3, 2), (3, 2), delta=0.7),
    "kl_div": [*reduced(F.kl_div, (3, 2), ((3, 2), UNIT)), (lambda x, t: F.kl_div(x, t, reduction="batchmean", log_target=True), (3, 2), (3, 2))],
    "l1_loss": reduced(F.l1_loss, (3, 2), (3, 2)),
    "margin_ranking_loss": reduced(lambda x, y, reduction: F.margin_ranking_loss(x, y, SIGNS, 0.3, reduction=reduction), (3,), (3,)),
    "mse_loss": reduced(F.mse_loss, (3, 2), (3, 2)),
    "multi_margin_loss": [
        *reduced(lambda x, reduction: F.multi_margin_loss(x, tensor([2, 0]), reduction=reduction), (2, 3)),
        (lambda x: F.multi_margin_loss(x, tensor([2, 0]), p=2, margin=0.7, weight=tensor([0.5, 1, 2], dtype=x.dtype)), (2, 3)),
    ],
    "multilabel_margin_loss": reduced(lambda x, reduction: F.multilabel_margin_loss(x, tensor([[1, 2, -1], [0, -1, 1]]), reduction=reduction), (2, 3)),
    "multilabel_soft_margin_loss": reduced(F.multilabel_soft_margin_loss, (3, 2), ((3, 2), UNIT)),
    "nll_loss": [
        *reduced(lambda x, reduction: F.nll_loss(x, tensor([2, 0]), reduction=reduction), (2, 3)),
        (lambda x: F.nll_loss(x, tensor([[2, 0], [1, -100]]), tensor([0.5, 1, 2], dtype=x.dtype)), (2, 3, 2)),
    ],
    "pairwise_distance": [(F.pairwise_distance, (2, 3), (2, 3)), (lambda x, y: F.pairwise_distance(x, y, 3.0, keepdim=True), (3,), (3,))],
    "pdist": [(F.pdist, (4, 2)), (lambda x: F.pdist(x, 3.0), (3, 2)), (lambda x: F.pdist(x, 1.0), (3, 2))],
    "poisson_nll_loss": [*reduced(F.poisson_nll_loss, (3, 2), ((3, 2), POSITIVE)), (lambda x, t: F.poisson_nll_loss(x, t, False), ((3,), POSITIVE), ((3,), POSITIVE))],
    "smooth_l1_loss": reduced(F.smooth_l1_loss, (3, 2), (3, 2), beta=0.7),
    "soft_margin_loss": reduced(lambda x, reduction: F.soft_margin_loss(x, SIGNS, reduction=reduction), (2, 3)),
    "triplet_margin_loss": [*reduced(F.triplet_margin_loss, (3, 2), (3, 2), (3, 2)), (lambda *xs: F.triplet_margin_loss(*xs, p=3, swap=True), (3, 2), (3, 2), (3, 2))],
    "triplet_margin_with_distance_loss": reduced(F.triplet_margin_with_distance_loss, (3, 2), (3, 2), (3, 2), swap=True),
}  # fmt: skip

RECURRENT: dict[str, Case] = {
    "RNN": (recurrent(lambda: nn.RNN(2, 3, 2, bidirectional=True)), (3, 2, 2), (4, 2, 3)),
    "GRU": (recurrent(lambda: nn.GRU(2, 3, bidirectional=True)), (3, 2, 2), (2, 2, 3)),
    "LSTM": (recurrent(lambda: nn.LSTM(2, 3, bidirectional=True)), (3, 2, 2), (2, 2, 3), (2, 2, 3)),
    "LSTM with projections": (recurrent(lambda: nn.LSTM(2, 3, proj_size=2)), (3, 2, 2), (1, 2, 2), (1, 2, 3)),
    "RNNCell": (recurrent(lambda: nn.RNNCell(2, 3)), (2, 2), (2, 3)),
    "GRUCell": (recurrent(lambda: nn.GRUCell(2, 3)), (2,), (3,)),
    "LSTMCell": (recurrent(lambda: nn.LSTMCell(2, 3)), (2, 2), (2, 3), (2, 3)),
}

NOT_DIFFERENTIABLE = {"one_hot"}


@pytest.mark.parametrize(("name", "number"), cases_by_profile(CASES))
def test_laws(name: str, number: int) -> None:
    keep_the_laws(CASES[name][number])


# The quick profile takes those that are not fused along the sequence.
@pytest.mark.parametrize("name", [name for name in RECURRENT if not QUICK or name not in ("RNN", "GRU", "LSTM")])
def test_laws_of_recurrent_layers(name: str) -> None:
    keep_the_laws(RECURRENT[name])


def test_no_function_is_left_out() -> None:
    assert {name for name in F.__all__ if not name.endswith("_")} == {*CASES, *NOT_DIFFERENTIABLE}
