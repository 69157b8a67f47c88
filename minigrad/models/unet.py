"""U-Net: O. Ronneberger, P. Fischer and T. Brox, U-Net: convolutional networks for biomedical image segmentation, arXiv:1505.04597.

The gates of attention=True are those of O. Oktay et al., Attention U-Net: learning where to look for the pancreas, arXiv:1804.03999.
"""

from __future__ import annotations

from typing import Any

from minigrad import nn
from minigrad.core.tensor import Tensor
from minigrad.models.weights import Path, with_weights
from minigrad.ops import cat


class UNet(nn.Module):
    """Down by halving and up by doubling, each level of the way up seeing what the way down had at its size.

    in_channels: of the image; out_channels: of the answer, one for a mask or one for each class, as logits. width: channels of the
    first level; each level below has twice as many. depth: how often the size is halved. padding: "same" keeps sizes, which have to be
    divisible by 2**depth; "valid" is the paper's: convolutions see whole windows only, skips are cropped, and the answer is smaller than
    the image. up: "transposed" convolutions or "bilinear" interpolation. attention: gates on the skips. batch_norm: after each
    convolution, which the paper has not.

    Input (N, in_channels, H, W), output (N, out_channels, H', W'). Raises ValueError for sizes that do not fit, naming the nearest that do.

    >>> import minigrad
    >>> tuple(UNet(1, 2, width=8, depth=2)(minigrad.zeros(1, 1, 32, 48)).shape)
    (1, 2, 32, 48)
    >>> tuple(UNet(1, 2, width=2, batch_norm=False, padding="valid")(minigrad.zeros(1, 1, 572, 572)).shape)
    (1, 2, 388, 388)
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        width: int = 64,
        depth: int = 4,
        padding: str = "same",
        up: str = "transposed",
        attention: bool = False,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        if padding not in ("same", "valid"):
            raise ValueError(f"UNet: padding should be 'same' or 'valid', but is {padding!r}")
        if up not in ("transposed", "bilinear"):
            raise ValueError(f"UNet: up should be 'transposed' or 'bilinear', but is {up!r}")
        if width < 1 or depth < 1:
            raise ValueError(f"UNet: width and depth should be at least 1, but are {width} and {depth}")
        self.depth, self.padding = depth, padding
        widths = [width * 2**level for level in range(depth + 1)]
        options: dict[str, Any] = {"padding": int(padding == "same"), "batch_norm": batch_norm}
        self.down = nn.ModuleList(
            two_convolutions(*channels, **options)
            for channels in zip([in_channels, *widths], widths[:-1], strict=False)
        )
        self.bottom = two_convolutions(widths[-2], widths[-1], **options)
        levels = list(zip(widths[:0:-1], widths[-2::-1], strict=True))  # from the bottom up: channels below and here
        self.enlarge = nn.ModuleList(doubled(below, here, up) for below, here in levels)
        self.gates = nn.ModuleList(AttentionGate(here, here) for _, here in levels) if attention else None
        self.up = nn.ModuleList(two_convolutions(2 * here, here, **options) for _, here in levels)
        self.head = nn.Conv2d(width, out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        self._check_sizes(tuple(x.shape))
        skips = []
        for convolutions in self.down:
            x = convolutions(x)
            skips.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = self.bottom(x)
        for level, (enlarge, convolutions) in enumerate(zip(self.enlarge, self.up, strict=True)):
            x = enlarge(x)
            skip = centre(skips.pop(), x.shape[-2:])
            if self.gates is not None:
                skip = self.gates[level](skip, x)
            x = convolutions(cat([skip, x], 1))
        return self.head(x)

    def _check_sizes(self, shape: tuple[int, ...]) -> None:
        if len(shape) not in (3, 4):
            raise ValueError(f"UNet: expected images (N, C, H, W), but got {shape}")
        for name, size in zip(("height", "width"), shape[-2:], strict=True):
            if not self._fits(size):
                near = [other for step in range(1, 200) for other in (size - step, size + step) if self._fits(other)]
                below, above = max((n for n in near if n < size), default=None), min(n for n in near if n > size)
                nearest = f"{above}" if below is None else f"{below} and {above}"
                raise ValueError(
                    f"UNet: {name} {size} cannot be halved {self.depth} times with padding={self.padding!r}; the nearest that can: {nearest}"
                )

    def _fits(self, size: int) -> bool:
        """Whether each level has an even size to halve, and all convolutions on the way down and up have something left to see."""
        lost = 0 if self.padding == "same" else 4  # by two convolutions of 3x3
        for _ in range(self.depth):
            size -= lost
            if size <= 0 or size % 2:
                return False
            size //= 2
        size -= lost
        for _ in range(self.depth):
            if size <= 0:
                return False
            size = 2 * size - lost
        return size > 0


class AttentionGate(nn.Module):
    """Weighs each place of a skip, from 0 to 1, by what the level below makes of the same place."""

    def __init__(self, skip_channels: int, gate_channels: int) -> None:
        super().__init__()
        between = max(1, skip_channels // 2)
        self.skip = nn.Conv2d(skip_channels, between, kernel_size=1)
        self.gate = nn.Conv2d(gate_channels, between, kernel_size=1, bias=False)
        self.weigh = nn.Conv2d(between, 1, kernel_size=1)

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        return skip * self.weigh((self.skip(skip) + self.gate(gate)).relu()).sigmoid()


def two_convolutions(channels_in: int, channels_out: int, padding: int = 1, batch_norm: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (channels_in, channels_out):
        layers.append(nn.Conv2d(channels, channels_out, kernel_size=3, padding=padding, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm2d(channels_out))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def doubled(channels_in: int, channels_out: int, up: str) -> nn.Module:
    """Twice the size and other channels."""
    if up == "transposed":
        return nn.ConvTranspose2d(channels_in, channels_out, kernel_size=2, stride=2)
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        nn.Conv2d(channels_in, channels_out, kernel_size=1),
    )


def centre(x: Tensor, size: Any) -> Tensor:
    """The middle part of x of this height and width."""
    top, left = ((x.shape[axis] - size[axis]) // 2 for axis in (-2, -1))
    return x[..., top : top + size[0], left : left + size[1]]


def unet(in_channels: int = 1, out_channels: int = 1, *, weights: Path | None = None, **kwargs: Any) -> UNet:
    """U-Net; keyword arguments are those of UNet."""
    return with_weights(UNet(in_channels, out_channels, **kwargs), weights)
