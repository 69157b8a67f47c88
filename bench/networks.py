"""The networks that are compared, each a function of the framework: minigrad or torch, whose names are the same."""

from __future__ import annotations

from itertools import pairwise
from typing import Any


def mlp(torch: Any) -> Any:
    """784 -> 256 -> 10."""
    nn = torch.nn
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def lenet(torch: Any) -> Any:
    """LeNet-5 with ReLU and max-pooling, for (N, 1, 28, 28)."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def resnet18(torch: Any, width: int = 64) -> Any:
    """ResNet-18 as it is used for CIFAR, without the first pooling, for (N, 3, 32, 32)."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, channels_in: int, channels: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)
            self.relu = nn.ReLU()
            self.shortcut = nn.Identity()
            if stride != 1 or channels_in != channels:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
                )

        def forward(self, x: Any) -> Any:
            out = self.relu(self.bn1(self.conv1(x)))
            return self.relu(self.bn2(self.conv2(out)) + self.shortcut(x))

    layers = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    channels_in = width
    for stage in range(4):
        channels = width << stage
        layers += [Block(channels_in, channels, 1 if stage == 0 else 2), Block(channels, channels, 1)]
        channels_in = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels_in, 10))


def unet(torch: Any, width: int = 64) -> Any:
    """U-Net with padded convolutions and batch normalisation, four times down and up, for (N, 3, H, W), H and W multiples of 16."""
    nn = torch.nn
    channels = [width << level for level in range(5)]

    def twice(channels_in: int, channels_out: int) -> Any:
        return nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU(),
        )  # fmt: skip

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.ModuleList([twice(a, b) for a, b in zip([3, *channels], channels, strict=False)])
            self.pool = nn.MaxPool2d(2)
            self.up = nn.ModuleList([nn.ConvTranspose2d(2 * c, c, 2, 2) for c in channels[:-1]])
            self.merge = nn.ModuleList([twice(2 * c, c) for c in channels[:-1]])
            self.head = nn.Conv2d(width, 2, 1)

        def forward(self, x: Any) -> Any:
            skips = []
            for level in range(4):
                skips.append(self.down[level](x))
                x = self.pool(skips[level])
            x = self.down[4](x)
            for level in (3, 2, 1, 0):
                x = self.merge[level](torch.cat([skips[level], self.up[level](x)], 1))
            return self.head(x)

    return UNet()


def dcgan_generator(torch: Any, width: int = 64) -> Any:
    """(N, 100, 1, 1) -> (N, 3, 64, 64), Radford et al. (2015)."""
    nn = torch.nn
    layers = [nn.ConvTranspose2d(100, 8 * width, 4, 1, 0, bias=False), nn.BatchNorm2d(8 * width), nn.ReLU()]
    for level in (8, 4, 2):
        channels = level * width // 2
        layers += [nn.ConvTranspose2d(2 * channels, channels, 4, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh())


def dcgan_discriminator(torch: Any, width: int = 64) -> Any:
    """(N, 3, 64, 64) -> (N, 1), the score before the sigmoid."""
    nn = torch.nn
    layers = [nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for level in (1, 2, 4):
        channels = 2 * level * width
        layers += [nn.Conv2d(channels // 2, channels, 4, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 0, bias=False), nn.Flatten())


def _conv_bn(nn: Any, channels_in: int, channels: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: Any = None) -> list[Any]:
    conv = nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(channels), *([act] if act is not None else [])]


def vgg16(torch: Any, size: int = 224) -> Any:
    """VGG-16, Simonyan and Zisserman (2015), for (N, 3, size, size)."""
    nn = torch.nn
    layers, channels_in = [], 3
    for repeats, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(repeats):
            layers += [nn.Conv2d(channels_in, channels, 3, padding=1), nn.ReLU()]
            channels_in = channels
        layers += [nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(512 * (size // 32) ** 2, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    return nn.Sequential(*layers)


def resnet50(torch: Any) -> Any:
    """ResNet-50, He et al. (2016), for (N, 3, 224, 224)."""
    nn = torch.nn

    class Bottleneck(nn.Module):
        def __init__(self, channels_in: int, channels: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(
                *_conv_bn(nn, channels_in, channels, 1, act=nn.ReLU()),
                *_conv_bn(nn, channels, channels, 3, stride, act=nn.ReLU()),
                *_conv_bn(nn, channels, 4 * channels, 1),
            )
            same = stride == 1 and channels_in == 4 * channels
            self.shortcut = nn.Identity() if same else nn.Sequential(*_conv_bn(nn, channels_in, 4 * channels, 1, stride))
            self.relu = nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.relu(self.body(x) + self.shortcut(x))

    layers = [*_conv_bn(nn, 3, 64, 7, 2, act=nn.ReLU()), nn.MaxPool2d(3, 2, 1)]
    channels_in = 64
    for stage, repeats in enumerate((3, 4, 6, 3)):
        for i in range(repeats):
            layers.append(Bottleneck(channels_in, 64 << stage, 2 if stage > 0 and i == 0 else 1))
            channels_in = 256 << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


def mobilenet_v2(torch: Any) -> Any:
    """MobileNetV2, Sandler et al. (2018), for (N, 3, 224, 224)."""
    nn = torch.nn

    class Inverted(nn.Module):
        def __init__(self, channels_in: int, channels: int, stride: int, expansion: int) -> None:
            super().__init__()
            wide = channels_in * expansion
            self.body = nn.Sequential(
                *(_conv_bn(nn, channels_in, wide, 1, act=nn.ReLU6()) if expansion > 1 else []),
                *_conv_bn(nn, wide, wide, 3, stride, wide, nn.ReLU6()),
                *_conv_bn(nn, wide, channels, 1),
            )
            self.adds = stride == 1 and channels_in == channels

        def forward(self, x: Any) -> Any:
            return x + self.body(x) if self.adds else self.body(x)

    layers, channels_in = _conv_bn(nn, 3, 32, 3, 2, act=nn.ReLU6()), 32
    for expansion, channels, repeats, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for i in range(repeats):
            layers.append(Inverted(channels_in, channels, stride if i == 0 else 1, expansion))
            channels_in = channels
    layers += _conv_bn(nn, 320, 1280, 1, act=nn.ReLU6())
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


def segnet(torch: Any, width: int = 64) -> Any:
    """SegNet, Badrinarayanan et al. (2017): VGG-16's convolutions down, and up again through the indices of the poolings."""
    nn = torch.nn
    stages = [(2, width), (2, 2 * width), (3, 4 * width), (3, 8 * width), (3, 8 * width)]

    class SegNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            down, up, channels_in = [], [], 3
            for repeats, channels in stages:
                before = max(channels_in, width)
                down.append(self.convolutions([channels_in] + [channels] * repeats))
                up.insert(0, self.convolutions([channels] * repeats + [before]))
                channels_in = channels
            self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
            self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
            self.head = nn.Conv2d(width, 2, 1)

        @staticmethod
        def convolutions(channels: list[int]) -> Any:
            layers = [_conv_bn(nn, a, b, act=nn.ReLU()) for a, b in pairwise(channels)]
            return nn.Sequential(*[module for layer in layers for module in layer])

        def forward(self, x: Any) -> Any:
            indices = []
            for stage in self.down:
                x, places = self.pool(stage(x))
                indices.append(places)
            for stage in self.up:
                x = stage(self.unpool(x, indices.pop()))
            return self.head(x)

    return SegNet()
