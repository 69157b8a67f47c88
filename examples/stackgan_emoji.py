"""Draws emoji from a phrase with StackGAN: stage I draws 16x16 pixels, stage II draws 32x32 from that and the phrase.

    python examples/stackgan_emoji.py "smiling face" "red heart"
    python examples/stackgan_emoji.py --resume "white cat"      # trains once, and draws at once the next time
    python examples/stackgan_emoji.py --help

The words' vectors are learned first, with a network that sees pictures: a name and its picture should be near each other. A classifier of
real emoji tells how often what is drawn is of the phrase's category. H. Zhang et al., arXiv:1612.03242.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from adversarial import Judge, draw_curves, draw_grid, emoji_judge, play, players_of
from common import Batches, Parser, at_least_one, at_least_zero, checkpoint, pyplot, save_figure
from pictures import read_emoji

import minigrad
import minigrad.nn.functional as F
from minigrad import models, nn, train
from minigrad.data import DataLoader, TensorDataset, augment
from minigrad.models.pyramid import halve
from minigrad.models.stackgan import Vocabulary, kl_divergence
from minigrad.optim import Adam

LATENT = 32
FIRST = 4  # a turn of stage I costs a quarter of one of stage II
PHRASES = ["smiling face", "cat face", "woman", "red heart", "blue square", "clock", "flower", "green book"]


class Matcher(nn.Module):
    """Words (N, L) and pictures (N, 3, 32, 32) to the likeness of each phrase to each picture (N, N)."""

    def __init__(self, encoder: nn.Module, size: int) -> None:
        super().__init__()
        self.encoder = encoder
        layers: list[nn.Module] = []
        for before, after in ((3, 24), (24, 48), (48, 96)):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.see = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, size))
        self.sharpness = nn.Parameter(minigrad.tensor(2.0))

    def forward(self, words: minigrad.Tensor, pictures: minigrad.Tensor) -> minigrad.Tensor:
        phrases, seen = F.normalize(self.encoder(words)), F.normalize(self.see(pictures))
        return self.sharpness.exp() * phrases @ seen.T


def learn_words(encoder: nn.Module, words: minigrad.Tensor, pictures: minigrad.Tensor, epochs: int, options: argparse.Namespace) -> None:
    """Teaches the encoder to tell which of a batch's pictures a name belongs to, and which name a picture.

    A. Radford et al., Learning transferable visual models from natural language supervision, arXiv:2103.00020.
    """
    matcher = Matcher(encoder, encoder.vectors.embedding_dim)
    optimizer = Adam(matcher.parameters(), lr=3e-3)
    loader = DataLoader(TensorDataset(words, pictures), batch_size=64, shuffle=True, drop_last=len(words) > 64)
    keeper = checkpoint(options, "stackgan_words")
    keeper = keeper and train.Checkpoint(keeper, matcher=matcher, optimizer=optimizer)
    done = keeper.resume() if keeper else None
    for epoch in range(done["epoch"] + 1 if done else 1, epochs + 1):
        total, right = 0.0, 0
        for some, seen in loader:
            likeness, own = matcher(some, seen), minigrad.arange(len(some))
            loss = (F.cross_entropy(likeness, own) + F.cross_entropy(likeness.T, own)) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, right = total + loss.item(), right + int((likeness.argmax(1) == own).sum())
        if keeper:
            keeper.save(epoch=epoch)
        if not options.quiet:
            print(f"words, epoch {epoch:2d}/{epochs}: loss {total / len(loader):.3f}")
    for parameter in encoder.parameters():
        parameter.requires_grad_(False)
    encoder.eval()


def agreement(judge: Judge, draw, phi: minigrad.Tensor, labels: minigrad.Tensor) -> tuple[float, float]:
    """How often what is drawn for phrases is of their category, and how often what is drawn for other phrases by chance is."""
    told = judge.labels((draw(phi)[1] + 1) / 2)
    anything = judge.labels((draw(phi[minigrad.randperm(len(phi))])[1] + 1) / 2)
    return float((told == labels).float().mean()), float((anything == labels).float().mean())


def main() -> None:
    parser = Parser("Trains StackGAN on emoji and their names, and draws phrases.")
    parser.add_argument("phrases", nargs="*", default=PHRASES, metavar="PHRASE", help="what to draw")
    parser.training(epochs=30, passes="times --steps, for stage II; stage I takes four times as many", lr=5e-4, batch_size=32, width=32, full={"width": 128, "epochs": 600})
    parser.add_argument("--steps", type=at_least_one, default=20, metavar="N", help="turns an epoch")
    parser.add_argument("--lambda", dest="weight", type=at_least_zero, default=0.05, metavar="WEIGHT", help="of the divergence from N(0, I)")
    parser.add_argument("--encoder", choices=["bag", "recurrent"], default="bag", help="how a phrase is read")
    parser.add_argument("--word-epochs", type=at_least_one, default=20, metavar="N", help="passes over the names, to learn the words' vectors")
    parser.add_argument("--judge-epochs", type=at_least_one, default=15, metavar="N", help="of the classifier of real emoji")
    options = parser.options(minigrad)

    emoji = read_emoji()
    learned, tested = emoji.halves()
    vocabulary = Vocabulary([emoji.names[i] for i in learned.tolist()])
    words = vocabulary.encode(emoji.names)
    try:
        asked = vocabulary.encode(options.phrases)
    except ValueError as error:
        parser.error(f"argument PHRASE: {error}")
    pictures = emoji.on_white()
    judge = emoji_judge(pictures[learned], emoji.labels[learned], options.quiet, options.judge_epochs)
    print(f"the judge finds the category of {judge.accuracy(pictures[tested], emoji.labels[tested]):.3f} of real emoji that it has not seen")

    minigrad.manual_seed(options.seed)
    model, average = (models.stackgan(len(vocabulary), latent=LATENT, width=options.width, kind=options.encoder) for _ in range(2))
    learn_words(model.encoder, words[learned], pictures[learned], options.word_epochs, options)
    with minigrad.no_grad():
        phi = model.encoder(words)
        middle, spread = phi[learned].mean(0), phi[learned].std()
    told = (phi - middle) / spread

    change = augment.Compose([augment.RandomHorizontalFlip(), augment.RandomAffine(5, translate=(0.03, 0.03), scale=(0.95, 1.05), fill=1.0)])

    def real() -> tuple[minigrad.Tensor, minigrad.Tensor]:
        chosen = learned[minigrad.randint(0, len(learned), (options.batch_size,))]
        return 2 * change(pictures[chosen]) - 1, told[chosen]

    def small() -> tuple[minigrad.Tensor, minigrad.Tensor]:
        large, phrase = real()
        return halve(large), phrase

    def divergence(answer: tuple[minigrad.Tensor, ...], *_: minigrad.Tensor) -> minigrad.Tensor:
        return options.weight * kl_divergence(*answer[1:])

    def from_stage1(phrase: minigrad.Tensor) -> minigrad.Tensor:
        """What stage I draws for phrases."""
        with minigrad.no_grad():
            return average.stage1(minigrad.randn(len(phrase), LATENT), phrase)[0]

    def players(stage: int) -> train.Game:
        pair, copy = model.players(stage), average.players(stage).generator
        if stage == 2:
            pair, copy = pair._replace(generator=SecondStage(pair.generator, from_stage1)), SecondStage(copy, from_stage1)
        noise = None if stage == 2 else lambda count: minigrad.randn(count, LATENT)
        return players_of(pair, options.lr, noise, copy, further=divergence, mismatched=True)

    histories = [
        play(
            players(stage), Batches(batch, options.steps), epochs, checkpoint=checkpoint(options, f"stackgan_stage{stage}"),
            quiet=options.quiet, title=f"stage {stage} ",
        )
        for stage, batch, epochs in ((1, small, FIRST * options.epochs), (2, real, options.epochs))
    ]  # fmt: skip

    def draw(phrase: minigrad.Tensor) -> tuple[minigrad.Tensor, minigrad.Tensor]:
        with minigrad.no_grad():
            first = from_stage1(phrase)
            parts = zip(first.split(128), phrase.split(128), strict=True)
            return first, minigrad.cat([average.stage2(*part)[0] for part in parts]).clamp(-1, 1)

    minigrad.manual_seed(options.seed)
    average.eval()
    rates = {}
    for name, chosen in (("learned", learned), ("new", tested)):
        rates[name] = agreement(judge, draw, told[chosen], emoji.labels[chosen])
        print(f"{name} phrases: what is drawn is of the category of {rates[name][0]:.3f}, without regard to the phrase of {rates[name][1]:.3f}")
    if options.plot:
        with minigrad.no_grad():
            asked_for = (model.encoder(asked) - middle) / spread
        sheet(options.phrases, [draw(one.expand(10, -1)) for one in asked_for], histories, options.out / "stackgan_emoji.png")
    print(f"agreement with the phrase's category {rates['learned'][0]:.3f}, unconditional {rates['learned'][1]:.3f}")


class SecondStage(nn.Module):
    """Stage II as a player: phrases (N, embedding) to pictures, on what stage I draws for them."""

    def __init__(self, stage: nn.Module, first) -> None:
        super().__init__()
        self.stage, self.first = stage, first

    def forward(self, phrase: minigrad.Tensor) -> tuple[minigrad.Tensor, ...]:
        return self.stage(self.first(phrase), phrase)


def sheet(phrases: list[str], drawn, histories, path: Path) -> None:
    """For each phrase a row of small pictures beside what stage II makes of them; curves."""
    figure = pyplot().figure(figsize=(16, 0.85 * max(len(phrases), 6) + 0.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.7, 1])
    for row, phrase, pair in zip(left.subplots(len(phrases), 2, squeeze=False), phrases, drawn, strict=True):
        for axis, pictures, stage in zip(row, pair, ("I", "II"), strict=True):
            draw_grid(axis, F.interpolate(pictures, size=(32, 32), mode="nearest"), 10, f"{phrase}, stage {stage}")
    for row, history, stage in zip(right.subplots(2, 3), histories, ("I", "II"), strict=True):
        draw_curves(row, history)
        row[0].set_ylabel(f"stage {stage}")
    save_figure(figure, path)


if __name__ == "__main__":
    main()
