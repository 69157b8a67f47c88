"""Mixed precision on the device: dtypes by torch's lists for CUDA, and a step that waits once, as torch's does. Simulated, not run on a GPU."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim
from minigrad.nn import functional as F

from ..amp.test_autocast import OPS
from ..cudasim.counts import counts

pytestmark = pytest.mark.gpu
HALF, SINGLE = minigrad.float16, minigrad.float32

# What torch's AutocastTestLists (torch.testing._internal.autocast_test_lists) say for CUDA of the calls in tests/amp.
LOWER = (
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "linear", "matmul", "@", "mm", "bmm", "addmm", "addbmm", "baddbmm",
    "einsum", "prelu", "attention", "vecdot", "mv", "addmv", "addr",
)  # fmt: skip
FULL = (
    "mse_loss", "l1_loss", "smooth_l1_loss", "kl_div", "poisson_nll_loss", "cross_entropy", "nll_loss", "multi_margin_loss", "soft_margin_loss",
    "bce_with_logits", "cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "triplet_margin_loss", "cdist", "prod",
    "prod along an axis", "softmax", "log_softmax", "exp", "pow", "sum", "norm", "layer_norm", "group_norm",
)  # fmt: skip
WIDEST = ("bilinear", "dot", "grid_sample", "cat", "stack", "add", "mul")
AS_IT_IS = ("relu", "mean", "max_pool2d", "avg_pool2d", "interpolate", "batch_norm")


def computed(name: str, device: str, kinds: tuple[str, ...]) -> Any:
    call, shapes = OPS[name]
    generator = np.random.default_rng(0)
    tensors = [
        minigrad.from_numpy(generator.standard_normal(shape).astype(kinds[i % len(kinds)])).to(device)
        for i, shape in enumerate(shapes)
    ]
    with minigrad.autocast("cuda"), minigrad.device(device):
        return call(minigrad, F, *tensors).dtype


@pytest.mark.parametrize("name", LOWER + FULL + WIDEST + AS_IT_IS)
def test_operations_compute_in_what_torch_computes_in(name: str, device: str) -> None:
    if name != "batch_norm":  # whose weights are of float32
        assert computed(name, device, ("float64",)) == minigrad.float64
    if name in LOWER:
        assert [computed(name, device, kinds) for kinds in (("float32",), ("float32", "float16"))] == [HALF, HALF]
    elif name in FULL:
        assert computed(name, device, ("float16",)) == SINGLE
    elif name in WIDEST:
        expected = {("float16",): HALF, ("float32",): SINGLE, ("float16", "float32"): SINGLE}
        assert {kinds: computed(name, device, kinds) for kinds in expected} == expected
    else:
        assert [computed(name, device, (kind,)) for kind in ("float16", "float32")] == [HALF, SINGLE]


def test_what_loses_its_logarithm_is_refused(device: str) -> None:
    x = minigrad.full((2,), 0.5, device=device)
    with minigrad.autocast("cuda"), pytest.raises(RuntimeError, match="binary_cross_entropy: unsafe under autocast"):
        F.binary_cross_entropy(x, x)


def test_each_device_has_a_block_of_its_own(device: str) -> None:
    x, y = minigrad.ones(2, 2), minigrad.ones(2, 2, device=device)
    with minigrad.autocast("cuda"):
        assert (x @ x).dtype == SINGLE and (y @ y).dtype == HALF
        with minigrad.autocast("cpu", dtype=HALF):
            assert (x @ x).dtype == HALF and (y @ y).dtype == HALF
        with minigrad.autocast("cuda", enabled=False):
            assert (y @ y).dtype == SINGLE
    with minigrad.cuda.amp.autocast():
        assert (y @ y).dtype == HALF
    with minigrad.autocast("cuda", dtype=minigrad.bfloat16):
        assert (y * 1.001 @ y).tolist() == [[2.0, 2.0], [2.0, 2.0]]


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3)
    )


def test_a_step_waits_once_and_learns_as_in_float32(simulated: str) -> None:
    minigrad.manual_seed(0)
    plain = network()
    mixed = copy.deepcopy(plain).to(simulated)
    x, y = minigrad.randn(6, 1, 8, 8), minigrad.arange(6) % 3
    losses: list[list[float]] = [[], []]
    optimizer = optim.SGD(plain.parameters(), lr=0.1)
    for _ in range(4):
        optimizer.zero_grad()
        loss = F.cross_entropy(plain(x), y)
        loss.backward()
        optimizer.step()
        losses[0].append(loss.item())
    optimizer = optim.SGD(mixed.parameters(), lr=0.1)
    scaler = minigrad.amp.GradScaler("cuda", init_scale=2.0**10)
    x, y = x.to(simulated), y.to(simulated)
    for _ in range(4):
        counts.reset()
        optimizer.zero_grad()
        with minigrad.autocast("cuda"):
            loss = F.cross_entropy(mixed(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        seen = counts.waits, list(counts.to_host), list(counts.to_device), counts.launches
        losses[1].append(loss.item())
    assert seen[:3] == (1, [4], []), "the host waits to learn whether the gradients are finite, and for nothing else"
    assert seen[3] <= 90, counts.kernels
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.02)
    assert scaler.get_scale() == 2.0**10 and losses[0][-1] < losses[0][0]


def test_a_step_that_overflows_is_skipped(device: str) -> None:
    w = minigrad.ones(3, device=device, requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    scaler = minigrad.amp.GradScaler("cuda", init_scale=4.0, growth_interval=2)
    for factor in (1.0, float("inf"), 1.0, 1.0):
        optimizer.zero_grad()
        scaler.scale((w * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert scaler.get_scale() == 4.0 and w.tolist() == [-2.0, -2.0, -2.0]
