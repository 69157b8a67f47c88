"""LeNet-5 learns to read handwritten digits: 4000 to train on, 1000 to be tested on.

    python examples/mnist.py --help

The network is LeCun et al., "Gradient-based learning applied to document recognition" (1998), with what came later: ReLU,
max-pooling, batch normalisation and Adam. The import lines are all that tells this script from one for PyTorch.
"""

from __future__ import annotations

import argparse
import math
import sys
from importlib.util import find_spec
from pathlib import Path
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F
import minigrad.optim as optim
from minigrad.utils.data import DataLoader, TensorDataset

SIDE = 28  # pixels
CLASSES = 10
WEIGHTS_FILE = "lenet5.weights"
PICTURE_FILE = "lenet5.png"


class LeNet5(nn.Module):
    """Pictures (N, 1, 28, 28) to the scores of the ten digits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.norm1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.norm2 = nn.BatchNorm2d(16)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.norm3 = nn.BatchNorm1d(120)
        self.fc2 = nn.Linear(120, 84)
        self.norm4 = nn.BatchNorm1d(84)
        self.fc3 = nn.Linear(84, CLASSES)

    def maps(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the two layers of filters see: (N, 6, 28, 28) and (N, 16, 10, 10)."""
        first = F.relu(self.norm1(self.conv1(x)))
        second = F.relu(self.norm2(self.conv2(F.max_pool2d(first, 2))))
        return first, second

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, second = self.maps(x)
        x = torch.flatten(F.max_pool2d(second, 2), 1)
        x = F.relu(self.norm3(self.fc1(x)))
        x = F.relu(self.norm4(self.fc2(x)))
        return self.fc3(x)


def distort(images: torch.Tensor) -> torch.Tensor:
    """Each picture turned, scaled, slanted and moved a little, differently every time: 4000 digits are few."""

    def between(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(len(images))

    angle, scale = between(-0.25, 0.25), between(0.88, 1.12)  # radians; of the side
    slant, right, down = between(-0.15, 0.15), between(-0.15, 0.15), between(-0.15, 0.15)  # of half the side
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    where_from = torch.stack([torch.stack([cos, slant - sin, right], 1), torch.stack([sin, cos, down], 1)], 1)
    return F.grid_sample(images, F.affine_grid(where_from, images.shape, align_corners=False), align_corners=False)


def train(model: nn.Module, digits: TensorDataset, options: argparse.Namespace) -> None:
    """Adam on shuffled mini-batches, the learning rate falling along a cosine, one progress bar an epoch."""
    from tqdm import tqdm

    loader = DataLoader(digits, batch_size=options.batch_size, shuffle=True)
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=options.epochs)
    model.train()
    for epoch in range(1, options.epochs + 1):
        seen, correct, total = 0, 0, 0.0
        bar = tqdm(loader, desc=f"epoch {epoch:2d}/{options.epochs}", unit="batch", disable=options.quiet)
        for images, labels in bar:
            scores = model(distort(images) if options.distort else images)
            loss = F.cross_entropy(scores, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

            seen += len(labels)
            correct += int((scores.argmax(1) == labels).sum())
            total += loss.item() * len(labels)
            bar.set_postfix(loss=f"{total / seen:.4f}", accuracy=f"{correct / seen:.4f}", refresh=False)
        if not math.isfinite(total):
            fail(f"the loss became {total / seen} in epoch {epoch}; try a smaller --lr than {options.lr:g}")
        scheduler.step()


def predict(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The digit that the model sees in each picture."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(batch).argmax(1) for batch in images.split(250)])


def accuracy_of(predicted: torch.Tensor, labels: torch.Tensor) -> float:
    return int((predicted == labels).sum()) / len(labels)


def save_and_verify(model: LeNet5, path: Path, images: torch.Tensor, predicted: torch.Tensor) -> None:
    """Writes the weights and reads them into a fresh model, which must see the same digits."""
    torch.save(model.state_dict(), path)
    fresh = LeNet5()
    fresh.load_state_dict(torch.load(path))
    differing = int((predict(fresh, images) != predicted).sum())
    if differing:
        fail(f"the weights read back from {path} give other digits for {differing} of {len(images)} pictures", status=1)


def draw(model: LeNet5, images: torch.Tensor, labels: torch.Tensor, predicted: torch.Tensor, path: Path) -> None:
    """The first layer's filters, what both layers make of one digit, and the digits that were misread."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    wrong = [index for index, differs in enumerate((predicted != labels).tolist()) if differs]
    shown, columns = wrong[:36], 12
    rows = max(1, -(-len(shown) // columns))
    accuracy = accuracy_of(predicted, labels)
    model.eval()
    with torch.no_grad():
        first, second = model.maps(images[:1])

    heights = [4.0, 3.6, 0.5 + 1.25 * rows]  # inches
    figure = plt.figure(figsize=(12, 0.5 + sum(heights)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)  # inches
    figure.suptitle(f"LeNet-5 on handwritten digits: {accuracy:.1%} of {len(labels)} test digits right", fontsize=15)
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=heights, hspace=0.04)

    def row_of_pictures(axes, pictures, titles, **style):
        for axis in axes:
            axis.set_axis_off()
        for axis, picture, title in zip(axes, pictures, titles, strict=False):
            axis.imshow(picture, **style)
            axis.set_title(title, fontsize=9, pad=3)

    top.suptitle("First layer: each 5x5 filter (red adds, blue takes away) and the map it makes of the digit (bright: strong)", fontsize=11)
    filters = model.conv1.weight.detach().squeeze(1).numpy()
    largest = float(np.abs(filters).max())
    grid = top.subplots(2, 7)
    grid[0, 0].set_axis_off()
    row_of_pictures(grid[0, 1:], filters, [f"filter {k}" for k in range(1, 7)], cmap="RdBu_r", vmin=-largest, vmax=largest)
    row_of_pictures(grid[1, :1], images[0].numpy(), [f"a test digit: {labels[0].item()}"], cmap="gray_r")
    row_of_pictures(grid[1, 1:], first[0].numpy(), [f"map {k}" for k in range(1, 7)], cmap="viridis", vmin=0)

    middle.suptitle("Second layer: its 16 maps of the same digit", fontsize=11)
    grid = middle.subplots(2, 8)
    row_of_pictures(grid.ravel(), second[0].numpy(), [f"map {k}" for k in range(1, 17)], cmap="viridis", vmin=0)

    if not wrong:
        bottom.suptitle("No test digit was misread", fontsize=11)
    else:
        count = f"all {len(wrong)}" if len(shown) == len(wrong) else f"the first {len(shown)} of {len(wrong)}"
        bottom.suptitle(f"Misread test digits ({count}): what it is → what the network read", fontsize=11)
        grid = bottom.subplots(rows, columns, squeeze=False)
        titles = [f"{labels[index].item()} → {predicted[index].item()}" for index in shown]
        row_of_pictures(grid.ravel(), [images[index, 0].numpy() for index in shown], titles, cmap="gray_r")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def read_digits(path: Path) -> tuple[TensorDataset, torch.Tensor, torch.Tensor]:
    """The digits to train on, and the pictures and labels to test on; pictures are (N, 1, 28, 28) from 0 to 1."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("train_images", "train_labels", "test_images", "test_labels")}
    except FileNotFoundError:
        fail(f"there is no data file {path}")
    except KeyError as error:
        fail(f"{path} is not a file of digits: it has no array {error.args[0].split()[0]}")
    except (OSError, ValueError, EOFError, TypeError, AttributeError, BadZipFile, ZlibError) as error:
        fail(f"cannot read {path}: {error}")
    parts = []
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or not len(images):
            fail(f"{path}: {part}_images should be uint8 of shape (N, {SIDE}, {SIDE}), but is {images.dtype} of {images.shape}")
        if labels.dtype.kind not in "ui" or labels.shape != images.shape[:1]:
            fail(f"{path}: {part}_labels should be {len(images)} integers, but is {labels.dtype} of {labels.shape}")
        if labels.min() < 0 or labels.max() >= CLASSES:
            fail(f"{path}: {part}_labels should be from 0 to {CLASSES - 1}, but are from {labels.min()} to {labels.max()}")
        parts.append((torch.tensor(images).unsqueeze(1).float() / 255, torch.tensor(labels.astype(np.int64))))
    return TensorDataset(*parts[0]), *parts[1]


def fail(message: str, status: int = 2) -> None:
    """Ends the program with one line that says why."""
    print(f"mnist.py: error: {message}", file=sys.stderr)
    sys.exit(status)


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"should be a whole number, but is {text!r}") from None


def at_least_one(text: str) -> int:
    number = whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"should be at least 1, but is {number}")
    return number


def positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"should be a number, but is {text!r}") from None
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"should be a positive number, but is {text}")
    return number


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage."""

    def error(self, message: str) -> None:
        fail(f"{message} (--help names the options)")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(
        prog="mnist.py",
        description="Trains LeNet-5 on handwritten digits, tests it, and writes its weights and a picture of what it learned.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    here = Path(__file__).resolve().parent
    parser.add_argument("--epochs", type=at_least_one, default=20, metavar="N", help="passes over the training digits")
    parser.add_argument("--batch-size", type=at_least_one, default=100, metavar="N", help="digits a step")
    parser.add_argument("--lr", type=positive, default=8e-3, metavar="RATE", help="learning rate of Adam at the start")
    parser.add_argument("--seed", type=whole, default=0, metavar="N", help="the same seed gives the same weights to the bit")
    parser.add_argument("--train-size", type=at_least_one, metavar="N", help="train on the first N digits only")
    parser.add_argument("--no-distort", dest="distort", action="store_false", help="train on the digits as they are")
    parser.add_argument("--data", type=Path, default=here / "data" / "mnist5k.npz", metavar="FILE", help="the digits, an .npz")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="FOLDER", help="where the weights and the picture go")
    parser.add_argument("--threads", type=at_least_one, metavar="N", help="threads of the compiled kernels")
    parser.add_argument("--no-plot", dest="plot", action="store_false", help="write no picture")
    parser.add_argument("--quiet", action="store_true", help="show no progress bars")
    return parser.parse_args(arguments)


def main() -> None:
    options = parse()
    missing = [name for name in ("tqdm", *(["matplotlib"] if options.plot else [])) if find_spec(name) is None]
    if missing:
        fail(f"this example needs {' and '.join(missing)}: pip install 'minigrad[examples]'")
    digits, test_images, test_labels = read_digits(options.data)
    if options.train_size is not None:
        if options.train_size > len(digits):
            fail(f"argument --train-size: there are {len(digits)} digits to train on, not {options.train_size}")
        digits = TensorDataset(*digits[: options.train_size])
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"argument --out: cannot make the folder {options.out}: {error.strerror}")

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    model = LeNet5()
    train(model, digits, options)

    predicted = predict(model, test_images)
    weights = options.out / WEIGHTS_FILE
    save_and_verify(model, weights, test_images, predicted)
    print(f"weights in {weights}, read back and verified")
    if options.plot:
        picture = options.out / PICTURE_FILE
        draw(model, test_images, test_labels, predicted, picture)
        print(f"picture in {picture}")
    print(f"test accuracy {accuracy_of(predicted, test_labels):.3f}")


if __name__ == "__main__":
    main()
