"""Interpolation, shuffling, sampling by a grid, unfold and fold: against torch, and by their laws."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad
from minigrad.nn import functional as F

SIZE = (5, 4, 3)
RESIZINGS = [
    {"scale_factor": 2},
    {"scale_factor": 0.6},
    {"scale_factor": 1.7},
    {"scale_factor": 1.7, "recompute_scale_factor": True},
    {"size": (7, 6, 2)},
]
MODES = [
    ("nearest", 1), ("nearest", 2), ("nearest", 3), ("nearest-exact", 2), ("linear", 1), ("bilinear", 2), ("trilinear", 3),
    ("bicubic", 2), ("area", 2),
]  # fmt: skip


def same_as_torch(function, *shapes):
    """Value and gradients of `function(F, *tensors)` under both frameworks, in float64."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in shapes]
    ours = [minigrad.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    out, expected = function(F, *ours), function(torch.nn.functional, *theirs)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-6, atol=1e-7)
    g = rng.normal(size=out.shape)
    out.backward(minigrad.tensor(g))
    expected.backward(torch.tensor(g))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("resizing", RESIZINGS, ids=str)
@pytest.mark.parametrize(("mode", "rank"), MODES)
def test_interpolate_as_torch(mode, rank, resizing):
    arguments = {k: v[:rank] if isinstance(v, tuple) else v for k, v in resizing.items()}
    for align in (None,) if mode in ("nearest", "nearest-exact", "area") else (False, True):
        same_as_torch(lambda f, x, a=align: f.interpolate(x, mode=mode, align_corners=a, **arguments), (2, 3, *SIZE[:rank]))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(("mode", "rank"), [("bilinear", 2), ("bilinear", 3), ("nearest", 2), ("nearest", 3), ("bicubic", 2)])
def test_grid_sample_as_torch(mode, rank, padding_mode, align_corners):
    same_as_torch(
        lambda f, x, g: f.grid_sample(x, g * 1.2, mode, padding_mode, align_corners),
        (2, 3, *SIZE[:rank]),
        (2, *(4, 3, 2)[:rank], rank),
    )


@pytest.mark.filterwarnings("ignore:Since version 1.3.0")
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("rank", [2, 3])
def test_affine_grid_as_torch(rank, align_corners):
    same_as_torch(lambda f, t: f.affine_grid(t, (2, 3, *(4, 5, 1)[:rank]), align_corners), (2, rank, rank + 1))


def test_shuffles_and_folds_as_torch():
    same_as_torch(lambda f, x: f.pixel_shuffle(x, 2), (2, 8, 3, 2))
    same_as_torch(lambda f, x: f.pixel_unshuffle(x, 2), (2, 2, 4, 6))
    same_as_torch(lambda f, x: f.channel_shuffle(x, 2), (2, 8, 3, 2))
    same_as_torch(lambda f, x: f.unfold(x, (2, 3), 1, 1, 2), (2, 3, 6, 5))
    same_as_torch(lambda f, x: f.fold(x, (6, 5), (2, 3), 1, 1, 2), (2, 18, 12))


def test_resizing_a_constant_gives_the_constant():
    x = minigrad.full((1, 2, 5, 4), 3.0, dtype=minigrad.float64)
    for mode in ("nearest", "bilinear", "bicubic", "area"):
        out = F.interpolate(x, size=(7, 3), mode=mode)
        np.testing.assert_allclose(out.numpy(), np.full((1, 2, 7, 3), 3.0), rtol=1e-12)


def test_bilinear_reproduces_a_plane():
    y, x = np.mgrid[0:5, 0:4].astype(float)
    out = F.interpolate(minigrad.tensor((2 * y + x)[None, None]), size=(9, 7), mode="bilinear", align_corners=True)
    y, x = np.meshgrid(np.linspace(0, 4, 9), np.linspace(0, 3, 7), indexing="ij")
    np.testing.assert_allclose(out.numpy()[0, 0], 2 * y + x, rtol=1e-12)


def test_identity_grid_reads_the_image():
    x = minigrad.randn(2, 3, 5, 4, dtype=minigrad.float64)
    theta = minigrad.tensor([[[1.0, 0, 0], [0, 1.0, 0]]] * 2, dtype=minigrad.float64)
    for align in (False, True):
        out = F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=align), align_corners=align)
        np.testing.assert_allclose(out.numpy(), x.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_second_derivative_of_grid_sample(mode):
    rng = np.random.default_rng(3)
    image = minigrad.tensor(rng.normal(size=(1, 2, 6, 6)), requires_grad=True)
    places = rng.uniform(-0.7, 0.7, size=(1, 2, 2, 2))
    direction = rng.normal(size=places.shape)

    def slope(at):
        grid = minigrad.tensor(at, requires_grad=True)
        out = F.grid_sample(image, grid, mode=mode, align_corners=True)
        (g,) = minigrad.autograd.grad((out * out).sum(), grid, create_graph=True)
        return grid, (g * minigrad.tensor(direction)).sum()

    grid, value = slope(places)
    (curvature,) = minigrad.autograd.grad(value, grid)
    step = 1e-6 * rng.normal(size=places.shape)
    numeric = (slope(places + step)[1].item() - slope(places - step)[1].item()) / 2
    np.testing.assert_allclose((curvature.numpy() * step).sum(), numeric, rtol=1e-5)


def test_unshuffle_undoes_shuffle_and_fold_counts_windows():
    x = minigrad.arange(48.0).reshape(1, 12, 2, 2)
    assert minigrad.equal(F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2), x)
    ones = minigrad.ones(1, 1, 4, 4)
    counts = F.fold(F.unfold(ones, 3), (4, 4), 3)
    assert counts[0, 0].tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: F.interpolate(x, size=4, mode="bicubic"), NotImplementedError, r"mode 'bicubic' does not exist for an input of shape \(1, 2, 6\)"),
        (lambda x: F.interpolate(x), ValueError, "either size or scale_factor"),
        (lambda x: F.interpolate(x, size=(3, 3)), ValueError, "size must be one number or 1"),
        (lambda x: F.interpolate(x, size=0), RuntimeError, "sizes must be positive"),
        (lambda x: F.interpolate(x, size=2.5), TypeError, "expected size as integers, got 2.5"),
        (lambda x: F.interpolate(x, size=minigrad.tensor(math.inf)), TypeError, "expected size as integers"),
        (lambda x: F.interpolate(x, scale_factor=math.inf), RuntimeError, "expected scale_factor as finite numbers, got inf"),
        (lambda x: F.interpolate(x, scale_factor=math.nan), RuntimeError, "expected scale_factor as finite numbers, got nan"),
        (lambda x: F.interpolate(x, size=3, align_corners=True), ValueError, "align_corners has no meaning"),
        (lambda x: F.pixel_shuffle(x, 2), RuntimeError, r"divide by upscale_factor\^2 = 4"),
        (lambda x: F.grid_sample(x, x), RuntimeError, "expected an image"),
        (lambda x: F.fold(x, (4, 4), 3), RuntimeError, r"expected columns \(N, C \* 9, windows\)"),
    ],
)  # fmt: skip
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call(minigrad.zeros(1, 2, 6))
