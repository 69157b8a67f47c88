"""How good predictions are: of classes, of masks, of pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import minigrad.nn.functional as F
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.ops import arange, exp, mean, sigmoid, zeros


class Mean:
    """The mean of a function of (output, target) over all samples of all batches, each batch counting by its size.

    This is the metric over the whole data set for functions that are themselves means over samples, such as accuracy.

    >>> import minigrad
    >>> metric = Mean(accuracy)
    >>> metric.update(minigrad.eye(2), minigrad.tensor([0, 0]))
    >>> metric.update(minigrad.eye(2)[:1], minigrad.tensor([0]))
    >>> round(metric.compute(), 4)
    0.6667
    """

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.function = function
        self.reset()

    def reset(self) -> None:
        """Forgets all batches."""
        self.total, self.count = 0.0, 0

    def update(self, output: Any, target: Any) -> None:
        """Takes in a batch."""
        with no_grad():
            self.add(float(self.function(output, target)), len(target))

    def add(self, value: float, count: int) -> None:
        """Takes in the mean of so many samples, when it is known already."""
        self.total += value * count
        self.count += count

    def compute(self) -> float:
        """The mean up to now; nan before the first batch."""
        return self.total / self.count if self.count else math.nan


def accuracy(scores: Tensor, labels: Tensor, k: int = 1) -> float:
    """The share of samples whose label is among the k highest scores.

    scores: (N, C); labels: (N,), integers. Raises ValueError for other shapes, and for a k that is not from 1 to C.

    >>> import minigrad
    >>> scores = minigrad.tensor([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]])
    >>> accuracy(scores, minigrad.tensor([2, 0])), accuracy(scores, minigrad.tensor([2, 0]), k=2)
    (0.5, 1.0)
    """
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or not len(labels):
        raise ValueError(
            f"accuracy: expected scores (N, C) and labels (N,), but got {tuple(scores.shape)} and {tuple(labels.shape)}"
        )
    if not 1 <= k <= scores.shape[1]:
        raise ValueError(f"accuracy: k should be from 1 to {scores.shape[1]}, the number of classes, but is {k}")
    best = scores.detach().topk(k, 1).indices
    return float((best == labels.unsqueeze(1)).any(1).float().mean())


class ConfusionMatrix:
    """How often each class was taken for each other one, and what follows from that.

    matrix: (C, C), a row for each true class, a column for each predicted one. Labels equal to ignore_index do not count.

    >>> import minigrad
    >>> confusion = ConfusionMatrix(2)
    >>> confusion.update(minigrad.tensor([0, 1, 1, 1]), minigrad.tensor([0, 0, 1, 1]))
    >>> confusion.matrix
    tensor([[1, 1],
            [0, 2]])
    >>> confusion.accuracy
    0.75
    >>> confusion.iou
    tensor([0.5000, 0.6667], dtype=minigrad.float64)
    """

    def __init__(self, classes: int, ignore_index: int = -100) -> None:
        if classes < 1:
            raise ValueError(f"ConfusionMatrix: classes should be at least 1, but is {classes}")
        self.classes, self.ignore_index = classes, ignore_index
        self.reset()

    def reset(self) -> None:
        """Forgets all batches."""
        self.matrix = zeros(self.classes, self.classes, dtype=np.int64)

    def update(self, output: Tensor, target: Tensor) -> None:
        """Takes in a batch. output: classes in the shape of target, or scores (N, C, ...) for a target (N, ...).

        Raises ValueError for other shapes and for labels that are no class.
        """
        predicted = output.detach()
        if predicted.ndim == target.ndim + 1 and predicted.ndim >= 2 and predicted.shape[1] == self.classes:
            predicted = predicted.argmax(1)
        if predicted.shape != target.shape or predicted.is_floating_point() or target.is_floating_point():
            raise ValueError(
                f"ConfusionMatrix: expected scores (N, {self.classes}, ...) or classes as integers, and a target (N, ...) of integers, "
                f"but got {output.dtype} {tuple(output.shape)} and {target.dtype} {tuple(target.shape)}"
            )
        predicted, target = predicted.flatten().long(), target.flatten().long()
        counted = target != self.ignore_index
        predicted, target = predicted[counted], target[counted]
        for name, labels in (("the prediction", predicted), ("the target", target)):
            if len(labels) and (int(labels.min()) < 0 or int(labels.max()) >= self.classes):
                raise ValueError(
                    f"ConfusionMatrix: {name} has labels from {int(labels.min())} to {int(labels.max())}, "
                    f"but the classes are 0 to {self.classes - 1}"
                )
        pairs = (target * self.classes + predicted).bincount(minlength=self.classes**2)
        self.matrix = self.matrix + pairs.reshape(self.classes, self.classes)

    def compute(self) -> float:
        """The accuracy."""
        return self.accuracy

    @property
    def accuracy(self) -> float:
        """The share of labels that were predicted right; nan before the first batch."""
        count = int(self.matrix.sum())
        return int(self.matrix.diagonal().sum()) / count if count else math.nan

    @property
    def precision(self) -> Tensor:
        """Of what was taken for a class, the share that is of it; (C,)."""
        return self.matrix.diagonal().double() / self.matrix.sum(0)

    @property
    def recall(self) -> Tensor:
        """Of what is of a class, the share that was taken for it; (C,)."""
        return self.matrix.diagonal().double() / self.matrix.sum(1)

    @property
    def iou(self) -> Tensor:
        """Intersection over union of prediction and truth, for each class; (C,), nan for a class that never occurred."""
        hits = self.matrix.diagonal().double()
        return hits / (self.matrix.sum(0) + self.matrix.sum(1) - hits)

    @property
    def dice(self) -> Tensor:
        """Twice the intersection over the sum of the sizes, for each class; (C,), nan for a class that never occurred."""
        return 2 * self.matrix.diagonal().double() / (self.matrix.sum(0) + self.matrix.sum(1))


def iou(predicted: Tensor, target: Tensor) -> float:
    """Intersection over union of two masks (Jaccard's index); 1 if both are empty.

    predicted, target: masks of the same shape, bool or numbers, of which those above 0.5 are in the mask. Raises ValueError
    for shapes that differ. Source: Jaccard, "The distribution of the flora in the alpine zone" (1912).

    >>> import minigrad
    >>> iou(minigrad.tensor([1, 1, 0]), minigrad.tensor([0, 1, 1]))
    0.3333333333333333
    """
    both, one, other = _overlap("iou", predicted, target)
    return both / (one + other - both) if one + other else 1.0


def dice(predicted: Tensor, target: Tensor) -> float:
    """Twice the intersection of two masks over the sum of their sizes (Dice's coefficient); 1 if both are empty.

    predicted, target: as for iou. Source: Dice, "Measures of the amount of ecologic association between species" (1945).

    >>> import minigrad
    >>> dice(minigrad.tensor([1, 1, 0]), minigrad.tensor([0, 1, 1]))
    0.5
    """
    both, one, other = _overlap("dice", predicted, target)
    return 2 * both / (one + other) if one + other else 1.0


def dice_loss(logits: Tensor, target: Tensor, smoothing: float = 1.0) -> Tensor:
    """One minus Dice's coefficient of the sigmoid of logits and a mask, the mean over the samples; a loss for segmentation.

    logits, target: (N, ...), the target from 0 to 1. smoothing: added above and below the fraction, so that empty masks count as found.
    Raises ValueError for shapes that differ. Source: Milletari, Navab and Ahmadi, "V-Net" (2016), with sums in place of squares below.

    >>> import minigrad
    >>> dice_loss(minigrad.tensor([[50.0, 50.0, -50.0]]), minigrad.tensor([[0.0, 1.0, 1.0]]), smoothing=0)
    tensor(0.5000)
    """
    if logits.shape != target.shape:
        raise ValueError(f"dice_loss: expected logits and a target of one shape, but got {tuple(logits.shape)} and {tuple(target.shape)}")
    found = sigmoid(logits).flatten(1)
    there = target.to(found.dtype).flatten(1)
    return mean(1 - (2 * (found * there).sum(1) + smoothing) / (found.sum(1) + there.sum(1) + smoothing))


def _overlap(name: str, predicted: Tensor, target: Tensor) -> tuple[int, int, int]:
    """The sizes of the intersection and of both masks."""
    if predicted.shape != target.shape:
        raise ValueError(
            f"{name}: expected masks of one shape, but got {tuple(predicted.shape)} and {tuple(target.shape)}"
        )
    one, other = predicted.detach() > 0.5, target.detach() > 0.5
    return int((one & other).sum()), int(one.sum()), int(other.sum())


def psnr(picture: Tensor, reference: Tensor, data_range: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio in decibels: 10 log10(data_range**2 / mean squared error). Differentiable; inf for equal pictures.

    data_range: the difference of the largest and the smallest value that a pixel can have. Raises ValueError for shapes that differ.

    >>> import minigrad
    >>> psnr(minigrad.full((1, 3, 4, 4), 0.6), minigrad.full((1, 3, 4, 4), 0.5))
    tensor(20.)
    """
    _check_pictures("psnr", picture, reference, data_range)
    return -10 * mean((picture - reference) ** 2 / data_range**2).log10()


def ssim(picture: Tensor, reference: Tensor, data_range: float = 1.0, window: int = 11, sigma: float = 1.5) -> Tensor:
    """The structural similarity of two pictures, from -1 to 1, the mean over all of them. Differentiable.

    picture, reference: (N, C, H, W) with sides of at least window pixels. data_range: as for psnr. window, sigma: of the Gaussian
    under which means and variances are taken, in pixels. Raises ValueError for other shapes. Source: Wang et al., "Image quality
    assessment: from error visibility to structural similarity" (2004), equation 13 with its K1 = 0.01 and K2 = 0.03.

    >>> import minigrad
    >>> picture = minigrad.linspace(0, 1, 256).reshape(1, 1, 16, 16)
    >>> ssim(picture, picture)
    tensor(1.)
    """
    _check_pictures("ssim", picture, reference, data_range)
    if picture.ndim != 4 or min(picture.shape[2:]) < window or window < 1 or not sigma > 0:
        raise ValueError(
            f"ssim: expected pictures (N, C, H, W) with sides of at least window={window} pixels and sigma > 0, "
            f"but got {tuple(picture.shape)} and sigma={sigma}"
        )
    channels = picture.shape[1]
    places = arange(window, dtype=picture.dtype) - (window - 1) / 2
    bell = exp(-(places**2) / (2 * sigma**2))
    bell = bell / bell.sum()
    column, row = (bell.reshape(shape).expand(channels, 1, *shape) for shape in ((window, 1), (1, window)))

    def blurred(x: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(x, column, groups=channels), row, groups=channels)

    mean_x, mean_y = blurred(picture), blurred(reference)
    variance_x = blurred(picture * picture) - mean_x * mean_x
    variance_y = blurred(reference * reference) - mean_y * mean_y
    covariance = blurred(picture * reference) - mean_x * mean_y
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return mean(likeness / ((mean_x * mean_x + mean_y * mean_y + c1) * (variance_x + variance_y + c2)))


def _check_pictures(name: str, picture: Tensor, reference: Tensor, data_range: float) -> None:
    if picture.shape != reference.shape or not picture.numel():
        raise ValueError(
            f"{name}: expected pictures of one shape, but got {tuple(picture.shape)} and {tuple(reference.shape)}"
        )
    if not (picture.is_floating_point() and reference.is_floating_point()):
        raise TypeError(
            f"{name}: expected floating point pictures, but got {picture.dtype} and {reference.dtype}; convert with .float()"
        )
    if not data_range > 0:
        raise ValueError(f"{name}: data_range should be positive, but is {data_range}")
