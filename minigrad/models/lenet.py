"""LeNet-5: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document recognition, 1998."""

from __future__ import annotations

from minigrad import nn
from minigrad.core.tensor import Tensor
from minigrad.models.weights import Path, with_weights


class LeNet5(nn.Module):
    """Two convolutions and three fully connected layers for images of 28x28, with today's ReLU and max-pooling.

    Input (N, in_channels, 28, 28), output (N, num_classes).
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(16 * 5 * 5, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


def lenet5(*, weights: Path | None = None, num_classes: int = 10, in_channels: int = 1) -> LeNet5:
    """LeNet-5 for images of 28x28, such as MNIST's."""
    return with_weights(LeNet5(num_classes, in_channels), weights)
