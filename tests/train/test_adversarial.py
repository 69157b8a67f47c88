"""The game: its losses by their formulas, its turn against torch's to the last digit, and that a generator learns."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import models, nn, optim, train
from minigrad.models import gan
from minigrad.testing import check
from minigrad.train import adversarial
from tests.on_torch import copy_weights, on_torch

scores = minigrad.tensor([-30.0, -1.5, 0.0, 0.25, 40.0], dtype=minigrad.float64)


def test_losses_are_the_formulas() -> None:
    d = 1 / (1 + np.exp(-scores.numpy()))
    with np.errstate(divide="ignore"):
        for name in ("minimax", "non-saturating"):
            finite = slice(0, 4)  # the formula itself overflows for the last one
            expected = -np.log(d[finite]).mean() - np.log(1 - d[finite]).mean()
            assert adversarial.losses(name).discriminator(scores[finite], scores[finite]).item() == pytest.approx(expected, rel=1e-12)
        assert adversarial.losses("minimax").generator(scores[:4]).item() == pytest.approx(np.log(1 - d[:4]).mean(), rel=1e-12)
        assert adversarial.losses("non-saturating").generator(scores).item() == pytest.approx(-np.log(d).mean(), rel=1e-12)
    targets = minigrad.full_like(scores, 0.9)
    smooth = adversarial.losses("non-saturating", 0.1).discriminator(scores, scores)
    expected = F.binary_cross_entropy_with_logits(scores, targets) + F.binary_cross_entropy_with_logits(scores, targets * 0)
    assert smooth.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("name", adversarial.LOSSES)
def test_losses_have_right_derivatives(name: str) -> None:
    pair = adversarial.losses(name)
    real, fake = minigrad.randn(4, dtype=minigrad.float64), minigrad.randn(4, dtype=minigrad.float64)
    assert check(pair.discriminator, real, fake, max_examples=5).verdict == "pass"
    assert check(pair.generator, fake, max_examples=5).verdict == "pass"


def test_the_minimax_gradient_vanishes_for_a_sure_discriminator_and_the_remedy_s_does_not() -> None:
    sure = minigrad.tensor([-30.0], requires_grad=True)
    gradients = {}
    for name in ("minimax", "non-saturating"):
        (gradients[name],) = minigrad.autograd.grad(adversarial.losses(name).generator(sure), sure)
    assert abs(gradients["minimax"].item()) < 1e-12 and gradients["non-saturating"].item() == pytest.approx(-1)


def test_wrong_losses_are_refused() -> None:
    with pytest.raises(ValueError, match="there is no 'wgan'; there are hinge, least-squares, minimax, non-saturating, wasserstein"):
        adversarial.losses("wgan")
    with pytest.raises(ValueError, match=r"label_smoothing=0\.1 is for minimax and non-saturating"):
        adversarial.losses("hinge", 0.1)


NORMS = {
    "none": lambda x: x,
    "layer": lambda x: F.layer_norm(x, x.shape[1:]),
    "instance": F.instance_norm,
    "group": lambda x: F.group_norm(x, 1),
    "batch": lambda x: F.batch_norm(x, None, None, training=True),
}


@pytest.mark.parametrize("norm", NORMS)
def test_the_gradient_penalty_has_right_derivatives_through_convolution_norm_and_leaky_relu(norm: str) -> None:
    weight = minigrad.randn(2, 1, 3, 3, dtype=minigrad.float64)
    real, fake, last = (minigrad.randn(2, 1, 4, 4, dtype=minigrad.float64) for _ in range(3))

    def critic(x: minigrad.Tensor, w: minigrad.Tensor) -> minigrad.Tensor:
        return (F.leaky_relu(NORMS[norm](F.conv2d(x, w)), 0.2) * last.flatten()[:8].reshape(2, 2, 2)).sum((1, 2, 3))

    def penalty(w: minigrad.Tensor) -> minigrad.Tensor:
        minigrad.manual_seed(3)  # the same points between the samples each time
        return train.gradient_penalty(lambda x: critic(x, w), real, fake)

    assert check(penalty, weight, max_examples=5).verdict == "pass"
    with pytest.raises(ValueError, match=r"expected samples of one shape, but got \(2, 1, 4, 4\) and \(1, 4, 4\)"):
        train.gradient_penalty(lambda x: x.sum(), real, fake[0])


GAMES = {
    **{name: ("dcgan", name, 0.0) for name in adversarial.LOSSES},
    "wgan-gp": ("without batch norm", "wasserstein", 10.0),
    "conditional": ("conditional", "non-saturating", 0.0),
    "mismatched, with a distance": ("conditional", "non-saturating", 0.0),
}


@pytest.mark.parametrize("name", GAMES)
def test_a_turn_is_that_of_torch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    kind, loss, penalty = GAMES[name]
    twins = on_torch("models.gan"), on_torch("train.adversarial")
    random = np.random.default_rng(0)
    noise = random.normal(size=(3, 4, 5))
    pictures, labels, shares = random.normal(size=(2, 4, 1, 8, 8)), random.integers(0, 3, size=4), random.random((4, 1, 1, 1))
    minigrad.manual_seed(2)
    options = {"classes": 3 * (kind == "conditional"), "batch_norm": kind != "without batch norm"}
    start, ours, theirs = (module.dcgan(1, 8, 5, 4, **options) for module in (gan, gan, twins[0]))
    for first, mine, its in zip(start, ours, theirs, strict=True):
        mine.double().load_state_dict(first.double().state_dict())
        copy_weights(first, its.double())
    numbers = []
    for framework, players, module, feed in ((minigrad, ours, adversarial, iter(noise)), (torch, theirs, twins[1], iter(noise))):
        monkeypatch.setattr(module, "rand", lambda *_, framework=framework, **__: framework.tensor(shares))
        game = module.Game(
            *players, *(framework.optim.SGD(player.parameters(), lr=0.05) for player in players),
            noise=lambda n, framework=framework, feed=feed: framework.tensor(next(feed)), loss=loss, penalty=penalty,
            **({"mismatched": True, "further": lambda drawn, real, labels: 3 * ((drawn - real) ** 2).mean()} if "distance" in name else {}),
        )  # fmt: skip
        batches = [framework.tensor(batch) for batch in pictures]
        if kind == "conditional":
            batches = [(batch, framework.tensor(labels)) for batch in batches]
        numbers.append(game.play(batches))
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-9, abs=1e-9)
    for mine, its in zip(ours, theirs, strict=True):
        for key, value in mine.state_dict().items():
            np.testing.assert_allclose(value.numpy(), its.state_dict()[key].numpy(), rtol=1e-8, atol=1e-8, err_msg=key)


class Scaled(nn.Module):
    """Makes samples of the condition alone, and tells its factor."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(minigrad.tensor(0.0))

    def forward(self, x: minigrad.Tensor) -> tuple[minigrad.Tensor, minigrad.Tensor]:
        return self.factor * x, self.factor


def test_a_generator_without_noise_that_answers_with_more_than_samples() -> None:
    minigrad.manual_seed(0)
    generator, discriminator = Scaled(), models.gan_mlp((2,), latent=2, hidden=4).discriminator
    seen = []

    def further(answer: tuple[minigrad.Tensor, minigrad.Tensor], real: minigrad.Tensor, given: minigrad.Tensor) -> minigrad.Tensor:
        seen.append([part.shape for part in (*answer, real, given)])
        return 100 * (answer[1] - 3) ** 2

    game = train.Game(
        generator, Beside(discriminator), optim.SGD(generator.parameters(), lr=0.005), optim.SGD(discriminator.parameters(), lr=0.0), None, further=further
    )
    for _ in range(5):
        game.play([(minigrad.randn(4, 2), minigrad.randn(4, 2))])
    assert seen == 5 * [[(4, 2), (), (4, 2), (4, 2)]]
    assert generator.factor.item() == pytest.approx(3, abs=0.05)  # the game pulls with a slope of about 1, the distance with 200


class Beside(nn.Module):
    """A discriminator that is told a condition and does not look at it."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, samples: minigrad.Tensor, condition: minigrad.Tensor) -> minigrad.Tensor:
        return self.discriminator(samples)


def test_mismatched_samples_need_a_condition() -> None:
    generator, discriminator = models.gan_mlp((2,), latent=2, hidden=4)
    game = train.Game(
        generator, discriminator, *(optim.SGD(player.parameters(), lr=0.1) for player in (generator, discriminator)),
        noise=lambda n: minigrad.randn(n, 2), mismatched=True,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"mismatched samples need batches of \(samples, condition\)"):
        game.play([minigrad.randn(4, 2)])


def test_the_generator_learns_where_the_data_are() -> None:
    """Points around a centre: after some turns the drawn ones are there too, on the average of the last turns."""
    minigrad.manual_seed(0)
    generator, discriminator = models.gan_mlp((2,), latent=2, hidden=16)
    centre = minigrad.tensor([0.5, -0.4])
    game = train.Game(
        generator, discriminator, optim.Adam(generator.parameters(), lr=2e-3), optim.Adam(discriminator.parameters(), lr=2e-3),
        noise=lambda n: minigrad.randn(n, 2), average=train.ExponentialAverage(generator, models.gan_mlp((2,), 2, 16)[0], decay=0.98),
    )  # fmt: skip
    before = (generator(minigrad.randn(500, 2)).mean(0) - centre).norm().item()
    for _ in range(500):
        numbers = game.play([centre + 0.1 * minigrad.randn(64, 2) for _ in range(2)])
    assert all(math.isfinite(value) for value in numbers.values())
    assert game.average is not None
    assert (game.average.model(minigrad.randn(500, 2)).mean(0) - centre).norm().item() < min(0.2, before / 2)
    assert all(parameter.requires_grad for parameter in discriminator.parameters())
    with pytest.raises(ValueError, match="there were no batches"):
        game.play([])


def test_an_average_follows_slowly() -> None:
    model, copy = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = train.ExponentialAverage(model, copy, decay=0.75)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    with minigrad.no_grad():
        for parameter in model.parameters():
            parameter += 4
    model(minigrad.randn(8, 2))
    average.update()
    for name, parameter in copy.named_parameters():
        assert minigrad.allclose(parameter, start[name] + 1)
    assert minigrad.equal(copy[1].running_mean, model[1].running_mean)
    with pytest.raises(ValueError, match="decay should be at least 0 and below 1, but is 1"):
        train.ExponentialAverage(model, copy, decay=1)
