"""A network learns to read handwritten digits: 4000 to train on, 1000 to be tested on.

    python examples/mnist.py --help

    mpiexec -n 2 python examples/mnist.py --distributed    # two processes, each with half of every batch

By default it is LeNet-5 of LeCun et al., "Gradient-based learning applied to document recognition" (1998), with what came later: ReLU,
max-pooling, batch normalisation and Adam. But for --distributed, the import lines are all that tells this script from one for PyTorch.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from common import Parser, at_least_one, check_pictures, fail, probability, pyplot, read_arrays, save_figure

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F
import minigrad.optim as optim
from minigrad import distributed
from minigrad.utils.data import DataLoader, TensorDataset

SIDE = 28  # pixels
CLASSES = 10


class LeNet5(nn.Module):
    """Pictures (N, 1, 28, 28) to the scores of the ten digits (N, 10)."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.norm1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.norm2 = nn.BatchNorm2d(16)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.norm3 = nn.BatchNorm1d(120)
        self.fc2 = nn.Linear(120, 84)
        self.norm4 = nn.BatchNorm1d(84)
        self.dropout = nn.Dropout(dropout)
        self.fc3 = nn.Linear(84, CLASSES)

    def maps(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the two layers of filters see: (N, 6, 28, 28) and (N, 16, 10, 10)."""
        first = F.relu(self.norm1(self.conv1(x)))
        second = F.relu(self.norm2(self.conv2(F.max_pool2d(first, 2))))
        return first, second

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, second = self.maps(x)
        x = torch.flatten(F.max_pool2d(second, 2), 1)
        x = self.dropout(F.relu(self.norm3(self.fc1(x))))
        x = self.dropout(F.relu(self.norm4(self.fc2(x))))
        return self.fc3(x)


def fully_connected(dropout: float) -> nn.Module:
    """The network before convolutions: every pixel to every unit."""
    layers = [nn.Flatten()]
    for inputs, outputs in ((SIDE * SIDE, 300), (300, 100)):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(100, CLASSES))


def small_vgg(dropout: float) -> nn.Module:
    """Pairs of 3x3 filters before each pooling, as in Simonyan and Zisserman's networks."""
    layers, channels = [], 1
    for width in (16, 32):
        for _ in range(2):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        layers += [nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Dropout(dropout), nn.Linear(128, CLASSES))


NETWORKS = {"lenet5": LeNet5, "fully-connected": fully_connected, "small-vgg": small_vgg}


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

    sampler, rank, size = None, 0, 1
    if options.distributed:  # the statistics of batch norm are those of whole batches, so that it is the training of one process
        model = distributed.DistributedDataParallel(distributed.SyncBatchNorm.convert_sync_batchnorm(model))
        rank, size = distributed.get_rank(), distributed.get_world_size()
        sampler = distributed.DistributedSampler(digits, seed=options.seed)
        torch.manual_seed(options.seed + rank)  # each process distorts its digits in its own way
    loader = DataLoader(digits, batch_size=-(-options.batch_size // size), shuffle=sampler is None, sampler=sampler)
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=options.epochs)
    model.train()
    for epoch in range(1, options.epochs + 1):
        if sampler is not None:
            sampler.set_epoch(epoch)
        seen, correct, total = 0, 0, 0.0
        bar = tqdm(loader, desc=f"epoch {epoch:2d}/{options.epochs}", unit="batch", disable=options.quiet or rank > 0)
        for images, labels in bar:
            images, labels = (distort(images) if options.distort else images).to(options.device), labels.to(options.device)
            scores = model(images)
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
    device = next(model.parameters()).device
    with torch.no_grad():
        return torch.cat([model(batch.to(device)).argmax(1).cpu() for batch in images.split(250)])


def accuracy_of(predicted: torch.Tensor, labels: torch.Tensor) -> float:
    return int((predicted == labels).sum()) / len(labels)


def save_and_verify(model: nn.Module, fresh: nn.Module, path: Path, images: torch.Tensor, predicted: torch.Tensor) -> None:
    """Writes the weights and reads them into a fresh model, which must see the same digits."""
    torch.save(model.state_dict(), path)
    fresh.load_state_dict(torch.load(path))
    differing = int((predict(fresh, images) != predicted).sum())
    if differing:
        fail(f"the weights read back from {path} give other digits for {differing} of {len(images)} pictures", status=1)


def draw(model: nn.Module, name: str, images: torch.Tensor, labels: torch.Tensor, predicted: torch.Tensor, path: Path) -> None:
    """The digits that were misread, and of LeNet-5 the first layer's filters and what both layers make of one digit."""
    plt = pyplot()
    wrong = [index for index, differs in enumerate((predicted != labels).tolist()) if differs]
    shown, columns = wrong[:36], 12
    rows = max(1, -(-len(shown) // columns))
    has_maps = isinstance(model, LeNet5)
    heights = ([4.0, 3.6] if has_maps else []) + [0.5 + 1.25 * rows]  # inches
    figure = plt.figure(figsize=(12, 0.5 + sum(heights)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)  # inches
    figure.suptitle(f"{name} on handwritten digits: {accuracy_of(predicted, labels):.1%} of {len(labels)} test digits right", fontsize=15)
    *top, bottom = figure.subfigures(len(heights), 1, height_ratios=heights, hspace=0.04, squeeze=False)[:, 0]
    if has_maps:
        draw_maps(model, images[:1], labels[0].item(), *top)
    if not wrong:
        bottom.suptitle("No test digit was misread", fontsize=11)
    else:
        count = f"all {len(wrong)}" if len(shown) == len(wrong) else f"the first {len(shown)} of {len(wrong)}"
        bottom.suptitle(f"Misread test digits ({count}): what it is → what the network read", fontsize=11)
        grid = bottom.subplots(rows, columns, squeeze=False)
        titles = [f"{labels[index].item()} → {predicted[index].item()}" for index in shown]
        row_of_pictures(grid.ravel(), [images[index, 0].numpy() for index in shown], titles, cmap="gray_r")
    save_figure(figure, path)


def draw_maps(model: LeNet5, image: torch.Tensor, label: int, top, middle) -> None:
    """The filters of the first layer, and the maps of both layers for one digit."""
    model.eval()
    with torch.no_grad():
        first, second = model.maps(image)
    top.suptitle("First layer: each 5x5 filter (red adds, blue takes away) and the map it makes of the digit (bright: strong)", fontsize=11)
    filters = model.conv1.weight.detach().squeeze(1).numpy()
    largest = float(np.abs(filters).max())
    grid = top.subplots(2, 7)
    grid[0, 0].set_axis_off()
    row_of_pictures(grid[0, 1:], filters, [f"filter {k}" for k in range(1, 7)], cmap="RdBu_r", vmin=-largest, vmax=largest)
    row_of_pictures(grid[1, :1], image[0].numpy(), [f"a test digit: {label}"], cmap="gray_r")
    row_of_pictures(grid[1, 1:], first[0].numpy(), [f"map {k}" for k in range(1, 7)], cmap="viridis", vmin=0)
    middle.suptitle("Second layer: its 16 maps of the same digit", fontsize=11)
    grid = middle.subplots(2, 8)
    row_of_pictures(grid.ravel(), second[0].numpy(), [f"map {k}" for k in range(1, 17)], cmap="viridis", vmin=0)


def row_of_pictures(axes, pictures, titles, **style) -> None:
    for axis in axes:
        axis.set_axis_off()
    for axis, picture, title in zip(axes, pictures, titles, strict=False):
        axis.imshow(picture, **style)
        axis.set_title(title, fontsize=9, pad=3)


def read_digits(path: Path) -> tuple[TensorDataset, torch.Tensor, torch.Tensor]:
    """The digits to train on, and the pictures and labels to test on; pictures are (N, 1, 28, 28) from 0 to 1."""
    arrays = read_arrays(path, "train_images", "train_labels", "test_images", "test_labels")
    parts = []
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        check_pictures(path, f"{part}_images", images, SIDE, SIDE)
        if labels.dtype.kind not in "ui" or labels.shape != images.shape[:1]:
            fail(f"{path}: {part}_labels should be {len(images)} integers, but is {labels.dtype} of {labels.shape}")
        if labels.min() < 0 or labels.max() >= CLASSES:
            fail(f"{path}: {part}_labels should be from 0 to {CLASSES - 1}, but are from {labels.min()} to {labels.max()}")
        parts.append((torch.tensor(images).unsqueeze(1).float() / 255, torch.tensor(labels.astype(np.int64))))
    return TensorDataset(*parts[0]), *parts[1]


def main() -> None:
    parser = Parser("Trains a network on handwritten digits, tests it, and writes its weights and a picture of what it learned.")
    parser.add_argument("--model", choices=NETWORKS, default="lenet5", help="the network")
    parser.add_argument("--dropout", type=probability, default=0.0, metavar="P", help="before the fully connected layers")
    parser.training(epochs=20, lr=8e-3, batch_size=100, resume=False)
    parser.add_argument("--train-size", type=at_least_one, metavar="N", help="train on the first N digits only")
    parser.add_argument("--no-distort", dest="distort", action="store_false", help="train on the digits as they are")
    parser.data("mnist5k.npz", "the digits")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where to compute")
    parser.add_argument("--distributed", action="store_true", help="share every batch with the other processes that mpiexec has started")
    options = parser.options(torch)
    if options.distributed:
        try:
            distributed.init_process_group("nccl" if options.device == "cuda" else "mpi")
        except (ImportError, RuntimeError) as error:
            fail(f"argument --distributed: {error}")
    if options.device == "cuda" and not torch.cuda.is_available():
        fail("argument --device: there is no GPU that can be used" + (f": {torch.cuda.why_not()}" if hasattr(torch.cuda, "why_not") else ""))

    digits, test_images, test_labels = read_digits(options.data)
    if options.train_size is not None:
        if options.train_size > len(digits):
            fail(f"argument --train-size: there are {len(digits)} digits to train on, not {options.train_size}")
        digits = TensorDataset(*digits[: options.train_size])
    model = NETWORKS[options.model](options.dropout).to(options.device)
    train(model, digits, options)
    if options.distributed and distributed.get_rank() > 0:  # what follows is for one
        return

    predicted = predict(model, test_images)
    weights = options.out / f"{options.model}.weights"
    save_and_verify(model, NETWORKS[options.model](options.dropout), weights, test_images, predicted)
    print(f"weights in {weights}, read back and verified")
    model.cpu()
    if options.plot:
        name = {"lenet5": "LeNet-5"}.get(options.model, options.model)
        draw(model, name, test_images, test_labels, predicted, options.out / f"{options.model}.png")
    print(f"test accuracy {accuracy_of(predicted, test_labels):.3f}")


if __name__ == "__main__":
    main()
