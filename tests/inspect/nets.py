"""Small networks that the tests of this folder look into."""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad
from minigrad import nn


class UNet(nn.Module):
    """Two levels with skips; the way up is by transposed convolutions."""

    def __init__(self, kernel: int = 2) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(1, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.down2 = nn.Conv2d(4, 8, 3, padding=1)
        self.down3 = nn.Conv2d(8, 8, 3, padding=1)
        self.up2 = nn.ConvTranspose2d(8, 8, kernel, 2, padding=(kernel - 2 + 1) // 2, output_padding=kernel % 2)
        self.join2 = nn.Conv2d(16, 4, 3, padding=1)
        self.up1 = nn.ConvTranspose2d(4, 4, kernel, 2, padding=(kernel - 2 + 1) // 2, output_padding=kernel % 2)
        self.join1 = nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, x: Any) -> Any:
        first = self.down1(x).relu()
        second = self.down2(self.pool(first)).relu()
        third = self.down3(self.pool(second)).relu()
        up = self.join2(minigrad.cat([self.up2(third), second], 1)).relu()
        return self.join1(minigrad.cat([self.up1(up), first], 1))


class Residual(nn.Module):
    """A block with a way around it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 2, 3, padding=1)
        self.conv2 = nn.Conv2d(2, 2, 5, padding=2)

    def forward(self, x: Any) -> Any:
        return x + self.conv2(self.conv1(x).relu())


def state_of(model: nn.Module) -> list[Any]:
    """All that looking inside must leave as it was."""
    return [
        (
            name,
            module.training,
            module._hooks is None
            or not any([module._hooks.forward, module._hooks.forward_pre, module._hooks.backward]),
        )
        for name, module in model.named_modules()
    ] + [
        (name, x.array.tobytes(), type(x.array), None if x.grad is None else x.grad.numpy().tobytes(), x.requires_grad)
        for name, x in (*model.named_parameters(), *model.named_buffers())
    ]


def waves(*shape: int) -> Any:
    """Numbers without a pattern, the same each time."""
    return minigrad.tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
