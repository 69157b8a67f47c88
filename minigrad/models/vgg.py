"""VGG: K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale image recognition, arXiv:1409.1556."""

from __future__ import annotations

from typing import Any

from minigrad import nn
from minigrad.core.tensor import Tensor
from minigrad.models.weights import Path, start_by_fan_out, with_weights

POOL = 0
# The columns A, B, D and E of table 1 in the paper: channels of convolutions of 3x3, and where the size is halved.
LAYERS = {
    11: (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    13: (64, 64, POOL, 128, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    16: (64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL, 512, 512, 512, POOL),
    19: (64, 64, POOL, 128, 128, POOL, *4 * (256,), POOL, *4 * (512,), POOL, *4 * (512,), POOL),
}  # fmt: skip


class VGG(nn.Module):
    """Convolutions of 3x3 and nothing else, between poolings; then three fully connected layers.

    Input (N, 3, H, W) with H, W >= 32, as a rule 224; output (N, num_classes).
    """

    def __init__(
        self, features: nn.Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            start_by_fan_out(self)
            for module in self.classifier:
                if isinstance(module, nn.Linear):
                    nn.init.normal_(module.weight, 0, 0.01)
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def make_features(depth: int, batch_norm: bool) -> nn.Sequential:
    """The convolutions of one column of the paper's table."""
    layers: list[nn.Module] = []
    channels_in = 3
    for channels in LAYERS[depth]:
        if channels == POOL:
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(nn.Conv2d(channels_in, channels, kernel_size=3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(channels))
        layers.append(nn.ReLU(inplace=True))
        channels_in = channels
    return nn.Sequential(*layers)


def make_vgg(depth: int, batch_norm: bool, weights: Path | None, **kwargs: Any) -> VGG:
    if weights is not None:
        kwargs["init_weights"] = False
    return with_weights(VGG(make_features(depth, batch_norm), **kwargs), weights)


def vgg11(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-11; keyword arguments are those of VGG."""
    return make_vgg(11, False, weights, **kwargs)


def vgg11_bn(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-11 with batch normalisation; keyword arguments are those of VGG."""
    return make_vgg(11, True, weights, **kwargs)


def vgg13(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-13; keyword arguments are those of VGG."""
    return make_vgg(13, False, weights, **kwargs)


def vgg13_bn(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-13 with batch normalisation; keyword arguments are those of VGG."""
    return make_vgg(13, True, weights, **kwargs)


def vgg16(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-16; keyword arguments are those of VGG."""
    return make_vgg(16, False, weights, **kwargs)


def vgg16_bn(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-16 with batch normalisation; keyword arguments are those of VGG."""
    return make_vgg(16, True, weights, **kwargs)


def vgg19(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-19; keyword arguments are those of VGG."""
    return make_vgg(19, False, weights, **kwargs)


def vgg19_bn(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG-19 with batch normalisation; keyword arguments are those of VGG."""
    return make_vgg(19, True, weights, **kwargs)
