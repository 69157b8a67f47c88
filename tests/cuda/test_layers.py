"""Layers, losses and functions of networks give on the device what they give on the CPU, with their gradients. Simulated, not run on a GPU."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn import functional as F

from ..cudasim.counts import counts
from ..nn.layers import LAYERS

pytestmark = pytest.mark.gpu
CASES = [(call, shape) for call, shapes, _ in LAYERS for shape in shapes]


def compare(
    function: Callable[..., Any],
    inputs: list[Any],
    parameters: list[Any],
    there: Callable[..., Any],
    of_device: list[Any],
    device: str,
) -> None:
    """Values and gradients of a function on the CPU and on the device."""
    found = []
    for f, params, place in ((function, parameters, "cpu"), (there, of_device, device)):
        xs = [x.detach().to(place).requires_grad_() if x.dtype.kind == "f" else x.to(place) for x in inputs]
        minigrad.manual_seed(0)
        outs = f(*xs)
        outs = [o for o in (outs if isinstance(outs, tuple) else (outs,)) if isinstance(o, minigrad.Tensor)]
        assert all(str(o.device).startswith(place) for o in outs)
        total = sum((o * o).sum() for o in outs if o.requires_grad)
        if isinstance(total, minigrad.Tensor):
            total.backward()
        grads = [t.grad for t in (*xs, *params) if t.requires_grad and t.grad is not None]
        assert all(str(g.device).startswith(place) for g in grads)
        found.append([t.detach().cpu().numpy() for t in (*outs, *grads)])
    assert len(found[0]) == len(found[1])
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(
            b, a, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(a.astype("float64")).max(initial=0.0)))
        )


@pytest.mark.parametrize(("call", "shape"), CASES)
def test_a_layer(call: str, shape: tuple[int, ...], device: str) -> None:
    minigrad.manual_seed(0)
    layer = eval(f"nn.{call}", {"nn": nn})
    twin = copy.deepcopy(layer).to(device)
    x = minigrad.randn(*shape)
    if "inplace=True" in call:
        compare(lambda x: layer(x * 1), [x], [*layer.parameters()], lambda x: twin(x * 1), [*twin.parameters()], device)
    else:
        compare(layer, [x], [*layer.parameters()], twin, [*twin.parameters()], device)
    for a, b in zip(layer.buffers(), twin.buffers(), strict=True):
        np.testing.assert_allclose(b.cpu().numpy(), a.numpy(), rtol=1e-5, atol=1e-6)


def randn(*shape: int) -> Any:
    return minigrad.randn(*shape)


FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[[], list[Any]]]] = {
    "nearest": (lambda x: F.interpolate(x, scale_factor=2), lambda: [randn(1, 2, 3, 4)]),
    "bilinear": (lambda x: F.interpolate(x, (5, 7), mode="bilinear"), lambda: [randn(1, 2, 3, 4)]),
    "bicubic": (lambda x: F.interpolate(x, (5, 7), mode="bicubic", align_corners=True), lambda: [randn(1, 2, 3, 4)]),
    "trilinear": (lambda x: F.interpolate(x, scale_factor=1.5, mode="trilinear"), lambda: [randn(1, 2, 3, 4, 2)]),
    "area": (lambda x: F.interpolate(x, (2, 3), mode="area"), lambda: [randn(1, 2, 5, 7)]),
    "nearest, fractional": (lambda x: F.interpolate(x, scale_factor=(1.5, 2), mode="nearest-exact"), lambda: [randn(1, 2, 3, 4)]),
    "reflected": (lambda x: F.pad(x, (1, 2, 2, 0), mode="reflect"), lambda: [randn(1, 2, 3, 4)]),
    "replicated": (lambda x: F.pad(x, (1, -2, 5, 1, 0, 2), mode="replicate"), lambda: [randn(1, 2, 3, 2, 4)]),
    "circular": (lambda x: F.pad(x, (2, -1), mode="circular"), lambda: [randn(2, 4)]),
    "grid_sample": (lambda x, g: F.grid_sample(x, g.tanh(), align_corners=False), lambda: [randn(1, 2, 4, 5), randn(1, 3, 3, 2)]),
    "grid_sample reflection": (lambda x, g: F.grid_sample(x, g, padding_mode="reflection", align_corners=True), lambda: [randn(1, 2, 4, 5), randn(1, 3, 3, 2)]),
    "affine_grid": (lambda t: F.affine_grid(t, (2, 1, 3, 4), align_corners=False), lambda: [randn(2, 2, 3)]),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), lambda: [randn(1, 8, 2, 3)]),
    "unfold and fold": (lambda x: F.fold(F.unfold(x, 2), (4, 5), 2), lambda: [randn(1, 2, 4, 5)]),
    "max_unpool": (lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), lambda: [randn(1, 2, 4, 6)]),
    "embedding": (lambda i, w: F.embedding(i, w), lambda: [minigrad.tensor([[0, 2], [2, 4]]), randn(5, 3)]),
    "embedding_bag": (lambda i, w: F.embedding_bag(i, w, mode="mean"), lambda: [minigrad.tensor([[0, 2], [2, 4]]), randn(5, 3)]),
    "one_hot": (lambda i: F.one_hot(i, 5), lambda: [minigrad.tensor([0, 2, 4])]),
    "attention": (F.scaled_dot_product_attention, lambda: [randn(2, 2, 3, 4), randn(2, 2, 5, 4), randn(2, 2, 5, 4)]),
    "causal attention": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), lambda: [randn(2, 3, 4) for _ in range(3)]),
    "cross_entropy": (F.cross_entropy, lambda: [randn(4, 3), minigrad.tensor([0, 2, 1, 1])]),
    "cross_entropy ignored": (lambda x, y: F.cross_entropy(x, y, ignore_index=1), lambda: [randn(4, 3), minigrad.tensor([0, 2, 1, 1])]),
    "cross_entropy weighted": (lambda x, y, w: F.cross_entropy(x, y, w.detach().abs(), label_smoothing=0.1), lambda: [randn(4, 3, 2), minigrad.ones(4, 2).long(), randn(3)]),
    "cross_entropy of probabilities": (lambda x, y: F.cross_entropy(x, y.softmax(1).detach()), lambda: [randn(4, 3), randn(4, 3)]),
    "nll_loss": (lambda x, y: F.nll_loss(x.log_softmax(1), y), lambda: [randn(4, 3), minigrad.tensor([0, 2, 1, 1])]),
    "ctc_loss": (lambda x: F.ctc_loss(x.log_softmax(2), minigrad.tensor([[1, 2]]).to(x.device), (4,), (2,)), lambda: [randn(4, 1, 3)]),
    "mse_loss": (F.mse_loss, lambda: [randn(4, 3), randn(4, 3)]),
    "l1_loss": (F.l1_loss, lambda: [randn(4, 3), randn(4, 3)]),
    "smooth_l1_loss": (F.smooth_l1_loss, lambda: [randn(4, 3), randn(4, 3)]),
    "huber_loss": (F.huber_loss, lambda: [randn(4, 3), randn(4, 3)]),
    "kl_div": (lambda x, y: F.kl_div(x.log_softmax(1), y.softmax(1), reduction="batchmean"), lambda: [randn(4, 3), randn(4, 3)]),
    "binary_cross_entropy": (lambda x, y: F.binary_cross_entropy(x.sigmoid(), y.sigmoid()), lambda: [randn(4, 3), randn(4, 3)]),
    "binary_cross_entropy_with_logits": (lambda x, y: F.binary_cross_entropy_with_logits(x, y.sigmoid()), lambda: [randn(4, 3), randn(4, 3)]),
    "margin_ranking_loss": (lambda x, y: F.margin_ranking_loss(x, y, minigrad.ones_like(x)), lambda: [randn(4), randn(4)]),
    "multi_margin_loss": (F.multi_margin_loss, lambda: [randn(4, 3), minigrad.tensor([0, 2, 1, 1])]),
    "triplet_margin_loss": (F.triplet_margin_loss, lambda: [randn(4, 3), randn(4, 3), randn(4, 3)]),
    "cosine_similarity": (F.cosine_similarity, lambda: [randn(4, 3), randn(4, 3)]),
    "normalize": (F.normalize, lambda: [randn(4, 3)]),
    "gumbel-free softmax": (lambda x: F.softmax(x, 0).cumsum(0).prod(1), lambda: [randn(3, 2)]),
    "sorting": (lambda x: (x.sort(1)[0], x.topk(2)[0], x.median(1)[0], x.max(1)[0], x.std(), x.norm()), lambda: [randn(3, 4)]),
    "moving": (lambda x: (x.flip(0), x.roll(1, 1), x.repeat(2, 1), x.tril(), minigrad.stack([x, x]), x.unfold(1, 2, 1)), lambda: [randn(3, 4)]),
    "choosing": (lambda x: (x.masked_fill(x > 0, 1.0), x[x > 0], x.index_select(0, minigrad.tensor([0, 0]).to(x.device)), x.clamp(-1, 1), x.where(x > 0, 0.0)), lambda: [randn(3, 4)]),
    "einsum": (lambda x, y: minigrad.einsum("ij,kj->ik", x, y), lambda: [randn(2, 3), randn(4, 3)]),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function(name: str, device: str) -> None:
    function, inputs = FUNCTIONS[name]
    minigrad.manual_seed(0)
    compare(function, inputs(), [], function, [], device)


@pytest.mark.parametrize(
    "call",
    [
        "LSTM(3, 4, 2, batch_first=True)",
        "GRU(3, 4, bidirectional=True)",
        "RNN(3, 4)",
        "TransformerEncoderLayer(4, 2, 8, 0.0)",
        "MultiheadAttention(4, 2)",
    ],
)
def test_a_network_over_time(call: str, device: str) -> None:
    minigrad.manual_seed(0)
    layer = eval(f"nn.{call}", {"nn": nn})
    twin = copy.deepcopy(layer).to(device)
    width = 3 if "3, 4" in call else 4
    x = minigrad.randn(5, 2, width)

    def run(net: Any) -> Callable[..., Any]:
        return lambda x: (
            net(x, x, x)[0]
            if "Multihead" in call
            else net(x)[0]
            if "NN" in call or "GRU" in call or "LSTM" in call
            else net(x)
        )

    compare(run(layer), [x], [*layer.parameters()], run(twin), [*twin.parameters()], device)


# What a step copies to the host or from it, and where the host waits, is named here; everything else must do neither.
WAITS = {
    "embedding_bag": "the lengths of bags are found on the host",
    "ctc_loss": "the alignments are computed on the host",
    "one_hot": "the largest class decides the shape",
    "multi_margin_loss": "places of classes are written on the host",
    "gumbel-free softmax": "prod asks whether there are zeros",
    "choosing": "a mask's places decide the shape",
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nobody_waits(name: str, simulated: str) -> None:
    function, inputs = FUNCTIONS[name]
    minigrad.manual_seed(0)
    xs = [x.to(simulated).requires_grad_() if x.dtype.kind == "f" else x.to(simulated) for x in inputs()]
    for _ in range(2):  # the second step is as all later ones: what is made once is there
        counts.reset()
        outs = function(*xs)
        outs = [o for o in (outs if isinstance(outs, tuple) else (outs,)) if o.requires_grad]
        if outs:
            minigrad.stack([(o * o).sum() for o in outs]).sum().backward()
    assert ((counts.waits, counts.to_device, counts.to_host) != (0, [], [])) == (name in WAITS), counts
