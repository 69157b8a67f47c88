"""MobileNetV2: M. Sandler and others, Inverted residuals and linear bottlenecks, arXiv:1801.04381."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import nn
from minigrad.core.tensor import Tensor
from minigrad.models.weights import Path, start_by_fan_out, with_weights

Norm = Callable[[int], nn.Module]
# Table 2 in the paper: expansion, channels, blocks, stride of the first.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def divisible(channels: float, divisor: int) -> int:
    """The multiple of the divisor next to a number of channels, at most a tenth below it."""
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest


def conv_norm_relu6(
    channels_in: int, channels: int, kernel: int, stride: int, groups: int, norm: Norm
) -> nn.Sequential:
    """A convolution that keeps the size but for its stride, normalisation, ReLU6."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        norm(channels),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Wide inside, narrow outside: 1x1 to more channels, a depthwise 3x3, 1x1 back, added to the input where shapes agree."""

    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: int, norm_layer: Norm | None = None) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"InvertedResidual: stride must be 1 or 2, got {stride}")
        norm = norm_layer or nn.BatchNorm2d
        hidden = round(inp * expand_ratio)
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        widen = [] if expand_ratio == 1 else [conv_norm_relu6(inp, hidden, 1, 1, 1, norm)]
        self.conv = nn.Sequential(
            *widen,
            conv_norm_relu6(hidden, hidden, 3, stride, hidden, norm),
            nn.Conv2d(hidden, oup, 1, bias=False),
            norm(oup),
        )
        self.out_channels = oup

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """A network of depthwise convolutions for small devices. Input (N, 3, H, W), as a rule of 224x224; output (N, num_classes).

    Args:
        num_classes: outputs.
        width_mult: factor of all numbers of channels.
        inverted_residual_setting: rows of expansion, channels, blocks and first stride; those of the paper if None.
        round_nearest: numbers of channels are multiples of this.
        block: makes a block, InvertedResidual if None.
        norm_layer: makes the normalisation of a number of channels, BatchNorm2d if None.
        dropout: probability before the last layer.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Norm | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        block = block or InvertedResidual
        norm = norm_layer or nn.BatchNorm2d
        stages = STAGES if inverted_residual_setting is None else inverted_residual_setting
        if not stages or any(len(row) != 4 for row in stages):
            raise ValueError(
                f"MobileNetV2: inverted_residual_setting must have rows of 4 numbers, got {inverted_residual_setting}"
            )
        channels_in = divisible(32 * width_mult, round_nearest)
        self.last_channel = divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[nn.Module] = [conv_norm_relu6(3, channels_in, 3, 2, 1, norm)]
        for expansion, width, blocks, stride in stages:
            channels = divisible(width * width_mult, round_nearest)
            for i in range(blocks):
                features.append(
                    block(channels_in, channels, stride if i == 0 else 1, expand_ratio=expansion, norm_layer=norm)
                )
                channels_in = channels
        features.append(conv_norm_relu6(channels_in, self.last_channel, 1, 1, 1, norm))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes))
        start_by_fan_out(self)
        nn.init.normal_(self.classifier[1].weight, 0, 0.01)
        nn.init.zeros_(self.classifier[1].bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def mobilenet_v2(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> MobileNetV2:
    """MobileNetV2; keyword arguments are those of the class."""
    return with_weights(MobileNetV2(**kwargs), weights)
