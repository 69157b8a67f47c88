"""The game of a generator against a discriminator: I. Goodfellow et al., Generative adversarial nets, arXiv:1406.2661, algorithm 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import minigrad.nn.functional as F
from minigrad.autograd import grad
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.nn.module import Module
from minigrad.nn.utils import get_total_norm
from minigrad.ops import mean, rand, relu, sigmoid, sqrt


class Losses(NamedTuple):
    """What each player makes small: the discriminator of (real scores, fake scores), the generator of the fake scores.

    Scores are logits: what the discriminator gives before any sigmoid.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def _tell_apart(real: Tensor, fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """-log D(x) - log(1 - D(G(z))), with a label of 1 - smoothing for the real ones."""
    return mean(F.softplus(-real) + smoothing * real) + mean(F.softplus(fake))


LOSSES = {
    # The value of the game itself. Where the discriminator is sure, D(G(z)) near 0, its gradient for the generator vanishes.
    "minimax": Losses(_tell_apart, lambda fake: -mean(F.softplus(fake))),
    # The paper's remedy: make log D(G(z)) large.
    "non-saturating": Losses(_tell_apart, lambda fake: mean(F.softplus(-fake))),
    # X. Mao et al., Least squares generative adversarial networks, arXiv:1611.04076.
    "least-squares": Losses(
        lambda real, fake: (mean((real - 1) ** 2) + mean(fake**2)) / 2, lambda fake: mean((fake - 1) ** 2) / 2
    ),
    # J. H. Lim and J. C. Ye, Geometric GAN, arXiv:1705.02894.
    "hinge": Losses(lambda real, fake: mean(relu(1 - real)) + mean(relu(1 + fake)), lambda fake: -mean(fake)),
    # M. Arjovsky, S. Chintala and L. Bottou, Wasserstein GAN, arXiv:1701.07875; the discriminator has to be kept Lipschitz.
    "wasserstein": Losses(lambda real, fake: mean(fake) - mean(real), lambda fake: -mean(fake)),
}


def losses(name: str, label_smoothing: float = 0.0) -> Losses:
    """The losses of this name; label_smoothing: real samples count as so much less than 1, for minimax and non-saturating.

    Raises ValueError for an unknown name, and for smoothing of losses without labels.

    >>> sorted(LOSSES)
    ['hinge', 'least-squares', 'minimax', 'non-saturating', 'wasserstein']
    """
    if name not in LOSSES:
        raise ValueError(f"losses: there is no {name!r}; there are {', '.join(sorted(LOSSES))}")
    if not label_smoothing:
        return LOSSES[name]
    if LOSSES[name].discriminator is not _tell_apart or not 0 < label_smoothing < 1:
        raise ValueError(
            f"losses: label_smoothing={label_smoothing} is for minimax and non-saturating, and between 0 and 1, not for {name!r}"
        )
    return Losses(lambda real, fake: _tell_apart(real, fake, label_smoothing), LOSSES[name].generator)


def gradient_penalty(discriminator: Callable[..., Tensor], real: Tensor, fake: Tensor, *condition: Tensor) -> Tensor:
    """How far the discriminator's gradient is from length 1 between real and fake samples: the mean of (|gradient| - 1)**2.

    real, fake: (N, ...) of one shape; condition: what the discriminator takes beside a sample. The result can be differentiated, by second
    derivatives of the discriminator, which should have no batch norm: there a sample's gradient is not its own. Raises ValueError for
    shapes that differ. Source: I. Gulrajani et al., Improved training of Wasserstein GANs, arXiv:1704.00028, algorithm 1.

    >>> import minigrad
    >>> weight = minigrad.tensor([3.0, 4.0])  # the gradient, of length 5 everywhere
    >>> gradient_penalty(lambda x: x @ weight, minigrad.zeros(6, 2), minigrad.ones(6, 2)).item()
    16.0
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"gradient_penalty: expected samples of one shape, but got {tuple(real.shape)} and {tuple(fake.shape)}"
        )
    share = rand(len(real), *[1] * (real.ndim - 1), dtype=real.dtype, device=real.device)
    between = (share * real.detach() + (1 - share) * fake.detach()).requires_grad_()
    (slope,) = grad(discriminator(between, *condition).sum(), between, create_graph=True)
    length = sqrt((slope.flatten(1) ** 2).sum(1) + 1e-12)  # the root has no derivative at 0
    return mean((length - 1) ** 2)


class ExponentialAverage:
    """A copy of a model whose weights follow the model's slowly: w <- decay * w + (1 - decay) * w of the model.

    make: makes the copy, a model of the same kind. Statistics of norms are taken as they are. The averaged generator draws better than the
    one that just moved. Source: Y. Yazici et al., The unusual effectiveness of averaging in GAN training, arXiv:1806.04498.

    >>> import minigrad
    >>> model = minigrad.nn.Linear(1, 1)
    >>> average = ExponentialAverage(model, minigrad.nn.Linear(1, 1), decay=0.5)
    >>> with minigrad.no_grad():
    ...     _ = model.weight.fill_(1.0), average.model.weight.fill_(0.0)
    >>> average.update()
    >>> average.model.weight.item()
    0.5
    """

    def __init__(self, model: Module, copy: Module, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"ExponentialAverage: decay should be at least 0 and below 1, but is {decay}")
        copy.load_state_dict(model.state_dict())
        self.source, self.model, self.decay = model, copy.eval(), decay

    def update(self) -> None:
        """Follows the model by one step."""
        with no_grad():
            for mine, its in zip(self.model.parameters(), self.source.parameters(), strict=True):
                mine.lerp_(its, 1 - self.decay)
            for statistic, its_statistic in zip(self.model.buffers(), self.source.buffers(), strict=True):
                statistic.copy_(its_statistic)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return self.model.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what state_dict gave."""
        self.model.load_state_dict(state)


class Game:
    """The two players with their optimizers; play() is one turn of the algorithm.

    generator(noise, *condition) draws samples, discriminator(samples, *condition) scores them with logits. noise: gives noise for so many
    samples; None for a generator(*condition) that makes its samples of the condition alone. loss: a name of LOSSES, or Losses. penalty: the
    weight of the gradient penalty (10 in its paper). label_smoothing: as for losses. average: an ExponentialAverage of the generator to
    keep up. further: a loss of (what the generator gave, samples, *condition) that the generator makes small beside the game's, such as the
    distance from the true samples (pix2pix); a generator that gives a tuple, of which the samples are the first, shows it the rest.
    mismatched: the discriminator also learns that true samples with the condition of others are wrong (S. Reed et al., Generative
    adversarial text to image synthesis, arXiv:1605.05396, algorithm 1); they count half beside the drawn ones.

    >>> import minigrad
    >>> from minigrad import models, optim
    >>> generator, discriminator = models.gan_mlp((2,), latent=4, hidden=16)
    >>> game = Game(generator, discriminator, optim.Adam(generator.parameters()), optim.Adam(discriminator.parameters()), lambda n: minigrad.randn(n, 4))
    >>> sorted(game.play([minigrad.randn(8, 2)]))
    ['discriminator gradient', 'discriminator loss', 'fake score', 'generator gradient', 'generator loss', 'real score']
    """

    def __init__(
        self,
        generator: Module,
        discriminator: Module,
        generator_optimizer: Any,
        discriminator_optimizer: Any,
        noise: Callable[[int], Tensor] | None,
        loss: str | Losses = "non-saturating",
        penalty: float = 0.0,
        label_smoothing: float = 0.0,
        average: ExponentialAverage | None = None,
        further: Callable[..., Tensor] | None = None,
        mismatched: bool = False,
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer
        self.noise, self.penalty, self.average = noise, penalty, average
        self.further, self.mismatched = further, mismatched
        self.losses = losses(loss, label_smoothing) if isinstance(loss, str) else loss

    def play(self, batches: Iterable[Any]) -> dict[str, float]:
        """For each mini-batch a step of the discriminator, then one step of the generator; returns numbers to watch.

        batches: the algorithm's k mini-batches, samples (N, ...) or tuples of samples and conditions. The scores are means of D(x) and
        D(G(z)) after the sigmoid, the gradients are norms over all weights of a player. Raises ValueError for no batches, and for
        mismatched samples without a condition.
        """
        samples: Any = None
        condition: list[Tensor] = []
        numbers: dict[str, float] = {}
        for batch in batches:
            samples, *condition = batch if isinstance(batch, (tuple, list)) else (batch,)
            numbers = self._teach_discriminator(samples, condition)
        if samples is None:
            raise ValueError("Game.play: there were no batches")
        return numbers | self._teach_generator(samples, condition)

    def _draw(self, count: int, condition: list[Tensor]) -> Any:
        return self.generator(*([] if self.noise is None else [self.noise(count)]), *condition)

    def _teach_discriminator(self, real: Tensor, condition: list[Tensor]) -> dict[str, float]:
        """Descends the discriminator's loss, which ascends its stochastic gradient."""
        with no_grad():
            fake = _samples(self._draw(len(real), condition))
        real_scores, fake_scores = self.discriminator(real, *condition), self.discriminator(fake, *condition)
        loss = self.losses.discriminator(real_scores, fake_scores)
        if self.mismatched:
            if not condition:
                raise ValueError("Game.play: mismatched samples need batches of (samples, condition)")
            others = self.discriminator(real, *[part.roll(1, 0) for part in condition])
            loss = (loss + self.losses.discriminator(real_scores, others)) / 2
        if self.penalty:
            loss = loss + self.penalty * gradient_penalty(self.discriminator, real, fake, *condition)
        norm = _step(self.discriminator, self.discriminator_optimizer, loss)
        scores = {
            "real score": float(mean(sigmoid(real_scores.detach()))),
            "fake score": float(mean(sigmoid(fake_scores.detach()))),
        }
        return {"discriminator loss": loss.item(), "discriminator gradient": norm, **scores}

    def _teach_generator(self, real: Tensor, condition: list[Tensor]) -> dict[str, float]:
        # Its weights need no gradients while the other one learns.
        trained = [parameter for parameter in self.discriminator.parameters() if parameter.requires_grad]
        for parameter in trained:
            parameter.requires_grad_(False)
        try:
            answer = self._draw(len(real), condition)
            loss = self.losses.generator(self.discriminator(_samples(answer), *condition))
            if self.further is not None:
                loss = loss + self.further(answer, real, *condition)
            norm = _step(self.generator, self.generator_optimizer, loss)
        finally:
            for parameter in trained:
                parameter.requires_grad_(True)
        if self.average is not None:
            self.average.update()
        return {"generator loss": loss.item(), "generator gradient": norm}


def _samples(answer: Any) -> Tensor:
    return answer[0] if isinstance(answer, tuple) else answer


def _step(player: Module, optimizer: Any, loss: Tensor) -> float:
    """One step of an optimizer; returns the norm of the gradient."""
    optimizer.zero_grad()
    loss.backward()
    norm = float(get_total_norm([parameter.grad for parameter in player.parameters() if parameter.grad is not None]))
    optimizer.step()
    return norm
