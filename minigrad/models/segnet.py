"""SegNet: V. Badrinarayanan, A. Kendall and R. Cipolla, SegNet: a deep convolutional encoder-decoder architecture, arXiv:1511.00561."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from minigrad import nn
from minigrad.core.tensor import Tensor
from minigrad.models.weights import Path, with_weights

VGG16_STAGES = (2, 2, 3, 3, 3)  # convolutions before each pooling


class SegNet(nn.Module):
    """VGG's convolutions, and their mirror image: each max-pooling is undone at the positions that its maxima came from.

    in_channels: of the image; out_channels: of the answer, as logits. width: channels of the first stage; later ones have twice as many,
    up to eight times. stages: convolutions of each stage, by default those of VGG-16.

    Input (N, in_channels, H, W), output (N, out_channels, H, W). Sizes need not be divisible: unpooling goes back to the size before.

    >>> import minigrad
    >>> tuple(SegNet(3, 2, width=4)(minigrad.zeros(1, 3, 50, 64)).shape)
    (1, 2, 50, 64)
    """

    def __init__(
        self, in_channels: int = 3, out_channels: int = 1, width: int = 64, stages: Sequence[int] = VGG16_STAGES
    ) -> None:
        super().__init__()
        if width < 1 or not stages or min(stages) < 1:
            raise ValueError(f"SegNet: width and every stage should be at least 1, but are {width} and {tuple(stages)}")
        widths = [in_channels] + [min(width * 2**stage, 8 * width) for stage in range(len(stages))]
        self.encoder = nn.ModuleList(
            convolutions([widths[i]] + [widths[i + 1]] * count) for i, count in enumerate(stages)
        )
        self.decoder = nn.ModuleList(
            convolutions([widths[i + 1]] * stages[i] + [widths[i]]) for i in reversed(range(1, len(stages)))
        )
        self.decoder.append(convolutions([widths[1]] * stages[0]))  # the head is the last convolution of this stage
        self.head = nn.Conv2d(widths[1], out_channels, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        places = []
        for stage in self.encoder:
            x = stage(x)
            size = x.shape
            x, indices = nn.functional.max_pool2d(x, 2, return_indices=True)
            places.append((indices, size))
        for stage in self.decoder:
            indices, size = places.pop()
            x = stage(nn.functional.max_unpool2d(x, indices, 2, output_size=size))
        return self.head(x)


def convolutions(channels: Sequence[int]) -> nn.Sequential:
    """Convolutions of 3x3 from each number of channels to the next, each with batch norm and ReLU."""
    layers: list[nn.Module] = []
    for channels_in, channels_out in itertools.pairwise(channels):
        layers += [
            nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def segnet(in_channels: int = 3, out_channels: int = 1, *, weights: Path | None = None, **kwargs: Any) -> SegNet:
    """SegNet; keyword arguments are those of SegNet."""
    return with_weights(SegNet(in_channels, out_channels, **kwargs), weights)
