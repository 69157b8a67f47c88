"""FCN-8s: J. Long, E. Shelhamer and T. Darrell, Fully convolutional networks for semantic segmentation, arXiv:1411.4038."""

from __future__ import annotations

from typing import Any

from minigrad import nn
from minigrad.core.tensor import Tensor
from minigrad.models.segnet import convolutions
from minigrad.models.weights import Path, with_weights
from minigrad.ops import arange


class FCN(nn.Module):
    """A classifier's convolutions, scored at strides 8, 16 and 32; the scores are enlarged by learned interpolation and summed.

    in_channels: of the image; out_channels: of the answer, as logits. width: channels of the first of five stages; later ones have twice as
    many, up to eight times.

    Input (N, in_channels, H, W) with H and W of at least 32, output (N, out_channels, H, W).

    >>> import minigrad
    >>> tuple(FCN(3, 2, width=4)(minigrad.zeros(1, 3, 50, 64)).shape)
    (1, 2, 50, 64)
    """

    def __init__(self, in_channels: int = 3, out_channels: int = 1, width: int = 64) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"FCN: width should be at least 1, but is {width}")
        widths = [in_channels, width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.stages = nn.ModuleList(
            convolutions([widths[i]] + [widths[i + 1]] * count) for i, count in enumerate((2, 2, 3, 3, 3))
        )
        self.scores = nn.ModuleList(nn.Conv2d(channels, out_channels, kernel_size=1) for channels in widths[3:])
        self.doubled = nn.ModuleList(interpolation(out_channels, 2) for _ in range(2))
        self.enlarged = interpolation(out_channels, 8)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if min(height, width) < 32:
            raise ValueError(
                f"FCN: height and width should be at least 32, since they are halved five times, but are {height} and {width}"
            )
        features = []
        for stage in self.stages:
            # Ceil, so that nothing of the image is lost, and every enlarged map covers the one that it is added to.
            x = nn.functional.max_pool2d(stage(x), 2, ceil_mode=True)
            features.append(x)
        third, fourth, score = (layer(x) for layer, x in zip(self.scores, features[2:], strict=True))
        for enlarge, finer in zip(self.doubled, (fourth, third), strict=True):
            score = finer + enlarge(score)[..., : finer.shape[-2], : finer.shape[-1]]
        return self.enlarged(score)[..., :height, :width]


def interpolation(channels: int, factor: int) -> nn.ConvTranspose2d:
    """A transposed convolution that starts as bilinear interpolation of each channel, and can learn better."""
    layer = nn.ConvTranspose2d(channels, channels, 2 * factor, stride=factor, padding=factor // 2, bias=False)
    tent = 1 - (arange(2 * factor) - (factor - 0.5)).abs() / factor
    nn.init.zeros_(layer.weight)
    weight = layer.weight.detach()
    for channel in range(channels):
        weight[channel, channel] = tent.reshape(-1, 1) * tent
    return layer


def fcn(in_channels: int = 3, out_channels: int = 1, *, weights: Path | None = None, **kwargs: Any) -> FCN:
    """FCN-8s; keyword arguments are those of FCN."""
    return with_weights(FCN(in_channels, out_channels, **kwargs), weights)
