"""ResNet: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, arXiv:1512.03385."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from minigrad import nn
from minigrad.core.tensor import Tensor
from minigrad.models.weights import Path, start_by_fan_out, with_weights
from minigrad.nn.fusion import normalised_and_rectified

Norm = Callable[[int], nn.Module]


def conv3x3(channels_in: int, channels: int, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A convolution of 3x3 that keeps the size, but for its stride."""
    return nn.Conv2d(channels_in, channels, 3, stride, padding=dilation, dilation=dilation, groups=groups, bias=False)


def conv1x1(channels_in: int, channels: int, stride: int = 1) -> nn.Conv2d:
    """A convolution of 1x1."""
    return nn.Conv2d(channels_in, channels, 1, stride, bias=False)


class BasicBlock(nn.Module):
    """Two convolutions of 3x3, whose result is added to the input (figure 5 in the paper, left)."""

    expansion: ClassVar[int] = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        if groups != 1 or base_width != 64:
            raise ValueError(
                f"BasicBlock: expected groups=1 and base_width=64, got {groups} and {base_width}; a Bottleneck takes others"
            )
        if dilation > 1:
            raise NotImplementedError(f"BasicBlock: expected dilation=1, got {dilation}; a Bottleneck takes others")
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = normalised_and_rectified(self.bn1, self.relu, self.conv1(x))
        out = self.conv2(out)
        residual = x if self.downsample is None else self.downsample(x)
        return normalised_and_rectified(self.bn2, self.relu, out, residual)


class Bottleneck(nn.Module):
    """1x1 to fewer channels, 3x3, 1x1 to four times as many, added to the input (figure 5, right). The 3x3 takes the stride."""

    expansion: ClassVar[int] = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = normalised_and_rectified(self.bn1, self.relu, self.conv1(x))
        out = self.conv3(normalised_and_rectified(self.bn2, self.relu, self.conv2(out)))
        residual = x if self.downsample is None else self.downsample(x)
        return normalised_and_rectified(self.bn3, self.relu, out, residual)


class ResNet(nn.Module):
    """A first convolution, four stages of blocks, the mean over the image, one fully connected layer.

    Input (N, 3, H, W), as a rule of 224x224; output (N, num_classes).

    Args:
        block: BasicBlock or Bottleneck.
        layers: blocks in each of the four stages.
        num_classes: outputs.
        zero_init_residual: begin with blocks that are the identity.
        groups, width_per_group: of the convolutions of 3x3 in a Bottleneck (ResNeXt and wide networks).
        replace_stride_with_dilation: for each of the last three stages, whether filters grow instead of images shrinking.
        norm_layer: makes the normalisation of a number of channels, BatchNorm2d if None.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        dilate = (False, False, False) if replace_stride_with_dilation is None else tuple(replace_stride_with_dilation)
        if len(dilate) != 3:
            raise ValueError(
                f"ResNet: replace_stride_with_dilation must be None or have 3 elements, got {replace_stride_with_dilation}"
            )
        self._norm_layer: Norm = norm_layer or nn.BatchNorm2d
        self.inplanes = 64
        self.dilation = 1
        self.groups = groups
        self.base_width = width_per_group
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], stride=2, dilate=dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], stride=2, dilate=dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], stride=2, dilate=dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        start_by_fan_out(self)
        if zero_init_residual:
            for module in self.modules():
                last: Any = module.bn3 if isinstance(module, Bottleneck) else getattr(module, "bn2", None)
                if last is not None:
                    nn.init.zeros_(last.weight)

    def _make_layer(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        planes: int,
        blocks: int,
        stride: int = 1,
        dilate: bool = False,
    ) -> nn.Sequential:
        """One stage: its first block changes size and channels."""
        before = self.dilation
        if dilate:
            self.dilation *= stride
            stride = 1
        downsample = None
        if stride != 1 or self.inplanes != planes * block.expansion:
            downsample = nn.Sequential(
                conv1x1(self.inplanes, planes * block.expansion, stride), self._norm_layer(planes * block.expansion)
            )
        first = block(self.inplanes, planes, stride, downsample, self.groups, self.base_width, before, self._norm_layer)
        self.inplanes = planes * block.expansion
        others = [
            block(self.inplanes, planes, 1, None, self.groups, self.base_width, self.dilation, self._norm_layer)
            for _ in range(1, blocks)
        ]
        return nn.Sequential(first, *others)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(normalised_and_rectified(self.bn1, self.relu, self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def resnet18(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-18; keyword arguments are those of ResNet."""
    return with_weights(ResNet(BasicBlock, [2, 2, 2, 2], **kwargs), weights)


def resnet34(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-34; keyword arguments are those of ResNet."""
    return with_weights(ResNet(BasicBlock, [3, 4, 6, 3], **kwargs), weights)


def resnet50(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-50; keyword arguments are those of ResNet."""
    return with_weights(ResNet(Bottleneck, [3, 4, 6, 3], **kwargs), weights)


def resnet101(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-101; keyword arguments are those of ResNet."""
    return with_weights(ResNet(Bottleneck, [3, 4, 23, 3], **kwargs), weights)


def resnet152(*, weights: Path | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-152; keyword arguments are those of ResNet."""
    return with_weights(ResNet(Bottleneck, [3, 8, 36, 3], **kwargs), weights)
