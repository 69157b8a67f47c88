"""Attention: torch's results from a list, by hand, derivatives of two orders, and refusals. MultiheadAttention's parity: test_module_parity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.core.engine import grad
from minigrad.nn import functional as F

from .derivatives import check_two_orders, torch_or_skip

INF = math.inf
CASES: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((3, 4), (5, 4), (5, 2), {}),
    ((2, 3, 4), (2, 5, 4), (2, 5, 4), {"scale": 0.3}),
    ((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4), {"is_causal": True}),
    ((2, 5, 4), (2, 3, 4), (2, 3, 4), {"is_causal": True}),
    ((2, 1, 3, 4), (3, 5, 4), (3, 5, 4), {}),
    ((2, 3, 4), (2, 5, 4), (2, 5, 4), {"attn_mask": np.tri(3, 5, 1, dtype=bool)}),
    ((2, 3, 4), (2, 5, 4), (2, 5, 4), {"attn_mask": np.linspace(-1, 1, 15).reshape(3, 5)}),
    ((2, 3, 4), (2, 5, 4), (2, 5, 4), {"attn_mask": np.where(np.tri(3, 5, -1, dtype=bool), 0.5, -INF)}),
    ((2, 3, 4), (2, 5, 4), (2, 5, 4), {"attn_mask": np.zeros((3, 5), bool)}),
    ((1, 4, 3, 2), (1, 2, 5, 2), (1, 2, 5, 2), {"enable_gqa": True}),
    ((0, 3, 4), (0, 5, 4), (0, 5, 4), {}),
]


@pytest.mark.parametrize(("query", "key", "value", "options"), CASES)
def test_parity_with_torch(
    query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], options: dict[str, Any]
) -> None:
    torch = torch_or_skip()
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(shape) for shape in (query, key, value)]

    def run(library: Any, attend: Any) -> tuple[Any, list[Any]]:
        tensors = [library.tensor(a, requires_grad=True) for a in arrays]
        built = {name: library.tensor(v) if isinstance(v, np.ndarray) else v for name, v in options.items()}
        return attend(*tensors, **built), tensors

    got, ours = run(minigrad, F.scaled_dot_product_attention)
    expected, theirs = run(torch, torch.nn.functional.scaled_dot_product_attention)
    np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    weight = random.standard_normal(tuple(expected.shape))
    got.backward(minigrad.tensor(weight))
    expected.backward(torch.tensor(weight))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_a_query_that_sees_no_key_gets_zero_and_gives_no_gradient() -> None:
    x = minigrad.randn(2, 3, requires_grad=True)
    out = F.scaled_dot_product_attention(x, x, x, minigrad.tensor([[True, True], [False, False]]))
    assert out[1].tolist() == [0, 0, 0]
    (g,) = grad(out[1].sum(), [x])
    assert not g.any()


def test_dropout_drops_weights_also_outside_of_a_module() -> None:
    minigrad.manual_seed(0)
    ones = minigrad.ones(1000, 1, 1)
    out = F.scaled_dot_product_attention(ones, ones, ones, dropout_p=0.25)
    assert set(np.unique(out.numpy().round(5))) == {0.0, np.float32(4 / 3).round(5)}
    assert out.mean().item() == pytest.approx(1, abs=0.05)
    layer = nn.MultiheadAttention(4, 2, dropout=1.0)
    x = minigrad.ones(3, 1, 4)
    assert not layer(x, x, x)[0].any()
    assert layer.eval()(x, x, x)[0].any()


def test_one_tensor_for_query_key_and_value_is_as_three() -> None:
    layer = nn.MultiheadAttention(4, 2, batch_first=True).double()
    x = minigrad.randn(2, 3, 4).double()
    for one, three in zip(layer(x, x, x), layer(x, x.clone(), x.clone()), strict=True):
        np.testing.assert_allclose(one.detach().numpy(), three.detach().numpy(), rtol=1e-12)
    assert layer(x, x, x, need_weights=False)[1] is None


def test_static_keys_and_values_replace_the_projections() -> None:
    torch = torch_or_skip()
    arrays = [
        np.random.default_rng(1).standard_normal(shape)
        for shape in ((3, 2, 4), (12, 4), (12,), (4, 4), (4,), (4, 5, 2), (4, 5, 2))
    ]

    def run(library: Any, attend: Any) -> Any:
        x, w, b, wo, bo, k, v = (library.tensor(a) for a in arrays)
        kv = library.zeros(5, 2, 4).double()
        return attend(x, kv, kv, 4, 2, w, b, None, None, True, 0.0, wo, bo, static_k=k, static_v=v)[0].numpy()

    ours, theirs = (
        run(minigrad, F.multi_head_attention_forward),
        run(torch, torch.nn.functional.multi_head_attention_forward),
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), ((2, 3), (2, 3), (2, 3))),
        (lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m), ((2, 3), (3, 3), (3, 2), (2, 3))),
        (
            lambda q, k, v: F.scaled_dot_product_attention(q, k, v, minigrad.tensor([[True, False], [False, False]])),
            ((2, 3), (2, 3), (2, 3)),
        ),
    ],
)
def test_two_orders_of_derivatives(function: Any, shapes: tuple[tuple[int, ...], ...]) -> None:
    random = np.random.default_rng(3)
    check_two_orders(function, *(random.standard_normal(shape) for shape in shapes))


zeros, attend = minigrad.zeros, F.scaled_dot_product_attention


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: attend(zeros(3), zeros(3, 3), zeros(3, 3)), RuntimeError, "to all be at least 2 dimensional"),
        (lambda: attend(zeros(2, 3), zeros(2, 3).double(), zeros(2, 3)), RuntimeError, "the same float dtype, but got query.dtype: float32 key.dtype: float64"),
        (lambda: attend(zeros(2, 3).long(), zeros(2, 3).long(), zeros(2, 3).long()), RuntimeError, "the same float dtype"),
        (lambda: attend(zeros(2, 3), zeros(2, 4), zeros(2, 3)), RuntimeError, r"but got query \(2, 3\), key \(2, 4\), value \(2, 3\)"),
        (lambda: attend(zeros(2, 3), zeros(4, 3), zeros(3, 3)), RuntimeError, r"expected query \(..., L, E\)"),
        (lambda: attend(zeros(2, 3), zeros(4, 3), zeros(4, 3), zeros(2, 4), is_causal=True), RuntimeError, "should not be set when is_causal=True"),
        (lambda: attend(zeros(2, 3), zeros(4, 3), zeros(4, 3), zeros(2, 4).long()), RuntimeError, "but got attn_mask.dtype: int64"),
        (lambda: attend(zeros(2, 3), zeros(4, 3), zeros(4, 3), zeros(2, 3)), RuntimeError, r"attn_mask \(2, 3\) does not broadcast"),
        (lambda: attend(zeros(4, 2, 3), zeros(3, 4, 3), zeros(3, 4, 3), enable_gqa=True), RuntimeError, "must divide the number of heads in query"),
        (lambda: attend(zeros(2, 3), zeros(4, 3), zeros(4, 3), dropout_p=1.5), ValueError, "between 0 and 1, but got 1.5"),
        (lambda: nn.MultiheadAttention(0, 1), ValueError, "must be greater than 0, got embed_dim=0 and num_heads=1"),
        (lambda: nn.MultiheadAttention(4, 3), ValueError, "embed_dim must be divisible by num_heads, got 4 and 3"),
        (lambda: nn.MultiheadAttention(4, 2)(zeros(4), zeros(4), zeros(4)), ValueError, "unbatched 2D or batched 3D tensor but received 1-D"),
        (lambda: nn.MultiheadAttention(4, 2)(zeros(2, 4), zeros(2, 1, 4), zeros(2, 4)), ValueError, "to be 2-D but found 3-D and 2-D"),
        (lambda: nn.MultiheadAttention(4, 2)(zeros(2, 1, 6), zeros(2, 1, 6), zeros(2, 1, 6)), ValueError, "embedding dimension of 4, .* but got 6"),
        (lambda: nn.MultiheadAttention(4, 2)(zeros(2, 1, 4), zeros(2, 1, 4), zeros(3, 1, 4)), ValueError, "key shape .* does not match value shape"),
        (lambda: nn.MultiheadAttention(4, 2)(zeros(2, 4), zeros(3, 4), zeros(3, 4), zeros(2)), ValueError, r"`key_padding_mask` to be `None` or of shape \(3,\)"),
        (lambda: nn.MultiheadAttention(4, 2)(zeros(2, 4), zeros(3, 4), zeros(3, 4), attn_mask=zeros(3)), ValueError, "`attn_mask` to be `None`, 2-D or 3-D"),
        (lambda: nn.MultiheadAttention(4, 2)(zeros(2, 4), zeros(3, 4), zeros(3, 4), attn_mask=zeros(2, 2)), RuntimeError, r"is \(2, 2\), but should be \(2, 3\)"),
        (lambda: nn.MultiheadAttention(4, 2)(zeros(2, 4), zeros(3, 4), zeros(3, 4), attn_mask=zeros(2, 3).long()), ValueError, "only bool and floating types"),
        (lambda: nn.MultiheadAttention(4, 2)(zeros(2, 4), zeros(2, 4), zeros(2, 4), is_causal=True), RuntimeError, "Need attn_mask if specifying the is_causal"),
        (lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"), RuntimeError, "activation should be relu/gelu, not tanh"),
        (lambda: nn.Transformer(4, 2, 1, 1, 8)(zeros(2, 3, 4), zeros(2, 2, 4)), RuntimeError, "batch number of src and tgt must be equal, got 3 and 2"),
        (lambda: nn.Transformer(4, 2, 1, 1, 8)(zeros(2, 3, 4), zeros(2, 3, 5)), RuntimeError, "must be equal to d_model 4"),
        (lambda: nn.MultiheadAttention(4, 2, kdim=3)(zeros(2, 4), zeros(2, 4), zeros(2, 4)), ValueError, r"expecting key weights shape of \(4, 4\)"),
    ],
)  # fmt: skip
def test_refusals(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_causal_transformer_does_not_look_ahead() -> None:
    transformer = nn.Transformer(4, 2, 1, 1, 8, batch_first=True).eval()
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    assert mask.tolist() == [[0, -INF, -INF], [0, 0, -INF], [0, 0, 0]]
    source, target = minigrad.randn(1, 5, 4), minigrad.randn(1, 3, 4)
    changed = minigrad.cat([target[:, :2], minigrad.randn(1, 1, 4)], 1)
    a, b = (transformer(source, x, tgt_mask=mask, tgt_is_causal=True) for x in (target, changed))
    np.testing.assert_allclose(a[:, :2].detach().numpy(), b[:, :2].detach().numpy(), rtol=1e-5, atol=1e-6)
    assert (a[:, 2] != b[:, 2]).all()


def test_masks_of_different_kinds_warn() -> None:
    layer, x = nn.MultiheadAttention(4, 2), minigrad.zeros(2, 4)
    with pytest.warns(UserWarning, match="mismatched key_padding_mask and attn_mask"):
        layer(x, x, x, minigrad.zeros(2).bool(), attn_mask=minigrad.zeros(2, 2))
