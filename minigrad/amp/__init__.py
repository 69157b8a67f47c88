"""Automatic mixed precision: `autocast` chooses what operations compute in, `GradScaler` keeps small gradients of float16 from vanishing.

>>> import minigrad
>>> from minigrad import nn
>>> model = nn.Linear(3, 1)
>>> optimizer = minigrad.optim.SGD(model.parameters(), lr=0.1)
>>> scaler = minigrad.amp.GradScaler("cpu")
>>> with minigrad.autocast("cpu", dtype=minigrad.float16):
...     loss = nn.functional.mse_loss(model(minigrad.ones(4, 3)), minigrad.zeros(4, 1))
>>> scaler.scale(loss).backward()
>>> scaler.step(optimizer)
>>> scaler.update()
"""

from __future__ import annotations

from minigrad.amp.functions import custom_bwd, custom_fwd
from minigrad.amp.grad_scaler import GradScaler
from minigrad.core.autocast import autocast, is_autocast_available

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
