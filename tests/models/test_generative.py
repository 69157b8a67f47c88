"""Generators and discriminators, pyramids, and what StackGAN adds: laws of each, and the same numbers as on torch."""

from __future__ import annotations

import itertools
import math
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import models
from minigrad.models import gan, pyramid
from minigrad.testing import check
from tests.on_torch import copy_weights, on_torch

# The functions of these names hide the modules.
lapgan, srgan, stackgan = (import_module(f"minigrad.models.{name}") for name in ("lapgan", "srgan", "stackgan"))
levels = st.integers(0, 3)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[minigrad.Tensor, int]:
    """Whole numbers as a picture that can be halved so often."""
    count = draw(levels)
    height, width = (draw(st.integers(1, 4)) * 2**count for _ in range(2))
    seed = draw(st.integers(0, 2**32 - 1))
    values = np.random.default_rng(seed).integers(-64, 64, size=(2, 3, height, width)).astype(np.float64)
    return minigrad.tensor(values), count


@given(pictures())
def test_a_laplacian_pyramid_gives_its_picture_back_exactly(drawn: tuple[minigrad.Tensor, int]) -> None:
    """To the last bit: its weights are sums of powers of two, so whole numbers are not rounded."""
    picture, count = drawn
    parts = pyramid.laplacian_pyramid(picture, count)
    assert len(parts) == count + 1
    assert minigrad.equal(pyramid.reconstruct(parts), picture)


@given(pictures())
def test_a_pyramid_is_linear_and_keeps_what_is_even(drawn: tuple[minigrad.Tensor, int]) -> None:
    picture, count = drawn
    smallest = pyramid.gaussian_pyramid(picture, count)[-1]
    assert minigrad.equal(pyramid.gaussian_pyramid(3 * picture, count)[-1], 3 * smallest)
    even = minigrad.full_like(picture, 5.0)
    for difference in pyramid.laplacian_pyramid(even, count)[:-1]:
        assert not difference.any()
    assert minigrad.equal(pyramid.gaussian_pyramid(even, count)[-1], minigrad.full_like(smallest, 5.0))


def test_a_pyramid_has_right_derivatives() -> None:
    picture = minigrad.randn(1, 2, 4, 8, dtype=minigrad.float64)
    for part in range(3):
        assert check(lambda x, part=part: pyramid.laplacian_pyramid(x, 2)[part], picture, max_examples=3).verdict == "pass"


def test_sizes_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(ValueError, match=r"halve: expected pictures \(N, C, H, W\) of even height and width, but got \(1, 1, 3, 6\)"):
        pyramid.gaussian_pyramid(minigrad.zeros(1, 1, 6, 12), 2)
    with pytest.raises(ValueError, match="reconstruct: expected at least one level"):
        pyramid.reconstruct([])


@pytest.mark.parametrize("size", [8, 12, 14, 16, 28, 32, 40, 64])
@pytest.mark.parametrize("classes", [0, 3])
def test_the_sizes_of_a_dcgan(size: int, classes: int) -> None:
    generator, discriminator = models.dcgan(3, size, latent=5, width=2, classes=classes)
    labels = [minigrad.tensor([0, 2])] if classes else []
    drawn = generator(minigrad.randn(2, 5), *labels)
    assert drawn.shape == (2, 3, size, size) and float(drawn.detach().abs().max()) <= 1
    assert discriminator(drawn, *labels).shape == (2,)


@pytest.mark.parametrize("size", [4, 7, 9, 18, 31])
def test_sizes_that_a_dcgan_cannot_draw(size: int) -> None:
    with pytest.raises(ValueError, match="4, 5, 6 or 7 doubled at least once, such as 16, 28, 32 or 64"):
        models.dcgan(size=size)


def test_labels_are_asked_for_and_matter() -> None:
    generator, discriminator = models.cgan(classes=4, size=8, width=4)
    z = minigrad.randn(1, 64).expand(2, -1)
    one, other = generator.eval()(z, minigrad.tensor([1, 2]))
    assert not minigrad.equal(one, other)
    with pytest.raises(ValueError, match="the discriminator was made for 4 classes, but got no labels"):
        discriminator(minigrad.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="the generator was made for no classes, but got some labels"):
        models.dcgan(size=8)[0](z, minigrad.tensor([1, 2]))


def test_lapgan_refuses_sizes_that_do_not_double() -> None:
    with pytest.raises(ValueError, match=r"each size should be twice the one before, but sizes are \(8, 24\)"):
        models.lapgan(sizes=(8, 24))


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=4), st.lists(st.floats(-3, 3), min_size=1, max_size=4))
def test_the_kl_divergence_is_that_of_the_definition(mu: list[float], log_variance: list[float]) -> None:
    """The integral of q log(q / p), by the trapezoidal rule, for each number."""
    size = min(len(mu), len(log_variance))
    mu, log_variance = mu[:size], log_variance[:size]
    expected = 0.0
    for m, v in zip(mu, log_variance, strict=True):
        sigma = math.exp(v / 2)
        x = np.linspace(m - 12 * sigma, m + 12 * sigma, 4001)
        log_q = -((x - m) ** 2) / (2 * sigma**2) - math.log(sigma)
        log_p = -(x**2) / 2
        expected += float(np.trapezoid(np.exp(log_q) / math.sqrt(2 * math.pi) * (log_q - log_p), x))
    found = stackgan.kl_divergence(minigrad.tensor([mu], dtype=minigrad.float64), minigrad.tensor([log_variance], dtype=minigrad.float64))
    assert found.item() == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert found.item() >= 0


def test_conditioning_augmentation_draws_what_it_says() -> None:
    minigrad.manual_seed(0)
    augment = stackgan.ConditioningAugmentation(3, 2)
    c, mu, log_variance = augment(minigrad.ones(20000, 3))
    assert minigrad.allclose(c.mean(0), mu[0], atol=0.03)
    assert minigrad.allclose(c.var(0).log(), log_variance[0], atol=0.05)
    c.sum().backward()
    assert all(float(parameter.grad.abs().sum()) > 0 for parameter in augment.parameters())


def test_a_vocabulary_and_its_encoders() -> None:
    words = stackgan.Vocabulary(["Red heart!", "blue heart"])
    assert words.words == ["", "?", "blue", "heart", "red"] and len(words) == 5
    assert words.encode(["RED unknown", "heart"]).tolist() == [[4, 1], [3, 0]]
    with pytest.raises(ValueError, match=r"'\?!' has no words"):
        words.encode(["red", "?!"])
    vectors = minigrad.arange(10.0).reshape(5, 2)
    bag = stackgan.TextEncoder(5, 2, pretrained=vectors)
    assert bag(words.encode(["red heart", "blue"])).tolist() == [[7, 8], [4, 5]]  # means, padding not counted
    assert not any(parameter.requires_grad for parameter in bag.parameters())
    recurrent = stackgan.TextEncoder(5, 2, kind="recurrent")
    together = recurrent(words.encode(["red blue heart", "blue"]))
    assert minigrad.allclose(together[1], recurrent(words.encode(["blue"]))[0], atol=1e-6)
    with pytest.raises(ValueError, match="kind should be 'bag' or 'recurrent', but is 'lstm'"):
        stackgan.TextEncoder(5, 2, kind="lstm")
    with pytest.raises(ValueError, match=r"pretrained should be of shape \(5, 3\), but is \(5, 2\)"):
        stackgan.TextEncoder(5, 3, pretrained=vectors)


def test_super_resolution_begins_as_bicubic() -> None:
    picture = minigrad.rand(1, 3, 6, 7)
    for scale in (2, 4):
        enlarged = models.srresnet(scale=scale, width=4, blocks=1)(picture)
        bicubic = minigrad.nn.functional.interpolate(picture, scale_factor=scale, mode="bicubic", align_corners=False)
        assert minigrad.equal(enlarged, bicubic)
    with pytest.raises(ValueError, match="scale should be 2 or 4, but is 3"):
        models.srresnet(scale=3)


def arrays(*shapes: tuple[int, ...]) -> list[Any]:
    random = np.random.default_rng(0)
    return [random.normal(size=shape) for shape in shapes]


PICTURE, SMALL, NOISE, PHI = (2, 3, 16, 16), (2, 3, 8, 8), (2, 5), (2, 6)
TWINS = {
    "MLPGenerator": (gan, ((1, 4, 4), 5, 8), [NOISE]),
    "MLPDiscriminator": (gan, ((3, 8, 8), 8), [SMALL]),
    "DCGANGenerator": (gan, (3, 16, 5, 4), [NOISE]),
    "DCGANDiscriminator": (gan, (3, 16, 4), [PICTURE]),
    "PatchDiscriminator": (gan, (6, 4), [PICTURE, PICTURE]),
    "LevelGenerator": (lapgan, (3, 4), [(2, 1, 8, 8), SMALL]),
    "LevelDiscriminator": (lapgan, (3, 8, 4), [SMALL, SMALL]),
    "SRResNet": (srgan, (3, 4, 4, 2), [SMALL]),
    "StageI": (stackgan, (3, 16, 6, 4, 5, 4), [NOISE, PHI]),
    "StageII": (stackgan, (3, 6, 4, 4, 1), [SMALL, PHI]),
    "TextDiscriminator": (stackgan, (3, 16, 6, 4, 4), [PICTURE, PHI]),
}


@pytest.mark.parametrize("name", TWINS)
def test_answers_and_gradients_are_those_of_torch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    module, arguments, shapes = TWINS[name]
    twin = on_torch(module.__name__.removeprefix("minigrad."))
    for place in (stackgan, on_torch("models.stackgan")):  # both draw the same noise: none
        monkeypatch.setattr(place, "randn_like", lambda x: x * 0 + 0.5)
    minigrad.manual_seed(1)
    ours = getattr(module, name)(*arguments).double()
    theirs = getattr(twin, name)(*arguments).double()
    copy_weights(ours, theirs)
    found = []
    for framework, model in ((minigrad, ours), (torch, theirs)):
        inputs = [framework.tensor(array, requires_grad=True) for array in arrays(*shapes)]
        answers = model(*inputs)
        answers = answers if isinstance(answers, tuple) else (answers,)
        sum((answer**2).sum() for answer in answers).backward()
        gradients = itertools.chain((x.grad for x in inputs), (parameter.grad for parameter in model.parameters()))
        found.append([*(answer.detach().numpy() for answer in answers), *(gradient.numpy() for gradient in gradients)])
    for mine, its in zip(*found, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-8, atol=1e-8)
