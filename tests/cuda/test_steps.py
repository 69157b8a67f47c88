"""Training steps on the device: the same losses as on the CPU, no waiting, no copies, few launches. Simulated, not run on a GPU."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim
from minigrad.models import LeNet5
from minigrad.nn import functional as F

from ..cudasim.counts import counts


class DCGAN(nn.Module):
    """A generator and a discriminator, small, with the layers of Radford, Metz and Chintala (2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(
            nn.ConvTranspose2d(6, 8, 4, 1, 0, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )
        self.discriminator = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1, bias=False), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 4, 1, 0, bias=False), nn.Flatten(0)
        )


class UNet(nn.Module):
    """One step down and one up, with the connection between them."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.middle = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Dropout(0.25))
        self.up = nn.ConvTranspose2d(8, 4, 2, 2)
        self.out = nn.Conv2d(8, 3, 1)

    def forward(self, x: Any) -> Any:
        a = self.down(x)
        return self.out(minigrad.cat([a, self.up(self.middle(a))], 1))


def lenet_step(device: str, model: Any) -> Callable[[], Any]:
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    x, y = minigrad.randn(4, 1, 28, 28).to(device), minigrad.tensor([1, 7, 3, 0]).to(device)

    def step() -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def dcgan_step(device: str, model: Any) -> Callable[[], Any]:
    of_d = optim.Adam(model.discriminator.parameters(), lr=2e-3, betas=(0.5, 0.999))
    of_g = optim.Adam(model.generator.parameters(), lr=2e-3, betas=(0.5, 0.999))
    real, noise = minigrad.randn(3, 1, 8, 8).to(device), minigrad.randn(3, 6, 1, 1).to(device)
    ones, zeros = minigrad.ones(3, device=device), minigrad.zeros(3, device=device)
    judge = nn.BCEWithLogitsLoss()

    def step() -> Any:
        fake = model.generator(noise)
        of_d.zero_grad()
        loss = judge(model.discriminator(real), ones) + judge(model.discriminator(fake.detach()), zeros)
        loss.backward()
        of_d.step()
        of_g.zero_grad()
        loss_g = judge(model.discriminator(fake), ones)
        loss_g.backward()
        of_g.step()
        return (loss + loss_g).detach()

    return step


def clipped_unet_step(device: str, model: Any) -> Callable[[], Any]:
    return unet_step(device, model, 1.0)


def unet_step(device: str, model: Any, most: float | None = None) -> Callable[[], Any]:
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, y = minigrad.randn(2, 1, 8, 8).to(device), (minigrad.arange(128).reshape(2, 8, 8) % 3).to(device)

    def step() -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        if most is not None:
            nn.utils.clip_grad_norm_(model.parameters(), most)
        optimizer.step()
        return loss.detach()

    return step


NETWORKS = {
    "lenet": (LeNet5, lenet_step, "LeNet-5 takes {} launches"),
    "dcgan": (DCGAN, dcgan_step, "a small DCGAN {}"),
    "unet": (UNet, unet_step, "a small U-Net {}"),
    "unet, gradients clipped": (UNet, clipped_unet_step, "({} with clipped gradients)"),
}
PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_trains_as_on_the_cpu_and_never_waits(name: str, device: str) -> None:
    make, stepper, said = NETWORKS[name]
    minigrad.manual_seed(0)
    model = make()
    losses = []
    for place, net in (("cpu", model), (device, copy.deepcopy(model).to(device))):
        minigrad.manual_seed(1)
        step = stepper(place, net)
        found = [step() for _ in range(2)]  # the second step is as all later ones: what is made once is there
        counts.reset()
        found.append(step())
        launches, waits, copies = counts.launches, counts.waits, (list(counts.to_device), list(counts.to_host))
        losses.append([loss.item() for loss in found])
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-4)
    assert waits == 0, "the host waited for the device"
    assert copies == ([], []), "something was copied between the host and the device"
    print(f"{name}: {launches} launches a step (simulated, not run on a GPU)")
    assert said.format(launches) in PAGE.read_text(), f"{PAGE.name} tells of another number of launches: {counts.kernels}"


def test_what_is_kept_on_the_device_is_there_before_another_queue_reads_it(simulated: str) -> None:
    """Tables of a geometry are copied once, by the queue of that call, for which the host waits; later calls may be in other queues."""
    x, w = minigrad.randn(1, 2, 7, 11).to(simulated), minigrad.randn(3, 2, 3, 2).to(simulated)
    for uses in (lambda: F.conv2d(x, w, dilation=2), lambda: F.interpolate(x, (9, 13), mode="bilinear"), lambda: F.pad(x, (3, 1, 2, 5), mode="reflect")):
        counts.reset()
        uses()
        assert counts.waits == len(counts.to_device) > 0
        counts.reset()
        with minigrad.cuda.stream(minigrad.cuda.Stream()):
            uses()
        assert (counts.waits, counts.to_device) == (0, [])


def test_numbers_of_the_host_are_neither_copied_nor_waited_for(simulated: str) -> None:
    x = minigrad.ones(3, device=simulated)
    for number in (minigrad.tensor(2.5), minigrad.tensor(3), minigrad.tensor(True), minigrad.tensor(0.5).half()):
        counts.reset()
        y = x * number
        assert (counts.waits, counts.to_device, counts.to_host) == (0, [], [])
        assert y.is_cuda and y.dtype == (minigrad.ones(3) * number).dtype and y.tolist() == [float(number)] * 3
