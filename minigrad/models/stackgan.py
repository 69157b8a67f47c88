"""StackGAN: H. Zhang et al., StackGAN: text to photo-realistic image synthesis with stacked generative adversarial networks, arXiv:1612.03242.

A phrase becomes an embedding phi; conditioning augmentation draws c from N(mu(phi), Sigma(phi)); stage I draws a small picture from c and noise, and
stage II a larger one from that and c.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from minigrad import nn
from minigrad.core.tensor import Tensor, tensor
from minigrad.models.gan import DCGANGenerator, Players, halvings, start_small
from minigrad.models.srgan import ResidualBlock
from minigrad.ops import cat, exp, mean, randn_like, split


class Vocabulary:
    """Numbers for words: 0 pads, 1 is every word that was too rare in the phrases.

    >>> words = Vocabulary(["red heart", "blue heart", "red car"], at_least=2)
    >>> words.words
    ['', '?', 'heart', 'red']
    >>> words.encode(["a red heart", "heart"])
    tensor([[1, 3, 2],
            [2, 0, 0]])
    """

    def __init__(self, phrases: Iterable[str], at_least: int = 1) -> None:
        counts = Counter(word for phrase in phrases for word in words_of(phrase))
        self.words = ["", "?", *sorted(word for word, count in counts.items() if count >= at_least)]
        self.numbers = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, phrases: Sequence[str]) -> Tensor:
        """The numbers of the words, (N, length of the longest phrase). Raises ValueError for a phrase without words."""
        rows = [[self.numbers.get(word, 1) for word in words_of(phrase)] for phrase in phrases]
        for phrase, row in zip(phrases, rows, strict=True):
            if not row:
                raise ValueError(f"Vocabulary: {phrase!r} has no words")
        longest = max(map(len, rows), default=0)
        return tensor([row + [0] * (longest - len(row)) for row in rows]).reshape(len(rows), longest).long()


def words_of(phrase: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", phrase.lower())


class TextEncoder(nn.Module):
    """Numbers of words (N, L), padded with 0, to embeddings (N, size).

    words: how many there are; kind: "bag", the mean of the words' vectors, or "recurrent", the last state of a GRU. pretrained: vectors
    (words, size) to start from, kept as they are. Raises ValueError for another kind, or vectors of another shape.

    >>> import minigrad
    >>> tuple(TextEncoder(10, 4)(minigrad.tensor([[3, 4, 0], [5, 0, 0]])).shape)
    (2, 4)
    """

    def __init__(self, words: int, size: int = 64, kind: str = "bag", pretrained: Tensor | None = None) -> None:
        super().__init__()
        if kind not in ("bag", "recurrent"):
            raise ValueError(f"TextEncoder: kind should be 'bag' or 'recurrent', but is {kind!r}")
        if pretrained is not None and tuple(pretrained.shape) != (words, size):
            raise ValueError(
                f"TextEncoder: pretrained should be of shape ({words}, {size}), but is {tuple(pretrained.shape)}"
            )
        self.kind = kind
        self.vectors = nn.Embedding(words, size, padding_idx=0)
        if pretrained is not None:
            self.vectors.weight.data.copy_(pretrained)
            self.vectors.weight.requires_grad_(False)
        self.reader = nn.GRU(size, size, batch_first=True) if kind == "recurrent" else None

    def forward(self, words: Tensor) -> Tensor:
        vectors, there = self.vectors(words), words != 0
        lengths = there.sum(1)
        if self.reader is None:
            return (vectors * there.unsqueeze(2)).sum(1) / lengths.unsqueeze(1)
        packed = nn.utils.rnn.pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        return self.reader(packed)[1][0]


class ConditioningAugmentation(nn.Module):
    """Embeddings (N, embedding) to draws from N(mu, diag(sigma**2)), (N, size), with mu and log sigma**2.

    By the reparametrisation c = mu + sigma * epsilon with epsilon from N(0, I), so that gradients reach mu and sigma.
    """

    def __init__(self, embedding: int, size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(embedding, 2 * size)

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, log_variance = split(self.layer(embedding), self.layer.out_features // 2, 1)
        return mu + exp(log_variance / 2) * randn_like(mu), mu, log_variance


def kl_divergence(mu: Tensor, log_variance: Tensor) -> Tensor:
    """The divergence of N(mu, diag(sigma**2)) from N(0, I), the mean over the batch: half the sum of mu**2 + sigma**2 - 1 - log sigma**2.

    mu, log_variance: (N, D). Source: D. Kingma and M. Welling, Auto-encoding variational Bayes, arXiv:1312.6114, appendix B.

    >>> import minigrad
    >>> kl_divergence(minigrad.zeros(2, 3), minigrad.zeros(2, 3)).item()
    0.0
    """
    return mean((mu**2 + exp(log_variance) - 1 - log_variance).sum(1)) / 2


class StageI(nn.Module):
    """Embeddings (N, embedding) and noise (N, latent) to pictures (N, channels, size, size), with mu and log sigma**2 of c."""

    def __init__(self, channels: int, size: int, embedding: int, condition: int, latent: int, width: int) -> None:
        super().__init__()
        self.augment = ConditioningAugmentation(embedding, condition)
        self.draw = DCGANGenerator(channels, size, latent + condition, width)

    def forward(self, z: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c, mu, log_variance = self.augment(embedding)
        return self.draw(cat([z, c], 1)), mu, log_variance


class StageII(nn.Module):
    """Small pictures (N, channels, H, W) and embeddings (N, embedding) to pictures of twice the size, with mu and log sigma**2 of c."""

    def __init__(self, channels: int, embedding: int, condition: int, width: int, blocks: int) -> None:
        super().__init__()
        self.augment = ConditioningAugmentation(embedding, condition)
        self.encode = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.join = nn.Sequential(
            nn.Conv2d(2 * width + condition, 2 * width, 3, padding=1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU(inplace=True),
            *[ResidualBlock(2 * width) for _ in range(blocks)],
        )  # fmt: skip
        self.decode = nn.Sequential(
            *enlarged(2 * width, width), *enlarged(width, width), nn.Conv2d(width, channels, 3, padding=1), nn.Tanh(),
        )  # fmt: skip
        self.apply(start_small)

    def forward(self, picture: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c, mu, log_variance = self.augment(embedding)
        features = self.encode(picture)
        return self.decode(self.join(cat([features, everywhere(c, features)], 1))), mu, log_variance


def enlarged(channels_in: int, channels_out: int) -> list[nn.Module]:
    """Twice the size: the paper repeats pixels and convolves, which leaves no checks as a transposed convolution does."""
    return [
        nn.Upsample(scale_factor=2),
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True),
    ]  # fmt: skip


class TextDiscriminator(nn.Module):
    """Pictures (N, channels, size, size) and embeddings (N, embedding) to logits (N,): whether a picture is real and is of its phrase."""

    def __init__(self, channels: int, size: int, embedding: int, condition: int, width: int) -> None:
        super().__init__()
        start, count = halvings(size)
        self.compress = nn.Sequential(nn.Linear(embedding, condition), nn.LeakyReLU(0.2))
        layers: list[nn.Module] = []
        for i in range(count):
            layers += [
                nn.Conv2d(channels if i == 0 else width * 2 ** (i - 1), width * 2**i, 4, 2, 1),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        self.see = nn.Sequential(*layers)
        last = width * 2 ** (count - 1)
        self.judge = nn.Sequential(
            nn.Conv2d(last + condition, last, 1), nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(last, 1, start)
        )

    def forward(self, picture: Tensor, embedding: Tensor) -> Tensor:
        features = self.see(picture)
        return self.judge(cat([features, everywhere(self.compress(embedding), features)], 1)).flatten()


def everywhere(c: Tensor, features: Tensor) -> Tensor:
    """The same numbers (N, D) at every place of the features: (N, D, H, W)."""
    return c.reshape(*c.shape, 1, 1).expand(-1, -1, *features.shape[2:])


class StackGAN(nn.Module):
    """The text encoder, and a pair of players for each stage.

    words: of the vocabulary; sizes: of the pictures of stage I and stage II, the second twice the first; embedding, condition, latent: the
    lengths of phi, c and the noise. Keyword arguments go to the TextEncoder.

    >>> import minigrad
    >>> model = stackgan(words=10, width=8)
    >>> words = minigrad.tensor([[3, 4, 0], [5, 0, 0]])
    >>> [tuple(picture.shape) for picture in model.sample(minigrad.randn(2, 64), words)]
    [(2, 3, 16, 16), (2, 3, 32, 32)]
    """

    def __init__(
        self,
        words: int,
        channels: int = 3,
        sizes: tuple[int, int] = (16, 32),
        embedding: int = 64,
        condition: int = 32,
        latent: int = 64,
        width: int = 32,
        blocks: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if sizes[1] != 2 * sizes[0]:
            raise ValueError(f"StackGAN: the second size should be twice the first, but sizes are {sizes}")
        self.encoder = TextEncoder(words, embedding, **kwargs)
        self.stage1 = StageI(channels, sizes[0], embedding, condition, latent, width)
        self.discriminator1 = TextDiscriminator(channels, sizes[0], embedding, condition, width)
        self.stage2 = StageII(channels, embedding, condition, width, blocks)
        self.discriminator2 = TextDiscriminator(channels, sizes[1], embedding, condition, width)

    def players(self, stage: int) -> Players:
        """The two networks of stage 1 or 2."""
        return Players(self.stage1, self.discriminator1) if stage == 1 else Players(self.stage2, self.discriminator2)

    def sample(self, z: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """The pictures of both stages for noise (N, latent) and words (N, L)."""
        phi = self.encoder(words)
        small = self.stage1(z, phi)[0]
        return small, self.stage2(small, phi)[0]


def stackgan(words: int, **kwargs: Any) -> StackGAN:
    """StackGAN for a vocabulary of so many words; keyword arguments are those of StackGAN."""
    return StackGAN(words, **kwargs)
